"""What the CLIs' own logs tell where their output says nothing."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harness.samples import each_harness

from mittelo.core.faults import Category, Evidence, Source, Trace, classify
from mittelo.core.signs import Erred
from mittelo.harness.antigravity import Antigravity
from mittelo.harness.base import MAX_LOGGED, Harness, LogWindow
from mittelo.harness.claude import Claude
from mittelo.harness.codex import Codex
from mittelo.harness.logfmt import parse_logfmt
from mittelo.harness.opencode import Opencode

BEGAN = datetime(2026, 11, 21, 14, 50, tzinfo=UTC).timestamp()
NOW = BEGAN + 300
HOUR = 3600.0
SESSION = "ses_e016a0212ffeDAws2Y4IDwpNph"
HERE = LogWindow(session=SESSION, workspace="/srv/w", began=BEGAN, ended=NOW)
UNNAMED = LogWindow(workspace="/srv/w", began=BEGAN, ended=NOW)

Event = Mapping[str, object]


def judged(harness: Harness, log: str, window: LogWindow = HERE) -> Evidence | None:
    """Return what a log alone tells of a failure."""
    errors = [*harness.read_log(log.encode(), window)]
    traces = [Trace(Source.SESSION_LOG, e.message, e.status, e.detail) for e in errors]
    return classify(traces, harness.faults, NOW, UTC)


def category(harness: Harness, log: str, window: LogWindow = HERE) -> Category | None:
    evidence = judged(harness, log, window)
    return evidence.category if evidence else None


# opencode: the lines are those of version 1.18.33.


def told(
    text: str,
    *,
    session: str = SESSION,
    at: str = "2026-11-21T14:51:10.032Z",
    level: str = "ERROR",
    message: str = '"stream error"',
) -> str:
    return (
        f"timestamp={at} level={level} run=082b466d message={message} providerID=mock "
        f"modelID=mock-model session.id={session} small=false agent=build mode=primary "
        f'error.error="{text}"\n'
    )


def plain(rest: str, *, run: str = "082b466d", level: str = "INFO") -> str:
    return f"timestamp=2026-11-21T14:50:02.974Z level={level} run={run} {rest}\n"


CREATED = plain(
    f"message=created id={SESSION} slug=hidden-river version=1.18.33 projectID=global "
    'directory=/srv/w path="" workspaceID=undefined parentID=undefined title=t '
    'permission="[{\\"permission\\":\\"question\\",\\"pattern\\":\\"*\\"}]"'
)
MONTHLY = "AI_APICallError: Monthly usage limit reached. Resets in 4 days."
RETRIED = "AI_RetryError: Failed after 3 attempts. Last error: " + MONTHLY[17:]


@pytest.mark.parametrize("window", [HERE, UNNAMED], ids=["named", "unnamed"])
def test_a_usage_limit_that_opencode_waits_for_in_silence_is_in_its_servers_log(
    window: LogWindow,
) -> None:
    log = CREATED + told(RETRIED) * 5 + plain(f"message=loop session.id={SESSION} step=0")
    evidence = judged(Opencode(), log, window)
    assert evidence
    assert (evidence.category, evidence.source) == (Category.USAGE_LIMIT, Source.SESSION_LOG)
    assert evidence.resets == NOW + 96 * HOUR
    assert evidence.signal == RETRIED


def test_a_reset_in_the_servers_log_may_be_an_instant() -> None:
    text = "Usage limit reached for 5 hour. Your limit will reset at 2026-11-21 18:29:51"
    evidence = judged(Opencode(), told(text))
    assert evidence
    assert evidence.resets == datetime(2026, 11, 21, 18, 29, 51, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (told("API key invalid"), Category.AUTH_OR_PROXY),
        (
            told("AI_APICallError: Cannot connect to API: Unable to connect. (cause: Error: x)"),
            Category.TRANSIENT_INFRA,
        ),
        (told("Model not found: gpt-foo", level="WARN", message="failed"), Category.INVALID_MODEL),
        (plain('message="API key invalid"', level="ERROR"), Category.AUTH_OR_PROXY),
        (plain('message="something weird happened"', level="WARN"), None),
        ("", None),
        (told(MONTHLY, session="ses_of_another"), None),
        (told(MONTHLY, at="2026-11-21T14:49:29Z"), None),
        (told(MONTHLY, at="2026-11-21T14:55:31Z"), None),
        (told(MONTHLY, at="yesterday"), None),
        (told(MONTHLY, level="INFO"), None),
        (told(MONTHLY, message='"permission asked"'), None),
        (told(MONTHLY, message="tool_call"), None),
        (told(MONTHLY)[40:], None),
        (plain('message="API key invalid"', run="ffffffff", level="ERROR"), None),
        (told(MONTHLY) + told("something weird happened"), Category.USAGE_LIMIT),
        (told(MONTHLY) + told("fetch failed", message="process"), Category.USAGE_LIMIT),
        (told(MONTHLY) + told("fetch failed"), Category.TRANSIENT_INFRA),
    ],
)
def test_only_errors_of_the_same_try_count_in_the_servers_log(
    log: str, expected: Category | None
) -> None:
    assert category(Opencode(), CREATED + log) == expected


def test_where_no_session_is_known_only_those_of_the_same_folder_count() -> None:
    other = LogWindow(workspace="/srv/other", began=BEGAN, ended=NOW)
    assert category(Opencode(), CREATED + told(MONTHLY), other) is None
    assert category(Opencode(), told(MONTHLY), UNNAMED) is None
    begun = plain('message="creating instance" directory=/srv/w/')
    failed = plain('message="API key invalid"', level="ERROR")
    assert category(Opencode(), begun + failed, UNNAMED) == Category.AUTH_OR_PROXY


def test_a_session_that_was_begun_by_ours_counts_as_ours() -> None:
    child = plain(f"message=created id=ses_child directory=/srv/w parentID={SESSION}")
    assert category(Opencode(), child + told(MONTHLY, session="ses_child")) == Category.USAGE_LIMIT


def test_of_many_errors_the_last_are_kept() -> None:
    log = "".join(told(f"failure {n}") for n in range(100))
    errors = [*Opencode().read_log(log.encode(), HERE)]
    assert len(errors) == MAX_LOGGED
    assert errors[-1] == Erred("failure 99")


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        (b"a=1 b.c=two", {"a": "1", "b.c": "two"}),
        (rb'a="x \"y\" \\ z\n" b=""', {"a": 'x "y" \\ z\n', "b": ""}),
        (b'a="open ended b=2', {"a": "", "b": "2"}),
        (b"no pairs at all", {}),
        (b"a=\xff", {"a": "\ufffd"}),
    ],
)
def test_pairs_may_be_quoted(line: bytes, pairs: Mapping[str, str]) -> None:
    assert parse_logfmt(line) == pairs


# claude: its session's file.


def entry(kind: str, at: str = "2026-11-21T14:51:00.123Z", **fields: object) -> str:
    return json.dumps({"type": kind, "timestamp": at, "sessionId": SESSION, **fields}) + "\n"


def assistant(text: str, stop: str, of_cli: str = "") -> str:
    message = {"stop_reason": stop, "content": [{"type": "text", "text": text}]}
    error = of_cli or None
    return entry("assistant", message=message, isApiErrorMessage=bool(of_cli), error=error)


def api_error(text: str, error: str = "unknown") -> str:
    return assistant(text, "stop_sequence", error)


def refusal(status: int, kind: str, message: str, **headers: str) -> str:
    error = {"status": status, "headers": headers, "error": {"type": kind, "message": message}}
    return entry("system", subtype="api_error", error=error, retryAttempt=1, maxRetries=10)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (assistant("overloaded_error: too busy", "error"), Category.PROVIDER_OVERLOADED),
        (assistant("authentication_error: bad key", "error"), Category.AUTH_OR_PROXY),
        (assistant("nobody knows why", "error"), None),
        (assistant("All is well.", "end_turn"), None),
        (assistant("The test said: authentication failed, 529 Overloaded.", "end_turn"), None),
        (assistant("rate limit", "tool_use"), None),
        (api_error("API Error: 529 Overloaded", "server_error"), Category.PROVIDER_OVERLOADED),
        (api_error("You've hit your limit · resets 9pm (UTC)"), Category.USAGE_LIMIT),
        (api_error("Not known", "authentication_failed"), Category.AUTH_OR_PROXY),
        (refusal(529, "overloaded_error", "Overloaded"), Category.PROVIDER_OVERLOADED),
        (refusal(500, "api_error", "Oops"), Category.TRANSIENT_INFRA),
        (api_error("API Error: 529 Overloaded") + assistant("Done.", "end_turn"), None),
        (entry("user", message={"content": "rate limit, 529 Overloaded"}), None),
        (entry("user", message={"content": [{"type": "tool_result", "content": "401"}]}), None),
        (entry("system", subtype="init", tools=["authentication failed"]), None),
        (entry("last-prompt", lastPrompt="usage limit reached"), None),
        ("not json: usage limit reached\n", None),
        (
            entry("system", "2026-11-21T13:00:00Z", subtype="api_error", error={"status": 529}),
            None,
        ),
    ],
)
def test_errors_that_claude_wrote_down_count_and_what_was_said_does_not(
    log: str, expected: Category | None
) -> None:
    assert category(Claude(), log) == expected


def test_headers_of_a_refusal_tell_when_a_limit_of_claude_ends() -> None:
    headers = {"anthropic-ratelimit-unified-reset": f"{NOW + 5 * HOUR:.0f}", "x-request": "1"}
    evidence = judged(Claude(), refusal(429, "rate_limit_error", "Slow down", **headers))
    assert evidence
    assert (evidence.category, evidence.resets) == (Category.USAGE_LIMIT, NOW + 5 * HOUR)


# codex: its rollout file, whose records are nested.


def counted(percent: float, resets: float, at: str = "2026-11-21T14:51:00.683Z") -> str:
    primary = {"used_percent": percent, "window_minutes": 300, "resets_at": int(resets)}
    secondary = {"used_percent": 37.0, "window_minutes": 10080, "resets_at": int(NOW + 90 * HOUR)}
    limits = {"limit_id": "codex", "primary": primary, "secondary": secondary, "credits": None}
    payload = {"type": "token_count", "info": None, "rate_limits": limits}
    return entry("event_msg", at, payload=payload)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (counted(100.0, NOW + HOUR), Category.USAGE_LIMIT),
        (counted(99.0, NOW + HOUR), None),
        (counted(100.0, NOW + HOUR) + counted(3.0, NOW + 6 * HOUR), None),
        (counted(100.0, BEGAN, "2026-11-21T09:00:00Z"), None),
        (entry("event_msg", payload={"type": "turn_aborted", "reason": "interrupted"}), None),
        (
            entry("event_msg", payload={"type": "error", "message": "stream disconnected"}),
            Category.TRANSIENT_INFRA,
        ),
        (
            entry("response_item", payload={"type": "message", "message": "usage limit reached"}),
            None,
        ),
        ("", None),
    ],
)
def test_a_rollout_of_codex_tells_of_windows_that_are_used_up(
    log: str, expected: Category | None
) -> None:
    assert category(Codex(), log) == expected


def test_a_rollout_of_codex_tells_when_its_window_ends() -> None:
    evidence = judged(Codex(), counted(100.0, NOW + HOUR))
    assert evidence
    assert evidence.resets == NOW + HOUR


# antigravity: its glog.


def glog(level: str, text: str) -> str:
    return f"{level}1121 14:51:00.123456  4711 server.go:42] {text}\n"


CONVERSATION = glog("I", f"Print mode: conversation={SESSION} (new)")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            glog("E", "error getting token source: You are not logged into Antigravity"),
            Category.AUTH_OR_PROXY,
        ),
        (glog("E", "RESOURCE_EXHAUSTED (code 429): Resets in 4h"), Category.USAGE_LIMIT),
        (glog("E", "something else"), None),
        (glog("I", "RESOURCE_EXHAUSTED (code 429)"), None),
        (glog("W", "RESOURCE_EXHAUSTED") + glog("F", "RESOURCE_EXHAUSTED"), None),
        (glog("E", "oauth_creds.json: unauthorized"), None),
        ("RESOURCE_EXHAUSTED\n", None),
        (
            glog("E", "Individual quota reached. Resets in 7d.") + glog("E", "something else"),
            Category.USAGE_LIMIT,
        ),
    ],
)
def test_lines_of_level_e_count_in_the_log_of_antigravity(
    log: str, expected: Category | None
) -> None:
    assert category(Antigravity(), CONVERSATION + log) == expected
    assert category(Antigravity(), log, LogWindow()) == expected


def test_the_log_of_another_conversation_of_antigravity_tells_nothing() -> None:
    assert category(Antigravity(), glog("E", "RESOURCE_EXHAUSTED (code 429)")) is None


def test_the_log_of_antigravity_tells_when_its_quota_is_back() -> None:
    evidence = judged(Antigravity(), CONVERSATION + glog("E", "RESOURCE_EXHAUSTED: Resets in 4h"))
    assert evidence
    assert (evidence.resets, evidence.message) == (
        NOW + 4 * HOUR,
        "RESOURCE_EXHAUSTED: Resets in 4h",
    )


# All of them.


@each_harness
@given(log=st.binary())
def test_any_log_can_be_read(harness: Harness, log: bytes) -> None:
    assert all(isinstance(error, Erred) for error in harness.read_log(log, HERE))


@pytest.mark.parametrize("harness", [Opencode(), Claude(), Codex()], ids=attrgetter("name"))
@given(
    mixed=st.lists(
        st.one_of(
            st.sampled_from(
                [CREATED, told(MONTHLY), api_error("x"), refusal(1, "", ""), counted(100, 0)]
            ),
            st.sampled_from(
                ['{"type":"system","subtype":"api_error","error":7}', "level=ERROR =\n"]
            ),
            st.text(),
        )
    )
)
def test_any_mixture_of_lines_can_be_read(harness: Harness, mixed: list[str]) -> None:
    assert len([*harness.read_log("".join(mixed).encode(errors="replace"), HERE)]) <= 2 * MAX_LOGGED
