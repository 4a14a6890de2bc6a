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
from aetool.data import sources, writers
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
    # a byte that is not read yet is no more than a hint, whatever it is
    if len(data) > 1:
        assert last_begin(data[:-1], rule, data[-1:]) == last


def test_fields_that_become_many_behind_a_long_beginning():
    data = b"a" * (1 << 17) + b"\n" + b"1,2,3\n" * 50_000
    found = fields(data, Rule())
    assert len(found) == 50_001 and len(found.start) == 150_001
    assert found.records()[-1] == [b"1", b"2", b"3"]


@given(TEXT, st.sampled_from(RULES), st.sampled_from([b"", b"a", b",", b'"', b"\n", b"\r"]))
def test_the_byte_behind_a_text_tells_whether_its_last_record_has_ended(raw, rule, following):
    data = raw.encode()
    places = by_loop(data + following, rule).begin.tolist()
    # where nothing stands before the last record, nothing can be cut off
    assert max(last_begin(data, rule, following), 0) == max([0, *places])


@given(TEXT, st.sampled_from(RULES), st.data())
def test_records_can_be_left_out_and_last_fields(raw, rule, data):
    found = fields(raw.encode(), rule)
    rows, columns = strings(found), {0}
    chosen = np.array([data.draw(st.booleans()) for _ in rows], np.bool_)
    for part, expected in (
        (found.only(chosen), [r for r, c in zip(rows, chosen, strict=True) if c]),
        (found.without_last(chosen), [r[:-1] if c else r for r, c in zip(rows, chosen, strict=True)]),
    ):  # fmt: skip
        assert strings(part) == expected
        columns = {len(row) for row in expected}
        assert part.columns == (columns.pop() if len(columns) == 1 else 0)


@pytest.mark.parametrize("text,decided", [
    (b'"a","b"\n"c","d"\n', True),
    (b'"a,b","""c"""\n', True),
    (b'"a",b"c,",d\n', False),  # only the first, or only every third, quote is at an edge
    (b'"a","b",c"d,"\n', False),
    (b'"a"b,"c","d"\n', False),
    (b'"a","b"c,"d"\n', False),
    (b'"a","b","c"d\n', False),
    (b'"a","b\n', False),
])  # fmt: skip
def test_arrays_cut_where_every_quote_is_at_an_edge(text, decided):
    found = by_arrays(text, Rule())
    assert (found is not None) == decided
    if found is not None:
        assert strings(found) == csv_texts.records_of(text.decode(), ",", False)


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
        table = csv_texts.behind_lines(whole, dialect.preamble)
        expected = csv_texts.records_of(table, dialect.delimiter, dialect.space)
        above = int(dialect.header) + dialect.below
        header, rows = expected[:above], expected[above:]

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
            if wanted is None:
                part = csv_texts.behind_lines(part, dialect.preamble)
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
            if header and (dialect.preamble or dialect.below or dialect.edge or dialect.comment):
                header, chosen = [wanted], [wanted, *chosen[above:]]
            assert read(0, len(rows), wanted) == chosen
            first, last = sorted(rng.randrange(len(rows) + 1) for _ in range(2))
            cut = len(header)
            assert read(first, last, wanted) == chosen[:cut] + chosen[cut + first : cut + last]
    seen = csv_texts.as_detected(hostile.data, dialect.encoding)
    table = csv_texts.behind_lines(seen, dialect.preamble)
    records = csv_texts.records_of(table, dialect.delimiter, dialect.space)
    _check_detection(path, records[above:], dialect)
    return True


def _check_detection(path, rows, dialect):
    """Detection sees the same records, or says why it sees none, and what it leaves out."""
    told = []
    source = sources.open_source(path)
    source.tell = told.append
    try:
        batches = list(source.batches())
    except DataError:
        return
    seen = [list(r) for b in batches for r in zip(*(v.strings() for v in b.values), strict=True)]
    columns = len(batches[0].names) if batches else 0
    records = iter(rows)
    for row in seen:
        record = next(records)
        while dialect.comment and record[:columns] != row:
            assert record[0].startswith(dialect.comment), record
            record = next(records)
        assert row == record[:columns]
        assert record[columns:] in ([], [""])
    left_out = list(records)
    assert all(len(r) < columns or r[0].startswith(dialect.comment or "#") for r in left_out)
    assert not left_out or any("not of the table" in t or "left out" in t for t in told)


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


