"""Replaces a folder by a new one in one step, with every file that the new one does not bring.

A folder is made beside its target, in a folder of its own that only its writer uses:

    .aetool-<digest of the target's name>.<process>-<number>.part/
        tree/          what is being made; after the exchange, what was there before
        journal.json   written when the tree is whole: the number of its inode, and its files
        old/           where the system cannot exchange two names: what was there before

Whatever a killed writer leaves, the next writer of the target (or reader, if the target is gone)
settles by these.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from aetool import system
from aetool.errors import DataError
from aetool.files.attributes import looked_up
from aetool.files.outputs import new_name, strays_of, sync_folder
from aetool.spelling import option
from aetool.system import exchange, sync_tree

TREE, OLD, JOURNAL = "tree", "old", "journal.json"

Files: TypeAlias = set[str]  # paths within a folder, with /


@contextmanager
def new_folder(target: Path, force: bool = False, named_by: str | None = None) -> Iterator[Path]:
    """Context manager: an empty folder to fill, which becomes `target` if the block ends well, and
    is removed if not.

    named_by: the option that names target, if not -o. force: target may exist. Then files of the
    same names are replaced, and all others stay: nothing vanishes that the block did not write. At
    every instant target is the old folder or the new. DataError if target is there (without force),
    is a file, is where a file system is mounted, or holds the current folder; if a folder of the
    one is a file of the other; and if it cannot be written. What there was then stays. DataError
    also for "-", standard output.
    """
    if os.fspath(target) == "-":
        raise DataError(
            "a folder cannot be written to standard output: name one with "
            f"{named_by or option('-o')}"
        )
    resolved = Path(os.path.realpath(target))
    try:
        repair(resolved)
        replaced = looked_up(target)
        if replaced is not None:
            _check_replaceable(target, resolved, replaced, force, named_by)
        wrapper = resolved.parent / new_name(resolved)
        wrapper.mkdir(0o700)
        # another writer takes a folder without a claim for a dead one's
        try:
            claim = system.claim_folder(wrapper)
        except OSError:
            wrapper.rmdir()
            raise
    except OSError as error:
        raise DataError(f"{target.parent}: cannot write here: {error.strerror or error}") from None
    try:
        tree = wrapper / TREE
        tree.mkdir()
        yield tree
        brought = _files_in(tree)
        if replaced is not None:
            _keep_others(resolved, tree, target)
            shutil.copystat(resolved, tree)
        sync_tree(tree)
        _write_journal(wrapper, brought)
        _put_in_place(wrapper, resolved)
        _finish_replacement(wrapper, resolved)
        sync_folder(resolved.parent)
    except OSError as error:
        raise DataError(f"{target}: cannot write: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):  # then the next writer of target does it
            _finish_replacement(wrapper, resolved)
        system.close_claim(claim, wrapper)


def repair(target: Path) -> None:
    """Finish what killed writers of the folder target left undone, so that target is the old folder
    or the new one; what living ones write is left alone. Does nothing where target's folder cannot
    be listed; OSError where something cannot be renamed or removed."""
    try:
        strays = list(strays_of(target))
    except OSError:  # no such parent, or none that can be read: nothing can have been left
        return
    for path in strays:
        if path.is_dir():
            _finish_replacement(path, target)


def _check_replaceable(
    target: Path,
    resolved: Path,
    replaced: os.stat_result,
    force: bool,
    named_by: str | None,
) -> None:
    """Raise DataError unless a new folder may take the place of what lies at target: a folder, with
    force, that is no mounted file system and does not hold the current one. resolved: its real
    path, replaced: its status; named_by: the option by which the user named it, None for -o."""
    if not stat.S_ISDIR(replaced.st_mode):
        raise DataError(
            f"{target}: is a file, and a folder is to be written; choose another "
            f"{named_by or option('-o')}"
        )
    if not force:
        raise DataError(
            f"{target}: exists already; replace it with {option('-f')}, or choose another "
            f"{named_by or option('-o')}"
        )
    if os.path.ismount(resolved):
        raise DataError(
            f"{target}: is where a file system is mounted; name a folder in it with "
            f"{named_by or option('-o')}"
        )
    here = Path.cwd()
    if resolved in (here, *here.parents):
        raise DataError(
            f"{target}: holds the folder in which this command runs; run it elsewhere, or name "
            f"another folder with {named_by or option('-o')}"
        )


# ---- making the new folder whole


def _files_in(tree: Path) -> Files:
    """The relative paths of everything in a folder: files, and folders with a / behind their names.
    OSError if a folder cannot be listed."""
    names: Files = set()
    # a list that is cut short would have the old files take the place of the new ones
    for folder, folders, files in os.walk(tree, onerror=_raise):
        inside = Path(folder).relative_to(tree)
        names.update((inside / name).as_posix() for name in files)
        names.update((inside / name).as_posix() + "/" for name in folders)
    return names


def _raise(error: OSError) -> None:
    """Raise an error that os.walk would pass over."""
    raise error


def _keep_others(old: Path, new: Path, target_path: Path) -> None:
    """Link the files of the old folder, and of the folders in it, that the new one lacks into the
    new one; files are copied where there are no hard links. Folders that the new one lacks are made
    there, with the modes and times of the old ones; others keep theirs. target_path: the target,
    for messages. DataError where one of them has a file and the other a folder, or a file system is
    mounted in the old one; OSError where it cannot be read or linked."""
    device = old.stat().st_dev
    with os.scandir(old) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path_in_new = new / entry.name
            name = target_path / entry.name
            status_in_new = path_in_new.lstat() if os.path.lexists(path_in_new) else None
            # files, and links as they are
            if not entry.is_dir(follow_symlinks=False):
                if status_in_new is None:
                    system.give_second_name(entry.path, path_in_new)
                elif stat.S_ISDIR(status_in_new.st_mode):
                    raise DataError(f"{name}: is a file, and the archive holds a folder there")
                continue
            if entry.stat().st_dev != device:
                raise DataError(
                    f"{name}: is where another file system is mounted; {option('-o')} elsewhere"
                )
            if status_in_new is None:
                path_in_new.mkdir()
            elif not stat.S_ISDIR(status_in_new.st_mode):
                raise DataError(f"{name}: is a folder, and the archive holds a file there")
            _keep_others(Path(entry.path), path_in_new, name)
            # at last: a mode that forbids writing would keep its files out
            if status_in_new is None:
                shutil.copystat(entry.path, path_in_new)


def _write_journal(wrapper: Path, brought: Files) -> None:
    """Record that the new tree is complete, and which files it brought (as `_files_in` names them),
    in the file JOURNAL of the wrapper, the folder that only this writer uses. Written under another
    name first, so that the journal is complete or not there."""
    journal = {"inode": (wrapper / TREE).stat().st_ino, "brought": sorted(brought)}
    draft = wrapper / "draft"
    with draft.open("w", encoding="ascii", newline="\n") as file:
        json.dump(journal, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(wrapper / JOURNAL)
    sync_folder(wrapper)


def _read_journal(wrapper: Path) -> tuple[int, Files]:
    """What `_write_journal` recorded: (the number of the new tree's inode, the files it brought).
    FileNotFoundError without a journal; OSError for one that is damaged, as nothing then tells the
    old folder from the new one, and neither is touched."""
    content = (wrapper / JOURNAL).read_bytes()
    try:
        journal = json.loads(content)
        inode = int(journal["inode"])
        brought = {str(name) for name in journal["brought"]}
    except (ValueError, KeyError, TypeError):
        advice = "damaged: what a killed writer left can no longer be told; move it away"
        raise OSError(errno.EBADMSG, advice, str(wrapper / JOURNAL)) from None
    return inode, brought


def _put_in_place(wrapper: Path, target: Path) -> None:
    """Rename the finished folder, TREE in the wrapper, to the target's name; what was there before
    is moved into the wrapper, as TREE where the system can exchange two names, else as OLD. OSError
    if it fails; the old folder then stays."""
    tree = wrapper / TREE
    if not os.path.lexists(target):
        tree.rename(target)
    elif not exchange(tree, target):
        # two steps: a writer that is killed between them leaves none, and `repair` the new one
        target.rename(wrapper / OLD)
        try:
            tree.rename(target)
        except OSError:
            (wrapper / OLD).rename(target)
            raise


# ---- what is left when the new folder is in place, or when its writer was killed


def _finish_replacement(wrapper: Path, target: Path) -> None:
    """Bring an interrupted replacement to an end: leave the old folder or the new one as target,
    and remove the wrapper, the folder that its writer used. Does nothing if there is none; OSError
    if something cannot be renamed or removed."""
    tree = wrapper / TREE
    old = wrapper / OLD
    try:
        inode, brought = _read_journal(wrapper)
    except FileNotFoundError:  # killed while it was being made: target is what it was
        _remove(wrapper)
        return
    # by its inode: after the exchange the old folder is called so
    is_new = tree.exists() and tree.stat().st_ino == inode
    # names could not be exchanged: the old folder was moved aside first
    if old.exists():
        if not target.exists():
            remaining = tree if is_new else old
            remaining.rename(target)
        if old.exists():
            _remove_replaced(old, target, brought)
    # they were exchanged: else target is still what it was, and only the wrapper is to go
    elif tree.exists() and not is_new:
        if target.exists():
            _remove_replaced(tree, target, brought)
        else:  # somebody took the new one away since: what was there before comes back
            tree.rename(target)
    _remove(wrapper)


def _remove_replaced(old: Path, new: Path, brought: Files, inside: str = "") -> None:
    """Empty the old folder: what is in the new folder, too, or was replaced is removed; what came
    to the old folder while the new one was being made is moved to the new one. brought: paths of
    what the writer made, from the outermost folder; inside: the path of these two from there,
    ending in /, or "". OSError if something cannot be moved or removed."""
    with os.scandir(old) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = inside + entry.name
            path = Path(entry.path)
            path_in_new = new / entry.name
            is_in_new = os.path.lexists(path_in_new)
            if entry.is_dir(follow_symlinks=False) and is_in_new and path_in_new.is_dir():
                path.chmod(0o700)  # what is in it can be removed by its owner
                _remove_replaced(path, path_in_new, brought, name + "/")
                path.rmdir()
            # replaced by a file that was brought, or the same file under its second name
            elif is_in_new and (name in brought or path_in_new.lstat().st_ino == entry.inode()):
                path.unlink()
            else:
                path.replace(path_in_new)


def _remove(wrapper: Path) -> None:
    """Remove a folder of ours, whatever the modes of the folders in it. What cannot be removed
    stays, without an error; OSError for a folder whose mode cannot be changed."""
    for folder, _, _ in os.walk(wrapper):
        Path(folder).chmod(0o700)
    shutil.rmtree(wrapper, ignore_errors=True)
