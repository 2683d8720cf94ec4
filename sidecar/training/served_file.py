"""What the file of a trained network says of it beside its tensors, whose shapes tell everything but the heads."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

_HEADS = "heads"


def metadata_of(heads: int) -> dict[str, str]:
    """For the file's header.

    Args:
        heads: attention heads of each block.
    """
    return {_HEADS: str(heads)}


def read_heads(path: Path) -> int:
    """How many attention heads the network has.

    Raises:
        ValueError: the file does not say.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            told = (file.metadata() or {}).get(_HEADS, "")
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    if not told.isdecimal():
        raise ValueError(f"{path}: does not say how many heads the network has: give --heads")
    return int(told)
