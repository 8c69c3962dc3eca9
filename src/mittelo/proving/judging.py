"""What a trial of a backend proves: that it works, that it does not, or nothing. Pure."""

import re
from datetime import UTC
from enum import StrEnum

from msgspec import Struct

from mittelo.answering.preflight import Report, Standing
from mittelo.answering.run import Answer
from mittelo.core.clipping import one_line
from mittelo.core.faults import Category, Source, Trace, classify

REASON = 300
OF_THE_MACHINE = {
    Category.AUTH_OR_PROXY: "log in, or mend its settings or the proxy",
    Category.INVALID_MODEL: "name a model that is there",
    Category.PROVIDER_OVERLOADED: "try again later",
    Category.SHORT_RATE_LIMIT: "try again later",
    Category.TRANSIENT_INFRA: "look at the network and at where its provider should be",
    Category.USAGE_LIMIT: "wait until it is reset, or use another account",
}
"""What is missing here, and no fault of how a backend is driven, and what to do about it."""

_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):|^panicked at|^thread '.+' panicked at"
    r"|^(?:Uncaught )?(?:Type|Reference|Syntax|Range)Error: .+\n +at ",
    re.MULTILINE,
)
_ERROR_LIKE = re.compile(
    r"\s*(?:\[?(?:api )?error\]?\b ?[:\]]|fatal:|usage: |traceback \(most|invalid api key"
    r"|llm not set|unauthorized\b|stream disconnected|not logged in|please run /login"
    r"|\{\"(?:type\":\"error|error)\"|.{0,40}command not found)",
    re.IGNORECASE,
)


_UNFETCHED = re.compile(r"^npm (?:error|ERR!)", re.MULTILINE)
"""What npx says when it cannot fetch a program that is not installed."""


class Mark(StrEnum):
    """The verdict of a trial."""

    PASS = "PASS"  # noqa: S105 - it is no password
    FAIL = "FAIL"
    SKIP = "SKIP"


class Judged(Struct, frozen=True):
    """A verdict, and why; a pass needs no reason."""

    mark: Mark
    reason: str = ""


def judge_readiness(report: Report, *, run_on_warn: bool) -> Judged | None:
    """Return why a backend is not tried at all; None when it is."""
    if report.status is Standing.OK or (run_on_warn and report.status is Standing.WARN):
        return None
    why = " ".join(report.problems or report.warnings)
    tip = "" if report.problems else " (--run-on-warn tries it all the same)"
    return Judged(Mark.SKIP, f"{_short(why)}{tip}")


def judge(answer: Answer, report: Report) -> Judged:
    """Return what a run proves; where preflight had doubts, a failure does not prove much."""
    if answer.stopped:
        return Judged(Mark.SKIP, "it was interrupted")
    if answer.ok:
        return _judge_text(answer.text)
    if found := _TRACEBACK.search(answer.errors):
        return Judged(
            Mark.FAIL, _short(f"a traceback: {_last_line(answer.errors[found.start() :])}")
        )
    reason = _short(answer.reason)
    category = _cause(answer)
    if category in OF_THE_MACHINE:
        return Judged(Mark.SKIP, f"{reason.rstrip('.')}: {OF_THE_MACHINE[category]}")
    if _UNFETCHED.search(answer.errors):
        return Judged(Mark.SKIP, f"{reason.rstrip('.')}: install it")
    doubts = _short(f"{reason}. {' '.join(report.warnings)}") if report.warnings else reason
    return Judged(Mark.FAIL if report.status is Standing.OK else Mark.SKIP, doubts)


def _judge_text(text: str) -> Judged:
    if not text.strip():
        return Judged(Mark.FAIL, "the answer is empty, and yet the run is a success")
    if _TRACEBACK.search(text):
        return Judged(Mark.FAIL, _short(f"a traceback as the answer: {_last_line(text)}"))
    if _ERROR_LIKE.match(text):
        return Judged(Mark.FAIL, _short(f"an error as the answer: {text}"))
    return Judged(Mark.PASS)


def _cause(answer: Answer) -> Category | None:
    """Return what it failed of; where its time ran out, what it said until then tells more."""
    if answer.category is not Category.TIMED_OUT or not answer.errors:
        return answer.category
    found = classify([Trace(Source.STDERR, answer.errors)], (), 0.0, UTC)
    return found.category if found else answer.category


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def _short(text: str) -> str:
    return one_line(text, REASON)
