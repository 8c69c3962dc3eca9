"""The ways in which a model can fail each real CLI, and what must come of them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from clis import Claude, Codex, Gemini, OpenCode, RealCli
from faults import Cut, Dropped, Fault, Garbage, Silence, Status, Stuck
from mock_model import USAGE
from typing_extensions import override

LIMIT: Final = 7200
"""A usage limit that tells when it ends lasts so many seconds; faults say @EPOCH@ or @SECONDS@."""


class Subscribed(Claude):
    """With the token of a plan in the place of an API key: only so does it tell of its limits."""

    @property
    @override
    def variables(self) -> Mapping[str, str]:
        own = dict(super().variables)
        del own["ANTHROPIC_API_KEY"]
        return {**own, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"}


@dataclass(frozen=True)
class Case:
    """A row of the table; without a fault nobody listens at all.

    `then`: what becomes of the run. It is `served` by the CLI itself after all; the other agent
    goes on with it, as the CLI is `given up` for this relay, `benched` for so many seconds, or
    `paused` after a second failure; or it has `failed`, and the other serves the next.
    `seconds`: so soon, at the latest, the CLI no longer has it. `said`: part of the reason.
    """

    way: str
    fault: Fault | None
    category: str
    source: str
    then: str
    bench: int
    seconds: float
    said: str

    @property
    def failures(self) -> int:
        """How many tries of the CLI fail."""
        return {"served": 0, "paused": 2}.get(self.then, 1)

    @property
    def is_ended_by_us(self) -> bool:
        """Tell whether the CLI would go on for very long, or for ever."""
        return self.said == "frozen"


def anthropic(
    code: int, kind: str, message: str, headers: Mapping[str, str] | None = None
) -> Fault:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return Status(code, json.dumps(body), headers or {})


def openai(
    code: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **more: object
) -> Fault:
    body = {"message": message, "type": kind, "param": None, "code": kind, **more}
    return Status(code, json.dumps({"error": body}), headers or {})


def google(code: int, status: str, message: str, *details: Mapping[str, object]) -> Fault:
    body = {"code": code, "message": message, "status": status, "details": details}
    return Status(code, json.dumps({"error": body}))


def detail(kind: str, **fields: object) -> Mapping[str, object]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def quota(per: str, retry: str) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return what Google tells of a free quota for each minute or day."""
    violation = {"quotaId": f"GenerateRequestsPer{per}PerProjectPerModel-FreeTier"}
    return detail("QuotaFailure", violations=[violation]), detail("RetryInfo", retryDelay=retry)


def events(*sent: Mapping[str, object]) -> str:
    """Return an event stream as Anthropic and OpenAI write it."""
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in sent)


def data(*sent: Mapping[str, object]) -> str:
    """Return an event stream as Google and the chat API write it."""
    return "".join(f"data: {json.dumps(one)}\n\n" for one in sent)


def candidate(text: str, **more: object) -> Mapping[str, object]:
    content = {"parts": [{"text": text}], "role": "model"}
    return {"candidates": [{"content": content, "index": 0, **more}]}


