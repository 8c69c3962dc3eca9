"""The attempts of one run with each real CLI: each goes on in the session of the one before."""

import shutil
import signal

from clis import RealCli
from mock_model import USAGE, MockModel, wait_until
from rallying import Rally

from mittelo.core.signs import Tokens

CODEWORD = "ZEBRA-4417"
FIRST_ANSWER = "stored: I will remember the codeword"
REQUEST = Tokens(*USAGE)


def test_the_next_attempt_goes_on_in_the_same_session(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    rally.init("[reliability]\nretry_budget = 2\n")
    seen = model.seen
    task = f"REMEMBER-PROBE the codeword is {CODEWORD}"
    ended = rally.start("--new", "--iterations=1", f"--agent={cli.agent}", task)
    assert ended.code == 0, ended
    assert "retry 2/2: no changes made" in ended.output
    first, second = rally.tries
    assert (first.outcome, first.fail_reason) == ("failed", "no changes made")
    assert (first.summary, first.commit_hash) == (FIRST_ANSWER, "")
    assert (second.run_id, second.attempt_number, second.outcome) == (1, 2, "completed")
    assert second.session_id == second.resumed_session == first.session_id != ""
    prompts = [r.text for r in model.requests(seen) if CODEWORD in r.text]
    assert [text.count(CODEWORD) for text in prompts] == [1, 2, 2]
    assert all(FIRST_ANSWER in text for text in prompts[1:])
    assert [first.tokens, second.tokens] == [REQUEST, REQUEST + REQUEST]


def test_a_session_that_is_gone_is_begun_anew(cli: RealCli, rally: Rally) -> None:
    rally.init()
    for words in (["--new", "--iterations=1", f"--agent={cli.agent}", "SLEEP-PROBE"], ["--resume"]):
        with rally.starting(*words) as command:
            wait_until(lambda: "sleep" in rally.agent_names, 60)
            command.send(signal.SIGINT)
            assert command.wait(8).code == 130
        shutil.rmtree(cli.home / cli.sessions, ignore_errors=True)
    lost, in_vain, anew = rally.tries
    assert (in_vain.outcome, in_vain.resumed_session) == ("failed", lost.session_id)
    assert in_vain.category == "session_lost"
    assert (anew.outcome, anew.attempt_number, anew.resumed_session) == ("cancelled", 3, "")
    assert anew.session_id not in {"", lost.session_id}
