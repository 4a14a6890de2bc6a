"""The large drawings of a report: scores over records, their spread, curves against labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.detection.calibration import Calibration
from aetool.detection.trace import ScoreTrace
from aetool.model import Float
from aetool.report.svg import Drawing, Point, amount, ticks
from aetool.report.times import time_ticks

# margins, for the numbers beside the axes
LEFT = 52.0
RIGHT = 14.0
TOP = 16.0
BOTTOM = 34.0
LETTER = 6.2  # width of a letter beside an axis, as wide as they come
GAP = 8.0  # between two words of an axis
MOST_MARKS = 200  # records that are pointed out in a drawing
DOT = 4.0  # radius
BARS = 48  # of a histogram
HEADROOM = 1.06  # above the highest score
NEAR = 0.5  # of the highest score: if all are beyond, the axis begins at the lowest
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Mark:
    """A record to mark in a drawing. record: its number from 0; score: at which the mark stands;
    words: shown where one points at the mark; target: the id of the record's entry in the page, ""
    for none."""

    record: int
    score: float
    words: str
    target: str = ""


@dataclass(frozen=True, eq=False)
class Stretches:
    """The scores of n consecutive stretches of records, as a drawing shows them. highest: (n,), the
    highest score in each; ends: (n + 1,), where they begin and end: by number of the record from 0,
    or, if are_timed, in seconds since 1970-01-01 00:00 UTC."""

    highest: Float
    ends: Float
    are_timed: bool

    @classmethod
    def of(cls, trace: ScoreTrace, most: int) -> Stretches:
        """The scores of a trace in at most `most` stretches; by time where the records have times,
        and come in their order. most: at least 1. Of no records there is no stretch, with ends at 0
        and 1."""
        highest = trace.highest
        if not len(highest):
            return cls(highest, np.array([0.0, 1.0]), False)
        # rounded up: with fewer in a stretch there would be too many
        per_stretch = math.ceil(len(highest) / most)
        starts = np.arange(0, len(highest), per_stretch)
        takes_time = trace.in_time and trace.last_moment > trace.moment[0]
        if takes_time:
            ends = np.append(trace.moment[starts], trace.last_moment)
        else:
            ends = np.append(starts * trace.span, trace.rows)
        return cls(
            highest=np.maximum.reduceat(highest, starts),
            ends=ends.astype(np.float64),
            are_timed=takes_time,
        )


class Frame:
    """A plane of two axes in a drawing, and where on it each pair of values lies."""

    def __init__(self, drawing: Drawing, across: Point, up: Point) -> None:
        """Lay out a chart in a drawing, with axes over these ranges.

        across, up: (lowest, highest) value on the horizontal and on the vertical axis.
        """
        self.drawing = drawing
        self.across = _widened(across)
        self.up = _widened(up)
        self.width = drawing.width - LEFT - RIGHT
        self.height = drawing.height - TOP - BOTTOM
        self.right = LEFT + self.width
        self.bottom = TOP + self.height

    def point(self, across: float, up: float) -> Point:
        """Return the place on the sheet, (x, y) in pixels from the top left, of a pair of values of
        the axes."""
        return self.x(across), self.y(up)

    def x(self, value: float) -> float:
        """The horizontal coordinate on the sheet, in pixels from the left, of a value of the axis
        across."""
        low, high = self.across
        length = high - low
        return LEFT + self.width * (value - low) / length

    def y(self, value: float) -> float:
        """The vertical coordinate on the sheet, in pixels from the top, of a value of the axis
        up."""
        low, high = self.up
        length = high - low
        # y grows downwards on a sheet
        return self.bottom - self.height * (value - low) / length

    def level(self, kind: str, value: float) -> None:
        """Draw a horizontal line at a value of the axis up. kind: the class of the line."""
        y = self.y(value)
        self.drawing.line(kind, (LEFT, y), (self.right, y))

    def upright(self, kind: str, value: float) -> None:
        """Draw a vertical line at a value of the axis across. kind: the class of the line."""
        x = self.x(value)
        self.drawing.line(kind, (x, TOP), (x, self.bottom))

    def draw_up(self, values: Iterable[float], words: Iterable[str]) -> None:
        """Draw a horizontal line at each of these values of the axis up, with its word to its left;
        as many words as values."""
        x = LEFT - 6
        for value, word in zip(values, words, strict=True):
            self.level("grid", value)
            # a letter's middle is about four above its foot
            y = self.y(value) + 4
            self.drawing.text(word, x, y, anchor="end", kind="quiet")

    def draw_across(
        self,
        values: Iterable[float],
        words: Iterable[str],
        title: str,
    ) -> None:
        """Draw the axis across, with its title, and a tick and a word below each of these values
        that has room, in rising order; as many words as values."""
        axis = self.bottom
        self.drawing.line("axis", (LEFT, axis), (self.right, axis))
        free_from = 0.0
        for value, word in zip(values, words, strict=True):
            x = self.x(value)
            half = LETTER * len(word) / 2
            word_begins = x - half
            word_ends = x + half
            # no word is cut at the sheet's edge, or written over another
            if word_begins < free_from or word_ends > self.drawing.width:
                continue
            self.drawing.line("axis", (x, axis), (x, axis + 4))
            self.drawing.text(word, x, axis + 16, anchor="middle", kind="quiet")
            free_from = word_ends + GAP
        self.drawing.text(title, self.right, axis + 30, anchor="end", kind="quiet")


def score_over_records(
    trace: ScoreTrace,
    threshold: float,
    unit: str,
    marks: Sequence[Mark] = (),
    width: float = 960,
    height: float = 260,
    limit_in_words: str = "threshold",
) -> Drawing:
    """A drawing of the highest score of each stretch of records, in their order or over time, with
    the threshold, if it is finite, and marks on records, of which the first MOST_MARKS (200) are
    drawn. unit: that of scores, in words. width, height: of the drawing, in pixels.
    limit_in_words: what the threshold is called."""
    label = f"Score of {trace.rows:,} records, in {unit}"
    drawing = Drawing(width, height, label)
    # one stretch for each dot of the axis: more would not be seen
    dots = int(width - LEFT - RIGHT)
    stretches = Stretches.of(trace, dots)
    first = float(stretches.ends[0])
    last = float(stretches.ends[-1])
    top = float(stretches.highest.max(initial=0.0))
    if math.isfinite(threshold):
        top = max(top, threshold)
    low = _lowest(trace, top)
    headroom = (HEADROOM - 1) * (top - low)
    highest_shown = top + headroom
    frame = Frame(drawing, (first, last), (low, highest_shown))
    levels = ticks(low, top, 4)
    frame.draw_up(levels, map(amount, levels))
    if stretches.are_timed:
        moments, words = time_ticks(first, last, width)
        frame.draw_across(moments, words, "time")
    else:
        _draw_row_numbers(frame, trace.rows)
    _draw_stretches(frame, stretches)
    if math.isfinite(threshold):
        frame.level("limit", threshold)
        above_line = frame.y(threshold) - 5
        word = f"{limit_in_words} {amount(threshold)}"
        drawing.text(word, frame.right, above_line, anchor="end", kind="word")
    for mark in marks[:MOST_MARKS]:
        across = float(mark.record)
        if stretches.are_timed:
            # of a record alone no time is stored, but that of its stretch
            point_of_trace = mark.record // trace.span
            across = float(trace.moment[point_of_trace])
        _draw_mark(frame, mark, across)
    return drawing


def _draw_row_numbers(frame: Frame, rows: int) -> None:
    """Draw the axis across as one of record numbers, up to so many rows."""
    places = [tick for tick in ticks(0, rows) if tick % 1 == 0]
    # records count from 1
    words = [amount(place or 1) for place in places]
    frame.draw_across(places, words, "row")


def _draw_stretches(frame: Frame, stretches: Stretches) -> None:
    """Draw an area up to the highest score of each stretch, in steps, so that the peak of one
    record is as wide as its stretch, and is seen."""
    outline = _outline_in_steps(frame, stretches.ends, stretches.highest.tolist())
    if not outline:
        return
    # the area stands on the score 0, or on the edge that is nearest to it
    lowest, highest = frame.up
    base = frame.y(max(lowest, min(0.0, highest)))
    left, _ = outline[0]
    right, _ = outline[-1]
    frame.drawing.path("pale", [(left, base), *outline, (right, base)])
    frame.drawing.path("line", outline)


def _outline_in_steps(
    frame: Frame,
    edges: Sequence[float] | Float,
    heights: Iterable[float],
) -> list[Point]:
    """The points on the sheet of a line in steps: height i from edge i to edge i + 1, of which
    there is one more. edges, heights: in the units of the frame's axes."""
    points = []
    for place, height in enumerate(heights):
        points.append(frame.point(edges[place], height))
        points.append(frame.point(edges[place + 1], height))
    return points


