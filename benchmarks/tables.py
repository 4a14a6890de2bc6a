"""Writes README.md of this folder from results/*.jsonl: the latest row of each job."""

from __future__ import annotations

import json
from pathlib import Path

import common
import numpy as np
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


def archives() -> list[str]:
    """Exact and bounded archives beside classical codecs."""
    parts: list[str] = []
    rows = read("compress", ["table", "mode", "effort"])
    if not rows.empty:
        rivals = ["xz", "bzip2", "zstd", "parquet", "pcodec"]
        means = rows.groupby(["mode", "effort"])["ratio"].agg(
            lambda r: float(np.exp(np.log(r).mean()))
        )
        lines = [f"{mode}, {effort}: {mean:.3f}" for (mode, effort), mean in means.items()]
        parts += ["\n## Archives beside classical codecs (`compress.py tables`)\n",
                  "Bytes; ratio to the smallest rival. Lossless: rivals take the CSV (pcodec: each numeric column, zstd for the\n"
                  "others). 1 %: every numeric column within 1 % of its range, and rivals take the same quantised whole numbers,\n"
                  "by rows or by columns, whichever is smaller; what it takes to write the table again is not counted for them.\n"
                  "Geometric means of the ratios: " + "; ".join(lines) + ".\n",
                  markdown(rows.sort_values(["table", "mode", "effort"]),
                           {"table": "table", "mode": "mode", "effort": "effort", "bytes": "aetool", "ratio": "ratio",
                            **{f"{r}_bytes": r for r in rivals}, "in_s": "s in", "out_s": "s out"})]  # fmt: skip
        coders = pd.DataFrame(list(rows["coders"])).fillna(0).astype(int)
        for place, key in enumerate(["table", "mode", "effort"]):
            coders.insert(place, key, rows[key].to_numpy())
        coders = coders.sort_values(["table", "mode", "effort"])
        parts += [
            "\nBytes by coder; `--best` may store students, small networks whose verdict is a context, where they\n"
            "save more than their weights:\n",
            markdown(coders, {c: c for c in coders.columns}),
        ]
    rows = read("shared", ["table", "mode", "students"])
    if not rows.empty:
        rows["students"] = np.where(rows["students"].astype(bool), "with students", "without")
        means = rows.groupby(["mode", "students"])["ratio"].agg(
            lambda r: float(np.exp(np.log(r).mean()))
        )
        lines = [f"{mode}, {students}: {mean:.3f}" for (mode, students), mean in means.items()]
        parts += ["\n## Files of 1,000 rows under one model (`compress.py shared`)\n",
                  "Fitted on the first 80 % of the rows; the total of the files, the model apart, beside zstd -19 with a\n"
                  "dictionary trained on the same rows, xz and pcodec. Geometric means of the ratios: " + "; ".join(lines) + ".\n",
                  markdown(rows.sort_values(["table", "mode", "students"]),
                           {"table": "table", "mode": "mode", "students": "networks", "files": "files", "bytes": "aetool",
                            "ratio": "ratio", "zstd_bytes": "zstd + dictionary", "xz_bytes": "xz", "pcodec_bytes": "pcodec",
                            "codec_bytes": "codec in the model", "fit_s": "fit s"})]  # fmt: skip
    rows = read("compress_speed", ["table", "job"])
    if not rows.empty:
        parts += ["\n## Speed on 100 MiB (`compress.py speed`)\n",
                  markdown(rows.sort_values(["table", "job"]),
                           {"table": "table", "job": "job", "in_mb_s": "MB/s in", "out_mb_s": "MB/s out", "bytes": "bytes",
                            "peak_mb": "peak MB"})]  # fmt: skip
    return parts


def family() -> list[str]:
    """Every model side by side."""
    rows = read("family", ["data", "plugin"])
    if rows.empty:
        return []
    found = read("detect", ["protocol", "dataset", "detector", "seed"])
    found = found[found["protocol"] == "semi"].groupby("detector")["auroc"].agg(["mean", "size"])
    rows["auroc"] = rows["plugin"].map(found["mean"])
    names = {"auroc": "AUROC, 22 sets", "bits": "bits", "error": "error", "psnr_db": "PSNR dB", "rate": "bits stored",
             "fit_cpu_s": "fit CPU s", "model_bytes": "model bytes", "latent": "code", "lines": "lines of code"}  # fmt: skip
    parts = ["\n## The family of models (`family.py`)\n",
             "By the command line, defaults throughout: fit, detect, export, verify, lossy and exact archives of 1,000\n"
             "records that were not fitted. bits: mean score of a record (of pictures, of a pixel), a density for `vae`, `masked`\n"
             "and `vq` alone: `pca` adds up each column given all others, and the others leave out what the code takes. error and bits stored, model apart: of the lossy archive, of a record;\n"
             "`masked` has no code. Lines: without blanks, comments and docstrings. AUROC: half of the normal rows fitted.\n"]  # fmt: skip
    for data, part in rows.groupby("data", sort=False):
        shown = {k: v for k, v in names.items() if not part[k].isna().all()}
        parts += [f"\n{data}:\n", markdown(part, {"plugin": "model", **shown})]
    seen = read("density", ["data", "plugin"])
    if not seen.empty:
        row = seen.iloc[-1]
        parts.append(
            f"\nA VAE (code of 32, Gaussian pixels in buckets) fitted on the 60,000 pictures of Fashion-MNIST needs\n"
            f"{row.elbo:.4f} bits per pixel of the 10,000 test pictures by its negative ELBO, {row.iwae100:.4f} by IWAE-100.\n"
        )
    for name, said in (
        ("curves", "Reconstruction against code size"),
        ("codes", "Codes of two numbers"),
    ):
        if (HERE / f"family_{name}.png").exists():
            parts.append(f"\n![{said}: PCA beside an autoencoder](family_{name}.png)\n")
    return parts


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
    parts += family()
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
    parts += archives()
    planted = read("planted", ["farthest"])
    if not planted.empty:
        parts += ["\n## Planted cells, one-shot detection (`planted.py`)\n",
                  markdown(planted, {"farthest": "farthest, deviations", "seeds": "seeds", "recall": "mean recall in the top 50",
                                     "first": "planted column named first, of all 50"})]  # fmt: skip
    (HERE / "README.md").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
