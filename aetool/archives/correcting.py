"""Which columns of a table to correct beside a model's code, and in which steps, for an error.

A code's steps and those of corrections are chosen together: both add distortion, and both take
bytes. Where each takes its bytes for the same distortion, nothing is gained by making one finer and
the other coarser (reverse water-filling: Cover & Thomas 2006, section 10.3.3). A column of which
the decoder gives nearly all is left to the code.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec.corrections import Corrections
from aetool.codec.lossy import Code, Quantiser, ScaledQuantisers
from aetool.model import Array, Float, Int

# A column is corrected if the decoder is off by more than this part of a step, in the root mean
# square: for a smaller error a correction takes more bits than the same bits would gain elsewhere
WORTH = 0.46
# of a code's steps, each counted by how far it moves the records, over those of corrections: units
# move all columns, of which those that are corrected do not care
RATIOS = (0.5, 1.0, 2.0)
FINEST, COARSEST = 2.0**-14, 4.0  # steps of corrections that are tried, in standard deviations
HALVINGS = 11  # of the range between these


TRIED_CELLS = 2**18  # of records of a sample that steps are looked for on, of many columns
FEWEST_TRIED = 256  # records that they are looked for on, of any number of columns
TRIES = 4  # times that steps are looked for on some of the records, until all of them agree
MARGIN = 0.995  # of the error that all of them have too much: what the next try aims at

# a quantiser of the code, the corrections, and the error of both
Tried = tuple[Quantiser, Corrections, float]


@dataclass(frozen=True, eq=False)
class Correcting:
    """What corrections are chosen by, on a sample of a table's records.

    names: of the columns of records, (rows, columns) float64, in the columns' units. z: the codes
    of these records, (rows, latent). deviations: by name of each column that may be corrected its
    standard deviation, above 0. decode(code, records): what the decoder gives for codes, (rows,
    columns), of these records. error(records, decoded, corrections): of what the decoder gives for
    records, with corrections, in the unit of the target.
    """

    names: Sequence[str]
    records: Float
    z: Code
    deviations: Mapping[str, float]
    decode: Callable[[Code, Float], Array]
    error: Callable[[Float, Array, Corrections], float]

    def cheapest_reaching(
        self,
        target: float,
        quantisers: ScaledQuantisers,
    ) -> tuple[Quantiser, Corrections] | None:
        """Of these quantisers one, and the corrections, whose error is at most `target` and that
        take the fewest bits, by the entropy of their numbers; None if even the finest miss it, or
        if nothing is to be corrected."""
        fewest = np.inf
        cheapest = None
        for ratio in RATIOS:
            scaled = functools.partial(_in_ratio, quantisers, ratio)
            reached = self.reaching(target, scaled)
            if reached is None or not reached[1].step:
                continue
            bits = self._bits(*reached)
            if bits < fewest:
                fewest = bits
                cheapest = reached
        return cheapest

    def _bits(self, quantiser: Quantiser, corrections: Corrections) -> float:
        """About how many bits the codes and the corrections take: the entropy of the numbers of
        each unit and each corrected column."""
        code = quantiser.quantise(self.z)
        decoded = self.decode(quantiser.restore(code), self.records)
        steps = corrections.counted(self.names, self.records, decoded)
        return sum(_entropy(numbers) for numbers in (*code.T, *steps.T))

    def reaching(
        self,
        target: float,
        quantiser_at: Callable[[float], Quantiser],
    ) -> tuple[Quantiser, Corrections] | None:
        """The quantiser of the codes, and the corrections, of about the widest steps whose error is
        at most `target`; None if even the finest miss it. quantiser_at(step): the quantiser that
        goes with corrections in steps of so many standard deviations."""
        some = self._some()
        aim = target
        for _ in range(TRIES):
            found = some._widest(aim, quantiser_at)
            if found is None:
                break
            quantiser, corrections, _ = found
            error = self._error_of(quantiser, corrections)
            if error <= target:
                return quantiser, corrections
            aim *= MARGIN * target / error
        if some is self:
            return None
        found = self._widest(target, quantiser_at)
        return found and found[:2]

    def _some(self) -> Correcting:
        """A copy for some of the records, evenly spaced; itself if there are no more than
        TRIED_CELLS (2^18) numbers, or FEWEST_TRIED (256) records."""
        rows, columns = self.records.shape
        most = max(FEWEST_TRIED, TRIED_CELLS // columns)
        every = -(-rows // most)
        if every == 1:
            return self
        return dataclasses.replace(self, records=self.records[::every], z=self.z[::every])

    def _widest(
        self,
        target: float,
        quantiser_at: Callable[[float], Quantiser],
    ) -> Tried | None:
        """The quantiser and the corrections of about the widest steps whose error is at most
        `target`, with that error: of FINEST to COARSEST (2^-14 to 4 standard deviations), found by
        HALVINGS (11) halvings; None if even FINEST misses it. quantiser_at: see `reaching`."""
        best = self._at(FINEST, quantiser_at)
        if best[2] > target:
            return None
        low = np.log2(FINEST)
        high = np.log2(COARSEST)
        # the error grows with the step: it is halved in where the target lies
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            tried = self._at(float(2.0**middle), quantiser_at)
            if tried[2] <= target:
                low = middle
                best = tried
            else:
                high = middle
        return best

    def _at(self, step: float, quantiser_at: Callable[[float], Quantiser]) -> Tried:
        """(The quantiser that goes with corrections in steps of `step` standard deviations, these
        corrections, the error of both on all records.) quantiser_at: see `reaching`."""
        quantiser = quantiser_at(step)
        decoded = self._decoded(quantiser)
        corrections = self._in_steps(decoded, step)
        return quantiser, corrections, self.error(self.records, decoded, corrections)

    def _error_of(self, quantiser: Quantiser, corrections: Corrections) -> float:
        """The error of the records with this quantiser and these corrections."""
        return self.error(self.records, self._decoded(quantiser), corrections)

    def _decoded(self, quantiser: Quantiser) -> Array:
        """What the decoder gives, (rows, columns), for the codes of the records, rounded by a
        quantiser."""
        code = quantiser.restore(quantiser.quantise(self.z))
        return self.decode(code, self.records)

    def _in_steps(self, decoded: Float, step: float) -> Corrections:
        """The corrections in steps of `step` standard deviations, of the columns that are worth it:
        those that have a deviation and in which the decoder is off by more than WORTH (0.46) of a
        step, in the root mean square. decoded: (rows, columns), what the decoder gives."""
        steps = {}
        for place, name in enumerate(self.names):
            if name not in self.deviations:
                continue
            size = step * self.deviations[name]
            # infinities have no distance, and of numbers too large for one nothing is corrected
            with np.errstate(over="ignore", invalid="ignore"):
                off = (self.records[:, place] - decoded[:, place]) / size
                mean_square = float(np.square(off[np.isfinite(off)]).sum()) / len(off)
            if WORTH**2 < mean_square < np.inf:
                steps[name] = size
        return Corrections(steps)


def _in_ratio(quantisers: ScaledQuantisers, ratio: float, step: float) -> Quantiser:
    """Of these quantisers the one whose steps each move the decoded records by ratio * step
    standard deviations."""
    return quantisers.at(ratio * step / quantisers.typical_effect)


def _entropy(numbers: Int) -> float:
    """The bits that whole numbers, (n,), take together if each is coded by how often it comes."""
    _, counts = np.unique(numbers, return_counts=True)
    shares = counts / len(numbers)
    return float(-(counts * np.log2(shares)).sum())
