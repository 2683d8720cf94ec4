"""Writes `protocol/golden/`: `python -m tests.contract.make_golden`.

It is a second writer of the protocol, made from PROTOCOL.md and msgpack-python: it imports nothing of ours, so a change
of our types cannot change these files unseen.
"""

from collections.abc import Iterator
from pathlib import Path

from .golden_files import GOLDEN, Golden, canonical
from .golden_invalid import invalid_answers, invalid_requests
from .golden_messages import events, replies, requests
from .golden_other_forms import other_forms


def goldens() -> Iterator[Golden]:
    """All files, valid and invalid."""
    for name, message in requests().items():
        yield canonical(name, "request", message)
    for name, message in replies().items():
        yield canonical(name, "reply", message)
    for name, (topic, message) in events().items():
        yield canonical(name, "event", message, topic=topic)
    yield from other_forms()
    yield from invalid_requests()
    yield from invalid_answers()


def write(folder: Path = GOLDEN) -> int:
    """Replace the files in a folder; returns how many messages there are."""
    written = list(goldens())
    for old in [*folder.rglob("*.bin"), *folder.rglob("*.json")]:
        old.unlink()
    for golden in written:
        golden.write(folder)
    return len(written)


if __name__ == "__main__":
    print(f"{write()} messages in protocol/golden")
