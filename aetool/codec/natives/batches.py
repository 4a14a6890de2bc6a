"""Batches of one schema to the columns of a block and back, and the dictionaries they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from aetool.codec import blocks, planning, ways
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Coded, Decoded, errors_as_damage
from aetool.codec.limits import check_records
from aetool.codec.metas import Meta
from aetool.codec.natives.arrow import ColumnKind, Columns, Ends, kind_of
from aetool.codec.natives.dictionaries import Dictionaries
from aetool.errors import ArchiveError

if TYPE_CHECKING:
    import pyarrow as pa

DIGEST = 8  # bytes


class BatchCoder:
    """Encodes and decodes Arrow batches of one schema. dictionaries: of all columns; those of a
    batch must be among them.

    bounds: for each column the largest error allowed, in its unit, None for exact; None: all are
    exact.
    """

    def __init__(
        self,
        schema: pa.Schema,
        dictionaries: Dictionaries,
        bounds: Sequence[Fraction | None] | None = None,
    ) -> None:
        self.schema = schema
        self.kinds = []
        for place, field in enumerate(schema):
            self.kinds.append(kind_of(field.type, place, dictionaries))
        self.bounds = bounds or [None] * len(self.kinds)

    def encode(self, batch: pa.RecordBatch) -> list[list[Coded]]:
        """Encode a batch: for each column of the table, in order, its columns of the block.
        ArchiveError for a dictionary that is not among the known ones, text beyond what a block may
        have, or a bound that could not be kept."""
        parts = zip(self.kinds, batch.columns, self.bounds, strict=True)
        return [kind.encode(array, bound) for kind, array, bound in parts]

    def decode(self, columns: Sequence[Decoded], rows: int) -> pa.RecordBatch:
        """Decode the columns of a block of `rows` records as a batch; ArchiveError if there are
        more or fewer than the schema needs, or one is damaged."""
        import pyarrow as pa

        with errors_as_damage():
            check_records(rows, len(self.kinds))
            remaining = iter(columns)
            # each kind takes as many columns as its `encode` returned
            arrays = [_array_of(kind, remaining, rows) for kind in self.kinds]
            if next(remaining, None) is not None:
                raise ArchiveError("damaged: a block has more columns than its table")
            if not arrays:
                return _of_no_columns(self.schema, rows)
            return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def owners(self, metas: Sequence[Meta]) -> list[int]:
        """For each column of a block, of these metas, the place, from 0, of the table's column that
        it belongs to; of a damaged block that has too few or too many columns, more or fewer places
        than columns."""
        places: list[int] = []
        for kind in self.kinds:
            remaining = metas[len(places) :]
            # a block that is damaged may have fewer columns
            if remaining:
                places += [kind.place] * kind.width(remaining)
        return places


def _array_of(kind: ColumnKind, columns: Columns, rows: int) -> pa.Array:
    """The array of `rows` values that a kind decodes from the next of a block's columns.
    ArchiveError if they are damaged, or fewer than it needs."""
    try:
        return kind.decode(columns, rows)
    except StopIteration:
        raise ArchiveError("damaged: a block has fewer columns than its table") from None


def ends_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> list[Ends | None]:
    """Read all batches and find the range of each column of the schema, in order: (smallest,
    largest) finite number, as exact fractions in the column's unit; None if it has none, or is not
    of numbers (moments are not)."""
    kinds = BatchCoder(schema, Dictionaries()).kinds
    ends: list[Ends | None] = [None] * len(kinds)
    for batch in batches:
        for place, kind in enumerate(kinds):
            if kind.numeric:
                range_of_batch = kind.ends(batch.column(place))
                ends[place] = _joined_range(ends[place], range_of_batch)
    return ends


def _joined_range(one: Ends | None, other: Ends | None) -> Ends | None:
    """Join the ranges of two parts of a column: (the smaller of both smallest, the larger of both
    largest); that of the other part where one is None, as it has no numbers; None if both are."""
    if one is None or other is None:
        return one or other
    smallest = min(one[0], other[0])
    largest = max(one[1], other[1])
    return smallest, largest


def _of_no_columns(schema: pa.Schema, rows: int) -> pa.RecordBatch:
    """A batch of `rows` records and no columns, with the schema's metadata."""
    import pyarrow as pa

    # Arrow makes such a batch of structures alone
    empty_records = pa.array([{}] * rows, pa.struct([]))
    batch = pa.RecordBatch.from_struct_array(empty_records)
    return batch.replace_schema_metadata(schema.metadata)


