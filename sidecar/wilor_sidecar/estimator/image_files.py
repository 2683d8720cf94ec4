"""Compressed crops without what is no picture in them: texts, profiles, notes.

A decoder reads those too, and unpacks some: 190 kB can hold texts that become a gigabyte. Here they are stepped over
unread, and a file of very many parts is refused before anything works through them.
"""

_MOST_PARTS = 256
"""An encoder makes one or two dozen of a picture of 256 x 256."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_FRAME = 12  # length, type and checksum of a chunk
_LOWER_CASE = 0x20

_JPEG_START = b"\xff\xd8"
_JPEG_FILL = 0xFF
_JPEG_SCAN = 0xDA
_JPEG_TABLES = {*range(0xC0, 0xD0), 0xDB, 0xDD, 0xE0, 0xEE}
"""Frames, Huffman and quantisation tables, restart intervals; JFIF and Adobe, which say how colours are coded."""
_JPEG_NOTES = {0xFE, *range(0xE1, 0xEE), 0xEF}
"""Comments and the other application data."""


def picture_alone(codec: str, data: bytes) -> bytes:
    """The file without its notes.

    Args:
        codec: "png" or "jpeg".
        data: the file; one that does not begin as this kind does comes back as it is.

    Raises:
        ValueError: it has too many parts, or parts that are none.
    """
    if codec == "png":
        return _png_alone(data) if data.startswith(_PNG_SIGNATURE) else data
    return _jpeg_alone(data) if data.startswith(_JPEG_START) else data


def _png_alone(data: bytes) -> bytes:
    """Critical chunks only: their types begin with a capital letter."""
    kept, start = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    for _ in range(_MOST_PARTS):
        end = start + _PNG_FRAME + int.from_bytes(data[start : start + 4], "big")
        if len(data) < start + _PNG_FRAME or end > len(data):  # the decoder will say that it ends too soon
            return b"".join([*kept, data[start:]])
        if not data[start + 4] & _LOWER_CASE:
            kept.append(data[start:end])
        start = end
    raise ValueError(f"more than {_MOST_PARTS} chunks")


def _jpeg_alone(data: bytes) -> bytes:
    """What comes before the first scan without its notes. From there on no part is read but by the decoder proper."""
    kept, start = [_JPEG_START], len(_JPEG_START)
    for _ in range(_MOST_PARTS):
        prefix, marker = data[start : start + 2].ljust(2, b"\0")
        if prefix != _JPEG_FILL:
            raise ValueError(f"no marker at byte {start}")
        if marker == _JPEG_FILL:
            start += 1
            continue
        if marker == _JPEG_SCAN:
            return b"".join([*kept, data[start:]])
        end = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
        if marker in _JPEG_TABLES:
            kept.append(data[start:end])
        elif marker not in _JPEG_NOTES:
            raise ValueError(f"marker {marker:x} before the picture, at byte {start}")
        start = end
    raise ValueError(f"more than {_MOST_PARTS} segments")
