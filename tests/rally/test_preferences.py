"""What the configuration makes of the commands of agents: models and efforts."""

from itertools import pairwise

import pytest
from lanes import argv, install, started
from support import Place


@pytest.mark.parametrize(
    ("flag", "expected", "warned"),
    [
        ('model_flag = "--model"\n', ["--model", "real-name"], False),
        ('model_flag = ""\n', ["real-name"], False),
        ("", [], True),
    ],
)
def test_a_model_reaches_an_agent_of_the_users_own_as_its_flag_says(
    place: Place, flag: str, expected: list[str], warned: bool
) -> None:
    note = 'printf "%s\\n" "$@" > .git/argv-mine; date +%N > made; echo made it'
    place.configure(
        f"[harness.mine]\ncommand = ['sh', '-c', '{note}', 'mine', '$PROMPT']\n{flag}"
        '[harness.mine.models]\nshort = "real-name"\n'
    )
    done = started(place, "-i", "1", "-a", "mine:short")
    assert done.code == 0, done.err
    told = (place.root / ".git/argv-mine").read_text()
    assert "x\n" in told
    assert told.splitlines()[-len(expected) :] == expected if expected else "real" not in told
    assert ("model 'real-name' is not passed on" in done.err) == warned
    assert place.tries()[0].model == "real-name"
    assert started(place, "--new", "-i", "1", "-a", "mine").code == 0
    assert "real-name" not in (place.root / ".git/argv-mine").read_text()


def test_the_answer_of_an_agent_of_the_users_own_is_the_tail_of_its_output(place: Place) -> None:
    said = 'printf "one\\n\\033[31mtwo\\033[0m\\nthree\\n"; echo loud >&2; date +%N > made'
    place.configure(
        f"[harness.mine]\ncommand = ['sh', '-c', '{said}']\noutput_lines = 2\n"
        'tail_stream = "stdout"\n'
    )
    assert started(place, "-i", "1", "-a", "mine").code == 0
    assert place.tries()[0].summary == "two\nthree"


REASONING = """
[harness.cc.models]
opus = "claude-opus-4-7"
[reasoning]
default = "high"
Senior = "cc:opus"
ui = "opus"
[routes]
default = ["cc:1", "cx:1", "op:1"]
senior = ["cc:1", "cx:1"]
ui = ["cc:1", "cx:1"]
"""


def pairs(words: list[str]) -> list[tuple[str, str]]:
    return [*pairwise(words)]


def test_the_preference_of_a_role_reaches_the_commands_of_its_lane(place: Place) -> None:
    install(place, "claude", "codex", "opencode")
    place.configure(REASONING)
    done = started(place, "-i", "3")
    assert done.code == 0, done.err
    assert ("--effort", "high") in pairs(argv(place, "claude"))
    assert ("-c", "model_reasoning_effort=high") in pairs(argv(place, "codex"))
    assert ("--variant", "high") in pairs(argv(place, "opencode"))
    assert [made.effort for made in place.tries()] == ["high"] * 3
    assert "--model" not in argv(place, "claude")


def test_a_preference_for_one_harness_leaves_the_others_alone(place: Place) -> None:
    install(place, "claude", "codex")
    place.configure(REASONING)
    done = started(place, "-i", "2", "--role", "senior")
    assert done.code == 0, done.err
    assert ("--model", "claude-opus-4-7") in pairs(argv(place, "claude"))
    assert "--effort" not in argv(place, "claude")
    assert not any("reasoning" in word for word in argv(place, "codex"))
    assert "--model" not in argv(place, "codex")


def test_a_bare_preference_is_a_model_where_it_names_one_else_an_effort(place: Place) -> None:
    install(place, "claude", "codex")
    place.configure(REASONING)
    done = started(place, "-i", "2", "--role", "ui")
    assert done.code == 0, done.err
    assert ("--model", "claude-opus-4-7") in pairs(argv(place, "claude"))
    assert "--effort" not in argv(place, "claude")
    assert ("-c", "model_reasoning_effort=opus") in pairs(argv(place, "codex"))
    assert "codex knows the efforts" in done.err


def test_an_entry_with_a_model_of_its_own_knows_no_preference(place: Place) -> None:
    install(place, "claude", "codex")
    place.configure(REASONING)
    assert started(place, "-i", "1", "-a", "claude:opus").code == 0
    assert ("--model", "claude-opus-4-7") in pairs(argv(place, "claude"))
    assert "--effort" not in argv(place, "claude")


def test_the_effort_of_the_command_line_wins(place: Place) -> None:
    install(place, "claude", "codex")
    place.configure(REASONING)
    assert started(place, "-i", "2", "--effort", "low", "-a", "cc:opus cx").code == 0
    assert ("--effort", "low") in pairs(argv(place, "claude"))
    assert ("-c", "model_reasoning_effort=low") in pairs(argv(place, "codex"))


def test_models_are_found_under_any_name_of_their_harness(place: Place) -> None:
    install(place, "claude", "codex")
    place.configure(
        '[defaults]\ncodex_model = "gpt-5.3"\n[harness.cc.models]\nopus = "claude-opus-4-7"\n'
        '[harness.codex.models]\ng55 = "gpt-5.5"\n[routes]\ndefault = ["claude:opus:1", "cx:g55:1"]'
    )
    assert started(place, "-i", "2").code == 0
    assert ("--model", "claude-opus-4-7") in pairs(argv(place, "claude"))
    assert ("--model", "gpt-5.5") in pairs(argv(place, "codex"))
    assert started(place, "--new", "-i", "1", "-a", "cx").code == 0
    assert ("--model", "gpt-5.3") in pairs(argv(place, "codex"))
