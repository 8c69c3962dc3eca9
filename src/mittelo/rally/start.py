"""Start a relay, or go on with an unfinished one."""

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from mittelo.config.load import Configuration, load_configuration, retry_budget
from mittelo.config.paths import DataPaths, data_paths
from mittelo.core.mixes import split_mix
from mittelo.core.records import RelayRecord, TryRecord
from mittelo.core.relays import End, Ending, Relay, resume
from mittelo.core.routes import Lane
from mittelo.errors import MitteloError, UsageError
from mittelo.log import warn
from mittelo.rally.orders import Orders
from mittelo.rally.prompting import check_lane, check_task
from mittelo.rally.recovery import recover
from mittelo.rally.relaylog import RelayLog
from mittelo.rally.roster import BUILT_IN_MIX, build_lane
from mittelo.rally.runner import Runner
from mittelo.rally.setup import ignore_state
from mittelo.rally.trying import Ground, install_tools
from mittelo.rally.view import View, counted
from mittelo.repo.work import Work
from mittelo.repo.workspace import Workspace, now

FREE_ITERATIONS = 50


class Wish(Struct, frozen=True, kw_only=True):
    """What the command line asks for; None and empty mean that it does not say."""

    prompt: str = ""
    iterations: int | None = None
    agents: tuple[str, ...] = ()
    role: str = ""
    effort: str = ""
    new: bool = False
    resume: bool = False
    require_changes: bool | None = None


class Asker(Struct, frozen=True):
    """How the user is asked: each returns True for the first of its two answers."""

    resume: Callable[[RelayRecord], bool]
    keep_mix: Callable[[RelayRecord, str], bool]


def start_relay(workspace: Workspace, wish: Wish, asker: Asker, console: Console) -> End:
    """Run a relay in this workspace, alone, to its end."""
    workspace.require_init()
    configuration = load_configuration(workspace.paths)
    for note in configuration.notes:
        warn(note)
    check_task(wish.prompt, "The prompt")
    if wish.agents:
        build_lane(split_mix(wish.agents, "--agent"), configuration, wish.effort)
    data = data_paths(workspace.root, configuration.settings.data_dir)
    _make_folders(workspace, data)
    with workspace.relay_lock():
        for journal in workspace.journals:
            journal.mend()
        recover(workspace, configuration, data)
        old, over = _choose(workspace, wish, asker)
        relay = old or _created(workspace, wish, configuration)
        lane = build_lane(split_mix([relay.agent_mix], "The mix"), configuration, relay.effort)
        check_lane(relay.prompt, {e.runner.harness for e in lane.entries}, configuration)
        _close(workspace, over)
        ignore_state(workspace)
        tries = [made for made in workspace.tries.read() if made.relay_id == relay.id]
        return _run(workspace, configuration, data, relay, lane, tries, console)


def _run(
    workspace: Workspace,
    configuration: Configuration,
    data: DataPaths,
    relay: RelayRecord,
    lane: Lane,
    tries: list[TryRecord],
    console: Console,
) -> End:
    budget = retry_budget(configuration.settings)
    fresh = Relay(relay.target_iterations, budget, lane)
    log = RelayLog(data.relay_log(relay.id))
    log.say(f"relay {relay.id} target={relay.target_iterations} mix={relay.agent_mix}")
    orders, view = Orders(), View(console)
    with orders.listening():
        work = Work(workspace)
        ground = Ground(workspace, configuration, data, relay, work, log, view, orders)
        runner = Runner(ground, resume(fresh, tries), tries)
        _greet(view, workspace, relay, resumed=bool(tries))
        runner.save_relay()
        return runner.run()


def _greet(view: View, workspace: Workspace, relay: RelayRecord, *, resumed: bool) -> None:
    done = f"{relay.completed_iterations} of " if resumed else ""
    how = " done" if resumed else ""
    runs = counted(relay.target_iterations, "run")
    view.say(f"relay {relay.id}: {done}{runs}{how}, with {relay.agent_mix}")
    git = workspace.repository
    if not git:
        view.say("  not a git repository: nothing is committed, changes are not judged", "yellow")
    elif not git.branch():
        view.say("  HEAD is detached: the commits of this relay will be on no branch", "yellow")


def _mix_words(wish: Wish, configuration: Configuration) -> list[str]:
    if wish.agents:
        return split_mix(wish.agents, "--agent")
    if mix := configuration.settings.defaults.mix:
        return split_mix([mix], "[defaults].mix")
    return split_mix([BUILT_IN_MIX], "the built-in mix")


