"""Makes the golden archives of pictures that are filtered when they are restored.

python tests/golden/filters.py

Gray pictures, and coloured ones, each with what its archive restored when it was made. An archive
that is there is never made anew.
"""

import tempfile
from pathlib import Path

import numpy as np

from aetool import operations
from aetool.operations import CompressOptions

HOME = Path(__file__).parent / "3.7"


def discs(count, channels, seed):
    """(count, 20, 18) or (count, 20, 18, channels): bright discs on a slope, with noise of its own
    in each channel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:20, :18]
    pictures = []
    for radius in rng.uniform(3, 8, count):
        disc = 120.0 * (np.hypot(y - 10, x - 9) < radius)
        gray = disc + 3 * y
        of_channels = [gray + 20 * channel for channel in range(channels)]
        coloured = np.stack(of_channels, -1)
        pictures.append(coloured + rng.normal(0, 9, coloured.shape))
    levels = np.clip(pictures, 0, 255).astype(np.uint8)
    return levels if channels > 1 else levels[..., 0]


def main():
    """Write the archives, and what they restore."""
    HOME.mkdir(exist_ok=True)
    for name, channels in (("gray", 1), ("colours", 3)):
        archive = HOME / f"{name}.aez"
        if archive.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / f"{name}.npy"
            np.save(source, discs(90, channels, 37))
            operations.compress(source, archive, None, CompressOptions(target_psnr=24))
        operations.decompress(archive, HOME / f"{name}.npy")


if __name__ == "__main__":
    main()
