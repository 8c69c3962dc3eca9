"""A process behind its keeper."""

import os
import queue
from pathlib import Path

import psutil
from support import wait_until

from mittelo.core.tries import Event, Exited
from mittelo.proc.child import Child, Launch


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
