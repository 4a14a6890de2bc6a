"""Opens whatever holds records, tables or pictures, as a source that yields them in batches, again
and again."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from aetool import files
from aetool.csv import encodings
from aetool.csv.dialect import Reading
from aetool.csv.sniffing import NOTHING, sniff
from aetool.data import (
    arrow_files,
    chains,
    databases,
    foreign,
    images,
    json_sources,
    memory,
    notices,
    numpy_files,
    readers,
    remote,
    streams,
    text,
    workbooks,
)
from aetool.data.arrow_source import ArrowFileSource, ArrowMemorySource, CopiedTable
from aetool.data.chains import ChainSource
from aetool.data.pictures import decoding
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.errors import DataError, ParamError
from aetool.files.names import suffix_of
from aetool.spelling import option

RESERVOIR = 200_000
HEAD = 1 << 18  # bytes by which a dialect is told
LIST = re.compile(rb'\s*\[\s*\{\s*["}]')  # how a list of JSON objects begins
ARCHIVE = b"\x89AEZ"  # how an archive begins
LINES = (".jsonl", ".ndjson", ".json")  # the names of files with an object on each line


class TextPath(os.PathLike[str]):
    """A path, or the place of a copied file, with the user's settings of how its text is written;
    it is taken wherever a path is. path: its text, of a copied file the name."""

    def __init__(self, given: str | os.PathLike[str] | files.Place, reading: Reading) -> None:
        """Keep a path, or the place of a copied file, with the user's settings. given: the path or
        place itself, as `open_source` takes it. reading: the settings; what the user leaves out is
        told by the text."""
        self.given = given
        self.reading = reading
        self.path = given.name if isinstance(given, files.Place) else os.fspath(given)

    def __fspath__(self) -> str:
        """The path, for functions that take any os.PathLike."""
        return self.path

    def __str__(self) -> str:
        return self.path


class CsvSource(TableSource):
    """A table in text: CSV, TSV or any of `,` tab `;` `|`, or blanks, between fields.

    path: of its file, compressed or not. name: what messages call it; the suffix of the name is a
    hint at the delimiter. reading: the user's settings of how the text is written; model_reading:
    those of the table that a model was fitted on; dialect: how the text is written, as `sniff`
    tells. DataError if the file cannot be opened, NoTableError if it is no table in text,
    ParamError for a text that is not as the user says. Each thing that is unusual is said once for
    a source, as a notice.
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
        with streams.open_stream(path) as stream:
            head = stream.read(HEAD)
        suffix = suffix_of(name)
        # the suffix only suggests a delimiter: the text decides
        likely_delimiter = "\t" if suffix in (".tsv", ".tab") else None
        whole_lines = _whole_lines(head)
        self.dialect = sniff(whole_lines, name, reading, model_reading, likely_delimiter)
        facts = {"format": "csv", "suffix": suffix, **self.dialect.to_json()}
        super().__init__(name, facts, reading)
        self.decimal = self.dialect.decimal
        self._notices_said: set[str] = set()

    def open_text(self) -> BinaryIO:
        """Open the file's text, decompressed, as UTF-8, by the encoding that its bytes suggest,
        whatever the user says of it; the caller closes it. DataError if it cannot be opened;
        reading raises it where the file is damaged or its bytes are not of that encoding."""
        return encodings.utf8(streams.open_stream(self.path), self.dialect.encoding)

    def batches(self) -> Iterator[Table]:
        """Yield the records as columns of cells; DataError names the row that is not right."""
        # what the user says of the encoding comes first
        encoding = self.dialect.read_as or self.dialect.encoding
        with encodings.utf8(streams.open_stream(self.path), encoding) as stream:
            yield from text.tables(stream, self.name, self.dialect, self.tell)

    def tell(self, line: str) -> None:
        """Say a line on this source as a notice, but each line only once."""
        if line not in self._notices_said:
            self._notices_said.add(line)
            notices.say(self.name, line)


def _whole_lines(head: bytes) -> bytes:
    """Cut the beginning of a text behind its last line end, so that a line that is there in part
    does not mislead. head: the text's first bytes, at most HEAD (2^18); returned as they are if the
    text is shorter than HEAD, or they have no line end."""
    line_feed = head.rfind(b"\n")
    carriage_return = head.rfind(b"\r")
    cut = max(line_feed, carriage_return) + 1
    # a shorter text was read to its end, and is cut nowhere
    if len(head) < HEAD or not cut:
        return head
    return head[:cut]


