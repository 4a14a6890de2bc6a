"""Are many anomalies flagged where they hide each other? Rows planted among the ordinary ones of 144 sets.

Of each set of `halves.py` the ordinary rows alone, at most 1,000. Into a part of the rows are planted: far,
every number as many as fifteen times its column's standard deviation away (a normal distribution); cells, two
numbers 6 to 12 times. Columns of two numbers stay as they are. Each judge fits these rows and judges them by its own
default threshold. one-shot: `detect` without a model; fit, fit --robust: `fit`, then `detect` of the same
rows. Peers: scikit-learn's two detectors that have a threshold by default (contamination="auto"),
behind standardisation. found: the part of the planted rows that is flagged, the mean over sets. false:
of 1,000 others how many are flagged. The gaps below anomalies (aetool/detection/gaps.py) were chosen on
the first 40 sets of the half "chosen".
"""

from __future__ import annotations

import common
import halves
import numpy as np
import pandas as pd
from rates import ordinary_rows
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from aetool import operations
from aetool.operations import FitOptions

MOST = 1_000  # rows of a set
FAR = 15.0  # standard deviations by which every number is off
OFF = (6.0, 12.0)  # the same of two numbers
PLANTED = (("nothing", 0.0), ("far", 0.015), ("far", 0.05), ("cells", 0.015))
JUDGES = ("one-shot", "fit", "fit --robust", "IForest auto", "LOF auto")


def planted(table: pd.DataFrame, kind: str, part: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a copy of the table with planted rows of a kind in place of some, and which rows these
    are, (n,) bool."""
    rng = np.random.default_rng(1)
    rows = len(table)
    is_planted = np.zeros(rows, bool)
    if kind == "nothing":
        return table, is_planted
    count = max(1, round(part * rows))
    places = np.sort(rng.choice(rows, count, replace=False))
    is_planted[places] = True
    table = table.copy()
    numbers = [name for name in table if table[name].nunique() > 2]
    middle, spread = table[numbers].median(), table[numbers].std(ddof=0)
    if kind == "far":
        off = rng.normal(0, FAR, (count, len(numbers)))
        table.loc[places, numbers] = middle.to_numpy() + off * spread.to_numpy()
        return table, is_planted
    for place in places:
        for name in rng.choice(numbers, min(2, len(numbers)), replace=False):
            off = rng.choice([-1, 1]) * rng.uniform(*OFF)
            table.loc[place, name] = middle[name] + off * spread[name]
    return table, is_planted


def flags(table: pd.DataFrame, judge: str) -> np.ndarray:
    """Tell which rows of a table, (n,) bool, a judge flags that knows nothing but this table."""
    if judge.endswith("auto"):
        X = StandardScaler().fit_transform(table.fillna(table.median()))
        if judge.startswith("LOF"):
            return LocalOutlierFactor().fit_predict(X) < 0
        return IsolationForest(random_state=0).fit_predict(X) < 0
    model = None
    if judge != "one-shot":
        model = operations.fit(table, FitOptions(robust="robust" in judge))
    detection = operations.detect(table, model)
    flagged = np.zeros(len(table), bool)
    flagged[detection.row[detection.anomaly]] = True
    return flagged


def report(rows: pd.DataFrame) -> str:
    """A table in Markdown of the means over the sets of each half."""
    lines = [
        "| half | planted | part | judge | sets | found | sets with most found | false, in 1,000 |"
    ]
    lines.append("|---|---|--:|---|--:|--:|--:|--:|")
    for (half, kind, part, judge), some in rows.groupby(
        ["half", "kind", "part", "judge"], sort=False
    ):
        found = some["found"] / some["planted"].clip(lower=1)
        false = 1000 * some["false"] / (some["rows"] - some["planted"])
        told = f"{found.mean():.3f} | {(found > 0.5).mean():.2f}" if part else "|"
        lines.append(
            f"| {half} | {kind} | {100 * part:g} % | {judge} | {len(some)} | {told} | {false.mean():.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--half", choices=("chosen", "kept"), help="of this half alone")
    parser.add_argument("--sets", type=int, help="so many of each half alone, the first by name")
    options = parser.parse_args()
    folders = [common.need(options.data / name) for name in ("detect", "odd")]
    paths = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
    halves_of_paths = pd.Series([halves.half(path) for path in paths])
    place_in_half = halves_of_paths.groupby(halves_of_paths).cumcount()
    rows = []
    for path, half, place in zip(paths, halves_of_paths, place_in_half, strict=True):
        if options.half not in (None, half):
            continue
        if options.sets is not None and place >= options.sets:
            continue
        table = ordinary_rows(path, np.random.default_rng(0), MOST)
        for kind, part in PLANTED:
            with_planted, is_planted = planted(table, kind, part)
            for judge in JUDGES:
                flagged = flags(with_planted, judge)
                row = {
                    "half": half,
                    "dataset": path.stem,
                    "kind": kind,
                    "part": part,
                    "judge": judge,
                    "rows": len(table),
                    "planted": int(is_planted.sum()),
                    "found": int((flagged & is_planted).sum()),
                    "false": int((flagged & ~is_planted).sum()),
                }
                chosen_on = ["the first 40 sets of the half chosen"] if "auto" not in judge else []
                common.record("masking", row, seeds=[0, 1], data=path, chosen_on=chosen_on)
                rows.append(row)
        print(path.stem, flush=True)
    print(report(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
