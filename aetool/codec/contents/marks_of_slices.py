"""Decimal marks of columns of which only some rows are read.

v               of rows 1 to 2 alone 4.606 may be 4606 or a number below 5:
4.606           row 3 tells that the point parts thousands, whichever rows are read
6.937
2.125,76
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aetool.codec import records
from aetool.codec.decimal_marks import DecimalMarks, MarkEvidence
from aetool.codec.records import Layout
from aetool.csv.fields import Rule


class MarksOfSlices:
    """Finds the decimal marks of a table's columns where rows by themselves do not show them, so
    that a number is the same in every slice of an archive. What was found is kept."""

    def __init__(self) -> None:
        # by the column's name; "" for one whose mark nothing in the table shows
        self._known: dict[str, str] = {}

    def of(
        self,
        body: bytes,
        rule: Rule,
        names: Sequence[str],
        every_record: Callable[[], Iterable[bytes]],
    ) -> dict[str, str]:
        """The decimal marks, "." or ",", by name, of those columns that in these rows have numbers
        such as 1.234, which can be read with either mark, and none that can be read with only one,
        and whose mark other rows tell. To find these the table is read, up to the rows that tell,
        unless an earlier call has found them.

        body: the records of the rows, in UTF-8, without a header; rule: how they are cut; names: of
        their columns. every_record: reads all records of the table, with these columns, in pieces.
        """
        layout = Layout(rule, list(names))
        evidence: dict[str, MarkEvidence] = {}
        records.add_mark_evidence(body, layout, evidence)
        # in most slices no column is: then nothing else is read
        doubtful_columns = [
            name for name, shown in evidence.items() if shown.either and not shown.sure
        ]
        unknown_columns = [name for name in doubtful_columns if name not in self._known]
        if unknown_columns:
            self._look_for(unknown_columns, layout, every_record())
        return {name: self._known[name] for name in doubtful_columns if self._known[name]}

    def _look_for(
        self,
        unknown_columns: Sequence[str],
        layout: Layout,
        pieces: Iterable[bytes],
    ) -> None:
        """Look through a table for cells that show the decimal marks of `unknown_columns`, names of
        columns, until all of these have shown theirs, or to the table's end, and keep them in
        `_known`: a column that shows none has the mark that the other columns show, "" if they show
        none or both. pieces: of the table's records, in UTF-8; layout: its columns."""
        evidence: dict[str, MarkEvidence] = {}
        for piece in pieces:
            records.add_mark_evidence(piece, layout, evidence)
            # mostly the first records of the table tell already
            if all(name in evidence and evidence[name].sure for name in unknown_columns):
                break
        # a column that does not tell has the mark of the others
        known_marks = DecimalMarks.of(evidence).known
        for name in unknown_columns:
            self._known[name] = known_marks.get(name, "")