class UnreadSource(TableSource):
    """A file that cannot be read as a table: `batches` raises `reason`, a DataError; only an
    archive can store it, as bytes. path: of the file; name: what messages call it."""

    def __init__(self, path: Path, name: str, reason: DataError) -> None:
        super().__init__(name, {"format": "binary", "suffix": suffix_of(name)})
        self.path = path
        self.reason = reason

    def batches(self) -> Iterator[Table]:
        """Raise the reason why the file is no table."""
        raise self.reason


Source = TableSource | images.ImageSource
INSIDE = "::"  # between a database or workbook and what is wanted of it
WILD = re.compile(r"[*?\[]")


def open_source(data: object, model_reading: Reading = NOTHING) -> Source:
    """Open data as a source of records or pictures: a path (of a file, a folder, a pattern, an
    address, a database's table, or `-`, standard input), anything else that memory.held takes, a
    picture (of Pillow), an iterator, which is read to its end, or a list of these.

    model_reading: how the text was written that a model was fitted on; the user's own settings come
    with a TextPath. DataError for what cannot be read, or is no data; ParamError for a text that is
    not as the user says.
    """
    # an iterator, which can be read only once, becomes a list of paths or pictures, or a table
    data = memory.begun(data)
    if decoding.is_picture(data) and not isinstance(data, np.ndarray):
        return images.ListSource([data])
    if memory.is_several(data):
        return open_sources(cast("Sequence[object]", data), model_reading)
    reading = NOTHING
    if isinstance(data, TextPath):
        reading = data.reading
        data = data.given
    # in a form that can be read again and again; the type of that decides how it is opened
    content = memory.held(data)
    if isinstance(content, CopiedTable):
        return content
    if isinstance(content, np.ndarray):
        name = f"numpy {content.dtype}"
        return numpy_files.of_arrays({"c": content}, name, ".npy")
    if isinstance(content, files.Place):
        return open_place(content, reading, model_reading)
    if not isinstance(content, str | os.PathLike):
        return ArrowMemorySource(type(data).__name__, content)
    source = _open_path(content, reading, model_reading)
    _refuse_idle_options(reading, source)
    return source


def _options_of(reading: Reading) -> list[str]:
    """The names of the options by which the user says how text is written."""
    names = []
    for name in reading.to_json():
        # in the shell the setting `header` is an option that says that there is none
        dashed = f"--{name.replace('_', '-')}"
        names.append(option("--no-header") if name == "header" else option(dashed))
    return names


def _refuse_idle_options(reading: Reading, source: Source) -> None:
    """Check options about text, such as --delimiter, that cannot have an effect: ParamError where
    the source is of pictures, and a notice where it is a table none of whose files is text, such as
    one of Parquet. reading: what the user says; without options, or of an UnreadSource, nothing
    happens."""
    if not reading.to_json() or isinstance(source, UnreadSource):
        return
    names = _options_of(reading)
    words = ", ".join(names)
    if isinstance(source, images.ImageSource):
        them = "it" if len(names) == 1 else "them"
        raise ParamError(f"{words}: of text, and {source.name} holds pictures: leave {them} out")
    parts = source.sources if isinstance(source, ChainSource) else [source]
    if not any(isinstance(part, CsvSource) for part in parts):
        notices.say(source.name, f"no table in text, so {words} had no effect")


def _open_path(path: str | os.PathLike[str], reading: Reading, model_reading: Reading) -> Source:
    """Open what a path names: a file, a folder, all files of a pattern or of an address, as one
    source, or with "::" a part of a file. reading: the user's settings of how text is written;
    model_reading: those of a model's table. DataError if there is nothing, or it cannot be read, or
    if a folder that a killed process was about to replace cannot be repaired; ParamError for a text
    that is not as the user says."""
    inside = inside_of(path)
    if inside is not None:
        return open_inside(*inside)
    places = places_of(path)
    if len(places) == 1:
        return open_place(places[0], reading, model_reading)
    name = os.fspath(path)
    # a pattern such as *.png names pictures
    if all(suffix_of(place.name) in images.SUFFIXES for place in places):
        return images.picture_files(name, places)
    paths = [place.name for place in places]
    return _table_of_parts(name, places, paths, reading, model_reading)


