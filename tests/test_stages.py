"""Stages that came after 3.0: each pays on its table, comes back, and is read by the other reader."""

import bz2
import dataclasses
import lzma
import types
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import (
    binning,
    blobs,
    blocks,
    combining,
    digits,
    floats,
    mixing,
    payloads,
    plain,
    planning,
    ranks,
    records,
    skeletons,
    spans,
    squeezing,
    stages,
    textual,
    transforms,
)
from aetool.codec.archive import Archive
from aetool.codec.blobs import varint
from aetool.codec.columns import Book, Coded, Decoded
from aetool.codec.metas import (
    OWN_BOOK,
    DigitsMeta,
    FloatMeta,
    IntegerMeta,
    PartsMeta,
    RankMeta,
    TextMeta,
)
from aetool.codec.natives import numbers, tensors
from aetool.codec.plans import Combination, Plan, Seen, Term, Transform
from aetool.codec.records import Layout
from aetool.codec.streams import Known, Stream
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError
from tests import format_reader
from tests.format_reader.mixing import text_of
from tests.format_reader.streams import Streams

HOME = Path(__file__).parent / "golden" / "3.1"
LATER = HOME.parent / "3.3"
LAST = HOME.parent / "3.5"
FLOATS = HOME.parent / "3.6"
MIXTURES = HOME.parent / "3.8"
NOTATIONS = HOME.parent / "3.9"
REGRESSIONS = HOME.parent / "3.10"
HOMES = (HOME, LATER, LAST, FLOATS, MIXTURES, NOTATIONS, REGRESSIONS)
EVERY = sorted(path for home in HOMES for path in home.glob("*.aez"))
ARCHIVES = [path for path in EVERY if path.with_suffix(".csv").exists()]


# Without the kernel, and by the other reader, these take from four to fifteen seconds: they are of the
# long set there. The fast one has the others, and a vector of each coder of streams.
LARGE = {"readings", "weekly", "sentences", "mixtures"}
BY_SLOW_READERS = [
    pytest.param(path, id=path.stem, marks=pytest.mark.long if path.stem in LARGE else ())
    for path in ARCHIVES
]


def is_restored(path, folder):
    out = operations.decompress(path, folder / path.stem)
    return out.read_bytes() == path.with_suffix(".csv").read_bytes()


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_golden_archives_of_stages_are_restored_for_ever(path, tmp_path):
    assert is_restored(path, tmp_path)


# "described" takes the reference as long as the other reader, which restores it in the fast set
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, id=path.stem,
            marks=pytest.mark.long if path.stem in LARGE | {"described"} else (),
        )
        for path in ARCHIVES
    ],
)  # fmt: skip
def test_the_reference_restores_them(path, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "C", None)
    assert is_restored(path, tmp_path)


@pytest.mark.parametrize("path", BY_SLOW_READERS)
def test_the_other_reader_restores_them(path):
    restored = format_reader.restore(path.read_bytes())
    assert restored == path.with_suffix(".csv").read_bytes()


def coded(text, width):
    """A text coded as a block, which restores it."""
    names = [f"c{place}" for place in range(width)]
    layout = Layout(Rule(","), names)
    (encoded,) = records.encode(text, layout)
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    restored = records.decode(block, layout.rule, encoded.rows, slice(0, encoded.rows))
    assert restored == text
    return block


# ---- dictionaries


def test_columns_that_share_cells_share_a_dictionary():
    text = (HOME / "ranks.csv").read_bytes().split(b"\n", 1)[1]
    block = coded(text, 2)
    assert [column.meta for column in block.columns] == [RankMeta(), RankMeta(of=0)]
    alone = records.decode(block, Rule(","), len(block.columns[0].kinds), slice(0, 2), [1])
    assert alone == b"".join(line.split(b",")[1] + b"\n" for line in text.split(b"\n")[:2])


