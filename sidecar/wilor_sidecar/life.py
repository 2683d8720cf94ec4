"""The daemon's state: what it is in, why, and which may follow which."""

import logging
from collections.abc import Callable

from wilor_protocol.replies import State

log = logging.getLogger(__name__)

_NEXT: dict[State, frozenset[State]] = {
    "starting": frozenset({"loading", "degraded", "draining", "failed"}),
    "loading": frozenset({"loading", "warming", "degraded", "draining", "failed"}),
    "warming": frozenset({"ready", "degraded", "draining", "failed"}),
    "ready": frozenset({"loading", "degraded", "draining", "failed"}),
    "degraded": frozenset({"loading", "draining", "failed"}),
    "draining": frozenset({"stopped"}),
    "stopped": frozenset(),
    "failed": frozenset(),
}


class Life:
    """Where the daemon is in its life.

    Attributes:
        state: see PROTOCOL.md, "States".
        reason: why, in a few words for people.
    """

    def __init__(self, announce: Callable[[], None]) -> None:
        """Begin, `starting`.

        Args:
            announce: called after each change.
        """
        self.state: State = "starting"
        self.reason = "the process has begun"
        self._announce = announce

    def become(self, state: State, reason: str) -> None:
        """Change the state; log and announce it once.

        Raises:
            RuntimeError: that state cannot follow: a mistake in the daemon.
        """
        if state not in _NEXT[self.state]:
            raise RuntimeError(f"{self.state} cannot become {state}")
        self.state, self.reason = state, reason
        log.info("%s: %s", state, reason)
        self._announce()

    def follow(self, state: State, reason: str) -> None:
        """Become that, unless the daemon is already on its way out."""
        if self.state not in ("draining", "failed"):
            self.become(state, reason)
