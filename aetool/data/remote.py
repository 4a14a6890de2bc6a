"""Files of object stores, s3:// gs:// abfs://, by pyarrow.fs: copied to a file without a name.

What is there is copied once and read from the copy: little of it is in memory at any time, and
every kind of file is read as if it lay here. Keys and regions are told as pyarrow.fs takes them: by
the environment, by the store's own settings, or behind a ? (endpoint_override=..., region=...).
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING

from aetool import files
from aetool.data import arrow_files
from aetool.errors import DataError
from aetool.files.spools import read_once

if TYPE_CHECKING:
    from pyarrow import fs

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
REMOTE = re.compile(rf"({'|'.join(SCHEMES)})://")
WILD = re.compile(r"[*?\[]")


def is_remote(data: object) -> bool:
    """Whether data are the address of something in an object store."""
    if not isinstance(data, str | os.PathLike):
        return False
    return REMOTE.match(str(os.fspath(data))) is not None


def places_of(address: str) -> list[files.Place]:
    """Copies of the files at an address: of one file, or of all below a folder, or of those that a
    pattern with * names, in the order of their names. DataError where there is none."""
    bare, _, settings = address.partition("?")
    wild = WILD.search(bare)
    # what a store is asked for is a whole folder; its names are then compared with the pattern
    asked = bare if wild is None else bare[: wild.start()].rpartition("/")[0]
    try:
        store, path = _opened(asked + (f"?{settings}" if settings else ""))
        names = _names_at(store, path, bare)
        if wild is not None:
            pattern = path + bare.removeprefix(asked)
            names = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            raise DataError(f"{bare}: no such file")
        scheme = bare.partition("://")[0]
        return [_copied(store, name, f"{scheme}://{name}") for name in names]
    except (OSError, ValueError, NotImplementedError, ImportError) as error:
        raise DataError(f"{bare}: {arrow_files.one_line(error)}") from None


def _opened(address: str) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs

    # to pyarrow gcs and gs, abfs and abfss are the same
    store, path = fs.FileSystem.from_uri(address.replace("gcs://", "gs://", 1))
    return store, path


def _names_at(store: fs.FileSystem, path: str, shown: str) -> list[str]:
    """The name of a file, or those of all files below a folder, hidden ones left out."""
    from pyarrow import fs

    there = store.get_file_info(path)
    if there.type == fs.FileType.File:
        return [path]
    if there.type == fs.FileType.NotFound:
        raise DataError(f"{shown}: no such file")
    found = store.get_file_info(fs.FileSelector(path, recursive=True))
    names = [info.path for info in found if info.type == fs.FileType.File]
    return sorted(name for name in names if not is_hidden(name.removeprefix(path)))


def is_hidden(path: str) -> bool:
    """Whether a file below a folder, or a folder that it is in, begins with . or _, as marks and
    metadata of partitioned tables do."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.split("/") if part)


def _copied(store: fs.FileSystem, path: str, name: str) -> files.Place:
    def read() -> files.Place:
        with store.open_input_stream(path) as stream:
            return files.copied(stream, name)

    return read_once(name, read)
