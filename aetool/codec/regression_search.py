"""Search for the streams that the regression of a mixture predicts by, see regression, and for
whether it pays.

Nothing here is needed to decode, so floating point is welcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import integers, regression, symbol_contexts, symbol_mixing, transforms
from aetool.codec.plans import LEAST_REGRESSED, MOST_REGRESSORS, Plan
from aetool.codec.rans import U16
from aetool.codec.streams import Known, Stream
from aetool.model import Float

JUDGED = 8192  # rows by which regressors are compared
MOST_CANDIDATES = 16  # regressors that are tried together, of those that tell most alone
REGRESSOR_BITS = 16  # that one must save, by what it leaves of the squares of errors
LEAST_PART = 1e-6  # of its squares must a regressor have beside those before it
LEAST_LEFT = 1e-9  # of the squares of errors, at least
PART = 4  # one in so many symbols of a stream, its first ones, tells whether a regression pays
LEAST_SAVING = 0.998  # of what they take without it must they take at most


def with_regression(
    plan: Plan,
    stream: Stream,
    known: Known,
    parents: Sequence[int],
) -> Plan | None:
    """A copy of a plan that codes by a mixture, with a regression added, on those of these parents,
    numbers of earlier streams, that tell most beside the numbers before; on these alone where no
    parent tells enough. None for a plan without a mixture, and where symbols make no numbers: bins
    that need not hold all residuals, or fewer than LEAST_REGRESSED (3). Whether it pays is not
    looked at."""
    mixture = plan.mixture
    if mixture is None:
        return None
    if not plan.complete or plan.bins < LEAST_REGRESSED:
        return None
    residuals = transforms.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, residuals)
    count = len(symbols)
    numbers = regression.numbers_of(plan.starts, plan.widths, (), count)
    first_symbols = symbols[:JUDGED]
    target = numbers.middles[first_symbols].astype(np.float64)
    search = _Search(target, count)
    for parent in parents:
        column = symbol_contexts.regressor_of(parent, stream, known)
        search.add(parent, column)
        # and as it was in the row before
        search.add(-1 - parent, regression.earlier(column))
    mixture = dataclasses.replace(mixture, regressors=search.best())
    return plan.but(mixture=mixture)


@dataclass(frozen=True, eq=False)
class Trial:
    """A plan that mixes, tried on a stream: its symbols, (n,), and their contexts, and the raw bits
    that come behind them."""

    plan: Plan
    symbols: U16
    layout: symbol_mixing.Layout
    raw: float

    @classmethod
    def of(cls, plan: Plan, stream: Stream, known: Known) -> Trial:
        """The trial of a plan, which must mix: its residuals become symbols, and these get their
        contexts; nothing is coded yet. known: the streams before this one. ArchiveError if the plan
        names a stream that is not there, or has too many symbols, or one, to be mixed."""
        residuals = transforms.residuals(plan, stream, known)
        symbols = integers.symbols_of(plan, residuals)
        widths = np.append(plan.widths, integers.MOST_RAW_BITS)
        raw = float(widths[symbols].sum())
        layout = integers.mixture_layout(plan, stream, known, len(symbols))
        return cls(plan, symbols, layout, raw)

    def costs(self) -> Float:
        """About the bits that each symbol takes, (n,), raw bits not counted."""
        return symbol_mixing.costs(self.symbols, self.layout)

    def regressed(
        self,
        stream: Stream,
        known: Known,
        parents: Sequence[int],
    ) -> Trial | None:
        """The trial of the same plan `with_regression`, which may take more bits than this one;
        None where there can be none. parents: numbers of earlier streams to look at."""
        plan = with_regression(self.plan, stream, known, parents)
        if plan is None:
            return None
        numbers = symbol_contexts.numbers_of(plan, stream, known, len(self.symbols))
        layout = dataclasses.replace(self.layout, numbers=numbers)
        return dataclasses.replace(self, plan=plan, layout=layout)

    def promise(self, costs: Float) -> float | None:
        """Estimate the bits that all symbols take with this trial's regression, raw bits included,
        by coding the first quarter of them alone, and comparing that with what it takes without a
        regression; None unless that is less than LEAST_SAVING (0.998) of it. costs: (n,), of all
        symbols without a regression."""
        count = len(self.symbols) // PART
        layout = self.layout.first(count)
        part = self.symbols[:count]
        bits_of_part = float(symbol_mixing.costs(part, layout).sum())
        bits_without = float(costs[:count].sum())
        if bits_of_part >= LEAST_SAVING * bits_without:
            return None
        share = bits_of_part / bits_without
        return self.raw + share * float(costs.sum())


class _Search:
    """Finds the regressors of the `count` numbers of a stream that together tell most of the first
    of them, target, (n,), by least squares: `add` takes candidates, `best` chooses."""

    def __init__(self, target: Float, count: int) -> None:
        self.count = count
        self.judged = len(target)
        # what the numbers before tell already counts for no regressor
        inputs = _own_inputs(target)
        self.own, _ = np.linalg.qr(inputs)
        along_own = self.own.T @ target
        explained = self.own @ along_own
        self.error = target - explained
        self.names: list[int] = []
        self.columns: list[Float] = []

    def add(self, name: int, column: regression.I32) -> None:
        """Add a candidate, of this name in a Mixture (the number of a stream, or -1 less it for the
        row before): column, (count,), of which as many rows are read as the target has."""
        self.names.append(name)
        part = column[: self.judged]
        self.columns.append(part.astype(np.float64))

    def best(self) -> tuple[int, ...]:
        """The names of at most MOST_REGRESSORS (6) candidates, in the order in which they are
        chosen: one after the other the one that leaves least of the squares of errors, as long as
        each saves REGRESSOR_BITS (16) or more; () if none does. Of more than MOST_CANDIDATES (16)
        only those that tell most alone are tried."""
        if not self.columns:
            return ()
        table = np.stack(self.columns)
        squares = (table**2).sum(axis=1)
        along_own = table @ self.own
        table -= along_own @ self.own.T
        error = self.error
        # in their order where they tell as much
        gains = _gains(table, error, squares)
        order = np.argsort(-gains, kind="stable")
        places = order[:MOST_CANDIDATES]
        table = table[places]
        squares = squares[places]
        chosen: list[int] = []
        while len(chosen) < MOST_REGRESSORS:
            gains = _gains(table, error, squares)
            place = int(gains.argmax())
            if self._bits(gains[place], error) < REGRESSOR_BITS:
                break
            # the others go on with what this one does not tell
            column = table[place]
            length = np.sqrt(column @ column)
            direction = column / length
            along_it = direction @ error
            error = error - direction * along_it
            along_it = table @ direction
            table -= np.outer(along_it, direction)
            number = int(places[place])
            chosen.append(self.names[number])
        return tuple(chosen)

    def _bits(self, gain: float, error: Float) -> float:
        """Estimate how many bits fewer all numbers of the stream take if the sum of squared errors
        falls by `gain`, the errors being taken for normal. error: (n,), the errors before."""
        total = float(error @ error)
        share = gain / max(1.0, total)
        left = max(1 - share, LEAST_LEFT)
        bits_a_number = -np.log2(left) / 2
        bits = self.count * bits_a_number
        return float(bits)


def _own_inputs(target: Float) -> Float:
    """What a regression on no other stream knows of numbers, (n,), at least one, ahead of each, (n,
    4): a constant, the last two, and the running mean of all before; 0 where there are none."""
    inputs = np.zeros((len(target), 4))
    inputs[:, 0] = 1
    inputs[1:, 1] = target[:-1]
    inputs[2:, 2] = target[:-2]
    mean = float(target[0])
    share = 0.5**regression.MEAN_STEP
    # ahead of the first number nothing is known
    means = [0.0]
    for number in target[:-1].tolist():
        mean += (number - mean) * share
        means.append(mean)
    inputs[:, 3] = means
    return inputs


def _gains(table: Float, error: Float, squares: Float) -> Float:
    """By how much each regressor alone, (r, n), makes the squares of errors, (n,), fewer: (r,); 0
    of one of which nothing is left. squares: (r,), what each had in the beginning."""
    left = (table**2).sum(axis=1)
    is_new = left > LEAST_PART * squares
    products = table @ error
    # no division by what rounding left
    divisors = np.where(is_new, left, 1.0)
    gains = products**2 / divisors
    return np.where(is_new, gains, 0.0)
