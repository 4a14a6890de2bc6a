"""Text to records and their fields, as spans of the text.

The loops are in the C kernel. What stands here is the norm: `by_loop` is the rule, byte by byte,
and `by_arrays` finds the same with array operations wherever quotes do not make it difficult.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.errors import DataError

LF, CR, QUOTE, BLANK = 10, 13, 34, 32
MOST_BYTES = (1 << 31) - 1  # of text cut at once: positions are int32
SAMPLE = 1 << 16  # bytes, by which the number of fields in a text is estimated
MORE_THAN_LIKELY = 1.25  # times the estimate is room for fields
LINE_ENDS = b"\r\n"
ENDS = ("", "\n", "\r\n", "\r")  # by the number that the kernel gives them; "": not all the same
BARE, QUOTED, ODD = 0, 1, 2  # how a field is written; odd: its value is not a span of the text

Positions = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """How a text is cut into fields. delimiter: the one character between fields; space: whether
    blanks at the start of a field are no part of its value."""

    delimiter: str = ","
    space: bool = False

    @property
    def byte(self) -> int:
        """The byte of the delimiter, as a number, 0 to 255."""
        return ord(self.delimiter)


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of a text, record by record, as places in the text.

    rule: by which it was cut. start, stop: (fields,), field i is text[start[i]:stop[i]], quotes and
    blanks included. kind: (fields,), BARE, QUOTED or ODD. begin: (records,), the offset in the text
    at which each record begins; width: (records,), how many fields it has. columns: the width of
    all records; 0 if they differ. ends: the line end of all records but the last (of a single
    record, its own); "" if they differ, if any has blank lines behind it, or there is none.
    """

    text: bytes
    rule: Rule
    start: Positions
    stop: Positions
    kind: Bytes
    begin: Positions
    width: Positions
    columns: int
    ends: str

    def __len__(self) -> int:
        """The number of records."""
        return len(self.begin)

    def tails(self) -> tuple[Positions, Positions]:
        """Where the ends of records stand: (start, stop), (records,) each, of the span behind each
        record's last field, with its line end and the blank lines after it."""
        fields_so_far = np.cumsum(self.width, dtype=np.int64)
        start = self.stop[fields_so_far - 1]
        # a tail ends where the next record begins
        following = np.append(self.begin[1:], len(self.text))
        stop = following.astype(np.int32)
        # of no records there is no tail
        return start, stop[: len(self)]

    def usual_end(self, otherwise: str) -> str:
        """The line end with which to write these records again: the one that all but the last have,
        see `ends`. Where there is no such one (they end differently, or blank lines stand between
        records), that of the last record, and `otherwise` if this has none or there are no
        records."""
        if self.ends:
            return self.ends
        if not len(self):
            return otherwise
        # where the line end of each record begins
        start, _ = self.tails()
        last = self.text[start[-1] :]
        # CR LF first: it begins as CR does
        for end in ("\r\n", "\n", "\r"):
            if last.startswith(end.encode()):
                return end
        return otherwise

    def records(self) -> list[list[bytes]]:
        """The values of the fields, without quotes, as a list for each record. DataError if they
        are more than 2^31 - 1 bytes."""
        data, start, stop = self.values()
        raw = data.tobytes()
        spans = zip(start.tolist(), stop.tolist(), strict=True)
        cells = [raw[first:end] for first, end in spans]
        records = []
        begin = 0
        for width in self.width.tolist():
            end = begin + width
            records.append(cells[begin:end])
            begin = end
        return records

    def only(self, records: Mask) -> Fields:
        """A Fields of some records alone, in their order: those where the mask `records`,
        (records,) bool, is True. Its `ends` is still that of all records."""
        is_chosen = np.repeat(records, self.width)
        return self._with_fields(is_chosen, self.begin[records], self.width[records])

    def without_last(self, records: Mask) -> Fields:
        """A Fields of all records, some of which lack their last field. records: (records,) bool,
        True for these."""
        is_chosen = np.ones(len(self.start), np.bool_)
        last = np.cumsum(self.width, dtype=np.int64) - 1
        is_chosen[last[records]] = False
        width = self.width - records
        return self._with_fields(is_chosen, self.begin, width.astype(np.int32))

    def inner(self, records: Mask) -> Fields:
        """A Fields of all records, some of which lack their first and their last field. records:
        (records,) bool, True for these, which must have at least two."""
        is_chosen = np.ones(len(self.start), np.bool_)
        end = np.cumsum(self.width, dtype=np.int64)
        first = end - self.width
        is_chosen[end[records] - 1] = False
        is_chosen[first[records]] = False
        width = self.width - 2 * records
        return self._with_fields(is_chosen, self.begin, width.astype(np.int32))

    def _with_fields(
        self,
        is_chosen: Mask,
        begin: Positions,
        width: Positions,
    ) -> Fields:
        """A Fields of some fields alone; text, rule and ends stay. is_chosen: (fields,) bool, which
        of them; begin: (records,), the offset in the text at which each record that they make up
        begins; width: (records,), how many of the chosen fields it has."""
        return dataclasses.replace(
            self,
            start=self.start[is_chosen],
            stop=self.stop[is_chosen],
            kind=self.kind[is_chosen],
            begin=begin,
            width=width,
            columns=_common_width(width.tolist()),
        )

    def values(self) -> tuple[Bytes, Positions, Positions]:
        """The values of all fields, without quotes and the blanks that the rule skips: (bytes, (n,)
        uint8; start, (fields,); stop, (fields,)), value i being bytes[start[i]:stop[i]]. DataError
        if the bytes are more than 2^31 - 1."""
        data = np.frombuffer(self.text, np.uint8)
        start = self.start.copy()
        stop = self.stop.copy()
        if self.rule.space:
            _skip_leading_blanks(data, start, stop)
        # the quotes around a value are a byte each
        quoted = self.kind == QUOTED
        start += quoted
        stop -= quoted
        odd = np.flatnonzero(self.kind == ODD)
        if not len(odd):
            return data, start, stop
        # an odd value, such as one with doubled quotes, is no span of the text: it is appended
        odd_values = self._values_of(odd)
        lengths = [len(odd_value) for odd_value in odd_values]
        edges = len(data) + np.cumsum([0, *lengths])
        if edges[-1] > MOST_BYTES:
            raise DataError("a piece of text is too large")
        start[odd] = edges[:-1]
        stop[odd] = edges[1:]
        raw = b"".join(odd_values)
        appended = np.frombuffer(raw, np.uint8)
        return np.concatenate([data, appended]), start, stop

    def _values_of(self, places: npt.NDArray[np.int64]) -> list[bytes]:
        """The values of the fields at these places, counted from 0, in their order, each worked out
        by itself."""
        starts = self.start[places].tolist()
        stops = self.stop[places].tolist()
        values = []
        for first, end in zip(starts, stops, strict=True):
            raw = self.text[first:end]
            values.append(value(raw, self.rule))
        return values


