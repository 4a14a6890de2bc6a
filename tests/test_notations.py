"""Numbers in European and commercial forms are coded as the numbers that they are, to the letter."""

import csv
import io
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import (
    blocks,
    metas,
    notation_choice,
    notations,
    planning,
    ranks,
    records,
    spans,
    text_decimals,
    text_decoding,
    textual,
    ways,
)
from aetool.codec.columns import Decoded
from aetool.codec.metas import FloatMeta, LevelMeta, Notation, NumberMeta, TextMeta
from aetool.codec.records import Layout
from aetool.codec.text_cells import TextCells
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError
from aetool.operations import CompressOptions
from tests import format_reader
from tests.format_reader.text import in_notation

DRAWN = np.random.default_rng(3)
NUMBERS = (DRAWN.lognormal(6, 2, 400) * DRAWN.choice([-1, 1], 400, p=[0.2, 0.8])).round(2).tolist()


def cells_of(texts):
    return TextCells(*spans.behind_another([text.encode() for text in texts]).places())


def written(value, places=2, decimal=".", group="", usual="{}", negative="-{}", least=4):
    """A number as a program would write it."""
    number = f"{abs(value):,.{places}f}"
    if len(number.partition(".")[0].replace(",", "")) < least:
        number = number.replace(",", "")
    number = number.replace(",", "\0").replace(".", decimal).replace("\0", group)
    return (negative if value < 0 else usual).format(number)


def column_of(texts, bound=None):
    """The column, and the meta of the way that comes first; every way restores it."""
    text = cells_of(texts)
    column = textual.encode(*text.spans, None, bound)
    ways.offer([column], planning.DEFAULT)
    for way in (column, *column.others):
        (decoded,) = blocks.as_decoded([way], len(texts), {}).columns
        decoded.book = way.book
        if bound is None:
            assert ranks.cells_of(decoded).bytes() == [one.encode() for one in texts]
    return column


