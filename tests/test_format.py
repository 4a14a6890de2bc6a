"""The rules of FORMAT.md that two sides could break together: each is held to literal values.

A round trip does not notice when writer and reader change alike, nor does a comparison of the
kernel with the reference when both are changed; archives that were written before would then be
read wrongly. So the bytes themselves are here, or in tests/golden.
"""

import json
import re

import numpy as np
import pytest

from aetool.codec import integers, rans
from aetool.codec.plans import OtherValue, OwnSymbol, Packed, Plan, Repeat, Transform
from aetool.codec.streams import Known, Stream
from aetool.errors import ArchiveError
from tests.golden import vectors
from tests.test_codec import loops

__all__ = ["loops"]  # a fixture: with the C kernel, and with the references
TARGETS = (
    vectors.TARGET,
    vectors.LATER_TARGET,
    vectors.KEYED_TARGET,
    vectors.MIXED_TARGET,
    vectors.WIDE_TARGET,
    vectors.REGRESSED_TARGET,
)
VECTORS = {name: one for path in TARGETS for name, one in json.loads(path.read_text()).items()}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_of_streams(name, loops):
    vector = VECTORS[name]
    plan, values = vector["plan"], vectors.stream_of(vector["values"])
    plan = Plan.from_json(plan)
    assert plan.to_json() == Plan.from_json(plan.to_json()).to_json()
    data = integers.encode(plan, values, vectors.known_of(vector["known"]))
    assert data.hex() == vector["bytes"]
    back = Stream(np.zeros(0, np.int64), values.present)
    source = integers.Source(bytes.fromhex(vector["bytes"]))
    known = vectors.known_of(vector["known"])
    restored = integers.decode(plan, source, back, len(values.values), known)
    np.testing.assert_array_equal(restored, values.values)


def test_every_transform_and_feature_has_its_vector():
    plans = [vector["plan"] for vector in VECTORS.values()]
    assert {plan.get("t", "v") for plan in plans} == set("vdgcslmk")
    assert {feature[0] for plan in plans for feature in plan.get("f", ())} == set("osvenmk")


def test_tables_where_nothing_was_counted():
    """A context that was never met has the table of the coarser one as it is: a floor of 1 for each
    symbol is not mixed in again, nor is what is missing given to the largest again."""
    layout = rans.Contexts(3, (2, 2), 8)
    none = np.zeros((4, 3), np.int64)
    assert rans.tables(none, layout).tolist() == [[5462, 5461, 5461]] * 4
    # one context has been met: (0, 1), with 9, 0 and 3 symbols
    counts = none.copy()
    counts[1] = [9, 0, 3]
    order_0 = [9557, 2185, 4642]
    met_half = [11196, 874, 4314]
    met = [11851, 350, 4183]
    assert rans.tables(counts[1:2], rans.Contexts(3)).tolist() == [order_0]
    assert rans.tables(counts[:2], rans.Contexts(3, (1, 2))).tolist()[0] == met_half
    assert rans.tables(counts, layout).tolist() == [met_half, met, order_0, order_0]


def test_the_formula_of_the_tables():
    """Order 0 of 9, 0 and 3 symbols under strength 8, worked out by hand."""
    n, above, total = (9, 0, 3), (5462, 5461, 5461), 1 << 14
    f = [
        1 + (total * k + 8 * a) * (total - 3) // (total * (12 + 8))
        for k, a in zip(n, above, strict=True)
    ]
    assert f == [9556, 2185, 4642], "the one that is missing to 16,384 goes to the first largest"
    ties = rans.tables(np.array([[5, 5, 5, 0]]), rans.Contexts(4, (), 1)).tolist()
    assert ties == [[5378, 5375, 5375, 256]], "to the first of equals"


def test_ends_of_epochs():
    """After 32 symbols, then 48, 72, 108, ...: in steps of all lanes, rounded up."""
    assert rans.epochs(120, 1) == [(0, 32), (32, 48), (48, 72), (72, 108), (108, 120)]
    assert rans.epochs(400, 1)[4:] == [(108, 162), (162, 243), (243, 364), (364, 400)]
    assert rans.epochs(120, 5) == [(0, 7), (7, 10), (10, 15), (15, 22), (22, 24)]
    assert rans.epochs(300, 64) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], "a step at least"
    assert rans.epochs(0, 1) == []


def test_how_many_contexts_features_make():
    """Counts to begin with are laid out so: the first feature counts most."""
    known = Known(4, predict=lambda number, known: np.zeros(4, np.int64))
    plan = Plan.from_json({"b": [0, 1, 1], "f": [["o", [2]], ["m", [1, 9], 2], ["n"]]})
    stream = Stream(np.array([0, 1, 0, 2], np.int64))
    _, layout = integers.contexts(plan, stream, known)
    # the class 2 of "m" is that of no symbol; each class is there with few hits and with many
    assert layout.alphabet == 4 and layout.radices == (2, 2 * 2 + 1, 256) and layout.stride == 256


