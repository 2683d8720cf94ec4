"""The agent on a Mac, command by command; the daemon is the real one, launchd a stand-in."""

import logging
import os
import plistlib
import re
import signal
import stat

import psutil
import pytest

from wilor_protocol.version import __version__
from wilor_sidecar.agent.written_file import WrittenFile
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.logs import PrivateFile

from .mac_session import MacSession


def session_of(mac: MacSession) -> str:
    """For which kind of session the definition is."""
    return str(plistlib.loads(mac.plist.read_bytes())["LimitLoadToSessionType"])


def test_an_agent_from_install_to_uninstall(mac: MacSession) -> None:
    """Installed it is ready, and says so, whatever this shell's settings; uninstalled it leaves settings only."""
    installed = mac.agent("install", WILOR_SIDECAR_MODEL="nowhere", WILOR_SIDECAR_RUN="/nowhere")
    assert installed.returncode == 0, installed.stderr
    assert f"wrote {mac.plist}:\n<?xml" in installed.stdout
    assert "does not see this shell's WILOR_SIDECAR_MODEL, WILOR_SIDECAR_RUN" in installed.stderr
    assert "\nready: serving embedded" in installed.stdout

    status = mac.agent("status")
    assert status.returncode == 0
    assert status.stdout.startswith("launchd     running in gui/")
    assert f"pid         {mac.pid()}, start 1\n" in status.stdout
    assert "\nready: serving embedded" in status.stdout
    assert "ready: serving" in mac.agent("logs", "-n", "50").stdout
    assert stat.S_IMODE(mac.logs.stat().st_mode) == 0o700
    assert stat.S_IMODE((mac.logs / "daemon.log").stat().st_mode) == 0o600

    pid = mac.pid()
    again = mac.agent("install")
    assert f"{mac.plist} is as it should be\n" in again.stdout
    assert mac.pid() == pid

    removed = mac.agent("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert mac.job() is None
    left = sorted(path.relative_to(mac.home).name for path in mac.home.rglob("*") if path.is_file())
    assert left == ["config.toml", "config.toml"]
    assert not mac.run_dir.exists()
    assert mac.agent("uninstall").returncode == 0


def test_start_stop_restart(mac: MacSession) -> None:
    """A stopped agent stays stopped; a restarted one is another process with new settings."""
    assert mac.agent("start").returncode == 1
    assert "install" in mac.agent("start").stderr
    assert mac.agent("install").returncode == 0
    first = mac.pid()
    assert mac.agent("stop").returncode == 0
    assert mac.job() is None
    stopped = mac.agent("status")
    assert stopped.returncode == 1
    assert stopped.stdout.startswith("launchd     not loaded\n")
    assert mac.plist.is_file()
    assert mac.agent("stop").returncode == 0
    assert mac.agent("start").returncode == 0
    second = mac.pid()
    mac.set(log_level="debug")
    assert mac.agent("restart").returncode == 0
    assert len({first, second, mac.pid()}) == 3


def test_logs_are_followed_through_a_rotation(mac: MacSession) -> None:
    """From before there is a log, over its beginning, and on when the daemon begins a new file."""
    assert "nothing has been logged yet" in mac.agent("logs").stderr
    log = logging.Logger("daemon")
    mac.logs.mkdir(parents=True)
    with mac.agent_that_goes_on("logs", "-f") as following:
        handler = PrivateFile(mac.logs / "daemon.log", file_bytes=100, old_files=2)
        log.addHandler(handler)
        try:
            assert following.stdout is not None
            for number in range(5):  # a line is more than half a file
                log.warning("%d %s", number, "-" * 60)
                assert following.stdout.readline().startswith(f"{number} ---")
        finally:
            following.terminate()
            handler.close()
    assert sorted(path.name for path in mac.logs.iterdir()) == ["daemon.log", "daemon.log.1", "daemon.log.2"]


def test_print_only_prints(mac: MacSession) -> None:
    """What is printed is a property list that holds, and nothing is written."""
    printed = mac.agent("install", "--print", WILOR_SIDECAR_MODEL="nowhere")
    assert printed.stderr.endswith(f"# {mac.plist}\n")
    assert plistlib.loads(printed.stdout.encode())["WorkingDirectory"] == str(mac.home)
    assert not mac.plist.exists()
    assert mac.job() is None


def test_changes_by_hand_are_kept(mac: MacSession) -> None:
    """An edited file is shown and stays, and is what runs; --force, or a newer version, replaces what is not edited."""
    assert mac.agent("install").returncode == 0
    written = mac.plist.read_text()
    mac.plist.write_text(written.replace("<integer>10</integer>", "<integer>17</integer>"))
    kept = mac.agent("install")
    assert kept.returncode == 0
    assert f"kept {mac.plist}, which was changed by hand" in kept.stdout
    assert "agent restart` runs the daemon by it" in kept.stdout
    assert "+\t<integer>17</integer>" in kept.stdout
    assert "<integer>17</integer>" in mac.plist.read_text()
    first = mac.pid()
    forced = mac.agent("install", "--force")
    assert forced.returncode == 0
    assert f"which was changed by hand: it is kept as {mac.plist}.bak\n" in forced.stdout
    assert "<integer>17</integer>" in mac.plist.with_name(f"{mac.plist.name}.bak").read_text()
    assert mac.plist.read_text() == written
    second = mac.pid()
    assert second != first, "the new definition was not loaded"

    older = {**plistlib.loads(mac.plist.read_bytes()), "ExitTimeOut": 20}
    WrittenFile(mac.plist).write(plistlib.dumps(older).decode())
    replaced = mac.agent("install")
    assert replaced.returncode == 0, replaced.stderr
    assert "kept" not in replaced.stdout
    assert mac.plist.read_text() == written
    assert mac.pid() not in (first, second, None)


def test_after_an_upgrade_the_new_version_serves(mac: MacSession) -> None:
    """Status tells that another one is running; install replaces it, though the definition is the same."""
    assert mac.agent("install").returncode == 0
    old = mac.pid()
    status = mac.agent("status", AS_OF_VERSION="99.1.0")
    assert f"daemon      it is wilor-sidecar {__version__}, installed is 99.1.0\n" in status.stdout
    assert "next        `wilor-sidecar agent restart`" in status.stdout
    installed = mac.agent("install", AS_OF_VERSION="99.1.0")
    assert installed.returncode == 0, installed.stderr
    assert f"wilor-sidecar {__version__} is still running: it is replaced by 99.1.0\n" in installed.stdout
    assert mac.pid() not in (old, None)


def test_start_goes_by_the_file_as_it_is(mac: MacSession) -> None:
    """Also where launchd has an older one in its memory, of a job that has ended."""
    assert mac.agent("install").returncode == 0
    mac.kill(signal.SIGTERM)
    mac.wait_for_job(state="not running")
    mac.plist.write_text(
        mac.plist.read_text().replace(
            "<string>serve</string>", "<string>serve</string><string>--log-level=debug</string>"
        )
    )
    assert mac.agent("start").returncode == 0
    assert "--log-level=debug" in psutil.Process(mac.pid()).cmdline()


def test_a_supervisor_s_flag_in_two_words(mac: MacSession) -> None:
    """As people write it by hand: a wrong setting is no storm of starts then either."""
    assert mac.agent("install").returncode == 0
    two = "<string>--supervisor</string><string>launchd</string>"
    mac.plist.write_text(mac.plist.read_text().replace("<string>--supervisor=launchd</string>", two))
    assert mac.agent("restart").returncode == 0
    runs = mac.starts()
    mac.set(modle="embedded")
    mac.kill(signal.SIGKILL)
    mac.wait_for_job(runs=runs + 1, state="not running", last=0)
    assert "refused to start" in mac.agent("status").stdout


def test_a_place_that_cannot_be_written_is_told(mac: MacSession) -> None:
    """In a sentence that names it; nothing is started."""
    mac.plist.parent.parent.mkdir(parents=True, exist_ok=True)
    mac.plist.parent.touch()
    installed = mac.agent("install")
    assert installed.returncode == 1
    assert installed.stderr == f"wilor-sidecar: {mac.plist}: cannot be read: Not a directory\n"
    assert mac.job() is None


@pytest.mark.parametrize("status", [5, 125])
def test_without_a_screen(mac: MacSession, status: int) -> None:
    """Over the network, where nobody is logged in at the screen, it is installed for the user's own domain.

    A definition for the screen cannot be started there, whatever launchctl's status for that: it is not even tried,
    and the message says what can be done.
    """
    assert mac.agent("install").returncode == 0
    assert mac.agent("stop").returncode == 0
    mac.log_in_at_the_screen(logged_in=False)
    mac.refuse("gui", status)
    started = mac.agent("start")
    assert started.returncode == 1
    assert "asks for a login at the screen and launchd knows of none (gui/" in started.stderr
    assert "Bootstrap failed" not in started.stderr
    installed = mac.agent("install")
    assert installed.returncode == 0, installed.stderr
    assert session_of(mac) == "Background"
    assert mac.job("gui") is None
    assert mac.job("user") is not None
    assert mac.agent("status").stdout.startswith("launchd     running in user/")
    assert mac.agent("uninstall").returncode == 0
    assert mac.job("user") is None


@pytest.mark.parametrize("status", [5, 125])
def test_a_domain_that_takes_no_service(mac: MacSession, status: int) -> None:
    """Though it is known: start says where to look, and install goes to the other domain, if that takes it."""
    mac.refuse("gui", status)
    installed = mac.agent("install")
    assert installed.returncode == 0, installed.stderr
    assert f"Bootstrap failed: {status}: " in installed.stderr
    assert "launchd does not take the service in gui/" in installed.stderr
    assert session_of(mac) == "Background"
    assert mac.agent("status").stdout.startswith("launchd     running in user/")

    mac.refuse("user", status)
    assert mac.agent("stop").returncode == 0
    started = mac.agent("start")
    assert started.returncode == 1
    assert "launchd does not take the service in user/" in started.stderr
    assert re.search("Login Items .*`wilor-sidecar agent install --force` tries gui/", started.stderr)
    neither = mac.agent("install")
    assert neither.returncode == 1
    assert re.search("take the service in gui/.*\n.*take the service in user/", neither.stderr), neither.stderr
    assert session_of(mac) == "Aqua", "the better one is left for the next login"

    mac.refuse("gui", None)
    assert mac.agent("start").returncode == 0
    assert mac.job("user") is None
    assert mac.job("gui") is not None


def test_what_launchd_may_not_read(mac: MacSession) -> None:
    """Nothing is installed that lies in a folder of documents, though this shell reads it; each thing is named."""
    models = mac.home / "Documents" / "models"
    models.mkdir(parents=True)
    mac.set(models_dir=str(models), log_file=str(mac.home / "Desktop" / "daemon.log"))
    installed = mac.agent("install")
    assert installed.returncode == 78
    for name, folder in (("models_dir", "Documents"), ("log_file", "Desktop")):
        assert f"{name} lies in {mac.home / folder}, where macOS lets a terminal read" in installed.stderr
    assert "Nothing was changed" in installed.stderr
    assert not mac.plist.exists()

    mac.set()
    assert mac.agent("install").returncode == 0
    assert [line.split()[:2] for line in mac.doctor()] == [["ok", "agent"]]
    mac.set(models_dir=str(models))
    [_, kept] = mac.doctor()
    assert kept.startswith(
        f"problem agent models_dir lies in {mac.home / 'Documents'}, where macOS lets a terminal read"
    )


def test_wrong_settings_are_not_installed(mac: MacSession) -> None:
    """Where the daemon would refuse to start, nothing is written, and the setting is named."""
    mac.set(model="nowhere")
    installed = mac.agent("install")
    assert installed.returncode == 78
    assert "nowhere" in installed.stderr
    assert not mac.plist.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can have come by sudo")
def test_with_sudo_it_is_refused(mac: MacSession) -> None:
    """Root's agent would never be there at this user's login, and its files would be root's."""
    for action in ("install", "status", "uninstall"):
        refused = mac.agent(action, SUDO_UID="501")
        assert refused.returncode == 64
        assert "without sudo" in refused.stderr
    assert not mac.plist.exists()


def test_another_daemon_is_in_the_way(mac: MacSession) -> None:
    """Install says which one; when that one ends the agent's takes over by itself."""
    mac.run_dir.mkdir(mode=0o700)
    with DaemonProcess(run_dir=mac.run_dir) as other:
        other.wait_until("ready")
        installed = mac.agent("install")
        assert installed.returncode == 1
        assert f"another daemon (pid {other.process.pid}) serves there already" in installed.stderr
        status = mac.agent("status")
        assert status.returncode == 1
        assert f"another one than the agent's answers: pid {other.process.pid}" in status.stdout
        assert other.stop() == 0
    mac.wait_until("ready")
    assert mac.starts() == 1, "it waited, and did not fail"
