"""Networks, hands and crops made from a seed: what tests, benchmarks and an untrained daemon run on.

The reference goldens were computed on exactly these tensors, so every draw, its order and its arithmetic are part of
the contract; `digest` is how a golden says which tensors it means. The hand has MANO's array shapes and a hand's
extent and is otherwise made up. Nothing here is trained, and nothing here knows MLX.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.layout import (
    FACES,
    JOINTS,
    OPENPOSE_ORDER,
    POSE_BLEND,
    TIP_VERTICES,
    VERTICES,
    Shape,
    network_shapes,
)

FloatArray = npt.NDArray[np.float64]
Tensors = dict[str, Array]

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""MANO's kinematic tree: wrist, then three joints each of index, middle, little, ring and thumb."""

_THUMB = 13
_FINGER_BASE_Z_M = {1: -0.030, 4: -0.008, 7: 0.035, 10: 0.014, 13: -0.045}
_REGRESSED_FROM = 40
"""How many of the nearest vertices each made-up joint is regressed from."""

_GAINS = {
    "backbone.decpose.weight": 0.12,
    "backbone.decshape.weight": 0.4,
    "backbone.deccam.weight": 0.06,
    "refine_net.dec_pose.weight": 0.15,
    "refine_net.dec_shape.weight": 0.3,
    "refine_net.dec_cam.weight": 0.1,
}
"""Heads are toned down so that an untrained network still answers with something like a hand."""


def checkpoint(seed: int, width: int, depth: int, cam_gain: float = 1.0) -> Tensors:
    """A whole checkpoint under upstream's names: float32, MANO's index arrays int64 as PyTorch keeps them.

    Args:
        seed: of the network; the hand's is the next one.
        width: a multiple of 8. WiLoR's is 1280.
        depth: transformer blocks. WiLoR's is 32, which makes 2.5 GB.
        cam_gain: above 1, throws RefineNet's sampled points out of the corner they otherwise stay in.
    """
    tensors = network(seed, width, depth, cam_gain)
    for name, values in hand_arrays(seed + 1).items():
        # In C order: transposed skinning weights would stay transposed, and safetensors would write them scrambled.
        tensors[name] = values.astype(np.float32 if values.dtype.kind == "f" else np.int64, order="C")
    return tensors


def write_seeded_checkpoint(path: Path, *, seed: int, width: int, depth: int, cam_gain: float = 1.0) -> None:
    """Write `checkpoint` as a safetensors file with upstream's names, replacing what is there."""
    save_file(checkpoint(seed, width, depth, cam_gain), path)


def network(seed: int, width: int, depth: int, cam_gain: float = 1.0) -> Tensors:
    """The backbone, RefineNet and the mean hand, float32, under upstream's names."""
    rng = np.random.Generator(np.random.Philox(seed))
    tensors: Tensors = {}
    for name, shape in sorted(network_shapes(width, depth).items()):
        tensors[name] = _parameter(rng, name, shape)
    camera_head = "backbone.deccam.weight"
    tensors[camera_head] = np.float32(cam_gain) * tensors[camera_head].astype(np.float32, copy=False)
    return tensors | _mean_hand(rng)


def hand_arrays(seed: int) -> Tensors:
    """MANO-shaped arrays: float64 in metres, the right hand's joint order; index arrays int64."""
    rng = np.random.Generator(np.random.Philox(seed))
    rest = _rest_joints(rng)
    owner = rng.integers(0, JOINTS, size=VERTICES)
    vertices = rest[owner] + rng.standard_normal((VERTICES, 3)) * (0.014, 0.008, 0.009)
    squared_distance = ((vertices[None] - rest[:, None]) ** 2).sum(-1)
    skin = np.exp(-squared_distance.T / 3e-4) + 1e-9
    skin /= skin.sum(1, keepdims=True)
    return {
        "mano.v_template": vertices,
        "mano.shapedirs": 2e-3 * rng.standard_normal((VERTICES, 3, 10)),
        "mano.posedirs": 8e-4 * rng.standard_normal((POSE_BLEND, VERTICES * 3)),
        "mano.J_regressor": _joint_regressor(squared_distance),
        "mano.lbs_weights": skin,
        "mano.parents": np.array(PARENTS, np.int64),
        "mano.extra_joints_idxs": np.array(TIP_VERTICES, np.int64),
        "mano.joint_map": np.array(OPENPOSE_ORDER, np.int64),
        "mano.faces_tensor": rng.integers(0, VERTICES, size=(FACES, 3)),
    }


