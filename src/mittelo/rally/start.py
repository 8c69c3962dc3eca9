"""Start a relay, or go on with an unfinished one."""

import sys
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from mittelo.config.findings import Gravity
from mittelo.config.limits import budgets, retry_budget, timeouts
from mittelo.config.load import Configuration, load_configuration
from mittelo.config.paths import DataPaths, data_paths
from mittelo.core.budgets import Amount, Balance, Scope
from mittelo.core.claims import HOLD_SECONDS
from mittelo.core.notices import Happening
from mittelo.core.policies import Policy
from mittelo.core.records import RelayRecord, TryRecord
from mittelo.core.relays import End, Ending, Relay
from mittelo.core.resuming import resume
from mittelo.errors import MitteloError, UsageError
from mittelo.log import warn
from mittelo.rally.datafolders import make_folders
from mittelo.rally.desk import Desk, find_desk, session_name
from mittelo.rally.hooks import install_hooks
from mittelo.rally.keyboard import Keyboard
from mittelo.rally.lanes import harnesses_of, ready_lanes, relay_lanes
from mittelo.rally.mailbox import Mailbox
from mittelo.rally.notifying import Notifier
from mittelo.rally.orders import Orders
from mittelo.rally.permitting import (
    confine,
    distrust,
    permit_for,
    remember,
    require_apart,
    require_permit,
    tighten,
    wished,
)
from mittelo.rally.prompting import check_lane, check_task
from mittelo.rally.purse import Purse
from mittelo.rally.recovery import recover
from mittelo.rally.relaylog import RelayLog
from mittelo.rally.roles import require_role
from mittelo.rally.rolesetup import update_roles
from mittelo.rally.roster import (
    Wanted,
    lane_of,
    shown_mix,
    stored_mix,
)
from mittelo.rally.runner import Runner
from mittelo.rally.setup import ignore_state
from mittelo.rally.standing import call_everybody_back
from mittelo.rally.trying import Ground
from mittelo.rally.unfinished import resumable, unfinished
from mittelo.rally.view import View, counted
from mittelo.repo.work import Work
from mittelo.repo.workspace import Workspace, now
from mittelo.sandbox.bubblewrap import require_bubblewrap
from mittelo.sandbox.permits import Permit

FREE_ITERATIONS = 50
UNTIL_EMPTY = 10_000
SPARE_SECONDS = 3600.0
"""A claim holds so much longer than a run may take."""


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
    laps: bool = True
    policy: str = ""
    sandbox: bool | None = None


class World(Struct, frozen=True):
    """What a relay runs in, and the queue that it works, if any."""

    workspace: Workspace
    configuration: Configuration
    data: DataPaths
    relay: RelayRecord
    permit: Permit
    desk: Desk | None


class Asker(Struct, frozen=True):
    """How the user is asked: each returns True for the first of its two answers."""

    resume: Callable[[RelayRecord], bool]
    keep_mix: Callable[[RelayRecord, str], bool]
    go_on: Callable[[str], bool]


def start_relay(workspace: Workspace, wish: Wish, asker: Asker, console: Console) -> End:
    """Run a relay in this workspace, alone, to its end."""
    workspace.require_init()
    configuration = load_configuration(workspace.paths)
    configuration.require_sound(lanes=False)
    for note in configuration.of(Gravity.NOTE):
        warn(str(note))
    check_task(wish.prompt, "The prompt")
    if wish.agents:
        lane_of(stored_mix(wish.agents, configuration), configuration, Wanted(wish.role))
    data = data_paths(workspace.root, configuration.settings.data_dir)
    make_folders(workspace.root, data)
    with workspace.relay_lock():
        for journal in workspace.journals:
            journal.mend()
        _confine_as_before(workspace, configuration, data)
        recover(workspace, configuration, data)
        for word in update_roles(workspace):
            warn(word)
        _close_finished(workspace)
        old, over = _choose(workspace, wish, asker, configuration)
        if wish.role:
            require_role(workspace.paths.agents, wish.role, configuration.settings.routes)
        if old is None and (wish.new or over):
            call_everybody_back(workspace)
        if old:
            _hold_to_permit(old, wish, data)
        relay = old or new_relay(workspace, wish, configuration)
        desk = _desk(workspace, relay, data, configuration)
        lane, others = relay_lanes(relay, configuration, asker.go_on)
        benches = ready_lanes(lane, others, configuration)
        names = harnesses_of(lane, others)
        check_lane(relay.prompt, names, configuration)
        permit = permit_for(relay, configuration.settings.sandbox)
        require_permit(permit, names, configuration, workspace, queue=relay.queue)
        require_apart(permit, workspace, data)
        confine(workspace, permit, data)
        remember(relay, data)
        if permit.sandboxed:
            distrust(workspace.root)
        _close(workspace, over)
        ignore_state(workspace)
        if desk and install_hooks(workspace, desk.place.folder):
            hooks = desk.place.folder / "hooks.json"
            console.print(f"Installed rally hooks in {hooks}", soft_wrap=True)
        tries = [made for made in workspace.tries.read() if made.relay_id == relay.id]
        budget = retry_budget(configuration.settings.reliability)
        fresh = Relay(
            relay.target_iterations,
            budget,
            lane,
            benches=benches,
            queue=desk is not None,
            others=others,
        )
        world = World(workspace, configuration, data, relay, permit, desk)
        state = resume(fresh, tries)  # which does not know of laps that were found done
        state = replace(state, done=max(state.done, relay.completed_iterations))
        return _run(world, state, tries, console)


