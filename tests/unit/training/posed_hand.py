"""MANO's formulas in float64, and the implicit hand in the same poses."""

import numpy as np
from numpy.typing import NDArray

from training.hand import PARENTS, Flesh, Hand
from training.mano_arrays import mano_arrays

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class PosedHand:
    """MANO's formulas in float64, written a second time: an independent check of the arrays."""

    def __init__(self) -> None:
        arrays = mano_arrays()
        self.faces = arrays["faces_tensor"].astype(np.int64)
        self.template, self.shapes, self.corrections, self.regressor, self.weights = (
            arrays[name].astype(np.float64)
            for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "lbs_weights")
        )

    def shaped(self, betas: Floats) -> Floats:
        """The resting vertices of a shape, (778, 3)."""
        return self.template + self.shapes @ betas

    def posed(self, rotations: Floats, *, corrected: bool = True) -> Floats:
        """The mean shape's vertices (778, 3) under 16 rotations (16, 3, 3)."""
        vertices = self.template
        motions = bone_motions(rotations, self.regressor @ vertices)
        if corrected:
            vertices = vertices + ((rotations[1:] - np.eye(3)).ravel() @ self.corrections).reshape(-1, 3)
        blended = np.einsum("vj,jab->vab", self.weights, motions)
        moved: Floats = np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3]
        return moved


def bone_motions(rotations: Floats, joints: Floats) -> Floats:
    """How each bone moves from rest, (16, 3, 4): to the left a rotation, to the right a translation."""
    turns = np.zeros((16, 3, 3))
    places = np.zeros((16, 3))
    for bone, parent in enumerate(PARENTS):
        turns[bone] = rotations[bone] if parent < 0 else turns[parent] @ rotations[bone]
        places[bone] = joints[bone]
        if parent >= 0:
            places[bone] = places[parent] + turns[parent] @ (joints[bone] - joints[parent])
    offsets = places - np.einsum("jab,jb->ja", turns, joints)
    return np.concatenate([turns, offsets[..., None]], axis=2)


def posed_flesh(hand: Hand, rotations: Floats) -> Flesh:
    """The implicit hand in the same pose; the forearm goes with the wrist."""
    motions = bone_motions(rotations, hand.joints)
    of_end = np.concatenate([motions, motions[:1]])[hand.flesh.bones]
    ends = np.einsum("neab,neb->nea", of_end[..., :3], hand.flesh.ends) + of_end[..., 3]
    flesh = hand.flesh
    return Flesh(flesh.bones, ends, flesh.radii, flesh.groups, flesh.dorsal, flesh.nails)
