"""similar: the records of a data set whose codes are nearest to those of a query."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool.arguments import CheckedOptions, shown
from aetool.bundle import Bundle
from aetool.codec.archive import Archive
from aetool.codec.contents.lossy import Lossy
from aetool.csv.dialect import Reading
from aetool.data import sources
from aetool.data.pictures.framed import FramedSource
from aetool.data.table import Mask
from aetool.data.table_source import TableSource
from aetool.data.text import name_beside
from aetool.errors import DataError, ParamError
from aetool.model import Float, Int, Records
from aetool.printing import in_utf8
from aetool.scoring.costing import is_archive
from aetool.scoring.inputs import Source, check_readable, inputs_of, seen_by
from aetool.spelling import option
from aetool.writing import drawing
from aetool.writing.codes import cells, encoder_of

if TYPE_CHECKING:
    import pandas as pd

QUERIES = 64  # searched at once
LARGEST_ROW = 2**62  # by which a record can be asked for
MOST_BITS = 64  # of a binary code: it is looked up as one whole number
LEARNED_FROM = 20_000  # records, about, that the rotation of binary codes is learned from
TURNS = 50  # rounds in which it is learned
# how many bits of each byte are 1
ONES = np.array([byte.bit_count() for byte in range(256)], np.uint8)
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SearchOptions(CheckedOptions):
    """How the nearest records are looked for.

    k: how many neighbours of each query, at least 1. rows: which records of the query file, from 1;
    empty: all. binary: compare learned binary codes by how many bits differ (the Hamming distance).
    columns: columns of the data, a table, to return beside each neighbour. device: where the
    encoder runs.
    """

    verb = "similar"

    k: int = 10
    rows: Sequence[int] = ()
    binary: bool = False
    columns: Sequence[str] = ()
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest records of each query, nearest first, as arrays of one entry for each pair of a
    query and a neighbour, (n,) each, the pairs of a query together.

    query, row: the numbers of the query and of the neighbour, from 1. rank: 1 for the nearest.
    distance: between their codes, Euclidean, or how many entries or bits differ. beside: columns of
    the data, by name, each a list of n values, those of the neighbours; of pictures with names also
    "picture".
    """

    query: Int
    rank: Int
    row: Int
    distance: Float
    beside: dict[str, list[object]]

    def columns(self) -> dict[str, list[object]]:
        """The neighbours as columns by name, in the order in which they are printed: query, rank,
        row, distance (to six digits), then those of `beside`, called "input.NAME" where NAME is
        taken; lists of n values."""
        # six digits: what is beyond them differs between processors
        distances: list[object] = []
        for distance in self.distance.tolist():
            distances.append(float(f"{distance:.6g}"))
        # lists of Python's own numbers, as CSV and JSON have them
        columns: dict[str, list[object]] = {
            "query": self.query.tolist(),
            "rank": self.rank.tolist(),
            "row": self.row.tolist(),
            "distance": distances,
        }
        for name, values in self.beside.items():
            columns[name_beside(name, columns)] = values
        return columns

    def frame(self) -> pd.DataFrame:
        """The neighbours as a DataFrame, with the columns that are printed."""
        import pandas as pd

        return pd.DataFrame(self.columns())


