"""Ask the daemon: one request, one reply, in time or not at all."""

import itertools
import os
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import zmq

from wilor_client.addresses import PathLike, requests_address_of
from wilor_client.clock import ClockSample, DaemonClock
from wilor_client.connection import Connection
from wilor_client.crop import Crop
from wilor_client.deadline import Deadline
from wilor_client.errors import BadReplyError, NoReplyError, RefusedError
from wilor_client.frame_hands import Box, Pixels, as_tuple, hands_of_frame
from wilor_client.keys import ClientKeys
from wilor_protocol.checks import require_between, require_source
from wilor_protocol.codec import MalformedError, decode_message, decode_reply_head, encode
from wilor_protocol.errors import ErrorCode
from wilor_protocol.limits import MAX_TIME_NS
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

_SAMPLES = 3
_ASK_AGAIN_S = 0.05

_TOO_OLD_OR_TOO_NEW = (ErrorCode.EXPIRED, ErrorCode.BAD_REQUEST)
"""What a frame is called whose time is on another clock than the daemon's."""

# Together RELAXED and CORRELATE let a request follow one whose reply never came, and drop that reply if it comes late.
# IMMEDIATE: a crop that waits for a daemon to start is stale when it does.
_OPTIONS = {zmq.REQ_RELAXED: 1, zmq.REQ_CORRELATE: 1, zmq.IMMEDIATE: 1}


