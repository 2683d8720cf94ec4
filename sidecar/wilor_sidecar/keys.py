"""Who may reach the daemon over TCP: the daemon's own keys, and the public keys of its clients, in a private folder.

`daemon.toml` holds the daemon's pair, `clients/NAME.toml` a client's public key. A client's secret key is handed out
once, in a file of its own, and not kept.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import zmq

from wilor_protocol.private_directory import NotPrivateError, make_private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeysError(Exception):
    """Keys cannot be read, made or removed; the text says which and why."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """CURVE keys in Z85, 40 characters each."""

    public: str
    secret: str


class KeyRing:
    """The folder of keys."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self._folder = folder
        self._daemon_file = folder / "daemon.toml"
        self._clients_folder = folder / "clients"

    def daemon(self) -> KeyPair | None:
        """The daemon's keys; None when none have been made.

        Raises:
            KeysError: they cannot be read, or others can read them too.
        """
        try:
            if not self._daemon_file.exists():
                return None
            make_private(self._folder)
            found = tomllib.loads(self._daemon_file.read_text(encoding="utf-8"))
            return KeyPair(str(found["public"]), str(found["secret"]))
        except NotPrivateError as error:
            raise KeysError(f"keys: {error}") from error
        except (OSError, ValueError, KeyError) as error:
            raise KeysError(f"keys: {self._daemon_file} cannot be read: {error}") from error

    def clients(self) -> dict[str, str]:
        """Public keys by name; a file that cannot be read lets nobody in."""
        found = {}
        for path in sorted(self._clients_folder.glob("*.toml")):
            try:
                found[path.stem] = str(tomllib.loads(path.read_text(encoding="utf-8"))["public"])
            except (OSError, ValueError, KeyError):
                continue
        return found

    def add(self, name: str, out: Path) -> None:
        """Make keys for a client, and the daemon's too if it has none yet.

        Args:
            name: for people; letters, digits, dot, hyphen and underscore.
            out: the file for the client, made with mode 0600: it holds the client's secret key.

        Raises:
            KeysError: the name is none, or is taken; `out` exists or cannot be written; the folder is open to others.
        """
        if not _NAME.fullmatch(name):
            raise KeysError(f"name: expected letters, digits, dots, hyphens and underscores, got {name!r}")
        known = self._clients_folder / f"{name}.toml"
        if known.exists():
            raise KeysError(f"name: there are keys for {name} already; remove them first")
        if out.exists():
            raise KeysError(f"out: {out} is there already")
        try:
            make_private(self._folder)
            make_private(self._clients_folder)
            daemon = self.daemon() or self._make_daemon()
            client = _new_pair()
            _write(out, _text_of("for a client: keep this file to yourself", client, daemon))
            _write(known, f'public = "{client.public}"\n')
        except NotPrivateError as error:
            raise KeysError(f"keys: {error}") from error
        except OSError as error:
            raise KeysError(f"keys: {error.filename}: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Let a client in no more. Connections that it has stay until they end.

        Raises:
            KeysError: there is none of this name.
        """
        path = self._clients_folder / f"{name}.toml"
        if not _NAME.fullmatch(name) or not path.exists():
            raise KeysError(f"name: there are no keys for {name!r}; there are: {', '.join(self.clients()) or 'none'}")
        path.unlink()

    def _make_daemon(self) -> KeyPair:
        pair = _new_pair()
        _write(self._daemon_file, _text_of("the daemon's: keep this file to yourself", pair, None))
        return pair


def _new_pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def _text_of(title: str, pair: KeyPair, daemon: KeyPair | None) -> str:
    """Z85 has neither quotation marks nor backslashes."""
    lines = [f"# wilor-sidecar's CURVE keys, {title}", f'public = "{pair.public}"', f'secret = "{pair.secret}"']
    if daemon:
        lines.append(f'daemon_public = "{daemon.public}"')
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """A new private file, never over another one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
