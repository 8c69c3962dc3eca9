"""Prompts that are long or full of signs reach the model of each real CLI as they are."""

from collections.abc import Iterator
from pathlib import Path

from clis import RealCli
from mock_model import MockModel
from rallying import Rally

BIG = "PLAIN-PROBE\n" + "".join(f"line {n} of a long task, äöü\n" for n in range(10_000))
NASTY = """--PLAIN-PROBE "two" 'one' `id` $(id) $HOME ${x} %s \\n \\\\ <b>&amp; {a,b} *?~ ! # 🦓"""


def arrived(model: MockModel, since: int, text: str) -> bool:
    bodies = [request.body for request in model.requests(since)]
    return any(text in found for body in bodies for found in texts(body))


def texts(value: object) -> Iterator[str]:
    """Yield every text in a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)


def start(rally: Rally, cli: RealCli, *prompt: str) -> None:
    rally.init()
    ended = rally.start(
        "--new", "--iterations=1", "--allow-no-changes", f"--agent={cli.agent}", *prompt
    )
    assert ended.code == 0, ended
    assert [made.summary for made in rally.tries] == ["plain answer from the mock model"]


def test_a_long_prompt_arrives_whole(
    cli: RealCli, rally: Rally, model: MockModel, tmp_path: Path
) -> None:
    file = tmp_path / "task.md"
    file.write_text(BIG)
    assert file.stat().st_size > 300_000
    seen = model.seen
    start(rally, cli, f"--prompt-file={file}")
    assert arrived(model, seen, BIG.strip())


def test_signs_of_the_shell_arrive_as_they_are(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    seen = model.seen
    start(rally, cli, "--", NASTY)
    assert arrived(model, seen, NASTY)
