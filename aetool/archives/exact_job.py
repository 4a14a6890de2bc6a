"""Lossless and bounded archives: which content a source has, and how an archive is written."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from aetool import files
from aetool.archives import encoding, opening, unbounded
from aetool.archives.encoding import Checks, Tally
from aetool.archives.levels import DEEP, SHALLOW, Levels
from aetool.archives.lossy_job import CompressOptions, inner_name
from aetool.archives.opening import FileBytes, Opened
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec import blocks, source_texts, students
from aetool.codec.archive import read_back
from aetool.codec.container import Writer
from aetool.codec.contents.arrays import ArrayContent, column_labels, ends_of
from aetool.codec.contents.arrow import ArrowContent
from aetool.codec.contents.content import BOUNDED, LOSSLESS, ByteContent, Content, Piece
from aetool.codec.contents.file import LARGEST, TypedFile
from aetool.codec.contents.folder import BoundedFolder, FilteredFolder, Folder
from aetool.codec.contents.kept import KeptBytes
from aetool.codec.contents.labels import labels_of
from aetool.codec.contents.lines import JsonLines
from aetool.codec.contents.pixels import BoundedPixels, FilteredPixels, PixelArray, pixels_of
from aetool.codec.contents.text import TextOrigin, TextTable
from aetool.codec.folders import EXACT, Bounds
from aetool.codec.natives import batches, schemas, tensors
from aetool.codec.natives.arrow import Ends
from aetool.codec.picture_models import PictureModel
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded, Layout
from aetool.codec.shared import Shared
from aetool.csv import encodings
from aetool.csv.encodings import NoTableError
from aetool.data import arrow_files, json_sources, notices, sources, streams
from aetool.data.array_files import ArrayFile
from aetool.data.arrow_files import ArrowTable, DamagedError, UnsuitedError
from aetool.data.arrow_source import CopiedTable
from aetool.data.images import FolderSource, ImageSource
from aetool.data.located import FileAt
from aetool.engine import Engine
from aetool.errors import ArchiveError, DataError, ParamError
from aetool.spelling import option

ByColumn = Mapping[str, Fraction]
LEAST_GAIN = 8  # bytes; for fewer, a table in its own types is not worth giving up
# what is raised where an archive cannot be written, or would not restore its source
FAILURES = (
    NoTableError,
    DamagedError,
    ArchiveError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclass(eq=False)
class ExactJob:
    """A lossless or bounded archive of one source: prepared here, written once, then compared.

    content: what is written. model: the one that decoding needs, None without; shared: what that
    model knows about the columns of a text. sections: further ones of the archive, by name.
    squares: the sum of squared errors by column, once it is written. kept: why the file's bytes are
    the content, where they were not asked for; else "". file: the source's file, as it is; if that
    takes fewer bytes it is written in place of the content, and becomes it. engine: what encodes;
    None for threads here. hints: the plans of the first item, once it is written.
    """

    content: Content
    model: Bundle | None = None
    shared: Shared | None = None
    sections: Mapping[str, bytes] = field(default_factory=dict)
    squares: dict[str, float] = field(default_factory=dict)
    kept: str = ""
    file: TypedFile | None = None
    engine: Engine | None = None
    hints: Hints = blocks.NO_HINTS
    _checks: Checks | None = None

    def write(self, file: BinaryIO) -> dict[str, Json]:
        """Encode the content into the file, which is open for writing and reading and empty, or the
        source's file as it is if that takes more than LEAST_GAIN (8) bytes fewer (then it becomes
        `content`); returns the archive's figures by name: "fidelity", "rows", "archive_bytes",
        "source_bytes", and "errors", "exact", "stored_exactly" (of a folder), "shared",
        "needs_model" (the SHA-256 of the model that decoding needs) and "kept" where there are
        such. `compare` is still to be called. ArchiveError where a bound could not
        be kept, or a check of an item fails; NoRoomError where a temporary file cannot be
        written."""
        figures = self._write(file)
        # columns can be read by themselves: that is worth a few bytes
        size = int(figures["archive_bytes"]) - LEAST_GAIN
        if self.file is None or not self.file.is_smaller(size, int(figures["rows"])):
            return figures
        other = ExactJob(self.file)
        # the better archive so far stays where it is until a smaller one is whole
        with files.scratch() as spool:
            figures_of_file = other._write(spool)
            if figures_of_file["archive_bytes"] >= size:
                return figures
            copy_over(file, spool)
        self.content = self.file
        return figures_of_file

    def _write(self, file: BinaryIO) -> dict[str, Json]:
        """Write the content to the archive block by block, without a rival way to store it; returns
        figures as `write` does.

        A content is a sequence of items, pieces of the source. The plans of the first, how each of
        its streams was coded, are hints for the others, which a few threads encode: see
        encoding.Lead.
        """
        content = self.content
        tally = Tally(content)
        # the largest error of each column
        errors: dict[str, float] = {}
        # an archive that needs a model to be decoded names it by its digest; "": it needs none
        needed_sha256 = self.model.sha256 if self.model else ""
        sections = {**content.sections(), **self.sections}
        writer = Writer(file, content.header(), sections, needed_sha256)
        records = 0
        for encoded in self._encoded_blocks(tally, sections):
            # the digest of the whole content grows by each item
            tally.written(encoded)
            for block in encoded:
                writer.add(block.rows, block.content, block.payload)
                for name, error in block.errors.items():
                    errors[name] = max(errors.get(name, 0.0), error)
            self._add_squares(encoded)
            # how large a stream will be nobody knows
            records += sum(block.rows for block in encoded)
            megabytes = tally.size / 1e6
            notices.advance(False, f"{megabytes:,.0f} MB read, {records:,} records stored")
        facts = tally.facts
        if content.mode == BOUNDED:
            facts |= self._facts_of_errors(errors)
        writer.finish(self._facts_as_stored(facts, errors), tally.whole.digest())
        file.flush()
        # what is compared is to be what the disk has
        os.fsync(file.fileno())
        figures: dict[str, Json] = {
            "rows": writer.rows,
            "archive_bytes": file.tell(),
            "source_bytes": tally.size,
        }
        if self.model:
            figures["shared"] = True
            figures["needs_model"] = needed_sha256
        if self.kept:
            figures["kept"] = self.kept
        return {"fidelity": content.fidelity, **facts, **figures}

    def _facts_of_errors(self, errors: Mapping[str, float]) -> dict[str, Json]:
        """The facts that a bounded archive stores about its errors: "errors", {column: {"largest":
        error}}, and "exact", the columns that have a bound and yet no error, if there are any and
        no model is shared. errors: the largest by column, in its units."""
        largest = {name: {"largest": error} for name, error in errors.items()}
        facts: dict[str, Json] = {"errors": largest}
        # columns whose numbers did not move: only exact ones keep the bound, or moving them saves
        # nothing
        exact = [label for label in self.content.bounded if not errors.get(label)]
        if exact and not self.shared:
            facts["exact"] = exact
        return facts

    def _facts_as_stored(
        self, facts: dict[str, Json], errors: Mapping[str, float]
    ) -> dict[str, Json]:
        """The facts as the archive stores them: with a shared model "errors" is a list of whole
        numbers, in units that the model knows, if these tell them exactly: they take fewer bytes.
        errors: the largest by column, in its units."""
        if not self.shared or not facts:
            return facts
        units = self.shared.in_units(errors)
        if units is None:
            return facts
        return {**facts, "errors": units}

    def compare(self, file: BinaryIO) -> None:
        """Compare what the archive that `write` wrote to `file` restores with the source, which is
        read again; what was compared while it was encoded is left out.

        DataError where the source changed meanwhile; ArchiveError where they differ; other errors
        of reading and decoding, as in FAILURES, go through.
        """
        checks = self._checks
        try:
            with read_back(file, self.model) as archive:
                # the file took the place of its columns: its blocks were not checked on the way
                if checks is None or checks.content is not self.content:
                    self.content.compare(archive)
                else:
                    checks.finish(archive)
        # a source that changed is told as such, whatever it broke
        except (ArchiveError, DataError, ValueError):
            self._refuse_changed()
            raise
        self._refuse_changed()

    def _refuse_changed(self) -> None:
        """Raise DataError if a file of the source was changed since it was opened."""
        path = self.content.changed()
        if path is not None:
            raise DataError(f"{path}: was changed while it was read; compress it again")

    def _encoded_blocks(
        self, tally: Tally, sections: Mapping[str, bytes]
    ) -> Iterator[list[Encoded]]:
        """Yield the encoded blocks of each item, in order; with an engine, checks run meanwhile,
        and are given up where an item fails. tally: counts the items that are read; sections: of
        the archive, by name. Errors of reading, encoding and checks go through."""
        content = self.content
        checks = None
        if self.engine is not None:
            # workers import modules while the first item is encoded here
            self.engine.warm(encoding.NEEDED)
            checks = Checks.of(content, self.shared, sections)
        if checks is not None:
            self._checks = checks
            checks.begin()
        # pairs: (item, its place in a file or None), each counted in the tally as it is read
        items = tally.read(content.located_items())
        try:
            first = next(items, None)
            # a content without items has no blocks
            if first is None:
                return
            first_item, *_ = first
            # its plans are hints for the other items
            lead = encoding.Lead(lambda: self._encode_first(first_item, checks))
            decoder = None if checks is None else checks.decoder
            yield from lead.then_others(content, items, self.engine, decoder)
        # whatever it is, even an interrupt: workers must not go on checking
        except BaseException:
            if checks is not None:
                checks.give_up()
            raise

    def _encode_first(self, item: Piece, checks: Checks | None) -> list[Encoded]:
        """Encode the first item, and start its check, if checks are made meanwhile; sets `hints`
        and returns its blocks. checks: None if they are not."""
        encoded = self.content.encode(item, blocks.NO_HINTS)
        self.hints = encoded[-1].hints
        if checks is not None:
            checks.begin_item(item, encoded)
        return encoded

    def _add_squares(self, encoded: list[Encoded]) -> None:
        """Add the squared errors of an item's blocks to `squares`, by column, in place."""
        for block in encoded:
            for name, square in block.squares.items():
                self.squares[name] = self.squares.get(name, 0.0) + square

    def estimate(self, step: int) -> float:
        """Estimate the archive's bytes by encoding every `step`-th item, a piece of the source,
        from the first on; sets squares to an estimate for the whole source. Further `sections` are
        counted, header, footer and the sections of the content are not.

        Each item is tried with the plans, ways to code its streams, of the one encoded before it.
        An archive is written with those of the first item, and the second of two with none
        (encoding.Lead): it may differ a little.
        """
        hints = blocks.NO_HINTS
        # bytes of the whole source, of the items that are tried, and of these once encoded
        total_size = 0
        tried_size = 0
        encoded_size = 0
        for number, item in enumerate(self.content.items()):
            size = self.content.size_of(item)
            total_size += size
            if number % step:
                continue
            encoded = self.content.encode(item, hints)
            # one at a time, so the latest plans are at hand
            hints = encoded[-1].hints
            tried_size += size
            encoded_size += sum(len(block.payload) for block in encoded)
            self._add_squares(encoded)
        # by bytes of the source, as the last item may be short
        scale = total_size / max(tried_size, 1)
        self.squares = {name: square * scale for name, square in self.squares.items()}
        size_of_sections = sum(len(section) for section in self.sections.values())
        return scale * encoded_size + size_of_sections


