"""Results on disk, and who may deliver them."""

from pathlib import Path

from mittelo.core.requests import Ack
from mittelo.worker.outbox import Outbox

ACK = Ack(task_id=3, status="done", result="yes", lease_id="3.1.x")


def test_what_a_living_worker_has_is_its_own(tmp_path: Path) -> None:
    living, other = Outbox(tmp_path, "hub"), Outbox(tmp_path, "hub")
    living.add(ACK)
    assert [*other.abandoned()] == []
    living.close()
    assert [ack for _, ack in other.abandoned()] == [ACK]
    other.close()


def test_what_was_for_another_hub_is_left_alone(tmp_path: Path) -> None:
    left = Outbox(tmp_path, "hub-a")
    left.add(ACK)
    left.close()
    assert [*Outbox(tmp_path, "hub-b").abandoned()] == []


def test_a_damaged_entry_stands_in_nobodys_way(tmp_path: Path) -> None:
    left = Outbox(tmp_path, "hub")
    left.add(ACK)
    (left.folder / "2-torn.json").write_text('{"ack"')
    left.close()
    found = Outbox(tmp_path, "hub")
    assert [ack for _, ack in found.abandoned()] == [ACK]
    assert [path.suffix for path in left.folder.iterdir()] == [".json"]
    assert [path.name for path in (tmp_path / "lost/hub").iterdir()] == ["2-torn.json.damaged"]


def test_empty_folders_go_with_their_workers(tmp_path: Path) -> None:
    Outbox(tmp_path, "hub").close()
    found = Outbox(tmp_path, "hub")
    path = found.add(ACK)
    assert path.stat().st_mode & 0o077 == 0
    assert found.folder.stat().st_mode & 0o077 == 0
    assert [*(tmp_path / "outbox/hub").iterdir()] == [found.folder]
