"""Archive: a .aez file opened for reading; blocks to restored columns, pictures or bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aetool import bundle as bundles
from aetool.bundle import Bundle
from aetool.codec import lossless, rans, streams
from aetool.codec.container import Block, Reader, Stream, digest
from aetool.codec.lossy import Quantiser
from aetool.data import dates, writers
from aetool.data.images import Pixels
from aetool.data.schema import Column, Schema
from aetool.errors import AetoolError, ArchiveError, DataError
from aetool.model import Float

if TYPE_CHECKING:
    import pandas as pd

CODE = "code"
MODEL_PATH = "AETOOL_MODEL_PATH"


class Archive:
    """An archive. Everything but the blocks is verified when it is opened; each block when read.

    mode: "lossy" or "lossless"; kind: "table", "image" or "bytes"; rows: records in it.
    """

    def __init__(
        self, path: str | os.PathLike[str], model: Bundle | None = None, device: str = "auto"
    ) -> None:
        self.reader = Reader(Path(path))
        self.device = device
        try:
            header = self.reader.header
            self.mode, self.kind = str(header["mode"]), str(header["kind"])
            self.format: dict[str, Any] = dict(header["format"])
            self.columns: list[dict[str, Any]] = list(header.get("columns", []))
            self.dtypes: dict[str, str] = dict(header.get("dtypes", {}))
            if self.mode == "lossy":
                self.quantiser = Quantiser.from_json(header["quantiser"])
                self.ranges: dict[str, list[float]] = dict(header["ranges"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.reader.damaged(f"its header is not complete ({error})") from None
        self._given = model
        self._model: Bundle | None = None

    @property
    def rows(self) -> int:
        """Records in the archive."""
        return self.reader.rows

    @property
    def facts(self) -> dict[str, Any]:
        """What the footer says: fidelity, errors measured, bytes per column."""
        return {k: v for k, v in self.reader.footer.items() if k not in ("blocks", "header")}

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.rows

    @property
    def model(self) -> Bundle:
        """The model whose decoder restores: the embedded one, or the one of the recorded hash."""
        if self._model is None:
            self._model = self._find_model()
            if self._model.latent != len(self.quantiser.centre):
                raise self.reader.damaged("the model's code is of another size")
        return self._model

    def _find_model(self) -> Bundle:
        if "model" in self.reader.sections:
            return bundles.from_bytes(self.reader.sections["model"], f"{self.reader.path}: model")
        wanted = str(self.reader.header["model"])
        if self._given is not None and self._given.sha256 == wanted:
            return self._given
        for folder in filter(None, os.environ.get(MODEL_PATH, "").split(os.pathsep)):
            for candidate in sorted(Path(folder).glob("*.aem")):
                try:
                    found = bundles.load(candidate)
                except AetoolError:
                    continue
                if found.sha256 == wanted:
                    return found
        other = " (the one given with -m is another)" if self._given is not None else ""
        raise ArchiveError(
            f"{self.reader.path}: needs the model with sha256 {wanted}{other}; "
            f"give it with -m, or put its folder in ${MODEL_PATH}"
        )

    def __getitem__(self, rows: slice) -> Any:
        """Records a:b, as a DataFrame, or pictures (n, C, H, W) uint8."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError("an archive is sliced by rows: archive[a:b]")
        first, last, _ = rows.indices(self.rows)
        if self.kind == "image" and self.mode == "lossy":
            found = list(self.pictures(first, last))
            shape = self.model.shape or (0, 0, 0)
            return np.concatenate(found) if found else np.zeros((0, *shape), np.uint8)
        return self._frame(first, last)

    def to_pandas(self) -> pd.DataFrame:
        """All records of a table as a DataFrame, dtypes as they were."""
        return self._frame(0, self.rows)

    def _frame(self, first: int, last: int) -> pd.DataFrame:
        if self.mode != "lossy" or self.kind != "table":
            raise DataError(
                f"{self.reader.path}: holds a file's bytes; decompress it, then read the file"
            )
        batches = list(self.tables(first, last))
        return writers.frame_of(batches, self.dtypes, self.format.get("pandas", {}))

    def _blocks(self, first: int, last: int) -> Iterator[tuple[Block, slice]]:
        for number, info in enumerate(self.reader.blocks):
            if info.first < last and info.first + info.rows > first:
                inside = slice(max(first - info.first, 0), min(last - info.first, info.rows))
                yield self.reader.block(number), inside

    def tables(self, first: int, last: int) -> Iterator[writers.Columns]:
        """Records first:last as restored columns, block by block (one empty batch if none)."""
        some = False
        for block, inside in self._blocks(first, last):
            some = True
            columns = self._table(block)
            yield {n: v[inside] for n, v in columns.items()}
        if not some:
            yield {n: v[:0] for n, v in self._table(_empty_block(self)).items()}

    def _table(self, block: Block) -> writers.Columns:
        stored = [c for c in self.columns if c["stored"] != "model"]
        if len(block.streams) != 2 + len(stored):
            raise self.reader.damaged("a block has not the columns that the header promises")
        x = self.restore(self._codes(block), self.ranges)
        if self.model.schema:
            put_gaps(self.model.schema, x, _raw(block.streams[1]))
        modelled = self.model.schema.modelled if self.model.schema else ()
        place = {c.name: i for i, c in enumerate(modelled)}
        exact = iter(block.streams[2:])
        out: writers.Columns = {}
        for entry in self.columns:
            name = str(entry["name"])
            if entry["stored"] == "model":
                out[name] = values_of(modelled[place[name]], x[:, place[name]])
            else:
                out[name] = read_exact(entry, next(exact), block.rows)
        return out

    def _codes(self, block: Block) -> Any:
        stream = block.streams[0]
        width = len(self.quantiser.kept)
        if stream.coder != streams.RANS or stream.raw_length != 8 * block.rows * width:
            raise self.reader.damaged("a block's code is not of the promised size")
        q = rans.decode_table(stream.data, block.rows, width)
        if digest(q.astype("<i8").tobytes()) != stream.digest:
            raise self.reader.damaged("a block's code does not match its digest")
        return q

    def restore(self, q: Any, ranges: dict[str, list[float]] | None = None) -> Any:
        """Quantised codes to records in user units, numbers within the file's own range and on
        their column's grid; or to pixels."""
        z = self.quantiser.restore(q)
        return decode(self.model, z, self.device, ranges)

    def pictures(self, first: int, last: int) -> Iterator[Pixels]:
        """Pictures first:last, block by block."""
        for block, inside in self._blocks(first, last):
            yield self.restore(self._codes(block)[inside])

    def names(self) -> list[str]:
        """The pictures' names; empty if they had none."""
        out: list[str] = []
        for number in range(len(self.reader.blocks)):
            block = self.reader.block(number)
            if len(block.streams) > 1:
                raw = _raw(block.streams[1])
                out += [n or "" for n in streams.decode_text(raw, block.rows)]
        return out

    def text(self, first: int, last: int) -> Iterator[bytes]:
        """The file's bytes; of a table in text, its head and records first:last."""
        whole = (first, last) == (0, self.rows)
        if not whole and self.kind != "table":
            raise DataError(f"{self.reader.path}: holds bytes, not records: --rows cannot be used")
        if self.kind == "table":
            yield bytes.fromhex(str(self.reader.header["head"]))
        for block, inside in self._blocks(first, last) if not whole else self._all():
            yield lossless.decode_block([(s, _raw(s)) for s in block.streams], block.rows, inside)

    def _all(self) -> Iterator[tuple[Block, slice]]:
        for number, info in enumerate(self.reader.blocks):
            yield self.reader.block(number), slice(0, info.rows)

    def check(self) -> None:
        """Decode every block and compare it with its digests; ArchiveError at the first that
        differs."""
        if self.mode == "lossy":
            for block, _ in self._all():
                self._codes(block)
                for stream in block.streams[1:]:
                    _raw(stream)
            return
        for _ in self.text(0, self.rows):
            pass


