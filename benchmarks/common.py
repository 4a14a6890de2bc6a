"""What every benchmark shares: where the data are, and where result lines go."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Options all benchmarks take."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of data sets"
    )
    made.add_argument("--seeds", type=int, default=1)
    return made


def need(path: Path) -> Path:
    """The path, or a message and exit 0: a benchmark without its data is skipped."""
    if not path.exists():
        print(f"skipped: {path} is not there; give the folder of data sets with --data")
        sys.exit(0)
    return path


def record(name: str, row: dict[str, Any], source: Path | None = None) -> None:
    """Append one measured row to results/<name>.jsonl, with what it was measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    facts = {"commit": commit, "python": platform.python_version(), "machine": platform.machine()}
    if source is not None:
        facts["sha256"] = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({**row, **facts}) + "\n")
