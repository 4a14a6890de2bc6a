"""Streams of whole numbers coded by a mixture of contexts: kernel, reference, and the other reader."""

import dataclasses
import json

import numpy as np
import pytest

from aetool import kernel, operations
from aetool.codec import blocks, planning, symbol_mixing
from aetool.codec.columns import whole_column
from aetool.codec.plans import Plan
from aetool.errors import ArchiveError
from aetool.operations import CompressOptions
from tests import format_reader
from tests.format_reader.streams import Streams
from tests.golden import vectors

KINDS = [0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 8]
LIMITS = [255, 255, 40, 255, 255, 255, 3, 255, 1, 255, 255]
VECTORS = json.loads(vectors.MIXED_TARGET.read_text())
VECTORS |= json.loads(vectors.WIDE_TARGET.read_text())
VECTORS |= json.loads(vectors.REGRESSED_TARGET.read_text())


def case(alphabet, count):
    """Symbols that their contexts tell a part of, and these."""
    rng = np.random.default_rng(alphabet)
    bases = rng.integers(0, 3, (len(KINDS), count)).astype(np.uint32)
    symbols = (bases[0] * 2 + rng.integers(0, 2, count)) % alphabet
    # of few symbols the levels, some of them below 0, come again; of others they go beyond 64 bits
    starts = rng.integers(-(2**62), 2**62, alphabet)
    if alphabet <= 5:
        starts = np.resize([-1, 1], alphabet)
    shift = 0 if alphabet <= 5 else 5
    layout = symbol_mixing.Layout(alphabet, bases, KINDS, starts, shift, LIMITS, 4000)
    return symbols.astype(np.uint16), layout


