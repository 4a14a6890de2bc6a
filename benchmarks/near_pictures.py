"""Pictures within a few levels: bytes beside those who promise the same, and beside those who do not.

stack      the first test pictures of Fashion-MNIST
drawn      a picture of 16 bits that is drawn here
folders    every picture that Pillow opens under --folder DIR (as often as wanted), by its pixels

Each row is a bound N: every value restored is at most N levels off, which is checked. JPEG-LS (that of
imagecodecs) keeps the same bound. AVIF, WebP and JPEG XL keep none: of each the least bytes are told
with which it has at least our signal-to-noise ratio, and how far off its worst value then is; of none
that reaches the ratio nothing is told. A stack is given to them as one mosaic, as in
lossless_pictures.py.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np
from lossless_pictures import Pixels, drawn, mosaic, of_folder
from PIL import Image, features

from aetool.codec import blocks, pictures, planning
from aetool.data.sources import open_source

BOUNDS = (1, 2, 3, 5, 10, 20)
QUALITIES = (50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99)
DISTANCES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of JPEG XL
TEST = "t10k-images-idx3-ubyte.gz"
Coder = tuple[Callable[[Pixels, float], bytes], Callable[[bytes, str], Pixels], tuple[float, ...]]


def decibels(before: Pixels, after: Pixels) -> float:
    """The peak signal-to-noise ratio between pictures and what is restored of them; infinite where
    they are equal."""
    most = np.iinfo(before.dtype).max
    mean = float(np.square(before.astype(np.float64) - after).mean())
    return float("inf") if mean == 0 else float(10 * np.log10(most * most / mean))


def furthest(before: Pixels, after: Pixels) -> int:
    """The largest difference between a value and the restored one."""
    return int(np.abs(before.astype(np.int64) - after).max())


def ours(pixels: Pixels, bound: int) -> dict[str, Any]:
    """Compress pictures with aetool within a bound, in levels: bytes, largest difference, and
    signal-to-noise ratio."""
    encoded = pictures.encode(pixels, planning.DEFAULT, bound=bound)
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    restored = pictures.decode(block, encoded.rows)
    worst = furthest(pixels, restored)
    if worst > bound:
        raise SystemExit(f"a value is {worst} levels off, not at most {bound}")
    figures: dict[str, Any] = {"bytes": len(encoded.payload), "furthest": worst}
    if worst:
        figures["decibels"] = decibels(pixels, restored)
    return figures


def _by_pillow(format: str, **options: Any) -> Coder:
    def write(picture: Pixels, quality: float) -> bytes:
        out = io.BytesIO()
        Image.fromarray(picture).save(out, format, quality=int(quality), **options)
        return out.getvalue()

    def read(data: bytes, mode: str) -> Pixels:
        return np.asarray(Image.open(io.BytesIO(data)).convert(mode))

    return write, read, QUALITIES


def _jpeg_xl() -> Coder:
    import imagecodecs

    def write(picture: Pixels, distance: float) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(picture, distance=distance, effort=7))

    def read(data: bytes, mode: str) -> Pixels:
        return np.asarray(imagecodecs.jpegxl_decode(data))

    return write, read, DISTANCES


def coders() -> dict[str, Coder]:
    """The lossy formats that are installed, by name."""
    here = {}
    if features.check("avif"):
        here["avif"] = _by_pillow("AVIF", speed=6, subsampling="4:4:4")
    if features.check("webp"):
        here["webp"] = _by_pillow("WEBP", method=6)
    with contextlib.suppress(ImportError):
        here["jxl"] = _jpeg_xl()
    return here


def curves(picture: Pixels) -> dict[str, list[tuple[int, float, int]]]:
    """Compress a picture in each lossy format at each quality: (bytes, ratio, largest difference)
    of each, by format; {} for pictures of 16 bits."""
    if picture.dtype != np.uint8:
        return {}
    mode = Image.fromarray(picture).mode
    points: dict[str, list[tuple[int, float, int]]] = {}
    for name, (write, read, qualities) in coders().items():
        for quality in qualities:
            data = write(picture, quality)
            restored = read(data, mode).reshape(picture.shape)
            point = (len(data), decibels(picture, restored), furthest(picture, restored))
            points.setdefault(name, []).append(point)
    return points


def jpeg_ls(picture: Pixels, bound: int) -> dict[str, int]:
    """Compress a picture as JPEG-LS within the same bound and return the bytes; {} where it is not
    installed."""
    try:
        import imagecodecs
    except ImportError:
        return {}
    data = imagecodecs.jpegls_encode(picture, level=bound)
    worst = furthest(picture, imagecodecs.jpegls_decode(data))
    if worst > bound:
        raise SystemExit(f"JPEG-LS: a value is {worst} levels off, not at most {bound}")
    return {"jpeg_ls": len(data)}


def rows_of(name: str, pixels: Pixels) -> Iterator[dict[str, Any]]:
    """Yield a row of figures for each bound; the first, of bound 0, is lossless."""
    picture = np.ascontiguousarray(mosaic(pixels))
    if picture.shape[2] == 1:
        picture = np.ascontiguousarray(picture[:, :, 0])
    points = curves(picture)
    for bound in (0, *BOUNDS):
        row = {"name": name, "bound": bound, "values": pixels.size}
        row |= ours(pixels, bound) | jpeg_ls(picture, bound)
        for format, tried in points.items() if bound else ():
            good = [point for point in tried if point[1] >= row["decibels"]]
            if good:
                row[format], _, row[f"{format}_furthest"] = min(good)
        yield row


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--folder", type=Path, action="append", default=[])
    parser.add_argument("--pictures", type=int, default=1000, help="of the stack")
    options = parser.parse_args()
    sources: list[tuple[str, Pixels]] = [one for one in drawn() if one[0] == "16 bits"]
    for folder in options.folder:
        sources += of_folder(common.need(folder))
    path = common.need(options.data / "images" / "fashion-mnist" / TEST)
    stack = np.concatenate(list(open_source(path).batches()))[: options.pictures]
    sources.append((f"fashion-mnist, {len(stack):,}", stack))
    for name, pixels in sources:
        for row in rows_of(name, pixels):
            common.record("near_pictures", row, seeds=0, data=pixels)
            print({key: value for key, value in row.items() if key != "values"}, flush=True)


if __name__ == "__main__":
    sys.exit(main())
