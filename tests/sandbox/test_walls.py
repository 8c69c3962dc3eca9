"""Walls: which folders a sandboxed run sees."""

import sys
from pathlib import Path

from mittelo.config.schema import SandboxTable
from mittelo.core.policies import Policy
from mittelo.harness.claude import Claude
from mittelo.sandbox.enclosing import Ground, walls_of
from mittelo.sandbox.permits import Permit
from mittelo.sandbox.walls import Walls, is_in, outermost, programs


def put(file: Path, leads_to: Path | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if leads_to:
        file.symlink_to(leads_to)
    else:
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    return file


def seen(home: Path, program: str, path: Path | None = None) -> list[str]:
    """Return what is seen of a home whose `.local/bin` is on the PATH."""
    found = programs(program, str(path or home / ".local/bin"))
    return [folder.removeprefix(f"{home}/") for folder in found if is_in(folder, [str(home)])]


def test_a_program_that_npm_linked_is_seen_with_all_packages(tmp_path: Path) -> None:
    script = put(tmp_path / ".local/lib/node_modules/agent/cli.js")
    put(tmp_path / ".local/bin/agent", script)
    put(tmp_path / ".local/share/agent/auth.json")
    assert seen(tmp_path, "agent") == [".local/bin", ".local/lib"]


def test_a_program_with_a_folder_for_each_version_is_seen_without_its_neighbours(
    tmp_path: Path,
) -> None:
    program = put(tmp_path / ".local/share/claude/versions/2.1.0")
    put(tmp_path / ".local/bin/claude", program)
    put(tmp_path / ".local/share/opencode/auth.json")
    assert seen(tmp_path, "claude") == [".local/bin", ".local/share/claude/versions/2.1.0"]


def test_every_step_of_a_link_is_seen(tmp_path: Path) -> None:
    last = put(tmp_path / "opt/agent-2/bin/agent")
    put(tmp_path / "opt/current/bin/agent", last)
    put(tmp_path / ".local/bin/agent", Path("../../opt/current/bin/agent"))
    assert seen(tmp_path, "agent") == [".local/bin", "opt/agent-2/bin", "opt/current/bin"]


def test_an_environment_of_python_is_seen_and_nothing_else_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "venv/bin/tool")
    put(tmp_path / "venv/lib/python3/site.py")
    put(tmp_path / "venv/pyvenv.cfg")
    put(tmp_path / "venv/secret")
    assert seen(tmp_path, "tool", path=tmp_path / "venv/bin") == [
        "venv/bin",
        "venv/lib",
        "venv/pyvenv.cfg",
    ]


def test_our_own_commands_can_run_inside() -> None:
    found = programs("none", "")
    assert is_in(str(Path(sys.prefix)), [*found, "/usr"])
    assert any(is_in(__import__("mittelo").__path__[0], [folder]) for folder in found)


def test_a_folder_in_another_stands_once_and_the_system_is_left_out() -> None:
    assert outermost(["/a/b", "/a", "/usr/bin", "/a/../c/", "/ab", "/"]) == ["/a", "/ab", "/c"]


def walls(tmp_path: Path, policy: Policy, path: str = "/usr/bin", **table: object) -> Walls:
    ground = Ground(
        workspace=tmp_path / "work",
        home=tmp_path / "own",
        real_home=tmp_path / "real",
        temporary=tmp_path / "tmp",
        lending=tmp_path / "lent",
        beside=[tmp_path / "scratch"],
    )
    ground.workspace.mkdir(exist_ok=True)
    held = SandboxTable(enabled=True, **table)  # type: ignore[arg-type]
    permit = Permit(policy=policy, sandboxed=True, table=held)
    return walls_of(permit, Claude(), ground, ["true"], {"PATH": path})


