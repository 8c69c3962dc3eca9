"""The time zone of this machine, with its summer time."""

import os
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def local_zone() -> tzinfo:
    """Return the machine's zone; where its name cannot be found, its present offset."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _linked()):
        try:
            if name:
                return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return datetime.now(UTC).astimezone().tzinfo or UTC


def _linked() -> str:
    """Return the zone that `/etc/localtime` is a link to."""
    target = os.path.realpath(Path("/etc/localtime"))
    return target.partition("/zoneinfo/")[2]