def _desk(
    workspace: Workspace, relay: RelayRecord, data: DataPaths, configuration: Configuration
) -> Desk | None:
    """Return the queue that a relay works; its session is the same whenever it is resumed."""
    if not relay.queue:
        return None
    allowed, _ = timeouts(configuration.settings.reliability)
    hold = max(HOLD_SECONDS, allowed.run + allowed.handoff + SPARE_SECONDS)
    desk = find_desk(workspace.root, session_name(data.key), hold)
    if desk is None:
        raise MitteloError(
            f"Relay {relay.id} works a queue, and there is no .laps/laps.json any more.",
            "Bring it back (git checkout .laps/laps.json, laps doctor), or start with --new.",
        )
    return desk


def _run(world: World, state: Relay, tries: list[TryRecord], console: Console) -> End:
    workspace, relay, settings = world.workspace, world.relay, world.configuration.settings
    log = RelayLog(world.data.relay_log(relay.id))
    log.say(f"relay {relay.id} target={relay.target_iterations} mix={relay.agent_mix}")
    orders = Orders()
    keyboard = Keyboard(orders, sys.stdin if console.is_terminal else None)
    view = View(console, keyboard)
    mail = Mailbox(workspace).delivering(workspace.holder(), orders)
    limits = budgets(settings.budget)
    counted = tries if limits[Scope.DAY] == Amount() else workspace.tries.read()
    purse = Purse(limits, counted, relay.id)
    notifier = Notifier(settings.notify, workspace, relay, log)
    with notifier.lasting(), orders.listening(), mail, keyboard.reading():
        ground = Ground(
            workspace=workspace,
            configuration=world.configuration,
            data=world.data,
            relay=relay,
            work=Work(workspace, world.data),
            log=log,
            view=view,
            orders=orders,
            purse=purse,
            notifier=notifier,
            permit=world.permit,
            desk=world.desk,
        )
        runner = Runner(ground, state, tries)
        _greet(view, workspace, relay, world.desk, resumed=bool(tries))
        _tell_of_permit(view, world.permit)
        runner.save_relay()
        try:
            end = runner.run()
        except Exception as error:
            notifier.tell(Happening.FAILED, f"the relay broke off: {error}", Amount())
            raise
    if purse.stopped_by:
        raise _out_of_budget(end, purse.stopped_by)
    return replace(end, why=orders.stop) if orders.stop and end.how is Ending.STOPPED else end


def _out_of_budget(end: End, budget: Balance) -> MitteloError:
    raised = f"raise {budget.setting} (rally config)"
    todo = f"wait until tomorrow, or {raised}" if budget.scope is Scope.DAY else raised
    return MitteloError(
        f"relay stopped: {end.why}.",
        f"{todo[0].upper()}{todo[1:]}, then go on with: rally start --resume",
    )


def _greet(
    view: View, workspace: Workspace, relay: RelayRecord, desk: Desk | None, *, resumed: bool
) -> None:
    done = f"{relay.completed_iterations} of " if resumed else ""
    how = " done" if resumed else ""
    runs = counted(relay.target_iterations, "run")
    if desk and relay.target_iterations >= UNTIL_EMPTY:
        runs, done, how = "until the queue is empty", "", ""
    view.say(f"relay {relay.id}: {done}{runs}{how}, with {shown_mix(relay.agent_mix)}")
    if desk:
        count = desk.count()
        view.say(f"  {counted(count.total - count.done, 'lap')} to do, {count.done} done", "dim")
    git = workspace.repository
    if not git:
        view.say("  not a git repository: nothing is committed, changes are not judged", "yellow")
    elif not git.branch():
        view.say("  HEAD is detached: the commits of this relay will be on no branch", "yellow")