def _make_folders(workspace: Workspace, data: DataPaths) -> None:
    try:
        for folder in (data.tries, data.relays):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        install_tools(data)
        if data.base.is_relative_to(workspace.root):
            for folder in (data.tries.parent, data.relays.parent, data.tools):
                (folder / ".gitignore").write_text("*\n")
        writable = os.access(data.tries, os.W_OK)
    except OSError as error:
        raise _unwritable(data.base, error.strerror or "") from error
    if not writable:
        raise _unwritable(data.base, "Permission denied")


def _unwritable(base: Path, why: str) -> UsageError:
    return UsageError(
        f"The data directory {base} cannot be written: {why}.",
        "Make it writable, or set data_dir in .rally/config.toml.",
    )


def _choose(
    workspace: Workspace, wish: Wish, asker: Asker
) -> tuple[RelayRecord | None, list[RelayRecord]]:
    """Return the unfinished relay that is to go on, if any, and those that are over now."""
    held = workspace.relays.read()
    unfinished = [relay for relay in held if not relay.ended_at]
    open_ = [r for r in unfinished if r.completed_iterations < r.target_iterations]
    if wish.resume and not open_ and held and held[-1].ended_how == Ending.FAILED:
        open_ = held[-1:]
    if wish.resume and not open_ and not wish.prompt:
        raise UsageError(
            "There is no unfinished relay here.", 'Start one: rally start -i 3 "your task"'
        )
    if wish.new or not open_ or not (wish.resume or asker.resume(open_[-1])):
        return None, unfinished
    newest = open_[-1]
    return _renewed(newest, wish, asker), [r for r in unfinished if r is not newest]


def _renewed(relay: RelayRecord, wish: Wish, asker: Asker) -> RelayRecord:
    """Return a relay that goes on, with what the command line changes of it."""
    if wish.prompt and wish.prompt != relay.prompt:
        warn("the relay goes on with its own prompt; use --new to start with another one.")
    mix = " ".join(split_mix(wish.agents, "--agent")) if wish.agents else relay.agent_mix
    if mix != relay.agent_mix and (wish.resume or not asker.keep_mix(relay, mix)):
        relay.agent_mix = mix
    if wish.iterations is not None:
        if wish.iterations <= relay.completed_iterations:
            raise UsageError(
                f"Relay {relay.id} has done {relay.completed_iterations} runs already; "
                f"--iterations {wish.iterations} would leave nothing to do.",
                "Ask for more, or start anew with --new.",
            )
        relay.target_iterations = wish.iterations
    relay.effort = wish.effort or relay.effort
    relay.ended_at = relay.ended_how = relay.ended_why = ""
    return relay


def _close(workspace: Workspace, relays: list[RelayRecord]) -> None:
    """Write down that these relays are over: a newer one takes their place."""
    if not relays:
        return
    closed = {relay.id for relay in relays}
    with workspace.changing():
        held = workspace.relays.read()
        for relay in held:
            if relay.id in closed:
                relay.ended_at, relay.ended_how = now(), "replaced"
        workspace.relays.rewrite(held)


def _created(workspace: Workspace, wish: Wish, configuration: Configuration) -> RelayRecord:
    settings = configuration.settings
    target = wish.iterations if wish.iterations is not None else settings.defaults.iterations
    if wish.iterations is None and target <= 0:
        target = FREE_ITERATIONS
        warn(f"no --iterations given: the relay makes up to {target} runs.")
    required = wish.require_changes
    return RelayRecord(
        id=_next_relay(workspace),
        target_iterations=target,
        completed_iterations=0,
        agent_mix=" ".join(_mix_words(wish, configuration)),
        prompt=wish.prompt,
        role=wish.role,
        effort=wish.effort,
        require_changes=settings.free_run.require_changes if required is None else required,
        started_at=now(),
    )


def _next_relay(workspace: Workspace) -> int:
    """Return a number that no relay had, not even one whose record was lost."""
    known = [relay.id for relay in workspace.relays.read()]
    return 1 + max([*known, *(made.relay_id for made in workspace.tries.read())], default=0)


def failure(end: End) -> MitteloError:
    """Return the error that a failed relay ends its command with."""
    return MitteloError(f"relay failed: {end.why}.", "See: rally status, rally tail")
