"""Opens whatever holds records and gives them as batches, tables or pictures, again and again."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from aetool import files
from aetool.csv import encodings
from aetool.csv.dialect import Reading
from aetool.csv.sniffing import NOTHING, sniff
from aetool.data import arrow_files, foreign, images, notices, readers, text
from aetool.data.arrow_source import ArrowFileSource, ArrowMemorySource
from aetool.data.table import Cells, Table, Values
from aetool.data.table_source import ROWS, TableSource
from aetool.errors import DataError
from aetool.files.names import suffix_of

MAX_ARRAY = 8 << 30
MOST_JSON = 1 << 30  # bytes of a list that is read at once
RESERVOIR = 200_000
HEAD = 1 << 18  # bytes by which a dialect is told
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half a pair, as JSON writes it
HALF = re.compile("[\ud800-\udfff]")  # one that is left when pairs were joined
_ZSTD, _XZ, _GZIP = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x1f\x8b"


class TextPath(os.PathLike[str]):
    """A path, and what is said of how its text is written; taken wherever a path is."""

    def __init__(self, path: str | os.PathLike[str], reading: Reading) -> None:
        self.path, self.reading = os.fspath(path), reading

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path


class CsvSource(TableSource):
    """A table in text: CSV, TSV or any of `,` tab `;` `|`, or blanks, between fields.

    said: how the user says that it is written; known: what a model knows of such tables. What is
    not as it usually is, is said once by each source, in the log `aetool.data`.
    """

    def __init__(
        self, path: Path, name: str, said: Reading = NOTHING, known: Reading = NOTHING
    ) -> None:
        self.path = path
        with open_stream(path) as stream:
            head = stream.read(HEAD)
        cut = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
        whole = head if len(head) < HEAD or not cut else head[:cut]
        suffix = suffix_of(name)
        likely = "\t" if suffix in (".tsv", ".tab") else None
        self.dialect = sniff(whole, name, said, known, likely)
        facts = {"format": "csv", "suffix": suffix, **self.dialect.to_json()}
        super().__init__(name, facts, said)
        self.decimal = self.dialect.decimal
        self._told: set[str] = set()

    def open_text(self) -> BinaryIO:
        """The file's text as UTF-8, or what is cut like it, from its first byte."""
        return encodings.utf8(open_stream(self.path), self.dialect.encoding)

    def batches(self) -> Iterator[Table]:
        encoding = self.dialect.read_as or self.dialect.encoding
        with encodings.utf8(open_stream(self.path), encoding) as stream:
            yield from text.tables(stream, self.name, self.dialect, self.tell)

    def tell(self, line: str) -> None:
        """Says something of this source, once."""
        if line not in self._told:
            self._told.add(line)
            notices.say(self.name, line)


class UnreadSource(TableSource):
    """A file whose bytes are no table: an archive can keep them, nothing else reads them."""

    def __init__(self, path: Path, name: str, reason: DataError) -> None:
        super().__init__(name, {"format": "binary", "suffix": suffix_of(name)})
        self.path, self.reason = path, reason

    def batches(self) -> Iterator[Table]:
        raise self.reason


