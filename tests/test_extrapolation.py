"""Fields of floats stored as what the neighbours of each value do not tell of it."""

import dataclasses
import functools
import platform
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import blocks, planning
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.codec.natives import extrapolation, tensors
from aetool.errors import AetoolError, ArchiveError
from aetool.operations import CompressOptions
from tests import format_reader
from tests.format_reader import natives
from tests.sweeps import checkered

HOME = Path(__file__).parent / "golden" / "3.7"
LOOPS = pytest.mark.parametrize("loops", ["kernel", "reference"])
SIDE = 20


def smooth(dtype="<f4", side=SIDE):
    """A field (side, side, side) of waves, which go through zero and many powers of two."""
    x, y, z = np.meshgrid(*3 * [np.linspace(0, 1, side)], indexing="ij")
    return (np.sin(7 * x + 3 * y) * np.cos(5 * z) + 0.5 * np.sin(11 * y * z)).astype(dtype)


def archived(array, folder, effort=planning.DEFAULT, **options):
    """(header, bytes) of an archive that gives an array back, bit for bit."""
    np.save(folder / "a.npy", array)
    options = CompressOptions(effort=effort, force=True, **options)
    operations.compress(folder / "a.npy", folder / "a.aez", None, options)
    operations.decompress(folder / "a.aez", folder / "b.npy", force=True)
    assert (folder / "b.npy").read_bytes() == (folder / "a.npy").read_bytes()
    with Archive(folder / "a.aez") as archive:
        return archive.reader.header, (folder / "a.aez").stat().st_size


# ---- residuals


SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@st.composite
def fields(draw):
    """(values of any bits or of a smooth course with odd ones among them, orders)."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    shape = tuple(draw(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    whole = np.dtype(f"i{np.dtype(dtype).itemsize}")
    size = int(np.prod(shape))
    values = np.frombuffer(rng.bytes(size * whole.itemsize), dtype).copy()
    if draw(st.booleans()):
        values = (np.cumsum(rng.normal(size=size)) * 10.0 ** rng.integers(-44, 38)).astype(dtype)
        odd = rng.choice([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e20], size)
        values = np.where(rng.random(size) < 0.1, odd, values).astype(dtype)
    orders = draw(st.lists(st.integers(0, 3), min_size=len(shape), max_size=len(shape)))
    orders[draw(st.integers(0, len(shape) - 1))] |= 1
    return values.reshape(shape), orders


@settings(max_examples=150)
@given(fields())
def test_kernel_reference_and_other_reader_agree_on_any_floats(field):
    values, orders = field
    told = extrapolation.residuals(values, orders)
    assert told.shape == values.shape and told.dtype.itemsize == values.dtype.itemsize
    assert extrapolation.restore(told, orders).tobytes() == values.tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "C", None)
        assert extrapolation.residuals(values, orders).tobytes() == told.tobytes()
        assert extrapolation.restore(told, orders).tobytes() == values.tobytes()
    with np.errstate(all="ignore"):
        assert natives.extrapolated(told, orders).tobytes() == values.tobytes()


def test_the_kernel_has_the_loop_where_it_can():
    if kernel.C is None:
        pytest.skip("the C kernel is not built")
    built = Path(kernel.C.__file__)
    source = built.with_name("_kernel.c")
    if source.exists() and source.stat().st_mtime > built.stat().st_mtime:
        pytest.skip("the C kernel is older than its source")
    assert hasattr(kernel.C, "extrapolate") or platform.machine() not in ("x86_64", "aarch64")


def test_a_kernel_without_the_loop_leaves_it_to_the_reference(monkeypatch):
    told = extrapolation.residuals(smooth(), (2, 1, 3))
    monkeypatch.setattr(kernel, "C", object())
    assert extrapolation.residuals(smooth(), (2, 1, 3)).tobytes() == told.tobytes()
    assert extrapolation.restore(told, (2, 1, 3)).tobytes() == smooth().tobytes()


@LOOPS
def test_polynomials_are_told_to_the_last_place(loops, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    x, y = np.meshgrid(np.arange(30.0), np.arange(40.0), indexing="ij")
    planes = 3 * x * x - 2 * x + 5 * y * y + x * y + 7
    told = extrapolation.residuals(planes, (3, 3))
    assert not told[3:, 3:].any()
    # a line in one axis, its square in the other: the order of each is its own
    told = extrapolation.residuals(x + y * y, (2, 3))
    assert not told[2:, 3:].any() and told[:2, :3].all(where=told[:2, :3] != 0)
    still = np.full((9, 9), np.float32(1e20))
    told = extrapolation.residuals(still, (2, 2))
    assert told[0, 0] and not told.reshape(-1)[1:].any()


@LOOPS
def test_what_is_no_number_is_told_by_the_value_before(loops, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    values = np.full((4, 12), 5.0, np.float32)
    values[:, 4:9] = np.array(0x7FC00ABC, np.uint32).view(np.float32)
    values[2, 6] = np.inf
    told = extrapolation.residuals(values, (1, 1))
    # once it has begun it goes on: all bits of it are those of the one before
    assert not told[:2, 5:9].any() and told[:, 4].all()
    assert told[0, 9] and not told[:, 11].any()
    assert extrapolation.restore(told, (1, 1)).tobytes() == values.tobytes()


@LOOPS
def test_sums_beyond_all_floats_are_told_by_the_value_before(loops, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    values = np.array([[-1.7e308, 1.7e308, 1.7e308, 1.7e308]])
    told = extrapolation.residuals(values, (0, 2))
    assert told[0, 2] == 0
    assert extrapolation.restore(told, (0, 2)).tobytes() == values.tobytes()


@pytest.mark.parametrize("parameters", [
    [], [32, 1, 6], [16, 1, 6, 1], [32, 0, 6, 1], [32, 2, 2, 3, 1, 4], [32, 2, 2, 3, -1, 1],
    [32, 2, 2, 3, 0, 0], [32, 2, 2, 4, 1, 1], [32, 2, 0, 3, 1, 1], [32, 5, *5 * [1], *5 * [1]],
    [32, 2, 1 << 62, 4, 1, 1], [64, 2, 2, 3, 1, 1], [32, 1, 5, 1],
])  # fmt: skip
def test_the_kernel_refuses_what_makes_no_sense(parameters):
    if not hasattr(kernel.C, "extrapolate"):
        pytest.skip("the C kernel is not built")
    values = np.zeros(6, np.int32)
    with pytest.raises(ValueError, match="extrapolate"):
        kernel.C.extrapolate(values, values.copy(), np.array(parameters, np.int64), False)


# ---- archives


@LOOPS
def test_the_golden_archive_is_restored_for_ever(loops, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    with Archive(HOME / "fields.aez") as archive:
        described = archive.reader.header["arrays"]
        assert [len(array.get("orders", [])) for array in described] == [3, 2, 4, 0]
    back = operations.decompress(HOME / "fields.aez", tmp_path / "fields.npz")
    with np.load(back) as restored, np.load(HOME / "fields.npz") as source:
        assert restored.files == source.files
        for name in source.files:
            before, after = source[name], restored[name]
            assert after.dtype == before.dtype and after.shape == before.shape
            assert after.tobytes("A") == before.tobytes("A")


def test_the_other_reader_restores_it():
    restored = format_reader.restore((HOME / "fields.aez").read_bytes())
    with np.load(HOME / "fields.npz") as source:
        for name in source.files:
            little = source[name].astype(source[name].dtype.newbyteorder("<"))
            assert np.array(restored[name]).tobytes() == little.tobytes()


# each size of number, and each order; all of both are of the long set
@pytest.mark.parametrize(
    ("dtype", "order"),
    [
        pytest.param(
            dtype, order, marks=() if (dtype, order) in (("<f4", "C"), ("<f8", "F")) else pytest.mark.long
        )
        for dtype in ("<f4", ">f4", "<f8", ">f8")
        for order in ("C", "F")
    ],
)  # fmt: skip
def test_smooth_fields_take_far_less(dtype, order, tmp_path):
    values = np.asarray(smooth(dtype), order=order)
    header, size = archived(values, tmp_path)
    assert header["content"] == ["arrays", 2] and len(header["arrays"][0]["orders"]) == 3
    without = dataclasses.replace(planning.DEFAULT, extrapolates=False)
    header, plain = archived(values, tmp_path, without)
    assert header["content"] == ["arrays", 1] and "orders" not in header["arrays"][0]
    assert size < (0.6 if dtype.endswith("f4") else 0.8) * plain


@pytest.mark.parametrize(("axes", "dtype"), checkered([(), (1,), (2,), (1, 2)], ["<f4", ">f8"]))
def test_residuals_come_back_from_any_layout(dtype, axes):
    values = smooth(dtype)
    tensor = tensors.Tensor("x", dtype, values.shape, axes=axes, orders=(2, 0, 3))
    assert tensors.Tensor.from_json(tensor.to_json()) == tensor
    cells, period = tensors.cells_of(tensor, SIDE), tensors.period_of(tensor)
    columns = tensors.encode(tensor, values)
    content, payload, _ = blocks.encode(columns, cells, {}, planning.FAST, period=period)
    decoded = tensors.decode(tensor, blocks.decode(payload, cells, content).columns, SIDE)
    assert tensors.same(decoded, values)


def test_best_takes_no_more_than_the_default(tmp_path):
    header, best = archived(smooth(), tmp_path, planning.BEST)
    assert header["content"] == ["arrays", 2]
    assert best <= 1.002 * archived(smooth(), tmp_path)[1]


@pytest.mark.parametrize("kind", ["noise", "decimals", "pictures", "table", "halves", "few"])
def test_what_neighbours_do_not_tell_better_is_stored_as_before(kind, tmp_path):
    rng = np.random.default_rng(0)
    values = {
        "noise": rng.normal(size=(20, 20, 20)).astype("<f4"),
        "decimals": smooth("<f8").round(2),
        "pictures": (rng.integers(0, 256, (20, 20, 20)) / 255).astype("<f4"),
        "table": smooth("<f8").reshape(-1, 8),
        "halves": smooth("<f2"),
        "few": smooth("<f4", 15),
    }[kind]
    header, _ = archived(values, tmp_path)
    assert header["content"] == ["arrays", 1] and "orders" not in header["arrays"][0]


def test_fast_and_bounds_leave_it_out(tmp_path):
    assert archived(smooth(), tmp_path, planning.FAST)[0]["content"] == ["arrays", 1]
    np.save(tmp_path / "a.npy", smooth())
    options = CompressOptions(force=True, max_error={"": "0.001"})
    operations.compress(tmp_path / "a.npy", tmp_path / "a.aez", None, options)
    with Archive(tmp_path / "a.aez") as archive:
        assert "orders" not in archive.reader.header["arrays"][0]


def test_a_process_that_adds_otherwise_stores_fields_as_before(tmp_path, monkeypatch):
    monkeypatch.setattr(extrapolation, "adds_as_ieee_754", lambda: False)
    assert archived(smooth(), tmp_path)[0]["content"] == ["arrays", 1]


def test_odd_values_come_back_bit_for_bit(tmp_path):
    values = smooth("<f8", 24)
    flat = values.reshape(-1)
    rng = np.random.default_rng(1)
    odd = np.array([0x7FF8000000000123, 0xFFF0000000000001, 0x8000000000000000, 1], "<u8")
    places = rng.choice(values.size, 60, replace=False)
    flat[places] = np.resize(np.append(odd.view("<f8"), [np.inf, -np.inf, 1.7e308]), 60)
    values[3:9, 4:9, 2:20] = np.nan
    values[12:, :5] = 1e20
    values[20:] = smooth("<f8", 24)[20:] * 1e-310
    header, _ = archived(values, tmp_path)
    assert header["content"] == ["arrays", 2]


def test_fields_in_several_blocks_and_rows_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "MOST_VALUES", 11 * SIDE * SIDE)
    values = smooth()
    header, _ = archived(values, tmp_path)
    assert header["content"] == ["arrays", 2]
    with Archive(tmp_path / "a.aez") as archive:
        assert len(archive.reader.blocks) == 2
    out = operations.decompress(tmp_path / "a.aez", tmp_path / "r.npy", rows=(5, 18))
    assert np.load(out).tobytes() == values[5:18].tobytes()


def test_rows_that_are_cut_inside_the_second_axis(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "MOST_VALUES", 5000)
    values = smooth("<f4", 80)[:3]
    header, _ = archived(values, tmp_path)
    (described,) = header["arrays"]
    assert described["lead"] == 2 and len(described["orders"]) == 2


def test_several_arrays_of_which_one_is_a_field(tmp_path):
    rng = np.random.default_rng(2)
    arrays = {"field": smooth("<f8"), "ids": rng.integers(0, 9, 50), "noise": rng.normal(size=70)}
    np.savez(tmp_path / "a.npz", **arrays)
    operations.compress(tmp_path / "a.npz", tmp_path / "a.aez")
    out = operations.decompress(tmp_path / "a.aez", tmp_path / "b.npz")
    assert out.read_bytes() == (tmp_path / "a.npz").read_bytes()
    with Archive(tmp_path / "a.aez") as archive:
        described = archive.reader.header["arrays"]
    assert ["orders" in array for array in described] == [True, False, False]


# ---- damage


@functools.cache
def compressed(side):
    """The archive of a smooth field (side, side, side)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "a.npy", smooth(side=side))
        operations.compress(folder / "a.npy", folder / "a.aez")
        return (folder / "a.aez").read_bytes()


