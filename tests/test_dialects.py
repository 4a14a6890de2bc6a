"""How a table is written is told from its text, or by options, and what is unusual is said."""

import json

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import bundle as bundles
from aetool.csv.dialect import Reading
from aetool.csv.header import has_header
from aetool.csv.sniffing import sniff
from aetool.data import sources
from aetool.errors import DataError, ParamError
from tests.sweeps import one_in

pytestmark = pytest.mark.usefixtures("fits_once")


def read(path, said=None, known=None):
    """(names, rows of cells, notices) of a text table."""
    reading = Reading(**(said or {}))
    source = sources.open_source(sources.TextPath(path, reading), known or Reading())
    notices = []
    source.tell = notices.append
    batches = list(source.batches())
    rows = [list(r) for b in batches for r in zip(*(v.strings() for v in b.values), strict=True)]
    return list(batches[0].names), rows, notices


def of_text(tmp_path, text, **said):
    path = tmp_path / "t.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, said)


NUMBERS = "".join(f"{i}.5,{i * i},{'xy'[i % 2]}\n" for i in range(8))
ROWS = [[f"{i}.5", f"{i * i}", "xy"[i % 2]] for i in range(8)]
UNNAMED = ["c1", "c2", "c3"]
NAMED = ["a", "b", "c"]
WORDS = "AFG AND AUT BDI CHE DEU ESP FIN GBR HUN".split()
TABLES = {
    "plain": ("a,b,c\n" + NUMBERS, NAMED, ROWS, []),
    "no header": (NUMBERS, UNNAMED, ROWS, ["no header"]),
    "a gap first": ("?,?,x\n" + NUMBERS, UNNAMED, [["?", "?", "x"], *ROWS], ["no header"]),
    "blanks": ("a  b   c\n" + NUMBERS.replace(",", "   "), NAMED, ROWS, []),
    "blanks around": (
        " a b c \n" + "".join(f"  {line} \n" for line in NUMBERS.replace(",", " ").splitlines()),
        NAMED, ROWS, [],
    ),
    "tabs": ("a\tb\tc\n" + NUMBERS.replace(",", "\t"), NAMED, ROWS, []),
    "bars": ("a|b|c\n" + NUMBERS.replace(",", "|"), NAMED, ROWS, []),
    "sep": ("sep=;\na;b;c\n" + NUMBERS.replace(",", ";"), NAMED, ROWS, ["the first line"]),
    "a title": ("Plant 7\n\na,b,c\n" + NUMBERS, NAMED, ROWS, ["the first line"]),
    "comments": ("# plant 7\n# 2024\na,b,c\n" + NUMBERS, NAMED, ROWS, ["the first 2 lines"]),
    "percent": ("% plant 7\n%\n" + NUMBERS, UNNAMED, ROWS, ["the first 2 lines", "no header"]),
    "slashes": ("// plant 7\na,b,c\n" + NUMBERS, NAMED, ROWS, ["the first line"]),
    "names in a comment": ("# a,b,c\n" + NUMBERS, NAMED, ROWS, []),
    "names in a comment, blanks": ("# a b c\n" + NUMBERS.replace(",", " "), NAMED, ROWS, []),
    "names behind a marker": ("#a,b,c\n" + NUMBERS, NAMED, ROWS, []),
    "a marker that is data": (
        "#1,2.5\n#2,2.7\n#3,2.2\n", ["c1", "c2"], [["#1", "2.5"], ["#2", "2.7"], ["#3", "2.2"]],
        ["no header"],
    ),
    "comments inside": ("# z\na,b,c\n# y\n" + NUMBERS + "# x\n", NAMED, ROWS, ["the first line", "2 lines are left out"]),
    "units": ("a,b,c\ndegC,m/s,\n" + NUMBERS, NAMED, ROWS, ["under the header"]),
    "names under names of groups": (
        "a,b,c\nfront,rear,x\n" + NUMBERS, NAMED, [["front", "rear", "x"], *ROWS],
        ["line 2 has words over columns of numbers and is read as a record"],
    ),
    "one word over numbers": (
        "a,b,c\nfront,1,x\n" + NUMBERS, NAMED, [["front", "1", "x"], *ROWS], [],
    ),
    "units in brackets": ("a,b,c\n[V],[mA],-\n" + NUMBERS, NAMED, ROWS, ["under the header"]),
    "no units": ("a,b,c\nERR,ERR,x\n" + NUMBERS, NAMED, [["ERR", "ERR", "x"], *ROWS], []),
    "a drawn line": ("a|b|c\n---+---+---\n" + NUMBERS.replace(",", "|") + "(8 rows)\n", NAMED, ROWS,
                     ["under the header", "the last line"]),
    "a box": (
        "| a | b | c |\n|--:|--:|:--|\n" + "".join(f"| {a} | {b}  | {c} |\n" for a, b, c in ROWS),
        NAMED, ROWS, ["under the header"],
    ),
    "a box of a database": (
        "+-----+----+---+\n| a   | b  | c |\n+-----+----+---+\n"
        + "".join(f"| {a:3} | {b:2} | {c:1} |\n" for a, b, c in ROWS)
        + "+-----+----+---+\n8 rows in set (0.01 sec)\n",
        NAMED, ROWS, ["the first line", "under the header", "the last line"],
    ),
    "a grid": (
        "+-----+----+---+\n| a   | b  | c |\n+=====+====+===+\n"
        + "".join(f"| {a:3} | {b:2} | {c:1} |\n+-----+----+---+\n" for a, b, c in ROWS),
        NAMED, ROWS, ["the first line", "under the header"],
    ),
    "a box without names": (
        "".join(f"|{a}|{b}|{c}|\n" for a, b, c in ROWS), UNNAMED, ROWS, ["no header"],
    ),
    "gaps in a box": (
        "| a | b | c |\n|---|---|---|\n" + "".join(f"| {a} | {b} | {c} |\n" for a, b, c in ROWS)
        + "| -- | -- | -- |\n| 5.5 | 7 | x |\n",
        NAMED, [*ROWS, ["--", "--", "--"], ["5.5", "7", "x"]], ["under the header"],
    ),
    "filled up with blanks": (
        " c     | a  \n-------+-----\n" + "".join(f" {c:5} | {a:3}\n" for a, b, c in ROWS) + "(8 rows)\n",
        ["c", "a"], [[c, a] for a, b, c in ROWS], ["under the header", "the last line"],
    ),
    "a footer": ("a,b,c\n" + NUMBERS + "(8 rows affected)\n", NAMED, ROWS, ["the last line"]),
    "a header again": ("a,b,c\n" + NUMBERS + "a,b,c\n" + NUMBERS, NAMED, [*ROWS, NAMED, *ROWS], []),
    "a mark of the end": ("a,b,c\n" + NUMBERS + "\x1a", NAMED, ROWS, []),
    "marks behind the last record": ("a,b,c\n" + NUMBERS.strip() + "\x1a\x1a", NAMED, ROWS, []),
    "a mark of the end under one column": ("a\n1\n2\n\x1a", ["a"], [["1"], ["2"]], []),
    "a mark that is none": ("a,b\n1,x\x1a\n2,y\n", ["a", "b"], [["1", "x\x1a"], ["2", "y"]], []),
    "names twice": ("a,b,a\n" + NUMBERS, ["a", "b", "a.2"], ROWS, ["column 'a' is there 2 times"]),
    "names like those of others": ("a,a.2,a\n" + NUMBERS, ["a", "a.2", "a.3"], ROWS, ["2 times"]),
    "a name missing": ("a,,c\n" + NUMBERS, ["a", "column2", "c"], ROWS, []),
    "row names": ('"b" "c"\n' + NUMBERS.replace(",", " "), ["row.names", "b", "c"], ROWS, []),
    "a delimiter at the end": ("a,b,c\n" + NUMBERS.replace("\n", ",\n"), NAMED, ROWS, []),
    "a delimiter at the header's end": ("a,b,c,\n" + NUMBERS, NAMED, ROWS, []),
    "a date and a time": (
        "n when\n" + "".join(f"{i} 2024-01-0{i} 12:0{i}\n" for i in range(1, 9)),
        ["n", "when", "when.2"], [[f"{i}", f"2024-01-0{i}", f"12:0{i}"] for i in range(1, 9)],
        ["column 'when' is there 2 times"],
    ),
    "years for names": ("land,2019,2020\n" + "".join(f"l{i},{i},{i}.5\n" for i in range(8)),
                        ["land", "2019", "2020"], [[f"l{i}", f"{i}", f"{i}.5"] for i in range(8)], []),
    "years for names, some left out, beside words all different": (
        "land,1850,1880,1900,1910\n"
        + "".join(f"{w},{i},{i + 7},{i * 3},{i % 5}.5\n" for i, w in enumerate(WORDS)),
        ["land", "1850", "1880", "1900", "1910"],
        [[w, f"{i}", f"{i + 7}", f"{i * 3}", f"{i % 5}.5"] for i, w in enumerate(WORDS)], [],
    ),
    "years in all rows": (
        "".join(f"{w},{1900 + i},{1910 + i},{1950 + i}\n" for i, w in enumerate(WORDS)),
        ["c1", "c2", "c3", "c4"],
        [[w, f"{1900 + i}", f"{1910 + i}", f"{1950 + i}"] for i, w in enumerate(WORDS)],
        ["no header"],
    ),
    "figures for names, quoted": (
        '"","142.5","144"\n' + "".join(f'"{i}.5",{i},{i % 3}\n' for i in range(8)),
        ["column1", "142.5", "144"], [[f"{i}.5", f"{i}", f"{i % 3}"] for i in range(8)], [],
    ),
    "figures for names, with blanks": (
        '"15-24 (79)" "25-34 (79)" "35-44 (79)"\n' + "".join(f'"of {i}" {i} {i + 1} 7\n' for i in range(8)),
        ["row.names", "15-24 (79)", "25-34 (79)", "35-44 (79)"],
        [[f"of {i}", f"{i}", f"{i + 1}", "7"] for i in range(8)], [],
    ),
    "figures for names, not quoted": (
        "142.5,144\n" + "".join(f'"{i}","{i % 3}"\n' for i in range(8)),
        ["142.5", "144"], [[f"{i}", f"{i % 3}"] for i in range(8)], [],
    ),
    "thousands in the first record": (
        '"2,001","1,142"\n' + "".join(f"{900 - i},{i % 3}\n" for i in range(8)),
        ["c1", "c2"], [["2,001", "1,142"], *([f"{900 - i}", f"{i % 3}"] for i in range(8))],
        ["no header"],
    ),
    "a quoted cell in the first record": (
        '"5",7\n' + "".join(f"{i},{i % 3}\n" for i in range(8)),
        ["c1", "c2"], [["5", "7"], *([f"{i}", f"{i % 3}"] for i in range(8))], ["no header"],
    ),
    "words quoted and figures not": (
        "".join(f'"x{i % 3}",{i},"{i}"\n' for i in range(8)),
        UNNAMED, [[f"x{i % 3}", f"{i}", f"{i}"] for i in range(8)], ["no header"],
    ),
    "every cell quoted": (
        "".join(f'"{i}","{i % 3}"\n' for i in range(8)),
        ["c1", "c2"], [[f"{i}", f"{i % 3}"] for i in range(8)], ["no header"],
    ),
    "UTF-16": (("a\tb\tc\r\n" + NUMBERS.replace(",", "\t")).encode("utf-16"), NAMED, ROWS, []),
    "Windows-1252": (("ä,b,c\n" + NUMBERS).encode("cp1252"), ["ä", "b", "c"], ROWS, ["byte 0xe4 in line 1"]),
    "one stray byte": ("ä,b,c\n".encode() + NUMBERS.encode() + b"9,9,\x96\n", ["ä", "b", "c"],
                       [*ROWS, ["9", "9", "\u2013"]], ["byte 0x96 in line 10"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_told_from_the_text(tmp_path, name):
    text, names, rows, said = TABLES[name]
    found = of_text(tmp_path, text)
    assert found[:2] == (names, rows)
    assert len(found[2]) == len(said), found[2]
    assert all(words in notice for words, notice in zip(said, found[2], strict=True))


def test_german_and_french_numbers(tmp_path):
    for text, header in (("a;b\n1,5;2\n2,5;3\n", True), ("1,5;2\n2,5;3,25\n", False)):
        dialect = sniff(text.encode(), "t")
        assert (dialect.delimiter, dialect.decimal, dialect.header) == (";", ",", header)


def test_words_alone_have_a_header_unless_they_come_again():
    body = [["p", "x"], ["e", "s"], ["p", "x"], ["e", "x"]] * 4
    assert has_header(["class", "shape"], body)
    assert not has_header(["p", "s"], body)


def test_a_sequence_of_numbers_is_a_header_only_beside_a_name():
    body = [[f"g{i}", f"{i / 7:.2f}", f"{i / 3:.2f}", f"{i / 5:.2f}"] for i in range(30)]
    assert has_header(["gene", "1", "2", "3"], body)
    assert not has_header(["1", "2", "3"], [row[1:] for row in body])
    assert not has_header(["g7", "0.3", "0.1", "0.2"], body)


OPTIONS = {
    "no header": ({"header": False}, "a,b,c\n" + NUMBERS, UNNAMED, [NAMED, *ROWS]),
    "a header": ({"header": True}, "1,2,3\n" + NUMBERS, ["1", "2", "3"], ROWS),
    "a delimiter": ({"delimiter": "^"}, "a^b^c\n" + NUMBERS.replace(",", "^"), NAMED, ROWS),
    "tab": ({"delimiter": "tab"}, "a\tb\tc\n" + NUMBERS.replace(",", "\t"), NAMED, ROWS),
    "blank": ({"delimiter": "blank"}, "a b c\n" + NUMBERS.replace(",", "  "), NAMED, ROWS),
    "rows to skip": ({"skip_rows": 2}, "1,2,3\n4,5,6\na,b,c\n" + NUMBERS, NAMED, ROWS),
    "a comment": ({"comment": ";"}, "; z\na,b,c\n; y\n" + NUMBERS, NAMED, ROWS),
    "an encoding": ({"encoding": "koi8-r"}, ("ж,b,c\n" + NUMBERS).encode("koi8-r"), ["ж", "b", "c"], ROWS),
    "another": ({"encoding": "shift_jis"}, ("表,b,c\n" + NUMBERS).encode("shift_jis"), ["表", "b", "c"], ROWS),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_told_by_options(tmp_path, name):
    said, text, names, rows = OPTIONS[name]
    assert of_text(tmp_path, text, **said)[:2] == (names, rows)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"delimiter": ";;"}, "delimiter ;;"),
        ({"delimiter": "é"}, "ASCII"),
        ({"decimal": "x"}, "decimal x"),
        ({"decimal": ",", "delimiter": ","}, "cannot both"),
        ({"encoding": "base64"}, "encoding base64"),
        ({"encoding": "idna"}, "encoding idna: no such encoding"),
        ({"encoding": "punycode"}, "encoding punycode: no such encoding"),
        ({"skip_rows": -1}, "skip_rows -1"),
        ({"comment": ""}, "comment ''"),
    ],
)
def test_what_cannot_be_meant(said, words):
    with pytest.raises(ParamError) as caught:
        Reading(**said)
    assert words in str(caught.value)


