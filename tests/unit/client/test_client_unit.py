"""The asking side, without a daemon: what is refused before it is sent, and replies that are late, wrong or absent."""

import itertools
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray
from tests.unit.sidecar.fakes import wait_for

from wilor_client import (
    BadReplyError,
    Crop,
    ErrorCode,
    HandClient,
    HandClientError,
    HandCrop,
    HandEvents,
    NoReplyError,
    RefusedError,
    hand_crop,
)
from wilor_protocol.codec import decode_request, encode
from wilor_protocol.errors import Refusal
from wilor_protocol.replies import Clocks, EstimateReply, PongReply, RefusalReply, Timing
from wilor_protocol.requests import AnyRequest, EstimateRequest

UNIT_S = 5.0
UNIT_MS = round(UNIT_S * 1000)
SOON_MS = 60
"""A timeout that is meant to run out."""

CROP = np.zeros((256, 256, 3), np.uint8)


@dataclass(frozen=True)
class Answer:
    """What the stub sends.

    Attributes:
        to: whose route it takes: a request's place among all that have come; -1 is the newest's.
        frames: the reply's body frames; None: the honest answer to that request, a pong.
    """

    to: int
    frames: tuple[bytes, ...] | None = None


PONG = Answer(-1)
"""The honest answer to the newest request."""


def say(*frames: bytes, to: int = -1) -> Answer:
    """These frames, in answer to a request."""
    return Answer(to, frames)


class Stub:
    """A daemon's requests socket on a thread of its own, which answers as it is told and notes what it is asked."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._asked: queue.SimpleQueue[AnyRequest | Refusal] = queue.SimpleQueue()
        self._orders: queue.SimpleQueue[Iterable[Answer]] = queue.SimpleQueue()
        self._should_end = threading.Event()
        self._thread = threading.Thread(target=self._live, name="stub")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._should_end.set()
        self._orders.put(())
        self._thread.join(UNIT_S)
        assert not self._thread.is_alive(), "the stub's thread does not end"

    def answer(self, *answers: Answer) -> None:
        """Send these when the next request has come; none: keep silent."""
        self._orders.put(answers)

    def answer_one_by_one(self, answers: Iterable[Answer]) -> None:
        """Send each of these as it comes, from the next request on."""
        self._orders.put(answers)

    def next_request(self) -> AnyRequest:
        """The oldest request that has not been returned yet; it must be one that a daemon can read."""
        request = self._asked.get(timeout=UNIT_S)
        assert not isinstance(request, Refusal), request
        return request

    def _live(self) -> None:
        routes: list[list[bytes]] = []
        ids: list[int] = []
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.linger = 0
            socket.bind(self._address)
            while not self._should_end.is_set():
                answers = self._orders.get()
                while not socket.poll(10) and not self._should_end.is_set():
                    pass
                if self._should_end.is_set():
                    return
                *route, body = socket.recv_multipart()
                routes.append(route)
                ids.append(self._note(body))
                for answer in answers:
                    frames = answer.frames or (encode(pong(ids[answer.to])),)
                    socket.send_multipart([*routes[answer.to], *frames])

    def _note(self, body: bytes) -> int:
        request: AnyRequest | Refusal
        try:
            request = decode_request(body)
        except Refusal as refusal:
            request = refusal
        self._asked.put(request)
        return 0 if isinstance(request, Refusal) else request.id


def pong(request_id: int) -> PongReply:
    """The honest answer to a ping."""
    return PongReply(id=request_id, clocks=Clocks(monotonic_ns=1, wall_ns=2), deep=False)


@pytest.fixture
def address(short_dir: Path) -> str:
    """An ipc address whose path is short enough for a socket."""
    return f"ipc://{short_dir}/requests"


@pytest.fixture
def client(address: str) -> Iterator[HandClient]:
    """A client of the stub's address."""
    with HandClient(address, source="camera", timeout_ms=UNIT_MS) as made:
        yield made


@pytest.fixture
def stub(address: str) -> Iterator[Stub]:
    """A stub at that address."""
    with Stub(address) as made:
        yield made


