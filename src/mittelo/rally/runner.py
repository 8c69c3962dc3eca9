"""Drive a relay: carry out what its machine says, one try after another, and write it down."""

import time

from msgspec.structs import replace

from mittelo.core.clipping import one_line
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
    BenchesRead,
    Effect,
    End,
    Ending,
    EndRun,
    Event,
    Relay,
    Started,
    StartTry,
    StopAsked,
    TryEnded,
    Wait,
    WaitOver,
    step,
)
from mittelo.core.standings import Benches, benches_at
from mittelo.core.verdicts import Verdict
from mittelo.files import write_whole
from mittelo.rally.inbox import Inbox
from mittelo.rally.progress import record_unfinalized
from mittelo.rally.prompting import PromptMaker
from mittelo.rally.recording import record_of, summary_of
from mittelo.rally.trying import Ground, Tried, carry_out, run_name
from mittelo.rally.view import duration, spending, tally
from mittelo.repo.work import Result
from mittelo.repo.workspace import now


class Runner:
    """Runs one relay to its end, from the state that it is given."""

    def __init__(self, ground: Ground, state: Relay, tries: list[TryRecord]) -> None:
        self._ground = ground
        self._state = state
        self._tries = tries
        self._made: list[TryRecord] = []
        self._began_run = 0.0
        known = [made.id for made in ground.workspace.tries.read()]
        self._next_id = 1 + max([*known, ground.data.last_transcript()], default=0)
        self._prompts = PromptMaker(ground.workspace, ground.configuration.settings, ground.relay)
        self._run = 0
        self._never_ready = state.benches

    def run(self) -> End:
        """Carry out one effect after another until the relay ends."""
        clock = time.monotonic()
        effects = self._feed(Started())
        while True:
            for effect in effects:
                match effect:
                    case EndRun():
                        self._end_run()
                    case End():
                        self._end(effect, time.monotonic() - clock)
                        return effect
                    case StartTry() if not self._ground.orders.stop:
                        effects = self._try(effect)
                    case Wait() if not self._ground.orders.stop:
                        effects = self._wait(effect)
                    case StartTry() | Wait():
                        effects = self._feed(StopAsked())

    def _feed(self, event: Event) -> list[Effect]:
        self._state, _ = step(self._state, BenchesRead(self._benches(), time.time()))
        self._state, effects = step(self._state, event)
        return effects

    def _benches(self) -> Benches:
        """Return who sits out now: those who cannot serve this relay, and those on record."""
        records = self._ground.workspace.standings.read()
        return {**benches_at(records, time.time()), **self._never_ready}

    def _try(self, start: StartTry) -> list[Effect]:
        ground = self._ground
        if start.run != self._run:
            self._begin_run(start)
        harness = ground.configuration.harnesses[start.runner.harness]
        prompt = self._prompts.make(start, harness, self._tries, ground.work)
        ground.workspace.paths.state.mkdir(parents=True, exist_ok=True)
        write_whole(ground.workspace.paths.current_task, prompt.encode())
        session = f", resuming session {start.session}" if start.session else ""
        what = f"run {start.run} attempt {start.attempt} with {start.runner.label}{session}"
        ground.log.say(f"try {self._next_id}: {what}")
        tried = carry_out(ground, start, self._next_id, prompt)
        self._bring_back_records()
        tried, result = self._settle_work(start, tried)
        effects = self._feed(
            TryEnded(
                outcome=tried.verdict.outcome,
                session=tried.supervised.reading.session if harness.resumes else "",
                spoke=tried.supervised.reading.spoke,
                retryable=tried.verdict.retryable,
                stuck=result.stuck,
                reason=tried.verdict.reason,
            )
        )
        self._put_on_record(start, tried, result, effects)
        return effects

    def _begin_run(self, start: StartTry) -> None:
        ground = self._ground
        self._run, self._began_run = start.run, time.monotonic()
        committed = any(t.run_id == start.run and t.commit_hash for t in self._tries)
        ground.work.begin_run(run_name(ground.relay.id, start.run), committed=committed)
        self._prompts.begin_run(start.run)
        index = min(self._state.done + 1, self._state.target)
        ground.view.run_began(index, self._state.target, start.runner.label, ground.relay.role)

    def _bring_back_records(self) -> None:
        """Undo what an agent's `git clean -x` did to the records."""
        if back := self._ground.workspace.restore_records():
            self._ground.log.say(f"the agent removed {', '.join(back)}; they were brought back")

    def _settle_work(self, start: StartTry, tried: Tried) -> tuple[Tried, Result]:
        """Commit the work of a try; one that cannot be committed is no success."""
        ground, outcome = self._ground, tried.verdict.outcome
        if outcome.open_ended:
            return tried, ground.work.leave()
        if outcome.succeeded:
            said = summary_of(ground, start, tried)
            record_unfinalized(ground.workspace, ground.workspace.run_state(), said)
        message = f"rally: run {start.run} attempt {start.attempt} ({start.runner.harness})"
        hooks = ground.configuration.settings.run_hooks_on_autocommit
        result = ground.work.commit(message, hooks=hooks, since=tried.began_at)
        for said in filter(None, (result.trouble, result.note)):
            ground.log.say(said)
            ground.view.say(f"      {one_line(said, 300)}", "yellow")
        if result.trouble and outcome.succeeded:
            verdict = Verdict(Outcome.FAILED, one_line(result.trouble, 300))
            tried = replace(tried, verdict=verdict)
        return tried, result

    def _put_on_record(
        self, start: StartTry, tried: Tried, result: Result, effects: list[Effect]
    ) -> None:
        ground, workspace = self._ground, self._ground.workspace
        run_ends = any(isinstance(effect, EndRun) for effect in effects)
        over = run_ends and not tried.verdict.outcome.open_ended
        if over and not tried.verdict.outcome.succeeded:
            said = summary_of(ground, start, tried)
            record_unfinalized(workspace, workspace.run_state(), said)
        made = record_of(ground, start, tried, result, self._tries)
        workspace.tries.append(made)
        self._tries.append(made)
        self._made.append(made)
        self._next_id += 1
        self._forget_active_try(over=over)
        self._log_result(made, tried)

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
            f"session={made.session_id or '-'}"
        )
        if tried.supervised.left:
            log.say(f"ended what the agent left behind: {', '.join(tried.supervised.left)}")
        if tried.supervised.dropped_lines:
            log.say(f"{tried.supervised.dropped_lines} overlong lines of its output were not read")

    def _end_run(self) -> None:
        ground, last = self._ground, self._made[-1]
        repository = ground.workspace.repository
        title = repository.subject(last.commit_hash) if repository and last.commit_hash else ""
        seconds = time.monotonic() - self._began_run
        ground.view.run_ended(last, self._state.retry_budget, seconds, title)
        if last.outcome.succeeded:
            Inbox(ground.workspace).settle_run(ground.relay, last.run_id)
        ground.relay.completed_iterations = self._state.done
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
        ground, length, shown = self._ground, duration(wait.seconds), wait.why
        if wait.until is None:
            ground.log.say(f"waiting {length}: {shown}")
        else:
            shown = f"all agents paused: {shown}"
            ground.log.say(
                f"relay {ground.relay.id} all agents paused, waiting {length}: {wait.why}"
            )
        ground.view.wait_began(shown, wait.seconds)
        deadline = time.monotonic() + wait.seconds
        while not ground.orders.stop and not self._comes_back(wait):
            left = deadline - time.monotonic() if wait.until is None else wait.until - time.time()
            if left <= 0:
                break
            ground.view.wait(shown, left)
            ground.orders.wait(min(1.0, left))
        ground.view.wait_ended()
        return self._feed(StopAsked() if ground.orders.stop else WaitOver())

    def _comes_back(self, wait: Wait) -> bool:
        """Tell whether somebody's standing changed while all sit out."""
        return wait.until is not None and self._benches() != self._state.benches

    def _end(self, end: End, seconds: float) -> None:
        ground = self._ground
        if trouble := ground.work.commit_records():
            ground.view.say(f"  {one_line(trouble, 300)}", "yellow")
        if end.how is not Ending.STOPPED:
            ground.relay.ended_at, ground.relay.ended_how = now(), end.how
            ground.relay.ended_why = end.why
            if end.how is Ending.COMPLETE:
                Inbox(ground.workspace).settle_relay(ground.relay)
        self.save_relay()
        ground.log.say(f"relay {ground.relay.id} {end.how}: {end.why or 'target reached'}")
        runs = tally(self._made)
        if end.how is Ending.STOPPED and self._state.attempt and self._state.run in runs:
            runs[self._state.run] = Outcome.CANCELLED
        ground.view.relay_ended(end, runs, seconds, spending(self._made))
        if end.how is not Ending.COMPLETE:
            ground.view.say("  go on with: rally start --resume", "dim")
        for made in self._made[-1:]:
            log = ", git log" if ground.workspace.repository else ""
            ground.view.say(f"  see: rally status, rally tail --try {made.id}{log}", "dim")
