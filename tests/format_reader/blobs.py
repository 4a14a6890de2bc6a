"""Blobs and the cells in them (FORMAT.md, section 3)."""

import bz2
import lzma
from itertools import pairwise

import numpy as np

from tests.format_reader.container import check, varint
from tests.format_reader.mixing import text_of

LZMA2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 8 << 20}]
STAGES = {
    0: bytes,
    1: lambda data: lzma.decompress(data, lzma.FORMAT_RAW, None, LZMA2),
    2: bz2.decompress,
}


def blob(data):
    head, rest = varint(data)
    size, stage = head >> 3, head & 7
    raw = text_of(rest, size, widely=stage == 5) if stage in (4, 5) else STAGES[stage](rest)
    check(len(raw) == head >> 3, "the length of a blob")
    return raw


def cells(data, count):
    raw = blob(data)
    if raw[0] == 0:
        return raw[1:].split(b"\n")
    if raw[0] == 2:
        return [cell.replace(raw[1:2], b"\n") for cell in raw[2:].split(b"\n")]
    ends = np.cumsum([1 + 4 * count, *np.frombuffer(raw, "<u4", count, 1)]).tolist()
    return [raw[begin:end] for begin, end in pairwise(ends)]
