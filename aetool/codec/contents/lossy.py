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
from aetool.codec.contents.pixels import counted, stacked, write_arrays
from aetool.codec.corrections import Corrections
from aetool.codec.folders import Picture
from aetool.codec.limits import check_decoded
from aetool.codec.lossy import Code, Quantiser
from aetool.codec.metas import WholeMeta
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.columns.number import Number
from aetool.data import writers
from aetool.data.images import Pixels
from aetool.data.table import Cells, Table, Values
from aetool.errors import ArchiveError
from aetool.model import Float, Int, Records

if TYPE_CHECKING:
    from aetool.codec.archive import Archive

CODE = "code"
FINEST = 2.0**-40  # of a number: how finely text writes one that comes back as it was


class CodedRecords(NamedTuple):
    """Records of a source with their code. inputs: what the model takes, (rows, columns) float64,
    NaN in gaps, or pictures, (rows, channels, height, width) uint8; code: (rows, kept) int64, in
    steps of the quantiser; table: the records as they are, None of pictures; names: of pictures, []
    of a table. corrections: (rows, corrected) int64, the steps by which the decoder's numbers are
    corrected; None of pictures."""

    inputs: Records
    code: Int
    table: Table | None
    names: list[str]
    corrections: Int | None = None


@dataclass(eq=False)
class Sizes:
    """Bytes of the payloads written so far. of: by what they hold, "code", "gaps", "names" and the
    names of columns stored exactly, or "streams", which cannot be told apart."""

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
        """Add `size` bytes to those of a label, which may be new."""
        before = self.of.get(label, 0)
        self.of[label] = before + size


class Lossy(Content):
    """Records by a model's code: what lossy tables and pictures have in common. format: how the
    source was written, for the header. quantiser: turns the code into whole numbers, and back.
    effort: how far to search for a small encoding, None: the default; sizes: bytes that `encode`
    has written so far; both only for writing."""

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
        """The entries of the archive's header, by name: "content", "mode", "format" and
        "quantiser"."""
        header = super().header()
        header["quantiser"] = self.quantiser.to_json()
        return header

    @property
    def labels(self) -> list[str]:
        """For each column of a block the name of what it holds: "code 3" for unit 3 of the code,
        counted from 0 through all, also those not stored, or that of a column that is stored beside
        the code."""
        return [f"{CODE} {unit}" for unit in self.quantiser.kept]

    def names(self, archive: Archive) -> list[str]:
        """The labels of a block's columns, for which its bytes are counted: units of the code,
        "code 3", and what is stored beside it. archive: not used."""
        return self.labels

    def picture_names(self, archive: Archive) -> list[str]:
        """The names of all pictures of the archive, in order; [] if none are stored. By default
        []."""
        return []

    def beside(self, item: CodedRecords) -> list[Coded]:
        """Encode what a block stores beside the code, as columns, in the order of `labels` behind
        the units of the code. item: the records of the block. Subclasses define it; here
        NotImplementedError."""
        raise NotImplementedError

    def encode(self, item: CodedRecords, hints: Hints) -> list[Encoded]:
        """Encode an item, records with their code, as one block: each unit of their code as a
        column, then what is stored beside it; adds its bytes to `sizes`. hints: of the block
        before. ArchiveError for texts of more bytes than a block may have."""
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
        """The code of a block's records, as the model's decoder takes it: (rows, latent) float32,
        where units that are not stored have their centre. ArchiveError if the block has other
        columns than it should, or records of more than MAX_DECODED (2^26) numbers of code."""
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
        """Yield the code of each block of the archive, (rows, latent) float32; the model is not
        needed. ArchiveError for a damaged block."""
        for block, _ in archive.blocks(0, archive.rows):
            yield self.codes_of(block)

    def compare(self, archive: Archive) -> None:
        """Restore everything of the archive, keeping nothing, or decode only the codes where no
        model is embedded in the archive or was offered; ArchiveError if that fails. The source is
        not read: a model's records differ from it."""
        for _ in self.checked(archive):
            pass

    def checked(self, archive: Archive) -> Iterator[Piece]:
        """Yield everything restored, piece by piece, or, where no model is embedded in the archive
        or was offered, the code of each block, (rows, latent) float32. ArchiveError for damaged
        blocks, BundleError where a model was offered, but the archive's is another and not
        found."""
        # without the model, which may be elsewhere, codes are all that can be read
        if archive.has_model:
            yield from archive.pieces(0, archive.rows)
            return
        for block, _ in archive.blocks(0, archive.rows):
            yield self.codes_of(block)


