"""Columns that cells of others stand in are stored as what is left of them."""

import dataclasses
import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import blocks, composed, composing, limits, ranks, records, spans, textual, ways
from aetool.codec.archive import Archive
from aetool.codec.columns import Coded, Decoded
from aetool.codec.metas import (
    Lender,
    LetterCase,
    LevelMeta,
    PartsMeta,
    RankMeta,
    TextMeta,
    WholeMeta,
    from_json,
)
from aetool.codec.planning import DEFAULT
from aetool.codec.records import Layout
from aetool.csv.fields import Rule, fields
from aetool.errors import ArchiveError
from tests import format_reader
from tests.test_ledger import check_sum

GOLDEN = Path(__file__).parent / "golden" / "3.17" / "labels.aez"
TABLE = GOLDEN.with_suffix(".csv")
# with its texts mixed as one
JOINED = GOLDEN.parents[1] / "3.18" / "labels.aez"
ROWS = range(60)
IDS = [f"{'KQXZ'[i % 4]}{i * 7919 % 1000}" for i in ROWS]
YEARS = [str(1800 + i * 37 % 200) for i in ROWS]
TOWNS = [f"{'BDFG'[i % 4]}{'aeio'[i // 4 % 4]}{'lmnr'[i // 16]}ton" for i in ROWS]
COLUMNS = [IDS, YEARS, TOWNS]
QUOTED = [f'"{town}, W"' for town in TOWNS]


def coded(cells):
    """A column of text, encoded in all the ways that its cells alone tell."""
    return textual.encode(*spans.behind_another([cell.encode() for cell in cells]).places())


def made_of(*lists):
    """(What each column that others stand in is made of, by its place; what is left of it), once
    every way to store each column has given back its cells."""
    columns = [coded(cells) for cells in lists]
    found = composing.compositions(columns, columns)
    rests = {}
    for one in found:
        place = next(place for place, column in enumerate(columns) if column is one.whole)
        rests[place] = (list(one.lenders), [rest.decode() for rest in one.rest.cells.bytes()])
    ways.offer(columns, DEFAULT)
    rows = len(lists[0])
    for cells, column in zip(lists, columns, strict=True):
        for way in (column, *column.others):
            assert restored(way, columns, rows) == [cell.encode() for cell in cells]
    return rests


def restored(way, columns, rows):
    """The cells of a column that is stored in this way, beside others in their first."""
    (decoded,) = blocks.as_decoded([way], rows, {}).columns
    others = blocks.as_decoded(columns, rows, {}).columns
    decoded.book = way.book
    if hasattr(way.meta, "lenders"):
        decoded.lenders = [others[lender.place] for lender in way.meta.lenders]
    return ranks.cells_of(decoded).bytes()


def as_it_is(*places):
    return [Lender(place) for place in places]


@pytest.mark.parametrize(
    ("cells", "lenders", "rests"),
    [
        (IDS, [0], ["\1"] * 60),
        ([f"{i}-{t} ({y})" for i, y, t in zip(*COLUMNS, strict=True)], [2, 1, 0], ["\3-\1 (\2)"]),
        ([f"https://x.org/{i}/{n % 3}" for n, i in enumerate(IDS)], [0], ["/\1/0", "/\1/2"]),
        ([i if n % 9 else f"v{n}" for n, i in enumerate(IDS)], [0], ["\1", "v54"]),
        ([i if n % 3 else "" for n, i in enumerate(IDS)], [0], ["\1", ""]),
        ([f'"{t}, {y}"' for y, t in zip(YEARS, TOWNS, strict=True)], [2, 1], ['"\1, \2"'] * 60),
        ([f"{t}{y}" for y, t in zip(YEARS, IDS, strict=True)], [], []),
        ([f"{y}{t}" for y, t in zip(YEARS, TOWNS, strict=True)], [2, 1], ["\2\1"] * 60),
        ([f"{i}7" for i in IDS], [], []),
        ([f"a{i}" for i in IDS], [], []),
        ([f"{i} " + 40 * "so much more " + str(n * n) for n, i in enumerate(IDS)], [], []),
    ],
    ids=["equal", "label", "link", "others", "gaps", "quotes", "digits on", "tokens", "tail",
         "head", "long"],
)  # fmt: skip
def test_cells_of_others_are_found(cells, lenders, rests):
    found = made_of(*COLUMNS, cells).get(3, ([], []))
    assert found[0] == as_it_is(*lenders)
    # an example is the end of one of them
    assert all(any(rest.endswith(one) for rest in found[1]) for one in rests)
    assert len(found[1]) == (60 if lenders else 0)


