"""The daemon's two sockets, reachable over TCP as well, when asked.

Requests are answered at the port that was asked for, events published at the next one. Beyond the loopback, and
wherever keys have been made, both sides prove who they are and everything is encrypted (CURVE).
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator

from wilor_sidecar.config import ConfigError
from wilor_sidecar.config.host_port import HostPort
from wilor_sidecar.keys import KeyRing, KeysError
from wilor_sidecar.socket_places import SocketPlaces
from wilor_sidecar.tcp_gate import TcpGate

log = logging.getLogger(__name__)

_DOMAIN = "tcp"
Socket = zmq.Socket[bytes]


class TcpDoor:
    """Opens sockets to TCP, and looks at the keys of whoever comes in."""

    def __init__(self, where: HostPort, keys: KeyRing) -> None:
        """Open nothing yet.

        Args:
            where: of requests; events are one port further.
            keys: with the daemon's pair in it, only its clients come in.

        Raises:
            ConfigError: other machines could reach it and there are no keys; or the keys cannot be read.
        """
        self._where = where
        self._keys = keys
        try:
            self._pair = keys.daemon()
        except KeysError as error:
            raise ConfigError(str(error)) from error
        if self._pair is None and not where.is_loopback:
            raise ConfigError(
                f"tcp: at {where} other machines could connect, and there are no keys to tell who may: "
                "make some with `wilor-sidecar keys add NAME`"
            )
        self._authenticator: ThreadAuthenticator | None = None
        self._gate = TcpGate()

    def open(self, context: zmq.Context[Socket], requests: Socket, events: Socket, places: SocketPlaces) -> None:
        """Bind both sockets, which may be bound elsewhere already: there nothing changes.

        Args:
            context: of the sockets.
            requests: answers.
            events: publishes.
            places: where they are bound, for what comes through the gate.

        Raises:
            ConfigError: a port is taken, or the address is not this machine's.
        """
        if self._pair is None:
            log.warning("every user of this machine can connect to %s: there are no keys", self._where)
        else:
            self._authenticator = ThreadAuthenticator(context)
            self._authenticator.start()
            self._authenticator.configure_curve_callback(_DOMAIN, credentials_provider=_Guard(self._keys))
        ports = (self._where, HostPort(self._where.host, self._where.port + 1))
        insides = (places.directory.tcp_requests, places.directory.tcp_events)
        for socket, where, inside in zip((requests, events), ports, insides, strict=True):
            places.bind(socket, inside, self._keys_required)
            self._lead(where, inside)
        self._gate.start()

    def forget_keys(self) -> None:
        """Look at nobody's any more; before the context ends."""
        if self._authenticator is not None:
            self._authenticator.stop()

    def close(self) -> None:
        """Close the ports; after the context has ended, so that the last replies still go out."""
        self._gate.close()

    def _lead(self, where: HostPort, inside: Path) -> None:
        try:
            self._gate.listen(where, inside)
        except OSError as error:
            raise ConfigError(f"tcp: cannot listen at {where}: {os.strerror(error.errno or 0)}") from error
        log.info("also at tcp://%s%s", where, ", with keys" if self._pair else "")

    @contextmanager
    def _keys_required(self, socket: Socket) -> Iterator[None]:
        """What the socket is bound to meanwhile asks for keys, if there are any; what it is bound to later does not.

        The authenticator lets everybody in who comes without keys: the domain alone changes nothing.
        """
        if self._pair is not None:
            socket.setsockopt_string(zmq.ZAP_DOMAIN, _DOMAIN)
            socket.setsockopt_string(zmq.CURVE_SECRETKEY, self._pair.secret)
            socket.setsockopt(zmq.CURVE_SERVER, 1)
        try:
            yield
        finally:
            socket.setsockopt(zmq.CURVE_SERVER, 0)


class _Guard:
    """Says who may come in. It reads the folder each time: a client that was added or removed needs no restart."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - the authenticator's interface
        """Whether this public key, in Z85, is a client's."""
        known = key.decode("ascii", "replace") in self._keys.clients().values()
        if not known:
            log.warning("somebody with an unknown key was turned away: %s", key.decode("ascii", "replace"))
        return known
