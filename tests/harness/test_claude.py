"""What is special about claude, where no recording shows it."""

from pathlib import Path

import pytest
from tests.harness.samples import look_for

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred
from mittelo.harness.base import Job, Stream
from mittelo.harness.claude import Claude

SESSION = "0f0f0f0f-aaaa-4bbb-8ccc-121212121212"


@pytest.mark.parametrize(
    ("tools", "offered", "mode"),
    [
        (Tools.NONE, "--tools=", "default"),
        (Tools.READ, "--tools=Read,Glob,Grep", "default"),
        (Tools.EDIT, "--tools=Read,Glob,Grep,Edit,Write,NotebookEdit", "acceptEdits"),
    ],
)
def test_it_is_told_which_tools_to_offer_and_that_the_workspace_configures_nothing(
    tools: Tools, offered: str, mode: str
) -> None:
    argv = Claude().command(Job(prompt="x", tools=tools)).argv
    assert argv[5:] == [
        *(offered, "--permission-mode", mode),
        *("--strict-mcp-config", "--setting-sources", "user"),
    ]


def test_work_is_done_without_questions() -> None:
    assert Claude().command(Job(prompt="x")).argv[5:] == ["--dangerously-skip-permissions"]


def test_success_counts_only_without_an_error() -> None:
    line = b'{"type":"result","subtype":"success","is_error":%s,"result":"said"}'
    assert [*Claude().read(line % b"false", Stream.OUT)] == [Ended(ok=True, text="said")]
    assert [*Claude().read(line % b"true", Stream.OUT)] == [Ended(ok=False, message="said")]


def test_an_unknown_kind_of_end_is_no_success() -> None:
    line = b'{"type":"result","subtype":"error_of_tomorrow","is_error":false}'
    assert [*Claude().read(line, Stream.OUT)] == [Ended(ok=False, message="error_of_tomorrow")]


def test_a_retry_is_a_passing_error_with_its_status() -> None:
    line = (
        b'{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,'
        b'"error_status":529,"error":"overloaded"}'
    )
    assert [*Claude().read(line, Stream.OUT)] == [
        Erred("overloaded, retry 1/10", 529, passing=True)
    ]


@pytest.mark.parametrize(
    ("workspace", "folder"),
    [
        ("/srv/repo", "-srv-repo"),
        ("/srv/my repo.v2", "-srv-my-repo-v2"),
        ("/srv/.hidden/_under_score", "-srv--hidden--under-score"),
        ("/srv/Häuser", "-srv-H-user"),
        ("/srv/[a]*?", "-srv--a---"),
        ("/srv/🦀", "-srv---"),
        ("/srv/" + "x" * 250, "-srv-" + "x" * 195 + "-1a2b3c"),
    ],
)
@pytest.mark.parametrize("moved", [False, True])
def test_the_log_of_a_session_is_found_however_the_workspace_is_named(
    workspace: str, folder: str, moved: bool, tmp_path: Path
) -> None:
    env = {"HOME": str(tmp_path)} | ({"CLAUDE_CONFIG_DIR": str(tmp_path / "c")} if moved else {})
    log = tmp_path / ("c" if moved else ".claude") / "projects" / folder / f"{SESSION}.jsonl"
    log.parent.mkdir(parents=True)
    log.touch()
    assert look_for(Claude().session_logs(SESSION, workspace, env)) == str(log)