@pytest.mark.parametrize(
    ("change", "case"),
    [(str.lower, LetterCase.LOWER), (str.upper, LetterCase.UPPER), (str.title, 0)],
    ids=["small", "capitals", "as they are"],
)
def test_in_other_letters(change, case):
    """Letters of other alphabets stay: nobody need know how they are changed."""
    towns = [f"{town}Ä ä" for town in TOWNS]
    cells = [f"www.{change(town.replace('Ä ä', ''))}Ä ä.org" for town in towns]
    lenders, rests = made_of(towns, cells)[1]
    assert lenders == [Lender(0, LetterCase(case))] and set(rests) == {"www.\1.org"}


def test_a_cell_stands_in_others_without_its_quotes():
    cells = [f'"{town}, W ({year})"' for town, year in zip(TOWNS, YEARS, strict=True)]
    assert made_of(QUOTED, YEARS, cells) == {2: (as_it_is(0, 1), ['"\1 (\2)"'] * 60)}


def test_a_single_quote_is_no_pair():
    cells = [spans.behind_another([b'"', b'""', b'"a"', b"", b'a"'])]
    assert composed.as_lent(cells[0], LetterCase.AS_IT_IS).bytes() == [b'"', b"", b"a", b"", b'a"']
    empty = spans.behind_another([b"", b""])
    assert composed.as_lent(empty, LetterCase.UPPER).bytes() == [b"", b""]


def test_of_two_that_are_equal_one_is_made_of_the_other():
    others = [cell if n % 10 else "" for n, cell in enumerate(IDS)]
    assert made_of(IDS, list(IDS)).keys() == {1}
    assert made_of(IDS, others)[1][0] == as_it_is(0) and 0 not in made_of(IDS, others)
    assert made_of(others, IDS)[0][0] == as_it_is(1) and 1 not in made_of(others, IDS)


def test_of_many_that_are_equal_all_but_one_are_made_of_it():
    """More than are looked for by what they begin with."""
    found = made_of(*[IDS] * 20)
    assert found == {place: (as_it_is(0), ["\1"] * 60) for place in range(1, 20)}


def test_no_lender_is_made_of_others():
    first = [f"{i} of {t}" for i, t in zip(IDS, TOWNS, strict=True)]
    second = [f"{cell}, {year}" for cell, year in zip(first, YEARS, strict=True)]
    found = made_of(*COLUMNS, first, second)
    made = set(found)
    assert made and all(
        lender.place not in made for lenders, _ in found.values() for lender in lenders
    )


@pytest.mark.parametrize("column", ["whole", "lender"])
def test_cells_with_marks_are_no_part_of_it(column):
    """What is a mark already could not be told from one."""
    ids, cells = list(IDS), [f"{one}-" for one in IDS]
    assert made_of(ids, cells).keys() == {1}
    if column == "whole":
        cells[33] = "\1"
    else:
        ids[33], cells[33] = "\2", "\2-"
    assert made_of(ids, cells) == {}


def test_few_rows_and_few_levels_are_left_alone():
    assert made_of(IDS[:23], IDS[:23]) == {} and made_of(IDS[:24], IDS[:24]).keys() == {1}
    levels = [f"P{n % 7}x{n % 7}" for n in range(600)]
    assert made_of(levels, [f"{level}." for level in levels]) == {}


TEXTS = st.text('aB1 "\1\2é', max_size=4)


@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=24, max_size=40),
    st.lists(
        st.sampled_from(["{0}", "{1}-{0}", '"{0} {1}"', "{1}{0}{1}", "{2}"]),
        min_size=40,
        max_size=40,
    ),
)
def test_whatever_stands_in_cells_they_come_back(rows, templates):
    """made_of itself compares the cells of every way with what they were."""
    last = [template.format(*row) for template, row in zip(templates, rows, strict=False)]
    made_of(*map(list, zip(*rows, strict=True)), last)


@pytest.mark.parametrize("golden", [GOLDEN, JOINED], ids=["apart", "joined"])
def test_the_golden_archives_are_restored_for_ever(golden, tmp_path):
    assert format_reader.restore(golden.read_bytes()) == TABLE.read_bytes()
    back = operations.decompress(golden, tmp_path / "t.csv")
    assert back.read_bytes() == TABLE.read_bytes()


def test_it_is_written_so_still(tmp_path):
    operations.compress(TABLE, tmp_path / "t.aez")
    assert (tmp_path / "t.aez").read_bytes() == JOINED.read_bytes()
    assert JOINED.stat().st_size < 0.83 * GOLDEN.stat().st_size


