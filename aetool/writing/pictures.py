"""Writes pictures to files: a folder of them in their own formats, a PNG file each, or one
array."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from aetool import system
from aetool.codec import folders
from aetool.codec.contents.pixels import write_arrays
from aetool.data import writers
from aetool.data.images import ImageSource
from aetool.errors import ArchiveError, ParamError
from aetool.files import atomic, new_folder
from aetool.model import Records
from aetool.spelling import option

LENT = stat.S_ISUID | stat.S_ISGID  # bits of a file by which it runs with its owner's rights


def write_pictures_like(
    target: Path,
    source: ImageSource,
    batches: Iterator[Records],
    force: bool,
) -> Path:
    """Write pictures (n, C, H, W) uint8 as the source's kind of file, or folder of PNG files;
    returns target. batches: of as many pictures as the source has. DataError if target is there,
    unless `force`, or cannot be written; of a folder ParamError for "-", standard output."""
    if source.format["format"] == "folder":
        pixels = (picture for batch in batches for picture in batch)
        names_and_pixels = zip(source.names, pixels, strict=True)
        pictures = (folders.Picture(name, "", picture) for name, picture in names_and_pixels)
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
    """Write files into a new folder that is moved into place when it is complete: pictures in their
    own format, or as PNG. Returns target.

    names: of all pictures, where some have no format, so that no new name is one of them.
    permissions: mode bits of folders, by their path within target, "" for itself. unlent: a list to
    which are added the names of files and folders whose setuid bits, or of files setgid bits, were
    left out: who restores an archive does not lend out their own rights by it. ParamError for
    standard output, ArchiveError for a name that leaves the folder or comes twice, DataError if
    target is there, unless it is a folder and `force` is set, holds the current folder, or cannot
    be written (see `trees.new_folder`).
    """
    if os.fspath(target) == "-":
        raise ParamError(
            f"a folder cannot be written to standard output: name one with {option('-o')}"
        )
    names_in_use = set(names)
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
                writers.write_picture(
                    path,
                    picture.pixels,
                    picture.mode,
                    picture.format,
                    picture.palette,
                )
            else:
                path = _inside(folder, _as_png(picture.name, names_in_use), target)
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
    """The path inside the folder that a name in an archive stands for; ArchiveError if it would lie
    outside, or is no name on this system. target: for messages."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise ArchiveError(f"{target}: picture name {name!r} leaves the folder")
    if system.name_is_impossible(name):
        raise ArchiveError(
            f"{target}: {name!r} is no name of a file on this system; restore it on Linux or macOS"
        )
    return folder / path


def _check_free(path: Path, name: str, target: Path) -> None:
    """Raise ArchiveError if there is a file at this path already, as a.png has for A.png where the
    system does not tell capital from small letters. name, target: for the message."""
    if os.path.lexists(path):
        raise ArchiveError(f"{target}: two files of one name here: {name!r}")


def _as_png(name: str, names_in_use: set[str]) -> str:
    """A picture's name with .png as suffix; where another picture has that, with .png behind its
    whole name, as often as needed. A changed name is added to `names_in_use`, all names in use."""
    png = Path(name).with_suffix(".png").as_posix()
    if png == name:
        return name
    while png in names_in_use:
        name = png = f"{name}.png"
    names_in_use.add(png)
    return png


def write_pictures(target: Path, pixels: Records, force: bool) -> None:
    """Write pictures (n, C, H, W) uint8 as a .npy file if target ends in .npy, else as a folder of
    PNG files, numbered from 1 with leading zeros.

    The array in the .npy file is (n, H, W) for one channel, else (n, H, W, C). force: target may
    exist; then a .npy file is replaced, and a folder is merged into: files of the same names are
    replaced, all others stay. DataError if target is there without force, cannot be written, or is
    a file where a folder is to be, also with force; ParamError for a folder at "-", standard
    output.
    """
    if target.suffix == ".npy":
        channels_last = pixels[:, 0] if pixels.shape[1] == 1 else pixels.transpose(0, 2, 3, 1)
        with atomic(target, force) as file:
            np.save(file, channels_last, allow_pickle=False)
        return
    digits = len(str(len(pixels)))
    numbered = (folders.Picture(f"{i + 1:0{digits}}", "", p) for i, p in enumerate(pixels))
    write_folder(target, numbered, force)
