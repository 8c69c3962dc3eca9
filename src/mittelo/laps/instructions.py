"""The block that tells agents of the queue, in the files that they read."""

import re

ALWAYS = "AGENTS.md"
IF_THERE = ("CLAUDE.md", "GEMINI.md")
TEXT = """\
<laps-instructions v="2">
## Work queue: laps

This repository keeps its work in `laps`. Before you work, run `laps claim`; work only on the lap
that it shows. At the end run `laps done`: it finishes the lap that you claimed, not the head.

`laps claim` and `laps get` exit with:

- 0: run, here is your lap
- 10: stop, the queue is held: finish what you have claimed, start nothing
- 11: idle, the queue is empty
- 12: finished, all of it is done

Stints (queues of their own) are resolved for you; a lap looks the same wherever it lies. To name a
queue, prefer `--active`, `--root` or `--stint <name>` over `-f`/`--file`.

See `laps status` for how things stand, and `laps list` for what comes next.
</laps-instructions>
"""
_START = r'[ \t]*<laps-instructions(?: v="[^"\r\n]*")?>[ \t]*(?:\r?\n|\Z)'
_END = r"[ \t]*</laps-instructions>[ \t]*(?:\r?\n|\Z)"
_BLOCK = re.compile(rf"^{_START}(?:(?!{_START}).*(?:\r?\n|\Z))*?{_END}", re.MULTILINE)
_STRAY = re.compile(rf"^(?:{_START}|{_END})", re.MULTILINE)


def put_block(text: str) -> str:
    """Return a file's text with our block, in place of an older one or at the end."""
    end = "\r\n" if "\r\n" in text else "\n"
    block = TEXT.replace("\n", end)
    parts = _BLOCK.split(text)
    if len(parts) > 1:
        head, *rest = (_STRAY.sub("", part) for part in parts)
        return head + block + "".join(rest)
    text = _STRAY.sub("", text)
    if text and not text.endswith("\n"):
        text += end
    return f"{text}{end}{block}" if text else block


def drop_block(text: str) -> str:
    """Return a file's text without our block; at the end, without the blank line before it."""
    parts = _BLOCK.split(text)
    left = "".join(_STRAY.sub("", part) for part in parts)
    at_end = len(parts) > 1 and not parts[-1]
    return re.sub(r"(\A|\n)\r?\n\Z", r"\1", left) if at_end else left


def is_damaged(text: str) -> bool:
    """Tell whether a file has a block without its begin or its end, or more than one."""
    whole = len(_BLOCK.findall(text))
    return whole > 1 or bool(_STRAY.search(_BLOCK.sub("", text)))
