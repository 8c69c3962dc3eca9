"""How the run of a lap ends when its agent, its rally or its hooks do not do as they should."""

import json
import os
from typing import Any

import pytest
from support import Place, wait_until

WRAPUP = '{run=["laps", "wrapup", "--summary", "it is made"]}'
DONE = '{run=["laps", "done"]}'
FINISH = f"{DONE}, {WRAPUP}"
HANDOFF = '{run=["laps", "handoff"]}'
FOLLOWED = '{run=["laps", "wrapup", "--summary", "stuck", "--followup", "mend X"]}'


def make(name: str, rest: str = FINISH) -> str:
    return f'{{write="{name}.txt", text="done"}}, {rest}, {{say="all well"}}'


@pytest.fixture
def queue(place: Place) -> Place:
    """Return a repository with two laps and a rally that is set up."""
    place.laps("init")
    place.laps("add", "head", "--title", "Task 1")
    place.laps("add", "tail", "--title", "Task 2")
    return place


def ids(place: Place) -> list[str]:
    told = json.loads(place.laps("list", "--all", "--json").out)
    return [task["id"] for task in sorted(told["tasks"], key=lambda task: task["order"])]


def todo(place: Place) -> list[str]:
    return [task["title"] for task in json.loads(place.laps("list", "--json").out)["tasks"]]


def start(place: Place, *words: str, code: int = 0) -> str:
    done = place.rally("start", "--new", "-a", "script", *words)
    assert done.code == code, (done.out, done.err)
    return done.out + done.err


def hooks_of(place: Place, *entries: dict[str, Any]) -> None:
    (place.root / ".laps/hooks.json").write_text(json.dumps({"version": 1, "hooks": entries}))


@pytest.mark.parametrize(
    "words", [f"{DONE}, {HANDOFF}, {FOLLOWED}", f"{HANDOFF}, {FOLLOWED}, {DONE}"]
)
def test_a_lap_that_is_done_and_handed_off_is_done(queue: Place, words: str) -> None:
    queue.script(make("task1", words))
    start(queue, "-i", "1")
    (made,) = queue.tries()
    assert (made.outcome, made.dirty_handoff) == ("completed", False)
    assert "task1.txt" in queue.committed(made.commit_hash)
    assert todo(queue) == ["mend X", "Task 2"]


def test_a_second_wrapup_takes_no_handoff_back(queue: Place) -> None:
    queue.script(f'{HANDOFF}, {FOLLOWED}, {WRAPUP}, {{say="x"}}')
    start(queue, "-i", "1")
    (made,) = queue.tries()
    assert made.outcome == "handoff_requested"
    assert made.created_laps == ids(queue)[:1]


def test_blank_followups_are_passed_over(queue: Place) -> None:
    words = '{run=["laps", "wrapup", "--summary", "s", "--followup", " ", "--followup", "go on"]}'
    queue.script(f'{HANDOFF}, {words}, {{say="x"}}')
    start(queue, "-i", "1")
    assert todo(queue) == ["go on", "Task 1", "Task 2"]
    assert queue.summary()[0]["handoff"]["followups"] == ["go on"]


def test_a_lap_that_the_agent_opened_again_itself_counts_for_nothing(queue: Place) -> None:
    first, second = ids(queue)
    undone = f'{{run=["laps", "done", "{second}"]}}, {{run=["laps", "done", "undo"]}}'
    queue.script(make("task1", f"{undone}, {FINISH}"))
    start(queue, "-i", "1")
    (made,) = queue.tries()
    assert (made.outcome, made.fail_reason, made.laps_completed) == ("completed", "", [first])
    assert todo(queue) == ["Task 2"]


@pytest.mark.parametrize("skipped", [True, False])
def test_a_lap_whose_end_no_hook_told_of_is_known_to_be_the_agents(
    queue: Place, *, skipped: bool
) -> None:
    if not skipped:
        hooks_of(queue, {"title": "mine", "command": "done", "when": "after", "run": "exit 3"})
    flag = '"--skip-hooks", ' if skipped else ""
    queue.script(f'{{run=["laps", {flag}"done"]}}, {{say="there was nothing to change"}}')
    start(queue, "-i", "1")
    (made,) = queue.tries()
    assert (made.outcome, made.laps_completed) == ("completed", [made.lap_id])
    (entry,) = queue.summary()
    assert entry["laps_completed"] == [made.lap_id]


