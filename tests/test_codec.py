"""Integers to bytes and back; every byte of an archive is under a checksum."""

import dataclasses
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aetool import bundle as bundles
from aetool import kernel, operations
from aetool.codec import (
    binning,
    bits,
    blobs,
    blocks,
    integers,
    planning,
    rans,
    records,
    source_texts,
    spans,
    text_decoding,
    textual,
    transforms,
)
from aetool.codec.archive import Archive
from aetool.codec.lossy import Quantiser
from aetool.codec.natives import numbers
from aetool.codec.planning import Planner
from aetool.codec.plans import (
    Combination,
    OtherSymbol,
    OtherValue,
    OwnSymbol,
    Plan,
    Term,
    Transform,
    Unchanged,
)
from aetool.codec.streams import Known, Stream
from aetool.csv.fields import Rule, fields
from aetool.errors import AetoolError, ArchiveError

WHOLE = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
CELL = st.one_of(
    st.sampled_from(
        ["", "NA", "0", "-0", "007", "1e5", "+1", ".5", "5.", "1.50", "-1.5", "9" * 25]
    ),
    st.integers(-(10**18), 10**18).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.dates().map(str),
    st.text(max_size=5),
)


@pytest.fixture(params=["kernel", "reference"])
def loops(request, monkeypatch):
    """Each test runs with the C kernel, if it is built, and with the numpy references."""
    if request.param == "reference":
        monkeypatch.setattr(kernel, "C", None)
    elif kernel.C is None:
        pytest.skip("the C kernel is not built")
    return request.param


def both(call):
    """What a call gives with the kernel and with the references, which must be the same."""
    held, kernel.C = kernel.C, None
    try:
        reference = call()
    finally:
        kernel.C = held
    fast = call()
    for a, b in zip(reference, fast, strict=True) if reference is not None else ():
        np.testing.assert_array_equal(a, b)
    assert (reference is None) == (fast is None)
    return fast


def coded(values, plan=None):
    stream = Stream(np.array(values, np.int64))
    plan = plan or Planner(Known(len(values)), planning.DEFAULT).plan(stream, 0)
    return plan, integers.encode(plan, stream, Known(len(values))) if len(values) else b""


@given(st.lists(WHOLE, max_size=60))
def test_any_whole_numbers_come_back(values):
    plan, data = coded(values)
    for held in (kernel.C, None):
        kernel.C, before = held, kernel.C
        try:
            stream = Stream(np.zeros(0, np.int64))
            back = integers.decode(
                plan, integers.Source(data), stream, len(values), Known(len(values))
            )
        finally:
            kernel.C = before
        assert back.tolist() == values


@pytest.mark.parametrize("transform", list(Transform))
@pytest.mark.parametrize("masked", [False, True])
def test_every_transform_and_feature_comes_back(loops, transform, masked):
    rng = np.random.default_rng(0)
    n = 900
    first = Stream(rng.integers(0, 5, n))
    present = rng.random(n) < 0.7 if masked else None
    values = np.cumsum(rng.integers(-9, 9, int(present.sum()) if masked else n)) + 2**40
    edges = np.array([1, 2])
    features = (OwnSymbol(edges), OtherSymbol(edges + 0, 0), OtherValue(edges[1:], 0), Unchanged(0))

    def known():
        made = Known(n)
        made.add(first, first.values.astype(np.uint16), 5)
        return made

    stream = Stream(values, present)
    combined = None
    if transform.is_linear:
        combined = Combination((Term(-3, ((0, 1),)), Term(2, ((0, 0), (0, 0)))), 7)
    plan = Plan(
        transform=transform,
        of=0,
        features=features,
        complete=True,
        lanes_log=2,
        combined=combined,
    )
    start, width = binning.bins_of(transforms.residuals(plan, stream, known()), 40)
    plan = plan.but(starts=start, widths=width)
    assert Plan.from_json(plan.to_json()).to_json() == plan.to_json()
    data = integers.encode(plan, stream, known())
    again = known()
    source = integers.Source(data)
    back = integers.decode(plan, source, Stream(np.zeros(0, np.int64), present), len(values), again)
    np.testing.assert_array_equal(back, values)
    if masked:
        assert (again.values[1][~present] == 0).all() and (again.values[1][present] == values).all()


