"""The processes that train one network together, one for each GPU; started by `torchrun`, or one alone."""

import os
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Crew:
    """This process's place.

    Attributes:
        rank: 0 leads: it saves and reports.
        size: how many there are.
        device: this process's own.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the process that saves and reports."""
        return self.rank == 0

    def told(self, number: float) -> float:
        """What the leader says: time passes differently for each, but all must stop at the same step."""
        if self.size == 1:
            return number
        saying = torch.tensor([number], dtype=torch.float64)
        distributed.broadcast(saying, src=0, group=_talk())
        return float(saying)

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier(group=_talk())

    def add_up(self, tensor: Tensor) -> None:
        """Put the sum of all processes' tensors into each."""
        if self.size > 1:
            distributed.all_reduce(tensor)


def join() -> Crew:
    """Find the others."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", rank)
    torch.cuda.set_device(device)
    if size > 1:
        distributed.init_process_group("nccl", device_id=device)
        _talk()
    return Crew(rank, size, device)


def part(crew: Crew) -> None:
    """Leave in good order."""
    crew.wait()
    if crew.size > 1:
        distributed.destroy_process_group()


_talking: list[distributed.ProcessGroup] = []


def _talk() -> distributed.ProcessGroup:
    """A way to talk that does not go through the GPUs, which are always behind."""
    if not _talking:
        _talking.append(distributed.new_group(backend="gloo"))
    return _talking[0]