@pytest.mark.parametrize("rest", [DONE, FINISH])
@pytest.mark.parametrize("gently", [True, False])
def test_the_work_of_a_lap_that_was_done_when_rally_ended_is_committed(
    queue: Place, rest: str, *, gently: bool
) -> None:
    first, _ = ids(queue)
    hang = f'{{write="task1.txt", text="x"}}, {rest}, {{write="ready"}}, {{sleep=300}}'
    queue.script(hang, make("task2"))
    relay = queue.begin("start", "--new", "-i", "2", "-a", "script")
    wait_until((queue.root / "ready").exists, "the agent's work")
    (relay.terminate if gently else relay.kill)()
    relay.wait(20)
    if gently:  # else the agent lived on, and what appeared is its own
        (queue.root / "mine.txt").write_text("what a person made meanwhile")
    done = queue.rally("start", "--resume")
    assert done.code == 0, done.err
    assert [made.lap_title for made in queue.tries()] == ["Task 1", "Task 2"]
    assert {"task1.txt", "ready"} <= {*queue.committed("HEAD~1")}
    assert queue.git("ls-files", "mine.txt") == ""
    assert queue.summary()[0]["laps_completed"] == [first]
    assert queue.relays()[0].completed_iterations == 2


def test_what_was_finished_besides_the_lap_is_opened_though_rally_was_killed(queue: Place) -> None:
    _, second = ids(queue)
    both = f'{{run=["laps", "done", "{second}"]}}, {DONE}'
    queue.script(f'{{write="a.txt", text="x"}}, {both}, {{write="ready"}}, {{sleep=300}}')
    relay = queue.begin("start", "--new", "-i", "1", "-a", "script")
    wait_until((queue.root / "ready").exists, "the agent's work")
    relay.kill()
    relay.wait(20)
    assert queue.rally("start", "--resume").code == 0
    assert todo(queue) == ["Task 2"]
    assert "a.txt" in queue.committed()


def test_a_lap_that_was_done_when_rally_was_killed_counts_once_and_for_all(queue: Place) -> None:
    queue.laps("add", "tail", "--title", "Task 3")
    ready = queue.root / "ready"
    hang = '{write="a.txt", text="x"}, %s, {write="ready"}, {sleep=300}'
    queue.script(hang % DONE, hang % '{say="x"}', make("task2"), make("task3"))
    for words in (("--new", "-i", "2", "-a", "script"), ("--resume",)):
        relay = queue.begin("start", *words)
        wait_until(ready.exists, "the agent's work")
        relay.kill()
        relay.wait(20)
        ready.unlink()
    assert queue.rally("start", "--resume").code == 0
    assert todo(queue) == ["Task 3"]


def test_a_handoff_counts_though_rally_was_killed_after_it(queue: Place) -> None:
    hang = f'{{write="a.txt", text="x"}}, {HANDOFF}, {FOLLOWED}, {{write="ready"}}, {{sleep=300}}'
    queue.script(hang, make("task1"))
    relay = queue.begin("start", "--new", "-i", "2", "-a", "script")
    wait_until((queue.root / "ready").exists, "the agent's work")
    relay.kill()
    relay.wait(20)
    assert queue.rally("start", "--resume").code == 0
    one, other = queue.tries()
    assert (one.outcome, one.dirty_handoff) == ("handoff_requested", True)
    assert (other.lap_title, [other.lap_id], other.role) == ("mend X", one.created_laps, "recovery")
    assert {"a.txt", "task1.txt"} <= {*queue.committed(other.commit_hash)}
    assert queue.relays()[0].completed_iterations == 2


def test_a_handoff_may_be_wrapped_up_in_the_next_try_of_its_session(queue: Place) -> None:
    queue.script(f'{HANDOFF}, {{say="x"}}', f'{FOLLOWED}, {{say="x"}}')
    start(queue, "-i", "1")
    one, other = queue.tries()
    assert (one.run_id, other.outcome) == (other.run_id, "handoff_requested")
    assert todo(queue) == ["mend X", "Task 1", "Task 2"]


def test_what_follows_a_lap_that_was_done_after_all_is_a_suggestion(queue: Place) -> None:
    queue.script(make("task1", f"{HANDOFF}, {DONE}, {FOLLOWED}"))
    start(queue, "-i", "1")
    assert todo(queue) == ["Task 2"]
    assert queue.summary()[0]["followups"] == ["mend X"]


