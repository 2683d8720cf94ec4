"""What can go wrong on the way to real weights: nothing half-made is left, and the next run goes on."""

import io
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.setup.conftest import MEAN_PARAMS, NETWORK, Home, pinned
from tests.e2e.setup.stand_in_hub import StandInHub
from tests.unit.weights.files import state_dict, write_checkpoint, write_torch_zip
from tests.unit.weights.pickles import Global, Reduce
from wilor_sidecar.weights.element_types import Array

MEGABYTE = 10**6
WAIT_S = 120


def test_a_dropped_line_is_taken_up_again(home: Home, hub: StandInHub, large: bytes) -> None:
    """The same run asks for the rest, and what was put together is what was promised."""
    home.publish(hub, large)
    hub.faults.drop_after, hub.faults.drops = 15 * MEGABYTE, 1
    result = home.run()
    assert result.returncode == 0, result.stderr
    ranges = [body.range for body in hub.bodies() if "ckpt" in body.path]
    assert ranges[0] is None
    assert int(str(ranges[1]).removeprefix("bytes=").removesuffix("-")) >= 10 * MEGABYTE
    assert home.default() == "wilor-float32"


def test_a_line_dropped_after_the_link_has_expired(home: Home, hub: StandInHub, large: bytes) -> None:
    """The rest is fetched by a fresh link; the dead one's refusal is not taken for the account's."""
    home.publish(hub, large)
    hub.faults.drop_after, hub.faults.drops, hub.faults.link_life = 15 * MEGABYTE, 1, 14 * MEGABYTE
    result = home.run()
    assert result.returncode == 0, result.stderr
    assert "asking the hub for another" in result.stderr
    assert "this account" not in result.stderr
    last = [body.range for body in hub.bodies() if "ckpt" in body.path][-1]
    assert int(str(last).removeprefix("bytes=").removesuffix("-")) >= 10 * MEGABYTE


def test_links_live_shorter_than_the_large_file_takes(home: Home, hub: StandInHub, large: bytes) -> None:
    """The small file comes last, by a link that was asked for right before."""
    home.publish(hub, large)
    with np.load(io.BytesIO(hub.files[MEAN_PARAMS])) as mean:
        stored = io.BytesIO()
        np.savez(stored, ballast=np.zeros(2000), **mean)
    hub.files[MEAN_PARAMS] = stored.getvalue()
    hub.faults.link_life = MEGABYTE
    result = home.run()
    assert result.returncode == 0, result.stderr
    assert "asking the hub for another" not in result.stderr


def test_a_storage_that_refuses_every_link(home: Home, hub: StandInHub) -> None:
    """It gets one more link, and then the account is named."""
    hub.faults.link_life = 0
    result = home.run()
    assert result.returncode == 1
    assert result.stderr.count("asking the hub for another") == 1
    assert "this account may not have it (403)" in result.stderr.splitlines()[-1]
    assert len(hub.bodies()) == 2
    home.assert_untouched()


@pytest.mark.parametrize("place", ["huggingface", "huggingface/hub"])
def test_a_cache_that_cannot_be_written(home: Home, hub: StandInHub, place: str) -> None:
    """One sentence names the path and the variable."""
    (home.path / place).parent.mkdir(exist_ok=True)
    (home.path / place).write_text("a file stands here")
    result = home.run()
    assert (result.returncode, hub.bodies()) == (1, [])
    last = result.stderr.splitlines()[-1]
    assert str(home.path / "huggingface") in last
    assert "HF_HOME can name another folder" in last
    assert "Traceback" not in result.stderr
    home.assert_untouched()


def start_until(home: Home, line: str) -> subprocess.Popen[str]:
    """Start `setup`, and return as soon as it has said this."""
    process = subprocess.Popen(home.arguments(), stderr=subprocess.PIPE, text=True, env=home.environment)
    assert process.stderr
    for said in process.stderr:
        if line in said:
            return process
    raise AssertionError(f"it ended without saying {line!r}")


def end(process: subprocess.Popen[str], number: int) -> int:
    """End it by a signal."""
    process.send_signal(number)
    process.communicate(timeout=WAIT_S)
    return process.returncode


