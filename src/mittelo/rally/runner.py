"""Drive a relay: carry out what its machine says, one try after another, and write it down."""

import time

from msgspec.structs import replace

from mittelo.core.clipping import one_line
from mittelo.core.faults import Evidence, Source
from mittelo.core.instants import moment
from mittelo.core.lapruns import Classification
from mittelo.core.notices import SHORTEST_WAIT, Happening
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
    RUN_ENDERS,
    BenchesRead,
    BudgetSpent,
    ClaimLap,
    Effect,
    End,
    Ending,
    EndRun,
    Event,
    Hold,
    LapGone,
    QueueBroken,
    Relay,
    Resumed,
    RunBudgetSpent,
    Started,
    StartTry,
    StopAsked,
    TryEnded,
    Wait,
    WaitOver,
    decision,
    step,
)
from mittelo.core.resuming import mark
from mittelo.core.standings import Bench, Benches, benches_at, earliest_return
from mittelo.core.verdicts import Verdict
from mittelo.files import write_whole
from mittelo.log import warn
from mittelo.rally.assignment import Assignment
from mittelo.rally.closing import close, tell
from mittelo.rally.inbox import Inbox
from mittelo.rally.lapwork import LapWork
from mittelo.rally.pausing import hold
from mittelo.rally.progress import record_unfinalized
from mittelo.rally.prompting import PromptMaker
from mittelo.rally.recording import record_of, summary_of
from mittelo.rally.roster import everyone
from mittelo.rally.standing import Failed, call_back, in_a_row, recover, suffer
from mittelo.rally.trying import Ground, Tried, carry_out, run_name
from mittelo.rally.view import duration
from mittelo.repo.work import Result
from mittelo.repo.workspace import instant, now

TITLE_WIDTH = 120


