"""Lines of JSON come back byte for byte, however they are spelled, and small where they are alike."""

import json
import lzma
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aetool
from aetool import operations
from aetool.codec import blocks, jsonlines, planning
from aetool.data.sources import open_source
from aetool.errors import DataError
from aetool.operations import CompressOptions

pytestmark = pytest.mark.usefixtures("fits_once")

ODD = [
    b'{"a": "\\ud800"}', b'{"a": 1, "a": 2}', b'{"a": 1.0}', b'{"a": 1.00, "b": 1e5}', b'{"a":-0}',
    b'{"a": 1E+05, "b": 0.1000}', b'{ "a" : null }', b"", b"  ", b"[1, 2, [3]]", b"7", b"nope",
    b'{"a": {"b": [1, {"b": 2}], "c": "x\\"y: 1"}}', b'{"a": "\xff\xfe"}', b'{"a: ', b'{"a": 1}\r',
    b'{"\xc3\xa9": "\xe2\x82\xac", "b": true}', b'{"a": 123456789012345678901234567890}', b"\0\xff",
]  # fmt: skip
RECORD = st.dictionaries(
    st.sampled_from(["a", "b", "key", 'q"uote', ""]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.lists(st.integers(0, 9), max_size=3), st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2),
    ),
    max_size=4,
)  # fmt: skip
LINE = st.one_of(
    st.sampled_from(ODD),
    RECORD.map(lambda record: json.dumps(record).encode()),
    RECORD.map(lambda record: json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()),
    st.binary(max_size=20),
)  # fmt: skip


def restored(text):
    coded, rows, words = jsonlines.encode(text)
    content, payload, _ = blocks.encode(coded, rows, words, planning.DEFAULT)
    lines = jsonlines.decode(blocks.decode(payload, rows, content), rows)
    assert len(lines) == rows == len(jsonlines.split(text))
    return b"".join(lines)


