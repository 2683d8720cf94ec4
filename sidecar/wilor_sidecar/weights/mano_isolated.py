"""Read a hand model in a child process, to know before anything long begins whether it can be used."""

from pathlib import Path

import msgspec

from wilor_sidecar.isolation import Child, IsolatedError, Limits, answer
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.mano_file import read_mano

_LIMITS = Limits(memory_bytes=4 << 30, cpu_s=120, wall_s=600)
"""An honest file has 4 MB."""


class ManoRequest(msgspec.Struct, frozen=True):
    """Which file to read."""

    path: str


class Read(msgspec.Struct, frozen=True):
    """It is a hand model."""


def check_mano(path: Path) -> None:
    """See whether a file is a hand model that can be converted: `read_mano`, with limits.

    Raises:
        WeightsError: as `read_mano`, or the child took more than it may, or died.
    """
    try:
        Child(__name__, _LIMITS).ask(ManoRequest(str(path)), Read)
    except IsolatedError as error:
        named = path.name in str(error)
        raise WeightsError(str(error) if named else f"{path.name}: reading it {error}") from error


def _read(request: ManoRequest) -> Read:
    read_mano(Path(request.path))
    return Read()


if __name__ == "__main__":
    answer(ManoRequest, _read, WeightsError)
