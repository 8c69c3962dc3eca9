"""A process behind its keeper."""

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import psutil
from support import wait_until

from mittelo.core.tries import Event, Exited
from mittelo.proc.child import Child, Launch
from mittelo.proc.keeper import KEEPER_MARKER
from mittelo.proc.survey import marked, wait_for_keeper


def is_over(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_an_order_that_comes_after_the_end_does_no_harm(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
    out, err = str(tmp_path / "out"), str(tmp_path / "err")
    launch = Launch(
        argv=["true"], cwd=str(tmp_path), env=dict(os.environ), stdin="", stdout=out, stderr=err
    )
    child = Child(launch, inbox)
    assert inbox.get(timeout=20) == Exited(0)
    wait_until(lambda: is_over(child.root), "the end of the keeper")
    child.interrupt()
    child.kill()
    child.wait_until_clean()


def test_nobody_is_started_for_somebody_who_is_gone(tmp_path: Path) -> None:
    out, err = str(tmp_path / "out"), str(tmp_path / "err")
    launch = Launch(argv=["true"], cwd=str(tmp_path), env={}, stdin="", stdout=out, stderr=err)
    reader, writer = os.pipe()
    os.write(writer, msgspec.json.encode(launch) + b"\n")
    os.close(writer)
    with os.fdopen(reader) as order:
        argv = [sys.executable, "-P", "-m", "mittelo.proc.keeper"]
        done = subprocess.run(argv, stdin=order, capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_keeper_of_somebody_who_is_gone_is_waited_for() -> None:
    env = os.environ | {KEEPER_MARKER: "here.1"}
    keeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=env)
    waiting = threading.Thread(target=wait_for_keeper, args=["here.1"])
    wait_until(lambda: marked("here.1", KEEPER_MARKER), "the keeper")
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    keeper.communicate(b"\n", timeout=20)
    waiting.join(20)
    assert not waiting.is_alive()
