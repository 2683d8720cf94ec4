"""A zip file whose members lie in it uncompressed, mapped into memory: members are views, not copies.

What a zip says twice (central directory and local header) has to agree, because two readers that believe different
halves see different files. Knows nothing of what the members mean.
"""

import struct
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wilor_sidecar.weights.errors import WeightsError

Bytes = npt.NDArray[np.uint8]

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1


class StoredZip:
    """An open zip of stored members. The mapping lives as long as any view of it.

    Raises:
        WeightsError: on opening, when the file is not a whole zip or names a member twice.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.name
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
            self._bytes: Bytes = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
        except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError) as error:
            raise WeightsError(f"{path.name}: not a readable zip file ({error})") from error
        self._members = {member.orig_filename: member for member in members}
        if len(self._members) != len(members):
            raise WeightsError(f"{path.name}: the zip file names {_first_repeated(members)} twice")

    @property
    def names(self) -> list[str]:
        """The members' names, in the order of the central directory."""
        return list(self._members)

    def read(self, name: str, *, limit: int) -> bytes:
        """Copy a member of at most `limit` bytes."""
        if self._member(name).file_size > limit:
            raise self._refused(name, f"has {self._member(name).file_size} bytes, more than {limit}")
        return self.view(name).tobytes()

    def view(self, name: str) -> Bytes:
        """A member's bytes, read-only, (size,) uint8, not copied.

        Raises:
            WeightsError: it is missing, compressed, encrypted, or does not lie where and as the zip says.
        """
        member = self._member(name)
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise self._refused(name, "is compressed; PyTorch stores its members uncompressed")
        if member.flag_bits & _ENCRYPTED:
            raise self._refused(name, "is encrypted")
        start = self._data_offset(member)
        if start + member.file_size > self._bytes.size:
            raise self._refused(name, "reaches beyond the end of the file")
        return self._bytes[start : start + member.file_size]

    def _data_offset(self, member: zipfile.ZipInfo) -> int:
        """Where a member's data begins: behind the local header, whose variable part only that header knows."""
        begin = member.header_offset
        if not 0 <= begin <= self._bytes.size - _LOCAL_HEADER.size:
            raise self._refused(member.orig_filename, "has its header outside the file")
        header = _LOCAL_HEADER.unpack(self._bytes[begin : begin + _LOCAL_HEADER.size].tobytes())
        signature, method, name_length, extra_length = header[0], header[3], header[9], header[10]
        name_begin = begin + _LOCAL_HEADER.size
        local_name = self._bytes[name_begin : name_begin + name_length].tobytes()
        if signature != _LOCAL_SIGNATURE or method != zipfile.ZIP_STORED:
            raise self._refused(member.orig_filename, "has a local header that contradicts the zip's directory")
        if local_name not in (_encoded(member.orig_filename, "utf-8"), _encoded(member.orig_filename, "cp437")):
            raise self._refused(member.orig_filename, "has another name in its local header")
        return name_begin + int(name_length) + int(extra_length)

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise self._refused(name, "is missing")
        return self._members[name]

    def _refused(self, name: str, reason: str) -> WeightsError:
        return WeightsError(f"{self._file}: member {name} {reason}")


def _encoded(name: str, encoding: str) -> bytes | None:
    try:
        return name.encode(encoding)
    except UnicodeEncodeError:
        return None


def _first_repeated(members: list[zipfile.ZipInfo]) -> str:
    names = [member.orig_filename for member in members]
    return next(name for name in names if names.count(name) > 1)