def _hold_to_permit(relay: RelayRecord, wish: Wish, data: DataPaths) -> None:
    """Let a relay that goes on do what it was started with, or what the user says now."""
    tighten(relay, data)
    relay.policy = wish.policy or relay.policy
    relay.sandboxed = relay.sandboxed if wish.sandbox is None else wish.sandbox
    if relay.sandboxed and relay.policy == Policy.FULL:
        raise UsageError(
            f"Relay {relay.id} is sandboxed; with the policy full there is nothing to keep it to.",
            "Give another policy, or --no-sandbox.",
        )


def _confine_as_before(workspace: Workspace, configuration: Configuration, data: DataPaths) -> None:
    """Look at what the last relay left as it was made: in a sandbox, if that was in one."""
    if relays := workspace.relays.read():
        tighten(relays[-1], data)
        permit = permit_for(relays[-1], configuration.settings.sandbox)
        if permit.sandboxed and not relays[-1].ended_at:
            require_bubblewrap(workspace.root)
            confine(workspace, permit, data)


def _tell_of_permit(view: View, permit: Permit) -> None:
    if permit.sandboxed:
        view.say(f"  policy {permit.policy}, in a sandbox", "dim")
    elif permit.asked:
        view.say(f"  policy {permit.policy}", "dim")


def _choose(
    workspace: Workspace, wish: Wish, asker: Asker, configuration: Configuration
) -> tuple[RelayRecord | None, list[RelayRecord]]:
    """Return the unfinished relay that is to go on, if any, and those that are over now."""
    held = workspace.relays.read()
    over = [relay for relay in held if not relay.ended_at]
    newest = resumable(held) if wish.resume else next(reversed(unfinished(held)), None)
    if wish.resume and newest is None and not wish.prompt:
        raise UsageError(
            "There is no unfinished relay here.", 'Start one: rally start -i 3 "your task"'
        )
    if wish.new or newest is None or not (wish.resume or asker.resume(newest)):
        return None, over
    renewed = _renewed(newest, wish, asker, configuration)
    return renewed, [relay for relay in over if relay is not newest]


def _renewed(
    relay: RelayRecord, wish: Wish, asker: Asker, configuration: Configuration
) -> RelayRecord:
    """Return a relay that goes on, with what the command line changes of it."""
    if wish.prompt and wish.prompt != relay.prompt:
        warn("the relay goes on with its own prompt; use --new to start with another one.")
    mix = stored_mix(wish.agents, configuration) if wish.agents else relay.agent_mix
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


def _close_finished(workspace: Workspace) -> None:
    """Put down as complete what reached its target just before its rally was killed."""
    with workspace.changing():
        held = workspace.relays.read()
        done = [r for r in held if not r.ended_at and r.completed_iterations >= r.target_iterations]
        for relay in done:
            relay.ended_at, relay.ended_how = now(), Ending.COMPLETE
        if done:
            workspace.relays.rewrite(held)


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


def new_relay(workspace: Workspace, wish: Wish, configuration: Configuration) -> RelayRecord:
    """Return the record of a relay as it is wished for; it is not written down yet."""
    settings = configuration.settings
    queue = wish.laps and find_desk(workspace.root, "") is not None
    target = wish.iterations if wish.iterations is not None else settings.defaults.iterations
    if wish.iterations is None and target <= 0:
        target = UNTIL_EMPTY if queue else FREE_ITERATIONS
        if not queue:
            warn(f"no --iterations given: the relay makes up to {target} runs.")
    if queue and wish.prompt:
        warn("the runs work the laps of .laps; your prompt goes with each (--no-laps: instead).")
    permit = wished(settings.sandbox, wish.policy, sandbox=wish.sandbox)
    required = wish.require_changes if permit.writes else False
    return RelayRecord(
        id=_next_relay(workspace),
        target_iterations=target,
        completed_iterations=0,
        agent_mix=stored_mix(wish.agents, configuration),
        prompt=wish.prompt,
        role=wish.role,
        effort=wish.effort,
        require_changes=settings.free_run.require_changes if required is None else required,
        queue=queue,
        policy=permit.policy if permit.asked else "",
        sandboxed=permit.sandboxed,
        started_at=now(),
    )


def _next_relay(workspace: Workspace) -> int:
    """Return a number that no relay had, not even one whose record was lost."""
    known = [relay.id for relay in workspace.relays.read()]
    return 1 + max([*known, *(made.relay_id for made in workspace.tries.read())], default=0)


def failure(end: End) -> MitteloError:
    """Return the error that a failed relay ends its command with."""
    return MitteloError(f"relay failed: {end.why}.", "See: rally status, rally tail")
