"""Connected regions of pixels, and the box around the one that matters most in a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.data.table import Mask
from aetool.model import Float, Int

# of the highest value of a map, the part down to which pixels around the peak belong to its region;
# the higher parts where the region would be most of the picture
REACHES = (0.25, 0.5, 0.7)
DENSER = 3.0  # times the excess of a pixel that such a box must have, to say more
LARGE = 0.35  # of a picture's pixels, above which a box is looked for that says more
# of a picture's pixels, the part above which a box says no more than that it is everywhere
MOST_COVERED = 0.75
LEAST_SHARE = 0.1  # of the excess, below which the box around the peak does not tell the story


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels in a map, and share, the part of the map's excess (what lies above the
    usual) that is in it, 0 to 1.

    left, top: the numbers of its first column and row, from 0; width, height: in pixels; spread:
    whether the excess is spread over the whole picture, so that the box tells little.
    """

    left: int
    top: int
    width: int
    height: int
    share: float
    spread: bool = False

    @property
    def pixels(self) -> int:
        """How many pixels the box covers."""
        return self.width * self.height

    def holds(self, y: float, x: float) -> bool:
        """Whether the point at row y, column x, both in pixels from 0, lies in the box widened by
        half a pixel on each side: left - 0.5 <= x < left + width + 0.5, and so for y."""
        right = self.left + self.width
        bottom = self.top + self.height
        is_across = self.left - 0.5 <= x < right + 0.5
        is_down = self.top - 0.5 <= y < bottom + 0.5
        return is_across and is_down


def labelled(mask: Mask) -> tuple[Int, int]:
    """Number the connected regions of True in a mask, (H, W): (labels, count), labels being (H, W),
    from 1 to count in regions, in the order of their first pixels, row by row, and 0 elsewhere.

    Pixels that touch by a side or a corner are connected. Runs of pixels within a row are joined
    with those that they touch in the next row (union-find: Galler & Fischer 1964), so that time
    grows with the number of runs, however a region winds.
    """
    height, width = mask.shape
    # a column of False at both ends, so that every run begins and ends within its row
    framed = np.zeros((height, width + 2), dtype=np.int8)
    framed[:, 1:-1] = mask
    steps = np.diff(framed, axis=1).ravel()
    # places where runs begin, and just behind them, counted over rows of width + 1
    row_length = width + 1
    first = np.flatnonzero(steps == 1)
    behind = np.flatnonzero(steps == -1)
    region_of_run = _joined_runs(first, behind, row_length)
    lowest_runs, number_of_run = np.unique(region_of_run, return_inverse=True)
    labels = np.zeros((height, width), dtype=np.int64)
    rows, columns = np.nonzero(mask)
    places = rows * row_length + columns
    run_of_pixel = np.searchsorted(first, places, side="right") - 1
    labels[rows, columns] = number_of_run[run_of_pixel] + 1
    return labels, len(lowest_runs)


def _joined_runs(first: Int, behind: Int, row_length: int) -> list[int]:
    """For each run of pixels the lowest run that it is connected with, by way of others or not, as
    its index among all. first, behind: (runs,), ascending, the places where runs begin and just
    behind them, counted over rows of row_length."""
    # the forest of union-find: a run whose parent is itself stands for its region
    parent = list(range(len(first)))

    def root(run: int) -> int:
        """The lowest run that a run is known to be connected with; shortens the way to it, in
        place."""
        while parent[run] != run:
            # the way is halved, so that it is short when it is gone again
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    # in the row above, runs from the first that ends at or behind this one's begin, one pixel of
    # slack for corners, to the last that begins at or before its end
    lowest = np.searchsorted(behind, first - row_length, side="left").tolist()
    highest = np.searchsorted(first, behind - row_length, side="right").tolist()
    for run, low in enumerate(lowest):
        for run_above in range(low, highest[run]):
            own_root = root(run)
            root_above = root(run_above)
            lower = min(own_root, root_above)
            higher = max(own_root, root_above)
            parent[higher] = lower
    return [root(run) for run in parent]


def region_of_peak(amounts: Float, reach: float) -> Mask:
    """The region around the highest pixel of a map, (H, W) bool, True for that pixel and those
    connected with it, by sides or corners, through pixels that have at least `reach`, 0 to 1, times
    as much. amounts: (H, W), the map, whose highest pixel must be above 0; of equal ones the first,
    row by row."""
    peak = np.unravel_index(int(amounts.argmax()), amounts.shape)
    least = reach * amounts[peak]
    labels, _ = labelled(amounts >= least)
    return np.asarray(labels == labels[peak])


def box_of(region: Mask, excess: Float) -> Box:
    """The smallest box around a region, (H, W) bool, with the share of an excess, (H, W) >= 0, that
    lies in the box, in the region or not. The region must have a pixel, and the excess one above 0.
    The box is `spread` if it covers more than three quarters of the map, or has less than a tenth
    of the excess."""
    rows = np.flatnonzero(region.any(axis=1))
    columns = np.flatnonzero(region.any(axis=0))
    top = int(rows[0])
    left = int(columns[0])
    bottom = int(rows[-1]) + 1
    right = int(columns[-1]) + 1
    height = bottom - top
    width = right - left
    inside = excess[top:bottom, left:right]
    share = float(inside.sum() / excess.sum())
    covered = width * height / region.size
    is_spread = covered > MOST_COVERED or share < LEAST_SHARE
    return Box(left, top, width, height, share, is_spread)


def box_of_peak(smooth: Float, excess: Float) -> Box:
    """The box around the region of the highest pixel of `smooth`, a blurred map, (H, W), with its
    share of an excess, (H, W) >= 0; both must have a pixel above 0.

    Pixels beside a defect often cost more than usual, too, for it leads a model astray: if the box
    covers more than 35 % of the picture, one around higher pixels alone is taken, if that covers at
    most 35 %, has three times as much excess for each pixel, and is not `spread`.
    """
    large = LARGE * excess.size
    boxes = []
    for reach in REACHES:
        region = region_of_peak(smooth, reach)
        box = box_of(region, excess)
        boxes.append(box)
        if box.pixels <= large:
            break
    outer = boxes[0]
    inner = boxes[-1]
    is_small = inner.pixels <= large
    # how much of the excess is in a pixel of each: shares times the other's size, as nothing is
    # then divided by
    density = inner.share * outer.width * outer.height
    density_of_outer = outer.share * inner.width * inner.height
    is_denser = density >= DENSER * density_of_outer
    if is_small and is_denser and not inner.spread:
        return inner
    return outer


def centres(mask: npt.NDArray[np.bool_]) -> Float:
    """(regions, 2): the mean row and column of each connected region of a mask, (H, W), in the
    order of their first pixels, row by row. (0, 2) for a mask without any."""
    labels, regions = labelled(mask)
    rows, columns = np.nonzero(labels)
    region = labels[rows, columns] - 1
    pixels = np.bincount(region, minlength=regions)
    sizes = np.maximum(pixels, 1)
    mean_row = np.bincount(region, rows, regions) / sizes
    mean_column = np.bincount(region, columns, regions) / sizes
    return np.stack([mean_row, mean_column], axis=1)
