"""The result of detect: the records that were asked for, with scores and reasons, and how it is
shown."""

from __future__ import annotations

import dataclasses
import functools
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from aetool import hypertext
from aetool.csv.cells import numbers_of
from aetool.data import arrow_files
from aetool.data.table import Mask, Table, as_cells
from aetool.data.text import name_beside
from aetool.detection.calibration import (
    HELD_OUT,
    ONE_IN,
    Calibration,
    in_words,
    least_rate,
    too_few_for,
)
from aetool.detection.regions import Box
from aetool.detection.trace import ScoreTrace
from aetool.errors import ParamError
from aetool.model import Float, Int
from aetool.printing import ordinal
from aetool.scoring.batches import Pictured
from aetool.scoring.collecting import Reasons
from aetool.spelling import in_shell, option

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from aetool.data.heatmaps import Sheet
    from aetool.report.svg import Drawing
    from aetool.scoring.costing import ArchiveLedger

# a value of the output table: an empty place is None
Value: TypeAlias = "int | float | bool | str | None"
Columns: TypeAlias = "dict[str, list[Value]]"
SHOWN = 20  # anomalies that a notebook is shown
# of the columns of the output; all others are text
TYPES = {
    "row": "int64", "score": "float64", "p": "float64", "anomaly": "bool", "bits": "float64",
}  # fmt: skip
# of the boxes of pictures: whole pixels but for the share, and gaps where there is no box
BOX = {"left": "int64", "top": "int64", "width": "int64", "height": "int64", "share": "float64"}
WIDER = 1.8  # times any other step between scores, for a gap below the highest to be told of
LEAST_GAP = 0.2  # of what lies between the highest score and the median
FEW = 100  # records that hardly tell what one in 1,000 of them is
# A rate that was asked for is missed where so many times more or fewer records are flagged than it
# lets expect, if these are not few.
MISSED = 5
FEWEST_EXPECTED = 20
MANY = 10  # times as many records as the default threshold is meant for


