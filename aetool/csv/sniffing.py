"""Detects the dialect of a table in text from its first bytes: the delimiter, where its records
begin, and whether the columns have names."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aetool.csv import cells, encodings
from aetool.csv.cutting import behind_lines
from aetool.csv.dialect import (
    BLANK,
    BOX,
    HEADER_TAIL,
    RECORD_TAIL,
    ROW_NAMES,
    SHARED_NAME,
    SKIP,
    Dialect,
    Reading,
)
from aetool.csv.encodings import BOM, NoTableError
from aetool.csv.fields import QUOTED, Rule, begins, fields
from aetool.csv.header import (
    LEAST_BELOW,
    Written,
    below_header,
    has_header,
    is_column_of_figures,
    is_named_again,
    is_quoted_otherwise,
)
from aetool.errors import ParamError
from aetool.spelling import option

SAMPLE = 65536  # characters by which delimiters are judged
SAMPLE_RECORDS = 200
JUDGED_RECORDS = 100  # by which a header is told
CLEAN_RECORDS = 30  # by which one delimiter is preferred to another
DELIMITERS = ",\t;|"
BAR = "|"
FEW_STRANGE = 4  # characters, which the shortest text may have
MOST_STRANGE = 0.05  # of the characters, before a file with zeros in it is binary
LEAST_BY_BLANKS = 3  # fields of a record, before blanks part fields that are not all figures
LEAST_REGULAR = 0.9  # of the records have as many fields as the first
MOST_PREAMBLE = 100  # lines before a table that are looked through
MOST_FOOTER = 10  # lines behind a table that are no records
COMMENTS = ("#", "%", "//")
# which Excel reads, and hides; a delimiter is one byte, and no quote
SEPARATOR_LINE = re.compile(r'"?sep=([\t -!#-~])"?', re.IGNORECASE)
LINE_END = re.compile(r"\r\n|\r|\n")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
TIME = re.compile(r"\d{1,2}:\d\d(:\d\d)?([.,]\d+)?")
NUMBERED = re.compile(r"c[1-9][0-9]*")  # what columns without names are called
NOTHING = Reading()


@dataclass(frozen=True)
class Cut:
    """The first records of a text, cut at a delimiter that is tried. line: the number, from 0, of
    the line where the first begins; space: whether blanks after delimiters are no part of the
    values; records: the fields of each; clean: the part of the cells, 0 .. 1, in which no other
    delimiter occurs."""

    line: int
    delimiter: str
    space: bool
    records: list[list[str]]
    clean: float

    @property
    def columns(self) -> int:
        """How many fields the first record has, and nearly all others too; 0 without records."""
        return len(self.records[0]) if self.records else 0


class Beginning:
    """The first characters of a text, in which its dialect is looked for. starts: the offsets at
    which its first lines begin, at most 101 of them (MOST_PREAMBLE + 1); lines are counted from 0
    in it."""

    def __init__(self, text: str) -> None:
        """Keep the beginning of a text, and find where its first lines begin, for `starts`."""
        self.text = text
        self.starts = [0]
        for end in LINE_END.finditer(text):
            if len(self.starts) > MOST_PREAMBLE:
                break
            if end.end() < len(text):
                self.starts.append(end.end())

    def line(self, number: int) -> str:
        """Line `number`, from 0, without its line end; IndexError for one that is not in
        `starts`."""
        rest = self.text[self.starts[number] :]
        return LINE_END.split(rest, maxsplit=1)[0]

    def records(self, line: int, delimiter: str, space: bool) -> list[list[str]]:
        """The first records from a line on, at most SAMPLE_RECORDS (200) and of at most SAMPLE
        (65,536) characters; [] if they cannot be cut. Blank lines are left out; with blanks as
        delimiter an empty last field is, too. line: from 0; space: whether blanks at the start of
        fields are skipped."""
        lines_on = self.text[self.starts[line] :]
        sample = io.StringIO(lines_on[:SAMPLE], newline="")
        try:
            reader = csv.reader(sample, delimiter=delimiter, skipinitialspace=space)
            first_rows = itertools.islice(reader, SAMPLE_RECORDS)
            rows = [row for row in first_rows if row]
        except csv.Error:
            return []
        if delimiter != BLANK:
            return rows
        return [_without_empty_last(row) for row in rows]

    def quoted_otherwise(self, line: int, cut: Cut) -> bool:
        """Whether the record of this line is quoted in another way than those behind it, as names
        are: all of it where columns below are not, or nothing where they are. line: from 0; cut:
        tells delimiter and blanks."""
        lines_on = self.text[self.starts[line] :]
        sample = lines_on[:SAMPLE]
        if '"' not in sample:
            return False
        spans = fields(sample.encode(), Rule(cut.delimiter, cut.space))
        is_judged = np.arange(len(spans)) < JUDGED_RECORDS
        spans = spans.only(is_judged)
        # one for each field of these records, record by record
        quotes = iter((spans.kind == QUOTED).tolist())
        records = []
        for record in spans.records():
            texts = [cell.decode(errors="replace") for cell in record]
            records.append([Written(text, next(quotes)) for text in texts])
        return is_quoted_otherwise(records[0], records[1:], cut.delimiter)

    def cut(self, line: int, delimiter: str) -> Cut | None:
        """Cut the records from a line on, from 0, at a delimiter; None if they are not regular
        then. Blanks at the start of fields are skipped if they are the delimiter, or if records are
        regular no other way."""
        length = len(self.text) - self.starts[line]
        is_complete = length <= SAMPLE
        spaces = (True,) if delimiter == BLANK else (False, True)
        for space in spaces:
            rows = self.records(line, delimiter, space)
            # the last record of a sample may be cut short
            judged = rows if is_complete else rows[:-1]
            if _is_regular(judged):
                clean = _part_of_clean_cells(rows, delimiter)
                return Cut(line, delimiter, space, rows, clean)
        return None


def _without_empty_last(row: list[str]) -> list[str]:
    """A record without its last field if that is empty, as blanks at the end of a line make one;
    a record of one field as it is."""
    if len(row) > 1 and row[-1] == "":
        return row[:-1]
    return row


def _is_regular(rows: list[list[str]]) -> bool:
    """Whether at least 90 % of the records have as many fields as the first, which has at least
    two. Drawn lines of another number of fields do not count, and neither do shorter records at the
    end, at most 10 of them, as long as 3 records are left. False for no records. rows: the fields
    of each."""
    if not rows or len(rows[0]) < 2:
        return False
    columns = len(rows[0])
    end = len(rows)
    # shorter records at the end may stand behind the table
    least = max(LEAST_BELOW, len(rows) - MOST_FOOTER)
    while end > least and len(rows[end - 1]) < columns:
        end -= 1
    records = []
    for row in rows[:end]:
        if len(row) == columns or not cells.is_ruler(row):
            records.append(row)
    same = sum(len(row) == columns for row in records)
    return same >= LEAST_REGULAR * len(records)


def _part_of_clean_cells(rows: list[list[str]], delimiter: str) -> float:
    """The part, 0 .. 1, of the cells of the first CLEAN_RECORDS (30) records in which no delimiter
    occurs but this one; plain numbers with a decimal comma count among these. One cell at least."""
    other_delimiters = DELIMITERS.replace(delimiter, "")
    sample = [cell for row in rows[:CLEAN_RECORDS] for cell in row]
    clean_cells = 0
    for cell in sample:
        is_mixed = any(other in cell for other in other_delimiters)
        # a decimal comma is none of the delimiters
        if not is_mixed or cells.PLAIN_NUMBER.fullmatch(cell.strip()):
            clean_cells += 1
    return clean_cells / len(sample)


def sniff(
    head: bytes,
    name: str,
    reading: Reading = NOTHING,
    model_reading: Reading = NOTHING,
    likely: str | None = None,
) -> Dialect:
    """Detect the dialect of a table from its first bytes (whole records, or all there are).

    reading: what the user says, which is done; model_reading: how tables were written that a model
    was fitted on, which is done unless the text speaks against it; likely: the delimiter that the
    file's name suggests, or None. name: of the data, for messages. NoTableError if the bytes are no
    text. ParamError if the text is not as the user says.
    """
    encoding, read_as, body, bom = _decoded_head(head, reading, model_reading)
    skipped = reading.skip_rows
    if skipped is None:
        skipped = model_reading.skip_rows or 0
    lines_behind = body[behind_lines(body, skipped) :]
    # a character may be cut in two at the end of the head
    text = lines_behind.decode("utf-8", errors="replace")
    beginning = Beginning(text[: 2 * SAMPLE])
    cut, comment = _first_records(beginning, reading, model_reading, likely)
    # only where there is no table: a few zero bytes are no reason to refuse one
    if cut is None and "\0" in beginning.text and _is_binary(beginning.text):
        raise NoTableError(f"{name}: this is a binary file, not a table in text")
    if cut is None:
        cut = _irregular_records(beginning, reading, model_reading, name, likely)
    table = _Table(beginning, cut, comment, reading, model_reading)
    rule = Rule(cut.delimiter, table.space)
    first_record = lines_behind[behind_lines(lines_behind, table.line) :]
    return Dialect(
        delimiter=cut.delimiter,
        newline=_first_line_end(first_record, rule),
        header=table.header,
        space=table.space,
        decimal=table.decimal,
        final_newline=body.endswith((b"\n", b"\r")),
        bom=bom,
        encoding=encoding,
        preamble=skipped + table.line,
        below=table.below,
        named_again=table.named_again,
        comment=comment,
        edge=table.edge,
        shared=table.shared,
        padded=table.padded,
        read_as=read_as,
        skips_bad=reading.on_bad_lines == SKIP,
    )


def _decoded_head(
    head: bytes, reading: Reading, model_reading: Reading
) -> tuple[str, str, bytes, bool]:
    """Decode the first bytes of a text: (the encoding that its bytes suggest; the one to read it
    by: the user's, or the model's where the bytes are no UTF-8, else ""; the bytes in UTF-8 without
    byte-order mark; whether there was one)."""
    encoding = encodings.encoding_of(head)
    read_as = reading.encoding or ""
    if not read_as and model_reading.encoding and encoding == encodings.UTF8:
        # characters that are cut in two at the end of the head are no errors
        decoded = head.decode("utf-8", errors="replace")
        is_utf8 = "\ufffd" not in decoded[:-1]
        read_as = "" if is_utf8 else model_reading.encoding
    if read_as or encoding in encodings.WIDE:
        text = head.decode(read_as or encoding, errors="ignore")
        head = text.encode(errors="replace")
    has_mark = head.startswith(BOM)
    return encoding, read_as, head.removeprefix(BOM), has_mark


def _is_binary(text: str) -> bool:
    """Whether control characters, other than tabs, line ends and page breaks, are more than 4 and
    more than 5 % of the characters."""
    strange = sum(c < " " and c not in "\t\r\n\f\v" for c in text)
    most = max(FEW_STRANGE, MOST_STRANGE * len(text))
    return strange > most


def _first_line_end(body: bytes, rule: Rule) -> str:
    """The line end of the first record; a line feed if it has none. body: the text from that record
    on."""
    places = begins(body, rule, 2).tolist()
    end = places[1] if len(places) > 1 else len(body)
    first_record = body[:end]
    return fields(first_record, rule).usual_end("\n")


# ---- where the table begins, and what parts its fields


def _first_records(
    beginning: Beginning,
    reading: Reading,
    model_reading: Reading,
    likely: str | None,
) -> tuple[Cut | None, str]:
    """Find where the table begins below blank lines and comments, and its delimiter: (its first
    records, None if no delimiter makes any regular; the marker that comments begin with, or "").

    reading: what the user says; model_reading: how a model's tables were written; likely: the
    delimiter that the file's name suggests.
    """
    delimiters: Iterable[str] = DELIMITERS + BLANK
    if reading.delimiter:
        delimiters = reading.delimiter
    if reading.delimiter is None and model_reading.delimiter is not None:
        delimiters = [model_reading.delimiter, *delimiters]
    by_names = _cut_by_names(beginning, model_reading, delimiters)
    if by_names is not None:
        # of comments above the header it is known what they begin with, too
        lines_to_header = range(by_names.line + 1)
        above = [beginning.line(line) for line in lines_to_header]
        markers = [_marker_of(text, reading, model_reading) for text in above]
        first_marker = next(filter(None, markers), "")
        return by_names, first_marker
    first = 0
    comment = ""
    first_line = beginning.line(0).strip()
    separator = SEPARATOR_LINE.fullmatch(first_line)
    if separator is not None and reading.delimiter is None:
        delimiters = separator[1]
        first = 1
    last_line = len(beginning.starts) - 1
    while first < last_line and not beginning.line(first).strip():
        first += 1
    text = beginning.line(min(first, last_line))
    comment = _marker_of(text, reading, model_reading)
    if comment:
        first = _behind_comments(beginning, first, comment)
    if first > last_line:
        return None, comment
    likely = model_reading.delimiter or likely
    table_here = _best_cut(beginning, first, delimiters, likely)
    # a number of lines to skip ends the search: the user has said where the table begins
    if reading.skip_rows is None and (table_here is None or _is_doubtful(table_here)):
        lines_below = range(first + 1, last_line + 1)
        table_below = _table_below(beginning, lines_below, delimiters, likely)
        if table_below is not None and (table_here is None or _is_better(table_below, table_here)):
            return table_below, comment
    if table_here is not None and not (reading.comment or model_reading.comment):
        return _with_marked_records(beginning, table_here, comment)
    return table_here, comment


def _table_below(
    beginning: Beginning,
    lines: range,
    delimiters: Iterable[str],
    likely: str | None,
) -> Cut | None:
    """Find the table that begins on one of these lines, numbers from 0, below others that are none
    of it: returns its first records, cut by one of `delimiters`; None where none of these makes
    enough regular records: three, and half as many as lines stand above. Of several lines the first
    counts, but one whose records part at blanks and hold other delimiters only if no other does.
    likely: the delimiter that the file's name suggests, or None."""
    doubtful = None
    for line in lines:
        cut = _best_cut(beginning, line, delimiters, likely)
        # the more lines stand above, the longer must be what is taken for the table
        least_records = max(LEAST_BELOW, (line - lines.start + 1) / 2)
        if cut is None or len(cut.records) < least_records:
            continue
        if not _is_doubtful(cut):
            return cut
        doubtful = doubtful or cut
    return doubtful


