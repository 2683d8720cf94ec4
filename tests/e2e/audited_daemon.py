"""The daemon with Python's audit hook in place: what it does that it never should is written to a file.

Run as a module it is the program. `AUDIT_CONTROL` makes the loading of its network do one of those things.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_NEVER = (
    *("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "subprocess.Popen"),
    *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto", "socket.sendmsg"),
    *("pickle.find_class", "urllib.Request", "http.client.connect"),
)
_NOT_BEYOND_THIS_HOST = ("socket.connect", "socket.bind")


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    is_network = event in _NOT_BEYOND_THIS_HOST and getattr(arguments[0], "family", None) != socket.AF_UNIX
    if event in _NEVER or is_network:
        with Path(os.environ["AUDIT_LOG"]).open("a") as log:
            log.write(f"{event}\n")


def _connect() -> None:
    with socket.socket() as peer:
        peer.connect_ex(("127.0.0.1", 9))


CONTROLS: dict[str, tuple[str, Callable[[], object]]] = {
    "connect": ("socket.connect", _connect),
    "look up": ("socket.getaddrinfo", lambda: socket.getaddrinfo("localhost", 9)),
    "spawn": ("subprocess.Popen", lambda: subprocess.run(["true"], check=True)),
    "unpickle": ("pickle.find_class", lambda: __import__("pickle").loads(b"cos\ngetpid\n.")),
}
"""For each name what is seen of it, and what does it."""


if __name__ == "__main__":
    from wilor_sidecar.cli import serve
    from wilor_sidecar.cli.main import main

    sys.addaudithook(_audit)
    load = serve._load
    control = os.environ.get("AUDIT_CONTROL", "")

    def load_and_misbehave(model: str) -> object:
        """What the control asks for, then the network as ever."""
        if control:
            CONTROLS[control][1]()
        return load(model)

    serve._load = load_and_misbehave  # type: ignore[assignment]
    sys.exit(main())