class LossyTable(Lossy):
    """A table by a model's code. format: how the source was written; quantiser: turns the code into
    whole numbers, and back; effort: how far to search, only for writing. columns: (name, how it is
    stored) of each, in order: "model", or, stored exactly, the kind of its values: "cells",
    "moments" or "floats". dtypes: of the source, Arrow's names, by column. ranges: [lowest,
    highest] number of the source, by column, within which restored numbers are kept. corrections:
    of columns that are "model", what is added to the decoder's numbers; only CorrectedTable has
    any."""

    name = "lossy table"
    has_corrections = False

    def __init__(
        self,
        format: dict[str, Json],
        quantiser: Quantiser,
        columns: Sequence[tuple[str, str]],
        dtypes: Mapping[str, str],
        ranges: Mapping[str, list[float]],
        effort: Effort | None = None,
        corrections: Corrections | None = None,
    ) -> None:
        super().__init__(format, quantiser, effort)
        self.columns = list(columns)
        self.dtypes = dict(dtypes)
        self.ranges = dict(ranges)
        self.corrections = corrections or Corrections()

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "quantiser",
        "columns", a list of {"name", "stored"} in order, "dtypes" and "ranges"; of a CorrectedTable
        also "corrections"."""
        columns = []
        for name, stored in self.columns:
            columns.append({"name": name, "stored": stored})
        header = super().header()
        header["columns"] = columns
        header["dtypes"] = self.dtypes
        header["ranges"] = self.ranges
        if self.has_corrections:
            header["corrections"] = self.corrections.to_json()
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> LossyTable:
        """The content of a header, for reading; ValueError, KeyError, TypeError or AttributeError
        if it is none of a lossy table, or corrects a column that the model does not restore."""
        columns = []
        for column in header["columns"]:
            name = str(column["name"])
            stored = str(column["stored"])
            columns.append((name, stored))
        ranges = {}
        # numbers of JSON may be whole
        for name, (low, high) in header["ranges"].items():
            ranges[name] = [float(low), float(high)]
        corrections = None
        if cls.has_corrections:
            corrections = Corrections.from_json(header["corrections"])
            by_model = {name for name, stored in columns if stored == "model"}
            # of a damaged archive the header may say anything
            if not by_model.issuperset(corrections.names):
                raise ValueError("corrects a column that the model does not restore")
        return cls(
            format=dict(header["format"]),
            quantiser=Quantiser.from_json(header["quantiser"]),
            columns=columns,
            dtypes=dict(header["dtypes"]),
            ranges=ranges,
            corrections=corrections,
        )

    @property
    def exact(self) -> list[str]:
        """The names of the columns that are stored exactly, beside the code, in the table's
        order."""
        return [name for name, stored in self.columns if stored != "model"]

    @property
    def labels(self) -> list[str]:
        """For each column of a block the name of what it holds: "code 3" and the like for units of
        the code, then the names of the corrected columns, "gaps", and the names of the exact
        columns."""
        return [*super().labels, *self.corrections.names, "gaps", *self.exact]

    def beside(self, item: CodedRecords) -> list[Coded]:
        """Encode, as columns: the corrections of each corrected column, which values of the model's
        columns are missing, one bit each, then each exact column of item.table, in the order of
        `exact`. ArchiveError for texts of more bytes than a block may have."""
        assert item.table is not None
        columns = []
        if item.corrections is not None:
            for steps in item.corrections.T:
                columns.append(whole_column(np.ascontiguousarray(steps)))
        gaps = blobs.pack(decoding.gaps_of(item.inputs))
        columns.append(bytes_column(gaps))
        # in the order of `exact`, which decoding relies on
        exact = item.table.only(self.exact)
        for values in exact.values:
            columns.append(encoded(values))
        return columns

    def places(self, archive: Archive, wanted: Sequence[str]) -> list[int]:
        """The places, from 0, of the columns of these names among the table's columns (not those of
        a block), in the order of wanted. ParamError for a name that is not there. archive: not
        used."""
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
        """The records of a block of the archive that `inside` slices, values by column name, in the
        table's order: wanted columns only, where names that are not there are passed over; None:
        all. Needs the model: BundleError if it is not there, ParamError if the device that is to
        run it is not; ArchiveError if the block is damaged."""
        schema = archive.model.schema
        modelled = schema.modelled if schema else ()
        check_decoded(block.rows, len(modelled))
        code = self.codes_of(block)
        # behind the units of the code and the corrections: the gaps, then what is stored exactly
        units = len(self.quantiser.kept)
        corrected = len(self.corrections.names)
        gaps_column, *exact_columns = block.columns[units + corrected :]
        exact: writers.Columns = {}
        for name, column in zip(self.exact, exact_columns, strict=True):
            exact[name] = restored(column)
        # the decoder is given whole blocks, so that rows do not depend on which are asked for
        restored_by_code = decoding.decoded(
            archive.model,
            code,
            archive.device,
            self._conditioning_columns(archive, exact),
        )
        records = decoding.as_written(
            archive.model,
            restored_by_code["x_hat"],
            self.ranges,
            self._corrections_in(block),
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

    def _corrections_in(self, block: Block) -> dict[str, Float]:
        """What a block adds to the decoder's numbers: by corrected column (rows,) float64, in its
        unit. ArchiveError if the block stores something else in its place."""
        first = len(self.quantiser.kept)
        names = self.corrections.names
        steps = np.zeros((block.rows, len(names)), np.int64)
        for place, column in enumerate(block.columns[first : first + len(names)]):
            if not isinstance(column.meta, WholeMeta):
                raise ArchiveError("damaged: a block's corrections are not stored as such")
            steps[:, place] = column.values
        return self.corrections.amounts(steps)

    def _conditioning_columns(
        self,
        archive: Archive,
        exact: Mapping[str, writers.Restored],
    ) -> Float | None:
        """The conditioning columns of a block (what the decoder is told beside the code, such as
        the hour of a reading), (rows, conditions) float64, as the decoder of the archive's model
        takes them; None if it takes none. exact: the columns that the block stores exactly, by
        name. ArchiveError if a conditioning column is not among these."""
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
        """How many bytes a piece, restored columns, takes in memory; of text, how many
        characters."""
        return bytes_of_columns(piece)

    def nothing(self, archive: Archive) -> writers.Columns:
        """A batch of no records: empty columns by name, in the table's order and kinds. BundleError
        if the archive's model is not there."""
        schema = archive.model.schema
        modelled = schema.modelled if schema else ()
        # what the code restores is text or floats
        text_columns = {column.name for column in modelled if not column.measured}
        columns: writers.Columns = {}
        for name, stored in self.columns:
            kind = stored
            if stored == "model":
                kind = "cells" if name in text_columns else "floats"
            columns[name] = empty(kind)
        return columns

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write records first:last as a file of the source's kind, only the wanted columns in the
        order in which they are wanted; None: all. ParamError for a name that is not there;
        BundleError without the model; ArchiveError for a damaged block, unless the archive is
        lenient."""
        schema = archive.model.schema
        # how text files write each column: its decimals, and the text of a gap
        notations = {}
        if schema is not None:
            for column in schema.columns:
                notation = column.written()
                if isinstance(column, Number):
                    notation = column.written_within(self._error_of(archive, column.name))
                notations[column.name] = notation
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
            notations,
        )

    def _error_of(self, archive: Archive, name: str) -> float:
        """The root mean squared error of the column of numbers called `name`, in its unit, as the
        archive tells it: of one without any error the part FINEST (2^-40) of its largest number; 0
        of a column of which it tells none, or only zeros."""
        errors = archive.facts.get("errors")
        figures = errors.get(name) if isinstance(errors, dict) else None
        rmse = figures.get("rmse") if isinstance(figures, dict) else None
        # of a damaged archive the footer may say anything
        if not isinstance(rmse, int | float) or isinstance(rmse, bool):
            return 0.0
        largest = max(abs(end) for end in self.ranges.get(name, [0.0]))
        return float(rmse) or FINEST * largest

    def frame(self, archive: Archive, first: int, last: int) -> Piece:
        """Records first:last as a DataFrame with the dtypes of the source. BundleError if the model
        is not there, ArchiveError for a damaged block, unless the archive is lenient."""
        pieces = archive.pieces(first, last)
        batches = list(at_least_one(pieces, self.nothing(archive)))
        # the dtypes of the DataFrame that was compressed, if it was one
        dtypes_of_frame = self._format.get("pandas", {})
        return writers.frame_of(batches, self.dtypes, dtypes_of_frame)


class CorrectedTable(LossyTable):
    """A table by a model's code, of which some columns are corrected: it stores, in steps, how far
    the decoder's numbers are off. It is a version of its own, which readers of before refuse."""

    version = 2
    has_corrections = True


