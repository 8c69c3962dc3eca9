"""Carry out one try: place the prompt, start the agent, stay with it, judge it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mittelo.config.limits import patience, retry_budget, timeouts
from mittelo.config.load import Configuration
from mittelo.config.paths import DataPaths
from mittelo.config.zone import local_zone
from mittelo.core.lapruns import LapFacts, judge_lap
from mittelo.core.records import LaneMark, RelayRecord, RunState, SummaryRecord
from mittelo.core.relays import StartTry
from mittelo.core.signs import Erred
from mittelo.core.tries import Limits, Stop, StopAsked
from mittelo.core.verdicts import Facts, Verdict, judge, judge_handoff, without_handoff
from mittelo.files import write_whole
from mittelo.harness.base import Command, Harness, Job, LogWindow
from mittelo.log import warn
from mittelo.proc.child import Launch
from mittelo.proc.keeper import MARKER
from mittelo.proc.ownlog import logged_errors
from mittelo.proc.placing import placed
from mittelo.proc.supervise import Supervised, Supervisor, Watched
from mittelo.rally.assignment import Assignment
from mittelo.rally.datafolders import heal_folders
from mittelo.rally.desk import Desk
from mittelo.rally.notifying import Notifier
from mittelo.rally.orders import Orders
from mittelo.rally.permitting import TEMPORARY, environment_for, ground_of, tools_path
from mittelo.rally.progress import record_laps
from mittelo.rally.purse import Meter, Purse
from mittelo.rally.relaylog import RelayLog
from mittelo.rally.view import View
from mittelo.repo.work import Work
from mittelo.repo.workspace import WORKSPACE_VARIABLE, Workspace, now
from mittelo.sandbox.bubblewrap import walled
from mittelo.sandbox.enclosing import furnish, walls_of
from mittelo.sandbox.permits import Permit
from mittelo.sandbox.surroundings import make_home


class Ground(Struct, frozen=True):
    """All that the tries of one relay have in common."""

    workspace: Workspace
    configuration: Configuration
    data: DataPaths
    relay: RelayRecord
    work: Work
    log: RelayLog
    view: View
    orders: Orders
    purse: Purse
    notifier: Notifier
    permit: Permit
    desk: Desk | None = None

    def environment(self, harness: Harness) -> dict[str, str]:
        """Return the environment that an agent starts with."""
        return environment_for(self.permit, harness, self.data, self.workspace.repository)


class Tried(Struct, frozen=True):
    """A try that is over: its verdict, and the facts that go on record.

    `laps` are those that its agent finished, `reopened` those of them that it was not to finish.
    """

    try_id: int
    verdict: Verdict
    supervised: Supervised
    began: str
    began_at: float
    seconds: float
    progress: SummaryRecord | None
    laps: list[str] = []
    reopened: list[str] = []


def run_name(relay: int, run: int) -> str:
    """Return how a run is called in the records."""
    return f"relay-{relay}-run-{run}"


def mark_of(data: DataPaths, try_id: int) -> str:
    """Return what the processes of a try carry in their environment."""
    return f"{data.key}.{try_id}"


def carry_out(
    ground: Ground,
    given: Assignment,
    start: StartTry,
    try_id: int,
    prompt: str,
    mark: LaneMark | None,
) -> Tried:
    """Run one agent and judge what came of it."""
    harness = ground.configuration.harnesses[start.runner.harness]
    run = run_name(ground.relay.id, start.run)
    before = len(_finalized(ground.workspace, run))
    began, began_at, clock = now(), time.time(), time.monotonic()
    state = RunState(
        run_id=run,
        session_id=start.session,
        active_relay_id=ground.relay.id,
        active_run_id=start.run,
        active_try_id=try_id,
        active_attempt=start.attempt,
        active_agent=start.runner.harness,
        active_model=start.runner.model,
        active_resumed_session=start.session,
        active_head=ground.work.begin_try(),
        active_log_path=str(ground.data.transcript(try_id)),
        active_effort=start.runner.effort,
        active_role=given.role,
        active_mark=mark,
        active_started_at=began,
    )
    if given.lap and ground.desk:
        state.pinned_lap_id, state.pinned_lap_title = given.lap.id, given.lap.line
        state.pinned_assignee, state.laps_session = given.lap.assignee, ground.desk.session
    ground.orders.take_skip()  # what came before others could see this try was not meant for it
    _begin(ground.workspace, state)
    meter = ground.purse.meter(harness, start)
    supervised = _supervise(ground, start, try_id, prompt, state, meter)
    entries = _finalized(ground.workspace, run)
    progress = _digest(entries[before:])
    window = LogWindow(
        session=supervised.reading.session or start.session,
        workspace=str(ground.workspace.root),
        began=began_at,
        ended=time.time(),
    )
    logged = tuple(
        logged_errors(
            harness,
            supervised,
            window,
            ground.environment(harness),
            str(_kept_log(ground.data, try_id)),
        )
    )
    facts = _facts(ground, harness, supervised, progress, meter.why, logged)
    lap = _lap_facts(ground, given, supervised, progress)
    verdict = _judge(facts, lap, handoff_only=start.handoff_only)
    session = supervised.reading.session
    verdict = without_handoff(verdict, resumes=harness.resumes, session=session)
    return Tried(
        try_id,
        verdict,
        supervised,
        began,
        began_at,
        time.monotonic() - clock,
        progress,
        laps=[*lap.finished] if lap else [],
        reopened=_reopen(ground, lap, verdict),
    )


def _judge(facts: Facts, lap: LapFacts | None, *, handoff_only: bool) -> Verdict:
    verdict = judge_lap(facts, lap) if lap else judge(facts)
    if not handoff_only or (lap and (verdict.outcome.succeeded or lap.broken)):
        return verdict
    return judge_handoff(facts)


def _lap_facts(
    ground: Ground, given: Assignment, supervised: Supervised, progress: SummaryRecord | None
) -> LapFacts | None:
    if not given.lap or not ground.desk:
        return None
    state = ground.workspace.run_state()
    said = progress.summary if progress else supervised.answer
    facts = ground.desk.facts(given.lap.id, state.recorded_laps)
    if unheard := [lap for lap in facts.finished if lap not in state.recorded_laps]:
        record_laps(ground.workspace, unheard)
    return replace(facts, handoff_begun=state.handoff_state == 1, said=said)


def _reopen(ground: Ground, lap: LapFacts | None, verdict: Verdict) -> list[str]:
    """Open the laps again that an agent finished though it was not to work on them."""
    if not lap or not ground.desk or verdict.outcome.open_ended:
        return []
    return reopen_others(ground.workspace, ground.desk, lap)


def reopen_others(workspace: Workspace, desk: Desk, lap: LapFacts) -> list[str]:
    """Open what an agent finished besides its lap, and forget that it did; return what was done."""
    if lap.broken or not lap.others:
        return []
    reopened = desk.reopen(lap.others)
    with workspace.changing():
        state = workspace.run_state()
        state.recorded_laps = [done for done in state.recorded_laps if done not in lap.others]
        workspace.save_run_state(state)
    return reopened


def _supervise(
    ground: Ground, start: StartTry, try_id: int, prompt: str, state: RunState, meter: Meter
) -> Supervised:
    harness = ground.configuration.harnesses[start.runner.harness]
    scratch, env = ground.data.scratch(try_id), ground.environment(harness)
    job = Job(
        prompt=prompt,
        workspace=str(ground.workspace.root),
        model=start.runner.model,
        effort=start.runner.effort,
        session=start.session,
        title=f"{run_name(ground.relay.id, start.run)}",
        scratch=str(scratch),
        env=env,
        tools=ground.permit.tools(harness),
    )
    for note in harness.notes(job):
        warn(note)
    command = harness.command(job)
    home = Path(env.get("HOME") or Path.home())
    asked = ground.configuration.settings.reliability
    seconds, timeout = _time_left(ground, start)
    limits = Limits(try_seconds=seconds, timeout=timeout, patience=patience(asked))
    budget = retry_budget(asked)
    try:
        heal_folders(ground.workspace.root, ground.data)
        scratch.mkdir(parents=True, exist_ok=True)
        launch = _launch(ground, harness, command, env, try_id)
        supervisor = Supervisor(
            harness, launch, command.log, limits, str(ground.data.netstat(try_id))
        )
        with (
            placed(command.settings, home, ground.orders.is_stopped) as free,
            ground.orders.passed_to(supervisor.inbox),
            ground.view.watching(start.attempt, budget, ground.work.files_changed) as show,
        ):
            if not free:
                return Supervised.never_started(ground.orders.stop)
            watch = _watcher(ground, state, show)
            return supervisor.run(_metering(ground, supervisor, meter, watch))
    finally:
        _keep_log(command.log, ground.data, try_id)
        shutil.rmtree(scratch, ignore_errors=True)


def _time_left(ground: Ground, start: StartTry) -> tuple[float, Stop]:
    """Return how long a try may take, and whether it is the run's time that is out then.

    Only tries count: what a run waits for, and how long it is paused, takes nothing of its time.
    """
    allowed, _ = timeouts(ground.configuration.settings.reliability)
    if start.handoff_only:
        return allowed.handoff, Stop.TRY_TIMEOUT
    here = (ground.relay.id, start.run)
    tries = ground.workspace.tries.read_last(lambda made: (made.relay_id, made.run_id) == here)
    left = max(0.0, allowed.run - sum(made.runtime_ms for made in tries) / 1000)
    return (left, Stop.RUN_TIMEOUT) if left <= allowed.try_ else (allowed.try_, Stop.TRY_TIMEOUT)


def _launch(
    ground: Ground, harness: Harness, command: Command, given_env: dict[str, str], try_id: int
) -> Launch:
    given = ground.data.prompt(try_id) if command.stdin else None
    if given:
        write_whole(given, command.stdin.encode(), mode=0o600)
    env = given_env | command.env | {MARKER: mark_of(ground.data, try_id)}
    env[WORKSPACE_VARIABLE] = str(ground.workspace.root)
    env |= ground.desk.env if ground.desk else {}
    env["PATH"] = tools_path(ground.data, env)
    return Launch(
        argv=_walled(ground, harness, command.argv, env, try_id),
        cwd=str(ground.workspace.root),
        env=env,
        stdin=str(given or ""),
        stdout=str(ground.data.transcript(try_id)),
        stderr=str(ground.data.errors(try_id)),
    )


def _walled(
    ground: Ground, harness: Harness, argv: list[str], env: dict[str, str], try_id: int
) -> list[str]:
    """Return what is started: the agent, or the sandbox that it runs in."""
    if not ground.permit.sandboxed:
        return argv
    root, scratch = ground.workspace.root, ground.data.scratch(try_id)
    make_home(env)
    (scratch / TEMPORARY).mkdir(mode=0o700, exist_ok=True)
    beside = [ground.desk.place.folder] if ground.desk else []
    place = ground_of(root, ground.data, scratch, beside)
    furnish(ground.permit.table, place)
    return walled(walls_of(ground.permit, harness, place, argv, env), argv)


def _watcher(
    ground: Ground, state: RunState, show: Callable[[Watched], None]
) -> Callable[[Watched], None]:
    """Return a watcher that writes down a new session and a freeze at once, and shows the rest."""
    logged = ""

    def watch(watched: Watched) -> None:
        nonlocal logged
        if watched.reading.session not in {"", state.session_id}:
            state.session_id = watched.reading.session
            _note_session(ground.workspace, state)
        if watched.frozen and not logged:
            logged = watched.frozen
            ground.log.say(
                f"freeze detected for {state.active_agent} in try {state.active_try_id}: {logged}"
            )
        show(watched)

    return watch


def _metering(
    ground: Ground, supervisor: Supervisor, meter: Meter, watch: Callable[[Watched], None]
) -> Callable[[Watched], None]:
    """Return a watcher that also ends the try when it passes a budget."""

    def look(watched: Watched) -> None:
        if meter.passes(watched.reading):
            ground.log.say(f"the try is ended: {meter.why}")
            supervisor.inbox.put(StopAsked(Stop.BUDGET))
        watch(watched)

    return look


def _begin(workspace: Workspace, state: RunState) -> None:
    """Write the state of a try that begins, keeping what earlier ones of its run are noted for."""
    with workspace.changing():
        known = workspace.run_state()
        if known.run_id == state.run_id:
            state.finalized = known.finalized
            state.recorded_laps, state.laps_attempted = known.recorded_laps, known.laps_attempted
            state.handoff_state = known.handoff_state if state.active_resumed_session else 0
        workspace.save_run_state(state)


def _note_session(workspace: Workspace, state: RunState) -> None:
    """Write down a session, beside what hooks and `rally progress` noted meanwhile."""
    with workspace.changing():
        known = workspace.run_state()
        held = known if known.active_try_id == state.active_try_id else state
        held.session_id = state.session_id
        workspace.save_run_state(held)


def _facts(
    ground: Ground,
    harness: Harness,
    supervised: Supervised,
    progress: SummaryRecord | None,
    budget: str,
    logged: tuple[Erred, ...],
) -> Facts:
    code = supervised.finish.code
    return Facts(
        finish=supervised.finish,
        reading=supervised.reading,
        answered=bool(supervised.answer.strip()),
        needs_end=harness.needs_end,
        changed=ground.work.changed(),
        require_changes=ground.relay.require_changes and ground.workspace.repository is not None,
        handed_off=bool(progress and progress.handoff),
        budget=budget,
        errors=harness.without_noise(supervised.errors),
        exit_meaning=harness.explain_exit(code) if code else "",
        logged=logged,
        faults=harness.faults,
        now=time.time(),
        zone=local_zone(),
    )


def _digest(entries: list[SummaryRecord]) -> SummaryRecord | None:
    """Return what stands for a try: its newest handoff, which nothing takes back, else the last."""
    handoffs = [entry for entry in entries if entry.handoff]
    return next(reversed(handoffs or entries), None)


def _finalized(workspace: Workspace, run: str) -> list[SummaryRecord]:
    return [entry for entry in workspace.summary.read() if entry.run_id == run]


def _keep_log(log: str, data: DataPaths, try_id: int) -> None:
    """Keep the log file that a CLI was told to write, beside the transcript."""
    if log and Path(log).exists():
        shutil.move(log, _kept_log(data, try_id))


def _kept_log(data: DataPaths, try_id: int) -> Path:
    return data.tries / f"try-{try_id}.agent.log"
