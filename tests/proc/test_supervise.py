"""Real processes: the scripted agent under its keeper."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from support import marked, wait_until

from mittelo.core.tries import Limits, Stop, StopAsked
from mittelo.harness.base import Job
from mittelo.harness.scripted import Script
from mittelo.proc.child import Launch
from mittelo.proc.supervise import Supervised, Supervisor, Watched


class Stage:
    """Starts the scripted agent on one turn of steps, with a mark of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"test.{os.getpid()}.{folder.name}.{time.monotonic_ns()}"
        self.out = folder / "out"

    def supervisor(self, steps: str, limits: Limits | None = None) -> Supervisor:
        (self.folder / "script.toml").write_text(f"[[turn]]\nsteps = [{steps}]\n")
        (self.folder / "prompt").write_text("the prompt")
        command = Script().command(Job(prompt="the prompt", model="script.toml"))
        launch = Launch(
            argv=command.argv,
            cwd=str(self.folder),
            env=dict(os.environ) | {"MITTELO_TRY": self.mark},
            stdin=str(self.folder / "prompt"),
            stdout=str(self.out),
            stderr=str(self.folder / "err"),
        )
        return Supervisor(Script(), launch, "", limits or Limits())

    def play(self, steps: str, limits: Limits | None = None) -> Supervised:
        return self.supervisor(steps, limits).run(ignore)

    def play_until(self, ready: Callable[[], object], steps: str) -> tuple[Supervised, float]:
        """Stop the agent once it is ready; return how it ended and how long that took."""
        supervisor = self.supervisor(steps)
        asked: list[float] = []

        def watch(_: Watched) -> None:
            if not asked and ready():
                asked.append(time.monotonic())
                supervisor.inbox.put(StopAsked(Stop.QUIT_NOW))

        done = supervisor.run(watch)
        return done, time.monotonic() - asked[0]

    def left(self) -> list[psutil.Process]:
        return marked(self.mark)


def ignore(_: Watched) -> None:
    pass


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_an_agent_says_and_how_it_exits_is_read_to_the_end(stage: Stage) -> None:
    done = stage.play('{say="one"}, {say="two"}, {usage={input=10, output=2, cost=0.5}}')
    assert done.finish.code == 0
    assert done.answer == "two"
    assert done.reading.tokens.total == 12
    assert done.reading.cost == 0.5
    assert done.reading.session


def test_an_exit_code_is_kept_with_what_was_said_before(stage: Stage) -> None:
    done = stage.play('{say="almost"}, {exit=7}')
    assert (done.finish.code, done.answer, done.reading.ended) == (7, "almost", None)


@pytest.mark.parametrize("own_session", ["false", "true"])
def test_what_an_agent_leaves_behind_is_ended(stage: Stage, own_session: str) -> None:
    step = f'{{leave_behind=["sleep", "300"], own_session={own_session}}}'
    done = stage.play(f'{step}, {{say="bye"}}')
    assert (done.finish.code, done.answer) == (0, "bye")
    assert done.left == ["sleep"]
    assert stage.left() == []


def test_a_stop_ends_tools_that_left_the_session_too(stage: Stage) -> None:
    done, took = stage.play_until(
        lambda: any(p.name() == "sleep" for p in stage.left()),
        '{leave_behind=["sleep", "300"], own_session=true}, {sleep=300}',
    )
    assert done.finish.stop is Stop.QUIT_NOW
    assert took < 5
    assert stage.left() == []


def test_a_tree_that_ignores_signals_is_gone_within_six_seconds(stage: Stage) -> None:
    ready = stage.folder / "ready"
    stubborn = "trap '' INT TERM HUP; touch ready; while :; do sleep 1; done"
    done, took = stage.play_until(
        ready.exists,
        f'{{ignore=["SIGINT", "SIGTERM"]}}, '
        f'{{leave_behind=["sh", "-c", "{stubborn}"], own_session=true}}, {{sleep=300}}',
    )
    assert done.finish == done.finish.__class__(-9, Stop.QUIT_NOW)
    assert 4.9 < took < 15
    assert stage.left() == []


