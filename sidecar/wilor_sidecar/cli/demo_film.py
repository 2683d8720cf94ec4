"""The film that the demo shows: rendered hands going through gestures, with the truth of every frame.

`sidecar/training/film.py` made it. The embedded network was trained on hands like these, but never saw these pictures.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wilor_protocol.names import Side
from wilor_sidecar.cli.pictures import Picture

_FOLDER = Path(__file__).with_name("film")
_SIDES: tuple[Side, ...] = ("right", "left")
_FLESH = 0.035
"""What stands out beyond the joints, in parts of their box's longer side: a detector's box holds it."""


@dataclass(frozen=True)
class Frame:
    """One picture and what is true of the hand in it.

    Attributes:
        picture: (480, 360, 3) uint8 RGB.
        side: of the person's hand.
        keypoints_2d: (21, 2) px.
        keypoints_from_wrist: (21, 3) m, camera axes.
    """

    picture: Picture
    side: Side
    keypoints_2d: NDArray[np.float32]
    keypoints_from_wrist: NDArray[np.float32]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 in px, as a detector would give it."""
        low, high = self.keypoints_2d.min(axis=0), self.keypoints_2d.max(axis=0)
        margin = _FLESH * (high - low).max()
        (x1, y1), (x2, y2) = (low - margin).tolist(), (high + margin).tolist()
        return x1, y1, x2, y2


def film(frames: int | None = None) -> Iterator[Frame]:
    """The shots one after the other, each of one side, up to `frames` of each; None: all."""
    for side in _SIDES:
        with np.load(_FOLDER / f"{side}.npz") as stored:
            shot: dict[str, NDArray[Any]] = dict(stored)
        files = np.split(shot["jpeg"], shot["ends"][:-1])
        for file, points, reach in zip(
            files[:frames], shot["keypoints_2d"], shot["keypoints_from_wrist"], strict=False
        ):
            with Image.open(io.BytesIO(file.tobytes())) as image:
                yield Frame(np.array(image.convert("RGB")), side, points, reach)
