import json
from pathlib import Path

import pytest

from mittelo.errors import MitteloError
from mittelo.harness.base import JsonKey
from mittelo.proc.placing import placed

WANTED = (JsonKey("a/settings.json", "model", "big"),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    return tmp_path / "a/settings.json"


def held(path: Path) -> object:
    return json.loads(path.read_text())


def test_a_key_is_set_for_the_time_and_put_back(tmp_path: Path, path: Path) -> None:
    path.write_text('{"model": "small", "other": 1}')
    with placed(WANTED, tmp_path):
        assert held(path) == {"model": "big", "other": 1}
    assert held(path) == {"model": "small", "other": 1}


def test_a_file_that_was_not_there_is_gone_afterwards(tmp_path: Path, path: Path) -> None:
    with placed(WANTED, tmp_path):
        assert held(path) == {"model": "big"}
    assert not path.exists()


def test_what_somebody_else_changed_meanwhile_stays(tmp_path: Path, path: Path) -> None:
    path.write_text('{"model": "small"}')
    with placed(WANTED, tmp_path):
        path.write_text('{"model": "theirs", "new": true}')
    assert held(path) == {"model": "theirs", "new": True}


def test_what_a_crash_left_is_put_back_the_next_time(tmp_path: Path, path: Path) -> None:
    path.write_text('{"model": "big"}')
    (path.parent / ".settings.json.mittelo-kept").write_text('["model", "small", "big"]')
    with placed((JsonKey("a/settings.json", "model", "medium"),), tmp_path):
        assert held(path) == {"model": "medium"}
    assert held(path) == {"model": "small"}


def test_a_settings_file_that_is_no_json_is_left_alone(tmp_path: Path, path: Path) -> None:
    path.write_text("{broken")
    with pytest.raises(MitteloError, match="not valid JSON"), placed(WANTED, tmp_path):
        pass
    assert path.read_text() == "{broken"