@given(
    st.lists(st.text("0123456789.-e\u00e9 x", max_size=9), min_size=32, max_size=60, unique=True),
    st.integers(0, 2**32),
)
def test_any_cells_come_back_as_ranks(cells, seed):
    cells = [cell.encode() for cell in cells]
    index = np.random.default_rng(seed).integers(0, len(cells), 200)
    ordered = sorted(cells, key=ranks._sort_key)
    blob = ranks.packed(ordered, planning.DEFAULT)
    values = np.array([ordered.index(cells[place]) for place in index])
    none = np.zeros(0, np.int64)
    column = Decoded(RankMeta(), np.zeros(200, np.int64), values, none, [blob], Book(blob))
    assert ranks.cells_of(column).bytes() == [cells[place] for place in index]


@pytest.mark.parametrize("meta,values,said", [
    (RankMeta(), [0, 3], "beyond its dictionary"),
    (RankMeta(), [-1], "beyond its dictionary"),
    (RankMeta(of=0), [0], "is not there"),
    (RankMeta(of=5), [0], "is not there"),
])  # fmt: skip
def test_ranks_that_point_nowhere_are_damage(meta, values, said):
    blob = ranks.packed([b"1", b"2", b"3"], planning.DEFAULT)
    text = Coded(TextMeta(), [], [spans.pack_cells([b""] * len(values))])
    column = Coded(meta, [Stream(np.array(values))], [] if meta.of is not None else [blob])
    _, payload, _ = blocks.encode([text, column], len(values), {}, planning.FAST)
    with pytest.raises(ArchiveError, match=said):
        ranks.cells_of(blocks.decode(payload, len(values), None).columns[1])


# ---- floats


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.booleans())
def test_any_floats_come_back_as_they_are_written(numbers, bare):
    meta, stored, kinds, fits = floats.taken_apart(np.array(numbers), bare)
    back = floats.restored(meta, stored, kinds)
    expected = floats.shortest_texts(np.array(numbers), bare)
    assert [text for text, fit in zip(back, fits, strict=True) if fit] == [
        text for text, fit in zip(expected, fits, strict=True) if fit
    ]


@given(st.lists(st.integers(-(10**7), 10**7), min_size=8, max_size=80), st.integers(1, 5))
def test_decimals_that_sums_have_moved_are_decimals(wholes, places):
    numbers = np.array(wholes) / 10**places + 0.1
    meta, _, _, fits = floats.taken_apart(numbers, False)
    assert meta.places is not None and meta.places <= max(places, 1) and fits.all()


def test_floats_among_odd_cells():
    text = (HOME / "floats.csv").read_bytes().split(b"\n", 1)[1]
    block = coded(text, 2)
    sums, means = (column.meta for column in block.columns)
    assert isinstance(sums, FloatMeta) and sums.places == 1 and len(sums.offsets) > 1
    assert isinstance(means, FloatMeta) and means.places is None


def test_nineteen_digits_and_more_are_numbers():
    numbers = np.random.default_rng(0).normal(size=500) * 1e-3
    cells = [repr(number).encode() for number in numbers.tolist()]
    buffer = np.frombuffer(b"".join(cells), np.uint8)
    stop = np.cumsum([len(cell) for cell in cells]).astype(np.int32)
    column = textual.encode(buffer, np.append(0, stop[:-1]).astype(np.int32), stop)
    assert [type(one.meta) for one in column.others] == [FloatMeta]


# ---- mixing


BYTES = st.binary(max_size=120) | st.text("ab,\n", max_size=200).map(str.encode)


@given(BYTES, st.booleans())
def test_any_bytes_come_back_of_a_mixture(raw, widely):
    code = mixing.mixed(raw, widely)
    assert raw == b"" or mixing.restored(code, len(raw), widely) == raw


@settings(max_examples=15)
@given(BYTES | st.text("aZ\xe9 ,\n", max_size=200).map(str.encode), st.booleans())
def test_kernel_and_reference_mix_alike(raw, widely):
    code = mixing.mixed(raw, widely)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "C", None)
        assert mixing.mixed(raw, widely) == code or len(code) > len(raw)


