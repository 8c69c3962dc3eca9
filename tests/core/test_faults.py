"""What kind of failure it was, by what the CLI reported and where."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.faults import (
    FAULTS,
    LONG_LIMIT_SECONDS,
    MESSAGE_BUDGET,
    SIGNAL_BUDGET,
    Category,
    Evidence,
    Fault,
    Source,
    Trace,
    classify,
)
from mittelo.core.resets import FARTHEST
from mittelo.harness.registry import all_harnesses

NOW = datetime(2026, 6, 16, 12, 0, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
KNOWN = all_harnesses({})

C = Category
EVENT, STDERR, LOG, CODE = Source.EVENT, Source.STDERR, Source.SESSION_LOG, Source.EXIT_CODE


def judged(*traces: Trace, own: Sequence[Fault] = ()) -> Evidence | None:
    return classify(traces, own, NOW, UTC)


def told(text: str, source: Source = EVENT, status: int | None = None, detail: str = "") -> Trace:
    return Trace(source, text, status, detail)


def category(*traces: Trace) -> Category | None:
    evidence = judged(*traces)
    return evidence.category if evidence else None


class Example(NamedTuple):
    """A row of the specification's table of worked examples; `ours` says where we differ."""

    row: int
    harness: str
    source: Source
    text: str
    category: Category | None
    after: float | None = None
    ours: str = ""


IN_HOURS = {"14:30": 2.5 * HOUR, "00:05": 12 * HOUR + 5 * MINUTE, "05:22": 17 * HOUR + 22 * MINUTE}
PROSE = "prose and tool output are no traces"
IN_DOUBT = "what is not known is nothing here, and an unidentified issue in the verdict"
NO_WINDOW = "the length of a named window is no reset time"

