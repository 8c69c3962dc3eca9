"""What a person sees of a relay: lines, and on a terminal a status line below them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mittelo.core.clipping import one_line
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import End, Ending
from mittelo.core.signs import Erred, Said, Sign, Used
from mittelo.core.stalls import Condition
from mittelo.proc.supervise import Watched
from mittelo.rally.desk import Count
from mittelo.rally.keyboard import Keyboard
from mittelo.rally.statusline import StatusLines

REFRESH_SECONDS = 1.0
COUNT_FILES_SECONDS = 2.0
SIGNS = {True: ("✓ passed", "green"), False: ("✗ failed", "red")}
INDICATORS = {Condition.SLOWING: "⚠ slowing", Condition.FROZEN: "❄ frozen"}


class View:
    """Tells of one relay on a console; a terminal that is gone is not missed."""

    def __init__(self, console: Console, keyboard: Keyboard) -> None:
        self._console = console
        self._keyboard = keyboard
        self._words = ""
        self._lines = StatusLines(console.file) if console.is_terminal else None
        self._began = 0.0
        self._drawn = 0.0
        self._counted = 0.0
        self._files = 0
        self._doing = ""
        self._retry = ""

    def say(self, text: str, style: str = "") -> None:
        """Write a line."""
        with suppress(OSError):
            self._console.print(Text(text, style), soft_wrap=True)

    def run_began(self, index: int, target: int, runner: str, role: str) -> None:
        """Write the header of a run."""
        who = f"{role}: {runner}" if role else runner
        self.say(f"[{index}/{target}] {who} · started {time.strftime('%H:%M')}", "bold")

    def lap_began(self, runner: str, role: str, title: str, count: Count) -> None:
        """Write the header of a run that works a lap."""
        who = f"{role}: {runner}" if role else runner
        now = time.strftime("%H:%M")
        self.say(f"[{count.done + 1}/{count.total}] {who} — {title} · started {now}", "bold")

    @contextmanager
    def watching(
        self, attempt: int, budget: int, count_files: Callable[[], int]
    ) -> Iterator[Callable[[Watched], None]]:
        """Show a status line while a try runs; the body is given what to call with news."""
        self._began = time.monotonic()
        self._drawn = self._counted = 0.0
        self._files, self._doing = 0, "starting"
        self._retry = f"retry {attempt}/{budget}" if attempt > 1 else ""
        if not self._lines:
            yield lambda _: None
            return
        try:
            yield lambda watched: self._watch(watched, count_files)
        finally:
            self._lines.clear()

    def _watch(self, watched: Watched, count_files: Callable[[], int]) -> None:
        for sign in watched.signs[-20:]:
            self._doing = _describe(sign) or self._doing
            if isinstance(sign, Said):
                self._doing = watched.reading.said.strip().rpartition("\n")[2] or self._doing
        now = time.monotonic()
        words = self._keyboard.words
        old = now - self._drawn >= REFRESH_SECONDS or words != self._words or watched.frozen
        if not old or not self._lines:
            return
        self._drawn, self._words = now, words
        if now - self._counted > COUNT_FILES_SECONDS:
            self._files = count_files()
            spent = time.monotonic() - now
            self._counted = now + 20 * spent
        self._paint(self._status(watched), one_line(self._doing, 300))

    def _paint(self, *lines: str) -> None:
        """Paint lines, and below them what the keys do or what was asked for."""
        if self._lines and self._keyboard.away:
            self._lines.forget()
        elif self._lines:
            words = self._keyboard.words
            last = words or self._keyboard.legend(self._lines.width)
            self._lines.paint(*lines, last, urgent=bool(words))

    def _status(self, watched: Watched) -> str:
        tokens = watched.reading.tokens.total
        fields = [
            f"⏱ {duration(time.monotonic() - self._began)}",
            f"📁 {counted(self._files, 'file')}",
            f"{thousands(tokens)} tok" if tokens else "",
            f"last activity: {duration(watched.silent_seconds)}",
            self._retry,
            " ".join(watched.hints),
            INDICATORS.get(watched.condition, ""),
        ]
        wide = "  │  ".join(field for field in fields if field)
        fits = self._lines and cell_len(wide) <= self._lines.width
        return wide if fits else wide.replace("  │  ", " │ ").replace("last activity", "last")

    def run_ended(self, made: TryRecord, budget: int, seconds: float, title: str) -> None:
        """Write the footer of a run."""
        if made.outcome.open_ended:
            text, colour = f"• {made.outcome}", "dim"
        else:
            text, colour = SIGNS[made.outcome.succeeded]
        if made.attempt_number > 1 and made.outcome.succeeded:
            text += f" on try {made.attempt_number}/{max(budget, made.attempt_number)}"
        elif made.attempt_number > 1 and not made.outcome.open_ended:
            text += f" after {made.attempt_number} tries"
        detail = f"{made.commit_hash[:7]} ({title})" if made.commit_hash else "—"
        if not made.outcome.succeeded:
            detail = made.fail_reason or detail
        files = counted(len(made.files_changed), "file")
        self.say("  │  ".join([f"      {text}", duration(seconds), files, detail]), colour)

    def wait_began(self, why: str, seconds: float) -> None:
        """Write a line for a wait, where none can be painted over."""
        if not self._lines:
            self.say(f"      ↻ {why} · in {duration(seconds)}")

    def wait(self, why: str, left: float) -> None:
        """Show how long a wait goes on."""
        self._paint(f"      ↻ in {duration(left)} · {one_line(why, 300)}")

    def wait_ended(self) -> None:
        """Clear the line of a wait."""
        if self._lines:
            self._lines.clear()

    def pause_began(self) -> None:
        """Write a line for a pause, where none can be painted over."""
        if not self._lines:
            self.say(f"      {self._paused()}")

    def pause(self) -> None:
        """Show that the relay is paused."""
        self._paint(self._paused())

    def pause_ended(self) -> None:
        """Clear the lines of a pause."""
        self.wait_ended()

    def _paused(self) -> str:
        how = "press Enter to resume" if self._keyboard.active else "resume with: rally resume"
        return f"Paused — {how}"

    def relay_ended(
        self, end: End, runs: dict[int, Outcome], seconds: float, spent: list[str]
    ) -> None:
        """Write the summary of a relay."""
        fields = [
            f"Relay {end.how}: {counted(len(runs), 'run')}",
            f"{sum(o.succeeded for o in runs.values())} passed",
            f"{sum(not (o.succeeded or o.open_ended) for o in runs.values())} failed",
        ]
        if cut_off := sum(o.open_ended for o in runs.values()):
            fields.append(f"{cut_off} cancelled")
        fields += [f"total {duration(seconds)}", *spent]
        self.say("  │  ".join(fields), "bold" if end.how is Ending.COMPLETE else "bold red")


def tally(tries: list[TryRecord]) -> dict[int, Outcome]:
    """Return the outcome of each run: a success if any of its tries was, else the last one's."""
    runs: dict[int, Outcome] = {}
    for made in tries:
        before = runs.get(made.run_id)
        if before is None or not before.succeeded:
            runs[made.run_id] = made.outcome
    return runs


def spending(tries: list[TryRecord]) -> list[str]:
    """Return what the tries used, as far as their CLIs reported it."""
    tokens = sum(made.tokens.total for made in tries if made.tokens)
    cost = sum(made.cost_usd or 0.0 for made in tries)
    said = [f"{thousands(tokens)} tok"] if tokens else []
    return [*said, f"${cost:.2f}"] if cost else said


def duration(seconds: float) -> str:
    """Return seconds as people read them: `42s`, `5m 04s`, `2h 05m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def thousands(number: int) -> str:
    """Return a count of tokens in few characters: `950`, `12.3k`, `4.5M`."""
    if number < 1000:
        return f"{number}"
    return f"{number / 1000:.1f}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"


def _describe(sign: Sign) -> str:
    match sign:
        case Used(tool, detail):
            return f"⚙ {tool} {detail}".strip()
        case Erred(message):
            return f"! {message}"
        case _:
            return ""
