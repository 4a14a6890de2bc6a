"""Lines of JSON, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from aetool.canonical import Json
from aetool.codec import attribution, blobs, blocks, jsonlines, plain, ways
from aetool.codec.blocks import Block
from aetool.codec.columns import bytes_column
from aetool.codec.contents.content import LOSSLESS, ByteContent, Content, read_exactly
from aetool.codec.ledger import Costs, Ledger, costs_of_text
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.csv.encodings import BOM
from aetool.data import arrow_files
from aetool.data.json_objects import (
    RepeatedKeyError,
    fault_of,
    in_whole_characters,
    parsed,
    whole_text,
    with_halves_escaped,
)
from aetool.errors import DataError, ParamError
from aetool.model import Float, Int

if TYPE_CHECKING:
    import pandas as pd

    from aetool.codec.archive import Archive
    from aetool.data.table import Mask

PIECE = 4 << 20  # bytes of text in a block
KEYS = "keys"  # the name of the bits that say what keys a line has
FEW = 16  # lines that are looked at to find the first record, before all others are
SHOWN = 60  # characters of a line that a message shows
WAY_OUT = (
    "rows of this archive are lines of text: to have records, compress a file with an object {...} "
    "on each line (JSON lines)"
)
# half a surrogate pair, as JSON writes it, as UTF-8 would, or, with a zero byte, in UTF-16 and -32
HALVES = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\0")
SEVERAL = "has several objects, where each needs a line of its own, which ends in a line feed"
LINE = "line"  # the name of those of a line whose values are no columns


class JsonLines(ByteContent):
    """A file of JSON lines, each of which, with its line end, is a record. format: how an archive's
    header describes it. stream: opens the file; effort: how far to search for a small encoding,
    None: the default; both only for writing."""

    name = "lines"
    part = "a line"
    can_be_sharded = True

    def __init__(
        self,
        format: dict[str, Json],
        stream: Callable[[], BinaryIO] | None = None,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(LOSSLESS, format, stream)
        self.effort = effort or Effort()

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> JsonLines:
        """The content of a header, for reading; KeyError, TypeError or ValueError without a
        format."""
        return cls(dict(header["format"]))

    # ---- writing

    def items(self) -> Iterator[bytes]:
        """Yield the file in pieces of whole lines: after every PIECE (2^22) bytes that are read,
        the lines that have ended by then, if any; only the last piece may lack its line end."""
        with self.opened() as stream:
            unfinished = b""
            while data := read_exactly(stream, PIECE):
                unfinished += data
                # whole lines only; one that is longer than a piece waits for its end
                end = unfinished.rfind(b"\n") + 1
                if end:
                    yield unfinished[:end]
                    unfinished = unfinished[end:]
            if unfinished:
                yield unfinished

    def encode(self, item: bytes, hints: Hints) -> list[Encoded]:
        """Encode an item, a piece of whole lines, as one block: by the values of its keys, or, if
        that is smaller, as one compressed text. hints: of the block before. ArchiveError for values
        of more bytes than a block may have."""
        coded, rows, words = jsonlines.encode(item)
        ways.offer(coded, self.effort, hints.ways)
        content, payload, after = blocks.encode(
            coded,
            rows,
            words,
            self.effort,
            hints,
            watched=True,  # tells how many columns are done
        )
        # lines may be too few, or too different, for columns to pay: then all are one text
        packed_text = plain.packed(item, len(payload), self.effort.quick)
        if packed_text is not None:
            text_column = [bytes_column(packed_text)]
            # the plans that were found still are hints for the block after this one
            content, payload, _ = blocks.encode(text_column, rows, {}, self.effort)
        return [Encoded(rows, content, payload, after)]

    # ---- reading

    def is_like(self, other: Content) -> bool:
        """Whether the other content is of JSON lines, too; any such may be parts of one table,
        whatever their keys."""
        return isinstance(other, JsonLines)

    def names(self, archive: Archive) -> list[str]:
        """The keys of the archive's first record, each once, with U+FFFD for halves of surrogate
        pairs; [] if it has no record. Blank lines are no records. DataError if the line is no JSON,
        ParamError if it is no object, ArchiveError for a damaged block before it, unless the
        archive is lenient."""
        # the first record, most often among the first few lines, so that no more are decoded
        for first, last in ((0, FEW), (FEW, archive.rows)):
            end = min(last, archive.rows)
            for number, line in _numbered_records(archive, first, end):
                record = _object_of_line(archive, line, number, json.loads)
                # different keys may be one once halves of surrogate pairs are replaced
                return list(dict.fromkeys(whole_text(name) for name in record))
        return []

    def records_of(self, block: Block) -> Mask | None:
        """Tell which lines of a decoded block are records: (rows,) bool, False for blank lines and
        for brackets around a list; None where all are. ArchiveError if the block is damaged."""
        are_records = jsonlines.have_records(block)
        return None if are_records.all() else are_records

    def rows_told(self, archive: Archive) -> str:
        """A message for the user where the first line that is not blank is no JSON object, as in a
        JSON document: that rows are lines of text, and how to get records; else "". ArchiveError
        for a damaged block before that line, unless the archive is lenient."""
        try:
            self.names(archive)
        except (NoRecordError, ParamError):
            return WAY_OUT
        return ""

    def owners(self, block: Block) -> list[int] | None:
        """None, as the columns of a block belong to no names: each block has keys of its own."""
        return None

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """The bits of each line by key; those of its frame, what stands around the values, by the
        name "keys". Of a block that is one text, by the name "line" alone. archive: not used;
        ledger: filled by the block's decoding, and changed in place, as Content.costs says.
        ArchiveError if the block is damaged."""
        if jsonlines.is_text(block):
            text, bits = blobs.priced(block.columns[0].blobs[0])
            lines = jsonlines.split(text)
            # the bits of a line are those of its bytes
            lengths = np.array([len(line) for line in lines], np.int64)
            edges = np.append(0, np.cumsum(lengths))
            of_lines = attribution.between(bits, edges)
            return costs_of_text(ledger, [LINE], of_lines[:, None])
        # the bits of blobs, such as compressed texts, are shared among the cells in them
        attribution.share_blobs(ledger, block.columns)
        names, owners = _without_repeats(jsonlines.keys_of(block))
        # the first column says what frame each line has
        places = [0]
        for owner in owners:
            places.append(owner + 1)
        return ledger.costs([KEYS, *names], places)

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column of `costs` the cells of these lines: first the line's keys, as "a, b",
        then the values of each key, "" where the line has it not; of a block that is one text the
        lines themselves, without blanks around them. archive: not used; rows: (n,), numbers of
        lines within the block, from 0. ArchiveError if the block is damaged."""
        lines = jsonlines.decode(block, block.rows)
        chosen = [lines[row] for row in rows.tolist()]
        if jsonlines.is_text(block):
            texts = [line.decode("utf-8", "replace") for line in chosen]
            return [[text.strip() for text in texts]]
        names, _ = _without_repeats(jsonlines.keys_of(block))
        # of each line {key: texts of its values}, of which the keys are the first cell
        values = [jsonlines.values_by_key(line) for line in chosen]
        columns = [[", ".join(of_line) for of_line in values]]
        for name in names:
            # a key that comes more than once in a line has all its values in one cell
            values_of_key = [of_line.get(name, []) for of_line in values]
            columns.append([", ".join(texts) for texts in values_of_key])
        return columns

    def numbers(self, archive: Archive, block: Block) -> list[Float | None]:
        """For each column of `costs` its numbers, (lines,) float64, of all lines of the block, NaN
        for lines without one; None for the lines' keys, for a key that comes more than once in a
        line, and for lines stored as one text. archive: not used. ArchiveError if the block is
        damaged."""
        if jsonlines.is_text(block):
            return [None]
        names, owners = _without_repeats(jsonlines.keys_of(block))
        numbers: list[Float | None] = [None] * (1 + len(names))
        for place, owner in enumerate(owners):
            # a list of numbers has none of them alone
            if owners.count(owner) == 1:
                numbers[owner + 1] = jsonlines.numbers_of(block, place)
        return numbers

    def text_of(self, block: Block) -> bytes:
        """All lines of a decoded block, byte for byte, one behind the other; ArchiveError if it is
        damaged."""
        return b"".join(jsonlines.decode(block, block.rows))

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> bytes:
        """The lines of a block of the archive that `inside` slices, byte for byte; if keys are
        wanted, each line written anew as JSON with only those of these keys that it has, in the
        order in which they are wanted, ended by a line feed. Then blank lines stay as they are,
        brackets and commas of a list that is written an object a line are left out, and halves of
        surrogate pairs become escapes. DataError or ParamError for a line that cannot be read as a
        JSON object, ArchiveError if the block is damaged."""
        lines = jsonlines.decode(block, block.rows)[inside]
        if wanted is None:
            return b"".join(lines)
        chosen = []
        # one for all lines, as it warns once
        reader = _Reader(archive)
        first = block.first + inside.indices(block.rows)[0]
        for number, line in enumerate(lines, first):
            if not jsonlines.has_record(line):
                # a blank line stays where it stands; a list's brackets and commas are left out
                chosen.append(b"" if _is_sign_of_list(line) else line)
                continue
            chosen.append(_text_with_only(reader.record(line, number), wanted) + b"\n")
        return b"".join(chosen)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write lines first:last to `file`. wanted: keys of the first record, to which each line is
        cut as `decode` does; None: lines as they are. Of a list that is written an object a line,
        all lines cut to these keys are a list again, and a part of the lines are lines of JSON.
        ParamError for a key that the first record has not, DataError or ParamError for a line that
        cannot be read as a JSON object, ArchiveError for a damaged block, unless the archive is
        lenient."""
        if wanted is None:
            super().restore(archive, file, first, last)
            return
        self.places(archive, wanted)
        is_whole = (first, last) == (0, archive.rows)
        # an index of several such files is not one list
        is_one_file = archive.content is self
        if is_whole and is_one_file and _begins_a_list(archive):
            for line in _lines_of_list(archive, wanted):
                file.write(line)
            return
        super().restore(archive, file, first, last, wanted)

    def frame(self, archive: Archive, first: int, last: int) -> pd.DataFrame:
        """Lines first:last that are not blank as a DataFrame, a row for each, a column for each
        key. DataError for a line that is no JSON, ParamError for one that is no object,
        ArchiveError for a damaged block, unless the archive is lenient."""
        records = list(_records(archive, first, last))
        return arrow_files.frame_of_records(records)

    def frame_of_columns(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str],
    ) -> pd.DataFrame:
        """Lines first:last that are not blank as a DataFrame, a row for each, of only the keys
        `wanted`, in this order; a key that a line has not is missing there. ParamError for a key
        that the first record has not; also for a line that is no object, DataError for one that is
        no JSON. ArchiveError for a damaged block, unless the archive is lenient."""
        # raises ParamError for a key that is not there
        self.places(archive, wanted)
        records = []
        # each line is read as a whole, and only the members of these keys are kept
        for record in _records(archive, first, last):
            records.append(_with_only(record, wanted))
        return arrow_files.frame_of_records(records, wanted)


def _without_repeats(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Leave out repeated names: (the different names, in the order of their first use; for each
    name its place, from 0, among these)."""
    once = list(dict.fromkeys(names))
    return once, [once.index(name) for name in names]


