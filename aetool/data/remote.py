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
WAIT = 10  # seconds for which a store that does not answer is asked again
SHOWN = 240  # letters of what a store says of an error
# for messages: where each kind of store looks for the user's keys
GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS; of public files write gs://anonymous@bucket/path"
AZURE = "`az login`; write abfs://container@account.dfs.core.windows.net/path"
KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": GOOGLE,
    "gcs": GOOGLE,
    "abfs": AZURE,
    "abfss": AZURE,
}
REMOTE = re.compile(rf"({'|'.join(SCHEMES)})://")
WILD = re.compile(r"[*?\[]")


def is_remote(data: object) -> bool:
    """Whether data are a text or path that begins as an address in an object store of SCHEMES does,
    such as s3://bucket/path; nothing is asked of the store."""
    if not isinstance(data, str | os.PathLike):
        return False
    return REMOTE.match(str(os.fspath(data))) is not None


def places_of(address: str) -> list[files.Place]:
    """Copy the files at an address, and return the places of the copies: of one file, of all below
    a folder, or of those that a pattern with * or [ matches, sorted by name, hidden ones left out.
    Behind a ? stand settings of pyarrow.fs, such as region=... DataError where there is none, or
    the store does not answer; NoRoomError where a copy cannot be written."""
    import pyarrow as pa

    bare, _, settings = address.partition("?")
    scheme, _, rest = bare.partition("://")
    if not rest.strip("/"):
        raise DataError(f"{bare}: no bucket is named; write {scheme}://bucket/path")
    wild = WILD.search(bare)
    # of a pattern the folder before its first * is listed, and its names compared with the pattern
    listed = bare if wild is None else bare[: wild.start()].rpartition("/")[0]
    try:
        store, path = _opened_store(listed, settings)
        names = _names_at(store, path, bare)
        if wild is not None:
            pattern = path + bare.removeprefix(listed)
            names = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            raise DataError(f"{bare}: no such file")
        return [_copied(store, name, f"{scheme}://{name}") for name in names]
    except (pa.ArrowException, OSError, ValueError, NotImplementedError, ImportError) as error:
        message = arrow_files.one_line(error)
        short = message if len(message) <= SHOWN else f"{message[:SHOWN]}..."
        raise DataError(
            f"{bare}: cannot be read; check the name, the network and who asks ({KEYS[scheme]}): "
            f"{short}"
        ) from None


def _opened_store(address: str, settings: str) -> tuple[fs.FileSystem, str]:
    """Open the store that an address names: (its file system, the path in it, beginning with the
    bucket). address: without its "?"; settings: the text behind that, "" for none. Google's store
    is asked again for WAIT (10) seconds only, unless the settings say how long. Errors of pyarrow
    pass: ArrowException, OSError, ValueError or ImportError."""
    from pyarrow import fs

    # to pyarrow gcs and gs, abfs and abfss are the same
    address = address.replace("gcs://", "gs://", 1)
    # by default Google's library asks again for a quarter of an hour
    if address.startswith("gs://") and "retry_limit_seconds" not in settings:
        settings = "&".join([*filter(None, [settings]), f"retry_limit_seconds={WAIT}"])
    store, path = fs.FileSystem.from_uri(address + (f"?{settings}" if settings else ""))
    return store, path


def _names_at(store: fs.FileSystem, path: str, shown: str) -> list[str]:
    """Look up files in a store: [path] if it is a file itself, else the sorted paths, in the store,
    of all files below it that are not hidden, perhaps none. shown: the address, for messages.
    DataError if nothing is there; errors of pyarrow go through."""
    from pyarrow import fs

    info_of_path = store.get_file_info(path)
    if info_of_path.type == fs.FileType.File:
        return [path]
    if info_of_path.type == fs.FileType.NotFound:
        raise DataError(f"{shown}: no such file")
    entries = store.get_file_info(fs.FileSelector(path, recursive=True))
    names = [info.path for info in entries if info.type == fs.FileType.File]
    return sorted(name for name in names if not is_hidden(name.removeprefix(path)))


def is_hidden(path: str) -> bool:
    """Whether a part of a path with / begins with . or _, as marks and metadata of partitioned
    tables do; parts such as _a=1 do not count."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.split("/") if part)


def _copied(store: fs.FileSystem, path: str, name: str) -> files.Place:
    """Copy the file at a path of the store to a temporary file, and return the copy's place; within
    a block of spools.one_reading, as a command is, later calls return the same copy. DataError or
    NoRoomError where the copy cannot be written; errors of pyarrow go through. name: the file's
    address, for messages, by which a copy is known."""

    def read() -> files.Place:
        """Copy the file from the store."""
        with store.open_input_stream(path) as stream:
            return files.copied(stream, name)

    return read_once(name, read)
