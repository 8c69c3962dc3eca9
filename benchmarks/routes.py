"""Measure `rally routes check` on a configuration far larger than anybody's."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RALLY = str(Path(sys.executable).with_name("rally"))
ROUTES, HARNESSES, ALIASES = 200, 50, 500


def configuration() -> Iterator[str]:
    """Yield the lines of the configuration."""
    yield "[routes]"
    yield 'default = ["cc", "cx"]'
    for number in range(ROUTES - 1):
        own = f"own{number % HARNESSES}:m{number % 5}:2"
        yield f'role{number} = ["{own}", "cc:c{number % 125}", "op:o{number % 125}:1-3"]'
    for number in range(HARNESSES):
        yield f'[harness.own{number}]\ncommand = ["sh"]\n[harness.own{number}.models]'
        yield from (f'm{alias} = "vendor/model-{alias}"' for alias in range(5))
    for name in ("cc", "op"):
        yield f"[harness.{name}.models]"
        yield from (f'{name[0]}{alias} = "vendor/{alias}"' for alias in range(125))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        env = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": f"{folder}/config"}
        (root / ".rally").mkdir()
        (root / ".rally/config.toml").write_text("\n".join(configuration()) + "\n")
        taken = []
        for _ in range(10):
            began = time.perf_counter()
            subprocess.run(
                [RALLY, "routes", "check"], cwd=root, env=env, check=True, capture_output=True
            )
            taken.append(time.perf_counter() - began)
    what = f"{ROUTES} routes, {HARNESSES} harnesses, {ALIASES} aliases"
    print(f"rally routes check, {what}: {statistics.median(taken) * 1000:.0f} ms (goal 500)")


if __name__ == "__main__":
    main()