def copy_over(file: BinaryIO, other: BinaryIO) -> None:
    """Replace all bytes of `file` by those of `other`, whatever their positions; both can be
    sought. `file` then stands at its end, with nothing left in a buffer."""
    other.seek(0)
    file.seek(0)
    file.truncate()
    shutil.copyfileobj(other, file, 1 << 20)
    file.flush()


def write_compared(
    file: BinaryIO,
    job: ExactJob,
    source: Opened,
) -> dict[str, Json]:
    """Write a job's archive to an empty file and compare it with its source; returns its figures,
    as ExactJob.write has them. If the archive cannot be written, or would not restore the source,
    the file's bytes are stored instead, and the figures say why under `kept`; of a bounded archive,
    and where there is no file, as of a folder, the error is raised. DataError where the source
    changed meanwhile."""
    try:
        figures = job.write(file)
        job.compare(file)
    except FAILURES as error:
        return store_bytes_instead(file, job.content, source, error)
    return figures


def store_bytes_instead(
    file: BinaryIO,
    content: Content,
    source: Opened,
    error: Exception,
) -> dict[str, Json]:
    """Store the bytes of a source's file in place of what was written, after an archive of its
    types, `content`, failed with `error`; returns figures as `write_compared` does. Raises the
    error if there are no bytes, or a bounded archive was asked for; DataError if the bytes are not
    the same when they are read again."""
    # bytes keep no bound on numbers
    if content.mode != LOSSLESS:
        raise error
    # of a folder there are none
    bytes_content = _content_of_bytes(source)
    if bytes_content is None:
        raise error
    file.seek(0)
    file.truncate()
    # the note stands behind the name of the file
    reason = str(error).removeprefix(f"{source.name}: ")
    job = ExactJob(bytes_content, kept=reason or type(error).__name__)
    figures = job.write(file)
    try:
        job.compare(file)
    # bytes that are not the same twice
    except ArchiveError:
        raise DataError(
            f"{source.name}: was changed while it was read; compress it again"
        ) from None
    return figures


