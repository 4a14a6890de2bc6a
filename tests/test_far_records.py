"""What the numbers of a record cost together: by its distance from other records, told by brute force."""

import numpy as np
import pytest

from aetool import operations
from aetool.scoring import far_records
from aetool.scoring.outlying import standardised


def by_brute_force(columns: list[np.ndarray]) -> np.ndarray:
    """(rows, columns): the excess of each cell of a table of at most 256 rows, all distances
    computed."""
    scaled = np.stack([standardised(column) for column in columns], axis=1)
    differences = scaled[:, None, :] - scaled[None, :, :]
    squares = (differences**2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    third = np.argsort(squares, axis=1, kind="stable")[:, 2]
    rows = np.arange(len(scaled))
    distances = squares[rows, third]
    as_far = (distances[None, :] >= distances[:, None]).sum(axis=1)
    bits = np.log2((len(rows) + 1) / (as_far + 1))
    excess = 1.5 * np.maximum(bits - np.quantile(bits, 0.75), 0)
    parts = differences[rows, third] ** 2
    return parts / parts.sum(axis=1, keepdims=True) * excess[:, None]


def test_a_record_costs_by_the_third_nearest_and_cells_by_their_part():
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=200), rng.uniform(size=200), rng.integers(0, 5, 200) * 1.0]
    columns[1][5] = np.nan
    found = far_records.excess_bits([columns[0], None, *columns[1:]], 200)
    assert not found[:, 1].any()
    np.testing.assert_allclose(found[:, [0, 2, 3]], by_brute_force(columns), atol=1e-9)


def test_of_a_sample_the_cells_far_from_all_others_cost_most():
    rng = np.random.default_rng(1)
    state = rng.integers(0, 2, 5000)
    columns = [rng.normal(10 * state, 1), rng.normal(10 * state, 1), rng.normal(size=5000)]
    # each number is usual in its column, and the first two never go together so
    columns[0][77] = 10
    columns[1][77] = 0
    found = far_records.excess_bits(columns, 5000)
    totals = found.sum(axis=1)
    assert totals.argmax() == 77
    assert found[77, :2].sum() > 0.9 * totals[77]
    # at most a quarter of the records are beyond three of four
    assert 0.2 < (totals > 0).mean() <= 0.25


def test_two_records_alike_do_not_vouch_for_each_other():
    rng = np.random.default_rng(2)
    columns = [rng.normal(size=250), rng.normal(size=250)]
    for column in columns:
        column[[30, 31]] = 9
    totals = far_records.excess_bits(columns, 250).sum(axis=1)
    assert set(np.argsort(totals)[-2:].tolist()) == {30, 31}


@pytest.mark.parametrize(
    "columns",
    [
        [np.arange(9.0), None],
        [None, None],
        [np.ones(9), np.ones(9)],
        [np.full(9, np.nan), np.arange(9.0)],
        [np.arange(4.0), np.arange(4.0)],
        [np.zeros(0), np.zeros(0)],
    ],
    ids=["one", "none", "equal", "gaps", "four rows", "no rows"],
)
def test_where_nothing_is_far_nothing_is_dearer(columns):
    rows = (
        max(len(column) for column in columns if column is not None)
        if any(column is not None for column in columns)
        else 9
    )
    assert not far_records.excess_bits(columns, rows).any()


def test_huge_and_infinite_numbers_are_no_error():
    rng = np.random.default_rng(3)
    columns = [rng.normal(size=600), rng.normal(size=600)]
    columns[0][:3] = [1e308, -1e308, np.inf]
    bits = far_records.excess_bits(columns, 600)
    assert np.isfinite(bits).all() and bits.min() >= 0
    assert bits[:2].sum(axis=1).min() > 5


def test_a_cell_that_no_column_tells_is_found_in_an_archive(tmp_path):
    """A ring: what is at its middle is usual in both columns, and no line tells it."""
    rng = np.random.default_rng(4)
    angle = rng.uniform(0, 2 * np.pi, 4000)
    across = np.cos(angle) + rng.normal(0, 0.03, 4000)
    along = np.sin(angle) + rng.normal(0, 0.03, 4000)
    across[1234] = along[1234] = 0.01
    source = tmp_path / "ring.csv"
    lines = [f"{a:.3f},{b:.3f}\n" for a, b in zip(across, along, strict=True)]
    source.write_text("across,along\n" + "".join(lines))
    operations.compress(source, tmp_path / "ring.aez")
    found = operations.detect(tmp_path / "ring.aez", all_rows=True)
    assert (found.score >= found.score[1234]).sum() <= 20, "one in 200"
