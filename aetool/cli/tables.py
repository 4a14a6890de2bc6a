"""Columns of results printed: as a table for people, as CSV, as JSON, or as Parquet."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from aetool.cli import terminal
from aetool.errors import ParamError
from aetool.files.names import broken_promise, suffix_of
from aetool.files.outputs import refuse_target
from aetool.printing import printable

if TYPE_CHECKING:
    from aetool.operations import Detection

NUMBERS = ("row", "score", "p", "query", "rank", "distance")  # printed flush right
FORMATS = ("csv", "json", "jsonl", "table", "parquet")
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".jsonl": "jsonl"}

format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[table on a terminal, else csv]"
)


@dataclass(frozen=True)
class Printing:
    """Where results are printed, and in which format.

    output: the path of a file; None or "-": standard output. form: one of FORMATS (csv, json,
    jsonl, table, parquet); None: "table" if output is None and standard output is a terminal, else
    by the suffix of output as SUFFIXES says, "csv" for any other suffix and for none. as_json: the
    same as form "json". force: replace a file that exists.
    """

    output: str | None = None
    form: str | None = None
    as_json: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        """Raise ParamError where two formats are asked for."""
        if self.as_json and self.form not in (None, "json"):
            raise ParamError(
                f"--json and --format {self.form} exclude each other: leave one of them out"
            )

    def chosen(self) -> str:
        """The format to print in, one of FORMATS (csv, json, jsonl, table, parquet): the one asked
        for, else "table" if no output is named and standard output is a terminal, else by the
        output's suffix, "csv" for any other."""
        if self.form or self.as_json:
            return self.form or "json"
        if self.output is None and sys.stdout is not None and sys.stdout.isatty():
            return "table"
        return SUFFIXES.get(self.output_suffix, "csv")

    def tell_of_name(self) -> None:
        """Give a notice where the output's name promises a format that aetool does not write, such
        as .xlsx, and the file gets CSV. No notice where the user asked for a format, where there is
        no output file, and for a name without a suffix, or with .txt."""
        is_asked = self.form is not None or self.as_json
        if self.output is None or is_asked or self.output_suffix in SUFFIXES:
            return
        promise = broken_promise(self.output, SUFFIXES)
        if promise:
            # who prints to a terminal need not load it
            from aetool.data import notices

            notices.say(self.output, f"{promise}; --format asks for one")

    def refuse_target(self, sources: Sequence[str]) -> None:
        """Raise DataError for an output that is a folder, a file that exists (without force) or is
        one of the sources, paths that are read, or that lies in a folder which is not there or must
        not be written into. Standard output, devices and pipes are never refused."""
        if self.output not in (None, "-"):
            refuse_target(Path(self.output), self.force, sources)

    @property
    def output_suffix(self) -> str:
        """The suffix of the output's name, in small letters and without that of a compression, such
        as ".json" of x.json.gz; "" for a name without one and for standard output."""
        return suffix_of(self.output or "")

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """Context manager: gives the text stream to write results to, standard output or a file
        that appears under its name when the block ends without an error. Both are UTF-8, with line
        ends as they are written. DataError for a file that exists, unless `force`; OutputError if
        standard output cannot be written to."""
        if self.output is None or self.output == "-":
            with terminal.data() as text:
                yield text
            return
        # who prints to a terminal need not load how files are written
        import io

        from aetool.data.compressing import output_by_name

        with output_by_name(Path(self.output), self.force) as file:
            # cells of strangers may hold halves of characters, which UTF-8 has no bytes for
            text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
            yield text
            text.flush()
            # else the wrapper would close the file, which `atomic` still has to give its name
            text.detach()


def show(detection: Detection, printing: Printing, all_rows: bool = False) -> None:
    """Print the records of a detection, a row each. all_rows: with a column that says of each
    whether it is flagged. Where no format is asked for and a plugin writes files of the output's
    name, the plugin writes it. DataError for a file that exists, unless printing.force; ParamError
    for Parquet without a file to write to; OutputError if standard output cannot be written to."""
    form = printing.chosen()
    # in a table for people the words say where
    is_text = form in ("csv", "table")
    columns = detection.columns(all_rows, boxes=form != "table", as_numbers=not is_text)
    if _written_by_a_plugin(columns, printing):
        return
    if form not in ("json", "jsonl"):
        write_columns(columns, printing)
        return
    with printing.opened() as file:
        _write_detection(detection, columns, form, file)


