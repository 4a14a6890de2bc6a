"""Standard output and full disks: a kill, a reader that leaves, and a disk that is full leave the
start of what should come, never anything else; nothing lies about afterwards."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from aetool import cli, operations
from aetool.codec import planning
from aetool.data import array_files
from aetool.errors import AetoolError
from aetool.operations import CompressOptions
from tests.forked import forked

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
SMALL_BLOCKS = CompressOptions(effort=planning.Effort(block=20_000))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table, and its archive of several blocks; a table in Parquet."""
    folder = tmp_path_factory.mktemp("made")
    source = folder / "t.csv"
    rng = np.random.default_rng(0)
    source.write_text("a,b\n" + "".join(f"{v},{v % 7}\n" for v in rng.integers(0, 2**50, 12_000)))
    operations.compress(source, folder / "t.aez", options=SMALL_BLOCKS)
    table = pa.table({"a": rng.integers(0, 2**50, 3000), "s": ["x", "y", None] * 1000})
    parquet.write_table(table, folder / "t.parquet")
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """What was made, and a folder of its own for spools."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "spools").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spools"))
    return tmp_path


def names(folder):
    """Everything in a folder and below it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


HOME = {"t.csv", "t.parquet", "t.aez", "spools"}
# how small an archive is does not matter here
TO_OUTPUT = (
    ("compress", "t.csv", "-q", "--fast", "-c"),
    ("compress", "-", "-q", "--fast", "-c"),
    ("compress", "t.parquet", "-q", "--fast", "-c"),
    ("decompress", "t.aez", "-c"),
    ("decompress", "-", "-c"),
)


def command_of(place, words):
    """(the command line, the file that it reads as standard input)."""
    arguments = [str(place / word) if word in HOME else word for word in words]
    piped = place / ("t.csv" if words[0] == "compress" else "t.aez")
    return arguments, piped


def written(place, words, last=0, most_bytes=-1):
    """(how the command ended, what reached standard output, a file that was opened for it)."""
    arguments, piped = command_of(place, words)
    out = place / "out"
    with piped.open("rb") as given, out.open("wb") as stdout:
        ended = forked(
            lambda: cli.status(arguments), last, most_bytes, given.fileno(), stdout.fileno()
        )
    data = out.read_bytes()
    out.unlink()
    return ended, data


def refused(data, folder):
    """Whether these bytes are refused as an archive, and nothing is written."""
    (folder / "part.aez").write_bytes(data)
    try:
        operations.decompress(folder / "part.aez", folder / "part")
    except AetoolError:
        assert not (folder / "part").exists()
        return True
    finally:
        (folder / "part.aez").unlink()
    (folder / "part").unlink()
    return False


@pytest.mark.parametrize("words", TO_OUTPUT, ids=" ".join)
@pytest.mark.parametrize("times", [2, pytest.param(200, marks=pytest.mark.long)])
def test_a_kill_leaves_the_start_of_the_output(place, words, times):
    ended, whole = written(place, words)
    assert ended.status == 0 and ended.said == ""
    rng = random.Random(times)
    seen = set()
    for i in range(times):
        calls = ended.calls
        last = calls - rng.randrange(200) if i % 2 else rng.randrange(1, calls)
        killed, data = written(place, words, last)
        # the instants of a process forked anew differ a little
        assert killed.status in (0, -signal.SIGKILL)
        assert whole.startswith(data), (i, last)
        seen.add("nothing" if not data else "all" if data == whole else "part")
        if words[0] == "compress" and data != whole:
            assert refused(data, place)
        assert names(place) == HOME, (i, last)
    assert times < 100 or seen >= {"nothing", "all"}
    # archives are checked as a whole before they are emitted, restored tables piece by piece
    assert times < 100 or words[0] == "compress" or "part" in seen


