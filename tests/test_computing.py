"""Columns that a program computed from other columns in floats are stored as that computation."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import operations
from aetool.codec import computing, payloads, planning, records, transforms
from aetool.codec.plans import (
    Computed,
    Operand,
    Plan,
    Transform,
    combination_from_json,
)
from aetool.codec.records import Layout
from aetool.codec.streams import Known, Stream
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError
from tests import format_reader

GOLDEN = Path(__file__).parent / "golden" / "3.14"
ROWS = 700
RNG = np.random.default_rng(5)
LENGTHS = RNG.uniform(10, 90, ROWS).round(12)
WIDTHS = RNG.uniform(3, 40, ROWS).round(12)
SCORES = RNG.integers(-3000, 3000, ROWS) / 1000
MEANS = np.repeat(RNG.normal(0, 0.4, ROWS // 50), 50)  # of groups that follow one another


def text_of(*columns):
    rows = zip(*(map(repr, column.tolist()) for column in columns), strict=True)
    return "".join(",".join(row) + "\n" for row in rows).encode()


def plans_of(text, width):
    """The plans of a text's streams, which comes back from them."""
    layout = Layout(Rule(","), [f"c{place}" for place in range(width)])
    (encoded,) = records.encode(text, layout)
    words, _ = payloads.words_of(encoded.payload)
    return [Plan.from_json(stored) for stored in words["plans"]], len(encoded.payload)


# sixteen digits behind the point beside three: as whole numbers they are 10^13 apart
CHANCES = RNG.normal(0, 0.4, ROWS).round(16)


@pytest.mark.parametrize(
    ("operator", "first", "second", "made"),
    [
        ("/", LENGTHS, WIDTHS, LENGTHS / WIDTHS),
        ("*", LENGTHS, WIDTHS, LENGTHS * WIDTHS),
        ("+", SCORES, CHANCES, SCORES + CHANCES),
        ("-", SCORES, CHANCES, SCORES - CHANCES),
        ("-", SCORES, CHANCES, CHANCES - SCORES),
    ],
    ids=["quotient", "product", "sum", "difference", "less the first"],
)
def test_what_was_computed_takes_few_bits(operator, first, second, made, monkeypatch):
    text = text_of(first, second, made)
    plans, size = plans_of(text, 3)
    found = [plan.combined for plan in plans if plan.combined is not None]
    assert [one.operator for one in found] == [operator]
    monkeypatch.setattr(computing, "plans", lambda *_: ())
    _, size_without = plans_of(text, 3)
    # of the 50 bits of a number of 15 digits a few are left, and not one column of three
    assert size < 0.75 * size_without


def test_what_was_taken_off_group_by_group_is_seen_by_its_steps():
    centred = SCORES - MEANS
    (plan,) = [p for p in plans_of(text_of(SCORES, centred), 2)[0] if p.combined is not None]
    assert plan.transform is Transform.LINEAR_DIFFERENCE
    assert plan.combined.operator == "="
    # three digits behind the point, and sixteen
    assert plan.combined.operands[0].power >= 12


def test_numbers_of_few_digits_and_chance_are_left_alone():
    few = [np.round(LENGTHS, 1), np.round(WIDTHS, 1), np.round(LENGTHS / WIDTHS, 2)]
    chance = [LENGTHS, WIDTHS, RNG.uniform(1, 5, ROWS).round(12)]
    for columns in (few, chance):
        plans, _ = plans_of(text_of(*columns), 3)
        assert not any(isinstance(plan.combined, Computed) for plan in plans)


NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(
    st.sampled_from("=+-*/"),
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=20),
    st.tuples(st.integers(-22, 22), st.integers(-22, 22)),
    st.integers(0, 2),
    st.booleans(),
)
def test_any_numbers_come_back(operator, rows, powers, lag, differs):
    first, second, values = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    known = Known(len(rows))
    for column in (first, second):
        known.add(Stream(column), np.zeros(len(rows), np.uint16), 1)
    operands = (Operand(powers[0], 0, lag), Operand(powers[1], 1))
    combined = Computed(operator, operands[: 1 if operator == "=" else 2])
    transform = Transform.LINEAR_DIFFERENCE if differs else Transform.LINEAR
    plan = Plan(transform=transform, combined=combined)
    assert Plan.from_json(plan.to_json()).combined == combined
    stream = Stream(values)
    left = transforms.residuals(plan, stream, known)
    assert (transforms.restore(plan, left, stream, known) == values).all()
    # the other reader computes with the floats of Python
    reader = format_reader.streams.Streams.__new__(format_reader.streams.Streams)
    reader.rows, reader.values = len(rows), [first, second]
    again = reader.combination(*combined.to_json())
    assert again.tolist() == transforms.computed(combined, known).tolist()


def test_over_nothing_and_beyond_all_bounds_the_prediction_is_0():
    known = Known(3)
    for column in ([6, 5, 2**62], [4, 0, 1]):
        known.add(Stream(np.array(column)), np.zeros(3, np.uint16), 1)
    quotient = Computed("/", (Operand(1, 0), Operand(0, 1)))
    assert transforms.computed(quotient, known).tolist() == [15, 0, 0]
    halves = Computed("/", (Operand(-1, 0), Operand(0, 1)))
    # 0.15; of halves the even one
    assert transforms.computed(halves, known).tolist()[0] == 0
    half = Computed("*", (Operand(-1, 0), Operand(0, 1)))
    assert transforms.computed(half, known).tolist()[0] == 2


def test_it_is_moved_with_its_streams():
    combined = Computed("-", (Operand(3, 5), Operand(0, 7, 1)))
    assert combined.streams == {5, 7}
    assert combined.moved({5: 1, 7: 0}).to_json() == ["-", 3, 1, 0, 0, 0, 1]
    with pytest.raises(KeyError):
        combined.moved({5: 1})


@pytest.mark.parametrize(
    "stored",
    [
        ["^", 0, 0, 0, 0, 0, 0],
        ["+-", 0, 0, 0, 0, 0, 0],
        ["", 0, 0, 0],
        ["=", 0, 0, 0, 0, 0, 0],
        ["/", 0, 0, 0],
        ["/", 23, 0, 0, 0, 0, 0],
        ["/", 0, -1, 0, 0, 0, 0],
        ["/", 0, 0, 17, 0, 0, 0],
        ["/", 0, 0, 0, True, 0, 0],
        ["/", 0, 0, 0, 0.0, 0, 0],
    ],
)
def test_damaged_computations_are_refused(stored):
    with pytest.raises(ArchiveError, match="damaged"):
        combination_from_json(stored)


def test_a_stream_that_is_not_there_is_damage():
    with pytest.raises(ArchiveError, match="not there"):
        transforms.computed(Computed("=", (Operand(0, 2),)), Known(3))


def test_the_golden_archive_is_restored_for_ever_and_written_so_still(tmp_path):
    archive = GOLDEN / "computed.aez"
    table = (GOLDEN / "computed.csv").read_bytes()
    back = operations.decompress(archive, tmp_path / "t.csv")
    assert back.read_bytes() == table
    assert format_reader.restore(archive.read_bytes()) == table
    operations.compress(GOLDEN / "computed.csv", tmp_path / "t.aez")
    assert (tmp_path / "t.aez").read_bytes() == archive.read_bytes()


def test_a_quick_effort_does_not_look():
    text = text_of(LENGTHS, WIDTHS, LENGTHS / WIDTHS)
    layout = Layout(Rule(","), ["a", "b", "c"], effort=planning.FAST)
    (encoded,) = records.encode(text, layout)
    words, _ = payloads.words_of(encoded.payload)
    assert not any("p" in stored for stored in words["plans"])