def test_kernel_and_reference_compute_the_same_tables():
    rng = np.random.default_rng(1)
    for n, lanes in ((1, 1), (7, 4), (500, 1), (5000, 8)):
        symbols = np.minimum(rng.geometric(0.3, n) - 1, 19).astype(np.uint16)
        base = rng.integers(0, 6, n).astype(np.uint32)
        own = (np.arange(20) // 4).astype(np.uint8)
        prime = rng.integers(0, 9, (30, 20)).astype(np.uint32)
        for layout, given_ in (
            (rans.Contexts(20), None),
            (rans.Contexts(20, (5, 3, 2), 3, own, prime), base),
        ):
            (pairs,) = both(lambda a=layout, b=given_: (rans.forward(symbols, b, a, lanes),))
            (data,) = both(
                lambda a=layout, b=given_: (np.frombuffer(rans.encode(symbols, b, a, lanes), "u1"),)
            )
            both(lambda a=layout, b=given_, d=data: (rans.decode(d.tobytes(), n, b, a, lanes),))
            assert len(data) <= rans.cost(pairs) / 8 + 4 * lanes + 2


@pytest.mark.parametrize("most", [1, 300, 2**20, 2**24 - 1])
def test_frequencies_of_large_counts_are_the_same_in_the_kernel(most):
    """Counts from 2^25 on are divided otherwise there than those below: none may round up."""
    rng = np.random.default_rng(most)
    for alphabet, radices in ((2, (3,)), (7, (2, 4)), (130, (5,))):
        contexts = int(np.prod(radices))
        prime = rng.integers(0, most + 1, (contexts, alphabet)).astype(np.uint32)
        prime[0] = 0
        prime[1, 1:] = 0
        prime[1, 0] = most
        layout = rans.Contexts(alphabet, radices, 32, None, prime)
        symbols = rng.integers(0, alphabet, 4000).astype(np.uint16)
        base = rng.integers(0, contexts, 4000).astype(np.uint32)
        (pairs,) = both(lambda a=layout, b=base, s=symbols: (rans.forward(s, b, a, 2),))
        assert (pairs >> 16).min() > 0


def test_counts_of_the_largest_sum_are_the_same_in_the_kernel():
    """Its sums are of 32 bits: beyond, they would begin anew at 0."""
    layout = rans.Contexts(2, (65,), 32, None, prime_of(2**31 - 1))
    layout.check()
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 2, 4000).astype(np.uint16)
    base = rng.integers(0, 65, 4000).astype(np.uint32)
    (pairs,) = both(lambda: (rans.forward(symbols, base, layout),))
    # a context of equal counts has equal frequencies, which the counts of its symbols hardly move
    of_full = pairs[base < 64] >> 16
    assert abs(of_full.astype(np.int64) - rans.TOTAL // 2).max() <= 1


@given(st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8), st.integers(1, 500))
def test_tables_sum_and_keep_every_symbol(counts, strength):
    layout = rans.Contexts(4, (2,), strength)
    f = rans.tables(np.array(counts, np.int64).reshape(2, 4), layout)
    assert (f.sum(axis=1) == rans.TOTAL).all() and (f > 0).all()


@pytest.mark.parametrize("scale", [0.3, 3.0, 60.0])
def test_coding_is_within_one_and_a_half_percent_of_entropy(scale):
    values = np.rint(np.random.default_rng(0).normal(0, scale, 100_000)).astype(np.int64)
    p = np.unique(values, return_counts=True)[1] / len(values)
    entropy = -float((p * np.log2(p)).sum()) * len(values) / 8
    assert len(coded(values)[1]) < 1.015 * entropy + 100


def test_rans_refuses_damage(loops):
    symbols = np.random.default_rng(0).integers(0, 5, 60).astype(np.uint16)
    data = rans.encode(symbols, None, rans.Contexts(5), 2)
    for i in range(len(data)):
        bad = bytearray(data)
        bad[i] ^= 1 << i % 8
        try:
            back = rans.decode(bytes(bad), 60, None, rans.Contexts(5), 2)
        except ArchiveError:
            continue
        assert back.shape == (60,), "what slips through is caught by the block's digest"
    for cut in range(len(data)):
        with pytest.raises(ArchiveError):
            rans.decode(data[:cut], 60, None, rans.Contexts(5), 2)


