"""Checks that a message makes of itself when it is built or decoded.

Each failure is a `ValueError` that names the field, what was expected and what came. msgspec adds the path
when the message is being decoded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.limits import MAX_SOURCE_LENGTH


def require_between(field: str, value: float | None, low: float, high: float) -> None:
    """Accept None and any finite number with low <= value <= high."""
    if value is not None and not low <= value <= high:  # also false for NaN
        raise ValueError(f"{field}: expected a number from {low} to {high}, got {value}")


def require_length(field: str, value: Sequence[object], low: int, high: int) -> None:
    """Accept low to high elements, characters or bytes."""
    if not low <= len(value) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise ValueError(f"{field}: expected a length of {wanted}, got {len(value)}")


def require_one_of(field: str, value: str, words: tuple[str, ...]) -> None:
    """Accept these words only."""
    if value not in words:
        raise ValueError(f"{field}: expected one of {', '.join(words)}, got {value!r}")


def require_shape(field: str, value: NDArray[np.generic] | None, *shape: int) -> None:
    """Accept None and an array of exactly this shape."""
    if value is not None and value.shape != shape:
        raise ValueError(f"{field}: expected an array of shape {shape}, got {value.shape}")


def require_source(value: str) -> None:
    """Accept 1 to 64 printable characters."""
    require_length("source", value, 1, MAX_SOURCE_LENGTH)
    if not value.isprintable():
        raise ValueError(f"source: expected printable characters, got {value!r}")
