"""The test bed itself: each real CLI, started plainly, works against the mock model."""

import re
from pathlib import Path

from clis import RealCli
from headless import ask


def test_a_plain_answer_comes_back_with_its_tokens(cli: RealCli, repository: Path) -> None:
    reply = ask(cli, "PLAIN-PROBE say something", folder=repository)
    assert reply.code == 0, reply.errors
    assert reply.said == "plain answer from the mock model"
    assert re.search(r'"input(_tokens)?":1200\b', reply.output)