class Runner:
    """Runs one relay to its end, from the state that it is given."""

    def __init__(self, ground: Ground, state: Relay, tries: list[TryRecord]) -> None:
        self._ground = ground
        self._state = state
        self._tries = tries
        self._made: list[TryRecord] = []
        self._began_run = time.monotonic()
        known = [made.id for made in ground.workspace.tries.read()]
        self._next_id = 1 + max([*known, ground.data.last_transcript()], default=0)
        self._prompts = PromptMaker(ground.workspace, ground.configuration.settings, ground.relay)
        self._work = LapWork(ground, state, tries) if ground.desk else None
        self._given = Assignment(ground.relay.role)
        self._run = 0
        self._never_ready = dict(state.benches)
        self._told_of_wait = False

    def run(self) -> End:
        """Carry out one effect after another until the relay ends."""
        clock = time.monotonic()
        effects = self._feed(Started())
        while True:
            for effect in effects:
                match effect:
                    case EndRun():
                        self._end_run(effect)
                    case End():
                        self._end(effect)
                        close(self._ground, effect, self._state, self._tries, self._made, clock)
                        return effect
                    case StartTry() if not self._ground.orders.stop:
                        effects = self._begin_try(effect)
                    case ClaimLap() if not self._ground.orders.stop:
                        effects = self._claim_lap()
                    case Wait() if not self._ground.orders.stop:
                        effects = self._wait(effect)
                    case Hold() if not self._ground.orders.stop:
                        effects = self._hold()
                    case StartTry() | ClaimLap() | Wait() | Hold():
                        effects = self._feed(StopAsked())

    def _feed(self, event: Event) -> list[Effect]:
        self._state, _ = step(self._state, BenchesRead(self._benches(), time.time()))
        self._state, effects = step(self._state, event)
        return effects

    def _benches(self) -> Benches:
        """Return who sits out now: those who cannot serve this relay, and those on record."""
        records = self._ground.workspace.standings.read()
        return {**benches_at(records, time.time()), **self._never_ready}

    def _begin_try(self, start: StartTry) -> list[Effect]:
        """Run a try, after a pause if one was asked for since the last."""
        if self._ground.orders.paused:
            hold(self._ground)
        if self._ground.orders.stop:
            return self._feed(StopAsked())
        if why := self._ground.purse.relay_is_out(start.run, time.time()):
            return self._feed(BudgetSpent(why))
        if why := self._ground.purse.run_is_out(start.run):
            return self._give_run_up(why)
        if self._work and (trouble := self._work.keep(self._state.lap)):
            return self._lose_lap(trouble)
        return self._try(start)

    def _claim_lap(self) -> list[Effect]:
        """Take the lap of a new run."""
        if self._work is None:
            raise RuntimeError("a relay without a queue asks for a lap")
        taken = self._work.take()
        for word in self._work.notes():
            self._ground.log.say(word)
            self._ground.view.say(f"      {one_line(word, 300)}", "yellow")
        if why := self._work.needs_user:
            self._tell(Happening.NEEDS_USER, why)
        return self._feed(taken)

    def _lose_lap(self, trouble: LapGone | QueueBroken) -> list[Effect]:
        """End the run of a lap that was finished, removed or taken by others between its tries."""
        self._ground.log.say(trouble.why)
        if isinstance(trouble, LapGone) and trouble.finished:
            self._commit_finished()
        self._forget_active_try(over=True)
        return self._feed(trouble)

    def _commit_finished(self) -> None:
        """Commit what the last try left of a lap that is done: it was cut off after that."""
        ground, last = self._ground, next(reversed(self._tries), None)
        if last is None or last.run_id != self._state.run or self._work is None:
            return
        self._work.settle(self._state.lap)
        record_unfinalized(ground.workspace, ground.workspace.run_state(), last.summary)
        ground.work.begin_run(run_name(ground.relay.id, last.run_id))
        ground.work.begin_try()
        message = f"rally: run {last.run_id} attempt {last.attempt_number} ({last.agent_type})"
        hooks = ground.configuration.settings.run_hooks_on_autocommit
        since = moment(last.started_at).timestamp()
        self._tell_of_commit(ground.work.commit(message, hooks=hooks, since=since))

    def _tell_of_commit(self, result: Result) -> None:
        for said in filter(None, (result.trouble, result.note)):
            self._ground.log.say(said)
            self._ground.view.say(f"      {one_line(said, 300)}", "yellow")

    def _give_run_up(self, why: str) -> list[Effect]:
        """End a run before a further try of it."""
        workspace, last = self._ground.workspace, self._tries[-1]
        record_unfinalized(workspace, workspace.run_state(), last.summary)
        self._forget_active_try(over=True)
        return self._feed(RunBudgetSpent(why))

    def _try(self, start: StartTry) -> list[Effect]:
        ground = self._ground
        self._told_of_wait = False
        if self._work:
            self._given = self._work.given
        if start.run != self._run:
            self._begin_run(start)
        harness = ground.configuration.harnesses[start.runner.harness]
        prompt = self._prompts.make(start, self._given, harness, self._tries, ground.work)
        ground.workspace.paths.state.mkdir(parents=True, exist_ok=True)
        write_whole(ground.workspace.paths.current_task, prompt.encode())
        session = f", resuming session {start.session}" if start.session else ""
        what = f"run {start.run} attempt {start.attempt} with {start.runner.label}{session}"
        ground.log.say(f"try {self._next_id}: {what}")
        began_at = mark(self._state)
        tried = carry_out(ground, self._given, start, self._next_id, prompt, began_at)
        self._bring_back_records()
        tried, result = self._settle_work(start, tried)
        verdict, tree = tried.verdict, ""
        if not (verdict.outcome.succeeded or verdict.outcome.open_ended):
            tree = ground.work.fingerprint()
        self._settle_standing(start, verdict)
        made = record_of(ground, self._given, start, tried, result, self._tries)
        ground.purse.add(made)
        ended = TryEnded(
            outcome=verdict.outcome,
            session=tried.supervised.reading.session if harness.resumes else "",
            spoke=tried.supervised.reading.spoke,
            retryable=verdict.retryable,
            stuck=result.stuck or verdict.stuck,
            reason=verdict.reason,
            category=verdict.evidence.category if verdict.evidence else None,
            tree=tree,
            cancelled_by=verdict.cancelled_by,
            run_is_over=verdict.run_is_over,
            spent=ground.purse.run_is_out(start.run),
        )
        effects = self._feed(ended)
        made.tree, made.mark, made.decided = tree, began_at, decision(ended, effects)
        self._put_on_record(made, tried, run_ends=any(isinstance(e, EndRun) for e in effects))
        return effects

    def _settle_standing(self, start: StartTry, verdict: Verdict) -> None:
        """Let those sit out whom a failure concerns; call back who did well."""
        ground, evidence, key = self._ground, verdict.evidence, start.runner.key
        if evidence is None:
            if verdict.outcome.succeeded:
                recover(ground.workspace, key)
            return
        ground.log.say(_told(evidence))
        if evidence.category.is_final:
            why = f"{start.runner.label}: {verdict.reason}"
            self._never_ready[key] = Bench(why, for_good=True)
        if evidence.source is Source.OURSELVES and not verdict.retryable:
            return
        failed = Failed(key, evidence, in_a_row(self._tries, key, evidence))
        runners = [*self._state.lane.everyone, *everyone(ground.configuration)]
        if said := suffer(ground.workspace, ground.configuration, runners, failed):
            ground.log.say(said)
            ground.view.say(f"      {one_line(said, 300)}", "yellow")

    def _hold(self) -> list[Effect]:
        """Wait until the user lets the relay go on, or stops it."""
        hold(self._ground)
        return self._feed(StopAsked() if self._ground.orders.stop else Resumed())

    def _begin_run(self, start: StartTry) -> None:
        ground = self._ground
        self._run, self._began_run = start.run, time.monotonic()
        committed = any(t.run_id == start.run and t.commit_hash for t in self._tries)
        ground.work.begin_run(run_name(ground.relay.id, start.run), committed=committed)
        self._prompts.begin_run(start.run)
        given, runner = self._given, start.runner.label
        if self._work and given.lap:
            ground.log.say(f"run {start.run} works lap {given.lap.id}, role {given.role or '-'}")
            title = one_line(given.lap.line, TITLE_WIDTH)
            ground.view.lap_began(runner, given.role, title, self._work.count())
        else:
            index = min(self._state.done + 1, self._state.target)
            ground.view.run_began(index, self._state.target, runner, given.role)

    def _bring_back_records(self) -> None:
        """Undo what an agent's `git clean -x` did to the records."""
        if back := self._ground.workspace.restore_records():
            self._ground.log.say(f"the agent removed {', '.join(back)}; they were brought back")

    def _settle_work(self, start: StartTry, tried: Tried) -> tuple[Tried, Result]:
        """Commit the work of a try; one that cannot be committed is no success."""
        ground, outcome = self._ground, tried.verdict.outcome
        if self._leaves_changes(outcome):
            return tried, ground.work.leave()
        if outcome.succeeded:
            said = summary_of(ground, start, tried)
            record_unfinalized(ground.workspace, ground.workspace.run_state(), said)
        message = f"rally: run {start.run} attempt {start.attempt} ({start.runner.harness})"
        hooks = ground.configuration.settings.run_hooks_on_autocommit
        result = ground.work.commit(message, hooks=hooks, since=tried.began_at)
        self._tell_of_commit(result)
        if result.trouble and outcome.succeeded:
            verdict = Verdict(Outcome.FAILED, one_line(result.trouble, 300))
            tried = replace(tried, verdict=verdict)
        return tried, result

    def _leaves_changes(self, outcome: Outcome) -> bool:
        """Tell whether a try's changes stay as they are: those to a lap, until that is done."""
        if outcome.open_ended:
            return True
        return self._given.lap is not None and outcome is not Outcome.COMPLETED

    def _put_on_record(self, made: TryRecord, tried: Tried, *, run_ends: bool) -> None:
        workspace, outcome = self._ground.workspace, made.outcome
        skipped = made.cancellation_source in RUN_ENDERS
        over = run_ends and (skipped or not outcome.open_ended)
        lap = self._given.lap
        is_done = lap is not None and lap.id in made.laps_completed
        if over and lap and outcome is not Outcome.COMPLETED and (is_done or not skipped):
            self._ground.work.owe()
        if over and (self._given.lap or not outcome.succeeded):
            record_unfinalized(workspace, workspace.run_state(), made.summary)
        workspace.tries.append(made)
        self._tries.append(made)
        self._made.append(made)
        self._next_id += 1
        self._forget_active_try(over=over)
        self._log_result(made, tried)
        if said := self._ground.purse.unseen(made):
            warn(said)

    def _forget_active_try(self, *, over: bool) -> None:
        """Note that no try runs; a run that is over needs no state any more."""
        workspace = self._ground.workspace
        with workspace.changing():
            if over:
                workspace.forget_run_state()
            elif workspace.paths.run_state.exists():
                state = workspace.run_state()
                state.active_try_id, state.active_log_path, state.active_started_at = 0, "", ""
                workspace.save_run_state(state)

    def _log_result(self, made: TryRecord, tried: Tried) -> None:
        log = self._ground.log
        log.say(
            f"try {made.id} result: outcome={made.outcome} reason={made.fail_reason or '-'} "
            f"exit={made.exit_code} runtime={made.runtime_ms}ms files={len(made.files_changed)} "
            f"tool_calls={made.tool_calls} commit={made.commit_hash or '-'} "
            f"session={made.session_id or '-'} decided={made.decided or '-'}"
        )
        if made.lap_id:
            log.say(
                f"try {made.id} lap_id={made.lap_id} assignee={made.assignee or '-'} "
                f"recorded_laps={','.join(made.laps_completed) or '-'} "
                f"reopened={','.join(tried.reopened) or '-'}"
            )
        if tried.supervised.left:
            log.say(f"ended what the agent left behind: {', '.join(tried.supervised.left)}")
        if tried.supervised.dropped_lines:
            log.say(f"{tried.supervised.dropped_lines} overlong lines of its output were not read")

    def _end_run(self, ended: EndRun) -> None:
        ground, last = self._ground, next(reversed(self._tries), None)
        if ended.why:
            ground.log.say(f"run {ended.run} is given up: {ended.why}")
        if last and last.run_id == ended.run:
            self._tell_of_run(last)
        if self._work:
            self._work.release()
        ground.relay.completed_iterations = self._state.done
        self.save_relay()

    def _tell_of_run(self, last: TryRecord) -> None:
        """Show how a run ended, by its last try."""
        ground = self._ground
        repository = ground.workspace.repository
        title = repository.subject(last.commit_hash) if repository and last.commit_hash else ""
        seconds = time.monotonic() - self._began_run
        ground.view.run_ended(last, self._state.retry_budget, seconds, title)
        if last.outcome.succeeded:
            Inbox(ground.workspace).settle_run(ground.relay, last.run_id)
        if last.classification == Classification.NEEDS_USER:
            said = one_line(last.summary, 300)
            self._tell(Happening.NEEDS_USER, f"lap {last.lap_id}: {said}")

    def _end(self, end: End) -> None:
        """Bring the records to their last state."""
        ground = self._ground
        if self._work:
            self._work.release()
        if trouble := ground.work.commit_records():
            ground.view.say(f"  {one_line(trouble, 300)}", "yellow")
        ground.relay.completed_iterations = self._state.done
        if end.how is not Ending.STOPPED:
            ground.relay.ended_at, ground.relay.ended_how = now(), end.how
            ground.relay.ended_why = end.why
            if end.how is Ending.COMPLETE:
                Inbox(ground.workspace).settle_relay(ground.relay)
        self.save_relay()

    def save_relay(self) -> None:
        """Write the relay's record in place of its older one."""
        workspace, relay = self._ground.workspace, self._ground.relay
        for made in self._made:
            relay.first_try_id = relay.first_try_id or made.id
            relay.last_try_id = made.id
        with workspace.changing():
            others = [held for held in workspace.relays.read() if held.id != relay.id]
            workspace.relays.rewrite(sorted([*others, relay], key=lambda held: held.id))

    def _wait(self, wait: Wait) -> list[Effect]:
        """Wait, showing what for and how long; a stop ends it, and so does a bench that ends."""
        if why := self._ground.purse.relay_is_out(self._state.run, time.time() + wait.seconds):
            return self._feed(BudgetSpent(why))
        ground, shown = self._ground, wait.why
        if wait.until is not None:
            shown = f"all agents paused: {shown}"
        if not (wait.for_user and self._told_of_wait):
            relay = f"relay {ground.relay.id} " if wait.until is not None else ""
            all_ = "all agents paused, " if wait.until is not None else ""
            ground.log.say(f"{relay}{all_}waiting {duration(wait.seconds)}: {wait.why}")
            ground.view.wait_began(shown, wait.seconds)
        self._tell_of_wait(wait)
        deadline = time.monotonic() + wait.seconds
        while not (ground.orders.stop or self._comes_back(wait) or self._is_skipped(wait)):
            left = deadline - time.monotonic() if wait.until is None else wait.until - time.time()
            if left <= 0:
                break
            if ground.orders.paused:
                hold(ground)
                continue
            ground.view.wait(shown, left)
            ground.orders.wait(min(1.0, left))
        ground.view.wait_ended()
        return self._feed(StopAsked() if ground.orders.stop else WaitOver())

    def _tell_of_wait(self, wait: Wait) -> None:
        """Tell others, once until the next try, that all sit out for long."""
        brief = wait.until is None or wait.seconds <= SHORTEST_WAIT
        if (brief and not wait.for_user) or self._told_of_wait:
            return
        self._told_of_wait = True
        lane, benches = self._state.lane.everyone, self._state.benches
        until = earliest_return(benches[key] for key in lane if key in benches)
        self._tell(Happening.WAITING, wait.why, until)

    def _tell(self, event: Happening, why: str, until: float | None = None) -> None:
        tell(self._ground, self._state, self._tries, event, why, until)

    def _is_skipped(self, wait: Wait) -> bool:
        """Tell whether the user cut a wait short; whoever sits out is called back then."""
        if not self._ground.orders.take_skip():
            return False
        if wait.until is not None:
            call_back(self._ground.workspace, list(self._benches().keys() - self._never_ready))
        return True

    def _comes_back(self, wait: Wait) -> bool:
        """Tell whether what is waited for has come: a standing changed, a lap may be begun."""
        if wait.for_user:
            return self._work is not None and self._work.has_next()
        return wait.until is not None and self._benches() != self._state.benches


def _told(evidence: Evidence) -> str:
    """Return a failure for the relay's log."""
    reset = f"reset_at={instant(evidence.resets)}" if evidence.resets else "reset=none"
    return (
        f"failure category={evidence.category} source={evidence.source} {reset}: {evidence.message}"
    )
