"""The tokenizer agrees with Python's csv module, at every size, and names the row that is wrong."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool.csv import encodings
from aetool.csv.dialect import Dialect
from aetool.csv.sniffing import sniff
from aetool.data import text
from aetool.errors import DataError

CELL = st.text(alphabet='ab ,"\n1é', max_size=5)


def tokenized(raw: bytes, dialect: Dialect | None = None) -> list[list[str]]:
    dialect = dialect or Dialect(header=False)
    found = []
    for table in text.tables(io.BytesIO(raw), "x", dialect):
        found += [list(r) for r in zip(*(v.strings() for v in table.values), strict=True)]
    return found


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=12), st.booleans(),
       st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_reads_what_csv_writes(rows, all_quoted, newline):
    buffer = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(buffer, lineterminator=newline, quoting=quoting).writerows(rows)
    assert tokenized(buffer.getvalue().encode()) == rows


@given(st.text(alphabet='ab,"\n', max_size=40))
def test_agrees_with_the_csv_module_on_anything(raw):
    expected = [r for r in csv.reader(io.StringIO(raw, newline="")) if r]
    if len({len(r) for r in expected}) > 1 or (expected and len(expected[0]) < 2):
        return
    assert tokenized(raw.encode()) == expected


def test_chunks_do_not_change_the_cells(monkeypatch):
    rows = [[f"{i}", f'"{i}\n,', "x" * (i % 7)] for i in range(300)]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    for size in (1, 7, 64, 4096):
        monkeypatch.setattr(text, "CHUNK", size)
        assert tokenized(buffer.getvalue().encode()) == rows


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"a,b\n1,2\n", {"delimiter": ",", "header": True, "final_newline": True}),
        (b"a;b\r\n1,5;2,5\r\n", {"delimiter": ";", "newline": "\r\n", "decimal": ","}),
        (b"a\tb\n1\t2", {"delimiter": "\t", "final_newline": False}),
        (b"1,2\n3,4\n", {"header": False}),
        (b"\xef\xbb\xbfa,b\n1,2\n", {"bom": True}),
        (b"a,b\n1, x\n2, y\n", {"space": True}),
        (b"a|b\n1|2\n", {"delimiter": "|"}),
    ],
)
def test_sniffs(head, expected):
    found = sniff(head, "x")
    assert {k: getattr(found, k) for k in expected} == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a,b\n1,2\n3\n", "row 2 (line 3) has 1 field where 2 are expected"),
        (b"a,b\n1,\0\n", "NUL byte near row 1 (line 2)"),
    ],
)
def test_bad_tables_are_named(raw, words):
    with pytest.raises(DataError, match=None) as caught:
        tokenized(raw, Dialect())
    assert words in str(caught.value)


def test_utf16_is_read():
    raw = "a,b\nü,2\n".encode("utf-16")
    stream = encodings.utf8(io.BytesIO(raw), encodings.encoding_of(raw))
    table = next(text.tables(stream, "x", Dialect()))
    assert [v.strings() for v in table.values] == [["ü"], ["2"]]


@pytest.mark.parametrize(
    "names",
    [
        [f"C{i + 1}" for i in range(55)],
        ["Time", *(f"V{i + 1}" for i in range(28)), "Amount"],
        ["x10", "x20", "x300"],
        ["X2019", "X2020", "X2021"],
        ["a.1", "X1.2", "X3.10"],
        ["religion", "<$10k", "$10-20k", ">150k"],
    ],
)
def test_numbered_names_are_a_header(names):
    rows = [[str(i * 7 % 11 + 100 * j) for j in range(len(names))] for i in range(30)]
    raw = "\n".join([",".join(names), *(",".join(row) for row in rows)]) + "\n"
    dialect = sniff(raw.encode(), "x.csv")
    assert dialect.header
    found = list(text.tables(io.BytesIO(raw.encode()), "x", dialect))
    assert list(found[0].names) == names and sum(map(len, found)) == 30