def _draw_mark(frame: Frame, mark: Mark, across: float) -> None:
    """Draw a dot for a record, linked to its entry in the page if it has one. across: its place on
    the axis across, in that axis's unit."""
    x, y = frame.point(across, mark.score)
    # a drawing of its own, so that a link can be put around it
    dot = Drawing(0, 0, "")
    dot.shape("circle", "mark", mark.words, cx=x, cy=y, r=DOT)
    if mark.target:
        frame.drawing.link(mark.target, dot)
    else:
        frame.drawing.add(dot)


def spread_of_scores(
    trace: ScoreTrace,
    threshold: float,
    unit: str,
    held_out: Calibration | None = None,
    width: float = 470,
    height: float = 230,
) -> Drawing:
    """A drawing of how many records have which score: a histogram in which bars above the threshold
    stand out. The axis of counts is logarithmic, and that of scores, too, unless all lie above half
    of the highest, or of a threshold that is higher.

    unit: that of scores, in words. held_out: by whose scores a line shows what as many ordinary
    records would give; None: no line. width, height: of the drawing, in pixels.
    """
    drawing = Drawing(width, height, f"How many records have which score, in {unit}")
    high = _highest(trace, threshold)
    low = _lowest(trace, high)
    edges = _score_edges(low, high, threshold)
    counts = trace.counted(edges)
    ordinary_counts = np.zeros(0)
    # how many records of each bar there would be if all were ordinary
    if held_out is not None and held_out.rows:
        # p falls with the score: the share of ordinary records in a bar is what it falls by
        p_at_edges = held_out.p_values(edges)
        ordinary_counts = -np.diff(p_at_edges) * trace.rows
    most_records = float(counts.max())
    most_usual = float(ordinary_counts.max(initial=0.0))
    most_in_a_bar = max(1.0, most_records, most_usual)
    # the axis begins at the height of half a record, as 0 has no logarithm
    lowest_height = _logarithmic_height(0.0)
    highest_height = math.log10(most_in_a_bar) + 0.1
    frame = Frame(drawing, (0.0, BARS), (lowest_height, highest_height))
    powers = [power for power in range(12) if 10.0**power <= most_in_a_bar]
    frame.draw_up(powers, [amount(10.0**power) for power in powers])
    # a threshold that is an edge may differ from it by what rounding left
    is_odd = edges[:-1] >= threshold - 1e-9
    _draw_bars(frame, counts.tolist(), is_odd.tolist())
    bar_edges = range(BARS + 1)
    usual_heights = map(_logarithmic_height, ordinary_counts.tolist())
    drawing.path("second", _outline_in_steps(frame, bar_edges, usual_heights))
    tick_scores = ticks(low, high, 4) if low > 0 else _score_ticks(low, high)
    places = np.interp(tick_scores, edges, bar_edges)
    frame.draw_across(places.tolist(), map(amount, tick_scores), f"score, {unit}")
    if low < threshold <= high:
        place_of_threshold = np.interp(threshold, edges, bar_edges)
        frame.upright("limit", float(place_of_threshold))
    return drawing