@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 2**64 - 1)), max_size=40))
def test_bits_come_back(pairs):
    widths = np.array([w for w, _ in pairs], np.uint8)
    values = np.array([v & ((1 << w) - 1) for w, v in pairs], np.uint64)
    (data,) = both(lambda: (np.frombuffer(bits.pack(values, widths), np.uint8),))
    both(lambda: (bits.unpack(data.tobytes(), widths),))
    np.testing.assert_array_equal(bits.unpack(data.tobytes(), widths), values)
    with pytest.raises(ArchiveError):
        bits.unpack(data.tobytes() + b"\0", widths)


@given(
    st.integers(0, 64).flatmap(
        lambda size: st.lists(
            st.integers(-(2 ** max(size - 1, 0)), 2 ** max(size - 1, 0) - 1), max_size=300
        )
    )
)
def test_numbers_of_any_width_are_put_in_order(numbers):
    values = np.array(numbers, np.int64)
    places = bits.ascending(values)
    # Python's own sort keeps equal ones in the order of their places, too
    assert places.tolist() == sorted(range(len(numbers)), key=lambda place: numbers[place])


@pytest.mark.parametrize("span", [1 << 15, 1 << 16, (1 << 16) + 1, 1 << 32, (1 << 32) + 1, 1 << 63])
def test_order_at_the_edges_of_digits(span):
    """The largest number is span - 1 above the least, with many equal ones between."""
    rng = np.random.default_rng(span % 97)
    between = rng.integers(0, min(span, 1 << 40), 500) // 5 * 5
    above = np.concatenate([between, [0, span - 1], between[::-1]]).astype(np.uint64)
    values = (above + np.uint64(2**64 - 1000)).view(np.int64)
    places = bits.ascending(values)
    np.testing.assert_array_equal(places, np.argsort(values, kind="stable"))


def cells_of(values):
    raw = [v.encode() for v in values]
    stop = np.cumsum([len(r) for r in raw], dtype=np.int32) if raw else np.zeros(0, np.int32)
    start = (stop - [len(r) for r in raw]).astype(np.int32) if raw else stop
    return raw, np.frombuffer(b"".join(raw), np.uint8), start, stop


@given(st.lists(CELL, max_size=30), st.integers(0, 2), st.integers(0, 2))
def test_kernel_and_reference_read_the_same_cells(values, prefix, suffix):
    raw, text, start, stop = cells_of(values)
    value, form = both(lambda: spans.numbers(text, start, stop, 0, 0))
    both(lambda: spans.numbers(text, start, stop, prefix, suffix))
    both(lambda: spans.levels(text, start, stop, 5))
    first, index = both(lambda: spans.levels(text, start, stop, 1000))
    assert [raw[first[i]] for i in index] == raw
    for cell, v, f in zip(values, value, form, strict=True):
        plain = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", cell, re.ASCII)
        digits = sum(c.isdigit() for c in cell)
        negative_zero = cell.startswith("-") and not cell.strip("-0.")
        assert (f >= 0) == bool(plain and digits <= 18 and not negative_zero)
        if f >= 0:
            assert Fraction(int(v), 10 ** (int(f) & 31)) == Fraction(cell)


@given(st.lists(st.tuples(WHOLE, st.integers(0, 9)), max_size=20), st.sampled_from([None, 64, 65]))
def test_numbers_are_written_as_they_were_read(pairs, form):
    values = np.array([v for v, _ in pairs], np.int64)
    forms = np.array([d if form is None else form for _, d in pairs], np.int8)
    written, length = both(lambda: spans.write(values, forms, 9))
    at = 0
    for v, f, size in zip(values.tolist(), forms.tolist(), length.tolist(), strict=True):
        cell = written[at : at + size].tobytes().decode()
        at += size
        assert Fraction(cell) == Fraction(v, 10**9)
        after = len(cell.partition(".")[2])
        assert after >= (f if f < 64 else f - 64) and (after <= f or cell[-1] != "0" or f == 65)


