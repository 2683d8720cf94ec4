"""`wilor-sidecar convert SOURCE --out DIR`: weights as others publish them, into a folder that `serve` takes."""

import argparse
import shlex
import sys
from pathlib import Path

from wilor_sidecar.cli.argument_types import count
from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.weights.convert_isolated import ConversionRequest, convert_isolated
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import DTYPES


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "convert",
        run,
        "Convert weights into a folder. Executes nothing of what it reads; needs no torch.",
    )
    parser.add_argument(
        "source", type=Path, help="wilor_final.ckpt, a safetensors file with upstream's names, or one of wilor-mlx's"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--mano", type=Path, metavar="FILE", help="MANO_RIGHT.pkl or mano.npz (default: in the source)")
    parser.add_argument(
        "--mean-params", type=Path, metavar="FILE", help="mano_mean_params.npz (default: in the source)"
    )
    parser.add_argument(
        "--heads", type=count, metavar="N", help="attention heads (default: width / 80, else width / 64)"
    )
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the blocks (default: float32)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing converted folder")


def run(arguments: argparse.Namespace) -> int:
    """Convert."""
    try:
        folder = convert_isolated(
            ConversionRequest(
                source=str(arguments.source),
                out=str(arguments.out),
                mano=str(arguments.mano) if arguments.mano else None,
                mean_params=str(arguments.mean_params) if arguments.mean_params else None,
                heads=arguments.heads,
                dtype=arguments.dtype,
                overwrite=arguments.overwrite,
            )
        )
    except WeightsError as error:
        raise CommandError(str(error)) from error
    sys.stdout.write(f"{folder}: converted; serve it with `wilor-sidecar serve --model {shlex.quote(str(folder))}`\n")
    return Exit.OK
