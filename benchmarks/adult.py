"""Records that contradict themselves: adult, where 1 % of the rows take each category from another row.

Every column keeps its own distribution, and only what goes with what tells. Fitted on a random half of
the clean rows, scored on the other half with the shuffled rows in it; peers take standardised numbers
beside one-hot categories.
"""

from __future__ import annotations

import common
import numpy as np
import pandas as pd
import peers

from aetool import operations
from aetool.detection.ranking import auroc, average_precision

PART = 0.01
PEERS = ("IForest", "KNN", "LOF", "AutoEncoder")


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.set_defaults(seeds=3)
    parser.add_argument("--detectors", default=",".join(["auto", "pca", "masked", "vae", *PEERS]))
    options = parser.parse_args()
    path = common.need(options.data / "tables" / "adult.csv")
    frame = pd.read_csv(path, skipinitialspace=True)
    names = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
    rows = []
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(frame))
        fit, rest = (
            frame.iloc[np.sort(h)].reset_index(drop=True) for h in np.array_split(order, 2)
        )
        truth = np.zeros(len(rest), dtype=bool)
        truth[rng.choice(len(rest), round(PART * len(rest)), replace=False)] = True
        for name in names:
            other = rng.permutation(len(rest))[: truth.sum()]
            rest.loc[truth, name] = rest[name].to_numpy()[other]
        wide = pd.get_dummies(pd.concat([fit, rest]), columns=names).to_numpy(float)
        for detector in options.detectors.split(","):
            if detector in peers.MODULES:
                if not peers.installed():
                    continue
                found = peers.Peer(detector, wide[: len(fit)], seed).score(wide[len(fit) :])
            else:
                chosen = operations.FitOptions(plugin=detector, seed=seed)
                found = operations.score(rest, operations.fit(fit, chosen))
            row = {"detector": detector, "seed": seed, "auroc": round(auroc(found, truth), 4)}
            row |= {"auprc": round(average_precision(found, truth), 4)}
            common.record("adult", row, seeds=seed, data=path)
            rows.append(row)
            print(row, flush=True)
    print(pd.DataFrame(rows).groupby("detector")[["auroc", "auprc"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
