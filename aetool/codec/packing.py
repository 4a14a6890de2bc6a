"""Arrays and words as one compressed file: a member of a bundle, a section of an archive."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from aetool.canonical import Json, canonical, parse_canonical
from aetool.errors import ArchiveError, BundleError
from aetool.model import Array

MAX_PACKED = 1 << 28


def packed(arrays: Mapping[str, Array | np.generic], words: Mapping[str, Json]) -> bytes:
    """Write arrays and words as one safetensors file, compressed by xz; `unpacked` reads it.
    arrays: by name, of any shape and numeric type; a scalar becomes an array of no axes. words:
    JSON by name, which is kept in the file's metadata."""
    from safetensors.numpy import save

    raw = save(
        {name: np.asarray(array) for name, array in arrays.items()},
        {"aetool": canonical(words).decode()},
    )
    window = max(1 << 16, 1 << (len(raw) - 1).bit_length())  # no larger than what it looks back on
    chain = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": min(window, 1 << 26)}]
    return lzma.compress(raw, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=chain)


def unpacked(data: bytes) -> tuple[dict[str, Array], Json]:
    """Read the arrays and words that `packed` wrote: (arrays by name, words, a JSON object).
    BundleError if data is damaged or restores more than MAX_PACKED (2^28) bytes; KeyError,
    TypeError or ValueError for a file without such words. To be called within `errors_as_damage`,
    which makes BundleError of these."""
    import safetensors
    from safetensors.numpy import load

    try:
        inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        raw = inflater.decompress(data, MAX_PACKED)
        arrays = load(raw)
    except (lzma.LZMAError, EOFError, safetensors.SafetensorError) as error:
        raise BundleError(f"damaged: {error}") from None
    if not inflater.eof or inflater.unused_data:
        raise BundleError("damaged: its codec is larger than allowed")
    # a safetensors file: u64 size of its header, the header in JSON, the arrays
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return arrays, parse_canonical(str(header["__metadata__"]["aetool"]).encode())


@contextmanager
def errors_as_damage(name: str) -> Iterator[None]:
    """Context manager for reading a bundle: errors that damaged bytes cause become BundleError with
    `name`, the bundle's, at the front of the message. These are ArchiveError, BundleError,
    ValueError, KeyError, TypeError, IndexError, AttributeError and OverflowError; others pass."""
    try:
        yield
    except (ArchiveError, BundleError) as error:
        raise BundleError(f"{name}: {error}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise BundleError(f"{name}: damaged: its codec does not make sense ({error})") from None
