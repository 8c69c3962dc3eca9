"""Which backend a name means."""

import os
import sys
from pathlib import Path

import pytest

from mittelo.answering.backends import (
    Agent,
    Backend,
    Echo,
    Folder,
    Shell,
    all_backends,
    configuration_here,
    find_backend,
)
from mittelo.answering.launching import script_words
from mittelo.errors import UsageError

BASH = "#!/bin/sh\ncat\n"


def find(name: str, shell_cmd: str = "") -> Backend:
    return find_backend(name, configuration_here(), shell_cmd)


def put(place: Path, name: str, text: str = BASH, file: str = "run", mode: int = 0o755) -> Path:
    script = place / name / file
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(text)
    script.chmod(mode)
    return script


@pytest.mark.parametrize(
    ("name", "harness", "names"),
    [
        ("claude_code", "claude", ("claude_code", "claude", "cc")),
        ("claude", "claude", ("claude_code", "claude", "cc")),
        ("cc", "claude", ("claude_code", "claude", "cc")),
        ("codex", "codex", ("codex", "cx")),
        ("gemini", "gemini", ("gemini", "ge")),
        ("opencode", "opencode", ("opencode", "op")),
        ("script", "script", ("script",)),
    ],
)
def test_agent_clis_are_built_in(name: str, harness: str, names: tuple[str, ...]) -> None:
    found = find(name)
    assert isinstance(found, Agent)
    assert (found.harness.name, found.names, found.used) == (harness, names, "built in")


def test_echo_and_shell_are_built_in_and_no_folder_takes_their_place(tmp_path: Path) -> None:
    put(tmp_path / "backends", "echo")
    put(tmp_path / "backends", "shell")
    assert find("echo") == Echo()
    assert find("shell", "tr 'a b' c") == Shell(["tr", "a b", "c"])


@pytest.mark.parametrize("words", ["", "   ", "echo 'open"])
def test_a_shell_needs_a_command_that_can_be_split(words: str) -> None:
    with pytest.raises(UsageError, match=r"command|split"):
        find("shell", words)


def test_a_folder_of_the_current_directory_is_a_backend(tmp_path: Path) -> None:
    script = put(tmp_path / "backends", "mine")
    assert find("mine") == Folder(("mine",), script, str(script))
    assert "mine" in all_backends(configuration_here())


def test_a_folder_takes_the_place_of_what_is_built_in_and_says_so(tmp_path: Path) -> None:
    script = put(tmp_path / "backends", "claude_code")
    found = find("cc")
    assert isinstance(found, Folder)
    assert found.used == f"{script}, in place of the built-in one"
    assert set(found.names) == {"claude_code", "claude", "cc"}


@pytest.mark.parametrize("below", ["", "backends"])
def test_the_named_folder_wins_over_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    put(tmp_path / "backends", "mine")
    script = put(tmp_path / "elsewhere" / below, "mine")
    monkeypatch.setenv("MITTELO_BACKENDS_DIR", str(tmp_path / "elsewhere"))
    found = find("mine")
    assert isinstance(found, Folder)
    assert found.script == script


def test_a_named_folder_holds_also_where_its_program_is_started_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = put(tmp_path / "own", "mine")
    monkeypatch.setenv("MITTELO_BACKENDS_DIR", "own")
    assert find("mine") == Folder(("mine",), script, str(script))


def test_the_template_and_the_archive_are_none(tmp_path: Path) -> None:
    for name in ("_template", "archive"):
        put(tmp_path / "backends", name)
        with pytest.raises(UsageError, match="no backend"):
            find(name)
        assert name not in all_backends(configuration_here())


@pytest.mark.parametrize("name", ["../mine", "/etc", "", ".", "a/b", "nul\0", "x" * 5000])
def test_a_path_is_no_name(tmp_path: Path, name: str) -> None:
    put(tmp_path, "mine")
    with pytest.raises(UsageError, match="no backend"):
        find(name)


def test_the_nearest_names_are_told() -> None:
    with pytest.raises(UsageError) as error:
        find("clade_code")
    assert "Did you mean claude_code" in error.value.todo


def test_custom_harnesses_of_the_configuration_are_backends(tmp_path: Path) -> None:
    (tmp_path / ".rally").mkdir()
    (tmp_path / ".rally/config.toml").write_text(
        '[harness.pelican]\ncommand = ["cat"]\n[harness.broken]\noutput_lines = 3\n'
    )
    found = find("pelican")
    assert isinstance(found, Agent)
    assert found.used == "[harness.pelican] of the configuration"
    with pytest.raises(UsageError, match="needs a command"):
        find("broken")


def test_the_model_comes_from_its_variable_or_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".rally").mkdir()
    (tmp_path / ".rally/config.toml").write_text(
        '[defaults]\nclaude_model = "fable"\n[harness.claude.models]\nbig = "claude-big-9"\n'
    )

    def model() -> str:
        found = find("cc")
        assert isinstance(found, Agent)
        return found.model

    assert model() == "fable"
    monkeypatch.setenv("MITTELO_CLAUDE_MODEL", "big")
    assert model() == "claude-big-9"
    monkeypatch.setenv("MITTELO_CLAUDE_MODEL", "claude-haiku-4-5")
    assert model() == "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("text", "file", "mode", "by"),
    [
        ("print(1)\n", "run.py", 0o644, sys.executable),
        ("#!/usr/bin/env python3\nprint(1)\n", "run", 0o644, sys.executable),
        ("#!/usr/bin/python3.11 -I\nprint(1)\n", "run", 0o755, sys.executable),
        ("#!/bin/sh\ncat\n", "run", 0o755, ""),
        ("#!/bin/sh\ncat\n", "run", 0o644, "bash"),
        ("cat\n", "run", 0o755, "bash"),
        ("cat\n", "run.sh", 0o644, "bash"),
    ],
)
def test_a_script_is_run_by_what_it_is(
    tmp_path: Path, text: str, file: str, mode: int, by: str
) -> None:
    script = put(tmp_path, "mine", text, file, mode)
    assert script_words(script) == [word for word in (by, str(script)) if word]


def test_a_program_is_run_directly(tmp_path: Path) -> None:
    program = tmp_path / "run"
    program.symlink_to(os.path.realpath("/bin/cat"))
    assert script_words(program) == [str(program)]
