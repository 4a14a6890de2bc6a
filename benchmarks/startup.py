"""Start-up and small jobs: CPU seconds, peak memory and bytes, beside the budgets of the design.

Every job is a fresh process; the median of five runs counts. Import time of the usual detector
libraries is measured in the same run where they are installed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import common
import numpy as np

AETOOL = [sys.executable, "-m", "aetool"]


def measure(command: list[str], runs: int = 5) -> tuple[float, float]:
    """Median CPU seconds and peak MB of a command."""
    seconds, peaks = [], []
    for _ in range(runs):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        err = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise SystemExit(f"{' '.join(command)}\n{err.decode()}")
        seconds.append(usage.ru_utime + usage.ru_stime)
        peaks.append(usage.ru_maxrss / 1024)
    return statistics.median(seconds), statistics.median(peaks)


def table(path: Path, rows: int) -> None:
    """A CSV of 12 related numbers."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 12))  # first, so that every table comes from one source
    X = rng.normal(size=(rows, 4)) @ mix + 0.1 * rng.normal(size=(rows, 12))
    names = ",".join(f"s{i}" for i in range(12))
    np.savetxt(path, X, fmt="%.3f", delimiter=",", header=names, comments="")


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    common.parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.csv", Path(folder) / "many.csv"
        table(few, 5000)
        table(many, 15000)
        model, deep = Path(folder) / "m.aem", Path(folder) / "deep.aem"
        jobs = [
            ("aetool --help", [*AETOOL, "--help"], 5, 0.15, None),
            ("closed-form fit of 15,000 x 12", [*AETOOL, "fit", str(many), "-f", "-q", "-o", str(model)], 5, 1.0, None),
            ("detect of 5,000 x 12 with a model", [*AETOOL, "detect", str(few), "-m", str(model)], 5, 0.6, 90.0),
            ("deep fit of 15,000 x 12 (vae)", [*AETOOL, "fit", str(many), "-p", "vae", "-f", "-q", "-o", str(deep)], 3, 15.0, None),
            ("detect of 5,000 x 12 with vae", [*AETOOL, "detect", str(few), "-m", str(deep)], 5, 0.6, 90.0),
            ("peer: import scikit-learn's IsolationForest", [sys.executable, "-c", "from sklearn.ensemble import IsolationForest"], 3, None, None),
            ("peer: import torch", [sys.executable, "-c", "import torch"], 3, None, None),
        ]  # fmt: skip
        print("| job | CPU s | budget | MB | budget |\n|---|--:|--:|--:|--:|")
        for name, command, runs, most_seconds, most_mb in jobs:
            seconds, mb = measure(command, runs)
            print(
                f"| {name} | {seconds:.2f} | {most_seconds or ''} | {mb:.0f} | {most_mb or ''} |",
                flush=True,
            )
            row = {"job": name, "cpu_s": round(seconds, 3), "mb": round(mb)}
            common.record("startup", row, seeds=0, data=[few, many])
        for name, path in (("pca bundle", model), ("vae bundle", deep)):
            print(f"| {name} | | | {path.stat().st_size / 1000:.0f} kB | 100 kB |")
            row = {"job": name, "bytes": path.stat().st_size}
            common.record("startup", row, seeds=0, data=[few, many])


if __name__ == "__main__":
    main()