EXAMPLES = [
    Example(
        1,
        "claude",
        EVENT,
        "rate_limit_error: This would exceed your five-hour rate limit",
        C.USAGE_LIMIT,
        ours=NO_WINDOW,
    ),
    Example(
        2,
        "claude",
        EVENT,
        "Five-hour limit reached · resets in 3h 24m",
        C.USAGE_LIMIT,
        3.4 * HOUR,
    ),
    Example(
        3,
        "claude",
        EVENT,
        "rate_limit: usage cap hit, resets in 2h 5m",
        C.USAGE_LIMIT,
        125 * MINUTE,
    ),
    Example(
        4,
        "claude",
        EVENT,
        "This would exceed your seven-day rate limit",
        C.USAGE_LIMIT,
        ours=NO_WINDOW,
    ),
    Example(
        5, "claude", EVENT, "rate limit: five hour cap exceeded", C.USAGE_LIMIT, ours=NO_WINDOW
    ),
    Example(6, "claude", EVENT, "rate_limit_error: too many requests", C.SHORT_RATE_LIMIT),
    Example(
        7,
        "claude",
        EVENT,
        "rate_limit: usage limit reached · resets at 14:30",
        C.USAGE_LIMIT,
        IN_HOURS["14:30"],
    ),
    Example(
        8,
        "claude",
        EVENT,
        "five-hour limit · resets at 2:30 PM",
        C.USAGE_LIMIT,
        IN_HOURS["14:30"],
    ),
    Example(9, "claude", EVENT, "model_not_found: no model claude-foo here", C.INVALID_MODEL),
    Example(10, "claude", EVENT, "model_not_found: rate limit was not the issue", C.INVALID_MODEL),
    Example(11, "claude", EVENT, "authentication_failed: invalid x-api-key", C.AUTH_OR_PROXY),
    Example(
        12,
        "claude",
        EVENT,
        "authentication_failed: rate limit endpoint unreachable",
        C.AUTH_OR_PROXY,
    ),
    Example(13, "claude", EVENT, "HTTP 529: Overloaded", C.PROVIDER_OVERLOADED),
    Example(14, "claude", EVENT, "api_error: Overloaded", C.PROVIDER_OVERLOADED),
    Example(15, "claude", EVENT, "Received HTTP 529 from upstream", C.PROVIDER_OVERLOADED),
    Example(16, "claude", EVENT, "rate_limit_event: five hour window", C.USAGE_LIMIT),
    Example(17, "claude", EVENT, "limit hit, resets at 12:05 AM", C.USAGE_LIMIT, IN_HOURS["00:05"]),
    Example(
        18,
        "claude",
        EVENT,
        "weekly limit reached, resets 3pm",
        C.USAGE_LIMIT,
        3 * HOUR,
        ours="a plain hour is understood",
    ),
    Example(
        19,
        "claude",
        EVENT,
        "the command failed",
        None,
        ours="a notice with status allowed is no trace; see the harness's tests",
    ),
    Example(
        20,
        "claude",
        STDERR,
        "error 429 Too Many Requests\nretry-after: 120",
        C.SHORT_RATE_LIMIT,
        120,
    ),
    Example(21, "claude", STDERR, "rate-limit exceeded", C.SHORT_RATE_LIMIT),
    Example(22, "codex", STDERR, "", None, ours=PROSE),
    Example(23, "codex", STDERR, "error: rate limit exceeded", C.SHORT_RATE_LIMIT),
    Example(24, "claude", LOG, "overloaded_error: try later", C.PROVIDER_OVERLOADED),
    Example(25, "claude", LOG, "authentication_error: no", C.AUTH_OR_PROXY),
    Example(26, "claude", LOG, "nobody knows why", None, ours=IN_DOUBT),
    Example(27, "claude", LOG, "", None),
    Example(
        28,
        "codex",
        EVENT,
        "You've hit your usage limit. Upgrade or try again at 5:22 AM.",
        C.USAGE_LIMIT,
        IN_HOURS["05:22"],
    ),
    Example(
        29,
        "codex",
        EVENT,
        "You have hit the usage limit. Try again at 11:30 PM.",
        C.USAGE_LIMIT,
        11.5 * HOUR,
    ),
    Example(30, "codex", EVENT, "You've hit your usage limit. Upgrade to Pro.", C.USAGE_LIMIT),
    Example(
        31,
        "codex",
        EVENT,
        "You've hit your usage limit. Try again at 5:22 AM.\n"
        "You've hit your usage limit. Try again at 5:22 AM.",
        C.USAGE_LIMIT,
        IN_HOURS["05:22"],
    ),
    Example(32, "codex", EVENT, "Invalid API key provided", C.AUTH_OR_PROXY),
    Example(33, "codex", EVENT, "Unauthorized: check your API key", C.AUTH_OR_PROXY),
    Example(
        34,
        "codex",
        EVENT,
        "Authentication failed: rate limit endpoint unreachable",
        C.AUTH_OR_PROXY,
    ),
    Example(35, "codex", EVENT, "Model not found: gpt-foo", C.INVALID_MODEL),
    Example(36, "codex", EVENT, "Rate limit exceeded for gpt-5", C.SHORT_RATE_LIMIT),
    Example(36, "codex", EVENT, "Too many requests, slow down", C.SHORT_RATE_LIMIT),
    Example(
        37,
        "codex",
        EVENT,
        "You've hit your usage limit. try again in 3 days 4 hours",
        C.USAGE_LIMIT,
        3 * DAY + 4 * HOUR,
        ours="days and hours in words are understood",
    ),
    Example(
        38,
        "codex",
        STDERR,
        "limit warning reached\ncompletion generated",
        None,
        ours="a warning in a run that succeeds is not looked at",
    ),
    Example(39, "antigravity", STDERR, "limit warning reached\ncompletion generated", None),
    Example(40, "codex", LOG, "turn_aborted", None, ours=IN_DOUBT),
    Example(41, "codex", LOG, "", None, ours="a log that is not there tells nothing"),
    Example(42, "codex", LOG, "", None, ours="a log of another time tells nothing"),
    Example(43, "codex", LOG, "", None),
    Example(44, "antigravity", STDERR, "RESOURCE_EXHAUSTED: Quota exceeded", C.USAGE_LIMIT),
    Example(
        45,
        "antigravity",
        STDERR,
        "RESOURCE_EXHAUSTED: Individual quota reached. Resets in 7d.",
        C.USAGE_LIMIT,
        7 * DAY,
    ),
    Example(
        46,
        "antigravity",
        STDERR,
        "Individual quota reached. Resets in 5h30m.",
        C.USAGE_LIMIT,
        5.5 * HOUR,
    ),
    Example(
        47,
        "antigravity",
        STDERR,
        "Individual quota reached. Resets in 30m.",
        C.USAGE_LIMIT,
        30 * MINUTE,
    ),
    Example(
        48,
        "antigravity",
        STDERR,
        "RESOURCE_EXHAUSTED, wait. Resets in 1.5d.",
        C.USAGE_LIMIT,
        1.5 * DAY,
    ),
    Example(49, "antigravity", STDERR, "HTTP 429: Too Many Requests", C.SHORT_RATE_LIMIT),
    Example(50, "antigravity", STDERR, "HTTP 429: RESOURCE_EXHAUSTED", C.USAGE_LIMIT),
    Example(
        51,
        "antigravity",
        STDERR,
        "Error authenticating: IneligibleTierError UNSUPPORTED_CLIENT",
        C.AUTH_OR_PROXY,
    ),
    Example(
        52,
        "gemini",
        STDERR,
        "Error authenticating: IneligibleTierError UNSUPPORTED_CLIENT",
        C.AUTH_OR_PROXY,
    ),
    Example(53, "antigravity", STDERR, "gemini-cli failed: exit status 1", None, ours=IN_DOUBT),
    Example(
        54,
        "antigravity",
        LOG,
        "error getting token source: You are not logged into Antigravity",
        C.AUTH_OR_PROXY,
    ),
    Example(
        55,
        "antigravity",
        LOG,
        "RESOURCE_EXHAUSTED (code 429): Resets in 4h",
        C.USAGE_LIMIT,
        4 * HOUR,
    ),
    Example(56, "antigravity", LOG, "something went astray", None, ours=IN_DOUBT),
    Example(
        57,
        "opencode",
        EVENT,
        "RateLimitError: Slow down. Retry after 120 seconds.",
        C.SHORT_RATE_LIMIT,
        120,
    ),
    Example(58, "opencode", EVENT, "RateLimitError: Too many requests.", C.SHORT_RATE_LIMIT),
    Example(
        59,
        "opencode",
        EVENT,
        "UsageLimitError: It is used up. Resets in 24h.",
        C.USAGE_LIMIT,
        DAY,
    ),
    Example(
        60,
        "opencode",
        EVENT,
        "RateLimitError: Usage limit reached. Resets in 24h.",
        C.USAGE_LIMIT,
        DAY,
    ),
    Example(61, "opencode", EVENT, "QuotaExceededError: no more", C.USAGE_LIMIT),
    Example(
        62, "opencode", EVENT, "ResourceExhausted: no more. Resets in 7d.", C.USAGE_LIMIT, 7 * DAY
    ),
    Example(
        63,
        "opencode",
        EVENT,
        "UnknownError: AI_APICallError: Monthly usage limit reached. Resets in 7 days.",
        C.USAGE_LIMIT,
        7 * DAY,
    ),
    Example(
        64,
        "opencode",
        LOG,
        "AI_RetryError: Failed after 3 attempts. Last error: Monthly usage limit reached. "
        "Resets in 4 days.",
        C.USAGE_LIMIT,
        4 * DAY,
    ),
    Example(
        65,
        "opencode",
        LOG,
        "Usage limit reached for 5 hour. Your limit will reset at 2026-06-16 18:29:51",
        C.USAGE_LIMIT,
        6 * HOUR + 29 * MINUTE + 51,
    ),
    Example(
        66,
        "opencode",
        EVENT,
        "AI_APICallError: Usage limit reached. Resets in 30 minutes.",
        C.USAGE_LIMIT,
        30 * MINUTE,
    ),
    Example(67, "opencode", EVENT, "AuthenticationError: no", C.AUTH_OR_PROXY),
    Example(67, "opencode", EVENT, "PermissionDeniedError: no", C.AUTH_OR_PROXY),
    Example(67, "opencode", EVENT, "UnauthorizedError: no", C.AUTH_OR_PROXY),
    Example(68, "opencode", EVENT, "NotFoundError: model not found: gpt-foo", C.INVALID_MODEL),
    Example(69, "opencode", EVENT, "OverloadedError: busy", C.PROVIDER_OVERLOADED),
    Example(69, "opencode", EVENT, "ServerError: 503 Service Unavailable", C.PROVIDER_OVERLOADED),
    Example(
        70,
        "opencode",
        EVENT,
        "UnknownError: Unexpected server error. Check server logs for details.",
        None,
    ),
    Example(71, "opencode", EVENT, "UnknownError: Agent runtime crashed", None, ours=IN_DOUBT),
    Example(72, "opencode", EVENT, "", None),
    Example(73, "opencode", LOG, "API key invalid", C.AUTH_OR_PROXY),
    Example(74, "opencode", LOG, "something weird happened", None, ours=IN_DOUBT),
    Example(75, "opencode", LOG, "", None, ours="lines without an error are no traces"),
    Example(76, "opencode", LOG, "", None),
    Example(77, "opencode", STDERR, "API bad request from provider", None, ours=IN_DOUBT),
    Example(78, "claude", STDERR, "API bad request from provider", None),
    Example(
        79,
        "codex",
        STDERR,
        "error: rate limit exceeded (429 too many requests)",
        C.SHORT_RATE_LIMIT,
    ),
    Example(80, "gemini", STDERR, "You've hit your usage limit. Upgrade to Pro.", C.USAGE_LIMIT),
    Example(
        81,
        "claude",
        STDERR,
        "fork/exec /usr/bin/claude: argument list too long",
        C.HARNESS_LAUNCH,
    ),
    Example(82, "codex", STDERR, "fork/exec /usr/bin/x: permission denied", C.HARNESS_LAUNCH),
    Example(83, "codex", STDERR, "exec format error: /usr/bin/x", C.HARNESS_LAUNCH),
    Example(
        84,
        "claude",
        STDERR,
        'exec: "claude": executable file not found in $PATH',
        C.HARNESS_LAUNCH,
    ),
    Example(85, "gemini", STDERR, "request timed out after 30s", C.TRANSIENT_INFRA),
    Example(85, "gemini", STDERR, "context deadline exceeded", C.TRANSIENT_INFRA),
    Example(86, "gemini", STDERR, "connection refused", C.TRANSIENT_INFRA),
    Example(86, "gemini", STDERR, "connection reset by peer", C.TRANSIENT_INFRA),
    Example(87, "gemini", STDERR, "network is unreachable", C.TRANSIENT_INFRA),
    Example(87, "gemini", STDERR, "no route to host", C.TRANSIENT_INFRA),
    Example(88, "gemini", STDERR, "TLS handshake timeout", C.TRANSIENT_INFRA),
    Example(88, "gemini", STDERR, "certificate verify failed", C.TRANSIENT_INFRA),
    Example(89, "gemini", STDERR, "500 Internal Server Error", C.TRANSIENT_INFRA),
    Example(89, "gemini", STDERR, "502 Bad Gateway", C.TRANSIENT_INFRA),
    Example(
        89,
        "gemini",
        STDERR,
        "503 Service Unavailable",
        C.PROVIDER_OVERLOADED,
        ours="what 503 means does not depend on where it stands",
    ),
    Example(89, "gemini", STDERR, "504 Gateway Timeout", C.TRANSIENT_INFRA),
    Example(90, "gemini", STDERR, "stall detected", None, ours="we know of stalls ourselves"),
    Example(91, "gemini", STDERR, "segfault", None, ours=IN_DOUBT),
    Example(91, "gemini", STDERR, "", None, ours=IN_DOUBT),
    Example(
        92,
        "gemini",
        STDERR,
        "error 429 Too Many Requests",
        C.SHORT_RATE_LIMIT,
        ours="a limit tells more than a tree that was left dirty",
    ),
    Example(93, "gemini", STDERR, "who knows", None, ours=IN_DOUBT),
    Example(94, "gemini", EVENT, "usage limit reached, retry after 300 s", C.USAGE_LIMIT, 300.0),
    Example(95, "gemini", STDERR, "fork/exec /usr/bin/x: exec format error", C.HARNESS_LAUNCH),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.row}-{e.harness}-{e.text[:24]}")
