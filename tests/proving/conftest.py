"""A machine of its own for each test, on which nobody is logged in."""

from pathlib import Path

import pytest
from standins import Machine

LOGINS = ("_API_KEY", "_AUTH_TOKEN", "_OAUTH_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    import os

    for name in [name for name in os.environ if name.endswith(LOGINS)]:
        monkeypatch.delenv(name)
    return Machine(tmp_path)