@pytest.mark.parametrize("longest,times", [(200, 1), (199, 2)])
def test_a_short_text_that_comes_again_is_not_mixed_again(monkeypatch, longest, times):
    """As in the archives of one table that are tried one after the other."""
    text = np.random.default_rng(longest).bytes(100).hex().encode()
    texts = []

    def counted(whole, *arguments):
        texts.append(whole)
        return compiled.mix(whole, *arguments)

    compiled = kernel.C
    if compiled is None:
        pytest.skip("the C kernel is not built")
    monkeypatch.setattr(kernel, "C", types.SimpleNamespace(mix=counted))
    monkeypatch.setattr(mixing, "LONGEST_KEPT", longest)
    first = mixing.mixed(text)
    assert mixing.mixed(text) == first and texts == [text] * times
    # by another delimiter it is another code
    mixing.code_of(text, ord(";"))
    assert len(texts) == times + 1
    monkeypatch.setattr(kernel, "C", compiled)
    assert mixing.restored(first, len(text)) == text


@pytest.mark.parametrize("widely", [False, True])
def test_kernel_and_reference_restore_the_same_of_damage(widely):
    text = (HOME / "words.csv").read_bytes()[:900]
    code = bytearray(mixing.mixed(text, widely))
    code[len(code) // 2] ^= 16
    by_kernel = mixing.restored(bytes(code), len(text), widely)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "C", None)
        assert mixing.restored(bytes(code), len(text), widely) == by_kernel != text


def test_texts_of_a_small_table_are_mixed_and_of_a_large_one_are_not(monkeypatch):
    rng = np.random.default_rng(0)
    words = [rng.bytes(3).hex() for _ in range(300)]
    lines = [" ".join(rng.choice(words, 4).tolist()) + f",{k}\n" for k in range(1500)]
    text = "".join(lines).encode()
    mixture = stages.number_of("mixed widely")
    # the text of the whole table would be mixed, too, and hide which its columns are
    monkeypatch.setattr(plain, "packed", lambda *_arguments, **_options: None)

    def stage_and_size():
        blob = coded(text, 2).columns[0].blobs[0]
        head, _ = blobs.read_varint(blob, 0)
        return head & ((1 << stages.BITS) - 1), len(blob)

    small = stage_and_size()
    monkeypatch.setattr(squeezing, "SMALL_TABLE", len(text) // 2)
    large = stage_and_size()
    assert small[0] == mixture and large[0] == stages.number_of("lzma2")
    assert small[1] < 0.95 * large[1]
    monkeypatch.setattr(squeezing, "SMALL_TABLE", 1 << 22)
    monkeypatch.setattr(squeezing, "ALWAYS_MIXED", 0)
    # the texts are nine tenths of the table, of which an eighth may be mixed
    assert stage_and_size() == large


@pytest.mark.parametrize("widely", [False, True])
def test_the_other_reader_mixes_alike(widely):
    text = (HOME / "words.csv").read_bytes()[:2500]  # beyond 2,000 bytes it learns more slowly
    assert text_of(mixing.mixed(text, widely), len(text), widely=widely) == text


def test_a_mixture_takes_less_than_general_compressors():
    text = (HOME / "words.csv").read_bytes()
    assert len(mixing.mixed(text)) < 0.8 * min(len(bz2.compress(text)), len(lzma.compress(text)))


@pytest.mark.parametrize("data,size", [(b"", 3), (b",abc", mixing.MOST + 1)])
def test_no_mixture_is_damage(data, size):
    number = stages.number_of("mixed")
    with pytest.raises(ArchiveError, match="damaged"):
        stages.restore(number, data, size)


# ---- combinations


def test_totals_products_and_steady_tracks_are_told():
    text = (HOME / "totals.csv").read_bytes().split(b"\n", 1)[1]
    (encoded,) = records.encode(text, Layout(Rule(","), list("abcdef")))
    words, _ = payloads.words_of(encoded.payload)
    plans = [Plan.from_json(stored) for stored in words["plans"]]
    cost, total, track = plans[2], plans[4], plans[5]
    assert cost.combined == Combination((Term(1, ((1, 0), (0, 0))),))
    assert total.combined == Combination((Term(1, ((2, 0),)), Term(1, ((3, 0),))))
    # nothing is left of either, so that neither has more than one symbol
    assert cost.alphabet == total.alphabet == 1
    assert track.transform is Transform.SECOND


WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(WHOLE, min_size=60, max_size=80), st.data())
def test_combinations_of_any_numbers_come_back(values, data):
    known = Known(len(values))
    for _ in range(2):
        size = len(values)
        other = data.draw(st.lists(WHOLE, min_size=size, max_size=size))
        known.add(Stream(np.array(other)), np.zeros(len(values), np.uint16), 1)
    stream = Stream(np.array(values))
    found = list(combining.combinations(stream, [0, 1], known))
    term = Term(data.draw(st.integers(-(2**40), 2**40)), ((1, 1), (0, 0)))
    own = Combination((term,), data.draw(st.integers(1, 2**40)))
    for plan in [*found, Plan(transform=Transform.LINEAR_DIFFERENCE, combined=own)]:
        left = transforms.residuals(plan, stream, known)
        assert transforms.restore(plan, left, stream, known).tolist() == values


