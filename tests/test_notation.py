"""Cells as numbers, dates and gaps: each way of writing has its right value."""

import itertools
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import kernel
from aetool.csv.cells import GAP_WORDS, is_gap, numbers_of
from aetool.data.notation import calendar, dates, evidence, gaps, scanning
from aetool.data.notation.dates import DateEvidence, DateNotation
from aetool.data.notation.evidence import GAP, ODD, VALUE, OddCells
from aetool.data.notation.families import FAMILIES, surely_of
from aetool.data.notation.gaps import GapEvidence
from aetool.data.notation.numbers import NumberEvidence, NumberNotation
from aetool.data.notation.scanning import Style
from aetool.data.table import Cells

INF = math.inf


def decided(*cells, **options):
    """The notation of a column of these cells."""
    return NumberEvidence.of(Cells.of(cells)).decide(**options)


def read(*cells, **options):
    """Values of a column by its own notation; None where a cell is no value."""
    reading = decided(*cells, **options).read(Cells.of(cells))
    return [
        v if s == VALUE else None
        for v, s in zip(reading.value.tolist(), reading.state.tolist(), strict=True)
    ]


@pytest.mark.parametrize(("cells", "values", "mark", "unit"), [
    (["1", "-2", "+3"], [1, -2, 3], ".", ""),
    (["1.5", "-.5", "5.", "0"], [1.5, -0.5, 5, 0], ".", ""),
    (["1e-5", "2.5E+3", "-1e308"], [1e-5, 2500, -1e308], ".", ""),
    (["  1.5 ", "\t2\u00a0", "3"], [1.5, 2, 3], ".", ""),
    (["1,234,567.89", "5", "1,000"], [1234567.89, 5, 1000], ".", ""),
    (["1.234.567,89", "5", "1.000"], [1234567.89, 5, 1000], ",", ""),
    (["1 234,5", "999,25"], [1234.5, 999.25], ",", ""),
    (["1\u00a0234,5", "12\u00a0345\u00a0678"], [1234.5, 12345678], ",", ""),
    (["1\u202f234,5", "7"], [1234.5, 7], ",", ""),
    (["1\u2009234.5", "7"], [1234.5, 7], ".", ""),
    (["1'234.5", "1’234’567.25"], [1234.5, 1234567.25], ".", ""),
    (["12,34,567", "1,00,000.50"], [1234567, 100000.5], ".", ""),
    (["$1,234.50", "-$5.00", "$-6", "($1,000.00)", "$ 7"], [1234.5, -5, -6, -1000, 7], ".", "$"),
    (["$1,234.50", "$(5.00)", "$ (6)", "$  7"], [1234.5, -5, -6, 7], ".", "$"),
    (["1,234.50 €", "(5.00) €", "(6.25 €)"], [1234.5, -5, -6.25], ".", "€"),
    (["1.234,50 €", "-5,00 €", "6 €", "7,5 EUR"], [1234.5, -5, 6, 7.5], ",", "€"),
    (["€ 5", "EUR 6", "7.5€"], [5, 6, 7.5], ".", "€"),
    (["£5", "GBP 6"], [5, 6], ".", "£"),
    (["¥500", "¥1,200"], [500, 1200], ".", "¥"),
    (["USD 5.5", "6 USD", "7USD"], [5.5, 6, 7], ".", "USD"),
    (["CHF 1'234.50", "CHF 5.-"], [1234.5, 5], ".", "CHF"),
    (["R$ 1.234,56", "R$ 5"], [1234.56, 5], ",", "R$"),
    (["10k", "1.5M", "950", "2.001k", "-3K"], [10_000, 1_500_000, 950, 2001, -3000], ".", ""),
    (["$900K", "$1.25M", "$2 billion"], [900_000, 1_250_000, 2e9], ".", "$"),
    (["1,2 Mio. €", "3 Mrd. €", "7 €"], [1_200_000, 3e9, 7], ",", "€"),
    (["1.2M€", "850k€"], [1_200_000, 850_000], ".", "€"),
    (["1,2 Mio.", "3 Mrd.", "7"], [1_200_000, 3e9, 7], ",", ""),
    (["950", "1.2k", "15k"], [950, 1200, 15_000], ".", ""),
    (["512 B", "1.5 kB", "3MB", "0"], [512, 1500, 3_000_000, 0], ".", "B"),
    (["1 KiB", "1.5 MiB", "1.001 GiB"], [1024, 1_572_864, 1.001 * 2**30], ".", "B"),
    (["Rs. 5,000", "Rs 12,34,567"], [5000, 1234567], ".", "Rs"),
    (["12,5 %", "3 %", "-0,5%"], [12.5, 3, -0.5], ",", "%"),
    (["(5)", "(1,234.5)", "6"], [-5, -1234.5, 6], ".", ""),
    (["5-", "6.5-", "7"], [-5, -6.5, 7], ".", ""),
    (["−5", "–6", "7"], [-5, -6, 7], ".", ""),
    (["12.5 kWh", "3 kWh"], [12.5, 3], ".", "kWh"),
    (["3 km", "4", "5km"], [3, 4, 5], ".", "km"),
    (["21.5°C", "-3°C"], [21.5, -3], ".", "°C"),
    (["5 m/s", "6 m/s"], [5, 6], ".", "m/s"),
    (["12 m2", "13 m2"], [12, 13], ".", "m2"),
    (["1,000+", "50+"], [1000, 50], ".", "+"),
    (["inf", "-inf", "Infinity", "-Infinity", "+Infinity", "∞", "−∞", "1.5"],
     [INF, -INF, INF, -INF, INF, INF, -INF, 1.5], ".", ""),
    (["9007199254740993", "0.1", "123456789012345678901234567890"],
     [9007199254740992.0, 0.1, 123456789012345678901234567890.0], ".", ""),
])  # fmt: skip
def test_each_way_of_writing_a_number(cells, values, mark, unit):
    assert read(*cells) == values
    notation = decided(*cells)
    assert (notation.decimal, notation.unit) == (mark, unit)