# the other reader above has no kernel either
@pytest.mark.long
def test_the_golden_archive_is_restored_without_the_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "C", None)
    back = operations.decompress(GOLDEN, tmp_path / "t.csv")
    assert back.read_bytes() == TABLE.read_bytes()


def test_a_part_of_the_archive_needs_no_other(tmp_path):
    """A column is restored where those that stand in it are not asked for."""
    part = operations.decompress(GOLDEN, tmp_path / "t", rows=(7, 9), columns=["site", "label"])
    expected = pd.read_csv(TABLE)[["site", "label"]].iloc[7:9]
    pd.testing.assert_frame_equal(pd.read_csv(part), expected.reset_index(drop=True))


def test_what_its_cells_cost_is_the_payload(tmp_path):
    check_sum(GOLDEN)
    text = TABLE.read_text().splitlines(keepends=True)
    label = text[50].split("-")[0]
    text[50] = text[50].replace(f"{label}-", "QQ17-", 1)
    (tmp_path / "t.csv").write_text("".join(text))
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    # a label that is not made as the others are
    assert operations.detect(tmp_path / "t.aez", top=1).row.tolist() == [49]


def test_labels_take_what_is_left_of_them(monkeypatch):
    lines = TABLE.read_bytes().splitlines(keepends=True)
    layout = Layout(Rule(","), lines[0].decode().strip().split(","))
    (encoded,) = records.encode(b"".join(lines[1:]), layout)
    monkeypatch.setattr(composing, "compositions", lambda *_: [])
    (without,) = records.encode(b"".join(lines[1:]), layout)
    assert len(encoded.payload) < 0.75 * len(without.payload)


def test_typed_tables_lines_and_arrays(tmp_path):
    """Gaps are cells, too, and columns of numbers stand between those of text."""
    rng = np.random.default_rng(4)
    ids = [f"{'NPQR'[n % 4]}{n * 7919 % 100003}x" for n in range(3000)]
    frame = pd.DataFrame({"n": rng.integers(0, 99, 3000), "id": ids, "x": rng.random(3000)})
    frame["code"] = np.where(rng.random(3000) < 0.1, None, frame["id"])
    frame["link"] = [f"/a/{one}.html" for one in ids]
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "t.parquet")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    np.savez(tmp_path / "t.npz", a=np.array(ids), b=frame["link"].to_numpy(str))
    for name in ("t.parquet", "t.jsonl", "t.npz"):
        path = tmp_path / f"{name}.aez"
        operations.compress(tmp_path / name, path)
        back = operations.decompress(path, tmp_path / f"back-{name}")
        if name == "t.parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(back), frame)
        elif name == "t.jsonl":
            assert back.read_bytes() == (tmp_path / name).read_bytes()
        else:
            with np.load(back) as arrays:
                assert arrays["a"].tolist() == ids and arrays["b"].tolist() == list(frame["link"])
        with Archive(path) as archive:
            stored = [c.meta for block, _ in archive.blocks(0, archive.rows) for c in block.columns]
        made = sum(bool(getattr(meta, "lenders", ())) for meta in stored)
        assert made == {"t.parquet": 2, "t.jsonl": 2, "t.npz": 1}[name]


@pytest.mark.parametrize("bounds", [{}, {"n": Fraction(50)}], ids=["exact", "bounded"])
def test_cells_of_columns_within_a_bound_do_not_stand_in_others(bounds):
    """They may not come back as they are; the label does, in whatever it is stored."""
    numbers = np.random.default_rng(5).integers(10**6, 10**7, 400)
    labels = [f"{'KQXZ'[n % 4]} {n} of all" for n in numbers]
    text = "".join(f"{n},{label}\n" for n, label in zip(numbers, labels, strict=True)).encode()
    layout = Layout(Rule(","), ["n", "label"], bounds=bounds, exact=not bounds)
    label = records.coded_columns(fields(text, layout.rule), layout)[1]
    lenders = {lender for way in label.others for lender in way.meta.lenders}
    assert lenders == (set() if bounds else {Lender(0)})
    (encoded,) = records.encode(text, layout)
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    back = records.cells(block, layout.rule, 2, np.arange(400))
    assert back[1] == [label.encode() for label in labels]
    errors = np.abs(np.array(back[0], np.int64) - numbers)
    assert errors.max() <= 50


