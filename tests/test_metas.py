"""Metas come back from their JSON as they were, and whatever else an archive says is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool.codec import metas
from aetool.codec.metas import (
    Bits,
    BytesMeta,
    DateMeta,
    Decimals,
    DigitsMeta,
    FloatMeta,
    IntegerMeta,
    Lender,
    LetterCase,
    LevelMeta,
    Multiples,
    Notation,
    NumberMeta,
    PartsMeta,
    RankMeta,
    RealMeta,
    TextMeta,
    WholeMeta,
)
from aetool.errors import ArchiveError

LATIN = st.text(st.characters(max_codepoint=255), max_size=4)
GAP = st.none() | LATIN
SPECIALS = st.lists(LATIN, max_size=3).map(tuple)
STEP = st.integers(1, metas.LARGEST_STEP)
FORMAT = st.sampled_from(["ymd|-| |hms|0||0", "dmy|.|T|hms|9|Z|1", "mdy|/|||0||0"])
NUMERALS = st.one_of(
    st.builds(Decimals, st.integers(0, 15), st.just(0) | STEP),
    st.builds(Decimals, st.integers(0, 15), st.just(0), st.booleans()),
    st.builds(Multiples, st.floats(5e-324, 1e300)),
    st.builds(Bits, st.sampled_from(metas.WIDTHS)),
)
BOOK = st.none() | st.integers(metas.OWN_BOOK, 9)
NOTATION = st.none() | st.builds(
    Notation,
    LATIN.filter(bool).map(lambda text: text[0]),
    LATIN,
    st.integers(2, 3),
    st.integers(4, 18),
    st.none() | st.tuples(LATIN, LATIN),
    st.booleans(),
    st.sampled_from(["", ","]),
    st.integers(0, metas.WIDEST_CELL),
)
CELLS = st.lists(
    st.builds(Lender, st.integers(0, 9), st.sampled_from(LetterCase)),
    max_size=metas.MOST_LENDERS,
    unique=True,
).map(tuple)
META = st.one_of(
    st.builds(BytesMeta),
    st.builds(WholeMeta),
    st.builds(TextMeta, GAP, lenders=CELLS),
    st.builds(LevelMeta, GAP, SPECIALS, lenders=CELLS),
    st.builds(
        NumberMeta,
        GAP,
        SPECIALS,
        st.booleans(),
        st.integers(0, 18),
        st.lists(st.sampled_from(metas.FORMS), min_size=1, max_size=4).map(tuple),
        STEP,
        st.tuples(LATIN, LATIN),
        st.booleans(),
        st.none() | st.integers(0, 18),
        NOTATION,
    ),
    st.builds(RankMeta, GAP, st.none() | st.integers(0, 9), lenders=CELLS),
    st.builds(PartsMeta, GAP, lenders=CELLS),
    st.builds(
        DigitsMeta,
        GAP,
        SPECIALS,
        st.booleans(),
        st.sampled_from([10, 16]),
        st.integers(1, 16),
        st.booleans(),
        st.tuples(LATIN, LATIN),
    ),
    st.builds(
        FloatMeta,
        GAP,
        SPECIALS,
        st.booleans(),
        st.none() | st.integers(0, 15),
        st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(tuple),
        st.booleans(),
        notation=NOTATION,
    ),
    st.builds(
        FloatMeta,
        GAP,
        SPECIALS,
        st.booleans(),
        st.integers(6, 15),
        st.just((0, -1)),
        st.booleans(),
        digits=st.tuples(st.integers(-24, 17), st.integers(-24, 17)),
        zeros=st.just(()) | st.tuples(st.integers(0, 6), st.integers(0, 6)),
    ),
    st.builds(DateMeta, GAP, SPECIALS, st.booleans(), FORMAT, LATIN, st.integers(1, 86400)),
    st.builds(IntegerMeta, st.booleans(), STEP, limbs=st.integers(1, 4)),
    st.builds(IntegerMeta, st.booleans(), allowed=STEP, dictionary=st.none() | st.integers(0, 9)),
    st.builds(RealMeta, NUMERALS, st.booleans(), st.booleans(), st.booleans(), book=BOOK),
    st.builds(IntegerMeta, st.booleans(), STEP, book=BOOK),
)


@given(META)
def test_a_meta_comes_back_from_its_json(meta):
    assert metas.from_json(meta.to_json()) == meta
    assert {"k"} <= meta.to_json().keys() <= {"k", *meta.letters.split()}


NUMBER = {"k": "number", "d": 2, "f": [2], "s": []}
DIGITS = {"k": "digits", "b": 16, "w": 8, "s": []}
DATE = {"k": "date", "t": "ymd|-| |hm|0||0", "a": "", "s": []}
REFUSED = [
    (None, "unknown way"),
    ("number", "unknown way"),
    ({}, "unknown way"),
    ({"k": "other"}, "unknown way"),
    ({"k": ["int"]}, "unknown way"),
    ({"k": "whole", "d": 2}, "has no part 'd'"),
    ({"k": "bytes", "gap": ""}, "has no part 'gap'"),
    ({"k": "text", "gap": None}, "must be text"),
    ({"k": "text", "gap": 1}, "must be text"),
    ({"k": "text", "gap": ["\xff"]}, "must be text"),
    ({"k": "text", "gap": "\u0100"}, "must be text"),
    ({"k": "level", "v": "ab"}, "must be a list"),
    ({"k": "level", "v": ["a", 1]}, "must be text"),
    ({"k": "number", "d": 2, "f": [2]}, "has no 's'"),
    ({"k": "number", "f": [2], "s": []}, "has no 'd'"),
    ({**NUMBER, "d": 19}, "decimals must be"),
    ({**NUMBER, "d": -1}, "decimals must be"),
    ({**NUMBER, "d": True}, "decimals must be"),
    ({**NUMBER, "f": []}, "forms of numbers"),
    ({**NUMBER, "f": [0] * (len(metas.FORMS) + 1)}, "forms of numbers"),
    ({**NUMBER, "f": [19]}, "unknown form"),
    ({**NUMBER, "f": [63]}, "unknown form"),
    ({**NUMBER, "f": [66]}, "unknown form"),
    ({**NUMBER, "f": [-1]}, "unknown form"),
    ({**NUMBER, "f": [False]}, "unknown form"),
    ({**NUMBER, "q": 0}, "the step must be"),
    ({**NUMBER, "q": 1 << 62}, "the step must be"),
    ({**NUMBER, "r": 0}, "'r' must be"),
    ({**NUMBER, "r": True}, "'r' must be"),
    ({**NUMBER, "a": ["<"]}, "not enough values"),
    ({**NUMBER, "a": "<>"}, "must be a list"),
    ({**NUMBER, "s": [None]}, "must be text"),
    ({**NUMBER, "n": ","}, "must be an object"),
    ({**NUMBER, "n": {"x": 1}}, "no part 'x'"),
    ({**NUMBER, "n": {"d": ""}}, "too long, or none"),
    ({**NUMBER, "n": {"d": ",,"}}, "too long, or none"),
    ({**NUMBER, "n": {"d": "\u20ac"}}, "must be text"),
    ({**NUMBER, "n": {"g": "12345"}}, "too long, or none"),
    ({**NUMBER, "n": {"q": "ab"}}, "too long, or none"),
    ({**NUMBER, "n": {"i": 4}}, "digits of a group must be"),
    ({**NUMBER, "n": {"l": 3}}, "numbers with groups must be"),
    ({**NUMBER, "n": {"m": ["-"]}}, "not enough values"),
    ({**NUMBER, "n": {"w": 65}}, "the width of cells must be"),
    ({**NUMBER, "n": {"z": 0}}, "'z' must be"),
    ({**DIGITS, "n": {"d": ","}}, "has no part 'n'"),
    ({**DIGITS, "b": 8}, "a base that there is not"),
    ({**DIGITS, "b": "16"}, "a base that there is not"),
    ({**DIGITS, "w": 17}, "digits must be"),
    ({**DIGITS, "b": 10, "w": 19}, "digits must be"),
    ({**DIGITS, "w": 0}, "digits must be"),
    ({"k": "digits", "b": 10, "s": []}, "has no 'w'"),
    ({"k": "parts", "s": []}, "has no part 's'"),
    ({**DATE, "t": "ymd"}, "not enough values"),
    ({**DATE, "t": "ymd|-| |hms|10||0"}, "dates of more digits"),
    ({**DATE, "t": "ymd|-| |hms|-1||0"}, "dates of more digits"),
    ({**DATE, "a": 1}, "must be text"),
    ({"k": "int", "q": 0}, "the largest error must be"),
    ({"k": "int", "m": 0}, "the multiple must be"),
    ({"k": "int", "m": 2, "q": 2}, "not both"),
    ({"k": "int", "l": 0}, "limbs must be"),
    ({"k": "int", "l": 5}, "limbs must be"),
    ({"k": "int", "c": -1}, "a column's place must be"),
    ({"k": "int", "u": 2}, "'u' must be"),
    ({"k": "int", "v": -1}, "a dictionary's number must be"),
    ({"k": "int", "z": 2}, "'z' must be"),
    ({"k": "real"}, "told in one way"),
    ({"k": "real", "d": 1, "b": 32}, "told in one way"),
    ({"k": "real", "b": 32, "q": 1}, "told in one way"),
    ({"k": "real", "d": 16}, "decimals must be"),
    ({"k": "real", "d": 1, "q": 0}, "the largest error must be"),
    ({"k": "real", "d": 1, "q": 1, "o": 1}, "exact 32-bit ones, or on a grid, not both"),
    ({"k": "real", "b": 64, "o": 1}, "told in one way"),
    ({"k": "real", "b": 33}, "floats of a width"),
    ({"k": "real", "b": "32"}, "floats of a width"),
    ({"k": "real", "g": "inf"}, "out of range"),
    ({"k": "real", "g": "nan"}, "out of range"),
    ({"k": "real", "g": "-0x1p0"}, "out of range"),
    ({"k": "real", "g": "0x0p0"}, "out of range"),
    ({"k": "real", "g": "0x1p9999"}, "out of range"),
    ({"k": "real", "g": "-0x1p9999"}, "out of range"),
    ({"k": "real", "g": "f" * 400}, "out of range"),
    ({"k": "real", "g": "ten"}, "invalid hexadecimal"),
    ({"k": "real", "g": 1.5}, "must be text"),
]


@pytest.mark.parametrize("stored,said", REFUSED, ids=[str(stored)[:50] for stored, _ in REFUSED])
def test_what_is_no_meta_is_refused_in_words(stored, said):
    with pytest.raises(ArchiveError, match=said) as error:
        metas.from_json(stored)
    assert str(error.value).startswith("damaged: a column") and "\n" not in str(error.value)


def test_null_is_the_meta_that_is_foreseen_at_its_place():
    foreseen = [LevelMeta(levels=("a",)), TextMeta()]
    parsed = metas.all_from_json([{"k": "whole"}, None], foreseen)
    assert parsed == [WholeMeta(), TextMeta()]
