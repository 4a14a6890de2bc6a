"""The arrays of an .npy or .npz file, of any simple type and number of dimensions.

Arrays of as many rows each, in one or two dimensions, are one table: a block holds rows of all of
them. Of others every block belongs to one array, and blocks follow the order of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from aetool.canonical import Json
from aetool.codec import attribution, blocks, ways
from aetool.codec.blocks import Block
from aetool.codec.columns import Coded
from aetool.codec.contents.content import BOUNDED, LOSSLESS, Content, cut
from aetool.codec.contents.labels import Bounding, labels_of
from aetool.codec.ledger import Costs, Ledger
from aetool.codec.natives import books, tensors
from aetool.codec.natives.tensors import Tensor
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import array_files
from aetool.data.array_files import ArrayFile, Member
from aetool.data.arrow_files import UnsuitedError
from aetool.errors import ArchiveError, DataError
from aetool.model import Array, Int
from aetool.spelling import option

if TYPE_CHECKING:
    import pandas as pd

    from aetool.codec.archive import Archive

MOST_COLUMNS = 4096  # of a table of arrays
Bounds = Sequence[Fraction | None]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of some arrays of a file. first: the number of the first of them in the archive; parts:
    for each array its place in the file and its rows."""

    first: int
    parts: list[tuple[int, Array]]

    def __len__(self) -> int:
        return len(self.parts[0][1])


