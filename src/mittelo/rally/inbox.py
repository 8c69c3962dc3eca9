"""The inbox: messages of the user to the agents, served one to a run or to a whole relay."""

from mittelo.core.records import MessageRecord, RelayRecord
from mittelo.errors import UsageError
from mittelo.repo.workspace import Workspace, now

PENDING = "pending"
ADDRESSED = "addressed"
KEPT_DONE = 200


class Inbox:
    """The messages of one workspace; every change is made alone among all processes."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def messages(self) -> list[MessageRecord]:
        """Return all messages in the order in which they are served."""
        return sorted(self._workspace.messages.read(), key=lambda m: (m.position, m.id))

    def add(self, body: str, scope: str) -> MessageRecord:
        """Put a message behind all others, for the next free run or for a relay."""
        with self._workspace.changing():
            held = self.messages()
            message = MessageRecord(
                id=1 + max((m.id for m in held), default=0),
                body=body,
                position=1 + max((m.position for m in held), default=0),
                scope=scope,
                created_at=now(),
                updated_at=now(),
            )
            self._workspace.messages.append(message)
        return message

    def done(self, number: int) -> MessageRecord:
        """Mark a message as dealt with."""
        with self._workspace.changing():
            held = self.messages()
            found = next((m for m in held if m.id == number), None)
            if not found:
                raise UsageError(f"There is no message {number}.", "See: rally inbox list --all")
            self._address(found)
            self._save(held)
        return found

    def serve_relay(self, relay: int) -> MessageRecord | None:
        """Take the oldest message for a relay that no other relay has taken."""
        with self._workspace.changing():
            held = self.messages()
            for message in held:
                open_to_us = message.consumed_by_relay_id in {0, relay}
                if message.scope == "relay" and message.status == PENDING and open_to_us:
                    message.consumed_by_relay_id = relay
                    self._save(held)
                    return message
        return None

    def serve_run(self, relay: int, run: int) -> MessageRecord | None:
        """Take the first pending message for a run; one that an earlier run left counts too."""
        with self._workspace.changing():
            held = self.messages()
            for message in held:
                if message.scope == "run" and message.status == PENDING:
                    message.consumed_by_relay_id, message.consumed_by_run_id = relay, run
                    self._save(held)
                    return message
        return None

    def settle_run(self, record: RelayRecord, run: int) -> None:
        """Mark what a completed run was given as addressed."""
        with self._workspace.changing():
            held = self.messages()
            given = [
                m
                for m in held
                if m.scope == "run"
                and (m.consumed_by_relay_id, m.consumed_by_run_id) == (record.id, run)
            ]
            self._settle(record, given, held)

    def settle_relay(self, record: RelayRecord) -> None:
        """Mark the message of a completed relay as addressed."""
        with self._workspace.changing():
            held = self.messages()
            given = [m for m in held if m.scope == "relay" and m.consumed_by_relay_id == record.id]
            self._settle(record, given, held)

    def _settle(
        self, record: RelayRecord, given: list[MessageRecord], held: list[MessageRecord]
    ) -> None:
        for message in given:
            if message.status == PENDING:
                self._address(message)
            if message.id not in record.consumed_message_ids:
                record.consumed_message_ids = [*record.consumed_message_ids, message.id]
        if given:
            self._save(held)

    def _address(self, message: MessageRecord) -> None:
        message.status, message.updated_at = ADDRESSED, now()

    def _save(self, held: list[MessageRecord]) -> None:
        done = [m for m in held if m.status != PENDING]
        dropped = {m.id for m in done[:-KEPT_DONE]}
        self._workspace.messages.rewrite([m for m in held if m.id not in dropped])
