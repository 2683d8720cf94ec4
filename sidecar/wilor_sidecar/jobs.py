"""A piece of work on its way through the daemon."""

from dataclasses import dataclass

from wilor_protocol.requests import EstimateRequest
from wilor_sidecar.estimator.frame import Frame

Route = tuple[bytes, ...]
"""Where a reply goes: the frames that came before the request's body, opaque to all but the request channel."""


@dataclass(frozen=True, slots=True)
class Job:
    """A checked request for an estimate.

    Attributes:
        route: where its reply goes.
        frame: the request and its pixels.
        received_at_ns: when it was read, on the monotonic clock.
    """

    route: Route
    frame: Frame
    received_at_ns: int

    @property
    def request(self) -> EstimateRequest:
        """What was asked."""
        return self.frame.request

    @property
    def crops(self) -> int:
        """How many of a batch's places it takes."""
        return len(self.frame.crops_rgb)

    def is_expired(self, now_ns: int) -> bool:
        """Whether its frame is older than its sender wants."""
        deadline_ms = self.request.deadline_ms
        return deadline_ms is not None and now_ns - self.request.captured_at_ns > deadline_ms * 1e6
