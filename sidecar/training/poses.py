"""Which hands are shown: bent in the ways hands bend, held in the ways cameras see them, cut out as detectors do.

Torch on the GPU, no loops over images. Angles are degrees until they become matrices.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from training.constants import constant
from training.hand import FINGER_BONES, TIPS, Hand, hand_of_shape
from training.kinematics import HandModel, PosedHands

# Flexion of knuckle, middle and end joint by gesture, degrees, for index, middle, ring, little; then how far each may
# stray. A finger is bent by the pattern's share of the full bend (85, 100, 60).
_GESTURES = {
    "open": (0.0, 0.0, 0.0, 0.0),
    "fist": (1.0, 1.0, 1.0, 1.0),
    "point": (0.0, 1.0, 1.0, 1.0),
    "victory": (0.0, 0.0, 1.0, 1.0),
    "three": (0.0, 0.0, 0.0, 1.0),
    "horns": (0.0, 1.0, 1.0, 0.0),
    "little": (1.0, 1.0, 1.0, 0.0),
    "gun": (0.0, 0.05, 1.0, 1.0),
    "relaxed": (0.25, 0.32, 0.38, 0.42),
    "grasp": (0.55, 0.55, 0.58, 0.6),
    "claw": (0.4, 0.4, 0.4, 0.4),
    "ok": (0.5, 0.15, 0.08, 0.02),
    "mouse": (0.15, 0.18, 0.3, 0.35),
}
_SHARES = (2.2, 2.0, 1.4, 1.2, 0.5, 0.5, 0.4, 0.6, 2.0, 1.6, 0.6, 1.2, 0.8)
FULL_BEND = (82.0, 100.0, 58.0)
FINGERS = ("index", "middle", "ring", "little")
_THUMB_CANDIDATES = 96
_THUMB_GOALS = (8, 12, 16, 20, 7, 6, 11)
"""Key points that a thumb is brought to, and how often."""
_THUMB_GOAL_SHARES = (4.0, 1.5, 0.5, 0.5, 1.0, 1.5, 1.5)
_TOUCHING, _RAISED = 0.45, 0.2
"""The shares of hands whose thumb touches a finger, and whose thumb stands off."""
_RAISED_OF = 12
"""The farthest of so few candidates stands off farther or less far, as people's thumbs do."""
_RING_BASE = 13
# Thumb base flexion, base abduction, base twist, knuckle, end: from and to, degrees.
THUMB_LOW = (-22.0, -28.0, -25.0, -8.0, -18.0)
THUMB_HIGH = (42.0, 32.0, 45.0, 52.0, 72.0)
_BOX_RESCALE = 2.5
_FLESH_M = 0.007
_FOREARM_M = 0.035
_ANOTHER_HAND = 0.3
_NEAREST_M = 0.12
_NEAR_M, _FAR_M = 0.28, 1.6
"""How far the hand is: from a phone in the other hand to a person before a desk's camera."""


@dataclass(frozen=True)
class Truth:
    """What a network should say of B pictures.

    Attributes:
        rotations: (B, 16, 3, 3), the wrist's relative to the line of sight through the crop's middle: a crop does not
            tell how far beside the optical axis it was cut.
        betas: (B, 10).
        keypoints_2d: (B, 21, 2) in the crop, in parts of its side, 0 in the middle.
        box: (B,) longer side of the key points' box, in parts of the crop's side.
    """

    rotations: Tensor
    betas: Tensor
    keypoints_2d: Tensor
    box: Tensor


@dataclass(frozen=True)
class Shown:
    """B hands before a camera, and the crops cut around them.

    Attributes:
        posed: their flesh and key points, relative to the camera.
        window: (B, 3) the crop: centre x, y and side in normalised image coordinates (x / z, y / z).
        truth: what the crops show.
    """

    posed: PosedHands
    window: Tensor
    truth: Truth


