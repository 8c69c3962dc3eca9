"""`rally start`: run a relay."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mittelo.cli.policies import keeps_to_policy
from mittelo.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from mittelo.core.records import RelayRecord
    from mittelo.rally.start import Asker


@click.command("start")
@click.argument("prompt", nargs=-1)
@click.option("-i", "--iterations", type=click.IntRange(min=0), help="Runs that must succeed.")
@click.option(
    *("-a", "--agent", "-m", "--mix", "agents"),
    multiple=True,
    help='Who runs, in turn: "cc", "cc:2 cx", "op:provider/model".',
)
@click.option("--new", is_flag=True, help="Close an unfinished relay and start a new one.")
@click.option("--resume", is_flag=True, help="Go on with the unfinished relay, without asking.")
@click.option(
    "--prompt-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the prompt from a file.",
)
@click.option("--role", default="", help="The role whose text is part of the prompt.")
@click.option("--effort", default="", help="Reasoning effort, as the agent's CLI names it.")
@click.option(
    "--require-changes/--allow-no-changes",
    default=None,
    help="Whether a run that changes nothing has failed (it has, unless configured).",
)
@click.option(
    "--laps/--no-laps", default=True, help="Work the laps of .laps, where there are some."
)
@keeps_to_policy
@click.option("--explain", is_flag=True, help="Say what runs may do and what is started, no more.")
def command(
    prompt: tuple[str, ...],
    iterations: int | None,
    agents: tuple[str, ...],
    new: bool,
    resume: bool,
    prompt_file: Path | None,
    role: str,
    effort: str,
    require_changes: bool | None,
    laps: bool,
    policy: str | None,
    sandbox: bool | None,
    explain: bool,
) -> None:
    """Run a relay: one agent after another works on PROMPT, each run ends in a commit.

    PROMPT "-" is read from stdin. Without one, the task comes from the configuration. Where the
    repository has a queue (.laps/laps.json), each run works its next lap, until none is left.
    `rally relay` is the same command.
    """
    if new and resume:
        raise UsageError("--new and --resume exclude each other.", "Give one of them.")
    from mittelo.cli.output import console, say
    from mittelo.core.relays import Ending
    from mittelo.core.tries import Stop
    from mittelo.rally.foretelling import explained
    from mittelo.rally.start import Wish, failure, start_relay
    from mittelo.repo.workspace import find_workspace

    text = _prompt(prompt, prompt_file)
    if (prompt or prompt_file) and not text.strip():
        raise UsageError("The prompt is empty.", "Say what is to be done.")
    wish = Wish(
        prompt=text,
        iterations=iterations,
        agents=agents,
        role=role,
        effort=effort,
        new=new,
        resume=resume,
        require_changes=require_changes,
        laps=laps,
        policy=policy or "",
        sandbox=sandbox,
    )
    if explain:
        say(explained(find_workspace(), wish))
        return
    end = start_relay(find_workspace(), wish, _asker(reads_stdin=prompt == ("-",)), console())
    if end.how is Ending.FAILED:
        raise failure(end)
    if end.how is Ending.STOPPED and end.why != Stop.GRACEFUL_STOP:
        raise Interrupted


def _prompt(words: tuple[str, ...], file: Path | None) -> str:
    if words and file:
        raise UsageError("There are two prompts: words and --prompt-file.", "Give one of them.")
    if file:
        return _decode(file.read_bytes(), str(file))
    if words == ("-",):
        return _decode(sys.stdin.buffer.read(), "stdin")
    return " ".join(words)


def _decode(raw: bytes, source: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The prompt from {source} is not valid UTF-8 at byte {error.start}.",
            "Save it as UTF-8, then try again.",
        ) from error


def _asker(*, reads_stdin: bool) -> "Asker":
    from mittelo.rally.roster import shown_mix
    from mittelo.rally.start import Asker

    def resume(relay: "RelayRecord") -> bool:
        if reads_stdin:
            raise UsageError(
                f"Relay {relay.id} is unfinished, and stdin holds the prompt.",
                "Say --resume or --new.",
            )
        done = f"{relay.completed_iterations}/{relay.target_iterations}"
        mix = shown_mix(relay.agent_mix)
        title = f"Unfinished relay #{relay.id} at iteration {done} (mix: {mix})"
        return _choose(title, "resume", "new")

    def keep_mix(relay: "RelayRecord", mix: str) -> bool:
        kept, asked = shown_mix(relay.agent_mix), shown_mix(mix)
        return _choose(f"Its mix is {kept}; you asked for {asked}", "keep", "overwrite")

    def go_on(why: str) -> bool:
        return not reads_stdin and _agrees(f"{why} Continue anyway?")

    return Asker(resume, keep_mix, go_on)


def _agrees(question: str) -> bool:
    """Ask for yes or no; no answer means no."""
    click.echo(f"{question} [y/N]: ", err=True, nl=False)
    answer = sys.stdin.readline().strip().lower()
    if not sys.stdin.isatty():
        click.echo(answer or "no", err=True)
    return answer in {"y", "yes"}


def _choose(title: str, first: str, second: str) -> bool:
    """Ask for one of two words, or their first letters; no answer means the first."""
    click.echo(f"{title} [{first}/{second}]: ", err=True, nl=False)
    answer = sys.stdin.readline().strip().lower()
    if not sys.stdin.isatty():
        click.echo(answer or first, err=True)
    for word in (first, second):
        if answer and word.startswith(answer):
            return word == first
    if answer:
        raise UsageError(f"{answer!r} is no answer.", f"Answer {first} or {second}.")
    return True
