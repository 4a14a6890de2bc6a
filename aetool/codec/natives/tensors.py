"""numpy arrays of any number of dimensions to columns of whole numbers and blobs, and back.

An array is laid out as columns in one of several ways: some of its axes tell the columns, the
others, in their order, the cells of each. (1000, 3) with axis 1 for the columns is 3 columns of
1000; pictures (n, height, width, 3) with axes 1 and 3 are 3 * height columns of n * width. Which
layout is smallest is measured. The order in memory is told by the header and costs nothing.

Of smooth fields of floats the columns hold how far each value lies from a prediction by its
neighbours, if that takes fewer bytes: see `extrapolation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from aetool.codec import blocks, limits, planning
from aetool.codec.columns import Coded, Decoded, errors_as_damage
from aetool.codec.natives import cells, extrapolation, numbers
from aetool.codec.natives.bounding import Grid, Mask, distances, within
from aetool.errors import ArchiveError
from aetool.model import Array, Int

DType = np.dtype[Any]
MOST_VALUES = 1 << 23  # in one block
MOST_BYTES = 1 << 26  # of values in one block, unless one alone is larger
MOST_ROWS = 1 << 16  # in one block of a table
MOST_COLUMNS = 4096
SAMPLED = 1 << 18  # values from which layouts are compared
# layouts are compared as blocks will be coded, but with half of the looking
QUICK = replace(planning.DEFAULT, sample=4096, second=4)
# of residuals combinations take twice the time, and save a hundredth of most; few come again
OF_RESIDUALS = replace(planning.DEFAULT, combinations=False, repeats=())
QUICK_OF_RESIDUALS = replace(QUICK, combinations=False, repeats=())
SAMPLED_COLUMNS, SAMPLED_CELLS = 8, 1 << 14  # of those, as many as are coded
STRETCHES = 64  # of cells, of which a sample of a longer column consists
LARGEST_SIDE = 1 << 40
LEAST_GAIN = 0.97  # of a sample's bytes at most must extrapolated floats take, to be stored so
LEAST_ROWS = 8  # of which floats are extrapolated before it is measured what they take
ALIKE = 64  # so many columns are of one kind: the plan of one serves its neighbours, too


@dataclass(frozen=True)
class Tensor:
    """The description of an array, without its values.

    name: within its file. dtype: as numpy spells it, byte order included ("<f8", "|S5"). shape: of
    the whole array. fortran: whether the file has the first axis innermost. axes: the axes, from 0,
    whose places become columns of a block; the places of the others become the cells of each. lead:
    how many of the first axes count as rows, between which blocks are cut. orders: of the
    polynomials by which floats are extrapolated, one for all rows of a block and one for each axis
    behind them; the columns then hold residuals; (): the floats themselves.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    fortran: bool = False
    axes: tuple[int, ...] = ()
    lead: int = 1
    orders: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many values the array has."""
        return prod(self.shape)

    @property
    def rows(self) -> int:
        """How many rows the array has: the product of its first `lead` axes; 0 if it has no
        values."""
        if not self.size:
            return 0
        leading = self.shape[: self.lead]
        return prod(leading)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row: that of all axes behind the first `lead` ones; () if there are
        none."""
        return self.shape[self.lead :]

    @property
    def columns(self) -> int:
        """How many columns the array is laid out as: the product of the sides of `axes`. In a block
        each is one column, or two if its numbers are complex."""
        sides = [self.shape[axis] for axis in self.axes]
        return prod(sides)

    @property
    def bounds(self) -> int:
        """How many error bounds may be set for the array: one for each column of an array of two
        axes, if it has 1 to MOST_COLUMNS (4,096); else a single one for all values."""
        if len(self.shape) != 2:
            return 1
        # the second axis of a table is that of its columns
        columns = self.shape[1]
        is_table = 0 < columns <= MOST_COLUMNS
        return columns if is_table else 1

    def column_names(self, alone: bool) -> list[str]:
        """The name under which each error bound is asked for, one for each of `bounds`. Of an array
        of two axes: c1, c2 ... for its columns, or x_1, x_2 ... for those of an array called x that
        is not alone (except X: c1, c2 ...). Of any other array: its own name. alone: whether the
        file has no other array."""
        if len(self.shape) != 2:
            return [self.name]
        prefix = f"{self.name}_"
        if alone or self.name == "X":
            prefix = "c"
        return [f"{prefix}{place + 1}" for place in range(self.bounds)]

    def to_json(self) -> dict[str, object]:
        """The tensor as JSON for an archive's header; "fortran", "lead" and "orders" are left out
        where they are False, 1 and ()."""
        described: dict[str, object] = {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "axes": list(self.axes),
        }
        if self.fortran:
            described["fortran"] = True
        if self.lead != 1:
            described["lead"] = self.lead
        if self.orders:
            described["orders"] = list(self.orders)
        return described

    @classmethod
    def from_json(cls, described: Mapping[str, object]) -> Tensor:
        """The tensor that `to_json` wrote; ArchiveError for anything else."""
        with errors_as_damage():
            (lead,) = _checked_naturals([described.get("lead", 1)])
            tensor = cls(
                name=str(described["name"]),
                dtype=str(described["dtype"]),
                shape=limits.shape_of(described["shape"]),
                fortran=bool(described.get("fortran", False)),
                axes=_checked_naturals(described["axes"]),
                lead=lead,
                orders=_checked_naturals(described.get("orders", [])),
            )
            tensor.check()
            return tensor

    def check(self) -> None:
        """Raise ArchiveError unless the description makes sense: as many leading axes as the shape
        allows (1 at least, of a scalar 0), `axes` in ascending order behind these, a type that can
        be stored, and no `orders`, or such as its floats can have. TypeError for a dtype that numpy
        does not know."""
        count = len(self.shape)
        least = lead_of(count)
        if not least <= self.lead <= count:
            raise ArchiveError("damaged: an array without rows")
        ascending = sorted(set(self.axes))
        if list(self.axes) != ascending:
            raise ArchiveError("damaged: an array's axes are out of order")
        # leading axes are cut between blocks, and so cannot become columns
        if self.axes:
            first = self.axes[0]
            last = self.axes[-1]
            if first < self.lead or last >= count:
                raise ArchiveError("damaged: an array's axes are not there")
        dtype = np.dtype(self.dtype)
        if reason_against(dtype):
            raise ArchiveError("damaged: an array of no type that can be stored")
        if self.orders:
            axes_of_rows = 1 + count - self.lead
            fits = len(self.orders) == axes_of_rows and lead_of(count) > 0
            if not fits or not extrapolation.allows(dtype, self.orders):
                raise ArchiveError("damaged: an array's floats are extrapolated in no known way")