@settings(max_examples=200)
@given(st.lists(LINE, min_size=1, max_size=30), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_any_lines_come_back(lines, end, ended):
    text = end.join(lines) + (end if ended else b"")
    if text:
        assert restored(text) == text


@settings(max_examples=25)
@given(st.lists(RECORD, min_size=1, max_size=4))
def test_lines_that_are_alike_are_columns(records):
    text = b"".join(json.dumps(record).encode() + b"\n" for record in records * 20)
    assert "frames" in jsonlines.encode(text)[2] and restored(text) == text


def test_values_of_one_key_are_one_column():
    frame, values = jsonlines.cut(b'{"x1": {"y": 5, "s": "a: 1"}, "l": [1, 2], "y": null}\n')
    assert values == [b"5", b'"a: 1"', b"1", b"2", b"null"]
    assert b"".join(part + value for part, value in zip(frame, [*values, b""], strict=True)) == (
        b'{"x1": {"y": 5, "s": "a: 1"}, "l": [1, 2], "y": null}\n'
    )
    names = [(key.rstrip(b":"), count) for key, count in jsonlines.columns_of(frame)]
    assert names == [(b'"y"', 0), (b'"s"', 0), (b'"l"', 0), (b'"l"', 1), (b'"y"', 1)]


def test_a_text_keeps_an_escaped_quote_at_its_end():
    line = b'{"a\\"": "say \\"hi\\"", "b": ""}\n'
    assert jsonlines.values_by_key(line) == {'a\\"': ['say \\"hi\\"'], "b": [""]}


@pytest.fixture
def lines(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "t.jsonl"
    with path.open("w", newline="") as file:
        for i in range(3000):
            record = {"id": i, "v": round(float(rng.normal()), 2), "w": ["up", "down"][i % 2]}
            if i % 7 == 0:
                record["note"] = f"note {i % 13}"
            file.write(json.dumps(record) + "\n")
        file.write('{"id": 1.50, "v": "\\ud800", "v": 1}')
    return path


def test_a_file_of_lines(lines, tmp_path, run):
    facts = operations.compress(lines, tmp_path / "t.aez")
    assert facts["fidelity"] == "lossless" and facts["rows"] == 3001
    assert facts["archive_bytes"] < 0.5 * len(lzma.compress(lines.read_bytes(), preset=9))
    assert run("decompress", tmp_path / "t.aez", "-o", tmp_path / "o.jsonl").status == 0
    assert (tmp_path / "o.jsonl").read_bytes() == lines.read_bytes()
    with aetool.open(tmp_path / "t.aez") as archive:
        whole = archive.to_pandas()
        assert list(whole["id"][:3]) == [0, 1, 2] and whole["note"].notna().sum() == 429
        assert archive[5:8]["w"].tolist() == ["down", "up", "down"]
    operations.decompress(tmp_path / "t.aez", tmp_path / "w", columns=["w", "id"], rows=(0, 2))
    assert (tmp_path / "w").read_text() == '{"w": "up", "id": 0}\n{"w": "down", "id": 1}\n'


def test_a_bound_is_refused_in_one_line(lines, run):
    done = run("compress", lines, "--max-error", "1")
    assert done.status == 2 and done.err.count("\n") == 1 and "--max-error is for" in done.err
    options = CompressOptions(keep_files=True, force=True)
    facts = operations.compress(lines, lines.with_suffix(".aez"), options=options)
    assert facts["fidelity"] == "bytes (kept file)"


# ---- keys that come twice

TWICE = b'{"a": 1, "b": 2, "a": 3}\n'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.jsonl", b'{"a": 1, "b": 2}\n\n' + TWICE, "line 3 has the key 'a' twice in one object"),
        ("t.jsonl", b'{"a": {"x": 1, "x": 1}}\n', "line 1 has the key 'x' twice in one object"),
        ("t.json", b'[{"a": 1, "b": 2, "b": 3}]', "t.json: has the key 'b' twice in one object"),
        ("t.json", b'{"a": [1, 2], "a": [3, 4]}', "t.json: has the key 'a' twice in one object"),
    ],
)
def test_no_value_of_a_key_that_comes_twice_is_lost_in_silence(tmp_path, run, name, text, said):
    path = tmp_path / name
    path.write_bytes(text)
    for command in ("detect", "fit"):
        done = run(command, path)
        assert done.status == 2 and said in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_a_file_with_a_key_twice_is_stored_byte_for_byte(tmp_path, name):
    path, archive = tmp_path / name, tmp_path / "t.aez"
    path.write_bytes(TWICE * 30 if name == "t.jsonl" else b"[" + TWICE.strip() + b"]\n")
    assert aetool.compress(path, archive)["fidelity"] == "lossless"
    aetool.decompress(archive, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


def test_records_of_an_archive_name_the_line_with_a_key_twice(tmp_path, caplog):
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_bytes(b'{"a": 1, "b": 2}\n' * 20 + TWICE * 2)
    aetool.compress(path, archive)
    said = r"of the key 'a', .* twice .* the last value is read: \{\"a\": 1, \"b\": 2, \"a\": 3\}$"
    for columns in (None, ["b"]):
        with aetool.open(archive, columns=columns) as opened:
            caplog.clear()
            assert list(opened[:20]["b"]) == [2] * 20
            assert not caplog.messages, "these lines are as usual"
            frame = opened.to_pandas()
            (warning,) = caplog.messages
            assert re.search(said, warning), warning
            assert list(frame["b"]) == [2] * 22
            assert columns or list(frame["a"]) == [1] * 20 + [3, 3]
    path.write_bytes(TWICE * 2)
    aetool.compress(path, archive, force=True)
    with aetool.open(archive) as opened:
        assert opened.content.names(opened) == ["a", "b"], "names need no values"


def test_chosen_columns_are_those_of_the_whole_frame(tmp_path):
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_bytes(b'{"a": 1, "b": "x", "c": null}\n{"b": "y"}\n\n{"c": 2.5, "a": 7}\n')
    aetool.compress(path, archive)
    with aetool.open(archive) as opened:
        every = opened.to_pandas()
    with aetool.open(archive, columns=["c", "a"]) as opened:
        pd.testing.assert_frame_equal(opened.to_pandas(), every[["c", "a"]])


def test_blank_lines_stay_where_columns_are_chosen(tmp_path, run):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'\n  \n{"a": 1, "b": 2}\n\n{"a": 3, "b": 4}\n')
    aetool.compress(path, tmp_path / "t.aez")
    out = aetool.decompress(tmp_path / "t.aez", tmp_path / "o.jsonl", columns=["b"])
    assert out.read_bytes() == b'\n  \n{"b": 2}\n\n{"b": 4}\n'
    with aetool.open(tmp_path / "t.aez", columns=["b"]) as opened:
        assert opened.to_pandas()["b"].tolist() == [2, 4]


