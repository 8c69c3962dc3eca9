"""Drive a relay: carry out what its machine says, one try after another, and write it down."""

import glob
import time

from mittelo.config.load import environment
from mittelo.core.clipping import clip, one_line
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
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
from mittelo.core.signs import Tokens
from mittelo.files import write_whole
from mittelo.proc.transcript import tail
from mittelo.rally.inbox import Inbox
from mittelo.rally.progress import SUMMARY_BUDGET, record_unfinalized
from mittelo.rally.prompting import PromptMaker
from mittelo.rally.trying import Ground, Tried, carry_out, run_name
from mittelo.rally.view import duration, spending, tally
from mittelo.repo.work import Result
from mittelo.repo.workspace import now

SAID_BUDGET = 1000


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
        self._state, effects = step(self._state, event)
        return effects

    def _try(self, start: StartTry) -> list[Effect]:
        if start.run != self._run:
            self._begin_run(start)
        harness = self._ground.configuration.harnesses[start.runner.harness]
        prompt = self._prompts.make(start, harness, self._tries, self._ground.work)
        write_whole(self._ground.workspace.paths.current_task, prompt.encode())
        self._ground.log.say(
            f"try {self._next_id}: run {start.run} attempt {start.attempt} "
            f"with {start.runner.label}"
            + (f", resuming session {start.session}" if start.session else "")
        )
        tried = carry_out(self._ground, start, self._next_id, prompt)
        session = tried.supervised.reading.session if harness.resumes else ""
        effects = self._feed(
            TryEnded(
                outcome=tried.verdict.outcome,
                session=session,
                spoke=tried.supervised.reading.spoke,
                retryable=tried.verdict.retryable,
                reason=tried.verdict.reason,
            )
        )
        self._settle(start, tried, run_ends=any(isinstance(e, EndRun) for e in effects))
        return effects

    def _begin_run(self, start: StartTry) -> None:
        ground = self._ground
        self._run, self._began_run = start.run, time.monotonic()
        ground.work.begin_run(run_name(ground.relay.id, start.run))
        self._prompts.begin_run(start.run)
        index = min(self._state.done + 1, self._state.target)
        ground.view.run_began(index, self._state.target, start.runner.label, ground.relay.role)

    def _settle(self, start: StartTry, tried: Tried, *, run_ends: bool) -> None:
        """Commit the work of a try, then put the try on record."""
        ground = self._ground
        summary = self._summary(tried)
        if tried.verdict.outcome.open_ended:
            result = ground.work.leave()
        else:
            if run_ends:
                record_unfinalized(ground.workspace, ground.workspace.run_state(), summary)
            message = f"rally: run {start.run} attempt {start.attempt} ({start.runner.harness})"
            hooks = ground.configuration.settings.run_hooks_on_autocommit
            result = ground.work.commit(message, hooks=hooks)
        made = self._record(start, tried, result, summary)
        ground.workspace.tries.append(made)
        self._tries.append(made)
        self._made.append(made)
        self._next_id += 1
        self._forget_active_try()
        self._tell(made, tried, result)

    def _summary(self, tried: Tried) -> str:
        """Return the words that stand for a try: the agent's own digest comes first."""
        if tried.progress:
            return tried.progress.summary
        if answer := tried.supervised.answer.strip():
            return answer
        raw = tail(self._ground.data.transcript(self._next_id)).decode(errors="replace").strip()
        if raw:
            cut = len(raw) > SAID_BUDGET
            return ("... [tail truncated] ...\n" if cut else "") + raw[-SAID_BUDGET:]
        return tried.verdict.reason or "(agent produced no final summary)"

    def _record(self, start: StartTry, tried: Tried, result: Result, summary: str) -> TryRecord:
        reading = tried.supervised.reading
        progress = tried.progress
        followups = progress.followups if progress else []
        if progress and progress.handoff:
            followups = progress.handoff.followups
        return TryRecord(
            id=self._next_id,
            run_id=start.run,
            relay_id=self._ground.relay.id,
            agent_type=start.runner.harness,
            model=start.runner.model,
            resolved_model=reading.model,
            effort=start.runner.effort,
            completed=tried.verdict.outcome.succeeded,
            outcome=tried.verdict.outcome,
            cancellation_source=tried.verdict.cancelled_by,
            role=self._ground.relay.role,
            summary=clip(summary, SUMMARY_BUDGET),
            remaining_work=clip("\n".join(followups), SUMMARY_BUDGET),
            files_changed=result.files,
            commit_hash=result.commit,
            commit_history=result.history,
            started_at=tried.began,
            ended_at=now(),
            attempt_number=start.attempt,
            log_path=str(self._ground.data.transcript(self._next_id)),
            session_id=reading.session,
            resumed_session=start.session,
            session_log=self._session_log(start, reading.session),
            fail_reason=tried.verdict.reason,
            exit_code=tried.supervised.finish.code,
            runtime_ms=int(tried.seconds * 1000),
            tool_calls=reading.tool_calls,
            tokens=self._tokens(start, reading.tokens),
            cost_usd=reading.cost,
        )

    def _tokens(self, start: StartTry, told: Tokens) -> Tokens | None:
        """Return what this try used, where the CLI's count goes on from the session's start."""
        harness = self._ground.configuration.harnesses[start.runner.harness]
        if harness.usage_spans_session and start.session:
            for made in self._tries:
                if made.session_id == start.session and made.tokens:
                    told -= made.tokens
        return told if told.total else None

    def _session_log(self, start: StartTry, session: str) -> str:
        """Return where the CLI's own log of the session lies, if it can be found."""
        harness = self._ground.configuration.harnesses[start.runner.harness]
        root = str(self._ground.workspace.root)
        if session:
            for pattern in harness.session_logs(session, root, environment()):
                if found := sorted(glob.glob(pattern)):  # noqa: PTH207 - the patterns are absolute
                    return found[-1]
        return ""

    def _forget_active_try(self) -> None:
        workspace = self._ground.workspace
        with workspace.changing():
            if workspace.paths.run_state.exists():
                state = workspace.run_state()
                state.active_try_id, state.active_log_path, state.active_started_at = 0, "", ""
                workspace.save_run_state(state)

    def _tell(self, made: TryRecord, tried: Tried, result: Result) -> None:
        log, view = self._ground.log, self._ground.view
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
        if result.trouble:
            log.say(result.trouble)
            view.say(f"      {one_line(result.trouble, 300)}", "yellow")

    def _end_run(self) -> None:
        ground, last = self._ground, self._made[-1]
        repository = ground.workspace.repository
        title = repository.subject(last.commit_hash) if repository and last.commit_hash else ""
        ground.view.run_ended(last, time.monotonic() - self._began_run, title)
        if last.outcome.succeeded:
            Inbox(ground.workspace).settle_run(ground.relay, last.run_id)
        ground.relay.completed_iterations = self._state.done
        ground.relay.first_try_id = ground.relay.first_try_id or self._made[0].id
        ground.relay.last_try_id = last.id
        self.save_relay()

    def save_relay(self) -> None:
        """Write the relay's record in place of its older one."""
        workspace, relay = self._ground.workspace, self._ground.relay
        with workspace.changing():
            others = [held for held in workspace.relays.read() if held.id != relay.id]
            workspace.relays.rewrite(sorted([*others, relay], key=lambda held: held.id))

    def _wait(self, wait: Wait) -> list[Effect]:
        """Wait, showing what for and how long; a stop ends it."""
        ground = self._ground
        ground.log.say(f"waiting {duration(wait.seconds)}: {wait.why}")
        ground.view.wait_began(wait.why, wait.seconds)
        deadline = time.monotonic() + wait.seconds
        while not ground.orders.stop and (left := deadline - time.monotonic()) > 0:
            ground.view.wait(wait.why, left)
            ground.orders.wait(min(1.0, left))
        ground.view.wait_ended()
        return self._feed(StopAsked() if ground.orders.stop else WaitOver())

    def _end(self, end: End, seconds: float) -> None:
        ground = self._ground
        if trouble := ground.work.commit_records():
            ground.view.say(trouble, "yellow")
        if end.how is not Ending.STOPPED:
            ground.relay.ended_at, ground.relay.ended_why = now(), end.why or end.how
            if end.how is Ending.COMPLETE:
                Inbox(ground.workspace).settle_relay(ground.relay)
        self.save_relay()
        ground.log.say(f"relay {ground.relay.id} {end.how}: {end.why or 'target reached'}")
        runs = tally(self._made)
        if end.how is Ending.STOPPED and self._state.run in runs:
            runs[self._state.run] = Outcome.CANCELLED
        ground.view.relay_ended(end, runs, seconds, spending(self._made))
        if end.how is Ending.STOPPED:
            ground.view.say("  go on with: rally start --resume", "dim")
        for made in self._made[-1:]:
            ground.view.say(f"  see: rally status, rally tail --try {made.id}, git log", "dim")
