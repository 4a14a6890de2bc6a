"""decompress: restores the file or folder that an archive was made of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from aetool import engine as engines
from aetool import files, system
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.archive import IDLE_MODEL, Archive
from aetool.codec.container.layout import UNSEALED
from aetool.codec.contents.folder import Folder
from aetool.codec.contents.kept import KeptBytes
from aetool.codec.contents.lossy import LossyPictures
from aetool.codec.contents.parts import Parts
from aetool.codec.contents.text import TextTable
from aetool.csv import encodings
from aetool.data import converting, readers
from aetool.data.compressing import output_by_name
from aetool.errors import ArchiveError, DataError, ParamError
from aetool.files import attributes_of, new_folder, standard_output
from aetool.files.names import plain_path, suffix_of
from aetool.spelling import in_shell, option
from aetool.writing import records
from aetool.writing.pictures import write_folder

Restored = TypeVar("Restored")  # what comes back piece by piece: batches of records, or files

# suffixes of compressions that are not written
UNWRITTEN = (".bz2", ".lz4")
# Kinds of file that a name promises, as formats are called, and as people call them.
NAMED = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    ".npy": "npy",
    ".npz": "npz",
    ".json": "jsonl",
}
FOREIGN = (".xlsx", ".xls", ".ods", ".db", ".sqlite")  # of tables, and written by plugins alone
SAID = {"csv": "CSV", "jsonl": "lines of JSON", "parquet": "Parquet", "arrow": "an Arrow file"}


def decompress(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    model: Bundle | None = None,
    rows: tuple[int, int | None] | None = None,
    columns: Sequence[str] | None = None,
    lost: list[str] | None = None,
    force: bool = False,
    device: str = "auto",
    max_output: int | None = None,
    notes: list[str] | None = None,
    parts: list[str] | None = None,
    executor: engines.Chosen = None,
) -> Path:
    """Restore an archive to a file, or to a folder for a folder of files; returns its path.

    model: the one that the archive needs, where it is not inside; BundleError without it. out:
    where to write, "-" for standard output; None for the archive's name without .aez. rows: (first,
    end) of the records to restore, counted from 0, without end; end None: to the last. columns: of
    a table, only these, by name. max_output: the most bytes that may be restored; None allows what
    is sensible for an archive of its size. device: where a model's decoder runs. executor: what
    decodes blocks, by a name that aetool.engine knows. Three lists are filled if given: lost with
    the blocks that are damaged and left out (without it damage is an error), notes with what may
    surprise about the file, parts with how much of the archive was written, where rows or columns
    are chosen. Rows that are asked for beyond the last are left out. Nothing is left behind on
    failure: ParamError for rows or columns of which none is there, and for a part without `out`;
    ArchiveError for a damaged archive; DataError for a file or
    folder that exists, unless force.
    """
    with (
        engines.opened(executor) as engine,
        Archive(path, model, device, lost is not None, max_output) as archive,
    ):
        archive.engine = engine
        with archive.errors_as_damage():
            if out is None and not archive.piped and not (rows is None and columns is None):
                # a part must not get the default name, which stands for the whole
                raise _nameless_part(path)
            unlent: list[str] = []
            restored_path = _restore(archive, path, out, rows, columns, force, unlent)
        if parts is not None and not (rows is None and columns is None):
            parts.append(_part_in_words(archive, rows, columns))
        if lost is not None:
            is_whole = _range_of_records(archive, rows) == (0, archive.rows) and columns is None
            lost += [_line_on_damage(line, archive, is_whole) for line in archive.lost]
        if notes is not None:
            if archive.has_idle_model:
                notes.append(IDLE_MODEL)
            notes += _notes_on_rows(archive, rows)
            notes += _notes_on_name(restored_path, archive)
            notes += _notes_on_bits(restored_path, unlent)
        return restored_path


def _restore(
    archive: Archive,
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    rows: tuple[int, int | None] | None,
    columns: Sequence[str] | None,
    force: bool,
    unlent: list[str],
) -> Path:
    """Restore an opened archive, or some rows and columns of it, to a file or folder, and return
    the path of that.

    A table is converted where the suffix of `out` asks for another kind of file, or written by a
    plugin that writes files of that name. path: the archive's; out: where to write, "-" for
    standard output, None for the archive's name without .aez; rows: (first, end) from 0, None for
    all; columns: by name, None for all. ParamError for rows or columns that are not there,
    ArchiveError for damage and where all records asked for are lost, DataError for a file that
    exists, unless force. unlent: filled with the names of files and folders whose setuid or setgid
    bits were left off.
    """
    first, last = _range_of_records(archive, rows)
    # an empty choice of columns is an error of every archive, which this raises; names of columns
    # that are not there are refused by each content
    if columns is not None and not columns:
        archive.choose(columns)
    content = archive.content
    target = Path(out or default_name(path, archive))
    whole = (first, last) == (0, archive.rows) and columns is None
    # records that are asked for are one table, even where they are all there are
    if isinstance(content, Parts) and content.is_folder and whole and rows is None:
        return _write_parts(archive, target, force)
    # a plugin that writes files of this name comes before our own formats
    plugin_writer = (
        readers.writer_of(target) if content.kind in ("table", "array", "image") else None
    )
    if plugin_writer is not None:
        batches = _refusing_nothing(
            archive, records.restored_batches(archive, first, last, columns)
        )
        readers.write(plugin_writer, target, batches, force)
        return target
    if isinstance(content, Folder | LossyPictures) and content.is_folder:
        if columns is not None:
            # pictures and files have no columns: this raises the error that says so
            content.places(archive, columns)
        names = () if isinstance(content, Folder) else content.picture_names(archive)
        is_all = (first, last) == (0, archive.rows)
        # of some of its files alone folders get no permissions back
        permissions = content.folders if isinstance(content, Folder) and is_all else None
        pictures = _refusing_nothing(archive, content.pictures(archive, first, last))
        return write_folder(target, pictures, force, names, permissions, unlent)
    conversion = _conversion_to(target, archive)
    if conversion is not None:
        with (
            files.scratch() as spool,
            output_by_name(target, force, attributes_of(path, whole)) as file,
        ):
            content.restore(archive, spool, first, last, columns)
            _refuse_nothing(archive)
            spool.flush()
            part = files.path_of(spool)
            name = str(archive.reader.path)
            marks = _marks_of_part(archive, part, (first, last), columns)
            converting.write(file, conversion, part, name, content.format(archive), marks)
        return target
    if os.fspath(target) == "-":
        refuse_terminal(archive, force)
    if os.fspath(target) == "-" and isinstance(content, TextTable | KeptBytes):
        with standard_output() as stream:  # every block is checked before it goes out
            content.restore(archive, stream, first, last, columns)
            _refuse_nothing(archive)
        return target
    with output_by_name(target, force, attributes_of(path, whole)) as file:
        content.restore(archive, file, first, last, columns)
        _refuse_nothing(archive)
    return target


def _refusing_nothing(archive: Archive, pieces: Iterable[Restored]) -> Iterator[Restored]:
    """Yield restored pieces of an archive; ArchiveError behind the last one if all of its records
    are lost, so that nothing is left of what was being written."""
    yield from pieces
    _refuse_nothing(archive)


def _refuse_nothing(archive: Archive) -> None:
    """Raise ArchiveError if damage has left none of the records that were to be restored. To be
    called behind the last of them, before the result gets its name."""
    if archive.restored_nothing:
        raise _error_of_nothing_restored(archive)


def _error_of_nothing_restored(archive: Archive) -> ArchiveError:
    """Return, not raise, the error for an archive of which no record could be restored."""
    lost = "; ".join(archive.lost)
    return ArchiveError(
        f"{archive.reader.path}: nothing could be restored, and nothing is written; lost: {lost}"
    )


def _line_on_damage(lost: str, archive: Archive, is_whole: bool) -> str:
    """A line on a damaged part, as a user is told of it: where only the digest of a file in one
    piece does not match, whether what was restored can be trusted. lost: as the archive has it.
    is_whole: whether all of its rows and columns were restored, and so compared with their own
    digest: had they differed, nothing would have been restored."""
    # any other damage than a digest of a file in one piece that does not match
    if lost != UNSEALED:
        return lost
    if not is_whole:
        return (
            "its digest; a part of it is compared with none, so do not trust these values: "
            "restore all of it, which is compared"
        )
    if archive.content.hashes_bytes:
        return "its digest; what was restored has the digest that was stored of it: it is right"
    return (
        "its digest; the values have the digest that was stored of them: they are right, but "
        "names and what the file is like may not be"
    )


def _write_parts(archive: Archive, target: Path, force: bool) -> Path:
    """Restore every archive of an index to a file of its own, in a new folder; returns the folder.
    ParamError for standard output; ArchiveError for a part that is damaged, unless the index was
    opened to leave such parts out, for a part whose name this system does not allow, and for more
    bytes than the index may restore; DataError for a folder that exists, unless force."""
    if os.fspath(target) == "-":
        raise ParamError(
            f"a folder cannot be written to standard output: name one with {option('-o')}, or "
            f"choose rows by {option('--rows')}, which are one table"
        )
    with new_folder(target, force) as folder:
        files = _written_parts(archive, target, folder)
        # each part counts its own bytes alone; that all together are not too many is seen here
        for _ in archive.within_output(files, lambda path: path.stat().st_size):
            pass
        if archive.lost and not any(folder.rglob("*")):
            raise _error_of_nothing_restored(archive)
    return target


def _written_parts(archive: Archive, target: Path, folder: Path) -> Iterator[Path]:
    """Restore every archive of an index to a file in `folder`, which becomes target; yields the
    path of each once it is written. A part that is damaged is an ArchiveError, or is left out and
    noted in archive.lost if the index was opened so; a name that this system does not allow is an
    ArchiveError in any case."""
    for opened_part in archive.parts(0, archive.rows):
        name = opened_part.known.name
        part = opened_part.archive
        if system.name_is_impossible(name):
            raise ArchiveError(f"{target}: {name!r} is no name of a file on this system")
        path = folder / name
        # a name may have folders in it
        path.parent.mkdir(parents=True, exist_ok=True)
        source = attributes_of(part.reader.path)
        try:
            with output_by_name(path, source=source) as file, part.errors_as_damage():
                part.content.restore(part, file, 0, part.rows)
        except ArchiveError as error:
            # raises it again, unless damaged parts are to be left out
            opened_part.tell_as_lost(archive, error)
            continue
        yield path


def _nameless_part(path: str | os.PathLike[str]) -> ParamError:
    """Return, not raise, the error for restoring only some rows or columns of an archive without
    saying where to."""
    chosen = f"{option('--rows')} and {option('--columns')} restore a part"
    where = f"with {option('-o')} FILE (-: standard output)" if in_shell() else "with out"
    return ParamError(f"{os.fspath(path)}: {chosen}: say where to {where}")


def _part_in_words(
    archive: Archive,
    rows: tuple[int, int | None] | None,
    columns: Sequence[str] | None,
) -> str:
    """How much of an archive is restored, in words for a message, such as "100 of 8,784 rows, 2
    columns". rows: (first, end) from 0, end None: to the last; None: all. columns: by name; None:
    all, which are not counted. ParamError where the archive has no such records."""
    first, last = _range_of_records(archive, rows)
    of_rows = f"{last - first:,} of {archive.rows:,} rows"
    if columns is None:
        return of_rows
    return f"{of_rows}, {len(columns):,} column{'s' if len(columns) != 1 else ''}"


def _conversion_to(target: Path, archive: Archive) -> str | None:
    """The kind of file, of converting.KINDS, that an archive's table is to be converted to, as the
    suffix of the target promises another than the source had; None where it is restored as it was.
    ParamError for a suffix of a kind that it cannot be converted to, so that no file has the suffix
    of another kind than it is."""
    content = archive.content
    format = content.format(archive)
    suffix = suffix_of(target.name)
    stored_suffix = str(format.get("suffix") or "").lower()
    if os.fspath(target) == "-" or suffix == stored_suffix:
        return None
    stored = str(format.get("format"))
    promised = NAMED.get(suffix)
    # a file that was kept byte for byte is of the kind that its own name says
    if isinstance(content, KeptBytes) and stored not in NAMED.values():
        stored = NAMED.get(stored_suffix, stored)
    if suffix in FOREIGN:
        promised = suffix
    kind = converting.KINDS.get(suffix)
    if promised is None or (promised == stored and not _has_other_delimiter(suffix, format)):
        return None
    can_be_read = content.kind == "table" and stored in converting.KINDS.values()
    if kind is not None and can_be_read:
        return kind
    # of a source that was no file of a known kind nothing is known
    if stored not in NAMED.values() and content.kind != "array":
        return None
    what = SAID.get(stored, stored)
    original = f"a name ending in {stored_suffix}" if stored_suffix else "its own suffix"
    raise ParamError(
        f"{target}: the archive holds {what}, which is not converted to {suffix}: name a file "
        f"with {original}, or, of a table, .csv, .tsv, .jsonl, .parquet or .arrow"
    )


def _marks_of_part(
    archive: Archive,
    path: Path,
    rows: tuple[int, int],
    columns: Sequence[str] | None,
) -> dict[str, str]:
    """The decimal marks, by name, of columns of a table in text of which only records other than
    those that are restored show it; {} for all of its records, and for any other content. path: the
    restored records; rows: (first, end) from 0; columns: those restored, None for all."""
    content = archive.content
    if not isinstance(content, TextTable) or rows == (0, archive.rows):
        return {}
    names = content.names(archive) if columns is None else list(columns)
    # its header, if there is one, is no number, and does not count among them
    return content.marks_of_rows(archive, path.read_bytes(), names)


def _has_other_delimiter(suffix: str, format: Mapping[str, Json]) -> bool:
    """Whether the suffix of a text file promises tabs between fields where the source has others,
    or, of a source that was called .tsv, others where it has tabs."""
    if format.get("format") != "csv":
        return False
    has_tabs = format.get("delimiter", ",") == "\t"
    if converting.KINDS.get(suffix) == "tsv":
        return not has_tabs
    return has_tabs and converting.KINDS.get(str(format.get("suffix"))) == "tsv"


def refuse_terminal(archive: Archive, force: bool) -> None:
    """Raise DataError if standard output is a terminal and what is restored is no text that can be
    read there: anything but CSV or lines of JSON in UTF-8. With force nothing is refused."""
    if force or sys.stdout is None or not sys.stdout.isatty():
        return
    content = archive.content
    format = content.format(archive)
    is_text = format.get("format") in ("csv", "jsonl")
    if is_text and format.get("encoding", encodings.UTF8) == encodings.UTF8:
        return
    stored = str(format.get("format"))
    raise DataError(
        f"standard output is a terminal, and {SAID.get(stored, 'this')} is no text: send it to a "
        f"file or a program, name a file with {option('-o')}, or use {option('-f')}"
    )


def _notes_on_name(target: Path, archive: Archive) -> list[str]:
    """Return notes on the name of a restored file or folder, as a list of one, [] if the name is
    right. target: the path that was written.

    There is one for a folder that is called like a table; for Parquet or Arrow in a file without a
    suffix; for a suffix of a compression that is not written (.bz2, .lz4); and for a table that was
    converted to another kind of file, as its suffix asks.
    """
    content = archive.content
    format = content.format(archive)
    format_name = str(format.get("format"))
    suffix = suffix_of(target.name)
    # an index of files becomes a folder, whatever it is called
    if isinstance(content, Parts) and suffix in NAMED and target.is_dir():
        one_table = f"{option('--rows')} 1:" if in_shell() else "rows=slice(0, None)"
        return [
            f"{target}: is a folder of the {len(content.parts):,} files that were stored, whatever "
            f"its name says; one table of all of them is written with {one_table}"
        ]
    if os.fspath(target) == "-" or content.is_folder or suffix == format.get("suffix"):
        return []
    if not suffix and format_name in ("arrow", "parquet"):
        return [f"{target}: holds {SAID[format_name]}, which its name does not say"]
    if suffix in UNWRITTEN:
        return [
            f"{target}: is not compressed, whatever its name says: a name ending in .gz, .zst or "
            ".xz gets a compressed file"
        ]
    if readers.writer_of(target) is None and _conversion_to(target, archive) is not None:
        stored_suffix = str(format.get("suffix") or "")
        own = f"a name ending in {stored_suffix}" if stored_suffix else "a name without a suffix"
        return [
            f"{target}: converted from {SAID.get(format_name, format_name)}, as the name asks: "
            f"{own} gets what was stored"
        ]
    return []


def _notes_on_bits(target: Path, unlent: Sequence[str]) -> list[str]:
    """Notes on restored files that had setuid or setgid bits: these are left off; [] where no file
    had any.

    unlent: the files, by the paths that they have in the archive.
    """
    if not unlent:
        return []
    more = f" and {len(unlent) - 1} more" if len(unlent) > 1 else ""
    return [
        f"{target}: setuid and setgid bits were left out, which let anybody run a file as its "
        f"owner ({unlent[0]}{more}); set them by chmod where you trust the archive"
    ]


def _range_of_records(archive: Archive, rows: tuple[int, int | None] | None) -> tuple[int, int]:
    """The range of records to restore, (first, end), counted from 0, end excluded. rows: as the
    user asked, (first, end) from 0, end None for the last; None for all. As in slices of Python
    those beyond the last are left out; but ParamError where none of them is there, unless none was
    asked for, and DataError for a content without records."""
    if rows is None:
        return 0, archive.rows
    kept = archive.content.kept_whole(archive)
    if kept:
        raise DataError(f"{archive.reader.path}: {kept}")
    first, end = rows
    last = archive.rows if end is None else min(end, archive.rows)
    is_in_order = end is None or first <= end
    # an empty slice is asked for in Python alone
    is_empty_slice = first == end and first <= archive.rows
    if first < 0 or not is_in_order or (first >= last and not is_empty_slice):
        rows_there = f"1:{archive.rows}" if archive.rows else "none"
        asked = f"{first + 1}:{'' if end is None else end}"
        raise ParamError(
            f"rows {asked} of {archive.reader.path}: it has rows {rows_there} (counted from 1, "
            "both ends included)"
        )
    return first, last


def _notes_on_rows(archive: Archive, rows: tuple[int, int | None] | None) -> list[str]:
    """A note where rows beyond the last were asked for, which are left out; [] where all are there.
    rows: (first, end) from 0, end None: to the last; None: all."""
    if rows is None or rows[1] is None or rows[1] <= archive.rows:
        return []
    first, last = _range_of_records(archive, rows)
    return [
        f"rows {first + 1}:{rows[1]}: the last row is {archive.rows:,}, so there are "
        f"{last - first:,} of them"
    ]


def default_name(path: str | os.PathLike[str], archive: Archive) -> Path:
    """Return the path of the restored file or folder where the user names none: that of the archive
    without .aez. "-", standard output, for an archive from a pipe.

    A compression before .aez (.gz, .zst or .xz) is left out, too; what is then without a suffix,
    and no folder, gets that of the stored name: `air.csv` for `air.aez`. An archive whose name does
    not end in .aez, or is .aez alone, becomes the name that it stores, in the archive's folder, or,
    if it stores none, its own without its suffix.
    """
    if archive.piped:
        return Path("-")
    name = Path(path)
    stored_name = archive.format.get("name") or ""
    base_name = name.name.removesuffix(".aez")
    # a file called .aez has no other name
    if base_name in ("", name.name):
        return name.with_name(stored_name or name.stem)
    base = name.with_name(base_name)
    base = plain_path(base)
    content = archive.content
    is_folder = isinstance(content, Folder | LossyPictures | Parts) and content.is_folder
    if is_folder or base.suffix:
        return base
    return base.with_suffix(Path(stored_name).suffix)
