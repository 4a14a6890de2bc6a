"""Laws of text that is stored in other ways: the same in a table's text, in types, arrays, lines."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import blocks, planning, ways
from aetool.codec.archive import Archive
from aetool.codec.columns import Book, Coded
from aetool.codec.metas import PartsMeta, RankMeta
from aetool.codec.natives import cells
from aetool.codec.streams import Stream
from aetool.errors import AetoolError, ArchiveError
from benchmarks import made_tables
from tests import format_reader
from tests.golden import stages

GOLDEN = stages.LATER / "remarks.aez"
SOURCE = stages.LATER / "remarks.parquet"


# ---- golden


# the reference takes five seconds; each way by itself is restored by it in the fast set
@pytest.mark.parametrize("loops", ["kernel", pytest.param("reference", marks=pytest.mark.long)])
def test_the_golden_archive_of_typed_text_is_restored_for_ever(loops, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    out = operations.decompress(GOLDEN, tmp_path / "remarks.parquet")
    assert pq.read_table(out).equals(pq.read_table(SOURCE))


# five seconds; typed archives of one way each are in test_singles.py and test_stages.py
@pytest.mark.long
def test_the_other_reader_restores_typed_text():
    frame = format_reader.restore(GOLDEN.read_bytes())
    assert frame == pq.read_table(SOURCE).to_pydict()


def test_typed_text_is_ranks_and_parts_with_gaps_of_their_own():
    with Archive(GOLDEN) as archive:
        ((block, _),) = archive.blocks(0, archive.rows)
    first, second, told, _ = [column.meta for column in block.columns]
    assert first == RankMeta(gap="\xff")
    assert second == RankMeta(gap="\xff", of=0)
    assert told == PartsMeta(gap="\xff")


def test_every_flipped_byte_of_typed_text_is_found(tmp_path):
    whole = GOLDEN.read_bytes()
    expected = pq.read_table(SOURCE)
    for at in range(0, len(whole), 97):
        bad = bytearray(whole)
        bad[at] ^= 1 << at % 8
        (tmp_path / "bad.aez").write_bytes(bad)
        out = tmp_path / f"{at}.parquet"
        try:
            operations.decompress(tmp_path / "bad.aez", out)
        except AetoolError:
            assert not out.exists()
            continue
        assert pq.read_table(out).equals(expected)


# ---- round trips


def come_back(column, utf8):
    """What a column of cells, None where they are missing, is after a block was written and read."""
    lengths = [len(cell or b"") for cell in column]
    stop = np.cumsum(lengths, dtype=np.int64)
    gaps = np.array([cell is None for cell in column])
    buffer = np.frombuffer(b"".join(cell or b"" for cell in column), np.uint8)
    coded = cells.encode_cells(buffer, stop - lengths, stop, gaps, utf8)
    ways.offer([coded], planning.DEFAULT)
    kinds = set()
    for one in [coded, *coded.others]:
        content, payload, _ = blocks.encode(
            [alone(one)], len(column), {}, planning.DEFAULT
        )  # fmt: skip
        (decoded,) = blocks.decode(payload, len(column), content).columns
        kinds.add(type(decoded.meta))
        found = cells.decode_cells(decoded)
        starts = found.ends - found.lengths()
        missing = found.gaps if found.gaps is not None else np.zeros(len(column), bool)
        again = [
            None if gap else found.bytes[a:b].tobytes()
            for a, b, gap in zip(starts, found.ends, missing, strict=True)
        ]
        assert again == column
    return kinds


def alone(column):
    """A column without its other ways."""
    return Coded(column.meta, column.streams, column.blobs, book=column.book)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.booleans())
def test_text_with_gaps_comes_back_from_each_way(data, utf8):
    letters = st.text(max_size=8).map(str.encode) if utf8 else st.binary(max_size=4)
    some = data.draw(st.lists(letters, min_size=40, max_size=60, unique=True))
    picked = data.draw(st.lists(st.sampled_from([*some, None]), min_size=150, max_size=200))
    come_back(picked + some * 3, utf8)


def test_ranks_and_parts_are_among_the_ways():
    rng = np.random.default_rng(3)
    book = [f"{n:010d}".encode() for n in rng.integers(0, 10**10, 80)]
    ranked = [None if n == 7 else book[n] for n in rng.integers(0, 80, 600)]
    assert RankMeta in come_back(ranked, utf8=True)
    sentences = [f"order {n} of {n * n % 1009 / 10} kg".encode() for n in range(300)]
    assert PartsMeta in come_back([*sentences, None, b""], utf8=False)


def test_quick_archives_are_offered_no_ways():
    rng = np.random.default_rng(3)
    column = [b"%010d" % n for n in rng.integers(0, 80, 600) * 7919]
    stop = np.arange(1, 601) * 10
    coded = cells.encode_cells(
        np.frombuffer(b"".join(column), np.uint8), stop - 10, stop, None, True
    )
    before = len(coded.others)
    ways.offer([coded], planning.FAST)
    assert len(coded.others) == before


# ---- sizes


@pytest.mark.parametrize("name", ["requests", pytest.param("matches", marks=pytest.mark.long)])
def test_parquet_is_about_as_small_as_its_text(name, tmp_path):
    text = made_tables.MADE[name](1000)
    (tmp_path / "t.csv").write_text(text)
    pd.read_csv(io.StringIO(text)).to_parquet(tmp_path / "t.parquet")
    sizes = []
    for source in ("t.csv", "t.parquet"):
        operations.compress(tmp_path / source, tmp_path / f"{source}.aez")
        sizes.append((tmp_path / f"{source}.aez").stat().st_size)
    # of Parquet the schema, which a text has not, is in the archive
    assert sizes[1] <= 1.01 * sizes[0] + 700


def sentences(rows):
    return [
        f"door {k % 7} of order {40000 + 3 * k} shut after {k * k % 977 / 10} s"
        for k in range(rows)
    ]


def test_an_array_of_strings_is_stored_as_sentences(tmp_path):
    array = np.array(sentences(600))
    np.save(tmp_path / "s.npy", array)
    operations.compress(tmp_path / "s.npy", tmp_path / "s.aez")
    assert stored_as(tmp_path / "s.aez") == {PartsMeta}
    out = operations.decompress(tmp_path / "s.aez", tmp_path / "again.npy")
    assert (np.load(out) == array).all()


def test_values_of_lines_are_stored_as_sentences(tmp_path):
    lines = [json.dumps({"n": k, "text": one}) + "\n" for k, one in enumerate(sentences(600))]
    (tmp_path / "s.jsonl").write_text("".join(lines))
    operations.compress(tmp_path / "s.jsonl", tmp_path / "s.aez")
    assert PartsMeta in stored_as(tmp_path / "s.aez")
    out = operations.decompress(tmp_path / "s.aez", tmp_path / "again.jsonl")
    assert out.read_bytes() == (tmp_path / "s.jsonl").read_bytes()


def test_a_dictionary_of_arrow_is_stored_as_sentences(tmp_path):
    values = pa.array(sentences(600)).dictionary_encode()
    table = pa.table({"told": values})
    pq.write_table(table, tmp_path / "s.parquet")
    operations.compress(tmp_path / "s.parquet", tmp_path / "s.aez")
    plain = sum(map(len, sentences(600)))
    assert (tmp_path / "s.aez").stat().st_size < plain / 10
    out = operations.decompress(tmp_path / "s.aez", tmp_path / "again.parquet")
    assert pq.read_table(out).equals(table)


def stored_as(path):
    """The ways in which the columns of an archive are stored."""
    with Archive(path) as archive:
        stored = [block.columns for block, _ in archive.blocks(0, archive.rows)]
    return {type(column.meta) for columns in stored for column in columns}


# ---- damage


def test_a_dictionary_that_is_not_there_is_damage():
    blob = ranked_book()
    columns = [Coded(RankMeta(of=place), [Stream(np.array([0, 1]))]) for place in (0, 1)]
    payload = blocks.encode(columns, 2, {}, planning.FAST)[1]
    with pytest.raises(ArchiveError, match="dictionary is not there"):
        blocks.decode(payload, 2, None)
    # a column that borrows a dictionary lends none
    owner = Coded(RankMeta(), [Stream(np.array([0, 1]))], [blob])
    payload = blocks.encode([owner, *columns], 2, {}, planning.FAST)[1]
    with pytest.raises(ArchiveError, match="dictionary is not there"):
        blocks.decode(payload, 2, None)


def ranked_book():
    """The blob of a dictionary of a table's archive."""
    with Archive(GOLDEN) as archive:
        ((block, _),) = archive.blocks(0, archive.rows)
    book = block.columns[0].book
    assert book is not None
    assert block.columns[1].book is book
    return book.blob


@pytest.mark.parametrize("ranks", [[0, 10**6], [-1, 0]])
def test_a_rank_beyond_its_dictionary_is_damage(ranks):
    column = Coded(RankMeta(), [Stream(np.array(ranks))], book=Book(ranked_book()))
    payload = blocks.encode([column], 2, {}, planning.FAST)[1]
    (decoded,) = blocks.decode(payload, 2, None).columns
    with pytest.raises(ArchiveError, match="beyond its dictionary"):
        cells.decode_cells(decoded)
