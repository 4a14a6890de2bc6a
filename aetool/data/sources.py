"""Opens whatever holds records, tables or pictures, as a source that yields them in batches, again
and again."""

from __future__ import annotations

import glob
import gzip
import io
import json
import lzma
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import numpy as np

from aetool import files
from aetool.canonical import Json
from aetool.csv import encodings
from aetool.csv.dialect import Reading
from aetool.csv.sniffing import NOTHING, sniff
from aetool.data import (
    arrow_files,
    chains,
    databases,
    foreign,
    images,
    memory,
    notices,
    readers,
    remote,
    text,
    workbooks,
)
from aetool.data.arrow_source import ArrowFileSource, ArrowMemorySource, CopiedTable
from aetool.data.chains import ChainSource
from aetool.data.pictures import decoding
from aetool.data.table import Cells, Table, Values
from aetool.data.table_source import ROWS, TableSource
from aetool.errors import DataError
from aetool.files.names import suffix_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ARRAY = 8 << 30
MOST_JSON = 1 << 30  # bytes of a list that is read at once
RESERVOIR = 200_000
HEAD = 1 << 18  # bytes by which a dialect is told
LIST = re.compile(rb'\s*\[\s*\{\s*["}]')  # how a list of JSON objects begins
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half a pair, as JSON writes it
HALF = re.compile("[\ud800-\udfff]")  # one that is left when pairs were joined
_ZSTD, _XZ, _GZIP = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x1f\x8b"


class TextPath(os.PathLike[str]):
    """A path, or the place of a copied file, with the user's settings of how its text is written;
    it is taken wherever a path is."""

    def __init__(self, given: str | os.PathLike[str] | files.Place, reading: Reading) -> None:
        self.given = given
        self.reading = reading
        self.path = given.name if isinstance(given, files.Place) else os.fspath(given)

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path


class CsvSource(TableSource):
    """A table in text: CSV, TSV or any of `,` tab `;` `|`, or blanks, between fields.

    reading: the user's settings of how it is written; model_reading: those of the table that a
    model was fitted on. Each thing that is unusual is said once for a source, as a notice.
    """

    is_in_text = True

    def __init__(
        self,
        path: Path,
        name: str,
        reading: Reading = NOTHING,
        model_reading: Reading = NOTHING,
    ) -> None:
        self.path = path
        with open_stream(path) as stream:
            head = stream.read(HEAD)
        # whole records tell more than a record that was cut
        cut = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
        whole = head if len(head) < HEAD or not cut else head[:cut]
        suffix = suffix_of(name)
        # the name is a hint, and the text decides
        likely = "\t" if suffix in (".tsv", ".tab") else None
        self.dialect = sniff(whole, name, reading, model_reading, likely)
        facts = {"format": "csv", "suffix": suffix, **self.dialect.to_json()}
        super().__init__(name, facts, reading)
        self.decimal = self.dialect.decimal
        self._told: set[str] = set()

    def open_text(self) -> BinaryIO:
        """Open the file's text, decompressed, as UTF-8."""
        return encodings.utf8(open_stream(self.path), self.dialect.encoding)

    def batches(self) -> Iterator[Table]:
        # what the user says of the encoding comes first
        encoding = self.dialect.read_as or self.dialect.encoding
        with encodings.utf8(open_stream(self.path), encoding) as stream:
            yield from text.tables(stream, self.name, self.dialect, self.tell)

    def tell(self, line: str) -> None:
        """Say a line on this source as a notice, but each line only once."""
        if line not in self._told:
            self._told.add(line)
            notices.say(self.name, line)


class UnreadSource(TableSource):
    """A file that cannot be read as a table: reading raises `reason`; only an archive can store
    it."""

    def __init__(self, path: Path, name: str, reason: DataError) -> None:
        super().__init__(name, {"format": "binary", "suffix": suffix_of(name)})
        self.path = path
        self.reason = reason

    def batches(self) -> Iterator[Table]:
        raise self.reason


