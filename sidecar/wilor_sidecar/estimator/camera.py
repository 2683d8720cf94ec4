"""From the crop's weak perspective to the camera of the whole image.

The formulas are upstream's (`cam_crop_to_full` of WiLoR and HaMeR), extended to a given focal length and principal
point. Depth follows from the hand's usual size and the focal length: it is an approximation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.limits import CROP_SIDE_PX

_CROP_FOCAL_PX = 5000.0


@dataclass(frozen=True)
class Lens:
    """A pinhole camera, px.

    Attributes:
        fx, fy: focal lengths.
        cx, cy: principal point.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of_image(cls, image_size: tuple[int, int], intrinsics: tuple[float, float, float, float] | None) -> "Lens":
        """The given intrinsics; else upstream's guess, 5000 / 256 of the image's longer side and its middle."""
        if intrinsics is not None:
            return cls(*intrinsics)
        width, height = image_size
        focal = _CROP_FOCAL_PX / CROP_SIDE_PX * max(width, height)
        return cls(focal, focal, width / 2, height / 2)


def translation(camera: NDArray[np.float32], box: tuple[float, float, float], lens: Lens) -> NDArray[np.float64]:
    """What to add to a hand's points for coordinates relative to the camera, (3,) m.

    Args:
        camera: (3,) weak perspective s, tx, ty on the crop.
        box: centre and side of the square that the crop was cut from, px of the whole image.
        lens: of the whole image.
    """
    scale, tx, ty = camera.astype(np.float64)
    centre_x, centre_y, side = box
    depth = 2 * lens.fx / (side * scale + 1e-9)
    return np.array(
        [
            tx + depth * (centre_x - lens.cx) / lens.fx,
            # the crop is square in pixels: where fy differs from fx, so do metres a pixel
            (ty * lens.fx + depth * (centre_y - lens.cy)) / lens.fy,
            depth,
        ]
    )


def project(points_m: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """(N, 2) px of (N, 3) points relative to the camera."""
    return points_m[:, :2] / points_m[:, 2:] * (lens.fx, lens.fy) + (lens.cx, lens.cy)
