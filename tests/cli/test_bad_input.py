"""One clear sentence for each thing that cannot be, and nothing lost."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support import RALLY, Done, Place

START = ("start", "-i", "1", "-a", "script")


def refused(done: Done, code: int, *words: str) -> None:
    assert done.code == code, (done.out, done.err)
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err
    assert len(done.err.strip().splitlines()) <= 4


def test_an_unknown_agent_is_named_with_the_nearest_known_one(place: Place) -> None:
    done = place.rally("start", "-i", "1", "-a", "gm", "x")
    refused(done, 2, "unknown agent alias 'gm'", "Did you mean glm")
    refused(place.rally("start", "-a", "CC", "x"), 2, "unknown agent alias 'CC'")


def test_a_folder_without_rally_says_what_to_run(plain: Place) -> None:
    for words in (("start", "x"), ("status",), ("tail",), ("inbox", "list")):
        refused(plain.rally(*words), 2, "There is no .rally folder", "rally init")


def test_a_missing_program_says_what_is_there(place: Place) -> None:
    place.env = {"PATH": f"{place.home}:{Path(RALLY).parent}:/usr/bin:/bin"}
    place.configure('[harness.none]\ncommand = ["no-such-agent"]\n')
    done = place.rally("start", "-i", "1", "-a", "none", "x")
    refused(
        done, 2, "None of the agents of this mix can run: no-such-agent is not installed", "script"
    )


def test_a_program_that_is_missing_is_left_out_of_a_mix(place: Place) -> None:
    place.configure('[harness.none]\ncommand = ["no-such-agent"]\n')
    place.script('{write="x.txt"}, {say="x"}')
    done = place.rally("start", "-i", "1", "-a", "none script", "x")
    assert done.code == 0
    assert "no-such-agent is not installed" in done.err


def test_without_git_there_is_a_word(place: Place) -> None:
    folder = place.home / "bin"
    folder.mkdir()
    place.env = {"PATH": str(folder)}
    refused(place.rally(*START, "x"), 2, "git is not installed")


def test_a_bare_repository_has_no_work_tree(place: Place) -> None:
    bare = place.home / "bare"
    place.git("clone", "--quiet", "--bare", ".", str(bare))
    refused(place.rally("status", cwd=bare), 2, "bare repository", "git worktree add")


@pytest.mark.parametrize("words", [("",), ("  ", " "), ("-",)])
def test_an_empty_prompt_is_not_taken_for_none(place: Place, words: tuple[str, ...]) -> None:
    refused(place.rally(*START, *words), 2, "The prompt is empty")
    assert place.relays() == []


def test_a_script_without_its_interpreter_says_so(place: Place) -> None:
    agent = place.home / "agent"
    agent.write_text("#!/no/such/interpreter\n")
    agent.chmod(0o755)
    place.configure(f'[harness.mine]\ncommand = ["{agent}"]\n')
    place.script('{write="x.txt"}, {say="x"}')
    assert place.rally("start", "-i", "1", "-a", "mine script", "x").code == 0
    assert "the interpreter that it names is missing" in place.tries()[0].fail_reason


def test_a_closed_output_is_no_fault_of_ours(place: Place) -> None:
    said = subprocess.run(
        ["sh", "-c", f"{RALLY} version >&-"],
        env=place.environment(),
        check=False,
        capture_output=True,
    )
    assert b"Traceback" not in said.stderr


def test_a_prompt_of_five_megabytes_is_too_long(place: Place) -> None:
    (place.home / "big").write_text("x" * 5_000_000)
    done = place.rally(*START, "--prompt-file", str(place.home / "big"))
    refused(done, 2, "5,000,000 bytes", "a file in the repository")
    assert place.relays() == []


def test_a_prompt_that_is_no_text_is_refused(place: Place) -> None:
    refused(place.rally(*START, "-", given=b"a\0b"), 2, "NUL character at position 1")
    refused(place.rally(*START, "-", given=b"a\xffb"), 2, "not valid UTF-8 at byte 1")
    raw = subprocess.run(
        [RALLY, *START, b"a\xffb"],
        cwd=place.root,
        env=place.environment(),
        capture_output=True,
        check=False,
    )
    refused(Done(raw.returncode, "", raw.stderr.decode()), 2, "not valid Unicode", "position 1")


def test_a_task_that_does_not_fit_an_argument_is_refused_at_once(place: Place) -> None:
    place.configure('[harness.arg]\ncommand = ["echo", "$PROMPT"]\n')
    (place.home / "big").write_text("x" * 120_000)
    done = place.rally("start", "-i", "1", "-a", "arg", "--prompt-file", str(place.home / "big"))
    refused(done, 2, "120,000 bytes", "arg takes it as an argument")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("nonsense [", ["config.toml: not valid TOML"]),
        (
            "[harness.mine]\ncommand = 'x'",
            ["config.toml:2: harness.mine.command", "expected a list"],
        ),
        (
            "[defaults]\niterations = 'x'",
            ["defaults.iterations", "expected a whole number, got text"],
        ),
        ("[harness.123bad]\ncommand = ['x']", ["invalid harness name"]),
        ("[harness.claude]\ncommand = ['x']", ["command cannot be set for a built-in harness"]),
        ("[harness.mine]\nmodel_flag = '-m'", ["needs a command"]),
        ("[harness.mine]\ncommand = ['x', '$MODEL']", ["use model_flag"]),
        ("[harness.mine]\ncommand = ['x']\ntail_stream = 'y'", ["tail_stream 'y' is none of"]),
    ],
)
def test_a_broken_configuration_is_pointed_at(place: Place, config: str, words: list[str]) -> None:
    place.configure(config)
    refused(place.rally(*START, "x"), 2, *words)


def test_an_unknown_key_and_a_newer_schema_are_warned_of(place: Place) -> None:
    place.configure("schema_version = 99\n[defaults]\niteratons = 3\n")
    place.script('{write="x.txt"}, {say="x"}')
    done = place.rally(*START, "x")
    assert done.code == 0
    assert (
        "config.toml:3: unknown key defaults.iteratons. Did you mean defaults.iterations?"
        in done.err
    )
    assert "schema_version is 99, this rally knows 2" in done.err


def test_a_harness_that_opens_a_tui_is_warned_of(place: Place) -> None:
    place.configure('[harness.tui]\ncommand = ["opencode"]\n')
    place.script('{write="x.txt"}, {say="x"}')
    assert "[harness.tui] starts opencode in TUI mode" in place.rally(*START, "x").err


def test_a_data_directory_that_cannot_be_written_is_named(place: Place) -> None:
    (place.home / "file").write_text("")
    place.configure(f'data_dir = "{place.home}/file/data"\n')
    refused(place.rally(*START, "x"), 2, "The data directory", "cannot be written", "data_dir")
    assert place.relays() == []


def test_a_role_without_text_says_where_to_write_it(place: Place) -> None:
    done = place.rally(*START, "--role", "nobody", "x")
    refused(done, 2, "no text for the role 'nobody'", ".rally/agents/user/nobody.md")


def test_damaged_records_are_set_aside_and_nothing_is_lost(place: Place) -> None:
    place.script('{write="x.txt"}, {say="x"}', '{write="y.txt"}, {say="y"}')
    assert place.rally(*START, "x").code == 0
    tries = place.root / ".rally/state/tries.jsonl"
    sound = tries.read_bytes()
    tries.write_bytes(b"garbage \xff\n" + sound + b'{"v":1,"id":2,"run_id":1')
    done = place.rally("status")
    assert done.code == 0
    assert "2 damaged line(s) ignored" in done.err
    done = place.rally(*START, "x")
    assert done.code == 0, done.err
    assert [made.id for made in place.tries()] == [1, 2]
    assert tries.read_bytes().startswith(sound)
    aside = tries.with_name("tries.jsonl.damaged").read_bytes()
    assert aside == b'garbage \xff\n{"v":1,"id":2,"run_id":1\n'


def test_a_transcript_is_not_written_over_when_its_record_is_lost(place: Place) -> None:
    place.script('{write="x.txt"}, {say="first"}', '{write="y.txt"}, {say="second"}')
    assert place.rally(*START, "x").code == 0
    (place.root / ".rally/state/tries.jsonl").unlink()
    (place.root / ".git/mittelo/tries.jsonl").unlink()
    assert place.rally(*START, "x").code == 0
    assert [made.id for made in place.tries()] == [2]
    logs = sorted((place.home / "data/rally/tries").glob("*/try-?.log"))
    assert ["first" in logs[0].read_text(), "second" in logs[1].read_text()] == [True, True]


def test_damaged_run_state_does_not_stop_a_relay(place: Place) -> None:
    (place.root / ".rally/state/run-state.json").write_text("{torn")
    place.script('{write="x.txt"}, {say="x"}')
    done = place.rally(*START, "x")
    assert done.code == 0
    assert "run-state.json.damaged" in done.err


def test_unknown_commands_and_flags_are_usage_errors(place: Place) -> None:
    refused(place.rally("strat"), 2, "No such command 'strat'. Did you mean 'start'?")
    assert place.rally("start", "--no-such-flag").code == 2
    assert place.rally("start", "-i", "-1", "x").code == 2


def test_a_folder_in_the_place_of_a_record_is_told_of(place: Place) -> None:
    (place.root / ".rally/state/run-state.json").mkdir()
    done = place.rally(*START, "x")
    refused(done, 1, "Is a directory")


def _mounted(folder: Path, kilobytes: int) -> bool:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_a_full_disk_is_told_of_and_the_relay_can_go_on(place: Place) -> None:
    disk = place.home / "disk"
    if os.geteuid() != 0 or not shutil.which("mount") or not _mounted(disk, 200):
        pytest.skip("a small disk cannot be mounted here")
    try:
        place.configure(f'data_dir = "{disk}"\n')
        place.script(
            '{write="half.txt"}, {print="x", times=400000}, {say="full"}',
            '{write="x.txt"}, {say="x"}',
        )
        done = place.rally(*START, "x")
        refused(done, 1, "No space left on device")
        for path in disk.rglob("try-*"):
            path.unlink()
        again = place.rally("start", "--resume")
        assert again.code == 0, again.err
        assert place.relays()[0].completed_iterations == 1
    finally:
        subprocess.run(["umount", str(disk)], check=False)
