"""Archive: a .aez file opened for reading; blocks to restored columns, pictures or bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aetool import bundle as bundles
from aetool.bundle import Bundle
from aetool.codec import arrays, blobs, blocks, folders, pictures, records, shared
from aetool.codec.blocks import Content
from aetool.codec.columns import Coded, Decoded
from aetool.codec.container import Block, Reader
from aetool.codec.lossy import Quantiser
from aetool.codec.shared import Shared
from aetool.codec.students import Students, from_bytes
from aetool.data import writers
from aetool.data.images import Pixels
from aetool.data.schema import Column, Schema
from aetool.data.table import Cells, Table, Values
from aetool.errors import AetoolError, ArchiveError, DataError, ParamError
from aetool.model import Float

if TYPE_CHECKING:
    import pandas as pd

CODE = "code"
MODEL_PATH = "AETOOL_MODEL_PATH"


class Archive:
    """An archive. Everything but the blocks is verified when it is opened; each block when read.

    mode: "lossless", "bounded" or "lossy"; kind: "table", "image" or "bytes"; rows: records in it.
    lenient: damaged parts are left out; `lost` says which.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: Bundle | None = None,
        device: str = "auto",
        lenient: bool = False,
    ) -> None:
        self.reader = Reader(Path(path), lenient)
        self.device, self.lenient = device, lenient
        try:
            header = self.reader.header
            self.mode, self.kind = str(header["mode"]), str(header["kind"])
            self._format: dict[str, Any] = dict(header["format"])
            self.typed = bool(header.get("typed"))
            self.columns: list[dict[str, Any]] = list(header.get("columns", []))
            self.dtypes: dict[str, str] = dict(header.get("dtypes", {}))
            self.shape: list[int] = [int(v) for v in header.get("shape", [])]
            if self.mode == "lossy":
                self.quantiser = Quantiser.from_json(header["quantiser"])
                self.ranges: dict[str, list[float]] = dict(header["ranges"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.reader.damaged(f"its header is not complete ({error})") from None
        self._given = model
        self._model: Bundle | None = None
        self._shared: Shared | None = None
        self._students: Students | None = None

    @property
    def format(self) -> dict[str, Any]:
        """How the source was written; where the header does not say, its model does."""
        if "format" not in self._format:
            self._format = {**self._foreseen.format, **self._format}
        return self._format

    @property
    def rows(self) -> int:
        """Records in the archive."""
        return self.reader.rows

    @property
    def lost(self) -> list[str]:
        """What a lenient reading had to leave out."""
        return self.reader.lost

    @property
    def facts(self) -> dict[str, Any]:
        """Fidelity, and what the footer says: the hash of what is restored, errors measured."""
        found = {"fidelity": fidelity_of(self.reader.header), **self.reader.facts}
        sha = self.reader.sha256.hex()
        if isinstance(found.get("errors"), list):
            errors = self._foreseen.in_numbers(found["errors"])
            found["errors"] = {n: {"largest": e} for n, e in errors.items()}
        return found | ({"sha256" if len(sha) == 64 else "sha256_begins": sha} if sha else {})

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.rows

    # ---- the model

    @property
    def model(self) -> Bundle:
        """The model that restores: the embedded one, or the one of the recorded hash."""
        if self._model is None:
            self._model = self._find_model()
            if self.mode == "lossy" and self._model.latent != len(self.quantiser.centre):
                raise self.reader.damaged("the model's code is of another size")
        return self._model

    def _find_model(self) -> Bundle:
        if "model" in self.reader.sections:
            return bundles.from_bytes(self.reader.sections["model"], f"{self.reader.path}: model")
        wanted = self.reader.model.hex()
        if self._given is not None and self._given.sha256.startswith(wanted):
            return self._given
        for folder in filter(None, os.environ.get(MODEL_PATH, "").split(os.pathsep)):
            for candidate in sorted(Path(folder).glob("*.aem")):
                try:
                    found = bundles.load(candidate)
                except AetoolError:
                    continue
                if found.sha256.startswith(wanted):
                    return found
        other = " (the one given with -m is another)" if self._given is not None else ""
        raise ArchiveError(
            f"{self.reader.path}: needs the model whose sha256 begins {wanted}{other}; "
            f"give it with -m, or put its folder in ${MODEL_PATH}"
        )

    @property
    def shared(self) -> Shared | None:
        """What the model of a lossless or bounded archive knows of its columns; None without."""
        if self._shared is None and self.mode != "lossy" and "shared" in self.reader.header:
            self._shared = shared.shared_of(self.model)
            if self._shared is None:
                raise self.reader.damaged("its model knows nothing of columns")
        return self._shared

    @property
    def _foreseen(self) -> Shared:
        if self.shared is None:
            raise self.reader.damaged("its header says too little")
        return self.shared

    @property
    def students(self) -> Students | None:
        """Those that the archive carries, or its shared model has."""
        if self._students is None and "students" in self.reader.sections:
            name = f"{self.reader.path}: students"
            self._students = from_bytes(self.reader.sections["students"], name)
        return self._students or (self.shared.students if self.shared else None)

    # ---- blocks

    def _blocks(self, first: int, last: int) -> Iterator[tuple[Block, Content, slice]]:
        """Blocks with rows first:last, decoded ahead by a few threads, and which of their rows."""
        _ = self.students  # found before threads ask for them

        def numbers() -> Iterator[int]:
            for number, info in enumerate(self.reader.blocks):
                whole = (first, last) == (0, self.rows)
                if whole or (info.first < last and info.first + info.rows > first):
                    yield number

        for number, found in records.ahead(self._content, numbers()):
            info = self.reader.blocks[number]
            if isinstance(found, ArchiveError):
                if not self.lenient:
                    raise found
                self.lost.append(f"records {info.first} to {info.first + info.rows - 1}")
                continue
            inside = slice(max(first - info.first, 0), min(last - info.first, info.rows))
            yield (*found, inside)

    def _content(self, number: int) -> tuple[int, tuple[Block, Content] | ArchiveError]:
        try:
            block = self.reader.block(number)
            try:
                content = self._decoded(block, self.students)
            except ArchiveError:
                if self.students is None or not self.students.of:
                    raise
                # the payload is whole: floats that are not the norm's are found out, and mended
                content = self._decoded(block, self.students.by_reference())
            return number, (block, content)
        except ArchiveError as error:
            return number, self.reader.damaged(f"block {number}: {error}")

    def _decoded(self, block: Block, students: Students | None) -> Content:
        return blocks.decode(block.payload, block.rows, block.content, self.shared, students)

    def sizes(self) -> dict[str, dict[str, int]]:
        """Bytes by column and coder, over all blocks."""
        out: dict[str, dict[str, int]] = {}
        names = self.names()
        for _, content, _ in self._blocks(0, self.rows):
            if content.joined:
                held = out.setdefault("streams of small blocks", {})
                held["joined"] = held.get("joined", 0) + content.joined
            for place, sizes in enumerate(content.sizes):
                regular = len(content.sizes) == len(names)
                other = "irregular records" if self.kind == "table" else self.kind
                held = out.setdefault(names[place] if regular else other, {})
                for coder, size in sizes.items():
                    held[coder] = held.get(coder, 0) + size
        some = {name: {c: s for c, s in held.items() if s} for name, held in out.items()}
        return {name: held for name, held in some.items() if held}

    def names(self) -> list[str]:
        """The columns' names; of a lossy archive the parts of a block."""
        if self.mode == "lossy":
            return self._parts()
        if self.kind == "table":
            return [str(n) for n in self.reader.header.get("names") or self._foreseen.names]
        return [self.kind]

    def _parts(self) -> list[str]:
        codes = [f"{CODE} {u}" for u in self.quantiser.kept]
        if self.kind == "image":
            return [*codes, *(["names"] if self.reader.header.get("named") else [])]
        apart = [str(c["name"]) for c in self.columns if c["stored"] != "model"]
        return [*codes, "gaps", *apart]

    # ---- records

    def __getitem__(self, rows: slice) -> Any:
        """Records a:b, as a DataFrame, or pictures (n, C, H, W) uint8."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError("an archive is sliced by rows: archive[a:b]")
        first, last, _ = rows.indices(self.rows)
        if self.kind == "image" and self.mode != "lossy" and self.format["format"] == "folder":
            return [p.pixels for p in self.files(first, last)]
        if self.kind == "image":
            found = list(self.pictures(first, last))
            shape = self.shape or (self.model.shape or (0, 0, 0))
            return np.concatenate(found) if found else np.zeros((0, *shape), np.uint8)
        return self._frame(first, last)

    def to_pandas(self) -> pd.DataFrame:
        """All records of a table as a DataFrame, dtypes as they were."""
        return self._frame(0, self.rows)

    def _frame(self, first: int, last: int) -> pd.DataFrame:
        if self.kind != "table":
            raise DataError(
                f"{self.reader.path}: holds a file's bytes; decompress it, then read the file"
            )
        if self.mode != "lossy" and not self.typed:
            return writers.frame_of_text(
                b"".join(self.text(first, last)), self.format, self.names()
            )
        batches = list(self.tables(first, last))
        return writers.frame_of(batches, self.dtypes, self.format.get("pandas", {}))

    def tables(self, first: int, last: int) -> Iterator[writers.Columns]:
        """Records first:last as restored columns, block by block (one empty batch if none)."""
        some = False
        restored = self._typed if self.typed else self._table
        for block, content, inside in self._blocks(first, last):
            some = True
            yield {n: v[inside] for n, v in restored(content, block.rows).items()}
        if not some:
            yield from self._nothing()

    def _nothing(self) -> Iterator[writers.Columns]:
        """No records of the right columns."""
        out: writers.Columns = {}
        if self.typed:
            kinds = self.reader.header.get("kinds", {})
            for name in self.names():
                out[name] = _empty(str(kinds.get(name, "cells")))
        else:
            schema = self.model.schema
            words = {c.name for c in schema.modelled if c.kind == "category"} if schema else set()
            for entry in self.columns:
                stored, name = str(entry["stored"]), str(entry["name"])
                carried = "cells" if name in words else "floats"
                out[name] = _empty(carried if stored == "model" else stored)
        yield out

    def _typed(self, content: Content, rows: int) -> writers.Columns:
        names = self.names()
        if len(names) != len(content.columns):
            raise self.reader.damaged("a block has not the columns that the header promises")
        return {n: restored(c) for n, c in zip(names, content.columns, strict=True)}

    def _table(self, content: Content, rows: int) -> writers.Columns:
        if len(content.columns) != len(self._parts()):
            raise self.reader.damaged("a block has not the columns that the header promises")
        width = len(self.quantiser.kept)
        x = self.restore(codes_of(content, width), self.ranges)
        if self.model.schema:
            put_gaps(self.model.schema, x, blobs.unpack(content.columns[width].blobs[0]))
        modelled = self.model.schema.modelled if self.model.schema else ()
        place = {c.name: i for i, c in enumerate(modelled)}
        exact = iter(content.columns[width + 1 :])
        out: writers.Columns = {}
        for entry in self.columns:
            name = str(entry["name"])
            if entry["stored"] == "model":
                out[name] = values_of(modelled[place[name]], x[:, place[name]])
            else:
                out[name] = restored(next(exact))
        return out

    def restore(self, q: Any, ranges: dict[str, list[float]] | None = None) -> Any:
        """Quantised codes to records in user units, numbers within the file's own range and on
        their column's grid; or to pixels."""
        z = self.quantiser.restore(q)
        return decode(self.model, z, self.device, ranges)

    def codes(self) -> Iterator[Any]:
        """The codes of a lossy archive as the decoder takes them, block by block; no record is
        decoded."""
        for _, content, _ in self._blocks(0, self.rows):
            yield self.quantiser.restore(codes_of(content, len(self.quantiser.kept)))

    def pictures(self, first: int, last: int) -> Iterator[Pixels]:
        """Pictures first:last, block by block."""
        for block, content, inside in self._blocks(first, last):
            if self.mode == "lossy":
                yield self.restore(codes_of(content, len(self.quantiser.kept))[inside])
            else:
                yield pictures.decode(content, block.rows)[inside]

    def files(self, first: int, last: int) -> Iterator[folders.Picture]:
        """Files first:last of a folder of pictures."""
        for block, content, inside in self._blocks(first, last):
            yield from folders.decode(content, block.rows)[inside]

    def picture_names(self) -> list[str]:
        """The pictures' names; empty if they had none."""
        out: list[str] = []
        if self.reader.header.get("named"):
            for _, content, _ in self._blocks(0, self.rows):
                out += [n or "" for n in arrays.decode_cells(content.columns[-1])]
        return out

    def text(self, first: int, last: int, wanted: Sequence[str] | None = None) -> Iterator[bytes]:
        """The file's bytes; of a table in text, its head and records first:last, of the columns
        wanted (None: all)."""
        whole = (first, last) == (0, self.rows)
        if self.kind != "table" and (wanted is not None or not whole):
            raise DataError(
                f"{self.reader.path}: holds bytes, not records: --rows and --columns cannot be used"
            )
        delimiter = str(self.format.get("delimiter", ","))
        places = None
        if wanted is not None:
            places = self.places(wanted)
        if self.kind == "table":
            yield self._head(places, delimiter)
        cut = int(self.reader.facts.get("cut", 0)) if places is None else 0
        held = b""
        for block, content, inside in self._blocks(first, last):
            if held:
                yield held
            held = records.decode(content, delimiter, block.rows, inside, places)
            if block.first + (inside.stop or 0) < self.rows or not cut:
                yield held
                held = b""
        if held:
            yield held[: len(held) - cut]

    def places(self, wanted: Sequence[str]) -> list[int]:
        """Where the columns called so are; ParamError for one that is not there."""
        names = self.names()
        for name in wanted:
            if name not in names:
                raise ParamError(f"--columns: no column '{name}'; there are {', '.join(names)}")
        return [names.index(n) for n in wanted]

    def _head(self, places: list[int] | None, delimiter: str) -> bytes:
        head = self.reader.header.get("head")
        raw = str(self._foreseen.head if head is None else head).encode("latin-1")
        if places is None or not raw:
            return raw
        from aetool.codec import spans

        end = b"\r\n" if raw.endswith(b"\r\n") else b"\n"
        found = spans.split(raw.rstrip(b"\r\n") + b"\n", ord(delimiter))
        if found is None or found[2] != len(self.names()):
            raise self.reader.damaged("its head cannot be cut into columns")
        cells = [raw[a:b] for a, b in zip(found[0], found[1], strict=True)]
        return delimiter.encode().join(cells[p] for p in places) + end

    def check(self) -> None:
        """Decode every block and compare it with its digests; ArchiveError at the first that
        differs."""
        for block, content, _ in self._blocks(0, self.rows):
            if self.mode == "lossy":
                codes_of(content, len(self.quantiser.kept))
            elif self.kind == "image" and self.format["format"] == "folder":
                folders.decode(content, block.rows)
            elif self.kind == "image":
                pictures.decode(content, block.rows)
            elif self.typed:
                self._typed(content, block.rows)
            else:
                delimiter = str(self.format.get("delimiter", ","))
                records.decode(content, delimiter, block.rows, slice(0, block.rows))


def fidelity_of(header: dict[str, Any]) -> str:
    """What an archive of this header restores: lossless (every byte), values, pixels, bounded or
    lossy."""
    if header["mode"] != "lossless":
        return str(header["mode"])
    if header["kind"] == "image":
        return "pixels" if header["format"]["format"] == "folder" else "values"
    return "values" if header.get("typed") else "lossless"


def _empty(kind: str) -> writers.Restored:
    if kind == "cells":
        return []
    return np.zeros(0, "datetime64[us]" if kind == "moments" else np.float64)


def kind_of(values: Values) -> str:
    """cells, floats or moments."""
    if isinstance(values, Cells):
        return "cells"
    return "moments" if values.dtype.kind == "M" else "floats"


def typed_columns(table: Table, bounds: dict[str, Fraction]) -> list[Coded]:
    """The columns of a typed table, ready to be coded."""
    return [
        arrays.encode_cells(v) if isinstance(v, Cells) else arrays.encode_array(v, bounds.get(n))
        for n, v in zip(table.names, table.values, strict=True)
    ]


def restored(column: Decoded) -> writers.Restored:
    """A column of a typed table."""
    if column.meta["k"] in ("float", "moment"):
        return arrays.decode_array(column)
    return arrays.decode_cells(column)


def codes_of(content: Content, width: int) -> Any:
    """The quantised codes of a lossy block, (rows, width) int64."""
    held = content.columns[:width]
    if any(c.meta["k"] != "whole" for c in held):
        raise ArchiveError("damaged: a block's code is not stored as such")
    if not held:
        return np.zeros((len(content.columns[0].kinds) if content.columns else 0, 0), np.int64)
    return np.stack([c.values for c in held], axis=1)


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
