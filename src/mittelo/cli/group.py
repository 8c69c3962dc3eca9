"""A click group whose commands are modules of a package, imported when they are named."""

import importlib

import click
from typing_extensions import override


class Commands(click.Group):
    """The commands in `package`; other names for some of them in `aliases`."""

    def __init__(self, name: str, package: str, words: str, aliases: dict[str, str]) -> None:
        settings = {"help_option_names": ["-h", "--help"]}
        super().__init__(name, help=words, context_settings=settings, no_args_is_help=False)
        self._package = package
        self._aliases = aliases
        self.invoke_without_command = True
        self.callback = _show_help
        self.params.append(
            click.Option(
                ["-v", "--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_version,
                help="Show the version and exit.",
            )
        )

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        import pkgutil

        package = importlib.import_module(self._package)
        found = [module.name for module in pkgutil.iter_modules(package.__path__)]
        return sorted(name.replace("_", "-") for name in found)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "help":
            return click.Command("help", callback=lambda: click.echo(ctx.get_help()))
        word = self._aliases.get(cmd_name, cmd_name).replace("-", "_")
        if not word.isidentifier():
            return None
        module = f"{self._package}.{word}"
        try:
            command = importlib.import_module(module).command
        except ModuleNotFoundError as error:
            if error.name == module:
                return None
            raise
        return command if isinstance(command, click.Command) else None

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            known = self.list_commands(ctx)
            near = [name for name in known if name.startswith(args[0])]
            near += difflib.get_close_matches(args[0], known, n=1)
            if not near:
                raise
            words = f"{error.message} Did you mean {near[0]!r}?"
            raise click.UsageError(words, ctx) from error


@click.pass_context
def _show_help(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _show_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        from mittelo.version import version

        click.echo(f"{context.info_name} {version()}")
        context.exit()
