"""A bound is for quantities, whose numbers have the same text around them, and not for labels such
as `1. White` and `2. Black`; where it has no effect on a column that was named, that is said."""

from fractions import Fraction

import numpy as np
import pytest

import aetool
from aetool import operations
from aetool.codec.ranges import RangeEvidence
from aetool.errors import ParamError
from aetool.operations import CompressOptions

ROWS = 400
LABELS = {
    "list": ["1. White", "1. White", "1. White", "2. Black", "3. Asian"],
    "class": ["3rd class", "3rd class", "1st class", "2nd class"],
    "yes": ["0_no", "0_no", "1_yes"],
    "sides": ["<6m", ">6m"],
    "units": ["5 kg", "7 kg", "9 kg", "12 lb"],
    "rare": ["1. White"] * 30 + ["2. Black"],
}
NAMES = {
    "code": ["P1234", "P5678", "P2222"],
    "region": ["Region 7", "Region 12", "Region 3"],
    "term": ["term_36", "term_60", "term_48"],
    "tyre": ["R14", "R15", "R16"],
    "number": ["#5", "#77", "#12"],
    "padded": ["No. 12", "No. 02", "No. 17"],
}
QUANTITIES = {
    "kilograms": ["12.5 kg", "3.1 kg", "7.9 kg", "NA"],
    "dollars": ['"$1,234"', '"$4,321"', '"-$2,200"', "$0"],
    "percent": ["12%", "3%", "0", "45%"],
    "euros": ["EUR 1234", "EUR 5678", "EUR 2222"],
    "small": ["usd 120", "usd 56", "usd -22"],
    "rand": ["R 1234", "R 5678", "R 2222"],
    "cents": ["R14.50", "R16.20", "R18.00"],
    "said": ["T=19", "T=21", "T=25"],
    "acid": ["pH 7.2", "pH 6.9", "pH 7"],
    "below": ["<5", "<10", "<50"],
}


def evidence_of(cells):
    """What cells say of their range."""
    length = np.array([len(cell) for cell in cells], np.int32)
    stop = np.cumsum(length, dtype=np.int32)
    buffer = np.frombuffer("".join(cells).encode(), np.uint8)
    return RangeEvidence.of(buffer, stop - length, stop)


def table(path, cells, rows=ROWS):
    """A table whose column c has these cells in turns, beside noise that a bound makes smaller."""
    noise = np.random.default_rng(3).normal(100, 10, rows).round(3)
    lines = [f"{number},{cells[row % len(cells)]}" for row, number in enumerate(noise.tolist())]
    path.write_text("\n".join(["n,c", *lines]) + "\n")
    return path


@pytest.mark.parametrize("kind", LABELS)
def test_a_label_is_no_quantity(tmp_path, kind, run):
    path = table(tmp_path / "t.csv", LABELS[kind])
    done = run("compress", path, "--max-error", "c=1", "-o", tmp_path / "a.aez")
    assert done.status == 2 and done.err.count("\n") == 1
    assert "column 'c' holds labels or numbers of several units, such as '" in done.err
    assert not (tmp_path / "a.aez").exists()
    shown = [cell for cell in LABELS[kind] if f"'{cell}'" in done.err]
    assert len(set(shown)) == 2


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_within_a_bound_of_all_numbers(tmp_path, kind):
    path = table(tmp_path / "t.csv", LABELS[kind])
    figures = aetool.compress(path, tmp_path / "a.aez", max_error="1%")
    assert set(figures["errors"]) == {"n"}
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    before, after = (file.read_text().splitlines() for file in (path, back))
    assert [line.split(",")[1] for line in before] == [line.split(",")[1] for line in after]


@pytest.mark.parametrize("kind", QUANTITIES)
def test_a_quantity_is_bounded(tmp_path, kind):
    path = table(tmp_path / "t.csv", QUANTITIES[kind])
    aetool.compress(path, tmp_path / "a.aez", max_error={"c": 2})
    evidence = evidence_of([cell.strip('"') for cell in QUANTITIES[kind]])
    ends = {"kilograms": ("3.1", "12.5"), "dollars": ("-2200", "4321"), "percent": ("3", "45"),
            "euros": ("1234", "5678"), "small": ("-22", "120"), "rand": ("1234", "5678"),
            "cents": ("14.5", "18"), "said": ("19", "25"), "acid": ("6.9", "7.2"),
            "below": ("5", "50")}[kind]  # fmt: skip
    if kind != "dollars":  # of four cells their notation is not read
        assert evidence.ends == tuple(map(Fraction, ends)) and not evidence.are_labels


