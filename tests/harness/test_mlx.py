"""mlx answers from a model on this machine, and only answers."""

import sys
from pathlib import Path

import pytest

from mittelo.core.faults import Category, Source, Trace, classify
from mittelo.core.policies import Tools
from mittelo.harness.base import Job
from mittelo.harness.mlx import Mlx

MISSING = [
    ("ModuleNotFoundError: No module named 'mlx_lm'", Category.HARNESS_LAUNCH),
    ("HFValidationError: Repo id must use alphanumeric chars", Category.INVALID_MODEL),
    ("ValueError: Model type quux not supported.", Category.INVALID_MODEL),
]


def test_it_is_told_to_print_the_text_alone() -> None:
    command = Mlx().command(Job(prompt="x", tools=Tools.NONE, model="/models/m"))
    assert command.argv[:5] == ["mlx_lm.generate", "--prompt", "-", "--verbose", "False"]
    assert command.argv[-2:] == ["--model", "/models/m"]
    assert command.stdin == "x"


def test_the_program_beside_our_interpreter_stands_in_for_one_on_the_path() -> None:
    (program,) = Mlx().stand_in
    assert Path(program).parent == Path(sys.executable).parent
    (need,) = Mlx().needs({})
    assert need.names == ("mlx_lm.generate", program)  # type: ignore[union-attr]


@pytest.mark.parametrize(("text", "category"), MISSING)
def test_what_is_missing_is_told_by_its_kind(text: str, category: Category) -> None:
    found = classify([Trace(Source.STDERR, text)], Mlx().faults, 0, None)  # type: ignore[arg-type]
    assert found
    assert found.category == category
