"""Hooks: what reaches the shell, how they end, and what comes of it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from lapping import LAPS, Laps, lap
from support import Done, wait_until

BAD = {
    "substitution": "$(touch x)",
    "backticks": "`touch x`",
    "quotes": "a\"; touch x; \"b'; touch x; '",
    "semicolon": "; touch x #",
    "newline": "a\ntouch x\nb",
    "backslashes": "a\\\\b\\",
    "emoji": "🎉 é 日本",
    "glob and blanks": "*  ?   [a]",
    "variable": "$HOME ${PATH} $1",
    "options": "-n -e",
    "nul": "a\0b",
    "escape": "\x1b[31mred",
}


def hook(run: str, command: str = "done", when: str = "after", **more: object) -> dict[str, object]:
    return {"title": "h", "command": command, "when": when, "run": run, "passback": True, **more}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("quoted", ['"$title"', '"${title}"', "$description"])
def test_what_a_lap_says_is_never_run(laps: Laps, text: str, quoted: str) -> None:
    one = lap("repo-a", title=text, description=text, assignee=text)
    laps.write("laps.json", one)
    laps.hooks(hook(f"printf '<%s>' {quoted}"))
    done = laps("done", "repo-a")
    assert done.code == 0
    said = done.out.partition("laps done undo\n")[2]
    if quoted.startswith('"'):
        assert said == f"<{text}>".replace("\0", "")
    assert not (laps.root / "x").exists()


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_words_reach_hooked_commands_whole(laps: Laps, text: str) -> None:
    text = text.replace("\0", "")
    say = "printf '<%s>'"
    run = f'{say} $args; {say} "$@"; {say} "$2"; sh -c "{say} $args"'
    laps.hooks(hook(run, "say", "before"))
    done = laps("say", "--summary", text, "", "-v", "--json-output", "--root")
    words = ("--summary", text, "", "-v", "--json-output", "--root")
    shown = "".join(f"<{word}>" for word in words)
    assert done == Done(0, f"{shown}{shown}<{text}>{shown}", "")
    assert not (laps.root / "x").exists()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("printf '<%s>' ${args}", "<a b><c>"),
        ("printf '<%s>' \"${args}\"", "<'a b' c>"),
        ("printf '<%s>' \"$(printf '%s' $args)\"", "<a bc>"),
        ("printf '<%s>' $(printf '[%s]' \"$args\")", "<['a><b'><c]>"),
        ("printf '<%s>' '$args'", "<$args>"),
        ("printf '<%s>' \\$args", "<$args>"),
        ("args=x; printf '<%s>' $argsx \"$args\"", "<x>"),
        ("# it's $args\nprintf '<%s>' $args", "<a b><c>"),
        ("printf '<%s>' \"it's\" $args", "<it's><a b><c>"),
        ("printf '<%s>' \"`printf '%s' \"$1\"`\" $#", "<a b><2>"),
        ("f() { printf '<%s>' \"$@\"; }; f $args", "<a b><c>"),
        ('printf \'<%s>\' "$id" "$command" "$scope"', "<><say><root>"),
    ],
)
def test_args_stand_for_the_words(laps: Laps, run: str, said: str) -> None:
    laps.hooks(hook(run, "say", "before"))
    assert laps.ok("say", "a b", "c") == said


def test_a_description_of_a_megabyte_is_handed_over(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", description="é" * 500_000))
    laps.hooks(hook('printf %s "$description" | wc -c; env | grep -c é || true'))
    assert laps.ok("done", "repo-a").splitlines()[-2:] == ["1000000", "0"]


def test_variables_of_the_environment_are_ours_here_and_not_passed_on(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a"))
    laps.hooks(hook('echo "$title"; sh -c \'echo "<$title><$OTHER>"\''))
    done = laps.ok("done", "repo-a", title="from outside", OTHER="kept")
    assert done.endswith("Title of repo-a\n<><kept>\n")


def test_each_command_tells_its_hooks_what_it_is_about(laps: Laps) -> None:
    tell = 'echo "$command|$id|$title|$assignee|$scope|${file##*/}|$exit_code|$output"'
    names = "add get claim list move edit assign delete prune transfer count status log on off"
    more = "claim-undo done done-undo update"
    laps.hooks(*(hook(tell, name) for name in f"{names} {more}".split()))
    laps.stint("alpha")
    laps.write("laps.json", lap("repo-a", assignee="al"), lap("repo-b"), lap("repo-c"))
    place = "root|laps.json|0"
    whole = f"|repo-a|Title of repo-a|al|{place}"

    def last(*words: str) -> str:
        return laps.ok(*words).splitlines()[-1]

    assert last("add", "tail", "--title", "N", "--assignee", "x").startswith("add|repo-")
    assert last("get").startswith("")
    assert f"get{whole}|Title of repo-a\n" in laps.ok("get")
    assert last("claim") == f"claim{whole}|repo-a"
    assert last("claim", "undo") == f"claim-undo{whole}|repo-a"
    assert last("move", "repo-a", "tail") == f"move{whole}|repo-a"
    assert last("edit", "repo-a", "--description", "d") == f"edit{whole}|repo-a"
    assert last("assign", "repo-a", "al") == f"assign{whole}|repo-a"
    assert last("done", "repo-a") == f"done{whole}|repo-a"
    assert last("done", "undo") == f"done-undo{whole}|repo-a"
    assert last("delete", "repo-b").startswith("delete|repo-b|")
    assert last("prune") == f"prune||||{place}|0"
    assert last("transfer", "alpha", "repo-c").startswith("transfer|repo-c|")
    for name in ("list", "count", "status", "log", "on", "off", "update"):
        assert f"{name}||||{place}|" in laps.ok(name)
    batch = laps.ok("add", "head", "--json", '[{"title":"P"},{"title":"Q"}]')
    assert f"add||||{place}|{batch.splitlines()[0]}\n" in batch


def test_hooks_run_in_order_around_the_command(laps: Laps) -> None:
    one = laps.add("A")
    laps.hooks(
        hook("echo 2", when="after"),
        hook("echo 1", when="before"),
        hook("echo quiet", when="before", passback=False),
        hook("echo 3", when="after"),
        hook("echo never", when="sometimes"),
        hook("echo other", command="get"),
    )
    out = laps.ok("done", one).splitlines()
    assert [line for line in out if line in {"1", "2", "3", "A", "quiet", "never", "other"}] == [
        *("1", "A", "2", "3")
    ]
    laps.ok("done", "undo")
    assert laps.json("done", one)["task"]["id"] == one


def test_a_failing_hook_stops_what_it_is_before(
    laps: Laps, capfd: pytest.CaptureFixture[str]
) -> None:
    one = laps.add("A")
    laps.hooks(
        hook("echo told; echo live >&2; exit 7", when="before"),
        hook("echo never", when="before"),
        hook("echo $exit_code"),
    )
    before = laps.read()
    done = laps("done", one)
    assert (done.code, done.out) == (4, "4\n")
    assert "told\n" in done.err
    assert "failed with exit code 7" in done.err
    assert capfd.readouterr().err == "live\n"
    assert laps.read() == before
    done = laps("done", one, "--json-output")
    assert (done.code, done.out) == (4, "")
    assert '"exitCode":4' in done.err


def test_a_hook_that_fails_afterwards_is_warned_of(laps: Laps) -> None:
    one = laps.add("A")
    laps.hooks(hook("echo a; exit 1"), hook("echo b"))
    done = laps("done", one)
    assert done.code == 0
    assert "laps: the hook 'h' after done failed with exit code 1" in done.err
    assert done.out.endswith("a\n")


def test_hooks_see_how_the_command_failed(laps: Laps) -> None:
    one = laps.add("A")
    laps.ok("claim")
    laps.hooks(hook('echo "$exit_code|$output"', "delete"), hook("echo $exit_code", "get"))
    assert laps("delete", one).out == "1|\n"
    assert laps("get", "nope") == Done(
        3, "", "laps: nope is not found in root. See: laps list --tree\n"
    )


def test_a_hung_hook_is_ended_with_all_that_it_started(laps: Laps) -> None:
    one = laps.add("A")
    run = "sleep 300 & echo $! > pid; echo said; trap '' TERM; sleep 300"
    laps.hooks(hook(run, when="before", timeout_secs=2))
    began = time.monotonic()
    done = laps("done", one)
    assert time.monotonic() - began < 20
    assert done.code == 4
    assert "took too long" in done.err
    assert not laps.find(one)["isDone"]
    pid = int((laps.root / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_gone(pid), "the end of it")
    laps.hooks(hook("sleep 300", timeout_secs=0.3))
    done = laps("done", one)
    assert done.code == 0
    assert "took too long" in done.err


def _is_gone(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_a_hook_leaves_behind_does_not_hold_us_up(laps: Laps) -> None:
    one = laps.add("A")
    laps.hooks(hook("sleep 300 & echo $! > pid; echo said"))
    began = time.monotonic()
    assert laps.ok("done", one).endswith("said\n")
    assert time.monotonic() - began < 20
    os.kill(int((laps.root / "pid").read_text()), signal.SIGKILL)


def test_megabytes_are_cut_with_a_word(laps: Laps) -> None:
    one = laps.add("A")
    laps.hooks(hook("head -c 3000000 /dev/zero | tr '\\0' x"))
    out = laps.ok("done", one)
    assert out.count("x") == 64 * 1024
    assert f"{3_000_000 - 64 * 1024} more bytes" in out


def test_hooks_have_no_input_and_do_not_hold_the_lock(laps: Laps) -> None:
    one = laps.add("A")
    laps.hooks(hook(f"cat; {LAPS} --skip-hooks list --oneline", when="before"))
    assert laps.process("done", one, given="not for hooks").out.startswith(f"1. {one} — A\nA\n")


def test_an_interrupted_command_ends_its_hook(laps: Laps) -> None:
    one = laps.add("A")
    laps.hooks(hook("echo $$ > pid; sleep 300", when="before"))
    process = subprocess.Popen([LAPS, "done", one], cwd=laps.root, stderr=subprocess.PIPE)
    wait_until(lambda: (laps.root / "pid").exists() and (laps.root / "pid").read_text(), "the hook")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    pid = int((laps.root / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_gone(pid), "the end of the hook")
    assert not laps.find(one)["isDone"]


@pytest.mark.parametrize(
    "held", [b"", b"{", b"[]", b'{"hooks":{}}', b'{"hooks":[{"run":1}]}', b"\xff"]
)
def test_a_malformed_file_of_hooks_stops_commands_but_not_repair(laps: Laps, held: bytes) -> None:
    one = laps.add("A")
    laps.put("hooks.json", held)
    with laps.unchanged():
        done = laps("done", one)
        assert (done.code, done.out) == (2, "")
        assert "hooks.json" in done.err
        assert laps("something").code == 2
        assert laps("something", "--skip-hooks").code == 2
        assert laps("--skip-hooks", "something").code == 1
        laps.ok("version")
        laps.ok("stints", "ls")
    laps.ok("done", one, "--skip-hooks")


def test_unknown_keys_of_hooks_are_passed_over(laps: Laps) -> None:
    laps.hooks(hook("echo hi", "hello", more={"a": 1}))
    assert laps.ok("hello") == "hi\n"


def test_hooks_do_not_replace_commands(laps: Laps) -> None:
    laps.hooks(*(hook("echo hooked", name, "before") for name in ("ls", "st", "help", "version")))
    assert "hooked" not in laps.ok("ls") + laps.ok("help") + laps.ok("version") + laps.ok("st")


def test_a_failing_hooked_command(laps: Laps) -> None:
    laps.hooks(hook("exit 3", "x", "before"), hook("echo after", "x"))
    assert laps("x").code == 4
    assert laps("x").out == ""
    laps.hooks(hook("exit 3", "x"))
    done = laps("x")
    assert done.code == 0
    assert "exit code 3" in done.err
    laps.hooks(hook("echo said", "x"))
    assert laps.ok("--json-output", "x") == ""
