"""The arrays of an .npy or .npz file, of any simple type and number of dimensions.

Arrays of as many rows each, in one or two dimensions, are one table: a block holds rows of all of
them. Of others every block belongs to one array, and blocks follow the order of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from aetool.canonical import Json
from aetool.codec import attribution, blocks, planning, ways
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
from aetool.model import Array, Float, Int
from aetool.spelling import option

if TYPE_CHECKING:
    import pandas as pd

    from aetool.codec.archive import Archive

MOST_COLUMNS = 4096  # of a table of arrays
Bounds = Sequence[Fraction | None]
MembersWithValues = Iterator[tuple[Member, Iterator[Array]]]


@dataclass(frozen=True, eq=False)
class Rows:
    """Successive rows of some arrays of a file, as one item of an archive. first: the number of its
    first row in the archive, from 0; parts: for each array (its position in the file, from 0, its
    rows, (rows, *row_shape)), all with equally many rows; at least one."""

    first: int
    parts: list[tuple[int, Array]]

    def __len__(self) -> int:
        """How many rows the item has: those of each of its arrays."""
        return len(self.parts[0][1])


class ArrayContent(Content):
    """The arrays of a file, in their order. mode: LOSSLESS or BOUNDED; format: how the file was
    written. joint: whether they are the columns of one table, and a block holds rows of all of
    them.

    source, effort, bounding (the largest error allowed by column label): only for writing.
    """

    name = "arrays"
    kind = "array"
    has_residuals: ClassVar[bool] = False  # whether floats of some array are extrapolated

    def __init__(
        self,
        mode: str,
        format: dict[str, Json],
        arrays: list[Tensor],
        joint: bool,
    ) -> None:
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
        """The content by which a file of arrays is written to an archive: an ArrayContent, or an
        ExtrapolatedArrays if floats are stored as residuals. UnsuitedError if a type of its arrays
        cannot be stored natively. bounds: for each label of `column_labels`, in order, the largest
        error, None for exact; None: all are exact. format: how the source was written, for the
        header; effort: how far to search for a small encoding. All values are read: ValueError,
        OSError, BadZipFile or zlib.error if the file cannot be."""
        is_bounded = bounds is not None
        arrays = []
        values: dict[int, Array] = {}
        for place, member in enumerate(source.members):
            tensor = tensor_of(member)
            values[place] = source.array(place)
            # which axes are columns is chosen once, for all blocks
            laid_out = tensors.laid_out(
                tensor,
                values[place],
                bounded=is_bounded,
                extrapolated=effort.extrapolates,
            )
            arrays.append(laid_out)
        mode = BOUNDED if is_bounded else LOSSLESS
        # earlier programs cannot read residuals, and refuse the other version
        are_residuals = any(tensor.orders for tensor in arrays)
        kind = ExtrapolatedArrays if are_residuals else cls
        content = kind(mode, format, arrays, are_joint(arrays))
        content.source = source
        content.effort = effort
        content._values = values
        labels = column_labels(source)
        bounds_of_labels = bounds or [None] * len(labels)
        content.bounding = Bounding(labels, bounds_of_labels)
        return content

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "arrays", a
        description of each (its name, dtype, shape and layout), and "joint", True, if they are one
        table."""
        header = super().header()
        header["arrays"] = [tensor.to_json() for tensor in self.arrays]
        # only where it is true
        if self.joint:
            header["joint"] = True
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> ArrayContent:
        """The content of a header, for reading; ArchiveError, ValueError, KeyError or TypeError if
        the header is none of arrays, if some of them are extrapolated, in this class, or none in
        ExtrapolatedArrays, and if they cannot be the one table that it says."""
        arrays = [Tensor.from_json(described) for described in header["arrays"]]
        joint = bool(header.get("joint", False))
        # the header of a damaged archive may hold anything
        are_residuals = any(tensor.orders for tensor in arrays)
        if are_residuals != cls.has_residuals:
            raise ValueError("its version is not that of its arrays")
        if joint and not are_joint(arrays):
            raise ValueError("its arrays are not one table")
        mode = str(header["mode"])
        format = dict(header["format"])
        return cls(mode, format, arrays, joint)

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back: "values", all values though not every byte of the
        file, or "bounded"."""
        if self.mode == LOSSLESS:
            return "values"
        return self.mode

    def names(self, archive: Archive) -> list[str]:
        """The names of the columns of all arrays, one array after the other, in the order of the
        file; an array that is no table is one column. archive: not used."""
        return list(chain.from_iterable(self._column_names()))

    def _column_names(self) -> list[list[str]]:
        """For each array, in order, the names of its columns, see Tensor.column_names: of one of
        two axes "c1", "c2" ... if it is alone or called X, else "x_1", "x_2" ... if it is called x,
        but only the first of these, for all columns, where there are more than 4,096 or none; of
        any other array its own name alone."""
        # columns of the only array need not name it
        alone = len(self.arrays) == 1
        return [tensor.column_names(alone) for tensor in self.arrays]

    def owners(self, block: Block) -> list[int]:
        """For each column of a block the place, among `names`, of the array's column that it is
        part of. ArchiveError for a block behind the last array."""
        owners: list[int] = []
        # columns of the arrays before this one
        before = 0
        inside = self._places_in(block)
        for place, names in enumerate(self._column_names()):
            if place in inside:
                tensor = self.arrays[place]
                # what has one name alone is its only column to the reader
                last = len(names) - 1
                for column in range(tensor.columns):
                    owner = before + min(column, last)
                    owners += [owner] * tensors.parts_of(tensor)
            before += len(names)
        return owners

    def _places_in(self, block: Block) -> list[int]:
        """The places of the arrays, in the file from 0, that a block has rows of: all, or, if they
        are not joint, one. ArchiveError for a block behind the last array."""
        if self.joint:
            return list(range(len(self.arrays)))
        return [self._array_with_row(block.first)]

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """The bits of each row, by the column names that `names` lists. archive: of which the block
        is; ledger: filled by the block's decoding; what blobs take is moved in it, in place, from
        overhead to the cells that they are of: to be called once for each decoding. ArchiveError
        for blobs that are damaged, or a block of no array."""
        # the bits of blobs, such as compressed texts, are shared among the cells in them
        attribution.share_blobs(ledger, block.columns)
        names = self.names(archive)
        owners = self.owners(block)
        cells_a_row = int(block.words.get("each", 1))
        return ledger.costs(names, owners, cells_a_row)

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column of `names` the cells of these rows, as text to be shown: a value, "12
        values" where a row of an array has several in one column, "" for arrays of which the block
        has no rows. archive: of which the block is; rows: (n,), at least one, numbers of rows
        within the block, from 0. ArchiveError for a damaged block."""
        every_row = slice(0, block.rows)
        piece = self.decode(archive, block, every_row, None)
        values_of = dict(piece.parts)
        count = len(rows)
        cells: list[list[str]] = []
        for place, names in enumerate(self._column_names()):
            # of an array that has no rows in this block
            if place not in values_of:
                cells += [[""] * count for _ in names]
                continue
            chosen = values_of[place][rows]
            flat = chosen.reshape(count, -1)
            _, size = flat.shape
            if size == len(names):
                for column in flat.T:
                    cells.append([str(value) for value in column])
            else:
                # rows that are pictures or matrices are one column
                cells += [[f"{size} values"] * count for _ in names]
        return cells

    def numbers(self, archive: Archive, block: Block) -> list[Float | None]:
        """For each column of `names` its numbers, (rows,) float64, of all rows of a block of the
        archive; None for what is no integer or float, for rows of several values in one column, and
        for arrays that the block has no rows of. ArchiveError for a damaged block."""
        piece = self.decode(archive, block, slice(0, block.rows), None)
        values_of = dict(piece.parts)
        numbers: list[Float | None] = []
        for place, names in enumerate(self._column_names()):
            values = values_of.get(place)
            if values is None or values.dtype.kind not in "iuf":
                numbers += [None] * len(names)
                continue
            size = math.prod(values.shape[1:])
            # rows that are pictures or matrices are one column
            if size != len(names):
                numbers += [None] * len(names)
                continue
            flat = values.reshape(len(values), size).astype(np.float64)
            numbers += list(flat.T)
        return numbers

    # ---- which rows are whose

    def _array_with_row(self, row: int) -> int:
        """The position, in the file, of the array that contains row number `row` of the archive,
        whose rows are those of its arrays one after the other (arrays that are not joint).
        ArchiveError if it is behind the last array."""
        for place, tensor in enumerate(self.arrays):
            if row < tensor.rows:
                return place
            row -= tensor.rows
        raise ArchiveError("damaged: a block of no array")

    def _row_count(self) -> int:
        """How many rows the archive has if it is complete, by the shapes of its arrays: those of
        one if they are joint, else of all together."""
        if self.joint:
            return self.arrays[0].rows
        return sum(tensor.rows for tensor in self.arrays)

    # ---- writing

    def items(self) -> Iterator[Rows]:
        """Yield the rows of all arrays, as many as a block holds: of joint ones side by side, else
        one array after the other; an array without values (an axis of length 0) has no item."""
        if self.joint:
            places = list(range(len(self.arrays)))
            yield from self._items_of_arrays(places, 0)
            return
        row = 0
        for place, tensor in enumerate(self.arrays):
            yield from self._items_of_arrays([place], row)
            row += tensor.rows

    def _items_of_arrays(self, places: list[int], row: int) -> Iterator[Rows]:
        """Yield the rows of the arrays at these places, which have equally many rows, cut into
        blocks. row: the number of their first row in the archive."""
        arrays = [self.arrays[place] for place in places]
        # as many rows as the array with the longest ones can have in a block
        step = min(tensors.rows_a_block(tensor) for tensor in arrays)
        total = arrays[0].rows
        for first in range(0, total, step):
            last = min(total, first + step)
            parts = []
            for place, tensor in zip(places, arrays, strict=True):
                values = self._values[place]
                rows = tensors.rows_of(tensor, values, first, last)
                parts.append((place, rows))
            yield Rows(row + first, parts)

    def encode(self, item: Rows, hints: Hints) -> list[Encoded]:
        """Encode an item, rows of arrays as `items` yields them, as one block, within the bounds of
        their columns; returns a list of it alone, which has the errors by column label. Other ways
        to store the columns are tried where they are at most ALIKE (64), and none holds residuals.
        hints: of the block before. ArchiveError for texts of more bytes than a block may have, or a
        bound that could not be kept."""
        coded, by_label = self._encode_rows(item)
        # dictionaries of values and other ways pay for values that repeat, which residuals do not,
        # and for columns that are looked at one by one, not by a plan that many share
        are_residuals = any(self.arrays[place].orders for place, _ in item.parts)
        if len(coded) <= tensors.ALIKE and not are_residuals:
            books.offer(coded, self.effort)
            ways.offer(coded, self.effort)
        effort = self.effort
        # a user's own choice of effort stays
        if are_residuals and effort == planning.DEFAULT:
            effort = tensors.OF_RESIDUALS
        first_place, _ = item.parts[0]
        cells_a_row, period = self._cells_and_period(first_place)
        words: dict[str, Json] = {}
        # left out where it is 1, as it is of tables
        if cells_a_row != 1:
            words["each"] = cells_a_row
        count = len(item) * cells_a_row
        # the period, after which alike columns come again, is that of one array: columns of several
        # are not alike
        if count > 0 and len(item.parts) > 1:
            period = 0
        content, payload, after = blocks.encode(
            coded,
            count,
            words,
            effort,
            hints,
            period=period,
            watched=True,  # tells how many columns are done
        )
        errors, squares = self.bounding.errors_of(by_label)
        encoded = Encoded(
            len(item),
            content,
            payload,
            after,
            errors,
            squares=squares,
        )
        return [encoded]

    def _encode_rows(self, item: Rows) -> tuple[list[Coded], list[list[Coded]]]:
        """Encode the rows of an item: (the columns of a block of these rows, in order; the same
        columns, for each column label, as one label may have several, or none here). ArchiveError
        for texts of more bytes than a block may have, or a bound that could not be kept."""
        coded: list[Coded] = []
        by_label: list[list[Coded]] = [[] for _ in self.bounding.labels]
        for place, values in item.parts:
            tensor = self.arrays[place]
            bounds = self._bounds_of(place)
            columns = tensors.encode(tensor, values, bounds)
            coded += columns
            first_label = self._first_label(place)
            # an array with one bound has it for all of its columns
            last = tensor.bounds - 1
            for number, column in enumerate(columns):
                label = first_label + min(number, last)
                by_label[label].append(column)
        return coded, by_label

    def _cells_and_period(self, place: int) -> tuple[int, int]:
        """How the array at the position `place`, from 0, is laid out in a block: (how many cells of
        each column belong to one row; after how many columns the next one of the same kind comes, 0
        for never)."""
        tensor = self.arrays[place]
        return tensors.cells_of(tensor, 1), tensors.period_of(tensor)

    def _first_label(self, place: int) -> int:
        """The number, from 0, of the first column label of the array at this place."""
        return sum(tensor.bounds for tensor in self.arrays[:place])

    def _bounds_of(self, place: int) -> Bounds:
        """The error bounds of the array at this place, from 0: one for each of its columns, or a
        single one for all; None for exact."""
        first = self._first_label(place)
        last = first + self.arrays[place].bounds
        return self.bounding.bounds[first:last]

    def size_of(self, item: Rows) -> int:
        """How many bytes the rows of an item take in numpy's memory."""
        return sum(values.nbytes for _, values in item.parts)

    def bytes_of(self, piece: Rows) -> int:
        """How many bytes a piece, restored rows, takes in numpy's memory."""
        return self.size_of(piece)

    @property
    def bounded(self) -> Sequence[str]:
        """The labels of the columns that have a bound."""
        return self.bounding.bounded

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError unless the archive restores as many
        rows, bit for bit or within their bounds."""
        stored = archive.pieces(0, archive.rows)
        for item in self.items():
            restored = next(stored, None)
            if restored is None or len(restored) != len(item):
                raise self.differs("the number of rows")
            # both are cut alike: an item became one block
            pairs = zip(item.parts, restored.parts, strict=True)
            for (place, before), (_, after) in pairs:
                tensor = self.arrays[place]
                bounds = self._bounds_of(place)
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
        """The rows of a block of the archive that `inside` slices, counted from the block's first,
        of all arrays in it. ParamError if names are wanted, as arrays have none to choose from;
        ArchiveError if the block has not its arrays' columns."""
        # arrays have no columns to choose from: this raises ParamError
        if wanted is not None:
            self.places(archive, wanted)
        places = self._places_in(block)
        cells_a_row, _ = self._cells_and_period(places[0])
        if block.words.get("each", 1) != cells_a_row:
            raise archive.reader.damaged("a block has not the shape of its array")
        parts = []
        # the columns of each array in turn are taken off the front
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
        """Yield rows first:last, a piece for each block; wanted: None; ParamError for names, as
        arrays have no columns to choose from. ArchiveError if the archive has not the rows of its
        arrays, DataError for a part of arrays that have no common rows."""
        self._check_row_count(archive)
        if (first, last) != (0, archive.rows):
            self._check_rows_can_be_chosen(str(archive.reader.path))
        yield from super().pieces(archive, first, last, wanted)

    def _check_row_count(self, archive: Archive) -> None:
        """Raise ArchiveError unless the archive has as many rows as its arrays, before memory is
        taken for the size that the header claims. A lenient archive may have any number."""
        if archive.rows != self._row_count() and not archive.lenient:
            raise archive.reader.damaged("its blocks have not the rows of its arrays")

    def _check_rows_can_be_chosen(self, name: str) -> None:
        """Raise DataError if single rows cannot be asked for: they can be of arrays that are one
        table, and of a single array whose rows are those of its first axis alone. name: the file's,
        for the message."""
        if self.joint:
            return
        # rows of one array are those of its first axis, unless more axes count as rows
        is_one = len(self.arrays) == 1
        if not is_one or self.arrays[0].lead != 1:
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
        """Write rows first:last of all arrays to `file`, as an .npy or .npz file, as the source
        was; of a lenient archive those rows that could be read. ParamError if names are wanted;
        ArchiveError if the archive has not the rows of its arrays, or a block is damaged, unless
        the archive is lenient; DataError for a part of arrays that have no common rows."""
        self._check_row_count(archive)
        pieces = archive.pieces(first, last, wanted)
        members = self._members(archive, pieces, last - first)
        self._write(file, members)

    def _write(self, file: BinaryIO, members: MembersWithValues) -> None:
        """Write arrays to a file of the source's kind. members: (an array's description, its rows,
        part by part), in order."""
        with array_files.written(file, self._format) as writer:
            for member, parts in members:
                writer.add(member, parts)

    def restore_own(
        self,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None,
    ) -> None:
        """Write rows first:last of the source itself ("own") to a file, as `restore` writes those
        of an archive, so that both can be compared. wanted: not used. DataError for a part of
        arrays that have no common rows."""
        rows = self._source_rows(first, last)
        self._write(file, self._restored(rows, last - first))

    def rows_own(self) -> int:
        """How many rows the source itself has, by the shapes of its arrays."""
        return self._row_count()

    def frame_own(self, first: int, last: int) -> pd.DataFrame | Array | Json:
        """Rows first:last of the source itself in memory, as `frame` has those of an archive: joint
        arrays as a DataFrame, a single one as an array, else a dictionary of arrays by name.
        DataError for a part of arrays that have no common rows."""
        rows = self._source_rows(first, last)
        return self._as_one_object(self._restored(rows, last - first))

    def _source_rows(self, first: int, last: int) -> Iterator[Rows]:
        """Read rows first .. last - 1 of the source itself and yield them, block by block.
        DataError for a part of arrays that have no common rows."""
        is_part = (first, last) != (0, self._row_count())
        if is_part and self.source is not None:
            self._check_rows_can_be_chosen(self.source.name)
        # slices of what the source has: nothing is copied
        for item, inside in cut(self.items(), first, last):
            parts = [(place, values[inside]) for place, values in item.parts]
            yield Rows(item.first + inside.start, parts)

    def _members(
        self,
        archive: Archive,
        pieces: Iterator[Rows],
        rows: int,
    ) -> MembersWithValues:
        """Yield (array, iterator of its values, part by part) for each array, from pieces in the
        archive's order; of a lenient archive, which passes over damage, what is left of them. rows:
        how many the pieces should have together."""
        if archive.lenient:
            return self._recovered(pieces)
        return self._restored(pieces, rows)

    def _restored(
        self,
        pieces: Iterator[Rows],
        rows: int,
    ) -> MembersWithValues:
        """Yield (array, iterator of its values, part by part) for each array, as the pieces come;
        several joint ones only once all pieces are read. The values of an array must be taken
        before the next array is asked for. rows: how many the pieces have together. ArchiveError
        where they have not just as many."""
        members = [self._member(tensor, rows) for tensor in self.arrays]
        if len(members) == 1:
            yield members[0], _values_of(_with_rows_checked(pieces, rows))
            return
        if self.joint:
            # the file has one array behind the other, the archive all of them side by side
            gathering = [array_files.Gathering(member) for member in members]
            for piece in _with_rows_checked(pieces, rows):
                for place, values in piece.parts:
                    gathering[place].add(values)
            for member, gathered in zip(members, gathering, strict=True):
                yield member, iter([gathered.whole])
            return
        for member, tensor in zip(members, self.arrays, strict=True):
            yield member, _values_of_next(pieces, tensor.rows)
        if next(pieces, None) is not None:
            raise ArchiveError("damaged: it has more rows than its arrays")

    def _recovered(self, pieces: Iterator[Rows]) -> MembersWithValues:
        """Yield (array, iterator of its values, part by part) for each array of a damaged archive;
        its shape has only the rows that could be read. pieces: those rows; all of them are read
        before the first array is yielded."""
        parts_of: list[list[Array]] = [[] for _ in self.arrays]
        for piece in pieces:
            for place, values in piece.parts:
                parts_of[place].append(values)
        for tensor, parts in zip(self.arrays, parts_of, strict=True):
            # an array that is whole keeps its shape, whichever axes are rows
            rows = sum(len(part) for part in parts)
            shape = tensor.shape
            if rows != tensor.rows:
                shape = (rows, *tensor.row_shape)
            yield _member_of(tensor, shape), iter(parts)

    def _member(self, tensor: Tensor, rows: int) -> Member:
        """The array of `tensor` as it is written to a file: its type and shape. rows: how many of
        the archive's rows are written; if not all, they are the length of the array's first axis. A
        scalar, which has no axis, keeps its shape."""
        shape = tensor.shape
        # a scalar has one row and no axis
        if rows != self._row_count() and shape:
            shape = (rows, *shape[1:])
        return _member_of(tensor, shape)

    def frame(
        self,
        archive: Archive,
        first: int,
        last: int,
    ) -> pd.DataFrame | Array | Json:
        """Rows first:last in memory: joint arrays as a DataFrame, a single one as an array, else a
        dictionary of arrays by name; of a lenient archive those rows that could be read.
        ArchiveError if the archive has not the rows of its arrays, or a block is damaged, unless
        the archive is lenient; DataError for a part of arrays that have no common rows."""
        self._check_row_count(archive)
        pieces = archive.pieces(first, last)
        members = self._members(archive, pieces, last - first)
        return self._as_one_object(members)

    def _as_one_object(self, members: MembersWithValues) -> pd.DataFrame | Array | Json:
        """All arrays as one object: a DataFrame of joint ones, a single array as it is, else a
        dictionary of arrays by name. members: (array, its values, part by part)."""
        arrays = {}
        for member, parts in members:
            arrays[member.name] = array_files.gathered(member, parts)
        if self.joint:
            names = self._column_names()
            return array_files.frame_of(names, list(arrays.values()))
        if len(arrays) == 1:
            return next(iter(arrays.values()))
        return arrays