@pytest.mark.parametrize("words", TO_OUTPUT, ids=" ".join)
@pytest.mark.parametrize("times", [2, pytest.param(100, marks=pytest.mark.long)])
def test_a_reader_that_leaves_gets_the_start(place, words, times):
    """It closes its end after so many bytes; the writer says so in one line, or was done before."""
    _, whole = written(place, words)
    arguments, piped = command_of(place, words)
    rng = random.Random(times)
    for _ in range(times):
        most = rng.choice([0, 1, rng.randrange(len(whole)), len(whole)])
        ends, forks = os.pipe(), os.pipe()
        got = []

        def read():
            # closed before the fork, the number might be that of another file in the child
            os.read(forks[0], 1)
            with os.fdopen(ends[0], "rb") as reader:
                got.append(reader.read(most))

        reader = threading.Thread(target=read)

        def work():
            os.close(ends[0])
            os.write(forks[1], b"1")
            return cli.status(arguments)

        with piped.open("rb") as given:
            reader.start()
            ended = forked(work, stdin=given.fileno(), stdout=ends[1])
        os.close(ends[1])
        os.close(forks[1])
        reader.join()
        os.close(forks[0])
        assert got == [whole[:most]]
        if ended.status:
            assert ended.status == 2 and "cannot write: Broken pipe" in ended.said
            assert ended.said.count("\n") == 1
        else:
            assert not ended.said
            assert most > len(whole) - (1 << 17), "more was left than a pipe holds"
        assert names(place) == HOME


