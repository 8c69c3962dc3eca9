"""What a default mix means: whom it names, how often in a cycle."""

from mittelo.config.models import Catalogue
from mittelo.core.mixes import Spec, parse_entry, split_mix
from mittelo.errors import UsageError


def mix_slots(mix: str, catalogue: Catalogue) -> list[Spec]:
    """Return an entry for each run of a cycle.

    Counts add up by harness, in the order of first mention; where a harness is named with
    models, just those count.
    """
    counts: dict[str, int] = {}
    named: dict[str, list[Spec]] = {}
    for word in split_mix([mix], "The mix") if mix.strip() else []:
        spec = parse_entry(word)
        harness, _ = catalogue.resolve(spec)
        _check_count(word, spec)
        counts.setdefault(harness.name, 0)
        if spec.model:
            named.setdefault(harness.name, []).append(spec)
        else:
            counts[harness.name] += spec.quota.low if spec.quota else 1
    return [
        slot
        for name, count in counts.items()
        for slot in named.get(name, [Spec(name) for _ in range(count)])
    ]


def _check_count(word: str, spec: Spec) -> None:
    if spec.quota and (spec.model or spec.quota.low != spec.quota.high):
        raise UsageError(
            f"{word!r}: a mix has counts for agents alone, not for models or ranges.",
            "Name it twice, or use [routes] or --agent.",
        )
