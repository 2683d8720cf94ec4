"""WiLoR's architecture in PyTorch, at any size, under upstream's parameter names: what is trained here is converted by
the same converter and served by the same code as the real one.

RefineNet is computed at the four pixels that it reads (see `wilor_sidecar.model.refinenet`), in training too.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

_MAP_SIZES = (64, 32, 16)
_FOCAL = 5000.0
_CROP_PX = 256
QUERIES = 18
"""Tokens before the patches: 16 rotations, one for the shape, one for the camera."""
CORNER = (0, 1, 12, 13)
"""The patches that RefineNet reads."""


@dataclass(frozen=True)
class Estimate:
    """Pose (B, 96) as 6-D rotations, betas (B, 10), camera (B, 3)."""

    pose_6d: Tensor
    betas: Tensor
    camera: Tensor


class Attention(nn.Module):
    """Multi-head self-attention with one product for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        batch, count, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nnf.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class Mlp(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        return self.fc2(nnf.gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """A 16 x 16 convolution of stride 16 with two pixels of padding, as one product: faster, forwards and backwards."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 16, stride=16, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 256, 192) to (B, 192, width)."""
        # Of the padding on the right and below no patch sees anything, and the last two pixels belong to no patch.
        shifted = nnf.pad(x, (2, -2, 2, -2))
        cut = shifted.unflatten(3, (12, 16)).unflatten(2, (16, 16)).permute(0, 2, 4, 1, 3, 5)
        return nnf.linear(cut.reshape(len(x), 192, -1), self.proj.weight.flatten(1), self.proj.bias)


class Backbone(nn.Module):
    """The ViT with its 18 query tokens and heads."""

    def __init__(self, width: int, depth: int, heads: int, mean_pose_6d: Tensor) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(width)
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 193, width))
        self.pose_emb, self.shape_emb, self.cam_emb = (nn.Linear(n, width) for n in (6, 10, 3))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.last_norm = nn.LayerNorm(width, eps=1e-6)
        self.decpose, self.decshape, self.deccam = (nn.Linear(width, n) for n in (6, 10, 3))
        self.register_buffer("init_hand_pose", mean_pose_6d.reshape(1, 96))
        self.register_buffer("init_betas", torch.zeros(1, 10))
        self.register_buffer("init_cam", torch.tensor([[1.0, 0.0, 0.0]]))
        # One query token stands for each rotation; the same pose is not enough to tell them apart.
        for head in (self.decpose, self.decshape, self.deccam):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, 210, width) of normalised (B, 3, 256, 192): finished, and as they were after three quarters."""
        patches = self.patch_embed(pictures) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        queries = torch.cat(
            [
                self.pose_emb(self.init_hand_pose.reshape(1, 16, 6)),
                self.shape_emb(self.init_betas)[:, None],
                self.cam_emb(self.init_cam)[:, None],
            ],
            dim=1,
        )
        x = torch.cat([queries.expand(len(pictures), -1, -1).to(patches.dtype), patches], dim=1)
        three_quarters = 3 * len(self.blocks) // 4
        for block in self.blocks[:three_quarters]:
            x = block(x)
        earlier = x
        for block in self.blocks[three_quarters:]:
            x = block(x)
        return self.last_norm(x), earlier

    def first_estimate(self, queries: Tensor) -> Estimate:
        """What the heads say of finished query tokens."""
        pose = self.decpose(queries[:, :16]).flatten(1) + self.init_hand_pose
        return Estimate(
            pose, self.decshape(queries[:, 16]) + self.init_betas, self.deccam(queries[:, 17]) + self.init_cam
        )


class Deconvolutions(nn.Module):
    """RefineNet's three feature maps at their first 2 x 2 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, quarter, eighth = width // 2, width // 4, width // 8
        self.first_conv = nn.Sequential(nn.Conv2d(width, half, 1))
        self.deconv = nn.ModuleList(
            [
                nn.Sequential(_deconvolution(half, quarter), nn.BatchNorm2d(quarter), nn.ReLU()),
                nn.Sequential(
                    _deconvolution(half, quarter),
                    nn.BatchNorm2d(quarter),
                    nn.ReLU(),
                    _deconvolution(quarter, eighth),
                    nn.BatchNorm2d(eighth),
                    nn.ReLU(),
                ),
            ]
        )

    def forward(self, corner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, width, 2, 2) corner of the patch grid to the corners of the fine, medium and coarse map."""
        coarse = self.first_conv(corner)
        medium = _at_corner(self.deconv[0], coarse)
        return _at_corner(self.deconv[1], coarse), medium, coarse


class RefineNet(nn.Module):
    """Samples the maps where the first estimate puts the vertices, and moves the estimate."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deconv = Deconvolutions(width)
        features = width // 2 + width // 4 + width // 8
        self.dec_pose, self.dec_shape, self.dec_cam = (nn.Linear(features, n) for n in (96, 10, 3))
        for head in (self.dec_pose, self.dec_shape, self.dec_cam):
            nn.init.normal_(head.weight, std=0.001)
            nn.init.zeros_(head.bias)

    def forward(self, patches: Tensor, first: Estimate, vertices: Tensor) -> Estimate:
        """The refined estimate.

        Args:
            patches: (B, 192, width) finished patch tokens.
            first: to be moved.
            vertices: (B, V, 3) of it; not differentiated through.
        """
        corner = patches[:, CORNER].transpose(1, 2).reshape(len(patches), -1, 2, 2)
        samples = []
        for size, feature in zip(_MAP_SIZES, self.deconv(corner), strict=True):
            xy = _map_coordinates(vertices, first.camera.detach(), size)
            samples.append(_sampled(feature, xy).amax(dim=1))
        found = torch.cat(samples, dim=-1)
        return Estimate(
            first.pose_6d + self.dec_pose(found),
            first.betas + self.dec_shape(found),
            first.camera + self.dec_cam(found),
        )


