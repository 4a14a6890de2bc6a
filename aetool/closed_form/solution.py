"""What an author of a closed form writes: its fit, and a solution that scores records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from aetool.canonical import Json
from aetool.closed_form import costs
from aetool.closed_form.builder import Builder, Value
from aetool.model import Float, Int, Spec

Features = npt.NDArray[np.float32]


class Batches(Protocol):
    """Feature batches, (rows, features) float32, that can be iterated again and again.

    Each holds 8,192 rows, the last what is left, however many files and batches the data came in:
    what is computed batch by batch is the same bit for bit.
    """

    def __iter__(self) -> Iterator[Features]: ...


class Solution:
    """The base of what a closed form's fit returns. Its members add computations to a graph, and
    return their results.

    With a code: write `encode` and `decode`. Without one: write `expected`. A score that is not
    that of numbers about what is expected of them: write `parts`, or `bits`.

    deviation, prior: what the default `parts` needs, see there.
    fair: whether the score of a row that was fitted is what it would be had it not been. Otherwise
    the host fits several, each without a fold of the rows, and a row is scored by the one that was
    fitted without it (aetool.folds). Of few rows of a table it always does.
    drawn: what `sample` draws of codes: "codes", like those of rows, or "normal", N(0, I). Without
    a code records are drawn column by column.
    scatter: (scales, weights), (components, numbers) both, of the zero-mean Gaussians by which
    numbers lie about what their code says; None: as those of the rows do.
    report: figures for `aetool info`.
    """

    # only declared: a solution that writes its own parts needs neither
    deviation: Float
    prior: Float
    fair: bool = False
    drawn: str = "codes"
    scatter: tuple[Float, Float] | None = None
    report: Mapping[str, Json] = MappingProxyType({})

    @property
    def coded(self) -> bool:
        """Whether the model has a code: whether its author wrote `encode`."""
        return type(self).encode is not Solution.encode

    def encode(self, g: Builder, x: Value) -> Value:
        """The codes of features x, (batch, features): (batch, k). NotImplementedError unless the
        author wrote it."""
        raise NotImplementedError

    def decode(self, g: Builder, z: Value) -> Value:
        """The features that the model restores from codes z, (batch, k): (batch, features), flags
        and levels as probabilities. NotImplementedError unless the author wrote it."""
        raise NotImplementedError

    def expected(self, g: Builder, x: Value) -> Value:
        """What the model expects in place of features x, (batch, features): (batch, features),
        flags and levels as probabilities. By default what `decode` makes of `encode`.

        `why` tells it, in the user's units. Of a flagged record of a model without a code, and
        without `surprise`, other values are tried, too, and one is told with which the record
        scores lower than with what is expected, if there is one.
        """
        return self.decode(g, self.encode(g, x))

    def parts(self, g: Builder, x: Value) -> Value:
        """What each column of a record costs, and last what belongs to no column: (batch, columns +
        1), in nats.

        By default the cost of features x, (batch, features), about `expected`, with `deviation`,
        (numbers,), the standard deviation of each number, and `prior`, (features,), how often a
        flag or level occurs.
        """
        return costs.about(g, x, self.expected(g, x), self.deviation, self.prior)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in bits: what each column adds to the score, and last what belongs
        to none; the score is their sum. x: (batch, features).

        By default `parts`, and what cells cost that models do not see (a gap where there were none,
        what is not of its column's kind), each column no more than its rarity and 32 bits. Write it
        where a score means something by itself.
        """
        return costs.capped(g, costs.in_bits(g, self.parts(g, x)))

    def surprise(self, g: Builder, x: Value) -> Value | None:
        """How surprising each column is given the others, (batch, columns), in bits, by which
        reasons are ranked. By default None: reasons are ranked by the parts of the score. x:
        (batch, features)."""
        return None

    def without(self, rows: Int) -> Solution | None:
        """The solution that the fit would have found without some rows. By default None: it can be
        found only by another fit. rows: the ascending indices of these rows among those that were
        fitted.

        Where leaving rows out is as easy as not looking at them (a memory of records), scores of
        rows that were held out cost one fit, and few rows need to be left out at a time.
        """
        return None


class ClosedForm:
    """Base of closed-form models: self.spec is the layout of the data, self.params what `-O` sets,
    the Params of its model with values for all.

    It is made anew for each fit, of all rows or of all but a fold, and is given no seed: draws are
    from numpy.random.default_rng of a number of your own.
    """

    def __init__(self, spec: Spec, params: Any) -> None:
        """Keep the layout of the data, and the Params of the model with values for all."""
        self.spec = spec
        self.params = params

    def fit(self, batches: Batches) -> Solution:
        """Fit rows in batches, which can be iterated again and again, and must not be changed;
        return the solution.

        Pictures come flattened, (rows, features). DataError for data that cannot be fitted;
        NotImplementedError unless the author wrote it.
        """
        raise NotImplementedError