def test_the_worked_examples_of_the_specification(example: Example) -> None:
    traces = [told(example.text, example.source)] if example.text else []
    found = classify(traces, KNOWN[example.harness].faults, NOW, UTC)
    assert (found.category if found else None) == example.category
    assert (found.source if found else None) == (example.source if example.category else None)
    assert (found.retry_after if found else None) == pytest.approx(example.after)
    assert (found.resets if found else None) == (NOW + example.after if example.after else None)


def test_every_worked_example_is_there() -> None:
    assert {example.row for example in EXAMPLES} == {*range(1, 96)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No conversation found with session ID: 1", C.SESSION_LOST),
        ("no rollout found for thread id 1", C.SESSION_LOST),
        ("Error: Session not found", C.SESSION_LOST),
        ("prompt is too long: 210000 tokens > 200000 maximum", C.CONTEXT_TOO_LONG),
        ("context_length_exceeded", C.CONTEXT_TOO_LONG),
        ("The input token count (9) exceeds the maximum number (8)", C.CONTEXT_TOO_LONG),
        ("the model stopped: content-filter", C.CONTENT_REFUSAL),
        ("This appears to violate our Usage Policy", C.CONTENT_REFUSAL),
        ("finishReason: SAFETY", C.CONTENT_REFUSAL),
        ("The 'gpt-5' model is not supported with this account", C.INVALID_MODEL),
        ("models/gemini-9 is not found for API version v1beta", C.INVALID_MODEL),
        ("ProviderModelNotFoundError: mock/x", C.INVALID_MODEL),
        ("OAuth token has expired", C.AUTH_OR_PROXY),
        ("407 Proxy Authentication Required", C.AUTH_OR_PROXY),
        ("no credentials", C.AUTH_OR_PROXY),
        ("You've hit your limit · resets 3pm (UTC)", C.USAGE_LIMIT),
        ("You're out of extra usage · resets 3pm", C.USAGE_LIMIT),
        ("You have reached your Fable 5 limit", C.USAGE_LIMIT),
        ("Insufficient account balance", C.USAGE_LIMIT),
        ("Claude AI usage limit reached|1781640000", C.USAGE_LIMIT),
        ("MODEL_CAPACITY_EXHAUSTED", C.PROVIDER_OVERLOADED),
        ("No capacity available for model gemini-2.5-pro", C.PROVIDER_OVERLOADED),
        ('{"error":{"code":503}}', C.PROVIDER_OVERLOADED),
        ("last status: 429", C.SHORT_RATE_LIMIT),
        ("Request rejected (429)", C.SHORT_RATE_LIMIT),
        ("Too many concurrent requests", C.SHORT_RATE_LIMIT),
        ("bash: claude: command not found", C.HARNESS_LAUNCH),
        ("error: unknown option '--json'", C.HARNESS_LAUNCH),
        ("getaddrinfo ENOTFOUND api.example.com", C.TRANSIENT_INFRA),
        ("connect ECONNREFUSED 127.0.0.1:1", C.TRANSIENT_INFRA),
        ('{"error":{"code":500}}', C.TRANSIENT_INFRA),
        ("The model returned an empty response with no text or thoughts.", C.TRANSIENT_INFRA),
    ],
)
def test_phrases_of_clis_and_providers_are_known(text: str, expected: Category) -> None:
    assert category(told(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Reached maximum number of turns (1)",
        "turn limit reached",
        "Loop detected, stopping execution",
        "Reconnecting...",
        "handled 503 of 529 files, 429 are left",
        "took 500 ms",
        "request-id: 429-503-529",
        "EACCES: permission denied, open '/home/me/.claude.json'",
        "Permission denied (os error 13)",
        "function overload resolution",
        "x-ratelimit-reset-requests: 1s",
        "Unexpected server error",
        "limit warning reached",
        "bad request",
        "exit status 1",
        "Segmentation fault",
        "",
    ],
)
def test_what_is_not_known_is_nothing(text: str) -> None:
    for source in Source:
        assert category(told(text, source)) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, C.AUTH_OR_PROXY),
        (402, C.USAGE_LIMIT),
        (403, C.AUTH_OR_PROXY),
        (413, C.CONTEXT_TOO_LONG),
        (429, C.SHORT_RATE_LIMIT),
        (500, C.TRANSIENT_INFRA),
        (503, C.PROVIDER_OVERLOADED),
        (529, C.PROVIDER_OVERLOADED),
        (400, None),
        (200, None),
        (0, None),
        (None, None),
    ],
)
def test_a_status_decides_where_no_words_are_known(
    status: int | None, expected: Category | None
) -> None:
    evidence = judged(told("Oops.", status=status))
    assert (evidence.category if evidence else None) == expected
    if evidence:
        assert (evidence.status, evidence.signal) == (status, "Oops.")


