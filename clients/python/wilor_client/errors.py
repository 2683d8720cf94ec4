"""What can go wrong for a client: no answer, a refusal, nonsense, and a connection of another process."""

from wilor_protocol.errors import ErrorCode, WireError


class HandClientError(Exception):
    """The root of what this package raises about the daemon. Wrong arguments raise `ValueError`."""


class NoReplyError(HandClientError, TimeoutError):
    """No reply came in time. The client stays usable: a reply that comes late is dropped."""


class RefusedError(HandClientError):
    """The daemon answered that it will not.

    Attributes:
        code: why; compare this, not the text.
        message: one sentence.
        retryable: the same request may succeed a moment later.
    """

    def __init__(self, error: WireError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.code: ErrorCode = error.code
        self.message = error.message
        self.retryable = error.retryable


class BadReplyError(HandClientError):
    """What came back is not of this protocol."""


class ForkedError(HandClientError, RuntimeError):
    """The connection belongs to the process that made it, and this is a fork of that one: make another here."""
