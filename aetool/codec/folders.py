"""Files of a folder of pictures to blocks and back: pixels and mode, or the file's bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aetool.codec import blocks, pictures, planning, spans
from aetool.codec.blocks import Block
from aetool.codec.columns import Coded, sensible
from aetool.codec.records import Encoded
from aetool.data import images
from aetool.errors import ArchiveError


@dataclass(frozen=True, eq=False)
class Picture:
    """A file: its name in the folder, its pixels (C, H, W) uint8 and mode, or else its bytes."""

    name: str
    mode: str = ""
    pixels: Any = None
    raw: bytes = b""

    @property
    def key(self) -> Any:
        """What pictures of one block have in common."""
        return (self.mode, *self.pixels.shape) if self.pixels is not None else None

    def same(self, other: Picture) -> bool:
        """Whether another has the same name, mode, and pixels or bytes."""
        if (self.name, self.key) != (other.name, other.key) or self.raw != other.raw:
            return False
        return self.pixels is None or bool((self.pixels == other.pixels).all())

    @property
    def size(self) -> int:
        """Bytes, as it is in memory."""
        return int(self.pixels.size) if self.pixels is not None else len(self.raw)


def read(path: Path, name: str, keep: bool) -> Picture:
    """A file; keep: its bytes whatever it holds."""
    found = None if keep else images.plain_pixels(path)
    if found is None:
        return Picture(name, raw=path.read_bytes())
    return Picture(name, *found)


def encode(held: list[Picture], effort: planning.Effort) -> Encoded:
    """A block of pictures with one key."""
    words: dict[str, Any] = {"names": [p.name for p in held]}
    if held[0].pixels is None:
        coded = [Coded({"k": "bytes"}, [], [spans.pack_cells([p.raw for p in held])])]
        content, payload, after = blocks.encode(coded, len(held), words, effort)
        made = Encoded(len(held), content, payload, after)
    else:
        words["mode"] = held[0].mode
        made = pictures.encode(np.stack([p.pixels for p in held]), effort, words=words)
    return made


@sensible()
def decode(content: Block, rows: int) -> list[Picture]:
    """The files of a block."""
    names = [str(n) for n in content.words["names"]]
    if len(names) != rows:
        raise ArchiveError("damaged: a block has not the names of its pictures")
    if "mode" in content.words:
        mode, found = str(content.words["mode"]), pictures.decode(content, rows)
        return [Picture(n, mode, p) for n, p in zip(names, found, strict=True)]
    cells = spans.unpack_cells(content.columns[0].blobs[0], rows).bytes()
    return [Picture(n, raw=c) for n, c in zip(names, cells, strict=True)]
