"""Writes `zmtp/`: `python -m tests.corpus.make_corpus`. A connection that once did harm goes in here."""

from pathlib import Path

import msgpack

from tests.corpus.zmtp import COMMAND, LONG, MORE, SIGNATURE, command, frame, greeting, ready, request, session

FOLDER = Path(__file__).parent / "zmtp"

_PING = msgpack.packb({"v": 1, "op": "ping", "id": 1})


def _claims(length: int, flags: int = 0) -> bytes:
    """A long frame that says it is so long, and is not."""
    return bytes([flags | LONG]) + length.to_bytes(8, "big") + b"x"


def connections() -> dict[str, bytes]:
    """What each connection sends, by name."""
    return {**_before_zmtp(), **_greetings(), **_handshakes(), **_frames(), **_subscriptions()}


def _before_zmtp() -> dict[str, bytes]:
    return {
        "nothing": b"",
        "one_byte": b"\xff",
        "zeros": bytes(1000),
        "ones": b"\xff" * 1000,
        "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "tls": bytes.fromhex("160301020001 0001fc0303") + bytes(range(256)) * 2,
        "a_request_without_zmtp": _PING,
    }


def _greetings() -> dict[str, bytes]:
    whole = greeting()
    cut = {f"greeting_cut_at_{length}": whole[:length] for length in (9, 10, 11, 12, 32, 63, 64)}
    return {
        **cut,
        "zmtp_1": b"\x01\x00" + request(_PING),
        "zmtp_2": SIGNATURE + b"\x01\x05\x00\x00" + request(_PING),
        "zmtp_3_255": greeting(b"\x03\xff") + ready(**{"Socket-Type": b"DEALER"}) + request(_PING),
        "zmtp_255": greeting(b"\xff\xff") + request(_PING),
        "mechanism_plain": greeting(mechanism=b"PLAIN") + command(b"HELLO", b"\x01a\x01b"),
        "mechanism_curve": greeting(mechanism=b"CURVE") + command(b"HELLO", bytes(194)),
        "mechanism_unknown": greeting(mechanism=b"X" * 20),
        "mechanism_empty": greeting(mechanism=b""),
        "as_server": greeting(as_server=True) + ready(**{"Socket-Type": b"DEALER"}) + request(_PING),
    }


def _handshakes() -> dict[str, bytes]:
    lying = b"\x0bSocket-Type" + (2**32 - 1).to_bytes(4, "big") + b"DEALER"
    many = b"".join(b"\x01%c" % (97 + n % 26) + b"\0\0\0\0" for n in range(1000))
    return {
        "no_ready": greeting() + request(_PING),
        "ready_empty": greeting() + ready() + request(_PING),
        "ready_twice": session(ready(**{"Socket-Type": b"DEALER"}), request(_PING)),
        "ready_lies_of_a_length": greeting() + command(b"READY", lying),
        "ready_with_a_thousand_properties": greeting() + command(b"READY", many),
        "ready_of_an_unknown_kind": session(request(_PING), kind=b"TEAPOT"),
        "ready_of_a_kind_that_does_not_fit": session(request(_PING), kind=b"PUB"),
        "identity_of_255_bytes": greeting() + ready(**{"Socket-Type": b"DEALER", "Identity": b"i" * 255}),
        "identity_of_256_bytes": greeting() + ready(**{"Socket-Type": b"DEALER", "Identity": b"i" * 256}),
        "identity_that_begins_with_zero": greeting()
        + ready(**{"Socket-Type": b"DEALER", "Identity": b"\0abcd"})
        + request(_PING),
        "command_without_a_name": greeting() + frame(b"", COMMAND),
        "command_name_longer_than_it_is": greeting() + frame(b"\xffREADY", COMMAND),
        "error_instead_of_ready": greeting() + command(b"ERROR", b"\xffno"),
    }


def _frames() -> dict[str, bytes]:
    return {
        "ping": session(request(_PING)),
        "ping_a_hundred_times": session(request(_PING) * 100),
        "half_a_ping": session(frame(b"", MORE), frame(_PING)[:5]),
        "no_empty_frame": session(frame(_PING)),
        "empty_frame_alone": session(frame(b"")),
        "two_empty_frames": session(frame(b"", MORE), frame(b"")),
        "no_body": session(frame(b"x", MORE), frame(b"")),
        "two_bodies": session(frame(b"", MORE), frame(_PING, MORE), frame(_PING)),
        "one_byte_frames": session(frame(b"x", MORE) * 100, frame(b"x")),
        "three_hundred_frames": session(frame(b"", MORE), frame(b"y", MORE) * 300, frame(_PING)),
        "never_finished": session(frame(b"", MORE) * 300),
        "claims_2_mib": session(_claims(2 * 1024 * 1024)),
        "claims_a_tebibyte": session(_claims(2**40)),
        "claims_2_63": session(_claims(2**63)),
        "claims_2_64": session(_claims(2**64 - 1)),
        "reserved_flags": session(bytes([0xF8, 1]) + b"x"),
        "all_flags": session(bytes([0xFF]) + (1).to_bytes(8, "big") + b"x"),
        "long_form_of_a_short_frame": session(frame(b"", MORE), bytes([LONG]) + len(_PING).to_bytes(8, "big") + _PING),
        "command_inside_a_message": session(frame(b"", MORE), command(b"PING", b"\0\0x"), frame(_PING)),
        "command_of_a_kilobyte": session(frame(b"\x04PING" + bytes(1000), COMMAND)),
        "zmtp_ping_without_a_time": session(command(b"PING")),
        "zmtp_ping_with_a_long_context": session(command(b"PING", b"\0\x0a" + b"c" * 200)),
        "unknown_command": session(command(b"TEAPOT", b"x")),
        "empty_frames": session(frame(b"") * 300),
    }


def _subscriptions() -> dict[str, bytes]:
    def subscriber(*frames: bytes) -> bytes:
        return session(*frames, kind=b"SUB")

    return {
        "subscribe_and_unsubscribe": subscriber(frame(b"\1state\0"), frame(b"\0state\0")),
        "unsubscribe_from_what_never_was": subscriber(frame(b"\0never\0") * 50),
        "subscribe_to_everything": subscriber(frame(b"\1")),
        "subscribe_to_a_long_topic": subscriber(frame(b"\1" + b"t" * 5000)),
        "subscribe_to_bytes": subscriber(frame(b"\1" + bytes(range(256)))),
        "subscribe_with_a_command": subscriber(command(b"SUBSCRIBE", b"state"), command(b"CANCEL", b"state")),
        "subscribe_five_hundred_times": subscriber(*(frame(b"\1topic %d" % n) for n in range(500))),
        "a_message_that_is_no_subscription": subscriber(frame(b"\2what"), frame(b""), frame(b"\1", MORE), frame(b"x")),
    }


def write(folder: Path = FOLDER) -> int:
    """Replace the files in a folder; returns how many there are."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.bin"):
        old.unlink()
    for name, data in connections().items():
        (folder / f"{name}.bin").write_bytes(data)
    return len(connections())


if __name__ == "__main__":
    print(f"{write()} connections in {FOLDER.relative_to(Path.cwd())}")
