"""`[reasoning]`: which model or effort a role prefers, where an entry names no model."""

import difflib

from mittelo.config.models import Catalogue
from mittelo.core.mixes import parse_entry
from mittelo.core.routes import Runner
from mittelo.errors import UsageError
from mittelo.harness.base import Harness
from mittelo.harness.registry import find_harness


def preference(catalogue: Catalogue, role: str) -> str:
    """Return what a role prefers, "" when it prefers nothing; letter case does not count."""
    wanted = role.strip().casefold()
    kept = catalogue.settings.reasoning.items()
    found = (value.strip() for name, value in kept if name.strip().casefold() == wanted)
    return next(found, "")


def prefer(catalogue: Catalogue, harness: Harness, model: str, role: str) -> Runner:
    """Return the runner of an entry that named no model, as its role prefers it.

    `HARNESS:ALIAS` counts for that harness alone; a word is one of the harness's model aliases,
    else an effort.
    """
    wanted = preference(catalogue, role)
    if not wanted:
        return Runner(harness.name, model)
    if ":" in wanted:
        return Runner(harness.name, _scoped_model(catalogue, harness, wanted, role) or model)
    if named := catalogue.aliases(harness).get(wanted):
        return Runner(harness.name, named)
    return Runner(harness.name, model, wanted)


def check_preference(catalogue: Catalogue, role: str) -> str:
    """Return a doubt about a role's preference, "" when there is none; raise when it is wrong."""
    wanted = preference(catalogue, role)
    if ":" in wanted:
        spec = parse_entry(wanted)
        if spec.quota:
            raise UsageError(f"{wanted!r} has a count, which means nothing here.", "Remove it.")
        _scoped_model(catalogue, find_harness(spec.harness, catalogue.harnesses), wanted, role)
        return ""
    everyone = catalogue.canonical()
    efforts = {effort for harness in everyone for effort in harness.efforts}
    aliases = {alias for harness in everyone for alias in catalogue.aliases(harness)}
    if not wanted or wanted in efforts | aliases:
        return ""
    near = difflib.get_close_matches(wanted, [*efforts, *aliases], n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"{wanted!r} is neither a model alias nor a known effort.{meant}"


def _scoped_model(catalogue: Catalogue, harness: Harness, wanted: str, role: str) -> str:
    """Return the model that a preference names for this harness, "" if it is for another."""
    spec = parse_entry(wanted)
    meant = find_harness(spec.harness, catalogue.harnesses)
    if meant.name != harness.name:
        return ""
    aliases = catalogue.aliases(harness, spec.harness)
    if spec.model in aliases:
        return aliases[spec.model]
    near = difflib.get_close_matches(spec.model, aliases, n=3)
    raise UsageError(
        f"[reasoning] {role}: unknown model alias {spec.model!r} of {harness.name}.",
        f"Did you mean {' or '.join(near)}?" if near else "",
    )
