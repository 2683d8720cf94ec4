"""Which of a network's failures are the device's, and when there have been too many. Pure.

MLX raises `RuntimeError` for nearly everything, so the texts have to tell; they are those of Metal's command buffers,
of MLX's allocators and of CUDA, as people have reported them.
"""

import re

_DEVICE = re.compile(
    r"\[METAL\]|\[malloc|\[metal::|\[Event::|kIOGPUCommandBuffer|MTLCommandBuffer|Command buffer execution failed"
    r"|Unable to allocate|maximum allowed buffer size|Resource limit|No Metal device|There is no Stream|\bcuda",
    re.IGNORECASE,
)
_TOO_SOON_NS = 60 * 10**9


def is_device_fault(error: BaseException) -> bool:
    """Whether the device failed; otherwise it is a mistake in the program, or something about this one batch."""
    return isinstance(error, RuntimeError | MemoryError) and (
        isinstance(error, MemoryError) or _DEVICE.search(str(error)) is not None
    )


def words_of(error: BaseException) -> str:
    """What an error says of itself, or at least its name."""
    return str(error) or type(error).__name__


class FaultRecord:
    """The device's faults that a second try got over. One may happen; two in a minute are the beginning of the end:
    a process that Metal has refused repeatedly is refused for good.
    """

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def is_too_many(self, now_ns: int) -> bool:
        """Take note of a fault now.

        Returns:
            Whether the last one was less than a minute ago.
        """
        last_ns, self._last_ns = self._last_ns, now_ns
        return last_ns is not None and now_ns - last_ns < _TOO_SOON_NS
