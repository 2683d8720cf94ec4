"""A peer that speaks ZMTP 3.0 byte by byte, for what no ZeroMQ library sends."""

import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_GREETING = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + b"\0" * 31
_WAIT_S = 5.0
MORE = 1


class RawPeer:
    """A connection that has shaken hands."""

    def __init__(self, path: Path, kind: bytes) -> None:
        """Connect to a socket's path and introduce itself as a socket of this kind, such as b"SUB".

        Raises:
            OSError: there is nobody, or the other side has hung up, or says nothing.
        """
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self._shake_hands(path, kind)
        except OSError:
            self.socket.close()
            raise

    def _shake_hands(self, path: Path, kind: bytes) -> None:
        self.socket.settimeout(_WAIT_S)
        self.socket.connect(str(path))
        self.socket.sendall(_GREETING)
        ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        self.socket.sendall(b"\x04" + bytes([len(ready)]) + ready)
        greeted = b""
        while len(greeted) <= len(_GREETING):
            if not (piece := self.socket.recv(4096)):
                raise ConnectionResetError("the other side has hung up")
            greeted += piece

    def send(self, body: bytes, flags: int = 0) -> None:
        """Send one frame."""
        self.socket.sendall(frame(body, flags))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame's bytes."""
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
