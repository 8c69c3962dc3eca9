"""What is special about codex, where no recording shows it."""

from pathlib import Path

import pytest
from tests.harness.samples import look_for

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Reading, Sign, Touched, Used
from mittelo.harness.base import Job, Stream
from mittelo.harness.codex import Codex

SESSION = "01a1fc26-713f-7aa1-8155-f420406ace70"


def read(line: bytes) -> list[Sign]:
    return [*Codex().read(line, Stream.OUT)]


def told(*lines: bytes) -> tuple[int, str, str]:
    """Return how many calls were counted, and of which tool we were told last."""
    reading, last = Reading(), Used("")
    for line in lines:
        for sign in read(line):
            reading.hear(sign)
            last = sign if isinstance(sign, Used) else last
    return reading.tool_calls, last.tool, last.detail


@pytest.mark.parametrize("tools", Tools)
def test_every_flag_stands_before_resume(tools: Tools) -> None:
    job = Job(prompt="x", tools=tools, model="m", effort="high", session=SESSION)
    argv = Codex().command(job).argv
    assert argv[argv.index("resume") :] == ["resume", SESSION, "-"]


def test_a_new_session_reads_its_prompt_from_stdin_too() -> None:
    argv = Codex().command(Job(prompt="x")).argv
    assert argv[-1] == "-"
    assert "resume" not in argv


def settings(tools: Tools) -> tuple[str, set[str], dict[str, str]]:
    """Return the sandbox, the settings and the variables that it is given."""
    command = Codex().command(Job(prompt="x", tools=tools))
    words = command.argv
    given = {words[at + 1] for at, word in enumerate(words) if word == "-c"}
    return words[words.index("--sandbox") + 1], given, command.env


def test_who_reads_runs_in_a_sandbox_that_only_reads() -> None:
    sandbox, given, env = settings(Tools.READ)
    assert (sandbox, env) == ("read-only", {})
    assert given == {"allow_login_shell=false", "web_search=disabled"}


def test_who_edits_runs_in_a_sandbox_that_writes_in_the_workspace_alone() -> None:
    sandbox, given, env = settings(Tools.EDIT)
    assert (sandbox, env) == ("workspace-write", {})
    assert {
        "sandbox_workspace_write.exclude_slash_tmp=true",
        "sandbox_workspace_write.exclude_tmpdir_env_var=true",
        "sandbox_workspace_write.network_access=false",
        "sandbox_workspace_write.writable_roots=[]",
    } < given


def test_who_has_no_tools_has_no_shell_and_nowhere_to_run_one() -> None:
    sandbox, given, env = settings(Tools.NONE)
    assert (sandbox, env) == ("read-only", {"CODEX_EXEC_SERVER_URL": "none"})
    assert {"features.shell_tool=false", "features.unified_exec=false"} < given


def test_a_call_that_takes_its_time_shows_when_it_begins_and_counts_once() -> None:
    item = b'{"type":"item.%s","item":{"id":"i","type":"command_execution","command":"make"}}'
    tool = b'{"type":"item.%s","item":{"id":"j","type":"mcp_tool_call","server":"s","tool":"t"}}'
    assert told(item % b"started") == (1, "shell", "make")
    assert told(item % b"started", item % b"completed") == (1, "shell", "make")
    assert told(tool % b"started", tool % b"completed") == (1, "s.t", "")
    assert told(item % b"started", tool % b"started", item % b"completed")[0] == 2


@pytest.mark.parametrize(("status", "touched"), [("completed", True), ("failed", False)])
def test_only_a_patch_that_was_applied_touched_its_files(status: str, touched: bool) -> None:
    line = (
        '{"type":"item.completed","item":{"type":"file_change","status":"%s","changes":'
        '[{"path":"/r/a","kind":"add"},{"path":"/r/b","kind":"delete"},{"kind":"add"},7]}}'
    )
    used, *rest = read((line % status).encode())
    assert isinstance(used, Used)
    assert (used.tool, used.detail) == ("edit", "/r/a, /r/b")
    assert rest == ([Touched("/r/a"), Touched("/r/b")] if touched else [])


def test_a_warning_in_an_item_is_passing_and_a_bare_error_is_not() -> None:
    item = b'{"type":"item.completed","item":{"type":"error","message":"no metadata"}}'
    assert read(item) == [Erred("no metadata", passing=True)]
    assert read(b'{"type":"error","message":"no metadata"}') == [Erred("no metadata")]


def test_a_failed_turn_without_words_is_a_failed_turn() -> None:
    assert read(b'{"type":"turn.failed"}') == [Ended(ok=False)]
    assert read(b'{"type":"turn.failed","error":{"message":7}}') == [Ended(ok=False)]


@pytest.mark.parametrize("moved", [False, True])
def test_the_log_of_a_session_is_found(moved: bool, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)} | ({"CODEX_HOME": str(tmp_path / "c")} if moved else {})
    day = tmp_path / ("c" if moved else ".codex") / "sessions/2026/11/21"
    log = day / f"rollout-2026-11-21T03-12-00-{SESSION}.jsonl"
    log.parent.mkdir(parents=True)
    log.touch()
    (day / "rollout-2026-11-21T04-12-00-another.jsonl").touch()
    assert look_for(Codex().session_logs(SESSION, "/srv/any where", env)) == str(log)
