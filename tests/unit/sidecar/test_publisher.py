"""Events: their numbers, who gets which, and what is not even encoded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zmq

from wilor_protocol import codec
from wilor_protocol.events import AnyEvent, HandsEvent, StateEvent
from wilor_sidecar import publisher as publisher_module
from wilor_sidecar.channels import EventChannel
from wilor_sidecar.publisher import Publisher

from .conftest import OpenSocket, Socket
from .fakes import MODEL, UNIT_S, FakeNetwork, hand_of, request_of, timing_of, wait_for
from .test_estimator import estimate

UNIT_MS = round(UNIT_S * 1000)
Subscribe = Callable[..., Socket]


@pytest.fixture
def publisher(events: EventChannel) -> Publisher:
    """The publisher under test."""
    return Publisher(events, epoch="this life")


@pytest.fixture
def subscribe(open_socket: OpenSocket, short_dir: Path, events: EventChannel, publisher: Publisher) -> Subscribe:
    """Makes a subscriber of some prefixes, and waits until the publisher knows of it."""

    def subscribed(*prefixes: bytes) -> Socket:
        client = open_socket(zmq.SUB)
        for prefix in prefixes:
            client.setsockopt(zmq.SUBSCRIBE, prefix)
        client.connect(f"ipc://{short_dir}/s")
        wait_for(lambda: publisher.owes_state_to_new_subscribers() or events.topics >= set(prefixes), "subscription")
        return client

    return subscribed


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics of all events that are encoded from now on."""
    topics = []

    def noting(topic: str, event: AnyEvent) -> bytes:
        topics.append(topic)
        return codec.encode_event(topic, event)

    monkeypatch.setattr(publisher_module, "encode_event", noting)
    return topics


def publish(publisher: Publisher, source: str = "a", *, hands: int = 1) -> int:
    """Publish a frame of a source as the desk does."""
    request = request_of([hand_of(box=(9, 9, 9))] * hands, source=source, frame=42, captured_at_ns=1000)
    [answer] = estimate([request_of([hand_of(box=(9, 9, 9))] * hands, image_size=(640, 480))], FakeNetwork())
    seq = publisher.next_seq(source)
    publisher.publish_hands(seq, request, answer, timing_of(), "fake")
    return seq


def next_event(client: Socket) -> tuple[str, AnyEvent]:
    """The next event that reaches a subscriber."""
    assert client.poll(UNIT_MS), "no event came"
    return codec.decode_event(client.recv())


def next_hands(client: Socket) -> HandsEvent:
    """The next event, which must be of hands."""
    _, event = next_event(client)
    assert isinstance(event, HandsEvent)
    return event


def test_nothing_is_encoded_without_subscribers(publisher: Publisher, encoded: list[str]) -> None:
    """An event that nobody wants costs its number and nothing else."""
    assert [publish(publisher) for _ in range(3)] == [1, 2, 3]
    assert encoded == []


@pytest.mark.parametrize(
    ("prefixes", "topics"),
    [
        ([b"hands/a\0"], ["hands/a"]),
        ([b"joints/a\0"], ["joints/a"]),
        ([b"joints/a\0", b"hands/a\0"], ["hands/a", "joints/a"]),
        ([b"hands/"], ["hands/a"]),
        ([b""], ["hands/a", "joints/a"]),
        ([b"hands/ab\0", b"joints/\0", b"state\0"], []),
    ],
)
def test_only_what_is_subscribed_to_is_encoded(
    publisher: Publisher, subscribe: Subscribe, encoded: list[str], prefixes: list[bytes], topics: list[str]
) -> None:
    """Each of a frame's two events is encoded once when somebody's prefix covers it, and not otherwise."""
    subscribe(*prefixes)
    publish(publisher)
    assert encoded == topics


def test_an_unsubscribed_topic_is_not_encoded_any_more(
    publisher: Publisher, subscribe: Subscribe, encoded: list[str], events: EventChannel
) -> None:
    """When the last listener goes, so does the work for it."""
    subscribe(b"hands/a\0").close()

    def gone() -> bool:
        publisher.owes_state_to_new_subscribers()
        return not events.topics

    wait_for(gone, "the end of the subscription")
    publish(publisher)
    assert encoded == []


def test_an_event_tells_the_frame_it_is_of(publisher: Publisher, subscribe: Subscribe) -> None:
    """What came in the request, and what is known of its answer, stand in the event."""
    client = subscribe(b"hands/a\0")
    seq = publish(publisher)
    topic, event = next_event(client)
    assert isinstance(event, HandsEvent)
    assert topic == "hands/a"
    assert (event.seq, event.epoch) == (seq, "this life")
    assert (event.source, event.frame, event.captured_at_ns) == ("a", 42, 1000)
    assert (event.timing, event.model) == (timing_of(), "fake")
    assert event.published_at_ns > 1000
    assert len(event.hands) == 1


def test_hands_events_have_the_mesh_and_joints_events_have_not(publisher: Publisher, subscribe: Subscribe) -> None:
    """Of the same frame, `joints/` leaves out vertices and MANO's parameters and nothing else."""
    full, light = subscribe(b"hands/a\0"), subscribe(b"joints/a\0")
    publish(publisher)
    whole, joints = next_hands(full).hands[0], next_hands(light).hands[0]
    assert whole.vertices is not None
    assert whole.mano is not None
    assert (joints.vertices, joints.mano) == (None, None)
    for name in ("keypoints", "camera", "keypoints_2d", "translation", "focal_px"):
        assert getattr(joints, name) is not None, name
        np.testing.assert_array_equal(getattr(joints, name), getattr(whole, name), err_msg=name)


