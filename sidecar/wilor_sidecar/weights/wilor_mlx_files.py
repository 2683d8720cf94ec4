"""Turn the tensors of wilor-mlx's published files into canonical names, layouts and float32.

Its convolutions are O, H, W, I, its transposed ones too and renamed; its int4 files pack weights as MLX does. Layouts
are told from names, never guessed from shapes. Knows nothing of MANO, which these files leave out.
"""

from collections.abc import Mapping

import numpy as np

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import Shape, network_shapes

_MARK = "refine_net.deconv.branch0_conv.weight"
_NET = "refine_net.deconv"
_RENAMED_LAYERS = {
    f"{_NET}.first_conv": f"{_NET}.first_conv.0",
    f"{_NET}.branch0_conv": f"{_NET}.deconv.0.0",
    f"{_NET}.branch0_bn": f"{_NET}.deconv.0.1",
    f"{_NET}.branch1_conv0": f"{_NET}.deconv.1.0",
    f"{_NET}.branch1_bn0": f"{_NET}.deconv.1.1",
    f"{_NET}.branch1_conv1": f"{_NET}.deconv.1.3",
    f"{_NET}.branch1_bn1": f"{_NET}.deconv.1.4",
}
_FROM_OHWI_TO_OIHW = (0, 3, 1, 2)
_FROM_OHWI_TO_IOHW = (3, 0, 1, 2)
_AXES = {
    "backbone.patch_embed.proj.weight": _FROM_OHWI_TO_OIHW,
    f"{_NET}.first_conv.0.weight": _FROM_OHWI_TO_OIHW,
    f"{_NET}.deconv.0.0.weight": _FROM_OHWI_TO_IOHW,
    f"{_NET}.deconv.1.0.weight": _FROM_OHWI_TO_IOHW,
    f"{_NET}.deconv.1.3.weight": _FROM_OHWI_TO_IOHW,
}
_IMAGENET = {"IMAGE_MEAN": (0.485, 0.456, 0.406), "IMAGE_STD": (0.229, 0.224, 0.225)}
_BITS = (2, 4, 8)
"""Widths that divide a byte, so that packing is the same however one reads it. wilor-mlx publishes 4."""


def is_wilor_mlx(tensors: Mapping[str, object]) -> bool:
    """Whether the names are wilor-mlx's rather than upstream's."""
    return _MARK in tensors


def is_quantised(tensors: Mapping[str, object]) -> bool:
    """Whether some layer's weights are packed."""
    return any(name.endswith(".scales") for name in tensors)


def canonical(tensors: Mapping[str, Array], width: int, depth: int) -> dict[str, Array]:
    """Give wilor-mlx's tensors upstream's names and layouts.

    Args:
        tensors: a whole file's.
        width: the network's, which tells how many inputs a packed layer has.
        depth: the network's.

    Returns:
        Views where nothing but names and axes change; unpacked layers are new float32 arrays.

    Raises:
        WeightsError: another normalisation of images than the network's, or a layer that is packed in an unknown way.
    """
    _check_normalisation(tensors)
    shapes = network_shapes(width, depth)
    renamed = {_upstream_name(name): array for name, array in tensors.items() if name not in _IMAGENET}
    packed = [name.removesuffix(".scales") for name in renamed if name.endswith(".scales")]
    for layer in packed:
        renamed[f"{layer}.weight"] = _unpack_layer(layer, renamed, shapes)
    return {name: _upstream_axes(name, array) for name, array in renamed.items()}


def as_published(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The reverse of `canonical`, for comparisons with wilor-mlx itself.

    Args:
        tensors: canonical ones, float32.

    Returns:
        The network's tensors as in a published file, and the arrays of a `mano.npz`; all C-contiguous.
    """
    names = {upstream: own for own, upstream in _RENAMED_LAYERS.items()}
    network = {name: np.array(numbers, np.float32).reshape(1, 1, 1, 3) for name, numbers in _IMAGENET.items()}
    hand = {}
    for name, array in tensors.items():
        if name.startswith("mano."):
            hand[name.removeprefix("mano.").replace("faces_tensor", "faces")] = array
            continue
        layer, _, parameter = name.rpartition(".")
        axes = np.argsort(_AXES[name]) if name in _AXES else range(array.ndim)
        network[f"{names.get(layer, layer)}.{parameter}"] = np.ascontiguousarray(array.transpose(axes))
    return network, hand


def dequantise(packed: Array, scales: Array, biases: Array, inputs: int) -> Array:
    """Unpack MLX's affine quantisation: weight = scale * q + bias, each of a group of neighbouring inputs.

    Args:
        packed: (outputs, words) uint32; the first input's q is in a word's lowest bits.
        scales: (outputs, groups) floating point.
        biases: the same.
        inputs: how many inputs the layer has; together with the shapes it gives the bits and the group size.

    Returns:
        (outputs, inputs) float32.

    Raises:
        WeightsError: the shapes do not fit together, or the bits are not 2, 4 or 8.
    """
    if packed.dtype != np.uint32 or packed.ndim != 2 or scales.ndim != 2 or scales.shape != biases.shape:
        raise WeightsError(f"packed as {packed.dtype} {packed.shape} with scales {scales.shape}, biases {biases.shape}")
    outputs, groups = scales.shape
    bits = 32 * packed.shape[1] // inputs
    if packed.shape != (outputs, inputs * bits // 32) or bits not in _BITS or groups == 0 or inputs % groups:
        raise WeightsError(f"packed {packed.shape} with scales {scales.shape} does not unpack to {inputs} inputs")
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    steps = (packed[:, :, None] >> shifts) & np.uint32(2**bits - 1)
    grouped = steps.reshape(outputs, groups, inputs // groups).astype(np.float32)
    weights: Array = grouped * scales.astype(np.float32)[..., None] + biases.astype(np.float32)[..., None]
    return weights.reshape(outputs, inputs)


def _unpack_layer(layer: str, tensors: dict[str, Array], shapes: Mapping[str, Shape]) -> Array:
    """Take a layer's packing out of `tensors` and return its weights."""
    expected = shapes.get(f"{layer}.weight", ())
    parts = [tensors.pop(f"{layer}.{part}", None) for part in ("weight", "scales", "biases")]
    packed, scales, biases = parts
    if packed is None or scales is None or biases is None or len(expected) != 2:
        raise WeightsError(f"{layer} has scales but is no layer that can be unpacked")
    try:
        return dequantise(packed, scales, biases, expected[1])
    except WeightsError as error:
        raise WeightsError(f"{layer}: {error}") from error


def _check_normalisation(tensors: Mapping[str, Array]) -> None:
    """The network's forward pass has ImageNet's numbers built in, so others must not be dropped silently."""
    for name, expected in _IMAGENET.items():
        if name in tensors and (tensors[name].size != 3 or not np.allclose(tensors[name].ravel(), expected, atol=1e-6)):
            raise WeightsError(f"{name} is not ImageNet's {expected}")


def _upstream_name(name: str) -> str:
    layer, _, parameter = name.rpartition(".")
    return f"{_RENAMED_LAYERS.get(layer, layer)}.{parameter}" if layer else name


def _upstream_axes(name: str, array: Array) -> Array:
    if name not in _AXES:
        return array
    if array.ndim != 4:
        raise WeightsError(f"{name} has shape {array.shape}, expected four axes")
    return array.transpose(_AXES[name])