class JsonLinesSource(TableSource):
    """A table of JSON lines: each line is one object, a record."""

    is_in_text = True

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name, {"format": "jsonl", "suffix": ".jsonl"})
        self.path = path

    def batches(self) -> Iterator[Table]:
        # the first batch tells the columns: a key that comes later is an error
        names: tuple[str, ...] = ()
        records: list[dict[str, Json]] = []
        numbers: list[int] = []  # blank lines are counted, as they are in archives
        stream = open_stream(self.path)
        with io.TextIOWrapper(stream, "utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(
                        f"{self.name}: line {number} is not JSON ({error}); write "
                        "an object {...} on each line, or a list [{...}, ...] in a .json file"
                    ) from None
                if not isinstance(record, dict):
                    raise DataError(f"{self.name}: line {number} is not an object {{...}}")
                # rare, and looking costs less than replacing in every line
                if SURROGATE.search(line):
                    record = _whole_characters(record)
                records.append(record)
                numbers.append(number - 1)
                if len(records) == ROWS:
                    names = names or _keys(records)
                    yield self._table(names, records, numbers)
                    records = []
                    numbers = []
        if records:
            yield self._table(names or _keys(records), records, numbers)

    def _table(
        self,
        names: tuple[str, ...],
        records: list[dict[str, Json]],
        numbers: Sequence[int],
    ) -> Table:
        # a key that is missing is a gap; one that is new would have no column
        known_names = set(names)
        for number, record in zip(numbers, records, strict=True):
            if not record.keys() <= known_names:
                extra = next(k for k in record if k not in known_names)
                raise DataError(f"{self.name}: record {number + 1} brings a new key '{extra}'")
        values: list[Values] = []
        typed = set()
        for name in names:
            column = [r.get(name) for r in records]
            if any(isinstance(v, str | bool | list | dict) for v in column):
                typed.add(name)
                # true and false alone come back as JSON has them, without quotes
                plain = all(isinstance(v, bool) or v is None for v in column)
                self.dtypes.setdefault(name, "bool" if plain else "string")
            values.append(Cells.of([_json_cell(v) for v in column]))
        first = numbers[0]
        last = numbers[-1]
        # without blank lines between records, the first number tells all
        in_order = last - first + 1 == len(numbers)
        every = None if in_order else np.array(numbers)
        return Table(names, tuple(values), first, frozenset(typed), every)


class JsonDocumentSource(JsonLinesSource):
    """A table that is one JSON document: a list of objects or of rows, or an object of columns."""

    def batches(self) -> Iterator[Table]:
        with open_stream(self.path) as stream:
            # one byte more, to tell a document of just that size from a larger one
            raw = stream.read(MOST_JSON + 1)
        if len(raw) > MOST_JSON:
            raise DataError(
                f"{self.name}: a JSON document of more than {MOST_JSON >> 20} MiB is not read at "
                "once; write an object on each line, as .jsonl"
            )
        try:
            document = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.name}: not JSON: {error}") from None
        records = _records_of(document, self.name)
        names = _keys(records)
        for row in range(0, len(records), ROWS):
            # a piece at a time: the document is in memory twice otherwise
            part = [_whole_characters(record) for record in records[row : row + ROWS]]
            yield self._table(names, part, range(row, row + len(part)))


def _records_of(document: object, name: str) -> list[dict[str, Json]]:
    """The records of a JSON document, an object each, in whichever of the usual forms the table is
    written; DataError if it is none. name: for messages."""
    if isinstance(document, dict):
        return _records_of_object(document, name)
    if not isinstance(document, list):
        raise DataError(f"{name}: a single value, where a list [{{...}}, ...] is wanted")
    # a list of lists is rows without names
    if document and all(isinstance(row, list) for row in document):
        return _records_of_rows(document, name)
    for number, record in enumerate(document, 1):
        if not isinstance(record, dict):
            raise DataError(f"{name}: item {number} of the list is not an object {{...}}")
    return document


