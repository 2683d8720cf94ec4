"""Turn the tensors of wilor-mlx's published files into canonical names and layouts.

Its convolutions are O, H, W, I, its transposed ones too and renamed; its int4 files pack weights as MLX does. Layouts
are told from names, never guessed from shapes. Knows nothing of MANO, which these files leave out.
"""

from collections.abc import Mapping

import numpy as np

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import Shape, network_shapes
from wilor_sidecar.weights.quantisation import PackedLayer, Tensor

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


def is_wilor_mlx(tensors: Mapping[str, object]) -> bool:
    """Whether the names are wilor-mlx's rather than upstream's."""
    return _MARK in tensors


def is_quantised(tensors: Mapping[str, object]) -> bool:
    """Whether some layer's weights are packed."""
    return any(name.endswith(".scales") for name in tensors)


def canonical(tensors: Mapping[str, Array], width: int, depth: int) -> dict[str, Tensor]:
    """Give wilor-mlx's tensors upstream's names and layouts.

    Args:
        tensors: a whole file's.
        width: the network's, which tells how many inputs a packed layer has.
        depth: the network's.

    Returns:
        Views where nothing but names and axes change. Packed layers stay packed, in their weight's place.

    Raises:
        WeightsError: another normalisation of images than the network's, or a layer that is packed in an unknown way.
    """
    _check_normalisation(tensors)
    shapes = network_shapes(width, depth)
    renamed: dict[str, Tensor] = {
        _upstream_name(name): array for name, array in tensors.items() if name not in _IMAGENET
    }
    packed = [name.removesuffix(".scales") for name in renamed if name.endswith(".scales")]
    for layer in packed:
        renamed[f"{layer}.weight"] = _take_packed(layer, renamed, shapes)
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


def _take_packed(layer: str, tensors: dict[str, Tensor], shapes: Mapping[str, Shape]) -> PackedLayer:
    """Take a layer's three arrays out of `tensors`."""
    expected = shapes.get(f"{layer}.weight", ())
    weight, scales, biases = (tensors.pop(f"{layer}.{part}", None) for part in ("weight", "scales", "biases"))
    if not all(isinstance(part, np.ndarray) for part in (weight, scales, biases)) or len(expected) != 2:
        raise WeightsError(f"{layer} has scales but is no layer that can be unpacked")
    try:
        return PackedLayer(weight, scales, biases, expected[1])  # type: ignore[arg-type]
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


def _upstream_axes(name: str, array: Tensor) -> Tensor:
    if name not in _AXES:
        return array
    if isinstance(array, PackedLayer) or array.ndim != 4:
        raise WeightsError(f"{name} has shape {array.shape}, expected four axes")
    return array.transpose(_AXES[name])
