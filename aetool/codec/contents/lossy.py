"""Archives of a model's quantised codes, with what the code does not restore stored beside it:
gaps, dates, text, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from aetool.canonical import Json
from aetool.codec import blobs, blocks, decoding
from aetool.codec.blocks import Block
from aetool.codec.columns import Coded, bytes_column, whole_column
from aetool.codec.contents.content import LOSSY, Content, Piece, places_in
from aetool.codec.contents.exact import (
    at_least_one,
    bytes_of_columns,
    empty,
    encoded,
    kind_of,
    restored,
    strings_of,
)
from aetool.codec.contents.pixels import stacked, write_arrays
from aetool.codec.folders import Picture
from aetool.codec.limits import check_decoded
from aetool.codec.lossy import Code, Quantiser
from aetool.codec.metas import WholeMeta
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import writers
from aetool.data.images import Pixels
from aetool.data.table import Cells, Table, Values
from aetool.errors import ArchiveError
from aetool.model import Float, Int, Records

if TYPE_CHECKING:
    from aetool.codec.archive import Archive

CODE = "code"


class CodedRecords(NamedTuple):
    """Records of a source with their code. inputs: what the model takes; code: (rows, kept),
    quantised; table: the records as they are, None of pictures; names: of pictures."""

    inputs: Records
    code: Int
    table: Table | None
    names: list[str]


@dataclass(eq=False)
class Sizes:
    """Bytes of the payloads written so far, by what they hold: code, column names, picture
    names."""

    of: dict[str, int] = field(default_factory=dict)

    def add(self, labels: Sequence[str], block: Block) -> None:
        """Add the bytes of a block. labels: what each of its columns holds; the streams of a small
        block, which are coded as one, count as "streams"."""
        for label, sizes in zip(labels, block.sizes, strict=True):
            size = sum(sizes.values())
            self._count(label, size)
        if block.joined:
            self._count("streams", block.joined)

    def _count(self, label: str, size: int) -> None:
        before = self.of.get(label, 0)
        self.of[label] = before + size


class Lossy(Content):
    """Records by a model's code: what lossy tables and pictures have in common. quantiser: turns
    the code into whole numbers, and back."""

    def __init__(
        self,
        format: dict[str, Json],
        quantiser: Quantiser,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(LOSSY, format)
        self.quantiser = quantiser
        self.effort = effort or Effort()
        self.sizes = Sizes()

    def header(self) -> dict[str, Json]:
        header = super().header()
        header["quantiser"] = self.quantiser.to_json()
        return header

    @property
    def labels(self) -> list[str]:
        """For each column of a block the name of what it holds: a unit of the code, or a column
        that is stored beside the code."""
        return [f"{CODE} {unit}" for unit in self.quantiser.kept]

    def names(self, archive: Archive) -> list[str]:
        return self.labels

    def picture_names(self, archive: Archive) -> list[str]:
        """The names of all pictures; [] if none are stored."""
        return []

    def beside(self, item: CodedRecords) -> list[Coded]:
        """Encode what a block stores beside the code, as columns."""
        raise NotImplementedError

    def encode(self, item: CodedRecords, hints: Hints) -> list[Encoded]:
        coded = []
        for unit in item.code.T:
            # a unit of the code is a column, whose values lie side by side
            values = np.ascontiguousarray(unit)
            coded.append(whole_column(values))
        coded += self.beside(item)
        rows = len(item.inputs)
        content, payload, after = blocks.encode(coded, rows, {}, self.effort, hints)
        # decoded once here, to count what each column takes; the units of the code together
        units = len(self.quantiser.kept)
        labels = [CODE] * units
        labels += self.labels[units:]
        block = blocks.decode(payload, rows, content)
        self.sizes.add(labels, block)
        return [Encoded(rows, content, payload, after)]

    def codes_of(self, block: Block) -> Code:
        """(rows, latent) float32: the code of a block's records, for the model's decoder;
        ArchiveError if the block has other columns than it should."""
        units = len(self.quantiser.kept)
        # before memory is taken for what the decoder makes of it
        check_decoded(block.rows, len(self.quantiser.centre))
        if len(block.columns) != len(self.labels):
            raise ArchiveError("damaged: a block has not the columns that the header promises")
        code = np.zeros((block.rows, units), np.int64)
        for place, column in enumerate(block.columns[:units]):
            if not isinstance(column.meta, WholeMeta):
                raise ArchiveError("damaged: a block's code is not stored as such")
            code[:, place] = column.values
        return self.quantiser.restore(code)

    def codes(self, archive: Archive) -> Iterator[Code]:
        """Yield the code of each block, (rows, latent); the model is not needed."""
        for block, _ in archive.blocks(0, archive.rows):
            yield self.codes_of(block)

    def compare(self, archive: Archive) -> None:
        """Restore everything, or decode only the codes where the model is not there; ArchiveError
        if that fails. The source is not read: a model's records differ from it."""
        for _ in self.checked(archive):
            pass

    def checked(self, archive: Archive) -> Iterator[Piece]:
        # without the model, which may be elsewhere, codes are all that can be read
        if archive.has_model:
            yield from archive.pieces(0, archive.rows)
            return
        for block, _ in archive.blocks(0, archive.rows):
            yield self.codes_of(block)