def has_logarithmic_scores(trace: ScoreTrace, threshold: float) -> bool:
    """Whether the axis of scores of `spread_of_scores` is logarithmic: unless all lie above half of
    the highest, or of a threshold that is higher."""
    return _lowest(trace, _highest(trace, threshold)) <= 0


def _highest(trace: ScoreTrace, threshold: float) -> float:
    """The score up to which an axis reaches: the highest, or a threshold that is higher."""
    high = float(trace.highest.max(initial=trace.lowest_score))
    if math.isfinite(threshold):
        high = max(high, threshold)
    return high


def _draw_bars(
    frame: Frame,
    counts: Sequence[int],
    is_odd: Sequence[bool],
) -> None:
    """Draw the bars of a histogram. counts: of records, for each of BARS (48) bars, none drawn for
    0; is_odd: whether a bar is of scores from the threshold on."""
    bar = frame.width / BARS
    for place, count in enumerate(counts):
        if not count:
            continue
        kind = "odd" if is_odd[place] else "usual"
        x, y = frame.point(place, _logarithmic_height(count))
        height = frame.bottom - y
        # half a dot of room at either side
        frame.drawing.box(kind, left=x + 0.5, top=y, width=bar - 1, height=height)


def _logarithmic_height(count: float) -> float:
    """The height of a bar for a count on a logarithmic axis: log10 of the count, or of 1/2 for
    counts below that."""
    return math.log10(max(count, 0.5))


