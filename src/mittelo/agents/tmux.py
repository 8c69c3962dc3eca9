"""An agent that asks whoever sits in a tmux session: prompt on stdin, answer on stdout.

It types the prompt into the session's active pane, literally, and waits until the pane is quiet
or a line holds the end marker. What is new on the pane then is the answer, without what was typed
and without the sign that asks for more. One prompt at a time goes to a session.
"""

import argparse
import difflib
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ANCHOR = 20
LOOK_SECONDS = 0.1
COMMAND_SECONDS = 10.0
SETTLE_SECONDS = 0.3
MOST_SETTLE_SECONDS = 5.0
PASTE_SECONDS = 0.2
ECHO_LINES = 3
SIGN = 3
HISTORY = 20_000
COMPARED = 2_000
UNTYPED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""What would be a key and no text."""


class NoAnswerError(Exception):
    """There is no answer, and why."""


class Pane:
    """The active pane of a session, which is created where there is none."""

    def __init__(self, session: str) -> None:
        self.session = session.replace(".", "_").replace(":", "_")
        self.is_new = not self._is_there()
        if self.is_new:
            made = tmux("new-session", "-d", "-s", self.session, "-x", "200", "-y", "50")
            if made.returncode and not self._is_there():
                raise NoAnswerError(f"tmux: {made.stderr.strip()}")
        self._pane = self._told("#{pane_id}", f"={self.session}:")

    @property
    def lock(self) -> Path:
        """The file that is held by whoever asks: beside the socket of the server."""
        return Path(self._told("#{socket_path}") + f".{self.session}.mittelo-lock")

    def lines(self) -> list[str]:
        """Return what it shows, and what has left it at the top."""
        shown = checked("capture-pane", "-p", "-J", "-S", f"-{HISTORY}", "-t", self._pane)
        return [line.rstrip() for line in shown.rstrip().split("\n")]

    def type(self, text: str) -> None:
        """Type a text and send it off."""
        buffer = f"mittelo-{os.getpid()}"
        tmux("copy-mode", "-q", "-t", self._pane)
        checked("load-buffer", "-b", buffer, "-", given=UNTYPED.sub("", text))
        checked("paste-buffer", "-d", "-p", "-b", buffer, "-t", self._pane)
        time.sleep(PASTE_SECONDS)
        checked("send-keys", "-t", self._pane, "Enter")

    def _is_there(self) -> bool:
        return tmux("has-session", "-t", f"={self.session}").returncode == 0

    def _told(self, word: str, target: str = "") -> str:
        return checked("display-message", "-p", "-t", target or self._pane, word).strip()


def main() -> None:
    """Answer the prompt on stdin."""
    options = _options()
    deadline = time.monotonic() + options.wait
    prompt = sys.stdin.read().strip("\n")
    try:
        pane = Pane(options.session)
        with held(pane.lock, deadline):
            answer = ask(pane, prompt, options, deadline)
    except NoAnswerError as error:
        sys.exit(f"mittelo tmux: {error}")
    sys.stdout.write(answer + "\n")


def ask(pane: Pane, prompt: str, options: argparse.Namespace, deadline: float) -> str:
    """Return what came of a prompt; raises where nothing did."""
    before = settled(pane)
    pane.type(prompt)
    shown, changed, new = before, time.monotonic(), list[str]()
    while (now := time.monotonic()) < deadline:
        time.sleep(LOOK_SECONDS)
        if (lines := pane.lines()) != shown:
            shown, changed = lines, now
            new = without_echo(new_lines(before, lines), prompt)
        if options.end:
            found = ((number, options.end.search(line)) for number, line in enumerate(new))
            ended = next(((number, match) for number, match in found if match), None)
            if ended:
                return _text([*new[: ended[0]], ended[1].string[: ended[1].start()]])
        elif any(new) and now - changed >= options.quiet:
            return _text(new)
    raise NoAnswerError(
        f"timed out: {'it still goes on' if any(new) else 'no answer'} after {options.wait:g} s"
    )


def settled(pane: Pane) -> list[str]:
    """Return what it shows once that does not change, or after a while.

    A new one shows nothing until its shell has started.
    """
    deadline = time.monotonic() + MOST_SETTLE_SECONDS
    shown, changed = pane.lines(), time.monotonic()
    while (now := time.monotonic()) < deadline:
        if now - changed >= SETTLE_SECONDS and (any(shown) or not pane.is_new):
            break
        time.sleep(LOOK_SECONDS)
        if (lines := pane.lines()) != shown:
            shown, changed = lines, now
    return shown


def new_lines(before: list[str], after: list[str]) -> list[str]:
    """Return the lines that are new: below what was there, or where the screen was redrawn.

    Lines may have left at the top, and signs that ask for more stand at the end again.
    """
    before = before[_gone(before, after) :]
    start = _common(before, after)
    old, new = before[start:], after[start:]
    end = _common(old[::-1], new[::-1])
    old, new = old[: len(old) - end], new[: len(new) - end]
    if not old:
        return new
    matcher = difflib.SequenceMatcher(None, old[-COMPARED:], new[-COMPARED:], autojunk=False)
    changes = (part for part in matcher.get_opcodes() if part[0] in {"insert", "replace"})
    return [line for _, _, _, first, last in changes for line in new[-COMPARED:][first:last]]


def without_echo(lines: list[str], prompt: str) -> list[str]:
    """Return the lines without the prompt as it was typed, behind whatever sign."""
    typed = [line.rstrip() for line in UNTYPED.sub("", prompt).split("\n")]
    for start in range(min(ECHO_LINES, len(lines))):
        if typed[0] and lines[start].endswith(typed[0]):
            pairs = zip(lines[start:], typed, strict=False)
            echoed = next((n for n, pair in enumerate(pairs) if not _echoes(*pair)), len(typed))
            return lines[start + echoed :]
    return lines


@contextmanager
def held(lock: Path, deadline: float) -> Iterator[None]:
    """Hold a lock, which its holder's death frees; say so once where that takes waiting."""
    with lock.open("w") as file:
        waits = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise NoAnswerError("timed out: another prompt is being answered") from None
            if not waits:
                sys.stderr.write("mittelo tmux: waiting for another prompt\n")
                waits = True
            time.sleep(LOOK_SECONDS)
        yield