def _common_width(widths: list[int]) -> int:
    """How many fields every record has; 0 if they differ, or there are no records. widths: fields
    of each record."""
    if len(set(widths)) == 1:
        return widths[0]
    return 0


def strip_blanks(data: Bytes, start: Positions, stop: Positions) -> None:
    """Change start and stop, (fields,), in place, so that data[start[i]:stop[i]] neither begins nor
    ends with blanks (spaces, no tabs); one of blanks alone becomes empty."""
    _skip_leading_blanks(data, start, stop)
    # the fields that still end with a blank; the others have been stripped, or are empty
    moving = np.flatnonzero(start < stop)
    while len(moving):
        last_byte = data[stop[moving] - 1]
        moving = moving[last_byte == BLANK]
        stop[moving] -= 1
        is_left = start[moving] < stop[moving]
        moving = moving[is_left]


def _skip_leading_blanks(data: Bytes, start: Positions, stop: Positions) -> None:
    """Change start, (fields,), in place, so that data[start[i]:stop[i]] does not begin with a
    blank, the space (32) alone; a field of blanks becomes empty."""
    moving = np.flatnonzero(start < stop)
    while len(moving):
        first_byte = data[start[moving]]
        moving = moving[first_byte == BLANK]
        start[moving] += 1
        is_left = start[moving] < stop[moving]
        moving = moving[is_left]