def test_text_that_is_not_in_the_encoding_that_is_said(tmp_path):
    for encoding in ("utf-8", "ascii"):
        with pytest.raises(DataError, match="not UTF-8|not ascii throughout"):
            of_text(tmp_path, ("ä,b,c\n" + NUMBERS).encode("cp1252"), encoding=encoding)


def flows(seed, rows=200):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "protocol": rng.choice(["tcp", "udp"], rows), "flag": rng.choice(["S0", "SF", "REJ"], rows),
        "bytes": rng.integers(100, 400, rows), "rate": rng.normal(0, 1, rows).round(2),
    })  # fmt: skip


def test_a_model_knows_how_its_text_was_written(run, tmp_path):
    for name, seed in (("a.data", 1), ("b.data", 2)):
        text = flows(seed).to_csv(index=False, header=False, sep="^", decimal=",")
        (tmp_path / name).write_text("words in the first line\n" + text)
    said = ["--no-header", "--delimiter", "^", "--decimal", ",", "--skip-rows", "1"]
    done = run("fit", tmp_path / "a.data", "-p", "pca", "-o", tmp_path / "m.aem", *said)
    assert done.status == 0, done.err
    model = bundles.load(tmp_path / "m.aem")
    assert model.facts["reading"] == {
        "header": False, "delimiter": "^", "decimal": ",", "skip_rows": 1,
    }  # fmt: skip
    with_options = run("detect", tmp_path / "b.data", "-m", tmp_path / "m.aem", "--all", *said)
    done = run("detect", tmp_path / "b.data", "-m", tmp_path / "m.aem", "--all")
    assert done.status == 0 and len(done.out.splitlines()) == 201
    assert done.out == with_options.out
    assert "'-q'" not in done.err and "note: " in done.err
    quiet = run("detect", tmp_path / "b.data", "-m", tmp_path / "m.aem", "--all", "-q")
    assert quiet.out == done.out and not quiet.err


