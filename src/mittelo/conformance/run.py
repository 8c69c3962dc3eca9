"""Try every rule on a hub, each on a connection and with tasks of its own."""

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from mittelo.conformance import following, leases, lines, tasks, versionone
from mittelo.conformance.bench import Bench, Hub, SkipError
from mittelo.conformance.talk import BrokenRuleError, Place, Talk

Rule = Callable[[Bench], None]
RULES: dict[str, Rule] = {
    **lines.RULES,
    **versionone.RULES,
    **tasks.RULES,
    **leases.RULES,
    **following.RULES,
}
EVERY_RULE = {**RULES, **lines.WITH_TOKENS, **following.AT_THE_END}
MEANT_ERRORS = (BrokenRuleError, OSError, LookupError, TypeError, ValueError, AttributeError)
"""What a hub can make of a rule by what it says, beside breaking it on purpose."""


@dataclass(frozen=True)
class Finding:
    """What came of one rule: PASS, FAIL or SKIP, and why."""

    rule: str
    says: str
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Found:
    """What was on the hub before."""

    queued: int
    leased: int
    failed: int
    workers: int

    @property
    def is_quiet(self) -> bool:
        """Tell whether nobody has work there that waits, or works."""
        return not (self.queued or self.leased or self.workers)


def survey(place: Place) -> Found:
    """Look at what the hub holds; whoever is no hub breaks a rule here."""
    with Talk(place) as talk:
        counts = talk.call("stats")["stats"]
        there = talk.call("workers")["workers"]
        connected = [worker for worker in there if worker.get("connected")]
        return Found(counts["queued"], counts["leased"], counts["failed"], len(connected))


def try_all(place: Place, found: Found, only: Collection[str]) -> Iterator[Finding]:
    """Try the rules that are named, one after another."""
    hub = Hub(place, f"conformance-{secrets.token_hex(4)}", found.is_quiet, found.failed)
    for name, rule in EVERY_RULE.items():
        if name not in only:
            continue
        verdict, why = _try(hub, rule)
        yield Finding(name, (rule.__doc__ or "").strip(), verdict, why)


def _try(hub: Hub, rule: Rule) -> tuple[str, str]:
    try:
        with hub.talk() as talk:
            bench = Bench(hub, talk)
            try:
                rule(bench)
            finally:
                bench.clear()
    except SkipError as error:
        return "SKIP", str(error)
    except BrokenRuleError as error:
        return "FAIL", str(error)
    except MEANT_ERRORS as error:
        return "FAIL", f"{type(error).__name__}: {error}"
    return "PASS", ""
