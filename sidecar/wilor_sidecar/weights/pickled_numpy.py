"""Arrays inside Python-2 pickles, read without NumPy's, SciPy's or chumpy's own unpickling code.

Stand-ins for the five classes that MANO's file is made of: they keep the pickled state, and `as_array` computes from it
the array that the class would have meant. chumpy is dead and need not be installed. Knows nothing of MANO.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.restricted_pickle import Call, Sealed, describe

MAX_NESTING = 8
MAX_ELEMENTS = 1 << 24
_ELEMENT_CODES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})


class Pickled(Sealed):
    """An object of a class that we read: its state, unchecked until somebody asks for the array."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class PickledDtype(Pickled):
    """numpy.dtype: the code is an argument, the byte order is in the state."""

    __slots__ = ()


class PickledArray(Pickled):
    """numpy.ndarray."""

    __slots__ = ()


class PickledCsc(Pickled):
    """scipy.sparse.csc_matrix."""

    __slots__ = ()


class PickledChumpy(Pickled):
    """chumpy.ch.Ch: an array in a wrapper."""

    __slots__ = ()


class PickledSelect(Pickled):
    """chumpy.reordering.Select: some elements of another array, in another shape."""

    __slots__ = ()


def _reconstruct_array(*_: object) -> PickledArray:
    return PickledArray()


def _reconstruct_object(kind: Callable[[], object], *_: object) -> object:
    """Stand-in of copyreg's helper, which protocols 0 and 1 make objects with; `kind` can only be a stand-in."""
    return kind()


def _encode(text: str, encoding: str) -> bytes:
    """Stand-in of _codecs.encode, through which Python 3 writes bytes in protocol 2; always as latin1."""
    if encoding != "latin1":
        raise WeightsError(f"bytes in encoding {encoding!r}, expected 'latin1'")
    return text.encode("latin1")


KNOWN: dict[tuple[str, str], object] = {
    ("numpy", "dtype"): PickledDtype,
    ("numpy", "ndarray"): PickledArray,
    ("numpy.core.multiarray", "_reconstruct"): Call(_reconstruct_array),
    ("numpy._core.multiarray", "_reconstruct"): Call(_reconstruct_array),
    ("scipy.sparse.csc", "csc_matrix"): PickledCsc,
    ("scipy.sparse._csc", "csc_matrix"): PickledCsc,
    ("chumpy.ch", "Ch"): PickledChumpy,
    ("chumpy.reordering", "Select"): PickledSelect,
    ("_codecs", "encode"): Call(_encode),
    ("copy_reg", "_reconstructor"): Call(_reconstruct_object),
    ("copyreg", "_reconstructor"): Call(_reconstruct_object),
}
"""What `restricted_pickle.load` shall know to read such files."""


def as_array(value: object, nesting: int = 0) -> Array:
    """Compute the array that a loaded value stands for.

    Raises:
        WeightsError: it stands for none, or its parts do not fit together.
    """
    if nesting > MAX_NESTING:
        raise WeightsError(f"arrays nested more than {MAX_NESTING} deep")
    match value:
        case PickledArray(state=(int(), tuple(shape), PickledDtype() as dtype, fortran, raw)):
            return _dense(shape, dtype, "F" if fortran else "C", raw)
        case PickledChumpy(state={"x": wrapped}):
            return as_array(wrapped, nesting + 1)
        case PickledSelect(state={"a": source, "idxs": places, "preferred_shape": tuple(shape)}):
            return _selected(as_array(source, nesting + 1), as_array(places, nesting + 1), shape)
        case PickledCsc(state={"_shape": tuple(shape), "indptr": columns, "indices": rows, "data": data}):
            parts = (as_array(part, nesting + 1) for part in (columns, rows, data))
            return _from_csc(_checked_shape(shape), *parts)
    raise WeightsError(f"a {describe(value)} that is no array")


def _dense(shape: tuple[object, ...], dtype: PickledDtype, order: str, raw: object) -> Array:
    kind = _element_type(dtype)
    sizes = _checked_shape(shape)
    # Python 2 wrote its bytes as text, which we decoded as latin1: one character per byte.
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(data, bytes) or len(data) != _count(sizes) * kind.itemsize:
        raise WeightsError(f"an array whose data are not {_count(sizes)} x {kind}")
    return np.frombuffer(data, kind).reshape(sizes, order="F" if order == "F" else "C")


def _element_type(dtype: PickledDtype) -> np.dtype[Any]:
    match (dtype.arguments, dtype.state):
        case ((str(code), *_), (_, str(byte_order), *_)) if code in _ELEMENT_CODES and byte_order in set("<>|="):
            return np.dtype(byte_order + code)
    raise WeightsError(f"an array of {str(dtype.arguments[:1])[:40]}, expected plain numbers")


def _selected(source: Array, places: Array, shape: tuple[object, ...]) -> Array:
    sizes = _checked_shape(shape)
    if places.dtype.kind not in "iu" or places.size != _count(sizes):
        raise WeightsError(f"a selection of {places.size} elements for shape {sizes}")
    if places.size and not 0 <= int(places.min()) <= int(places.max()) < source.size:
        raise WeightsError("a selection of elements that are not there")
    return source.ravel()[places.ravel()].reshape(sizes)


def _from_csc(shape: tuple[int, ...], columns: Array, rows: Array, data: Array) -> Array:
    """Spread a compressed sparse column matrix out: column j holds entries columns[j] to columns[j + 1]."""
    if len(shape) != 2 or columns.shape != (shape[1] + 1,) or rows.shape != data.shape or data.ndim != 1:
        raise WeightsError(f"a sparse matrix of shape {shape} whose parts do not fit")
    if columns.dtype.kind not in "iu" or rows.dtype.kind not in "iu":
        raise WeightsError("a sparse matrix whose indices are not whole numbers")
    per_column: Array = np.diff(columns.astype(np.int64))
    if columns[0] != 0 or columns[-1] != data.size or (per_column < 0).any():
        raise WeightsError("a sparse matrix whose columns do not add up")
    if data.size and not 0 <= int(rows.min()) <= int(rows.max()) < shape[0]:
        raise WeightsError("a sparse matrix with entries outside")
    dense: Array = np.zeros(shape, data.dtype)
    # Entries of the same place add up, as in SciPy.
    np.add.at(dense, (rows, np.repeat(np.arange(shape[1]), per_column)), data)
    return dense


def _checked_shape(shape: tuple[object, ...]) -> tuple[int, ...]:
    sizes = tuple(size for size in shape if type(size) is int and size >= 0)
    if len(sizes) != len(shape) or _count(sizes) > MAX_ELEMENTS or max(sizes, default=0) > MAX_ELEMENTS:
        raise WeightsError("an array of impossible shape")
    return sizes


def _count(sizes: tuple[int, ...]) -> int:
    count = 1
    for size in sizes:
        count *= size
    return count