class ArrayContent(Content):
    """The arrays of a file, in their order. joint: whether they are the columns of one table.

    source, effort, bounding (the largest error allowed by column): only for writing.
    """

    name = "arrays"
    kind = "array"

    def __init__(self, mode: str, format: dict[str, Json], arrays: list[Tensor], joint: bool):
        super().__init__(mode, format)
        self.arrays = arrays
        self.joint = joint
        self.source: ArrayFile | None = None
        self.effort = Effort()
        self.bounding = Bounding([], [])
        self._values: dict[int, Array] = {}

    @classmethod
    def of_source(
        cls,
        source: ArrayFile,
        format: dict[str, Json],
        effort: Effort,
        bounds: Bounds | None,
    ) -> ArrayContent:
        """The content to write a source by; UnsuitedError if a type of its arrays cannot be stored
        natively. bounds: for each column label the largest error, None for exact; None: all are
        exact."""
        arrays = []
        values: dict[int, Array] = {}
        for place, member in enumerate(source.members):
            tensor = tensor_of(member)
            values[place] = source.array(place)
            arrays.append(tensors.laid_out(tensor, values[place], bounds is not None))
        joint = are_joint(arrays)
        content = cls(LOSSLESS if bounds is None else BOUNDED, format, arrays, joint)
        content.source = source
        content.effort = effort
        content._values = values
        labels = column_labels(source)
        content.bounding = Bounding(labels, bounds or [None] * len(labels))
        return content

    def header(self) -> dict[str, Json]:
        described = [tensor.to_json() for tensor in self.arrays]
        joint = {"joint": True} if self.joint else {}
        return {**super().header(), "arrays": described, **joint}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> ArrayContent:
        arrays = [Tensor.from_json(described) for described in header["arrays"]]
        joint = bool(header.get("joint", False))
        if joint and not are_joint(arrays):
            raise ValueError("its arrays are not one table")
        return cls(str(header["mode"]), dict(header["format"]), arrays, joint)

    @property
    def fidelity(self) -> str:
        return "values" if self.mode == LOSSLESS else self.mode

    def names(self, archive: Archive) -> list[str]:
        return [name for names in self._column_names() for name in names]

    def _column_names(self) -> list[list[str]]:
        alone = len(self.arrays) == 1
        return [tensor.column_names(alone) for tensor in self.arrays]

    def owners(self, block: Block) -> list[int]:
        """For each column of a block the place, among `names`, of the array's column that it is
        part of."""
        owners: list[int] = []
        before = 0
        widths = [len(names) for names in self._column_names()]
        inside = range(len(self.arrays)) if self.joint else [self._array_at(block.first)]
        for place, tensor in enumerate(self.arrays):
            if place in inside:
                parts = tensors.parts_of(tensor)
                for column in range(tensor.columns):
                    owners += [before + min(column, widths[place] - 1)] * parts
            before += widths[place]
        return owners

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        attribution.share_blobs(ledger, block.columns)
        return ledger.costs(
            self.names(archive), self.owners(block), int(block.words.get("each", 1))
        )

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        piece = self.decode(archive, block, slice(0, block.rows), None)
        widths = [len(names) for names in self._column_names()]
        # of an array that has no rows in this block
        by_array = [[[""] * len(rows) for _ in range(width)] for width in widths]
        for place, values in piece.parts:
            chosen = values[rows].reshape(len(rows), -1)
            if chosen.shape[1] == widths[place]:
                by_array[place] = [[str(value) for value in column] for column in chosen.T]
            else:
                # rows that are pictures or matrices are one column
                by_array[place] = [[f"{chosen.shape[1]} values"] * len(rows)] * widths[place]
        return [column for columns in by_array for column in columns]

    # ---- which rows are whose

    def _array_at(self, row: int) -> int:
        """The place of the array that a row of the archive belongs to, if arrays are not joint."""
        for place, tensor in enumerate(self.arrays):
            if row < tensor.rows:
                return place
            row -= tensor.rows
        raise ArchiveError("damaged: a block of no array")

    def _rows_of_all(self) -> int:
        if self.joint:
            return self.arrays[0].rows
        return sum(tensor.rows for tensor in self.arrays)

    # ---- writing

    def items(self) -> Iterator[Rows]:
        row = 0
        if self.joint:
            whole = list(range(len(self.arrays)))
            yield from self._items_of(whole, row)
            return
        for place, tensor in enumerate(self.arrays):
            yield from self._items_of([place], row)
            row += tensor.rows

    def _items_of(self, places: list[int], row: int) -> Iterator[Rows]:
        """Yield the rows of the arrays at these places, which have equally many rows, cut into
        blocks. row: the number of their first row in the archive."""
        step = min(tensors.rows_a_block(self.arrays[place]) for place in places)
        total = self.arrays[places[0]].rows
        for first in range(0, total, step):
            last = min(total, first + step)
            parts = []
            for place in places:
                tensor = self.arrays[place]
                parts.append((place, tensors.rows_of(tensor, self._values[place], first, last)))
            yield Rows(row + first, parts)

    def encode(self, item: Rows, hints: Hints) -> list[Encoded]:
        coded: list[Coded] = []
        by_label: list[list[Coded]] = [[] for _ in self.bounding.labels]
        for place, values in item.parts:
            tensor = self.arrays[place]
            before = self._first_label(place)
            bounds = self.bounding.bounds[before : before + tensor.bounds]
            columns = tensors.encode(tensor, values, bounds)
            coded += columns
            for number, column in enumerate(columns):
                by_label[before + min(number, tensor.bounds - 1)].append(column)
        if len(coded) <= tensors.ALIKE:  # of more, one plan is for many
            books.offer(coded, self.effort)
            ways.offer(coded, self.effort)
        each, period = self._shape_of_block(item.parts[0][0])
        words = {} if each == 1 else {"each": each}
        count = len(item) * each
        if count > 0 and len(item.parts) > 1:
            period = 0
        content, payload, after = blocks.encode(
            coded, count, words, self.effort, hints, period=period
        )
        errors, squares = self.bounding.errors_of(by_label)
        return [Encoded(len(item), content, payload, after, errors, squares=squares)]

    def _shape_of_block(self, place: int) -> tuple[int, int]:
        """(how many cells of a column one row has, at what distance columns are alike) of the array
        at this place."""
        tensor = self.arrays[place]
        return tensors.cells_of(tensor, 1), tensors.period_of(tensor)

    def _first_label(self, place: int) -> int:
        return sum(tensor.bounds for tensor in self.arrays[:place])

    def size_of(self, item: Rows) -> int:
        return sum(values.nbytes for _, values in item.parts)

    def bytes_of(self, piece: Rows) -> int:
        return self.size_of(piece)

    @property
    def bounded(self) -> Sequence[str]:
        return self.bounding.bounded

    def compare(self, archive: Archive) -> None:
        stored = archive.pieces(0, archive.rows)
        for item in self.items():
            again = next(stored, None)
            if again is None or len(again) != len(item):
                raise self.differs("the number of rows")
            for (place, before), (_, after) in zip(item.parts, again.parts, strict=True):
                tensor = self.arrays[place]
                first = self._first_label(place)
                bounds = self.bounding.bounds[first : first + tensor.bounds]
                if not tensors.agree(tensor, before, after, bounds):
                    raise self.differs(f"array '{tensor.name}'")
        if next(stored, None) is not None:
            raise self.differs("the number of rows")

    # ---- reading

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> Rows:
        if wanted is not None:
            self.places(archive, wanted)
        places = list(range(len(self.arrays))) if self.joint else [self._array_at(block.first)]
        each, _ = self._shape_of_block(places[0])
        if block.words.get("each", 1) != each:
            raise archive.reader.damaged("a block has not the shape of its array")
        parts = []
        columns = block.columns
        for place in places:
            tensor = self.arrays[place]
            count = tensor.columns * tensors.parts_of(tensor)
            values = tensors.decode(tensor, columns[:count], block.rows)
            parts.append((place, values[inside]))
            columns = columns[count:]
        if columns:
            raise archive.reader.damaged("a block has more columns than its arrays")
        return Rows(block.first + inside.start, parts)

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[Rows]:
        self._check_rows(archive)
        if (first, last) != (0, archive.rows):
            self._check_has_rows(str(archive.reader.path))
        yield from super().pieces(archive, first, last, wanted)

    def _check_rows(self, archive: Archive) -> None:
        """Raise ArchiveError unless the archive has as many rows as its arrays, before memory is
        taken for the size that the header claims. A lenient archive may have fewer."""
        if archive.rows != self._rows_of_all() and not archive.lenient:
            raise archive.reader.damaged("its blocks have not the rows of its arrays")

    def _check_has_rows(self, name: str) -> None:
        """Raise DataError if single rows cannot be asked for, as arrays have different numbers of
        them."""
        if not self.joint and (len(self.arrays) != 1 or self.arrays[0].lead != 1):
            raise DataError(
                f"{name}: holds arrays of different lengths: {option('--rows')} cannot be used"
            )

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        self._check_rows(archive)
        pieces = archive.pieces(first, last, wanted)
        with array_files.written(file, self._format) as writer:
            for member, parts in self._members(archive, pieces, last - first):
                writer.add(member, parts)

    def restore_own(
        self,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None,
    ) -> None:
        """Write rows first:last of the source to a file, as `restore` writes those of an archive:
        to compare both. wanted: not used."""
        with array_files.written(file, self._format) as writer:
            for member, parts in self._restored(self._own(first, last), last - first):
                writer.add(member, parts)

    def rows_own(self) -> int:
        """How many rows the source has."""
        return self._rows_of_all()

    def frame_own(self, first: int, last: int) -> pd.DataFrame | Array | Json:
        """Rows first:last of the source in the form that `frame` has for those of an archive: a
        DataFrame, an array, or arrays by name."""
        return self._gathered(self._restored(self._own(first, last), last - first))

    def _own(self, first: int, last: int) -> Iterator[Rows]:
        if (first, last) != (0, self._rows_of_all()) and self.source is not None:
            self._check_has_rows(self.source.name)
        # slices of what the source has: nothing is copied
        for item, inside in cut(self.items(), first, last):
            parts = [(place, values[inside]) for place, values in item.parts]
            yield Rows(item.first + inside.start, parts)

    def _members(
        self,
        archive: Archive,
        pieces: Iterator[Rows],
        rows: int,
    ) -> Iterator[tuple[Member, Iterator[Array]]]:
        """Yield each array with its values, part by part; of a lenient archive what is left of
        them."""
        if archive.lenient:
            return self._recovered(pieces)
        return self._restored(pieces, rows)

    def _restored(
        self,
        pieces: Iterator[Rows],
        rows: int,
    ) -> Iterator[tuple[Member, Iterator[Array]]]:
        """Yield each array with its values, part by part, as the pieces come; joint arrays only
        once all pieces are read."""
        members = [self._member(tensor, rows) for tensor in self.arrays]
        if len(members) == 1:
            yield members[0], (values for piece in pieces for _, values in piece.parts)
            return
        if self.joint:
            # the file has one array behind the other, the archive all of them side by side
            gathering = [array_files.Gathering(member) for member in members]
            for piece in pieces:
                for place, values in piece.parts:
                    gathering[place].add(values)
            for member, gathered in zip(members, gathering, strict=True):
                yield member, iter([gathered.whole])
            return
        for member, tensor in zip(members, self.arrays, strict=True):
            yield member, _taken(pieces, tensor.rows)

    def _recovered(self, pieces: Iterator[Rows]) -> Iterator[tuple[Member, Iterator[Array]]]:
        """Yield each array of a damaged archive with its values; its shape has only the rows that
        could be read."""
        rows: list[list[Array]] = [[] for _ in self.arrays]
        for piece in pieces:
            for place, values in piece.parts:
                rows[place].append(values)
        for tensor, parts in zip(self.arrays, rows, strict=True):
            left = sum(len(part) for part in parts)
            shape = tensor.shape
            if left != tensor.rows:
                shape = (left, *tensor.row_shape)
            dtype = np.dtype(tensor.dtype)
            yield Member(tensor.name, dtype, shape, tensor.fortran, 0), iter(parts)

    def _member(self, tensor: Tensor, rows: int) -> Member:
        shape = tensor.shape
        if rows != self._rows_of_all() and shape:
            shape = (rows, *shape[1:])
        dtype = np.dtype(tensor.dtype)
        return Member(tensor.name, dtype, shape, tensor.fortran, 0)

    def frame(self, archive: Archive, first: int, last: int) -> pd.DataFrame | Array | Json:
        self._check_rows(archive)
        pieces = archive.pieces(first, last)
        return self._gathered(self._members(archive, pieces, last - first))

    def _gathered(
        self, members: Iterator[tuple[Member, Iterator[Array]]]
    ) -> pd.DataFrame | Array | Json:
        arrays = {}
        for member, parts in members:
            arrays[member.name] = array_files.gathered(member, parts)
        if self.joint:
            return array_files.frame_of(self._column_names(), list(arrays.values()))
        if len(arrays) == 1:
            return next(iter(arrays.values()))
        return arrays


