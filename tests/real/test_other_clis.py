"""The CLIs beside the main four, as their harnesses start them: an answer, work, and a refusal."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from clis import Claude, RealCli
from faults import Status
from mock_model import USAGE, MockModel
from msgspec import Struct
from msgspec.structs import replace
from other_clis import FIRST_ANSWER, TINY_ANSWER, Kimi, make_tiny_model, mlx_program

from mittelo.core.faults import Category
from mittelo.core.policies import Tools
from mittelo.core.records import Outcome
from mittelo.core.signs import Reading, Tokens
from mittelo.core.tries import Finish
from mittelo.core.verdicts import Facts, Verdict, judge
from mittelo.harness.base import Harness, Job, Stream
from mittelo.harness.registry import all_harnesses

KNOWN = all_harnesses({})
CODEWORD = "ZEBRA-4417"
REFUSED = Status(
    401,
    '{"error":{"message":"Incorrect API key provided: dummy.","code":"invalid_api_key"}}',
    {"content-type": "application/json"},
)
PROBES = {"remember": "REMEMBER-PROBE", "recall": "RECALL-PROBE", "shell": "SHELL-PROBE"}


class Ran(Struct, frozen=True):
    """What came of a run."""

    reading: Reading
    verdict: Verdict


@pytest.fixture
def mock(request: pytest.FixtureRequest, other: RealCli) -> MockModel:
    found: MockModel = request.getfixturevalue(
        "model_of_kimi" if isinstance(other, Kimi) else "running_model"
    )
    return found


def ask(cli: RealCli, probe: str, job: Job) -> Ran:
    """Carry out a job as a runner would, and judge it."""
    model = probe if isinstance(cli, Kimi) else cli.model
    words = f"{PROBES[probe]} the codeword is {CODEWORD}" if probe == "remember" else PROBES[probe]
    scratch = cli.home / "tmp"
    job = replace(job, prompt=words, model=model, scratch=str(scratch), env=cli.environment)
    return run(KNOWN[cli.name], job)


def run(harness: Harness, job: Job) -> Ran:
    """Start what the harness says, and read what it writes."""
    command = harness.command(job)
    reading = Reading()
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(command.stdin.encode())
        given.seek(0)
        ended = subprocess.run(
            command.argv,
            cwd=job.workspace,
            env={**job.env, **command.env},
            stdin=given,
            stdout=output,
            stderr=errors,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        streams = {Stream.OUT: output, Stream.ERR: errors}
        for stream, file in streams.items():
            file.seek(0)
            for line in file:
                for sign in harness.read(line.rstrip(b"\n"), stream):
                    reading.hear(sign)
        if command.log and Path(command.log).exists():
            for line in Path(command.log).read_bytes().split(b"\n"):
                for sign in harness.read(line, Stream.LOG):
                    reading.hear(sign)
        errors.seek(0)
        told = errors.read().decode()
    facts = Facts(
        finish=Finish(ended.returncode),
        reading=reading,
        answered=bool(reading.final.strip()),
        needs_end=harness.needs_end,
        changed=False,
        require_changes=False,
        errors=harness.without_noise(told),
        faults=harness.faults,
        now=time.time(),
        zone=UTC,
    )
    return Ran(reading, judge(facts))


def contents(repository: Path) -> set[str]:
    return {path.name for path in repository.iterdir()}


@pytest.mark.parametrize("tools", [Tools.NONE, Tools.READ])
def test_a_conversation_goes_on(
    other: RealCli, mock: MockModel, repository: Path, tools: Tools
) -> None:
    job = Job(prompt="", workspace=str(repository), tools=tools)
    first = ask(other, "remember", job)
    assert (first.reading.final, first.verdict) == (FIRST_ANSWER, Verdict(Outcome.COMPLETED))
    seen = mock.seen
    second = ask(other, "recall", replace(job, session=first.reading.session))
    assert (second.reading.final, second.verdict.outcome) == ("recall answered", "completed")
    assert second.reading.session == first.reading.session != ""
    assert any(CODEWORD in r.text and FIRST_ANSWER in r.text for r in mock.requests(seen))


def test_work_changes_files(other: RealCli, repository: Path) -> None:
    ran = ask(other, "shell", Job(prompt="", workspace=str(repository)))
    assert ran.verdict == Verdict(Outcome.COMPLETED)
    assert (contents(repository), ran.reading.tool_calls) == (
        {".git", "README.md", "made-by-shell.txt"},
        1,
    )
    if not isinstance(other, Kimi):
        assert ran.reading.tokens == Tokens(*USAGE) + Tokens(*USAGE)


def test_a_question_changes_nothing(other: RealCli, repository: Path) -> None:
    ask(other, "shell", Job(prompt="", workspace=str(repository), tools=Tools.READ))
    assert contents(repository) == {".git", "README.md"}


def test_a_key_that_is_refused_is_no_answer(
    other: RealCli, mock: MockModel, repository: Path
) -> None:
    mock.fault(REFUSED)
    ran = ask(other, "recall", Job(prompt="", workspace=str(repository), tools=Tools.READ))
    assert (ran.reading.final, ran.verdict.outcome) == ("", Outcome.FAILED)
    assert ran.verdict.evidence
    assert ran.verdict.evidence.category is Category.AUTH_OR_PROXY


def test_its_help_names_every_flag_and_its_version_is_the_one_measured(other: RealCli) -> None:
    harness = KNOWN[other.name]
    told = [
        subprocess.run(
            [harness.binary, *words],
            env=other.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for words in (harness.version_words, harness.help_words)
    ]
    assert harness.measured in told[0]
    named = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", told[1]))
    assert {*harness.flags()} <= named


def test_glm_asks_its_own_endpoint_with_its_own_key(
    running_model: MockModel, bin_dir: Path, tmp_path: Path, repository: Path
) -> None:
    cli = Claude(home=tmp_path / "home", url="http://127.0.0.1:9", bin_dir=bin_dir)
    cli.settle()
    own = {"MITTELO_GLM_BASE_URL": running_model.url, "MITTELO_GLM_API_KEY": "glm-key"}
    seen = running_model.seen
    job = Job(
        prompt="PLAIN-PROBE say something",
        workspace=str(repository),
        tools=Tools.READ,
        model="glm-9",
        env=cli.environment | own,
    )
    ran = run(KNOWN["glm"], job)
    assert (ran.reading.final, ran.verdict.outcome) == (
        "plain answer from the mock model",
        "completed",
    )
    asked = [request for request in running_model.requests(seen) if request.method == "POST"]
    headers = [{k.lower(): v for k, v in request.headers.items()} for request in asked]
    assert {made.get("authorization") for made in headers} == {"Bearer glm-key"}
    assert not any("sk-ant" in value for made in headers for value in made.values())
    assert {request.body["model"] for request in asked} == {"glm-9"}
    assert not (cli.home / ".claude").exists()


@pytest.fixture
def mlx(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which mlx-lm is found, without a network."""
    found = mlx_program()
    if not found:
        pytest.skip("mlx-lm is not installed: put the folder of mlx_lm.generate on the PATH")
    path = f"{Path(found).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "LANG": "C.UTF-8"}


def test_mlx_answers_with_the_models_text_alone(mlx: Mapping[str, str], tmp_path: Path) -> None:
    folder, found = tmp_path / "tiny", shutil.which(KNOWN["mlx"].binary, path=mlx["PATH"])
    assert found
    make_tiny_model(found, folder)
    job = Job(prompt='say "x"\n-- \\n', tools=Tools.READ, model=str(folder), env=mlx)
    ran = run(KNOWN["mlx"], replace(job, workspace=str(tmp_path)))
    assert ran.verdict == Verdict(Outcome.COMPLETED)
    assert ran.reading.final == TINY_ANSWER


def test_an_error_of_mlx_is_no_answer(mlx: Mapping[str, str], tmp_path: Path) -> None:
    job = Job(prompt="x", tools=Tools.READ, model="/nowhere", env=mlx, workspace=str(tmp_path))
    ran = run(KNOWN["mlx"], job)
    assert (ran.reading.final, ran.verdict.outcome) == ("", Outcome.FAILED)
    assert ran.verdict.evidence
    assert ran.verdict.evidence.category is Category.INVALID_MODEL
