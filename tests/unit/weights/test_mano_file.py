import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import mano_specs
from wilor_sidecar.weights.mano_file import read_mano, read_mean_params
from wilor_sidecar.weights.seeded import PARENTS, hand_arrays
from wilor_sidecar.weights.torch_zip import read_torch_zip

from .files import REFERENCE, needs_reference
from .pickles import Build, Global, New, Python2Bytes, Reduce, dumps

HAND = hand_arrays(3)


def pickled_array(array: Array, code: str | None = None) -> Build:
    """An array as NumPy wrote it under Python 2."""
    dtype = Build(
        Reduce(Global("numpy", "dtype"), (code or array.dtype.str[1:], 0, 1)), (3, "<", None, None, None, -1, -1, 0)
    )
    empty = Reduce(
        Global("numpy.core.multiarray", "_reconstruct"), (Global("numpy", "ndarray"), (0,), Python2Bytes(b"b"))
    )
    return Build(empty, (1, array.shape, dtype, False, Python2Bytes(array.tobytes())))


def chumpy(array: object) -> Build:
    """A chumpy array, made the way protocol 2 makes objects."""
    return Build(New(Global("chumpy.ch", "Ch")), {"x": array, "_dirty_vars": New(Global("weakref", "WeakSet"))})


def select(array: Array) -> Build:
    """A chumpy selection of a larger array, made the way protocols 0 and 1 make objects."""
    made = Reduce(
        Global("copy_reg", "_reconstructor"),
        (Global("chumpy.reordering", "Select"), Global("__builtin__", "object"), None),
    )
    twice = np.concatenate([np.zeros_like(array), array]).ravel()
    places = np.arange(array.size, 2 * array.size)
    return Build(
        made, {"a": chumpy(pickled_array(twice)), "idxs": pickled_array(places), "preferred_shape": array.shape}
    )


def csc(array: Array) -> Build:
    """A sparse matrix by columns."""
    columns, rows = np.nonzero(array.T)
    starts = np.searchsorted(columns, np.arange(array.shape[1] + 1))
    return Build(
        New(Global("scipy.sparse.csc", "csc_matrix")),
        {
            "_shape": array.shape,
            "maxprint": 50,
            "indptr": pickled_array(starts.astype(np.int32)),
            "indices": pickled_array(rows.astype(np.int32)),
            "data": pickled_array(array.T[columns, rows]),
        },
    )


def kintree() -> Array:
    """MANO's kinematic table: unsigned, so that the root's parent is 2^32 - 1."""
    return np.array([PARENTS, range(16)], np.int64).astype(np.uint32)


def plain_entries() -> dict[str, object]:
    """MANO_RIGHT.pkl without chumpy."""
    return {
        "v_template": pickled_array(HAND["mano.v_template"]),
        "shapedirs": pickled_array(HAND["mano.shapedirs"]),
        "posedirs": pickled_array(np.ascontiguousarray(HAND["mano.posedirs"].T).reshape(778, 3, 135)),
        "J_regressor": csc(HAND["mano.J_regressor"]),
        "weights": pickled_array(np.ascontiguousarray(HAND["mano.lbs_weights"])),
        "kintree_table": pickled_array(kintree()),
        "f": pickled_array(HAND["mano.faces_tensor"].astype(np.uint32)),
        "bs_style": "lbs",
        "hands_coeffs": New(Global("somebody", "Else")),
    }


def write_pickle(folder: Path, entries: object) -> Path:
    """Write MANO_RIGHT.pkl."""
    path = folder / "MANO_RIGHT.pkl"
    path.write_bytes(dumps(entries))
    return path


def npz_entries() -> dict[str, Array]:
    """wilor-mlx's mano.npz."""
    entries = {name.removeprefix("mano."): array for name, array in HAND.items()}
    entries["faces"] = entries.pop("faces_tensor")
    return entries | {
        "init_hand_pose": np.full((1, 96), 0.5),
        "init_betas": np.zeros((1, 10)),
        "init_cam": np.array([[0.9, 0, 0]]),
    }


def assert_hand(tensors: dict[str, Array]) -> None:
    """The seeded hand, in the layout's shapes and dtypes."""
    for name, spec in mano_specs().items():
        assert (tensors[name].shape, tensors[name].dtype) == (spec.shape, np.dtype(spec.dtype)), name
        np.testing.assert_array_equal(tensors[name], HAND[name].astype(spec.dtype), err_msg=name)


def test_a_plain_pickle(tmp_path: Path) -> None:
    """MANO's pickle becomes the layout's tensors; the tips and joint order, which it lacks, are upstream's."""
    tensors = read_mano(write_pickle(tmp_path, plain_entries()))
    assert tensors.keys() == mano_specs().keys()
    assert_hand(tensors)


def test_a_pickle_with_chumpy(tmp_path: Path) -> None:
    """Chumpy's wrappers and selections are read without chumpy."""
    entries = plain_entries() | {
        "v_template": chumpy(pickled_array(HAND["mano.v_template"])),
        "shapedirs": select(HAND["mano.shapedirs"]),
        "weights": chumpy(chumpy(pickled_array(np.ascontiguousarray(HAND["mano.lbs_weights"])))),
    }
    assert_hand(read_mano(write_pickle(tmp_path, entries)))


