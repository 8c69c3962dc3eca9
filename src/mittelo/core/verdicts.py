"""How a try ended, judged by exit code, the CLI's own events and the repository; never by prose."""

import re
import signal
from collections.abc import Iterator
from datetime import UTC, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.clipping import one_line, printable
from mittelo.core.faults import Category, Evidence, Fault, Source, Trace, classify
from mittelo.core.records import Outcome
from mittelo.core.signs import Erred, Reading
from mittelo.core.tries import Finish, Stop

REASON_BUDGET = 300
_HTTP = re.compile(r"HTTP (\d{3})")
_RULE = re.compile(r"-+ .* -+")
_TROUBLE = re.compile(r"error|fail|cannot|unable|not |denied|invalid|missing", re.IGNORECASE)


class Facts(Struct, frozen=True):
    """All that counts when a try is judged.

    `answered`: there is a final message. `needs_end`: the CLI writes an end event, so that its
    absence means that it broke off.
    `changed`: a commit appeared, or a file differs from how the try found it.
    `handed_off`: the agent recorded a handoff. `budget` tells which one it passed. `errors` is the
    tail of its stderr, `logged` what the CLI's own session log tells. Times of day without a zone
    are of `zone`.
    """

    finish: Finish
    reading: Reading
    answered: bool
    needs_end: bool
    changed: bool
    require_changes: bool
    handed_off: bool = False
    budget: str = ""
    errors: str = ""
    exit_meaning: str = ""
    logged: tuple[Erred, ...] = ()
    faults: tuple[Fault, ...] = ()
    now: float = 0.0
    zone: tzinfo = UTC


class Verdict(Struct, frozen=True):
    """The outcome, why, by what it was seen, and whether the same runner may try again at once.

    `stuck`: no runner can do better. `run_is_over`: what is left is to hand the work off.
    """

    outcome: Outcome
    reason: str = ""
    cancelled_by: str = ""
    retryable: bool = True
    evidence: Evidence | None = None
    run_is_over: bool = False
    stuck: bool = False


def judge(facts: Facts) -> Verdict:
    """Return the verdict; the first thing that speaks against success names the reason."""
    match facts.finish:
        case Finish(stop=Stop.TRY_TIMEOUT):
            return _cut_short(facts, Category.TIMED_OUT, "try timeout", Outcome.RUN_TIMEOUT)
        case Finish(stop=Stop.RUN_TIMEOUT):
            cut = _cut_short(facts, Category.TIMED_OUT, "run timeout", Outcome.RUN_TIMEOUT)
            return replace(cut, run_is_over=True)
        case Finish(stop=Stop.STALLED, frozen=str(seen)):
            why = f"frozen: {seen}" if seen else "frozen"
            return _cut_short(facts, Category.STALLED, why, Outcome.FAILED)
        case Finish(stop=Stop.BUDGET):
            why = facts.budget or "a budget is used up"
            evidence = Evidence(Category.OVER_BUDGET, Source.OURSELVES, why, why)
            return Verdict(Outcome.FAILED, why, retryable=False, evidence=evidence)
        case Finish(stop=Stop.LINGERED):
            facts = replace(facts, finish=Finish(0))
        case Finish(stop=Stop() as stop):
            return Verdict(Outcome.CANCELLED, f"cancelled ({stop})", cancelled_by=stop)
        case Finish(not_started=str(why)) if why:
            evidence = Evidence(Category.HARNESS_LAUNCH, Source.OURSELVES, why, why)
            return Verdict(
                Outcome.FAILED, f"could not start: {why}", retryable=False, evidence=evidence
            )
        case Finish(code=None):
            evidence = Evidence(Category.TRANSIENT_INFRA, Source.OURSELVES, "keeper was killed")
            return Verdict(
                Outcome.FAILED, "harness error: its keeper was killed", evidence=evidence
            )
    if reason := _harness_error(facts) or _agent_error(facts):
        return _failed(facts, reason)
    if facts.handed_off:
        return Verdict(Outcome.HANDOFF_REQUESTED)
    if facts.require_changes and not facts.changed:
        evidence = Evidence(Category.NO_CHANGES, Source.REPOSITORY, "nothing was changed")
        return Verdict(Outcome.FAILED, "no changes made", evidence=evidence)
    return Verdict(Outcome.COMPLETED)


def judge_handoff(facts: Facts) -> Verdict:
    """Return the verdict on a try that was only to hand the work off."""
    verdict = judge(facts)
    if verdict.outcome.open_ended:
        return verdict
    if facts.handed_off:
        return Verdict(Outcome.HANDOFF_REQUESTED)
    match facts.finish:
        case Finish(stop=Stop()):
            why = "handoff timeout"
        case Finish(code=0):
            why = "handoff not completed"
        case _:
            why = "handoff failed"
    evidence = verdict.evidence or Evidence(Category.TIMED_OUT, Source.OURSELVES, why, why)
    return Verdict(Outcome.HANDOFF_TIMEOUT, why, retryable=False, evidence=evidence)


