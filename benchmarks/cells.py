"""Planted cells: single values of +-6 deviations in real tables, by the three ways of detecting.

20 tables, chosen by name before any was tried: eight of `tables`, and the ordinary rows of twelve
labelled sets. The first 5,000 rows are taken, and a cell of 20 of them (1 % of small tables) becomes its
column's mean plus or minus 6 standard deviations, in the column's decimals. Columns are numbers of at
least 20 values, none of which lies 6 deviations out already: there such a cell is ordinary.
calm: of the numbers those columns alone that have no value beyond 5 deviations; whole: all columns, in
which ordinary rows are as far out as the planted ones.
What counts is the part of the n planted rows among the n highest scores.
"""

from __future__ import annotations

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.operations import FitOptions

TABLES = (
    "adult", "beijing_air", "cmapss", "covtype20k", "credit", "elec", "kdd99", "stocks",
)  # fmt: skip
SETS = (
    "10_cover", "20_letter", "25_musk", "23_mammography", "26_optdigits", "27_PageBlocks", "30_satellite", "31_satimage-2",
    "38_thyroid", "40_vowels", "44_Wilt", "47_yeast",
)  # fmt: skip
ROWS, CELLS, DEVIATIONS, CALM, LEAST_VALUES = 5_000, 20, 6.0, 5.0, 20
WAYS = ("one-shot", "fit", "fit --robust")


def tables(folder):
    """(name, table, file) of each of the tables that is there."""
    for name in TABLES:
        path = folder / "tables" / f"{name}.csv"
        if path.exists():
            yield name, pd.read_csv(path, nrows=ROWS), path
    for name in SETS:
        path = folder / "detect" / f"{name}.npz"
        if path.exists():
            with np.load(path) as file:
                X = file["X"][~file["y"].astype(bool)][:ROWS].astype(float)
            yield name, pd.DataFrame(X, columns=[f"c{i + 1}" for i in range(X.shape[1])]), path


def plant(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The table with planted cells, and their rows."""
    rng = np.random.default_rng(seed)
    able = []
    for name in table.select_dtypes("number"):
        x = table[name]
        far = ((x - x.mean()) / x.std()).abs().max()
        if x.nunique() >= LEAST_VALUES and far < DEVIATIONS and not (x.diff().dropna() == 1).all():
            able.append(name)
    if not able:
        return table, np.zeros(0, int)
    out = table.copy()
    rows = rng.choice(len(out), min(CELLS, max(3, len(out) // 100)), replace=False)
    for row in rows:
        name = able[rng.integers(len(able))]
        x = table[name]
        value = x.mean() + rng.choice([-1, 1]) * DEVIATIONS * x.std()
        whole = (x.dropna() % 1 == 0).all()
        out[name] = out[name].astype(float)
        out.loc[out.index[row], name] = round(value) if whole else round(value, 4)
    return out, rows


def calm(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of numbers without a value beyond 5 deviations."""
    numbers = table.select_dtypes("number")
    far = ((numbers - numbers.mean()) / numbers.std()).abs().max()
    varied = numbers.nunique() >= LEAST_VALUES
    return numbers[numbers.columns[(far < CALM) & varied]]


def scores(way: str, table: pd.DataFrame) -> np.ndarray:
    """(rows,): the scores of the table's rows, by one way of detecting."""
    if way == "one-shot":
        return operations.detect(table, all_rows=True).score
    model = operations.fit(table, FitOptions(robust=way.endswith("--robust")))
    return operations.score(table, model, "cpu")


def main() -> None:
    """Run and print."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", default="", help="part of a table's name")
    options = parser.parse_args()
    common.need(options.data / "tables")
    parts: dict[str, list[float]] = {way: [] for way in WAYS}
    for name, table, path in tables(options.data):
        if options.only not in name:
            continue
        for seed in range(options.seeds):
            planted, rows = plant(table, seed)
            if not len(rows):
                print(f"{name}: no column that a cell can be planted in")
                continue
            for way in WAYS:
                order = np.argsort(-scores(way, planted), kind="stable")
                part = float(np.isin(order[: len(rows)], rows).mean())
                parts[way].append(part)
                row = {"table": name, "way": way, "cells": len(rows), "in_top": round(part, 4)}
                common.record("cells", row, seeds=[seed], data=path)
                print(f"{name:16} {way:14} {part:.3f} of {len(rows)}", flush=True)
    for way, values in parts.items():
        if values:
            print(
                f"{way}: {np.mean(values):.3f} over {len(values)} tables, least {min(values):.3f}"
            )


if __name__ == "__main__":
    main()
