"""How stored bytes become numpy arrays: the element types of PyTorch and safetensors files, one table for both.

NumPy has no bfloat16; it is a float32 without its lower half, so it is widened, exactly. Knows no file format.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array whose element type is known only when the file is read."""


@dataclass(frozen=True)
class ElementType:
    """An element type as it lies in a file, little-endian."""

    stored: np.dtype[Any]
    is_bfloat16: bool = False


def _plain(code: str) -> ElementType:
    return ElementType(np.dtype(code))


FLOAT64, FLOAT32, FLOAT16 = _plain("<f8"), _plain("<f4"), _plain("<f2")
BFLOAT16 = ElementType(np.dtype("<u2"), is_bfloat16=True)
INT64, INT32, INT16, INT8 = _plain("<i8"), _plain("<i4"), _plain("<i2"), _plain("i1")
UINT8, UINT32, BOOL = _plain("u1"), _plain("<u4"), _plain("?")


def widen(stored: Array, element: ElementType) -> Array:
    """Turn stored elements into ones numpy can compute with; anything but bfloat16 passes through uncopied."""
    if not element.is_bfloat16:
        return stored
    return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
