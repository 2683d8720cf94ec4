"""An unpickler that executes nothing: every name a pickle mentions becomes a stand-in of ours, never the real thing.

A pickle is a program: it names functions and asks for them to be called. Here the readers of each file format say
which few names mean something (`Call`s, `InertDict`); every other one becomes an `Opaque`, which may be called, filled
and given state, does nothing, and remembers only its name. What a stand-in means is the readers' business.

Three things reach around `find_class` and are refused before loading (`_check_opcodes`): copyreg's extension codes,
whose cache may hold real objects; memo slots far beyond the file, for which the C unpickler allocates gigabytes; and
tuples by the ten thousand, whose nested hash would overflow C's stack. What is left to a hostile file is time.
"""

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import ClassVar, NoReturn, cast

from wilor_sidecar.weights.errors import WeightsError

MAX_PICKLE_BYTES = 64 << 20
MAX_OPCODES = 2_000_000
MAX_TUPLES = 20_000
"""WiLoR's checkpoint makes about 1700; with an optimizer's state it would be some 6000."""
MAX_UNKNOWN_NAMES = 1000

_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_EXTENSIONS = frozenset({"EXT1", "EXT2", "EXT4"})
_MEMO_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})


class _SealedType(type):
    """A class that pickled state cannot change: BUILD may be aimed at a class as well as at an instance."""

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise pickle.UnpicklingError(f"cannot set {name} of a class")


class Sealed(metaclass=_SealedType):
    """Base of stand-ins that stay what they are. BUILD finds `__setstate__` and so never touches attributes."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("state for something that has none")


class Call(Sealed):
    """Stand-in of a function or a class that a pickle may call: the call runs `action`, which is ours."""

    __slots__ = ("_action",)

    def __init__(self, action: Callable[..., object]) -> None:
        self._action = action

    def __call__(self, *args: object) -> object:
        """Run our action with what the pickle passes."""
        return self._action(*args)


class Opaque(metaclass=_SealedType):
    """Something of a class that means nothing to us. Takes whatever a pickle does to it and keeps none of it."""

    __slots__ = ()
    class_name: ClassVar[str] = "?"

    def __new__(cls, *_args: object, **_kwargs: object) -> "Opaque":
        """Make one out of anything."""
        return super().__new__(cls)

    def __call__(self, *_args: object) -> "Opaque":
        """Be what a function, had it been called, might have returned."""
        return self

    def __setstate__(self, state: object) -> None:
        """Forget the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Forget the item of what was a mapping."""

    def append(self, value: object) -> None:
        """Forget the element of what was a list."""

    def extend(self, values: object) -> None:
        """Forget the elements of what was a list."""

    def add(self, value: object) -> None:
        """Forget the element of what was a set."""


class InertDict(dict[object, object], metaclass=_SealedType):
    """Stand-in of collections.OrderedDict: keeps its items, drops attributes (torch hangs `_metadata` on it)."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Forget the attributes."""


def load(
    data: bytes,
    known: Mapping[tuple[str, str], object],
    *,
    file: str,
    persistent: Callable[[object], object] | None = None,
    encoding: str = "ASCII",
) -> object:
    """Read a pickle without executing it.

    Args:
        data: the pickle; MAX_PICKLE_BYTES at most.
        known: what (module, name) stands for. Values must be `Sealed`, or classes of `_SealedType`.
        file: its name, for messages.
        persistent: resolves persistent ids (torch's storages); None refuses them.
        encoding: of Python 2's byte strings.

    Returns:
        Dicts, lists, tuples, strings, numbers, stand-ins of `known`, and `Opaque`s.

    Raises:
        WeightsError: too large, malformed, or doing what no harmless file does.
    """
    if len(data) > MAX_PICKLE_BYTES:
        raise WeightsError(f"{file}: the pickle has {len(data)} bytes, more than {MAX_PICKLE_BYTES}")
    try:
        _check_opcodes(data)
        return _Unpickler(data, known, persistent, encoding).load()
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error
    except Exception as error:
        # pickle documents that a bad stream may raise anything; whatever it was, this file cannot be read.
        raise WeightsError(f"{file}: not a readable pickle ({type(error).__name__}: {str(error)[:200]})") from error


def describe(value: object) -> str:
    """Name the class that a loaded value is, or is of, for a message; touches nothing inside."""
    if isinstance(value, Opaque) or (isinstance(value, type) and issubclass(value, Opaque)):
        return value.class_name
    return type(value).__name__


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        data: bytes,
        known: Mapping[tuple[str, str], object],
        persistent: Callable[[object], object] | None,
        encoding: str,
    ) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self._known = known
        self._persistent = persistent
        self._unknown: dict[tuple[str, str], type[Opaque]] = {}

    # Deliberately without super(): the inherited method is the one that imports.
    def find_class(self, module: str, name: str, /) -> object:
        if (module, name) in self._known:
            return self._known[module, name]
        if (module, name) not in self._unknown:
            if len(self._unknown) == MAX_UNKNOWN_NAMES:
                raise WeightsError(f"the pickle names more than {MAX_UNKNOWN_NAMES} unknown classes")
            self._unknown[module, name] = _opaque_class(module, name)
        return self._unknown[module, name]

    def persistent_load(self, pid: object, /) -> object:
        if self._persistent is None:
            raise WeightsError("the pickle refers to objects outside itself")
        return self._persistent(pid)


def _opaque_class(module: str, name: str) -> type[Opaque]:
    members = {"__slots__": (), "class_name": f"{module}.{name}"[:200]}
    return cast(type[Opaque], _SealedType("Opaque", (Opaque,), members))


def _check_opcodes(data: bytes) -> None:
    """Walk the opcodes, which decodes their arguments but runs none, and refuse what `find_class` would not see."""
    tuples = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data), start=1):
        if count > MAX_OPCODES:
            raise WeightsError(f"the pickle has more than {MAX_OPCODES} opcodes")
        if opcode.name in _EXTENSIONS:
            raise WeightsError("the pickle uses copyreg extension codes")
        if opcode.name in _MEMO_PUTS and int(argument or 0) > count:  # picklers number memo slots in order of use
            raise WeightsError(f"the pickle uses memo slot {argument} after {count} opcodes")
        tuples += opcode.name in _TUPLES
        if tuples > MAX_TUPLES:
            raise WeightsError(f"the pickle makes more than {MAX_TUPLES} tuples")
