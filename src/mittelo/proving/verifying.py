"""Run the raw command of the lock once, and stamp it: `mittelo lock --verify`."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mittelo.answering.asking import Said, ask
from mittelo.answering.backends import find_backend
from mittelo.answering.launching import child_environment
from mittelo.config.load import Configuration, environment
from mittelo.core.clipping import one_line
from mittelo.errors import MitteloError
from mittelo.proving.lock import Lock, Recipe, Verified, load_lock, save_lock, version_number
from mittelo.sandbox.surroundings import make_home

PROMPT = "Reply with one word: ready"
VERSION_SECONDS = 10.0
SHOWN = 300


class Attempt(Struct, frozen=True, kw_only=True):
    """What is verified, and with what."""

    name: str
    prompt: str = PROMPT
    model: str = ""
    against: str
    seconds: float


class Seen(Struct, frozen=True, kw_only=True):
    """What a recipe answered, and the lock before and after."""

    name: str
    answer: str
    before: str
    verified: Verified


def verify(file: Path, attempt: Attempt, configuration: Configuration) -> Seen:
    """Run a recipe; stamp it in the file when it answers, and raise when it does not."""
    recipe = load_lock(file).recipe(attempt.name)
    env = _environment(attempt.name, recipe, configuration)
    which = shutil.which(recipe.program, path=env.get("PATH"))
    if which is None:
        install = " ".join(recipe.install_words)
        todo = f"Install it: {install}" if install else "Install it as its makers say."
        raise MitteloError(f"{recipe.program} is not on the PATH.", todo)
    version = _version(which, env) or recipe.version
    model = attempt.model or environment().get(recipe.model_variable, "")
    answer = _answer(recipe, attempt, model, env)
    today = datetime.now(UTC).date().isoformat()
    verified = Verified(date=today, version=version, against=attempt.against)
    lock = load_lock(file)  # somebody may have stamped another meanwhile
    save_lock(file, _stamped(lock, attempt.name, verified))
    return Seen(name=attempt.name, answer=answer, before=recipe.version, verified=verified)


def _environment(name: str, recipe: Recipe, configuration: Configuration) -> dict[str, str]:
    env = child_environment(find_backend(name, configuration, "true"))
    make_home(env)
    return env | recipe.environment(env)


def _version(which: str, env: dict[str, str]) -> str:
    said = ask([which, "--version"], env, VERSION_SECONDS)
    return version_number(said.out) or version_number(said.err) if said.code == 0 else ""


def _answer(recipe: Recipe, attempt: Attempt, model: str, env: dict[str, str]) -> str:
    words = recipe.words(attempt.prompt, model)
    given = attempt.prompt if recipe.takes_stdin else ""
    with tempfile.TemporaryDirectory(prefix="mittelo-", ignore_cleanup_errors=True) as place:
        said = ask(words, env, attempt.seconds, given=given, cwd=place)
    if said.code != 0 or not said.out.strip():
        raise MitteloError(
            f"The recipe of {attempt.name} did not work: {_why(said)}.",
            "Nothing was stamped. Mend the login or the recipe, then try again.",
        )
    return one_line(said.out, SHOWN)


def _why(said: Said) -> str:
    if said.code == 0:
        return one_line(f"it answered nothing. {said.err}", SHOWN).rstrip(".")
    return one_line(said.why, SHOWN).rstrip(".")


def _stamped(lock: Lock, name: str, verified: Verified) -> Lock:
    recipe = replace(lock.clis[name], version=verified.version, verified=verified)
    return replace(lock, clis=lock.clis | {name: recipe})
