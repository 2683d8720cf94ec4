"""Read a small .npz without unpickling and without believing its sizes. Knows nothing of what the arrays mean."""

import io
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError

MAX_MEMBER_BYTES = 64 << 20
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError)


def read_npz(path: Path) -> dict[str, Array]:
    """Read every array of an .npz.

    Raises:
        WeightsError: not an .npz, damaged, an array of objects, or a member over MAX_MEMBER_BYTES.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            return {member.filename.removesuffix(".npy"): _read_member(archive, member) for member in members}
    except WeightsError as error:
        raise WeightsError(f"{path.name}: {error}") from error
    except _DAMAGED as error:
        raise WeightsError(f"{path.name}: not a readable .npz file ({error})") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    # zipfile reads no more than the size it announces, so the announcement is what has to be bounded.
    if member.file_size > MAX_MEMBER_BYTES:
        raise WeightsError(f"{member.filename} has {member.file_size} bytes, more than {MAX_MEMBER_BYTES}")
    stream = io.BytesIO(archive.read(member))
    shape, fortran, dtype = _read_header(stream)
    if dtype.hasobject:
        raise WeightsError(f"{member.filename} holds objects, expected numbers")
    # A shape that does not match the bytes is a ValueError of reshape; nothing is allocated for it.
    return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran else "C")


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)
