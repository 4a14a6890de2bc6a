"""Writes README.md of this folder from results/*.jsonl: the latest row of each job."""

from __future__ import annotations

import json
from pathlib import Path

import common
import pandas as pd

HERE = Path(__file__).parent
HEAD = """# Benchmarks

One script a question; each prints a table and appends its rows to `results/`, with the commit, seed
and a checksum of the data. This page is written from those rows by `python tables.py`. Data are looked
for in `--data DIR` (default `../shared/data`), and a benchmark without them is skipped; peers' figures
come from the folder `baselines` beside it. Times are of one small 2-core machine under load: compare
them within one table only.
"""


def read(name: str, keys: list[str]) -> pd.DataFrame:
    """The latest row for each combination of keys."""
    path = common.RESULTS / f"{name}.jsonl"
    if not path.exists():
        return pd.DataFrame()
    rows = pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    return rows.dropna(subset=keys).drop_duplicates(keys, keep="last")


def markdown(frame: pd.DataFrame, columns: dict[str, str]) -> str:
    """A table of these columns under these names."""
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    for row in frame[list(columns)].itertuples(index=False):
        cells = ["" if v != v else f"{v:.4g}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def detection(peers: Path) -> str:
    """Ours beside the peers, on the sets each covers."""
    import detect

    rows = read("detect", ["protocol", "dataset", "detector", "seed"])
    if rows.empty:
        return ""
    theirs = (
        pd.read_csv(peers)
        if peers.exists()
        else pd.DataFrame(columns=["protocol", "dataset", "detector", "auroc", "auprc", "status"])
    )
    return detect.report(rows, theirs[theirs["status"] == "ok"])


def main() -> None:
    """Write the page."""
    options = common.parser(__doc__).parse_args()
    parts = [HEAD]
    start = read("startup", ["job"])
    if not start.empty:
        parts += ["## Start-up and small jobs (`startup.py`)\n",
                  markdown(start, {"job": "job", "cpu_s": "CPU s", "mb": "peak MB", "bytes": "bytes"})]  # fmt: skip
    kdd = read("kdd", ["detector", "seed"])
    if not kdd.empty:
        parts += ["\n## Mixed types: KDD Cup 1999, half of the normal rows fitted (`kdd.py`)\n",
                  markdown(kdd, {"detector": "plugin", "auroc": "AUROC", "average_precision": "average precision",
                                 "precision": "precision at threshold", "recall": "recall", "fit_cpu_s": "fit CPU s"})]  # fmt: skip
    found = detection(options.data.parent / "baselines" / "detect.csv")
    if found:
        parts += ["\n## Labelled sets, beside peers (`detect.py`)\n", found]
    one = read("oneclass", ["class", "detector"])
    if not one.empty:
        mean = one.groupby("detector")[["auroc", "auprc"]].mean().reset_index()
        parts += ["\n## Fashion-MNIST, one class normal, mean over classes (`oneclass.py`)\n",
                  markdown(mean, {"detector": "plugin", "auroc": "AUROC", "auprc": "average precision"})]  # fmt: skip
    lossy = read("lossy", ["data", "plugin", "latent"])
    if not lossy.empty:
        lossy["ratio"] = lossy["error"] / lossy["pca_error"]
        parts += ["\n## Lossy archives beside PCA at equal bytes (`lossy.py`)\n",
                  "error: RMSE / 255 of pictures; of tables the mean over columns of RMSE / range.\n",
                  markdown(lossy, {"data": "data", "plugin": "plugin", "latent": "latent", "bytes": "bytes, model apart",
                                   "error": "error", "pca_error": "PCA's error at these bytes", "ratio": "ratio",
                                   "model_bytes": "model bytes"})]  # fmt: skip
    planted = read("planted", ["farthest"])
    if not planted.empty:
        parts += ["\n## Planted cells, one-shot detection (`planted.py`)\n",
                  markdown(planted, {"farthest": "farthest, deviations", "seeds": "seeds", "recall": "mean recall in the top 50",
                                     "first": "planted column named first, of all 50"})]  # fmt: skip
    (HERE / "README.md").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
