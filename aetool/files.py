"""Writes files so that a name stands for a whole file at every instant: the old one or the new."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aetool.errors import DataError


@contextmanager
def atomic(target: Path, force: bool) -> Iterator[BinaryIO]:
    """A file that becomes `target` if the block ends well, and leaves no trace if it does not.

    Where the file system can, the file has no name until it is whole, so that not even a killed
    process leaves anything behind; only where it takes the place of another there is an instant in
    which it has a name of its own. What a process killed just then leaves, the next one removes.
    """
    if target.is_dir():
        raise DataError(f"{target}: is a folder; name a file with -o")
    if target.exists() and not force:
        raise DataError(f"{target}: exists already; replace it with -f, or choose another -o")
    part: Path | None = None
    try:
        handle, part = _nameless_or_part(target)
    except OSError as error:
        raise DataError(f"{target.parent}: cannot write here: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.umask(mask := os.umask(0))
            os.fchmod(file.fileno(), 0o666 & ~mask)
            if part is None:
                _name(file, target, force)
        if part is not None:
            part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise DataError(f"{target}: cannot write: {error.strerror or error}") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


@contextmanager
def output(target: Path, force: bool) -> Iterator[BinaryIO]:
    """The same; "-" is standard output."""
    if os.fspath(target) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with atomic(target, force) as file:
        yield file


def _nameless_or_part(target: Path) -> tuple[int, Path | None]:
    """(handle, its path) of a new file in the target's folder; None: it has no name."""
    if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
        try:
            return os.open(target.parent, os.O_TMPFILE | os.O_RDWR, 0o600), None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                raise
    prefix, folder = f".{target.name}.", target.parent
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=folder)
    return handle, Path(name)


def _name(file: BinaryIO, target: Path, force: bool) -> None:
    """Gives a nameless file its name."""
    folder = os.open(target.parent, os.O_RDONLY)
    try:  # with a folder's handle it is linkat, which looks through the link in /proc
        with contextlib.suppress(FileExistsError):
            return os.link(path_of(file), target.name, dst_dir_fd=folder)
        if not force:
            raise DataError(f"{target}: exists already; replace it with -f, or choose another -o")
        for stray in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
            owner = stray.name.split(".")[-2]  # who was killed in that instant, if it is gone
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                stray.unlink(missing_ok=True)
        part = f".{target.name}.{os.getpid()}.part"
        os.link(path_of(file), part, dst_dir_fd=folder)
        try:
            os.rename(part, target.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(part, dir_fd=folder)
            raise
    finally:
        os.close(folder)


def path_of(file: BinaryIO) -> Path:
    """Where a file that `atomic` gave can be opened again."""
    return Path(f"/proc/self/fd/{file.fileno()}" if isinstance(file.name, int) else file.name)


def sync_folder(folder: Path) -> None:
    """Makes a rename in this folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
