"""`wilor-sidecar setup`: from nothing to real weights that the daemon serves."""

import argparse
import os
import platform
import sys
from pathlib import Path

from wilor_sidecar.cli.commands import SubParsers, add_command
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.cli.failure import CommandError
from wilor_sidecar.config import add_flags, resolve
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.hub import settle_hub
from wilor_sidecar.setup.manifest import repository_of
from wilor_sidecar.setup.steps import Console, Wanted, set_up
from wilor_sidecar.weights.layout import DTYPES, BlocksDtype
from wilor_sidecar.weights.store import ModelStore

_WILOR_MLX_MANO = Path(".cache") / "wilor-mlx" / "mano.npz"
"""Where wilor-mlx keeps the hand model that it has converted, below the user's home."""


def add_parser(commands: SubParsers) -> None:
    """Declare the command."""
    parser = add_command(
        commands, "setup", run, "Fetch WiLoR's weights, convert and test them, and serve them from the next start on."
    )
    parser.add_argument(
        "--from",
        dest="origin",
        choices=("upstream", "wilor-mlx"),
        default="upstream",
        help="whose files: WiLoR-mini's checkpoint, or wilor-mlx's conversion of it (default: upstream)",
    )
    parser.add_argument(
        "--mano", type=Path, metavar="FILE", help="MANO_RIGHT.pkl or mano.npz of your own (default: in the checkpoint)"
    )
    parser.add_argument("--dtype", choices=DTYPES, help="of the blocks (default: float16 on a GPU, else float32)")
    parser.add_argument("--accept-licences", action="store_true", help="you have read and accept them; do not ask")
    parser.add_argument("--offline", action="store_true", help="use only what is in the Hugging Face cache")
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="another list of what to fetch, for a mirror (see setup/manifest.json)",
    )
    add_flags(parser, "models_dir")


def run(arguments: argparse.Namespace) -> int:
    """Set up."""
    effective = resolve(arguments, os.environ)
    settle_hub(offline=arguments.offline)
    try:
        repository = repository_of(arguments.origin, arguments.manifest)
        wanted = Wanted(
            origin=arguments.origin,
            repository=repository,
            dtype=arguments.dtype or _default_dtype(),
            mano=_mano(arguments.mano, has_mano=repository.has_mano),
            accept_licences=arguments.accept_licences,
        )
        name = set_up(wanted, ModelStore(effective.config.models_dir), Console(_say, input if _somebody() else None))
    except SetupError as error:
        raise CommandError(str(error)) from error
    _say(f"{name} is served from the daemon's next start on; see `wilor-sidecar models`")
    served = resolve(arguments, os.environ)
    if served.config.model != name:
        _say(f"but {served.origins['model']} says {served.config.model}, which comes first")
    return Exit.OK


def _mano(given: Path | None, *, has_mano: bool) -> Path | None:
    """The hand model to use instead of the checkpoint's.

    Raises:
        SetupError: the checkpoint has none, and there is no other; or the given one cannot be read.
    """
    if given is not None:
        if not given.is_file():
            raise SetupError(f"--mano {given}: there is no such file")
        return given
    if has_mano:
        return None
    kept = Path.home() / _WILOR_MLX_MANO
    if kept.is_file():
        return kept
    raise SetupError(
        f"these files have no hand model, and {kept} is not there: give --mano FILE with MANO_RIGHT.pkl from "
        "https://mano.is.tue.mpg.de, or take --from upstream, whose checkpoint has it"
    )


def _default_dtype() -> BlocksDtype:
    """float16 where a GPU computes with it; a CPU computes in float32 anyway, and is better off with exact weights."""
    if sys.platform == "darwin":
        return "float16" if platform.machine() == "arm64" else "float32"
    from wilor_sidecar.device import device_name  # noqa: PLC0415 - slow to load

    return "float16" if device_name() == "gpu" else "float32"


def _somebody() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
