"""Texts of several columns of a block are mixed as one, and cells of several lines stand between
line feeds all the same."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import blobs, block_encoding, blocks, joined_texts, planning, spans, stages
from aetool.codec.archive import Archive
from aetool.codec.blobs import varint
from aetool.codec.columns import Coded, Decoded
from aetool.codec.metas import LevelMeta, TextMeta
from aetool.codec.streams import Stream
from aetool.errors import ArchiveError
from tests import format_reader
from tests.test_ledger import check_sum

GOLDEN = Path(__file__).parent / "golden" / "3.18" / "letters.aez"
TABLE = GOLDEN.with_suffix(".csv")
NONE = np.zeros(0, np.int64)


def names(count, seed=0):
    rng = np.random.default_rng(seed)
    syllables = ["ba", "dor", "fen", "gu", "lim", "mor", "nat", "pel", "ras", "tiv", "wen", "zo"]
    return ["".join(rng.choice(syllables, 4)).title().encode() for _ in range(count)]


def texts(cells):
    return Coded(TextMeta(), [], [spans.pack_cells(cells)])


def levels(cells):
    different = sorted(set(cells))
    blob = varint(len(different)) + spans.pack_cells(different)
    numbers = np.array([different.index(cell) for cell in cells], np.int64)
    return Coded(LevelMeta(), [Stream(numbers)], [blob])


def stage_of(blob):
    head, _ = blobs.read_varint(blob, 0)
    return head & (1 << stages.BITS) - 1


# ---- the golden archive


@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_the_golden_archive_is_restored_for_ever(loops, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    out = operations.decompress(GOLDEN, tmp_path / "letters.csv")
    assert out.read_bytes() == TABLE.read_bytes()


def test_the_other_reader_restores_it():
    assert format_reader.restore(GOLDEN.read_bytes()) == TABLE.read_bytes()


def test_it_has_joined_texts_and_cells_of_several_lines():
    with Archive(GOLDEN) as archive:
        ((block, _),) = archive.blocks(0, archive.rows)
    assert block.texts.places == [0, 1, 2]
    assert [text[:1] for text in block.texts.texts] == [b"\0", b"\0", b"\2"]


# ---- joined


def test_names_that_come_again_in_another_column_are_known():
    one = names(300)
    other = [name + b" Street" for name in reversed(one)]
    columns = [texts(one), levels(one), texts(other)]
    apart = sum(len(column.blobs[0]) for column in columns)
    joined = joined_texts.join(columns, 1 << 20)
    assert list(joined) == [0, 1, 2]
    assert sum(map(len, joined.values())) < 0.7 * apart
    content, payload, _ = blocks.encode(columns, 300, {}, planning.DEFAULT)
    block = blocks.decode(payload, 300, content)
    assert [stage_of(column.blobs[0]) for column in block.columns[::2]] == [stages.STORED] * 2
    assert spans.unpack_cells(block.columns[2].blobs[0], 300).bytes() == other
    assert block.texts.places == [0, 1, 2]


@given(st.lists(st.lists(st.binary(max_size=5), min_size=4, max_size=4), min_size=1, max_size=4))
def test_any_texts_come_back(cells_of_columns):
    columns = [texts(cells) for cells in cells_of_columns]
    joined = joined_texts.join(columns, 1 << 20)
    decoded = []
    for place, column in enumerate(columns):
        blob = joined.get(place, column.blobs[0])
        decoded.append(Decoded(column.meta, np.zeros(4, np.int64), NONE, NONE, [blob]))
    found = joined_texts.separate(decoded)
    assert (found is None) == (not joined)
    restored = [spans.unpack_cells(column.blobs[0], 4).bytes() for column in decoded]
    assert restored == cells_of_columns


@pytest.mark.parametrize("effort", ["fast", "default", "best"])
def test_what_effort_joins(effort, monkeypatch, tmp_path):
    """The fast one takes the first way; of the others the best one goes on to longer texts."""
    monkeypatch.setattr(block_encoding, "JOINED_QUICKLY", 4000)
    lines = [b"%s,%s\n" % pair for pair in zip(names(600), names(600, 1), strict=True)]
    table = tmp_path / "t.csv"
    table.write_bytes(b"name,town\n" + b"".join(lines))
    options = operations.CompressOptions(effort=getattr(planning, effort.upper()))
    archive = tmp_path / "t.aez"
    operations.compress(table, archive, None, options)
    with Archive(archive) as opened:
        ((block, _),) = opened.blocks(0, 600)
    assert (block.texts is not None) == (effort == "best")
    out = operations.decompress(archive, tmp_path / "out.csv")
    assert out.read_bytes() == table.read_bytes()


def test_one_text_and_texts_that_share_nothing_stay_apart():
    assert joined_texts.join([texts(names(50))], 1 << 20) == {}
    noise = [np.random.default_rng(seed).bytes(400) for seed in (1, 2)]
    assert joined_texts.join([texts([one]) for one in noise], 1 << 20) == {}
    # a mixture of all takes as long as what it could save is little
    assert joined_texts.join([texts(names(500)), texts(names(2, 1))], 1 << 20) == {}
    both = [texts(names(50)), texts(names(50))]
    assert joined_texts.join(both, 1 << 20) and not joined_texts.join(both, 400)


def test_each_column_is_told_its_share_of_joined_texts(tmp_path):
    with Archive(GOLDEN) as archive:
        sizes = archive.sizes()
        ((block, _),) = archive.blocks(0, archive.rows)
    shares = [sizes[name]["text"] for name in ("sender", "place", "letter")]
    assert min(shares) > 50 and max(shares) == shares[2]
    assert sum(shares) == sum(one["text"] for one in block.sizes)
    found = check_sum(GOLDEN)
    assert found[0].taken.sum(axis=0).min() > 400


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        ([(9, b""), (9, b",abc"), (9, b"")], "behind their code"),
        ([(9, b""), (1 << 24, b",abc")], "mixture"),
        ([(9, b""), (9, b"")], "mixture"),
        ([(0, b""), (0, b"")], "no data of their mixture"),
    ],
    ids=["code before the last", "too long", "no code", "no code of nothing"],
)
def test_damaged_joined_texts_are_told(heads, words):
    columns = []
    for size, code in heads:
        blob = varint(size << stages.BITS | stages.JOINED) + code
        columns.append(Decoded(TextMeta(), np.zeros(1, np.int64), NONE, NONE, [blob]))
    with pytest.raises(ArchiveError, match=words):
        joined_texts.separate(columns)


def test_a_joined_text_by_itself_is_damage():
    with pytest.raises(ArchiveError, match="stage of number 6"):
        blobs.unpack(varint(3 << stages.BITS | stages.JOINED))


# ---- cells of several lines


@pytest.mark.parametrize(
    ("cells", "head"),
    [
        ([b"a", b"b"], b"\0"),
        ([b"a\nb", b"\0\1c"], b"\2\2"),
        ([b"\n", b""], b"\2\0"),
        ([bytes(range(256)), b"a"], b"\1"),
        ([], b"\1"),
    ],
    ids=["one line", "several lines", "line feed", "all bytes", "no cells"],
)
def test_how_cells_are_parted(cells, head):
    packed = spans.pack_cells(cells)
    assert blobs.unpack(packed).startswith(head)
    assert spans.unpack_cells(packed, len(cells)).bytes() == cells


def test_cells_of_several_lines_take_no_lengths():
    cells = [name + b"\nin two lines" for name in names(400)]
    one_line = [cell.replace(b"\n", b" ") for cell in cells]
    assert len(spans.pack_cells(cells)) < 1.05 * len(spans.pack_cells(one_line))


@pytest.mark.parametrize("raw", [b"\2", b"\2\0a\nb\nc"], ids=["no byte", "another count"])
def test_damaged_cells_of_several_lines_are_told(raw):
    with pytest.raises(ArchiveError, match="damaged"):
        spans.unpack_cells(blobs.pack(raw), 2)
