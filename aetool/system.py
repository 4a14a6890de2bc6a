"""The differences between operating systems: each in one function, with what stands in where a
system lacks something.

Linux, macOS and Windows are meant. No other file calls what one of them lacks; a test holds to it.
Where a system lacks something, the next best is done: no law about bytes depends on it, only what
is left after a crash, and whether modes and owners are handed on.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import errno
import os
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WINDOWS = sys.platform == "win32"
OPEN_FILES = Path("/proc/self/fd")  # where a file without a name can be opened by its number
BINARY = getattr(os, "O_BINARY", 0)  # else Windows writes \r\n for \n
HERE = -100  # AT_FDCWD: names are as of the current folder
EXCHANGE_LINUX, EXCHANGE_MACOS = 2, 2  # RENAME_EXCHANGE, RENAME_SWAP
# What a system says that cannot exchange names on this file system.
NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
# What a system or file system says that has no files without names.
NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
# What file systems say that have no second names for a file, as FAT and some network drives.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
# What file systems say that have no modes, owners or times, and systems that forbid to set them.
UNSUPPORTED = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
CLAIM = "claim"  # in a folder of ours: a file that is open for as long as its writer lives
# Characters, and names of devices, that Windows takes for something else than a file's name.
NO_CHARACTER_OF_WINDOWS = frozenset('<>:"\\|?*') | {chr(code) for code in range(32)}
PORTS_OF_WINDOWS = [f"{kind}{digit}" for kind in ("COM", "LPT") for digit in range(10)]
DEVICES_OF_WINDOWS = frozenset(["CON", "PRN", "AUX", "NUL", *PORTS_OF_WINDOWS])
_one_reader = threading.Lock()


def memory() -> int | None:
    """How many bytes of memory the machine has; None where the system does not say, as Windows."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


# ---- folders


def open_folder(folder: Path) -> int | None:
    """A handle of a folder, for sync_folder and for names in it; None where no folder can be
    opened, as on Windows. OSError if there is no such folder."""
    if WINDOWS:
        with os.scandir(folder):
            return None
    return os.open(folder, os.O_RDONLY)


def sync_folder(handle: int | None) -> None:
    """Make the renames in an open folder last through a power cut; None, as where no folder can be
    opened, does nothing. OSError if the disk cannot be written."""
    if handle is not None:
        os.fsync(handle)


def close_folder(handle: int | None) -> None:
    """Close what open_folder has opened; None is nothing to close."""
    if handle is not None:
        os.close(handle)


def sync_tree(tree: Path) -> None:
    """Write a folder's files to the disk: by one call for its file system, or for all file systems,
    where there is one; else file by file, but for those that may not be opened. OSError if the disk
    cannot be written."""
    library = _c_library()
    if hasattr(library, "syncfs"):
        handle = os.open(tree, os.O_RDONLY)
        try:
            if library.syncfs(handle):
                raise _last_error(tree)
        finally:
            os.close(handle)
    elif hasattr(os, "sync"):
        os.sync()
    else:
        for folder, _, names in os.walk(tree):
            for name in names:
                with contextlib.suppress(PermissionError), Path(folder, name).open("r+b") as file:
                    os.fsync(file.fileno())


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two files or folders in one step; returns True if it was done, False if
    the system or this file system never can. OSError for any other failure, as if one is not
    there."""
    library = _c_library()
    names = os.fsencode(first), os.fsencode(second)
    if hasattr(library, "renamex_np"):  # macOS
        status = library.renamex_np(*names, EXCHANGE_MACOS)
    elif hasattr(library, "renameat2"):
        status = library.renameat2(HERE, names[0], HERE, names[1], EXCHANGE_LINUX)
    else:
        return False
    if status == 0:
        return True
    error = _last_error(second)
    if error.errno in NO_EXCHANGE:
        return False
    raise error


def give_second_name(path: str | Path, second: Path) -> None:
    """Give a file, or a link as it is, a second name: a hard link, or a copy where the file system
    knows no second names. OSError if it cannot be linked for another reason, as if the name is
    taken."""
    try:
        if os.link in os.supports_follow_symlinks:
            os.link(path, second, follow_symlinks=False)
        else:
            os.link(path, second)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(path, second, follow_symlinks=False)


def _c_library() -> Any:
    """The C library of this process; None on Windows, which has no such thing."""
    if WINDOWS:
        return None
    return ctypes.CDLL(None, use_errno=True)


def _last_error(path: Path) -> OSError:
    """Return, not raise, the error that the C library has set, with a path."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), os.fspath(path))


