"""Pictures for the commands that take or make them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wilor_client.crop import Crop, MissingOpenCVError, make_crop
from wilor_client.drawing import Camera, draw_hand
from wilor_protocol.hands import Hand
from wilor_protocol.names import Side
from wilor_sidecar.cli.failure import CommandError

Picture = NDArray[np.uint8]
Detection = tuple[tuple[float, float, float, float], Side]
"""A box x1, y1, x2, y2 in px, and the side."""


def read_picture(path: Path) -> Picture:
    """(H, W, 3) uint8 RGB, pixels as stored in the file.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise CommandError(f"{path}: cannot be read as a picture: {error}") from error


def write_picture(path: Path, picture: Picture) -> None:
    """Write (H, W, 3) uint8 RGB in the format of the path's ending.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: cannot be written: {error}") from error


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height, as requests want it."""
    return picture.shape[1], picture.shape[0]


def cut_crops(picture: Picture, detections: list[Detection]) -> list[Crop]:
    """A crop for each detection.

    Raises:
        CommandError: OpenCV is missing, or a box is none.
    """
    try:
        return [make_crop(picture, box, side) for box, side in detections]
    except (MissingOpenCVError, ValueError) as error:
        raise CommandError(str(error)) from error


def with_hands_drawn(picture: Picture, hands: list[Hand], faces: NDArray[np.int32], note: str = "") -> Picture:
    """The picture with each hand's mesh and skeleton over it.

    Args:
        picture: (H, W, 3) uint8 RGB.
        hands: answered with box and image_size, so that they have 2-D points.
        faces: from the topology.
        note: written beside each hand's side.
    """
    width, height = size_of(picture)
    for hand in hands:
        if hand.keypoints_2d is None or hand.translation is None or hand.focal_px is None:
            continue
        mesh: dict[str, Any] = {}
        if hand.vertices is not None:
            mesh = {
                "vertices_m": hand.vertices,
                "faces": faces,
                "camera": Camera(hand.translation, (hand.focal_px, hand.focal_px), (width / 2, height / 2)),
            }
        label = f"{hand.side} {note}".strip()
        picture = draw_hand(picture, keypoints_2d=hand.keypoints_2d, side=hand.side, label=label, **mesh)
    return picture
