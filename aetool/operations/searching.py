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

from aetool.bundle import Bundle
from aetool.codec.archive import Archive
from aetool.codec.contents.lossy import Lossy
from aetool.csv.dialect import Reading
from aetool.data import sources
from aetool.data.pictures.framed import FramedSource
from aetool.data.table import Mask
from aetool.data.table_source import TableSource
from aetool.errors import DataError, ParamError
from aetool.model import Float, Int, Records
from aetool.printing import in_utf8
from aetool.scoring.costing import is_archive
from aetool.scoring.inputs import inputs_of, seen_by
from aetool.spelling import option
from aetool.writing import drawing
from aetool.writing.codes import cells, encoder_of

if TYPE_CHECKING:
    import pandas as pd

QUERIES = 64  # searched at once
MOST_BITS = 64
LEARNED_FROM, TURNS = 20_000, 50  # rows and rounds of the rotation
ONES = np.array([bin(i).count("1") for i in range(256)], np.uint8)
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SearchOptions:
    """How the nearest records are looked for.

    k: how many neighbours of each query. rows: which records of the query file, from 1; empty: all.
    binary: compare learned binary codes by how many bits differ (the Hamming distance). columns:
    columns of the data to return beside each neighbour.
    """

    k: int = 10
    rows: Sequence[int] = ()
    binary: bool = False
    columns: Sequence[str] = ()
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest records of each query, nearest first, as arrays of one entry for each pair.

    query, row: (n,), the numbers of the query and of the neighbour, from 1. rank: (n,), 1 for the
    nearest. distance: (n,). beside: columns of the data, by name.
    """

    query: Int
    rank: Int
    row: Int
    distance: Float
    beside: dict[str, list[object]]

    def columns(self) -> dict[str, list[object]]:
        """The neighbours as columns by name, in the order in which they are printed."""
        integers = {"query": self.query, "rank": self.rank, "row": self.row}
        # whole numbers and texts of Python, as CSV and JSON have them
        shown = {k: v.tolist() for k, v in integers.items()}
        # six digits: what is beyond them differs between processors
        distance = [float(f"{v:.6g}") for v in self.distance.tolist()]
        return {**shown, "distance": distance, **self.beside}

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
    """Find the k records of data whose codes are nearest to the code of each query record.

    data: a table or pictures, or an archive that stores codes (by --lossy-only): its codes are
    compared without decoding a record, and its own model is used. The distance of codes is
    Euclidean; of discrete and of binary codes it is how many entries differ. Of neighbours at one
    distance the nearer by Euclidean distance, then the earlier, comes first. Binary codes of
    numbers are the signs of the code's principal components, rotated to lie near those signs
    (iterative quantisation: Gong & Lazebnik 2011); neighbours are found by changing ever more bits
    of the query's code (Salakhutdinov & Hinton 2009).
    """
    options = options or SearchOptions()
    if options.k < 1:
        raise ParamError(f"{option('-k')} must be at least 1, got {options.k}")
    codes, model, names, records = _codes_of_data(data, model, options)
    query_codes, numbers = _queries(query, model, options)
    levels = int(model.facts.get("code_levels", 0))
    k = min(options.k, len(codes))
    if not k:
        raise DataError(f"{_name(data)}: no records to search")
    if options.binary:
        nearest = _by_bits(query_codes, codes, levels, k)
    else:
        nearest = by_distance(query_codes, codes, bool(levels), k)
    rows = np.concatenate([r for r, _ in nearest])
    beside: dict[str, list[object]] = {}
    if names:
        beside["picture"] = [names[r] for r in rows]
    if options.columns:
        beside |= _columns(data, rows, options.columns, model.reading)
    return Neighbours(
        # people count records from 1
        np.repeat(numbers, k) + 1,
        np.tile(np.arange(1, k + 1), len(numbers)),
        records[rows] + 1,
        np.concatenate([d for _, d in nearest]),
        beside,
    )


def _name(data: object) -> str:
    if isinstance(data, str | os.PathLike):
        return os.fspath(data)
    return "data"


def _codes_of_data(
    data: object,
    model: Bundle | None,
    options: SearchOptions,
) -> tuple[Float, Bundle, list[str], Int]:
    """The codes of all records that are searched: (codes, the model, the records' names or [], the
    records' numbers from 0)."""
    if is_archive(data):
        if options.columns:
            raise ParamError(
                f"{option('--id')} is for tables: an archive's records are not decoded"
            )
        with Archive(data, model, options.device) as archive:
            content = archive.content
            if not isinstance(content, Lossy):
                raise ParamError(
                    f"{_name(data)}: holds no codes, being {archive.mode}; search the file itself, "
                    f"or compress it with {option('--lossy-only')}"
                )
            codes = list(content.codes(archive))
            # a code means something to its own decoder alone
            names = content.picture_names(archive)
            whole = archive.model if model is None else model
            if whole.graphs.get("decoder.onnx") != archive.model.graphs["decoder.onnx"]:
                raise ParamError(f"{_name(data)}: written by another model than {whole.name}")
            return np.concatenate(codes), whole, names, np.arange(archive.rows)
    if model is None:
        raise ParamError(f"a model is needed: give one with {option('-m')}, or set $AETOOL_MODEL")
    source = seen_by(sources.open_source(data, model.reading), model)
    session = encoder_of(model, options.device)
    codes = []
    numbers = []
    for laid in inputs_of(source, model):
        codes.append(session(laid.inputs)["z"])
        numbers.append(laid.records)
    places = np.concatenate(numbers)
    # of tables none have names
    every = list(getattr(source, "record_names", []))
    names = [in_utf8(every[place]) for place in places.tolist()] if every else []
    return np.concatenate(codes), model, names, places


def _queries(query: object, model: Bundle, options: SearchOptions) -> tuple[Float, Int]:
    """The codes of the query records that are asked for, and these records' numbers from 0."""
    source = seen_by(sources.open_source(query, model.reading), model)
    # an archive carries what restores it, and that needs no encoder
    if "encoder.onnx" not in model.graphs:
        raise ParamError(
            f"the archive holds its model's decoder alone: give the whole one with {option('-m')}"
        )
    session = model.session("encoder.onnx", options.device)
    codes = []
    numbers = []
    # from 0, as records are counted inside
    only = np.array(options.rows, dtype=np.int64) - 1
    count = 0
    for laid in inputs_of(source, model):
        keep = np.isin(laid.records, only) if len(only) else np.ones(len(laid.inputs), np.bool_)
        codes.append(session(laid.inputs[keep])["z"])
        numbers.append(laid.records[keep])
        if len(laid.records):
            count = max(count, int(laid.records[-1]) + 1)
    # a row that was asked for and is not there is said, not passed over
    missing = np.setdiff1d(only, np.concatenate(numbers))
    if len(missing):
        there = f"has records 1 .. {count}"
        if 0 <= missing[0] < count:
            there = "has a comment there"
        if isinstance(source, FramedSource) and missing[0] in source.unread:
            record = int(missing[0])
            there = f"has {in_utf8(source.title(record))} there, {source.unread[record]}"
        raise ParamError(f"{option('--row')} {missing[0] + 1}: {source.name} {there}")
    return np.concatenate(codes), np.concatenate(numbers)


def by_distance(
    query_codes: Float,
    codes: Float,
    discrete: bool,
    k: int,
) -> list[tuple[Int, Float]]:
    """Find the k codes nearest to each query by comparing all: for each query (numbers of the
    codes, distances).

    query_codes: (queries, latent). codes: (n, latent). discrete: count entries that differ, in
    place of Euclidean distance.
    """
    # |c - q|^2 = |c|^2 - 2 c q + |q|^2, of which the last is the same for all c
    norms = np.einsum("ij,ij->i", codes, codes)
    neighbours = []
    for first in range(0, len(query_codes), QUERIES):
        queries = query_codes[first : first + QUERIES]
        if discrete:
            distances = np.stack([(codes != code).sum(axis=1) for code in queries])
        else:
            # one product of matrices for many queries, and rough: it cancels for near codes
            distances = norms - 2 * queries @ codes.T
        for code, rough in zip(queries, distances, strict=True):
            most = np.partition(rough, k - 1)[k - 1]  # rounding is made good below
            # all that rounding may have moved across the k-th place are compared exactly
            near = np.flatnonzero(rough <= most + 1e-4 * (abs(most) + float(code @ code)))
            exact = (codes[near] != code).sum(axis=1) if discrete else _euclid(codes[near], code)
            # the last key counts first: distance, then the earlier row
            order = np.lexsort((near, exact))[:k]
            neighbours.append((near[order], exact[order].astype(np.float64)))
    return neighbours


def _euclid(codes: Float, code: Float) -> Float:
    difference = codes.astype(np.float64) - code
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", difference, difference)))


def _by_bits(query_codes: Float, codes: Float, levels: int, k: int) -> list[tuple[Int, Float]]:
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
    keys, query_keys = (packed((v - centre) @ rotate >= 0) for v in (codes, query_codes))
    index = Index(keys, rotate.shape[1])
    neighbours = []
    for key, code in zip(query_keys, query_codes, strict=True):
        near, distances = index.nearest(key, k)
        order = np.lexsort((near, _euclid(codes[near], code), distances))[:k]
        neighbours.append((near[order], distances[order].astype(np.float64)))
    return neighbours


def rotation(codes: Float) -> tuple[Float, Float]:
    """Learn the rotation by which signs say most about codes: (matrix, centre) with bits
    sign((codes - centre) @ matrix).

    codes: (n, latent). matrix: (latent, bits). centre: (latent,).
    """
    # evenly spaced rows: the rotation hangs on few numbers
    few = codes[:: -(-len(codes) // LEARNED_FROM)].astype(np.float64)
    centre = few.mean(axis=0)
    _, _, axes = np.linalg.svd(few - centre, full_matrices=False)
    axes = axes[:MOST_BITS].T
    v = (few - centre) @ axes
    # any rotation will do to begin with, but always the same one
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((v.shape[1],) * 2))
    for _ in range(TURNS):
        # in turns: the nearest signs to the rotated codes, then the nearest rotation to the signs
        # (orthogonal Procrustes)
        signs = np.where(v @ turn >= 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(signs.T @ v)
        turn = (left @ right).T
    return axes @ turn, centre


def packed(bits: Mask) -> Keys:
    """Each row of bits, (rows, bits), as one whole number, (rows,) uint64."""
    # a bit has the place of its column
    weights = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    return np.asarray(np.where(bits, weights, np.uint64(0)).sum(axis=1, dtype=np.uint64))


class Index:
    """An index of binary codes: it looks up the query's bits, then all codes that differ in one
    bit, in two, and so on."""

    def __init__(self, keys: Keys, bits: int) -> None:
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]
        self.bits = bits
        self._masks: list[Keys] = []

    def nearest(self, key: np.uint64, k: int) -> tuple[Int, Int]:
        """The codes at least as near as the k-th nearest one: (their numbers, their Hamming
        distances)."""
        rows = []
        far = []
        count = 0
        for flips in range(self.bits + 1):
            # more flips than codes: it is cheaper to look at all codes
            if math.comb(self.bits, flips) > len(self.keys):
                return self.scanned(key, k)
            # every code that differs from the query in just so many bits
            probes = self.masks(flips) ^ key
            low, high = (np.searchsorted(self.keys, probes, side) for side in ("left", "right"))
            for a, b in zip(low[low < high].tolist(), high[low < high].tolist(), strict=True):
                rows.append(self.order[a:b])
                far.append(np.full(b - a, flips))
                count += b - a
            if count >= k:
                break
        return np.concatenate(rows), np.concatenate(far)

    def masks(self, flips: int) -> Keys:
        """Every whole number of the code's length that has exactly `flips` bits set."""
        while len(self._masks) <= flips:
            bits_set = itertools.combinations(range(self.bits), len(self._masks))
            masks = [sum(1 << b for b in places) for places in bits_set]
            self._masks.append(np.array(masks, dtype=np.uint64))
        return self._masks[flips]

    def scanned(self, key: np.uint64, k: int) -> tuple[Int, Int]:
        """The same result as `nearest`, by comparing the query with every code: faster where very
        many bits would have to be changed."""
        # bits are counted byte by byte, by a table of 256
        flat = (self.keys ^ key).view(np.uint8).reshape(len(self.keys), 8)
        far = ONES[flat].sum(axis=1, dtype=np.int64)
        near = np.flatnonzero(far <= np.partition(far, k - 1)[k - 1])
        return self.order[near], far[near]


def _columns(
    data: object,
    rows: Int,
    names: Sequence[str],
    reading: Reading,
) -> dict[str, list[object]]:
    source = sources.open_source(data, reading)
    if not isinstance(source, TableSource):
        raise ParamError(f"{option('--id')} is for tables")
    columns: dict[str, list[object]] = {n: [None] * len(rows) for n in names}
    first = 0
    for table in source.batches():
        # neighbours come in the order of nearness, tables in that of the file
        wanted = np.flatnonzero((rows >= first) & (rows < first + len(table)))
        for name in names:
            values = cells(table, name, source.name)
            for i in wanted:
                value = values[rows[i] - first]
                columns[name][i] = value.item() if isinstance(value, np.generic) else value
        first += len(table)
    return columns


def write_sheet(
    path: str | os.PathLike[str],
    query: object,
    data: object,
    model: Bundle | None,
    neighbours: Neighbours,
    force: bool = False,
) -> None:
    """Write one picture that shows each query and, beside it, its neighbours, as the model sees
    them.

    model: None if data is an archive, which has its own.
    """
    if model is None:
        assert is_archive(data), "whoever has no archive gives a model"
        with Archive(data) as archive:
            model = archive.model
    asked = neighbours.query[neighbours.rank == 1] - 1
    left = _pictures(query, model, asked)
    right = _pictures(data, model, neighbours.row - 1)
    k = len(neighbours.row) // len(asked)
    # a row of the sheet is a query and its k neighbours
    rows = [p for i in range(len(asked)) for p in (left[i], *right[i * k : (i + 1) * k])]
    drawing.write_sheet(Path(path), np.stack(rows), k + 1, force)


def _pictures(data: object, model: Bundle, wanted: Int) -> list[Records]:
    """Read the wanted pictures, (channels, height, width) each. wanted: their numbers from 0."""
    numbers = set(wanted.tolist())
    pictures: dict[int, Records] = {}
    for first, pixels in _batches(data, model):
        for number, picture in enumerate(pixels, first):
            if number in numbers:
                pictures[number] = picture
    return [pictures[number] for number in wanted.tolist()]


def _batches(data: object, model: Bundle) -> Iterator[tuple[int, Records]]:
    """Read pictures as the model sees them, from data or from an archive: yields (number of the
    first, from 0; a batch)."""
    if is_archive(data):
        first = 0
        with Archive(data, model) as archive:
            for pixels in archive.pieces(0, archive.rows):
                yield first, pixels
                first += len(pixels)
        return
    source = seen_by(sources.open_source(data, model.reading), model)
    if not isinstance(source, FramedSource):
        raise ParamError(f"{option('--sheet')} is for pictures")
    yield from source.numbered()
