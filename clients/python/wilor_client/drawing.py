"""Answered hands over their photograph, for people to judge: a shaded mesh under a coloured skeleton.

Takes plain arrays in the units of the answers (metres, pixels, OpenCV's axes) and gives back a new picture. It does not
know messages, files or windows, and makes no claim to be a renderer: faces are painted far to near.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wilor_client.crop import Image, check_image, opencv
from wilor_protocol.names import JOINT_PARENTS, Side

Floats = npt.NDArray[np.floating[Any]]
Colour = tuple[int, int, int]

FINGER_COLOURS: tuple[Colour, ...] = ((235, 64, 64), (245, 160, 40), (90, 200, 80), (50, 150, 245), (180, 95, 235))
"""RGB of thumb, index, middle, ring and little finger."""

WRIST_COLOUR: Colour = (245, 245, 245)
SIDE_COLOURS: dict[Side, Colour] = {"left": (255, 170, 110), "right": (125, 185, 255)}
"""RGB of each side's mesh and label: warm is left, cool is right."""

_INK: Colour = (20, 20, 24)
_SUBPIXEL_BITS = 4  # OpenCV's fixed-point fraction of a coordinate
_FARTHEST_PX = 100_000.0  # a point beyond this is a mistake, and would overflow fixed point
_LIGHT = np.array([-0.45, -0.65, -0.61])  # unit vector towards the lamp: over the photographer's left shoulder
_AMBIENT = 0.35
_MAX_SUPERSAMPLING = 4
_MAX_LAYER_PX = 1600  # side of the supersampled layer; large meshes have smooth edges without


class Camera(NamedTuple):
    """Where a hand stands before the camera, as an answer tells it.

    Attributes:
        translation_m: (3,) added to points for coordinates relative to the camera.
        focal_px: focal lengths (fx, fy) in pixels; an answer's `focal_px` is both, unless `intrinsics` had two.
        centre_px: principal point (x, y) in pixels; the middle of the image unless calibrated.
    """

    translation_m: Floats
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]


