"""The family of models: every plugin by the same commands, on the bundled table and on pictures.

models   fit, detect, compress (lossy and exact), decompress, export and verify from the shell; held-out
         bits, error and rate of the lossy archive, lines of code
density  a VAE fitted on all of Fashion-MNIST: negative ELBO and IWAE of the test pictures
curves   PCA beside an autoencoder: reconstruction against code size, and codes of two numbers
"""

from __future__ import annotations

import ast
import gzip
import json
import math
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd

import aetool
from aetool import operations
from aetool.data.scaling import image_features
from aetool.data.sources import open_source

ROOT = Path(__file__).parent.parent
PLUGINS = ("pca", "ae", "sparse", "denoising", "vae", "masked", "vq")
ROWS, PICTURES, TESTED = 4000, 2000, 1000
DRAWS = 10  # of the code, for the density of a picture
SIZES = (1, 2, 4, 8, 16, 32)


def shell(
    *args: object, check: bool = True, said: bool = False, cwd: Path | None = None
) -> tuple[str, float]:
    """Run an aetool command: (standard output, CPU seconds). said: its standard error is appended
    to the output; check: SystemExit if it fails, else standard error is appended, too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "aetool", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout + done.stderr * (said or not check), spent


def code_lines(package: Path) -> int:
    """Lines of a package that are neither blank, comment nor docstring."""
    total = 0
    for path in package.glob("*.py"):
        text = path.read_text()
        told: set[int] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        lines = enumerate(text.splitlines(), 1)
        total += sum(bool(s.strip()) and s.strip()[0] != "#" and i not in told for i, s in lines)
    return total


def pictures(options: Any, part: str) -> np.ndarray:
    """Fashion-MNIST, (n, 28, 28) uint8; part: train or t10k."""
    folder = common.need(options.data / "images" / "fashion-mnist")
    source = open_source(folder / f"{part}-images-idx3-ubyte.gz")
    return np.concatenate(list(source.batches()))[:, 0]


def splits(options: Any, folder: Path) -> dict[str, tuple[Path, Path, int]]:
    """Write a table and pictures, each in two parts, to the folder: by name (file to fit, file to
    test, numbers in a record)."""
    frame = pd.read_csv(
        ROOT / "aetool" / "demo" / "beijing_air.csv", dtype=str, keep_default_na=False
    )
    order = np.random.default_rng(0).permutation(len(frame))
    for name, rows in (("fit.csv", order[:ROWS]), ("test.csv", order[ROWS:])):
        frame.iloc[np.sort(rows)].to_csv(folder / name, index=False)
    np.save(folder / "fit.npy", pictures(options, "train")[:PICTURES])
    np.save(folder / "test.npy", pictures(options, "t10k")[:TESTED])
    return {
        "beijing_air, 5,000 rows": (folder / "fit.csv", folder / "test.csv", 1),
        "Fashion-MNIST, 2,000": (folder / "fit.npy", folder / "test.npy", 784),
    }


def models(options: Any) -> None:
    """Fit, detect, export, verify, compress and decompress with each plugin on each data set from
    the shell, and record the figures."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, (fit, test, units) in splits(options, folder).items():
            for plugin in options.plugins.split(","):
                row = one(plugin, fit, test, units, folder)
                row = {"data": name, "plugin": plugin, **row}
                common.record("family", row, seeds=0, data=[fit, test])
                print(name, plugin, json.dumps(row), flush=True)


def one(plugin: str, fit: Path, test: Path, units: int, folder: Path) -> dict[str, Any]:
    """Do everything a user does with one plugin on one data set, and return the figures; raises
    where anything fails."""
    model, archive, back = folder / "m.aem", folder / "a.aez", folder / f"back{test.suffix}"
    _, seconds = shell("fit", fit, "-p", plugin, "-o", model, "-f", "-q")
    assert len(shell("detect", test, "-m", model, "--top", 5, "-q")[0].splitlines()) == 6
    shell("export", model, "-o", folder / "graphs", "--verify", "-f", "-q")
    shell("verify", model)
    bundle = aetool.load(model)
    scores = bundle.score(test)
    row: dict[str, Any] = {
        "bits": float(np.mean(scores)) / units, "median_bits": float(np.median(scores)) / units,
        "fit_cpu_s": round(seconds, 2), "model_bytes": model.stat().st_size, "latent": bundle.latent,
        "lines": code_lines(ROOT / "plugins" / f"aetool_{plugin}"),
    }  # fmt: skip
    if bundle.latent:
        facts = operations.compress(
            test, archive, bundle,
            operations.CompressOptions(lossy_only=True, embed=False, force=True),
        )  # fmt: skip
        shell(
            "compress", test, "--lossy-only", "--no-embed", "-m", model, "-o", archive, "-f", "-q"
        )
        shell("decompress", archive, "-m", model, "-o", back, "-f")
        assert open_source(back).kind == open_source(test).kind
        row |= {"error": facts["error"], "rate": 8 * archive.stat().st_size / TESTED}
        if "psnr_db" in facts:
            row["psnr_db"] = facts["psnr_db"]
    else:
        refused, _ = shell(
            "compress", test, "--lossy-only", "-m", model, "-o", archive, check=False
        )
        assert "has no code" in refused
    shell("compress", test, "-o", archive, "-f", "-q")
    shell("decompress", archive, "-o", back, "-f")
    assert back.read_bytes() == test.read_bytes(), "lossless"
    archive.unlink()
    return row


