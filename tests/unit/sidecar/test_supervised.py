"""What keeps the daemon from starting, and what a supervisor is told of it."""

import errno
import time
from pathlib import Path

import pytest

from wilor_sidecar.agent.launchd_files import LaunchdFiles
from wilor_sidecar.cli.exits import PASSING, Exit
from wilor_sidecar.cli.failure import status_of_refusal
from wilor_sidecar.cli.supervised import TRY_AGAIN_S, refused
from wilor_sidecar.config import ConfigError, NotThereYetError
from wilor_sidecar.run_directory import RunDirectoryError


def refusal(number: int) -> Exception:
    """As the daemon's parts raise it: their own error, from another one, from the system's."""
    outer = RunDirectoryError("run directory: no")
    outer.__cause__ = ConfigError("no")
    outer.__cause__.__cause__ = OSError(number, "no")
    return outer


@pytest.mark.parametrize("number", sorted(PASSING), ids=errno.errorcode.get)
def test_what_passes_is_temporary(number: int) -> None:
    """The network that is not up yet, a taken port, a full disk: the same start may succeed in a minute."""
    assert status_of_refusal(refusal(number)) is Exit.TEMPORARY


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENAMETOOLONG, errno.EINVAL])
def test_what_stays_is_a_wrong_setting(number: int) -> None:
    """Starting again would not help."""
    assert status_of_refusal(refusal(number)) is Exit.CONFIG
    assert status_of_refusal(ConfigError("no")) is Exit.CONFIG


def test_what_is_not_there_yet_is_temporary() -> None:
    """A disk may still be mounted."""
    assert status_of_refusal(NotThereYetError("models_dir")) is Exit.TEMPORARY


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LaunchdFiles:
    """Of a user whose home is the test's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return LaunchdFiles(tmp_path)


LAUNCHD = ["--supervisor=launchd", "--supervisor launchd", "--super=launchd", "--supervis launchd"]


@pytest.mark.parametrize("flag", LAUNCHD)
@pytest.mark.parametrize("status", [Exit.CONFIG, Exit.USAGE])
def test_launchd_is_told_0_however_its_flag_is_written(files: LaunchdFiles, flag: str, status: Exit) -> None:
    """Also on a command line that is wrong elsewhere, or in this flag: else launchd would go on for ever."""
    assert refused(status, "the reason", ["serve", "-x", *flag.split(), "--no-such"]) is Exit.OK
    assert files.refusal == "the reason"


@pytest.mark.parametrize("flag", ["", "--supervisor=systemd", "--supervisor systemd", "--supervisor"])
def test_others_are_told_the_truth(files: LaunchdFiles, flag: str) -> None:
    """Systemd knows the statuses after which a start does not help, and so does a person."""
    assert refused(Exit.CONFIG, "the reason", ["serve", *flag.split()]) is Exit.CONFIG
    assert files.refusal is None


def test_a_supervisor_s_next_try_is_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may pass is waited for a little; a person is told at once."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert refused(Exit.TEMPORARY, "the port is taken", ["serve"]) is Exit.TEMPORARY
    assert slept == []
    for flag in (*LAUNCHD, "--supervisor=systemd"):
        assert refused(Exit.TEMPORARY, "the port is taken", ["serve", *flag.split()]) is Exit.TEMPORARY
    assert slept == [TRY_AGAIN_S] * 5