def rewritten(folder, change, version=2, side=SIDE):
    """The archive of a smooth field with another header, as if all seals were right."""
    (folder / "a.aez").write_bytes(compressed(side))
    with Archive(folder / "a.aez") as archive:
        header, block = archive.reader.header, archive.reader.block(0)
    described = {**header["arrays"][0], **change}
    described = {key: value for key, value in described.items() if value is not None}
    header = {**header, "arrays": [described], "content": ["arrays", version]}
    with (folder / "bad.aez").open("w+b") as file:
        writer = Writer(file, header, {})
        writer.add(block.rows, block.content, block.payload)
        writer.finish({}, bytes(32))
    return folder / "bad.aez"


@pytest.mark.parametrize("change", [
    {"orders": [1, 1]}, {"orders": [1, 1, 1, 1]}, {"orders": [4, 1, 1]}, {"orders": [0, 0, 0]},
    {"orders": [-1, 1, 1]}, {"orders": [True, 1, 1]}, {"orders": [1.0, 1, 1]}, {"orders": "111"},
    {"orders": 1}, {"orders": None}, {"orders": []}, {"dtype": "<i4"}, {"dtype": "<f2"},
    {"dtype": "<c8"}, {"shape": [], "lead": 0, "axes": []}, {"shape": [2, 2, 5, 20, 20], "lead": 1},
])  # fmt: skip
def test_orders_that_make_no_sense_are_damage(change, tmp_path):
    bad = rewritten(tmp_path, change)
    # not by the digest of the whole, which is none here
    with pytest.raises(ArchiveError, match="^(?!.*its digest)"):
        operations.decompress(bad, tmp_path / "o.npy")