FORMS = {
    "decimal comma": ({"decimal": ","}, Notation(decimal=",")),
    "german": ({"decimal": ",", "group": "."}, Notation(",", ".")),
    "american": ({"group": ","}, Notation(group=",")),
    "dollars": (
        {"group": ",", "usual": "${}", "negative": "-${}"},
        Notation(group=",", negative=("-$", "")),
    ),
    "accountants": (
        {"group": ",", "usual": "${} ", "negative": "(${})"},
        Notation(group=",", negative=("($", ")")),
    ),
    "spreadsheet": (
        {"group": ",", "usual": "${}", "negative": "$({})"},
        Notation(group=",", negative=("$(", ")")),
    ),
    "euros in parentheses": (
        {"group": ",", "usual": "{} €", "negative": "({}) €"},
        Notation(group=",", negative=("(", ") €".encode().decode("latin-1"))),
    ),
    "french": (
        {"decimal": ",", "group": "\u202f", "usual": "{}\xa0€", "negative": "-{}\xa0€"},
        Notation(",", "\u202f".encode().decode("latin-1")),
    ),
    "polish": (
        {"decimal": ",", "group": " ", "least": 5},
        Notation(",", " ", least=5),
    ),
    "swiss": (
        {"group": "'", "usual": "CHF {}", "negative": "CHF -{}"},
        Notation(group="'"),
    ),
    "sap": (
        {"decimal": ",", "group": ".", "negative": "{}-"},
        Notation(",", ".", negative=("", "-")),
    ),
    "percent": (
        {"decimal": ",", "places": 1, "usual": "{} %", "negative": "-{} %"},
        Notation(","),
    ),
    "change": ({"usual": "+{}"}, Notation(negative=("-", ""))),
    "minus": (
        {"negative": "\u2212{}"},
        Notation(negative=("\u2212".encode().decode("latin-1"), "")),
    ),
    "whole": ({"group": ",", "places": 0}, Notation(group=",")),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_each_form_is_coded_as_its_numbers(name, loops, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    form, notation = FORMS[name]
    column = column_of([written(value, **form) for value in NUMBERS])
    plain = column_of([written(value, form.get("places", 2)) for value in NUMBERS])
    assert column.meta.notation == notation and plain.meta.notation is None
    assert len(column.streams) == len(plain.streams)
    for stream, other in zip(column.streams, plain.streams, strict=True):
        np.testing.assert_array_equal(stream.values, other.values)


SPECIAL_FORMS = {
    "indian": (
        ["1,23,456", "12,34,56,789", "999", "12,345", "-45,678"],
        Notation(group=",", later=2),
    ),
    "bare": ([".5", "-.25", "1.5", "0", "12.125"], Notation(is_bare=True)),
    "bare comma": ([",5", "-,25", "1,5", "0", "12,125"], Notation(decimal=",", is_bare=True)),
    "filled up": (["    1.50", " -12.25", "  999.00", "1234.00"], Notation(width=8)),
    "quotes at commas": (
        ['"1,234.50"', "999.00", '"-12,000.00"', "-3.25"],
        Notation(group=",", quoted=","),
    ),
    "quotes at all": (['"1,5"', '"2"', '"-3,25"', '"12"'], Notation(decimal=",")),
    "one blank": ([" 1,5", " 22,5", " -3,25", " 12"], Notation(decimal=",")),
}


@pytest.mark.parametrize("name", SPECIAL_FORMS)
def test_special_forms_are_told(name):
    texts, notation = SPECIAL_FORMS[name]
    if notation.width:
        texts = [text.rjust(notation.width) for text in texts]
    column = column_of(texts * 20)
    assert isinstance(column.meta, NumberMeta) and not column.meta.specials
    assert column.meta.notation == notation


def test_floats_of_all_digits_are_told_from_each_other():
    texts = [
        repr(number).replace(".", ",") for number in np.random.default_rng(1).random(300).tolist()
    ]
    column = column_of(texts)
    (as_floats,) = [way for way in column.others if isinstance(way.meta, FloatMeta)]
    assert as_floats.meta.notation == Notation(decimal=",") and not as_floats.meta.specials


def test_cells_that_do_not_fit_are_kept_as_they_are():
    odd = ["", "NA", "1.5", "1,50", "01,5", "-0,0", "1.2345,0", "12.345", '"', "1,5 ", "\n", "1e5"]
    texts = [written(value, 1, ",") for value in NUMBERS]
    texts[::40] = odd[: len(texts[::40])]
    column = column_of(texts)
    assert column.meta.notation == Notation(decimal=",") and len(column.meta.specials) >= 8


@pytest.mark.parametrize(
    "texts",
    [
        [f"{value:.2f}" for value in NUMBERS],
        [f"{value:.2f} kg" for value in NUMBERS],
        [f"name {place}" for place in range(400)],
        [f"2020-{1 + place % 12:02d}-{1 + place % 28:02d}" for place in range(400)],
        [f"{place % 28 + 1:02d}.{place % 12 + 1:02d}.2020" for place in range(400)],
        [f"{place % 12}:{place % 60:02d}" for place in range(400)],
        [f"10.0.{place % 256}.{place % 9}" for place in range(400)],
        ["a, b", "c,d", "1,2,3 x"] * 100,
        # fewer than a description is worth
        [*["1,5"] * 7, *[f"{value:.2f}" for value in NUMBERS]],
    ],
    ids=["points", "unit", "names", "dates", "days", "times", "addresses", "lists", "few"],
)
def test_other_columns_have_no_notation(texts):
    column = column_of(texts)
    for way in (column, *column.others):
        assert getattr(way.meta, "notation", None) is None


def test_a_second_look_tells_what_is_rare():
    # of a few hundred numbers without a mark hardly one is below 0, and few have thousands
    texts = [f"{place % 900}" for place in range(20_000)]
    texts[::50] = ["1,234,567"] * 400
    texts[::400] = ["-12,345"] * 50
    assert column_of(texts).meta.notation == Notation(group=",")


# ---- laws

MARKS = st.sampled_from(["", ",", ".", " ", "'", "\xa0", "\xe2\x80\xaf"])
AFFIX = st.text(st.characters(max_codepoint=255, exclude_categories=["Nd"]), max_size=3)
NOTATIONS = st.builds(
    Notation,
    decimal=st.sampled_from([".", ","]),
    group=MARKS,
    later=st.sampled_from([2, 3]),
    least=st.sampled_from([4, 5]),
    negative=st.none() | st.tuples(AFFIX, AFFIX),
    is_bare=st.booleans(),
    quoted=st.sampled_from(["", ","]),
    width=st.sampled_from([0, 7, 12]),
)
DECIMALS = st.builds(
    lambda number, places: f"{number / 10**places:.{places}f}",
    st.integers(-(10**9), 10**9),
    st.integers(0, 4),
)
TEXTS = st.text(st.characters(max_codepoint=255), max_size=9)


def spelled(plain, affixes, notation):
    cells = spans.behind_another([number.encode("latin-1") for number in plain])
    around = tuple(text.encode("latin-1") for text in affixes)
    return notations.spelled(cells, around, notation).bytes()


@given(st.lists(DECIMALS, min_size=1, max_size=9), AFFIX, AFFIX, NOTATIONS)
def test_the_other_reader_writes_the_same(plain, before, behind, notation):
    meta = {"n": notation.to_json(), "a": [before, behind]}
    expected = [in_notation(number, meta).encode("latin-1") for number in plain]
    assert spelled(plain, (before, behind), notation) == expected


@given(st.lists(DECIMALS, max_size=9), st.lists(TEXTS, max_size=9), AFFIX, AFFIX, NOTATIONS)
def test_what_is_read_is_written_again(plain, texts, before, behind, notation):
    affixes = (before.encode("latin-1"), behind.encode("latin-1"))
    cells = [*spelled(plain, (before, behind), notation)]
    cells += [text.encode("latin-1") for text in texts]
    text = TextCells(*spans.behind_another(cells).places())
    read = notations.plain(text, affixes, notation).cells()
    assert len(read) == len(cells)
    for cell, number in zip(cells, read, strict=True):
        if number:
            assert spelled([number.decode("latin-1")], (before, behind), notation) == [cell]


@given(st.lists(DECIMALS, min_size=1, max_size=20), st.integers(1, 5))
def test_numbers_are_read_back_whatever_stands_together(plain, at_once):
    notation = Notation(",", ".", negative=("(", " \x80)"), quoted=",", width=9)
    text = TextCells(*spans.behind_another(spelled(plain, ("", " \x80"), notation)).places())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notations, "CELLS_AT_ONCE", at_once)
        read = notations.plain(text, (b"", b" \x80"), notation).cells()
        of_others = notations.plain(text, (b"", b" \x81"), notation).cells()
    assert read == [number.encode() for number in plain]
    assert of_others == [number if number.startswith(b"-") else b"" for number in read]


@given(
    st.lists(DECIMALS, min_size=20, max_size=40),
    st.lists(TEXTS | DECIMALS, max_size=6),
    AFFIX,
    AFFIX,
    NOTATIONS,
    st.sampled_from([None, 1, 100]),
)
def test_any_cells_near_a_notation_come_back(plain, odd, before, behind, notation, bound):
    cells = spelled(plain, (before, behind), notation)
    texts = [cell.decode("latin-1") for cell in cells]
    # a letter more or less, and other cells among them
    texts += [text[1:] for text in texts[:3]] + [f"{text},0" for text in texts[:3]] + odd
    text = TextCells(*spans.behind_another([one.encode("latin-1") for one in texts]).places())
    column = textual.encode(*text.spans, None, None if bound is None else Fraction(bound))
    for way in (column, *column.others):
        (decoded,) = blocks.as_decoded([way], len(texts), {}).columns
        again = text_decoding.decode(decoded).bytes()
        if bound is None or not way.error:
            assert again == text.cells()
        assert len(again) == len(texts)


def test_a_law_would_see_a_lost_mark(monkeypatch):
    text = cells_of(["1.234,5", "12,5"])
    monkeypatch.setattr(notations, "LAST_GROUP", 4)
    assert notations.plain(text, (b"", b""), Notation(",", ".")).cells() == [b"", b"12.5"]


def test_the_sample_of_a_column_of_words_is_no_notation():
    assert notation_choice.writings([b"a", b"", b"2020-01-01", b"1.5", b"-3"]) == []


# ---- damage

BROKEN = st.dictionaries(
    st.sampled_from(["d", "g", "i", "l", "m", "q", "w", "z"]),
    st.one_of(
        st.integers(-1, 70),
        st.text(max_size=2),
        st.sampled_from(["\n", "0", '"', "-", ["", ""], ["9", "\n"], ["x" * 1000, ""]]),
    ),
    max_size=4,
)


@given(BROKEN, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), st.integers(0, 18))
def test_a_damaged_notation_is_refused_or_writes_some_text(stored, values, decimals):
    meta = {"k": "number", "d": decimals, "f": [64], "s": [], "n": stored}
    try:
        parsed = metas.from_json(meta)
    except ArchiveError:
        return
    rows = np.zeros(len(values), np.int64)
    column = Decoded(parsed, rows, np.array(values, np.int64), rows[:0], [])
    assert len(text_decoding.decode(column)) == len(values)


