"""Tests of the running daemon through its sockets: what it promises its clients, on this machine, now.

They disturb nobody: their frames come from a source of their own, and only one of them is published.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import zmq
from numpy.typing import NDArray

from wilor_client import HandClient, HandEvents, RefusedError, hand_crop
from wilor_client.errors import HandClientError
from wilor_client.keys import ClientKeys
from wilor_protocol.codec import decode_reply_head
from wilor_protocol.errors import ErrorCode
from wilor_protocol.events import joints_topic
from wilor_protocol.hands import Hand
from wilor_protocol.limits import MAX_HANDS, MAX_REQUEST_BYTES
from wilor_protocol.replies import StatusReply
from wilor_sidecar.bench.hand_crops import hand_crops
from wilor_sidecar.doctor.findings import Finding, not_tried, ok, problem, warning
from wilor_sidecar.doctor.guard import TELL_US, guarded
from wilor_sidecar.setup.plausible import implausible
from wilor_sidecar.setup.probe import Probe, probe_crop

_ANSWER_MS = 60_000
_STATUS_MS = 10.0
"""Promised for the 95th percentile, whatever the network does."""
_TIMES = 20
_PROBE_MM = 2.0
"""Devices and versions of MLX differ by a tenth of that."""
_BATCH_MM = 2.0
"""A crop in a batch of eight, against itself alone: half precision sums in another order."""


@dataclass(frozen=True)
class MadeModel:
    """The model of the settings.

    Attributes:
        name: as the daemon calls it.
        probe: what it answered when it was made.
    """

    name: str
    probe: Probe


@dataclass(frozen=True)
class Target:
    """The daemon to test.

    Attributes:
        requests: its address; None: the default one.
        keys: for one that asks for them.
        made: its model, if it serves the one of the settings; None: nothing is known of that.
        model_mend: what mends the model of the settings; "": it is sound.
    """

    requests: str | None
    keys: ClientKeys | None
    made: MadeModel | None
    model_mend: str = ""


class FailedError(Exception):
    """A test has failed; the text says how."""


class NotTriedError(Exception):
    """A test cannot be made here; the text says why."""


def check_daemon(target: Target) -> Iterator[Finding]:
    """Run all tests against the daemon, if one runs."""
    source = f"doctor-{secrets.token_hex(4)}"
    with HandClient(target.requests, source=source, timeout_ms=_ANSWER_MS, keys=target.keys) as client:
        try:
            status = client.status(timeout_ms=2000)
        except HandClientError as error:
            yield warning("daemon", f"none answers ({error})", "wilor-sidecar serve")
            return
        yield _state(status, target.model_mend)
        if not status.ready:
            return
        tests = Examination(client, target)
        for name, test in tests.all():
            yield from guarded(f"daemon {name}", partial(_tried, f"daemon {name}", test))


def _state(status: StatusReply, model_mend: str) -> Finding:
    text = f"{status.server}, pid {status.pid}, {status.state}: {status.reason}"
    if status.ready:
        return ok("daemon", text)
    if status.state == "degraded" and model_mend:
        return problem("daemon", text, f"{model_mend}; then start the daemon anew")
    return problem("daemon", text, "wilor-sidecar status")


def _tried(name: str, test: Callable[[], str]) -> Iterator[Finding]:
    try:
        yield ok(name, test())
    except NotTriedError as error:
        yield not_tried(name, str(error))
    except FailedError as error:
        yield problem(name, str(error), TELL_US)
    except HandClientError as error:
        yield problem(name, f"no answer: {error}", "wilor-sidecar status")


class Examination:
    """Each returns what it saw, or raises."""

    def __init__(self, client: HandClient, target: Target) -> None:
        self._client = client
        self._target = target
        self._crop: NDArray[np.uint8] = probe_crop()[0]

    def all(self) -> list[tuple[str, Callable[[], str]]]:
        """In the order in which they are run."""
        return [
            ("status", self.status_is_quick),
            ("deep ping", self.engine_answers),
            ("estimate", self.answers_a_hand),
            ("repeat", self.same_crop_same_answer),
            ("left hands", self.left_is_right_mirrored),
            ("batch", self.batch_is_its_crops),
            ("probe", self.answer_is_the_stored_one),
            ("events", self.events_arrive),
            ("deadline", self.old_frames_are_refused),
            ("garbage", self.garbage_is_refused),
            ("oversize", self.oversize_harms_nobody),
            ("speed", self.speed),
        ]

    def status_is_quick(self) -> str:
        """Within 10 ms at the 95th percentile."""
        p95_ms = float(np.percentile([_timed_ms(self._client.status) for _ in range(_TIMES)], 95))
        if p95_ms > _STATUS_MS:
            raise FailedError(f"p95 of {_TIMES} answers is {p95_ms:.1f} ms, promised are {_STATUS_MS:.0f}")
        return f"p95 of {_TIMES} answers {p95_ms:.1f} ms"

    def engine_answers(self) -> str:
        """The thread that owns the network is alive."""
        return f"{_timed_ms(lambda: self._client.ping(deep=True)):.1f} ms through the engine"

    def answers_a_hand(self) -> str:
        """A drawn hand gets finite numbers that can be a hand's."""
        keypoints = _keypoints(self._estimate()[0])
        if why := implausible(keypoints):
            raise FailedError(f"no hand: {why}")
        span_mm = np.linalg.norm(keypoints - keypoints[0], axis=1).max() * 1e3
        return f"a hand, {span_mm:.0f} mm from the wrist to the farthest tip"

    def same_crop_same_answer(self) -> str:
        """Bit for bit."""
        first, second = (_keypoints(self._estimate()[0]) for _ in range(2))
        if not np.array_equal(first, second):
            raise FailedError(f"the same crop twice is {np.abs(first - second).max() * 1e3:g} mm apart")
        return "the same crop twice is the same to the last bit"

    def left_is_right_mirrored(self) -> str:
        """A mirrored crop sent as a left hand gives the mirrored answer."""
        right = _keypoints(self._estimate()[0])
        mirrored = np.ascontiguousarray(self._crop[:, ::-1])
        left = _keypoints(self._client.estimate(mirrored, "left", publish=False).hands[0])
        apart_mm = float(np.abs(left * (-1, 1, 1) - right).max()) * 1e3
        if apart_mm > 1e-3:
            raise FailedError(f"a mirrored hand is {apart_mm:g} mm from the mirrored answer")
        return "a mirrored hand gets the mirrored answer"

    def batch_is_its_crops(self) -> str:
        """Eight different hands in one frame, each as it is alone."""
        crops = hand_crops(MAX_HANDS)
        hands = self._client.estimate([hand_crop(crop, "right") for crop in crops], publish=False).hands
        if len(hands) != MAX_HANDS:
            raise FailedError(f"{len(hands)} hands came back of {MAX_HANDS}")
        alone = [_keypoints(self._client.estimate(crop, "right", publish=False).hands[0]) for crop in crops]
        apart_mm = [
            float(np.abs(_keypoints(hand) - points).max()) * 1e3 for hand, points in zip(hands, alone, strict=True)
        ]
        worst = int(np.argmax(apart_mm))
        if apart_mm[worst] > _BATCH_MM:
            raise FailedError(f"hand {worst + 1} of {MAX_HANDS} is {apart_mm[worst]:g} mm from its answer alone")
        return f"{MAX_HANDS} hands in one frame, within {apart_mm[worst]:.4f} mm of each alone"

    def answer_is_the_stored_one(self) -> str:
        """What the model answered when it was made is what it answers here."""
        made, serves = self._target.made, self._client.hello().model
        if made is None or serves is None or serves.name != made.name:
            raise NotTriedError("the served model has no stored answer to compare with")
        stored = made.probe
        apart_mm = stored.apart_mm(_keypoints(self._estimate()[0]))
        if apart_mm > _PROBE_MM:
            raise FailedError(f"{apart_mm:.3f} mm from what the model answered when it was made")
        return f"{apart_mm:.4f} mm from what the model answered when it was made ({stored.device}, mlx {stored.mlx})"

    def events_arrive(self) -> str:
        """A subscriber gets what the sender gets."""
        source = self._client.source
        address = self._client.hello().endpoints.events
        with HandEvents(source, address, mesh=False, keys=self._target.keys) as events:
            deadline = time.monotonic() + 5
            while joints_topic(source) not in self._client.status().subscriptions:
                if time.monotonic() > deadline:
                    raise FailedError("a subscription was not noticed within 5 s")
                events.next(timeout_ms=20)
            reply = self._client.estimate(self._crop, "right", frame=7)
            event = events.next(timeout_ms=5000)
        if event is None:
            raise FailedError("no event within 5 s of the reply")
        if not np.array_equal(_keypoints(event.hands[0]), _keypoints(reply.hands[0])):
            raise FailedError("the event's hand is not the reply's")
        return "a subscriber gets the same numbers as the sender"

    def old_frames_are_refused(self) -> str:
        """A frame that is older than its deadline is not computed."""
        old_ns = time.monotonic_ns() - 10**9
        self._refused(
            ErrorCode.EXPIRED,
            lambda: self._client.estimate(self._crop, "right", captured_at_ns=old_ns, deadline_ms=100, publish=False),
        )
        return "a frame of a second ago with a deadline of 100 ms is refused as expired"

    def garbage_is_refused(self) -> str:
        """Bytes that are no message get a refusal that says so."""
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            self._connect(socket)
            socket.send_multipart([b"", b"\xc1 no message"])
            if not socket.poll(5000):
                raise FailedError("garbage got no answer within 5 s")
            head = decode_reply_head(socket.recv_multipart()[-1])
        if head.ok or head.error is None or head.error.code != ErrorCode.BAD_REQUEST:
            raise FailedError("garbage was not refused as bad_request")
        return "refused as bad_request"

    def oversize_harms_nobody(self) -> str:
        """A message beyond the limit costs its sender the connection, and nobody else anything."""
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            self._connect(socket)
            socket.send_multipart([b"", bytes(2 * MAX_REQUEST_BYTES)])
            socket.poll(200)
        self._client.ping(deep=True)
        return "a message of twice the limit harms nobody else"

    def speed(self) -> str:
        """How long a client waits for one crop; for people, no promise."""
        times = [_timed_ms(self._estimate) for _ in range(_TIMES)]
        p50, p95 = np.percentile(times, (50, 95))
        return f"one crop at a time: median {p50:.1f} ms, p95 {p95:.1f} ms, {_TIMES} times"

    def _estimate(self) -> list[Hand]:
        return self._client.estimate(self._crop, "right", publish=False).hands

    def _connect(self, socket: "zmq.Socket[bytes]") -> None:
        """Connect without a client's care."""
        if self._target.keys is not None:
            raise NotTriedError("it needs the keys' own connection")
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(self._client.address)

    @staticmethod
    def _refused(code: ErrorCode, ask: Callable[[], object]) -> None:
        try:
            ask()
        except RefusedError as error:
            if error.code == code:
                return
            raise FailedError(f"refused as {error.code}, expected {code}") from error
        raise FailedError(f"answered, expected a refusal as {code}")


def _keypoints(hand: Hand) -> NDArray[np.float32]:
    if hand.keypoints is None:
        raise FailedError("the answer has no key points")
    return hand.keypoints


def _timed_ms(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1e3
