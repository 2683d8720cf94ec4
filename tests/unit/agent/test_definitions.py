"""What launchd and systemd are told: as the committed examples say, sound, and safe against odd names."""

import json
import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wilor_sidecar.agent.definitions import LABEL, UNIT, Session, launchd_plist, systemd_unit
from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.cli.exits import PERMANENT, RESTART, Exit
from wilor_sidecar.cli.supervised import TRY_AGAIN_S

EXAMPLES = Path(__file__).parents[3] / "launchd"
ODD = ["plain", "with space", 'quo"te', "<&>'", "per%cent %h", "$HOME ${HOME}", "back\\slash", "Zoë-日本", "@{program}"]

FORBIDDEN = set("\"'\\")
"""What systemd takes in no program's path."""


def plist_of(
    program: str = "/Users/you/.local/bin/wilor-sidecar", home: str = "/Users/you", session: Session = "Aqua"
) -> str:
    """The property list of a user."""
    output = Path(home) / "Library" / "Logs" / "wilor-sidecar" / "launchd.log"
    return launchd_plist(program=Path(program), home=Path(home), output=output, session=session)


def unit_of(program: str = "/home/you/.local/bin/wilor-sidecar") -> str:
    """The unit of a user."""
    return systemd_unit(program=Path(program))


def test_the_examples_are_what_is_written() -> None:
    """What a person may copy by hand from the folder is what `agent install` writes, but for the names."""
    assert (EXAMPLES / f"{LABEL}.plist").read_text() == plist_of()
    assert (EXAMPLES / UNIT).read_text() == unit_of()


def test_the_property_list_means_what_it_must() -> None:
    """Each key has the value that launchd's rules ask for; see launchd/README.md for the reasons."""
    keys = plistlib.loads(plist_of().encode())
    assert keys["Label"] == LABEL
    assert keys["ProgramArguments"] == ["/Users/you/.local/bin/wilor-sidecar", "serve", "--supervisor=launchd"]
    assert keys["RunAtLoad"] is True
    assert keys["KeepAlive"] == {"SuccessfulExit": False}, "or-ed: a second condition would restart what was stopped"
    assert keys["ProcessType"] == "Interactive"
    assert keys["LimitLoadToSessionType"] == "Aqua"
    assert keys["Umask"] == 0o077
    assert keys["SoftResourceLimits"] == {"NumberOfFiles": 4096}
    assert 6 < keys["ExitTimeOut"] <= 20
    for key in ("WorkingDirectory", "StandardOutPath", "StandardErrorPath"):
        assert keys[key].startswith("/Users/you"), "launchd expands no ~"
    assert "EnvironmentVariables" not in keys, "settings belong into the settings file"
    assert keys.get("ThrottleInterval", 10) >= 10


def test_the_session_is_as_asked() -> None:
    """Without a screen it is for any session."""
    assert plistlib.loads(plist_of(session="Background").encode())["LimitLoadToSessionType"] == "Background"


@pytest.mark.parametrize("name", ODD)
def test_odd_names_in_a_property_list(name: str) -> None:
    """Whatever a folder is called, the file is XML and says that name."""
    keys = plistlib.loads(plist_of(f"/Users/{name}/wilor-sidecar", f"/Users/{name}").encode())
    assert keys["ProgramArguments"][0] == f"/Users/{name}/wilor-sidecar"
    assert keys["WorkingDirectory"] == f"/Users/{name}"


@pytest.mark.parametrize("name", ["line\nbreak", "tab\t", "nul\0", "\x1b[31m", "not-utf8-\udcff"])
def test_names_that_cannot_be_written(name: str) -> None:
    """A control character is refused with a sentence, not written."""
    with pytest.raises(AgentError, match="characters"):
        plist_of(f"/Users/{name}/wilor-sidecar")
    with pytest.raises(AgentError, match="characters"):
        unit_of(f"/home/{name}/wilor-sidecar")


def test_the_unit_means_what_it_must() -> None:
    """Readiness, watchdog, restarts and the exit statuses that forbid one."""
    lines = unit_of().splitlines()
    prevented = next(line for line in lines if line.startswith("RestartPreventExitStatus="))
    assert {int(status) for status in prevented.split("=")[1].split()} == set(PERMANENT)
    for wanted in ("Type=notify", "Restart=on-failure", "RuntimeDirectoryMode=0700", "UMask=0077", "LimitCORE=0"):
        assert wanted in lines
    assert any(re.fullmatch(r"WatchdogSec=\d+", line) for line in lines)
    assert not any(line.startswith("Environment") for line in lines), "settings belong into the settings file"


def test_systemd_never_gives_up_on_what_passes() -> None:
    """Its limit of starts is not reached by a daemon that ends with 75 for as long as it takes."""
    found = dict(line.split("=", 1) for line in unit_of().splitlines() if "=" in line and not line.startswith("#"))
    longest_s = int(found["StartLimitBurst"]) * (TRY_AGAIN_S + int(found["RestartSec"]))
    assert longest_s > 1.5 * int(found["StartLimitIntervalSec"])


@pytest.mark.parametrize("name", [name for name in ODD if set(name) & FORBIDDEN])
def test_paths_that_systemd_takes_in_no_way(name: str) -> None:
    """They are refused with a sentence, before anything is written."""
    with pytest.raises(AgentError, match="quotes or backslashes"):
        unit_of(f"/home/{name}/wilor-sidecar")


def test_the_readme_tells_the_exit_statuses() -> None:
    """Each status is there, with what it leads to."""
    told = {}
    for line in (EXAMPLES / "README.md").read_text().splitlines():
        if row := re.match(r"\| ([\d, ]+) \| .* \| (.*) \| (.*) \|$", line):
            told.update({int(status): (row[2], row[3]) for status in row[1].split(", ")})
    assert told == {
        Exit.OK: ("stays away", "stays away"),
        **dict.fromkeys(PERMANENT, ("told 0 instead: stays away", "stays away")),
        **dict.fromkeys(RESTART, ("starts it again", "starts it again")),
    }


def test_the_formula_s_service_is_the_same() -> None:
    """Homebrew's service starts the same command by the same rules."""
    formula = (EXAMPLES / "wilor-sidecar.rb").read_text()
    arguments = plistlib.loads(plist_of().encode())["ProgramArguments"][1:]
    assert f'run [opt_bin/"wilor-sidecar", {", ".join(json.dumps(each) for each in arguments)}]' in formula
    assert "keep_alive successful_exit: false\n" in formula
    assert "process_type :interactive\n" in formula


def executable(folder: Path) -> Path:
    """A program in a folder, which is made."""
    folder.mkdir(parents=True)
    program = folder / "wilor-sidecar"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
@pytest.mark.parametrize("name", [name for name in ODD if not set(name) & FORBIDDEN])
def test_systemd_understands_the_unit(name: str, tmp_path: Path) -> None:
    """Systemd's own checker finds no fault with it, and finds the program, whatever its folder is called."""
    program = executable(tmp_path / name)
    for directory, wanted in ((program, 0), (program.with_name("another"), 1)):
        unit = tmp_path / UNIT
        unit.write_text(systemd_unit(program=directory))
        command = ["systemd-analyze", "--user", "verify", "--man=no", str(unit)]
        environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
        run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert run.returncode == wanted, run.stderr
        assert ("wilor-sidecar.service" in run.stderr) == bool(wanted), run.stderr
