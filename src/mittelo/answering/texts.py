"""Make an answer fit for a message: what is longer is kept whole in a file, and cut."""

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

MARK_BYTES = 1000


class Text(Struct, frozen=True):
    """An answer; `whole` names the file that holds all of one that was cut."""

    text: str
    whole: str = ""


def text_of_file(path: Path, limit: int, keep: Path, name: str) -> Text:
    """Return what a program wrote, read no further than `limit` bytes of JSON."""
    size = path.stat().st_size
    with path.open("rb") as file:
        text = file.read(limit + 1).decode(errors="replace")
    if size <= limit and encoded_size(text) <= limit:
        return Text(text.rstrip("\r\n"))
    kept = _place(keep, name)
    shutil.move(path, kept)
    kept.chmod(0o600)
    return _cut(text, size, kept, limit)


def fitting(text: str, limit: int, keep: Path, name: str) -> Text:
    """Return a text as it is where it fits."""
    if encoded_size(text) <= limit:
        return Text(text)
    kept = _place(keep, name)
    raw = text.encode(errors="replace")
    kept.write_bytes(raw)
    return _cut(text, len(raw), kept, limit)


def encoded_size(text: str) -> int:
    """Return the bytes that a text takes in a message."""
    return len(msgspec.json.encode(text))


def shortened(text: str, limit: int) -> str:
    """Return the beginning of a text, in at most so many bytes of a message."""
    while (size := encoded_size(text)) > limit:
        text = text[: min(len(text) * limit // size, len(text) - 1)]
    return text


def _cut(text: str, size: int, kept: Path, limit: int) -> Text:
    mark = (
        f"\n\n[cut: the whole answer has {size:,} bytes;"
        f" it is kept on {os.uname().nodename} in {kept}]"
    )
    return Text(shortened(text, max(1, limit - MARK_BYTES)) + mark, str(kept))


def _place(keep: Path, name: str) -> Path:
    keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, path = tempfile.mkstemp(dir=keep, prefix=f"{name}-", suffix=".txt")
    os.close(handle)
    return Path(path)
