"""What must be in the environment before MLX and its BLAS are loaded; they read it once."""

import logging
import os
import sys
from pathlib import Path

from wilor_protocol.private_directory import NotPrivateError, make_private

log = logging.getLogger(__name__)


def cache_directory() -> Path:
    """Where this program keeps what it can make again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "wilor-sidecar"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wilor-sidecar"


def agent_cache_directory() -> Path:
    """The part of it that the login agent's daemon has to itself, so that it can go when the agent goes."""
    return cache_directory() / "agent"


def settle_mlx(cache: Path | None = None) -> None:
    """Settle where compiled kernels are kept, and that idle threads sleep. For a process of our own only.

    MLX's CPU backend compiles kernels with the system's compiler (4 s for this network) and loads what it finds under
    the temporary directory without asking who put it there. A private directory of ours makes that safe, and keeps
    the kernels for the next start.

    Args:
        cache: where to keep them; None: in `cache_directory`, with those of every other process.
    """
    # OpenMP's threads otherwise spin for a while after each product, on the cores that the sockets need.
    os.environ.setdefault("KMP_BLOCKTIME", "1")
    kernels = (cache or cache_directory()) / "kernels"
    try:
        make_private(kernels)
    except NotPrivateError as error:
        log.warning("compiled kernels are not kept: %s", error)
    else:
        os.environ["TMPDIR"] = str(kernels)