def test_the_decimal_mark_is_told_by_all_cells():
    assert read("1,234") == [1234], "groups of three digits are thousands where nothing tells"
    assert read("1.234") == [1.234]
    assert read("1,234", "0,5") == [1.234, 0.5]
    assert read("1.234", "1.234.567") == [1234, 1234567]
    assert read("0,123", "1,234") == [0.123, 1.234], "no group begins with a zero"
    assert read(*["12"] * 150, "1,5")[-1] == 1.5, "the first comma comes late"
    assert read("1,234", decimal=",") == [1.234]
    assert read("1,234", usual=",") == [1.234], "what the other columns of the file say"
    assert read("1,234", "0.5", usual=",") == [1234, 0.5], "the column's own cells count more"
    late = read(*[f"{v},{v + 100}" for v in range(100, 300)], "1,5")
    assert late[0] == 100200 and late[-1] is None, "one cell of 201 does not turn thousands"


def test_decimals_and_zeros_before_digits():
    notation = decided("1.50", "2")
    reading = notation.read(Cells.of(["1.50", "1e5", "3", "x", "", "2.125", "007"]))
    assert reading.decimals.tolist() == [2, -1, 0, 0, 0, 3, 0]
    assert reading.padded and not notation.read(Cells.of(["0", "0.5", "10"])).padded
    assert reading.state.tolist() == [VALUE, VALUE, VALUE, ODD, GAP, VALUE, VALUE]


def test_codes_with_zeros_before_them_are_no_numbers_unless_asked():
    assert decided("007", "042", "123") is None
    assert decided("01234", "99999", "10115") is None
    assert read("007", "042", asked=True) == [7, 42]
    assert decided(*map(str, range(1000)), "007") is not None, "one of a thousand is a slip"


def test_one_odd_cell_of_twelve_is_odd():
    values = read(*map(str, range(11)), "ERR")
    assert values == [*range(11), None]
    assert read("1", "2", "3", "4", "x") == [1, 2, 3, 4, None]
    assert decided("1", "2", "3", "x") is None
    assert decided("a", "b", "3") is None
    assert decided("", "NA", None) is None, "gaps are no numbers"


def test_odd_cells_may_be_a_tenth_and_all_different():
    numbers = [f"{v / 7:.3f}" for v in range(180)]
    assert read(*numbers, *[f"bad{i}" for i in range(20)])[180:] == [None] * 20
    assert decided(*numbers, *[f"bad{i}" for i in range(21)]) is None


def test_a_word_that_comes_often_is_a_level_beside_few_numbers():
    assert decided(*["1", "2", "3"] * 30, *["A"] * 5) is None
    assert read(*["1", "2", "3"] * 300, "A")[-1] is None
    rain = [f"{v / 10}" for v in range(100)]
    assert read(*rain, *["T"] * 60)[-1] is None, "a mark beside many different numbers"
    assert decided(*rain, *[f"T{i}" for i in range(60)]) is None


def test_another_unit_is_odd_and_a_missing_one_is_not():
    km = [f"{i} km" for i in range(1, 12)]
    assert read(*km, "6 mi", "7")[-2:] == [None, 7]
    assert read(*[f"${i}" for i in range(1, 12)], "€5")[-1] is None
    assert read(*map(str, range(1, 30)), "5 kg")[-1] is None, "a unit of one cell is none"
    assert decided("id5", "id6", "id7") is None
    assert decided("5a", "6b", "7c", "8d") is None


def test_a_magnitude_in_every_cell_is_the_unit():
    for cells, unit in (
        (["10k", "15k", "7.5k"], "k"), (["5 M", "7 M"], "M"), (["12 kB", "3 kB"], "kB"),
        (["300 K", "295", "301 K"], "K"),
    ):  # fmt: skip
        notation = decided(*cells)
        assert (notation.unit, notation.magnitudes) == (unit, "")
    assert decided("12M", "18M", "2T", "3T", "24M", "4T") is None, "sizes of clothes for children"


def test_a_dash_beside_a_currency_is_nothing_and_a_dash_alone_a_gap():
    assert read("$ 12.50", "$ -", "$ 3.00", "-", "($ 2.00)") == [12.5, 0, 3, None, -2]
    assert read("5,00 €", "- €", "-  €", "7,25 €") == [5, 0, 0, 7.25]
    dollars = [f"${i}" for i in range(1, 12)]
    assert read(*dollars, "$ –", "€ -")[-2:] == [0, None], "of another currency it is odd"
    assert decided("5 kg", "- kg", "7 kg", "- kg", "2 kg", "- kg") is None, "a unit is no money"


def test_the_sides_of_accounts_are_signs():
    assert read("12.50 CR", "1,007.00 DR", "3.00CR") == [-12.5, 1007, -3], "as in a ledger"
    assert read("12.50 Cr", "7.00 Dr", "3.00 Cr") == [-12.5, 7, -3]
    assert read("12.50", "7.00CR", "3.00CR") == [12.5, -7, -3], "paid back to a card"
    assert read("12.50", "7.00DR", "3.00 DB") == [12.5, -7, -3], "overdrawn"
    assert read("$12.50 CR", "$7.00 DR", "($2.00) CR") == [-12.5, 7, 2]
    assert decided("12.50", "7.00DR", "3.00 DB").show(-7, 2) == "-7.00"
    # crores, and what is the unit of all
    assert read("12.5 Cr", "7", "3 Cr") == [12.5, 7, 3]
    assert read("12.5 CR", "7 CR", "3 CR") == [12.5, 7, 3]
    assert read(*map(str, range(30)), "5 CR")[-1] is None, "one cell may be a slip"