# rows, columns, what they are made of, the seed, and most bytes; of the middle three, columns took
# over the factors of their neighbours, and the block up to 1.3 % more bytes. A step is of 2 bits,
# so that 3,000 bytes is what the last can be at best.
TABLES = [
    (512, 8, "walks", 0, 12_480),
    (512, 16, "walks", 4, 26_012),
    # more than a second each
    pytest.param(512, 32, "noises", 6, 58_224, marks=pytest.mark.long),
    pytest.param(512, 32, "noises", 5, 59_644, marks=pytest.mark.long),
    (2000, 6, "steps", 3, 3117),
]


@pytest.mark.parametrize(("rows", "width", "kind", "seed", "most"), TABLES)
def test_a_block_is_never_larger_for_its_combinations(rows, width, kind, seed, most):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(3, width))
    noise = 0.1 * rng.normal(size=(rows, width))
    hidden = rng.normal(size=(rows, 3))
    values = {
        "walks": (hidden.cumsum(0) @ factors + noise).astype("f4"),
        "noises": (hidden @ factors + noise).astype("f4"),
        "steps": rng.integers(0, 4, size=(rows, width)).cumsum(1).astype("i4"),
    }[kind]
    tensor = tensors.Tensor("x", values.dtype.str, values.shape, axes=(1,))
    period = tensors.parts_of(tensor) if width > 8 else 0
    sizes = {}
    for combinations in (True, False):
        effort = dataclasses.replace(planning.DEFAULT, combinations=combinations)
        columns = tensors.encode(tensor, values)
        content, payload, after = blocks.encode(columns, rows, {}, effort, period=period)
        assert blocks.decode(payload, rows, content).content == content
        sizes[combinations] = len(payload)
        assert combinations or not any(plan.combined for plan in after.plans)
    assert sizes[True] <= sizes[False]
    assert sizes[True] <= most
    if kind == "steps":
        # contexts of every level tell most of this without a combination
        assert sizes[True] <= 1.04 * rows * width * np.log2(4) / 8
        assert sizes[True] < sizes[False]


def test_combinations_that_save_much_are_taken_without_a_second_look(monkeypatch):
    rng = np.random.default_rng(3)
    parts = rng.integers(0, 100_000, size=(6000, 2))
    columns = [numbers.encode_integers(column) for column in (*parts.T, parts.sum(axis=1))]
    efforts = []
    kept = blocks._encoded
    monkeypatch.setattr(blocks, "_encoded", lambda *a: efforts.append(a[3]) or kept(*a))
    blocks.encode(columns, len(parts), {}, planning.DEFAULT)
    assert efforts == [planning.DEFAULT]


def test_a_combination_of_streams_that_are_not_there_is_damage():
    plan = Plan(transform=Transform.LINEAR, combined=Combination((Term(1, ((3, 0),)),)))
    with pytest.raises(ArchiveError, match="a column that is not there"):
        transforms.restore(plan, np.zeros(4, np.int64), Stream(np.zeros(0, np.int64)), Known(4))


