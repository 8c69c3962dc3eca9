"""Let two workers serve one hub: `mittelo pair-smoke`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from mittelo.answering.backends import find_backend
from mittelo.answering.preflight import Standing
from mittelo.config.load import Configuration, environment
from mittelo.core.clipping import one_line
from mittelo.core.requests import Enqueue, Task
from mittelo.core.tasks import Status
from mittelo.errors import Interrupted, MitteloError
from mittelo.hub.client import HubClient
from mittelo.proving.circumstances import Circumstances
from mittelo.proving.localhost import HOST, localhost_trouble
from mittelo.proving.readiness import readiness
from mittelo.proving.reports import Folder, now
from mittelo.proving.staying import Staying, wait_for
from mittelo.proving.stopping import Heed, heeding_signals
from mittelo.proving.trial import home_in
from mittelo.sandbox.surroundings import HOME_VARIABLE

START_SECONDS = 20.0
LAST_SECONDS = 5.0
LOOK_SECONDS = 0.1
KEPT_WORDS = 4000
OURS = ("HOST", "PORT", "TOKEN", "TLS", "TLS_CA", "DB")
"""Variables `MITTELO_…` that would lead to somebody else's hub."""


class Outcome(StrEnum):
    """How a pair smoke ended."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    INTERRUPTED = "INTERRUPTED"
    UNFINISHED = "UNFINISHED"

    @property
    def exit_code(self) -> int:
        """Return what the command exits with."""
        return 0 if self in {Outcome.SUCCESS, Outcome.SKIPPED} else 1


class Smoke(Struct, frozen=True, kw_only=True):
    """What is asked for: `tasks` in all, in turn for each of the two backends."""

    backends: tuple[str, str]
    tasks: int
    seconds: float
    lease_seconds: float
    db: str
    prompt: str
    configuration: Configuration
    cwd: Path
    shell_cmd: str = ""
    own_home: bool = True


class Served(Struct, frozen=True, kw_only=True):
    """What became of one task."""

    task_id: int
    backend: str
    status: str
    worker_id: str | None
    attempt: int
    seconds: float
    category: str | None
    error: str | None
    result: str | None


class Smoked(Struct, kw_only=True):
    """What `result.json` says."""

    status: Outcome = Outcome.UNFINISHED
    ok: bool = False
    reason: str = "it has not ended, or was killed"
    backends: tuple[str, str]
    elapsed_ms: int = 0
    stats: dict[str, int] = {}
    tasks: list[Served] = []
    words: dict[str, str] = {}
    left: list[str] = []
    ended: str = ""


class Pair:
    """One smoke, and its report, which is there from the first moment on."""

    def __init__(self, smoke: Smoke, base: Path, about: Circumstances) -> None:
        self._smoke = smoke
        self._about = about
        self._report = Folder(base, "_".join(smoke.backends))
        self._began = time.monotonic()
        self.path = self._report.path
        self._heed = Heed()
        self.result = Smoked(backends=smoke.backends)
        self._keep()
        self.tell({})

    def tell(self, doctor: object) -> None:
        """Write `run.json`, with what the doctor said."""
        self._report.write_json("run.json", asdict(self._about) | {"doctor": doctor})

    def run(self, examine: Callable[[], object], watch: Callable[[str], None]) -> Smoked:
        """Do it, and put on record what came of it, however that ends."""
        try:
            with heeding_signals() as heed:
                self._heed = heed
                watch("looking around")
                self.tell(examine())
                self._smoke_or_skip(watch)
        except Interrupted:
            self._end(Outcome.INTERRUPTED, "it was told to end")
            raise
        except (MitteloError, OSError) as error:
            self._end(Outcome.FAILED, str(error).replace("\n", " "))
        except BaseException as error:
            self._end(Outcome.FAILED, f"a fault of ours: {error!r}")
            raise
        finally:
            self._keep()
        return self.result

    def _smoke_or_skip(self, watch: Callable[[str], None]) -> None:
        if trouble := localhost_trouble():
            self._end(Outcome.SKIPPED, trouble)
            return
        names = [self._ready(name, letter) for name, letter in self._places()]
        env = _environment(self.path, own_home=self._smoke.own_home)
        with self._kept(env, "hub", self._hub_words()) as hub:
            watch("starting the hub")
            port = _port_of(hub)
            with HubClient(HOST, port) as client:
                self._serve(client, port, env, names, watch)

    def _serve(
        self,
        client: HubClient,
        port: int,
        env: dict[str, str],
        names: list[str],
        watch: Callable[[str], None],
    ) -> None:
        prompts = [f"{self._smoke.prompt} ({n + 1})" for n in range(self._smoke.tasks)]
        tasks = [
            Enqueue(prompt=prompt, backend=names[n % 2], timeout_seconds=self._smoke.seconds)
            for n, prompt in enumerate(prompts)
        ]
        (name_a, a), (name_b, b) = self._places()
        with (
            self._kept(self._with_home(env, a), a, self._agent_words(name_a, a, port)) as first,
            self._kept(self._with_home(env, b), b, self._agent_words(name_b, b, port)) as second,
        ):
            workers = [first, second]
            watch("starting the workers")
            self._await_workers(client, workers)
            ids = client.enqueue_many(tasks)
            trouble = self._await(client, workers, watch)
            self._judge([client.get(task_id) for task_id in ids], trouble)
            for worker in workers:
                worker.interrupt()
            for worker in workers:
                wait_for(worker.is_gone, LAST_SECONDS)
            client.shutdown()

    def _await(
        self, client: HubClient, workers: list[Staying], watch: Callable[[str], None]
    ) -> str:
        """Wait for the end of all tasks; return why that will not come."""
        deadline = time.monotonic() + self._smoke.seconds
        while True:
            newest = client.list(limit=self._smoke.tasks, brief=True).tasks
            self.result.stats = {s: sum(task.status is s for task in newest) for s in Status}
            ended = sum(task.status.ended for task in newest)
            watch(f"{ended} of {self._smoke.tasks} tasks")
            if ended >= self._smoke.tasks:
                return ""
            if gone := _gone(workers):
                return gone
            if time.monotonic() >= deadline:
                return f"{ended} of {self._smoke.tasks} tasks ended in {self._smoke.seconds:g} s"
            time.sleep(LOOK_SECONDS)

    def _await_workers(self, client: HubClient, workers: list[Staying]) -> None:
        """Wait until both ask for tasks, so that both get some."""

        def are_here() -> bool:
            return len(client.workers()) >= len(workers) or bool(_gone(workers))

        if not wait_for(are_here, START_SECONDS):
            raise MitteloError(f"The workers do not come within {START_SECONDS:g} s.")

    def _judge(self, tasks: list[Task], trouble: str) -> None:
        self.result.tasks = [_served(task) for task in tasks]
        bad = [task for task in tasks if task.status is not Status.DONE]
        mute = [task for task in tasks if not (task.result or "").strip()]
        if trouble:
            self._end(Outcome.FAILED, trouble)
        elif bad:
            first = f"task {bad[0].task_id}: {bad[0].status}: {bad[0].error or 'no reason'}"
            self._end(Outcome.FAILED, f"{len(bad)} of {len(tasks)} tasks failed; {first}")
        elif mute:
            self._end(Outcome.FAILED, f"task {mute[0].task_id} has an empty result")
        else:
            self._end(Outcome.SUCCESS, "")

    def _places(self) -> list[tuple[str, str]]:
        """Return each backend with a name for its worker."""
        a, b = self._smoke.backends
        return [(a, "worker-a"), (b, "worker-b")]

    def _ready(self, name: str, letter: str) -> str:
        """Return what tasks call a backend; raises where it cannot answer."""
        backend = find_backend(name, self._smoke.configuration, self._smoke.shell_cmd)
        found = readiness(
            name, backend, self._home(letter), self._smoke.cwd, self._smoke.configuration
        )
        if found.status is Standing.FAIL:
            raise MitteloError(f"The backend {name} is not ready: {' '.join(found.problems)}")
        return backend.names[0]

    def _home(self, letter: str) -> str:
        if not self._smoke.own_home:
            return ""
        home = home_in(self._report)
        return home and f"{home}-{letter}"

    def _with_home(self, env: dict[str, str], letter: str) -> dict[str, str]:
        home = self._home(letter)
        return env | {HOME_VARIABLE: home} if home else env

    def _hub_words(self) -> list[str]:
        lease = f"{self._smoke.lease_seconds:g}"
        where = ["--db", self._smoke.db, "--host", HOST, "--port", "0"]
        return ["hub", *where, "--lease-seconds", lease, "--print-url"]

    def _agent_words(self, name: str, letter: str, port: int) -> list[str]:
        lease = f"{self._smoke.lease_seconds:g}"
        words = ["agent", "--backend", name, "--worker-id", letter, "--lease-seconds", lease]
        shell = ["--shell-cmd", self._smoke.shell_cmd] if self._smoke.shell_cmd else []
        return [*words, *shell, "--host", HOST, "--port", str(port), "--no-preflight"]

    @contextmanager
    def _kept(self, env: dict[str, str], name: str, words: list[str]) -> Iterator[Staying]:
        """Run a command; on the way out it is ended, and what it said goes into the report."""
        patience = 0.0
        staying = None
        try:
            with self._heed.held():
                staying = Staying(words, env, str(self._smoke.cwd), self.path / f"{name}.log")
            yield staying
            patience = LAST_SECONDS
        finally:
            if staying is not None:
                with self._heed.held():
                    self.result.left += staying.see_out(patience)
                    self.result.words[name] = staying.words()[-KEPT_WORDS:]

    def _end(self, status: Outcome, reason: str) -> None:
        self.result.status, self.result.reason = status, reason
        self.result.ok = status is Outcome.SUCCESS

    def _keep(self) -> None:
        self.result.elapsed_ms = round((time.monotonic() - self._began) * 1000)
        self.result.ended = now()
        self._report.write_json("result.json", self.result)
        self._report.write("summary.md", "\n".join(_summary(self.result, self._about)) + "\n")


def _environment(report: Path, *, own_home: bool) -> dict[str, str]:
    """Return the environment of hub and workers: what they keep lies in the report, too."""
    ours = {f"MITTELO_{name}" for name in OURS}
    env = {name: value for name, value in environment().items() if name not in ours}
    return env | ({"XDG_STATE_HOME": str(report / "state")} if own_home else {})


def _port_of(hub: Staying) -> int:
    """Wait until a hub listens, and return where."""
    sign = "MITTELO_HUB tcp://"
    wait_for(lambda: sign in hub.words() or hub.is_gone(), START_SECONDS)
    line = next((line for line in hub.words().splitlines() if line.startswith(sign)), "")
    if not line:
        said = one_line(hub.words(), 300) or "it says nothing"
        raise MitteloError(f"The hub does not start: {said}")
    return int(line.rpartition(":")[2])


def _gone(workers: list[Staying]) -> str:
    """Return what a worker said last that is not there any more, "" while all are."""
    for worker in workers:
        if worker.is_gone():
            last = one_line(worker.words().strip().rpartition("\n")[2], 300)
            return f"a worker is gone ({worker.ended}): {last}"
    return ""


def _served(task: Task) -> Served:
    return Served(
        task_id=task.task_id,
        backend=task.backend or "",
        status=task.status,
        worker_id=task.worker_id,
        attempt=task.attempt,
        seconds=round(task.updated_at - task.created_at, 3),
        category=task.category,
        error=task.error,
        result=task.result,
    )


def _summary(result: Smoked, about: Circumstances) -> Iterator[str]:
    yield f"# pair-smoke {' + '.join(result.backends)}: {result.status}"
    yield ""
    if result.reason:
        yield from (result.reason, "")
    yield "| task | backend | status | worker | took | error |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for task in result.tasks:
        error = one_line(task.error or "", 120).replace("|", "\\|")
        worker = task.worker_id or ""
        told = f"{task.task_id} | {task.backend} | {task.status} | {worker}"
        yield f"| {told} | {task.seconds:.1f} s | {error} |"
    yield ""
    commit = about.git_commit or "none"
    yield f"{about.began}, commit {commit}, Python {about.python}, {about.platform}"