# ---- who lives: what is being made belongs to its writer until that ends


def claim(handle: int) -> None:
    """Mark an open file as in use by this process until it is closed, so that no clean-up removes
    it. Waits while another process has it marked; does nothing on Windows, where an open file
    cannot be removed."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX)


def claim_folder(folder: Path) -> int:
    """Mark a folder as in use by this process; returns a handle, to be kept open, for close_claim.
    OSError if there is no such folder. Waits while another process has it marked, but on
    Windows."""
    if fcntl is None:
        return os.open(folder / CLAIM, os.O_CREAT | os.O_RDWR | BINARY, 0o600)
    handle = os.open(folder, os.O_RDONLY)
    claim(handle)
    return handle


def close_claim(handle: int, folder: Path) -> None:
    """End the use of a folder. On Windows the mark is a file, which is removed, and with it the
    folder if nothing else is in it; elsewhere the folder stays."""
    os.close(handle)
    if fcntl is None:
        with contextlib.suppress(OSError):
            (folder / CLAIM).unlink(missing_ok=True)
            folder.rmdir()


@contextlib.contextmanager
def unclaimed(path: Path) -> Iterator[None]:
    """Context manager: within the block a file or folder is known to have no living writer, and
    belongs to this process. OSError if its writer lives, or if the system cannot tell: then it is
    left alone, and the block is not run."""
    if fcntl is not None:
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(handle)
        return
    if not WINDOWS:
        raise BlockingIOError(errno.EAGAIN, "nobody can tell whether its writer lives", str(path))
    if path.is_dir():
        path = path / CLAIM
    if path.exists():
        path.rename(path)  # Windows does not rename what somebody has open
    yield


# ---- files


def new_part(folder: Path, name: Callable[[], str]) -> tuple[BinaryIO, Path | None]:
    """Create a new file in a folder, open for reading and writing, for its owner alone: (the file,
    its path).

    Where the file system can, it has no name and its path is None; elsewhere `name` is called for
    one, and FileExistsError raised if it is taken. OSError where no file can be made.
    """
    if hasattr(os, "O_TMPFILE") and OPEN_FILES.is_dir():
        try:
            handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
            return os.fdopen(handle, "w+b"), None
        except OSError as error:
            if error.errno not in NO_NAMELESS:
                raise
    part = folder / name()
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | BINARY
    # opened by its path, so that where files have no numbers in /proc its name is known
    file = open(part, "w+b", opener=lambda path, _: os.open(path, flags, 0o600))  # noqa: SIM115
    return file, part


def name_nameless(handle: int, name: str, folder: int | None) -> None:
    """Give a file without a name one in an open folder. handle: of the file; folder: a handle, or
    None for the current folder. FileExistsError if the name is taken. Only where there is /proc."""
    # with a folder's handle it is linkat, which looks through the link in /proc
    os.link(OPEN_FILES / str(handle), name, dst_dir_fd=folder)


def replace_in(folder: int | None, part: str, name: str) -> None:
    """Rename the file `part` of an open folder to `name`, in place of what has that name; if that
    fails, `part` is removed and OSError raised. folder: a handle; None: both are paths."""
    try:
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(part, dir_fd=folder)
        raise


def renames_open_files() -> bool:
    """Whether a file can get another name while it is open: not on Windows."""
    return not WINDOWS


def temporary_file(prefix: str) -> BinaryIO:
    """Create a temporary file, open for reading and writing, whose path_of can be opened a second
    time. prefix: how its name begins, where it has one. Nothing is left of it when it is closed or
    this process ends; on Windows, when it is closed and nobody uses it any more. OSError if none
    can be made."""
    if OPEN_FILES.is_dir():
        return cast(BinaryIO, tempfile.TemporaryFile(prefix=prefix))
    if not WINDOWS:
        return cast(BinaryIO, tempfile.NamedTemporaryFile(prefix=prefix))
    # Windows opens no file a second time that it is to remove by itself
    file = tempfile.NamedTemporaryFile(prefix=prefix, delete=False)  # noqa: SIM115
    weakref.finalize(file, _discard, cast(BinaryIO, file.file), Path(file.name))
    return cast(BinaryIO, file)


def _discard(file: BinaryIO, path: Path) -> None:
    """Close a file and remove it, now or, if somebody has it open still, when the process ends."""
    with contextlib.suppress(OSError):
        file.close()
    try:
        path.unlink(missing_ok=True)
    except OSError:
        atexit.register(path.unlink, missing_ok=True)


def path_of(file: BinaryIO) -> Path:
    """A path by which an open file can be opened once more, even if it has no name, for as long as
    it is open."""
    if OPEN_FILES.is_dir():
        return OPEN_FILES / str(file.fileno())
    return Path(file.name)


def read_at(file: BinaryIO, length: int, offset: int) -> bytes:
    """Read at most `length` bytes of an open file from an offset in bytes, fewer at its end;
    several threads may do so at once. The position of the file may have changed afterwards."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), length, offset)
    with _one_reader:
        file.seek(offset)
        return file.read(length)


