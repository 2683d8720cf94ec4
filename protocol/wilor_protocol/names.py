"""The words for sides, joints and rotations: one spelling from the wire to Swift.

Order and anatomy follow OpenPose's 21 keypoints and MANO's 16 rotations; see PROTOCOL.md, "Joints".
"""

from typing import Literal

Side = Literal["left", "right"]
"""The person's anatomical hand, as seen in an image that is not mirrored."""

JOINT_NAMES = (
    "wrist",
    *(f"thumb_{part}" for part in ("cmc", "mcp", "ip", "tip")),
    *(f"{finger}_{part}" for finger in ("index", "middle", "ring", "little") for part in ("mcp", "pip", "dip", "tip")),
)
"""Names of the 21 keypoints, in the order of `Hand.keypoints`."""

JOINT_PARENTS = (-1, *(parent for base in range(1, 21, 4) for parent in (0, base, base + 1, base + 2)))
"""For each keypoint the keypoint that its bone comes from; -1 for the wrist."""

ROTATION_NAMES = (
    "wrist",
    *(f"{finger}_{part}" for finger in ("index", "middle", "little", "ring") for part in ("mcp", "pip", "dip")),
    *(f"thumb_{part}" for part in ("cmc", "mcp", "ip")),
)
"""Names of MANO's 16 rotations: `global_orient`, then `hand_pose` in order. Not the keypoints' order."""

ROTATION_PARENTS = (-1, *(parent for base in range(1, 16, 3) for parent in (0, base, base + 1)))
"""For each rotation the rotation that it is relative to; -1 for the wrist's, which is relative to the camera."""
