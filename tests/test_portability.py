"""Linux, macOS and Windows: what one of them lacks is called in one file, and something stands in.

The fallbacks are run here on a system that has everything, with what others lack taken away; the
test workflow runs the suite on the systems themselves.
"""

import ast
import errno
import io
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import aetool
from aetool import operations, system
from aetool.cli import COMMANDS, status
from aetool.codec.archive import Archive
from aetool.codec.folders import Picture
from aetool.data import array_files
from aetool.errors import ArchiveError
from aetool.files import atomic, new_folder, new_spool, outputs, path_of
from aetool.operations import CompressOptions
from aetool.report import times
from aetool.writing.pictures import write_folder
from tests.trees import tree_of

ROOT = Path(aetool.__file__).parent
PLUGINS = ROOT.parent / "plugins"
# Functions and constants of `os` that Python's documentation says Windows, or macOS, does not have.
NOT_EVERYWHERE = set(
    "chflags chown chroot confstr copy_file_range ctermid eventfd fchdir fchmod fchown fdatasync fork "
    "forkpty fpathconf fstatvfs getegid geteuid getgid getgrouplist getgroups getloadavg getpgid getpgrp "
    "getpriority getresgid getresuid getsid getuid getxattr initgroups killpg lchflags lchmod lchown link "
    "listxattr lockf major makedev memfd_create minor mkfifo mknod nice openpty pathconf pipe2 plock "
    "posix_fadvise posix_fallocate posix_openpt posix_spawn pread preadv pwrite pwritev register_at_fork "
    "removexattr sched_getaffinity sched_setaffinity sched_yield sendfile set_blocking setegid seteuid "
    "setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setsid setuid setxattr "
    "splice statvfs supports_dir_fd supports_fd supports_follow_symlinks sync sysconf tcgetpgrp tcsetpgrp "
    "ttyname umask uname unshare utime wait wait3 wait4 waitid".split()
)
NO_MODULE = {"crypt", "fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "winreg"}  # fmt: skip
TEXT_MODES = ("w", "a", "x")
FOLDER_HANDLES = {"dir_fd", "src_dir_fd", "dst_dir_fd"}


def own_files():
    """Every Python file of the package and of its plugins, with its tree."""
    for path in sorted([*ROOT.rglob("*.py"), *PLUGINS.rglob("*.py")]):
        yield path, tree_of(path)


def calls_of_few_systems(tree):
    """What a file names that not every system has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & NO_MODULE
        elif isinstance(node, ast.ImportFrom) and node.module in NO_MODULE:
            yield node.module
        elif isinstance(node, ast.Attribute):
            # of a longer name none is looked for
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner == "os" and (node.attr in NOT_EVERYWHERE or node.attr == "O_TMPFILE"):
                yield f"os.{node.attr}"
            if owner == "signal" and node.attr in ("SIGHUP", "SIGKILL", "SIGALRM", "alarm"):
                yield f"signal.{node.attr}"
            if node.attr in ("fromtimestamp", "utcfromtimestamp"):
                yield node.attr  # of moments before 1970 Windows knows none
            if owner == "ctypes" and node.attr == "CDLL":
                yield "ctypes.CDLL"
        elif isinstance(node, ast.keyword) and node.arg in FOLDER_HANDLES:
            yield node.arg


def test_what_not_every_system_has_is_called_in_one_file():
    used = {path: set(calls_of_few_systems(tree)) for path, tree in own_files()}
    own = used.pop(ROOT / "system.py")
    assert {"fcntl", "os.pread", "os.umask", "ctypes.CDLL"} <= own
    assert not {str(path): names for path, names in used.items() if names}


def test_folders_are_opened_in_one_file():
    """Windows opens no folder, and os.open would write \\r\\n there."""
    opening = set()
    for path, tree in own_files():
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        # the name is looked at first: to write all of them out takes longer than to read the files
        if any(getattr(f, "attr", "") == "open" and ast.unparse(f) == "os.open" for f in calls):
            opening.add(path.relative_to(ROOT).as_posix())
    # a pipe or device to write to, and the null device
    assert opening == {"system.py", "files/outputs.py", "cli/terminal.py"}


def unsaid_texts(tree):
    """Lines that read or write text in the encoding, or with the line ends, of the machine."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        said = {keyword.arg for keyword in node.keywords}
        mode = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        writes = node.func.attr == "write_text" or (node.func.attr == "open" and mode in TEXT_MODES)
        reads = node.func.attr == "read_text" or (node.func.attr == "open" and mode == "r")
        if ((reads or writes) and "encoding" not in said) or (writes and "newline" not in said):
            yield node.lineno


def test_texts_have_one_encoding_and_one_line_end():
    assert not {
        str(path): lines for path, tree in own_files() if (lines := list(unsaid_texts(tree)))
    }


# ---- with what others lack taken away


def take_away_linux(monkeypatch):
    """What macOS has not: files by numbers in /proc, files without names, room reserved."""
    monkeypatch.setattr(system, "OPEN_FILES", Path("/nowhere"))
    for name in ("O_TMPFILE", "posix_fallocate"):
        monkeypatch.delattr(os, name, raising=False)


def take_away_posix(monkeypatch):
    """What Windows has not, either: locks, handles of folders, modes, owners, the C library."""
    take_away_linux(monkeypatch)
    monkeypatch.setattr(system, "WINDOWS", True)
    monkeypatch.setattr(system, "fcntl", None)
    for name in ("pread", "fchmod", "fchown", "sync", "register_at_fork"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(os, "supports_fd", os.supports_fd - {os.utime})
    monkeypatch.setattr(os, "supports_follow_symlinks", os.supports_follow_symlinks - {os.link})
    open_at = os.open

    def no_folder(path, flags, *more, **named):
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_at(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", no_folder)
    monkeypatch.setattr(shutil, "_use_fd_functions", False)  # as where no folder can be opened


def take_away_second_names(monkeypatch):
    """What FAT and some network drives have not."""
    take_away_posix(monkeypatch)

    def no_link(*_paths, **_named):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_link)


@pytest.fixture(params=[take_away_linux, take_away_posix, take_away_second_names])
def elsewhere(request, monkeypatch):
    """A system that lacks something."""
    request.param(monkeypatch)
    return request.param


@pytest.fixture
def place(tmp_path):
    """A folder to write to, with a table and a folder of files; what lies about afterwards fails."""
    (tmp_path / "t.csv").write_bytes(b"a,b\r\n" + b"".join(b"%d,x\r\n" % n for n in range(2000)))
    (tmp_path / "files" / "sub").mkdir(parents=True)
    (tmp_path / "files" / "a.txt").write_bytes(b"new")
    (tmp_path / "files" / "sub" / "b.bin").write_bytes(bytes(range(256)))
    yield tmp_path
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".aetool-")]


