"""Pinch to click: `pinch_to_click.py SOURCE [left|right [GONE_AFTER_MS]]` prints `down` when that hand's thumb and
index finger meet, and `up` when they part, or when the hand is seen no more.

Distances are in palm widths, so that the hand's size and its distance from the camera do not matter; between the two
thresholds nothing changes, so that a trembling finger does not click twice.
"""

import sys

import numpy as np

from wilor_client import JOINT_NAMES, HandEvents, PoseEvent

CLOSE_BELOW, OPEN_ABOVE = 0.25, 0.5  # palm widths
THUMB, INDEX, PALM, LITTLE = (JOINT_NAMES.index(n) for n in ("thumb_tip", "index_tip", "index_mcp", "little_mcp"))


def is_pinched(event: PoseEvent | None, side: str, before: bool) -> bool:
    """Whether the side's fingers are together now, knowing whether they were."""
    hand = next((hand for hand in event.hands if hand.side == side), None) if event else None
    if hand is None or hand.keypoints is None:
        return False
    points = hand.keypoints
    gap = np.linalg.norm(points[THUMB] - points[INDEX]) / np.linalg.norm(points[PALM] - points[LITTLE])
    return bool(gap < (OPEN_ABOVE if before else CLOSE_BELOW))


def main(source: str, side: str = "right", gone_after_ms: str = "300") -> None:
    """Follow the hand for ever."""
    pinched = False

    def set_pinched(now: bool) -> None:
        nonlocal pinched
        if now != pinched:
            pinched = now
            print("down" if now else "up", flush=True)

    with HandEvents(source, mesh=False) as events:
        while True:
            event = events.next(float(gone_after_ms))  # no hand in the picture, no camera or no daemon: none comes
            if event and event.starts_anew:  # the daemon restarted or the host slept: what was pinched is long over
                set_pinched(False)
            set_pinched(is_pinched(event, side, pinched))


main(*sys.argv[1:])
