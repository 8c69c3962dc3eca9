"""Why a try failed: the category, from what the CLI itself reported; never from prose.

What an agent said or a tool printed is not looked at. The phrases are those of claude 2.1, codex
0.169, gemini 0.61, opencode 1.18 and of the providers' own errors.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from enum import StrEnum
from functools import cache

from msgspec import Struct

from mittelo.core.clipping import one_line, printable
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
    OVER_BUDGET = "over_budget"
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
_ENDS_BY_ITSELF = {
    Category.USAGE_LIMIT,
    Category.SHORT_RATE_LIMIT,
    Category.PROVIDER_OVERLOADED,
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


def _status(codes: str) -> str:
    """Return a pattern for a status that a message names as one; a mere number is none."""
    return rf"(?:\b(?:http|status|code|error|received|rejected)\b[\s:=('\"]{{0,3}}){{1,3}}{codes}\b"


FAULTS: tuple[Fault, ...] = (
    Fault(
        Category.HARNESS_LAUNCH,
        r"could not start|argument list too long|fork/exec|exec format error"
        r"|cannot be used with root|not running in a trusted directory"
        r"|executable file not found|cannot be started in the sandbox"
        r"|\bbwrap: (?:can't|no permission|creating|setting|loopback|failed)",
    ),
    Fault(
        Category.SESSION_LOST,
        r"no (?:conversation|saved session) found with|no rollout found for"
        r"|(?:session|conversation|thread) not found|error resuming session"
        r"|no previous sessions found|invalid session identifier",
    ),
    Fault(
        Category.CONTEXT_TOO_LONG,
        r"context.?(?:window|length|limit|size)|contextoverflow|(?:prompt|input) is too long"
        r"|ran out of room|maximum context|too many (?:input )?tokens in"
        r"|token count.{0,40}exceeds",
        (413,),
    ),
    Fault(
        Category.CONTENT_REFUSAL,
        r"content.?(?:filter|policy)|usage polic|safety (?:system|filter|settings)"
        r"|flagged (?:as|for)|responsible ai|blocked by .{0,40}filter|prohibited.?content"
        r"|finish.?reason\W{0,3}(?:safety|recitation)|\brefusal\b",
    ),
    Fault(
        Category.INVALID_MODEL,
        r"model.?not.?found|no such model|models?[ /][`'\"]?[^ ]+[`'\"]? is not found"
        r"|model(?: [`'\"]?[^ ]+[`'\"]?)? (?:does not exist|is not (?:supported|available))"
        r"|(?:issue with the|invalid|unknown|unsupported) (?:selected )?model\b"
        r"|not_found_error.{0,40}model\b",
    ),
    Fault(
        Category.AUTH_OR_PROXY,
        r"authentication.?(?:failed|error|required)|failed to authenticate|error authenticating"
        r"|(?:invalid|incorrect) (?:x-)?api.?key|api.?key not valid"
        r"|api.?key.{0,20}(?:invalid|expired|missing|required)|\bunauthorized(?:error)?\b"
        r"|\bunauthenticated\b|\bforbidden(?:error)?\b|not (?:yet )?logged in(?:to)?\b"
        r"|please (?:run /login|sign in|log in)|login required|permission_?denied"
        r"|permission denied (?:on|for) |does not have permission|ineligibletiererror"
        r"|unsupported_client|error getting token source|no longer supported for gemini code assist"
        r"|proxy authentication|must specify the [a-z_]+ environment variable|no credentials"
        r"|missing (?:api key|credentials|bearer)"
        r"|(?:oauth|access|refresh) token.{0,20}(?:expired|revoked|could not be refreshed)",
        (401, 403, 407),
    ),
    Fault(
        Category.USAGE_LIMIT,
        r"(?:usage|session|weekly|daily|monthly|opus|sonnet|spend(?:ing)?|plan|individual|account)"
        r" (?:usage |rate |spend )?(?:limit|quota|cap)\b"
        r"|(?:five|5)[- _]?hour (?:rate |usage )?(?:limit|cap|window)"
        r"|seven[- _]?day|quota reached|five_hour"
        r"|usage.?limit|insufficient.?(?:account.?)?(?:quota|credit|balance|funds)"
        r"|quota.?exceeded(?! for)|hit your (?:[\w-]+ )?limit|reached your [\w -]{0,30}limit"
        r"|(?:^|[:;.·]) ?limit (?:hit|reached)|credit balance"
        r"|billing.?(?:error|hard limit|not active)|out of (?:extra )?(?:usage|credits|quota)"
        r"|payment required|exceeded your (?:monthly|daily|weekly)",
        (402,),
    ),
    Fault(
        Category.PROVIDER_OVERLOADED,
        rf"overloaded|high demand|at capacity|no capacity|capacity_exhausted|service unavailable"
        rf"|temporarily unavailable|{_status('(?:503|529)')}|\b529 overload",
        (503, 529),
    ),
    Fault(
        Category.SHORT_RATE_LIMIT,
        rf"(?<![a-z]-)rate.?limit|too many requests|{_status('429')}"
        r"|resource.?(?:has been )?exhausted|exhausted your capacity"
        r"|exceeded your current quota|quota exceeded for|requests per minute|tokens per min"
        r"|concurren\w+ (?:requests|limit)",
        (429,),
    ),
    Fault(
        Category.HARNESS_LAUNCH,
        r"command not found|unknown (?:option|flag|argument)|unexpected argument"
        r"|unrecognized (?:option|arguments?)|bad configuration|invalid configuration",
    ),
    Fault(
        Category.TRANSIENT_INFRA,
        r"connection.?(?:refused|reset|error|failed|closed|aborted)|unable to connect"
        r"|cannot connect|fetch failed|failed to fetch|error sending request|network"
        r"|timed?.?out|timeout|deadline exceeded|\beconn[a-z]+|enotfound|eai_again"
        r"|socket hang up|getaddrinfo|name resolution|\bdns\b|no route to host|\btls\b|\bssl\b"
        r"|certificate|stream (?:disconnected|closed|ended)|empty (?:or malformed )?response"
        r"|finish reason|json.{0,20}(?:pars|error|segment)|unterminated string|unexpected end of"
        r"|internal (?:server )?error|(?<!unexpected )server.?error|server had an error"
        rf"|bad gateway|gateway timeout|{_status('50[0-4]')}",
        (408, 409, 425, 500, 502, 504, 520, 521, 522, 523, 524),
    ),
)
"""The phrases of all CLIs, the most telling first."""


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
    fault, line = _fault_of(trace, faults)
    if fault is None:
        return None
    resets = _reset(fault.category, trace, traces, now, zone)
    category = _by_length(fault.category, resets, now)
    message = one_line(line, MESSAGE_BUDGET) or category.label
    return Evidence(
        category=category,
        source=trace.source,
        message=message,
        signal=one_line(line, SIGNAL_BUDGET) or message,
        status=trace.status,
        resets=resets,
        retry_after=resets - now if resets else None,
    )


def _fault_of(trace: Trace, faults: list[Fault]) -> tuple[Fault | None, str]:
    """Return what a trace means, and the line that told.

    The words of the CLI weigh more than those of the provider that it passed on, and a status
    alone decides where no words are known. What the CLI calls a rate limit may be a plan's.
    """
    flat = (" ".join(printable(line).split()) for line in reversed(trace.text.splitlines()))
    lines = [line for line in flat if line]
    told = ((_matching(line, faults), line) for line in lines)
    fault, line = next(((fault, line) for fault, line in told if fault), (None, ""))
    if fault is None or fault.category is Category.SHORT_RATE_LIMIT:
        passed_on = _matching(trace.detail, faults)
        if passed_on and (fault is None or passed_on.category is Category.USAGE_LIMIT):
            return passed_on, line or trace.detail
    if fault is None:
        fault = next((f for f in faults if trace.status and trace.status in f.statuses), None)
    return fault, line or (lines[0] if lines else "")


def _matching(text: str, faults: Iterable[Fault]) -> Fault | None:
    if not text:
        return None
    return next((fault for fault in faults if _compiled(fault.pattern).search(text)), None)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _reset(
    category: Category, trace: Trace, traces: Sequence[Trace], now: float, zone: tzinfo
) -> float | None:
    """Return when it ends: as the trace itself says, else as any other says."""
    if category not in _ENDS_BY_ITSELF:
        return None
    ordered = [trace, *(other for other in reversed(traces) if other is not trace)]
    least = now + SHORTEST_USAGE if category is Category.USAGE_LIMIT else now
    found = (find_reset(f"{one.detail}\n{one.text}", now, zone) for one in ordered)
    return next((at for at in found if at and at >= least), None)


def _by_length(category: Category, resets: float | None, now: float) -> Category:
    """Return the kind of a limit by how long it lasts."""
    if category is Category.SHORT_RATE_LIMIT and resets and resets - now > LONG_LIMIT_SECONDS:
        return Category.USAGE_LIMIT
    return category