def test_several_blocks_and_any_line_ends():
    """Of later blocks the ways of the one before are taken; here their columns are made alike, too."""
    lines = TABLE.read_bytes().splitlines()
    layout = Layout(Rule(","), lines[0].decode().split(","))
    hints = blocks.NO_HINTS
    for part in (lines[1:50], lines[50:]):
        piece = b"".join(line + end for line, end in zip(part, itertools.cycle([b"\n", b"\r\n"])))
        (encoded,) = records.encode(piece, layout, hints)
        hints = encoded.hints
        block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
        assert any(getattr(column.meta, "lenders", ()) for column in block.columns)
        every = slice(0, encoded.rows)
        assert records.decode(block, layout.rule, encoded.rows, every) == piece


# ---- damage


def text_column(meta, cells, lenders=()):
    blob = spans.pack_cells(cells)
    kinds, none = np.zeros(len(cells), np.int64), np.zeros(0, np.int64)
    return Decoded(meta, kinds, none, none, [blob], lenders=lenders)


LENDER = text_column(TextMeta(), [b"a", b"b"])
OF_ONE = TextMeta(lenders=(Lender(0),))
MADE = text_column(OF_ONE, [b"\1!", b"\1"], [LENDER])


def test_what_the_page_says_by_hand():
    assert ranks.cells_of(MADE).bytes() == [b"a!", b"b"]
    two = TextMeta(lenders=(Lender(0, LetterCase.UPPER), Lender(1)))
    other = text_column(TextMeta(), [b'"\1"', b""])
    column = text_column(two, [b"\2\1\1\n\2", b"\1\2\1"], [LENDER, other])
    assert ranks.cells_of(column).bytes() == [b"\1AA\n\1", b"BB"]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (text_column(OF_ONE, [b"\2", b""], [LENDER]), "more columns than it names"),
        (text_column(OF_ONE, [b"\10", b""], [LENDER]), "more columns than it names"),
        (text_column(OF_ONE, [b"\1", b"\1"]), "not there"),
        (text_column(OF_ONE, [b"\1", b"\1"], [MADE]), "made of others itself"),
        (text_column(OF_ONE, [b"\1"], [LENDER]), "other rows"),
        (text_column(OF_ONE, [b"\1", b"\1"], [text_column(WholeMeta(), [])]), "not stored as text"),
    ],
    ids=["mark", "last mark", "no lender", "chain", "rows", "numbers"],
)  # fmt: skip
def test_columns_that_cannot_be_made_are_damage(column, words):
    with pytest.raises(ArchiveError, match=words):
        ranks.cells_of(column)


@pytest.mark.parametrize("place", [0, 2, 65536])
def test_lenders_that_are_not_in_the_block_are_damage(place):
    """Of a block of two columns one is the column itself, and there is no third."""
    meta = TextMeta(lenders=(Lender(place),))
    own = Coded(meta, [], [spans.pack_cells([b"\1", b"\1"])])
    columns = [own, dataclasses.replace(coded(["x", "y"]), others=[])]
    content, payload, _ = blocks.encode(columns, 2, {}, DEFAULT)
    with pytest.raises(ArchiveError, match="made of"):
        block = blocks.decode(payload, 2, content)
        ranks.cells_of(block.columns[0])


def test_parts_of_columns_are_made_of_nothing():
    """A dictionary and what a sentence is cut into are blocks in blocks, without others beside."""
    meta = LevelMeta(lenders=(Lender(0),))
    level = dataclasses.replace(coded(["a"] * 30), meta=meta, others=[])
    _, payload, _ = blocks.encode([level, coded(["b"] * 30)], 30, {}, DEFAULT)
    sentences = text_column(PartsMeta(), [b""] * 30)
    sentences.blobs = [b"\2" + payload]
    with pytest.raises(ArchiveError, match="made of others where it may not be"):
        ranks.cells_of(sentences)
    _, payload, _ = blocks.encode([level], 30, {}, DEFAULT)
    ranked = Decoded(RankMeta(), np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(0), [])
    ranked.book = ranks.Book(b"\x1e" + payload)
    with pytest.raises(ArchiveError, match="made of"):
        ranks.cells_of(ranked)


def test_more_text_than_a_block_may_have_is_refused_before_it_is_written(monkeypatch):
    monkeypatch.setattr(limits, "MAX_TEXT", 1 << 16)
    long = text_column(TextMeta(), [b"x" * 1000])
    assert ranks.cells_of(text_column(OF_ONE, [b"\1" * 65], [long])).length.tolist() == [65000]
    with pytest.raises(ArchiveError, match="claims 66000 bytes"):
        ranks.cells_of(text_column(OF_ONE, [b"\1" * 66], [long]))
    shared = spans.behind_another([b"x" * 1000]).take(np.zeros(66, np.int64))
    with pytest.raises(ArchiveError, match="claims 66000 bytes"):
        composed.as_lent(shared, LetterCase.AS_IT_IS)


