"""Batches of records with what the score graph says of each, and where pictures are odd."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from aetool.bundle import Bundle
from aetool.data.images import Pixels
from aetool.data.pictures.framed import FramedSource
from aetool.data.pictures.framing import Framing
from aetool.data.table import Table
from aetool.detection import maps
from aetool.detection.maps import PixelCalibration
from aetool.detection.regions import Box
from aetool.errors import DataError
from aetool.model import Float, Int, Records
from aetool.scoring.inputs import Laid, Source, inputs_of

# the outputs of a score graph, by name, for its inputs; a runtime.Session is one
ScoreGraph: TypeAlias = Callable[[Records], Mapping[str, Records]]


@dataclass(frozen=True, eq=False)
class TileParts:
    """The parts of all tiles of a batch of pictures. parts: for each picture (its tiles, pixels of
    a tile + 1); sizes: (width, height) of each picture, in pixels; framing: how tiles were cut, by
    which their maps are joined to one again."""

    framing: Framing
    parts: Sequence[Float]
    sizes: Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Pictured:
    """A picture together with its heat map. picture: as the model sees it, (C, H, W) uint8;
    expected: what the model expects in its place, (C, H, W), 0 to 255, or None; amounts: its map,
    (H, W), as aetool.detection.maps defines it; box: around the worst region of the map, or None
    where no pixel is above the usual; usual_peak: what the highest pixel of nearly all ordinary
    pictures' maps does not exceed, at least 1."""

    picture: Pixels
    expected: Float | None
    amounts: Float
    box: Box | None
    usual_peak: float = 1.0


@dataclass(frozen=True, eq=False)
class Scored:
    """A batch of records with the results of the score graph for each of them.

    first: the first record's number, from 0. inputs: what the graph took, see Laid. parts: (rows,
    columns + 1) or, of pictures, (rows, pixels + 1), what each column or pixel adds to the score,
    and last what belongs to none. surprise: (rows, columns or pixels), what reasons are ranked by,
    more being odder. expected: what the model expects there, (rows, columns) in user units or
    (rows, C, H, W), 0 to 255; None where it does not say. table: the rows as they were read; None
    for pictures. names: of all pictures of the source; empty for a table. Of pictures in tiles,
    parts are those of the worst tile of each, inputs, (rows,) of objects, the pictures before they
    are cut, tiles the parts of all tiles, and numbers, (rows,), the pictures' positions in the
    source, from 0; both are None for all other records.
    """

    first: int
    inputs: Records
    parts: Float
    surprise: Float
    expected: Float | None
    table: Table | None
    names: Sequence[str]
    tiles: TileParts | None = None
    numbers: Int | None = None

    @property
    def places(self) -> Int:
        """(rows,): the numbers of the rows in the source, from 0, comment lines of a table not
        counted."""
        if self.numbers is not None:
            return self.numbers
        return np.arange(self.first, self.first + len(self.parts))

    @property
    def records(self) -> Int:
        """(rows,): the numbers of the rows in the source, from 0, as its reader counts records:
        comment lines among the rows of a text may count, too."""
        if self.numbers is None and self.table is not None:
            return self.table.records
        return self.places

    @property
    def scores(self) -> Float:
        """(rows,): the score of each record, the sum of its parts, in the model's unit."""
        return np.asarray(self.parts.sum(axis=1, dtype=np.float64))

    def pictured(self, place: int, pixels: PixelCalibration) -> Pictured:
        """The picture of index `place` in the batch with its map and box; of overlapping tiles the
        maps are averaged. pixels: what pixels ordinarily cost. Only for pictures."""
        if self.tiles is None:
            parts = self.parts[place]
            (amounts,) = pixels.maps(parts[None])
        else:
            maps_of_tiles = pixels.maps(self.tiles.parts[place])
            width, height = self.tiles.sizes[place]
            amounts = self.tiles.framing.stitched(maps_of_tiles, width, height)
        expected = None
        if self.expected is not None:
            expected = self.expected[place]
        box = maps.box_of_worst(amounts, pixels.deviation)
        return Pictured(self.inputs[place], expected, amounts, box, pixels.peak)


def scored(source: Source, bundle: Bundle, graph: ScoreGraph) -> Iterator[Scored]:
    """Score all records of a source, and yield them batch by batch in its order; a picture that is
    cut into tiles has the score of its worst tile. Pictures that cannot be read are left out.
    DataError if the source does not suit the model (see inputs_of), and if a part of a score is not
    finite. bundle, graph: the model, and its score graph."""
    if isinstance(source, FramedSource) and source.is_tiled:
        yield from _scored_in_tiles(source, graph)
        return
    names = names_in(source)
    for laid in inputs_of(source, bundle):
        yield judged(source.name, graph, laid, names)


def names_in(source: Source) -> Sequence[str]:
    """The names of all pictures of a source; empty for a table and for pictures without names."""
    names: Sequence[str] = getattr(source, "names", ())
    return names


def judged(
    name: str,
    graph: ScoreGraph,
    laid: Laid,
    names: Sequence[str],
) -> Scored:
    """Score one batch of prepared records by a score graph. name: of the source, for the DataError
    if a part of a score is not finite; names: of all its pictures. laid: the records. Where the
    graph has no output "surprise", that of the result is the parts without the last."""
    outputs = graph(laid.inputs)
    # graphs give float32, in which a sum of many parts would depend on their order
    parts = outputs["parts"].astype(np.float64)
    _check_finite(name, parts, laid.first)
    # a model that has no better measure is surprised by what a column adds to the score
    surprise = outputs.get("surprise", parts[:, :-1])
    return Scored(
        first=laid.first,
        inputs=laid.inputs,
        parts=parts,
        surprise=surprise.astype(np.float64),
        expected=outputs.get("expected"),
        table=laid.table,
        names=names,
    )


