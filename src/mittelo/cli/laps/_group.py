"""The commands of laps: its own, and those that hooks make."""

import sys
from typing import Any

import click
from typing_extensions import override

from mittelo.cli.group import Commands
from mittelo.cli.laps._line import Line, told_of
from mittelo.cli.laps._options import global_options
from mittelo.errors import MitteloError
from mittelo.laps.refusals import RefusedError

WORDS = """The work queue of this repository.

A word that .laps/hooks.json names is a command too.
"""
WITH_UNDO = {"claim", "done"}


class Laps(Commands):
    """The group of all commands."""

    def __init__(self) -> None:
        super().__init__(
            "laps", "mittelo.cli.laps", WORDS, {"ls": "list", "st": "stints", "tui": "board"}
        )
        self.line = Line(sys.argv[1:])
        self.params = global_options()
        self.context_settings["obj"] = self.line

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        hidden = {"claim-undo", "done-undo"}
        found = super().list_commands(ctx)
        return [name for name in found if name[0] != "-" and name not in hidden]

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "help":
            return _Help("help", help="Show help, also of a command.")
        return None if cmd_name[:1] in {"-", "_"} else super().get_command(ctx, cmd_name)

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _plain(args, until_word=True))

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word, rest = args[0], args[1:]
        if word in WITH_UNDO and (at := _first_word(rest)) is not None and rest[at] == "undo":
            word, rest = f"{word}-undo", rest[:at] + rest[at + 1 :]
        if command := self.get_command(ctx, word):
            return word, command, _plain(rest)
        if self.line.is_hooked(word):
            return word, _Words(word), rest
        import difflib

        near = difflib.get_close_matches(word, [*self.list_commands(ctx), "ls", "st"], n=1)
        todo = f"Did you mean {near[0]!r}?" if near else "See: laps help"
        raise RefusedError(f"unknown command {word!r}.", todo)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            raise told_of(error) from error

    def complain(self, _command: click.Command, error: MitteloError) -> int:
        """Tell of an error, and return its exit code."""
        return self.line.complain(error)

    def misused(self, _command: click.Command, error: click.ClickException) -> int:
        """Tell of a mistake on the command line, and return its exit code."""
        return self.line.complain(RefusedError(error.format_message()))


class _Words(click.Command):
    """A command that hooks make: it reads none of its words itself."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = args
        return args

    @override
    def invoke(self, ctx: click.Context) -> Any:
        line = ctx.find_object(Line)
        return line and line.run_words(str(self.name), ctx.args)


class _Help(_Words):
    """Help on everything, or on one command."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        above = ctx.parent or ctx
        named = None
        if ctx.args and isinstance(above.command, Laps):
            named = above.command.get_command(above, ctx.args[0])
        about = click.Context(named, above, named.name) if named else above
        click.echo(about.get_help())


def _plain(args: list[str], *, until_word: bool = False) -> list[str]:
    """Return arguments with the other spelling of `--json-output` replaced."""
    end = _first_word(args) if until_word else None
    end = len(args) if end is None else end
    return ["--json-output" if a == "--json-output=true" else a for a in args[:end]] + args[end:]


def _first_word(args: list[str]) -> int | None:
    """Return where the first word stands that is neither an option nor the value of one."""
    at = 0
    while at < len(args):
        if args[at] in {"-f", "--file"}:
            at += 1
        elif not args[at].startswith("-"):
            return at
        at += 1
    return None
