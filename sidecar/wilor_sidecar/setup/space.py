"""Whether there is room on the disk, before gigabytes are fetched."""

import shutil
from pathlib import Path

from wilor_sidecar.setup.errors import SetupError

_MARGIN_BYTES = 64 << 20


def check_space(needs: list[tuple[Path, int]]) -> None:
    """Look whether so many bytes fit at each place; places on one file system need room together.

    Args:
        needs: folders, which need not exist yet, and how much will be written there.

    Raises:
        SetupError: they do not fit; says where, how much is needed and how much there is.
    """
    by_device: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in needs:
        existing = _nearest_existing(folder)
        by_device.setdefault(existing.stat().st_dev, []).append((existing, size))
    for places in by_device.values():
        needed, folder = sum(size for _, size in places) + _MARGIN_BYTES, places[0][0]
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise SetupError(
                f"{folder}: not enough room: {needed / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free. "
                "Make room, or point HF_HOME (downloads) or --models-dir (models) to another disk"
            )


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
