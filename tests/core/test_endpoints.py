"""Endpoints: what the words of a configuration and of variables let a run reach."""

import pytest

from mittelo.core.endpoints import endpoints_of, hosts_file, proxies
from mittelo.errors import UsageError


def named(*words: str) -> list[str]:
    return [f"{one} at {one.at}" for one in endpoints_of(words)]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("api.example.org", "api.example.org:443 at 127.77.0.1"),
        ("api.example.org:8443", "api.example.org:8443 at 127.77.0.1"),
        ("https://api.example.org/v1?x=1", "api.example.org:443 at 127.77.0.1"),
        ("http://api.example.org/v1", "api.example.org:80 at 127.77.0.1"),
        ("http://somebody:secret@proxy.example:3128", "proxy.example:3128 at 127.77.0.1"),
        ("API.Example.ORG", "api.example.org:443 at 127.77.0.1"),
        ("http://127.0.0.1:11434", "127.0.0.1:11434 at 127.0.0.1"),
        ("http://localhost:1234/v1", "localhost:1234 at 127.0.0.1"),
        ("http://127.0.0.9:80", "127.0.0.9:80 at 127.0.0.9"),
        ("http://[::1]:8080", "::1:8080 at ::1"),
    ],
)
def test_a_host_and_a_port_are_meant(word: str, meant: str) -> None:
    assert named(word) == [meant]


@pytest.mark.parametrize(
    "word", ["", "https://", "http://:80", "host:port", "a b", "host:99999", "10.0.0.7:80"]
)
def test_what_names_no_host_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot be let through"):
        endpoints_of([word])


def test_each_name_has_an_address_of_its_own_and_each_way_stands_once() -> None:
    assert named("a.example", "b.example:80", "a.example:80", "https://a.example/v1") == [
        "a.example:443 at 127.77.0.1",
        "b.example:80 at 127.77.0.2",
        "a.example:80 at 127.77.0.1",
    ]
    assert named("http://localhost:80", "http://127.0.0.1:80") == ["localhost:80 at 127.0.0.1"]
    many = endpoints_of([f"h{number}.example" for number in range(600)])
    assert len({one.at for one in many}) == 600


def test_names_are_led_to_their_addresses() -> None:
    told = hosts_file(endpoints_of(["a.example", "a.example:80", "http://localhost:9"]))
    assert told.splitlines() == ["127.0.0.1 localhost", "::1 localhost", "127.77.0.1 a.example"]


def test_a_proxy_is_found_whichever_way_it_is_written() -> None:
    env = {"https_proxy": "http://p.example:1", "ALL_PROXY": "socks5://s.example", "NO_PROXY": "x"}
    assert [*proxies(env)] == ["http://p.example:1", "socks5://s.example"]
    assert named(*proxies(env)) == [
        "p.example:1 at 127.77.0.1",
        "s.example:1080 at 127.77.0.2",
    ]