def similar(
    query: object,
    data: object,
    model: Bundle | None = None,
    options: SearchOptions | None = None,
) -> Neighbours:
    """Find the k records of data whose codes are nearest to the code of each query record; all of
    them if data hold fewer. query: a table or pictures, as sources.open_source takes data; of a
    table without rows there are no neighbours.

    data: a table or pictures, or an archive that stores codes (by --lossy-only): its codes are
    compared without decoding a record, and its own model is used where `model` is None. options:
    None for the defaults. The distance of codes is Euclidean; of discrete and of binary codes it is
    how many entries differ. Of neighbours at one distance the earlier comes first; of binary codes
    first the nearer by Euclidean distance. Binary codes of numbers are the signs of the code's
    principal components, rotated to lie near those signs (iterative quantisation: Gong & Lazebnik
    2011); neighbours are found by changing ever more bits of the query's code (Salakhutdinov &
    Hinton 2009). ParamError without a model, for k below 1, for a row or column that is not there,
    and for binary codes of a model whose entries have more than two levels; DataError for data
    without records, or of another kind than the model's, and for pictures, data or query, none of
    which can be read; ArchiveError for a damaged archive, BundleError where the model that it needs
    is missing.
    """
    options = options or SearchOptions()
    if options.k < 1:
        raise ParamError(f"{option('-k')} must be at least 1, got {options.k}")
    codes, model, names, records = _codes_of_data(data, model, options)
    query_codes, numbers = _queries(query, model, options)
    levels = int(model.facts.get("code_levels", 0))
    k = min(options.k, len(codes))
    if not k:
        raise DataError(f"{_name_for_messages(data)}: no records to search")
    if options.binary:
        nearest = _by_bits(query_codes, codes, levels, k)
    else:
        nearest = by_distance(query_codes, codes, bool(levels), k)
    # of no queries there are no pairs, and yet an array of each
    no_pairs = (np.zeros(0, np.int64), np.zeros(0))
    rows, distances = map(np.concatenate, zip(no_pairs, *nearest, strict=True))
    beside: dict[str, list[object]] = {}
    if names:
        beside["picture"] = [names[row] for row in rows]
    if options.columns:
        beside |= _columns(data, rows, options.columns, model.reading)
    ranks = np.arange(1, k + 1)
    # people count records from 1
    return Neighbours(
        query=np.repeat(numbers, k) + 1,
        rank=np.tile(ranks, len(numbers)),
        row=records[rows] + 1,
        distance=distances,
        beside=beside,
    )


def _name_for_messages(data: object) -> str:
    """The name that messages give to the data: their path, or "data" for data in memory."""
    if isinstance(data, str | os.PathLike):
        return os.fspath(data)
    return "data"


def _codes_of_data(
    data: object,
    model: Bundle | None,
    options: SearchOptions,
) -> tuple[Float, Bundle, list[str], Int]:
    """The codes of all records that are searched: (codes, (n, latent); the model, given or of the
    archive; the names of the records if they are pictures with names, else []; (n,), the numbers of
    the records, from 0). ParamError for data that are no archive where model is None, and for a
    model without an encoder; DataError for pictures none of which can be read; of an archive
    ParamError where it holds no codes of this model, ArchiveError if it is damaged."""
    if is_archive(data):
        return _codes_of_archive(data, model, options)
    if model is None:
        raise ParamError(f"a model is needed: give one with {option('-m')}, or set $AETOOL_MODEL")
    opened_source = sources.open_source(data, model.reading)
    source = seen_by(opened_source, model)
    session = encoder_of(model, options.device)
    codes = []
    numbers = []
    for batch in inputs_of(source, model):
        outputs = session(batch.inputs)
        codes.append(outputs["z"])
        numbers.append(batch.records)
    check_readable(source)
    places = np.concatenate(numbers)
    # of tables none have names
    every_name = list(getattr(source, "record_names", []))
    names = []
    if every_name:
        names = [in_utf8(every_name[place]) for place in places.tolist()]
    return np.concatenate(codes), model, names, places


def _codes_of_archive(
    path: str | os.PathLike[str],
    model: Bundle | None,
    options: SearchOptions,
) -> tuple[Float, Bundle, list[str], Int]:
    """The codes that an archive stores: (codes, (n, latent); the model, given or the archive's own;
    the names of the records if they are pictures with names, else []; (n,), the numbers of the
    records, from 0). path: of the archive. model: None for the archive's own. ParamError for an
    archive without codes, or with those of another model, and for options.columns. ArchiveError if
    it is damaged; BundleError without a model that it needs."""
    if options.columns:
        raise ParamError(f"{option('--id')} is for tables: an archive's records are not decoded")
    with Archive(path, model, options.device) as archive:
        content = archive.content
        if not isinstance(content, Lossy):
            raise ParamError(
                f"{_name_for_messages(path)}: holds no codes, being {archive.mode}; search the "
                f"file itself, or compress it with {option('--lossy-only')}"
            )
        # an archive of no records has no blocks, and so no codes of one
        no_codes = np.zeros((0, len(content.quantiser.centre)), np.float32)
        codes = [no_codes, *content.codes(archive)]
        names = content.picture_names(archive)
        decoder = archive.model.graphs["decoder.onnx"]
        if model is None:
            model = archive.model
        # a code means something to its own decoder alone
        if model.graphs.get("decoder.onnx") != decoder:
            raise ParamError(
                f"{_name_for_messages(path)}: written by another model than {model.name}"
            )
        records = np.arange(archive.rows)
    return np.concatenate(codes), model, names, records