@pytest.mark.parametrize("alphabet,count", [(2, 300), (5, 250), (37, 250), (1000, 120), (3, 0)])
def test_kernel_and_reference_code_and_price_alike(alphabet, count, monkeypatch):
    symbols, layout = case(alphabet, count)
    code = symbol_mixing.mixed(symbols, layout)
    costs = symbol_mixing.costs(symbols, layout)
    damaged = code[: len(code) // 2] + b"abc"
    other = symbol_mixing.restored(damaged, layout)
    assert abs(costs.sum() / 8 - len(code)) < 4
    for _ in range(2):
        np.testing.assert_array_equal(symbol_mixing.restored(code, layout), symbols)
        np.testing.assert_array_equal(symbol_mixing.restored(damaged, layout), other)
        assert symbol_mixing.mixed(symbols, layout) == code
        np.testing.assert_allclose(symbol_mixing.costs(symbols, layout), costs)
        monkeypatch.setattr(kernel, "C", None)


def test_quick_statistics_follow_a_change_sooner():
    rng = np.random.default_rng(8)
    symbols = (rng.random(4000) < np.repeat([0.02, 0.98], 2000)).astype(np.uint16)
    starts = np.zeros(2, np.int64)
    bases = np.zeros((1, len(symbols)), np.uint32)
    taken = []
    for limit in (20, 255):
        layout = symbol_mixing.Layout(2, bases, [symbol_mixing.NOTHING], starts, 0, [limit])
        taken.append(symbol_mixing.costs(symbols, layout)[2000:2200].sum())
    assert taken[0] < 0.8 * taken[1]


def test_what_came_last_beside_the_same_is_foretold():
    rng = np.random.default_rng(9)
    beside = rng.integers(0, 30, 6000)
    # of each of 30 a symbol of its own, which changes now and then
    own = rng.integers(0, 16, 30)
    symbols = np.zeros(6000, np.uint16)
    for place, which in enumerate(beside):
        if rng.random() < 0.05:
            own[which] = rng.integers(0, 16)
        symbols[place] = own[which]
    starts = np.zeros(16, np.int64)
    taken = []
    for kind in (symbol_mixing.RECENT, symbol_mixing.NOTHING):
        bases = beside[None].astype(np.uint32) * 77
        layout = symbol_mixing.Layout(16, bases, [kind], starts, 0, [255])
        taken.append(symbol_mixing.costs(symbols, layout).sum())
    assert taken[0] < 0.6 * taken[1]


def table(rows):
    rng = np.random.default_rng(3)
    a = np.cumsum(rng.integers(-1, 2, rows)) % 40
    b = (a * 7 + rng.integers(0, 3, rows)) % 23
    c = (a + b) // 3 % 11 + (rng.random(rows) < 0.05)
    return "a,b,c\n" + "".join(f"{x},{y},{z}\n" for x, y, z in zip(a, b, c, strict=True))


# the best effort and the other reader; mixtures of a golden archive are read in the fast set
@pytest.mark.long
def test_best_mixes_and_the_other_reader_restores_it(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "SMALL_BLOCK", 100)
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    source.write_text(table(4500))
    mixed = []
    made = planning.mixture_search.mixture_of
    monkeypatch.setattr(
        planning.mixture_search, "mixture_of", lambda *a: mixed.append(made(*a)) or mixed[-1]
    )
    operations.compress(source, target, None, CompressOptions(effort=planning.BEST))
    with_mixtures = target.stat().st_size
    assert mixed
    assert format_reader.restore(target.read_bytes(), None) == source.read_bytes()
    plain = dataclasses.replace(planning.BEST, mixes_symbols=False)
    operations.compress(source, target, None, CompressOptions(effort=plain, force=True))
    assert with_mixtures < 0.98 * target.stat().st_size


def test_a_mixture_is_not_coded_again_to_know_its_size(monkeypatch):
    priced = []
    costs = symbol_mixing.costs

    def noted(symbols, layout):
        numbers = None if layout.numbers is None else layout.numbers.for_c()
        what = symbols.tobytes(), layout.starts.tobytes(), layout.bases.tobytes(), numbers
        priced.append(what)
        return costs(symbols, layout)

    monkeypatch.setattr(symbol_mixing, "costs", noted)
    values = np.random.default_rng(5).integers(0, 9, 5000).cumsum() % 50
    coded = [whole_column(values)]
    _, _, after = blocks.encode(coded, len(values), {}, planning.BEST)
    assert after.plans[0].mixture is not None
    assert len(priced) == len(set(priced)) >= 3


@pytest.mark.parametrize("name", [name for name in VECTORS if "verdict" not in name])
def test_the_other_reader_restores_the_vectors(name):
    vector = VECTORS[name]
    reader = Streams(vectors.ROWS, [vector["plan"]], lambda: bytes.fromhex(vector["bytes"]), None)
    reader.plan = lambda number: (vector["plan"], 0)
    for values, plan in vector["known"]:
        stream = vectors.stream_of(values)
        reader.keep(plan, present_of(stream), stream.values)
    stream = vectors.stream_of(vector["values"])
    present = present_of(stream)
    assert reader.next(present).tolist() == stream.values.tolist()


def present_of(stream):
    return np.ones(vectors.ROWS, bool) if stream.present is None else stream.present


@pytest.mark.parametrize(
    "part",
    [{"c": []}, {"c": [64]}, {"c": [0, 1, 1, 1, 1, 1]}, {"c": 3}, {"c": [0], "l": 1},
     {"c": [0], "y": 1, "o": 0}, {"c": [0], "f": [["m", [1], 3]]}, {"d": [64]}, {"d": [0], "l": 1},
     {"c": [0], "d": [0]}],
)  # fmt: skip
def test_a_mixture_out_of_range_is_refused(part):
    with pytest.raises(ArchiveError):
        Plan.from_json({"b": [0, 1], **part})


@pytest.mark.parametrize("letter", ["c", "d"])
def test_a_mixture_comes_back_from_json(letter):
    stored = {"b": [0, 1], "t": "d", letter: [3, 1, -2]}
    assert Plan.from_json(stored).to_json() == stored
