"""What a client of the running daemon gets: the real program, real sockets, the real network."""

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.sidecar.fakes import wait_for
from wilor_client import (
    JOINT_NAMES,
    ErrorCode,
    Hand,
    HandClient,
    HandCrop,
    HandEvents,
    RefusedError,
    Side,
    hand_crop,
    make_crop,
)
from wilor_protocol.events import hands_topic, joints_topic
from wilor_protocol.requests import EncodedImage
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.model import load_model
from wilor_sidecar.weights.convert import convert

EVENT_MS = 10_000


def wait_until_subscribed(client: HandClient, topic: str) -> None:
    """The daemon knows of the subscription; an event sent from now on arrives."""
    wait_for(lambda: topic in client.status().subscriptions, f"{topic} is subscribed to", 30)


def assert_same_hand(one: Hand, other: Hand) -> None:
    """Both have the same numbers, bit for bit."""
    for field in ("keypoints", "vertices", "camera", "keypoints_2d", "translation"):
        assert np.array_equal(getattr(one, field), getattr(other, field)), field
    assert one.mano is not None
    assert other.mano is not None
    for field in ("global_orient", "hand_pose", "betas"):
        assert np.array_equal(getattr(one.mano, field), getattr(other.mano, field)), field


def test_hello_introduces_the_daemon(client: HandClient, daemon: DaemonProcess) -> None:
    """Hello names the model, says whether it is trained, and where events are."""
    hello = client.hello()
    assert hello.state == "ready"
    assert hello.model is not None
    assert hello.model.trained
    assert hello.model.name == "embedded"
    assert hello.endpoints.events == daemon.events_address
    assert hello.joint_names == JOINT_NAMES
    assert abs(hello.clocks.monotonic_ns - time.monotonic_ns()) < 5e9


def test_answer_is_the_networks(client: HandClient, pixels: NDArray[np.uint8]) -> None:
    """A right hand's answer is what the network gives for its crop, in declared shapes."""
    hand = client.estimate(pixels[0], "right").hands[0]
    outputs = load_model("embedded")(pixels[:1])
    assert hand.keypoints is not None
    assert hand.vertices is not None
    assert hand.mano is not None
    assert np.array_equal(hand.keypoints, outputs["pred_keypoints_3d"][0])
    assert np.array_equal(hand.vertices, outputs["pred_vertices"][0])
    assert np.array_equal(hand.mano.hand_pose, outputs["hand_pose"][0])
    assert hand.keypoints_2d is None


def test_hands_of_a_frame_come_back_in_order(client: HandClient, pixels: NDArray[np.uint8]) -> None:
    """Several hands of a frame are answered in their order, with what came with each."""
    hands = [hand_crop(crop, "right", score=0.5, track=number) for number, crop in enumerate(pixels)]
    reply = client.estimate(hands)
    assert [hand.track for hand in reply.hands] == [0, 1, 2, 3]
    assert [hand.score for hand in reply.hands] == [0.5] * 4
    assert reply.timing.batch == 4
    alone = client.estimate(pixels[2], "right").hands[0]
    assert alone.vertices is not None
    assert reply.hands[2].vertices is not None
    assert np.abs(alone.vertices - reply.hands[2].vertices).max() < 1e-6


def test_left_hand_is_the_mirror_image_of_a_right_one(client: HandClient, pixels: NDArray[np.uint8]) -> None:
    """A mirrored crop sent as the other side gives the mirrored hand, in every output."""
    right = client.estimate(pixels[0], "right").hands[0]
    left = client.estimate(np.ascontiguousarray(pixels[0][:, ::-1]), "left").hands[0]
    assert left.side == "left"
    assert right.keypoints is not None
    assert right.camera is not None
    assert right.mano is not None
    assert left.mano is not None
    assert left.keypoints is not None
    assert left.camera is not None
    assert np.array_equal(left.keypoints, right.keypoints * np.array([-1, 1, 1]))
    assert np.array_equal(left.camera, right.camera * np.array([1, -1, 1]))
    assert np.array_equal(left.mano.hand_pose, right.mano.hand_pose * np.array([1, -1, -1]))
    assert np.array_equal(left.mano.betas, right.mano.betas)


def test_want_picks_the_parts_of_a_reply(client: HandClient, pixels: NDArray[np.uint8]) -> None:
    """Only what was wanted is in the reply."""
    hand = client.estimate(pixels[0], "right", want=["keypoints"]).hands[0]
    assert hand.keypoints is not None
    assert (hand.vertices, hand.camera, hand.mano) == (None, None, None)


