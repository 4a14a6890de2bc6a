"""The dialect of a table in text, how it is written, and what a user may say of it beforehand."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aetool.arguments import plain, shown
from aetool.csv import encodings
from aetool.csv.fields import Rule
from aetool.errors import ParamError
from aetool.spelling import option

BLANK = " "
NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "blank": BLANK, "space": BLANK}
DECIMALS = (".", ",")
ERROR, SKIP = ON_BAD_LINES = ("error", "skip")
LONGEST_COMMENT = 4  # characters
OF_NAMES = ("idna", "punycode", "undefined")  # encodings in which no file is written
# what is more, or less, in records than in the header
ROW_NAMES = "row names"  # a field before the first that has a name
RECORD_TAIL = "record tail"  # an empty field behind the last that has a name
HEADER_TAIL = "header tail"  # an empty name behind the last that has a field
SHARED_NAME = "shared name"  # one name for two fields, a date and a time
BOX = "box"  # a delimiter before the first field and behind the last, of records and header alike
# facts of reading alone: an archive keeps the bytes before its first record as they are
_OF_READING = (
    "preamble",
    "below",
    "named_again",
    "comment",
    "edge",
    "shared",
    "padded",
    "read_as",
    "skips_bad",
)


@dataclass(frozen=True)
class Dialect:
    """How a table in text is written: delimiter, line end, encoding, and where its records begin.

    delimiter: the one character between fields; a blank stands for one or more. newline: the line
    end of the first record. header: whether there is a header record. final_newline: whether the
    last record has a line end; bom: whether there is a byte-order mark. encoding: what the bytes
    suggest: UTF-16 or UTF-32, else "utf-8", also of Latin-1 and the like. space: blanks follow
    delimiters, and are no part of the values. decimal: the decimal mark of numbers, "." or ",".
    preamble: how many lines stand before the header, or before the first record where there is
    none. below: how many records under the header hold units or a ruled line. named_again: whether
    the first record looks like a second line of names, and is read as a record all the same.
    comment: what lines that are no records begin with, "" if nothing does. edge: ROW_NAMES,
    RECORD_TAIL, HEADER_TAIL, SHARED_NAME, BOX or ""; shared: the index of the first of two fields
    of one name. padded: blanks around values fill columns up, and lines are drawn. read_as: the
    encoding that the user or the model asked for; "" if none was. skips_bad: whether records with
    another number of fields than the table has are passed over, as the user said.
    """

    delimiter: str = ","
    newline: str = "\n"
    header: bool = True
    space: bool = False
    decimal: str = "."
    final_newline: bool = True
    bom: bool = False
    encoding: str = encodings.UTF8
    preamble: int = 0
    below: int = 0
    named_again: bool = False
    comment: str = ""
    edge: str = ""
    shared: int = 0
    padded: bool = False
    read_as: str = ""
    skips_bad: bool = False

    def to_json(self) -> dict[str, str | bool]:
        """The facts of the dialect that an archive stores, by name, as JSON: not those of
        _OF_READING, and the encoding only if it is not UTF-8."""
        facts = dataclasses.asdict(self)
        if self.encoding == encodings.UTF8:
            del facts["encoding"]
        for fact in _OF_READING:
            del facts[fact]
        return facts

    @property
    def rule(self) -> Rule:
        """The Rule by which a text of this dialect is cut into records and fields."""
        return Rule(self.delimiter, self.space)


@dataclass(frozen=True)
class Reading:
    """Settings that the user gives for reading a text table; what is None is detected from the
    text.

    header: False if the first record is one of the data. delimiter: one ASCII character, no letter,
    digit, quote or line end; "tab"; or "blank" (one or more blanks). decimal: "." or ",", which the
    delimiter must not be as well. encoding: as Python names it. skip_rows: how many lines stand
    before the header, or before the first record, 0 or more. comment: what lines that are no
    records begin with, 1 to 4 characters. on_bad_lines: what is done with records that have another
    number of fields than the table: "error", which None stands for, or "skip". names: those of a
    model's columns, by which a header is known. ParamError for anything else."""

    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    skip_rows: int | None = None
    comment: str | None = None
    on_bad_lines: str | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the settings, and replace the name of a delimiter, such as "tab", by its character;
        ParamError for one that is not allowed, and for a comma as delimiter and decimal mark at
        once."""
        for name, kind, words in KINDS:
            value = plain(getattr(self, name))
            if value is not None and not isinstance(value, kind):
                raise ParamError(f"{name} must be {words}; got {shown(value)}")
            # the class is frozen, and this is still its making
            object.__setattr__(self, name, value)
        object.__setattr__(self, "skip_rows", plain(self.skip_rows))
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", _delimiter(self.delimiter))
        if self.decimal not in (None, *DECIMALS):
            raise ParamError(f"{option('--decimal')} {self.decimal}: write . or ,")
        if self.delimiter == self.decimal == ",":
            raise ParamError(
                f"{option('--decimal')} and {option('--delimiter')} cannot both be a comma"
            )
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if self.skip_rows is not None and (type(self.skip_rows) is not int or self.skip_rows < 0):
            raise ParamError(
                f"{option('--skip-rows')} {shown(self.skip_rows)}: write a number of lines, 0 or "
                "more"
            )
        if self.comment is not None:
            _check_comment(self.comment)
        if self.on_bad_lines not in (None, *ON_BAD_LINES):
            raise ParamError(
                f"{option('--on-bad-lines')} {self.on_bad_lines}: write error, or skip to pass "
                "over lines with too few or too many fields"
            )

    def to_json(self) -> dict[str, str | int]:
        """The settings that the user has given, those that are not None, as JSON by name; without
        `names`."""
        settings = {}
        for name in OPTIONS:
            value = getattr(self, name)
            if value is not None:
                settings[name] = value
        return settings

    @classmethod
    def from_json(cls, settings: Mapping[str, object], names: tuple[str, ...] = ()) -> Self:
        """The settings that to_json wrote; TypeError or ParamError for anything else. names: of a
        model's columns."""
        return cls(**dict(settings), names=names)  # type: ignore[arg-type]

    def over(self, other: Reading) -> Reading:
        """Combine two Readings: these settings, and those of `other` where these are None (or, of
        names, empty). ParamError if delimiter and decimal mark are then both a comma."""
        settings = {**other.to_json(), **self.to_json()}
        return Reading.from_json(settings, self.names or other.names)


