"""A model inside an archive in few bytes: its bundle squeezed by xz, where that is smaller.

Most of a small bundle is text, what the columns of a table are: of 200 columns it is larger than
the decoder, and squeezed a fifth of that.
"""

from __future__ import annotations

import lzma

from aetool.bundle import MAX_BUNDLE
from aetool.errors import BundleError

# an xz stream begins so; a bundle, which is a zip file, does not
MAGIC = b"\xfd7zXZ\0"
STRONGEST = 9 | lzma.PRESET_EXTREME
MOST_MEMORY = 256 << 20  # bytes that unpacking may take, beside the bundle


def packed(bundle: bytes) -> bytes:
    """Compress a bundle, the bytes of a model's file, for an archive: by xz, or not at all if xz
    makes it no smaller. `unpacked` undoes it."""
    # the archive has digests of its own
    squeezed = lzma.compress(bundle, check=lzma.CHECK_NONE, preset=STRONGEST)
    return min(bundle, squeezed, key=len)


def unpacked(section: bytes, where: str) -> bytes:
    """The bundle that `packed` was given, from the section of an archive that it became. A section
    that is no xz, as an empty one, is returned as it is. BundleError if it is xz, and is cut short,
    has bytes behind its end, is damaged otherwise, restores more than MAX_BUNDLE bytes, or needs
    more than MOST_MEMORY (256 MiB) bytes. where: the section's name, for messages."""
    if not section.startswith(MAGIC):
        return section
    # a damaged head may ask for any dictionary
    inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
    try:
        # one byte more than is allowed: a bundle that is too large is seen by its length
        bundle = inflater.decompress(section, MAX_BUNDLE + 1)
    except lzma.LZMAError as error:
        raise BundleError(f"{where}: damaged: {error}") from None
    is_whole = inflater.eof and not inflater.unused_data
    if len(bundle) > MAX_BUNDLE or not is_whole:
        raise BundleError(f"{where}: damaged: not one whole stream of xz")
    return bundle
