"""One rule for records: what detection and archives see is what csv.reader sees.

The complaints that led to the rule stand below the laws, each with the right value.
"""

import dataclasses
import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.csv import cutting, encodings, writing
from aetool.csv.dialect import Dialect
from aetool.csv.fields import ENDS, Rule, begins, by_arrays, by_loop, fields, last_begin
from aetool.data import sources
from aetool.errors import DataError
from aetool.operations import CompressOptions
from tests import csv_texts

EFFORTS = {"fast": planning.FAST, "default": planning.DEFAULT, "best": planning.BEST}
RULES = [Rule(d, s) for d in ",;\t| " for s in (False, True)]
TEXT = st.text(alphabet='ab, "\n\r\t;|\0é', max_size=60)


def strings(found):
    return [[cell.decode() for cell in row] for row in found.records()]


# ---- laws of the tokenizer


@given(TEXT, st.sampled_from(RULES))
def test_fields_are_those_of_csv_reader(raw, rule):
    expected = csv_texts.records_of(raw, rule.delimiter, rule.space)
    data = raw.encode()
    assert strings(by_loop(data, rule)) == expected
    assert strings(fields(data, rule)) == expected


@given(TEXT, st.sampled_from(RULES))
def test_the_kernel_and_both_references_agree(raw, rule):
    data = raw.encode()
    norm = by_loop(data, rule)
    for found in (fields(data, rule), by_arrays(data, rule)):
        if found is None:
            continue
        for field in dataclasses.fields(norm):
            a, b = getattr(norm, field.name), getattr(found, field.name)
            assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name
    assert begins(data, rule).tolist() == norm.begin.tolist()
    last = norm.begin[-1] if len(norm) else -1
    assert last_begin(data, rule) == last


@given(TEXT, st.sampled_from(RULES))
def test_spans_of_fields_and_tails_are_the_whole_text(raw, rule):
    data = raw.encode()
    found = fields(data, rule)
    starts, stops = found.start.tolist(), found.stop.tolist()
    tails = [data[a:b] for a, b in zip(*(p.tolist() for p in found.tails()), strict=True)]
    at, back = 0, data[: found.begin[0]] if len(found) else data
    for width, tail in zip(found.width.tolist(), tails, strict=True):
        cells = [data[a:b] for a, b in zip(starts[at : at + width], stops[at:], strict=False)]
        back += rule.delimiter.encode().join(cells) + tail
        at += width
    assert back == data
    if found.ends:
        assert {t.decode() for t in tails[: max(1, len(tails) - 1)]} == {found.ends}


@given(TEXT, st.sampled_from(RULES), st.integers(1, 9), st.booleans())
def test_pieces_are_cut_between_records(raw, rule, size, header):
    data = raw.encode()
    dialect = Dialect(rule.delimiter, header=header, space=rule.space)
    head, *pieces = cutting.pieces(io.BytesIO(data), dialect, size)
    assert head + b"".join(pieces) == data
    assert len(fields(head, rule)) == int(header and len(fields(data, rule)) > 0)
    whole = [row for piece in (head, *pieces) for row in strings(fields(piece, rule))]
    assert whole == csv_texts.records_of(raw, rule.delimiter, rule.space)
    assert all(fields(piece, rule).begin[0] == 0 for piece in pieces)


@given(TEXT, st.sampled_from(RULES), st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_selected_columns_are_read_as_the_same_values(raw, rule, places):
    rows = csv_texts.records_of(raw, rule.delimiter, rule.space)
    written = writing.selected(fields(raw.encode(), rule), places, b"\n").decode()
    back = csv_texts.records_of(written, rule.delimiter, rule.space)
    assert back == [[row[p] if p < len(row) else "" for p in places] for row in rows]


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=5), st.sampled_from(RULES),
       st.sampled_from(ENDS[1:]))  # fmt: skip
def test_written_values_are_read_back(rows, rule, end):
    written = writing.table(rows, rule, end)
    assert csv_texts.records_of(written, rule.delimiter, rule.space) == rows


