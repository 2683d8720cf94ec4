"""A picture with two hands, drawn by code: something to send when there is no camera and no photograph.

A hand is a set of tapered capsules in three dimensions, seen along z: their outlines and their heights are joined
smoothly, and the height's slope gives the light. Only numpy is needed, and the same arguments give the same picture.
It does not know the daemon or the network, and the hands are stylised: they show that pictures go in and poses
come out, not how good the poses are.

Inside, a hand stands in its own frame: x right, y towards the finger tips, z towards the viewer, unit the distance from
wrist to middle knuckle. It is a right hand seen from its back; a left one is its mirror image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wilor_protocol.names import Side

Plane = npt.NDArray[np.float32]
Point = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DemoHand:
    """One hand of the picture, as a detector would report it: (x1, y1, x2, y2) in pixels, and the person's side."""

    box: tuple[float, float, float, float]
    side: Side


@dataclass(frozen=True, slots=True)
class DemoPicture:
    """The picture, (height, width, 3) uint8 RGB, not mirrored, and its hands."""

    image_rgb: npt.NDArray[np.uint8]
    hands: tuple[DemoHand, ...]


class _Pose(NamedTuple):
    """How a hand is held: bends in radians from thumb to little finger, the spread's factor, the tilt in radians."""

    bends: tuple[float, float, float, float, float]
    spread: float
    tilt: float


class _Finger(NamedTuple):
    """Where a finger starts, the way it points (radians from y towards x), its bones' lengths, its radii."""

    base: tuple[float, float, float]
    heading: float
    lengths: tuple[float, float, float]
    radii: tuple[float, float]


