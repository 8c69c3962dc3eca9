"""`rally hooks`: the hooks by which `laps` reaches the relay."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.output import say

if TYPE_CHECKING:
    from mittelo.rally.progress import Progress
    from mittelo.repo.workspace import Workspace

HELP = """\
A relay that works a queue hears of it by three hooks of laps, in .laps/hooks.json:

  laps done      after it, rally records which lap the agent finished, and tells it to wrap up
  laps handoff   rally records that the agent hands its lap off
  laps wrapup    rally records what the run did; follow-ups of a handoff become laps

Each runs a script in .laps/hooks/rally/. Entries that begin with "rally:" and these scripts are
brought back at the start of each relay that works a queue; hooks of your own stay as they are, and
run before them. What ran is in .rally/state/hook-audit.jsonl; rally hooks logs shows it."""
HANDOFF_HELP = """\
Usage: laps handoff

  Tell the relay that you hand your lap off; then say where things stand with laps wrapup."""
WORDS = click.argument("words", nargs=-1, type=click.UNPROCESSED)


@click.group("hooks")
def command() -> None:
    """Look at the hooks by which `laps` reaches the relay."""


@command.command("list")
def list_() -> None:
    """Show all hooks of this repository's queue, in the order in which they run."""
    from mittelo.laps.place import find_place
    from mittelo.rally.hooks import list_hooks
    from mittelo.repo.workspace import find_workspace

    hooks = [*list_hooks(find_place(find_workspace().root).folder)]
    if not hooks:
        say("there are no hooks here")
    for hook in hooks:
        say(f"{hook.title or '(untitled)'} ({hook.owner})")
        if hook.description:
            say(f"  {hook.description}")
        say(f"  {hook.when} laps {hook.command}: {hook.run}")


@command.command("logs")
@click.option("-n", "--tail", "count", default=20, show_default=True, help="So many; 0: all.")
def logs(count: int) -> None:
    """Show which hooks ran."""
    from mittelo.repo.workspace import find_workspace

    path = find_workspace().paths.hook_audit
    if not path.exists():
        say("no hook has run here yet")
        return
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    for line in lines[-count:] if count > 0 else lines:
        say(line)


@command.command("help")
def help_() -> None:
    """Explain the hooks."""
    say(HELP)


@command.group("run", hidden=True)
def run() -> None:
    """Do what a hook does; the scripts of the hooks call this."""


@run.command("done")
@click.argument("lap", default="")
def done(lap: str) -> None:
    """Record that a lap is done."""
    from mittelo.rally.lapshooks import hear_done

    _say(hear_done(_workspace(), lap))


@run.command("handoff")
@WORDS
def handoff(words: tuple[str, ...]) -> None:
    """Record that a lap is handed off."""
    from mittelo.rally.lapshooks import hear_handoff

    if {"-h", "--help"} & {*words}:
        say(HANDOFF_HELP)
        return
    _say(hear_handoff(_workspace(), words))


@run.command("wrapup")
@WORDS
def wrapup(words: tuple[str, ...]) -> None:
    """Record what a run did."""
    from mittelo.rally.lapmaking import lap_maker
    from mittelo.rally.lapshooks import hear_wrapup
    from mittelo.rally.progress import Progress

    given = _parse.main([*words], prog_name="laps wrapup", standalone_mode=False)
    if not isinstance(given, Progress):  # only help was asked for
        return
    workspace = _workspace()
    _say(hear_wrapup(workspace, words, given, lap_maker(workspace)))


@click.command("wrapup", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--summary", default="", help="What was done, or where things stand.")
@click.option("--followup", "followups", multiple=True, help="A next step; may be repeated.")
@click.option("--classification", default="", help="What a recovery run found.")
def _parse(summary: str, followups: tuple[str, ...], classification: str) -> "Progress":
    """Record what the run did. After `laps handoff`, follow-ups become laps."""
    from mittelo.cli.rally.progress import clean
    from mittelo.rally.progress import Progress

    return Progress(
        summary=clean(summary),
        followups=[clean(text) for text in followups if text.strip()],
        classification=clean(classification),
    )


def _workspace() -> "Workspace":
    from mittelo.repo.workspace import agents_workspace

    return agents_workspace()


def _say(text: str) -> None:
    if text:
        say(text)
