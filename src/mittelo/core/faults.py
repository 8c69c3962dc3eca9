"""Why a try failed: the category, from what the CLI itself reported; never from prose.

What an agent said or a tool printed is not looked at. The phrases are those of claude 2.1, codex
0.169, gemini 0.61, opencode 1.18 and of the providers' own errors.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from enum import StrEnum

from msgspec import Struct

from mittelo.core.clipping import one_line
from mittelo.core.resets import find_reset

SIGNAL_BUDGET = 256
MESSAGE_BUDGET = 200
SHORTEST_USAGE = 60.0
"""A usage limit that is said to end sooner is not believed: gemini says so of a daily quota."""

LONG_LIMIT_SECONDS = 900.0
"""A limit that lasts longer than this is a usage limit, however it is called."""


class Category(StrEnum):
    """What kind of failure it was."""

    USAGE_LIMIT = "usage_limit"
    SHORT_RATE_LIMIT = "short_rate_limit"
    PROVIDER_OVERLOADED = "provider_overloaded"
    TRANSIENT_INFRA = "transient_infra"
    INVALID_MODEL = "invalid_model"
    AUTH_OR_PROXY = "auth_or_proxy"
    HARNESS_LAUNCH = "harness_launch"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_REFUSAL = "content_refusal"
    SESSION_LOST = "session_lost"
    STALLED = "stalled"
    TIMED_OUT = "timed_out"
    INCOMPLETE_FINALIZATION = "incomplete_finalization"
    NO_CHANGES = "no_changes"
    AGENT_ERROR = "agent_error"
    UNIDENTIFIED_ISSUE = "unidentified_issue"

    @property
    def label(self) -> str:
        """Return it as people read it; it never names a harness."""
        return _LABELS.get(self, self.value.replace("_", " "))

    @property
    def is_infra(self) -> bool:
        """Tell whether it is nobody's fault in the relay: only those let a runner pause."""
        return self in _INFRA

    @property
    def is_limit(self) -> bool:
        """Tell whether it ends by itself, at a time that may be known."""
        return self in {Category.USAGE_LIMIT, Category.SHORT_RATE_LIMIT}

    @property
    def is_final(self) -> bool:
        """Tell whether the same runner cannot do better in this relay without somebody's help."""
        return self in {Category.INVALID_MODEL, Category.AUTH_OR_PROXY}


_LABELS = {
    Category.SHORT_RATE_LIMIT: "rate limit",
    Category.TRANSIENT_INFRA: "infra error",
    Category.AUTH_OR_PROXY: "auth/proxy error",
    Category.HARNESS_LAUNCH: "harness launch error",
    Category.CONTEXT_TOO_LONG: "context too long",
    Category.STALLED: "frozen",
    Category.INCOMPLETE_FINALIZATION: "incomplete: file changes without finalization",
    Category.NO_CHANGES: "no changes made",
}
_INFRA = {
    Category.SHORT_RATE_LIMIT,
    Category.PROVIDER_OVERLOADED,
    Category.TRANSIENT_INFRA,
    Category.HARNESS_LAUNCH,
    Category.STALLED,
}


class Source(StrEnum):
    """Where evidence was found, the weightiest first."""

    EVENT = "event"
    STDERR = "stderr"
    SESSION_LOG = "session_log"
    EXIT_CODE = "exit_code"
    REPOSITORY = "repository"
    OURSELVES = "ourselves"
    NONE = "none"


class Trace(Struct, frozen=True):
    """Something that the CLI reported: its words, the HTTP status in them, where they stood.

    `detail` is what a provider sent with it, such as headers.
    """

    source: Source
    text: str
    status: int | None = None
    detail: str = ""


class Evidence(Struct, frozen=True, omit_defaults=True):
    """What a failure was found to be, and by what.

    `signal` is the line that told; `resets` an epoch second, `retry_after` seconds.
    """

    category: Category
    source: Source
    message: str = ""
    signal: str = ""
    status: int | None = None
    resets: float | None = None
    retry_after: float | None = None


class Fault(Struct, frozen=True):
    """Phrases that mean a category."""

    category: Category
    pattern: str
    statuses: tuple[int, ...] = ()


