"""Search for the contexts that code a column's symbols in fewest bits: which features of other
columns, of the symbol before and of repeats are combined.

Features are added one by one, always the one that lowers the bits of a sample most. Nothing here is
needed to decode, so floating point is welcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from aetool.codec import integers, keys, rans, transforms
from aetool.codec.kept import Kept, digest_of
from aetool.codec.plans import (
    MAX_CLASSES,
    Classes,
    Feature,
    OtherSymbol,
    OtherValue,
    OwnSymbol,
    Plan,
    Repeat,
    Seen,
    Transform,
    Unchanged,
)
from aetool.codec.streams import Known, Stream
from aetool.model import Int

BIN_BITS = 20.0  # what a bin costs: its place in the plan, and learning its frequency
FEATURE_BITS = 48.0
EDGE_BITS = 2.0  # of classes, beside the digits that say how far they are apart
TERM_BITS = 56.0  # of a combination, and of its divisor
STRENGTHS = (8, 2, 32)  # of tables, the usual one first
LEAST_GAIN = 0.997  # of the bits, to which one more feature must lower them
MOST_KEPT = 1 << 26  # bytes of features of other streams that are kept for the streams after them
KEPT_COSTS: Kept[float] = Kept(1 << 17)
SORTED = 8192  # values, at least, of which classes are cut, where there are as many
ROWS_KEPT = 1024  # of a block whose features are kept for other blocks
# lists of about eight candidates, with a number for each row
KEPT_FEATURES: Kept[list[Candidate]] = Kept(1 << 9)
NO_INTEGERS = np.zeros(0, np.int64)
NO_SYMBOLS = np.zeros(0, np.uint16)

Rows = Int | slice  # of a stream, that are looked at


class Limits(Protocol):
    """The limits of a search for contexts: how many features, classes and frequencies are tried,
    and how often. planning.Effort says what each number is."""

    @property
    def features(self) -> int:
        """How many features, at most, together choose a symbol's frequency table."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Into how many classes, at most, the values of a feature are cut; each of these is
        tried."""

    @property
    def cells(self) -> int:
        """How many frequencies, at most, a stream's tables have together: tables x symbols."""

    @property
    def second(self) -> int:
        """How many of the features that were not chosen, those that saved most, are tried again in
        the next round, once one is chosen."""

    @property
    def repeats(self) -> tuple[int, ...]:
        """How many symbols must come again to predict the next; each of these is tried."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A feature that may become part of the context by which a symbol's frequency table is chosen.

    marks: (sampled rows,) uint32, its value, below radix, in each row of the sample; None for the
    stream's own symbol before, which the coder looks up itself. radix: how many values it can have.
    bits: what its description takes in the plan.
    """

    feature: Feature
    marks: rans.U32 | None
    radix: int
    bits: float

    @classmethod
    def of(cls, feature: Feature, marks: rans.U32 | None, radix: int) -> Candidate:
        """The candidate for a feature, with the bits that it takes in the plan. marks: (sampled
        rows,), its value in each row of the sample, None for the stream's own symbol before; radix:
        how many values it can have."""
        return cls(feature, marks, radix, bits_of_feature(feature))

    @cached_property
    def digest(self) -> bytes:
        """A hash of the values in the sample, the same for features with equal values there."""
        assert self.marks is not None
        return hashlib.blake2b(self.marks.tobytes(), digest_size=16).digest()

    @cached_property
    def key(self) -> Hashable:
        """A hashable key by which costs are kept: features of equal keys make the same contexts on
        the rows of the sample, so that symbols take as many bits with either."""
        if self.marks is None:
            assert isinstance(self.feature, OwnSymbol)
            return (self.feature.edges.tobytes(), self.radix)
        return (self.digest, self.radix)

    @property
    def is_own(self) -> bool:
        """Whether the feature is the stream's own symbol before, which stands first in each context
        that has it."""
        return isinstance(self.feature, OwnSymbol)