def open_sources(data: Sequence[object], model_reading: Reading = NOTHING) -> Source:
    """Open several inputs, at least one, each as `open_source` takes it, as one source: tables are
    read one after the other, pictures joined; one input alone is opened as it is. DataError for a
    mixture of both, for arrays of pictures among others, and where one cannot be read; ParamError
    for a text that is not as the user says. model_reading: how the text was written that a model
    was fitted on."""
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
    tables = [source for source in sources if isinstance(source, TableSource)]
    return ChainSource(tables)


def places_of(data: str | os.PathLike[str]) -> list[files.Place]:
    """The places of the files of a path: one, or all that a pattern with * ? or [ matches, sorted
    by name, or those below a folder of an object store, which are copied. `-`, standard input, is
    read to its end. DataError where there is none, or it cannot be looked up or copied, or where
    what a killed writer of the folder left undone cannot be finished."""
    path = os.fspath(data)
    if remote.is_remote(path):
        return remote.places_of(path)
    # a file that is there is meant, even if its name has a * in it
    if path != "-" and not os.path.lexists(path):
        try:
            files.repair(Path(path))  # a folder that a killed process was about to replace
        except OSError as error:
            raise DataError(f"{path}: {error.filename}: {error.strerror or error}") from None
        if WILD.search(path) and not os.path.lexists(path):
            matching = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - may be absolute
            if not matching:
                raise DataError(f"{path}: no such file, and none that this pattern names")
            return [files.place_of(name) for name in matching]
    return [files.place_of(data)]


def inside_of(data: str | os.PathLike[str]) -> tuple[Path, str] | None:
    """Split a path such as file.db::table into (the file's path, the name of what is wanted in it);
    None for a path without "::", for one that is a file itself, and where no file is called as what
    stands before the first "::"."""
    whole = os.fspath(data)
    name, sign, wanted = whole.partition(INSIDE)
    # a file that is there is meant, even if its name has the sign in it
    if not sign or os.path.lexists(whole):
        return None
    path = Path(name)
    if not path.is_file():
        return None
    return path, wanted.strip()


def open_inside(path: Path, wanted: str) -> CopiedTable:
    """Open a table of an SQLite database, or a sheet of an Excel workbook, as a copy. wanted: its
    name, or an SQL query of the database; "": the only table, or the first sheet. DataError if the
    file is neither, or has no such part; OSError if it cannot be opened."""
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
    """Open the file or folder at a place as a source, by a plugin's reader if one takes it, and set
    the source's `place`, which keeps a copied file for as long as the source, unless that has one
    already. reading: the user's settings of how the file's text is written; model_reading: those of
    a model's table. DataError for what cannot be read, ParamError for a text that is not as the
    user says; a file of no known kind is an UnreadSource."""
    source = _open_by_kind(place.path, place.name, reading, model_reading)
    source.place = source.place or place
    return source


def _table_of_parts(
    name: str,
    places: Sequence[files.Place],
    paths: Sequence[str],
    reading: Reading,
    model_reading: Reading,
) -> ChainSource:
    """Open the files at several places, at least one, as one table; DataError if one is of
    pictures, or cannot be read; ParamError for a text that is not as the user says. name: what
    messages call it. paths: for each file the path whose folders may add columns, as year=2024.
    reading: how the user says that their text is written; model_reading: how the text of a model
    was."""
    sources: list[TableSource] = []
    for place in places:
        source = open_place(place, reading, model_reading)
        if not isinstance(source, TableSource):
            raise DataError(f"{source.name}: pictures, where {name} names tables")
        sources.append(source)
    columns = [chains.parts_of_path(path) for path in paths]
    return ChainSource(sources, name, columns)


def _open_folder(path: Path, name: str, reading: Reading, model_reading: Reading) -> Source:
    """Open a folder, with all below it: as pictures, or as one table if more of its files are parts
    of a table (see chains.is_part) than pictures; which files are left out is said as a notice.
    name: for messages; reading: the user's settings of how text is written; model_reading: those of
    a model's table. DataError if there is no file in it, or one cannot be read; ParamError for a
    text that is not as the user says."""
    folder = images.FolderSource(path, name)
    parts = [part for part in folder.others if chains.is_part(part)]
    # what most of its files are decides: a few notes among pictures are no table
    if len(parts) <= len(folder.names):
        return folder
    folder_name = name.rstrip("/")
    places = [files.Place(path / part, f"{folder_name}/{part}") for part in parts]
    table = _table_of_parts(name, places, parts, reading, model_reading)
    table.folder = path
    unread = set(folder.others) - set(parts)
    # its pictures are left out, too
    _say_left_out(name, len(parts), [*folder.names, *sorted(unread)])
    return table


