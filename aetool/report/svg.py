"""Drawings in SVG, as files of their own or inside a page; classes say how shapes look.

Colours are classes, not attributes, so that a page or a reader's dark mode decides them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Self

from aetool.files import atomic
from aetool.printing import printable

Number = float | int
Point = tuple[float, float]

# the colours of light and dark pages: ink, quiet ink, lines, what is usual, what stands out
LIGHT = {
    "ink": "#1b1f24",
    "quiet": "#5c6670",
    "grid": "#d9dee3",
    "usual": "#3b6ea8",
    "pale": "#b9cde4",
    "odd": "#c03a1e",
    "second": "#8a6100",
    "paper": "#ffffff",
}
DARK = {
    "ink": "#e6e9ec",
    "quiet": "#a3adb7",
    "grid": "#3a424b",
    "usual": "#7db0ea",
    "pale": "#2f4a68",
    "odd": "#ff8a6a",
    "second": "#e0b34c",
    "paper": "#14181d",
}
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif"
# how each class of shapes is drawn; a page has the same rules once for all its drawings
RULES = """.d-text{fill:var(--d-ink);font:12px FAMILY}
.d-quiet{fill:var(--d-quiet);font:11px FAMILY}
.d-grid{stroke:var(--d-grid);stroke-width:1;fill:none}
.d-axis{stroke:var(--d-quiet);stroke-width:1;fill:none}
.d-usual{fill:var(--d-usual)}
.d-pale{fill:var(--d-pale)}
.d-odd{fill:var(--d-odd)}
.d-line{fill:none;stroke:var(--d-usual);stroke-width:1.2;stroke-linejoin:round}
.d-second{fill:none;stroke:var(--d-second);stroke-width:1.8}
.d-limit{fill:none;stroke:var(--d-odd);stroke-width:1.2;stroke-dasharray:5 4}
.d-mark{fill:var(--d-odd);stroke:var(--d-paper);stroke-width:1}
.d-tick{stroke:var(--d-ink);stroke-width:2}
.d-word{fill:var(--d-odd);font:11px FAMILY}
.d-word{paint-order:stroke;stroke:var(--d-paper);stroke-width:3px}""".replace("FAMILY", FONT)


def variables(colours: dict[str, str]) -> str:
    """CSS declarations of a variable `--d-NAME` for each colour, by name, joined by semicolons, to
    stand within the braces of a rule."""
    return ";".join(f"--d-{name}:{colour}" for name, colour in colours.items())


def _with_light_colours_first(rules: str) -> str:
    """Repeat each CSS declaration that uses a variable, with the colour of light pages in place of
    the variable before it: a program that knows no variables leaves out what it does not
    understand, and would draw all shapes black."""
    return re.sub(
        r"([a-z-]+):var\(--d-([a-z]+)\)",
        lambda match: f"{match[1]}:{LIGHT[match[2]]};{match[0]}",
        rules,
    )


class Drawing:
    """A drawing in SVG, with a description in words, label, for those who cannot see it. width,
    height: in pixels. rules: CSS rules of further classes, for `document`."""

    def __init__(self, width: float, height: float, label: str) -> None:
        """Begin an empty drawing. width, height: in pixels; label: what it shows, in words."""
        self.width = width
        self.height = height
        self.label = label
        # how shapes of its own classes are drawn, in a file of its own
        self.rules = ""
        self._shapes: list[str] = []

    def shape(self, name: str, kind: str, tip: str = "", **attributes: Number | str) -> Self:
        """Add an SVG element to the drawing, which is returned. name: the element's, such as
        "circle"; kind: its CSS class, without "d-" before it; tip: words shown where one points at
        it; attributes: numbers, which are rounded to a tenth, or text, by name with _ for -."""
        opening_tag = f"<{name}{_attributes_as_markup(attributes)}{_class(kind)}"
        inside = f"<title>{text_of(tip)}</title>" if tip else ""
        self._shapes.append(f"{opening_tag}>{inside}</{name}>")
        return self

    def line(self, kind: str, start: Point, end: Point) -> Self:
        """Add a straight line from start to end, points (x, y) in pixels from the top left; returns
        the drawing. kind: its CSS class, without "d-" before it."""
        return self.shape("line", kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1])

    def box(self, kind: str, left: float, top: float, width: float, height: float) -> Self:
        """Add a filled rectangle, all sides in pixels, unless its width or height is 0 or less;
        returns the drawing. kind: its CSS class, without "d-" before it."""
        if width <= 0 or height <= 0:
            return self
        return self.shape("rect", kind, x=left, y=top, width=width, height=height)

    def path(self, kind: str, points: Sequence[Point]) -> Self:
        """Add a line through points, (x, y) in pixels, if there are any; returns the drawing. kind:
        its CSS class, without "d-" before it, which may also fill what the line encloses."""
        if not points:
            return self
        steps = " ".join(f"{short(x)} {short(y)}" for x, y in points)
        self._shapes.append(f'<path d="M{steps}"{_class(kind)}/>')
        return self

    def text(self, words: str, x: float, y: float, anchor: str = "start", kind: str = "") -> Self:
        """Add words at the point (x, y), in pixels from the top left; returns the drawing. anchor:
        whether the "start", "middle" or "end" of the words is at x; y is that of their base line.
        kind: their CSS class, without "d-" before it, "" for "text"."""
        where = _attributes_as_markup({"x": x, "y": y})
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        element = f"<text{where}{anchored}{_class(kind or 'text')}>{text_of(words)}</text>"
        self._shapes.append(element)
        return self

    def add(self, drawn: Drawing) -> Self:
        """Add the shapes of another drawing, at the same coordinates; returns this one."""
        self._shapes += drawn._shapes
        return self

    def link(self, target: str, drawn: Drawing) -> Self:
        """Add the shapes of another drawing as a link to the element of id `target` in the same
        page; returns this one."""
        inside = "".join(drawn._shapes)
        self._shapes.append(f'<a href="#{escape(target)}">{inside}</a>')
        return self

    def inline(self, kind: str = "") -> str:
        """The drawing as an svg element for a page, which must have the rules of the classes. kind:
        a further class of the element."""
        return self._element(f"drawing {kind}".strip(), "")

    def document(self) -> str:
        """The drawing as the text of an SVG file, light or dark as the reader's system is."""
        dark_rules = f"@media(prefers-color-scheme:dark){{svg{{{variables(DARK)}}}}}"
        rules = _with_light_colours_first(RULES + self.rules)
        style = f"<style>svg{{{variables(LIGHT)}}}{dark_rules}{rules}</style>"
        day = LIGHT["paper"]
        paper = f'<rect width="100%" height="100%" fill="{day}" style="fill:var(--d-paper)"/>'
        return self._element("", style + paper)

    def _element(self, kind: str, head: str) -> str:
        """The drawing as an svg element. kind: its CSS classes, "" for none; head: markup that
        stands before the shapes."""
        size = f"{short(self.width)} {short(self.height)}"
        label = text_of(self.label)
        class_attribute = f' class="{kind}"' if kind else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
            f'aria-label="{label}"{class_attribute}>{head}{"".join(self._shapes)}</svg>'
        )

    def _repr_svg_(self) -> str:
        """The drawing as notebooks show it."""
        # they call it by this name
        return self.document()

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Path:
        """Write the drawing as an SVG file, whole or not at all; returns its path. DataError for a
        file that exists, unless force."""
        target = Path(path)
        with atomic(target, force) as file:
            file.write(self.document().encode())
        return target