@given(st.lists(CELL, max_size=40))
def test_any_column_of_text_comes_back(values):
    raw, text, start, stop = cells_of(values)
    made = textual.encode(text, start, stop)
    content, payload, _ = blocks.encode([made], len(raw), {}, planning.DEFAULT)
    back = blocks.decode(payload, len(raw), content)
    assert text_decoding.decode(back.columns[0]).bytes() == raw


@given(
    st.lists(st.one_of(st.floats(width=64), st.floats(width=32), st.decimals(-99, 99, places=2).map(float)), max_size=30),
    st.sampled_from([None, 0.0, 1e-6, 0.5, 1e9]),
)  # fmt: skip
def test_any_floats_come_back_bit_for_bit_or_within_the_bound(values, bound):
    x = np.array(values, np.float64)
    made = numbers.encode_floats(x, None, None if bound is None else Fraction(bound))
    content, payload, _ = blocks.encode([made], len(x), {}, planning.DEFAULT)
    y, _ = numbers.decode_floats(blocks.decode(payload, len(x), content).columns[0], 64)
    if not bound:
        assert x.tobytes() == y.tobytes()
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        if np.isfinite(a):
            assert abs(Fraction(a) - Fraction(b)) <= Fraction(bound or 0)
        else:
            assert np.float64(a).tobytes() == np.float64(b).tobytes()


@given(st.lists(st.binary(max_size=6), max_size=20))
def test_packed_cells_come_back(cells):
    assert spans.unpack_cells(spans.pack_cells(cells), len(cells)).bytes() == cells


@given(st.binary(max_size=300))
def test_packed_bytes_come_back(raw):
    assert blobs.unpack(blobs.pack(raw)) == raw
    with pytest.raises(ArchiveError):
        blobs.unpack(blobs.pack(raw), len(raw) - 1)


def text_of(made):
    """What a block of text restores."""
    block = blocks.decode(made.payload, made.rows, made.content)
    return records.decode(block, Rule(), made.rows, slice(0, made.rows))


def layout_of(piece, **more):
    """Names for as many columns as the first record has."""
    first = fields(piece, Rule()).width[:1].tolist() or [1]
    return records.Layout(Rule(), [f"c{i}" for i in range(first[0])], **more)