def test_before_the_first_of_a_lane_stands_symbol_0():
    own = np.array([1, 0, 2], np.uint8)
    layout = rans.Contexts(3, (3, 2), 8, own)
    symbols = np.array([2, 2, 1, 2, 0, 1, 1], np.uint16)
    base = np.array([0, 1, 0, 1, 0, 1, 1], np.uint32)
    # lanes of three: 2 2 1 | 2 0 1 | 1; classes before: 1 2 2 | 1 2 1 | 1; times 2, plus the base
    assert rans.contexts_of(symbols, base, layout, 3).tolist() == [2, 5, 4, 3, 4, 3, 3]


THREE_LANES = "17c17464e04003083bc1756401416080cbc0ffc01701dc004e80cb80f3002281e78046c110015800da00"


def test_lanes_take_words_in_order(loops):
    """Rare symbols of a large alphabet, so that several lanes want a word in one step."""
    symbols = np.array([5, 1, 4, 2, 3, 0, 7] * 4 + [6, 1], np.uint16)
    layout = rans.Contexts(900, (), 1)
    assert rans.encode(symbols, None, layout, 3).hex() == THREE_LANES
    back = rans.decode(bytes.fromhex(THREE_LANES), 30, None, layout, 3)
    assert back.tolist() == symbols.tolist()


def test_marks_of_repeats(loops):
    """Stretches of two; classes of the symbols 0 .. 3 are 0, 1, 1, 2, so marks are 1 .. 3 for a
    repeat of fewer than 16 hits, 4 .. 6 for a longer one."""
    classes = np.array([0, 1, 1, 2], np.uint8)
    first = [0, 1, 2, 3, 3, 1, 0, 2, 2, 1, 3, 0, 0, 3, 2, 0, 1, 1, 3, 1]
    symbols = np.array(first + first + [3, 0, 0, 0, 1, 0, 2, 0, 2], np.uint16)
    assert rans.repeats(symbols, classes, 2).tolist() == [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 3, 1, 2, 2, 3, 3,
        2, 1, 2, 2, 2, 3, 1, 1, 3, 2, 1, 2, 2, 3, 5, 4, 2, 1, 3, 1, 2, 2, 2, 2,
    ]  # fmt: skip


def test_a_repeat_ends_with_its_eighth_miss(loops):
    """A stretch of 3 within noise of a large alphabet, where no other stretch comes again."""
    stretch, noise = [1, 2, 3], list(range(10, 30))
    follows = list(range(40, 56))
    for misses, mark in ((7, 1), (8, 0)):
        again = [*stretch, *range(60, 60 + misses), follows[misses]]
        symbols = np.array([*stretch, *follows, *noise, *again], np.uint16)
        marks = rans.repeats(symbols, np.zeros(80, np.uint8), 3)
        assert int(marks[-1]) == mark, misses


def test_eighteen_bits_of_a_hash_count(loops):
    """(4, 397) and (157, 29) share 18 bits and not 19, (0, 183) and (74, 9) share 17 and not 18."""
    for first, second, mark in (((4, 397), (157, 29), 1), ((0, 183), (74, 9), 0)):
        symbols = np.array([*first, 600, 601, *second, 602], np.uint16)
        assert int(rans.repeats(symbols, np.zeros(700, np.uint8), 2)[-1]) == mark


def test_steps_from_the_usual_value():
    """A stream that does not move: varint 2 d for a step up, -2 d - 1 for one down."""
    plan = Plan.from_json({"b": [0, 1, 1]})
    for raw, value in ((b"\x06", 13), (b"\x05", 7), (b"\x80\x02", 138), (b"\x01", 9)):
        source = integers.Joined(b"\x00" + raw)
        stream = Stream(np.zeros(0, np.int64))
        known = Known(4)
        values = source.still(plan, stream, 4, known, 10, integers.STILL)
        assert values.tolist() == [value] * 4
        source.finish()
        pushed = integers.still(plan, Stream(np.full(4, value)), Known(4), 10)
        assert pushed.raw == raw
    assert [integers.MOVING, integers.USUAL, integers.STILL] == [0, 1, 2]
    assert integers.stillness(np.zeros(0, np.int64), 5) == integers.USUAL


