"""The hand's bones and flesh at rest: where the joints are and how thick it is around them, for any shape.

A right hand in MANO's rest frame: metres, flat, fingers towards -x, thumb towards +z, palm towards -y. The flesh is a
set of tapered capsules, each end tied to a bone. Everything is linear in ten shape numbers (MANO's betas), each in
standard deviations, so that MANO's arrays can hold it exactly. The sizes are an adult's, from published hand surveys
(hand length 19 cm, width 8.5 cm), rounded.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""MANO's 16 bones: wrist, then three each of index, middle, little, ring, thumb."""
FINGER_BONES = {"index": 1, "middle": 4, "little": 7, "ring": 10, "thumb": 13}
TIPS = ("thumb", "index", "middle", "ring", "little")
"""The order of the five tips."""
FOREARM = 16
"""A bone beyond MANO's: pictures show it, the mesh ends before it."""
WRIST = np.array([0.0957, 0.0064, 0.0062])

PALM = 0
"""The group of the palm's capsules; a finger's is its place in `TIPS` plus one. Groups join smoothly."""


@dataclass(frozen=True)
class Measures:
    """What the ten shape numbers change: factors, or centimetres, at their mean value."""

    size: float = 1.0
    finger_length: float = 1.0
    thickness: float = 1.0
    palm_width: float = 1.0
    palm_length: float = 1.0
    thumb_length: float = 1.0
    little_length: float = 1.0
    taper: float = 1.0
    thumb_side_cm: float = 0.0
    palm_thickness: float = 1.0


DEVIATIONS = Measures(0.07, 0.05, 0.09, 0.06, 0.05, 0.06, 0.06, 0.08, 0.25, 0.09)
"""One standard deviation of each: what a beta of 1 adds."""


@dataclass(frozen=True)
class Flesh:
    """Tapered capsules, N of them.

    Attributes:
        bones: (N, 2) bone that each end is tied to, 0 to 16.
        ends: (N, 2, 3) m, at rest.
        radii: (N, 2) m.
        groups: (N,) `PALM` or a finger's.
        dorsal: (N, 3) unit, towards the back of the hand, turning with the second end's bone.
        nails: (N,) whether a nail grows on it.
    """

    bones: NDArray[np.int64]
    ends: Floats
    radii: Floats
    groups: NDArray[np.int64]
    dorsal: Floats
    nails: NDArray[np.bool_]


@dataclass(frozen=True)
class Hand:
    """A hand of one shape at rest.

    Attributes:
        joints: (16, 3) m.
        tips: (5, 3) m, on the skin, in the order of `TIPS`.
        flesh: around them, forearm included.
    """

    joints: Floats
    tips: Floats
    flesh: Flesh


# In centimetres in the palm's own frame: x towards the thumb, y towards the fingertips, z towards the palm's inside.
_KNUCKLES = {
    "index": (2.6, 9.1, 0.0),
    "middle": (0.55, 9.5, 0.1),
    "ring": (-1.5, 8.9, 0.0),
    "little": (-3.3, 7.8, -0.25),
}
_LENGTHS = {
    "index": (4.5, 2.6, 2.0),
    "middle": (4.9, 3.0, 2.1),
    "ring": (4.5, 2.8, 2.05),
    "little": (3.5, 2.0, 1.8),
    "thumb": (4.3, 3.2, 2.5),
}
_RADII = {
    "index": (0.98, 0.86, 0.78, 0.60),
    "middle": (1.0, 0.88, 0.80, 0.62),
    "ring": (0.95, 0.84, 0.76, 0.58),
    "little": (0.84, 0.72, 0.66, 0.50),
    "thumb": (1.30, 1.02, 0.94, 0.68),
}
_SPREAD_DEGREES = {"index": 5.0, "middle": 0.5, "ring": -4.0, "little": -10.0}
"""At rest, towards the thumb."""
_THUMB_BASE = (2.3, 2.2, 0.7)
_THUMB_DIRECTION = (0.66, 0.72, 0.22)
_THUMB_DORSAL = (0.55, -0.30, -0.78)
_NAILED = 2


def hand_of_shape(betas: Floats) -> Hand:
    """The hand of ten shape numbers; exactly linear in them."""
    mean = _measured(Measures())
    joints, tips, ends, radii = (array.copy() for array in (mean.joints, mean.tips, mean.flesh.ends, mean.flesh.radii))
    for beta, field in zip(betas, fields(Measures), strict=True):
        step = _one_deviation(field.name)
        joints += beta * (step.joints - mean.joints)
        tips += beta * (step.tips - mean.tips)
        ends += beta * (step.flesh.ends - mean.flesh.ends)
        radii += beta * (step.flesh.radii - mean.flesh.radii)
    rest = mean.flesh
    return Hand(joints, tips, Flesh(rest.bones, ends, radii, rest.groups, rest.dorsal, rest.nails))


def _one_deviation(name: str) -> Hand:
    return _measured(Measures(**{name: getattr(Measures(), name) + getattr(DEVIATIONS, name)}))


def _measured(measures: Measures) -> Hand:
    """The hand of some measures."""
    builder = _Builder(measures)
    for finger in ("index", "middle", "little", "ring"):
        builder.add_finger(finger)
    builder.add_thumb()
    builder.add_palm()
    builder.add_forearm()
    return builder.hand()


