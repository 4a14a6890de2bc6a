"""Files as gzip and xz treat them: modes and times, links, pipes and devices."""

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aetool import cli, operations
from aetool.errors import DataError
from aetool.files import (
    atomic,
    attributes,
    new_spool,
    one_reading,
    output,
    outputs,
    place_of,
    spools,
)
from tests.forked import program

# the test process has threads of its own, and commands fork it
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

TEXT = "a,b\n" + "".join(f"{i},{i * i % 977 / 7:.2f}\n" for i in range(2000))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT)
    return path


@pytest.fixture
def mask():
    """The usual umask, whatever it was."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


# ---- modes, owners, times


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o644, 0o755, 0o400])
def test_mode_and_times_go_from_file_to_file(table, tmp_path, mask, bits):
    os.utime(table, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
    table.chmod(bits)
    before = table.stat()
    archive = tmp_path / "t.csv.aez"
    operations.compress(table, archive)
    table.unlink()
    operations.decompress(archive)
    for path in (archive, table):
        assert mode(path) == oct(bits)
        assert path.stat().st_mtime_ns == before.st_mtime_ns
    operations.decompress(archive, tmp_path / "part", rows=(0, 9))
    assert mode(tmp_path / "part") == oct(bits), "a part is as private as the whole"
    assert (tmp_path / "part").stat().st_mtime_ns > before.st_mtime_ns, "but no copy of it"


def test_an_archive_holds_neither_mode_nor_time(table, tmp_path):
    operations.compress(table, tmp_path / "one.aez")
    table.chmod(0o600)
    os.utime(table, ns=(1, 2))
    operations.compress(table, tmp_path / "two.aez")
    assert (tmp_path / "one.aez").read_bytes() == (tmp_path / "two.aez").read_bytes()


def test_what_is_replaced_does_not_become_open_to_more(table, tmp_path, mask):
    archive = tmp_path / "t.aez"
    operations.compress(table, archive)
    target = tmp_path / "out"
    for bits, expected in ((0o600, 0o600), (0o666, 0o644), (0o640, 0o640)):
        target.write_text("old")
        target.chmod(bits)
        operations.decompress(archive, target, force=True)
        assert mode(target) == oct(expected)
    target.chmod(0o600)
    with atomic(target, True) as file:  # of no source: as what it replaces
        file.write(b"new")
    assert mode(target) == oct(0o600)
    with atomic(tmp_path / "fresh") as file:
        file.write(b"new")
    assert mode(tmp_path / "fresh") == oct(0o644)


def test_a_private_folder_has_a_private_archive(tmp_path, mask):
    (tmp_path / "p").mkdir(0o700)
    (tmp_path / "p" / "a.txt").write_text("mine")
    operations.compress(tmp_path / "p", tmp_path / "p.aez")
    assert mode(tmp_path / "p.aez") == oct(0o600)


def test_the_group_is_handed_on_or_its_rights_are_cut(table, tmp_path, monkeypatch):
    table.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(table, 1234, 4321)
        operations.compress(table, tmp_path / "t.aez")
        there = (tmp_path / "t.aez").stat()
        assert (there.st_uid, there.st_gid, mode(tmp_path / "t.aez")) == (1234, 4321, oct(0o664))

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(attributes.os, "fchown", refused)
    operations.compress(table, tmp_path / "u.aez")
    assert mode(tmp_path / "u.aez") == oct(0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other groups")
def test_another_group_may_do_no_more_than_all_others(table, tmp_path):
    """Its members were others to the file that is replaced, which only its own group could read."""
    target = tmp_path / "t.aez"
    for of_source, of_replaced, expected in (
        (0o640, 0o640, 0o600), (0o664, 0o640, 0o600), (0o664, 0o664, 0o644),
    ):  # fmt: skip
        table.chmod(of_source)
        os.chown(table, 0, 4321)
        target.unlink(missing_ok=True)
        target.write_text("old")
        target.chmod(of_replaced)
        operations.compress(table, target, None, operations.CompressOptions(force=True))
        assert (target.stat().st_gid, mode(target)) == (4321, oct(expected))
    # of the same group it stays as it was
    target.chmod(0o640)
    table.chmod(0o640)
    operations.compress(table, target, None, operations.CompressOptions(force=True))
    assert mode(target) == oct(0o640)


def test_a_file_system_without_modes_takes_files(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(attributes.os, "fchmod", refused)
    monkeypatch.setattr(attributes.os, "utime", refused)
    with atomic(tmp_path / "t") as file:
        file.write(b"x")
    assert (tmp_path / "t").read_bytes() == b"x"


# ---- what can be read only once


def fed(path, data):
    """A FIFO at path, into which a thread writes data once."""
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(data), daemon=True)
    writer.start()
    return writer


VERBS = (
    ("fit", "PIPE", "-p", "pca", "-q", "-o", "n.aem"),
    ("detect", "PIPE", "-m", "m.aem", "--all", "-q"),
    ("detect", "t.csv", "-m", "m.aem", "--calibration", "PIPE", "-q"),
    ("compress", "PIPE", "-q", "-o", "p.aez"),
    ("compress", "PIPE", "-q", "--lossy-only", "-o", "p.aez"),
    ("compress", "PIPE", "-q", "--max-error", "1%", "-o", "p.aez"),
    ("compress", "PIPE", "-q", "--keep-files", "-o", "p.aez"),
    ("encode", "PIPE", "-q", "-o", "z.csv"),
    ("encode", "PIPE", "-q", "-m", "m.aem", "-o", "z.csv"),
    ("denoise", "PIPE", "-q", "-m", "m.aem", "-o", "z.csv"),
    ("sample", "-q", "-m", "m.aem", "--like", "PIPE", "-o", "z.csv"),
    ("similar", "PIPE", "-m", "m.aem", "--in", "t.csv", "--row", "3"),
    ("similar", "t.csv", "-m", "m.aem", "--in", "PIPE", "--row", "3"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the table and a model of it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "t.csv").write_text(TEXT)
    operations.fit(folder / "t.csv", operations.FitOptions("pca")).save(folder / "m.aem")
    return folder


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_pipe_is_as_good_as_the_file(home, tmp_path, monkeypatch, capsys, verb):
    monkeypatch.chdir(home)
    results = []
    for name in (Path("t.csv"), tmp_path / "t.csv"):
        for made in ("n.aem", "p.aez", "z.csv"):
            Path(made).unlink(missing_ok=True)
        writer = fed(name, TEXT.encode()) if name.parent == tmp_path else None
        assert cli.status([str(name) if word == "PIPE" else word for word in verb]) == 0
        if writer is not None:
            writer.join()
        written = [p.read_bytes() for p in sorted(Path().iterdir()) if p.name in ("n.aem", "z.csv")]
        if Path("p.aez").exists():
            written.append(operations.decompress("p.aez", tmp_path / "o", force=True).read_bytes())
        results.append((capsys.readouterr().out, written))
    assert results[0] == results[1]


def test_standard_input_by_each_of_its_names(home):
    command = ("detect", "PIPE", "-m", "m.aem", "--all", "-q")
    printed = [
        program(*(name if word == "PIPE" else word for word in command), folder=home, given=data)
        for name, data in (("t.csv", b""), ("-", TEXT.encode()), ("/dev/stdin", TEXT.encode()))
    ]
    assert {done.stdout for done in printed} == {printed[0].stdout}
    assert printed[0].stdout.count(b"\n") == 2001


def test_archives_and_models_come_through_pipes(home, tmp_path):
    operations.compress(home / "t.csv", tmp_path / "t.aez")
    archive = (tmp_path / "t.aez").read_bytes()
    for way in (("decompress", "-"), ("decompress", "-", "-c"), ("decompress", "/dev/stdin")):
        assert program(*way, folder=tmp_path, given=archive).stdout == TEXT.encode()
    done = program("decompress", "-", "-o", "o.csv", folder=tmp_path, given=archive)
    assert done.returncode == 0 and (tmp_path / "o.csv").read_text() == TEXT
    for verb in ("verify", "info"):
        for content in (archive, (home / "m.aem").read_bytes()):
            done = program(verb, "-", folder=tmp_path, given=content)
            assert done.returncode == 0 and done.stdout, done.stderr
    model = (home / "m.aem").read_bytes()
    done = program("detect", "t.csv", "-m", "/dev/stdin", "--top", 3, folder=home, given=model)
    assert done.returncode == 0 and done.stdout.count(b"\n") == 4
    assert program("decompress", "-", folder=tmp_path, given=archive[:-9]).returncode == 1


@pytest.mark.parametrize("verb", ["fit", "detect", "compress", "decompress", "verify", "info"])
def test_an_empty_pipe_is_one_line(tmp_path, capsys, verb):
    more = ("-o", tmp_path / "o") if verb in ("fit", "compress", "decompress") else ()
    fed(tmp_path / "pipe", b"")
    assert cli.status([verb, str(tmp_path / "pipe"), *map(str, more)]) == 2
    said = capsys.readouterr().err
    assert "pipe: is empty: nothing came through it" in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_pipe_is_read_once_and_by_every_user(tmp_path):
    fed(tmp_path / "pipe.tsv", TEXT.replace(",", "\t").encode())
    with one_reading():
        place = place_of(tmp_path / "pipe.tsv")
        assert place_of(tmp_path / "pipe.tsv") is place
        assert place.path.read_bytes() == place.path.read_bytes()
        spool = place.spool
    assert not spool.closed
    del place
    assert spool.closed, "it is gone when nobody needs it"


def test_the_kind_of_a_pipe_is_told_by_its_name_and_content(tmp_path):
    from aetool.data.sources import open_source

    frame = pd.DataFrame({"a": [1.5, 2.5], "s": ["x", "y"]})
    frame.to_parquet(tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", np.arange(6.0).reshape(3, 2))
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    (tmp_path / "t.tsv").write_text("a b\tc\n1\t2\n3\t4\n")
    for name in ("t.parquet", "t.npy", "t.jsonl", "t.tsv"):
        data = (tmp_path / name).read_bytes()
        plain = open_source(tmp_path / name)
        names = plain.head().names
        (tmp_path / name).unlink()
        fed(tmp_path / name, data)
        piped = open_source(tmp_path / name)
        assert type(piped) is type(plain) and piped.format == plain.format
        assert piped.head().names == names
        assert len(list(piped.batches())) == 1


def test_a_pipe_larger_than_allowed_or_a_full_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(spools, "MOST_SPOOLED", 1000)
    fed(tmp_path / "pipe", bytes(2000))
    with pytest.raises(DataError, match="pipe: more than 0 GiB"):
        place_of(tmp_path / "pipe")
    monkeypatch.setattr(
        spools.tempfile, "TemporaryFile", lambda **_: (tmp_path / "no" / "x").open("wb")
    )
    with pytest.raises(DataError, match="no folder for temporary files"):
        new_spool()


# ---- what is no file to write to


# three processes for each
@pytest.mark.parametrize(
    "more_options", [[("-f",)], pytest.param([(), ("-f",)], marks=pytest.mark.long)]
)
def test_devices_are_written_to_and_stay(more_options, table, tmp_path):
    before = Path("/dev/null").stat()
    for more in more_options:
        assert cli.status(["compress", str(table), "-q", "-o", "/dev/null", *more]) == 0
        assert Path("/dev/null").stat().st_rdev == before.st_rdev
        for name in ("/dev/stdout", "/dev/fd/1", "-"):
            done = program("compress", table, "-q", "-o", name, *more, folder=tmp_path)
            assert done.returncode == 0
            (tmp_path / "t.aez").write_bytes(done.stdout)
            back = operations.decompress(tmp_path / "t.aez", tmp_path / "o", force=True)
            assert back.read_text() == TEXT
    done = program("decompress", "t.aez", "-o", "/dev/full", folder=tmp_path)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert b"/dev/full: cannot write: No space left on device" in done.stderr
    assert Path("/dev/full").is_char_device()


def test_a_file_that_the_shell_opened_is_written_from_where_it_stands(table, tmp_path):
    with (tmp_path / "out").open("wb") as file:
        file.write(b"before\n")
        file.flush()
        operations.compress(table, tmp_path / "t.aez")
        for name in ("/dev/stdout", "-"):
            program("decompress", "t.aez", "-o", name, "-f", folder=tmp_path, stdout=file)
    assert (tmp_path / "out").read_text() == "before\n" + 2 * TEXT


def test_a_fifo_gets_what_was_verified_and_stays(table, tmp_path):
    operations.compress(table, tmp_path / "t.aez")
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(
        target=lambda: got.append((tmp_path / "pipe").read_bytes()), daemon=True
    )
    reader.start()
    assert operations.decompress(tmp_path / "t.aez", tmp_path / "pipe") == tmp_path / "pipe"
    reader.join()
    assert got == [TEXT.encode()] and (tmp_path / "pipe").is_fifo()


def test_nothing_reaches_a_pipe_when_the_block_fails(tmp_path, capfdbinary):
    with pytest.raises(ZeroDivisionError), output(Path("-")) as file:
        file.write(b"half")
        raise ZeroDivisionError
    with pytest.raises(DataError), output(Path("-")) as file:
        file.write(b"half")
        raise OSError(28, "No space left on device")
    assert capfdbinary.readouterr().out == b""


def test_links_are_followed(table, tmp_path):
    (tmp_path / "sub").mkdir()
    target, link = tmp_path / "sub" / "real", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to("sub/real")
    operations.compress(table, tmp_path / "t.aez")
    with pytest.raises(DataError, match="link: exists already"):
        operations.decompress(tmp_path / "t.aez", link)
    operations.decompress(tmp_path / "t.aez", link, force=True)
    assert link.is_symlink() and target.read_text() == TEXT
    target.unlink()
    operations.decompress(tmp_path / "t.aez", link)
    assert link.is_symlink() and target.read_text() == TEXT
    assert sorted(p.name for p in (tmp_path / "sub").iterdir()) == ["real"]


def test_what_comes_through_a_pipe_goes_to_standard_output(tmp_path):
    done = program("compress", "-", folder=tmp_path, given=TEXT.encode())
    assert done.returncode == 0 and not list(tmp_path.iterdir())
    again = program("decompress", "-", folder=tmp_path, given=done.stdout)
    assert again.stdout.decode() == TEXT and not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["-"], ["t.csv", "-c"], ["t.csv", "-o", "-"]])
def test_no_archive_goes_to_a_terminal(table, tmp_path, arguments):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "aetool", "compress", *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, input=TEXT.encode(), stdout=theirs, stderr=subprocess.PIPE, check=False
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2 and b"standard output is a terminal" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_where_no_archive_can_lie_a_name_is_asked_for(table, tmp_path):
    done = program("compress", "/dev/stdin", folder=tmp_path, given=b"a\n1\n")
    assert done.returncode == 2 and b"say where to write with -o" in done.stderr
    assert not Path("/dev/stdin.aez").exists()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.txt").write_text("x")
    assert program("compress", ".", folder=tmp_path / "here").returncode == 0
    assert (tmp_path / "here.aez").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_line(table, tmp_path):
    (tmp_path / "sub").mkdir(0o500)
    with pytest.raises(DataError, match="sub: cannot write here: Permission denied"):
        operations.compress(table, tmp_path / "sub" / "t.aez")


def test_two_writers_of_one_name_do_not_meet(tmp_path):
    target = tmp_path / "t"
    target.write_bytes(b"old")
    with atomic(target, True) as one, atomic(target, True) as other:
        one.write(b"one")
        other.write(b"other")
    assert target.read_bytes() in (b"one", b"other")
    assert outputs.new_name(target) != outputs.new_name(target)
    with pytest.raises(DataError, match="exists already"), atomic(tmp_path / "u") as file:
        file.write(b"late")
        (tmp_path / "u").write_bytes(b"first")
    assert (tmp_path / "u").read_bytes() == b"first"


# what learns from the data does so before it writes
@pytest.mark.parametrize(
    "commands", [["compress"], pytest.param(["detect", "fit"], marks=pytest.mark.long)]
)
def test_what_is_read_is_never_replaced(commands, tmp_path, run):
    source, archive = tmp_path / "t.csv", tmp_path / "t.aez"
    text = "a,b\n" + "".join(f"{i % 7},{i % 5}\n" for i in range(300))
    source.write_text(text)
    link = tmp_path / "link.csv"
    link.symlink_to(source)
    for command in commands:
        for target in (source, link):
            done = run(command, source, "-o", target, "-f")
            assert done.status == 2 and "is the file that is read" in done.err
            assert source.read_text() == text
    assert run("compress", source, "-o", archive).status == 0
    before = archive.read_bytes()
    assert run("decompress", archive, "-o", archive, "-f").status == 2
    assert archive.read_bytes() == before


def test_what_is_restored_has_the_suffix_of_what_was_stored(tmp_path, run, monkeypatch):
    """Where the archive's own name has none; a folder has none either, whatever its name."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,b\n1,2\n3,4\n")
    np.save("a.npy", np.arange(12.0).reshape(3, 4))
    pictures = Path("pictures.old")
    pictures.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(pictures / "0.png")
    into = Path("into")
    into.mkdir()
    cases = {
        ("t.csv", "short.aez"): "short.csv",
        ("t.csv", "short.txt.aez"): "short.txt",
        ("t.csv", "nothing"): "t.csv",
        ("t.csv", ".aez"): "t.csv",
        ("a.npy", "short.aez"): "short.npy",
        (pictures, "short.aez"): "short",
    }
    for (source, archive), restored in cases.items():
        assert run("compress", source, "-o", into / archive, "-q").status == 0
        done = run("decompress", into / archive)
        assert done.status == 0, done.err
        assert {path.name for path in into.iterdir()} == {archive, restored}
        for path in into.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
