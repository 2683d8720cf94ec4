"""A daemon on a host with another clock: `other_host.py PORT AHEAD_NS`, until standard input ends.

It answers pings and estimates (without hands); in `model_ms` it tells how old it found the frame. `ahead NS` on
standard input sets how far its clock is ahead of ours; it answers `done`.
"""

import sys
import threading
import time

import zmq

from wilor_protocol.codec import decode_request, encode
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.replies import Clocks, EstimateReply, PongReply, RefusalReply, Reply, Timing
from wilor_protocol.requests import EstimateRequest

ahead_ns = int(sys.argv[2])


def answer(body: bytes) -> Reply | RefusalReply:
    """To a ping or an estimate."""
    request = decode_request(body)
    now_ns = time.monotonic_ns() + ahead_ns
    if not isinstance(request, EstimateRequest):
        return PongReply(id=request.id, clocks=Clocks(monotonic_ns=now_ns, wall_ns=0), deep=False)
    age_ms = (now_ns - request.captured_at_ns) / 1e6
    if request.deadline_ms is not None and age_ms > request.deadline_ms:
        return RefusalReply(id=request.id, error=Refusal(ErrorCode.EXPIRED, f"{age_ms:.0f} ms old").error)
    timing = Timing(received_at_ns=now_ns, queue_ms=0, model_ms=age_ms, total_ms=0, batch=1)
    return EstimateReply(id=request.id, seq=1, epoch="e", hands=[], timing=timing)


def serve(port: str) -> None:
    """Answer for ever."""
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(f"tcp://127.0.0.1:{port}")
    while True:
        *route, body = socket.recv_multipart()
        socket.send_multipart([*route, encode(answer(body))])


threading.Thread(target=serve, args=(sys.argv[1],), daemon=True).start()
for line in sys.stdin:
    ahead_ns = int(line.removeprefix("ahead "))
    print("done", flush=True)
