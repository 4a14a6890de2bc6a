"""Coding of JSON lines by their values, byte for byte: what is the same in many lines is stored
once.

A line is cut into values (strings, numbers, true, false, null; not keys) and what stands between
them, its frame. Lines of the same keys, blanks and nesting have the same frame. Values of one key
are a column. Nothing is parsed: a line that is no JSON at all still comes back byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import blobs, number_cells, spans
from aetool.codec.blocks import Block
from aetool.codec.columns import Coded, bytes_column, errors_as_damage
from aetool.codec.limits import check_text
from aetool.codec.natives import cells, numbers
from aetool.codec.natives.bounding import Integers
from aetool.csv.encodings import BOM
from aetool.data.table import Mask
from aetool.errors import ArchiveError
from aetool.model import Float

STRING = rb'"(?:[^"\\]|\\.)*"'
# a key with its colon is part of the frame; the group is a value
COLON = rb"[ \t]*:"
QUOTED_KEY = STRING + COLON
VALUE = STRING + rb"|-?[0-9][0-9.eE+-]*|true|false|null"
TOKEN = re.compile(QUOTED_KEY + rb"|(" + VALUE + rb")", re.DOTALL)
KEY = re.compile(QUOTED_KEY)
MOST_FRAMES = 1024  # in one block
MOST_COLUMNS = 2048
AROUND_RECORDS = (b"", b"[", b"]", b",", b"[]")  # what may stand on a line that is no record
LEAST_ALIKE = 4  # lines for each frame, below which lines are not alike

Frame = tuple[bytes, ...]
Cut = tuple[list[bytes], list[int]]  # a frame's parts, and the columns of its values
Column = tuple[bytes, int]  # the key before a value, and how often it came before in the line


@dataclass(eq=False)
class Lines:
    """JSON lines taken apart into frames (what stands around the values) and columns of values.

    frames: for each different frame its number, from 0 in the order in which they came, and the
    numbers of the columns of its values. columns: for each key, and which of its occurrences in a
    line, the column's number. frame_of: for each line the number of its frame. rows, values: for
    each column, by its number, the lines that have a value in it, and these values.
    """

    frames: dict[Frame, tuple[int, list[int]]] = field(default_factory=dict)
    columns: dict[Column, int] = field(default_factory=dict)
    frame_of: list[int] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    values: list[list[bytes]] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        """Take one more line apart into its frame and values. line: with its line end. Any bytes
        will do."""
        frame, line_values = cut(line)
        if frame not in self.frames:
            new_number = len(self.frames)
            columns = columns_of(frame)
            places = [self._place_of(column) for column in columns]
            self.frames[frame] = (new_number, places)
        number, places = self.frames[frame]
        row = len(self.frame_of)
        self.frame_of.append(number)
        pairs = zip(places, line_values, strict=True)
        for place, value in pairs:
            self.rows[place].append(row)
            self.values[place].append(value)

    def _place_of(self, column: Column) -> int:
        """The number of a column; a column that is new gets the next one, from 0, and empty lists
        in `rows` and `values`."""
        next_place = len(self.columns)
        place = self.columns.setdefault(column, next_place)
        if place == next_place:
            self.rows.append([])
            self.values.append([])
        return place

    @property
    def are_alike(self) -> bool:
        """Whether the lines share frames enough to be stored as columns: at least LEAST_ALIKE (4)
        lines for each frame, or all of one frame (also of fewer lines), and no more than
        MOST_FRAMES (1,024) frames and MOST_COLUMNS (2,048) columns."""
        if self.are_too_many:
            return False
        # fewer lines than that may still have one frame
        lines = max(len(self.frame_of), LEAST_ALIKE)
        return len(self.frames) * LEAST_ALIKE <= lines

    @property
    def are_too_many(self) -> bool:
        """Whether there are more frames than MOST_FRAMES (1,024), or more columns than MOST_COLUMNS
        (2,048), which a block has at most."""
        has_many_frames = len(self.frames) > MOST_FRAMES
        has_many_columns = len(self.columns) > MOST_COLUMNS
        return has_many_frames or has_many_columns


def cut(line: bytes) -> tuple[Frame, list[bytes]]:
    """Cut a line, with its line end: (its frame, the texts before, between and behind its values,
    one more than there are values; its values). Values are strings, numbers, true, false and null
    at any depth, but no keys; of a line that is no JSON what looks like one."""
    parts = []
    values = []
    end_of_value = 0
    for token in TOKEN.finditer(line):
        # a key is no value: it stays in the frame
        if not token.lastindex:
            continue
        before = line[end_of_value : token.start()]
        parts.append(before)
        values.append(token.group())
        end_of_value = token.end()
    parts.append(line[end_of_value:])
    return tuple(parts), values


def columns_of(frame: Frame) -> list[Column]:
    """The column of each value of a frame: (the last key before it, as it is written, with quotes
    and colon, or b"" if none is; how many values of that key came before it in the line)."""
    columns = []
    occurrences: dict[bytes, int] = {}
    key = b""
    # behind the last part stands no value
    for part in frame[:-1]:
        keys = KEY.findall(part)
        # values of a list have the key that stands before the first of them
        if keys:
            key = keys[-1]
        occurrence = occurrences.get(key, 0)
        columns.append((key, occurrence))
        occurrences[key] = occurrence + 1
    return columns


def split(text: bytes) -> list[bytes]:
    """Cut a text into lines, each with its line feed; the last may have none. [] of an empty text.
    Only the byte 0A ends a line."""
    lines = text.split(b"\n")
    last = lines.pop()
    ended = [line + b"\n" for line in lines]
    if last:
        ended.append(last)
    return ended


def encode(text: bytes) -> tuple[list[Coded], int, dict[str, object]]:
    """Encode a text of whole lines: (columns of a block, how many lines, the block's JSON beside
    the columns). The first column has for each line the number of its frame, the others a column of
    values each; the JSON is {"frames": a list, for each frame [its parts as texts, a character for
    each byte, the numbers of its values' columns, from 0]}. Lines that are not alike become one
    column of bytes, with no JSON, {}. ArchiveError for values of more bytes than a block may have.
    """
    lines = split(text)
    cut_lines = Lines()
    for line in lines:
        cut_lines.add(line)
        if cut_lines.are_too_many:
            break
    count = len(lines)
    if not cut_lines.are_alike:
        compressed = blobs.pack(text)
        return [bytes_column(compressed)], count, {}
    frame_of = np.array(cut_lines.frame_of, np.int64)
    coded = [numbers.encode_integers(frame_of)]
    columns = zip(cut_lines.rows, cut_lines.values, strict=True)
    for rows, values in columns:
        coded.append(_column(rows, values, count))
    frames = []
    # in the order of their numbers, as they were added
    for frame, (_, places) in cut_lines.frames.items():
        # JSON has no bytes; latin-1 gives each byte back
        parts = [part.decode("latin-1") for part in frame]
        frames.append([parts, places])
    return coded, count, {"frames": frames}


def _column(rows: list[int], values: list[bytes], count: int) -> Coded:
    """Encode a column of values. rows: the numbers of the lines, of `count`, that have a value in
    it, ascending; values: of these lines, none empty. The other lines are gaps. ArchiveError for
    more bytes than a block may have."""
    sizes = np.zeros(count, np.int64)
    sizes[rows] = [len(value) for value in values]
    gaps = np.ones(count, np.bool_)
    gaps[rows] = False
    joined = b"".join(values)
    buffer = np.frombuffer(joined, np.uint8)
    # gaps take no bytes: they begin where they end
    stop = np.cumsum(sizes)
    start = stop - sizes
    return cells.encode_cells(buffer, start, stop, gaps, utf8=False)


def has_record(line: bytes) -> bool:
    """Whether a line holds a record. False of one with nothing but blanks, a byte-order mark, or
    one bracket or comma, or [], of a list of objects that is written an object a line."""
    return line.removeprefix(BOM).strip() not in AROUND_RECORDS


@errors_as_damage()
def have_records(block: Block) -> Mask:
    """Tell which lines of a decoded block are records, by `has_record`: (lines,) bool; no line is
    put together for it. ArchiveError if the block is damaged."""
    if is_text(block):
        return np.array([has_record(line) for line in decode(block, block.rows)], np.bool_)
    frames = block.words["frames"]
    frame_of, _ = numbers.decode_integers(block.columns[0], 0, len(frames) - 1)
    # a line with a value is a record; without one the first part of its frame is the whole line
    is_of_records = [bool(places) or has_record(_frame(parts)[0]) for parts, places in frames]
    return np.array(is_of_records, np.bool_)[frame_of]


def is_text(block: Block) -> bool:
    """Whether a block stores its lines as one text, not as frames (what stands around values) and
    columns of values."""
    return "frames" not in block.words


@errors_as_damage()
def keys_of(block: Block) -> list[str]:
    """The key of each column of values of a block, without quotes and colon, "value" where there is
    none; several columns may have one key, as the places of a list have. The block's first column,
    the numbers of frames, is left out. ArchiveError if the block is one text, or damaged."""
    keys = [b""] * (len(block.columns) - 1)
    for parts, places in block.words["frames"]:
        frame = tuple(_frame(parts))
        columns = columns_of(frame)
        pairs = zip(columns, places, strict=True)
        for (key, _), place in pairs:
            keys[place] = key
    return [key_text(key) for key in keys]


def key_text(key: bytes) -> str:
    """Write a key for people to read: without the quotes and the colon that it has as it is written
    in a line; "value" for b"", the key of values in no object, and for a key without characters."""
    name = key.rstrip(b": \t")
    return _unquoted(name) or "value"


def _unquoted(text: bytes) -> str:
    """Decode a JSON value as text, a string without the quotes around it. Bytes that are no UTF-8
    are replaced, and escapes, as \\n, stay as they are."""
    # one at each end: a text may end with an escaped quote of its own
    bare = text.removeprefix(b'"').removesuffix(b'"')
    return bare.decode("utf-8", "replace")


def values_by_key(line: bytes) -> dict[str, list[str]]:
    """The values of a line of JSON, as `cut` finds them, by the key that stands last before each,
    without quotes and colon, "value" where there is none, at whatever depth: a list for each, in
    their order; texts without their quotes, with escapes as they stand, all else as it is written.
    Of a line that is no JSON what looks like values; {} of none."""
    frame, line_values = cut(line)
    columns = columns_of(frame)
    by_key: dict[str, list[str]] = {}
    pairs = zip(columns, line_values, strict=True)
    for (key, _), value in pairs:
        values = by_key.setdefault(key_text(key), [])
        values.append(_unquoted(value))
    return by_key


@errors_as_damage()
def numbers_of(block: Block, place: int) -> Float:
    """Read a column of values of a block as numbers: (lines,) float64, NaN where a line has no
    value there, or none that is a number; one between quotes is. place: of the column, from 0,
    among those that `keys_of` lists. ArchiveError if the block is damaged."""
    column = cells.decode_cells(block.columns[place + 1])
    length = column.lengths()
    values = spans.Spans(column.bytes, column.ends - length, length.astype(np.int32))
    return number_cells.floats(values)


@errors_as_damage()
def decode(block: Block, rows: int) -> list[bytes]:
    """The lines of a decoded block, each with its line end; ArchiveError if it is damaged, or has
    frames and not `rows` lines. `rows` is not compared for a block that is one text."""
    if is_text(block):
        if len(block.columns) != 1:
            raise ArchiveError("damaged: a block of lines has columns, and no frames")
        compressed = block.columns[0].blobs[0]
        text = blobs.unpack(compressed)
        return split(text)
    numbers_of_frames, *columns_of_values = block.columns
    frames: list[Cut] = []
    for parts, places in block.words["frames"]:
        frames.append((_frame(parts), places))
    last_frame = len(frames) - 1
    frame_of, _ = numbers.decode_integers(numbers_of_frames, 0, last_frame)
    cell_columns = [cells.decode_cells(column) for column in columns_of_values]
    _check_size(frames, frame_of, cell_columns)
    columns = [_values(column) for column in cell_columns]
    lines = []
    for row, number in enumerate(frame_of.tolist()):
        frame, places = frames[number]
        # a part, then a value and a part in turn
        parts = [frame[0]]
        for part, place in zip(frame[1:], places, strict=True):
            parts += (columns[place][row], part)
        lines.append(b"".join(parts))
    if len(lines) != rows:
        raise ArchiveError("damaged: a block has not the lines that it claims")
    return lines


def _check_size(
    frames: Sequence[Cut],
    frame_of: Integers,
    columns: Sequence[cells.CellColumn],
) -> None:
    """Raise ArchiveError if all lines together would take more than MAX_TEXT (320 MiB) bytes; to be
    called before any line is put together. frames: for each its parts and the numbers of its
    values' columns; frame_of: (lines,), the number of each one's frame; columns: of values, by
    number."""
    lengths = [column.lengths() for column in columns]
    size = 0
    for number, (frame, places) in enumerate(frames):
        rows = np.flatnonzero(frame_of == number)
        size_of_frame = sum(len(part) for part in frame)
        size += len(rows) * size_of_frame
        # no value is empty, so that each is at least a byte: refused before lengths are looked at
        check_text(size + len(rows) * len(places))
        for place in places:
            lengths_of_values = lengths[place][rows]
            size += int(lengths_of_values.sum())
    check_text(size)


def _frame(parts: Sequence[str]) -> list[bytes]:
    """The parts of a frame as bytes, from those in a block's JSON, as latin-1; ValueError for
    characters that it has not."""
    return [str(part).encode("latin-1") for part in parts]


def _values(column: cells.CellColumn) -> list[bytes]:
    """The value of a column in each line, in order, as bytes; b"" in lines that have none. column:
    decoded cells, one for each line."""
    stop = column.ends
    start = stop - column.lengths()
    return spans.cells_of(column.bytes, start, stop)
