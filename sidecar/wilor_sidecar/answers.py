"""The pure parts of an answer: what a letter asks, what a reply leaves out, where the time went."""

import time
from collections.abc import Sequence

import msgspec

from wilor_protocol import limits
from wilor_protocol.codec import decode_request
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.hands import Hand
from wilor_protocol.replies import Timing
from wilor_protocol.requests import AnyRequest, EstimateRequest, Want
from wilor_sidecar.channels import Letter
from wilor_sidecar.jobs import Job
from wilor_sidecar.runner import BatchDone

_FIELDS_OF: dict[Want, tuple[str, ...]] = {
    "keypoints": ("keypoints",),
    "vertices": ("vertices",),
    "camera": ("camera", "keypoints_2d", "translation", "focal_px"),
    "mano": ("mano",),
}


def request_in(letter: Letter) -> AnyRequest:
    """What a letter asks.

    Raises:
        Refusal: nothing that can be answered.
    """
    if letter.body is None:
        raise Refusal(ErrorCode.BAD_REQUEST, "frames: expected one body after the empty frame, got none or several")
    if len(letter.body) > limits.MAX_REQUEST_BYTES:
        raise Refusal(
            ErrorCode.TOO_LARGE, f"body: expected at most {limits.MAX_REQUEST_BYTES} bytes, got {len(letter.body)}"
        )
    return decode_request(letter.body)


def check_capture_time(request: EstimateRequest, now_ns: int) -> None:
    """Look whether a frame's time can be one of our clock: it is not yet to come.

    Raises:
        Refusal: it is of another clock, by which no frame would ever expire.
    """
    ahead_ns = request.captured_at_ns - now_ns
    if ahead_ns > limits.MAX_AHEAD_NS:
        raise Refusal(
            ErrorCode.BAD_REQUEST,
            f'captured_at_ns: expected a time on the monotonic clock of the daemon\'s host (PROTOCOL.md, "Time"), '
            f"got {request.captured_at_ns}, which is {ahead_ns / 1e9:.0f} s in the future",
            request_id=request.id,
        )


def wanted_parts(hands: list[Hand], want: Sequence[Want] | None) -> list[Hand]:
    """The hands without the parts that were not wanted; None: with all."""
    if want is None:
        return hands
    unwanted = [field for part, fields in _FIELDS_OF.items() if part not in want for field in fields]
    return [msgspec.structs.replace(hand, **dict.fromkeys(unwanted)) for hand in hands]


def timing_of(job: Job, done: BatchDone) -> Timing:
    """Where a job's time went, until now."""
    return Timing(
        received_at_ns=job.received_at_ns,
        queue_ms=_ms(done.started_at_ns - job.received_at_ns),
        model_ms=_ms(done.finished_at_ns - done.started_at_ns),
        total_ms=_ms(time.monotonic_ns() - job.received_at_ns),
        batch=sum(each.crops for each in done.jobs),
    )


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
