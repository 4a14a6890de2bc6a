"""Arrow arrays of every type we carry, in the cases that break converters: for several tests."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

INDEX_TYPES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint32(), pa.int32(), pa.int64()]
TYPES = [
    pa.null(), pa.bool_(),
    pa.int8(), pa.int16(), pa.int32(), pa.int64(),
    pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float16(), pa.float32(), pa.float64(),
    pa.decimal32(7, 2), pa.decimal64(18, -3), pa.decimal128(38, 10), pa.decimal256(76, 0),
    pa.date32(), pa.date64(),
    pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"),
    *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    pa.timestamp("ms", "UTC"), pa.timestamp("us", "+05:30"), pa.timestamp("ns", "Europe/Berlin"),
    *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
    pa.string(), pa.large_string(), pa.string_view(),
    pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(0), pa.binary(16),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.string(), ordered=True),
    pa.dictionary(pa.uint16(), pa.int64()),
    pa.dictionary(pa.int64(), pa.float64()),
    pa.dictionary(pa.int16(), pa.timestamp("ns", "UTC")),
    pa.dictionary(pa.int16(), pa.decimal128(20, 2)),
]  # fmt: skip
CASES = ("plain", "gaps", "all gaps", "none", "NaN", "extremes", "empty", "sliced", "chunked")
WORDS = ["", "a", "é", "\U0001f600", "1.50", "2020-02-29", "NULL", "\0\0", "a\nb", '"', "x" * 300]


def floats(kind: pa.DataType) -> bool:
    """Whether NaN is a value of this type, or of a dictionary's values."""
    return pa.types.is_floating(kind.value_type if pa.types.is_dictionary(kind) else kind)


def array_of(kind: pa.DataType, case: str, rng: np.random.Generator, rows: int = 60) -> pa.Array:
    """Make an array (for "chunked" a chunked one) of a type, filled as the case says."""
    if case == "chunked" and pa.types.is_dictionary(kind):
        whole = array_of(kind, "gaps", rng, rows)  # a file has one dictionary for all
        return pa.chunked_array([whole[:3], whole[3:3], whole[3:]])
    if case == "chunked":
        parts = [array_of(kind, "gaps", rng, n) for n in (3, 0, rows)]
        return pa.chunked_array(parts, kind)
    if case == "sliced":
        return array_of(kind, "gaps", rng, rows + 20)[7 : 7 + rows]
    rows = 0 if case == "empty" else rows
    gaps = np.zeros(rows, bool)
    if case == "gaps":
        gaps = rng.random(rows) < 0.3
    if case == "all gaps":
        gaps[:] = True
    if pa.types.is_null(kind):
        return pa.nulls(rows)
    if pa.types.is_dictionary(kind):
        return _dictionary(kind, case, rng, rows, gaps)
    return with_gaps(_values(kind, case, rng, rows), gaps)


def with_gaps(array: pa.Array, gaps: np.ndarray) -> pa.Array:
    """The same array with gaps; the values under them stay."""
    buffers = array.buffers()
    buffers[0] = pa.py_buffer(np.packbits(~gaps, bitorder="little"))
    return pa.Array.from_buffers(array.type, len(array), buffers)


def _dictionary(kind, case, rng, rows, gaps):
    size = 7 if rows else 0
    nulls = np.arange(size) == (3 if case == "gaps" else -1)  # a gap among the values themselves
    values = with_gaps(_values(kind.value_type, case, rng, size), nulls)
    limit = size - 2 if case == "sliced" else size  # levels that are not used
    indices = rng.integers(0, max(limit, 1), rows).astype(kind.index_type.to_pandas_dtype())
    indices = with_gaps(pa.array(indices, kind.index_type), gaps)
    return pa.DictionaryArray.from_arrays(indices, values, ordered=kind.ordered)