def _records_of_object(document: dict[str, Json], name: str) -> list[dict[str, Json]]:
    """The records of a JSON object: of columns by name, of records by number, of names beside rows,
    or with a schema, as pandas writes them; any other object is one record."""
    # as pandas writes it with orient="split"
    if document.keys() - {"index"} == {"columns", "data"}:
        rows = document["data"]
        if isinstance(rows, list) and all(isinstance(row, list) for row in rows):
            return _records_of_rows(rows, name, [str(column) for column in document["columns"]])
    # as pandas writes it with orient="table"
    if document.keys() == {"schema", "data"} and isinstance(document["data"], list):
        return _records_of([dict(record) for record in document["data"]], name)
    values = list(document.values())
    # empty, or with empty parts: no form of a table
    if not values or not all(values):
        return [document]
    if all(isinstance(column, list) for column in values):
        if len({len(column) for column in values}) == 1:
            return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)]
    elif all(isinstance(part, dict) and part.keys() == values[0].keys() for part in values):
        # by number: records; by name: columns, each by number of the row
        if all(key.isdigit() for key in document) and not all(key.isdigit() for key in values[0]):
            return values
        return [{column: document[column][row] for column in document} for row in values[0]]
    return [document]


def _records_of_rows(
    rows: list[list[Json]],
    name: str,
    columns: list[str] | None = None,
) -> list[dict[str, Json]]:
    """Rows, lists of values, as objects. columns: their names; None: c1, c2 ... DataError if rows
    differ in length."""
    names = columns or [f"c{place + 1}" for place in range(len(rows[0]))]
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(f"{name}: row {number} has {len(row)} values, others {len(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _keys(records: list[dict[str, Json]]) -> tuple[str, ...]:
    # in the order in which keys first appear
    return tuple(dict.fromkeys(k for r in records for k in r))


def _json_cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # numbers, truths and nested values as JSON writes them: they are read as cells of a CSV are
    return json.dumps(value)


def _whole_characters(record: dict[str, Json]) -> dict[str, Json]:
    """A copy of the record in which each half of a surrogate pair, which is no character, is
    U+FFFD.

    Programs that cut a text by UTF-16 units, in the middle of an emoji, write such halves.
    """
    return {
        HALF.sub("\ufffd", key): HALF.sub("\ufffd", value) if isinstance(value, str) else value
        for key, value in record.items()
    }


class ArraySource(TableSource):
    """A table of a matrix, whose columns are c1, c2 ..., or of the arrays of an .npz that have one
    length."""

    def __init__(self, name: str, arrays: dict[str, Json], suffix: str) -> None:
        super().__init__(name, {"format": suffix[1:], "suffix": suffix})
        self._columns: dict[str, Json] = {}
        arrays = {key: array for key, array in arrays.items() if array.ndim}  # scalars say nothing
        rows = {len(a) for a in arrays.values()}
        if len(rows) != 1:
            raise DataError(f"{name}: arrays of one length are needed, found {sorted(rows)}")
        for key, array in arrays.items():
            if array.ndim == 2:
                # X is what people call the table among labels and weights
                prefix = "c" if len(arrays) == 1 or key == "X" else f"{key}_"
                wide = {f"{prefix}{i + 1}": array[:, i] for i in range(array.shape[1])}
            else:
                wide = {key: array}
            for column, values in wide.items():
                self._columns[column] = values
                self.dtypes[column] = str(values.dtype)
        self.format["arrays"] = {k: list(a.shape[1:]) for k, a in arrays.items()}

    def batches(self) -> Iterator[Table]:
        if not self._columns:
            raise DataError(f"{self.name}: an array without columns")
        total = len(next(iter(self._columns.values())))
        # an empty array gives one batch, which tells its columns
        for first in range(0, max(total, 1), ROWS):
            values: list[Values] = []
            for column in self._columns.values():
                part = column[first : first + ROWS]
                if part.dtype.kind in "US":
                    values.append(Cells.of([str(v) for v in part]))
                elif part.dtype.kind == "M":
                    values.append(part)
                else:
                    values.append(part.astype(np.float64))
            yield Table(tuple(self._columns), tuple(values), first)


Source = TableSource | images.ImageSource
INSIDE = "::"  # between a database or workbook and what is wanted of it
WILD = re.compile(r"[*?\[]")


def open_source(data: object, model_reading: Reading = NOTHING) -> Source:
    """Open data as a source of records: a path (of a file, a folder, a pattern, an address, a
    database's table, or `-`, standard input), anything else that memory.held takes, or a list of
    these.

    model_reading: how the text was written that a model was fitted on. DataError for what cannot be
    read, or is no data.
    """
    data = memory.begun(data)
    if decoding.is_picture(data) and not isinstance(data, np.ndarray):
        return images.ListSource([data])
    if memory.is_several(data):
        return open_sources(cast("Sequence[object]", data), model_reading)
    reading = NOTHING
    if isinstance(data, TextPath):
        reading = data.reading
        data = data.given
    content = memory.held(data)
    if isinstance(content, CopiedTable):
        return content
    if isinstance(content, np.ndarray):
        return _of_arrays({"c": content}, f"numpy {content.dtype}", ".npy")
    if isinstance(content, files.Place):
        return open_place(content, reading, model_reading)
    if not isinstance(content, str | os.PathLike):
        return ArrowMemorySource(type(data).__name__, content)
    inside = inside_of(content)
    if inside is not None:
        return open_inside(*inside)
    places = places_of(content)
    if len(places) == 1:
        return open_place(places[0], reading, model_reading)
    # a pattern such as *.png names pictures
    if all(suffix_of(place.name) in images.SUFFIXES for place in places):
        return images.picture_files(os.fspath(content), places)
    return _table_of_parts(
        os.fspath(content), places, [p.name for p in places], reading, model_reading
    )


def open_sources(data: Sequence[object], model_reading: Reading = NOTHING) -> Source:
    """Open several inputs as one source: tables are read one after the other, pictures joined.
    DataError for a mixture of both."""
    if all(decoding.is_picture(item) for item in data):
        return images.ListSource(data)
    sources = [open_source(item, model_reading) for item in data]
    if len(sources) == 1:
        return sources[0]
    # tables and pictures do not mix
    pictures = [source for source in sources if isinstance(source, images.PictureFiles)]
    if len(pictures) == len(sources):
        return images.together(pictures)
    if any(isinstance(source, images.ImageSource) for source in sources):
        raise DataError("give folders and files of pictures, or one array of them, or tables only")
    return ChainSource([item for item in sources if isinstance(item, TableSource)])


def places_of(data: str | os.PathLike[str]) -> list[files.Place]:
    """The places of the files of a path: one, or all that a pattern matches, or those below a
    folder of an object store. DataError where there is none."""
    path = os.fspath(data)
    if remote.is_remote(path):
        return remote.places_of(path)
    # a file that is there is meant, even if its name has a * in it
    if path != "-" and not os.path.lexists(path):
        files.repair(Path(path))  # a folder that a killed process was about to replace
        if WILD.search(path) and not os.path.lexists(path):
            matching = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - may be absolute
            if not matching:
                raise DataError(f"{path}: no such file, and none that this pattern names")
            return [files.place_of(one) for one in matching]
    return [files.place_of(data)]


def inside_of(data: str | os.PathLike[str]) -> tuple[Path, str] | None:
    """Split a path such as file.db::table into (the file's path, the name of what is wanted in it);
    None for a path without "::"."""
    path, sign, wanted = os.fspath(data).partition(INSIDE)
    if not sign or os.path.lexists(os.fspath(data)) or not Path(path).is_file():
        return None
    return Path(path), wanted.strip()


def open_inside(path: Path, wanted: str) -> CopiedTable:
    """Open a table of a database, or a sheet of a workbook. wanted: its name, or a query."""
    with path.open("rb") as file:
        head = file.read(foreign.HEAD)
    if head.startswith(databases.MAGIC):
        return databases.open_table(path, str(path), wanted)
    if workbooks.is_workbook(path):
        return workbooks.open_sheet(path, str(path), wanted)
    raise DataError(f"{path}: what stands behind {INSIDE} is of SQLite databases and of workbooks")


def open_place(
    place: files.Place,
    reading: Reading = NOTHING,
    model_reading: Reading = NOTHING,
) -> Source:
    """Open the file or folder at a place as a source."""
    source = _open(place.path, place.name, reading, model_reading)
    source.place = source.place or place
    return source


def _table_of_parts(
    name: str,
    places: Sequence[files.Place],
    paths: Sequence[str],
    reading: Reading,
    model_reading: Reading,
) -> ChainSource:
    """Open several files as one table. paths: for each file the path that may add columns, as
    year=2024."""
    sources: list[TableSource] = []
    for place in places:
        source = open_place(place, reading, model_reading)
        if not isinstance(source, TableSource):
            raise DataError(f"{source.name}: pictures, where {name} names tables")
        sources.append(source)
    return ChainSource(sources, name, [chains.parts_of_path(path) for path in paths])


def _open_folder(path: Path, name: str, reading: Reading, model_reading: Reading) -> Source:
    """Open a folder: as pictures, or as one table if more of its files are parts of a table than
    pictures."""
    folder = images.FolderSource(path, name)
    parts = [part for part in folder.others if chains.is_part(part)]
    # what most of its files are decides: a few notes among pictures are no table
    if len(parts) <= len(folder.names):
        return folder
    places = [files.Place(path / part, f"{name.rstrip('/')}/{part}") for part in parts]
    table = _table_of_parts(name, places, parts, reading, model_reading)
    table.folder = path
    others = [*folder.names, *sorted(set(folder.others) - set(parts))]
    # hidden files are nobody's data
    left_out = [other for other in others if not remote.is_hidden(other)]
    if left_out:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        line = f"read as one table of {len(parts)} files, without {left_out[0]}{more}"
        notices.say(name, line)
    return table


def _open(path: Path, name: str, reading: Reading, model_reading: Reading) -> Source:
    # readers of plugins are asked before any of our own kinds is tried
    source = readers.source_of(path, name)
    if source is not None:
        return source
    if path.is_dir():
        return _open_folder(path, name, reading, model_reading)
    with open_stream(path) as stream:
        head = stream.read(foreign.HEAD)
    suffix = suffix_of(name)
    # a slip worth a word of its own: archives and models are given where data are wanted
    if head[:4] == b"\x89AEZ" or suffix == ".aem":
        raise DataError(f"{name}: this is one of aetool's own files, not data; see `aetool info`")
    typed = _open_typed(path, name, head)
    if typed is not None:
        return typed
    begin = head.removeprefix(encodings.BOM)
    # whatever it is called: no table of text begins so
    if LIST.match(begin) or (suffix == ".json" and begin.lstrip()[:1] == b"["):
        return JsonDocumentSource(path, name)
    if suffix == ".json" and begin.lstrip()[:1] == b"{" and not _is_in_lines(path):
        return JsonDocumentSource(path, name)
    if suffix in (".jsonl", ".ndjson", ".json") or (suffix == "" and head[:1] == b"{"):
        return JsonLinesSource(path, name)
    # the name of a picture is believed, and a damaged one is said when it is read
    if suffix in images.SUFFIXES or foreign.is_picture(head):
        return images.picture_files(name, [files.Place(path, name)])
    # files of other programs are named, with what to do about them
    what = foreign.kind_of(head, name)
    if what is not None:
        raise DataError(f"{name}: {what}")
    if not head:
        raise DataError(f"{name}: the file is empty")
    try:
        return CsvSource(path, name, reading, model_reading)
    # an archive can keep it still
    except encodings.NoTableError as reason:
        return UnreadSource(path, name, reason)


def _is_in_lines(path: Path) -> bool:
    """Whether the first line of a file is JSON by itself, and more lines follow."""
    with io.TextIOWrapper(open_stream(path), "utf-8-sig") as text:
        lines = (line for line in text if line.strip())
        try:
            json.loads(next(lines, ""))
            return next(lines, None) is not None
        except (ValueError, RecursionError):
            return False


def _open_typed(path: Path, name: str, head: bytes) -> Source | None:
    """Open a file whose first bytes are those of Parquet, Arrow, SQLite, Excel, numpy or idx; None
    for any other."""
    if arrow_files.kind_of(head):
        place = unpacked(path, name)
        table = ArrowFileSource(name, place.path)
        # the copy of a compressed file; of another the place is the one that the path came from
        table.place = place if place.spool is not None else None
        return table
    if head.startswith(databases.MAGIC):
        return databases.open_table(path, name, "")
    if head[:4] == b"PK\x03\x04" and workbooks.is_workbook(path):
        return workbooks.open_sheet(path, name, "")
    if head[:6] == b"\x93NUMPY" or head[:4] == b"PK\x03\x04":
        return _open_arrays(path, name, head)
    if head[:4] in images.IDX:
        return images.IdxSource(path, name, open_stream)
    return None


def open_stream(path: Path) -> BinaryIO:
    """Open a file's bytes, decompressed if it is gzip, zstd or xz; DataError if it cannot be
    opened."""
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    # by the first bytes: a suffix may be missing, or wrong
    if magic.startswith(_GZIP):
        return cast(BinaryIO, _Checked(gzip.open(path, "rb"), path))
    if magic.startswith(_XZ):
        return cast(BinaryIO, _Checked(lzma.open(path, "rb"), path))
    if magic.startswith(_ZSTD):
        import pyarrow as pa

        return cast(BinaryIO, _Checked(pa.input_stream(str(path), compression="zstd"), path))
    return path.open("rb")


def is_uncompressed(path: Path) -> bool:
    """Whether a file is neither gzip nor zstd nor xz, so that open_stream reads its own bytes."""
    with path.open("rb") as file:
        return not file.read(len(_XZ)).startswith((_GZIP, _XZ, _ZSTD))


def unpacked(path: Path, name: str) -> files.Place:
    """The place of the file's decompressed bytes: of a compressed file a temporary copy, else the
    file."""
    if is_uncompressed(path):
        return files.Place(path, name)
    with open_stream(path) as stream:
        return files.copied(stream, name)


class _Checked(io.RawIOBase):
    """A decompressing stream whose errors become DataError."""

    def __init__(self, inner: BinaryIO | gzip.GzipFile | lzma.LZMAFile, path: Path) -> None:
        self.inner = inner
        self.path = path

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self.inner.read(size))
        except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
            raise DataError(f"{self.path}: the compressed stream is damaged: {error}") from None

    def readinto(self, target: WriteableBuffer) -> int:
        room = memoryview(target).cast("B")
        data = self.read(len(room))
        room[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.inner.close()
        super().close()


def _open_arrays(path: Path, name: str, head: bytes) -> Source:
    try:
        if head[:4] == b"PK\x03\x04":
            _check_npz(path, name)
            # no pickle is ever opened: it could run code
            with np.load(path, allow_pickle=False) as file:
                arrays = {k: file[k] for k in file.files}
            suffix = ".npz"
        else:
            with path.open("rb") as plain:
                _check_header(plain, path.stat().st_size, name)
            # mapped: only the rows that are looked at are read
            arrays = {"c": np.load(path, mmap_mode="r", allow_pickle=False)}
            suffix = ".npy"
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{name}: not an array file that can be read: {error}") from None
    if not arrays:
        raise DataError(f"{name}: no arrays in it")
    return _of_arrays(arrays, name, suffix)


def _of_arrays(arrays: dict[str, Json], name: str, suffix: str) -> Source:
    """A source of arrays by name: of pictures, if one has three axes or more, else a table.
    DataError for values that are neither numbers, texts nor moments."""
    for key, array in arrays.items():
        if array.dtype.kind not in "biufUSM":
            raise DataError(f"{name}: array '{key}' has type {array.dtype}; numbers are needed")
    # three axes and more are pictures
    large = [k for k, a in arrays.items() if a.ndim >= 3]
    if large:
        return images.ArraySource(arrays[large[0]], name, suffix, large[0])
    if suffix == ".npy" and arrays["c"].ndim == 1:
        arrays = {"c1": arrays["c"]}
    return ArraySource(name, arrays, suffix)


def _check_npz(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        what = foreign.zip_of(archive.namelist(), name)
        if what is not None:
            raise DataError(f"{name}: {what}")
        for info in archive.infolist():
            # what the zip's index promises, before a byte is unpacked
            if info.file_size > MAX_ARRAY:
                raise DataError(f"{name}: member {info.filename} would take {info.file_size} bytes")
            with archive.open(info) as member:
                _check_header(member, info.file_size, name)


def _check_header(file: IO[bytes], size: int, name: str) -> None:
    """Raise DataError if an array's header claims more bytes than the file has, or Python objects,
    before memory is taken."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise DataError(f"{name}: numpy format {version} is not supported")
    shape, _, dtype = read[version](file)
    need = dtype.itemsize
    for n in shape:
        need *= int(n)
    if dtype.hasobject or need > size or need > MAX_ARRAY:
        raise DataError(f"{name}: the header promises {need} bytes of {dtype}, the file has {size}")