def value(raw: bytes, rule: Rule) -> bytes:
    """The value that a field stands for: its text without quotes, and without the blanks that the
    rule skips; what follows a closing quote belongs to it. raw: the field's bytes in the text."""
    if rule.space:
        raw = raw.lstrip(b" ")
    if not raw.startswith(b'"'):
        return raw
    parts: list[bytes] = []
    at = 1
    while True:
        close = raw.find(b'"', at)
        if close < 0:
            # the quote is never closed: all that follows is the value
            parts.append(raw[at:])
            return b"".join(parts)
        behind = close + 1
        if not raw.startswith(b'"', behind):
            # what stands behind the closing quote belongs to the value, as it is
            parts += [raw[at:close], raw[behind:]]
            return b"".join(parts)
        # two quotes stand for one
        parts.append(raw[at:behind])
        at = behind + 1


def is_open(raw: bytes, rule: Rule) -> bool:
    """Whether a field begins with a quote that is not closed. raw: its bytes in the text."""
    if rule.space:
        raw = raw.lstrip(b" ")
    if not raw.startswith(b'"'):
        return False
    # what closes the field is a quote that is not doubled: one that is left without the doubled
    without_doubled = raw[1:].replace(b'""', b"")
    return QUOTE not in without_doubled


def fields(text: bytes, rule: Rule) -> Fields:
    """Cut a text into records and fields, by the C kernel where there is one. The text must begin
    at a record, or at blank lines. DataError if it has 2^31 - 1 bytes or more."""
    if len(text) >= MOST_BYTES:
        raise DataError("a piece of text is too large")
    if kernel.C is None:
        return by_arrays(text, rule) or by_loop(text, rule)
    likely_sizes = _likely_sizes(text, rule)
    cut = _cut_by_kernel(text, rule, likely_sizes)
    if cut is None:
        # there are more fields than the beginning made likely
        most_sizes = _most_sizes(text, rule)
        cut = _cut_by_kernel(text, rule, most_sizes)
    assert cut is not None
    return cut


def _likely_sizes(text: bytes, rule: Rule) -> tuple[int, int]:
    """For how many fields and records to take memory before a text is cut, (fields, records): of a
    long text more than its beginning makes likely, of a short one the most it can have."""
    head = text[:SAMPLE]
    most_fields, most_records = _most_sizes(head, rule)
    if len(head) == len(text):
        return most_fields, most_records
    times = MORE_THAN_LIKELY * len(text) / len(head)
    return int(most_fields * times), int(most_records * times)


def _most_sizes(text: bytes, rule: Rule) -> tuple[int, int]:
    """The most (fields, records) that a text can hold, counted by its delimiters and line ends as
    if none of these were in quotes."""
    records = _most_records(text)
    delimiters = count_of(text, rule.byte)
    return delimiters + records, records


def _most_records(text: bytes) -> int:
    """The most records that a text can hold: one for each line end, and one behind the last."""
    line_ends = count_of(text, LF) + count_of(text, CR)
    return line_ends + 1


def _cut_by_kernel(
    text: bytes,
    rule: Rule,
    sizes: tuple[int, int],
) -> Fields | None:
    """Cut a text into fields by the C kernel; None if there are more than memory was taken for.
    sizes: (fields, records) to take memory for."""
    most_fields, most_records = sizes
    start = np.empty(most_fields, np.int32)
    stop = np.empty_like(start)
    kind = np.empty(most_fields, np.uint8)
    begin = np.empty(most_records, np.int32)
    width = np.empty_like(begin)
    # the kernel fills the arrays from their beginnings, and says how far
    counts = kernel.C.fields(
        text,
        rule.byte,
        rule.space,
        start,
        stop,
        kind,
        begin,
        width,
    )
    if counts is None:
        return None
    count, records, columns, number_of_end = counts
    return Fields(
        text,
        rule,
        start=start[:count],
        stop=stop[:count],
        kind=kind[:count],
        begin=begin[:records],
        width=width[:records],
        columns=columns,
        ends=ENDS[number_of_end],
    )


def count_of(text: bytes, byte: int) -> int:
    """How often a byte is in a text; faster than bytes.count for one that is frequent."""
    data = np.frombuffer(text, np.uint8)
    return int(np.count_nonzero(data == byte))


