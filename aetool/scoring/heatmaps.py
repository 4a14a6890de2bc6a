"""Maps of the pictures that stand out, as files: an overlay, a map and a mask of each, and one
sheet of the worst."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from aetool.data import heatmaps
from aetool.data.heatmaps import Shown
from aetool.data.table import as_cells
from aetool.errors import ParamError
from aetool.files import atomic, new_folder
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.bundle import Bundle
    from aetool.data.table import Mask
    from aetool.detection.calibration import Calibration
    from aetool.detection.regions import Box
    from aetool.model import Float
    from aetool.scoring.batches import Pictured, Scored
    from aetool.scoring.collecting import Explained
    from aetool.scoring.results import Detection
    from aetool.scoring.watching import Watch

MOST_ON_A_SHEET = 12
KINDS = ("overlay", "map", "mask")
SAID_OF_MAPS = (
    f"maps are 16-bit gray, {heatmaps.LEVELS} levels of which are the pixel threshold, and masks "
    "white above it, as about 1 in 1,000 pixels of ordinary pictures are"
)


def rectangle(box: Box | None) -> heatmaps.Rectangle | None:
    """A box as (left, top, width, height), which drawings take; None for no box, and for one whose
    excess is spread over the whole picture."""
    if box is None or box.spread:
        return None
    return box.left, box.top, box.width, box.height


def file_stems(names: Sequence[str]) -> list[str]:
    """For each picture's name the path that its files begin with, inside a folder: the name without
    its suffix, or the whole name where another picture would get the same. No path leads out of
    the folder."""
    inside = []
    for name in names:
        # a name may come from an archive of a stranger
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..", ".")]
        inside.append(PurePosixPath(*parts))
    stems = [path.with_suffix("").as_posix() if path.name else "picture" for path in inside]
    # disks of some systems do not tell large letters from small ones
    often = Counter(stem.lower() for stem in stems)
    return [
        stem if often[stem.lower()] == 1 else path.as_posix()
        for stem, path in zip(stems, inside, strict=True)
    ]


class Heatmaps:
    """A watch that writes an overlay, a heat map and a mask of each flagged picture into a folder.
    target: the path that the folder gets when it is complete."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self.target = target
        self.count = 0
        self._stems: list[str] = []

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Called before the first batch: raise ParamError for a model of tables, which has no heat
        maps."""
        _check_pictures(name, bundle, option("--heatmap"))

    def begin_archive(self, name: str) -> None:
        """Called before detection in an archive: raise ParamError, since it looks at no
        pictures."""
        raise ParamError(f"{option('--heatmap')} is of pictures, and {name} is an archive")

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Write the files of the pictures of a batch that are flagged, (rows,)."""
        # once, since each batch brings the names of all
        if batch.names and not self._stems:
            self._stems = file_stems(batch.names)
        records = batch.records
        for place, one in zip(explained.places.tolist(), explained.pictures, strict=True):
            if flagged[place]:
                self._write(int(records[place]), one)

    def _write(self, record: int, one: Pictured) -> None:
        # zeros in front, so that files sort by their number
        stem = self._stems[record] if self._stems else f"picture_{record + 1:06d}"
        laid = heatmaps.overlay(one.picture, one.amounts, rectangle(one.box))
        contents = {
            "overlay": heatmaps.png(laid),
            "map": heatmaps.gray_map(one.amounts),
            "mask": heatmaps.mask(one.amounts),
        }
        for kind in KINDS:
            path = self.folder / f"{stem}_{kind}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[kind])
        self.count += 1


