"""Planted cells: does one-shot detection find single values that break with their own row?

In the air-quality excerpt 50 cells are moved 6 to 12 residual standard deviations away from what a
linear regression on the other columns predicts; `--top 50` should bring them back, and name them.
Prints recall and the part of all 50 whose column is named first, for several seeds.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import common
import numpy as np
import pandas as pd

CELLS, NEAREST = 50, 6.0


def plant(
    frame: pd.DataFrame, seed: int, farthest: float = 12.0
) -> tuple[pd.DataFrame, dict[int, str]]:
    """Return a copy of the table with CELLS single values moved, and the column of each by its row,
    counted from 0."""
    rng = np.random.default_rng(seed)
    frame = frame.copy()
    numbers = [c for c in frame.columns if frame[c].dtype.kind == "f"]
    whole = frame.dropna().index.to_numpy()
    others = pd.get_dummies(frame.loc[whole, "wd"]).to_numpy(float)
    rows = rng.choice(whole, CELLS, replace=False)
    moved: dict[int, str] = {}
    for row in rows:
        column = str(rng.choice(numbers))
        rest = [c for c in numbers if c != column]
        A = np.column_stack([np.ones(len(whole)), frame.loc[whole, rest].to_numpy(), others])
        y = frame.loc[whole, column].to_numpy()
        weights = np.linalg.lstsq(A, y, rcond=None)[0]
        deviation = float(np.std(y - A @ weights))
        at = int(np.flatnonzero(whole == row)[0])
        step = rng.uniform(NEAREST, farthest) * deviation * rng.choice([-1, 1])
        value = A[at] @ weights + step
        if value < 0 <= y.min():  # concentrations, rain and wind stay what they can be
            value = A[at] @ weights + abs(step)
        text = frame[column].dropna().map(lambda v: f"{v:.10g}")
        decimals = int(text.str.partition(".")[2].str.len().max())
        frame.loc[row, column] = np.ceil(value * 10**decimals) / 10**decimals
        moved[int(row)] = column
    return frame, moved


def main() -> None:
    """For each seed plant cells and detect, and print a line; record the means."""
    import aetool
    from aetool import operations

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--farthest", type=float, default=12.0, help="residual deviations")
    parser.add_argument("--data", help="not used: the table is bundled")
    options = parser.parse_args()
    seeds = options.seeds
    source = Path(aetool.__file__).parent / "demo" / "beijing_air.csv"
    clean = pd.read_csv(source)
    recalls, named = [], []
    for seed in range(seeds):
        frame, moved = plant(clean, seed, options.farthest)
        found = operations.detect(frame, top=CELLS)
        rows = found.row.tolist()
        hits = [r for r in rows if r in moved]
        first = {r: why.partition("=")[0] for r, why in zip(rows, found.why, strict=True)}
        recalls.append(len(hits) / CELLS)
        named.append(sum(first[r] == moved[r] for r in hits) / CELLS)
        print(f"seed {seed}: recall {recalls[-1]:.2f}, planted column first {named[-1]:.2f}")
    row = {"farthest": options.farthest, "recall": statistics.mean(recalls)}
    row["first"] = statistics.mean(named)
    common.record("planted", row, seeds=range(seeds), data=source)
    print(f"mean: recall {statistics.mean(recalls):.3f}, first {statistics.mean(named):.3f}")
    print(
        f"median over {seeds} seeds: recall {statistics.median(recalls):.2f}, "
        f"column first {statistics.median(named):.2f}; worst {min(recalls):.2f}, {min(named):.2f}"
    )


if __name__ == "__main__":
    main()
