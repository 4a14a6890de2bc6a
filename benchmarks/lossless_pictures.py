"""Pictures without loss: bytes and speed beside PNG, WebP and JPEG XL, in one run.

stacks     the test pictures of Fashion-MNIST: alone, and by a model of the training pictures
drawn      what is drawn here: small icons, two colours, a gradient, flat, noise, 16 bits
folders    every picture that Pillow opens under --folder DIR (as often as wanted), by its pixels

Speeds are pictures and values a second of CPU time of one process. What is not installed is skipped:
JPEG XL is that of imagecodecs. A stack is given to other formats as one mosaic, 100 pictures across.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np
import numpy.typing as npt
from PIL import Image

from aetool.codec import blocks, picture_models, pictures, planning
from aetool.codec.picture_models import PictureModel
from aetool.data.sources import open_source

Pixels = npt.NDArray[Any]  # (n, channels, height, width)
EFFORTS = {"fast": planning.FAST, "default": planning.DEFAULT, "best": planning.BEST}
LEARNED = 1 << 24  # values
ACROSS = 100
SUFFIXES = (".png", ".jpg", ".gif", ".tif", ".bmp")
MOST = 1 << 22  # values of a picture; larger ones are left out


def ours(pixels: Pixels, effort: str, model: PictureModel | None = None) -> dict[str, float]:
    """Compress pictures with aetool and restore them: bytes, bits per value, and pictures a second
    of writing and of reading."""
    started = time.process_time()
    encoded = pictures.encode(pixels, EFFORTS[effort], model=model)
    written = time.process_time()
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content, pictures=model)
    restored = pictures.decode(block, encoded.rows)
    read = time.process_time()
    if not (restored == pixels).all():
        raise SystemExit("pictures do not come back")
    return {
        "bytes": len(encoded.payload),
        "bits": 8 * len(encoded.payload) / pixels.size,
        "written_a_second": len(pixels) / max(written - started, 1e-9),
        "read_a_second": len(pixels) / max(read - written, 1e-9),
    }


def mosaic(pixels: Pixels) -> Pixels:
    """Lay a stack of pictures out as one picture, ACROSS side by side: (height, width, channels);
    what does not fill a row is left out."""
    count, channels, height, width = pixels.shape
    across = min(ACROSS, count)
    down = count // across
    cells = pixels[: down * across].reshape(down, across, channels, height, width)
    return cells.transpose(0, 3, 1, 4, 2).reshape(down * height, across * width, channels)


def others(pixels: Pixels) -> dict[str, Any]:
    """Bytes of the same pictures in other formats, of those that are installed and take such
    pictures."""
    picture = mosaic(pixels)
    if picture.shape[2] == 1:
        picture = picture[:, :, 0]
    rows: dict[str, Any] = {}
    if picture.dtype == np.uint8:
        image = Image.fromarray(picture)
        rows["png"] = _saved(image, "PNG", optimize=True)
        if max(image.size) < 16384:
            mode = "RGBA" if image.mode in ("RGBA", "LA") else "RGB"
            options = {"lossless": True, "quality": 100, "method": 6, "exact": True}
            rows["webp"] = _saved(image.convert(mode), "WEBP", **options)
    try:
        import imagecodecs
    except ImportError:
        return rows
    for effort in (7, 9):
        data = imagecodecs.jpegxl_encode(
            np.ascontiguousarray(picture), lossless=True, effort=effort
        )
        rows[f"jxl_{effort}"] = len(data)
    rows["imagecodecs"] = imagecodecs.__version__
    return rows


def _saved(image: Image.Image, format: str, **options: Any) -> int:
    out = io.BytesIO()
    image.save(out, format, **options)
    return len(out.getvalue())


def drawn() -> Iterator[tuple[str, Pixels]]:
    """Yield (name, pictures) of made pictures that are no photographs: icons, noise, gradients, 16
    bits."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :200]
    palette = rng.integers(0, 256, (6, 3)).astype(np.uint8)
    icons = palette[(y[:24, :24] // 5 + x[:24, :24] // 7 + np.arange(30)[:, None, None]) % 6]
    yield "icons of 24 x 24", icons.transpose(0, 3, 1, 2)
    colours = rng.integers(0, 256, (30, 3, 24, 24)).astype(np.uint8)
    yield "noise of 24 x 24", colours
    yield "noise", rng.integers(0, 256, (1, 1, 150, 150)).astype(np.uint8)
    yield "two colours", ((rng.random((1, 1, 200, 200)) < 0.1) * 255).astype(np.uint8)
    yield "gradient", ((y + x) // 2).astype(np.uint8)[None, None]
    yield "flat", np.full((1, 3, 1000, 1000), 7, np.uint8)
    waves = 1000 * np.sin(y / 30) + 900 * np.cos(x / 17) + 5000
    yield "16 bits", (waves + rng.normal(0, 9, (200, 200))).astype(np.uint16)[None, None]


def of_folder(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield (file's name, pixels) of the pictures below a folder, small ones of 8 bits."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        with Image.open(path) as image:
            if image.mode in ("P", "1"):
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            pixels = np.asarray(image)
        if pixels.dtype == np.uint8 and pixels.size <= MOST and pixels.ndim in (2, 3):
            flat = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
            yield path.name, flat[None].copy()


def stacks(folder: Path, count: int) -> None:
    """Measure and record stacks of Fashion-MNIST, with a model and without."""
    test = _opened(folder / "t10k-images-idx3-ubyte.gz")[:count]
    train = _opened(folder / "train-images-idx3-ubyte.gz")
    groups = [train[first : first + 256] for first in range(0, len(train), 256)]
    every = max(1, train.size // LEARNED)
    started = time.process_time()
    model = pictures.learn(iter(groups[::every]), LEARNED)
    facts = {
        "learning_s": time.process_time() - started,
        "model_bytes": len(picture_models.to_bytes(model)),
    }
    rivals = others(test)
    for effort in EFFORTS:
        for learned in (None, model) if effort != "fast" else (None,):
            row = {"job": "stacks", "name": "fashion-mnist", "effort": effort}
            row |= {"model": learned is not None, "values": test.size}
            row |= ours(test, effort, learned) | (facts if learned is not None else {}) | rivals
            common.record("lossless_pictures", row, seeds=0, data=folder)
            said(row)


def _opened(path: Path) -> Pixels:
    return np.concatenate(list(open_source(common.need(path)).batches()))


def one(job: str, name: str, pixels: Pixels) -> None:
    """Measure and record one picture, or a few of one size, at each effort, without a model."""
    rivals = others(pixels)
    for effort in EFFORTS:
        row = {"job": job, "name": name, "effort": effort, "model": False, "values": pixels.size}
        row |= ours(pixels, effort) | rivals
        common.record("lossless_pictures", row, seeds=0, data=pixels)
        said(row)


def said(row: dict[str, Any]) -> None:
    """Print a line for a row."""
    sizes = [f"{key} {row[key]:,}" for key in ("png", "webp", "jxl_7", "jxl_9") if key in row]
    name = f"{row['name']} {row['effort']}{' by a model' if row.get('model') else ''}"
    speed = f"{row['read_a_second']:,.0f} pictures/s"
    print(f"{name:40} {row['bytes']:>9,} {row['bits']:.3f} bits {speed:>20}   {'  '.join(sizes)}")


def main() -> None:
    """Measure made pictures, stacks and folders, or what `only` names."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", choices=("stacks", "drawn", "folders"))
    parser.add_argument("--folder", type=Path, action="append", default=[])
    parser.add_argument("--pictures", type=int, default=10000, help="of the stack")
    options = parser.parse_args()
    if options.only in (None, "drawn"):
        for name, pixels in drawn():
            one("drawn", name, pixels)
    if options.only in (None, "folders"):
        for folder in options.folder:
            for name, pixels in of_folder(common.need(folder)):
                one("folders", name, pixels)
    if options.only in (None, "stacks"):
        stacks(common.need(options.data / "images" / "fashion-mnist"), options.pictures)


if __name__ == "__main__":
    sys.exit(main())