def _queries(
    query: object,
    model: Bundle,
    options: SearchOptions,
) -> tuple[Float, Int]:
    """The codes of the query records that options.rows asks for, all if it is empty: (codes, (n,
    latent); (n,), the numbers of the records, from 0, rising). ParamError for a row that is not
    there, and for a model without an encoder; DataError for pictures none of which can be read."""
    opened_source = sources.open_source(query, model.reading)
    source = seen_by(opened_source, model)
    # an archive carries what restores it, and that needs no encoder
    if "encoder.onnx" not in model.graphs:
        raise ParamError(
            f"the archive holds its model's decoder alone: give the whole one with {option('-m')}"
        )
    session = model.session("encoder.onnx", options.device)
    codes = []
    numbers = []
    for row in options.rows:
        # beyond 64 bits it would be no number of a record anywhere
        if abs(row) > LARGEST_ROW:
            raise ParamError(f"{option('--row')} {shown(row)}: no file has so many records")
    # from 0, as records are counted inside
    wanted_records = np.array(options.rows, dtype=np.int64) - 1
    count = 0
    for batch in inputs_of(source, model):
        is_wanted = np.ones(len(batch.inputs), np.bool_)
        if len(wanted_records):
            is_wanted = np.isin(batch.records, wanted_records)
        outputs = session(batch.inputs[is_wanted])
        codes.append(outputs["z"])
        numbers.append(batch.records[is_wanted])
        if len(batch.records):
            last = int(batch.records[-1])
            count = max(count, last + 1)
    check_readable(source)
    numbers_read = np.concatenate(numbers)
    # a row that was asked for and is not there is said, not passed over
    missing = np.setdiff1d(wanted_records, numbers_read)
    if len(missing):
        raise _no_such_row(source, int(missing[0]), count)
    return np.concatenate(codes), numbers_read


def _no_such_row(source: Source, record: int, count: int) -> ParamError:
    """Return, not raise, the error for a query record that cannot be read. record: its number, from
    0; count: how many records the source has."""
    what_is_there = f"has records 1 .. {count}"
    if 0 <= record < count:
        what_is_there = "has a comment there"
    if isinstance(source, FramedSource) and record in source.unread:
        title = in_utf8(source.title(record))
        what_is_there = f"has {title} there, {source.unread[record]}"
    return ParamError(f"{option('--row')} {record + 1}: {source.name} {what_is_there}")


def by_distance(
    query_codes: Float,
    codes: Float,
    discrete: bool,
    k: int,
) -> list[tuple[Int, Float]]:
    """Find the k codes nearest to each query by comparing all: for each query (numbers of the
    codes, from 0; distances), (k,) each, nearest first, of equal distances the earlier code first.

    query_codes: (queries, latent). codes: (n, latent). discrete: count entries that differ, in
    place of Euclidean distance. k: 1 .. n.
    """
    # |c - q|^2 = |c|^2 - 2 c q + |q|^2, of which the last is the same for all c
    norms = np.einsum("ij,ij->i", codes, codes)
    neighbours = []
    for first in range(0, len(query_codes), QUERIES):
        queries = query_codes[first : first + QUERIES]
        if discrete:
            rough = np.stack([_entries_that_differ(codes, code) for code in queries])
        else:
            # one product of matrices for many queries, and rough: it cancels for near codes
            rough = norms - 2 * queries @ codes.T
        for code, rough_distances in zip(queries, rough, strict=True):
            near = _near_enough(rough_distances, code, k)
            exact: Int | Float
            if discrete:
                exact = _entries_that_differ(codes[near], code)
            else:
                exact = _euclid(codes[near], code)
            # the last key counts first: distance, then the earlier row
            order = np.lexsort((near, exact))[:k]
            distances = exact[order].astype(np.float64)
            neighbours.append((near[order], distances))
    return neighbours


