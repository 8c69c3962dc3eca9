"""One run of a backend: what it is given, what comes of it, and that nothing of it is left."""

import sys
import threading
import time
from pathlib import Path

import pytest
from support import wait_until
from workers import is_gone, program

from mittelo.answering.backends import Backend, Folder, Shell, configuration_here, find_backend
from mittelo.answering.run import Answer, Bounds, Question, Run
from mittelo.core.faults import Category

NASTY = 'say "it\'s" $(id) `id` $HOME; exit 3 # * 🦀 \\n\n--version\r\n'


def bounds(**given: object) -> Bounds:
    return Bounds(keep=Path.cwd() / "kept", **given)  # type: ignore[arg-type]


def ask(backend: Backend, prompt: str = "hi", **given: object) -> Answer:
    question = Question(prompt=prompt, task_id="7", worker_id="w-1")
    return Run(backend, question, bounds(**given), str(Path.cwd())).go()


def python(text: str) -> Shell:
    return Shell([sys.executable, "-S", "-c", text])


def folder(text: str) -> Folder:
    script = Path.cwd() / "run.py"
    script.write_text(text)
    return Folder(("mine",), script, str(script))


def test_echo_answers_with_its_prompt() -> None:
    assert ask(find_backend("echo", configuration_here()), NASTY).text == f"echo:{NASTY}"


def test_a_prompt_arrives_whole_on_stdin_and_in_a_file() -> None:
    read = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + b'|')"
    assert ask(python(read), NASTY).text == f"{NASTY}|"
    file = "import os, sys; sys.stdout.write(open(os.environ['MITTELO_PROMPT_FILE']).read())"
    file = file.replace("FILE']", "FILE'], newline=''").replace("read()", "read() + '|'")
    assert ask(python(file), NASTY).text == f"{NASTY}|"


def test_no_shell_reads_the_words_of_a_command() -> None:
    assert ask(Shell(["printf", "%s", "$HOME; id"])).text == "$HOME; id"


def test_a_run_knows_its_task_and_has_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITTELO_TOKEN", "tok-secret")
    text = """
import os
print(os.environ["MITTELO_TASK_ID"], os.environ["MITTELO_WORKER_ID"], "MITTELO_TOKEN" in os.environ)
place = os.environ["TMPDIR"]
open(place + "/x", "w").close()
print(place, oct(os.stat(place + "/..").st_mode & 0o777))
"""
    said = ask(python(text)).text.splitlines()
    assert said[0] == "7 w-1 False"
    place, mode = said[1].split()
    assert (mode, Path(place).exists()) == ("0o700", False)


def test_another_home_is_made_and_used_for_all_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "other"
    monkeypatch.setenv("MITTELO_SUBPROCESS_HOME", str(home))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "home/.codex"))
    text = """
import os
for name in sorted(n for n in os.environ if n.startswith("XDG_") or n in {"HOME", "CODEX_HOME"}):
    place = os.environ[name]
    below = os.path.relpath(place, os.environ["MITTELO_SUBPROCESS_HOME"])
    print(name, below, os.path.isdir(place))
"""
    said = ask(python(text)).text.splitlines()
    assert said == [
        "HOME . True",
        "XDG_CACHE_HOME .cache True",
        "XDG_CONFIG_HOME .config True",
        "XDG_DATA_HOME .local/share True",
        "XDG_RUNTIME_DIR .cache/run True",
        "XDG_STATE_HOME .local/state True",
    ]
    assert home.stat().st_mode & 0o777 == 0o700


def test_only_stdout_is_the_answer() -> None:
    answer = ask(python("import sys; print('answer'); print('noise', file=sys.stderr)"))
    assert (answer.text, answer.reason, answer.errors) == ("answer", "", "noise\n")


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("Invalid API key · Please run /login", Category.AUTH_OR_PROXY),
        ("stream disconnected before completion", Category.TRANSIENT_INFRA),
        ("You've hit your usage limit. Try again in 3h 20m.", Category.USAGE_LIMIT),
        ("something odd", None),
    ],
)
def test_a_failure_is_told_by_its_kind_and_is_no_answer(
    said: str, category: Category | None
) -> None:
    text = f"import sys; print('partial'); print({said!r}, file=sys.stderr); sys.exit(3)"
    answer = ask(python(text))
    assert (answer.ok, answer.text, answer.code) == (False, "", 3)
    assert answer.category == (category or Category.UNIDENTIFIED_ISSUE)
    assert said.partition(".")[0] in answer.reason
    if category is Category.USAGE_LIMIT:
        assert answer.retry_after == pytest.approx(12_000, abs=60)


def test_a_program_that_is_not_there_is_a_failure_to_launch() -> None:
    answer = ask(Shell(["/nowhere/to/be/found"]))
    assert answer.category is Category.HARNESS_LAUNCH
    assert "No such file" in answer.reason


def test_a_backend_that_says_nothing_has_failed_a_command_may() -> None:
    assert ask(folder("")).reason == "agent error: empty answer"
    assert ask(Shell(["true"])).ok


def test_a_run_that_hangs_is_ended_in_time() -> None:
    answer = ask(python("import time; print('half', flush=True); time.sleep(60)"), seconds=0.3)
    assert answer.category is Category.TIMED_OUT
    assert (answer.reason, answer.text) == ("timed out after 0.3 s", "")
    assert answer.seconds < 20


