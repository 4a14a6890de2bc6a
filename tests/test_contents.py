"""Every archive is compared with its source before it gets its name; what a content cannot carry is
kept as bytes; what is not known is refused."""

import dataclasses
import gzip
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool import operations
from aetool.cli import status
from aetool.codec import contents, payloads, records, textual, words
from aetool.codec.archive import Archive
from aetool.codec.bounds import Decimals, holds
from aetool.codec.contents.content import Stamp
from aetool.codec.contents.kept import KeptBytes
from aetool.codec.contents.labels import labels_of
from aetool.codec.contents.text import TextTable
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError, DataError
from aetool.operations import CompressOptions

TEXT = "a,b\n" + "".join(f"{i},{i % 7}.25\n" for i in range(300))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT)
    return path


def broken_encoding(monkeypatch):
    """Text columns that lose something on their way: the first cell of each."""
    plain = textual.encode

    def encode(buffer, start, stop, *more):
        start, stop = start.copy(), stop.copy()
        start[0], stop[0] = start[1], stop[1]
        return plain(buffer, start, stop, *more)

    monkeypatch.setattr(textual, "encode", encode)


def test_what_would_not_come_back_is_kept_as_bytes(table, tmp_path, monkeypatch, capsys):
    broken_encoding(monkeypatch)
    assert status(["compress", str(table)]) == 0
    said = capsys.readouterr().err
    assert "bytes (kept file)" in said and "a record would not be restored" in said
    out = operations.decompress(tmp_path / "t.csv.aez", tmp_path / "o.csv")
    assert out.read_text() == TEXT


def test_what_cannot_be_encoded_is_kept_as_bytes(table, tmp_path, monkeypatch):
    def encode(*_, **__):
        raise OverflowError("too large a number")

    monkeypatch.setattr(records, "encode", encode)
    figures = operations.compress(table, tmp_path / "t.aez")
    assert figures["fidelity"] == "bytes (kept file)" and figures["kept"] == "too large a number"
    assert operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_text() == TEXT


def test_a_bounded_archive_is_never_kept_bytes_and_never_wrong(table, tmp_path, monkeypatch):
    broken_encoding(monkeypatch)
    options = CompressOptions(max_error={"b": "0.5"})
    with pytest.raises(ArchiveError, match="within its bound"):
        operations.compress(table, tmp_path / "t.aez", options=options)
    assert not (tmp_path / "t.aez").exists()


@pytest.mark.parametrize("same_size", [True, False])
def test_a_source_that_changes_meanwhile_is_an_error_in_one_line(
    table, tmp_path, monkeypatch, same_size, capsys
):
    """Rewritten between the reading that encodes and the one that compares."""
    plain = TextTable.compare

    def compare(self, archive):
        table.write_text(TEXT.replace("3", "4") if same_size else TEXT + "1,2\n")
        plain(self, archive)

    monkeypatch.setattr(TextTable, "compare", compare)
    assert status(["compress", str(table)]) == 2
    said = capsys.readouterr().err
    assert "was changed while it was read" in said and said.count("\n") == 1
    assert not (tmp_path / "t.csv.aez").exists()


def test_bytes_that_differ_twice_are_those_of_a_changed_file(table, tmp_path, monkeypatch):
    def compare(self, archive):
        raise self.differs("a byte of the file")

    monkeypatch.setattr(KeptBytes, "compare", compare)
    options = CompressOptions(keep_files=True)
    np.save(tmp_path / "x.npy", np.arange(5))
    with pytest.raises(DataError, match="was changed while it was read"):
        operations.compress(tmp_path / "x.npy", tmp_path / "x.aez", options=options)
    assert not (tmp_path / "x.aez").exists()