def test_words_weigh_more_than_a_status_on_whatever_line_they_stand() -> None:
    assert category(told("usage limit reached\nPlease see the docs.", status=429)) == C.USAGE_LIMIT
    assert category(told("Oops.", status=400, detail='{"code":"context_length_exceeded"}')) == (
        C.CONTEXT_TOO_LONG
    )


def test_headers_that_come_with_every_answer_are_no_fault() -> None:
    assert category(told("Oops.", status=400, detail="x-ratelimit-reset-requests: 1s")) is None


def test_what_the_cli_calls_a_rate_limit_may_be_a_plans_by_the_providers_words() -> None:
    text = "You exceeded your current quota, please check your plan."
    assert category(told(text)) == C.SHORT_RATE_LIMIT
    assert category(told(text, detail='{"code":"insufficient_quota"}')) == C.USAGE_LIMIT


FOUR = [
    told("invalid api key", CODE),
    told("model not found", LOG),
    told("connection refused", STDERR),
    told("529 Overloaded", EVENT),
]


def test_events_weigh_more_than_stderr_that_more_than_a_log_that_more_than_an_exit_code() -> None:
    assert [category(*FOUR[: n + 1]) for n in range(4)] == [
        C.AUTH_OR_PROXY,
        C.INVALID_MODEL,
        C.TRANSIENT_INFRA,
        C.PROVIDER_OVERLOADED,
    ]
    assert [category(*reversed(FOUR[: n + 1])) for n in range(4)] == [
        category(*FOUR[: n + 1]) for n in range(4)
    ]


