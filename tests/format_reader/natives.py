"""Contents in types of their own: Arrow tables, arrays, lines (FORMAT.md, section 7)."""

from typing import NamedTuple

import numpy as np

from tests.format_reader.columns import columns_of
from tests.format_reader.container import Block, check, varint
from tests.format_reader.streams import FULL
from tests.format_reader.text import text_cells, to_digits

INT64 = -FULL // 2, FULL // 2 - 1
UINT64 = 0, FULL - 1
TEXT = ("string", "large_string", "string_view")
BYTES = ("binary", "large_binary", "binary_view", "fixed")


def gap_cells(column):
    """Cells, None where they are missing."""
    gap, cells = column.meta.get("gap"), text_cells(column)
    return [None if gap is not None and cell == gap.encode("latin-1") else cell for cell in cells]


def whole(column, low, high):
    """Whole numbers of an `int`, None where they are missing."""
    meta = column.meta
    check(meta["k"] == "int", "whole numbers are an int")
    values = column.values.tolist()
    if "q" in meta:
        numbers = [min(max(value * (2 * meta["q"] + 1), low), high) for value in values]
    else:
        numbers = [value % FULL if low == 0 else value for value in values]
        numbers = [number * meta.get("m", 1) for number in numbers]
    present = iter(numbers)
    return [None if kind else next(present) for kind in column.kinds.tolist()]


class Floats(NamedTuple):
    values: np.ndarray
    gaps: np.ndarray

    def tolist(self):
        pairs = zip(self.values.tolist(), self.gaps.tolist(), strict=True)
        return [None if gap else value for value, gap in pairs]


def real(column, bits):
    """Floats of so many bits of a `real`."""
    meta, kinds, values = column.meta, column.kinds, column.values
    form, size = f"<f{bits // 8}", meta.get("b")
    if size:
        u = np.where(values < 0, values ^ ((1 << size - 1) - 1), values)
        numbers = u.astype(f"<i{size // 8}").view(f"<f{size // 8}")
    elif "g" in meta:
        numbers = values * float.fromhex(meta["g"])
    elif "h" in meta:
        over, times, digits = meta["h"]
        numbers = [to_digits(value * times / over, digits) for value in values.tolist()]
        numbers = np.array(numbers, float)
    else:
        step = 2 * meta["q"] + 1 if "q" in meta else 1
        numbers = values * step / float(10 ** meta["d"])
        if "o" in meta:
            numbers = numbers.astype("<f4")
    floats = np.zeros(len(kinds), form)
    floats[kinds == 0] = numbers.astype(form)
    if "n" in meta:
        floats[kinds == 1 + ("z" in meta)] = np.nan
    if "r" in meta:
        floats.view(f"<i{bits // 8}")[kinds == kinds.max()] = column.raws
    gaps = kinds == 1 if "z" in meta else np.zeros(len(kinds), bool)
    return Floats(floats, gaps)


# ---- Arrow


def dictionaries_of(data, fields):
    """{place of a field: its dictionaries}."""
    known = {}
    while data:
        place, data = varint(data)
        rows, data = varint(data)
        size, data = varint(data)
        _, columns, _ = columns_of(Block(rows, data[:8], data[8 : 8 + size]))
        values = arrow_column(fields[place]["type"][2], iter(columns), [], rows)
        known.setdefault(place, []).append(values)
        data = data[8 + size :]
    return known


def arrow_column(kind, columns, dictionaries, rows):
    """The values of a field in what Arrow stores; None where they are missing."""
    name = kind[0] if isinstance(kind, list) else kind
    if name == "null":
        return [None] * rows
    column = next(columns)
    if name.startswith("float"):
        return real(column, int(name[5:])).tolist()
    if name in TEXT:
        return [None if cell is None else cell.decode() for cell in gap_cells(column)]
    if name in BYTES:
        return gap_cells(column)
    numbers = whole(column, *(UINT64 if name.startswith("uint") else INT64))
    if name == "dictionary":
        values = dictionaries[column.meta["v"]]
        return [None if number is None else values[number] for number in numbers]
    if name == "bool":
        return [None if number is None else bool(number) for number in numbers]
    above = [next(columns).values.tolist() for _ in range(column.meta.get("l", 1) - 1)]
    if not above:
        return numbers
    return [
        None if low is None else from_limbs([low, *limbs])
        for low, *limbs in zip(numbers, *above, strict=True)
    ]