@dataclass(frozen=True, eq=False, repr=False)
class Detection:
    """The result of a detection: the n records that were asked for, with `top` the highest score
    first unless all were asked for, else in input order.

    Of each of these, in arrays (n,) and lists: row, its number in the source, from 0; score, in
    `unit`; p, its conformal p-value; anomaly, whether it is flagged; named, (column, found,
    expected) of the columns that say why; why, the same on one line; boxes, of pictures the box
    around the worst of each, or None, but empty for tables; bits, of an archive what the record
    took in it, else None. table: their columns in the source, if asked.

    total, flagged: how many records were scored and flagged; threshold: the score that flagged
    records lie above, which may be infinite; where a number of records was to be flagged, the
    highest score of the others, minus infinity where there are none; rate: the part of ordinary
    records that the threshold is meant to flag, None if it was not chosen by that; calibrated_on:
    how many records threshold and p are by; held_out: the calibration of a model that the user
    gave, by records held out of its fit or by others that the user gave, None where the model was
    learned from these records, and of an archive. index: that of the DataFrame that was scored,
    else None. trace: the scores of all records. unread: (row, from 0, its name, why) of the
    pictures that could not be read; told_of_sizes: a remark on those of them that are of another
    size than the model's, "" for none. look: scores pictures again, by their numbers, (n,) from 0,
    and gives each with its map and box; None for tables. ledger: of an archive what all of it took.
    has_idle_model: whether a model came with an archive, which does not need it. rows_told: of an
    archive what its rows are, where they are no records. is_by_rank: whether a number of records
    was to be flagged, whatever their scores, as by `top`. is_listing: whether a number of the
    highest scores was asked for by `top`, which lists them, and calls none of them an anomaly.
    named_by: the column that names records and was not asked for; "" where there is none, or it
    only counts them. asked_rate: the part of ordinary records that was asked for, by `fpr` or when
    the model was calibrated; None where none was. is_calibrated_apart: whether the scores of
    `held_out` are those of records that the user gave for that. whole_levels: where most flagged
    records are nearly all that have some words of a column, its name and these words; ("", "")
    where they are not.
    """

    row: Int
    score: Float
    p: Float
    anomaly: Mask
    why: list[str]
    named: list[Reasons]
    threshold: float
    total: int
    flagged: int
    unit: str
    table: Table | None = None
    index: pd.Index | None = None
    rate: float | None = None
    trace: ScoreTrace | None = None
    held_out: Calibration | None = None
    unread: Sequence[tuple[int, str, str]] = ()
    told_of_sizes: str = ""
    boxes: Sequence[Box | None] = ()
    look: Callable[[Int], list[Pictured]] | None = None
    bits: Float | None = None
    ledger: ArchiveLedger | None = None
    calibrated_on: int = 0
    has_idle_model: bool = False
    rows_told: str = ""
    is_by_rank: bool = False
    is_listing: bool = False
    named_by: str = ""
    asked_rate: float | None = None
    is_calibrated_apart: bool = False
    whole_levels: tuple[str, str] = ("", "")

    @property
    def limit(self) -> float:
        """The score at which drawings part flagged records from others: the threshold; where a
        number of records was to be flagged, the lowest score of these, if there are any."""
        if self.is_by_rank and self.flagged:
            return float(self.score[self.anomaly].min())
        return self.threshold

    @property
    def limit_in_words(self) -> str:
        """The name of `limit` for messages: "threshold", or, where a number of records was to be
        flagged, such as "the 20th score", "the highest score"."""
        if not self.is_by_rank or not self.flagged:
            return "threshold"
        if self.flagged == 1:
            return "the highest score"
        return f"the {ordinal(self.flagged)} score"

    @property
    def flagged_in_words(self) -> str:
        """What messages call the records that were chosen: "flagged", or "listed" where `top` asked
        for a number of them, ordinary or not."""
        return "listed" if self.is_listing else "flagged"

    def ranked(self) -> Detection:
        """A copy of the result with the highest score first, of equal ones the earlier."""
        order = np.argsort(-self.score, kind="stable")
        return dataclasses.replace(
            self,
            row=self.row[order],
            score=self.score[order],
            p=self.p[order],
            anomaly=self.anomaly[order],
            why=[self.why[i] for i in order],
            named=[self.named[i] for i in order],
            boxes=[self.boxes[i] for i in order] if self.boxes else (),
            bits=None if self.bits is None else self.bits[order],
            table=None if self.table is None else self.table.take(order),
        )

    def __repr__(self) -> str:
        """The verdict, in angle brackets."""
        return f"<aetool detection: {self.verdict()}>"

    def _repr_html_(self) -> str:
        """The verdict and a table of the 20 highest flagged records, in HTML, as notebooks show
        them."""
        ranked = self.ranked()
        rows = []
        for place in np.flatnonzero(ranked.anomaly)[:SHOWN].tolist():
            number = ranked.row[place] + 1
            score = f"{ranked.score[place]:.6g}"
            rows.append((f"{number:,}", score, f"{ranked.p[place]:.4g}", ranked.why[place]))
        return hypertext.table(self.verdict(), rows, ("row", "score", "p", "why"))

    def verdict(self) -> str:
        """One line that says how many records are flagged, and by what threshold, or how many of
        the highest scores were asked for; what part of the records exceeds a threshold by rate; and
        how many pictures could not be read."""
        part = 100 * self.flagged / max(self.total, 1)
        rare = ""
        if self.rate and self.threshold < float("inf"):
            rare = f", which {self._rarity_in_words(self.rate)} exceed"
            known = self.held_out
            if known is not None and known.is_outnumbered(self.threshold, self.rate):
                rare += f", {HELD_OUT}"
        rest = f"; {len(self.unread):,} more could not be read" if self.unread else ""
        if not self.total:
            return f"0 of 0 records {self.flagged_in_words}: it holds no records{rest}"
        criterion = f"score above {self.threshold:.4g} {self.unit}"
        # a number was asked for, and the score that it happens to lead to is no threshold
        if self.is_by_rank and self.flagged:
            criterion = self._highest_flagged()
        # with as many asked for as there are, no score is too low
        if self.threshold == float("-inf"):
            criterion = "whatever their score"
        if self.threshold == float("inf"):
            criterion = "no score is high enough"
        word = self.flagged_in_words
        flagged = f"{self.flagged:,} of {self.total:,} records {word} ({part:.3g} %)"
        return f"{flagged}: {criterion}{rare}{rest}"

    def is_fewer_at(self, rate: float) -> bool:
        """Whether fewer of these records would be flagged at the threshold that the part `rate` of
        ordinary records exceeds, above 0. False where too few records were held out to determine
        that threshold; True where a file judges itself, as nothing was held out."""
        if self.held_out is None:
            return True
        threshold = self.held_out.threshold(rate)
        return (
            threshold < float("inf")
            and int((self.score[self.anomaly] > threshold).sum()) < self.flagged
        )

    def most_blamed(self) -> tuple[str, int] | None:
        """The column that reasons of flagged records name first most often, of columns named as
        often the one met first, and of how many of them they do; None where they name none."""
        firsts: Counter[str] = Counter()
        for reasons, is_flagged in zip(self.named, self.anomaly.tolist(), strict=True):
            if is_flagged and reasons:
                column, _, _ = reasons[0]
                firsts[column] += 1
        if not firsts:
            return None
        ((column, count),) = firsts.most_common(1)
        return column, count

    def _rarity_in_words(self, rate: float) -> str:
        """Words for the part of records that exceeds the threshold, such as "about 1 in 1,000
        ordinary records": where a model judges, see Calibration.rarity_in_words; where a file
        judges itself, the part `rate`. rate: the part of ordinary records that it is meant for,
        above 0 and at most 1."""
        if self.held_out is None:
            return in_words(rate)
        return self.held_out.rarity_in_words(self.threshold, rate)

    def _highest_flagged(self) -> str:
        """A phrase for the verdict, such as "the 5 highest scores, down to 3.2 bits, p 0.01": how
        many are flagged, at least one, and the lowest score and the highest p-value among these.
        For a detection that flags the highest scores of all."""
        of_flagged = self.score[self.anomaly]
        least = f"{of_flagged.min():.4g} {self.unit}"
        most = f"p {self.p[self.anomaly].max():.2g}"
        if self.flagged == 1:
            return f"the highest score, {least}, {most}"
        return f"the {self.flagged:,} highest scores, down to {least}, {most}"

    def notes(self) -> list[str]:
        """Notes, a line each, on what the threshold or the model cannot promise; [] if there is
        nothing to say. Without records only what is to be said of an archive is among them."""
        said = []
        if self.has_idle_model:
            said.append(
                "the model was not used: an archive is judged by what its records take in it; to "
                "use the model, decompress first"
            )
        said += filter(None, [self.rows_told, self.told_of_sizes])
        if not self.total:
            return said
        if self.rate is not None and self.threshold == float("inf"):
            more = f"use {option('--top')} N, or give more records"
            least = least_rate(self.calibrated_on)
            if self.held_out is None:
                least = min(least, 1 / ONE_IN)
            return [*said, f"{too_few_for(self.calibrated_on, self.rate, least)}: {more}"]
        if self.total == 1 and self.held_out is None and self.rate is not None:
            # it was compared with itself
            return [*said, "1 record cannot be compared with others: nothing says if it is odd"]
        missed = self._missed_rate_in_words()
        # where none is flagged, but should be, it says what to do instead
        highest = "" if missed else self.highest_in_words()
        said_of_scores = "; ".join(filter(None, [self._few_in_words(), highest]))
        said += filter(None, [said_of_scores, missed, self._many_in_words()])
        # in Python all columns of the frame are at hand
        if self.named_by and self.flagged and in_shell():
            shows = f"{option('--id')} {shlex.quote(self.named_by)}"
            said.append(f"{self.named_by} names the records: {shows} shows it")
        return said

    def _few_in_words(self) -> str:
        """A remark on records that are too few to tell by ranks the rate by which the threshold was
        chosen: that they are few, where they are fewer than FEW (100); and, where any is flagged,
        how small p can be, which is a rank among them. Empty where they are enough for that rate,
        and where the threshold was not chosen by a rate."""
        rows = self.calibrated_on
        if not self.rate or not rows or self.rate * (rows + 1) >= 1:
            return ""
        records = "1 record" if rows == 1 else f"{rows:,} records"
        words = ""
        among = records
        if rows < FEW:
            # of records that were learned from, or others: a few cannot be told to be rare
            unseen = "" if self.held_out is None else " that the model has not seen"
            verb = "is" if rows == 1 else "are"
            rate = f"1 in {1 / self.rate:,.0f}"
            words = f"{records}{unseen} {verb} few for a threshold that {rate} exceed"
            among = "them"
        if not self.flagged:
            return f"{words}, and can hardly show that one is odd" if words else ""
        # p is (records that score as high + 1) / (rows + 1), and where a file judges itself, each
        # record is one of the rows
        numerator = 2 if self.held_out is None else 1
        least = f"p, a rank among {among}, is at least {numerator}/{rows + 1}"
        return "; ".join(filter(None, [words, least]))

    def _missed_rate_in_words(self) -> str:
        """A remark that a model flags another part of these records than the user asked for, why,
        and what to do; empty where no rate was asked for, where the part is less than MISSED (5)
        times larger or smaller, where fewer than FEWEST_EXPECTED (20) records were to be expected,
        and where a file judges itself."""
        rate = self.asked_rate
        if rate is None or self.held_out is None:
            return ""
        expected = rate * self.total
        is_near = expected / MISSED <= self.flagged <= expected * MISSED
        if is_near or expected < FEWEST_EXPECTED:
            return ""
        part = f"{100 * rate:.3g}"
        is_fewer = self.flagged < expected
        verb = "is" if self.flagged == 1 else "are"
        if self.is_calibrated_apart:
            held_out_in_words = "records that it was calibrated by"
            scores_in_words = "lower" if is_fewer else "higher, as records that have drifted do"
            calibrated_by = "other ordinary records"
        else:
            held_out_in_words = "rows held out of the fit, in stretches"
            scores_in_words = "lower, as rows that were fitted do, and rows that lie between such"
            if not is_fewer:
                scores_in_words = "higher, as records that have drifted since the fit do"
            calibrated_by = "ordinary records that were not fitted"
        return (
            f"{option('--fpr')} {part}% is about {expected:,.0f} of {self.total:,} records, and "
            f"{self.flagged:,} {verb} flagged: the threshold is the score exceeded by {part} % of "
            f"the {held_out_in_words}, and these records score {scores_in_words}; "
            f"{option('--contamination')} {part}% flags that part of these very records, "
            f"{option('--calibration')} CLEAN takes the threshold from {calibrated_by}"
        )

    def _many_in_words(self) -> str:
        """A remark that a file that judges itself has many times as many records above the
        threshold as it is meant for, and what that says; empty where a model judges or a rate was
        asked for, and where these are fewer than MANY (10) times as many, or than FEWEST_EXPECTED
        (20)."""
        if self.held_out is not None or self.asked_rate is not None or not self.rate:
            return ""
        expected = self.rate * self.total
        if self.flagged < max(MANY * expected, FEWEST_EXPECTED):
            return ""
        meant = max(1, round(expected))
        many = (
            f"{self.flagged:,} are {self.flagged / expected:.0f} times as many as 1 in "
            f"{1 / self.rate:,.0f}"
        )
        column, words = self.whole_levels
        if column:
            return (
                f"{many}: whole kinds of records are unlike the others, by {column} {words}; a "
                "table of their own tells which of them are odd"
            )
        return (
            f"{many}: the threshold is told by how the scores of the others fall "
            "off, and these lie beyond, as anomalies do, and a rare kind of ordinary records, "
            f"too; {option('--top')} {meant} lists only the highest {meant}"
        )

    def highest_in_words(self) -> str:
        """The highest score and what shows the records that have it, for people whose data hold no
        flagged record; empty where one is flagged, or where the scores of all are not known."""
        if self.flagged or self.trace is None or not len(self.trace.highest):
            return ""
        descending = np.sort(self.trace.highest)[::-1]
        # of stretches of several records only the highest are known
        count = _count_above_gap(descending) if self.trace.span == 1 else 0
        shown = f"{option('--top')} {min(5, self.total)} shows the highest"
        if count:
            last, following = descending[count - 1 : count + 1]
            shown = (
                f"{option('--top')} {count} shows those above a gap ({last:.4g}, then "
                f"{following:.4g})"
            )
        return (
            f"the highest score is {descending[0]:.4g} {self.unit}: {shown}, and "
            f"{option('--contamination')} 1% flags that part"
        )

    @functools.cached_property
    def maps(self) -> list[Float]:
        """The heat map of each record of the result, (H, W), in multiples of the pixel threshold,
        as aetool.detection.maps says; scored anew when first asked for. ParamError for tables."""
        if self.look is None:
            raise ParamError("maps are of pictures, and these are records of a table")
        return [one.amounts for one in self.look(self.row)]

    def plot(self) -> Drawing | Sheet:
        """The scores of all records with the threshold and the highest that are flagged: a drawing
        that notebooks show, and `save` writes as an SVG file. Of pictures the at most 12 highest
        themselves, flagged ones alone if there are any, beside what was expected and where they are
        odd, for which they are scored anew; `save` writes a PNG file."""
        if self.look is not None:
            # who detects and draws nothing need not load how
            from aetool.scoring import heatmaps

            return heatmaps.sheet_of(self)
        # who detects and draws nothing need not load how
        from aetool.report import charts

        flagged = np.flatnonzero(self.anomaly)
        highest = flagged[np.argsort(-self.score[flagged], kind="stable")]
        marks = [
            charts.Mark(
                int(self.row[i]), float(self.score[i]), f"row {self.row[i] + 1}: {self.why[i]}"
            )
            for i in highest[: charts.MOST_MARKS].tolist()
        ]
        trace = self.trace or ScoreTrace()
        return charts.score_over_records(
            trace, self.limit, self.unit, marks, limit_in_words=self.limit_in_words
        )

    def columns(
        self,
        everything: bool = False,
        boxes: bool = True,
        as_numbers: bool = False,
    ) -> Columns:
        """The result as a table of columns by name: row (1-based), score, p, why; of an archive
        bits; of pictures left, top, width and height of the box around the worst, in pixels, and
        share, of the excess; anomaly if `everything`; then the input's own columns, called
        "input.NAME" where NAME is taken; error where pictures could not be read, which have neither
        score nor p. Each column is a list of Python's own values, None for a gap; score and bits
        are rounded to 6 digits, p to 4. boxes: whether those of pictures are in it. as_numbers:
        whether an input column of nothing but numbers and gaps is given as these, else as texts."""
        # few digits: what is beyond them differs between processors
        out: Columns = {
            "row": (self.row + 1).tolist(),
            "score": [float(f"{v:.6g}") for v in self.score],
            "p": [float(f"{v:.4g}") for v in self.p],
            "why": list(self.why),
        }
        if self.bits is not None:
            out["bits"] = [float(f"{v:.6g}") for v in self.bits]
        if boxes and self.look is not None:
            for name in BOX:
                out[name] = [
                    None if box is None else _figure_of_box(box, name) for box in self.boxes
                ]
        if everything:
            out["anomaly"] = [bool(v) for v in self.anomaly]
        if self.table is not None:
            for name, values in zip(self.table.names, self.table.values, strict=True):
                label = name_beside(name, out)
                texts = list(as_cells(values).strings())
                numbers = numbers_of(texts) if as_numbers else None
                out[label] = [*(texts if numbers is None else numbers)]
        return self._with_unread(out) if self.unread else out

    def _with_unread(self, columns: Columns) -> Columns:
        """A copy of the table `columns` with a column `error`, and a row for each picture that
        could not be read, with gaps for score, p and box, False for anomaly, and "" for all else
        that is not its row, file or error: in the source's order, or at the end where records are
        ranked."""
        out = {name: list(values) for name, values in columns.items()}
        out["error"] = [""] * len(self.row)
        for record, name, reason in self.unread:
            own: dict[str, Value] = {"row": record + 1, "file": name, "error": reason}
            own |= {"score": None, "p": None, "anomaly": False}
            # what cannot be read has no box; columns of other kinds stay empty
            own |= dict.fromkeys(BOX)
            for column, values in out.items():
                values.append(own.get(column, ""))
        rows: list[int] = self.row.tolist()
        if rows == sorted(rows):
            rows += [record for record, _, _ in self.unread]
            order = np.argsort(rows, kind="stable").tolist()
            out = {name: [values[place] for place in order] for name, values in out.items()}
        return out

    def to_pandas(self) -> pd.DataFrame:
        """The output of `columns(everything=True)` as a DataFrame; on the caller's own index if the
        data were a DataFrame. Its types are the same where no record is in it: int64, float64,
        bool, and text; boxes of pictures have gaps, so they are Int64."""
        import pandas as pd

        columns = self.columns(everything=True)
        types = self._types_of_columns()
        typed = {}
        for name, values in columns.items():
            kind = types.get(name, "str")
            if self.look is not None and name in BOX:
                # whole numbers with gaps
                kind = BOX[name].replace("int64", "Int64")
            typed[name] = pd.Series(values, dtype=kind)
        frame = pd.DataFrame(typed)
        if self.index is not None:
            frame.index = self.index[self.row]
        return frame

    def to_arrow(self) -> pa.Table:
        """The output of `columns(everything=True)` as an Arrow table, of the same types as
        to_pandas."""
        types = self._types_of_columns() if self.look is None else self._types_of_columns() | BOX
        return arrow_files.table_of(self.columns(everything=True), types)

    def _types_of_columns(self) -> dict[str, str]:
        """TYPES, by name, of the columns that the result has of its own: where it has no bits, a
        column of that name is the data's, and text."""
        types = dict(TYPES)
        if self.bits is None:
            del types["bits"]
        return types

    def to_polars(self) -> pl.DataFrame:
        """The output of `columns(everything=True)` as a DataFrame of polars, of the same types as
        to_arrow. ParamError where polars is not installed."""
        try:
            import polars as pl
        except ImportError:
            raise ParamError("polars is not installed: pip install polars") from None
        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame


def _figure_of_box(box: Box, name: str) -> float | int:
    """The field `name` of a box, one of BOX, as it is printed: the share rounded to three
    significant digits, all others whole pixels."""
    figure: float | int = getattr(box, name)
    return float(f"{figure:.3g}") if name == "share" else figure


def _count_above_gap(descending: Float) -> int:
    """How many of the scores of all records, (n,), the highest first, lie above a gap that is wider
    than they are apart from each other, LEAST_GAP (a fifth) of what lies between the highest and
    the median, and WIDER (1.8) times as wide as any other step between the scores of the highest
    quarter. 0 if there is no such gap, or one score alone lies above it, which chance does
    often."""
    most = len(descending) // 4
    if most < 2:
        return 0
    steps = descending[:most] - descending[1 : most + 1]
    widest = int(steps.argmax())
    others = np.delete(steps, widest)
    spread = descending[0] - descending[widest]
    least = LEAST_GAP * (descending[0] - np.median(descending))
    least = max(least, WIDER * others.max())
    stands_out = steps[widest] >= least and steps[widest] > spread
    return widest + 1 if widest and stands_out else 0
