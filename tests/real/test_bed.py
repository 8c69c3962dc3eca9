"""The test bed itself: each real CLI, started plainly, works against the mock model."""

import re
from pathlib import Path

from clis import RealCli
from headless import ask
from mock_model import MockModel


def test_a_plain_answer_comes_back_with_its_tokens(cli: RealCli, repository: Path) -> None:
    reply = ask(cli, "PLAIN-PROBE say something", folder=repository)
    assert reply.code == 0, reply.errors
    assert reply.said == "plain answer from the mock model"
    assert re.search(r'"input(_tokens)?":1200\b', reply.output)


def test_a_tool_call_edits_the_repository(cli: RealCli, repository: Path) -> None:
    reply = ask(cli, "SHELL-PROBE write a file", folder=repository)
    assert reply.code == 0, reply.errors
    assert reply.said.endswith("made-by-shell.txt is written")
    assert (repository / "made-by-shell.txt").read_text() == "made by the shell\n"


def test_a_resumed_session_sends_its_first_turn_again(
    cli: RealCli, repository: Path, model: MockModel
) -> None:
    first = ask(cli, "REMEMBER-PROBE the codeword is ZEBRA-4417", folder=repository)
    seen = model.seen
    second = ask(cli, "RECALL-PROBE which codeword?", folder=repository, session=first.session)
    assert second.code == 0, second.errors
    assert (second.session, second.said) == (first.session, "recall answered")
    assert any("ZEBRA-4417" in request.text for request in model.requests(since=seen))


def test_each_turn_of_one_session_makes_one_more_file(cli: RealCli, repository: Path) -> None:
    first = ask(cli, "ITERATION-PROBE make a file", folder=repository)
    ask(cli, "ITERATION-PROBE make another", folder=repository, session=first.session)
    assert len(list(repository.glob("made-*"))) == 2