# ---- keys


def plans_of(text, width):
    """The plans by which a text is coded as a block, which restores it."""
    (encoded,) = records.encode(text, Layout(Rule(","), [f"c{place}" for place in range(width)]))
    coded(text, width)
    words, _ = payloads.words_of(encoded.payload)
    return [Plan.from_json(stored) for stored in words["plans"]]


def test_what_is_told_of_a_player_is_told_once_whoever_wins():
    text = (LATER / "keys.csv").read_bytes().split(b"\n", 1)[1]
    plans = plans_of(text, 8)
    keyed = [place for place, plan in enumerate(plans) if plan.transform is Transform.KEYED]
    assert {2, 3, 6, 7} <= set(keyed)
    assert plans[6].pair is not None and plans[7].pair is not None
    shuffled = text.split(b"\n")[:-1]
    names = [line.split(b",")[6] for line in shuffled]
    np.random.default_rng(0).shuffle(names)
    broken = []
    for line, name in zip(shuffled, names, strict=True):
        cells = line.split(b",")
        broken.append(b",".join([*cells[:6], name, cells[7]]) + b"\n")
    layout = Layout(Rule(","), list("abcdefgh"))
    sizes = [len(records.encode(one, layout)[0].payload) for one in (text, b"".join(broken))]
    # 1,500 heights of 45 kinds are 5 bits each where the player does not tell them
    assert sizes[1] - sizes[0] > 700


SMALL_KEYS = st.lists(st.integers(-3, 3), min_size=1, max_size=50)


@given(SMALL_KEYS, st.data())
def test_values_come_back_from_any_keys(own, data):
    rows = len(own)
    known = Known(rows)
    several = st.lists(st.integers(-3, 3) | WHOLE, min_size=rows, max_size=rows)
    for column in (own, data.draw(several), data.draw(several)):
        known.add(Stream(np.array(column)), np.zeros(rows, np.uint16), 1)
    present = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    pair = data.draw(st.sampled_from([None, (1, 2), (0, 1), (2, 0)]))
    plan = Plan(transform=Transform.KEYED, of=0, pair=pair, features=(Seen(),))
    values = np.array(data.draw(several))[present]
    stream = Stream(values, present)
    left = transforms.residuals(plan, stream, known)
    assert transforms.restore(plan, left, stream, known).tolist() == values.tolist()
    other = Streams(rows, [], None, None)
    other.values = known.values
    told, classes = other.keyed({"g": 0, **({"j": pair} if pair else {})}, left, present, 1)
    assert told.tolist() == values.tolist()
    assert transforms.course(plan, stream, known).times_before().tolist() == classes


@pytest.mark.parametrize(("of", "pair"), [(3, None), (0, (0, 1)), (0, (1, 0))])
def test_keys_that_are_not_there_are_damage(of, pair):
    known = Known(4)
    known.add(Stream(np.zeros(4, np.int64)), np.zeros(4, np.uint16), 1)
    plan = Plan(transform=Transform.KEYED, of=of, pair=pair)
    with pytest.raises(ArchiveError, match="a column that is not there"):
        transforms.restore(plan, np.zeros(4, np.int64), Stream(np.zeros(0, np.int64)), known)


# ---- books


@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_the_golden_archive_of_books_is_restored_for_ever(loops, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    out = operations.decompress(LATER / "numbers.aez", tmp_path / "numbers.parquet")
    assert pq.read_table(out).equals(pq.read_table(LATER / "numbers.parquet"))


def test_the_other_reader_restores_books():
    frame = format_reader.restore((LATER / "numbers.aez").read_bytes())
    assert frame == pq.read_table(LATER / "numbers.parquet").to_pydict()


def test_columns_of_the_same_numbers_share_a_book():
    with Archive(LATER / "numbers.aez") as archive:
        ((block, _),) = archive.blocks(0, archive.rows)
    metas = [column.meta for column in block.columns]
    assert [meta.book for meta in metas[:2]] == [OWN_BOOK, 0] and metas[4].book == OWN_BOOK


BITS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=80, unique=True)
SUMS = st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 100 + 0.1), min_size=1, unique=True)


