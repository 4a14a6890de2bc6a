"""Detection: every plugin on the labelled sets, beside what peers reach on them.

Protocols: semi (seeded shuffle; fit on a random half of the normal rows, score the rest) and unsup
(fit and score everything). Sets above 20,000 rows are cut to 20,000, stratified, seed 0.
Peers' figures are read from <data>/../baselines/detect.csv; a peer is compared on the sets it covers.
"""

from __future__ import annotations

import time
from pathlib import Path

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.operations.detecting import auroc, average_precision

PLUGINS = ("pca", "prototypes", "auto", "ae", "sparse", "denoising", "vae", "masked", "vq")
MOST = 20_000


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """X and y (True: anomaly), cut to 20,000 rows in the proportions of y."""
    with np.load(path) as file:
        X, y = file["X"].astype(float), file["y"].astype(bool)
    if len(X) > MOST:
        rng = np.random.default_rng(0)
        keep = [
            rng.choice(np.flatnonzero(y == v), round(MOST * (y == v).mean()), replace=False)
            for v in (False, True)
        ]
        rows = np.sort(np.concatenate(keep))
        X, y = X[rows], y[rows]
    return X, y


def split(y: np.ndarray, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to fit and to score."""
    order = np.random.default_rng(seed).permutation(len(y))
    if protocol == "unsup":
        return order, order
    normal = order[~y[order]]
    half = len(normal) // 2
    return normal[:half], np.concatenate([normal[half:], order[y[order]]])


def one(path: Path, protocol: str, plugin: str, seed: int, params: dict[str, str]) -> dict:
    """Fit, score, and the figures."""
    X, y = load(path)
    fit, score = split(y, protocol, seed)
    frame = pd.DataFrame(X, columns=[f"c{i + 1}" for i in range(X.shape[1])])
    started = time.process_time()
    chosen = operations.FitOptions(plugin=plugin, params=params, seed=seed)
    bundle = operations.fit(frame.iloc[fit], chosen)
    fitted = time.process_time()
    scores = operations.score(frame.iloc[score], bundle)
    return {
        "protocol": protocol,
        "dataset": path.stem,
        "detector": plugin,
        "params": params,
        "seed": seed,
        "auroc": round(auroc(scores, y[score]), 6),
        "auprc": round(average_precision(scores, y[score]), 6),
        "fit_cpu_s": round(fitted - started, 2),
        "score_cpu_s": round(time.process_time() - fitted, 2),
    }


def report(rows: pd.DataFrame, peers: pd.DataFrame) -> str:
    """Mean AUROC and average precision, ours and the peers', on the sets each covers."""
    lines = []
    for protocol, ours in rows.groupby("protocol"):
        sets = set(ours["dataset"])
        theirs = peers[(peers["protocol"] == protocol) & peers["dataset"].isin(sets)]
        both = pd.concat([ours.assign(whose="aetool"), theirs.assign(whose="peer")])
        per_set = both.groupby(["whose", "detector", "dataset"])[["auroc", "auprc"]].mean()
        mean = per_set.groupby(["whose", "detector"]).agg(
            auroc=("auroc", "mean"), auprc=("auprc", "mean"), sets=("auroc", "size")
        )
        lines.append(f"\n{protocol}, {len(sets)} sets\n")
        lines.append("| detector | AUROC | average precision | sets |\n|---|--:|--:|--:|")
        for (whose, name), row in mean.sort_values("auroc", ascending=False).iterrows():
            shown = f"**aetool {name}**" if whose == "aetool" else name
            lines.append(f"| {shown} | {row.auroc:.3f} | {row.auprc:.3f} | {row.sets:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = common.parser(__doc__)
    parser.add_argument("--plugins", default=",".join(PLUGINS))
    parser.add_argument("--protocols", default="semi,unsup")
    parser.add_argument("--sets", default="", help="comma-separated parts of names; default all")
    parser.add_argument("-O", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    folder = common.need(options.data / "detect")
    params = dict(item.split("=", 1) for item in options.O)
    wanted = [s for s in options.sets.split(",") if s]
    rows = []
    for path in sorted(folder.glob("*.npz")):
        if wanted and not any(w in path.stem for w in wanted):
            continue
        for protocol in options.protocols.split(","):
            for plugin in options.plugins.split(","):
                for seed in range(options.seeds):
                    row = one(path, protocol, plugin, seed, params)
                    common.record("detect", row, path)
                    rows.append(row)
                    print(f"{protocol} {path.stem} {plugin} {seed}: {row['auroc']:.3f} "
                          f"{row['auprc']:.3f} {row['fit_cpu_s']} s", flush=True)  # fmt: skip
    baselines = options.data.parent / "baselines" / "detect.csv"
    peers = (
        pd.read_csv(baselines)
        if baselines.exists()
        else pd.DataFrame(columns=["protocol", "dataset", "detector", "auroc", "auprc"])
    )
    if "status" in peers:
        peers = peers[peers["status"] == "ok"]
    print(report(pd.DataFrame(rows), peers))


if __name__ == "__main__":
    main()
