"""The parts of the training that need no GPU: shapes, labels that agree with the hand, a step that learns."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; it is needed only to train")

from training.kinematics import HandModel  # noqa: E402
from training.mano_arrays import mano_arrays  # noqa: E402
from training.mano_layer import ManoLayer  # noqa: E402
from training.model import HandNetwork  # noqa: E402
from training.objective import errors_of  # noqa: E402
from training.poses import PoseSampler  # noqa: E402
from training.state import load_served, save_served  # noqa: E402
from training.train import Batch, Trainer  # noqa: E402
from wilor_sidecar.model import load_model  # noqa: E402
from wilor_sidecar.weights.convert import convert  # noqa: E402

CPU = torch.device("cpu")
SIZE = (64, 2, 1)


@pytest.fixture(scope="module")
def sampler() -> PoseSampler:
    """Draws hands on the CPU."""
    torch.manual_seed(0)
    return PoseSampler(CPU)


def test_labels_agree_with_the_hand_that_is_served(sampler: PoseSampler) -> None:
    """Key points that pictures are labelled with are the MANO layer's, within 2.5 mm."""
    shown = sampler.draw(64)
    _, keypoints = ManoLayer(mano_arrays())(shown.rotations, shown.betas)
    apart = (keypoints + shown.translation[:, None] - shown.posed.keypoints).norm(dim=-1)
    assert apart.max() < 0.0025


def test_crops_hold_the_hand(sampler: PoseSampler) -> None:
    """Every key point lies in its crop and before the camera, and boxes fill two fifths of it."""
    shown = sampler.draw(256)
    assert shown.keypoints_2d.abs().max() < 0.5
    assert shown.posed.keypoints[..., 2].min() > 0.1
    assert shown.window[:, 2].max() < 6
    assert 0.33 < shown.box.mean() < 0.47


def test_rest_pose_stands_as_the_hand_says() -> None:
    """Without rotations and shape the middle finger's tip is a hand's length from the wrist."""
    still = torch.eye(3).expand(1, 16, 3, 3)
    points = HandModel(CPU).keypoints(still, still[:, 0], torch.zeros(1, 10))[0].numpy()
    assert np.linalg.norm(points[12] - points[0]) == pytest.approx(0.2, abs=0.02)


def test_a_few_steps_lower_the_loss(sampler: PoseSampler) -> None:
    """On one batch the loss falls, and errors are finite numbers."""
    torch.manual_seed(1)
    trainer = Trainer(HandNetwork(*SIZE, mano_arrays()), CPU)
    batch = Batch(torch.rand(4, 3, 256, 192) * 255, sampler.draw(4))
    losses = [trainer.step(batch, progress=0.1).item() for _ in range(25)]
    assert losses[-1] < 0.97 * losses[0]
    errors = errors_of(trainer.network(batch.pictures)[1], batch.shown, trainer.network.mano)
    assert all(torch.isfinite(values).all() for values in errors.values())


def test_a_step_that_cannot_be_taken_is_left_out(sampler: PoseSampler) -> None:
    """A picture that is not a number leaves the weights as they were; the next batch teaches again."""
    torch.manual_seed(3)
    trainer = Trainer(HandNetwork(*SIZE, mano_arrays()), CPU)
    batch = Batch(torch.rand(4, 3, 256, 192) * 255, sampler.draw(4))
    before = trainer.network.backbone.pos_embed.detach().clone()
    trainer.step(Batch(batch.pictures * torch.nan, batch.shown), progress=0.1)
    assert torch.equal(trainer.network.backbone.pos_embed, before)
    assert torch.isfinite(trainer.step(batch, progress=0.1))
    assert not torch.equal(trainer.network.backbone.pos_embed, before)


def test_what_is_trained_is_what_is_served(tmp_path: Path) -> None:
    """A saved network goes through the converter and answers in MLX as it did in PyTorch."""
    torch.manual_seed(2)
    network = HandNetwork(*SIZE, mano_arrays()).eval()
    save_served(network, tmp_path / "small.safetensors")
    load_served(network, tmp_path / "small.safetensors")  # rounds its blocks to half precision
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    outputs = load_model(convert(tmp_path / "small.safetensors", tmp_path / "model"))(crops)
    pictures = torch.as_tensor(crops[:, :, 32:224].transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        _, refined = network(pictures)
    assert np.abs(outputs["pred_vertices"] - refined.vertices.numpy()).max() < 1e-5
