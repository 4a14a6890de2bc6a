"""Scale of one machine: seconds and memory to score a large Parquet, and rows a second beside PyOD's.

    python throughput.py [--rows 10000000]

The table of 20 columns is made here: sums of a few hidden waves and noise. `detect` scores it in a process
of its own, whose peak memory is read; then the model and the peers, fitted on the same rows, score the
same 200,000 rows one after the other, three times each, on one thread; medians.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import pandas as pd
import peers
import pyarrow as pa
import pyarrow.parquet as pq

from aetool import operations

COLUMNS, FITTED, SCORED, TIMES = 20, 20_000, 200_000, 3
PEERS = ("AutoEncoder", "KNN", "IForest")
PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)"
)


def block(rng: np.random.Generator, rows: int) -> np.ndarray:
    """(rows, COLUMNS): five hidden causes, bent, and noise."""
    mix = np.random.default_rng(0).standard_normal((5, COLUMNS))
    hidden = rng.standard_normal((rows, 5))
    found = np.sin(hidden) @ mix + 0.1 * rng.standard_normal((rows, COLUMNS))
    return found.round(3)


def write(path: Path, rows: int) -> None:
    """Write a table of this many rows as Parquet, in row groups of 100,000."""
    rng, names = np.random.default_rng(1), [f"c{i}" for i in range(COLUMNS)]
    schema = pa.schema([(n, pa.float64()) for n in names])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, rows, 100_000):
            values = block(rng, min(100_000, rows - first))
            writer.write_table(pa.table(dict(zip(names, values.T, strict=True)), schema))


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    fit = block(np.random.default_rng(2), FITTED)
    names = [f"c{i}" for i in range(COLUMNS)]
    frame = pd.DataFrame(fit, columns=names)
    with tempfile.TemporaryDirectory() as folder:
        for plugin in ("auto", "pca"):
            bundle = operations.fit(frame, operations.FitOptions(plugin=plugin))
            bundle.save(Path(folder) / f"{plugin}.aem")
        table = Path(folder) / "large.parquet"
        write(table, options.rows)
        for plugin in ("auto", "pca"):
            command = [sys.executable, "-m", "aetool", "detect", str(table)]
            command += ["-m", str(Path(folder) / f"{plugin}.aem"), "--count", "-q"]
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-c", PEAK, *command], capture_output=True, text=True, check=True
            )
            spent = time.monotonic() - started
            row = {"job": f"detect {options.rows} x {COLUMNS}", "detector": plugin}
            row |= {"rows_per_s": round(options.rows / spent), "seconds": round(spent, 1)}
            row |= {"peak_mb": int(done.stderr.split()[-1]) // 1024, "flagged": int(done.stdout)}
            common.record("throughput", row, seeds=[0, 1, 2], data=fit)
            print(row, flush=True)
    many = block(np.random.default_rng(3), SCORED)
    wide = pd.DataFrame(many, columns=names)
    jobs = {}
    for plugin in ("auto", "pca"):
        bundle = operations.fit(frame, operations.FitOptions(plugin=plugin))
        jobs[plugin] = lambda bundle=bundle: operations.score(wide, bundle)
    for name in PEERS if peers.installed() else ():
        peer = peers.Peer(name, fit, 0)
        jobs[name] = lambda peer=peer: peer.score(many)
    for name, job in jobs.items():
        taken = []
        for _ in range(TIMES):
            started = time.monotonic()
            job()
            taken.append(time.monotonic() - started)
        row = {"job": f"score {SCORED} x {COLUMNS}", "detector": name}
        row |= {"rows_per_s": round(SCORED / statistics.median(taken))}
        row |= {"seconds": round(statistics.median(taken), 2)}
        common.record("throughput", row, seeds=[0, 2, 3], data=[fit, many])
        print(row, flush=True)


if __name__ == "__main__":
    main()
