"""Columns in the types of their source: bit for bit, or within a bound that exact arithmetic proves."""

import decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool import operations
from aetool.codec import blobs, blocks, planning
from aetool.codec.natives import batches, bounding, cells, numbers, schemas, tensors
from aetool.codec.natives.dictionaries import Dictionaries
from aetool.errors import ArchiveError
from aetool.operations import CompressOptions
from tests import typed
from tests.sweeps import one_in, product


def stored(batch, bounds=None):
    """The batch as it comes back from a payload, with its dictionaries and schema as bytes."""
    schema = schemas.from_json(schemas.to_json(batch.schema))
    known = Dictionaries()
    known.collect(batch)
    again = batches.dictionaries_from_bytes(
        batches.dictionaries_to_bytes(known, batch.schema, planning.DEFAULT), schema
    )
    coded = batches.BatchCoder(batch.schema, known, bounds).encode(batch)
    flat = [column for columns in coded for column in columns]
    content, payload, _ = blocks.encode(flat, batch.num_rows, {}, planning.DEFAULT)
    found = blocks.decode(payload, batch.num_rows, content)
    coder = batches.BatchCoder(schema, again)
    owners = coder.owners([c.meta for c in found.columns])
    assert owners == [i for i, columns in enumerate(coded) for _ in columns]
    restored = coder.decode(found.columns, batch.num_rows)
    restored.validate(full=True)
    return restored


def batches_of(array, nullable=True):
    """One column, with metadata, as record batches."""
    field = pa.field("a", array.type, nullable, {"unit": "m", "raw": b"\xff\0"})
    schema = pa.schema([field], {b"pandas": b'{"index_columns": []}'})
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    for chunk in chunked.chunks:
        yield pa.RecordBatch.from_arrays([chunk], schema=schema)


@pytest.mark.parametrize("kind", typed.TYPES, ids=str)
@pytest.mark.parametrize("case", typed.CASES)
def test_every_type_comes_back_bit_for_bit(kind, case):
    array = typed.array_of(kind, case, np.random.default_rng(0), 60)
    for batch in batches_of(array):
        assert batches.difference(batch, stored(batch)) is None


@pytest.mark.parametrize("kind", typed.TYPES, ids=str)
def test_every_type_in_blocks_of_many_rows(kind):
    array = typed.array_of(kind, "gaps", np.random.default_rng(0), 4200)
    (batch,) = batches_of(array)
    assert batches.difference(batch, stored(batch)) is None


TABLES = st.lists(
    st.tuples(st.sampled_from(typed.TYPES), st.sampled_from([c for c in typed.CASES if c not in ("chunked", "empty")])),
    max_size=8,
)  # fmt: skip


def check_table(columns, rows, seed, required):
    rng = np.random.default_rng(seed)
    arrays = [typed.array_of(kind, case, rng, rows) for kind, case in columns]
    names = [["a", "b", "", "\U0001f600"][i % 4] for i in range(len(columns))]  # some are twice
    fields = [
        pa.field(
            name,
            array.type,
            pa.types.is_null(array.type) or not (required and not array.null_count and len(array)),
        )
        for name, array in zip(names, arrays, strict=True)
    ]
    if not fields:
        return
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, {"k": str(seed)}))
    assert batches.difference(batch, stored(batch)) is None


@settings(max_examples=40)
@given(TABLES, st.integers(0, 70), st.integers(0, 2**32), st.booleans())
def test_tables_of_any_types(columns, rows, seed, required):
    check_table(columns, rows, seed, required)


@pytest.mark.long
@settings(max_examples=5000)
@given(TABLES, st.integers(0, 70), st.integers(0, 2**32), st.booleans())
def test_five_thousand_tables_of_any_types(columns, rows, seed, required):
    check_table(columns, rows, seed, required)


def test_no_columns_and_no_rows():
    records = pa.RecordBatch.from_struct_array(pa.array([{}] * 7, pa.struct([])))
    assert stored(records).num_rows == 7
    (batch,) = batches_of(pa.array([], pa.float64()))
    assert stored(batch).schema.equals(batch.schema, check_metadata=True)


def test_what_is_carried_as_bytes_is_named():
    for kind in (
        pa.list_(pa.int8()), pa.struct([("x", pa.int8())]), pa.map_(pa.string(), pa.int8()),
        pa.month_day_nano_interval(), pa.run_end_encoded(pa.int32(), pa.int8()), pa.uuid(),
        pa.dense_union([pa.field("x", pa.int8())]), pa.list_view(pa.int8()),
    ):  # fmt: skip
        reason = schemas.reason_against(pa.schema([("ok", pa.int8()), ("odd", kind)]))
        assert reason == f"column 2 'odd' is of type {kind}"
    assert schemas.reason_against(pa.schema([(str(k), k) for k in typed.TYPES])) is None