@given(st.text(alphabet='a1.,"\n\r', max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_a_piece_of_text_comes_back_byte_for_byte(raw, a, b):
    piece = raw.encode()
    piece = piece.lstrip(b"\r\n")  # a piece begins at a record
    if not piece:
        return
    for made in records.encode(piece, layout_of(piece)):
        content = blocks.decode(made.payload, made.rows, made.content)
        rows = made.rows
        assert records.decode(content, Rule(), rows, slice(0, rows)) == piece
        split = sorted((min(a, rows), min(b, rows)))
        pieces = [slice(0, split[0]), slice(*split), slice(split[1], rows)]
        assert b"".join(records.decode(content, Rule(), rows, s) for s in pieces) == piece


def test_irregular_records_cost_only_their_surroundings(monkeypatch):
    monkeypatch.setattr(records, "SMALLEST", 1 << 10)
    # steady steps of many digits: columns foretell them, while one text of all would not
    lines = [f"{i},{7919 * i + 31}.5,{104729 * i + 17}\n" for i in range(4000)]
    lines[1234] = "ragged\n"
    piece = "".join(lines).encode()
    made = records.encode(piece, records.Layout(Rule(), ["a", "b", "c"]))
    assert b"".join(map(text_of, made)) == piece and 2 < len(made) < 30
    assert sum(m.rows for m in made) == 4000


def test_records_of_any_number_of_fields_are_one_text(monkeypatch):
    monkeypatch.setattr(records, "SMALLEST", 1 << 10)
    rng = np.random.default_rng(0)
    words = [rng.bytes(6).hex() for _ in range(40)]
    lines = [",".join(rng.choice(words, 1 + i % 5).tolist()) + "\n" for i in range(900)]
    piece = "".join(lines).encode()
    layout = records.Layout(Rule(), ["a", "b", "c"])
    (made,) = records.encode(piece, layout)
    assert text_of(made) == piece and made.rows == 900
    # in pieces each would have to learn the words anew
    apart = [records.encode(piece[k : k + 2000], layout) for k in range(0, len(piece), 2000)]
    assert len(made.payload) < 0.5 * sum(len(one.payload) for (one,) in apart)


@pytest.mark.parametrize(
    "bound,cells",
    [("1", ["10", "11", "25"]), ("1%", ["0.5", "100", "73.25", "NA"]), ("0.004", ["1.001", "1.5", "-7.25"])],
)  # fmt: skip
def test_a_bound_holds_on_what_is_written(bound, cells):
    piece = "".join(f"{c}\n" for c in cells * 50).encode()
    seen = {}
    layout = records.Layout(Rule(), ["a"])
    records.add_range_evidence(piece, layout, seen)
    bounds = {"a": source_texts.allowed_by_place({"": bound}, ["a"], [seen["a"].ends])[0]}
    made = records.encode(piece, records.Layout(Rule(), ["a"], bounds=bounds, exact=False))
    assert text_of(made[0]) == made[0].restored
    out = made[0].restored.decode().split()
    assert len(out) == 50 * len(cells)
    for before, after in zip(cells * 50, out, strict=True):
        if before == "NA":
            assert after == "NA"
        else:
            assert abs(Fraction(before) - Fraction(after)) <= bounds["a"]
    if bound == "1":
        assert all("." not in c for c in out), "whole numbers stay whole"


def test_quantiser_is_stored_bit_for_bit():
    made = Quantiser(np.array([0.1, 1 / 3]), np.array([0.7, 1e-3]), np.array([1]))
    again = Quantiser.from_json(made.to_json())
    q = np.array([[3], [-7]])
    np.testing.assert_array_equal(made.restore(q), again.restore(q))
    np.testing.assert_array_equal(made.quantise(made.restore(q)), q)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small archive of each mode, and what it restores."""
    folder = tmp_path_factory.mktemp("small")
    source = folder / "t.csv"
    source.write_text("a,b,id\n" + "".join(f"{i % 5},{i % 3}.5,x{i}\n" for i in range(24)))
    made = {}
    for mode, options in (
        ("lossless", operations.CompressOptions()),
        ("lossy", operations.CompressOptions(lossy_only=True)),
    ):
        path = folder / f"{mode}.aez"
        operations.compress(source, path, options=options)
        out = folder / f"{mode}.out"
        operations.decompress(path, out)
        made[mode] = (path.read_bytes(), out.read_bytes())
    return made


def restored(path, out):
    operations.decompress(path, out, force=True, device="cpu")
    return out.read_bytes()


@pytest.mark.parametrize("mode", ["lossless", "lossy"])
def test_every_flipped_byte_is_detected(small, tmp_path, mode):
    data, expected = small[mode]
    path, out = tmp_path / "t.aez", tmp_path / "t.out"
    path.write_bytes(data)
    assert restored(path, out) == expected
    for i in range(len(data)):
        bad = bytearray(data)
        bad[i] ^= 1 << (i % 8)
        path.write_bytes(bad)
        with pytest.raises(AetoolError), Archive(path) as archive:
            archive.check()


@pytest.mark.parametrize("mode", ["lossless", "lossy"])
def test_every_cut_is_detected(small, tmp_path, mode):
    data, _ = small[mode]
    path = tmp_path / "t.aez"
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        with pytest.raises(AetoolError), Archive(path) as archive:
            archive.check()
    path.write_bytes(data + b"\0")
    with pytest.raises(AetoolError):
        Archive(path)


@settings(max_examples=60)
@given(data=st.data())
def test_bursts_never_give_a_wrong_value(small, tmp_path_factory, data):
    whole, expected = small[data.draw(st.sampled_from(["lossless", "lossy"]))]
    at = data.draw(st.integers(0, len(whole) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=20))
    bad = whole[:at] + noise + whole[at + data.draw(st.integers(0, 20)) :]
    folder = tmp_path_factory.mktemp("burst")
    (folder / "t.aez").write_bytes(bad)
    try:
        assert restored(folder / "t.aez", folder / "t.out") == expected
    except AetoolError:
        assert not (folder / "t.out").exists(), "nothing is left half-written"


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("loops_", ["kernel", "reference"])
@pytest.mark.parametrize("version", ["3.0"])
def test_golden_archives_are_restored_for_ever(version, loops_, tmp_path, monkeypatch):
    if loops_ == "reference":
        monkeypatch.setattr(kernel, "C", None)
    home = GOLDEN / version
    model = bundles.load(home / "model.aem")
    for name, expected in (
        ("text", "table.csv"), ("bounded", "bounded.csv"), ("bytes", "table.parquet"),
        ("pictures", "pictures.npy"), ("shared", "table.csv"), ("tiny", "tiny.csv"),
        ("ragged", "ragged.csv"), ("blocks", "table.csv"), ("long", "long.csv"),
        ("ends", "ends.csv"), ("wide", "wide.csv"), ("file", "arrays.npz"),
    ):  # fmt: skip
        out = operations.decompress(home / f"{name}.aez", tmp_path / name, model=model)
        assert out.read_bytes() == (home / expected).read_bytes(), name
    back = pd.read_parquet(operations.decompress(home / "typed.aez", tmp_path / "typed"))
    pd.testing.assert_frame_equal(back, pd.read_parquet(home / "table.parquet"))
    with Archive(home / "lossy.aez", model) as archive:
        assert len(archive.to_pandas()) == 400


def test_golden_folders_are_restored_for_ever(tmp_path):
    home = GOLDEN / "3.0"
    out = operations.decompress(home / "folder.aez", tmp_path / "folder")
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.png", "c.png", "d.jpg"]
    for path in out.iterdir():
        one, two = (np.asarray(Image.open(p)) for p in (path, home / "folder" / path.name))
        np.testing.assert_array_equal(one, two)
    assert (out / "d.jpg").read_bytes() == (home / "folder" / "d.jpg").read_bytes()


def test_archives_of_format_2_are_refused_in_one_line(tmp_path):
    for layout in (0, 1, 3, 5, 7):
        path = tmp_path / "old.aez"
        path.write_bytes(b"\x89AEZ\r\n\x1a\n" + bytes([2, 0, layout, 0]) + bytes(300))
        with pytest.raises(ArchiveError, match="format 2.*this aetool reads format 3"):
            Archive(path)


def test_the_vectors_of_the_format_page():
    page = (Path(rans.__file__).parent / "FORMAT.md").read_text()
    found = re.findall(r"^\| 0 1 0 0 1 2 0 0 \|.*`([0-9A-F ]+)` \|$", page, re.MULTILINE)
    own = rans.Contexts(3, (3,), 8, np.arange(3, dtype=np.uint8))
    for text, layout, lanes in zip(found, (rans.Contexts(3), own), (1, 2), strict=True):
        symbols = rans.decode(bytes.fromhex(text), 8, None, layout, lanes)
        assert symbols.tolist() == [0, 1, 0, 0, 1, 2, 0, 0]
        assert rans.encode(symbols, None, layout, lanes) == bytes.fromhex(text)


@pytest.mark.parametrize("effort", [planning.FAST, planning.DEFAULT])
def test_a_small_block_after_a_large_one(effort, tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        f"{v},{w}\n"
        for v, w in zip(rng.integers(0, 5000, 30_000), rng.integers(0, 60, 30_000), strict=True)
    ]
    source = tmp_path / "t.csv"
    source.write_text("a,b\n" + "".join(lines))
    block = len("".join(lines[:28_000]))
    options = operations.CompressOptions(effort=dataclasses.replace(effort, block=block))
    operations.compress(source, tmp_path / "t.aez", options=options)
    with Archive(tmp_path / "t.aez") as archive:
        assert [b.rows > 4096 for b in archive.reader.blocks] == [True, False]
    assert (
        operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_bytes()
        == source.read_bytes()
    )


@pytest.mark.parametrize("effort", [planning.FAST, planning.DEFAULT])
def test_blocks_of_other_shapes(effort, tmp_path):
    """Gaps, text or decimals in some blocks only: what the block before teaches does not apply."""
    rng = np.random.default_rng(0)
    kinds = [
        lambda v: f"{v}",
        lambda v: "NA" if v % 5 == 0 else f"{v}",
        lambda v: f"{v / 8}",
        lambda v: f"x{v}",
    ]
    lines = []
    for i in (1, 0, 2, 3, 1, 0):
        for v, w in zip(rng.integers(0, 90, 5000), rng.integers(0, 9, 5000), strict=True):
            lines.append(f"{kinds[i](v)},{(v + w) % 50},{kinds[-1 - i](w)}\n")
    source = tmp_path / "t.csv"
    source.write_text("a,b,c\n" + "".join(lines))
    options = operations.CompressOptions(effort=dataclasses.replace(effort, block=60_000))
    operations.compress(source, tmp_path / "t.aez", options=options)
    assert (
        operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_bytes()
        == source.read_bytes()
    )


LARGEST = rans.Contexts(1024, (4, 1, 1, 1024), (1 << 16) - 1)
OWN = np.array([0, 1, 2, 0, 1], np.uint8)  # classes of the symbol before
OF_REPEATS = rans.Contexts(5, (2,), 8, match=OWN, size_of_repeats=64)


def prime_of(total):
    """(65, 2) counts of that sum, of which 128 are the largest that a count may be."""
    prime = np.full((65, 2), (1 << 24) - 1, np.uint32)
    prime[64] = [total - int(prime[:64].sum(dtype=np.int64)), 0]
    return prime


@pytest.mark.parametrize(("layout", "beyond"), [
    (LARGEST, {"alphabet": 1025}),
    (LARGEST, {"alphabet": 0}),
    (LARGEST, {"radices": (4, 1, 1, 1025)}),
    (LARGEST, {"radices": (1, 1, 1, 1, 1)}),
    (LARGEST, {"radices": (4, 0, 1, 1)}),
    (LARGEST, {"strength": 1 << 16}),
    (LARGEST, {"strength": 0}),
    (rans.Contexts(64, (1 << 16,)), {"radices": ((1 << 16) + 1,), "alphabet": 1}),
    (rans.Contexts(5, (3, 2), own=OWN), {"radices": (2, 3)}),
    (rans.Contexts(5, (3, 2), own=OWN), {"own": OWN[:4]}),
    (rans.Contexts(5, (3, 2), own=OWN), {"radices": ()}),
    (rans.Contexts(2, (3,), prime=np.full((3, 2), (1 << 24) - 1, np.uint32)),
     {"prime": np.array([[0, 0], [0, 0], [0, 1 << 24]], np.uint32)}),
    (rans.Contexts(2, (65,), prime=prime_of(2**31 - 1)), {"prime": prime_of(2**31)}),
    (rans.Contexts(2, (3,), prime=np.zeros((3, 2), np.uint32)),
     {"prime": np.zeros((2, 3), np.uint32)}),
    (OF_REPEATS, {"size_of_repeats": 65}),
    (OF_REPEATS, {"size_of_repeats": 0}),
    (OF_REPEATS, {"match": OWN[:4]}),
])  # fmt: skip
def test_contexts_are_within_their_limits(layout, beyond):
    layout.check()
    with pytest.raises(ArchiveError, match="contexts are out of range"):
        dataclasses.replace(layout, **beyond).check()


@pytest.mark.parametrize(
    "kept", [[0.7], [True], ["0"], [[0]], 0, None, [0, 0], [-1], [2], [10**30], {"0": 1}]
)
def test_a_quantiser_keeps_units_that_there_are_once_each(kept):
    numbers = [(0.5).hex(), (0.25).hex()]
    with pytest.raises(ValueError, match="quantiser"):
        Quantiser.from_json({"centre": numbers, "step": numbers, "kept": kept})
    with pytest.raises(ValueError, match="quantiser"):
        Quantiser.from_json({"centre": "0x1", "step": "0x1", "kept": [0]})


@pytest.mark.parametrize("most", [-1, 0, 1])
def test_fewer_bins_than_two_are_refused_and_two_are_enough(most):
    residuals = np.array([-5, -1, 0, 3, 1000], np.int64)
    with pytest.raises(ValueError, match="2 bins or more"):
        binning.bins_of(residuals, most)
    start, width = binning.bins_of(residuals, 2)
    assert len(start) <= 2
    inside = (start[:, None] <= residuals) & (residuals < (start + (1 << width))[:, None])
    assert inside.any(axis=0).all()
