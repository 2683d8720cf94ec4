"""The table of dtypes where something cannot be measured; the real one is made in `tests/e2e/test_commands.py`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wilor_sidecar.bench import dtypes
from wilor_sidecar.bench.dtype_child import DtypeFigures, DtypeRequest
from wilor_sidecar.daemon_process import DaemonDiedError
from wilor_sidecar.isolation import IsolatedError
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.convert_isolated import ConversionRequest, convert_isolated
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.seeded import write_seeded_checkpoint

FIGURES = DtypeFigures(1, 2, 3, 4, 5, 6)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A float16 folder, so that float32 is converted too."""
    write_seeded_checkpoint(tmp_path / "small.safetensors", seed=1, width=64, depth=1)
    return convert(tmp_path / "small.safetensors", tmp_path / "small", dtype="float16")


def rows(model: Path) -> list[str]:
    """The table."""
    return [row.line() for row in dtypes.measure_dtypes({"net": model}, 1, lambda line: None)]


class Measured:
    """A child that measures all but float32."""

    def __init__(self, *_: object) -> None:
        pass

    def ask(self, request: DtypeRequest, _: type[Any]) -> DtypeFigures:
        """Answer at once."""
        if Path(request.folder).name == "float32":
            raise IsolatedError("died of SIGKILL")
        np.save(request.vertices, np.zeros((32, 778, 3), np.float32))
        return FIGURES


def test_without_float32_nothing_is_called_exact(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other dtypes have nothing to be compared with, and a daemon that does not start ends nothing."""

    def dies(folder: Path) -> dtypes.StartUp:
        raise DaemonDiedError(f"{folder} died")

    monkeypatch.setattr(dtypes, "Child", Measured)
    monkeypatch.setattr(dtypes, "time_start_up", dies)
    first, *others = rows(model)
    assert "not possible here: died of SIGKILL" in first
    assert [row.rpartition(" | ")[2] for row in others] == ["no float32 to compare with |"] * 3


def test_a_conversion_that_fails_is_a_row(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are measured."""
    real = convert_isolated

    def fail_for_int8(request: ConversionRequest) -> Path:
        if request.dtype == "int8":
            raise WeightsError("no room")
        return real(request)

    monkeypatch.setattr(dtypes, "Child", Measured)
    monkeypatch.setattr(dtypes, "time_start_up", lambda folder: None)
    monkeypatch.setattr(dtypes, "convert_isolated", fail_for_int8)
    assert rows(model)[2] == "| net | int8 | none | not possible here: no room |"
    assert len(rows(model)) == 4
