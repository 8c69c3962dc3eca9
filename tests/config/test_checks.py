import pytest
from tests.config.configs import about, configured, graver

from mittelo.config.findings import Gravity

ERROR, LANE, NOTE = Gravity.ERROR, Gravity.LANE, Gravity.NOTE
OWN = '[harness.pelican]\ncommand = ["pelican", "run"]\n'
HARNESSES = [
    ("[harness.123bad]\ncommand = ['x']", "", "invalid harness name '123bad'"),
    ("[harness._x]\ncommand = ['x']", "", "invalid harness name '_x'"),
    ("[harness.-x]\ncommand = ['x']", "", "invalid harness name '-x'"),
    ("[harness.'a b']\ncommand = ['x']", "", "invalid harness name 'a b'"),
    ("[harness.'']\ncommand = ['x']", "", "invalid harness name ''"),
    ("[harness.'é']\ncommand = ['x']", "", "invalid harness name 'é'"),
    ('[harness."x\\n"]\ncommand = ["x"]', "", r"invalid harness name 'x\n'"),
    ("[harness.cc]\ncommand = ['claude']", "command", "command cannot be set"),
    ("[harness.claude]\nmodel_flag = ''", "model_flag", "model_flag cannot be set"),
    ("[harness.agy]\noutput_strategy = 'tail'", "output_strategy", "output_strategy cannot be set"),
    ("[harness.ge]\ntail_stream = 'stdout'", "tail_stream", "tail_stream cannot be set"),
    ("[harness.droid]", "", "needs a command"),
    ("[harness.droid]\ncommand = []", "", "needs a command"),
    ("[harness.droid]\ncommand = ['']", "", "needs a command"),
    ("[harness.droid.models]\na = 'b'", "", "needs a command"),
    (f"{OWN}model_flag = '--m'\noutput_strategy = 'head'", "output_strategy", "'head'"),
    (f"{OWN}tail_stream = 'both'", "tail_stream", "stdout, stderr, combined"),
    (f"{OWN}tail_stream = ''", "tail_stream", "stdout, stderr, combined"),
    ("[harness.p]\ncommand = ['p', '$MODEL']", "command", "use model_flag"),
    ("[harness.p]\ncommand = ['p', '--m=$MODEL/x']", "command", "use model_flag"),
    (f"{OWN}models = {{ 1 = 'a' }}", "models.1", "letter first"),
    (f"{OWN}models = {{ 'a.b' = 'a' }}", "models.a.b", "alias 'a.b'"),
    (f"{OWN}models = {{ '' = 'a' }}", "models.", "alias ''"),
    (f"{OWN}models = {{ a = '' }}", "models.a", "stands for nothing"),
    ("[harness.op.models]\na = ' '", "models.a", "stands for nothing"),
]


@pytest.mark.parametrize(("text", "key", "word"), HARNESSES)
def test_a_wrong_harness_table_is_an_error(text: str, key: str, word: str) -> None:
    [finding] = configured(text).findings
    assert finding.gravity is ERROR
    assert ".".join(finding.key[2:]) == key
    assert finding.key[0] == "harness"
    assert word in finding.what


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        f"{OWN}model_flag = ''\noutput_strategy = 'tail'\noutput_lines = -1\n",
        f"{OWN}output_strategy = ''\ntail_stream = 'stderr'\n",
        f"{OWN}models = {{ A-b_1 = 'any thing: at all' }}\n",
        "[harness.p]\ncommand = ['p', '--ask=$PROMPT']\n",
        "[harness.x-1_Y]\ncommand = ['x']\n",
        "[harness.cc]\noutput_lines = 3\nmodels = { opus = 'x' }\n",
        "[harness.gemini.models]\npro = 'gemini-3.1-pro'\n",
        "[harness.o]\ncommand = ['opencode', 'run', '--x']\n",
        "[harness.o]\ncommand = ['/usr/bin/opencode']\n",
    ],
)
def test_a_right_harness_table_is_not_worth_a_word(text: str) -> None:
    assert configured(text).findings == []


@pytest.mark.parametrize("command", ["['opencode']", "['opencode', '--x']", "['opencode', 'Run']"])
def test_a_command_that_opens_a_screen_and_never_ends_is_noted(command: str) -> None:
    [finding] = configured(f"[harness.mine]\ncommand = {command}\n").findings
    assert finding.gravity is NOTE
    assert "harness.mine" in finding.what
    assert "TUI" in finding.what


def test_one_mistake_in_a_harness_is_told_once() -> None:
    assert len(configured("[harness.pelican]\ncommand = 'pelican'\n").findings) == 1


def test_a_second_mistake_in_a_harness_is_told_too() -> None:
    configuration = configured(
        "[harness.p]\ncommand = ['p']\noutput_lines = 'x'\ntail_stream = 'y'"
    )
    assert {key[-1] for _, key, _ in graver(configuration)} == {"output_lines", "tail_stream"}


def test_a_broken_harness_cannot_be_used_and_a_sound_one_beside_it_can() -> None:
    configuration = configured(f"{OWN}[harness.bad]\n[routes]\na = ['pelican']\nb = ['bad']\n")
    assert "pelican" in configuration.harnesses
    assert "bad" not in configuration.harnesses
    [finding] = about(configuration, "routes", "b")
    assert "unknown agent alias 'bad'" in finding.what


