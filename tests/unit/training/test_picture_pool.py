"""Pictures that are shown again: the truth moves with them."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; it is needed only to train")

from torch import Tensor  # noqa: E402

from training.mano_arrays import mano_arrays  # noqa: E402
from training.mano_layer import ManoLayer  # noqa: E402
from training.muon import orthogonal  # noqa: E402
from training.patch_hints import Hints, PatchHints  # noqa: E402
from training.picture_pool import Batch, PicturePool  # noqa: E402
from training.poses import PoseSampler, Truth  # noqa: E402

CPU = torch.device("cpu")


def dotted(points: Tensor) -> Tensor:
    """(B, 3, 256, 192) black pictures with a white blot at points (B, 2), in parts of the side, 0 in the middle."""
    y, x = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(192) + 0.5, indexing="ij")
    place = 256 * points + torch.tensor([96.0, 128.0])
    square = (x - place[:, 0, None, None]) ** 2 + (y - place[:, 1, None, None]) ** 2
    return 255 * torch.exp(-square / 18)[:, None].expand(-1, 3, -1, -1)


def brightest(pictures: Tensor) -> Tensor:
    """(B, 2) the place of the brightest pixel, in parts of the side, 0 in the middle."""
    index = pictures.mean(dim=1).flatten(1).argmax(dim=1)
    return torch.stack([(index % 192 + 0.5 - 96) / 256, (index // 192 + 0.5 - 128) / 256], dim=1)


@pytest.fixture
def truth() -> Truth:
    """Sixty-four hands."""
    torch.manual_seed(0)
    return PoseSampler(CPU).draw(64).truth


def test_points_move_with_their_pictures(truth: Truth) -> None:
    """A blot drawn at a fingertip is still at the fingertip after turning, enlarging and shifting, within 1.5 px."""
    pool = PicturePool(64)
    pool.add(Batch(dotted(truth.keypoints_2d[:, 8]), truth))
    drawn = pool.draw(128)
    apart = 256 * (brightest(drawn.pictures) - drawn.truth.keypoints_2d[:, 8]).norm(dim=1)
    covered = drawn.pictures.flatten(1).amax(dim=1) < 60
    assert apart[~covered].quantile(0.8) < 1.5


def test_the_wrist_turns_with_the_picture(truth: Truth) -> None:
    """The hand that is asked for still lies where the points in the picture are: as well as before it was turned."""
    pool = PicturePool(64)
    pool.add(Batch(dotted(truth.keypoints_2d[:, 8]), truth))
    assert misfit(pool.draw(256).truth) == pytest.approx(misfit(truth), abs=0.01)


def misfit(truth: Truth) -> float:
    """Median distance, in boxes, of the key points from the hand's, put over them as well as scale and shift can."""
    _, points = ManoLayer(mano_arrays())(truth.rotations, truth.betas)
    flat = points[..., :2] - points[..., :2].mean(dim=1, keepdim=True)
    goal = truth.keypoints_2d - truth.keypoints_2d.mean(dim=1, keepdim=True)
    scale = (flat * goal).sum(dim=(1, 2)) / flat.square().sum(dim=(1, 2))
    return float(((scale[:, None, None] * flat - goal).norm(dim=-1) / truth.box[:, None]).median())


def test_new_pictures_take_the_place_of_the_oldest(truth: Truth) -> None:
    """A full pool forgets what came first."""
    pool = PicturePool(128)
    for shade in (10, 20, 30):
        assert not pool.full or shade == 30
        pool.add(Batch(torch.full((64, 3, 256, 192), float(shade)), truth))
    assert pool.full
    shades = {round(float(picture.median())) for picture in pool._held.pictures}  # type: ignore[union-attr]
    assert shades == {20, 30}


def test_hints_ask_for_the_joint_in_its_patch() -> None:
    """The right answers cost least: evidence at the patch, the way to the joint from it, its depth; the whole hand."""
    hints = PatchHints(8)
    points_2d = torch.tensor([0.01, -0.02]).expand(1, 21, 2) + torch.linspace(0, 0.2, 21)[None, :, None]
    points = torch.zeros(1, 21, 3)
    points[0, :, 2] = torch.linspace(0, 0.1, 21)
    away = (points_2d[:, None] - hints.centres[:, None]) * 16
    joints = torch.zeros(1, 192, 4, 21)
    joints[:, :, 0] = -away.square().sum(dim=-1) / (2 * 0.7**2)
    joints[:, :, 1:3] = away.permute(0, 1, 3, 2)
    joints[:, :, 3] = 10 * points[..., 2]
    hand = torch.cat([points_2d, 10 * points], dim=-1)
    best = hints.loss(Hints(joints, hand), points_2d, points)
    for change in range(4):
        wrong = joints.clone()
        wrong[:, :, change] += torch.randn(1, 192, 21)
        assert hints.loss(Hints(wrong, hand), points_2d, points) > best + 0.01
    for change in range(5):
        wrong = hand.clone()
        wrong[:, :, change] += 0.5 * torch.randn(1, 21)
        assert hints.loss(Hints(joints, wrong), points_2d, points) > best + 0.01


def test_only_the_corner_is_asked_for_the_hand() -> None:
    """What RefineNet reads is what the whole hand is asked of, and nothing else."""
    torch.manual_seed(0)
    hints, finished = PatchHints(8), torch.randn(1, 192, 8)
    elsewhere, there = finished.clone(), finished.clone()
    elsewhere[:, 14:] += 1
    there[:, 13] += 1
    said = [hints(finished, tokens).hand for tokens in (finished, elsewhere, there)]
    assert torch.equal(said[0], said[1])
    assert not torch.equal(said[0], said[2])


def test_orthogonal_steps() -> None:
    """Every direction of a matrix gets about the same length, whatever its shape."""
    torch.manual_seed(0)
    for shape in ((3, 32, 96), (3, 96, 32)):
        lengths = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
        assert lengths.min() > 0.6
        assert lengths.max() < 1.3