def _content_of_bytes(source: Opened) -> KeptBytes | None:
    """The content that stores a source's file as bytes, a table in memory as an Arrow file; None
    where there is no file, as of a folder."""
    source = opening.of_source(source)
    if isinstance(source, ArrowTable | ArrayFile):
        kept = _stored_as_bytes(source, "")
        return KeptBytes(_format_for_header(kept), kept.stream)
    path = file_of(source)
    return None if path is None else _bytes_of_file(source, path)


def file_of(source: Opened) -> Path | None:
    """The path of the file that a source was read from: its `path`, or its name if it has none;
    None where there is no such file, as for a folder, a DataFrame, or a table of a database."""
    known_path = getattr(source, "path", None)
    # a name may be a path, too, and the file decides
    path = Path(source.name if known_path is None else known_path)
    if not path.is_file():
        return None
    return path


def job_of(
    source: Opened,
    options: CompressOptions,
    model: Bundle | None = None,
    shared: Shared | None = None,
    bounds: ByColumn | None = None,
    pictures: PictureModel | None = None,
    filtered: bool = False,
) -> ExactJob:
    """The job that writes the lossless archive of a source, or the one within --max-error, by its
    kind. ParamError where bounds are asked for and the source cannot have any; DataError for a
    source that no archive holds.

    model: the bundle that shared or pictures are of; shared: what the model knows of the table's
    columns, where it is to be used; pictures: the same of pictures; None without. bounds: the
    largest error by column in its units, instead of those that options.max_error asks for, which
    None stands for. filtered: whether pictures are filtered when they are restored: values may then
    be twice as far off as options.max_error says, and most are nearer.
    """
    source = opening.of_source(source)
    job = _job_of(
        source,
        options,
        model,
        shared,
        bounds,
        pictures,
        filtered,
    )
    # a name of an engine was made one before
    if isinstance(options.executor, Engine):
        job.engine = options.executor
    path = file_of(source)
    if isinstance(job.content, ByteContent) and path is not None:
        job.content.file = _readable_by_workers(source, path)
    # `compare` refuses files that change between now and then
    if isinstance(source, FolderSource):
        names = [*source.names, *source.others]
        job.content.watch([source.path / name for name in names])
    elif path is not None:
        job.content.watch([path])
        if job.file is not None:
            job.file.watch([path])
    return job