# a dictionary of a dictionary of a dictionary ..., which no table has
NESTED = "int8"
for _ in range(5000):
    NESTED = ["dictionary", "int8", NESTED, False]


@pytest.mark.parametrize("described", [
    None, {}, {"fields": 1}, {"fields": [{"name": "a"}]}, {"fields": [{"name": "a", "type": "list"}]},
    {"fields": [{"name": "a", "type": ["decimal128", 99, 1]}]},
    {"fields": [{"name": "a", "type": ["fixed", -1]}]},
    {"fields": [{"name": "a", "type": ["fixed", 1 << 40]}]},
    {"fields": [{"name": "a", "type": ["time32", "ns"]}]},
    {"fields": [{"name": "a", "type": ["timestamp", "h"]}]},
    {"fields": [{"name": "a", "type": ["dictionary", "float64", "string", False]}]},
    {"fields": [{"name": "a", "type": []}]},
    {"fields": [{"name": "a", "type": ["timestamp"]}]},
    {"fields": [{"name": "a", "type": ["time64"]}]},
    {"fields": [{"name": "a", "type": ["duration"]}]},
    {"fields": [{"name": "a", "type": ["fixed"]}]},
    {"fields": [{"name": "a", "type": ["dictionary"]}]},
    {"fields": [{"name": "a", "type": ["dictionary", ["fixed", 1], "string", False]}]},
    {"fields": [{"name": "a", "type": ["dictionary", "int8", NESTED, False]}]},
    {"fields": [{"name": "a", "type": [NESTED, NESTED]}]},
    {"fields": [], "metadata": [["a"]]},
    {"fields": [], "metadata": [["a", "\u0100"]]},
])  # fmt: skip
def test_a_schema_that_makes_no_sense_is_damage(described):
    with pytest.raises(ArchiveError):
        schemas.from_json(described)


def test_a_block_of_fewer_or_more_columns_than_its_table_is_damage():
    kinds = [kind for kind in typed.TYPES if kind != pa.null()]
    for kind in kinds:
        schema = pa.schema([("only", kind)])
        coder = batches.BatchCoder(schema, Dictionaries())
        with pytest.raises(ArchiveError, match="damaged: a block has fewer columns than its table"):
            coder.decode([], 3)
    table = pa.record_batch({"number": [1, 2, 3], "word": ["a", "b", None]})
    coder = batches.BatchCoder(table.schema, Dictionaries())
    columns = [column for coded in coder.encode(table) for column in coded]
    content, payload, _ = blocks.encode(columns, 3, {}, planning.DEFAULT)
    decoded = blocks.decode(payload, 3, content).columns
    assert coder.decode(decoded, 3).equals(table)
    for few in (decoded[:1], []):
        with pytest.raises(ArchiveError, match="fewer columns than its table"):
            coder.decode(few, 3)
    with pytest.raises(ArchiveError, match="more columns than its table"):
        coder.decode([*decoded, decoded[0]], 3)


def test_a_dictionary_of_no_column_is_damage():
    content, payload, _ = blocks.encode([], 2, {}, planning.DEFAULT)
    numbers = b"".join(blobs.varint(number) for number in (0, 2, len(payload)))
    schema = pa.schema([("a", pa.dictionary(pa.int8(), pa.string()))])
    with pytest.raises(ArchiveError, match="fewer columns than its table"):
        batches.dictionaries_from_bytes(numbers + content + payload, schema)


def test_gaps_among_bytes_are_marked_by_what_is_none_of_them():
    every = [bytes([b]) for b in range(256)] + [None, b"\xff\xff", b""]
    (batch,) = batches_of(pa.array(every, pa.binary()))
    assert stored(batch).column(0).to_pylist() == every
    coded = cells.encode_cells(
        np.frombuffer(b"ab", np.uint8), np.array([0, 1]), np.array([1, 2]), np.array([True, False]), False
    )  # fmt: skip
    assert coded.meta.gap == "\xff"


