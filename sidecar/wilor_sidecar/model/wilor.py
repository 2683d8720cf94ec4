"""The whole network: crops in, MANO hands out, in the order of the paper.

Zhang et al., "WiLoR: End-to-end 3D Hand Localization and Reconstruction in-the-wild" (2024); layout and constants as in
the public WiLoR-mini checkpoint.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.limits import CROP_SIDE_PX, MAX_HANDS
from wilor_sidecar.device import on_gpu
from wilor_sidecar.mlx import mx
from wilor_sidecar.model.mano import Mano
from wilor_sidecar.model.refinenet import RefineNet, map_coordinates
from wilor_sidecar.model.rotations import axis_angles_from_matrices, matrices_from_6d
from wilor_sidecar.model.vit import QUERIES, Backbone, Estimate
from wilor_sidecar.weights.lazy import Weights
from wilor_sidecar.weights.model_config import ModelConfig

_CROP_SHAPE = (CROP_SIDE_PX, CROP_SIDE_PX, 3)

Outputs = dict[str, NDArray[np.float32]]

_LONG_WAY_CROPS = 2
"""At once. At full size the maps of eight crops take 430 MB, of two 144 MB, and few hands need them."""


class Wilor:
    """WiLoR with its weights, warm for the thread that made it: MLX's streams belong to a thread.

    Attributes:
        config: what the weights are.
        faces: (1538, 3) int32 triangles of the right hand.
    """

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        """Fold the weights into the forms that compute fast.

        Args:
            config: of the folder that the weights came from.
            weights: its arrays, under upstream's names; they are taken, part by part, and read then.

        Raises:
            WeightsError: a tensor cannot be read, or holds what no network holds.
        """
        self.config = config
        # A CPU multiplies half-precision numbers some fifty times slower than float32 ones.
        dtype = mx.float32 if config.dtype == "float32" or not on_gpu() else mx.float16
        self._backbone = Backbone(weights, config.network, dtype)
        self._refine_net = RefineNet(weights.take("refine_net."))
        self._mano = Mano(weights.take("mano."))
        self.faces = self._mano.faces
        self._short_way = _compiled_on_gpu(self._by_corner)
        self._long_way = _compiled_on_gpu(self._by_maps)

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> Outputs:
        """Estimate the hand in each crop.

        Args:
            crops_rgb: (B, 256, 256, 3) uint8 RGB crops of right hands (mirror a left hand first), B from 1 to 8.

        Returns:
            float32 arrays under upstream's names: `pred_keypoints_3d` (B, 21, 3) and `pred_vertices` (B, 778, 3) in m,
            camera axes; `pred_cam` (B, 3) weak perspective s, tx, ty; `global_orient` (B, 1, 3) and `hand_pose`
            (B, 15, 3) axis-angle, radians; `betas` (B, 10).

        Raises:
            ValueError: another shape or dtype.
        """
        _check_crops(crops_rgb)
        return _outputs(self._run(crops_rgb))

    def warm_up(self, batch: int) -> None:
        """Run both ways once for a batch size, so that nothing is left to compile."""
        *short, tokens = self._short_way(mx.array(np.zeros((batch, *_CROP_SHAPE), np.uint8)))
        mx.eval(*short, tokens)
        mx.eval(*self._long_way(tokens[:_LONG_WAY_CROPS]))

    def _run(self, crops_rgb: NDArray[np.uint8]) -> list[mx.array]:
        """The refined hands by the short way, or by the long one where a hand reaches beyond the corner."""
        *hands, is_inside, tokens = self._short_way(mx.array(crops_rgb))
        mx.eval(*hands, is_inside)
        return hands if is_inside.item() else self._few_at_a_time(tokens)

    def _few_at_a_time(self, tokens: mx.array) -> list[mx.array]:
        """The refined hands by the long way."""
        parts = []
        for i in range(0, len(tokens), _LONG_WAY_CROPS):
            parts.append(self._long_way(tokens[i : i + _LONG_WAY_CROPS]))
            mx.eval(*parts[-1])  # before the next, whose maps then take the place of these
        return [mx.concatenate(list(arrays)) for arrays in zip(*parts, strict=True)]

    def _by_corner(self, crops_rgb: mx.array) -> list[mx.array]:
        """Refined hands, whether all first estimates lie inside the corner, and tokens for the long way."""
        tokens = self._backbone.all_but_last_block(crops_rgb)
        finished = self._backbone.corner_tokens(tokens)
        first = self._backbone.first_estimate(finished)
        points = self._points(first)
        refined = self._refine_net.refine_by_corner(finished[:, QUERIES:], first, points)
        # Asked so that a hand that is not a number is not inside: the others of its batch may be beyond.
        is_inside = mx.stack([(xy <= 1).all() for xy in points]).all()
        return [*self._hands(refined), is_inside, tokens]

    def _by_maps(self, tokens: mx.array) -> list[mx.array]:
        """Refined hands, whatever their reach, from the tokens before the last block."""
        finished = self._backbone.all_tokens(tokens)
        first = self._backbone.first_estimate(finished)
        return self._hands(self._refine_net.refine_by_maps(finished[:, QUERIES:], first, self._points(first)))

    def _points(self, first: Estimate) -> list[mx.array]:
        vertices, _ = self._mano(_rotations(first), first.betas)
        return map_coordinates(vertices, first.camera)

    def _hands(self, refined: Estimate) -> list[mx.array]:
        rotations = _rotations(refined)
        vertices, keypoints = self._mano(rotations, refined.betas)
        return [vertices, keypoints, refined.camera, rotations, refined.betas]


def _rotations(estimate: Estimate) -> mx.array:
    return matrices_from_6d(estimate.pose_6d.reshape(-1, 16, 6))


def _compiled_on_gpu(function: Callable[[mx.array], list[mx.array]]) -> Callable[[mx.array], list[mx.array]]:
    """Fused, for each batch size, where launches are what costs.

    On a CPU it was measured to gain nothing over `activations`, which compiles what gains there, and to make the very
    first start 20 s long instead of 4: each fused kernel goes through the system's C++ compiler.
    """
    return mx.compile(function) if on_gpu() else function


def _check_crops(crops_rgb: NDArray[np.uint8]) -> None:
    if crops_rgb.dtype != np.uint8 or crops_rgb.shape[1:] != _CROP_SHAPE or not 1 <= len(crops_rgb) <= MAX_HANDS:
        raise ValueError(
            f"crops_rgb: expected uint8 of shape (1 to {MAX_HANDS}, 256, 256, 3), "
            f"got {crops_rgb.dtype} of shape {crops_rgb.shape}"
        )


def _outputs(hands: list[mx.array]) -> Outputs:
    vertices, keypoints, camera, rotations, betas = (np.array(array) for array in hands)
    angles = axis_angles_from_matrices(rotations)
    return {
        "pred_keypoints_3d": keypoints,
        "pred_vertices": vertices,
        "pred_cam": camera,
        "global_orient": angles[:, :1],
        "hand_pose": angles[:, 1:],
        "betas": betas,
    }
