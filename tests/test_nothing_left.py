"""What is said, and left, where --recover can bring back nothing, or what nobody can vouch for."""

import shutil

import numpy as np
import pytest

import aetool
from aetool import operations
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.operations import CompressOptions


@pytest.fixture
def cut(tmp_path):
    """An archive of one large block, of which the first half is left, in an empty folder."""
    rng = np.random.default_rng(0)
    source, archive = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text("a\n" + "\n".join(map(str, rng.integers(0, 10**15, 60_000))) + "\n")
    operations.compress(source, archive)
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    source.unlink()
    return archive


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("words", [(), ("--rows", "1:5"), ("--columns", "a")])
def test_no_header_alone_is_left_of_a_table(cut, tmp_path, run, words):
    done = run("decompress", cut, "-o", tmp_path / "back.csv", "--recover", *words)
    if words == ("--rows", "1:5"):
        # how many there were, nothing that is left says
        assert done.status == 2 and "has rows none" in done.err
    else:
        said = f"aetool: error: {cut}: nothing could be restored, and nothing is written; lost: "
        assert done.status == 1 and done.err.startswith(said)
        assert "all records behind record 0" in done.err and "in part" not in done.err
    assert names_in(tmp_path) == ["t.aez"]


def test_verify_promises_nothing_of_a_file_of_which_nothing_is_left(cut, run):
    done = run("verify", cut)
    said = "decompress with --recover brings back what is whole of it, if anything\n"
    assert done.status == 1 and done.err.endswith(said)


def test_nothing_is_left_of_pictures_none_of_which_came_back(folder, tmp_path, run):
    archive = tmp_path / "p.aez"
    # so large that it is not in one piece
    many = tmp_path / "many"
    for copy in range(12):
        shutil.copytree(folder, many / str(copy))
    (many / "noise.bin").write_bytes(np.random.default_rng(0).bytes(100_000))
    operations.compress(many, archive)
    with Archive(archive) as opened:
        places = opened.reader.blocks
    content = bytearray(archive.read_bytes())
    for place in places:
        content[place.offset + place.length // 2] ^= 1
    archive.write_bytes(content)
    shutil.rmtree(many)
    done = run("decompress", archive, "-o", tmp_path / "back", "--recover")
    assert done.status == 1 and "nothing could be restored" in done.err
    assert f"records 1 to {places[0].rows}" in done.err
    assert names_in(tmp_path) == ["p.aez"]


def test_an_index_of_which_no_part_is_left(tmp_path, run):
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in "ab":
        (parts / f"{name}.csv").write_text("x\n" + "1\n2\n3\n" * 50)
    index = tmp_path / "parts.aez"
    operations.compress(parts, index, None, CompressOptions(parts=True))
    for part in (tmp_path / "parts.aez.parts").iterdir():
        part.unlink()
    done = run("decompress", index, "-o", tmp_path / "back", "--recover")
    assert done.status == 1 and "nothing could be restored" in done.err
    rows = run("decompress", index, "-o", tmp_path / "back", "--recover", "--rows", "1:")
    assert rows.status == 1 and "no such file" in rows.err
    assert not (tmp_path / "back").exists()


def test_an_empty_table_with_bytes_before_it_is_restored(tmp_path, run):
    source, archive = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text("a,b\n")
    operations.compress(source, archive)
    archive.write_bytes(b"junk" + archive.read_bytes())
    done = run("decompress", archive, "-o", tmp_path / "back.csv", "--recover")
    assert done.status == 1 and "4 bytes before the archive" in done.err
    assert (tmp_path / "back.csv").read_text() == "a,b\n"


def test_what_is_left_is_still_brought_back(tmp_path, run):
    source, archive = tmp_path / "t.csv", tmp_path / "t.aez"
    lines = [f"{n},{n * n % 97}\n" for n in range(3000)]
    source.write_text("a,b\n" + "".join(lines))
    small = CompressOptions(effort=planning.Effort(block=9000))
    operations.compress(source, archive, None, small)
    with Archive(archive) as opened:
        first = opened.reader.blocks[0]
    archive.write_bytes(archive.read_bytes()[: first.offset + first.length + 40])
    told = run("verify", archive)
    assert told.status == 1 and told.err.endswith("--recover brings back what is there\n")
    done = run("decompress", archive, "-o", tmp_path / "back.csv", "--recover")
    assert done.status == 1 and "restored in part" in done.err
    assert (tmp_path / "back.csv").read_text() == "a,b\n" + "".join(lines[: first.rows])


@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_whether_to_trust_what_has_lost_its_digest(tmp_path, run, kind):
    source, archive = tmp_path / f"t.{kind}", tmp_path / "t.aez"
    if kind == "csv":
        source.write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(60)))
    else:
        np.save(source, np.arange(60).reshape(20, 3))
    operations.compress(source, archive)
    # the digest of the file is its last bytes
    content = bytearray(archive.read_bytes())
    content[-1] ^= 1
    archive.write_bytes(content)
    back = tmp_path / f"back.{kind}"
    done = run("decompress", archive, "-o", back, "--recover")
    assert done.status == 1 and back.read_bytes() == source.read_bytes()
    right = "its digest; what was restored has the digest that was stored of it: it is right"
    if kind == "npy":
        right = (
            "its digest; the values have the digest that was stored of them: they are right, but "
            "names and what the file is like may not be"
        )
    assert f"{archive}: lost: {right}\n" in done.err
    part = run("decompress", archive, "--rows", "1:5", "-o", tmp_path / "part", "--recover")
    assert part.status == 1 and "do not trust these values" in part.err
    lost = []
    aetool.decompress(archive, tmp_path / "again", lost=lost)
    assert lost == [right]
