"""Bytes of a picture against noise: an archive with its model inside, beside picture formats.

`compressive` is fitted on the 60,000 training pictures of Fashion-MNIST, and archives of the 10,000
test pictures are written at several signal-to-noise ratios (compress --target-psnr --embed), and at
others without a model, in steps and filtered (compress --target-psnr). WebP, AVIF and JPEG store
the same 10,000 on contact sheets, at several qualities; in single files 500 of them stand for all.
Of the model nothing is chosen on the test pictures but the step that meets each ratio, which the
archive holds; how filters look at neighbours was chosen on the first 2,000 of them. A fit takes
some minutes: --model gives one that is there already.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np

import aetool
from aetool.data import packers, sources

RATIOS = "17,18,19,20,21"  # dB
WITHOUT = (25.0, 30.0, 35.0)  # dB, of archives without a model
RMSE = 0.28  # of a deviation: what the model is trained for, 20 dB of these pictures
EPOCHS = 25
QUALITIES = (1, 5, 10, 20, 40)
ALONE = 500  # pictures in single files
TRAIN, TEST = "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"


def archives(path: Path, model: aetool.Bundle, ratios: list[float]) -> None:
    """A row for each ratio that the model reaches."""
    with tempfile.TemporaryDirectory() as folder:
        for decibels in ratios:
            archive = Path(folder) / "a.aez"
            try:
                facts = aetool.compress(
                    path, archive, model, target_psnr=decibels, embed=True, force=True
                )
            except aetool.errors.ParamError as why:
                print(why, flush=True)
                continue
            if facts["taken"] != "code":
                print(decibels, facts["taken"], flush=True)
                continue
            size = facts["archive_bytes"]
            codes = facts["bytes"]["code"]
            written(path, "archive", f"--target-psnr {decibels:g}", size, facts["psnr_db"], codes)


def without_model(path: Path) -> None:
    """A row for each ratio of WITHOUT."""
    with tempfile.TemporaryDirectory() as folder:
        for decibels in WITHOUT:
            archive = Path(folder) / "a.aez"
            facts = aetool.compress(path, archive, target_psnr=decibels, force=True)
            setting = f"--target-psnr {decibels:g}"
            written(path, "no model", setting, facts["archive_bytes"], facts["psnr_db"])


def formats(path: Path) -> None:
    """A row for each picture format and quality."""
    pixels = np.concatenate(list(sources.open_source(path).batches()))
    packers.QUALITIES = QUALITIES
    packers.ON_SHEETS = pixels.size
    packers.ALONE = ALONE * pixels[0].size
    for packed in packers.pictured(pixels):
        if packed.mean_square:
            decibels = 10 * np.log10(255**2 / packed.mean_square)
            written(path, packed.program, packed.setting, packed.size, decibels)


def written(
    path: Path, way: str, setting: str, size: float, decibels: float, codes: int | None = None
) -> None:
    """Records one row, sizes as bytes a picture."""
    count = 10_000
    row: dict[str, Any] = {
        "way": way,
        "setting": setting,
        "psnr_db": round(float(decibels), 3),
        "bytes": round(size / count, 3),
        "codes": None if codes is None else round(codes / count, 3),
    }
    common.record("lossy_pictures", row, seeds=0, data=path)
    print(*row.values(), flush=True)


def main() -> None:
    """Measure archives, formats, or both."""
    parser = common.parser(__doc__)
    parser.add_argument("--model", type=Path, help="a fitted compressive model")
    parser.add_argument("--ratios", default=RATIOS)
    parser.add_argument("--only", choices=("archives", "without", "formats"))
    options = parser.parse_args()
    folder = common.need(options.data / "images" / "fashion-mnist")
    if options.only in (None, "archives"):
        if options.model is not None:
            model = aetool.load(options.model)
        else:
            model = aetool.fit(folder / TRAIN, "compressive", rmse=RMSE, epochs=EPOCHS)
        archives(folder / TEST, model, list(map(float, options.ratios.split(","))))
    if options.only in (None, "without"):
        without_model(folder / TEST)
    if options.only in (None, "formats"):
        formats(folder / TEST)


if __name__ == "__main__":
    main()
