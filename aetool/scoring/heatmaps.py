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
from aetool.detection.maps import standing_out
from aetool.errors import ParamError
from aetool.files import atomic, new_folder
from aetool.mapping import pixels_of
from aetool.scoring.collecting import picture_line
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
MOST_UNFLAGGED = 5  # that a sheet shows where no picture is flagged
KINDS = ("overlay", "map", "mask")
LEADING_OUT = ("/", "..", ".")  # parts of a path that no file's name inside a folder may have
SAID_OF_MAPS = (
    "overlays are yellow to dark red above the pixel threshold and 1/12 of the peak, in spots that "
    "are higher somewhere than those of 19 in 20 ordinary pictures, "
    "maps 16-bit gray, "
    f"{heatmaps.LEVELS} levels of which are that threshold, and masks white above it, as about 1 "
    "in 1,000 pixels of ordinary pictures are"
)


def rectangle(box: Box | None) -> heatmaps.Rectangle | None:
    """A box as (left, top, width, height), in pixels, which drawings take; None for no box, and for
    one whose excess is spread over the whole picture."""
    if box is None or box.spread:
        return None
    return box.left, box.top, box.width, box.height


def file_stems(names: Sequence[str]) -> list[str]:
    """For each picture's name the path that its files begin with, inside a folder: the name without
    its suffix, or the whole name where another picture would get the same, large letters and small
    ones counting as equal; where whole names differ by these alone, or are the same, all but the
    first have a number behind them, as in "a.png.2". No path leads out of the folder: "/", ".." and
    "." are dropped from names."""
    inside = []
    for name in names:
        # a name may come from an archive of a stranger
        parts = [part for part in PurePosixPath(name).parts if part not in LEADING_OUT]
        inside.append(PurePosixPath(*parts))
    stems = list(map(_without_suffix, inside))
    # disks of some systems do not tell large letters from small ones
    counts = Counter(stem.lower() for stem in stems)
    for place, path in enumerate(inside):
        stem = stems[place]
        # of a name such as ".." nothing is left
        if counts[stem.lower()] > 1 and path.name:
            stems[place] = path.as_posix()
    return _made_different(stems)


def _made_different(stems: Sequence[str]) -> list[str]:
    """Make paths different from each other, large letters and small ones counting as equal: the
    second and later of equal ones get a number, from 2 on, that makes them no other's."""
    all_stems = {stem.lower() for stem in stems}
    used: set[str] = set()
    different = []
    for stem in stems:
        path = stem
        number = 2
        # of equal ones the first keeps its path, and no number makes one that is another's
        while path.lower() in used or (path != stem and path.lower() in all_stems):
            path = f"{stem}.{number}"
            number += 1
        used.add(path.lower())
        different.append(path)
    return different


def _without_suffix(path: PurePosixPath) -> str:
    """A path without its suffix, as text; "picture" for one of which nothing is left."""
    if not path.name:
        return "picture"
    return path.with_suffix("").as_posix()


class Heatmaps:
    """A watch that writes an overlay, a heat map and a mask of each flagged picture into a folder.
    folder: where files are written meanwhile; target: the path that this folder gets when it is
    complete; count: of how many pictures files were written."""

    def __init__(self, folder: Path, target: Path) -> None:
        """Begin without any file. folder: where files are written, which is there already; target:
        the path that it is to get, for messages."""
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
        """Write the three files of each picture in `explained` that is flagged, and add these
        pictures to `count`. flagged: (rows,), of all pictures of the batch; scores is not read."""
        # once, since each batch brings the names of all
        if batch.names and not self._stems:
            self._stems = file_stems(batch.names)
        places = explained.places.tolist()
        for place, pictured in zip(places, explained.pictures, strict=True):
            if not flagged[place]:
                continue
            record = int(batch.records[place])
            self._write(record, pictured)

    def _write(self, record: int, pictured: Pictured) -> None:
        """Write the three files of one picture into `folder`, in folders as its name has them, and
        count it; a file of the same name is overwritten. OSError if one cannot be written. record:
        its number from 0."""
        # zeros in front, so that files sort by their number
        stem = f"picture_{record + 1:06d}"
        if self._stems:
            stem = self._stems[record]
        overlay = heatmaps.overlay(
            pictured.picture,
            standing_out(pictured.amounts, pictured.usual_peak),
            rectangle(pictured.box),
            pictured.usual_peak,
        )
        contents = {
            "overlay": heatmaps.png(overlay, {"Description": heatmaps.LEGEND}),
            "map": heatmaps.gray_map(pictured.amounts),
            "mask": heatmaps.mask(pictured.amounts),
        }
        for kind in KINDS:
            path = self.folder / f"{stem}_{kind}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[kind])
        self.count += 1


