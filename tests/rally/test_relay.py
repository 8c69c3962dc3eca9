"""Relays of the scripted agent, through the installed command."""

import json

import pytest
from support import Place

from mittelo.core.signs import Tokens

ONE = '{say="Made one."}, {write="one.txt", text="1"}, {usage={input=100, output=10, cost=0.25}}'
TWO = '{say="Made two."}, {write="two.txt", text="2"}, {usage={input=50, output=5}}'
NOTHING = '{say="I only looked."}'
QUICK = "[reliability]\nretry_budget = 2\n"


def test_a_relay_makes_commits_and_records(place: Place) -> None:
    place.script(ONE, TWO)
    done = place.rally("start", "--iterations", "2", "--agent", "script", "make", "files")
    assert done.code == 0, done.err
    assert "[1/2] script" in done.out
    assert "[2/2] script" in done.out
    assert "Relay complete: 2 runs  │  2 passed  │  0 failed" in done.out
    one, two = place.tries()
    assert (one.completed, one.outcome, one.summary) == (True, "completed", "Made one.")
    assert one.tokens == Tokens(input=100, output=10)
    assert one.cost_usd == 0.25
    assert one.files_changed == ["one.txt"]
    assert one.session_id != two.session_id
    subjects = place.git("log", "--format=%H %s", "-2").splitlines()
    assert subjects == [
        f"{two.commit_hash} rally: run 2 attempt 1 (script)",
        f"{one.commit_hash} rally: run 1 attempt 1 (script)",
    ]
    relay = place.relays()[0]
    assert (relay.completed_iterations, relay.agent_mix, relay.prompt) == (
        2,
        "__override__:script",
        "make files",
    )
    assert relay.ended_at
    assert (relay.first_try_id, relay.last_try_id) == (1, 2)


def test_relay_and_start_are_the_same_command(place: Place) -> None:
    place.script(ONE)
    assert place.rally("relay", "--new", "-i", "1", "-a", "script", "x").code == 0
    assert place.tries()[0].completed


def test_nothing_is_left_uncommitted_after_a_relay(place: Place) -> None:
    place.script(ONE, path="script.toml")
    place.git("add", ".")
    place.git("commit", "-qm", "script")
    assert place.rally("start", "-i", "1", "-a", "script:script.toml", "x").code == 0
    assert place.git("status", "--porcelain") == ""


def test_several_agents_take_turns_one_run_each(place: Place) -> None:
    place.configure(
        '[harness.mine]\ncommand = ["sh", "-c", "date +%N > mine-$$.txt; echo made it"]\n'
    )
    place.script(ONE, TWO)
    done = place.rally("start", "-i", "4", "-a", "script mine", "x")
    assert done.code == 0, done.err
    assert [t.agent_type for t in place.tries()] == ["script", "mine", "script", "mine"]


def test_a_count_keeps_an_agent_for_several_runs(place: Place) -> None:
    place.configure('[harness.mine]\ncommand = ["sh", "-c", "date +%N > mine-$$.txt; echo made"]\n')
    place.script(ONE, TWO)
    assert place.rally("start", "-i", "3", "--agent", "script:2 mine", "x").code == 0
    assert [t.agent_type for t in place.tries()] == ["script", "script", "mine"]
    assert place.relays()[0].agent_mix == "__override__:script:2 mine"


def test_a_run_without_changes_is_tried_again_in_the_same_session(place: Place) -> None:
    place.configure(QUICK)
    recall = '{recall="codeword [A-Z]+"}, {write="found.txt", text="x"}'
    place.script(NOTHING, recall)
    assert place.rally("start", "-i", "1", "-a", "script", "codeword ZEBRA").code == 0
    first, second = place.tries()
    assert (first.outcome, first.fail_reason) == ("failed", "no changes made")
    assert (second.run_id, second.attempt_number) == (1, 2)
    assert second.session_id == first.session_id == second.resumed_session
    assert second.summary == "codeword ZEBRA"


