"""Thresholds that were asked for: what rates are met on rows that no model has seen.

Sets of at least 1,000 ordinary rows. The default model is fitted on a random half of the ordinary rows;
`--fpr 0.01`: the part of the other half that is flagged. `--fdr 0.1`: half of the rest is the clean
calibration, the other half is scored among the anomalies, 20 times over; the mean part of false ones among
those flagged, and the part of the anomalies that is found.
"""

from __future__ import annotations

import common
import detect
import numpy as np
import pandas as pd

from aetool import operations
from aetool.detection.calibration import Calibration, discoveries

FEWEST, FPR, FDR, SPLITS = 1_000, 0.01, 0.1, 20


def false_discoveries(normal: np.ndarray, odd: np.ndarray, seed: int) -> tuple[float, float]:
    """Split the normal scores at random SPLITS times, calibrate on one half, and choose discoveries
    among the other and the odd scores: (mean part of them that is false, mean part of the odd ones
    among them)."""
    rng, false, found = np.random.default_rng(seed), [], []
    for _ in range(SPLITS):
        order = rng.permutation(len(normal))
        clean, rest = np.array_split(normal[order], 2)
        held = Calibration.of(clean[:, None], kept=len(clean))
        called = discoveries(held.p_values(np.concatenate([rest, odd])), FDR)
        wrong = int(called[: len(rest)].sum())
        false.append(wrong / max(int(called.sum()), 1))
        found.append((int(called.sum()) - wrong) / len(odd))
    return float(np.mean(false)), float(np.mean(found))


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.set_defaults(seeds=3)
    parser.add_argument("--plugins", default="auto,pca")
    options = parser.parse_args()
    folder = common.need(options.data / "detect")
    rows = []
    for path in sorted(folder.glob("*.npz")):
        X, y = detect.load(path)
        if (~y).sum() < FEWEST:
            continue
        frame = pd.DataFrame(X, columns=[f"c{i + 1}" for i in range(X.shape[1])])
        for plugin in options.plugins.split(","):
            for seed in range(options.seeds):
                fit, score = detect.split(y, "semi", seed)
                chosen = operations.FitOptions(plugin=plugin, seed=seed)
                bundle = operations.fit(frame.iloc[fit], chosen)
                scores, truth = operations.score(frame.iloc[score], bundle), y[score]
                normal, odd = scores[~truth], scores[truth]
                fdp, found = false_discoveries(normal, odd, seed)
                row = {"dataset": path.stem, "detector": plugin, "seed": seed}
                row |= {"fpr": float((normal > bundle.calibration.threshold(FPR)).mean())}
                row |= {"default_fpr": float((normal > bundle.calibration.threshold()).mean())}
                row |= {"fdp": fdp, "found": found}
                row = {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
                common.record("thresholds", row, seeds=seed, data=path)
                rows.append(row)
                print(row, flush=True)
    table = pd.DataFrame(rows)
    each = table.groupby(["detector", "dataset"])[["fpr", "default_fpr", "fdp", "found"]].mean()
    print(each.groupby("detector").agg(["mean", "std", "min", "max"]).round(4).T.to_string())


if __name__ == "__main__":
    main()