class ExtrapolatedArrays(ArrayContent):
    """The arrays of a file, stored as ArrayContent stores them, but for arrays whose Tensor has
    `orders`, at least one: of these residuals are stored, how far each float lies from a prediction
    by its neighbours in the array (see natives.extrapolation). It is a version of its own, which
    readers of before refuse."""

    version = 2
    has_residuals = True


def _member_of(tensor: Tensor, shape: tuple[int, ...]) -> Member:
    """An array as a member of a file to be written, with this shape, which may have fewer rows than
    the tensor's."""
    return Member(
        name=tensor.name,
        dtype=np.dtype(tensor.dtype),
        shape=shape,
        fortran=tensor.fortran,
        offset=0,
    )


def _values_of(pieces: Iterator[Rows]) -> Iterator[Array]:
    """Yield the values of every part of the pieces, (rows, *row_shape), in order."""
    for piece in pieces:
        for _, values in piece.parts:
            yield values


def _with_rows_checked(pieces: Iterator[Rows], rows: int) -> Iterator[Rows]:
    """Yield the pieces; ArchiveError unless they have `rows` rows together: behind the last one if
    they have fewer, before the first that is too many."""
    missing = rows
    for piece in pieces:
        missing -= len(piece)
        if missing < 0:
            raise ArchiveError("damaged: it has more rows than its arrays")
        yield piece
    if missing:
        # what is missing would be zeros, or a file that is too short for its shape
        raise ArchiveError("damaged: an array is cut short")


