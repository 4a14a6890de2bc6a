"""Tests of whether new data are like those a model was fitted on: of each column, and of the score.

Each test compares counts of two samples, the model's and the new one's, so that both may vary. All
together are judged by Holm's rule: the chance that any of them calls the same data shifted is at
most `alpha`. A difference must be sure, and large enough to matter.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.columns.column import ODD, Modelled
from aetool.columns.schema import Schema
from aetool.detection.calibration import Calibration
from aetool.model import Float, Int

# the results of a comparison, as words
SAME = "same"
SHIFTED = "shifted"
BROKEN = "broken"
UNKNOWN = "unknown"
FEWEST_ROWS = 20  # of fewer, on either side, nothing says that they are the same
ALPHA = 0.01  # the chance that data which are the same are called shifted
# what a difference must be, beside sure: parts of the cells, of the pairs of values, of the scores
LEAST_GAPS = 0.005
LEAST_NEW = 0.002
LEAST_LOCATION = 0.02
LEAST_SHAPE = 0.03
LEAST_SCORE = 0.04
FEWEST_IN_A_BIN = 5.0  # expected of the smaller sample, for the chi-square to hold
EXACT = 200  # marked cells up to which their probabilities are added up one by one
MOST_KEPT = 1 << 14  # values of a column by which it is told where they lie
# by name, what is told of where values lie: the first in which they differ
QUANTILES = {
    "median": 0.5,
    "upper quartile": 0.75,
    "lower quartile": 0.25,
    "95th percentile": 0.95,
    "5th percentile": 0.05,
}
P_BINS = 1000  # of conformal p-values
# how much more they vary than of two samples that one fixed score judges: the held-out scores are
# of models fitted on the other rows, the new ones of a model fitted on all of these. Measured on
# 220 pairs of tables that are the same, of 2 and 20 columns, 300 and 2,000 rows: 1.35 to 1.39
VARIANCE = 1.4
MOST_BEYOND = 0.5  # of records above the threshold: more, and the model does not know these data
FEWEST_STUCK = 20  # values of a column, of which fewer may all be the same by chance
STUCK = 1e-6  # the chance below which values that are all the same are none


@dataclass(frozen=True)
class Shift:
    """The result of one test: how much new data differ from the training's in one respect.

    column: "" for the score. what: the respect, such as gaps or location. before, now: what is
    compared, in words. effect: the size of the difference, as a part of 1, which matters from
    `least` on. p: the p-value of this test alone; adjusted: by Holm's rule, with all others.
    """

    column: str
    what: str
    before: str
    now: str
    effect: float
    least: float
    p: float
    adjusted: float = 1.0

    def is_shifted(self, alpha: float) -> bool:
        """Whether the difference is statistically sure, `adjusted` being at most alpha, and large
        enough to matter, `effect` being at least `least`."""
        return self.adjusted <= alpha and self.effect >= self.least


@dataclass(frozen=True, repr=False)
class Comparison:
    """The result of comparing new data with those a model was fitted on.

    rows, rows_before: how many records these and those are; alpha: the chance of a false alarm;
    shifts: the results of all tests; faults: (column, why it cannot be used), the column "" for the
    data as a whole.
    """

    rows: int
    rows_before: int
    alpha: float
    shifts: Sequence[Shift]
    faults: Sequence[tuple[str, str]] = ()

    @property
    def shifted(self) -> list[Shift]:
        """The tests that find a shift, the lowest adjusted p-value first, and of equal ones the
        largest effect."""
        failed = [shift for shift in self.shifts if shift.is_shifted(self.alpha)]
        return sorted(failed, key=lambda shift: (shift.adjusted, -shift.effect))

    @property
    def few(self) -> str:
        """Why there are too few records to call the data the same; empty if there are enough."""
        rows = min(self.rows, self.rows_before)
        if rows >= FEWEST_ROWS:
            return ""
        whose = "new" if self.rows <= self.rows_before else "earlier"
        count = f"{rows:,} {whose} records are"
        if rows == 1:
            count = f"1 {whose} record is"
        return f"{count} too few to tell; at least {FEWEST_ROWS} are needed"

    @property
    def word(self) -> str:
        """The result as a word: broken if there are faults, else shifted if a test finds a shift,
        else unknown if there are too few records to tell, else same."""
        if self.faults:
            return BROKEN
        if self.shifted:
            return SHIFTED
        # a test may fail with few records, and yet they never show that nothing has changed
        if self.few:
            return UNKNOWN
        return SAME

    def __repr__(self) -> str:
        """The result as a word, and how many of the tests find a shift."""
        return f"<aetool comparison: {self.word}, {len(self.shifted)} of {len(self.shifts)} tests>"

    @property
    def is_same(self) -> bool:
        """Whether the word is same: no fault, no shift, and enough records to tell."""
        return self.word == SAME

    def to_json(self) -> dict[str, object]:
        """A JSON-able form, by name: word, rows, rows_before, alpha, few (only if there are too
        few), faults, a list of {"column": None for the data as a whole, "why": ...}, and tests, of
        each test a dict of column (None for the score), what, before, now, effect, p, adjusted_p
        and shifted."""
        form: dict[str, object] = {
            "word": self.word,
            "rows": self.rows,
            "rows_before": self.rows_before,
            "alpha": self.alpha,
        }
        if self.few:
            form["few"] = self.few
        # the data as a whole, and the score, are no column
        form["faults"] = [{"column": name or None, "why": why} for name, why in self.faults]
        form["tests"] = [self._test_to_json(shift) for shift in self.shifts]
        return form

    def _test_to_json(self, shift: Shift) -> dict[str, object]:
        """A JSON-able form of the result of one test, by name: column (None for the score), what,
        before, now, effect, p, adjusted_p and shifted, whether it finds a shift."""
        return {
            "column": shift.column or None,
            "what": shift.what,
            "before": shift.before,
            "now": shift.now,
            # six digits: what is beyond them differs between processors
            "effect": float(f"{shift.effect:.6g}"),
            "p": shift.p,
            "adjusted_p": shift.adjusted,
            "shifted": shift.is_shifted(self.alpha),
        }


class Kept:
    """Some of the values of a column, at equal distances in their order, in bounded memory: all of
    them up to MOST_KEPT, then every second, every fourth and so on. The result is the same however
    the values are cut into batches. values: those that are kept; step: every how many-th; seen: how
    many values came so far."""

    def __init__(self) -> None:
        """Begin without any value."""
        self.values = np.zeros(0)
        self.step = 1
        self.seen = 0

    def add(self, values: Float) -> None:
        """Keep those of the next values, (n,), whose turn it is."""
        # the first after those that are passed over
        first = -self.seen % self.step
        self.values = np.concatenate([self.values, values[first :: self.step]])
        self.seen += len(values)
        while len(self.values) > MOST_KEPT:
            self.values = self.values[::2]
            self.step *= 2


class Tally:
    """The counts of new records that tests need, added up batch by batch in bounded memory: `add`
    each batch, then ask for what was `compared`. calibration: of the model, whose held-out scores
    the new ones are compared with. schema: None for pictures, of which scores alone are counted;
    threshold: the score above which records count as `beyond`."""

    def __init__(
        self,
        schema: Schema | None,
        calibration: Calibration,
        threshold: float,
    ) -> None:
        """Begin with counts of 0. schema, calibration: the model's, schema None for pictures;
        threshold: the score above which records count as `beyond`."""
        self.schema = schema
        self.calibration = calibration
        self.threshold = threshold
        self.columns = schema.modelled if schema else ()
        self.rows = 0
        self.beyond = 0  # records above the threshold
        # of each column how many cells are missing, unreadable, or of no bin
        width = len(self.columns)
        self.gaps = np.zeros(width, dtype=np.int64)
        self.odd = np.zeros(width, dtype=np.int64)
        self.outside = np.zeros(width, dtype=np.int64)
        self.bins = [np.zeros(len(column.bin_counts)) for column in self.columns]
        self.kept = [Kept() for _ in self.columns]
        self.p_counts = np.zeros(P_BINS)

    def add(self, inputs: Float, scores: Float) -> None:
        """Count a batch of new records. inputs: what the graphs took, (n, columns or more) in user
        units, of pictures (n, C, H, W), which are only counted; scores: (n,), or (0,) where the
        records cannot be scored."""
        self.rows += len(inputs)
        is_beyond = scores > self.threshold
        self.beyond += int(is_beyond.sum())
        if len(scores):
            p = self.calibration.p_values(scores)
            bins = (p * P_BINS).astype(np.int64)
            # a p-value of 1 belongs to the last bin
            bins = np.minimum(bins, P_BINS - 1)
            self.p_counts += np.bincount(bins, minlength=P_BINS)
        if self.columns:
            # behind the columns of a record are those of the rows before it
            cells = inputs[:, : len(self.columns)]
            self._add_cells(cells)

    def _add_cells(self, cells: Float) -> None:
        """Count the cells of new records, (n, columns) as models take them: gaps, unreadable ones,
        those outside of what was seen in the fit (new words, numbers beyond the range), and how
        many are in each bin of their column; infinities have no bin."""
        missing = np.isnan(cells)
        odd = cells == ODD
        self.gaps += missing.sum(axis=0)
        self.odd += odd.sum(axis=0)
        present = ~(missing | odd)
        for place, column in enumerate(self.columns):
            is_present = present[:, place]
            values = cells[is_present, place]
            is_outside = column.outside(values)
            self.outside[place] += int(is_outside.sum())
            bins = len(self.bins[place])
            if bins:
                # infinities have no bin
                finite = values[np.isfinite(values)]
                bins_of_values = column.bins_of(finite)
                self.bins[place] += np.bincount(bins_of_values, minlength=bins)
                if column.measured:
                    self.kept[place].add(finite)

    def compared(self, alpha: float = ALPHA, faults: Sequence[tuple[str, str]] = ()) -> Comparison:
        """The comparison by all records that were added. alpha: the chance of a false alarm;
        faults: (column, why) of those that could not be read, which are not tested. To these are
        added the faults that the counts show: a column without values, or with one single value;
        and, from 20 records on, more than half of them above the threshold."""
        all_faults = list(faults)
        faulty = {name for name, _ in all_faults}
        shifts: list[Shift] = []
        # of pictures only the held-out records are known
        before = self.schema.rows if self.schema else self.calibration.rows
        for place, column in enumerate(self.columns):
            if column.name in faulty:
                continue
            fault = self._fault_of_column(place, column)
            if fault:
                all_faults.append((column.name, fault))
            shifts += self._tests(place, column, before)
        # without some column records could only be counted
        scored = bool(self.p_counts.sum())
        if scored and self.calibration.rows:
            shifts.append(self._score_test())
        if self.rows >= FEWEST_ROWS and self.beyond > MOST_BEYOND * self.rows:
            part = 100 * self.beyond / self.rows
            all_faults.append(("", f"{part:.0f} % of the records lie above the model's threshold"))
        return Comparison(
            rows=self.rows,
            rows_before=before,
            alpha=alpha,
            shifts=holm(shifts),
            faults=all_faults,
        )

    def _fault_of_column(self, place: int, column: Modelled) -> str:
        """Why a column that the model uses, of index `place`, cannot be used in the new data; empty
        if it can, and where there are no new records, or the column had no value in the fit."""
        present = self.rows - int(self.gaps[place]) - int(self.odd[place])
        before = 0
        if self.schema:
            before = self.schema.rows - column.missing - column.odd
        if not self.rows or before <= 0:
            return ""
        if not present:
            return self._fault_of_no_values(place)
        if _holds_one_value(column, self.bins[place], present):
            return "every value is the same"
        return ""

    def _fault_of_no_values(self, place: int) -> str:
        """The fault of a column that has no value in any new record; empty if all of its cells are
        gaps, and there are fewer than 20. place: the index of the column."""
        if self.gaps[place] < self.rows:
            return "every cell is a gap or unreadable"
        # a gap or two of a column that has some are none
        if self.rows < FEWEST_ROWS:
            return ""
        return "every cell is a gap"

    def _tests(self, place: int, column: Modelled, before: int) -> list[Shift]:
        """The results of the tests of one column: whether the parts of gaps and of unreadable cells
        differ from before, whether, of words, new levels are more frequent, whether numbers lie
        elsewhere on average, and whether the shape of the distribution differs; tests that nothing
        was counted for are left out. place: the column's index. before: how many records the model
        was fitted on."""
        name = column.name
        rows = self.rows
        gaps = int(self.gaps[place])
        odd = int(self.odd[place])
        tests = []
        # how many cells are of a kind, before and now
        counts_of_kinds = {
            "gaps": (column.missing, gaps),
            "unreadable cells": (column.odd, odd),
        }
        for kind, (old, new) in counts_of_kinds.items():
            if old or new:
                test = share_test(name, kind, (old, before), (new, rows), LEAST_GAPS)
                tests.append(test)
        present = rows - gaps - odd
        reference = column.bin_counts
        counts = self.bins[place]
        if not len(reference) or not reference.sum() or not present:
            return tests
        new_words = int(self.outside[place])
        if not column.ordered and new_words:
            # words that were seen once are as many as those yet to be seen (Good & Turing)
            words_seen_once = int((reference == 1).sum())
            known_values = int(reference.sum())
            new_levels = share_test(
                name,
                "new levels",
                (words_seen_once, known_values),
                (new_words, present),
                LEAST_NEW,
                more=True,
            )
            tests.append(new_levels)
        if counts.sum():
            if column.measured:
                values = self.kept[place].values
                tests.append(location_test(column, reference, counts, values))
            tests.append(shape_test(column, reference, counts))
        return tests

    def _score_test(self) -> Shift:
        """The test of whether the new records' conformal p-values are smaller than uniform ones
        (Smirnov's one-sided test of two samples, the other being the held-out scores).

        Larger p-values are no alarm: scores are held out by stretches of the rows, and those of
        rows in between are somewhat lower. At least one record must have been scored, and one held
        out.
        """
        rows = float(self.p_counts.sum())
        held_out = float(self.calibration.rows)
        # the part of new records whose p-value is at most each edge, and that of uniform ones
        part = np.cumsum(self.p_counts) / rows
        edges = np.arange(1, P_BINS + 1) / P_BINS
        excess = part - edges
        distance = max(0.0, float(excess.max()))
        size = math.sqrt(rows * held_out / (rows + held_out) / VARIANCE)
        lowest_tenth = self.p_counts[: P_BINS // 10]
        rare = float(lowest_tenth.sum())
        percent = 100 * rare / rows
        return Shift(
            column="",
            what="score",
            before="10 % of records as rare as one in 10",
            now=f"{percent:.3g} % of records as rare",
            effect=distance,
            least=LEAST_SCORE,
            p=smirnov(size * distance),
        )


def _holds_one_value(column: Modelled, counts: Float, present: int) -> bool:
    """Whether a column holds one single value in all new records, though its values in training
    make that nearly impossible (a chance below 1e-6, if each were of the commonest bin). False for
    fewer than 20 values. Not noticed is a number that is stuck between two landmarks of the column,
    or beyond all, and a word that training did not see: such bins hold many values. counts: (k,),
    how many values fell in each bin, (0,) where none are counted; present: how many there are."""
    if present < FEWEST_STUCK or not len(counts):
        return False
    # not so where values lie in several bins, or in none
    if counts.max() != present:
        return False
    if not _is_single_value(column, int(counts.argmax())):
        return False
    before = column.bin_counts
    commonest = before.max() / max(before.sum(), 1)
    # the chance that so many values are all of the commonest bin
    return bool(commonest**present < STUCK)


def _is_single_value(column: Modelled, place: int) -> bool:
    """Whether the bin of index `place` stands for one single value: of categories that of each
    level, not the last, of any other word; of numbers those of odd index, the landmarks."""
    if column.measured:
        return place % 2 == 1
    # other words, which all count as one, may each differ
    return place < len(column.listed)


def holm(shifts: Sequence[Shift]) -> list[Shift]:
    """Adjust the p-values of several tests for their number by Holm's rule: the tests in their
    order, with `adjusted` set. If the data are the same, the least adjusted p-value is at most
    alpha with a chance of at most alpha, for each alpha (Holm 1979)."""
    order = sorted(range(len(shifts)), key=lambda place: shifts[place].p)
    adjusted_shifts = list(shifts)
    highest = 0.0
    for rank, place in enumerate(order):
        shift = shifts[place]
        # as many times as tests are left, and never below a smaller p-value's
        raised = (len(shifts) - rank) * shift.p
        highest = max(highest, min(1.0, raised))
        adjusted_shifts[place] = dataclasses.replace(shift, adjusted=highest)
    return adjusted_shifts


def share_test(
    column: str,
    what: str,
    before: tuple[int, int],
    now: tuple[int, int],
    least: float,
    more: bool = False,
) -> Shift:
    """The test of whether the part of marked cells of a column differs between two sets of records:
    Fisher's exact test, of many marked cells by the normal distribution.

    what: is tested, in words. before, now: (marked cells, all cells). least: the difference of the
    parts, 0 .. 1, that matters. more: whether to test only that the part has grown; `effect` is
    then below 0 where it has shrunk, else never. Without cells on either side p is 1.
    """
    part_before = _marked_part(before)
    part_now = _marked_part(now)
    effect = part_now - part_before
    if not more:
        effect = abs(effect)
    return Shift(
        column=column,
        what=what,
        before=f"{100 * part_before:.3g} %",
        now=f"{100 * part_now:.3g} %",
        effect=effect,
        least=least,
        p=_p_of_fisher(before, now, more),
    )


def _marked_part(cells: tuple[int, int]) -> float:
    """The part of cells that is marked, 0 if there are no cells. cells: (marked cells, all
    cells)."""
    marked, every = cells
    return marked / max(every, 1)


def _p_of_fisher(before: tuple[int, int], now: tuple[int, int], more: bool) -> float:
    """The p-value of Fisher's exact test that the part of marked cells is the same, or, if more,
    has not grown; 1 where it cannot differ; by the normal approximation where more than EXACT (200)
    cells are marked, before and now together, and more than 200 are not. before, now: (marked
    cells, all cells)."""
    marked_before, cells_before = before
    marked_now, cells_now = now
    marked = marked_before + marked_now
    cells = cells_before + cells_now
    if not cells_before or not cells_now or marked in (0, cells):
        return 1.0
    unmarked = cells - marked
    if min(marked, unmarked) > EXACT:
        return _p_of_normal(before, now, more)
    # the rarer kind of cells is counted
    if marked > unmarked:
        marked_now = cells_now - marked_now
        marked = unmarked
    # of so many marked cells in all, those that the new records may have
    fewest_new = max(0, marked - cells_before)
    most_new = min(marked, cells_now)
    log_ways = []
    for new in range(fewest_new, most_new + 1):
        old = marked - new
        log_ways.append(_log_choose(cells_now, new) + _log_choose(cells_before, old))
    chances = np.exp(np.array(log_ways) - _log_choose(cells, marked))
    observed = marked_now - fewest_new
    if more:
        as_odd = chances[observed:]
    else:
        # as unlikely as this, or less likely; a little slack for rounding
        limit = chances[observed] * (1 + 1e-7)
        as_odd = chances[chances <= limit]
    return float(min(1.0, as_odd.sum()))


def _p_of_normal(
    before: tuple[int, int],
    now: tuple[int, int],
    more: bool,
) -> float:
    """The p-value of the test that `_p_of_fisher` makes, for many cells: by the normal
    distribution, with a correction for whole numbers. before, now: (marked cells, all cells),
    neither without cells; of both together some must be marked, and some not. more: test only
    whether the part has grown."""
    marked_before, cells_before = before
    marked_now, cells_now = now
    # the part that is marked, and its deviation, if nothing has changed
    part = (marked_before + marked_now) / (cells_before + cells_now)
    inverse = 1 / cells_before + 1 / cells_now
    deviation = math.sqrt(part * (1 - part) * inverse)
    difference = marked_now / cells_now - marked_before / cells_before
    if not more:
        difference = abs(difference)
    off = difference - 0.5 * inverse
    tail = 0.5 * math.erfc(off / deviation / math.sqrt(2))
    if more:
        return tail
    return min(1.0, 2 * tail)


def _log_choose(every: int, chosen: int) -> float:
    """The natural logarithm of the number of ways to choose `chosen` of `every` things, 0 to all of
    them."""
    ways = math.lgamma(every + 1)
    orders = math.lgamma(chosen + 1)
    orders_of_rest = math.lgamma(every - chosen + 1)
    return ways - orders - orders_of_rest


def location_test(
    column: Modelled,
    reference: Float,
    counts: Float,
    values: Float,
) -> Shift:
    """The test of whether values are larger or smaller than before (Wilcoxon, Mann & Whitney, with
    ties). reference, counts: (k,), how many values fell in each bin before and now, the bins in
    rising order; both need a value. column: whose values must be measured. values: (n,), those of
    now, or some of them, at least one: they tell where the middle lies."""
    before = float(reference.sum())
    now = float(counts.sum())
    all_values = before + now
    of_both = reference + counts
    ranks = np.cumsum(of_both) - (of_both - 1) / 2
    # the chance that a new value is larger than one before, ties counting half
    rank_sum = float((ranks * counts).sum())
    least_sum = now * (now + 1) / 2
    larger = (rank_sum - least_sum) / (before * now)
    ties = 0.0
    if all_values > 1:
        ties = float((of_both**3 - of_both).sum()) / (all_values * (all_values - 1))
    variance = (all_values + 1 - ties) / (12 * before * now)
    effect = abs(larger - 0.5)
    p = 1.0
    # all values in one bin have none
    if variance > 0:
        p = math.erfc(effect / math.sqrt(2 * variance))
    was, is_now = _locations_in_words(column, values, larger)
    return Shift(
        column=column.name,
        what="location",
        before=was,
        now=is_now,
        effect=effect,
        least=LEAST_LOCATION,
        p=p,
    )


def _locations_in_words(column: Modelled, values: Float, larger: float) -> tuple[str, str]:
    """(where the values lay before, where they lie now), in words that differ: the medians, or,
    where these are the same, or have moved the other way, the first other of QUANTILES that has
    moved as most values have; where none has, how many are larger. column: measured; values: (n,)
    of now, at least one; larger: the chance that a new value is larger than one before, ties
    counting half."""
    for name, part in QUANTILES.items():
        quantile = column.quantile(part)
        # models of earlier versions may not know it
        if quantile is None:
            continue
        nearest = float(np.quantile(values, part, method="nearest"))
        was, is_now = column.show(quantile), column.show(nearest)
        # a quantile may have moved against most values
        if was != is_now and (nearest > quantile) == (larger > 0.5):
            return f"{name} {was}", f"{name} {is_now}"
    return "50 % larger, 50 % smaller", f"{100 * larger:.3g} % larger than before"


def shape_test(column: Modelled, reference: Float, counts: Float) -> Shift:
    """The test of whether values are spread over bins as before (chi-square of two samples).
    reference, counts: (k,), how many values fell in each bin before and now; both need a value.
    `before` and `now` of the result tell of the bin whose share has changed most; with all in one
    group p is 1.

    A bin in which fewer than five values of the smaller sample are expected is joined with the next
    ones; levels come by frequency, so that with these rare ones are joined with rarer ones.
    """
    before = float(reference.sum())
    now = float(counts.sum())
    pooled = (reference + counts) / (before + now)
    expected = pooled * min(before, now)
    group = _joined_bins(expected)
    old = np.bincount(group, reference)
    new = np.bincount(group, counts)
    of_both = (old + new) / (before + now)
    difference = new / now - old / before
    statistic = float((difference**2 / of_both).sum() / (1 / before + 1 / now))
    effect = 0.5 * float(np.abs(difference).sum())
    p = chi_square(statistic, len(old) - 1)
    # told by the bin that has gained or lost most
    parts_before = reference / before
    parts_now = counts / now
    gain = np.abs(parts_now - parts_before)
    most = int(gain.argmax())
    return Shift(
        column=column.name,
        what="shape",
        before=f"{100 * parts_before[most]:.3g} % {column.bin_name(most)}",
        now=f"{100 * parts_now[most]:.3g} %",
        effect=effect,
        least=LEAST_SHAPE,
        p=p,
    )


def _joined_bins(expected: Float) -> Int:
    """(k,): the number of the group, from 0, that each bin is in, groups being of neighbouring
    bins, so that as many values are expected in a group as the chi-square needs; expected: (k,),
    how many are in each bin."""
    group = np.zeros(len(expected), dtype=np.int64)
    in_group = 0.0
    for place, amount in enumerate(expected.tolist()):
        # the bins from here on must suffice for a group, too
        in_rest = expected[place:].sum()
        if in_group >= FEWEST_IN_A_BIN and in_rest >= FEWEST_IN_A_BIN:
            group[place:] += 1
            in_group = 0.0
        in_group += amount
    return group


def chi_square(statistic: float, degrees: int) -> float:
    """The chance that a chi-square of `degrees` degrees of freedom is at least `statistic`; 1 where
    there are no degrees, or the statistic is 0 or less.

    Abramowitz & Stegun 1964, 26.4.4 and 26.4.5."""
    if degrees < 1 or statistic <= 0:
        return 1.0
    half = statistic / 2
    odd = degrees % 2
    chance = 0.0
    if odd:
        chance = math.erfc(math.sqrt(half))
    # terms half^s / Gamma(s + 1) by their logarithms: of many degrees they overflow
    steps = [count + 0.5 * odd for count in range(degrees // 2)]
    for step in steps:
        log_term = step * math.log(half) - half - math.lgamma(step + 1)
        chance += math.exp(log_term)
    return min(1.0, chance)


def smirnov(distance: float) -> float:
    """The p-value of Smirnov's one-sided test of two samples: the chance that, if both are of one
    distribution, one's cumulative distribution exceeds the other's somewhere by this much (Smirnov
    1939). distance: the excess times sqrt(n m / (n + m)), for samples of n and m."""
    return math.exp(-2 * distance * distance)