def test_labels_and_fractions_are_no_numbers_with_a_unit():
    assert decided("R14", "R15", "R13", "R14") is None
    assert decided("DM1", "DM2", "DM3") is None
    assert decided("2/2", "1/2", "1/2", "2/2") is None
    assert decided("3/4", "4/4", "1/4") is None
    assert read("R14.50", "R15", "R1,250") == [14.5, 15, 1250]
    assert read("R 14", "R 15") == [14, 15]
    assert read("R14", "R15", asked=True) == [14, 15], "the user says that they are"
    assert read("2 /m2", "3 /m2") == [2, 3] and decided("2/h", "3/h").unit == "/h"


@pytest.mark.parametrize("copies", [1, 5, 200])
def test_words_that_are_numbered_are_no_numbers_with_a_unit(copies):
    for texts in (
        ["2. Middle Atlantic"],
        ["2. No"],
        ["1. White", "2. Black"],
        ["1.White"],
        ["10, rue"],
        ["1. <=Good"],
        [*["2. No"] * 30, "1. Yes"],
    ):
        assert decided(*texts * copies) is None, texts


@pytest.mark.parametrize("copies", [1, 5, 200])
def test_numbers_with_a_unit_are_numbers_though_they_are_all_the_same(copies):
    for text, number in (
        ("12 kg", 12), ("3.5 GB", 3.5), ("5 %", 5), ("5. %", 5), ("5.%", 5), ("2.5 m", 2.5),
        ("12 Middle Atlantic", 12), ("5.", 5), ("$5.", 5), ("5. €", 5),
    ):  # fmt: skip
        assert read(*[text] * copies) == [number] * copies, text
    # among numbers of a unit it is none, with the kernel and without
    texts = ["12 kg"] * 99 * copies
    found = read(*texts, "2. kg", "3. kg")
    assert found == [12] * 99 * copies + [None, None]


def test_decimals_are_of_the_number_that_is_multiplied_out():
    cells = Cells.of(["1.5k", "12", "1.2345k", "1.5 M", "9k"])
    reading = NumberEvidence.of(cells).decide().read(cells)
    assert reading.decimals.tolist() == [0, 0, 1, 0, 0]
    assert reading.value.tolist() == [1500, 12, 1234.5, 1_500_000, 9000]
    cells = Cells.of(["1.5 KiB", "1.0001 MiB", "7 B"])
    assert NumberEvidence.of(cells).decide().read(cells).decimals.tolist() == [0, -1, 0]


def test_percent_and_parts_of_one_in_turns():
    assert read("12%", "0.12", "0.07", "40%") == [12, 12, 7, 40]
    assert read(*[f"{v}%" for v in range(10, 99)], "0.12")[-1] == 0.12, "one cell is no habit"
    assert read("12%", "13", "0.5", "40%") == [12, 13, 0.5, 40]
    reading = decided("12%", "0.125", "0.5", "40%").read(Cells.of(["0.125", "0.5", "7%"]))
    assert reading.decimals.tolist() == [1, 0, 0]


@pytest.mark.parametrize("word", sorted(GAP_WORDS))
def test_gap_words_in_any_case_are_gaps(word):
    for spelling in (word, word.upper(), f" {word} "):
        cells = Cells.of(["1", spelling, "2.5"])
        assert gaps.is_gap(cells).tolist() == [False, True, False]
        assert is_gap(spelling), "in a header, and above it, too"
        reading = decided("1", spelling, "2.5").read(cells)
        assert reading.state.tolist() == [VALUE, GAP, VALUE] and np.isnan(reading.value[1])


@pytest.mark.parametrize("word", ["ERR", "#DIV/0!", "#REF!", "unknown", "0", "-1", "no", "Nancy"])
def test_other_words_are_no_gaps(word):
    assert not gaps.is_gap(Cells.of([word])).any()


BLANKS = [chr(code) for code in range(0x3100) if not chr(code).strip()]


@pytest.mark.parametrize("count", [1, 2, 24, 25, 40, 41, 64, 65, 1000])
def test_blanks_alone_are_a_gap_at_any_length(count, monkeypatch):
    """As columns of a fixed width have them, whatever reads them, and around a word for a gap."""
    assert len(BLANKS) == 29, "as Unicode has them"
    for blank in BLANKS:
        assert gaps.is_gap(Cells.of(["x", blank * count])).tolist() == [False, True]
        around = [f"NA{blank * count}", f"{blank * count}-", f"x{blank * count}"]
        assert gaps.is_gap(Cells.of(around)).tolist() == [True, True, False]
        cells = Cells.of(["1.5", blank * count, f"null{blank * count}", "x"])
        days = Cells.of(["2024-01-31", blank * count, f"null{blank * count}", "x"])
        for compiled in {kernel.C, None}:
            monkeypatch.setattr(kernel, "C", compiled)
            assert NumberNotation().read(cells).state.tolist() == [VALUE, GAP, GAP, ODD]
            assert DateNotation().read(days).state.tolist() == [VALUE, GAP, GAP, ODD]
        monkeypatch.undo()


def test_zero_bytes_are_no_gap_and_no_number(monkeypatch):
    """numpy's texts of a fixed width do not show them at the end."""
    cells = Cells.of(["5", "5\0", "\0", "\0\0 ", ""])
    assert gaps.is_gap(cells).tolist() == [False, False, False, False, True]
    for compiled in {kernel.C, None}:
        monkeypatch.setattr(kernel, "C", compiled)
        assert NumberNotation().read(cells).state.tolist() == [VALUE, ODD, ODD, ODD, GAP]
        assert DateNotation().read(cells).state.tolist() == [ODD, ODD, ODD, ODD, GAP]