def lead_of(count: int) -> int:
    """The least number of first axes that count as rows in an array of `count` axes: 1, or 0 for a
    scalar."""
    return min(1, count)


def _checked_naturals(values: object) -> tuple[int, ...]:
    """A list from JSON as whole numbers, 0 or more and below LARGEST_SIDE (2^40); ArchiveError for
    anything else."""
    if not isinstance(values, list):
        raise ArchiveError("damaged: an array's shape is not told as such")
    naturals: list[int] = []
    for value in values:
        if type(value) is not int or not 0 <= value < LARGEST_SIDE:
            raise ArchiveError("damaged: an array's shape is out of range")
        naturals.append(value)
    return tuple(naturals)


def reason_against(dtype: DType) -> str | None:
    """Why arrays of this dtype cannot be stored in their own type, in words for a message; None if
    they can."""
    if dtype.kind not in "biufcMmSU" or dtype.hasobject:
        return f"its type is {dtype}"
    # a longdouble has other bits on other processors, and undefined ones between
    sizes = {"f": (2, 4, 8), "c": (8, 16)}
    usual = sizes.get(dtype.kind)
    if usual is not None and dtype.itemsize not in usual:
        return f"its type is {dtype}, which differs between machines"
    return None


# ---- layouts


def laid_out(
    tensor: Tensor,
    array: Array,
    bounded: bool = False,
    extrapolated: bool = True,
) -> Tensor:
    """A copy of the tensor with `lead`, `axes` and `orders` chosen: the fewest leading axes whose
    rows fit into a block, and as columns the axes that take fewest bytes on a sample of the values,
    which is encoded in each way worth trying. array: the values, of the tensor's shape. bounded:
    whether columns have error bounds; a table then keeps its columns. extrapolated: whether floats
    may be stored as residuals, how far they lie from a prediction by their neighbours; done where
    these take less than LEAST_GAIN (0.97) of the bytes, never within bounds or in a table of at
    most ALIKE (64) columns. An array without values gets the first layout, unmeasured."""
    lead = lead_of(len(tensor.shape))
    most_values = values_a_block(tensor)
    # a block has whole rows: one of the first axis may be too large for it
    while prod(tensor.shape[lead:]) > most_values:
        lead += 1
    tensor = replace(tensor, lead=lead, axes=(), orders=())
    if bounded and tensor.bounds > 1:
        return replace(tensor, axes=(1,))
    layouts = [replace(tensor, axes=axes) for axes in _layouts(tensor)]
    may_extrapolate = extrapolated and not bounded and _may_extrapolate(tensor)
    if not tensor.size or (len(layouts) == 1 and not may_extrapolate):
        return layouts[0]
    rows = SAMPLED // prod(tensor.row_shape)
    rows = max(1, min(tensor.rows, rows))
    # the middle is less likely to be empty than the beginning
    first = (tensor.rows - rows) // 2
    sample = rows_of(tensor, array, first, first + rows)
    best, _ = _smallest_layout(layouts, sample, QUICK)
    if may_extrapolate:
        orders, residuals = _extrapolated_sample(tensor, array)
        # the residuals are laid out as whole numbers of as many bits
        dtype = residuals.dtype.str
        layouts_of_residuals = [replace(layout, dtype=dtype) for layout in layouts]
        smallest, size = _smallest_layout(
            layouts_of_residuals,
            residuals,
            QUICK_OF_RESIDUALS,
            spread=True,
        )
        # measured in the same places of the array, as some parts of it may be smoother than others
        size_of_floats = _bytes_a_value(best, sample, QUICK, spread=True)
        if size < LEAST_GAIN * size_of_floats:
            return replace(tensor, axes=smallest.axes, orders=orders)
    return best