def test_a_hand_without_mesh_is_under_a_kilobyte(publisher: Publisher, subscribe: Subscribe) -> None:
    """One hand more costs a `joints/` event less than 1000 bytes."""
    client = subscribe(b"joints/a\0")
    sizes = []
    for hands in (1, 2):
        publish(publisher, hands=hands)
        assert client.poll(UNIT_MS)
        sizes.append(len(client.recv()))
    assert sizes[1] - sizes[0] < 1000


def test_each_source_counts_its_own_events(publisher: Publisher, subscribe: Subscribe) -> None:
    """Numbers begin at 1 and have no gaps, whatever other sources do in between."""
    client = subscribe(b"hands/a\0")
    for source in ("a", "b", "a", "b", "b", "a"):
        publish(publisher, source)
    assert [next_hands(client).seq for _ in range(3)] == [1, 2, 3]
    assert publisher.next_seq("b") == 4


def test_hands_and_joints_of_a_frame_have_one_number(publisher: Publisher, subscribe: Subscribe) -> None:
    """A subscriber may change from one to the other and still see every loss."""
    full, light = subscribe(b"hands/a\0"), subscribe(b"joints/a\0")
    publish(publisher)
    publish(publisher)
    assert [next_hands(full).seq, next_hands(full).seq] == [1, 2]
    assert [next_hands(light).seq, next_hands(light).seq] == [1, 2]


def test_the_source_used_longest_ago_is_forgotten_first(publisher: Publisher) -> None:
    """Of 1024 sources each goes on counting; the 1025th costs the one that was used longest ago its number."""
    sources = [f"source {number}" for number in range(1024)]
    assert {publisher.next_seq(source) for source in sources} == {1}
    assert publisher.next_seq(sources[0]) == 2
    publisher.next_seq("one more")
    assert publisher.next_seq(sources[0]) == 3
    assert publisher.next_seq(sources[2]) == 2
    assert publisher.next_seq(sources[1]) == 1


def test_the_state_is_published_and_numbered(publisher: Publisher, subscribe: Subscribe) -> None:
    """State events have numbers of their own."""
    client = subscribe(b"state\0")
    publisher.publish_state("loading", "reading", None)
    publish(publisher)
    publisher.publish_state("ready", "at last", MODEL)
    for seq, state, reason, model in ((1, "loading", "reading", None), (2, "ready", "at last", MODEL)):
        topic, event = next_event(client)
        assert isinstance(event, StateEvent)
        assert topic == "state"
        assert (event.seq, event.epoch) == (seq, "this life")
        assert (event.state, event.reason, event.model) == (state, reason, model)


@pytest.mark.parametrize(
    ("prefix", "is_owed"),
    [(b"state\0", True), (b"", True), (b"s", True), (b"state", True), (b"states\0", False), (b"hands/a\0", False)],
)
def test_who_subscribes_to_the_state_is_owed_it(
    publisher: Publisher, events: EventChannel, open_socket: OpenSocket, short_dir: Path, prefix: bytes, is_owed: bool
) -> None:
    """A new subscription that covers `state` asks for it, each time anew; any other does not; an old one neither."""
    for _ in range(2):
        client = open_socket(zmq.SUB)
        client.setsockopt(zmq.SUBSCRIBE, prefix)
        client.connect(f"ipc://{short_dir}/s")
        assert events.socket.poll(UNIT_MS), "no subscription came"
        assert publisher.owes_state_to_new_subscribers() == is_owed
        assert not publisher.owes_state_to_new_subscribers()


def test_one_among_many_new_subscribers_is_enough(
    publisher: Publisher, events: EventChannel, open_socket: OpenSocket, short_dir: Path
) -> None:
    """However many topics come first, whoever subscribes to the state behind them is owed it."""
    client = open_socket(zmq.SUB)
    for number in range(300):
        client.setsockopt(zmq.SUBSCRIBE, b"hands/%d\0" % number)
    client.setsockopt(zmq.SUBSCRIBE, b"state\0")
    client.connect(f"ipc://{short_dir}/s")
    wait_for(publisher.owes_state_to_new_subscribers, "the state's subscription")
    assert b"state\0" in events.topics


def test_topics_are_told_to_people(publisher: Publisher, subscribe: Subscribe) -> None:
    """Sorted, without the NUL, and readable even where somebody subscribed to nonsense."""
    subscribe(b"hands/b\0", b"hands/a\0", b"\xff\xfe", "joints/é\0".encode())
    assert publisher.topics() == ("hands/a", "hands/b", "joints/é", "\ufffd\ufffd")


def test_events_count_the_sleeps(publisher: Publisher, subscribe: Subscribe) -> None:
    """After a sleep every event says so, of whatever topic."""
    client = subscribe(b"hands/a\0", b"state\0")
    publish(publisher)
    assert next_hands(client).resumed == 0
    publisher.resumed += 1
    publish(publisher)
    publisher.publish_state("ready", "the host slept", MODEL)
    assert [next_event(client)[1].resumed for _ in range(2)] == [1, 1]