def crops(seed: int, count: int) -> npt.NDArray[np.uint8]:
    """(count, 256, 256, 3) uint8 RGB: coarse colour blocks under noise, so that no two patches are alike."""
    rng = np.random.Generator(np.random.Philox(seed + 2))
    blocks = rng.integers(0, 256, size=(count, 8, 8, 3)).astype(np.float32)
    noise = rng.standard_normal((count, 256, 256, 3), dtype=np.float32)
    image = blocks.repeat(32, axis=1).repeat(32, axis=2) + 25 * noise
    clipped: npt.NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return clipped


def digest(tensors: Mapping[str, Array]) -> str:
    """SHA-256, in hex, over names and bytes in order of name: tells two sets of tensors apart."""
    running = hashlib.sha256()
    for name in sorted(tensors):
        running.update(name.encode())
        running.update(np.ascontiguousarray(tensors[name]).data)
    return running.hexdigest()


def _parameter(rng: np.random.Generator, name: str, shape: Shape) -> Array:
    values: Array = rng.standard_normal(shape, dtype=np.float32)
    if name.endswith("running_var"):
        return 0.5 + np.abs(values)
    if name.endswith("running_mean"):
        return 0.2 * values
    if name.endswith(("pos_embed", "bias")):
        return 0.02 * values
    if len(shape) == 1:  # the scales of LayerNorm and BatchNorm
        return 1 + 0.1 * values
    # A stride-2, 4x4 transposed convolution adds up 2x2 products per input channel.
    fan_in = shape[0] * 4 if ".deconv.deconv" in name else int(np.prod(shape[1:]))
    return np.float32(_GAINS.get(name, 1.0) / np.sqrt(fan_in)) * values


def _mean_hand(rng: np.random.Generator) -> Tensors:
    no_rotation = np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32), JOINTS)
    pose = no_rotation + np.float32(0.15) * rng.standard_normal(6 * JOINTS, dtype=np.float32)
    return {
        "backbone.init_hand_pose": pose[None],
        "backbone.init_betas": np.float32(0.2) * rng.standard_normal((1, 10), dtype=np.float32),
        "backbone.init_cam": np.array([[0.9, 0.0, 0.0]], np.float32),
    }


def _rest_joints(rng: np.random.Generator) -> FloatArray:
    """(16, 3) metres: a wrist at the origin and five straight fingers along -x."""
    rest = np.zeros((JOINTS, 3))
    for joint in range(1, JOINTS):
        if PARENTS[joint] == 0:
            length = -0.03 if joint == _THUMB else -0.085
            rest[joint] = (length, 0.004 * rng.standard_normal(), _FINGER_BASE_Z_M[joint])
        else:
            sideways = 0.002 * rng.standard_normal() if joint < _THUMB else -0.012
            rest[joint] = rest[PARENTS[joint]] + (-0.028, -0.003, sideways)
    return rest


def _joint_regressor(squared_distance: FloatArray) -> FloatArray:
    """(16, 778): each joint a weighted mean of the vertices nearest to it, as sparse as MANO's."""
    regressor = np.zeros((JOINTS, VERTICES))
    for joint in range(JOINTS):
        near = np.argsort(squared_distance[joint], kind="stable")[:_REGRESSED_FROM]
        weights = np.exp(-squared_distance[joint, near] / 2e-5) + 1e-6
        regressor[joint, near] = weights / weights.sum()
    return regressor
