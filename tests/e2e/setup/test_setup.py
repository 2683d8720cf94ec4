"""From nothing to real weights: the whole way, against a stand-in for the hub."""

import json
import os
import pty
import shutil
import subprocess
import termios
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tests.e2e.setup.conftest import MEAN_PARAMS, NETWORK, Home, pinned
from tests.e2e.setup.stand_in_hub import COMMIT, REPOSITORY, StandInHub
from tests.unit.weights.test_mano_file import npz_entries
from tests.unit.weights.test_wilor_mlx_files import wilor_mlx_tensors
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.element_types import Array


def provenance_of(home: Home, name: str) -> dict[str, Any]:
    """What is written down of how a model was got."""
    read: dict[str, Any] = json.loads((home.models / name / "provenance.json").read_text())
    return read


def test_the_whole_way(home: Home, hub: StandInHub) -> None:
    """Fetched, checked, converted, tested, listed with its provenance, served by default; then it costs nothing."""
    first = home.run()
    assert first.returncode == 0, first.stderr
    assert f"at the pinned revision {COMMIT}" in first.stderr
    assert "Creative Commons BY-NC-ND 4.0" in first.stderr
    assert (home.listed(), home.default()) == (["wilor-float32"], "wilor-float32")
    listing = home.models_command()
    assert f"from {REPOSITORY} {NETWORK} at {COMMIT}" in listing
    provenance = provenance_of(home, "wilor-float32")
    network, mean = provenance["fetched"]
    assert network == {
        **pinned(NETWORK, hub.files[NETWORK]),
        "repository": REPOSITORY,
        "revision": COMMIT,
        "pinned": True,
        "checked_against": "manifest",
    }
    assert (mean["name"], mean["checked_against"]) == (MEAN_PARAMS, None)
    assert [body.path.rpartition("/")[2] for body in hub.bodies()] == ["wilor_final.ckpt", "mano_mean_params.npz"]
    with DaemonProcess(None, environment={"WILOR_SIDECAR_MODELS_DIR": str(home.models)}) as daemon:
        model = daemon.wait_until("ready").model
        assert model is not None
        assert (model.name, model.trained) == ("wilor-float32", True)
        assert daemon.stop() == 0

    examined = home.doctor()
    assert examined.returncode == 0, examined.stdout
    assert "wilor-float32" in examined.stdout
    assert "0 problems" in examined.stdout

    asked_before = len(hub.seen)
    weights = home.models / "wilor-float32" / "model.safetensors"
    written_at_ns = weights.stat().st_mtime_ns
    second = home.run()
    assert second.returncode == 0, second.stderr
    assert "is there already" in second.stderr
    assert "licences" not in second.stderr.lower()
    assert (len(hub.seen), weights.stat().st_mtime_ns) == (asked_before, written_at_ns)


def test_another_dtype_comes_from_the_cache(home: Home, hub: StandInHub) -> None:
    """What was fetched once is not fetched again, and both models stay."""
    assert home.run("--dtype", "float16").returncode == 0
    asked_before = len(hub.seen)
    assert home.run("--dtype", "int8", "--offline").returncode == 0
    assert len(hub.seen) == asked_before
    assert (home.listed(), home.default()) == (["wilor-float16", "wilor-int8"], "wilor-int8")
    assert home.run("--dtype", "float16", HF_HUB_OFFLINE="1").returncode == 0
    assert home.default() == "wilor-float16"


def test_a_damaged_model_is_made_again(home: Home, hub: StandInHub) -> None:
    """A folder that is there but not whole is no reason to do nothing."""
    assert home.run().returncode == 0
    weights = home.models / "wilor-float32" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    asked_before = len(hub.seen)
    assert home.run().returncode == 0
    assert weights.read_bytes() == whole
    assert len(hub.seen) == asked_before
    assert home.listed() == ["wilor-float32"]
    damaged = bytearray(whole)
    damaged[-3] ^= 1
    weights.write_bytes(damaged)
    result = home.run()
    assert "wilor-float32 is damaged" in result.stderr
    assert weights.read_bytes() == whole


def test_a_folder_of_ones_own_is_left_alone(home: Home, hub: StandInHub) -> None:
    """Whatever it is called; it is told before anything is fetched."""
    thesis = home.models / "wilor-float32" / "thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("mine")
    result = home.run("--dtype", "float32")
    assert (result.returncode, hub.seen) == (1, [])
    assert "it is left alone" in result.stderr
    assert thesis.read_text() == "mine"


