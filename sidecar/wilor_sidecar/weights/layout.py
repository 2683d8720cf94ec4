"""What a converted folder holds: every tensor's name, shape and dtype for a network of a given size.

Names and layouts are upstream's (PyTorch): Conv2d OIHW, ConvTranspose2d IOHW, Linear (out, in); MANO's arrays stand
beside the network's as `mano.*`. This is the only place that lists them. It knows no file format and no arithmetic.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from wilor_sidecar.weights.errors import WeightsError

BlocksDtype = Literal["float32", "float16", "int8", "int4"]
"""How a folder holds the transformer blocks. int8 and int4: MLX's affine quantisation."""
DTYPES: tuple[BlocksDtype, ...] = get_args(BlocksDtype)
DtypeName = Literal["float32", "float16", "int32", "uint32"]
BITS: dict[BlocksDtype, int] = {"int8": 8, "int4": 4}
_FLOATS: dict[BlocksDtype, DtypeName] = {"float32": "float32", "float16": "float16"}
GROUP_SIZE = 32
"""How many neighbouring inputs of a quantised layer share a scale: the least that MLX knows, and the most exact."""
Shape = tuple[int, ...]

VERTICES = 778
JOINTS = 16
FACES = 1538
POSE_BLEND = 9 * (JOINTS - 1)
"""One blend shape per entry of the 15 finger rotations' 3x3 matrices."""

TIP_VERTICES = (744, 320, 443, 554, 671)
"""Vertices that serve as fingertips: thumb, index, middle, ring, little. Constants of upstream, in no MANO file."""

OPENPOSE_ORDER = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""Which of MANO's 16 joints and 5 tips stands at each of the 21 published places."""

MEAN_SHAPES: dict[str, Shape] = {
    "backbone.init_hand_pose": (1, 96),
    "backbone.init_betas": (1, 10),
    "backbone.init_cam": (1, 3),
}
"""The mean hand that the network's answers are added to. Buffers upstream, trained nowhere."""

MANO_FLOAT_SHAPES: dict[str, Shape] = {
    "mano.v_template": (VERTICES, 3),
    "mano.shapedirs": (VERTICES, 3, 10),
    "mano.posedirs": (POSE_BLEND, VERTICES * 3),
    "mano.J_regressor": (JOINTS, VERTICES),
    "mano.lbs_weights": (VERTICES, JOINTS),
}

MANO_INDEX_SHAPES: dict[str, Shape] = {
    "mano.parents": (JOINTS,),
    "mano.extra_joints_idxs": (len(TIP_VERTICES),),
    "mano.joint_map": (len(OPENPOSE_ORDER),),
    "mano.faces_tensor": (FACES, 3),
}


@dataclass(frozen=True)
class Sizes:
    """How large a network is. The published one is 1280 wide, 32 deep, with 16 heads.

    Raises:
        WeightsError: a size is out of range, or the heads or RefineNet's channels do not divide the width.
    """

    width: int
    depth: int
    heads: int

    def __post_init__(self) -> None:
        if not 8 <= self.width <= 16384 or self.width % 8:
            raise WeightsError(f"width is {self.width}, expected a multiple of 8 from 8 to 16384")
        if not 1 <= self.depth <= 1024:
            raise WeightsError(f"depth is {self.depth}, expected 1 to 1024")
        if self.heads < 1 or self.width % self.heads:
            raise WeightsError(f"heads is {self.heads}, expected a divisor of the width {self.width}")


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a converted folder."""

    shape: Shape
    dtype: DtypeName


def tensor_specs(sizes: Sizes, dtype: BlocksDtype) -> dict[str, TensorSpec]:
    """Every tensor of a folder, in no particular order.

    Args:
        sizes: the network's size.
        dtype: of the transformer blocks. The rest (embeddings, heads, RefineNet, MANO) is small or sensitive and stays
            float32 always; MANO's index arrays are int32. Of quantised blocks the layers' weights are packed; norms and
            biases are float16.

    Raises:
        WeightsError: this width cannot be quantised.
    """
    specs: dict[str, TensorSpec] = {}
    bits, floats = BITS.get(dtype), _FLOATS.get(dtype, "float16")
    for name, shape in network_shapes(sizes.width, sizes.depth).items():
        if not name.startswith("backbone.blocks."):
            specs[name] = TensorSpec(shape, "float32")
        elif bits and len(shape) == 2:
            specs |= _packed_specs(name.removesuffix(".weight"), shape, bits)
        else:
            specs[name] = TensorSpec(shape, floats)
    specs |= {name: TensorSpec(shape, "float32") for name, shape in MEAN_SHAPES.items()}
    return specs | mano_specs()


def _packed_specs(layer: str, shape: Shape, bits: int) -> dict[str, TensorSpec]:
    outputs, inputs = shape
    if inputs % GROUP_SIZE:
        raise WeightsError(f"{layer} has {inputs} inputs, and only multiples of {GROUP_SIZE} can be quantised")
    return {
        f"{layer}.weight": TensorSpec((outputs, inputs * bits // 32), "uint32"),
        f"{layer}.scales": TensorSpec((outputs, inputs // GROUP_SIZE), "float16"),
        f"{layer}.biases": TensorSpec((outputs, inputs // GROUP_SIZE), "float16"),
    }


def mano_specs() -> dict[str, TensorSpec]:
    """The hand model's part of a folder; the same for every size of network."""
    floats = {name: TensorSpec(shape, "float32") for name, shape in MANO_FLOAT_SHAPES.items()}
    return floats | {name: TensorSpec(shape, "int32") for name, shape in MANO_INDEX_SHAPES.items()}


