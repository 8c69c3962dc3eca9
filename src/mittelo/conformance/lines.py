"""Rules of the lines: framing, ids, order, errors."""
# ruff: noqa: D401 - the docstrings are the rules, as they are printed

import json
from collections.abc import Callable

from mittelo.conformance.bench import Bench
from mittelo.conformance.talk import Talk, equal, expect

LONGEST_LINE = 16 * 1024 * 1024
PIPELINED = 300


def the_id_comes_back(bench: Bench) -> None:
    """Any JSON value as id comes back as it was written."""
    for written in (b"1", b'"x"', b"null", b"[1,{}]", b'{"a":1}', b"true", b"12345678901234567890"):
        bench.talk.send(b'{"id":%b,"method":"stats","params":{}}\n' % written)
        found = bench.talk.reply()
        equal(found["id"], json.loads(written), "the id")


def params_may_be_left_out(bench: Bench) -> None:
    """Params may be left out or null."""
    bench.talk.send(b'{"id":1,"method":"stats"}\n{"id":2,"method":"stats","params":null}\n')
    for _ in range(2):
        error = bench.talk.reply()["error"]
        expect(error is None, f"refused: {error}")


def unknown_fields_are_passed_over(bench: Bench) -> None:
    """Fields that the hub does not know are passed over."""
    bench.talk.send(b'{"id":1,"method":"stats","params":{"odd":1},"odder":[]}\n')
    error = bench.talk.reply()["error"]
    expect(error is None, f"refused: {error}")


def replies_come_in_order(bench: Bench) -> None:
    """Many requests sent without waiting are answered in their order."""
    lines = [b'{"id":%d,"method":"stats"}\n' % number for number in range(PIPELINED)]
    lines[::3] = [line.replace(b"stats", b"nothing") for line in lines[::3]]
    bench.talk.send(b"".join(lines))
    for number in range(PIPELINED):
        equal(bench.talk.reply()["id"], number, "the id of the next reply")


def reads_see_what_came_before(bench: Bench) -> None:
    """A request that reads sees the changes sent before it."""
    for number in range(20):
        bench.talk.ask("enqueue", **bench.fields(f"number {number}"))
        bench.talk.ask("list", limit=1)
    for number in range(20):
        task_id = bench.note(bench.talk.reply()["result"])
        newest = bench.talk.reply()["result"]["tasks"][0]
        if bench.hub.quiet:
            equal(
                (newest["task_id"], newest["prompt"]), (task_id, f"number {number}"), "the newest"
            )


def lines_come_in_pieces(bench: Bench) -> None:
    """A line may come in pieces, with the beginning of the next one."""
    for piece in (b'{"id":1,"meth', b'od":"stats"}', b'\n{"id":2,"method":"sta', b'ts"}\n'):
        bench.talk.send(piece)
    equal([bench.talk.reply()["id"] for _ in range(2)], [1, 2], "the ids")


def texts_come_back_whole(bench: Bench) -> None:
    """A prompt and a result of any characters and a MiB come back as they were."""
    text = '\x00\x1b"\\/\u2028äöü漢字🙂\n\r\t' + "x" * (1 << 20)
    task = bench.new(text)
    expect(task["prompt"] == text, "the leased prompt is another")
    bench.ack(task, "done", result=text)
    found = bench.get(task["task_id"])
    expect(found["prompt"] == text, "the prompt is another")
    expect(found["result"] == text, "the result is another")


def a_half_closed_connection_is_answered(bench: Bench) -> None:
    """After closing its side a client is answered, and nothing waits any longer."""
    bench.must_be_alone()
    bench.talk.ask("stats")
    asked = {"worker_id": bench.worker, "backends": [bench.backend], "wait_seconds": 600}
    bench.talk.ask("lease", **asked)
    bench.talk.end_writing()
    expect(bench.talk.reply()["error"] is None, "stats was refused")
    bench.keep(bench.talk.reply()["result"])
    expect(bench.talk.is_closed(), "the hub keeps the connection open")


