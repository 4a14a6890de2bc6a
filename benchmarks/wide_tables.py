"""Wide tables in which columns follow from a few causes: bytes of a code against those of a bound.

Two tables are drawn from a seed: 200 sensors of one plant, which follow 6 slow causes and have noise
of their own, and spectra of 500 channels, sums of 8 bands of several heights, with noise. Of each,
archives at a few errors (compress --rmse, a part of a standard deviation): the exact one, the bounded
one, and the code of pca with a code of several sizes, its decoder counted, and apart. The smallest
code is told, also where the bound is smaller. Nothing is chosen on these tables but that size.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd

from aetool.archives.candidates import Candidates
from aetool.archives.lossy_job import CompressOptions
from aetool.data import sources
from aetool.errors import ParamError
from aetool.fits import fitting
from aetool.fits.asked import FitOptions

ERRORS = (0.02, 0.05, 0.1, 0.2)
LATENTS = (8, 16)
NOISE = 0.02  # of a column's deviation: what no cause explains


def sensors(rows: int = 4000, columns: int = 200, causes: int = 6, seed: int = 31) -> pd.DataFrame:
    """Sensors of one plant: slow causes, each sensor a mixture of them with noise of its own."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(rows, causes))
    slow = np.zeros_like(steps)
    for row in range(1, rows):
        slow[row] = 0.98 * slow[row - 1] + steps[row]
    mixed = slow @ rng.normal(size=(causes, columns))
    mixed /= mixed.std(axis=0)
    mixed += NOISE * rng.normal(size=mixed.shape)
    scale = rng.uniform(5, 500, columns)
    level = rng.uniform(0, 1000, columns)
    return pd.DataFrame((level + scale * mixed).round(3)).add_prefix("sensor")


def spectra(rows: int = 1500, channels: int = 500, bands: int = 8, seed: int = 32) -> pd.DataFrame:
    """Spectra of samples in no order: bands at fixed places, of heights that vary, with noise."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.uniform(20, channels - 20, bands))
    widths = rng.uniform(8, 40, bands)
    channel = np.arange(channels)[:, None]
    shapes = np.exp(-0.5 * ((channel - places) / widths) ** 2)
    heights = rng.lognormal(0, 0.6, (rows, bands))
    light = heights @ shapes.T
    light += NOISE * light.std() * rng.normal(size=light.shape)
    return pd.DataFrame((1000 * light).round(1)).add_prefix("channel")


TABLES = {"sensors": sensors, "spectra": spectra}


class Measured:
    """The archives of one table: exact, within bounds, and by codes, whose sizes are measured at
    one error after another."""

    def __init__(self, path: Path, folder: Path, stack: ExitStack) -> None:
        self.path = path
        options = CompressOptions(force=True)
        self.candidates = Candidates(sources.open_source(path), options, folder, stack)
        self.exact = self.candidates.exact().size

    def at(self, models: dict[int, Any], error: float) -> dict[str, Any]:
        """Bytes of each way to store the table at an error; where two codes reach it, of the
        smaller one."""
        bounded = self.candidates.bounded(error)
        row: dict[str, Any] = {"error": error, "exact": self.exact}
        row["bounded"] = None if bounded is None else bounded.size
        for latent, model in models.items():
            try:
                inside = self.candidates.code(model, error).size
                apart = self.candidates.code(model, error, embed=False).size
            except ParamError:
                # the code of so many units does not reach the error
                continue
            if inside < row.get("code", np.inf):
                row |= {"code": inside, "code_apart": apart, "latent": latent}
        if "code" in row and bounded is not None:
            row["ratio"] = round(row["code"] / bounded.size, 4)
        return row


def main() -> None:
    """Measure both tables, or one."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", choices=tuple(TABLES))
    parser.add_argument("--errors", default=",".join(map(str, ERRORS)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for table, draw in TABLES.items():
            if options.only not in (None, table):
                continue
            path = folder / f"{table}.csv"
            draw().to_csv(path, index=False)
            models = {
                latent: fitting.fit(path, FitOptions("pca", {"latent": latent}))
                for latent in LATENTS
            }
            with ExitStack() as stack:
                archives = Measured(path, folder, stack)
                for error in map(float, options.errors.split(",")):
                    row = {"table": table, **archives.at(models, error)}
                    common.record("wide_tables", row, seeds=[31, 32], data=path)
                    print(*row.items(), flush=True)


if __name__ == "__main__":
    main()
