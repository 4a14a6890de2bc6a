"""How many ordinary records the default threshold flags: its one statement, told of 144 sets.

Of each set of `halves.py` the ordinary rows alone, at most 3,000. new: the default model is fitted on
a random half of them, and the other half is scored. own: one-shot, the rows judge themselves. The
threshold is said to be exceeded by about one ordinary record in 1,000; rates are pooled over the rows
of all sets of a half. What a tail is taken for before any score was chosen on the half "chosen".
told: the same new rows, by the threshold of a fit that is told that all its rows are ordinary
(`--label`, `--normal`). stated: what `detect` and `info` say of the threshold of new: about one in 1,000,
or, where more of the records that were held out of the fit exceed it, how many of these.
"""

from __future__ import annotations

import dataclasses

import common
import halves
import numpy as np
import pandas as pd

from aetool import operations

MOST = 3_000


def ordinary_rows(path, rng: np.random.Generator, most: int = MOST) -> pd.DataFrame:
    """The ordinary rows of a set, at most `most` of them, which are drawn at random and stay in
    order."""
    arrays = np.load(path)
    X = arrays["X"][arrays["y"] == 0] if "X" in arrays else arrays["train"]
    if len(X) > most:
        X = X[np.sort(rng.choice(len(X), most, replace=False))]
    return pd.DataFrame(X.astype(float), columns=[f"c{i + 1}" for i in range(X.shape[1])])


def flagged(table: pd.DataFrame, rng: np.random.Generator) -> dict[str, float]:
    """Fit on half of a table's rows, and count: the rows of the other half that are flagged, how
    many the stated rate leads one to expect, how many are flagged if the model is told that its
    rows are ordinary; and the rows of the table that a run without a model flags."""
    order = rng.permutation(len(table))
    first, rest = (table.iloc[np.sort(part)] for part in np.array_split(order, 2))
    model = operations.fit(first.reset_index(drop=True))
    scores = operations.score(rest.reset_index(drop=True), model)
    told = dataclasses.replace(model.calibration, ordinary=True)
    threshold = model.calibration.threshold()
    held_out_above = model.calibration.count_above(threshold)
    stated = max(held_out_above / model.calibration.rows, model.calibration.rate())
    return {
        "stated": stated * len(rest),
        "new_flagged": int((scores > threshold).sum()),
        "told_flagged": int((scores > told.threshold()).sum()),
        "new_rows": len(rest),
        "own_flagged": operations.detect(table).flagged,
        "own_rows": len(table),
    }


def report(rows: pd.DataFrame) -> str:
    """A table in Markdown of how many records in 1,000 are flagged in each half: over all its sets,
    and at most in one of them."""
    lines = [
        "| half | sets | rows | new, in 1,000 | most | stated | most | told | most | own | most |"
    ]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for half, some in rows.groupby("half"):
        figures = [f"{some['new_rows'].sum():,}"]
        columns = {
            "new_flagged": "new_rows",
            "stated": "new_rows",
            "told_flagged": "new_rows",
            "own_flagged": "own_rows",
        }
        for column, of in columns.items():
            if column not in some:  # rows of before what is stated was recorded
                figures += ["", ""]
                continue
            count, rows_of = some[column], some[of]
            figures.append(f"{1000 * count.sum() / rows_of.sum():.2f}")
            figures.append(f"{(1000 * count / rows_of).max():.1f}")
        lines.append(f"| {half} | {len(some)} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    options = common.parser(__doc__).parse_args()
    folders = [common.need(options.data / name) for name in ("detect", "odd")]
    rows = []
    for path in [path for folder in folders for path in sorted(folder.glob("*.npz"))]:
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            row = {"half": halves.half(path), "dataset": path.stem, "seed": seed}
            row |= flagged(ordinary_rows(path, rng), rng)
            common.record("rates", row, seeds=[seed], data=path, chosen_on=["half chosen"])
            rows.append(row)
            print(row, flush=True)
    print(report(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