def _near_enough(rough: Float, code: Float, k: int) -> Int:
    """The indices, rising, of the codes that may be among the k nearest to a query, with some to
    spare for rounding. rough: (n,), the squared distance of each code less what is the same for
    all, or how many entries differ; code: (latent,), the query's; k: 1 .. n."""
    kth_distance = np.partition(rough, k - 1)[k - 1]
    # all that rounding may have moved across the k-th place are compared exactly afterwards
    slack = 1e-4 * (abs(kth_distance) + float(code @ code))
    return np.flatnonzero(rough <= kth_distance + slack)


def _entries_that_differ(codes: Float, code: Float) -> Int:
    """Count in how many entries each of the codes, (n, latent), differs from one code, (latent,):
    (n,)."""
    return np.asarray((codes != code).sum(axis=1))


def _euclid(codes: Float, code: Float) -> Float:
    """Return the Euclidean distance of each of the codes, (n, latent), from one code, (latent,):
    (n,) float64."""
    difference = codes.astype(np.float64) - code
    squares = np.einsum("ij,ij->i", difference, difference)
    return np.asarray(np.sqrt(squares))


def _by_bits(
    query_codes: Float,
    codes: Float,
    levels: int,
    k: int,
) -> list[tuple[Int, Float]]:
    """Find the k codes nearest to each query by binary codes: by how many bits differ, then by
    Euclidean distance. For each query (numbers of the codes, from 0; how many bits differ, as
    floats), (k,) each, nearest first, of equal ones the earlier code first. levels: how many values
    an entry of a discrete code has; 0 for numbers. ParamError for more than 2. query_codes:
    (queries, latent); codes: (n, latent); k: 1 .. n."""
    if levels > 2:
        raise ParamError(
            f"{option('--binary')} needs codes of numbers, or of two levels "
            f"({option('-O ')}size=2); these have {levels}"
        )
    if levels == 2:
        # codes of two levels are bits already
        rotate = np.eye(codes.shape[1])[:, :MOST_BITS]
        centre = np.full(codes.shape[1], 0.5)
    else:
        rotate, centre = rotation(codes)
    keys = packed((codes - centre) @ rotate >= 0)
    query_keys = packed((query_codes - centre) @ rotate >= 0)
    index = Index(keys, rotate.shape[1])
    neighbours = []
    for key, code in zip(query_keys, query_codes, strict=True):
        near, bits = index.nearest(key, k)
        euclid = _euclid(codes[near], code)
        # the last key counts first
        order = np.lexsort((near, euclid, bits))[:k]
        distances = bits[order].astype(np.float64)
        neighbours.append((near[order], distances))
    return neighbours


