"""The container, by FORMAT.md's layout: no block of another archive or place, no bomb, and whatever
is left is recovered."""

import hashlib
import json
import random
import struct
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetool import operations
from aetool.cli import status
from aetool.codec import limits, planning
from aetool.codec.archive import Archive
from aetool.codec.container import Reader, Writer, digests, layout
from aetool.codec.words import deflate, inflate
from aetool.errors import AetoolError, ArchiveError
from aetool.operations import CompressOptions
from tests.sweeps import one_in

SYNC, END = bytes.fromhex("D541455A626C6BAA"), bytes.fromhex("D541455A656E64AA")
HEAD = 56  # bytes of a block before its payload
ROWS = 240
SMALL = CompressOptions(effort=planning.Effort(block=350))


def blake(*parts, size=16):
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


def lines(first):
    return [f"{i % 7},{i % 5}.{first}\n" for i in range(ROWS)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two archives of the same name, header and layout of blocks, with other values."""
    made = {}
    for digit in range(1, 10):
        folder = tmp_path_factory.mktemp("pair")
        text = "a,b\n" + "".join(lines(digit))
        (folder / "t.csv").write_text(text)
        operations.compress(folder / "t.csv", folder / "t.aez", options=SMALL)
        data = (folder / "t.aez").read_bytes()
        alike = tuple(len(block) for block in parts_of(data)[1])
        if alike in made:
            return [made[alike], (data, text)]
        made[alike] = data, text
    raise AssertionError("no two archives have blocks of the same lengths")


def parts_of(data):
    """(header, [blocks], footer), by the sync marks alone."""
    at = data.index(SYNC)
    header, blocks = data[:at], []
    while data[at : at + 8] == SYNC:
        (length,) = struct.unpack_from("<I", data, at + 24)
        blocks.append(data[at : at + HEAD + length])
        at += HEAD + length
    return header, blocks, data[at:]


def sealed_anew(header, blocks, footer):
    """The archive with every digest, seal, root and index right again, by FORMAT.md."""
    own, fresh, first = blake(header[:-16]), [], 0
    for number, block in enumerate(blocks):
        (rows,) = struct.unpack_from("<I", block, 20)
        head = SYNC + struct.pack("<IQII", number, first, rows, len(block) - HEAD) + block[28:36]
        checked = head + blake(own, head, blake(block[HEAD:]))
        fresh.append(checked + struct.pack("<I", zlib.crc32(checked)) + block[HEAD:])
        first += rows
    size, _ = struct.unpack("<II", footer[-32:-24])
    described = inflate(footer[:size])
    described["blocks"] = [[len(b) - HEAD, struct.unpack_from("<I", b, 20)[0]] for b in fresh]
    words = deflate(described)
    level = [blake(b"\0", b[36:52]) for b in fresh] or [blake()]
    while len(level) > 1:
        pairs = [blake(b"\1", *level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    begin = len(header) + sum(map(len, fresh))
    trailer = footer[-104:-72] + own + level[0] + struct.pack("<QII", begin, len(words), len(fresh))
    body = words + b"".join(b[36:52] for b in fresh) + trailer
    return header + b"".join(fresh) + body + blake(body) + END


def refused(path, data):
    """Whether an archive of these bytes is refused, by verify, decompress and --rows alike."""
    path.write_bytes(data)
    answers = set()
    for options in ({}, {"rows": (0, ROWS)}, {"rows": (100, 103)}):
        try:
            out = operations.decompress(path, path.with_suffix(".out"), force=True, **options)
            answers.add(out.read_bytes())
        except AetoolError:
            answers.add(None)
    try:
        operations.verify(path)
        answers.add("whole")
    except AetoolError:
        answers.add(None)
    return answers


def test_by_the_marks_alone_an_archive_can_be_put_together_again(pair, tmp_path):
    data, text = pair[0]
    header, blocks, footer = parts_of(data)
    assert len(blocks) > 3 and header + b"".join(blocks) + footer == data
    assert sealed_anew(header, blocks, footer) == data, "seals are those that FORMAT.md says"
    (tmp_path / "t.aez").write_bytes(data)
    assert operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_text() == text


def test_a_block_of_another_archive_is_never_taken(pair, tmp_path):
    """The same header, number, first row, rows and length: only the footer knows better."""
    (first, text), (second, _) = pair
    header, blocks, footer = parts_of(first)
    other_header, others, _ = parts_of(second)
    assert header == other_header
    for i in range(len(blocks)):
        assert len(others[i]) == len(blocks[i])
        mixed = [*blocks[:i], others[i], *blocks[i + 1 :]]
        found = refused(tmp_path / "t.aez", header + b"".join(mixed) + footer)
        rows = sum(struct.unpack_from("<I", b, 20)[0] for b in blocks[:i])
        touched = rows < 103 and rows + struct.unpack_from("<I", blocks[i], 20)[0] > 100
        # rows of other blocks are still given, and right
        right = (
            {None}
            if touched
            else {
                None,
                "".join(text.splitlines(True)[:1] + text.splitlines(True)[101:104]).encode(),
            }
        )
        assert found == right


@pytest.fixture(scope="module", params=["npy", "parquet"])
def typed_pair(request, tmp_path_factory):
    """Two archives in types of their own whose second blocks differ in a value alone, and the first
    one's values."""
    archives = []
    for value in (5.0, 7.0):
        folder = tmp_path_factory.mktemp("typed")
        noise = np.random.default_rng(0).normal(size=(150_000, 2)).round(2)
        noise[65_536:131_072] = value
        if request.param == "npy":
            np.save(folder / "t.npy", noise)
        else:
            pq.write_table(pa.table({"a": noise[:, 0], "b": noise[:, 1]}), folder / "t.parquet")
        options = CompressOptions(effort=planning.FAST)
        operations.compress(folder / f"t.{request.param}", folder / "t.aez", options=options)
        archives.append(((folder / "t.aez").read_bytes(), noise))
    return archives[0][0], archives[1][0], archives[0][1], request.param


def read_back(path, kind):
    """The values of a restored file."""
    return np.load(path) if kind == "npy" else pq.read_table(path).to_pandas().to_numpy()


@pytest.mark.parametrize("anew", [False, True])
def test_a_block_of_another_typed_archive_is_never_taken(typed_pair, anew, tmp_path):
    """By sync marks alone: the same header, number, first row, rows and length, and other values.
    Where whoever does it seals all anew, the digest of the whole is left to tell."""
    first, second, values, kind = typed_pair
    header, blocks, footer = parts_of(first)
    other_header, others, _ = parts_of(second)
    assert header == other_header and len(blocks) == len(others) == 3
    assert len(blocks[1]) == len(others[1]) and blocks[1] != others[1]
    mixed = [blocks[0], others[1], blocks[2]]
    data = header + b"".join(mixed) + footer
    if anew:
        data = sealed_anew(header, mixed, footer)
    path = tmp_path / "t.aez"
    path.write_bytes(data)
    for act in (operations.verify, operations.decompress):
        with pytest.raises(ArchiveError):
            act(path)
    if not anew:
        with pytest.raises(ArchiveError, match="it is not the one that the footer lists|digest"):
            operations.decompress(path, tmp_path / "o", rows=(70_000, 70_003))
    out = operations.decompress(path, tmp_path / "o", rows=(100, 103))
    assert (read_back(out, kind) == values[100:103]).all()


def test_a_footer_of_another_archive_is_never_taken(pair, tmp_path):
    (first, _), (second, _) = pair
    header, blocks, _ = parts_of(first)
    assert refused(tmp_path / "t.aez", header + b"".join(blocks) + parts_of(second)[2]) == {None}


def test_exchanged_blocks_with_seals_made_anew_are_noticed(pair, tmp_path):
    """Whoever seals a block of another archive anew changes what the whole restores."""
    (first, _), (second, _) = pair
    header, blocks, footer = parts_of(first)
    others = parts_of(second)[1]
    data = sealed_anew(header, [others[0], *blocks[1:]], footer)
    (tmp_path / "t.aez").write_bytes(data)
    for act in (operations.verify, operations.decompress):
        with pytest.raises(ArchiveError, match="the whole does not match its digest"):
            act(tmp_path / "t.aez")


@pytest.mark.parametrize("change", [
    lambda b: [*b[:2], b[1], *b[2:]], lambda b: [*b, b[0]], lambda b: [b[0], *b],
    lambda b: b[1:], lambda b: b[:-1], lambda b: [*b[:1], *b[2:]],
    lambda b: [b[1], b[0], *b[2:]], lambda b: b[::-1], lambda b: [],
])  # fmt: skip
@pytest.mark.parametrize("anew", [False, True])
def test_repeated_dropped_and_reordered_blocks_are_refused(pair, change, anew, tmp_path):
    header, blocks, footer = parts_of(pair[0][0])
    mixed = change(blocks)
    data = header + b"".join(mixed) + footer
    if anew:
        data = sealed_anew(header, mixed, footer)
    (tmp_path / "t.aez").write_bytes(data)
    for act in (operations.verify, operations.decompress):
        with pytest.raises(ArchiveError):
            act(tmp_path / "t.aez")


def test_every_flipped_bit_and_every_cut_of_an_archive_of_blocks(pair, tmp_path):
    data, _ = pair[0]
    path = tmp_path / "t.aez"

    def check(raw):
        path.write_bytes(raw)
        with pytest.raises(AetoolError), Archive(path) as archive:
            archive.check()

    for i in range(len(data)):
        bad = bytearray(data)
        bad[i] ^= 1 << i % 8
        check(bad)
        check(data[:i])
    check(data + b"\0")


def test_the_root_is_that_of_the_tree(pair):
    seals = [bytes([i]) * 16 for i in range(5)]
    a, b, c, d, e = (blake(b"\0", s) for s in seals)
    ab, cd = blake(b"\1", a, b), blake(b"\1", c, d)
    assert digests.root_of(seals) == blake(b"\1", blake(b"\1", ab, cd), e)
    assert digests.root_of(seals[:1]) == a and digests.root_of([]) == blake()


# ---- what can be recovered


def recovered(path, data):
    path.write_bytes(data)
    lost = []
    out = operations.decompress(path, path.with_suffix(".out"), lost=lost, force=True)
    return out.read_text(), lost


def rows_of(blocks, i):
    first = sum(struct.unpack_from("<I", b, 20)[0] for b in blocks[:i])
    return first, struct.unpack_from("<I", blocks[i], 20)[0]


def test_recovery_drops_repeats_and_reads_past_junk(pair, tmp_path):
    data, text = pair[0]
    header, blocks, footer = parts_of(data)
    junk = random.Random(0).randbytes(5000) + SYNC + END[:5] + SYNC
    path = tmp_path / "t.aez"
    repeated = header + b"".join([*blocks[:2], blocks[1], *blocks[2:]]) + footer
    assert recovered(path, repeated) == (text, [])
    assert recovered(path, header + b"".join(blocks[::-1]) + footer) == (text, [])
    whole, lost = recovered(path, junk + data)
    assert whole == text and lost == [f"{len(junk)} bytes before the archive, which are not of it"]
    assert recovered(path, data + junk)[0] == text
    inside = header + junk + blocks[0] + junk + b"".join(blocks[1:]) + junk + footer
    assert recovered(path, inside) == (text, [])
    # without a footer a repeated block is still one block
    whole, lost = recovered(path, repeated[: -len(footer) + 5])
    assert whole == text
    assert lost == [
        "the footer (the end is missing)",
        f"all records behind record {ROWS}, if there were any",
    ]


def test_recovery_takes_no_block_of_another_archive(pair, tmp_path):
    (first, text), (second, _) = pair
    header, blocks, footer = parts_of(first)
    others = parts_of(second)[1]
    mixed = header + b"".join([blocks[0], others[1], *blocks[2:]]) + footer
    whole, lost = recovered(tmp_path / "t.aez", mixed)
    first_row, rows = rows_of(blocks, 1)
    kept = text.splitlines(True)
    del kept[1 + first_row : 1 + first_row + rows]
    assert whole == "".join(kept)
    assert lost == [f"records {first_row + 1} to {first_row + rows}"]


def test_recovery_says_which_records_are_missing_without_a_footer(pair, tmp_path):
    header, blocks, _ = parts_of(pair[0][0])
    whole, lost = recovered(tmp_path / "t.aez", header + blocks[0] + b"".join(blocks[2:]))
    first_row, rows = rows_of(blocks, 1)
    assert lost == [
        "the footer (the end is missing)",
        f"records {first_row + 1} to {first_row + rows}",
        f"all records behind record {ROWS}, if there were any",
    ]
    assert len(whole.splitlines()) == 1 + ROWS - rows


def test_recovery_of_a_small_archive_between_junk(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    data = (tmp_path / "t.aez").read_bytes()
    whole, lost = recovered(tmp_path / "x.aez", b"junk" + data + b"junk" * 1000)
    assert whole == "a,b\n1,2\n" and len(lost) == 2


def large(tmp_path):
    """An archive whose header has a copy."""
    rng = np.random.default_rng(0)
    text = "a\n" + "".join(f"{v}\n" for v in rng.integers(0, 2**31, 20_000))
    (tmp_path / "t.csv").write_text(text)
    options = CompressOptions(effort=planning.Effort(block=60_000, squeeze=(0.0, 0.0)))
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez", options=options)
    return (tmp_path / "t.aez").read_bytes(), text


def test_a_header_is_read_from_its_copy(tmp_path):
    data, text = large(tmp_path)
    assert len(data) > layout.COPIED_FROM
    for bad in (b"\0" * 40 + data[40:], data[40:], data[:30] + b"\xff" + data[31:]):
        whole, lost = recovered(tmp_path / "x.aez", bad)
        assert whole == text and any("header" in what for what in lost)


def test_what_may_be_restored_has_a_limit(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 50_000)
    archive = str(tmp_path / "t.aez")
    operations.compress(tmp_path / "t.csv", archive)
    for command in (["decompress", archive, "-o", str(tmp_path / "o")], ["verify", archive]):
        for most, expected in (("100K", 1), ("300000", 0), ("1G", 0)):
            assert status([*command, "--max-output", most]) == expected
            said = capsys.readouterr().err
            assert expected == 0 or ("--max-output" in said and said.count("\n") == 1)
            (tmp_path / "o").unlink(missing_ok=True)
        assert status([*command, "--max-output", "many"]) == 2
        assert "write a number of bytes" in capsys.readouterr().err
    assert limits.default_output(100) == limits.LEAST_OUTPUT


@pytest.mark.parametrize("name", one_in(2, ["t.jsonl", "t.csv", "t.parquet"]))
def test_what_slices_may_restore_has_the_same_limit(tmp_path, name, monkeypatch):
    table = pa.table({"a": list(range(5000)), "b": [f"w{i % 7}" for i in range(5000)]})
    if name == "t.csv":
        table.to_pandas().to_csv(tmp_path / name, index=False)
    elif name == "t.jsonl":
        table.to_pandas().to_json(tmp_path / name, orient="records", lines=True)
    else:
        pq.write_table(table, tmp_path / name)
    path = tmp_path / "t.aez"
    operations.compress(tmp_path / name, path, options=SMALL)

    def columns_of(archive, names):
        archive.choose(names)
        return archive.to_pandas()

    def read_in_each_way(archive):
        everything = archive.to_pandas()
        assert len(archive[:]) == len(everything) == 5000
        assert len(archive[2000:4500]) == 2500
        assert list(columns_of(archive, ["b"])["b"]) == list(everything["b"])

    with Archive(path, max_output=300_000) as archive:
        read_in_each_way(archive)
    # the limit that an archive has where nobody says one
    monkeypatch.setattr(limits, "default_output", lambda size: 100)
    for most in (100, None):
        with Archive(path, max_output=most) as archive:
            for asked in (
                archive.check,
                archive.to_pandas,
                lambda: archive[:],
                lambda: archive[9:],
            ):
                with pytest.raises(ArchiveError, match="restores more than 100 bytes"):
                    asked()
            with pytest.raises(ArchiveError, match="restores more than 100 bytes"):
                # of lines of JSON the names are read already
                columns_of(archive, ["b"])


def test_a_slice_of_a_text_may_restore_just_its_own_bytes(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i:04},x\n" for i in range(5000)))
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    # a header of 4 bytes, and 10 records of 7
    with Archive(tmp_path / "t.aez", max_output=74) as archive:
        assert archive[20:30]["a"].tolist() == list(range(20, 30))
        with pytest.raises(ArchiveError, match="more than 74 bytes"):
            archive[20:31]
    assert limits.default_output(1 << 40) == limits.RATIO << 40


@pytest.mark.parametrize("number", [150, pytest.param(3000, marks=pytest.mark.long)])
def test_hostile_headers_and_footers_with_right_seals(pair, number, tmp_path):
    """A value of the header or the footer is another: refused, or restored as it was."""
    from tests.test_faults import change_one

    data, text = pair[0]
    header, blocks, footer = parts_of(data)
    rng = random.Random(number)
    for _ in range(number):
        size = struct.unpack("<I", header[10:14])[0]
        described = inflate(header[14 : 14 + size])
        (length,) = struct.unpack("<I", footer[-32:-28])
        facts = inflate(footer[:length])
        if rng.random() < 0.5:
            described = change_one(described, rng)
        else:
            facts = change_one(facts, rng)
        try:
            body, words = deflate(described), deflate(facts)
        except (ValueError, OverflowError):
            continue
        head = header[:10] + struct.pack("<I", len(body)) + body
        fresh = sealed_anew(head + blake(head), blocks, footer)
        if facts != inflate(footer[:length]):
            tail = parts_of(fresh)[2]
            own = tail[-104:-32] + struct.pack("<II", len(words), len(blocks))
            whole = words + tail[struct.unpack("<I", tail[-32:-28])[0] : -104] + own
            fresh = fresh[: -len(tail)] + whole + blake(whole) + END
        path = tmp_path / "t.aez"
        path.write_bytes(fresh)
        try:
            out = operations.decompress(path, tmp_path / "o", force=True)
        except AetoolError:
            continue
        assert out.read_bytes() == text.encode(), json.dumps([described, facts])[:300]


def test_records_that_stood_behind_the_end_of_a_file_that_was_cut_are_told(tmp_path, run):
    source, archive = tmp_path / "t.csv", tmp_path / "t.aez"
    rng = np.random.default_rng(0)
    source.write_text("a\n" + "\n".join(map(str, rng.integers(0, 10**15, 60_000))) + "\n")
    assert run("compress", source, "-o", archive).status == 0
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    done = run("decompress", archive, "-o", tmp_path / "back.csv", "--recover")
    assert done.status == 1 and "all records behind record 0" in done.err


def test_an_archive_without_header_and_footer_is_refused_in_words(pair, tmp_path):
    header, blocks, _ = parts_of(pair[0][0])
    (tmp_path / "t.aez").write_bytes(header[:12] + b"".join(blocks))
    with pytest.raises(ArchiveError, match="damaged: neither header nor footer can be read"):
        operations.decompress(tmp_path / "t.aez", tmp_path / "o", lost=[])
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("size", range(layout.WHOLE_IN_PIECE))
def test_an_archive_in_one_piece_has_room_for_its_digests(size, tmp_path):
    """Whatever its seal says: what it restores has a digest, too."""
    start = layout.START.pack(layout.MAGIC, layout.MAJOR, layout.ONE_PIECE)
    data = start + bytes(size)
    (tmp_path / "t.aez").write_bytes(data + blake(data, size=8))
    with pytest.raises(ArchiveError, match="longer or shorter than an archive of its layout"):
        Reader(tmp_path / "t.aez")


def test_what_is_empty_in_an_archive_is_read_as_such(tmp_path):
    """Sections, blocks' payloads and the lists of them may have nothing in them."""
    for rows in ([], [0], [5, 0, 7]):
        with (tmp_path / "t.aez").open("wb") as file:
            writer = Writer(file, {"name": "x"}, {"none": b"", "one": b"1"})
            for count in rows:
                writer.add(count, bytes(8), b"")
            writer.finish({"a": 1}, bytes(32))
        reader = Reader(tmp_path / "t.aez")
        assert reader.sections == {"none": b"", "one": b"1"} and reader.facts == {"a": 1}
        assert [block.rows for block in reader.blocks] == rows and reader.rows == sum(rows)
        assert [reader.block(i).payload for i in range(len(rows))] == [b""] * len(rows)
        reader.close()


@pytest.mark.parametrize(("name", "content"), [
    ("data.bin", bytes(range(16))), ("x", b"x"), ("none.bin", b""), ("n.txt", b"hello world 1234"), ("data.csv", b"a,b\n1,2\n3,4\n5,6\n"),
    ("d.jsonl", b'{"a":1}\n{"a":2}\n'),
])  # fmt: skip
def test_forty_bytes_at_most_lie_around_a_tiny_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    operations.compress(tmp_path / name, tmp_path / "a.aez")
    assert (tmp_path / "a.aez").stat().st_size <= len(content) + 40
    operations.decompress(tmp_path / "a.aez", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


@pytest.mark.parametrize("junk", [b"x", b"xy", END, END + SYNC, b"MAGIC" + END * 3])
def test_whatever_stands_before_or_behind_an_archive_its_own_end_counts(pair, junk, tmp_path):
    data, text = pair[0]
    before = [f"{len(junk)} bytes before the archive, which are not of it"]
    assert recovered(tmp_path / "t.aez", junk + data) == (text, before)
    whole, lost = recovered(tmp_path / "t.aez", data + junk)
    assert whole == text
    if END not in junk:
        assert lost == []


@pytest.mark.parametrize("missing", range(1, 9))
def test_marks_lie_across_the_pieces_in_which_a_file_is_searched(pair, missing, tmp_path):
    """A file is read 4 MiB at a time: the first bytes of a mark may be the last of a piece."""
    data, text = pair[0]
    for mark in (layout.MAGIC, SYNC, END):
        junk = bytes((1 << 22) - missing - data.index(mark))
        whole, lost = recovered(tmp_path / "t.aez", junk + data)
        assert whole == text
        assert lost == [f"{len(junk)} bytes before the archive, which are not of it"]


def test_an_archive_that_was_cut_says_where_it_ends(pair, tmp_path, run):
    data, text = pair[0]
    header, blocks, _ = parts_of(data)
    path = tmp_path / "t.aez"
    size = len(header) + len(blocks[0]) + len(blocks[1]) + 10
    path.write_bytes(data[:size])
    done = run("info", path)
    assert done.status == 1 and done.err == (
        f"aetool: error: {path}: damaged: the end is missing or does not fit: it ends early, at "
        f"byte {size:,}, before its footer (or bytes stand behind it); decompress with "
        "--recover brings back what is there\n"
    )
    whole, _ = recovered(path, data[:size])
    first_row, _ = rows_of(blocks, 2)
    assert whole == "".join(text.splitlines(True)[: 1 + first_row])


def test_a_small_archive_that_was_cut_says_how_much_is_there(tmp_path, run):
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(99)))
    path = tmp_path / "t.aez"
    operations.compress(tmp_path / "t.csv", path)
    size = path.stat().st_size // 2 + 20
    path.write_bytes(path.read_bytes()[:size])
    done = run("info", path)
    assert done.status == 1 and done.err == (
        f"aetool: error: {path}: damaged: its digest does not match: some of its {size} bytes were "
        "changed, or more are missing at its end; decompress with --recover brings back what is "
        "whole of it, if anything\n"
    )


def test_of_a_single_damaged_block_nothing_is_brought_back(tmp_path, run):
    """And that is said, where the error of reading it told to try."""
    path = tmp_path / "t.csv"
    rng = random.Random(0)
    path.write_text("a,b\n" + "".join(f"{n},{rng.random()}\n" for n in range(2000)))
    archive = tmp_path / "t.aez"
    operations.compress(path, archive)
    archive.write_bytes(archive.read_bytes()[:-300])
    told = run("decompress", archive, "-o", tmp_path / "back.csv")
    assert told.status == 1 and "--recover" in told.err
    done = run("decompress", archive, "--recover", "-o", tmp_path / "back.csv")
    assert done.status == 1 and "of which nothing can be brought back" in done.err
    assert not (tmp_path / "back.csv").exists()
