"""Columns of a block: which parts each has, and what they hold (FORMAT.md, section 3)."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tests.format_reader.coded import pictures
from tests.format_reader.container import blake, check, varint, words
from tests.format_reader.mixing import text_of
from tests.format_reader.streams import Streams

PLAIN = {"columns": [{"k": "bytes"}], "plans": []}


VALUED = ("level", "rank", "whole")


class Block(NamedTuple):
    rows: int
    content: bytes | None  # digest, if there is one
    payload: bytes


class Column(NamedTuple):
    meta: dict
    kinds: np.ndarray  # of each row
    values: np.ndarray
    raws: np.ndarray
    blob: bytes
    dictionary: bytes = b""  # whose cells are meant, of a `rank`
    others: list = []  # noqa: RUF012, the columns of its block


class Shape(NamedTuple):
    blobs: int
    kinds: int
    valued: int  # kinds with a value
    raws: int  # 1: the last kind has a stream of its own

    @property
    def streams(self):
        return (self.kinds > 1) + (self.valued > 0) + self.raws


def shape(meta):
    kind, raw = meta["k"], int("r" in meta)
    if kind in ("number", "float", "date", "digits"):
        valued = len(meta.get("f", [0]))
        return Shape(raw, valued + len(meta["s"]) + raw, valued, 0)
    if kind in ("int", "real"):
        return Shape(int("u" in meta), 1 + ("z" in meta) + ("n" in meta) + raw, 1, raw)
    return Shape(int(kind != "whole" and "c" not in meta), 1, int(kind in VALUED), 0)


def columns_of(block, streams=Streams, about=None, learned=None):
    """(description, columns, digest of the content) of a block. about: the description, if it is
    not the one that is written; streams: what decodes them; learned: of pictures, by a model."""
    written, rest = description(block.payload)
    about = about or written or PLAIN
    rows = block.rows * (about["shape"][2] if "shape" in about else about.get("each", 1))
    shapes = [shape(meta) for meta in about["columns"]]
    count = sum(one.streams for one in shapes)
    is_joined = rows <= 4096 and count > 0
    parts = parts_of(rest, sum(one.blobs for one in shapes) + (1 if is_joined else count))
    joined = parts.pop() if is_joined else None
    left = iter(parts)
    source = streams(rows, about["plans"], lambda: next(left), joined)
    columns, digests, books, dictionaries = [], [], {}, {}
    for meta, one in zip(about["columns"], shapes, strict=True):
        blob = next(left) if one.blobs else b""
        if meta["k"] == "pixels":
            shape_of_all = (block.rows, *about["shape"])
            blob = pictures(blob, shape_of_all, meta.get("w", 1), learned).tobytes()
        kinds, none = np.zeros(rows, np.int64), np.zeros(0, np.int64)
        if one.kinds > 1:
            kinds = source.next(np.ones(rows, bool))
        values = source.next(kinds < one.valued) if one.valued else none
        raws = source.next(kinds == one.kinds - 1) if one.raws else none
        ranks = values
        if one.blobs and meta["k"] in ("int", "real"):
            books[len(columns)] = book(blob)
        if meta["k"] in ("int", "real") and ("u" in meta or "c" in meta):
            values = books[meta.get("c", len(columns))][ranks]
        if meta["k"] == "rank":
            if "c" not in meta:
                dictionaries[len(columns)] = blob
            dictionary = dictionaries[meta.get("c", len(columns))]
        else:
            dictionary = b""
        columns.append(Column(meta, kinds, values, raws, blob, dictionary, columns))
        values = ranks
        digests += [blob] * one.blobs + [kinds] * (one.kinds > 1)
        digests += [values] * (one.valued > 0) + [raws] * one.raws
    source.finish()
    columns[:] = parted(columns)
    taken = [one if isinstance(one, bytes) else one.astype("<i8").tobytes() for one in digests]
    content = blake(8, *(blake(8, one) for one in taken))
    check(block.content in (None, content), "the digest of the content")
    return about, columns, content


def parted(columns):
    """The columns, those whose texts were joined each with its own."""
    heads, sizes = {}, {}
    for place, column in enumerate(columns):
        if column.meta["k"] not in ("text", "level") or not column.blob:
            continue
        rest = varint(column.blob)[1] if column.meta["k"] == "level" else column.blob
        head, code = varint(rest)
        if head & 7 == 6:
            heads[place] = column.blob[: len(column.blob) - len(rest)]
            sizes[place], whole = head >> 3, code
    if not sizes:
        return columns
    text = text_of(whole, sum(sizes.values()), widely=True)
    found = list(columns)
    for place, size in sizes.items():
        number = size << 3
        length = bytes([number >> 7 * k & 127 | 128 for k in range(8)]) + b"\0"
        own, text = text[:size], text[size:]
        found[place] = columns[place]._replace(blob=heads[place] + length + own)
    return found


def book(blob):
    """The numbers of a book."""
    count, rest = varint(blob)
    places, payload = varint(rest)
    _, columns, _ = columns_of(Block(count, None, payload))
    if not places:
        return columns[0].values
    wholes, above = (column.values for column in columns)
    bits = (wholes / float(10 ** (places - 1))).view(np.int64)
    return np.where(bits < 0, bits ^ (2**63 - 1), bits) + above


def description(payload):
    """(what a payload says of itself, its parts)."""
    size, rest = varint(payload)
    return (words(rest[:size]) if size else {}), rest[size:]


def parts_of(data, count):
    """The parts, by which of them have bytes, and the lengths of those."""
    size = (count + 7) // 8
    there = np.unpackbits(np.frombuffer(data, np.uint8, size), count=count)
    data, sizes = data[size:], np.zeros(count, int)
    filled = np.flatnonzero(there)
    for place in filled[:-1]:
        sizes[place], data = varint(data)
    sizes[filled[-1:]] = len(data) - sizes.sum()  # the last ends with the payload
    ends = [0, *np.cumsum(sizes).tolist()]
    check(ends[-1] == len(data), "the lengths of parts")
    return [data[begin:end] for begin, end in pairwise(ends)]
