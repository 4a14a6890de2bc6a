"""What a column of a block is made of: a meta, streams of whole numbers, blobs of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aetool.codec import spans
from aetool.codec.integers import Stream
from aetool.codec.spans import SHORT_ONE
from aetool.data.dates import DateFormat
from aetool.errors import ArchiveError
from aetool.model import Int

MOST_DECIMALS = 15  # of a float
DECIMALS = {
    "number": spans.DIGITS,
    "real": MOST_DECIMALS,
}


@dataclass(eq=False)
class Coded:
    """A column in parts: what to know (JSON), streams of whole numbers, blobs of bytes. error: the
    largest difference to the source, in its units; square: the sum of the squared ones."""

    meta: dict[str, Any]
    streams: list[Stream] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    error: float = 0.0
    square: float = 0.0


@dataclass(eq=False)
class Decoded:
    """A column of a block: which kind each cell is, the values of those that have one, raws (of
    the last kind, if it has any), and blobs."""

    meta: dict[str, Any]
    kinds: Int
    values: Int
    raws: Int
    blobs: list[bytes]


@dataclass(eq=False)
class Kind:
    """How many streams and blobs a column's meta promises, and its kinds of cells."""

    blobs: int
    kinds: int = 1
    valued: int = 1  # kinds below this have a value; 0: there is no stream of values
    raws: bool = False  # the last kind has a stream of its own

    @property
    def streams(self) -> int:
        """Streams of whole numbers: kinds, values, raws, as there are."""
        return (self.kinds > 1) + (self.valued > 0) + self.raws


def shape_of(meta: dict[str, Any]) -> Kind:
    """What belongs to a column of this meta; ArchiveError for an unknown one."""
    kind = meta["k"]
    if kind in ("text", "bytes"):
        return Kind(1, valued=0)
    if kind == "level":
        return Kind(1)
    if kind == "whole":
        return Kind(0)
    step, places = int(meta.get("q", 1)), int(meta.get("d", 0))
    most = DECIMALS.get(kind, 0)
    if not 1 <= step < 1 << 62 or not 0 <= places <= most:
        raise ArchiveError("damaged: a column's decimals are out of range")
    if kind in ("number", "date"):
        valued = len(meta["f"]) if kind == "number" else 1
        if kind == "number" and not all(0 <= int(f) <= SHORT_ONE for f in meta["f"]):
            raise ArchiveError("damaged: a column's decimals are out of range")
        if kind == "date" and not 0 <= DateFormat.of(str(meta["t"])).digits <= 9:
            raise ArchiveError("damaged: a column's dates are out of range")
        raw = bool(meta.get("r"))
        return Kind(int(raw), valued + len(meta["s"]) + raw, valued)
    if kind in ("int", "real"):
        return _native_shape(meta)
    raise ArchiveError("damaged: a column is stored in an unknown way")


def _native_shape(meta: dict[str, Any]) -> Kind:
    """Kinds of cells of whole numbers and floats in their own types."""
    kinds = 1
    # gaps, usual NaNs, and floats kept as their bits
    for key in ("z", "n", "r"):
        if meta.get(key):
            kinds += 1
    kept_as_bits = bool(meta.get("r"))
    return Kind(0, kinds, 1, kept_as_bits)


@contextmanager
def sensible() -> Iterator[None]:
    """What an archive says that makes no sense is damage, not a bug."""
    try:
        yield
    except MemoryError:
        raise ArchiveError("damaged: a block asks for more memory than there is") from None
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
        raise ArchiveError(f"damaged: a block does not make sense ({error})") from None