def test_a_killed_download_goes_on_in_the_next_run(home: Home, hub: StandInHub, large: bytes) -> None:
    """After kill -9 the next run fetches only what is missing, says so, and meanwhile nobody else may set up."""
    home.publish(hub, large)
    hub.faults.stall.clear()
    process = start_until(home, "fetching")
    assert hub.has_stalled.wait(WAIT_S)
    (part,) = _parts(home)
    _wait_until_larger(part, 10 * MEGABYTE)
    assert "another setup is running" in home.run().stderr
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    hub.faults.stall.set()
    home.assert_untouched()
    result = home.run()
    assert result.returncode == 0, result.stderr
    assert "going on from 10" in result.stderr
    last = [body.range for body in hub.bodies() if "ckpt" in body.path][-1]
    assert last is not None
    assert int(last.removeprefix("bytes=").removesuffix("-")) >= 10 * MEGABYTE
    assert _parts(home) == []


def _parts(home: Home) -> list[Path]:
    return list(home.cache.rglob("*.part"))


def _wait_until_larger(path: Path, size: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while path.stat().st_size < size:
        assert time.monotonic() < deadline, f"{path} has {path.stat().st_size} bytes"
        time.sleep(0.01)


@pytest.mark.parametrize("stage", ["fetching", "converting", "testing"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interruption_leaves_nothing_half_made(home: Home, stage: str, number: int) -> None:
    """Killed or interrupted in any stage: no model is listed or served, and the next run clears up and succeeds."""
    status = end(start_until(home, stage), number)
    assert status in (-number, 130)
    assert home.listed() == []
    assert home.default() == "embedded"
    assert home.run().returncode == 0
    assert home.listed() == ["wilor-float32"]
    assert {path.name for path in home.models.iterdir()} == {
        ".default",
        ".licences.json",
        ".setup.lock",
        "wilor-float32",
    }


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"size": 5}, "bytes, expected 5"),
        ({"sha256": "0" * 64}, f"expected {'0' * 64}"),
    ],
)
def test_another_file_than_the_pinned_one_is_not_fetched(
    home: Home, hub: StandInHub, entry: dict[str, object], words: str
) -> None:
    """A wrong size or hash shows in what the hub announces, before gigabytes are spent."""
    home.list_repository(network={**pinned(NETWORK, hub.files[NETWORK]), **entry})
    result = home.run()
    assert (result.returncode, hub.bodies()) == (1, [])
    assert words in result.stderr
    home.assert_untouched()


@pytest.mark.parametrize("is_pinned", [True, False])
def test_bytes_that_are_not_what_was_announced(home: Home, hub: StandInHub, is_pinned: bool) -> None:
    """They are thrown away, whoever knew the hash: the manifest or only the hub; a better day starts afresh."""
    if not is_pinned:
        home.list_repository(revision=None, network={"name": NETWORK})
    hub.faults.lies = True
    result = home.run()
    assert result.returncode == 1
    assert "thrown away" in result.stderr
    assert _parts(home) == []
    home.assert_untouched()
    hub.faults.lies = False
    assert home.run().returncode == 0


def test_a_damaged_cache_is_noticed(home: Home, hub: StandInHub) -> None:
    """A cached file whose bytes have changed is not converted; the message says which file to delete."""
    assert home.run("--dtype", "float16").returncode == 0
    blob = next(path for path in home.cache.rglob("blobs/*") if path.stat().st_size == len(hub.files[NETWORK]))
    content = bytearray(blob.read_bytes())
    content[1000] ^= 1
    blob.write_bytes(content)
    result = home.run()
    assert (result.returncode, f"Delete {blob}" in result.stderr) == (1, True)
    assert home.listed() == ["wilor-float16"]
    blob.unlink()
    assert home.run().returncode == 0


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "RepoNotFound", "HF_TOKEN"),
        (401, None, "HF_TOKEN"),
        (403, "GatedRepo", "accept"),
        (403, None, "accept"),
        (404, "EntryNotFound", "there is no"),
        (404, "RepoNotFound", "404"),
        (429, None, "too many requests"),
        (500, None, "status 500"),
    ],
)
def test_refusals_say_what_to_do(home: Home, hub: StandInHub, status: int, code: str | None, words: str) -> None:
    """Each refusal of the hub's becomes one sentence with its remedy."""
    hub.faults.status, hub.faults.error_code = status, code
    result = home.run()
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("wilor-sidecar: someone/weights: ")
    assert words in last
    assert "Traceback" not in result.stderr
    home.assert_untouched()


