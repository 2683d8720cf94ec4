"""Makes the renders that the tests hold the embedded model to: `python -m training.render_set tests/model/renders`.

They are as hard as the training's hardest, and no training step sees their seed.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from training.contact_sheet import sheet
from training.mano_arrays import mano_arrays
from training.mano_layer import ManoLayer
from training.painter import make_batch
from training.poses import PoseSampler

SEED = 20_260_102
COUNT, COLUMNS = 64, 8
_QUALITY = 93


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Make the renders that the tests hold the embedded model to.")
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = make_batch(PoseSampler(device), COUNT, 1.0)
    sheet(batch.pictures, COLUMNS, None).save(out / "renders.jpg", quality=_QUALITY, subsampling=0)
    _, keypoints = ManoLayer(mano_arrays())(batch.truth.rotations.cpu(), batch.truth.betas.cpu())
    np.savez_compressed(
        out / "truth.npz",
        keypoints_m=keypoints.numpy(),
        keypoints_px=128 + 256 * batch.truth.keypoints_2d.cpu().numpy(),
        box_px=256 * batch.truth.box.cpu().numpy(),
    )


if __name__ == "__main__":
    main()
