from pathlib import Path

import numpy as np
import pytest

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.quantisation import PackedLayer
from wilor_sidecar.weights.safetensors_file import read_safetensors
from wilor_sidecar.weights.seeded import network
from wilor_sidecar.weights.torch_zip import read_torch_zip
from wilor_sidecar.weights.wilor_mlx_files import canonical, is_quantised, is_wilor_mlx

from .files import REFERENCE, needs_reference

NET = "refine_net.deconv"
LAYERS = {
    f"{NET}.first_conv.0": f"{NET}.first_conv",
    f"{NET}.deconv.0.0": f"{NET}.branch0_conv",
    f"{NET}.deconv.0.1": f"{NET}.branch0_bn",
    f"{NET}.deconv.1.0": f"{NET}.branch1_conv0",
    f"{NET}.deconv.1.1": f"{NET}.branch1_bn0",
    f"{NET}.deconv.1.3": f"{NET}.branch1_conv1",
    f"{NET}.deconv.1.4": f"{NET}.branch1_bn1",
}
DECONVOLUTIONS = {f"{NET}.branch0_conv.weight", f"{NET}.branch1_conv0.weight", f"{NET}.branch1_conv1.weight"}


def wilor_mlx_tensors(upstream: dict[str, Array]) -> dict[str, Array]:
    """What wilor-mlx would publish of a network."""
    tensors: dict[str, Array] = {
        "IMAGE_MEAN": np.array([[[[0.485, 0.456, 0.406]]]], np.float32),
        "IMAGE_STD": np.array([[[[0.229, 0.224, 0.225]]]], np.float32),
    }
    for name, array in upstream.items():
        layer, _, parameter = name.rpartition(".")
        renamed = f"{LAYERS.get(layer, layer)}.{parameter}"
        axes = (1, 2, 3, 0) if renamed in DECONVOLUTIONS else (0, 2, 3, 1)
        tensors[renamed] = array.transpose(axes) if array.ndim == 4 else array
    return tensors


def test_names_and_layouts_are_restored() -> None:
    """Every tensor of a float32 file comes back under upstream's name, axes in upstream's order."""
    upstream = network(4, 64, 2)
    tensors = wilor_mlx_tensors(upstream)
    assert is_wilor_mlx(tensors)
    assert not is_wilor_mlx(upstream)
    restored = canonical(tensors, 64, 2)
    assert restored.keys() == upstream.keys()
    for name, array in upstream.items():
        np.testing.assert_array_equal(restored[name], array, err_msg=name)


def test_packed_layers_are_found() -> None:
    """A file with one packed layer is recognised, and the layer's three arrays become one packed weight."""
    upstream = network(4, 64, 1)
    tensors = wilor_mlx_tensors(upstream)
    layer = "backbone.blocks.0.mlp.fc2"
    packed = mx.quantize(mx.array(tensors[f"{layer}.weight"]), group_size=32, bits=4)
    for part, array in zip(("weight", "scales", "biases"), packed, strict=True):
        tensors[f"{layer}.{part}"] = np.array(array)
    assert is_quantised(tensors)
    restored = canonical(tensors, 64, 1)
    assert restored.keys() == upstream.keys()
    weight = restored[f"{layer}.weight"]
    assert isinstance(weight, PackedLayer)
    assert (weight.bits, weight.group_size) == (4, 32)
    np.testing.assert_allclose(weight.unpacked(), upstream[f"{layer}.weight"], atol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"IMAGE_MEAN": np.zeros(3)}, "IMAGE_MEAN is not ImageNet's"),
        ({"IMAGE_STD": np.ones((1, 1, 1, 4))}, "IMAGE_STD is not ImageNet's"),
        ({"backbone.last_norm.scales": np.ones((64, 2))}, "backbone.last_norm has scales but"),
        ({"backbone.blocks.0.mlp.fc1.scales": np.ones((256, 2))}, "backbone.blocks.0.mlp.fc1 has scales but"),
        ({f"{NET}.branch0_conv.weight": np.zeros(3)}, "refine_net.deconv.deconv.0.0.weight has shape"),
    ],
)
def test_files_that_are_not_wilor_mlxs(change: dict[str, Array], message: str) -> None:
    """Another normalisation, half a packed layer or a flat convolution is refused by name."""
    with pytest.raises(WeightsError, match=message):
        canonical(wilor_mlx_tensors(network(4, 64, 1)) | change, 64, 1)


@needs_reference
def test_the_reference_is_the_checkpoint() -> None:
    """wilor-mlx's float32 reference file holds, bit for bit, the checkpoint it was made of."""
    checkpoint = read_torch_zip(REFERENCE / "tiny" / "wilor_final.ckpt")
    restored = canonical(read_safetensors(REFERENCE / "seed-format" / "wilor-mlx.safetensors"), 160, 3)
    for name, array in restored.items():
        np.testing.assert_array_equal(array, checkpoint[name], err_msg=name)


@needs_reference
def test_the_int4_reference_unpacks_as_mlx_does() -> None:
    """Each packed layer of wilor-mlx's int4 reference file is what MLX unpacks."""
    path: Path = REFERENCE / "seed-format" / "wilor-mlx-int4.safetensors"
    tensors = read_safetensors(path)
    restored = canonical(tensors, 160, 3)
    packed = [name.removesuffix(".scales") for name in tensors if name.endswith(".scales")]
    assert len(packed) == 12
    for layer in packed:
        weight, scales, biases = (mx.array(tensors[f"{layer}.{part}"]) for part in ("weight", "scales", "biases"))
        expected = np.array(mx.dequantize(weight, scales, biases, group_size=32, bits=4))
        restored_weight = restored[f"{layer}.weight"]
        assert isinstance(restored_weight, PackedLayer)
        np.testing.assert_allclose(restored_weight.unpacked(), expected, rtol=0, atol=3e-7, err_msg=layer)
