"""Where MLX compiles: it gives the path to a shell without quoting what matters to one."""

import os
import subprocess
from pathlib import Path

import pytest

from wilor_sidecar.mlx_settings import kernels_directory, settle_mlx


@pytest.mark.parametrize(
    "name", ["plain", "with space", "Zoë & <Søn>", "%h", "it's", "$HOME", "`id`", 'quo"te', "back\\slash"]
)
def test_a_shell_finds_the_kernels(name: str, tmp_path: Path) -> None:
    """Between double quotes, as MLX writes it, the path means itself, whatever the user's folders are called."""
    directory = kernels_directory(tmp_path / name)
    run = subprocess.run(["sh", "-c", f'printf %s "{directory}"'], capture_output=True, text=True, check=True)
    assert run.stdout == str(directory)


def test_each_has_its_own(tmp_path: Path) -> None:
    """The agent's are apart from the others', and one home's from another's."""
    caches = [tmp_path, tmp_path / "$a", tmp_path / "$b"]
    assert len({kernels_directory(cache, of_agent=agent) for cache in caches for agent in (True, False)}) == 6


@pytest.mark.parametrize(("said", "wanted"), [(None, "0"), ("1", "1")])
def test_products_are_exact_unless_somebody_wants_them_fast(
    said: str | None, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLX's own default rounds the factors of float32 products on newer GPUs."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)} | ({} if said is None else {"MLX_ENABLE_TF32": said}))
    settle_mlx()
    assert os.environ["MLX_ENABLE_TF32"] == wanted