def test_more_shapes_than_ten(tmp_path: Path) -> None:
    """Of the shape directions that larger editions have, the first ten are taken."""
    more = np.concatenate([HAND["mano.shapedirs"], np.ones((778, 3, 6))], axis=2)
    assert_hand(read_mano(write_pickle(tmp_path, plain_entries() | {"shapedirs": pickled_array(more)})))


def test_a_cache_of_wilor_mlx(tmp_path: Path) -> None:
    """mano.npz holds the hand and brings the mean hand along."""
    np.savez(tmp_path / "mano.npz", **npz_entries())  # type: ignore[arg-type]
    tensors = read_mano(tmp_path / "mano.npz")
    assert_hand(tensors)
    assert tensors["backbone.init_hand_pose"].dtype == np.float32
    assert tensors.keys() - mano_specs().keys() == {
        "backbone.init_hand_pose",
        "backbone.init_betas",
        "backbone.init_cam",
    }


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", None, "no weights"),
        ("v_template", pickled_array(np.zeros((777, 3))), r"mano.v_template has shape \(777, 3\), expected \(778, 3\)"),
        ("v_template", pickled_array(np.full((778, 3), np.nan)), "mano.v_template holds NaN"),
        ("v_template", pickled_array(np.zeros((778, 3), np.int32)), "mano.v_template has dtype int32"),
        ("v_template", pickled_array(np.zeros((778, 3)), "O8"), "v_template: an array of"),
        (
            "v_template",
            pickled_array(np.zeros((778, 3)), "f4"),
            "v_template: an array whose data are not 2334 x float32",
        ),
        ("v_template", New(Global("chumpy.ch", "MatVecMult")), "v_template: a chumpy.ch.MatVecMult that is no array"),
        ("v_template", Reduce(Global("os", "system"), ("x",)), "v_template: a os.system"),
        ("posedirs", pickled_array(np.zeros((135, 2334))), r"posedirs: shape \(135, 2334\), expected \(778, 3, 135\)"),
        ("f", pickled_array(np.full((1538, 3), 778, np.uint32)), "mano.faces_tensor holds 778 to 778"),
        ("f", pickled_array(np.full((1538, 3), 2**32, np.uint64)), "mano.faces_tensor holds 4294967296"),
        ("kintree_table", pickled_array(np.zeros((2, 16), np.int64)), "mano.parents is"),
        ("kintree_table", pickled_array(np.full((2, 16), -1)), "mano.parents is"),
        (
            "J_regressor",
            Build(New(Global("scipy.sparse.csc", "csc_matrix")), {}),
            "J_regressor: a PickledCsc that is no",
        ),
    ],
)
def test_entries_that_are_wrong(key: str, value: object, message: str, tmp_path: Path) -> None:
    """An entry that is missing, misshapen, not finite, of another kind or out of range is named."""
    entries = plain_entries()
    del entries[key]
    with pytest.raises(WeightsError, match=f"MANO_RIGHT.pkl: {message}"):
        read_mano(write_pickle(tmp_path, entries if value is None else entries | {key: value}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_shape": (10**9, 10**9)}, "impossible shape"),
        ({"_shape": (16, 777)}, "do not fit"),
        ({"_shape": (-1, 778)}, "impossible shape"),
        ({"indptr": pickled_array(np.zeros(779, np.int32))}, "columns do not add up"),
        ({"indptr": pickled_array(np.array([0, 9, 0] + 776 * [640], np.int32))}, "columns do not add up"),
        ({"indices": pickled_array(np.full(640, 16, np.int32))}, "entries outside"),
        ({"indices": pickled_array(np.full(640, -1, np.int32))}, "entries outside"),
        ({"indices": pickled_array(np.zeros(640))}, "not whole numbers"),
        ({"data": pickled_array(np.zeros(639))}, "do not fit"),
    ],
)
def test_sparse_matrices_that_do_not_fit(change: dict[str, object], message: str, tmp_path: Path) -> None:
    """A sparse matrix is checked before it is spread out."""
    good = csc(HAND["mano.J_regressor"])
    assert isinstance(good.state, dict)
    entries = plain_entries() | {"J_regressor": Build(good.target, good.state | change)}
    with pytest.raises(WeightsError, match=f"J_regressor: .*{message}"):
        read_mano(write_pickle(tmp_path, entries))


@pytest.mark.parametrize("places", [np.full(23340, 2 * 23340), np.full(23340, -1), np.zeros(3, np.int64)])
def test_selections_that_do_not_fit(places: Array, tmp_path: Path) -> None:
    """A chumpy selection reaches only what is there."""
    good = select(HAND["mano.shapedirs"])
    assert isinstance(good.state, dict)
    entries = plain_entries() | {"shapedirs": Build(good.target, good.state | {"idxs": pickled_array(places)})}
    with pytest.raises(WeightsError, match="shapedirs: a selection of"):
        read_mano(write_pickle(tmp_path, entries))


