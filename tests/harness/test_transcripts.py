"""Every recording of a real CLI is read and judged as a person would."""

from operator import attrgetter

import pytest
from tests.harness.recorded import TRANSCRIPTS, Recording, expectations, recordings

from mittelo.core.records import Outcome
from mittelo.core.tries import Finish, Stop
from mittelo.core.verdicts import Facts, Verdict, judge
from mittelo.harness.base import Stream

RECORDINGS = recordings()
EXPECTED = expectations()
CLIS = ("claude", "codex", "copilot", "gemini", "kimi", "opencode", "pi", "qwen")
NAMES_IT_AT_ITS_END = {"copilot", "kimi"}
"""Where the session is told of last, what was killed cannot be gone on with."""

each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=attrgetter("name"))


def verdict(recording: Recording, stop: Stop | None = None, *, changes: bool = False) -> Verdict:
    reading, harness, code = recording.read(), recording.harness, recording.exit.code
    out, err = recording.raw(Stream.OUT), recording.raw(Stream.ERR)
    return judge(
        Facts(
            finish=Finish(code, stop),
            reading=reading,
            answered=bool(harness.answer(reading, out, err).strip()),
            needs_end=harness.needs_end,
            changed=EXPECTED[recording.name].changed,
            require_changes=changes,
            errors=err.decode(errors="replace")[-2000:],
            exit_meaning=harness.explain_exit(code) if code else "",
        )
    )


def test_every_recording_has_an_expectation_and_the_other_way_round() -> None:
    assert {recording.name for recording in RECORDINGS} == set(EXPECTED)
    assert {recording.cli for recording in RECORDINGS} == set(CLIS)


@pytest.mark.parametrize("cli", CLIS)
def test_every_recorded_file_belongs_to_a_recording(cli: str) -> None:
    there = {path.name for path in (TRANSCRIPTS / cli).iterdir()} - {"exits.json"}
    cases = [recording.case for recording in RECORDINGS if recording.cli == cli]
    assert there == {f"{case}.{suffix}" for case in cases for suffix in ("stdout", "stderr")}


@each_recording
def test_the_session_and_the_model_are_those_that_the_cli_named(recording: Recording) -> None:
    expected, reading = EXPECTED[recording.name], recording.read()
    assert (reading.session, reading.model) == (expected.session, expected.model)


@each_recording
def test_the_final_message_is_the_agents_last_word(recording: Recording) -> None:
    expected, final = EXPECTED[recording.name], recording.read().final
    if expected.final_length is None:
        assert final == expected.final
    else:
        assert final.startswith(expected.final)
        assert len(final) == expected.final_length


@each_recording
def test_tool_calls_are_counted_and_their_files_named(recording: Recording) -> None:
    expected, reading = EXPECTED[recording.name], recording.read()
    assert (reading.tool_calls, [*reading.files]) == (expected.calls, expected.files)


@each_recording
def test_tokens_and_cost_are_what_the_cli_reports(recording: Recording) -> None:
    expected, reading = EXPECTED[recording.name], recording.read()
    assert (reading.tokens.input, reading.tokens.output) == expected.tokens
    assert reading.cost == pytest.approx(expected.cost)


@each_recording
def test_the_end_is_what_the_clis_own_end_event_says(recording: Recording) -> None:
    ended = recording.read().ended
    assert ("" if ended is None else "ok" if ended.ok else "failed") == (
        EXPECTED[recording.name].ended
    )


@each_recording
def test_only_errors_that_the_cli_did_not_go_on_from_are_lasting(recording: Recording) -> None:
    expected, reading = EXPECTED[recording.name], recording.read()
    lasting = [error.message for error in reading.errors if not error.passing]
    if reading.ended and reading.ended.message:
        lasting.append(reading.ended.message)
    assert expected.error in (lasting[-1] if lasting else "")
    assert bool(lasting) == bool(expected.error)


@each_recording
def test_the_verdict_is_what_a_reader_would_say(recording: Recording) -> None:
    expected, found = EXPECTED[recording.name], verdict(recording)
    assert found.outcome == expected.outcome, found.reason
    assert expected.reason in found.reason
    assert bool(found.reason) == bool(expected.reason)


@each_recording
def test_a_reason_can_be_printed_on_one_line(recording: Recording) -> None:
    assert verdict(recording).reason.isprintable()


@each_recording
def test_where_changes_are_asked_for_only_a_changed_tree_is_a_success(
    recording: Recording,
) -> None:
    expected, found = EXPECTED[recording.name], verdict(recording, changes=True)
    assert (found.outcome is Outcome.COMPLETED) == (
        expected.outcome == "completed" and expected.changed
    )


@pytest.mark.parametrize(
    "recording", [r for r in RECORDINGS if r.exit.ended_by_us], ids=attrgetter("name")
)
def test_what_we_ended_is_never_blamed_on_the_agent(recording: Recording) -> None:
    assert verdict(recording, Stop.TRY_TIMEOUT).outcome is Outcome.RUN_TIMEOUT
    assert verdict(recording, Stop.QUIT_NOW).outcome is Outcome.CANCELLED


@pytest.mark.parametrize("cli", CLIS)
def test_a_resumed_session_keeps_its_id(cli: str) -> None:
    by_case = {r.case: r.read().session for r in RECORDINGS if r.cli == cli}
    assert by_case["resume-turn1"] == by_case["resume-turn2"] != ""
    if cli not in NAMES_IT_AT_ITS_END:
        assert by_case["sigkill-during-tool"] == by_case["resume-after-sigkill"] != ""
