"""What the doctor says of one thing that it looked at."""

from msgspec import Struct


class Check(Struct, frozen=True, kw_only=True):
    """One thing. `which` None: it is not there, which is a problem only where it is `needed`.

    `locked` is the version in the lock, `drift`: the one that is there is another. `login`: what
    was seen of one. Each of `problems` and `warnings` says what to do.
    """

    name: str
    which: str | None = None
    version_rc: int | None = None
    version: str = ""
    missing_flags: list[str] = []
    ok: bool = True
    needed: bool = False
    locked: str = ""
    drift: bool = False
    login: bool | None = None
    detail: str = ""
    problems: list[str] = []
    warnings: list[str] = []


def check(
    name: str,
    problem: str = "",
    *,
    which: str | None = None,
    version: str = "",
    version_rc: int | None = None,
    detail: str = "",
) -> Check:
    """Return a check that has at most one problem."""
    return Check(
        name=name,
        which=which,
        version=version,
        version_rc=version_rc,
        detail=detail,
        needed=True,
        ok=not problem,
        problems=[problem] if problem else [],
    )
