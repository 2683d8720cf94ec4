"""Crops in, hands out: mirroring, the whole-image camera, units. Knows neither sockets nor MLX."""

from wilor_sidecar.estimator.estimator import BATCH_SIZES, Estimator, NotFiniteError
from wilor_sidecar.estimator.frame import BadImageError, Frame

__all__ = ["BATCH_SIZES", "BadImageError", "Estimator", "Frame", "NotFiniteError"]
