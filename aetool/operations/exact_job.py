"""Lossless and bounded archives: what of each kind of source goes into blocks, and how it is
written."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aetool.bundle import Bundle
from aetool.codec import archive as archives
from aetool.codec import arrays, blobs, blocks, folders, pictures, records, students
from aetool.codec.columns import Coded
from aetool.codec.container import Reader, Writer
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded, Layout
from aetool.codec.shared import Shared
from aetool.data import sources
from aetool.data.images import FolderSource, ImageSource
from aetool.data.table import Table
from aetool.errors import ArchiveError, ParamError
from aetool.files import path_of
from aetool.operations import texts
from aetool.operations.lossy_job import BLOCK_BYTES, CompressOptions, inner_name

MOST_CELLS = 1 << 23  # of a typed table in one block

Encode = Callable[[Any, Hints], list[Encoded]]
Bounds = Mapping[str, Fraction]


@dataclass(eq=False)
class ExactJob:
    """One lossless or bounded archive, ready to be written once.

    items: pieces of the source, each a block or a few by encode; of text a piece is (what is
    encoded, what the source holds, how many bytes at its end are not the source's). head: bytes of
    the source before the items. model: sha256 of the one that is needed to decode, and shared, what
    it knows of columns. squares: after writing, the sum of squared errors by column.
    """

    header: dict[str, Any]
    items: Iterator[Any]
    encode: Encode
    head: bytes = b""
    model: str = ""
    shared: Shared | None = None
    sections: Mapping[str, bytes] = field(default_factory=dict)
    squares: dict[str, float] = field(default_factory=dict)

    def write(self, file: BinaryIO) -> dict[str, Any]:
        """Encode the items into the file and read it back; returns the archive's figures.

        The first item is encoded alone: its plans are hints for the others, which a few threads
        encode.
        """
        seen = hashlib.sha256(self.head)
        total = len(self.head)
        errors: dict[str, float] = {}
        cut = 0
        writer = Writer(file, self.header, self.sections, self.model)
        for item, encoded in self._blocks():
            if isinstance(item, tuple):
                _, piece, cut = item
                restored = b"".join(block.restored for block in encoded)
                seen.update(restored[: len(restored) - cut])
                total += len(piece)
            for block in encoded:
                writer.add(block.rows, block.content, block.payload)
                for name, error in block.errors.items():
                    errors[name] = max(errors.get(name, 0.0), error)
                for name, square in block.squares.items():
                    self.squares[name] = self.squares.get(name, 0.0) + square
        facts: dict[str, Any] = {}
        exact = "typed" not in self.header and self.header["kind"] != "image"
        if cut:
            facts["cut"] = cut
        if self.header["mode"] == "bounded":
            facts["errors"] = {n: {"largest": e} for n, e in errors.items()}
        units = self.shared.in_units(errors) if self.shared and facts else None
        stored = facts if units is None else {**facts, "errors": units}
        writer.finish(stored, seen.digest() if exact else bytes(32))
        read_back(file)
        figures = {"rows": writer.rows, "archive_bytes": file.tell(), "source_bytes": total}
        if self.model:
            figures["shared"] = True
        return {"fidelity": archives.fidelity_of(self.header), **facts, **figures}

    def _blocks(self) -> Iterator[tuple[Any, list[Encoded]]]:
        """Each item with what it is encoded to."""
        hints = blocks.NO_HINTS

        def one(item: Any) -> tuple[Any, list[Encoded]]:
            return item, self.encode(_encoded_part(item), hints)

        for item in self.items:
            first = one(item)
            hints = first[1][-1].hints
            yield first
            break
        yield from records.ahead(one, self.items)

    def estimate(self, every: int) -> float:
        """Bytes of the archive, judged by every so-manieth item from the first; squares is then an
        estimate for the whole source, too."""
        hints = blocks.NO_HINTS
        coded = weighed = total = 0
        for number, item in enumerate(self.items):
            part = _encoded_part(item)
            total += len(part)
            if number % every:
                continue
            encoded = self.encode(part, hints)
            hints = encoded[-1].hints
            weighed += len(part)
            coded += sum(len(block.payload) for block in encoded)
            for block in encoded:
                for name, square in block.squares.items():
                    self.squares[name] = self.squares.get(name, 0.0) + square
        scale = total / max(weighed, 1)
        self.squares = {name: square * scale for name, square in self.squares.items()}
        return scale * coded + sum(len(data) for data in self.sections.values())


def _encoded_part(item: Any) -> Any:
    return item[0] if isinstance(item, tuple) else item


def read_back(file: BinaryIO) -> None:
    """What was written is there: every checksum of the file, read again."""
    file.flush()
    os.fsync(file.fileno())
    written = Reader(path_of(file))
    try:
        for number in range(len(written.blocks)):
            written.block(number)
    finally:
        written.close()


def job_of(
    source: sources.Source,
    options: CompressOptions,
    model: Bundle | None = None,
    shared: Shared | None = None,
    bounds: Bounds | None = None,
) -> ExactJob:
    """The lossless archive of a source, or the one within --max-error, by its kind.

    shared: what the model knows of the table's columns, where it is to be used. bounds: the largest
    error by column in its units, instead of those that options.max_error asks for.
    """
    bounded = bool(options.max_error or bounds)
    if isinstance(source, ImageSource):
        if bounded:
            raise ParamError("--max-error is for tables; for pictures there is --lossy")
        if isinstance(source, FolderSource):
            return _folder(source, options)
        if not options.keep_files:
            return _pixels(source, options)
    elif isinstance(source, sources.CsvSource):
        if shared is not None and model is not None:
            return _text_by_model(source, model, shared, options)
        return _text(source, options, bounds)
    elif not options.keep_files and can_be_bounded(source):
        return _typed(source, options, bounds)
    if bounded:
        raise ParamError(f"{source.name}: --max-error is for CSV, Parquet and arrays")
    if isinstance(source, sources.ArrowSource) and source.in_memory:
        raise ParamError("a DataFrame has no bytes to keep")
    return _bytes(source, Path(getattr(source, "path", source.name)))


def can_be_bounded(source: sources.Source) -> bool:
    """Whether --max-error is possible for such a source."""
    return not isinstance(source, ImageSource | sources.JsonLinesSource | sources.FrameBatches)


def names_of(source: Any) -> list[str]:
    """What the archive of a table calls its columns."""
    if isinstance(source, sources.CsvSource):
        return texts.header_of(source)[1]
    return list(source.head(0).names)


# ---- what each kind of source gives: header, items, how an item is encoded


def _text(source: sources.CsvSource, options: CompressOptions, bounds: Bounds | None) -> ExactJob:
    head, names = texts.header_of(source)
    bounded = bool(options.max_error or bounds)
    layout = Layout(source.dialect.delimiter, names, options.effort, exact=not bounded)
    if options.max_error and bounds is None:
        bounds = texts.bounds_of(source, layout, options.max_error)
    if bounds:
        layout = dataclasses.replace(layout, bounds=bounds)
    sections: dict[str, bytes] = {}
    first = blocks.NO_HINTS
    if options.effort.students:
        layout, first = texts.taught(source, layout)
        if layout.students is not None:
            sections["students"] = students.to_bytes(layout.students)
    header = {
        "mode": "bounded" if bounded else "lossless",
        "kind": "table",
        "format": {**source.format, "name": inner_name(source.name)},
        "head": head.decode("latin-1"),
        "names": names,
    }
    pieces = _pieces(source, options)
    return ExactJob(header, pieces, _encoder(layout, first), head, sections=sections)


def _text_by_model(
    source: sources.CsvSource, model: Bundle, shared: Shared, options: CompressOptions
) -> ExactJob:
    """By what a model knows of the columns; the header leaves out what the model says."""
    head, names = texts.header_of(source)
    bounded = bool(options.max_error)
    layout = Layout(
        source.dialect.delimiter, names, options.effort, shared=shared, exact=not bounded
    )
    header: dict[str, Any] = {
        "mode": "bounded" if bounded else "lossless",
        "kind": "table",
        "format": {"name": inner_name(source.name)},
        "shared": 1,
    }
    if source.format != shared.format:
        header["format"] |= source.format
    if head.decode("latin-1") != shared.head:
        header["head"] = head.decode("latin-1")
    encode = _encoder(layout, blocks.NO_HINTS)
    return ExactJob(header, _pieces(source, options), encode, head, model.sha256, shared)


def _pieces(source: sources.CsvSource, options: CompressOptions) -> Iterator[Any]:
    """Pieces of whole records behind the header record, see ExactJob.items."""
    pieces = texts.pieces_of(source, options.effort.block)
    next(pieces)
    for piece in pieces:
        ended, cut = texts.ended(piece, source.dialect)
        yield ended, piece, cut


def _encoder(layout: Layout, first: Hints) -> Encode:
    """How pieces of text are encoded; first: plans for the first."""

    def encode(piece: bytes, hints: Hints) -> list[Encoded]:
        return records.encode(piece, layout, hints if hints.shape else first)

    return encode


def _typed(
    source: sources.TableSource, options: CompressOptions, bounds: Bounds | None
) -> ExactJob:
    head = source.head(0)
    names = list(head.names)
    if options.max_error and bounds is None:
        seen: dict[str, tuple[Fraction, Fraction]] = {}
        for batch in source.batches():
            for name, values in zip(batch.names, batch.values, strict=True):
                x = values if isinstance(values, np.ndarray) and values.dtype.kind == "f" else None
                finite = x[np.isfinite(x)] if x is not None else np.zeros(0)
                if len(finite):
                    low, high = Fraction(float(finite.min())), Fraction(float(finite.max()))
                    held = seen.get(name, (low, high))
                    seen[name] = min(low, held[0]), max(high, held[1])
        bounds = texts.allowed(options.max_error, names, seen)
    allowed = dict(bounds or {})
    bounded = bool(options.max_error or bounds)
    header = {
        "mode": "bounded" if bounded else "lossless",
        "kind": "table",
        "format": {**source.format, "name": inner_name(source.name)},
        "names": names,
        "dtypes": source.dtypes,
        "typed": True,
        "kinds": {n: archives.kind_of(v) for n, v in zip(names, head.values, strict=True)},
    }

    def encode(table: Table, hints: Hints) -> list[Encoded]:
        coded = archives.typed_columns(table, allowed)
        rows = len(table)
        content, payload, after = blocks.encode(coded, rows, {}, options.effort, hints)
        back = blocks.decode(payload, rows, content)
        restored = [arrays.same(c, v) for c, v in zip(back.columns, table.values, strict=True)]
        if not allowed and not all(restored):
            raise ArchiveError("a block did not decode to its source; nothing was written")
        errors = {n: c.error for n, c in zip(table.names, coded, strict=True) if c.error}
        squares = {n: c.square for n, c in zip(table.names, coded, strict=True) if c.square}
        return [Encoded(rows, content, payload, after, errors, squares=squares)]

    def batches() -> Iterator[Table]:
        for table in source.batches():
            step = max(1, MOST_CELLS // max(1, len(names)))
            for first in range(0, len(table), step):
                yield table.take(slice(first, first + step))

    return ExactJob(header, batches(), encode)


def _bytes(source: Any, raw: Path) -> ExactJob:
    header = {
        "mode": "lossless",
        "kind": "bytes",
        "format": {**source.format, "name": inner_name(source.name)},
    }

    def pieces() -> Iterator[Any]:
        with sources.open_stream(raw) as stream:
            while data := stream.read(BLOCK_BYTES):
                yield data, data, 0

    def encode(piece: bytes, hints: Hints) -> list[Encoded]:
        coded = [Coded({"k": "bytes"}, [], [blobs.pack(piece)])]
        content, payload, after = blocks.encode(coded, 1, {}, CompressOptions().effort)
        blocks.decode(payload, 1, content)
        return [Encoded(1, content, payload, after, {}, blobs.unpack(coded[0].blobs[0]))]

    return ExactJob(header, pieces(), encode)


def _pixels(source: ImageSource, options: CompressOptions) -> ExactJob:
    header = {
        "mode": "lossless",
        "kind": "image",
        "format": {**source.format, "name": inner_name(source.name)},
        "shape": list(source.shape),
    }

    def batches() -> Iterator[Any]:
        held: list[Any] = []
        for batch in source.batches():
            held.append(batch)
            if sum(b.size for b in held) >= BLOCK_BYTES:
                yield np.concatenate(held)
                held = []
        if held:
            yield np.concatenate(held)

    def encode(pixels: Any, hints: Hints) -> list[Encoded]:
        return [pictures.encode(pixels, options.effort, hints)]

    return ExactJob(header, batches(), encode)


def _folder(source: FolderSource, options: CompressOptions) -> ExactJob:
    """Pictures of one size and mode together, by pixel; others, and those of lossy formats, which
    are smaller as they are, by their bytes."""
    header = {
        "mode": "lossless",
        "kind": "image",
        "format": {**source.format, "name": inner_name(source.name)},
        "files": True,
    }

    def items() -> Iterator[Any]:
        held: list[folders.Picture] = []
        for path, name in zip(source.files, source.names, strict=True):
            picture = folders.read(path, name, options.keep_files)
            size = sum(p.size for p in held)
            if held and (picture.key != held[0].key or size >= BLOCK_BYTES):
                yield held
                held = []
            held.append(picture)
        if held:
            yield held

    def encode(held: Any, hints: Hints) -> list[Encoded]:
        return [folders.encode(held, options.effort)]

    return ExactJob(header, items(), encode)
