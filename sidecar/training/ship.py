"""Put trained weights into the package: `python -m training.ship embedded.safetensors`.

The model card beside them is written by hand: correct its numbers too.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from wilor_sidecar.setup.probe import encode_probe, run_probe
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.model_config import CONFIG_FILE, WEIGHTS_FILE
from wilor_sidecar.weights.provenance import PROBE_FILE
from wilor_sidecar.weights.store import EMBEDDED, EMBEDDED_FOLDER


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Put trained weights into the package.")
    parser.add_argument("weights", type=Path)
    weights = parser.parse_args().weights
    with tempfile.TemporaryDirectory() as folder:
        made = convert(weights, Path(folder) / EMBEDDED, dtype="float16", name=EMBEDDED, licence="MIT")
        probe = run_probe(str(made), check_digest=True)
        (made / PROBE_FILE).write_bytes(encode_probe(probe))
        for name in (CONFIG_FILE, WEIGHTS_FILE, PROBE_FILE):
            shutil.copyfile(made / name, EMBEDDED_FOLDER / name)


if __name__ == "__main__":
    main()
