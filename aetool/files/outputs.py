"""Writes files so that a name stands for a whole file at every instant: the old one or the new."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aetool import system
from aetool.errors import DataError
from aetool.files.attributes import Attributes, hand_on, looked_up
from aetool.files.spools import PIECE, is_read, scratch
from aetool.spelling import option

# What open files of this process are called, by the system's own links to them.
STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
NUMBERED = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_count = itertools.count()


@contextmanager
def atomic(
    target: Path,
    force: bool = False,
    source: Attributes | None = None,
    named_by: str | None = None,
) -> Iterator[BinaryIO]:
    """Context manager: a file, open for reading and writing bytes, that becomes `target` if the
    block ends well, and leaves no trace if it does not.

    force: it may replace a file; of a link, the file that it leads to. source: what it inherits,
    see `attributes_of`, or None. named_by: the option that names target, if not -o. A target that
    is a pipe, a device or an open file of this process is never replaced: the bytes go there when
    the block has ended. NoRoomError, a DataError, where no temporary file for these can be written.
    DataError if target is a folder, is there already (without force), is a file that the running
    command reads, or cannot be written, and for "-", which is standard output, as `output` takes
    it.

    Where the file system can, the file has no name until it is whole, so that not even a killed
    process leaves anything behind; only where it takes the place of another there is an instant in
    which it has a name of its own. What a process killed just then leaves, the next one removes.
    """
    if os.fspath(target) == "-":
        raise DataError(
            "standard output is for tables and archives: name a file with "
            f"{named_by or option('-o')}"
        )
    refuse_target(target, force, (), named_by)
    status = looked_up(target)
    # /dev/stdout and the like: no file, but an open one of this process
    number = _open_file(target)
    if number is not None or not (status is None or stat.S_ISREG(status.st_mode)):
        with _copied_when_done(str(target), lambda: _open_sink(target, number)) as spool:
            yield spool
        return
    with _replacing(target, force, source, status, named_by) as file:
        yield file


def refuse_target(
    target: Path,
    force: bool,
    sources: Sequence[str | os.PathLike[str]] = (),
    named_by: str | None = None,
) -> None:
    """Raise the DataError with which `atomic` refuses a target, by what is at its place now: for a
    folder, a file that is there (without force), one that is read, and a folder to write into that
    is not there, or must not be written into. For commands whose results
    take long, to be called before they are computed.

    force: whether the target may replace a file. sources: paths of what is read, beside what the
    running command has opened already. named_by: the option that names target, if not -o.
    """
    status = looked_up(target)
    # nothing is there: then its folder must be, and be writable
    if status is None:
        if _open_file(target) is None:
            _refuse_no_folder(target)
        return
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{target}: is a folder; name a file with {named_by or option('-o')}")
    # to a device, a pipe or an open file the bytes are added
    if _open_file(target) is not None or not stat.S_ISREG(status.st_mode):
        return
    if not force:
        raise _error_of_existing(target, named_by)
    # replacing it would take the data away while they are read
    source_stats = [looked_up(Path(source)) for source in sources]
    is_source = any(os.path.samestat(status, place) for place in source_stats if place is not None)
    if is_source or is_read(status):
        raise DataError(
            f"{target}: is the file that is read; name another one with {named_by or option('-o')}"
        )


@contextmanager
def output(
    target: Path,
    force: bool = False,
    source: Attributes | None = None,
) -> Iterator[BinaryIO]:
    """Context manager: a new file to write bytes to, as `atomic` opens it, whose arguments these
    are; "-" is standard output, to which the bytes go when the block has ended. DataError if target
    is a folder, is there already (without force), is read by the running command, or cannot be
    written."""
    if os.fspath(target) == "-":
        with _copied_when_done("standard output", _standard_output) as spool:
            yield spool
        return
    with atomic(target, force, source) as file:
        yield file


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Context manager: standard output itself, for bytes, at once and not when the block has ended:
    for what is checked piece by piece. An OSError in the block becomes a DataError, as it does
    where standard output is closed."""
    try:
        stream = _standard_output()
        yield stream
        stream.flush()
    except OSError as error:
        raise DataError(f"standard output: cannot write: {error.strerror or error}") from None


