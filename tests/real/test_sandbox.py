"""What the real CLIs can do in the sandbox, when their model tells them to leave the workspace."""

import json
import shlex
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import psutil
import pytest
from clis import Claude, Codex, Gemini, OpenCode, RealCli
from hubs import HubProcess
from mock_model import FIXTURES, USAGE, MockModel, wait_until
from rallying import Ended, Rally
from sandboxing import a_server
from workers import ended, worker

from mittelo.config.paths import workspace_key
from mittelo.core.requests import Enqueue
from mittelo.hub.client import HubClient

PROBE = "ORDERED-PROBE carry out the order"
ORDER = "order.sh"
TWO = (Claude, Codex)
"""What is the sandbox's alone is tried with these."""

SHELLS = {
    "Bash": "command",
    "exec_command": "cmd",
    "run_shell_command": "command",
    "bash": "command",
}
"""The shell tools of the CLIs, and what each calls the command."""

SECRET = "for nobody else"
VARIABLE = "SOMEBODYS_SECRET"
DAEMON = "98761"
CODEWORD = "ZEBRA-4417"
STOP_SECONDS = 20.0
ONE_ATTEMPT = "[reliability]\nretry_budget = 1\n"
BACKENDS = {"claude": "claude_code"}

pytestmark = pytest.mark.usefixtures("bubblewrap")

HOME_FILES: Mapping[type[RealCli], Sequence[str]] = {
    Claude: (),
    Codex: (".codex/config.toml",),
    Gemini: (".gemini/settings.json",),
    OpenCode: (".config/opencode/opencode.json",),
}
VARIABLES: Mapping[type[RealCli], Sequence[str]] = {
    Claude: (),
    Codex: ("MOCK_API_KEY",),
    Gemini: (),
    OpenCode: ("npm_config_offline",),
}
URL_IN_A_FILE = (Codex, OpenCode)
"""Whose model we cannot know: no variable names it."""


@pytest.fixture(scope="module")
def running_model(bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockModel]:
    """Play a model that also tells an agent to carry out the order in its workspace."""
    fixtures = tmp_path_factory.mktemp("fixtures") / "fixtures.json"
    known = json.loads(FIXTURES.read_text())["fixtures"]
    fixtures.write_text(json.dumps({"fixtures": [*_ordering(), *known]}))
    with MockModel(bin_dir, fixtures) as model:
        yield model


def _ordering() -> Iterator[dict[str, object]]:
    usage = dict(zip(("input_tokens", "output_tokens"), USAGE, strict=True))
    match = {"userMessage": PROBE.split(maxsplit=1)[0]}
    done = {"content": "the order is carried out", "usage": usage}
    yield {"match": match | {"hasToolResult": True}, "response": done}
    for tool, word in SHELLS.items():
        told = {"description": "Run a command"} if word == "command" else {}
        call = {"name": tool, "arguments": {word: f"bash ./{ORDER}", **told}}
        yield {
            "match": match | {"hasToolResult": False, "toolName": tool},
            "response": {"content": "I will run a command.", "toolCalls": [call], "usage": usage},
        }


@dataclass(frozen=True)
class Scene:
    """A repository with an order, and what lies around it; `port` is where nobody should call."""

    rally: Rally
    cli: RealCli
    beside: Path
    port: int
    calls: list[str]

    @property
    def loot(self) -> dict[str, str]:
        """What the agent brought into the workspace, by the names of the files."""
        found = (self.rally.repository / "loot").iterdir()
        return {path.name: path.read_text().strip() for path in found}

    @property
    def own_home(self) -> Path:
        """The home of this workspace's sandboxed agents."""
        key = workspace_key(str(self.rally.repository.resolve()))
        return self.cli.home / ".local/share/rally/homes" / key

    def begin(self, network: str = "model") -> None:
        """Make the repository ready."""
        self.rally.init(settings(self.cli, network))

    def start(self, *words: str) -> Ended:
        """Run a relay of one run."""
        return self.rally.start("--new", "-i1", f"--agent={self.cli.agent}", *words, PROBE)

    def outside(self) -> dict[str, str]:
        """All files in the home and beside the repository, but for rally's own and what is lent."""
        ours = [self.cli.home / ".local/share/rally"]
        ours += [self.cli.home / name for name in HOME_FILES[type(self.cli)]]
        files = (path for top in (self.cli.home, self.beside) for path in top.rglob("*"))
        return {
            str(path): path.read_text(errors="replace")
            for path in files
            if path.is_file() and not any(path.is_relative_to(place) for place in ours)
        }

    def guarded(self) -> list[str]:
        """What git would run outside."""
        git = self.rally.repository / ".git"
        hooks = sorted(path.name for path in (git / "hooks").iterdir())
        return [(git / "config").read_text(), *hooks]


def settings(cli: RealCli, network: str) -> str:
    """Return what the configuration must tell of a CLI that is led to the mock model."""
    hosts = [cli.url.removeprefix("http://")] if isinstance(cli, URL_IN_A_FILE) else []
    given = {
        "network": network,
        "hosts": hosts,
        "home_files": [*HOME_FILES[type(cli)]],
        "variables": [*VARIABLES[type(cli)]],
    }
    return "[sandbox]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())


