"""What the doctor writes into its report, and what it leaves out."""

import argparse
import getpass
import json
import socket
from pathlib import Path

import pytest

from wilor_sidecar.config import resolve
from wilor_sidecar.doctor.findings import ok, problem
from wilor_sidecar.doctor.report import report_text, without_private_data

HOME = Path("/home/ada.lovelace")


def test_a_report_says_what_was_found() -> None:
    """Findings, versions, and where the settings come from."""
    effective = resolve(argparse.Namespace(), {"WILOR_SIDECAR_CONFIG": "/dev/null", "WILOR_SIDECAR_LOG_LEVEL": "debug"})
    findings = [ok("python", "3"), problem("model", f"{HOME}/model is gone", "mend it")]
    report = json.loads(report_text(findings, effective, HOME))
    assert report["findings"][1] == {
        "check": "model",
        "level": "problem",
        "text": "~/model is gone",
        "mend": "mend it",
    }
    assert report["settings_from"]["log_level"] == "environment WILOR_SIDECAR_LOG_LEVEL"
    assert {"mlx", "numpy", "pyzmq"} <= report["packages"].keys()


def test_private_data_is_left_out() -> None:
    """The home, the user's and the host's name, and tokens."""
    user, host = getpass.getuser(), socket.gethostname()
    text = f"{HOME}/x {user} on {host}: hf_abcDEF123 and the{user}s"
    cleaned = without_private_data(text, HOME)
    assert cleaned == f"~/x USER on HOST: HF_TOKEN and the{user}s"


@pytest.mark.parametrize("before", ["ada:s3cret@", "s3cret@", "ada:p@ss@"])
def test_a_password_in_a_url_is_left_out(before: str) -> None:
    """Whatever check met it; the rest of the URL tells what was asked."""
    text = f'"http://{before}host:8080/a/b@main is not reachable; ipc:///run/x, ada@host"'
    cleaned = '"http://host:8080/a/b@main is not reachable; ipc:///run/x, ada@host"'
    assert without_private_data(text, HOME) == cleaned
