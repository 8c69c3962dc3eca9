"""The first program inside a sandbox: it listens for what may go out, and starts the agent."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading

CANNOT_START = 127

Way = tuple[str, str]
"""An endpoint, as HOST:PORT, and the address inside that leads to it."""


def main() -> None:
    """Start the program after `--`; before it stand the gate and the ways that lead to it."""
    cut = sys.argv.index("--")
    (gate, *told), argv = sys.argv[1:cut], sys.argv[cut + 1 :]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if not gate:
            os.execvp(argv[0], argv)  # noqa: S606 - which is the point
        sys.exit(_attend(int(gate), [*zip(told[::2], told[1::2], strict=True)], argv))
    except OSError as error:
        sys.stderr.write(f"mittelo: {argv[0]} cannot be started in the sandbox: {error}\n")
        sys.exit(CANNOT_START)


def _attend(gate: int, ways: list[Way], argv: list[str]) -> int:
    """Start the agent once all ways are open, and keep them open until it is gone."""
    signal.signal(signal.SIGINT, lambda *_: None)  # the agent hears it for itself
    doors = selectors.DefaultSelector()
    for endpoint, address in ways:
        doors.register(_listen(endpoint, address), selectors.EVENT_READ, endpoint)
    agent = subprocess.Popen(argv)
    out = socket.socket(fileno=gate)
    threading.Thread(target=_hand_out, args=(doors, out), daemon=True).start()
    code = agent.wait()
    return code if code >= 0 else 128 - code


def _listen(endpoint: str, address: str) -> socket.socket:
    port = int(endpoint.rpartition(":")[2])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)


def _hand_out(doors: selectors.BaseSelector, out: socket.socket) -> None:
    """Give each connection that comes in to the warden, who is outside."""
    while True:
        for key, _ in doors.select():
            assert isinstance(key.fileobj, socket.socket)  # noqa: S101 - as it was registered
            connection, _ = key.fileobj.accept()
            with connection:
                socket.send_fds(out, [key.data.encode()], [connection.fileno()])


if __name__ == "__main__":
    main()