def test_a_model_without_names_reads_one_record(run, tmp_path):
    flows(1).to_csv(tmp_path / "a.data", index=False, header=False)
    (tmp_path / "b.data").write_text("tcp,SF,250,0.25\n")
    assert run("fit", tmp_path / "a.data", "-p", "pca", "-o", tmp_path / "m.aem").status == 0
    done = run("detect", tmp_path / "b.data", "-m", tmp_path / "m.aem", "--all")
    assert len(done.out.splitlines()) == 2, done.err


def test_a_model_knows_its_header(tmp_path):
    known = Reading(names=("2019", "2020"))
    path = tmp_path / "t.csv"
    path.write_text("a title, and more\n2019,2020\n1,2\n")
    assert read(path, known=known)[:2] == (["2019", "2020"], [["1", "2"]])


def test_the_same_in_python(tmp_path):
    frame = flows(1)
    frame.to_csv(tmp_path / "a.txt", sep="^", index=False, header=False, decimal=",")
    said = {"header": False, "delimiter": "^", "decimal": ","}
    model = aetool.fit(tmp_path / "a.txt", "pca", **said)
    named = frame.set_axis(["c1", "c2", "c3", "c4"], axis=1)
    expected = aetool.fit(named, "pca").score(named)
    for found in (model.score(tmp_path / "a.txt"), model.score(tmp_path / "a.txt", **said)):
        assert np.allclose(found, expected, rtol=1e-9)
    assert len(model.detect(tmp_path / "a.txt", **said)) == len(frame)
    assert len(aetool.detect(tmp_path / "a.txt", **said)) == len(frame)
    with pytest.raises(ParamError, match="of text in a file, not of a DataFrame"):
        aetool.fit(frame, header=False)


