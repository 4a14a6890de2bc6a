"""Tables whose numbers begin to be written with other decimals: blocks of their own, if smaller."""

import numpy as np
import pytest

from aetool import operations
from aetool.codec import planning, records, regimes
from aetool.codec.archive import Archive
from aetool.codec.records import Layout
from aetool.csv.fields import Rule, fields
from aetool.operations import CompressOptions

ROWS = 6000
AT = [2000, 4000]


def prices(at=AT):
    """A price of four decimals, then of two, then of two as 32-bit floats print them."""
    rng = np.random.default_rng(0)
    walk = 50 + np.cumsum(rng.normal(0, 0.2, ROWS)) + 0.2 * np.arange(ROWS) ** 0.9
    first, second, _ = np.split(np.arange(ROWS), at)
    cells = [f"{float(np.float32(round(value, 2))):.6f}" for value in walk]
    for row in first:
        cells[row] = f"{walk[row]:.4f}"
    for row in second:
        cells[row] = f"{walk[row]:.2f}"
    return "".join(f"{row},{cell}\n" for row, cell in enumerate(cells)).encode()


def same_all_along(decimals=2):
    rng = np.random.default_rng(0)
    return "".join(f"{row},{x:.{decimals}f}\n" for row, x in enumerate(rng.normal(size=ROWS)))


def cuts_of(text, delimiter=","):
    return regimes.cuts(fields(text, Rule(delimiter)))


def test_cuts_are_where_the_decimals_change():
    assert cuts_of(prices()) == AT
    assert cuts_of(prices([1234, 3456])) == [1234, 3456]


def test_decimal_commas_are_marks_too():
    text = prices().replace(b",", b";").replace(b".", b",")
    assert cuts_of(text, ";") == AT


@pytest.mark.parametrize(
    "text",
    [
        same_all_along().encode(),
        # trailing zeros left out: one in ten has a decimal less
        same_all_along().replace("0\n", "\n").encode(),
        # rows of two kinds all along
        "".join(f"{k},{k / 7:.{2 + k % 2}f}\n" for k in range(ROWS)).encode(),
        # too many for blocks of their own
        "".join(f"{k},{k / 7:.{2 + k // 500 % 2}f}\n" for k in range(ROWS)).encode(),
        # a few rows only
        "".join(f"{k},{k / 7:.{4 if 900 < k < 1000 else 2}f}\n" for k in range(ROWS)).encode(),
        # a small column among large ones
        "".join(f"{k},{'x' * 60},{k:.{1 + (k > 3000)}f}\n" for k in range(ROWS)).encode(),
        b"".join(prices().splitlines(keepends=True)[::20]),  # too small a table
        b"a,b\n" * ROWS,
    ],
    ids=["same", "zeros", "mixed", "often", "few rows", "small column", "small table", "words"],
)
def test_tables_that_are_written_alike_all_along_are_not_cut(text):
    assert cuts_of(text) == []


@pytest.mark.parametrize("effort", [planning.DEFAULT, planning.FAST])
def test_a_table_is_cut_where_that_is_smaller_and_restored(effort, tmp_path):
    source = tmp_path / "t.csv"
    source.write_bytes(b"row,price\n" + prices())
    archive = tmp_path / "t.aez"
    operations.compress(source, archive, None, CompressOptions(effort=effort))
    with Archive(archive) as opened:
        rows = [block.rows for block in opened.reader.blocks]
        across = opened[1990:4010]
    # by the fast effort a table is one block
    assert rows == ([2000, 2000, 2000] if effort is planning.DEFAULT else [ROWS])
    lines = source.read_text().splitlines()[1991:4011]
    expected = [line.split(",") for line in lines]
    assert across["row"].tolist() == [int(row) for row, _ in expected]
    assert across["price"].tolist() == [float(price) for _, price in expected]
    operations.decompress(archive, tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == source.read_bytes()


def test_blocks_of_their_own_are_at_most_as_large(monkeypatch):
    layout = Layout(Rule(","), ["row", "price"])
    parts = records.encode(prices(), layout)
    size_of_parts = sum(len(part.payload) for part in parts)
    monkeypatch.setattr(regimes, "cuts", lambda cells: [])
    (whole,) = records.encode(prices(), layout)
    assert size_of_parts < 0.9 * len(whole.payload)
    # cut where nothing changes there is nothing to gain, and it is not cut
    text = same_all_along().encode()
    monkeypatch.setattr(regimes, "cuts", lambda cells: [3000])
    assert len(records.encode(text, layout)) == 1


def test_bounds_hold_in_each_block(tmp_path):
    source = tmp_path / "t.csv"
    source.write_bytes(b"row,price\n" + prices())
    options = CompressOptions(max_error={"price": "0.05"})
    operations.compress(source, tmp_path / "t.aez", None, options)
    operations.decompress(tmp_path / "t.aez", tmp_path / "back.csv")
    before, after = (
        np.loadtxt(path, delimiter=",", skiprows=1) for path in (source, tmp_path / "back.csv")
    )
    assert (before[:, 0] == after[:, 0]).all()
    assert np.abs(before[:, 1] - after[:, 1]).max() <= 0.05 * (1 + 1e-9)


def test_a_change_is_seen_though_few_cells_of_long_stretches_are_looked_at():
    """Of 300 rows in each of 64 stretches 64 are looked at."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=19_200)
    rows = [
        f"{row},{x:.4f}\n" if row < 7000 else f"{row},{x:.2f}\n" for row, x in enumerate(values)
    ]
    assert cuts_of("".join(rows).encode()) == [7000]
    assert cuts_of("".join(rows[:7000]).encode()) == []