def test_orders_of_the_first_version_are_damage(tmp_path):
    with pytest.raises(ArchiveError, match="version"):
        operations.decompress(rewritten(tmp_path, {}, version=1), tmp_path / "o.npy")


def test_a_later_version_is_refused_by_name(tmp_path):
    with pytest.raises(ArchiveError, match="version 3; this aetool reads .*arrays 2"):
        operations.decompress(rewritten(tmp_path, {}, version=3), tmp_path / "o.npy")


def test_residuals_beyond_their_bits_are_damage():
    tensor = tensors.Tensor("x", "<f4", (8, 4), axes=(), orders=(1, 1))
    wide = dataclasses.replace(tensor, dtype="<i8", orders=())
    for beyond in (1 << 31, -(1 << 31) - 1, 1 << 62):
        told = np.zeros((8, 4), np.int64)
        told[3, 2] = beyond
        content, payload, _ = blocks.encode(tensors.encode(wide, told), 32, {}, planning.FAST)
        columns = blocks.decode(payload, 32, content).columns
        with pytest.raises(ArchiveError, match="beyond the range"):
            tensors.decode(tensor, columns, 8)


# the reference takes two seconds for each reading: the fast set has one flip of its, and all of the
# kernel's
@pytest.mark.parametrize(
    ("loops", "flips"),
    [("kernel", 25), ("reference", 1), pytest.param("reference", 25, marks=pytest.mark.long)],
)
def test_flipped_bits_of_a_field_are_found_or_change_no_shape(loops, flips, tmp_path, monkeypatch):
    # the reference takes half a millisecond for each number
    side = SIDE if loops == "kernel" else 16
    rewritten(tmp_path, {}, side=side)
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    with Archive(tmp_path / "a.aez") as archive:
        assert archive.reader.header["content"] == ["arrays", 2], "a field"
        tensor, block = archive.content.arrays[0], archive.reader.block(0)
    whole = (tmp_path / "a.aez").read_bytes()
    cells = tensors.cells_of(tensor, block.rows)
    rng = np.random.default_rng(3)
    for _ in range(flips):
        bit = 1 << int(rng.integers(8))
        payload = bytearray(block.payload)
        payload[int(rng.integers(len(payload)))] ^= bit
        with pytest.raises(ArchiveError):
            blocks.decode(bytes(payload), cells, block.content)
        try:
            # without the digest: whatever residuals there are, they are of some floats
            columns = blocks.decode(bytes(payload), cells, None).columns
            restored = tensors.decode(tensor, columns, block.rows)
            assert restored.shape == (side, side, side) and restored.dtype == np.float32
        except ArchiveError:
            pass
        flipped = bytearray(whole)
        flipped[int(rng.integers(len(whole)))] ^= bit
        (tmp_path / "bad.aez").write_bytes(bytes(flipped))
        with pytest.raises(AetoolError):
            operations.decompress(tmp_path / "bad.aez", tmp_path / "o.npy", force=True)