def _check_finite(name: str, parts: Float, first: int) -> None:
    """Raise DataError if parts, (rows, columns + 1), are not all finite; the message names the
    first row with a part that is not. name: of the source; first: the number of the first of these
    rows in the source, from 0."""
    is_finite = np.isfinite(parts)
    if not is_finite.all():
        broken = np.flatnonzero(~is_finite.all(axis=1))
        # people count rows from 1
        row = first + int(broken[0]) + 1
        raise DataError(f"{name}: row {row} has no finite score; the model is broken")


def _scored_in_tiles(source: FramedSource, graph: ScoreGraph) -> Iterator[Scored]:
    """Score pictures by their tiles, and yield them in batches of few tiles: each gets the parts of
    that tile of it which has the highest score, and `tiles` and `numbers` are set. source: whose
    framing has tiles. DataError if a part of a score is not finite."""
    framing = source.framing
    for numbers, pictures in source.in_groups():
        # of each picture its tiles, (tiles, channels, height, width)
        tiles = [framing.tiles(picture) for picture in pictures]
        counts = [len(tiles_of_picture) for tiles_of_picture in tiles]
        # all at once: a runtime is slow with few records
        outputs = graph(np.concatenate(tiles))
        parts = outputs["parts"].astype(np.float64)
        ends = np.cumsum(counts)
        _check_finite_tiles(source, parts, numbers, pictures, ends)
        by_picture = np.split(parts, ends[:-1])
        worst = np.stack([_parts_of_worst(parts_of_tiles) for parts_of_tiles in by_picture])
        sizes = []
        for picture in pictures:
            _, height, width = picture.shape
            sizes.append((width, height))
        # pictures may differ in size, so they are objects, not one array of pixels
        whole_pictures = np.empty(len(pictures), object)
        whole_pictures[:] = pictures
        yield Scored(
            first=numbers[0],
            inputs=whole_pictures,
            parts=worst,
            surprise=worst[:, :-1],
            expected=None,
            table=None,
            names=source.names,
            tiles=TileParts(framing, by_picture, sizes),
            numbers=np.array(numbers, np.int64),
        )


def _check_finite_tiles(
    source: FramedSource,
    parts: Float,
    numbers: Sequence[int],
    pictures: Sequence[Pixels],
    ends: Int,
) -> None:
    """Raise DataError if parts of tiles, (tiles, pixels + 1), are not all finite; it names the
    picture of the first such tile, and where the tile lies in it. pictures: those that the tiles
    are of, in order; numbers: their positions in the source, from 0; ends: for each picture the
    index in `parts` of its last tile, plus 1."""
    is_finite = np.isfinite(parts).all(axis=1)
    if is_finite.all():
        return
    broken_tile = int(np.flatnonzero(~is_finite)[0])
    # the first picture that ends behind the tile
    picture = int(np.searchsorted(ends, broken_tile, side="right"))
    first_tile = int(ends[picture - 1]) if picture else 0
    _, height, width = pictures[picture].shape
    left, top = source.framing.corners(width, height)[broken_tile - first_tile]
    raise DataError(
        f"{source.name}: {source.title(numbers[picture])} has no finite score in its tile {left} "
        f"pixels from the left and {top} from the top; the model is broken"
    )


def _parts_of_worst(parts: Float) -> Float:
    """(pixels + 1,): the parts of the tile with the highest score. parts: (tiles, pixels + 1)."""
    scores = parts.sum(axis=1)
    return np.asarray(parts[scores.argmax()])


def looker(
    source: Source,
    bundle: Bundle,
    graph: ScoreGraph,
    pixels: PixelCalibration | None,
) -> Callable[[Int], list[Pictured]] | None:
    """Make a function that looks at single pictures again, once all records are scored; None for
    tables, where `pixels`, what pixels ordinarily cost, is None. The function takes numbers of
    pictures in the source, (n,) from 0, scores the source a second time, and returns each with its
    map and box, in the order of the numbers; KeyError for a number that no readable picture has.
    bundle, graph: the model, and its score graph."""
    if pixels is None:
        return None
    return functools.partial(_scored_again, source, bundle, graph, pixels)


def _scored_again(
    source: Source,
    bundle: Bundle,
    graph: ScoreGraph,
    pixels: PixelCalibration,
    rows: Int,
) -> list[Pictured]:
    """Score a source's pictures once more, and return those whose numbers are in `rows`, (n,) from
    0, with their maps and boxes, in this order. bundle, graph: the model, and its score graph;
    pixels: what pixels ordinarily cost, by which the maps are made. KeyError for a number that no
    readable picture has."""
    # no batch of other pictures is kept in memory
    wanted = set(rows.tolist())
    pictured: dict[int, Pictured] = {}
    for batch in scored(source, bundle, graph):
        for place, row in enumerate(batch.records.tolist()):
            if row in wanted:
                pictured[row] = batch.pictured(place, pixels)
    return [pictured[row] for row in rows.tolist()]
