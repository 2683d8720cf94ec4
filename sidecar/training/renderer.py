"""Draws posed hands: geometry and light in one CUDA kernel (`render.cu`), then what lies behind, then the camera.

`pictures` is what training uses; `render` is its first step alone.
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training import backdrop, camera_effects, cpu_harness, looks, render_layout

MAX_CAPSULES = 32
"""Of one hand; as in render.cu."""
_TILE = 16


@dataclass(frozen=True)
class Rendered:
    """What the kernel saw.

    Attributes:
        rgb: (B, 3, H, W) linear light, not multiplied by `cover`.
        cover: (B, 1, H, W) 0 to 1, how much of the pixel is hand, other hand or object.
        mask: (B, 1, H, W) the same for the target hand alone.
        depth: (B, 1, H, W) m along the optical axis; 0 where nothing is.
        shade: (B, 1, H, W) 0 to 1, what the background's light is multiplied by.
    """

    rgb: Tensor
    cover: Tensor
    mask: Tensor
    depth: Tensor
    shade: Tensor


@dataclass(frozen=True)
class Taken:
    """What a camera made of it.

    Attributes:
        pictures: (B, 3, 256, 192) float32, RGB, 0 to 255.
        hand: (B, 1, 256, 192) 0 to 1, how much of the pixel is the target hand and not something before it.
    """

    pictures: Tensor
    hand: Tensor


@functools.cache
def _kernel() -> Any:
    import cupy  # noqa: PLC0415 - only where there is a GPU

    return cupy.RawKernel(render_layout.source(), "render", options=("--use_fast_math", "--std=c++17"))


@torch.no_grad()
def render(
    capsules: Tensor,
    groups: Tensor,
    window: Tensor,
    *,
    look: Tensor,
    other: Tensor | None = None,
    props: Tensor | None = None,
    height: int = 256,
    width: int = 192,
) -> Rendered:
    """Draw hands without a background.

    Args:
        capsules: (B, N, 12) ax ay az ra bx by bz rb dx dy dz nail; camera coordinates, metres.
        groups: (N,) int32: 0 palm and forearm, 1 thumb to 5 little; the last two are the forearm's.
        window: (B, 3) centre x, centre y and side of the whole square crop, normalised image coordinates; the picture
            is its middle three quarters in width, all of its height.
        look: (B, LOOKS) from `looks.sample`.
        other: (B, N, 12) a second hand; absent where its first radius is not positive.
        props: (B, PROPS, PROP_FLOATS) from `looks.objects`.
        height: px.
        width: px.
    """
    count, capsule_count = capsules.shape[:2]
    if capsule_count > MAX_CAPSULES:
        raise ValueError(f"{capsule_count} capsules, at most {MAX_CAPSULES}")
    if other is None:
        other = torch.zeros_like(capsules)
    if props is None:
        props = capsules.new_zeros(count, render_layout.PROPS, render_layout.PROP_FLOATS)
    inputs = [capsules.float().contiguous(), groups.int().contiguous()]
    inputs += [tensor.float().contiguous() for tensor in (other, look, window, props)]
    out = (_on_gpu if capsules.is_cuda else _on_cpu)(inputs, height, width)
    return Rendered(out[:, :3], out[:, 3:4], out[:, 4:5], out[:, 5:6], out[:, 6:7])


def _on_gpu(inputs: list[Tensor], height: int, width: int) -> Tensor:
    import cupy  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    count, capsule_count = inputs[0].shape[:2]
    out = torch.empty(count, render_layout.CHANNELS, height, width, device=inputs[0].device)
    grid = (-(-width // _TILE), -(-height // _TILE), count)
    pointers = [tensor.data_ptr() for tensor in [*inputs, out]]
    sizes = [np.int32(size) for size in (capsule_count, height, width)]
    with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
        _kernel()(grid, (_TILE * _TILE,), (*pointers, *sizes))
    return out


def _on_cpu(inputs: list[Tensor], height: int, width: int) -> Tensor:
    capsules, groups, other, look, window, props = (tensor.numpy() for tensor in inputs)
    drawn = cpu_harness.render(capsules, groups, other, look, window, props, height, width)
    return torch.from_numpy(drawn)


@functools.cache
def _bank(device: torch.device, count: int) -> Tensor:
    return backdrop.bank(count, device)


@torch.no_grad()
def pictures(
    capsules: Tensor,
    groups: Tensor,
    window: Tensor,
    other: Tensor | None,
    strength: float,
    *,
    backdrops: int = 3072,
) -> Taken:
    """Draw crops as a camera would have taken them.

    Args:
        capsules: (B, N, 12) the target hands, as for `render`.
        groups: (N,) int32.
        window: (B, 3).
        other: (B, N, 12) second hands, or None.
        strength: 0 to 1, how much of what makes a picture hard there is: noise, blur, occluders, low resolution.
        backdrops: how many backgrounds to draw, once; later calls recombine them.
    """
    count, device = len(capsules), capsules.device
    look = looks.put_on_plane(looks.sample(count, device), capsules, 0.35)
    props = looks.objects(capsules, groups, strength)
    drawn = render(capsules, groups, window, look=look, other=other, props=props)
    behind = backdrop.sample(_bank(device, backdrops), count) * drawn.shade
    scene = behind + (drawn.rgb - behind) * drawn.cover
    scene, covered = camera_effects.occlude(scene, behind, strength)
    return Taken(camera_effects.photograph(scene, strength), drawn.mask * (1 - covered))
