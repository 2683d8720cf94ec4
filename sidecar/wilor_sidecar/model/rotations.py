"""Rotations as the network writes them (6-D), as MANO uses them (matrices) and as people store them (axis-angle)."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from wilor_sidecar.mlx import mx

_ROUNDING = 0.01
"""A rotation's determinant is 1; two vectors that are parallel make it 0, and what is not a number leaves none."""


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
        (..., 3) float32, radians; NaN where a matrix is no rotation, so that the others still have theirs.
    """
    flat = matrices.reshape(-1, 3, 3).astype(np.float64)
    with np.errstate(invalid="ignore"):
        are_rotations = np.abs(np.linalg.det(flat) - 1) < _ROUNDING
    vectors = np.full((len(flat), 3), np.nan, np.float32)
    vectors[are_rotations] = Rotation.from_matrix(flat[are_rotations]).as_rotvec()
    return vectors.reshape(*matrices.shape[:-2], 3)
