"""A column as whole numbers, exactly or within a bound, and back.

Cells of text become `number` (decimals: a whole number, its scale and how it is written), `date`
(whole ticks and a format), `level` (an index into the different cells) or `text`; arrays become
`float` or `moment`. What does not fit is kept as it is, at its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.codec import spans
from aetool.codec.blobs import MAX_RAW, pack, read_varint, unpack, varint
from aetool.codec.integers import Stream
from aetool.codec.spans import I32, SHORT, SHORT_ONE
from aetool.data import dates
from aetool.data.table import Bytes, Cells, Values
from aetool.errors import ArchiveError
from aetool.model import Int

MAX_LEVELS = 1 << 16
LONGEST_SPECIAL = 256  # bytes; longer ones are raw
MAX_SPECIAL = 62  # different cells that are no numbers, before a column is no column of numbers
MOST_DECIMALS = 15  # of a float
AFFIX = 8
LEAST_NUMBERS = 0.3  # of the cells, for a column of numbers
MOST_NUMBERS = 0.99  # whose decimals set the scale of the column


@dataclass(eq=False)
class Coded:
    """A column in parts: what to know (JSON), streams of whole numbers, blobs of bytes. error: the
    largest difference to the source, in its units."""

    meta: dict[str, Any]
    streams: list[Stream] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    error: float = 0.0


@dataclass(eq=False)
class Decoded:
    """A column of a block: which kind each cell is, the values of those that have one, raws (of
    the last kind, if it has any), and blobs."""

    meta: dict[str, Any]
    kinds: Int
    values: Int
    raws: Int
    blobs: list[bytes]


@dataclass(eq=False)
class Spans:
    """n cells: bytes of a pool from start, length each."""

    pool: Bytes
    start: Int
    length: I32

    def bytes(self) -> list[bytes]:
        """The cells."""
        return spans.cells_of(self.pool, self.start, self.start + self.length)


@contextmanager
def sensible() -> Iterator[None]:
    """What an archive says that makes no sense is damage, not a bug."""
    try:
        yield
    except MemoryError:
        raise ArchiveError("damaged: a block asks for more memory than there is") from None
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
        raise ArchiveError(f"damaged: a block does not make sense ({error})") from None


# ---- blobs


def pack_cells(cells: Sequence[bytes]) -> bytes:
    """Cells as a blob: u8 0 and the cells behind line feeds, or u8 1, lengths (u32) and bytes."""
    joined = b"\n".join(cells)
    if joined.count(b"\n") == len(cells) - 1:
        return pack(b"\0" + joined)
    lengths = np.array([len(c) for c in cells], "<u4").tobytes()
    return pack(b"\1" + lengths + b"".join(cells))


def unpack_cells(data: bytes, count: int) -> Spans:
    """What pack_cells was given."""
    if not count:
        return Spans(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int32))
    raw = unpack(data)
    body = np.frombuffer(raw, np.uint8)
    if raw[:1] == b"\0":
        ends = np.append(np.flatnonzero(body[1:] == spans.LF), len(body) - 1) + 1
        if len(ends) != count:
            raise ArchiveError("damaged: a column has not the texts it should have")
        start = np.concatenate([[1], ends[:-1] + 1])
        return Spans(body, start, (ends - start).astype(np.int32))
    head = 1 + 4 * count
    if raw[:1] != b"\1" or len(raw) < head:
        raise ArchiveError("damaged: a column of text is cut short")
    length = np.frombuffer(raw, "<u4", count, 1).astype(np.int64)
    start = head + np.cumsum(length) - length
    if int(length.sum()) != len(raw) - head:
        raise ArchiveError("damaged: the lengths of a text column do not add up")
    return Spans(body, start, length.astype(np.int32))


# ---- text cells to numbers


@dataclass(eq=False)
class _Text:
    """Cells of one column: spans of a buffer."""

    buffer: Bytes
    start: I32
    stop: I32

    def __len__(self) -> int:
        return len(self.start)

    def cells(self, rows: Any = slice(None)) -> list[bytes]:
        return spans.cells_of(self.buffer, self.start[rows], self.stop[rows])

    def levels(self, most: int, rows: Any = slice(None)) -> tuple[list[bytes], I32] | None:
        found = spans.levels(self.buffer, self.start[rows], self.stop[rows], most)
        if found is None:
            return None
        first, index = found
        at = first if isinstance(rows, slice) else rows[first]
        return self.cells(at), index


def encode(
    buffer: Bytes,
    start: I32,
    stop: I32,
    given: dict[str, Any] | None = None,
    bound: Fraction | None = None,
) -> Coded:
    """A column of text cells. given: a meta to use, of a shared model. bound: the largest error
    allowed where the column is one of numbers, in its units."""
    text = _Text(buffer, start, stop)
    if given is not None:
        return _given(text, given)
    if not len(text):
        return Coded({"k": "text"}, [], [b""])
    made = _numbers(text, bound)
    if made is not None:
        return made
    found = text.levels(min(MAX_LEVELS, len(text) // 2 + 1))
    if found is None:
        cells = text.cells()
        return _dates(cells, None) or Coded({"k": "text"}, [], [pack_cells(cells)])
    return _dates(*found) or _levels(*found, [])


def _given(text: _Text, meta: dict[str, Any]) -> Coded:
    """Under a shared meta, which is kept as it is: what it does not foresee is raw."""
    if meta["k"] == "number":
        prefix, suffix = (a.encode("latin-1") for a in meta.get("a", ("", "")))
        return _as_numbers(text, meta, *_parsed(text, prefix, suffix))
    found = text.levels(len(text)) or ([], np.zeros(0, np.int32))
    if meta["k"] == "level":
        made = _levels(*found, [s.encode("latin-1") for s in meta["v"]])
        return Coded(meta, made.streams, made.blobs)
    if meta["k"] == "date":
        return _as_dates(meta, *found)
    return Coded(meta, [], [pack_cells(text.cells())])


def _levels(cells: list[bytes], index: I32, known: list[bytes]) -> Coded:
    """Levels: those known, then the others by frequency, ties by their bytes."""
    used = np.bincount(index, minlength=len(cells))
    place = {c: i for i, c in enumerate(known)}
    fresh = [i for i in range(len(cells)) if cells[i] not in place]
    fresh.sort(key=lambda i: (-used[i], cells[i]))
    place |= {cells[i]: len(known) + k for k, i in enumerate(fresh)}
    rank = np.array([place[c] for c in cells], np.int64)
    blob = varint(len(fresh)) + pack_cells([cells[i] for i in fresh]) if fresh else b""
    return Coded({"k": "level"}, [Stream(rank[index])], [blob])


def _affixes(cells: list[bytes]) -> tuple[bytes, bytes]:
    """What stands before and behind the number in most of these cells."""
    seen: dict[tuple[bytes, bytes], int] = {}
    for cell in cells:
        inside = [i for i, b in enumerate(cell) if 48 <= b <= 57]
        if inside:
            first, last = inside[0], inside[-1]
            first -= first > 0 and cell[first - 1] == 45
            key = (cell[:first], cell[last + 1 :])
            seen[key] = seen.get(key, 0) + 1
    if not seen:
        return b"", b""
    best = max(seen, key=lambda k: seen[k])
    return best if max(map(len, best)) <= AFFIX else (b"", b"")


def _parsed(text: _Text, prefix: bytes, suffix: bytes) -> tuple[Int, Any]:
    """(digits, form) of every cell, see spans.numbers; -1 where the affixes are not there."""
    buffer, start, stop = text.buffer, text.start, text.stop
    value, form = spans.numbers(buffer, start, stop, len(prefix), len(suffix))
    for i, byte in enumerate(prefix):
        form[buffer[np.minimum(start + i, len(buffer) - 1)] != byte] = -1
    for i, byte in enumerate(reversed(suffix)):
        form[buffer[np.maximum(stop - 1 - i, 0)] != byte] = -1
    return value, form


def _numbers(text: _Text, bound: Fraction | None) -> Coded | None:
    """The column as decimals, if it is one of numbers."""
    n = len(text)
    some = np.unique(np.linspace(0, n - 1, min(n, 64)).astype(np.int64))
    prefix, suffix = _affixes(text.cells(some))
    value, form = _parsed(text, prefix, suffix)
    good = form >= 0
    if good.mean() < LEAST_NUMBERS:
        return None
    after = form & 31
    decimals = int(np.quantile(after[good], MOST_NUMBERS, method="higher"))
    if int((after[good] > decimals).sum()) * 20 > n * (int(after[good].max()) - decimals):
        decimals = int(after[good].max())
    good &= after <= decimals  # a few numbers with many more digits are kept as text
    meta: dict[str, Any] = {"k": "number", "d": decimals, "f": _forms(form[good])}
    if prefix or suffix:
        meta["a"] = [prefix.decode("latin-1"), suffix.decode("latin-1")]
    odd = np.flatnonzero(~good)
    special = text.levels(MAX_SPECIAL, odd) if len(odd) else ([], None)
    if special is None and len(odd) > n // 20:
        return None
    short = [c for c in special[0] if len(c) <= LONGEST_SPECIAL] if special else []
    meta["s"] = [c.decode("latin-1") for c in short]
    if bound is not None:
        allowed = int(bound * 10 ** meta["d"])
        if 0 < allowed < 1 << 61:
            meta |= {"q": 2 * allowed + 1, "f": [_one_form(meta["f"])]}
    return _as_numbers(text, meta, value, form)


def ends(buffer: Bytes, start: I32, stop: I32) -> tuple[Fraction, Fraction] | None:
    """The smallest and the largest number of a column; None if it is not one of numbers."""
    text = _Text(buffer, start, stop)
    some = np.unique(np.linspace(0, len(text) - 1, min(len(text), 64)).astype(np.int64))
    value, form = _parsed(text, *_affixes(text.cells(some)))
    good = form >= 0
    if good.mean() < LEAST_NUMBERS:
        return None
    after, value = form[good] & 31, value[good]
    found = [
        (Fraction(int(end(value[after == d])), 10 ** int(d)))
        for d in np.unique(after)
        for end in (np.min, np.max)
    ]
    return min(found), max(found)


def _forms(form: Any) -> list[int]:
    """The ways these numbers are written, commonest first."""
    after, padded = form & 31, (form & 32) > 0
    used = np.unique(after)
    if len(used) == 1:
        return [int(used[0])]
    if not padded.any():
        return [SHORT]
    if used[0] > 0 and not (padded & (after > 1)).any():
        return [SHORT_ONE]
    return list(map(int, used[np.argsort(-np.bincount(after)[used], kind="stable")]))


def _one_form(forms: list[int]) -> int:
    return forms[0] if len(forms) == 1 else SHORT if 0 in forms else SHORT_ONE


def _as_numbers(text: _Text, meta: dict[str, Any], value: Int, form: Any) -> Coded:
    """Cells by a meta of numbers; those that it does not write are special, or raw."""
    decimals, forms, step = int(meta["d"]), meta["f"], int(meta.get("q", 1))
    good = (form >= 0) & ((form & 31) <= decimals)
    after = np.where(good, form & 31, 0).astype(np.int64)
    scale = 10 ** np.minimum(decimals - after, 18)
    good &= np.abs(value) <= (2**62 if step > 1 else 2**63 - 1) // scale
    kinds = np.zeros(len(text), np.int64)
    if step == 1:
        kinds, written = _form_of(forms, form, after)
        good &= written
    value = value[good] * scale[good]
    error = 0.0
    if step > 1:
        quantised = (value + step // 2) // step
        off = np.abs(quantised * step - value)
        error = float(off.max(initial=0)) / 10**decimals
        value = quantised
    odd = np.flatnonzero(~good)
    if len(odd):
        specials = {s.encode("latin-1"): len(forms) + i for i, s in enumerate(meta["s"])}
        raw = len(forms) + len(specials)
        cells, index = text.levels(len(odd), odd) or ([], np.zeros(0, np.int32))
        kinds[odd] = np.array([specials.get(c, raw) for c in cells])[index]
        if not meta.get("r") and bool((kinds[odd] == raw).any()):
            meta = {**meta, "r": 1}
    blobs = [b""] if meta.get("r") else []
    rest = np.flatnonzero(kinds == len(forms) + len(meta["s"]))
    if len(rest):
        blobs = [pack_cells(text.cells(rest))]
    streams = [Stream(value, None if not len(odd) else good)]
    if shape_of(meta).kinds > 1:
        streams = [Stream(kinds), *streams]
    return Coded(meta, streams, blobs, error)


def _form_of(forms: list[int], form: Any, after: Any) -> tuple[Int, Any]:
    """(which of the forms writes each number, whether one does)."""
    padded = (form & 32) > 0
    none = np.zeros(len(form), np.int64)
    if forms == [SHORT]:
        return none, ~padded
    if forms == [SHORT_ONE]:
        return none, (after > 0) & ~(padded & (after > 1))
    place = np.full(32, -1, np.int64)
    place[forms] = np.arange(len(forms))
    return np.maximum(place[after], 0), place[after] >= 0


def _dates(cells: list[bytes], index: I32 | None) -> Coded | None:
    """Dates, if nearly all cells are; index: which cell stands where (None: each once)."""
    quote = '"' if cells[0][:1] == b'"' else ""
    some = [t for t in (_inside(c, quote) for c in cells[:64]) if t[:1].isdigit()]
    fmt = dates.detect_format(some) if some and 2 * len(some) > min(len(cells), 64) else None
    if fmt is None:
        return None
    meta = {"k": "date", "t": fmt, "a": quote, "s": []}
    made = _as_dates(meta, cells, np.arange(len(cells), dtype=np.int32) if index is None else index)
    if made.meta.get("r") and int(made.streams[1].values.size) < 0.9 * len(made.streams[0].values):
        return None
    return made


def _inside(cell: bytes, quote: str) -> str:
    text = cell.decode("latin-1")
    if not quote:
        return text
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == quote else ""


def _as_dates(meta: dict[str, Any], cells: list[bytes], index: I32) -> Coded:
    texts = [_inside(c, meta["a"]) for c in cells]
    fmt = meta["t"]
    unit = 10 ** int(fmt.split("|")[4])
    seconds = dates.parse(texts, fmt)
    good = np.isfinite(seconds)
    ticks = np.rint(np.where(good, seconds, 0) * unit).astype(np.int64)
    good &= np.array(
        [a == b for a, b in zip(dates.render(ticks / unit, fmt), texts, strict=True)], np.bool_
    )
    specials = {s.encode("latin-1"): 1 + i for i, s in enumerate(meta["s"])}
    odd = [c for c, g in zip(cells, good.tolist(), strict=True) if not g and c not in specials]
    if odd and not meta.get("r"):
        meta = {**meta, "r": 1}
    raw = 1 + len(specials)
    kinds = np.array(
        [0 if g else specials.get(c, raw) for c, g in zip(cells, good.tolist(), strict=True)],
        np.int64,
    )[index]
    blobs = [b""] if meta.get("r") else []
    if odd:
        blobs = [pack_cells([cells[i] for i in index[kinds == raw].tolist()])]
    here = kinds == 0
    streams = [Stream(ticks[index][here], None if here.all() else here)]
    if shape_of(meta).kinds > 1:
        streams = [Stream(kinds), *streams]
    return Coded(meta, streams, blobs)


# ---- arrays to numbers


def encode_array(values: npt.NDArray[Any], bound: Fraction | None = None) -> Coded:
    """A column of float64 (NaN: missing) or datetime64[us], bit for bit or within the bound."""
    if values.dtype.kind == "M":
        ticks = values.astype("datetime64[us]").view("i8")
        none = np.zeros(len(ticks), np.bool_)
        return _typed({"k": "moment"}, ticks, np.isnat(values), none, ticks)
    x = np.ascontiguousarray(values, np.float64)
    whole = x.view(np.int64)
    gap = whole == np.float64(np.nan).view(np.int64)
    finite = np.isfinite(x) & ~((x == 0) & np.signbit(x))
    decimals = _decimals(x[finite])
    if bound is not None and bound > 0 and decimals is None:
        return _on_grid(x, whole, gap, finite, bound)
    if decimals is None:
        with np.errstate(over="ignore"):
            single = x.astype(np.float32)
        narrow = bool((single.astype(np.float64) == x)[~np.isnan(x)].all())
        k = _ordered(single.view(np.int32).astype(np.int64), 31) if narrow else _ordered(whole, 63)
        odd = np.isnan(x) & ~gap
        return _typed({"k": "float", "b": 32 if narrow else 64}, k, gap, odd, whole)
    k = np.zeros(len(x), np.int64)
    with np.errstate(over="ignore"):
        near = finite & (np.abs(x * float(10**decimals)) < 2.0**53)
    k[near] = np.rint(x[near] * float(10**decimals))
    odd = ~gap & ~(near & (k / float(10**decimals) == x))
    meta: dict[str, Any] = {"k": "float", "d": decimals}
    allowed = 0
    if bound is not None:  # of decimals that are rounded twice, two roundings are taken off
        slack = Fraction(float(np.spacing(np.abs(x[near]).max(initial=0))) * 2 * (decimals > 0))
        allowed = max(0, int((bound - slack) * 10**decimals))
    if 0 < allowed < 2**53:
        step = 2 * allowed + 1
        quantised = (k + allowed) // step
        meta["q"] = step
        made = _typed(meta, quantised, gap, odd, whole)
        made.error = float(np.abs(quantised * step - k)[~gap & ~odd].max(initial=0)) / 10**decimals
        return made
    return _typed(meta, k, gap, odd, whole)


def same(column: Decoded, values: Values) -> bool:
    """Whether a decoded column of a typed table is these values, bit for bit."""
    if isinstance(values, Cells):
        return decode_cells(column) == [
            None if gap else text for text, gap in zip(values.strings(), values.null, strict=True)
        ]
    x = decode_array(column)
    y = values.astype("datetime64[us]") if values.dtype.kind == "M" else values.astype(np.float64)
    return bool((x.view(np.int64) == np.ascontiguousarray(y).view(np.int64)).all())


def encode_cells(cells: Cells) -> Coded:
    """Text of a typed table; a missing cell is the byte FF, which no UTF-8 has."""
    end = len(cells.buffer)
    start = np.where(cells.null, end, cells.start).astype(np.int32)
    stop = np.where(cells.null, end + 1, cells.stop).astype(np.int32)
    return encode(np.append(cells.buffer, np.uint8(255)), start, stop)


@sensible()
def decode_cells(column: Decoded) -> list[str | None]:
    """What encode_cells was given."""
    found = decode(column).bytes()
    return [None if c == b"\xff" else c.decode() for c in found]


def _decimals(x: npt.NDArray[np.float64]) -> int | None:
    """Fewest decimals that give nearly every number back bit for bit."""
    with np.errstate(over="ignore", invalid="ignore"):
        for places in range(MOST_DECIMALS + 1):
            k = np.rint(x * float(10**places))
            right = (k / float(10**places) == x) & (np.abs(k) < 2.0**53)
            if not len(x) or right.mean() > 0.98:
                return places
    return None


def _ordered(bits: Int, sign: int) -> Int:
    """Bits of floats as whole numbers in the floats' order; its own inverse."""
    return np.asarray(bits ^ ((bits >> np.int64(sign)) & np.int64((1 << sign) - 1)))


