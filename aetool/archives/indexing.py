"""Many archives under one index: parts of a table, or the tables of a folder.

Nothing of a part is copied: an index says where each lies, how many records it has, and by which
digest it is known. So parts can be written anywhere, at any time, by anybody, and be read as one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aetool import engine as engines
from aetool.archives import exact_job, opening, shards
from aetool.archives.lossy_job import CompressOptions
from aetool.canonical import Json
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.codec.contents.content import LOSSLESS
from aetool.codec.contents.parts import FOLDER, TABLE, Part, Parts, is_inside
from aetool.codec.limits import MAX_JSON
from aetool.codec.planning import Effort
from aetool.data import chains, images
from aetool.errors import DataError, ParamError
from aetool.files import attributes_of, new_folder, output
from aetool.spelling import option

Figures = dict[str, Json]
BEHIND = ".parts"  # the folder of an index's parts is called as it is, with this behind
OF_FILE = ("groups", "sorted")  # what a format says of one file alone


def index(
    paths: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    force: bool = False,
) -> Figures:
    """Write an index of archives that lie in its folder, or below it, to `path`; returns its
    figures: "fidelity", "parts", "rows", "index_bytes" and "archive_bytes", with those of the
    parts.

    paths: of one archive at least. They are all shards of one table, in any order, or archives of
    tables of one kind with the same columns, whose records are read in the order of `paths`.
    ParamError for anything else, and for "-", standard output; DataError if there is something at
    `path`, unless `force`, or an archive cannot be opened; ArchiveError for a file that is no
    archive, or a damaged one. The blocks of the archives are not read.
    """
    target = Path(path)
    if os.fspath(path) == "-":
        raise ParamError(
            f"{option('--index')}: an index is read beside its parts; name a file with "
            f"{option('-o')}"
        )
    with contextlib.ExitStack() as stack:
        archives = [stack.enter_context(Archive(one)) for one in paths]
        are_shards = any(archive.is_shard for archive in archives)
        if are_shards:
            # their order is that of their records, whatever order they are named in
            archives = shards.in_order(archives)
        for archive in archives:
            _refuse_unlike(archives[0], archive, (archives[0].reader.path, archive.reader.path))
        files = [_path_below(Path(archive.reader.path), target.parent) for archive in archives]
        parts = [
            Part(file, _name_of_table(archive, file), archive.rows, archive.reader.size,
                 archive.reader.ending)
            for archive, file in zip(archives, files, strict=True)
        ]  # fmt: skip
        # shards are all called as their one table is, so it is their files that must differ
        _refuse_equal_names([part.file if are_shards else part.name for part in parts])
        shared_format = _format_of(archives[0])
        if not are_shards:
            shared_format["name"] = target.name.removesuffix(".aez")
        content = Parts(shared_format, TABLE if are_shards else FOLDER, parts)
    return _write_index(content, target, force)


def compress_folder(
    data: object,
    path: str | os.PathLike[str],
    options: CompressOptions,
) -> Figures:
    """Write an archive of each table of a folder, in a folder beside `path`, which is called as
    that with .parts behind, and then at `path` an index of them; returns its figures, as `index`
    does, with "source_bytes", of the tables, and "left_out", the paths, from the folder, of what is
    stored in no part. data: the folder's path. ParamError for what is no folder, or one without
    tables; DataError if there is something at `path`, or where that folder is to be (unless
    options.force), or a table cannot be a part.

    The workers of the engine write the archives themselves, and so must see that folder.
    """
    target = Path(path)
    folder = _folder_of(data)
    if not options.force and os.path.lexists(target):
        raise DataError(
            f"{target}: exists already; replace it with {option('-f')}, or choose another "
            f"{option('-o')}"
        )
    source = images.FolderSource(folder, os.fspath(folder))
    tables = [name for name in source.others if chains.is_part(name)]
    if not tables:
        raise ParamError(
            f"{folder}: {option('--parts')} stores tables ({' '.join(chains.TABLES)}), and there "
            "are none; leave it out"
        )
    parts_folder = target.with_name(target.name + BEHIND)
    with (
        engines.opened(options.executor) as engine,
        new_folder(parts_folder, options.force) as new_parts,
    ):
        pieces = [(folder / name, new_parts / f"{name}.aez") for name in tables]
        for _, archive in pieces:
            archive.parent.mkdir(parents=True, exist_ok=True)
        part_job = PartJob(options.effort)
        # one worker encodes a whole table: with many tables all workers are busy
        sizes = map(part_job, pieces) if engine is None else engine.map(part_job, pieces)
        sizes_of_tables = list(sizes)
        content = _parts_of(new_parts, parts_folder.name, tables, target)
    # the index is written last: it never names parts that are not there
    figures = _write_index(content, target, options.force)
    figures["left_out"] = sorted({*source.names, *source.others} - set(tables)) + source.left_out
    return {**figures, "source_bytes": sum(sizes_of_tables)}


@dataclass(frozen=True, eq=False)
class PartJob:
    """Writes the archive of one table of a folder, in this process or in a worker that sees the
    folder. effort: how far to search for small encodings."""

    effort: Effort

    def __call__(self, piece: tuple[Path, Path]) -> int:
        """Write the archive of a table, in place of one that is there. piece: (the table's path,
        the archive's path). Returns the bytes of the table; DataError if it cannot be stored as a
        part."""
        table, archive = piece
        source = opening.opened(table)
        archive_job = exact_job.job_of(source, CompressOptions(effort=self.effort))
        # as bytes of its file it would have no columns that others have, too
        archive_job.file = None
        # a worker that was lost may have written it already
        with output(archive, force=True, source=attributes_of(table)) as file:
            figures = exact_job.write_compared(file, archive_job, source)
        if "kept" in figures or not archive_job.content.can_be_sharded:
            why = figures.get("kept", "its cells are no columns of a table")
            raise DataError(
                f"{table}: cannot be a part of a table ({why}); leave {option('--parts')} out"
            )
        return int(figures["source_bytes"])


def _folder_of(data: object) -> Path:
    """The path of the folder that `data`, a text or path, names; ParamError if it is anything
    else."""
    if isinstance(data, str | os.PathLike) and Path(data).is_dir():
        return Path(data)
    name = os.fspath(data) if isinstance(data, str | os.PathLike) else type(data).__name__
    raise ParamError(f"{name}: {option('--parts')} stores a folder of tables; give one")


def _parts_of(parts_folder: Path, folder_name: str, tables: Sequence[str], target: Path) -> Parts:
    """The content of an index of the archives in parts_folder. folder_name: the name that this
    folder will have; tables: their paths below the folder; target: the index's path. ParamError if
    they cannot stand in one index. ArchiveError if one is damaged."""
    parts = []
    shared_format: dict[str, Json] = {}
    with Archive(parts_folder / f"{tables[0]}.aez") as first:
        for table in tables:
            with Archive(parts_folder / f"{table}.aez") as archive:
                # each with the first: what is like it is like the others
                _refuse_unlike(first, archive, (Path(tables[0]), Path(table)))
                shared_format = shared_format or _format_of(archive)
                file = f"{folder_name}/{table}.aez"
                name = _name_of_table(archive, f"{table}.aez")
                rows = archive.rows
                size = archive.reader.size
                parts.append(Part(file, name, rows, size, archive.reader.ending))
    _refuse_equal_names([part.name for part in parts])
    return Parts({**shared_format, "name": target.name.removesuffix(".aez")}, FOLDER, parts)


def _format_of(archive: Archive) -> dict[str, Json]:
    """The archive's format without what a Parquet file says of itself alone (OF_FILE), as a new
    dictionary."""
    return {key: value for key, value in archive.format.items() if key not in OF_FILE}


def _name_of_table(archive: Archive, file: str) -> str:
    """The path, below the restored folder, of the table that a part restores, with / between names:
    the folders of `file`, then the table's name by its format, or else that of `file` without .aez.
    file: the archive's path, from the folder of the index or of its parts."""
    name = str(archive.format.get("name") or Path(file).name.removesuffix(".aez"))
    return Path(file).with_name(name).as_posix()


def _path_below(archive: Path, folder: Path) -> str:
    """The path of an archive relative to the folder of its index, with / between names; ParamError
    if it is not in that folder or below."""
    # links are followed: parts must really lie in the folder, and move when it is moved
    try:
        file = archive.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        file = ""
    if not is_inside(file):
        raise ParamError(
            f"{archive}: does not lie in the folder of the index, or below it; move it, or write "
            f"the index elsewhere with {option('-o')}"
        )
    return file


def _refuse_unlike(first: Archive, other: Archive, names: tuple[Path, Path]) -> None:
    """Raise ParamError unless `other` may stand in one index with `first`: both lossless archives
    of tables of the same kind and columns, without a model; neither an index itself; both shards,
    or both whole. `first` is only compared with: it is checked itself where it is both of them.
    names: of both, for messages."""
    name = names[1]
    # parts of parts would be read through two files
    if isinstance(other.content, Parts):
        raise ParamError(f"{name}: is an index itself; give its parts")
    if other.mode != LOSSLESS or any(other.reader.model) or "model" in other.reader.sections:
        raise ParamError(f"{name}: an index is of lossless archives without a model")
    if not other.content.can_be_sharded:
        raise ParamError(f"{name}: an index is of tables in CSV, JSON lines, Parquet and Arrow")
    if other.is_shard != first.is_shard:
        raise ParamError(f"{name}: an index is of all shards of one table, or of whole tables")
    if not first.content.is_like(other.content):
        raise ParamError(
            f"{names[0]} and {name}: are not tables of one kind with the same columns, as those "
            "under one index are"
        )


def _refuse_equal_names(names: Sequence[str]) -> None:
    """Raise ParamError if two parts have the same name. names: of all parts, one at least."""
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ParamError(f"{name}: is there twice among the parts; give each once")


def _write_index(content: Parts, target: Path, force: bool) -> Figures:
    """Write an index to `target`; returns its figures: "fidelity", "parts", "rows", "index_bytes"
    and "archive_bytes", with those of the parts. ParamError if its header, as text, is longer than
    MAX_JSON (2^24), as that of too many parts is; DataError if there is something at `target`,
    unless `force`."""
    if len(str(content.header())) > MAX_JSON:
        raise ParamError(
            f"{target}: {len(content.parts):,} parts are more than one index can name; write "
            "several"
        )
    with output(target, force) as file:
        # without blocks: the digest is that of no bytes
        Writer(file, content.header(), {}).finish({}, hashlib.sha256().digest())
        size = file.tell()
    return {
        "fidelity": content.fidelity,
        "parts": len(content.parts),
        "rows": content.rows,
        "index_bytes": size,
        "archive_bytes": size + content.size,
    }