def test_what_tells_nothing_lets_the_next_source_speak() -> None:
    assert category(told("who knows"), told("connection refused", STDERR)) == C.TRANSIENT_INFRA
    assert category(told(""), told("HTTP 503", CODE, 503)) == C.PROVIDER_OVERLOADED


def test_of_one_source_the_last_that_is_known_counts() -> None:
    assert category(told("connection refused"), told("invalid api key"), told("end")) == (
        C.AUTH_OR_PROXY
    )
    assert category(told("invalid api key\nconnection refused\nend", STDERR)) == C.TRANSIENT_INFRA


def test_phrases_of_the_harness_come_first() -> None:
    own = [Fault(C.USAGE_LIMIT, r"fish quota", (418,))]
    evidence = judged(told("unauthorized: fish quota used"), own=own)
    assert evidence
    assert evidence.category == C.USAGE_LIMIT
    teapot = judged(told("short", status=418), own=own)
    assert teapot
    assert teapot.category == C.USAGE_LIMIT


@pytest.mark.parametrize(
    ("text", "expected", "after"),
    [
        (f"rate limit, retry after {LONG_LIMIT_SECONDS:.0f}s", C.SHORT_RATE_LIMIT, 900),
        ("rate limit, retry after 901s", C.USAGE_LIMIT, 901),
        ("rate limit, resets in 5h", C.USAGE_LIMIT, 5 * HOUR),
        ("rate limit, retry after 0.5s", C.SHORT_RATE_LIMIT, 0.5),
        ("usage limit, resets in 5m", C.USAGE_LIMIT, 300),
        ("daily quota is used up. Please retry in 34s", C.USAGE_LIMIT, None),
        ("rate limit, resets in 36 days", C.SHORT_RATE_LIMIT, None),
        ("Overloaded. Retry after 20 seconds", C.PROVIDER_OVERLOADED, 20),
        ("invalid api key, try again in 5 minutes", C.AUTH_OR_PROXY, None),
    ],
)
def test_the_length_of_a_limit_tells_its_kind(
    text: str, expected: Category, after: float | None
) -> None:
    evidence = judged(told(text))
    assert evidence
    assert evidence.category == expected
    assert evidence.retry_after == pytest.approx(after)


