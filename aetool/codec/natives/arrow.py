"""A class for each kind of Arrow column: values to whole numbers and blobs, and back.

Which class codes a column is told by its type alone, and columns are known by their place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from aetool.codec.columns import Coded, Decoded, whole_column
from aetool.codec.limits import check_text
from aetool.codec.metas import IntegerMeta, Meta, WholeMeta
from aetool.codec.natives import cells, numbers
from aetool.codec.natives.bounding import Floats, Grid, Integers, Mask, distances, within
from aetool.codec.natives.buffers import (
    array_from,
    bits_of,
    buffer_of,
    bytes_of,
    gaps_of,
    same_values,
)
from aetool.codec.natives.dictionaries import Dictionaries
from aetool.codec.natives.numbers import integer_meta
from aetool.errors import ArchiveError

if TYPE_CHECKING:
    import pyarrow as pa

Int64 = npt.NDArray[np.int64]
Stored = np.dtype[np.integer[Any]]
Bound = Fraction | None
Columns = Iterator[Decoded]
Metas = Sequence[Meta]
Ends = tuple[Fraction, Fraction]
Value = TypeVar("Value", bound=np.generic)


class ColumnKind:
    """How the columns of one Arrow type are encoded, decoded and compared; a subclass for each sort
    of type. kind: the type; place: of the column in its table, from 0; dictionaries: of all
    columns. numeric: whether an error bound may be set, as integers, decimals and floats may
    have."""

    numeric = False  # whether --max-error applies

    def __init__(
        self,
        kind: pa.DataType,
        place: int,
        dictionaries: Dictionaries,
    ) -> None:
        self.kind = kind
        self.place = place
        self.dictionaries = dictionaries

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode an array of the type as columns of a block, mostly one. bound: the largest error
        of a value, in the column's unit; None: exact; kinds that are not numeric do not look at it.
        For subclasses to define."""
        raise NotImplementedError

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` values, decoded from the next of a block's columns; as many are taken
        from the iterator as `encode` returned. ArchiveError where they are damaged, or of another
        kind; StopIteration where there are too few. For subclasses to define."""
        raise NotImplementedError

    def width(self, metas: Metas) -> int:
        """How many columns of a block this column takes. metas: of the block's columns from its
        first one on; not empty. By default 1."""
        return 1

    def ends(self, array: pa.Array) -> Ends | None:
        """Find the range of an array: (smallest, largest) finite value, as exact fractions in the
        column's unit; None if it has none, or is not of numbers. By default None."""
        return None

    def agree(
        self,
        source: pa.Array,
        restored: pa.Array,
        bound: Bound,
    ) -> bool:
        """Whether the restored array has the source's values and gaps, bit for bit. bound: in the
        column's unit, by how much values may differ; None: bit for bit. By default it is not
        used."""
        return same_values(source, restored)


class Nothing(ColumnKind):
    """Arrow's null type: every value is missing, and no column of a block is needed."""

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode an array of nulls: [], as it needs no column of a block. array, bound: not
        used."""
        return []

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """An array of `rows` nulls; no column is taken."""
        import pyarrow as pa

        return pa.nulls(rows)

    def width(self, metas: Metas) -> int:
        """How many columns of a block a column of nulls takes: 0."""
        return 0


class Booleans(ColumnKind):
    """Arrow's bool, stored as one column of whole numbers 0 and 1, always exactly."""

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode an array of bools, with its gaps, as one column of whole numbers, 0 and 1. bound:
        not used."""
        values = bits_of(array).astype(np.int64)
        gaps = gaps_of(array)
        coded = numbers.encode_integers(values, gaps)
        return [coded]

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` bools, with gaps, of the next column; ArchiveError for any number but
        0 and 1."""
        column = next(columns)
        values, gaps = numbers.decode_integers(column, 0, 1)
        bits = values.astype(np.uint8)
        # Arrow has the first value in the lowest bit
        packed = np.packbits(bits, bitorder="little")
        return array_from(self.kind, rows, gaps, packed)


class WholeNumbers(ColumnKind):
    """Integers, and what Arrow stores as integers: dates, times, moments, durations, decimals of up
    to 64 bits.

    stored: the dtype of Arrow's buffer; scale: value = stored number / 10^scale, 0 for all but
    decimals. low, high: the range of stored numbers; first, last: the range within which a bound
    may move them; all ends included.
    """

    def __init__(
        self,
        kind: pa.DataType,
        place: int,
        dictionaries: Dictionaries,
    ) -> None:
        from pyarrow import types

        super().__init__(kind, place, dictionaries)
        is_integer = types.is_integer(kind)
        self.numeric = is_integer or types.is_decimal(kind)
        self.scale = int(getattr(kind, "scale", 0))
        self.stored = self._dtype_of_buffer()
        limits = np.iinfo(self.stored)
        self.low = int(limits.min)
        self.high = int(limits.max)
        # a value that a bound moves must stay one of its type: a decimal of no more digits
        self.first = self.low
        self.last = self.high
        if hasattr(kind, "precision"):
            largest = 10**kind.precision - 1
            self.last = min(largest, self.high)
            self.first = -self.last

    def _dtype_of_buffer(self) -> Stored:
        """The dtype of the numbers in Arrow's buffer, which is little-endian: integers of the
        type's width."""
        from pyarrow import types

        is_unsigned = types.is_unsigned_integer(self.kind)
        sign = "u" if is_unsigned else "i"
        width = self.kind.bit_width // 8
        return np.dtype(f"<{sign}{width}")

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode an array as one column of whole numbers. bound: the largest error, in the column's
        unit, None for exact. ArchiveError for a bound that could not be kept."""
        values = buffer_of(array, self.stored)
        widened = self._widened(values)
        coded = self._encode_stored(widened, gaps_of(array), bound)
        return [coded]

    def _widened(self, values: Integers) -> Integers:
        """Convert numbers, (n,), to 64 bits: int64, or uint64 if the type's numbers go beyond
        int64."""
        # only uint64 does
        if self.high >= 1 << 63:
            return values.astype(np.uint64)
        return values.astype(np.int64)

    def _encode_stored(
        self,
        values: Integers,
        gaps: Mask | None,
        bound: Bound,
    ) -> Coded:
        """Encode stored numbers, (n,) int64 or uint64; the errors that a bound caused are noted in
        the column's unit. gaps: (n,) bool, which are missing, or None; bound: the largest error, in
        the column's unit, None for exact. The bound is passed over, and all are stored exactly, if
        one of the numbers as given has more digits than its decimal type allows; ArchiveError for
        any other bound that could not be kept."""
        unit = Fraction(10) ** self.scale
        grid = None
        # a number beyond its type's digits would be moved to one within
        if bound is not None and self._are_valid(values, gaps):
            allowed = bound * unit
            grid = Grid.of(allowed, self.first, self.last)
        coded = numbers.encode_integers(values, gaps, grid)
        # measured in stored numbers: an error in the column's unit is that part of it
        scale = float(unit)
        coded.error /= scale
        coded.square /= scale**2
        return coded

    def _are_valid(self, values: Integers, gaps: Mask | None) -> bool:
        """Whether all values, (n,), outside of gaps have at most the digits that their decimal type
        allows, which Arrow does not check. True for types other than decimals. gaps: (n,) bool, or
        None without gaps."""
        present = _present(gaps, values)
        if not len(present):
            return True
        smallest = int(present.min())
        largest = int(present.max())
        return self.first <= smallest and largest <= self.last

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` values, with gaps, of the next column; ArchiveError for a number that
        the type has not."""
        values, gaps = self._decode_stored(next(columns))
        stored = values.astype(self.stored)
        return array_from(self.kind, rows, gaps, stored)

    def _decode_stored(self, column: Decoded) -> tuple[Integers, Mask | None]:
        """Decode a column as numbers of Arrow's buffer: ((n,) int64 or uint64, 0 in gaps; (n,)
        bool, which are gaps, or None without gaps). ArchiveError for a number that its type has
        not."""
        meta = column.meta
        # only values that were moved within a bound keep to the digits of their type
        if isinstance(meta, IntegerMeta) and meta.allowed > 0:
            return numbers.decode_integers(column, self.first, self.last)
        return numbers.decode_integers(column, self.low, self.high)

    def ends(self, array: pa.Array) -> Ends | None:
        """Find the range of an array: (smallest, largest) value outside of gaps, as exact fractions
        in the column's unit; None without values."""
        values = buffer_of(array, self.stored)
        present = _present(gaps_of(array), values)
        return self._range_of(present)

    def agree(
        self,
        source: pa.Array,
        restored: pa.Array,
        bound: Bound,
    ) -> bool:
        """Whether the restored array has the source's gaps, and its values outside of these, off by
        at most the bound. bound: in the column's unit; None: bit for bit."""
        if bound is None or same_values(source, restored):
            return same_values(source, restored)
        if not _same_gaps(source, restored):
            return False
        # what stands in gaps is lost, and may differ
        gaps = gaps_of(source)
        before = _present(gaps, buffer_of(source, self.stored))
        after = _present(gaps, buffer_of(restored, self.stored))
        return self._are_near(
            self._widened(before),
            self._widened(after),
            bound,
        )

    def _are_near(
        self,
        before: Integers,
        after: Integers,
        bound: Fraction,
    ) -> bool:
        """Whether stored numbers, `before`, differ from others, `after`, (n,) int64 or uint64 both,
        by at most the bound, which is in the column's unit."""
        differences = distances(before, after)
        largest = int(differences.max(initial=0))
        # in stored numbers, as the distances are
        allowed = bound * Fraction(10) ** self.scale
        return largest <= allowed

    def _range_of(self, values: Integers) -> Ends | None:
        """The range of stored numbers, (n,): (smallest, largest), as exact fractions in the
        column's unit; None if there are none."""
        if not len(values):
            return None
        unit = Fraction(10) ** self.scale
        smallest = int(values.min())
        largest = int(values.max())
        return smallest / unit, largest / unit


