"""The format of `protocol/golden/`: a message's exact bytes in `NAME.bin`, its meaning in `NAME.json`.

In the JSON, bytes are `{"hex": "..."}`, or `{"repeat": {"hex": "...", "count": n}}` where they repeat.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

GOLDEN = Path(__file__).parents[2] / "protocol" / "golden"

_SHORTEST_RULE = 64


@dataclass(frozen=True, slots=True)
class Golden:
    """One pair of files.

    Attributes:
        name: of the files, without their endings; "invalid/..." for what must be refused.
        data: the bytes.
        about: the JSON, with bytes as bytes.
    """

    name: str
    data: bytes
    about: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Put both files into a folder."""
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".bin").write_bytes(self.data)
        path.with_suffix(".json").write_text(json.dumps(_to_json(self.about), indent=1, ensure_ascii=False) + "\n")


def read_goldens(folder: Path = GOLDEN) -> list[Golden]:
    """Every pair in a folder, valid and invalid, by name."""
    return [
        Golden(
            name=path.relative_to(folder).with_suffix("").as_posix(),
            data=path.read_bytes(),
            about=_from_json(json.loads(path.with_suffix(".json").read_text())),
        )
        for path in sorted(folder.rglob("*.bin"))
    ]


def pack(value: object, *, short_floats: bool = False) -> bytes:
    """MessagePack as msgpack-python writes it: the shortest forms, floats as float64 unless they shall be short."""
    return bytes(msgpack.packb(value, use_single_float=short_floats))


def unpack(data: bytes) -> Any:
    """What msgpack-python reads, under its strict rules."""
    return msgpack.unpackb(data)


def start(topic: str | None) -> bytes:
    """What comes before the map: a topic and a NUL byte in events, otherwise nothing."""
    return b"" if topic is None else topic.encode() + b"\0"


def canonical(name: str, kind: str, message: dict[str, Any], *, topic: str | None = None) -> Golden:
    """A message in the bytes that a canonical writer writes."""
    about: dict[str, Any] = {"kind": kind, "canonical": True}
    if topic is not None:
        about["topic"] = topic
    return Golden(name, start(topic) + pack(message), {**about, "message": message})


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_to_json(each) for each in value]
    return _bytes_to_json(value) if isinstance(value, bytes) else value


def _bytes_to_json(data: bytes) -> dict[str, Any]:
    for period in (1, 12) if len(data) > _SHORTEST_RULE else ():
        count, rest = divmod(len(data), period)
        if not rest and data == data[:period] * count:
            return {"repeat": {"hex": data[:period].hex(), "count": count}}
    return {"hex": data.hex()}


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"hex"}:
        return bytes.fromhex(value["hex"])
    if value.keys() == {"repeat"}:
        return bytes.fromhex(value["repeat"]["hex"]) * value["repeat"]["count"]
    return {key: _from_json(each) for key, each in value.items()}
