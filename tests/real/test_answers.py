"""Each real CLI as its harness starts it to answer only: it says something and changes nothing."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from clis import OpenCode, RealCli
from mock_model import MockModel
from msgspec.structs import replace

from mittelo.core.policies import Tools
from mittelo.core.signs import Reading
from mittelo.harness.base import Job, Stream
from mittelo.harness.registry import all_harnesses

ALLOWED = {"bash": "allow", "edit": "allow"}


def answer(cli: RealCli, job: Job, tools: Tools = Tools.READ) -> Reading:
    """Carry out a job as a runner would, and return what its output tells."""
    harness = all_harnesses({})[cli.name]
    command = harness.command(replace(job, tools=tools, model=cli.model))
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(command.stdin.encode())
        given.seek(0)
        ended = subprocess.run(
            command.argv,
            cwd=job.workspace,
            env=cli.environment | command.env,
            stdin=given,
            stdout=output,
            stderr=errors,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        errors.seek(0)
        assert ended.returncode == 0, errors.read()
        output.seek(0)
        reading = Reading()
        for line in output:
            for sign in harness.read(line.rstrip(b"\n"), Stream.OUT):
                reading.hear(sign)
    return reading


def contents(repository: Path) -> set[str]:
    return {path.name for path in repository.iterdir()}


def test_an_answer_is_the_final_message(cli: RealCli, repository: Path) -> None:
    reading = answer(cli, Job(prompt="PLAIN-PROBE say something", workspace=str(repository)))
    assert reading.final == "plain answer from the mock model"
    assert reading.ended
    assert reading.ended.ok


def test_a_conversation_goes_on(cli: RealCli, repository: Path, model: MockModel) -> None:
    job = Job(prompt="REMEMBER-PROBE the codeword is ZEBRA-4417", workspace=str(repository))
    first = answer(cli, job)
    seen = model.seen
    second = answer(cli, replace(job, prompt="RECALL-PROBE which?", session=first.session))
    assert (second.session, second.final) == (first.session, "recall answered")
    assert any("ZEBRA-4417" in request.text for request in model.requests(seen))


@pytest.mark.parametrize("cli", [OpenCode], indirect=True, ids=["opencode"])
@pytest.mark.parametrize(
    "settings",
    [
        {"permission": ALLOWED},
        {"default_agent": "own", "agent": {"own": {"mode": "primary", "permission": ALLOWED}}},
    ],
    ids=["everywhere", "own"],
)
def test_an_answer_changes_nothing_whatever_opencode_is_allowed(
    cli: RealCli, repository: Path, settings: Mapping[str, object]
) -> None:
    file = cli.home / ".config/opencode/opencode.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    answer(cli, Job(prompt="SHELL-PROBE make a file", workspace=str(repository)))
    assert contents(repository) == {".git", "README.md"}
