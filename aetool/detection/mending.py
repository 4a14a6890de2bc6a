"""Reasons in turn: what makes a record odd is put right before the next reason is looked for.

Where one value is wrong, those that go with it look wrong too; and where a cell holds nothing, all
that is foretold from it is a guess. So a column is a reason only if the record is still odd once
the cells named before it are as expected. What is left is a small set of cells without which the
record would be ordinary: a counterfactual explanation (Wachter, Mittelstadt & Russell 2018).

This is asked of flagged records alone, as it takes some ten times as long as their scores. Of other
records, which need no mending, `reasons.columns` names what costs most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.columns.column import ODD
from aetool.columns.schema import Schema
from aetool.data.table import Mask
from aetool.detection import reasons
from aetool.model import Float, Int

# of the rows of training: where no more of a column's cells hold nothing, such a cell is rare
RARE = 0.05
# in which cells that are mended together get what is expected beside each other
ROUNDS = 3
# Columns of a record that are tried in each turn. One value a million times too high makes several
# others cost even more, as these are foretold from it: the culprit need not be among the first
# three.
CANDIDATES = 8
IN_FULL = 32.0  # bits that a surprise counts for; beyond, as much as its logarithm grows
# Times as much as one cell alone lowers the score, that all impossible ones have to: beside one
# wrong value there may be others that are far out, and right.
TOGETHER = 2.0


@dataclass(frozen=True, eq=False)
class Judged:
    """Records with what a model says of them. X: (rows, columns), the records; scores: (rows,);
    surprise: (rows, columns), of each value given the others; expected: (rows, columns). X and
    expected are in user units."""

    X: Float
    scores: Float
    surprise: Float
    expected: Float

    def of(self, rows: Int | Mask) -> Judged:
        """Copies of some of the records, by their indices or by a mask."""
        return Judged(
            X=self.X[rows],
            scores=self.scores[rows],
            surprise=self.surprise[rows],
            expected=self.expected[rows],
        )

    def put(self, rows: Int | Mask, others: Judged) -> None:
        """Put other records in place of those with these indices, or of those of a mask, in these
        arrays. others: as many as are replaced, in the same order."""
        self.X[rows] = others.X
        self.scores[rows] = others.scores
        self.surprise[rows] = others.surprise
        self.expected[rows] = others.expected


@dataclass(frozen=True, eq=False)
class Told:
    """Why records are odd. named: for each the indices of the columns to name, the most important
    first; surprise: (rows, columns), of what is there as if no rare gap were beside it, and of a
    rare gap how rare it is; expected: (rows, columns) in user units."""

    named: list[list[int]]
    surprise: Float
    expected: Float


@dataclass(frozen=True, eq=False)
class Mender:
    """Finds the reasons for records by putting right one after the other.

    schema: with how the records are written; judge: asks the model about records, (rows, columns)
    in user units; usual: (columns,), what each column ordinarily costs, in bits as surprise is;
    p_values: computes of scores, (rows,), the part p of ordinary records that score as high, above
    0; threshold: the score above which a record is an anomaly.
    """

    schema: Schema
    judge: Callable[[Float], Judged]
    usual: Float
    p_values: Callable[[Float], Float]
    threshold: float

    def told(self, X: Float) -> Told:
        """Find why each of these records, (rows, columns) in user units, is odd; X is not changed.

        In each turn that cell is mended whose mending lowers the score most, or at once all those
        that hold nothing and hardly ever do, or all those whose values are impossible by
        themselves; until the record is put right (see `_p_put_right`), three columns are named, or
        nothing helps. Where nothing ever does, the columns that cost more than usual are named.
        """
        # what changes from turn to turn: the records as they are by now, which of their cells hold
        # nothing, and the columns that are named
        judged = self.judge(X.copy())
        blank = self._rarely_blank(judged)
        named: list[list[int]] = [[] for _ in X]
        p_put_right = self._p_put_right(judged.scores)
        filled = self._fill_blank(judged, blank)
        # a gap is as surprising as gaps are rare in its column, whatever the others hold
        bits_of_blank = reasons.blank_bits(self.schema, X)
        bits_alone = reasons.marginal_bits(self.schema, X)
        surprise = np.where(
            blank,
            self.usual + bits_of_blank,
            filled.surprise,
        )
        expected = filled.expected.copy()
        mended = np.zeros(blank.shape, np.bool_)
        still_odd = np.arange(len(X))
        while len(still_odd):
            before = judged.of(still_odd)
            is_blank = blank[still_odd]
            names = [named[row] for row in still_odd]
            costly = self._costly_columns(filled, is_blank, names)
            better, cells = self._mend_best(before, filled, is_blank, costly)
            self._mend_impossible(before, is_blank, mended[still_odd], better, cells)
            for index, row in enumerate(still_odd):
                places = np.flatnonzero(cells[index])
                # of several cells the rarest first
                rarest_first = np.argsort(-bits_alone[row, places], kind="stable")
                places = places[rarest_first]
                # and before them those of which is known how much each lowers the score
                by_fall = [place for place in costly[index] if place in places]
                named[row] += by_fall + [place for place in places.tolist() if place not in by_fall]
                if not named[row]:
                    # nothing helps: what costs more than usual is all there is to say
                    named[row] += costly[index]
            blank[still_odd] &= ~cells
            mended[still_odd] |= cells
            # what was expected beside a wrong value was wrong, too
            better = self._mend_again(better, mended[still_odd])
            expected[still_odd] = np.where(mended[still_odd], better.X, expected[still_odd])
            judged.put(still_odd, better)
            # the others are done: put right, beyond help, or told by three columns
            is_odd = self.p_values(better.scores) < p_put_right[still_odd]
            is_helped = cells.any(axis=1)
            counts = np.array([len(named[row]) for row in still_odd])
            still_odd = still_odd[is_odd & is_helped & (counts < reasons.MOST)]
            filled = self._fill_blank(judged.of(still_odd), blank[still_odd])
        first_named = [places[: reasons.MOST] for places in named]
        return Told(first_named, surprise, expected)

    def _p_put_right(self, scores: Float) -> Float:
        """(rows,): the p-value from which on each record counts as put right: it is no anomaly, and
        no more than half as rare, in bits -log2 p. scores: of the records as they are."""
        threshold = np.array([self.threshold])
        p_of_threshold = self.p_values(threshold)
        # half of the bits are the root of the probability
        p_of_half = np.sqrt(self.p_values(scores))
        p_put_right: Float = np.maximum(p_of_half, p_of_threshold)
        return p_put_right

    def _rarely_blank(self, judged: Judged) -> Mask:
        """(rows, columns) bool: the cells that are a gap, or hold something that is not of their
        column's kind, in columns where at most 5 % of training's cells did (RARE), and that can be
        filled with what is expected. Conditions are left out. judged: the records, with what the
        model expects."""
        X = judged.X
        is_gap = np.isnan(X)
        is_odd = X == ODD
        columns = self.schema.modelled
        missing = np.array([column.missing for column in columns])
        odd = np.array([column.odd for column in columns])
        # what a record is judged by is itself not judged
        is_judged = np.array([not column.condition for column in columns])
        most = RARE * self.schema.rows
        is_rare_gap = is_gap & (missing <= most)
        is_rarely_odd = is_odd & (odd <= most)
        blank = (is_rare_gap | is_rarely_odd) & is_judged
        # of a column that was empty in training nothing is expected
        filled = self._with_expected(X, judged.expected, blank)
        is_filled = np.isfinite(filled) & (filled != ODD)
        return np.asarray(blank & is_filled)

    def _fill_blank(self, judged: Judged, blank: Mask) -> Judged:
        """The records `judged`, with what is expected in place of their blank cells, judged again:
        a copy, or where no cell is blank `judged` itself. blank: (rows, columns) bool, which cells
        are. In the cells that were filled, `expected` stays what it was before."""
        rows = np.flatnonzero(blank.any(axis=1))
        # most records lack nothing, and are not judged twice
        if not len(rows):
            return judged
        before = judged.of(rows)
        cells = blank[rows]
        X = self._with_expected(before.X, before.expected, cells)
        again = self.judge(X)
        again.expected[cells] = before.expected[cells]
        every_row = np.arange(len(judged.X))
        all_records = judged.of(every_row)
        all_records.put(rows, again)
        return all_records

    def _costly_columns(
        self,
        filled: Judged,
        blank: Mask,
        named: Sequence[Sequence[int]],
    ) -> list[list[int]]:
        """For each record the columns that cost more than usual, at most CANDIDATES (8), that one
        first whose mending lowers the score most; none that is blank, (rows, columns), or named
        already, columns by record. For a record without any such column those whose mending takes
        away at least half of its rarity, if there are any, see `reasons.by_rarity`. filled: the
        records with their blank cells filled."""
        schema = self.schema
        # two values that nobody would expect are hardly told apart by how many bits they cost:
        # there the one counts more that is also odd by itself
        excess = filled.surprise - self.usual
        in_full = np.maximum(excess, IN_FULL)
        excess = np.minimum(excess, IN_FULL + np.log2(in_full / IN_FULL))
        alone = reasons.marginal_bits(schema, filled.X)
        # a value may be impossible by itself, and yet near to what the others let expect
        excess = np.where(self._is_impossible(alone), np.maximum(excess, alone), excess)
        surprise = np.where(blank, -np.inf, self.usual + excess)
        for row, places in enumerate(named):
            surprise[row, places] = -np.inf
        alike = reasons.as_expected(schema, filled.X, filled.expected)
        costly = reasons.columns(surprise, self.usual, alone, alike, most=CANDIDATES)
        costly = reasons.by_mending(
            schema,
            filled.X,
            filled.expected,
            costly,
            self._scores,
        )
        # among very many columns one may make the anomaly, and have no tenth of the excess
        unnamed = [row for row, places in enumerate(costly) if not places]
        # most often each has a reason, and nothing more is scored
        if not unnamed:
            return costly
        costliest = reasons.columns(
            surprise[unnamed],
            self.usual,
            alone[unnamed],
            alike[unnamed],
            least_share=0.0,
            most=CANDIDATES,
        )
        decisive = reasons.by_rarity(
            schema,
            filled.X[unnamed],
            filled.expected[unnamed],
            costliest,
            self._scores,
            self.p_values,
        )
        for row, places in zip(unnamed, decisive, strict=True):
            costly[row] = places
        return costly

    def _is_impossible(self, alone: Float) -> Mask:
        """(rows, columns): which values are rarer in their columns than a record among all those of
        training can be shown to be. alone: (rows, columns), how rare each is there, in bits."""
        return np.asarray(alone > math.log2(self.schema.rows + 1))

    def _mend_best(
        self,
        judged: Judged,
        filled: Judged,
        blank: Mask,
        costly: Sequence[Sequence[int]],
    ) -> tuple[Judged, Mask]:
        """(the records with the first of their costly columns mended, or with all blank cells
        filled, as in `filled`, whichever lowers the score more; the cells that were replaced,
        (rows, columns) bool, none where neither lowers the score). judged: the records as they are;
        blank: (rows, columns) bool, their cells that hold nothing; costly: for each record the
        indices of its costly columns, the first of which is mended."""
        cells = np.zeros(blank.shape, np.bool_)
        for row, places in enumerate(costly):
            cells[row, places[:1]] = True
        X = self._with_expected(judged.X, filled.expected, cells)
        better = self.judge(X)
        fall = judged.scores - better.scores
        # 0 where nothing is blank, as then nothing was filled
        fall_by_filling = judged.scores - filled.scores
        is_filled = (fall_by_filling > 0) & (fall_by_filling >= fall)
        better.put(is_filled, filled.of(is_filled))
        cells[is_filled] = blank[is_filled]
        is_in_vain = ~is_filled & (fall <= 0)
        cells[is_in_vain] = False
        return better, cells

    def _mend_impossible(
        self,
        judged: Judged,
        blank: Mask,
        mended: Mask,
        better: Judged,
        cells: Mask,
    ) -> None:
        """Mend at once all cells of a record that are impossible by themselves, where that lowers
        the score by at least TOGETHER (2) times as much as the mending that `better` holds: then
        puts the record with these cells mended into `better`, and the cells into `cells`, (rows,
        columns) bool, in place.

        judged: the records as they are; blank, mended: (rows, columns), the cells that hold
        nothing, and those that were mended before. Where a length, a width and a height are all 0,
        each of them is what the two others let expect, and to mend one alone is in vain.
        """
        alone = reasons.marginal_bits(self.schema, judged.X)
        impossible = self._is_impossible(alone) & ~blank & ~mended
        impossible &= np.array([column.predicted for column in self.schema.modelled])
        rows = np.flatnonzero(impossible.sum(axis=1) > 1)
        # most records have none, or one, which is mended as any other value
        if not len(rows):
            return
        before = judged.of(rows)
        wrong = impossible[rows]
        # what the others let expect, without what wrong values let expect of each other
        without_wrong = np.where(wrong, np.nan, before.X)
        expected = self.judge(without_wrong).expected
        put_right = self.judge(self._with_expected(before.X, expected, wrong))
        put_right = self._mend_again(put_right, wrong)
        fall = before.scores - put_right.scores
        fall_of_better = before.scores - better.scores[rows]
        is_chosen = (fall > 0) & (fall >= TOGETHER * fall_of_better)
        better.put(rows[is_chosen], put_right.of(is_chosen))
        cells[rows[is_chosen]] = wrong[is_chosen]

    def _mend_again(self, better: Judged, mended: Mask) -> Judged:
        """Mend the cells of records once more, (rows, columns) bool, where a record has several:
        each gets what is expected now that the others are mended, at most ROUNDS (3) times, and
        only as long as that lowers the score. Changes `better`, the records with these cells
        mended, and returns it."""
        rows = np.flatnonzero(mended.sum(axis=1) > 1)
        # the first was mended by what another wrong value let expect, and the next by that
        for _ in range(ROUNDS):
            if not len(rows):
                break
            before = better.of(rows)
            cells = mended[rows]
            X = self._with_expected(before.X, before.expected, cells)
            again = self.judge(X)
            is_lower = again.scores < before.scores
            rows = rows[is_lower]
            better.put(rows, again.of(is_lower))
        return better

    def _with_expected(
        self,
        X: Float,
        expected: Float,
        cells: Mask,
    ) -> Float:
        """A copy of records X, (rows, columns), in which some cells, (rows, columns), are mended by
        what is expected there; a date's gap, of which nothing is, by the middle of its range."""
        replaced = X.copy()
        places = np.flatnonzero(cells.any(axis=0))
        for place in places.tolist():
            column = self.schema.modelled[place]
            values = X[:, place]
            # what is odd is mended in any column, and some leave a gap as it is
            without_gaps = np.where(np.isnan(values), ODD, values)
            mended = column.mended(without_gaps, expected[:, place])
            is_mended = cells[:, place] & (mended != ODD)
            replaced[is_mended, place] = mended[is_mended]
        return replaced

    def _scores(self, X: Float) -> Float:
        """The scores, (rows,), of records X, (rows, columns) in user units."""
        judged = self.judge(X)
        return judged.scores
