"""A worker: slots that lease tasks, let the backend answer, and hand the answers in.

Each slot is a thread with a connection of its own. The main thread hears signals, and sees to it
that everybody comes to an end: what runs may finish for a while, then it is killed and given back.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from msgspec import Struct

from mittelo.answering.backends import Backend
from mittelo.answering.run import Bounds, Question, Run
from mittelo.answering.scratch import sweep
from mittelo.core.requests import Lease
from mittelo.errors import Interrupted, MitteloError
from mittelo.hub.client import HubClient
from mittelo.worker.contact import Address, Contact, Line, Pause, is_passing
from mittelo.worker.delivering import Courier
from mittelo.worker.due import LONGEST_WAIT
from mittelo.worker.outbox import Outbox
from mittelo.worker.renewing import Held, Renewer
from mittelo.worker.reporting import ack_of, story_of
from mittelo.worker.resting import Resting

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
BRING_SECONDS = 30.0
LAST_SECONDS = 20.0
"""So long a killed run may take to be gone."""


class Orders(Struct, frozen=True, kw_only=True):
    """What a worker is told. `once`: it takes tasks a single time, and waits for none.

    `leashed`: it ends when its stdin is closed, as by the death of who started it.
    """

    worker_id: str
    max_tasks: int = 1
    lease_seconds: float | None = None
    once: bool = False
    concurrency: int = 1
    cwd: str = "."
    grace: float = 10.0
    leashed: bool = False


class _Signal(Struct, frozen=True):
    number: int


class _Ended(Struct, frozen=True):
    error: BaseException | None = None


class _Failed(Struct, frozen=True):
    error: MitteloError


class _Slot:
    """One connection to the hub; `leasing` while it waits for tasks."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.leasing = False


