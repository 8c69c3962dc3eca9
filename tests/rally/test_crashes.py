"""Relays that are killed at any moment and resumed: nothing is lost, nothing is done twice."""

import random
import signal
import subprocess

import pytest
from support import Place, marked

RUNS = 4
MOST_STARTS = 40
AGENT = (
    "n=$(ls made-* 2>/dev/null | wc -l); sleep 0.2; date +%N > made-$n.txt; sleep 0.2; echo made it"
)


@pytest.mark.parametrize("seed", range(3))
def test_a_relay_that_is_killed_again_and_again_ends_complete(place: Place, seed: int) -> None:
    place.configure(f'[harness.maker]\ncommand = ["sh", "-c", """{AGENT}"""]\n')
    place.git("commit", "-qam", "Set up the agent")
    dice = random.Random(seed)  # noqa: S311 - repeatable
    words = ["start", "-i", str(RUNS), "-a", "maker", "make files"]
    killed = 0
    for _ in range(MOST_STARTS):
        process = place.begin(*words)
        try:
            code = process.wait(dice.uniform(0.3, 2.0 + 0.2 * killed))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            killed += 1
            words = ["start", "--resume"] if place.relays() else words
            continue
        over = code == 2 and place.relays()[0].ended_how == "complete"
        assert code == 0 or over, (place.home / "err").read_text()
        break
    (relay,) = place.relays()
    assert (relay.ended_how, relay.completed_iterations) == ("complete", RUNS), (seed, killed)
    done = [made for made in place.tries() if made.completed]
    assert len(done) == len({made.run_id for made in done}) == RUNS
    assert len({made.id for made in place.tries()}) == len(place.tries())
    for made in done:
        assert made.commit_hash
        place.git("merge-base", "--is-ancestor", made.commit_hash, "HEAD")
    committed = place.git("ls-tree", "--name-only", "HEAD").splitlines()
    assert sum(name.startswith("made-") for name in committed) >= RUNS
    assert place.git("status", "--porcelain") == ""
    key = next((place.home / "data/rally/tries").iterdir()).name
    assert marked(key) == []
    assert killed
