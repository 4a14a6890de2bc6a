"""What an engine makes of a large table: the same scores and bytes as one thread, how much faster,
and how much memory each worker takes.

    python benchmarks/scale.py [--rows 1000000] [--engine dask:local:2] [--without-default]
        [--without-name]

A table of twenty columns is written as sixteen Parquet files, and as one of sixteen groups of rows.
Models are fitted on the files, and detection reads them; an archive is written of the one file, and
read. Each job runs on one thread, by default as the command line does, and on the engine; a line of
JSON says how long each took, in seconds of the clock, what processor time it took here and in each
worker, and the most memory that a worker had. The engine is measured twice: with workers that have
begun and worked before, and by its name, as a command is given it, which begins and ends its workers.
Where a machine has other work to do, processor time tells more: a job cannot end before whoever has
most of it is done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import aetool
from aetool import engine as engines

FILES = 16
FITTED = 50_000  # rows of the first file that the model is fitted on, at most
# Rows after which the walks begin anew: longer ones leave what the model was fitted on, and nearly
# all rows would be flagged, whose reasons take most of the time.
WALK = 62_500
Work = Callable[[engines.Chosen], str]  # gives the hash of what it makes
LEVELS = np.array(["alpha", "beta", "gamma", "delta"])


def table_of(rows: int, first: int, seed: int) -> pa.Table:
    """Made readings of a plant, from row `first` on: twelve random walks, five counts, noise, a
    category, a time."""
    rng = np.random.default_rng([seed, first])
    columns: dict[str, object] = {
        f"walk{i}": np.cumsum(rng.normal(size=rows)).round(2) for i in range(12)
    }
    columns |= {f"count{i}": rng.poisson(40 + 10 * i, rows) for i in range(5)}
    columns["noise"] = rng.normal(size=rows).round(3)
    columns["kind"] = LEVELS[rng.integers(0, len(LEVELS), rows)]
    columns["time"] = np.datetime64("2024-01-01T00:00:00") + np.arange(first, first + rows)
    return pa.table(columns)


def write(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write the same rows twice: (folder of FILES Parquet files, one Parquet file with a row group
    for each of these)."""
    parts, whole = folder / "parts", folder / "whole.parquet"
    parts.mkdir()
    writer = None
    for number in range(FILES):
        first = rows * number // FILES
        last = rows * (number + 1) // FILES
        walks = (table_of(min(WALK, last - row), row, seed=0) for row in range(first, last, WALK))
        part = pa.concat_tables(walks).combine_chunks()
        pq.write_table(part, parts / f"{number:02d}.parquet")
        writer = writer or pq.ParquetWriter(whole, part.schema)
        writer.write_table(part, row_group_size=part.num_rows)
    assert writer is not None
    writer.close()
    return parts, whole


def state_of_worker(_: int) -> tuple[int, tuple[float, float]]:
    """(the process that computes this, the most memory that it had, in MB, and the processor time
    that it took so far, in seconds)."""
    time.sleep(0.05)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return os.getpid(), (peak, time.process_time())


def states(engine: engines.Engine) -> dict[int, tuple[float, float]]:
    """The memory and processor time of each worker process, as `state_of_worker` returns them, by
    process."""
    return dict(engine.map(state_of_worker, range(8 * engine.workers)))


@dataclass(frozen=True)
class Timing:
    """Seconds of the clock, and of processors, and the hash of what was made."""

    clock: float
    processors: float
    made: str


def timed(work: Work, executor: engines.Chosen) -> Timing:
    """Do a job once, and measure it."""
    clock, processors = time.perf_counter(), time.process_time()
    made = work(executor)
    return Timing(time.perf_counter() - clock, time.process_time() - processors, made)


@contextmanager
def folder_of(path: str | None) -> Iterator[Path]:
    """Yield the folder that files are written to: the one given, or a temporary one, which is
    removed at the end."""
    if path is not None:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def measure(
    folder: Path, rows: int, chosen: str, also_default: bool, also_name: bool
) -> Iterator[dict[str, object]]:
    """A line of figures for each job. also_default: whether it is done without an engine, too;
    also_name: whether it is done by an engine that begins and ends with it, too."""
    parts, whole = write(folder, rows)
    model = aetool.fit(table_of(min(rows, FITTED), 0, seed=0).to_pandas(), plugin="pca")

    def fitted(executor: engines.Chosen) -> str:
        return aetool.fit(parts, plugin="pca", executor=executor).sha256

    def detected(executor: engines.Chosen) -> str:
        found = model.detect(parts, all_rows=False, executor=executor)
        return hashlib.sha256(found.to_csv(index=False).encode()).hexdigest()

    def compressed(executor: engines.Chosen) -> str:
        path = folder / "whole.aez"
        aetool.compress(whole, path, force=True, executor=executor)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def restored(executor: engines.Chosen) -> str:
        path = aetool.decompress(
            folder / "whole.aez", folder / "again.parquet", force=True, executor=executor
        )
        return hashlib.sha256(path.read_bytes()).hexdigest()

    with engines.opened(chosen) as engine:
        assert engine is not None
        states(engine)
        jobs = {"fit": fitted, "detect": detected, "compress": compressed, "decompress": restored}
        for name, work in jobs.items():
            serial = timed(work, "threads:1")
            usual = timed(work, None) if also_default else None
            before = states(engine)
            spread = timed(work, engine)
            after = states(engine)
            own = [after[pid][1] - before.get(pid, (0, 0))[1] for pid in after]
            longest = max(spread.processors, *own)
            of_default: dict[str, object] = {}
            of_name: dict[str, object] = {}
            equal = serial.made == spread.made
            if also_name:
                by_name = timed(work, chosen)
                equal = equal and by_name.made == spread.made
                of_name = {
                    "clock_engine_by_name": round(by_name.clock, 2),
                    "times_faster_by_name": round(serial.clock / by_name.clock, 2),
                }
            if usual is not None:
                equal = equal and usual.made == spread.made
                of_default = {
                    "clock_default": round(usual.clock, 2),
                    "of_the_default": round(usual.clock / spread.clock, 2),
                }
            yield {
                "job": name,
                "rows": rows,
                "engine": chosen,
                "equal": equal,
                "clock_one_thread": round(serial.clock, 2),
                "clock_engine": round(spread.clock, 2),
                "times_faster": round(serial.clock / spread.clock, 2),
                **of_name,
                **of_default,
                "processor_one_thread": round(serial.processors, 2),
                "processor_here": round(spread.processors, 2),
                "processor_of_workers": sorted(round(seconds, 2) for seconds in own),
                "times_less_of_the_longest": round(serial.processors / longest, 2),
                "worker_mb": sorted(round(peak) for peak, _ in after.values()),
            }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", default="dask:local:2")
    parser.add_argument("--folder", help="where files are written [a temporary folder]")
    parser.add_argument("--without-default", action="store_true", help="one thread and the engine")
    parser.add_argument(
        "--without-name", action="store_true", help="only workers that have begun before"
    )
    chosen = parser.parse_args()
    also_default, also_name = not chosen.without_default, not chosen.without_name
    wrong = 0
    with folder_of(chosen.folder) as folder:
        for line in measure(folder, chosen.rows, chosen.engine, also_default, also_name):
            print(json.dumps(line), flush=True)
            wrong += not line["equal"]
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