@dataclass(frozen=True, eq=False)
class Part:
    """The sampled part of a stream. symbols: (sampled rows,), its symbols in these rows; digest: a
    hash of them."""

    symbols: rans.U16
    digest: bytes

    @classmethod
    def of(cls, symbols: rans.U16) -> Part:
        """These symbols of a stream, (sampled rows,), with their hash."""
        return cls(symbols, digest_of(symbols))


@dataclass(eq=False)
class Parent:
    """The features of one earlier stream that may become context, found on the sampled rows of a
    stream that has a value in each row: they are the same for all such streams.

    values, symbols: those of the earlier stream, from which the candidates were found.
    """

    values: Int
    symbols: rans.U16
    candidates: list[Candidate]

    @property
    def nbytes(self) -> int:
        """How many bytes the candidates take in memory."""
        marks = [candidate.marks for candidate in self.candidates]
        return sum(values.nbytes for values in marks if values is not None)


class Parents:
    """The features of the earlier streams of a block, kept for the streams after them.

    They are kept until they take MOST_KEPT (64 MiB); those of streams beyond are found again each
    time.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Parent] = {}
        self._room = MOST_KEPT

    def get(self, number: int, known: Known) -> list[Candidate] | None:
        """The candidates that were kept for stream `number` of `known`; None where none were, or
        they were of another stream of this number."""
        kept = self._kept.get(number)
        if kept is None:
            return None
        # a stream that was only tried may have had the number of another that came to stay
        is_same = kept.values is known.values[number] and kept.symbols is known.symbols[number]
        return kept.candidates if is_same else None

    def keep(self, number: int, known: Known, candidates: list[Candidate]) -> None:
        """Keep the candidates of stream `number` of `known`, if there is room for them. What was
        kept for that number before is forgotten in any case."""
        before = self._kept.pop(number, None)
        if before is not None:
            self._room += before.nbytes
        parent = Parent(known.values[number], known.symbols[number], candidates)
        if parent.nbytes <= self._room:
            self._room -= parent.nbytes
            self._kept[number] = parent


@dataclass(eq=False)
class ContextSearch:
    """Searches the features to code one stream with, for one plan after the other.

    limits: how many features, classes and frequencies are tried. known: the streams of the block
    before it. stream: the one to code. rows: the sample, as places among the rows in which the
    stream has values, a slice or (sampled rows,). parents: the numbers of the earlier streams whose
    symbols and values may be features. kept: the features of parents that searches for other
    streams of the block have found, by the same limits and with as many rows in the sample.
    """

    limits: Limits
    known: Known
    stream: Stream
    rows: Rows
    parents: Sequence[int]
    kept: Parents

    def best(self, plan: Plan, residuals: Int) -> tuple[float, Plan]:
        """Choose the features for a plan: (bits that the sample and the plan's description then
        take, the plan with these features and the best of STRENGTHS, for how many symbols a table
        with one feature less counts). A feature is added only if it lowers these bits to LEAST_GAIN
        (0.997) of what they were, or less; a plan of fewer than two bins gets none. The stream's
        own symbol comes first among them. plan: without features; residuals: (n,) int64, of all
        values of the stream, under the plan."""
        symbols = integers.symbols_of(plan, residuals)
        sample = Part.of(symbols[self.rows])
        # bits that no context changes
        fixed = float(plan.widths[sample.symbols].sum())
        fixed += BIN_BITS * plan.bins
        fixed += bits_of_terms(plan)
        if plan.bins < 2:
            return fixed, plan
        chosen: list[Candidate] = []
        bits = self._bits(sample, plan.bins, chosen)
        candidates = [*self._own_candidates(plan, symbols), *self._candidates_of_others]
        while candidates and len(chosen) < self.limits.features:
            bits_with = []
            for candidate in candidates:
                bits_with.append(self._bits(sample, plan.bins, [*chosen, candidate]))
            order = np.argsort(bits_with, kind="stable")
            fewest_bits = float(bits_with[order[0]])
            if fixed + fewest_bits > LEAST_GAIN * (fixed + bits):
                break
            bits = fewest_bits
            best_candidate = candidates[order[0]]
            chosen.append(best_candidate)
            # what saved little alone seldom saves more beside another
            candidates = [candidates[place] for place in order[1 : 1 + self.limits.second]]
            if isinstance(best_candidate.feature, OwnSymbol | Repeat):
                # a stream has one symbol before, and one repeat
                kind = type(best_candidate.feature)
                candidates = [other for other in candidates if type(other.feature) is not kind]
        strength = STRENGTHS[0]
        for other in STRENGTHS[1:]:
            bits_of_other = self._bits(sample, plan.bins, chosen, other)
            if bits_of_other < bits:
                bits = bits_of_other
                strength = other
        features = tuple(candidate.feature for candidate in _own_first(chosen))
        return fixed + bits, plan.but(strength=strength, features=features)

    def of_others_by_cost(self, symbols: rans.U16) -> list[Feature]:
        """The features that are classes of another stream's symbols, in the order of the bits that
        the sample takes of `symbols` with each feature alone, fewest first. symbols: (n,), of all
        values of the stream."""
        alphabet = int(symbols.max(initial=0)) + 1
        sample = Part.of(symbols[self.rows])
        by_cost: list[tuple[float, int, Feature]] = []
        for place, candidate in enumerate(self._candidates_of_others):
            if isinstance(candidate.feature, OtherSymbol):
                # the symbols alone, without the description of the feature
                bits_of_symbols = self._bits(sample, alphabet, [candidate]) - candidate.bits
                by_cost.append((bits_of_symbols, place, candidate.feature))
        by_cost.sort()
        return [feature for _, _, feature in by_cost]

    def _bits(
        self,
        sample: Part,
        alphabet: int,
        chosen: Sequence[Candidate],
        strength: int = 8,
    ) -> float:
        """Bits that the symbols of the sample take with the features `chosen` as their context,
        added to the bits of the features' description; infinite if the frequency tables would have
        more cells than the limit. What was computed before is kept.

        sample: the sample's symbols, each below `alphabet`; chosen: in any order, as the stream's
        own symbol is moved to the front; strength: for how many symbols the table with one feature
        less counts.
        """
        of_features = sum(candidate.bits for candidate in chosen)
        ordered = _own_first(chosen)
        keys_of_features = [candidate.key for candidate in ordered]
        key = (sample.digest, alphabet, strength, self.limits.cells, *keys_of_features)
        bits_of_symbols = KEPT_COSTS.get(key)
        if bits_of_symbols is None:
            bits_of_symbols = self._coded_bits(sample.symbols, alphabet, ordered, strength)
            KEPT_COSTS.keep(key, bits_of_symbols)
        return bits_of_symbols + of_features

    def _coded_bits(
        self,
        symbols: rans.U16,
        alphabet: int,
        chosen: Sequence[Candidate],
        strength: int,
    ) -> float:
        """Bits that symbols, (sampled rows,), each below `alphabet`, take with the features
        `chosen` as their context, in this order; infinite if the frequency tables would have more
        cells, tables x symbols, than the limit. strength: for how many symbols the table with one
        feature less counts."""
        base: rans.U32 | None = None
        radices: list[int] = []
        own = None
        for candidate in chosen:
            # features are digits of one number, the context's, each of its own radix
            radices.append(candidate.radix)
            if isinstance(candidate.feature, OwnSymbol):
                own = integers.classes_of_symbols(candidate.feature.edges, alphabet)
            elif base is None:
                base = candidate.marks
            elif candidate.marks is not None:
                base = base * np.uint32(candidate.radix) + candidate.marks
        layout = rans.Contexts(alphabet, tuple(radices), strength, own)
        if layout.size * alphabet > self.limits.cells:
            return np.inf
        return rans.cost(rans.forward(symbols, base, layout))

    def _own_candidates(self, plan: Plan, symbols: rans.U16) -> Iterator[Candidate]:
        """Yield the features of the stream itself that may become context, which depend on the
        plan: its symbol before, its repeats, and how often a key came before. symbols: (n,), of all
        values of the stream."""
        for most_classes in self.limits.classes:
            own_symbol = OwnSymbol(classes_of(symbols, plan.bins, most_classes))
            yield Candidate.of(own_symbol, None, own_symbol.radix)
        for repeat_length in self.limits.repeats:
            edges = classes_of(symbols, plan.bins, min(plan.bins, MAX_CLASSES))
            classes = integers.classes_of_symbols(edges, plan.bins)
            marks = rans.repeats(symbols, classes, repeat_length)
            # nothing that came again, or one of the classes, each short or long ago
            radix = 2 * len(edges) + 3
            yield Candidate.of(Repeat(edges, repeat_length), marks[self.rows], radix)
        if plan.transform is Transform.KEYED:
            times_before = transforms.course(plan, self.stream, self.known).times_before()
            yield Candidate.of(Seen(), times_before[self.rows], keys.MOST_SEEN + 1)

    @cached_property
    def _candidates_of_others(self) -> list[Candidate]:
        """The features of earlier streams that may become context: classes of their symbols or
        values, and whether they changed. They are the same under every plan. Of features with equal
        values in the sample only the first is kept; none of a stream whose alphabet is one symbol,
        with a value in every row of the sample. Computed once."""
        candidates: list[Candidate] = []
        values_so_far: set[bytes] = set()
        for parent in self.parents:
            for candidate in self._candidates_of_parent(parent):
                # few levels make the same classes of symbols and of values, however many may be
                if candidate.digest not in values_so_far:
                    values_so_far.add(candidate.digest)
                    candidates.append(candidate)
        return candidates

    def _candidates_of_parent(self, parent: int) -> list[Candidate]:
        """The features of the earlier stream number `parent` that may become context. Where the
        stream to code has a value in every row they are the same for all such streams of the block,
        and are found once."""
        if self.stream.present is not None:
            return self._find_candidates(parent)
        kept = self.kept.get(parent, self.known)
        if kept is not None:
            return kept
        candidates = self._kept_between_blocks(parent)
        self.kept.keep(parent, self.known, candidates)
        return candidates

    def _kept_between_blocks(self, parent: int) -> list[Candidate]:
        """The features of the earlier stream number `parent` that may become context of a stream
        with a value in every row. Those of blocks of at most ROWS_KEPT (1,024) rows are kept for
        other blocks with an equal stream, too."""
        # of many rows what is kept would take much room
        if self.known.rows > ROWS_KEPT:
            return self._find_candidates(parent)
        key = (self.known.digest(parent), parent, self.limits.classes)
        candidates = KEPT_FEATURES.get(key)
        if candidates is None:
            candidates = KEPT_FEATURES.keep(key, self._find_candidates(parent))
        return candidates

    def _find_candidates(self, parent: int) -> list[Candidate]:
        """Find the features of the earlier stream number `parent` that may become context: classes
        of its symbols, classes of its values, for each number of classes that the limits name, and
        whether its value is that of the row before, each with its values in the sample. [] if the
        stream's alphabet is one symbol, and it has a value in every sampled row."""
        sample = self._sample
        values = self.known.values[parent][self._rows_of_block]
        symbols = self.known.symbols[parent][self._rows_of_block]
        # with the symbol of rows without a value, which is behind the others
        alphabet = self.known.alphabets[parent] + 1
        if alphabet < 3 and int(symbols.max(initial=0)) == 0:
            return []
        features: list[Feature] = []
        for most_classes in self.limits.classes:
            edges = classes_of(symbols, alphabet, most_classes)
            features.append(OtherSymbol(edges, parent))
            edges = quantiles(values, most_classes)
            if len(edges):
                features.append(OtherValue(edges, parent))
        sample.values[parent] = values
        sample.symbols[parent] = symbols
        candidates = []
        # its values are all in `sample`; those of the stream to code are not looked at
        for feature in [*features, Unchanged(parent)]:
            marks, radix = integers.feature_of(feature, Stream(NO_INTEGERS), sample)
            candidates.append(Candidate.of(feature, marks, radix))
        sample.values[parent] = NO_INTEGERS
        sample.symbols[parent] = NO_SYMBOLS
        return candidates

    @cached_property
    def _rows_of_block(self) -> Rows:
        """The sample as places among the rows of the block: a slice, or (sampled rows,)."""
        if self.stream.present is None:
            return self.rows
        return np.flatnonzero(self.stream.present)[self.rows]

    @cached_property
    def _sample(self) -> Known:
        """A stand-in for `known` that holds sampled rows alone: as many earlier streams, all empty.
        `_find_candidates` puts one of them in at a time, (sampled rows,), and takes it out again.
        Neighbouring rows of the sample need not be neighbours in the block."""
        part = Known(self.known.rows, alphabets=self.known.alphabets)
        count = len(self.known.values)
        part.values = [NO_INTEGERS] * count
        part.symbols = [NO_SYMBOLS] * count
        return part


