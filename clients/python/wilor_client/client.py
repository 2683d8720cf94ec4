"""Ask the daemon: one request, one reply, in time or not at all."""

import itertools
import os
import time
from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np
import zmq
from numpy.typing import NDArray

from wilor_client.addresses import default_requests_address
from wilor_client.connection import Connection
from wilor_client.errors import BadReplyError, NoReplyError, RefusedError
from wilor_client.keys import ClientKeys
from wilor_protocol.codec import MalformedError, decode_message, decode_reply_head, encode
from wilor_protocol.limits import CROP_SIDE_PX
from wilor_protocol.names import Side
from wilor_protocol.replies import EstimateReply, HelloReply, PongReply, Reply, StatusReply, TopologyReply
from wilor_protocol.requests import (
    EstimateRequest,
    HandCrop,
    HelloRequest,
    PingRequest,
    Request,
    StatusRequest,
    TopologyRequest,
    Want,
)
from wilor_protocol.version import PROTOCOL_VERSION

Answer = TypeVar("Answer", bound=Reply)
Numbers = TypeVar("Numbers", bound=tuple[float, ...] | None)


class HandClient(Connection):
    """A connection to the daemon. Use it in a `with`, from one thread; make one for each thread that asks.

    It may be made before the daemon runs, and outlives its restarts.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        source: str | None = None,
        timeout_ms: int = 2000,
        keys: ClientKeys | None = None,
    ) -> None:
        """Connect, without waiting for anybody.

        Args:
            address: of the daemon's requests; None: where a daemon of this user listens by default.
            source: what the frames sent here come from; names their events, and of two frames of one source that wait
                only the newer runs. None: a name for this client alone.
            timeout_ms: how long a call may wait for its reply, unless it says otherwise.
            keys: for a daemon that asks for them, over TCP; one that does not know them never answers.
        """
        super().__init__(zmq.REQ, address or default_requests_address(), keys)
        self.source = source or f"python-{os.getpid()}-{id(self):x}"
        self.timeout_ms = timeout_ms
        self._clock_ahead_ns = None if self.address.startswith("tcp:") else 0
        self._ids = itertools.count(1)
        self._frames = itertools.count(1)
        # Together these two let a request follow one whose reply never came, and drop that reply if it comes late.
        self._socket.setsockopt(zmq.REQ_RELAXED, 1)
        self._socket.setsockopt(zmq.REQ_CORRELATE, 1)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # a crop that waits for a daemon to start is stale when it does
        self._connect()

    def hello(self, *, timeout_ms: int | None = None) -> HelloReply:
        """Who serves, what, and where its events are."""
        return self._ask(HelloRequest(**self._head()), HelloReply, timeout_ms)

    def status(self, *, timeout_ms: int | None = None) -> StatusReply:
        """How the daemon is: state, queue, counters, latencies."""
        return self._ask(StatusRequest(**self._head()), StatusReply, timeout_ms)

    def ping(self, *, deep: bool = False, timeout_ms: int | None = None) -> PongReply:
        """Whether it answers; deep: whether the thread that owns the network does."""
        return self._ask(PingRequest(**self._head(), deep=deep), PongReply, timeout_ms)

    def topology(self, *, timeout_ms: int | None = None) -> TopologyReply:
        """Faces, names and parents."""
        return self._ask(TopologyRequest(**self._head()), TopologyReply, timeout_ms)

    def estimate(
        self,
        hands: NDArray[np.uint8] | HandCrop | Sequence[HandCrop],
        side: Side | None = None,
        *,
        box: tuple[float, float, float] | None = None,
        frame: int | None = None,
        captured_at_ns: int | None = None,
        deadline_ms: float | None = None,
        publish: bool = True,
        want: Sequence[Want] | None = None,
        image_size: tuple[int, int] | None = None,
        intrinsics: tuple[float, float, float, float] | None = None,
        mirrored: bool = False,
        timeout_ms: int | None = None,
    ) -> EstimateReply:
        """The pose of the hand in a crop, or of all hands of a frame.

        Args:
            hands: one crop, (256, 256, 3) uint8 RGB, not mirrored, with `side` and perhaps `box`; or a hand or the
                hands of one frame, up to 8, each with its own (see `hand_crop`).
            side: of the one crop.
            box: centre x, centre y and side of the square that the one crop was cut from, px of the whole image.
            frame: its number; None: counted here.
            captured_at_ns: when it was taken, `time.monotonic_ns()` of the daemon's host (for a daemon on another one
                add `clock_ahead_ns`); None: now.
            deadline_ms: do not compute it when the frame is older than this; None: no matter how old.
            publish: send subscribers an event too.
            want: the parts to reply with; None: all.
            image_size: width and height of the whole image, px; with `box`, the reply has the whole-image camera.
            intrinsics: fx, fy, cx, cy of the whole image, px; None: a guess from its size.
            mirrored: the image is a mirrored (selfie) one; the reply is of the scene itself.
            timeout_ms: how long to wait; None: as the client was made.

        Returns:
            The hands in the order of the crops.

        Raises:
            ValueError: an argument that the daemon would refuse; names it.
            RefusedError: the daemon would not: busy, loading, superseded, expired ... (see its `code`).
            NoReplyError: it did not answer in time. The client stays usable.
            ForkedError: this process is a fork of the one that made it.
        """
        frame_hands = _hands_of(hands, side, box)
        request = EstimateRequest(
            **self._head(),
            source=self.source,
            frame=next(self._frames) if frame is None else frame,
            captured_at_ns=self._now_ns() if captured_at_ns is None else captured_at_ns,
            hands=frame_hands,
            deadline_ms=deadline_ms,
            publish=publish,
            want=None if want is None else list(want),
            image_size=_as_tuple(image_size),
            intrinsics=_as_tuple(intrinsics),
            mirrored=mirrored,
        )
        return self._ask(request, EstimateReply, timeout_ms)

    def clock_ahead_ns(self, *, timeout_ms: int | None = None) -> int:
        """How far the daemon's monotonic clock is ahead of this host's, ns, within half a round trip.

        Add it to `time.monotonic_ns()` for a daemon on another host. On one host it is about 0.
        """
        before_ns = time.monotonic_ns()
        clocks = self.ping(timeout_ms=timeout_ms).clocks
        return clocks.monotonic_ns - (before_ns + time.monotonic_ns()) // 2

    def _now_ns(self) -> int:
        """Now, on the daemon's clock. Over TCP it may be on another host, and is asked once."""
        if self._clock_ahead_ns is None:
            self._clock_ahead_ns = self.clock_ahead_ns()
        return time.monotonic_ns() + self._clock_ahead_ns

    def _head(self) -> dict[str, int]:
        return {"id": next(self._ids), "v": PROTOCOL_VERSION}

    def _ask(self, request: Request, answer: type[Answer], timeout_ms: int | None) -> Answer:
        body = self._exchange(encode(request), self.timeout_ms if timeout_ms is None else timeout_ms)
        try:
            head = decode_reply_head(body)
            if head.id not in (request.id, None):
                raise BadReplyError(f"id: expected {request.id}, got {head.id}")
            if head.error is not None:
                raise RefusedError(head.error)
            return decode_message(body, answer)
        except MalformedError as error:
            raise BadReplyError(str(error)) from error

    def _exchange(self, body: bytes, timeout_ms: int) -> bytes:
        self._require_own_process()
        deadline = time.monotonic() + timeout_ms / 1000
        if not self._socket.poll(timeout_ms, zmq.POLLOUT):
            raise NoReplyError(f"no daemon at {self.address} within {timeout_ms} ms; is `wilor-sidecar serve` running?")
        self._socket.send(body, zmq.NOBLOCK)
        while (left_ms := round((deadline - time.monotonic()) * 1000)) >= 0:
            if self._socket.poll(left_ms, zmq.POLLIN):
                try:
                    return self._socket.recv(zmq.NOBLOCK)
                except zmq.Again:  # what arrived was an old request's reply, and has been dropped
                    continue
        raise NoReplyError(f"no reply from {self.address} within {timeout_ms} ms")