class PoseSampler:
    """Draws hands."""

    def __init__(self, device: torch.device) -> None:
        self.hands = HandModel(device)
        self._device = device
        rest = hand_of_shape(np.zeros(10))
        self._axes = {name: _finger_axes(name, rest, device) for name in TIPS}
        self._patterns = constant(list(_GESTURES.values()), device)
        self._shares = constant(_SHARES, device)

    def draw(self, count: int) -> Shown:
        """Hands in front of a camera, each with the crop that a detector would cut.

        A fifth more are drawn than wanted, and those are left out whose own forearm stands before the hand.
        """
        shown = self._drawn(count + count // 5)
        return _chosen(shown, _hidden_by_forearm(shown).to(torch.int8).argsort(stable=True)[:count])

    def _drawn(self, count: int) -> Shown:
        betas = torch.randn(count, 10, device=self._device).clamp(-2.5, 2.5)
        rotations = torch.eye(3, device=self._device).repeat(count, 16, 1, 1)
        self._bend_fingers(rotations)
        self._bend_thumb(rotations, betas)
        rotations[:, 0] = self._orientation(count)
        forearm = self._about((0, 0, 1), self._normal(count, 22).clamp(-60, 60)) @ self._about(
            (0, 1, 0), self._normal(count, 12).clamp(-30, 30)
        )
        distance = torch.exp(self._uniform(count, np.log(_NEAR_M), np.log(_FAR_M)))
        # A fingertip at the lens would fill the picture, and one behind it would be projected to anywhere.
        tips = self.hands.keypoints(rotations, forearm, betas)[..., 2].amin(dim=1)
        depth = torch.maximum(distance, _NEAREST_M - tips)[:, None]
        translation = torch.cat([0.15 * torch.randn(count, 2, device=self._device) * depth, depth], dim=1)
        posed = self.hands.posed(rotations, forearm, betas, translation)
        return self._cut(posed, rotations, betas)

    def beside(self, shown: Shown) -> Tensor:
        """A second hand in some of the pictures: capsules (B, N, 12), with negative radii where there is none.

        It is another image's hand, a left one in half of the cases, moved to somewhere around the first.
        """
        count = len(shown.window)
        capsules = shown.posed.capsules.roll(1, dims=0).clone()
        centre = shown.posed.keypoints.roll(1, dims=0).mean(dim=1)
        ends = torch.stack([capsules[..., 0:3], capsules[..., 4:7]], dim=2) - centre[:, None, None]
        left = torch.where(torch.rand(count, device=self._device) < 0.5, -1.0, 1.0)
        ends[..., 0] *= left[:, None, None]
        capsules[..., 8] *= left[:, None]
        place = shown.window[:, :2] + 0.45 * torch.randn(count, 2, device=self._device) * shown.window[:, 2:]
        depth = shown.posed.keypoints[..., 2].mean(dim=1) * torch.exp(self._normal(count, 0.12))
        ends = ends + (torch.cat([place, torch.ones_like(place[:, :1])], dim=1) * depth[:, None])[:, None, None]
        capsules[..., 0:3], capsules[..., 4:7] = ends[:, :, 0], ends[:, :, 1]
        absent = torch.rand(count, device=self._device) > _ANOTHER_HAND
        for radius in (3, 7):
            capsules[..., radius] = torch.where(absent[:, None], -1.0, capsules[..., radius])
        return capsules

    def _bend_fingers(self, rotations: Tensor) -> None:
        count = len(rotations)
        pattern = self._patterns[torch.multinomial(self._shares, count, replacement=True)]
        loose = (torch.rand(count, 1, device=self._device) < 0.25).float()  # every finger as it likes
        bend = pattern * (1 - loose) + torch.rand(count, 4, device=self._device) * loose
        bend = (bend + 0.09 * torch.randn(count, 4, device=self._device)).clamp(-0.12, 1.06)
        # Hooked fingers bend at the outer joints only, flat ones at the knuckle only.
        balance = 1 + 0.22 * torch.randn(count, 4, 2, device=self._device)
        kind = torch.rand(count, 1, device=self._device)
        hooked, flat = (kind < 0.07).float(), (kind > 0.93).float()
        spread = self._normal((count, 1), 0.7) + 0.35
        for column, finger in enumerate(FINGERS):
            share = bend[:, column]
            angles = (
                share * FULL_BEND[0] * (1 - 0.95 * hooked[:, 0]) + self._normal(count, 6) - 2,
                (share * FULL_BEND[1] * balance[:, column, 0] * (1 - 0.9 * flat[:, 0])).clamp(-4, 112),
                (share * FULL_BEND[2] * balance[:, column, 1] * (1 - 0.9 * flat[:, 0])).clamp(-8, 80),
            )
            sideways = (5.5 * (1.5 - column) * spread[:, 0] + self._normal(count, 3.5)) * (1 - 0.75 * share.clamp(0, 1))
            self.set_finger(rotations, finger, angles, sideways, self._normal(count, 3))

    def set_finger(
        self, rotations: Tensor, finger: str, angles: tuple[Tensor, ...], sideways: Tensor, twist: Tensor
    ) -> None:
        """Bend a finger, not the thumb, of (B, 16, 3, 3) rotations: at its three joints, to the side, about itself."""
        flexion, dorsal, along = self._axes[finger]
        first = FINGER_BONES[finger]
        # About the direction out of the back of the hand: positive is towards the thumb.
        knuckle = self._about(dorsal, sideways) @ self._about(flexion, angles[0]) @ self._about(along, twist)
        rotations[:, first] = knuckle
        rotations[:, first + 1] = self._about(flexion, angles[1])
        rotations[:, first + 2] = self._about(flexion, angles[2])

    def _bend_thumb(self, rotations: Tensor, betas: Tensor) -> None:
        """Its tip is brought to a finger's tip, middle or knuckle; or stands off, as in a thumbs-up; or is anywhere."""
        count = len(rotations)
        low, high = constant(THUMB_LOW, self._device), constant(THUMB_HIGH, self._device)
        trials = low + (high - low) * torch.rand(count, _THUMB_CANDIDATES, 5, device=self._device)
        bends = self.thumb(trials.view(-1, 5)).view(count, _THUMB_CANDIDATES, 3, 3, 3)
        thumbs = self.hands.thumb_tips(bends, betas)
        goals, shares = constant(_THUMB_GOALS, self._device).long(), constant(_THUMB_GOAL_SHARES, self._device)
        goal = goals[torch.multinomial(shares, count, replacement=True)]
        rows = torch.arange(count, device=self._device)
        still = torch.eye(3, device=self._device).expand(count, 3, 3)
        points = self.hands.keypoints(rotations, still, betas)
        # Flesh has thickness: tips that touch are some 14 mm apart inside.
        touching = ((thumbs - points[rows, goal][:, None]).norm(dim=-1) - 0.014).abs().argmin(dim=1)
        raised = (thumbs[:, :_RAISED_OF] - points[:, _RING_BASE, None]).norm(dim=-1).argmax(dim=1)
        kind = torch.rand(count, device=self._device)
        anywhere = torch.zeros_like(touching)
        chosen = torch.where(kind < _TOUCHING, touching, torch.where(kind < _TOUCHING + _RAISED, raised, anywhere))
        rotations[:, 13:16] = bends[rows, chosen]

    def thumb(self, angles: Tensor) -> Tensor:
        """(N, 3, 3, 3) turns of the thumb's bones for (N, 5) angles: see `THUMB_LOW`."""
        flexion, dorsal, along = self._axes["thumb"]
        base = self._about(dorsal, angles[:, 1]) @ self._about(flexion, angles[:, 0]) @ self._about(along, angles[:, 2])
        return torch.stack([base, self._about(flexion, angles[:, 3]), self._about(flexion, angles[:, 4])], dim=1)

    def _orientation(self, count: int) -> Tensor:
        """From MANO's rest frame to the camera's: upright before a webcam, or any way at all."""
        turn = torch.where(
            torch.rand(count, device=self._device) < 0.5,
            self._normal(count, 45) + 180 * (torch.rand(count, device=self._device) < 0.4),
            self._uniform(count, -180, 180),
        )
        lean = self._normal(count, 38)
        roll = torch.where(
            torch.rand(count, device=self._device) < 0.65, self._normal(count, 40), self._uniform(count, -180, 180)
        )
        held = self.held(turn, lean, roll)
        anyhow = _random_rotations(count, self._device)
        return torch.where((torch.rand(count, device=self._device) < 0.3)[:, None, None], anyhow, held)

    def held(self, turn: Tensor, lean: Tensor, roll: Tensor) -> Tensor:
        """(B, 3, 3) from MANO's rest frame to the camera's: fingers up, palm to the camera; then turned so."""
        # Fingers (-x) up (-y of the camera), palm (-y) to the camera (-z).
        upright = constant(((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), self._device)
        return self._about((0, 0, 1), roll) @ self._about((1, 0, 0), lean) @ self._about((0, 1, 0), turn) @ upright

    def _cut(self, posed: PosedHands, rotations: Tensor, betas: Tensor) -> Shown:
        """The crop around the key points, as a detector's box with its mistakes."""
        points = posed.keypoints
        flat = points[..., :2] / points[..., 2:]
        margin = (_FLESH_M / points[..., 2]).mean(dim=1, keepdim=True)
        low, high = flat.amin(dim=1) - margin, flat.amax(dim=1) + margin
        longer = (high - low).amax(dim=1)
        count = len(points)
        side = _BOX_RESCALE * longer * torch.exp(self._normal(count, 0.14))
        centre = (low + high) / 2 + 0.09 * longer[:, None] * torch.randn(count, 2, device=self._device)
        window = torch.cat([centre, side[:, None]], dim=1)
        in_crop = (flat - centre[:, None]) / side[:, None, None]
        wrist = facing(centre).transpose(1, 2) @ rotations[:, 0]
        seen = torch.cat([wrist[:, None], rotations[:, 1:]], dim=1)
        return Shown(posed, window, Truth(seen, betas, in_crop, longer / side))

    def _about(self, axis: tuple[int, int, int] | Tensor, degrees: Tensor) -> Tensor:
        vector = axis if isinstance(axis, Tensor) else constant(axis, self._device)
        return _rotation_about(vector, degrees)

    def _normal(self, count: int | tuple[int, ...], deviation: float) -> Tensor:
        return deviation * torch.randn(count, device=self._device)

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, device=self._device)


def _finger_axes(name: str, rest: Hand, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Flexion axis, axis of moving towards the thumb, and the finger's own, unit, at rest."""
    first = FINGER_BONES[name]
    along = rest.joints[first + 1] - rest.joints[first]
    along /= np.linalg.norm(along)
    back = rest.flesh.dorsal[rest.flesh.groups == TIPS.index(name) + 1][0]
    back = back - (back @ along) * along
    back /= np.linalg.norm(back)
    flexion = np.cross(back, along)
    as_tensor = [torch.as_tensor(v, dtype=torch.float32, device=device) for v in (flexion, back, along)]
    return as_tensor[0], as_tensor[1], as_tensor[2]


def facing(centre: Tensor) -> Tensor:
    """(B, 3, 3) smallest rotations that turn the optical axis into lines of sight through (B, 2) points (x/z, y/z)."""
    sight = torch.nn.functional.normalize(torch.cat([centre, torch.ones_like(centre[:, :1])], dim=1), dim=1)
    x, y, z = sight.unbind(1)
    # Rodrigues' formula for the axis (-y, x, 0), whose length is the angle's sine.
    rows = [1 - x * x / (1 + z), -x * y / (1 + z), x, -x * y / (1 + z), 1 - y * y / (1 + z), y, -x, -y, z]
    return torch.stack(rows, dim=1).reshape(-1, 3, 3)


def _hidden_by_forearm(shown: Shown) -> Tensor:
    """(B,) whether the forearm comes towards the camera in front of the hand."""
    wrist, elbow = shown.posed.capsules[:, -1, :3], shown.posed.capsules[:, -1, 4:7]
    shares = constant((0.25, 0.5, 0.75, 1.0), wrist.device)[:, None]
    along = wrist[:, None] + shares * (elbow - wrist)[:, None]
    depth, hand = along[..., 2], shown.posed.keypoints[..., 2].mean(dim=1, keepdim=True)
    place = along[..., :2] / depth[..., None].clamp(min=0.02) - shown.window[:, None, :2]
    reach = 0.22 * shown.window[:, 2:] + _FOREARM_M / depth.clamp(min=0.02)
    return ((depth > 0.02) & (depth < 0.9 * hand) & (place.norm(dim=-1) < reach)).any(dim=1)


def _chosen(shown: Shown, rows: Tensor) -> Shown:
    posed = PosedHands(shown.posed.capsules[rows], shown.posed.keypoints[rows])
    return Shown(posed, shown.window[rows], picked(shown.truth, rows))


def picked(truth: Truth, rows: Tensor) -> Truth:
    """Some pictures' truth."""
    return Truth(*(getattr(truth, field.name)[rows] for field in fields(Truth)))


def _rotation_about(axis: Tensor, degrees: Tensor) -> Tensor:
    """(B, 3, 3) rotations about one unit axis: Rodrigues."""
    x, y, z = axis
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    radians = torch.deg2rad(degrees)[:, None, None]
    return torch.eye(3, device=axis.device) + radians.sin() * skew + (1 - radians.cos()) * (skew @ skew)


def _random_rotations(count: int, device: torch.device) -> Tensor:
    """(B, 3, 3), uniform: unit quaternions from a normal distribution."""
    w, x, y, z = torch.nn.functional.normalize(torch.randn(count, 4, device=device), dim=1).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=1).reshape(-1, 3, 3)
