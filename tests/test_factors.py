"""Rounded numbers from which other columns were computed are not stored as quotients."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetool import operations
from aetool.codec.archive import Archive
from aetool.codec.metas import NumberMeta, Quotients, RealMeta
from aetool.operations import CompressOptions

RNG = np.random.default_rng(21)
ROWS = 600
MINUTES = RNG.integers(15, 60_000, ROWS)
HOURS = np.round(MINUTES / 60, 2)
RATE = RNG.choice([35.5, 42.0, 55.25, 61.4], ROWS)


def texts(numbers, digits):
    return [f"{number:.{digits}f}" for number in numbers.tolist()]


def archive_of(tmp_path, name, columns):
    """An archive of columns of a table, as its extension has them."""
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.table(columns), path)
    else:
        rows = map(",".join, zip(*columns.values(), strict=True))
        path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    archive = tmp_path / f"{name}.aez"
    operations.compress(path, archive, None, CompressOptions())
    back = tmp_path / f"back.{name}"
    operations.decompress(archive, back)
    if name.endswith(".parquet"):
        assert pq.read_table(back) == pq.read_table(path)
    else:
        assert back.read_bytes() == path.read_bytes()
    return archive


def are_quotients(archive):
    """For each column whether it is stored as quotients."""
    with Archive(archive) as opened:
        ((block, _),) = opened.blocks(0, opened.rows)
        metas = [column.meta for column in block.columns]
    return [
        bool(meta.quotients)
        if isinstance(meta, NumberMeta)
        # doubles of a typed table
        else isinstance(meta, RealMeta) and isinstance(meta.numerals, Quotients)
        for meta in metas
    ]


@pytest.mark.parametrize("digits", [2, 3])
def test_hours_by_which_a_rate_was_multiplied_stay_hours(tmp_path, digits):
    hours = np.round(MINUTES / 60, digits)
    columns = {"hours": texts(hours, digits), "rate": texts(RATE, 2)}
    alone = archive_of(tmp_path, "alone.csv", columns)
    assert are_quotients(alone)[0]
    columns["amount"] = texts(np.round(hours * RATE, 2), 2)
    archive = archive_of(tmp_path, "pay.csv", columns)
    assert not any(are_quotients(archive))
    # the amounts follow, but for a few bytes, and the minutes would have saved less
    saved = ROWS * np.log2(10**digits / 60) / 8
    assert archive.stat().st_size < 1.05 * (alone.stat().st_size + saved) + 60


def test_an_amount_of_exact_hours_leaves_these_minutes(tmp_path):
    amount = np.round(MINUTES / 60 * RATE, 2)
    columns = {"hours": texts(HOURS, 2), "rate": texts(RATE, 2), "amount": texts(amount, 2)}
    assert are_quotients(archive_of(tmp_path, "pay.csv", columns))[0]


def test_hours_that_others_are_the_sum_of_are_minutes(tmp_path):
    more = RNG.gamma(2, 50, ROWS)
    total = np.round(HOURS + np.round(more, 2), 2)
    columns = {"hours": texts(HOURS, 2), "more": texts(more, 2), "total": texts(total, 2)}
    assert are_quotients(archive_of(tmp_path, "sum.csv", columns))[0]


def test_hours_by_which_a_way_was_divided_stay_hours(tmp_path):
    way = RNG.integers(5000, 900_000, ROWS) / 100
    speed = way / HOURS
    columns = {"hours": texts(HOURS, 2), "way": texts(way, 2), "speed": texts(speed, 10)}
    assert not are_quotients(archive_of(tmp_path, "speed.csv", columns))[0]


def test_doubles_of_a_typed_table_stay_as_they_are_written_too(tmp_path):
    hours = np.round(MINUTES / 60, 3)
    columns = {"hours": hours, "rate": RATE}
    assert are_quotients(archive_of(tmp_path, "alone.parquet", columns))[0]
    columns["amount"] = np.round(hours * RATE, 2)
    assert not any(are_quotients(archive_of(tmp_path, "pay.parquet", columns)))


def test_a_few_numbers_that_stand_in_two_columns_stay_the_same(tmp_path):
    hours = np.round(MINUTES[:40] / 60, 3)
    with_gaps = pa.array(hours, mask=np.arange(40) % 3 == 0)
    columns = {"hours": hours, "copy": with_gaps}
    assert not any(are_quotients(archive_of(tmp_path, "copy.parquet", columns)))
    assert are_quotients(archive_of(tmp_path, "alone.parquet", {"hours": hours}))[0]


def test_columns_of_zeros_and_gaps_beside_them_raise_no_warning(tmp_path):
    empty = [""] * ROWS
    zeros = texts(np.zeros(ROWS), 2)
    few = ["" if row % 7 else "12.25" for row in range(ROWS)]
    columns = {"hours": texts(HOURS, 2), "empty": empty, "zeros": zeros, "few": few}
    assert are_quotients(archive_of(tmp_path, "zeros.csv", columns))[0]
