"""What goes wrong with files: damage, kills, full disks, hostile archives. Nothing is ever wrong
silently, half-written, or unbounded."""

import errno
import fcntl
import io
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aetool import cli, operations
from aetool.codec import payloads, plain
from aetool.codec.archive import Archive
from aetool.codec.blobs import read_varint, varint
from aetool.codec.container import layout
from aetool.codec.container.digests import digest
from aetool.codec.words import deflate
from aetool.errors import AetoolError, ArchiveError, DataError
from aetool.files import atomic, outputs
from aetool.operations import CompressOptions, FitOptions
from tests.effort import measured
from tests.forked import forked

MOST_LINES, MOST_BYTES = 100_000, 64 << 20  # of reading one small archive, hostile or not

ENV = {**os.environ, "PYTHONPATH": ""}
MODES = ("text", "typed", "bounded", "bytes", "pictures", "lossy", "corrected", "shared")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small archive of each mode, what it restores, and the model of the shared one."""
    folder = tmp_path_factory.mktemp("made")
    text = folder / "t.csv"
    text.write_text("a,b,id\n" + "".join(f"{i % 5},{i % 3}.5,x{i}\n" for i in range(24)))
    pd.DataFrame(
        {"a": [1.5, np.nan, 2.5], "t": pd.to_datetime(["2020-01-01"] * 3), "s": ["x", None, "z"]}
    ).to_parquet(folder / "t.parquet")
    np.save(folder / "p.npy", np.random.default_rng(0).integers(0, 255, (3, 4, 5)).astype(np.uint8))
    model = operations.fit(text, FitOptions(codec=True))
    out = {}
    patch = pytest.MonkeyPatch()
    # so short a text would be squeezed whole: here it is the coding of columns that is damaged
    patch.setattr(plain, "packed", lambda *_, **__: None)
    for mode, path, given, options in (
        ("text", text, None, {}),
        ("typed", folder / "t.parquet", None, {}),
        ("bounded", text, None, {"max_error": {"": "10%"}}),
        ("bytes", folder / "t.parquet", None, {"keep_files": True}),
        ("pictures", folder / "p.npy", None, {}),
        ("lossy", text, model, {"lossy_only": True, "embed": True}),
        ("corrected", text, model, {"lossy_only": True, "embed": True, "target": 0.01}),
        ("shared", text, model, {}),
    ):
        target = folder / f"{mode}.aez"
        operations.compress(path, target, given, CompressOptions(**options))
        restored = operations.decompress(target, folder / f"{mode}.out", model=model)
        out[mode] = target.read_bytes(), restored.read_bytes()
    patch.undo()
    return out, model


def refused_or_same(data, expected, model, tmp_path):
    """Whether an archive is refused; if not, it must restore what it did."""
    path, out = tmp_path / "t.aez", tmp_path / "t.out"
    path.unlink(missing_ok=True)  # for a file that is overwritten the disk is waited for
    path.write_bytes(data)
    try:
        operations.decompress(path, out, model=model, force=True, device="cpu")
    except AetoolError:
        assert not out.exists(), "nothing is left half-written"
        return True
    assert expected is None or out.read_bytes() == expected
    out.unlink()
    return False


# each bit is a reading: the fast set has those of one byte in so many, and so of each section; all
# of an archive in blocks are in test_container.py
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
def test_every_flipped_bit_and_every_cut_is_detected(made, mode, every, tmp_path):
    data, _ = made[0][mode]
    path = tmp_path / "t.aez"

    def refused(raw):
        path.unlink(missing_ok=True)  # for a file that is overwritten the disk is waited for
        path.write_bytes(raw)
        with pytest.raises(AetoolError), Archive(path, made[1]) as archive:
            archive.check()

    large = len(data) > 3000  # an embedded model is under one hash: one bit of each byte will do
    for i in range(0, len(data), every):
        for bit in (i % 8,) if large else range(8):
            bad = bytearray(data)
            bad[i] ^= 1 << bit
            refused(bad)
        refused(data[:i])
    refused(data + b"\0")


def mutants(data, number, seed):
    """Bursts, insertions, deletions, and pieces in the wrong place."""
    rng = random.Random(seed)
    for _ in range(number):
        at, size = rng.randrange(len(data)), rng.randrange(1, 30)
        kind = rng.randrange(4)
        if kind == 0:
            yield data[:at] + rng.randbytes(size) + data[at + size :]
        elif kind == 1:
            yield data[:at] + rng.randbytes(size) + data[at:]
        elif kind == 2:
            yield data[:at] + data[at + size :]
        else:
            other = rng.randrange(len(data))
            yield data[:at] + data[other : other + size] + data[at + size :]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", [60, pytest.param(3000, marks=pytest.mark.long)])
def test_bursts_insertions_and_deletions_never_give_a_wrong_value(made, mode, number, tmp_path):
    data, expected = made[0][mode]
    for bad in mutants(data, number, number):
        if bad != data:
            # every byte is under a digest
            assert refused_or_same(bad, expected, made[1], tmp_path)


def resealed(data, change):
    """The archive with the JSON of its first block changed, and all checksums right again."""

    def changed(payload):
        words, rest = payloads.words_of(payload)
        head = deflate(change(words))
        return varint(len(head)) + head + payload[rest:]

    at = layout.START.size + layout.length_of_name(data[9])
    assert data[9] & layout.ONE_PIECE
    _, at = read_varint(data, at)
    size, at = read_varint(data, at)
    begin, end = at + size, len(data) - 16
    data = data[:begin] + changed(data[begin:end]) + data[end:-8]
    return data + digest(data)


def test_a_resealed_archive_that_was_not_changed_is_whole(made, tmp_path):
    data, expected = made[0]["text"]
    assert not refused_or_same(resealed(data, lambda w: w), expected, None, tmp_path)


HOSTILE = [2**62, -(2**63), 2**31, -1, 0, 1, 65536, 1e308, "", "x" * 1000, None, True, [], {}, [[[]]], ["m", [1], 99],
           ["v", 10**6, [1]], ["s", 0, list(range(300))], [2**40] * 600]  # fmt: skip


def change_one(words, rng):
    """The JSON with one value replaced, wherever it stands."""
    places = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(words)
    node, key = rng.choice(places)
    node[key] = rng.choice(HOSTILE)
    return words


@pytest.mark.parametrize("mode", ["text", "typed", "bounded", "pictures"])
@pytest.mark.parametrize("number", [60, pytest.param(3000, marks=pytest.mark.long)])
def test_hostile_plans_with_right_checksums_are_refused(made, mode, number, tmp_path):
    data, expected = made[0][mode]
    if mode == "typed":  # a forged scale with right checksums is another, whole archive
        expected = None
    rng = random.Random(number)
    for _ in range(number):
        try:
            bad = resealed(data, lambda w: change_one(w, rng))
        except (ValueError, OverflowError):
            continue
        work = measured(lambda: refused_or_same(bad, expected, made[1], tmp_path))
        assert work.lines < MOST_LINES and work.peak_bytes < MOST_BYTES, work


def huge(words):
    words["plans"][0] = {"b": [0, 1], "f": [["o", [1]], *[["v", 0, list(range(1, 200))]] * 4]}
    return words


@pytest.mark.parametrize("change", [
    huge,
    lambda w: {**w, "columns": [{"k": "text"}] * 70000},
    lambda w: {**w, "columns": [[]] * 3},
    lambda w: {**w, "plans": [{"b": [0] * 5000}] * 9},
    lambda w: {**w, "plans": [{"b": [1], "l": 60}] * 9},
    lambda w: {**w, "plans": [{"b": [1, 1], "f": [["n"]]}] * 9},
    lambda w: {**w, "plans": [{"b": [1, 1], "t": "g", "g": 4}] * 9},
    lambda w: {**w, "plans": [{"b": [1, 1], "t": "k", "g": 4, "f": [["k"]]}] * 9},
    lambda w: {**w, "plans": [{"b": [1, 1], "t": "k", "g": 0, "j": [0, 7]}] * 9},
    lambda w: {**w, "columns": [{"k": "number", "d": 4000, "f": [0], "s": []}] * 3},
    lambda w: {"deep": eval("[" * 90 + "]" * 90), **w},
    lambda w: {},
])  # fmt: skip
def test_bombs_in_a_block_are_refused_at_once(made, change, tmp_path):
    data, expected = made[0]["text"]
    bad = resealed(data, change)
    work = measured(lambda: refused_or_same(bad, expected, None, tmp_path))
    assert work.lines < MOST_LINES and work.peak_bytes < MOST_BYTES, work


def test_other_blocks_are_recovered(tmp_path, monkeypatch):
    lines = [f"{i},{i * i % 97}.25,n{i % 4}\n" for i in range(6000)]
    source = tmp_path / "t.csv"
    source.write_text("a,b,c\n" + "".join(lines))
    effort = operations.CompressOptions().effort
    small = CompressOptions(effort=type(effort)(block=20000))
    operations.compress(source, tmp_path / "t.aez", options=small)
    data = (tmp_path / "t.aez").read_bytes()
    starts = [i for i in range(len(data)) if data.startswith(layout.SYNC, i)]
    assert len(starts) > 4
    with Archive(tmp_path / "t.aez") as archive:
        info = archive.reader.blocks[2]
        assert not archive.lost
    whole = source.read_bytes()
    for bad, lost in (
        (
            data[: starts[2] + 80] + b"\xff\xff" + data[starts[2] + 82 :],
            f"records {info.first + 1} to",
        ),
        (data[:-30], "the footer"),
        (data[: starts[4] + 10], "the footer"),
    ):
        (tmp_path / "bad.aez").write_bytes(bad)
        with pytest.raises(ArchiveError):
            operations.decompress(tmp_path / "bad.aez", tmp_path / "o")
        assert not (tmp_path / "o").exists()
        said = []
        out = operations.decompress(tmp_path / "bad.aez", tmp_path / "o", lost=said).read_bytes()
        assert any(lost in s for s in said), said
        if "records" in lost:
            gone = "".join(lines[info.first : info.first + info.rows]).encode()
            assert out == whole.replace(gone, b"") and said == [
                f"records {info.first + 1} to {info.first + info.rows}"
            ]
        else:
            assert whole.startswith(out[: len(out) - 10]) and len(out) > 0.6 * len(whole)
        (tmp_path / "o").unlink()


class Failing(io.BufferedRandom):
    """A file whose n-th write fails."""

    left = 0

    def write(self, data):
        Failing.left -= 1
        if Failing.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def failing(monkeypatch, call, n):
    """Make the n-th call of this kind fail as on a full disk; returns how many were made."""
    seen = [0]
    if call == "write":
        Failing.left = n
        monkeypatch.setattr(os, "fdopen", lambda fd, _: Failing(io.FileIO(fd, "r+b")))
        return seen
    plain = getattr(os, call)

    def fails(*given, **more):
        seen[0] += 1
        if seen[0] == n:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return plain(*given, **more)

    monkeypatch.setattr(os, call, fails)
    return seen


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "link", "fchmod"])
@pytest.mark.parametrize("exists", [False, True])
def test_an_error_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path, call, exists):
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(300)))
    failures = 0
    for n in range(1, 40):
        target.unlink(missing_ok=True)
        if exists:
            target.write_bytes(b"old")
        with pytest.MonkeyPatch.context() as patch:
            failing(patch, call, n)
            try:
                operations.compress(source, target, options=CompressOptions(force=exists))
                broken = False
            except DataError as error:
                assert "cannot write" in str(error)
                broken = True
        failures += broken
        held = target.read_bytes() if target.exists() else None
        if held not in (None, b"old"):
            assert (
                operations.decompress(target, tmp_path / "o", force=True).read_bytes()
                == source.read_bytes()
            )
            (tmp_path / "o").unlink()
        else:
            assert broken and held == (b"old" if exists else None)
        assert {p.name for p in tmp_path.iterdir()} <= {"t.csv", "t.aez"}, "no stray files"
        if not broken:
            break
    assert failures >= (exists or call != "rename") and not broken


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("times", [4, pytest.param(1000, marks=pytest.mark.long)])
def test_a_kill_while_writing_leaves_the_old_file_or_the_new_one(tmp_path, times):
    """Killed while it writes and checks, and in its last steps, where the file gets its name."""
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text("a,b\n" + "".join(f"{i},{i * i % 1009}\n" for i in range(12_000)))

    def compress(last=0):
        # how small the archive is does not matter here
        command = ["compress", str(source), "-o", str(target), "-qf", "--fast"]
        return forked(lambda: cli.status(command), last)

    # to take the place of a file takes some calls more
    calls_of = {}
    for exists in (False, True):
        calls_of[exists] = compress().calls
    whole = target.read_bytes()
    rng = random.Random(times)
    seen = set()
    for i in range(times):
        target.unlink(missing_ok=True)
        exists = bool(i % 2)
        calls = calls_of[exists]
        if exists:
            target.write_bytes(b"old")
        last = calls - rng.randrange(400) if i % 3 else round(rng.uniform(0.5, 1) * calls)
        status = compress(last).status
        assert status in (0, -signal.SIGKILL)
        assert status or last > 0.99 * calls, "it lived beyond the call it dies at"
        left = target.read_bytes() if target.exists() else None
        assert left in (b"old" if exists else None, whole), (i, last)
        seen.add((exists, left == whole))
        strays = set(tmp_path.iterdir()) - {source, target}
        if exists and strays:  # killed between getting a name and taking the other's place
            assert [p.read_bytes() for p in strays] == [whole], strays
            assert compress().status == 0
            strays = set(tmp_path.iterdir()) - {source, target}
        assert not strays, strays
    assert len(seen) == 4 or times < 100


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    target = tmp_path / "t.aez"
    kept, left = (tmp_path / outputs.new_name(target) for _ in range(2))
    for path in (target, kept, left):
        path.write_bytes(b"old")
    with kept.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # its writer lives
        with atomic(target, True) as new:
            new.write(b"new")
    assert target.read_bytes() == b"new" and set(tmp_path.iterdir()) == {target, kept}


def test_a_full_disk_is_one_line(tmp_path):
    import resource

    source = tmp_path / "t.csv"
    rng = np.random.default_rng(0)
    source.write_text("a\n" + "".join(f"{v}\n" for v in rng.integers(0, 2**60, 4000)))

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))

    done = subprocess.run(
        [sys.executable, "-m", "aetool", "compress", str(source)],
        env=ENV, preexec_fn=limit, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "cannot write" in done.stderr and done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


FINDS = sorted((Path(__file__).parent / "finds").iterdir())


@pytest.mark.parametrize("path", FINDS, ids=lambda p: p.name)
def test_what_fuzzing_found_stays_mended(path):
    from tests import fuzz

    {"archive": fuzz.archive, "bundle": fuzz.bundle, "table": fuzz.table}[path.name.split("-")[0]](
        path.read_bytes()
    )
