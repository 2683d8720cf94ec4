"""`wilor-sidecar serve`: the daemon, in the foreground. A supervisor puts it where it belongs."""

import argparse
import os
import sys
from contextlib import nullcontext
from typing import NoReturn

from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError, status_of_refusal
from wilor_sidecar.cli.supervised import (
    add_supervisor_flag,
    environment_under,
    has_started_under,
    log_file_under,
    take_run_directory,
)
from wilor_sidecar.config import Config, add_flags, resolve
from wilor_sidecar.exporter import Exporter
from wilor_sidecar.keys import KeyRing
from wilor_sidecar.logs import start_logging
from wilor_sidecar.mlx_settings import settle_mlx
from wilor_sidecar.process_limits import raise_file_limit
from wilor_sidecar.run_directory import AlreadyRunningError, RunDirectoryError
from wilor_sidecar.runner import Network
from wilor_sidecar.service import Ending, Service, Upkeep
from wilor_sidecar.tcp import TcpDoor

_SWITCH_S = 0.0005
"""How long the engine's thread may keep Python to itself when the I/O thread wants to answer; Python's own 5 ms are
paid several times in one answer. MLX computes without holding it.
"""
_STATUS = {
    Ending.STOPPED: Exit.OK,  # who was asked to stop must not look crashed, whatever its engine does
    Ending.FAULT: Exit.ENGINE_FAULT,
    Ending.TOO_MUCH_MEMORY: Exit.TEMPORARY,
    Ending.TAKEN_AWAY: Exit.TEMPORARY,
}


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "serve", run, "Serve hand poses until told to stop.")
    add_flags(parser)
    add_supervisor_flag(parser)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Live one life of the daemon."""
    os.umask(0o077)
    try:
        effective = resolve(arguments, environment_under(arguments.supervisor))
        config, model = effective.config, effective.located_model()
        door = TcpDoor(config.tcp, KeyRing(config.keys_dir)) if config.tcp else None
        start_logging(config.log_level, config.log_file or log_file_under(arguments.supervisor))
        directory = take_run_directory(config.run_dir, arguments.supervisor)
        has_started_under(arguments.supervisor)
    except AlreadyRunningError as error:
        raise CommandError(str(error), Exit.TEMPORARY) from error
    except RunDirectoryError as error:
        raise CommandError(str(error), status_of_refusal(error)) from error
    settle_mlx(of_agent=arguments.supervisor is not None)
    raise_file_limit()
    sys.setswitchinterval(_SWITCH_S)
    try:
        service = Service(directory, lambda: _load(model), upkeep=_upkeep_of(config), end_process=_end_process)
        if door:
            service.open_to_tcp(door)
    except (OSError, RunDirectoryError) as error:
        raise CommandError(f"{directory.path}: no sockets there: {error}", status_of_refusal(error)) from error
    with Exporter(config.metrics, directory.requests_address) if config.metrics else nullcontext():
        ending = service.run()
    _end_process(ending)


def _end_process(ending: Ending) -> NoReturn:
    """At once: a normal end would wait for an engine's thread that hangs, and MLX can crash a process that ends."""
    os._exit(_STATUS[ending])


def _upkeep_of(config: Config) -> Upkeep:
    return Upkeep(
        hang_limit_s=config.hang_limit,
        keep_warm_s=config.keep_warm,
        unload_after_s=config.unload_after,
        memory_limit_bytes=config.memory_limit * 10**6,
        most_failed_starts=config.most_failed_starts,
    )


def _load(model: str) -> Network:
    from wilor_sidecar.serving import ServedModel  # noqa: PLC0415 - imports MLX, which belongs to the engine's thread

    return ServedModel(model)