def _say_left_out(name: str, count: int, others: Sequence[str]) -> None:
    """Say as a notice which files of a folder are not read, where `count` others are read as one
    table; nothing if all are hidden. name: of the folder; others: the files that are not read, by
    their paths in it."""
    # hidden files are not mentioned
    visible = [other for other in others if not remote.is_hidden(other)]
    if not visible:
        return
    more = f" and {len(visible) - 1} more" if len(visible) > 1 else ""
    notices.say(name, f"read as one table of {count} files, without {visible[0]}{more}")


def _open_by_kind(path: Path, name: str, reading: Reading, model_reading: Reading) -> Source:
    """Open a file or a folder: by the first of the plugins' readers that takes it, which reads it
    into a copy, else by what it holds. name: what messages call it; the suffix of the name tells
    the kind where the bytes do not; reading: the user's settings of how text is written;
    model_reading: those of a model's table. DataError for what cannot be read, is empty, is an
    archive or model of aetool, or a known kind of another program; ParamError for a text that is
    not as the user says. A file that is no text and of no known kind is an UnreadSource."""
    # readers of plugins are asked before any of our own kinds is tried
    source = readers.source_of(path, name)
    if source is not None:
        return source
    if path.is_dir():
        return _open_folder(path, name, reading, model_reading)
    with streams.open_stream(path) as stream:
        head = stream.read(foreign.HEAD)
    suffix = suffix_of(name)
    # an archive or a model in place of data: a usual slip, with a message of its own
    if head.startswith(ARCHIVE) or suffix == ".aem":
        raise DataError(f"{name}: this is one of aetool's own files, not data; see `aetool info`")
    typed = _open_typed(path, name, head)
    if typed is None:
        typed = _open_json(path, name, head)
    if typed is not None:
        return typed
    # a picture by its name or its first bytes; whether it is damaged shows when it is read
    if suffix in images.SUFFIXES or foreign.is_picture(head):
        return images.picture_files(name, [files.Place(path, name)])
    # files of other programs are named, with what to do about them
    program = foreign.kind_of(head, name)
    if program is not None:
        raise DataError(f"{name}: {program}")
    if not head:
        raise DataError(f"{name}: the file is empty")
    try:
        return CsvSource(path, name, reading, model_reading)
    # an archive can keep it still
    except encodings.NoTableError as reason:
        return UnreadSource(path, name, reason)


def _open_json(path: Path, name: str, head: bytes) -> Source | None:
    """Open a file of JSON as one document or as lines, by its first bytes `head` and the suffix of
    its name; None for any other. What is in it is checked when it is read. DataError if the file
    cannot be opened."""
    suffix = suffix_of(name)
    begin = head.removeprefix(encodings.BOM)
    first_sign = begin.lstrip()[:1]
    # whatever it is called: no table of text begins so
    if LIST.match(begin):
        return json_sources.JsonDocumentSource(path, name)
    if suffix == ".json":
        is_object = first_sign == b"{" and not json_sources.is_in_lines(path)
        if is_object or first_sign == b"[":
            return json_sources.JsonDocumentSource(path, name)
    is_nameless = suffix == "" and head.startswith(b"{")
    if suffix in LINES or is_nameless:
        return json_sources.JsonLinesSource(path, name)
    return None


def _open_typed(path: Path, name: str, head: bytes) -> Source | None:
    """Open a file whose first bytes `head`, decompressed, are those of Parquet, Arrow, SQLite,
    Excel, numpy or idx (MNIST's format); None for any other. name: for messages. DataError for one
    of these that cannot be read."""
    if arrow_files.kind_of(head):
        place = streams.unpacked(path, name)
        table = ArrowFileSource(name, place.path)
        # the copy of a compressed file; of another the place is the one that the path came from
        table.place = place if place.spool is not None else None
        return table
    if head.startswith(databases.MAGIC):
        return databases.open_table(path, name, "")
    if head.startswith(numpy_files.ZIP) and workbooks.is_workbook(path):
        return workbooks.open_sheet(path, name, "")
    if numpy_files.is_array_file(head):
        return numpy_files.open_arrays(path, name, head)
    if head[:4] in images.IDX:
        return images.IdxSource(path, name, streams.open_stream)
    return None