class Worst:
    """A watch that keeps the 12 flagged pictures with the highest scores, for a sheet."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, int, Pictured, str]] = []

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Called before the first batch: raise ParamError for a model of tables, which has no
        pictures."""
        _check_pictures(name, bundle, option("--sheet"))

    def begin_archive(self, name: str) -> None:
        """Called before detection in an archive: raise ParamError, since it looks at no
        pictures."""
        raise ParamError(f"{option('--sheet')} is of pictures, and {name} is an archive")

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Keep the pictures of a batch that are among the highest scores so far."""
        records = batch.records
        for place, one in zip(explained.places.tolist(), explained.pictures, strict=True):
            if flagged[place]:
                name = title(batch.names, int(records[place]))
                self._kept.append((float(scores[place]), int(records[place]), one, name))
        # of equal scores the first picture
        self._kept.sort(key=lambda kept: (-kept[0], kept[1]))
        # memory is bounded, however many are flagged
        del self._kept[MOST_ON_A_SHEET:]

    def shown(self, detection: Detection) -> list[Shown]:
        """The kept pictures as a sheet shows them, the highest score first, each with its name, its
        score, and the reasons that the detection gives."""
        place = {int(row): i for i, row in enumerate(detection.row.tolist())}
        return [
            shown(one, f"{name}: score {score:.6g} {detection.unit}", detection.why[place[row]])
            for score, row, one, name in self._kept
        ]


def sheet_of(detection: Detection) -> heatmaps.Sheet:
    """A sheet of the at most 12 pictures of a detection that score highest; of flagged ones alone,
    if there are any. The pictures are scored again."""
    assert detection.look is not None
    ranked = detection.ranked()
    # with no picture flagged the highest are of interest still
    places = np.flatnonzero(ranked.anomaly) if ranked.flagged else np.arange(len(ranked.row))
    places = places[:MOST_ON_A_SHEET]
    names: Sequence[str] = ()
    if ranked.table is not None and "file" in ranked.table.names:
        names = list(as_cells(ranked.table["file"]).strings())
    rows = ranked.row[places]
    told = []
    for place, one in zip(places.tolist(), detection.look(rows), strict=True):
        name = names[place] if names else title((), int(ranked.row[place]))
        score = f"score {ranked.score[place]:.6g} {ranked.unit}"
        told.append(shown(one, f"{name}: {score}", ranked.why[place]))
    return heatmaps.sheet(told, heading(detection))


def heading(detection: Detection) -> str:
    """The line above a sheet of pictures: how many are flagged and by what threshold, or if there
    is no finite one that the highest are shown."""
    # where all are asked for there is none
    if math.isfinite(detection.threshold):
        return detection.verdict()
    return f"the highest of {detection.total:,} records"


def title(names: Sequence[str], record: int) -> str:
    """The name of a picture, or "picture N", counted from 1, where pictures have no names. record:
    its number from 0."""
    return names[record] if names else f"picture {record + 1:,}"


def shown(one: Pictured, name: str, why: str) -> Shown:
    """A picture with its map in the form that sheets draw, its expected values rounded to bytes.
    name, why: the words beside it."""
    expected = None
    if one.expected is not None:
        expected = np.clip(np.round(one.expected), 0, 255).astype(np.uint8)
    return Shown(one.picture, expected, one.amounts, rectangle(one.box), name, why)


def _check_pictures(name: str, bundle: Bundle, given: str) -> None:
    if bundle.shape is None:
        raise ParamError(f"{given} is of pictures, and {name} holds a table")


class Files:
    """The picture files that detect was asked for: heat maps in a folder, a contact
    sheet, or both."""

    def __init__(self, heatmap: Heatmaps | None, sheet: Worst | None) -> None:
        self.heatmap = heatmap
        self.sheet = sheet
        self.written: bytes = b""

    @property
    def watches(self) -> list[Watch]:
        """The watchers that detect shows its records to, one for the folder and one for
        the sheet."""
        found: list[Watch] = []
        if self.heatmap is not None:
            found.append(self.heatmap)
        if self.sheet is not None:
            found.append(self.sheet)
        return found

    @property
    def remark(self) -> str:
        """A line on the files in the folder, to print; empty if no folder was asked for."""
        if self.heatmap is None:
            return ""
        count = self.heatmap.count
        # an empty folder is a result, too, and worth a word
        if not count:
            return (
                f"{self.heatmap.target}: no picture is flagged: nothing is in it; "
                f"{option('--top')} 5 draws the five with the highest scores"
            )
        pictures = "1 picture" if count == 1 else f"{count:,} pictures"
        return f"{self.heatmap.target}: {pictures}, each as _overlay.png, _map.png, _mask.png; " + (
            SAID_OF_MAPS
        )

    def finish(self, detection: Detection) -> None:
        """Draw the sheet of what was detected into `written`, as PNG; nothing without a sheet."""
        if self.sheet is not None:
            drawn = heatmaps.sheet(self.sheet.shown(detection), heading(detection))
            self.written = drawn.png


@contextmanager
def opened(
    heatmap: str | os.PathLike[str] | None = None,
    sheet: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Iterator[Files]:
    """Open a folder for heat maps and a file for the sheet, each if its path is not None; they get
    their names once all is complete. DataError for a folder or file that exists, unless force: then
    files of the same names are replaced, and other files stay."""
    with ExitStack() as stack:
        # both stay without their names until all records were seen
        maps = None
        if heatmap is not None:
            folder = stack.enter_context(new_folder(Path(heatmap), force, option("--heatmap")))
            maps = Heatmaps(folder, Path(heatmap))
        worst = None
        target = None
        if sheet is not None:
            worst = Worst()
            target = stack.enter_context(atomic(Path(sheet), force, named_by=option("--sheet")))
        files = Files(maps, worst)
        yield files
        if target is not None:
            target.write(files.written)
