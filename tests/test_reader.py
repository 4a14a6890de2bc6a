"""Each check of the container's reader, by an archive that only this check refuses: whatever else
is sealed, counted and placed as FORMAT.md says."""

import hashlib
import struct
import zlib

import pytest

from aetool.codec import limits
from aetool.codec.blobs import varint
from aetool.codec.container import Reader, RecoveringReader, StoredBlock, footer, layout
from aetool.codec.container.block import BlockPlace
from aetool.codec.words import deflate
from aetool.errors import ArchiveError

MAGIC = bytes.fromhex("8941455A0D0A1A0A")
SYNC, END = bytes.fromhex("D541455A626C6BAA"), bytes.fromhex("D541455A656E64AA")
HEAD = 56  # bytes of a block before its payload
SHORT = 4  # bytes of the whole's digest in a small archive
NAME = {"name": "x"}
TWO = ((3, b"abc"), (4, b"defg"))  # rows and payload of blocks
CONTENT = bytes(range(8))


def blake(*parts, size=16):
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


def section(name, data, size=None):
    """How a header lists a section."""
    return [name, len(data) if size is None else size, hashlib.sha256(data).hexdigest()]


def block_of(own, place, start, count, payload, claimed):
    """A block under a header's seal, with a right checksum and seal whatever it claims."""
    fields = {"sync": SYNC, "number": place, "first": start, "rows": count, "length": len(payload)}
    fields.update(claimed)
    head = struct.pack("<8sIQII8s", *fields.values(), CONTENT)
    checked = head + blake(own, head, blake(payload))
    return checked + struct.pack("<I", zlib.crc32(checked)) + payload


def archive(
    header=None, sections=b"", blocks=TWO, claims=(), index=None, words=None, gap=b"", model=b"",
    **trailer,
):  # fmt: skip
    """An archive of blocks.

    claims: what blocks say otherwise, by place; words: added to the footer's; gap: before the
    footer; model: that is named; trailer: fields of it that are otherwise.
    """
    body = deflate(header or NAME)
    start = MAGIC + bytes([3, 2 if model else 0]) + model
    head = start + struct.pack("<I", len(body)) + body
    own = blake(head)
    parts, first = [], 0
    for place, (rows, payload) in enumerate(blocks):
        claimed = dict(claims).get(place, {})
        parts.append(block_of(own, place, first, rows, payload, claimed))
        first += rows
    seals = [part[36:52] for part in parts]
    begin = len(head) + 16 + len(sections) + sum(map(len, parts)) + len(gap)
    if index is None:
        index = [[len(payload), rows] for rows, payload in blocks]
    footer = deflate({"blocks": index, "facts": {"a": 1}, **(words or {})})
    fields = {
        "whole": bytes(32), "header_seal": own, "root": root(seals), "offset": begin,
        "length": len(footer), "count": len(seals),
    }  # fmt: skip
    fields.update({key: value for key, value in trailer.items() if key in fields})
    body = footer + b"".join(seals) + struct.pack("<32s16s16sQII", *fields.values())
    end = trailer.get("seal", blake(body)) + trailer.get("end", END)
    return head + own + sections + b"".join(parts) + gap + body + end


