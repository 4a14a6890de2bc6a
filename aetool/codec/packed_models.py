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
    """Compress a bundle for an archive: by xz, or not at all if xz makes it no smaller."""
    # the archive has digests of its own
    squeezed = lzma.compress(bundle, check=lzma.CHECK_NONE, preset=STRONGEST)
    return min(bundle, squeezed, key=len)


def unpacked(section: bytes, where: str) -> bytes:
    """The bundle that `packed` was given; BundleError if the section is xz, and damaged, or
    restores more than MAX_BUNDLE bytes. What is no xz is returned as it is. where: the section's
    name, for messages."""
    if not section.startswith(MAGIC):
        return section
    inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
    try:
        bundle = inflater.decompress(section, MAX_BUNDLE + 1)
    except lzma.LZMAError as error:
        raise BundleError(f"{where}: damaged: {error}") from None
    is_whole = inflater.eof and not inflater.unused_data
    if len(bundle) > MAX_BUNDLE or not is_whole:
        raise BundleError(f"{where}: damaged: not one whole stream of xz")
    return bundle