def _job_of(
    source: Opened,
    options: CompressOptions,
    model: Bundle | None,
    shared: Shared | None,
    bounds: ByColumn | None,
    pictures: PictureModel | None = None,
    filtered: bool = False,
) -> ExactJob:
    """Prepare the exact or bounded archive of an opened source, by its kind: a job that writes it.
    model, shared: a model and what it knows of the columns of a text; pictures: what it knows of
    pictures; None without. bounds: the largest error by column; None: as options.max_error says.
    filtered: whether restored pictures are filtered, so that values may be twice as far off.
    ParamError where bounds are asked for and the source cannot have any; DataError for a source
    that no archive holds."""
    source = opening.of_source(source)
    by_model = model if pictures is not None else None
    bounded = bool(options.max_error or bounds)
    if isinstance(source, ArrowTable):
        return _job_of_table(source, options, bounds)
    if isinstance(source, ArrayFile):
        return _job_of_arrays(source, options, bounds, by_model, pictures, filtered)
    # before pictures of one size, which a folder is a kind of
    if isinstance(source, FolderSource):
        return ExactJob(_content_of_folder(source, options, pictures, filtered), by_model)
    if isinstance(source, ImageSource):
        return ExactJob(_content_of_pixels(source, options, pictures, filtered), by_model)
    if isinstance(source, sources.CsvSource):
        return _job_of_text_or_bytes(source, options, model, shared, bounds)
    if isinstance(source, json_sources.JsonLinesSource) and not bounded:
        path = source.path
        lines = JsonLines(
            _format_for_header(source), lambda: streams.open_stream(path), options.effort
        )
        return ExactJob(lines)
    if bounded:
        why = f" ({source.reason})" if isinstance(source, FileBytes) else ""
        raise ParamError(
            f"{source.name}: {option('--max-error')} is for CSV, Parquet, Arrow, arrays and "
            f"folders of pictures{why}"
        )
    if not isinstance(source, FileBytes):
        raise DataError(f"{source.name}: is nothing that an archive can hold; write it to a file")
    content = KeptBytes(_format_for_header(source), source.stream, options.effort)
    return ExactJob(content, kept=source.reason)


