"""What every harness owes us, whichever CLI it drives."""

import fnmatch
import json
import re

import pytest
from msgspec.structs import replace
from tests.harness.recorded import recordings
from tests.harness.samples import EVERY, each_harness, each_prompt, named

from mittelo.core.policies import Tools
from mittelo.harness.base import ARGV_BYTES, Harness, Job, Stream
from mittelo.harness.needs import Login

SESSION = "0f0f0f0f-aaaa-4bbb-8ccc-121212121212"
FULL = Job(
    prompt="Write the file.",
    workspace="/w/repo",
    model="model-9",
    effort="high",
    session=SESSION,
    title="a title",
    scratch="/w/scratch",
)
NEW = replace(FULL, session="")
JOBS = [
    Job(prompt="x"),
    Job(prompt="x", tools=Tools.READ),
    FULL,
    Job(prompt="x", model="model-9"),
    Job(prompt="x", session=SESSION, tools=Tools.READ),
]
LIMITED = (Tools.NONE, Tools.READ, Tools.EDIT)
BYPASSES = ("--dangerously", "--yolo", "--auto", "-y", "--allow-all", "--trust-all")

RECORDED = {r.cli: r for r in recordings() if r.case == "resume-turn1"}
HAND_MADE = {
    "script": (Stream.OUT, b'{"type":"start","session":"%s"}' % SESSION.encode()),
    "antigravity": (Stream.LOG, b"I0101 12:00 Print mode: conversation=%s" % SESSION.encode()),
    "glm": (Stream.OUT, b'{"type":"system","subtype":"init","session_id":"%s"}' % SESSION.encode()),
}
"""Lines as the specification, our own agent and the CLI of another harness have them."""


@each_harness
@each_prompt
def test_any_prompt_arrives_whole_and_once(harness: Harness, prompt: str) -> None:
    command = harness.command(Job(prompt=prompt))
    assert [command.stdin, *command.argv].count(prompt) == 1


@each_harness
@each_prompt
def test_a_prompt_that_arrives_as_an_argument_leaves_stdin_empty(
    harness: Harness, prompt: str
) -> None:
    command = harness.command(Job(prompt=prompt))
    assert command.stdin == ("" if prompt in command.argv else prompt)


@each_harness
def test_the_longest_prompt_that_is_allowed_fits_where_it_goes(harness: Harness) -> None:
    prompt = "x" * harness.prompt_limit
    command = harness.command(Job(prompt=prompt))
    assert harness.prompt_limit >= 90_000
    if prompt in command.argv:
        assert harness.prompt_limit <= ARGV_BYTES < 128 * 1024


@each_harness
@pytest.mark.parametrize("job", JOBS)
def test_argv_is_a_program_and_words(harness: Harness, job: Job) -> None:
    argv = harness.command(job).argv
    assert argv[0] == harness.binary != ""
    assert all(type(word) is str and word for word in argv)


@each_harness
def test_the_same_job_gives_the_same_command(harness: Harness) -> None:
    assert harness.command(FULL) == harness.command(FULL)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("claude", ["--model", "model-9", "--effort", "high", "--resume", SESSION]),
        ("codex", ["--model", "model-9", "model_reasoning_effort=high", "resume", SESSION]),
        ("gemini", ["--model", "model-9", "--resume", SESSION]),
        ("opencode", ["--model", "model-9", "--variant", "high", "--session", SESSION]),
        ("antigravity", [f"--conversation={SESSION}"]),
        ("copilot", ["--model", "model-9", "--reasoning-effort", "high", "--resume", SESSION]),
        ("glm", ["--model", "model-9", "--effort", "high", "--resume", SESSION]),
        ("kimi", ["--session", SESSION, "--model", "model-9"]),
        ("kiro", ["--model", "model-9"]),
        ("mlx", ["--model", "model-9"]),
        ("pi", ["--model", "model-9", "--thinking", "high", "--session", SESSION]),
        ("qwen", ["--model", "model-9", "--resume", SESSION]),
        ("script", ["--script", "model-9", "--resume", SESSION]),
        ("by-stdin", ["--model", "model-9"]),
    ],
)
def test_model_effort_and_session_stand_where_the_cli_takes_them(
    name: str, words: list[str]
) -> None:
    argv = named(name).command(FULL).argv
    found = [word for word in argv if word in words]
    assert found == words


@each_harness
def test_nothing_is_passed_on_that_was_not_asked_for(harness: Harness) -> None:
    plain = harness.command(Job(prompt="x"))
    flags = {"--model", "--effort", "--variant", "--resume", "resume", "--session"}
    flags |= {"--reasoning-effort", "--thinking"}
    assert not flags & set(plain.argv)
    assert plain.settings == ()


@each_harness
def test_a_model_is_passed_on_or_spoken_of(harness: Harness) -> None:
    job = Job(prompt="x", tools=widest(harness), model="model-9")
    command = harness.command(job)
    passed = "model-9" in command.argv or any(k.value == "model-9" for k in command.settings)
    noted = any("model-9" in note for note in harness.notes(job))
    assert passed != noted or harness.name == "echo"


@each_harness
def test_an_effort_is_passed_on_or_spoken_of(harness: Harness) -> None:
    job = Job(prompt="x", tools=widest(harness), effort="high")
    passed = any(word in {"high", "model_reasoning_effort=high"} for word in _argv(harness, job))
    assert passed == harness.takes_effort
    assert bool(harness.notes(job)) != passed


@each_harness
def test_an_effort_that_nobody_knows_is_passed_on_with_a_note(harness: Harness) -> None:
    job = Job(prompt="x", tools=widest(harness), effort="colossal")
    notes = harness.notes(job)
    assert any("colossal" in word for word in _argv(harness, job)) == harness.takes_effort
    assert bool(notes) == bool(harness.efforts or not harness.takes_effort)
    assert all("'colossal'" in note for note in notes)


