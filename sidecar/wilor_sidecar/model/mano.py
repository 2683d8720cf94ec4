"""The MANO hand: from 16 rotations and 10 shape numbers to a mesh and its joints.

Romero, Tzionas, Black, "Embodied Hands" (SIGGRAPH Asia 2017): a template, shape and pose blend shapes, linear blend
skinning. Everything that depends on no input is folded when the hand is made.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.layout import JOINTS, VERTICES

BETAS = 10


class Mano:
    """MANO's right hand.

    Attributes:
        faces: (1538, 3) int32 triangles.
    """

    def __init__(self, weights: Mapping[str, mx.array]) -> None:
        """Fold the constants.

        Args:
            weights: `mano.*` arrays under upstream's names.
        """
        # float64, so that folding adds no rounding of its own
        arrays = {name: np.array(weights[f"mano.{name}"], np.float64) for name in _FLOATS}
        template, shapes = arrays["v_template"], arrays["shapedirs"].reshape(-1, BETAS).T
        regressor = arrays["J_regressor"]
        self._vertex_blend = _stacked(template.reshape(1, -1), shapes, arrays["posedirs"])
        joint_shapes = np.einsum("jv,bvc->bjc", regressor, shapes.reshape(BETAS, VERTICES, 3))
        self._joint_blend = _stacked((regressor @ template).reshape(1, -1), joint_shapes.reshape(BETAS, -1))
        self._skin = mx.array(arrays["lbs_weights"].astype(np.float32))
        self._levels, self._order = _levels_by_parents(np.array(weights["mano.parents"]))
        self._tips = weights["mano.extra_joints_idxs"]
        self._joint_map = weights["mano.joint_map"]
        self.faces: NDArray[np.int32] = np.array(weights["mano.faces_tensor"], np.int32)

    def __call__(self, rotations: mx.array, betas: mx.array) -> tuple[mx.array, mx.array]:
        """Pose the hand.

        Args:
            rotations: (B, 16, 3, 3) float32, each relative to its parent, the wrist's to the camera.
            betas: (B, 10) float32.

        Returns:
            Vertices (B, 778, 3) and keypoints (B, 21, 3) in OpenPose order, m, camera axes.
        """
        batch = rotations.shape[0]
        one = mx.ones((batch, 1))
        pose = (rotations[:, 1:] - mx.eye(3)).reshape(batch, -1)
        rest_vertices = (mx.concatenate([one, betas, pose], axis=1) @ self._vertex_blend).reshape(batch, VERTICES, 3)
        rest_joints = (mx.concatenate([one, betas], axis=1) @ self._joint_blend).reshape(batch, JOINTS, 3)
        placed = self._placed_joints(rotations, rest_joints)
        vertices = self._skinned(rest_vertices, rest_joints, placed)
        joints = mx.concatenate([placed[..., 3], vertices[:, self._tips]], axis=1)
        return vertices, joints[:, self._joint_map]

    def _placed_joints(self, rotations: mx.array, rest_joints: mx.array) -> mx.array:
        """Each joint's rotation and place relative to the camera, (B, 16, 3, 4), one level of the tree at a time."""
        root = mx.concatenate([rotations[:, :1], rest_joints[:, :1, :, None]], axis=-1)
        placed, parents_placed = [root], root
        for joints, parents, slots in self._levels:
            bone = (rest_joints[:, joints] - rest_joints[:, parents])[..., None]
            local = mx.concatenate([rotations[:, joints], bone], axis=-1)
            above = parents_placed[:, slots]
            turned = above[..., :3] @ local
            parents_placed = mx.concatenate([turned[..., :3], turned[..., 3:] + above[..., 3:]], axis=-1)
            placed.append(parents_placed)
        return mx.concatenate(placed, axis=1)[:, self._order]

    def _skinned(self, rest_vertices: mx.array, rest_joints: mx.array, placed: mx.array) -> mx.array:
        """Linear blend skinning: every vertex moves with the weighted mean of its joints' motions."""
        rotation, place = placed[..., :3], placed[..., 3:]
        motion = mx.concatenate([rotation, place - rotation @ rest_joints[..., None]], axis=-1)
        blended = (self._skin @ motion.reshape(-1, JOINTS, 12)).reshape(-1, VERTICES, 3, 4)
        return (blended[..., :3] @ rest_vertices[..., None] + blended[..., 3:])[..., 0]


_FLOATS = ("v_template", "shapedirs", "posedirs", "J_regressor", "lbs_weights")


def _stacked(*rows: NDArray[np.float64]) -> mx.array:
    return mx.array(np.concatenate(rows).astype(np.float32))


def _levels_by_parents(parents: NDArray[np.integer]) -> tuple[list[tuple[mx.array, mx.array, mx.array]], mx.array]:
    """The kinematic tree, level by level below the root.

    Returns:
        For each level its joints, their parents, and the parents' slots in the level above; and the order that brings
        the levels, one after the other, back into joint order.
    """
    levels, above = [], [0]
    visited = [0]
    while above:
        here = [j for j, parent in enumerate(parents) if parent in above and j not in visited]
        if here:
            above_of = [int(parents[j]) for j in here]
            slots = [above.index(parent) for parent in above_of]
            levels.append((mx.array(here), mx.array(above_of), mx.array(slots)))
        visited += here
        above = here
    return levels, mx.array(np.argsort(visited))
