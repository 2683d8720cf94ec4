"""WiLoR's RefineNet: look at image features where the first estimate put the hand, and correct it.

Upstream takes the projected vertices, about -0.5 to 0.5 for a hand in its crop, as *pixel* coordinates of three
feature maps, with zeros outside. So only the first two of each map's first two rows are ever read, and those depend on
four tokens of the backbone: every deconvolution becomes one small matrix product. Where a coordinate is beyond 1, the
whole maps are made and sampled.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wilor_sidecar.mlx import mx
from wilor_sidecar.model.vit import PATCH_COLUMNS, PATCH_ROWS, Estimate

MAP_SIZES = (64, 32, 16)
"""Heights of the feature maps, finest first, as upstream concatenates them."""

_FOCAL = 5000.0
_BATCH_NORM_EPS = 1e-5


class RefineNet:
    """Three feature maps, sampled at the projected vertices; the best of each feature moves the estimate."""

    def __init__(self, weights: Mapping[str, mx.array]) -> None:
        """Fold the weights.

        Args:
            weights: `refine_net.*` arrays under upstream's names.
        """
        first = np.array(weights["refine_net.deconv.first_conv.0.weight"], np.float32)[:, :, 0, 0]
        self._first = (mx.array(first.T), weights["refine_net.deconv.first_conv.0.bias"])
        self._medium = Deconvolution(weights, "deconv.0.0", "deconv.0.1")
        self._fine_1 = Deconvolution(weights, "deconv.1.0", "deconv.1.1")
        self._fine_2 = Deconvolution(weights, "deconv.1.3", "deconv.1.4")
        heads = [f"refine_net.{name}" for name in ("dec_pose", "dec_shape", "dec_cam")]
        self._heads = (
            mx.concatenate([weights[f"{name}.weight"] for name in heads]).T,
            mx.concatenate([weights[f"{name}.bias"] for name in heads]),
        )

    def refine_by_corner(self, corner: mx.array, first: Estimate, points: Sequence[mx.array]) -> Estimate:
        """The refined estimate, right where no coordinate of `points` is above 1.

        Args:
            corner: (B, 4, width) finished tokens of the patches (0, 0), (0, 1), (1, 0), (1, 1).
            first: the estimate to move.
            points: `map_coordinates` of its vertices.
        """
        coarse = mx.addmm(self._first[1], corner, self._first[0])
        fine = self._fine_2.corner(self._fine_1.corner(coarse))
        maps = (fine, self._medium.corner(coarse), coarse)
        features = [sample_corner(feature, xy).max(axis=1) for feature, xy in zip(maps, points, strict=True)]
        return self._moved(first, features)

    def refine_by_maps(self, patches: mx.array, first: Estimate, points: Sequence[mx.array]) -> Estimate:
        """The refined estimate for any coordinates, from all (B, 192, width) finished patch tokens."""
        grid = patches.reshape(-1, PATCH_ROWS, PATCH_COLUMNS, patches.shape[-1])
        coarse = mx.addmm(self._first[1], grid, self._first[0])
        fine = self._fine_2.whole(self._fine_1.whole(coarse))
        maps = (fine, self._medium.whole(coarse), coarse)
        features = [sample_map(feature, xy).max(axis=1) for feature, xy in zip(maps, points, strict=True)]
        return self._moved(first, features)

    def _moved(self, first: Estimate, features: list[mx.array]) -> Estimate:
        weight, bias = self._heads
        delta = mx.addmm(bias, mx.concatenate(features, axis=-1), weight)
        pose, betas, camera = delta[:, :96], delta[:, 96:106], delta[:, 106:]
        return Estimate(first.pose_6d + pose, first.betas + betas, first.camera + camera)


def map_coordinates(vertices: mx.array, camera: mx.array) -> list[mx.array]:
    """Where upstream reads each map: (B, 778, 2) x, y in pixels of each map.

    A full perspective projection with the focal length 5000 / size and a translation that undoes it, then used as it
    is, without the offset to the map's centre.

    Args:
        vertices: (B, 778, 3) m.
        camera: (B, 3) weak perspective s, tx, ty.
    """
    scale, offset = camera[:, None, :1], camera[:, None, 1:]
    points = []
    for size in MAP_SIZES:
        depth = vertices[..., 2:] + 2 * _FOCAL / (size * scale + 1e-9)
        points.append(_FOCAL / size * (vertices[..., :2] + offset) / depth)
    return points


class Deconvolution:
    """A 4 x 4 transposed convolution of stride 2, batch normalisation, ReLU: each pixel becomes 2 x 2.

    Pixel i becomes 2i + a, a in (0, 1), and output 2i + a reads input i + o through tap a + 1 - 2o of the kernel, where
    there is one: along each axis a 0 reads o = -1 and 0, a 1 reads o = 0 and 1.
    """

    def __init__(self, weights: Mapping[str, mx.array], convolution: str, norm: str) -> None:
        """Fold the normalisation, with its running statistics, into the convolution."""
        prefix = "refine_net.deconv."
        statistics = {
            name: np.array(weights[f"{prefix}{norm}.{name}"], np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        }
        gain = statistics["weight"] / np.sqrt(statistics["running_var"] + _BATCH_NORM_EPS)
        kernel = np.array(weights[f"{prefix}{convolution}.weight"], np.float64) * gain[:, None, None]
        bias = statistics["bias"] - statistics["running_mean"] * gain
        self._outputs = kernel.shape[1]
        self._bias = mx.array(bias.astype(np.float32))
        self._corner = (_corner_product(kernel), mx.array(np.tile(bias, 4).astype(np.float32)))
        self._phases = [[_phase_product(kernel, a, b) for b in (0, 1)] for a in (0, 1)]

    def corner(self, pixels: mx.array) -> mx.array:
        """(B, 4, C) first two pixels of the first two rows to the same of the larger map, (B, 4, outputs)."""
        weight, bias = self._corner
        flat = pixels.reshape(pixels.shape[0], -1)
        return _relu(mx.addmm(bias, flat, weight)).reshape(-1, 4, self._outputs)

    def whole(self, grid: mx.array) -> mx.array:
        """(B, H, W, C) to (B, 2H, 2W, outputs)."""
        _, height, width, _ = grid.shape
        padded = mx.pad(grid, [(0, 0), (1, 1), (1, 1), (0, 0)])
        rows = []
        for a in (0, 1):
            columns = []
            for b in (0, 1):
                reads = [
                    padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
                    for dy in _OFFSETS[a]
                    for dx in _OFFSETS[b]
                ]
                product = mx.addmm(self._bias, mx.concatenate(reads, axis=-1), self._phases[a][b])
                columns.append(_relu(product))
            rows.append(mx.stack(columns, axis=3))
        return mx.stack(rows, axis=2).reshape(-1, 2 * height, 2 * width, self._outputs)


_OFFSETS = ((-1, 0), (0, 1))
"""For an output of even and of odd place: the two inputs it reads, relative to the one it grew from."""


def _tap(place: int, offset: int) -> int:
    return place + 1 - 2 * offset


def _phase_product(kernel: NDArray[np.float64], a: int, b: int) -> mx.array:
    """(4 C, outputs): four neighbours to the output pixel (a, b) of each 2 x 2; kernel is (C, outputs, 4, 4)."""
    taps = [kernel[:, :, _tap(a, dy), _tap(b, dx)] for dy in _OFFSETS[a] for dx in _OFFSETS[b]]
    return mx.array(np.concatenate(taps).astype(np.float32))


def _corner_product(kernel: NDArray[np.float64]) -> mx.array:
    """(4 C, 4 outputs): the first 2 x 2 pixels to the same of the larger map, which read no others inside it."""
    channels, outputs = kernel.shape[:2]
    product = np.zeros((2, 2, channels, 2, 2, outputs), np.float32)
    for place in np.ndindex(2, 2):
        for offset in np.ndindex(2, 2):
            y, x = (_tap(p, o) for p, o in zip(place, offset, strict=True))
            if y >= 0 and x >= 0:
                product[offset[0], offset[1], :, place[0], place[1]] = kernel[:, :, y, x]
    return mx.array(product.reshape(4 * channels, 4 * outputs))


def _relu(x: mx.array) -> mx.array:
    return mx.maximum(x, 0)


def sample_corner(corner: mx.array, xy: mx.array) -> mx.array:
    """Bilinear samples (B, 778, C) of a map known at its first 2 x 2 pixels, at coordinates up to 1, zeros outside."""
    near = mx.maximum(1 - mx.abs(xy), 0)  # weight of row or column 0
    far = mx.maximum(xy, 0)  # weight of row or column 1
    x0, y0, x1, y1 = near[..., 0], near[..., 1], far[..., 0], far[..., 1]
    return mx.stack([y0 * x0, y0 * x1, y1 * x0, y1 * x1], axis=-1) @ corner


def sample_map(feature: mx.array, xy: mx.array) -> mx.array:
    """Bilinear samples (B, 778, C) of a (B, H, W, C) map at any pixel coordinates, zeros outside."""
    _, height, width, channels = feature.shape
    flat = feature.reshape(-1, height * width, channels)
    low = mx.floor(xy)
    total = mx.array(0.0)
    for dy in (0, 1):
        for dx in (0, 1):
            pixel = low + mx.array([dx, dy])
            weight = (1 - mx.abs(xy - pixel)).prod(axis=-1, keepdims=True)
            x, y = pixel[..., 0], pixel[..., 1]
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            index = mx.where(inside, y * width + x, 0).astype(mx.int32)
            values = mx.take_along_axis(flat, index[..., None], axis=1)
            total = total + mx.where(inside[..., None], weight * values, 0)
    return total
