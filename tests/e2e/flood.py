"""Clients that send as fast as they are answered, in a process of their own: `python -m tests.e2e.flood ADDRESS NAME`.

A flood in the test's own process would measure how its threads wait for each other, not the daemon.
"""

import sys
import time

import msgpack
import zmq

_CLIENTS = 4
_HANDS = [{"crop": bytes(196_608), "side": "right"}] * 2


def _body(source: str, frame: int) -> bytes:
    fields = {"source": source, "frame": frame, "captured_at_ns": time.monotonic_ns(), "hands": _HANDS}
    body: bytes = msgpack.packb({"v": 1, "id": frame, "op": "estimate", **fields})
    return body


def flood(address: str, name: str) -> None:
    """Go on until killed."""
    poller = zmq.Poller()
    with zmq.Context() as context:
        sources = {}
        for number in range(_CLIENTS):
            client = context.socket(zmq.DEALER)
            client.setsockopt(zmq.LINGER, 0)
            client.connect(address)
            sources[client] = f"{name} {number}"
            poller.register(client, zmq.POLLIN)
            client.send_multipart([b"", _body(sources[client], 0)])
        frame = 0
        while True:
            for client, _ in poller.poll():
                frame += 1
                client.recv_multipart()
                client.send_multipart([b"", _body(sources[client], frame)])


if __name__ == "__main__":
    flood(*sys.argv[1:])