def can_be_bounded(source: Opened) -> bool:
    """Whether a source holds numbers whose errors can be bounded: False for pictures, JSON lines,
    files that could not be read, tables that a plugin has read of a file, and what is stored as a
    file's bytes, such as Parquet with nested columns; True for all others, such as tables in text
    or typed columns, and arrays."""
    # the original file is stored, and not what was read of it
    if isinstance(source, CopiedTable) and source.original is not None:
        return False
    never = ImageSource | json_sources.JsonLinesSource | sources.UnreadSource | FileBytes
    # with a type that cannot be stored by itself the file is kept byte for byte, without bounds
    if isinstance(source, ArrowTable):
        return schemas.reason_against(source.schema) is None
    if isinstance(source, ArrayFile):
        return all(tensors.reason_against(member.dtype) is None for member in source.members)
    return not isinstance(source, never)


def names_of(source: Any) -> list[str]:
    """The names of a table's columns as its lossless archive has them, different for typed columns
    and arrays, as they stand in the header for text. source: a table, as for detection or as
    `opened` returns it. UnsuitedError for an array of a type that cannot be stored."""
    source = opening.of_source(source)
    if isinstance(source, sources.CsvSource):
        _, names = source_texts.header_of(source)
        return names
    if isinstance(source, ArrowTable):
        return labels_of(source.schema.names)
    if isinstance(source, ArrayFile):
        return column_labels(source)
    # no record is needed for the names
    return list(source.head(0).names)


def _readable_by_workers(source: Opened, path: Path) -> FileAt | None:
    """The location, as FileAt, from which worker processes can read the source's file themselves.
    None if they cannot, as what is stored is not the bytes of the file at `path` as they are: a
    spooled or compressed file, or a text in another encoding than UTF-8. OSError if the file is
    gone."""
    spooled = source.place is not None and source.place.spool is not None
    dialect = getattr(source, "dialect", None)
    in_utf8 = dialect is None or dialect.encoding == encodings.UTF8
    if spooled or not in_utf8 or not streams.is_uncompressed(path):
        return None
    return FileAt.of(path, source.name)


# ---- the content of each kind of source


def _format_for_header(source: Opened) -> dict[str, Json]:
    """Describe a source's format for an archive's header: source.format, and as "name" the name of
    its file without folders and .gz, .zst or .xz."""
    return {**source.format, "name": inner_name(source.name)}


def _job_of_text_or_bytes(
    source: sources.CsvSource,
    options: CompressOptions,
    model: Bundle | None,
    shared: Shared | None,
    bounds: ByColumn | None,
) -> ExactJob:
    """Prepare the archive of a text: by the model, if shared says what it knows of its columns,
    else by itself; as plain bytes where the text turns out to be no table, but NoTableError if
    bounds are asked for. bounds: the largest error by column; None: as options.max_error says.
    ParamError for a bound of a column that has no numbers."""
    try:
        if shared is not None and model is not None:
            return _job_of_text_by_model(source, model, shared, options)
        return _job_of_text(source, options, bounds)
    # its first records do not end, or are not in its encoding
    except NoTableError as error:
        if options.max_error or bounds:
            raise
        return ExactJob(_bytes_of_file(source, source.path), kept=str(error))