def _values_of_next(pieces: Iterator[Rows], rows: int) -> Iterator[Array]:
    """Take pieces, each of one array, from the iterator until they have `rows` rows together, and
    yield the values of each, (rows of the piece, *row_shape). ArchiveError if there are fewer, or,
    once the last of these pieces is yielded, if it has rows beyond them."""
    while rows > 0:
        piece = next(pieces, None)
        if piece is None:
            raise ArchiveError("damaged: an array is cut short")
        # of arrays that are not joint a piece has rows of one
        _, values = piece.parts[0]
        yield values
        rows -= len(piece)
    if rows < 0:
        raise ArchiveError("damaged: it has more rows than its arrays")


def tensor_of(member: Member) -> Tensor:
    """The description of `member`, an array of a file, its layout as columns not chosen yet;
    UnsuitedError for a type that cannot be stored natively."""
    reason = tensors.reason_against(member.dtype)
    if reason is not None:
        raise UnsuitedError(f"array '{member.name}': {reason}")
    return Tensor(
        member.name,
        member.dtype.str,
        member.shape,
        member.fortran,
    )


def are_joint(arrays: Sequence[Tensor]) -> bool:
    """Whether arrays are stored as one table: all of one or two dimensions, with the same number of
    rows, not 0, and at most MOST_COLUMNS (4,096) columns together (and those of two laid out by
    their second axis alone). No arrays are no table."""
    columns = 0
    # an array of one dimension is a column, of two a table if rows lie along the first
    for tensor in arrays:
        dimensions = len(tensor.shape)
        is_table = dimensions == 2 and tensor.axes == (1,)
        if dimensions != 1 and not is_table:
            return False
        if not tensor.rows or tensor.rows != arrays[0].rows:
            return False
        columns += tensor.columns
    return 0 < columns <= MOST_COLUMNS


def column_labels(source: ArrayFile) -> list[str]:
    """The names by which --max-error refers to what may have a bound in the file `source`, in
    order: each column of an array of two axes (one name for all if there are none, or more than
    tensors.MOST_COLUMNS, 4,096), else each array; where names repeat, "NAME (column PLACE)", from
    1. UnsuitedError for a type that cannot be stored natively."""
    alone = len(source.members) == 1
    names: list[str] = []
    for member in source.members:
        names += tensor_of(member).column_names(alone)
    return labels_of(names)


def ends_of(source: ArrayFile) -> list[tuple[Fraction, Fraction] | None]:
    """The range of numbers in the array file `source`: for each of `column_labels`, in order,
    (smallest, largest) finite number, as exact fractions; None for one without finite numbers, or
    of a type other than integers and real floats. All values are read. UnsuitedError for a type
    that cannot be stored natively; ValueError, OSError, BadZipFile or zlib.error if they cannot be
    read."""
    ends: list[tuple[Fraction, Fraction] | None] = []
    for place, member in enumerate(source.members):
        tensor = tensor_of(member)
        values = source.array(place)
        ends += tensors.ends(tensor, values)
    return ends
