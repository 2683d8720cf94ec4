"""Whether an array is what the layout says, and its conversion to that dtype. Errors name the key, what came, what was
expected; the caller adds the file. Knows no file format.
"""

import numpy as np

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import JOINTS, OPENPOSE_ORDER, VERTICES, Shape, TensorSpec

_INDEX_LIMITS = {
    "mano.extra_joints_idxs": VERTICES,
    "mano.joint_map": len(OPENPOSE_ORDER),
    "mano.faces_tensor": VERTICES,
}


def conform(name: str, array: Array, spec: TensorSpec) -> Array:
    """Check an array and give it its spec's dtype, copying only where that differs.

    Args:
        name: the tensor's canonical name.
        array: any float dtype for a float spec, any integer dtype for an index spec.
        spec: what the folder holds under that name.

    Returns:
        An array of exactly `spec`'s shape and dtype, not always contiguous.

    Raises:
        WeightsError: another shape or kind, NaN or infinity, too large for float16, an index out of range.
    """
    check_shape(name, array.shape, spec.shape)
    if spec.dtype == "int32":
        return _conform_indices(name, array)
    if spec.dtype == "uint32":  # packed bits: any are right
        return array.astype(np.uint32, copy=False)
    if array.dtype.kind != "f":
        raise WeightsError(f"{name} has dtype {array.dtype}, expected floating point")
    if not np.isfinite(array).all():
        raise WeightsError(f"{name} holds NaN or infinity")
    with np.errstate(over="ignore"):  # what does not fit becomes infinity, and is looked for
        converted = array.astype(spec.dtype, copy=False)
    if not np.isfinite(converted).all():
        largest = float(np.abs(array).max())
        raise WeightsError(f"{name} reaches {largest:g}, which {spec.dtype} cannot hold")
    return converted


def check_shape(name: str, shape: Shape, expected: Shape) -> None:
    """Raise a WeightsError unless the shapes are the same."""
    if shape != expected:
        raise WeightsError(f"{name} has shape {shape}, expected {expected}")


def check_indices(name: str, indices: Array) -> None:
    """Refuse index arrays of MANO's that point nowhere.

    Raises:
        WeightsError: `parents` is not a tree rooted in joint 0 whose parents come before their children, or another
            array leaves the vertices or joints that it indexes.
    """
    if name == "mano.parents":
        joints = np.arange(JOINTS)
        root_first = indices[0] == -1 and (indices[1:] >= 0).all()
        if not (root_first and (indices < joints).all()):
            raise WeightsError(f"{name} is {indices.tolist()}, expected -1 and then joints that came before")
        return
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= _INDEX_LIMITS[name]:
        raise WeightsError(f"{name} holds {low} to {high}, expected 0 to {_INDEX_LIMITS[name] - 1}")


def _conform_indices(name: str, array: Array) -> Array:
    if array.dtype.kind not in "iu":
        raise WeightsError(f"{name} has dtype {array.dtype}, expected whole numbers")
    check_indices(name, array)  # in the wide dtype: converting first could wrap a wrong index into a right one
    return array.astype(np.int32, copy=False)