def _values(kind: pa.DataType, case: str, rng: np.random.Generator, rows: int) -> pa.Array:
    if pa.types.is_boolean(kind):
        return pa.array(rng.random(rows) < 0.5)
    if kind in (pa.string(), pa.large_string(), pa.string_view()):
        return pa.array([WORDS[i] for i in rng.integers(0, len(WORDS), rows)], kind)
    if kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        most = 200 if case == "extremes" else 3
        return pa.array([rng.bytes(rng.integers(0, most)) for _ in range(rows)], kind)
    width = kind.byte_width if pa.types.is_fixed_size_binary(kind) else kind.bit_width // 8
    if pa.types.is_floating(kind):
        raw = _floats(np.dtype(f"f{width}"), case, rng, rows).tobytes()
    elif pa.types.is_integer(kind) and case != "extremes":
        raw = rng.integers(0, 100, rows).astype(kind.to_pandas_dtype()).tobytes()
    elif pa.types.is_integer(kind):
        limits = np.iinfo(kind.to_pandas_dtype())
        ends = np.array(
            [limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max], limits.dtype
        )
        raw = rng.choice(ends, rows).tobytes()
    elif pa.types.is_time(kind):
        day = 86400 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        raw = rng.choice([0, 1, day // 3, day - 1], rows).astype(f"i{width}").tobytes()
    elif kind == pa.date64():
        raw = (86_400_000 * rng.integers(-99999, 99999, rows)).astype("i8").tobytes()
    elif pa.types.is_decimal(kind):
        most = 10**kind.precision - 1 if case == "extremes" else min(10**6, 10**kind.precision - 1)
        choice = [0, 1, -1, most, -most, most // 3]
        picked = [choice[i] for i in rng.integers(0, len(choice), rows)]
        raw = b"".join(v.to_bytes(width, "little", signed=True) for v in picked)
    elif case == "extremes" or pa.types.is_fixed_size_binary(kind):
        raw = rng.bytes(width * rows)
    else:
        raw = (rng.integers(-(10**4), 10**4, rows) * 1000).astype(f"i{width}").tobytes()
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(raw)])


def _floats(dtype, case, rng, rows):
    values = rng.normal(0, 100, rows).astype(dtype)
    limits = np.finfo(dtype)
    odd = [0.0, -0.0, np.inf, -np.inf, limits.max, -limits.max, limits.smallest_subnormal, 0.1]
    if case == "NaN":
        whole = np.dtype(f"u{dtype.itemsize}")
        nan = np.array(np.nan, dtype).view(whole)
        sign = whole.type(1 << (8 * dtype.itemsize - 1))
        # the usual one, one of the other sign, one of another payload, and a signalling one
        payloads = np.array(
            [nan, nan | sign, nan | whole.type(1), nan ^ (nan & -nan) | whole.type(1)]
        )
        some = rng.random(rows) < 0.4
        values[some] = rng.choice(payloads.astype(whole), int(some.sum())).view(dtype)
    if case == "extremes":
        values = rng.choice(np.array(odd, dtype), rows)
    if case == "none":
        values = np.round(values, 1)
    return values


DTYPES = [
    "?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16",
    "M8[ns]", "M8[D]", "M8[25s]", "M8", "m8[us]", "m8", "S5", "S0", "U4", "U0",
]  # fmt: skip
LAYOUTS = ("C", "Fortran", "big-endian", "0-d", "1-d", "3-d", "4-d", "empty")
SHAPES = {"0-d": (), "1-d": (40,), "3-d": (7, 3, 4), "4-d": (3, 2, 4, 3), "empty": (3, 0)}


def numpy_array(dtype: str, layout: str, rng: np.random.Generator) -> np.ndarray:
    """An array of a numpy type in a layout; all bits of numbers are used."""
    shape = SHAPES.get(layout, (20, 4))
    kind = np.dtype(dtype)
    count = int(np.prod(shape))
    if kind.kind == "U":
        letters = ["", "a", "é\0b", "\U0001f600", "\ud800", "1.5", "abcd"]
        flat = np.array([letters[i] for i in rng.integers(0, len(letters), count)], "U4").astype(
            kind
        )
    elif kind.itemsize:
        flat = np.frombuffer(rng.bytes(count * kind.itemsize), kind, count)
    else:
        flat = np.zeros(count, kind)
    if layout == "big-endian":
        flat = flat.astype(kind.newbyteorder(">"))
    array = flat.reshape(shape)
    return np.asfortranarray(array) if layout == "Fortran" else array