def _job_of_text(
    source: sources.CsvSource,
    options: CompressOptions,
    bounds: ByColumn | None,
) -> ExactJob:
    """Prepare the archive of a text by itself, exactly or within bounds, without a model's
    knowledge of it. Students, small networks that predict its cells, are trained first if
    options.effort asks for it. Within bounds columns whose decimal marks nothing tells stay exact.
    bounds: the largest error by column label, in its units; None: as options.max_error says.
    NoTableError where its first records are no table; ParamError for a bound of a column that is
    not there or has no numbers."""
    head, names = source_texts.header_of(source)
    bounded = bool(options.max_error or bounds)
    labels = labels_of(names)
    layout = Layout(
        source.dialect.rule,
        labels,
        options.effort,
        exact=not bounded,
    )
    # columns that stay exact, as nothing tells what their decimal marks mean
    unclear: Collection[str] = ()
    if bounded:
        layout, unclear = _with_decimal_marks(source, layout, options.decimal)
    if options.max_error and bounds is None:
        key_places = _places_of_keys(source, options)
        bounds = source_texts.bounds_of(
            [source],
            layout,
            options.max_error,
            names,
            key_places,
        )
    if bounds:
        moved = {label: bound for label, bound in bounds.items() if label not in unclear}
        layout = dataclasses.replace(layout, bounds=moved)
    sections: dict[str, bytes] = {}
    hints = blocks.NO_HINTS
    if options.effort.students:
        # students are small networks, fitted to this text, that predict its cells
        layout, hints = source_texts.taught(source, layout)
        if layout.students is not None:
            # decoding needs them before the first block
            sections["students"] = students.to_bytes(layout.students)
    origin = _origin(source, layout)
    origin.first = hints
    mode = BOUNDED if bounded else LOSSLESS
    content = TextTable(mode, _format_for_header(source), head, names, origin=origin)
    return ExactJob(content, sections=sections)


def _job_of_text_by_model(
    source: sources.CsvSource,
    model: Bundle,
    shared: Shared,
    options: CompressOptions,
) -> ExactJob:
    """Prepare the archive of a text table, exact or within --max-error, that is coded with what a
    model knows of its columns (shared); what the model says already is left out of the archive's
    header. options: of compress, its max_error and decimal among them. ParamError for a bound of a
    column that is not there or has no numbers, NoTableError where the first records are no
    table."""
    head, names = source_texts.header_of(source)
    bounded = bool(options.max_error)
    labels = labels_of(names)
    layout = Layout(
        source.dialect.rule,
        labels,
        options.effort,
        shared=shared,
        exact=not bounded,
    )
    # the bounds that are asked for: numbers of this text are rounded within them
    if bounded:
        layout, unclear = _with_decimal_marks(
            source, layout, options.decimal or model.reading.decimal
        )
        key_places = _places_of_keys(source, options)
        bounds = source_texts.bounds_of(
            [source],
            layout,
            options.max_error,
            names,
            key_places,
        )
        moved = {label: bound for label, bound in bounds.items() if label not in unclear}
        layout = dataclasses.replace(layout, bounds=moved)
    format = {"name": inner_name(source.name)}
    # all of it, as parts of two formats do not go together
    if source.format != shared.format:
        format |= source.format
    # a head (the header line and what is before it) that the model knows is not written
    own_head = None if head.decode("latin-1") == shared.head else head
    mode = BOUNDED if bounded else LOSSLESS
    content = TextTable(
        mode,
        format,
        own_head,
        names=None,
        shared=True,
        origin=_origin(source, layout),
    )
    return ExactJob(content, model, shared)


def _with_decimal_marks(
    source: sources.CsvSource,
    layout: Layout,
    decimal_mark: str | None,
) -> tuple[Layout, Collection[str]]:
    """(A layout with the decimal marks of a text's columns, by which their numbers are bounded; the
    labels of the columns that must stay exact, as nothing tells what their marks mean.) All of the
    text is read for it. decimal_mark: the mark that the user says, None for none."""
    marks = source_texts.marks_of([source], layout, decimal_mark)
    return dataclasses.replace(layout, marks=marks.known), marks.unclear


def _origin(source: sources.CsvSource, layout: Layout) -> TextOrigin:
    """How the content of a text is read from its file: piece by piece behind the head, in UTF-8,
    and as a stream of all bytes. layout: how the pieces are coded."""

    def pieces() -> Iterator[bytes]:
        """The source's records, without the head, as pieces of whole ones, in UTF-8."""
        behind_the_head = source_texts.pieces_of(source, layout.effort.block)
        # the first piece is the head, which the header has
        next(behind_the_head)
        yield from behind_the_head

    def stream() -> BinaryIO:
        """The source's bytes, uncompressed. DataError if the file cannot be opened."""
        return streams.open_stream(source.path)

    return TextOrigin(pieces, stream, layout, source.dialect.encoding)


