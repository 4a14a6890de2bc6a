"""Drawn pictures with known defects: image AUROC, pixel AUROC, PRO and the part of boxes that hold the
defect's centre, of a model fitted on 60 ordinary pictures of each set and judged by `evaluate --masks`.

"chosen": seed 0 of five objects and five textures, on which settings were chosen; "kept": seed 1 of
the same and of three textures that were not looked at. The model named beforehand is `auto`; peers
take pictures averaged to 32 x 32.

    python defects.py --half chosen|kept [--plugin NAME] [-O KEY=VALUE] [--sets NAME,...] [--peers]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import common
import defect_pictures
import numpy as np
import peers

from aetool import operations
from aetool.detection.ranking import auroc

HALVES = {
    "chosen": (0, (*defect_pictures.OBJECTS, *defect_pictures.TEXTURES)),
    "kept": (
        1,
        (*defect_pictures.OBJECTS, *defect_pictures.TEXTURES, *defect_pictures.KEPT_TEXTURES),
    ),
}
PEERS = ("1NN", "IForest", "PCA", "AutoEncoder")
AVERAGED = 4  # pixels along each side, for peers
FIGURES = ("auroc", "pixel_auroc", "pro", "box_hits")


def laid_out(pictures: defect_pictures.Pictures, folder: Path) -> None:
    """Write the pictures and masks of a set to a folder as files: train/good, test/DEFECT,
    ground_truth/DEFECT."""
    from PIL import Image

    def write(picture: np.ndarray, *place: str) -> None:
        path = folder.joinpath(*place)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)

    for i, picture in enumerate(pictures.fitted):
        write(picture, "train", "good", f"{i:03}.png")
    tested = zip(pictures.tested, pictures.masks, pictures.defects, strict=True)
    for i, (picture, mask, defect) in enumerate(tested):
        write(picture, "test", defect or "good", f"{i:03}.png")
        if defect:
            write(np.uint8(255) * mask, "ground_truth", defect, f"{i:03}_mask.png")


def of_plugin(pictures: defect_pictures.Pictures, options, folder: Path) -> dict[str, object]:
    """Fit a plugin on the files of a set, as a user would, evaluate it on its test pictures, and
    return the figures and times."""
    params = dict(item.split("=", 1) for item in options.O)
    laid_out(pictures, folder)
    began, cpu = time.monotonic(), time.process_time()
    model = operations.fit(folder / "train", operations.FitOptions(options.plugin, params))
    fitted, fit_cpu = time.monotonic(), time.process_time()
    figures = operations.evaluate(folder / "test", model, masks=folder / "ground_truth")
    score_cpu = time.process_time()
    return {
        "detector": options.plugin,
        "params": params,
        **{name: float(figures[name]) for name in FIGURES},
        "recall": float(figures["recall"]),
        "precision": float(figures["precision"]),
        "fit_seconds": fitted - began,
        "fit_cpu": fit_cpu - cpu,
        "score_cpu": score_cpu - fit_cpu,
        "bundle_bytes": sum(map(len, model.graphs.values())),
        "members": model.facts.get("members", []),
    }


def of_peer(name: str, pictures: defect_pictures.Pictures) -> dict[str, object]:
    """Score the pictures, averaged over blocks of 4 x 4 pixels, with a detector of PyOD: its name,
    and how well it tells defective pictures (AUROC)."""

    def rows(shown: np.ndarray) -> np.ndarray:
        side = defect_pictures.SIDE // AVERAGED
        blocks = shown.reshape(len(shown), side, AVERAGED, side, AVERAGED, 3)
        return blocks.mean(axis=(2, 4)).reshape(len(shown), -1)

    peer = peers.Peer(name, rows(pictures.fitted), 0)
    scores = peer.score(rows(pictures.tested))
    found = auroc(scores, pictures.masks.any(axis=(1, 2)))
    return {"detector": name, "params": {}, "auroc": found}


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    parser.add_argument("--half", choices=HALVES, default="chosen")
    parser.add_argument("--plugin", default="auto", help="'' for none: peers alone")
    parser.add_argument("-O", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--sets", default="")
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    seed, names = HALVES[options.half]
    asked = options.sets.split(",") if options.sets else names
    rows: list[dict[str, object]] = []
    for name in asked:
        pictures = defect_pictures.pictures(name, seed)
        with tempfile.TemporaryDirectory() as work:
            found = [of_plugin(pictures, options, Path(work))] if options.plugin else []
            if options.peers and peers.installed():
                found += [of_peer(peer, pictures) for peer in PEERS]
            data = [pictures.fitted, pictures.tested, pictures.masks]
            for row in found:
                rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
                row = {"set": name, "half": options.half, **rounded}
                common.record("defects", row, seeds=[seed], data=data)
                figures = {k: v for k, v in row.items() if isinstance(v, float)}
                print(name, row["detector"], figures, flush=True)
                rows.append(row)
    for detector in dict.fromkeys(row["detector"] for row in rows):
        own = [row for row in rows if row["detector"] == detector]
        for figure in FIGURES:
            values = [row[figure] for row in own if figure in row]
            if values:
                print(f"{detector}: mean {figure} {np.mean(values):.4f} of {len(values)} sets")


if __name__ == "__main__":
    main()
