"""Scores of different models on one scale: how rare a score is among ordinary records, in bits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool.detection.calibration import Expected, tail_scale
from aetool.detection.gaps import scale_of_body, without_apart
from aetool.model import Float

if TYPE_CHECKING:
    # archives are judged without a graph, and ONNX takes longer to import than most to be judged
    from aetool.graphs import Graph, Term

TAIL = 0.1  # part of the held-out scores whose mean excess is the tail's scale
BODY = (1.0, 0.75, 0.5, 0.35, 0.25, 0.175, 0.125, TAIL)  # parts above which scores are kept
LEAST_SCALE = 1e-3  # of the tail, beside the spread of the middle 80 %
LEAST_BITS = 0.05  # the same, of scores that are bits: by less no record differs from others
ONE_BIT = 1 / math.log(2)  # the scale of an exponential that falls by one bit for each bit
ROUNDED = 1e-4  # the same, beside the scores: those of equal rows differ by float32's rounding
# of few scores: how many excesses the fall from their middle to their highest tenth counts for
EXPECTED_EXCESSES = 10.0
# Of joined scores, in bits: members' tails go on beyond all held-out scores as exponentials, and
# where these fall short new records lie far out. Measured on the sets of benchmarks/halves.py.
# The least scale is above what rounding makes of scores that are all the same.
JOINED_TAIL = Expected(
    shape=0.25,
    weight=100.0,
    doubt=1000.0,
    least=0.05,
    # a score of 0 is that of a record which no member finds rare
    in_bits=1.0,
)
# Pictures are fewer, and their members' bits fall off as those of ordinary records do: an
# exponential, whose scale few scores tell in part. Measured on benchmarks/defects.py, half chosen.
PICTURES_TAIL = Expected(
    weight=100.0,
    doubt=1000.0,
    least=0.05,
    shape=0.0,
    body=10.0,
    in_bits=1.0,
)
# Of few records that judge themselves, or may hold anomalies: of 20 two lie in the highest tenth,
# and either may be the anomaly that is sought. What they would set the threshold by is told
# by the others, how fast their bits fall off; by records enough nothing of this is left. Measured
# on small tables and drawn pictures, with and without odd ones among them.
FEW_RECORDS = 500
BODY_OF_FEW = 20.0  # excesses for which the body counts
DOUBT_OF_FEW = 100.0
MOST_AT_EDGE = 0.5  # of the scores beyond a gap, for which the gap still counts
SHARPNESS = 0.7  # of the mean by which the bits of several models are joined
EXACT = 24.0  # bits beyond one in rows + 1 that count in full
ROOM = 8.0  # bits that are left above these
LITTLE = 1e-6  # bits: so that a record without excess has shares, too


def among_few(expected: Expected, rows: int) -> Expected:
    """Adapt what is assumed of the tail of scores to the number of records, `rows`, that judge
    themselves: of 500 or more it stays `expected`, and the fewer there are, the less their own
    highest scores decide where the tail lies."""
    share = max(0.0, 1 - rows / FEW_RECORDS)
    doubt_of_fewest = min(expected.doubt, DOUBT_OF_FEW)
    body = BODY_OF_FEW * share
    return dataclasses.replace(
        expected,
        shape=expected.shape * (1 - share),
        # from the one to the other by equal factors
        doubt=expected.doubt * (doubt_of_fewest / expected.doubt) ** share,
        body=max(expected.body, body),
        doubt_by_body=max(expected.doubt_by_body, body),
    )


def among_few_held_out(expected: Expected, rows: int) -> Expected:
    """Adapt what is assumed of the tail of scores to the number, `rows`, of held-out records, by
    which others will be judged: of 500 or more it stays `expected`, and the fewer there are, the
    less their own highest scores decide which of them are anomalies. How those that are left fall
    off is estimated from their excesses or from their body, whichever is slower: new records may
    lie farther out."""
    few = among_few(expected, rows)
    return dataclasses.replace(
        expected,
        doubt=few.doubt,
        doubt_by_body=few.doubt_by_body,
        body_if_wider=few.doubt_by_body,
    )


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
    def of(
        cls,
        held_out: Float,
        expected: float = 0.0,
        least: float = 0.0,
        edge: npt.NDArray[np.bool_] | None = None,
    ) -> Rarity:
        """The rarity of scores such as these, (n,) with n at least 1, of ordinary records held out
        of the fit; higher is rarer. A score that many of them have is as rare as all that score as
        high together. Scores that lie far apart from the others, which may be those of anomalies,
        are left out (gaps.without_apart), unless most of them are at the edge.

        edge: (n,) bool, records that were left out of the fit as possible anomalies, though nothing
        parts them from those that were fitted: what was not learned of these alone may have put
        their scores apart. None: there are none.

        expected: as how many excesses over the start of the tail a second estimate of the tail's
        scale counts: how fast scores fall off between their median and their highest tenth; 0: not
        at all.
        """
        rows = len(held_out)
        all_scores = held_out
        held_out = without_apart(all_scores)
        if edge is not None:
            is_apart = all_scores > held_out[-1]
            at_edge = np.count_nonzero(edge & is_apart)
            # a gap that the fit's own cut has made
            if at_edge > MOST_AT_EDGE * np.count_nonzero(is_apart):
                held_out = np.sort(all_scores)
        scores = np.quantile(held_out, [1 - part for part in BODY])
        bits = -np.log2(BODY)
        scale = _scale_beyond(held_out, scores[-1], expected)
        if len(held_out) < rows:
            # what was left out would have told how far the tail reaches: as far as the body lets
            # expect, at least
            median, highest_tenth = np.quantile(held_out, [0.5, 1 - TAIL]).tolist()
            scale = max(scale, scale_of_body(median, highest_tenth))
        scale = max(scale, least)
        # of equal scores the lowest part holds: a score that most records have is not rare
        rises = np.diff(scores) > 1e-6 * scale
        is_last_of_equals = np.append(rises, True)
        kept = scores[is_last_of_equals]
        first = np.searchsorted(scores, kept, side="left")
        # an exponential tail of this scale falls by half, one bit, every scale * log(2)
        slope = 1 / (scale * math.log(2))
        return cls(kept, bits[first], slope, knee(rows))

    @classmethod
    def of_few(cls, held_out: Float) -> Rarity:
        """Return the Rarity of held-out scores, (n,) with n at least 1, of which there may be few.
        It is that of Rarity.of with expected=10: how fast scores fall off from their median to
        their highest tenth counts as 10 excesses, since a few excesses that happen to lie close
        together would make every higher score seem impossible."""
        return cls.of(held_out, EXPECTED_EXCESSES)

    @classmethod
    def told(cls, rows: int) -> Rarity:
        """The Rarity of scores that already are bits, -log2 p: it leaves them as they are up to the
        bend. rows: how many records the model was fitted on."""
        return cls(np.zeros(1), np.zeros(1), 1.0, knee(rows))

    def of_scores(self, scores: Float) -> Float:
        """The rarity of scores in bits, (n,): -log2 of the share of ordinary records that score as
        high, beyond self.bend growing ever less, to at most 8 bits more. scores: (n,)."""
        bits = np.interp(scores, self.scores, self.bits)
        excess = np.maximum(scores - self.scores[-1], 0.0)
        bits = bits + self.slope * excess
        return cap(bits, self.bend)

    @property
    def turns(self) -> Float:
        """The change of the curve's slope at each knot, (knots,), in bits for each unit of score;
        at the first the slope itself, as the curve is level before it."""
        # no division by 0, however close two knots lie
        lengths = np.maximum(np.diff(self.scores), 1e-300)
        slopes = np.diff(self.bits) / lengths
        return np.diff(slopes, prepend=0.0, append=self.slope)

    def write(self, g: Graph, scores: str) -> str:
        """Add nodes to graph g that compute `of_scores`; returns the name of the result, (B, 1)
        bits. scores: the name of a value (B, 1)."""
        # straight lines between knots as a sum of ramps, each of which bends the line at its knot:
        # graphs have no interpolation, and this one needs no branch
        from_knots = g.term(scores) - self.scores
        beyond_knots = from_knots.positive_part()
        above_first = beyond_knots.weighed_sum(self.turns)
        bits = above_first + self.bits[0]
        return write_cap(g, bits.name, self.bend)


def _scale_beyond(held_out: Float, tail: float, expected: float) -> float:
    """The scale, above 0, of the exponential by which held-out scores, (n,), fall off beyond
    `tail`: never below a thousandth of the spread of their middle 80 %, nor below 1e-4 of the size
    of the score that a tenth exceed, 1e-4 at least.

    expected: as how many excesses over `tail` a second estimate of it counts: how fast scores fall
    off between their median and their highest tenth; 0: not at all.
    """
    # quantiles, and not the extremes: one far record would stretch the scale
    low, median, highest_tenth = np.quantile(held_out, [0.1, 0.5, 0.9])
    excess = held_out[held_out > tail] - tail
    scale = tail_scale(excess)
    if expected:
        body = scale_of_body(float(median), float(highest_tenth))
        excesses = len(excess)
        # the mean of both scales, each counted by its excesses
        total = excesses * scale + expected * body
        scale = total / (excesses + expected)
    # a scale of nearly 0, as of scores that are all equal, would make every other one impossible
    least = LEAST_SCALE * float(highest_tenth - low)
    rounding = ROUNDED * max(1.0, abs(float(highest_tenth)))
    return max(scale, least, rounding)


def knee(rows: int) -> float:
    """The number of bits up to which a part of a score counts in full: log2(rows + 1), since no
    record among `rows` can be shown to be rarer, and 24 more."""
    return math.log2(rows + 1) + EXACT


def cap(bits: Float, bend: float) -> Float:
    """Limit scores in bits, of any shape, smoothly: unchanged up to the bend; beyond it they grow
    ever more slowly, and never exceed bend + ROOM (8 bits). bend: in bits."""
    over = np.maximum(bits - bend, 0.0)
    # at the bend its slope is 1, so that no two scores change places
    bent = ROOM * over / (ROOM + over)
    below = np.minimum(bits, bend)
    return np.asarray(below + bent)


def write_cap(
    g: Graph,
    bits: str,
    bend: float,
    room: float = ROOM,
) -> str:
    """Add `cap` to a graph: bits that are unchanged up to bend, grow ever less beyond, and never
    exceed bend + room; returns the name of the result. bits: the name of a float32 value, of any
    shape; bend, room: in bits, room above 0."""
    value = g.term(bits)
    # below the bend nothing is over, and the second term is 0
    over = (value - bend).positive_part()
    scaled = over * room
    bent = scaled / (over + room)
    below = value.at_most(bend)
    capped = below + bent
    return capped.name


def joined(
    parts: Sequence[Float],
    usual: Sequence[Float],
    rarities: Sequence[Rarity],
    weights: Sequence[float],
) -> Float:
    """Join the scores of several models into one, divided among columns: (rows, columns + 1), in
    bits.

    parts: of each model, (rows, columns + 1); usual: its medians, (columns + 1,); rarities: by
    which its scores become bits; weights: how much each counts, above 0. One model at least. With b
    the bits of the models, and means weighed, a record's score is log2(mean(2^(s b))) / s, s being
    SHARPNESS (0.7): between the mean of the bits (s = 0: Fisher's way of joining p-values) and that
    of the harmonic mean of the p-values (s = 1: Wilson 2019, PNAS 116:1195). Models that all find a
    record somewhat rare add up, and yet one that is sure cannot be hidden by the others. The score
    falls on the columns by what each costs beyond the usual in each model, models counting by how
    much of the score is theirs.
    """
    bits_of_models = []
    for model_parts, rarity in zip(parts, rarities, strict=True):
        scores = model_parts.sum(axis=1)
        bits_of_models.append(rarity.of_scores(scores))
    bits = np.stack(bits_of_models)  # (models, rows)
    # the largest is taken out before the powers of 2, which could not hold thousands of bits
    highest_bits = bits.max(axis=0)
    powers = np.exp2(SHARPNESS * (bits - highest_bits))
    weight_of_models = np.asarray(weights)[:, None]
    weighed = powers * weight_of_models
    mean = weighed.sum(axis=0) / sum(weights)
    score = highest_bits + np.log2(mean) / SHARPNESS
    # a model that finds nothing has no share in what others find
    blame = weighed * (bits + LITTLE)
    # of each record all models together have all of the score
    blame_of_models = blame / blame.sum(axis=0)
    share = np.zeros(parts[0].shape)  # (rows, columns + 1), each row adding up to 1
    for model_parts, medians, model_blame in zip(
        parts,
        usual,
        blame_of_models,
        strict=True,
    ):
        excess = np.maximum(model_parts - medians, 0.0) + LITTLE
        total = excess.sum(axis=1, keepdims=True)
        share += model_blame[:, None] * excess / total
    return np.asarray(score[:, None] * share)


def write_joined(
    g: Graph,
    parts: Sequence[str],
    usual: Sequence[Float],
    rarities: Sequence[Rarity],
    weights: Sequence[float],
) -> str:
    """Add nodes to graph g that compute `joined`; returns the name of the result, (B, columns + 1)
    float32 bits. parts: the name of each model's parts; usual: its medians, (columns + 1,);
    rarities: by which its scores become bits; weights: how much each counts."""
    parts_of_models = [g.term(name) for name in parts]
    bits = []
    for model_parts, medians, rarity in zip(
        parts_of_models,
        usual,
        rarities,
        strict=True,
    ):
        every_column = np.ones(len(medians))
        model_score = model_parts.weighed_sum(every_column)
        model_bits = rarity.write(g, model_score.name)
        bits.append(g.term(model_bits))
    first = bits[0]
    side_by_side = first.op("Concat", *bits, axis=1)
    # ONNX has no maximum, and no sum, of one value alone
    top = first.op("Max", *bits) if len(bits) > 1 else first
    score, blame = _write_score(side_by_side, top, weights)
    shares = []
    for number, (model_parts, medians) in enumerate(zip(parts_of_models, usual, strict=True)):
        share = _write_share(model_parts, medians)
        model_blame = blame.columns([number])
        shares.append(share * model_blame)
    share = shares[0]
    if len(shares) > 1:
        share = share.op("Sum", *shares)
    together = share * score
    return together.name


def write_score(g: Graph, bits: str, models: int) -> tuple[str, str]:
    """Add nodes to graph g that join bits, (B, models), each model counting the same: (the name of
    the score, (B, 1); that of how much of it is each model's, (B, models), whose sum is 1). bits:
    the name of float32 bits, (B, models)."""
    bits_of_models = g.term(bits)
    axis = bits_of_models.constant([1], np.int64)
    highest_bits = bits_of_models.op("ReduceMax", bits_of_models, axis, keepdims=1)
    score, blame = _write_score(bits_of_models, highest_bits, [1.0] * models)
    return score.name, blame.name


def _write_score(
    bits: Term,
    top: Term,
    weights: Sequence[float],
) -> tuple[Term, Term]:
    """Add to a graph the joined score, (B, 1), and how much of it is each model's, (B, models).
    bits: (B, models); top: (B, 1), the highest of them; weights: how much each model counts."""
    weight, mean_bits = _write_mean(bits, top, weights)
    score = top + mean_bits
    blame = _write_blame(bits, weight, weights)
    return score, blame


def _write_mean(
    bits: Term,
    top: Term,
    weights: Sequence[float],
) -> tuple[Term, Term]:
    """Add to a graph, for each model, 2 to the power of SHARPNESS (0.7) times its bits less the top
    ones, (B, models); and log2 of their weighed mean, divided by SHARPNESS, (B, 1), at most 0:
    (powers, bits). bits: (B, models); top: (B, 1), the highest of them."""
    # powers of 2 as powers of e, and back: ONNX has no Exp2
    base = SHARPNESS * math.log(2)
    below_top = bits - top
    exponent = below_top * base
    power = exponent.exp()
    # weights of a mean add up to 1
    parts = np.asarray(weights) / sum(weights)
    mean = power.weighed_sum(parts)
    return power, mean.log() * (1 / base)


def _write_blame(bits: Term, power: Term, weights: Sequence[float]) -> Term:
    """Add to a graph each model's share in a record's score, (B, models); each row adds up to 1.

    bits: (B, models), the rarity that each model finds. power: (B, models), how near each model's
    bits are to the highest, 1 for the highest itself (the first result of `_write_mean`). weights:
    how much each model counts. A share is in proportion to the product of all three.
    """
    weighed = power * weights
    # of a record that no model finds rare, models share as they count
    some_bits = bits + LITTLE
    blame = weighed * some_bits
    every_model = np.ones(len(weights))
    return blame / blame.weighed_sum(every_model)


def _write_share(parts: Term, usual: Float) -> Term:
    """Add to a graph how much of one model's score is each column's, (B, columns + 1), whose sum is
    1: by what parts, (B, columns + 1), exceed the usual ones, (columns + 1,)."""
    above_usual = parts - usual
    excess = above_usual.positive_part() + LITTLE
    every_column = np.ones(len(usual))
    return excess / excess.weighed_sum(every_column)
