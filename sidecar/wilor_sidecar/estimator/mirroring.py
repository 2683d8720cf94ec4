"""One rule for left hands and for mirrored pictures.

The network knows right hands only. A left hand is mirrored on its way in, and every number about it on its way out:
x of points, tx of the camera, y and z of axis-angle vectors (a reflection in x keeps rotation about x and turns the
others round). Shape has no side.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from wilor_protocol.names import Side
from wilor_protocol.requests import EstimateRequest, HandCrop

_POINT = np.array([-1, 1, 1], np.float32)
_CAMERA = np.array([1, -1, 1], np.float32)
_AXIS_ANGLE = np.array([1, -1, -1], np.float32)
_SIGNS = {
    "pred_keypoints_3d": _POINT,
    "pred_vertices": _POINT,
    "pred_cam": _CAMERA,
    "global_orient": _AXIS_ANGLE,
    "hand_pose": _AXIS_ANGLE,
    "betas": np.array([1], np.float32),
}

OTHER_SIDE: dict[Side, Side] = {"left": "right", "right": "left"}


def mirrored_crop(crop_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(256, 256, 3) with x and 255 - x exchanged."""
    return crop_rgb[:, ::-1]


def mirrored_outputs(outputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The network's outputs for one hand, under upstream's names, as its mirror image."""
    return {name: values * _SIGNS[name] for name, values in outputs.items()}


def unmirrored_request(request: EstimateRequest) -> EstimateRequest:
    """What a request from a mirrored picture says about the scene itself; its crops must be mirrored too.

    Sides are exchanged, and boxes and the principal point go to the other side of the image.
    """
    return msgspec.structs.replace(
        request,
        mirrored=False,
        hands=[_unmirrored_hand(hand, request.image_size) for hand in request.hands],
        intrinsics=_unmirrored_intrinsics(request),
    )


def _unmirrored_hand(hand: HandCrop, image_size: tuple[int, int] | None) -> HandCrop:
    box = hand.box
    if box is not None and image_size is not None:
        box = (image_size[0] - 1 - box[0], box[1], box[2])
    return msgspec.structs.replace(hand, side=OTHER_SIDE[hand.side], box=box)


def _unmirrored_intrinsics(request: EstimateRequest) -> tuple[float, float, float, float] | None:
    if request.intrinsics is None or request.image_size is None:
        return request.intrinsics
    fx, fy, cx, cy = request.intrinsics
    return fx, fy, request.image_size[0] - 1 - cx, cy
