"""Ids and prefixes."""

import hashlib

import pytest

from mittelo.core.lapids import PrefixError, free_prefix, new_id, prefix_of

AT = "2026-01-01T00:00:00.123456Z"


def test_an_id_is_the_beginning_of_a_hash() -> None:
    text = "T|2026-01-01T00:00:00Z|" + "d" * 200
    known = hashlib.sha256(text.encode()).hexdigest()
    assert new_id("repo", "T", AT, "d" * 300, set().__contains__) == f"repo-{known[:4]}"


def test_an_id_grows_until_it_is_free() -> None:
    taken = {new_id("repo", "T", AT, "", set().__contains__)}
    longer = new_id("repo", "T", AT, "", taken.__contains__)
    assert len(longer) == len("repo-") + 5
    for _ in range(200):
        taken.add(new_id("repo", "T", AT, "", taken.__contains__))
    assert len(taken) == 201


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("repository", "repo"),
        ("My-App", "myap"),
        ("a", "axxx"),
        ("", "xxxx"),
        ("日本", "xxxx"),
        ("é1", "1xxx"),
    ],
)
def test_a_prefix_is_made_of_a_name(name: str, prefix: str) -> None:
    assert prefix_of(name) == prefix


def test_another_prefix_is_found_when_one_is_taken() -> None:
    assert free_prefix("search", set()) == "sear"
    assert free_prefix("search", {"sear"}) == "earc"
    assert free_prefix("search", {"sear", "earc", "arch"}) == "aceh"
    assert free_prefix("a", {"axxx", "xaxx", "xxax", "xxxa"}) == "axx0"


def test_a_name_without_any_prefix_left_is_refused() -> None:
    class Everything(set[str]):
        def __contains__(self, _prefix: object) -> bool:
            return True

    with pytest.raises(PrefixError, match="'a'"):
        free_prefix("a", Everything())
