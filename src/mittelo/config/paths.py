"""Where everything lies, in a workspace and on the machine; no other module makes up a path."""

import hashlib
import re
from pathlib import Path

from msgspec import Struct
from xdg_base_dirs import xdg_config_home, xdg_data_home, xdg_state_home


class WorkspacePaths(Struct, frozen=True):
    """The files below `.rally/` of one workspace."""

    root: Path

    @property
    def rally(self) -> Path:
        """Return the folder that `rally init` makes."""
        return self.root / ".rally"

    @property
    def state(self) -> Path:
        """Return the folder of local records, which git ignores."""
        return self.rally / "state"

    @property
    def config(self) -> Path:
        """Return the repository's configuration."""
        return self.rally / "config.toml"

    @property
    def instructions(self) -> Path:
        """Return the project instructions, part of every prompt."""
        return self.rally / "instructions.md"

    @property
    def summary(self) -> Path:
        """Return the digest of finalized runs, which git tracks."""
        return self.rally / "summary.jsonl"

    @property
    def agents(self) -> Path:
        """Return the folder of role texts."""
        return self.rally / "agents"

    @property
    def tries(self) -> Path:
        """Return the records of tries."""
        return self.state / "tries.jsonl"

    @property
    def relays(self) -> Path:
        """Return the records of relays."""
        return self.state / "relays.jsonl"

    @property
    def standings(self) -> Path:
        """Return the events of who sits out and who is back."""
        return self.state / "agent_status.jsonl"

    @property
    def messages(self) -> Path:
        """Return the inbox."""
        return self.state / "messages.jsonl"

    @property
    def hook_audit(self) -> Path:
        """Return the list of hooks that ran."""
        return self.state / "hook-audit.jsonl"

    @property
    def commits(self) -> Path:
        """Return the list of commits that we made."""
        return self.state / "commits.jsonl"

    @property
    def run_state(self) -> Path:
        """Return the state of the run that is going on."""
        return self.state / "run-state.json"

    @property
    def baseline(self) -> Path:
        """Return what was changed in the work tree before the current run."""
        return self.state / "baseline.json"

    @property
    def current_task(self) -> Path:
        """Return the last prompt."""
        return self.state / "current_task.md"


class DataPaths(Struct, frozen=True):
    """The files of one workspace in the data directory: transcripts and relay logs."""

    base: Path
    key: str

    @property
    def tries(self) -> Path:
        """Return the folder of this workspace's transcripts."""
        return self.base / "tries" / self.key

    @property
    def relays(self) -> Path:
        """Return the folder of this workspace's relay logs."""
        return self.base / "relays" / self.key

    @property
    def tools(self) -> Path:
        """Return the folder in which this workspace's agents find `rally` and `laps`."""
        return self.base / "bin" / self.key

    @property
    def permit(self) -> Path:
        """Return what this workspace's last relay may do."""
        return self.relays / "permit.json"

    @property
    def home(self) -> Path:
        """Return the home of this workspace's sandboxed agents."""
        return self.base / "homes" / self.key

    @property
    def folders(self) -> tuple[Path, Path, Path]:
        """Return the folders that a relay of this workspace needs."""
        return self.tries, self.relays, self.tools

    def holds(self, path: Path) -> bool:
        """Tell whether a path lies in one of the folders."""
        return any(path.is_relative_to(folder) for folder in self.folders)

    def last_transcript(self) -> int:
        """Return the highest number that a transcript has, 0 without any.

        A record may have been lost; its transcript must not be written over.
        """
        numbers = (path.name[4:-4] for path in self.tries.glob("try-*.log"))
        return max((int(number) for number in numbers if number.isdecimal()), default=0)

    def transcript(self, try_id: int) -> Path:
        """Return the stdout of a try."""
        return self.tries / f"try-{try_id}.log"

    def errors(self, try_id: int) -> Path:
        """Return the stderr of a try."""
        return self.tries / f"try-{try_id}.stderr.log"

    def netstat(self, try_id: int) -> Path:
        """Return what was seen of the processes of a try."""
        return self.tries / f"try-{try_id}.netstat.jsonl"

    def prompt(self, try_id: int) -> Path:
        """Return the prompt of a try."""
        return self.tries / f"try-{try_id}.prompt.md"

    def scratch(self, try_id: int) -> Path:
        """Return a folder that a harness may use during a try."""
        return self.tries / f"try-{try_id}.scratch"

    def relay_log(self, relay_id: int) -> Path:
        """Return the log of a relay."""
        return self.relays / f"relay-{relay_id}.log"


def data_paths(root: Path, data_dir: str) -> DataPaths:
    """Return the places of a workspace in `data_dir`, or in the user's own when it is ""."""
    base = root / Path(data_dir).expanduser() if data_dir else xdg_data_home() / "rally"
    return DataPaths(base, workspace_key(str(root)))


def workspace_key(path: str) -> str:
    """Return a folder name for an absolute path: a readable start, then 64 bits of its hash."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(path).name.lower()).strip("-") or "repo"
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
    return f"{name[:8]}-{digest[:16]}"


def user_config() -> Path:
    """Return the user's own configuration."""
    return xdg_config_home() / "rally" / "config.toml"


def crash_folder() -> Path:
    """Return where tracebacks of our own faults are written."""
    return xdg_state_home() / "mittelo"


def worker_state() -> Path:
    """Return where the workers of this machine keep what is not with a hub yet."""
    return xdg_state_home() / "mittelo" / "workers"


def installed_backends() -> list[Path]:
    """Return the folders of backends that come with mittelo: in the package, and of a checkout."""
    return _installed("backends", "backends")


def installed_packs() -> list[Path]:
    """Return the folders of task packs that come with mittelo."""
    return _installed("examples", "examples")


def cli_locks() -> list[Path]:
    """Return where the lock of the agent CLIs may lie; a checkout's own is the last."""
    return _installed("cli_lock.json", "docs/cli_lock.json")


def _installed(packed: str, in_checkout: str) -> list[Path]:
    package = Path(__file__).parents[1]
    checkout = package.parents[1] if package.parent.name == "src" else None
    return [package / packed, *([checkout / in_checkout] if checkout else [])]