def _on_grid(x: Any, whole: Int, gap: Any, finite: Any, bound: Fraction) -> Coded:
    grid = float(bound) * 1.99
    k = np.zeros(len(x), np.int64)
    odd = ~gap & ~finite
    if grid > 0 and np.isfinite(grid):
        with np.errstate(all="ignore"):
            steps = np.where(finite, np.rint(np.where(finite, x, 0) / grid), 0)
            off = np.abs(grid * steps - np.where(finite, x, 0))
            odd |= finite & ~((np.abs(steps) < 2.0**53) & (off <= 0.999 * float(bound)))
        k = np.where(odd | gap, 0, steps).astype(np.int64)
        made = _typed({"k": "float", "g": grid.hex()}, k, gap, odd, whole)
        made.error = float(off[~gap & ~odd].max(initial=0))
        return made
    return _typed({"k": "float", "b": 64}, _ordered(whole, 63), gap, np.isnan(x) & ~gap, whole)


def _typed(meta: dict[str, Any], k: Int, gap: Any, odd: Any, whole: Int) -> Coded:
    """kinds: 0 a value, 1 a gap (if there are), the last a raw one."""
    kinds = np.zeros(len(k), np.int64)
    if gap.any():
        meta["z"] = 1
        kinds[gap] = 1
    if odd.any():
        meta["r"] = 1
        kinds[odd] = 1 + bool(meta.get("z"))
    good = kinds == 0
    streams = [Stream(k[good], None if good.all() else good)]
    if not good.all():
        streams = [Stream(kinds), *streams]
    if odd.any():
        streams.append(Stream(whole[odd], odd))
    return Coded(meta, streams)


