"""How well maps of pictures find the pixels of known defects, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.data.table import Mask
from aetool.detection.regions import Box, centres, labelled
from aetool.detection.trace import bins_of
from aetool.model import Float, Int

MOST_FALSE = 0.3  # share of ordinary pixels up to which overlap is averaged (Bergmann et al. 2021)


@dataclass(frozen=True)
class PixelFigures:
    """How well maps find the pixels that masks mark as defective.

    auroc: the chance that a defective pixel has more in its map than an ordinary one, ties counting
    half.
    pro: of every region of a defect the share that lies above a threshold, averaged over the
    regions, and over the thresholds that up to 0.3 of the ordinary pixels exceed (Bergmann,
    Batzner, Fauser, Sattlegger & Steger 2021, IJCV 129:1038, section 4.1.3).
    hits: of the pictures with a defect, the share whose box holds the centre of one. pictures,
    defective, regions: how many pictures there were, how many with a defect, how many regions.
    """

    auroc: float
    pro: float
    hits: float
    pictures: int
    defective: int
    regions: int


class PixelTally:
    """Gathers, picture by picture, how well maps of pixel costs find the pixels known as defective.

    It counts ordinary and defective pixels by their amount, defective regions, and pictures whose
    box holds the centre of a defect; once `complete`, `figures` gives AUROC, PRO and hits. Amounts
    are told apart to 0.02 % of 1 + amount, as those of aetool.detection.trace: memory is bounded,
    whatever the number of pixels.
    """

    def __init__(self) -> None:
        """Begin without any picture."""
        self._ordinary = _Counts()
        self._defective = _Counts()
        # of every region one in all, spread evenly over its pixels
        self._overlap = _Counts()
        self._pictures = 0
        self._with_defect = 0
        self._regions = 0
        self._hits = 0

    def add(self, amounts: Float, mask: Mask, box: Box | None) -> None:
        """Count the pixels of one picture, ordinary and defective ones apart, and, where some are
        defective, its regions of these and whether the box holds the centre of one. amounts: (H,
        W), its map; mask: (H, W) bool, True where it is defective; box: the one drawn around the
        worst region of the map, or None."""
        self._pictures += 1
        bins = bins_of(amounts)
        self._ordinary.add(bins[~mask], 1.0)
        if not mask.any():
            return
        self._with_defect += 1
        defective_bins = bins[mask]
        self._defective.add(defective_bins, 1.0)
        labels, regions = labelled(mask)
        region_of_pixel = labels[mask] - 1
        sizes = np.bincount(region_of_pixel)
        # a small region counts as much as a large one
        self._overlap.add(defective_bins, 1.0 / sizes[region_of_pixel])
        self._regions += regions
        if box is not None:
            self._hits += any(box.holds(y, x) for y, x in centres(mask))

    @property
    def complete(self) -> bool:
        """Whether both ordinary and defective pixels have been added."""
        return bool(self._defective) and bool(self._ordinary)

    def figures(self) -> PixelFigures:
        """Figures of how well the maps of all pictures together find the defects; to be asked only
        once the tally is `complete`, as figures are divided by the counts of both kinds of
        pixels."""
        rising_bins = np.union1d(self._ordinary.bins, self._defective.bins)
        # from the highest amount down: what lies at or above each
        bins = rising_bins[::-1]
        false_rate = _cumulative_shares(self._ordinary.at(bins))
        hit_rate = _cumulative_shares(self._defective.at(bins))
        overlap = _cumulative_shares(self._overlap.at(bins))
        overlap_area = _area_below(false_rate, overlap, MOST_FALSE)
        return PixelFigures(
            auroc=_area_below(false_rate, hit_rate, 1.0),
            pro=overlap_area / MOST_FALSE,
            hits=self._hits / self._with_defect,
            pictures=self._pictures,
            defective=self._with_defect,
            regions=self._regions,
        )


def _cumulative_shares(counts: Float) -> Float:
    """(n + 1,): for k = 0 .. n the sum of the first k counts, (n,), divided by the sum of all."""
    shares = np.cumsum(counts) / counts.sum()
    return np.concatenate([[0.0], shares])


def _area_below(across: Float, upward: Float, most: float) -> float:
    """The area from 0 to `most` under the straight lines through points whose coordinates are
    across, upward: (n,), both rising from 0; the last of `across` must be at least `most`."""
    is_inside = across < most
    count = int(is_inside.sum())
    # the curve is cut at `most`, between the last point inside and the next; of points above each
    # other the last is where it goes on
    around_cut = slice(count - 1, count + 1)
    height_at_cut = np.interp(most, across[around_cut], upward[around_cut])
    places = np.append(across[:count], most)
    heights = np.append(upward[:count], height_at_cut)
    mean_heights = (heights[1:] + heights[:-1]) / 2
    trapezia = mean_heights * np.diff(places)
    return float(trapezia.sum())


class _Counts:
    """Weights added up by the number of a bin; only bins that something was added to take memory.
    It is true if there are any."""

    def __init__(self) -> None:
        """Begin with no bin."""
        self._weights: dict[int, float] = {}

    def __bool__(self) -> bool:
        """Whether something was added to any bin."""
        return bool(self._weights)

    def add(self, bins: Int, weights: Float | float) -> None:
        """Add weights, (n,) or one for all, to the sums of these bins, (n,), which may repeat."""
        different, index = np.unique(bins, return_inverse=True)
        every_weight = np.broadcast_to(weights, bins.shape)
        sums = np.bincount(index, every_weight, len(different))
        for number, weight in zip(different.tolist(), sums.tolist(), strict=True):
            weight_before = self._weights.get(number, 0.0)
            self._weights[number] = weight_before + weight

    @property
    def bins(self) -> Int:
        """(n,), rising: the numbers of the bins that something was added to."""
        return np.array(sorted(self._weights), dtype=np.int64)

    def at(self, bins: Int) -> Float:
        """Look up the sums of weights of these bins: (n,); 0 for one that nothing was added to."""
        weights = [self._weights.get(number, 0.0) for number in bins.tolist()]
        return np.array(weights, dtype=np.float64)
