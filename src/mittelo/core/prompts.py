"""The prompt of a try, put together from its sources within byte budgets."""

from collections.abc import Iterable

from msgspec import Struct

from mittelo.core.clipping import clip, clip_bytes, one_line
from mittelo.core.queues import Lap
from mittelo.core.records import Outcome, TryRecord

INSTRUCTIONS_BUDGET = 32_768
ROLE_BUDGET = 16_384
MESSAGE_BUDGET = 16_384
LEFTOVER_PATHS = 50
GENERIC_TASK = (
    "Look at the current state of this project: its code, its documents, its recent history.\n"
    "Choose the most useful next step towards what it is meant to be, and carry it out."
)

_HANDOFF = """\
Do not go on with the implementation and change no file. Say for whoever comes next: what is done
and what is not, what blocks you, which hypotheses you have and the evidence for each, which files
you changed and whether the changes should stay, and the decision or step that comes next.

Then run {commands} in a shell (to print is not enough), and end:

{lines}
"""
HANDOFF = _HANDOFF.format(
    commands="this command",
    lines="""\
    rally progress --handoff --summary "where things stand, and what blocks" \\
        --followup "the next step"
""",
)
LAP_HANDOFF = _HANDOFF.format(
    commands="these commands, one after the other,",
    lines="""\
    laps handoff
    laps wrapup --summary "where things stand, and what blocks" --followup "the next step"
""",
)
VERIFY = "verify"

_WORKING = """\
This lap is claimed for you already: work on it and on no other. When it is done, and checked, run
these commands in a shell (do not only print them), and do what they print:

    laps done
    laps wrapup --summary "what you did, in a few sentences"

`laps done` without an id finishes your lap, whatever was added to the queue meanwhile. Run it once.
"""
_BLOCKED = """\
When you cannot finish the lap, hand it off; each follow-up becomes a lap at the head of the queue,
in the order that you give:

    laps handoff
    laps wrapup --summary "where things stand, and what blocks" --followup "the next step"
"""
_VERIFYING = """\
Do not hand this lap off. What is left to be mended becomes laps of their own, before you finish:

    laps add head --title "what is wrong" --description "what its worker has to know"
"""
_MISTAKES = """\
A lap that was finished by mistake is opened again with `laps done undo`. See the queue with
`laps list`. How the records of this relay are kept is described in `.rally/README.md`.
"""
_FINISH = """\
Your last attempt changed files, but did not finish the lap. Look at the changes that are there,
finish what is missing, check that it works, commit it, and run `laps done`.
"""


class RecentLimits(Struct, frozen=True):
    """How much of the past a prompt tells: tries, characters of each, characters in all."""

    count: int = 5
    each: int = 1000
    total: int = 6000


class Sources(Struct, frozen=True, kw_only=True):
    """What a prompt is made from; empty ones leave no trace in it.

    `previous` is the summary of the last try of the same run, `leftover` the paths that were
    changed before the run, `budget` the bytes the whole may have (0: no limit). With a `lap` the
    task is what it describes, and its agent finishes it with `laps done`; `incomplete` says that
    the last try did not.
    """

    agent: str
    task: str
    run: int
    target: int
    instructions: str = ""
    role: str = ""
    role_text: str = ""
    leftover: list[str] = []
    relay_message: str = ""
    run_message: str = ""
    run_message_id: int = 0
    previous: str = ""
    recent: list[TryRecord] = []
    recent_limits: RecentLimits = RecentLimits()
    resumed: bool = False
    require_changes: bool = True
    budget: int = 0
    lap: Lap | None = None
    incomplete: bool = False


class Section(Struct):
    """A heading and its text, in `budget` bytes at most.

    `yields` is the order in which sections shrink, to nothing if need be; those with 0 never do.
    """

    heading: str
    text: str
    budget: int = 0
    yields: int = 0

    def render(self) -> str:
        """Return the section as Markdown."""
        text = clip_bytes(self.text.strip(), self.budget)
        return f"## {self.heading}\n\n{text}\n" if self.heading else f"{text}\n"


def assemble(sources: Sources) -> str:
    """Return the whole prompt. The task is never cut; what only helps gives way to the budget."""
    sections = [section for section in _sections(sources) if section.text.strip()]
    excess = _size(sections) - sources.budget if sources.budget else 0
    for section in sorted((s for s in sections if s.yields), key=lambda s: s.yields):
        if excess <= 0:
            break
        before = _size(sections)
        room = len(section.render().encode()) - excess
        if room < 200:
            sections.remove(section)
        else:
            section.budget = room - len(section.heading.encode()) - 6
        excess -= before - _size(sections)
    return "\n".join(section.render() for section in sections)


