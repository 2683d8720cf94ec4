"""Frames of crops to frames of hands, through one batch of the network."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.hands import Hand, Mano
from wilor_protocol.requests import EstimateRequest, HandCrop
from wilor_sidecar.estimator.camera import Lens, project, translation
from wilor_sidecar.estimator.frame import Frame
from wilor_sidecar.estimator.mirroring import mirrored_crop, mirrored_outputs, unmirrored_request

BATCH_SIZES = (1, 2, 4, 8)
"""The network is compiled for these; a batch between two of them is filled up."""

Outputs = dict[str, NDArray[np.float32]]
Network = Callable[[NDArray[np.uint8]], Outputs]


class NotFiniteError(Exception):
    """The network gave NaN or infinity for a hand."""


class Estimator:
    """Serves a network that knows right hands in crops to people who have two hands in a picture."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def estimate(self, frames: Sequence[Frame]) -> list[list[Hand] | NotFiniteError]:
        """Estimate all hands of all frames in one batch of at most `BATCH_SIZES[-1]` crops.

        Returns:
            For each frame its hands, complete, in the order of its crops; or the error, when one of them has a number
            that must not leave. The other frames are not touched by it.
        """
        frames = [_unmirrored(frame) for frame in frames]
        hands = [hand for frame in frames for hand in frame.request.hands]
        views = [
            crop if hand.side == "right" else mirrored_crop(crop)
            for frame in frames
            for hand, crop in zip(frame.request.hands, frame.crops_rgb, strict=True)
        ]
        outputs = self._network(np.stack(_filled_up(views)))
        estimates = iter(_one_hand(outputs, i, hand) for i, hand in enumerate(hands))
        return [_answered(frame.request, [next(estimates) for _ in frame.request.hands]) for frame in frames]


def _unmirrored(frame: Frame) -> Frame:
    if not frame.request.mirrored:
        return frame
    return Frame(unmirrored_request(frame.request), [mirrored_crop(crop) for crop in frame.crops_rgb])


def _filled_up(crops: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    wanted = next(size for size in BATCH_SIZES if size >= len(crops))
    # With a crop that is there anyway: an odd one could send the whole batch RefineNet's long way.
    return crops + crops[-1:] * (wanted - len(crops))


def _one_hand(outputs: Outputs, index: int, hand: HandCrop) -> Outputs:
    own = {name: values[index] for name, values in outputs.items()}
    return own if hand.side == "right" else mirrored_outputs(own)


def _answered(request: EstimateRequest, estimates: list[Outputs]) -> list[Hand] | NotFiniteError:
    try:
        return [_hand(request, crop, estimate) for crop, estimate in zip(request.hands, estimates, strict=True)]
    except NotFiniteError as error:
        return error


def _require_finite(name: str, values: NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        raise NotFiniteError(f"the network's {name} is not finite")


def _hand(request: EstimateRequest, crop: HandCrop, estimate: Outputs) -> Hand:
    for name, values in estimate.items():
        _require_finite(name, values)
    place = _Place.in_image(request, crop, estimate)
    return Hand(
        side=crop.side,
        side_score=crop.side_score,
        score=crop.score,
        track=crop.track,
        keypoints=estimate["pred_keypoints_3d"],
        vertices=estimate["pred_vertices"],
        camera=estimate["pred_cam"],
        keypoints_2d=place.keypoints_2d,
        translation=place.translation,
        focal_px=place.focal_px,
        mano=Mano(global_orient=estimate["global_orient"], hand_pose=estimate["hand_pose"], betas=estimate["betas"]),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """A hand's place in the whole image; empty where the request does not say where the crop was."""

    keypoints_2d: NDArray[np.float32] | None = None
    translation: NDArray[np.float32] | None = None
    focal_px: float | None = None

    @classmethod
    def in_image(cls, request: EstimateRequest, crop: HandCrop, estimate: Outputs) -> "_Place":
        if crop.box is None or request.image_size is None:
            return cls()
        lens = Lens.of_image(request.image_size, request.intrinsics)
        offset = translation(estimate["pred_cam"], crop.box, lens)
        points = project(estimate["pred_keypoints_3d"].astype(np.float64) + offset, lens)
        at = {"keypoints_2d": points.astype(np.float32), "translation": offset.astype(np.float32)}
        for name, values in at.items():
            _require_finite(name, values)
        return cls(**at, focal_px=lens.fx)
