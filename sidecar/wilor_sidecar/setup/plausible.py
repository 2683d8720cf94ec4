"""Whether 21 key points can be a hand's. Generous: it is to catch a conversion that went wrong, not an odd pose."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.names import JOINT_NAMES, JOINT_PARENTS

_BONE_M = (0.002, 0.2)
"""The shortest and longest bones that are let pass; an adult's are 0.015 to 0.1 m."""
_SPAN_M = (0.05, 0.5)
"""From the wrist to the farthest point; an adult's open hand has 0.19 m."""


def implausible(keypoints: NDArray[np.floating]) -> str:
    """Why this cannot be a hand, in words; "" when it can.

    Args:
        keypoints: (21, 3) m, OpenPose order.
    """
    if not np.isfinite(keypoints).all():
        return "a key point is NaN or infinite"
    return next(_problems(keypoints), "")


def _problems(keypoints: NDArray[np.floating]) -> Iterator[str]:
    span = float(np.linalg.norm(keypoints - keypoints[0], axis=1).max())
    if not _SPAN_M[0] <= span <= _SPAN_M[1]:
        yield f"the hand is {span * 1e3:.0f} mm long"
    for joint, parent in enumerate(JOINT_PARENTS):
        if parent < 0:
            continue
        length = float(np.linalg.norm(keypoints[joint] - keypoints[parent]))
        if not _BONE_M[0] <= length <= _BONE_M[1]:
            yield f"from {JOINT_NAMES[parent]} to {JOINT_NAMES[joint]} it is {length * 1e3:.1f} mm"
