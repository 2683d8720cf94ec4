"""The commands as a person at a terminal uses them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from tests.e2e.test_answers import wait_until_subscribed
from tests.unit.sidecar.fakes import wait_for
from wilor_client import HandClient
from wilor_protocol.events import joints_topic
from wilor_sidecar.accuracy import box_error
from wilor_sidecar.cli.demo_film import film
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint

PROGRAM = (sys.executable, "-m", "wilor_sidecar")


def command(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run wilor-sidecar with these arguments."""
    whole = [*PROGRAM, *arguments]
    return subprocess.run(whole, capture_output=True, text=True, timeout=timeout_s, check=False)


def test_status_tells_people_and_programs(daemon: DaemonProcess) -> None:
    """Status prints lines, or with --json the whole reply; ready is exit status 0."""
    for_people = command("status", "--run-dir", str(daemon.run_dir))
    assert for_people.returncode == 0
    assert for_people.stdout.startswith("ready: serving embedded (")
    for_programs = command("status", "--json", "--run-dir", str(daemon.run_dir))
    assert json.loads(for_programs.stdout)["state"] == "ready"


def test_top_looks_again_and_again(daemon: DaemonProcess) -> None:
    """Top shows state, stages and counters; where no daemon is, it says so and waits."""
    shown = command("top", "--count", "2", "--every", "0.1", "--run-dir", str(daemon.run_dir))
    assert shown.returncode == 0, shown.stderr
    assert "ready: serving embedded" in shown.stdout
    assert "requests_status" in shown.stdout
    away = command("top", "--count", "1", "--run-dir", "/tmp/wilor-nobody-here")
    assert "no daemon answers at ipc:///tmp/wilor-nobody-here/requests" in "".join(away.stdout.splitlines())


def _page(address: str) -> bytes:
    with urlopen(address, timeout=20) as response:
        return bytes(response.read())


def test_metrics_are_served_when_asked_for(tmp_path: Path) -> None:
    """Serve --metrics tells where it listens; a daemon that is stopped does so at once, readers or not."""
    file = tmp_path / "daemon.log"
    with DaemonProcess(arguments=["--metrics", "127.0.0.1:0", "--log-file", str(file)]) as daemon:
        daemon.wait_until("ready")
        address = re.findall(r"metrics at (http://\S+)", file.read_text())[0]
        wait_for(lambda: b"wilor_sidecar_ready 1.0" in _page(address), "it is told to be ready", 30)
        with socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/")[0]))):
            assert daemon.stop() == 0


def test_status_without_a_daemon_says_so(tmp_path: Path) -> None:
    """Where no daemon runs, one line says where it was looked for; exit status 1."""
    result = command("status", "--run-dir", str(tmp_path))
    assert result.returncode == 1
    assert str(tmp_path) in result.stderr
    assert result.stderr.count("\n") == 1