def test_differences_are_seen():
    def one(values, kind, **schema):
        return pa.RecordBatch.from_arrays(
            [pa.array(values, kind)], schema=pa.schema([("a", kind)], **schema)
        )

    nan = float("nan")
    assert batches.difference(one([nan], pa.float64()), one([nan], pa.float64())) is None
    assert batches.difference(one([nan], pa.float64()), one([None], pa.float64())) == "column 1 'a'"
    assert batches.difference(one([0.0], pa.float64()), one([-0.0], pa.float64())) == "column 1 'a'"
    assert batches.difference(one([1], pa.int8()), one([1], pa.int16())) == "the schema"
    said = batches.difference(one([1], pa.int8()), one([1], pa.int8(), metadata={"k": "v"}))
    assert said == "the schema"
    assert batches.difference(one([1, 2], pa.int8()), one([1], pa.int8())) == "the number of rows"


# ---- bounds


def exact(value):
    """A value as a fraction; None for what is not a finite number."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return Fraction(value)


def largest_error(source, restored, bound):
    """The largest error of a bounded column, in exact arithmetic; what is no number is as it was."""
    largest = Fraction(0)
    for one, other in zip(source.to_pylist(), restored.to_pylist(), strict=True):
        before = exact(float(one) if isinstance(one, np.floating) else one)
        after = exact(float(other) if isinstance(other, np.floating) else other)
        if before is None or after is None:
            assert repr(one) == repr(other)
        else:
            largest = max(largest, abs(before - after))
    assert largest <= bound, (source.type, float(largest), float(bound))
    return largest


NUMERIC = [
    kind for kind in typed.TYPES
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
]  # fmt: skip
BOUND = st.one_of(
    st.fractions(0, 5),
    st.sampled_from(["1/10", "0.001", "1e-9", "1e-300", "127", "1e5", "1e18", "1e30", "1e400"]).map(Fraction),
    st.integers(0, 2**66).map(Fraction),
)  # fmt: skip


def check_bound(kind, case, bound, rows, seed):
    rng = np.random.default_rng(seed)
    array = typed.array_of(kind, case, rng, rows)
    (batch,) = batches_of(array)
    restored = stored(batch, [bound])
    assert restored.schema.equals(batch.schema, check_metadata=True)
    return largest_error(batch.column(0), restored.column(0), bound)


CASES_OF_BOUNDS = ("plain", "gaps", "none", "NaN", "extremes", "sliced")


@settings(max_examples=100)
@given(
    st.sampled_from(NUMERIC),
    st.sampled_from(CASES_OF_BOUNDS),
    BOUND,
    st.integers(0, 80),
    st.integers(0, 2**32),
)
def test_bounds_hold_on_what_is_written_back(kind, case, bound, rows, seed):
    check_bound(kind, case, bound, rows, seed)


@pytest.mark.long
@settings(max_examples=2000)
@given(
    st.sampled_from(NUMERIC),
    st.sampled_from(CASES_OF_BOUNDS),
    BOUND,
    st.integers(0, 80),
    st.integers(0, 2**32),
)
def test_two_thousand_bounded_columns(kind, case, bound, rows, seed):
    check_bound(kind, case, bound, rows, seed)


@pytest.mark.parametrize(
    ("dtype", "bound"), [("u1", 6), ("i1", 5), ("i2", 655), ("u2", 6), ("i1", 200)]
)
def test_small_integers_do_not_wrap(dtype, bound):
    limits = np.iinfo(dtype)
    values = np.arange(limits.min, limits.max + 1).astype(dtype)
    (batch,) = batches_of(pa.array(values))
    restored = stored(batch, [Fraction(bound)]).column(0).to_numpy()
    errors = np.abs(values.astype(int) - restored.astype(int))
    assert 0 < errors.max() <= bound


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_the_ends_of_64_bits_are_not_wrapped(dtype):
    limits = np.iinfo(dtype)
    values = np.array([limits.min, limits.min + 1, limits.max - 1, limits.max, 0, 7] * 3, dtype)
    for allowed in (1, 7, 2**61 - 1, 2**62, 2**64):
        grid = bounding.Grid.of(Fraction(allowed), int(limits.min), int(limits.max))
        wide = values.astype(np.uint64) if dtype == "u8" else values
        restored = grid.restore(grid.quantise(wide), dtype == "u8")
        off = [abs(int(a) - int(b)) for a, b in zip(values, restored, strict=True)]
        assert max(off) <= allowed


def test_float32_is_bounded_as_float32():
    rng = np.random.default_rng(0)
    values = (rng.normal(0, 1, 5000) * 1e6).astype(np.float32)
    for bound in ("0.04", "0.01", "1", "1e-9"):
        (batch,) = batches_of(pa.array(values))
        error = largest_error(
            batch.column(0), stored(batch, [Fraction(bound)]).column(0), Fraction(bound)
        )
        assert error > 0 or Fraction(bound) < Fraction("0.1")


def test_decimals_stay_within_their_digits():
    values = [
        decimal.Decimal("99999.99"),
        decimal.Decimal("-99999.99"),
        decimal.Decimal("0.01"),
        None,
    ]
    (batch,) = batches_of(pa.array(values, pa.decimal32(7, 2)))
    restored = stored(batch, [Fraction("0.07")])
    restored.validate(full=True)
    assert largest_error(batch.column(0), restored.column(0), Fraction("0.07")) > 0


@settings(max_examples=300)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(), st.fractions(0))
def test_within_is_certain(value, other, bound):
    said = bounding.within(np.array([value]), np.array([other]), bound)[0]
    if said:
        assert abs(Fraction(value) - Fraction(other)) <= bound


@settings(max_examples=300)
@given(st.floats(-1e6, 1e6), st.integers(-3, 3), st.integers(1, 1000))
def test_within_decides_next_to_the_bound(value, ulps, step):
    """On the bound itself and one float to either side it is no guess."""
    other = value + step / 7
    for _ in range(abs(ulps)):
        other = float(np.nextafter(other, np.inf if ulps > 0 else -np.inf))
    distance = abs(Fraction(value) - Fraction(other))
    bound = Fraction(step, 7)
    said = bounding.within(np.array([value]), np.array([other]), bound)[0]
    assert not said or distance <= bound
    if distance <= bound * Fraction(999999, 1000000):
        assert said


@given(st.fractions(0))
def test_the_float_below_a_bound(bound):
    below = bounding.float_below(bound)
    assert Fraction(below) <= bound
    above = float(np.nextafter(below, np.inf))
    assert not np.isfinite(above) or Fraction(above) > bound


def test_decimals_of_float32_are_told_as_decimals():
    values = np.round(np.random.default_rng(0).normal(0, 30, 3000), 2).astype(np.float32)
    coded = numbers.encode_floats(values)
    assert coded.meta.to_json() == {"k": "real", "d": 2}
    wide = numbers.encode_floats(values.astype(np.float64))
    assert wide.meta.to_json() == {"k": "real", "d": 2, "o": 1}
    noise = np.random.default_rng(0).normal(0, 30, 3000).astype(np.float32)
    wide = numbers.encode_floats(noise.astype(np.float64))
    assert wide.meta.to_json() == {"k": "real", "b": 32}, "32 bits say all, but no decimal does"


def test_moments_of_whole_hours_are_told_in_hours():
    ticks = np.arange(100, dtype=np.int64) * 3_600_000_000_000
    assert numbers.encode_integers(ticks).meta.to_json() == {"k": "int", "m": 3_600_000_000_000}


# ---- arrays


def stored_array(array, tensor=None, bound=None):
    """(the array as it comes back from payloads, its tensor, the bytes it took)."""
    plain = tensors.Tensor("c", array.dtype.str, array.shape, not array.flags.c_contiguous)
    tensor = tensor or tensors.laid_out(plain, array, bound is not None)
    assert tensors.Tensor.from_json(tensor.to_json()) == tensor
    step, size = tensors.rows_a_block(tensor), 0
    parts = []
    for first in range(0, tensor.rows, step):
        rows = min(step, tensor.rows - first)
        part = tensors.rows_of(tensor, array, first, first + rows)
        coded = tensors.encode(tensor, part, bound or (None,))
        count = tensors.cells_of(tensor, rows)
        period = tensors.period_of(tensor)
        content, payload, _ = blocks.encode(coded, count, {}, planning.DEFAULT, period=period)
        found = blocks.decode(payload, count, content)
        restored = tensors.decode(tensor, found.columns, rows)
        assert bound or tensors.same(part, restored)
        parts.append(restored)
        size += len(payload)
    whole = np.concatenate(parts) if parts else np.zeros(array.shape, array.dtype)
    return whole.astype(array.dtype).reshape(array.shape), tensor, size


@pytest.mark.parametrize(("dtype", "layout"), one_in(5, product(typed.DTYPES, typed.LAYOUTS)))
def test_every_array_comes_back_bit_for_bit(dtype, layout):
    array = typed.numpy_array(dtype, layout, np.random.default_rng(0))
    restored, tensor, _ = stored_array(array)
    assert restored.tobytes() == array.tobytes() and restored.shape == array.shape
    assert tensor.dtype == array.dtype.str
    if layout in ("C", "big-endian", "3-d", "4-d"):
        # other layouts than the one that was chosen
        axes = {2: (1,), 3: (1, 2), 4: (1, 3)}[array.ndim]
        other = tensors.Tensor("c", array.dtype.str, array.shape, axes=axes)
        assert stored_array(array, other)[0].tobytes() == array.tobytes()


def test_rows_larger_than_a_block_are_cut_inside(monkeypatch):
    monkeypatch.setattr(tensors, "MOST_VALUES", 50)
    array = np.arange(3 * 4 * 40, dtype=np.int16).reshape(3, 4, 40)
    restored, tensor, _ = stored_array(array)
    assert tensor.lead == 2 and tensor.rows == 12 and (restored == array).all()
    for first, last in ((0, 12), (3, 5), (4, 9), (11, 12)):
        assert (
            tensors.rows_of(tensor, array, first, last) == array.reshape(12, 40)[first:last]
        ).all()


def test_the_smallest_layout_is_chosen():
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(size=(400, 5, 3)), axis=0).round(2)
    _, tensor, size = stored_array(steps)
    for axes in ((), (2,), (1, 2)):
        other = tensors.Tensor("c", "<f8", steps.shape, axes=axes)
        assert size <= 1.02 * stored_array(steps, other)[2]
    assert tensor.axes == (1, 2)


def test_arrays_that_are_kept_as_bytes_are_named():
    for dtype in ("O", "V8", [("a", "i4"), ("b", "f8")], "f16", "c32"):
        assert str(np.dtype(dtype)) in tensors.reason_against(np.dtype(dtype))
    for dtype in typed.DTYPES:
        assert tensors.reason_against(np.dtype(dtype)) is None


@pytest.mark.parametrize("change", [
    {"shape": [3, -1]}, {"shape": [1 << 41]}, {"shape": 3}, {"axes": [0]}, {"axes": [2]},
    {"axes": [1, 1]}, {"dtype": "|O"}, {"dtype": "<f16"}, {"dtype": "nonsense"}, {"lead": 3},
    {"lead": 0}, {"axes": [True]},
])  # fmt: skip
def test_a_tensor_that_makes_no_sense_is_damage(change):
    described = {"name": "c", "dtype": "<i4", "shape": [3, 2], "axes": [1]}
    assert tensors.Tensor.from_json(described).columns == 2
    with pytest.raises(ArchiveError):
        tensors.Tensor.from_json(described | change)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i4", "i8", "u8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(500,), (100, 5), (10, 5, 10)])
def test_bounds_of_arrays_hold_by_column(dtype, shape):
    rng = np.random.default_rng(0)
    raw = np.frombuffer(rng.bytes(500 * np.dtype(dtype).itemsize), dtype)
    array = (raw if raw.dtype.kind != "f" else rng.normal(0, 50, 500).astype(dtype)).reshape(shape)
    plain = tensors.Tensor("c", array.dtype.str, array.shape)
    bounds = [
        (high - low) / 100 * (1 + place)
        for place, (low, high) in enumerate(tensors.ends(plain, array))
    ]
    restored, tensor, _ = stored_array(array, bound=bounds)
    assert len(bounds) == tensor.bounds == (shape[1] if len(shape) == 2 else 1)
    before = array.reshape(-1, tensor.bounds)
    after = restored.reshape(-1, tensor.bounds)
    for place, bound in enumerate(bounds):
        pairs = zip(before[:, place].tolist(), after[:, place].tolist(), strict=True)
        assert 0 < max(abs(Fraction(x) - Fraction(y)) for x, y in pairs) <= bound


def test_best_is_never_above_the_default_on_arrays_either(tmp_path):
    """A field as of a flow: more contexts learn more slowly, and were kept for all that."""
    rng = np.random.default_rng(1)
    frequency = np.fft.fftfreq(24)
    squares = frequency[:, None, None] ** 2 + frequency[:, None] ** 2 + frequency**2
    squares[0, 0, 0] = np.inf  # no mean
    noise = np.fft.fftn(rng.normal(size=(24, 24, 24)))
    field = np.fft.ifftn(noise * squares ** (-11 / 12)).real
    source = tmp_path / "field.npy"
    np.save(source, ((field - field.mean()) / field.std()).astype(np.float32))
    sizes = []
    for effort in (planning.BEST, planning.DEFAULT):
        archive = tmp_path / "field.aez"
        options = CompressOptions(effort=effort, force=True)
        sizes.append(operations.compress(source, archive, None, options)["archive_bytes"])
    assert sizes[0] <= sizes[1]
