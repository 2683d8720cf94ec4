"""Linear layers, in the forms that weights are held in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wilor_sidecar.device import on_gpu
from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.layout import GROUP_SIZE

Linear = Callable[[mx.array], mx.array]
"""(..., inputs) to (..., outputs)."""


def linear(weights: Mapping[str, mx.array], name: str) -> Linear:
    """The layer of that name, dense or packed.

    Args:
        weights: NAME.weight (outputs, inputs) and NAME.bias (outputs,); or packed, with NAME.scales and NAME.biases,
            which are of the dtype to compute in.
        name: NAME.
    """
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if f"{name}.scales" not in weights:
        return Dense(weight.T, bias)
    return Packed(weight, weights[f"{name}.scales"], weights[f"{name}.biases"], bias)


@dataclass(frozen=True)
class Dense:
    """x W + b, W as (inputs, outputs)."""

    weight: mx.array
    bias: mx.array

    def __call__(self, x: mx.array) -> mx.array:
        """(..., inputs) to (..., outputs)."""
        return mx.addmm(self.bias, x, self.weight)


@dataclass(frozen=True)
class Packed:
    """The same with MLX's affine quantisation: see `weights.quantisation`."""

    weight: mx.array
    scales: mx.array
    biases: mx.array
    bias: mx.array

    def __call__(self, x: mx.array) -> mx.array:
        """(..., inputs) to (..., outputs)."""
        packed, bits = (self.weight, self.scales, self.biases), self.bits
        if on_gpu():
            return mx.quantized_matmul(x, *packed, group_size=GROUP_SIZE, bits=bits) + self.bias
        # MLX's CPU kernel takes sixty times as long as a BLAS; unpacking first costs half of what the product does.
        return mx.addmm(self.bias, x, mx.dequantize(*packed, group_size=GROUP_SIZE, bits=bits).T)

    @property
    def bits(self) -> int:
        """Of one weight: of a group's 32 inputs each takes one of its words' 32 bits for every bit it has."""
        return int(self.weight.shape[1] // self.scales.shape[1])