def _job_of_table(
    source: ArrowTable,
    options: CompressOptions,
    bounds: ByColumn | None,
) -> ExactJob:
    """Prepare the archive of a typed table: column by column in its own types, or the file's bytes
    if a type cannot be stored. bounds: the largest error by column label; None: as
    options.max_error says. ParamError for a bound of a column that is not there or has no numbers,
    or of a table that is stored as bytes; errors of Arrow, OSError or DataError where it cannot be
    read for the bounds."""
    labels = labels_of(source.schema.names)

    def ends() -> list[Ends | None]:
        """For each column (smallest, largest) number, or None; reads all of the source: errors of
        Arrow, OSError or DataError where it cannot be read."""
        return batches.ends_of(source.schema, source.batches())

    exact_places: Collection[int] = ()
    if bounds is None:
        exact_places = _places_of_keys(source, options)
    bounds_by_place = _bounds_by_place(
        labels,
        source.schema.names,
        options,
        bounds,
        ends,
        exact_places,
    )
    try:
        content = ArrowContent.of_source(
            source,
            _format_for_header(source),
            options.effort,
            bounds_by_place,
        )
    except UnsuitedError as error:
        kept = _stored_as_bytes(source, str(error))
        return _job_of(kept, options, None, None, bounds)
    # the bytes of the file keep no bound
    file = _file_as_rival(source, options) if bounds_by_place is None else None
    return ExactJob(content, file=file)


def _places_of_keys(
    source: sources.CsvSource | ArrowTable,
    options: CompressOptions,
) -> Collection[int]:
    """Places, from 0, of the columns that a bound of all numbers leaves exact, since they name
    things, not amounts; none where no bound of all numbers is asked for. source: a table, whose
    first records tell; options: of compress, whose max_error asks for bounds."""
    # reading the first records takes time
    if "" not in options.max_error:
        return ()
    return unbounded.places_of_names(source)


def _content_of_pixels(
    source: ImageSource,
    options: CompressOptions,
    learned: PictureModel | None,
    filtered: bool,
    name: str = "",
) -> PixelArray:
    """The content of pictures of one size: exactly, or within --max-error. options: of compress;
    learned: what a model knows of pictures, None without; filtered: whether restored pictures are
    filtered, so that values may be twice as far off; name: of the array that they are, as
    --max-error may name it. ParamError for an error of any other column, or one that is no
    number."""
    levels = Levels.asked(options.max_error, source.name, name)
    bound = levels.of(SHALLOW)
    kind = BoundedPixels if bound else PixelArray
    if filtered:
        # a filter may move a restored value by as much again
        kind = FilteredPixels
        bound *= 2
    return kind(
        _format_for_header(source),
        source.shape,
        source,
        options.effort,
        learned,
        bound=bound,
    )


def _content_of_folder(
    source: FolderSource,
    options: CompressOptions,
    learned: PictureModel | None,
    filtered: bool,
) -> Folder:
    """The content of a folder: its pictures exactly, or within --max-error. options: of compress;
    learned: what a model knows of pictures, None without; filtered: whether restored pictures are
    filtered, so that values may be twice as far off. ParamError for an error where the folder has
    no pictures, for one of a single column, and for one that is no number."""
    # it may hold tables, which have bounds one by one
    if options.max_error and not source.names:
        raise ParamError(
            f"{option('--max-error')}: {source.name} is a folder, whose files are stored as "
            "they are; give one table of it"
        )
    levels = Levels.asked(options.max_error, source.name)
    bounds = Bounds(levels.of(SHALLOW), levels.of(DEEP))
    kind = Folder if bounds == EXACT else BoundedFolder
    if filtered:
        # a filter may move a restored value by as much again
        kind = FilteredFolder
        bounds = Bounds(2 * bounds.shallow, 2 * bounds.deep)
    return kind(
        _format_for_header(source),
        source,
        options.effort,
        options.keep_files,
        model=learned,
        bounds=bounds,
    )


