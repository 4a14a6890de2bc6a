"""Detection on 144 labelled sets in two halves: settings chosen on one, told on the other.

The sets are the 22 of `detect` and the 122 of `odd`. A set is of the half "chosen" where the first
byte of the sha256 of its name is odd, of the half "kept" where it is even; members of the default,
their weights and how they are joined were chosen by the first half alone.

Protocols: semi (fitted on ordinary rows alone, a random half of them where a set does not say
which; the rest scored) and mixed (anomalies, cut to 5 %, among the rows that are fitted and
scored). Sets are cut to 6,000 rows to fit and as many to score. Peers (pip install 'aetool[bench]')
have their defaults but for the numbers in their names, behind standardisation by the fitted rows.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import common
import numpy as np
import pandas as pd
import peers

from aetool import operations
from aetool.detection.ranking import auroc, average_precision

MOST = 6_000  # rows
PART = 0.05  # of the rows, the most that are anomalies
OURS = {"semi": "auto", "mixed": "auto --robust"}
# what the default joins, each fitted alone: beside the best of them, told by labels, is its regret
MEMBERS = {
    "semi": ("pca", "neighbours", "elm", "tails", "histogram", "ranks", "dependence"),
    "mixed": tuple(
        f"{name} --robust" for name in ("pca", "neighbours", "tails", "histogram", "trees")
    ),
}
ENOUGH, BEARABLE = 50, 0.10  # anomalies of a set whose own regret is told; the regret to stay below
PEERS = ("KNN", "1NN", "LOF", "GMM4", "IForest", "ECOD", "COPOD", "HBOS", "MCD", "AutoEncoder")
LEAST_TOLD = 1e-4  # smaller p-values are told as smaller than this


def half(path: Path) -> str:
    """Name the half of the sets that a set belongs to, which its file's name decides."""
    odd = hashlib.sha256(path.stem.encode()).digest()[0] & 1
    return "chosen" if odd else "kept"


def cut(X: np.ndarray, y: np.ndarray, rng: np.random.Generator, most: int) -> tuple:
    """Choose at random at most `most` rows and their labels, with the same part of anomalies."""
    if len(X) <= most:
        return X, y
    kept = []
    for label in (0, 1):
        size = max(1, round(most * float((y == label).mean())))
        kept.append(rng.choice(np.flatnonzero(y == label), size, replace=False))
    rows = np.sort(np.concatenate(kept))
    return X[rows], y[rows]


def load(path: Path, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows to fit, rows to score, labels of those: 1 for an anomaly)."""
    rng = np.random.default_rng(seed)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    if "X" in arrays:
        X, y = arrays["X"].astype(float), arrays["y"].astype(int)
        X, y = cut(X, y, rng, 2 * MOST)
        order = rng.permutation(len(y))
        ordinary = order[y[order] == 0]
        middle = len(ordinary) // 2
        rest = np.concatenate([ordinary[middle:], order[y[order] == 1]])
        fit, score, truth = X[ordinary[:middle]], X[rest], y[rest]
    else:
        fit, score = arrays["train"].astype(float), arrays["test"].astype(float)
        truth = arrays["test_labels"].astype(int)
        if len(fit) > MOST:
            fit = fit[np.sort(rng.choice(len(fit), MOST, replace=False))]
        score, truth = cut(score, truth, rng, MOST)
    if protocol == "semi":
        return fit, score, truth
    X = np.concatenate([fit, score])
    y = np.concatenate([np.zeros(len(fit), int), truth])
    ordinary = np.flatnonzero(y == 0)
    if len(ordinary) > MOST:
        ordinary = np.sort(rng.choice(ordinary, MOST, replace=False))
    odd = np.flatnonzero(y == 1)
    size = max(1, round(len(ordinary) * PART / (1 - PART)))
    odd = rng.choice(odd, min(len(odd), size), replace=False)
    rows = rng.permutation(np.concatenate([ordinary, odd]))
    return X[rows], X[rows], y[rows]


def scores_of(detector: str, protocol: str, seed: int, fit: np.ndarray, score: np.ndarray):
    """(rows,): the scores that one detector, fitted on `fit`, gives the rows of `score`; None where
    a peer cannot take the set."""
    if detector in peers.MODULES:
        if not peers.takes(detector, len(fit), fit.shape[1]):
            return None
        try:
            peer = peers.Peer(detector, fit, seed)
        except (ValueError, np.linalg.LinAlgError):
            return None
        return peer.own() if protocol == "mixed" else peer.score(score)
    name, _, robust = detector.partition(" ")
    options = operations.FitOptions(plugin=name, seed=seed, robust=bool(robust))
    bundle = operations.fit(_frame(fit), options)
    return operations.score(_frame(score), bundle)


def _frame(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"c{i + 1}" for i in range(X.shape[1])])


def regrets(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each protocol and half, how far the default stays behind its best single member, (AUROC).

    The best is told by the labels of each set, so nobody could have chosen it. A set at which the
    default is ahead of all members counts as 0.
    """
    lines = []
    for (protocol, part), some in rows.groupby(["protocol", "half"]):
        every = some.groupby(["dataset", "detector"])["auroc"].mean().unstack("detector")
        names = [name for name in MEMBERS[protocol] if name in every]
        if OURS[protocol] not in every or not names:
            continue
        every = every.dropna(subset=[OURS[protocol], *names])
        regret = (every[names].max(axis=1) - every[OURS[protocol]]).clip(lower=0)
        large = regret[some.groupby("dataset")["anomalies"].max().reindex(regret.index) >= ENOUGH]
        worst = regret.sort_values(ascending=False).head(3)
        line = {"protocol": protocol, "half": part, "sets": len(regret)}
        line["mean of the default"] = round(every[OURS[protocol]].mean(), 4)
        line["mean of the best member"] = round(every[names].max(axis=1).mean(), 4)
        best = every[names].mean()
        line["best member on average"] = f"{best.idxmax()} {best.max():.4f}"
        line["mean regret"] = round(regret.mean(), 4)
        line[f"within {BEARABLE} (sets of {ENOUGH} anomalies)"] = (
            f"{100 * (large <= BEARABLE).mean():.0f} % of {len(large)}" if len(large) else ""
        )
        line["worst"] = ", ".join(f"{name} {value:.2f}" for name, value in worst.items())
        lines.append(line)
    return pd.DataFrame(lines)


