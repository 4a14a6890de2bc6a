"""Text to records and their fields, as spans of the text.

The loops are in the C kernel. What stands here is the norm: `by_loop` is the rule, byte by byte,
and `by_arrays` finds the same with array operations wherever quotes do not make it difficult.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

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
    """How fields are separated. delimiter: one character; space: whether blanks at the start of a
    field are no part of its value."""

    delimiter: str = ","
    space: bool = False

    @property
    def byte(self) -> int:
        """The delimiter's byte, as a number."""
        return ord(self.delimiter)


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of a text, record by record.

    start, stop: (fields,), field i is text[start[i]:stop[i]], quotes and blanks included. kind:
    (fields,), BARE, QUOTED or ODD. begin: (records,), where each record begins; width: (records,),
    how many fields it has. columns: the width of all records; 0 if they differ. ends: the line end
    of all records but the last (of a single record, its own); "" if they differ.
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
        return len(self.begin)

    def tails(self) -> tuple[Positions, Positions]:
        """(start, stop), (records,) each: the span behind each record's last field, with its line
        end and blank lines."""
        last_field = np.cumsum(self.width, dtype=np.int64) - 1
        following = np.append(self.begin[1:], len(self.text)).astype(np.int32)
        return self.stop[last_field], following[: len(self)]

    def usual_end(self, otherwise: str) -> str:
        """The line end of records; if they differ, that of the last record, or `otherwise` if it
        has none."""
        if self.ends:
            return self.ends
        start, _ = self.tails()
        last = self.text[start[-1] :] if len(self) else b""
        # CR LF first: it begins as CR does
        for end in (ENDS[2], ENDS[1], ENDS[3]):
            if last.startswith(end.encode()):
                return end
        return otherwise

    def records(self) -> list[list[bytes]]:
        """The values of the fields, without quotes, as a list for each record."""
        data, start, stop = self.values()
        raw = data.tobytes()
        cells = [raw[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)]
        edges = np.cumsum(self.width).tolist()
        return [cells[b - w : b] for b, w in zip(edges, self.width.tolist(), strict=True)]

    def only(self, records: Mask) -> Fields:
        """The fields of those records alone that the mask `records`, (records,), has."""
        is_chosen = np.repeat(records, self.width)
        return self._chosen(is_chosen, self.begin[records], self.width[records])

    def without_last(self, records: Mask) -> Fields:
        """The fields without the last one of each record that the mask `records`, (records,),
        has."""
        is_chosen = np.ones(len(self.start), np.bool_)
        last = np.cumsum(self.width, dtype=np.int64) - 1
        is_chosen[last[records]] = False
        return self._chosen(is_chosen, self.begin, (self.width - records).astype(np.int32))

    def inner(self, records: Mask) -> Fields:
        """The fields without the first and the last one of each record that the mask `records`,
        (records,), has; these have at least two."""
        is_chosen = np.ones(len(self.start), np.bool_)
        end = np.cumsum(self.width, dtype=np.int64)
        is_chosen[end[records] - 1] = False
        is_chosen[(end - self.width)[records]] = False
        return self._chosen(is_chosen, self.begin, (self.width - 2 * records).astype(np.int32))

    def _chosen(self, is_chosen: Mask, begin: Positions, width: Positions) -> Fields:
        # 0 where they differ, as where there are none
        columns = 0
        if len(set(width.tolist())) == 1:
            columns = int(width[0])
        return dataclasses.replace(
            self,
            start=self.start[is_chosen],
            stop=self.stop[is_chosen],
            kind=self.kind[is_chosen],
            begin=begin,
            width=width,
            columns=columns,
        )

    def values(self) -> tuple[Bytes, Positions, Positions]:
        """(bytes, start, stop): the value of field i is bytes[start[i]:stop[i]], without quotes,
        and without the blanks that the rule skips."""
        data = np.frombuffer(self.text, np.uint8)
        start = self.start.copy()
        stop = self.stop.copy()
        if self.rule.space:
            _skip_blanks(data, start, stop)
        quoted = self.kind == QUOTED
        start += quoted
        stop -= quoted
        odd = np.flatnonzero(self.kind == ODD)
        if not len(odd):
            return data, start, stop
        # values that are not spans of the text are written behind it
        spans = zip(self.start[odd].tolist(), self.stop[odd].tolist(), strict=True)
        written = [value(self.text[a:b], self.rule) for a, b in spans]
        edges = len(data) + np.cumsum([0, *map(len, written)])
        if edges[-1] > MOST_BYTES:
            raise DataError("a piece of text is too large")
        start[odd] = edges[:-1]
        stop[odd] = edges[1:]
        return np.concatenate([data, np.frombuffer(b"".join(written), np.uint8)]), start, stop


def strip_blanks(data: Bytes, start: Positions, stop: Positions) -> None:
    """Change start and stop, (fields,), in place, so that data[start[i]:stop[i]] neither begins nor
    ends with blanks."""
    _skip_blanks(data, start, stop)
    moving = np.flatnonzero(start < stop)
    while len(moving):
        moving = moving[data[stop[moving] - 1] == BLANK]
        stop[moving] -= 1
        moving = moving[start[moving] < stop[moving]]