def test_png_crop_is_answered_as_its_pixels(client: HandClient, pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    """A crop that came as a PNG gets the same answer as the raw one."""
    path = tmp_path / "crop.png"
    Image.fromarray(pixels[1]).save(path)
    png = HandCrop(crop=EncodedImage(codec="png", data=path.read_bytes()), side="right")
    raw = hand_crop(pixels[1], "right")
    assert_same_hand(client.estimate([png]).hands[0], client.estimate([raw]).hands[0])


@pytest.mark.parametrize("mesh", [True, False])
def test_event_tells_what_the_reply_tells(
    client: HandClient, daemon: DaemonProcess, pixels: NDArray[np.uint8], mesh: bool
) -> None:
    """A subscriber of a source gets every frame that was sent from it, and no others'."""
    client.source = f"camera of {'hands' if mesh else 'joints'}"
    with HandEvents(client.source, daemon.events_address, mesh=mesh, only_newest=False) as events:
        wait_until_subscribed(client, (hands_topic if mesh else joints_topic)(client.source))
        client.source += " 2"  # a longer name that begins the same must not be taken for it
        client.estimate(pixels[0], "right")
        client.source = client.source.removesuffix(" 2")
        captured_at_ns = time.monotonic_ns()
        reply = client.estimate(pixels[0], "left", frame=17, captured_at_ns=captured_at_ns, want=["camera"])
        client.estimate(pixels[1], "right", publish=False)
        second = client.estimate(pixels[1], "right", frame=19)
        event, later = events.next(EVENT_MS), events.next(EVENT_MS)
    assert event is not None
    assert later is not None
    assert (event.frame, event.captured_at_ns, event.seq) == (17, captured_at_ns, reply.seq)
    assert (later.frame, later.seq) == (19, second.seq)
    assert later.seq == event.seq + 1
    assert (event.missed, later.missed, later.starts_anew) == (0, 0, False)
    assert event.epoch == client.hello().epoch
    assert np.array_equal(event.hands[0].camera, reply.hands[0].camera)  # type: ignore[arg-type]
    assert event.hands[0].keypoints is not None
    assert (event.hands[0].vertices is not None) == mesh


def test_newest_event_is_what_a_slow_listener_gets(
    client: HandClient, daemon: DaemonProcess, pixels: NDArray[np.uint8]
) -> None:
    """Who listens slowly gets the newest event, and is told how many were skipped."""
    client.source = "fast camera"
    with HandEvents(client.source, daemon.events_address) as events:
        wait_until_subscribed(client, hands_topic(client.source))
        first = client.estimate(pixels[0], "right")
        seen = events.next(EVENT_MS)
        assert seen is not None
        assert seen.seq == first.seq
        last = [client.estimate(pixels[0], "right") for _ in range(5)][-1]
        frames = 0
        while seen.seq != last.seq:
            seen = events.next(EVENT_MS)
            assert seen is not None
            frames += 1 + seen.missed
        assert frames == 5, "those seen and those skipped are all there were"


def test_old_frame_is_not_computed(client: HandClient, pixels: NDArray[np.uint8]) -> None:
    """A frame older than its deadline is answered `expired`, and never reaches the network."""
    crops_before = client.status().counters.get("crops", 0)
    long_ago = time.monotonic_ns() - 10**9
    with pytest.raises(RefusedError) as refused:
        client.estimate(pixels[0], "right", captured_at_ns=long_ago, deadline_ms=100)
    assert refused.value.code == ErrorCode.EXPIRED
    assert not refused.value.retryable
    assert client.status().counters.get("crops", 0) == crops_before


def test_topology_and_pings(client: HandClient) -> None:
    """Faces and names come once; a deep ping goes through the engine."""
    topology = client.topology()
    assert topology.faces.shape == (1538, 3)
    assert topology.faces.max() < 778
    assert len(topology.joint_parents) == 21
    assert len(topology.rotation_names) == 16
    assert client.ping(deep=True).deep


def test_photograph_gives_upstreams_whole_image_numbers(reference: Path, tmp_path: Path) -> None:
    """From a photograph and boxes to camera, focal length and 2-D points as upstream's whole route gives them."""
    golden = np.load(reference / "frame/golden_frame.npz")
    with Image.open(reference / "frame/photo.jpg") as image:
        photo = np.array(image.convert("RGB"))
    model = convert(reference / "frame/wilor_final.ckpt", tmp_path / "model")
    hands = []
    for box, is_right in zip(golden["bboxes_xyxy"], golden["is_right"], strict=True):
        side: Side = "right" if is_right else "left"
        x1, y1, x2, y2 = map(float, box)
        crop = make_crop(photo, (x1, y1, x2, y2), side)
        hands.append(hand_crop(crop.pixels, side, box=crop.box))
    with DaemonProcess(str(model)) as daemon, HandClient(daemon.requests_address, timeout_ms=20_000) as client:
        daemon.wait_until("ready")
        reply = client.estimate(hands, image_size=(photo.shape[1], photo.shape[0]))
        assert daemon.stop() == 0
    for index, hand in enumerate(reply.hands):
        assert hand.mano is not None
        got = {
            "pred_keypoints_3d": hand.keypoints,
            "pred_vertices": hand.vertices,
            "pred_cam": hand.camera,
            "pred_cam_t_full": hand.translation,
            "pred_keypoints_2d": hand.keypoints_2d,
            "scaled_focal_length": hand.focal_px,
            "global_orient": hand.mano.global_orient[0],
            "hand_pose": hand.mano.hand_pose,
            "betas": hand.mano.betas,
        }
        for name, values in got.items():
            scale = np.abs(golden[name][index]).max()
            assert np.abs(np.asarray(values) - golden[name][index]).max() < 1e-4 * scale, name