@pytest.mark.parametrize("blank", [1, 16, 40])
def test_names_are_those_of_the_first_record_behind_blank_lines(tmp_path, blank):
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_bytes(b"\n" * blank + b'{"a": 1, "b": 2}\n' * 3)
    aetool.compress(path, archive)
    with aetool.open(archive, columns=["b"]) as opened:
        assert opened.content.names(opened) == ["a", "b"]
        assert opened.to_pandas()["b"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": "\xff"}', 'has byte 0xff, which is not UTF-8: {"a": "\ufffd"}'),
        (b'{"a": 1', "is not JSON (Expecting ',' delimiter): {\"a\": 1"),
    ],
)
def test_a_line_of_an_archive_that_is_no_json_is_shown(tmp_path, line, said):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": 1}\n' * 9 + line + b"\n")
    archive = tmp_path / "t.aez"
    aetool.compress(path, archive)
    with aetool.open(archive) as opened:
        ways = (
            lambda: aetool.decompress(archive, tmp_path / "part.jsonl", columns=["a"]),
            opened.to_pandas,
        )
        for way in ways:
            with pytest.raises(DataError) as error:
                way()
            assert str(error.value) == (
                f"{archive}: line 10 {said}; decompress the file, mend that line, and compress it "
                "again"
            )
        # the lines before it are to be had, and all of them as they are
        assert len(opened[:9]) == 9
    assert aetool.decompress(archive, tmp_path / "b.jsonl").read_bytes() == path.read_bytes()


def objects(count):
    return [{"a": i, "b": round(i * 0.37 % 5, 2), "c": "xyz"[i % 3]} for i in range(count)]


@pytest.mark.parametrize(
    ("first", "between", "last"),
    [
        ("[\n", ",\n", "\n]\n"),
        ("[", ",\n", "]\n"),
        ("[\n  ", "\n, ", "\n]"),
        ("[\n\n", "\n,\n", "\n]\n"),
    ],
)
def test_a_list_written_an_object_a_line_is_read_as_records(tmp_path, run, first, between, last):
    records = objects(300)
    text = first + between.join(json.dumps(record) for record in records) + last
    path, archive = tmp_path / "t.json", tmp_path / "t.aez"
    path.write_text(text, encoding="utf-8")
    aetool.compress(path, archive)
    with aetool.open(archive) as opened:
        assert opened.to_pandas().to_dict("records") == records
    with aetool.open(archive, columns=["b"]) as opened:
        assert opened.to_pandas()["b"].tolist() == [record["b"] for record in records]
    told = json.loads(run("info", archive, "--json").out)
    around = text.count("\n") + (not text.endswith("\n")) - 300
    assert told["rows"] == 300 + around and told.get("records", 300) == 300
    assert ("records" in told) == bool(around) and "note" not in told
    done = run("detect", archive, "--all", "--json")
    assert json.loads(done.out)["total"] == 300 and "lines of text" not in done.err
    lines = text.split("\n")
    rows = [record["row"] for record in json.loads(done.out)["records"]]
    assert all("{" in lines[row - 1] for row in rows) and len(set(rows)) == 300