def test_a_hub_that_cannot_be_reached(home: Home) -> None:
    """A dead line is one sentence."""
    result = home.run(HF_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode == 1
    assert "cannot be reached" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_an_answer_that_is_no_hubs(home: Home, hub: StandInHub) -> None:
    """A portal's login page, which answers everything with 200, is not taken for weights."""
    hub.faults.portal = True
    result = home.run()
    assert (result.returncode, hub.bodies()) == (1, [])
    assert "the answer is not a hub's" in result.stderr.splitlines()[-1]
    home.assert_untouched()


@pytest.mark.parametrize(("how", "is_pinned"), [("flag", True), ("variable", True), ("flag", False)])
def test_offline_without_a_cache(home: Home, hub: StandInHub, how: str, is_pinned: bool) -> None:
    """It asks nobody, and says what is missing."""
    if not is_pinned:
        home.list_repository(revision=None)
    result = home.run("--offline") if how == "flag" else home.run(HF_HUB_OFFLINE="1")
    assert (result.returncode, hub.seen) == (1, [])
    assert f"{NETWORK} is not in the cache" in result.stderr
    home.assert_untouched()


def test_no_room_on_the_disk(home: Home, hub: StandInHub) -> None:
    """A petabyte is refused before the first byte of it is fetched."""
    hub.faults.size_off = 10**15
    home.list_repository(network={"name": NETWORK})
    result = home.run()
    assert (result.returncode, hub.bodies()) == (1, [])
    assert "not enough room: " in result.stderr
    assert "HF_HOME" in result.stderr
    home.assert_untouched()


def test_a_folder_that_cannot_be_written(home: Home, hub: StandInHub) -> None:
    """Said before anything is fetched."""
    home.models.write_text("a file stands here")
    result = home.run()
    assert (result.returncode, hub.seen) == (1, [])
    assert f"{home.models}: cannot be written" in result.stderr


def test_a_hostile_checkpoint(home: Home, hub: StandInHub, tmp_path: Path) -> None:
    """A checkpoint that would run a command when unpickled runs nothing, and becomes no model."""
    mark = tmp_path / "was-here"
    bait = Reduce(Global("os", "system"), (f"touch {mark}",))
    path = write_torch_zip(tmp_path / "evil.ckpt", state_dict({"backbone.pos_embed": bait}), {"0": bytes(8192)})
    home.publish(hub, path.read_bytes())
    result = home.run()
    assert result.returncode == 1
    assert "os.system" in result.stderr
    assert "Traceback" not in result.stderr
    assert not mark.exists()
    home.assert_untouched()


def test_a_network_that_answers_no_hand(home: Home, hub: StandInHub, tensors: dict[str, Array], tmp_path: Path) -> None:
    """What converts but fails its self-test does not replace what serves."""
    assert home.run("--dtype", "float16").returncode == 0
    giant = {**tensors, "mano.v_template": 100 * tensors["mano.v_template"]}
    home.publish(hub, write_checkpoint(tmp_path / "giant.ckpt", giant).read_bytes())
    result = home.run("--dtype", "float32", HF_HOME=str(tmp_path / "another"))
    assert result.returncode == 1
    assert "no hand: the hand is" in result.stderr
    assert (home.listed(), home.default()) == (["wilor-float16"], "wilor-float16")


def test_a_network_that_answers_infinity(
    home: Home, hub: StandInHub, tensors: dict[str, Array], tmp_path: Path
) -> None:
    """Numbers that overflow are a failed self-test."""
    huge = {
        **tensors,
        "backbone.deccam.bias": np.full(3, 3e38, np.float32),
        "backbone.init_cam": np.full((1, 3), 3e38, np.float32),
    }
    home.list_repository(mean_params=None)
    home.publish(hub, write_checkpoint(tmp_path / "huge.ckpt", huge).read_bytes())
    result = home.run()
    assert result.returncode == 1
    assert "self-test failed" in result.stderr
    home.assert_untouched()
