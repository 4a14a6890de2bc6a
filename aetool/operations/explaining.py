"""explain: why one record has the score it has, column by column."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aetool.bundle import Bundle
from aetool.data.images import ImageSource
from aetool.data.sources import open_source
from aetool.detection import reasons
from aetool.errors import DataError
from aetool.scoring.batches import scored
from aetool.scoring.collecting import Collector, Wishes
from aetool.scoring.inputs import known_of, seen_by

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why one record has its score: its columns in five lists, first those that `detect` would
    name, then the others, the most surprising first.

    columns: their names. found, expected: the value in the record, and the one that the model
    expects, as they are written. surprise: by how much the column costs more than it usually does,
    in the unit of the score; of a gap where hardly any is, how rare it is. named: whether `detect`
    would name the column as a reason. score: of the record; p: its p-value, 0 .. 1; threshold: the
    score above which it is an anomaly.
    """

    columns: list[str]
    found: list[str]
    expected: list[str]
    surprise: list[float]
    named: list[bool]
    score: float
    p: float
    threshold: float

    @property
    def is_anomaly(self) -> bool:
        """Whether the record's score lies above the threshold."""
        return self.score > self.threshold

    def frame(self) -> pd.DataFrame:
        """The explanation as a DataFrame with a row for each column of the table, and the columns
        column, found, expected, surprise and named; its attrs hold score, p, threshold and anomaly
        of the whole record."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "column": self.columns,
                "found": self.found,
                "expected": self.expected,
                "surprise": self.surprise,
                "named": self.named,
            }
        )
        frame.attrs |= {"score": self.score, "p": self.p}
        frame.attrs |= {"threshold": self.threshold, "anomaly": self.is_anomaly}
        return frame


def as_record(row: object) -> object:
    """Turn one record, a dictionary of column to single value or a pandas Series, into a pandas
    DataFrame of one row. A dictionary with a list or an array among its values comes back
    unchanged, and a Series with one as a dictionary; so does anything else."""
    # where pandas is not imported nothing is one of its Series
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(row, pandas.Series):
        row = row.to_dict()
    if not isinstance(row, Mapping) or any(np.ndim(value) for value in row.values()):
        return row
    import pandas as pd

    return pd.DataFrame([dict(row)])


def explain(data: object, model: Bundle, device: str = "auto") -> Explanation:
    """Explain the score of the last record of a table, column by column.

    Records before the last one are used only by a model that judges a row by the rows before it.
    DataError for pictures, for a table without records, and where a table of several records is
    given to a model that judges each row alone: it is not clear which record is meant. data: as
    `detect` takes them, or what as_record makes of a row. device: where the model runs, ParamError
    if it is not there.
    """
    source = seen_by(open_source(data, known_of(model)), model)
    if isinstance(source, ImageSource) or model.schema is None:
        raise DataError(f"{source.name}: pictures have no columns to explain; detect says where")
    session = model.session("score.onnx", device)
    batches = list(scored(source, model, session))
    records = sum(len(batch.parts) for batch in batches)
    if not records or (records > 1 and not model.schema.context):
        raise DataError(f"{source.name}: explain takes one record; there are {records}")
    wishes = Wishes(
        calibration=model.calibration,
        append=None,
        decimal=source.decimal,
        all_rows=True,
        cut=model.threshold,
    )
    collector = Collector(model, wishes, session, device)
    # an empty batch may follow the last record
    last = [batch for batch in batches if len(batch.parts)][-1]
    place = np.array([len(last.parts) - 1])
    # from which columns its score comes; flagged or not, it is looked at as closely as an anomaly
    blame = collector.blame(last, place, np.ones(1, np.bool_))
    places_named = blame.named[0]
    other_places = [
        int(i) for i in np.argsort(-blame.surprise[0], kind="stable") if i not in places_named
    ]
    # those that detect names come first, in its order
    order = [*places_named, *other_places]
    assert last.table is not None
    table = last.table.take(place)
    # for each column: its name, what was found and what was expected, as texts
    told_columns = []
    # a column that is no reason may have the expected value: then the two need not differ
    for columns, contrast in ((places_named, True), (other_places, False)):
        told_columns += reasons.explain(
            blame.schema, blame.inputs, blame.expected, [columns], table, contrast
        )[0]
    score = last.parts[place].sum(axis=1, dtype=np.float64)
    return Explanation(
        columns=[column for column, _, _ in told_columns],
        found=[found for _, found, _ in told_columns],
        expected=[expected for _, _, expected in told_columns],
        surprise=[float(f"{blame.surprise[0, i]:.6g}") for i in order],
        named=[i in places_named for i in order],
        score=float(score[0]),
        p=float(model.calibration.p_values(score)[0]),
        threshold=model.threshold,
    )
