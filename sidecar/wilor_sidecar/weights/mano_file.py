"""Read the hand model and the mean hand from the files they come in, into canonical names and layouts.

`MANO_RIGHT.pkl` from MANO's site, wilor-mlx's cache `mano.npz`, and upstream's `mano_mean_params.npz`. What the files
are is told from their content. Knows nothing of checkpoints.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wilor_sidecar.weights.checks import conform
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import (
    MEAN_SHAPES,
    OPENPOSE_ORDER,
    POSE_BLEND,
    TIP_VERTICES,
    VERTICES,
    TensorSpec,
    mano_specs,
)
from wilor_sidecar.weights.npz import read_npz
from wilor_sidecar.weights.pickled_numpy import KNOWN, as_array
from wilor_sidecar.weights.restricted_pickle import MAX_PICKLE_BYTES, describe, load

_ZIP_MAGIC = b"PK\x03\x04"
_MEAN_SPECS = {name: TensorSpec(shape, "float32") for name, shape in MEAN_SHAPES.items()}
_MEAN_KEYS = {"pose": "backbone.init_hand_pose", "shape": "backbone.init_betas", "cam": "backbone.init_cam"}
_NO_PARENT_UINT32 = 0xFFFFFFFF
"""How the unsigned kintree_table writes the root's parent."""


def read_mano(path: Path) -> dict[str, Array]:
    """Read the hand model.

    Args:
        path: MANO_RIGHT.pkl (with or without chumpy objects) or wilor-mlx's mano.npz.

    Returns:
        Every `mano.*` tensor as the layout has it, and `backbone.init_*` where the file brings the mean hand along.

    Raises:
        WeightsError: neither kind of file, the left hand, or an array is missing, misshapen, of the wrong kind or not
            finite.
    """
    try:
        with path.open("rb") as file:
            is_npz = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read ({error.strerror})") from error
    tensors = _from_npz(read_npz(path)) if is_npz else _from_pickle(path)
    specs = mano_specs() | {name: spec for name, spec in _MEAN_SPECS.items() if name in tensors}
    hand = _conform_all(tensors, specs, path.name)
    if _is_left(hand):
        raise WeightsError(f"{path.name}: is a left hand; the network is for right hands, so MANO_RIGHT.pkl is wanted")
    return hand


def _is_left(hand: dict[str, Array]) -> bool:
    """In its rest pose MANO's right hand points along -x: its finger tips lie at smaller x than its wrist."""
    vertices = hand["mano.v_template"]
    wrist = hand["mano.J_regressor"][0] @ vertices
    return bool(vertices[list(TIP_VERTICES), 0].mean() > wrist[0])


def read_mean_params(path: Path) -> dict[str, Array]:
    """Read the mean hand, which the network's answers are added to.

    Args:
        path: upstream's mano_mean_params.npz (`pose` (96,), `shape` (10,), `cam` (3,)).

    Returns:
        `backbone.init_hand_pose` (1, 96), `init_betas` (1, 10), `init_cam` (1, 3), float32.

    Raises:
        WeightsError: not such a file, or an array of it is not as it should be.
    """
    arrays = read_npz(path)
    missing = sorted(_MEAN_KEYS.keys() - arrays.keys())
    if missing:
        raise WeightsError(f"{path.name}: no {', '.join(missing)}: expected the mean hand's pose, shape and cam")
    tensors = {name: arrays[key][None] for key, name in _MEAN_KEYS.items()}
    return _conform_all(tensors, _MEAN_SPECS, path.name)


def _from_npz(arrays: dict[str, Array]) -> dict[str, Array]:
    """wilor-mlx's cache: upstream's names without the prefix, save for the faces."""
    tensors = {f"backbone.{key}": array for key, array in arrays.items() if key.startswith("init_")}
    renamed = {"faces_tensor" if key == "faces" else key: array for key, array in arrays.items()}
    return tensors | {f"mano.{key}": array for key, array in renamed.items() if not key.startswith("init_")}


def _from_pickle(path: Path) -> dict[str, Array]:
    if path.stat().st_size > MAX_PICKLE_BYTES:
        raise WeightsError(f"{path.name}: larger than {MAX_PICKLE_BYTES} bytes: not a MANO file")
    root = load(path.read_bytes(), KNOWN, file=path.name, encoding="latin1")
    if not isinstance(root, dict):
        raise WeightsError(f"{path.name}: holds a {describe(root)}, expected MANO's dict")
    tensors: dict[str, Array] = {
        "mano.extra_joints_idxs": np.array(TIP_VERTICES, np.int32),
        "mano.joint_map": np.array(OPENPOSE_ORDER, np.int32),
    }
    for key, (name, arrange) in _PICKLE_KEYS.items():
        if key not in root:
            raise WeightsError(f"{path.name}: no {key}: not a MANO file")
        try:
            tensors[name] = arrange(as_array(root[key]))
        except (WeightsError, ValueError) as error:
            raise WeightsError(f"{path.name}: {key}: {error}") from error
    return tensors


def _unchanged(array: Array) -> Array:
    return array


def _pose_blend_rows(array: Array) -> Array:
    """(778, 3, 135) to (135, 2334): a row for each blend shape, as upstream keeps it."""
    if array.shape != (VERTICES, 3, POSE_BLEND):
        raise WeightsError(f"shape {array.shape}, expected {(VERTICES, 3, POSE_BLEND)}")
    return array.reshape(-1, POSE_BLEND).T


def _shape_blend(array: Array) -> Array:
    """Ten blend shapes: some editions of the file carry more, and the network answers for ten."""
    return array[..., :10]


def _parents(array: Array) -> Array:
    """(2, 16) kinematic table to (16,) parents: its first row, where the root's entry is -1 or, unsigned, 2^32 - 1."""
    parents: Array = array[0].astype(np.int64)
    return np.where(parents == _NO_PARENT_UINT32, -1, parents)


_PICKLE_KEYS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "v_template": ("mano.v_template", _unchanged),
    "shapedirs": ("mano.shapedirs", _shape_blend),
    "posedirs": ("mano.posedirs", _pose_blend_rows),
    "J_regressor": ("mano.J_regressor", _unchanged),
    "weights": ("mano.lbs_weights", _unchanged),
    "kintree_table": ("mano.parents", _parents),
    "f": ("mano.faces_tensor", _unchanged),
}


def _conform_all(tensors: dict[str, Array], specs: dict[str, TensorSpec], file: str) -> dict[str, Array]:
    missing = sorted(specs.keys() - tensors.keys())
    if missing:
        raise WeightsError(f"{file}: no {', '.join(missing)}")
    try:
        return {name: conform(name, tensors[name], spec) for name, spec in specs.items()}
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error
