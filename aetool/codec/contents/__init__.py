"""Kinds of content, a class each, and the registry that knows them by the name in a header."""

from __future__ import annotations

from aetool.canonical import Json
from aetool.codec.contents.arrays import ArrayContent, ExtrapolatedArrays
from aetool.codec.contents.arrow import ArrowContent
from aetool.codec.contents.content import Content
from aetool.codec.contents.file import TypedFile
from aetool.codec.contents.folder import BoundedFolder, FilteredFolder, Folder
from aetool.codec.contents.lines import JsonLines
from aetool.codec.contents.lossy import CorrectedTable, LossyPictures, LossyTable
from aetool.codec.contents.parts import Parts
from aetool.codec.contents.pixels import BoundedPixels, FilteredPixels, PixelArray
from aetool.codec.contents.text import TextTable
from aetool.errors import ArchiveError

# a later version of a kind is another entry: older archives stay readable
KNOWN: dict[tuple[str, int], type[Content]] = {
    (kind.name, kind.version): kind
    for kind in (
        TextTable,
        ArrowContent,
        ArrayContent,
        ExtrapolatedArrays,
        JsonLines,
        LossyTable,
        CorrectedTable,
        LossyPictures,
        PixelArray,
        BoundedPixels,
        FilteredPixels,
        Folder,
        BoundedFolder,
        FilteredFolder,
        # of several archives, read as one
        Parts,
        TypedFile,  # or KeptBytes, by what is kept
    )
}


def of_header(header: dict[str, Json]) -> Content:
    """The content that an archive's header describes: its "content" is [kind, version], the rest is
    read by the class of that kind. ArchiveError for a kind or version that is not in KNOWN, or a
    damaged schema or array; KeyError, TypeError, ValueError, AttributeError or OverflowError where
    the header lacks a part or has a wrong one."""
    name, version = header["content"]
    content_class = KNOWN.get((str(name), int(version)))
    if content_class is None:
        readable_kinds = ", ".join(f"{name} {version}" for name, version in sorted(KNOWN))
        raise ArchiveError(
            f"holds a content of kind {name!r}, version {version}; this aetool reads "
            f"{readable_kinds}"
        )
    return content_class.from_header(header)