@settings(deadline=None, max_examples=60)
@given(BITS | SUMS.map(lambda some: floats.ordered_bits(np.array(some)).tolist()), st.booleans())
def test_any_book_comes_back(numbers_in_it, are_floats):
    ascending = np.array(sorted(numbers_in_it))
    blob = blocks.book_to_bytes(ascending, planning.FAST, are_floats)
    assert blocks.book_from_bytes(blob).tolist() == ascending.tolist()
    assert format_reader.columns.book(blob).tolist() == ascending.tolist()


def with_book(meta, ranks, blob):
    """A payload of one column of such a meta, which was written as one of values."""
    column = Coded(meta, [Stream(np.array(ranks))], book=Book(blob))
    return blocks.encode([column], len(ranks), {}, planning.FAST)[1]


GOOD_BOOK = blocks.book_to_bytes(np.array([3, 5, 9]), planning.FAST)
NESTED = with_book(IntegerMeta(), [0, 1], GOOD_BOOK)


@pytest.mark.parametrize(("ranks", "blob", "said"), [
    ([0, 3], GOOD_BOOK, "beyond its book"),
    ([-1, 0], GOOD_BOOK, "beyond its book"),
    ([0, 1], GOOD_BOOK[:-1], "damaged"),
    ([0, 1], varint(3) + varint(17) + GOOD_BOOK[2:], "too many decimals"),
    ([0, 1], varint(3) + varint(3) + GOOD_BOOK[2:], "not a column of numbers"),
    ([0, 1], varint(2) + varint(0) + NESTED, "not a column of numbers"),
])  # fmt: skip
def test_books_that_make_no_sense_are_damage(ranks, blob, said):
    with pytest.raises(ArchiveError, match=said):
        blocks.decode(with_book(IntegerMeta(), ranks, blob), 2, None)


def test_a_book_that_is_not_there_is_damage():
    columns = [Coded(IntegerMeta(book=place), [Stream(np.array([0, 1]))]) for place in (None, 0)]
    payload = blocks.encode(columns, 2, {}, planning.FAST)[1]
    with pytest.raises(ArchiveError, match="book is not there"):
        blocks.decode(payload, 2, None)


# ---- digits, and skeletons


def test_identities_are_half_a_byte_a_digit_and_numbers_in_sentences_are_numbers():
    text = (LATER / "sentences.csv").read_bytes().split(b"\n", 1)[1]
    block = coded(text, 4)
    identity, event, code, number = (column.meta for column in block.columns)
    assert isinstance(identity, PartsMeta) and isinstance(event, PartsMeta)
    assert (code.base, code.width, code.is_upper) == (16, 12, True)
    assert (number.base, number.width, number.affixes) == (10, 7, ("id-", ""))
    # 16 random bytes of each identity; the hyphens cost nothing
    assert len(block.columns[0].blobs[0]) < 600 * 16 * 1.06


DIGITS_META = st.builds(
    DigitsMeta,
    base=st.sampled_from([10, 16]),
    width=st.integers(1, 16),
    is_upper=st.booleans(),
    affixes=st.tuples(st.text("0aF-", max_size=3), st.text("0aF-", max_size=3)),
)


@given(DIGITS_META, st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=9))
def test_digits_come_back(meta, numbers):
    numbers = [number % meta.base**meta.width for number in numbers]
    letter = "d" if meta.base == 10 else "X" if meta.is_upper else "x"
    before, behind = meta.affixes
    cells = [f"{before}{number:0{meta.width}{letter}}{behind}".encode() for number in numbers]
    buffer = np.frombuffer(b"".join([*cells, b"!"]), np.uint8)
    ends = np.cumsum([len(cell) for cell in cells] + [1]).astype(np.int32)
    values, good = digits.read(meta, (buffer, np.append(0, ends[:-1]).astype(np.int32), ends))
    assert good[:-1].all() and not good[-1]
    assert values[:-1].view(np.uint64).tolist() == numbers
    written, length = digits.cells_of_digits(meta, values[:-1])
    assert written.tobytes() == b"".join(cells) and length.sum() == len(written)


