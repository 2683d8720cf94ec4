"""Listen to the daemon: the hands of a source as they come, newest first."""

import time
from collections.abc import Iterator

import zmq

from wilor_client.addresses import default_events_address
from wilor_client.connection import Connection
from wilor_client.errors import BadReplyError
from wilor_client.keys import ClientKeys
from wilor_protocol.codec import MalformedError, decode_event, subscription
from wilor_protocol.events import HandsEvent, hands_topic, joints_topic


class HandEvents(Connection):
    """The events of one source. Use it in a `with`, from one thread; iterate it, or call `next`.

    By default only the newest event is kept: a program that is slower than the camera skips, and is never late.

    Attributes:
        missed: events of this source that were never seen here, skipped ones among them.
    """

    def __init__(
        self,
        source: str,
        address: str | None = None,
        *,
        mesh: bool = True,
        only_newest: bool = True,
        keys: ClientKeys | None = None,
    ) -> None:
        """Subscribe, without waiting for anybody; the daemon may start later, or restart.

        Args:
            source: as the sender of the frames calls itself.
            address: of the daemon's events, as `hello` tells it; None: where a daemon of this user publishes.
            mesh: with vertices and MANO's parameters, 10 KB a hand; else without, under 1 KB.
            only_newest: keep only the newest event; else all, in order, up to some hundreds.
            keys: for a daemon that asks for them, over TCP; its events are one port after its requests.
        """
        super().__init__(zmq.SUB, address or default_events_address(), keys)
        self.missed = 0
        self._last: tuple[str, int] | None = None
        self._socket.setsockopt(zmq.CONFLATE, int(only_newest))
        self._socket.setsockopt(zmq.SUBSCRIBE, subscription(hands_topic(source) if mesh else joints_topic(source)))
        self._connect()

    def __iter__(self) -> Iterator[HandsEvent]:
        """Events for ever; wait for each."""
        while True:
            event = self.next()
            if event is not None:
                yield event

    def next(self, timeout_ms: int | None = None) -> HandsEvent | None:
        """The newest event that has not been returned yet.

        Args:
            timeout_ms: how long to wait for it; None: for ever.

        Returns:
            None when none came in time.

        Raises:
            BadReplyError: what came is not of this protocol.
            ForkedError: this process is a fork of the one that made it.
        """
        self._require_own_process()
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            left_ms = None if deadline is None else max(0, round((deadline - time.monotonic()) * 1000))
            if not self._socket.poll(left_ms):
                return None
            try:
                _, event = decode_event(self._socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                continue
            except MalformedError as error:
                raise BadReplyError(str(error)) from error
            if isinstance(event, HandsEvent):
                self._count_missed(event)
                return event

    def _count_missed(self, event: HandsEvent) -> None:
        """Numbers start again with each life of the daemon, and when it has long not heard of the source."""
        if self._last is not None and self._last[0] == event.epoch:
            self.missed += max(0, event.seq - self._last[1] - 1)
        self._last = (event.epoch, event.seq)