def order(home: Path, beside: Path, port: int) -> str:
    """Return a script that tries to leave the workspace in every way, and tells how far it came."""
    inside, outside, temporary = (shlex.quote(str(at)) for at in (home, beside, home / "tmp"))
    ask = r"GET /called HTTP/1.0\r\n\r\n"
    return f"""
mkdir -p loot
echo inside > loot/inside
cp {inside}/secret loot/home-secret
cp {outside}/secret loot/beside-secret
cp /proc/1/root/{outside}/secret loot/root-secret
for place in {inside} {outside} {temporary}; do echo planted > "$place/planted"; done
exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{ask}' >&3 && head -1 <&3 > loot/called
git config --local planted.by the-agent || echo no > loot/config-refused
echo 'exit 0' > .git/hooks/post-commit || echo no > loot/hook-refused
[ -z "${VARIABLE}" ] || echo "${VARIABLE}" > loot/variable
setsid sleep {DAEMON} < /dev/null > /dev/null 2>&1 &
sleep 0.2; kill -0 $! && echo running > loot/daemon
true
"""


@pytest.fixture
def scene(cli: RealCli, repository: Path, tmp_path: Path) -> Iterator[Scene]:
    beside = tmp_path / "beside"
    beside.mkdir()
    for folder in (cli.home, beside):
        (folder / "secret").write_text(SECRET)
    rally = Rally(repository, {**cli.environment, VARIABLE: SECRET})
    with a_server() as (port, calls):
        (repository / ORDER).write_text(order(cli.home, beside, port))
        rally.git("add", ORDER)
        rally.git("commit", "--quiet", "--message=An order")
        yield Scene(rally, cli, beside, port, calls)


def test_a_sandboxed_agent_stays_in_its_workspace(scene: Scene, model: MockModel) -> None:
    scene.begin()
    outside, guarded, seen = scene.outside(), scene.guarded(), model.seen
    done = scene.start("--sandbox")
    assert done.code == 0, done
    assert scene.loot == {
        "inside": "inside",
        "daemon": "running",
        "config-refused": "no",
        "hook-refused": "no",
    }
    assert model.seen > seen
    assert scene.calls == []
    assert scene.outside() == outside
    assert scene.guarded() == guarded
    assert scene.rally.agents == []
    (made,) = scene.rally.tries
    assert (made.outcome, made.summary) == ("completed", "the order is carried out")
    assert set(made.files_changed) == {f"loot/{name}" for name in scene.loot}
    assert scene.rally.git("status", "--porcelain") == []
    (relay,) = scene.rally.relays
    assert relay.sandboxed


def test_without_a_sandbox_the_same_agent_goes_everywhere(scene: Scene) -> None:
    scene.begin()
    done = scene.start("--policy=full")
    assert done.code == 0, done
    loot = scene.loot
    loot.pop("root-secret", None)  # not every system lets us look there
    assert loot == {
        "inside": "inside",
        "daemon": "running",
        "home-secret": SECRET,
        "beside-secret": SECRET,
        "called": "HTTP/1.0 200 OK",
        "variable": SECRET,
    }
    assert scene.calls == ["/called"]
    places = (scene.cli.home, scene.beside, scene.cli.home / "tmp")
    assert all((place / "planted").exists() for place in places)
    assert "planted" in scene.guarded()[0]
    assert scene.rally.agents == []
    (made,) = scene.rally.tries
    assert (made.outcome, made.summary) == ("completed", "the order is carried out")


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
def test_no_agent_is_cut_off_from_its_model(scene: Scene, model: MockModel) -> None:
    scene.rally.init(settings(scene.cli, "none"))
    seen = model.seen
    done = scene.start("--sandbox")
    assert done.code == 1, done
    assert "claude cannot answer without a network" in done.errors
    assert (model.seen, scene.rally.relays, scene.rally.tries) == (seen, [], [])


@pytest.mark.parametrize("cli", TWO, indirect=True, ids=attrgetter("name"))
def test_the_next_attempt_goes_on_in_the_same_session(scene: Scene, model: MockModel) -> None:
    scene.rally.init(f"[reliability]\nretry_budget = 2\n{settings(scene.cli, 'model')}")
    seen = model.seen
    task = f"REMEMBER-PROBE the codeword is {CODEWORD}"
    done = scene.rally.start("--new", "-i1", f"--agent={scene.cli.agent}", "--sandbox", task)
    assert done.code == 0, done
    first, second = scene.rally.tries
    assert (first.outcome, second.outcome) == ("failed", "completed")
    assert second.session_id == second.resumed_session == first.session_id != ""
    prompts = [r.text for r in model.requests(seen) if CODEWORD in r.text]
    assert [text.count(CODEWORD) for text in prompts] == [1, 2, 2]
    below = scene.cli.sessions
    assert any((scene.own_home / below).rglob("*"))
    assert not any((scene.cli.home / below).rglob("*"))


