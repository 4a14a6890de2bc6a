"""Reading speed: text to records to numbers, beside pyarrow.csv converting the same columns.

    python reading.py [--megabytes 100]

Tables are made here, of one kind of column each and of all of them. Both readers run in this process on one
thread, in turns, three times each; the fastest counts. Ours cuts records and fields, tells how columns are
written from the first batch, and reads every cell to a float64 and a state. pyarrow is told the types. Money is
text to pyarrow, which does not read it.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from aetool.csv.dialect import Dialect
from aetool.data import text
from aetool.data.notation.dates import DateEvidence
from aetool.data.notation.numbers import NumberEvidence
from aetool.data.table import Cells

TIMES = 3
COLUMNS = 8
BLOCK_ROWS = 20_000
FIRST_CELLS = 2000  # by which columns are judged here


def integers(rng: np.random.Generator) -> list[str]:
    """Whole numbers of one to six digits."""
    return [str(v) for v in (10 ** rng.uniform(0, 6, BLOCK_ROWS)).astype(int)]


def decimals(rng: np.random.Generator) -> list[str]:
    """Numbers with three decimals."""
    return [f"{v:.3f}" for v in rng.normal(20, 5, BLOCK_ROWS)]


def floats(rng: np.random.Generator) -> list[str]:
    """All digits of a float64."""
    return [repr(v) for v in rng.normal(size=BLOCK_ROWS).tolist()]


def exponents(rng: np.random.Generator) -> list[str]:
    """Numbers in exponent notation, one in ten a gap."""
    values = rng.lognormal(0, 20, BLOCK_ROWS).tolist()
    return [
        "" if gap else f"{v:.5e}"
        for v, gap in zip(values, rng.random(BLOCK_ROWS) < 0.1, strict=True)
    ]


def days(rng: np.random.Generator) -> list[str]:
    """Days of 30 years."""
    return np.datetime_as_string(
        rng.integers(0, 11_000, BLOCK_ROWS).astype("datetime64[D]")
    ).tolist()


def stamps(rng: np.random.Generator) -> list[str]:
    """Seconds of ten years, all different."""
    seconds = rng.integers(1_400_000_000, 1_700_000_000, BLOCK_ROWS).astype("datetime64[s]")
    return np.datetime_as_string(seconds).tolist()


def money(rng: np.random.Generator) -> list[str]:
    """Amounts with a currency, commas between thousands, and quotes therefore."""
    return [f'"${v:,.2f}"' for v in rng.lognormal(7, 1, BLOCK_ROWS)]


KINDS: dict[str, tuple[Callable[[np.random.Generator], list[str]], pa.DataType]] = {
    "integers": (integers, pa.float64()),
    "decimals": (decimals, pa.float64()),
    "floats": (floats, pa.float64()),
    "exponents": (exponents, pa.float64()),
    "days": (days, pa.timestamp("s")),
    "stamps": (stamps, pa.timestamp("s")),
    "money": (money, pa.string()),
}


def write(path: Path, kinds: list[str], size: int) -> None:
    """Write a CSV file with columns of these kinds, whose rows repeat until it has about `size`
    bytes."""
    rng = np.random.default_rng(0)
    columns = [KINDS[kind][0](rng) for kind in kinds]
    block = "\n".join(map(",".join, zip(*columns, strict=True))).encode() + b"\n"
    header = ",".join(f"{kind}{i}" for i, kind in enumerate(kinds)).encode() + b"\n"
    with path.open("wb") as file:
        file.writelines([header, *[block] * max(1, size // len(block))])


def ours(path: Path) -> int:
    """Read a CSV file with aetool, and count the cells that are no gaps."""
    with path.open("rb") as file:
        notations = None
        values = 0
        for batch in text.tables(file, path.name, Dialect()):
            columns = [column for column in batch.values if isinstance(column, Cells)]
            notations = notations or [
                notation(column.take(slice(FIRST_CELLS))) for column in columns
            ]
            for how, column in zip(notations, columns, strict=True):
                values += int((how.read(column).state == 0).sum())
    return values


def notation(cells: Cells):
    """Decide by a column's first cells in which notation its dates or numbers are written."""
    return DateEvidence.of(cells).decide() or NumberEvidence.of(cells).decide()


def arrow(path: Path, kinds: list[str]) -> int:
    """Read the same file with Arrow, and count the cells that are no gaps."""
    types = {f"{kind}{i}": KINDS[kind][1] for i, kind in enumerate(kinds)}
    table = pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(use_threads=False),
        convert_options=pacsv.ConvertOptions(column_types=types),
    )
    return sum(len(column) - column.null_count for column in table.columns)


def fastest(function: Callable[[], int]) -> tuple[float, int]:
    """Call a function: (seconds of processor time, what it returned)."""
    started = time.process_time()
    found = function()
    return time.process_time() - started, found


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser: argparse.ArgumentParser = common.parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--only", help="one kind of column")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    jobs = {kind: [kind] * COLUMNS for kind in KINDS} | {"all": [*KINDS]}
    print("| columns | aetool MB/s | pyarrow MB/s | ours over pyarrow's |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for job, kinds in jobs.items():
            if options.only not in (None, job):
                continue
            path = Path(folder) / "table.csv"
            write(path, kinds, options.megabytes * 1_000_000)
            megabytes = path.stat().st_size / 1e6
            seconds = {"aetool": 1e9, "pyarrow": 1e9}
            for _ in range(TIMES):
                spent, values = fastest(functools.partial(ours, path))
                seconds["aetool"] = min(seconds["aetool"], spent)
                spent, arrow_values = fastest(functools.partial(arrow, path, kinds))
                seconds["pyarrow"] = min(seconds["pyarrow"], spent)
                if values != arrow_values:
                    raise SystemExit(f"{job}: {values} values, and {arrow_values} of pyarrow")
            speed = {name: round(megabytes / spent, 1) for name, spent in seconds.items()}
            ratio = round(seconds["pyarrow"] / seconds["aetool"], 3)
            print(f"| {job} | {speed['aetool']} | {speed['pyarrow']} | {ratio} |", flush=True)
            row = {"job": job, "megabytes": round(megabytes), **speed, "ratio": ratio}
            common.record("reading", row, seeds=0, data=path)


if __name__ == "__main__":
    main()
