"""Bounds beside those found: with which of them a small table takes fewest bytes.

Bytes of a small archive do not fall steadily as bounds grow. Steps of a grid are whole multiples of
a column's resolution, and some suit its values better; and what is known of one column changes
those after it. Which bounds take least can therefore only be tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Protocol

from aetool.codec.repricing import Price

SMALL = 1 << 16  # bytes of a source, up to which a price takes about 10 ms
MOST_PRICED = 50  # sets of bounds from one start, which take about as long as the code's archive
STARTS = (Fraction(97, 100), Fraction(94, 100))  # of the bounds: where the search begins, too
HALF = Fraction(1, 2)
NARROWINGS = 16  # times that a bound whose error is too large is narrowed further
MOST_STEPS = 8  # bounds beside each column's that are tried
SPAN = Fraction(15, 100)  # of a bound: how far below it those lie
WIDER = (Fraction(102, 100), Fraction(104, 100))  # of a bound: errors may be no larger even so

Bounds = Mapping[str, Fraction]


class Prices(Protocol):
    """Finds how many bytes a block takes at other error bounds, quickly, by coding it with plans
    that were found at bounds near to them; see repricing.TextPrices."""

    def at(self, bounds: Bounds) -> Price | None:
        """The price at these bounds; None where it is not known."""

    def take(self, bounds: Bounds, price: Price) -> None:
        """Go on from these bounds: later prices are found by the plans with which this price was
        found."""

    def square(self, name: str, bound: Fraction) -> float:
        """The sum of squared errors of one column within a bound, which takes far less time than a
        price; 0 for a column that stays exact."""


def best_beside(
    bounds: Bounds,
    prices: Prices,
    limits: Mapping[str, float],
    decimals: Mapping[str, int | None],
) -> dict[str, Fraction]:
    """The bounds of the lowest price that is found beside `bounds`, or a copy of these, as where
    their own price is not known. The bounds of one column after the other are tried, beside its
    best so far, while the others stay at theirs, until none is better or MOST_PRICED (50) prices
    were asked for. `prices` goes on from what it finds, in place.

    bounds: by column the largest error, in the column's unit. prices: begin from these bounds.
    limits: by column the sum of squared errors that is allowed, in squared units. decimals: by
    column those of the grid that its numbers lie on, None if on none.
    """
    best_bounds = dict(bounds)
    first_price = prices.at(best_bounds)
    if first_price is None:
        return best_bounds
    smallest_size = first_price.size
    tries_left = MOST_PRICED
    settled_columns = 0  # columns in sequence, beside whose bounds nothing is better
    for name in itertools.cycle(bounds):
        if settled_columns >= len(bounds) or not tries_left:
            break
        # what errs too much needs no price
        other_bounds = [
            bound
            for bound in beside(best_bounds[name], decimals[name])
            if prices.square(name, bound) <= limits[name]
        ]
        # what this column takes least with, while the others stay
        best_price: Price | None = None
        best_bound = best_bounds[name]
        for other_bound in other_bounds[:tries_left]:
            price = prices.at({**best_bounds, name: other_bound})
            if price is not None and price.size < smallest_size:
                smallest_size = price.size
                best_price = price
                best_bound = other_bound
        tries_left -= min(tries_left, len(other_bounds))
        settled_columns += 1
        if best_price is not None:
            best_bounds[name] = best_bound
            # columns behind it are searched beside its new numbers
            prices.take(best_bounds, best_price)
            settled_columns = 1
    return best_bounds


def starts(
    bounds: Bounds,
    prices: Prices,
    limits: Mapping[str, float],
    decimals: Mapping[str, int | None],
) -> list[dict[str, Fraction]]:
    """Other bounds from which to search, none twice: all bounds are narrower by 3 and 6 % (STARTS).
    A search from one set of bounds ends where no column alone makes it better, and that is seldom
    the best for all of them together.

    On a grid each is a whole number of steps and half a step. Not every narrower bound errs less:
    one that errs too much is narrowed further, and where none errs little enough it is left as it
    is. The arguments are those of `best_beside`.
    """
    other_starts: list[dict[str, Fraction]] = []
    for share in STARTS:
        start = {}
        for name, bound in bounds.items():
            narrower = on_grid(share * bound, decimals[name])
            # narrowed until it errs little enough; left as it was if it never does
            for _ in range(NARROWINGS):
                if prices.square(name, narrower) <= limits[name]:
                    break
                narrower = on_grid(STARTS[0] * narrower, decimals[name])
            else:
                narrower = bound
            start[name] = narrower
        if start != bounds and start not in other_starts:
            other_starts.append(start)
    return other_starts


def on_grid(bound: Fraction, decimals: int | None) -> Fraction:
    """The widest bound that is a whole number of steps of a grid and half a step, at least one and
    a half, and no wider than `bound`, unless that is less. decimals: of the grid, None for no grid:
    `bound` itself."""
    if decimals is None:
        return bound
    units = max(1, int(bound * 10**decimals - HALF))
    return Fraction(2 * units + 1, 2 * 10**decimals)


def beside(bound: Fraction, decimals: int | None) -> list[Fraction]:
    """Error bounds to try in place of one, the wider ones first: by 2 and 4 % (WIDER), then
    narrower ones, at most MOST_STEPS (8), evenly spaced, by up to 15 % (SPAN).

    decimals: of the grid that the numbers lie on, None for no grid. On a grid bounds are whole
    steps of it and half a step more, each at least one step from `bound`: where steps are long that
    may be more than these shares, both wider ones may be one, and there may be no narrower one.
    """
    if decimals is None:
        steps_below = range(1, MOST_STEPS + 1)
        narrower = [bound - SPAN * bound * step / MOST_STEPS for step in steps_below]
        wider_bounds = [factor * bound for factor in WIDER]
        return [*wider_bounds, *narrower]
    # other bounds would have the step of one of these
    units = int(bound * 10**decimals)
    wider_units = {max(units + 1, round(factor * units)) for factor in WIDER}
    lowest = int((1 - SPAN) * units)
    lowest = max(1, min(lowest, units - 1))
    # rounded up, so that there are no more than MOST_STEPS
    spacing = max(1, -(-(units - lowest) // MOST_STEPS))
    chosen_units = [*sorted(wider_units), *range(units - 1, lowest - 1, -spacing)]
    # half a unit more, as of lossy.bound_of_error
    return [Fraction(2 * number + 1, 2 * 10**decimals) for number in chosen_units]
