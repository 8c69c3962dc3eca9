"""`mittelo enqueue`: add tasks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json
from mittelo.cli.working import tell
from mittelo.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from mittelo.core.requests import Enqueue
    from mittelo.hub.client import HubClient

STDIN = "-"


@click.command("enqueue")
@click.argument("source", required=False)
@click.option("--prompt", help="The prompt itself.")
@click.option("--file", "file", help="Read the prompt from a file; - is stdin.")
@click.option("--jsonl", help="Read tasks from a file, a JSON object with `prompt` on each line.")
@click.option("--pack", help="Tasks that come with mittelo, such as hello or stress.")
@click.option("--priority", default=0, help="Higher goes first.")
@click.option("--backend", help="Only workers of this backend may run it.")
@click.option("--tag", "tags", multiple=True, help="A label; repeatable.")
@click.option("--after", multiple=True, type=int, help="Run when this task is done; repeatable.")
@click.option("--dedupe-key", help="Add nothing if there is a task with this key.")
@click.option("--wait", is_flag=True, help="Wait for the end, and print the results.")
@as_json
@asks_hub
@click.pass_context
def command(
    context: click.Context,
    /,
    hub: "HubClient",
    source: str | None,
    prompt: str | None,
    file: str | None,
    jsonl: str | None,
    pack: str | None,
    wait: bool,
    as_json: bool,
    **fields: Any,  # noqa: ANN401 - looked at like those of a file
) -> None:
    """Add a task, or many from --jsonl, and print their ids, one a line.

    With - as the argument the prompt is read from stdin. --wait prints results instead of ids, in
    the order of the tasks; exit 1 if one failed or was cancelled. Ctrl+C leaves them in the queue.
    """
    given = {"--prompt": prompt, "--file": file, "--jsonl": jsonl, "--pack": pack}
    given["argument"] = source
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1 or source not in {None, STDIN}:
        raise UsageError(
            "Exactly one of --prompt, --file, --jsonl, --pack or - names what to enqueue.",
            "For example: mittelo enqueue --prompt 'Say hello'",
        )
    fields = {name: value for name, value in fields.items() if value not in {None, (), 0}}
    if pack is not None:
        from mittelo.cli.packs import pack_file

        jsonl = pack_file(pack)
    if jsonl is not None:
        tasks = _tasks(_read(jsonl), jsonl, fields)
    else:
        text = prompt if prompt is not None else _text(_read(file or STDIN), file or STDIN)
        tasks = [_task({**fields, "prompt": text}, "The task")]
    if wait:
        context.exit(0 if _serve(hub, tasks, as_json=as_json) else 1)
    ids = _enqueue(hub, tasks)
    if as_json:
        show_json({"task_ids": ids})
    else:
        say("\n".join(map(str, ids)))


def _enqueue(hub: "HubClient", tasks: list["Enqueue"]) -> list[int]:
    if len(tasks) == 1:
        return [hub.enqueue(tasks[0])]
    return hub.enqueue_many(tasks)


def _serve(hub: "HubClient", tasks: list["Enqueue"], *, as_json: bool) -> bool:
    """Enqueue tasks, wait for them and print what came of them; tell whether all are done."""
    from mittelo.cli.awaiting import Awaited, follow, look, progress
    from mittelo.cli.results import show_facts, show_results

    began = hub.events().next
    ids = _enqueue(hub, tasks)
    try:
        tell(f"{_named(ids)} in the queue.")
        awaited = Awaited(ids)
        if any(task.dedupe_key for task in tasks):  # it may have ended before we came
            look(hub, awaited)
        with progress(len(awaited.open) + len(awaited.ended)) as draw:
            draw(awaited)
            follow(hub, awaited, began, draw)
        return show_facts(hub, ids) if as_json else show_results(hub, ids)
    except KeyboardInterrupt:
        todo = f"mittelo show {ids[0]}" if len(ids) == 1 else "mittelo status"
        tell(f"{_named(ids)} still in the queue. Look again with: {todo}")
        raise Interrupted from None


def _named(ids: list[int]) -> str:
    several = f"{len(ids)} tasks ({min(ids)} to {max(ids)}) are"
    return f"task {ids[0]} is" if len(ids) == 1 else several


def _read(path: str) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.", "Name another file.") from error


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text.", "Convert it first.") from error


def _tasks(content: bytes, path: str, fields: dict[str, Any]) -> list["Enqueue"]:
    """Return the tasks of a file; a bad line is named, and nothing is enqueued then."""
    import msgspec

    from mittelo.core.requests import MAX_AT_ONCE

    tasks = []
    for number, line in enumerate(content.splitlines(), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line, type=dict[str, Any])
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}: {error}.", "Nothing was enqueued.") from error
        tasks.append(_task({**fields, **found}, where))
    if not tasks:
        raise UsageError(
            f"{path} holds no task.", "Write a JSON object with `prompt` on each line."
        )
    if len(tasks) > MAX_AT_ONCE:
        raise UsageError(f"{path} holds more than {MAX_AT_ONCE:,} tasks.", "Split it.")
    return tasks


def _task(fields: dict[str, Any], where: str) -> "Enqueue":
    import msgspec

    from mittelo.core.requests import Enqueue

    unknown = [name for name in fields if name not in Enqueue.__struct_fields__]
    if unknown:
        known = ", ".join(Enqueue.__struct_fields__)
        raise UsageError(f"{where}: there is no field {unknown[0]!r}.", f"Known are: {known}")
    try:
        task = msgspec.convert(fields, Enqueue, strict=True)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}.", "Nothing was enqueued.") from error
    if not task.prompt.strip():
        raise UsageError(f"{where}: the prompt is empty.", "Nothing was enqueued.")
    return task
