"""Orders from another terminal or a script to the relay of a workspace: one small file each."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from mittelo.core.keys import Order
from mittelo.files import write_whole
from mittelo.rally.orders import Orders
from mittelo.repo.workspace import Holder, Workspace

LOOK_SECONDS = 0.25


class Letter(Struct):
    """An order, and the relay that it is for: none other obeys it."""

    order: Order
    pid: int
    since: str


class Mailbox:
    """The folder of a workspace in which orders are left."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.private / "orders"

    def leave(self, order: Order, holder: Holder) -> Path:
        """Leave an order for a relay; the file goes when the order is taken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{time.time_ns():020}-{os.getpid()}.json"
        write_whole(path, msgspec.json.encode(Letter(order, holder.pid, holder.since)))
        return path

    def take(self, holder: Holder) -> list[Order]:
        """Take all orders for a relay out, the oldest first; those for others go unheard."""
        orders: list[Order] = []
        for path in self._letters():
            with contextlib.suppress(OSError, msgspec.DecodeError):
                raw = path.read_bytes()
                path.unlink()
                letter = msgspec.json.decode(raw, type=Letter)
                if (letter.pid, letter.since) == (holder.pid, holder.since):
                    orders.append(letter.order)
        return orders

    def _letters(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        except OSError:
            return []

    @contextmanager
    def delivering(self, holder: Holder | None, orders: Orders) -> Iterator[None]:
        """Look for orders to a relay for the length of the body; at first, clear old ones away."""
        if holder is None:
            yield
            return
        ending = threading.Event()

        def deliver() -> None:
            for order in self.take(holder):
                orders.obey(order)

        def look() -> None:
            while not ending.wait(LOOK_SECONDS):
                deliver()

        deliver()
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()
