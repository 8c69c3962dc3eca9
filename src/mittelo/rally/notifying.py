"""Tell a program of the user's what a relay came to; whatever that does, the relay goes on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from mittelo.config.load import environment
from mittelo.config.schema import Notify
from mittelo.core.budgets import Amount
from mittelo.core.clipping import one_line
from mittelo.core.notices import (
    Happening,
    Notice,
    Spend,
    is_wanted,
    secrets_in,
    without_secrets,
)
from mittelo.core.records import RelayRecord
from mittelo.proc.command import Came, run_briefly
from mittelo.rally.relaylog import RelayLog
from mittelo.repo.workspace import Workspace, instant, now

TIMEOUT_SECONDS = 10.0
SAID_BUDGET = 500


class Notifier:
    """Runs the notify command beside a relay, one process for each notice."""

    def __init__(
        self, asked: Notify, workspace: Workspace, relay: RelayRecord, log: RelayLog
    ) -> None:
        self._asked = asked
        self._root = str(workspace.root)
        self._relay = relay
        self._log = log
        self._threads: list[threading.Thread] = []

    def tell(
        self,
        event: Happening,
        why: str,
        spent: Amount,
        *,
        runner: str = "",
        until: float | None = None,
    ) -> None:
        """Run the command, if there is one and it wants to know; this returns at once."""
        if not self._asked.command or not is_wanted(event, self._asked.events):
            return
        notice = Notice(
            event=event,
            why=why,
            workspace=self._root,
            relay_id=self._relay.id,
            runs_done=self._relay.completed_iterations,
            runs_target=self._relay.target_iterations,
            runner=runner,
            until=instant(until),
            spend=Spend(spent.tokens, spent.usd),
            time=now(),
        )
        thread = threading.Thread(target=self._run, args=(notice,))
        thread.start()
        self._threads.append(thread)

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """See every notice through that was begun in the body."""
        try:
            yield
        finally:
            for thread in self._threads:
                thread.join()

    def _run(self, notice: Notice) -> None:
        given = msgspec.json.encode(notice) + b"\n"
        argv = self._asked.command
        env = environment()
        came = run_briefly(argv, given, self._root, env, TIMEOUT_SECONDS)
        secrets = secrets_in(argv[1:], env.items())
        longest = len(secrets[0]) if secrets and came.is_cut else 0
        whole = without_secrets(came.output, secrets)
        said = one_line(whole[: len(whole) - longest], SAID_BUDGET)
        self._log.say(f"notify {notice.event}: {_how(came)}" + (f": {said}" if said else ""))


def _how(came: Came) -> str:
    return came.trouble or f"exit {came.code}"
