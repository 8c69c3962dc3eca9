"""A process that works a queue beside others: `lapworker.py FOLDER SESSION SECONDS ROUNDS`.

What it did comes out as lines of JSON: [what, id].
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from mittelo.core.queues import HEAD, TAIL
from mittelo.laps.editing import Draft, add
from mittelo.laps.events import Who
from mittelo.laps.flow import claim, done, look
from mittelo.laps.place import Place
from mittelo.laps.store import Store


def work(folder: Path, session: str, seconds: float, rounds: int) -> None:
    """Claim, add and finish until the rounds are over and the time is up."""
    store = Store(Place(folder / ".laps", folder, folder))
    ends = time.monotonic() + seconds
    while rounds > 0 or time.monotonic() < ends:
        rounds -= 1
        picked = claim(store, _who(session), 3600)
        if not picked.lap:
            continue
        _tell("claimed", picked.lap.id)
        where = HEAD if rounds % 2 else TAIL
        made = add(store, _who(session), [Draft(f"of {session}"), Draft("the same")], where)
        for lap in made.laps:
            _tell("added", lap.id)
        with store.reading() as book:
            own = book.claims.of(session)
            seen = look(book, _who(session))
        if not own or own.lap != picked.lap.id:
            _tell("lost", picked.lap.id)
        if seen.lap and any(held.lap == seen.lap.id for held in seen.barred):
            _tell("dishonest", seen.lap.id)
        _tell("done", done(store, _who(session)).lap.id)


def _who(session: str) -> Who:
    return Who(session, datetime.now(UTC))


def _tell(what: str, lap_id: str) -> None:
    sys.stdout.write(json.dumps([what, lap_id]) + "\n")


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
