"""The mode, owner and times that a new file takes over from the file that it is made of, as gzip
and xz do."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from aetool import system
from aetool.errors import DataError

ALL, OTHERS = 0o777, 0o077  # permission bits of everybody, and of all but the owner


@dataclass(frozen=True)
class Attributes:
    """The mode, owner and times that a restored file takes over from the one that it is made of.

    mode: permission bits; user, group: numbers of the owner; times: (access, change of the content)
    in ns since 1970, or None where they are not handed on.
    """

    mode: int
    user: int
    group: int
    times: tuple[int, int] | None = None


def looked_up(path: Path) -> os.stat_result | None:
    """The stat of what is at a path, links followed; None if nothing is there. DataError if that
    cannot be known, as where a folder on the way may not be entered."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        # a zero byte, or a letter that the names of this system cannot have
        raise DataError(f"{str(path)!r}: no name of a file") from None


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file is at a path, links followed; False, too, where that cannot be known, as of a
    name that is too long: who opens it says why."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def attributes_of(path: str | os.PathLike[str], timed: bool = True) -> Attributes | None:
    """The attributes that a restored file or an archive takes over from the file at path; of a
    folder those that its archive takes over: its mode without the right to enter it (0o666), and no
    times. None if nothing is there, for "-", and for pipes and devices. timed: whether times are
    among them. DataError if the file cannot be looked up."""
    status = looked_up(Path(path))
    if status is None or os.fspath(path) == "-":
        return None
    if stat.S_ISDIR(status.st_mode):
        # a folder that others may not enter: its archive is not theirs to read
        return Attributes(status.st_mode & 0o666, status.st_uid, status.st_gid)
    if not stat.S_ISREG(status.st_mode):
        return None
    times = (status.st_atime_ns, status.st_mtime_ns) if timed else None
    return Attributes(status.st_mode & ALL, status.st_uid, status.st_gid, times)


def hand_on(handle: int, source: Attributes | None, replaced: os.stat_result | None) -> None:
    """Give an open file, mode 0600 so far, the attributes of its source; without one, mode and
    owner of the file that it replaces; without either, the mode that the umask leaves. handle: its
    number; replaced: the stat of the file that it replaces.

    Group and others get no permission that the file which is replaced did not give them, and a
    group of its own no more than all others had there; owner and group are the source's all the
    same. Where the group cannot be set, group and others get what both have in the source. An owner
    that this user may not set, or what the file system has not, is left out; OSError for any other
    failure.
    """
    if source is None and replaced is not None:
        source = Attributes(replaced.st_mode & ALL, replaced.st_uid, replaced.st_gid)
    if source is None:
        system.give_mode(handle, system.usual_mode())
        return
    mode = source.mode
    if replaced is not None:
        allowed = replaced.st_mode
        # another group than before: its members had no more rights than all others had
        if source.group != replaced.st_gid:
            # the bits of the group become those of all others, moved to the group's place
            allowed &= ((replaced.st_mode & 0o007) << 3) | ~0o070
        # group and others get no more than was allowed; the owner's bits stay
        mode &= allowed | ~OTHERS
    system.give_user(handle, source.user)
    if not system.give_group(handle, source.group):
        # Another group than the source's: it may do no more than both its group and all others
        shared_bits = (mode >> 3) & mode & 0o007
        mode = (mode & 0o700) | (shared_bits << 3) | shared_bits
    system.give_mode(handle, mode)
    if source.times is not None:
        system.give_times(handle, source.times)
