"""Measure hubs on PostgreSQL: a table that grows for a minute, and two hubs on one database.

A server of its own is started for it, unless `--url` names a database whose tables may be dropped.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "lib"))

import psycopg
from postgres import PostgresServer

from hub import measure_cycles, measure_wake_up, running_hub
from mittelo.hub.client import HubClient

CLIENTS = 32
WINDOW_SECONDS = 10.0


@contextlib.contextmanager
def empty_database(url: str | None) -> Iterator[str]:
    """Yield the address of a database without our tables."""
    if url is None:
        with PostgresServer() as server:
            yield server.url
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS mittelo CASCADE")
    yield url


def soak(port: int, pid: int, seconds: float) -> None:
    """Print the rate of each window, and how much the last third is behind the first."""
    windows = max(3, round(seconds / WINDOW_SECONDS))
    rates = [measure_cycles(port, pid, CLIENTS, WINDOW_SECONDS) for _ in range(windows)]
    third = windows // 3
    slope = statistics.mean(rates[-third:]) / statistics.mean(rates[:third]) - 1
    with HubClient(port=port) as client:
        total = client.stats().stats.total
    print(f"{statistics.mean(rates):,.0f} cycles/s; last third against first: {slope:+.0%}")
    print(f"{total:,} tasks in the table")


def measure_two_hubs(url: str, port: int, pid: int, seconds: float) -> None:
    """Print what two hubs do with half of the clients each, and how they wake each other."""
    with running_hub(url) as (other_port, other_pid):
        time.sleep(3)  # until each knows of the other
        other = os.fork()
        if not other:
            measure_cycles(other_port, other_pid, CLIENTS // 2, seconds)
            sys.stdout.flush()
            os._exit(0)
        measure_cycles(port, pid, CLIENTS // 2, seconds)
        os.waitpid(other, 0)
        measure_wake_up(port, 200, other_port)


def main() -> None:
    """Measure it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="a PostgreSQL database whose mittelo tables may be dropped")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the table that grows")
    options = parser.parse_args()
    with empty_database(options.url) as url, running_hub(url) as (port, pid):
        soak(port, pid, options.seconds)
        measure_two_hubs(url, port, pid, WINDOW_SECONDS)


if __name__ == "__main__":
    main()
