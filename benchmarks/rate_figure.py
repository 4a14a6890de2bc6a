"""Bytes against error of each way to store the bundled table and pictures; one figure of both.

measure  Table: the bundled 5,000 rows of air quality; exact, --max-error from 0.1 % to 16 % of each
         column's range, and codes (--lossy-only) of models fitted on the same rows, for several
         latents and quantiser steps. The error is the root mean square over rows and columns of
         numbers, each in units of its standard deviation. Pictures: test pictures of Fashion-MNIST,
         models fitted on the training pictures; the error is the root mean square of pixel values.
         Peers: JPEG and WebP of one sheet that holds all the pictures, each on a tile of 32 x 32, so
         that no file header is paid for a picture. Plugins by their defaults but for latent. Models
         are stored apart from the archives.
draw     rate.png from the latest rows: of each way the points that no other of it betters.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd
from PIL import Image

from aetool import operations
from aetool.data import sources
from aetool.errors import ParamError
from aetool.operations import CompressOptions, FitOptions

AIR = Path(__file__).parent.parent / "aetool" / "demo" / "beijing_air.csv"
PLUGINS = "pca,ae,sparse,denoising,vae"
NESTED = ("pca",)  # a code of K units is part of a larger one: one fit, then --latent K
LATENTS = {
    "table": {"pca": (1, 2, 3, 4, 6, 8, 11, 16), "": (1, 2, 4, 8)},
    "pictures": {"pca": (2, 4, 8, 16, 32, 64, 128), "": (4, 16, 64)},
}
STEPS = (1.0, 1.3, 1.8)  # errors as multiples of what the default quantiser reaches
BOUNDS = ("0.1%", "0.25%", "0.5%", "1%", "2%", "4%", "8%", "16%")
QUALITIES = (1, 5, 10, 20, 35, 50, 65, 80, 90)
TILE = 32  # pixels: a multiple of the blocks of JPEG (8) and WebP (16)
STYLES = {  # way: (name, colour of Okabe & Ito's palette, marker)
    "bounded": ("bounded (--max-error)", "#000000", "s"),
    "pca": ("pca", "#E69F00", "o"),
    "ae": ("ae", "#0072B2", "^"),
    "sparse": ("sparse", "#56B4E9", "v"),
    "denoising": ("denoising", "#009E73", "D"),
    "vae": ("vae", "#D55E00", "P"),
    "webp": ("WebP", "#CC79A7", "x"),
    "jpeg": ("JPEG", "#999999", "+"),
}


class Table:
    """The bundled table: rows, and the error of what an archive restores. worthless: the error of a
    table whose every record is the mean."""

    name = "table"

    def __init__(self, folder: Path) -> None:
        self.fit = self.data = AIR
        self.folder = folder
        self.original = pd.read_csv(AIR)
        self.count = len(self.original)
        self.worthless = 1.0

    def error(self, archive: Path, model: Any) -> float:
        """Root mean square error in deviations, over rows and columns of numbers."""
        back = pd.read_csv(
            operations.decompress(archive, self.folder / "back.csv", model=model, force=True)
        )
        squares = []
        for name in self.original.select_dtypes("number"):
            spread = self.original[name].std()
            if spread > 0 and name != "No":
                squares.append(np.square((self.original[name] - back[name]) / spread).mean())
        return float(np.sqrt(np.mean(squares)))


class Pictures:
    """Test pictures of Fashion-MNIST. worthless: the error where each is their mean."""

    name = "pictures"

    def __init__(self, folder: Path, data: Path, count: int) -> None:
        self.fit = common.need(data / "train-images-idx3-ubyte.gz")
        source = sources.open_source(data / "t10k-images-idx3-ubyte.gz")
        self.original = np.concatenate(list(source.batches()))[:count, 0]
        self.data = folder / "test.npy"
        np.save(self.data, self.original)
        self.count, self.folder = len(self.original), folder
        self.worthless = rms(self.original, self.original.mean(axis=0))

    def error(self, archive: Path, model: Any) -> float:
        """Root mean square error in pixel values."""
        out = operations.decompress(archive, self.folder / "back.npy", model=model, force=True)
        return rms(np.load(out), self.original)

    def peers(self) -> list[dict[str, Any]]:
        """Points of JPEG and WebP."""
        side = int(np.ceil(self.count**0.5))
        h, w = self.original.shape[1:]
        tiles = np.pad(
            self.original, ((0, side**2 - self.count), (0, TILE - h), (0, TILE - w)), "edge"
        )
        sheet = tiles.reshape(side, side, TILE, TILE).swapaxes(1, 2).reshape(side * TILE, -1)
        points = []
        for form, settings in (("jpeg", {"optimize": True}), ("webp", {"method": 6})):
            for quality in QUALITIES:
                file = io.BytesIO()
                Image.fromarray(sheet).save(file, form, quality=quality, **settings)
                back = np.asarray(Image.open(file).convert("L"))
                back = back.reshape(side, TILE, side, TILE).swapaxes(1, 2).reshape(-1, TILE, TILE)
                error = rms(back[: self.count, :h, :w], self.original)
                size = file.tell() if form == "jpeg" else len(file.getvalue())
                points.append({"way": form, "setting": quality, "bytes": size, "error": error})
        return points


def rms(a: Any, b: Any) -> float:
    """Root mean square difference of pictures."""
    return float(np.sqrt(np.square(a.astype(np.float64) - b).mean()))


def measure(job: Table | Pictures, options: Any) -> None:
    """Every point of one panel, recorded."""

    def record(point: dict[str, Any], **facts: Any) -> None:
        row = {"data": job.name, **point, "rate": point["bytes"] / job.count, "count": job.count}
        data = job.data if job.data == AIR else job.fit
        common.record("rate", row | facts, seeds=0, data=data)
        shown = {k: point.get(k) for k in ("way", "setting", "bytes", "error")}
        print(job.name, *shown.values(), flush=True)

    archive = job.folder / "archive.aez"

    def archived(way: str, setting: Any, model: Any = None, **given: Any) -> dict[str, Any]:
        chosen = CompressOptions(force=True, **given)
        facts = operations.compress(job.data, archive, model, chosen)
        size, error = archive.stat().st_size, job.error(archive, model)
        return {"way": way, "setting": setting, "bytes": size, "error": error,
                "stated": facts.get("error")}  # fmt: skip

    record(archived("exact", "exact"), worthless=job.worthless)
    if isinstance(job, Table):
        for bound in BOUNDS:
            record(archived("bounded", bound, max_error={"": bound}))
    else:
        for point in job.peers():
            record(point)
    for plugin in options.plugins.split(","):
        latents = LATENTS[job.name].get(plugin, LATENTS[job.name][""])
        for seed in range(options.seeds):
            model = None
            for latent in sorted(latents, reverse=True):
                if model is None or plugin not in NESTED:
                    given = {"latent": latent}
                    fit = FitOptions(plugin, given, max_time=options.max_time, seed=seed)
                    model = operations.fit(job.fit, fit)
                best = None
                for step in STEPS:
                    chosen = {"latent": latent} if plugin in NESTED else {}
                    if best is not None:  # --latent and --target-error exclude each other
                        if chosen:
                            break
                        chosen = {"target": best * step}
                    setting = f"latent={latent} step={step} seed={seed}"
                    try:
                        point = archived(
                            plugin, setting, model, lossy_only=True, embed=False, **chosen
                        )
                    except ParamError as error:
                        print(f"{job.name} {plugin} {setting}: {error}")
                        break
                    best = best or point["stated"]
                    size = len(model.to_bytes())
                    record(point, plugin=plugin, latent=latent, seed=seed, model_bytes=size)


def frontier(points: pd.DataFrame) -> pd.DataFrame:
    """The points of one way that none of its others betters in both bytes and error."""
    points = points.sort_values(["error", "rate"])
    return points[points["rate"] < points["rate"].cummin().shift(fill_value=np.inf)]


def draw(target: Path) -> None:
    """Both panels from the latest rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FormatStrFormatter, NullFormatter

    lines = (common.RESULTS / "rate.jsonl").read_text().splitlines()
    rows = pd.DataFrame([json.loads(line) for line in lines])
    rows = rows.drop_duplicates(["data", "way", "setting"], keep="last")
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.1), layout="constrained")
    panels = (
        ("table", "Table: 5,000 rows of air quality", "bytes per row", "standard deviations"),
        ("pictures", "Pictures: Fashion-MNIST, 28 x 28", "bytes per picture", "pixel values, 0 to 255"),
    )  # fmt: skip
    handles: dict[str, Any] = {}
    for axis, (name, title, rate, unit) in zip(axes, panels, strict=True):
        panel = rows[rows["data"] == name]
        if panel.empty:
            continue
        (exact, worthless), *_ = panel[panel["way"] == "exact"][["rate", "worthless"]].to_numpy()
        panel = panel[panel["error"] < worthless]
        handles["exact"] = axis.axhline(exact, color="#000000", linestyle=":", linewidth=1.5)
        for way, (label, colour, marker) in STYLES.items():
            points = frontier(panel[panel["way"] == way])
            if points.empty:
                continue
            peer = way in ("webp", "jpeg")
            (handles[label],) = axis.plot(
                points["error"], points["rate"], color=colour, marker=marker, markersize=5,
                linewidth=1.6, linestyle="--" if peer else "-",
            )  # fmt: skip
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        low, high = panel["rate"].min(), max(exact, panel["rate"].quantile(0.95))
        axis.tick_params(which="minor", left=False)
        ticks = [
            t
            for t in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
            if low / 2 <= t <= 2 * high
        ]
        axis.set_yticks(ticks)
        axis.set_ylim(low / 1.3, exact * 1.5)
        axis.set_xlim(-0.015 * worthless, 1.03 * worthless)
        axis.axvline(worthless, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
        axis.annotate(
            "every record the mean", (worthless, 0.8), xycoords=("data", "axes fraction"),
            xytext=(-5, 0), textcoords="offset points", rotation=90, ha="right", va="top",
            fontsize=8.5, color="#555555",
        )  # fmt: skip
        axis.set_title(title, fontsize=10.5)
        axis.set_xlabel(f"root mean square error ({unit})")
        axis.set_ylabel(rate)
        axis.grid(alpha=0.25)
    handles = {"exact (error 0)": handles.pop("exact"), **handles}
    figure.legend(
        handles.values(), handles, loc="outside lower center", ncols=5, frameon=False,
        title="codes of pca, ae, sparse, denoising, vae: --lossy-only, the model stored apart",
        title_fontsize=9,
    )  # fmt: skip
    figure.savefig(target, dpi=200, pil_kwargs={"optimize": True})
    # a palette of 64 colours takes a third of the bytes
    Image.open(target).convert("RGB").quantize(64).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size:,} bytes")


def main() -> None:
    """Measure and draw, or one of them."""
    parser = common.parser(__doc__)
    parser.add_argument("job", choices=("measure", "draw", "all"), nargs="?", default="all")
    parser.add_argument("--only", choices=("table", "pictures"))
    parser.add_argument("--plugins", default=PLUGINS)
    parser.add_argument("--max-time", type=float, help="seconds of each fit")
    parser.add_argument(
        "--pictures", type=int, default=10_000, help="test pictures that are stored"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "rate.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.job != "draw":
            if options.only != "pictures":
                measure(Table(folder), options)
            if options.only != "table":
                home = options.data / "images" / "fashion-mnist"
                measure(Pictures(folder, home, options.pictures), options)
    if options.job != "measure":
        draw(options.output)


if __name__ == "__main__":
    main()
