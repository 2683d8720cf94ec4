"""From a photograph and a detector's box to the square crop that the daemon takes.

The rule is the reference implementation's, pixel for pixel: which square is cut, where its centre lands, what lies
outside the frame, how a large hand is smoothed before it shrinks. It does not know how hands are found, what a request
looks like, or what the network makes of the pixels.

OpenCV does the sampling and is the one optional dependency of the client (extra `camera`); it is imported when the
first crop is cut, so that programs which bring their own crops never need it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import numpy.typing as npt

from wilor_protocol.limits import CROP_SIDE_PX
from wilor_protocol.names import Side

if TYPE_CHECKING:
    from types import ModuleType

FARTHEST_PX = 1_000_000
"""How far from the image's origin a cut may reach: beyond this OpenCV's fixed-point coordinates overflow."""

WIDEST_BLUR_PX = 64.0
"""Largest sigma. Only a cut of over 33 000 pixels asks for more, and the kernel's cost must end somewhere."""

_MAX_REGION_PX = 32_766
"""OpenCV samples no picture that is wider or higher."""

_BLUR_REACH = 4.0  # in sigmas, where the reference truncates its Gaussian

Image = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]


class MissingOpenCVError(ImportError):
    """OpenCV is not installed; nothing that cuts or draws pictures works without it."""

    def __init__(self) -> None:
        super().__init__("OpenCV is needed to cut crops and draw hands: pip install opencv-python")


@dataclass(frozen=True, slots=True)
class Crop:
    """One hand, cut out: `HandClient.estimate` takes it as it is.

    Attributes:
        pixels: (256, 256, 3) uint8, RGB, C-contiguous, not mirrored.
        box: the square that was cut, as (centre x, centre y, size) in pixels of the image. The daemon needs it to
            place the hand in the whole image.
        side: the hand that the detector believes it sees.
    """

    pixels: Image
    box: tuple[float, float, float]
    side: Side


def make_crop(image_rgb: Image, box: Box, side: Side, *, rescale: float = 2.5) -> Crop:
    """Cut the square around one hand, as the reference implementation cuts it.

    Args:
        image_rgb: (H, W, 3) uint8, RGB, any size, not mirrored; left as it is.
        box: the detector's (x1, y1, x2, y2) in pixels of the image, origin top left. It may leave the frame, partly
            or wholly: what lies outside is black.
        side: the person's anatomical hand. It moves the crop by one pixel, see `_centre_column`.
        rescale: side of the square over the box's longer side. The published weights were run with 2.5.

    Returns:
        The crop and the square it shows.

    Raises:
        ValueError: an argument is not as described; the text says what came and what was expected.
        MissingOpenCVError: OpenCV is not installed.
    """
    check_image(image_rgb)
    _check_side(side)
    square = _square(box, rescale)
    return Crop(pixels=_sample(image_rgb, square, _centre_column(side)), box=square, side=side)


def opencv() -> ModuleType:
    """OpenCV, imported on first use.

    Raises:
        MissingOpenCVError: it is not installed.
    """
    try:
        import cv2  # noqa: PLC0415 - optional: importing this module must not need it
    except ImportError as error:
        raise MissingOpenCVError from error
    return cv2


def check_image(image_rgb: Image) -> None:
    """Raise ValueError unless the image is (H, W, 3) uint8 with at least one pixel."""
    if not isinstance(image_rgb, np.ndarray):
        raise ValueError(f"image_rgb: got {type(image_rgb).__name__}, expected a numpy array (H, W, 3) of uint8")  # noqa: TRY004
    if image_rgb.dtype != np.uint8 or image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.size == 0:
        raise ValueError(f"image_rgb: got {image_rgb.shape} {image_rgb.dtype}, expected (H, W, 3) uint8, not empty")


def _check_side(side: Side) -> None:
    if side not in get_args(Side):
        raise ValueError(f"side: got {side!r}, expected 'left' or 'right'")


