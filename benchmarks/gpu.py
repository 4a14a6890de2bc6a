"""A GPU beside the CPU of the same machine: how fast models are fitted, score, encode and decode.

Table: 200,000 rows of 20 columns, made here; models are fitted on the first 20,000. Pictures:
Fashion-MNIST, fitted on the 60,000 training pictures in three epochs, the 10,000 test pictures coded.
Every job runs twice on each device, and the second run counts: the first one loads libraries. Fits and
archives run once. `alike`: the share of results within 1e-4 of those of the CPU.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd
import throughput

from aetool import operations
from aetool.bundle import Bundle
from aetool.operations import CompressOptions, FitOptions

DEVICES = ("cpu", "cuda")
ROWS, FITTED = 200_000, 20_000
OF_TABLES = ("auto", "pca", "ae", "vae")
OF_PICTURES = ("ae", "vae")
EPOCHS = 3  # of pictures: how long one takes is what is asked here
NEAR = 1e-4

Row = dict[str, Any]
Job = Callable[[str], Any]


def timed(job: Job, device: str) -> tuple[Any, float]:
    """Run a job twice on a device: (its result, the seconds of the second run)."""
    for _ in range(2):
        started = time.monotonic()
        result = job(device)
        seconds = time.monotonic() - started
    return result, seconds


def alike(results: Mapping[str, Any]) -> float:
    """The share of numbers that are the same on both devices, within NEAR of the larger of 1 and
    themselves."""
    here, there = (np.asarray(results[device], dtype=np.float64) for device in DEVICES)
    return float(np.isclose(there, here, rtol=NEAR, atol=NEAR).mean())


def compared(what: str, model: str, records: int, job: Job) -> Row:
    """Run a job on each device and return a row of figures: records a second on each, how many
    times as fast the GPU is, and the part of results that agree."""
    row: Row = {"job": what, "model": model, "records": records}
    results = {}
    for device in DEVICES:
        results[device], seconds = timed(job, device)
        row[f"{device}_per_s"] = round(records / seconds)
    row["times"] = round(row["cuda_per_s"] / max(row["cpu_per_s"], 1), 2)
    row["alike"] = round(alike(results), 6)
    return row


def fitted(fit_on: object, what: str, options: FitOptions) -> tuple[Row, Bundle]:
    """Fit on each device: (a row with the seconds of each, the model of the last)."""
    row: Row = {"job": f"fit {what}", "model": str(options.plugin)}
    for device in DEVICES:
        own = dataclasses.replace(options, device=device)
        started = time.monotonic()
        model = operations.fit(fit_on, own)
        seconds = time.monotonic() - started
        row[f"{device}_s"] = round(seconds, 1)
    row["times"] = round(row["cpu_s"] / max(row["cuda_s"], 0.1), 2)
    return row, model


def jobs(data: Any, records: int, what: str, name: str, model: Bundle) -> Iterator[Row]:
    """Yield a row for each thing that a fitted model does: score, and, where it has a code, encode
    and decode."""
    yield compared(f"score {what}", name, records, lambda d: operations.score(data, model, d))
    if not model.latent or name == "auto":
        return
    codes = operations.encode(data, model, "cpu")
    yield compared(f"encode {what}", name, records, lambda d: operations.encode(data, model, d))

    def decoded(device: str) -> Any:
        restored = operations.decode(codes, model, device)
        return restored.to_numpy(dtype=np.float64) if hasattr(restored, "to_numpy") else restored

    yield compared(f"decode {what}", name, records, decoded)


def archives(data: Any, what: str, name: str, model: Bundle) -> Row:
    """Compress a table or pictures by the code alone on each device, and return a row with the
    seconds and bytes of each."""
    row: Row = {"job": f"compress {what}", "model": name}
    with tempfile.TemporaryDirectory() as folder:
        for device in DEVICES:
            path = Path(folder) / f"{device}.aez"
            options = CompressOptions(lossy_only=True, embed=False, device=device, force=True)
            started = time.monotonic()
            facts = operations.compress(data, path, model, options)
            row[f"{device}_s"] = round(time.monotonic() - started, 1)
            row[f"{device}_bytes"] = facts["archive_bytes"]
    return row


def of_tables() -> Iterator[tuple[Row, Any]]:
    """Yield every row of figures for a made table, and the data it was measured on."""
    values = throughput.block(np.random.default_rng(1), ROWS)
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(values.shape[1])])
    what = f"{ROWS} x {values.shape[1]}"
    for plugin in OF_TABLES:
        row, model = fitted(frame[:FITTED], f"{FITTED} x 20", FitOptions(plugin=plugin))
        yield row, values
        for row in jobs(frame, ROWS, what, plugin, model):
            yield row, values
        if model.latent and plugin != "auto":
            few = frame[:FITTED]
            yield archives(few, f"{FITTED} x 20", plugin, model), values


def of_pictures(data: Path) -> Iterator[tuple[Row, Any]]:
    """Yield every row of figures for pictures, and the files it was measured on; none where these
    are missing."""
    images = data / "images" / "fashion-mnist"
    train, test = (images / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k"))
    if not train.exists():
        print(f"no pictures: {train} is not there; give the folder of data sets with --data")
        return
    for plugin in OF_PICTURES:
        row, model = fitted(train, "60000 pictures", FitOptions(plugin=plugin, epochs=EPOCHS))
        yield row, [train, test]
        for row in jobs(test, 10_000, "10000 pictures", plugin, model):
            yield row, [train, test]
        yield archives(test, "10000 pictures", plugin, model), [train, test]


def main() -> None:
    """Measure and record."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", choices=("table", "pictures"))
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print("skipped: no CUDA device on this machine")
        return
    card = torch.cuda.get_device_name()
    of_table = of_tables() if options.only != "pictures" else iter(())
    of_picture = of_pictures(options.data) if options.only != "table" else iter(())
    for row, data in itertools.chain(of_table, of_picture):
        row["card"] = card
        print(row, flush=True)
        common.record("gpu", row, seeds=[0, 1], data=data)


if __name__ == "__main__":
    main()
