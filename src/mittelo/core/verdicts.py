"""How a try ended, judged by exit code, the CLI's own events and the repository; never by prose."""

import re
import signal

from msgspec import Struct

from mittelo.core.clipping import one_line, printable
from mittelo.core.records import Outcome
from mittelo.core.signs import Reading
from mittelo.core.tries import Finish, Stop

REASON_BUDGET = 300
_RULE = re.compile(r"-+ .* -+")
_TROUBLE = re.compile(r"error|fail|cannot|unable|not |denied|invalid|missing", re.IGNORECASE)


class Facts(Struct, frozen=True):
    """All that counts when a try is judged.

    `answered`: there is a final message. `needs_end`: the CLI writes an end event, so that its
    absence means that it broke off.
    `changed`: a commit appeared, or a file differs from how the try found it.
    `handed_off`: the agent recorded a handoff. `errors` is the tail of its stderr.
    """

    finish: Finish
    reading: Reading
    answered: bool
    needs_end: bool
    changed: bool
    require_changes: bool
    handed_off: bool = False
    errors: str = ""
    exit_meaning: str = ""


class Verdict(Struct, frozen=True):
    """The outcome, why, and whether trying the same again can make sense."""

    outcome: Outcome
    reason: str = ""
    cancelled_by: str = ""
    retryable: bool = True


def judge(facts: Facts) -> Verdict:
    """Return the verdict; the first thing that speaks against success names the reason."""
    match facts.finish:
        case Finish(stop=Stop.TRY_TIMEOUT):
            return Verdict(Outcome.RUN_TIMEOUT, "try timeout")
        case Finish(stop=Stop() as stop):
            return Verdict(Outcome.CANCELLED, f"cancelled ({stop})", cancelled_by=stop)
        case Finish(not_started=str(why)) if why:
            return Verdict(Outcome.FAILED, f"could not start: {why}", retryable=False)
        case Finish(code=None):
            return Verdict(Outcome.FAILED, "harness error: its keeper was killed")
    reason = _harness_error(facts) or _agent_error(facts)
    if reason:
        return Verdict(Outcome.FAILED, reason)
    if facts.handed_off:
        return Verdict(Outcome.HANDOFF_REQUESTED)
    if facts.require_changes and not facts.changed:
        return Verdict(Outcome.FAILED, "no changes made")
    return Verdict(Outcome.COMPLETED)


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
