"""Drift: how often `aetool drift` calls the same data shifted, and how often it sees a shift.

Tables of 20 columns and 2,000 rows, twice drawn: a model is fitted on the one and the other is compared
with it. 12 numbers (normal, lognormal, uniform and counts, two of them correlated by 0.8), 4 gapped
numbers (4 %), and 4 categories of 2 to 20 levels. Each repeat draws its own tables and fits its own model.
same: as they are. mean: one number moved by 0.25 standard deviations. level: 2 % of one category become a
word not seen before. gaps: those of one column from 4 % to 8 %. correlation: of the pair one column is
shuffled, so that each column alone is as it was.
"""

from __future__ import annotations

import common
import numpy as np
import pandas as pd

from aetool import operations

ROWS, REPEATS = 2_000, 100
GAPS, MORE_GAPS, SHIFT, NEW, CORRELATION = 0.04, 0.08, 0.25, 0.02, 0.8
LEVELS = (2, 4, 8, 20)


def table(rng: np.random.Generator, rows: int = ROWS) -> pd.DataFrame:
    """Draw a table of one fixed distribution, each row independently of the others."""
    pair = rng.multivariate_normal([0, 0], [[1, CORRELATION], [CORRELATION, 1]], rows)
    columns = {"n00": pair[:, 0], "n01": pair[:, 1]}
    for place in range(2, 12):
        kind = place % 4
        if kind == 0:
            values = rng.normal(10, 3, rows)
        elif kind == 1:
            values = rng.lognormal(0, 1, rows)
        elif kind == 2:
            values = rng.uniform(0, 100, rows)
        else:
            values = rng.poisson(3, rows).astype(float)
        columns[f"n{place:02}"] = values
    for place in range(4):
        values = rng.normal(5, 2, rows)
        values[rng.random(rows) < GAPS] = np.nan
        columns[f"g{place}"] = values
    for count in LEVELS:
        often = 1 / np.arange(1, count + 1)
        words = [f"w{level:02}" for level in range(count)]
        columns[f"c{count:02}"] = rng.choice(words, rows, p=often / often.sum())
    return pd.DataFrame(columns)


def shifted(new: pd.DataFrame, how: str, rng: np.random.Generator) -> pd.DataFrame:
    """A copy of the rows, shifted in one of WAYS; "same" leaves them as they are."""
    new = new.copy()
    if how == "mean":
        new["n04"] += SHIFT * 3
    elif how == "level":
        new.loc[rng.random(len(new)) < NEW, "c04"] = "new"
    elif how == "gaps":
        more = (MORE_GAPS - GAPS) / (1 - GAPS)
        new.loc[rng.random(len(new)) < more, "g0"] = np.nan
    elif how == "correlation":
        new["n01"] = rng.permutation(new["n01"].to_numpy())
    return new


WAYS = ("same", "mean", "level", "gaps", "correlation")


def words(seed: int, rows: int = ROWS) -> dict[str, str]:
    """The verdict of `operations.drift`, such as "same", by way, on tables drawn with this seed."""
    rng = np.random.default_rng(seed)
    model = operations.fit(table(rng, rows))
    new = table(rng, rows)
    return {how: operations.drift(model, shifted(new, how, rng)).word for how in WAYS}


def main() -> None:
    """Record the verdict on each table, and print for each way how many differ from "same"."""
    options = common.parser(__doc__).parse_args()
    repeats = REPEATS * options.seeds
    example = table(np.random.default_rng(0))
    count = dict.fromkeys(WAYS, 0)
    for seed in range(repeats):
        for how, word in words(seed).items():
            count[how] += word != "same"
            common.record("drift", {"data": how, "word": word}, seeds=[seed], data=example)
        print(f"{seed + 1} of {repeats}: {count}", flush=True)


if __name__ == "__main__":
    main()
