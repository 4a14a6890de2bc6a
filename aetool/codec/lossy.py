"""Quantisation of a model's codes: how coarse it may be for an allowed error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from aetool.canonical import Json
from aetool.errors import ParamError
from aetool.model import Float, Int
from aetool.spelling import option

Decoded = TypeVar("Decoded")  # what a decoder makes of codes: rows, or pixels
Code = npt.NDArray[np.float32]
PROBE = 0.25  # of a deviation: how far a code unit is moved to see what it does
PROBED_ROWS = 512
SLACK = 1.25  # the default step may raise the squared error by a quarter (1 dB)
FINEST = 2.0**-12
COARSEST = 2.0**4
HALVINGS = 12  # of the range of scales, which leave 16 / 2^12 of a doubling
LEAST_INTEGER = -(2**31)
MOST_INTEGER = 2**31 - 1
LADDER = 1.02  # ratio of neighbouring error bounds that are tried
MOST_TRIED = 1 << 15  # numbers on which bounds are tried first


@dataclass(frozen=True, eq=False)
class Quantiser:
    """Turns codes, what a model makes of records, into whole numbers q and back: z = centre + step
    * q for the units (numbers of a code) in `kept`; all other units are restored as their centre.

    centre, step: (latent,) float64, step not 0. kept: (kept,) int64, the places, from 0, of the
    units that are stored. q lies within 32 bits.
    """

    centre: Float
    step: Float
    kept: Int

    def quantise(self, z: Code) -> Int:
        """Turn codes into whole numbers: (rows, kept) int64, for each kept unit how many steps a
        code lies from the centre, rounded to the nearest and limited to 32 bits; NaN becomes 0. z:
        (rows, latent) float32, the codes."""
        codes = z[:, self.kept].astype(np.float64)
        off = codes - self.centre[self.kept]
        steps = off / self.step[self.kept]
        # NaN has no whole number, and would become any
        rounded = np.rint(np.nan_to_num(steps))
        limited = np.clip(rounded, LEAST_INTEGER, MOST_INTEGER)
        return np.asarray(limited, np.int64)

    def restore(self, q: Int) -> Code:
        """Turn the whole numbers that `quantise` returned back into codes, which are then rounded
        to steps: (rows, latent) float32. q: (rows, kept). Units that are not kept get their
        centre."""
        rows = len(q)
        z = np.tile(self.centre, (rows, 1))
        z[:, self.kept] += q * self.step[self.kept]
        return z.astype(np.float32)

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, "centre", "step" and "kept" as lists; floats in hexadecimal, so that
        they come back bit for bit."""
        return {
            "centre": [float(value).hex() for value in self.centre],
            "step": [float(value).hex() for value in self.step],
            "kept": self.kept.tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Quantiser:
        """The quantiser of `data`, what `to_json` wrote; ValueError if it has more or fewer steps
        than centres, a unit that there is not or is kept twice, or a number that is not finite,
        KeyError, TypeError, ValueError or OverflowError for other JSON."""
        centre = _floats_from_hexadecimal(data["centre"])
        step = _floats_from_hexadecimal(data["step"])
        units = data["kept"]
        # numpy would take 0.7, true and "0" for whole numbers
        are_whole = isinstance(units, list) and all(type(unit) is int for unit in units)
        if not are_whole:
            raise ValueError("the units that a quantiser keeps are no whole numbers")
        size = len(centre)
        # a unit kept twice would be restored from one of its two numbers alone
        are_inside = all(0 <= unit < size for unit in units) and len(set(units)) == len(units)
        are_finite = np.isfinite([*centre, *step]).all()
        if len(step) != size or not are_inside or not are_finite:
            raise ValueError("the quantiser is out of range")
        return cls(centre, step, np.array(units, dtype=np.int64))


def _floats_from_hexadecimal(texts: Json) -> Float:
    """Read numbers that float.hex wrote, bit for bit: (n,) float64. texts: a list of them;
    ValueError for texts that are no hexadecimal numbers or no list, OverflowError for one beyond
    the range of floats."""
    # a text is a sequence of texts, too
    if not isinstance(texts, list):
        raise ValueError("the numbers of a quantiser are no list")
    return np.array([float.fromhex(text) for text in texts])


@dataclass(frozen=True, eq=False)
class ScaledQuantisers:
    """The quantisers of one code that differ in nothing but a common factor of their steps.

    Steps are inversely proportional to what a unit does to the output, so that each unit adds the
    same distortion (reverse water-filling: Cover & Thomas 2006, section 10.3.3).

    centre: (latent,) float64, the mean of each unit. kept: (kept,) int64, the places, from 0, of
    the units that are stored. relative_step: (latent,) float64, the step of each unit that moves
    the decoded records by 1. typical_effect: by how far the kept units move the decoded records, in
    the root mean square, above 0.
    """

    centre: Float
    kept: Int
    relative_step: Float
    typical_effect: float

    @classmethod
    def of(
        cls,
        z: Code,
        decode: Callable[[Code], Decoded],
        distance: Callable[[Decoded, Decoded], Float],
        latent: int | None,
    ) -> ScaledQuantisers:
        """The quantisers of codes z, (rows, latent) float32, at least one row. decode(codes): makes
        records of codes. distance(a, b): (rows,), squared difference of each record in two
        decodings. latent: how many units to keep, those that change the decoded records most; None:
        all. ParamError where it is not 1 to the size of the code."""
        size = z.shape[1]
        if latent is not None and not 1 <= latent <= size:
            raise ParamError(
                f"{option('--latent')} {latent}: this model's code has {size} units; give 1 .. "
                f"{size}"
            )
        centre = z.mean(axis=0, dtype=np.float64)
        deviation = z.std(axis=0, dtype=np.float64)
        # a unit that never changes is moved by something, too
        deviation = np.maximum(deviation, 1e-9)
        gain = _gains(z[:PROBED_ROWS], deviation, decode, distance)
        effect = gain * deviation
        strongest = np.argsort(-effect)[: latent or size]
        kept = np.sort(strongest)
        # a step in inverse proportion to the gain; that of a unit that does next to nothing is
        # limited
        largest_gain = max(float(gain.max()), 1e-12)
        relative_step = 1 / np.maximum(gain, 1e-6 * largest_gain)
        # 1 where no unit changes anything: any step will do but 0
        mean_square = float((effect[kept] ** 2).mean())
        typical_effect = mean_square**0.5 or 1.0
        return cls(centre, kept, relative_step, typical_effect)

    def at(self, scale: float) -> Quantiser:
        """The quantiser whose steps each move the decoded records by scale * typical_effect."""
        step = scale * self.typical_effect * self.relative_step
        return Quantiser(self.centre, step, self.kept)


def choose(
    z: Code,
    quantisers: ScaledQuantisers,
    decode: Callable[[Code], Decoded],
    error: Callable[[Decoded], float],
    distortion: Callable[[Decoded], float],
    floor: float,
    target: float | None,
) -> Quantiser:
    """The coarsest of these quantisers whose decoded records keep within the error that is asked
    for, judged on codes z, (rows, latent). Scales from FINEST (2^-12) to COARSEST (2^4) are
    searched by halving, as if the error only grew with the scale, to about 0.3 %; the finest is
    taken where no other that is tried will do.

    z: float32, at least one row. decode(codes): makes records of codes. error(decoded): what must
    be at most `target`, in the same unit; with target None distortion(decoded), a squared error,
    may rise by a quarter above that of the finest steps, or up to floor. ParamError where even the
    finest steps miss the target.
    """
    judge = distortion if target is None else error

    def error_at(scale: float) -> float:
        """The error, or with target None the distortion, of the records that come back with steps
        of this scale."""
        quantiser = quantisers.at(scale)
        q = quantiser.quantise(z)
        restored = quantiser.restore(q)
        return judge(decode(restored))

    least_error = error_at(FINEST)
    if target is None:
        target = max(least_error * SLACK, floor)
    elif least_error > target:
        raise ParamError(
            f"{option('--target-error')} {target:g}: this model reaches {least_error:.4g} at best; "
            f"fit one with a larger code ({option('-O ')}latent=...), or allow more"
        )
    low = np.log2(FINEST)
    high = np.log2(COARSEST)
    # the error grows with the scale: the interval of scales in which it meets the target is halved
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if error_at(2.0**middle) <= target:
            low = middle
        else:
            high = middle
    return quantisers.at(float(2.0**low))


def _gains(
    z: Code,
    deviation: Float,
    decode: Callable[[Code], Decoded],
    distance: Callable[[Decoded, Decoded], Float],
) -> Float:
    """How strongly each unit of codes z, (rows, latent), changes the decoded records, (latent,):
    their root mean square change, divided by that of the unit, which is moved by a quarter of its
    standard deviation, (latent,). decode: makes records of codes; distance(a, b): (rows,), the
    squared difference of each record in two decodings."""
    base = decode(z)
    units = z.shape[1]
    gains = np.empty(units)
    for unit in range(units):
        shift = PROBE * deviation[unit]
        moved = z.copy()
        moved[:, unit] += np.float32(shift)
        change = distance(base, decode(moved))
        gains[unit] = np.sqrt(change.mean()) / shift
    return gains


def bound_of_error(x: Float, mean_square: float, decimals: int | None) -> Fraction:
    """The largest of the error bounds tried, in the unit of x, that rounds the numbers x with a
    mean squared error of at most `mean_square`, in the unit's square; 0 if none does, `mean_square`
    is not above 0, or no number differs from 0.

    x: (rows,), of which finite ones below 2^53 units count. decimals: of the grid that x lies on,
    whose bounds are a whole number of units and a half; None if on none, where 1 is the unit. Wide
    bounds E of smooth data have a mean square of E^2 / 3, that of a uniform distribution; a grid,
    many zeros or few values do not, so that bounds around it are tried on x, from wide to narrow.
    """
    x = x[np.isfinite(x)]
    unit = 10.0 ** (decimals or 0)
    if decimals is not None:
        x = np.rint(x * unit)
        mean_square *= unit**2
    x = x[np.abs(x) < 2.0**53]
    # by bounds wider than the largest of them every number is rounded to 0
    magnitudes = np.abs(x)
    widest = float(magnitudes.max(initial=0.0))
    guess = (3 * mean_square) ** 0.5
    # so written that NaN is refused, too
    if not mean_square > 0 or not widest > 0:
        return Fraction(0)
    least = 1.0 if decimals is not None else 0.0
    # well below the guess: some numbers may need a narrower bound
    narrowest = max(0.3 * guess, least)
    bounds = _ladder(narrowest, widest)
    if decimals is not None:
        bounds = np.unique(np.rint(bounds))
    step_of_sample = -(-len(x) // MOST_TRIED)
    sample = x[::step_of_sample]
    for bound in bounds[::-1].tolist():
        # on a grid a step holds the points up to the bound on both sides, and the middle
        step = 2 * bound + (decimals is not None)
        # a few numbers first: most bounds fail on them
        if not _mean_square(sample, step) <= mean_square:
            continue
        if not _mean_square(x, step) <= mean_square:
            continue
        if decimals is None:
            return Fraction(bound)
        # half a unit more than the largest error: floor() then finds it whatever the rounding
        half_units = 2 * int(bound) + 1
        return Fraction(half_units, 2 * 10**decimals)
    return Fraction(0)


def _ladder(first: float, last: float) -> Float:
    """Error bounds to try, ascending from `first` to `last`, (bounds,): each LADDER (1.02) times
    the one before, but not above `last`, which may come more than once. Both are above 0; `last`
    alone if it is the smaller one."""
    if first > last:
        return np.array([last])
    exponent = np.log(last / first) / np.log(LADDER)
    steps = int(np.ceil(exponent)) + 1
    factors = LADDER ** np.arange(steps + 1)
    bounds = first * factors
    return np.asarray(np.minimum(bounds, last))


def _mean_square(x: Float, step: float) -> float:
    """The mean squared error of x, (rows,), at least one, rounded to multiples of a step, above
    0."""
    rounded = np.rint(x / step) * step
    return float(np.square(rounded - x).mean())