def _skip_blanks(data: Bytes, start: Positions, stop: Positions) -> None:
    """Change start, (fields,), in place, so that data[start[i]:stop[i]] does not begin with a
    blank."""
    moving = np.flatnonzero(start < stop)
    while len(moving):
        moving = moving[data[start[moving]] == BLANK]
        start[moving] += 1
        moving = moving[start[moving] < stop[moving]]


def value(raw: bytes, rule: Rule) -> bytes:
    """The value of a field. raw: its bytes in the text, quotes included."""
    if rule.space:
        raw = raw.lstrip(b" ")
    if not raw.startswith(b'"'):
        return raw
    parts: list[bytes] = []
    at = 1
    while True:
        close = raw.find(b'"', at)
        if close < 0:  # left open
            return b"".join(parts) + raw[at:]
        if raw[close + 1 : close + 2] != b'"':
            return b"".join(parts) + raw[at:close] + raw[close + 1 :]
        parts.append(raw[at : close + 1])
        at = close + 2


def is_open(raw: bytes, rule: Rule) -> bool:
    """Whether a field begins with a quote that is not closed. raw: its bytes in the text."""
    if rule.space:
        raw = raw.lstrip(b" ")
    # doubled quotes are even, a closing quote makes them odd; behind that one all is bare
    return raw.startswith(b'"') and raw[1:].replace(b'""', b"").find(b'"') < 0


def fields(text: bytes, rule: Rule) -> Fields:
    """Cut a text, of less than 2 GiB, into records and fields. It begins at a record, or at blank
    lines."""
    if len(text) >= MOST_BYTES:
        raise DataError("a piece of text is too large")
    if kernel.C is None:
        return by_arrays(text, rule) or by_loop(text, rule)
    start, stop, kind, begin, width, sizes = _cut(text, rule, _likely_sizes(text, rule))
    count, records, columns, ends = sizes
    of_fields = start[:count], stop[:count], kind[:count]
    return Fields(text, rule, *of_fields, begin[:records], width[:records], columns, ENDS[ends])


def _likely_sizes(text: bytes, rule: Rule) -> tuple[int, int]:
    """(fields, records) to take memory for: of a long text more than its beginning makes likely, of
    a short one the most it can have."""
    head = text[:SAMPLE]
    most_fields, most_records = _most(head, rule)
    if len(head) == len(text):
        return most_fields, most_records
    times = MORE_THAN_LIKELY * len(text) / len(head)
    return int(most_fields * times), int(most_records * times)


def _most(text: bytes, rule: Rule) -> tuple[int, int]:
    """(fields, records): the most that a text can hold, by its delimiters and line ends, as if none
    of these were in quotes."""
    records = _most_records(text)
    return count_of(text, rule.byte) + records, records


def _most_records(text: bytes) -> int:
    line_ends = count_of(text, LF) + count_of(text, CR)
    return line_ends + 1


def _cut(text: bytes, rule: Rule, sizes: tuple[int, int]) -> Any:
    """Cut a text by the kernel: (start, stop, kind, begin, width, counts); counts: how many fields
    and records there are, their columns, and the number of their line end. sizes: (fields, records)
    to take memory for."""
    most_fields, most_records = sizes
    start = np.empty(most_fields, np.int32)
    of_fields = start, np.empty_like(start)
    kind = np.empty(most_fields, np.uint8)
    begin = np.empty(most_records, np.int32)
    of_records = begin, np.empty_like(begin)
    counts = kernel.C.fields(text, rule.byte, rule.space, *of_fields, kind, *of_records)
    if counts is None:  # there are more than the beginning made likely
        return _cut(text, rule, _most(text, rule))
    return *of_fields, kind, *of_records, counts


def count_of(text: bytes, byte: int) -> int:
    """How often a byte is in a text; faster than bytes.count for one that is frequent."""
    data = np.frombuffer(text, np.uint8)
    return int(np.count_nonzero(data == byte))


def begins(text: bytes, rule: Rule, most: int | None = None) -> Positions:
    """(records,): the offsets at which the first `most` records begin; None: all."""
    if kernel.C is None:
        return fields(text, rule).begin[:most]
    if most is None:
        most = _most_records(text)
    begin = np.empty(most, np.int32)
    records, _ = kernel.C.begins(text, rule.byte, rule.space, begin)
    return begin[:records]


def last_begin(text: bytes, rule: Rule, following: bytes = b"") -> int:
    """The offset at which the last record begins, so that all before it are whole; -1 if there is
    none.

    following: the byte behind the text, or b"": a record may begin there, at the text's end.
    """
    if text.find(QUOTE) < 0 and following != b'"':
        if following and following not in LINE_ENDS and text.endswith((b"\n", b"\r")):
            return len(text)
        body = len(text.rstrip(LINE_ENDS))
        if not body:
            return -1
        return max(text.rfind(b"\n", 0, body), text.rfind(b"\r", 0, body)) + 1
    text += following
    if kernel.C is None:
        begins = fields(text, rule).begin
        return int(begins[-1]) if len(begins) else -1
    last: int = kernel.C.begins(text, rule.byte, rule.space, np.empty(0, np.int32))[1]
    return last


