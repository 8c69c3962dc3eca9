"""Relays that work a queue, with the scripted agent."""

import json
import signal

import pytest
from support import Place, wait_until

FINISH = '{run=["laps", "done"]}, {run=["laps", "wrapup", "--summary", "it is made"]}'


def make(name: str, rest: str = FINISH) -> str:
    return f'{{write="{name}.txt", text="done"}}, {rest}, {{say="all well"}}'


@pytest.fixture
def queue(place: Place) -> Place:
    """Return a repository with two laps and a rally that is set up."""
    place.laps("init")
    place.laps("add", "head", "--title", "Task 1", "--description", "Create file task1.txt")
    place.laps("add", "tail", "--title", "Task 2", "--description", "Create file task2.txt")
    return place


def ids(place: Place) -> list[str]:
    told = json.loads(place.laps("list", "--all", "--json-output").out)
    return [task["id"] for task in sorted(told["tasks"], key=lambda task: task["order"])]


def todo(place: Place) -> list[str]:
    return [task["title"] for task in json.loads(place.laps("list", "--json").out)["tasks"]]


def start(place: Place, *words: str, code: int = 0) -> str:
    done = place.rally("start", "--new", "-a", "script", *words)
    assert done.code == code, (done.out, done.err)
    return done.out + done.err


def prompt(place: Place) -> str:
    return (place.root / ".rally/state/current_task.md").read_text()


def test_laps_are_worked_until_none_is_left(queue: Place) -> None:
    first, second = ids(queue)
    queue.script(make("task1"), make("task2"))
    said = start(queue)
    assert "Installed rally hooks in" in said
    assert "[1/2] script — Task 1" in said
    assert "[2/2] script — Task 2" in said
    assert "Relay complete: 2 runs" in said
    assert queue.laps("list").out == ""
    tries = queue.tries()
    assert [(t.lap_id, t.outcome, t.laps_completed) for t in tries] == [
        (first, "completed", [first]),
        (second, "completed", [second]),
    ]
    assert [entry["laps_completed"] for entry in queue.summary()] == [[first], [second]]
    assert {"task1.txt", ".laps/laps.json", ".rally/summary.jsonl"} <= {
        *queue.committed(tries[0].commit_hash)
    }
    assert queue.git("status", "--porcelain") == "?? .rally/script.toml"
    assert not (queue.root / ".laps/claim").exists()
    again = start(queue)
    assert "the queue is complete" in again


def test_the_prompt_holds_the_lap_and_how_to_finish_it(queue: Place) -> None:
    queue.laps("edit", ids(queue)[0], "--assignee", "senior")
    queue.rally("init", "roles")
    queue.script(make("task1"))
    start(queue, "-i", "1", "mind the style")
    text = prompt(queue)
    for words in (
        f"Lap {ids(queue)[0]}: Task 1",
        "Create file task1.txt",
        "Your role is senior",
        "laps done",
        "laps handoff",
        "mind the style",
    ):
        assert words in text
    assert "rally progress" not in text
    (made,) = queue.tries()
    assert (made.role, made.assignee, made.lap_title) == ("senior", "senior", "Task 1")


def test_a_lap_that_is_left_unfinished_is_gone_on_with(queue: Place) -> None:
    queue.script('{write="task1.txt", text="half"}, {say="more to do"}', make("task1"))
    start(queue, "-i", "1")
    first, second = queue.tries()
    assert (first.outcome, first.category, first.commit_hash) == ("incomplete", "", "")
    assert "changes without finalization" in first.fail_reason
    assert (second.run_id, second.outcome) == (first.run_id, "completed")
    assert second.resumed_session == first.session_id
    assert "did not finish the lap" in prompt(queue)


def test_work_of_a_run_that_never_finished_goes_into_the_next_one(queue: Place) -> None:
    queue.configure("[reliability]\nretry_budget = 1\n")
    queue.script('{write="half.txt", text="half"}, {say="x"}', make("task1"))
    start(queue, "-i", "1", "-a", "script")
    first, second = queue.tries()
    assert (first.run_id, second.run_id) == (1, 2)
    assert {"half.txt", "task1.txt"} <= {*queue.committed(second.commit_hash)}


def test_a_lap_that_is_not_the_runs_own_is_opened_again(queue: Place) -> None:
    first, second = ids(queue)
    queue.script(f'{{run=["laps", "done", "{second}"]}}, {{say="oops"}}', make("task1"))
    start(queue, "-i", "1")
    wrong, right = queue.tries()
    assert wrong.outcome == "failed"
    assert wrong.fail_reason.startswith(f"wrong_lap_consumed: finished {second}")
    assert (right.lap_id, right.outcome) == (first, "completed")
    assert todo(queue) == ["Task 2"]


