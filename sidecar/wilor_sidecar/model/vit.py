"""WiLoR's backbone: a ViT whose first 18 tokens ask for the hand's pose, shape and camera.

The way of a batch: pixels, 192 patch tokens behind 18 constant ones, transformer blocks, heads. The last block is
computed only for the tokens that somebody reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wilor_sidecar.mlx import mx
from wilor_sidecar.model.activations import attention, gelu
from wilor_sidecar.model.linear import linear
from wilor_sidecar.weights.layout import Sizes
from wilor_sidecar.weights.lazy import Weights

PATCH_ROWS, PATCH_COLUMNS = 16, 12
QUERIES = 18
"""Tokens before the patches: 16 rotations, one for the shape, one for the camera."""

_PATCH_PX = 16
_PAD_PX = 2
_SIDE_CUT_PX = 32
_MEAN_RGB = np.array([0.485, 0.456, 0.406]) * 255
_STD_RGB = np.array([0.229, 0.224, 0.225]) * 255
_EPS = 1e-6

# The patches that RefineNet's short way reads: the first two of the first two rows.
_CORNER = [QUERIES + row * PATCH_COLUMNS + column for row in (0, 1) for column in (0, 1)]
_CORNER_READERS = mx.array([*range(QUERIES), *_CORNER])


@dataclass(frozen=True)
class Estimate:
    """What the heads say before refinement: pose (B, 96) 6-D rotations, betas (B, 10), camera (B, 3); float32."""

    pose_6d: mx.array
    betas: mx.array
    camera: mx.array


class Backbone:
    """The transformer and its heads."""

    def __init__(self, weights: Weights, sizes: Sizes, dtype: mx.Dtype) -> None:
        """Take and fold the weights, a block at a time.

        Args:
            weights: with `backbone.*` arrays under upstream's names; they are taken.
            sizes: of the transformer.
            dtype: that the blocks compute in; heads and embeddings are always float32.
        """
        self._dtype = dtype
        self._blocks = [
            Block(_in_dtype(weights.take(prefix), prefix, dtype), sizes.heads)
            for prefix in (f"backbone.blocks.{i}." for i in range(sizes.depth))
        ]
        others = weights.take("backbone.")
        self._embed_patches, self._positions = _folded_patch_embedding(others)
        self._queries = _query_tokens(others).astype(dtype)
        self._norm = (others["backbone.last_norm.weight"], others["backbone.last_norm.bias"])
        self._heads = {name: linear(others, f"backbone.{name}") for name in ("decpose", "decshape", "deccam")}
        self._initial = {name: others[f"backbone.init_{name}"] for name in ("hand_pose", "betas", "cam")}
        mx.eval(self._embed_patches, self._positions, self._queries)

    def all_but_last_block(self, crops_rgb: mx.array) -> mx.array:
        """(B, 210, width) tokens of (B, 256, 256, 3) uint8 crops before the last block."""
        patches = _patches(crops_rgb) @ self._embed_patches + self._positions
        queries = mx.broadcast_to(self._queries, (crops_rgb.shape[0], *self._queries.shape))
        tokens = mx.concatenate([queries, patches.astype(self._dtype)], axis=1)
        for block in self._blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def corner_tokens(self, tokens: mx.array) -> mx.array:
        """(B, 18 + 4, width) float32: the queries and the four patches of the corner, after last block and norm."""
        return self._finished(self._blocks[-1](tokens, _CORNER_READERS))

    def all_tokens(self, tokens: mx.array) -> mx.array:
        """(B, 18 + 192, width) float32 tokens after last block and norm."""
        return self._finished(self._blocks[-1](tokens))

    def first_estimate(self, finished: mx.array) -> Estimate:
        """What the finished query tokens say, added to the mean hand."""
        batch = finished.shape[0]
        pose = self._heads["decpose"](finished[:, :16]).reshape(batch, 96)
        betas = self._heads["decshape"](finished[:, 16])
        camera = self._heads["deccam"](finished[:, 17])
        mean = self._initial
        return Estimate(pose + mean["hand_pose"], betas + mean["betas"], camera + mean["cam"])

    def _finished(self, tokens: mx.array) -> mx.array:
        return mx.fast.layer_norm(tokens.astype(mx.float32), *self._norm, _EPS)


class Block:
    """One pre-norm transformer block."""

    def __init__(self, weights: Mapping[str, mx.array], heads: int) -> None:
        self._heads = heads
        self._norm1, self._norm2 = ((weights[f"{norm}.weight"], weights[f"{norm}.bias"]) for norm in ("norm1", "norm2"))
        self._qkv, self._proj = linear(weights, "attn.qkv"), linear(weights, "attn.proj")
        self._fc1, self._fc2 = linear(weights, "mlp.fc1"), linear(weights, "mlp.fc2")

    def __call__(self, tokens: mx.array, readers: mx.array | None = None) -> mx.array:
        """Transform (B, N, width) tokens.

        Args:
            tokens: all of them: they are what attention looks at.
            readers: indices of the tokens that somebody will read; None: all.

        Returns:
            The readers, (B, len(readers), width).
        """
        normed = mx.fast.layer_norm(tokens, *self._norm1, _EPS)
        q, k, v = self._split_heads(self._qkv(normed))
        if readers is not None:
            q, tokens = q[:, :, readers], tokens[:, readers]
        tokens = tokens + self._proj(_join_heads(attention(q, k, v)))
        normed = mx.fast.layer_norm(tokens, *self._norm2, _EPS)
        return tokens + self._fc2(gelu(self._fc1(normed)))

    def _split_heads(self, qkv: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """(B, N, 3 width) to three of (B, heads, N, width / heads)."""
        batch, count, _ = qkv.shape
        q, k, v = qkv.reshape(batch, count, 3, self._heads, -1).transpose(2, 0, 3, 1, 4)
        return q, k, v


def _in_dtype(weights: dict[str, mx.array], prefix: str, dtype: mx.Dtype) -> dict[str, mx.array]:
    """A block's tensors without their prefix, floating point ones in this dtype, in memory; empties `weights`.

    Each is converted by itself, so that no more than one is held twice.
    """
    typed: dict[str, mx.array] = {}
    while weights:
        name, array = weights.popitem()
        typed[name.removeprefix(prefix)] = array.astype(dtype) if mx.issubdtype(array.dtype, mx.floating) else array
        del array
        mx.eval(typed[name.removeprefix(prefix)])
    return typed


def _join_heads(x: mx.array) -> mx.array:
    batch, _, count, _ = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, count, -1)


def _patches(crops_rgb: mx.array) -> mx.array:
    """(B, 192, 768) pixels of each patch, minus the mean colour.

    The middle 192 columns, cut into 16 x 16 from two pixels outside the top left corner, so that the last two rows and
    columns are never read. Outside stands the mean colour: zero, once it is subtracted.
    """
    rows, columns = PATCH_ROWS * _PATCH_PX, PATCH_COLUMNS * _PATCH_PX
    pixels = crops_rgb[:, : rows - _PAD_PX, _SIDE_CUT_PX : _SIDE_CUT_PX + columns - _PAD_PX]
    centred = pixels.astype(mx.float32) - mx.array(_MEAN_RGB.astype(np.float32))
    padded = mx.pad(centred, [(0, 0), (_PAD_PX, 0), (_PAD_PX, 0), (0, 0)])
    grid = padded.reshape(-1, PATCH_ROWS, _PATCH_PX, PATCH_COLUMNS, _PATCH_PX, 3)
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(-1, PATCH_ROWS * PATCH_COLUMNS, _PATCH_PX * _PATCH_PX * 3)


def _folded_patch_embedding(weights: Mapping[str, mx.array]) -> tuple[mx.array, mx.array]:
    """The patch convolution as a (768, width) product of centred pixels, and (192, width) that is added to it."""
    kernel = np.array(weights["backbone.patch_embed.proj.weight"], np.float64)
    per_pixel = kernel / _STD_RGB[:, None, None]
    product = per_pixel.transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0])
    position = np.array(weights["backbone.pos_embed"], np.float64)[0]
    constant = position[1:] + position[:1] + np.array(weights["backbone.patch_embed.proj.bias"], np.float64)
    return mx.array(product.astype(np.float32)), mx.array(constant.astype(np.float32))


def _query_tokens(weights: Mapping[str, mx.array]) -> mx.array:
    """The (18, width) tokens that do not depend on the image: embeddings of the mean pose, shape and camera."""
    pose = weights["backbone.init_hand_pose"].reshape(16, 6)
    return mx.concatenate(
        [
            linear(weights, "backbone.pose_emb")(pose),
            linear(weights, "backbone.shape_emb")(weights["backbone.init_betas"].reshape(1, -1)),
            linear(weights, "backbone.cam_emb")(weights["backbone.init_cam"].reshape(1, -1)),
        ]
    )
