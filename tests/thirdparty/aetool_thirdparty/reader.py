"""Fixed-width tables."""

import pandas as pd


def read(path):
    """A re-iterable of DataFrames."""
    return [pd.read_fwf(path)]