ROUTES = [
    ("a = ['cc', 'cx:2', 'op:x/y:1-3']", None),
    ("a = ['cc:0']", "'cc:0'"),
    ("a = ['cc:5-3']", "'cc:5-3'"),
    ("a = ['claude:opus:4.7']", "'claude:opus:4.7'"),
    ("a = ['']", "''"),
    ("a = ['gm']", "unknown agent alias 'gm'"),
    ("a = ['CC']", "unknown agent alias 'CC'"),
    ("a = ['cc:opux']", "unknown model 'opux' of claude"),
    ("a = []", "is empty"),
    ("SENIOR = ['cc']\na = ['SENIOR']", "'SENIOR' is a role"),
    ("SENIOR = ['cc']\na = ['senior:2']", "'SENIOR' is a role"),
    ("SENIOR = ['cc']\na = ['senior:x.y']", "'SENIOR' is a role"),
    ("cc = ['cx']\na = ['cc']", "'cc' is a role"),
    ("A = ['cc']\na = ['cc']", "differ only by case"),
    ("'' = ['cc']", "without a name"),
    ("' a ' = ['cc']\na = ['cc']", "differ only by case"),
]


@pytest.mark.parametrize(("text", "word"), ROUTES)
def test_a_wrong_route_spoils_its_lane(text: str, word: str | None) -> None:
    found = configured(f"[routes]\n{text}\n").findings
    assert [f.gravity for f in found] == ([LANE] if word else [])
    for finding in found:
        assert finding.key[0] == "routes"
        assert word is not None
        assert word in finding.what


def test_each_wrong_entry_of_a_route_is_told() -> None:
    found = about(configured("[routes]\na = ['gm', 'cc', 'cc:0']\n"), "routes", "a")
    assert [finding.item for finding in found] == ["gm", "cc:0"]


def test_a_role_may_not_be_an_entry_whichever_layer_names_it() -> None:
    configuration = configured("[routes]\na = ['pelican']\n", f"{OWN}[routes]\nPelican = ['cc']\n")
    assert [f.key for f in configuration.of(LANE)] == [("routes", "a")]


ALIASES = "[harness.cc.models]\nopus-high = 'x'\nswift = 'y'\n"
REASONING = [
    ("verify = 'high'", None, ""),
    ("verify = 'none'", None, ""),
    ("verify = 'swift'", None, ""),
    ("verify = ' swift '", None, ""),
    ("verify = 'cc:swift'", None, ""),
    ("verify = 'claude:swift'", None, ""),
    ("verify = ''", None, ""),
    ("verify = 'ludicrous'", NOTE, "neither a model alias nor a known effort"),
    ("verify = 'swft'", NOTE, "Did you mean swift?"),
    ("verify = 'hihg'", NOTE, "Did you mean high?"),
    ("verify = 'cc:opus-hihg'", ERROR, "Did you mean opus-high"),
    ("verify = 'cx:swift'", ERROR, "'swift' of codex"),
    ("verify = 'cc:a/raw.model'", ERROR, "'a/raw.model' of claude"),
    ("verify = 'gm:swift'", ERROR, "unknown agent alias 'gm'"),
    ("verify = 'cc:'", ERROR, "[reasoning] verify"),
    ("verify = 'cc:2'", ERROR, "[reasoning] verify"),
    ("verify = 'cc:swift:2'", ERROR, "[reasoning] verify"),
    ("verify = 'a:b:c'", ERROR, "[reasoning] verify"),
    ("'' = 'high'", ERROR, "without a name"),
    ("'  ' = 'high'", ERROR, "without a name"),
    ("a = 'high'\nA = 'low'", ERROR, "differ only by case"),
    ("a = 'high'\n'a ' = 'low'", ERROR, "differ only by case"),
]


@pytest.mark.parametrize(("text", "gravity", "word"), REASONING)
def test_a_preference_is_a_known_alias_or_effort(
    text: str, gravity: Gravity | None, word: str
) -> None:
    found = configured(f"{ALIASES}[reasoning]\n{text}\n").findings
    assert [finding.gravity for finding in found] == ([gravity] if gravity else [])
    assert all(word in str(finding) for finding in found)


MIXES = [
    ("", None),
    ("  ", None),
    ("cc", None),
    ("cc cx:2, op:x/y", None),
    ('ag:"a model" cc', None),
    ("gm", "unknown agent alias 'gm'"),
    ("cc,", "empty entry"),
    (",", "empty entry"),
    ("cc:0", "count of 'cc:0'"),
    ("cc:opux", "unknown model 'opux'"),
    ("cc:m.1:2", "'cc:m.1:2'"),
    ("cc:1-2", "'cc:1-2'"),
]


@pytest.mark.parametrize(("mix", "word"), MIXES)
def test_a_wrong_default_mix_spoils_only_what_needs_it(mix: str, word: str | None) -> None:
    found = configured(f"[defaults]\nmix = '{mix}'\n").findings
    assert [(f.gravity, f.key) for f in found] == ([(LANE, ("defaults", "mix"))] if word else [])
    for finding in found:
        assert "[defaults].mix" in finding.what
        assert str(word) in finding.what


def test_a_default_mix_beside_routes_is_noted_as_unused() -> None:
    configuration = configured("[defaults]\nmix = 'cc'\n[routes]\ndefault = ['cc']\n")
    [finding] = configuration.findings
    assert (finding.gravity, finding.key) == (NOTE, ("defaults", "mix"))
    assert "not used" in finding.what
