"""Check that the folder of a run goes with it, and that a later one removes what a kill left."""

import os
import tempfile
from pathlib import Path

import pytest

from mittelo.answering.scratch import LOCK, PREFIX, scratch_folder, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def left(place: Path, name: str) -> Path:
    """Return a folder as a killed process leaves it."""
    folder = place / name
    folder.mkdir()
    (folder / LOCK).touch()
    (folder / "out").write_text("secret")
    return folder


def age(folder: Path) -> None:
    earlier = folder.stat().st_mtime - 3600
    os.utime(folder, (earlier, earlier))


def test_a_folder_is_ours_alone_and_goes_with_its_run(temporary: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "out").write_text("x")
    assert [*temporary.iterdir()] == []


def test_what_a_killed_process_left_is_removed(temporary: Path) -> None:
    age(left(temporary, f"{PREFIX}killed"))
    sweep()
    assert [*temporary.iterdir()] == []


def test_what_is_in_use_or_young_or_not_ours_stays(temporary: Path) -> None:
    left(temporary, f"{PREFIX}young")
    age(left(temporary, "somebody-elses"))
    (temporary / f"{PREFIX}link").symlink_to("somebody-elses")
    with scratch_folder() as folder:
        age(folder)
        sweep()
        names = {path.name for path in temporary.iterdir()}
        assert names == {f"{PREFIX}young", "somebody-elses", f"{PREFIX}link", folder.name}
        assert (temporary / "somebody-elses/out").exists()