def a_long_line_is_taken(bench: Bench) -> None:
    """A line may be 16 MiB long."""
    head, tail = b'{"id":1,"method":"stats","params":{"odd":"', b'"}}'
    bench.talk.send(head + b"x" * (LONGEST_LINE - len(head) - len(tail)) + tail + b"\n")
    error = bench.talk.reply()["error"]
    expect(error is None, f"refused: {error}")


def a_longer_line_ends_the_connection(bench: Bench) -> None:
    """A longer line is answered with too_large, then the connection is closed."""
    bench.talk.send(b'{"id":1,"method":"stats","params":{"odd":"')
    bench.talk.send(b"x" * LONGEST_LINE)
    bench.talk.refusal("too_large", "a line of more than 16 MiB")
    bench.talk.end_writing()
    expect(bench.talk.is_closed(), "the hub keeps the connection open")


_NO_JSON = (b"nonsense", b'{"id":1', b"\xff\xfe", b'{"id":1,"method":"stats"} more')
_NO_REQUEST = (b"[]", b'"stats"', b"7", b"{}", b'{"id":1}', b'{"method":7}')
_WRONG_PARAMS = (b'{"method":"stats","params":[]}', b'{"method":"enqueue","params":{}}')


def _all_refused(talk: Talk, code: str, lines: tuple[bytes, ...]) -> None:
    for line in lines:
        talk.send(line + b"\n")
        talk.refusal(code, line.decode(errors="replace"))
    talk.call("stats")


def what_is_no_json(bench: Bench) -> None:
    """What is no JSON is refused with bad_json, and the connection lives on."""
    _all_refused(bench.talk, "bad_json", _NO_JSON)


def what_is_no_request(bench: Bench) -> None:
    """What is no request is refused with bad_request, and the connection lives on."""
    _all_refused(bench.talk, "bad_request", _NO_REQUEST + _WRONG_PARAMS)


def unknown_methods(bench: Bench) -> None:
    """A method that is not known is refused with unknown_method, with the id of the request."""
    bench.talk.send(b'{"id":"mine","method":"nothing"}\n')
    found = bench.talk.reply()
    equal(found["id"], "mine", "the id")
    expect(found["error"] is not None, "it was answered")
    equal(found["error"]["code"], "unknown_method", "the code")


def wrong_fields_are_named(bench: Bench) -> None:
    """A field of a wrong type is refused with bad_request, and named by its path."""
    for field, value in (("prompt", 1), ("priority", "high"), ("tags", "x")):
        error = bench.talk.refused("bad_request", "enqueue", **{"prompt": "x", field: value})
        expect(field in str(error.get("path")), f"the path for {field} is {error.get('path')!r}")


def hello_says_who_answers(bench: Bench) -> None:
    """`hello` tells server, version, protocol and role."""
    token = {"token": bench.hub.place.token} if bench.hub.place.token else {}
    found = bench.talk.call("hello", client="conformance", protocol=2, **token)
    expect({"server", "version", "protocol", "role"} <= set(found), f"it answers {found}")
    equal(found["protocol"], 2, "the protocol")


def strangers_are_refused(bench: Bench) -> None:
    """A hub with tokens answers unauthorized before `hello`, and to a wrong token."""
    with Talk(bench.hub.place, greet=False) as talk:
        talk.refused("unauthorized", "stats")
        talk.refused("unauthorized", "hello", token="a token that nobody has")  # noqa: S106
        talk.refused("unauthorized", "stats")


RULES: dict[str, Callable[[Bench], None]] = {
    "line.id": the_id_comes_back,
    "line.params": params_may_be_left_out,
    "line.unknown-fields": unknown_fields_are_passed_over,
    "line.order": replies_come_in_order,
    "line.reads-see-changes": reads_see_what_came_before,
    "line.pieces": lines_come_in_pieces,
    "line.texts": texts_come_back_whole,
    "line.half-closed": a_half_closed_connection_is_answered,
    "line.long": a_long_line_is_taken,
    "line.too-long": a_longer_line_ends_the_connection,
    "error.bad-json": what_is_no_json,
    "error.bad-request": what_is_no_request,
    "error.unknown-method": unknown_methods,
    "error.path": wrong_fields_are_named,
    "hello.answer": hello_says_who_answers,
}
WITH_TOKENS: dict[str, Callable[[Bench], None]] = {"hello.token": strangers_are_refused}