def _job_of_arrays(
    source: ArrayFile,
    options: CompressOptions,
    bounds: ByColumn | None,
    model: Bundle | None = None,
    learned: PictureModel | None = None,
    filtered: bool = False,
) -> ExactJob:
    """Prepare the archive of a file of arrays: as pictures if it holds one array of these and
    `bounds` is None, else each array in its own type, or the file's bytes if a type cannot be
    stored. bounds: the largest error by label of a column; None: as options.max_error says. model,
    learned: of other pictures, and what it has learned; None without; filtered: whether restored
    pictures are filtered, so that values may be twice as far off. ParamError for a bound of a
    column that is not there or has no numbers, or of arrays that are stored as bytes."""
    bounded = bool(options.max_error or bounds)
    try:
        pictures = pixels_of(source)
        # bounds by column are of an array of numbers, whatever it might show
        if pictures is not None and bounds is None:
            array, *_ = source.members
            content = _content_of_pixels(pictures, options, learned, filtered, array.name)
            file = None if bounded else _file_as_rival(source, options)
            return ExactJob(content, model, file=file)
        labels = column_labels(source)
        exact_places: Collection[int] = ()
        if "" in options.max_error:
            exact_places = unbounded.labels_of_arrays(source)
        bounds_by_place = _bounds_by_place(
            labels,
            labels,
            options,
            bounds,
            lambda: ends_of(source),
            exact_places,
        )
        arrays = ArrayContent.of_source(
            source,
            _format_for_header(source),
            options.effort,
            bounds_by_place,
        )
    # an array of a type that has no form of its own here: the file's bytes, unless bounds are asked
    # for
    except UnsuitedError as error:
        file_bytes = _stored_as_bytes(source, str(error))
        return _job_of(file_bytes, options, None, None, bounds)
    file = _file_as_rival(source, options) if bounds_by_place is None else None
    return ExactJob(arrays, file=file)


def _file_as_rival(source: ArrowTable | ArrayFile, options: CompressOptions) -> TypedFile | None:
    """The source's file as a content that stores its bytes compressed as they are, to see whether
    that is smaller; None if there is no file, it has more than LARGEST bytes, or options.effort
    leaves that out. OSError if the file is gone."""
    path = source.path
    # a large file is hardly smaller as it is
    if not options.effort.whole_files or path is None or path.stat().st_size > LARGEST:
        return None
    format = {key: source.format[key] for key in ("format", "suffix")}
    format["name"] = inner_name(source.name)
    return TypedFile(format, lambda: path.open("rb"), options.effort)


def _stored_as_bytes(source: ArrowTable | ArrayFile, reason: str) -> FileBytes:
    """The bytes of a source that cannot be stored in its own types: those of its file, or of a
    table in memory as an Arrow file. reason: why not, as the archive will say."""
    if source.path is None:
        # of a table in memory those of an Arrow file
        assert isinstance(source, ArrowTable)
        content = arrow_files.file_of(source.table())
        return FileBytes(source.name, None, content, reason)
    kept = FileBytes(source.name, source.path, b"", reason.removeprefix(f"{source.name}: "))
    kept.place = source.place
    return kept


def _bounds_by_place(
    labels: Sequence[str],
    names: Sequence[str],
    options: CompressOptions,
    bounds: ByColumn | None,
    ends: Callable[[], list[Ends | None]],
    apart: Collection[int] = (),
) -> list[Fraction | None] | None:
    """For each column the largest error allowed, in its units, or None; None instead of the list if
    no bound is asked for. ParamError for a column in options.max_error that is not there or has no
    numbers, and for a text there that is no bound.

    labels: of the columns, which differ; names: theirs, which may repeat. bounds: the largest error
    by label; None: read them off options.max_error. ends: computes for each column (smallest,
    largest number), or None if it has no numbers; called only if options.max_error is read and asks
    for a bound. apart: the places, from 0, of the columns that a bound of all numbers does not
    mean; not looked at where bounds are given.
    """
    if bounds is not None:
        return [bounds.get(label) for label in labels]
    if not options.max_error:
        return None
    # ends reads the whole source
    return source_texts.allowed_by_place(options.max_error, names, ends(), apart)


def _bytes_of_file(source: Opened, path: Path) -> KeptBytes:
    """The content that stores the file at this path as bytes, those of a compressed one
    uncompressed. source: what was opened of the file, whose format and name the header has."""
    return KeptBytes(_format_for_header(source), lambda: streams.open_stream(path))