def test_a_file_is_compressed_and_restored(elsewhere, place):
    table, archive, back = place / "t.csv", place / "t.csv.aez", place / "back.csv"
    os.utime(table, ns=(10**18, 10**18))
    for force in (False, True):
        operations.compress(table, archive, options=CompressOptions(force=force))
        operations.decompress(archive, back, force=force)
        assert back.read_bytes() == table.read_bytes()
        assert archive.stat().st_mtime_ns == table.stat().st_mtime_ns
    with pytest.raises(aetool.AetoolError, match="exists already"):
        operations.compress(table, archive)


def test_a_file_that_is_not_finished_leaves_the_old_one(elsewhere, place):
    target = place / "t.csv"
    before = target.read_bytes()
    with pytest.raises(ZeroDivisionError), atomic(target, force=True) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == before
    with pytest.raises(aetool.AetoolError, match="no such folder"), atomic(place / "no" / "t"):
        pass


def test_a_folder_takes_the_place_of_another(elsewhere, place):
    target = place / "restored"
    operations.compress(place / "files", place / "files.aez")
    (target / "sub").mkdir(parents=True)
    (target / "a.txt").write_bytes(b"old")
    (target / "sub" / "own.txt").write_bytes(b"own")
    operations.decompress(place / "files.aez", target, force=True)
    held = {
        p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()
    }
    assert held == {"a.txt": b"new", "sub/b.bin": bytes(range(256)), "sub/own.txt": b"own"}