def test_a_task_that_asks_for_no_change_is_done_without_one(place: Place) -> None:
    place.script(NOTHING)
    assert place.rally("start", "-i", "1", "-a", "script", "--allow-no-changes", "look").code == 0
    assert place.tries()[0].completed


def test_a_relay_whose_agents_cannot_start_tries_for_a_while_and_can_be_resumed(
    place: Place,
) -> None:
    broken = place.home / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    place.configure(f'[harness.broken]\ncommand = ["{broken}"]\n')
    done = place.rally("start", "-i", "1", "-a", "broken", "x")
    assert done.code == 1
    assert f"all agents unavailable (could not start: {broken}: Exec format error)" in done.err
    assert "Traceback" not in done.err
    assert [t.outcome for t in place.tries()] == ["failed"] * 3
    assert place.relays()[0].ended_how == "failed"
    place.configure('[harness.broken]\ncommand = ["sh", "-c", "echo x > made; echo mended"]\n')
    again = place.rally("start", "--resume")
    assert again.code == 0, again.err
    assert [relay.ended_how for relay in place.relays()] == ["complete"]


def test_an_agent_that_fails_is_left_for_one_that_works(place: Place) -> None:
    place.configure(
        "[reliability]\nretry_budget = 1\n"
        '[harness.bad]\ncommand = ["sh", "-c", "echo no credit >&2; exit 3"]\n'
    )
    place.script(ONE)
    done = place.rally("start", "-i", "1", "-a", "bad script", "x")
    assert done.code == 0
    bad, good = place.tries()
    assert bad.fail_reason == "harness error: exit 3: no credit"
    assert (bad.exit_code, bad.run_id, good.run_id) == (3, 1, 2)
    assert "✗ failed" in done.out


def test_the_agents_own_commits_are_recorded_and_left_alone(place: Place) -> None:
    commit = "git add . && git -c user.name=A -c user.email=a@x commit -qm"
    place.script(
        f'{{run=["sh", "-c", "echo 1 > a; {commit} first; echo 2 > b; {commit} second"]}}, '
        '{say="committed"}'
    )
    place.git("add", ".")
    place.git("commit", "-qm", "script")
    before = place.git("rev-parse", "HEAD")
    assert place.rally("start", "-i", "1", "-a", "script", "x").code == 0
    made = place.tries()[0]
    assert made.files_changed == ["a", "b"]
    assert made.commit_history == place.git("rev-list", "--reverse", f"{before}..HEAD~1").split()
    assert made.commit_hash == made.commit_history[-1]
    assert place.git("log", "-1", "--format=%s") == "rally: update state"


def test_an_agent_finds_rally_and_its_words_reach_the_next_prompt(place: Place) -> None:
    tell = '{run=["rally", "progress", "--summary", "THE-DIGEST", "--followup", "THE-NEXT-STEP"]}'
    place.script(f"{ONE}, {tell}", TWO)
    assert place.rally("start", "-i", "2", "-a", "script", "x").code == 0
    first = place.tries()[0]
    assert (first.summary, first.remaining_work) == ("THE-DIGEST", "THE-NEXT-STEP")
    digests = place.summary()
    assert [d["run_id"] for d in digests] == ["relay-1-run-1", "relay-1-run-2"]
    assert digests[0]["followups"] == ["THE-NEXT-STEP"]
    assert digests[1]["summary"] == "Made two."
    prompt = (place.root / ".rally/state/current_task.md").read_text()
    assert "THE-DIGEST" in prompt
    assert "THE-NEXT-STEP" in prompt


def test_a_handoff_counts_as_a_run_without_changes(place: Place) -> None:
    tell = '{run=["rally", "progress", "--handoff", "--summary", "stuck"]}, {say="handed off"}'
    place.script(tell)
    assert place.rally("start", "-i", "1", "-a", "script", "x").code == 0
    assert place.tries()[0].outcome == "handoff_requested"


