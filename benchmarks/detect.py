"""Detection: our plugins and PyOD's detectors on the labelled sets, in one run.

Protocols: semi (seeded shuffle; fit on a random half of the normal rows, score the rest) and unsup
(fit and score everything). Sets above 20,000 rows are cut to 20,000, stratified, seed 0.
`one-shot` is detection without a model; `NAME --robust` is a plugin fitted with that option.
Peers (pip install 'aetool[bench]') have their defaults, behind standardisation by the fitted rows.
"""

from __future__ import annotations

import time
from pathlib import Path

import common
import numpy as np
import pandas as pd
import peers

from aetool import operations
from aetool.detection.ranking import auroc, average_precision

OURS = (
    "auto", "auto --robust", "one-shot", "pca", "prototypes", "ae", "sparse", "denoising", "vae", "masked", "vq",
)  # fmt: skip
# Members of the default, and their settings, were looked at on all of these sets: none is untouched.
CHOSEN_ON = "all sets of this benchmark"
MOST = 20_000
BEST = {"semi": "auto", "unsup": "auto --robust"}  # what is compared, named beforehand


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a labelled set: (features, (rows,) True for anomalies), cut at random to 20,000 rows
    with the same part of anomalies."""
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
    """Choose (numbers of the rows to fit, numbers of the rows to score): all twice with "unsup",
    otherwise half of the normal rows, and all others."""
    order = np.random.default_rng(seed).permutation(len(y))
    if protocol == "unsup":
        return order, order
    normal = order[~y[order]]
    half = len(normal) // 2
    return normal[:half], np.concatenate([normal[half:], order[y[order]]])


def one(path: Path, protocol: str, detector: str, seed: int, params: dict[str, str]) -> dict | None:
    """Fit one detector on one set, score, and return its figures and times; None where a peer
    cannot take the set."""
    X, y = load(path)
    fit, score = split(y, protocol, seed)
    if detector in peers.MODULES:
        peers.make(detector, X.shape[1], seed)  # imports do not count
    began = time.monotonic(), time.process_time()
    if detector in peers.MODULES:
        if not peers.takes(detector, len(fit), X.shape[1]):
            return None
        try:
            peer = peers.Peer(detector, X[fit], seed)
        except (ValueError, np.linalg.LinAlgError) as error:
            print(f"{protocol} {path.stem} {detector}: {error}", flush=True)
            return None
        fitted = time.monotonic(), time.process_time()
        scores = peer.own() if protocol == "unsup" else peer.score(X[score])
    else:
        frame = pd.DataFrame(X, columns=[f"c{i + 1}" for i in range(X.shape[1])])
        name, _, robust = detector.partition(" ")
        bundle = None
        if name != "one-shot":
            chosen = operations.FitOptions(
                plugin=name, params=params, seed=seed, robust=bool(robust)
            )
            bundle = operations.fit(frame.iloc[fit], chosen)
        fitted = time.monotonic(), time.process_time()
        scores = (
            operations.score(frame.iloc[score], bundle)
            if bundle
            else operations.detect(frame.iloc[score], all_rows=True).score
        )
    ended = time.monotonic(), time.process_time()
    return {
        "protocol": protocol,
        "dataset": path.stem,
        "detector": " ".join([detector, *(f"{k}={v}" for k, v in params.items())]),
        "seed": seed,
        "auroc": round(auroc(scores, y[score]), 6),
        "auprc": round(average_precision(scores, y[score]), 6),
        "fit_s": round(fitted[0] - began[0], 3),
        "fit_cpu_s": round(fitted[1] - began[1], 3),
        "score_s": round(ended[0] - fitted[0], 3),
        "score_cpu_s": round(ended[1] - fitted[1], 3),
    }


def report(rows: pd.DataFrame) -> str:
    """Tables in Markdown, one for each protocol: means over the sets of each set's mean over seeds,
    and mean ranks among the detectors that took all sets."""
    lines = []
    for protocol, part in rows.groupby("protocol"):
        sets = part["dataset"].nunique()
        per_set = part.groupby(["detector", "dataset"])[
            ["auroc", "auprc", "fit_cpu_s", "score_cpu_s"]
        ].mean()
        mean = per_set.groupby("detector").agg(
            auroc=("auroc", "mean"), auprc=("auprc", "mean"), sets=("auroc", "size"),
            fit=("fit_cpu_s", "median"), longest=("fit_cpu_s", "max"), score=("score_cpu_s", "median"),
        )  # fmt: skip
        mean["seeds"] = part.groupby("detector")["seed"].nunique()
        whole = per_set["auroc"].unstack("detector")[mean.index[mean["sets"] == sets]]
        mean["rank"] = whole.rank(axis=1, ascending=False).mean()
        lines.append(f"\n{protocol}, {sets} sets\n")
        lines.append(
            "| detector | AUROC | average precision | mean rank | sets | seeds | fit CPU s, median | longest "
            "| score CPU s, median |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
        )
        for name, row in mean.sort_values("auroc", ascending=False).iterrows():
            shown = name if name in peers.MODULES else f"**aetool {name}**"
            rank = "" if np.isnan(row["rank"]) else f"{row['rank']:.2f}"
            lines.append(
                f"| {shown} | {row.auroc:.4f} | {row.auprc:.4f} | {rank} | {row.sets:.0f} "
                f"| {row.seeds:.0f} | {row.fit:.2f} | {row.longest:.1f} | {row.score:.2f} |"
            )
        ours = per_set.loc[BEST[protocol]] if BEST[protocol] in mean.index else None
        for name in mean.index[mean["sets"] < sets] if ours is not None else ():
            same = ours.loc[ours.index.intersection(per_set.loc[name].index)].mean()
            lines.append(
                f"\nOn the {mean.loc[name, 'sets']:.0f} sets that {name} took, {BEST[protocol]} has "
                f"{same.auroc:.4f} and {same.auprc:.4f}."
            )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.set_defaults(seeds=3)
    parser.add_argument(
        "--detectors", default=",".join((*OURS, *peers.FAST, *peers.DENSE, *peers.SLOW))
    )
    parser.add_argument("--protocols", default="semi,unsup")
    parser.add_argument("--sets", default="", help="comma-separated parts of names; default all")
    parser.add_argument("-O", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--chosen-on", default=CHOSEN_ON, help="the sets by which our settings were chosen"
    )
    options = parser.parse_args()
    folder = common.need(options.data / "detect")
    params = dict(item.split("=", 1) for item in options.O)
    wanted = [s for s in options.sets.split(",") if s]
    detectors = options.detectors.split(",")
    if not peers.installed():
        print("without peers: pip install 'aetool[bench]'")
        detectors = [d for d in detectors if d not in peers.MODULES]
    rows = []
    for seed in range(options.seeds):
        for protocol in options.protocols.split(","):
            for path in sorted(folder.glob("*.npz")):
                if wanted and not any(w in path.stem for w in wanted):
                    continue
                for detector in detectors:
                    row = one(path, protocol, detector, seed, params)
                    if row is None:
                        continue
                    ours = detector not in peers.MODULES
                    chosen_on = options.chosen_on.split(",") if ours else []
                    common.record("detect", row, seeds=seed, data=path, chosen_on=chosen_on)
                    rows.append(row)
                    print(f"{protocol} {path.stem} {detector} {seed}: {row['auroc']:.3f} "
                          f"{row['auprc']:.3f} {row['fit_cpu_s']} s", flush=True)  # fmt: skip
    print(report(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
