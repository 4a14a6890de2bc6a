"""compress: data to a verified archive."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from aetool.bundle import Bundle, atomic, path_of
from aetool.codec import archive as archives
from aetool.codec import arrays, blobs, blocks, folders, pictures, records, students
from aetool.codec.columns import Coded
from aetool.codec.container import Reader, Writer
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded, Layout
from aetool.codec.shared import Shared, shared_of
from aetool.data import sources
from aetool.data.images import FolderSource, ImageSource
from aetool.data.table import Table
from aetool.errors import ArchiveError, ParamError
from aetool.operations import fitting, texts
from aetool.operations.detecting import check_kind
from aetool.operations.lossy_job import BLOCK_BYTES, CompressOptions, LossyJob, inner_name

MOST_CELLS = 1 << 23  # of a typed table in one block

Encode = Callable[[Any, Hints], list[Encoded]]


def compress(
    data: Any,
    path: str | os.PathLike[str],
    model: Bundle | None = None,
    options: CompressOptions | None = None,
) -> dict[str, Any]:
    """Write an archive of data at path; returns its figures. Nothing is left behind on failure."""
    options = options or CompressOptions()
    _check(options)
    if os.fspath(path) == "-":
        return _to_stdout(data, model, options)
    if not options.lossy:
        return _exactly(data, Path(path), model, options)
    source = sources.open_source(data)
    learned = model is None
    if model is None:
        model = fitting.on_the_spot(data, options.fit)
    check_kind(source, model)
    if "decoder.onnx" not in model.graphs:
        raise ParamError(f"{model.plugin} has no code: --lossy needs a model with an encoder")
    job = LossyJob(source, model, options, learned)
    return job.run(Path(path))


def _to_stdout(data: Any, model: Bundle | None, options: CompressOptions) -> dict[str, Any]:
    """Through a file: an archive is verified before a byte of it is handed on."""
    with tempfile.TemporaryDirectory(prefix="aetool-") as folder:
        made = Path(folder) / "made.aez"
        facts = compress(data, made, model, options)
        with made.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    return facts


def _check(options: CompressOptions) -> None:
    if not options.lossy and (options.latent is not None or options.target is not None):
        raise ParamError("--latent and --target-error go with --lossy")
    if options.lossy and options.max_error:
        raise ParamError("--max-error and --lossy exclude each other: the first keeps a bound on "
                         "every value, the second stores the model's code alone")  # fmt: skip
    if options.latent is not None and options.target is not None:
        raise ParamError("--latent and --target-error exclude each other")
    if options.target is not None and not 0 < options.target < 1:
        raise ParamError(f"--target-error must lie between 0 and 100 %, got {options.target:g}")
    if options.keep_files and (options.lossy or options.max_error):
        raise ParamError("--keep-files keeps the bytes: leave out --lossy and --max-error")


def _exactly(
    data: Any, path: Path, model: Bundle | None, options: CompressOptions
) -> dict[str, Any]:
    """Lossless, or within --max-error, by the kind of the source."""
    source = sources.open_source(data)
    if isinstance(source, ImageSource):
        if options.max_error:
            raise ParamError("--max-error is for tables; for pictures there is --lossy")
        if isinstance(source, FolderSource):
            return _write(path, options, *_folder(source, options))
        if not options.keep_files:
            return _write(path, options, *_pixels(source, options))
    elif isinstance(source, sources.CsvSource):
        return _write(path, options, *_text(source, model, options))
    elif not options.keep_files and not isinstance(
        source, sources.JsonLinesSource | sources.FrameBatches
    ):
        return _write(path, options, *_typed(source, options))
    if options.max_error:
        raise ParamError(f"{source.name}: --max-error is for CSV, Parquet and arrays")
    if not isinstance(data, str | os.PathLike):
        raise ParamError("a DataFrame has no bytes to keep")
    raw = getattr(source, "path", None) or Path(os.fspath(data))
    return _write(path, options, *_bytes(source, Path(raw)))


# ---- what each kind of source gives: header, items, how an item is encoded


def _text(
    source: sources.CsvSource, model: Bundle | None, options: CompressOptions
) -> tuple[dict[str, Any], Iterator[Any], Encode, bytes, str, Shared | None, dict[str, bytes]]:
    head, names = texts.header_of(source)
    shared = shared_of(model, names, options.max_error) if model is not None else None
    layout = Layout(
        source.dialect.delimiter, names, options.effort, shared=shared, exact=not options.max_error
    )
    header: dict[str, Any] = {
        "mode": "bounded" if options.max_error else "lossless",
        "kind": "table",
        "format": {**source.format, "name": inner_name(source.name)},
        "head": head.decode("latin-1"),
        "names": names,
    }
    if shared is not None and model is not None:
        header["shared"] = 1
        del header["names"]
        if head.decode("latin-1") == shared.head:
            del header["head"]
        if source.format == shared.format:
            header["format"] = {"name": inner_name(source.name)}
    if options.max_error and shared is None:
        bounds = texts.bounds_of(source, layout, options.max_error)
        layout = dataclasses.replace(layout, bounds=bounds)

    sections: dict[str, bytes] = {}
    first = blocks.NO_HINTS
    if options.effort.students and shared is None:
        layout, first = texts.taught(source, layout)
        if layout.students is not None:
            sections["students"] = students.to_bytes(layout.students)

    def encode(piece: bytes, hints: Hints) -> list[Encoded]:
        return records.encode(piece, layout, hints if hints.shape else first)

    def whole() -> Iterator[Any]:
        pieces = texts.pieces_of(source, options.effort.block)
        next(pieces)
        for piece in pieces:
            ended, cut = texts.ended(piece, source.dialect)
            yield ended, piece, cut

    named = model.sha256 if shared and model else ""
    return header, whole(), encode, head, named, shared, sections


def _typed(
    source: sources.TableSource, options: CompressOptions
) -> tuple[dict[str, Any], Iterator[Any], Encode]:
    bounds: dict[str, Fraction] = {}
    head = source.head(0)
    names = list(head.names)
    if options.max_error:
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
    header = {
        "mode": "bounded" if options.max_error else "lossless",
        "kind": "table",
        "format": {**source.format, "name": inner_name(source.name)},
        "names": names,
        "dtypes": source.dtypes,
        "typed": True,
        "kinds": {n: archives.kind_of(v) for n, v in zip(names, head.values, strict=True)},
    }

    def encode(table: Table, hints: Hints) -> list[Encoded]:
        coded = archives.typed_columns(table, bounds)
        rows = len(table)
        content, payload, after = blocks.encode(coded, rows, {}, options.effort, hints)
        back = blocks.decode(payload, rows, content)
        restored = [arrays.same(c, v) for c, v in zip(back.columns, table.values, strict=True)]
        if not bounds and not all(restored):
            raise ArchiveError("a block did not decode to its source; nothing was written")
        errors = {n: c.error for n, c in zip(table.names, coded, strict=True) if c.error}
        return [Encoded(rows, content, payload, after, errors)]

    def batches() -> Iterator[Table]:
        for table in source.batches():
            step = max(1, MOST_CELLS // max(1, len(names)))
            for first in range(0, len(table), step):
                yield table.take(slice(first, first + step))

    return header, batches(), encode


def _bytes(source: Any, raw: Path) -> tuple[dict[str, Any], Iterator[Any], Encode]:
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

    return header, pieces(), encode


def _pixels(
    source: ImageSource, options: CompressOptions
) -> tuple[dict[str, Any], Iterator[Any], Encode]:
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

    return header, batches(), encode


def _folder(
    source: FolderSource, options: CompressOptions
) -> tuple[dict[str, Any], Iterator[Any], Encode]:
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

    return header, items(), encode


# ---- writing


def _write(
    path: Path,
    options: CompressOptions,
    header: dict[str, Any],
    items: Iterator[Any],
    encode: Encode,
    head: bytes = b"",
    model: str = "",
    shared: Shared | None = None,
    sections: Mapping[str, bytes] = MappingProxyType({}),
) -> dict[str, Any]:
    """Encode items by a few threads, the first alone: its plans are hints for the others. head:
    bytes of the source before the items; model: sha256 of the one that is needed to decode, and
    what it knows of columns."""
    seen = hashlib.sha256(head)
    total = len(head)
    errors: dict[str, float] = {}
    cut = 0
    hints = blocks.NO_HINTS

    def one(item: Any) -> tuple[Any, list[Encoded]]:
        return item, encode(item[0] if isinstance(item, tuple) else item, hints)

    def all_blocks() -> Iterator[tuple[Any, list[Encoded]]]:
        nonlocal hints
        for item in items:
            first = one(item)
            hints = first[1][-1].hints
            yield first
            break
        yield from records.ahead(one, items)

    with atomic(path, options.force) as file:
        writer = Writer(file, header, sections, model)
        for item, made in all_blocks():
            if isinstance(item, tuple):
                _, piece, cut = item
                restored = b"".join(m.restored for m in made)
                seen.update(restored[: len(restored) - cut])
                total += len(piece)
            for block in made:
                writer.add(block.rows, block.content, block.payload)
                for name, error in block.errors.items():
                    errors[name] = max(errors.get(name, 0.0), error)
        facts: dict[str, Any] = {}
        exact = "typed" not in header and header["kind"] != "image"
        if cut:
            facts["cut"] = cut
        if header["mode"] == "bounded":
            facts["errors"] = {n: {"largest": e} for n, e in errors.items()}
        units = shared.in_units(errors) if shared and facts else None
        stored = facts if units is None else {**facts, "errors": units}
        writer.finish(stored, seen.digest() if exact else bytes(32))
        _read_back(file)
        size = file.tell()
    figures: dict[str, Any] = {"rows": writer.rows, "archive_bytes": size, "source_bytes": total}
    if model:
        figures["shared"] = True
    return {"fidelity": archives.fidelity_of(header), **facts, **figures}


def _read_back(file: BinaryIO) -> None:
    """What was written is there: every checksum of the file, read again."""
    file.flush()
    os.fsync(file.fileno())
    made = Reader(path_of(file))
    try:
        for number in range(len(made.blocks)):
            made.block(number)
    finally:
        made.close()
