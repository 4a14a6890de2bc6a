"""Points of bytes against error, which of them another one betters, and which to take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aetool.archives.goals import Goal
from aetool.canonical import Json
from aetool.report import tradeoffs
from aetool.report.svg import Drawing
from aetool.report.tradeoffs import Shown, Way

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Point:
    """One archive or file that a source was stored as, with its bytes and its error: a point of a
    chart.

    way, setting: such as "bounded" and "--rmse 2%". size: bytes of the file; model_bytes: of the
    model that decoding needs beside it, 0 without. error: root mean squared, as a part of a
    standard deviation. psnr: of pictures, in dB; None of tables, or where nothing is lost.

    arguments: those of compress, by name, that write this archive, with the plugin to fit if it
    needs a model; None for files of other programs. dominated_by: the name of a point that takes no
    more bytes at no more error; "" if there is none, or `marked` has not looked yet.
    """

    way: str
    setting: str
    size: int
    error: float
    psnr: float | None = None
    model_bytes: int = 0
    arguments: Mapping[str, Json] | None = None
    dominated_by: str = ""

    @property
    def name(self) -> str:
        """The way and its setting, in one text, such as "bounded --rmse 2%"."""
        return f"{self.way} {self.setting}".rstrip()

    @property
    def is_own(self) -> bool:
        """Whether this point is an archive of aetool, not another program's file."""
        return self.arguments is not None

    def counted(self, embed: bool) -> int:
        """Bytes of the archive; embed: whether those of its model are added."""
        return self.size + (self.model_bytes if embed else 0)

    def betters(self, other: Point, embed: bool) -> bool:
        """Whether this point takes no more bytes at no more error than the other, and less of one
        of them. embed: whether bytes of models count."""
        # an equal point is as good: of two that are the same none is marked
        own = self.counted(embed), self.error
        theirs = other.counted(embed), other.error
        return own != theirs and own[0] <= theirs[0] and own[1] <= theirs[1]


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """All measured points of one source, and the one to take.

    name: of the source. is_picture: whether it is of pictures. pick: the point to take; None if
    none meets the goal. asked: the goal in words. embed: whether bytes of models count. skipped:
    lines on what could not be measured, and why. goal: the error or bytes asked for; None:
    lossless.
    """

    name: str
    is_picture: bool
    points: Sequence[Point]
    pick: Point | None
    asked: str
    embed: bool
    skipped: Sequence[str] = ()
    goal: Goal | None = None

    @property
    def smaller_elsewhere(self) -> Point | None:
        """The file of another program that is better than the pick by the goal: in fewer bytes, or
        at less error within the budget; of several the best. None if none is, or nothing is
        picked."""
        others = [point for point in self.points if not point.is_own]
        other = _meeting_goal_best(others, self.goal, self.embed)
        if self.pick is None or other is None:
            return None
        # an equal one is not better
        both = [self.pick, other]
        better = _meeting_goal_best(both, self.goal, self.embed)
        if better is not other:
            return None
        return other

    def to_json(self) -> dict[str, Json]:
        """All points and the pick as a dictionary, to be written as JSON: "name", "asked",
        "model_counted" (embed), "points", a list, "pick" (None if none) and "skipped". A point, and
        so the pick, is a dictionary of the fields of Point, with "with_model", its bytes with those
        of its model."""
        points = [self._point_to_json(point) for point in self.points]
        return {
            "name": self.name,
            "asked": self.asked,
            "model_counted": self.embed,
            "points": points,
            "pick": None if self.pick is None else self._point_to_json(self.pick),
            "skipped": list(self.skipped),
        }

    def frame(self) -> pd.DataFrame:
        """The points as a DataFrame, a row for each, in order, a column for each of their fields,
        and with_model, bytes with those of the model."""
        # who prints them needs no pandas
        import pandas as pd

        return pd.DataFrame([self._point_to_json(point) for point in self.points])

    def _point_to_json(self, point: Point) -> dict[str, Json]:
        """A point as a dictionary of its fields by name, and "with_model": its bytes with those of
        its model."""
        return {**dataclasses.asdict(point), "with_model": point.counted(True)}

    def drawing(self) -> Drawing:
        """A drawing of all points: bytes upward (with those of models if `embed`), error across in
        %, a colour or mark for each way, aetool's ways first; the pick and the points that another
        one betters are told apart."""
        ways: dict[str, list[Point]] = {}
        for point in sorted(self.points, key=lambda point: not point.is_own):
            ways.setdefault(point.way, []).append(point)
        lines = []
        programs = 0
        for name, points in ways.items():
            drawn_points = [self._as_drawn(point) for point in points]
            is_own = points[0].is_own
            # other programs have one colour, and marks of their own
            programs += not is_own
            lines.append(Way(name, is_own, drawn_points, 0 if is_own else programs))
        what = "the model counted" if self.embed else "the model apart"
        across = "root mean squared error, % of a standard deviation"
        return tradeoffs.bytes_against_error(lines, f"{self.name}, {what}", across)

    def _as_drawn(self, point: Point) -> Shown:
        """A point as it is drawn: error across, bytes up, with words that describe it."""
        size = point.counted(self.embed)
        words = f"{point.name}: {size:,} bytes, error {100 * point.error:.3g} %"
        if point.psnr is not None:
            words += f", {point.psnr:.1f} dB"
        return Shown(point.error, size, words, bool(point.dominated_by), point is self.pick)


def marked(points: Iterable[Point], embed: bool) -> list[Point]:
    """The points, by bytes, the fewest first, each with `dominated_by` set: to the name of the
    archive of aetool that betters it at the least error, or else of another program's file; "" if
    none does. embed: whether bytes of models count."""
    sorted_points = sorted(points, key=lambda point: (point.counted(embed), point.error))
    marked_points = []
    for point in sorted_points:
        better = [other for other in sorted_points if other.betters(point, embed)]
        # the nearest in bytes of the least error says most
        better.sort(key=lambda other: (not other.is_own, other.error, other.counted(embed)))
        name = better[0].name if better else ""
        marked_points.append(dataclasses.replace(point, dominated_by=name))
    return marked_points


def picked(points: Iterable[Point], goal: Goal | None, embed: bool) -> Point | None:
    """The archive of aetool that meets the goal: without a goal the smallest exact one, for an
    error the smallest within it, for a budget the one of least error within it. None if none does.
    embed: whether bytes of models count."""
    # what another program writes, no command of ours does
    own = [point for point in points if point.is_own]
    return _meeting_goal_best(own, goal, embed)


def _meeting_goal_best(points: Sequence[Point], goal: Goal | None, embed: bool) -> Point | None:
    """Choose the point that meets the goal best, of any program: for an error the smallest within
    it, for a budget the one of least error within it; None if none meets it. goal None: the
    smallest lossless one. embed: whether bytes of models count."""

    def by_error(point: Point) -> tuple[float, int]:
        """The key to sort by, (error, bytes): the least error first, of equal ones the fewest
        bytes."""
        return point.error, point.counted(embed)

    def by_bytes(point: Point) -> tuple[int, float]:
        """The key to sort by, (bytes, error): the fewest bytes first, of as many the least
        error."""
        return point.counted(embed), point.error

    budget = None
    # without a goal only what is exact will do
    most_error = 0.0
    if goal is not None:
        budget = goal.budget
        most_error = goal.error or 0.0
    if budget is not None:
        affordable = [point for point in points if point.counted(embed) <= budget]
        return min(affordable, key=by_error, default=None)
    near = [point for point in points if point.error <= most_error]
    return min(near, key=by_bytes, default=None)
