"""`wilor-sidecar bench`: how fast the network is, and how much the daemon adds."""

import argparse
import os
import sys
from pathlib import Path

from wilor_sidecar.bench.dtypes import HEADER as DTYPES_HEADER
from wilor_sidecar.bench.dtypes import full_size, measure_dtypes
from wilor_sidecar.bench.full_size import full_size_folder
from wilor_sidecar.bench.round_trip import measure_throughput, time_round_trips
from wilor_sidecar.bench.samples import HEADER
from wilor_sidecar.cli.argument_types import count
from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import add_flags, resolve
from wilor_sidecar.daemon_process import DaemonDiedError, DaemonProcess
from wilor_sidecar.mlx_settings import settle_mlx
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.store import EMBEDDED, ModelStore, folder_of

_THROUGHPUT_S = 5.0
_LOAD_S = 600


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "bench", run, "Measure the network, its peers where installed, and the daemon.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", help="see `serve --model` (default: embedded)")
    which.add_argument(
        "--full-size",
        action="store_true",
        help="WiLoR's size with random weights: 2.5 GB, made here the first time, for which 5 GB are needed",
    )
    parser.add_argument("--runs", type=count, default=50, metavar="N", help="times of each thing (default: 50)")
    parser.add_argument("--batches", type=_batches, default=(1, 2, 4, 8), metavar="B,B", help="(default: 1,2,4,8)")
    parser.add_argument("--only", choices=("network", "daemon"), help="one part (default: both)")
    parser.add_argument(
        "--dtypes",
        action="store_true",
        help="instead: what float32, float16, int8 and int4 cost, for the embedded network and for WiLoR's size, as a "
        "table; with --model or --full-size for that one only. Needs 6 GB of disk and some minutes",
    )
    add_flags(parser, "models_dir")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    store = ModelStore(resolve(arguments, os.environ).config.models_dir)
    try:
        if arguments.dtypes:
            _bench_dtypes(arguments, store)
            return Exit.OK
        model = str(full_size_folder()) if arguments.full_size else _located(arguments, store)
        if arguments.only != "daemon":
            _bench_network(model, arguments.runs, arguments.batches)
        if arguments.only != "network":
            _bench_daemon(model, arguments.runs)
    except (WeightsError, DaemonDiedError) as error:
        raise CommandError(str(error)) from error
    return Exit.OK


def _located(arguments: argparse.Namespace, store: ModelStore) -> str:
    """What to load, by a path that means the same to a daemon elsewhere."""
    located = store.locate(arguments.model or EMBEDDED)
    return located if located == EMBEDDED else str(Path(located).absolute())


def _batches(text: str) -> tuple[int, ...]:
    try:
        batches = tuple(int(part) for part in text.split(","))
    except ValueError:
        batches = ()
    if not batches or not all(1 <= batch <= 8 for batch in batches):
        raise argparse.ArgumentTypeError(f"expected numbers from 1 to 8, got {text!r}")
    return batches


def _bench_dtypes(arguments: argparse.Namespace, store: ModelStore) -> None:
    models: dict[str, Path] = {}
    if not arguments.full_size:
        models[arguments.model or EMBEDDED] = folder_of(_located(arguments, store))
    if not arguments.model:
        models |= dict([full_size()])
    _say(f"on {_device_line()}")
    _say(DTYPES_HEADER)
    rows = []
    for row in measure_dtypes(models, arguments.runs, _mention):
        rows.append(row)
        _say(row.line())
    for row in rows:
        if row.start_up:
            told = row.start_up if isinstance(row.start_up, str) else row.start_up.line()
            _say(f"start of the daemon, {row.network}, {row.dtype}: {told}")


def _device_line() -> str:
    from wilor_sidecar.serving import ServedModel  # noqa: PLC0415 - imports MLX

    device = ServedModel(EMBEDDED).device
    return f"{device.name} with {device.blas or 'its own BLAS'}, {device.gflops:.0f} GFLOP/s, mlx {device.mlx}"


def _mention(line: str) -> None:
    sys.stderr.write(f"{line} ...\n")
    sys.stderr.flush()


def _bench_network(model: str, runs: int, batches: tuple[int, ...]) -> None:
    settle_mlx()
    # These import MLX, which is slow to load and which no other command needs in this process.
    from wilor_sidecar.bench.network import time_network  # noqa: PLC0415
    from wilor_sidecar.bench.peers import can_compare, compare  # noqa: PLC0415
    from wilor_sidecar.serving import ServedModel  # noqa: PLC0415

    served = ServedModel(model)
    device = served.device
    blas = device.blas or "its own BLAS"
    _say(f"{served.info.name}, {served.info.width} x {served.info.depth}, {served.info.dtype}")
    _say(f"on {device.name} with {blas}, {device.gflops:.0f} GFLOP/s, mlx {device.mlx}")
    _say(HEADER)
    for samples in time_network(served.model, runs, batches):
        _say(samples.line())
    if can_compare(served.model):
        for line in compare(served.model, folder_of(model), runs).lines():
            _say(line)


def _bench_daemon(model: str, runs: int) -> None:
    with DaemonProcess(model) as daemon:
        status = daemon.wait_until("ready", "degraded", timeout_s=_LOAD_S)
        if not status.ready:
            raise CommandError(f"the daemon is {status.state}: {status.reason}")
        _say(HEADER)
        for samples in time_round_trips(daemon, runs):
            _say(samples.line())
        for clients in (1, 4):
            rate = measure_throughput(daemon, clients=clients, seconds=_THROUGHPUT_S)
            _say(f"throughput, {clients} client{'s' * (clients > 1)}, 1 crop each: {rate:.1f} crops/s")
        daemon.stop()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