def project_points(
    points_m: Floats, translation_m: Floats, focal_px: tuple[float, float], centre_px: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Project points with a pinhole camera: `K (X + t) / z`.

    Args:
        points_m: (N, 3) in the frame of the answer; OpenCV's axes, x right, y down, z away from the camera.
        translation_m: (3,) from that frame to the camera's.
        focal_px: focal lengths (fx, fy).
        centre_px: principal point (x, y).

    Returns:
        (N, 2) float64 pixels of the whole image, origin top left; NaN for points that are not before the camera.

    Raises:
        ValueError: a shape is not as described.
    """
    seen = _points("points_m", points_m, 3) + _vector("translation_m", translation_m)
    depth = seen[:, 2:]
    depth = np.where((depth > 0) & np.isfinite(depth), depth, np.nan)
    return np.asarray(focal_px, np.float64) * seen[:, :2] / depth + np.asarray(centre_px, np.float64)


def draw_hand(
    image_rgb: Image,
    *,
    keypoints_2d: Floats,
    side: Side,
    vertices_m: Floats | None = None,
    faces: npt.NDArray[np.integer[Any]] | None = None,
    camera: Camera | None = None,
    label: str | None = None,
) -> Image:
    """Draw one answered hand: its mesh if there is one, its skeleton, its label.

    Args:
        image_rgb: (H, W, 3) uint8 RGB; not modified.
        keypoints_2d: (21, 2) pixels, in the order of `JOINT_NAMES`. Points that are not finite are left out.
        side: chooses the colour of mesh and label.
        vertices_m: (V, 3) mesh, in the frame that `camera` translates from. Needs `faces` and `camera`.
        faces: (F, 3) corner indices, wound either way.
        camera: where the mesh stands.
        label: a word or two above the hand, ASCII.

    Returns:
        A new (H, W, 3) uint8 RGB picture.

    Raises:
        ValueError: a shape is not as described, or the mesh is incomplete.
        MissingOpenCVError: OpenCV is not installed.
    """
    picture = image_rgb
    if vertices_m is not None:
        if faces is None or camera is None:
            raise ValueError("vertices_m: a mesh needs faces and camera too")
        picture = draw_mesh(picture, vertices_m=vertices_m, faces=faces, camera=camera, colour=SIDE_COLOURS[side])
    picture = draw_skeleton(picture, keypoints_2d)
    return picture if label is None else draw_label(picture, keypoints_2d, label, SIDE_COLOURS[side])


def draw_mesh(
    image_rgb: Image,
    *,
    vertices_m: Floats,
    faces: npt.NDArray[np.integer[Any]],
    camera: Camera,
    colour: Colour,
    opacity: float = 0.65,
) -> Image:
    """Draw a translucent mesh, shaded by Lambert's law face by face and painted far to near.

    Args:
        image_rgb: (H, W, 3) uint8 RGB; not modified.
        vertices_m: (V, 3) in the frame that `camera` translates from.
        faces: (F, 3) corner indices, wound either way: every face is lit as the side that the camera sees.
        camera: where the mesh stands. Faces that are not wholly before it are left out.
        colour: RGB of a fully lit face.
        opacity: 0 leaves the photograph, 1 hides it.

    Returns:
        A new picture of the same shape.

    Raises:
        ValueError: a shape is not as described, or a face names a vertex that is not there.
    """
    check_image(image_rgb)
    vertices = _points("vertices_m", vertices_m, 3)
    _check_faces(faces, len(vertices))
    corners_2d = project_points(vertices, *camera)[faces]
    corners_3d = (vertices + _vector("translation_m", camera.translation_m))[faces]
    drawable = _drawable(corners_2d).all(axis=1)
    corners_2d, corners_3d = corners_2d[drawable], corners_3d[drawable]
    window = _Window.around(corners_2d.reshape(-1, 2), image_rgb)
    if window is None:
        return image_rgb.copy()
    far_to_near = np.argsort(-corners_3d[:, :, 2].mean(axis=1), kind="stable")
    shades = _lambert(corners_3d)[far_to_near, None] * np.asarray(colour, np.float64)
    layer = _paint_faces(corners_2d[far_to_near], shades, window)
    return _blend(image_rgb, layer, window, opacity)


def draw_skeleton(image_rgb: Image, keypoints_2d: Floats) -> Image:
    """Draw bones and joints, a colour to each finger, on a dark rim that shows on any background.

    Line width follows the hand's size in the picture.

    Args:
        image_rgb: (H, W, 3) uint8 RGB; not modified.
        keypoints_2d: (21, 2) pixels, in the order of `JOINT_NAMES`. Points that are not finite, and the bones that
            end in them, are left out.

    Returns:
        A new picture of the same shape.
    """
    check_image(image_rgb)
    joints = _keypoints(keypoints_2d)
    picture = image_rgb.copy()
    shown = _drawable(joints)
    bone_px = _hand_size_px(joints) * 0.016
    rim_px = max(1.0, bone_px * 0.35)
    bones = [(parent, joint) for joint, parent in enumerate(JOINT_PARENTS) if parent >= 0]
    bones = [(parent, joint) for parent, joint in bones if shown[parent] and shown[joint]]
    for start, end in bones:
        _line(picture, joints[start], joints[end], _INK, bone_px + 2 * rim_px)
    for start, end in bones:
        _line(picture, joints[start], joints[end], _joint_colour(end), bone_px)
    for joint in np.flatnonzero(shown).tolist():
        _dot(picture, joints[joint], _INK, bone_px * 1.1 + rim_px)
        _dot(picture, joints[joint], _joint_colour(joint), bone_px * 1.1)
    return picture


def draw_label(image_rgb: Image, keypoints_2d: Floats, text: str, colour: Colour) -> Image:
    """Write a short text above a hand, within the picture, on a plate of the given RGB colour.

    Returns a new picture; an unchanged copy without a drawable keypoint, or where the plate would hide the picture.
    """
    check_image(image_rgb)
    joints = _keypoints(keypoints_2d)
    joints = joints[_drawable(joints)]
    picture = image_rgb.copy()
    if len(joints) == 0 or not text:
        return picture
    cv2 = opencv()
    height, width = picture.shape[:2]
    text_px = float(np.clip(_hand_size_px(joints) * 0.07, 9, max(9.0, height * 0.04)))
    scale, stroke = text_px / 22, max(1, round(text_px / 14))  # this typeface's capitals are 22 px high at scale 1
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    pad = max(2, round(text_px * 0.4))
    if text_width + 2 * pad > width or 4 * (text_height + 2 * pad) > height:
        return picture
    left = _within(joints[:, 0].min(), width - text_width - 2 * pad)
    top = _within(joints[:, 1].min() - text_height - 4 * pad, height - text_height - 2 * pad)
    cv2.rectangle(picture, (left, top), (left + text_width + 2 * pad, top + text_height + 2 * pad), colour, cv2.FILLED)
    baseline = (left + pad, top + pad + text_height)
    cv2.putText(picture, text, baseline, cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, stroke, cv2.LINE_AA)
    return picture


class _Window(NamedTuple):
    """The part of a picture that a mesh covers, in whole pixels, and how finely to paint it."""

    left: int
    top: int
    width: int
    height: int
    supersampling: int

    @classmethod
    def around(cls, points_2d: npt.NDArray[np.float64], image_rgb: Image) -> _Window | None:
        """The window around the points within the image; None when they do not touch it."""
        if len(points_2d) == 0:
            return None
        limit = np.array([image_rgb.shape[1], image_rgb.shape[0]])
        left, top = np.clip(np.floor(points_2d.min(axis=0)), 0, limit).astype(int).tolist()
        right, bottom = np.clip(np.ceil(points_2d.max(axis=0)) + 1, 0, limit).astype(int).tolist()
        if right <= left or bottom <= top:
            return None
        finest = _MAX_LAYER_PX // max(right - left, bottom - top)
        return cls(left, top, right - left, bottom - top, min(max(finest, 1), _MAX_SUPERSAMPLING))


def _lambert(corners_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Brightness (F,) in `_AMBIENT`..1 of triangles (F, 3, 3) seen from the origin."""
    normals = np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    away = np.einsum("fi,fi->f", normals, corners_m.mean(axis=1)) > 0
    normals[away] *= -1
    # Half-Lambert: faces that turn from the lamp still show their shape.
    facing = normals @ _LIGHT * 0.5 + 0.5
    brightness: npt.NDArray[np.float64] = _AMBIENT + (1 - _AMBIENT) * np.clip(facing, 0, 1)
    return brightness


def _paint_faces(
    corners_2d: npt.NDArray[np.float64], colours: npt.NDArray[np.float64], window: _Window
) -> npt.NDArray[np.float32]:
    """Paint triangles (F, 3, 2) in the given order. Returns (height, width, 4): RGB times coverage, coverage 0..1."""
    cv2 = opencv()
    fine = window.supersampling
    layer = np.zeros((window.height * fine, window.width * fine, 4), np.uint8)
    # A pixel's centre has the whole coordinate in the picture; in the finer layer it lies between pixels.
    fine_corners = (corners_2d - (window.left, window.top) + 0.5) * fine - 0.5
    for triangle, colour in zip(_fixed_point(fine_corners), colours.tolist(), strict=True):
        cv2.fillConvexPoly(layer, triangle, (*colour, 255), cv2.LINE_8, _SUBPIXEL_BITS)
    smooth: npt.NDArray[np.float32] = np.asarray(
        cv2.resize(layer, (window.width, window.height), interpolation=cv2.INTER_AREA), np.float32
    )
    smooth[..., 3] /= 255
    return smooth


def _blend(image_rgb: Image, layer: npt.NDArray[np.float32], window: _Window, opacity: float) -> Image:
    """Lay the window's layer over a copy of the picture."""
    picture = image_rgb.copy()
    under = picture[window.top : window.top + window.height, window.left : window.left + window.width]
    mixed = under * (1 - opacity * layer[..., 3:]) + opacity * layer[..., :3]
    under[...] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return picture


def _joint_colour(joint: int) -> Colour:
    return WRIST_COLOUR if joint == 0 else FINGER_COLOURS[(joint - 1) // 4]


def _hand_size_px(joints: npt.NDArray[np.float64]) -> float:
    """The longer side of the drawable joints' box; 0 without any."""
    shown = joints[_drawable(joints)]
    return float(np.ptp(shown, axis=0).max()) if len(shown) else 0.0


def _line(
    picture: Image, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], colour: Colour, width_px: float
) -> None:
    cv2 = opencv()
    ends = (tuple(_fixed_point(point).tolist()) for point in (start, end))
    cv2.line(picture, *ends, colour, max(1, round(width_px)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _dot(picture: Image, centre: npt.NDArray[np.float64], colour: Colour, radius_px: float) -> None:
    cv2 = opencv()
    radius = int(_fixed_point(np.float64(max(1.0, radius_px))))
    cv2.circle(picture, tuple(_fixed_point(centre).tolist()), radius, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed_point(coordinates: Any) -> npt.NDArray[np.int32]:
    """OpenCV's integer coordinates with `_SUBPIXEL_BITS` of fraction."""
    return np.asarray(np.rint(np.asarray(coordinates) * (1 << _SUBPIXEL_BITS)), np.int32)


def _drawable(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which points (..., 2) are finite and near enough for fixed point."""
    near: npt.NDArray[np.bool_] = np.all(np.abs(points) < _FARTHEST_PX, axis=-1)  # NaN compares false
    return near


def _within(position: float, last: int) -> int:
    """The position as a whole pixel in 0..last; 0 when nothing fits."""
    return int(np.clip(position, 0, max(last, 0)))


def _keypoints(keypoints_2d: Floats) -> npt.NDArray[np.float64]:
    joints = _points("keypoints_2d", keypoints_2d, 2)
    if len(joints) != len(JOINT_PARENTS):
        raise ValueError(f"keypoints_2d: got {joints.shape}, expected ({len(JOINT_PARENTS)}, 2)")
    return joints


def _points(name: str, points: Floats, dimensions: int) -> npt.NDArray[np.float64]:
    array = np.asarray(points, np.float64)
    if array.ndim != 2 or array.shape[1] != dimensions:
        raise ValueError(f"{name}: got {array.shape}, expected (N, {dimensions})")
    return array


def _vector(name: str, vector: Floats) -> npt.NDArray[np.float64]:
    array = np.asarray(vector, np.float64)
    if array.shape != (3,):
        raise ValueError(f"{name}: got {array.shape}, expected (3,)")
    return array


def _check_faces(faces: npt.NDArray[np.integer[Any]], vertices: int) -> None:
    if faces.ndim != 2 or faces.shape[1] != 3 or not np.issubdtype(faces.dtype, np.integer):
        raise ValueError(f"faces: got {faces.shape} {faces.dtype}, expected (F, 3) integers")
    if faces.size and (faces.min() < 0 or faces.max() >= vertices):
        raise ValueError(f"faces: got indices {faces.min()}..{faces.max()}, expected 0..{vertices - 1}")
