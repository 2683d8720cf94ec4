"""The way in from TCP to sockets in the run directory, for so many connections and no more.

libzmq takes every connection that comes, keeps up to a whole message of it before it has proved who it is, and aborts
the process when no descriptor is left. So it does not listen to TCP itself: strangers can fill this gate, and then
nobody else comes in by it, but the daemon and those who come by the run directory do not notice.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from pathlib import Path

from wilor_sidecar.config.host_port import HostPort

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 32
"""By each port. Of one that has proved nothing libzmq keeps one message at most: 128 MB for both ports."""
_CHUNK_BYTES = 1 << 16
_BACKLOG = 16
_LAST_BYTES_S = 0.5
_PATIENCE_S = 10.0
"""With somebody who takes nothing of what he is sent. Meanwhile nobody sees that the daemon has hung up on him."""


class TcpGate:
    """Carries bytes between TCP connections and Unix-domain sockets, on a thread of its own."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp", daemon=True)
        self._listening: list[socket.socket] = []
        self._passages: list[_Passage] = []

    def listen(self, where: HostPort, inside: Path) -> None:
        """Take a port; before `start`.

        Args:
            where: an address of this machine.
            inside: the socket that connections are led to.

        Raises:
            OSError: the port is taken, or the address is not this machine's.
        """
        is_dual = where.host.version == 6 and socket.has_dualstack_ipv6()
        outside = socket.create_server(
            (str(where.host), where.port), family=where.family, backlog=_BACKLOG, dualstack_ipv6=is_dual
        )
        self._listening.append(outside)
        self._passages.append(_Passage(where, inside))

    def start(self) -> None:
        """Let connections in."""
        self._thread.start()
        for outside, passage in zip(self._listening, self._passages, strict=True):
            opening = asyncio.start_server(passage.lead_in, sock=outside, limit=_CHUNK_BYTES, backlog=_BACKLOG)
            asyncio.run_coroutine_threadsafe(opening, self._loop).result()

    def close(self) -> None:
        """Let nobody in any more. What is on its way out gets a moment, once the sockets inside are closed."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        for outside in self._listening:
            outside.close()

    async def _end(self) -> None:
        tasks = [task for passage in self._passages for task in passage.open]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST_BYTES_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class _Passage:
    """From one port to one socket.

    Attributes:
        open: the connections that are being carried.
    """

    def __init__(self, where: HostPort, inside: Path) -> None:
        self.open: set[asyncio.Task[None]] = set()
        self._where = where
        self._inside = inside

    def lead_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody has connected."""
        if len(self.open) >= MOST_CONNECTIONS:
            log.warning("a connection to %s was turned away: there are %d already", self._where, MOST_CONNECTIONS)
            writer.transport.abort()
            return
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self.open.add(task)
        task.add_done_callback(self.open.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways, until one side ends."""
        try:
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._inside, limit=_CHUNK_BYTES)
        except OSError as error:
            log.warning("a connection to %s leads nowhere: %s: %s", self._where, self._inside, error.strerror)
            writer.transport.abort()
            return
        ways = [
            asyncio.create_task(_copy(reader, inner_writer, None)),
            asyncio.create_task(_copy(inner_reader, writer, _PATIENCE_S)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await _let_go(inner_writer)
            await _let_go(writer)


async def _let_go(writer: asyncio.StreamWriter) -> None:
    """Close it once what was written is out; whoever does not read it does not get it."""
    writer.close()
    try:
        async with asyncio.timeout(_LAST_BYTES_S):
            await writer.wait_closed()
    except OSError:
        writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience_s: float | None) -> None:
    """What comes goes on, no faster than it is taken, until one side ends or nothing is taken for too long."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            async with asyncio.timeout(patience_s):
                await writer.drain()
