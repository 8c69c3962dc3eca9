import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.configs import configured

from mittelo.config.findings import Gravity
from mittelo.config.limits import MIN_TIMEOUT, Timeouts, patience, retry_budget, timeouts
from mittelo.config.schema import Reliability
from mittelo.core.stalls import Patience

RUN, TRY, HANDOFF = "run_timeout_secs", "try_timeout_secs", "handoff_timeout_secs"
TABLE = [
    ((None, None, None), (4500, 3600, 300), []),
    ((0, 0, 0), (4500, 3600, 300), []),
    ((-1, -300, -5), (4500, 3600, 300), []),
    ((1, 2, 3), (300, 300, 300), [RUN, TRY, HANDOFF]),
    ((1800, 1500, 300), (1800, 1500, 300), []),
    ((5000, 600, 600), (5000, 600, 599), [HANDOFF]),
    ((400, 5000, 450), (400, 5000, 399), [HANDOFF]),
    ((600, 500, 999), (600, 500, 499), [HANDOFF]),
    ((1000, 1000, 100), (1000, 1000, 300), [HANDOFF]),
    ((1000, 2000, 100), (1000, 2000, 300), [HANDOFF]),
    ((300, 300, 300), (300, 300, 300), []),
    ((300, 300, 500), (300, 300, 300), [HANDOFF]),
    ((299, 300, 0), (300, 300, 300), [RUN]),
    ((301, 400, 301), (301, 400, 300), [HANDOFF]),
]


@pytest.mark.parametrize(("asked", "used", "noted"), TABLE)
def test_timeouts_are_mended_and_each_change_is_noted(
    asked: tuple[int | None, ...], used: tuple[int, int, int], noted: list[str]
) -> None:
    given_ = {n: v for n, v in zip((RUN, TRY, HANDOFF), asked, strict=True) if v is not None}
    found, notes = timeouts(Reliability(**given_))  # type: ignore[arg-type]
    assert found == Timeouts(*used)
    assert list(notes) == noted
    for name, note in notes.items():
        used_value = dict(zip((RUN, TRY, HANDOFF), used, strict=True))[name]
        assert f"reliability.{name} = {given_[name]} " in note
        assert f"{used_value} is used" in note


def test_notes_on_timeouts_are_findings_of_their_keys() -> None:
    text = "[reliability]\nrun_timeout_secs = 5000\ntry_timeout_secs = 20\n"
    found = configured(text).findings
    assert ("reliability", TRY) in [f.key for f in found]
    assert {f.gravity for f in found} == {Gravity.NOTE}
    assert [f.where for f in found if "is too short" in f.what] == ["repo.toml:3"]


@given(st.integers(), st.integers(), st.integers())
def test_timeouts_never_fall_below_the_least_nor_a_handoff_above_the_others(
    run: int, try_: int, handoff: int
) -> None:
    asked = Reliability(run_timeout_secs=run, try_timeout_secs=try_, handoff_timeout_secs=handoff)
    used, _ = timeouts(asked)
    bound = min(used.run, used.try_)
    assert bound >= MIN_TIMEOUT
    assert MIN_TIMEOUT <= used.handoff < bound or used.handoff == bound == MIN_TIMEOUT


@pytest.mark.parametrize(("asked", "used"), [(-1, 5), (0, 5), (1, 1), (9, 9)])
def test_a_run_has_at_least_one_attempt(asked: int, used: int) -> None:
    assert retry_budget(Reliability(retry_budget=asked)) == used


@pytest.mark.parametrize(("asked", "used"), [(-1, 900), (0, 900), (3, 3), (60, 60), (5000, 5000)])
def test_silence_is_borne_for_a_while_even_when_nothing_sensible_is_asked(
    asked: int, used: int
) -> None:
    assert patience(Reliability(stall_threshold_secs=asked)) == Patience(used, connected=300)


@pytest.mark.parametrize(("asked", "used"), [(-1, 300), (0, 300), (10, 10), (5000, 5000)])
def test_a_mute_connection_is_borne_for_a_while_of_its_own(asked: int, used: int) -> None:
    assert patience(Reliability(connected_stall_secs=asked)) == Patience(900, connected=used)