def test_rows_of_detect_are_those_of_archives_under_a_preamble(run, tmp_path):
    lines = [f"{i % 10}.5,{i % 7},{'xy'[i % 2]}\n" for i in range(200)]
    lines[150] = "9999.5,3,x\n"
    text = "Plant 7\nserial 12\na,b,c\nV,mA,\n" + "".join(lines)
    (tmp_path / "t.csv").write_text(text)
    given = ("detect", tmp_path / "t.csv", "-p", "pca", "--top", "1", "--format", "csv")
    row = run(*given).out.split()[1]
    assert row.split(",")[0] == "151"
    run("compress", tmp_path / "t.csv", "-q")
    back = tmp_path / "t.csv.aez"
    assert run("decompress", back, "-c", "--rows", "151").out.splitlines()[-1] == lines[150].strip()
    assert run("decompress", back, "-c").out == text
    chosen = run("decompress", back, "-c", "--columns", "c,a", "--rows", "150:151").out
    assert chosen == f"c,a\ny,9.5\n{'x,9999.5'}\n"
    with aetool.open(back) as archive:
        frame = archive.to_pandas()
    assert list(frame.columns) == ["a", "b", "c"] and frame.shape == (200, 3)


def with_lines_between(kind):
    """A text of 200 records, of which one stands out, and of lines between them that are none."""
    records = [{"a": i % 10 + 0.5, "b": i % 7, "c": "xy"[i % 2]} for i in range(200)]
    records[150]["a"] = 9999.5
    if kind == "jsonl":
        lines = [json.dumps(record) + "\n" for record in records]
        between, begin = ["\n", "  \n"], ""
    else:
        lines = ["{a},{b},{c}\n".format(**record) for record in records]
        between, begin = ["# a service\n", "# by Ann, twice\n"], "# plant\na,b,c\n"
    odd = lines[150]
    lines.insert(100, between[0])
    lines.insert(30, between[1])
    return begin + "".join(lines), odd


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_row_is_the_same_record_in_an_archive(run, tmp_path, kind):
    text, odd = with_lines_between(kind)
    path, model = tmp_path / f"t.{kind}", tmp_path / "m.aem"
    path.write_text(text)
    assert run("fit", path, "-p", "pca", "-o", model).status == 0
    rows = [
        run("detect", path, *args, "--top", "1", "--format", "csv").out.split()[1].split(",")[0]
        for args in (("-p", "pca"), ("-m", model))
    ]
    assert rows == ["153", "153"]
    run("compress", path, "-q")
    restored = run("decompress", f"{path}.aez", "-c", "--rows", rows[0]).out
    assert restored.splitlines()[-1] == odd.strip()
    assert run("encode", path, "-m", model, "-o", tmp_path / "codes.csv").status == 0
    codes = (tmp_path / "codes.csv").read_text().splitlines()
    assert len(codes) == 201 and codes[151].startswith("153,")
    near = run(
        "similar", path, "--in", path, "-m", model, "--row", "153", "-k", "1"
    ).out.splitlines()
    assert near[1].startswith("153,1,153,0")
    if kind == "csv":
        there = run("similar", path, "--in", path, "-m", model, "--row", "31").err
        assert f"--row 31: {path} has a comment there" in there
    everything = run("detect", path, "-m", model, "--all", "--format", "csv").out.splitlines()
    numbers = [int(line.split(",")[0]) for line in everything[1:]]
    assert len(numbers) == 200 and numbers[-1] == 202