def test_a_damaged_notation_asks_for_no_more_memory_than_there_is():
    meta = NumberMeta(notation=Notation(negative=("x" * (1 << 16), "")))
    rows = np.zeros(1 << 16, np.int64)
    column = Decoded(meta, rows, rows - 1, rows[:0], [])
    with pytest.raises(ArchiveError, match="are allowed"):
        text_decoding.decode(column)


# ---- tables


def tables(rows=1500):
    """The same table with points, with commas, and with thousands: walks, sums, few long numbers,
    floats, gaps."""
    rng = np.random.default_rng(5)
    walk = (1500 + rng.normal(0, 9, rows).cumsum()).round(2)
    rates = rng.normal(0, 2, rows).round(3)
    total = (walk + rates).round(3)
    book = rng.lognormal(5, 2, 40).round(6)[rng.integers(0, 40, rows)]
    money = (rng.lognormal(6, 2, rows) * rng.choice([-1, 1], rows, p=[0.1, 0.9])).round(2)
    names = rng.choice(["a,b", "c", "d"], rows)
    texts = {}
    for name, delimiter, decimal, group in (
        ("points", ";", ".", ""),
        ("commas", ";", ",", ""),
        ("thousands", ",", ".", ","),
        ("german", ";", ",", "."),
    ):
        file = io.StringIO()
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(["walk", "rate", "total", "book", "money", "float", "name"])
        for place in range(rows):
            cells = [
                written(walk[place], 2, decimal, group),
                written(rates[place], 3, decimal, group) if place % 9 else "",
                written(total[place], 3, decimal, group),
                written(book[place], 6, decimal, group),
                written(money[place], 2, decimal, group),
                repr(float(rates[place]) * 3).replace(".", decimal),
                names[place],
            ]
            writer.writerow(cells)
        texts[name] = file.getvalue()
    return texts


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notations")
    paths = {}
    for name, text in tables().items():
        paths[name] = folder / f"{name}.csv"
        paths[name].write_text(text)
    return paths