@pytest.fixture
def connected(client: HandClient, stub: Stub) -> HandClient:
    """A client that has asked the stub its first question already: its next timeout is the stub's silence."""
    stub.answer(PONG)
    assert client.ping().id == stub.next_request().id == 1
    return client


# Where it connects to


def test_the_default_address_is_the_users_daemon(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address it is the one that a daemon of the same environment takes."""
    monkeypatch.setenv("WILOR_SIDECAR_RUN", str(short_dir / "run"))
    with HandClient() as client:
        assert client.address == f"ipc://{short_dir}/run/requests"


def test_a_directory_that_others_may_enter_is_not_trusted(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody else could listen in the daemon's place, the default address is refused and a given one is not."""
    short_dir.chmod(0o755)
    monkeypatch.setenv("WILOR_SIDECAR_RUN", str(short_dir))
    with pytest.raises(HandClientError, match=str(short_dir)):
        HandClient()
    with HandClient(f"ipc://{short_dir}/requests") as client:
        assert client.address == f"ipc://{short_dir}/requests"


def test_clients_have_sources_of_their_own() -> None:
    """Two clients of one program do not supersede each other's frames, unless they are told to."""
    with HandClient("ipc:///tmp/nobody") as one, HandClient("ipc:///tmp/nobody") as other:
        assert one.source != other.source


def test_closing_twice_is_closing() -> None:
    """A second close does nothing."""
    client = HandClient("ipc:///tmp/nobody")
    client.close()
    client.close()


# Arguments


@pytest.mark.parametrize(
    ("crop", "what_came"),
    [
        (CROP.astype(np.float32), r"float32.*\(256, 256, 3\)"),
        (CROP.astype(np.int8), r"int8.*\(256, 256, 3\)"),
        (CROP[:255], r"uint8.*\(255, 256, 3\)"),
        (CROP[:, :, 0], r"uint8.*\(256, 256\)"),
        (np.zeros((256, 256, 4), np.uint8), r"uint8.*\(256, 256, 4\)"),
        (np.zeros((3, 256, 256), np.uint8), r"uint8.*\(3, 256, 256\)"),
        (CROP[None], r"uint8.*\(1, 256, 256, 3\)"),
    ],
)
def test_a_crop_of_another_kind_is_refused(crop: NDArray[Any], what_came: str) -> None:
    """The error says what is expected and what came, in both ways to say a crop."""
    wanted = rf"crop: expected uint8 of shape \(256, 256, 3\), got {what_came}"
    with pytest.raises(ValueError, match=wanted):
        hand_crop(crop, "right")
    with HandClient("ipc:///tmp/nobody") as client, pytest.raises(ValueError, match=wanted):
        client.estimate(crop, "right")


def test_a_crop_is_sent_row_by_row() -> None:
    """Also from an array that lies in memory in other order, or is a view of another."""
    crop = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    in_rows = bytes(value for row in crop.tolist() for pixel in row for value in pixel)
    assert hand_crop(np.asfortranarray(crop), "left").crop == in_rows
    assert hand_crop(crop[:, ::-1].copy()[:, ::-1], "left").crop == in_rows


HAND_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"side": "Left"}, r"side: expected one of left, right, got 'Left'"),
    ({"side": ""}, r"side: .*got ''"),
    ({"score": 1.01}, r"^score: .*from 0 to 1, got 1.01"),
    ({"score": float("nan")}, r"^score: .*got nan"),
    ({"side_score": -0.1}, r"side_score: .*got -0.1"),
    ({"track": -1}, r"track: .*got -1"),
    ({"track": 2**53 + 1}, r"track: .*got 9007199254740993"),
    ({"box": (1, 2, 0.5)}, r"box.*got 0.5"),
    ({"box": (1, 2, -3)}, r"box.*got -3"),
    ({"box": (1, float("inf"), 3)}, r"^box.*got inf"),
]


@pytest.mark.parametrize(("arguments", "error"), HAND_ARGUMENTS)
def test_a_hand_that_the_daemon_would_refuse_is_refused_here(arguments: dict[str, Any], error: str) -> None:
    """The error names the argument and what came."""
    with pytest.raises(ValueError, match=error):
        hand_crop(**{"crop_rgb": CROP, "side": "right", **arguments})