def test_an_error_names_the_row_with_comments_counted(tmp_path):
    text, _ = with_lines_between("csv")
    path = tmp_path / "t.csv"
    path.write_text(text.replace("9999.5,3,x", "9999.5,3"))
    with pytest.raises(DataError, match=r"row 153 \(line 155\) has 2 fields"):
        aetool.detect(path)


def test_notices_name_their_file_once(run, tmp_path):
    for name, last in (("t.csv", 30), ("clean.csv", 31)):
        (tmp_path / name).write_text(
            "Plant 7\na,a\n" + "".join(f"{i}.5,{i % 3}\n" for i in range(last))
        )
    path, clean = tmp_path / "t.csv", tmp_path / "clean.csv"
    done = run("fit", path, "-p", "pca", "-o", tmp_path / "m.aem", "--calibration", clean)
    notes = [line.removeprefix("note: ") for line in done.err.splitlines() if "note: " in line]
    assert notes == [
        f"{path}: the first line is not of the table",
        "column 'a' is there 2 times: the last is called 'a.2'",
        "numbers: a, a.2; each by itself: --explain-columns",
        f"{clean}: the first line is not of the table",
        "column 'a' is there 2 times: the last is called 'a.2'",
    ]


@pytest.mark.parametrize("text", [b"||", b"||\n||\n"])
def test_bars_alone_are_no_box(tmp_path, text):
    assert sniff(text, "t").edge == ""
    path = tmp_path / "t.csv"
    path.write_bytes(text)
    aetool.compress(path, tmp_path / "t.aez")
    assert aetool.decompress(tmp_path / "t.aez", tmp_path / "back.csv").read_bytes() == text


