"""Pictures, one class normal: Fashion-MNIST, fitted on one class's training pictures, all 10,000
test pictures scored. Prints AUROC of each class and the mean, beside the peers' means.

The model named beforehand is `auto`, the default.
"""

from __future__ import annotations

import gzip
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.operations.detecting import auroc, average_precision


def read_idx(path: Path, skip: int) -> np.ndarray:
    """The bytes of an idx file after its header."""
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=skip)


def main() -> None:
    """Run and print."""
    parser = common.parser(__doc__)
    parser.add_argument("--plugin", default="auto")
    parser.add_argument("--max-time", type=float, default=60.0)
    parser.add_argument("-O", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    folder = common.need(options.data / "images" / "fashion-mnist")
    train = read_idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    test = read_idx(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    train_label = read_idx(folder / "train-labels-idx1-ubyte.gz", 8)
    test_label = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 8)
    params = dict(item.split("=", 1) for item in options.O)
    found = []
    with tempfile.TemporaryDirectory() as work:
        everything = Path(work) / "test.npy"
        np.save(everything, test)
        for cls in range(10):
            np.save(Path(work) / "train.npy", train[train_label == cls])
            chosen = operations.FitOptions(options.plugin, params, max_time=options.max_time)
            began = time.monotonic()
            model = operations.fit(Path(work) / "train.npy", chosen)
            seconds = time.monotonic() - began
            scores = operations.score(everything, model)
            row = {"class": cls, "detector": options.plugin, "params": params}
            row["auroc"] = round(auroc(scores, test_label != cls), 5)
            row["auprc"] = round(average_precision(scores, test_label != cls), 5)
            row |= {**model.facts, "seconds": round(seconds, 2)}
            common.record("oneclass", row, seeds=0, data=folder)
            found.append(row["auroc"])
            print(f"class {cls}: AUROC {row['auroc']:.4f}", flush=True)
    print(f"aetool {options.plugin}: mean AUROC {np.mean(found):.4f}")
    peers = options.data.parent / "baselines" / "oneclass_images.csv"
    if peers.exists():
        for name, value in pd.read_csv(peers).groupby("detector")["auroc"].mean().items():
            print(f"{name}: mean AUROC {value:.4f}")


if __name__ == "__main__":
    main()