FRAME_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"side": None}, r"side: expected left or right .*got None"),
    ({"side": "both"}, r"side: .*got 'both'"),
    ({"hands": []}, r"hands: .*1 to 8, got 0"),
    ({"hands": [hand_crop(CROP, "left")] * 9}, r"hands: .*1 to 8, got 9"),
    ({"box": (1, 2, 0)}, r"box.*got 0"),
    ({"frame": -1}, r"frame: .*got -1"),
    ({"captured_at_ns": -1}, r"captured_at_ns: .*got -1"),
    ({"captured_at_ns": 2**63}, r"captured_at_ns: .*got 9223372036854775808"),
    ({"deadline_ms": -1}, r"deadline_ms: .*got -1"),
    ({"deadline_ms": 60_001}, r"deadline_ms: .*got 60001"),
    ({"deadline_ms": float("nan")}, r"deadline_ms: .*got nan"),
    ({"want": ["mesh"]}, r"want: .*vertices.*got 'mesh'"),
    ({"image_size": (0, 480)}, r"image_size: .*got 0"),
    ({"image_size": (640, 65_537)}, r"image_size: .*got 65537"),
    ({"intrinsics": (0, 1, 2, 3)}, r"^intrinsics.*got 0"),
    ({"intrinsics": (1, 1, float("nan"), 3)}, r"^intrinsics.*got nan"),
    ({"mirrored": True, "box": (1, 2, 3)}, r"image_size: .*mirrored"),
]


@pytest.mark.parametrize(("arguments", "error"), FRAME_ARGUMENTS)
def test_a_frame_that_the_daemon_would_refuse_is_refused_here(arguments: dict[str, Any], error: str) -> None:
    """The error names the argument and what came, and does not wait for anybody."""
    with HandClient("ipc:///tmp/nobody", timeout_ms=UNIT_MS) as client, pytest.raises(ValueError, match=error):
        client.estimate(**({**arguments} if "hands" in arguments else {"hands": CROP, "side": "right", **arguments}))


def test_a_side_beside_hands_is_refused() -> None:
    """Each hand has its own side and box; another beside them would be silently lost."""
    hand = hand_crop(CROP, "right")
    with HandClient("ipc:///tmp/nobody", timeout_ms=UNIT_MS) as client, pytest.raises(ValueError, match="side, box"):
        client.estimate([hand], "left")


def test_something_else_than_hands_is_refused() -> None:
    """A list of bare crops lacks their sides; the error says what to make of them."""
    with HandClient("ipc:///tmp/nobody", timeout_ms=UNIT_MS) as client, pytest.raises(TypeError, match="hand_crop"):
        client.estimate([CROP])  # type: ignore[list-item]


@pytest.mark.parametrize("source", ["", "x" * 65, "two\nlines", "nul\0"])
def test_a_source_that_no_frame_may_have_is_refused(source: str) -> None:
    """To send from as to listen to: a listener to nobody would be silent for ever."""
    with pytest.raises(ValueError, match=r"^source: expected"):
        HandClient("ipc:///tmp/nobody", source=source)
    with pytest.raises(ValueError, match=r"^source: expected"):
        HandEvents(source, "ipc:///tmp/nobody")


@pytest.mark.parametrize("hands", ["x.png", b"pixels", None, 7])
def test_what_are_no_hands_is_refused(hands: Any) -> None:
    """A file's name, or what a detector found nothing with: the error says what is expected and what came."""
    with HandClient("ipc:///tmp/nobody", timeout_ms=UNIT_MS) as client, pytest.raises(TypeError, match=r"^hands: exp"):
        client.estimate(hands, "right")


def test_a_cut_crop_is_sent_as_it_is(client: HandClient, stub: Stub) -> None:
    """Pixels, square and side of `make_crop` are the request's."""
    crop = Crop(pixels=CROP, box=(10, 20, 30), side="left")
    for hands in (crop, [crop], (hand_crop(CROP, "left", box=crop.box),)):
        stub.answer(say(b"whatever"))
        with pytest.raises(BadReplyError):
            client.estimate(hands)
        request = stub.next_request()
        assert isinstance(request, EstimateRequest)
        assert request.hands == [HandCrop(crop=CROP.tobytes(), side="left", box=(10, 20, 30))]


