"""A request together with its pixels, and how the pixels are read out of it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wilor_protocol.limits import CROP_SIDE_PX
from wilor_protocol.requests import EncodedImage, EstimateRequest, HandCrop
from wilor_sidecar.estimator.image_files import picture_alone

_SHAPE = (CROP_SIDE_PX, CROP_SIDE_PX, 3)


class BadImageError(ValueError):
    """A compressed crop that is not what it says it is."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A request and its pixels.

    Attributes:
        request: as it came.
        crops_rgb: (256, 256, 3) uint8 for each hand, as they came; raw ones are views of the request's bytes.
    """

    request: EstimateRequest
    crops_rgb: Sequence[NDArray[np.uint8]]

    @classmethod
    def of_request(cls, request: EstimateRequest) -> "Frame":
        """Read the pixels of every hand.

        Raises:
            BadImageError: a compressed crop cannot be read or has another size; names the field.
        """
        crops = [_pixels(hand, f"hands[{index}].crop") for index, hand in enumerate(request.hands)]
        return cls(request, crops)


def _pixels(hand: HandCrop, field: str) -> NDArray[np.uint8]:
    if isinstance(hand.crop, EncodedImage):
        return _decompressed(hand.crop, field)
    return np.frombuffer(hand.crop, np.uint8).reshape(_SHAPE)


def _decompressed(image: EncodedImage, field: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(picture_alone(image.codec, image.data)), formats=[image.codec]) as opened:
            # From its header: no pixel is unpacked before this is known.
            fault = _fault(opened)
            pixels = None if fault else np.asarray(opened.convert("RGB"))
    except UnidentifiedImageError as error:
        raise BadImageError(f"{field}: expected a {image.codec} file, got something else") from error
    except Exception as error:  # whatever a decoder finds wrong with hostile bytes
        raise BadImageError(f"{field}: the {image.codec} file cannot be read: {error}") from error
    if pixels is None:
        raise BadImageError(f"{field}: {fault}")
    return pixels


def _fault(image: Image.Image) -> str:
    """Why an image is not taken; "" when it is."""
    if image.size != _SHAPE[:2]:
        return f"expected 256 x 256 pixels, got {image.width} x {image.height}"
    if image.mode.startswith(("I", "F")):
        return f"expected 8 bits a channel, got more (Pillow's mode {image.mode})"
    if "progressive" in image.info:  # each of its many passes would go over the whole image
        return "expected a baseline JPEG, got a progressive one"
    return ""
