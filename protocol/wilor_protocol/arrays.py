"""Arrays on the wire: `{dtype: "<f4", shape: [21, 3], data: bin}`, row-major.

Two element types exist: little-endian float32 (`<f4`) and int32 (`<i4`).
"""

import math
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Int32Array = NDArray[np.int32]

_DTYPES = {"<f4": np.dtype("<f4"), "<i4": np.dtype("<i4")}


def numpy_to_wire(value: object) -> Any:
    """The map that stands for a float32 or int32 array, the number that a numpy scalar is; msgspec's `enc_hook`.

    Raises:
        NotImplementedError: `value` is neither.
        ValueError: the array's element type is not one of the wire's.
    """
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"{type(value).__name__} has no form on the wire")
    if value.dtype not in _DTYPES.values():
        raise ValueError(f"arrays travel as float32 or int32, got {value.dtype}")
    return {"dtype": value.dtype.str, "shape": value.shape, "data": np.ascontiguousarray(value).data}


def array_from_wire(wanted: type, value: object) -> NDArray[Any]:
    """The array that a map stands for, a read-only view of the message; msgspec's `dec_hook`.

    Args:
        wanted: the annotation of the field, `Float32Array` or `Int32Array`.
        value: what stood there.

    Raises:
        ValueError: the map is not an array of the wanted element type, or its bytes do not fill its shape.
    """
    dtype = np.dtype(get_args(get_args(wanted)[1])[0])
    if not isinstance(value, dict):
        raise TypeError(f"expected an array as a map of dtype, shape and data, got {type(value).__name__}")
    if value.get("dtype") != dtype.str:
        raise ValueError(f"dtype: expected {dtype.str!r}, got {value.get('dtype')!r}")
    shape, data = value.get("shape"), value.get("data")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"shape: expected a list of sizes, got {shape!r}")
    if not isinstance(data, bytes):
        raise TypeError(f"data: expected bin, got {type(data).__name__}")
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"data: expected {math.prod(shape) * dtype.itemsize} bytes for shape {shape}, got {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)