class JsonLinesSource(TableSource):
    """One JSON object a line."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name, {"format": "jsonl", "suffix": ".jsonl"})
        self.path = path

    def batches(self) -> Iterator[Table]:
        names: tuple[str, ...] = ()
        records: list[dict[str, Any]] = []
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
                if SURROGATE.search(line):
                    record = _whole_characters(record)
                records.append(record)
                numbers.append(number - 1)
                if len(records) == ROWS:
                    names = names or _keys(records)
                    yield self._table(names, records, numbers)
                    records, numbers = [], []
        if records:
            yield self._table(names or _keys(records), records, numbers)

    def _table(
        self, names: tuple[str, ...], records: list[dict[str, Any]], numbers: Sequence[int]
    ) -> Table:
        known = set(names)
        for number, record in zip(numbers, records, strict=True):
            if not record.keys() <= known:
                extra = next(k for k in record if k not in known)
                raise DataError(f"{self.name}: record {number + 1} brings a new key '{extra}'")
        values: list[Values] = []
        typed = set()
        for name in names:
            column = [r.get(name) for r in records]
            if any(isinstance(v, str | bool | list | dict) for v in column):
                typed.add(name)
                plain = all(isinstance(v, bool) or v is None for v in column)
                self.dtypes.setdefault(name, "bool" if plain else "string")
            values.append(Cells.of([_json_cell(v) for v in column]))
        first, last = numbers[0], numbers[-1]
        in_order = last - first + 1 == len(numbers)
        every = None if in_order else np.array(numbers)
        return Table(names, tuple(values), first, frozenset(typed), every)


class JsonListSource(JsonLinesSource):
    """A list of JSON objects, [{...}, ...], read as a whole."""

    def batches(self) -> Iterator[Table]:
        with open_stream(self.path) as stream:
            raw = stream.read(MOST_JSON + 1)
        if len(raw) > MOST_JSON:
            raise DataError(
                f"{self.name}: a list of more than {MOST_JSON >> 20} MiB is not read at once; "
                "write an object on each line, as .jsonl"
            )
        try:
            listed = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.name}: not JSON: {error}") from None
        for number, record in enumerate(listed, 1):
            if not isinstance(record, dict):
                raise DataError(f"{self.name}: item {number} of the list is not an object {{...}}")
        names = _keys(listed)
        for row in range(0, len(listed), ROWS):
            part = [_whole_characters(record) for record in listed[row : row + ROWS]]
            yield self._table(names, part, range(row, row + len(part)))


def _keys(records: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(k for r in records for k in r))


def _json_cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _whole_characters(record: dict[str, Any]) -> dict[str, Any]:
    """A record in which half a surrogate pair, which is no character, is replaced by U+FFFD.

    Programs that cut a text by UTF-16 units, in the middle of an emoji, write such halves.
    """
    return {
        HALF.sub("\ufffd", key): HALF.sub("\ufffd", value) if isinstance(value, str) else value
        for key, value in record.items()
    }


class ArraySource(TableSource):
    """A matrix from .npy, or the arrays of an .npz with one entry a record: X gives c1, c2, ..."""

    def __init__(self, name: str, arrays: dict[str, Any], suffix: str) -> None:
        super().__init__(name, {"format": suffix[1:], "suffix": suffix})
        self._columns: dict[str, Any] = {}
        arrays = {key: array for key, array in arrays.items() if array.ndim}  # scalars say nothing
        rows = {len(a) for a in arrays.values()}
        if len(rows) != 1:
            raise DataError(f"{name}: arrays of one length are needed, found {sorted(rows)}")
        for key, array in arrays.items():
            if array.ndim == 2:
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


class ChainSource(TableSource):
    """Several tables, one after the other."""

    def __init__(self, sources: Sequence[TableSource]) -> None:
        super().__init__(sources[0].name, sources[0].format, sources[0].said)
        self.sources, self.dtypes, self.decimal = sources, sources[0].dtypes, sources[0].decimal

    def batches(self) -> Iterator[Table]:
        row = 0
        for source in self.sources:
            for batch in source.batches():
                yield Table(batch.names, batch.values, row, batch.typed)
                row += len(batch)


Source = TableSource | images.ImageSource


def open_source(
    data: str | os.PathLike[str] | arrow_files.InMemory, known: Reading = NOTHING
) -> Source:
    """The source behind a path, `-` (standard input), a DataFrame or an Arrow table.

    known: what a model knows of how the text that it was fitted on is written.
    """
    if not isinstance(data, str | os.PathLike):
        return ArrowMemorySource(type(data).__name__, data)
    if not os.path.lexists(data):
        files.repair(Path(data))  # a folder that a killed process was about to replace
    place = files.place_of(data)
    said = data.reading if isinstance(data, TextPath) else NOTHING
    source = _open(place.path, place.name, said, known)
    source.place = source.place or place
    return source


def _open(path: Path, name: str, said: Reading = NOTHING, known: Reading = NOTHING) -> Source:
    read = readers.source_of(path, name)
    if read is not None:
        return read
    if path.is_dir():
        return images.FolderSource(path, name)
    with open_stream(path) as stream:
        head = stream.read(foreign.HEAD)
    suffix = suffix_of(name)
    if head[:4] == b"\x89AEZ" or suffix == ".aem":
        raise DataError(f"{name}: this is one of aetool's own files, not data; see `aetool info`")
    if arrow_files.kind_of(head):
        place = unpacked(path, name)
        table = ArrowFileSource(name, place.path)
        # the copy of a compressed file; of another the place is the one that the path came from
        table.place = place if place.spool is not None else None
        return table
    if head[:6] == b"\x93NUMPY" or head[:4] == b"PK\x03\x04":
        return _open_arrays(path, name, head)
    if head[:4] in images.IDX:
        return images.IdxSource(path, name, open_stream)
    is_list = head.removeprefix(encodings.BOM).lstrip()[:1] == b"["
    if suffix == ".json" and is_list:
        return JsonListSource(path, name)
    if suffix in (".jsonl", ".ndjson", ".json") or (suffix == "" and head[:1] == b"{"):
        return JsonLinesSource(path, name)
    what = foreign.kind_of(head, name)
    if what is not None:
        raise DataError(f"{name}: {what}")
    if suffix in images.SUFFIXES:
        raise DataError(f"{name}: one picture; give a folder of pictures of one size")
    if not head:
        raise DataError(f"{name}: the file is empty")
    try:
        return CsvSource(path, name, said, known)
    except encodings.NoTableError as reason:
        return UnreadSource(path, name, reason)


def open_sources(data: Sequence[Any]) -> Source:
    """One source of all inputs: several tables are chained."""
    sources = [open_source(d) for d in data]
    if len(sources) == 1:
        return sources[0]
    if any(isinstance(s, images.ImageSource) for s in sources):
        raise DataError("give one folder or file of pictures, or tables only")
    return ChainSource([s for s in sources if isinstance(s, TableSource)])


def open_stream(path: Path) -> BinaryIO:
    """A file's bytes, decompressed if they are gzip, zstd or xz."""
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    if magic.startswith(_GZIP):
        return cast(BinaryIO, _Checked(gzip.open(path, "rb"), path))
    if magic.startswith(_XZ):
        return cast(BinaryIO, _Checked(lzma.open(path, "rb"), path))
    if magic.startswith(_ZSTD):
        import pyarrow as pa

        return cast(BinaryIO, _Checked(pa.input_stream(str(path), compression="zstd"), path))
    return path.open("rb")