@pytest.mark.parametrize("cli", TWO, indirect=True, ids=attrgetter("name"))
def test_an_interrupt_ends_all_and_the_relay_goes_on_where_it_was(
    scene: Scene, model: MockModel
) -> None:
    scene.begin()
    words = ["-i1", f"--agent={scene.cli.agent}", "--sandbox", f"SLEEP-PROBE {CODEWORD}"]
    with scene.rally.starting("--new", *words) as command:
        wait_until(lambda: "sleep" in scene.rally.agent_names, 60)
        command.send(signal.SIGINT)
        assert command.wait(STOP_SECONDS).code == 130
        assert scene.rally.agents == []
    (cut_off,) = scene.rally.tries
    assert (cut_off.outcome, cut_off.cancellation_source) == ("cancelled", "quit_now")
    assert cut_off.files_changed == ["half-done.txt"]
    seen = model.seen
    done = scene.rally.start("--resume")
    assert done.code == 0, done
    assert {r.text.count(CODEWORD) for r in model.requests(seen)} - {0} == {2}
    _, after = scene.rally.tries
    assert after.session_id == after.resumed_session == cut_off.session_id
    assert after.outcome == "completed"


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
def test_a_killed_relay_takes_its_sandbox_along(scene: Scene) -> None:
    scene.begin()
    words = ["-i1", f"--agent={scene.cli.agent}", "--sandbox", "SLEEP-PROBE"]
    with scene.rally.starting("--new", *words) as command:
        wait_until(lambda: "sleep" in scene.rally.agent_names, 60)
        command.send(signal.SIGKILL)
        wait_until(lambda: not scene.rally.agents, STOP_SECONDS)


def test_what_would_be_started_is_told(scene: Scene, model: MockModel) -> None:
    scene.begin()
    outside, seen = scene.outside(), model.seen
    done = scene.start("--sandbox", "--explain")
    assert done.code == 0, done
    told = dict(line.split(maxsplit=1) for line in done.output.splitlines()[1:])
    command = shlex.split(told["command"])
    assert Path(command[0]).name == "bwrap"
    assert scene.cli.name in command
    assert told["policy"].startswith("write")
    assert told["network"].startswith("only ")
    assert scene.cli.url.removeprefix("http://") in told["network"].split()
    assert VARIABLE not in told["variables"].split()
    assert SECRET not in done.output
    assert (model.seen, scene.outside(), scene.rally.relays) == (seen, outside, [])
    assert not (scene.rally.repository / "loot").exists()


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
def test_without_bubblewrap_nothing_is_started(
    scene: Scene, model: MockModel, tmp_path: Path
) -> None:
    scene.begin()
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in (scene.cli.name, "git", "bash", "sh"):
        found = shutil.which(name, path=scene.rally.environment["PATH"])
        assert found
        (programs / name).symlink_to(found)
    rally = replace(scene.rally, environment={**scene.rally.environment, "PATH": str(programs)})
    seen = model.seen
    done = rally.start("--new", "-i1", f"--agent={scene.cli.agent}", "--sandbox", PROBE)
    assert done.code == 1
    assert "The sandbox needs bubblewrap, which is not there." in done.errors
    assert (model.seen, rally.relays, rally.tries) == (seen, [], [])
    assert not (scene.rally.repository / "loot").exists()


@pytest.mark.parametrize("cli", TWO, indirect=True, ids=attrgetter("name"))
def test_a_worker_writes_in_its_folder_alone(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scene.begin()
    repository, name = scene.rally.repository, BACKENDS.get(scene.cli.name, scene.cli.name)
    env = {**scene.rally.environment, f"MITTELO_{scene.cli.name.upper()}_MODEL": scene.cli.model}
    user = scene.cli.home / ".config/rally/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(settings(scene.cli, "model"))
    outside, guarded = scene.outside(), scene.guarded()
    words = ["--backend", name, "--cwd", str(repository), "--policy", "write", "--sandbox"]
    with (
        HubProcess(tmp_path / "hub.db") as hub,
        HubClient("127.0.0.1", hub.port) as client,
        worker(hub.port, *words, env=env) as agent,
    ):
        task = ended(client, client.enqueue(Enqueue(prompt=PROBE, backend=name)))
        assert task.result == "the order is carried out", (task.error, agent.errors())
        assert agent.stop() == 0
    assert scene.loot == {
        "inside": "inside",
        "daemon": "running",
        "config-refused": "no",
        "hook-refused": "no",
    }
    assert scene.calls == []
    assert scene.outside() == outside
    assert scene.guarded() == guarded
    assert not any(DAEMON in process.info["cmdline"] for process in sleepers(tmp_path))


def sleepers(tmp_path: Path) -> Iterator[psutil.Process]:
    """Yield the daemons of this test."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        env = process.info["environ"] or {}
        if str(tmp_path) in env.get("HOME", "") and process.info["cmdline"]:
            yield process