def hand_crop(
    crop_rgb: NDArray[np.uint8],
    side: Side,
    *,
    box: tuple[float, float, float] | None = None,
    side_score: float | None = None,
    score: float | None = None,
    track: int | None = None,
) -> HandCrop:
    """One hand of a frame, ready to be sent; see `HandCrop` for the meaning of each part.

    Args:
        crop_rgb: (256, 256, 3) uint8 RGB, not mirrored.
        side: which hand the detector believes it is.
        box: centre x, centre y and side of the square that the crop was cut from, px of the whole image.
        side_score: how sure the detector is of the side, 0 to 1.
        score: how sure it is of the hand, 0 to 1.
        track: its number for this hand over time.

    Raises:
        ValueError: another shape or dtype, or a part that the daemon would refuse; names it.
    """
    if crop_rgb.shape != (CROP_SIDE_PX, CROP_SIDE_PX, 3) or crop_rgb.dtype != np.uint8:
        raise ValueError(f"crop: expected uint8 of shape (256, 256, 3), got {crop_rgb.dtype} of shape {crop_rgb.shape}")
    return HandCrop(
        crop=crop_rgb.tobytes(), side=side, box=_as_tuple(box), side_score=side_score, score=score, track=track
    )


def _hands_of(
    hands: NDArray[np.uint8] | HandCrop | Sequence[HandCrop], side: Side | None, box: tuple[float, float, float] | None
) -> list[HandCrop]:
    """The hands that the first three arguments of `estimate` mean."""
    if isinstance(hands, np.ndarray):
        if side is None:
            raise ValueError("side: expected left or right with a single crop, got None")
        return [hand_crop(hands, side, box=box)]
    if side is not None or box is not None:
        raise ValueError("side, box: expected in each hand (see hand_crop), got them beside the hands")
    listed = [hands] if isinstance(hands, HandCrop) else list(hands)
    for index, hand in enumerate(listed):
        if not isinstance(hand, HandCrop):
            raise TypeError(f"hands[{index}]: expected a HandCrop (see hand_crop), got {type(hand).__name__}")
    return listed


def _as_tuple(numbers: Numbers) -> Numbers:
    """The same numbers, out of the array or list that a detector may have put them in."""
    return numbers if numbers is None else cast(Numbers, tuple(numbers))