class _Capsule(NamedTuple):
    """A tapered capsule: two ends (x, y, z), their radii, and how far it bulges towards the viewer per radius."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float
    bulge: float = 1.0


class _Surface(NamedTuple):
    """What the capsules add up to, in pixels: distance to the outline, negative inside, and height to the viewer."""

    distance: Plane
    height: Plane


_FINGERS = (
    _Finger((-0.27, 0.26, 0.02), -0.78, (0.42, 0.33, 0.25), (0.165, 0.105)),
    _Finger((-0.33, 0.93, 0.04), -0.13, (0.46, 0.29, 0.21), (0.125, 0.088)),
    _Finger((-0.10, 0.99, 0.06), -0.02, (0.51, 0.33, 0.22), (0.128, 0.090)),
    _Finger((0.13, 0.94, 0.04), 0.09, (0.47, 0.31, 0.22), (0.120, 0.085)),
    _Finger((0.34, 0.83, 0.00), 0.24, (0.36, 0.22, 0.19), (0.105, 0.075)),
)
_FOREARM = _Capsule(np.array([0.0, 0.0, -0.06]), np.array([0.10, -2.6, -0.06]), 0.245, 0.40, 0.8)
_PALM = (
    _Capsule(np.array([0.0, 0.30, -0.08]), np.array([0.01, 0.70, -0.06]), 0.30, 0.36, 0.55),
    _Capsule(np.array([-0.06, 0.10, -0.06]), np.array(_FINGERS[0].base), 0.17, 0.17, 0.8),
    *(
        _Capsule(np.array([0.4 * x, 0.08, -0.08]), np.array([x, y - 0.03, z - 0.04]), 0.14, 0.145, 0.75)
        for x, y, z in (finger.base for finger in _FINGERS[1:])
    ),
)

_OPEN = _Pose((0.10, 0.10, 0.08, 0.12, 0.16), 1.15, -0.10)
_TWO_FINGERS = _Pose((0.45, 0.05, 0.16, 0.75, 0.85), 0.9, -0.16)

_LIGHT = np.array([-0.50, -0.52, 0.69], np.float32)  # towards the lamp; x right, y down, z towards the viewer
_SKIN_RAMP = np.array([[58, 26, 22], [140, 78, 60], [208, 146, 118], [240, 192, 165], [255, 226, 206]], np.float32)
_BLUSH = np.array([1.02, 0.90, 0.88], np.float32)
_NAIL = np.array([244, 200, 188], np.float32)
_FINGER_BLEND, _PALM_BLEND = 0.05, 0.16  # widths of the smooth unions, in hand units
_FLANK = 3.0  # how steeply a height falls outside its capsule; only has to hide it under its neighbours


def demo_picture(width: int = 640, height: int = 480, *, phase: float = 0.0) -> DemoPicture:
    """Draw a left and a right hand before a blurred room.

    Args:
        width: of the picture in pixels, at least 64.
        height: of the picture in pixels, at least 64.
        phase: where the hands are in their slow movement, in cycles: 0 and 1 show the same picture. Steps of 0.02
            look like successive frames of a camera.

    Returns:
        The picture and the boxes of its hands, the left one first.

    Raises:
        ValueError: the picture would be too small to show hands.
    """
    if width < 64 or height < 64:
        raise ValueError(f"width, height: got {width} x {height}, expected at least 64 x 64")
    canvas = _background(width, height)
    # Small and far apart, so that the crop around one hand, 2.5 times its box, does not show the other.
    unit_px = min(0.19 * height, 0.14 * width)
    sway = 0.06 * unit_px * np.array([_wave(phase), _wave(phase + 0.3)])
    left_wrist = np.array([0.21 * width, 0.72 * height]) + sway
    right_wrist = np.array([0.81 * width, 0.70 * height]) - sway
    hands = (
        _draw_hand(canvas, "left", _moved(_TWO_FINGERS, phase), left_wrist, unit_px),
        _draw_hand(canvas, "right", _moved(_OPEN, phase + 0.4), right_wrist, unit_px),
    )
    grain = np.random.default_rng(0).normal(0, 1.6, canvas.shape[:2]).astype(np.float32)
    image_rgb = np.clip(np.rint(canvas + grain[..., None]), 0, 255).astype(np.uint8)
    return DemoPicture(image_rgb=image_rgb, hands=hands)


def _wave(cycles: float) -> float:
    return math.sin(2 * math.pi * cycles)


def _moved(pose: _Pose, phase: float) -> _Pose:
    """The pose a little further on: fingers bend one after the other, the hand tilts."""
    thumb, index, middle, ring, little = (
        bend + 0.08 * (1 + _wave(phase + 0.12 * finger)) for finger, bend in enumerate(pose.bends)
    )
    return _Pose((thumb, index, middle, ring, little), pose.spread, pose.tilt + 0.05 * _wave(phase + 0.2))


def _draw_hand(canvas: Plane, side: Side, pose: _Pose, wrist_px: Point, unit_px: float) -> DemoHand:
    """Draw one hand with its forearm into the canvas (H, W, 3); returns what a detector would say of it."""
    place = _Placement(wrist_px, unit_px, -1.0 if side == "left" else 1.0, pose.tilt)
    chains = [_finger_chain(finger, bend, pose.spread) for finger, bend in zip(_FINGERS, pose.bends, strict=True)]
    palm = [place.capsule(part) for part in (_FOREARM, *_PALM)]
    fingers = [[place.capsule(part) for part in chain] for chain in chains]
    surface = _surface(canvas.shape[:2], palm, fingers, unit_px)
    colour = _shade(surface, unit_px)
    for part in (part for chain in fingers for part in chain if _in_sight(part, surface)):
        _blush(colour, part)
    for tip in (chain[-1] for chain in fingers if _in_sight(chain[-1], surface)):
        _paint_nail(colour, tip)
    cover = np.clip(0.5 - surface.distance, 0, 1)[..., None]
    canvas += cover * (colour - canvas)
    return DemoHand(_bounding_box([*palm[1:], *(part for chain in fingers for part in chain)]), side)


class _Placement(NamedTuple):
    """Where a hand stands in the picture; `mirror` is -1 for a left hand."""

    wrist_px: Point
    unit_px: float
    mirror: float
    tilt: float

    def capsule(self, part: _Capsule) -> _Capsule:
        """The capsule in pixels: x right, y down, z towards the viewer."""
        return _Capsule(
            self._point(part.start),
            self._point(part.end),
            part.start_radius * self.unit_px,
            part.end_radius * self.unit_px,
            part.bulge,
        )

    def _point(self, point: Point) -> Point:
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        x, y, z = point
        turned = np.array([self.mirror * (cos * x + sin * y), sin * x - cos * y, z])
        return np.append(self.wrist_px, 0.0) + self.unit_px * turned


def _finger_chain(finger: _Finger, bend: float, spread: float) -> list[_Capsule]:
    """The three capsules of a finger from its base to its tip; each joint bends by `bend` away from the viewer."""
    heading = finger.heading * spread
    joints = [np.array(finger.base)]
    for bone, length in enumerate(finger.lengths, start=1):
        flat = math.cos(bone * bend)
        step = np.array([math.sin(heading) * flat, math.cos(heading) * flat, -math.sin(bone * bend)])
        joints.append(joints[-1] + length * step)
    radii = np.linspace(*finger.radii, 4)
    return [_Capsule(joints[i], joints[i + 1], radii[i], radii[i + 1]) for i in range(3)]


def _surface(shape: tuple[int, ...], palm: list[_Capsule], fingers: list[list[_Capsule]], unit_px: float) -> _Surface:
    """Join the capsules of a hand: the palm's softly, the fingers' tightly."""
    surface = _Surface(np.full(shape, 1e4, np.float32), np.full(shape, -1e4, np.float32))
    for part in palm:
        _join(surface, part, _PALM_BLEND * unit_px)
    for chain in fingers:
        for part in chain:
            _join(surface, part, _FINGER_BLEND * unit_px)
    return surface


def _join(surface: _Surface, part: _Capsule, blend_px: float) -> None:
    """Add a capsule to the surface, in place and only where it matters."""
    area = _area(part, 3 * blend_px + 2, surface.distance.shape)
    if area is None:
        return
    along, off_axis = _coordinates(part, area)
    radius = part.start_radius + (part.end_radius - part.start_radius) * along
    outside = off_axis - radius
    axis_height = part.start[2] + (part.end[2] - part.start[2]) * along
    dome = part.bulge * np.sqrt(np.maximum(radius**2 - off_axis**2, 0))
    height = axis_height + dome - _FLANK * np.maximum(outside, 0)
    surface.distance[area] = -_smooth_max(-surface.distance[area], -outside, blend_px)
    surface.height[area] = _smooth_max(surface.height[area], height, blend_px)


def _area(part: _Capsule, margin: float, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns of the picture within `margin` pixels of a capsule; None when there are none."""
    reach = max(part.start_radius, part.end_radius) + margin
    ends = np.stack([part.start[:2], part.end[:2]])
    limit = np.array([shape[1], shape[0]])
    left, top = np.clip(np.floor(ends.min(axis=0) - reach), 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(ends.max(axis=0) + reach), 0, limit).astype(int).tolist()
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _coordinates(part: _Capsule, area: tuple[slice, slice]) -> tuple[Plane, Plane]:
    """For each pixel of an area: the share 0..1 of the capsule's axis passed, and the distance from it in pixels."""
    rows, columns = area
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - np.float32(part.start[0])
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(part.start[1])
    dx, dy = (part.end - part.start)[:2].astype(np.float32)
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, np.float32(1e-6)), 0, 1)
    return along, np.hypot(x - along * dx, y - along * dy)


