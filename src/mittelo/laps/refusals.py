"""Why laps refuses something, each kind with its exit code."""

from mittelo.core.scopes import MissingStintError
from mittelo.errors import MitteloError

__all__ = ["HookError", "MissingStintError", "NotFoundError", "RefusedError", "StoreError"]


class RefusedError(MitteloError):
    """What is asked for cannot be, or must not."""


class StoreError(MitteloError):
    """The files do not allow it."""

    exit_code = 2


class NotFoundError(MitteloError):
    """What is named is not there, or not in a state for this."""

    exit_code = 3


class HookError(MitteloError):
    """A hook that runs before a command stopped it."""

    exit_code = 4