def test_a_run_is_stopped_from_another_thread(tmp_path: Path) -> None:
    text = f"""
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
open({str(tmp_path / "pid.new")!r}, "w").write(str(os.getpid()))
os.rename({str(tmp_path / "pid.new")!r}, {str(tmp_path / "pid")!r})
time.sleep(60)
"""
    run = Run(python(text), Question(prompt="x"), bounds(), str(tmp_path))
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(run.go()))
    thread.start()
    wait_until((tmp_path / "pid").exists)
    run.stop()
    thread.join(20)
    assert answers[0].stopped
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_run_that_was_stopped_before_does_not_begin(tmp_path: Path) -> None:
    run = Run(python("open('began', 'w')"), Question(prompt="x"), bounds(), str(tmp_path))
    run.stop()
    assert run.go().stopped
    assert not (tmp_path / "began").exists()


def test_what_a_run_leaves_behind_is_ended(tmp_path: Path) -> None:
    daemon = f"""
import subprocess, sys
words = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
left = subprocess.Popen(words, start_new_session=True)
open({str(tmp_path / "pid")!r}, "w").write(str(left.pid))
print("bye")
"""
    answer = ask(python(daemon))
    assert answer.text == "bye"
    assert answer.left
    assert is_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    "ending", ["while True: out.write(b'x' * 65536)", "out.write(b'x' * (5 << 20))"]
)
def test_a_run_that_writes_too_much_is_ended(ending: str) -> None:
    answer = ask(python(f"import sys; out = sys.stdout.buffer\n{ending}"), output=4 << 20)
    assert (answer.reason, answer.text) == ("it wrote more than 4 MiB", "")
    assert answer.category is Category.OVER_BUDGET


def test_a_hundred_megabytes_are_kept_whole_and_cut_for_the_hub() -> None:
    text = "import sys\nfor i in range(100): sys.stdout.write(('%d' % (i % 10)) * (1 << 20))"
    answer = ask(python(text))
    whole = Path(answer.whole)
    assert whole.stat().st_size == 100 << 20
    assert whole.stat().st_mode & 0o077 == 0
    assert len(answer.text) <= 8 << 20
    assert answer.text.startswith("000")
    assert answer.text.endswith(f"in {whole}]")
    assert "104,857,600 bytes" in answer.text[-300:]


def test_an_answer_that_grows_in_json_is_cut_too() -> None:
    answer = ask(python("import sys; sys.stdout.write('\\x01' * 3000)"), text=4000)
    assert 400 < len(answer.text) < 4000
    assert Path(answer.whole).read_bytes() == b"\x01" * 3000


def test_the_script_agent_answers_and_tells_what_it_used(tmp_path: Path) -> None:
    (tmp_path / ".rally").mkdir()
    (tmp_path / ".rally/script.toml").write_text(
        """[[turn]]
steps = [{ say = "thinking" }, { write = "x.txt", text = "no" }, { say = "the answer" },
         { usage = { input = 12, output = 3, cost = 0.5 } }]
[[turn]]
steps = [{ error = "Credit balance is too low" }]
"""
    )
    backend = find_backend("script", configuration_here())
    answer = ask(backend)
    assert (answer.text, answer.reason) == ("the answer", "")
    assert (answer.tokens.input, answer.tokens.output, answer.cost) == (12, 3, 0.5)
    assert not (tmp_path / "x.txt").exists()
    failed = ask(backend)
    assert (failed.ok, failed.category) == (False, Category.USAGE_LIMIT)


def test_a_custom_harness_answers_with_its_stdout_alone(tmp_path: Path) -> None:
    words = program(
        tmp_path, "cli", "import sys; print('noise', file=sys.stderr)\nfor i in range(99): print(i)"
    )
    (tmp_path / ".rally").mkdir()
    command = ", ".join(f'"{word}"' for word in words.split())
    (tmp_path / ".rally/config.toml").write_text(f"[harness.pelican]\ncommand = [{command}]\n")
    answer = ask(find_backend("pelican", configuration_here()))
    assert answer.text.splitlines() == [str(number) for number in range(99)]


def test_a_stand_in_is_started_where_the_program_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npx = tmp_path / "bin/npx"
    npx.parent.mkdir()
    npx.write_text(
        '#!/bin/sh\necho \'{"type":"message","role":"assistant","content":"\'$1 $2\'"}\'\n'
        'echo \'{"type":"result","status":"success"}\'\n'
    )
    npx.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npx.parent}:/bin")
    answer = ask(find_backend("gemini", configuration_here()))
    assert answer.text == "--yes @google/gemini-cli", answer.reason


def test_a_folder_that_is_not_there_to_run_in_is_told(tmp_path: Path) -> None:
    run = Run(Shell(["true"]), Question(prompt="x"), bounds(), str(tmp_path / "gone"))
    answer = run.go()
    assert answer.category is Category.HARNESS_LAUNCH
    assert "gone" in answer.reason


def test_much_output_costs_little() -> None:
    """Millions of lines are not read one by one."""
    began = time.process_time()
    answer = ask(python("import sys; sys.stdout.write('x\\n' * 10_000_000)"))
    assert answer.whole
    assert time.process_time() - began < 3
    assert Path(answer.whole).stat().st_size == 20_000_000