class HandClient(Connection):
    """A connection to the daemon. Use it in a `with`; make one for each thread that asks.

    It may be made before the daemon runs, and outlives its restarts.

    Every call raises:
        NoReplyError: the daemon did not answer in time.
        RefusedError: it answered that it will not.
        BadReplyError: what it answered is not of this protocol.
        InUseError, ClosedError, ForkedError, SocketError: the connection cannot be used; see there.
    After the first three, and `InUseError`, the client stays usable.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        run_dir: PathLike | None = None,
        source: str | None = None,
        timeout_ms: int = 2000,
        keys: ClientKeys | None = None,
    ) -> None:
        """Connect, without waiting for anybody.

        Args:
            address: of the daemon's requests, ipc://PATH or tcp://HOST:PORT; None: where a daemon of this user listens
                by default.
            run_dir: in place of the address, the run directory of a daemon that has one of its own.
            source: what the frames sent here come from; names their events, and of two frames of one source that wait
                only the newer runs. 1 to 64 printable characters; None: a name for this client alone.
            timeout_ms: how long a call may wait for its reply, unless it says otherwise.
            keys: for a daemon that asks for them, over TCP; one that does not know them never answers.

        Raises:
            ValueError: an argument is not as described.
            HandClientError: see `requests_address_of` and `Connection`.
        """
        self.source = f"python-{os.getpid()}-{id(self):x}" if source is None else source
        require_source(self.source)
        self.timeout_ms = timeout_ms
        Deadline(timeout_ms)  # refuses what no call could wait
        self._ids = itertools.count(1)
        self._frames = itertools.count(1)
        super().__init__(zmq.REQ, requests_address_of(address, run_dir), keys, _OPTIONS)
        self._clock = DaemonClock(is_ours=not self.address.startswith("tcp:"))

    def hello(self, *, timeout_ms: int | None = None) -> HelloReply:
        """Who serves, what, and where its events are."""
        return self._ask(HelloRequest(**self._head()), HelloReply, self._deadline(timeout_ms))

    def status(self, *, timeout_ms: int | None = None) -> StatusReply:
        """How the daemon is: state, queue, counters, latencies."""
        return self._ask(StatusRequest(**self._head()), StatusReply, self._deadline(timeout_ms))

    def ping(self, *, deep: bool = False, timeout_ms: int | None = None) -> PongReply:
        """Whether it answers; deep: whether the thread that owns the network does."""
        return self._ask(PingRequest(**self._head(), deep=deep), PongReply, self._deadline(timeout_ms))

    def topology(self, *, timeout_ms: int | None = None) -> TopologyReply:
        """Faces, names and parents."""
        return self._ask(TopologyRequest(**self._head()), TopologyReply, self._deadline(timeout_ms))

    def estimate(
        self,
        hands: Pixels | Crop | HandCrop | Sequence[Crop | HandCrop],
        side: Side | None = None,
        *,
        box: Box | None = None,
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
            hands: one crop's pixels, (256, 256, 3) uint8 RGB, with `side` and perhaps `box`; or the hand or the hands
                of one frame, up to 8, each with its own: of `make_crop`, or of `hand_crop` with more to say.
            side: of the one crop.
            box: centre x, centre y and side of the square that the one crop was cut from, px of the whole image.
            frame: its number; None: counted here.
            captured_at_ns: when it was taken, `time.monotonic_ns()` here, also for a daemon on another host: it is sent
                on the daemon's clock. None: now.
            deadline_ms: do not compute it when the frame is older than this; None: no matter how old.
            publish: send subscribers an event too.
            want: the parts to reply with; None: all.
            image_size: width and height of the whole image, px; with `box`, the reply has the whole-image camera.
            intrinsics: fx, fy, cx, cy of the whole image, px; None: a guess from its size.
            mirrored: the image is a mirrored (selfie) one, and crops, sides and boxes are as it shows them. The reply
                is of the scene itself: the other side, and `keypoints_2d` in pixels of the unmirrored image; to draw
                on the mirrored one take W - 1 - x.
            timeout_ms: how long to wait, for everything; None: as the client was made.

        Returns:
            The hands in the order of the crops.

        Raises:
            ValueError: an argument that the daemon would refuse; names it.
            HandClientError: see the class. What `RefusedError.code` says here: busy, loading, superseded, expired ...
        """
        deadline = self._deadline(timeout_ms)
        require_between("captured_at_ns", captured_at_ns, 0, MAX_TIME_NS)
        frame_hands = hands_of_frame(hands, side, box)
        ahead_ns = self._ahead_ns(deadline)
        captured_here_ns = time.monotonic_ns() if captured_at_ns is None else captured_at_ns
        request = EstimateRequest(
            **self._head(),
            source=self.source,
            frame=next(self._frames) if frame is None else frame,
            captured_at_ns=max(0, captured_here_ns + ahead_ns),
            hands=frame_hands,
            deadline_ms=deadline_ms,
            publish=publish,
            want=None if want is None else list(want),
            image_size=as_tuple(image_size),
            intrinsics=as_tuple(intrinsics),
            mirrored=mirrored,
        )
        sent_ns = time.monotonic_ns()
        reply = self._ask(request, EstimateReply, deadline)
        self._clock.check(reply.epoch, ClockSample(sent_ns, reply.timing.received_at_ns, time.monotonic_ns()))
        return reply

    def wait_until_ready(self, *, timeout_ms: int = 60_000) -> None:
        """Wait for the daemon to start and to load its network, which it begins anew if it has let it go.

        Args:
            timeout_ms: how long; loading WiLoR's weights takes seconds.

        Raises:
            HandClientError: the last attempt's, when the time is over; at once where waiting does not help.
        """
        deadline = Deadline(timeout_ms)
        while True:
            try:
                self._ask(PingRequest(**self._head(), deep=True), PongReply, deadline)
            except RefusedError as refusal:
                if refusal.code not in (ErrorCode.LOADING, ErrorCode.DRAINING, ErrorCode.BUSY) or deadline.is_over:
                    raise
                time.sleep(_ASK_AGAIN_S)
            else:
                return

    def clock_ahead_ns(self, *, timeout_ms: int | None = None) -> int:
        """How far the daemon's monotonic clock is ahead of this host's, ns, measured now, within half a round trip.

        On one host it is about 0. It changes when either host sleeps or starts anew; `now_ns` takes care of that.
        """
        return self._measure_clock(self._deadline(timeout_ms))

    def now_ns(self, *, timeout_ms: int | None = None) -> int:
        """Now, on the daemon's clock: minus an event's `captured_at_ns`, the age of its pose.

        On one host that is `time.monotonic_ns()`. Over TCP the daemon is asked now and then.
        """
        ahead_ns = self._ahead_ns(self._deadline(timeout_ms))
        return time.monotonic_ns() + ahead_ns

    def _ahead_ns(self, deadline: Deadline) -> int:
        known_ns = self._clock.ahead_ns
        return self._measure_clock(deadline) if known_ns is None else known_ns

    def _measure_clock(self, deadline: Deadline) -> int:
        self._clock_sample(deadline)  # which may have waited for a connection
        return self._clock.set([self._clock_sample(deadline) for _ in range(_SAMPLES)])

    def _clock_sample(self, deadline: Deadline) -> ClockSample:
        before_ns = time.monotonic_ns()
        pong = self._ask(PingRequest(**self._head()), PongReply, deadline)
        return ClockSample(before_ns, pong.clocks.monotonic_ns, time.monotonic_ns())

    def _head(self) -> dict[str, Any]:
        return {"id": next(self._ids), "v": PROTOCOL_VERSION}

    def _deadline(self, timeout_ms: int | None) -> Deadline:
        return Deadline(self.timeout_ms if timeout_ms is None else timeout_ms)

    def _ask(self, request: Request, answer: type[Answer], deadline: Deadline) -> Answer:
        try:
            return _read(self._exchange(encode(request), deadline), request, answer)
        except NoReplyError:
            self._clock.doubt()
            raise
        except RefusedError as refusal:
            if refusal.code in _TOO_OLD_OR_TOO_NEW:
                self._clock.doubt()
            raise

    def _exchange(self, body: bytes, deadline: Deadline) -> bytes:
        with self._held():
            for _ in self._ready(zmq.POLLOUT, deadline):
                try:
                    self._socket.send(body, zmq.NOBLOCK)
                    break
                except zmq.Again:  # the daemon went meanwhile
                    continue
            else:
                raise NoReplyError(
                    f"no daemon at {self.address} within {deadline.timeout_ms} ms; is `wilor-sidecar serve` running?"
                )
            for _ in self._ready(zmq.POLLIN, deadline):
                try:
                    return self._socket.recv(zmq.NOBLOCK)
                except zmq.Again:  # what arrived was an old request's reply, and has been dropped
                    continue
            raise NoReplyError(f"no reply from {self.address} within {deadline.timeout_ms} ms")


def _read(body: bytes, request: Request, answer: type[Answer]) -> Answer:
    """The answer to a request, or the error that its reply is."""
    try:
        head = decode_reply_head(body)
        reply = decode_message(body, answer) if head.ok else None
    except MalformedError as error:
        raise BadReplyError(str(error)) from error
    if head.id not in (request.id, None):
        raise BadReplyError(f"id: expected {request.id}, got {head.id}")
    if head.error is not None:
        raise RefusedError(head.error)
    if reply is None:
        raise BadReplyError("error: expected in a reply that is not ok, got none")
    return reply
