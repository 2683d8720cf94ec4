"""A camera that sees a hand pinch twice: `gestures.py RUN_DIR SOURCE`. It publishes poses as the daemon would.

It waits for a subscriber, shows an open hand, a pinch, an open hand, and so on, each for some frames, and ends.
"""

import sys
import time

import numpy as np
import zmq

from wilor_protocol.codec import encode_event
from wilor_protocol.events import HandsEvent, joints_topic
from wilor_protocol.hands import Hand
from wilor_protocol.names import JOINT_NAMES
from wilor_protocol.replies import Timing
from wilor_protocol.version import PROTOCOL_VERSION

_FRAMES_EACH = 5
_FRAME_S = 0.02


def hand(pinch_m: float) -> Hand:
    """A hand of 8 cm across whose thumb and index finger are that far apart."""
    points = np.zeros((21, 3), np.float32)
    points[JOINT_NAMES.index("little_mcp")] = (0.08, 0, 0)
    points[JOINT_NAMES.index("thumb_tip")] = (0, pinch_m, 0)
    return Hand(side="right", keypoints=points)


def event(source: str, seq: int, pinch_m: float) -> bytes:
    """One frame."""
    now = time.monotonic_ns()
    timing = Timing(received_at_ns=now, queue_ms=0.0, model_ms=0.0, total_ms=0.0, batch=1)
    message = HandsEvent(
        seq=seq, epoch="test", source=source, frame=seq, captured_at_ns=now, published_at_ns=now, timing=timing,
        model="none", hands=[hand(pinch_m)],
        v=PROTOCOL_VERSION,
    )  # fmt: skip
    return encode_event(joints_topic(source), message)


def main(run_dir: str, source: str) -> None:
    """Publish until the last gesture is over."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as events:
        events.bind(f"ipc://{run_dir}/events")
        print("ready", flush=True)
        events.recv()
        seq = 0
        for pinch_m in (0.09, 0.01, 0.03, 0.09, 0.01, 0.09):
            for _ in range(_FRAMES_EACH):
                seq += 1
                events.send(event(source, seq, pinch_m))
                time.sleep(_FRAME_S)


main(*sys.argv[1:])