def test_another_trace_may_tell_when_a_limit_ends_but_its_own_words_come_first() -> None:
    header = told("", Source.NONE, detail="resetsAt: 1781640000")
    evidence = judged(header, told("You've hit your limit"))
    assert evidence
    assert (evidence.source, evidence.resets) == (EVENT, 1781640000)
    evidence = judged(header, told("You've hit your limit, resets in 3h"))
    assert evidence
    assert evidence.retry_after == 3 * HOUR


def test_a_reset_that_cannot_be_a_plans_does_not_hide_one_that_can() -> None:
    found = judged(
        told("daily quota is used up. Please retry in 34s"), told("resets in 5h", STDERR)
    )
    assert found
    assert found.retry_after == 5 * HOUR


def test_the_line_that_told_is_kept_within_its_budget() -> None:
    line = "\x1b[31minvalid\tapi key\x1b[0m " + "x" * 1000
    found = judged(told(f"first\n{line}\nlast"))
    assert found
    assert found.signal.startswith("invalid api key xxx")
    assert found.message.startswith("invalid api key xxx")
    assert (len(found.signal), len(found.message)) == (SIGNAL_BUDGET, MESSAGE_BUDGET)
    assert found.signal.endswith("…")


def test_neither_words_nor_signal_are_ever_empty() -> None:
    found = judged(told("", CODE, 429))
    assert found
    assert found.message == found.signal == "rate limit"


