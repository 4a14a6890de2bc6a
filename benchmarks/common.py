"""What every benchmark shares: where the data are, and where result lines go."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
SELECTED = {"detect"}  # benchmarks on whose sets settings were chosen as well


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser of the command line with the options that all benchmarks take."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of data sets"
    )
    made.add_argument("--seeds", type=int, default=1)
    return made


EVERY = "every"


def add_parts(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Let the user name in the command which parts of the benchmark are run; without a name all
    are."""
    # a default that is no list, which this version of argparse would look for among the choices
    parser.add_argument("what", nargs="*", choices=(*names, EVERY), default=EVERY)


def parts_of(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """The names of the parts that the user asked for, in the order given."""
    return list(names) if EVERY in options.what else options.what


def need(path: Path) -> Path:
    """Return the path if it exists; otherwise print that the benchmark is skipped for want of its
    data, and exit with status 0."""
    if not path.exists():
        print(f"skipped: {path} is not there; give the folder of data sets with --data")
        sys.exit(0)
    return path


def checksum(data: Any) -> str:
    """The first 16 hexadecimal digits of a sha256 of the data, by which a later reader can tell
    whether the data were the same.

    data: a file (its bytes), a folder (names and bytes of its files), an array or a DataFrame that
    was made here (names, types and values), or a list of such. TypeError for anything else.
    """
    return hashlib.sha256(b"".join(_pieces(data))).hexdigest()[:16]


def _pieces(data: Any) -> Iterator[bytes]:
    if isinstance(data, Path) and data.is_dir():
        files = sorted(p for p in data.rglob("*") if p.is_file())
        for file in files:
            yield file.relative_to(data).as_posix().encode() + b"\0"
            yield hashlib.sha256(file.read_bytes()).digest()
    elif isinstance(data, Path):
        yield data.read_bytes()
    elif isinstance(data, np.ndarray):
        yield f"{data.dtype.str}{data.shape}".encode()
        yield np.ascontiguousarray(data).tobytes()
    elif hasattr(data, "to_csv"):  # a DataFrame; without pandas, as memory of children is measured
        yield ",".join(map(str, data.columns)).encode() + b"\0"
        yield data.to_csv(index=False).encode()
    elif isinstance(data, list) and data:
        for one in data:
            yield checksum(one).encode()
    else:
        raise TypeError(
            f"data of a row must be a file, a folder, an array or a table, not {data!r}"
        )


def commit() -> str:
    """The commit of the code that runs, short; with a + if code differs from it.

    SystemExit where there is none: a row that nobody can run again is not written.
    """
    root = Path(__file__).parent.parent

    def git(*command: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    found = git("rev-parse", "--short", "HEAD")
    if not found:
        raise SystemExit(
            "no commit: benchmarks run in a git checkout, so that rows name their code"
        )
    changed = git("status", "--porcelain", "--", "aetool", "plugins", "benchmarks/*.py")
    return found + ("+" if changed else "")


def record(
    name: str,
    row: Mapping[str, Any],
    *,
    seeds: int | Sequence[int],
    data: Any,
    chosen_on: Sequence[str] | None = None,
) -> None:
    """Append one measured row to results/<name>.jsonl, with what it takes to measure it again.

    seeds: every seed that went into the row. data: what it was measured on, see checksum.
    chosen_on: the sets by which the settings of what is measured were chosen (an empty list where
    nothing was chosen); rows of a benchmark in SELECTED must say it. Written beside them: the
    commit, Python and the kind of machine.
    """
    if name in SELECTED and chosen_on is None:
        raise ValueError(f"{name}: a row needs chosen_on, the sets its settings were chosen by")
    numbers = [seeds] if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if not numbers:
        raise ValueError(f"{name}: a row needs the seeds it was measured with")
    facts: dict[str, Any] = {"commit": commit(), "seeds": numbers, "sha256": checksum(data)}
    if chosen_on is not None:
        facts["chosen_on"] = list(chosen_on)
    facts |= {"python": platform.python_version(), "machine": platform.machine()}
    twice = facts.keys() & row.keys()
    if twice:
        raise ValueError(f"{name}: {', '.join(sorted(twice))} of a row are written by record alone")
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({**row, **facts}) + "\n")
