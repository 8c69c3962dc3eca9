from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.clipping import clip, clip_bytes, one_line
from mittelo.core.prompts import RecentLimits, Sources, assemble, recent_tries
from mittelo.core.records import Outcome, TryRecord


def past(run: int, summary: str, **more: str) -> TryRecord:
    return TryRecord(
        id=run,
        run_id=run,
        relay_id=1,
        agent_type="claude",
        completed=True,
        outcome=Outcome.COMPLETED,
        summary=summary,
        remaining_work=more.get("remaining_work", ""),
        files_changed=[],
        commit_hash="",
        started_at="",
        ended_at="",
        attempt_number=1,
    )


def full(budget: int = 0, *, task: str = "THE-TASK") -> str:
    return assemble(
        Sources(
            agent="claude",
            task=task,
            run=2,
            target=3,
            instructions="THE-INSTRUCTIONS",
            role="senior",
            role_text="THE-ROLE",
            leftover=["left.txt"],
            relay_message="THE-RELAY-MESSAGE",
            run_message="THE-RUN-MESSAGE",
            run_message_id=7,
            previous="THE-PREVIOUS " * 200,
            recent=[past(1, "THE-RECENT " * 200, remaining_work="THE-FOLLOWUP")],
            recent_limits=RecentLimits(5, 0, 0),
            budget=budget,
        )
    )


def test_the_parts_of_a_prompt_stand_in_their_order() -> None:
    prompt = full()
    parts = [
        "You are claude",
        "left.txt",
        "THE-INSTRUCTIONS",
        "THE-ROLE",
        "THE-TASK",
        "THE-RELAY-MESSAGE",
        "THE-RUN-MESSAGE",
        "rally inbox done 7",
        "THE-PREVIOUS",
        "THE-RECENT",
        "THE-FOLLOWUP",
        "rally progress --summary",
        ".rally/README.md",
    ]
    places = [prompt.index(part) for part in parts]
    assert places == sorted(places)


def test_parts_without_content_leave_no_heading() -> None:
    prompt = assemble(Sources(agent="codex", task="do it", run=1, target=1))
    headings = [line for line in prompt.splitlines() if line.startswith("## ")]
    assert headings == ["## Task", "## Before You Exit"]


def test_what_only_helps_gives_way_to_a_small_budget_and_the_task_stays_whole() -> None:
    task = "THE-TASK " * 50
    prompt = full(2600, task=task)
    assert len(prompt.encode()) <= 2600
    assert task.strip() in prompt
    assert "rally progress" in prompt


@given(st.text(), st.integers(1, 60))
def test_a_cut_to_bytes_never_splits_a_character(text: str, budget: int) -> None:
    clipped = clip_bytes(text, budget)
    assert len(clipped.encode()) <= budget
    assert clipped == text if len(text.encode()) <= budget else True


@given(st.text(), st.integers(1, 60))
def test_a_cut_to_characters_keeps_head_and_tail(text: str, budget: int) -> None:
    clipped = clip(text, budget)
    assert len(clipped) <= max(budget, min(len(text), budget))
    assert clipped[:1] == text[:1]


def test_zero_means_no_limit() -> None:
    assert clip("x" * 9000, 0) == clip_bytes("x" * 9000, 0) == "x" * 9000


def test_a_line_is_cut_with_an_ellipsis() -> None:
    assert one_line(" a \n b c ", 4) == "a b…"


def test_recent_tries_are_few_and_short() -> None:
    told = recent_tries([past(n, "x" * 500) for n in range(1, 9)], RecentLimits(3, 100, 0))
    lines = told.splitlines()
    assert [line[:7] for line in lines] == ["- run 6", "- run 7", "- run 8"]
    assert all(len(line) < 200 for line in lines)
