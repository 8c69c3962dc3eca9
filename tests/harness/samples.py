"""Harnesses of every kind, and prompts that are hard to hand over."""

import glob
from collections.abc import Iterable
from operator import attrgetter

import pytest

from mittelo.harness.base import Harness
from mittelo.harness.declared import Declaration, Declared
from mittelo.harness.registry import BUILT_IN

BY_STDIN = Declared("by-stdin", Declaration(["pelican", "--quiet"], model_flag="--model"))
BY_ARGUMENT = Declared("by-argument", Declaration(["pelican", "--ask", "$PROMPT"]))
EVERY = (*BUILT_IN, BY_STDIN, BY_ARGUMENT)

each_harness = pytest.mark.parametrize("harness", EVERY, ids=attrgetter("name"))


def named(name: str) -> Harness:
    return next(harness for harness in EVERY if harness.name == name)


def look_for(patterns: Iterable[str]) -> str:
    """Return the file that the first pattern with any finds, as a relay does; "" for none."""
    found = (sorted(glob.glob(pattern)) for pattern in patterns)  # noqa: PTH207 - absolute
    return next((paths[-1] for paths in found if paths), "")


PROMPTS = {
    "plain": "Write the file.",
    "quotes": "say \"it's\" and `id` and 'no' \\ \\n",
    "shell": "$HOME $(id) ${x} `id` > out | cat; exit 3 && false # *",
    "lines": "first\n\n\n  second\r\n\tthird\n",
    "dashes": "--version\n-p\n--",
    "emoji": "🦀 häßlich 汉字 \u202e e\u0301",
    "placeholder": "replace $PROMPT with $PROMPT$PROMPT, {prompt} and %s",
    "long": "ü$PROMPT \"'\n" * 7_000,
}
each_prompt = pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
