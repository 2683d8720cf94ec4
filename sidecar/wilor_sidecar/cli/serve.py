"""`wilor-sidecar serve`: the daemon, in the foreground. A supervisor puts it where it belongs."""

import argparse
import os
import sys
from contextlib import nullcontext

from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import add_flags, resolve
from wilor_sidecar.engine import Network
from wilor_sidecar.exporter import Exporter
from wilor_sidecar.logs import start_logging
from wilor_sidecar.mlx_settings import settle_mlx
from wilor_sidecar.run_directory import AlreadyRunningError, RunDirectory, RunDirectoryError
from wilor_sidecar.service import Service


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "serve", run, "Serve hand poses until told to stop.")
    add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Live one life of the daemon."""
    os.umask(0o077)
    try:
        config = resolve(arguments, os.environ).config
        model = config.located_model()
        start_logging(config.log_level, config.log_file)
        directory = RunDirectory.take(config.run_dir)
    except AlreadyRunningError as error:
        raise CommandError(str(error), Exit.TEMPORARY) from error
    except RunDirectoryError as error:
        raise CommandError(str(error), Exit.CONFIG) from error
    settle_mlx()
    with Exporter(config.metrics, directory.requests_address) if config.metrics else nullcontext():
        engine_has_ended = Service(directory, lambda: _load(model)).run()
    if not engine_has_ended:
        sys.stderr.flush()
        os._exit(Exit.OK)  # a normal end would wait for it; and who was asked to stop must not look crashed
    return Exit.OK


def _load(model: str) -> Network:
    from wilor_sidecar.serving import ServedModel  # noqa: PLC0415 - imports MLX, which belongs to the engine's thread

    return ServedModel(model)