@pytest.mark.parametrize("kind", NAMES)
def test_a_number_of_a_name_is_no_quantity(tmp_path, kind, run):
    path = table(tmp_path / "t.csv", NAMES[kind])
    done = run("compress", path, "--max-error", "c=1", "-o", tmp_path / "a.aez")
    assert done.status == 2 and done.err.count("\n") == 1
    assert f"column 'c' holds labels, such as '{NAMES[kind][0]}': whole numbers beh" in done.err
    assert evidence_of(NAMES[kind]).ends is None and not (tmp_path / "a.aez").exists()
    # one piece of a column may have no decimals where another has some
    pieces = evidence_of(["pH 7", "pH 6"]) + evidence_of(["pH 6.5"])
    assert pieces.ends == (6, 7) and not pieces.are_names


def test_labels_of_several_pieces_are_labels():
    """Records that are sorted by a label have one in each piece."""
    white, black = (evidence_of([cell] * 50) for cell in ("1. White", "2. Black"))
    assert white.is_constant and white.ends == (1, 1) and not white.are_labels
    for both in (white + black, black + white):
        assert both.are_labels and both.ends is None and not both.is_constant
        assert sorted(both.examples.values()) == [b"1. White", b"2. Black"]
    # further numbers between the same text, and numbers without any
    heavier = evidence_of(["3 kg"] * 50) + evidence_of(["5 kg"] * 50)
    assert heavier.ends == (3, 5) and (heavier + evidence_of(["40"] * 20)).ends == (3, 40)


def test_a_number_that_never_differs_is_left_alone(tmp_path, run):
    path = table(tmp_path / "t.csv", ["1. White"])
    done = run("compress", path, "--max-error", "c=1", "--max-error", "n=1", "-o", tmp_path / "a")
    assert "note: c: stored exactly, as " in done.err and done.status == 0
    back = operations.decompress(tmp_path / "a", tmp_path / "back.csv")
    assert back.read_text().count(",1. White\n") == ROWS


NO_EFFECT = {
    "0.0004": "a bound of 0.0004 is less than the last digit of its numbers, 0.001",
    "1e-5": "a bound of 1e-5 is less than the last digit of its numbers, 0.001",
    "0.0001%": "a bound of 0.0001%, which is 6.",
}


@pytest.mark.parametrize("asked", NO_EFFECT)
def test_a_bound_without_effect_is_said(tmp_path, run, asked):
    path = table(tmp_path / "t.csv", ["a", "b"])
    done = run("compress", path, "--max-error", f"n={asked}", "-o", tmp_path / "a.aez")
    (note,) = done.err.splitlines()[1:]
    assert note.startswith(f"note: n: stored exactly, as {NO_EFFECT[asked]}")
    assert operations.info(tmp_path / "a.aez")["fidelity"] == "lossless"


def test_a_bound_of_all_without_effect_is_said_once(tmp_path, run):
    path = table(tmp_path / "t.csv", ["a", "b"])
    done = run("compress", path, "--max-error", "0.0004", "-o", tmp_path / "a.aez")
    assert done.err.splitlines()[1:] == [
        "note: all is stored exactly: no number can be rounded within 0.0004"
    ]


# of whole numbers of 0 to 6 none is within a half of another
UNROUNDED = {
    "1": "rounding numbers within 1 saves nothing",
    "20%": "rounding numbers within 20% saves nothing",
    "0.5": "no number can be rounded within 0.5",
}


@pytest.mark.parametrize("bound", UNROUNDED)
def test_numbers_that_need_no_rounding_could_have_been_rounded(tmp_path, bound):
    """Numbers that follow from others: their table takes fewer bytes exactly than rounded."""
    lines = [f"{row % 24:02}:{row % 60:02},{row % 7}" for row in range(420)]
    (tmp_path / "t.csv").write_text("\n".join(["time,day", *lines]) + "\n")
    figures = aetool.compress(tmp_path / "t.csv", tmp_path / "a.aez", max_error=bound)
    assert figures["unbounded"] == [f"all is stored exactly: {UNROUNDED[bound]}"]


@pytest.mark.parametrize("bounds", [{"": "1%"}, {"": "1%", "c": "0"}, {"n": "0"}, {"": "0"}])
def test_what_has_an_effect_or_asks_for_none_is_not_said(tmp_path, bounds):
    path = table(tmp_path / "t.csv", ["1", "2", "5"])
    options = CompressOptions(max_error=bounds)
    assert "unbounded" not in operations.compress(path, tmp_path / "a.aez", options=options)


def test_an_array_that_keeps_its_numbers_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(20), y=np.random.default_rng(0).normal(size=20))
    figures = aetool.compress(
        tmp_path / "a.npz", tmp_path / "a.aez", max_error={"x": "0.4", "y": "0.1"}
    )
    assert figures["unbounded"] == [
        "x: stored exactly, as none of its numbers can be rounded within 0.4"
    ]


def test_text_is_refused_by_name(tmp_path):
    path = table(tmp_path / "t.csv", ["a", "b"])
    with pytest.raises(ParamError, match="column 'c' does not hold numbers"):
        aetool.compress(path, tmp_path / "a.aez", max_error={"c": "1"})
