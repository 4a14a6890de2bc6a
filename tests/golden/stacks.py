"""Makes the golden archives of pictures that are coded bit by bit; make.py makes those of 3.0.

python tests/golden/stacks.py

A stack of gray pictures, a folder of pictures in colours, few colours and two, and pictures by a model
that has seen others. An archive that is there is never made anew.
"""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from aetool import bundle as bundles
from aetool import operations
from aetool.operations import CompressOptions, FitOptions

HOME = Path(__file__).parent / "3.2"


def stack(count, seed):
    """(count, 12, 11): bright discs of several sizes on a slope, with a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:12, :11]
    pictures = []
    for radius in rng.uniform(2, 5, count):
        disc = 120.0 * (np.hypot(y - 6, x - 5) < radius)
        pictures.append(disc + 3 * y + rng.normal(0, 2, (12, 11)))
    return np.clip(pictures, 0, 255).astype(np.uint8)


def colours(folder):
    """A photograph's slope in three channels, an icon of four colours, and a drawing of two."""
    rng = np.random.default_rng(22)
    folder.mkdir()
    gray = np.add.outer(np.arange(17), np.arange(19))[:, :, None] * 5
    slope = gray + np.array([30, 10, 0]) + rng.integers(0, 4, (17, 19, 3))
    Image.fromarray(slope.astype(np.uint8)).save(folder / "slope.png")
    palette = rng.integers(0, 256, (4, 4)).astype(np.uint8)
    icon = palette[np.add.outer(np.arange(16) // 4, np.arange(14) // 5) % 4]
    Image.fromarray(icon).save(folder / "icon.png")
    drawing = np.add.outer(np.arange(20), np.arange(21)) % 7 == 0
    Image.fromarray(drawing).save(folder / "drawing.png")


def main():
    """Write what is to be restored, and the archives."""
    HOME.mkdir(exist_ok=True)
    np.save(HOME / "stack.npy", stack(5, 20))
    colours(HOME / "colours")
    np.save(HOME / "primed.npy", stack(4, 23))
    training = HOME / "training.npy"
    np.save(training, stack(60, 21))
    model = operations.fit(training, FitOptions(plugin="pca", codec=True))
    training.unlink()
    needed = {n: g for n, g in model.graphs.items() if n not in ("score.onnx", bundles.SAMPLING)}
    model = dataclasses.replace(model, graphs=needed)
    model.save(HOME / "pictures.aem")
    for name, source, given in (
        ("stack", "stack.npy", None),
        ("colours", "colours", None),
        ("primed", "primed.npy", model),
    ):
        figures = operations.compress(HOME / source, HOME / f"{name}.aez", given, CompressOptions())
        assert "unused" not in figures, figures


if __name__ == "__main__":
    main()
