import pytest

from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import Sizes, guess_heads, infer_sizes, tensor_specs
from wilor_sidecar.weights.seeded import checkpoint


def test_specs_are_a_checkpoints_tensors() -> None:
    """A folder holds every tensor of a checkpoint, in its shape, and nothing else."""
    specs = tensor_specs(Sizes(64, 2, 1), "float32")
    assert {name: spec.shape for name, spec in specs.items()} == {
        name: array.shape for name, array in checkpoint(1, 64, 2).items()
    }


def test_half_precision_is_for_blocks_only() -> None:
    """float16 reaches exactly the transformer blocks; MANO's indices are int32 in every folder."""
    specs = tensor_specs(Sizes(64, 2, 1), "float16")
    halves = {name for name, spec in specs.items() if spec.dtype == "float16"}
    assert halves == {name for name in specs if name.startswith("backbone.blocks.")}
    assert {name for name, spec in specs.items() if spec.dtype == "int32"} == {
        "mano.parents",
        "mano.extra_joints_idxs",
        "mano.joint_map",
        "mano.faces_tensor",
    }


@pytest.mark.parametrize(("width", "heads"), [(1280, 16), (160, 2), (64, 1), (768, 12), (320, 4)])
def test_heads_are_guessed(width: int, heads: int) -> None:
    """Heads are 80 wide where that divides the width, else 64."""
    assert guess_heads(width) == heads


def test_heads_that_cannot_be_guessed() -> None:
    """A width that neither 80 nor 64 divides asks for the option."""
    with pytest.raises(WeightsError, match="--heads"):
        guess_heads(200)


def test_sizes_come_from_shapes() -> None:
    """Width, depth and heads of a checkpoint are read off its shapes; given heads win over guessed ones."""
    shapes = {name: array.shape for name, array in checkpoint(1, 64, 3).items()}
    assert infer_sizes(shapes, None) == Sizes(64, 3, 1)
    assert infer_sizes(shapes, 4) == Sizes(64, 3, 4)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({}, "no backbone.pos_embed"),
        ({"backbone.pos_embed": (193, 64)}, r"\(193, 64\)"),
        ({"backbone.pos_embed": (1, 193, 64)}, "no backbone.blocks"),
        ({"backbone.pos_embed": (1, 193, 64), "backbone.blocks.4095.norm1.bias": (64,)}, "depth is 4096"),
        ({"backbone.pos_embed": (1, 193, 10**9), "backbone.blocks.0.norm1.bias": (64,)}, "width is 1000000000"),
    ],
)
def test_shapes_of_something_else(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    """Shapes that are no WiLoR network's are refused with the reason."""
    with pytest.raises(WeightsError, match=message):
        infer_sizes(shapes, 1)


@pytest.mark.parametrize("sizes", [(63, 1, 1), (0, 1, 1), (64, 0, 1), (64, 1, 0), (64, 1, 3)])
def test_impossible_sizes(sizes: tuple[int, int, int]) -> None:
    """Sizes that no network has are refused where they are made."""
    with pytest.raises(WeightsError, match="expected"):
        Sizes(*sizes)
