"""`mittelo hub`, `stats`, `enqueue` and `shutdown` as users call them."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hubs import MITTELO, HubProcess
from ports import kept_port

from mittelo.hub.client import HubClient


def run(*words: str, given: bytes = b"", port: int = 0) -> tuple[int, str, str]:
    ports = ["--port", str(port)] if port else []
    done = subprocess.run(
        [MITTELO, *words, *ports], input=given, capture_output=True, check=False, timeout=60
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_hub_says_where_it_is_and_ends_well_when_told_to(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db") as hub:
        assert hub.line == f"MITTELO_HUB tcp://127.0.0.1:{hub.port}"
        assert run("shutdown", port=hub.port) == (0, "The hub shuts down.\n", "")
        assert hub.wait() == 0
        assert hub.errors() == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_it_drain(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with HubProcess(tmp_path / "hub.db") as hub, HubClient(port=hub.port, pauses=()) as client:
        client.enqueue("x")
        hub.process.send_signal(number)
        assert hub.wait() == code
        assert hub.errors() == ""
    assert sorted(path.name for path in tmp_path.glob("hub.db*")) == ["hub.db", "hub.db.lock"]


def test_it_counts_and_takes_tasks(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db") as hub:
        port = hub.port
        assert run("enqueue", "--prompt", "a", "--priority", "5", port=port)[:2] == (0, "1\n")
        assert run("enqueue", "-", given="ä\n".encode(), port=port)[:2] == (0, "2\n")
        (tmp_path / "prompt.md").write_text("from a file")
        words = ["--file", str(tmp_path / "prompt.md"), "--backend", "b", "--tag", "t"]
        assert run("enqueue", *words, "--after", "1", "--dedupe-key", "k", port=port)[1] == "3\n"
        assert run("enqueue", *words, "--dedupe-key", "k", port=port)[1] == "3\n"
        lines = b'{"prompt":"p1"}\n\n{"prompt":"p2","priority":7,"tags":["x"],"meta":{"n":1}}\n'
        assert run("enqueue", "--jsonl", "-", "--backend", "c", given=lines, port=port)[1] == (
            "4\n5\n"
        )
        code, out, _ = run("enqueue", "--prompt", "z", "--json", port=port)
        assert (code, msgspec.json.decode(out)) == (0, {"task_ids": [6]})
        with HubClient(port=port) as client:
            assert client.get(2).prompt == "ä\n"
            found = client.get(3)
            assert (found.backend, found.tags, found.after) == ("b", ["t"], [1])
            assert (client.get(5).priority, client.get(5).backend) == (7, "c")
        code, out, _ = run("stats", port=port)
        assert code == 0
        assert "queued               6" in out
        code, out, _ = run("stats", "--json", port=port)
        assert msgspec.json.decode(out)["stats"]["total"] == 6


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (b'{"prompt":"a"}\nnonsense\n', ":2: "),
        (b'{"prompt":"a"}\n{"prompt":1}\n', ":2: "),
        (b'{"prompt":"a"}\n\n{"promt":"b"}\n', ":3: "),
        (b'{"prompt":" "}\n', ":1: "),
        (b"[]\n", ":1: "),
        (b"\n", "holds no task"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_enqueued(
    tmp_path: Path, lines: bytes, named: str
) -> None:
    (tmp_path / "tasks.jsonl").write_bytes(lines)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        code, out, err = run("enqueue", "--jsonl", "tasks.jsonl", port=port)
    assert (code, out) == (2, "")
    assert f"tasks.jsonl{named}" in err or named in err


@pytest.mark.parametrize(
    "words", [[], ["--prompt", "a", "-"], ["x"], ["--file", "missing"], ["--prompt", ""]]
)
def test_what_to_enqueue_is_said_once(words: list[str]) -> None:
    code, out, err = run("enqueue", *words, port=1)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_without_a_hub_a_command_says_how_to_start_one() -> None:
    with kept_port() as port:
        code, _, err = run("stats", port=port)
    assert code == 1
    assert f"No hub answers at 127.0.0.1:{port}" in err
    assert "mittelo hub" in err


def test_a_port_in_use_and_a_queue_in_use_are_told_of(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with HubProcess(db) as hub:
        code, out, err = run("hub", "--db", str(tmp_path / "other.db"), port=hub.port)
        assert (code, out) == (1, "")
        assert f"127.0.0.1:{hub.port} is in use, perhaps by another hub." in err
        code, _, err = run("hub", "--db", str(db), "--port", "0")
        assert code == 1
        assert f"Another hub owns {db}." in err


def test_a_hub_refuses_what_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"x" * 5000)
    for words, code, said in [
        (["--host", "0.0.0.0"], 2, "without a token"),  # noqa: S104 - it is refused
        (["--host", "192.0.2.1"], 2, "without a token"),
        (["--db", str(tmp_path / "bad.db")], 1, "is damaged or no database"),
        (["--db", "redis://x/y"], 2, "redis://"),
        (["--tls-key", "x"], 2, "--tls-cert"),
        (["--tls-cert", "missing.pem"], 2, "missing.pem"),
        (["--lease-seconds", "0"], 2, "--lease-seconds"),
        (["--token-file", "missing"], 2, "missing"),
    ]:
        found = run("hub", "--db", str(tmp_path / "x.db"), "--port", "0", *words)
        assert (found[0], found[1]) == (code, ""), words
        assert said in found[2], words
        assert "Traceback" not in found[2]


def test_a_token_opens_the_door_and_is_never_shown(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with HubProcess(db, env={"MITTELO_TOKEN": "very-secret"}) as hub:
        code, _, err = run("stats", port=hub.port)
        assert code == 1
        assert "--token or MITTELO_TOKEN" in err
        assert run("stats", "--token", "very-secret", port=hub.port)[0] == 0
        assert run("stats", "--token", "wrong-secret", port=hub.port)[0] == 1
        assert run("shutdown", "--token", "very-secret", port=hub.port)[0] == 0
        assert hub.wait() == 0
        assert "secret" not in hub.errors()


def test_a_client_command_imports_little() -> None:
    program = (
        "import sys; sys.argv = ['mittelo', 'stats', '--port', '1']\n"
        "from mittelo.cli.main import mittelo\n"
        "try: mittelo()\n"
        "except SystemExit: pass\n"
        "print(*[name for name in sys.modules if '.' not in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"asyncio", "ssl", "sqlite3", "rich", "uvloop", "filelock", "psutil", "logging"}
    assert not heavy & set(done.stdout.split())