def chunk(text: str, finish: str | None = None) -> Mapping[str, object]:
    delta = {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


HTML = Status(200, "<html><body>502 Bad Gateway</body></html>", {"content-type": "text/html"})
ANYWHERE: dict[str, Fault | None] = {
    "refused": None,
    "dropped": Dropped(),
    "no answer": Silence(),
    "HTML": HTML,
    "empty stream": Garbage(""),
}

MESSAGE: Mapping[str, object] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "claude-haiku-4-5",
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": USAGE[0], "output_tokens": 1},
}
BEGUN: Mapping[str, object] = {"type": "message_start", "message": MESSAGE}
TURN_ENDS = {"stop_reason": "end_turn", "stop_sequence": None}
NOTHING_SAID: list[Mapping[str, object]] = [
    {"type": "message_delta", "delta": TURN_ENDS, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]
UNIFIED = "anthropic-ratelimit-unified"
OUT_OF_PLAN = anthropic(
    429,
    "rate_limit_error",
    "This request would exceed your account's rate limit. Please try again later.",
    {
        f"{UNIFIED}-status": "rejected",
        f"{UNIFIED}-5h-status": "rejected",
        f"{UNIFIED}-5h-reset": "@EPOCH@",
        f"{UNIFIED}-5h-utilization": "1.0",
        f"{UNIFIED}-representative-claim": "five_hour",
        f"{UNIFIED}-reset": "@EPOCH@",
        f"{UNIFIED}-overage-status": "rejected",
        "retry-after": "@SECONDS@",
    },
)
TOKENS = "This request would exceed your organization's rate limit of 30,000 tokens per minute."
NO_ACCESS = "Your account does not have access to Claude Code."
NO_CREDIT = "Your credit balance is too low to access the Anthropic API."
ANTHROPIC = {
    "401": anthropic(401, "authentication_error", "invalid x-api-key"),
    "403": anthropic(403, "permission_error", NO_ACCESS),
    "404 model": anthropic(404, "not_found_error", "model: claude-haiku-4-5"),
    "400 too long": anthropic(400, "invalid_request_error", "prompt is too long: 9 tokens > 8"),
    "400 no credit": anthropic(400, "invalid_request_error", NO_CREDIT),
    "429": anthropic(429, "rate_limit_error", TOKENS),
    "429, retry-after": anthropic(429, "rate_limit_error", TOKENS, {"retry-after": "3"}),
    "429 once": anthropic(429, "rate_limit_error", TOKENS, {"retry-after": "1"}),
    "limit of a key": OUT_OF_PLAN,
    "limit of a plan": OUT_OF_PLAN,
    "500": anthropic(500, "api_error", "Internal server error"),
    "529": anthropic(529, "overloaded_error", "Overloaded"),
    "garbage": Garbage('event: message_start\ndata: {"type":"message_st\n\n<<<garbage>>>\n\n'),
    "cut once": Cut(420),
    "empty answer": Garbage(events(BEGUN, *NOTHING_SAID)),
    "stuck in its answer": Stuck(events(BEGUN)),
}

RESPONSE = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
CREATED = {"type": "response.created", "response": RESPONSE}
COMPLETED = {
    "type": "response.completed",
    "response": {**RESPONSE, "status": "completed", "usage": None},
}
WINDOWS = {
    "x-codex-primary-used-percent": "100.0",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": "@EPOCH@",
}
RATE = "Rate limit reached for gpt-5.5 on requests per min (RPM): Limit 3, Used 3, Requested 1."
NO_QUOTA = "You exceeded your current quota, please check your plan and billing details."
TOO_LONG = "Your input exceeds the context window of this model."
WRONG_KEY = "Incorrect API key provided: dummy-key."
NO_MODEL = "The model `gpt-5.5` does not exist."
LIMITED = "The usage limit has been reached"
OPENAI = {
    "401": openai(401, "invalid_api_key", WRONG_KEY),
    "403": openai(403, "forbidden", "You are not allowed to use this endpoint."),
    "404 model": openai(404, "model_not_found", NO_MODEL),
    "400 too long": openai(400, "context_length_exceeded", TOO_LONG),
    "429": openai(429, "rate_limit_exceeded", RATE),
    "429, retry-after": openai(429, "rate_limit_exceeded", RATE, {"retry-after": "3"}),
    "429 once": openai(429, "rate_limit_exceeded", RATE, {"retry-after": "1"}),
}
RESPONSES = {
    **OPENAI,
    "usage limit": openai(429, "usage_limit_reached", LIMITED, WINDOWS, resets_at="@EPOCH@"),
    "no quota": openai(429, "insufficient_quota", NO_QUOTA),
    "not in the plan": openai(429, "usage_not_included", "Upgrade to Plus", plan_type="free"),
    "500": openai(500, "server_error", "The server had an error."),
    "503": openai(503, "server_is_overloaded", "Our servers are currently overloaded."),
    "garbage": Garbage(
        'event: response.created\ndata: {"type":"response.crea\n\n<<<garbage>>>\n\n'
    ),
    "cut": Cut(600),
    "empty answer": Garbage(events(CREATED, COMPLETED)),
    "stuck in its answer": Stuck(events(CREATED)),
}
SOON = {"retry-after-ms": "200"}
"""Makes opencode, which always retries five times, do so at once."""
CHAT = {
    **OPENAI,
    "usage limit": openai(429, "usage_limit_reached", LIMITED, SOON, resets_at="@EPOCH@"),
    "no quota": openai(429, "insufficient_quota", NO_QUOTA, SOON),
    "500": openai(500, "server_error", "The server had an error.", SOON),
    "503": openai(503, "server_is_overloaded", "Our servers are currently overloaded.", SOON),
    "garbage": Garbage('data: {"id":"c1","choices":[{"del\n\ndata: <<<garbage>>>\n\n'),
    "cut": Cut(300),
    "empty answer": Garbage(data(chunk("", "stop")) + "data: [DONE]\n\n"),
    "stuck in its answer": Stuck(data(chunk("partial "))),
}

CAPACITY = "You have exhausted your capacity on this model. Your quota will reset after 2h0m0s."
EXHAUSTED = detail(
    "ErrorInfo",
    reason="QUOTA_EXHAUSTED",
    domain="cloudcode-pa.googleapis.com",
    metadata={"model": "gemini-2.5-pro", "quotaResetDelay": "2h"},
)
USED_UP = "RESOURCE_EXHAUSTED"
RETRY = "Please retry in"
NO_SUCH_MODEL = "models/gemini-2.5-pro is not found for API version v1beta"
GOOGLE = {
    "400 bad key": google(
        400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."
    ),
    "401": google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "403": google(403, "PERMISSION_DENIED", "The caller does not have permission"),
    "404 model": google(404, "NOT_FOUND", NO_SUCH_MODEL),
    "400 too long": google(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum."),
    "429": google(429, USED_UP, "Resource has been exhausted (e.g. check quota)."),
    "429, retry-after": google(429, USED_UP, f"{NO_QUOTA} {RETRY} 2s.", *quota("Minute", "2s")),
    "429 once": google(429, USED_UP, NO_QUOTA, *quota("Minute", "1s")),
    "quota of a day": google(429, USED_UP, f"{NO_QUOTA} {RETRY} 34s.", *quota("Day", "34s")),
    "usage limit": google(
        429, USED_UP, CAPACITY, EXHAUSTED, detail("RetryInfo", retryDelay=f"{LIMIT}s")
    ),
    "500": google(500, "INTERNAL", "An internal error has occurred."),
    "503": google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "garbage": Garbage('data: {"candidates": [{"content": {"par\n\n<<<garbage>>>\n\n'),
    "cut": Cut(180),
    "empty answer": Garbage(data(candidate("", finishReason="STOP"))),
    "stuck in its answer": Stuck(data(candidate("partial "))),
}

# Columns: way, category, seen by, then, seconds, part of the reason. The longest come first.
OF_CLAUDE = """
stuck in its answer   stalled              ourselves  failed        150  frozen
no answer             transient_infra      event      paused        150  Request timed out
refused               transient_infra      event      paused         90  ConnectionRefused
dropped               transient_infra      event      paused         90  ECONNRESET
401                   auth_or_proxy        event      given up       90  Invalid API key
403                   auth_or_proxy        event      given up       90  403 Your account does not
404 model             invalid_model        event      given up       90  issue with the selected
400 too long          context_too_long     event      failed         90  Prompt is too long
400 no credit         usage_limit          event      benched 900    90  Credit balance is too low
429                   short_rate_limit     event      benched 60     90  429
429, retry-after      short_rate_limit     event      benched 60     90  429
429 once              -                    -          served         90  -
limit of a key        short_rate_limit     event      benched 60     90  your account's rate limit
500                   transient_infra      event      paused         90  500 Internal server error
529                   provider_overloaded  event      benched 30     90  529 Overloaded
garbage               transient_infra      event      failed         90  empty or malformed
HTML                  transient_infra      event      failed         90  empty or malformed
cut once              -                    -          served         90  -
empty stream          transient_infra      event      failed         90  empty or malformed
empty answer          unidentified_issue   none       failed         90  empty answer
"""
OF_SUBSCRIBED = """
limit of a plan       usage_limit          event      benched 7200   90  You've hit your
"""
OF_CODEX = """
refused               transient_infra      event      failed        150  frozen
no answer             stalled              ourselves  failed        150  frozen
stuck in its answer   transient_infra      event      paused        150  idle timeout
401                   auth_or_proxy        event      given up       90  401 Unauthorized
403                   auth_or_proxy        event      given up       90  403 Forbidden
404 model             invalid_model        event      given up       90  does not exist
400 too long          context_too_long     event      failed         90  ran out of room
429                   short_rate_limit     event      benched 60     90  429 Too Many Requests
429, retry-after      short_rate_limit     event      benched 60     90  429 Too Many Requests
429 once              -                    -          served         90  -
usage limit           usage_limit          event      benched 7200   90  hit your usage limit
no quota              usage_limit          event      benched 900    90  Quota exceeded
not in the plan       auth_or_proxy        event      given up       90  upgrade to Plus
500                   provider_overloaded  event      benched 30     90  high demand
503                   provider_overloaded  event      benched 30     90  at capacity
dropped               transient_infra      event      paused         90  error sending request
garbage               transient_infra      event      failed         90  stream closed before
HTML                  transient_infra      event      failed         90  stream closed before
cut                   transient_infra      event      paused         90  stream closed before
empty stream          transient_infra      event      failed         90  stream closed before
empty answer          unidentified_issue   none       failed         90  empty answer
"""
OF_GEMINI = """
no answer             stalled              ourselves  failed        150  frozen
stuck in its answer   stalled              ourselves  failed        150  frozen
usage limit           usage_limit          stderr     benched 7200  150  frozen
500                   transient_infra      event      paused        150  exit 244 (HTTP 500)
refused               transient_infra      event      failed         90  fetch failed
dropped               transient_infra      event      failed         90  fetch failed
400 bad key           auth_or_proxy        event      given up       90  exit 144 (HTTP 400)
401                   auth_or_proxy        event      given up       90  exit 145 (HTTP 401)
403                   auth_or_proxy        event      given up       90  exit 147 (HTTP 403)
404 model             invalid_model        event      given up       90  is not found
400 too long          context_too_long     event      failed         90  token count exceeds
429                   short_rate_limit     event      benched 60     90  exit 173 (HTTP 429)
429, retry-after      short_rate_limit     event      benched 7      90  exit 173 (HTTP 429)
429 once              -                    -          served         90  -
quota of a day        usage_limit          event      benched 900    90  daily quota
503                   provider_overloaded  event      benched 30     90  exit 247 (HTTP 503)
garbage               transient_infra      event      failed         90  JSON
HTML                  transient_infra      event      failed         90  Incomplete JSON
cut                   transient_infra      event      failed         90  Incomplete JSON
empty stream          transient_infra      event      failed         90  without a finish reason
empty answer          transient_infra      event      failed         90  empty response
"""
OF_OPENCODE = """
refused               transient_infra      event      failed        240  onnect
429                   short_rate_limit     event      benched 60    240  Rate limit reached
dropped               transient_infra      event      failed        240  onnect
garbage               transient_infra      event      failed        240  JSON parsing failed
HTML                  stalled              ourselves  failed        150  frozen
cut                   stalled              ourselves  failed        150  frozen
stuck in its answer   stalled              ourselves  failed        150  frozen
no answer             transient_infra      event      failed        150  time
429, retry-after      short_rate_limit     event      benched 8     150  Rate limit reached
500                   transient_infra      event      paused        150  server had an error
401                   auth_or_proxy        event      given up       90  Incorrect API key
403                   auth_or_proxy        event      given up       90  not allowed
404 model             invalid_model        event      given up       90  does not exist
400 too long          context_too_long     event      failed         90  context window
429 once              -                    -          served         90  -
usage limit           usage_limit          event      benched 7200   90  usage limit has been
no quota              usage_limit          event      benched 900    90  exceeded your current
503                   provider_overloaded  event      benched 5      90  overloaded
empty answer          unidentified_issue   none       failed         90  empty answer
"""


def _cases(table: str, faults: Mapping[str, Fault | None]) -> Iterator[Case]:
    for row in table.strip().splitlines():
        told = [column.removeprefix("-") for column in re.split(r"\s{2,}", row)]
        way, category, source, then, seconds, said = told
        bench = int(then.removeprefix("benched")) if then.startswith("benched") else 0
        then = "benched" if bench else then
        yield Case(way, faults[way], category, source, then, bench, float(seconds), said)


TABLE: dict[type[RealCli], list[Case]] = {
    Claude: [*_cases(OF_CLAUDE, ANYWHERE | ANTHROPIC)],
    Subscribed: [*_cases(OF_SUBSCRIBED, ANTHROPIC)],
    Codex: [*_cases(OF_CODEX, ANYWHERE | RESPONSES)],
    Gemini: [*_cases(OF_GEMINI, ANYWHERE | GOOGLE)],
    OpenCode: [*_cases(OF_OPENCODE, ANYWHERE | CHAT)],
}
