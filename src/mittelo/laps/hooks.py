"""Hooks: shell commands that run before and after the commands of laps, or are commands alone.

What a lap or a user says reaches the shell as the value of a variable or as a positional word,
never as text to be read.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from mittelo.core.lapfiles import HOOKS_FILE
from mittelo.core.queues import Lap
from mittelo.laps.refusals import StoreError

TIMEOUT_SECONDS = 60.0
BEFORE = "before"
AFTER = "after"
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./-]+", re.ASCII)
_ARGS = re.compile(r"\$args(?![A-Za-z0-9_])|\$\{args\}")


class Hook(Struct, frozen=True):
    """One entry of `hooks.json`."""

    title: str = ""
    command: str = ""
    when: str = ""
    run: str = ""
    passback: bool = False
    timeout_secs: float = TIMEOUT_SECONDS


class _File(Struct):
    hooks: list[Hook] = field(default_factory=list)


class Facts(Struct, frozen=True):
    """What hooks are told. Without a task, as in hook-only commands, nothing is said of one."""

    command: str
    file: str
    scope: str
    words: tuple[str, ...] = ()
    task: Lap | None = None
    has_task: bool = True
    exit_code: int | None = None
    output: str = ""

    def variables(self) -> dict[str, str]:
        """Return the variables that a hook can use."""
        known = {"command": self.command, "file": self.file, "scope": self.scope}
        known["args"] = " ".join(map(quoted, self.words))
        if self.has_task:
            for name in ("id", "title", "description", "assignee"):
                known[name] = getattr(self.task, name) if self.task else ""
        if self.exit_code is not None:
            known |= {"exit_code": str(self.exit_code), "output": self.output}
        return known


def load_hooks(folder: Path) -> list[Hook]:
    """Return the hooks of a `.laps` folder."""
    path = folder / HOOKS_FILE
    try:
        hooks = msgspec.json.decode(path.read_bytes(), type=_File).hooks
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            f"{path} is malformed: {error}.", "Mend it, or use --skip-hooks."
        ) from error
    for hook in hooks:
        if not 0 < hook.timeout_secs < float("inf"):
            told = f"{path}: timeout_secs of {hook.title!r} is no time."
            raise StoreError(told, "Give it a number of seconds.")
    return hooks


def script(hook: Hook, facts: Facts) -> str:
    """Return what the shell reads: the variables, then the hook's own text."""
    known = facts.variables()
    lines = [f"unset {' '.join(known)}"]
    lines += [f"{name}={shlex.quote(value)}" for name, value in known.items()]
    return "\n".join((*lines, _with_words(hook.run), "")).replace("\0", "")


def quoted(word: str) -> str:
    """Return a word as a shell reads it back."""
    return word if _PLAIN_WORD.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"


def words_of(facts: Facts) -> Sequence[str]:
    """Return the positional words of a hook's shell."""
    return [word.replace("\0", "") for word in facts.words]


def _with_words(text: str) -> str:
    r"""Return a shell text in which a bare `$args` stands for the words themselves.

    In double quotes it stays the variable, which holds them quoted.
    """
    parts = []
    end = 0
    for at in _bare(text):
        if at >= end and (found := _ARGS.match(text, at)):
            parts += [text[end:at], '"$@"']
            end = found.end()
    return "".join((*parts, text[end:]))


def _bare(text: str) -> Iterator[int]:
    """Yield where a shell text has a `$` outside of all quotes."""
    closes = [""]  # what ends each of the constructs that we are in
    at = 0
    while at < len(text):
        char = text[at]
        if closes[-1] == "'":
            if char == "'":
                closes.pop()
        elif char == "\\":
            at += 1
        elif char == closes[-1]:
            closes.pop()
        elif char == '"' or (char == "'" and closes[-1] != '"') or char == "`":
            closes.append(char)
        elif text.startswith("$(", at):
            closes.append(")")
            at += 1
        elif char == "(" and closes[-1] == ")":
            closes.append(")")
        elif char == "#" and closes[-1] != '"' and (at == 0 or text[at - 1].isspace()):
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
        elif char == "$" and closes[-1] != '"':
            yield at
        at += 1
