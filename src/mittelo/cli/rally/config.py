"""`rally config`: look at the settings, and change them."""

import sys

import click

from mittelo.cli.output import say, show_json
from mittelo.errors import MitteloError, UsageError

REPO = click.option("--repo", is_flag=True, help="The repository's file, not your own.")


@click.group("config", invoke_without_command=True)
@REPO
@click.pass_context
def command(context: click.Context, repo: bool) -> None:
    """Change settings in a form; the commands below do the same from scripts.

    Your own settings stand in $XDG_CONFIG_HOME/rally/config.toml, those of a repository in
    .rally/config.toml, which wins. RALLY_<SECTION>_<KEY> in the environment wins over both.
    """
    if context.invoked_subcommand:
        return
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise UsageError(
            "The form needs a terminal.", "Use: rally config set KEY VALUE, or: rally config edit"
        )
    from mittelo.config.edit import file_for
    from mittelo.repo.workspace import find_workspace
    from mittelo.tui.settings import edit_settings

    paths = find_workspace().paths
    edit_settings(paths, file_for(paths, repo=repo))


@command.command("show")
@click.argument("key", default="")
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
def show(key: str, origin: bool, as_json: bool) -> None:
    """Show all settings in force, or those below KEY."""
    from mittelo.config.layers import parse_key
    from mittelo.config.listing import list_settings
    from mittelo.config.load import load_configuration
    from mittelo.config.shapes import require_setting
    from mittelo.repo.workspace import find_workspace

    configuration = load_configuration(find_workspace().paths)
    if key:
        require_setting(parse_key(key))
    settings = [*list_settings(configuration, parse_key(key) if key else ())]
    if as_json:
        return show_json(settings)
    width = max((len(str(setting)) for setting in settings), default=0)
    for setting in settings:
        say(f"{setting!s:<{min(width, 60)}}  # {setting.origin}" if origin else str(setting))
    for finding in configuration.findings:
        click.echo(f"warning: {finding}", err=True)
    return None


@command.command("get")
@click.argument("key")
def get(key: str) -> None:
    """Print one value; a list as TOML, text as it is. Exit code 1 when it is not set."""
    from mittelo.config.edit import as_spelled
    from mittelo.config.layers import parse_key
    from mittelo.config.listing import as_toml, list_settings
    from mittelo.config.load import load_configuration
    from mittelo.config.shapes import require_setting
    from mittelo.repo.workspace import find_workspace

    path = parse_key(key)
    require_setting(path)
    paths = find_workspace().paths
    configuration = load_configuration(paths)
    configuration.warn_of_version()
    path = as_spelled(paths, None, path)
    found = [*list_settings(configuration, path)]
    for finding in configuration.findings:
        if finding.key[: len(path)] == path:
            click.echo(f"warning: {finding}", err=True)
    if not found:
        raise MitteloError(f"{key} is not set.")
    for setting in found:
        if len(found) > 1:
            say(str(setting))
        else:
            say(setting.value if isinstance(setting.value, str) else as_toml(setting.value))


@command.command("set")
@click.argument("key")
@click.argument("value")
@REPO
def set_(key: str, value: str, repo: bool) -> None:
    """Set KEY to VALUE; a list is given with commas: "cc, cx:2".

    Comments and keys that rally does not know stay as they are.
    """
    from mittelo.config.edit import as_spelled, file_for, set_value
    from mittelo.config.findings import dotted
    from mittelo.config.layers import origin_of, parse_key
    from mittelo.config.listing import as_toml
    from mittelo.config.load import load_configuration
    from mittelo.repo.workspace import find_workspace

    paths = find_workspace().paths
    file = file_for(paths, repo=repo)
    path = as_spelled(paths, file, parse_key(key))
    made = set_value(paths, file, path, value)
    say(f"{dotted(path)} = {as_toml(made)} in {file}")
    configuration = load_configuration(paths)
    configuration.warn_of_version()
    source = origin_of(path, configuration.origins)
    if source and source.path != str(file):
        click.echo(f"warning: {source.where(path)} is laid over it and wins.", err=True)


@command.command("unset")
@click.argument("key")
@REPO
def unset(key: str, repo: bool) -> None:
    """Remove KEY, so that the next layer or the built-in value counts."""
    from mittelo.config.edit import as_spelled, file_for, unset_value
    from mittelo.config.layers import parse_key
    from mittelo.config.load import load_configuration
    from mittelo.repo.workspace import find_workspace

    paths = find_workspace().paths
    file = file_for(paths, repo=repo)
    before = {finding.what for finding in load_configuration(paths).findings}
    if not unset_value(file, as_spelled(paths, file, parse_key(key))):
        raise MitteloError(f"{key} is not set in {file}.")
    say(f"removed {key} from {file}")
    for finding in load_configuration(paths).findings:
        if finding.what not in before:
            click.echo(f"warning: {finding}", err=True)


@command.command("edit")
@REPO
def edit(repo: bool) -> None:
    """Open the file in your editor, then say what is wrong in it."""
    from mittelo.cli.editing import open_editor
    from mittelo.config.edit import file_for
    from mittelo.config.load import load_configuration
    from mittelo.repo.workspace import find_workspace

    paths = find_workspace().paths
    file = file_for(paths, repo=repo)
    file.parent.mkdir(parents=True, exist_ok=True)
    open_editor(file)
    for finding in load_configuration(paths).findings:
        click.echo(f"{finding.gravity}: {finding}", err=True)