def report(rows: pd.DataFrame) -> str:
    """Of each protocol and half: means over sets, mean rank, and the paired test against ours
    (Wilcoxon's signed ranks over sets, two-sided, not corrected)."""
    from scipy.stats import wilcoxon

    lines = []
    rows = rows[~rows["detector"].isin([name for names in MEMBERS.values() for name in names])]
    for (protocol, part), some in rows.groupby(["protocol", "half"]):
        means = some.groupby(["detector", "dataset"])[["auroc", "auprc"]].mean()
        ours = OURS[protocol]
        if ours not in means.index:
            continue
        own = means.loc[ours]
        every = means["auroc"].unstack("detector")
        ranks = every.dropna(axis=1).rank(axis=1, ascending=False).mean()
        lines.append(f"\n{protocol}, half {part}: {len(own)} sets\n")
        lines.append("| detector | AUROC | p | average precision | p | mean rank | sets |")
        lines.append("|---|--:|--:|--:|--:|--:|--:|")
        by_auroc = means.groupby("detector")["auroc"].mean().sort_values(ascending=False)
        for name in by_auroc.index:
            theirs = means.loc[name]
            shown = [f"**aetool {name}**" if name not in peers.MODULES else name]
            for figure in ("auroc", "auprc"):
                both = own[figure].loc[theirs.index] - theirs[figure]
                p = wilcoxon(both).pvalue if both.any() else float("nan")
                told = f"< {LEAST_TOLD:g}" if p < LEAST_TOLD else f"{p:.4f}"
                shown += [f"{theirs[figure].mean():.4f}", "" if np.isnan(p) else told]
            rank = ranks.get(name)
            shown += ["" if rank is None else f"{rank:.2f}", str(len(theirs))]
            lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def named(asked: str, protocol: str) -> list[str]:
    """The detectors that the user asked for, by the names under which they are recorded."""
    names: list[str] = []
    for name in asked.split(","):
        groups = {"ours": (OURS[protocol],), "members": MEMBERS[protocol]}
        names.extend(groups.get(name, (name,)))
    return names


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument(
        "--detectors",
        default=",".join(["ours", *PEERS]),
        help="names, `ours` for the default, `members` for what it joins",
    )
    parser.add_argument("--protocols", default="semi,mixed")
    parser.add_argument("--half", default="chosen,kept")
    options = parser.parse_args()
    folders = [common.need(options.data / name) for name in ("detect", "odd")]
    paths = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
    paths = [path for path in paths if half(path) in options.half.split(",")]
    rows = []
    for seed in range(options.seeds):
        for protocol in options.protocols.split(","):
            for path in paths:
                fit, score, truth = load(path, protocol, seed)
                for name in named(options.detectors, protocol):
                    began = time.process_time()
                    scores = scores_of(name, protocol, seed, fit, score)
                    if scores is None:
                        continue
                    row = {"protocol": protocol, "half": half(path), "dataset": path.stem}
                    row |= {"detector": name, "seed": seed, "anomalies": int((truth == 1).sum())}
                    row["auroc"] = round(auroc(scores, truth == 1), 6)
                    row["auprc"] = round(average_precision(scores, truth == 1), 6)
                    row["cpu_s"] = round(time.process_time() - began, 2)
                    common.record("halves", row, seeds=seed, data=path, chosen_on=["half chosen"])
                    rows.append(row)
                    print(row, flush=True)
    print(report(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