def _empty_block(archive: Archive) -> Block:
    codes = np.zeros((0, len(archive.quantiser.kept)), np.int64)
    parts = [Stream(streams.RANS, rans.encode_table(codes), 0, digest(b""))]
    parts.append(lossless.stream_of(gaps_of(np.zeros((0, 1)))))
    for entry in archive.columns:
        if entry["stored"] != "model":
            raw = b"\0" if entry["stored"] == "text" else b""
            parts.append(Stream(streams.STORED, raw, len(raw), digest(raw)))
    return Block(0, 0, parts, b"")


def _raw(stream: Stream) -> bytes:
    raw = streams.unpack(stream.coder, stream.data, stream.raw_length)
    if digest(raw) != stream.digest:
        raise ArchiveError("damaged: a column does not match its digest")
    return raw


def decode(model: Bundle, z: Any, device: str, ranges: dict[str, list[float]] | None = None) -> Any:
    """Codes (rows, latent) to (rows, columns) float64 on each column's grid, or pixels uint8."""
    x = model.session("decoder.onnx", device)(np.ascontiguousarray(z, dtype=np.float32))["x_hat"]
    if model.schema is None:
        return np.rint(x).astype(np.uint8)
    for i, column in enumerate(model.schema.modelled):
        if column.kind == "number":
            low, high = (ranges or {}).get(column.name, (column.low, column.high))
            x[:, i] = np.clip(on_grid(column, x[:, i]), low, high)
    return x