def without_handoff(verdict: Verdict, *, resumes: bool, session: str) -> Verdict:
    """Return the verdict on a run that is out of time, where nobody can hand it off."""
    if not verdict.run_is_over or (resumes and session):
        return verdict
    why = "no session captured" if resumes else "harness cannot resume"
    reason = f"run timeout; {why} for handoff"
    return replace(verdict, outcome=Outcome.HANDOFF_TIMEOUT, reason=reason)


def _failed(facts: Facts, reason: str) -> Verdict:
    """Return the verdict on a failure, told by its kind as far as that is known."""
    traces = [*_traces(facts, passing=False)]
    evidence = classify(traces, facts.faults, facts.now, facts.zone)
    if evidence is None:
        evidence = Evidence(Category.UNIDENTIFIED_ISSUE, Source.NONE, reason, reason)
        return Verdict(Outcome.FAILED, reason, evidence=evidence)
    told = reason.partition(": ")[2] or reason
    text = f"{_limit(evidence, facts.now) or evidence.category.label}: {told}"
    return Verdict(
        Outcome.FAILED,
        one_line(text, REASON_BUDGET),
        retryable=not evidence.category.is_final,
        evidence=evidence,
    )


def _cut_short(facts: Facts, category: Category, reason: str, outcome: Outcome) -> Verdict:
    """Return the verdict on a try that we ended; a limit that it waited for explains it."""
    found = classify([*_traces(facts, passing=True)], facts.faults, facts.now, facts.zone)
    if found and category is Category.STALLED:
        said = f"{_limit(found, facts.now) or found.category.label}: {found.message}"
        text = one_line(f"{reason}: {said}", REASON_BUDGET)
        return Verdict(outcome, text, retryable=not found.category.is_final, evidence=found)
    message = found.message if found else ""
    signal_ = found.signal if found else ""
    evidence = Evidence(category, Source.OURSELVES, message or reason, signal_ or reason)
    return Verdict(outcome, reason, evidence=evidence)


def _limit(evidence: Evidence, now: float) -> str:
    """Return the words for a limit: what it is, and how long it lasts."""
    if not evidence.resets or not evidence.category.is_limit:
        return ""
    minutes, seconds = divmod(int(evidence.resets - now + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    if evidence.category is Category.USAGE_LIMIT:
        return f"usage limit, resets in {f'{hours}h' if hours else ''}{minutes}m"
    wait = f"{hours * 60 + minutes}m" if minutes or hours else f"{seconds}s"
    return f"{evidence.category.label}, waiting {wait}"


def _traces(facts: Facts, *, passing: bool) -> Iterator[Trace]:
    """Yield what the CLI reported of its failure; with `passing` also what it went on from."""
    reading = facts.reading
    for error in reading.errors:
        if passing or not error.passing:
            yield Trace(Source.EVENT, error.message, error.status, error.detail)
        elif error.detail:
            yield Trace(Source.NONE, "", None, error.detail)
    if reading.ended and not reading.ended.ok:
        yield Trace(Source.EVENT, reading.ended.message)
    if facts.errors.strip():
        yield Trace(Source.STDERR, printable(facts.errors))
    for error in facts.logged:
        yield Trace(Source.SESSION_LOG, error.message, error.status, error.detail)
    if facts.exit_meaning:
        status = _HTTP.fullmatch(facts.exit_meaning)
        yield Trace(Source.EXIT_CODE, facts.exit_meaning, int(status[1]) if status else None)


def _harness_error(facts: Facts) -> str:
    code = facts.finish.code
    if not code:
        return ""
    how = f"exit {code}" if code > 0 else f"ended by {_signal_name(-code)}"
    meaning = f" ({facts.exit_meaning})" if facts.exit_meaning else ""
    said = _complaint(facts.reading) or _last_complaint(facts.errors)
    return one_line(f"harness error: {how}{meaning}" + (f": {said}" if said else ""), REASON_BUDGET)


def _agent_error(facts: Facts) -> str:
    reading = facts.reading
    if reading.ended and not reading.ended.ok:
        said = _complaint(reading) or "it reported an error"
        return one_line(f"agent error: {said}", REASON_BUDGET)
    if reading.trouble:
        return one_line(f"agent error: {reading.trouble}", REASON_BUDGET)
    if facts.needs_end and not reading.ended:
        return "agent error: it exited without an end event"
    if not facts.answered and not facts.changed:
        return "agent error: empty answer"
    return ""


def _complaint(reading: Reading) -> str:
    """Return what the CLI itself said of its failure."""
    if reading.ended and not reading.ended.ok and reading.ended.message:
        return reading.ended.message
    lasting = [error.message for error in reading.errors if not error.passing]
    return lasting[-1] if lasting else ""


def _last_complaint(errors: str) -> str:
    """Return the line of stderr that tells of the trouble, else all that it says."""
    lines = [*dict.fromkeys(line.strip() for line in printable(errors).splitlines())]
    named = [line for line in lines if line.startswith("Error:")]
    troubles = [line for line in lines if _TROUBLE.search(line) and not _RULE.fullmatch(line)]
    return (named[:1] or troubles[-1:] or ["\n".join(lines).strip()])[0]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
