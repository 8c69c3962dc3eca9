"""Options that many commands of laps share, and what makes a command."""

from collections.abc import Callable
from typing import Any

import click
from typing_extensions import override

from mittelo.cli.laps._line import Answer, Line
from mittelo.version import version


class Name(click.ParamType[str]):
    """A name, which may be joined to its short option with an equals sign."""

    name = "name"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value).removeprefix("=")


class Number(click.types.IntParamType):
    """A whole number, which may be joined in the same way."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        plain: Any = value.removeprefix("=") if isinstance(value, str) else value
        return int(super().convert(plain, param, ctx))


def global_options(*, json_alias: bool = True) -> list[click.Parameter]:
    """Return the options that every command has."""
    data = ["--json-output", *(["--json"] if json_alias else []), "as_json"]
    return [
        _option("-f", "--file", kind=Name(), help="A task file below .laps."),
        _option(*data, help="Answer as data."),
        _option("--skip-hooks", help="Run no hooks."),
        click.Option(
            ["-v", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_say_version,
            help="Show the version and exit.",
        ),
    ]


def scope_options() -> list[click.Parameter]:
    """Return the options that choose a queue."""
    return [
        _option("-c", "--active", help="The queue that is worked."),
        _option("-r", "--root", help="The root queue."),
        _option("-s", "--stint", kind=Name(), help="The queue of a stint."),
    ]


def laps_command(
    name: str, *, scoped: bool = False, json_alias: bool = True, hidden: bool = False
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function, which is given the `Line`, a command with the shared options."""

    def make(function: Callable[..., None]) -> click.Command:
        command = click.command(name, hidden=hidden)(click.pass_obj(function))
        command.params += scope_options() if scoped else []
        command.params += global_options(json_alias=json_alias)
        return command

    return make


def _option(
    *names: str,
    kind: click.ParamType[str] | None = None,
    help: str,  # noqa: A002 - click's word
) -> click.Option:
    """Return an option with a value of a kind, or a flag."""
    return click.Option(
        [*names],
        type=kind,
        is_flag=kind is None,
        help=help,
        expose_value=False,
        callback=_keep,
    )


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    """Keep what is given for the whole line, wherever on it that is."""
    if value not in {None, False}:
        setattr(context.find_object(Line), str(option.name), value)


def _say_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    line = context.find_object(Line)
    if asked and line:
        line.as_json = line.as_json or line.asks_json
        line.write(version_answer())
        context.exit()


def version_answer() -> Answer:
    """Return the version as an answer."""
    return Answer(f"{version()}\n", {"version": version()})