# ---- and back


@dataclass(eq=False)
class Kind:
    """How many streams and blobs a column's meta promises, and its kinds of cells."""

    blobs: int
    kinds: int = 1
    valued: int = 1  # kinds below this have a value; 0: there is no stream of values
    raws: bool = False  # the last kind has a stream of its own

    @property
    def streams(self) -> int:
        """Streams of whole numbers: kinds, values, raws, as there are."""
        return (self.kinds > 1) + (self.valued > 0) + self.raws


def shape_of(meta: dict[str, Any]) -> Kind:
    """What belongs to a column of this meta; ArchiveError for an unknown one."""
    kind = meta["k"]
    if kind in ("text", "bytes"):
        return Kind(1, valued=0)
    if kind == "level":
        return Kind(1)
    if kind == "whole":
        return Kind(0)
    step, places = int(meta.get("q", 1)), int(meta.get("d", 0))
    most = {"number": spans.DIGITS, "float": MOST_DECIMALS}.get(kind, 0)
    if not 1 <= step < 1 << 62 or not 0 <= places <= most:
        raise ArchiveError("damaged: a column's decimals are out of range")
    if kind in ("number", "date"):
        valued = len(meta["f"]) if kind == "number" else 1
        if kind == "number" and not all(0 <= int(f) <= SHORT_ONE for f in meta["f"]):
            raise ArchiveError("damaged: a column's decimals are out of range")
        if kind == "date" and not 0 <= int(str(meta["t"]).split("|")[4]) <= 9:
            raise ArchiveError("damaged: a column's dates are out of range")
        raw = bool(meta.get("r"))
        return Kind(int(raw), valued + len(meta["s"]) + raw, valued)
    if kind in ("float", "moment"):
        raw = bool(meta.get("r"))
        return Kind(0, 1 + bool(meta.get("z")) + raw, 1, raw)
    raise ArchiveError("damaged: a column is stored in an unknown way")