def _smallest_layout(
    layouts: Sequence[Tensor],
    sample: Array,
    effort: planning.Effort,
    spread: bool = False,
) -> tuple[Tensor, float]:
    """Find the layout in which a sample takes fewest bytes: (that layout, of several as small the
    first; how many bytes a value of the sample takes in it, on average). sample: (rows,
    *row_shape); effort: how far to search; spread: whether cells from everywhere in the sample are
    encoded, not its first ones."""
    sizes = [_bytes_a_value(layout, sample, effort, spread) for layout in layouts]
    smallest = min(sizes)
    return layouts[sizes.index(smallest)], smallest


def _may_extrapolate(tensor: Tensor) -> bool:
    """Whether it may pay to store an array's floats as residuals of a prediction by their
    neighbours. False for another type than floats of 32 or 64 bits, for fewer than 2 axes, fewer
    than 4,096 values in a block, and a table of at most ALIKE (64) columns, which are of different
    kinds; also in a process whose sums are not rounded as IEEE 754 says."""
    dtype = np.dtype(tensor.dtype)
    rows_in_a_block = min(tensor.rows, rows_a_block(tensor))
    if len(tensor.shape) == 2 and tensor.shape[1] <= ALIKE:
        return False
    shape_of_block = (rows_in_a_block, *tensor.row_shape)
    return extrapolation.suits(dtype, shape_of_block) and extrapolation.adds_as_ieee_754()


def _extrapolated_sample(tensor: Tensor, array: Array) -> tuple[tuple[int, ...], Array]:
    """Choose the orders by which an array's floats are best predicted from their neighbours, on
    rows from its middle: (the orders, one for the rows and one for each axis behind; (rows,
    *row_shape) int32 or int64, the residuals that they leave of these rows). array: the values, of
    its shape. ArchiveError if this process cannot add as IEEE 754 does."""
    rows = SAMPLED // prod(tensor.row_shape)
    # a few rows at least, as values are predicted from those of the rows before, too
    rows = min(tensor.rows, max(rows, LEAST_ROWS))
    first = (tensor.rows - rows) // 2
    # rows before the sample, from which its first ones are predicted, as within a block
    before = min(first, extrapolation.MOST_ORDER)
    values = _in_native_order(rows_of(tensor, array, first - before, first + rows))
    orders = extrapolation.orders_for(values)
    residuals = extrapolation.residuals(values, orders)
    return orders, residuals[before:]