def test_config_tells_values_and_where_they_come_from(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Config prints a settings file that says the same again; commands find their daemon by the settings file."""
    file = tmp_path / "config.toml"
    file.write_text(f'run_dir = "{daemon.run_dir}"')
    printed = command("config", "--config", str(file), "--log-level", "debug").stdout
    lines = {line.split(" = ")[0]: " ".join(line.split()) for line in printed.splitlines()}
    assert lines["log_level"] == 'log_level = "debug" # flag --log-level'
    assert lines["run_dir"] == f'run_dir = "{daemon.run_dir}" # file {file}'
    assert lines["model"] == 'model = "embedded" # default'
    again = tmp_path / "again.toml"
    again.write_text(printed)
    reprinted = command("config", "--config", str(again)).stdout
    assert [line.split(" #")[0] for line in reprinted.splitlines()[1:]] == [
        line.split(" #")[0] for line in printed.splitlines()[1:]
    ]
    assert command("status", "--config", str(again)).returncode == 0


def test_a_slip_in_the_settings_file_is_told(tmp_path: Path) -> None:
    """Serve ends with 78 and one line that says which key is meant, and so do config and status."""
    file = tmp_path / "config.toml"
    file.write_text('log_levle = "debug"')
    for name in ("serve", "config", "status"):
        result = command(name, "--config", str(file))
        assert result.returncode == 78
        assert "nearest is log_level" in result.stderr
        assert result.stderr.count("\n") == 1


def test_estimate_prints_and_draws(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A photograph's hands are printed, and drawn over it."""
    right, left = film(1)
    picture = np.concatenate([right.picture, left.picture], axis=1)
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    Image.fromarray(picture).save(photo)
    beside = (np.array(left.box) + [right.picture.shape[1], 0] * 2).tolist()
    hands = [part for box, side in ((right.box, "right"), (beside, "left")) for part in _hand_flags(box, side)]
    run_dir = ("--run-dir", str(daemon.run_dir))
    result = command("estimate", str(photo), *hands, *run_dir, "--draw", str(out))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("index_tip") == 2
    with Image.open(out) as image:
        assert np.array(image).shape == picture.shape
        assert (np.array(image) != picture).any()
    as_json = json.loads(command("estimate", str(photo), *hands, *run_dir, "--json").stdout)
    assert [hand["side"] for hand in as_json] == ["right", "left"]
    assert box_error(np.array(as_json[0]["keypoints_2d"]), right.keypoints_2d) < 0.1
    assert box_error(np.array(as_json[1]["keypoints_2d"]) - [right.picture.shape[1], 0], left.keypoints_2d) < 0.15


def _hand_flags(box: Iterable[float], side: str) -> tuple[str, ...]:
    return "--box", ",".join(map(str, box)), "--side", side


def test_watch_prints_events(daemon: DaemonProcess) -> None:
    """Watch prints a line for each event of its source."""
    arguments = [*PROGRAM, "watch", "watched", "--count", "1", "--run-dir", str(daemon.run_dir)]
    with (
        HandClient(daemon.requests_address, source="watched", timeout_ms=20_000) as client,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as watch,
    ):
        try:
            wait_until_subscribed(client, joints_topic("watched"))
            client.estimate(np.zeros((256, 256, 3), np.uint8), "left", frame=5)
            printed, _ = watch.communicate(timeout=60)
        finally:
            watch.kill()
    assert printed.startswith("watched #1 frame 5, ")
    assert "left index tip" in printed


def test_watch_says_what_it_waits_for(daemon: DaemonProcess) -> None:
    """A daemon that is not there, or hands of a source that nobody sends; the output has only events."""
    for run_dir, words in (
        (Path("/tmp/wilor-nobody-here"), "no daemon answers at ipc:///tmp/wilor-nobody-here/requests; waiting for one"),
        (daemon.run_dir, "is ready; waiting for hands of mistyped"),
    ):
        arguments = [*PROGRAM, "watch", "mistyped", "--run-dir", str(run_dir)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stderr is not None
            assert words in watch.stderr.readline()
            watch.send_signal(signal.SIGINT)
            printed, complaint = watch.communicate(timeout=20)
        assert (watch.returncode, printed, complaint) == (130, "", "")


def test_a_reader_that_has_gone_is_not_mourned(tmp_path: Path) -> None:
    """`wilor-sidecar config | true`: nobody is left to be told anything."""
    reading, writing = os.pipe()
    os.close(reading)
    assert config_into(writing) == (0, b"")
    os.close(writing)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_behind_the_output_is_told() -> None:
    """In a sentence, once."""
    with Path("/dev/full").open("wb") as full:
        assert config_into(full.fileno()) == (75, b"wilor-sidecar: [Errno 28] No space left on device\n")


def config_into(output: int) -> tuple[int, bytes]:
    """Exit status and complaints of `config`, whose output is kept back until the end, as it is for most people."""
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    run = subprocess.run(
        [*PROGRAM, "config"], stdout=output, stderr=subprocess.PIPE, env=environment, timeout=60, check=False
    )
    return run.returncode, run.stderr


def test_characters_that_the_terminal_does_not_know(tmp_path: Path) -> None:
    """They are escaped, and nothing falls over."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "XDG_CONFIG_HOME": str(tmp_path / "Zoë")}
    run = subprocess.run([*PROGRAM, "config"], capture_output=True, env=environment, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert rb"Zo\xeb" in run.stdout


def test_a_closed_output_is_none() -> None:
    """A supervisor may have none to give."""
    shell = ["sh", "-c", f"{' '.join(PROGRAM)} config >&-"]
    run = subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_ctrl_c_during_the_first_imports() -> None:
    """No traceback either, whatever is being imported."""
    code = (
        "import builtins, signal, os\n"
        "real = builtins.__import__\n"
        "def slow(name, *rest):\n"
        "    if name == 'zmq': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = slow\n"
        "from wilor_sidecar.entry import run; run()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "status"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (130, "")


def test_demo_shows_the_whole_way(tmp_path: Path) -> None:
    """The demo starts a daemon, shows events, saves two short animations with their errors, and stops the daemon."""
    result = command("demo", "--frames", "2", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "right-hand #2 frame" in result.stdout
    assert "exit status 0" in result.stdout
    errors_mm = [float(text) for text in re.findall(r"joints are ([\d.]+) mm off", result.stdout)]
    assert len(errors_mm) == 2
    assert max(errors_mm) < 12
    for side in ("right", "left"):
        with Image.open(tmp_path / f"{side}-hand.gif") as image:
            assert (image.size, image.n_frames) == ((720, 480), 2)  # type: ignore[attr-defined]


def test_demo_shows_photographs(reference: Path, tmp_path: Path) -> None:
    """The demo does the same with photographs and a converted model."""
    model = tmp_path / "model"
    assert command("convert", str(reference / "tiny/wilor_final.ckpt"), "--out", str(model)).returncode == 0
    photos = reference / "photos"
    result = command("demo", "--photos", str(photos), "--model", str(model), "--out", str(tmp_path / "out"))
    assert result.returncode == 0, result.stderr
    made = sorted(path.stem for path in (tmp_path / "out").iterdir())
    assert made == sorted(Path(name).stem for name in json.loads((photos / "boxes.json").read_text()))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 64, "COMMAND"),
        (("statsu",), 64, "statsu"),
        (
            ("serve", "--hang-limt=3"),
            64,
            "--hang-limt: there is no such argument; the nearest is --hang-limit\nusage: wilor-sidecar serve",
        ),
        (("status", "now"), 64, "now: there is no such argument\nusage: wilor-sidecar status"),
        (("serve", "--log-level", "loud"), 78, "log_level"),
        (("serve", "--metrics", "0.0.0.0:9090"), 78, "loopback"),
        (("serve", "--metrics", "9090"), 78, "as 127.0.0.1:9090"),
        (("top", "--every", "0"), 64, "positive"),
        (("top", "--every", "abc"), 64, "--every: expected a positive number of seconds, 86400 at most, got 'abc'"),
        (("top", "--count", "0"), 64, "--count: expected a whole number of 1 or more, got '0'"),
        (("watch", "x", "--count", "-1"), 64, "--count: expected a whole number of 1 or more"),
        (("watch", "x" * 65), 64, "source: expected a length of 1 to 64, got 65"),
        (("agent", "restart", "--timeout", "nan"), 64, "--timeout: expected a positive number of seconds"),
        (("agent", "logs", "-n", "-3"), 64, "--lines: expected"),
        (("demo", "--frames", "0"), 64, "--frames: expected a whole number of 1 or more"),
        (("serve", "--super", "systemd"), 64, "--super: there is no such argument; the nearest is --supervisor"),
        (("status", "--run-dir", "~nosuch/x"), 78, "run_dir: expected a path, got '~nosuch/x' (flag --run-dir)"),
        (("serve", "--unload-after", "inf"), 78, "unload_after: expected a number from 0 to 604800, got inf"),
        (("models", "remove", "embedded"), 1, "embedded belongs to the package"),
        (("estimate", "nothing.jpg", *("--box=1,2,3,4", "--side=left") * 9), 64, "--box: expected 8 hands at most"),
        (("estimate", "nothing.jpg", "--box", "1,2,3", "--side", "left"), 64, "four numbers"),
        (("estimate", "nothing.jpg", "--box", "1,2,3,4", "--side", "left"), 1, "nothing.jpg"),
        (("convert", "nothing.ckpt", "--out", "x"), 1, "nothing.ckpt"),
        (("bench", "--batches", "9"), 64, "1 to 8"),
        (("bench", "--runs", "0"), 64, "1 or more"),
        (("bench", "--model", "nothing", "--models-dir", "/nowhere"), 1, "has no config.json in /nowhere/nothing"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: tuple[str, ...], status: int, words: str, tmp_path: Path) -> None:
    """A mistake ends with its exit status and a line that says what is wrong, and no traceback."""
    result = command(*arguments)
    assert result.returncode == status
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_client_needs_no_inference_code() -> None:
    """Importing the client imports neither MLX nor anything of the daemon's."""
    names = "('mlx', 'wilor_sidecar', 'scipy')"
    code = f"import sys, wilor_client; print([name for name in sys.modules if name.startswith({names})])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_bench_measures_each_dtype(tmp_path: Path) -> None:
    """A table of what each dtype costs: smaller files, larger errors, and a daemon's start."""
    write_seeded_checkpoint(tmp_path / "small.safetensors", seed=1, width=64, depth=1)
    folder = convert(tmp_path / "small.safetensors", tmp_path / "small")
    result = command("bench", "--dtypes", "--model", str(folder), "--runs", "1")
    assert result.returncode == 0, result.stderr
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in result.stdout.splitlines()
        if line.startswith(f"| {folder}")
    ]
    assert [row[1] for row in rows] == ["float32", "float16", "int8", "int4"]
    sizes = [float(row[2]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert rows[0][-1] == "exact"
    worst = [float(row[-1].split(", ")[1]) for row in rows[1:]]
    assert worst == sorted(worst)
    assert worst[-1] > 0
    assert "ready after" in result.stdout.splitlines()[-1]


def test_bench_finds_a_model_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of models, for the network and for the daemon."""
    monkeypatch.setenv("WILOR_SIDECAR_CONFIG", os.devnull)
    write_seeded_checkpoint(tmp_path / "small.safetensors", seed=1, width=64, depth=1)
    (tmp_path / "models").mkdir()
    convert(tmp_path / "small.safetensors", tmp_path / "models" / "mine")
    options = ("--models-dir", str(tmp_path / "models"), "--runs", "1", "--batches", "1")
    result = command("bench", "--model", "mine", *options)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("small, 64 x 1, float32\n")
    assert "throughput, 4 clients" in result.stdout
