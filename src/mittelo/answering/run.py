"""Let a backend answer one prompt: start its program, stay with it, judge what came of it."""

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from typing_extensions import override

from mittelo.answering.backends import Agent, Backend, Echo, Shell
from mittelo.answering.preparing import Place, Prepared, make_folders, prepare
from mittelo.answering.scratch import scratch_folder
from mittelo.answering.texts import Text, fitting, text_of_file
from mittelo.config.limits import patience, timeouts
from mittelo.config.load import Configuration
from mittelo.config.paths import worker_state
from mittelo.config.zone import local_zone
from mittelo.core.faults import Category
from mittelo.core.policies import DEFAULT_ANSWER
from mittelo.core.signs import Tokens
from mittelo.core.stalls import Patience
from mittelo.core.tries import Finish, Limits, Stop, StopAsked
from mittelo.core.verdicts import Facts, judge
from mittelo.errors import MitteloError
from mittelo.files import write_whole
from mittelo.harness.base import Harness, LogWindow
from mittelo.harness.declared import Declared
from mittelo.proc.child import Launch
from mittelo.proc.keeper import MARKER
from mittelo.proc.listening import Listener
from mittelo.proc.ownlog import logged_errors
from mittelo.proc.placing import placed
from mittelo.proc.supervise import Supervised, Supervisor, Watched
from mittelo.sandbox.bubblewrap import walled
from mittelo.sandbox.permits import Permit, permit_of
from mittelo.sandbox.surroundings import make_home

OUTPUT_BYTES = 256 << 20
TEXT_BYTES = 8 << 20


class Question(Struct, frozen=True, kw_only=True):
    """What is asked, and for whom; `seconds` None leaves the time to the bounds."""

    prompt: str
    task_id: str = ""
    worker_id: str = ""
    seconds: float | None = None


class Bounds(Struct, frozen=True, kw_only=True):
    """What a run may take: seconds, silence, bytes of output, bytes of its answer in a message.

    Answers longer than that are kept whole in the folder `keep`. `permit` says what it may do.
    """

    seconds: float = 3600.0
    patience: Patience = Patience()
    output: int = OUTPUT_BYTES
    text: int = TEXT_BYTES
    keep: Path
    permit: Permit = Permit(policy=DEFAULT_ANSWER)


class Answer(Struct, frozen=True, kw_only=True):
    """What a run came to. `reason` says in a line why there is no answer.

    `stopped`: we ended it, and it is nobody's fault. `whole` names the file with all of a text
    that was cut. `left` are the processes that had to be ended after it.
    """

    text: str = ""
    whole: str = ""
    reason: str = ""
    category: Category | None = None
    stopped: bool = False
    errors: str = ""
    code: int | None = None
    seconds: float = 0.0
    tokens: Tokens = Tokens()
    cost: float | None = None
    retry_after: float | None = None
    left: list[str] = []

    @property
    def ok(self) -> bool:
        """Tell whether there is an answer."""
        return not self.reason


def bounds_of(
    configuration: Configuration, policy: str = "", *, sandbox: bool | None = None
) -> Bounds:
    """Return what a run may take, as the configuration says, and do, where no more is said."""
    asked, table = configuration.settings.reliability, configuration.settings.sandbox
    allowed, _ = timeouts(asked)
    return Bounds(
        seconds=allowed.try_,
        patience=patience(asked),
        keep=worker_state() / "results",
        permit=permit_of(table, DEFAULT_ANSWER, works=False, policy=policy, sandbox=sandbox),
    )