@sensible()
def decode(column: Decoded) -> Spans:
    """The cells of a column of text."""
    meta, kinds, values, blobs = column.meta, column.kinds, column.values, column.blobs
    rows = len(kinds)
    if meta["k"] == "text":
        return unpack_cells(blobs[0], rows)
    if meta["k"] == "level":
        return _read_levels(meta, values, blobs[0])
    shape = shape_of(meta)
    if rows and not 0 <= int(kinds.min()) <= int(kinds.max()) < shape.kinds:
        raise ArchiveError("damaged: a column has cells of an unknown kind")
    valued = kinds < shape.valued
    if meta["k"] == "date":
        unit = 10 ** int(meta["t"].split("|")[4])
        quote = str(meta["a"])
        cells = [f"{quote}{t}{quote}".encode() for t in dates.render(values / unit, meta["t"])]
        written = np.frombuffer(b"".join(cells), np.uint8)
        length = np.array([len(c) for c in cells], np.int32)
    elif meta["k"] == "number":
        written, length = _write_numbers(meta, kinds[valued], values)
    else:
        raise ArchiveError("damaged: a column of a text table is not stored as text")
    if shape.kinds == shape.valued:
        return Spans(written, np.cumsum(length, dtype=np.int64) - length, length)
    others = [str(s).encode("latin-1") for s in meta["s"]]
    pool = np.concatenate([written, np.frombuffer(b"".join(others), np.uint8)])
    sizes = np.array([len(o) for o in others], np.int64)
    places = len(written) + np.cumsum(sizes) - sizes
    start, size = np.zeros(rows, np.int64), np.zeros(rows, np.int32)
    start[valued], size[valued] = np.cumsum(length, dtype=np.int64) - length, length
    named = np.flatnonzero(~valued & (kinds < shape.valued + len(others)))
    start[named] = places[kinds[named] - shape.valued]
    size[named] = sizes[kinds[named] - shape.valued]
    if meta.get("r"):
        raw = kinds == shape.kinds - 1
        held = unpack_cells(blobs[0], int(raw.sum()))
        start[raw], size[raw] = held.start + len(pool), held.length
        pool = np.concatenate([pool, held.pool])
    return Spans(pool, start, size)