def test_a_box_is_archived_in_every_way(run, tmp_path):
    lines = [f"| {i} | {i % 10 + 0.5} | {'xy'[i % 2]}  |\n" for i in range(300)]
    path = tmp_path / "t.md"
    path.write_text("| id | a | c |\n|---|---|---|\n" + "".join(lines))
    for options in ((), ("--lossy",), ("--max-error", "a=0.5")):
        assert run("compress", path, "-f", "-q", *options).status == 0
        if not options:
            assert run("decompress", f"{path}.aez", "-c").out == path.read_text()
        else:
            assert run("decompress", f"{path}.aez", "-o", tmp_path / "out", "-f", "-q").status == 0


@pytest.mark.parametrize("case", one_in(3, TABLES))
def test_every_table_is_archived_under_a_bound_of_all_numbers(tmp_path, case):
    """What the archive has for fields, which may be more than the table's columns, is told apart
    from them."""
    text = TABLES[case][0]
    path = tmp_path / "t.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        names, rows = read(path)[:2]
    except DataError:
        return
    aetool.compress(path, tmp_path / "t.aez", max_error="0")
    aetool.decompress(tmp_path / "t.aez", tmp_path / "back.txt")
    assert read(tmp_path / "back.txt")[:2] == (names, rows)


def test_a_list_of_objects(tmp_path):
    records = [{"a": i, "b": "xy"[i % 2]} for i in range(5)]
    (tmp_path / "t.json").write_text(json.dumps(records, indent=1))
    assert sources.open_source(tmp_path / "t.json").head()["a"].strings() == list("01234")


