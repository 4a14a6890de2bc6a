"""Functions on cells that are spans of one buffer of text: they are read as decimals, compared,
numbered by their text, written and joined.

Every function has a twin in the C kernel; what stands here is the norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.codec.blobs import pack, unpack
from aetool.data.table import Bytes, Mask
from aetool.errors import ArchiveError
from aetool.model import Array, Int

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
# characters as bytes
LF = 10
MINUS = 45
POINT = 46
ZERO = 48
NINE = 57
DIGITS = 18  # of a decimal; more are kept as text
BYTES_A_SLICE = 1000  # that are copied in the time a slice of a view takes beyond one of bytes
SHORT, SHORT_ONE = 64, 65  # forms: as few decimals as say it; the same, but at least one
MOST_BEHIND = 31  # digits behind the point, which are the lowest bits of a form
ZERO_AT_END = 32  # the bit of a form that says that the last of these digits is 0


def numbers(
    text: Bytes,
    start: I32,
    stop: I32,
    prefix: int,
    suffix: int,
) -> tuple[Int, I8]:
    """Read cells as decimal numbers: (digits, form), (n,) each. digits: the number without its
    point, int64; form, int8: how many digits follow the point, + 32 if the last of them is 0. Where
    the cell is no plain decimal (leading zeros, "-0", "+1", exponents, over 18 digits, nothing at
    all) digits is 0 and form -1.

    Cell i is text[start[i]:stop[i]], of which `prefix` bytes at the begin and `suffix` bytes at the
    end are skipped, whatever they are.
    """
    n = len(start)
    value = np.zeros(n, np.int64)
    form = np.full(n, -1, np.int8)
    if kernel.C is not None:
        kernel.C.numbers(text, start, stop, 1, prefix, suffix, value, form)
        return value, form
    # near the end of a large text a place and an affix add up to more than 32 bits hold
    begin = start.astype(np.int64) + prefix
    end = stop.astype(np.int64) - suffix
    _read_by_arrays(text, begin, end, value, form)
    return value, form


def _read_by_arrays(
    text: Bytes,
    begin: Int,
    end: Int,
    value: Int,
    form: I8,
) -> None:
    """Read the cells text[begin[i]:end[i]] as `numbers` does, without the C kernel, into value and
    form, (n,) each, in place. They have 0 and -1 for all cells before, and keep these for what is
    no plain decimal. A cell may end before it begins, and is then none."""
    widths = end - begin
    # at most a sign, the digits and a point; a longer cell would make the rows of all others as
    # wide
    is_short = (widths > 0) & (widths <= DIGITS + 2)
    rows = np.flatnonzero(is_short)
    if not len(rows):
        return
    width = widths[rows]
    cell, inside = _characters(text, begin[rows], width)
    negative = cell[:, 0] == MINUS
    digit = (cell >= ZERO) & (cell <= NINE)
    point = cell == POINT
    # a minus is a sign at the begin alone: dates have others
    sign = np.zeros_like(inside)
    sign[:, 0] = negative
    allowed = digit | point | sign | ~inside
    good = allowed.all(axis=1)
    # where the point stands; behind the last digit if there is none
    points = point.sum(axis=1)
    first_point = point.argmax(axis=1)
    place_of_point = np.where(points > 0, first_point, width)
    # the first digit stands behind the sign
    first = negative.astype(np.int64)
    good &= _has_usual_digits(cell, digit, place_of_point, first, width)
    good &= points <= 1
    total = _sum_of_digits(cell, digit, good)
    # "-0" would come back as "0"
    good &= ~(negative & (total == 0))
    signed = np.where(negative, -total, total)
    value[rows] = np.where(good, signed, 0)
    # without a point it stands behind the cell, and nothing follows
    digits_after_point = np.maximum(width - place_of_point - 1, 0)
    # "1.50" has a zero that its value does not tell
    last_character = text[end[rows] - 1]
    ends_in_zero = last_character == ZERO
    zero = (digits_after_point > 0) & ends_in_zero
    form_of_cells = digits_after_point + ZERO_AT_END * zero
    form[rows] = np.where(good, form_of_cells, -1)


def _characters(text: Bytes, begin: Int, width: Int) -> tuple[Bytes, Mask]:
    """Lay spans of a text out as rows of bytes, all as wide as the widest: (the bytes, zeros behind
    the end of each span; which of them lie in the span), both (n, widest).

    begin: (n,), where each span begins in the text; width: (n,), its bytes, at least 1.
    """
    widest = int(width.max())
    offset = np.arange(widest)
    inside = offset < width[:, None]
    places = begin[:, None] + offset
    # behind the last span there may be no text to read
    last = max(len(text) - 1, 0)
    characters = text[np.minimum(places, last)]
    return np.where(inside, characters, 0), inside


def _has_usual_digits(
    cell: Bytes,
    digit: Mask,
    place_of_point: Int,
    first: Int,
    width: Int,
) -> Mask:
    """(n,): whether the digits of cells stand as `write` would write them: 1 to 18 of them, some on
    either side of a point, no needless zero in front. What other characters there are is not seen.

    cell: (n, widest), a row of characters each; digit: which of them are digits. place_of_point:
    that of the point in the row, width without one; first: that of the first digit; width: how many
    characters the cell has, (n,) each.
    """
    # more digits than 18 do not fit into 64 bits
    count = digit.sum(axis=1)
    usual = (count > 0) & (count <= DIGITS)
    # digits stand on both sides of a point: neither ".5" nor "5."
    usual &= place_of_point > first
    usual &= place_of_point != width - 1
    # "007" would come back as "7"
    rows = np.arange(len(cell))
    last_place = cell.shape[1] - 1
    in_row = np.minimum(first, last_place)
    begins_with_zero = cell[rows, in_row] == ZERO
    has_several = place_of_point - first > 1
    usual &= ~(begins_with_zero & has_several)
    return np.asarray(usual)


def _sum_of_digits(cell: Bytes, digit: Mask, good: Mask) -> Int:
    """(n,) int64: the digits of each row of characters, at most 18, as one number; 0 for rows that
    are not good, (n,). cell: (n, widest), the characters; digit: which of them are digits."""
    total = np.zeros(len(cell), np.int64)
    for place in range(cell.shape[1]):
        # the column has other characters in some cells, whose number goes on behind them
        here = digit[:, place] & good
        # at most 18 digits, so that nothing goes beyond 64 bits
        characters = cell[here, place].astype(np.int64)
        units = characters - ZERO
        total[here] = total[here] * 10 + units
    return total


def digits_behind(form: Array) -> Array:
    """How many digits follow each number's point, (n,) of the type of form, by the forms, (n,),
    that `numbers` returned; 31 for form -1."""
    return form & MOST_BEHIND


def ends_in_zero(form: Array) -> Mask:
    """(n,): whether each number ends in a 0 behind its point, as 1.50 does and 150 does not. form:
    (n,), as `numbers` returned them; for -1, of a cell that is no plain decimal, True, which means
    nothing."""
    return (form & ZERO_AT_END) > 0


def levels(
    text: Bytes,
    start: I32,
    stop: I32,
    most: int,
) -> tuple[I32, I32] | None:
    """Find the different ones of the cells text[start[i]:stop[i]], in the order in which they first
    come: ((different cells,) the first row of each, (n,) for each row the number of its cell among
    them), both int32. None if there are more than `most` different cells."""
    n = len(start)
    if kernel.C is not None:
        room = max(most, 1)
        first = np.empty(room, np.int32)
        index = np.empty(n, np.int32)
        count = kernel.C.levels(text, start, stop, 1, most, first, index)
        # -1: there are more
        if count < 0:
            return None
        return first[:count].copy(), index
    number_of_cell: dict[bytes, int] = {}
    first_rows = []
    index = np.empty(n, np.int32)
    cells = cells_of(text, start, stop)
    for row, cell in enumerate(cells):
        if cell not in number_of_cell:
            # so many that a dictionary of them would not pay
            if len(number_of_cell) == most:
                return None
            number_of_cell[cell] = len(number_of_cell)
            first_rows.append(row)
        index[row] = number_of_cell[cell]
    return np.array(first_rows, np.int32), index


def write(value: Int, form: I8, decimals: int) -> tuple[Bytes, I32]:
    """Write the numbers value / 10^decimals as decimals: (the bytes of all, one behind the other;
    (n,) the length of each).

    value: (n,) int64. form: (n,), how many digits at least stand behind the point, as many as
    `decimals` at most; SHORT: none need; SHORT_ONE: one. Zeros behind these are left out; other
    digits never are. decimals: 0 .. 18.
    """
    n = len(value)
    length = np.empty(n, np.int32)
    if kernel.C is not None:
        # the kernel asks for as much a cell: 19 digits, a sign and a point are less than half
        out = np.empty(48 * n, np.uint8)
        contiguous = np.ascontiguousarray(value)
        size = kernel.C.write(contiguous, form, decimals, out, length)
        return out[:size], length
    cells = []
    values = value.tolist()
    forms = form.tolist()
    for number, form_of_cell in zip(values, forms, strict=True):
        cell = _decimal(number, form_of_cell, decimals)
        cells.append(cell)
    length[:] = [len(cell) for cell in cells]
    joined = "".join(cells).encode()
    return np.frombuffer(joined, np.uint8), length


def _decimal(number: int, form: int, decimals: int) -> str:
    """Write number / 10^decimals as a decimal, with at least as many digits behind the point as its
    form says: that number itself, none for SHORT, one for SHORT_ONE; further zeros at the end are
    left out."""
    places = decimals
    # the decimals that must stand, whatever zeros they are
    least = form & (SHORT - 1)
    if form >= SHORT:
        least = form - SHORT
    # 5 with two decimals is 0.05: at least one digit before the point
    digits = str(abs(number))
    digits = digits.rjust(places + 1, "0")
    while places > least and digits.endswith("0"):
        digits = digits[:-1]
        places -= 1
    sign = "-" if number < 0 else ""
    # the point goes before the last so many digits
    point = len(digits) - places
    before = digits[:point] or "0"
    if not places:
        return sign + before
    return f"{sign}{before}.{digits[point:]}"


def weave(pool: Bytes, start: Int, length: I32) -> Bytes:
    """Join the spans pool[start[i]:start[i] + length[i]], in order, into one text, (bytes,) uint8.
    start, length: (n,) each; every span lies within the pool."""
    # lengths are of 32 bits, which their sum may exceed
    total = int(length.sum(dtype=np.int64))
    if kernel.C is not None:
        out = np.empty(total, np.uint8)
        begin = np.ascontiguousarray(start, np.int64)
        kernel.C.weave(pool, begin, length, out)
        return out
    # the kernel copies span by span; numpy has to know where each byte comes from
    size = length.astype(np.int64)
    # for each byte of the result its place in the pool, without a loop over spans
    begin = np.cumsum(size) - size
    # how far each byte lies behind its place in the result
    shift = np.repeat(start - begin, size)
    places = shift + np.arange(total)
    return np.asarray(pool[places])


def begins(length: I32) -> Int:
    """The offset at which each of consecutive spans begins, (n,) int64, the first at 0. length:
    (n,), bytes of each."""
    ends = np.cumsum(length, dtype=np.int64)
    return ends - length


def same(
    text: Bytes,
    start: I32,
    stop: I32,
    other: Bytes,
    first: I32,
    last: I32,
) -> bool:
    """Whether every span text[start[i]:stop[i]] has the same bytes as other[first[i]:last[i]].

    start, stop: (n,) each; first, last: (m,) each; False if n and m differ.
    """
    length = stop - start
    # most cells that differ have other lengths: that is cheap to see
    if not np.array_equal(length, last - first):
        return False
    if kernel.C is not None:
        # the kernel steps through memory: each array without gaps
        are_same = kernel.C.same(
            text,
            np.ascontiguousarray(start, np.int32),
            np.ascontiguousarray(stop, np.int32),
            other,
            np.ascontiguousarray(first, np.int32),
            np.ascontiguousarray(last, np.int32),
        )
        return bool(are_same)
    begin = start.astype(np.int64)
    other_begin = first.astype(np.int64)
    cells = weave(text, begin, length)
    other_cells = weave(other, other_begin, length)
    return np.array_equal(cells, other_cells)


def cells_of(text: Bytes, start: Array, stop: Array) -> list[bytes]:
    """The n spans text[start[i]:stop[i]] as bytes objects, in order. text: (bytes,) uint8; start,
    stop: (n,) each, of whole numbers, 0 or more."""
    # a few cells of a large text, as are looked at of each column, are not worth a copy of it
    places = zip(
        start.tolist(),
        stop.tolist(),
        strict=True,
    )
    if len(start) * BYTES_A_SLICE < len(text):
        view = np.ascontiguousarray(text).data
        return [bytes(view[first:last]) for first, last in places]
    # slices of bytes are cells at once, with no object between
    raw = text.tobytes()
    return [raw[first:last] for first, last in places]


@dataclass(eq=False)
class Spans:
    """n cells of text in one buffer, the pool, (bytes,) uint8: cell i is pool[start[i]:start[i] +
    length[i]]. Cells may share bytes of the pool, which may have others, too. start: (n,) int64;
    length: (n,) int32."""

    pool: Bytes
    start: Int
    length: I32

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self.start)

    def take(self, rows: Int) -> Spans:
        """The cells in these rows, (m,) numbers from 0, in this order, of the same pool; a row may
        come more than once."""
        start = self.start[rows]
        length = self.length[rows]
        return Spans(self.pool, start, length)

    def bytes(self) -> list[bytes]:
        """Each cell as a bytes object, in order."""
        stop = self.start + self.length
        return cells_of(self.pool, self.start, stop)

    def places(self) -> tuple[Bytes, I32, I32]:
        """The cells as other functions of this file take them: (the pool, where each cell begins in
        it, where it ends), the places int32, so that the pool must have less than 2^31 bytes."""
        start = self.start.astype(np.int32)
        return self.pool, start, start + self.length


def behind_another(cells: Sequence[bytes]) -> Spans:
    """Put cells one behind the other into a new pool, which is read-only: Spans of these cells."""
    lengths = [len(cell) for cell in cells]
    length = np.array(lengths, np.int32)
    start = begins(length)
    joined = b"".join(cells)
    pool = np.frombuffer(joined, np.uint8)
    return Spans(pool, start, length)


def chained(*parts: Spans) -> Spans:
    """All cells of several Spans, at least one, one after the other, as Spans of a single new pool
    that has all bytes of theirs."""
    # each part begins in the common pool where the parts before it end
    shift = 0
    starts = []
    for part in parts:
        starts.append(part.start + shift)
        shift += len(part.pool)
    start = np.concatenate(starts)
    pool = np.concatenate([part.pool for part in parts])
    length = np.concatenate([part.length for part in parts])
    return Spans(pool, start, length)


def pack_cells(cells: Sequence[bytes]) -> bytes:
    """Pack cells as a blob, which `unpack_cells` reads: compressed by `pack`, u8 0 and the cells
    with line feeds between. If a cell has one itself: u8 2, a byte that no cell has, and the cells
    with that byte in the place of their own line feeds. If there is no such byte, or no cell: u8 1,
    the u32 lengths, and the cells."""
    joined = b"\n".join(cells)
    # the first byte says how cells are parted: 0 by line feeds, where no cell has one itself; 2 so,
    # too, with another byte in place of their own; 1 by lengths
    separators = len(cells) - 1
    if joined.count(b"\n") == separators:
        return pack(b"\0" + joined)
    stand_in = _byte_not_in(joined)
    if cells and stand_in is not None:
        # lengths would cost far more than the few line feeds, and hide where a cell begins
        own_cells = [cell.replace(b"\n", stand_in) for cell in cells]
        return pack(b"\2" + stand_in + b"\n".join(own_cells))
    lengths = [len(cell) for cell in cells]
    stored_lengths = np.array(lengths, "<u4").tobytes()
    texts = b"".join(cells)
    return pack(b"\1" + stored_lengths + texts)


def _byte_not_in(text: bytes) -> bytes | None:
    """The least byte that a text does not have, the line feed left out; None if it has all."""
    used = np.bincount(np.frombuffer(text, np.uint8), minlength=256) > 0
    used[LF] = True
    unused = np.flatnonzero(~used)
    return bytes([unused[0]]) if len(unused) else None


def unpack_cells(data: bytes, count: int) -> Spans:
    """The `count` cells that `pack_cells` packed, in order; ArchiveError if they are damaged, not
    so many, or more text than a block may have. For a count of 0 data is not looked at."""
    if not count:
        return behind_another([])
    raw = unpack(data)
    head = size_of_head(raw)
    if head:
        return _between_line_feeds(raw, head, count)
    return _by_lengths(raw, count)


def size_of_head(raw: bytes) -> int:
    """How many bytes of an unpacked blob of cells stand before the first cell, where line feeds
    part the cells; 0 where their lengths do, or the blob is damaged."""
    if raw[:1] == b"\0":
        return 1
    return 2 if raw[:1] == b"\2" and len(raw) > 1 else 0


def _between_line_feeds(raw: bytes, head: int, count: int) -> Spans:
    """The `count` cells of an unpacked blob, raw: a head of one byte or two, of which the second
    stands for the cells' own line feeds, then the cells with a line feed between any two;
    ArchiveError if there are not so many."""
    body = np.frombuffer(raw, np.uint8)
    line_feeds = head + np.flatnonzero(body[head:] == LF)
    # the last cell has no line feed behind it
    ends = np.append(line_feeds, len(body))
    if len(ends) != count:
        raise ArchiveError("damaged: a column has not the texts it should have")
    if head > 1:
        body = np.where(body == body[1], np.uint8(LF), body)
    # behind the head, and behind each line feed
    start = np.append(head, line_feeds + 1)
    length = ends - start
    return Spans(body, start, length.astype(np.int32))


def _by_lengths(raw: bytes, count: int) -> Spans:
    """The `count` cells of an unpacked blob, raw: a byte 1, the u32 length of each, the cells;
    ArchiveError if the lengths do not add up to it, or the byte is another."""
    # the byte that tells the form, and 32 bits for each length
    head = 1 + 4 * count
    if raw[:1] != b"\1" or len(raw) < head:
        raise ArchiveError("damaged: a column of text is cut short")
    lengths = np.frombuffer(raw, "<u4", count, 1)
    # as 64 bits: damaged lengths may add up to more than 32 hold
    length = lengths.astype(np.int64)
    # before anything is read by lengths that may be damaged
    size_of_cells = int(length.sum())
    if size_of_cells != len(raw) - head:
        raise ArchiveError("damaged: the lengths of a text column do not add up")
    body = np.frombuffer(raw, np.uint8)
    ends = head + np.cumsum(length)
    start = ends - length
    return Spans(body, start, length.astype(np.int32))
