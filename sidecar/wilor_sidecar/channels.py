"""The daemon's two sockets: requests come in and replies go out by one, events go out by the other.

They move bytes and know ZeroMQ; what the bytes mean is not theirs, nor where the sockets are bound. Every send and
receive is non-blocking.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from wilor_protocol.limits import MAX_FRAME_BYTES, MAX_SOURCE_LENGTH
from wilor_sidecar.jobs import Route

_LINGER_MS = 200
_HANDSHAKE_MS = 5000
_MAX_FRAMES = 8
_REQUESTS_KEPT_PER_CLIENT = 32
"""Beyond them its own socket has to wait: 32 of the largest are 50 MB of our memory."""
_REPLIES_KEPT_PER_CLIENT = 256
"""For a client that does not read: 256 of the largest are 25 MB."""
_EVENTS_KEPT_PER_SUBSCRIBER = 64
_LONGEST_TOPIC = MAX_SOURCE_LENGTH * 4 + 16
_MOST_TOPICS = 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One message from a client.

    Attributes:
        route: where the reply must go.
        body: its one body frame; None when it did not have exactly one.
    """

    route: Route
    body: bytes | None


def _guarded_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    """A socket that no peer can fill without end or keep from closing."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, _LINGER_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    return socket


class RequestChannel:
    """A ROUTER in the place of a REP socket: it can answer out of order, and collect before it answers."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = _guarded_socket(context, zmq.ROUTER)
        self.socket.setsockopt(zmq.RCVHWM, _REQUESTS_KEPT_PER_CLIENT)
        self.socket.setsockopt(zmq.SNDHWM, _REPLIES_KEPT_PER_CLIENT)

    def waiting(self, most: int) -> Iterator[Letter]:
        """The letters that have arrived, at most so many."""
        for _ in range(most):
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            letter = _letter(frames)
            if letter is not None:
                yield letter

    def reply(self, route: Route, body: bytes) -> None:
        """Send a reply. To a client that has gone it is dropped; to one that does not read, too."""
        self.socket.send_multipart([*route, body], zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket; replies on their way get a moment."""
        self.socket.close()


def _letter(frames: list[bytes]) -> Letter | None:
    """Part the frames at the first empty one. Without one nobody could match a reply: the message is dropped."""
    try:
        end = frames.index(b"", 1) + 1
    except ValueError:
        return None
    bodies = frames[end:]
    body = bodies[0] if len(bodies) == 1 and len(frames) <= _MAX_FRAMES else None
    return Letter(tuple(frames[:end][:_MAX_FRAMES]), body)


class EventChannel:
    """An XPUB: it publishes without ever waiting, and sees who subscribes to what.

    ZeroMQ tells of an unsubscription also when the peer had never subscribed, and others still are. So a topic that
    was unsubscribed from is only doubtful: it goes on being published, until the last connection that had it ends.

    Attributes:
        topics: that somebody subscribes to, as the bytes that events must start with.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = _guarded_socket(context, zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, _EVENTS_KEPT_PER_SUBSCRIBER)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # tell of every subscription, not only of a topic's first
        self.topics: set[bytes] = set()
        self._doubtful: set[bytes] = set()
        self._is_crowded = False

    def new_subscriptions(self, most: int) -> Iterator[bytes]:
        """The topics that were subscribed to since the last call, at most so many; keeps `topics` up to date."""
        for _ in range(most):
            try:
                message = self.socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            kind, topic = message.bytes[:1], message.bytes[1:]
            if kind == b"\1" and len(topic) <= _LONGEST_TOPIC:
                self._remember(topic)
                yield topic
            elif kind == b"\0":
                self._forget(topic, is_certain=_is_from_libzmq(message))

    def has_subscriber(self, topic: bytes) -> bool:
        """Whether somebody might get an event that starts like this."""
        return self._is_crowded or any(
            topic.startswith(prefix) for topics in (self.topics, self._doubtful) for prefix in topics
        )

    def _remember(self, topic: bytes) -> None:
        """Beyond so many topics we lose count, and take it that somebody listens to everything."""
        if topic in self.topics or len(self.topics) < _MOST_TOPICS:
            self.topics.add(topic)
            self._doubtful.discard(topic)
        else:
            self._is_crowded = True

    def _forget(self, topic: bytes, *, is_certain: bool) -> None:
        if is_certain:
            self._doubtful.discard(topic)
        elif topic not in self.topics:
            return
        elif len(self._doubtful) < _MOST_TOPICS:
            self._doubtful.add(topic)
        else:
            self._is_crowded = True
        self.topics.discard(topic)

    def publish(self, frame: bytes) -> None:
        """Send an event to whoever keeps up; the others lose it."""
        self.socket.send(frame, zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket; events on their way get a moment."""
        self.socket.close()


def _is_from_libzmq(message: zmq.Frame) -> bool:
    """Whether it says that a connection has ended; what a peer says comes with the peer's address."""
    try:
        message.get("Peer-Address")
    except zmq.ZMQError:
        return True
    return False
