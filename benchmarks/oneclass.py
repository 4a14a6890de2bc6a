"""Pictures, one class normal: Fashion-MNIST, fitted on one class's training pictures, all 10,000
test pictures scored. Prints AUROC of each class and the mean, of the default and of peers.

The model named beforehand is `auto`, the default. --mixed: 5 % of the pictures that are fitted are
of the other classes, and the fit is a robust one. Peers take the pixels as they are.

    python oneclass.py [--mixed] [--peers] [--classes 0,1] [--plugin NAME] [-O KEY=VALUE]
"""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import common
import numpy as np
import peers

from aetool import operations
from aetool.detection.ranking import auroc, average_precision

PEERS = ("1NN", "IForest", "PCA", "AutoEncoder")
OTHERS = 0.05  # of the pictures that are fitted, where others are mixed in


def read_idx(path: Path, skip: int) -> np.ndarray:
    """The bytes of an idx file after its header."""
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=skip)


def fitted(pictures: np.ndarray, labels: np.ndarray, cls: int, mixed: bool) -> np.ndarray:
    """Choose the pictures to fit: those of a class, with a few others among them if `mixed`."""
    own = pictures[labels == cls]
    if not mixed:
        return own
    rng = np.random.default_rng(cls)
    count = round(len(own) * OTHERS / (1 - OTHERS))
    others = rng.choice(np.flatnonzero(labels != cls), count, replace=False)
    together = np.concatenate([own, pictures[others]])
    return together[rng.permutation(len(together))]


def of_plugin(shown: np.ndarray, test: np.ndarray, options) -> tuple[np.ndarray, dict[str, object]]:
    """Fit a plugin of aetool on `shown`: (scores of the test pictures, facts and times)."""
    params = dict(item.split("=", 1) for item in options.O)
    chosen = operations.FitOptions(
        options.plugin, params, max_time=options.max_time, robust=options.mixed
    )
    with tempfile.TemporaryDirectory() as work:
        np.save(Path(work) / "train.npy", shown)
        np.save(Path(work) / "test.npy", test)
        began, cpu = time.monotonic(), time.process_time()
        model = operations.fit(Path(work) / "train.npy", chosen)
        facts = {"seconds": time.monotonic() - began, "fit_cpu": time.process_time() - cpu}
        scores = operations.score(Path(work) / "test.npy", model)
    return scores, {"params": params, **facts, "members": model.facts.get("members", [])}


def of_peer(name: str, shown: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, dict[str, object]]:
    """Fit a detector of PyOD on `shown`: (scores of the test pictures, times)."""
    began, cpu = time.monotonic(), time.process_time()
    peer = peers.Peer(name, shown.reshape(len(shown), -1), 0)
    facts = {"seconds": time.monotonic() - began, "fit_cpu": time.process_time() - cpu}
    return peer.score(test.reshape(len(test), -1)), facts


def detectors(shown: np.ndarray, test: np.ndarray, options) -> Iterator[tuple]:
    """Yield (name, scores, facts) of the default, or of the plugin that was asked for, and of the
    peers."""
    if options.plugin:
        yield options.plugin, *of_plugin(shown, test, options)
    if options.peers and peers.installed():
        for name in PEERS:
            yield name, *of_peer(name, shown, test)


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--plugin", default="auto", help="'' for none: peers alone")
    parser.add_argument("--max-time", type=float, default=None)
    parser.add_argument("-O", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--classes", default="0,1,2,3,4,5,6,7,8,9")
    options = parser.parse_args()
    folder = common.need(options.data / "images" / "fashion-mnist")
    train = read_idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    test = read_idx(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    train_label = read_idx(folder / "train-labels-idx1-ubyte.gz", 8)
    test_label = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 8)
    by_detector: dict[str, list[float]] = {}
    for cls in map(int, options.classes.split(",")):
        shown = fitted(train, train_label, cls, options.mixed)
        odd = test_label != cls
        for name, scores, facts in detectors(shown, test, options):
            figures = {"auroc": auroc(scores, odd), "auprc": average_precision(scores, odd)}
            row = {"class": cls, "detector": name, "protocol": "mixed" if options.mixed else "own"}
            for key, value in {**figures, **facts}.items():
                row[key] = round(value, 5) if isinstance(value, float) else value
            seeds = [0, cls] if options.mixed else [0]
            common.record("oneclass", row, seeds=seeds, data=folder)
            by_detector.setdefault(name, []).append(figures["auroc"])
            print(f"class {cls}, {name}: AUROC {figures['auroc']:.4f}, {facts}", flush=True)
    for name, values in by_detector.items():
        print(f"{name}: mean AUROC {np.mean(values):.4f} of {len(values)} classes")


if __name__ == "__main__":
    main()
