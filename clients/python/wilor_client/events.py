"""Listen to the daemon: the hands of a source as they come, newest first; and its states."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

import zmq

from wilor_client.addresses import PathLike, events_address_of
from wilor_client.connection import Connection
from wilor_client.deadline import Deadline
from wilor_client.errors import BadReplyError
from wilor_client.keys import ClientKeys
from wilor_client.pose_event import EventHistory, PoseEvent
from wilor_protocol.checks import require_source
from wilor_protocol.codec import MalformedError, decode_event, subscription
from wilor_protocol.events import STATE_TOPIC, AnyEvent, HandsEvent, StateEvent, hands_topic, joints_topic

Event = TypeVar("Event", PoseEvent, StateEvent)


class _Listener(Connection, Generic[Event]):
    """The events of one topic."""

    def __init__(
        self, topic: str, address: str | None, run_dir: PathLike | None, keys: ClientKeys | None, *, only_newest: bool
    ) -> None:
        options: dict[zmq.SocketOption, int | bytes] = {
            zmq.CONFLATE: int(only_newest),
            zmq.SUBSCRIBE: subscription(topic),
        }
        super().__init__(zmq.SUB, events_address_of(address, run_dir), keys, options)

    def __iter__(self) -> Iterator[Event]:
        """Events for ever; wait for each."""
        while True:
            event = self.next()
            if event is not None:
                yield event

    def next(self, timeout_ms: float | None = None) -> Event | None:
        """The newest event that has not been returned yet.

        Args:
            timeout_ms: how long to wait for it; None: for ever.

        Returns:
            None when none came in time.

        Raises:
            ValueError: a timeout that is none.
            BadReplyError: what came is not of this protocol.
            InUseError, ClosedError, ForkedError, SocketError: the connection cannot be used; see there.
        """
        deadline = Deadline(timeout_ms)
        with self._held():
            for _ in self._ready(zmq.POLLIN, deadline):
                try:
                    _, event = decode_event(self._socket.recv(zmq.NOBLOCK))
                    return self._received(event)
                except zmq.Again:
                    continue
                except MalformedError as error:
                    raise BadReplyError(str(error)) from error
        return None

    @abstractmethod
    def _received(self, event: AnyEvent) -> Event:
        """What is returned for an event of the topic."""


class HandEvents(_Listener[PoseEvent]):
    """The events of one source. Use it in a `with`; iterate it, or call `next`.

    By default only the newest event is kept: a program that is slower than the camera skips, and is never late. When
    there is no hand in the picture, nobody sends one, and no event comes: `next` with a timeout tells.
    """

    def __init__(
        self,
        source: str,
        address: str | None = None,
        *,
        run_dir: PathLike | None = None,
        mesh: bool = True,
        only_newest: bool = True,
        keys: ClientKeys | None = None,
    ) -> None:
        """Subscribe, without waiting for anybody; the daemon may start later, or restart.

        Args:
            source: as the sender of the frames calls itself.
            address: of the daemon's events; None: where a daemon of this user publishes. Over TCP it is one port after
                that of its requests.
            run_dir: in place of the address, the run directory of a daemon that has one of its own.
            mesh: with vertices and MANO's parameters, 10 KB a hand; else without, under 1 KB.
            only_newest: keep only the newest event; else all, in order, up to some hundreds.
            keys: for a daemon that asks for them, over TCP.

        Raises:
            ValueError: an argument is not as described.
            HandClientError: as `HandClient`'s.
        """
        require_source(source)
        self._history = EventHistory()
        topic = hands_topic(source) if mesh else joints_topic(source)
        super().__init__(topic, address, run_dir, keys, only_newest=only_newest)

    def _received(self, event: AnyEvent) -> PoseEvent:
        assert isinstance(event, HandsEvent)  # the topic's kind, by which it was decoded
        return self._history.receive(event)


class StateEvents(_Listener[StateEvent]):
    """The daemon's states: the present one as soon as there is a daemon, then each change, none of them skipped."""

    def __init__(
        self, address: str | None = None, *, run_dir: PathLike | None = None, keys: ClientKeys | None = None
    ) -> None:
        """Subscribe, without waiting for anybody. Arguments and errors are those of `HandEvents`."""
        super().__init__(STATE_TOPIC, address, run_dir, keys, only_newest=False)

    def _received(self, event: AnyEvent) -> StateEvent:
        assert isinstance(event, StateEvent)  # the topic's kind, by which it was decoded
        return event