def _square(box: Box, rescale: float) -> tuple[float, float, float]:
    """The square to cut, (cx, cy, side), checked to be a real one."""
    if not (math.isfinite(rescale) and rescale > 0):
        raise ValueError(f"rescale: got {rescale!r}, expected a positive number")
    if len(box) != 4 or not all(math.isfinite(edge) for edge in box):
        raise ValueError(f"box: got {box!r}, expected four finite numbers x1, y1, x2, y2")
    x1, y1, x2, y2 = (float(edge) for edge in box)
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"box: got {box!r}, expected x1 < x2 and y1 < y2")
    cx, cy, size = (x1 + x2) / 2, (y1 + y2) / 2, rescale * max(x2 - x1, y2 - y1)
    if max(abs(cx), abs(cy)) + size / 2 > FARTHEST_PX:
        raise ValueError(f"box: got {box!r}, expected a cut that stays within {FARTHEST_PX} pixels of the image")
    return cx, cy, size


def _centre_column(side: Side) -> float:
    """Column of the crop on which the box's centre lands.

    The reference puts the centre on 128, and for a left hand mirrors the photograph before it cuts. The daemon mirrors
    the crop instead (x -> 255 - x), so a left hand's centre has to sit on 127 for the network to see the same pixels.
    """
    return CROP_SIDE_PX / 2 if side == "right" else CROP_SIDE_PX / 2 - 1


def _sample(image_rgb: Image, square: tuple[float, float, float], centre_column: float) -> Image:
    """Blur what the crop reads as far as needed, then sample it bilinearly. Returns (256, 256, 3) uint8."""
    cx, cy, size = square
    step = size / CROP_SIDE_PX  # image pixels per crop pixel
    left, top = cx - centre_column * step, cy - CROP_SIDE_PX / 2 * step
    sigma = _blur_sigma(step)
    columns = _read_range(left, step, _reach(sigma), image_rgb.shape[1])
    rows = _read_range(top, step, _reach(sigma), image_rgb.shape[0])
    if not columns or not rows:
        return np.zeros((CROP_SIDE_PX, CROP_SIDE_PX, 3), np.uint8)
    if max(len(rows), len(columns)) > _MAX_REGION_PX:
        raise ValueError(
            f"box: expected a cut of at most {_MAX_REGION_PX} pixels of the image a side, "
            f"got {len(columns)} x {len(rows)}"
        )
    region = _blurred(image_rgb[rows.start : rows.stop, columns.start : columns.stop], sigma)
    return _warp(region, left - columns.start, top - rows.start, step)


def _blur_sigma(step: float) -> float:
    """Sigma in image pixels against aliasing; 0 for none. The reference halves the step and spares small ones."""
    half_step = step / 2
    return min((half_step - 1) / 2, WIDEST_BLUR_PX) if half_step > 1.1 else 0.0


def _reach(sigma: float) -> int:
    """Pixels to either side that the truncated kernel reads."""
    return int(_BLUR_REACH * sigma + 0.5)


def _read_range(start: float, step: float, reach: int, length: int) -> range:
    """The image's rows or columns that decide the crop: those it samples, their neighbours, and the kernel's reach."""
    first = math.floor(start) - 1 - reach
    last = math.ceil(start + (CROP_SIDE_PX - 1) * step) + 1 + reach
    return range(max(first, 0), min(last + 1, length))


def _blurred(region: Image, sigma: float) -> npt.NDArray[np.uint8 | np.float64]:
    """The region itself, or its Gaussian blur in float64.

    The kernel never reaches past a cut made by `_read_range`; where the region ends with the photograph, the edge
    pixel is repeated, as in the reference (skimage's default). Float64 because the reference samples its blurred
    photograph in it, and OpenCV rounds bilinear weights differently for each type.
    """
    if sigma == 0:
        return np.ascontiguousarray(region)
    width = 2 * _reach(sigma) + 1
    cv2 = opencv()
    blurred: npt.NDArray[np.float64] = cv2.GaussianBlur(
        region.astype(np.float64), (width, width), sigma, borderType=cv2.BORDER_REPLICATE
    )
    return blurred


def _warp(region: npt.NDArray[np.uint8 | np.float64], left: float, top: float, step: float) -> Image:
    """Sample crop pixel (u, v) at (left + u * step, top + v * step) of the region; black outside. (256, 256, 3)."""
    cv2 = opencv()
    into_crop = np.array([[1 / step, 0, -left / step], [0, 1 / step, -top / step]])
    sampled = cv2.warpAffine(
        region,
        into_crop,
        (CROP_SIDE_PX, CROP_SIDE_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.ascontiguousarray(np.rint(sampled).astype(np.uint8))
