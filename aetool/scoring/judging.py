"""Judges heat maps: how well they say where pictures are defective, by masks that people drew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aetool import mapping
from aetool.data.masks import Masks, nothing
from aetool.detection.pixel_scores import PixelTally
from aetool.errors import DataError, ParamError
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.bundle import Bundle
    from aetool.scoring.batches import Scored


def pixel_figures(
    batches: Iterable[Scored],
    model: Bundle,
    folder: str | os.PathLike[str],
    ordinary: set[int],
) -> dict[str, float]:
    """Figures, by name, of how well heat maps find the defects in masks: pixel_auroc, pro, box_hits
    (0 to 1, see PixelFigures), and the counts defective_pictures, defective_regions and, unless it
    is 0, without_mask. One pass over the batches, in bounded memory.

    batches: of pictures, as `scored` yields them. folder: of the masks. ordinary: the numbers, from
    0, of records that need no mask, as none of their pixels is defective. Other pictures without a
    mask are left out, and counted as without_mask. ParamError for a model of tables and for
    pictures without names; DataError where no mask shows a defect, or no pixel is free of one, and
    for a mask that cannot be read or has another size; BundleError for a model whose maps are
    damaged.
    """
    if model.shape is None:
        raise ParamError(f"{option('--masks')} are of pictures, and {model.name} is of tables")
    masks = Masks(Path(folder))
    pixels = mapping.pixels_of(model)
    tally = PixelTally()
    unmasked = 0
    for batch in batches:
        if not batch.names:
            raise ParamError(
                f"{option('--masks')} are found by the names of pictures: give a folder of them"
            )
        for place, record in enumerate(batch.records.tolist()):
            picture = batch.pictured(place, pixels)
            mask = masks.of(batch.names[record], model.view, *picture.amounts.shape)
            if mask is None and record in ordinary:
                mask = nothing(*picture.amounts.shape)
            if mask is None:
                # which of its pixels are odd nobody has said
                unmasked += 1
                continue
            tally.add(picture.amounts, mask, picture.box)
    if not tally.complete:
        raise DataError(
            f"{folder}: no mask of a picture, or none with a defect; the mask of scratch/003.png "
            "is scratch/003_mask.png, or scratch/003.png, in that folder"
        )
    pixel_scores = tally.figures()
    figures = {
        "pixel_auroc": pixel_scores.auroc,
        "pro": pixel_scores.pro,
        "box_hits": pixel_scores.hits,
        "defective_pictures": pixel_scores.defective,
        "defective_regions": pixel_scores.regions,
    }
    return figures | ({"without_mask": unmasked} if unmasked else {})