def assemble_handoff(sources: Sources) -> str:
    """Return the prompt of a try that is only to hand off what its run could not finish."""
    sections = [
        Section("", f"You are {sources.agent}. The time of this run is over."),
        Section("Project Instructions", sources.instructions, INSTRUCTIONS_BUDGET),
        Section("Role Instructions", _role(sources), ROLE_BUDGET),
        Section("Task", _lap(sources)),
        Section("Hand Off, Nothing Else", LAP_HANDOFF if sources.lap else HANDOFF),
    ]
    return "\n".join(section.render() for section in sections if section.text.strip())


def _size(sections: Iterable[Section]) -> int:
    return sum(len(section.render().encode()) + 1 for section in sections)


def _sections(sources: Sources) -> list[Section]:
    return [
        Section("", _opening(sources)),
        Section("Leftover Changes", _leftover(sources.leftover), yields=2),
        Section("Project Instructions", sources.instructions, INSTRUCTIONS_BUDGET, yields=5),
        Section("Role Instructions", _role(sources), ROLE_BUDGET, yields=4),
        Section("Task", _task(sources)),
        Section("Message For This Relay", sources.relay_message, MESSAGE_BUDGET, yields=6),
        Section("Message For This Run", _run_message(sources), MESSAGE_BUDGET, yields=7),
        Section("Your Previous Attempt", sources.previous, MESSAGE_BUDGET, yields=3),
        Section("Recent Tries", recent_tries(sources.recent, sources.recent_limits), yields=1),
        Section("Before You Exit", _exit(sources)),
    ]


def _opening(sources: Sources) -> str:
    lines = [
        f"You are {sources.agent}, run {sources.run} of a relay{_length(sources)}.",
        "You work alone and without a person at the keyboard: decide for yourself, do not ask.",
    ]
    if sources.resumed:
        lines.append(
            "This session goes on where it was cut off: look at what is done, then finish."
        )
    return "\n".join(lines)


def _length(sources: Sources) -> str:
    if sources.lap:
        return " that works the laps of a queue"
    return f" with {sources.target} to do"


def _task(sources: Sources) -> str:
    if not sources.lap:
        return sources.task
    text = sources.lap.description.strip() or sources.lap.title
    again = f"\n\n{_FINISH}" if sources.incomplete else ""
    return f"{_lap(sources)}\n\n{text}{again}"


def _lap(sources: Sources) -> str:
    """Return which lap it is, in a line or two."""
    if not sources.lap:
        return ""
    whose = f"\nAssignee: {sources.lap.assignee}" if sources.lap.assignee else ""
    return f"Lap {sources.lap.id}: {sources.lap.line}{whose}"


def _leftover(paths: list[str]) -> str:
    if not paths:
        return ""
    shown = "\n".join(f"- {one_line(path, 200)}" for path in paths[:LEFTOVER_PATHS])
    more = len(paths) - LEFTOVER_PATHS
    tail = f"\n- and {more} more" if more > 0 else ""
    return (
        "These files had uncommitted changes before this run began:\n"
        f"{shown}{tail}\n\n"
        "Code among them that belongs to the work must be committed, before your own changes or "
        "with them. Notes and settings of the user may stay as they are."
    )


def _role(sources: Sources) -> str:
    if not sources.role_text.strip():
        return ""
    return f"Your role is {sources.role}.\n\n{sources.role_text}"


def _run_message(sources: Sources) -> str:
    if not sources.run_message.strip():
        return ""
    return (
        f"{sources.run_message.strip()}\n\n"
        f"When you have dealt with it, run `rally inbox done {sources.run_message_id}`."
    )


def recent_tries(tries: list[TryRecord], limits: RecentLimits) -> str:
    """Return one line for each of the last tries, the newest last."""
    if limits.count <= 0:
        return ""
    lines = [_recent(made, limits.each) for made in tries[-limits.count :]]
    return clip("\n".join(lines), limits.total)


def _recent(made: TryRecord, budget: int) -> str:
    source = f" source={made.cancellation_source}" if made.outcome is Outcome.CANCELLED else ""
    reason = f" ({made.fail_reason})" if made.fail_reason else ""
    said = clip(" ".join(made.summary.split()), budget).replace("\n", " ")
    left = f" Suggested next: {one_line(made.remaining_work, 500)}" if made.remaining_work else ""
    head = f"- run {made.run_id}, {made.agent_type}: outcome={made.outcome}{source}{reason}"
    return f"{head} {said}{left}"


def _exit(sources: Sources) -> str:
    if sources.lap:
        verifies = sources.role.casefold() == VERIFY
        return "\n".join((_WORKING, _VERIFYING if verifies else _BLOCKED, _MISTAKES))
    lines = [
        "Finish what you began, check that it works, and leave the repository in a state that the",
        "next run can build on. Then run this command in a shell (do not only print it):",
        "",
        '    rally progress --summary "what you did, in a few sentences" \\',
        '        --followup "a next step that you saw, if any"',
        "",
        "How the records of this relay are kept is described in `.rally/README.md`.",
    ]
    if not sources.require_changes:
        lines.append("It is all right to change nothing when the task asks for none.")
    return "\n".join(lines)
