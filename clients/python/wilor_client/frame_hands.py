"""From what a caller has of a frame's hands to what a request carries."""

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from wilor_client.crop import Crop
from wilor_protocol.limits import CROP_SIDE_PX
from wilor_protocol.names import Side
from wilor_protocol.requests import HandCrop

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float]
Numbers = TypeVar("Numbers", bound=tuple[float, ...] | None)

_EXPECTED = "expected a (256, 256, 3) uint8 array with its side, a Crop (see make_crop) or a HandCrop (see hand_crop)"


def hand_crop(
    crop_rgb: Pixels,
    side: Side,
    *,
    box: Box | None = None,
    side_score: float | None = None,
    score: float | None = None,
    track: int | None = None,
) -> HandCrop:
    """One hand of a frame, ready to be sent; see `HandCrop` for the meaning of each part.

    Args:
        crop_rgb: (256, 256, 3) uint8 RGB, not mirrored.
        side: which hand the detector believes it is.
        box: centre x, centre y and side of the square that the crop was cut from, px of the whole image.
        side_score: how sure the detector is of the side, 0 to 1.
        score: how sure it is of the hand, 0 to 1.
        track: its number for this hand over time.

    Raises:
        ValueError: another shape or dtype, or a part that the daemon would refuse; names it.
    """
    if crop_rgb.shape != (CROP_SIDE_PX, CROP_SIDE_PX, 3) or crop_rgb.dtype != np.uint8:
        raise ValueError(f"crop: expected uint8 of shape (256, 256, 3), got {crop_rgb.dtype} of shape {crop_rgb.shape}")
    return HandCrop(
        crop=crop_rgb.tobytes(), side=side, box=as_tuple(box), side_score=side_score, score=score, track=track
    )


def hands_of_frame(
    hands: Pixels | Crop | HandCrop | Sequence[Crop | HandCrop], side: Side | None, box: Box | None
) -> list[HandCrop]:
    """The hands that the first three arguments of `estimate` mean.

    Raises:
        ValueError, TypeError: they do not go together, or are something else; says which.
    """
    if isinstance(hands, np.ndarray):
        if side is None:
            raise ValueError("side: expected left or right with a single crop, got None")
        return [hand_crop(hands, side, box=box)]
    if isinstance(hands, str | bytes) or not isinstance(hands, Crop | HandCrop | Iterable):
        raise TypeError(f"hands: {_EXPECTED}, or a list of the last two, got {type(hands).__name__}")
    if side is not None or box is not None:
        raise ValueError("side, box: expected in each hand, got them beside the hands")
    listed = [hands] if isinstance(hands, Crop | HandCrop) else list(hands)
    return [_hand(hand, index) for index, hand in enumerate(listed)]


def _hand(hand: Crop | HandCrop, index: int) -> HandCrop:
    if isinstance(hand, Crop):
        return hand_crop(hand.pixels, hand.side, box=hand.box)
    if not isinstance(hand, HandCrop):
        raise TypeError(
            f"hands[{index}]: expected a Crop (see make_crop) or a HandCrop (see hand_crop), got {type(hand).__name__}"
        )
    return hand


def as_tuple(numbers: Numbers) -> Numbers:
    """The same numbers, out of the array or list that a detector may have put them in."""
    return numbers if numbers is None else cast(Numbers, tuple(numbers))