def _layouts(tensor: Tensor) -> list[tuple[int, ...]]:
    """The choices of `axes`, the axes that become columns, that are worth trying: of pictures those
    of a row's height and of its colours; all axes behind the leading ones; the last of them; none.
    Left out are those that make more than MOST_COLUMNS (4,096) columns, or columns of fewer cells
    than there are columns. A table of at most ALIKE (64) columns has one choice, its second
    axis."""
    count = len(tensor.shape)
    first = tensor.lead
    inner = tuple(range(first, count))
    # surely a table
    if first == 1 and count == 2 and tensor.shape[1] <= ALIKE:
        return [inner]
    choices = [inner, inner[-1:], ()]
    # gray pictures: a column for each row of pixels
    if first == 1 and count == 3:
        choices = [(1,), *choices]
    # pictures in colour, whose channels are the last axis
    if first == 1 and count == 4:
        choices = [(1, 3), *choices]
    fitting = []
    for axes in dict.fromkeys(choices):
        columns = prod(tensor.shape[axis] for axis in axes)
        if columns > MOST_COLUMNS:
            continue
        # many short columns take long to plan, and each has too few cells to compress well
        are_long = columns**2 <= tensor.size
        if are_long or not axes:
            fitting.append(axes)
    return fitting


def _bytes_a_value(
    tensor: Tensor,
    sample: Array,
    effort: planning.Effort,
    spread: bool = False,
) -> float:
    """Measure how many bytes a value takes in this layout, on average, by encoding a part of the
    sample, (rows, *row_shape): at most SAMPLED_COLUMNS (8) neighbouring columns from its middle,
    the first SAMPLED_CELLS (2^14) cells of each. spread: as many cells from everywhere in a column,
    of half as many columns. effort: how far to search for a small encoding."""
    columns_first = _columns_first(tensor, sample)
    flat = columns_first.reshape(tensor.columns, -1)
    # a second comparison, after that of plain layouts, is to take half of the time
    columns = SAMPLED_COLUMNS // 2 if spread else SAMPLED_COLUMNS
    columns_left_out = max(0, tensor.columns - columns)
    first = columns_left_out // 2
    last = first + columns
    column_length = flat.shape[1]
    places: Int | slice = slice(0, SAMPLED_CELLS)
    if spread and column_length > SAMPLED_CELLS:
        places = _spread_places(column_length, SAMPLED_CELLS)
    part = flat[first:last, places]
    table = part.T
    as_table = replace(
        tensor,
        shape=table.shape,
        axes=(1,),
        lead=1,
    )
    coded = encode(as_table, table)
    cells_a_column = part.shape[1]
    _, payload, _ = blocks.encode(
        coded,
        cells_a_column,
        {},
        effort,
        period=parts_of(tensor),
    )
    return len(payload) / max(1, part.size)


def _spread_places(count: int, size: int) -> Int:
    """Choose `size` of `count` cells, spread over all of them: their places from 0, (size,) int64,
    ascending. They lie in STRETCHES (64) stretches at even distances, of which the first begins
    with the first cell and the last ends with the last: values may hardly change in one part of an
    array and much in another, and are predicted worst at its edges. size: a multiple of STRETCHES,
    below count."""
    length = size // STRETCHES
    starts = np.linspace(0, count - length, STRETCHES).astype(np.int64)
    return np.add.outer(starts, np.arange(length)).reshape(-1)


