"""`laps doctor`: tell what is wrong with the queues, and mend it."""

import click
from msgspec import Struct

from mittelo.cli.laps._line import Answer, Line, painted, shown
from mittelo.cli.laps._options import laps_command
from mittelo.laps.doctor import Report, examine, mend
from mittelo.laps.wards import Finding


class _Told(Struct, frozen=True):
    ok: bool
    findings: tuple[Finding, ...]
    copies: tuple[str, ...]


@laps_command("doctor")
@click.option("--mend", "mends", is_flag=True, help="Mend what needs no guessing.")
def command(line: Line, mends: bool) -> None:
    """Tell what is wrong with the queues; exit with 0 if all is well.

    With --mend, mend what needs no guessing. Of every file that is changed a copy is kept.
    """
    report = mend(line.store, line.who) if mends else examine(line.store, line.who)
    folder = line.place.folder.name
    text = "".join(f"{_line(one, folder)}\n" for one in report.findings)
    text += "".join(f"kept: {shown(f'{folder}/{name}')}\n" for name in report.copies)
    told = _Told(report.is_well, report.findings, report.copies)
    line.write(Answer((text + _summary(report, mends=mends)), told))
    raise click.exceptions.Exit(0 if report.is_well else 1)


def _line(one: Finding, folder: str) -> str:
    where = one.where if one.where.endswith(".md") else f"{folder}/{one.where}"
    mark = "mended: " if one.mended else "note: " if one.harmless else ""
    todo = one.todo
    if one.mendable and not one.mended:
        todo = " ".join(filter(None, ["Run: laps doctor --mend;", one.todo])).rstrip(";")
    what = " ".join(one.what.split())
    colour = "green" if one.mended else "blue" if one.harmless else "red"
    said = f"{mark}{where}: {what}" + (f" — {todo}" if todo else "")
    return painted(said, fg=colour)


def _summary(report: Report, *, mends: bool) -> str:
    if report.is_well:
        return "All is well now.\n" if any(o.mended for o in report.findings) else "All is well.\n"
    left = sum(not (one.mended or one.harmless) for one in report.findings)
    mendable = sum(one.mendable and not one.mended for one in report.findings)
    how = f", {mendable} of them can be mended" if mendable and not mends else ""
    return f"{left} finding{'s' if left > 1 else ''}{how}.\n"
