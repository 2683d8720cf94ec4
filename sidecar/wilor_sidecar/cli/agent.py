"""`wilor-sidecar agent ...`: the daemon as a service that is there after each login."""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from wilor_protocol.replies import State, StatusReply
from wilor_protocol.version import __version__
from wilor_sidecar.agent.advice import advice
from wilor_sidecar.agent.command_line import run_command
from wilor_sidecar.agent.errors import AgentError, RefusedError
from wilor_sidecar.agent.leftovers import remove_leftovers
from wilor_sidecar.agent.needs import agent_obstacles
from wilor_sidecar.agent.own_settings import AgentSettings, agent_settings
from wilor_sidecar.agent.program import find_program
from wilor_sidecar.agent.report import Report
from wilor_sidecar.agent.supervisor import Supervisor, supervisor_of_this_system
from wilor_sidecar.agent.waiting import ask, wait_until_ready
from wilor_sidecar.cli.argument_types import count_or_none, seconds
from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.cli.status_text import status_lines

_TIMEOUT_S = 300.0
_LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class _Here:
    """This user's agent."""

    supervisor: Supervisor
    settings: AgentSettings

    @property
    def is_installed(self) -> bool:
        """The definition is there."""
        return self.supervisor.file.path.is_file()


def add_parser(commands: SubParsers) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser(
        "agent", help="The daemon as a service: there after each login.", description="The daemon as a service."
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    install = add_command(actions, "install", _run_install, "Start the daemon now and at each login.")
    install.add_argument("--print", action="store_true", help="only print what would be written, and where")
    install.add_argument("--force", action="store_true", help="overwrite what was changed by hand")
    add_command(actions, "uninstall", _run_uninstall, "Stop it and remove all but weights and settings.")
    start = add_command(actions, "start", _run_start, "Start it.")
    add_command(actions, "stop", _run_stop, "Stop it, until the next login.")
    restart = add_command(actions, "restart", _run_restart, "Stop and start it: for new settings, or a new model.")
    for action in (install, start, restart):
        action.add_argument(
            "--timeout", type=seconds, default=_TIMEOUT_S, metavar="S", help="how long to wait until it is ready"
        )
    add_command(actions, "status", _run_status, "Say how it is. Exit status 0 when it is ready, else 1.")
    logs = add_command(actions, "logs", _run_logs, "Print the end of its log.")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    logs.add_argument(
        "-n", "--lines", type=count_or_none, default=_LOG_LINES, metavar="N", help="(default: %(default)s)"
    )


def _here() -> _Here:
    home, user_id = Path.home(), os.getuid()
    if user_id == 0 and "SUDO_UID" in os.environ:
        raise CommandError("the agent belongs to the user who logs in, not to root: run this without sudo", Exit.USAGE)
    supervisor = supervisor_of_this_system(os.environ, home, user_id)
    return _Here(supervisor, agent_settings(supervisor.environment, os.environ))


def _usable() -> _Here:
    """The same, where a start has a chance."""
    import_module("wilor_sidecar.cli.serve")  # where a part of the installation is missing, it is told here and now
    here = _here()
    if here.settings.problem:
        raise CommandError(f"{here.settings.problem}\nNothing was changed. Mend {here.settings.file}.", Exit.CONFIG)
    if here.settings.ignored:
        unseen = ", ".join(here.settings.ignored)
        _note(f"note: the agent does not see this shell's {unseen}; write such settings into {here.settings.file}")
    return here


def _run_install(arguments: argparse.Namespace) -> int:
    """Write the definition if need be, and see to it that the daemon runs by it."""
    here = _usable()
    program = find_program(sys.argv[0], sys.executable)
    file, [definition, *others] = here.supervisor.file, here.supervisor.definitions(program)
    if arguments.print:
        _note(f"# {file.path}")
        _say(definition.rstrip())
        return Exit.OK
    _heed_obstacles(program, here.settings)
    report = here.supervisor.report()  # where there is no supervisor, nothing is written
    condition = file.condition(definition)
    if condition == "edited" and not arguments.force:
        _say(f"kept {file.path}, which was changed by hand:\n{file.changes(definition)}")
        _say("`wilor-sidecar agent restart` runs the daemon by it, `agent install --force` takes the changes back")
        _stop_other_version(here, report)
        others = []
    elif condition == "as wanted":
        _say(f"{file.path} is as it should be")
        _stop_other_version(here, report)
    else:
        if condition == "edited":
            _say(str(file.remove()))
        _write(here, definition)
        here.supervisor.stop()  # what runs by the old definition
    _start_by_any(here, definition, others, arguments.timeout)
    _say(f"It is started at each login. Settings: {here.settings.file}")
    return Exit.OK


def _heed_obstacles(program: Path, settings: AgentSettings) -> None:
    """This shell may read more than a supervisor: nothing is installed that would not start."""
    found = list(agent_obstacles(program, settings, platform=sys.platform, home=Path.home()))
    certain = [f"{each}\n-> {each.remedy}" for each in found if each.is_certain]
    if certain:
        raise CommandError("\n".join([*certain, "Nothing was changed."]), Exit.CONFIG)
    for each in found:
        _note(f"note: {each}\n-> if it does not start: {each.remedy}")


def _write(here: _Here, definition: str) -> None:
    here.supervisor.file.write(definition)
    _say(f"wrote {here.supervisor.file.path}:\n{definition.rstrip()}")


def _start_by_any(here: _Here, first: str, others: list[str], timeout_s: float) -> None:
    """By the file as it is, or where that is refused by the next definition; the first stays if each one is."""
    try:
        return _start(here, timeout_s)
    except RefusedError as error:
        refused = error
    for definition in others:
        _note(str(refused))
        _write(here, definition)
        try:
            return _start(here, timeout_s)
        except RefusedError as error:
            refused = error
    if others:
        here.supervisor.file.write(first)
    raise refused


def _stop_other_version(here: _Here, report: Report) -> None:
    if older := _other_version(report, ask(here.settings.run_dir, is_there=report.pid is not None)):
        _say(f"{older} is still running: it is replaced by {__version__}")
        here.supervisor.stop()


def _other_version(report: Report, status: StatusReply | None) -> str | None:
    """The version of the agent's daemon, where an upgrade has left an older one running; None: it is ours."""
    if status is None or status.pid != report.pid or status.server.split()[-1] == __version__:
        return None
    return status.server


def _run_uninstall(_: argparse.Namespace) -> int:
    here = _here()
    was_loaded = here.supervisor.report().is_loaded
    removed = here.supervisor.forget()
    was_there = was_loaded or removed is not None
    if removed:
        _say(removed)
    left = remove_leftovers(
        files=here.supervisor.leftovers(), kernels=here.settings.kernels, run_dir=here.settings.run_dir
    )
    for line in left:
        _say(line)
    if here.settings.log_file and here.settings.log_file.exists():
        _say(f"left {here.settings.log_file}: your settings chose it (log_file), and others may log there")
    _say("the agent is gone" if was_there else "no agent was installed here")
    for what, path in (("models", here.settings.models_dir), ("settings", here.settings.file)):
        if path.exists():
            _say(f"kept the {what}: {path}")
    return Exit.OK


def _run_start(arguments: argparse.Namespace) -> int:
    _start(_usable(), arguments.timeout)
    return Exit.OK


def _run_stop(_: argparse.Namespace) -> int:
    here = _here()
    here.supervisor.stop()
    _say("stopped; it will be started at the next login" if here.is_installed else "no agent is installed here")
    return Exit.OK


def _run_restart(arguments: argparse.Namespace) -> int:
    here = _usable()
    here.supervisor.stop()
    _start(here, arguments.timeout)
    return Exit.OK


def _run_status(_: argparse.Namespace) -> int:
    """What the supervisor says, and what the daemon says."""
    here = _here()
    report = here.supervisor.report()
    status = ask(here.settings.run_dir, is_there=report.pid is not None)
    lines = [f"{here.supervisor.name:<11} {report.summary}"]
    if report.pid is not None:
        lines.append(f"pid         {report.pid}" + (f", start {report.starts}" if report.starts else ""))
    if report.last_exit is not None:
        lines.append(f"last exit   {report.last_exit}")
    if here.is_installed and not here.supervisor.starts_at_login():
        lines.append("at login    it is not started: switched off")
    if here.settings.problem:
        lines.append(f"settings    {here.settings.problem}")
    if status is None:
        lines.append(f"daemon      nobody answers in {here.settings.run_dir}")
        if report.says and report.pid:
            lines.append(f"it says     {report.says}")
    elif status.pid != report.pid:
        lines.append(f"daemon      another one than the agent's answers: pid {status.pid}")
    elif older := _other_version(report, status):
        lines.append(f"daemon      it is {older}, installed is {__version__}")
    _say("\n".join(lines))
    if status is not None:
        _say("\n".join(status_lines(status)))
    if next_step := _advice(here, report, status):
        _say(f"next        {next_step}")
    is_ours = status is not None and status.ready and status.pid == report.pid
    return Exit.OK if is_ours else Exit.FAILED


def _run_logs(arguments: argparse.Namespace) -> int:
    """Hand over to the system's own program for it."""
    here = _here()
    command = here.supervisor.log_command(here.settings.log_file, arguments.lines, follow=arguments.follow)
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)  # noqa: S606 - ours, and no shell
    except FileNotFoundError:
        raise AgentError(f"{command[0]}, which reads the log, is not installed here") from None