def _is_better(below: Cut, doubtful: Cut) -> bool:
    """Whether what is cut from a line below is a table rather than a doubtful cut above it: it has
    at least as many columns, and hardly a cell with another delimiter."""
    return below.columns >= doubtful.columns and below.clean >= LEAST_REGULAR


def _is_doubtful(cut: Cut) -> bool:
    """Whether records are cut at blanks, and many of their fields have another delimiter in them:
    a date and a time before a comma are parted by a blank, as the words of a title above are."""
    return cut.delimiter == BLANK and cut.clean < LEAST_REGULAR


def _best_cut(
    beginning: Beginning,
    line: int,
    delimiters: Iterable[str],
    likely: str | None,
) -> Cut | None:
    """Choose the delimiter that cuts the text from this line, from 0, best, and return the records
    that it gives; None if none of the delimiters gives regular ones. `likely` is taken if it does;
    else the one that leaves the smallest part of the cells, rounded to a tenth, with another
    delimiter in them, and of equal ones that of most columns. Blanks are tried only where no
    delimiter before them gives regular records, and they cut what looks like a table (at least
    three fields, or only figures)."""
    cuts: list[Cut] = []
    for delimiter in delimiters:
        cut = None
        # words part at blanks, too: these are asked last, and only of what looks like a table
        if delimiter != BLANK or (not cuts and _parts_by_blanks(beginning, line)):
            cut = beginning.cut(line, delimiter)
        if cut is not None and delimiter == likely:
            return cut
        if cut is not None:
            cuts.append(cut)

    def quality(cut: Cut) -> tuple[float, int]:
        """How few cells have another delimiter, in tenths, and how many columns there are."""
        return round(cut.clean, 1), cut.columns

    return max(cuts, key=quality, default=None)


