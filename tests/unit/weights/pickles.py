"""Write pickles opcode by opcode, so that tests need neither torch nor chumpy and can say what no pickler would."""

import pickle
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Global:
    """A name that the reader is asked to import."""

    module: str
    name: str


@dataclass(frozen=True)
class Reduce:
    """A call: function(*arguments)."""

    function: object
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class New:
    """cls.__new__(cls, *arguments)."""

    cls: object
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True)
class Build:
    """An object given state."""

    target: object
    state: object


@dataclass(frozen=True)
class Filled:
    """An object given items one by one, as a dict subclass is."""

    target: object
    items: dict[str, object]


@dataclass(frozen=True)
class Persistent:
    """An object outside the pickle."""

    identity: object


@dataclass(frozen=True)
class Python2Bytes:
    """A byte string as Python 2 wrote it."""

    data: bytes


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are."""

    opcodes: bytes


ORDERED_DICT = Reduce(Global("collections", "OrderedDict"), ())


def dumps(value: object) -> bytes:
    """A protocol 2 pickle of plain values and of the classes above."""
    return b"\x80\x02" + _emit(value) + b"."


def _emit(value: object) -> bytes:
    match value:
        case Raw(opcodes):
            return opcodes
        case Global(module, name):
            return f"c{module}\n{name}\n".encode()
        case Reduce(function, arguments):
            return _emit(function) + _emit(arguments) + b"R"
        case New(cls, arguments):
            return _emit(cls) + _emit(arguments) + b"\x81"
        case Build(target, state):
            return _emit(target) + _emit(state) + b"b"
        case Filled(target, items):
            return _emit(target) + b"".join(_emit(key) + _emit(item) + b"s" for key, item in items.items())
        case Persistent(identity):
            return _emit(identity) + b"Q"
        case Python2Bytes(data):
            return b"T" + struct.pack("<i", len(data)) + data
        case dict():
            return b"}(" + b"".join(_emit(key) + _emit(item) for key, item in value.items()) + b"u"
        case list():
            return b"](" + b"".join(map(_emit, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(_emit, value)) + b"t"
    return pickle.dumps(value, 2)[2:-1]  # without PROTO and STOP