def rotation(codes: Float) -> tuple[Float, Float]:
    """Learn binary codes, (matrix, centre): the rotation after which the signs of codes keep most
    of them. The bits of codes are sign((codes - centre) @ matrix).

    codes: (n, latent), one at least. matrix: (latent, bits), with as many bits as the code has
    numbers, but at most 64, and no more than there are codes. centre: (latent,).
    """
    # evenly spaced rows: the rotation hangs on few numbers
    step = math.ceil(len(codes) / LEARNED_FROM)
    sample = codes[::step].astype(np.float64)
    centre = sample.mean(axis=0)
    _, _, rows_of_axes = np.linalg.svd(sample - centre, full_matrices=False)
    axes = rows_of_axes[:MOST_BITS].T
    components = (sample - centre) @ axes
    # any rotation will do to begin with, but always the same one
    bits = components.shape[1]
    random_matrix = np.random.default_rng(0).standard_normal((bits, bits))
    turn, _ = np.linalg.qr(random_matrix)
    for _ in range(TURNS):
        # in turns: the nearest signs to the rotated codes, then the nearest rotation to the signs
        # (orthogonal Procrustes)
        signs = np.where(components @ turn >= 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(signs.T @ components)
        turn = (left @ right).T
    return axes @ turn, centre


def packed(bits: Mask) -> Keys:
    """Each row of bits, (rows, bits), as one whole number, (rows,) uint64: column i has the value
    2^i. At most 64 bits."""
    # a bit has the place of its column
    places = np.arange(bits.shape[1], dtype=np.uint64)
    weights = np.uint64(1) << places
    set_weights = np.where(bits, weights, np.uint64(0))
    return np.asarray(set_weights.sum(axis=1, dtype=np.uint64))


class Index:
    """An index of binary codes: it looks up the query's bits, then all codes that differ in one
    bit, in two, and so on. keys: (n,), the bits of each code as one number, bit i with the value
    2^i; bits: how many a code has, at most 64."""

    def __init__(self, keys: Keys, bits: int) -> None:
        """Sort the keys, (n,) uint64, so that codes can be looked up. bits: how many a code has."""
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]
        self.bits = bits
        self._masks: list[Keys] = []

    def nearest(self, key: np.uint64, k: int) -> tuple[Int, Int]:
        """Look up the codes that are at least as near to a query as its k-th nearest, k or more in
        no particular order: (their numbers, from 0; their Hamming distances). key: the query's bits
        as one number; k: 1 .. n."""
        rows = []
        distances = []
        count = 0
        for flips in range(self.bits + 1):
            # more flips than codes: it is cheaper to look at all codes
            if math.comb(self.bits, flips) > len(self.keys):
                return self.scanned(key, k)
            # every code that differs from the query in just so many bits
            probes = self.masks(flips) ^ key
            firsts = np.searchsorted(self.keys, probes, "left")
            ends = np.searchsorted(self.keys, probes, "right")
            occurs = firsts < ends
            firsts_of_codes = firsts[occurs].tolist()
            ends_of_codes = ends[occurs].tolist()
            for first, end in zip(firsts_of_codes, ends_of_codes, strict=True):
                rows.append(self.order[first:end])
                distances.append(np.full(end - first, flips))
                count += end - first
            if count >= k:
                break
        return np.concatenate(rows), np.concatenate(distances)

    def masks(self, flips: int) -> Keys:
        """Every whole number of the code's length that has exactly `flips` bits set, (m,) uint64;
        computed once."""
        while len(self._masks) <= flips:
            count = len(self._masks)
            masks = []
            for places in itertools.combinations(range(self.bits), count):
                mask = sum(1 << place for place in places)
                masks.append(mask)
            self._masks.append(np.array(masks, dtype=np.uint64))
        return self._masks[flips]

    def scanned(self, key: np.uint64, k: int) -> tuple[Int, Int]:
        """Find the codes that are at least as near to a query as its k-th nearest, k or more, as
        `nearest` does, by comparing the query with every code: (their numbers, from 0; their
        Hamming distances), in no particular order. key: the query's bits as one number; k: 1 .. n.
        It is faster where very many bits would have to be changed."""
        # bits are counted byte by byte, by a table of 256
        differing = self.keys ^ key
        eight_bytes = differing.view(np.uint8).reshape(len(self.keys), 8)
        distances = ONES[eight_bytes].sum(axis=1, dtype=np.int64)
        kth_distance = np.partition(distances, k - 1)[k - 1]
        near = np.flatnonzero(distances <= kth_distance)
        return self.order[near], distances[near]