class LossyTable(Lossy):
    """A table by a model's code. columns: (name, how it is stored) of each: "model", or the kind of
    a column that is stored exactly. dtypes: of the source, by column. ranges: (lowest, highest)
    number of the source, by column."""

    name = "lossy table"

    def __init__(
        self,
        format: dict[str, Json],
        quantiser: Quantiser,
        columns: Sequence[tuple[str, str]],
        dtypes: Mapping[str, str],
        ranges: Mapping[str, list[float]],
        effort: Effort | None = None,
    ) -> None:
        super().__init__(format, quantiser, effort)
        self.columns = list(columns)
        self.dtypes = dict(dtypes)
        self.ranges = dict(ranges)

    def header(self) -> dict[str, Json]:
        columns = []
        for name, stored in self.columns:
            columns.append({"name": name, "stored": stored})
        header = super().header()
        header["columns"] = columns
        header["dtypes"] = self.dtypes
        header["ranges"] = self.ranges
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> LossyTable:
        columns = []
        for column in header["columns"]:
            name = str(column["name"])
            stored = str(column["stored"])
            columns.append((name, stored))
        ranges = {}
        for name, (low, high) in header["ranges"].items():
            ranges[name] = [float(low), float(high)]
        return cls(
            format=dict(header["format"]),
            quantiser=Quantiser.from_json(header["quantiser"]),
            columns=columns,
            dtypes=dict(header["dtypes"]),
            ranges=ranges,
        )

    @property
    def exact(self) -> list[str]:
        """The names of the columns that are stored exactly, beside the code."""
        return [name for name, stored in self.columns if stored != "model"]

    @property
    def labels(self) -> list[str]:
        return [*super().labels, "gaps", *self.exact]

    def beside(self, item: CodedRecords) -> list[Coded]:
        assert item.table is not None
        gaps = blobs.pack(decoding.gaps_of(item.inputs))
        columns = [bytes_column(gaps)]
        # in the order of `exact`, which decoding relies on
        exact = item.table.only(self.exact)
        for values in exact.values:
            columns.append(encoded(values))
        return columns

    def places(self, archive: Archive, wanted: Sequence[str]) -> list[int]:
        # not those of `names`, which are columns of a block
        names = [name for name, _ in self.columns]
        return places_in(names, wanted)

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> writers.Columns:
        schema = archive.model.schema
        modelled = schema.modelled if schema else ()
        check_decoded(block.rows, len(modelled))
        code = self.codes_of(block)
        # behind the units of the code: the gaps, then what is stored exactly
        units = len(self.quantiser.kept)
        gaps_column, *exact_columns = block.columns[units:]
        exact: writers.Columns = {}
        for name, column in zip(self.exact, exact_columns, strict=True):
            exact[name] = restored(column)
        # the decoder is given whole blocks, so that rows do not depend on which are asked for
        records = decoding.decode(
            archive.model,
            code,
            archive.device,
            self.ranges,
            self._condition(archive, exact),
        )
        if schema is not None:
            gaps = blobs.unpack(gaps_column.blobs[0])
            decoding.put_gaps(schema, records, gaps)
        # in the order of the source's columns, of which the model sees some
        place_of = {column.name: place for place, column in enumerate(modelled)}
        decoded: writers.Columns = {}
        for name, stored in self.columns:
            if wanted is not None and name not in wanted:
                continue
            if stored != "model":
                decoded[name] = exact[name][inside]
                continue
            place = place_of[name]
            values = modelled[place].restored(records[:, place])
            decoded[name] = values[inside]
        return decoded

    def _condition(
        self,
        archive: Archive,
        exact: Mapping[str, writers.Restored],
    ) -> Float | None:
        """The conditioning columns of a block, (rows, conditions), as the model's decoder takes
        them; None if it takes none. exact: the columns that the block stores exactly, by name.
        ArchiveError if one is not among these. ArchiveError if the block lacks one."""
        # what the decoder is told beside the code, such as the hour of a sensor's reading
        names = decoding.condition_names(archive.model)
        if not names:
            return None
        missing = [name for name in names if name not in exact]
        if missing:
            raise ArchiveError(f"damaged: '{missing[0]}', which the decoder is told, is not stored")
        assert archive.model.schema is not None
        columns: dict[str, Values] = {}
        for name, values in exact.items():
            if isinstance(values, list):
                columns[name] = Cells.of(values)
            else:
                columns[name] = values
        return decoding.condition_of(archive.model.schema, columns)

    def bytes_of(self, piece: writers.Columns) -> int:
        return bytes_of_columns(piece)

    def nothing(self, archive: Archive) -> writers.Columns:
        """A batch of no records, with the table's columns."""
        schema = archive.model.schema
        modelled = schema.modelled if schema else ()
        # what the code restores is text or floats
        words = {column.name for column in modelled if not column.measured}
        columns: writers.Columns = {}
        for name, stored in self.columns:
            if stored == "model":
                stored = "cells" if name in words else "floats"
            columns[name] = empty(stored)
        return columns

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        schema = archive.model.schema
        written = {}
        if schema is not None:
            written = {column.name: column.written() for column in schema.columns}
        # a table of no records has its columns still
        pieces = archive.pieces(first, last)
        batches = at_least_one(pieces, self.nothing(archive))
        if wanted is not None:
            self.places(archive, wanted)
            # in the order in which they are wanted
            batches = ({name: batch[name] for name in wanted} for batch in batches)
        writers.write_table(
            file,
            batches,
            self._format,
            self.dtypes,
            written,
        )

    def frame(self, archive: Archive, first: int, last: int) -> Piece:
        pieces = archive.pieces(first, last)
        batches = list(at_least_one(pieces, self.nothing(archive)))
        # the dtypes of the DataFrame that was compressed, if it was one
        dtypes_of_frame = self._format.get("pandas", {})
        return writers.frame_of(batches, self.dtypes, dtypes_of_frame)


