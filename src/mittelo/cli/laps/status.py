"""`laps status`: how everything stands."""

from collections.abc import Iterator

from mittelo.cli.laps._line import About, Answer, Line, painted, shown
from mittelo.cli.laps._options import laps_command
from mittelo.laps.overview import ClaimState, Snapshot, snapshot
from mittelo.laps.selection import Kind, select
from mittelo.laps.store import Lapbook


@laps_command("status", scoped=True)
def command(line: Line) -> None:
    """Show how everything stands: counts, the next lap, claims, what is held.

    \b
    The state is one of: active (a lap is claimed), ready, held, claimed (all there is, by others),
    empty, complete. For them `laps get` and `laps claim` exit with 0, 0, 10, 10, 11 and 12.
    """  # noqa: D301 - click reads it
    selection, who = line.selection, line.who

    def act() -> Answer:
        with line.store.reading() as book:
            found = snapshot(book, who, selection, deep=line.active)
        text = "".join(f"{part}\n" for part in _lines(found))
        return Answer(text, found, text)

    def find(book: Lapbook) -> About:
        deep = line.active or selection.kind is not Kind.ACTIVE
        return About(select(book, selection, who).context if deep else book.root)

    line.run("status", (), find, act)


def _lines(found: Snapshot) -> Iterator[str]:
    counts = found.counts
    yield f"File: {found.file}"
    yield f"State: {painted(found.state, bold=True)}"
    yield f"Laps: {counts.todo} todo, {counts.done} done ({counts.total} total)"
    head = found.head
    yield f"Head: {shown(f'{head.id} — {head.title}')}" if head else "Head: none"
    if row := found.active_stint:
        told = f"{row.todo} todo, {row.done} done, {row.total} total"
        yield f"Active stint: {shown(row.scope)} ({told})"
    if found.gate:
        yield f"Gate: {shown(found.gate.message)}"
    yield f"Claim: {_claim(found.claim) if found.claim else 'none'}"
    yield from (f"Also claimed: {_claim(held)}" for held in found.claims if held != found.claim)
    if found.assignees:
        yield "Todo by assignee:"
    yield from (f"- {shown(share.assignee)}: {share.todo}" for share in found.assignees)


def _claim(held: ClaimState) -> str:
    text = f"{held.lap} ({'valid' if held.valid else 'invalid'})"
    if held.claimed_at:
        text += f", claimed {held.claimed_at} (age {held.age_seconds}s)"
    text += ", expired" if held.expired else ""
    return shown(f"{text}, session {held.session}" if held.session else text)
