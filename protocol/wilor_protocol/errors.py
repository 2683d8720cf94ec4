"""The refusals of the wire: a stable code, a sentence for people, and whether the same request may succeed later."""

from enum import StrEnum

from msgspec import Struct

from wilor_protocol.version import PROTOCOL_VERSION


class ErrorCode(StrEnum):
    """Why a request was not answered with a pose. PROTOCOL.md explains each."""

    BAD_REQUEST = "bad_request"
    UNSUPPORTED_VERSION = "unsupported_version"
    TOO_LARGE = "too_large"
    LOADING = "loading"
    BUSY = "busy"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    ENGINE_ERROR = "engine_error"
    DRAINING = "draining"
    INTERNAL = "internal"


RETRYABLE = frozenset({ErrorCode.LOADING, ErrorCode.BUSY, ErrorCode.ENGINE_ERROR, ErrorCode.DRAINING})
"""A superseded or expired frame is not worth sending again: send the next one."""


_LONGEST_MESSAGE = 300


class WireError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `error` of a refusal.

    Attributes:
        code: stable; what a program decides by.
        message: one sentence that names the field, what came and what was expected, where that applies.
        retryable: the same request may succeed a moment later.
        protocol: lowest and highest protocol version spoken here; only with `unsupported_version`.
    """

    code: ErrorCode
    message: str
    retryable: bool
    protocol: tuple[int, int] | None = None


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that gets a refusal instead of an answer.

    Attributes:
        error: what goes on the wire.
        request_id: the id to echo; None when the request was too broken to have one.
    """

    def __init__(self, code: ErrorCode, message: str, *, request_id: int | None = None) -> None:
        super().__init__(message)
        if len(message) > _LONGEST_MESSAGE:  # it may quote what came
            message = message[: _LONGEST_MESSAGE - 3] + "..."
        spoken = (PROTOCOL_VERSION, PROTOCOL_VERSION) if code is ErrorCode.UNSUPPORTED_VERSION else None
        self.error = WireError(code=code, message=message, retryable=code in RETRYABLE, protocol=spoken)
        self.request_id = request_id