def test_words_of_the_user_are_gaps_numbers_among_them():
    cells = ["1", "-999", "fehlt", "2", "-999.0", "3"]
    assert read(*cells, gap_words=["-999", "Fehlt"]) == [1, None, None, 2, None, 3]
    notation = decided(*cells, gap_words=["-999", "Fehlt"])
    assert notation.read(Cells.of(cells)).state.tolist() == [0, GAP, GAP, 0, GAP, 0]
    assert gaps.is_gap(Cells.of(["fehlt", "x"]), ["FEHLT"]).tolist() == [True, False]


def test_na_is_namibia_among_countries_alone():
    countries = Cells.of(["DE", "FR", "NA", "ZA", "", "DE"])
    evidence_of_countries = GapEvidence.of(countries)
    assert evidence_of_countries.country_codes
    codes = evidence_of_countries.country_codes
    assert gaps.is_gap(countries, country_codes=codes).tolist() == [False] * 4 + [True, False]
    for others in (["yes", "NO", "NA"], ["AM", "PM", "NA"], ["A", "B", "NA"], ["NA", ""]):
        assert not GapEvidence.of(Cells.of(others)).country_codes
    assert (GapEvidence.of(Cells.of(["DE", "FR"])) + GapEvidence.of(Cells.of(["ZA"]))).country_codes


GROUPS = st.text("0123456789,.' ", min_size=3, max_size=12)
CELLS = st.one_of(
    st.sampled_from(["1", "2.5", "1,5", "1,234", "1.234,5", "$5", "5 km", "12%", "0.5", "007", "NA",
                     "", "ERR", "inf", "2024-01-05", "03/04/2024", "31.12.24", "20240105", "7:30"]),
    st.text(max_size=6),
)  # fmt: skip


@given(st.lists(st.lists(CELLS, max_size=8), min_size=2, max_size=4))
def test_evidence_adds_up_in_any_order(parts):
    for kind in (NumberEvidence, DateEvidence, GapEvidence):
        whole = kind.of(Cells.of([cell for part in parts for cell in part]))
        for order in itertools.islice(itertools.permutations(parts), 4):
            total = kind()
            for part in order:
                total = total + kind.of(Cells.of(part))
            assert total == whole


def test_odd_cells_are_counted_alike_in_any_order_beyond_what_is_kept(monkeypatch):
    monkeypatch.setattr(evidence, "ODD_KEPT", 5)
    words = [f"word {i % 40}" for i in range(100)]
    whole = OddCells.of({w: words.count(w) for w in words})
    assert whole.total == 100 and len(whole.copies) == 5
    for size in (7, 30):
        parts = [words[i : i + size] for i in range(0, 100, size)]
        for order in (parts, parts[::-1]):
            total = OddCells()
            for part in order:
                total = total + OddCells.of({w: part.count(w) for w in part})
            assert total == whole


NOTATIONS = st.builds(
    lambda affixes, marks: NumberNotation(
        decimal=marks[0], group=marks[1], before=affixes[0], after=affixes[1], unit=affixes[2]
    ),
    st.sampled_from([("", "", ""), ("$", "", "$"), ("", " €", "€"), ("", "%", "%"),
                     ("", " kWh", "kWh"), ("USD ", "", "USD")]),
    st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", "\u202f")]),
)  # fmt: skip


