"""The agent that asks whoever sits in a tmux session, with a real tmux."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import wait_until

from mittelo.agents.tmux import new_lines, without_echo

SOMEBODY = """\
printf 'welcome\\nANSWER one\\n'
while printf '> ' && IFS= read -r line; do
  case $line in
    slow) for n in 1 2 3 4; do echo "part $n"; sleep 0.4; done ;;
    many) seq 1 400 ;;
    marked) echo first; sleep 1.5; echo second; echo 'and this END of it' ;;
    mute) sleep 60 ;;
    endless) while :; do date +%N; sleep 0.05; done ;;
    *) printf 'ANSWER %s\\n' "$line" ;;
  esac
done
"""
needs_tmux = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


class Server:
    """A server of tmux of our own."""

    def __init__(self, home: Path, shell: str = "/bin/sh") -> None:
        unwanted = ("TMUX", "TMUX_PANE")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        self._env = kept | {"TMUX_TMPDIR": str(home), "SHELL": shell, "PS1": "$ "}

    def run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", *words],
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return done.stdout

    def ask(self, prompt: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "mittelo.agents.tmux", "--quiet=0.8", *options],
            input=prompt,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    try:
        yield made
    finally:
        made.run("kill-server")


@pytest.fixture
def somebody(server: Server, tmp_path: Path) -> Server:
    """A session in which somebody answers, and has answered before."""
    script = tmp_path / "somebody.sh"
    script.write_text(SOMEBODY)
    size = ("-x", "80", "-y", "20")
    server.run("new-session", "-d", "-s", "desk", *size, f"sh {shlex.quote(str(script))}")
    wait_until(lambda: ">" in server.run("capture-pane", "-p", "-t", "desk"), "somebody's sign")
    return server


@pytest.fixture
def slow_shell(tmp_path: Path) -> Iterator[Server]:
    """A server whose shell takes a while to ask for something."""
    shell = tmp_path / "shell"
    shell.write_text("#!/bin/sh\nsleep 0.8\nexec /bin/sh\n")
    shell.chmod(0o755)
    made = Server(tmp_path, str(shell))
    yield made
    made.run("kill-server")


@needs_tmux
def test_only_what_is_new_is_the_answer(somebody: Server) -> None:
    for _ in range(2):
        done = somebody.ask("one", "--session=desk")
        assert (done.returncode, done.stdout, done.stderr) == (0, "ANSWER one\n", "")


@needs_tmux
@pytest.mark.parametrize("prompt", ["Enter C-c $HOME `id`; #{pane_id} 'x' \"y\" \\n", "-p é汉"])
def test_a_prompt_is_typed_as_it_is(somebody: Server, prompt: str) -> None:
    assert somebody.ask(prompt, "--session=desk").stdout == f"ANSWER {prompt}\n"


@needs_tmux
def test_keys_in_a_prompt_are_not_pressed(somebody: Server) -> None:
    assert somebody.ask("a\x03b\x1b[Ac", "--session=desk").stdout == "ANSWER ab[Ac\n"


@needs_tmux
def test_an_answer_is_waited_for_until_it_is_quiet(somebody: Server) -> None:
    assert (
        somebody.ask("slow", "--session=desk", "--quiet=2").stdout
        == "part 1\npart 2\npart 3\npart 4\n"
    )


@needs_tmux
def test_an_answer_longer_than_the_window_is_whole(somebody: Server) -> None:
    numbers = [str(number) for number in range(1, 401)]
    for _ in range(2):
        assert somebody.ask("many", "--session=desk").stdout.split() == numbers


@needs_tmux
def test_a_marker_ends_the_answer_however_long_it_is_quiet(somebody: Server) -> None:
    done = somebody.ask("marked", "--session=desk", r"--end=\bEND\b")
    assert done.stdout == "first\nsecond\nand this \n"


@needs_tmux
@pytest.mark.parametrize(
    ("prompt", "why"), [("mute", "no answer after 5 s"), ("endless", "still goes on after 5 s")]
)
def test_the_wait_has_an_end(somebody: Server, prompt: str, why: str) -> None:
    done = somebody.ask(prompt, "--session=desk", "--wait=5")
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr


@needs_tmux
def test_prompts_to_one_session_wait_for_each_other(somebody: Server) -> None:
    words = ["alpha", "beta", "gamma"]
    with ThreadPoolExecutor(len(words)) as together:
        made = list(together.map(lambda word: somebody.ask(word, "--session=desk"), words))
    assert [done.stdout for done in made] == [f"ANSWER {word}\n" for word in words]
    assert "waiting for another prompt" in "".join(done.stderr for done in made)


@needs_tmux
def test_a_session_that_is_missing_is_made(server: Server) -> None:
    for _ in range(2):
        assert server.ask("echo $((40 + 2))").stdout == "42\n"
    assert server.run("list-sessions", "-F", "#{session_name}").split() == ["mittelo_default"]


@needs_tmux
def test_a_shell_that_is_slow_to_start_is_waited_for(slow_shell: Server) -> None:
    assert slow_shell.ask("echo $((40 + 2))").stdout == "42\n"


@needs_tmux
def test_a_prompt_of_several_lines_is_typed_line_by_line(somebody: Server) -> None:
    done = somebody.ask("one\ntwo\n", "--session=desk")
    assert [word for word in ("ANSWER one", "ANSWER two") if word in done.stdout] == [
        "ANSWER one",
        "ANSWER two",
    ]


def test_without_tmux_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mittelo.agents.tmux"],
        env={"PATH": str(tmp_path)},
        input="x",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "command not found" in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (["$"], ["$ ls", "a", "$"], ["$ ls", "a"]),
        (["x", "$"], ["x", "$"], []),
        (["a", "b", "$"], ["b", "$ ls", "c", "$"], ["$ ls", "c"]),
        (["box", "> ", "box", "help"], ["box", "said", "> ", "box", "help"], ["said"]),
        (["old", "menu"], ["new", "menu"], ["new"]),
        ([""], ["hello"], ["hello"]),
        (["same", "$"], ["same", "$ q", "same", "$"], ["$ q", "same"]),
    ],
)
def test_new_lines_are_told_from_old_ones(
    before: list[str], after: list[str], new: list[str]
) -> None:
    assert new_lines(before, after) == new


@pytest.mark.parametrize(
    ("lines", "prompt", "rest"),
    [
        (["$ ls", "a"], "ls", ["a"]),
        (["> one", "> two", "said"], "one\ntwo", ["said"]),
        (["", "* hello", "hello"], "hello", ["hello"]),
        (["said"], "ls", ["said"]),
        (["> one", "said"], "one\n\nthree", ["said"]),
        ([], "ls", []),
    ],
)
def test_what_was_typed_is_no_answer(lines: list[str], prompt: str, rest: list[str]) -> None:
    assert without_echo(lines, prompt) == rest
