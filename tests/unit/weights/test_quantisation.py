"""Packing and unpacking layers, held against MLX's own."""

import numpy as np
import pytest

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.quantisation import PackedLayer, quantise


def normal(seed: int, *shape: int) -> Array:
    """Weights such as a layer has."""
    return np.random.Generator(np.random.Philox(seed)).standard_normal(shape, dtype=np.float32) / 16


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("group", [32, 64, 128])
def test_unpacking_is_mlxs(bits: int, group: int) -> None:
    """Packed weights of every width and group size unpack to what MLX itself makes of them."""
    weights = np.random.Generator(np.random.Philox(bits + group)).standard_normal((6, 256), dtype=np.float32)
    packed, scales, biases = mx.quantize(mx.array(weights), group_size=group, bits=bits)
    expected = np.array(mx.dequantize(packed, scales, biases, group_size=group, bits=bits))
    layer = PackedLayer(np.array(packed), np.array(scales), np.array(biases), 256)
    unpacked = layer.unpacked()
    assert (layer.bits, layer.group_size) == (bits, group)
    assert unpacked.dtype == np.float32
    # One rounding apart at most, where MLX fuses the multiplication and the addition.
    np.testing.assert_allclose(unpacked, expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("bits", [4, 8])
def test_mlx_reads_what_we_pack(bits: int) -> None:
    """MLX unpacks a layer of ours, with float16 scales and biases, to the same weights as we do."""
    layer = quantise(normal(bits, 6, 256), bits)
    assert (layer.bits, layer.group_size, layer.shape) == (bits, 32, (6, 256))
    scales, biases = (mx.array(part.astype(np.float16)).astype(mx.float32) for part in (layer.scales, layer.biases))
    by_mlx = mx.dequantize(mx.array(layer.weight), scales, biases, group_size=32, bits=bits)
    np.testing.assert_allclose(layer.unpacked(), np.array(by_mlx), rtol=0, atol=3e-8)


@pytest.mark.parametrize("bits", [4, 8])
def test_packing_is_as_exact_as_mlxs(bits: int) -> None:
    """With float16 scales no worse, on the whole and at the worst weight, than MLX does with float32 ones."""
    weights = normal(bits + 1, 64, 512)
    by_mlx = mx.dequantize(*mx.quantize(mx.array(weights), group_size=32, bits=bits), group_size=32, bits=bits)
    theirs = np.abs(np.array(by_mlx) - weights)
    ours = np.abs(quantise(weights, bits).unpacked() - weights)
    assert ours.mean() < 1.01 * theirs.mean()
    assert ours.max() < 1.1 * theirs.max()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("value", [0.0, 1.0, -2.5])
def test_groups_of_one_value(bits: int, value: float) -> None:
    """All zeros, and all the same, survive: there is no range to divide by."""
    weights = np.full((2, 64), value, np.float32)
    np.testing.assert_array_equal(quantise(weights, bits).unpacked(), weights)


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_stays_zero(bits: int) -> None:
    """A weight that was pruned to zero is still zero, or as good as."""
    weights = normal(9, 8, 64)
    weights[:, ::3] = 0
    assert np.abs(quantise(weights, bits).unpacked()[:, ::3]).max() < 2e-4


def test_packing_twice_changes_next_to_nothing() -> None:
    """What was packed packs to itself, but for the rounding of scales: a fiftieth of a step."""
    once = quantise(normal(3, 4, 96), 4)
    np.testing.assert_allclose(quantise(once.unpacked(), 4).unpacked(), once.unpacked(), rtol=0, atol=3e-4)
    assert np.abs(once.scales).max() > 0.01


@pytest.mark.parametrize(
    ("packed", "scales", "inputs"),
    [
        (np.zeros((4, 8), np.int32), (4, 2), 64),
        (np.zeros((4, 8), np.uint32), (4, 3), 64),
        (np.zeros((4, 8), np.uint32), (3, 2), 64),
        (np.zeros((4, 6), np.uint32), (4, 2), 64),
        (np.zeros((4, 7), np.uint32), (4, 2), 64),
        (np.zeros((4, 64), np.uint32), (4, 2), 64),
        (np.zeros((4, 8), np.uint32), (4, 0), 64),
        (np.zeros((4, 0), np.uint32), (4, 2), 64),
    ],
)
def test_packing_that_does_not_fit(packed: Array, scales: tuple[int, int], inputs: int) -> None:
    """Shapes that no affine packing of 2, 4 or 8 bits has are refused."""
    with pytest.raises(WeightsError, match="packed"):
        PackedLayer(packed, np.zeros(scales, np.float32), np.zeros(scales, np.float32), inputs)
