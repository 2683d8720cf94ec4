"""A network of WiLoR's size with random weights, for those who want to know the speed and have no licence."""

import tempfile
from pathlib import Path

from wilor_sidecar.mlx_settings import cache_directory
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint

SEED = 2026
_WIDTH, _DEPTH = 1280, 32


def full_size_folder() -> Path:
    """The converted folder, 2.5 GB in the user's cache; made the first time, which takes a minute and 5 GB meanwhile.

    Raises:
        WeightsError: it cannot be written.
    """
    cache = cache_directory()
    folder = cache / f"seeded-{SEED}-{_WIDTH}x{_DEPTH}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            checkpoint = Path(temporary) / f"seeded-{SEED}.safetensors"
            write_seeded_checkpoint(checkpoint, seed=SEED, width=_WIDTH, depth=_DEPTH)
            convert(checkpoint, folder)
    return folder
