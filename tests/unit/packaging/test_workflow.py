"""The GitHub workflow: it cannot run here, but what it relies on can be checked."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[3]
_FILE = _ROOT / ".github" / "workflows" / "test.yml"
_PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    """Its one job."""
    workflow = yaml.safe_load(_FILE.read_text())
    [only] = workflow["jobs"].values()
    found: dict[str, Any] = only
    return found


def commands(job: dict[str, Any]) -> str:
    """All that is run."""
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def test_it_calls_targets_that_exist(job: dict[str, Any]) -> None:
    """The same commands as people use: tests, and the wheel."""
    called = set(re.findall(r"make ([\w-]+)", commands(job)))
    defined = set(re.findall(r"^([\w-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"test", "test-wheel"} <= called <= defined


def test_it_runs_on_linux_and_on_macs(job: dict[str, Any]) -> None:
    """On fixed systems; Macs with Apple silicon, from the oldest Swift that the tests take to today's."""
    assert sorted(job["strategy"]["matrix"]["os"]) == ["macos-15", "macos-26", "ubuntu-24.04"]
    assert job["runs-on"] == "${{ matrix.os }}"
    assert job["timeout-minutes"] <= 60


def test_every_action_is_pinned(job: dict[str, Any]) -> None:
    """To a commit, which nobody can move, with its version beside it for people; and nothing may be written."""
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    assert [action for action in actions if not _PINNED.fullmatch(action)] == []
    text = _FILE.read_text()
    assert all(re.search(rf"{re.escape(action)} # v\d+\.\d+\.\d+$", text, re.MULTILINE) for action in actions)
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_no_part_is_left_out(job: dict[str, Any]) -> None:
    """Where a person may lack Swift, the workflow may not."""
    assert job["env"]["SWIFT_TESTS"] == "required"


def test_on_the_mac_the_gpu_is_asserted(job: dict[str, Any]) -> None:
    """MLX's default is the GPU there, and the daemon that launchd started says that it computes on it."""
    [step] = [step for step in job["steps"] if step.get("if") == "runner.os == 'macOS'"]
    told = step["run"].splitlines()
    assert "mx.metal.is_available() and mx.default_device() == mx.gpu" in told[0]
    assert 'json.load(sys.stdin)["device"]["name"] == "gpu"' in step["run"]
    order = [step["run"].index(f"agent {verb}") for verb in ("install", "status", "uninstall")]
    assert order == sorted(order)
    for source in re.findall(r"-c '([^']*)'", step["run"]):
        compile(source, str(_FILE), "exec")
