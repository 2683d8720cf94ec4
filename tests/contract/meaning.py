"""What a message of ours means, as the maps of PROTOCOL.md: read from its attributes, not by the codec under test."""

from typing import Any

import msgspec
import numpy as np
from msgspec import Struct


def meaning(message: Struct) -> dict[str, Any]:
    """The map that stands for a message, without the fields that a canonical writer leaves out."""
    config = message.__struct_config__
    found: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field else {}
    for field in msgspec.structs.fields(message):
        value = getattr(message, field.name)
        if not (config.omit_defaults and value is field.default):
            found[field.encode_name] = _plain(value)
    return found


def same(left: Any, right: Any) -> bool:
    """Whether two readings agree: equal, and a truth value only to a truth value, bytes only to bytes."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return meaning(value)
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": value.tobytes()}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