def _columns(
    data: object,
    rows: Int,
    names: Sequence[str],
    reading: Reading,
) -> dict[str, list[object]]:
    """Read the columns called `names` of the table `data`: by name the values of these rows, in
    their order, as Python's own numbers and texts, None for a missing text. rows: (n,), places in
    the table, from 0. reading: how its text is written, as the model has it. ParamError if data are
    no table, or have no such column; DataError if they cannot be read."""
    source = sources.open_source(data, reading)
    if not isinstance(source, TableSource):
        raise ParamError(f"{option('--id')} is for tables")
    columns: dict[str, list[object]] = {name: [None] * len(rows) for name in names}
    first = 0
    for table in source.batches():
        end = first + len(table)
        # neighbours come in the order of nearness, tables in that of the file
        in_table = (rows >= first) & (rows < end)
        pairs = np.flatnonzero(in_table)
        for name in names:
            values = cells(table, name, source.name)
            for place in pairs:
                value = values[rows[place] - first]
                # numbers and texts of Python, as JSON has them
                if isinstance(value, np.generic):
                    value = value.item()
                columns[name][place] = value
        first = end
    return columns


def write_sheet(
    path: str | os.PathLike[str],
    query: object,
    data: object,
    model: Bundle | None,
    neighbours: Neighbours,
    force: bool = False,
) -> None:
    """Write a PNG picture with one row for each query: the query, then its neighbours, nearest
    first, each in the size and colours in which the model sees pictures.

    path: of the PNG. query, data: what `similar` was called with, a path or pictures in memory;
    data may be an archive. model: None if data is an archive, which has its own. neighbours: what
    `similar` returned. force: replace a file that exists; else that is a DataError, and so are no
    queries. ParamError for tables, ArchiveError for a damaged archive.
    """
    if model is None:
        assert is_archive(data), "whoever has no archive gives a model"
        with Archive(data) as archive:
            model = archive.model
    # each query has one nearest neighbour
    queries = neighbours.query[neighbours.rank == 1] - 1
    # a sheet of no pictures has no size
    if not len(queries):
        raise DataError(f"{_name_for_messages(query)}: no records to draw")
    pictures_of_queries = _pictures(query, model, queries)
    pictures_of_neighbours = _pictures(data, model, neighbours.row - 1)
    k = len(neighbours.row) // len(queries)
    # a row of the sheet is a query and its k neighbours
    sheet = []
    for place, picture in enumerate(pictures_of_queries):
        first = place * k
        sheet.append(picture)
        sheet += pictures_of_neighbours[first : first + k]
    drawing.write_sheet(Path(path), np.stack(sheet), k + 1, force, option("--sheet"))


def _pictures(data: object, model: Bundle, numbers_asked: Int) -> list[Records]:
    """Read the wanted pictures as the model sees them: for each number in `numbers_asked`, counted
    from 0 and repeated where it is, (channels, height, width) uint8. data: a path, pictures in
    memory, or an archive of pictures. KeyError for a number that no readable picture has;
    ParamError for tables; DataError for pictures that the model does not take; ArchiveError for a
    damaged archive."""
    numbers = set(numbers_asked.tolist())
    pictures: dict[int, Records] = {}
    for first, pixels in _batches(data, model):
        for number, picture in enumerate(pixels, first):
            if number in numbers:
                pictures[number] = picture
    return [pictures[number] for number in numbers_asked.tolist()]


def _batches(data: object, model: Bundle) -> Iterator[tuple[int, Records]]:
    """Read pictures as the model sees them, from data or from an archive: yields (the number, from
    0, of the first picture of a batch; the batch, (n, channels, height, width) uint8). Pictures
    that cannot be read are left out, but counted. ParamError for tables; DataError for pictures
    that the model does not take; ArchiveError for a damaged archive."""
    if is_archive(data):
        first = 0
        with Archive(data, model) as archive:
            for pixels in archive.pieces(0, archive.rows):
                yield first, pixels
                first += len(pixels)
        return
    opened_source = sources.open_source(data, model.reading)
    source = seen_by(opened_source, model)
    if not isinstance(source, FramedSource):
        raise ParamError(f"{option('--sheet')} is for pictures")
    yield from source.numbered()
