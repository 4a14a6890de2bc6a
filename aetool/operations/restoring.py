"""decompress: restores the file or folder that an archive was made of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from aetool import engine as engines
from aetool import system
from aetool.bundle import Bundle
from aetool.codec.archive import IDLE_MODEL, Archive
from aetool.codec.container.layout import UNSEALED
from aetool.codec.contents.content import Content
from aetool.codec.contents.folder import Folder
from aetool.codec.contents.kept import KeptBytes
from aetool.codec.contents.lossy import LossyPictures
from aetool.codec.contents.parts import Parts
from aetool.codec.contents.text import TextTable
from aetool.data import readers
from aetool.errors import ArchiveError, ParamError
from aetool.files import attributes_of, new_folder, output, standard_output
from aetool.spelling import in_shell, option
from aetool.writing import records
from aetool.writing.pictures import write_folder

Restored = TypeVar("Restored")  # what comes back piece by piece: batches of records, or files

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4")
# Kinds of file that a name promises, as formats are called, and as people call them.
NAMED = {
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather"), "arrow"),
    ".npy": "npy",
    ".npz": "npz",
}
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
    are chosen. Nothing is left behind on failure: ParamError for rows or columns that are not
    there, and for a part without `out`; ArchiveError for a damaged archive; DataError for a file or
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
            notes += _notes_on_name(restored_path, archive.content)
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
    """Restore an opened archive, as `decompress` says, to a file or folder, whose path is returned.
    path: the archive's; out: where to write, None for the name that the archive has; rows: (first,
    end) from 0, None for all; columns: by name, None for all. ParamError for rows or columns that
    are not there, ArchiveError for damage, DataError for a file that exists, unless force. unlent:
    filled with the names of files and folders whose setuid or setgid bits were left off."""
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
    if os.fspath(target) == "-" and isinstance(content, TextTable | KeptBytes):
        with standard_output() as stream:  # every block is checked before it goes out
            content.restore(archive, stream, first, last, columns)
            _refuse_nothing(archive)
        return target
    with output(target, force, attributes_of(path, whole)) as file:
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
    path of each once it is written. Errors are those of `_write_parts`."""
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
            with output(path, source=source) as file, part.errors_as_damage():
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


def _notes_on_name(target: Path, content: Content) -> list[str]:
    """Notes for a file whose suffix promises another format than what is written to it, or none
    where it is a table that no text editor shows, and for a folder that is called like a file; at
    most one, [] if the name is right. target: the path that
    was written; content: what the archive holds."""
    format_name = str(content.format().get("format"))
    suffix = target.suffix.lower()
    # an index of files becomes a folder, whatever it is called
    if isinstance(content, Parts) and suffix in NAMED and target.is_dir():
        one_table = f"{option('--rows')} 1:" if in_shell() else "rows=slice(0, None)"
        return [
            f"{target}: is a folder of the {len(content.parts):,} files that were stored, whatever "
            f"its name says; one table of all of them is written with {one_table}"
        ]
    if os.fspath(target) == "-" or content.is_folder or suffix == content.format().get("suffix"):
        return []
    if not suffix and format_name in ("arrow", "parquet"):
        return [f"{target}: holds {SAID[format_name]}, which its name does not say"]
    if suffix in COMPRESSED:
        return [f"{target}: is not compressed, whatever its name says: it is as the source was"]
    if suffix in NAMED and format_name in NAMED.values() and NAMED[suffix] != format_name:
        return [
            f"{target}: holds {SAID.get(format_name, format_name)}, as its source did, not "
            f"{SAID.get(NAMED[suffix], NAMED[suffix])}: decompress does not convert"
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
    user asked, (first, end) from 0, end None for the last; None for all. ParamError where the
    archive has no such records."""
    if rows is None:
        return 0, archive.rows
    first = rows[0]
    last = archive.rows if rows[1] is None else rows[1]
    if not 0 <= first <= last <= archive.rows:
        rows_there = f"1:{archive.rows}" if archive.rows else "none"
        raise ParamError(
            f"rows {first + 1}:{last} of {archive.reader.path}: it has rows {rows_there} (counted "
            "from 1, both ends included)"
        )
    return first, last


def default_name(path: str | os.PathLike[str], archive: Archive) -> Path:
    """The path of the restored file where the user names none: the archive's name without .aez and
    without .gz, .zst or .xz, and with the suffix of the stored name if it has none, as `air.csv`
    for `air.aez`; for a name without any of these the name that the archive stores, in the
    archive's folder, or if it stores none the archive's without its suffix; "-", standard output,
    for an archive from a pipe."""
    if archive.piped:
        return Path("-")
    name = Path(path)
    stored_name = archive.format.get("name") or ""
    base_name = name.name.removesuffix(".aez")
    # a file called .aez has no other name
    if base_name in ("", name.name):
        return name.with_name(stored_name or name.stem)
    base = name.with_name(base_name)
    if base.suffix in (".gz", ".zst", ".xz"):
        base = base.with_suffix("")
    content = archive.content
    is_folder = isinstance(content, Folder | LossyPictures | Parts) and content.is_folder
    if is_folder or base.suffix:
        return base
    return base.with_suffix(Path(stored_name).suffix)
