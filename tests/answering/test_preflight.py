"""Whether a backend is ready, and what is said if not."""

import sys
from pathlib import Path

import pytest

from mittelo.answering.backends import configuration_here, find_backend
from mittelo.answering.preflight import Report, Standing, preflight

LOGIN_VARIABLES = {
    "claude_code": "ANTHROPIC_API_KEY",
    "codex": "CODEX_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "opencode": "OPENAI_API_KEY",
}
LOGIN_FILES = {
    "claude_code": (".claude/.credentials.json", "{}"),
    "codex": (".codex/auth.json", "{}"),
    "gemini": (".gemini/settings.json", '{"security": {"auth": {"selectedType": "x"}}}'),
    "opencode": (".local/share/opencode/auth.json", "{}"),
    "antigravity": (".gemini/oauth_creds.json", "{}"),
}
PROGRAMS = {"claude_code": "claude", "antigravity": "agy"}


def check(name: str) -> Report:
    return preflight(name, find_backend(name, configuration_here(), "true"))


def install(place: Path, name: str) -> None:
    place.mkdir(exist_ok=True)
    (place / name).write_text("#!/bin/sh\n")
    (place / name).chmod(0o755)


@pytest.fixture(autouse=True)
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which only what the test puts there is found, and nobody is logged in."""
    for name in [*LOGIN_VARIABLES.values(), "GOOGLE_API_KEY", "ANTHROPIC_AUTH_TOKEN"]:
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


@pytest.mark.parametrize("name", ["echo", "shell"])
def test_echo_and_shell_are_always_ready(name: str) -> None:
    assert check(name).status is Standing.OK


@pytest.mark.parametrize("name", LOGIN_FILES)
def test_a_missing_program_fails_and_says_what_to_do(name: str) -> None:
    found = check(name)
    assert found.status is Standing.FAIL
    assert "is not on the PATH: install it" in found.problems[0]


@pytest.mark.parametrize("name", LOGIN_FILES)
def test_without_a_sign_of_a_login_it_may_work(name: str, bin_folder: Path) -> None:
    install(bin_folder, PROGRAMS.get(name, name))
    found = check(name)
    assert (found.status, found.problems) == (Standing.WARN, [])
    assert found.warnings[0].startswith("Nobody seems to be logged in. Run ")


@pytest.mark.parametrize(("name", "variable"), LOGIN_VARIABLES.items())
def test_a_key_in_the_environment_is_enough(
    name: str, variable: str, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bin_folder, PROGRAMS.get(name, name))
    monkeypatch.setenv(variable, "secret-key")
    found = check(name)
    assert found.status is Standing.OK
    assert "secret-key" not in repr(found)


@pytest.mark.parametrize(("name", "file"), LOGIN_FILES.items())
def test_a_file_is_looked_for_in_the_home_that_the_backend_will_have(
    name: str,
    file: tuple[str, str],
    bin_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(bin_folder, PROGRAMS.get(name, name))
    path = tmp_path / "home" / file[0]
    path.parent.mkdir(parents=True)
    path.write_text(file[1])
    assert check(name).status is Standing.OK
    monkeypatch.setenv("MITTELO_SUBPROCESS_HOME", str(tmp_path / "other"))
    assert check(name).status is Standing.WARN


def test_gemini_may_be_had_through_npx(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "x")
    assert "(or npx)" in check("gemini").problems[0]
    install(bin_folder, "npx")
    assert check("gemini").status is Standing.OK


def test_a_folder_needs_what_runs_its_script(bin_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "backends/mine/run"
    script.parent.mkdir(parents=True)
    script.write_text("cat\n")
    assert "run by bash, which is not on the PATH" in check("mine").problems[0]
    install(bin_folder, "bash")
    assert check("mine").status is Standing.OK
    script.write_text("")
    assert "is empty" in check("mine").problems[0]


def test_mlx_needs_a_python_that_can_import_it(bin_folder: Path) -> None:
    install(bin_folder, "mlx_lm.generate")
    (bin_folder / "mlx_lm.generate").write_text(f"#!{sys.executable}\nimport mlx_lm\n")
    found = check("mlx")
    assert found.status is Standing.FAIL
    assert "cannot import mlx (exit 1: ModuleNotFoundError: " in found.problems[0]
    assert "install 'mlx[cpu]' beside mlx-lm" in found.problems[0]


def test_mlx_needs_a_model_that_is_there(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bin_folder, "mlx_lm.generate")
    found = check("mlx")
    assert found.status is Standing.WARN
    assert "set MITTELO_MLX_MODEL" in found.warnings[0]
    monkeypatch.setenv("MITTELO_MLX_MODEL", str(tmp_path))
    assert "it has no config.json" in check("mlx").problems[0]
    (tmp_path / "config.json").touch()
    assert check("mlx").status is Standing.OK
    monkeypatch.setenv("MITTELO_MLX_MODEL", "somebody/some-model")
    assert check("mlx").status is Standing.OK


def test_without_a_tmux_session_a_prompt_would_go_to_a_shell(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "tmux is not on the PATH" in check("tmux").problems[0]
    bin_folder.mkdir()
    asked = tmp_path / "asked"
    program = bin_folder / "tmux"
    program.write_text(f'#!/bin/sh\necho "$*" >> {asked}\ntest "$3" = =is_there\n')
    program.chmod(0o755)
    found = check("tmux")
    assert found.status is Standing.WARN
    assert "no tmux session mittelo_default" in found.warnings[0]
    monkeypatch.setenv("MITTELO_TMUX_SESSION", "is.there")
    assert check("tmux").status is Standing.OK
    assert asked.read_text() == "has-session -t =mittelo_default\nhas-session -t =is_there\n"