# of the settings that are looked into, what each is
KINDS = (
    ("header", bool, "True or False"),
    ("delimiter", str, "a text such as ';'"),
    ("decimal", str, "a text, . or ,"),
    ("encoding", str, "a text such as 'utf-8'"),
    ("comment", str, "a text such as '#'"),
    ("on_bad_lines", str, "'error' or 'skip'"),
)
OPTIONS = tuple(field.name for field in dataclasses.fields(Reading) if field.name != "names")


def _delimiter(text: str) -> str:
    """The delimiter, one character, that a user's text stands for, which may also be one of
    NAMED_DELIMITERS, such as tab, in either case; ParamError for what cannot part fields."""
    delimiter = NAMED_DELIMITERS.get(text.lower(), text)
    if len(delimiter) != 1 or not delimiter.isascii():
        raise ParamError(
            f"{option('--delimiter')} {text}: write one ASCII character such as ; or |, or "
            "tab, or blank"
        )
    if delimiter.isalnum() or delimiter in '"\r\n\0':
        raise ParamError(
            f"{option('--delimiter')} {text!r}: letters, digits, quotes and line ends cannot "
            "part fields; "
            "write one such as ; or |, or tab, or blank"
        )
    return delimiter


def _check_encoding(name: str) -> None:
    """Raise ParamError unless Python knows an encoding by this name in which texts are written."""
    try:
        codec = codecs.lookup(name)
        is_text = codec._is_text_encoding and codec.name not in OF_NAMES
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise ParamError(
            f"{option('--encoding')} {name}: no such encoding; write one such as utf-8, "
            "cp1252, latin-1, "
            "utf-16 or shift_jis"
        )


def _check_comment(marker: str) -> None:
    """Raise ParamError unless a marker of comments has 1 to 4 characters, and no quote or line end
    among them."""
    if not marker or len(marker) > LONGEST_COMMENT or any(c in '"\r\n' for c in marker):
        raise ParamError(
            f"{option('--comment')} {marker!r}: write what such lines begin with, such as # "
            "or % or //"
        )