@pytest.mark.parametrize("indent", [1, 4, None])
def test_rows_of_a_document_are_said_to_be_lines(tmp_path, run, indent):
    path, archive = tmp_path / "t.json", tmp_path / "t.aez"
    path.write_text(json.dumps(objects(60), indent=indent), encoding="utf-8")
    aetool.compress(path, archive)
    way_out = "compress a file with an object {...} on each line (JSON lines)"
    done = run("info", archive)
    assert done.status == 0 and way_out in done.out
    done = run("detect", archive, "--top", 1)
    assert done.status == 0 and way_out in done.err
    with pytest.raises(aetool.AetoolError, match=r"line [12]\b.*\(JSON lines\)"):
        aetool.open(archive, columns=["a"])
    assert aetool.decompress(archive, tmp_path / "back").read_bytes() == path.read_bytes()


def test_blank_lines_are_no_records_of_an_archive(tmp_path, run):
    lines = [json.dumps(record) for record in objects(300)]
    for place in (250, 120, 7):
        lines.insert(place, "  " if place == 120 else "")
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    aetool.compress(path, archive)
    told = json.loads(run("info", archive, "--json").out)
    assert (told["rows"], told["records"]) == (303, 300)
    found = json.loads(run("detect", archive, "--all", "--json").out)
    rows = [record["row"] for record in found["records"]]
    assert found["total"] == 300 and set(range(1, 304)) - set(rows) == {8, 122, 253}


@pytest.mark.parametrize("columns", [None, ["b"]])
def test_a_line_that_is_no_json_is_named_by_its_number(tmp_path, columns):
    lines = [json.dumps(record) for record in objects(300)]
    lines[150] = "{bad"
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    aetool.compress(path, archive)
    with aetool.open(archive, columns=columns) as opened:
        for slices in (slice(0, 300), slice(140, 160)):
            with pytest.raises(aetool.AetoolError, match=r"t\.aez: line 151 is not JSON \(") as why:
                opened[slices]
            assert "line 1 " not in str(why.value)
    with pytest.raises(aetool.AetoolError, match="line 151 is not JSON"):
        aetool.decompress(archive, tmp_path / "o.jsonl", columns=["b"], rows=(100, 200))


def test_a_key_twice_is_told_once_however_often_lines_are_read(tmp_path, caplog):
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_bytes(b'{"a": 1, "n": {"k": 1, "k": 2}}\n' * 20)
    aetool.compress(path, archive)
    with aetool.open(archive) as opened:
        assert opened[:3]["n"].tolist() == [{"k": 2}] * 3
        assert opened[2:9]["n"].tolist() == [{"k": 2}] * 7
    (warning,) = caplog.messages
    assert "of the key 'k', which comes twice in one object" in warning


HALVES = (
    b'{"a": 1, "\\udc00": 3}\n{"a": "x\\ud83d", "\\udc00": [1, {"k\\ud800": "\\ud800"}]}\n',
    # as some programs write them, in what is no UTF-8
    b'{"a": 1, "\xed\xb0\x80": 3}\n{"a": "x\xed\xa0\xbd", "\xed\xb0\x80": [1, {"k": "\xed\xa0\x80"}]}\n',
    b'[\n{"a": 1, "\\udc00": 3},\n{"a": "x\\ud83d", "\\udc00": 5}\n]\n',
)


