"""`[providers]`: which runners share a quota, from names and wildcards to the runners meant."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from mittelo.config.findings import Finding, Gravity
from mittelo.config.models import Catalogue
from mittelo.config.schema import ProviderTable
from mittelo.core.mixes import parse_entry
from mittelo.core.routes import Key
from mittelo.errors import UsageError

_WILDCARDS = "Write HARNESS:*, HARNESS:prefix/*, HARNESS:*suffix, prefix/* or *suffix."


class Provider(Struct, frozen=True):
    """A group of runners with one quota; a disabled one serves no run."""

    name: str
    members: tuple[Key, ...]
    disabled: bool = False


def find_providers(catalogue: Catalogue) -> tuple[list[Provider], list[Finding]]:
    """Return the providers in the order of their names, and what is wrong with the others."""
    providers: list[Provider] = []
    found: list[Finding] = []
    owners: dict[Key, str] = {}
    names: dict[str, str] = {}
    for name, given in sorted(catalogue.settings.providers.items()):
        table = given if isinstance(given, ProviderTable) else ProviderTable(given)
        try:
            _check_name(name, names)
            members = _members(table, catalogue)
            _claim(name, members, owners)
        except UsageError as error:
            found.append(_finding(name, given, error))
        else:
            providers.append(Provider(name, tuple(members), table.disabled))
    return providers, found


class _WordError(UsageError):
    """A word of `models` or `exclude` that means nothing."""

    def __init__(self, part: str, word: str, error: UsageError) -> None:
        super().__init__(error.what, error.todo)
        self.part = part
        self.word = word


def _finding(name: str, given: list[str] | ProviderTable, error: UsageError) -> Finding:
    key: tuple[str, ...] = ("providers", name)
    word = error.word if isinstance(error, _WordError) else None
    if isinstance(given, ProviderTable):
        key = (*key, error.part if isinstance(error, _WordError) else "models")
    what = f"[providers] {name}: {error.what}"
    return Finding(Gravity.ERROR, key, what, error.todo, item=word)


def _check_name(name: str, names: dict[str, str]) -> None:
    if not name.strip():
        raise UsageError("a provider needs a name.")
    other = names.setdefault(name.casefold(), name)
    if other != name:
        raise UsageError(f"the name differs from {other!r} only by letter case.", "Rename one.")


def _claim(name: str, members: list[Key], owners: dict[Key, str]) -> None:
    for key in members:
        other = owners.setdefault(key, name)
        if other != name:
            raise UsageError(
                f"{':'.join(key)} belongs to {other!r} already.", "A runner has one provider."
            )


def _members(table: ProviderTable, catalogue: Catalogue) -> list[Key]:
    if not table.models:
        raise UsageError("there are no models in it.", 'Name some: models = ["cc:opus"].')
    left_out = {*_each("exclude", table.exclude, _excluded, catalogue)}
    members = _each("models", table.models, _meant, catalogue)
    kept = [key for key in dict.fromkeys(members) if key not in left_out]
    if not kept:
        raise UsageError("nothing remains after exclude.", "Exclude less.")
    return kept


def _each(
    part: str,
    words: list[str],
    meaning: Callable[[str, Catalogue], list[Key]],
    catalogue: Catalogue,
) -> list[Key]:
    keys: list[Key] = []
    for word in words:
        try:
            keys += meaning(word, catalogue)
        except UsageError as error:
            raise _WordError(part, word, error) from error
    return keys


def _meant(word: str, catalogue: Catalogue) -> list[Key]:
    """Return the runners that a word of `models` means: at least one, each with a model."""
    if "*" in word:
        found = _matches(word, catalogue)
        if not found:
            raise UsageError(f"{word!r} matched no configured models.", "Name one as it is.")
        return found
    key = _runner(word, catalogue)
    if not key[1]:
        raise UsageError(
            f"{word!r} has no concrete model.", f"Set defaults.{key[0]}_model, or name a model."
        )
    return [key]


def _excluded(word: str, catalogue: Catalogue) -> list[Key]:
    if "*" in word:
        return _matches(word, catalogue)
    if not word.strip():
        raise UsageError("an empty word stands in exclude.", "Remove it.")
    try:
        return [_runner(word, catalogue)]
    except UsageError as error:
        if error.what.startswith("unknown model"):
            return []
        raise


def _runner(word: str, catalogue: Catalogue) -> Key:
    spec = parse_entry(word)
    if spec.quota:
        raise UsageError(f"{word!r} has a count, which means nothing here.", "Remove it.")
    if spec.model or spec.harness in catalogue.harnesses:
        harness, model = catalogue.resolve(spec)
        return harness.name, model
    keys = {
        (harness.name, models[word])
        for harness in catalogue.canonical()
        if word in (models := catalogue.aliases(harness))
    }
    if not keys:
        raise UsageError(f"unknown model alias {word!r}.", "Define it, or write HARNESS:MODEL.")
    if len(keys) > 1:
        meant = " or ".join(sorted(":".join(key) for key in keys))
        raise UsageError(f"the alias {word!r} is ambiguous: {meant}.", "Name the harness too.")
    return keys.pop()


def _matches(word: str, catalogue: Catalogue) -> list[Key]:
    """Return the configured runners that a wildcard matches."""
    head, colon, pattern = word.partition(":")
    if not colon:
        head, pattern = "", word
    fits = _pattern(word, pattern, scoped=bool(colon))
    if colon:
        harness, _ = catalogue.resolve(parse_entry(head))
        return [(harness.name, m) for m in catalogue.models(harness) if fits(m)]
    return [*_all_matching(fits, catalogue)]


def _all_matching(fits: Callable[[str], bool], catalogue: Catalogue) -> Iterator[Key]:
    for harness in catalogue.canonical():
        yield from ((harness.name, m) for m in catalogue.models(harness) if fits(m))


def _pattern(word: str, pattern: str, *, scoped: bool) -> Callable[[str], bool]:
    if pattern.count("*") == 1:
        if pattern == "*" and scoped:
            return bool
        if pattern.endswith("/*") and len(pattern) > 2:
            return lambda model: model.startswith(pattern[:-1])
        if pattern.startswith("*") and len(pattern) > 1:
            return lambda model: model.endswith(pattern[1:])
    raise UsageError(f"unsupported wildcard {word!r}.", _WILDCARDS)
