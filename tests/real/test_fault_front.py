"""The faults of the mock model, seen by a plain HTTP client."""

from collections.abc import Mapping
from http.client import HTTPConnection, RemoteDisconnected
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from faults import Cut, Dropped, Garbage, Late, Silence, Status, Stuck
from mock_model import MockModel


class Answer(NamedTuple):
    code: int
    headers: Mapping[str, str]
    body: str


def post(model: MockModel, path: str = "/v1/chat/completions", patience: float = 10) -> Answer:
    connection = HTTPConnection(urlsplit(model.url).netloc, timeout=patience)
    try:
        prompt = b'{"model": "any", "messages": [{"role": "user", "content": "PLAIN-PROBE"}]}'
        connection.request("POST", path, prompt, {"content-type": "application/json"})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        connection.close()


def test_without_a_fault_the_model_answers(model: MockModel) -> None:
    assert "plain answer" in post(model).body


def test_what_is_asked_is_recorded(model: MockModel) -> None:
    seen = model.seen
    post(model)
    (request,) = model.requests(since=seen)
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body["messages"] == [{"role": "user", "content": "PLAIN-PROBE"}]


def test_a_status_comes_with_its_headers_and_body(model: MockModel) -> None:
    model.fault(Status(429, '{"error": "slow down"}', {"retry-after": "3"}))
    code, headers, body = post(model)
    assert (code, headers["retry-after"], body) == (429, "3", '{"error": "slow down"}')


def test_a_fault_meets_the_requests_that_it_is_meant_for(model: MockModel) -> None:
    model.fault(Status(500), path="chat", after=1, times=1)
    assert post(model, "/elsewhere").code == 404
    assert [post(model).code for _ in range(3)] == [200, 500, 200]


def test_a_reset_model_is_well_again(model: MockModel) -> None:
    model.fault(Status(500))
    model.reset()
    assert post(model).code == 200


def test_garbage_is_an_event_stream(model: MockModel) -> None:
    model.fault(Garbage("data: {nonsense"))
    code, headers, body = post(model)
    assert (code, headers["content-type"], body) == (200, "text/event-stream", "data: {nonsense")


def test_a_cut_answer_lacks_its_end(model: MockModel) -> None:
    model.fault(Cut(5))
    assert post(model).body == '{"id"'


def test_a_late_answer_is_whole(model: MockModel) -> None:
    model.fault(Late(0.05))
    assert "plain answer" in post(model).body


def test_a_dropped_connection_has_no_answer(model: MockModel) -> None:
    model.fault(Dropped())
    with pytest.raises(RemoteDisconnected):
        post(model)


@pytest.mark.parametrize("fault", [Silence(), Stuck("data: {")])
def test_a_hanging_model_ends_nothing(model: MockModel, fault: Silence | Stuck) -> None:
    model.fault(fault)
    with pytest.raises(TimeoutError):
        post(model, patience=0.3)