def reserve(file: BinaryIO, size: int) -> None:
    """Give a file, open for writing, `size` bytes, at least 1; what lies beyond them is cut off,
    what is added is 0. OSError if the disk has no room, where the system can say so."""
    file.truncate(size)
    if hasattr(os, "posix_fallocate"):
        # to write through a memory map without room on the disk would kill the process
        os.posix_fallocate(file.fileno(), 0, size)


def name_is_impossible(name: str) -> bool:
    """Whether this system would take the name of a file, with / between its folders, for something
    else than a file of that name; always False but on Windows. What Windows does with `C:x` or
    `a\\..\\b` leaves the folder."""
    return WINDOWS and any(map(_means_something_else, name.split("/")))


def _means_something_else(part: str) -> bool:
    """Whether Windows takes one part of a path for something else than a name: for a device, or
    trimmed, or refuses a character of it; True of an empty one."""
    device = part.partition(".")[0].rstrip(" ").upper() in DEVICES_OF_WINDOWS
    trimmed = not part or part.endswith((" ", "."))
    return device or trimmed or not NO_CHARACTER_OF_WINDOWS.isdisjoint(part)


# ---- modes, owners and times


def usual_mode() -> int:
    """The permission bits of a new file: what the mask of this process leaves."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def give_mode(handle: int, mode: int) -> None:
    """Give an open file its permission bits; does nothing where the system or file system has none
    or forbids it, OSError for any other failure."""
    if hasattr(os, "fchmod"):
        _unless_unsupported(lambda: os.fchmod(handle, mode))


def give_user(handle: int, user: int) -> None:
    """Give an open file to another user, by number, where this user may: only root gives files
    away. Does nothing where this user may not, and on systems without owners."""
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):
            os.fchown(handle, user, -1)


def give_group(handle: int, group: int) -> bool:
    """Give an open file to a group; returns whether it is now of this group, True where there are
    no groups."""
    if not hasattr(os, "fchown"):
        return True
    try:
        os.fchown(handle, -1, group)
    except OSError:
        return False
    return True


def give_times(file: int | Path, times: tuple[int, int]) -> None:
    """Give a file its times (access, change of the content) in ns since 1970. An open file keeps
    its own where the system asks for a path, and any file where its file system has none. OSError
    for any other failure."""
    if isinstance(file, Path) or os.utime in os.supports_fd:
        _unless_unsupported(lambda: os.utime(file, ns=times))


def _unless_unsupported(step: Callable[[], None]) -> None:
    """Call a function, and pass over an OSError of UNSUPPORTED: that the system has no such thing
    (ENOTSUP, ENOSYS, EINVAL), or does not permit it (EPERM). Others are raised, such as EACCES."""
    try:
        step()
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


# ---- processes


def usable_cores() -> int:
    """How many processor cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def after_fork_in_child(step: Callable[[], None]) -> None:
    """Register a function that each child process calls first after a fork, on systems where
    processes are forked; elsewhere nothing is done."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=step)
