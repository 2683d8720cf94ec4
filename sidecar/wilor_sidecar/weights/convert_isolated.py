"""`convert` in a child process: a checkpoint that was made to do harm can at most end its own conversion."""

import shutil
from pathlib import Path

import msgspec

from wilor_sidecar.isolation import Child, IsolatedError, Limits, answer
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import BlocksDtype
from wilor_sidecar.weights.placing import partial_of

_SPARE_BYTES = 3 << 30
"""For Python, numpy and the largest tensor."""
_SPARE_S = 300
_S_PER_GB = 120
"""Ten times what a slow disk and a slow core take."""


class ConversionRequest(msgspec.Struct, frozen=True):
    """The arguments of `convert`."""

    source: str
    out: str
    mano: str | None = None
    mean_params: str | None = None
    heads: int | None = None
    dtype: BlocksDtype = "float32"
    name: str | None = None
    overwrite: bool = False


class Converted(msgspec.Struct, frozen=True):
    """It is done."""

    folder: str


def convert_isolated(request: ConversionRequest, limits: Limits | None = None) -> Path:
    """Convert in a child process with limits that follow from the files' sizes.

    Raises:
        WeightsError: as `convert`, or the child took more than it may, or died; nothing is left behind.
    """
    child = Child(__name__, limits or limits_for(request))
    try:
        return Path(child.ask(request, Converted).folder)
    except IsolatedError as error:
        message = str(error)
        files = [Path(path).name for path in (request.source, request.mano, request.mean_params) if path]
        is_named = any(name in message for name in (*files, request.out))
        raise WeightsError(message if is_named else f"{request.source}: the conversion {message}") from error
    finally:
        shutil.rmtree(partial_of(Path(request.out), child.pid), ignore_errors=True)


def limits_for(request: ConversionRequest) -> Limits:
    """What an honest conversion of these files never needs."""
    paths = [Path(path) for path in (request.source, request.mano, request.mean_params) if path]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    seconds = _SPARE_S + size * _S_PER_GB // 10**9
    # Packed weights grow sixteenfold when they are unpacked to float32, at most.
    return Limits(memory_bytes=2 * size + _SPARE_BYTES, cpu_s=seconds, file_bytes=16 * size + 2**20, wall_s=4 * seconds)


def _convert(request: ConversionRequest) -> Converted:
    folder = convert(
        Path(request.source),
        Path(request.out),
        mano=Path(request.mano) if request.mano else None,
        mean_params=Path(request.mean_params) if request.mean_params else None,
        heads=request.heads,
        dtype=request.dtype,
        name=request.name,
        overwrite=request.overwrite,
    )
    return Converted(str(folder))


if __name__ == "__main__":
    answer(ConversionRequest, _convert, WeightsError)