def unpacked(path: Path, name: str) -> files.Place:
    """Where the bytes of a file can be read at any place: of a compressed one a copy."""
    with path.open("rb") as file, open_stream(path) as inside:
        if file.read(len(_XZ)) == inside.read(len(_XZ)):
            return files.Place(path, name)
    with open_stream(path) as stream:
        return files.copied(stream, name)


class _Checked(io.RawIOBase):
    """A decompressing stream whose failures are DataErrors."""

    def __init__(self, inner: Any, path: Path) -> None:
        self.inner, self.path = inner, path

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self.inner.read(size))
        except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
            raise DataError(f"{self.path}: the compressed stream is damaged: {error}") from None

    def readinto(self, target: Any) -> int:
        data = self.read(len(target))
        target[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.inner.close()
        super().close()


def _open_arrays(path: Path, name: str, head: bytes) -> Source:
    try:
        if head[:4] == b"PK\x03\x04":
            _check_npz(path, name)
            with np.load(path, allow_pickle=False) as file:
                arrays = {k: file[k] for k in file.files}
            suffix = ".npz"
        else:
            with path.open("rb") as plain:
                _check_header(plain, path.stat().st_size, name)
            arrays = {"c": np.load(path, mmap_mode="r", allow_pickle=False)}
            suffix = ".npy"
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{name}: not an array file that can be read: {error}") from None
    if not arrays:
        raise DataError(f"{name}: no arrays in it")
    for key, array in arrays.items():
        if array.dtype.kind not in "biufUSM":
            raise DataError(f"{name}: array '{key}' has type {array.dtype}; numbers are needed")
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
            if info.file_size > MAX_ARRAY:
                raise DataError(f"{name}: member {info.filename} would take {info.file_size} bytes")
            with archive.open(info) as member:
                _check_header(member, info.file_size, name)


def _check_header(file: Any, size: int, name: str) -> None:
    """Refuses an array whose header promises more than the file holds, before it is allocated."""
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
