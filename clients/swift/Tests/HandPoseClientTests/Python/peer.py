"""What the Python client does, for the Swift one to be held against. Each command prints one line of JSON.

peer.py picture FILE                                    writes a photograph's bytes, or what stands in; prints its size
peer.py blobs FILE                                      writes the bytes of blobs of full contrast; prints their size
peer.py crop FILE WIDTH HEIGHT X1 Y1 X2 Y2 SIDE OUT     writes a crop's bytes; prints its square
peer.py estimate RUN_DIR CROP SIDE CX CY SIDE_PX        prints every array of the answer as hex
peer.py free-port                                       prints a port of TCP that nobody has now
peer.py run-directories                                 prints the rule's answers to the cases on standard input
"""

import json
import socket
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wilor_client import HandClient, make_crop
from wilor_protocol.address import requests_address, run_directory

_PHOTO = Path(__file__).resolve().parents[6] / "shared" / "reference" / "photos" / "kitchen.jpg"
_IMAGE_SIZE = (640, 480)


def picture(file: str) -> dict[str, Any]:
    """A photograph where one is at hand, else blobs."""
    if not _PHOTO.exists():
        return blobs(file)
    return _write(file, cv2.imread(str(_PHOTO))[..., ::-1])


def blobs(file: str) -> dict[str, Any]:
    """Some pixels across and of full contrast: a shift by half a pixel or another blur shows."""
    noise = np.random.default_rng(7).normal(size=(480, 640, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return _write(file, np.clip(128 + 55 * smooth / smooth.std(), 0, 255).astype(np.uint8))


def _write(file: str, image: np.ndarray[Any, Any]) -> dict[str, Any]:
    Path(file).write_bytes(np.ascontiguousarray(image).tobytes())
    return {"width": image.shape[1], "height": image.shape[0]}


def crop(file: str, width: str, height: str, *rest: str) -> dict[str, Any]:
    """A crop as `make_crop` cuts it."""
    *edges, side, out = rest
    image = np.frombuffer(Path(file).read_bytes(), np.uint8).reshape(int(height), int(width), 3)
    cut = make_crop(image, tuple(map(float, edges)), side)
    Path(out).write_bytes(cut.pixels.tobytes())
    return {"box": cut.box}


def estimate(run_dir: str, file: str, side: str, *box: str) -> dict[str, Any]:
    """The daemon's answer to a crop, as the Python client gives it."""
    pixels = np.frombuffer(Path(file).read_bytes(), np.uint8).reshape(256, 256, 3)
    with HandClient(requests_address(Path(run_dir)), timeout_ms=20_000) as client:
        reply = client.estimate(pixels, side, box=tuple(map(float, box)), image_size=_IMAGE_SIZE)
    hand = reply.hands[0]
    arrays = {name: getattr(hand, name) for name in ("keypoints", "vertices", "camera", "keypoints_2d", "translation")}
    arrays |= {name: getattr(hand.mano, name) for name in ("global_orient", "hand_pose", "betas")}
    return {name: array.tobytes().hex() for name, array in arrays.items()} | {"focal_px": hand.focal_px}


def run_directories() -> list[str]:
    """The run directory in each case."""
    cases = json.load(sys.stdin)
    return [
        str(run_directory(case["environment"], platform=case["platform"], home=Path(case["home"]), user_id=501))
        for case in cases
    ]


def free_port() -> int:
    """A port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


_COMMANDS = {
    "free-port": free_port,
    "picture": picture,
    "blobs": blobs,
    "crop": crop,
    "estimate": estimate,
    "run-directories": run_directories,
}

if __name__ == "__main__":
    command, *operands = sys.argv[1:]
    print(json.dumps(_COMMANDS[command](*operands)))
