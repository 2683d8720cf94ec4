"""Pinch to click: `pinch_to_click.py SOURCE` prints `down` when thumb and index finger meet, `up` when they part.

Distances are in palm widths, so that the hand's size and its distance from the camera do not matter; between the two
thresholds nothing changes, so that a trembling finger does not click twice.
"""

import sys

import numpy as np

from wilor_client import JOINT_NAMES, Hand, HandEvents

CLOSE_BELOW, OPEN_ABOVE = 0.25, 0.5  # palm widths
THUMB, INDEX, PALM, LITTLE = (JOINT_NAMES.index(n) for n in ("thumb_tip", "index_tip", "index_mcp", "little_mcp"))


def is_pinched(hand: Hand | None, before: bool) -> bool:
    """Whether the fingers are together now, knowing whether they were."""
    if hand is None or hand.keypoints is None:
        return False
    points = hand.keypoints
    gap = np.linalg.norm(points[THUMB] - points[INDEX]) / np.linalg.norm(points[PALM] - points[LITTLE])
    return bool(gap < (OPEN_ABOVE if before else CLOSE_BELOW))


with HandEvents(sys.argv[1], mesh=False) as events:
    pinched = False
    for event in events:
        now = is_pinched(event.hands[0] if event.hands else None, pinched)
        if now != pinched:
            pinched = now
            print("down" if now else "up", flush=True)
