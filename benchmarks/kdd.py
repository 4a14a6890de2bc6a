"""Mixed types: every plugin on KDD Cup 1999, fitted on a random half of the normal rows.

Prints AUROC and average precision on all other rows, and the seconds one-shot detection takes.
"""

from __future__ import annotations

import subprocess
import sys
import time

import common
import numpy as np
import pandas as pd

from aetool import operations

# runs a command by way of a small process, whose own size does not count in its child's peak
PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)"
)
PLUGINS = "pca,prototypes,auto,ae,sparse,denoising,vae"


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--plugins", default=PLUGINS)
    options = parser.parse_args()
    path = common.need(options.data / "tables" / "kdd99.csv")
    frame = pd.read_csv(path)
    normal = np.flatnonzero(frame["label"] == "normal.")
    for seed in range(options.seeds):
        order = np.random.default_rng(seed).permutation(normal)
        fit = order[: len(order) // 2]
        rest = np.setdiff1d(np.arange(len(frame)), fit)
        for plugin in options.plugins.split(","):
            started = time.process_time()
            chosen = operations.FitOptions(plugin=plugin, label="label", seed=seed)
            bundle = operations.fit(frame.iloc[np.sort(fit)], chosen)
            fitted = time.process_time() - started
            found = operations.evaluate(frame.iloc[rest], bundle, "label", ["normal."])
            row = {"detector": plugin, "seed": seed, "fit_cpu_s": round(fitted, 1)}
            row |= {k: round(v, 4) for k, v in found.items()}
            common.record("kdd", row, seeds=seed, data=path)
            print(row, flush=True)
    detect = [sys.executable, "-m", "aetool", "detect", str(path)]
    detect += ["--drop", "label", "--top", "200", "-q"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *detect], capture_output=True, text=True, check=True
    )
    rows = [int(line.split(",")[0]) - 1 for line in done.stdout.splitlines()[1:]]
    attacks = (frame["label"].iloc[rows] != "normal.").sum()
    row = {"one_shot_s": round(time.monotonic() - started, 1), "peak_mb": int(done.stderr) // 1024}
    row |= {"rows": len(rows), "attacks_among_them": int(attacks)}
    common.record("kdd", row, seeds=0, data=path)
    print(row)


if __name__ == "__main__":
    main()
