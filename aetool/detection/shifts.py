"""Whether new data are like those a model was fitted on: tests of each column, and of the score.

Each test compares counts of two samples, the model's and the new one's, so that both may vary. All
together are judged by Holm's rule: the chance that any of them calls the same data shifted is at
most `alpha`. A difference must be sure, and large enough to matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.columns.column import ODD, Modelled
from aetool.columns.schema import Schema
from aetool.detection.calibration import Calibration
from aetool.model import Float

SAME, SHIFTED, BROKEN, UNKNOWN = "same", "shifted", "broken", "unknown"
FEWEST_ROWS = 20  # of fewer, on either side, nothing says that they are the same
ALPHA = 0.01  # the chance that data which are the same are called shifted
# what a difference must be, beside sure: parts of the cells, of the pairs of values, of the scores
LEAST_GAPS, LEAST_NEW, LEAST_LOCATION, LEAST_SHAPE, LEAST_SCORE = 0.005, 0.002, 0.02, 0.03, 0.04
FEWEST_IN_A_BIN = 5.0  # expected of the smaller sample, for the chi-square to hold
EXACT = 200  # marked cells up to which their probabilities are added up one by one
P_BINS = 1000  # of conformal p-values
# how much more they vary than of two samples that one fixed score judges: the held-out scores are
# of models fitted on the other rows, the new ones of a model fitted on all of these. Measured on
# 220 pairs of tables that are the same, of 2 and 20 columns, 300 and 2,000 rows: 1.35 to 1.39
VARIANCE = 1.4
MOST_BEYOND = 0.5  # of records above the threshold: more, and the model does not know these data


@dataclass(frozen=True)
class Shift:
    """The result of one test: how much new data differ from the training's in one respect.

    column: "" for the score. what: the respect, such as gaps or location. before, now: what is
    compared, in words. effect: the size of the difference, which matters from `least` on. p: the
    p-value of this test alone; adjusted: by Holm's rule, with all others.
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
        """Whether the difference is statistically sure, and large enough to matter."""
        return self.adjusted <= alpha and self.effect >= self.least


@dataclass(frozen=True, repr=False)
class Comparison:
    """How new data differ from those a model was fitted on. rows, rows_before: how many records
    these and those are; alpha: the chance of a false alarm; shifts: the results of all tests;
    faults: (column, why it cannot be used), the column "" for the data as a whole."""

    rows: int
    rows_before: int
    alpha: float
    shifts: Sequence[Shift]
    faults: Sequence[tuple[str, str]] = ()

    @property
    def shifted(self) -> list[Shift]:
        """The tests that find a shift, the one of the lowest adjusted p-value first."""
        failed = [shift for shift in self.shifts if shift.is_shifted(self.alpha)]
        return sorted(failed, key=lambda shift: (shift.adjusted, -shift.effect))

    @property
    def few(self) -> str:
        """Why there are too few records to call the data the same; empty if there are enough."""
        rows = min(self.rows, self.rows_before)
        if rows >= FEWEST_ROWS:
            return ""
        whose = "new" if self.rows <= self.rows_before else "earlier"
        counted = f"1 {whose} record is" if rows == 1 else f"{rows} {whose} records are"
        return f"{counted} too few to tell; at least {FEWEST_ROWS} are needed"

    @property
    def word(self) -> str:
        """The result as a word: broken if there are faults, else shifted if a test finds a shift,
        else unknown if there are too few records to tell, else same."""
        if self.faults:
            return BROKEN
        if self.shifted:
            return SHIFTED
        return UNKNOWN if self.few else SAME

    def __repr__(self) -> str:
        return f"<aetool comparison: {self.word}, {len(self.shifted)} of {len(self.shifts)} tests>"

    @property
    def is_same(self) -> bool:
        """Whether the word is same: no fault, no shift, and enough records to tell."""
        return self.word == SAME

    def to_json(self) -> dict[str, object]:
        """A JSON-able form: the word first, then the faults, and every test."""
        tests = [
            {
                "column": shift.column or None,
                "what": shift.what,
                "before": shift.before,
                "now": shift.now,
                "effect": float(f"{shift.effect:.6g}"),
                "p": shift.p,
                "adjusted_p": shift.adjusted,
                "shifted": shift.is_shifted(self.alpha),
            }
            for shift in self.shifts
        ]
        return {
            "word": self.word,
            "rows": self.rows,
            "rows_before": self.rows_before,
            "alpha": self.alpha,
            **({"few": self.few} if self.few else {}),
            "faults": [{"column": name or None, "why": why} for name, why in self.faults],
            "tests": tests,
        }