class LossyPictures(Lossy):
    """Pictures by a model's code. named: whether blocks have a column of the pictures' names."""

    name = "lossy pictures"
    kind = "image"

    def __init__(
        self,
        format: dict[str, Json],
        quantiser: Quantiser,
        named: bool = False,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(format, quantiser, effort)
        self.named = named

    def header(self) -> dict[str, Json]:
        header = super().header()
        # only where it is true, so that archives of nameless pictures stay as they were
        if self.named:
            header["named"] = True
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> LossyPictures:
        format = dict(header["format"])
        quantiser = Quantiser.from_json(header["quantiser"])
        named = bool(header.get("named"))
        return cls(format, quantiser, named)

    @property
    def is_folder(self) -> bool:
        return bool(self._format["format"] == "folder")

    @property
    def labels(self) -> list[str]:
        labels = super().labels
        if self.named:
            return [*labels, "names"]
        return labels

    def beside(self, item: CodedRecords) -> list[Coded]:
        if not self.named:
            return []
        names = Cells.of(list(item.names))
        return [encoded(names)]

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> Pixels:
        check_decoded(block.rows, prod(self._shape(archive)))
        # only the pictures that are asked for are decoded
        code = self.codes_of(block)[inside]
        pixels: Pixels = decoding.decode(archive.model, code, archive.device)
        return pixels

    def bytes_of(self, piece: Pixels) -> int:
        # a byte for each value of a pixel
        return int(piece.size)

    def picture_names(self, archive: Archive) -> list[str]:
        names: list[str] = []
        if not self.named:
            return names
        for block, _ in archive.blocks(0, archive.rows):
            # for its checks of the block's columns, of which the names are the last
            self.codes_of(block)
            for name in strings_of(block.columns[-1]):
                names.append(name or "")
        return names

    def pictures(self, archive: Archive, first: int, last: int) -> Iterator[Picture]:
        """Yield pictures first:last, each with its name; only of an archive that has names
        (`named`)."""
        # names are few bytes: all of them are read before the first picture
        names = iter(self.picture_names(archive)[first:last])
        for pixels in archive.pieces(first, last):
            for picture in pixels:
                yield Picture(next(names), "", picture)

    def _shape(self, archive: Archive) -> tuple[int, int, int]:
        """(channels, height, width) of the pictures that the model restores; (1, 1, 1) if it says
        none."""
        return archive.model.shape or (1, 1, 1)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        # for its check of their names: pictures have no columns to choose from
        if wanted is not None:
            super().places(archive, wanted)
        shape = self._shape(archive)
        pieces = archive.pieces(first, last)
        write_arrays(file, pieces, self._format, last - first, shape)

    def frame(self, archive: Archive, first: int, last: int) -> Pixels:
        pieces = archive.pieces(first, last)
        return stacked(pieces, self._shape(archive))


def stored_as(table: Table, by_model: set[str]) -> list[tuple[str, str]]:
    """For each column of a table (its name, how the archive stores it): "model" for those in
    by_model, which the code restores, else the kind of its values."""
    stored = []
    for name, values in zip(table.names, table.values, strict=True):
        kind = "model" if name in by_model else kind_of(values)
        stored.append((name, kind))
    return stored