@pytest.mark.parametrize("count", [15, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("effort", EFFORTS)
def test_hostile_texts(effort, count, tmp_path):
    tables = run_grammar(range(count), EFFORTS[effort], tmp_path)
    assert tables > 0.8 * count


# without the kernel a text takes seconds: the fast set has the first two of them
@pytest.mark.parametrize("count", [2, pytest.param(40, marks=pytest.mark.long)])
def test_hostile_texts_without_the_kernel(count, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel, "C", None)
    run_grammar(range(count), planning.FAST, tmp_path)


# ---- complaints


def archive_of(raw, folder, **effort):
    """An archive of these bytes, opened."""
    (folder / "t.csv").write_bytes(raw)
    settings = dataclasses.replace(planning.DEFAULT, **effort)
    options = CompressOptions(effort=settings, force=True)
    operations.compress(folder / "t.csv", folder / "t.aez", options=options)
    operations.decompress(folder / "t.aez", folder / "back", force=True)
    assert (folder / "back").read_bytes() == raw
    return Archive(folder / "t.aez")


def rows_of(archive, first, last, wanted=None):
    return b"".join(archive.pieces(first, last, wanted))


def test_inches_are_no_quotes(tmp_path):
    raw = b'screen,price\n19" flat,100\n21" flat,200\n24" flat,300\n27" flat,400\n'
    with archive_of(raw, tmp_path) as archive:
        assert len(archive) == 4
        assert rows_of(archive, 1, 2) == b'screen,price\n21" flat,200\n'
        assert rows_of(archive, 0, 4, ["price"]) == b"price\n100\n200\n300\n400\n"
        assert archive[2:4].values.tolist() == [['24" flat', 300], ['27" flat', 400]]


def test_inches_cost_nothing(tmp_path):
    lines = [f"{i % 40}# flat,{i * 7 % 1000}\n" for i in range(4000)]
    plain = ("screen,price\n" + "".join(lines)).encode()
    sizes = []
    for raw in (plain, plain.replace(b"#", b'"')):
        with archive_of(raw, tmp_path, block=10_000) as archive:
            assert len(archive) == 4000
        sizes.append((tmp_path / "t.aez").stat().st_size)
    assert sizes[1] < 1.02 * sizes[0]


@pytest.mark.parametrize("block", [16, 1 << 20])
@pytest.mark.parametrize("last_end", ["\r", ""])
@pytest.mark.parametrize("header", ["a,b\r", ""])
def test_carriage_returns_alone_end_records(header, last_end, block, tmp_path):
    lines = [f"{i},{i % 7}" for i in range(50)]
    raw = (header + "\r".join(lines) + last_end).encode()
    with archive_of(raw, tmp_path, block=block) as archive:
        assert len(archive) == 50
        assert rows_of(archive, 3, 5) == header.encode() + b"3,3\r4,4\r"


def test_blank_lines_are_no_records_but_come_back(tmp_path):
    raw = b"\n\r\na,b\n\n1,2\n\n\n3,4\r\n5,6\n\n"
    with archive_of(raw, tmp_path) as archive:
        assert len(archive) == 3
        found = csv_texts.records_of(rows_of(archive, 1, 3).decode(), ",", False)
        assert found == [["a", "b"], ["3", "4"], ["5", "6"]]
    (batch,) = sources.open_source(tmp_path / "t.csv").batches()
    assert batch["b"].strings() == ["2", "4", "6"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_records_of_wide_characters(encoding, tmp_path):
    text = 'a,ü\r\n1,"x\r\ny"\r\n2,😀\r\n'
    raw = text.encode(encoding)
    with archive_of(raw, tmp_path, block=16) as archive:
        assert len(archive) == 2
        mark = b"" if encoding[-2:] in ("le", "be") else raw[: len("".encode(encoding))]
        name = archive.format["encoding"]
        assert rows_of(archive, 1, 2) == mark + "a,ü\r\n2,😀\r\n".encode(name)
        assert rows_of(archive, 0, 2, ["ü"]) == mark + 'ü\r\n"x\r\ny"\r\n😀\r\n'.encode(name)
        assert archive[1:2].values.tolist() == [[2, "😀"]]


def test_a_name_in_latin_1_can_be_asked_for(tmp_path):
    raw = "Größe,b\n1,é\n2,x\n".encode("latin-1")
    with archive_of(raw, tmp_path) as archive:
        assert rows_of(archive, 0, 2, ["Größe"]) == "Größe\n1\n2\n".encode("latin-1")
        assert archive[0:2].values.tolist() == [[1, "é"], [2, "x"]]


def test_a_zero_in_a_cell_is_a_character(tmp_path):
    raw = b"a,b\n1,x\0y\n2,z\n"
    with archive_of(raw, tmp_path) as archive:
        assert len(archive) == 2 and rows_of(archive, 0, 1) == b"a,b\n1,x\0y\n"
        assert archive.to_pandas()["b"].tolist() == ["x\0y", "z"]


@pytest.mark.parametrize("size", range(20, 44))
def test_blocks_are_cut_neither_in_quotes_nor_between_cr_and_lf(size, tmp_path):
    record = b'1,"x\r\n,""y"\r\n'
    with archive_of(b"a,b\r\n" + 20 * record, tmp_path, block=size) as archive:
        assert len(archive) == 20 and rows_of(archive, 7, 9) == b"a,b\r\n" + 2 * record
        assert all(block.rows for block in archive.reader.blocks)


def test_ragged_records_have_columns(tmp_path):
    raw = b"a,b,c\n1\n2,x,3,4\n5,,6\n"
    with archive_of(raw, tmp_path) as archive:
        assert len(archive) == 3
        assert rows_of(archive, 0, 3, ["c", "a"]) == b"c,a\n,1\n3,2\n6,5\n"
        assert rows_of(archive, 0, 3, ["b"]) == b'b\n""\nx\n""\n'
        assert archive[1:2].values.tolist() == [[2, "x", 3]]


@pytest.mark.parametrize("raw,reason", [
    (b'a,b\n1,"' + b"x,y\n" * 500, "a quote left open"),
    ("a,b\n".encode("utf-16") + "1,2\n".encode("utf-16-le") * 300 + b"x", "utf-16-le throughout"),
])  # fmt: skip
def test_what_is_no_table_is_kept_as_bytes(raw, reason, monkeypatch, tmp_path):
    monkeypatch.setattr(cutting, "MAX_RECORD", 1000)
    monkeypatch.setattr(encodings, "CHUNK", 64)
    (tmp_path / "t.csv").write_bytes(raw)
    options = CompressOptions(effort=dataclasses.replace(planning.DEFAULT, block=64))
    figures = operations.compress(tmp_path / "t.csv", tmp_path / "t.aez", options=options)
    assert reason in figures["kept"]
    operations.decompress(tmp_path / "t.aez", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == raw


def test_a_file_of_zeros_is_kept_as_bytes(tmp_path):
    raw = bytes(range(256)) * 30
    (tmp_path / "t").write_bytes(raw)
    figures = operations.compress(tmp_path / "t", tmp_path / "t.aez")
    assert "binary file" in figures["kept"]
    with pytest.raises(DataError, match="binary file"):
        operations.detect(tmp_path / "t")


WORD = st.text(alphabet='ab ,"\n\r\t', max_size=4).map("x".__add__)


@given(st.lists(st.lists(WORD, min_size=2, max_size=2), min_size=1, max_size=6),
       st.sampled_from(RULES), st.sampled_from(ENDS[1:]))  # fmt: skip
def test_frames_have_the_values_of_csv_reader(rows, rule, end):
    header = {"header": False, "decimal": ".", "delimiter": rule.delimiter, "space": rule.space}
    raw = writing.table(rows, rule, end).encode()
    assert writers.frame_of_text(raw, header, ["a", "b"]).values.tolist() == rows


@given(TEXT, st.sampled_from(RULES), st.integers(1, 4))
def test_frames_of_any_text_have_its_records(raw, rule, columns):
    names = [f"c{i}" for i in range(columns)]
    format = {"header": False, "decimal": ".", "delimiter": rule.delimiter, "space": rule.space}
    frame = writers.frame_of_text(raw.encode(), format, names)
    expected = csv_texts.records_of(raw, rule.delimiter, rule.space)
    assert frame.shape == (len(expected), columns)
    for row, cells in zip(frame.values.tolist(), expected, strict=True):
        for value, cell in zip(row, [*cells, "", "", "", ""], strict=False):
            assert value == cell if isinstance(value, str) else not cell.strip(' "')


def test_rows_count_from_1_in_detect_and_decompress(run, tmp_path):
    lines = ["a,b\n", *(f"{i % 10}.5,{i % 7}\n" for i in range(200))]
    lines[151] = "9999.5,3\n"
    (tmp_path / "t.csv").write_text("".join(lines))
    given = ("detect", tmp_path / "t.csv", "-p", "pca", "--top", "1", "--format", "csv")
    row = run(*given).out.split()[1]
    number = row.split(",")[0]
    assert number == "151"
    run("compress", tmp_path / "t.csv", "-q")
    back = tmp_path / "t.csv.aez"
    for rows, first, last in ((number, 151, 151), ("101:103", 101, 103), ("199:", 199, 200),
                              (":2", 1, 2)):  # fmt: skip
        out = run("decompress", back, "-c", "--rows", rows).out
        assert out == "".join([lines[0], *lines[first : last + 1]])


def test_a_column_with_a_comma_in_its_name_can_be_asked_for(run, tmp_path):
    (tmp_path / "t.csv").write_text('"q,1",b,"say ""x"""\n1,2,3\n')
    run("compress", tmp_path / "t.csv", "-q")
    command = ["decompress", tmp_path / "t.csv.aez", "-c", "--columns"]
    assert run(*command, '"q,1"').out == '"q,1"\n1\n'
    assert run(*command, 'b,"q,1"').out == 'b,"q,1"\n2,1\n'
    assert run(*command, '"say ""x"""').out == '"say ""x"""\n3\n'