class Agent:
    """Serves one backend for one hub."""

    def __init__(
        self,
        address: Address,
        backend: Backend,
        bounds: Bounds,
        orders: Orders,
        state: Path,
        say: Callable[[str], None],
    ) -> None:
        self._backend, self._bounds, self._orders, self._say = backend, bounds, orders, say
        self._stopping, self._hurry = threading.Event(), threading.Event()
        self._inbox: queue.SimpleQueue[_Signal | _Ended | _Failed] = queue.SimpleQueue()
        self._contact = Contact(address, say)
        self._resting = Resting()
        self._outbox = Outbox(state, address.key)
        self._courier = Courier(self._outbox, self._contact, self._stopping, self._hurry, say)
        self._renewer = Renewer(
            address, self._contact, orders.lease_seconds, lambda e: self._inbox.put(_Failed(e))
        )
        self._slots = [_Slot(address.line()) for _ in range(orders.concurrency)]
        self._bringer = address.line()

    def run(self) -> None:
        """Work until told to stop; raises what cannot be mended, and `Interrupted`."""
        earlier = {n: signal.signal(n, self._hear) for n in (signal.SIGTERM, signal.SIGINT)}
        sweep()
        try:
            if self._orders.leashed:
                threading.Thread(target=self._feel_leash, daemon=True).start()
            jobs: list[Callable[[], None]] = [self._bring]
            jobs += [lambda slot=slot: self._serve(slot) for slot in self._slots]  # type: ignore[misc]
            for job in jobs:
                threading.Thread(target=self._tell_of_end, args=(job,), daemon=True).start()
            self._attend(len(jobs))
        finally:
            self._renewer.close()
            self._outbox.close()
            for number, handler in earlier.items():
                signal.signal(number, handler)

    # The main thread

    def _attend(self, running: int) -> None:
        """Wait for the end of all slots, and hasten it once it is asked for."""
        killing = dead = float("inf")
        trouble: BaseException | None = None
        while running and time.monotonic() < dead:
            with suppress(queue.Empty):
                heard = self._inbox.get(timeout=LOOK_SECONDS if self._stopping.is_set() else None)
                match heard:
                    case _Signal(number) if self._stopping.is_set():
                        killing = time.monotonic()
                        trouble = trouble or (Interrupted() if number == signal.SIGINT else None)
                    case _Ended(None):
                        running -= 1
                    case _Ended(error):
                        running -= 1
                        trouble = trouble or error
                    case _Failed(error):
                        trouble = trouble or error
                if (trouble or isinstance(heard, _Signal)) and not self._stopping.is_set():
                    killing = time.monotonic() + self._orders.grace
                    self._begin_end()
            if self._stopping.is_set():
                self._hang_up()
            if time.monotonic() >= killing:
                dead = min(dead, time.monotonic() + LAST_SECONDS)
                self._kill()
        if trouble:
            raise trouble

    def _begin_end(self) -> None:
        self._stopping.set()
        if any(held.runs for held in self._renewer.everything()):
            self._say(f"told to end; what runs has {self._orders.grace:g} s to finish")

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._inbox.put(_Signal(number))

    def _feel_leash(self) -> None:
        """Stop when stdin closes: whoever started us is gone.

        Python's own stdin must not be held by a thread when Python ends.
        """
        while os.read(0, 1):
            continue
        self._inbox.put(_Signal(signal.SIGTERM))

    def _hang_up(self) -> None:
        """Wake the slots that wait for tasks."""
        for slot in self._slots:
            if slot.leasing:
                slot.line.hang_up()

    def _kill(self) -> None:
        self._hurry.set()
        for held in self._renewer.everything():
            held.end()

    def _tell_of_end(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - a thread's entry: the main one raises it
            self._inbox.put(_Ended(error))
        else:
            self._inbox.put(_Ended())

    # A slot's thread

    def _bring(self) -> None:
        """Deliver what workers of this machine could not, now and again."""
        over = self._orders.once
        while True:
            self._courier.bring_abandoned(self._bringer)
            self._bringer.close()
            if over or self._stopping.wait(BRING_SECONDS):
                return

    def _serve(self, slot: _Slot) -> None:
        tasks: list[Held] = []
        while True:
            tasks = tasks or self._take(slot)
            if self._stopping.is_set() or self._resting.seconds:
                self._give_back(slot.line, tasks)
                tasks = []
            if tasks:
                held = tasks.pop(0)
                tasks += self._work(slot.line, held, alone=not tasks)
            if not tasks and (self._orders.once or self._stopping.is_set()):
                return slot.line.close()

    def _take(self, slot: _Slot) -> list[Held]:
        """Lease tasks, once there are any and there is no rest to be kept."""
        pause = Pause()
        while not self._stopping.wait(min(self._resting.seconds, LONGEST_WAIT)):
            if self._resting.seconds:
                continue
            try:
                held = self._lease(slot)
            except MitteloError as error:
                if self._orders.once or not is_passing(error):
                    raise
                if self._stopping.is_set() or self._resting.seconds:
                    continue  # we hung up ourselves
                self._contact.note(away=True)
                self._stopping.wait(pause.take())
                continue
            self._contact.note(away=False)
            if held or self._orders.once:
                return held
            pause = Pause()
        return []

    def _lease(self, slot: _Slot) -> list[Held]:
        orders = self._orders
        slot.leasing = True
        try:
            tasks = slot.line.lease(
                orders.worker_id,
                max_tasks=orders.max_tasks,
                lease_seconds=orders.lease_seconds,
                wait_seconds=0.0 if orders.once else WAIT_SECONDS,
                backends=self._backend.names,
            )
        finally:
            slot.leasing = False
        if self._stopping.is_set() or self._resting.seconds:
            slot.line.close()  # it may have hung up
        return [self._renewer.hold(task) for task in tasks]

    def _work(self, line: HubClient, held: Held, *, alone: bool) -> list[Held]:
        """Carry out one task, hand in what came of it, and return the next ones."""
        assert isinstance(line, Line)  # noqa: S101 - for the type checker
        task, orders = held.task, self._orders
        question = Question(
            prompt=task.prompt,
            task_id=str(task.task_id),
            worker_id=orders.worker_id,
            seconds=task.timeout_seconds,
        )
        run = Run(self._backend, question, self._bounds, orders.cwd)
        try:
            answer = run.go() if held.begin(run) else None
            held.finish()
            if held.lost:
                self._say(f"task {task.task_id}: its lease is lost; its run is dropped")
                return []
            if not held.cancelled and (answer is None or answer.stopped):
                self._courier.give_back(line, task)
                return []
            rest = self._resting.learn(answer) if answer and not answer.stopped else None
            self._say(story_of(task, answer, rest))
            if self._resting.seconds:
                self._hang_up()
            ack = ack_of(task, answer, rest)
            fresh = self._courier.hand_in(line, ack, self._following() if alone else None)
        finally:
            self._renewer.release(held)
        return [self._renewer.hold(task) for task in fresh]

    def _following(self) -> Lease | None:
        """Return what to ask for in the same breath as a result is handed in."""
        orders = self._orders
        if orders.once or self._stopping.is_set() or self._resting.seconds:
            return None
        return Lease(
            worker_id=orders.worker_id,
            max_tasks=orders.max_tasks,
            lease_seconds=orders.lease_seconds,
            backends=[*self._backend.names],
        )

    def _give_back(self, line: Line, tasks: list[Held]) -> None:
        for held in tasks:
            self._renewer.release(held)
            if not held.lost:
                self._courier.give_back(line, held.task)