@pytest.mark.parametrize("timeout_ms", [-1, float("nan"), 2**31])
def test_a_timeout_that_is_none_is_refused(timeout_ms: Any) -> None:
    """ZeroMQ would take a negative one for "for ever"."""
    with HandClient("ipc:///tmp/nobody") as client, pytest.raises(ValueError, match=r"^timeout_ms: expected"):
        client.ping(timeout_ms=timeout_ms)
    with HandEvents("cam", "ipc:///tmp/nobody") as events, pytest.raises(ValueError, match=r"^timeout_ms: expected"):
        events.next(timeout_ms)
    with pytest.raises(ValueError, match=r"^timeout_ms: expected"):
        HandClient("ipc:///tmp/nobody", timeout_ms=timeout_ms)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"box": (1, 2)}, id="box of 2"),
        pytest.param({"box": (1, 2, 3, 4)}, id="box of 4"),
        pytest.param({"image_size": (640,)}, id="image_size of 1"),
        pytest.param({"image_size": (640, 480, 3)}, id="image_size of 3"),
        pytest.param({"intrinsics": (500, 320, 240)}, id="intrinsics of 3"),
    ],
)
def test_a_tuple_of_another_length_is_refused_here(arguments: dict[str, Any]) -> None:
    """A detector's x1, y1, x2, y2 given as `box`, or an image's whole shape as its size, is an error by name."""
    [name] = arguments
    with HandClient("ipc:///tmp/nobody", timeout_ms=SOON_MS) as client, pytest.raises(ValueError, match=f"^{name}"):
        client.estimate(CROP, "right", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"box": tuple(np.array([1, 2, 3], np.float64))}, id="box"),
        pytest.param({"box": np.array([1, 2, 3], np.float32)}, id="box as an array"),
        pytest.param({"frame": np.int64(3)}, id="frame"),
        pytest.param({"image_size": tuple(np.array([640, 480]))}, id="image_size"),
        pytest.param({"intrinsics": tuple(np.array([500, 500, 320, 240], np.float32))}, id="intrinsics"),
    ],
)
def test_numpys_numbers_are_numbers(client: HandClient, stub: Stub, arguments: dict[str, Any]) -> None:
    """Detectors give numpy's floats and integers; they are sent as the numbers they are."""
    stub.answer(say(b"whatever"))
    with pytest.raises(BadReplyError):
        client.estimate(CROP, "right", **arguments)
    stub.next_request()


def test_a_refused_argument_leaves_the_client_usable(client: HandClient, stub: Stub) -> None:
    """Nothing was sent, so nothing is owed."""
    with pytest.raises(ValueError, match="side"):
        client.estimate(CROP)
    stub.answer(PONG)
    assert client.ping().id == stub.next_request().id


# What it sends


def test_a_single_crop_is_sent_as_a_frame_of_one_hand(client: HandClient, stub: Stub) -> None:
    """What is said of the crop and of the frame stands in the request; what is not said is left to the daemon."""
    stub.answer(say(b"whatever"))
    with pytest.raises(BadReplyError):
        client.estimate(
            CROP,
            "left",
            box=(10, 20, 30),
            frame=7,
            captured_at_ns=99,
            deadline_ms=40,
            publish=False,
            want=("camera", "mano"),
            image_size=(640, 480),
            intrinsics=(500, 501, 320, 240),
            mirrored=True,
        )
    assert stub.next_request() == EstimateRequest(
        id=1,
        v=1,
        source="camera",
        frame=7,
        captured_at_ns=99,
        hands=[HandCrop(crop=CROP.tobytes(), side="left", box=(10, 20, 30))],
        deadline_ms=40,
        publish=False,
        want=["camera", "mano"],
        image_size=(640, 480),
        intrinsics=(500, 501, 320, 240),
        mirrored=True,
    )


