"""Train the embedded model for so many seconds, from nothing or from where the last run stopped.

    python -m training.train --out OUT --seconds 500 --progress 0 0.5 --state STATE
    python -m training.train --out OUT --seconds 500 --progress 0.5 1 --state STATE
    python -m training.train --out OUT --seconds 500 --progress 0.4 1 --start-from embedded.safetensors

`--progress` says which part of the whole schedule this run is: the learning rate falls over all of it, and the
pictures become hard over its first two fifths. `--state` is a file that a run takes up, if it is there, and leaves
for the next one on the same host; `--start-from` takes only the weights.
"""

import argparse
import copy
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training.mano_arrays import mano_arrays
from training.model import HandNetwork
from training.objective import errors_of, loss_of
from training.poses import PoseSampler, Shown
from training.state import SERVED, load_everything, load_served, save_everything, save_served

_BATCH = 512
_RATE = 6e-4
_WARM_UP_STEPS = 1200
_LOWEST_RATE = 0.01
_HARD_AFTER = 0.4
_AVERAGED_OVER = 1500
_HELD_OUT_SEED = 20_260_101
_HELD_OUT = 2000


@dataclass(frozen=True)
class Batch:
    """Pictures (B, 3, 256, 192) of 0..255 and what they show."""

    pictures: Tensor
    shown: Shown


class Trainer:
    """A network, its average and its optimizer."""

    def __init__(self, network: HandNetwork, device: torch.device) -> None:
        self.network = network.to(device)
        self.average = copy.deepcopy(self.network).eval()
        self._optimizer = torch.optim.AdamW(
            network.parameters(), _RATE, weight_decay=0.03, betas=(0.9, 0.98), fused=device.type == "cuda"
        )
        self._steps = 0
        self._device = device
        # Not to scale anything: it leaves out, without waiting for the device, a step whose gradients are not finite.
        self._guard = torch.amp.GradScaler(device.type, init_scale=1.0, growth_interval=1 << 30)
        if device.type == "cuda":
            network.backbone.compile()
            network.mano.compile()

    def start_from(self, served: Path) -> None:
        """Take the weights of an earlier run's served network."""
        for network in (self.network, self.average):
            load_served(network, served)

    def resume(self, state: Path) -> None:
        """Take up where an earlier run on this host stopped."""
        self._steps = load_everything(self._parts(), state)

    def leave(self, state: Path) -> None:
        """Leave everything for the next run on this host."""
        save_everything(self._parts(), self._steps, state)

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"network": self.network, "average": self.average, "optimizer": self._optimizer}

    def step(self, batch: Batch, progress: float) -> Tensor:
        """Learn from a batch; the loss, still on the device."""
        rate = _rate_at(progress, self._steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self._device.type, torch.bfloat16):
            pair = self.network(batch.pictures)
        loss = loss_of(pair, batch.shown, self.network.mano)
        self._optimizer.zero_grad(set_to_none=True)
        self._guard.scale(loss).backward()
        self._guard.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._guard.step(self._optimizer)
        self._guard.update()
        self._steps += 1
        self._follow()
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """The average moves a little towards the weights; norms' statistics are taken as they are."""
        share = max(1 / _AVERAGED_OVER, 1 / (self._steps + 1))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), share)
        for mine, theirs in zip(self.average.buffers(), self.network.buffers(), strict=True):
            mine.copy_(theirs)


def _rate_at(progress: float, steps: int) -> float:
    falling = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return _RATE * min(1.0, (steps + 1) / _WARM_UP_STEPS) * (_LOWEST_RATE + (1 - _LOWEST_RATE) * falling)


def make_batch(sampler: PoseSampler, count: int, strength: float) -> Batch:
    """Draw hands and take their pictures."""
    from training.renderer import pictures  # noqa: PLC0415 - needs CuPy, which only a CUDA host has

    with torch.no_grad():
        shown = sampler.draw(count)
        other = sampler.beside(shown)
        taken = pictures(shown.posed.capsules, sampler.hands.groups, shown.window, other, strength)
    # One pixel that is not a number would spoil the norms' statistics for good.
    return Batch(taken.float().nan_to_num().clamp(0, 255), shown)


@torch.no_grad()
def held_out_errors(network: HandNetwork, sampler: PoseSampler) -> dict[str, float]:
    """Mean errors of both estimates over renders that no training step has seen."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
        torch.manual_seed(_HELD_OUT_SEED)
        batches = [make_batch(sampler, 500, 1.0) for _ in range(_HELD_OUT // 500)]
    totals: dict[str, float] = {}
    for batch in batches:
        pair = network(batch.pictures)
        for stage, geometry in zip(("first", "refined"), pair, strict=True):
            for name, values in errors_of(geometry, batch.shown, network.mano).items():
                totals[f"{stage}_{name}"] = totals.get(f"{stage}_{name}", 0.0) + values.mean().item() / len(batches)
    return totals


def train(trainer: Trainer, sampler: PoseSampler, seconds: float, progress: tuple[float, float]) -> int:
    """Train; returns the number of pictures seen."""
    started, reported, steps = time.monotonic(), time.monotonic(), 0
    while (share := (time.monotonic() - started) / seconds) < 1:
        done = progress[0] + share * (progress[1] - progress[0])
        loss = trainer.step(make_batch(sampler, _BATCH, min(1.0, done / _HARD_AFTER)), done)
        steps += 1
        if time.monotonic() - reported > 20:
            reported = time.monotonic()
            _say(f"{reported - started:5.0f} s, step {steps}, progress {done:.3f}, loss {loss.item():.4f}")
    return steps * _BATCH


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--progress", type=float, nargs=2, default=(0.0, 1.0), metavar=("FROM", "TO"))
    parser.add_argument("--state", type=Path)
    parser.add_argument("--start-from", type=Path)
    parser.add_argument("--size", type=int, nargs=3, default=(192, 12, 3), metavar=("WIDTH", "DEPTH", "HEADS"))
    arguments = parser.parse_args()
    device = torch.device("cuda")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(int(1e6 * arguments.progress[0]) + 1)
    sampler = PoseSampler(device)
    width, depth, heads = arguments.size
    trainer = Trainer(HandNetwork(width, depth, heads, mano_arrays()), device)
    if arguments.start_from:
        trainer.start_from(arguments.start_from)
    if arguments.state and arguments.state.exists():
        trainer.resume(arguments.state)
    seen = train(trainer, sampler, arguments.seconds, tuple(arguments.progress))
    save_served(trainer.average, arguments.out / SERVED)
    if arguments.state:
        trainer.leave(arguments.state)
    _say(f"{seen} pictures")
    for name, value in held_out_errors(trainer.average, sampler).items():
        _say(f"{name} {value:.2f}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