def test_endless_nesting(tmp_path: Path) -> None:
    """Wrappers of wrappers end in an error, not in a stack overflow."""
    deep: object = pickled_array(HAND["mano.v_template"])
    for _ in range(100):
        deep = chumpy(deep)
    with pytest.raises(WeightsError, match="v_template: arrays nested more than"):
        read_mano(write_pickle(tmp_path, plain_entries() | {"v_template": deep}))


@pytest.mark.parametrize("content", [b"", b"\xff\xd8 a photograph", dumps([1]), dumps({"a": 1})])
def test_other_files(content: bytes, tmp_path: Path) -> None:
    """A file that is no MANO file is refused by name."""
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.pkl: "):
        read_mano(tmp_path / "x.pkl")


def test_missing_files(tmp_path: Path) -> None:
    """Paths that lead nowhere are errors of the same kind."""
    for read in (read_mano, read_mean_params):
        with pytest.raises(WeightsError, match=r"x: .*No such file"):
            read(tmp_path / "x")


def test_mean_params(tmp_path: Path) -> None:
    """The mean hand gets upstream's names and a leading axis."""
    np.savez(tmp_path / "m.npz", pose=np.arange(96.0), shape=np.arange(10.0), cam=np.arange(3.0))
    tensors = read_mean_params(tmp_path / "m.npz")
    assert {name: (array.shape, str(array.dtype)) for name, array in tensors.items()} == {
        "backbone.init_hand_pose": ((1, 96), "float32"),
        "backbone.init_betas": ((1, 10), "float32"),
        "backbone.init_cam": ((1, 3), "float32"),
    }
    assert tensors["backbone.init_hand_pose"][0, 95] == 95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cam": np.zeros(4)}, r"backbone.init_cam has shape \(1, 4\), expected \(1, 3\)"),
        ({"pose": np.full(96, np.inf)}, "backbone.init_hand_pose holds NaN or infinity"),
        ({"shape": np.array([None] * 10)}, "shape.npy holds objects"),
    ],
)
def test_mean_params_that_are_wrong(change: dict[str, Array], message: str, tmp_path: Path) -> None:
    """A mean hand of wrong shape, not finite, or pickled is refused; nothing is unpickled."""
    arrays: dict[str, Array] = {"pose": np.zeros(96), "shape": np.zeros(10), "cam": np.zeros(3)}
    np.savez(tmp_path / "m.npz", **(arrays | change))  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=f"m.npz: {message}"):
        read_mean_params(tmp_path / "m.npz")


def test_mean_params_that_are_missing(tmp_path: Path) -> None:
    """The entries that are not there are listed."""
    np.savez(tmp_path / "m.npz", pose=np.zeros(96))
    with pytest.raises(WeightsError, match=r"m.npz: no cam, shape"):
        read_mean_params(tmp_path / "m.npz")


@pytest.mark.parametrize(
    "damage",
    [
        lambda member: member[:-8],
        lambda member: member.replace(b"(96,), }           ", b"(96000000000,), }  "),
        lambda member: member.replace(b"(96,)", b"(97,)"),
        lambda member: b"\x93NUMPY\x09\x00" + member[8:],
        lambda member: b"",
    ],
)
def test_npz_members_that_lie(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """An array whose header does not match its bytes is refused without allocating what it claims."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(96))
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("pose.npy", damage(buffer.getvalue()))
    with pytest.raises(WeightsError, match=r"m.npz: (not a readable|pose.npy)"):
        read_mean_params(tmp_path / "m.npz")


def test_npz_bombs(tmp_path: Path) -> None:
    """A member that unpacks to more than the limit is refused before it is unpacked."""
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pose.npy", bytes((64 << 20) + 1))
    with pytest.raises(WeightsError, match=r"m.npz: pose.npy has 67108865 bytes"):
        read_mean_params(tmp_path / "m.npz")


@needs_reference
@pytest.mark.parametrize("folder", ["tiny", "wide", "frame"])
def test_the_references_agree(folder: str) -> None:
    """Each reference's MANO file and mean hand are, bit for bit, what its checkpoint holds."""
    checkpoint = read_torch_zip(REFERENCE / folder / "wilor_final.ckpt")
    tensors = read_mano(REFERENCE / folder / "MANO_RIGHT.pkl")
    tensors |= read_mean_params(REFERENCE / folder / "mano_mean_params.npz")
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, checkpoint[name], err_msg=name)


@pytest.mark.parametrize("kind", ["pickle", "npz"])
def test_the_left_hand_is_refused(kind: str, tmp_path: Path) -> None:
    """With it every pose would be wrong, and nothing would say so."""
    left = HAND["mano.v_template"] * (-1, 1, 1)
    if kind == "pickle":
        path = write_pickle(tmp_path, plain_entries() | {"v_template": pickled_array(left)})
    else:
        path = tmp_path / "mano.npz"
        np.savez(path, **npz_entries() | {"v_template": left})  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=f"{path.name}: is a left hand; .* MANO_RIGHT.pkl is wanted"):
        read_mano(path)
