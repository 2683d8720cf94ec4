"""The parts of the training that need no GPU: shapes, labels that agree with the hand, a step that learns."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; it is needed only to train")

from torch import Tensor  # noqa: E402

from training import train  # noqa: E402
from training.crew import Crew  # noqa: E402
from training.kinematics import HandModel  # noqa: E402
from training.mano_arrays import mano_arrays  # noqa: E402
from training.mano_layer import ManoLayer  # noqa: E402
from training.model import HandNetwork  # noqa: E402
from training.network import PatchEmbed  # noqa: E402
from training.objective import errors_of  # noqa: E402
from training.painter import covered, make_batch  # noqa: E402
from training.picture_pool import Batch  # noqa: E402
from training.poses import PoseSampler, facing  # noqa: E402
from training.renderer import Taken  # noqa: E402
from training.served_file import read_heads  # noqa: E402
from training.state import load_served, save_served  # noqa: E402
from training.trainer import Trainer, rate_at  # noqa: E402
from wilor_sidecar.model import load_model  # noqa: E402
from wilor_sidecar.weights.convert import convert  # noqa: E402

CPU = torch.device("cpu")
ALONE = Crew(0, 1, CPU)
SIZE = (64, 2, 1)


@pytest.fixture(scope="module")
def sampler() -> PoseSampler:
    """Draws hands on the CPU."""
    torch.manual_seed(0)
    return PoseSampler(CPU)


def test_labels_agree_with_the_hand_that_is_served(sampler: PoseSampler) -> None:
    """Key points that pictures are labelled with are the MANO layer's, within 2.5 mm."""
    shown = sampler.draw(64)
    _, keypoints = ManoLayer(mano_arrays())(shown.truth.rotations, shown.truth.betas)
    # Turned back from the crop's line of sight to the camera's axes.
    from_wrist = (keypoints - keypoints[:, :1]) @ facing(shown.window[:, :2]).transpose(1, 2)
    apart = (from_wrist - (shown.posed.keypoints - shown.posed.keypoints[:, :1])).norm(dim=-1)
    assert apart.max() < 0.0025


def test_facing_turns_the_optical_axis_into_the_line_of_sight() -> None:
    """The turn is a rotation, and the least one: nothing is rolled about the line of sight."""
    centre = torch.tensor([[0.0, 0.0], [0.3, -0.2], [-0.1, 0.5]])
    turn = facing(centre)
    sight = torch.nn.functional.normalize(torch.cat([centre, torch.ones(3, 1)], dim=1), dim=1)
    assert torch.allclose(turn[:, :, 2], sight, atol=1e-6)
    assert torch.allclose(turn @ turn.transpose(1, 2), torch.eye(3).expand(3, 3, 3), atol=1e-6)
    assert torch.allclose(turn[:, 0, 1], turn[:, 1, 0], atol=1e-7)


def test_crops_hold_the_hand(sampler: PoseSampler) -> None:
    """Every key point lies in its crop and before the camera, and boxes fill two fifths of it."""
    shown = sampler.draw(256)
    assert shown.truth.keypoints_2d.abs().max() < 0.5
    assert shown.posed.keypoints[..., 2].min() > 0.1
    assert shown.window[:, 2].max() < 6
    assert 0.33 < shown.truth.box.mean() < 0.47


def test_rest_pose_stands_as_the_hand_says() -> None:
    """Without rotations and shape the middle finger's tip is a hand's length from the wrist."""
    still = torch.eye(3).expand(1, 16, 3, 3)
    points = HandModel(CPU).keypoints(still, still[:, 0], torch.zeros(1, 10))[0].numpy()
    assert np.linalg.norm(points[12] - points[0]) == pytest.approx(0.2, abs=0.02)


def test_covered_key_points_are_counted() -> None:
    """A key point is covered where the hand is not seen, and where there is no picture."""
    hand = torch.zeros(2, 1, 256, 192)
    hand[:, :, 100:140, 80:120] = 1
    in_sight = torch.tensor([[96.0, 128], [81, 101], [118, 138]])
    out_of_sight = torch.tensor([[78.0, 128], [96, 142], [200, 128]])
    points = (torch.stack([in_sight, out_of_sight]) + 0.5 - torch.tensor([96, 128])) / 256
    assert covered(hand, points).tolist() == [0, 1]