def test_the_prompt_holds_instructions_role_messages_and_left_over_work(place: Place) -> None:
    (place.root / ".rally/instructions.md").write_text("THE-INSTRUCTIONS")
    (place.root / ".rally/agents/user").mkdir(parents=True)
    (place.root / ".rally/agents/user/Senior.md").write_text("THE-ROLE")
    (place.root / "left-over.txt").write_text("mine")
    assert place.rally("inbox", "add", "THE", "MESSAGE").code == 0
    assert place.rally("inbox", "add", "--relay", "FOR-ALL").code == 0
    place.script(ONE)
    done = place.rally("start", "-i", "1", "-a", "script", "--role", "senior", "THE-TASK")
    assert done.code == 0, done.err
    prompt = (place.root / ".rally/state/current_task.md").read_text()
    for part in ("THE-INSTRUCTIONS", "THE-ROLE", "left-over.txt", "THE MESSAGE", "FOR-ALL"):
        assert part in prompt
    assert "[1/1] senior: script" in done.out
    messages = json.loads(place.rally("inbox", "list", "--all", "--json").out)
    assert {m["body"]: m["status"] for m in messages} == {
        "THE MESSAGE": "addressed",
        "FOR-ALL": "addressed",
    }


def test_a_message_stays_for_a_run_that_succeeds(place: Place) -> None:
    place.configure('[reliability]\nretry_budget = 1\n[harness.bad]\ncommand = ["false"]\n')
    place.rally("inbox", "add", "REMEMBER-ME")
    place.script(ONE)
    assert place.rally("start", "-i", "1", "-a", "bad script", "x").code == 0
    assert "REMEMBER-ME" in (place.root / ".rally/state/current_task.md").read_text()
    assert json.loads(place.rally("inbox", "list", "--json").out) == []


def test_the_target_comes_from_the_configuration_when_the_command_line_is_silent(
    place: Place,
) -> None:
    place.configure(
        '[defaults]\niterations = 2\nmix = "script"\n[free_run]\nprompt_file = "T.md"\n'
    )
    (place.root / "T.md").write_text("THE-FILE-TASK")
    place.script(ONE, TWO)
    assert place.rally("start").code == 0
    assert len(place.tries()) == 2
    assert "THE-FILE-TASK" in (place.root / ".rally/state/current_task.md").read_text()


def test_no_runs_are_complete_at_once(place: Place) -> None:
    done = place.rally("start", "-i", "0", "-a", "script", "x")
    assert (done.code, place.tries()) == (0, [])
    assert "Relay complete: 0 runs" in done.out


@pytest.mark.parametrize("words", [("status",), ("status", "--json")])
def test_status_tells_of_the_relay_and_what_it_used(place: Place, words: tuple[str, ...]) -> None:
    place.script(ONE, TWO)
    place.rally("start", "-i", "2", "-a", "script", "x")
    done = place.rally(*words)
    assert done.code == 0
    if "--json" in words:
        status = json.loads(done.out)
        assert status["relay"]["completed_iterations"] == 2
        assert status["spending"][0]["tokens"] == {
            "input": 150,
            "output": 15,
            "cached": 0,
            "reasoning": 0,
        }
    else:
        assert "relay 1: 2/2 runs with script, complete 0s ago" in done.out or "s ago" in done.out
        assert "script: 2 of 2 tries completed, 165 tokens, $0.25" in done.out


def test_outside_git_a_relay_works_and_judges_no_changes(place: Place) -> None:
    folder = place.home / "plain"
    (folder / ".rally").mkdir(parents=True)
    (folder / ".rally/script.toml").write_text(f"[[turn]]\nsteps=[{NOTHING}]\n")
    done = place.rally("start", "-i", "1", "-a", "script", "x", cwd=folder)
    assert done.code == 0, done.err
    assert "not a git repository" in done.out