def test_only_infrastructure_makes_a_runner_pause_and_a_label_names_no_harness() -> None:
    infra = {category_ for category_ in Category if category_.is_infra}
    assert infra == {
        C.SHORT_RATE_LIMIT,
        C.PROVIDER_OVERLOADED,
        C.TRANSIENT_INFRA,
        C.HARNESS_LAUNCH,
        C.STALLED,
    }
    names = re.compile("|".join(KNOWN))
    assert all(category_.label and not names.fullmatch(category_.label) for category_ in Category)


WORDS = st.sampled_from(
    [word for fault in FAULTS for word in re.split(r"\W+", fault.pattern) if word] + ["\n", " "]
)
TEXTS = st.one_of(st.text(), st.lists(WORDS, max_size=20).map(" ".join))
TRACES = st.builds(
    Trace,
    st.sampled_from([*Source]),
    TEXTS,
    st.one_of(st.none(), st.integers(0, 999)),
    TEXTS,
)


@given(st.lists(TRACES, max_size=6))
def test_any_traces_give_evidence_within_bounds_or_none(traces: list[Trace]) -> None:
    found = classify(traces, (), NOW, UTC)
    if found is None:
        return
    assert found.source in {trace.source for trace in traces}
    assert 0 < len(found.message) <= MESSAGE_BUDGET
    assert 0 < len(found.signal) <= SIGNAL_BUDGET
    assert found.resets is None or 0 < found.resets - NOW <= FARTHEST
    assert (found.retry_after is None) == (found.resets is None)