def test_what_is_not_said_is_now_and_counted(client: HandClient, stub: Stub) -> None:
    """Without frame number and time, frames count up and were taken when they were given."""
    numbers = []
    for _ in range(2):
        stub.answer(say(b"whatever"))
        before = time.monotonic_ns()
        with pytest.raises(BadReplyError):
            client.estimate([hand_crop(CROP, "left"), hand_crop(CROP, "right")])
        request = stub.next_request()
        assert isinstance(request, EstimateRequest)
        assert before <= request.captured_at_ns <= time.monotonic_ns()
        assert [hand.side for hand in request.hands] == ["left", "right"]
        numbers.append(request.frame)
    assert numbers[0] < numbers[1]


def test_an_answer_is_returned(client: HandClient, stub: Stub) -> None:
    """An estimate's reply comes back as it was sent."""
    timing = Timing(received_at_ns=1, queue_ms=2, model_ms=3, total_ms=4, batch=1)
    stub.answer(say(encode(EstimateReply(id=1, seq=5, epoch="now", hands=[], timing=timing))))
    reply = client.estimate(CROP, "right")
    assert (reply.id, reply.seq, reply.epoch, reply.hands, reply.timing) == (1, 5, "now", [], timing)


# Replies that do not come


def test_nobody_there_is_told_within_the_timeout(client: HandClient, address: str) -> None:
    """The error names the address, the time, and what may help."""
    started = time.monotonic()
    with pytest.raises(NoReplyError, match=rf"{address}.*{SOON_MS} ms.*wilor-sidecar serve"):
        client.ping(timeout_ms=SOON_MS)
    assert SOON_MS / 2 / 1000 < time.monotonic() - started < UNIT_S


def test_no_reply_is_a_timeout() -> None:
    """Who catches TimeoutError catches it too."""
    with HandClient("ipc:///tmp/nobody", timeout_ms=0) as client, pytest.raises(TimeoutError):
        client.ping()


def test_a_daemon_that_comes_later_is_found(client: HandClient, address: str) -> None:
    """After calls that found nobody the same client works; what it asked of nobody is not sent afterwards."""
    for _ in range(2):
        with pytest.raises(NoReplyError):
            client.ping(timeout_ms=SOON_MS)
    with Stub(address) as stub:
        stub.answer(PONG)
        assert client.ping().id == 3
        assert stub.next_request().id == 3


def test_a_daemon_that_starts_again_is_found(client: HandClient, address: str) -> None:
    """The same client asks the next life of the daemon."""
    for expected in (1, 2):
        with Stub(address) as stub:
            stub.answer(PONG)
            assert client.ping().id == expected
        wait_for(lambda: not client._socket.poll(0, zmq.POLLOUT), "the client knows that it has gone")
        Path(address.removeprefix("ipc://")).unlink(missing_ok=True)


def test_silence_is_told_within_the_timeout(connected: HandClient, stub: Stub, address: str) -> None:
    """A daemon that takes the request and says nothing: the error names the address and the time."""
    stub.answer()
    started = time.monotonic()
    with pytest.raises(NoReplyError, match=rf"no reply from {address} within {SOON_MS} ms"):
        connected.ping(timeout_ms=SOON_MS)
    assert SOON_MS / 2 / 1000 < time.monotonic() - started < UNIT_S
    stub.answer(PONG)
    assert connected.ping().id == 3


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_a_late_reply_is_never_taken_for_another_requests(
    connected: HandClient, stub: Stub, order: tuple[int, ...]
) -> None:
    """Two requests time out, and all three replies come at the third, in any order: it gets its own."""
    for _ in range(2):
        stub.answer()
        with pytest.raises(NoReplyError):
            connected.ping(timeout_ms=SOON_MS)
        stub.next_request()
    stub.answer(*(Answer(index) for index in order))
    assert connected.ping().id == 4
    stub.answer(PONG)
    assert connected.ping().id == 5