class Worst:
    """A watch that keeps for a sheet the 12 flagged pictures with the highest scores; while none is
    flagged the 5 pictures with the highest scores."""

    def __init__(self) -> None:
        """Begin without any picture."""
        # of each its score, its number, itself as the sheet shows it
        self._kept: list[tuple[float, int, Shown]] = []
        self._has_flagged = False

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Called before the first batch: note the model and the calibration that tells what is
        usual; raise ParamError for a model of tables, which has no pictures."""
        _check_pictures(name, bundle, option("--sheet"))
        self._unit = bundle.unit
        self._pixels = pixels_of(bundle)
        self._calibration = calibration

    def begin_archive(self, name: str) -> None:
        """Called before detection in an archive: raise ParamError, since it looks at no
        pictures."""
        raise ParamError(f"{option('--sheet')} is of pictures, and {name} is an archive")

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Keep the flagged pictures of a batch that are among the 12 flagged ones with the highest
        scores so far, or while none is flagged those among the 5 highest of all; of equal scores
        the earlier. scores, flagged: (rows,), of all pictures of the batch."""
        if flagged.any() and not self._has_flagged:
            self._has_flagged = True
            # those that are not flagged were of interest only while nothing else was
            self._kept.clear()
        most_kept = MOST_ON_A_SHEET if self._has_flagged else MOST_UNFLAGGED
        if self._has_flagged:
            for place, pictured in zip(explained.places.tolist(), explained.pictures, strict=True):
                if flagged[place]:
                    self._keep(batch, place, float(scores[place]), pictured)
        else:
            highest = np.argsort(-scores, kind="stable")[:most_kept]
            for place in highest.tolist():
                pictured = batch.pictured(place, self._pixels)
                self._keep(batch, place, float(scores[place]), pictured)
        # of equal scores the first picture
        self._kept.sort(key=lambda kept: (-kept[0], kept[1]))
        # memory is bounded, however many are flagged
        del self._kept[most_kept:]

    def _keep(self, batch: Scored, place: int, score: float, pictured: Pictured) -> None:
        """Add a picture to those that are kept, with the text that the sheet shows beside it.
        place: its index in the batch."""
        record = int(batch.records[place])
        name = title(batch.names, record)
        caption = f"{name}: score {score:.6g} {self._unit}"
        why = picture_line(batch, place, pictured, self._calibration)
        self._kept.append((score, record, shown(pictured, caption, why)))

    def shown(self) -> list[Shown]:
        """The kept pictures as a sheet shows them, the highest score first, each with its name, its
        score, and where it is odd."""
        return [picture for _, _, picture in self._kept]


def sheet_of(detection: Detection) -> heatmaps.Sheet:
    """A sheet of the at most 12 pictures of a detection that score highest; of flagged ones alone,
    if there are any. The pictures are scored again; the detection must be one of pictures."""
    assert detection.look is not None
    ranked = detection.ranked()
    # with no picture flagged the highest are of interest still
    places = np.arange(len(ranked.row))
    if ranked.flagged:
        places = np.flatnonzero(ranked.anomaly)
    places = places[:MOST_ON_A_SHEET]
    names: Sequence[str] = ()
    if ranked.table is not None and "file" in ranked.table.names:
        files = as_cells(ranked.table["file"])
        names = files.strings()
    looked_at = detection.look(ranked.row[places])
    pictures = []
    for place, pictured in zip(places.tolist(), looked_at, strict=True):
        record = int(ranked.row[place])
        name = names[place] if names else title((), record)
        score = f"score {ranked.score[place]:.6g} {ranked.unit}"
        pictures.append(shown(pictured, f"{name}: {score}", ranked.why[place]))
    return heatmaps.sheet(pictures, heading(detection, len(pictures)))


