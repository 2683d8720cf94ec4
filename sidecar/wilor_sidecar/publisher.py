"""Numbers and publishes events. A frame's event that nobody subscribes to is counted and not encoded."""

import time
from collections import OrderedDict

from wilor_protocol.codec import encode_event, subscription
from wilor_protocol.events import STATE_TOPIC, HandsEvent, StateEvent, hands_topic, joints_topic
from wilor_protocol.hands import Hand
from wilor_protocol.replies import ModelInfo, State, Timing
from wilor_protocol.requests import EstimateRequest
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.channels import EventChannel

_MOST_SOURCES = 1024
_SUBSCRIPTIONS_AT_ONCE = 256


class Publisher:
    """Everything that leaves by the event channel.

    Attributes:
        epoch: of this life of the daemon.
        resumed: how often the host has woken from sleep in it.
    """

    def __init__(self, channel: EventChannel, epoch: str) -> None:
        self.epoch = epoch
        self.resumed = 0
        self._channel = channel
        self._frames: OrderedDict[str, int] = OrderedDict()  # published of each source, least recently used first
        self._states = 0

    def next_seq(self, source: str) -> int:
        """The number of the source's next event. Only the thousand sources used last are remembered."""
        seq = self._frames.pop(source, 0) + 1
        self._frames[source] = seq
        if len(self._frames) > _MOST_SOURCES:
            self._frames.popitem(last=False)
        return seq

    def publish_hands(self, seq: int, request: EstimateRequest, hands: list[Hand], timing: Timing, model: str) -> None:
        """Publish a frame's hands to whoever listens to its source."""
        for topic, light in ((hands_topic(request.source), False), (joints_topic(request.source), True)):
            if self._channel.has_subscriber(subscription(topic)):
                event = HandsEvent(
                    seq=seq,
                    epoch=self.epoch,
                    source=request.source,
                    frame=request.frame,
                    captured_at_ns=request.captured_at_ns,
                    published_at_ns=time.monotonic_ns(),
                    timing=timing,
                    model=model,
                    hands=[hand.without_mesh() for hand in hands] if light else hands,
                    v=PROTOCOL_VERSION,
                    resumed=self.resumed,
                )
                self._channel.publish(encode_event(topic, event))

    def publish_state(self, state: State, reason: str, model: ModelInfo | None) -> None:
        """Publish the daemon's state."""
        self._states += 1
        event = StateEvent(
            seq=self._states,
            epoch=self.epoch,
            published_at_ns=time.monotonic_ns(),
            state=state,
            reason=reason,
            model=model,
            v=PROTOCOL_VERSION,
            resumed=self.resumed,
        )
        self._channel.publish(encode_event(STATE_TOPIC, event))

    def owes_state_to_new_subscribers(self) -> bool:
        """Take note of new subscriptions.

        Returns:
            Whether one of them is owed the daemon's state.
        """
        state = subscription(STATE_TOPIC)
        new = list(self._channel.new_subscriptions(_SUBSCRIPTIONS_AT_ONCE))
        return any(state.startswith(topic) for topic in new)

    def topics(self) -> tuple[str, ...]:
        """What somebody subscribes to, for people."""
        return tuple(sorted(topic.rstrip(b"\0").decode(errors="replace") for topic in self._channel.topics))
