"""Agents of a few lines for tests of routing, and a PATH on which nothing else is installed."""

import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from support import Done, Place, marked, wait_until

AGENT = """\
echo "$1" >> .git/served
number=$(($(wc -l < .git/served)))
if grep -qsx "$number" .git/failing; then echo "$1 failed" >&2; exit 1; fi
if grep -qsx "$number" .git/hanging; then
  touch .git/hangs
  while [ ! -e .git/go ]; do sleep 0.05; done
fi
echo x > "made-$number.txt"
echo "made by $1"
"""
ONCE = "[reliability]\nretry_budget = 1\n"
STUB = """\
#!/bin/sh
printf '%s\\n' "$@" > ".git/argv-$(basename "$0")"
date +%N > "made-$$.txt"
cat <<END
"""
SAYS = {
    "claude": '{"type": "result", "subtype": "success", "is_error": false, "result": "made it"}',
    "codex": '{"type": "item.completed", "item": {"type": "agent_message", "text": "made it"}}\n'
    '{"type": "turn.completed", "usage": {}}',
    "opencode": '{"type": "text", "part": {"text": "made it"}}\n'
    '{"type": "step_finish", "part": {"reason": "stop"}}',
    "gemini": '{"type": "message", "role": "assistant", "content": "made it"}\n'
    '{"type": "result", "status": "success"}',
    "agy": "made it",
}
MODELS = """
[harness.a]
command = ["sh", ".git/agent", "a"]
[harness.a.models]
x = "x-1"
y = "y-1"
[harness.b]
command = ["sh", ".git/agent", "b"]
[harness.b.models]
x = "x-2"
"""
TOOLS = ("basename", "cat", "date", "dirname", "env", "git", "grep", "sh", "sleep", "touch", "wc")


def agents(place: Place, names: str, settings: str = "") -> None:
    """Configure agents that are called by one letter each; every run of theirs is one try."""
    (place.root / ".git/agent").write_text(AGENT)
    tables = (f'[harness.{name}]\ncommand = ["sh", ".git/agent", "{name}"]\n' for name in names)
    place.configure(f"{settings}\n{ONCE}{''.join(tables)}")


def with_models(place: Place, settings: str) -> None:
    """Configure two of these agents that have models."""
    agents(place, "")
    place.configure(f"{settings}{MODELS}")


def when(place: Place, what: str, numbers: Iterable[int]) -> None:
    """Let the agents fail or hang at these starts of theirs, counted from 1."""
    (place.root / ".git" / what).write_text("".join(f"{number}\n" for number in numbers))


def served(place: Place) -> str:
    """Return who was started, a letter for each try."""
    path = place.root / ".git/served"
    return path.read_text().replace("\n", "") if path.exists() else ""


def runs(place: Place) -> str:
    """Return who served each run, a letter for each."""
    return "".join({made.run_id: made.agent_type for made in place.tries()}.values())


def install(place: Place, *programs: str) -> None:
    """Give the place a PATH of its own, with these agent CLIs, which note how they are called."""
    folder = place.home / "bin"
    folder.mkdir(exist_ok=True)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        if not (folder / tool).exists():
            (folder / tool).symlink_to(found)
    for program in programs:
        stub = folder / program
        stub.write_text(f"{STUB}{SAYS[program]}\nEND\n")
        stub.chmod(0o755)
    place.env = {**place.env, "PATH": str(folder)}


def argv(place: Place, program: str) -> list[str]:
    """Return what an installed CLI was called with the last time."""
    return (place.root / f".git/argv-{program}").read_text().splitlines()


@contextmanager
def hanging(place: Place, *words: str) -> Iterator[None]:
    """Run `rally start` while its agent hangs; end what is left of it."""
    relay = place.begin("start", *words)
    try:
        wait_until((place.root / ".git/hangs").exists, "the agent's work")
        yield
    finally:
        (place.root / ".git/go").touch()
        if relay.poll() is None:
            relay.send_signal(signal.SIGINT)
        relay.wait(30)


def cut(place: Place, number: signal.Signals, *words: str) -> None:
    """Run `rally start` until its agent hangs, then end it with a signal."""
    relay = place.begin("start", *words)
    try:
        wait_until((place.root / ".git/hangs").exists, "the agent's work")
    finally:
        os.kill(relay.pid, number)
        relay.wait(30)
    key = next((place.home / "data/rally/tries").iterdir()).name
    wait_until(lambda: not marked(key), "the end of the agent")
    (place.root / ".git/hangs").unlink()
    (place.root / ".git/hanging").unlink()


def started(place: Place, *words: str, given: str = "") -> Done:
    done = place.rally("start", *words, "x", given=given)
    assert "Traceback" not in done.err
    return done


def refused(place: Place, done: Done, code: int, *words: str) -> None:
    """Require that a relay was refused before it began."""
    assert done.code == code, (done.out, done.err)
    for word in words:
        assert word in done.err
    assert (place.relays(), served(place)) == ([], "")


def shown(place: Place, *words: str) -> str:
    done = place.rally(*words)
    assert done.code == 0, done.err
    return done.out
