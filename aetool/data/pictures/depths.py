"""Pictures of a folder whose values all have one depth, picture by picture.

The error of a folder is told by one number where its values have one scale: as many bits each,
whatever the sizes and colours of its pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from aetool.data.images import FolderSource
from aetool.data.pictures.decoding import Sight, Values
from aetool.errors import DataError, ParamError

# bits of a value, by the types that an archive stores by pixel
DEPTHS = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16}
AS_ONE_DEPTH = "bring them to one depth"


def values_of_one_depth(source: FolderSource, unread: list[str]) -> Iterator[Values]:
    """Yield the values of each picture of a folder that can be read, in order, (height, width) if
    it is gray or (height, width, 3) in colour, all of them uint8 or all of them uint16. Sizes and
    colours may differ. unread: gets "name: reason" of each picture that cannot be read.

    While they are yielded: ParamError for pictures of several depths, of other numbers, or with
    transparent parts; DataError where none can be read, or the folder has none.
    """
    bits_of_first = 0
    for record, picture in enumerate(source.pictures()):
        if isinstance(picture, str):
            # an archive stores it as the file that it is, which loses nothing
            unread.append(f"{source.titles[record]}: {picture}")
            continue
        if picture.alpha is not None:
            _refuse(source, record, "has transparent parts", "lay them on a background")
        values = picture.pixels
        if values.dtype not in DEPTHS or _is_cut(source.sights[record]):
            _refuse(source, record, "has values of another kind", AS_ONE_DEPTH)
        bits = DEPTHS[values.dtype]
        bits_of_first = bits_of_first or bits
        # a level of 16 bits is a 257th of one of 8: errors of both have no common unit
        if bits != bits_of_first:
            fault = f"has {bits} bits a value, and others {bits_of_first}"
            _refuse(source, record, fault, AS_ONE_DEPTH)
        yield values
    if not bits_of_first and unread:
        raise DataError(f"{source.name}: no picture in it can be read: {unread[0]}")
    if not bits_of_first:
        raise DataError(source.why_empty())


def _is_cut(sight: Sight | str) -> bool:
    """Whether only the upper 8 bits of a picture's deeper values are read; False for a reason, a
    str, in place of its sight."""
    return isinstance(sight, Sight) and sight.cut


def _refuse(source: FolderSource, record: int, fault: str, way_out: str) -> NoReturn:
    """Raise a ParamError that says what is odd about picture number `record`, from 0, what is
    wanted instead, and the way out. fault: what is odd, in words to go behind the picture's name;
    way_out: what to do with the pictures first, such as AS_ONE_DEPTH."""
    raise ParamError(
        f"{source.name}: {source.titles[record]} {fault}; errors of a folder are told of opaque "
        f"pictures that all have 8, or all have 16, bits a value: {way_out} first"
    )