def from_limbs(limbs):
    """A number of limbs of 64 bits, of which the last has the sign."""
    number = limbs.pop()
    for limb in reversed(limbs):
        number = (number << 64) + limb % FULL
    return number


# ---- arrays


def array_rows(array, columns, rows):
    """Rows of an array from the columns of a block."""
    dtype, lead = np.dtype(array["dtype"]), array.get("lead", 1)
    shape = (rows, *array["shape"][lead:])
    axes = [axis - lead + 1 for axis in array["axes"]]
    chosen = [shape[axis] for axis in axes]
    others = [size for axis, size in enumerate(shape) if axis not in axes]
    flat = np.zeros((*chosen, *others), dtype).reshape(int(np.prod(chosen)), -1)
    if "orders" in array:
        flat = np.zeros(flat.shape, f"<i{dtype.itemsize}")
    for row in flat:
        if "orders" in array:
            bits = 8 * dtype.itemsize
            row[:] = whole(next(columns), -(1 << bits - 1), (1 << bits - 1) - 1)
        elif dtype.kind == "c":
            row.real = real(next(columns), dtype.itemsize * 4).values
            row.imag = real(next(columns), dtype.itemsize * 4).values
        else:
            row[:] = array_column(dtype, next(columns))
    values = np.moveaxis(flat.reshape(*chosen, *others), range(len(axes)), axes)
    return extrapolated(values, array["orders"]) if "orders" in array else values


def extrapolated(residuals, orders):
    """Floats of 32 or 64 bits from their residuals, int32 or int64, value by value."""
    size = residuals.dtype.itemsize
    full, form = 1 << 8 * size, np.dtype(f"<f{size}").type
    left = [{} for order in orders if order]  # by places: R of each axis
    axes = [(axis, order) for axis, order in enumerate(orders) if order]
    bits = np.zeros(residuals.shape, f"<u{size}")

    def in_order(u):
        return u ^ (full // 2 - 1) if u >= full // 2 else u

    for at in np.ndindex(residuals.shape):
        told = []
        for (axis, order), rest in zip(axes, left, strict=True):
            enough = min(order, at[axis])
            before = [rest[*at[:axis], at[axis] - k, *at[axis + 1 :]] for k in range(1, enough + 1)]
            told.append(extrapolation(*before))
        prediction = told[-1]
        for one in told[-2::-1]:
            prediction = one + prediction
        with np.errstate(all="ignore"):
            rounded = form(prediction)
        u = int(rounded.view(bits.dtype))
        if not np.isfinite(rounded):
            u = int(bits[*at[:-1], at[-1] - 1]) if at[-1] else 0
        u = in_order((in_order(u) + int(residuals[at])) % full)
        bits[at] = u
        value = float(bits[at].view(form))
        for rest, one in zip(left, told, strict=True):
            rest[at] = value
            value = value - one
    return bits.view(form)


def extrapolation(a=0.0, b=None, c=None):
    """What one, two or three values tell of the next, the nearest first."""
    if b is None:
        return a
    d = a - b
    return a + d if c is None else a + (d + (d - (b - c)))


def array_column(dtype, column):
    if dtype.kind == "f":
        return real(column, dtype.itemsize * 8).values
    if dtype.kind == "S":
        return text_cells(column)
    if dtype.kind == "U":
        return [cell.decode("utf-8", "surrogatepass") for cell in text_cells(column)]
    if dtype.kind in "Mm":
        ticks = [INT64[0] if tick is None else tick for tick in whole(column, *INT64)]
        return np.array(ticks, "<i8").view(dtype.newbyteorder("<"))
    if dtype.kind == "b":
        return np.array(whole(column, 0, 255), "u1")
    ends = np.iinfo(dtype)
    return np.array(whole(column, int(ends.min), int(ends.max)), dtype)


def place_of(arrays, row):
    """The array that a row of the archive is of, where each has blocks of its own."""
    for array in arrays:
        shape = array["shape"]
        rows = int(np.prod(shape[: array.get("lead", 1)])) if np.prod(shape) else 0
        if row < rows:
            return array
        row -= rows
    raise ValueError("a block of no array")


# ---- lines


def lines_of(about, columns):
    """The bytes of lines in frames."""
    lines = []
    cells = [gap_cells(column) for column in columns[1:]]
    for row, number in enumerate(whole(columns[0], *INT64)):
        (first, *others), places = about["frames"][number]
        lines.append(first.encode("latin-1"))
        for place, part in zip(places, others, strict=True):
            lines += [cells[place][row], part.encode("latin-1")]
    return b"".join(lines)
