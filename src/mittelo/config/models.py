"""From the words of an entry to a harness and a model."""

import difflib
import re
from collections.abc import Mapping

from msgspec import Struct

from mittelo.config.schema import Settings
from mittelo.core.mixes import Spec
from mittelo.errors import UsageError
from mittelo.harness.base import Harness
from mittelo.harness.registry import find_harness

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_SLUG = re.compile(r"(?=.*-)(?=.*\d).*")
_NEAR_WORD = 0.5
_NEAR_SLUG = 0.9


class Catalogue(Struct, frozen=True):
    """Every harness by each of its names, and the models that the configuration names."""

    settings: Settings
    harnesses: Mapping[str, Harness]

    def resolve(self, spec: Spec) -> tuple[Harness, str]:
        """Return whom an entry names, and which model; "" leaves the model to the CLI."""
        harness = find_harness(spec.harness, self.harnesses)
        if not spec.model:
            return harness, self.default_model(harness)
        return harness, spec.model if spec.exact else self._model(harness, spec)

    def default_model(self, harness: Harness) -> str:
        """Return the model of a harness when none is named; "" leaves it to the CLI."""
        return str(getattr(self.settings.defaults, f"{harness.name}_model", ""))

    def aliases(self, harness: Harness, spelled: str = "") -> dict[str, str]:
        """Return the model aliases of a harness, from the tables of all its spellings.

        Where two tables differ, the one of the spelling in use wins, then that of its name.
        """
        found: dict[str, str] = {}
        for name in (*reversed(harness.aliases), harness.name, spelled):
            if table := self.settings.harness.get(name):
                found |= table.models
        return found

    def models(self, harness: Harness) -> list[str]:
        """Return all models that are configured for a harness, each once."""
        default = self.default_model(harness)
        tables = (self.settings.harness.get(n) for n in (harness.name, *harness.aliases))
        named = [model for table in tables if table for model in table.models.values()]
        return [*dict.fromkeys([default, *named] if default else named)]

    def canonical(self) -> list[Harness]:
        """Return every harness once."""
        return [*{harness.name: harness for harness in self.harnesses.values()}.values()]

    def _model(self, harness: Harness, spec: Spec) -> str:
        """Return what a word means: an alias, a word of the CLI itself, or a model's own name."""
        word = spec.model
        aliases = self.aliases(harness, spec.harness)
        if word in aliases:
            return aliases[word]
        if not _WORD.fullmatch(word) or word in harness.models:
            return word
        is_slug = bool(_SLUG.fullmatch(word))
        near = difflib.get_close_matches(
            word, aliases, n=3, cutoff=_NEAR_SLUG if is_slug else _NEAR_WORD
        )
        if is_slug and not near:
            return word
        raise UsageError(
            f"unknown model {word!r} of {harness.name}.",
            _meant(near, aliases, harness)
            + f' A model of just this name goes in quotes: {spec.harness}:"{word}".',
        )


def _meant(near: list[str], aliases: Mapping[str, str], harness: Harness) -> str:
    if near:
        return f"Did you mean {' or '.join(near)}?"
    if aliases:
        return f"Its aliases are: {', '.join(sorted(aliases))}."
    return f"No models are defined in [harness.{harness.name}.models]."
