"""What small mistakes in the program once went unnoticed, each with the value that tells it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool.codec import blocks, planning
from aetool.codec.natives import tensors
from aetool.columns.scale import decimals_of
from aetool.detection.calibration import Calibration, Tail
from aetool.errors import ArchiveError, BundleError
from tests.test_natives import batches_of, stored


def calibration_of(scores, **options):
    """The calibration of scores of one part."""
    return Calibration.of(np.stack([scores, np.zeros(len(scores))], axis=1), **options)


def exact_p_value(held_out, score):
    """Conformal: how many held-out scores, and the score itself, are as high."""
    return (1 + sum(other >= score for other in held_out)) / (1 + len(held_out))


# ---- thresholds of scores at or below zero, as log-likelihoods have them


@pytest.mark.parametrize("shift", [-1000.0, -50.0, 0.0, 50.0])
def test_thresholds_move_with_scores_of_any_sign(shift):
    scores = np.random.default_rng(0).lognormal(0, 1, 3000)
    plain, moved = calibration_of(scores), calibration_of(scores + shift)
    assert moved.threshold() == pytest.approx(plain.threshold() + shift, abs=2e-3)
    for rate in (0.001, 0.01, 0.2):
        assert moved.threshold(rate) == pytest.approx(plain.threshold(rate) + shift, abs=2e-3)


@pytest.mark.parametrize("scores", [
    np.zeros(50), np.full(50, -3.0), -np.arange(1.0, 51.0), np.linspace(-1e-9, 0.0, 50),
], ids=["zeros", "equal", "negative", "tiny"])  # fmt: skip
def test_scores_at_or_below_zero_have_a_threshold_above_them(scores):
    calibration = calibration_of(scores)
    assert np.isfinite(calibration.threshold()) and calibration.threshold() >= scores.max()
    assert calibration.threshold(0.5) <= scores.max()
    assert Calibration.from_json(calibration.to_json()).threshold() == calibration.threshold()


@given(st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 9)), min_size=1, max_size=40))
def test_scores_are_kept_to_seven_digits_and_never_below(values):
    scores = np.sort(np.array(values))
    kept = calibration_of(scores).scores
    assert (kept >= scores).all(), "a record counts itself among those as high"
    assert (kept - scores <= 1e-6 * np.abs(scores)).all()


def test_the_rank_of_a_rate_is_that_of_conformal_prediction():
    scores = -np.arange(100.0, 0.0, -1.0)  # -100 .. -1
    calibration = calibration_of(scores)
    # ceil(0.9 * 101) = 91st of 100, ceil(0.99 * 101) = 100th; 0.5 % would need the 101st
    assert calibration.threshold(0.1) == -10 and calibration.threshold(0.01) == -1
    assert calibration.threshold(0.005) == np.inf


def test_a_tail_of_equal_scores_is_as_narrow_as_its_size_allows():
    assert Tail.of(np.full(100, -4.0)).scale == pytest.approx(4e-5)
    assert Tail.of(np.zeros(100)).scale > 0
    assert Tail.of(np.full(100, -4.0)).start == pytest.approx(-4.0, rel=1e-6)


# ---- p-values between the scores that are kept


@pytest.fixture
def sparse():
    """5,000 different scores, negative and positive, of which 100 are kept, and all of them."""
    thousandths = np.random.default_rng(1).choice(200_000, 5000, replace=False) - 100_000
    scores = np.sort(thousandths / 1000)
    return calibration_of(scores, kept=100), scores


def test_p_values_at_kept_scores_are_exact(sparse):
    calibration, scores = sparse
    found = calibration.p_values(calibration.scores)
    assert found.tolist() == pytest.approx([exact_p_value(scores, s) for s in calibration.scores])


def test_p_values_between_kept_scores_lie_on_the_line(sparse):
    calibration, _ = sparse
    for place in (0, 7, 20):
        low, high = calibration.scores[place : place + 2]
        first, last = calibration.ranks[place], calibration.ranks[place + 1] - 1
        assert last > first, "scores between these two were left out"
        for part in (0.25, 0.5, 0.75):
            (found,) = calibration.p_values(np.array([low + part * (high - low)]))
            below = first + part * (last - first)
            assert found == pytest.approx((1 + calibration.rows - below) / (1 + calibration.rows))


def test_p_values_between_kept_scores_are_near_the_exact_ones(sparse):
    calibration, scores = sparse
    asked = np.linspace(scores[0] - 1, scores[-1] + 1, 400)
    exact = np.array([exact_p_value(scores, score) for score in asked])
    assert np.abs(calibration.p_values(asked) - exact).max() < 0.014, "half a step of 1 in 36"
    beyond = calibration.p_values(np.array([scores[0] - 1, scores[-1] + 1]))
    assert beyond.tolist() == [1.0, 1 / 5001]


def test_scores_between_kept_ranks_are_interpolated(sparse):
    calibration, _ = sparse
    first, second = calibration.ranks[3:5]
    middle = calibration.at((first + second) / 2)
    assert middle == pytest.approx(calibration.scores[3:5].mean())
    assert calibration.at(first) == calibration.scores[3]


# ---- ties


TIED = np.array([-1.0, -1.0, 0.0, 0.0, 0.0, 2.0])


def test_ties_are_all_counted_before_and_after_loading():
    calibration = calibration_of(TIED)
    again = Calibration.from_json(calibration.to_json())
    for found in (calibration, again):
        asked = np.array([-1.0, -0.5, 0.0, 1.0, 2.0])
        expected = [exact_p_value(TIED, score) for score in asked]
        assert found.p_values(asked).tolist() == pytest.approx(expected)
        assert found.threshold(0.5) == 0.0


def test_a_calibration_whose_scores_fall_is_refused_and_one_with_ties_is_not():
    data = calibration_of(TIED).to_json()
    assert Calibration.from_json(data).rows == 6
    data["scores"][4] = -0.001
    with pytest.raises(BundleError, match="not in order"):
        Calibration.from_json(data)


# ---- strings of fixed width


def array_stored(array, read_as=None):
    """An array as it comes back from a payload; read_as: the type that a reader is told."""
    tensor = tensors.Tensor("a", array.dtype.str, array.shape)
    coded = tensors.encode(tensor, array)
    content, payload, _ = blocks.encode(coded, len(array), {}, planning.DEFAULT)
    columns = blocks.decode(payload, len(array), content).columns
    told = tensors.Tensor("a", read_as or array.dtype.str, array.shape)
    return tensors.decode(told, columns, len(array))


@pytest.mark.parametrize("words", [
    [b"abc", b"", b"a"], [b"abc"] * 5, [b"", b""], ["äöü", "", "z"], ["\U0001f600" * 3, "a"],
], ids=str)  # fmt: skip
def test_strings_come_back_filled_up_to_their_width(words):
    array = np.array(words)
    back = array_stored(array)
    assert back.dtype == array.dtype and back.tobytes() == array.tobytes()
    wider = array_stored(array, f"{array.dtype.kind}7")
    assert wider.dtype.str[1:] == f"{array.dtype.kind}7" and (wider == array).all()


@pytest.mark.parametrize("words", [[b"abc", b"a"], ["äöü", "z"]])
def test_a_string_as_long_as_its_type_fits_and_a_longer_one_is_damage(words):
    array = np.array(words)
    kind = array.dtype.kind
    assert (array_stored(array, f"{kind}3") == array).all()
    with pytest.raises(ArchiveError, match="longer than its type"):
        array_stored(array, f"{kind}2")


@pytest.mark.parametrize("cells", [
    [b"abc", None, b"xyz"], [None, None], [b"abc", b"xyz"], [None, b"\0\0\0", None], [],
], ids=str)  # fmt: skip
def test_bytes_of_a_fixed_length_come_back_with_their_gaps(cells):
    array = pa.array(cells, pa.binary(3))
    for batch in batches_of(array):
        restored = stored(batch).column(0)
        assert restored.equals(array)
        # what lies in a gap is zeros, whatever lay there before
        raw = np.frombuffer(restored.buffers()[1], np.uint8, 3 * len(cells)).reshape(-1, 3)
        assert not raw[[cell is None for cell in cells]].any()


# ---- how many decimals numbers have


@pytest.mark.parametrize(("values", "decimals"), [
    ([], 0), ([np.nan, np.inf, -np.inf], 0), ([0.0, -0.0], 0), ([1.0, 2e15], 0), ([-3.5], 1),
    ([0.1 + 0.2], 1), ([12.34, 1.0], 2), ([-0.000001], 6), ([0.0000001], None), ([1 / 3], None),
    ([1.5, np.nan, 2.25], 2), ([2.0**52 - 1], 0), ([2.0**52], None), ([-(2.0**52)], None),
    ([1e-10], 0), ([1e-8], None), ([1_000_000.000001], 0), ([123456789.25], 1), ([-123456789.25], 1),
], ids=str)  # fmt: skip
def test_decimals_are_the_fewest_that_write_every_value(values, decimals):
    assert decimals_of(np.array(values, np.float64)) == decimals


@given(st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=30), st.integers(0, 6))
def test_decimals_of_decimal_numbers_are_known(units, places):
    values = np.array([unit / 10**places for unit in units])
    found = decimals_of(values)
    expected = 0
    while any(unit * 10**expected % 10**places for unit in units):
        expected += 1
    assert found == expected


def test_no_more_decimals_are_looked_for_than_asked():
    assert decimals_of(np.array([0.125]), most=2) is None
    assert decimals_of(np.array([0.125]), most=3) == 3
