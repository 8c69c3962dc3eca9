"""What is special about gemini, where no recording shows it."""

import json
import re
import tomllib
from operator import itemgetter
from pathlib import Path

import pytest
from tests.harness.samples import look_for

from mittelo.core.policies import Tools
from mittelo.core.records import Outcome
from mittelo.core.signs import Reading, Said, Tokens
from mittelo.core.tries import Finish
from mittelo.core.verdicts import Facts, Verdict, judge
from mittelo.harness.base import Job, Stream, file_of_ours
from mittelo.harness.gemini import Gemini

SESSION = "ef1ff583-06b1-4254-b2ec-7d421701184e"
SPOKE = '{"type":"message","role":"assistant","content":"half of it is","delta":true}'
SUCCESS = '{"type":"result","status":"success","stats":{}}'
TROUBLE = '{"type":"error","severity":"%s","message":"%s"}'


def read(*lines: str) -> Reading:
    reading = Reading()
    for line in lines:
        for sign in Gemini().read(line.encode(), Stream.OUT):
            reading.hear(sign)
    return reading


def verdict(reading: Reading) -> Verdict:
    return judge(
        Facts(
            finish=Finish(0),
            reading=reading,
            answered=bool(reading.final),
            needs_end=True,
            changed=True,
            require_changes=True,
        )
    )


@pytest.mark.parametrize(
    ("severity", "message"),
    [
        ("warning", "Loop detected, stopping execution"),
        ("error", "Maximum session turns exceeded"),
    ],
)
def test_an_agent_that_was_stopped_half_way_is_no_success(severity: str, message: str) -> None:
    found = verdict(read(SPOKE, TROUBLE % (severity, message), SUCCESS))
    assert (found.outcome, found.reason) == (Outcome.FAILED, f"agent error: {message}")


@pytest.mark.parametrize("severity", ["warning", "error"])
def test_trouble_that_the_agent_got_over_does_not_fail_it(severity: str) -> None:
    found = verdict(read(SPOKE, TROUBLE % (severity, "hiccup"), SPOKE, SUCCESS))
    assert found == Verdict(Outcome.COMPLETED)


def test_a_mere_warning_at_the_end_does_not_fail_it() -> None:
    found = verdict(read(SPOKE, TROUBLE % ("warning", "Agent execution blocked: x"), SUCCESS))
    assert found == Verdict(Outcome.COMPLETED)


def test_what_the_user_said_is_not_the_answer() -> None:
    line = b'{"type":"message","role":"user","content":"please"}'
    assert [*Gemini().read(line, Stream.OUT)] == []
    assert [*Gemini().read(SPOKE.encode(), Stream.OUT)] == [Said("half of it is")]


def test_the_tokens_of_its_thoughts_are_output() -> None:
    line = (
        '{"type":"result","status":"success","stats":{"total_tokens":1534,"input_tokens":1200,'
        '"output_tokens":34,"cached":1000,"input":200}}'
    )
    assert read(line).tokens == Tokens(input=1200, output=334, cached=1000, reasoning=300)


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        *((41, "no credentials"), (42, "bad input or unknown session"), (44, "sandbox error")),
        *((53, "turn limit reached"), (55, "folder is not trusted")),
        *((144, "HTTP 400"), (145, "HTTP 401"), (147, "HTTP 403"), (173, "HTTP 429")),
        *((244, "HTTP 500"), (247, "HTTP 503")),
        *((0, ""), (1, ""), (2, ""), (130, ""), (137, ""), (143, ""), (-9, ""), (-15, "")),
    ],
)
def test_an_exit_code_is_its_own_or_an_http_status(code: int, meaning: str) -> None:
    assert Gemini().explain_exit(code) == meaning


@pytest.mark.parametrize("tools", Tools)
def test_the_workspace_is_trusted(tools: Tools) -> None:
    command = Gemini().command(Job(prompt="x", tools=tools))
    assert command.env["GEMINI_CLI_TRUST_WORKSPACE"] == "true"
    assert ("--yolo" in command.argv) == (tools is Tools.ALL)


READ = {"glob", "grep_search", "list_directory", "read_file"}


@pytest.mark.parametrize(
    ("tools", "mode", "allowed"),
    [
        (Tools.NONE, "default", set()),
        (Tools.READ, "default", READ),
        (Tools.EDIT, "auto_edit", READ | {"replace", "write_file"}),
    ],
)
def test_a_policy_of_ours_denies_every_tool_but_these(
    tools: Tools, mode: str, allowed: set[str]
) -> None:
    argv = Gemini().command(Job(prompt="x", tools=tools)).argv
    assert argv[argv.index("--approval-mode") + 1] == mode
    assert "--allowed-mcp-server-names=mittelo-none" in argv
    (given,) = (word for word in argv if word.startswith("--admin-policy="))
    rules = tomllib.loads(Path(given.partition("=")[2]).read_text())["rule"]
    found = {name for rule in rules if rule["decision"] == "allow" for name in rule["toolName"]}
    denying = min(rules, key=itemgetter("priority"))
    assert (denying["toolName"], denying["decision"], found) == ("*", "deny", allowed)


@pytest.mark.parametrize("path", ["/w/.gemini/settings.json", ".gemini//a", "b/../.GEMINI/c"])
def test_who_edits_does_not_edit_what_would_be_run_the_next_time(path: str) -> None:
    file = Path(file_of_ours("gemini-edit.toml"))
    rules = tomllib.loads(file.read_text())["rule"]
    (narrow,) = (rule for rule in rules if "argsPattern" in rule)
    assert narrow["priority"] == max(rule["priority"] for rule in rules)
    assert (narrow["decision"], narrow["toolName"]) == ("deny", ["replace", "write_file"])
    given = json.dumps({"content": "x", "file_path": path}, separators=(",", ":"))
    assert re.search(narrow["argsPattern"], given)
    assert not re.search(narrow["argsPattern"], given.replace("gemini", "g").replace("GEM", "g"))


@pytest.mark.parametrize("moved", [False, True])
def test_the_log_of_a_session_is_found(moved: bool, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)} | ({"GEMINI_CLI_HOME": str(tmp_path / "g")} if moved else {})
    home = tmp_path / "g" if moved else tmp_path
    log = home / ".gemini/tmp/my-repo/chats" / f"session-2026-11-21T03-03-{SESSION[:8]}.jsonl"
    log.parent.mkdir(parents=True)
    log.touch()
    (log.parent / "session-2026-11-21T04-03-00000000.jsonl").touch()
    assert look_for(Gemini().session_logs(SESSION, "/srv/any where", env)) == str(log)
