"""Small drawings beside a value: where it lies in its column, or how often the column has it."""

from __future__ import annotations

from aetool.report.svg import Drawing

WIDTH, HEIGHT = 132.0, 16.0
MIDDLE = HEIGHT / 2
EDGE = 10.0  # at either end, for what lies beyond
REACH = WIDTH - 2 * EDGE
BAR, TICK, DOT = 4.0, 6.0, 4.5  # half the height of a bar and of a tick; radius of a dot
LEAST = 1.5  # width at which a bar is seen


def place_strip(
    value: float,
    wanted: float | None = None,
    quartiles: tuple[float, float] | None = None,
) -> Drawing:
    """Draw the range of a column as a small strip, and on it where a value lies. All arguments are
    places in that range: 0 is the column's lowest value, 1 its highest.

    value: marked by a dot, or by an arrow at the end if it is below 0 or above 1. wanted: the
    expected value, marked by a tick; None: no tick. quartiles: (lower, upper), between which the
    strip is shaded; None: nowhere. Places beyond the range are moved to its end.
    """
    strip = _strip_with_middle_line(_words(value))
    if quartiles is not None:
        lower, upper = map(_x_of_position, quartiles)
        width = max(upper - lower, LEAST)
        strip.box("pale", lower, MIDDLE - BAR, width, 2 * BAR)
    if wanted is not None:
        across = _x_of_position(wanted)
        strip.line("tick", (across, MIDDLE - TICK), (across, MIDDLE + TICK))
    # what rounding of the lowest and highest leaves is not beyond them
    if value < -0.001:
        _arrow(strip, 1.0, EDGE - 2)
    elif value > 1.001:
        _arrow(strip, WIDTH - 1, WIDTH - EDGE + 2)
    else:
        strip.shape("circle", "mark", cx=_x_of_position(value), cy=MIDDLE, r=DOT)
    return strip


def share_strip(share: float) -> Drawing:
    """A bar that shows a share from 0 to 1; the smallest share above 0 is still visible, and one
    above 1 is drawn as 1."""
    strip = _strip_with_middle_line(f"{100 * share:.3g} %")
    width = REACH * min(share, 1.0)
    if share > 0:
        width = max(width, LEAST)
    return strip.box("usual", EDGE, MIDDLE - BAR, width, 2 * BAR)


def _strip_with_middle_line(label: str) -> Drawing:
    """A strip with its middle line alone. label: says in words what it shows."""
    strip = Drawing(WIDTH, HEIGHT, label)
    return strip.line("grid", (EDGE, MIDDLE), (WIDTH - EDGE, MIDDLE))


def _arrow(strip: Drawing, tip: float, back: float) -> None:
    """Add an arrow head to a strip. tip, back: the horizontal coordinates of its two ends."""
    top = (back, MIDDLE - 5)
    bottom = (back, MIDDLE + 5)
    strip.path("odd", [(tip, MIDDLE), top, bottom])


def _x_of_position(place: float) -> float:
    """The horizontal coordinate on a strip for a position from 0 to 1; a position beyond is moved
    to the end."""
    inside = min(max(place, 0.0), 1.0)
    return EDGE + REACH * inside


def _words(value: float) -> str:
    """The words that describe a strip to who cannot see it. value: 0 for the lowest value of the
    column, 1 for the highest."""
    if value < 0:
        return "below all values seen"
    if value > 1:
        return "above all values seen"
    return f"{100 * value:.0f} % of the way from the lowest value to the highest"