def _own_first(chosen: Sequence[Candidate]) -> list[Candidate]:
    """The chosen features as a list, in their order, but with the stream's own symbol before, if it
    is among them, moved to the front."""
    own = [one for one in chosen if one.is_own]
    others = [one for one in chosen if not one.is_own]
    return own + others


def bits_of_feature(feature: Feature) -> float:
    """About how many bits a feature takes in the plan: FEATURE_BITS (48), and for classes those of
    the edges between them: nothing where an edge is one above the one before, else EDGE_BITS (2)
    and as many as the step between the two has."""
    if not isinstance(feature, Classes):
        return FEATURE_BITS
    steps = np.diff(feature.edges)
    apart = steps[steps > 1]
    digits = np.log2(apart.astype(np.float64))
    return FEATURE_BITS + float((EDGE_BITS + digits).sum())


def bits_of_terms(plan: Plan) -> float:
    """About how many bits a plan's combination of columns (a weighted sum, or what is computed of
    two, that predicts) takes in the plan: TERM_BITS (56) for each of its terms, and for its divisor
    or operator; 0 without one."""
    if plan.combined is None:
        return 0.0
    return TERM_BITS * plan.combined.size


def classes_of(symbols: rans.U16, alphabet: int, most_classes: int) -> Int:
    """Cut the symbols 0 .. alphabet - 1 into at most `most_classes` classes that have about equally
    many of `symbols`, (n,): returns the first symbol of each class but the lowest, (classes - 1,)
    int64, ascending. There are fewer classes where few symbols hold most of them. Each symbol of
    the alphabet is a class of its own if it has no more than `most_classes`."""
    if alphabet <= most_classes:
        return np.arange(1, alphabet)
    frequency = np.bincount(symbols, minlength=alphabet)[:alphabet]
    symbols_left = float(frequency.sum())
    classes_left = most_classes
    edges = []
    in_class = 0.0
    for symbol, count in enumerate(frequency[:-1].tolist()):
        # each class takes its share of what is left for it and those after it
        in_class += count
        is_full = in_class >= symbols_left / classes_left and in_class > 0
        if is_full and classes_left > 1:
            edges.append(symbol + 1)
            symbols_left -= in_class
            in_class = 0.0
            classes_left -= 1
    return np.array(edges, np.int64)


def quantiles(values: Int, most_classes: int) -> Int:
    """Cut values, (n,), into at most `most_classes` classes of about equally many: returns the
    least value of each class but the lowest, (classes - 1,) int64, ascending; fewer where values
    repeat, none of no values. Of 16,384 values or more only every k-th is looked at, so that SORTED
    (8,192) to 16,383 are."""
    if not len(values):
        return NO_INTEGERS
    step = max(1, len(values) // SORTED)
    ordered = np.sort(values[::step])
    # class i begins at the fraction i / most_classes of the ordered values
    begins = np.arange(1, most_classes) * len(ordered) // most_classes
    edges = np.unique(ordered[begins])
    return np.asarray(edges[edges > ordered[0]])