def test_late_replies_do_not_make_a_timeout_longer(connected: HandClient, stub: Stub) -> None:
    """A daemon that goes on answering what nobody waits for any more is a daemon that does not answer."""
    stub.answer()
    with pytest.raises(NoReplyError):
        connected.ping(timeout_ms=SOON_MS)
    has_given_up = threading.Event()
    most = 200
    sent = 0

    def late() -> Iterator[Answer]:
        nonlocal sent
        while sent < most and not has_given_up.wait(SOON_MS / 4 / 1000):
            sent += 1
            yield Answer(1)

    stub.answer_one_by_one(late())
    with pytest.raises(NoReplyError):
        connected.ping(timeout_ms=SOON_MS)
    has_given_up.set()
    assert sent < most


def test_a_late_refusal_does_not_refuse_the_next_request(connected: HandClient, stub: Stub) -> None:
    """Late refusals are dropped like late answers."""
    stub.answer()
    with pytest.raises(NoReplyError):
        connected.ping(timeout_ms=SOON_MS)
    stub.answer(say(refusal(2, ErrorCode.BUSY, "late"), to=1), PONG)
    assert connected.ping().id == 3


# Replies that are no answers


def refusal(request_id: int | None, code: ErrorCode, why: str) -> bytes:
    """A refusal as the daemon sends it."""
    return encode(RefusalReply(id=request_id, error=Refusal(code, why).error))


@pytest.mark.parametrize(
    ("code", "retryable"),
    [(ErrorCode.BUSY, True), (ErrorCode.SUPERSEDED, False), (ErrorCode.UNSUPPORTED_VERSION, False)],
)
def test_a_refusal_is_raised_with_its_code(client: HandClient, stub: Stub, code: ErrorCode, retryable: bool) -> None:
    """Code, sentence and whether to try again are attributes; the client stays usable."""
    stub.answer(say(refusal(1, code, "not now")))
    with pytest.raises(RefusedError, match=f"^{code}: not now$") as caught:
        client.ping()
    assert (caught.value.code, caught.value.message, caught.value.retryable) == (code, "not now", retryable)
    stub.answer(PONG)
    assert client.ping().id == 2


def test_a_refusal_of_a_request_that_could_not_be_read_is_raised(client: HandClient, stub: Stub) -> None:
    """Such a refusal has no id, and is for us all the same."""
    stub.answer(say(refusal(None, ErrorCode.BAD_REQUEST, "not a request")))
    with pytest.raises(RefusedError):
        client.ping()


GARBAGE: dict[str, list[bytes]] = {
    "no bytes": [b""],
    "no MessagePack": [b"\xc1\xff"],
    "cut short": [encode(pong(1))[:-3]],
    "more behind it": [encode(pong(1)) + b"\0"],
    "another version": [msgspec.msgpack.encode({**msgspec.to_builtins(pong(1)), "v": 2})],
    "no version": [msgspec.msgpack.encode({k: v for k, v in msgspec.to_builtins(pong(1)).items() if k != "v"})],
    "no map": [msgspec.msgpack.encode([1, True])],
    "another kind of answer": [
        encode(
            EstimateReply(
                id=1,
                seq=1,
                epoch="",
                hands=[],
                timing=Timing(received_at_ns=1, queue_ms=1, model_ms=1, total_ms=1, batch=1),
            )
        )
    ],
    "a refusal without a reason": [msgspec.msgpack.encode({"v": 1, "id": 1, "ok": False})],
    "a code of no protocol": [
        msgspec.msgpack.encode(
            {"v": 1, "id": 1, "ok": False, "error": {"code": "?", "message": "", "retryable": False}}
        )
    ],
    "two bodies": [b"one", b"two"],
    "nested deeply": [b"\x91" * 100_000],
}


@pytest.mark.parametrize("frames", GARBAGE.values(), ids=GARBAGE.keys())
def test_nonsense_is_told_and_survived(client: HandClient, stub: Stub, frames: list[bytes]) -> None:
    """What is not the awaited reply raises BadReplyError, and the next request gets its answer."""
    stub.answer(say(*frames))
    with pytest.raises(BadReplyError):
        client.ping()
    stub.answer(PONG)
    assert client.ping().id == 2


def test_a_reply_with_another_requests_id_is_not_taken(client: HandClient, stub: Stub) -> None:
    """A daemon, or something between, that mixes up replies is found out by the id."""
    stub.answer(say(encode(pong(77))))
    with pytest.raises(BadReplyError):
        client.ping()
