"""Pictures of what the models do, from Fashion-MNIST, drawn parts and the bundled table, into
gallery/.

Each is made by the command that its line in gallery/README.md shows; the models are fitted first.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import common
import defect_pictures
import family
import numpy as np

from aetool.writing import drawing

HERE = Path(__file__).parent
AIR = family.ROOT / "aetool" / "demo" / "beijing_air.csv"
FITS = {  # name of the model: its options
    "vae": ["-p", "vae", "-O", "latent=16"],
    "plane": ["-p", "vae", "-O", "latent=2"],
    "vq": ["-p", "vq", "-O", "latent=24", "-O", "levels=2"],
    "denoising": ["-p", "denoising", "-O", "noise=0.67", "-O", "latent=64"],
    "filling": ["-p", "denoising", "-O", "block=0.15", "-O", "mask=0", "-O", "latent=64"],
}
SCENES = {  # file: (what it shows, commands; the last one writes it, or what it is made of)
    "reconstructions": (
        "Test pictures (top of each pair of rows) and what 16 numbers of a VAE keep of them.",
        ["encode few.npy -m vae.aem -o few.csv", "decode few.csv -m vae.aem -o restored.npy"],
    ),
    "samples": (
        "Drawn by a VAE, codes distributed as those of the data; no such pictures exist.",
        ["sample -m vae.aem -n 60 -o samples.png"],
    ),
    "codes": (
        "Drawn by the learned prior of a vector-quantised autoencoder of two levels, code by code.",
        ["sample -m vq.aem -n 60 -o codes.png"],
    ),
    "near": (
        "Given pictures (left) and others near them.",
        ["sample -m vae.aem --like six.npy -n 9 --spread 0.35 -o near.png"],
    ),
    "manifold": (
        "The plane of a VAE with a code of two numbers.",
        ["sample -m plane.aem --grid -n 400 -o manifold.png"],
    ),
    "denoising": (
        "Pictures, the same with noise of 64 gray levels, and denoised.",
        ["denoise noisy.npy -m denoising.aem --clean few.npy -o denoised.npy"],
    ),
    "inpainting": (
        "Pictures, the same with a hole, and filled.",
        [
            "denoise holed.npy -m filling.aem --fill-missing --region 9,9,10,10 --clean few.npy -o filled.npy"
        ],
    ),
    "neighbours": (
        "Queries (left) and their nearest among 10,000 test pictures, by the VAE's code.",
        ["similar asked.npy --in test.npy -m vae.aem -k 9 --sheet neighbours.png"],
    ),
    "where": (
        "Drawn parts with a defect each: the picture, what was expected, how they differ, and where "
        "the default model finds more than ordinary parts have, with a box around the worst.",
        [
            "fit parts.npy -o parts.aem",
            "detect defective.npy -m parts.aem --top 6 --sheet where.png",
        ],
    ),
    "table_plane": (
        "What a code of two numbers says of every column of a table.",
        [
            "fit air.csv -p vae -O latent=2 -o air.aem",
            "sample -m air.aem --grid -n 900 -o table_plane.png",
        ],
    ),
    "table_codes": (
        "The same table's codes, coloured by a column.",
        ["encode air.csv -m air.aem --plot table_codes.png --color TEMP"],
    ),
}
PAIRS = {  # sheets put together of several stacks of pictures, below one another
    "reconstructions": ("few", "restored"),
    "denoising": ("few", "noisy", "denoised"),
    "inpainting": ("few", "holed", "filled"),
}
ACROSS = 10


def prepare(options: Any, folder: Path) -> None:
    """The data of the scenes."""
    test, rng = family.pictures(options, "t10k"), np.random.default_rng(0)
    np.save(folder / "train.npy", family.pictures(options, "train"))
    np.save(folder / "test.npy", test)
    few = test[20 : 20 + 2 * ACROSS]
    np.save(folder / "few.npy", few)
    np.save(folder / "six.npy", test[:6])
    np.save(folder / "asked.npy", test[[0, 1, 2, 4, 18, 23]])
    noise = few + rng.normal(0, 64, few.shape)
    np.save(folder / "noisy.npy", noise.clip(0, 255).astype(np.uint8))
    holed = few.copy()
    holed[:, 9:19, 9:19] = 0
    np.save(folder / "holed.npy", holed)
    parts = defect_pictures.pictures("nut", 0)
    np.save(folder / "parts.npy", parts.fitted)
    firsts = [parts.defects.index(defect) for defect in defect_pictures.DEFECTS]
    np.save(folder / "defective.npy", parts.tested[firsts])
    shutil.copy(AIR, folder / "air.csv")


def main() -> None:
    """Fit, draw, and write the page."""
    parser = common.parser(__doc__)
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of each fit")
    options = parser.parse_args()
    options.data = options.data.resolve()
    out = HERE / "gallery"
    out.mkdir(exist_ok=True)
    lines = [
        "# Gallery",
        "",
        "Made by `make gallery`; every picture by the commands below it, after",
        "",
    ]
    lines += ["```"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(options, folder)
        for name, given in FITS.items():
            command = ["fit", "train.npy", *given, "-o", f"{name}.aem"]
            lines.append("aetool " + " ".join(command))
            family.shell(*command, "--max-time", options.max_time, "-q", cwd=folder)
            print("fitted", name, flush=True)
        lines += ["```", ""]
        for name, (said, commands) in SCENES.items():
            found = [family.shell(*c.split(), cwd=folder, said=True)[0].strip() for c in commands]
            print(name, found[-1][:200], flush=True)
            if name in PAIRS:
                stacks = [np.load(folder / f"{s}.npy")[:, None] for s in PAIRS[name]]
                rows = [s[i : i + ACROSS] for i in range(0, 2 * ACROSS, ACROSS) for s in stacks]
                drawing.write_sheet(folder / f"{name}.png", np.concatenate(rows), ACROSS, True)
            shutil.copy(folder / f"{name}.png", out / f"{name}.png")
            lines += [
                f"## {name.replace('_', ' ').capitalize()}",
                "",
                said,
                "",
                f"![{said}]({name}.png)",
                "",
            ]
            lines += ["```", *(f"aetool {c}" for c in commands)]
            if name in ("denoising", "inpainting"):
                lines += found[-1].splitlines()[-1:]
            lines += ["```", ""]
    (out / "README.md").write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