@pytest.mark.parametrize("value", [1000, -1])
def test_a_number_of_more_digits_than_its_column_is_damage(value):
    with pytest.raises(ArchiveError, match="more digits than its column"):
        digits.cells_of_digits(DigitsMeta(base=10, width=3), np.array([value]))


LETTERS_OF_SENTENCES = st.text("019af-.: x\u00e9", max_size=40)


@settings(deadline=None, max_examples=40)
@given(st.lists(LETTERS_OF_SENTENCES, min_size=1, max_size=60))
def test_any_sentences_come_back_from_their_parts(cells):
    way = skeletons._split([cell.encode() for cell in cells], planning.FAST)
    if way is None:
        assert max(len(skeletons.PART.findall(cell.encode())) for cell in cells) > 24
        return
    column = Decoded(way.meta, np.zeros(len(cells), np.int64), np.zeros(0), np.zeros(0), way.blobs)
    assert skeletons.decode(column).bytes() == [cell.encode() for cell in cells]


def parts_of(*columns):
    """A column of skeletons and parts, as it may stand in an archive."""
    places = [spans.behind_another(list(column)).places() for column in columns]
    coded = [textual.encode(*column) for column in places]
    _, payload, _ = blocks.encode(coded, len(columns[0]), {}, planning.FAST)
    return payload


@pytest.mark.parametrize(("blob", "said"), [
    (varint(1) + parts_of([b"a\0", b"b"]), "more marks than parts"),
    (varint(2) + parts_of([b"a\0", b"b"]), "has not the parts"),
    (varint(0) + parts_of([b"a", b"b"]), "too many parts, or none"),
    (varint(26) + parts_of(*[[b"a", b"b"]] * 26), "too many parts, or none"),
    (varint(1) + parts_of([b"a", b"b"])[:-1], "damaged"),
    (b"", "damaged"),
])  # fmt: skip
def test_skeletons_that_make_no_sense_are_damage(blob, said):
    none = np.zeros(0, np.int64)
    with pytest.raises(ArchiveError, match=said):
        skeletons.decode(Decoded(PartsMeta(), np.zeros(2, np.int64), none, none, [blob]))


def test_parts_of_parts_are_damage():
    nested = skeletons._split([b"a 1", b"b 2"], planning.FAST)
    _, payload, _ = blocks.encode([nested], 2, {}, planning.FAST)
    none = np.zeros(0, np.int64)
    column = Decoded(PartsMeta(), np.zeros(2, np.int64), none, none, [varint(1) + payload])
    with pytest.raises(ArchiveError, match="not one column of cells"):
        skeletons.decode(column)


# ---- the search


def test_the_search_looks_at_few_of_many_columns_and_at_those_that_are_like_it():
    rng = np.random.default_rng(0)
    known = Known(300)
    planner = planning.Planner(known, planning.DEFAULT)
    stream = Stream(rng.integers(0, 1000, 300))
    for place in range(400):
        values = rng.integers(0, 1000, 300)
        if place == 250:
            values = 3000 - 2 * stream.values
        known.add(Stream(values), values.astype(np.uint16) % 8, 8)
    parents = planner._parents(stream)
    assert 250 in parents and {0, 399} < set(parents)
    assert len(parents) < 40 and parents == sorted(set(parents))


def test_bins_of_numbers_on_both_sides_of_nought_are_those_of_one_side():
    values = np.random.default_rng(0).geometric(0.1, 3000).astype(np.int64) << 40
    both = np.concatenate([values, -values - 1])
    start, width = binning.bins_of(both, 255)
    inside = np.searchsorted(start, both, "right") - 1
    assert ((both - start[inside]) >> width[inside] == 0).all()
