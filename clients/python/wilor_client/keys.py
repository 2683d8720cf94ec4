"""The keys of a client that reaches its daemon over TCP; PROTOCOL.md, "Over TCP", says how they are used."""

import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import zmq

from wilor_client.errors import HandClientError

_KEY_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """CURVE keys in Z85, 40 characters each.

    Attributes:
        daemon_public: the daemon's; nobody else can pass for it.
        public: the client's; the daemon lets it in by this one.
        secret: the client's, for nobody else to see.
    """

    daemon_public: str
    public: str
    secret: str

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that `wilor-sidecar keys add` made.

        Raises:
            HandClientError: it cannot be read, is open to other users, or is no such file; says which.
        """
        path = Path(path)
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HandClientError(f"keys: {path} cannot be read: {error}") from error
        if mode & 0o077:
            raise HandClientError(f"keys: {path} is open to others (mode {mode:o}); chmod 600 it")
        for name in ("daemon_public", "public", "secret"):
            key = found.get(name)
            if not isinstance(key, str) or len(key) != _KEY_CHARACTERS:
                raise HandClientError(f"keys: {path}: {name}: expected a text of {_KEY_CHARACTERS} characters")
        return cls(found["daemon_public"], found["public"], found["secret"])

    def __repr__(self) -> str:
        return f"ClientKeys(public={self.public!r})"  # a log is no place for the secret

    def put_on(self, socket: zmq.Socket[bytes]) -> None:
        """Let a socket use them; before it connects."""
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, self.daemon_public)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, self.secret)