def _taken(pieces: Iterator[Rows], rows: int) -> Iterator[Array]:
    """Yield the values of the next pieces until they are `rows` rows; ArchiveError if there are
    fewer."""
    while rows > 0:
        piece = next(pieces, None)
        if piece is None:
            raise ArchiveError("damaged: an array is cut short")
        yield piece.parts[0][1]
        rows -= len(piece)


def tensor_of(member: Member) -> Tensor:
    """The type and shape of a file's array; UnsuitedError for a type that cannot be stored
    natively."""
    reason = tensors.reason_against(member.dtype)
    if reason is not None:
        raise UnsuitedError(f"array '{member.name}': {reason}")
    return Tensor(member.name, member.dtype.str, member.shape, member.fortran)


def are_joint(arrays: Sequence[Tensor]) -> bool:
    """Whether arrays are stored as one table: all of one or two dimensions, with the same number of
    rows, not 0, and at most MOST_COLUMNS columns together."""
    columns = 0
    for tensor in arrays:
        flat = len(tensor.shape) == 1 or (len(tensor.shape) == 2 and tensor.axes == (1,))
        if not flat or tensor.rows != arrays[0].rows or not tensor.rows:
            return False
        columns += tensor.columns
    return 0 < columns <= MOST_COLUMNS


def column_labels(source: ArrayFile) -> list[str]:
    """The names by which --max-error refers to what has a bound: each column of a table, else each
    array."""
    alone = len(source.members) == 1
    names: list[str] = []
    for member in source.members:
        names += tensor_of(member).column_names(alone)
    return labels_of(names)


def ends_of(source: ArrayFile) -> list[tuple[Fraction, Fraction] | None]:
    """For each of the column labels the (smallest, largest) finite number; None if there is
    none."""
    ends: list[tuple[Fraction, Fraction] | None] = []
    for place, member in enumerate(source.members):
        ends += tensors.ends(tensor_of(member), source.array(place))
    return ends
