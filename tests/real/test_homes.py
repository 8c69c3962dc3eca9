"""Where the CLIs leave their files: in the home that they are given, and nowhere in the user's."""

import hashlib
import subprocess
from pathlib import Path

from clis import RealCli
from other_clis import Kimi
from standins import MITTELO

BACKENDS = {"claude": "claude_code"}
ANSWERS = {"plain answer from the mock model", "recall answered"}


def listing(folder: Path) -> dict[str, str]:
    """Return all that lies in a folder, with when it was changed and what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = f"{path.lstat().st_mtime_ns} {hashlib.sha256(content).hexdigest()}"
    return found


def answer_elsewhere(cli: RealCli, folder: Path) -> None:
    """Let a CLI answer in the home that is prepared for it, beside a real one that is not."""
    real = folder / "real-home"
    for name in (".config/git/config", ".bashrc", ".claude/CLAUDE.md"):
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).write_text("# of the user")
    work = folder / "work"
    (work / ".rally").mkdir(parents=True)
    (work / ".rally/config.toml").write_text('[sandbox]\nvariables = ["MOCK_API_KEY"]\n')
    before = listing(real)
    xdg = {name: str(real / name) for name in cli.environment if name.startswith("XDG_")}
    model = "recall" if isinstance(cli, Kimi) else cli.model
    done = subprocess.run(
        [
            *(MITTELO, "system-test", "--backend", BACKENDS.get(cli.name, cli.name)),
            *("--prompt", "PLAIN-PROBE hello", "--out-dir", folder / "reports"),
        ],
        cwd=work,
        env={
            **cli.environment,
            **xdg,
            "HOME": str(real),
            "TMPDIR": str(folder),
            "MITTELO_SUBPROCESS_HOME": str(cli.home),
            f"MITTELO_{cli.name.upper()}_MODEL": model,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (said,) = (folder / "reports").rglob("result.json")
    assert any(answer in said.read_text() for answer in ANSWERS)
    assert listing(real) == before
    assert [path.name for path in work.iterdir()] == [".rally"]
    assert any((cli.home / cli.sessions).rglob("*"))


def test_nothing_is_written_to_the_real_home(cli: RealCli, tmp_path: Path) -> None:
    answer_elsewhere(cli, tmp_path)


def test_nothing_is_written_to_the_real_home_by_others(other: RealCli, tmp_path: Path) -> None:
    answer_elsewhere(other, tmp_path)