def test_a_further_lap_that_was_finished_without_leave_is_opened_again(queue: Place) -> None:
    first, second = ids(queue)
    both = f'{{run=["laps", "done"]}}, {{run=["laps", "done", "{second}"]}}'
    queue.script(make("task1", both), make("task2"))
    start(queue)
    one, other = queue.tries()
    assert (one.outcome, one.lap_id) == ("completed", first)
    assert one.fail_reason == f"multi_lap_consumed: {second} reopened"
    assert (other.outcome, other.lap_id) == ("completed", second)


def test_a_command_that_was_only_printed_finishes_nothing(queue: Place) -> None:
    queue.script('{say="I am through.\\nlaps done"}', make("task1"))
    start(queue, "-i", "1")
    assert queue.tries()[0].fail_reason == "laps done emitted as text, hook never ran"


def test_what_follows_a_handoff_is_done_first_and_in_order(queue: Place) -> None:
    hand = (
        '{run=["laps", "handoff"]}, {run=["laps", "wrapup", "--summary", "stuck on X", '
        '"--followup", "mend X first", "--followup", "then look at Y, whatever it takes, please"]}'
    )
    queue.script(f'{hand}, {{say="handed off"}}', *(make(f"f{n}") for n in range(4)))
    start(queue)
    tries = queue.tries()
    assert [made.outcome for made in tries] == ["handoff_requested", *["completed"] * 4]
    assert [made.lap_title for made in tries] == [
        "Task 1",
        "mend X first",
        "then look at Y, whatever it ta...",
        "Task 1",
        "Task 2",
    ]
    created = tries[0].created_laps
    assert [made.lap_id for made in tries[1:3]] == created
    assert queue.summary()[0]["handoff"]["created_lap_ids"] == created
    assert queue.summary()[0]["laps_completed"] == "none"


def test_a_handoff_that_left_a_mess_is_recovered_first(queue: Place) -> None:
    queue.configure('[routes]\ndefault = ["script"]\nrecovery = ["script"]\n')
    hand = '{run=["laps", "handoff"]}, {run=["laps", "wrapup", "--summary", "stuck"]}'
    mend = (
        '{run=["laps", "done"]}, {run=["laps", "wrapup", "--classification", "continue", '
        '"--summary", "it was good"]}'
    )
    queue.script(make("half", hand), make("task1", mend))
    done = queue.rally("start", "--new", "-i", "2")
    assert done.code == 0, done.err
    left, mended = queue.tries()
    assert (left.outcome, left.dirty_handoff, left.commit_hash) == ("handoff_requested", True, "")
    assert (mended.role, mended.classification) == ("recovery", "continue")
    assert {"half.txt", "task1.txt"} <= {*queue.committed(mended.commit_hash)}
    assert "Your role is recovery" in prompt(queue)


def test_a_lap_that_is_removed_meanwhile_ends_the_run_and_not_the_relay(queue: Place) -> None:
    first, _ = ids(queue)
    queue.script(f'{{run=["laps", "delete", "{first}", "--force"]}}, {{say="gone"}}', make("task2"))
    start(queue)
    gone, made = queue.tries()
    assert (gone.outcome, gone.cancellation_source) == ("cancelled", "lap_gone")
    assert (made.outcome, made.lap_title) == ("completed", "Task 2")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ('{write=".laps/laps.json", text="{torn"}', "laps.json is brought back as it was"),
        ('{run=["rm", "-r", ".laps"]}', "laps.json is gone"),
    ],
)
def test_a_queue_that_an_agent_destroys_is_brought_back_and_worked_on(
    queue: Place, damage: str, said: str
) -> None:
    queue.script(make("half", damage), make("task1"), make("task2"))
    assert said in start(queue)
    assert [made.outcome for made in queue.tries()] == ["incomplete", "completed", "completed"]
    assert [made.lap_title for made in queue.tries()] == ["Task 1", "Task 1", "Task 2"]
    assert not [name for name in queue.git("ls-files").splitlines() if "damaged" in name]


def test_a_queue_that_is_too_new_ends_the_relay_with_a_word(queue: Place) -> None:
    newer = '{write=".laps/laps.json", text="""{"version": 9, "tasks": []}"""}'
    queue.script(f'{{write="task1.txt", text="x"}}, {newer}, {{say="x"}}')
    assert "has version 9" in start(queue, code=1)
    assert queue.tries()[0].outcome == "failed"
    assert not [entry for entry in queue.relays() if entry.ended_how == "complete"]


def test_a_queue_that_is_broken_from_the_start_is_no_empty_queue(queue: Place) -> None:
    (queue.root / ".laps/laps.json").write_text('{"version": 9, "tasks": []}')
    assert "version 9" in start(queue, code=1)
    assert not queue.tries()