@given(NOTATIONS, st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_what_is_shown_is_read_back(notation, whole, places):
    value = whole / 10**places
    text = notation.show(value, places)
    reading = notation.read(Cells.of([text]))
    assert reading.value[0] == value and reading.state[0] == VALUE, text
    assert reading.decimals[0] == places


@given(NOTATIONS, st.floats(allow_nan=False))
def test_floats_without_decimals_are_shown_in_full(notation, value):
    reading = notation.read(Cells.of([notation.show(value, -1)]))
    assert reading.value[0] == value and reading.state[0] == VALUE


@given(NOTATIONS)
def test_a_notation_comes_back_from_json(notation):
    assert NumberNotation.from_json(notation.to_json()) == notation


@pytest.mark.parametrize("facts", [
    {"decimal": ";"}, {"unit": "kWh"}, {"unit": 5}, {"group": "."}, {"gap_words": "NA"}, {"x": 1},
    {"fractions": 1},
])  # fmt: skip
def test_facts_that_are_no_notation_of_numbers(facts):
    with pytest.raises((ValueError, TypeError, KeyError)):
        NumberNotation.from_json(facts)


HOSTILE = ["9" * 10_000, "1" * 399, "1\0", "\0", "\u202e123", "1\u200b2", "٣", "1_000", "0x1F",
           "1e999", "-1e999", "1e-999", "$", "%", "()", "(", "-", "+", ".", ",", "e5", "1e", "1,,2",
           "1,23", "1.2.3", "--5", "(-5)", "5%%", "\ufffd", "½", "²", "1 2", "NaN(5)", "'5", "=5+1",
           "e" * 10_000, "1," * 5000, "1 " * 5000, "((((5))))", "($(5))", "$(5", "$-(5)", "$" * 500, "5" + " m" * 300]  # fmt: skip


@pytest.mark.parametrize("cell", HOSTILE)
def test_hostile_cells_raise_nothing(cell):
    for kind in (NumberEvidence, DateEvidence):
        kind.of(Cells.of([cell])).decide(asked=True)
    reading = NumberNotation().read(Cells.of([cell, "1.5"]))
    assert reading.value[1] == 1.5 and reading.state[1] == VALUE
    assert (reading.state[0] == VALUE) == (not np.isnan(reading.value[0]))
    assert DateNotation().read(Cells.of([cell])).state[0] in (GAP, ODD)


def test_bytes_that_are_no_text_are_odd():
    raw = np.frombuffer(b"\xff\xfe1\xc3", np.uint8)
    cells = Cells(raw, np.array([0]), np.array([4]), np.zeros(1, np.bool_))
    assert NumberNotation().read(cells).state.tolist() == [ODD]
    assert NumberEvidence.of(cells).odd.total == 1
    assert DateNotation().read(cells).state.tolist() == [ODD]


SCANS = [scanning.by_arrays, scanning.by_kernel] if kernel.C else [scanning.by_arrays]
NUMERALS = st.one_of(
    CELLS,
    st.text("0123456789+-., '()$%eE", max_size=12),
    st.text("0123456789,.", max_size=30),
    GROUPS,
    st.floats().map(repr),
    st.integers(-(10**19), 10**19).map(str),
    st.tuples(st.integers(0, 10**20), st.integers(-70, 70)).map(lambda pair: "{}e{}".format(*pair)),
)


@pytest.mark.parametrize("scan", SCANS)
@given(st.lists(NUMERALS, max_size=12), NOTATIONS)
def test_a_plain_number_is_what_the_norm_reads(scan, texts, notation):
    texts = [*texts, *(f"{notation.before}{text}{notation.after}" for text in texts)]
    cells = Cells.of(texts)
    style = Style(notation.decimal, notation.group, notation.before, notation.after)
    found = scan(cells, style)
    for i, text in enumerate(texts):
        if found.form[i] == scanning.EMPTY:
            assert not text.strip()
        elif found.form[i] != scanning.LEFT:
            cell = notation._read_text(text)
            assert cell.state == VALUE and cell.value == found.value[i]
            assert cell.decimals == found.decimals[i]
            assert cell.padded == bool(found.form[i] & scanning.PADDED)
            attached = bool(found.form[i] & scanning.ATTACHED)
            assert cell.bare != attached or not notation.unit


@pytest.mark.skipif(not kernel.C, reason="the kernel is not built")
def test_the_kernel_reads_what_is_common():
    style = Style(".", ",", "$", "")
    common = ["12", "-1.5", " 7 ", "1,234,567.89", "$5", "-$5.25", "$-5", "($1,000)", "1e5", "5.",
              ".5", "0.1234567890123456", "12345.678901234567", "-0", "007", "1.5E-30"]  # fmt: skip
    found = scanning.by_kernel(Cells.of(common), style)
    assert (found.form < scanning.EMPTY).all()
    left = ["1,23", "1,2345", "0,123", "12,34,567", "1..2", "5e", "$", "5 km", "+-5", "(5", "1e99999",
            "12345678901234567890123", "--5", "$ 5", "5$", "x", "-(5)", "5\0"]  # fmt: skip
    assert (scanning.by_kernel(Cells.of(left), style).form == scanning.LEFT).all()


@given(st.sampled_from([("1,234.5", "$", ""), ("1.234,5", "", " €"), ("1 234", "", ""), ("1,234", "", " km")]),
       st.lists(st.one_of(GROUPS, st.integers(-5, 10**7).map("{:,}".format)), max_size=20))  # fmt: skip
def test_evidence_is_the_same_however_it_is_gathered(written, texts):
    """By scans in the style of the column, which are fast, or text by text."""
    plain, before, after = written
    many = [f"{before}{number}{plain[1:]}{after}" for number in range(1, 10) for _ in range(9)]
    texts = [*many, *texts, *(f"{before}{text}{after}" for text in texts)]
    fast = NumberEvidence.of(Cells.of(texts))
    slow = NumberEvidence()
    for text in texts:
        slow += NumberEvidence.of(Cells.of([text]))
    assert fast == slow


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_doubles_are_rounded_correctly(values):
    for texts in (
        [repr(v) for v in values],
        [f"{v:.17e}" for v in values],
        [f"{v:.3g}" for v in values],
    ):
        read_back = NumberNotation().read(Cells.of(texts)).value
        assert read_back.tolist() == [float(text) for text in texts]


@pytest.mark.skipif(not kernel.C, reason="the kernel is not built")
@given(st.integers(2**52, 2**53 - 1), st.integers(0, 9))
def test_halves_between_doubles_go_to_the_even_one(mantissa, power):
    texts = [str(((2 * mantissa + 1) << power) + step) for step in (-1, 0, 1)]
    found = scanning.by_kernel(Cells.of(texts), Style())
    assert (found.form < scanning.EMPTY).all()
    assert found.value.tolist() == [float(text) for text in texts]


# ---- dates


def moment(*parts, hours=0.0):
    """Epoch seconds of a time that is so many hours ahead of UTC."""
    return datetime(*parts, tzinfo=UTC).timestamp() - hours * 3600


def dates_of(*cells, **options):
    """Values of a column of dates by its own notation; None where a cell is no value."""
    notation = DateEvidence.of(Cells.of(cells)).decide(**options)
    assert notation == DateNotation.from_json(notation.to_json())
    reading = notation.read(Cells.of(cells))
    return [
        v if s == VALUE else None
        for v, s in zip(reading.value.tolist(), reading.state.tolist(), strict=True)
    ]


@pytest.mark.parametrize(("text", "seconds"), [
    ("2024-12-31", moment(2024, 12, 31)),
    ("2024/1/5", moment(2024, 1, 5)),
    ("2024-12-31T23:59:01", moment(2024, 12, 31, 23, 59, 1)),
    ("2024-12-31 23:59", moment(2024, 12, 31, 23, 59)),
    ("2024-12-31T23:59:01.25Z", moment(2024, 12, 31, 23, 59, 1, 250_000)),
    ("2024-12-31 23:59:01,5", moment(2024, 12, 31, 23, 59, 1, 500_000)),
    ("2024-07-01T10:00:00+02:00", moment(2024, 7, 1, 10, hours=2)),
    ("2024-07-01T10:00:00-0530", moment(2024, 7, 1, 10, hours=-5.5)),
    ("2024-07-01T10:00:00+02", moment(2024, 7, 1, 10, hours=2)),
    ("2024-07-01 10:00:00 UTC", moment(2024, 7, 1, 10)),
    ("2024-07-01 10:00 CEST", moment(2024, 7, 1, 10, hours=2)),
    ("2024-07-01T10:00:00+02:00[Europe/Berlin]", moment(2024, 7, 1, 10, hours=2)),
    ("2024-12-31T24:00:00", moment(2025, 1, 1)),
    ("31.12.2024", moment(2024, 12, 31)),
    ("31. 12. 2024", moment(2024, 12, 31)),
    ("31.12.24 7:05", moment(2024, 12, 31, 7, 5)),
    ("31.12.69", moment(1969, 12, 31)),
    ("12/31/2024 7:05 PM", moment(2024, 12, 31, 19, 5)),
    ("12/31/2024 12:05:06 AM", moment(2024, 12, 31, 0, 5, 6)),
    ("31/12/2024", moment(2024, 12, 31)),
    ("3 March 2024", moment(2024, 3, 3)),
    ("3. März 2024", moment(2024, 3, 3)),
    ("3 févr. 2024", moment(2024, 2, 3)),
    ("1er août 2024", moment(2024, 8, 1)),
    ("March 3, 2024", moment(2024, 3, 3)),
    ("Dec 3rd, 2024 10:30", moment(2024, 12, 3, 10, 30)),
    ("31-Dec-24", moment(2024, 12, 31)),
    ("Mon, 04 Mar 2024 10:00:00 GMT", moment(2024, 3, 4, 10)),
    ("Dienstag, 5. März 2024", moment(2024, 3, 5)),
    ("Mon Mar  4 10:00:00 2024", moment(2024, 3, 4, 10)),
    ("10/Oct/2000:13:55:36 -0700", moment(2000, 10, 10, 13, 55, 36, hours=-7)),
    ("31.12.2024 10:00 Uhr", moment(2024, 12, 31, 10)),
    ("2024-Dec-31", moment(2024, 12, 31)),
    ("20241231T235900Z", moment(2024, 12, 31, 23, 59)),
    ("2024-12", moment(2024, 12, 1)),
    ("12/2024", moment(2024, 12, 1)),
    ("Dez 2024", moment(2024, 12, 1)),
    ("12:30", 45000), ("7:05:30", 25530), ("120:00", 432000),
])  # fmt: skip
def test_each_way_of_writing_a_date(text, seconds):
    assert dates_of(text) == [seconds]


@pytest.mark.parametrize("text", [
    "2023-02-29", "2024-13-01", "2024-00-10", "32.1.2024", "2024-12-31T25:00", "2024-12-31 10:61",
    "1.2.3", "192.168.1.1", "5", "12.5", "20241231", "1700000000", "5 apples 2024", "0000-00-00",
    "2024-12-31T10:00+9", "13:00 PM", "may", "3 Foo 2024", "100.10.2000", "2024-1-2-3",
])  # fmt: skip
def test_what_is_no_date(text):
    assert DateEvidence.of(Cells.of([text])).decide() is None


def test_numbers_that_are_dates_in_several_cells():
    assert dates_of("20241231", "20250101", "20250102")[0] == moment(2024, 12, 31)
    assert dates_of("20241231235900", "20250101000000", "20250102000000")[0] == moment(
        2024, 12, 31, 23, 59
    )
    assert DateEvidence.of(Cells.of(["20241231", "99999999", "12345678"])).decide() is None
    epochs = Cells.of(["1700000000", "1700000060", "1700000120"])
    assert DateEvidence.of(epochs).decide() is None, "seconds stay numbers"


def test_a_day_above_twelve_tells_the_order_of_all():
    assert dates_of("01/02/2024", "13/02/2024")[0] == moment(2024, 2, 1)
    assert dates_of("01/02/2024", "02/13/2024")[0] == moment(2024, 1, 2)
    assert dates_of("01/02/2024", usual="dmy")[0] == moment(2024, 2, 1)


def test_an_order_that_nothing_tells_is_a_guess_that_is_said():
    guess = DateEvidence.of(Cells.of(["01/02/2024", "03/04/2024"])).decide()
    assert guess.ambiguous and guess.orders == {"/": ("mdy",)}
    assert not DateEvidence.of(Cells.of(["01/02/2024", "13/04/2024"])).decide().ambiguous
    days = [f"{day:02d}/01/2024" for day in range(1, 13)]
    varied = DateEvidence.of(Cells.of(days)).decide()
    assert varied.orders == {"/": ("dmy",)} and varied.ambiguous, "days vary more than months"
    point = DateEvidence.of(Cells.of(["01.02.2024"])).decide()
    assert point.orders == {".": ("dmy",)}
    short = DateEvidence.of(Cells.of(["24-12-01", "24-12-02", "24-11-03"])).decide()
    assert short.orders == {"-": ("yymmdd",)}


def test_mixed_formats_are_read_cell_by_cell():
    mixed = ["2024-12-31", "31.12.2024", "12/31/2024", "Dec 31, 2024", "31 Dec 2024 00:00:00Z"]
    assert dates_of(*mixed) == [moment(2024, 12, 31)] * 5


HOURS = [f"2013-06-{1 + hour // 24:02d} {hour % 24:02d}:00" for hour in range(600)]
ANOTHER_FAMILY = [
    "17/06/2013 05:00", "06/17/2013", "17.06.2013 05:00", "2013/06/17 05:00", "17 Jun 2013",
    "20130617", "2013-06", "  17/06/2013  ", "17-06-2013T05:00Z",
]  # fmt: skip


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("cell", ANOTHER_FAMILY)
def test_a_date_that_is_written_as_hardly_any_other_of_its_column_is_odd(cell, loops, monkeypatch):
    if not loops:
        monkeypatch.setattr(kernel, "C", None)
    cells = Cells.of([*HOURS, cell])
    notation = DateEvidence.of(cells).decide()
    assert notation.families == ("ymd-",)
    reading = notation.read(cells)
    assert reading.state[-1] == ODD and math.isnan(reading.value[-1])
    assert (reading.state[:-1] == VALUE).all()
    # a column that never had such a cell knows its families, too
    without = DateEvidence.of(cells.take(np.arange(600))).decide()
    assert without == notation and not without.ambiguous
    stored = DateNotation.from_json(notation.to_json())
    assert stored == notation


def test_the_notation_of_a_model_of_before_reads_every_family():
    facts = DateEvidence.of(Cells.of(HOURS)).decide().to_json()
    assert facts.pop("families") == ["ymd-"]
    notation = DateNotation.from_json(facts)
    cells = Cells.of(["2013-06-17", "06/17/2013", "17.06.2013", "17 Jun 2013", "20130617"])
    assert notation.read(cells).value.tolist() == [moment(2013, 6, 17)] * 5
    # and so of another file that it reads anew
    anew = DateEvidence.of(cells).decide(known=())
    assert anew.families == () and (anew.read(cells).state == VALUE).all()


def test_a_damaged_family_is_refused():
    facts = DateEvidence.of(Cells.of(HOURS)).decide().to_json()
    for damaged in ("ymd-", ["ymd"], [1], {"ymd-": 1}):
        with pytest.raises(ValueError):
            DateNotation.from_json({**facts, "families": damaged})


@pytest.mark.parametrize("cell", [
    "2013-06-17", "2013-6-7 5:00", "2013-06-17T05:00:00.25Z", " 2013-06-17 05:00 ",
])  # fmt: skip
def test_a_time_a_zone_and_zeros_in_front_make_no_other_family(cell):
    cells = Cells.of([*HOURS, cell])
    assert (DateEvidence.of(cells).decide().read(cells).state == VALUE).all()


@pytest.mark.parametrize("usual", ["17/06/2013", "17 Jun 2013 05:00", "20130617", "2013.06.17"])
def test_every_family_may_be_the_usual_one(usual):
    cells = Cells.of([usual] * 50 + ["2013-06-17"])
    notation = DateEvidence.of(cells).decide()
    assert notation.read(cells).state.tolist() == [VALUE] * 50 + [ODD]


def test_first_bytes_tell_no_other_family_than_the_whole_text():
    texts = [
        "2024-12-31", "2024/1/5 05:00", "2024.12.31", "2024-12", "2024/12", "12/2024", "1/2024",
        "31/12/2024", "1/2/24", "31-Dec-2024", "3-Jan-22", "3-1-22", "June-05-2024", "Jun-05-2024",
        "2024-Jan-05", "20241231", "20241231T0500Z", "Mon 31.12.2024", "Mon, 2024-12-31",
        " 2024-12-31", "31. 12. 2024", "5 Jan 2024", "24-12-31", "Dec 31, 2024 05:00",
    ]  # fmt: skip
    cells = Cells.of(texts)
    told = dates.families_of_cells(cells)
    assert (told != "").all()
    for family in FAMILIES:
        is_sure = surely_of(cells, family)
        assert (told[is_sure] == family).all(), family
        if family in ("ymd-", "/", "compact"):
            assert is_sure.any()
    nothing = Cells.of(["", "2", None])
    assert not any(surely_of(nothing, family).any() for family in FAMILIES)


@pytest.mark.parametrize(("others", "families"), [
    (1, ("ymd-",)), (3, ("ymd-",)), (4, (".", "ymd-")), (300, (".", "ymd-")),
])  # fmt: skip
def test_many_dates_of_another_family_are_meant(others, families):
    cells = Cells.of(HOURS + ["17.06.2013"] * others)
    assert DateEvidence.of(cells).decide().families == families


def test_of_few_dates_none_is_of_a_rare_family():
    cells = Cells.of([*HOURS[:9], "17.06.2013"])
    assert DateEvidence.of(cells).decide().families == (".", "ymd-")
    cells = Cells.of([*HOURS[:10], "17.06.2013"])
    assert DateEvidence.of(cells).decide().families == ("ymd-",)


def test_both_orders_are_tried_where_both_are_common():
    cells = [*["31/12/2024"] * 10, *["12/30/2024"] * 5, "01/02/2024"]
    assert dates_of(*cells)[-2:] == [moment(2024, 12, 30), moment(2024, 2, 1)]
    slip = [*[f"01/{day:02d}/2024" for day in range(1, 31)] * 2, "31/12/2024"]
    assert dates_of(*slip)[-1] is None, "one of 61 is an error, not an order"


def test_a_bad_cell_among_dates_is_odd():
    days = [f"2024-01-{day:02d}" for day in range(1, 12)]
    assert dates_of(*days, "ERR")[-1] is None
    assert dates_of(*days, "2024-02-30")[-1] is None
    assert dates_of(*days, "45292")[-1] is None
    reading = DateNotation().read(Cells.of([*days[:1], "NA", "", None, "x", "fehlt"]))
    assert reading.state.tolist() == [VALUE, GAP, GAP, GAP, ODD, ODD]
    told = DateNotation(gap_words=("fehlt",))
    assert told.read(Cells.of(["fehlt"])).state.tolist() == [GAP]


def test_offsets_and_fractions_may_change_within_a_column():
    winter, summer = "2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00.5+02:00"
    assert dates_of(winter, summer) == [
        moment(2024, 1, 1, hours=1),
        moment(2024, 7, 1, hours=2) + 0.5,
    ]


def test_times_are_odd_among_dates_and_dates_among_times():
    assert dates_of(*["2024-01-01"] * 9, "12:30")[-1] is None
    assert dates_of(*["12:30"] * 9, "2024-01-01")[-1] is None


STYLES = ["2024-12-31", "31.12.2024 23:59", "12/31/2024 23:59:59", "2024-12-31T23:59:59.123456Z",
          "3. März 2024", "20241231", "2024/1/5 10:00", "31.12.24", "24-12-31", "20241231T235959"]  # fmt: skip


@given(st.sampled_from(STYLES), st.integers(0, 2_000_000_000))
def test_what_is_shown_of_a_date_is_read_back(text, seconds):
    notation = DateEvidence.of(Cells.of([text])).decide(asked=True, usual="yymmdd")
    step = {0: 86400, 2: 60, 3: 1}[notation.style.fields]
    value = seconds // step * step
    shown = notation.show(float(value))
    reading = notation.read(Cells.of([shown]))
    assert reading.state[0] == VALUE and reading.value[0] == value, shown


@given(st.sampled_from(STYLES))
def test_the_style_of_a_date_is_the_one_shown(text):
    notation = DateEvidence.of(Cells.of([text])).decide(asked=True, usual="yymmdd")
    value = notation.read(Cells.of([text])).value[0]
    shown = {"3. März 2024": "3 Mar 2024"}.get(text, text)
    assert notation.show(value) == shown


@given(st.lists(st.integers(-700_000, 2_900_000), min_size=1, max_size=20))
def test_the_calendar_is_that_of_python(days):
    inside = [d for d in days if -719_162 <= d <= 2_932_896]
    expected = [datetime(1970, 1, 1) + timedelta(days=d) for d in inside]
    year, month, day = calendar.civil(np.array(inside, np.int64))
    assert [*zip(year.tolist(), month.tolist(), day.tolist(), strict=True)] == [
        (e.year, e.month, e.day) for e in expected
    ]
    assert calendar.days_of(year, month, day).tolist() == inside
    assert calendar.are_days(year, month, day).all()


def test_days_that_there_are_not():
    year, month, day = (
        np.array(column)
        for column in zip(
            (2023, 2, 29),
            (1900, 2, 29),
            (2000, 2, 29),
            (2024, 4, 31),
            (0, 1, 1),
            (2024, 13, 1),
            strict=True,
        )
    )
    assert calendar.are_days(year, month, day).tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("facts", [
    {}, {"orders": {"?": ["dmy"]}, "style": {"widths": [4, 2, 2]}},
    {"orders": {"/": ["ydm"]}, "style": {"widths": [4, 2, 2]}},
    {"orders": {}, "style": {"widths": [4, 2, 2], "fields": 9}},
    {"orders": {}, "style": {"widths": [4, 2, 2]}, "only_time": 1},
])  # fmt: skip
def test_facts_that_are_no_notation_of_dates(facts):
    with pytest.raises((ValueError, TypeError, KeyError)):
        DateNotation.from_json(facts)


PIECES = st.one_of(
    st.text("0123456789-/.:TZ+ ,", max_size=20),
    st.builds(
        "{:0{}}{}{:0{}}{}{:0{}}{}".format,
        st.integers(0, 2500), st.integers(1, 4), st.sampled_from("-/."),
        st.integers(0, 13), st.integers(1, 2), st.sampled_from("-/."),
        st.integers(0, 2500), st.integers(1, 4),
        st.sampled_from(["", "T10:00", " 7:05:09", "T23:59:60", " 24:00", "T10:00:00.125Z", " 9:30 PM",
                         "T10:00:00,5+02:00", "T10:00-0530", "T10:00:00+2", " 10:00:00.123456789 ", "x"]),
    ),
)  # fmt: skip
ORDERS = st.dictionaries(
    st.sampled_from("-/."),
    st.lists(st.sampled_from(["dmy", "mdy", "yymmdd"]), min_size=1, unique=True).map(tuple),
)


@pytest.mark.skipif(not kernel.C, reason="the kernel is not built")
@given(st.lists(PIECES, max_size=12), ORDERS)
def test_the_kernel_reads_moments_as_the_norm_does(texts, orders):
    cells = Cells.of([*texts, "2024-12-31T10:00:00.125+02:00"])
    notation = DateNotation(orders)
    fast = notation.read(cells)
    assert fast.state[-1] == VALUE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "C", None)
        norm = notation.read(cells)
    np.testing.assert_array_equal(fast.value, norm.value)
    np.testing.assert_array_equal(fast.state, norm.state)