def rows_of(
    tensor: Tensor,
    array: Array,
    first: int,
    last: int,
) -> Array:
    """Take rows first:last out of an array of this description: (last - first, *row_shape), in its
    own dtype; a view where no axis has to be joined. Rows are counted from 0 through all leading
    axes."""
    if tensor.lead == 1:
        return np.asarray(array[first:last])
    if tensor.lead == 0:
        scalar = np.asarray(array).reshape(1)
        return scalar[first:last]
    # several axes count as rows: whole entries of the first axis, then what is asked for of them
    rows_an_entry = prod(tensor.shape[1 : tensor.lead])
    begin = first // rows_an_entry
    # rounded up: the last rows may be a part of their entry
    end = -(-last // rows_an_entry)
    entries = np.asarray(array[begin:end])
    rows = entries.reshape(-1, *tensor.row_shape)
    rows_before = begin * rows_an_entry
    return rows[first - rows_before : last - rows_before]


def values_a_block(tensor: Tensor) -> int:
    """How many values a block has at most: MOST_VALUES (2^23), or as many as MOST_BYTES (2^26) hold
    if a value has more than 8 bytes; 1 at least."""
    dtype = np.dtype(tensor.dtype)
    # of texts of no length a value takes no bytes
    width = max(1, dtype.itemsize)
    most_values = min(MOST_VALUES, MOST_BYTES // width)
    return max(1, most_values)


def rows_a_block(tensor: Tensor) -> int:
    """How many rows a full block has, at least 1: as many as values_a_block values fill; of an
    array of one or two axes MOST_ROWS (2^16) at most."""
    values_a_row = max(1, prod(tensor.row_shape))
    most_rows = values_a_block(tensor) // values_a_row
    if len(tensor.shape) <= 2:
        most_rows = min(most_rows, MOST_ROWS)
    return max(1, most_rows)


def cells_of(tensor: Tensor, rows: int) -> int:
    """How many cells each column has in a block of `rows` rows; 0 for rows without values."""
    values = rows * prod(tensor.row_shape)
    return values // max(1, tensor.columns)


def period_of(tensor: Tensor) -> int:
    """After how many columns of a block the next one of the same kind comes, whose streams may then
    be coded by the same plans: 1 if all are of one kind, 2 for complex numbers. 0 for an array of
    one or two axes with at most ALIKE (64) columns, each of its own kind."""
    # columns are numbered by the innermost of their axes first, such as the channels of a picture
    if len(tensor.axes) > 1:
        innermost = tensor.axes[-1]
        return tensor.shape[innermost] * parts_of(tensor)
    if len(tensor.shape) > 2 or tensor.columns > ALIKE:
        return parts_of(tensor)
    return 0


def parts_of(tensor: Tensor) -> int:
    """How many columns of a block each column of the array becomes: 2 for complex numbers, else
    1."""
    dtype = np.dtype(tensor.dtype)
    return 2 if dtype.kind == "c" else 1


# ---- values


def encode(
    tensor: Tensor,
    array: Array,
    bounds: Sequence[Fraction | None] = (None,),
) -> list[Coded]:
    """Encode rows of an array, (rows, *row_shape), in the tensor's dtype, as columns of a block:
    tensor.columns of them, or twice as many of complex numbers, the imaginary part of each column
    behind its real part. Of a tensor with `orders` the columns hold residuals, and no bound is
    allowed.

    bounds: the largest error of each column of a table, or one for all values; None for exact. Only
    integers and real floats can have one: complex numbers, bools, moments and texts are stored
    exactly. ArchiveError for texts of more bytes than a block may have, a bound that could not be
    kept, or residuals in a process that does not add as IEEE 754 says.
    """
    if tensor.orders:
        array = extrapolation.residuals(_in_native_order(array), tensor.orders)
    dtype = array.dtype
    columns_first = _columns_first(tensor, array)
    flat = columns_first.reshape(tensor.columns, -1)
    coded: list[Coded] = []
    for place, column in enumerate(flat):
        bound = bounds[place] if len(bounds) > 1 else bounds[0]
        values = _in_native_order(column)
        if dtype.kind != "c":
            coded.append(_encode_column(values, bound))
            continue
        # a complex number is its real and its imaginary part, one behind the other
        parts = values.view(f"f{dtype.itemsize // 2}")
        real = parts[0::2].copy()
        imaginary = parts[1::2].copy()
        # complex numbers are always stored exactly
        coded.append(_encode_column(real, None))
        coded.append(_encode_column(imaginary, None))
    return coded


def _columns_first(tensor: Tensor, array: Array) -> Array:
    """Rows of an array, (rows, *row_shape), as a view with the axes that become columns in front:
    (*columns, rows, *other axes)."""
    # all leading axes have become one
    shift = tensor.lead - 1
    chosen = [axis - shift for axis in tensor.axes]
    return np.moveaxis(array, chosen, range(len(chosen)))


def _in_native_order(column: Array) -> Array:
    """The values in the same shape, of a scalar (1,), contiguous and in the processor's byte order;
    no bit is lost. Without a need to change them no copy is made."""
    plain = np.ascontiguousarray(column)
    if plain.dtype.isnative:
        return plain
    swapped = plain.byteswap()
    native = plain.dtype.newbyteorder("=")
    return swapped.view(native)


def _encode_column(values: Array, bound: Fraction | None) -> Coded:
    """Encode a column, (n,), of any dtype that can be stored but a complex one, contiguous and in
    native byte order. bound: the largest error of an integer or float; None: exact, as bools,
    moments and texts always are. ArchiveError for texts of more bytes than a block may have, or a
    bound that could not be kept."""
    dtype = values.dtype
    if dtype.kind == "b":
        # a byte other than 0 and 1 comes back as it was, too
        bits = values.view(np.uint8)
        return numbers.encode_integers(bits.astype(np.int64))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        lowest = int(limits.min)
        highest = int(limits.max)
        grid = Grid.of(bound, lowest, highest)
        widened = values.astype(_dtype_of_64_bits(dtype))
        return numbers.encode_integers(widened, None, grid)
    if dtype.kind == "f":
        return numbers.encode_floats(values, None, bound)
    if dtype.kind in "Mm":
        # the dtype, which is in the header, has their unit
        ticks = values.view(np.int64)
        gaps = np.isnat(values)
        return numbers.encode_integers(ticks, gaps)
    if dtype.kind == "S":
        return _encode_bytes(values)
    return _encode_text(values)


def _dtype_of_64_bits(dtype: DType) -> type[np.uint64 | np.int64]:
    """The dtype of 64 bits that holds every integer of a dtype: uint64 for uint64, else int64."""
    if dtype == np.uint64:
        return np.uint64
    return np.int64


def _encode_bytes(values: Array) -> Coded:
    """Encode a column of fixed-width bytes, (n,), contiguous, without the zeros that fill each up.
    ArchiveError for more bytes than a block may have."""
    width = values.dtype.itemsize
    places = np.arange(len(values), dtype=np.int64)
    start = places * width
    stop = start + np.char.str_len(values)
    # a dtype of no bytes cannot be viewed as any other
    buffer = np.zeros(0, np.uint8)
    if width:
        buffer = values.view(np.uint8)
    return cells.encode_cells(buffer, start, stop, None, utf8=False)


def _encode_text(values: Array) -> Coded:
    """Encode a column of fixed-width texts, (n,), contiguous and in native byte order, as UTF-8,
    lone surrogates included, without the zeros that fill each up. ArchiveError for more bytes than
    a block may have, ValueError for a number that is no code point."""
    width = values.dtype.itemsize // 4
    length = np.char.str_len(values).astype(np.int64)
    # a dtype of no characters cannot be viewed as any other
    points = np.zeros(0, np.uint32)
    if width:
        code_points = values.view(np.uint32)
        filled_up = code_points.reshape(len(values), width)
        # those of all texts, one behind the other, without the zeros behind each
        points = filled_up[_mask_of_prefixes(length, width)]
    utf32 = points.astype("<u4").tobytes()
    text = utf32.decode("utf-32-le", "surrogatepass")
    utf8 = text.encode("utf-8", "surrogatepass")
    buffer = np.frombuffer(utf8, np.uint8)
    # UTF-8 takes 1 to 4 bytes a code point
    size = np.ones(len(points), np.int64)
    for first_of_one_more in (0x80, 0x800, 0x10000):
        size += points >= first_of_one_more
    # where each code point begins in the UTF-8, and where the last one ends
    start_of_all = np.zeros(1, np.int64)
    ends_of_points = np.cumsum(size)
    places = np.concatenate([start_of_all, ends_of_points])
    # the numbers of each text's first code point, and of that behind its last
    last = np.cumsum(length)
    first = last - length
    start = places[first]
    stop = places[last]
    return cells.encode_cells(buffer, start, stop, None, utf8=False)


@errors_as_damage()
def decode(
    tensor: Tensor,
    columns: Sequence[Decoded],
    rows: int,
) -> Array:
    """Decode the columns that `encode` returned: `rows` rows of an array, (rows, *row_shape), in
    the tensor's dtype but the processor's byte order. ArchiveError if the columns are not these,
    the rows are too large for a block, or these are residuals (tensor.orders) and this process does
    not add as IEEE 754 says."""
    dtype = np.dtype(tensor.dtype).newbyteorder("=")
    if tensor.orders:
        dtype = np.dtype(extrapolation.whole(dtype))
    parts = parts_of(tensor)
    if len(columns) != parts * tensor.columns:
        raise ArchiveError("damaged: a block has not the columns of its array")
    count = cells_of(tensor, rows)
    size = tensor.columns * count * dtype.itemsize
    limits.check_text(size)
    flat = np.empty((tensor.columns, count), dtype)
    part_type = dtype
    if parts == 2:
        part_type = np.dtype(f"f{dtype.itemsize // 2}")
    # the same memory as parts of numbers: of a complex one the real part, then the imaginary one
    flat_parts = flat.view(part_type)
    for place, column in enumerate(columns):
        array_column, part = divmod(place, parts)
        flat_parts[array_column, part::parts] = _decode_column(column, part_type)
    in_rows = _rows_first(tensor, flat, rows)
    if tensor.orders:
        return extrapolation.restore(in_rows, tensor.orders)
    return in_rows


def _rows_first(tensor: Tensor, flat: Array, rows: int) -> Array:
    """Put the axes that became columns back in their places, the inverse of `_columns_first`: the
    values of `flat`, (columns, cells), as a view, (rows, *row_shape)."""
    shift = tensor.lead - 1
    chosen = [axis - shift for axis in tensor.axes]
    shape = (rows, *tensor.row_shape)
    # the axes that became columns, then the others in their order
    columns_first = [shape[axis] for axis in chosen]
    for axis, side in enumerate(shape):
        if axis not in chosen:
            columns_first.append(side)
    unfolded = flat.reshape(columns_first)
    in_front = range(len(chosen))
    return np.moveaxis(unfolded, in_front, chosen)


def _decode_column(column: Decoded, dtype: DType) -> Array:
    """The values of a column, (n,), of this dtype, which is in native byte order and not complex,
    as `_encode_column` encoded them; ArchiveError or UnicodeDecodeError if they are not these."""
    if dtype.kind == "b":
        # a bool may be any byte in numpy
        values, _ = numbers.decode_integers(column, 0, 255)
        bits = values.astype(np.uint8)
        return bits.view(np.bool_)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        lowest = int(limits.min)
        highest = int(limits.max)
        values, _ = numbers.decode_integers(column, lowest, highest)
        return values.astype(dtype)
    if dtype.kind == "f":
        width = 8 * dtype.itemsize
        floats, _ = numbers.decode_floats(column, width)
        return floats
    if dtype.kind in "Mm":
        return decode_moments(column, dtype)
    cell_column = cells.decode_cells(column)
    if dtype.kind == "S":
        lengths = cell_column.lengths()
        return _filled_up(cell_column.bytes, lengths, dtype)
    points, length = _code_points(cell_column)
    return _filled_up(points, length, dtype)


def decode_moments(column: Decoded, dtype: DType) -> Array:
    """Decode a column of moments or durations: (n,) of this dtype, datetime64 or timedelta64 of any
    unit, which the column does not store; NaT in gaps. ArchiveError for a column of anything but
    whole numbers."""
    limits = np.iinfo(np.int64)
    lowest = int(limits.min)
    highest = int(limits.max)
    ticks, gaps = numbers.decode_integers(column, lowest, highest)
    ticks = ticks.copy()
    # numpy has the lowest number for NaT
    if gaps is not None:
        ticks[gaps] = limits.min
    return ticks.view(dtype)


def _code_points(cell_column: cells.CellColumn) -> tuple[Array, Array]:
    """Decode UTF-8 cells: (code points of all cells, one behind the other; (n,) how many each has).
    UnicodeDecodeError for bytes that are not UTF-8; lone surrogates are allowed."""
    utf8 = cell_column.bytes
    raw = utf8.tobytes()
    text = raw.decode("utf-8", "surrogatepass")
    utf32 = text.encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(utf32, "<u4")
    # a code point is counted where it begins, not at bytes 10xxxxxx
    is_first = (utf8 & 0xC0) != 0x80
    before_all = np.zeros(1, np.int64)
    counts = np.cumsum(is_first)
    points_before = np.concatenate([before_all, counts])
    ends_of_cells = points_before[cell_column.ends]
    length = np.diff(ends_of_cells, prepend=np.int64(0))
    return points, length


def _filled_up(units: Array, length: Array, dtype: DType) -> Array:
    """Fill strings up with zeros to one width: (n,) of this dtype of fixed-width strings. units:
    bytes, uint8, or code points, uint32, of all strings, one behind the other; length: (n,), how
    many each has. ArchiveError if one is wider than the dtype, or all are too large for a block."""
    # before memory is taken for what a damaged archive claims
    limits.check_text(len(length) * dtype.itemsize)
    width = dtype.itemsize // units.dtype.itemsize
    longest = int(length.max(initial=0))
    if longest > width:
        raise ArchiveError("damaged: a string is longer than its type")
    if not width:
        return np.zeros(len(length), dtype)
    shape = (len(length), width)
    padded = np.zeros(shape, units.dtype)
    padded[_mask_of_prefixes(length, width)] = units
    return padded.reshape(-1).view(dtype)


def _mask_of_prefixes(length: Array, width: int) -> Mask:
    """A mask, (n, width) bool, that is True in the first length[i] places of row i."""
    places = np.arange(width)
    return np.asarray(places < length[:, None])


def ends(tensor: Tensor, array: Array) -> list[tuple[Fraction, Fraction] | None]:
    """The ranges of an array's numbers: for each error bound that it may have, of a column or of
    all values, (smallest, largest) finite number, as exact fractions; None if there is none, or the
    type is not of integers or real floats. array: rows of it, (rows, *row_shape)."""
    dtype = np.dtype(tensor.dtype)
    if dtype.kind not in "iuf" or not array.size:
        return [None] * tensor.bounds
    # with one bound all values are one column
    columns = array.reshape(-1, tensor.bounds)
    extremes: list[tuple[Fraction, Fraction] | None] = []
    for column in columns.T:
        values = _in_native_order(column)
        if dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not len(values):
            extremes.append(None)
            continue
        smallest = Fraction(values.min().item())
        largest = Fraction(values.max().item())
        extremes.append((smallest, largest))
    return extremes


def agree(
    tensor: Tensor,
    source: Array,
    restored: Array,
    bounds: Sequence[Fraction | None],
) -> bool:
    """Whether restored rows, (rows, *row_shape), have the source's shape and values: bit for bit,
    or, of integers and real floats, within the bound of their column; a float that is not finite
    must come back bit for bit. Byte order does not matter. restored: of the source's dtype. bounds:
    one for each of tensor.bounds, None for exact."""
    if source.shape != restored.shape or all(bound is None for bound in bounds):
        return same(source, restored)
    before = source.reshape(-1, tensor.bounds)
    after = restored.reshape(-1, tensor.bounds)
    for place, bound in enumerate(bounds):
        one = _in_native_order(before[:, place])
        other = _in_native_order(after[:, place])
        if not _columns_agree(one, other, bound):
            return False
    return True


def _columns_agree(one: Array, other: Array, bound: Fraction | None) -> bool:
    """Whether two columns, in the processor's byte order, are equal bit for bit, or, if they are
    integers or real floats and there is a bound, differ by no more than that in any value."""
    if one.tobytes() == other.tobytes():
        return True
    if bound is None:
        return False
    if one.dtype.kind == "f":
        # NaN equals nothing, not itself either: bits are compared
        as_bits = f"i{one.dtype.itemsize}"
        same = one.view(as_bits) == other.view(as_bits)
        near = within(one, other, bound)
        return bool((near | same).all())
    if one.dtype.kind in "iu":
        wide = _dtype_of_64_bits(one.dtype)
        differences = distances(one.astype(wide), other.astype(wide))
        largest = int(differences.max(initial=0))
        return largest <= bound
    return False


def same(one: Array, other: Array) -> bool:
    """Whether two arrays have the same shape, the same dtype but for its byte order, and the same
    bits, so that NaN equals NaN of the same bits, and -0.0 not 0.0."""
    if one.shape != other.shape:
        return False
    dtype = one.dtype.newbyteorder("=")
    other_dtype = other.dtype.newbyteorder("=")
    if dtype != other_dtype:
        return False
    values = _in_native_order(one)
    other_values = _in_native_order(other)
    return values.tobytes() == other_values.tobytes()