# ---- the references


def by_loop(text: bytes, rule: Rule) -> Fields:
    """Cut a text into fields byte by byte: the slow reference that `fields` is tested against."""
    edges = frozenset((rule.byte, LF, CR))
    start: list[int] = []
    stop: list[int] = []
    kind: list[int] = []
    begin: list[int] = []
    width: list[int] = []
    at = _behind_line_ends(text, 0)
    while at < len(text):
        begin.append(at)
        before = len(start)
        while True:
            start.append(at)
            at, written = _field_end(text, at, rule, edges)
            stop.append(at)
            kind.append(written)
            if at == len(text) or text[at] in LINE_ENDS:
                break
            at += 1
        width.append(len(start) - before)
        at = _behind_line_ends(text, at)
    columns = width[0] if len(set(width)) == 1 else 0
    spans = np.array(start, np.int32), np.array(stop, np.int32), np.array(kind, np.uint8)
    records = np.array(begin, np.int32), np.array(width, np.int32)
    return _with_ends(text, rule, *spans, *records, columns)


def _behind_line_ends(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in LINE_ENDS:
        at += 1
    return at


def _field_end(text: bytes, at: int, rule: Rule, edges: frozenset[int]) -> tuple[int, int]:
    """(the offset at which the field that begins at `at` ends, its kind). edges: the bytes that end
    a bare field."""
    kind = BARE
    if rule.space:
        while text[at : at + 1] == b" ":
            at += 1
    if text[at : at + 1] == b'"':
        kind = QUOTED
        at += 1
        while True:
            close = text.find(b'"', at)
            if close < 0:
                return len(text), ODD
            at = close + 1
            if text[at : at + 1] != b'"':
                break
            kind = ODD
            at += 1
        if at < len(text) and text[at] not in edges:
            kind = ODD
    while at < len(text) and text[at] not in edges:
        at += 1
    return at, kind


def _with_ends(
    text: bytes, rule: Rule, start: Positions, stop: Positions, kind: Bytes, begin: Positions,
    width: Positions, columns: int,
) -> Fields:  # fmt: skip
    """The Fields of these arrays, with `ends` set to the line end that all records have."""
    cut = Fields(text, rule, start, stop, kind, begin, width, columns, "")
    tail_start, tail_stop = (places.tolist() for places in cut.tails())
    judged = max(1, len(cut) - 1)  # all but the last
    tails = {text[a:b].decode() for a, b in zip(tail_start[:judged], tail_stop, strict=False)}
    ends = tails.pop() if len(tails) == 1 else ""
    return dataclasses.replace(cut, ends=ends if ends in ENDS else "")


def by_arrays(text: bytes, rule: Rule) -> Fields | None:
    """The Fields that `fields` returns, by array operations; None where the number of quotes before
    a byte does not tell whether it is quoted, or blanks are the delimiter."""
    data = np.frombuffer(text, np.uint8)
    if not len(data) or rule.delimiter == " ":
        return None
    delimiter = data == rule.byte
    line_end = (data == LF) | (data == CR)
    quote = data == QUOTE
    quotes_before = np.cumsum(quote) - quote
    if quote.any():
        if not _quotes_decide(quote, delimiter | line_end, quotes_before):
            return None
        outside = quotes_before & 1 == 0
        delimiter &= outside
        line_end &= outside
    after_line_end = np.concatenate([[True], line_end[:-1]])
    begin = np.flatnonzero(~line_end & after_line_end)
    record_stop = np.flatnonzero(line_end & ~after_line_end)
    if not line_end[-1]:
        record_stop = np.append(record_stop, len(data))
    parted = np.flatnonzero(delimiter)
    start = np.sort(np.concatenate([begin, parted + 1]))
    stop = np.sort(np.concatenate([record_stop, parted]))
    width = np.diff(np.append(np.searchsorted(start, begin), len(start)))
    quotes = np.append(quotes_before, quote.sum())
    inner = quotes[stop] - quotes[start]
    kind = np.where(inner > 2, ODD, np.where(inner > 0, QUOTED, BARE)).astype(np.uint8)
    columns = int(width[0]) if len(width) and (width == width[0]).all() else 0
    spans = start.astype(np.int32), stop.astype(np.int32), kind
    return _with_ends(text, rule, *spans, begin.astype(np.int32), width.astype(np.int32), columns)


def _quotes_decide(quote: Mask, edge: Mask, quotes_before: npt.NDArray[np.int64]) -> bool:
    """Whether each opening quote is behind an edge or a quote, and each closing one before such: a
    byte is then quoted if the number of quotes before it is odd. quote, edge: masks, (bytes,)."""
    where = np.flatnonzero(quote)
    if len(where) & 1:
        return False
    opening = where[0::2]
    closing = where[1::2]
    joint = np.concatenate([[True], edge | quote, [True]])
    return bool(joint[opening].all() and joint[closing + 2].all())
