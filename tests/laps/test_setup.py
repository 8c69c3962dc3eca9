"""`init`, `on` and `off`: our files only, and nobody else's text."""

import stat
from pathlib import Path

import pytest
from lapping import Laps

from mittelo.laps.instructions import TEXT

BLOCK = TEXT
OLD = '<laps-instructions v="1">\nold words\n</laps-instructions>\n'


@pytest.fixture
def begun(laps: Laps) -> Laps:
    (laps.root / "code.py").write_text("1\n")
    (laps.root / ".gitignore").write_bytes(b"*.o\r\nbuild/\r\n")
    laps.git("add", ".")
    laps.git("commit", "--quiet", "-m", "Begin")
    return laps


def test_init_commits_its_own_files_only(begun: Laps) -> None:
    hook = begun.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (begun.root / "code.py").write_text("2\n")
    begun.git("add", "code.py")
    (begun.root / "code.py").write_text("3\n")
    done = begun("init")
    assert (done.code, done.err) == (0, "")
    assert begun.git("log", "-1", "--format=%s") == "chore: laps init"
    assert begun.git("show", "--name-only", "--format=", "HEAD").split() == [
        *(".gitignore", ".laps/laps.json")
    ]
    assert begun.git("status", "--porcelain") == "MM code.py"
    ignored = (begun.root / ".gitignore").read_bytes()
    assert ignored == b"*.o\r\nbuild/\r\n.laps/claim\r\n.laps/log.jsonl\r\n"


def test_init_again_changes_nothing(begun: Laps) -> None:
    assert "created .laps/laps.json" in begun.ok("init")
    before = begun.git("rev-parse", "HEAD")
    with begun.unchanged():
        assert begun.ok("init") == "already initialised\n"
        assert begun.json("init") == {"created": [], "gitignoreModified": False}
    assert begun.git("rev-parse", "HEAD") == before


def test_init_leaves_to_the_user_what_he_is_changing(begun: Laps) -> None:
    with (begun.root / ".gitignore").open("ab") as file:
        file.write(b"mine\r\n")
    begun.ok("init")
    assert begun.git("show", "--name-only", "--format=", "HEAD") == ".laps/laps.json"
    assert begun.git("status", "--porcelain") == " M .gitignore"


def test_init_as_data_does_not_commit(laps: Laps) -> None:
    assert laps.json("init") == {"created": [".laps/laps.json"], "gitignoreModified": True}
    assert laps.git("status", "--porcelain").split() == ["??", ".gitignore", "??", ".laps/"]


def test_init_during_a_merge_says_that_it_commits_nothing(begun: Laps) -> None:
    (begun.root / ".git/MERGE_HEAD").write_text(begun.git("rev-parse", "HEAD"))
    done = begun("init")
    assert done.code == 0
    assert "nothing is committed" in done.err


def test_on_and_off_leave_everything_as_it_was(laps: Laps) -> None:
    texts = {"AGENTS.md": b"# Us\n", "CLAUDE.md": b"a\r\nb\r\n\r\n", "GEMINI.md": b"caf\xe9\n"}
    for name, text in texts.items():
        (laps.root / name).write_bytes(text)
    assert laps.ok("on") == ""
    for name in texts:
        assert b"laps claim" in (laps.root / name).read_bytes()
    assert b"\n" not in (laps.root / "CLAUDE.md").read_bytes().replace(b"\r\n", b"")
    with laps.unchanged():
        laps.ok("on")
    assert laps.json("off") == {"status": "disabled"}
    assert {name: (laps.root / name).read_bytes() for name in texts} == texts


def test_only_agents_md_is_made(laps: Laps) -> None:
    (laps.root / "below").mkdir()
    done = laps("on", "--json-output", cwd=laps.root / "below")
    assert done.out == '{"status":"enabled"}\n'
    assert sorted(path.name for path in laps.root.iterdir()) == [".git", "AGENTS.md", "below"]
    assert (laps.root / "AGENTS.md").read_text() == BLOCK


def test_links_and_modes_stay(laps: Laps) -> None:
    (laps.root / "docs").mkdir()
    real = laps.root / "docs/agents.md"
    real.write_text("# Us\n")
    real.chmod(0o600)
    for name in ("AGENTS.md", "CLAUDE.md"):
        (laps.root / name).symlink_to("docs/agents.md")
    laps.ok("on")
    assert (laps.root / "CLAUDE.md").is_symlink()
    assert real.read_text().count("<laps-instructions") == 1
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    laps.ok("off")
    assert real.read_text() == "# Us\n"


@pytest.mark.parametrize(
    ("text", "on", "off"),
    [
        (f"A\n{OLD}B\n", f"A\n{BLOCK}B\n", "A\nB\n"),
        ("A\n<laps-instructions>\nB\n", f"A\nB\n\n{BLOCK}", "A\nB\n"),
        ("A\n</laps-instructions>\nB\n", f"A\nB\n\n{BLOCK}", "A\nB\n"),
        (f"A\n{OLD}B\n{OLD}C\n", f"A\n{BLOCK}B\nC\n", "A\nB\nC\n"),
        (f"A\n<laps-instructions>\nB\n{OLD}C\n", f"A\nB\n{BLOCK}C\n", "A\nB\nC\n"),
        (f"A\n{OLD}</laps-instructions>\nC\n", f"A\n{BLOCK}C\n", "A\nC\n"),
        ("Say `<laps-instructions>`.", f"Say `<laps-instructions>`.\n\n{BLOCK}", None),
        (OLD.rstrip("\n"), BLOCK, ""),
    ],
)
def test_a_damaged_block_costs_no_text(laps: Laps, text: str, on: str, off: str | None) -> None:
    path = laps.root / "AGENTS.md"
    path.write_text(text)
    laps.ok("on")
    assert path.read_text() == on
    with laps.unchanged():
        laps.ok("on")
    path.write_text(text)
    laps.ok("off")
    assert path.read_text() == (text if off is None else off)


def test_a_damaged_block_is_told_of(laps: Laps) -> None:
    (laps.root / "AGENTS.md").write_text("<laps-instructions>\nmine\n")
    assert "damaged block" in laps("on").err
    assert laps("on").err == ""


def test_the_block_says_what_agents_need() -> None:
    for word in ("laps claim", "laps done", "0:", "10:", "11:", "12:", "--active", "--root"):
        assert word in BLOCK
    for word in ("--stint <name>", "-f", "laps status", "laps list", "laps"):
        assert word in BLOCK
    assert 52 <= len(BLOCK.split()) <= 158


def test_a_file_that_cannot_be_written_is_told_of(laps: Laps) -> None:
    (laps.root / "AGENTS.md").mkdir()
    done = laps("on")
    assert done.code == 2
    assert "AGENTS.md" in done.err


def test_paths_are_those_of_the_work_tree(laps: Laps) -> None:
    assert Path(laps.json("stints", "new", "auth")["path"]) == (
        laps.folder / "stints/auth.laps.json"
    )