def begins(text: bytes, rule: Rule, most: int | None = None) -> Positions:
    """The offsets in bytes at which the records of a text begin, (records,): of the first `most`
    records, or of all for None. Without the C kernel DataError for 2^31 - 1 bytes or more."""
    if kernel.C is None:
        return fields(text, rule).begin[:most]
    if most is None:
        most = _most_records(text)
    begin = np.empty(most, np.int32)
    records, _ = kernel.C.begins(text, rule.byte, rule.space, begin)
    return begin[:records]


def last_begin(text: bytes, rule: Rule, following: bytes = b"") -> int:
    """The offset in bytes at which the last record begins, so that all before it are whole; -1 if
    there is none.

    following: the byte behind the text, or b"": a record may begin there, at the text's end.
    Without the C kernel DataError for a text with quotes of 2^31 - 1 bytes or more.
    """
    if QUOTE not in text and following != b'"':
        return _last_begin_without_quotes(text, following)
    text += following
    if kernel.C is None:
        begin = fields(text, rule).begin
        if not len(begin):
            return -1
        return int(begin[-1])
    # no room for offsets: the last one alone is asked for
    nowhere = np.empty(0, np.int32)
    last: int
    _, last = kernel.C.begins(text, rule.byte, rule.space, nowhere)
    return last


def _last_begin_without_quotes(text: bytes, following: bytes) -> int:
    """The offset at which the last record of a text begins, -1 if it has none; for texts without
    quotes, in which every line end ends a record. following: the byte behind the text, b"" at its
    end."""
    goes_on = following and following not in LINE_ENDS
    if goes_on and text.endswith((b"\n", b"\r")):
        return len(text)
    # line ends at the end are of the last record, or blank lines behind it
    body = len(text.rstrip(LINE_ENDS))
    if not body:
        return -1
    last_lf = text.rfind(b"\n", 0, body)
    last_cr = text.rfind(b"\r", 0, body)
    return max(last_lf, last_cr) + 1


# ---- the references


def by_loop(text: bytes, rule: Rule) -> Fields:
    """Cut a text into fields byte by byte: the slow reference that `fields` is tested against, and
    what it does where neither the C kernel nor `by_arrays` can."""
    edges = frozenset((rule.byte, LF, CR))
    start: list[int] = []
    stop: list[int] = []
    kind: list[int] = []
    begin: list[int] = []
    width: list[int] = []
    at = _behind_line_ends(text, 0)
    while at < len(text):
        begin.append(at)
        fields_before = len(start)
        while True:
            start.append(at)
            at, kind_of_field = _field_end(text, at, rule, edges)
            stop.append(at)
            kind.append(kind_of_field)
            # a record ends where its last field does, at no delimiter
            if at == len(text) or text[at] in LINE_ENDS:
                break
            at += 1
        width.append(len(start) - fields_before)
        at = _behind_line_ends(text, at)
    cut = Fields(
        text,
        rule,
        start=np.array(start, np.int32),
        stop=np.array(stop, np.int32),
        kind=np.array(kind, np.uint8),
        begin=np.array(begin, np.int32),
        width=np.array(width, np.int32),
        columns=_common_width(width),
        ends="",
    )
    return _with_common_line_end(cut)


def _behind_line_ends(text: bytes, at: int) -> int:
    """The first offset from `at` on at which no line end stands; the text's length if there is
    none."""
    while at < len(text) and text[at] in LINE_ENDS:
        at += 1
    return at


def _field_end(
    text: bytes,
    at: int,
    rule: Rule,
    edges: frozenset[int],
) -> tuple[int, int]:
    """Find where the field ends that begins at `at`: (the offset of its end; its kind: BARE, QUOTED
    or ODD). at: an offset in the text; edges: the bytes that end a bare field: the delimiter and
    line ends."""
    kind = BARE
    if rule.space:
        while text.startswith(b" ", at):
            at += 1
    if text.startswith(b'"', at):
        at, kind = _behind_quotes(text, at + 1)
        # more follows behind the closing quote, and belongs to the value
        if at < len(text) and text[at] not in edges:
            kind = ODD
    while at < len(text) and text[at] not in edges:
        at += 1
    return at, kind


def _behind_quotes(text: bytes, at: int) -> tuple[int, int]:
    """Find the quote that closes a field: (the offset behind it; the field's kind: ODD if a doubled
    quote is in it, else QUOTED). at: the offset behind the quote that opens it. A field whose quote
    is never closed goes on to the end of the text, and is ODD."""
    kind = QUOTED
    while True:
        close = text.find(b'"', at)
        if close < 0:
            return len(text), ODD
        at = close + 1
        if not text.startswith(b'"', at):
            return at, kind
        # a doubled quote stands for one: the value is no span of the text
        kind = ODD
        at += 1


