"""Planted cells: single values of +-6 deviations in real tables, by the three ways of detecting.

The first 20 tables by name (tables, then the ordinary rows of labelled sets) that have 1,000 rows and at
least four calm columns: numbers of 20 values and more, none beyond 5 deviations; but for those whose
columns are pixels. The first 5,000 rows
are taken, and a cell of 10 of them becomes its column's mean plus or minus 6 standard deviations.
calm: the calm columns alone. whole: all columns, with ordinary rows as far out as the planted ones.
What counts is the part of the 10 planted rows among the 10 highest scores.
"""

from __future__ import annotations

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.operations import FitOptions

TABLES, ROWS, LEAST_ROWS, LEAST_COLUMNS = 20, 5_000, 1_000, 4
CELLS, DEVIATIONS, CALM, LEAST_VALUES = 10, 6.0, 5.0, 20
PICTURES = ("mnist", "optdigits", "satellite", "satimage")
WAYS = ("one-shot", "fit", "fit --robust")


def tables(folder):
    """Yield (name, table, file) of the first TABLES tables below the folder that have LEAST_ROWS
    rows and LEAST_COLUMNS calm columns at least."""
    count = 0
    files = [p for part in ("tables", "detect", "odd") for p in sorted((folder / part).glob("*.*"))]
    for path in files:
        if path.suffix == ".csv":
            table = pd.read_csv(path, nrows=ROWS)
        elif path.suffix == ".npz":
            with np.load(path) as file:
                X = file["X"][~file["y"].astype(bool)] if "X" in file else file["train"]
            table = pd.DataFrame(X[:ROWS].astype(float)).add_prefix("c")
        else:
            continue
        if any(name in path.stem for name in PICTURES):
            continue
        if len(table) < LEAST_ROWS or calm(table).shape[1] < LEAST_COLUMNS:
            continue
        yield path.stem, table, path
        count += 1
        if count == TABLES:
            return


def calm(table: pd.DataFrame) -> pd.DataFrame:
    """The numeric columns of a table without a value beyond 5 deviations, and with 20 different
    values at least; a column that counts the rows is left out."""
    numbers = table.select_dtypes("number")
    far = ((numbers - numbers.mean()) / numbers.std()).abs().max()
    counter = (numbers.diff().iloc[1:] == 1).all()
    return numbers[numbers.columns[(far < CALM) & (numbers.nunique() >= LEAST_VALUES) & ~counter]]


def plant(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a copy of the table with CELLS single values of calm columns moved DEVIATIONS from the
    mean, and the numbers of their rows."""
    rng = np.random.default_rng(seed)
    able = list(calm(table).columns)
    out = table.copy()
    rows = rng.choice(len(out), CELLS, replace=False)
    for row in rows:
        name = able[rng.integers(len(able))]
        x = table[name]
        value = x.mean() + rng.choice([-1, 1]) * DEVIATIONS * x.std()
        whole = (x.dropna() % 1 == 0).all()
        out[name] = out[name].astype(float)
        out.loc[out.index[row], name] = round(value) if whole else round(value, 4)
    return out, rows


def scores(way: str, table: pd.DataFrame) -> np.ndarray:
    """(rows,): the scores of the table's rows, by one way of detecting."""
    if way == "one-shot":
        return operations.detect(table, all_rows=True).score
    model = operations.fit(table, FitOptions(robust=way.endswith("--robust")))
    return operations.score(table, model, "cpu")


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", default="", help="part of a table's name")
    parser.add_argument("--ways", default=",".join(WAYS), help="ways of detecting, by commas")
    options = parser.parse_args()
    common.need(options.data / "tables")
    parts: dict[tuple[str, str], list[float]] = {}
    for name, table, path in tables(options.data):
        if options.only not in name:
            continue
        for columns, shown in (("calm", calm(table)), ("whole", table)):
            for seed in range(options.seeds):
                planted, rows = plant(shown, seed)
                for way in options.ways.split(","):
                    order = np.argsort(-scores(way, planted), kind="stable")
                    part = float(np.isin(order[: len(rows)], rows).mean())
                    parts.setdefault((columns, way), []).append(part)
                    row = {"table": name, "columns": columns, "way": way, "cells": len(rows)}
                    row["in_top"] = round(part, 4)
                    common.record("cells", row, seeds=[seed], data=path)
                    print(f"{name:16} {columns:6} {way:14} {part:.3f} of {len(rows)}", flush=True)
    for (columns, way), values in parts.items():
        mean, least = np.mean(values), min(values)
        print(f"{columns:6} {way:14} {mean:.3f} over {len(values)} tables, least {least:.3f}")


if __name__ == "__main__":
    main()
