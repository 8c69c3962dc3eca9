r"""An agent that follows a script of edits: for demonstrations and for trying out a set-up.

The script is TOML, a list of turns; each start of the agent takes the next one:

    [[turn]]
    steps = [
      { say = "I add a greeting." },
      { write = "hello.txt", text = "hello\n" },
      { usage = { input = 1200, output = 34, cost = 0.01 } },
    ]

`docs/script-agent.md` lists the steps. The agent prints JSON lines, and remembers the prompts of
a session, so that resuming can be tried too.
"""

import argparse
import json
import re
import signal
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

Step = dict[str, Any]
REMEMBERED = 20_000


class Memory:
    """Which turn comes next and what each session was told, in a file beside the records."""

    def __init__(self, script: Path) -> None:
        state = Path(".rally/state")
        self._file = state / "script.json" if state.is_dir() else Path(f"{script}.state")
        self._held: dict[str, Any] = {"turn": 0, "sessions": {}}
        if self._file.exists():
            try:
                self._held = json.loads(self._file.read_text())
            except ValueError:
                sys.exit(f"script agent: {self._file} is damaged; remove it to start over")

    def open_session(self, resumed: str) -> str:
        """Return the session's id: a new one, or a known one to be continued."""
        sessions = self._held["sessions"]
        if resumed and resumed not in sessions:
            sys.exit(f"script agent: there is no session {resumed}")
        session: str = resumed or str(uuid.uuid4())
        sessions.setdefault(session, [])
        return session

    def take_turn(self, session: str, prompt: str) -> int:
        """Remember the prompt and return the number of the turn, from 0."""
        turn: int = self._held["turn"]
        self._held["turn"] = turn + 1
        self._held["sessions"][session].append(prompt[:REMEMBERED])
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._held))
        fresh.replace(self._file)
        return turn

    def earlier(self, session: str) -> str:
        """Return the prompts of the session's earlier turns."""
        told: list[str] = self._held["sessions"][session][:-1]
        return "\n".join(told)


class Agent:
    """Carries out the steps of one turn."""

    def __init__(self, memory: Memory, session: str, *, may_edit: bool) -> None:
        self._memory = memory
        self._session = session
        self._may_edit = may_edit
        self._said = 0
        self.last = ""

    def follow(self, steps: list[Step]) -> None:
        """Carry out the steps in order."""
        for step in steps:
            self._carry_out(step)

    def _carry_out(self, step: Step) -> None:
        known: dict[str, Callable[[Step], None]] = {
            "say": lambda s: self._say(s["say"]),
            "think": lambda s: emit(type="think", text=s["think"]),
            "write": self._write,
            "append": self._write,
            "remove": self._remove,
            "run": self._run,
            "leave_behind": self._leave_behind,
            "recall": self._recall,
            "usage": self._usage,
            "print": self._print,
            "ignore": self._ignore,
            "sleep": lambda s: time.sleep(s["sleep"]),
            "wait_for": lambda s: wait_for(Path(s["wait_for"])),
            "close": self._close,
            "error": self._error,
            "exit": lambda s: leave(s["exit"]),
        }
        for name, carry_out in known.items():
            if name in step:
                return carry_out(step)
        sys.exit(f"script agent: unknown step {step}; known are: {', '.join(known)}")

    def _say(self, text: str) -> None:
        self._said += 1
        self.last = text
        emit(type="say", text=text, id=f"{self._said}")

    def _write(self, step: Step) -> None:
        path = step.get("write") or step["append"]
        if self._edit("write", path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with Path(path).open("w" if "write" in step else "a") as file:
                file.write(step.get("text", ""))
            emit(type="touch", path=path)

    def _remove(self, step: Step) -> None:
        if self._edit("remove", step["remove"]):
            Path(step["remove"]).unlink(missing_ok=True)
            emit(type="touch", path=step["remove"])

    def _run(self, step: Step) -> None:
        if self._edit("run", " ".join(step["run"])):
            subprocess.run(step["run"], check=False, stdout=sys.stderr, stdin=subprocess.DEVNULL)

    def _edit(self, name: str, detail: str) -> bool:
        emit(type="tool", name=name, detail=detail)
        return self._may_edit

    def _leave_behind(self, step: Step) -> None:
        """Start something that outlives us, in a session of its own when the step says so."""
        alone = bool(step.get("own_session"))
        subprocess.Popen(step["leave_behind"], stdin=subprocess.DEVNULL, start_new_session=alone)

    def _recall(self, step: Step) -> None:
        found = re.search(step["recall"], self._memory.earlier(self._session))
        self._say(found[0] if found else "I do not remember")

    def _usage(self, step: Step) -> None:
        self._said += 1
        emit(type="usage", id=f"{self._said}", **step["usage"])

    def _print(self, step: Step) -> None:
        """Write raw text, `times` over, to stdout or to the stream that the step names."""
        stream = sys.stderr if step.get("stream") == "stderr" else sys.stdout
        raw = step["print"].encode("latin-1", errors="replace")
        left = step.get("times", 1)
        while left > 0:
            at_once = min(left, 1 + 65_536 // max(1, len(raw)))
            stream.buffer.write(raw * at_once)
            left -= at_once
        stream.flush()

    def _ignore(self, step: Step) -> None:
        for name in step["ignore"]:
            signal.signal(signal.Signals[name], signal.SIG_IGN)

    def _close(self, step: Step) -> None:
        (sys.stderr if step["close"] == "stderr" else sys.stdout).close()

    def _error(self, step: Step) -> None:
        emit(type="error", message=step["error"])
        leave(step.get("exit", 1))


def emit(**event: object) -> None:
    """Print one event as a line of JSON."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def leave(code: int) -> NoReturn:
    """Exit without an end event."""
    raise SystemExit(code)


def wait_for(path: Path) -> None:
    """Wait until the file is there."""
    while not path.exists():
        time.sleep(0.02)


def main() -> None:
    """Take the next turn of the script."""
    parser = argparse.ArgumentParser(prog="script agent")
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--resume", default="")
    parser.add_argument("--answer", action="store_true", help="change nothing")
    asked = parser.parse_args()
    try:
        turns: list[dict[str, Any]] = tomllib.loads(asked.script.read_text()).get("turn", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"script agent: cannot read {asked.script}: {error}")
    prompt = sys.stdin.buffer.read().decode(errors="replace")
    memory = Memory(asked.script)
    session = memory.open_session(asked.resume)
    emit(type="start", session=session)
    turn = memory.take_turn(session, prompt)
    agent = Agent(memory, session, may_edit=not asked.answer)
    if turn < len(turns):
        agent.follow(turns[turn].get("steps", []))
    else:
        agent.follow([{"say": f"The script has only {len(turns)} turns; nothing is left to do."}])
    if not sys.stdout.closed:
        emit(type="end", text=agent.last)


if __name__ == "__main__":
    main()
