"""How far estimated joints are from true ones, in the two ways that hand pose is judged by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]


def aligned_error_m(points: Points, truth: Points) -> float:
    """Mean distance of joints after the best rotation, scale and shift: Procrustes alignment, Umeyama 1991.

    Args:
        points: (N, 3) estimated, in any unit.
        truth: (N, 3) m.
    """
    a, b = points - points.mean(axis=0), truth - truth.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b)
    s[-1] *= np.sign(np.linalg.det(u @ vt))
    u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    aligned = s.sum() / (a * a).sum() * a @ u @ vt
    return float(np.linalg.norm(aligned - b, axis=1).mean())


def box_error(points_px: Points, truth_px: Points) -> float:
    """Mean distance of joints in the picture, in parts of the longer side of the true joints' box; (N, 2) px each."""
    side = (truth_px.max(axis=0) - truth_px.min(axis=0)).max()
    return float(np.linalg.norm(points_px - truth_px, axis=1).mean() / side)
