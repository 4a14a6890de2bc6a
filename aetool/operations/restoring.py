"""decompress and decode: archives and codes back to records."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool import engine as engines
from aetool import system
from aetool.bundle import Bundle
from aetool.codec import decoding, folders
from aetool.codec.archive import Archive
from aetool.codec.contents.content import Content
from aetool.codec.contents.folder import Folder
from aetool.codec.contents.kept import KeptBytes
from aetool.codec.contents.lossy import LossyPictures
from aetool.codec.contents.pixels import write_arrays
from aetool.codec.contents.text import TextTable
from aetool.data import readers, sources, writers
from aetool.data.images import ImageSource
from aetool.data.table_source import TableSource
from aetool.errors import ArchiveError, ParamError
from aetool.files import atomic, attributes_of, new_folder, output, standard_output
from aetool.model import Records
from aetool.operations import records
from aetool.spelling import in_shell, option

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
LENT = stat.S_ISUID | stat.S_ISGID  # bits of a file by which it runs with its owner's rights
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
    """Restore an archive to a file (a folder, for a folder of pictures); "-" is standard output.

    rows: (first, last) 0-based, last exclusive; None: to the end. columns: only these, of a table.
    lost: a list that takes what is damaged and left out; without one, damage is an error.
    max_output: bytes that may be restored at most (None: as many as are sensible for an archive of
    its size). notes: a list that takes what one may not expect of the file. parts: a list that
    takes how much is written, where rows or columns are chosen. executor: what decodes blocks, as
    aetool.engine knows it. Returns where it was written; nothing is left behind on failure.
    """
    with (
        engines.opened(executor) as engine,
        Archive(path, model, device, lost is not None, max_output) as archive,
    ):
        archive.engine = engine
        with archive.sensible():
            if out is None and not archive.piped and not (rows is None and columns is None):
                # else a part would take the name of the whole
                raise _nameless_part(path)
            unlent: list[str] = []
            written = _decompress(archive, path, out, rows, columns, force, unlent)
        if parts is not None and not (rows is None and columns is None):
            parts.append(_part(archive, rows, columns))
        if lost is not None:
            lost += archive.lost
        if notes is not None:
            notes += _notes_on_name(written, archive.content)
            notes += _notes_on_bits(written, unlent)
        return written


def _decompress(
    archive: Archive,
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    rows: tuple[int, int | None] | None,
    columns: Sequence[str] | None,
    force: bool,
    unlent: list[str],
) -> Path:
    first, last = _records(archive, rows)
    content = archive.content
    target = Path(out or default_name(path, archive))
    owned = readers.writer_of(target) if content.kind in ("table", "array", "image") else None
    if owned is not None:
        batches = records.restored_batches(archive, first, last, columns)
        readers.write(owned, target, batches, force)
        return target
    if isinstance(content, Folder | LossyPictures) and content.is_folder:
        if columns is not None:
            content.places(archive, columns)
        names = () if isinstance(content, Folder) else content.picture_names(archive)
        whole = (first, last) == (0, archive.rows)
        permissions = content.folders if isinstance(content, Folder) and whole else None
        pictures = content.pictures(archive, first, last)
        return write_folder(target, pictures, force, names, permissions, unlent)
    if os.fspath(target) == "-" and isinstance(content, TextTable | KeptBytes):
        with standard_output() as stream:  # every block is checked before it goes out
            content.restore(archive, stream, first, last, columns)
        return target
    whole = (first, last) == (0, archive.rows) and columns is None
    with output(target, force, attributes_of(path, whole)) as file:
        content.restore(archive, file, first, last, columns)
    return target


def _nameless_part(path: str | os.PathLike[str]) -> ParamError:
    """What is wrong where a part is asked for, and not said where to."""
    chosen = f"{option('--rows')} and {option('--columns')} restore a part"
    where = f"with {option('-o')} FILE (-: standard output)" if in_shell() else "with out"
    return ParamError(f"{os.fspath(path)}: {chosen}: say where to {where}")


def _part(
    archive: Archive, rows: tuple[int, int | None] | None, columns: Sequence[str] | None
) -> str:
    """How much of an archive is restored: 100 of 8,784 rows, 2 columns."""
    first, last = _records(archive, rows)
    of_rows = f"{last - first:,} of {archive.rows:,} rows"
    if columns is None:
        return of_rows
    return f"{of_rows}, {len(columns):,} column{'s' if len(columns) != 1 else ''}"


def _notes_on_name(target: Path, content: Content) -> list[str]:
    """What is to be said where a file's name promises another kind of file than it is."""
    kind = str(content.format().get("format"))
    suffix = target.suffix.lower()
    if os.fspath(target) == "-" or content.is_folder or suffix == content.format().get("suffix"):
        return []
    if suffix in COMPRESSED:
        return [f"{target}: is not compressed, whatever its name says: it is as the source was"]
    if suffix in NAMED and kind in NAMED.values() and NAMED[suffix] != kind:
        return [
            f"{target}: holds {SAID.get(kind, kind)}, as its source did, not "
            f"{SAID.get(NAMED[suffix], NAMED[suffix])}: decompress does not convert"
        ]
    return []


def _notes_on_bits(target: Path, unlent: Sequence[str]) -> list[str]:
    """Remarks on files that had setuid or setgid bits, which are not restored."""
    if not unlent:
        return []
    more = f" and {len(unlent) - 1} more" if len(unlent) > 1 else ""
    return [
        f"{target}: setuid and setgid bits were left out, which let anybody run a file as its "
        f"owner ({unlent[0]}{more}); set them by chmod where you trust the archive"
    ]


