"""Fixed-width tables."""

from pathlib import Path

import pandas as pd


def read(path: Path) -> list[pd.DataFrame]:
    """A re-iterable of DataFrames."""
    return [pd.read_fwf(path)]