def _with_common_line_end(cut: Fields) -> Fields:
    """A copy of these fields in which `ends` is the line end that all records but the last have; ""
    if they differ, or any of these records has blank lines behind it. Of a single record `ends` is
    its own line end."""
    start, stop = cut.tails()
    spans = list(zip(start.tolist(), stop.tolist(), strict=True))
    # the last record of several may have no line end
    judged = max(1, len(spans) - 1)
    tails = set()
    for first, end in spans[:judged]:
        tail = cut.text[first:end]
        tails.add(tail.decode())
    ends = ""
    if len(tails) == 1:
        ends = tails.pop()
    # with blank lines behind it, it is none of these
    if ends not in ENDS:
        ends = ""
    return dataclasses.replace(cut, ends=ends)


def by_arrays(text: bytes, rule: Rule) -> Fields | None:
    """The Fields that `fields` returns, by array operations; None for an empty text, where blanks
    are the delimiter, and where the number of quotes before a byte does not tell whether it is
    quoted."""
    data = np.frombuffer(text, np.uint8)
    if not len(data) or rule.delimiter == " ":
        return None
    is_delimiter = data == rule.byte
    is_line_end = (data == LF) | (data == CR)
    is_quote = data == QUOTE
    quotes_before = np.cumsum(is_quote) - is_quote
    if is_quote.any():
        if not _quotes_decide(is_quote, is_delimiter | is_line_end):
            return None
        # an even number of quotes stands before it
        is_outside = quotes_before & 1 == 0
        is_delimiter &= is_outside
        is_line_end &= is_outside
    # the text begins as if a line end stood before it
    is_after_line_end = np.concatenate([[True], is_line_end[:-1]])
    begin = np.flatnonzero(~is_line_end & is_after_line_end)
    record_stop = np.flatnonzero(is_line_end & ~is_after_line_end)
    if not is_line_end[-1]:
        record_stop = np.append(record_stop, len(data))
    # a field begins with a record, or behind a delimiter
    delimiters = np.flatnonzero(is_delimiter)
    start = np.concatenate([begin, delimiters + 1])
    start.sort()
    stop = np.concatenate([record_stop, delimiters])
    stop.sort()
    first_field = np.searchsorted(start, begin)
    width = np.diff(first_field, append=len(start))
    # how many quotes stand before each byte, and before the end
    quotes = np.append(quotes_before, is_quote.sum())
    quotes_inside = quotes[stop] - quotes[start]
    cut = Fields(
        text,
        rule,
        start=start.astype(np.int32),
        stop=stop.astype(np.int32),
        kind=_kinds_by_quotes(quotes_inside),
        begin=begin.astype(np.int32),
        width=width.astype(np.int32),
        columns=_common_width(width.tolist()),
        ends="",
    )
    return _with_common_line_end(cut)


def _kinds_by_quotes(quotes: npt.NDArray[np.int64]) -> Bytes:
    """How each field is written, (fields,): BARE if it has no quotes, QUOTED with one or two, ODD
    with more. This is right only where `_quotes_decide`. quotes: (fields,), how many each has."""
    kind = np.full(len(quotes), BARE, np.uint8)
    kind[quotes > 0] = QUOTED
    # more than the two around it: its value has quotes, which are doubled
    kind[quotes > 2] = ODD
    return kind


def _quotes_decide(is_quote: Mask, is_edge: Mask) -> bool:
    """Whether each opening quote is behind an edge or a quote, and each closing one before such: a
    byte is then quoted if the number of quotes before it is odd. False for an odd number of quotes.
    is_quote, is_edge: (bytes,) bool; edges are delimiters and line ends."""
    places = np.flatnonzero(is_quote)
    if len(places) & 1:
        return False
    opening = places[0::2]
    closing = places[1::2]
    # with an edge before the text and one behind it: byte i is at i + 1
    is_joint = np.concatenate([[True], is_edge | is_quote, [True]])
    before_opening = is_joint[opening]
    behind_closing = is_joint[closing + 2]
    return bool(before_opening.all() and behind_closing.all())