def _records(archive: Archive, rows: tuple[int, int | None] | None) -> tuple[int, int]:
    """The records asked for, from 0, the last not included; ParamError where there are none."""
    if rows is None:
        return 0, archive.rows
    first = rows[0]
    last = archive.rows if rows[1] is None else rows[1]
    if not 0 <= first <= last <= archive.rows:
        there = f"1:{archive.rows}" if archive.rows else "none"
        raise ParamError(
            f"rows {first + 1}:{last} of {archive.reader.path}: it has rows {there} (counted from "
            "1, both ends included)"
        )
    return first, last


def decode(
    codes: npt.ArrayLike, model: Bundle, device: str = "auto", condition: object = None
) -> Any:
    """Records of codes (rows, latent): a DataFrame of the modelled columns, or pictures uint8.

    condition: a DataFrame of as many rows, or a path, of the columns that a model decodes codes
    together with. Other context, such as dates, comes back missing: a code does not carry it.
    """
    values = None
    if condition is not None:
        source = sources.open_source(condition, model.reading)
        if not isinstance(source, TableSource):
            raise ParamError(f"{source.name}: the condition of codes is a table, not pictures")
        values = decoding.condition_in(source.head(), model, source.name)
        count = len(np.asarray(codes))
        if values is not None and len(values) != count:
            raise ParamError(f"{count} codes, and {len(values)} rows of their condition")
    x = decoding.decode(model, codes, device, condition=values)
    if model.schema is None:
        return x
    if values is not None:
        x[:, model.schema.conditions] = values

    columns: writers.Columns = {}
    dtypes = {}
    for i, column in enumerate(model.schema.modelled):
        if not column.predicted and (values is None or not column.condition):
            columns[column.name] = [None] * len(x)
            continue
        columns[column.name] = column.restored(x[:, i])
        if column.dtype:
            dtypes[column.name] = column.dtype
    return writers.frame_of([columns], dtypes, {})


def default_name(path: str | os.PathLike[str], archive: Archive) -> Path:
    """The archive's name without .aez and without a suffix of compression; "-", standard output,
    for an archive that came through a pipe."""
    if archive.piped:
        return Path("-")
    name = Path(path)
    base = name.with_name(name.name.removesuffix(".aez"))
    if base.suffix in (".gz", ".zst", ".xz"):
        base = base.with_suffix("")
    return base if base != name else name.with_name(archive.format.get("name") or name.stem)


def write_pictures(
    target: Path, source: ImageSource, batches: Iterator[Records], force: bool
) -> Path:
    """Write pictures (n, C, H, W) uint8 as the source's kind of file, or folder of PNG files."""
    if source.format["format"] == "folder":
        pixels = (picture for batch in batches for picture in batch)
        named = zip(source.names, pixels, strict=True)
        pictures = (folders.Picture(name, "", picture) for name, picture in named)
        return write_folder(target, pictures, force, source.names)
    with atomic(target, force) as file:
        write_arrays(file, batches, source.format, source.count, source.shape)
    return target


def write_folder(
    target: Path,
    pictures: Iterable[folders.Picture],
    force: bool,
    names: Sequence[str] = (),
    permissions: Mapping[str, int] | None = None,
    unlent: list[str] | None = None,
) -> Path:
    """Files in a new folder, moved into place when whole: pictures in their format, or as PNG.

    names: of all pictures, where their formats are not known. permissions: of folders, by path.
    unlent: a list that takes the names of files and folders whose setuid bits, or of files setgid
    bits, were left out: who restores an archive does not lend out their own rights by it.
    """
    if os.fspath(target) == "-":
        raise ParamError(
            f"a folder cannot be written to standard output: name one with {option('-o')}"
        )
    taken = set(names)
    withheld: dict[str, None] = {}  # names in order, once: a large file comes in pieces
    with new_folder(target, force) as folder:
        for picture in pictures:
            path = _inside(folder, picture.name, target)
            if picture.pixels is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                if picture.offset:
                    path.chmod(0o600)  # the piece before has closed it
                with path.open("r+b" if picture.offset else "xb") as file:
                    file.seek(picture.offset)
                    file.write(picture.raw)
            elif picture.format:
                _check_free(path, picture.name, target)
                writers.write_picture(path, picture.pixels, picture.mode, picture.format)
            else:
                path = _inside(folder, _as_png(picture.name, taken), target)
                _check_free(path, picture.name, target)
                writers.write_picture(path, picture.pixels, picture.mode)
            if picture.permissions is not None:
                path.chmod(picture.permissions & ~LENT)
                if picture.permissions & LENT:
                    withheld[picture.name] = None
        # from the innermost: who may no longer write to a folder can still write to those in it
        for name, mode in sorted((permissions or {}).items(), reverse=True):
            path = _inside(folder, name, target) if name else folder
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode & ~stat.S_ISUID)
            if mode & stat.S_ISUID:
                withheld[name or "."] = None
    if unlent is not None:
        unlent += withheld
    return target


def _inside(folder: Path, name: str, target: Path) -> Path:
    """Where a file of an archive comes to lie; ArchiveError if its name leads out of the folder."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise ArchiveError(f"{target}: picture name {name!r} leaves the folder")
    if system.name_is_impossible(name):
        raise ArchiveError(
            f"{target}: {name!r} is no name of a file on this system; restore it on Linux or macOS"
        )
    return folder / path


def _check_free(path: Path, name: str, target: Path) -> None:
    """ArchiveError if a picture is there, as a.png is for A.png where the system tells no capital
    from a small letter."""
    if os.path.lexists(path):
        raise ArchiveError(f"{target}: two files of one name here: {name!r}")


def _as_png(name: str, taken: set[str]) -> str:
    """The name of a picture as a PNG file, different from every name taken."""
    png = Path(name).with_suffix(".png").as_posix()
    if png == name:
        return name
    while png in taken:
        name = png = f"{name}.png"
    taken.add(png)
    return png