class _Builder:
    """Collects joints and capsules in the palm's frame, cm; hands them over in MANO's, m."""

    def __init__(self, measures: Measures) -> None:
        self._m = measures
        self._joints = np.zeros((16, 3))
        self._tips = np.zeros((5, 3))
        self._capsules: list[tuple[int, Floats, float, int, Floats, float, int, Floats, bool]] = []

    def add_finger(self, finger: str) -> None:
        """Three bones from the knuckle on."""
        spread = np.radians(_SPREAD_DEGREES[finger])
        direction = np.array([np.sin(spread), np.cos(spread), 0.0])
        length = self._m.finger_length * (self._m.little_length if finger == "little" else 1.0)
        self._add_bones(finger, self._knuckle(finger), direction, length, np.array([0.0, 0.0, -1.0]))

    def add_thumb(self) -> None:
        """Three bones from the base on."""
        direction, dorsal = (np.array(v) / np.linalg.norm(v) for v in (_THUMB_DIRECTION, _THUMB_DORSAL))
        dorsal = dorsal - (dorsal @ direction) * direction
        self._add_bones("thumb", self._thumb_base(), direction, self._m.thumb_length, dorsal / np.linalg.norm(dorsal))

    def add_palm(self) -> None:
        """Four rays from the wrist to the knuckles, two pads, and a bar under the knuckles."""
        m = self._m
        thick = m.palm_thickness
        back = np.array([0.0, 0.0, -1.0])
        knuckles = {finger: self._knuckle(finger) for finger in _KNUCKLES}
        for finger, knuckle in knuckles.items():
            root = np.array([knuckle[0] * 0.45, 0.6, 0.0])
            self._add((0, root, 1.30 * thick), (0, knuckle, (0.95 if finger == "little" else 1.02) * thick), PALM, back)
        base, thumb_mcp = self._thumb_base(), 100 * self._palm_frame(self._joints[FINGER_BONES["thumb"] + 1])
        pad_from, pad_to = base * (0.6, 0.6, 0.9), 0.35 * base + 0.65 * thumb_mcp
        self._add((0, pad_from, 1.35 * thick), (FINGER_BONES["thumb"], pad_to, 1.22 * thick), PALM, back)
        edge = [
            np.array([x * m.palm_width, y * m.palm_length, z]) for x, y, z in ((-2.2, 1.5, 0.45), (-2.8, 5.5, 0.35))
        ]
        self._add((0, edge[0], 1.25 * thick), (0, edge[1], 1.08 * thick), PALM, back)
        under = np.array([0.0, -1.2, 0.2])
        bar = [knuckles["index"] * (0.98, 1, 1) + under, knuckles["little"] * (0.98, 1, 1) + under]
        self._add((0, bar[0], 0.9 * thick), (0, bar[1], 0.9 * thick), PALM, back)

    def add_forearm(self) -> None:
        """Two bones side by side, from the wrist back."""
        back = np.array([0.0, 0.0, -1.0])
        for side in (-1.0, 1.0):
            near, far = np.array([side * 1.1 * self._m.palm_width, 0.0, 0.0]), np.array([side * 2.0, -33.0, 0.0])
            self._add((0, near, 1.7), (FOREARM, far, 3.2), PALM, back)

    def hand(self) -> Hand:
        """Everything, scaled to the hand's size, in MANO's frame."""
        bones_a, a, radius_a, bones_b, b, radius_b, groups, dorsal, nails = zip(*self._capsules, strict=True)
        self._joints[0] = WRIST
        scale = self._m.size
        ends = np.stack([a, b], axis=1)
        return Hand(
            joints=WRIST + scale * (self._joints - WRIST),
            tips=WRIST + scale * (self._tips - WRIST),
            flesh=Flesh(
                bones=np.stack([bones_a, bones_b], axis=1),
                ends=WRIST + scale * (ends - WRIST),
                radii=scale * self._m.thickness * np.stack([radius_a, radius_b], axis=1) / 100,
                groups=np.array(groups),
                dorsal=np.stack(dorsal),
                nails=np.array(nails),
            ),
        )

    def _add_bones(self, finger: str, start: Floats, direction: Floats, length: float, dorsal: Floats) -> None:
        first, group = FINGER_BONES[finger], TIPS.index(finger) + 1
        radii = np.array(_RADII[finger])
        radii[1:] *= (2 - self._m.taper) ** np.array([1 / 3, 2 / 3, 1])
        place = start
        for bone in range(3):
            end = place + direction * _LENGTHS[finger][bone] * length
            self._joints[first + bone] = self._mano_frame(place)
            self._add(
                (first + bone, place, radii[bone]), (first + bone, end, radii[bone + 1]), group, dorsal, bone == _NAILED
            )
            place = end
        # Where MANO's tip vertices are: on the pad, a little below the very end.
        tip = place + direction * radii[3] * self._m.thickness * 0.75 - dorsal * radii[3] * self._m.thickness * 0.5
        self._tips[group - 1] = self._mano_frame(tip)

    def _add(
        self,
        a: tuple[int, Floats, float],
        b: tuple[int, Floats, float],
        group: int,
        dorsal: Floats,
        nail: bool = False,
    ) -> None:
        ends = [self._mano_frame(end) for end in (a[1], b[1])]
        back = self._mano_frame(dorsal) - self._mano_frame(np.zeros(3))
        self._capsules.append((a[0], ends[0], a[2], b[0], ends[1], b[2], group, back * 100, nail))

    def _knuckle(self, finger: str) -> Floats:
        x, y, z = _KNUCKLES[finger]
        return np.array([x * self._m.palm_width, y * self._m.palm_length, z])

    def _thumb_base(self) -> Floats:
        x, y, z = _THUMB_BASE
        return np.array([x * self._m.palm_width + self._m.thumb_side_cm, y * self._m.palm_length, z])

    @staticmethod
    def _mano_frame(point: Floats) -> Floats:
        """From the palm's frame, cm, to MANO's, m."""
        return WRIST + np.array([-point[1], -point[2], point[0]]) / 100

    @staticmethod
    def _palm_frame(point: Floats) -> Floats:
        """The reverse, without the scale: m to m."""
        x, y, z = point - WRIST
        return np.array([z, -x, -y])
