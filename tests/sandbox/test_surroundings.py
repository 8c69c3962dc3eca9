"""The environment of a run that has a home of its own."""

from pathlib import Path

import pytest

from mittelo.harness.claude import Claude
from mittelo.harness.kimi import Kimi
from mittelo.harness.registry import BUILT_IN
from mittelo.sandbox.surroundings import isolated, make_home, whole

HOME = Path("/homes/own")
SECRETS = {"DATABASE_URL": "postgres://u:secret@db", "GH_TOKEN": "ghp", "MITTELO_TOKEN": "tok"}


def test_what_is_not_allowed_is_not_given() -> None:
    env = {"PATH": "/bin", "LC_TIME": "C", "HTTPS_PROXY": "http://p", **SECRETS}
    given = isolated(env, HOME, None, [])
    assert {*given} - {"HOME", "MITTELO_SUBPROCESS_HOME"} == {
        *("PATH", "LC_TIME", "HTTPS_PROXY", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        *("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"),
    }


def test_a_name_and_a_pattern_allow() -> None:
    env = {"GH_TOKEN": "ghp", "APP_ONE": "1", "APP_TWO": "2", "APPS": "3"}
    given = isolated(env, HOME, None, ["GH_TOKEN", "APP_*"])
    assert {"GH_TOKEN", "APP_ONE", "APP_TWO"} <= {*given}
    assert "APPS" not in given


def test_our_own_secret_is_never_given() -> None:
    assert "MITTELO_TOKEN" not in isolated(SECRETS, HOME, Claude(), ["*", "MITTELO_TOKEN"])
    assert {*whole(SECRETS, Claude())} == {"DATABASE_URL", "GH_TOKEN"}


def test_a_cli_is_given_its_own_credentials_and_nobody_elses() -> None:
    env = {"ANTHROPIC_API_KEY": "sk-ant", "ANTHROPIC_BASE_URL": "http://x", "OPENAI_API_KEY": "sk"}
    given = isolated(env, HOME, Claude(), [])
    assert given["ANTHROPIC_API_KEY"] == "sk-ant"
    assert given["ANTHROPIC_BASE_URL"] == "http://x"
    assert "OPENAI_API_KEY" not in given


@pytest.mark.parametrize("harness", BUILT_IN, ids=lambda harness: harness.name)
def test_no_variable_leads_out_of_the_home(harness: object) -> None:
    assert hasattr(harness, "folders")
    env = dict.fromkeys(harness.folders, "/home/somebody/own")
    given = isolated({**env, "HOME": "/home/somebody"}, HOME, harness, ["*"])  # type: ignore[arg-type]
    assert not [value for value in given.values() if value.startswith("/home/somebody")]


def test_a_folder_within_the_home_is_kept() -> None:
    env = {"CLAUDE_CONFIG_DIR": f"{HOME}/claude"}
    assert isolated(env, HOME, Claude(), [])["CLAUDE_CONFIG_DIR"] == f"{HOME}/claude"


def test_a_key_in_a_file_is_that_of_the_home_in_use(tmp_path: Path) -> None:
    for home, key in (("real", "sk-real\n"), ("own", "sk-own\n")):
        (tmp_path / home / ".ssh").mkdir(parents=True)
        (tmp_path / home / ".ssh/kimi.token").write_text(key)
    env = {"HOME": str(tmp_path / "real")}
    assert whole(env, Kimi())["KIMI_API_KEY"] == "sk-real"
    assert isolated(env, tmp_path / "own", Kimi(), [])["KIMI_API_KEY"] == "sk-own"
    assert "KIMI_API_KEY" not in isolated(env, tmp_path / "none", Kimi(), [])


def test_a_home_is_made_for_its_owner_only(tmp_path: Path) -> None:
    env = isolated({}, tmp_path / "a/home", None, [])
    make_home(env)
    assert (tmp_path / "a/home").stat().st_mode & 0o777 == 0o700
    assert all(Path(value).is_dir() for name, value in env.items() if name.startswith("XDG_"))
