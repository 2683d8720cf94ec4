"""Hypothesis's strategies for messages that no client of ours would send."""

from pathlib import Path

from hypothesis import strategies as st

_GOLDEN = Path(__file__).parents[1] / "protocol" / "golden"
_SMALL = sorted(path for path in _GOLDEN.rglob("*.bin") if path.stat().st_size < 4096)

_WORDS = (
    *("op", "hello", "status", "ping", "topology", "estimate", "id", "v", "deep", "source", "frame", "captured_at_ns"),
    *("hands", "crop", "codec", "data", "png", "side", "left", "right", "box", "score", "track", "want", "mano"),
    *("deadline_ms", "image_size", "intrinsics", "mirrored", "keypoints"),
)

_numbers = st.integers(-(2**63), 2**64 - 1) | st.integers(0, 3) | st.floats()
_leaves = st.none() | st.booleans() | _numbers | st.sampled_from(_WORDS) | st.text(max_size=8) | st.binary(max_size=8)
_keys = st.sampled_from(_WORDS) | st.text(max_size=4)
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=6), max_leaves=12
)
maps = st.dictionaries(_keys, _values, max_size=12)
near_requests = st.fixed_dictionaries(
    {"op": st.sampled_from(("hello", "status", "ping", "topology", "estimate")), "v": st.just(1), "id": _numbers},
    optional={
        "source": st.text(max_size=66),
        "frame": _numbers,
        "captured_at_ns": _numbers,
        "hands": st.lists(
            st.fixed_dictionaries(
                {"crop": st.just({"codec": "png", "data": b"\1"}) | _leaves, "side": st.sampled_from(("left", "up"))},
                optional=dict.fromkeys(("box", "score", "side_score", "track"), _values),
            ),
            max_size=9,
        ),
        **dict.fromkeys(("deep", "want", "deadline_ms", "image_size", "intrinsics", "mirrored", "publish"), _values),
    },
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A golden message with a few bytes changed, put in, taken out or cut off."""
    data = bytearray(draw(st.sampled_from(_SMALL)).read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.sampled_from((start, start + 1, start + 9, len(data))))
        data[start:end] = draw(st.binary(max_size=5))
    return bytes(data)