def _parts_by_blanks(beginning: Beginning, line: int) -> bool:
    """Whether blanks may be the table's delimiter from this line on: cut by them, records are
    regular, and have at least three fields, or only figures."""
    cut = beginning.cut(line, BLANK)
    if cut is None:
        return False
    under = cut.records[1:JUDGED_RECORDS] or cut.records
    columns = range(cut.columns)
    figures = [is_column_of_figures(under, place) for place in columns]
    return all(figures) or cut.columns >= LEAST_BY_BLANKS


def _cut_by_names(
    beginning: Beginning,
    model_reading: Reading,
    delimiters: Iterable[str],
) -> Cut | None:
    """Find the table by a model's column names, which are in model_reading: its header is the first
    line that has at least half of them as fields. Returns the records from that line on, cut by the
    first of these delimiters that shows the names; None if there is no such line, or there are no
    names but numbered ones such as c1."""
    names = set(model_reading.names)
    # numbered names are in no file
    if all(NUMBERED.fullmatch(name) for name in names):
        return None
    for line in range(len(beginning.starts)):
        text = beginning.line(line)
        # seen quickly: most lines have none of the names
        names_in_line = sum(name in text for name in names)
        if names_in_line * 2 < len(names):
            continue
        for delimiter in delimiters:
            cut = beginning.cut(line, delimiter)
            if cut is None:
                continue
            header = {cell.strip() for cell in cut.records[0]}
            names_in_header = len(header & names)
            if names_in_header * 2 >= len(names):
                return cut
    return None


