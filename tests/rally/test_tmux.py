"""A relay in the windows of tmux, as people leave it for the night."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator

import psutil
import pytest
from support import RALLY, Place, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")

STUBBORN = '{ignore=["SIGINT", "SIGTERM"]}, {write="ready"}, {sleep=300}'
WORDS = (RALLY, "start", "-i", "1", "-a", "script", "a task")


class Tmux:
    """A server of tmux of our own, with a shell in its one window."""

    def __init__(self, place: Place) -> None:
        self._socket = str(place.home / "tmux")
        self._environment = {**place.environment(), "TERM": "xterm", "SHELL": "/bin/sh"}
        self.run("new-session", "-d", "-x", "80", "-y", "24", "-c", str(place.root), "/bin/sh")

    def run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self._socket, *words],
            env=self._environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=20,
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def sees(self, words: str) -> None:
        wait_until(lambda: words in self.shown, f"{words!r} in the window")

    @property
    def program(self) -> str:
        """Return what is in the foreground of the window."""
        return self.run("display-message", "-p", "#{pane_current_command}").strip()

    @property
    def shown(self) -> str:
        return self.run("capture-pane", "-p", "-S", "-")


def agents(place: Place) -> list[psutil.Process]:
    """Return the processes of tries in this repository."""
    found = []
    for process in psutil.process_iter():
        try:
            env = process.environ()
        except (psutil.Error, OSError):
            continue
        if "MITTELO_TRY" in env and env.get("HOME") == str(place.home):
            found.append(process)
    return found


@pytest.fixture
def tmux(place: Place) -> Iterator[Tmux]:
    place.script(STUBBORN)
    tmux = Tmux(place)
    try:
        tmux.type(shlex.join(WORDS), "Enter")
        wait_until((place.root / "ready").exists, "the agent's work")
        yield tmux
    finally:
        tmux.run("kill-server")


def test_ctrl_c_leaves_a_terminal_that_can_be_used(place: Place, tmux: Tmux) -> None:
    tmux.type("C-c")
    tmux.sees("press Ctrl+C again")
    tmux.type("C-c")
    tmux.sees("Relay stopped")
    wait_until(lambda: tmux.program == "sh", "the shell's return")
    tmux.type("echo code $?; stty -a", "Enter")
    tmux.sees("code 130")
    tmux.sees(" icanon")
    tmux.sees(" echo ")
    assert not agents(place)
    assert [made.outcome for made in place.tries()] == ["cancelled"]


def test_a_window_that_is_closed_ends_the_relay_and_its_agent(place: Place, tmux: Tmux) -> None:
    assert agents(place)
    tmux.run("kill-window")
    wait_until(place.tries, "the record of the try")
    wait_until(lambda: not agents(place), "the end of the agent")
    assert [made.outcome for made in place.tries()] == ["cancelled"]
    assert place.rally("status").code == 0