def test_what_is_compressed_is_compared_with_what_is_inside(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    figures = operations.compress(path, tmp_path / "t.aez")
    assert figures["fidelity"] == "lossless" and "kept" not in figures


def test_a_stamp_tells_one_size_and_time_from_another(tmp_path):
    path = tmp_path / "x"
    assert Stamp.of(path) == Stamp(-1, -1)
    path.write_text("1")
    first = Stamp.of(path)
    path.write_text("12")
    assert Stamp.of(path) != first


def test_an_unknown_content_is_refused_in_one_line(table, tmp_path):
    operations.compress(table, tmp_path / "t.aez")
    with Archive(tmp_path / "t.aez") as archive:
        header = archive.reader.header
    for name, version in (("text", 99), ("hologram", 1)):
        with pytest.raises(ArchiveError, match=rf"'{name}', version {version}; this aetool reads"):
            contents.of_header({**header, "content": [name, version]})


@pytest.mark.parametrize(
    "before,after,within",
    [
        ("1.0\n", "1.5\n", True),
        ("1.0\n", "1.51\n", False),
        ("1\n", "1.5\n", True),
        ("-0.25\n", "0.25\n", True),
        ("NA\n", "0\n", False),
        ("NA\n", "NA\n", True),
        ("3\n", "NA\n", False),
        ("3\n3\n", "3\n", False),
        ("999999999999999999\n", "999999999999999998.5\n", True),
        ("999999999999999999\n", "999999999999999998.4\n", False),
        ("1e-400\n", "0\n", True),
        ("0x1\n", "1\n", False),
        ("99999999999999999.9\n", "99999999999999999.4\n", True),
        ("99999999999999999.9\n", "99999999999999999.3\n", False),
        ("999999999999999999\n0.5\n", "999999999999999999\n0.0\n", True),
        ("0.00000000000000001\n99999999999999999\n", "0.5\n99999999999999999\n", True),
        ("0.00000000000000001\n99999999999999999\n", "0.6\n99999999999999999\n", False),
    ],
)
def test_bounds_are_judged_in_exact_arithmetic(before, after, within):
    layout = dataclasses.replace(Layout(Rule(), ["a"]), bounds={"a": records.Fraction(1, 2)})
    assert holds(before.encode(), after.encode(), layout) == within


def test_a_column_without_a_bound_comes_back_byte_for_byte():
    layout = dataclasses.replace(Layout(Rule(), ["a", "b"]), bounds={"a": records.Fraction(1)})
    assert holds(b"1,1.0\n", b"2,1.0\n", layout)
    assert not holds(b"1,1.0\n", b"1,1\n", layout)


def test_labels_of_many_columns_are_told_at_once():
    """A line without a delimiter may be a hundred thousand columns of blanks: no name is compared
    with all others."""
    compared = 0

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names = [Name(n) for n in ["a", "b", "a", *map(str, range(2000)), "", ""]]
    labels = labels_of(names)
    assert labels[:4] == ["a (column 1)", "b", "a (column 3)", "0"]
    assert labels[-3:] == ["1999", " (column 2004)", " (column 2005)"]
    assert compared < 5 * len(names)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ([], []),
        (["a", "a", "a (column 1)"], ["a (column 1)", "a (column 2)", "a (column 1) (column 3)"]),
        (["a", "a (column 3)", "a"], ["a (column 1)", "a (column 3) (column 2)", "a (column 3)"]),
        (
            ["a", "a", "a (column 1)", "a (column 1) (column 3)"],
            [
                "a (column 1)",
                "a (column 2)",
                "a (column 1) (column 3)",
                "a (column 1) (column 3) (column 4)",
            ],
        ),
    ],
)
def test_a_column_that_is_called_like_a_label_has_one_of_its_own(names, labels):
    assert labels_of(names) == labels


@given(st.lists(st.sampled_from(["", "a", *(f"a (column {n})" for n in range(5))]), max_size=9))
def test_no_two_labels_are_equal(names):
    labels = labels_of(names)
    assert len(set(labels)) == len(names)
    for place, name in enumerate(names, 1):
        assert labels[place - 1] in (name, f"{name} (column {place})")


@pytest.mark.parametrize(
    "described", [5, None, True, "ab", [], ["ab"], [["columns", []]], [[1, 2]]]
)
def test_a_description_that_is_no_object_is_damage(described):
    payload = payloads.payload_of(words.deflate(described), [])
    with pytest.raises(ArchiveError, match="damaged: a block's plans are no JSON object"):
        payloads.words_of(payload)
    kept = payloads.payload_of(words.deflate({"columns": []}), [])
    assert payloads.words_of(kept)[0] == {"columns": []}


PLACES = st.integers(0, 18)
DIGITS = st.one_of(st.integers(-999, 999), st.integers(-(10**18) + 1, 10**18 - 1))


@settings(max_examples=300)
@given(st.lists(st.tuples(DIGITS, PLACES, DIGITS, PLACES), max_size=4), st.data())
def test_numbers_are_near_as_fractions_are(rows, data):
    """Also those that do not fit 64 bits at the scale of the most decimals, and on the bound."""
    pairs = [(Fraction(a, 10**p), Fraction(b, 10**q)) for a, p, b, q in rows]
    distances = [abs(one - other) for one, other in pairs]
    largest = max(distances, default=Fraction(0))
    bound = data.draw(
        st.sampled_from([largest, largest - Fraction(1, 10**30), largest / 2, Fraction(1, 7)])
    )
    if bound < 0:
        return
    sides = [[(a, p) for a, p, _, _ in rows], [(b, q) for _, _, b, q in rows]]
    before, after = (
        Decimals(np.array([d for d, _ in side], np.int64), np.array([p for _, p in side], np.int8))
        for side in sides
    )
    assert before.near(after, bound) == all(distance <= bound for distance in distances)
