"""What a user can mend; everything else that goes wrong is our bug and flies."""


class MitteloError(Exception):
    """Something the user can mend: one sentence says what happened, one what to do.

    `exit_code` is 1 when the work could not go on, 2 for usage and configuration.
    """

    exit_code = 1

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(f"{what}\n{todo}" if todo else what)
        self.what = what
        self.todo = todo


class UsageError(MitteloError):
    """The command or the configuration asks for something that cannot be."""

    exit_code = 2


class Interrupted(Exception):  # noqa: N818 - it is what happened, and not an error
    """The user or the system told us to stop; everything is recorded, exit code 130."""