def _deconvolution(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)


def _at_corner(layers: nn.Module, x: Tensor) -> Tensor:
    """Run layers, keeping the 2 x 2 corner, so that the norms' statistics are of what is read."""
    for layer in layers.children():
        x = layer(x)[:, :, :2, :2]
    return x


def _map_coordinates(vertices: Tensor, camera: Tensor, size: int) -> Tensor:
    depth = vertices[..., 2:] + 2 * _FOCAL / (size * camera[:, None, :1] + 1e-9)
    return _FOCAL / size * (vertices[..., :2] + camera[:, None, 1:]) / depth


def _sampled(corner: Tensor, xy: Tensor) -> Tensor:
    """Bilinear samples (B, V, C) of (B, C, 2, 2), zeros outside."""
    near, far = (1 - xy.abs()).clamp(min=0), (1 - (xy - 1).abs()).clamp(min=0)
    x, y = torch.stack([near[..., 0], far[..., 0]], -1), torch.stack([near[..., 1], far[..., 1]], -1)
    weights = (y[..., :, None] * x[..., None, :]).flatten(2)
    return weights.to(corner.dtype) @ corner.flatten(2).transpose(1, 2)


def rotations_of(pose_6d: Tensor) -> Tensor:
    """(B, 16, 3, 3) from (B, 96): Zhou et al., CVPR 2019."""
    a1, a2 = pose_6d.reshape(-1, 16, 6).split(3, dim=-1)
    b1 = nnf.normalize(a1, dim=-1)
    b2 = nnf.normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1)
    return torch.stack([b1, b2, torch.linalg.cross(b1, b2)], dim=-1)


def projected(points: Tensor, camera: Tensor) -> Tensor:
    """(B, N, 2) points in the crop, in parts of its side, 0 in the middle, as upstream's camera sees them."""
    depth = points[..., 2:] + 2 * _FOCAL / (_CROP_PX * camera[:, None, :1] + 1e-9)
    return _FOCAL / _CROP_PX * (points[..., :2] + camera[:, None, 1:]) / depth
