"""Choice of the plan by which a column of whole numbers is coded: the one that takes fewest bits on
a sample.

Nothing here is needed to decode, so floating point is welcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aetool.codec import (
    combining,
    estimates,
    integers,
    keying,
    mixture_search,
    rans,
    stages,
    symbol_mixing,
    transforms,
)
from aetool.codec.binning import bins_of
from aetool.codec.context_search import (
    BIN_BITS,
    STRENGTHS,
    ContextSearch,
    Parents,
    Rows,
    bits_of_terms,
    classes_of,
)
from aetool.codec.estimates import sample_rows
from aetool.codec.kept import Kept, digest_of
from aetool.codec.limits import SMALL_BLOCK
from aetool.codec.metas import Meta
from aetool.codec.plans import (
    Feature,
    OtherSymbol,
    OtherValue,
    OwnSymbol,
    Packed,
    Plan,
    Repeat,
    Seen,
    Transform,
)
from aetool.codec.regression_search import Trial
from aetool.codec.streams import Known, Stream
from aetool.codec.words import deflate
from aetool.model import Int

FEW = 2000  # one residual in so many may lie outside bins that are taken over
SQUEEZED = 1 << 15  # values on which LZMA2 is tried first
WIDEST_MIXED = 2  # bytes of a value: of wider ones most are noise, and take long
MIXED_PROMISE = 1.1  # as LZMA2's: how large a mixture may be on the parts
# bytes; smaller streams are left as they are: where a plan was searched, and where one was taken
# over from the block before, in which the look at more was in vain
LEAST_SQUEEZED = 256
LEAST_SQUEEZED_AGAIN = 1024
LEAST_REGRESSED = 1024  # bits; a mixture that takes fewer is tried without a regression
MIXTURE_BITS = 32  # that a mixture must save of a stream and its plan
LEAST_SAVING = 0.99  # of the plan's bytes must packed ones take, to be taken instead
LANE_BYTES = 1024  # a lane's state is 4 bytes: below 0.4 % of what it codes
ABOUT_AS_LITTLE = 0.25  # bits a value, between ways to make residuals
MOST_LEVELS_TRIED = 128  # different values of a column, each with a bin of its own
MOST_GROUPS = 64  # symbols of a stream that others are grouped by
LEAST_SPREAD = 8  # of values whose differences to another column are tried, or within groups
LEAST_SPREAD_OF_FEW = 16  # of a small block's, whose differences within groups are tried
LESS_SPREAD = 0.7  # of their spread must those differences have
BITS_OUTSIDE = 80  # of a residual in no bin: 64, and what its rare symbol takes
TRANSFORMS = 4  # that look at other streams, of which bins are found
HOPELESS = 1.5  # times the bits of the best transform: more, and no features are sought for it
WIDE = 96  # streams, above which not all are looked at
WINDOW = 512  # streams before, of which those are looked at that go most like one
# by what they follow from, as `Planner` says: the plan and the bits that it promises to save by
# combinations and keys; and the hint and the plan that came of it
KEPT_PLANS: Kept[tuple[Plan, float]] = Kept(1 << 11)
KEPT_BY_HINT: Kept[tuple[Plan, Plan]] = Kept(1 << 11)
PARENTS = ((1024, 32), (256, 16), (128, 8), (0, 4))  # rows of the block; streams looked at so


@dataclass(frozen=True)
class Effort:
    """How far an encoder searches for ways to store a block in few bytes; codec.plans says what a
    plan is made of.

    Limits: block: bytes of text in a block. sample: rows of a stream by which its plans are judged.
    second: how many candidates are tried again beside the first feature. features: how many, at
    most, together choose the frequency table of a symbol. classes: into how many, at most, the
    values of a feature are divided; each of these numbers is tried. cells: how many frequencies a
    stream has at most (tables x symbols). bins: into how many ranges, at most, the numbers of a
    stream are divided, each with a symbol of its own.

    What is tried, as bools. columns: transforms beyond differences, most of which look at other
    columns, and a bin for each different value; combinations: among these transforms sums and
    products of columns, and keys; reuse: the bins of the block before, where they still hold;
    ranks: all further ways to store columns of cells, of which ranks are one; students: networks
    that an archive carries; mixes: values compressed as bytes by a mixture of contexts, and what
    describes a block of however many rows;
    mixes_symbols: symbols of streams coded by such a mixture; quick: general compressors that
    search less for repeats; also_usual: the plans of the default effort as well; whole_files: a
    small typed file squeezed as it is instead; extrapolates: floats of arrays as residuals of a
    prediction by their neighbours.

    repeats: for each size tried, how many symbols must come again to predict the next; (): neither
    repeats nor LZMA2 are tried on streams. squeeze: (for a plan that was searched, for one taken
    over): LZMA2 is tried on all values where a quick look takes at most so many times the plan's
    bytes; 0: always.
    """

    block: int = 16 << 20
    sample: int = 16384
    features: int = 3
    classes: tuple[int, ...] = (10, 28)
    cells: int = 1 << 17
    bins: int = 255
    second: int = 12
    columns: bool = True
    combinations: bool = True  # whether sums and products of columns, and keys, are tried
    reuse: bool = False  # take over the bins of the block before, where they hold everything
    repeats: tuple[int, ...] = (12, 32)  # symbols that must come again to predict the next
    # LZMA2 is tried on all where a quick look took so many times what the plan takes, at first and
    # where the block before did without; 0: always
    squeeze: tuple[float, float] = (2.5, 1.0)
    ranks: bool = True  # whether columns of few different cells are tried as ranks
    # whether an archive may carry them: they took minutes, and saved a few bytes at most
    students: bool = False
    mixes: bool = False  # whether values are tried as bytes, coded by a mixture of contexts
    # whether symbols of streams are tried coded by a mixture of contexts
    mixes_symbols: bool = False
    quick: bool = False  # whether general compressors look less for what repeats
    also_usual: bool = False  # whether the plans of the default effort are tried as well
    whole_files: bool = True  # whether a small typed file may be squeezed as it is instead
    # whether fields of floats are tried as residuals of a prediction by their neighbours
    extrapolates: bool = True


@dataclass(frozen=True, eq=False)
class Hints:
    """Choices made for one block, which are tried first on the next; without arguments none.

    shape: for each column how many streams (columns of whole numbers) it is stored as. plans: of
    all streams, in the order of the columns; one without bins is searched anew. ways: for each
    column which of its encodings was taken: 0 for the first, n for the n-th of the others. metas:
    how each column was stored, where ways are known.
    """

    shape: tuple[int, ...] = ()
    plans: Sequence[Plan] = ()
    ways: tuple[int, ...] = ()
    metas: tuple[Meta, ...] = ()

    def moved(self, shape: tuple[int, ...]) -> Sequence[Plan | None]:
        """The plans of all streams, adapted to a block whose columns have `shape` streams each, in
        the order of its streams: those that plans name are renumbered, and a plan is None if its
        column, or one that its transform uses, has another number of streams there. Features that
        look at such a column are left out, and so is every mixture. () if the number of columns
        differs; for the same shape the plans as they are."""
        if shape == self.shape:
            return self.plans
        if len(shape) != len(self.shape):
            return ()
        numbers = self._new_numbers(shape)
        moved: list[Plan | None] = [None] * sum(shape)
        for old, new in numbers.items():
            moved[new] = _renumbered(self.plans[old], numbers)
        return moved

    def without_others(self) -> Hints:
        """A copy of these choices in which the plans of streams that are predicted by a combination
        of others, or by keys, are without bins, and so searched anew."""
        plans = tuple(Plan() if plan.asks_others else plan for plan in self.plans)
        return dataclasses.replace(self, plans=plans)

    def _new_numbers(self, shape: tuple[int, ...]) -> dict[int, int]:
        """A mapping from each stream's number to its number in a block of this shape, which is of
        as many columns; streams of columns that have another number of streams there are left
        out."""
        numbers: dict[int, int] = {}
        old = 0
        new = 0
        for count, new_count in zip(self.shape, shape, strict=True):
            if count == new_count:
                for place in range(count):
                    numbers[old + place] = new + place
            old += count
            new += new_count
        return numbers


def _renumbered(plan: Plan, numbers: dict[int, int]) -> Plan | None:
    """A copy of a plan with its streams renumbered; None if its transform uses a stream that is not
    in `numbers`. Features that look at such a stream are left out. numbers: old number to new."""
    of = plan.of
    # a transform cannot do without its streams; features, below, can
    if plan.transform.looks_aside:
        if of not in numbers:
            return None
        of = numbers[of]
    combined = plan.combined
    if combined is not None:
        if not combined.streams <= numbers.keys():
            return None
        combined = combined.moved(numbers)
    pair = plan.pair
    if pair is not None:
        first, second = pair
        if first not in numbers or second not in numbers:
            return None
        pair = (numbers[first], numbers[second])
    features = _renumbered_features(plan.features, numbers)
    # a mixture looks for its streams anew in each block
    return plan.but(of=of, combined=combined, pair=pair, features=features, mixture=None)


def _renumbered_features(
    features: Sequence[Feature], numbers: dict[int, int]
) -> tuple[Feature, ...]:
    """A plan's features for another block, in order, with the streams that they look at renumbered.
    Those that look at a stream that is not in `numbers` are left out, and so is a Verdict, which is
    of a network for one stream alone; those that look at no other stream stay as they are. numbers:
    old number to new."""
    kept: list[Feature] = []
    for feature in features:
        if isinstance(feature, OwnSymbol | Repeat | Seen):
            kept.append(feature)
        elif feature.stream in numbers:
            kept.append(feature.at(numbers[feature.stream]))
    return tuple(kept)


FAST = Effort(
    block=4 << 20,
    sample=4096,
    reuse=True,
    features=1,
    cells=1 << 14,
    bins=127,
    second=0,
    columns=False,
    repeats=(),
    ranks=False,
    quick=True,
    extrapolates=False,
)
DEFAULT = Effort()
BEST = Effort(
    block=64 << 20,
    sample=65536,
    features=4,
    classes=(6, 16, 40),
    cells=1 << 20,
    second=24,
    squeeze=(0.0, 0.0),
    mixes=True,
    mixes_symbols=True,
    also_usual=True,
)


@dataclass(frozen=True, eq=False)
class _Choice:
    """A plan that was tried on the sample of a stream. bits: what the sample takes, the plan's
    description counted. residuals: (n,) of all values of the stream, under the plan's transform."""

    bits: float
    plan: Plan
    residuals: Int


