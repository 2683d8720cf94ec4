"""`wilor-sidecar status`: how the daemon is, for people or, with --json, for programs."""

import argparse
import sys

import msgspec

from wilor_client import HandClient
from wilor_protocol.replies import StatusReply
from wilor_sidecar.cli.commands import SubParsers, add_command, add_run_dir_flag, requests_of
from wilor_sidecar.cli.exits import Exit


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(commands, "status", run, "Say how the daemon is. Exit status 0 when it is ready, else 1.")
    add_run_dir_flag(parser)
    parser.add_argument("--json", action="store_true", help="the whole reply as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    with HandClient(requests_of(arguments)) as client:
        status = client.status()
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(status)) + b"\n")
    else:
        sys.stdout.write("\n".join(_lines(status)) + "\n")
    return Exit.OK if status.ready else Exit.FAILED


def _lines(status: StatusReply) -> list[str]:
    lines = [
        f"{status.state}: {status.reason}",
        f"server      {status.server}, pid {status.pid}, up {status.uptime_s:.0f} s",
    ]
    if status.model:
        model = status.model
        trained = "" if model.trained else "; untrained: its poses mean nothing"
        lines.append(f"model       {model.name}, {model.width} x {model.depth}, {model.dtype}{trained}")
        lines.append(f"licence     {model.licence}")
    if status.device:
        device = status.device
        blas = device.blas or "own BLAS"
        lines.append(f"device      {device.name}, {blas}, {device.gflops:.0f} GFLOP/s, mlx {device.mlx}")
    if status.memory:
        memory = status.memory
        used = f"{_mb(memory.active)} in use, {_mb(memory.cache)} cached, {_mb(memory.process_peak)} at most"
        lines.append(f"memory      {used}")
    queue = status.queue
    lines.append(f"queue       {queue.waiting_crops} of {queue.waiting_limit} crops wait, {queue.running_crops} run")
    for stage, times in status.latency_ms.items():
        p50, p95, p99 = (f"{value:.2f}" for value in (times.p50, times.p95, times.p99))
        lines.append(f"{stage:<11} p50 {p50} ms, p95 {p95} ms, p99 {p99} ms of the last {times.count}")
    lines += [f"{name:<24} {count}" for name, count in sorted(status.counters.items())]
    lines += [f"subscribed  {topic}" for topic in status.subscriptions]
    return lines


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