def size_of(path, folder, **options):
    archive = folder / f"{path.stem}.aez"
    operations.compress(path, archive, options=CompressOptions(force=True, **options))
    return archive.stat().st_size, archive


@pytest.fixture(scope="module")
def size_of_points(files, tmp_path_factory):
    """A function: how many bytes the table with decimal points takes by these options, taken once."""
    folder = tmp_path_factory.mktemp("points")
    sizes = {}

    def size(**options):
        key = repr(options)
        if key not in sizes:
            sizes[key], _ = size_of(files["points"], folder, **options)
        return sizes[key]

    return size


def columns_in(path, name):
    """The cells of a table, column by column."""
    delimiter = "," if name == "thousands" else ";"
    return list(zip(*csv.reader(io.StringIO(path.read_text()), delimiter=delimiter), strict=True))


# the other reader and the best effort take seconds for each: one notation is of the fast set
@pytest.mark.parametrize(
    ("name", "effort"),
    [
        pytest.param(name, effort, marks=pytest.mark.long if name != quick else ())
        for effort, quick in ((planning.DEFAULT, "german"), (planning.BEST, None))
        for name in ("commas", "thousands", "german")
    ]
    + [(name, planning.FAST) for name in ("commas", "thousands", "german")],
)
def test_a_notation_costs_its_description_alone(files, size_of_points, name, effort, tmp_path):
    points = size_of_points(effort=effort)
    size, archive = size_of(files[name], tmp_path, effort=effort)
    assert size <= 1.01 * points + 40
    out = operations.decompress(archive, tmp_path / "out")
    assert out.read_bytes() == files[name].read_bytes()
    if effort is planning.DEFAULT:
        assert format_reader.restore(archive.read_bytes()) == files[name].read_bytes()
    part = operations.decompress(archive, tmp_path / "part", rows=(700, 900), columns=["money"])
    (column,) = columns_in(part, name)
    money = columns_in(files[name], name)[4]
    assert column == ("money", *money[701:901])


