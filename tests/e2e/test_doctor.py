"""`doctor` on this machine, with and without a daemon, and with things that are wrong."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.test_commands import command
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models; no settings file."""
    monkeypatch.setenv("WILOR_SIDECAR_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("WILOR_SIDECAR_CONFIG", os.devnull)
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_a_sound_daemon_passes(daemon: DaemonProcess, models: Path, tmp_path: Path) -> None:
    """Every test of a running daemon passes on ours, and the report holds what was printed."""
    report = tmp_path / "report.json"
    result = command("doctor", "--offline", "--run-dir", str(daemon.run_dir), "--report", str(report))
    assert result.returncode == 0, result.stdout
    found = json.loads(report.read_text())["findings"]
    tested = [finding["check"] for finding in found if finding["check"].startswith("daemon")]
    assert tested == [
        "daemon",
        *(
            f"daemon {name}"
            for name in (
                "status",
                "deep ping",
                "estimate",
                "repeat",
                "left hands",
                "batch",
                "probe",
                "events",
                "deadline",
                "garbage",
                "oversize",
                "speed",
            )
        ),
    ]
    assert [finding for finding in found if finding["level"] == "problem"] == []
    for finding in found:
        assert finding["check"] in result.stdout


def test_without_a_daemon_it_says_how_to_start_one(models: Path, tmp_path: Path) -> None:
    """That none runs is no problem, but a warning with the command."""
    result = command("doctor", "--offline", "--run-dir", str(tmp_path / "none"))
    assert result.returncode == 0, result.stdout
    assert "-> wilor-sidecar serve" in result.stdout
    assert "0 problems" in result.stdout


def test_what_is_wrong_is_told_with_its_remedy(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Altered weights, a chosen model that is gone, an open run directory, a damaged record: exit status 1."""
    write_seeded_checkpoint(tmp_path / "small.safetensors", seed=1, width=64, depth=1)
    weights = convert(tmp_path / "small.safetensors", models / "small") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4] ^= 1
    weights.write_bytes(content)
    (models / ".default").write_text("gone\n")
    (models / ".licences.json").write_text("[")
    run_dir = tmp_path / "open"
    run_dir.mkdir(mode=0o755)
    run_dir.chmod(0o755)
    result = command("doctor", "--offline", "--run-dir", str(run_dir))
    assert result.returncode == 1
    assert "4 problems" in result.stdout
    for remedy in (
        "-> wilor-sidecar models remove small && wilor-sidecar setup",
        "-> wilor-sidecar models use NAME",
        f"-> chmod 700 {run_dir}",
        f"-> rm {models / '.licences.json'}",
    ):
        assert remedy in result.stdout


def test_a_hub_that_does_not_answer_is_a_warning(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is needed for `setup` only."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    result = command("doctor", "--run-dir", str(tmp_path / "none"))
    assert result.returncode == 0, result.stdout
    assert "cannot be reached" in result.stdout