@dataclass(frozen=True, eq=False)
class _TriedTransform:
    """A plan of nothing but a transform, and what it makes of a stream. bits: about how many one
    residual takes; number: of the plan, in the order in which plans are tried; residuals: (n,) of
    all values of the stream."""

    bits: float
    number: int
    plan: Plan
    residuals: Int


class _Look(NamedTuple):
    """When compressors of bytes are tried on a stream beside its plan. promise: LZMA2 is tried if a
    quick look at two parts takes at most so many times the plan's bytes; 0: always. least: for a
    plan of fewer bytes no compressor is tried; values: how many each of the two parts has."""

    promise: float
    least: int = LEAST_SQUEEZED
    values: int = SQUEEZED


class Planner:
    """Chooses the plans of the streams of one block, in order, by a sample of each.

    known: the streams before, to which the caller adds each one whose plan is chosen. hints: for
    each stream the plan that it had in the block before, or None; they may be fewer than the
    streams. complete: whether bins must hold every residual, which an effort that reuses them never
    asks for. promised: bits that combinations and keys save so far, by estimates.
    """

    def __init__(
        self,
        known: Known,
        effort: Effort,
        hints: Sequence[Plan | None] = (),
        complete: bool = True,
    ) -> None:
        self.known = known
        self.effort = effort
        self.hints = hints
        self.complete = complete and not effort.reuse
        self.promised = 0.0  # bits that combinations and keys save, as far as the search saw
        self.searches = 0  # of plans, so far
        self.keying = keying.Keying()
        self._outlines: list[estimates.Float32] = []  # of the streams before, in wide tables
        self._features_of_parents = Parents()

    def plan(self, stream: Stream, number: int, like: Plan | None = None) -> Plan:
        """Choose the plan for stream `number`, from 0, which comes next: adapted from another plan
        if there is one that suits, else searched.

        like: the plan of another column, whose transform and features are tried; for None the hint
        is, the plan of this stream in the block before. Bins are found anew, but for a hint whose
        bins still hold where the effort reuses. A stream of no values gets the plan without bins;
        one that never changes, and has no hint, a single bin. stream.squeezed is set where its
        values were tried as compressed bytes, stream.ready where other coders were compared with
        its symbols.
        """
        values = stream.values
        if not len(values):
            return Plan()
        if like is not None and not self._still_suits(like, stream):
            return self._search(stream)
        # a plan of this block tells more than one of the block before
        hint = like
        if like is None and number < len(self.hints):
            hint = self.hints[number]
        if hint is not None and hint.bins:
            return self._kept_as_hinted(hint, stream, is_like=like is not None)
        is_constant = (values == values[0]).all()
        if not is_constant:
            return self._search(stream)
        return Plan(
            starts=values[:1].copy(),
            widths=np.zeros(1, np.int64),
            complete=self.complete or self.effort.reuse,
        )

    def _kept_as_hinted(self, hint: Plan, stream: Stream, is_like: bool) -> Plan:
        """The plan for a stream that `_as_hinted` makes of another plan, `hint`. In a block of few
        rows it is looked up in a cache first: it is there if the stream, and those that the hint
        looks at, had the same values when it was made. No cache is used where the effort reuses
        bins. is_like: whether the hint is of another column of this block."""
        if not self._keeps or self.effort.reuse:
            return self._as_hinted(hint, stream, is_like)
        others = [self.known.digest(number) for number in sorted(hint.looked_at)]
        settings = (is_like, self.complete, self.effort)
        key = (id(hint), digest_of(stream.values, stream.present), *others, settings)
        kept = KEPT_BY_HINT.get(key)
        # the number of a plan that is gone may be another's
        if kept is not None and kept[0] is hint:
            return kept[1]
        searches = self.searches
        plan = self._as_hinted(hint, stream, is_like)
        # a search looks at all streams before
        if searches == self.searches:
            KEPT_BY_HINT.keep(key, (hint, plan))
        return plan

    @property
    def _keeps(self) -> bool:
        """Whether plans of this block are put into the caches of plans, and taken from these: where
        it has few rows, at most SMALL_BLOCK (4,096), and no students, whose predictions are not
        among what is compared."""
        return self.known.rows <= SMALL_BLOCK and self.known.predict is None

    def _search(self, stream: Stream) -> Plan:
        """Search the plan for a stream, of at least one value, without another plan to begin from,
        as `_searched_anew` does. In a block of few rows it is looked up in a cache first: it is
        there if this stream, and all before it, had the same values when it was searched. Counts
        `searches`. Adds to `promised` what the plan saves by a combination or keys, in bits; may
        set stream.ready and stream.squeezed."""
        self.searches += 1
        if not self._keeps:
            return self._searched_anew(stream)
        values = digest_of(stream.values, stream.present)
        key = (self.known.digest_of_all(), values, self.complete, self.effort, self.known.rows)
        kept = KEPT_PLANS.get(key)
        if kept is None:
            promised_before = self.promised
            self.promised = 0.0
            plan = self._searched_anew(stream)
            kept = KEPT_PLANS.keep(key, (plan, self.promised))
            self.promised = promised_before
        plan, saved = kept
        self.promised += saved
        return plan

    def _as_hinted(self, hint: Plan, stream: Stream, is_like: bool) -> Plan:
        """The plan for a stream with the transform and the features of another plan, `hint`, and
        bins of its own.

        is_like: whether the hint is of another column of this block; without features the strength
        is then chosen anew. Else it is of the block before: it is returned as it is where the
        effort reuses and its bins still hold, and a plan is searched where it does not suit any
        more; the values may also be stored as compressed bytes, or coded by a mixture of contexts,
        where the effort tries that and it takes fewer bytes.
        """
        transformed = Plan(
            transform=hint.transform,
            of=hint.of,
            combined=hint.combined,
            pair=hint.pair,
        )
        residuals = transforms.residuals(transformed, stream, self.known)
        # of another column's plan only the transform and the features are taken over
        if self.effort.reuse and not is_like and _still_holds(hint, residuals):
            return hint
        if not is_like and not self._is_worth_adapting(hint, stream, residuals):
            return self._search(stream)
        plan = self._bin_for_each_value_as_in(hint, stream) or self._with_bins(
            transformed, residuals
        )
        symbols = integers.symbols_of(plan, residuals)
        plan = self._same_features(plan, hint, symbols)
        plan = plan.but(lanes_log=hint.lanes_log)
        if is_like:
            return plan if plan.features else self._with_strength(plan, symbols)
        if not self.effort.repeats:
            return plan
        # what was packed in the block before is tried without a quick look
        if hint.packed is not None:
            return self._otherwise_coded(plan, stream, _Look(0.0))
        # that the plan still suits is told by less
        look = _Look(self.effort.squeeze[1], LEAST_SQUEEZED_AGAIN, SQUEEZED // 2)
        return self._otherwise_coded(plan, stream, look)

    def _is_worth_adapting(self, hint: Plan, stream: Stream, residuals: Int) -> bool:
        """Whether the plan that a stream had in the block before, `hint`, is worth adapting to its
        values in this one. Not where all residuals were equal there and differ here; nor, unless
        the effort reuses bins, where its transform does not suit the stream, see `_still_suits`.
        residuals: (n,), what its transform leaves of the values here."""
        were_all_equal = hint.bins == 1 and not hint.widths.any()
        if were_all_equal and (residuals != residuals[0]).any():
            return False
        return self.effort.reuse or self._still_suits(hint, stream)

    def _bin_for_each_value_as_in(self, hint: Plan, stream: Stream) -> Plan | None:
        """The plan with one bin for each different value of a stream, if the hint is such a plan
        (without a transform, each bin of one value), and the values are at most MOST_LEVELS_TRIED
        (128) different ones; else None. Wide bins would lose what features that were chosen for
        such bins tell."""
        if hint.transform is not Transform.NONE or hint.widths.any():
            return None
        levels = np.unique(stream.values)
        if len(levels) > MOST_LEVELS_TRIED:
            return None
        widths = np.zeros(len(levels), np.int64)
        return Plan(starts=levels, widths=widths, complete=self.complete)

    def _with_bins(self, plan: Plan, residuals: Int, complete: bool | None = None) -> Plan:
        """A copy of the plan with the bins, at most effort.bins, that suit its residuals, (n,),
        best: what its transform leaves of the values, at least one. complete: whether every
        residual of the stream lies in a bin, so that no symbol is for those outside, which must be
        true of these residuals; None: as the planner says."""
        start, width = bins_of(residuals, self.effort.bins)
        if complete is None:
            complete = self.complete
        return plan.but(starts=start, widths=width, complete=complete)

    def _with_strength(self, plan: Plan, symbols: rans.U16) -> Plan:
        """Choose a plan's strength anew: a copy with the one of STRENGTHS (8, 2, 32) by which a
        sample of the stream's symbols, (n,), takes fewest bits. strength: how many symbols of equal
        frequency the first table counts before it has seen any. The plan has no features; with
        fewer than two bins it is returned as it is."""
        if plan.bins < 2:
            return plan
        rows = sample_rows(len(symbols), self.effort.sample)
        sample = symbols[rows]

        def bits(strength: int) -> float:
            """The bits that the sample takes with one strength."""
            layout = rans.Contexts(plan.bins, (), strength)
            pairs = rans.forward(sample, None, layout)
            return rans.cost(pairs)

        return plan.but(strength=min(STRENGTHS, key=bits))

    def _still_suits(self, like: Plan, stream: Stream) -> bool:
        """Whether a plan, `like`, of another column or of the block before, also suits this stream,
        by the bits of the residuals that its transform leaves, beside those of the stream's values
        and of their differences.

        A combination, whose factors may suit the other column alone, must take fewer than either; a
        plan without features, which many columns take over, at most ABOUT_AS_LITTLE (a quarter of a
        bit) a value more than the fewer of both. Other plans suit, without a look.
        """
        if like.combined is None and like.features:
            return True
        sizes = []
        for plan in (like, Plan(), Plan(transform=Transform.DIFFERENCE)):
            residuals = transforms.residuals(plan, stream, self.known)
            sizes.append(estimates.bits_a_value(residuals))
        size, *simple_sizes = sizes
        if like.combined is not None:
            return size < min(simple_sizes)
        return size <= min(simple_sizes) + ABOUT_AS_LITTLE

    def _same_features(self, plan: Plan, hint: Plan, symbols: rans.U16) -> Plan:
        """A copy of the plan with the features and the strength of `hint`. Classes of symbols are
        cut anew, at most as many: of the stream's own by `symbols`, (n,), those under the plan's
        bins; of another stream's by that one's. Classes of another stream's values stay as they
        are."""
        features: list[Feature] = []
        for feature in hint.features:
            # symbols are numbers of bins, and the bins of the two plans differ
            if isinstance(feature, OwnSymbol | Repeat):
                edges = classes_of(symbols, plan.bins, feature.radix)
                feature = dataclasses.replace(feature, edges=edges)
            elif isinstance(feature, OtherSymbol) and not isinstance(feature, OtherValue):
                others = self.known.symbols[feature.of]
                # one more stands in rows where that stream has no value
                alphabet = self.known.alphabets[feature.of] + 1
                edges = classes_of(others, alphabet, feature.radix)
                feature = dataclasses.replace(feature, edges=edges)
            features.append(feature)
        return plan.but(strength=hint.strength, features=tuple(features))

    def _searched_anew(self, stream: Stream) -> Plan:
        """Search the plan for a stream, of at least one value, without another plan to begin from
        and without a cache. Adds to `promised` what it saves by a combination or keys, in bits; may
        set stream.ready and stream.squeezed, as `_otherwise_coded` does."""
        rows = sample_rows(len(stream.values), self.effort.sample)
        parents = self._parents(stream)
        choices = self._transformed(stream, rows, parents)
        search = self._context_search(stream, rows, parents)
        best, best_uncombined = self._with_features(choices, search)
        # one bin for each value may do better than residuals, or than bins of several values
        if best.plan.transform is not Transform.NONE or best.plan.widths.any():
            by_levels = self._by_levels(stream, search)
            if by_levels is not None and by_levels.bits < best.bits:
                best_uncombined = min(best_uncombined, by_levels.bits)
                best = by_levels
        if best.plan.asks_others:
            # bits are of the sample; what is promised is of all values
            sampled = len(stream.values[rows]) / len(stream.values)
            self.promised += (best_uncombined - best.bits) / sampled
        plan = self._with_lanes(best.plan, stream, best.residuals)
        if not self.effort.repeats:
            return plan
        return self._otherwise_coded(plan, stream, _Look(self.effort.squeeze[0]))

    def _context_search(
        self,
        stream: Stream,
        rows: Rows,
        parents: Sequence[int],
    ) -> ContextSearch:
        """The search for contexts of a stream, the next of the block. rows: the sample, places in
        the stream's values; parents: the numbers of the earlier streams to look at."""
        kept = self._features_of_parents
        return ContextSearch(self.effort, self.known, stream, rows, parents, kept)

    def _transformed(
        self,
        stream: Stream,
        rows: Rows,
        parents: Sequence[int],
    ) -> list[_Choice]:
        """The plans with the most promising transforms, without bins and features; those that take
        fewest bits first, judged with bins that are found on the sample. rows: the sample, places
        in the stream's values; parents: the numbers of the earlier streams to look at."""
        tried: list[_TriedTransform] = []
        for number, plan in enumerate(self._transforms(stream, parents)):
            residuals = transforms.residuals(plan, stream, self.known)
            size = estimates.bits_a_value(residuals)
            tried.append(_TriedTransform(size, number, plan, residuals))
        # finding bins takes far longer than seeing which residuals are small: in any case they
        # are found only for the first two, values and differences
        usual = tried[:2]
        others = sorted(tried[2:], key=lambda attempt: (attempt.bits, attempt.number))
        uncombined = [attempt for attempt in others if attempt.plan.combined is None]
        best = others[:TRANSFORMS]
        # a combination only where it is among the best of all
        combined = [attempt for attempt in best if attempt.plan.combined is not None]
        choices = []
        for attempt in [*usual, *uncombined[:TRANSFORMS], *combined]:
            sample = attempt.residuals[rows]
            plan = self._with_bins(attempt.plan, sample, complete=False)
            bits = self._bits(plan, sample)
            choices.append(_Choice(bits, attempt.plan, attempt.residuals))
        choices.sort(key=lambda choice: choice.bits)
        return choices

    def _with_features(
        self, choices: Sequence[_Choice], search: ContextSearch
    ) -> tuple[_Choice, float]:
        """Add bins and features to the most promising plans, at most two that combine or key others
        and two that do not: (the best choice, the bits of the best one that predicts neither by a
        combination nor by keys; infinite if none was tried), bits being those of the sample. But
        for the first, those whose transform alone takes more than HOPELESS (1.5) times the bits of
        the best are passed over. choices: as `_transformed` returns them, at least one; search: of
        the same stream and sample."""
        # features may tell more of what a combination does not
        plain = [choice for choice in choices if not choice.plan.asks_others]
        combined = [choice for choice in choices[:3] if choice.plan.asks_others]
        hopeless = HOPELESS * choices[0].bits
        best: _Choice | None = None
        best_uncombined = np.inf
        for choice in [*plain[:2], *combined[:2]]:
            if best is not None and choice.bits > hopeless:
                continue
            residuals = choice.residuals
            plan = self._with_bins(choice.plan, residuals)
            bits, plan = search.best(plan, residuals)
            if not choice.plan.asks_others:
                best_uncombined = min(best_uncombined, bits)
            if best is None or bits < best.bits:
                best = _Choice(bits, plan, residuals)
        assert best is not None
        return best, best_uncombined

    def _by_levels(self, stream: Stream, search: ContextSearch) -> _Choice | None:
        """The best plan with one bin for each different value; None if there are more than
        MOST_LEVELS_TRIED (128), or the effort does not look at other columns. search: of this
        stream.

        Wide bins are found without regard to other columns. Which of many levels follows from
        another column, of no order, only bins of one level each can tell.
        """
        values = stream.values
        if not self.effort.columns:
            return None
        # the sample is a quick look, for columns of many values
        for part in (values[search.rows], values):
            levels = np.unique(part)
            if len(levels) > MOST_LEVELS_TRIED:
                return None
        widths = np.zeros(len(levels), np.int64)
        plan = Plan(starts=levels, widths=widths, complete=self.complete)
        bits, plan = search.best(plan, values)
        return _Choice(bits, plan, values)

    def _otherwise_coded(self, plan: Plan, stream: Stream, look: _Look) -> Plan:
        """Choose between a plan and other coders of the same stream, whichever takes fewest bytes:
        a mixture of contexts, if the effort mixes symbols, and compressors of bytes. The plan stays
        in a block of at most SMALL_BLOCK (4,096) rows, and if its bins need not hold all residuals.
        Else stream.ready is set to the stream as the plan codes it, and stream.squeezed as
        `_squeezed` says. look: when compressors are tried."""
        if self.known.rows <= SMALL_BLOCK or not self.complete:
            return plan
        # kept with the stream, as mostly this plan is the one that is written
        ready = integers.prepared(plan, stream, self.known)
        stream.ready = ready
        bits = 8 * len(ready.pushed.raw) + rans.cost(ready.pushed.pairs)
        if self.effort.mixes_symbols:
            plan, bits = self._mixed(plan, bits, stream)
        return self._squeezed(plan, bits, stream, look)

    def _mixed(self, plan: Plan, bits: float, stream: Stream) -> tuple[Plan, float]:
        """Choose between a plan and those that code the same stream by a mixture of contexts,
        whichever takes fewest bits; returned with these, the plan's description not counted. bits:
        what the plan takes, its description not counted. The plan stays for a stream of one symbol,
        of more than symbol_mixing.MOST_VALUES values, or of fewer than MIXTURE_BITS (32) bits, and
        where a mixture saves fewer bits than that."""
        count = len(stream.values)
        if plan.alphabet < 2 or count > symbol_mixing.MOST_VALUES or bits < MIXTURE_BITS:
            return plan, bits
        best = plan
        bits_of_best = bits
        # bits with the description; a mixture must save MIXTURE_BITS of them
        fewest = bits + _bits_of_description(plan) - MIXTURE_BITS
        parents = self._parents(stream)
        promising: list[tuple[float, Trial]] = []
        for rebinned in mixture_search.by_other_bins(plan, stream, self.known):
            other = mixture_search.mixture_of(rebinned, stream, self.known, parents)
            trial = Trial.of(other, stream, self.known)
            costs = trial.costs()
            bits_of_other = trial.raw + float(costs.sum())
            in_all = bits_of_other + _bits_of_description(other)
            if in_all < fewest:
                fewest = in_all
                best = other
                bits_of_best = bits_of_other
            # of few bits a regression can save but few
            if bits_of_other < LEAST_REGRESSED:
                continue
            regressed = trial.regressed(stream, self.known, parents)
            promise = None if regressed is None else regressed.promise(costs)
            if regressed is not None and promise is not None:
                promise += _bits_of_description(regressed.plan)
                promising.append((promise, regressed))
        promising.sort(key=lambda promise_and_trial: promise_and_trial[0])
        for promise, regressed in promising:
            if promise >= fewest:
                break
            bits_of_other = regressed.raw + float(regressed.costs().sum())
            in_all = bits_of_other + _bits_of_description(regressed.plan)
            if in_all < fewest:
                fewest = in_all
                best = regressed.plan
                bits_of_best = bits_of_other
        return best, bits_of_best

    def _squeezed(
        self,
        plan: Plan,
        bits: float,
        stream: Stream,
        look: _Look,
    ) -> Plan:
        """Choose between a plan and storing the values as compressed bytes: the plan, or a copy
        without its mixture that stores them by LZMA2 or a mixture of contexts, if these take fewer
        bytes.

        bits: what the plan takes, its description not counted. look: when compressors are tried.
        The compressed bytes, if any were made, are left in `stream.squeezed`. The plan stays if it
        takes less than look.least bytes, if no compressor is promising, or if they take
        LEAST_SAVING (0.99) of its bytes or more.
        """
        packed = _bytes_of_values(stream.values)
        as_bytes = plan.but(packed=packed, mixture=None)
        # about two bytes describe a bin
        size = bits / 8 + 2 * plan.bins
        if plan.mixture is not None:
            # many bins, one for each value, take far less, and bytes have them, too
            of_mixture = _bits_of_description(plan) - _bits_of_description(as_bytes)
            size = (bits + of_mixture) / 8
        if size < look.least:
            return plan
        names = self._promising_stages(packed, stream.values, size, look)
        if not names:
            return plan
        stream.squeezed = integers.squeezed(packed, stream.values, names)
        if len(stream.squeezed) >= LEAST_SAVING * size:
            return plan
        return as_bytes

    def _promising_stages(
        self,
        packed: Packed,
        values: Int,
        size: float,
        look: _Look,
    ) -> list[str]:
        """The names of the compressors of bytes, see stages, that are worth trying on all values,
        (n,), as a look at two parts of these, from the begin and the middle, tells: stages.USUAL,
        if LZMA2 takes at most look.promise times what the plan does, or that is 0; stages.MIXED, if
        the effort mixes, values are of at most two bytes, and it takes at most 1.1 times as much.
        [] if none is. packed: how values become bytes; size: bytes that the plan takes; look: when
        compressors are tried."""
        count = len(values)
        middle = count // 2
        parts = [values[: look.values], values[middle : middle + look.values]]
        count_of_parts = sum(len(part) for part in parts)
        # what the plan takes of the parts, if it takes as much of all values
        plan_bytes_of_parts = size * count_of_parts / count
        names: list[str] = []
        bytes_of_parts = 0
        if look.promise:
            for part in parts:
                bytes_of_parts += len(integers.squeezed(packed, part, quick=True))
        # with 64 bytes more for what a compressor writes beside its code
        if bytes_of_parts <= look.promise * plan_bytes_of_parts + 64:
            names += stages.USUAL
        if self.effort.mixes and packed.size <= WIDEST_MIXED:
            mixed_bytes = 0
            for part in parts:
                mixed_bytes += len(integers.squeezed(packed, part, (stages.MIXED,)))
            # on a part of the values it has learned less than on all
            if mixed_bytes <= MIXED_PROMISE * plan_bytes_of_parts:
                names.append(stages.MIXED)
        return names

    def small(self, plan: Plan) -> Plan:
        """A copy of the plan for a block of few rows: with one lane, one coder instead of several
        that take turns, without a mixture, and values not packed as bytes."""
        return plan.but(lanes_log=0, packed=None, mixture=None)

    def _transforms(self, stream: Stream, parents: Sequence[int]) -> Iterator[Plan]:
        """Yield plans of nothing but a transform that are worth a look for a stream, the next of
        the block: first those of the values and of their differences, then, if the effort looks at
        other columns, second differences, combinations and keys (if it tries these), and of each
        parent values grouped by it, and differences to it, where the spread of the values promises
        something. parents: the numbers of earlier streams that may be looked at."""
        yield Plan()
        yield Plan(transform=Transform.DIFFERENCE)
        if not self.effort.columns:
            return
        yield Plan(transform=Transform.SECOND)
        if self.effort.combinations:
            yield from combining.combinations(stream, parents, self.known)
            yield from self.keying.plans(stream, parents, self.known)
        spread = estimates.spread(stream.values)
        # of few rows each group has but a few, and what describes it counts
        is_small = self.known.rows <= SMALL_BLOCK
        least_grouped = LEAST_SPREAD_OF_FEW if is_small else LEAST_SPREAD
        for parent in parents:
            other = self.known.values[parent]
            if stream.present is not None:
                other = other[stream.present]
            # of more groups each has few rows, and its last value is long ago
            makes_groups = 2 <= self.known.alphabets[parent] <= MOST_GROUPS
            if makes_groups and spread > least_grouped:
                yield Plan(transform=Transform.GROUPED, of=parent)
            if spread <= LEAST_SPREAD:
                continue
            spread_of_differences = estimates.spread(stream.values - other)
            if spread_of_differences < LESS_SPREAD * spread:
                yield Plan(transform=Transform.COLUMN, of=parent)

    def _bits(self, plan: Plan, residuals: Int) -> float:
        """Estimate the bits that residuals, (n,), take if their symbols are coded by one
        frequency table, without features, and those that the bins take in the plan's description.
        What lies in no bin counts as BITS_OUTSIDE (80). plan: with bins that are not complete."""
        symbols = integers.symbols_of(plan, residuals)
        layout = rans.Contexts(plan.bins + 1)
        pairs = rans.forward(symbols, None, layout)
        widths = np.append(plan.widths, BITS_OUTSIDE)
        raw = float(widths[symbols].sum())
        of_plan = BIN_BITS * plan.bins + bits_of_terms(plan)
        return raw + rans.cost(pairs) + of_plan

    def _parents(self, stream: Stream) -> list[int]:
        """The numbers, ascending, of the earlier streams that a plan for this stream, the next one,
        may look at: all, or, of more than WIDE (96), the first ones, the last ones, and, of WINDOW
        (512) before it, those most correlated with it, so that the search takes time in proportion
        to the columns."""
        count = len(self.known.values)
        if count <= WIDE:
            return list(range(count))
        # the fewer rows, the less the search of each parent takes, and the more may be looked at
        parent_count = next(most for rows, most in PARENTS if self.known.rows >= rows)
        # those of the streams that came since the last look
        outlined = len(self._outlines)
        for values in self.known.values[outlined:]:
            self._outlines.append(estimates.outline(values))
        values = stream.values
        if stream.present is not None:
            values = np.zeros(self.known.rows, np.int64)
            values[stream.present] = stream.values
        first = max(0, count - WINDOW)
        window = np.stack(self._outlines[first:])
        correlations = window @ estimates.outline(values)
        # streams that go against each other tell as much; ties in their order, on every machine
        by_likeness = np.argsort(-np.abs(correlations), kind="stable")
        alike = by_likeness[:parent_count] + first
        # a quarter as many of the first streams, half as many of the last ones
        near = range(count - parent_count // 2, count)
        return sorted({*range(parent_count // 4), *near, *alike.tolist()})

    def best_features(self, stream: Stream, symbols: rans.U16, most: int) -> list[Feature]:
        """At most `most` features, each of a different earlier stream, with which the symbols of
        this one, (n,), take fewest bits on a sample; the best first. [] without an earlier one."""
        rows = sample_rows(len(symbols), self.effort.sample)
        parents = self._parents(stream)
        search = self._context_search(stream, rows, parents)
        best: list[Feature] = []
        for feature in search.of_others_by_cost(symbols):
            if all(feature.stream != other.stream for other in best):
                best.append(feature)
        return best[:most]

    def _with_lanes(self, plan: Plan, stream: Stream, residuals: Int) -> Plan:
        """A copy of the plan with as many lanes, coders that take turns, as the bytes of its coded
        residuals, (n,), allow: LANE_BYTES (1,024) for each, 256 lanes at most, a power of two.
        The plan itself, which has one lane, if it looks for repeats. stream: the one it is for."""
        if any(isinstance(feature, Repeat) for feature in plan.features):
            return plan
        symbols = integers.symbols_of(plan, residuals)
        base, layout = integers.contexts(plan, stream, self.known)
        size = 0.0
        if layout.alphabet > 1:
            pairs = rans.forward(symbols, base, layout)
            size = rans.cost(pairs) / 8
        lanes_log = 0
        while lanes_log < 8 and size > LANE_BYTES << lanes_log:
            lanes_log += 1
        return plan.but(lanes_log=lanes_log)


def _still_holds(plan: Plan, residuals: Int) -> bool:
    """Whether a plan's bins still hold these residuals, (n,), what its transform leaves of the
    values: all but at most one in FEW (2,000), or all of them if the plan can store no others."""
    symbols = integers.symbols_of(plan, residuals)
    outside = int((symbols == plan.bins).sum())
    if plan.complete:
        return not outside
    return outside * FEW <= len(symbols)


def _bits_of_description(plan: Plan) -> int:
    """Bits that the description of a plan, deflated by itself, takes; beside others like it in a
    block it takes fewer."""
    return 8 * len(deflate(plan.to_json()))


def _bytes_of_values(values: Int) -> Packed:
    """How to write values, (n,), at least one, as bytes: the least value, and the fewest bytes (1,
    2, 4 or 8) that hold every value's distance from it."""
    low = int(values.min())
    high = int(values.max())
    # as Python's integers: the range of 64-bit numbers may need one bit more
    farthest = high - low
    size = next(size for size in (1, 2, 4, 8) if farthest < 1 << 8 * size)
    return Packed(low, size)


def bits_of(
    plan: Plan,
    stream: Stream,
    known: Known,
    prime: integers.Counts = None,
) -> float:
    """Bits that a stream's values take under a plan, its description not counted, coded as symbols,
    also where the plan packs them as bytes. known: the streams before it. prime: (contexts,
    alphabet), counts of symbols that the frequency tables begin with, which a mixture does not
    read; None: none. ArchiveError if the plan's tables would be too large, or it names a stream or
    a student that is not there."""
    residuals = transforms.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, residuals)
    # a symbol has the raw bits of a place in its bin, an escape those of a whole number
    widths = np.append(plan.widths, integers.MOST_RAW_BITS)
    raw = float(widths[symbols].sum())
    if plan.mixture is not None:
        mixture = integers.mixture_layout(plan, stream, known, len(symbols))
        return raw + float(symbol_mixing.costs(symbols, mixture).sum())
    base, layout = integers.contexts(plan, stream, known, prime, symbols)
    pairs = rans.forward(symbols, base, layout)
    return raw + rans.cost(pairs)