@given(st.binary(max_size=40), st.sampled_from(encodings.WIDE), st.integers(1, 7))
def test_units_of_every_encoding_come_back(raw, encoding, size):
    class Slow(io.BytesIO):
        def read(self, most=-1):
            return super().read(size if most != 0 else 0)

    try:
        rewritten = encodings.utf8(Slow(raw), encoding).read()
    except encodings.NoTableError:
        assert "32" in encoding or len(raw) % 2
        return
    assert encodings.original(rewritten, encoding) == raw


# ---- laws of archives and detection


def check(hostile, effort, block, folder, rng):
    """What is wrong with the archive of a hostile text, if anything."""
    path = folder / "t.csv"
    path.write_bytes(hostile.data)
    settings = dataclasses.replace(effort, block=block)
    operations.compress(
        path, folder / "t.aez", options=CompressOptions(effort=settings, force=True)
    )
    operations.decompress(folder / "t.aez", folder / "back", force=True)
    assert (folder / "back").read_bytes() == hostile.data
    with Archive(folder / "t.aez") as archive:
        if archive.kind == "bytes":
            assert hostile.kind == "noise" or len(hostile.data) % 4, "a table without a dialect"
            return False
        dialect = sources.open_source(path).dialect
        whole = csv_texts.decoded(hostile.data, dialect.encoding)
        expected = csv_texts.records_of(whole, dialect.delimiter, dialect.space)
        header, rows = expected[:1], expected[1:]
        if not dialect.header:
            header, rows = [], expected

        def read(first, last, wanted=None):
            raw = b"".join(archive.pieces(first, last, wanted))
            if dialect.bom:
                mark = encodings.original(encodings.BOM, dialect.encoding)
                assert raw.startswith(mark)
                raw = raw.removeprefix(mark)
            codec = dialect.encoding
            if codec not in encodings.WIDE:
                # a slice may be UTF-8 where the whole is not
                codec = "utf-8" if csv_texts.is_utf8(hostile.data) else "latin-1"
            part = raw.decode(codec)
            return csv_texts.records_of(part, dialect.delimiter, dialect.space)

        assert len(archive) == len(rows)
        assert read(0, len(rows)) == expected
        for _ in range(2):
            first, last = sorted(rng.randrange(len(rows) + 1) for _ in range(2))
            assert read(first, last) == header + rows[first:last]
        names = archive.content.names(archive)
        known = [name for name in dict.fromkeys(names) if rows or header]
        if known:
            wanted = rng.sample(known, rng.randrange(1, min(len(known), 3) + 1))
            places = [names.index(name) for name in wanted]
            chosen = [[row[p] if p < len(row) else "" for p in places] for row in expected]
            assert read(0, len(rows), wanted) == chosen
            first, last = sorted(rng.randrange(len(rows) + 1) for _ in range(2))
            cut = len(header)
            assert read(first, last, wanted) == chosen[:cut] + chosen[cut + first : cut + last]
    _check_detection(path, rows)
    return True


def _check_detection(path, rows):
    """Detection sees the same records, or says why it sees none."""
    try:
        batches = list(sources.open_source(path).batches())
    except DataError:
        return
    seen = [list(r) for b in batches for r in zip(*(v.strings() for v in b.values), strict=True)]
    assert seen == rows


def run_grammar(seeds, effort, folder):
    tables = 0
    for seed in seeds:
        rng = random.Random(seed)
        hostile = csv_texts.draw(seed)
        block = max(rng.choice([64, 300, 2000, 1 << 20]), len(hostile.data) // 20)
        try:
            tables += check(hostile, effort, block, folder, rng)
        except Exception as error:
            raise AssertionError(f"seed {seed}, block {block}: {hostile.data[:300]!r}") from error
    return tables


@pytest.mark.parametrize("effort", EFFORTS)
def test_hostile_texts(effort, tmp_path):
    count = 100
    tables = run_grammar(range(count), EFFORTS[effort], tmp_path)
    assert tables > 0.8 * count


def test_hostile_texts_without_the_kernel(monkeypatch, tmp_path):
    monkeypatch.setattr(kernel, "C", None)
    run_grammar(range(40), planning.FAST, tmp_path)
