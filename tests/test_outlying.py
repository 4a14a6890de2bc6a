"""Numbers beyond a gap in their column: told from any ordinary tail, and surprising by themselves."""

import dataclasses
import math

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from onnx import TensorProto

from aetool import graphs, operations
from aetool.columns.column import ODD
from aetool.columns.outlying import reach_of
from aetool.columns.schema import Schema, infer
from aetool.data import notices
from aetool.data.sources import open_source
from aetool.operations import FitOptions

ROWS = 1000
ORDINARY = {
    "normal": lambda rng: rng.standard_normal(ROWS),
    "exponential": lambda rng: rng.exponential(1.0, ROWS),
    "incomes": lambda rng: rng.lognormal(10, 1, ROWS),
    "sizes of files": lambda rng: rng.lognormal(10, 3, ROWS),
    "a tail without a variance": lambda rng: rng.pareto(1.5, ROWS),
    "a tail without a mean": lambda rng: rng.pareto(0.8, ROWS),
    "two tails without a mean": lambda rng: rng.standard_cauchy(ROWS),
    "counts": lambda rng: rng.poisson(3, ROWS),
    "counts with a tail": lambda rng: rng.negative_binomial(1, 0.02, ROWS),
    "mostly none": lambda rng: rng.poisson(20, ROWS) * (rng.random(ROWS) < 0.3),
    "a twelfth far away": lambda rng: rng.normal(np.where(rng.random(ROWS) < 1 / 12, 40, 0), 1),
    "a rare yes": lambda rng: (rng.random(ROWS) < 0.01).astype(float),
    "time": lambda rng: np.arange(ROWS) + rng.random(ROWS),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_columns_have_no_number_apart(kind):
    rng = np.random.default_rng(0)
    parted = sum(reach_of(ORDINARY[kind](rng)) is not None for _ in range(200))
    assert parted <= 1


@pytest.mark.filterwarnings("error")
def test_numbers_of_any_size_are_told_apart_without_a_warning():
    rng = np.random.default_rng(0)
    tiny = rng.normal(0, 1e-100, ROWS)
    # more at an end than can lie apart, a tail of which the middle is next to nothing
    assert reach_of(np.repeat([-1, 0, 1e-320, 1e308], [300, 300, 200, 200])) is None
    assert reach_of(tiny) is None
    tiny[:3] = [1e40, 2e40, 3e40]
    assert reach_of(tiny).beyond == 3


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("count", [3, 10, 30, 50])
def test_far_numbers_lie_apart_however_many_they_are(count, side):
    """All numbers times 10 of some rows, as of a slip of the decimal point."""
    rng = np.random.default_rng(count)
    sizes = rng.normal(100, 20, ROWS)
    places = rng.choice(ROWS, count, replace=False)
    ordinary = np.delete(sizes, places)
    sizes[places] *= 10
    reach = reach_of(side * sizes)
    ends = sorted([side * ordinary.min(), side * ordinary.max()])
    assert (reach.first, reach.last, reach.beyond) == (*ends, count)
    # those apart cost as much as they may, those in the lower quarter of the gap nothing
    nearest = side * sizes[places].min()
    gap = abs(nearest) - ordinary.max()
    assert reach.bits(np.array([nearest]))[0] == pytest.approx(6 * math.log2(4))
    assert not reach.bits(side * (ordinary.max() + np.array([0, 0.24 * gap]))).any()


@pytest.mark.parametrize("rows", [100, 150, 300, 600])
def test_one_slip_of_the_decimal_point_lies_apart_in_a_small_table(rows):
    """Ages, one of which is ten times too large, as somebody mistyped it."""
    rng = np.random.default_rng(rows)
    ages = rng.normal(42, 11, rows).clip(18, 80).round()
    assert reach_of(ages) is None
    ages[rows // 3] = 430
    reach = reach_of(ages)
    assert (reach.beyond, reach.last) == (1, np.sort(ages)[-2])


def test_far_numbers_on_both_sides_lie_apart():
    rng = np.random.default_rng(0)
    numbers = np.concatenate([rng.standard_normal(990), [-60, -55, -50, 40, 41, 42, 43, 44]])
    reach = reach_of(numbers)
    assert reach.beyond == 8
    assert (reach.first, reach.last) == (numbers[:990].min(), numbers[:990].max())


def test_the_unit_of_numbers_does_not_matter():
    rng = np.random.default_rng(1)
    numbers = np.append(rng.standard_normal(500), [30.0, 31.0, 35.0])
    reach, scaled = reach_of(numbers), reach_of(1024 * numbers + 4096)
    assert scaled.beyond == reach.beyond == 3
    assert scaled.last == pytest.approx(1024 * reach.last + 4096)
    assert scaled.after == pytest.approx(1024 * reach.after)


@pytest.mark.parametrize("count", [4, 30, 60])
def test_a_number_that_comes_again_and_again_is_apart_only_if_it_is_very_far(count):
    """All rows of one town are a kind of records; 999 where others are 8 to 17 is no answer."""
    years = np.random.default_rng(0).integers(8, 18, ROWS).astype(float)
    kind = years.copy()
    # the others lie 9 apart, so that twice their range from the highest is 35
    kind[:count] = 34
    assert reach_of(kind) is None
    coded = years.copy()
    coded[:count] = 99
    assert reach_of(coded).beyond == count
    coded[:count] = -999
    assert reach_of(coded).beyond == count
    slips = years.copy()
    slips[:4] = (130, 150, 90, 110)
    assert reach_of(slips).beyond == 4


@pytest.mark.parametrize("rows", [12, 19, 60, 93])
def test_of_few_numbers_one_is_apart_that_is_farther_than_four_ranges_of_the_others(rows):
    lengths = np.random.default_rng(rows).normal(180, 15, rows).clip(140, 220).round(1)
    assert reach_of(lengths) is None
    span = np.ptp(lengths[1:])
    for far, count in ((4.1, 1), (3.9, 0)):
        wrong = lengths.copy()
        wrong[0] = lengths[1:].max() + far * span
        reach = reach_of(wrong)
        assert (reach.beyond if reach else 0) == count
    # metres in place of centimetres: far by the ratio alone
    wrong[0] = 1.8
    assert reach_of(wrong).first == lengths[1:].min()
    assert reach_of(wrong[:11]) is None


def test_many_numbers_beyond_a_short_tail_are_apart_though_hardly_far():
    """Percentages of schools, of which a twentieth are more than 100."""
    percentages = 100 - np.random.default_rng(0).exponential(20, ROWS).clip(0, 100)
    most = np.quantile(percentages, 0.75)
    deviation = (most - np.quantile(percentages, 0.25)) / 1.349
    far = np.median(percentages) + 4.1 * deviation
    wrong = percentages.copy()
    wrong[:50] = np.linspace(far, far + 40, 50)
    assert reach_of(wrong).beyond == 50
    # numbers as near as that are no surprise where the tail is a long one
    wrong[50:60] = np.linspace(100, far, 12)[1:-1]
    assert reach_of(wrong) is None


@pytest.mark.parametrize("options", [None, FitOptions(robust=True)])
@pytest.mark.parametrize("count", [5, 50])
def test_a_code_for_no_answer_is_flagged_wherever_it_stands(options, count):
    table = houses(1000)
    places = np.sort(np.random.default_rng(0).choice(len(table), count, replace=False))
    table.loc[places, "rooms"] = 999
    model = options and operations.fit(table, options)
    found = operations.detect(table, model)
    flagged = found.row[found.anomaly]
    assert set(places) <= set(flagged)
    assert len(flagged) <= count + 2
    named = {row: reasons[0][0] for row, reasons in zip(found.row, found.named, strict=True)}
    assert {named[place] for place in places} == {"rooms"}


@pytest.mark.parametrize("rows", [40, 100, 397, 3000])
def test_a_number_in_thousands_lies_apart_among_those_in_units(rows):
    salaries = np.random.default_rng(rows).normal(114_000, 30_000, rows).clip(57_800, 231_545)
    assert reach_of(salaries) is None
    mistyped = salaries.copy()
    mistyped[rows // 2] = 114.5
    reach = reach_of(mistyped)
    assert (reach.beyond, reach.first) == (1, np.sort(mistyped)[1])
    # a quarter of the smallest is not as far away as twice the range of the logarithms
    mistyped[rows // 2] = salaries.min() / 4
    assert reach_of(mistyped) is None or reach_of(mistyped).first == mistyped.min()


@pytest.mark.parametrize("wrong", [400, 4000, -300])
def test_one_number_far_from_a_body_without_a_long_tail_lies_apart(wrong):
    """Hours of work of a week, most of them 40."""
    rng = np.random.default_rng(4)
    hours = np.where(rng.random(960) < 0.5, 40, rng.normal(38, 14, 960).round().clip(1, 99))
    assert reach_of(hours) is None
    hours[92] = wrong
    reach = reach_of(hours)
    others = np.delete(hours, 92)
    assert (reach.beyond, reach.first, reach.last) == (1, others.min(), others.max())
    # four of them are a kind of records
    hours[:4] = 400
    hours[92] = 40
    assert reach_of(hours) is None or reach_of(hours).beyond > 3


def test_a_number_far_from_counts_of_few_kinds_lies_apart():
    """Cars that a garage holds: mostly one or two, five at most."""
    cars = np.random.default_rng(0).choice([0.0, 1, 2, 3, 5], ROWS, p=[0.05, 0.3, 0.6, 0.04, 0.01])
    assert reach_of(cars) is None
    for wrong, count in ((24, 0), (26, 1), (-21, 1)):
        mistyped = cars.copy()
        mistyped[7] = wrong
        reach = reach_of(mistyped)
        assert (reach.beyond if reach else 0) == count


def test_the_largest_numbers_are_no_error():
    rng = np.random.default_rng(0)
    with np.errstate(all="raise"):
        reach = reach_of(np.append(rng.standard_normal(500), [1.7e308, -1.7e308]))
    assert reach.beyond == 2
    reach.check()


def houses(rows: int = 600) -> pd.DataFrame:
    """Houses whose price is told by their area, and their rooms."""
    rng = np.random.default_rng(3)
    area = rng.lognormal(7.4, 0.35, rows).round()
    price = (area * rng.lognormal(4.7, 0.2, rows)).round(-2)
    rooms = (area / 250 + rng.integers(0, 3, rows)).round()
    return pd.DataFrame({"price": price, "area": area, "rooms": rooms})


@pytest.mark.parametrize("options", [None, FitOptions(robust=True)])
def test_slips_of_the_decimal_point_are_flagged_though_they_hide_each_other(options):
    table = houses()
    places = np.sort(np.random.default_rng(0).choice(len(table), 12, replace=False))
    table.loc[places, "area"] *= 10
    model = options and operations.fit(table, options)
    found = operations.detect(table, model)
    flagged = found.row[found.anomaly]
    assert set(places) <= set(flagged)
    assert len(flagged) <= len(places) + 1
    named = {row: reasons[0][0] for row, reasons in zip(found.row, found.named, strict=True)}
    assert {named[place] for place in places} == {"area"}


def test_rows_that_are_taken_for_ordinary_have_no_number_apart():
    table = houses()
    table.loc[:5, "area"] *= 10
    for robust in (False, True):
        model = operations.fit(table, FitOptions("tails", robust=robust))
        has_reach = [column.far_out is not None for column in model.schema.modelled]
        assert has_reach == [False, robust, False]


SLIPS = [*range(100, 106)]


@pytest.mark.parametrize(
    "slips, options, is_said",
    [
        (SLIPS, {}, True),
        (SLIPS, {"robust": True}, False),
        (SLIPS, {"drop": ("area",)}, False),
        # who names the ordinary rows has looked at them
        (SLIPS, {"label": "kind", "normal": ("house",)}, False),
        ([], {}, False),
    ],
)
def test_a_fit_says_which_far_numbers_it_takes_for_usual(slips, options, is_said):
    table = houses()
    lowest, highest = table["area"].min(), table["area"].drop(SLIPS).max()
    table.loc[slips, "area"] *= 10
    table["kind"] = "house"
    lines = []
    with notices.heard_by(lambda source, line: lines.append(line)):
        operations.fit(table, FitOptions("tails", **options))
    told = [line for line in lines if "far beyond all others" in line]
    expected = (
        f"numbers far beyond all others are learned as usual: area (6, the others {lowest:g} to "
        f"{highest:g}); if they are errors, fit with robust=True"
    )
    assert told == [expected] * is_said


@pytest.mark.parametrize(
    ("code", "count", "is_said"),
    [(-9.0, 60, False), (-99_999.0, 60, True), (99_999.0, 250, True), (99_999.0, 350, False)],
    ids=["near", "below", "above", "usual"],
)
def test_a_code_that_comes_too_often_to_be_odd_is_told_of(code, count, is_said):
    """More than 6 % of the cells: no record is flagged for it, with a model and without."""
    table = houses()
    others = table["area"][count:]
    table.loc[: count - 1, "area"] = code
    lines = []
    with notices.heard_by(lambda source, line: lines.append(line)):
        operations.fit(table, FitOptions("tails"))
        operations.detect(table, None)
    told = [line for line in lines if "comes so often" in line]
    expected = (
        "one number far from all others comes so often that it is taken for usual: area "
        f"({code:.0f} in {count}, the others {others.min():g} to {others.max():g}); if it stands "
        f"for no answer, na {code:.0f} makes it a gap"
    )
    assert told == [expected] * 2 * is_said


def schema_of(table: pd.DataFrame) -> Schema:
    sample, _ = open_source(table).sample(len(table), 0)
    return infer(sample)


@pytest.fixture(scope="module")
def schema() -> Schema:
    """Of houses, six of which have ten times their area."""
    table = houses()
    table.loc[:5, "area"] *= 10
    return schema_of(table)


def test_the_graph_costs_what_lies_apart_but_in_members_that_see_it(schema):
    area = schema.modelled[1]
    assert area.reach.beyond == 5  # one of them is no farther than others
    numbers = np.append(np.linspace(0, 5e4, 50), [np.inf, -np.inf])
    records = np.column_stack([np.full(52, 1e5), numbers, np.full(52, 7.0)])
    records = np.append(records, [[1e5, np.nan, 7], [1e5, ODD, 7]], axis=0)
    for seen in (False, True):
        g = graphs.Graph()
        x = g.input("x", TensorProto.DOUBLE, [3])
        g.output("nats", graphs.standing_out(g, schema, x, seen), TensorProto.FLOAT, [3])
        (nats,) = ort.InferenceSession(g.build("apart")).run(None, {"x": records})
        most = graphs.nats_of_odd(5, schema.rows)
        expected = np.minimum(area.reach.bits(numbers) * math.log(2), most) * seen
        np.testing.assert_allclose(nats[:52, 1], expected, rtol=1e-4, atol=1e-4)
        odd = graphs.nats_of_odd(0, schema.rows)
        np.testing.assert_allclose(nats[52:, 1], [0.0, odd], rtol=1e-6)
        assert not nats[:, [0, 2]].any()
    assert most == pytest.approx(math.log(601 / 5) * (1 + math.log(1000) / math.log(601)))


def test_a_reach_is_what_was_stored_of_it(schema):
    stored = schema.to_json()
    assert Schema.from_json(stored) == schema
    # columns without one are stored as ever
    has_reach = ["reach" in column for column in stored["columns"]]
    assert has_reach == [False, True, False]
    stored["columns"][1]["reach"]["after"] = 0.0
    with pytest.raises(ValueError, match="reach"):
        Schema.from_json(stored)


def test_a_condition_is_not_judged(schema):
    area = schema.modelled[1]
    assert area.far_out == area.reach
    assert dataclasses.replace(area, condition=True).far_out is None


def lengths(rng):
    """Lengths of stones in millimetres, none of which is near zero."""
    return rng.normal(5.7, 0.5, ROWS).round(2)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("wrong", "count"), [(0.0, 1), (0.0, 3), (-43.0, 2)])
def test_a_sign_that_no_other_number_has_lies_apart(wrong, count, side):
    sizes = lengths(np.random.default_rng(count))
    ordinary = sizes[count:].copy()
    sizes[:count] = wrong
    reach = reach_of(side * sizes)
    ends = sorted([side * ordinary.min(), side * ordinary.max()])
    assert (reach.first, reach.last, reach.beyond) == (*ends, count)
    assert reach.bits(np.array([side * wrong]))[0] >= 6 * math.log2(4) - 1e-9


@pytest.mark.parametrize(
    "numbers",
    [
        # too many to be slips: stones that nobody measured
        lambda rng: np.concatenate([np.zeros(4), lengths(rng)]),
        # sizes that come close to zero: one may well be zero
        lambda rng: np.append(rng.uniform(0.01, 1, ROWS).round(2), 0.0),
        # counts: 0 is the next one down
        lambda rng: np.append(rng.poisson(8, ROWS).clip(1), 0),
        # minutes: as wide a step as twice the others is no rare sign, and so many are no list
        lambda rng: np.append(rng.integers(2, 60, ROWS), 0),
        # a mark of yes that hardly any record lacks
        lambda rng: np.append(np.ones(ROWS), 0),
    ],
)
def test_zero_beside_numbers_near_it_is_no_other_sign(numbers):
    assert reach_of(numbers(np.random.default_rng(2)).astype(float)) is None


def test_one_number_below_zero_is_found_among_sizes():
    sizes = lengths(np.random.default_rng(4))
    sizes[700] = -5.7
    frame = pd.DataFrame({"size": sizes, "other": np.random.default_rng(5).normal(size=ROWS)})
    found = operations.detect(frame, append=None)
    assert found.row.tolist()[:1] == [700]
    assert found.why[0].startswith("size=-5.7")


LISTS = {
    "months": (np.arange(1, 13), 13.0),
    "days": (np.arange(1, 32), 32.0),
    "yes and no": (np.array([0, 1]), 2.0),
    "answers": (np.array([1, 2, 3, 4, 5]), 9.0),
    "weekdays from 1": (np.arange(1, 8), 0.0),
}


def of_list(kind, rows=2000):
    """Numbers drawn from a list, in no order, and the number that is not on it."""
    levels, wrong = LISTS[kind]
    return np.random.default_rng(5).choice(levels, rows).astype(float), wrong


@pytest.mark.parametrize("kind", LISTS)
def test_a_whole_number_beyond_a_list_lies_apart(kind):
    numbers, wrong = of_list(kind)
    assert reach_of(numbers) is None
    numbers[700] = wrong
    reach = reach_of(numbers)
    assert (reach.first, reach.last) == (LISTS[kind][0][0], LISTS[kind][0][-1])
    assert reach.beyond == 1 and not reach.first <= wrong <= reach.last


@pytest.mark.parametrize("options", [None, FitOptions(robust=True)])
def test_a_month_13_is_flagged(options):
    months, wrong = of_list("months")
    rng = np.random.default_rng(6)
    table = pd.DataFrame({"month": months, "sold": rng.normal(50, 9, 2000).round(1)})
    table.loc[700, "month"] = wrong
    model = None if options is None else operations.fit(table, options)
    found = operations.detect(table, model, all_rows=True)
    assert found.anomaly[700] and found.named[700][0][0] == "month"


@pytest.mark.parametrize(
    "counts",
    [
        {0: 1900, 1: 60, 2: 1},  # of things, whose counts go on falling as steeply
        {0: 1000, 1: 700, 2: 250, 3: 40, 4: 9, 5: 1},
        {1: 900, 2: 900, 3: 5},  # more than one in 1,000
        {1: 980, 2: 15, 3: 1},  # the last of the others is rare, too
        {1: 1998, 2: 1},  # no list
    ],
)
def test_counts_that_fall_to_one_have_none_apart(counts):
    assert reach_of(np.repeat([float(level) for level in counts], list(counts.values()))) is None


def test_fractions_are_no_list():
    numbers = np.repeat([0.25, 0.5, 0.75], 600)
    assert reach_of(np.append(numbers, 1.0)) is None
