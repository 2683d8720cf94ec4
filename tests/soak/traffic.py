"""One client of the soak, as a process of its own, so that it can be killed: `python -m tests.soak.traffic KIND ...`.

Each kind goes on for ever, choosing at random; the daemon may refuse it, and may not keep it waiting.
"""

import contextlib
import random
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import zmq
from PIL import Image

from tests.corpus.make_corpus import FOLDER
from tests.e2e.test_hostile_connections import send_raw
from wilor_client import HandClient, HandCrop, HandEvents, RefusedError, hand_crop
from wilor_protocol.codec import subscription
from wilor_protocol.events import STATE_TOPIC, hands_topic, joints_topic
from wilor_protocol.requests import EncodedImage, Want

_PATIENCE_MS = 30_000
_SOURCES = [f"cam {number}" for number in range(6)]
_CORPUS = [path for path in sorted(FOLDER.glob("*.bin")) if path.stat().st_size < 100_000]
_WANTS: tuple[list[Want] | None, ...] = (None, [], ["camera"])
_SMALL = [path.read_bytes() for path in _CORPUS]


def camera(chance: random.Random, directory: Path, mark: int) -> None:
    """Frames of one to three hands, raw or compressed, some of them too old, from one of a few sources. `mark` is the
    first byte of every raw crop, for a daemon that does as it is told.
    """
    crop = np.random.default_rng(chance.randrange(2**32)).integers(0, 256, (256, 256, 3), np.uint8)
    crop[0, :, 0] = mark  # also where a left hand's first byte is, which the daemon mirrors
    raw = hand_crop(crop, "right"), hand_crop(crop, "left", box=(500, 400, 300))
    while True:
        with HandClient(
            f"ipc://{directory}/requests", source=chance.choice(_SOURCES), timeout_ms=_PATIENCE_MS
        ) as client:
            for _ in range(chance.randrange(1, 200)):
                hands = [chance.choice(raw) for _ in range(chance.randrange(1, 4))]
                if chance.random() < 0.1:
                    hands[0] = _compressed(crop, chance.choice(("jpeg", "png")))
                deadline_ms = chance.choice((None, None, 0.0, 50.0))
                want = chance.choice(_WANTS)
                with contextlib.suppress(RefusedError):
                    client.estimate(hands, deadline_ms=deadline_ms, want=want, image_size=(1920, 1080))


def _compressed(crop: np.ndarray, codec: str) -> HandCrop:
    file = BytesIO()
    calm = crop // 8 + 128  # small as a file, and its first byte is no mark
    Image.fromarray(calm).resize((64, 64)).resize((256, 256)).save(file, codec)
    return HandCrop(crop=EncodedImage(codec=codec, data=file.getvalue()), side="right")  # type: ignore[arg-type]


def asker(chance: random.Random, directory: Path, mark: int) -> None:
    """Questions that need no network, over connections that come and go."""
    while True:
        with HandClient(f"ipc://{directory}/requests", timeout_ms=_PATIENCE_MS) as client:
            questions = (client.status, client.hello, client.ping, client.topology, lambda: client.ping(deep=True))
            for _ in range(chance.randrange(1, 50)):
                with contextlib.suppress(RefusedError):
                    chance.choice(questions)()
                time.sleep(0.002)


def listener(chance: random.Random, directory: Path, mark: int) -> None:
    """Subscriptions that come, go and come back, on connections that do the same; some of what comes is not read."""
    topics = [subscription(topic(source)) for source in _SOURCES for topic in (hands_topic, joints_topic)]
    topics += [subscription(STATE_TOPIC), b"", b"hands/", b"nobody's\0"]
    with zmq.Context() as context:
        while True:
            with context.socket(zmq.SUB) as socket:
                socket.setsockopt(zmq.LINGER, 0)
                socket.connect(f"ipc://{directory}/events")
                for _ in range(chance.randrange(1, 60)):
                    option = chance.choice((zmq.SUBSCRIBE, zmq.SUBSCRIBE, zmq.UNSUBSCRIBE))
                    socket.setsockopt(option, chance.choice(topics))
                    for _ in range(chance.randrange(10)):
                        if socket.poll(20):
                            socket.recv(zmq.NOBLOCK)


def watcher(chance: random.Random, directory: Path, mark: int) -> None:
    """A listener of ours that keeps up, for as long as it lives."""
    with HandEvents(chance.choice(_SOURCES), f"ipc://{directory}/events") as events:
        for _ in events:
            pass


def vandal(chance: random.Random, directory: Path, mark: int) -> None:
    """Nonsense: as bodies, as frames, as connections; and connections that end in the middle of it."""
    with zmq.Context() as context:
        while True:
            with context.socket(zmq.DEALER) as socket:
                socket.setsockopt(zmq.LINGER, 0)
                socket.connect(f"ipc://{directory}/requests")
                for _ in range(chance.randrange(1, 20)):
                    socket.send_multipart([b"", *[_garbled(chance) for _ in range(chance.choice((1, 1, 1, 0, 2, 9)))]])
                    if chance.random() < 0.8 and socket.poll(20):
                        socket.recv_multipart(zmq.NOBLOCK)
            end = directory / chance.choice(("requests", "events"))
            send_raw(end, _garbled(chance), reset=chance.random() < 0.5)


def _garbled(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(_SMALL))
    for _ in range(chance.randrange(4)):
        start = chance.randrange(len(data) + 1)
        data[start : start + chance.randrange(9)] = chance.randbytes(chance.randrange(9))
    return bytes(data)


KINDS: dict[str, Callable[[random.Random, Path, int], None]] = {
    "camera": camera,
    "asker": asker,
    "listener": listener,
    "watcher": watcher,
    "vandal": vandal,
}

if __name__ == "__main__":
    kind, run_dir, seed, first_byte = sys.argv[1:]
    KINDS[kind](random.Random(int(seed)), Path(run_dir), int(first_byte))