@pytest.mark.parametrize("text", HALVES)
def test_halves_of_surrogate_pairs_are_read_as_detection_reads_them(tmp_path, run, text):
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_bytes(text)
    aetool.compress(path, archive)
    with aetool.open(archive) as opened:
        frame = opened.to_pandas()
        assert list(frame.columns) == ["a", "\ufffd"]
        assert frame["a"].tolist() == [1, "x\ufffd"]
        assert not re.search("[\ud800-\udfff]", str(frame["\ufffd"].tolist()))
    # whoever names columns has them still as they are
    done = run("decompress", archive, "--columns", "a", "-o", tmp_path / "a.jsonl")
    assert done.status == 0
    lines = (tmp_path / "a.jsonl").read_bytes().split(b"\n")
    # of a list commas stand behind
    records = [line.removesuffix(b",") for line in lines if line.startswith(b"{")]
    assert records[0] == b'{"a": 1}' and records[1] == b'{"a": "x\\ud83d"}'
    done = run("decompress", archive, "--columns", "\ufffd", "-o", tmp_path / "b.jsonl")
    assert b'{"\\udc00": 3}' in (tmp_path / "b.jsonl").read_bytes()
    assert aetool.decompress(archive, tmp_path / "back").read_bytes() == text


@pytest.mark.parametrize("text", ["[\n{},\n{}\n]\n", "[{},\n{}]", "{}\n{}\n", "\n{}\n{}\n"])
def test_behind_a_byte_order_mark_the_records_are_the_same(tmp_path, run, text):
    told = []
    for mark in (b"", b"\xef\xbb\xbf"):
        path, archive = tmp_path / "t.json", tmp_path / f"{len(mark)}.aez"
        path.write_bytes(mark + text.replace("{}", '{"a": 1, "b": "x"}').encode())
        aetool.compress(path, archive)
        with aetool.open(archive) as opened:
            assert opened.to_pandas().to_dict("records") == [{"a": 1, "b": "x"}] * 2
            assert opened.content.names(opened) == ["a", "b"]
        described = json.loads(run("info", archive, "--json").out)
        told.append((described["rows"], described.get("records", described["rows"])))
        assert "note" not in described
        found = json.loads(run("detect", archive, "--all", "--json").out)
        assert found["total"] == 2
        assert (
            aetool.decompress(archive, tmp_path / f"{len(mark)}.back").read_bytes()
            == path.read_bytes()
        )
    assert told[0] == told[1] and told[0][1] == 2


def test_an_empty_list_holds_no_records(tmp_path, run):
    path, archive = tmp_path / "t.json", tmp_path / "t.aez"
    path.write_bytes(b"[]\n")
    aetool.compress(path, archive)
    told = json.loads(run("info", archive, "--json").out)
    assert (told["rows"], told["records"]) == (1, 0)
    assert json.loads(run("detect", archive, "--all", "--json").out)["total"] == 0
    assert aetool.decompress(archive, tmp_path / "back").read_bytes() == b"[]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # a list, and lines that end in CR alone: no line of them is to be mended
        (b'[{"a":1},{"a":2}\n,{"a":3}]', "line 1 has several objects"),
        (b'{"a":1},{"a":2},\n{"a":3}', "line 1 has several objects"),
        (b'{"a":1}\r{"a":2}\r', "line 1 has several objects"),
    ],
)
def test_several_objects_on_a_line_are_no_line_to_mend(tmp_path, text, said):
    path, archive = tmp_path / "t.json", tmp_path / "t.aez"
    path.write_bytes(text)
    aetool.compress(path, archive)
    with aetool.open(archive) as opened, pytest.raises(DataError) as error:
        opened.to_pandas()
    assert said in str(error.value) and "mend that line" not in str(error.value)
    assert "compress a file with an object {...} on each line" in str(error.value)