def checked(*words: str, given: str = "") -> str:
    """Return what a command of tmux prints; raises where it fails."""
    done = tmux(*words, given=given)
    if done.returncode:
        raise NoAnswerError(f"tmux {words[0]}: {done.stderr.strip()}")
    return done.stdout


def tmux(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of tmux."""
    try:
        return subprocess.run(
            ["tmux", "-u", *words],
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NoAnswerError("tmux: command not found; install it") from None
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"tmux {words[0]} timed out") from None


def _gone(before: list[str], after: list[str]) -> int:
    """Return how many lines left at the top, 0 where nothing tells."""
    if before[0] == after[0]:
        return 0
    for number, line in enumerate(before):
        anchor = before[number : min(number + ANCHOR, len(before) - 1)]
        if line == after[0] and anchor == after[: len(anchor)] != []:
            return number
    return 0


def _echoes(line: str, typed: str) -> bool:
    """Tell whether a line is what was typed behind a sign; where that is nothing, a sign alone."""
    return line.endswith(typed) if typed else len(line.strip()) <= SIGN


def _common(one: list[str], other: list[str]) -> int:
    """Return how many lines two lists have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _text(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mittelo tmux", description=__doc__)
    parser.add_argument("--session", default="mittelo_default")
    parser.add_argument("--end", type=re.compile, help="a pattern: where it stands, all is said")
    parser.add_argument("--quiet", type=float, default=2.0, help="seconds without a change")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds, at the most")
    return parser.parse_args()


if __name__ == "__main__":
    main()