def test_the_workspace_is_writable_where_the_policy_says_so(tmp_path: Path) -> None:
    work = str(tmp_path / "work")
    writing, reading = walls(tmp_path, Policy.WRITE), walls(tmp_path, Policy.READ)
    assert work in writing.folders
    assert work in reading.readable
    assert work not in reading.folders
    assert {str(tmp_path / "own"), str(tmp_path / "scratch")} <= {*reading.folders}


def test_more_is_seen_and_written_as_configured(tmp_path: Path) -> None:
    given = {"readable": ["~/notes", "/srv/data"], "writable": ["~/cache"]}
    told = walls(tmp_path, Policy.WRITE, **given)  # type: ignore[arg-type]
    assert {str(tmp_path / "real/notes"), "/srv/data"} <= {*told.readable}
    assert str(tmp_path / "real/cache") in told.folders
    assert str(tmp_path / "real/cache") not in (
        walls(tmp_path, Policy.READ, **given).folders  # type: ignore[arg-type]
    )


def test_files_of_the_home_are_lent_if_they_are_there(tmp_path: Path) -> None:
    put(tmp_path / "real/.codex/auth.json")
    put(tmp_path / "real/.codex/config.toml")
    given = {"home_files": [".codex/config.toml", ".none"], "logins": [".codex/auth.json", ".no"]}
    told = walls(tmp_path, Policy.READ, **given)  # type: ignore[arg-type]
    assert told.lent == {
        f"{tmp_path}/own/.codex/config.toml": f"{tmp_path}/lent/.codex/config.toml",
        f"{tmp_path}/own/.codex/auth.json": f"{tmp_path}/real/.codex/auth.json",
    }


def test_a_link_among_programs_shows_one_file_and_not_its_folder(tmp_path: Path) -> None:
    put(tmp_path / ".local/bin/x", put(tmp_path / "x.sh"))
    assert seen(tmp_path, "x") == [".local/bin", "x.sh"]


def test_programs_of_the_workspace_show_nothing_of_the_machine(tmp_path: Path) -> None:
    secret = put(tmp_path / "real/.ssh/id")
    put(tmp_path / "work/venv/bin/x", secret)
    put(tmp_path / "real/.ssh/bin/y", secret)
    told = walls(tmp_path, Policy.WRITE, path=f"{tmp_path}/work/venv/bin:/usr/bin")
    assert not is_in(str(secret), told.readable)


def test_a_linked_work_tree_brings_the_folder_that_git_keeps_it_in(tmp_path: Path) -> None:
    put(tmp_path / "main/.git/worktrees/work/commondir").write_text("../..\n")
    put(tmp_path / "main/.git/config")
    put(tmp_path / "work/.git").write_text(f"gitdir: {tmp_path}/main/.git/worktrees/work\n")
    told = walls(tmp_path, Policy.WRITE)
    assert str(tmp_path / "main/.git") in told.folders
    assert str(tmp_path / "main/.git/config") in told.guarded


def test_what_runs_outside_later_is_guarded(tmp_path: Path) -> None:
    for name in (".git/config", ".git/hooks/x", ".rally/config.toml", ".laps/hooks.json"):
        put(tmp_path / "work" / name)
    told = walls(tmp_path, Policy.WRITE).guarded
    names = {str(Path(path).relative_to(tmp_path / "work")) for path in told}
    assert names == {".git/config", ".git/hooks", ".rally/config.toml", ".laps/hooks.json"}


def test_the_network_is_that_of_the_model_if_asked_for(tmp_path: Path) -> None:
    assert not walls(tmp_path, Policy.READ).cut_off
    told = walls(tmp_path, Policy.READ, network="model", hosts=["mine.example:81"])
    assert told.cut_off
    assert "mine.example:81" in {str(one) for one in told.endpoints}
    assert "api.anthropic.com:443" in {str(one) for one in told.endpoints}
    alone = walls(tmp_path, Policy.READ, network="none", hosts=["mine.example"])
    assert (alone.cut_off, alone.endpoints) == (True, [])