def difference(
    one: pa.RecordBatch,
    other: pa.RecordBatch,
    bounds: Sequence[Fraction | None] | None = None,
) -> str | None:
    """Compare two batches: None if they are equal, else in what they differ, in words for a
    message: "the schema", "the number of rows", or the first column that differs, "column 2
    'name'", counted from 1.

    NaN equals NaN of the same bits, and is never a gap; what lies in gaps is not looked at. bounds:
    by how much the numbers of each column may differ; None: by nothing.
    """
    # for its kind of each column, which compares arrays; it needs no dictionaries for that
    coder = BatchCoder(one.schema, Dictionaries(), bounds)
    if not one.schema.equals(other.schema, check_metadata=True):
        return "the schema"
    if one.num_rows != other.num_rows:
        return "the number of rows"
    for place, kind in enumerate(coder.kinds):
        left = one.column(place)
        right = other.column(place)
        if not kind.agree(left, right, coder.bounds[place]):
            name = one.schema.field(place).name
            return f"column {place + 1} '{name}'"
    return None


def dictionaries_to_bytes(
    dictionaries: Dictionaries,
    schema: pa.Schema,
    effort: planning.Effort,
) -> bytes:
    """Encode the dictionaries of all columns, one behind the other, sorted by the place of the
    column.

    Of each: varint place of its column, varint rows, varint length of the payload, DIGEST bytes of
    digest, payload of one column. effort: how far to search for small encodings. ArchiveError for
    one of more text than a block may have.
    """
    parts: list[bytes] = []
    for place, dictionaries_of_column in sorted(dictionaries.of.items()):
        kind = _kind_of_values(schema, place)
        for dictionary in dictionaries_of_column:
            rows = len(dictionary)
            coded = kind.encode(dictionary, None)
            # other encodings, of which the block takes the smallest
            ways.offer(coded, effort)
            content, payload, _ = blocks.encode(coded, rows, {}, effort)
            numbers = (place, rows, len(payload))
            parts += map(varint, numbers)
            parts += [content, payload]
    return b"".join(parts)


def _kind_of_values(schema: pa.Schema, place: int) -> ColumnKind:
    """The kind of the values in the dictionary of a column, at `place` in the schema; they have no
    dictionaries themselves. AttributeError for a column that has no dictionaries."""
    value_type = schema.field(place).type.value_type
    return kind_of(value_type, place, Dictionaries())


@errors_as_damage()
def dictionaries_from_bytes(data: bytes, schema: pa.Schema) -> Dictionaries:
    """Decode the dictionaries that `dictionaries_to_bytes` wrote, for columns of this schema;
    ArchiveError if they are damaged."""
    dictionaries = Dictionaries()
    offset = 0
    while offset < len(data):
        place, offset = read_varint(data, offset)
        rows, offset = read_varint(data, offset)
        size, offset = read_varint(data, offset)
        begin_of_payload = offset + DIGEST
        digest = data[offset:begin_of_payload]
        # the next dictionary begins behind this one's payload
        offset = begin_of_payload + size
        payload = data[begin_of_payload:offset]
        if offset > len(data):
            raise ArchiveError("damaged: a dictionary is cut short")
        kind = _kind_of_values(schema, place)
        block = blocks.decode(payload, rows, digest)
        array = _array_of(kind, iter(block.columns), rows)
        dictionaries.of.setdefault(place, []).append(array)
    return dictionaries
