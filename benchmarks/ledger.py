"""What records cost in an archive as a score: sums, labelled sets, planted cells, and the time.

sums: of eight tables what records took, what belongs to none, and the payload. sets: the 144
labelled sets of halves.py with 5 % of anomalies among the rows, written as CSV and compressed;
beside them one-shot `detect` (auto --robust) on the same rows. kdd: attacks in kdd99 against its
ordinary records. planted: single cells of the eight tables moved to 6 standard deviations. time:
a table of a million records, compressed, and detected in.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import common
import halves
import numpy as np
import pandas as pd

import aetool
from aetool import operations
from aetool.detection.ranking import auroc, average_precision
from aetool.operations import CompressOptions
from aetool.scoring import costing

FIRST = 2_500_000  # bytes of a table in which cells are planted
PLANTED, FAR = 20, 6.0  # cells of a table; standard deviations
MILLION = 1_000_000


def archive_of(table: pd.DataFrame | Path, folder: Path) -> Path:
    """Compress a table to an archive in the folder, as CSV, and return its path."""
    source = table
    if isinstance(table, pd.DataFrame):
        source = folder / "table.csv"
        table.to_csv(source, index=False)
    target = folder / "table.csv.aez"
    operations.compress(source, target, None, CompressOptions(force=True))
    return target


def scores_of(archive: Path) -> np.ndarray:
    """(rows,): the bits that each record of an archive takes, as its anomaly score."""
    return costing.detect(archive, all_rows=True).score


def sums(options, folder: Path) -> None:
    """Measure for each table how far the bits of all records together are from the size of its
    archive's payload."""
    for path in sorted(common.need(options.data / "tables").glob("*.csv")):
        began = time.process_time()
        archive = archive_of(path, folder)
        seconds = time.process_time() - began
        began = time.process_time()
        ledger = costing.ledger_of(archive)
        with aetool.open(archive) as opened:
            stored = opened.reader
            payload = sum(len(stored.block(i).payload) for i in range(len(stored.blocks)))
        row = {"what": "sums", "dataset": path.stem, "rows": ledger.records, "payload": payload}
        row |= {"records": round((ledger.taken - ledger.learning) / 8)}
        row |= {"learning": round(ledger.learning / 8)}
        row |= {name: round(bits / 8) for name, bits in ledger.overhead.items()}
        row |= {"off": round(ledger.payload / payload - 1, 9)}
        row |= {"cpu_s_compress": round(seconds, 2)}
        row |= {"cpu_s_ledger": round(time.process_time() - began, 2)}
        common.record("ledger", row, seeds=[0], data=path)
        print(row, flush=True)


def sets(options, folder: Path) -> None:
    """Measure AUROC and average precision on the labelled sets, of scores by archives and of the
    default's."""
    paths = [p for name in ("detect", "odd") for p in sorted((options.data / name).glob("*.npz"))]
    rows = []
    for path in paths[:: options.every]:
        _, score, truth = halves.load(path, "mixed", 0)
        if score.size > options.most_cells:
            continue
        table = pd.DataFrame(score, columns=[f"c{i + 1}" for i in range(score.shape[1])])
        by_detector = {"archive": lambda table=table: scores_of(archive_of(table, folder))}
        if not options.archives_alone:
            by_detector[halves.OURS["mixed"]] = lambda score=score: halves.scores_of(
                halves.OURS["mixed"], "mixed", 0, score, score
            )
        for name, scored in by_detector.items():
            began = time.process_time()
            scores = scored()
            row = {"what": "sets", "half": halves.half(path), "dataset": path.stem}
            row |= {"detector": name, "rows": len(score), "columns": score.shape[1]}
            row |= {"anomalies": int((truth == 1).sum())}
            row |= {"auroc": round(auroc(scores, truth == 1), 6)}
            row |= {"auprc": round(average_precision(scores, truth == 1), 6)}
            row |= {"cpu_s": round(time.process_time() - began, 2)}
            common.record("ledger", row, seeds=[0], data=path)
            rows.append(row)
            print(row, flush=True)
    means = pd.DataFrame(rows).groupby(["half", "detector"])[["auroc", "auprc"]].mean()
    print(means.round(4))


