"""`[sandbox]`: words and places that cannot be meant are told with what to do."""

import pytest
from tests.config.configs import configured

from mittelo.config.findings import Gravity

WHOLE = """
[sandbox]
policy = "read"
enabled = true
network = "model"
hosts = ["api.example.org", "localhost:11434", "http://proxy.example:3128"]
readable = ["/srv/data", "~/.rustup"]
writable = ["~/.cargo/registry"]
home_files = [".codex/auth.json"]
variables = ["GH_TOKEN", "PG*"]
"""


def test_a_sandbox_is_read_whole() -> None:
    configuration = configured(WHOLE)
    assert not configuration.findings
    assert configuration.settings.sandbox.hosts[1] == "localhost:11434"
    assert configured(env={"RALLY_SANDBOX_ENABLED": "true"}).settings.sandbox.enabled


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ('policy = "much"', "policy", "none, read, write, full"),
        ('policy = "full"\nenabled = true', "policy", "full lets a run do anything"),
        ('network = "some"', "network", "open, model, none"),
        ('hosts = ["ok.example", "10.0.0.7"]', "hosts", "an address cannot be led to"),
        ('hosts = ["host:port"]', "hosts", "cannot be let through"),
        ('readable = ["data"]', "readable", "no folder from / or ~/ on"),
        ('readable = ["/"]', "readable", "no folder from / or ~/ on"),
        ('writable = ["../x"]', "writable", "no folder from / or ~/ on"),
        ('home_files = ["/etc/passwd"]', "home_files", "no path below the home"),
        ('logins = ["~/x"]', "logins", "no path below the home"),
        ('home_files = ["../x"]', "home_files", "no path below the home"),
        ('variables = ["GH_TOKEN=x"]', "variables", "no name of a variable"),
        ('variables = ["*"]', "variables", "no name of a variable"),
    ],
)
def test_what_is_wrong_with_a_sandbox_is_told(text: str, key: str, word: str) -> None:
    [finding] = configured(f"[sandbox]\n{text}").findings
    assert (finding.gravity, finding.key) == (Gravity.ERROR, ("sandbox", key))
    assert word in finding.what
