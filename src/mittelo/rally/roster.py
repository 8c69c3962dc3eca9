"""From the words of a mix to the lane of runners that serves a relay."""

import shutil
from collections.abc import Sequence

from mittelo.config.load import Configuration
from mittelo.core.mixes import Quota, Spec, parse_entry
from mittelo.core.routes import Entry, Lane, Runner
from mittelo.errors import UsageError
from mittelo.harness.base import Harness
from mittelo.harness.registry import find_harness
from mittelo.log import warn

BUILT_IN_MIX = "cc cx:2"
ONE_EACH = Quota(1, 1)


def build_lane(words: Sequence[str], configuration: Configuration, effort: str) -> Lane:
    """Return the lane that these entries make; one without a count serves one run at a time.

    Agents whose program is not installed are left out with a word; all of them missing is an
    error.
    """
    entries: list[Entry] = []
    missing: dict[str, Harness] = {}
    for word in words:
        spec = parse_entry(word)
        harness = find_harness(spec.harness, configuration.harnesses)
        if shutil.which(harness.binary) is None:
            missing[harness.name] = harness
        else:
            entries.append(_entry(spec, harness, configuration, effort))
    if not entries:
        raise UsageError(_nothing_installed(missing), _installed(configuration))
    for harness in missing.values():
        warn(f"{harness.binary} is not installed; the relay goes on without {harness.name}.")
    return Lane(tuple(entries))


def _entry(spec: Spec, harness: Harness, configuration: Configuration, effort: str) -> Entry:
    model = configuration.model_of(harness, spec.model)
    return Entry(Runner(harness.name, model, effort), spec.quota or ONE_EACH)


def _nothing_installed(missing: dict[str, Harness]) -> str:
    named = ", ".join(f"{h.name} ({h.binary})" for h in missing.values())
    return f"None of the agents of this mix is installed: {named}."


def _installed(configuration: Configuration) -> str:
    names = sorted({h.name for h in configuration.harnesses.values() if shutil.which(h.binary)})
    return f"Install one, or name one that is here with --agent: {', '.join(names)}."
