"""Lossy archives: bytes (model apart) against error, every plugin beside PCA at equal bytes.

Pictures: Fashion-MNIST, fitted on the training pictures, the 10,000 test pictures compressed.
Table: beijing_air, fitted on and compressing the same rows. PCA's curve is the best that any of its
code sizes and steps reaches; what it has at the bytes of a deep archive is read off by interpolation.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import common
import numpy as np

from aetool import operations
from aetool.errors import ParamError
from aetool.operations import CompressOptions, FitOptions

PLUGINS = "pca,ae,sparse,denoising,vae"
LATENTS = (2, 8, 32)
CURVE = (1, 2, 4, 8, 16, 32, 64)
STEPS = (None, 1.05, 1.15, 1.3, 1.5)  # errors as multiples of what the code reaches at best


def size_and_error(
    data: Path, model: object, target: float | None, drop: tuple
) -> tuple[int, float]:
    """Compress by the code alone: (bytes of the archive, without the model; its error)."""
    with tempfile.TemporaryDirectory() as folder:
        options = CompressOptions(lossy_only=True, embed=False, target=target)
        facts = operations.compress(data, Path(folder) / "a.aez", model, options)
    return facts["archive_bytes"], facts["error"]


def curve(fit: Path, data: Path, drop: tuple) -> np.ndarray:
    """Measure PCA with codes of several sizes: its (bytes, error) points on the lower envelope,
    sorted by bytes."""
    points = []
    for latent in CURVE:
        try:
            model = operations.fit(fit, FitOptions("pca", {"latent": latent}, drop=drop))
        except ParamError:
            continue
        size, best = size_and_error(data, model, None, drop)
        points.append((size, best))
        for step in STEPS[1:]:
            try:
                points.append(size_and_error(data, model, best * step, drop))
            except ParamError:
                continue
    points.sort()
    envelope: list[tuple[float, float]] = []
    for size, error in points:
        if not envelope or error < envelope[-1][1]:
            envelope.append((size, error))
    return np.array(envelope)


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--plugins", default=PLUGINS)
    parser.add_argument("--only", choices=("pictures", "table"))
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of each deep fit")
    parser.add_argument("--latents", default="2,8,32")
    options = parser.parse_args()
    images = options.data / "images" / "fashion-mnist"
    jobs = {
        "pictures": (
            images / "train-images-idx3-ubyte.gz",
            images / "t10k-images-idx3-ubyte.gz",
            (),
        ),
        "table": (options.data / "tables" / "beijing_air.csv",) * 2 + (("No",),),
    }
    for name, (fit, data, drop) in jobs.items():
        if options.only in (None, name):
            common.need(fit)
            run(name, fit, data, drop, options)


def run(name: str, fit: Path, data: Path, drop: tuple, options: object) -> None:
    """One data set: PCA's curve, then every plugin at every code size."""
    reference = curve(fit, data, drop)
    for size, error in reference:
        print(f"{name} pca curve: {size:.0f} bytes, error {error:.5f}", flush=True)
    print("| data | plugin | latent | bytes | error | PCA's error at these bytes | ratio |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for plugin in options.plugins.split(","):
        for latent in map(int, options.latents.split(",")):
            params = {"latent": latent}
            if plugin != "pca" and name == "pictures":
                params["error"] = "mse"  # PCA minimises squared error: so do the others here
            if plugin == "vae" and name == "pictures":
                params["beta"] = 0.1
            chosen = FitOptions(plugin, params, drop=drop, max_time=options.max_time)
            began = time.monotonic()
            model = operations.fit(fit, chosen)
            seconds = time.monotonic() - began
            size, error = size_and_error(data, model, None, drop)
            pca = float(np.interp(np.log(size), np.log(reference[:, 0]), reference[:, 1]))
            ratio = error / pca
            print(f"| {name} | {plugin} | {latent} | {size} | {error:.5f} | {pca:.5f} | {ratio:.3f} |",
                  flush=True)  # fmt: skip
            row = {"data": name, "plugin": plugin, "latent": latent, "bytes": size, "error": error}
            row |= {"pca_error": pca, "model_bytes": len(model.to_bytes()), **model.facts}
            row["seconds"] = round(seconds, 2)
            common.record("lossy", row, seeds=0, data=[fit, data])


if __name__ == "__main__":
    main()