def _marker_of(line: str, reading: Reading, model_reading: Reading) -> str:
    """The marker that comments begin with: the user's, the model's, or the one of COMMENTS (#, %
    and //) that this line begins with; "" if there is none."""
    if reading.comment or model_reading.comment:
        return reading.comment or model_reading.comment or ""
    text = line.lstrip()
    for marker in COMMENTS:
        if text.startswith(marker):
            return marker
    return ""


def _behind_comments(beginning: Beginning, line: int, comment: str) -> int:
    """The number of the first line, from number `line` on, that is neither blank nor a comment; the
    number of lines in `starts` if there is none."""
    while line < len(beginning.starts):
        text = beginning.line(line).strip()
        if text and not text.startswith(comment):
            break
        line += 1
    return line


def _with_marked_records(beginning: Beginning, cut: Cut, comment: str) -> tuple[Cut, str]:
    """Find records that only look like comments above the table: (the records with these, the
    marker of comments or ""). cut: the table without them; comment: the marker that was found, or
    "".

    A line that is as wide as the table, without a blank behind the marker, is of the table. If it
    is the first line, and no header of names, there are no comments at all.
    """
    line = cut.line
    while comment and line > 0:
        text = beginning.line(line - 1).lstrip()
        behind_marker = text[len(comment) :]
        is_remark = behind_marker[:1] in ("", " ", "\t", comment)
        if not text.startswith(comment) or is_remark:
            break
        if len(_line_record(text, cut)) != cut.columns:
            break
        line -= 1
    if line == cut.line:
        return cut, comment
    # where even the first line is of the table, and no header such as `#id`, nothing is a comment
    first_text = beginning.line(line).lstrip(comment)
    is_name = first_text[:1].isalpha()
    if line == 0 and not is_name:
        comment = ""
    return beginning.cut(line, cut.delimiter) or cut, comment


