"""Drawn pictures with known defects: image AUROC, pixel AUROC, PRO and whether the worst place is
within the defect, of a model fitted on 60 ordinary pictures of each set.

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
from scipy import ndimage

from aetool import operations
from aetool.operations.detecting import auroc

HALVES = {
    "chosen": (0, (*defect_pictures.OBJECTS, *defect_pictures.TEXTURES)),
    "kept": (
        1,
        (*defect_pictures.OBJECTS, *defect_pictures.TEXTURES, *defect_pictures.KEPT_TEXTURES),
    ),
}
PEERS = ("1NN", "IForest", "PCA", "AutoEncoder")
AVERAGED = 4  # pixels along each side, for peers
MOST_FALSE = 0.3  # part of ordinary pixels flagged, up to which PRO is averaged
AROUND = 4  # pixels that the worst place may lie beside the box of a defect


def pro(maps: np.ndarray, masks: np.ndarray) -> float:
    """The part of each defect's region that is flagged, averaged over regions, and over thresholds
    that flag up to 0.3 of the ordinary pixels (Bergmann et al. 2021); maps, masks: (n, H, W)."""
    ordinary = np.sort(maps[~masks])[::-1]
    false = np.linspace(0, MOST_FALSE, 301)
    place = np.minimum((false * len(ordinary)).astype(int), len(ordinary) - 1)
    thresholds = ordinary[place]
    overlaps = []
    for values, mask in zip(maps, masks, strict=True):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        for region in range(1, count + 1):
            inside = np.sort(values[labels == region])
            flagged = len(inside) - np.searchsorted(inside, thresholds, side="right")
            overlaps.append(flagged / len(inside))
    return float(np.trapezoid(np.mean(overlaps, axis=0), false) / MOST_FALSE)


def hits(maps: np.ndarray, masks: np.ndarray) -> float:
    """The part of defective pictures whose worst pixel lies within the defect's box."""
    found = []
    for values, mask in zip(maps, masks, strict=True):
        if not mask.any():
            continue
        place = np.array(np.unravel_index(values.argmax(), values.shape))
        where = np.argwhere(mask)
        inside = (place >= where.min(axis=0) - AROUND) & (place <= where.max(axis=0) + AROUND)
        found.append(inside.all())
    return float(np.mean(found))


def of_plugin(pictures: defect_pictures.Pictures, options, work: Path) -> dict[str, object]:
    """The figures of a model of ours."""
    params = dict(item.split("=", 1) for item in options.O)
    np.save(work / "fitted.npy", pictures.fitted)
    chosen = operations.FitOptions(options.plugin, params)
    began, cpu = time.monotonic(), time.process_time()
    model = operations.fit(work / "fitted.npy", chosen)
    fitted, fit_cpu = time.monotonic(), time.process_time()
    planes = np.ascontiguousarray(pictures.tested.transpose(0, 3, 1, 2))
    parts = model.session("score.onnx", "cpu")(planes)["parts"]
    score_cpu = time.process_time()
    maps = parts[:, :-1].reshape(-1, defect_pictures.SIDE, defect_pictures.SIDE)
    some = (slice(None), slice(None, None, 2), slice(None, None, 2))
    return {
        "detector": options.plugin,
        "params": params,
        "auroc": auroc(parts.sum(axis=1), pictures.masks.any(axis=(1, 2))),
        "pixel_auroc": auroc(maps[some].ravel(), pictures.masks[some].ravel()),
        "pro": pro(maps, pictures.masks),
        "hits": hits(maps, pictures.masks),
        "fit_seconds": fitted - began,
        "fit_cpu": fit_cpu - cpu,
        "score_cpu": score_cpu - fit_cpu,
        "bundle_bytes": sum(map(len, model.graphs.values())),
        "members": model.facts.get("members", []),
    }


def of_peer(name: str, pictures: defect_pictures.Pictures) -> dict[str, object]:
    """The image AUROC of a detector of PyOD on averaged pictures."""

    def rows(shown: np.ndarray) -> np.ndarray:
        side = defect_pictures.SIDE // AVERAGED
        blocks = shown.reshape(len(shown), side, AVERAGED, side, AVERAGED, 3)
        return blocks.mean(axis=(2, 4)).reshape(len(shown), -1)

    peer = peers.Peer(name, rows(pictures.fitted), 0)
    scores = peer.score(rows(pictures.tested))
    found = auroc(scores, pictures.masks.any(axis=(1, 2)))
    return {"detector": name, "params": {}, "auroc": found}


def main() -> None:
    """Run and print."""
    parser = common.parser(__doc__)
    parser.add_argument("--half", choices=HALVES, default="chosen")
    parser.add_argument("--plugin", default="auto")
    parser.add_argument("-O", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--sets", default="")
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    seed, names = HALVES[options.half]
    asked = options.sets.split(",") if options.sets else names
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as work:
        for name in asked:
            pictures = defect_pictures.pictures(name, seed)
            found = [of_plugin(pictures, options, Path(work))]
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
        for figure in ("auroc", "pixel_auroc", "pro", "hits"):
            values = [row[figure] for row in own if figure in row]
            if values:
                print(f"{detector}: mean {figure} {np.mean(values):.4f} of {len(values)} sets")


if __name__ == "__main__":
    main()
