"""What an agent can do for its relay: our commands are there for its shell tool."""

from pathlib import Path

from clis import RealCli
from rallying import Rally


def test_an_agent_finds_our_commands_and_tells_of_its_progress(cli: RealCli, rally: Rally) -> None:
    rally.init()
    ended = rally.start(
        "--new", "--iterations=1", f"--agent={cli.agent}", "TOOLS-PROBE look for commands"
    )
    assert ended.code == 0, ended
    found = [Path(line) for line in (rally.repository / "found.txt").read_text().splitlines()]
    assert [path.name for path in found] == ["rally", "laps"]
    assert {path.parent for path in found} == {cli.home / ".local/share/rally/bin"}
    (digest,) = rally.digests
    assert (digest.run_id, digest.summary) == ("relay-1-run-1", "told from inside")
    assert digest.followups == ["go on outside"]
    (made,) = rally.tries
    assert (made.summary, made.remaining_work) == ("told from inside", "go on outside")
    assert made.files_changed == ["found.txt"]
