"""An archive of text is never larger than what a general compressor makes of it."""

import bz2
import csv
import io
import lzma

import numpy as np
import pyarrow as pa
import pytest

from aetool import operations
from aetool.codec import plain, planning, stages
from aetool.codec.archive import Archive
from aetool.codec.metas import BytesMeta
from aetool.operations import CompressOptions

AROUND = 160  # bytes: the container's own, and a header record apart from its records


def by_others(text: bytes) -> int:
    """Bytes of the smallest that xz -9e, bzip2 -9 and zstd -19 make of it."""
    zstd = pa.Codec("zstd", compression_level=19).compress(text, asbytes=True)
    xz = lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)
    return min(len(xz), len(bz2.compress(text, 9)), len(zstd))


def repeated(rows: int) -> str:
    """Stretches that come again far away: what columns one by one do not see."""
    rng = np.random.default_rng(0)
    stretch = rng.normal(size=(max(rows // 20, 1), 6)).round(6)
    table = np.tile(stretch, (20, 1))[:rows]
    lines = [",".join(map(str, row)) for row in table.tolist()]
    return "a,b,c,d,e,f\n" + "\n".join(lines) + "\n"


def sentences(rows: int) -> str:
    rng = np.random.default_rng(0)
    words = ["valve", "pump", "opened", "closed", "late", "early", "by", "hand", "alarm"]
    lines = [f"{i},{' '.join(rng.choice(words, 9))}" for i in range(rows)]
    return "number,text\n" + "\n".join(lines) + "\n"


def tiny(rows: int) -> str:
    return "a,b\n" + "1,2\n" * rows


# The best effort takes seconds for thousands of rows, and is never above the default: see below.
EFFORTS_OF_ROWS = [
    pytest.param(
        rows, effort, marks=pytest.mark.long if rows * level >= 1000 or rows > 1000 else ()
    )
    for rows in (1, 30, 1000, 8000)
    for level, effort in enumerate((planning.DEFAULT, planning.BEST))
]


@pytest.mark.parametrize(("rows", "effort"), EFFORTS_OF_ROWS)
@pytest.mark.parametrize("text", [repeated, sentences, tiny])
def test_never_larger_than_general_compressors(tmp_path, text, rows, effort):
    source = tmp_path / "t.csv"
    source.write_text(text(rows))
    target = tmp_path / "t.aez"
    operations.compress(source, target, None, CompressOptions(effort=effort))
    assert target.stat().st_size <= 1.02 * by_others(source.read_bytes()) + AROUND


# the best effort of thousands of rows; it is no larger on arrays in the fast set
@pytest.mark.long
def test_best_is_never_larger_than_the_default(tmp_path):
    source = tmp_path / "t.csv"
    for text in (repeated(3000), sentences(3000)):
        source.write_text(text)
        sizes = []
        for effort in (planning.DEFAULT, planning.BEST):
            target = tmp_path / "t.aez"
            options = CompressOptions(effort=effort, force=True)
            sizes.append(operations.compress(source, target, None, options)["archive_bytes"])
        assert sizes[1] <= sizes[0]


def test_rows_and_columns_of_text_that_was_squeezed_whole(tmp_path):
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text(repeated(2000))
    operations.compress(source, target)
    table = list(csv.reader(io.StringIO(source.read_text())))
    with Archive(target) as archive:
        block = next(iter(archive.blocks(0, 1)))[0]
        assert isinstance(block.columns[0].meta, BytesMeta), "squeezed whole: the smallest by far"
        assert len(archive) == 2000 and archive.content.names(archive) == table[0]
        assert archive[70:90].to_numpy().tolist() == [
            [float(cell) for cell in row] for row in table[71:91]
        ]
        part = b"".join(archive.pieces(5, 8, ["e", "b"])).decode()
    wanted = [[row[4], row[1]] for row in [table[0], *table[6:9]]]
    assert list(csv.reader(io.StringIO(part))) == wanted


def test_within_bounds_it_is_the_rounded_text_that_is_squeezed(tmp_path):
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text(repeated(2000))
    figures = operations.compress(
        source, target, None, CompressOptions(max_error={"": "0.001"}, force=True)
    )
    back = operations.decompress(target, tmp_path / "back.csv")
    a, b = (np.loadtxt(p, delimiter=",", skiprows=1) for p in (source, back))
    assert np.abs(a - b).max() <= 0.001
    assert figures["archive_bytes"] <= by_others(source.read_bytes()) + AROUND


def test_names_stand_in_the_header_record_alone(tmp_path):
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    for text, names in (("a,b\n1,2\n3,4\n", ["a", "b"]), ("1,2\n3,4\n", ["c1", "c2"])):
        source.write_text(text)
        operations.compress(source, target, None, CompressOptions(force=True))
        with Archive(target) as archive:
            assert archive.content.names(archive) == names
            assert ("names" in archive.reader.header) == (names[0] == "c1")


def test_a_stage_that_cannot_win_is_not_tried(monkeypatch):
    """Columns coded to a tenth of what the best stage takes cost no thorough squeezing."""
    text = repeated(20_000).encode()
    assert len(text) > plain.SMALL
    monkeypatch.setattr(stages.Bzip2, "squeeze", lambda *a, **k: a[1][: len(a[1]) // 3])
    assert plain.packed(text, len(text) // 100, quick=False) is None


def test_a_text_is_judged_by_parts_from_all_over_it():
    """One that begins otherwise than it goes on: what comes first says little of the whole."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 6 << 20, dtype=np.uint8).tobytes()
    repeats = b"a line that comes again and again\n" * 60_000
    assert plain.promising(repeats + noise, len(noise) // 2, quick=True) == ()
    assert plain.promising(noise + repeats, len(noise) // 2, quick=True) == ()
    assert "lzma2" in plain.promising(noise[:1000] + repeats, len(repeats) // 2, quick=True)


def test_parts_of_a_text_reach_from_its_begin_to_its_end():
    text = bytes(range(100))
    assert plain.spread(text, 3, 10) == text[:10] + text[45:55] + text[90:]
    assert plain.spread(text, 4, 25) == text