def _irregular_records(
    beginning: Beginning,
    reading: Reading,
    model_reading: Reading,
    name: str,
    likely: str | None,
) -> Cut:
    """How to cut a text that no delimiter makes regular into records, of one column or ragged: by
    the user's delimiter, else by `likely`, else by a comma. reading, model_reading: what the user
    and the model say of the text; name: what messages call it. ParamError if the user's delimiter
    is not in it, and another would do."""
    comment = _marker_of(beginning.line(0), reading, model_reading)
    line = 0
    if comment:
        line = _behind_comments(beginning, 0, comment)
    if line >= len(beginning.starts):
        line = 0
    delimiter = reading.delimiter or likely or DELIMITERS[0]
    # a delimiter that stands nowhere is a slip, where another one makes a table
    is_missing = reading.delimiter is not None and reading.delimiter not in beginning.text
    if reading.delimiter is not None and is_missing:
        other = _best_cut(beginning, line, DELIMITERS + BLANK, None)
        if other is not None:
            raise ParamError(
                f"{name}: {option('--delimiter')} {_in_words(reading.delimiter)} does not stand in "
                "its first lines; "
                f"fields look parted by {_in_words(other.delimiter)}: leave "
                f"{option('--delimiter')} out"
            )
    space = delimiter == BLANK
    records = beginning.records(line, delimiter, space)
    return Cut(line, delimiter, space, records, clean=1.0)


def _in_words(delimiter: str) -> str:
    """How a message calls a delimiter: "blanks" or "tabs", any other as it is."""
    names = {BLANK: "blanks", "\t": "tabs"}
    return names.get(delimiter, delimiter)


# ---- what the records are


