"""Rewrites graphs of float64 in float32 alone: each number becomes a pair, its high and its low
part.

Many runtimes know no float64, and a float32 has no room for the seconds since 1970, nor for numbers
whose digits all lie behind a large constant. The sum of a pair has 48 bits.
"""

from aetool.pairs.arithmetic import ODD_SINGLE
from aetool.pairs.looking import makes_choices, wide_kinds
from aetool.pairs.narrowing import LOW, narrowed
from aetool.pairs.records import parts_of, spread_is_narrow

__all__ = [
    "LOW",
    "ODD_SINGLE",
    "makes_choices",
    "narrowed",
    "parts_of",
    "spread_is_narrow",
    "wide_kinds",
]
