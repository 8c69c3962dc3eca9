"""`docs/VERSION_LOCK.md`, made from the lock: what people read to set up a CLI again."""

import shlex
from collections.abc import Iterator

from mittelo.proving.lock import PROMPT, Lock, Recipe

SAMPLE = "Say hello"
HEAD = """\
# Version lock

At which version each agent CLI was seen to work, and the raw command for one answer without
questions. This page is made of [cli_lock.json](cli_lock.json): change that, then run
`mittelo lock --write`. `mittelo doctor` tells when an installed CLI has another version.
`mittelo lock --verify NAME` runs the raw command and stamps it.
"""


def page(lock: Lock) -> str:
    """Return the page."""
    return "\n".join([HEAD, *_table(lock), *_sections(lock)]) + "\n"


def _table(lock: Lock) -> Iterator[str]:
    yield "| backend | program | version | last verified | against |"
    yield "| --- | --- | --- | --- | --- |"
    for name, recipe in lock.clis.items():
        seen = recipe.verified
        when = f"{seen.date} ({seen.version})" if seen else "never"
        against = seen.against if seen else "–"
        version = recipe.version or "none"
        yield f"| [{name}](#{name}) | `{recipe.program}` | {version} | {when} | {against} |"


def _sections(lock: Lock) -> Iterator[str]:
    for name, recipe in lock.clis.items():
        yield from ("", f"## {name}", "", "```sh")
        if recipe.install:
            yield shlex.join(recipe.install_words)
        yield from (_raw(recipe), "```")
        points = [*_pin(recipe), *_needed(recipe), *recipe.notes]
        yield from ("", *(f"- {point}" for point in points))


def _raw(recipe: Recipe) -> str:
    """Return the raw command as one types it into a shell."""
    words = " ".join(shlex.quote(word) for word in recipe.words(SAMPLE, ""))
    env = "".join(f"{name}={_value(value)} " for name, value in recipe.env.items())
    given = f"echo {shlex.quote(SAMPLE)} | " if recipe.takes_stdin else ""
    return f"{given}{env}{words}"


def _value(value: str) -> str:
    return f'"{value}"' if value.startswith("$") else shlex.quote(value)


def _pin(recipe: Recipe) -> Iterator[str]:
    ways = [f"`{recipe.model_flag} MODEL`"] if recipe.model_flag else []
    ways += [f"`{recipe.model_variable}=MODEL` for mittelo"] if recipe.model_variable else []
    if ways:
        yield f"Pin the model: {', or '.join(ways)}."


def _needed(recipe: Recipe) -> Iterator[str]:
    if recipe.variables:
        told = [f"`{name}` ({why})" for name, why in recipe.variables.items()]
        yield f"Variables: {'; '.join(told)}."
    if not recipe.takes_stdin:
        yield f"The prompt is an argument (`{PROMPT}`), of at most 100 kB."
