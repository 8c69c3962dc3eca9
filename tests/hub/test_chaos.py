"""Whatever is killed, each task ends once. `MITTELO_CHAOS_TASKS` makes it as long as one likes."""

import os
import sys
from pathlib import Path

import pytest
from chaos import Chaos
from postgres import PostgresServer

TASKS = int(os.environ.get("MITTELO_CHAOS_TASKS", "150"))
WORKERS = 20 if TASKS > 1000 else 4
SEED = int(os.environ.get("MITTELO_CHAOS_SEED", "1"))


def run(folder: Path, server: PostgresServer | None, hubs: int) -> None:
    with Chaos(folder, SEED, server, hubs) as chaos:
        report = chaos.run(TASKS, WORKERS)
    sys.stdout.write(
        f"seed {SEED}: {TASKS} tasks in {report.seconds:.0f} s, killed {report.killed}\n"
    )
    report.check()


@pytest.mark.timeout(3100)
def test_each_task_ends_once_on_sqlite(tmp_path: Path) -> None:
    run(tmp_path, None, 1)


@pytest.mark.timeout(3100)
def test_each_task_ends_once_on_postgresql_with_two_hubs(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    postgres.clear()
    run(tmp_path, postgres, 2)