def kdd(options, folder: Path) -> None:
    """Measure the same on kdd99, whose last column is the label."""
    path = common.need(options.data / "tables" / "kdd99.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    truth = ~table.iloc[:, -1].str.startswith("normal").to_numpy()
    rng = np.random.default_rng(0)
    ordinary, odd = np.flatnonzero(~truth), np.flatnonzero(truth)
    chosen = rng.choice(odd, min(len(odd), round(len(ordinary) / 99)), replace=False)
    rows = np.sort(np.concatenate([ordinary, chosen]))
    cut = table.iloc[rows, :-1]
    for name, scored in (
        ("archive", lambda: scores_of(archive_of(cut, folder))),
        (halves.OURS["mixed"], lambda: _one_shot(cut)),
    ):
        began = time.process_time()
        scores = scored()
        row = {"what": "kdd", "detector": name, "rows": len(rows), "anomalies": len(chosen)}
        row |= {"auroc": round(auroc(scores, truth[rows]), 6)}
        row |= {"auprc": round(average_precision(scores, truth[rows]), 6)}
        row |= {"cpu_s": round(time.process_time() - began, 2)}
        common.record("ledger", row, seeds=[0], data=path)
        print(row, flush=True)


def _one_shot(table: pd.DataFrame) -> np.ndarray:
    options = operations.FitOptions(plugin="auto", robust=True)
    return operations.detect(table, None, fit=options, all_rows=True).score


def planted(options, folder: Path) -> None:
    """Plant PLANTED cells FAR deviations from the mean in each table, and measure how many are
    among twice as many of the highest scores, and how often the right column is named first."""
    for path in sorted(common.need(options.data / "tables").glob("*.csv")):
        text = path.read_bytes()[:FIRST]
        table = pd.read_csv(
            io.BytesIO(text[: text.rindex(b"\n")]), dtype=str, keep_default_na=False
        )
        rng = np.random.default_rng(0)
        numbers = {c: pd.to_numeric(table[c], errors="coerce") for c in table.columns}
        numeric = [c for c, v in numbers.items() if v.notna().mean() > 0.9 and v.nunique() > 20]
        if not numeric:
            continue
        rows = rng.choice(len(table), PLANTED, replace=False)
        columns = [numeric[i] for i in rng.integers(0, len(numeric), PLANTED)]
        for row, column in zip(rows.tolist(), columns, strict=True):
            values = numbers[column]
            decimals = table[column].str.partition(".")[2].str.len().max()
            moved = values.mean() + FAR * values.std() * (1 if rng.random() < 0.5 else -1)
            table.iloc[row, table.columns.get_loc(column)] = f"{moved:.{int(decimals)}f}"
        found = costing.detect(archive_of(table, folder), all_rows=True)
        order = np.argsort(-found.score, kind="stable")
        highest = set(order[: 2 * PLANTED].tolist())
        named = [found.named[row][:1] for row in rows.tolist()]
        first = sum(bool(n) and n[0][0] == c for n, c in zip(named, columns, strict=True))
        truth = np.zeros(len(table), bool)
        truth[rows] = True
        row = {"what": "planted", "dataset": path.stem, "rows": len(table), "cells": PLANTED}
        row |= {"among_twice_as_many": len(highest & set(rows.tolist()))}
        row |= {"named_first": first, "auroc": round(auroc(found.score, truth), 4)}
        common.record("ledger", row, seeds=[0], data=path)
        print(row, flush=True)


def timed(options, folder: Path) -> None:
    """Measure the seconds to compress a million records, and to detect in the archive."""
    path = common.need(options.data / "tables" / "adult.csv")
    head, _, body = path.read_bytes().partition(b"\n")
    lines = body.splitlines(keepends=True)
    order = np.random.default_rng(0).integers(0, len(lines), MILLION)
    source = folder / "million.csv"
    source.write_bytes(head + b"\n" + b"".join(lines[i] for i in order.tolist()))
    began = time.process_time()
    archive = archive_of(source, folder)
    compressing = time.process_time() - began
    began = time.process_time()
    found = operations.detect(archive, top=20)
    detecting = time.process_time() - began
    row = {"what": "time", "dataset": "adult, drawn", "rows": found.total}
    row |= {"cpu_s_compress": round(compressing, 2), "cpu_s_detect": round(detecting, 2)}
    row |= {"ratio": round(detecting / compressing, 3)}
    common.record("ledger", row, seeds=[0], data=path)
    print(row, flush=True)


PARTS = {"sums": sums, "sets": sets, "kdd": kdd, "planted": planted, "time": timed}


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--archives-alone", action="store_true", help="sets without one-shot")
    parser.add_argument("--every", type=int, default=1, help="of the sets each so manyth")
    parser.add_argument("--most-cells", type=int, default=1 << 30, help="larger sets are left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for part in options.parts.split(","):
            PARTS[part](options, Path(folder))


if __name__ == "__main__":
    main()
