"""Rotations as the network writes them (6-D), as MANO uses them (matrices) and as people store them (axis-angle)."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from wilor_sidecar.mlx import mx


def matrices_from_6d(x: mx.array) -> mx.array:
    """Rotation matrices from pairs of vectors that are neither unit nor orthogonal.

    Zhou et al., "On the Continuity of Rotation Representations in Neural Networks" (CVPR 2019): Gram-Schmidt; the two
    vectors and their cross product become the matrix's columns.

    Args:
        x: (..., 6).

    Returns:
        (..., 3, 3).
    """
    a1, a2 = x[..., :3], x[..., 3:]
    b1 = _normalised(a1)
    b2 = _normalised(a2 - (b1 * a2).sum(axis=-1, keepdims=True) * b1)
    return mx.stack([b1, b2, mx.linalg.cross(b1, b2)], axis=-1)


def _normalised(v: mx.array) -> mx.array:
    length = mx.sqrt((v * v).sum(axis=-1, keepdims=True))
    return v / mx.maximum(length, 1e-12)


def axis_angles_from_matrices(matrices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Axis times angle, angle 0 to pi, from rotation matrices.

    It goes through quaternions, in float64: the textbook formula, angle from the trace and axis from R - R^T, loses
    the axis near 180 degrees, which a wrist reaches in ordinary use.

    Args:
        matrices: (..., 3, 3) float32.

    Returns:
        (..., 3) float32, radians.
    """
    vectors: NDArray[np.float64] = Rotation.from_matrix(matrices.reshape(-1, 3, 3).astype(np.float64)).as_rotvec()
    return vectors.astype(np.float32).reshape(*matrices.shape[:-2], 3)