def scratch_folder(target: Path) -> Path:
    """The folder for temporary files that are as large as target: target's own, or the system's
    where target is a folder, pipe, device, an open file of this process or "-". DataError if target
    cannot be looked up."""
    names_a_path = os.fspath(target) != "-" and _open_file(target) is None
    status = looked_up(target) if names_a_path else None
    if names_a_path and (status is None or stat.S_ISREG(status.st_mode)):
        return Path(os.path.realpath(target)).parent
    return Path(tempfile.gettempdir())


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power cut; OSError if the folder cannot be opened
    or written."""
    handle = system.open_folder(folder)
    try:
        system.sync_folder(handle)
    finally:
        system.close_folder(handle)


def stray_name(target: Path) -> str:
    """The beginning of the temporary names under which target is written: a digest, so that it has
    one length, however long target's name is. Without the folder. Only the last name of target's
    path counts."""
    digest = hashlib.blake2b(os.fsencode(target.name), digest_size=6).hexdigest()
    return f".aetool-{digest}."


def new_name(target: Path) -> str:
    """A temporary name, without the folder, under which target can be written beside itself and
    which no other writer uses."""
    # the process and a count: two writers never meet
    return f"{stray_name(target)}{os.getpid()}-{next(_count)}.part"


def strays_of(target: Path) -> Iterator[Path]:
    """Yield the temporary files and folders that killed writers of target left beside it, each
    claimed until the next is asked for, so that it can be removed. In the order of their names;
    what a living process is writing is passed over. OSError if target's folder cannot be listed.

    A writer holds a lock on what it makes for as long as it lives.
    """
    begin = stray_name(target)
    for path in sorted(target.parent.iterdir()):
        if not path.name.startswith(begin):
            continue
        # of a writer that lives, or just gone
        with contextlib.suppress(OSError), system.unclaimed(path):
            yield path


def _error_of_existing(target: Path, named_by: str | None) -> DataError:
    """Return, not raise, the error for a target that is there already. named_by: the option that
    names target, if not -o."""
    return DataError(
        f"{target}: exists already; replace it with {option('-f')}, or choose another "
        f"{named_by or option('-o')}"
    )


# ---- into what is no file


def _open_file(target: Path) -> int | None:
    """The number of the open file of this process that a path like /dev/stdout or /dev/fd/3 stands
    for, by its text alone; None for any other path."""
    name = os.fspath(target)
    numbered = NUMBERED.fullmatch(name)
    return int(numbered[1]) if numbered else STANDARD.get(name)


def _open_sink(target: Path, number: int | None) -> BinaryIO:
    """Open what the bytes go to: the open file of this process with this number, or for None the
    pipe or device at target. Standard output itself (1) is not to be closed. OSError if it cannot
    be opened."""
    if number == 1:
        return _standard_output()
    if number is not None:
        # a copy of the handle: closing it leaves the process's own open
        return os.fdopen(os.dup(number), "wb")
    return os.fdopen(os.open(target, os.O_WRONLY), "wb")


def _standard_output() -> BinaryIO:
    """Standard output for bytes, behind what was printed before; OSError if it is closed or cannot
    be written. It is not to be closed."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    # what was printed before comes first
    sys.stdout.flush()
    return sys.stdout.buffer


@contextmanager
def _copied_when_done(name: str, open_sink: Callable[[], BinaryIO]) -> Iterator[BinaryIO]:
    """Context manager: a temporary file to write to, whose bytes are copied to what `open_sink`
    opens if the block ends without an error. name: of that, for the DataError where it cannot be
    written. NoRoomError, also for any OSError of the block. `open_sink` is called when the block
    has ended."""
    with scratch() as spool:
        yield spool
        spool.flush()
        spool.seek(0)
        try:
            stream = open_sink()
            shutil.copyfileobj(spool, stream, PIECE)
            stream.flush()
            if sys.stdout is None or stream is not sys.stdout.buffer:
                stream.close()
        except OSError as error:
            raise DataError(f"{name}: cannot write: {error.strerror or error}") from None


