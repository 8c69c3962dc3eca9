"""All harnesses by name and alias, and the nearest known name for one that is not."""

import difflib
from collections.abc import Mapping

from mittelo.errors import UsageError
from mittelo.harness.antigravity import Antigravity
from mittelo.harness.base import Harness
from mittelo.harness.claude import Claude
from mittelo.harness.codex import Codex
from mittelo.harness.copilot import Copilot
from mittelo.harness.declared import Declaration, Declared
from mittelo.harness.gemini import Gemini
from mittelo.harness.glm import Glm
from mittelo.harness.kimi import Kimi
from mittelo.harness.kiro import Kiro
from mittelo.harness.mlx import Mlx
from mittelo.harness.opencode import Opencode
from mittelo.harness.pi import Pi
from mittelo.harness.qwen import Qwen
from mittelo.harness.scripted import Echo, Script
from mittelo.harness.tmux import Tmux

BUILT_IN: tuple[Harness, ...] = (
    Antigravity(),
    Claude(),
    Codex(),
    Copilot(),
    Gemini(),
    Glm(),
    Kimi(),
    Kiro(),
    Mlx(),
    Opencode(),
    Pi(),
    Qwen(),
    Script(),
    Echo(),
    Tmux(),
)


def all_harnesses(declared: Mapping[str, Declaration]) -> dict[str, Harness]:
    """Return every harness by each of its names; declared ones cannot hide built-in ones."""
    known: dict[str, Harness] = {name: Declared(name, made) for name, made in declared.items()}
    for harness in BUILT_IN:
        known |= dict.fromkeys((harness.name, *harness.aliases), harness)
    return known


def find_harness(word: str, known: Mapping[str, Harness]) -> Harness:
    """Return the harness of this name or alias; names match with their letter case."""
    if word in known:
        return known[word]
    near = [name for name in known if name.casefold() == word.casefold()]
    near = near or difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"unknown agent alias {word!r}.", f"{meant}Known are: {', '.join(sorted(known))}."
    )
