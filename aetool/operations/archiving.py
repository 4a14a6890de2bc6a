"""compress: data to a verified archive."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aetool.bundle import Bundle, atomic
from aetool.codec import lossless
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.data import sources, text
from aetool.data.images import ImageSource
from aetool.errors import ArchiveError, ParamError
from aetool.operations import fitting
from aetool.operations.detecting import check_kind
from aetool.operations.lossy_job import BLOCK_BYTES, CompressOptions, LossyJob, inner_name


def compress(
    data: Any,
    path: str | os.PathLike[str],
    model: Bundle | None = None,
    options: CompressOptions | None = None,
) -> dict[str, Any]:
    """Write an archive of data at path; returns its figures. Nothing is left behind on failure."""
    options = options or CompressOptions()
    if not options.lossy:
        if options.latent is not None or options.target is not None:
            raise ParamError("--latent and --target-error go with --lossy")
        return _compress_bytes(data, Path(path), options)
    if options.latent is not None and options.target is not None:
        raise ParamError("--latent and --target-error exclude each other")
    if options.target is not None and not 0 < options.target < 1:
        raise ParamError(f"--target-error must lie between 0 and 100 %, got {options.target:g}")
    source = sources.open_source(data)
    learned = model is None
    if model is None:
        model = fitting.fit(data, options.fit)
    check_kind(source, model)
    if "decoder.onnx" not in model.graphs:
        raise ParamError(f"{model.plugin} has no code: --lossy needs a model with an encoder")
    job = LossyJob(source, model, options, learned)
    return job.run(Path(path))


def _compress_bytes(data: Any, path: Path, options: CompressOptions) -> dict[str, Any]:
    """Lossless: the bytes of the file (of what is inside, if it is compressed), in blocks."""
    if not isinstance(data, str | os.PathLike):
        raise ParamError("a DataFrame has no bytes to keep: write it to a file, or use lossy=True")
    source = sources.open_source(data)
    if isinstance(source, ImageSource) and source.format["format"] == "folder":
        raise ParamError(f"{source.name}: a folder of pictures is compressed with --lossy so far")
    raw_path = source.path if hasattr(source, "path") else Path(os.fspath(data))
    table = isinstance(source, sources.CsvSource)
    seen = hashlib.sha256()
    total = 0
    with atomic(path, options.force) as file, sources.open_stream(raw_path) as stream:
        rest: Iterator[bytes] = iter(lambda: stream.read(BLOCK_BYTES), b"")
        head = b""
        if isinstance(source, sources.CsvSource):
            rest, head = _records(rest, source.dialect)
        header = {
            "mode": "lossless",
            "kind": "table" if table else "bytes",
            "format": {**source.format, "name": inner_name(source.name)},
            "head": head.hex(),
        }
        writer = Writer(file, header, {})
        seen.update(head)
        total += len(head)
        for piece in rest:
            seen.update(piece)
            total += len(piece)
            if isinstance(source, sources.CsvSource):
                rows, parts = lossless.encode_block(piece, source.dialect.delimiter)
            else:
                rows, parts = 1, [lossless.stream_of(piece)]
            writer.add(rows, parts)
        facts = {"fidelity": "bytes", "sha256": seen.hexdigest(), "source_bytes": total}
        writer.finish(facts)
        file.flush()
        _verify(Path(file.name), seen.hexdigest())
        size = file.tell()
    return {**facts, "rows": writer.rows, "archive_bytes": size}


def _records(chunks: Iterator[bytes], dialect: text.Dialect) -> tuple[Iterator[bytes], bytes]:
    """Pieces of whole records, and before them the bytes of the header record (and BOM)."""
    first = next(chunks, b"")
    head = b""
    if dialect.header and first:
        end = b"\r" if dialect.newline == "\r" else b"\n"
        inside, at = False, 0
        for at, byte in enumerate(first):  # noqa: B007
            inside ^= byte == text.QUOTE
            if byte == end[0] and not inside:
                break
        head, first = first[: at + 1], first[at + 1 :]

    def pieces() -> Iterator[bytes]:
        left = first
        while True:
            cut = text.last_end(left, dialect)
            if cut:
                yield left[:cut]
                left = left[cut:]
            more = next(chunks, b"")
            if not more:
                break
            left += more
        if left:
            yield left

    return pieces(), head


def _verify(path: Path, sha256: str) -> None:
    seen = hashlib.sha256()
    with Archive(path) as made:
        for piece in made.text(0, made.rows):
            seen.update(piece)
    if seen.hexdigest() != sha256:
        raise ArchiveError("the archive did not decode to the source; nothing was written")
