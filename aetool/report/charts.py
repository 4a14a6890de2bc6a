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
LEFT, RIGHT = 52.0, 14.0
TOP, BOTTOM = 16.0, 34.0
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
    """A record to point out in a drawing. record: its number from 0; words: shown where one points
    at it; target: the id of its entry in the page, "" for none."""

    record: int
    score: float
    words: str
    target: str = ""


@dataclass(frozen=True, eq=False)
class Stretches:
    """The highest score in each of n consecutive stretches of records, (n,), and where the
    stretches begin and end, (n + 1,): by record number, or in epoch seconds."""

    highest: Float
    ends: Float
    are_timed: bool

    @classmethod
    def of(cls, trace: ScoreTrace, most: int) -> Stretches:
        """The scores of a trace in at most `most` stretches; by time where the records have times,
        and come in their order."""
        highest = trace.highest
        if not len(highest):
            return cls(highest, np.array([0.0, 1.0]), False)
        together = -(-len(highest) // most)
        starts = np.arange(0, len(highest), together)
        highest = np.maximum.reduceat(highest, starts)
        takes_time = trace.in_time and trace.last_moment > trace.moment[0]
        if takes_time:
            ends = np.append(trace.moment[starts], trace.last_moment)
        else:
            ends = np.append(starts * trace.span, trace.rows)
        return cls(highest, ends.astype(np.float64), takes_time)


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
        """(x, y) on the sheet of a pair of values of the axes."""
        return self.x(across), self.y(up)

    def x(self, value: float) -> float:
        """The horizontal coordinate on the sheet of a value of the axis across."""
        low, high = self.across
        return LEFT + self.width * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """The vertical coordinate on the sheet, from the top, of a value of the axis up."""
        low, high = self.up
        return self.bottom - self.height * (value - low) / (high - low)

    def level(self, kind: str, value: float) -> None:
        """Draw a horizontal line at a value of the axis up. kind: the class of the line."""
        y = self.y(value)
        self.drawing.line(kind, (LEFT, y), (self.right, y))

    def upright(self, kind: str, value: float) -> None:
        """Draw a vertical line at a value of the axis across. kind: the class of the line."""
        x = self.x(value)
        self.drawing.line(kind, (x, TOP), (x, self.bottom))

    def draw_up(self, values: Iterable[float], words: Iterable[str]) -> None:
        """Draw a horizontal line at each of these values, with a word to its left."""
        for value, word in zip(values, words, strict=True):
            self.level("grid", value)
            self.drawing.text(word, LEFT - 6, self.y(value) + 4, "end", "quiet")

    def draw_across(self, values: Iterable[float], words: Iterable[str], title: str) -> None:
        """Draw the axis across, with its title, and a tick and a word below each of these values
        that has room."""
        axis = self.bottom
        self.drawing.line("axis", (LEFT, axis), (self.right, axis))
        free_from = 0.0
        for value, word in zip(values, words, strict=True):
            x = self.x(value)
            half = LETTER * len(word) / 2
            # no word is cut at the sheet's edge, or written over another
            if x - half < free_from or x + half > self.drawing.width:
                continue
            self.drawing.line("axis", (x, axis), (x, axis + 4))
            self.drawing.text(word, x, axis + 16, "middle", "quiet")
            free_from = x + half + GAP
        self.drawing.text(title, self.right, axis + 30, "end", "quiet")


def score_over_records(
    trace: ScoreTrace,
    threshold: float,
    unit: str,
    marks: Sequence[Mark] = (),
    width: float = 960,
    height: float = 260,
) -> Drawing:
    """A drawing of the highest score of each stretch of records, in their order or over time, with
    the threshold, if it is finite, and marks on records. unit: of scores."""
    label = f"Score of {trace.rows:,} records, in {unit}"
    drawing = Drawing(width, height, label)
    stretches = Stretches.of(trace, int(width - LEFT - RIGHT))
    first = float(stretches.ends[0])
    last = float(stretches.ends[-1])
    top = float(stretches.highest.max(initial=0.0))
    if math.isfinite(threshold):
        top = max(top, threshold)
    low = _lowest(trace, top)
    frame = Frame(drawing, (first, last), (low, top + (HEADROOM - 1) * (top - low)))
    levels = ticks(low, top, 4)
    frame.draw_up(levels, map(amount, levels))
    if stretches.are_timed:
        moments, words = time_ticks(first, last, width)
        frame.draw_across(moments, words, "time")
    else:
        rows = [tick for tick in ticks(0, trace.rows) if tick % 1 == 0]
        # records count from 1
        frame.draw_across(rows, [amount(row or 1) for row in rows], "row")
    _draw_stretches(frame, stretches)
    if math.isfinite(threshold):
        frame.level("limit", threshold)
        words_at = frame.y(threshold) - 5
        drawing.text(f"threshold {amount(threshold)}", frame.right, words_at, "end", "word")
    for mark in marks[:MOST_MARKS]:
        across = float(mark.record)
        if stretches.are_timed:
            across = float(trace.moment[mark.record // trace.span])
        _draw_mark(frame, mark, across)
    return drawing


def _draw_stretches(frame: Frame, stretches: Stretches) -> None:
    """Draw an area up to the highest score of each stretch, in steps, so that the peak of one
    record is as wide as its stretch, and is seen."""
    outline = []
    for place, score in enumerate(stretches.highest.tolist()):
        outline.append(frame.point(stretches.ends[place], score))
        outline.append(frame.point(stretches.ends[place + 1], score))
    if not outline:
        return
    base = frame.y(max(frame.up[0], min(0.0, frame.up[1])))
    start = (outline[0][0], base)
    end = (outline[-1][0], base)
    frame.drawing.path("pale", [start, *outline, end])
    frame.drawing.path("line", outline)


def _draw_mark(frame: Frame, mark: Mark, across: float) -> None:
    x, y = frame.point(across, mark.score)
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
    """A histogram of scores, both axes logarithmic, with a line of what as many ordinary records
    would give, by the held-out scores; None for no line."""
    drawing = Drawing(width, height, f"How many records have which score, in {unit}")
    high = float(trace.highest.max(initial=trace.lowest_score))
    if math.isfinite(threshold):
        high = max(high, threshold)
    low = _lowest(trace, high)
    edges = _score_edges(low, high, threshold)
    counts = trace.counted(edges)
    usual = np.zeros(0)
    if held_out is not None and held_out.rows:
        usual = -np.diff(held_out.p_values(edges)) * trace.rows
    most = max(1.0, float(counts.max()), float(usual.max(initial=0.0)))
    # half a record is as low as the axis goes: the logarithm of none is nowhere
    frame = Frame(drawing, (0.0, BARS), (_height(0.0), math.log10(most) + 0.1))
    powers = [power for power in range(12) if 10.0**power <= most]
    frame.draw_up(powers, [amount(10.0**power) for power in powers])
    bar = frame.width / BARS
    for place, count in enumerate(counts.tolist()):
        if not count:
            continue
        is_odd = edges[place] >= threshold - 1e-9
        x, y = frame.point(place, _height(count))
        drawing.box("odd" if is_odd else "usual", x + 0.5, y, bar - 1, frame.bottom - y)
    outline = []
    for place, count in enumerate(usual.tolist()):
        outline.append(frame.point(place, _height(count)))
        outline.append(frame.point(place + 1, _height(count)))
    drawing.path("second", outline)
    marks = ticks(low, high, 4) if low > 0 else _score_ticks(low, high)
    places = np.interp(marks, edges, np.arange(BARS + 1))
    frame.draw_across(places.tolist(), map(amount, marks), f"score, {unit}")
    if low < threshold <= high:
        frame.upright("limit", float(np.interp(threshold, edges, np.arange(BARS + 1))))
    return drawing


def _height(count: float) -> float:
    """The height of a count on a logarithmic axis: log10, of less than a half that of a half."""
    return math.log10(max(count, 0.5))


def _score_edges(low: float, high: float, threshold: float) -> Float:
    """(BARS + 1,), rising: the edges of the bars of a histogram of scores from low to high. Scores
    from low <= 0 run over decades, and bars are equally wide in log(1 + score - low); others get
    bars of one width. A threshold between low and high is an edge."""
    are_near = low > 0
    length = 1.02 * (high - low) or 1.0
    widest = length if are_near else math.log1p(length)
    step = widest / BARS
    if low < threshold < high:
        cut = threshold - low if are_near else math.log1p(threshold - low)
        # no more bars to its left than would fit, so that the last reaches the highest score
        step = cut / max(1, math.floor(cut / step - 1e-9))
    steps = step * np.arange(BARS + 1)
    return np.asarray(low + (steps if are_near else np.expm1(steps)))


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
        marks += [low + factor * 10.0**power for factor in (1, 2, 5)]
    return [mark for mark in marks if mark <= high]


def curve(points: Iterable[Point], titles: tuple[str, str], guess: float) -> Drawing:
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
    drawing.text(up, LEFT, TOP - 5, "start", "quiet")
    drawing.line("axis", frame.point(0, guess), frame.point(1, guess or 1.0))
    drawing.path("line", [frame.point(x, y) for x, y in points])
    return drawing


def _widened(ends: Point) -> Point:
    """The ends of a range, moved apart if they are equal, so that an axis has a length."""
    low, high = ends
    return (low, high) if high > low else (low, low + 1.0)