def heading(detection: Detection, pictures: int) -> str:
    """The words above a sheet of `pictures` pictures: how many records are flagged and by what
    threshold; where none is flagged, or there is no finite threshold, that the highest are
    shown."""
    # where all are asked for there is none
    if not math.isfinite(detection.threshold):
        return f"the highest of {detection.total:,} records"
    verdict = detection.verdict()
    if detection.flagged or not pictures:
        return verdict
    return f"{verdict}; none is above the threshold: the highest {pictures} are shown"


def title(names: Sequence[str], record: int) -> str:
    """The name of a picture, or "picture N", counted from 1, where pictures have no names. record:
    its number from 0."""
    if names:
        return names[record]
    return f"picture {record + 1:,}"


def shown(pictured: Pictured, name: str, why: str) -> Shown:
    """A picture with its map in the form that sheets draw, its expected values rounded to bytes, 0
    to 255. name, why: the words beside it."""
    expected = None
    if pictured.expected is not None:
        levels = np.round(pictured.expected)
        expected = np.clip(levels, 0, 255).astype(np.uint8)
    return Shown(
        pictured.picture,
        expected,
        standing_out(pictured.amounts, pictured.usual_peak),
        rectangle(pictured.box),
        title=name,
        words=why,
        usual_peak=pictured.usual_peak,
    )


def _check_pictures(name: str, bundle: Bundle, used_option: str) -> None:
    """Raise ParamError for a model of tables. name: of the data; used_option: the option that only
    pictures can have, as messages name it."""
    if bundle.shape is None:
        raise ParamError(f"{used_option} is of pictures, and {name} holds a table")


class Files:
    """The picture files that detect was asked for: heat maps in a folder, a contact sheet, or both.
    heatmap, sheet: what gathers them, None for what was not asked for. written: the sheet as PNG,
    empty until `finish`."""

    def __init__(self, heatmap: Heatmaps | None, sheet: Worst | None) -> None:
        """Keep what gathers the heat maps, and what gathers the sheet; None for what was not asked
        for."""
        self.heatmap = heatmap
        self.sheet = sheet
        self.written: bytes = b""

    @property
    def watches(self) -> list[Watch]:
        """The objects to which detect passes every batch of records, so that they gather pictures:
        `heatmap`, then `sheet`, without what was not asked for; [] if neither was."""
        watches: list[Watch] = []
        if self.heatmap is not None:
            watches.append(self.heatmap)
        if self.sheet is not None:
            watches.append(self.sheet)
        return watches

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
        return (
            f"{self.heatmap.target}: {pictures}, each as _overlay.png, _map.png, _mask.png; "
            f"{SAID_OF_MAPS}"
        )

    def finish(self, detection: Detection) -> None:
        """Set `written` to the sheet of what was detected, as PNG; without a sheet do nothing."""
        if self.sheet is None:
            return
        pictures = self.sheet.shown()
        sheet = heatmaps.sheet(pictures, heading(detection, len(pictures)))
        self.written = sheet.png


@contextmanager
def opened(
    heatmap: str | os.PathLike[str] | None = None,
    sheet: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Iterator[Files]:
    """Context manager: open a folder for heat maps and a file for the sheet, each if its path is
    not None; yields the Files, whose `finish` must be called in the block for the sheet to be
    drawn. Folder and file get their names once all is complete. DataError for a folder or file that
    exists, unless force: then files of the same names are replaced, and other files stay; and where
    these cannot be written."""
    with ExitStack() as stack:
        # both stay without their names until all records were seen
        maps = None
        if heatmap is not None:
            target = Path(heatmap)
            unnamed = new_folder(target, force, option("--heatmap"))
            maps = Heatmaps(stack.enter_context(unnamed), target)
        worst = None
        sheet_file = None
        if sheet is not None:
            worst = Worst()
            unnamed_file = atomic(Path(sheet), force, named_by=option("--sheet"))
            sheet_file = stack.enter_context(unnamed_file)
        files = Files(maps, worst)
        yield files
        if sheet_file is not None:
            sheet_file.write(files.written)