def test_each_lap_is_served_by_the_lane_of_its_role(queue: Place) -> None:
    first, second = ids(queue)
    for name in ("one", "two"):
        queue.script(make(name), make(name), path=f"{name}.toml")
    queue.configure('[routes]\ndefault = ["script:one.toml"]\nUI = ["script:two.toml"]\n')
    queue.git("add", ".")
    queue.git("commit", "-qm", "set up")
    queue.laps("assign", second, "ui")
    preview = queue.rally("routes", "next", "--json").out
    assert json.loads(preview)["lap"] == first
    assert json.loads(preview)["runner"] == "script:one.toml"
    done = queue.rally("start", "--new")
    assert done.code == 0, done.err
    assert [(t.model, t.role) for t in queue.tries()] == [("one.toml", ""), ("two.toml", "ui")]


def test_a_held_stint_lets_the_relay_wait_and_go_on(queue: Place) -> None:
    queue.laps("stints", "new", "auth")
    queue.laps("add", "head", "--stint", "auth", "--title", "Task 0")
    queue.laps("stints", "enqueue", "auth", "head")
    queue.laps("stints", "hold", "auth")
    queue.script(make("task0"), make("task1"), make("task2"))
    relay = queue.begin("start", "--new", "-a", "script")
    wait_until(lambda: "the stint auth is held" in queue.relay_log(), "the wait")
    assert not queue.tries()
    queue.laps("stints", "release", "auth")
    assert relay.wait(60) == 0
    assert [made.lap_title for made in queue.tries()] == ["Task 0", "Task 1", "Task 2"]


def test_a_lap_that_somebody_else_works_on_is_passed_over(queue: Place) -> None:
    queue.env["LAPS_SESSION"] = "somebody"
    queue.laps("claim")
    del queue.env["LAPS_SESSION"]
    queue.script(make("task2"))
    start(queue, "-i", "1")
    assert queue.tries()[0].lap_title == "Task 2"
    assert todo(queue) == ["Task 1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_relay_that_was_cut_off_goes_on_with_its_lap(
    queue: Place, number: signal.Signals
) -> None:
    hang = '{write="task1.txt", text="half"}, {say="x"}, {write="ready"}, {sleep=300}'
    queue.script(hang, make("task1"))
    relay = queue.begin("start", "--new", "-i", "1", "-a", "script")
    wait_until((queue.root / "ready").exists, "the agent's work")
    status = json.loads(queue.rally("status", "--json").out)
    assert status["active"]["lap_title"] == "Task 1"
    relay.send_signal(number)
    relay.wait(20)
    done = queue.rally("start", "--resume")
    assert done.code == 0, done.err
    first, second = queue.tries()
    assert (first.lap_id, first.run_id) == (second.lap_id, second.run_id)
    assert second.outcome == "completed"
    assert todo(queue) == ["Task 2"]
    assert {"task1.txt"} <= {*queue.committed(second.commit_hash)}


def test_what_a_person_finishes_meanwhile_is_not_put_down_to_the_agent(queue: Place) -> None:
    _, second = ids(queue)
    done = f'{{run=["env", "-u", "LAPS_SESSION", "laps", "done", "{second}"]}}'
    queue.script(make("task1", f"{done}, {FINISH}"))
    start(queue, "-i", "1")
    (made,) = queue.tries()
    assert (made.outcome, made.fail_reason) == ("completed", "")
    assert todo(queue) == []


def test_hooks_are_listed_brought_back_and_leave_those_of_the_user(queue: Place) -> None:
    hooks = queue.root / ".laps/hooks.json"
    mine = {"title": "mine", "command": "done", "when": "after", "run": "echo hi > hooked", "x": 1}
    hooks.write_text(json.dumps({"version": 1, "hooks": [mine, {"title": "rally:old"}]}))
    queue.script(make("task1"), make("task2"))
    start(queue)
    held = json.loads(hooks.read_text())["hooks"]
    assert held[1] == mine
    assert [hook["title"] for hook in held] == [
        "rally:laps-done",
        "mine",
        "rally:laps-handoff",
        "rally:laps-wrapup",
    ]
    assert (queue.root / "hooked").exists()
    assert "mine (user)" in queue.rally("hooks", "list").out
    logs = queue.rally("hooks", "logs").out.splitlines()
    assert [json.loads(line)["hook"] for line in logs] == ["laps-done", "laps-wrapup"] * 2


def test_a_failing_hook_of_the_user_does_not_keep_the_relay_from_hearing(queue: Place) -> None:
    mine = {"title": "mine", "command": "done", "when": "after", "run": "exit 1"}
    (queue.root / ".laps/hooks.json").write_text(json.dumps({"version": 1, "hooks": [mine]}))
    queue.script(make("task1"))
    start(queue, "-i", "1")
    logs = queue.rally("hooks", "logs").out.splitlines()
    assert "laps-done" in [json.loads(line)["hook"] for line in logs]


def test_without_leave_no_lap_is_worked(queue: Place) -> None:
    queue.script('{write="free.txt", text="x"}, {say="free"}')
    start(queue, "--no-laps", "-i", "1", "a task of its own")
    assert "a task of its own" in prompt(queue)
    assert todo(queue) == ["Task 1", "Task 2"]