class Tally:
    """The counts of new records that tests need, added up batch by batch in bounded memory."""

    def __init__(self, schema: Schema | None, calibration: Calibration, threshold: float) -> None:
        self.schema = schema
        self.calibration = calibration
        self.threshold = threshold
        self.columns = schema.modelled if schema else ()
        self.rows = 0
        self.beyond = 0
        width = len(self.columns)
        self.gaps = np.zeros(width, dtype=np.int64)
        self.odd = np.zeros(width, dtype=np.int64)
        self.outside = np.zeros(width, dtype=np.int64)
        self.bins = [np.zeros(len(column.bin_counts)) for column in self.columns]
        self.p_counts = np.zeros(P_BINS)

    def add(self, inputs: Float, scores: Float) -> None:
        """Count in a batch of new records. inputs: what the graphs took, (n, columns or more);
        scores: (n,), or (0,) where the records cannot be scored."""
        self.rows += len(inputs)
        self.beyond += int((scores > self.threshold).sum())
        if len(scores):
            p = self.calibration.p_values(scores)
            bins = np.minimum((p * P_BINS).astype(np.int64), P_BINS - 1)
            self.p_counts += np.bincount(bins, minlength=P_BINS)
        if not self.columns:
            return
        values_of_columns = inputs[:, : len(self.columns)]
        missing = np.isnan(values_of_columns)
        odd = values_of_columns == ODD
        self.gaps += missing.sum(axis=0)
        self.odd += odd.sum(axis=0)
        present = ~(missing | odd)
        for place, column in enumerate(self.columns):
            values = values_of_columns[present[:, place], place]
            self.outside[place] += int(column.outside(values).sum())
            if len(self.bins[place]):
                finite = values[np.isfinite(values)]
                bins_of_values = column.bins_of(finite)
                self.bins[place] += np.bincount(bins_of_values, minlength=len(self.bins[place]))

    def compared(self, alpha: float = ALPHA, faults: Sequence[tuple[str, str]] = ()) -> Comparison:
        """The comparison by all records that were added. alpha: the chance of a false alarm;
        faults: (column, why) of those that could not be read, which are not tested."""
        all_faults = list(faults)
        faulty = {name for name, _ in all_faults}
        shifts: list[Shift] = []
        before = self.schema.rows if self.schema else self.calibration.rows
        for place, column in enumerate(self.columns):
            if column.name in faulty:
                continue
            fault = self._fault(place, column)
            if fault:
                all_faults.append((column.name, fault))
            shifts += self._tests(place, column, before)
        scored = bool(self.p_counts.sum())
        if scored and self.calibration.rows:
            shifts.append(self._score_test())
        if self.rows >= FEWEST_ROWS and self.beyond > MOST_BEYOND * self.rows:
            part = 100 * self.beyond / self.rows
            all_faults.append(("", f"{part:.0f} % of the records lie above the model's threshold"))
        return Comparison(self.rows, before, alpha, holm(shifts), all_faults)

    def _fault(self, place: int, column: Modelled) -> str:
        """Why a column that the model uses cannot be used in the new data; empty if it can."""
        present = self.rows - int(self.gaps[place]) - int(self.odd[place])
        before = self.schema.rows - column.missing - column.odd if self.schema else 0
        if not self.rows or before <= 0:
            return ""
        if not present:
            all_gaps = self.gaps[place] == self.rows
            # a gap or two of a column that has some are none
            if all_gaps and self.rows < FEWEST_ROWS:
                return ""
            return f"every cell is {'a gap' if all_gaps else 'a gap or unreadable'}"
        counts = self.bins[place]
        stuck = present >= FEWEST_STUCK and len(counts) and counts.max() == present
        expected = column.bin_counts.max() / max(column.bin_counts.sum(), 1) if stuck else 1.0
        # the chance that so many values are all of the commonest bin
        if stuck and _is_point(column, int(counts.argmax())) and expected**present < STUCK:
            return "every value is the same"
        return ""

    def _tests(self, place: int, column: Modelled, before: int) -> list[Shift]:
        """The results of the tests of one column, without those that nothing was counted for.
        before: how many records the model was fitted on."""
        name = column.name
        rows = self.rows
        tests = []
        for what, old, new in (
            ("gaps", column.missing, int(self.gaps[place])),
            ("unreadable cells", column.odd, int(self.odd[place])),
        ):
            if old or new:
                tests.append(share_test(name, what, (old, before), (new, rows), LEAST_GAPS))
        present = rows - int(self.gaps[place]) - int(self.odd[place])
        reference = column.bin_counts
        counts = self.bins[place]
        if not len(reference) or not reference.sum() or not present:
            return tests
        new_words = int(self.outside[place])
        if not column.ordered and new_words:
            # words that were seen once are as many as those yet to be seen (Good & Turing)
            once = int((reference == 1).sum())
            known_values = int(reference.sum())
            tests.append(
                share_test(
                    name, "new levels", (once, known_values), (new_words, present), LEAST_NEW, True
                )
            )
        if counts.sum():
            if column.measured:
                tests.append(location_test(column, reference, counts))
            tests.append(shape_test(column, reference, counts))
        return tests

    def _score_test(self) -> Shift:
        """The test of whether the new records' conformal p-values are smaller than uniform ones
        (Smirnov's one-sided test of two samples, the other being the held-out scores).

        Larger p-values are no alarm: scores are held out by stretches of the rows, and those of
        rows in between are somewhat lower.
        """
        rows = float(self.p_counts.sum())
        held_out = float(self.calibration.rows)
        part = np.cumsum(self.p_counts) / rows
        edges = np.arange(1, P_BINS + 1) / P_BINS
        distance = max(0.0, float((part - edges).max()))
        size = math.sqrt(rows * held_out / (rows + held_out) / VARIANCE)
        tenth = 100 * float(self.p_counts[: P_BINS // 10].sum()) / rows
        before = "10 % of records as rare as one in 10"
        now = f"{tenth:.3g} % of records as rare"
        p = smirnov(size * distance)
        return Shift("", "score", before, now, distance, LEAST_SCORE, p)


FEWEST_STUCK, STUCK = 20, 1e-6


def _is_point(column: Modelled, place: int) -> bool:
    """Whether the bin of index `place` stands for one single value: every bin of categories does,
    and of numbers those of odd index."""
    return not column.measured or place % 2 == 1


def holm(shifts: Sequence[Shift]) -> list[Shift]:
    """The tests with `adjusted` set, in their order. If the data are the same, the least adjusted
    p-value is at most alpha with a chance of at most alpha, for each alpha (Holm 1979)."""
    order = sorted(range(len(shifts)), key=lambda place: shifts[place].p)
    adjusted = [1.0] * len(shifts)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(shifts) - rank) * shifts[place].p))
        adjusted[place] = highest
    return [
        Shift(s.column, s.what, s.before, s.now, s.effect, s.least, s.p, a)
        for s, a in zip(shifts, adjusted, strict=True)
    ]


