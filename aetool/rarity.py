"""Scores of different models on one scale: how rare a score is among ordinary records, in bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.detection.calibration import Expected, tail_scale
from aetool.graphs import Graph, weighed_sum
from aetool.model import Float

TAIL = 0.1  # part of the held-out scores whose mean excess is the tail's scale
BODY = (1.0, 0.75, 0.5, 0.35, 0.25, 0.175, 0.125, TAIL)  # parts above which scores are kept
LEAST_SCALE = 1e-3  # of the tail, beside the spread of the middle 80 %
ROUNDED = 1e-4  # the same, beside the scores: those of equal rows differ by float32's rounding
# of few scores: how many excesses the fall from their middle to their highest tenth counts for
EXPECTED_EXCESSES = 10.0
# Of joined scores, in bits: members' tails go on beyond all held-out scores as exponentials, and
# where these fall short new records lie far out. Measured on the sets of benchmarks/halves.py.
# The least scale is above what rounding makes of scores that are all the same.
JOINED_TAIL = Expected(shape=0.25, weight=100.0, doubt=1000.0, least=0.05)
# Pictures are fewer, and their members' bits fall off as those of ordinary records do: an
# exponential, whose scale few scores tell in part. Measured on benchmarks/defects.py, half chosen.
PICTURES_TAIL = Expected(weight=100.0, doubt=1000.0, least=0.05, shape=0.0, body=10.0)
SHARPNESS = 0.7  # of the mean by which the bits of several models are joined
EXACT, ROOM = 24.0, 8.0  # bits beyond one in rows + 1 that count in full; and what is left above


@dataclass(frozen=True, eq=False)
class Rarity:
    """The part p of ordinary records whose score is at least as high, as -log2 p.

    scores, bits: (knots,), increasing; between them straight lines, below the first 0, beyond the
    last `slope` bits for each unit of score: an exponential tail. bend: from here on bits count
    less and less, and never reach bend + 8, so that no record's score drowns all others.
    """

    scores: Float
    bits: Float
    slope: float
    bend: float

    @classmethod
    def of(cls, held_out: Float, expected: float = 0.0) -> Rarity:
        """The rarity of scores such as these, (n,), of ordinary records held out of the fit.

        expected: for how many excesses in the tail the scale counts by which scores fall off
        between their middle and their highest tenth.
        """
        scores = np.quantile(held_out, [1 - part for part in BODY])
        bits = -np.log2(BODY)
        low, median, high = np.quantile(held_out, [0.1, 0.5, 0.9])
        excess = held_out[held_out > scores[-1]] - scores[-1]
        scale = tail_scale(excess)
        if expected:
            # an exponential falls from a half of the records to a tenth within log(5) scales
            body = (high - median) / math.log(0.5 / TAIL)
            scale = (len(excess) * scale + expected * body) / (len(excess) + expected)
        scale = max(scale, LEAST_SCALE * float(high - low), ROUNDED * max(1.0, abs(float(high))))
        # of equal scores the lowest part holds: a score that most records have is not rare
        kept = np.append(np.diff(scores) > 1e-6 * scale, True)
        first = np.searchsorted(scores, scores[kept], side="left")
        # an exponential tail of this scale falls by half, one bit, every scale * log(2)
        slope = 1 / (scale * math.log(2))
        return cls(scores[kept], bits[first], slope, knee(len(held_out)))

    @classmethod
    def of_few(cls, held_out: Float) -> Rarity:
        """The same of scores that may be few: four excesses that happen to lie close together would
        make every higher score seem impossible."""
        return cls.of(held_out, EXPECTED_EXCESSES)

    @classmethod
    def told(cls, rows: int) -> Rarity:
        """The scale for scores that already are -log2 p. rows: how many records the model was
        fitted on."""
        return cls(np.zeros(1), np.zeros(1), 1.0, knee(rows))

    def of_scores(self, scores: Float) -> Float:
        """(n,): the rarity of scores in bits, -log2 of the share of records that score as high."""
        bits = np.interp(scores, self.scores, self.bits)
        bits = bits + self.slope * np.maximum(scores - self.scores[-1], 0.0)
        return cap(bits, self.bend)

    def write(self, g: Graph, scores: str) -> str:
        """Write of_scores as nodes of a graph; scores: (B, 1)."""
        # straight lines between knots as a sum of ramps, each of which turns the line at its knot:
        # graphs have no interpolation, and this one needs no branch
        slopes = np.diff(self.bits) / np.maximum(np.diff(self.scores), 1e-300)
        turns = np.diff(np.concatenate([[0.0], slopes, [self.slope]]))
        beyond_knots = g.op("Relu", g.op("Sub", scores, g.const(self.scores)))
        above_first = weighed_sum(g, beyond_knots, turns)
        bits = g.op("Add", above_first, g.const(self.bits[0]))
        return write_cap(g, bits, self.bend)


def knee(rows: int) -> float:
    """The number of bits up to which a part of a score counts in full: log2(rows + 1), since no
    record among `rows` can be shown to be rarer, and 24 more."""
    return math.log2(rows + 1) + EXACT


def cap(bits: Float, bend: float) -> Float:
    """Bits as they are up to the bend; beyond it they grow ever more slowly, to bend + 8."""
    over = np.maximum(bits - bend, 0.0)
    # at the bend its slope is 1, so that no two scores change places
    rest = ROOM * over / (ROOM + over)
    return np.asarray(np.minimum(bits, bend) + rest)


def write_cap(g: Graph, bits: str, bend: float, room: float = ROOM) -> str:
    """Add `cap` to a graph: bits that never exceed bend + room; returns the name of the result."""
    over = g.op("Relu", g.op("Sub", bits, g.const(bend)))
    scaled = g.op("Mul", over, g.const(room))
    rest = g.op("Div", scaled, g.op("Add", over, g.const(room)))
    return g.op("Add", g.op("Min", bits, g.const(bend)), rest)


def joined(
    parts: Sequence[Float],
    usual: Sequence[Float],
    rarities: Sequence[Rarity],
    weights: Sequence[float],
) -> Float:
    """(rows, columns + 1) bits: the parts of several models' scores, joined.

    parts: of each model, (rows, columns + 1); usual: its medians, (columns + 1,); weights: how much
    each counts. With b the bits of the models, and means weighed, a record's score is
    log2(mean(2^(s b))) / s, s being SHARPNESS: between the mean of the bits (s = 0: Fisher's way of
    joining p-values) and that of the harmonic mean of the p-values (s = 1: Wilson 2019, PNAS
    116:1195). Models that all find a record somewhat rare add up, and yet one that is sure cannot
    be hidden by the others. It falls on the columns by what each costs beyond the usual in each
    model, models counting by how much of the score is theirs.
    """
    scores = [own.sum(axis=1) for own in parts]
    bits = np.stack([one.of_scores(own) for one, own in zip(rarities, scores, strict=True)])
    # the largest is taken out before the powers of 2, which could not hold thousands of bits
    top = bits.max(axis=0)
    weight = np.exp2(SHARPNESS * (bits - top)) * np.asarray(weights)[:, None]
    score = top + np.log2(weight.sum(axis=0) / sum(weights)) / SHARPNESS
    blame = weight * (bits + LITTLE)
    blame_of_models = blame / blame.sum(axis=0)
    share = np.zeros(parts[0].shape)
    for own, own_usual, of_model in zip(parts, usual, blame_of_models, strict=True):
        excess = np.maximum(own - own_usual, 0.0) + LITTLE
        share += of_model[:, None] * excess / excess.sum(axis=1, keepdims=True)
    return np.asarray(score[:, None] * share)


LITTLE = 1e-6  # bits: so that a record without excess has shares, too


def write_joined(
    g: Graph,
    parts: Sequence[str],
    usual: Sequence[Float],
    rarities: Sequence[Rarity],
    weights: Sequence[float],
) -> str:
    """Add `joined` to a graph; returns the name of the result."""
    columns = np.ones(len(usual[0]))
    bits = []
    for own, own_rarity in zip(parts, rarities, strict=True):
        score = weighed_sum(g, own, columns)
        bits.append(own_rarity.write(g, score))
    every = g.op("Concat", *bits, axis=1)
    top = g.op("Max", *bits) if len(bits) > 1 else bits[0]
    # powers of 2 as powers of e, and back: ONNX has no Exp2
    below_top = g.op("Sub", every, top)
    weight = g.op("Exp", g.op("Mul", below_top, g.const(SHARPNESS * math.log(2))))
    mean = weighed_sum(g, weight, np.asarray(weights) / sum(weights))
    mean = g.op("Mul", g.op("Log", mean), g.const(1 / (SHARPNESS * math.log(2))))
    score = g.op("Add", top, mean)
    weighed = g.op("Mul", weight, g.const(weights))
    blame = g.op("Mul", weighed, g.op("Add", every, g.const(LITTLE)))
    blame = g.op("Div", blame, weighed_sum(g, blame, np.ones(len(bits))))
    shares = []
    for k, (own, own_usual) in enumerate(zip(parts, usual, strict=True)):
        above_usual = g.op("Relu", g.op("Sub", own, g.const(own_usual)))
        excess = g.op("Add", above_usual, g.const(LITTLE))
        share = g.op("Div", excess, weighed_sum(g, excess, columns))
        shares.append(g.op("Mul", share, g.take(blame, [k])))
    together = g.op("Sum", *shares) if len(shares) > 1 else shares[0]
    return g.op("Mul", together, score)
