"""What a harness needs on a machine before it can answer: told here, looked for elsewhere.

A new kind of need is a Struct here and a case in `answering/preflight.py`.
"""

from msgspec import Struct


class Program(Struct, frozen=True):
    """One of these programs on the PATH; the first is the one that is meant."""

    names: tuple[str, ...]


class Trace(Struct, frozen=True):
    """A file that shows that somebody is logged in: a glob pattern, and text that it holds."""

    pattern: str
    holds: str = ""


class Login(Struct, frozen=True):
    """A sign that somebody is logged in: one of these variables is set, or a file is there.

    Without one it may still be: a keychain cannot be looked into. `todo` says how to log in.
    """

    variables: tuple[str, ...]
    traces: tuple[Trace, ...]
    todo: str


Need = Program | Login
