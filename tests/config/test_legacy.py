import pytest
from tests.config.configs import configured

from mittelo.config.findings import Gravity
from mittelo.config.listing import list_settings
from mittelo.config.schema import Settings

OLD = [
    *(
        (f'{name}_model = "old"', f"{name}_model", f"defaults.{name}_model", "old")
        for name in ("antigravity", "claude", "codex", "gemini", "opencode")
    ),
    (
        '[fallback]\ninstructions_file = "old"',
        "fallback.instructions_file",
        "free_run.prompt_file",
        "old",
    ),
    (
        "[reliability]\nfreeze_threshold_secs = 77",
        "reliability.freeze_threshold_secs",
        "reliability.stall_threshold_secs",
        77,
    ),
]
TODAY = {
    **{f"defaults.{name}_model": f'[defaults]\n{name}_model = "new"\n' for name in ("claude",)},
    "free_run.prompt_file": '[free_run]\nprompt_file = "new"\n',
    "reliability.stall_threshold_secs": "[reliability]\nstall_threshold_secs = 88\n",
}


def value(repository: str, key: str, user: str = "") -> object:
    return {s.key: s.value for s in list_settings(configured(repository, user))}[key]


def notes(repository: str, word: str, user: str = "") -> list[str]:
    """Return the notes that tell of an old name."""
    found = configured(repository, user).of(Gravity.NOTE)
    return [str(note) for note in found if f"{word} is an old name" in note.what]


@pytest.mark.parametrize(("text", "old", "new", "held"), OLD, ids=[row[1] for row in OLD])
def test_an_old_name_still_counts_and_one_note_tells_the_new_one(
    text: str, old: str, new: str, held: object
) -> None:
    assert value(text, new) == held
    line = text.count("\n") + 1
    assert notes(text, old) == [f"repo.toml:{line}: {old} is an old name. Use {new}."]


@pytest.mark.parametrize(("text", "old", "new", "held"), OLD, ids=[row[1] for row in OLD])
def test_an_old_name_of_the_repository_counts_over_a_new_one_of_the_user(
    text: str, old: str, new: str, held: object
) -> None:
    section, _, name = new.partition(".")
    written = '"mine"' if isinstance(held, str) else "11"
    user = f"[{section}]\n{name} = {written}\n"
    assert value(text, new, user) == held
    assert len(notes(text, old, user)) == 1


@pytest.mark.parametrize(
    ("old", "key"),
    [
        ('claude_model = "old"\n[defaults]\nclaude_model = "new"\n', "defaults.claude_model"),
        (
            '[fallback]\ninstructions_file = "old"\n[free_run]\nprompt_file = "new"\n',
            "free_run.prompt_file",
        ),
        (
            "[reliability]\nfreeze_threshold_secs = 1\nstall_threshold_secs = 0\n",
            "reliability.stall_threshold_secs",
        ),
    ],
)
def test_the_new_name_wins_in_the_same_file_and_the_note_says_so(old: str, key: str) -> None:
    assert value(old, key) in {"new", 0}
    [note] = [f for f in configured(old).of(Gravity.NOTE) if "old name" in f.what]
    assert f"{key} is set too, which wins" in note.what


def test_an_old_name_fills_a_new_one_that_is_empty() -> None:
    text = '[fallback]\ninstructions_file = "old"\n[free_run]\nprompt_file = ""\n'
    assert value(text, "free_run.prompt_file") == "old"


@pytest.mark.parametrize(
    "text",
    [
        'claude_model = ""',
        '[fallback]\ninstructions_file = ""',
        "[fallback]",
        'laps_instructions = ""',
    ],
)
def test_an_old_name_without_a_value_is_not_worth_a_word(text: str) -> None:
    configuration = configured(text)
    assert configuration.findings == []
    assert configuration.settings == Settings()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('laps_instructions = "x"', "[laps] instructions_file"),
        ("[telemetry]\nenabled = true\n", "nothing is ever sent"),
        ('[telemetry]\nnew_relic_app_name = "x"\n', "nothing is ever sent"),
        ("[telemetry]\nenabled = 3\nwhatever = []\n", "nothing is ever sent"),
    ],
)
def test_what_never_had_an_effect_is_noted(text: str, word: str) -> None:
    configuration = configured(text)
    [note] = configuration.findings
    assert (note.gravity, note.where) == (Gravity.NOTE, "repo.toml:1")
    assert word in note.what
    assert configuration.settings == Settings()


def test_a_wrong_type_below_an_old_name_is_told_at_the_old_place() -> None:
    [finding] = configured("\nclaude_model = 5\n").of(Gravity.ERROR)
    assert (finding.key, finding.where) == (("defaults", "claude_model"), "repo.toml:2")


@pytest.mark.parametrize(
    "text",
    ['claude_model = "a"\ndefaults = 3\n', "fallback = 3\n", "reliability = [1]\n"],
)
def test_an_old_name_beside_a_broken_table_stops_nobody(text: str) -> None:
    assert configured(text).settings == Settings()


@pytest.mark.parametrize(("version", "told"), [("", 0), ("0", 0), ("2", 0), ("1", 1), ("99", 1)])
def test_only_a_foreign_schema_version_is_noted(version: str, told: int) -> None:
    configuration = configured(f"schema_version = {version}" if version else "")
    assert [f.gravity for f in configuration.findings] == [Gravity.NOTE] * told
    for note in configuration.findings:
        assert version in note.what
        assert "2" in note.what.replace(version, "", 1)


def test_an_old_name_of_the_user_is_beaten_by_a_new_one_of_the_repository() -> None:
    new = TODAY["defaults.claude_model"]
    assert value(new, "defaults.claude_model", 'claude_model = "old"\n') == "new"