def _smooth_max(a: Plane, b: Plane, width: float) -> Plane:
    """The larger of two values, with the crease between them rounded over `width` (a quadratic blend)."""
    share = np.clip(0.5 + (a - b) / np.float32(2 * width), 0, 1)
    larger: Plane = b + (a - b) * share + np.float32(width) * share * (1 - share)
    return larger


def _shade(surface: _Surface, unit_px: float) -> Plane:
    """Skin under a soft lamp, (H, W, 3): light from the surface's slope, darker in the gaps between fingers."""
    height = _box_blur(surface.height, 1)
    slope_y, slope_x = np.gradient(height)
    facing = (_LIGHT[2] - slope_x * _LIGHT[0] - slope_y * _LIGHT[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    inside = np.maximum(height, -0.6 * np.float32(unit_px))
    hollow = np.clip((_box_blur(inside, round(0.06 * unit_px)) - inside) / np.float32(0.12 * unit_px), 0, 1)
    light = np.clip(0.36 + 0.54 * facing - 0.25 * hollow, 0, 1)
    return _ramp(light)


def _ramp(light: Plane) -> Plane:
    """Skin colours (..., 3) for brightness 0..1: shadows are redder than the light is."""
    stops = np.linspace(0, 1, len(_SKIN_RAMP))
    channels = [np.interp(light, stops, _SKIN_RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _box_blur(plane: Plane, radius: int) -> Plane:
    """Mean over a square of 2 * radius + 1 pixels, edges repeated."""
    width = 2 * max(radius, 1) + 1
    for axis in (0, 1):
        padding = [(width // 2 + 1, width // 2) if axis == padded else (0, 0) for padded in (0, 1)]
        sums = np.cumsum(np.pad(plane, padding, mode="edge"), axis=axis, dtype=np.float64)
        ahead, behind = np.split(sums, [width], axis=axis)[1], sums.take(range(plane.shape[axis]), axis=axis)
        plane = ((ahead - behind) / width).astype(np.float32)
    return plane


def _in_sight(part: _Capsule, surface: _Surface) -> bool:
    """Whether the far end of a finger's bone is what the viewer sees there, and not something before it."""
    column, row = np.rint(part.end[:2]).astype(int).tolist()
    rows, columns = surface.height.shape
    if not (0 <= row < rows and 0 <= column < columns):
        return False
    return bool(surface.height[row, column] < part.end[2] + 1.4 * part.end_radius)


def _blush(colour: Plane, part: _Capsule) -> None:
    """Redden the skin over the far end of a finger's bone: a joint or the tip."""
    spot = _Capsule(part.end, part.end, part.end_radius, part.end_radius)
    area = _area(spot, part.end_radius, colour.shape)
    if area is not None:
        _, off_centre = _coordinates(spot, area)
        strength = 0.7 * np.exp(-((off_centre / np.float32(part.end_radius)) ** 2))[..., None]
        colour[area] *= 1 + strength * (_BLUSH - 1)


def _paint_nail(colour: Plane, tip: _Capsule) -> None:
    """Paint a nail over the last bone of a finger, shortened as the bone is."""
    bone = (tip.end - tip.start)[:2]
    seen = float(np.hypot(*bone))
    if seen < abs(tip.end[2] - tip.start[2]):  # the finger points away from the viewer: its nail is out of sight
        return
    centre = tip.end + 0.1 * (tip.end - tip.start)
    half_length, half_width = 0.36 * seen, 0.62 * tip.end_radius
    area = _area(_Capsule(centre, centre, half_length, half_length), 2, colour.shape)
    if area is None:
        return
    rows, columns = np.mgrid[area]
    x, y = columns - centre[0], rows - centre[1]
    along, across = (x * bone[0] + y * bone[1]) / seen, (x * bone[1] - y * bone[0]) / seen
    rim = (along / half_length) ** 4 + (across / half_width) ** 4  # a rounded rectangle
    cover = 0.55 * np.clip((1 - rim) * half_width / 4, 0, 1).astype(np.float32)[..., None]
    shine = colour[area].mean(axis=-1, keepdims=True) / np.float32(165)
    colour[area] += cover * (_NAIL * shine - colour[area])


def _bounding_box(parts: list[_Capsule]) -> tuple[float, float, float, float]:
    """The box (x1, y1, x2, y2) around capsules, pixels."""
    circles = [(*end[:2], radius) for part in parts for end, radius in _ends(part)]
    x, y, radius = np.array(circles).T
    return float((x - radius).min()), float((y - radius).min()), float((x + radius).max()), float((y + radius).max())


def _ends(part: _Capsule) -> tuple[tuple[Point, float], tuple[Point, float]]:
    return (part.start, part.start_radius), (part.end, part.end_radius)


def _background(width: int, height: int) -> Plane:
    """A room far out of focus, (height, width, 3): a wall, a table, a few soft lights."""
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    wall = np.array([92, 108, 122], np.float32) * (1.1 - 0.45 * y) * (0.8 + 0.35 * x)
    table = np.array([78, 66, 58], np.float32) * (0.9 + 0.3 * x)
    room = wall + (table - wall) / (1 + np.exp(-(y - 0.72 - 0.04 * x) * 28))
    for centre_x, centre_y, radius, colour in _LAMPS:
        falloff = np.exp(-(((x - centre_x) / radius) ** 2)) * np.exp(-(((y - centre_y) / (1.3 * radius)) ** 2))
        room += falloff * np.array(colour, np.float32)
    return np.asarray(np.broadcast_to(room, (height, width, 3)), np.float32).copy()


_LAMPS = (
    (0.12, 0.15, 0.14, (62, 52, 30)),
    (0.52, 0.30, 0.10, (34, 44, 40)),
    (0.90, 0.12, 0.17, (30, 44, 66)),
    (0.50, 0.90, 0.22, (26, 18, 12)),
    (0.02, 0.62, 0.12, (-26, -18, -10)),
)
"""Blurred things in the room: centre x, y and radius as shares of the picture, and the RGB that they add."""
