"""`mittelo hub-conformance`: whether a hub keeps to the protocol."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json
from mittelo.errors import MitteloError, UsageError

if TYPE_CHECKING:
    from mittelo.conformance.run import Finding, Found
    from mittelo.conformance.talk import Place


@click.command("hub-conformance")
@click.option("--url", required=True, help="The hub: tcp://HOST:PORT.")
@click.option("--token", default="", envvar="MITTELO_TOKEN", help="That of an admin.")
@click.option("--tls", is_flag=True, help="Talk to it by TLS.")
@click.option("--tls-ca", help="Trust this certificate (PEM).")
@click.option("--patience", default=10.0, type=click.FloatRange(0.1), help="Seconds for a reply.")
@click.option("--rule", "rules", multiple=True, help="Only this one; repeatable.")
@click.option("--shutdown", is_flag=True, help="Try that, too, in the end: the hub is gone then.")
@click.option("--yes", is_flag=True, help="Go on though the hub holds other work.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    url: str,
    token: str,
    tls: bool,
    tls_ca: str | None,
    patience: float,
    rules: tuple[str, ...],
    shutdown: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Try the rules of docs/PROTOCOL.md on a hub, and say PASS or FAIL for each.

    For whoever serves the protocol in another language. Its tasks carry a tag, a backend and a
    priority of their own; they have ended when it is over, and stay in the list until the hub
    forgets them. A hub that holds other work is left alone unless --yes is given.
    """
    place = _place(url, token, tls_ca, patience, tls=tls)
    from mittelo.conformance.run import EVERY_RULE, RULES, try_all

    if unknown := [name for name in rules if name not in EVERY_RULE]:
        raise UsageError(f"There is no rule {unknown[0]}.", f"Known are: {', '.join(EVERY_RULE)}")
    only = {*(rules or RULES), *(["shutdown"] if shutdown else [])}
    if token and not rules:
        only.add("hello.token")
    findings = []
    for finding in try_all(place, _look(place, yes=yes), only):
        findings.append(finding)
        if not as_json:
            _tell(finding)
    counts = {word: sum(f.verdict == word for f in findings) for word in ("PASS", "FAIL", "SKIP")}
    if as_json:
        show_json({"ok": not counts["FAIL"], "rules": findings})
    else:
        say(", ".join(f"{count} {word}" for word, count in counts.items()))
    context.exit(1 if counts["FAIL"] else 0)


def _place(url: str, token: str, tls_ca: str | None, patience: float, *, tls: bool) -> "Place":
    from urllib.parse import urlsplit

    from mittelo.conformance.talk import Place
    from mittelo.hub.client import client_tls

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.scheme != "tcp":
        raise UsageError(f"{url} is no address of a hub.", "Write it as tcp://HOST:PORT")
    return Place(host, port, token, client_tls(tls_ca) if tls or tls_ca else None, patience)


def _look(place: "Place", *, yes: bool) -> "Found":
    """Return what is on the hub; refuse to go on among others' work."""
    from mittelo.conformance.run import MEANT_ERRORS, survey

    try:
        found = survey(place)
    except MEANT_ERRORS as error:
        where = f"{place.host}:{place.port}"
        raise MitteloError(f"No hub answers at {where} as it should: {error}.") from error
    if (found.queued or found.leased or found.workers) and not yes:
        raise MitteloError(
            f"This hub is in use: {found.queued} tasks queued, {found.leased} leased, "
            f"{found.workers} workers connected.",
            "Try another hub; or --yes, if its workers may see tasks of ours come and go.",
        )
    return found


def _tell(finding: "Finding") -> None:
    from mittelo.core.clipping import one_line

    say(f"{finding.verdict}  {finding.rule:<24}  {finding.says}")
    if finding.why:
        say(f"      {one_line(finding.why, 500)}")