def number(cell, name):
    decimal, group = {"commas": ",\0", "german": ",.", "thousands": ".,", "points": ".\0"}[name]
    return Fraction(cell.replace(group, "").replace(decimal, "."))


# one that has both marks is of the fast set
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("commas", marks=pytest.mark.long),
        pytest.param("thousands", marks=pytest.mark.long),
        "german",
    ],
)
def test_a_bound_holds_for_the_numbers_and_their_notation_stays(
    files, size_of_points, name, tmp_path
):
    points = size_of_points(max_error={"": "1%"})
    size, archive = size_of(files[name], tmp_path, max_error={"": "1%"})
    assert size <= 1.01 * points + 40
    out = operations.decompress(archive, tmp_path / "out")
    before, after = (columns_in(path, name) for path in (files[name], out))
    for column, again in zip(before[:6], after[:6], strict=True):
        numbers = [number(cell, name) for cell in column[1:] if cell]
        restored = [number(cell, name) for cell in again[1:] if cell]
        bound = (max(numbers) - min(numbers)) / 100
        errors = [abs(a - b) for a, b in zip(numbers, restored, strict=True)]
        assert 0 < max(errors) <= bound
    assert before[6] == after[6]


@pytest.mark.parametrize("kind", ["lines", "parquet"])
def test_other_files_hold_such_numbers_alike(kind, tmp_path):
    many = np.random.default_rng(8).normal(0, 2000, 2000).tolist()
    sizes = {}
    for name, decimal, group in (("points", ".", ""), ("german", ",", ".")):
        texts = [written(value, 2, decimal, group, "{} kWh", "-{} kWh") for value in many]
        path = tmp_path / f"{name}.{'jsonl' if kind == 'lines' else 'parquet'}"
        if kind == "lines":
            path.write_text("".join(f'{{"use": "{text}"}}\n' for text in texts))
        else:
            pq.write_table(pa.table({"use": texts}), path)
        sizes[name], archive = size_of(path, tmp_path)
        out = operations.decompress(archive, tmp_path / f"out-{name}")
        if kind == "lines":
            assert out.read_bytes() == path.read_bytes()
        else:
            assert pq.read_table(out).equals(pq.read_table(path))
    assert sizes["german"] <= 1.01 * sizes["points"] + 40


def block_of(text, layout):
    (encoded,) = records.encode(text, layout)
    return blocks.decode(encoded.payload, encoded.rows, encoded.content)


def test_other_kinds_of_columns_stay_what_they_are(files):
    body = files["commas"].read_bytes().split(b"\n", 1)[1]
    names = list("abcdefg")
    block = block_of(body, Layout(Rule(";"), names, effort=planning.FAST))
    assert isinstance(block.columns[6].meta, LevelMeta | TextMeta)
    assert all(one.meta.notation == Notation(decimal=",") for one in block.columns[:6])


@pytest.mark.parametrize(
    ("cell", "around"),
    [
        (b"12.50", (b"", b"")),
        (b"1250", (b"", b"")),
        (b"-3", (b"", b"")),
        (b"--3", (b"-", b"")),
        (b"$ -1,250 kg", (b"$ ", b" kg")),
        (b"3-", (b"", b"-")),
        (b"No. 7 of 9\n", (b"No. ", b"\n")),
        (b"-", None),
        (b"", None),
        (b"x\xff", None),
    ],
)
def test_what_stands_around_a_number(cell, around):
    assert text_decimals.around_digits(cell) == around