def test_a_folder_that_is_not_finished_leaves_the_old_one(elsewhere, place):
    with pytest.raises(ZeroDivisionError), new_folder(place / "files", force=True) as tree:
        (tree / "a.txt").write_bytes(b"half")
        raise ZeroDivisionError
    assert (place / "files" / "a.txt").read_bytes() == b"new"


def test_what_can_be_read_once_is_kept(elsewhere, place, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO((place / "t.csv").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    operations.compress("-", place / "piped.aez")
    with Archive(place / "piped.aez") as archive:
        assert archive.rows == 2000


def test_large_arrays_are_put_together_in_a_file(elsewhere, place, monkeypatch):
    monkeypatch.setattr(array_files, "LARGE", 1000)
    numbers = np.arange(3000.0).reshape(1000, 3)
    np.savez(place / "n.npz", numbers=numbers, more=numbers[:, 0])
    operations.compress(place / "n.npz", place / "n.aez")
    operations.decompress(place / "n.aez", place / "again.npz")
    with np.load(place / "again.npz") as again:
        assert (again["numbers"] == numbers).all()


def test_a_file_for_a_while_can_be_opened_again_and_is_gone_when_closed(elsewhere):
    spool = new_spool()
    spool.write(b"what was piped")
    spool.flush()
    path = path_of(spool)
    assert path.read_bytes() == b"what was piped"
    spool.close()
    del spool
    assert not path.exists()


def test_what_a_killed_writer_left_is_removed_where_one_can_tell(place, monkeypatch):
    target = place / "t.csv"
    take_away_posix(monkeypatch)
    left = place / outputs.new_name(target)
    left.write_bytes(b"of a killed writer")
    monkeypatch.setattr(system, "WINDOWS", False)
    assert list(outputs.strays_of(target)) == [], "nobody can tell whether its writer lives"
    monkeypatch.setattr(system, "WINDOWS", True)
    with atomic(target, force=True) as file:
        file.write(b"new")
    assert not left.exists()


def test_a_writer_that_lives_keeps_its_folder_on_windows(place, monkeypatch):
    take_away_posix(monkeypatch)
    claimed = place / "folder"
    claimed.mkdir()
    handle = system.claim_folder(claimed)

    def in_use(self, target):
        raise PermissionError(errno.EACCES, "the process cannot access the file", str(target))

    with monkeypatch.context() as windows:
        windows.setattr(Path, "rename", in_use)
        with pytest.raises(PermissionError), system.unclaimed(claimed):
            pass
    with system.unclaimed(claimed):
        pass
    system.close_claim(handle, claimed)
    assert not claimed.exists()


def test_files_are_synced_one_by_one_where_there_is_no_call_for_all(place, monkeypatch):
    take_away_posix(monkeypatch)
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    system.sync_tree(place / "files")
    assert len(synced) == 2


# ---- names and consoles


@pytest.mark.parametrize(("name", "impossible"), [
    ("a.txt", False), ("sub/a.txt", False), ("sub/.hidden", False), ("common.txt", False),
    ("C:x", True), ("a\\..\\b", True), ("sub/CON", True), ("nul.txt", True), ("a ", True), ("sub/a.", True),
    ("what?", True), ("a\tb", True), ("/rooted", True), ("lpt1", True),
])  # fmt: skip
def test_names_that_windows_takes_for_something_else(monkeypatch, name, impossible):
    assert not system.name_is_impossible(name)
    monkeypatch.setattr(system, "WINDOWS", True)
    assert system.name_is_impossible(name) == impossible


def test_a_name_that_leads_elsewhere_on_windows_is_refused_there(place, monkeypatch):
    files = [Picture("C:evil.txt", raw=b"x")]
    write_folder(place / "here", files, force=False)
    assert (place / "here" / "C:evil.txt").read_bytes() == b"x"
    monkeypatch.setattr(system, "WINDOWS", True)
    with pytest.raises(ArchiveError, match=r"'C:evil.txt' is no name of a file on this system"):
        write_folder(place / "there", files, force=False)
    assert not (place / "there").exists()


def test_two_names_that_are_one_to_the_system_are_refused(place, monkeypatch):
    """As a.png and A.png are on macOS and Windows; here one name is written to twice."""
    pixels = np.zeros((1, 4, 4), np.uint8)
    files = [
        Picture("a.png", "L", pixels, format="PNG"),
        Picture("a.png", "L", pixels, format="PNG"),
    ]
    with pytest.raises(ArchiveError, match="two files of one name"):
        write_folder(place / "both", files, force=False)
    assert not (place / "both").exists()


def test_names_in_archives_have_one_separator(place):
    operations.compress(place / "files", place / "files.aez")
    with Archive(place / "files.aez") as archive:
        names = {picture.name for picture in archive.content.pictures(archive, 0, archive.rows)}
    assert names == {"a.txt", "sub/b.bin"}


def test_long_paths(place):
    folder = place
    while len(str(folder)) < 900:
        folder = folder / ("long" * 20)
    folder.mkdir(parents=True)
    table = folder / "t.csv"
    shutil.copy(place / "t.csv", table)
    operations.compress(table, folder / "t.aez")
    operations.decompress(folder / "t.aez", folder / "back.csv")
    assert (folder / "back.csv").read_bytes() == table.read_bytes()


def console(monkeypatch, encoding):
    """Standard output and error as a console of this encoding has them."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding))
    return sys.stdout, sys.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_printed_on_any_console(monkeypatch, encoding, command):
    out, _ = console(monkeypatch, encoding)
    assert status([*command.split(), "--help"]) == 0
    assert out.buffer.getvalue().startswith(b"Usage: aetool")


def test_names_of_any_alphabet_are_told_on_a_console_of_windows(place, monkeypatch):
    table = place / "cells.csv"
    rows = "".join(f"{n % 9},{n % 7}\n" for n in range(300))
    table.write_text("温度,π\n" + rows + "9000,3\n", encoding="utf-8", newline="\n")
    out, err = console(monkeypatch, "cp1252")
    assert status(["detect", str(table), "-p", "pca", "--top", "1"]) == 0
    data = out.buffer.getvalue()
    assert "温度=9000" in data.decode("utf-8"), "data are UTF-8, whatever the console's encoding is"
    out, err = console(monkeypatch, "cp1252")
    assert status(["compress", str(table), "--columns", "温度"]) == 2
    assert status(["compress", str(table), "--max-error", "温=1"]) == 2
    assert b"\\u6e29" in err.buffer.getvalue()


def test_moments_before_1970_have_dates():
    moments, words = times.time_ticks(-10 * 86_400, -2 * 86_400, 500)
    assert moments == [-864_000 + 172_800 * step for step in range(5)]
    assert words == ["22 Dec", "24 Dec", "26 Dec", "28 Dec", "30 Dec"]


def test_members_of_zip_files_are_named_alike_everywhere(place):
    np.savez(place / "n.npz", **{"a": np.arange(3), "b": np.arange(4)})
    operations.compress(place / "n.npz", place / "n.aez")
    operations.decompress(place / "n.aez", place / "again.npz")
    with zipfile.ZipFile(place / "again.npz") as file:
        assert file.namelist() == ["a.npy", "b.npy"]
