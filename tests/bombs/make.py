"""Makes the bombs: tiny archives, right by every digest, that ask for far more than they are.

    python tests/bombs/make.py

They are kept as files, so that what refuses them is never the builder's own mistake. Each is an
archive in one piece by FORMAT.md's layout, whose block says what no honest writer does.
"""

import hashlib
import json
import zlib
from pathlib import Path

from aetool.codec.words import WORDS

HOME = Path(__file__).parent
MAGIC = bytes.fromhex("8941455A0D0A1A0A")
TEXT = {
    "content": ["text", 1], "mode": "lossless", "head": "a\n", "names": ["a"],
    "format": {"format": "csv", "delimiter": ",", "newline": "\n", "name": "t.csv"},
}  # fmt: skip
PIXELS = {
    "content": ["pixels", 1], "mode": "lossless", "format": {"format": "npy"},
    "shape": [1, 1, 2**30],
}  # fmt: skip
ARRAY = {
    "content": ["arrays", 1], "mode": "lossless",
    "arrays": [{"axes": [], "dtype": "<U1000", "name": "c1", "shape": [1 << 22]}],
    "format": {"format": "npy", "suffix": ".npy", "name": "t.npy"},
}  # fmt: skip
LINES = {"content": ["lines", 1], "mode": "lossless", "format": {"format": "jsonl"}}
STILL = {"b": [0], "x": 1}  # a plan of zeros, which takes no bytes
NO_PARTS = b"\0"


def varint(value):
    """Seven bits a byte, lowest first."""
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def words(value):
    """JSON, deflated with the preset dictionary."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=WORDS)
    return squeezer.compress(text) + squeezer.flush()


def in_one_piece(header, rows, description, parts=NO_PARTS):
    """An archive of one block; nobody knows the digest of what it would restore: zeros."""
    described, said = words([{}, header]), words(description)
    payload = varint(len(said)) + said + parts
    start = MAGIC + bytes([3, 1]) + varint(rows)
    data = start + varint(len(described)) + described + payload + bytes(4)
    return data + hashlib.blake2b(data, digest_size=8).digest()


def column(meta, plans=(STILL,)):
    """The description of a block of one column."""
    return {"columns": [meta], "plans": list(plans)}


def arrow(kind):
    """The header of a table of one column."""
    fields = {"fields": [{"name": "a", "type": kind}], "metadata": []}
    format = {"format": "parquet", "suffix": ".parquet", "name": "t.parquet"}
    return {"content": ["arrow", 1], "mode": "lossless", "format": format, "schema": fields}


LONG = "y" * 1000
ALL_GAPS = {"k": "level", "v": ["\xff"], "gap": "\xff"}
NUMBER = {"k": "number", "d": 0, "f": [0], "s": []}
DATE = {"k": "date", "t": "ymd|-| |hms|0||0", "s": []}
# name -> (the archive, what is said of it)
BOMBS = {
    "level": (
        in_one_piece(TEXT, 2_000_000, column({"k": "level", "v": [LONG]})),
        "claims 2002000000 bytes",
    ),
    "affixes": (
        in_one_piece(TEXT, 4_000_000, column({**NUMBER, "a": [LONG, ""]})),
        "claims 4000000000 bytes",
    ),
    "quotes": (
        in_one_piece(TEXT, 4_000_000, column({**DATE, "a": LONG})),
        "claims 8064000000 bytes",
    ),
    "special": (
        in_one_piece(TEXT, 4_000_000, column({**NUMBER, "s": [LONG]}, ({"b": [1], "x": 1}, STILL))),
        "claims 4004000000 bytes",
    ),
    "text": (
        in_one_piece(TEXT, 5, column({"k": "text"}, ()), b"\x80" + varint(2**40 << 3 | 1) + b"x"),
        "claims 1099511627776 bytes of text",
    ),
    "rows": (
        in_one_piece(TEXT, 2**31 - 1, column({"k": "whole"})),
        "claims 2147483647 rows of 1 columns",
    ),
    "columns": (
        in_one_piece(TEXT, 1000, {"columns": [{"k": "whole"}] * 60_000, "plans": [STILL] * 60_000}),
        "claims 1000 rows of 60000 columns",
    ),
    "pixels": (
        in_one_piece(PIXELS, 1, {**column({"k": "whole"}), "shape": [1, 1, 2**30]}),
        "claims 1073741824 rows of 1 columns",
    ),
    "frames": (
        in_one_piece(
            LINES, 1 << 20, {**column({"k": "int"}), "frames": [[["z" * 4000 + "\n"], []]]}
        ),
        "claims 4195352576 bytes",
    ),
    "decimals": (
        in_one_piece(arrow(["decimal256", 40, 2]), 1 << 24, column({"k": "int"})),
        "claims 16777216 records of 1 columns",
    ),
    "gaps": (
        in_one_piece(arrow("large_string"), 1 << 24, column(ALL_GAPS)),
        "claims 16777216 records of 1 columns",
    ),
    "fixed": (
        in_one_piece(arrow(["fixed", 1000]), 1 << 22, column(ALL_GAPS)),
        "claims 4194304000 bytes",
    ),
    "cells": (
        in_one_piece(arrow("large_string"), 1 << 21, column({"k": "level", "v": [LONG]})),
        "claims 2097152000 bytes",
    ),
    "strings": (
        in_one_piece(ARRAY, 1 << 22, column({"k": "level", "v": ["a"]})),
        "claims 16777216000 bytes",
    ),
}  # fmt: skip


def main():
    """Write <name>.aez."""
    for name, (data, _) in BOMBS.items():
        (HOME / f"{name}.aez").write_bytes(data)


if __name__ == "__main__":
    main()