def _start(here: _Here, timeout_s: float) -> None:
    began = time.monotonic()
    here.supervisor.start()
    outcome = wait_until_ready(here.supervisor.report, here.settings.run_dir, timeout_s, _say_state)
    if not outcome.is_ready:
        sys.stderr.write(_log_end(here))
        next_step = _advice(here, outcome.report, outcome.status)
        raise CommandError(f"{outcome.why}\nnext: {next_step}" if next_step else outcome.why)
    _say(f"{outcome.why}, after {time.monotonic() - began:.1f} s")


def _advice(here: _Here, report: Report, status: StatusReply | None) -> str:
    return advice(
        report,
        status,
        is_installed=here.is_installed,
        is_outdated=_other_version(report, status) is not None,
        settings_problem=here.settings.problem,
        settings_file=here.settings.file,
    )


def _log_end(here: _Here) -> str:
    try:
        command = here.supervisor.log_command(here.settings.log_file, _LOG_LINES, follow=False)
        said = run_command(command).stdout.rstrip()
    except AgentError:  # there is none yet, or nobody who reads it
        return ""
    return f"its log ends:\n{said}\n\n" if said else ""


def _say_state(state: State) -> None:
    _say(f"{state} ...")


def _note(text: str) -> None:
    """What is no part of the output that somebody may redirect into a file."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
