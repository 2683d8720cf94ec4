"""The network's parts against independent formulas."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.special import erf, softmax

from wilor_sidecar.mlx import mx
from wilor_sidecar.model.activations import attention, gelu
from wilor_sidecar.model.refinenet import Deconvolution, sample_corner, sample_map
from wilor_sidecar.model.rotations import axis_angles_from_matrices, matrices_from_6d


def test_gelu_is_exact() -> None:
    """GELU is the erf one within 1e-6, and harmless where a polynomial would run away."""
    x = np.concatenate([np.linspace(-12, 12, 100_001), [-1e30, -300, 300, 1e30]]).astype(np.float32)
    wanted = 0.5 * x.astype(np.float64) * (1 + erf(x.astype(np.float64) / np.sqrt(2)))
    difference = np.abs(np.array(gelu(mx.array(x))) - wanted)
    assert difference[:-4].max() < 1e-6
    assert np.array_equal(np.array(gelu(mx.array(x)))[-4:], wanted[-4:].astype(np.float32))


@pytest.mark.parametrize("spread", [1, 30, 3000])
def test_attention_is_exact(spread: float) -> None:
    """Attention equals float64's, also where scores are so far apart that weights underflow."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 3, n, 16)).astype(np.float32) for n in (5, 40, 40))
    q *= spread
    scores = q.astype(np.float64) @ k.swapaxes(-1, -2).astype(np.float64) / 4
    wanted = softmax(scores, axis=-1) @ v
    got = np.array(attention(mx.array(q), mx.array(k), mx.array(v)))
    assert np.abs(got - wanted).max() < 3e-6 * spread


def test_matrices_from_6d_are_rotations_with_the_vectors_as_columns() -> None:
    """The first column is the first vector's direction; the matrix is orthogonal and right-handed."""
    x = np.random.default_rng(0).standard_normal((100, 6)).astype(np.float32)
    matrices = np.array(matrices_from_6d(mx.array(x))).astype(np.float64)
    first = x[:, :3] / np.linalg.norm(x[:, :3], axis=1, keepdims=True)
    assert np.abs(matrices[:, :, 0] - first).max() < 1e-6
    assert np.abs(matrices @ matrices.swapaxes(1, 2) - np.eye(3)).max() < 1e-5
    assert np.abs(np.linalg.det(matrices) - 1).max() < 1e-6


@pytest.mark.parametrize("angle", [0, 1e-6, 1e-3, 1, 3, np.pi - 1e-3, np.pi - 1e-5])
def test_axis_angles_survive_every_angle(angle: float) -> None:
    """Axis and angle come back from a matrix, near 0 and near 180 degrees too."""
    axes = np.random.default_rng(1).standard_normal((50, 3))
    vectors = angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    matrices = Rotation.from_rotvec(vectors).as_matrix().astype(np.float32)
    assert np.abs(axis_angles_from_matrices(matrices) - vectors).max() < 1e-6


def test_what_is_no_rotation_has_no_angle() -> None:
    """It is NaN, and those beside it have theirs."""
    matrices = np.tile(np.eye(3, dtype=np.float32), (2, 3, 1, 1))
    matrices[0, 1] = np.nan
    matrices[1, 0], matrices[1, 2] = 0, np.inf
    angles = axis_angles_from_matrices(matrices)
    assert np.isnan(angles).all(axis=-1).tolist() == [[False, True, False], [True, False, True]]
    assert not np.nan_to_num(angles).any()


def test_deconvolution_equals_the_transposed_convolution() -> None:
    """Whole and corner equal MLX's own transposed convolution with the normalisation after it."""
    rng = np.random.default_rng(2)
    inputs, outputs = 6, 4
    weights = {
        "c.weight": rng.standard_normal((inputs, outputs, 4, 4)),
        "n.weight": rng.standard_normal(outputs),
        "n.bias": rng.standard_normal(outputs),
        "n.running_mean": rng.standard_normal(outputs),
        "n.running_var": rng.random(outputs) + 0.5,
    }
    arrays = {f"refine_net.deconv.{name}": mx.array(value.astype(np.float32)) for name, value in weights.items()}
    grid = mx.array(rng.standard_normal((2, 5, 3, inputs)).astype(np.float32))
    kernel = mx.array(weights["c.weight"].transpose(1, 2, 3, 0).astype(np.float32))
    plain = np.array(mx.conv_transpose2d(grid, kernel, stride=2, padding=1)).astype(np.float64)
    normed = (plain - weights["n.running_mean"]) / np.sqrt(weights["n.running_var"] + 1e-5)
    wanted = np.maximum(normed * weights["n.weight"] + weights["n.bias"], 0)
    layer = Deconvolution(arrays, "c", "n")
    assert np.abs(np.array(layer.whole(grid)) - wanted).max() < 1e-5
    corner = layer.corner(grid[:, :2, :2].reshape(2, 4, inputs))
    assert np.abs(np.array(corner).reshape(2, 2, 2, outputs) - wanted[:, :2, :2]).max() < 1e-5


def test_both_samplings_agree_inside_the_corner_and_fade_to_zero_outside() -> None:
    """Bilinear with zeros outside: the corner's form equals the map's up to 1, and both vanish from -1 on."""
    rng = np.random.default_rng(3)
    feature = mx.array(rng.standard_normal((1, 8, 6, 5)).astype(np.float32))
    xy = mx.array(rng.uniform(-1.5, 1, (1, 400, 2)).astype(np.float32))
    by_map = np.array(sample_map(feature, xy))
    by_corner = np.array(sample_corner(feature[:, :2, :2].reshape(1, 4, 5), xy))
    assert np.abs(by_map - by_corner).max() < 1e-6
    outside = (np.array(xy) <= -1).any(axis=-1)
    assert outside.any()
    assert np.abs(by_map[outside]).max() == 0
    far = mx.array([[[7.0, 3.0], [2.0, 9.5], [5.0, 7.0]]])
    sampled = np.array(sample_map(feature, far))[0]
    assert np.abs(sampled[:2]).max() == 0
    assert np.allclose(sampled[2], np.array(feature)[0, 7, 5])