def share_test(
    column: str,
    what: str,
    before: tuple[int, int],
    now: tuple[int, int],
    least: float,
    more: bool = False,
) -> Shift:
    """The test of whether the part of marked cells differs. before, now: (marked cells, all cells).
    more: whether to test only that the part has grown. least: the effect that matters. It is
    Fisher's exact test, of many marked cells by the normal distribution."""
    parts = [marked / max(every, 1) for marked, every in (before, now)]
    effect = parts[1] - parts[0] if more else abs(parts[1] - parts[0])
    old, new = (f"{100 * part:.3g} %" for part in parts)
    return Shift(column, what, old, new, effect, least, _fisher(before, now, more))


def _fisher(before: tuple[int, int], now: tuple[int, int], more: bool) -> float:
    marked = before[0] + now[0]
    every = before[1] + now[1]
    if not before[1] or not now[1] or marked in (0, every):
        return 1.0
    if min(marked, every - marked) > EXACT:
        part = marked / every
        deviation = math.sqrt(part * (1 - part) * (1 / before[1] + 1 / now[1]))
        continuity = 0.5 * (1 / before[1] + 1 / now[1])
        difference = now[0] / now[1] - before[0] / before[1]
        off = (difference if more else abs(difference)) - continuity
        tail = 0.5 * math.erfc(off / deviation / math.sqrt(2))
        return tail if more else min(1.0, 2 * tail)
    if marked > every - marked:  # count the rarer kind of cells
        before = (before[1] - before[0], before[1])
        now = (now[1] - now[0], now[1])
        marked = every - marked
    lowest = max(0, marked - before[1])
    most = min(marked, now[1])
    logs = np.array(
        [
            _log_choose(now[1], k) + _log_choose(before[1], marked - k)
            for k in range(lowest, most + 1)
        ]
    )
    chances = np.exp(logs - _log_choose(every, marked))
    observed = now[0] - lowest
    if more:
        return float(min(1.0, chances[observed:].sum()))
    # as unlikely as this, or less likely; a little slack for rounding
    return float(min(1.0, chances[chances <= chances[observed] * (1 + 1e-7)].sum()))