def _written_by_a_plugin(columns: Mapping[str, object], printing: Printing) -> bool:
    """Write columns by the reader of a plugin, if one writes files of the output's name; returns
    whether one has. False where a format is asked for. DataError for a file that exists, unless
    printing.force, and where the plugin fails."""
    if printing.output is None or printing.form or printing.as_json:
        return False
    from aetool.data import readers

    target = Path(printing.output)
    plugin_writer = readers.writer_of(target)
    if plugin_writer is None:
        return False
    import pyarrow as pa

    readers.write(plugin_writer, target, readers.as_batches(pa.table(columns)), printing.force)
    return True


def write_columns(columns: Mapping[str, Sequence[object]], printing: Printing) -> None:
    """Print columns of equal length, by name, in the format that printing asks for. ParamError for
    Parquet without a file to write to; DataError for a file that exists, unless printing.force;
    OutputError if standard output cannot be written to, or would be Parquet on a terminal."""
    form = printing.chosen()
    if form == "parquet":
        _write_parquet(columns, printing)
        return
    if form == "table" and printing.output in (None, "-"):
        terminal.say(*_lines(columns))
        return
    printing.tell_of_name()
    with printing.opened() as file:
        if form == "csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        elif form == "table":
            file.writelines(line + "\n" for line in _lines(columns))
        elif form == "jsonl":
            file.writelines(json.dumps(record) + "\n" for record in _records(columns))
        else:
            file.write(json.dumps(_records(columns), indent=1) + "\n")


def _records(columns: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
    """The rows of a table of columns, each as a dictionary by column. ValueError if columns differ
    in length."""
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _write_detection(
    detection: Detection,
    columns: Mapping[str, Sequence[object]],
    form: str,
    file: TextIO,
) -> None:
    """Write a detection as JSON, with each reason as column, found and expected. form: "jsonl" for
    a line for each record; any other for one object with the records and, before them, total,
    flagged, threshold (null if infinite), unread (how many pictures cannot be read, if any) and
    unit. columns: what is written of the records, row (from 1) and why among it."""
    records = _records(columns)
    reasons_by_row = dict(zip((detection.row + 1).tolist(), detection.named, strict=True))
    for record in records:
        # pictures have no columns to name
        named_columns = reasons_by_row.get(record["row"], [])
        reasons = [{"column": c, "found": f, "expected": e} for c, f, e in named_columns]
        record["why"] = reasons or record["why"]
    if form == "jsonl":
        for record in records:
            file.write(json.dumps(record) + "\n")
        return
    # JSON has no word for infinity
    threshold = detection.threshold if abs(detection.threshold) != float("inf") else None
    facts: dict[str, object] = {"total": detection.total, "flagged": detection.flagged}
    facts["threshold"] = threshold
    if detection.unread:
        facts["unread"] = len(detection.unread)
    json.dump({**facts, "unit": detection.unit, "records": records}, file, indent=1)
    file.write("\n")


def _lines(columns: Mapping[str, Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table for reading, names first: columns of NUMBERS flush right, all else
    flush left; None is empty."""
    cells = [
        [printable("" if value is None else str(value)) for value in (name, *values)]
        for name, values in columns.items()
    ]
    widths = [max(map(len, column)) for column in cells]
    flush_right = [name in NUMBERS for name in columns]
    for line in zip(*cells, strict=True):
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, flush_right, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _write_parquet(columns: Mapping[str, Sequence[object]], printing: Printing) -> None:
    """Write columns as a Parquet file, to standard output for "-". ParamError where no output is
    named, DataError for a file that exists, unless printing.force; OutputError if standard output
    is a terminal, or cannot be written to."""
    # who asks for no Parquet need not load it
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aetool.data.compressing import output_by_name

    if printing.output is None:
        raise ParamError("--format parquet needs -o FILE")
    if printing.output == "-" and not printing.force:
        terminal.refuse_bytes("Parquet")
    with output_by_name(Path(printing.output), printing.force) as file:
        pq.write_table(pa.table(dict(columns)), file)