class LossyPictures(Lossy):
    """Pictures by a model's code. format: how the source was written; quantiser: turns the code
    into whole numbers, and back; effort: how far to search, only for writing. named: whether blocks
    have a column of the pictures' names, as those of a folder have."""

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
        """The entries of the archive's header, by name: "content", "mode", "format", "quantiser",
        and "named" if pictures have names."""
        header = super().header()
        # only where it is true: headers of nameless pictures have no such entry
        if self.named:
            header["named"] = True
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> LossyPictures:
        """The content of a header, for reading; ValueError, KeyError or TypeError if it is none of
        lossy pictures."""
        format = dict(header["format"])
        quantiser = Quantiser.from_json(header["quantiser"])
        named = bool(header.get("named"))
        return cls(format, quantiser, named)

    @property
    def is_folder(self) -> bool:
        """Whether pictures are restored as files of a folder, each by its name."""
        return bool(self._format["format"] == "folder")

    @property
    def labels(self) -> list[str]:
        """For each column of a block the name of what it holds: "code 3" and the like for units of
        the code, then "names" if they are stored."""
        labels = super().labels
        if self.named:
            return [*labels, "names"]
        return labels

    def beside(self, item: CodedRecords) -> list[Coded]:
        """Encode the pictures' names, item.names, as one column; [] if none are stored."""
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
        """Decode pictures of a block of the archive, those that `inside` slices: (n, channels,
        height, width) uint8. BundleError without the model, ParamError without the device that is
        to run it, ArchiveError if the block is damaged; wanted: not used."""
        check_decoded(block.rows, prod(self._shape(archive)))
        # only the pictures that are asked for are decoded
        code = self.codes_of(block)[inside]
        pixels: Pixels = decoding.decode(archive.model, code, archive.device)
        return pixels

    def bytes_of(self, piece: Pixels) -> int:
        """How many bytes a piece, restored pictures, takes: one for each value of a pixel."""
        # a byte for each value of a pixel
        return int(piece.size)

    def picture_names(self, archive: Archive) -> list[str]:
        """The names of all pictures, in order; [] if none are stored. ArchiveError for a damaged
        block, whose names a lenient archive leaves out."""
        return self._names_of(archive, 0, archive.rows)

    def _names_of(self, archive: Archive, first: int, last: int) -> list[str]:
        """The names of pictures first:last of the archive, in order, "" for one without a name; []
        if none are stored. ArchiveError for a damaged block, whose names a lenient archive leaves
        out, and for more characters than the archive may restore bytes."""
        if not self.named:
            return []

        def names() -> Iterator[str]:
            """Yield the names, block by block, "" for a picture without one."""
            for block, inside in archive.blocks(first, last):
                # for its checks of the block's columns, of which the names are the last
                self.codes_of(block)
                for name in strings_of(block.columns[-1])[inside]:
                    yield name or ""

        # all of them are in memory together
        return list(archive.within_output(names(), len))

    def pictures(self, archive: Archive, first: int, last: int) -> Iterator[Picture]:
        """Yield pictures first:last as files of a folder, each with its name and pixels, (channels,
        height, width). ArchiveError if the archive has no names (`named`), and for a damaged block,
        whose pictures a lenient archive leaves out; BundleError without the model."""
        if not self.named:
            raise ArchiveError("damaged: a folder of pictures is stored without their names")
        # names are few bytes: all of them are read before the first picture
        names = iter(self._names_of(archive, first, last))
        for pixels in archive.pieces(first, last):
            for picture in pixels:
                yield Picture(next(names), "", picture)

    def _shape(self, archive: Archive) -> tuple[int, int, int]:
        """The shape of the pictures that the archive's model restores, (channels, height, width);
        (1, 1, 1) if it says none. BundleError if the model is not there, ArchiveError if its code
        is of another size."""
        return archive.model.shape or (1, 1, 1)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write pictures first:last as an idx, .npy or .npz file, as the source was; of a lenient
        archive those that could be read. ParamError if columns are wanted, or the device that is to
        run the model is not there; BundleError if the model itself is not there; ArchiveError for a
        damaged block, unless the archive is lenient."""
        # for its check of their names: pictures have no columns to choose from
        if wanted is not None:
            super().places(archive, wanted)
        shape = self._shape(archive)
        pieces, count = counted(archive, first, last)
        write_arrays(file, pieces, self._format, count, shape)

    def frame(self, archive: Archive, first: int, last: int) -> Pixels:
        """Pictures first:last in memory: (n, channels, height, width) uint8. BundleError if the
        model is not there, ArchiveError for a damaged block, whose pictures a lenient archive
        leaves out."""
        pieces = archive.pieces(first, last)
        return stacked(pieces, self._shape(archive))


def stored_as(table: Table, by_model: set[str]) -> list[tuple[str, str]]:
    """For each column of a table, in order, (its name, how the archive stores it): "model" for
    those in by_model, names of columns that the code restores, else the kind of its values,
    "cells", "moments" or "floats"."""
    stored = []
    for name, values in zip(table.names, table.values, strict=True):
        kind = "model" if name in by_model else kind_of(values)
        stored.append((name, kind))
    return stored