def root(seals):
    level = [blake(b"\0", seal) for seal in seals]
    while len(level) > 1:
        above = [blake(b"\1", *level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
        level = above + level[len(level) - len(level) % 2 :]
    return level[0] if level else blake()


@pytest.fixture
def reader_of():
    """Opens archives of bytes; they are closed at the end of the test."""
    readers = []

    def opened(path, data, lenient=False):
        path.write_bytes(data)
        reader_class = RecoveringReader if lenient else Reader
        readers.append(reader_class(path))
        return readers[-1]

    yield opened
    for reader in readers:
        reader.close()


def test_what_is_right_is_read(reader_of, tmp_path):
    listed = {**NAME, "sections": [section("s", b"12"), section("t", b"")]}
    for data, rows in ((archive(), 7), (archive(blocks=()), 0), (archive(listed, b"12"), 7)):
        reader = reader_of(tmp_path / "t.aez", data)
        payloads = [reader.block(i).payload for i in range(len(reader.blocks))]
        assert reader.rows == rows and payloads == [p for _, p in TWO][: len(payloads)]
        assert reader.facts == {"a": 1} and reader.header["name"] == "x"


LONG = {"name": "x" * 9}
LARGE = ((3, bytes(1 << 16)),)
COPY = {"header": NAME, "model": ""}
OUT_OF_RANGE = "the index of blocks is out of range"
NO_END = "the end is missing or does not fit"
REFUSED = {
    "cut in its first bytes": (archive()[:9], "cut short"),
    "another format": (MAGIC + bytes([4, 0]) + archive()[10:], "format 4, layout 0"),
    "another layout": (MAGIC + bytes([3, 4]) + archive()[10:], "format 3, layout 4"),
    "a large header": (
        archive()[:10] + struct.pack("<I", limits.MAX_JSON + 1) + archive()[14:],
        "the header is larger than allowed",
    ),
    "a header of the largest size": (
        archive()[:10] + struct.pack("<I", limits.MAX_JSON) + archive()[14:],
        "cut short",
    ),
    "a header with another seal": (
        archive().replace(blake(archive()[: archive().index(SYNC) - 16]), bytes(16)),
        "the header's digest does not match",
    ),
    **{
        f"a section of {size!r} bytes": (
            archive({**NAME, "sections": [section("s", b"1", size)]}, b"1"),
            said,
        )
        for size, said in (
            (-1, "section s is larger than allowed"),
            (True, "section s is larger than allowed"),
            ("1", "section s is larger than allowed"),
            (limits.MAX_SECTION + 1, "section s is larger than allowed"),
            (limits.MAX_SECTION, "cut short"),
        )
    },
    "another section": (
        archive({**NAME, "sections": [section("s", b"1")]}, b"2"),
        "section s does not match its hash",
    ),
    "another end": (archive(end=SYNC), NO_END),
    "a large footer": (archive(length=limits.MAX_JSON + 1), NO_END),
    "a footer of the largest size": (archive(length=limits.MAX_JSON), "cut short"),
    "many blocks": (archive(count=limits.MAX_BLOCKS + 1), NO_END),
    "as many blocks as may be": (archive(count=limits.MAX_BLOCKS), "cut short"),
    "a footer with another seal": (archive(seal=bytes(16)), "the footer's digest does not match"),
    "another root": (archive(root=bytes(16)), "do not add up to their root"),
    "another offset": (archive(offset=1), NO_END),
    "the footer of another header": (
        archive(header_seal=bytes(16)),
        "its footer is that of another header",
    ),
    "a copy in a small archive": (archive(words=COPY), "its two headers differ"),
    "no copy in a large one": (archive(blocks=LARGE), "its two headers differ"),
    "another header in the copy": (
        archive(blocks=LARGE, words={**COPY, "header": LONG}),
        "its two headers differ",
    ),
    "another model in the copy": (
        archive(blocks=LARGE, words={**COPY, "model": "00"}),
        "its two headers differ",
    ),
    "fewer in the index": (archive(index=[[3, 3]]), OUT_OF_RANGE),
    "more in the index": (archive(index=[[3, 3], [4, 4], [0, 0]]), OUT_OF_RANGE),
    **{
        f"{entry} in the index": (archive(index=[[3, 3], entry]), said)
        for entry, said in (
            ([True, 4], OUT_OF_RANGE),
            ([4, True], OUT_OF_RANGE),
            ([-1, 4], OUT_OF_RANGE),
            ([4, -1], OUT_OF_RANGE),
            ([limits.MAX_PAYLOAD, 4], OUT_OF_RANGE),
            ([4, limits.MAX_ROWS], OUT_OF_RANGE),
            ([limits.MAX_PAYLOAD - 1, 4], "the index does not cover the file"),
            ([3, 4], "the index does not cover the file"),
        )
    },
    "bytes between": (archive(gap=b"gap"), "the index does not cover the file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_archive_must_not_say_is_refused_in_words(reader_of, name, tmp_path):
    data, said = REFUSED[name]
    with pytest.raises(ArchiveError, match=said):
        reader_of(tmp_path / "t.aez", data)


def test_all_rows_of_an_archive_have_a_limit(reader_of, tmp_path, monkeypatch):
    monkeypatch.setattr(footer, "MAX_ALL_ROWS", 8)
    assert reader_of(tmp_path / "t.aez", archive()).rows == 7
    monkeypatch.setattr(footer, "MAX_ALL_ROWS", 7)
    with pytest.raises(ArchiveError, match=OUT_OF_RANGE):
        reader_of(tmp_path / "t.aez", archive())


@pytest.mark.parametrize("claimed,said", [
    ({"sync": END}, "it does not begin as a block does"),
    ({"rows": limits.MAX_ROWS}, "a block is larger than allowed"),
    ({"length": limits.MAX_PAYLOAD}, "a block is larger than allowed"),
    ({"first": limits.MAX_ALL_ROWS}, "a block is larger than allowed"),
    ({"rows": limits.MAX_ROWS - 1}, "it is out of place"),
    ({"length": limits.MAX_PAYLOAD - 1}, "it has not the length it should have"),
    ({"first": limits.MAX_ALL_ROWS - 1}, "it is out of place"),
    ({"number": 0}, "it is out of place"),
    ({"first": 2}, "it is out of place"),
    ({"rows": 5}, "it is out of place"),
    ({"length": 3}, "it has not the length it should have"),
])  # fmt: skip
def test_what_a_block_must_not_say_is_refused_in_words(reader_of, claimed, said, tmp_path):
    reader = reader_of(tmp_path / "t.aez", archive(claims={1: claimed}))
    assert reader.block(0).payload == b"abc"
    with pytest.raises(ArchiveError, match=said):
        reader.block(1)


def test_a_block_of_other_bytes_is_refused_in_words(reader_of, tmp_path):
    data, payload = archive(), archive().index(b"defg")
    head = payload - HEAD
    for at, said in (
        (payload, "its digest does not match"),
        (head + 20, "the checksum of its head does not match"),
        (head + 52, "the checksum of its head does not match"),
    ):
        reader = reader_of(tmp_path / "t.aez", data[:at] + b"\xff" + data[at + 1 :])
        with pytest.raises(ArchiveError, match=said):
            reader.block(1)
    # a whole block of another archive with the same header, number, first row, rows and length
    other = archive(blocks=(TWO[0], (4, b"DEFG")))
    mixed = data[:head] + other[head : head + HEAD + 4] + data[head + HEAD + 4 :]
    reader = reader_of(tmp_path / "t.aez", mixed)
    with pytest.raises(ArchiveError, match="it is not the one that the footer lists"):
        reader.block(1)


def test_a_file_that_shrinks_while_it_is_read_is_cut_short(reader_of, tmp_path):
    reader = reader_of(tmp_path / "t.aez", archive())
    with (tmp_path / "t.aez").open("r+b") as file:
        file.truncate(archive().index(b"defg") + 2)
    assert reader.block(0).payload == b"abc"
    with pytest.raises(ArchiveError, match="cut short"):
        reader.block(1)


def test_sections_are_read_where_the_copy_of_the_header_says(reader_of, tmp_path):
    """Also behind junk, and without the bytes before them."""
    listed = {**NAME, "sections": [section("s", b"12"), section("t", b"345")]}
    words = {"header": listed, "model": ""}
    data = archive(listed, b"12345", blocks=(*LARGE, *TWO), words=words)
    header = data.index(b"12345") - 16
    for bad in (bytes(header) + data[header:], data[30:], b"junk" + bytes(20) + data[20:]):
        reader = reader_of(tmp_path / "t.aez", bad, lenient=True)
        assert reader.sections == {"s": b"12", "t": b"345"} and reader.header == listed
        assert [reader.block(i).payload for i in range(3)] == [LARGE[0][1], b"abc", b"defg"]
        assert len(reader.lost) == 1 and "the header" in reader.lost[0]


# ---- in one piece


def in_one_piece(rows=3, size=None, payload=b"abc", whole=bytes(SHORT), model=b""):
    """A small archive under one digest; size: claimed of what it says."""
    words = deflate([{"a": 1}, NAME])
    size = len(words) if size is None else size
    data = (
        MAGIC
        + bytes([3, 3 if model else 1])
        + model
        + varint(rows)
        + varint(size)
        + words
        + payload
        + whole
    )
    return data + blake(data, size=8)


def test_what_an_archive_in_one_piece_must_not_say_is_refused_in_words(reader_of, tmp_path):
    path = tmp_path / "t.aez"
    reader = reader_of(path, in_one_piece())
    assert (reader.rows, reader.block(0).payload, reader.facts) == (3, b"abc", {"a": 1})
    assert reader_of(path, in_one_piece(rows=limits.MAX_ROWS - 1)).rows == limits.MAX_ROWS - 1
    assert reader.block(0) == StoredBlock(0, 0, 3, b"", b"abc")
    assert reader.blocks == [BlockPlace(in_one_piece().index(b"abc"), 3, 0, 3, 0)]
    assert reader_of(path, in_one_piece(payload=b"")).blocks == []
    small = len(in_one_piece())
    largest = in_one_piece(payload=bytes(3 + layout.COPIED_FROM - 1 - small))
    assert len(largest) == layout.COPIED_FROM - 1 and reader_of(path, largest).rows == 3
    for data, said in (
        (in_one_piece(rows=limits.MAX_ROWS), "its parts do not fit"),
        (in_one_piece(payload=b"", whole=b""), "its parts do not fit"),
        (in_one_piece(payload=b"", whole=bytes(SHORT - 1)), "its parts do not fit"),
        (in_one_piece(size=5), "cut short"),
        (in_one_piece(payload=bytes(3 + layout.COPIED_FROM - small)), "longer or shorter"),
        (in_one_piece()[:-1] + b"x", "its digest does not match"),
    ):
        with pytest.raises(ArchiveError, match=said):
            reader_of(path, data)


def test_what_stands_around_an_archive_in_one_piece_is_counted(reader_of, tmp_path):
    path, data = tmp_path / "t.aez", in_one_piece()
    for before in (b"", b"x", b"junk"):
        for behind in (b"", b"y", b"more", bytes(300), data):
            reader = reader_of(path, before + data + behind, lenient=True)
            expected = []
            if before:
                expected.append(f"{len(before)} bytes before the archive, which are not of it")
            if behind:
                expected.append(f"{len(behind)} bytes behind the archive, which are not of it")
            assert reader.lost == expected and reader.block(0).payload == b"abc"
            assert not reader.unsealed


def test_an_archive_in_one_piece_with_another_digest_is_read_with_a_word(reader_of, tmp_path):
    data = in_one_piece()
    at = data.index(b"abc")
    reader = reader_of(tmp_path / "t.aez", data[:at] + b"ABC" + data[at + 3 :], lenient=True)
    assert reader.block(0).payload == b"ABC" and reader.unsealed
    assert [what.partition(" (")[0] for what in reader.lost] == ["its digest"]


def test_the_model_that_is_needed_is_read_from_every_layout(reader_of, tmp_path):
    model = bytes(range(1, 17))
    copy = {"header": NAME, "model": model.hex()}
    for data, needed in (
        (archive(), bytes(16)),
        (archive(model=model), model),
        (archive(blocks=LARGE, words=copy, model=model), model),
        (in_one_piece(), bytes(16)),
        (in_one_piece(model=model), model),
    ):
        for lenient in (False, True):
            reader = reader_of(tmp_path / "t.aez", data, lenient)
            assert reader.model == needed and reader.rows == 3 + 4 * (len(reader.blocks) > 1)
    # where the header cannot be read, from its copy
    damaged = bytearray(archive(blocks=LARGE, words=copy, model=model))
    damaged[12] ^= 1
    reader = reader_of(tmp_path / "t.aez", bytes(damaged), lenient=True)
    assert reader.model == model and "the header" in reader.lost[0]
    with pytest.raises(ArchiveError, match="its two headers differ"):
        other = {**copy, "model": "00" * 16}
        reader_of(tmp_path / "t.aez", archive(blocks=LARGE, words=other, model=model))
