"""Requests made up from the OpenAPI document, right ones and wrong ones: none finds a fault.

More of them: MITTELO_EXAMPLES=500 pytest tests/hub/test_rest_schema.py
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from resthubs import RestHub
from schemathesis import Case, GenerationMode

EXAMPLES = int(os.environ.get("MITTELO_EXAMPLES", "8"))
PLAIN = [
    *("GET /stats", "GET /workers", "GET /health", "POST /tasks/retry_failed"),
]
"""What takes no words cannot be asked wrongly. Only what ends the hub is not here."""

WORDY = [
    *("GET /tasks", "POST /tasks", "GET /tasks/{id}", "POST /tasks/{id}/cancel"),
    *("POST /tasks/{id}/retry", "POST /tasks/purge", "POST /leases", "POST /leases/{id}/renew"),
    *("POST /leases/{id}/ack", "GET /events", "POST /pause", "POST /resume"),
]


@pytest.fixture(scope="module")
def hub() -> Iterator[RestHub]:
    with RestHub() as running:
        yield running


@pytest.mark.parametrize("operation", [*PLAIN, *WORDY])
def test_nothing_asked_rightly_finds_a_fault(hub: RestHub, operation: str) -> None:
    _try(hub, operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", WORDY)
def test_nothing_asked_wrongly_finds_a_fault(hub: RestHub, operation: str) -> None:
    _try(hub, operation, GenerationMode.NEGATIVE)


def _try(hub: RestHub, operation: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{hub.url}/openapi.json")
    method, path = operation.split()
    made_up = schema[path][method].as_strategy(generation_mode=mode)

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=made_up)
    def ask(case: Case[Any]) -> None:
        _do_not_wait(case)
        case.call_and_validate(headers={"Accept": "application/json"})

    ask()


def _do_not_wait(case: Case[Any]) -> None:
    """Ask for an answer at once, where it is asked properly."""
    for words in (case.body, case.query):
        if isinstance(words, dict) and _is_a_time(words.get("wait_seconds")):
            words["wait_seconds"] = 0


def _is_a_time(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return 0 <= float(value) <= 600
    except (TypeError, ValueError):
        return False
