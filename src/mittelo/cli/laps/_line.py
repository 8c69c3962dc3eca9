"""The command line of laps: its global flags, hooks around its commands, answers and errors."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, TextIO

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mittelo.cli.main import disk_trouble
from mittelo.config.laps import session, wants_colour
from mittelo.core.clipping import printable
from mittelo.core.queues import Lap
from mittelo.core.scopes import Context
from mittelo.errors import MitteloError
from mittelo.laps.events import Who
from mittelo.laps.hooks import Facts, load_hooks
from mittelo.laps.place import Place, find_place
from mittelo.laps.refusals import RefusedError, StoreError
from mittelo.laps.selection import Kind, Selection, file_named
from mittelo.laps.store import Lapbook, Store

if TYPE_CHECKING:
    from mittelo.laps.hookrun import HookRunner

JSON_FLAGS = {"--json-output", "--json-output=true"}


class About(Struct, frozen=True):
    """What a command is about, as its hooks are told: a queue, and the lap if it is about one."""

    context: Context
    lap: Lap | None = None


class Answer(Struct, frozen=True):
    """What a command has to say: for a person, as data, and to its hooks."""

    text: str
    facts: object
    output: str = ""
    code: int = 0
    lap: Lap | None = None
    notes: tuple[str, ...] = ()


class Line:
    """One command line: its global flags, and how its command is run and answers."""

    def __init__(self, words: Sequence[str]) -> None:
        self.as_json = False
        self.skip_hooks = False
        self.active = False
        self.root = False
        self.stint: str | None = None
        self.file: str | None = None
        self.asks_json = any(word in JSON_FLAGS for word in words)
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """Return the place around us; looked for when it is needed."""
        self._place = self._place or find_place()
        return self._place

    @property
    def store(self) -> Store:
        """Return the store of the place."""
        return Store(self.place)

    @property
    def who(self) -> Who:
        """Return who we are, now."""
        return Who(session(), datetime.now(UTC))

    @property
    def selection(self) -> Selection:
        """Return the queue that is meant."""
        given = [
            *([Selection()] if self.active else []),
            *([Selection(Kind.ROOT)] if self.root else []),
            *([Selection(Kind.STINT, self.stint)] if self.stint is not None else []),
            *([Selection(Kind.FILE, self.file)] if self.file is not None else []),
        ]
        if len(given) > 1:
            raise RefusedError("Only one of --file, --active, --root and --stint can be given.")
        return given[0] if given else Selection()

    def run(
        self,
        command: str,
        words: Sequence[str],
        look: Callable[[Lapbook], About],
        act: Callable[[], Answer],
    ) -> None:
        """Run a command between its hooks, and exit with its code.

        What it is about is looked up only for hooks; they never run under the lock.
        """
        runner = self._hooks(command)
        if not runner:
            self.write(answer := act())
            raise click.exceptions.Exit(answer.code)
        with self.store.reading() as book:
            about = look(book)
        file = str(self.place.folder / about.context.file)
        facts = Facts(command, file, about.context.scope, tuple(words), about.lap)
        code, output, lap = 0, "", about.lap
        try:
            runner.before(facts)
            self.write(answer := act())
            code, output, lap = answer.code, answer.output, answer.lap or about.lap
        except (MitteloError, OSError) as error:
            code = self.complain(told_of(error))
        runner.after(replace(facts, task=lap, exit_code=code, output=output))
        raise click.exceptions.Exit(code)

    def run_simple(self, command: str, words: Sequence[str], act: Callable[[], Answer]) -> None:
        """Run a command that is about no queue but root."""
        self.run(command, words, lambda book: About(book.root), act)

    def run_words(self, command: str, words: Sequence[str]) -> NoReturn:
        """Run a command that only hooks make; all of its words are theirs."""
        self.asks_json = self.as_json
        with self.store.reading() as book:
            file = file_named(book, self.file) if self.file else book.root.file
        facts = Facts(command, str(self.place.folder / file), "root", tuple(words), has_task=False)
        if runner := self._hooks(command):
            runner.before(facts)
            runner.after(replace(facts, exit_code=0))
        raise click.exceptions.Exit(0)

    @property
    def is_somewhere(self) -> bool:
        """Tell whether there is a place around us."""
        try:
            return bool(self.place)
        except StoreError:
            return False

    def is_hooked(self, command: str) -> bool:
        """Tell whether hooks make this a command."""
        if self.skip_hooks or not self.is_somewhere:
            return False
        return any(hook.command == command for hook in load_hooks(self.place.folder))

    def write(self, answer: Answer) -> None:
        """Write an answer to stdout, and its notes to stderr."""
        data = msgspec.json.encode(answer.facts).decode() + "\n" if self.as_json else answer.text
        _put(sys.stdout, data)
        for note in answer.notes:
            _put(sys.stderr, f"laps: {printable(note)}\n")

    def complain(self, error: MitteloError) -> int:
        """Tell of an error in one line, and return its exit code."""
        told = " ".join(printable(f"{error.what} {error.todo}").split())
        if self.as_json or self.asks_json:
            fact = {"error": _clean(told), "exitCode": error.exit_code}
            _put(sys.stderr, msgspec.json.encode(fact).decode() + "\n")
        else:
            _put(sys.stderr, f"laps: {told}\n")
        return error.exit_code

    def _hooks(self, command: str) -> "HookRunner | None":
        if self.skip_hooks:
            return None
        hooks = [hook for hook in load_hooks(self.place.folder) if hook.command == command]
        if not hooks:
            return None
        from mittelo.laps.hookrun import HookRunner

        return HookRunner(hooks, self.place.root, self._pass_back, _pass_on)

    def _pass_back(self, said: str) -> None:
        if not self.as_json:
            _put(sys.stdout, said)


def shown(text: str) -> str:
    """Return stored text as it can be shown: a terminal must not obey it."""
    return printable(text) if _is_terminal(sys.stdout) else text


def painted(text: str, **style: bool | str) -> str:
    """Return stored text as it can be shown, on a terminal in a style."""
    if not _is_terminal(sys.stdout):
        return text
    return click.style(printable(text), **style) if wants_colour() else printable(text)  # type: ignore[arg-type]


@lru_cache(1)
def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def told_of(error: MitteloError | OSError) -> MitteloError:
    """Return an error of the disk as one that is told of; a fault of ours flies."""
    if isinstance(error, MitteloError):
        return error
    if told := disk_trouble(error):
        return StoreError(told.what)
    raise error


def _pass_on(said: str) -> None:
    _put(sys.stderr, said)


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()


def _put(stream: TextIO | None, text: str) -> None:
    """Write text as UTF-8; `click.echo` would take colours out of what is stored.

    Whoever read it may have gone, which must not keep hooks from running.
    """
    if not text or stream is None:  # closed by whoever started us
        return
    with contextlib.suppress(BrokenPipeError):
        stream.flush()
        stream.buffer.write(text.encode(errors="surrogateescape"))
        stream.buffer.flush()