def _class(kind: str) -> str:
    """The class attribute of a shape, with a space before it. kind: the class without "d-"."""
    return f' class="d-{kind}"'


def _attributes_as_markup(attributes: dict[str, Number | str]) -> str:
    """Attributes of an element as markup, a space before each: text escaped, numbers rounded to a
    tenth. attributes: by name, with _ for -."""
    pairs = []
    for name, value in attributes.items():
        value_text = text_of(value) if isinstance(value, str) else short(value)
        pairs.append(f' {name.replace("_", "-")}="{value_text}"')
    return "".join(pairs)


def text_of(words: str) -> str:
    """Words from data made safe for HTML: nothing in them is markup, or changes the direction of
    writing."""
    return escape(printable(words))


def short(value: Number) -> str:
    """A number as text with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def ticks(lowest: float, highest: float, most: int = 6) -> list[float]:
    """Return round numbers between the ends of an axis, rising: all multiples of one step, which is
    1, 2 or 5 times a power of 10, from lowest to highest, about `most` of them. The ends are among
    them only if they are such multiples. [lowest] if highest is not above it, or is not finite; []
    if lowest is not finite."""
    if not math.isfinite(highest - lowest) or highest <= lowest:
        return [lowest] if math.isfinite(lowest) else []
    rough_step = (highest - lowest) / most
    power = 10.0 ** math.floor(math.log10(rough_step))
    # a little slack, so that rounding does not skip the step that fits exactly
    multiples = (power * factor for factor in (1, 2, 5, 10))
    step = next(multiple for multiple in multiples if multiple >= rough_step * 0.999)
    first = math.ceil(lowest / step - 1e-9)
    last = math.floor(highest / step + 1e-9)
    return [count * step for count in range(first, last + 1)]


def amount(value: float) -> str:
    """Write a number as it stands beside an axis: 5,000 or 0.25, not 5e+03. From 1,000 on it is
    rounded to a whole number with commas, below that to 4 digits; from 1e9 on, and below 0.001, to
    3 digits, with an exponent where it needs one. What is not finite is nan, inf or -inf."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1e9 or 0 < abs(value) < 1e-3:
        return f"{value:.3g}"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
