"""Are codes used? Four networks by default settings on ten tables: units, KL, gain over PCA.

A fit has collapsed where its code is dead (see aetool.nn.usage); it has collapsed silently where
`aetool fit` would not say so. The tables: the bundled one, those of --data/tables cut to 20,000
rows, and sets of --data/detect (without labels) up to ten.
"""

from __future__ import annotations

import time
from pathlib import Path

import common
import numpy as np
import pandas as pd

import aetool
from aetool import plugins, training
from aetool.cli import remarks
from aetool.data.sources import open_source
from aetool.fits import preparing
from aetool.model import make_params
from aetool.operations import FitOptions

PLUGINS = ("ae", "sparse", "denoising", "vae")
TABLES = ("adult", "beijing_air", "cmapss", "covtype20k", "credit", "elec", "stocks")
SETS = ("38_thyroid", "30_satellite")  # to make ten
MOST = 20_000


def tables(data: Path) -> dict[str, tuple[Path, pd.DataFrame]]:
    """The tables of the benchmark: (file, rows) by name."""
    bundled = Path(aetool.__file__).parent / "demo" / "beijing_air.csv"
    out = {"bundled": (bundled, pd.read_csv(bundled))}
    for name in TABLES:
        path = common.need(data / "tables" / f"{name}.csv")
        frame = pd.read_csv(path)
        if len(frame) > MOST:
            frame = frame.sample(MOST, random_state=0).sort_index()
        out[name] = path, frame
    for name in SETS:
        path = common.need(data / "detect" / f"{name}.npz")
        with np.load(path) as file:
            x = file["X"][:MOST].astype(float)
        out[name] = path, pd.DataFrame(x, columns=[f"c{i + 1}" for i in range(x.shape[1])])
    return out


def one(plugin: str, prepared: preparing.Prepared, seed: int) -> dict:
    """Fit one plugin and return its figures: steps, time, the use of the code, what `aetool fit`
    would remark (`said`), and whether the code is dead without such a remark (`silent`)."""
    model = plugins.get_model(plugin)
    began = time.process_time()
    trained = training.train(
        plugins.resolve(model.net), prepared.spec, make_params(model, {}), prepared.features,
        training.Settings(seed=seed, device="cpu"),
    )  # fmt: skip
    spent = time.process_time() - began
    said = list(remarks.of_training(trained.facts))
    row = {"steps": trained.facts["steps"], "cpu_s": round(spent, 2), **trained.facts["code"]}
    row["never_active"] = trained.facts.get("units_never_active")
    row["said"] = "; ".join(said)
    row["silent"] = row["dead"] and not any("the code is dead" in line for line in said)
    row["beats_pca"] = row["explained"] >= row["pca_explained"]
    return row


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.set_defaults(seeds=2)
    parser.add_argument("--plugins", default=",".join(PLUGINS))
    parser.add_argument("--tables", default="", help="comma-separated names; default all")
    options = parser.parse_args()
    found = tables(options.data)
    if options.tables:
        found = {name: found[name] for name in options.tables.split(",")}
    for seed in range(options.seeds):
        for name, (path, frame) in found.items():
            prepared = preparing.prepare(open_source(frame), FitOptions())
            for plugin in options.plugins.split(","):
                row = {"table": name, "plugin": plugin, "seed": seed, **one(plugin, prepared, seed)}
                common.record("collapse", row, seeds=seed, data=path)
                print(row, flush=True)


if __name__ == "__main__":
    main()