def _read_levels(meta: dict[str, Any], values: Int, blob: bytes) -> Spans:
    known = [str(s).encode("latin-1") for s in meta.get("v", [])]
    sizes = np.array([len(c) for c in known], np.int32)
    held = Spans(
        np.frombuffer(b"".join(known), np.uint8), np.cumsum(sizes, dtype=np.int64) - sizes, sizes
    )
    if blob:
        count, at = read_varint(blob, 0)
        fresh = unpack_cells(blob[at:], min(count, MAX_RAW))
        held = Spans(
            np.concatenate([held.pool, fresh.pool]),
            np.concatenate([held.start, fresh.start + len(held.pool)]),
            np.concatenate([held.length, fresh.length]),
        )
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < len(held.start):
        raise ArchiveError("damaged: a column points beyond its levels")
    return Spans(held.pool, held.start[values], held.length[values])


@sensible()
def decode_array(column: Decoded) -> npt.NDArray[Any]:
    """A column of encode_array."""
    meta, values = column.meta, column.values
    if meta["k"] == "moment":
        out = np.full(len(column.kinds), np.iinfo(np.int64).min)
        out[column.kinds == 0] = values
        return out.view("datetime64[us]")
    if meta["k"] != "float":
        raise ArchiveError("damaged: a column of numbers is not stored as such")
    if "b" in meta and meta["b"] == 32:
        x: npt.NDArray[Any] = (
            _ordered(values, 31).astype(np.int32).view(np.float32).astype(np.float64)
        )
    elif "b" in meta:
        x = _ordered(values, 63).view(np.float64)
    elif "g" in meta:
        x = values * float.fromhex(meta["g"])
    else:
        x = values * np.int64(meta.get("q", 1)) / float(10 ** int(meta["d"]))
    full = np.full(len(column.kinds), np.nan)
    full[column.kinds == 0] = x
    if meta.get("r"):
        full[column.kinds == shape_of(meta).kinds - 1] = column.raws.view(np.float64)
    return full


def _write_numbers(meta: dict[str, Any], kinds: Int, values: Int) -> tuple[Bytes, I32]:
    forms = np.array(meta["f"], np.int8)
    decimals = int(meta["d"])
    step = int(meta.get("q", 1))
    written, length = spans.write(values * np.int64(step), forms[kinds], decimals)
    if "a" not in meta:
        return written, length
    prefix, suffix = (str(a).encode("latin-1") for a in meta["a"])
    n = len(length)
    pool = np.concatenate([np.frombuffer(prefix + suffix, np.uint8), written])
    size = np.empty((n, 3), np.int32)
    size[:, 0], size[:, 1], size[:, 2] = len(prefix), length, len(suffix)
    start = np.empty((n, 3), np.int64)
    start[:, 0], start[:, 2] = 0, len(prefix)
    start[:, 1] = np.cumsum(length, dtype=np.int64) - length + len(prefix) + len(suffix)
    return spans.weave(pool, start.reshape(-1), size.reshape(-1)), size.sum(axis=1, dtype=np.int32)