def test_pictures_that_nobody_could_tell_are_left_out(sampler: PoseSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more hands than wanted those are taken whose key points can be seen."""

    def taken(capsules: Tensor, *_: object) -> Taken:
        shades = torch.arange(len(capsules)).float()[:, None, None, None].expand(-1, 3, 256, 192)
        return Taken(shades, (shades[:, :1] % 10 > 0).float())

    monkeypatch.setattr("training.renderer.pictures", taken)
    torch.manual_seed(0)
    batch = make_batch(sampler, 40, 1.0)
    shades = batch.pictures[:, 0, 0, 0].tolist()
    assert len(shades) == 40
    assert all(shade % 10 for shade in shades)
    torch.manual_seed(0)
    assert torch.equal(batch.truth.betas, sampler.draw(46).truth.betas[[int(shade) for shade in shades]])


def test_thumbs_meet_fingers(sampler: PoseSampler) -> None:
    """In a good part of the hands the thumb's tip touches a finger: their insides are then some 14 mm apart."""
    points = sampler.draw(512).posed.keypoints
    others = points[:, [8, 12, 16, 20, 7, 6, 11]]
    nearest = (others - points[:, 4:5]).norm(dim=-1).amin(dim=1)
    assert (nearest < 0.02).float().mean() > 0.2


def test_thumbs_stand_off(sampler: PoseSampler) -> None:
    """In a good part of the hands the thumb is stretched away from the fingers: by chance alone it would be seldom."""
    torch.manual_seed(0)
    points = sampler.draw(1024).posed.keypoints
    assert ((points[:, 4] - points[:, 13]).norm(dim=-1) > 0.12).float().mean() > 0.15


def test_thumb_tips_are_the_key_points(sampler: PoseSampler) -> None:
    """The short way to a thumb's tip gives what bending the whole hand gives."""
    bends = torch.linalg.qr(torch.randn(4, 3, 3, 3))[0]
    betas, rotations = torch.randn(4, 10), torch.eye(3).repeat(4, 16, 1, 1)
    rotations[:, 13:16] = bends
    whole = sampler.hands.keypoints(rotations, torch.eye(3).repeat(4, 1, 1), betas)[:, 4]
    assert torch.allclose(sampler.hands.thumb_tips(bends[:, None], betas)[:, 0], whole, atol=1e-6)


@pytest.fixture
def batch(sampler: PoseSampler) -> Batch:
    """Four pictures of noise, with four hands' truth."""
    torch.manual_seed(1)
    return Batch(torch.rand(4, 3, 256, 192) * 255, sampler.draw(4).truth)


def test_a_few_steps_lower_the_loss(batch: Batch) -> None:
    """On one batch the loss falls, and errors are finite numbers."""
    torch.manual_seed(1)
    trainer = Trainer(HandNetwork(*SIZE, mano_arrays()), ALONE, lambda: batch)
    losses = [trainer.step(progress=0.1).item() for _ in range(25)]
    assert losses[-1] < 0.97 * losses[0]
    answer = trainer.network(batch.pictures)
    for estimate in (answer.first, answer.refined):
        errors = errors_of(estimate, batch.truth, trainer.network.mano)
        assert all(torch.isfinite(values).all() for values in errors.values())


def test_a_step_that_cannot_be_taken_spoils_nothing(batch: Batch) -> None:
    """After a picture that is not a number all weights are numbers, and the next batch teaches again."""
    torch.manual_seed(3)
    batches = iter([Batch(batch.pictures * torch.nan, batch.truth), batch])
    trainer = Trainer(HandNetwork(*SIZE, mano_arrays()), ALONE, lambda: next(batches))
    before = trainer.network.backbone.pos_embed.detach().clone()
    trainer.step(progress=0.1)
    assert torch.allclose(trainer.network.backbone.pos_embed, before, atol=1e-6)
    assert torch.isfinite(trainer.step(progress=0.1))
    assert not torch.allclose(trainer.network.backbone.pos_embed, before, atol=1e-6)


def test_a_run_goes_on_where_another_stopped(batch: Batch, tmp_path: Path) -> None:
    """A trainer that takes up a stored state takes the very step that the first one would have taken."""
    trainers = [Trainer(HandNetwork(*SIZE, mano_arrays()), ALONE, lambda: batch) for _ in range(2)]
    for _ in range(3):
        trainers[0].step(progress=0.1)
    trainers[0].leave(tmp_path / "state")
    trainers[1].resume(tmp_path / "state")
    losses = [[trainer.step(progress=0.1).item() for _ in range(2)] for trainer in trainers]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_rate_rises_stays_and_falls() -> None:
    """A run starts gently, however far the schedule is, and ends at a hundredth."""
    assert rate_at(0.5, 0) < 0.01
    assert rate_at(0.2, 10_000) == 1.0
    assert rate_at(1.0, 10_000) == pytest.approx(0.01)


def test_a_later_run_has_its_own_hand(tmp_path: Path) -> None:
    """Weights that were trained with another hand bring what they learnt, not that hand."""
    before, after = (HandNetwork(*SIZE, mano_arrays()) for _ in range(2))
    before.mano.lbs_weights.zero_()
    save_served(before, tmp_path / "before.safetensors")
    load_served(after, tmp_path / "before.safetensors")
    assert torch.equal(after.mano.lbs_weights, torch.as_tensor(mano_arrays()["lbs_weights"]))
    assert torch.equal(after.backbone.pos_embed, before.backbone.pos_embed)


def test_patches_are_cut_as_the_convolution_does() -> None:
    """One product gives what the convolution with its padding gives."""
    torch.manual_seed(0)
    embed, picture = PatchEmbed(16), torch.randn(2, 3, 256, 192)
    assert torch.allclose(embed(picture), embed.proj(picture).flatten(2).transpose(1, 2), atol=1e-5)


def test_what_is_trained_is_what_is_served(tmp_path: Path) -> None:
    """A saved network goes through the converter and answers in MLX as it did in PyTorch."""
    torch.manual_seed(2)
    network = HandNetwork(*SIZE, mano_arrays()).eval()
    save_served(network, tmp_path / "small.safetensors")
    assert read_heads(tmp_path / "small.safetensors") == SIZE[2]
    load_served(network, tmp_path / "small.safetensors")  # rounds its blocks to half precision
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    outputs = load_model(convert(tmp_path / "small.safetensors", tmp_path / "model"))(crops)
    pictures = torch.as_tensor(crops[:, :, 32:224].transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        refined = network(pictures).refined
    assert np.abs(outputs["pred_vertices"] - refined.vertices.numpy()).max() < 1e-5


def test_a_folder_for_the_network_is_made_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what cannot be written or read later is refused at once, and not at the first save."""
    line = ["train", "--seconds", "1", "--out", str(tmp_path / "runs" / "six")]
    monkeypatch.setattr("sys.argv", line)
    assert train._arguments().out.is_dir()
    (tmp_path / "file").touch()
    for wrong in (["--out", str(tmp_path / "file")], ["--state", "no/where"], ["--start-from", "no.safetensors"]):
        monkeypatch.setattr("sys.argv", [*line, *wrong])
        with pytest.raises(SystemExit):
            train._arguments()
