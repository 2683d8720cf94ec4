"""What the daemon publishes: one ZeroMQ frame each, topic, one NUL byte, one map.

One frame, so that a message is whole or absent and a subscriber may keep only the latest (CONFLATE).
"""

from msgspec import Struct

from wilor_protocol.hands import Hand
from wilor_protocol.replies import ModelInfo, State, Timing
from wilor_protocol.version import Version

STATE_TOPIC = "state"


def hands_topic(source: str) -> str:
    """Topic of a source's complete events."""
    return f"hands/{source}"


def joints_topic(source: str) -> str:
    """Topic of a source's small events: no vertices, no MANO parameters."""
    return f"joints/{source}"


class HandsEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, eq=False):
    """All hands of one frame of one source.

    Attributes:
        seq: counts the source's published frames; a gap means loss.
        epoch: changes when the daemon restarts, and `seq` then starts again.
        source, frame, captured_at_ns: as they came in the request.
        published_at_ns: on the daemon's monotonic clock; minus `captured_at_ns`, the pose's age.
        timing: where the time went.
        model: name of the network.
        hands: in the order of the frame's crops; in `joints/` events without vertices and mano.
        v: the protocol version that the daemon speaks. It has no default here: an event always says it.
        resumed: how often the host has woken from sleep in this epoch. A count, so that a lost event cannot hide it.
            When it changes, what a reader remembers is from before the sleep, however close the frames' times: the
            clock of every `_at_ns` stands still meanwhile.
    """

    seq: int
    epoch: str
    source: str
    frame: int
    captured_at_ns: int
    published_at_ns: int
    timing: Timing
    model: str
    hands: list[Hand]
    v: Version
    resumed: int = 0


class StateEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The daemon's state: when it changes, when the host has slept, and to each new subscriber of `state`.

    Attributes:
        seq: counts state events; a gap means loss.
        published_at_ns: on the daemon's monotonic clock.
        model: None until it is loaded.
        v: the protocol version that the daemon speaks.
        resumed: as in `HandsEvent`.
    """

    seq: int
    epoch: str
    published_at_ns: int
    state: State
    reason: str
    model: ModelInfo | None
    v: Version
    resumed: int = 0


AnyEvent = HandsEvent | StateEvent
