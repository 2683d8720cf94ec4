"""Behind the socket: what a client waits for one crop, and how much of it is not the network."""

import itertools
import threading
import time
from collections.abc import Iterator

import zmq

from wilor_client import HandClient, hand_crop
from wilor_protocol.codec import decode_message, encode
from wilor_protocol.replies import EstimateReply
from wilor_protocol.requests import EstimateRequest
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.bench.samples import Samples
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.seeded import crops

_REPLY_MS = 120_000
_CROP = hand_crop(crops(1, 1)[0], "right")


def time_round_trips(daemon: DaemonProcess, runs: int) -> Iterator[Samples]:
    """One client, one crop of 196,608 bytes at a time, the request's bytes made beforehand.

    The overhead is each round trip minus what the daemon says that the network took in it.
    """
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.connect(daemon.requests_address)
        pairs = [_round_trip(socket, body) for body in itertools.islice(_requests(), runs + 3)][3:]
    trips, networks = zip(*pairs, strict=True)
    yield Samples("round trip, 1 crop", trips)
    yield Samples("of it the network", networks)
    yield Samples("of it everything else", tuple(trip - network for trip, network in pairs))


def _requests() -> Iterator[bytes]:
    for number in itertools.count(1):
        request = EstimateRequest(
            id=number, v=PROTOCOL_VERSION, source="bench", frame=number, captured_at_ns=number, hands=[_CROP]
        )
        yield encode(request)


def _round_trip(socket: zmq.Socket[bytes], body: bytes) -> tuple[float, float]:
    started = time.perf_counter()
    socket.send(body)
    reply = socket.recv()
    elapsed_ms = (time.perf_counter() - started) * 1e3
    return elapsed_ms, decode_message(reply, EstimateReply).timing.model_ms


def measure_throughput(daemon: DaemonProcess, *, clients: int, seconds: float) -> float:
    """Crops a second that so many clients get answered, each sending its next crop when it has its reply."""
    until = time.monotonic() + seconds
    counts = [0] * clients

    def send(index: int) -> None:
        with HandClient(daemon.requests_address, timeout_ms=_REPLY_MS) as client:
            while time.monotonic() < until:
                client.estimate([_CROP], publish=False)
                counts[index] += 1

    started = time.monotonic()
    threads = [threading.Thread(target=send, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)