TOO_LARGE = {
    "digits": (b'{"a": 1' + b"0" * 5000 + b"}", "has a whole number of more than 4,300 digits"),
    "deep": (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested too deeply to be read"),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_json_that_is_too_large_to_read_is_not_said_to_be_none(tmp_path, case):
    line, said = TOO_LARGE[case]
    path, archive = tmp_path / "t.jsonl", tmp_path / "t.aez"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")
    aetool.compress(path, archive)
    with aetool.open(archive) as opened, pytest.raises(DataError) as error:
        opened.to_pandas()
    assert f"t.aez: line 2 {said}" in str(error.value)
    assert "set_int_max_str_digits" not in str(error.value)
    with pytest.raises(DataError, match=f"t.jsonl: line 2 {said}.*; mend that line$"):
        list(open_source(path).batches())
    document = tmp_path / "t.json"
    document.write_bytes(b"[" + line + b"]")
    with pytest.raises(DataError, match=f"t.json: {said}"):
        list(open_source(document).batches())


@pytest.mark.parametrize(
    ("first", "between", "last"),
    [
        ("[\n", ",\n", "\n]\n"),
        ("[", ",\n", "]\n"),
        ("[\n  ", "\n, ", "\n]"),
        ("\n[\n\n", "\n,\n", "\n]\n"),
    ],
)
def test_columns_of_a_list_are_a_list(tmp_path, first, between, last):
    records = [{"a": place, "b": "}, {[", "c": {"d": [place]}} for place in range(300)]
    path, archive = tmp_path / "t.json", tmp_path / "t.aez"
    path.write_text(first + between.join(map(json.dumps, records)) + last, encoding="utf-8")
    aetool.compress(path, archive)
    for columns in (["a"], ["c", "b"]):
        expected = [{name: record[name] for name in columns} for record in records]
        out = aetool.decompress(archive, tmp_path / "whole.json", columns=columns, force=True)
        assert json.loads(out.read_text("utf-8")) == expected
        # a part of a list has records a line, without brackets and commas
        part = aetool.decompress(
            archive, tmp_path / "part.jsonl", columns=columns, rows=(20, 30), force=True
        )
        lines = [json.loads(line) for line in part.read_text("utf-8").splitlines() if line.strip()]
        assert 4 <= len(lines) <= 10 and lines[0] in expected
        begin = expected.index(lines[0])
        assert lines == expected[begin : begin + len(lines)]


def test_lists_under_one_index_are_records_a_line(tmp_path, run):
    folder = tmp_path / "days"
    folder.mkdir()
    for day in range(3):
        records = [json.dumps({"x": 10 * day + place, "y": 1}) for place in range(5)]
        (folder / f"{day}.jsonl").write_text("[\n" + ",\n".join(records) + "\n]\n")
    aetool.compress(folder, tmp_path / "days.aez", parts=True)
    told = json.loads(run("info", tmp_path / "days.aez", "--json").out)
    assert (told["rows"], told["records"]) == (21, 15)
    done = run("detect", tmp_path / "days.aez", "--all", "--json")
    assert json.loads(done.out)["total"] == 15
    part = aetool.decompress(tmp_path / "days.aez", tmp_path / "x.jsonl", columns=["x"])
    lines = [json.loads(line) for line in part.read_text("utf-8").splitlines()]
    assert lines == [{"x": 10 * day + place} for day in range(3) for place in range(5)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("is_document", [True, False])
def test_json_in_wide_characters_is_told_by_its_encoding(tmp_path, run, encoding, is_document):
    text = "".join(f'{{"a": {place}}}\n' for place in range(20))
    if is_document:
        text = "[" + text.replace("\n", ", ")[:-2] + "]"
    path = tmp_path / ("t.json" if is_document else "t.jsonl")
    path.write_bytes(text.encode(encoding))
    done = run("detect", path, "--top", "1")
    said = f"{path}: is {encoding.upper()}, and JSON is UTF-8; save the whole file as UTF-8"
    assert (done.status, done.err.strip()) == (2, f"aetool: error: {said}")
    # its bytes are stored all the same
    aetool.compress(path, tmp_path / "t.aez")
    back = aetool.decompress(tmp_path / "t.aez", tmp_path / "back")
    assert back.read_bytes() == path.read_bytes()