def _log_choose(every: int, chosen: int) -> float:
    return math.lgamma(every + 1) - math.lgamma(chosen + 1) - math.lgamma(every - chosen + 1)


def location_test(column: Modelled, reference: Float, counts: Float) -> Shift:
    """The test of whether values are larger or smaller than before (Wilcoxon, Mann & Whitney, with
    ties). reference, counts: (k,), how many values fell in each bin before and now, the bins in
    rising order."""
    before = float(reference.sum())
    now = float(counts.sum())
    every = before + now
    both = reference + counts
    ranks = np.cumsum(both) - (both - 1) / 2
    # the chance that a new value is larger than one before, ties counting half
    larger = (float((ranks * counts).sum()) - now * (now + 1) / 2) / (before * now)
    ties = float((both**3 - both).sum()) / (every * (every - 1)) if every > 1 else 0.0
    variance = (every + 1 - ties) / (12 * before * now)
    effect = abs(larger - 0.5)
    p = math.erfc(effect / math.sqrt(2 * variance)) if variance > 0 else 1.0
    old, new = (f"median {column.bin_name(_median_bin(c))}" for c in (reference, counts))
    return Shift(column.name, "location", old, new, effect, LEAST_LOCATION, p)


def _median_bin(counts: Float) -> int:
    return int(np.searchsorted(np.cumsum(counts), 0.5 * counts.sum()))


def shape_test(column: Modelled, reference: Float, counts: Float) -> Shift:
    """The test of whether values are spread over bins as before (chi-square of two samples).
    reference, counts: (k,), how many values fell in each bin before and now.

    A bin in which fewer than five values of the smaller sample are expected is joined with the next
    ones; levels come by frequency, so that with these rare ones are joined with rarer ones."""
    before = float(reference.sum())
    now = float(counts.sum())
    pooled = (reference + counts) / (before + now)
    expected = pooled * min(before, now)
    group = np.zeros(len(expected), dtype=np.int64)
    room = 0.0
    for place, amount in enumerate(expected.tolist()):
        if room >= FEWEST_IN_A_BIN and expected[place:].sum() >= FEWEST_IN_A_BIN:
            group[place:] += 1
            room = 0.0
        room += amount
    old = np.bincount(group, reference)
    new = np.bincount(group, counts)
    both = (old + new) / (before + now)
    difference = new / now - old / before
    statistic = float((difference**2 / both).sum() / (1 / before + 1 / now))
    effect = 0.5 * float(np.abs(difference).sum())
    p = chi_square(statistic, len(old) - 1)
    # told by the bin that has gained or lost most
    parts = reference / before, counts / now
    most = int(np.abs(parts[1] - parts[0]).argmax())
    old_words = f"{100 * parts[0][most]:.3g} % {column.bin_name(most)}"
    new_words = f"{100 * parts[1][most]:.3g} %"
    return Shift(column.name, "shape", old_words, new_words, effect, LEAST_SHAPE, p)


def chi_square(statistic: float, degrees: int) -> float:
    """The chance that a chi-square of `degrees` degrees of freedom is at least `statistic`.

    Abramowitz & Stegun 1964, 26.4.4 and 26.4.5."""
    if degrees < 1 or statistic <= 0:
        return 1.0
    half = statistic / 2
    odd = degrees % 2
    chance = math.erfc(math.sqrt(half)) if odd else 0.0
    # terms half^s / Gamma(s + 1) by their logarithms: of many degrees they overflow
    steps = [count + 0.5 * odd for count in range(degrees // 2)]
    for step in steps:
        chance += math.exp(step * math.log(half) - half - math.lgamma(step + 1))
    return min(1.0, chance)


def smirnov(distance: float) -> float:
    """The chance that of two samples of one distribution one's cumulative distribution exceeds the
    other's somewhere by so much (Smirnov 1939). distance: the excess times sqrt(n m / (n + m)), for
    samples of n and m."""
    return math.exp(-2 * distance * distance)
