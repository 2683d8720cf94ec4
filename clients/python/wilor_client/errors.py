"""What can go wrong for a client: no answer, a refusal, nonsense, or a connection that is used as none can be."""

from wilor_protocol.errors import ErrorCode, WireError


class HandClientError(Exception):
    """The root of what this package raises about the daemon. Wrong arguments raise `ValueError`.

    Attributes:
        retryable: the same call may succeed a moment later.
    """

    retryable: bool = False


class NoReplyError(HandClientError, TimeoutError):
    """No reply came in time. The client stays usable: a reply that comes late is dropped."""

    retryable = True


class RefusedError(HandClientError):
    """The daemon answered that it will not.

    Attributes:
        code: why; compare this, not the text.
        message: one sentence.
    """

    def __init__(self, error: WireError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.code: ErrorCode = error.code
        self.message = error.message
        self.retryable = error.retryable


class BadReplyError(HandClientError):
    """What came back is not of this protocol."""


class BadAddressError(HandClientError, ValueError):
    """Nothing can be connected to by this address or in this run directory; the text says what was expected."""


class ClosedError(HandClientError, RuntimeError):
    """The connection was closed."""


class InUseError(HandClientError, RuntimeError):
    """Another thread is using the connection at this moment. A connection is for one thread at a time."""


class ForkedError(HandClientError, RuntimeError):
    """The connection belongs to the process that made it, and this is a fork of that one: make another here."""


class SocketError(HandClientError, OSError):
    """ZeroMQ or the system failed, for want of file descriptors for example."""