class _Table:
    """Decides what the first records of a table are, each answer an attribute: whether there is a
    header, what stands below it, the decimal mark, and which fields have no name.

    line: the number, from 0, of the line where the header or the first record stands; 0 if only
    blank lines are above it. header, below, named_again, space, decimal, edge, shared, padded: as
    Dialect has them.
    """

    def __init__(
        self,
        beginning: Beginning,
        cut: Cut,
        comment: str,
        reading: Reading,
        model_reading: Reading,
    ) -> None:
        """Decide how the table is written, each answer an attribute, as the class says. cut: the
        first records as they were cut, perhaps none; comment: the marker of comments, or "";
        reading, model_reading: what the user and the model say of the text."""
        self.line = cut.line
        self.edge = ""
        self.below = 0
        self.named_again = False
        self.shared = 0
        if _is_box(cut):
            self.edge = BOX
        judged = cut.records[:JUDGED_RECORDS]
        blanks_follow = _blanks_follow(judged, self.edge)
        self.space = cut.delimiter == BLANK or blanks_follow
        if self.space != cut.space:
            # cut anew, with the blanks in the values or without them
            rows = beginning.records(cut.line, cut.delimiter, self.space)
            cut = dataclasses.replace(cut, space=self.space, records=rows)
        rows = cut.records[:JUDGED_RECORDS]
        self.decimal = reading.decimal or model_reading.decimal or ""
        if not self.decimal:
            self.decimal = _decimal_of(cut.delimiter, rows[1:])
        self.header = self._has_header(beginning, cut, reading, model_reading)
        if not self.header and reading.header is None and cut.line > 0:
            self._look_above(beginning, cut, comment)
        elif self.header:
            self.below = below_header(rows[1:])
            self.named_again = is_named_again(rows[1 + self.below :])
        lines_below = rows[1 : 1 + self.below]
        is_drawn = any(map(cells.is_ruler, lines_below))
        self.padded = self.edge == BOX or (is_drawn and cut.delimiter == BAR)
        # blank lines are of no table, and nothing to be told of
        above = [beginning.line(line) for line in range(self.line)]
        if not any(text.strip() for text in above):
            self.line = 0

    def _has_header(
        self,
        beginning: Beginning,
        cut: Cut,
        reading: Reading,
        model_reading: Reading,
    ) -> bool:
        """Whether the first record of a cut is a header: as the user says in `reading`, else by the
        model's names of columns, else by how it differs from the records below it. True without a
        record, unless the user says otherwise."""
        rows = cut.records[:JUDGED_RECORDS]
        if reading.header is not None:
            return reading.header
        if not rows:
            return True
        first = {cell.strip() for cell in rows[0]}
        names = set(model_reading.names)
        names_in_first = len(first & names)
        if names and names_in_first * 2 >= len(names):
            return True
        if beginning.quoted_otherwise(cut.line, cut):
            return True
        # a model of c1, c2 ... was fitted on a table without a header
        are_numbered = all(NUMBERED.fullmatch(name) for name in names)
        without_names = bool(names) and are_numbered
        otherwise = model_reading.header is not False and not without_names
        return has_header(rows[0], rows[1:], otherwise)

    def _look_above(self, beginning: Beginning, cut: Cut, comment: str) -> None:
        """Use a line above the first record as header, the nearest that is not blank, if it suits.
        comment: the marker of comments, or "". Then it sets line and header, and edge and shared
        where fields have no name; else the table stays without a header.

        A comment suits if it has as many names as records have fields; any line with an empty name
        more at its end; and one that is no comment, with a name less, if `_edge_of_records` tells
        which field has none. Figures among the names are allowed only if the line is quoted
        otherwise than the records.
        """
        line = cut.line - 1
        while line > 0 and not beginning.line(line).strip():
            line -= 1
        text = beginning.line(line)
        is_comment = bool(comment) and text.lstrip().startswith(comment)
        names = []
        if text:
            bare = text.lstrip().lstrip(comment)
            names = _line_record(bare, cut)
        # the blank behind the marker
        while names and is_comment and names[0] == "":
            names = names[1:]
        if not names:
            return
        # a line with figures is a record, unless it is quoted as no record below is
        has_figures = any(map(cells.is_figure, names))
        if has_figures and not beginning.quoted_otherwise(line, cut):
            return
        surplus_names = len(names) - cut.columns
        # an empty name behind the last delimiter
        if surplus_names == 1 and names[-1] == "":
            self.edge = HEADER_TAIL
        # a name too few, if it can be told which field has none
        elif surplus_names == -1 and not is_comment:
            self.edge = self._edge_of_records(cut)
            if not self.edge:
                return
        elif surplus_names != 0 or not is_comment:
            return
        self.line = line
        self.header = True

    def _edge_of_records(self, cut: Cut) -> str:
        """Tell which field has no name where records have one field more than there are names.
        Returns RECORD_TAIL for the last, if it is empty in all records; SHARED_NAME for a time
        behind a date, and sets `shared` to the index of the date; ROW_NAMES for the first, if it is
        different in all records; "" if none of these holds. The first of them that does counts."""
        records = [row for row in cut.records if len(row) == cut.columns]
        columns = list(zip(*records, strict=True))
        if set(columns[-1]) == {""}:
            return RECORD_TAIL
        for place, (left, right) in enumerate(itertools.pairwise(columns)):
            are_dates = all(map(DATE.fullmatch, left))
            if are_dates and all(map(TIME.fullmatch, right)):
                self.shared = place
                return SHARED_NAME
        # row names tell rows apart
        first_column = columns[0]
        if len(set(first_column)) == len(first_column):
            return ROW_NAMES
        return ""


