"""The drawing of bytes against error: a mark for each archive, a line for each way to store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aetool.report.charts import Frame
from aetool.report.svg import Drawing, Point, amount

WIDTH = 640.0
HEIGHT = 400.0
LIST_WIDTH = 250.0  # of the names of all ways, beside the plane
LINE_HEIGHT = 19.0  # of a name in that list
RADIUS = 4.0
ROOM = 0.06  # of an axis, beyond the outermost marks
EXACT_APART = 0.35  # of a decade, between what is exact and the smallest error
STEPS = (1.0, 2.0, 5.0)
# Okabe & Ito's colours, which the colour-blind tell apart; on dark paper lighter ones
LIGHT_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6100", "#5c6670")
DARK_HUES = ("#56b4e9", "#ff9a5c", "#3fd0a6", "#e6a3c8", "#e0b34c", "#a3adb7")
OTHERS = len(LIGHT_HUES) - 1  # the hue of other programs
# marks of other programs, as corners on a circle: how many, and the angle of the first in degrees
POLYGONS = ((4, 45), (3, 90), (4, 0), (3, 270), (5, 90), (6, 0))


@dataclass(frozen=True)
class Shown:
    """An archive as it is marked in a drawing. error: as a part of 1, which is drawn in percent, 0
    for an exact one; size: in bytes, above 0; words: shown where one points at the mark;
    is_dominated: whether another archive is better in both; is_picked: whether it is the one to
    take."""

    error: float
    size: float
    words: str
    is_dominated: bool = False
    is_picked: bool = False


@dataclass(frozen=True)
class Way:
    """One way to store data. name: as it stands in the legend; is_own: whether it is this
    program's; shown: its archives; mark: the number of the shape that marks them, 0 for a dot, n
    for the n-th of POLYGONS."""

    name: str
    is_own: bool
    shown: Sequence[Shown]
    mark: int = 0


def bytes_against_error(ways: Sequence[Way], title: str, across: str) -> Drawing:
    """A drawing of archives, bytes upward and errors across, both logarithmic; those without an
    error stand at the left.

    ways: at least one, each with at least one archive. title: the name of what was stored. across:
    what the error is, in words.
    """
    drawing = Drawing(WIDTH, HEIGHT, f"{title}: bytes against error of each way to store it")
    plane = _Plane(drawing, ways)
    plane.draw_axes(f"{across} (none at the left)")
    drawing.text(f"bytes of {title}", 8, 11, anchor="start", kind="quiet")
    # the list stands beside the plane, which was laid out without it
    drawing.width += LIST_WIDTH
    hues = _hues_of(ways)
    for place, (way, hue) in enumerate(zip(ways, hues, strict=True)):
        plane.draw_way(way, hue)
        _draw_name(drawing, way, hue, place)
    # above all other marks
    for way in ways:
        for archive in way.shown:
            if archive.is_picked:
                plane.draw_pick(archive)
    drawing.rules = _rules()
    return drawing


class _Plane:
    """The axes of the drawing: turns an archive's bytes and error into a place on the sheet. ways:
    at least one, each with an archive, over all of which the axes reach."""

    def __init__(self, drawing: Drawing, ways: Sequence[Way]) -> None:
        """Lay out the axes in the drawing, both logarithmic, from the least to the largest bytes
        and errors of all archives; nothing is drawn yet."""
        self.drawing = drawing
        archives = [archive for way in ways for archive in way.shown]
        errors = [archive.error for archive in archives if archive.error > 0]
        # where all are exact, there is an axis nevertheless
        self.smallest_error = min(errors, default=1.0)
        # no logarithm is that of 0: what is exact has a place of its own
        self.exact = math.log10(self.smallest_error) - EXACT_APART
        rightmost = math.log10(max(errors, default=1.0))
        sizes = [archive.size for archive in archives]
        lowest = math.log10(min(sizes))
        highest = math.log10(max(sizes))
        self.frame = Frame(
            drawing,
            _with_room(self.exact, rightmost),
            _with_room(lowest, highest),
        )

    def place(self, archive: Shown) -> Point:
        """Return the place of an archive on the sheet, (x, y) in pixels from the top left."""
        across = self.exact
        if archive.error > 0:
            across = math.log10(archive.error)
        return self.frame.point(across, math.log10(archive.size))

    def draw_axes(self, title: str) -> None:
        """Draw both axes: bytes upwards, and across the error in percent, behind "exact". title: of
        the axis across."""
        low, high = self.frame.up
        sizes = list(_steps_between(10**low, 10**high))
        heights = [math.log10(size) for size in sizes]
        self.frame.draw_up(heights, map(amount, sizes))
        rightmost = 10 ** self.frame.across[1]
        places = [self.exact]
        words = ["exact"]
        for step in _steps_between(self.smallest_error, rightmost):
            places.append(math.log10(step))
            words.append(f"{amount(100 * step)} %")
        self.frame.draw_across(places, words, title)

    def draw_way(self, way: Way, hue: int) -> None:
        """Draw a line, dashed for another program, through those archives of a way that have an
        error, where there are two, and a mark for each archive. hue: the number of its colour."""
        in_order = sorted(way.shown, key=lambda archive: archive.error)
        # what is exact is no end of a line of errors
        points_with_error = [self.place(archive) for archive in in_order if archive.error > 0]
        if len(points_with_error) > 1:
            kind = f"line{hue}" if way.is_own else "dashes"
            self.drawing.path(kind, points_with_error)
        for archive in in_order:
            kind = _kind_of_mark(hue, archive.is_dominated)
            place = self.place(archive)
            _draw_mark(self.drawing, way.mark, kind, place, archive.words)

    def draw_pick(self, archive: Shown) -> None:
        """Draw a ring around an archive, and the word "pick" beside it."""
        place = self.place(archive)
        _draw_circle(self.drawing, "ring", place, 2 * RADIUS, archive.words)
        x, y = place
        is_right = x > WIDTH / 2
        # the word stands where there is room for it
        beside = -12 if is_right else 12
        anchor = "end" if is_right else "start"
        self.drawing.text("pick", x + beside, y - 8, anchor, kind="word")


def _hues_of(ways: Sequence[Way]) -> Iterator[int]:
    """Yield, for each way to store data, the number of its colour, an index of LIGHT_HUES and
    DARK_HUES: those of this program take turns with five, and all other programs have one."""
    own = 0
    for way in ways:
        if way.is_own:
            yield own % OTHERS
            own += 1
        else:
            yield OTHERS


def _with_room(low: float, high: float) -> Point:
    """Return the ends of an axis, (low, high), each moved outwards by ROOM (0.06) of their
    distance, or by 0.06 if they are equal, so that the outermost marks do not lie on its ends."""
    room = ROOM * (high - low or 1.0)
    return low - room, high + room


def _steps_between(lowest: float, highest: float) -> Iterator[float]:
    """Yield, rising, the numbers 1, 2 and 5 times a power of 10 that are at least `lowest` and at
    most `highest`, which are above 0."""
    first = math.floor(math.log10(lowest))
    last = math.ceil(math.log10(highest))
    for power in range(first, last + 1):
        for factor in STEPS:
            step = factor * 10.0**power
            if lowest <= step <= highest:
                yield step


def _kind_of_mark(hue: int, is_dominated: bool) -> str:
    """The CSS class of a mark in the colour of this number: hollow where a better archive exists,
    else full."""
    return f"hollow{hue}" if is_dominated else f"full{hue}"


def _draw_mark(
    drawing: Drawing,
    mark: int,
    kind: str,
    place: Point,
    words: str = "",
) -> None:
    """Draw a mark at a place: 0 is a dot, other numbers are a square, a triangle, a diamond, and so
    on. place: (x, y) on the sheet; kind: its CSS class; words: shown where one points at it."""
    if mark == 0:
        _draw_circle(drawing, kind, place, RADIUS, words)
        return
    corners, first = POLYGONS[(mark - 1) % len(POLYGONS)]
    x, y = place
    points = []
    for corner in range(corners):
        angle = math.radians(first + 360 * corner / corners)
        # as large to the eye as a dot
        along = 1.3 * RADIUS * math.cos(angle)
        above = 1.3 * RADIUS * math.sin(angle)
        points.append(f"{x + along:.1f},{y - above:.1f}")
    drawing.shape("polygon", kind, words, points=" ".join(points))


def _draw_circle(
    drawing: Drawing,
    kind: str,
    place: Point,
    radius: float,
    words: str,
) -> None:
    """Draw a circle about a place, (x, y) on the sheet; radius: in pixels. kind: its CSS class;
    words: shown where one points at it."""
    x, y = place
    drawing.shape("circle", kind, words, cx=x, cy=y, r=radius)


def _draw_name(
    drawing: Drawing,
    way: Way,
    hue: int,
    place: int,
) -> None:
    """Draw one line of the legend beside the plane: the mark of a way, its name, and the bytes of
    its smallest archive. hue: the number of its colour; place: of the line, from 0 at the top."""
    left = WIDTH + 4
    # below the drawing's title
    baseline = 24 + LINE_HEIGHT * place
    is_dominated = all(archive.is_dominated for archive in way.shown)
    kind = _kind_of_mark(hue, is_dominated)
    _draw_mark(drawing, way.mark, kind, (left, baseline - 4))
    drawing.text(way.name, left + 12, baseline)
    smallest = min(archive.size for archive in way.shown)
    right = WIDTH + LIST_WIDTH - 10
    # each way is told by its best archive
    words = f"from {amount(round(smallest))}"
    drawing.text(words, right, baseline, anchor="end", kind="quiet")


def _rules() -> str:
    """CSS rules of how lines and marks of each hue are drawn, on light and on dark paper."""
    plain = [
        ".d-dashes{fill:none;stroke:var(--d-grid);stroke-width:1.2;stroke-dasharray:4 3}",
        ".d-ring{fill:none;stroke:var(--d-odd);stroke-width:2}",
    ]
    dark = []
    for hue, (by_day, by_night) in enumerate(zip(LIGHT_HUES, DARK_HUES, strict=True)):
        plain.append(f".d-full{hue}{{fill:{by_day};stroke:var(--d-paper)}}")
        plain.append(f".d-hollow{hue}{{fill:var(--d-paper);stroke:{by_day};opacity:.55}}")
        plain.append(f".d-line{hue}{{fill:none;stroke:{by_day};stroke-width:1.6}}")
        dark.append(f".d-full{hue}{{fill:{by_night}}}")
        dark.append(f".d-hollow{hue}{{stroke:{by_night}}}.d-line{hue}{{stroke:{by_night}}}")
    return f"{''.join(plain)}@media(prefers-color-scheme:dark){{{''.join(dark)}}}"
