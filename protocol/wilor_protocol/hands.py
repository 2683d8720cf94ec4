"""A hand as it is answered: where it is, how it is bent, and how sure anybody is.

Units and axes are the same everywhere: metres and radians; camera axes of OpenCV, x right, y down, z away from the
camera; pixels of the whole image, origin at the top left. A left hand comes back as a left hand in every field.
"""

from typing import Self

import msgspec
import numpy as np
from msgspec import Struct

from wilor_protocol.arrays import Float32Array
from wilor_protocol.checks import require_shape
from wilor_protocol.names import Side


class Mano(Struct, frozen=True, kw_only=True, eq=False):
    """MANO's parameters.

    Attributes:
        global_orient: (1, 3) axis-angle of the wrist relative to the camera, radians.
        hand_pose: (15, 3) axis-angle of each finger rotation relative to its parent, radians; the full pose with the
            mean pose already in (`flat_hand_mean=True` in SMPL-X), in the order of `ROTATION_NAMES[1:]`.
        betas: (10,) shape coefficients.
    """

    global_orient: Float32Array
    hand_pose: Float32Array
    betas: Float32Array

    def __post_init__(self) -> None:
        require_shape("global_orient", self.global_orient, 1, 3)
        require_shape("hand_pose", self.hand_pose, 15, 3)
        require_shape("betas", self.betas, 10)


class Hand(Struct, frozen=True, kw_only=True, omit_defaults=True, eq=False):
    """The pose of one hand. What was not wanted, or not known, is None and absent from the wire.

    Attributes:
        side: which hand of the person it is.
        side_score: the detector's certainty of the side, as it came.
        score: the detector's certainty of the hand, as it came.
        track: the detector's number for this hand, as it came.
        keypoints: (21, 3) joints and finger tips in the order of `JOINT_NAMES`, m. Not relative to the wrist:
            see `keypoints_from_wrist`.
        vertices: (778, 3) MANO's mesh, m, in the frame of `keypoints`.
        camera: (3,) weak perspective on the crop: scale s, and offset tx, ty in m.
        keypoints_2d: (21, 2) `keypoints` in the whole image, px. Needs `box` and `image_size`.
        translation: (3,) add it to `keypoints` or `vertices` for coordinates relative to the camera, m. The depth is
            an estimate from the hand's usual size and the focal length. Needs `box` and `image_size`.
        focal_px: the focal length that `translation` was reckoned with, px.
        mano: the parameters behind all this.
    """

    side: Side
    side_score: float | None = None
    score: float | None = None
    track: int | None = None
    keypoints: Float32Array | None = None
    vertices: Float32Array | None = None
    camera: Float32Array | None = None
    keypoints_2d: Float32Array | None = None
    translation: Float32Array | None = None
    focal_px: float | None = None
    mano: Mano | None = None

    def __post_init__(self) -> None:
        require_shape("keypoints", self.keypoints, 21, 3)
        require_shape("vertices", self.vertices, 778, 3)
        require_shape("camera", self.camera, 3)
        require_shape("keypoints_2d", self.keypoints_2d, 21, 2)
        require_shape("translation", self.translation, 3)

    @property
    def keypoints_from_wrist(self) -> Float32Array | None:
        """(21, 3) `keypoints` relative to the wrist, m; None when they were not wanted."""
        return None if self.keypoints is None else (self.keypoints - self.keypoints[0]).astype(np.float32)

    def without_mesh(self) -> Self:
        """The same hand without vertices and MANO's parameters: what a cursor needs, under 1 KB."""
        return msgspec.structs.replace(self, vertices=None, mano=None)
