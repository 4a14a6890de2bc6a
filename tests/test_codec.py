"""Integers to bytes and back; every byte of an archive is under a checksum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool import operations
from aetool.codec import lossless, rans, streams
from aetool.codec.archive import Archive
from aetool.codec.lossy import Quantiser
from aetool.data.table import Cells
from aetool.errors import AetoolError, ArchiveError

INTEGERS = st.one_of(st.integers(-3, 3), st.integers(-(2**31), 2**31 - 1))


@given(st.integers(0, 40), st.integers(1, 4), st.data())
def test_rans_gives_back_any_integers(rows, k, data):
    flat = data.draw(st.lists(INTEGERS, min_size=rows * k, max_size=rows * k))
    values = np.array(flat, dtype=np.int64).reshape(rows, k)
    np.testing.assert_array_equal(rans.decode_table(rans.encode_table(values), rows, k), values)


@pytest.mark.parametrize("scale", [0.3, 3.0, 60.0])
def test_rans_is_within_one_percent_of_entropy(scale):
    values = np.rint(np.random.default_rng(0).normal(0, scale, (60_000, 3))).astype(np.int64)
    entropy = 0.0
    for column in values.T:
        p = np.unique(column, return_counts=True)[1] / len(column)
        entropy -= float((p * np.log2(p)).sum()) * len(column) / 8
    assert len(rans.encode_table(values)) < 1.01 * entropy + 1024 + 3 * 4 * len(np.unique(values))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=2000))
def test_frequencies_sum_and_keep_every_symbol(counts):
    counts = np.array(counts)
    frequency = rans.normalise(counts)
    assert frequency.sum() == rans.TOTAL and (frequency[counts > 0] > 0).all()


def test_rans_refuses_damage():
    values = np.random.default_rng(0).integers(-5, 5, (50, 2))
    data = rans.encode_table(values)
    for i in range(len(data)):
        bad = bytearray(data)
        bad[i] ^= 1
        try:
            back = rans.decode_table(bytes(bad), 50, 2)
        except ArchiveError:
            continue
        assert back.shape == (50, 2), "what slips through is caught by the stream's digest"
    for cut in range(len(data)):
        with pytest.raises(ArchiveError):
            rans.decode_table(data[:cut], 50, 2)


TEXT = st.lists(st.one_of(st.none(), st.text(max_size=6), st.integers().map(str)), max_size=30)


@given(TEXT)
def test_text_comes_back(values):
    cells = Cells.of(values)
    assert streams.decode_text(streams.encode_text(cells), len(values)) == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_whole_numbers_come_back(values):
    x = np.array(values, dtype=np.int64)
    np.testing.assert_array_equal(streams.decode_integers(streams.encode_integers(x), len(x)), x)


@given(st.binary(max_size=300))
def test_packed_bytes_come_back(raw):
    coder, data = streams.pack(raw)
    assert streams.unpack(coder, data, len(raw)) == raw
    with pytest.raises(ArchiveError):
        streams.unpack(coder, data, len(raw) + 1)


@given(st.text(alphabet='a1,"\n\r', max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_a_block_of_text_comes_back_byte_for_byte(raw, a, b):
    piece = raw.encode()
    rows, parts = lossless.encode_block(piece, ",")
    coded = [(s, streams.unpack(s.coder, s.data, s.raw_length)) for s in parts]
    assert lossless.decode_block(coded, rows, slice(0, rows)) == piece
    split = sorted((min(a, rows), min(b, rows)))
    pieces = [slice(0, split[0]), slice(*split), slice(split[1], rows)]
    assert b"".join(lossless.decode_block(coded, rows, s) for s in pieces) == piece


def test_columns_apart_are_smaller_and_exact():
    body = "".join(f"{i},{i % 7}.5,name{i % 3}\r\n" for i in range(4000)).encode()
    rows, parts = lossless.encode_block(body, ",")
    assert rows == 4000 and len(parts) == 7
    coded = [(s, streams.unpack(s.coder, s.data, s.raw_length)) for s in parts]
    assert lossless.decode_block(coded, rows, slice(10, 12)) == b"10,3.5,name1\r\n11,4.5,name2\r\n"


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
        ("lossy", operations.CompressOptions(lossy=True)),
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


@settings(max_examples=60, deadline=None)
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
