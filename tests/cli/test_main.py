"""What every command has in common: versions, help, and what becomes of errors."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from support import RALLY, Place

from mittelo.cli.main import run
from mittelo.errors import Interrupted, MitteloError, UsageError

VERSION = (Path(__file__).parents[2] / "src/mittelo/VERSION").read_text().strip()


def ended(error: BaseException) -> int:
    @click.command("test")
    def command() -> None:
        raise error

    sys.argv = ["test"]
    with pytest.raises(SystemExit) as caught:
        run(command)
    code = caught.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MitteloError("what", "todo"), 1),
        (UsageError("what"), 2),
        (click.UsageError("what"), 2),
        (click.Abort(), 130),
        (Interrupted(), 130),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 0),
        (OSError(28, "No space left on device", "/x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert ended(error) == code


def test_a_fault_of_ours_goes_to_a_file_whose_path_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(ZeroDivisionError("ours")) == 3
    said = capsys.readouterr().err
    assert "this is a fault of ours: ZeroDivisionError: ours" in said
    path = Path(said.split("The details are in ")[1].strip())
    assert "Traceback" in path.read_text()


@pytest.mark.parametrize("name", ["rally", "laps", "mittelo"])
def test_a_checkout_says_that_it_is_one(name: str, place: Place) -> None:
    program = str(Path(RALLY).with_name(name))
    for words in ([program, "version"], [program, "--version"], [program, "-v"]):
        said = subprocess.run(words, env=place.environment(), check=True, capture_output=True)
        bare = name == "laps"  # its version has always stood alone
        assert said.stdout.decode() == ("" if bare else f"{name} ") + f"v{VERSION}-dev\n"


def test_the_package_is_a_program_too(place: Place) -> None:
    for words, name in (([], "mittelo "), (["rally"], "rally "), (["laps"], "")):
        said = subprocess.run(
            [sys.executable, "-m", "mittelo", *words, "version"],
            env=place.environment(),
            check=True,
            capture_output=True,
        )
        assert said.stdout.decode() == f"{name}v{VERSION}-dev\n"


def test_an_installed_release_says_its_number_alone(tmp_path: Path, place: Place) -> None:
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=root,
        check=True,
        capture_output=True,
    )
    wheel = next((tmp_path / "dist").glob(f"mittelo-{VERSION}-*.whl"))
    installed = tmp_path / "installed"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, installed], check=True)
    said = subprocess.run(
        [sys.executable, "-m", "mittelo", "rally", "version"],
        env=place.environment() | {"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert said.stdout.decode() == f"rally v{VERSION}\n"


def test_help_names_every_command(place: Place) -> None:
    done = place.rally("--help")
    assert done.code == 0
    for name in ("init", "start", "status", "tail", "instructions", "inbox", "progress", "version"):
        assert f"  {name} " in done.out
    assert place.rally().out == place.rally("help").out == done.out
    assert "Did you mean 'status'?" in place.rally("stat").err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(place: Place, shell: str) -> None:
    assert "_RALLY_COMPLETE" in place.rally("completion", shell).out


def test_completion_completes_commands(place: Place) -> None:
    place.env = {"_RALLY_COMPLETE": "bash_complete", "COMP_WORDS": "rally st", "COMP_CWORD": "1"}
    assert place.rally().out.split() == ["plain,start", "plain,status", "plain,stop"]


def test_a_reader_that_goes_away_is_no_error(place: Place) -> None:
    place.script('{print="x\\n", times=100000}, {write="x"}, {say="x"}')
    place.rally("start", "-i", "1", "-a", "script", "x")
    said = subprocess.run(
        ["sh", "-c", f"{RALLY} tail --raw | head -n 1"],
        cwd=place.root,
        env=place.environment(),
        check=True,
        capture_output=True,
    )
    assert said.stderr == b""
