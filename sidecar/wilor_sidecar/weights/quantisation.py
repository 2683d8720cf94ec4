"""MLX's affine quantisation in numpy: what its kernels read is made here, so that conversion needs no MLX.

A weight is scale * q + bias; q has 4 or 8 bits, and 32 neighbouring inputs of one output share scale and bias.
"""

from dataclasses import dataclass

import numpy as np

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import GROUP_SIZE, Shape

_BITS = (2, 4, 8)
"""Widths that divide a byte, so that packing is the same however one reads it. We write 4 and 8."""
_WORD_BITS = 32
_LEAST_SCALE = 1e-7


@dataclass(frozen=True)
class PackedLayer:
    """A linear layer's weights as MLX packs them, of any group size.

    Attributes:
        weight: (outputs, words) uint32; the first input's q is in a word's lowest bits.
        scales: (outputs, groups) floating point.
        biases: the same.
        inputs: how many inputs the layer has; together with the shapes it gives the bits and the group size.

    Raises:
        WeightsError: the shapes do not fit together, or the bits are not 2, 4 or 8.
    """

    weight: Array
    scales: Array
    biases: Array
    inputs: int

    def __post_init__(self) -> None:
        packed, scales = self.weight, self.scales
        if packed.dtype != np.uint32 or packed.ndim != 2 or scales.ndim != 2 or scales.shape != self.biases.shape:
            raise WeightsError(
                f"packed as {packed.dtype} {packed.shape} with scales {scales.shape}, biases {self.biases.shape}"
            )
        outputs, groups = scales.shape
        fits = packed.shape == (outputs, self.inputs * self.bits // _WORD_BITS)
        if not fits or self.bits not in _BITS or groups == 0 or self.inputs % groups:
            raise WeightsError(
                f"packed {packed.shape} with scales {scales.shape} does not unpack to {self.inputs} inputs"
            )

    @property
    def bits(self) -> int:
        """Of one q."""
        return int(_WORD_BITS * self.weight.shape[1] // self.inputs)

    @property
    def group_size(self) -> int:
        """How many inputs share a scale."""
        return int(self.inputs // self.scales.shape[1])

    @property
    def shape(self) -> Shape:
        """Of the weights, unpacked."""
        return (self.weight.shape[0], self.inputs)

    def unpacked(self) -> Array:
        """The weights, (outputs, inputs) float32."""
        shifts = np.arange(0, _WORD_BITS, self.bits, dtype=np.uint32)
        steps = (self.weight[:, :, None] >> shifts) & np.uint32(2**self.bits - 1)
        grouped = steps.reshape(*self.scales.shape, self.group_size).astype(np.float32)
        weights: Array = grouped * self.scales.astype(np.float32)[..., None] + self.biases.astype(np.float32)[..., None]
        return weights.reshape(self.shape)


Tensor = Array | PackedLayer
"""A tensor as a file holds it."""


def quantise(weights: Array, bits: int) -> PackedLayer:
    """Pack a layer in groups of 32 inputs, as `mlx.core.quantize` does, with scales and biases that float16 can hold.

    In each group the end of the range that is further from zero is met exactly, and zero is a multiple of the scale
    away from it: weights that are zero stay so. q is rounded with the float16 scale and bias, which it will meet again.

    Args:
        weights: (outputs, inputs) floating point, finite; the inputs a multiple of 32.
        bits: 4 or 8.

    Returns:
        The packed layer; scales and biases are float32 with values of float16, or infinite where those do not reach.
    """
    outputs, inputs = weights.shape
    grouped = weights.astype(np.float32, copy=False).reshape(outputs, inputs // GROUP_SIZE, GROUP_SIZE)
    steps = 2**bits - 1
    low, high = grouped.min(axis=-1), grouped.max(axis=-1)
    far_is_low = np.abs(low) > np.abs(high)
    scale = np.maximum((high - low) / steps, _LEAST_SCALE) * np.where(far_is_low, 1, -1)
    edge = np.where(far_is_low, low, high)
    steps_to_zero = np.round(edge / scale)
    has_zero = steps_to_zero != 0
    scales = _as_float16_holds(np.where(has_zero, edge / np.where(has_zero, steps_to_zero, 1), scale))
    biases = _as_float16_holds(np.where(has_zero, edge, 0))
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite scales are refused by whoever stores them
        q = np.nan_to_num(np.round((grouped - biases[..., None]) / scales[..., None]))
    return PackedLayer(_packed(np.clip(q, 0, steps).reshape(outputs, inputs), bits), scales, biases, inputs)


def _as_float16_holds(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _packed(q: Array, bits: int) -> Array:
    """(outputs, inputs) whole numbers to (outputs, words) uint32."""
    per_word = _WORD_BITS // bits
    shifts = np.arange(0, _WORD_BITS, bits, dtype=np.uint32)
    words = q.astype(np.uint32).reshape(q.shape[0], -1, per_word) << shifts
    packed: Array = np.bitwise_or.reduce(words, axis=-1)
    return packed
