"""Work that is the same every time, recorded once on the GPU and replayed.

A training step and the drawing of a batch are thousands of small launches, and to ask for them one by one took twice as
long as to do them.
"""

import functools
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

Result = TypeVar("Result")
_AS_USUAL = 3


@functools.cache
def _side_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()


class Replay(Generic[Result]):
    """A function of no arguments; its tensors stay where they are, and each replay writes them anew.

    The first calls run as usual, so that all is compiled and every buffer is there. Random numbers go on from call to
    call. On a CPU all calls run as usual.
    """

    def __init__(self, function: Callable[[], Result], device: torch.device) -> None:
        self._function = function
        self._device = device
        self._calls = 0
        self._recorded: tuple[torch.cuda.CUDAGraph, Result] | None = None

    def __call__(self) -> Result:
        """Do it; the result is good until the next call."""
        if self._device.type != "cuda":
            return self._function()
        if self._calls < _AS_USUAL:
            self._calls += 1
            return self._aside()
        if self._recorded is None:
            self._recorded = self._record()
        graph, result = self._recorded
        graph.replay()
        return result

    def _aside(self) -> Result:
        """On another stream, where recording will be: what is made on the usual one cannot be recorded."""
        stream = _side_stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self._function()
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Result]:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # the recording keeps memory of its own
        graph = torch.cuda.CUDAGraph()
        # Other threads, those of NCCL and of the compiler, may go on as they like.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            result = self._function()
        return graph, result
