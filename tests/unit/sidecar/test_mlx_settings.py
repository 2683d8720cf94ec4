"""Where MLX compiles: it gives the path to a shell without quoting what matters to one."""

import subprocess
from pathlib import Path

import pytest

from wilor_sidecar.mlx_settings import kernels_directory


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