def _records(archive: Archive, first: int, last: int) -> Iterator[dict[str, Json]]:
    """Yield the JSON object of each record among lines first:last of the archive, as a _Reader
    reads it, with U+FFFD for halves of surrogate pairs; DataError or ParamError for a line that it
    refuses."""
    reader = _Reader(archive)
    for number, line in _numbered_records(archive, first, last):
        record = reader.record(line, number)
        # rare, and looking costs less than a copy of every record
        if HALVES.search(line):
            record = in_whole_characters(record)
        yield record


def _numbered_records(archive: Archive, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield (its number, counted from 0 in the archive, the line) of each of the lines first:last
    that is a record, not blank. ArchiveError for a damaged block, unless the archive is lenient."""
    number = first
    for piece in archive.pieces(first, last):
        for line in jsonlines.split(piece):
            if jsonlines.has_record(line):
                yield number, line
            number += 1


def _is_sign_of_list(line: bytes) -> bool:
    """Whether a line that is no record is not blank either, so that it is a bracket or comma of a
    list of objects."""
    return bool(line.removeprefix(BOM).strip())


def _begins_a_list(archive: Archive) -> bool:
    """Whether the first line of an archive that is not blank begins with the bracket of a list."""
    for piece in archive.pieces(0, archive.rows):
        for line in jsonlines.split(piece):
            bare = line.removeprefix(BOM).strip()
            if bare:
                return bare.startswith(b"[")
    return False


def _lines_of_list(archive: Archive, wanted: Sequence[str]) -> Iterator[bytes]:
    """Yield the lines of an archive of a list that is written an object a line, each object with
    the wanted keys alone, those that it has, and brackets and commas where they stand. DataError or
    ParamError for a line that cannot be read so."""
    # one for all lines, as it warns once
    reader = _Reader(archive)
    number = 0
    for piece in archive.pieces(0, archive.rows):
        for line in jsonlines.split(piece):
            if jsonlines.has_record(line):
                object_text = _text_with_only(reader.record(line, number), wanted)
                text = line.removeprefix(BOM)
                # of an object no byte before its first brace and behind its last one is a part
                before = text[: text.find(b"{")].lstrip()
                behind = text[text.rfind(b"}") + 1 :].rstrip()
                yield before + object_text + behind + b"\n"
            else:
                yield line
            number += 1


def _text_with_only(record: dict[str, Json], wanted: Sequence[str]) -> bytes:
    """The JSON object `record` cut to the wanted keys that it has, in the order in which they are
    wanted, as text in UTF-8; halves of surrogate pairs are escapes."""
    members = _with_only(record, wanted)
    return with_halves_escaped(json.dumps(members, ensure_ascii=False)).encode()


def _with_only(record: dict[str, Json], wanted: Sequence[str]) -> dict[str, Json]:
    """The members of `record`, a JSON object, of the wanted keys, in the order in which they are
    wanted; keys that it has not are left out. A key with halves of surrogate pairs is wanted by its
    `whole_text`, and stays as it is."""
    keys = {whole_text(key): key for key in record}
    return {keys[name]: record[keys[name]] for name in wanted if name in keys}


@dataclass(eq=False)
class _Reader:
    """Reads lines of an archive as JSON objects. Of a key that comes twice in one object the last
    value is read, as everywhere in Python, with a warning of the first such line: the archive is
    written already, and its other lines are to be had."""

    archive: Archive

    def record(self, line: bytes, number: int) -> dict[str, Json]:
        """The JSON object of a line; DataError if the line is no JSON, ParamError if it is no
        object. Warns, once for all lines of the open archive, of a key that comes twice. number: of
        the line, from 0, for messages."""
        try:
            return _object_of_line(self.archive, line, number, parsed)
        except RepeatedKeyError as repeated:
            start = line.decode("utf-8", "replace").strip()[:SHOWN]
            self.archive.warn_once(
                "twice",
                f"of the key '{repeated.key}', which comes twice in one object, the last value is "
                f"read: {start}",
            )
        return _object_of_line(self.archive, line, number, json.loads)


class NoRecordError(DataError):
    """A line of JSON lines cannot be read as JSON; the message names the line."""


def _object_of_line(
    archive: Archive,
    line: bytes,
    number: int,
    parse: Callable[[str], Json],
) -> dict[str, Json]:
    """The JSON object of a line, in UTF-8, UTF-16 or UTF-32, or of one of a list of objects that is
    written an object a line. number: of the line, from 0, for messages; parse: makes it of the
    line's text; archive: whose name messages have. NoRecordError if the line is no JSON, ParamError
    if it is no object; errors of parse other than ValueError and RecursionError go through."""
    encoding = json.detect_encoding(line)
    where = f"{archive.reader.path}: line {number + 1:,}"
    try:
        text = line.decode(encoding, "surrogatepass")
        record = parse(_without_signs_of_list(text))
    except (ValueError, RecursionError) as error:
        # lines end with the byte 0A, which cuts characters of UTF-16 and UTF-32, of two or four
        # bytes, in two: only the first line of such a file shows its encoding
        if not number and not encoding.startswith("utf-8"):
            raise NoRecordError(
                f"{where} is {encoding.upper()}, and JSON is UTF-8; decompress the file, save it "
                "as UTF-8, and compress it again"
            ) from None
        reason = _fault_in_words(error)
        start = line.decode("utf-8-sig", "replace").strip()[:SHOWN]
        # most likely the file is one JSON document, no line of which can be read by itself
        advice = WAY_OUT
        if start.startswith("{") and start != "{" and reason != SEVERAL:
            advice = "decompress the file, mend that line, and compress it again"
        raise NoRecordError(f"{where} {reason}: {start}; {advice}") from None
    if not isinstance(record, dict):
        raise ParamError(f"{where}: its lines are no objects, which have names; {WAY_OUT}")
    return record


def _fault_in_words(error: ValueError | RecursionError) -> str:
    """Say what is wrong with a line that `error` shows not to be readable as JSON, as the words of
    a message that follow the line's number: "has byte 0xff, which is not UTF-8"."""
    if isinstance(error, UnicodeDecodeError):
        wrong_byte = error.object[error.start]
        return f"has byte 0x{wrong_byte:02x}, which is not {error.encoding.upper()}"
    if not isinstance(error, json.JSONDecodeError):
        return fault_of(error)
    # another object behind the first one: of a list, or of a line that ends in CR alone
    behind = error.doc[error.pos :]
    if error.msg == "Extra data" and behind.lstrip(", \t\r").startswith("{"):
        return SEVERAL
    return fault_of(error, error.msg)


def _without_signs_of_list(text: str) -> str:
    """`text`, a line of a list of objects, without the list's bracket or comma before and behind
    its object, and without blanks at its ends; any other line, also of an object alone, as it
    is."""
    bare = text.strip()
    inner = bare.removeprefix("[").removeprefix(",").removesuffix("]").removesuffix(",").strip()
    is_object = inner.startswith("{") and inner.endswith("}")
    # a line without bracket and comma keeps its blanks, so that the parser's errors name the column
    # as it is in the line
    return inner if is_object and inner != bare else text