class Run:
    """One run of a backend; `stop` may come from any thread, also before it has begun."""

    def __init__(
        self, backend: Backend, question: Question, bounds: Bounds, cwd: str, home: str = ""
    ) -> None:
        self._backend = backend
        self._home = home
        self._question = question
        self._bounds = bounds
        self._cwd = cwd
        self._supervisor: Supervisor | None = None
        self._stopped = False
        self._overflowed = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End it at once, with all that it started."""
        with self._lock:
            self._stopped = True
            if self._supervisor:
                _end(self._supervisor, Stop.SKIP)

    def go(self) -> Answer:
        """Return the answer, once nothing of the program is left."""
        if isinstance(self._backend, Echo):
            return Answer(text=f"echo:{self._question.prompt}")
        began = time.monotonic()
        try:
            with scratch_folder() as scratch:
                answer = self._answer(scratch)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            answer = Answer(reason=f"{where}{error.strerror}", category=Category.HARNESS_LAUNCH)
        except MitteloError as error:
            answer = Answer(reason=error.what, category=Category.HARNESS_LAUNCH)
        return replace(answer, seconds=time.monotonic() - began)

    def _answer(self, scratch: Path) -> Answer:
        if refused := self._no_place() or self._too_long():
            return refused
        place = Place(cwd=self._cwd, home=self._home, scratch=scratch)
        prompt, permit = self._question.prompt, self._bounds.permit
        prepared = prepare(self._backend, prompt, permit, place, self._given(place))
        make_folders(prepared, place)
        env = prepared.env
        make_home(env)
        began = time.time()
        supervised = self._supervise(prepared, place)
        if supervised is None or (supervised.finish.stop is Stop.SKIP):
            return Answer(reason="it was stopped", stopped=True)
        window = LogWindow(
            session=supervised.reading.session,
            workspace=prepared.cwd,
            began=began,
            ended=time.time(),
        )
        return self._judged(scratch, supervised, window, env)

    def _given(self, place: Place) -> dict[str, str]:
        """Return what the program finds in its environment about its task."""
        return {
            "MITTELO_TASK_ID": self._question.task_id,
            "MITTELO_WORKER_ID": self._question.worker_id,
            "MITTELO_PROMPT_FILE": str(place.prompt),
            "TMPDIR": str(place.temporary),
            MARKER: f"task.{uuid.uuid4().hex}",
        }

    def _no_place(self) -> Answer | None:
        if Path(self._cwd).is_dir():
            return None
        return Answer(reason=f"{self._cwd} is no folder", category=Category.HARNESS_LAUNCH)

    def _too_long(self) -> Answer | None:
        if not isinstance(self._backend, Agent):
            return None
        size, most = len(self._question.prompt.encode()), self._backend.harness.prompt_limit
        if size <= most:
            return None
        reason = f"the prompt has {size:,} bytes; {self._backend.harness.name} takes {most:,}"
        return Answer(reason=reason, category=Category.CONTEXT_TOO_LONG)

    def _supervise(self, prepared: Prepared, place: Place) -> Supervised | None:
        command, walls = prepared.command, prepared.walls
        write_whole(place.prompt, self._question.prompt.encode(), mode=0o600)
        launch = Launch(
            argv=walled(walls, command.argv) if walls else command.argv,
            cwd=prepared.cwd,
            env=prepared.env,
            stdin=str(place.prompt) if command.stdin else "",
            stdout=str(place.scratch / "out"),
            stderr=str(place.scratch / "err"),
        )
        home = Path(prepared.env.get("HOME", "~"))
        with placed(command.settings, home, self._is_stopped) as free:
            with self._lock:
                if self._stopped or not free:
                    return None
                self._supervisor = self._made(launch, command.log)
            try:
                return self._supervisor.run(self._watching(launch))
            finally:
                with self._lock:
                    self._supervisor = None

    def _made(self, launch: Launch, log: str) -> Supervisor:
        seconds = self._question.seconds or self._bounds.seconds
        if _is_heard(self._backend):
            limits = Limits(try_seconds=seconds, patience=self._bounds.patience)
            return Supervisor(_harness(self._backend), launch, log, limits)
        return _Unheard(_harness(self._backend), launch, "", Limits(try_seconds=seconds))

    def _watching(self, launch: Launch) -> Callable[[Watched], None]:
        """Return a watcher that ends a program which writes too much."""
        files = [Path(launch.stdout), Path(launch.stderr)]

        def watch(_: Watched) -> None:
            written = sum(file.stat().st_size for file in files if file.exists())
            if written > self._bounds.output and not self._overflowed:
                self._overflowed = True
                if self._supervisor:
                    _end(self._supervisor, Stop.BUDGET)

        return watch

    def _is_stopped(self) -> bool:
        return self._stopped

    def _judged(
        self, scratch: Path, supervised: Supervised, window: LogWindow, env: dict[str, str]
    ) -> Answer:
        harness = _harness(self._backend)
        if self._overflowed:
            supervised = replace(supervised, finish=Finish(None, Stop.BUDGET))
        code = supervised.finish.code
        plain = not _is_heard(self._backend)
        facts = Facts(
            finish=supervised.finish,
            reading=supervised.reading,
            answered=_answered(self._backend, supervised, scratch / "out"),
            needs_end=harness.needs_end and not plain,
            changed=False,
            require_changes=False,
            budget=f"it wrote more than {self._bounds.output >> 20} MiB",
            errors=harness.without_noise(supervised.errors),
            exit_meaning=harness.explain_exit(code) if code else "",
            logged=() if plain else tuple(logged_errors(harness, supervised, window, env, "")),
            faults=harness.faults,
            now=time.time(),
            zone=local_zone(),
        )
        verdict = judge(facts)
        answer = Answer(
            errors=supervised.errors,
            code=code,
            tokens=supervised.reading.tokens,
            cost=supervised.reading.cost,
            left=supervised.left,
        )
        if verdict.outcome.succeeded:
            text = self._text(supervised, scratch / "out")
            return replace(answer, text=text.text, whole=text.whole)
        evidence = verdict.evidence
        return replace(
            answer,
            reason=self._reason(supervised, verdict.reason),
            category=evidence.category if evidence else None,
            retry_after=evidence.retry_after if evidence else None,
        )

    def _reason(self, supervised: Supervised, reason: str) -> str:
        if supervised.finish.stop is Stop.TRY_TIMEOUT:
            return f"timed out after {self._question.seconds or self._bounds.seconds:g} s"
        return reason or "it failed"

    def _text(self, supervised: Supervised, out: Path) -> Text:
        bounds, name = self._bounds, f"task-{self._question.task_id or '0'}"
        if _is_heard(self._backend):
            return fitting(supervised.answer, bounds.text, bounds.keep, name)
        return text_of_file(out, bounds.text, bounds.keep, name)


class _Plain(Harness):
    """A program whose stdout is its answer."""

    name = "program"
    needs_end = False


class _Unheard(Supervisor):
    """Stays with a program without reading what it writes, which may be much."""

    @override
    def __init__(self, harness: Harness, launch: Launch, log: str, limits: Limits) -> None:
        super().__init__(harness, launch, log, limits)
        self._listener = Listener(harness, {})


def _harness(backend: Backend) -> Harness:
    return backend.harness if isinstance(backend, Agent) else _Plain()


def _is_heard(backend: Backend) -> bool:
    """Tell whether the answer is told in events, and is not simply what stdout holds."""
    if not isinstance(backend, Agent):
        return False
    declared = backend.harness
    return not isinstance(declared, Declared) or declared.declaration.tail_stream == "stderr"


def _answered(backend: Backend, supervised: Supervised, out: Path) -> bool:
    """Tell whether there is an answer; a command of the user's may well say nothing."""
    if isinstance(backend, Shell):
        return True
    if _is_heard(backend):
        return bool(supervised.answer.strip())
    return out.exists() and bool(out.stat().st_size)


def _end(supervisor: Supervisor, why: Stop) -> None:
    """Ask for the end twice, which kills at once; the first one says why."""
    supervisor.inbox.put(StopAsked(why))
    supervisor.inbox.put(StopAsked(Stop.TERMINATED))
