"""A daemon that talks nonsense: `nonsense.py RUN_DIR`, until standard input ends.

It answers `hello` with bytes that are no MessagePack, `status` with another request's number, `topology` with two
bodies, and `ping` not at all. Whoever subscribes gets the topic with half a map behind it.
"""

import sys
import threading

import msgpack
import zmq


def serve(run_dir: str) -> None:
    """Answer for ever."""
    context = zmq.Context()
    requests, events = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
    requests.bind(f"ipc://{run_dir}/requests")
    events.bind(f"ipc://{run_dir}/events")
    poller = zmq.Poller()
    poller.register(requests, zmq.POLLIN)
    poller.register(events, zmq.POLLIN)
    print("ready", flush=True)
    while True:
        ready = dict(poller.poll())
        if requests in ready:
            *envelope, body = requests.recv_multipart()
            request = msgpack.unpackb(body)
            for answer in nonsense(request["op"], request["id"]):
                requests.send_multipart([*envelope, *answer])
        if events in ready:
            subscription = events.recv()
            if subscription[:1] == b"\1":
                events.send(subscription[1:] + b"\x82\xa3seq")


def nonsense(op: str, request_id: int) -> list[list[bytes]]:
    """The bodies of the replies to a request."""
    match op:
        case "hello":
            return [[b"\xc1 no message"]]
        case "status":
            return [[msgpack.packb({"id": request_id + 1, "ok": True, "v": 1})]]
        case "topology":
            return [[b"\x80", b"\x80"]]
        case _:
            return []


threading.Thread(target=serve, args=(sys.argv[1],), daemon=True).start()
sys.stdin.read()
