"""Makes the golden archives of this version; run once for each release, never again for an old one.

python tests/golden/make.py 2.0
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from aetool import operations
from aetool.operations import CompressOptions, FitOptions


def main(version: str) -> None:
    """Write <mode>.aez, what each restores, and the model, under a folder of the version."""
    home = Path(__file__).parent / version
    home.mkdir()
    rng = np.random.default_rng(0)
    rows = 400
    frame = pd.DataFrame({
        "time": pd.date_range("2020-01-01", periods=rows, freq="h").strftime("%Y-%m-%d %H:%M"),
        "temp": np.cumsum(rng.normal(0, 0.3, rows)).round(1),
        "kind": rng.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]),
        "count": rng.poisson(3, rows),
        "note": [f"n{i * 7919 % 1009}" for i in range(rows)],
    })  # fmt: skip
    frame.loc[::50, "temp"] = np.nan
    frame.to_csv(home / "table.csv", index=False)
    frame.to_parquet(home / "table.parquet")
    np.save(home / "pictures.npy", rng.integers(0, 9, (4, 6, 5)).astype(np.uint8))
    model = operations.fit(home / "table.csv", FitOptions(codec=True, students=True))
    model.save(home / "model.aem")
    for name, source, given, options in (
        ("text", "table.csv", None, {}),
        ("typed", "table.parquet", None, {}),
        ("bounded", "table.csv", None, {"max_error": {"": "5%"}}),
        ("bytes", "table.parquet", None, {"keep_files": True}),
        ("pictures", "pictures.npy", None, {}),
        ("shared", "table.csv", model, {}),
        ("lossy", "table.csv", model, {"lossy_only": True}),
    ):
        operations.compress(home / source, home / f"{name}.aez", given, CompressOptions(**options))
    operations.decompress(home / "bounded.aez", home / "bounded.csv")


if __name__ == "__main__":
    main(sys.argv[1])