def density(options: Any) -> None:
    """Bits per pixel that a VAE needs for pictures it has not seen, by its bound and a tighter one.

    The score itself is the same bound with what single pixels may cost capped; this is without.
    """
    import torch

    from aetool.nn import load

    with tempfile.TemporaryDirectory() as temporary:
        kept = options.model or Path(temporary) / "m.aem"
        if not kept.exists():
            path = Path(temporary) / "train.npy"
            np.save(path, pictures(options, "train"))
            params = {"latent": 32, "pixels": "logistic"}
            chosen = operations.FitOptions("vae", params, max_time=options.max_time)
            operations.fit(path, chosen).save(kept)
        made, net = aetool.load(kept), load(kept)
    test = pictures(options, "t10k")
    x = torch.from_numpy(image_features(test[:, None]))
    rng, elbo, iwae = torch.Generator().manual_seed(0), [], []
    with torch.no_grad():
        for part in x.split(50):
            h = net.encoder(part)
            cost, ratio = net.bound(
                part, h, torch.randn((len(part), DRAWS, net.latent), generator=rng)
            )
            log_w = -cost.sum(dim=2) - ratio.sum(dim=2)
            elbo.append(-log_w.mean(dim=1))
            iwae.append(math.log(DRAWS) - torch.logsumexp(log_w, dim=1))
    unit = math.log(2) * 784
    row = {
        "elbo": float(torch.cat(elbo).mean()) / unit,
        "iwae": float(torch.cat(iwae).mean()) / unit,
        "draws": DRAWS,
    }
    print(row, made.facts)
    row = {"data": "Fashion-MNIST", "plugin": "vae", **row, "facts": made.facts}
    common.record("density", row, seeds=0, data=options.data / "images" / "fashion-mnist")


def curves(options: Any) -> None:
    """Draw the error against the size of the code for PCA and autoencoders (family_curves.png), and
    pictures by codes of two numbers (family_codes.png), beside this file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    places = figure.subplots(1, 2)
    with tempfile.TemporaryDirectory() as temporary:
        data = splits(options, Path(temporary))
        for place, (name, (fit, test, units)) in zip(places, data.items(), strict=True):
            for plugin, colour in (("pca", "#d55e00"), ("ae", "#0072b2")):
                found = []
                for size in SIZES:
                    params = {"latent": size} | ({"error": "mse"} if units > 1 else {})
                    made = operations.fit(fit, operations.FitOptions(plugin, params))
                    found.append(_error(made, test))
                    row = {"data": name, "plugin": plugin, "latent": size, "error": found[-1]}
                    common.record("family_curves", row, seeds=0, data=[fit, test])
                    print(row, flush=True)
                place.plot(
                    SIZES, found, "o-", color=colour, label={"ae": "autoencoder"}.get(plugin, "PCA")
                )
            place.set_xscale("log", base=2)
            place.set_xticks(SIZES, SIZES)
            place.set_ylim(bottom=0)
            place.set_xlabel("numbers in the code")
            place.set_ylabel(
                "root mean squared error, " + ("gray levels" if units > 1 else "deviations")
            )
            place.set_title(name)
            place.legend()
    figure.savefig(Path(__file__).parent / "family_curves.png", dpi=90, metadata={"Software": None})
    _two_numbers(options)


def _error(made: Any, test: Path) -> float:
    """The root mean squared error of records restored from unrounded codes: of numbers in
    deviations, of pixels in gray levels."""
    if made.schema is None:
        x = np.load(test)[:, None].astype(float)
        off = (
            made.session("decoder.onnx")(made.session("encoder.onnx")(x.astype(np.uint8))["z"])[
                "x_hat"
            ]
            - x
        )
        return float(np.sqrt((off**2).mean()))
    frame = pd.read_csv(test)
    back = operations.decode(operations.encode(test, made), made)
    names = [c.name for c in made.schema.modelled if c.measured]
    off = (back[names] - frame[names]) / frame[names].std()
    return float(np.sqrt((off**2).mean(axis=None)))


def _two_numbers(options: Any) -> None:
    from matplotlib.figure import Figure

    folder = options.data / "images" / "fashion-mnist"
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    with tempfile.TemporaryDirectory() as temporary:
        fit, test = Path(temporary) / "fit.npy", Path(temporary) / "test.npy"
        np.save(fit, pictures(options, "train"))
        np.save(test, pictures(options, "t10k")[:4000])
        for place, plugin in zip(figure.subplots(1, 2), ("pca", "ae"), strict=True):
            chosen = operations.FitOptions(plugin, {"latent": 2}, max_time=options.max_time)
            z = operations.encode(test, operations.fit(fit, chosen))
            low, high = np.quantile(z, [0.005, 0.995], axis=0)
            dots = place.scatter(*z.T, c=labels[: len(z)], cmap="tab10", s=5, linewidths=0)
            place.set_xlim(low[0], high[0])
            place.set_ylim(low[1], high[1])
            place.set_title({"ae": "autoencoder, two numbers"}.get(plugin, "PCA, two numbers"))
    figure.colorbar(dots, ax=place, label="class")
    figure.savefig(Path(__file__).parent / "family_codes.png", dpi=90, metadata={"Software": None})


def main() -> None:
    """Run the jobs that are named in the command; without a name all of them."""
    parser = common.parser(__doc__)
    parser.add_argument("jobs", nargs="*", default=["models", "density", "curves"])
    parser.add_argument("--plugins", default=",".join(PLUGINS))
    parser.add_argument("--max-time", type=float, default=900.0, help="seconds of the longest fits")
    parser.add_argument(
        "--model", type=Path, help="the VAE of all pictures: read, or if it is not there kept"
    )
    options = parser.parse_args()
    for job in options.jobs:
        {"models": models, "density": density, "curves": curves}[job](options)


if __name__ == "__main__":
    main()