@each_harness
def test_there_is_nothing_to_note_about_a_plain_job(harness: Harness) -> None:
    assert harness.notes(Job(prompt="x", tools=widest(harness))) == []


@each_harness
@pytest.mark.parametrize("tools", Tools)
def test_what_can_only_answer_says_so(harness: Harness, tools: Tools) -> None:
    told = any("can only answer" in note for note in harness.notes(Job(prompt="x", tools=tools)))
    assert told == (tools is Tools.ALL and not harness.works)


@each_harness
def test_its_flags_are_those_that_it_is_started_with(harness: Harness) -> None:
    flags = harness.flags()
    for tools in Tools:
        argv = harness.command(replace(FULL, tools=tools)).argv
        words = {word.partition("=")[0] for word in argv[1:] if word.startswith("--")}
        assert words - {"--"} <= {*flags}
    assert not {*flags} & {*harness.help_words}


def widest(harness: Harness) -> Tools:
    return Tools.ALL if harness.works else Tools.NONE


def allowed(env: dict[str, str]) -> set[str]:
    """Return every tool that JSON in these variables allows, at any depth."""
    found: set[str] = set()

    def look(value: object) -> None:
        for key, inner in value.items() if isinstance(value, dict) else ():
            found.update({key} if inner == "allow" else set())
            look(inner)

    for value in env.values():
        look(json.loads(value) if value.startswith("{") else {})
    return found


@each_harness
@pytest.mark.parametrize("session", ["", SESSION])
@pytest.mark.parametrize("tools", LIMITED)
def test_limited_tools_never_go_with_leave_to_do_anything(
    harness: Harness, tools: Tools, session: str
) -> None:
    job = Job(prompt="x", tools=tools, model="m", effort="high", session=session)
    command = harness.command(job)
    assert [word for word in command.argv if word.startswith(BYPASSES)] == []
    assert not {"bash", "edit", "write", "task"} & allowed(command.env)


@each_harness
def test_tools_that_are_kept_are_not_given_as_more_are(harness: Harness) -> None:
    made = [harness.command(replace(NEW, tools=tools)) for tools in harness.keeps]
    different = {json.dumps([command.argv, command.env]) for command in made}
    without = {"echo": 3, "script": 1}.get(harness.name, 0) if harness.works else 3
    assert len(different) >= len(made) - without


@each_harness
@pytest.mark.parametrize("tools", LIMITED)
def test_what_is_not_kept_is_never_done_as_something_wider_is(
    harness: Harness, tools: Tools
) -> None:
    held = harness.held_to(tools)
    order = [*Tools]
    fewer = {kept for kept in harness.keeps if order.index(kept) <= order.index(tools)}
    assert held in (fewer or {tools})
    given, kept = (harness.command(replace(NEW, tools=word)) for word in (tools, held))
    assert given == kept


@each_harness
def test_everything_is_allowed_by_whoever_keeps_anything(harness: Harness) -> None:
    assert Tools.ALL in harness.keeps


@each_harness
def test_variables_are_names_or_beginnings_of_names(harness: Harness) -> None:
    for name in (*harness.variables, *harness.url_variables):
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*\*?", name)
    given = harness.variables
    for name in (*harness.url_variables, *harness.folders, *harness.key_files):
        assert any(fnmatch.fnmatchcase(name, pattern) for pattern in given), name
    for need in harness.needs({}):
        for name in need.variables if isinstance(need, Login) else ():
            assert any(fnmatch.fnmatchcase(name, pattern) for pattern in given), name


@each_harness
def test_it_reaches_its_own_hosts_unless_a_variable_leads_it_elsewhere(harness: Harness) -> None:
    own = harness.endpoints({})
    assert {f"https://{host}" for host in harness.hosts} == {*own}
    for name in harness.url_variables:
        assert harness.endpoints({name: "http://127.0.0.1:9/v1"}) == ["http://127.0.0.1:9/v1"]


def test_who_resumes_is_who_was_recorded_resuming() -> None:
    resuming = {harness.name for harness in EVERY if harness.resumes}
    assert resuming == {*RECORDED, *HAND_MADE}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_session_is_captured_and_can_be_resumed(name: str) -> None:
    session = RECORDED[name].read().session
    assert session in _argv(named(name), Job(prompt="x", session=session))


@pytest.mark.parametrize("name", HAND_MADE)
def test_a_session_is_captured_and_can_be_resumed(name: str) -> None:
    stream, line = HAND_MADE[name]
    found = [sign.id for sign in named(name).read(line, stream) if hasattr(sign, "id")]
    assert found == [SESSION]
    assert SESSION in " ".join(_argv(named(name), Job(prompt="x", session=SESSION)))


@each_harness
def test_who_does_not_resume_is_not_told_of_a_session(harness: Harness) -> None:
    command = harness.command(FULL)
    told = " ".join([*command.argv, command.stdin, *command.env.values()])
    assert (SESSION in told) == harness.resumes


@each_harness
def test_who_names_no_session_has_no_log_of_it(harness: Harness) -> None:
    patterns = harness.session_logs(SESSION, "/w/repo", {"HOME": "/home/me"})
    assert all(pattern.startswith("/home/me/") for pattern in patterns)
    assert harness.resumes or patterns == []


@each_harness
@pytest.mark.parametrize("code", [0, 1, 2])
def test_an_ordinary_exit_code_means_nothing_special(harness: Harness, code: int) -> None:
    assert harness.explain_exit(code) == ""


def _argv(harness: Harness, job: Job) -> list[str]:
    return harness.command(job).argv
