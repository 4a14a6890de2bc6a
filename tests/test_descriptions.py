"""Words of archives, JSON in few bytes: both forms come back, and what is neither is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetool import kernel, operations
from aetool.codec import descriptions, planning, words
from aetool.codec.container.piece import OnePiece
from aetool.codec.payloads import has_mixed_words
from aetool.operations import CompressOptions
from tests.format_reader import container

DESCRIBED = Path(__file__).parent / "golden" / "3.8" / "described"
PLANS = {
    "columns": [{"a": [" ", ""], "d": 0, "f": [0], "k": "number", "s": []}] * 3,
    "plans": [{"b": [0, 1, 1, 1], "d": [0, 3, -1], "f": [["s", 1, [1, 2]]], "x": 1}] * 3,
}


@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_words_come_back_in_both_forms(loops, monkeypatch):
    fewest = descriptions.described(PLANS, mixes=True)
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    assert descriptions.described(PLANS, mixes=True) == fewest
    assert descriptions.read(fewest) == PLANS
    assert descriptions.read(words.deflate(PLANS)) == PLANS
    assert descriptions.is_mixed(fewest)
    assert not descriptions.is_mixed(words.deflate(PLANS))


def test_a_mixture_of_words_takes_a_fifth_less():
    assert len(descriptions.described(PLANS, mixes=True)) < 0.8 * len(words.deflate(PLANS))


def test_the_other_reader_reads_both_forms():
    assert container.words(descriptions.described(PLANS, mixes=True)) == PLANS
    assert container.words(words.deflate(PLANS)) == PLANS


def test_long_words_are_deflated_and_so_are_those_that_grow_otherwise():
    long = ["a" * descriptions.MOST_MIXED]
    assert descriptions.described(long, mixes=True) == words.deflate(long)
    empty = descriptions.described({}, mixes=True)
    assert len(empty) <= len(words.deflate({}))
    assert descriptions.read(empty) == {}


def test_words_that_are_cut_short_or_claim_too_much_are_refused():
    for damaged in (b"\x07", b"\x07\x80", b"\x07\x85"):
        with pytest.raises(ValueError, match="cut short"):
            descriptions.read(damaged)
    with pytest.raises(ValueError, match="32769 bytes of JSON as a mixture; at most 32768 are"):
        descriptions.read(b"\x07\x81\x80\x02" + b"a" * 99)
    with pytest.raises(ValueError):
        descriptions.read(b"\x07\x05" + b"abc")


@pytest.mark.parametrize(
    ("effort", "rows", "is_mixed"),
    [
        (planning.BEST, 1000, True),
        (planning.BEST, 5000, True),
        (planning.DEFAULT, 1000, True),
        (planning.DEFAULT, 5000, False),
        (planning.FAST, 1000, False),
    ],
    ids=["best", "best-many", "default", "default-many", "fast"],
)
def test_words_of_few_rows_are_mixed_and_by_best_all(effort, rows, is_mixed, tmp_path):
    source = tmp_path / "t.csv"
    lines = [f"{place % 7},{place * 37 % 1009}\n" for place in range(rows)]
    source.write_text("a,b\n" + "".join(lines))
    archive = tmp_path / "a.aez"
    operations.compress(source, archive, None, CompressOptions(effort=effort))
    piece = OnePiece.from_bytes(archive.read_bytes())
    assert has_mixed_words(piece.payload) == is_mixed
    restored = operations.decompress(archive, tmp_path / "a.csv")
    assert restored.read_bytes() == source.read_bytes()


def test_words_of_the_golden_archive_are_a_mixture():
    data = DESCRIBED.with_suffix(".aez").read_bytes()
    size, rest = container.varint(container.varint(data[10:])[1])
    assert descriptions.is_mixed(rest[:size])
    assert descriptions.read(rest[:size]) == container.words(rest[:size])
