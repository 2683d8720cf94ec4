import copyreg
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wilor_sidecar.weights import restricted_pickle
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.restricted_pickle import Call, Opaque, Sealed, describe, load

from .pickles import Build, Filled, Global, New, Persistent, Raw, Reduce, dumps


class Evil:
    """What would run, were pickles executed."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.canary,)


@pytest.mark.parametrize(
    "attack",
    [
        lambda command: Reduce(Global("os", "system"), (command,)),
        lambda command: Reduce(Global("posix", "system"), (command,)),
        lambda command: Reduce(Reduce(Global("builtins", "getattr"), (Global("os", "system"), "__call__")), (command,)),
        lambda command: New(Global("subprocess", "Popen"), (("sh", "-c", command),)),
        lambda command: Raw(b"(" + pickle.dumps(command, 2)[2:-1] + b"ios\nsystem\n"),  # INST
        lambda command: [Raw(b"(cos\nsystem\n" + pickle.dumps(command, 2)[2:-1] + b"o")],  # OBJ
    ],
)
def test_calls_are_not_made(attack: Callable[[str], object], tmp_path: Path) -> None:
    """A pickle that calls a function of the system loads as something inert, and the function never runs."""
    canary = tmp_path / "canary"
    loaded = load(dumps({"x": attack(f"touch {canary}")}), {}, file="evil")
    assert isinstance(loaded, dict)
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """The control: executing such a pickle does leave the file behind."""
    canary = tmp_path / "canary"
    pickle.loads(dumps(Reduce(Global("os", "system"), (f"touch {canary}",))))
    assert canary.exists()
    load(pickle.dumps(Evil(tmp_path / "second")), {}, file="evil")
    assert not (tmp_path / "second").exists()


def test_unknown_classes_keep_only_their_name() -> None:
    """An object of an unknown class takes arguments, state and items, and forgets them."""
    kind = Global("yacs.config", "CfgNode")
    loaded = load(dumps(Filled(Build(New(kind, (1, 2)), {"__class__": 3, "x": 4}), {"y": 5})), {}, file="f")
    assert isinstance(loaded, Opaque)
    assert describe(loaded) == "yacs.config.CfgNode"
    assert not hasattr(loaded, "x")


@pytest.mark.parametrize(
    "target",
    [
        Global("known", "call"),
        Global("known", "kind"),
        Global("unknown", "kind"),
        Reduce(Global("known", "kind"), ()),
    ],
)
@pytest.mark.parametrize("state", [{"_action": 1}, (None, {"_action": 1, "__call__": 2, "__doc__": "changed"})])
def test_state_cannot_change_stand_ins(target: object, state: object) -> None:
    """BUILD aimed at our own classes and functions is refused, and they stay as they were."""

    class Kind(Sealed):
        __slots__ = ()

    call = Call(int)
    known: dict[tuple[str, str], object] = {("known", "call"): call, ("known", "kind"): Kind}
    with pytest.raises(WeightsError, match="f: not a readable pickle"):
        load(dumps(Build(target, state)), known, file="f")
    assert call() == 0
    assert Kind.__doc__ is None
    assert Opaque.__doc__ is not None
    assert "changed" not in Opaque.__doc__


@pytest.fixture
def extension_code() -> Iterator[int]:
    """A code that copyreg resolves to os.system."""
    copyreg.add_extension("os", "system", 0xF1)
    yield 0xF1
    copyreg.remove_extension("os", "system", 0xF1)


def test_extension_codes_are_refused(extension_code: int) -> None:
    """The codes of copyreg reach objects without asking for a name, so they are not read."""
    with pytest.raises(WeightsError, match="extension codes"):
        load(dumps(Raw(b"\x82" + bytes([extension_code]))), {}, file="f")


@pytest.mark.parametrize(
    ("opcodes", "message"),
    [
        (b"Nr\xff\xff\xff\x7f", "memo slot 2147483647"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x00", "ValueError"),  # BINBYTES8 of 2^56 bytes
        (b"\x96\xff\xff\xff\xff\xff\xff\xff\x00", "ValueError"),  # BYTEARRAY8: allocated before it is read
        (b"\x95\xff\xff\xff\xff\xff\xff\xff\x00N", "pickle"),  # FRAME
        (b")" + b"\x85" * 20_001, "more than 20000 tuples"),
        (b"".join(b"cm\nn%d\n0" % number for number in range(1001)) + b"N", "more than 1000 unknown classes"),
        (b"N0" * 1_000_001 + b"N", "more than 2000000 opcodes"),
        (b"0", "UnpicklingError|IndexError|ValueError"),
        (b"h\x07", "UnpicklingError|KeyError|ValueError"),
        (b"\xff", "ValueError"),
    ],
)
def test_bombs_and_garbage(opcodes: bytes, message: str) -> None:
    """Pickles that would take memory, stack or sense are one-line errors."""
    with pytest.raises(WeightsError, match=message) as caught:
        load(dumps(Raw(opcodes)), {}, file="f")
    assert "\n" not in str(caught.value)


def test_limits_are_inclusive() -> None:
    """As many tuples and names as allowed still load."""
    load(dumps(Raw(b")" + b"\x85" * 20_000)), {}, file="f")
    load(dumps(Raw(b"".join(b"cm\nn%d\n0" % number for number in range(1000)) + b"N")), {}, file="f")


def test_truncated_anywhere() -> None:
    """A pickle cut at any byte is an error, never half an object."""
    whole = dumps({"a": [1, 2.5, ("x", None)], "b": Reduce(Global("m", "n"), (1,))})
    for length in range(len(whole)):
        with pytest.raises(WeightsError):
            load(whole[:length], {}, file="f")


def test_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size limit is exact."""
    data = dumps([1, 2, 3])
    monkeypatch.setattr(restricted_pickle, "MAX_PICKLE_BYTES", len(data))
    assert load(data, {}, file="f") == [1, 2, 3]
    monkeypatch.setattr(restricted_pickle, "MAX_PICKLE_BYTES", len(data) - 1)
    with pytest.raises(WeightsError, match="more than"):
        load(data, {}, file="f")


def test_persistent_ids_need_a_reader() -> None:
    """References outside the pickle are refused unless the format has them."""
    with pytest.raises(WeightsError, match="outside itself"):
        load(dumps(Persistent(("storage",))), {}, file="f")
    assert load(dumps(Persistent("x")), {}, file="f", persistent=lambda pid: [pid]) == ["x"]
