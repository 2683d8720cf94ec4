"""Try a model in a process of its own: one fixed crop, twice; the same numbers, finite, and a hand.

The answer is kept with the model as `probe.json`, so that `doctor` can see later whether it is still computed.
"""

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from wilor_sidecar.isolation import Child, IsolatedError, Limits, answer
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.plausible import implausible
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.provenance import PROBE_FILE

_WALL_S = 900
"""A full-size network on a slow machine without a tuned BLAS takes minutes."""


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model answers to the fixed crop.

    Attributes:
        keypoints: (21, 3) m, camera axes.
        camera: s, tx, ty.
        device: "cpu" or "gpu".
        mlx: its version.
    """

    keypoints: list[tuple[float, float, float]]
    camera: tuple[float, float, float]
    device: str
    mlx: str

    def apart_mm(self, keypoints: NDArray[np.floating]) -> float:
        """How far the worst key point is from another answer's, (21, 3) m."""
        return float(np.linalg.norm(np.array(self.keypoints) - keypoints, axis=1).max()) * 1e3


class ProbeRequest(msgspec.Struct, frozen=True):
    """Which model, and whether to hash its weights first."""

    model: str
    check_digest: bool


def run_probe(model: str, *, check_digest: bool) -> Probe:
    """Load a model in a child process, and try it.

    Args:
        model: "embedded" or a converted folder.
        check_digest: compare the weights' SHA-256 with what the folder says.

    Raises:
        SetupError: it cannot be loaded, or answers something that is no hand, or not twice the same.
    """
    try:
        return Child(__name__, Limits(wall_s=_WALL_S)).ask(ProbeRequest(model, check_digest), Probe)
    except IsolatedError as error:
        raise SetupError(f"{model}: the self-test failed: {error}") from error


def read_probe(folder: Path) -> Probe | None:
    """What the model answered when it was made; None when nobody asked.

    Raises:
        SetupError: the file cannot be read.
    """
    path = folder / PROBE_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Probe)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: cannot be read ({error})") from error


def encode_probe(probe: Probe) -> bytes:
    """The file's text: JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(probe), indent=2) + b"\n"


def probe_crop() -> NDArray[np.uint8]:
    """(1, 256, 256, 3) uint8 RGB: a drawn open right hand."""
    from PIL import Image  # noqa: PLC0415 - only the child decodes it

    with files(__package__).joinpath("probe.png").open("rb") as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB"))[None]


class _FailedError(Exception):
    """The model does not answer as it should."""


def _probe(request: ProbeRequest) -> Probe:
    from wilor_sidecar.mlx_settings import settle_mlx  # noqa: PLC0415

    settle_mlx()
    from wilor_sidecar.device import device_name  # noqa: PLC0415 - after MLX's environment is settled
    from wilor_sidecar.model import load_model  # noqa: PLC0415

    model = load_model(request.model, check_digest=request.check_digest)
    first, second = (model(probe_crop()) for _ in range(2))
    for name, values in first.items():
        if not np.isfinite(values).all():
            raise _FailedError(f"{name} holds NaN or infinity")
        if not np.array_equal(values, second[name]):
            apart = float(np.abs(values - second[name]).max())
            raise _FailedError(f"{name} is {apart:g} apart between two runs on the same crop")
    keypoints = first["pred_keypoints_3d"][0]
    if problem := implausible(keypoints):
        raise _FailedError(f"what it answers is no hand: {problem}")
    s, tx, ty = (float(value) for value in first["pred_cam"][0])
    return Probe([(float(x), float(y), float(z)) for x, y, z in keypoints], (s, tx, ty), device_name(), version("mlx"))


if __name__ == "__main__":
    answer(ProbeRequest, _probe, _FailedError, WeightsError)
