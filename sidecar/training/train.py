"""Train the embedded model for so many seconds, from nothing or from where the last run stopped.

    torchrun --standalone --nproc-per-node=gpu -m training.train --out OUT --seconds 500 --progress 0 0.5 --state STATE
    torchrun --standalone --nproc-per-node=gpu -m training.train --out OUT --seconds 500 --progress 0.5 1 --state STATE
    python -m training.train --out OUT --seconds 500 --progress 0.4 1 --start-from embedded.safetensors

`--progress` says which part of the whole schedule this run is: the learning rate falls over its last three fifths, and
the pictures become hard over its first. `--state` is a file that a run takes up, if it is there, and leaves for the
next one on the same host; `--start-from` takes only the weights.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from training.crew import Crew, join, part
from training.held_out import HeldOut
from training.mano_arrays import mano_arrays
from training.model import HandNetwork
from training.painter import AT_ONCE, Painter
from training.picture_pool import PicturePool
from training.state import SERVED, save_served
from training.trainer import Trainer

_BATCH = 256
_EACH_SHOWN = 8
_POOL = 32 * AT_ONCE
_HARD_AFTER = 0.3
_STEPS_A_TALK = 16
_SAVED_EVERY_S = 30
_CHECKED_ON = 500


@dataclass(frozen=True)
class Plan:
    """How long to train, which part of the schedule that is, and where the network goes."""

    seconds: float
    progress: tuple[float, float]
    out: Path


def train(trainer: Trainer, crew: Crew, pool: PicturePool, plan: Plan, held_out: HeldOut | None) -> int:
    """Train; returns the number of steps."""
    painter = Painter(crew.device)
    while not pool.full:
        pool.add(painter.paint(_strength(plan.progress[0])))
    steps_a_painting = AT_ONCE * _EACH_SHOWN // _BATCH
    started = saved = time.monotonic()
    steps, share = 0, 0.0
    while share < 1:
        done = plan.progress[0] + share * (plan.progress[1] - plan.progress[0])
        if steps % steps_a_painting == 0:
            pool.add(painter.paint(_strength(done)))
        loss = trainer.step(done)
        steps += 1
        if steps % _STEPS_A_TALK == 0:
            share = crew.told((time.monotonic() - started) / plan.seconds)
        if held_out and time.monotonic() - saved > _SAVED_EVERY_S:
            saved = time.monotonic()
            save_served(trainer.average, plan.out / SERVED)
            errors = held_out.errors(trainer.average, _CHECKED_ON)
            _say(
                f"{saved - started:5.0f} s, step {steps}, progress {done:.3f}, loss {loss.item():.4f}, {_told(errors)}"
            )
    return steps


def _strength(progress: float) -> float:
    return min(1.0, progress / _HARD_AFTER)


def main() -> None:
    """The command."""
    arguments = _arguments()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    crew = join()
    # All begin with the same network, and then see different pictures.
    torch.manual_seed(1)
    width, depth, heads = arguments.size
    pool = PicturePool(_POOL)
    trainer = Trainer(HandNetwork(width, depth, heads, mano_arrays()), crew, lambda: pool.draw(_BATCH))
    if arguments.start_from:
        trainer.start_from(arguments.start_from)
    if arguments.state and arguments.state.exists():
        trainer.resume(arguments.state)
    held_out = HeldOut(crew.device) if crew.leads else None
    torch.manual_seed(int(1e6 * arguments.progress[0]) + 1 + crew.rank)
    plan = Plan(arguments.seconds, tuple(arguments.progress), arguments.out)
    steps = train(trainer, crew, pool, plan, held_out)
    if held_out:
        save_served(trainer.average, arguments.out / SERVED)
        if arguments.state:
            trainer.leave(arguments.state)
        _say(f"{steps} steps, {steps * _BATCH * crew.size} pictures shown")
        _say(f"held out: {_told(held_out.errors(trainer.average))}")
    part(crew)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--progress", type=float, nargs=2, default=(0.0, 1.0), metavar=("FROM", "TO"))
    parser.add_argument("--state", type=Path)
    parser.add_argument("--start-from", type=Path)
    parser.add_argument("--size", type=int, nargs=3, default=(192, 12, 3), metavar=("WIDTH", "DEPTH", "HEADS"))
    arguments = parser.parse_args()
    _refuse_late_surprises(parser, arguments)
    return arguments


def _refuse_late_surprises(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """What would otherwise end the run at its first save, or after an hour of it."""
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {arguments.out}: cannot be made ({error.strerror})")
    if arguments.state and not arguments.state.absolute().parent.is_dir():
        parser.error(f"--state {arguments.state}: there is no folder {arguments.state.absolute().parent}")
    if arguments.start_from and not arguments.start_from.is_file():
        parser.error(f"--start-from {arguments.start_from}: there is no such file")


def _told(errors: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in errors.items())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
