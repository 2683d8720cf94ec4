"""What the model card's numbers are measured with."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; it is needed only to train")

from training import backdrop, renderer  # noqa: E402
from training.mano_arrays import mano_arrays  # noqa: E402
from training.measure import measured, shipped  # noqa: E402
from training.model import HandNetwork  # noqa: E402

COUNT = 12


def test_what_is_shipped_is_measured_and_differs_from_what_never_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Per hand and per joint, the same hands each time, in millimetres and parts of the box."""
    few = backdrop.bank(24, torch.device("cpu"))  # thousands, as for training, take minutes
    monkeypatch.setattr(renderer, "_bank", lambda *_: few)
    found = measured(shipped(), COUNT, 1.0)
    assert {name: tuple(values.shape) for name, values in found.items()} == {
        "first_aligned_mm": (COUNT,),
        "first_box_per_cent": (COUNT,),
        "refined_aligned_mm": (COUNT,),
        "refined_box_per_cent": (COUNT,),
        "joints": (COUNT, 21),
    }
    assert torch.allclose(100 * found["joints"].mean(dim=1), found["refined_box_per_cent"])
    assert found["refined_aligned_mm"].mean() < 12
    torch.manual_seed(1)
    untrained = measured(HandNetwork(64, 2, 1, mano_arrays()).eval(), COUNT, 1.0)
    assert untrained["refined_aligned_mm"].mean() > 15
    assert untrained["refined_box_per_cent"].mean() > 3 * found["refined_box_per_cent"].mean()
