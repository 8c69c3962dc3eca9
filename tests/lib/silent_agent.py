"""An agent that never says a word: `silent_agent.py KIND FOLDER PORT PORT6`, one kind of life."""

import os
import socket
import subprocess
import sys
import time

KIND, FOLDER, PORT, PORT6 = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
FOREVER = 300
PORTION = 8192


def compute(share: float) -> None:
    """Use this share of a core."""
    while True:
        began = time.process_time()
        while time.process_time() - began < 0.004:
            sum(range(500))
        time.sleep(0.004 / share - 0.004)


def write() -> None:
    """Write a file little by little, far more than idle programs write."""
    with open(f"{FOLDER}/{os.getpid()}", "wb", buffering=0) as file:  # noqa: PTH123
        while True:
            file.write(b"x" * PORTION)
            file.seek(0)
            time.sleep(0.05)


def read() -> None:
    """Read the same file over and over."""
    while True:
        with open(sys.executable, "rb", buffering=0) as file:  # noqa: PTH123
            file.read(PORTION)
        time.sleep(0.05)


def download(port: int, host: str, wish: bytes = b"stream") -> None:
    """Take what a server gives, a little at a time; `hold` asks for nothing at all."""
    with socket.create_connection((host, port)) as connection:
        connection.sendall(wish + b"\n")
        while connection.recv(PORTION):
            pass


def by_child(kind: str, *, alone: bool = False) -> None:
    """Let another process live this life and wait for it."""
    words = [sys.executable, "-I", "-S", __file__, kind, *sys.argv[2:]]
    subprocess.run(words, check=False, start_new_session=alone)


def by_many() -> None:
    """Work by processes that live shorter than anybody looks."""
    counting = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
    while True:
        subprocess.run(["/bin/sh", "-c", counting], check=False)
        time.sleep(0.2)


def talk_to_self() -> None:
    """Hold a connection to a child, which is none to the world."""
    server = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        connection = socket.create_connection(server.getsockname())
        time.sleep(FOREVER)
        connection.close()
    accepted, _ = server.accept()
    os.wait()
    accepted.close()


def tick() -> None:
    """Do a very little now and then, as an idle runtime does."""
    while True:
        with open("/dev/null", "wb", buffering=0) as file:  # noqa: PTH123
            file.write(b"x" * 64)
        time.sleep(0.05)


def datagrams() -> None:
    """Hold a datagram socket that has a peer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(("127.0.0.1", PORT))
        time.sleep(FOREVER)


LIVES = {
    "cpu": lambda: compute(0.08),
    "write": write,
    "read": read,
    "download": lambda: download(PORT, "127.0.0.1"),
    "download6": lambda: download(PORT6, "::1"),
    "child": lambda: by_child("cpu"),
    "child-alone": lambda: by_child("download", alone=True),
    "many": by_many,
    "asleep": lambda: time.sleep(FOREVER),
    "held": lambda: download(PORT, "127.0.0.1", b"hold"),
    "held6": lambda: download(PORT6, "::1", b"hold"),
    "child-asleep": lambda: by_child("asleep"),
    "self": talk_to_self,
    "tick": tick,
    "datagrams": datagrams,
}
with open(f"{FOLDER}/ready-{os.getpid()}", "wb"):  # noqa: PTH123
    pass
LIVES[KIND]()
