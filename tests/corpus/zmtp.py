"""ZMTP 3.1 spoken by hand: the bytes that a peer sends after connecting."""

SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"
GREETING_BYTES = 64
MORE, LONG, COMMAND = 1, 2, 4


def greeting(version: bytes = b"\x03\x01", mechanism: bytes = b"NULL", *, as_server: bool = False) -> bytes:
    """The first 64 bytes."""
    return SIGNATURE + version + mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31)


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame, with its length in the right form."""
    if len(body) > 255:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def command(name: bytes, data: bytes = b"") -> bytes:
    """A command frame."""
    return frame(bytes([len(name)]) + name + data, COMMAND)


def ready(**properties: bytes) -> bytes:
    """The READY command with metadata."""
    metadata = b"".join(
        bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value for name, value in properties.items()
    )
    return command(b"READY", metadata)


def session(*frames: bytes, kind: bytes = b"DEALER") -> bytes:
    """A sound beginning, then these frames."""
    return greeting() + ready(**{"Socket-Type": kind}) + b"".join(frames)


def request(body: bytes) -> bytes:
    """A request as a DEALER sends it."""
    return frame(b"", MORE) + frame(body)