def test_an_agent_that_closes_its_output_and_lives_on_is_waited_for(stage: Stage) -> None:
    done = stage.play('{say="x"}, {close="stdout"}, {close="stderr"}, {sleep=0.3}, {exit=4}')
    assert (done.finish.code, done.answer) == (4, "x")


def test_a_line_of_fifty_megabytes_and_noise_are_survived(stage: Stage) -> None:
    done = stage.play(
        '{print="x", times=50000000}, {print="\\n"}, '
        '{print="\\u0000\\u00ff\\u001b[31m{]\\n", times=1000}, {say="still here"}'
    )
    assert (done.finish.code, done.answer, done.dropped_lines) == (0, "still here", 1)
    assert stage.out.stat().st_size > 50_000_000


def test_a_program_that_is_missing_or_broken_is_told_of(stage: Stage, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    for program, words in ((str(tmp_path / "none"), "No such file"), (str(broken), "format")):
        supervisor = stage.supervisor("")
        launch = Launch(
            argv=[program],
            cwd=str(tmp_path),
            env=dict(os.environ),
            stdin="",
            stdout=str(tmp_path / "o"),
            stderr=str(tmp_path / "e"),
        )
        supervisor = Supervisor(Script(), launch, "", Limits())
        assert words in supervisor.run(ignore).finish.not_started


def test_a_try_that_takes_too_long_is_ended(stage: Stage) -> None:
    done = stage.play("{sleep=300}", Limits(try_seconds=0.5))
    assert done.finish.stop is Stop.TRY_TIMEOUT
    assert stage.left() == []


def test_the_death_of_the_keeper_does_not_leave_the_agent(stage: Stage) -> None:
    supervisor = stage.supervisor('{say="x"}, {sleep=300}')

    def watch(watched: Watched) -> None:
        if watched.reading.said:
            for child in psutil.Process().children():
                with suppress(psutil.ZombieProcess):
                    if "mittelo.proc.keeper" in child.cmdline():
                        child.send_signal(signal.SIGKILL)

    done = supervisor.run(watch)
    assert done.finish.code is None
    assert stage.left() == []


def test_an_agent_that_hides_from_its_mark_does_not_outlive_its_keeper(stage: Stage) -> None:
    hide = ["env", "-i", "sh", "-c", 'echo \'{"type":"start","session":"s"}\'; exec sleep 301']
    launch = Launch(
        argv=hide,
        cwd=str(stage.folder),
        env=dict(os.environ),
        stdin="",
        stdout=str(stage.out),
        stderr=str(stage.folder / "err"),
    )
    supervisor = Supervisor(Script(), launch, "", Limits())
    agents: list[psutil.Process] = []

    def watch(watched: Watched) -> None:
        if watched.reading.session and not agents:
            keeper = next(c for c in psutil.Process().children() if "keeper" in str(c.cmdline()))
            agents.extend(keeper.children())
            keeper.kill()

    assert supervisor.run(watch).finish.code is None
    wait_until(lambda: not agents[0].is_running() or agents[0].status() == "zombie", "its end")


def test_a_transcript_that_is_emptied_is_read_from_its_start(stage: Stage) -> None:
    done = stage.play(
        '{say="a long first sentence"}, {sleep=0.6}, '
        '{run=["sh", "-c", ": > out"]}, {sleep=0.6}, {say="second"}'
    )
    assert (done.answer, done.reading.ended is not None) == ("second", True)


def test_a_fault_of_ours_in_mid_try_leaves_nothing_running(stage: Stage) -> None:
    def watch(watched: Watched) -> None:
        if watched.reading.said:
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        stage.supervisor('{say="x"}, {sleep=300}').run(watch)
    wait_until(lambda: not stage.left(), "the end of the agent")


def test_an_environment_that_is_not_text_reaches_the_agent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD", os.fsdecode(b"\xff\xfe"))
    stage.play('{run=["sh", "-c", "printf %s \\"$ODD\\" > odd"]}')
    assert (stage.folder / "odd").read_bytes() == b"\xff\xfe"