class WideDecimals(WholeNumbers):
    """Decimals of 128 or 256 bits. If all values of a batch fit 64 bits they are stored as whole
    numbers, within a bound if there is one; else as limbs (parts of 64 bits), a column of the block
    for each, the lowest first, always exactly."""

    @property
    def limbs(self) -> int:
        """How many limbs, numbers of 64 bits, a value of the type has: 2 or 4."""
        width: int = self.kind.bit_width
        return width // 64

    def _dtype_of_buffer(self) -> Stored:
        """The dtype of stored numbers where all values fit one limb: int64, little-endian."""
        # where one limb is enough
        return np.dtype("<i8")

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode an array as one column, within the bound (in the column's unit, None for exact),
        if all values outside of gaps fit 64 bits, a signed number; else as a column for each limb
        (64 bits of each value) that is needed, the lowest first, exactly. ArchiveError for a bound
        that could not be kept."""
        limbs, gaps = self._limbs(array)
        count = _limbs_needed(limbs)
        lowest = limbs[:, 0].copy()
        if count == 1:
            return [self._encode_stored(lowest, gaps, bound)]
        first = numbers.encode_integers(lowest, gaps)
        meta = integer_meta(first.meta)
        first.meta = dataclasses.replace(meta, limbs=count)
        coded = [first]
        for place in range(1, count):
            # the column of the first limb has the gaps; in the others 0 stands there
            limb = limbs[:, place].copy()
            coded.append(whole_column(limb))
        return coded

    def _limbs(self, array: pa.Array) -> tuple[Int64, Mask | None]:
        """Take the values of an array apart into limbs, 64 bits each: ((n, limbs) int64, a copy,
        the lowest limb first, 0 in gaps; (n,) bool, which are gaps, or None without gaps)."""
        gaps = gaps_of(array)
        size = 8 * self.limbs
        # an array may be a part of its buffer
        first = array.offset * size
        last = first + len(array) * size
        buffer = array.buffers()[1]
        raw = bytes_of(buffer)[first:last]
        shared_limbs = raw.view("<i8").reshape(-1, self.limbs)
        # Arrow's buffer is not written to
        limbs = shared_limbs.copy()
        if gaps is not None:
            limbs[gaps] = 0
        return limbs, gaps

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` decimals, with gaps, of the next columns, one for each limb (64 bits
        of a value, lowest first), as many as the first one's meta says; ArchiveError for more limbs
        than the type has, or columns of anything else."""
        column = next(columns)
        count = integer_meta(column.meta).limbs
        if count > self.limbs:
            raise ArchiveError("damaged: a decimal of more limbs than its type has")
        limbs = np.empty((rows, self.limbs), "<i8")
        limbs[:, 0], gaps = self._decode_stored(column)
        for place in range(1, count):
            limbs[:, place] = whole_of(next(columns))
        # the limbs that were left out repeat the sign of the highest that was stored
        sign = limbs[:, count - 1] >> 63
        limbs[:, count:] = sign[:, None]
        return array_from(self.kind, rows, gaps, limbs)

    def width(self, metas: Metas) -> int:
        """How many limbs are stored, a column for each, by the meta of the first; 1 if that is not
        of whole numbers, as in a damaged block."""
        if isinstance(metas[0], IntegerMeta):
            return metas[0].limbs
        return 1

    def agree(
        self,
        source: pa.Array,
        restored: pa.Array,
        bound: Bound,
    ) -> bool:
        """Whether the restored array has the source's gaps and values; if all of both fit 64 bits
        they may be off by at most the bound. bound: in the column's unit; None: bit for bit."""
        if bound is None or same_values(source, restored):
            return same_values(source, restored)
        before, _ = self._limbs(source)
        after, _ = self._limbs(restored)
        if not _same_gaps(source, restored):
            return False
        # what takes several limbs is stored exactly
        if _limbs_needed(before) > 1 or _limbs_needed(after) > 1:
            return False
        return self._are_near(before[:, 0], after[:, 0], bound)

    def ends(self, array: pa.Array) -> Ends | None:
        """Find the range of an array: (smallest, largest) value outside of gaps, as exact fractions
        in the column's unit: the decimals themselves, 1.25 as 5/4; None without values."""
        limbs, gaps = self._limbs(array)
        present = _present(gaps, limbs)
        if _limbs_needed(present) == 1:
            return self._range_of(present[:, 0])
        unit = Fraction(10) ** self.scale
        # rare, and Python's own integers have no end
        values = []
        for limbs_of_value in present:
            raw = limbs_of_value.tobytes()
            values.append(int.from_bytes(raw, "little", signed=True))
        smallest = min(values)
        largest = max(values)
        return smallest / unit, largest / unit


def _limbs_needed(limbs: Int64) -> int:
    """How many of the limbs, (n, limbs) int64, lowest first, must be stored: higher ones that in
    every row only repeat the sign of the limb below can be left out. At least 1, which is also that
    of no rows."""
    count: int = limbs.shape[1]
    while count > 1:
        highest = limbs[:, count - 1]
        below = limbs[:, count - 2]
        # its sign, shifted over all bits: 0, or -1 of a negative number
        sign = below >> 63
        if (highest != sign).any():
            break
        count -= 1
    return count


class FloatNumbers(ColumnKind):
    """Arrow's float16, float32 and float64: bit for bit, or within a bound."""

    numeric = True

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode floats, with their gaps, as one column, bit for bit, or within the bound, the
        largest error, where that saves bytes; None: exact."""
        values = self._values(array)
        gaps = gaps_of(array)
        return [numbers.encode_floats(values, gaps, bound)]

    def _values(self, array: pa.Array) -> Floats:
        """The floats of an array, (n,), of the width of its type, as a view; any may stand in
        gaps."""
        size = self.kind.bit_width // 8
        return buffer_of(array, np.dtype(f"<f{size}"))

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` floats, with gaps, of the next column; ArchiveError for a column of
        anything else."""
        column = next(columns)
        width = self.kind.bit_width
        values, gaps = numbers.decode_floats(column, width)
        return array_from(self.kind, rows, gaps, values)

    def agree(
        self,
        source: pa.Array,
        restored: pa.Array,
        bound: Bound,
    ) -> bool:
        """Whether the restored array has the source's type, gaps, and floats outside of these, the
        same bits or off by at most the bound. bound: in the column's unit; None: bit for bit."""
        if bound is None or same_values(source, restored):
            return same_values(source, restored)
        if source.type != restored.type or not _same_gaps(source, restored):
            return False
        before = self._values(source)
        after = self._values(restored)
        # NaN equals nothing, not itself either: bits are compared
        as_bits = np.dtype(f"<i{before.dtype.itemsize}")
        same = before.view(as_bits) == after.view(as_bits)
        gaps = gaps_of(source)
        if gaps is not None:
            same |= gaps
        near = within(before, after, bound)
        return bool((same | near).all())

    def ends(self, array: pa.Array) -> Ends | None:
        """Find the range of an array: (smallest, largest) finite float outside of gaps, as exact
        fractions; None if there is none."""
        values = self._values(array)
        gaps = gaps_of(array)
        finite = np.isfinite(values)
        if gaps is not None:
            finite &= ~gaps
        # NaN and gaps alone have no range
        if not finite.any():
            return None
        present = values[finite].astype(np.float64)
        smallest = float(present.min())
        largest = float(present.max())
        return Fraction(smallest), Fraction(largest)


class Strings(ColumnKind):
    """A column of Arrow's text or bytes: of any length, of one length, or as views.

    fixed: the length in bytes of every value; None if it may differ. utf8: whether values are text.
    laid_out: the type in which values are read, which has no views; offsets: the dtype of its
    buffer of ends.
    """

    def __init__(
        self,
        kind: pa.DataType,
        place: int,
        dictionaries: Dictionaries,
    ) -> None:
        import pyarrow as pa
        from pyarrow import types

        super().__init__(kind, place, dictionaries)
        self.fixed = None
        if types.is_fixed_size_binary(kind):
            self.fixed = kind.byte_width
        texts = (pa.string(), pa.large_string(), pa.string_view())
        self.utf8 = kind in texts
        # views point into several buffers: large types, whose ends have 64 bits, hold all of them
        self.laid_out = kind
        if kind == pa.string_view():
            self.laid_out = pa.large_string()
        if kind == pa.binary_view():
            self.laid_out = pa.large_binary()
        large_kinds = (pa.large_string(), pa.large_binary())
        is_large = self.laid_out in large_kinds
        self.offsets = np.dtype("<i8" if is_large else "<i4")

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode text or bytes as one column of cells, always exactly. ArchiveError if they are
        more bytes than a block may have."""
        gaps = gaps_of(array)
        if array.type != self.laid_out:
            array = array.cast(self.laid_out)
        # the last buffer has the bytes; where lengths differ another, of ends, is before it
        buffers = array.buffers()
        data = bytes_of(buffers[-1])
        places = self._ends_of_cells(array)
        start = places[:-1]
        stop = places[1:]
        coded = cells.encode_cells(data, start, stop, gaps, self.utf8)
        return [coded]

    def _ends_of_cells(self, array: pa.Array) -> Int64:
        """Where each value begins in the buffer of bytes, and where the last one ends: (n + 1,)
        int64. array: of the type `laid_out`."""
        if self.fixed is not None:
            first = array.offset
            last = first + len(array)
            places = np.arange(first, last + 1, dtype=np.int64)
            return places * np.int64(self.fixed)
        buffer = array.buffers()[1]
        # an array without values may have none
        if buffer is None:
            return np.zeros(1, np.int64)
        first = array.offset * self.offsets.itemsize
        count = len(array) + 1
        ends = np.frombuffer(buffer, self.offsets, count, first)
        return ends.astype(np.int64)

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` texts or bytes, with gaps, of the next column; ArchiveError for cells
        of another length than the type's, pyarrow's ArrowInvalid for text that is not UTF-8."""
        cell_column = cells.decode_cells(next(columns))
        gaps = cell_column.gaps
        if self.fixed is not None:
            padded = self._padded(cell_column)
            return array_from(self.kind, rows, gaps, padded)
        offsets = np.zeros(rows + 1, self.offsets)
        offsets[1:] = cell_column.ends
        text = cell_column.bytes
        array = array_from(self.laid_out, rows, gaps, offsets, text)
        if self.utf8:
            # Arrow trusts its buffers: bytes that are no text would be found out much later
            array.validate(full=True)
        if self.kind == self.laid_out:
            return array
        # views are made of what was laid out without them
        return array.cast(self.kind)

    def _padded(self, cell_column: cells.CellColumn) -> npt.NDArray[np.uint8]:
        """The bytes of values of one length, uint8, one behind the other, zeros in gaps: (n *
        length,), or (n, length) if there are gaps; ArchiveError if one has another length, or they
        are more bytes than a block may have. Only for types of one length."""
        lengths = cell_column.lengths()
        width = self.fixed or 0
        gaps = cell_column.gaps
        if gaps is not None:
            lengths = lengths[~gaps]
        if (lengths != width).any():
            raise ArchiveError("damaged: bytes have not the length of their type")
        if gaps is None:
            return cell_column.bytes
        # before memory is taken for as many rows as the archive claims
        check_text(len(gaps) * width)
        padded = np.zeros((len(gaps), width), np.uint8)
        padded[~gaps] = cell_column.bytes.reshape(len(lengths), width)
        return padded


class Indices(WholeNumbers):
    """Arrow's dictionary type: indices into a dictionary, which is stored once, before all blocks;
    the column's meta says which of the column's dictionaries it is."""

    def _dtype_of_buffer(self) -> Stored:
        """The dtype of the indices, little-endian."""
        # of the indices, not of what the dictionary holds
        plain = self.kind.index_type.to_pandas_dtype()
        index: Stored = np.dtype(plain)
        return index.newbyteorder("<")

    def encode(self, array: pa.Array, bound: Bound) -> list[Coded]:
        """Encode the indices as one column, always exactly. ArchiveError for a dictionary that is
        not among the known ones."""
        (coded,) = super().encode(array.indices, None)
        number = self.dictionaries.number(self.place, array.dictionary)
        meta = integer_meta(coded.meta)
        coded.meta = dataclasses.replace(meta, dictionary=number)
        return [coded]

    def decode(self, columns: Columns, rows: int) -> pa.Array:
        """The array of `rows` indices, with gaps, of the next column, and its dictionary;
        ArchiveError for a dictionary that is not there, or an index beyond it."""
        import pyarrow as pa

        column = next(columns)
        number = integer_meta(column.meta).dictionary
        # a column may have had another dictionary in each of its batches
        of_column = self.dictionaries.of.get(self.place, [])
        if number is None or number >= len(of_column):
            raise ArchiveError("damaged: a block refers to a dictionary that is not there")
        dictionary = of_column[number]
        values, gaps = self._decode_stored(column)
        # in gaps stands 0, which an empty dictionary has not
        count = max(1, len(dictionary))
        beyond = (values < 0) | (values >= count)
        if beyond.any():
            raise ArchiveError("damaged: a column points beyond its dictionary")
        stored = values.astype(self.stored)
        indices = array_from(self.kind.index_type, rows, gaps, stored)
        # not safe: the indices were checked just now
        return pa.DictionaryArray.from_arrays(
            indices,
            dictionary,
            ordered=self.kind.ordered,
            safe=False,
        )


def kind_of(
    kind: pa.DataType,
    place: int,
    dictionaries: Dictionaries,
) -> ColumnKind:
    """The object that encodes and decodes columns of an Arrow type, by its class. kind: a type that
    schemas.type_to_json has JSON for; place: of the column in its table, from 0; dictionaries: of
    all columns."""
    make = _class_of(kind)
    return make(kind, place, dictionaries)


def _class_of(kind: pa.DataType) -> type[ColumnKind]:
    """The class that encodes and decodes columns of an Arrow type: Nothing for null, Booleans,
    Indices for dictionaries, FloatNumbers, WideDecimals for decimals above 64 bits. WholeNumbers
    for narrower decimals, integers, dates, times, moments and durations; Strings for all others,
    which are not checked."""
    from pyarrow import types

    if types.is_null(kind):
        return Nothing
    if types.is_boolean(kind):
        return Booleans
    if types.is_dictionary(kind):
        return Indices
    if types.is_floating(kind):
        return FloatNumbers
    # those of up to 64 bits are stored as integers are
    if types.is_decimal(kind):
        return WideDecimals if kind.bit_width > 64 else WholeNumbers
    if types.is_integer(kind) or types.is_temporal(kind):
        return WholeNumbers
    return Strings


def _present(gaps: Mask | None, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
    """The values, (n, ...), that are not missing, in order. gaps: (n,) bool, or None if none is
    missing."""
    if gaps is None:
        return values
    return values[~gaps]


def _same_gaps(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays have the same length, and missing values in the same places."""
    if len(one) != len(other):
        return False
    gaps = one.is_null()
    other_gaps = other.is_null()
    return bool(gaps.equals(other_gaps))


def whole_of(column: Decoded) -> Int64:
    """The values of a column of whole numbers, one for each row: (rows,) int64; ArchiveError if it
    is no such column."""
    if not isinstance(column.meta, WholeMeta):
        raise ArchiveError("damaged: a part of a number is not stored as such")
    return column.values
