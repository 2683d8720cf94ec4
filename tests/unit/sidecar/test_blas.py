"""A tuned BLAS under MLX: where it is looked for, and that MLX really uses it."""

import ctypes
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from wilor_sidecar import blas

load_tuned_blas = blas.load_tuned_blas.__wrapped__  # as a fresh process sees it: without what was found before

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="on a Mac MLX brings its own BLAS")
needs_mlx = pytest.mark.skipif(find_spec("mlx") is None, reason="MLX is not installed")


def run(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A fresh Python that has imported nothing yet."""
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **environment}
    )


def forbidden(*_: object, **__: object) -> None:
    """What must not be called."""
    raise AssertionError("a library was looked for")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_nothing_is_loaded_but_on_linux(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """On a Mac MLX has Accelerate and Metal."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(blas, "_candidates", forbidden)
    assert load_tuned_blas() == ""


@needs_linux
def test_no_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is installed, or none can be opened, MLX goes with what it has."""
    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)
    for candidates in ([], ["/nowhere/libmkl_rt.so.2", "libno-such-blas.so"]):
        monkeypatch.setattr(blas, "_candidates", lambda candidates=candidates: candidates)
        assert load_tuned_blas() == ""


@needs_linux
def test_a_library_without_products_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first library that has `cblas_sgemm` is taken, not the first that can be opened; all names are global."""

    class Library:
        def __init__(self, path: str, mode: int) -> None:
            assert mode == ctypes.RTLD_GLOBAL
            if path.endswith("good.so"):
                self.cblas_sgemm = None

    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(blas, "_candidates", lambda: ["/lib/bare.so", "/lib/good.so", "/lib/other-good.so"])
    assert load_tuned_blas() == "good.so"


@needs_linux
@needs_mlx
def test_mlx_that_came_first_is_warned_of() -> None:
    """When MLX has bound its BLAS already, none is loaded, and the log says what that costs."""
    result = run(
        "import logging, sys, mlx.core; logging.basicConfig()\n"
        "from wilor_sidecar.blas import load_tuned_blas\n"
        "print(repr(load_tuned_blas()), 'mkl' in open('/proc/self/maps').read())"
    )
    assert result.stdout == "'' False\n"
    assert "WARNING:wilor_sidecar.blas:MLX was imported before" in result.stderr


@needs_linux
@needs_mlx
@pytest.mark.skipif(
    not list((Path(sys.prefix) / "lib").glob("libmkl_rt.so.*")), reason="the mkl wheel is not installed"
)
def test_mlx_multiplies_with_the_tuned_library(tmp_path: Path) -> None:
    """Imported our way, MLX's products are bound to the wheel's library by the dynamic linker itself."""
    result = run(
        "import os\n"
        "from wilor_sidecar.mlx import mx\n"
        "from wilor_sidecar.blas import load_tuned_blas\n"
        "a = mx.ones((64, 64)); mx.eval(a @ a)\n"
        "print(load_tuned_blas(), os.getpid())",
        LD_DEBUG="bindings",
        LD_DEBUG_OUTPUT=str(tmp_path / "bindings"),
    )
    name, pid = result.stdout.split()
    assert name.startswith("libmkl_rt.so.")
    bindings = [
        line
        for line in (tmp_path / f"bindings.{pid}").read_text(errors="replace").splitlines()
        if "libmlx.so" in line.split(" to ")[0] and "`cblas_sgemm'" in line
    ]
    assert bindings
    assert all(name in line.split(" to ")[1] for line in bindings)