def test_hooks_that_an_agent_damages_are_brought_back_within_its_run(queue: Place) -> None:
    mine = {"title": "mine", "command": "done", "when": "after", "run": "true"}
    hooks_of(queue, mine)
    queue.script('{write="a", text="x"}, {write=".laps/hooks.json", text="{"}', make("task1"))
    assert "hooks.json was damaged" in start(queue, "-i", "1")
    one, other = queue.tries()
    assert (one.run_id, other.run_id, other.outcome) == (1, 1, "completed")
    held = json.loads((queue.root / ".laps/hooks.json").read_text())["hooks"]
    assert held[1] == mine
    assert len(held) == 4


def test_hooks_that_laps_cannot_read_are_told_of_before_a_lap_is_begun(queue: Place) -> None:
    hooks_of(queue, {"title": 5})
    queue.script(make("task1"))
    assert "is malformed" in start(queue, code=2)
    assert not queue.tries()
    listed = queue.rally("hooks", "list")
    assert (listed.code, "is malformed" in listed.err) == (2, True)


def test_a_stint_that_an_agent_removes_is_brought_back(queue: Place) -> None:
    queue.laps("stints", "new", "auth")
    queue.laps("add", "head", "--stint", "auth", "--title", "Task 0")
    queue.laps("stints", "enqueue", "auth", "head")
    away = '{run=["rm", "-r", ".laps/stints"]}'
    queue.script(make("half", away), make("task0"))
    assert "auth.laps.json is brought back" in start(queue, "-i", "1")
    assert [made.lap_title for made in queue.tries()] == ["Task 0", "Task 0"]


def test_a_person_who_wraps_up_meanwhile_does_not_finish_the_run(queue: Place) -> None:
    words = '"laps", "wrapup", "--summary", "mine", "--followup", "of mine"'
    person = f'{{run=["env", "-u", "LAPS_SESSION", {words}]}}'
    queue.script(make("task1", f"{HANDOFF}, {person}, {FOLLOWED}"))
    start(queue, "-i", "1")
    (made,) = queue.tries()
    assert (made.outcome, made.summary) == ("handoff_requested", "stuck")
    assert todo(queue) == ["mend X", "Task 1", "Task 2"]
    mine, stuck = queue.summary()
    assert mine["run_id"] != stuck["run_id"] == "relay-1-run-1"
    assert "handoff" not in mine


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_who_asks_how_to_hand_off_does_not_do_it(queue: Place, flag: str) -> None:
    asked = "".join(f'{{run=["laps", "{word}", "{flag}"]}}, ' for word in ("handoff", "wrapup"))
    queue.script(make("task1", f"{asked}{DONE}, {FOLLOWED}"), make("task2"))
    start(queue, "-i", "1")
    assert todo(queue) == ["Task 2"]
    for word, said in (("wrapup", "--followup"), ("handoff", "hand your lap off")):
        helped = queue.rally("hooks", "run", word, "--", flag)
        assert (helped.code, said in helped.out) == (0, True)


def test_progress_without_a_run_leaves_nothing_behind(queue: Place) -> None:
    queue.rally("progress", "--record-lap", "x-1", "--summary", "one")
    queue.rally("progress", "--summary", "two")
    one, two = queue.summary()
    assert one["laps_completed"] == ["x-1"]
    assert "laps_completed" not in two
    assert queue.rally("progress", "--record-lap", " ").code == 2
    assert not os.path.lexists(queue.root / ".rally/state/run-state.json")


def test_a_lap_that_went_round_in_circles_is_worked_again_once_it_was_edited(
    queue: Place,
) -> None:
    hand = f'{HANDOFF}, {{run=["laps", "wrapup", "--summary", "no"]}}, {{say="x"}}'
    queue.script(hand, hand, hand, make("task1"), make("task2"))
    assert "needs_user" in start(queue, code=1)
    wait_until(lambda: _edited_later(queue), "a second that is over")
    start(queue)
    assert todo(queue) == []


def _edited_later(place: Place) -> bool:
    place.laps("edit", ids(place)[0], "--description", "now it is clear")
    (lap, *_) = json.loads(place.laps("list", "--json").out)["tasks"]
    return bool(lap["updatedAt"][:19] > place.tries()[-1].ended_at[:19])


def test_a_lap_without_a_lane_is_told_of_by_the_preview(queue: Place) -> None:
    queue.configure('[routes]\nsenior = ["script"]\n')
    told = json.loads(queue.rally("routes", "next", "--json").out)
    assert (told["lap"], told["runner"]) == (ids(queue)[0], "")
    assert "default" in told["why"]
