"""`wilor-sidecar doctor`: look at machine, installation and running daemon, and say what would mend what is wrong."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from wilor_sidecar.cli.commands import SubParsers, add_command, add_daemon_flags, keys_of, requests_of
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import SETTINGS, Config, ConfigError, Effective, resolve
from wilor_sidecar.doctor.agent import check_agent
from wilor_sidecar.doctor.black_box import MadeModel, Target, check_daemon
from wilor_sidecar.doctor.findings import LEVELS, Finding, problem
from wilor_sidecar.doctor.guard import guarded
from wilor_sidecar.doctor.hub import check_hub
from wilor_sidecar.doctor.machine import check_machine
from wilor_sidecar.doctor.places import check_licences, check_models, check_run_directory, check_settings
from wilor_sidecar.doctor.report import report_text
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.probe import read_probe
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import read_config
from wilor_sidecar.weights.store import ModelStore, folder_of

_REPORT = Path("wilor-sidecar-report.json")


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "doctor",
        run,
        "Check machine, installation and running daemon; say what mends what is wrong. Exit status 1 for a problem.",
    )
    parser.add_argument(
        "--report",
        nargs="?",
        type=Path,
        const=_REPORT,
        metavar="FILE",
        help=f"write a file to attach to a bug report, without private data (default: {_REPORT})",
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the hub")
    add_daemon_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check everything."""
    effective, mistake = _settings(arguments)
    findings = []
    for finding in _findings(arguments, effective, mistake):
        findings.append(finding)
        sys.stdout.write(finding.line() + "\n")
        sys.stdout.flush()
    counts = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    sys.stdout.write(
        f"{counts['ok']} ok, {counts['not tried']} not tried, {counts['warning']} warnings, "
        f"{counts['problem']} problems\n"
    )
    if arguments.report:
        _write(arguments.report, report_text(findings, effective, Path.home()))
    return Exit.FAILED if counts["problem"] else Exit.OK


def _settings(arguments: argparse.Namespace) -> tuple[Effective, ConfigError | None]:
    """The settings; where they cannot be used the defaults, with which all else can be looked at, and why."""
    try:
        return resolve(arguments, os.environ), None
    except ConfigError as error:
        return Effective(Config(), {each.name: "default" for each in SETTINGS}, Path(os.devnull)), error


def _findings(arguments: argparse.Namespace, effective: Effective, mistake: ConfigError | None) -> Iterator[Finding]:
    yield from guarded("machine", check_machine)
    if mistake:
        yield problem("settings", f"{mistake}; looking on with the defaults", "mend it: the daemon will not start")
    else:
        yield from guarded("settings", lambda: check_settings(effective))
    yield from guarded("run directory", lambda: check_run_directory(effective.config.run_dir))
    mend = ""
    for finding in guarded("models", lambda: check_models(effective)):
        yield finding
        if finding.level == "problem" and finding.check == f"model {effective.config.model}":
            mend = finding.mend
    yield from guarded("licences", lambda: check_licences(ModelStore(effective.config.models_dir)))
    yield from guarded("hub", lambda: check_hub(offline=arguments.offline))
    yield from guarded("agent", lambda: check_agent(Path.home()))
    requests = None if mistake else requests_of(arguments)
    made = _made_model(effective)
    yield from guarded("daemon", lambda: check_daemon(Target(requests, keys_of(arguments), made, mend)))


def _made_model(effective: Effective) -> MadeModel | None:
    """The configured model's name and what it answered when it was made, where that is known."""
    try:
        folder = folder_of(effective.located_model())
        probe = read_probe(folder)
        return MadeModel(read_config(folder).name, probe) if probe else None
    except (ConfigError, SetupError, WeightsError):  # told by the other checks
        return None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror})") from error
    sys.stdout.write(f"wrote {path}\n")