def _score_edges(low: float, high: float, threshold: float) -> Float:
    """Return the edges of the BARS (48) bars of a histogram of scores from low to high, rising,
    (BARS + 1,). Where low <= 0 bars are equally wide in log(1 + score - low), for scores run over
    decades; else all have one width. A threshold between low and high is an edge; the last edge is
    at or beyond high."""
    # `_lowest` begins above 0 only if all scores lie above half of the highest: bars of one width
    is_even = low > 0
    # a little longer, so that the highest score is within the last bar
    length = 1.02 * (high - low) or 1.0
    to_threshold = threshold - low
    has_threshold = low < threshold < high
    if not is_even:
        length = math.log1p(length)
        if has_threshold:
            to_threshold = math.log1p(to_threshold)
    step = length / BARS
    if has_threshold:
        # no more bars to its left than would fit, so that the last reaches the highest score; a
        # little less than the quotient, which rounding may have raised above a whole number
        bars_that_fit = math.floor(to_threshold / step - 1e-9)
        bars_before = max(1, bars_that_fit)
        step = to_threshold / bars_before
    steps = step * np.arange(BARS + 1)
    if not is_even:
        steps = np.expm1(steps)
    return np.asarray(low + steps)


def _lowest(trace: ScoreTrace, high: float) -> float:
    """The score at which an axis up to `high` begins: 0, or below it if a score is negative; the
    lowest score, where that is above half of `high`, as sums over thousands of columns are."""
    lowest = trace.lowest_score
    if lowest > NEAR * high:
        return lowest
    return min(0.0, float(math.floor(lowest)))


def _score_ticks(low: float, high: float) -> list[float]:
    """The scores low, low + 1, low + 2, low + 5, low + 10, ... up to high."""
    marks = [low]
    for power in range(12):
        for factor in (1, 2, 5):
            marks.append(low + factor * 10.0**power)
    return [mark for mark in marks if mark <= high]


def curve(
    points: Iterable[Point],
    titles: tuple[str, str],
    guess: float,
) -> Drawing:
    """A drawing of a curve through points in the unit square, and of the line that guessing gives.

    titles: of the axis across, and of the one up; guess: the height of that line at its left end;
    at its right end it is 1 if that is 0, else the same.
    """
    across, up = titles
    drawing = Drawing(330, 300, f"{up} over {across}")
    frame = Frame(drawing, (0.0, 1.0), (0.0, 1.0))
    words = [amount(fifth) for fifth in FIFTHS]
    frame.draw_up(FIFTHS, words)
    frame.draw_across(FIFTHS, words, across)
    drawing.text(up, LEFT, TOP - 5, anchor="start", kind="quiet")
    drawing.line("axis", frame.point(0, guess), frame.point(1, guess or 1.0))
    drawing.path("line", [frame.point(x, y) for x, y in points])
    return drawing


def _widened(ends: Point) -> Point:
    """The ends of a range, (low, high); of one without length, or with its ends exchanged, (low,
    low + 1), so that an axis has a length."""
    low, high = ends
    if high > low:
        return low, high
    return low, low + 1.0
