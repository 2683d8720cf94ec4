"""Draws a sheet of pictures to look at: `python -m training.contact_sheet OUT.png`.

On the GPU where there is one, else through the CPU harness. `--plain` leaves the background and the camera out.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from training import looks, renderer
from training.poses import PoseSampler, Shown

_BONES = [(0 if place % 4 == 1 else place - 1, place) for place in range(1, 21)]
_COLOURS = ("red", "orange", "lime", "deepskyblue", "magenta")


def main() -> None:
    """Parse, draw, save."""
    parser = argparse.ArgumentParser(description="Draw a sheet of training pictures.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--strength", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backdrops", type=int, default=96, help="how many backgrounds to draw")
    parser.add_argument("--plain", action="store_true", help="no background, no camera effects")
    parser.add_argument("--points", action="store_true", help="draw the key points over every second picture")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sampler = PoseSampler(device)
    shown = sampler.draw(arguments.rows * arguments.columns)
    if arguments.plain:
        pixels = plain(shown, sampler)
    else:
        other = sampler.beside(shown)
        pixels = renderer.pictures(
            shown.posed.capsules,
            sampler.hands.groups,
            shown.window,
            other,
            arguments.strength,
            backdrops=arguments.backdrops,
        ).pictures
    points = shown.truth.keypoints_2d if arguments.points else None
    sheet(pixels, arguments.columns, points).save(arguments.out)


def plain(shown: Shown, sampler: PoseSampler) -> Tensor:
    """(B, 3, 256, 192) hands alone on grey, 0 to 255, with sRGB's curve."""
    capsules = shown.posed.capsules
    look = looks.sample(len(capsules), capsules.device)
    drawn = renderer.render(capsules, sampler.hands.groups, shown.window, look=look)
    light = drawn.rgb * drawn.cover + 0.25 * (1 - drawn.cover)
    return light.clamp(0, 1) ** (1 / 2.2) * 255


def sheet(pixels: Tensor, columns: int, points: Tensor | None) -> Image.Image:
    """Tile pictures (B, 3, H, W); `points` (B, 21, 2) in parts of the crop's side are drawn on every second one."""
    height, width = pixels.shape[2:]
    rows = -(-len(pixels) // columns)
    result = Image.new("RGB", (columns * width, rows * height))
    for place, picture in enumerate(pixels.permute(0, 2, 3, 1).byte().cpu().numpy()):
        tile = Image.fromarray(picture)
        if points is not None and place % 2:
            _draw_points(tile, points[place])
        result.paste(tile, (place % columns * width, place // columns * height))
    return result


def _draw_points(tile: Image.Image, points: Tensor) -> None:
    draw = ImageDraw.Draw(tile)
    middle = torch.tensor([tile.width / 2, tile.height / 2])
    places = [(float(x), float(y)) for x, y in points.cpu() * tile.height + middle]
    for number, (start, end) in enumerate(_BONES):
        draw.line([places[start], places[end]], fill=_COLOURS[number // 4], width=1)


if __name__ == "__main__":
    main()