# one that compresses takes seconds for its six limits: from a pipe it is of the fast set
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, id=" ".join(words), marks=pytest.mark.long if from_file else ())
        for words in TO_OUTPUT
        for from_file in [words[0] == "compress" and words[1] != "-"]
    ],
)
def test_a_limit_of_output_is_one_line(place, words):
    """As on a full disk: of the spool as of the file that the shell opened."""
    _, whole = written(place, words)
    largest = max(len(whole), (place / "t.csv").stat().st_size)
    for most_bytes in (0, 1, 4096, len(whole) // 2, len(whole) - 1, largest):
        ended, data = written(place, words, most_bytes=most_bytes)
        assert whole.startswith(data)
        if ended.status:
            assert ended.status == 2 and ended.said.count("\n") == 1
            assert "cannot write: File too large" in ended.said, ended.said
        assert ended.status or data == whole
        assert ended.status == 0 or most_bytes < largest
        assert names(place) == HOME


# ---- files and folders on a disk that is full

TO_FILES = {
    "archive of a file": ("compress", "t.csv", "-q", "--fast", "-f", "-o", "new"),
    "archive of a pipe": ("compress", "-", "-q", "--fast", "-f", "-o", "new"),
    "file": ("decompress", "t.aez", "-f", "-o", "new"),
    "array": ("decompress", "a.aez", "-f", "-o", "new"),
    "folder": ("decompress", "f.aez", "-f", "-o", "new"),
}


@pytest.fixture(scope="module")
def further(tmp_path_factory):
    """The archives of an array, and of a folder with a file that is large and a picture."""
    place = tmp_path_factory.mktemp("further")
    # the last axis is outermost in the file: all must be there before it is written
    array = np.asfortranarray(np.random.default_rng(0).integers(0, 9, (5000, 3)))
    np.save(place / "a.npy", array)
    operations.compress(place / "a.npy", place / "a.aez")
    folder = place / "f"
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    (folder / "large.bin").write_bytes(rng.bytes(150_000))
    pixels = rng.integers(0, 255, (40, 40)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "sub" / "x.png")
    operations.compress(folder, place / "f.aez")
    return place


@pytest.fixture
def sources(place, further, monkeypatch):
    """Also the archives of an array, which is put together in a file, and of a folder."""
    monkeypatch.setattr(array_files, "LARGE", 1)
    shutil.copytree(further, place, dirs_exist_ok=True)
    return place


def content(path):
    """The bytes of a file, or of each file of a folder; None if there is none."""
    if path.is_dir():
        return {name: content(path / name) for name in names(path) if (path / name).is_file()}
    return path.read_bytes() if path.exists() else None


def old_at(target, what):
    """Something old at the target's place, of the kind that will replace it."""
    if what == "folder":
        target.mkdir()
        (target / "old.txt").write_bytes(b"old")
    else:
        target.write_bytes(b"old")


def cleared(target):
    if target.is_dir():
        subprocess.run(["rm", "-r", str(target)], check=True)
    target.unlink(missing_ok=True)


def check_full(sources, home, what, runs):
    """Runs a command on disks that are ever less full; `home` is where it writes.

    runs: (how full, a function that runs the command line with this standard input). What stands at
    the target is what stood there, or the new whole.
    """
    words = [
        str(sources / w) if w in ("t.csv", "t.aez", "a.aez", "f.aez") else w for w in TO_FILES[what]
    ]
    target = home / "new"
    words[-1] = str(target)
    failures = 0
    for full, run in runs:
        for exists in (False, True):
            cleared(target)
            if exists:
                old_at(target, what)
            before = content(target)
            with (sources / "t.csv").open("rb") as given:
                ended = run(words, given.fileno())
            after = content(target)
            if ended.status:
                assert ended.status == 2 and ended.said.count("\n") == 1, (full, ended.said)
                reasons = ("No space left", "File too large", "temporary folder is full")
                assert any(reason in ended.said for reason in reasons), ended.said
                assert after == before, full
                failures += 1
            else:
                _assert_new(sources, what, target, before)
            assert not any(".aetool" in name for name in names(home)), full
    return failures


def _assert_new(sources, what, target, before):
    if what in ("file", "array"):
        source = sources / {"file": "t.csv", "array": "a.npy"}[what]
        assert content(target) == content(source)
    elif what == "folder":
        brought = content(target)
        assert brought == {**(before or {}), **brought}
        assert brought["large.bin"] == content(sources / "f")["large.bin"]
        with Image.open(target / "sub/x.png") as one, Image.open(sources / "f/sub/x.png") as two:
            assert one.tobytes() == two.tobytes()
    else:
        back = operations.decompress(target, sources / "back", force=True)
        assert content(back) == content(sources / "t.csv")
        back.unlink()


# a file is read and written twice for each limit, which takes as long as all of the others
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=pytest.mark.long if what in ("archive of a file", "array") else ())
        for what in TO_FILES
    ],
)
def test_a_limit_of_size_leaves_the_old_or_the_new(sources, what):
    def limited(most_bytes):
        return lambda words, given: forked(
            lambda: cli.status(words), most_bytes=most_bytes, stdin=given
        )

    limits = [0, 1, 100, 20_000, 149_999, 180_000, 1 << 24]
    failures = check_full(sources, sources, what, [(n, limited(n)) for n in limits])
    assert failures >= 6


@pytest.mark.long
@pytest.mark.parametrize("what", TO_FILES)
def test_a_full_disk_leaves_the_old_or_the_new(sources, what, monkeypatch):
    """A file system of its own, of ever more bytes or names; the spool is in it, too."""
    home = sources / "disk"
    home.mkdir()
    options = [f"size={pages * 4}k" for pages in (*range(1, 12), *range(12, 200, 9))]
    options += [f"size=8m,nr_inodes={n}" for n in range(1, 12)]
    failures = 0
    for option in [*options, "size=8m"]:
        mount = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(home)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")
        monkeypatch.setattr(tempfile, "tempdir", str(home))
        try:
            (home / "new").write_bytes(b"old")  # is there room for what is old?
        except OSError:
            subprocess.run(["umount", str(home)], check=True)
            continue

        def run(words, given):
            return forked(lambda: cli.status(words), stdin=given)

        try:
            failures += check_full(sources, home, what, [(option, run)])
        except OSError as error:  # no room for what is old of a folder
            assert what == "folder" and error.filename and Path(error.filename).is_relative_to(home)
        finally:
            subprocess.run(["umount", str(home)], check=True)
    assert failures > 10