# ---- into files


@contextmanager
def _replacing(
    target: Path,
    force: bool,
    source: Attributes | None,
    replaced: os.stat_result | None,
    named_by: str | None,
) -> Iterator[BinaryIO]:
    """Context manager: write a new file, which takes the place of target (or of the file that
    target leads to) when the block ends without an error, and is removed otherwise. force: a file
    that is there may be replaced. source: attributes that the new file gets; None: mode and owner
    of the replaced file. replaced: the stat of the file that is there, or None; group and others
    get no permission that it did not give. named_by: the option that names target, for messages.
    DataError where it cannot be written, or, without force, a file has come there meanwhile."""
    # the link stays, and the file behind it is replaced
    resolved = Path(os.path.realpath(target))
    part: Path | None = None
    try:
        folder = system.open_folder(resolved.parent)
    except OSError as error:
        raise _error_of_folder(target, error) from None
    try:
        # part: None for a file that has no name until it is whole, else its temporary path
        new_file, part = system.new_part(resolved.parent, lambda: _name_of_part(resolved))
    except OSError as error:
        system.close_folder(folder)
        raise _error_of_folder(target, error) from None
    try:
        with new_file as file:
            handle = file.fileno()
            # the lock by which others see that its writer lives
            system.claim(handle)
            yield file
            file.flush()
            # before it has its name: nobody ever sees it with other rights
            hand_on(handle, source, replaced)
            os.fsync(handle)
            if part is None:
                _give_name(handle, resolved, folder, force)
            # while it is claimed still
            elif system.renames_open_files():
                part.replace(resolved)
        # on systems that rename closed files alone
        if part is not None and not system.renames_open_files():
            if source is not None and source.times is not None:
                system.give_times(part, source.times)
            part.replace(resolved)
        # a rename is safe only when its folder is on the disk
        system.sync_folder(folder)
    except FileExistsError:
        raise _error_of_existing(target, named_by) from None
    except OSError as error:
        raise DataError(f"{target}: cannot write: {error.strerror or error}") from None
    finally:
        system.close_folder(folder)
        if part is not None:
            part.unlink(missing_ok=True)


def _refuse_no_folder(target: Path) -> None:
    """Raise the DataError of a target whose folder is not there, is no folder, or must not be
    written into."""
    folder = target.parent
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _error_of_folder(target, error) from None


def _error_of_folder(target: Path, error: OSError) -> DataError:
    """Return, not raise, the error for a target in whose folder no file can be made, by what the
    system says: `error`, of opening the folder or making the file."""
    reason = error.strerror or error
    if error.errno == errno.ENAMETOOLONG:
        return DataError(f"{target}: cannot write: {reason}")
    if error.errno == errno.ENOENT:
        reason = "no such folder; make it first, with mkdir"
    return DataError(f"{target.parent}: cannot write here: {reason}")


def _name_of_part(target: Path) -> str:
    """A temporary name, without the folder, to write target under beside itself, after what killed
    writers of it left there has been removed. OSError if that fails, or the folder cannot be
    listed."""
    _remove_strays(target)
    return new_name(target)


def _remove_strays(target: Path) -> None:
    """Remove the files that killed writers of target left beside it; folders stay. OSError if the
    folder cannot be listed or a file not removed."""
    for path in strays_of(target):
        if stat.S_ISREG(path.lstat().st_mode):
            path.unlink(missing_ok=True)


def _give_name(handle: int, target: Path, folder: int | None, force: bool) -> None:
    """Give a nameless file the name of target. handle: of the file; folder: of target's folder, or
    None for the current one. FileExistsError if another file has the name, unless force: then that
    is replaced; OSError for any other failure."""
    try:
        system.name_nameless(handle, target.name, folder)
        return
    except FileExistsError:
        if not force:
            raise
    part = _name_of_part(target)
    system.name_nameless(handle, part, folder)
    system.replace_in(folder, part, target.name)