def gaps_of(x: Float) -> bytes:
    """Where values are missing, as bits row by row; b"" if nowhere. x: (rows, columns)."""
    gaps = np.isnan(x)
    return np.packbits(gaps).tobytes() if gaps.any() else b""


def put_gaps(schema: Schema, x: Float, raw: bytes) -> None:
    """Makes x, (rows, columns), missing exactly where gaps_of saw it missing. A number the decoder
    took for a gap becomes its column's median, a category its commonest level."""
    gaps = np.zeros(x.shape, np.bool_)
    if raw:
        if len(raw) != -(-x.size // 8):
            raise ArchiveError("damaged: the gaps of a block do not fit its columns")
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=x.size)
        gaps = bits.astype(np.bool_).reshape(x.shape)
    for i, column in enumerate(schema.modelled):
        filler = column.center if column.kind == "number" else 0.0
        x[:, i] = np.where(gaps[:, i], np.nan, np.where(np.isnan(x[:, i]), filler, x[:, i]))


def on_grid(column: Column, x: Float) -> Float:
    """Numbers rounded to the decimals their column is written with; true floats as they are."""
    if column.decimals is None:
        return x
    unit = 10.0**column.decimals
    return np.asarray(np.rint(x * unit) / unit)


def values_of(column: Column, x: Float) -> writers.Restored:
    """A restored column: categories as their text, numbers as they are."""
    if column.kind != "category":
        return x
    levels: list[str | None] = [*column.levels, None]
    index = np.where(np.isnan(x), len(column.levels), x).astype(np.int64)
    return [levels[i] for i in index.tolist()]


def read_exact(entry: dict[str, Any], stream: Stream, rows: int) -> writers.Restored:
    """A column that is stored as it is."""
    raw = _raw(stream)
    kind = entry["stored"]
    if kind == "text":
        return streams.decode_text(raw, rows)
    if kind == "dates":
        ticks = streams.decode_integers(raw, rows) / int(entry["unit"])
        return list(dates.render(ticks, str(entry["format"])))
    if kind == "moments":
        return np.asarray(streams.decode_integers(raw, rows).view("datetime64[us]"))
    if kind == "floats" and len(raw) == 8 * rows:
        planes = np.frombuffer(raw, np.uint8).reshape(8, rows)
        return np.ascontiguousarray(planes.T).view("<f8").reshape(rows)
    raise ArchiveError(f"damaged: column {entry['name']} is stored in an unknown way")
