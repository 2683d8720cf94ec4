"""How much memory MLX may take, from the size of the network that it serves.

Left alone, MLX keeps what it has freed up to the machine's own size, and a Mac may page out weights that nobody used
for a second. The limits are set once, after loading: sweeping the cache now and then costs speed and is easily lost.
"""

import logging
from dataclasses import dataclass

from wilor_sidecar.mlx import mx

log = logging.getLogger(__name__)

_MIB = 1 << 20
_LEAST_CACHE = 64 * _MIB
_MOST_CACHE = 384 * _MIB
_WORK = 1536 * _MIB
"""What the largest batch of the largest network needs beside the weights, with room to spare."""


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """Bytes.

    Attributes:
        cache: kept for reuse.
        memory: in use and kept; beyond it MLX frees what it keeps before it takes more.
        wired: that the system must not page out; 0 where that cannot be asked for.
    """

    cache: int
    memory: int
    wired: int


def limits_for(weights_bytes: int, recommended_bytes: int) -> MemoryLimits:
    """The limits for a network.

    Args:
        weights_bytes: what it takes when it is loaded.
        recommended_bytes: what the system lets the GPU hold at most; 0 where there is none.
    """
    return MemoryLimits(
        cache=min(_MOST_CACHE, max(_LEAST_CACHE, weights_bytes // 4)),
        memory=weights_bytes + _WORK,
        wired=min(weights_bytes + weights_bytes // 10, recommended_bytes),
    )


def limit_memory() -> MemoryLimits:
    """Set the limits for what is loaded now; returns them."""
    limits = limits_for(mx.get_active_memory(), _recommended_bytes())
    mx.set_cache_limit(limits.cache)
    mx.set_memory_limit(limits.memory)
    if limits.wired:
        try:
            mx.set_wired_limit(limits.wired)
        except (RuntimeError, ValueError) as error:  # before macOS 15, or more than the system grants
            log.warning("the weights cannot be kept from being paged out: %s", error)
    log.info("MLX may keep %d MB, use %d MB, wire %d MB", *(size // _MIB for size in _sizes(limits)))
    return limits


def release_memory() -> None:
    """Let go of what was kept and wired, when the network has been let go."""
    mx.clear_cache()
    if _recommended_bytes():
        mx.set_wired_limit(0)


def _recommended_bytes() -> int:
    return int(mx.device_info().get("max_recommended_working_set_size", 0)) if mx.metal.is_available() else 0


def _sizes(limits: MemoryLimits) -> tuple[int, int, int]:
    return limits.cache, limits.memory, limits.wired
