"""Put trained weights into the package: `python -m training.ship embedded.safetensors`.

The model card beside them is written by hand: correct its numbers too.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from training.served_file import read_heads
from wilor_sidecar.setup.probe import encode_probe, run_probe
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.model_config import CONFIG_FILE, WEIGHTS_FILE
from wilor_sidecar.weights.provenance import PROBE_FILE
from wilor_sidecar.weights.store import EMBEDDED, EMBEDDED_FOLDER


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Put trained weights into the package.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--heads", type=int, help="of a file that does not say (default: as it says)")
    arguments = parser.parse_args()
    ship(arguments.weights, EMBEDDED_FOLDER, arguments.heads)


def ship(weights: Path, folder: Path, heads: int | None = None) -> None:
    """Convert trained weights, try them, and put them with what they answered into a folder.

    Args:
        weights: what `train.py` saved.
        folder: the package's.
        heads: attention heads; None: as the file says.

    Raises:
        ValueError: the file does not say how many heads the network has.
        WeightsError: it cannot be converted.
        SetupError: what it answers is no hand.
    """
    with tempfile.TemporaryDirectory() as temporary:
        made = convert(
            weights,
            Path(temporary) / EMBEDDED,
            heads=read_heads(weights) if heads is None else heads,
            dtype="float16",
            name=EMBEDDED,
            licence="MIT",
        )
        (made / PROBE_FILE).write_bytes(encode_probe(run_probe(str(made), check_digest=True)))
        for name in (CONFIG_FILE, WEIGHTS_FILE, PROBE_FILE):
            shutil.copyfile(made / name, folder / name)


if __name__ == "__main__":
    main()
