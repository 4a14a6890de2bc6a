"""The .aez container: header, sections, independent blocks, footer; every byte under a digest.

    digests     what guards bytes against accidents, and binds the parts of an archive together
    layout      marks and sizes
    block       a block's head, and where it lies
    footer      the index of blocks, and what seals all of them
    piece       a small archive of one block
    writer      front to back, without knowing beforehand how many blocks there will be
    reader      strict: every length, count and offset is checked before anything is allocated
    recovery    lenient: whatever is left of a damaged archive

The layouts are drawn in FORMAT.md, beside this package.
"""

from __future__ import annotations

from aetool.codec.container.block import BlockPlace as BlockPlace
from aetool.codec.container.block import StoredBlock as StoredBlock
from aetool.codec.container.layout import MAGIC as MAGIC
from aetool.codec.container.layout import lost_records as lost_records
from aetool.codec.container.reader import Reader as Reader
from aetool.codec.container.recovery import RecoveringReader as RecoveringReader
from aetool.codec.container.writer import Writer as Writer