def test_a_hand_model_of_ones_own(home: Home, hub: StandInHub, tmp_path: Path) -> None:
    """`--mano` replaces the checkpoint's hand, is written down by name and hash, and another one is another model."""
    mano = tmp_path / "mano.npz"
    np.savez(mano, **npz_entries())  # type: ignore[arg-type]
    assert home.run().returncode == 0
    assert provenance_of(home, "wilor-float32")["mano"] is None
    result = home.run("--mano", str(mano))
    assert result.returncode == 0, result.stderr
    assert provenance_of(home, "wilor-float32")["mano"]["name"] == "mano.npz"
    assert "is there already" in home.run("--mano", str(mano)).stderr
    np.savez(tmp_path / "left.npz", **npz_entries() | {"v_template": npz_entries()["v_template"] * (-1, 1, 1)})  # type: ignore[arg-type]
    seen_before = len(hub.seen)
    left = home.run("--mano", str(tmp_path / "left.npz"), HF_HOME=str(tmp_path / "another"))
    assert (left.returncode, len(hub.seen)) == (1, seen_before)
    assert left.stderr.splitlines()[-1].startswith("wilor-sidecar: left.npz: is a left hand")
    missing = home.run("--mano", "nowhere.pkl")
    assert (missing.returncode, "nowhere.pkl" in missing.stderr) == (1, True)


def wilor_mlx(home: Home, hub: StandInHub, tensors: dict[str, Array]) -> None:
    """Publish the network as wilor-mlx does: float32 and int4, without a hand, without a pinned revision."""
    network = wilor_mlx_tensors({name: array for name, array in tensors.items() if not name.startswith("mano.")})
    hub.files["w.safetensors"] = save({name: np.ascontiguousarray(array) for name, array in network.items()})
    for name in [name for name in network if ".blocks." in name and network[name].ndim == 2]:
        packed = mx.quantize(mx.array(network[name]), group_size=32, bits=4)
        layer = name.removesuffix(".weight")
        network |= {
            f"{layer}.{part}": np.array(array)
            for part, array in zip(("weight", "scales", "biases"), packed, strict=True)
        }
    hub.files["w-int4.safetensors"] = save({name: np.ascontiguousarray(array) for name, array in network.items()})
    home.list_repository("wilor-mlx", network={"name": "w.safetensors"}, network_int4={"name": "w-int4.safetensors"})


def test_wilor_mlxs_files(home: Home, hub: StandInHub, tensors: dict[str, Array]) -> None:
    """Unpinned, which is said; checked against the hub's hash; with the hand that wilor-mlx has left in its cache."""
    wilor_mlx(home, hub, tensors)
    without_hand = home.run("--from", "wilor-mlx", "--dtype", "int4")
    assert (without_hand.returncode, hub.seen) == (1, [])
    assert "give --mano FILE" in without_hand.stderr
    kept = home.path / ".cache" / "wilor-mlx"
    kept.mkdir(parents=True)
    np.savez(kept / "mano.npz", **npz_entries())  # type: ignore[arg-type]
    result = home.run("--from", "wilor-mlx", "--dtype", "int4")
    assert result.returncode == 0, result.stderr
    assert "no revision is pinned" in result.stderr
    assert "published as MIT" in result.stderr
    assert [body.path for body in hub.bodies()] == ["/storage/w-int4.safetensors"]
    (network,) = provenance_of(home, "wilor-mlx-int4")["fetched"]
    assert (network["revision"], network["pinned"], network["checked_against"]) == (COMMIT, False, "hub")
    there = home.run("--from", "wilor-mlx", "--dtype", "int4").stderr
    assert "is there already" in there
    assert "for a newer revision, if there is one, first: wilor-sidecar models remove wilor-mlx-int4" in there
    assert home.run("--from", "wilor-mlx").returncode == 0
    assert home.listed() == ["wilor-mlx-float32", "wilor-mlx-int4"]


