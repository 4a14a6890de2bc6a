"""The container: layouts, seals and digests (FORMAT.md, sections 1 and 2)."""

import hashlib
import json
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from tests.format_reader.mixing import text_of

PAGE = Path(__file__).parents[2] / "aetool" / "codec" / "FORMAT.md"
LINES = re.search(r"## 9\..*?```\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
WORDS = LINES.replace("\n", "").encode()
MAGIC = bytes.fromhex("8941455A0D0A1A0A")
SYNC = bytes.fromhex("D541455A626C6BAA")
END = bytes.fromhex("D541455A656E64AA")


class Block(NamedTuple):
    rows: int
    content: bytes | None  # digest; None in one piece
    payload: bytes


class Archive(NamedTuple):
    header: dict
    sections: dict
    blocks: list
    whole: bytes  # its digest, or how it begins


def check(good, what):
    if not good:
        raise ValueError(what)


def blake(size, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


def varint(data):
    """(the number that the bytes begin with, what follows it)."""
    end = next(place for place, byte in enumerate(data) if byte < 128) + 1
    return sum((byte & 127) << 7 * place for place, byte in enumerate(data[:end])), data[end:]


def words(data):
    if data[0] == 7:
        size, code = varint(data[1:])
        check(size <= 32768, "too long a text for a mixture")
        return json.loads(text_of(b"," + code, size, WORDS[-2500:]))
    return json.loads(zlib.decompressobj(-15, zdict=WORDS).decompress(data))


def opened(data):
    """The parts of an archive, each as its digests say."""
    check(data[:9] == MAGIC + b"\3" and data[9] in (0, 1, 2, 3, 7), "not an archive of version 3")
    name = 8 if data[9] & 4 else 16
    start = 10 + name if data[9] & 2 else 10
    return in_one_piece(data, start) if data[9] & 1 else of_blocks(data, start)


def in_one_piece(data, start):
    check(blake(8, data[:-8]) == data[-8:], "the digest of the archive")
    rows, rest = varint(data[start:-12])
    size, rest = varint(rest)
    _, header = words(rest[:size])
    blocks = [Block(rows, None, rest[size:])] if rest[size:] else []
    return Archive(header, {}, blocks, data[-12:-8])


def of_blocks(data, start):
    (size,) = struct.unpack_from("<I", data, start)
    place = start + 4 + size
    header, header_seal = words(data[start + 4 : place]), blake(16, data[:place])
    check(data[place : place + 16] == header_seal, "the seal of the header")
    place += 16
    sections = {}
    for name, size, sha256 in header.get("sections", []):
        sections[name] = data[place : place + size]
        check(hashlib.sha256(sections[name]).hexdigest() == sha256, "the hash of a section")
        place += size
    trailer = struct.unpack("<32s16s16sQII16s8s", data[-104:])
    whole, seal_again, root, begin, size, count, footer_seal, end = trailer
    check(end == END and blake(16, data[begin:-24]) == footer_seal, "the seal of the footer")
    check(seal_again == header_seal, "the footer is that of another header")
    index = words(data[begin : begin + size])["blocks"]
    first_seal = begin + size
    seals = [data[i : i + 16] for i in range(first_seal, first_seal + 16 * count, 16)]
    check(root_of(seals) == root and len(index) == count, "the root of the seals")
    blocks, row = [], 0
    for number, (size, rows) in enumerate(index):
        head, payload = data[place : place + 56], data[place + 56 : place + 56 + size]
        check(head[:28] == struct.pack("<8sIQII", SYNC, number, row, rows, size), "a block's place")
        seal = blake(16, header_seal, head[:36], blake(16, payload))
        check(head[36:52] == seal == seals[number], "the seal of a block")
        blocks.append(Block(rows, head[28:36], payload))
        place += 56 + size
        row += rows
    check(place == begin, "the index does not cover the file")
    return Archive(header, sections, blocks, whole)


def root_of(seals):
    level = [blake(16, b"\0", seal) for seal in seals] or [blake(16)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        parents = [blake(16, b"\1", *pair) for pair in pairs]
        level = parents + level[len(level) - len(level) % 2 :]
    return level[0]
