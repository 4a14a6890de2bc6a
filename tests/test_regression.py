"""The regression of a mixture: kernel, reference and the other reader agree, and it foretells."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aetool import kernel, operations
from aetool.codec import integers, planning, regression, regression_search, symbol_mixing
from aetool.codec.archive import Archive
from aetool.codec.plans import MAX_STREAM, MOST_REGRESSORS, Mixture, Plan
from aetool.codec.regression_search import with_regression
from aetool.codec.streams import Known, Stream
from aetool.errors import AetoolError, ArchiveError
from aetool.operations import CompressOptions
from tests.format_reader.mixing import symbols_of_mixture
from tests.format_reader.regression import Regression
from tests.golden.stages import REGRESSIONS

FAR = 1 << 62
GOLDEN = REGRESSIONS / "readings.aez"


def layout_of(starts, widths, columns, count):
    """A mixture of one context, and a regression."""
    numbers = regression.numbers_of(np.array(starts), np.array(widths), columns, count)
    return symbol_mixing.Layout(
        alphabet=len(starts),
        bases=np.zeros((1, count), np.uint32),
        kinds=[symbol_mixing.LAST],
        starts=np.zeros(len(starts), np.int64),
        shift=0,
        limits=[255],
        numbers=numbers,
    )


def case(name, count=260):
    """(symbols, layout, starts, widths) of a kind."""
    rng = np.random.default_rng(len(name))
    if name == "overlapping bins":
        starts, widths = [0, 1, 2, 3], [63, 0, 62, 1]
    elif name == "ends of 64 bits":
        starts, widths = [-2 * FAR, -FAR, 0, FAR], [62] * 4
    elif name == "many bins":
        starts, widths = np.cumsum(rng.integers(1, 9, 1000)).tolist(), [0] * 1000
    else:
        starts, widths = [-4, 0, 4, 5, 7], [2, 0, 0, 1, 3]
    symbols = rng.integers(0, len(starts), count)
    columns = []
    for place in range(0 if name == "alone" else 6):
        # all from end to end, so that sums grow as fast as they can
        noise = rng.integers(0, 2, count) if place % 2 else symbols * 2 // len(starts)
        columns.append((2046 * noise - 1023).astype(np.int32))
    layout = layout_of(starts, widths, columns, count)
    return symbols.astype(np.uint16), layout, starts, widths


@pytest.mark.parametrize(
    "name", ["alone", "beside six", "overlapping bins", "ends of 64 bits", "many bins", "none"]
)
def test_kernel_reference_and_other_reader_agree(name, monkeypatch):
    symbols, layout, starts, widths = case(name, 0 if name == "none" else 260)
    code = symbol_mixing.mixed(symbols, layout)
    damaged = code[: len(code) // 2] + b"abc"
    other = symbol_mixing.restored(damaged, layout)
    costs = symbol_mixing.costs(symbols, layout)
    read = read_by_the_other(code, layout, starts, widths)
    assert read == symbols.tolist()
    monkeypatch.setattr(kernel, "C", None)
    assert symbol_mixing.mixed(symbols, layout) == code
    np.testing.assert_array_equal(symbol_mixing.restored(code, layout), symbols)
    np.testing.assert_array_equal(symbol_mixing.restored(damaged, layout), other)
    np.testing.assert_allclose(symbol_mixing.costs(symbols, layout), costs)


def read_by_the_other(code, layout, starts, widths):
    """The symbols as the reader that was written from FORMAT.md has them."""
    count = layout.bases.shape[1]
    told = Regression(starts, widths, layout.numbers.regressors.tolist())
    contexts, weight = [([], 1, 255)], layout.first_weight
    alphabet, no_level = layout.alphabet, [0] * layout.alphabet
    return symbols_of_mixture(code, count, alphabet, contexts, no_level, 0, weight, told)


def test_sums_are_halved_alike(monkeypatch):
    symbols, layout, starts, widths = case("alone", regression.MOST_ROWS + 200)
    code = symbol_mixing.mixed(symbols, layout)
    assert read_by_the_other(code, layout, starts, widths) == symbols.tolist()
    monkeypatch.setattr(kernel, "C", None)
    assert symbol_mixing.mixed(symbols, layout) == code


def test_no_sum_leaves_64_bits():
    """The worst that inputs can be: all as far from 0 as they may, or turned about."""
    count = 3 * regression.MOST_ROWS
    signs = np.where(np.arange(count) // 50 % 2, 1023, -1023).astype(np.int32)
    numbers = regression.numbers_of(np.arange(3), np.zeros(3, int), [signs] * 6, count)
    learner = regression.Regression(numbers)
    largest = 0
    for row in range(count):
        learner.begin()
        learner.learn(2 if signs[row] > 0 else 0)
        if row % 512 == 511:
            sums = [abs(one) for products in learner.products for one in products]
            largest = max(largest, *sums, *map(abs, learner.matches))
            assert max(map(abs, learner.weights)) <= regression.LARGEST_WEIGHT
    assert 0.9 * 2**33 < largest <= 2**33
    assert 10 * largest * regression.LARGEST_WEIGHT + (largest << 16) < 2**57


def test_the_kernel_refuses_numbers_out_of_range():
    symbols, layout, _, _ = case("beside six")
    for name, far in (("middles", 16385), ("edges", -16385), ("regressors", 1025)):
        changed = np.array(getattr(layout.numbers, name))
        changed.flat[-1] = far
        numbers = dataclasses.replace(layout.numbers, **{name: changed})
        with pytest.raises(ValueError, match="out of range"):
            symbol_mixing.costs(symbols, dataclasses.replace(layout, numbers=numbers))
    seven = np.zeros((7, len(symbols)), np.int32)
    numbers = dataclasses.replace(layout.numbers, regressors=seven)
    with pytest.raises(ValueError, match="out of range"):
        symbol_mixing.costs(symbols, dataclasses.replace(layout, numbers=numbers))


# ---- numbers


def test_the_density_is_logistic():
    places = np.arange(regression.PLACES) / 64
    expected = 2**30 / (1 + np.exp(places))
    np.testing.assert_allclose(regression.BELOW, expected, rtol=0.01, atol=4)
    assert regression.BELOW[:2] == [1 << 29, 532676693]
    assert regression.BELOW[-1] == 124


def test_places_of_bins():
    numbers = regression.numbers_of(np.array([0, 1, 4, 8]), np.array([0, 1, 2, 0]), (), 5)
    # middles 0, 1.5, 5.5, 8; edges between 0 and 1, 2 and 4, 7 and 8
    assert numbers.middles.tolist() == [-16384, -10240, 6144, 16384]
    assert numbers.edges.tolist()[1:] == [-14336, -4096, 14336]
    ends = regression.numbers_of(np.array([-2 * FAR, 0, FAR]), np.array([62, 0, 62]), (), 5)
    assert ends.middles.tolist() == [-16384, 0, 16384]
    overlapping = regression.numbers_of(np.array([0, 1, 2]), np.array([63, 0, 0]), (), 5)
    assert overlapping.middles.tolist() == [-16384] * 3


@pytest.mark.parametrize("values,expected", [
    ([3, 4, 3, 4], [-256, 256, -256, 256]), ([5, 5, 5, 5], [0, 0, 0, 0]),
    ([0, 1023, 0, 1023], [-511, 512, -511, 512]), ([0, 2046, 1, 2047], [-511, 512, -511, 512]),
    ([-2 * FAR, 2 * FAR - 1, 0, 0], [-511, 512, 1, 1]),
])  # fmt: skip
def test_regressors_take_ten_bits_whatever_their_range(values, expected):
    every = np.ones(len(values), bool)
    assert regression.regressor(np.array(values), every).tolist() == expected


def test_rows_without_a_value_have_a_regressor_of_0():
    present = np.array([True, False, True, False])
    column = regression.regressor(np.array([10, 0, 12, 0]), present)
    assert column.tolist() == [-256, 0, 256, 0]
    assert regression.earlier(column).tolist() == [0, -256, 0, 256]
    assert regression.regressor(np.array([1, 2, 3, 4]), ~np.ones(4, bool)).tolist() == [0] * 4


# ---- what it is worth


def test_a_number_that_follows_from_others_is_foretold():
    rng = np.random.default_rng(4)
    beside = rng.integers(0, 1000, (2, 3000))
    values = (2 * beside[0] - beside[1] + rng.integers(-9, 10, 3000)) // 40
    starts = np.unique(values)
    symbols = np.searchsorted(starts, values).astype(np.uint16)
    every = np.ones(3000, bool)
    columns = [regression.regressor(one, every) for one in beside]
    layout = layout_of(starts, np.zeros(len(starts), np.int64), columns, 3000)
    bits = symbol_mixing.costs(symbols, layout).mean()
    alone = dataclasses.replace(layout, numbers=None)
    assert bits < 1.8
    assert symbol_mixing.costs(symbols, alone).mean() > 5


def known_of(columns, rows):
    known = Known(rows)
    for values in columns:
        integers.forward(Plan(), Stream(np.array(values)), known)
    return known


def test_the_search_names_what_tells():
    rng = np.random.default_rng(6)
    columns = rng.integers(0, 1000, (4, 3000))
    before = np.append(0, columns[1][:-1])
    values = (3 * columns[2] - before) // 90 + 50
    starts = np.unique(values)
    plan = Plan(starts=starts, widths=np.zeros(len(starts), np.int64), complete=True)
    mixed = plan.but(mixture=Mixture(0, ()))
    known = known_of(columns, 3000)
    stream = Stream(values)
    regressed = with_regression(mixed, stream, known, range(4))
    assert regressed.mixture.regressors == (2, -2)
    assert planning.bits_of(regressed, stream, known) < 0.4 * planning.bits_of(mixed, stream, known)
    assert with_regression(mixed, stream, Known(3000), ()).mixture.regressors == ()
    # symbols that are no numbers: with an escape, of two bins, not mixed
    assert with_regression(mixed.but(complete=False), stream, known, range(4)) is None
    two = mixed.but(starts=np.arange(2), widths=np.full(2, 60))
    assert with_regression(two, stream, known, range(4)) is None
    assert with_regression(plan, stream, known, range(4)) is None


# ---- hostile plans, damage

PLAN = {"b": [0, 1, 1], "x": 1, "d": [0]}


@pytest.mark.parametrize("part,said", [
    ({"n": [0] * 7}, "at most 6 streams"), ({"n": 3}, "at most 6 streams"),
    ({"n": [MAX_STREAM + 1]}, "a stream's number"), ({"n": [-MAX_STREAM - 2]}, "a stream's number"),
    ({"n": [True]}, "a stream's number"), ({"n": [1.0]}, "a stream's number"),
    ({"n": None}, "at most 6 streams"), ({"n": [], "b": [0, 1]}, "3 bins or more"),
    ({"n": [], "b": []}, "3 bins or more"),
])  # fmt: skip
def test_a_regression_out_of_range_is_refused(part, said):
    with pytest.raises(ArchiveError, match=said):
        Plan.from_json({**PLAN, **part})


def test_a_regression_without_what_it_needs_is_refused():
    with pytest.raises(ArchiveError, match="all values in 3 bins"):
        Plan.from_json({"b": [0, 1, 1], "d": [0], "n": []})
    for other in ({"c": [0]}, {}, {"y": 1, "o": 0}):
        with pytest.raises(ArchiveError, match="wide mixture alone"):
            Plan.from_json({"b": [0, 1, 1], "x": 1, "n": [], **other})


@pytest.mark.parametrize("numbers", [[], [1, -2], [MAX_STREAM, -1 - MAX_STREAM] * 3])
def test_a_regression_comes_back_from_json(numbers):
    stored = {**PLAN, "n": numbers}
    assert len(numbers) <= MOST_REGRESSORS
    assert Plan.from_json(stored).to_json() == stored


@pytest.mark.parametrize("number", [1, -2, 5, MAX_STREAM, -1 - MAX_STREAM])
@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_a_regression_on_a_later_stream_is_refused(number, loops, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    known = known_of([[1, 2, 3]], 3)
    plan = Plan.from_json({**PLAN, "n": [0, number]})
    source = integers.Source(b"\x01\x00")
    with pytest.raises(ArchiveError, match="refers to a column that is not there"):
        integers.decode(plan, source, Stream(np.zeros(0, np.int64)), 3, known)


def test_the_golden_archive_has_regressions(tmp_path, monkeypatch):
    seen = []
    read = regression.numbers_of
    monkeypatch.setattr(
        regression, "numbers_of", lambda *parts: seen.append(len(parts[2])) or read(*parts)
    )
    operations.decompress(GOLDEN, tmp_path / "r.csv")
    assert len(seen) >= 2
    assert max(seen) >= 2


def test_flipped_bytes_of_the_golden_archive_are_detected(tmp_path):
    data = GOLDEN.read_bytes()
    path = tmp_path / "t.aez"
    for place in range(0, len(data), 397):
        bad = bytearray(data)
        bad[place] ^= 1 << place % 8
        path.write_bytes(bad)
        with pytest.raises(AetoolError), Archive(path) as archive:
            archive.check()


def test_best_alone_regresses_and_takes_less(tmp_path, monkeypatch):
    source = GOLDEN.with_suffix(".csv")
    options = CompressOptions(effort=planning.BEST, force=True)
    target = tmp_path / "t.aez"
    operations.compress(source, target, None, options)
    with_regressions = target.stat().st_size
    assert with_regressions <= GOLDEN.stat().st_size
    monkeypatch.setattr(regression_search, "with_regression", lambda *parts: None)
    operations.compress(source, target, None, options)
    assert with_regressions < 0.99 * target.stat().st_size