def network_shapes(width: int, depth: int) -> dict[str, Shape]:
    """Shapes of all that training changes: the backbone and RefineNet, without the mean hand and without MANO."""
    shapes: dict[str, Shape] = {
        "backbone.pos_embed": (1, 193, width),
        "backbone.patch_embed.proj.weight": (width, 3, 16, 16),
        "backbone.patch_embed.proj.bias": (width,),
    }
    for layer, features in (("pose_emb", 6), ("shape_emb", 10), ("cam_emb", 3)):
        shapes |= _linear(f"backbone.{layer}", width, features)
    for block in range(depth):
        shapes |= _block(f"backbone.blocks.{block}", width)
    shapes |= _scale_and_shift("backbone.last_norm", width)
    for layer, features in (("decpose", 6), ("decshape", 10), ("deccam", 3)):
        shapes |= _linear(f"backbone.{layer}", features, width)
    return shapes | _refine_net(width)


def guess_heads(width: int) -> int:
    """How many attention heads a checkpoint of this width has: no tensor's shape tells, so the habit of ViTs decides.

    Raises:
        WeightsError: neither heads of 80 (WiLoR's ViT-H) nor of 64 fit; the message asks for --heads.
    """
    for head_width in (80, 64):
        if width % head_width == 0:
            return width // head_width
    raise WeightsError(f"width {width} is a multiple of neither 80 nor 64, so the number of heads needs --heads")


def infer_sizes(shapes: Mapping[str, Shape], heads: int | None) -> Sizes:
    """Read the network's size off the shapes of its tensors.

    Args:
        shapes: under upstream names; others may be among them.
        heads: attention heads, or None to guess from the width.

    Raises:
        WeightsError: the shapes do not say, or say something impossible.
    """
    embedding = shapes.get("backbone.pos_embed")
    if embedding is None:
        raise WeightsError("no backbone.pos_embed: this is not a WiLoR network")
    if len(embedding) != 3:
        raise WeightsError(f"backbone.pos_embed has shape {embedding}, expected (1, 193, width)")
    depth = 1 + max(_block_numbers(shapes), default=-1)
    if depth == 0:
        raise WeightsError("no backbone.blocks.*: this is not a WiLoR network")
    width = embedding[2]
    return Sizes(width, depth, guess_heads(width) if heads is None else heads)


def _block_numbers(names: Mapping[str, Shape]) -> Iterator[int]:
    for name in names:
        # Five digits at most: a longer number is a mistake, and Sizes would refuse it anyway.
        if found := re.match(r"backbone\.blocks\.(\d{1,5})\.", name):
            yield int(found[1])


def _block(prefix: str, width: int) -> dict[str, Shape]:
    return {
        **_scale_and_shift(f"{prefix}.norm1", width),
        **_linear(f"{prefix}.attn.qkv", 3 * width, width),
        **_linear(f"{prefix}.attn.proj", width, width),
        **_scale_and_shift(f"{prefix}.norm2", width),
        **_linear(f"{prefix}.mlp.fc1", 4 * width, width),
        **_linear(f"{prefix}.mlp.fc2", width, 4 * width),
    }


def _refine_net(width: int) -> dict[str, Shape]:
    half, quarter, eighth = width // 2, width // 4, width // 8
    net = "refine_net.deconv"
    shapes: dict[str, Shape] = {
        f"{net}.first_conv.0.weight": (half, width, 1, 1),
        f"{net}.first_conv.0.bias": (half,),
        f"{net}.deconv.0.0.weight": (half, quarter, 4, 4),
        f"{net}.deconv.1.0.weight": (half, quarter, 4, 4),
        f"{net}.deconv.1.3.weight": (quarter, eighth, 4, 4),
    }
    for norm, channels in (("deconv.0.1", quarter), ("deconv.1.1", quarter), ("deconv.1.4", eighth)):
        shapes |= _scale_and_shift(f"{net}.{norm}", channels)
        shapes |= {f"{net}.{norm}.running_mean": (channels,), f"{net}.{norm}.running_var": (channels,)}
    for head, features in (("dec_pose", 96), ("dec_shape", 10), ("dec_cam", 3)):
        shapes |= _linear(f"refine_net.{head}", features, half + quarter + eighth)
    return shapes


def _linear(prefix: str, outputs: int, inputs: int) -> dict[str, Shape]:
    return {f"{prefix}.weight": (outputs, inputs), f"{prefix}.bias": (outputs,)}


def _scale_and_shift(prefix: str, channels: int) -> dict[str, Shape]:
    return {f"{prefix}.weight": (channels,), f"{prefix}.bias": (channels,)}
