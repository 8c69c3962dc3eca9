"""What a line of an agent's output tells (signs), and the sum of it over a try (reading)."""

from typing import assert_never

from msgspec import Struct, field

MAX_FILES = 2000
MAX_ERRORS = 50
MAX_ERROR = 4000
MAX_SAID = 262_144
"""Characters of its last message that are kept; of a longer one, the end."""


class Tokens(Struct, frozen=True):
    """Token counts as the CLI reports them; `input` includes what came from its cache."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0

    def __sub__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            max(0, self.input - other.input),
            max(0, self.output - other.output),
            max(0, self.cached - other.cached),
            max(0, self.reasoning - other.reasoning),
        )

    @property
    def total(self) -> int:
        """Return all tokens that went in and out."""
        return self.input + self.output

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


class Session(Struct, frozen=True, tag="session"):
    """The CLI named its session."""

    id: str


class Model(Struct, frozen=True, tag="model"):
    """The CLI named the model that answers."""

    name: str


class Said(Struct, frozen=True, tag="said"):
    """The agent spoke. Parts of one `message` belong together; "" continues an open one."""

    text: str
    message: str = ""


class Thought(Struct, frozen=True, tag="thought"):
    """The agent reasoned; never part of its answer."""

    text: str


class Used(Struct, frozen=True, tag="used"):
    """The agent called a tool; `detail` is its command or path.

    A `call` that is told of more than once, at its start and at its end, counts once.
    """

    tool: str
    detail: str = ""
    call: str = ""


class Touched(Struct, frozen=True, tag="touched"):
    """A tool of the agent wrote, moved or removed this path."""

    path: str


class Spent(Struct, frozen=True, tag="spent"):
    """Tokens and US dollars: of one `part` (counted once), or of the whole try when "" ."""

    tokens: Tokens
    cost: float | None = None
    part: str = ""


class Erred(Struct, frozen=True, tag="erred"):
    """The CLI reported an error event; `passing` when it goes on by itself.

    `detail` is what else tells when it is over: headers, a reset time, the provider's own words.
    """

    message: str
    status: int | None = None
    passing: bool = False
    detail: str = ""


class Ended(Struct, frozen=True, tag="ended"):
    """The CLI's own end event: whether it calls the turn a success, and its final text."""

    ok: bool
    text: str = ""
    message: str = ""


Sign = Session | Model | Said | Thought | Used | Touched | Spent | Erred | Ended


class Reading(Struct):
    """The sum of the signs of one try; bounded, whatever the transcript's size.

    `trouble` is a lasting error after which the agent neither spoke nor did anything.
    """

    session: str = ""
    model: str = ""
    tool_calls: int = 0
    files: dict[str, None] = field(default_factory=dict)
    tokens: Tokens = Tokens()
    cost: float | None = None
    errors: list[Erred] = field(default_factory=list)
    ended: Ended | None = None
    trouble: str = ""
    _calls: dict[str, None] = field(default_factory=dict)
    _message: str | None = None
    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _settled: Tokens = Tokens()
    _settled_cost: float | None = None
    _part: str = ""

    @property
    def said(self) -> str:
        """Return the agent's last message."""
        return "".join(self._parts)[-MAX_SAID:]

    @property
    def final(self) -> str:
        """Return the agent's final message: that of its end event, else the last it said."""
        ended = self.ended.text if self.ended else ""
        return (ended or self.said).strip()

    @property
    def spoke(self) -> bool:
        """Tell whether the agent got as far as saying or doing anything."""
        return bool(self._parts or self.tool_calls)

    def hear(self, sign: Sign) -> None:
        """Take one sign into the sum."""
        match sign:
            case Session(id):
                self.session = id
            case Model(name):
                self.model = name
            case Said():
                self._said(sign)
            case Thought():
                pass
            case Used():
                self._used(sign)
            case Touched(path):
                if len(self.files) < MAX_FILES:
                    self.files[path] = None
            case Spent():
                self._spent(sign)
            case Erred():
                kept = Erred(
                    sign.message[:MAX_ERROR], sign.status, sign.passing, sign.detail[:MAX_ERROR]
                )
                self.errors = [*self.errors[1 - MAX_ERRORS :], kept]
                self.trouble = self.trouble if sign.passing else sign.message
            case Ended():
                self.ended = sign
            case _:
                assert_never(sign)

    def _goes_on(self) -> None:
        """Take back an end that was none, and the trouble that the agent got over."""
        self.ended, self.trouble = None, ""

    def _said(self, sign: Said) -> None:
        if not sign.text:
            return
        self._goes_on()
        if sign.message != self._message:
            self._parts, self._length, self._message = [], 0, sign.message
        self._parts.append(sign.text)
        self._length += len(sign.text)
        if self._length > 2 * MAX_SAID:
            self._parts = [self.said]
            self._length = MAX_SAID

    def _used(self, sign: Used) -> None:
        self._message = None
        self._goes_on()
        if sign.call and sign.call in self._calls:
            return
        self.tool_calls += 1
        self._calls[sign.call] = None
        if len(self._calls) > MAX_FILES:
            del self._calls[next(iter(self._calls))]

    def _spent(self, sign: Spent) -> None:
        if not sign.part:
            self.tokens, self.cost = sign.tokens, _either(sign.cost, self.cost)
            return
        if sign.part != self._part:
            self._settled, self._settled_cost, self._part = self.tokens, self.cost, sign.part
        self.tokens = self._settled + sign.tokens
        self.cost = _sum(self._settled_cost, sign.cost)


def _either(new: float | None, old: float | None) -> float | None:
    return old if new is None else new


def _sum(one: float | None, other: float | None) -> float | None:
    return one if other is None else (one or 0.0) + other
