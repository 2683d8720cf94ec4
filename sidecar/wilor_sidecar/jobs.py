"""A piece of work on its way through the daemon."""

from dataclasses import dataclass

from wilor_protocol.requests import EstimateRequest

Route = tuple[bytes, ...]
"""Where a reply goes: the frames that came before the request's body, opaque to all but the request channel."""


@dataclass(frozen=True, slots=True)
class Job:
    """A checked request for an estimate.

    Attributes:
        route: where its reply goes.
        request: what was asked.
        received_at_ns: when it was read, on the monotonic clock.
    """

    route: Route
    request: EstimateRequest
    received_at_ns: int

    @property
    def crops(self) -> int:
        """How many of a batch's places it takes."""
        return len(self.request.hands)

    @property
    def expires_at_ns(self) -> int | None:
        """The last moment at which its frame is not older than its sender wants; None: there is none."""
        if self.request.deadline_ms is None:
            return None
        return self.request.captured_at_ns + round(self.request.deadline_ms * 1e6)

    def is_expired(self, now_ns: int) -> bool:
        """Whether its frame is older than its sender wants."""
        expires_at_ns = self.expires_at_ns
        return expires_at_ns is not None and now_ns > expires_at_ns