def test_values_by_bytes():
    """`y` bytes each above `o`, as a blob: here stored as they are (varint 8 n + 0)."""
    plan = Plan.from_json({"b": [0], "y": 2, "o": -5})
    source = integers.Source(bytes.fromhex("30" + "0000" + "0500" + "ff00"))
    values = integers.decode(plan, source, Stream(np.zeros(0, np.int64)), 3, Known(3))
    assert values.tolist() == [-5, 0, 250]


BINS = {"b": [0, 1]}


@pytest.mark.parametrize(
    "stored,said",
    [
        ({**BINS, "f": [["q", 0]]}, "an unknown feature, 'q'"),
        ({**BINS, "t": "q"}, "an unknown transform, 'q'"),
        ({**BINS, "t": "l"}, "not without each other"),
        ({**BINS, "t": "d", "p": [1, [1, 0, 0]]}, "not without each other"),
        ({**BINS, "t": "l", "p": [1]}, "a divisor and 1 to 16 terms"),
        ({**BINS, "t": "l", "p": [1] + [[1, 0, 0]] * 17}, "a divisor and 1 to 16 terms"),
        ({**BINS, "t": "m", "p": [0, [1, 0, 0]]}, "a divisor must be"),
        ({**BINS, "t": "m", "p": [1, [1 << 41, 0, 0]]}, "a factor must be"),
        ({**BINS, "t": "l", "p": [1, [1, 0]]}, "a factor and one stream or two"),
        ({**BINS, "t": "l", "p": [1, [1, 0, 17]]}, "a lag must be"),
        ({**BINS, "t": "l", "p": [1, [1, -1, 0]]}, "stream's number"),
        ({**BINS, "later": 1}, "parts that are not known here"),
        ({}, "no bins"),
        ([], "no bins"),
        ({"b": [0, 0]}, "bins must be ascending"),
        ({"b": [0, True]}, "whole numbers of 64 bits"),
        ({"b": [0, 1.5]}, "whole numbers of 64 bits"),
        ({"b": [2**63]}, "whole numbers of 64 bits"),
        ({"b": [2**62, 2**62, 2**62]}, "bins must be ascending"),
        ({"b": [1] * 1024}, "at most 1023"),
        ({**BINS, "w": [0]}, "another number of widths"),
        ({**BINS, "w": [0, 64]}, "width of a bin must be a whole number of 0 to 63, not 64"),
        ({**BINS, "k": 0}, "strength"),
        ({**BINS, "l": 9}, "lanes"),
        ({**BINS, "z": -1}, "usual symbol"),
        ({**BINS, "y": 3, "o": 0}, "values of 3 bytes"),
        ({**BINS, "y": 4}, "lowest value"),
        ({**BINS, "g": "x"}, "stream's number"),
        ({**BINS, "f": [["e", -1]]}, "stream's number"),
        ({**BINS, "f": [["e", 0]] * 5}, "at most 4"),
        ({**BINS, "f": [["s", 0]]}, "letter s has 1 parts"),
        ({**BINS, "f": [["k"]]}, "a column without keys"),
        ({**BINS, "j": [0, 0]}, "of a keyed transform"),
        ({**BINS, "t": "k", "j": [0]}, "a pair of streams must be two"),
        ({**BINS, "t": "k", "j": [0, -1]}, "stream's number"),
        ({**BINS, "f": [["n", 0]]}, "nothing behind it"),
        ({**BINS, "f": [["m", [1], 65]]}, "size of a repeat"),
        ({**BINS, "f": [["v", 0, [1] * 256]]}, "at most 255"),
        ({**BINS, "f": ["o"]}, "begins with a letter"),
    ],
)
def test_plans_that_are_out_of_range_are_refused_in_one_line(stored, said):
    with pytest.raises(ArchiveError, match=re.escape(said)) as found:
        Plan.from_json(stored)
    assert "\n" not in str(found.value)


def test_a_plan_is_stored_as_the_page_says():
    """Every letter, and nothing that is as usual."""
    assert Plan().to_json() == {"b": []}
    plan = Plan(
        starts=np.array([-3, 0, 8]),
        widths=np.array([1, 3, 0]),
        complete=True,
        transform=Transform.GROUPED,
        of=2,
        features=(
            OwnSymbol(np.array([1])),
            OtherValue(np.array([5, 7]), 1),
            Repeat(np.array([2]), 4),
        ),
        strength=3,
        lanes_log=1,
        usual=2,
        packed=Packed(-3, 2),
    )
    assert plan.to_json() == {
        "b": [-3, 3, 8], "w": [1, 3, 0], "x": 1, "t": "g", "g": 2, "k": 3, "l": 1, "z": 2, "o": -3, "y": 2,
        "f": [["o", [1]], ["v", 1, [5, 2]], ["m", [2], 4]],
    }  # fmt: skip
    assert plan.alphabet == 3 and plan.but(complete=False).alphabet == 4