def test_lines_that_are_left_out_may_be_all_there_are(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a|b\n1|2\n")
    source = sources.open_source(sources.TextPath(path, Reading(delimiter="|", skip_rows=9)))
    with pytest.raises(DataError, match="no records in it"):
        source.head()


@pytest.mark.parametrize("sign", ["→", "§", '"'])
def test_a_separator_that_cannot_part_fields_is_a_line_like_others(tmp_path, sign):
    path = tmp_path / "t.csv"
    rows = [f"x{sign}y", *(f"{number}{sign}{number * 2}" for number in range(1, 31))]
    path.write_text(f"sep={sign}\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert sources.open_source(path).dialect.delimiter == ","


TITLES = [
    "Report of plant A\nprinted 2024-05-01\n\n",
    "printed 2024-05-01\n",
    "printed 2024-05-01\nby hand\n",
    "Station 7\nfrom 2024-01-01 00:00\n",
    "",
]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_blanks_in_dates_and_titles_part_no_fields(tmp_path, title, delimiter):
    """A day and an hour have a blank between them in every record, as two words above have."""
    lines = [
        delimiter.join([f"2024-01-{day:02} {hour:02}:00", f"{hour}.5", "on" if hour % 3 else "off"])
        for day in range(1, 9)
        for hour in range(24)
    ]
    heading = delimiter.join(["time", "temp", "state"])
    text = title + "\n".join([heading, *lines, ""])
    (tmp_path / "t.csv").write_text(text)
    dialect = sniff(text.encode(), "t.csv")
    assert (dialect.delimiter, dialect.header) == (delimiter, True)
    # of blank lines above the header it does not matter whether they count
    assert dialect.preamble in (title.count("\n"), len(title.split("\n\n")[0].splitlines()))
    batch = next(iter(sources.open_source(tmp_path / "t.csv").batches()))
    assert batch.names == ("time", "temp", "state") and len(batch) == len(lines)


def test_blanks_part_fields_that_nothing_else_parts():
    """Though other delimiters stand in many of them."""
    lines = [f"{number} {number % 7} a,b;c" for number in range(50)]
    assert sniff(("\n".join(["n k words", *lines]) + "\n").encode(), "t.txt").delimiter == " "


@pytest.mark.parametrize(
    ("rows", "mark"),
    [
        ("3.801;17,5", ","),
        ("3,801;17.5", "."),
        ("3.801;1.234,5", ","),
        ("3.801;1.234.567", ","),
        ("3.801;0,125", ","),
        ("3.801;1234,567", ","),
        # a point that cannot part thousands speaks against the comma
        ("3.80;17,5", "."),
        ("0.801;17,5", "."),
        ("1234.567;17,5", "."),
        # what may be either is read as before
        ("3.801;5730", "."),
        ("3,801;5730", ","),
        ("02.02.2024;17,5", ","),
    ],
)
def test_the_decimal_mark_is_what_some_number_can_only_have(tmp_path, rows, mark):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + f"{rows}\n" * 9)
    assert sources.open_source(path).decimal == mark