def _line_record(line: str, cut: Cut) -> list[str]:
    """The cells of a single line of text, cut as a record by the delimiter and blanks of `cut`,
    without blanks around them; [] of an empty line."""
    reader = csv.reader([line], delimiter=cut.delimiter, skipinitialspace=cut.space)
    record = next(reader, [])
    if cut.delimiter == BLANK and record[-1:] == [""]:
        record = record[:-1]
    return [cell.strip() for cell in record]


def _is_box(cut: Cut) -> bool:
    """Whether the table is drawn as a box: each record begins and ends with a bar, drawn lines left
    out, and some record has text between them. False for other delimiters than the bar."""
    if cut.delimiter != BAR or cut.columns < LEAST_BY_BLANKS:
        return False
    rows = []
    for row in cut.records:
        if len(row) == cut.columns and not cells.is_ruler(row):
            rows.append(row)
    has_text_outside = any(row[0].strip() or row[-1].strip() for row in rows)
    # bars alone may as well be records of empty fields
    has_text_inside = any(cell.strip() for row in rows for cell in row[1:-1])
    return has_text_inside and not has_text_outside


def _blanks_follow(rows: list[list[str]], edge: str) -> bool:
    """Whether a blank follows each delimiter in all records but the first; drawn lines, and the
    last fields of a box, are left out. False if no record or no delimiter is left. rows: the first
    records, the header among them; edge: BOX, if the table is drawn as a box."""
    records = [row for row in rows[1:] if not cells.is_ruler(row)]
    if edge == BOX:
        records = [row[:-1] for row in records]
    if not records or len(records[0]) < 2:
        return False
    for row in records:
        following = row[1:]
        if not all(cell.startswith(" ") for cell in following):
            return False
    return True


def _decimal_of(delimiter: str, rows: list[list[str]]) -> str:
    """Which decimal mark the numbers in these records have, "." or ",".

    "." if the delimiter is a comma. Else the first of these that holds: "." if some number can have
    no other mark, such as 0.5; "," if some can have no other, such as 0,5; "." if some have a
    point, such as 1.234; "," if some have one comma, such as 1,234; "." where nothing tells. rows:
    records without the header.
    """
    if delimiter == ",":
        return "."
    trimmed_cells = [cell.strip() for row in rows for cell in row]
    has_sure_comma = False
    for cell in trimmed_cells:
        mark = cells.sure_mark(cell)
        if mark == ".":
            return "."
        has_sure_comma = has_sure_comma or mark == ","
    if has_sure_comma:
        return ","
    for cell in trimmed_cells:
        # beside numbers with a point, one such as 1,234 has a comma for thousands
        if "." in cell and cells.is_number(cell, "."):
            return "."
    with_comma = [cell for cell in trimmed_cells if cell.count(",") == 1]
    has_decimal_comma = any(cells.is_number(cell, ",") for cell in with_comma)
    return "," if has_decimal_comma else "."