def test_all_columns_of_a_block_that_are_made_of_others_share_its_text(monkeypatch):
    """One long cell and many columns of a few bytes would else be any number of gigabytes."""
    monkeypatch.setattr(limits, "MAX_TEXT", 1 << 16)
    long = dataclasses.replace(coded(["x" * 30000, ""]), others=[])
    made = []
    for _ in range(3):
        column = coded(["\1", ""])
        meta = dataclasses.replace(column.meta, lenders=(Lender(0),))
        made.append(dataclasses.replace(column, meta=meta, others=[]))
    for count, fits in ((2, True), (3, False)):
        _, payload, _ = blocks.encode([long, *made[:count]], 2, {}, DEFAULT)
        columns = blocks.decode(payload, 2, None).columns
        texts = [ranks.cells_of(column) for column in columns[:3]]
        assert [int(text.length.sum()) for text in texts] == [30000] * 3
        # read again they count once
        assert ranks.cells_of(columns[1]) is texts[1]
        if not fits:
            with pytest.raises(ArchiveError, match="claims 90000 bytes"):
                ranks.cells_of(columns[3])


def test_rows_without_a_mark_copy_no_cell_of_a_lender(monkeypatch):
    monkeypatch.setattr(limits, "MAX_TEXT", 1 << 16)
    lender = text_column(TextMeta(), [b"x" * 60000, b"y" * 20000, b"z"])
    cells = ranks.cells_of(text_column(OF_ONE, [b"", b"", b"(\1)"], [lender]))
    assert cells.bytes() == [b"", b"", b"(z)"]


def test_a_template_longer_than_the_cells_makes_no_text_of_them(monkeypatch):
    """Rows that are looked at may be long, and all others short."""
    monkeypatch.setattr(limits, "MAX_TEXT", 1 << 20)
    looked_at = set(composing.evenly_spread(6400, 64).tolist())
    keys = [f"K{row}" + "y" * 80 for row in range(6400)]
    labels = ["" if row % 20 else f"n{row}" for row in range(6400)]
    for row in looked_at:
        labels[row] = "x" * 400 + " " + keys[row]
    lenders, rests = made_of(keys, labels)[1]
    assert lenders == as_it_is(0)
    assert {rests[row] for row in looked_at} == {"x" * 400 + " \1"}


def test_a_long_cell_is_not_searched_at_each_of_its_bytes():
    """At every byte of it a text may begin that ends at none."""
    looked_at = set(composing.evenly_spread(300, 64).tolist())
    long = "a" * 1000
    keys = [f"K{row}" if row in looked_at else long for row in range(300)]
    labels = [f"{key},{row}" if row in looked_at else long + long for row, key in enumerate(keys)]
    lenders, rests = made_of(keys, labels)[1]
    assert lenders == as_it_is(0)
    # as they are, though the text of the lender stands in them twice
    assert rests.count(long + long) == 300 - len(looked_at)


@pytest.mark.parametrize(
    ("lenders", "words"),
    [
        ([], "a list of 1 to 8"), ([0] * 9, "a list of 1 to 8"), (0, "a list of 1 to 8"),
        ([-1], "place"), ([65537], "place"), ([1.5], "place"), ([None], "place"), (["0"], "place"),
        ([[0, 0]], "case"), ([[0, 3]], "case"), ([[0, True]], "case"), ([[-1, 1]], "place"),
        ([[0]], "damaged"), ([[0, 1, 2]], "damaged"),
        ([0, 1, 0], "twice"), ([[0, 1], [0, 1]], "twice"),
    ],
    ids=str,
)  # fmt: skip
def test_lenders_out_of_range_are_refused(lenders, words):
    with pytest.raises(ArchiveError, match=words):
        from_json({"k": "text", "cells": lenders})


def test_every_flipped_byte_of_the_archive_is_noticed(tmp_path):
    data = GOLDEN.read_bytes()
    for at in range(0, len(data), 23):
        bad = bytearray(data)
        bad[at] ^= 1 << at % 8
        (tmp_path / "t.aez").write_bytes(bad)
        with pytest.raises(ArchiveError):
            operations.decompress(tmp_path / "t.aez", tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
