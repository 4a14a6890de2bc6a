"""Cells of text are the numbers that their column writes, for the prices of an archive's rows."""

import csv

import numpy as np
import pytest

from aetool import operations
from aetool.codec import number_cells, spans
from aetool.codec.archive import Archive

NAN = np.nan


def read(texts):
    return number_cells.floats(spans.behind_another([text.encode() for text in texts]))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-2.5", "", "x"], [1, -2.5, NAN, NAN]),
        (['"1.5"', " 2", '""'], [1.5, 2, NAN]),
        # a decimal comma, under which a point is between thousands
        (["1,5", "-0,25", "12", "", "1.234,5", "1.234"], [1.5, -0.25, 12, NAN, 1234.5, 1234]),
        (['"900,000.00"', '"1,250.50"', '"3.25"'], [900000, 1250.5, 3.25]),
        (["5 kWh", "12 kWh", "7.5 kWh"], [5, 12, 7.5]),
        (["1e5", "-2.5E-3", "3"], [1e5, -2.5e-3, 3]),
        (["inf", "nan", "0x10", "1e999", "4"], [NAN, NAN, NAN, NAN, 4]),
        ([], []),
        ([""], [NAN]),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(texts, expected):
    np.testing.assert_array_equal(read(texts), expected)


@pytest.mark.parametrize("place", [0, 1, 6, 63, 64, 500, 701])
def test_it_does_not_matter_where_a_number_stands(place):
    words = ["x"] * 702
    words[place] = "1e5"
    assert np.flatnonzero(read(words) == 1e5).tolist() == [place]


def test_a_long_column_of_words_has_no_numbers():
    words = [f"name {number}" for number in range(20_000)]
    assert np.isnan(read(words)).all()


def test_numbers_of_an_archive_with_decimal_commas_are_read(tmp_path):
    rng = np.random.default_rng(4)
    a = rng.normal(50, 3, 800).round(2)
    b = (2 * a + rng.normal(0, 1, 800)).round(2)
    a[18], b[18] = 75, 100
    numbers = {}
    scores = {}
    for name, delimiter, mark in (("points", ",", "."), ("commas", ";", ",")):
        table = tmp_path / f"{name}.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(["a", "b"])
            for row in zip(a, b, strict=True):
                writer.writerow([f"{number:.2f}".replace(".", mark) for number in row])
        archive = tmp_path / f"{name}.aez"
        operations.compress(table, archive)
        with Archive(archive) as opened:
            ((block, _),) = opened.costs()
            numbers[name] = opened.content.numbers(opened, block)
        scores[name] = np.asarray(operations.detect(archive, all_rows=True).score)
    for place, written in enumerate((a, b)):
        np.testing.assert_allclose(numbers["points"][place], written, rtol=1e-12)
        np.testing.assert_array_equal(numbers["points"][place], numbers["commas"][place])
    # cells are coded as the numbers that they are, and cost as much but for what is described
    assert scores["points"].argmax() == 18
    assert scores["commas"].argmax() == 18
    np.testing.assert_allclose(scores["commas"], scores["points"], rtol=0.01)


@pytest.mark.parametrize(("group", "decimal"), [(".", ","), (",", ".")])
def test_marks_of_thousands_in_an_archive_are_told_by_another_column(tmp_path, group, decimal):
    numbers = np.arange(300) * 97 + 1000
    lines = ["load;temp"]
    for place, number in enumerate(numbers.tolist()):
        load = f"{number:,}".replace(",", group) if place % 3 else str(number)
        lines.append(f"{load};{place % 40}{decimal}5")
    table = tmp_path / "load.csv"
    table.write_text("\n".join(lines) + "\n")
    operations.compress(table, tmp_path / "load.aez")
    with Archive(tmp_path / "load.aez") as opened:
        ((block, _),) = opened.costs()
        load, temp = opened.content.numbers(opened, block)
    np.testing.assert_array_equal(load, numbers)
    np.testing.assert_array_equal(temp, np.arange(300) % 40 + 0.5)
