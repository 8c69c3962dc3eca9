"""Find a try's transcript and tell it, as it grows."""

import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from mittelo.core.clipping import one_line, printable
from mittelo.core.signs import (
    Ended,
    Erred,
    Model,
    Said,
    Session,
    Sign,
    Spent,
    Thought,
    Touched,
    Used,
)
from mittelo.errors import MitteloError, UsageError
from mittelo.harness.base import Harness, Stream
from mittelo.log import warn
from mittelo.proc.transcript import Follower
from mittelo.repo.workspace import Workspace

POLL_SECONDS = 0.25
STDERR_SUFFIX = ".stderr.log"


class Found(Struct, frozen=True):
    """A transcript: of which try, by whom, and whether it still grows."""

    try_id: int
    agent: str
    path: Path
    active: bool
    session_log: str = ""
    reason: str = ""


def find_try(workspace: Workspace, number: int) -> Found:
    """Return the transcript of a try; 0 means the one that runs, else the newest."""
    tries = workspace.tries.read()
    state = workspace.run_state()
    if state.active_try_id and number in {0, state.active_try_id}:
        path = Path(state.active_log_path)
        if workspace.holder() and path.exists():
            return Found(state.active_try_id, state.active_agent, path, active=True)
        warn("the records name a running try, but nothing runs; the newest one is shown.")
    if not tries:
        raise MitteloError("No tries are recorded here yet.", "Start one with: rally start")
    ids = [made.id for made in tries]
    made = next((t for t in tries if t.id == number), tries[-1] if number == 0 else None)
    if not made:
        raise UsageError(
            f"There is no try {number}; valid range: {min(ids)}-{max(ids)}.", "See: rally status"
        )
    if not made.log_path or not Path(made.log_path).exists():
        raise MitteloError(f"The transcript of try {made.id} is gone: {made.log_path or '?'}.")
    return Found(
        made.id,
        made.agent_type,
        Path(made.log_path),
        active=False,
        session_log=made.session_log,
        reason="" if made.completed else f"{made.outcome}: {made.fail_reason}",
    )


def raw_bytes(workspace: Workspace, found: Found, *, follow: bool) -> Iterator[bytes]:
    """Yield the transcript's bytes as they are, and what is added while the try runs."""
    with found.path.open("rb") as file:
        while True:
            over = not follow or not _is_running(workspace, found)
            while chunk := file.read(1 << 18):
                yield chunk
            if over:
                return
            time.sleep(POLL_SECONDS)


def told(workspace: Workspace, found: Found, harness: Harness, *, follow: bool) -> Iterator[str]:
    """Yield lines that tell a person what the agent did."""
    err = found.path.with_name(found.path.name.removesuffix(".log") + STDERR_SUFFIX)
    followers = {Stream.OUT: Follower(found.path), Stream.ERR: Follower(err)}
    teller = Teller(harness)
    while True:
        over = not follow or not _is_running(workspace, found)
        more = True
        while more:
            more = False
            for stream, follower in followers.items():
                lines, again = follower.read()
                more = more or again
                yield from teller.tell(lines, stream)
        if over:
            break
        time.sleep(POLL_SECONDS)
    for stream, follower in followers.items():
        yield from teller.tell(follower.finish(), stream)
    yield from teller.finish()
    if found.reason:
        yield f"■ {found.reason}"


class Teller:
    """Turns lines of an agent's output into lines for a person, each thing told once."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._calls: set[str] = set()
        self._session = ""
        self._open = ""

    def tell(self, lines: list[bytes], stream: Stream) -> Iterator[str]:
        """Yield the words for some lines; parts of a message wait until it is whole."""
        for line in lines:
            if stream is Stream.ERR:
                yield f"  stderr: {one_line(line.decode(errors='replace'), 300)}"
                continue
            for sign in self._harness.read(line, stream):
                yield from self._tell(sign)

    def finish(self) -> Iterator[str]:
        """Yield what is left of an open message."""
        if text := printable(self._open).strip("\n"):
            yield text
        self._open = ""

    def _tell(self, sign: Sign) -> Iterator[str]:
        match sign:
            case Said(text, message="") if text:
                self._open += text
                return
            case Session(id):
                if id == self._session:
                    return
                self._session = id
            case Used(call=call) if call:
                if call in self._calls:
                    return
                self._calls.add(call)
        yield from self.finish()
        if text := _words(sign):
            yield text


def _is_running(workspace: Workspace, found: Found) -> bool:
    if not found.active or not workspace.holder():
        return False
    return workspace.run_state().active_try_id == found.try_id


def _words(sign: Sign) -> str:
    match sign:
        case Session(id):
            return f"· session {id}"
        case Model(name):
            return f"· model {name}"
        case Said(text):
            return printable(text).rstrip("\n")
        case Thought(text):
            return f"~ {one_line(text, 300)}"
        case Used(tool, detail):
            return f"⚙ {tool}: {one_line(detail, 200)}" if detail else f"⚙ {tool}"
        case Touched(path):
            return f"✎ {path}"
        case Erred(message, passing=True):
            return f"! {one_line(message, 300)} (it goes on)"
        case Erred(message):
            return f"✗ {one_line(message, 300)}"
        case Ended(ok=True):
            return "■ done"
        case Ended(message=message):
            return f"■ failed: {one_line(message, 300)}"
        case Spent():
            return ""
