"""Context in time: SKAB, 34 labelled runs of a water test bench at 1 Hz, eight sensors.

Fitted on the first 400 rows of each run, the others scored against `anomaly`, point by point, with
--context and without, beside PyOD's detectors on the same rows, standardised.
"""

from __future__ import annotations

import common
import numpy as np
import pandas as pd
import peers

from aetool import operations
from aetool.detection.ranking import auroc, average_precision

FITTED = 400
PEERS = ("AutoEncoder", "IForest")


def scores(detector: str, fit: pd.DataFrame, rest: pd.DataFrame, seed: int) -> np.ndarray:
    """The scores of the rows that follow those fitted; `auto 5`: with a context of 5 rows."""
    if detector in peers.MODULES:
        return peers.Peer(detector, fit.to_numpy(float), seed).score(rest.to_numpy(float))
    name, _, context = detector.partition(" ")
    options = operations.FitOptions(plugin=name, seed=seed, context=int(context or 0))
    bundle = operations.fit(fit, options)
    both = pd.concat([fit.tail(int(context or 0)), rest])  # the first rows' context is there
    return operations.score(both, bundle)[int(context or 0) :]


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    ours = "auto,auto 1,auto 3,auto 10,pca,pca 1,pca 3,pca 10"
    parser.add_argument("--detectors", default=",".join([ours, *PEERS]))
    options = parser.parse_args()
    folder = common.need(options.data / "series" / "skab")
    rows = []
    for path in sorted(folder.glob("*/*.csv")):
        frame = pd.read_csv(path, sep=";")
        if "anomaly" not in frame:
            continue
        truth = frame["anomaly"].to_numpy()[FITTED:] > 0
        frame = frame.drop(columns=["datetime", "anomaly", "changepoint"])
        for detector in options.detectors.split(","):
            if detector in peers.MODULES and not peers.installed():
                continue
            for seed in range(options.seeds):
                found = scores(detector, frame.iloc[:FITTED], frame.iloc[FITTED:], seed)
                row = {"run": f"{path.parent.name}/{path.stem}", "detector": detector, "seed": seed}
                row |= {"auroc": round(auroc(found, truth), 4)}
                row |= {"auprc": round(average_precision(found, truth), 4)}
                common.record("skab", row, seeds=seed, data=path)
                rows.append(row)
    table = pd.DataFrame(rows).groupby("detector")[["auroc", "auprc"]].agg(["mean", "size"])
    print(table.sort_values(("auroc", "mean"), ascending=False).round(4).to_string())


if __name__ == "__main__":
    main()