def test_without_a_pin_the_newest_is_asked_for_and_nothing_mixed(home: Home, hub: StandInHub) -> None:
    """All files come from the commit that `main` is now, whatever the cache holds; offline from the newest of it."""
    home.list_repository(revision=None, network={"name": NETWORK})
    assert home.run("--dtype", "float32").returncode == 0
    newer = "f" * 40
    hub.push(newer, {})
    asked_before = len(hub.bodies())
    result = home.run("--dtype", "float16")
    assert result.returncode == 0, result.stderr
    assert {file["revision"] for file in provenance_of(home, "wilor-float16")["fetched"]} == {newer}
    assert [body.path for body in hub.bodies()[asked_before:] if "ckpt" in body.path] == []
    seen_before = len(hub.seen)
    result = home.run("--dtype", "int8", "--offline")
    assert result.returncode == 0, result.stderr
    assert len(hub.seen) == seen_before
    assert {file["revision"] for file in provenance_of(home, "wilor-int8")["fetched"]} == {newer}


def test_a_token_is_for_the_hub_only(home: Home, hub: StandInHub) -> None:
    """HF_TOKEN goes to the hub, and not along to the host that stores the files."""
    assert home.run(HF_TOKEN="hf_secret").returncode == 0
    hubs = {each.token for each in hub.seen if not each.path.startswith("/storage/")}
    storage = {each.token for each in hub.seen if each.path.startswith("/storage/")}
    assert (hubs, storage) == ({"Bearer hf_secret"}, {None})


def test_without_acceptance_nothing_is_fetched(home: Home, hub: StandInHub) -> None:
    """Where nobody can be asked, the licences are shown and the flag is named."""
    line = [argument for argument in home.arguments() if argument != "--accept-licences"]
    result = home.command(line)
    assert (result.returncode, hub.seen) == (1, [])
    assert "mano.is.tue.mpg.de" in result.stderr
    assert "--accept-licences" in result.stderr
    home.assert_untouched()


def at_a_terminal(home: Home, answer: bytes) -> tuple[int, str]:
    """Run `setup` at a terminal, and type an answer; the exit status and all that stood on the screen."""
    line = [argument for argument in home.arguments() if argument != "--accept-licences"]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    with subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=home.environment) as process:
        os.close(theirs)
        os.write(ours, answer)
        screen = b""
        try:
            while chunk := os.read(ours, 65536):
                screen += chunk
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        process.wait(300)
    os.close(ours)
    return process.returncode, screen.decode()


def test_licences_are_asked_about_once(home: Home, hub: StandInHub, large: bytes) -> None:
    """No is no; yes is written down, and not asked again; the bar shows how much, how fast and how long still."""
    home.publish(hub, large)
    status, screen = at_a_terminal(home, b"n\n")
    assert (status, hub.seen) == (1, [])
    assert "Do you accept these licences? [y/N]" in screen
    status, screen = at_a_terminal(home, b"\x04")  # Ctrl-D
    assert (status, hub.seen) == (1, [])
    assert "the licences were not accepted" in screen
    assert "Traceback" not in screen
    status, screen = at_a_terminal(home, b"yes\n")
    assert status == 0, screen
    assert "wilor_final.ckpt: 100%" in screen
    assert "MB/s" in screen
    record = json.loads((home.models / ".licences.json").read_text())
    assert [each["licence"] for each in record] == ["wilor-cc-by-nc-nd-4.0", "mano"]
    assert {each["how"] for each in record} == {"asked"}
    shutil.rmtree(home.models / "wilor-float32")
    status, screen = at_a_terminal(home, b"")
    assert (status, "licences?" in screen) == (0, False)


def test_upstreams_own_files(home: Home, hub: StandInHub, reference: Path) -> None:
    """A real PyTorch zip with a training framework's leftovers goes the whole way."""
    hub.files[MEAN_PARAMS] = (reference / "tiny/mano_mean_params.npz").read_bytes()
    home.publish(hub, (reference / "tiny/wilor_final.ckpt").read_bytes())
    result = home.run("--dtype", "int8", "--mano", str(reference / "tiny/MANO_RIGHT.pkl"))
    assert result.returncode == 0, result.stderr
    assert home.default() == "wilor-int8"


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("{", "truncated"),
        ('{"upstream": {"repository": "a/b"}}', "network"),
        ('{"upstream": {"repository": "a/b", "network": {"name": "n"}, "revision": "main"}}', "revision"),
        ("{}", "has nothing from upstream"),
    ],
)
def test_a_manifest_that_cannot_be_used(home: Home, manifest: str, words: str) -> None:
    """One line names the field."""
    home.manifest.write_text(manifest)
    result = home.run()
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert words in result.stderr