@given(st.lists(st.one_of(NUMERALS, PIECES), max_size=12),
       st.sampled_from([("", ""), ("$", ""), ("", " km"), ("", " 10:30"), ("", "T00:30:00+01:00")]))  # fmt: skip
def test_the_same_is_decided_and_read_without_the_kernel(texts, affixes):
    texts = [*texts, *(text.join(affixes) for text in texts)]
    cells = Cells.of(texts)
    for kind in (NumberEvidence, DateEvidence):
        fast = kind.of(cells)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "C", None)
            assert kind.of(cells) == fast
    for mark in ".,":
        fast = NumberNotation(mark).read(cells)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "C", None)
            norm = NumberNotation(mark).read(cells)
        for one, other in zip(vars(fast).values(), vars(norm).values(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_kinds_of_state_are_told_apart():
    assert (VALUE, GAP, ODD) == (0, 1, 2) and dates.VALUE == VALUE


@pytest.mark.parametrize(("cells", "numbers"), [
    (["1", "-20", "0"], [1, -20, 0]),
    (["1.50", "", "1e-7"], [1.5, None, 1e-7]),
    (["0.1234567890123456", "NA", "2"], [0.1234567890123456, None, 2.0]),
    # digits that a double has not, zeros in front, whole numbers that JavaScript would round
    (["0.12345678901234567890"], None), (["007", "1"], None), ([str(2**53 + 1)], None),
    (["1,5"], None), (["1", "one"], None), (["", "NA"], None), ([], None), ([" 1"], None),
    (["+1"], None), (["1_000"], None), (["inf"], None), (["1e999"], None), (["\u0661"], None),
])  # fmt: skip
def test_cells_that_are_all_numbers_of_programs(cells, numbers):
    assert numbers_of(cells) == numbers
    if numbers:
        assert [type(value) for value in numbers_of(cells)] == [type(value) for value in numbers]