FAULTS: tuple[Fault, ...] = (
    Fault(
        Category.SESSION_LOST,
        r"no conversation found with session|no rollout found for thread|session not found"
        r"|error resuming session|no previous sessions found|invalid session identifier",
    ),
    Fault(
        Category.CONTEXT_TOO_LONG,
        r"context.?(?:window|length)|contextoverflow|prompt is too long|input is too long"
        r"|ran out of room|maximum context|too many (?:input )?tokens in",
        (413,),
    ),
    Fault(
        Category.CONTENT_REFUSAL,
        r"content.?(?:filter|policy)|usage polic|safety (?:system|filter|settings)"
        r"|flagged (?:as|for)|model stopped: content|responsible ai|blocked by .{0,40}filter"
        r"|prohibited.?content",
    ),
    Fault(
        Category.INVALID_MODEL,
        r"model.?not.?found|model does not exist|no such model"
        r"|model [`'\"]?[^ ]+[`'\"]? (?:does not exist|is not (?:found|supported|available))"
        r"|(?:issue with the|invalid|unknown|unsupported) (?:selected )?model",
    ),
    Fault(
        Category.AUTH_OR_PROXY,
        r"authentication.?(?:failed|error)|(?:invalid|incorrect) (?:x-)?api.?key"
        r"|api.?key not valid|api.?key.{0,20}(?:invalid|expired|missing)|\bunauthorized\b"
        r"|\bunauthenticated\b|\bforbidden\b|not logged in|please run /login|login required"
        r"|permission.?denied(?!: ['\"/])|does not have permission|ineligibletiererror"
        r"|unsupported_client|error authenticating|error getting token source"
        r"|no longer supported for gemini code assist|proxy authentication"
        r"|must specify the [a-z_]+ environment variable|missing (?:api key|credentials|bearer)"
        r"|oauth token (?:has )?(?:expired|been revoked)",
        (401, 403, 407),
    ),
    Fault(
        Category.USAGE_LIMIT,
        r"(?:usage|session|weekly|daily|monthly|opus|sonnet|spend(?:ing)?|plan|individual|account)"
        r" (?:usage |rate |spend )?(?:limit|quota|cap)\b"
        r"|(?:five|5).?hour (?:rate |usage )?(?:limit|cap|window)|seven.?day|quota reached"
        r"|usage.?limit|insufficient.?(?:quota|credit|balance|funds)|quota.?exceeded(?! for)"
        r"|credit balance|billing.?(?:error|hard limit|not active)|out of (?:credits|quota)"
        r"|payment required|exceeded your (?:monthly|daily|weekly)",
        (402,),
    ),
    Fault(
        Category.PROVIDER_OVERLOADED,
        r"overload|\b529\b|\b503\b|high demand|at capacity|service unavailable"
        r"|temporarily unavailable",
        (503, 529),
    ),
    Fault(
        Category.SHORT_RATE_LIMIT,
        r"rate.?limit|too many requests|\b429\b|resource.?(?:has been )?exhausted"
        r"|exceeded your current quota|quota exceeded for|requests per minute|tokens per min",
        (429,),
    ),
    Fault(
        Category.HARNESS_LAUNCH,
        r"could not start|argument list too long|fork/exec|exec format error"
        r"|cannot be used with root|not running in a trusted directory|command not found"
        r"|executable file not found|unknown (?:option|flag|argument)|unexpected argument"
        r"|unrecognized (?:option|arguments?)|bad configuration|invalid configuration",
    ),
    Fault(
        Category.TRANSIENT_INFRA,
        r"connection.?(?:refused|reset|error|failed|closed|aborted)|unable to connect"
        r"|cannot connect|fetch failed|failed to fetch|network|timed?.?out|timeout"
        r"|deadline exceeded|econn|enotfound|eai_again|socket hang up|getaddrinfo"
        r"|name resolution|\bdns\b|no route to host|\btls\b|\bssl\b|certificate"
        r"|stream (?:disconnected|closed|ended)|empty or malformed response|finish reason"
        r"|json.{0,20}(?:pars|error|segment)|unterminated string|unexpected end of"
        r"|internal (?:server )?error|server.?error|server had an error|bad gateway"
        r"|gateway timeout|\b50[0-4]\b",
        (408, 409, 425, 500, 502, 504, 520, 521, 522, 523, 524),
    ),
)
"""The phrases of all CLIs, the most telling first."""

_COMPILED = {fault.pattern: re.compile(fault.pattern, re.IGNORECASE) for fault in FAULTS}


def classify(
    traces: Sequence[Trace], own: Iterable[Fault], now: float, zone: tzinfo
) -> Evidence | None:
    """Return what the traces of a failed try tell; None when they tell nothing known.

    Errors of the CLI's events weigh more than its stderr, that more than its log and exit code;
    of one kind the last that tells anything counts. `own` are phrases of the harness, tried first.
    """
    faults = [*own, *FAULTS]
    for source in Source:
        told = [trace for trace in traces if trace.source is source]
        for trace in reversed(told):
            if evidence := _read(trace, faults, traces, now, zone):
                return evidence
    return None


def _read(
    trace: Trace, faults: list[Fault], traces: Sequence[Trace], now: float, zone: tzinfo
) -> Evidence | None:
    for line in [*reversed(trace.text.splitlines() or [""]), trace.detail]:
        fault = _fault_of(line, trace.status, faults)
        if fault is None:
            continue
        resets = _reset(trace, traces, now, zone)
        if fault.category is Category.USAGE_LIMIT and resets and resets - now < SHORTEST_USAGE:
            resets = None
        category = _by_length(fault.category, resets, now)
        return Evidence(
            category=category,
            source=trace.source,
            message=one_line(line, MESSAGE_BUDGET) or category.label,
            signal=one_line(line, SIGNAL_BUDGET),
            status=trace.status,
            resets=resets,
            retry_after=resets - now if resets else None,
        )
    return None


def _fault_of(line: str, status: int | None, faults: list[Fault]) -> Fault | None:
    """Return what a line means; a status alone decides where no phrase is known."""
    for fault in faults:
        compiled = _COMPILED.get(fault.pattern) or re.compile(fault.pattern, re.IGNORECASE)
        if line and compiled.search(line):
            return fault
    return next((f for f in faults if status is not None and status in f.statuses), None)


def _reset(trace: Trace, traces: Sequence[Trace], now: float, zone: tzinfo) -> float | None:
    """Return when it ends: as the trace itself says, else as any other says."""
    ordered = [trace, *(other for other in reversed(traces) if other is not trace)]
    found = (find_reset(f"{one.detail}\n{one.text}", now, zone) for one in ordered)
    return next((at for at in found if at), None)


def _by_length(category: Category, resets: float | None, now: float) -> Category:
    """Return the kind of a limit by how long it lasts."""
    if category is Category.SHORT_RATE_LIMIT and resets and resets - now > LONG_LIMIT_SECONDS:
        return Category.USAGE_LIMIT
    return category
