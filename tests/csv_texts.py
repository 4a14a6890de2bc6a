"""A grammar of hostile tables in text, drawn by a seed, and what csv.reader sees in each."""

import codecs
import csv
import io
import random
import re
from dataclasses import dataclass

DELIMITERS = [",", ";", "\t", "|", " "]
LINE_ENDS = ["\n", "\r\n", "\r"]
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-be",
    "utf-16-le",
    "utf-32",
    "latin-1",
    "cp1252",
]
WORDS = ["a", "19", "x y", "é", "naïve", "flat", "=cmd()", "-0", "1e400", "NA", "0.10", "007", "#"]
NOISE = 'ab1,;\t| "\n\r\0é😀\ufeff'


@dataclass
class HostileText:
    """The bytes of a file that is hard to read as a table, and what they were made from. kind:
    "table" or "noise"."""

    data: bytes
    kind: str
    encoding: str


def draw(seed: int) -> HostileText:
    """Make the hostile text of a seed."""
    rng = random.Random(seed)
    encoding = rng.choice(ENCODINGS) if rng.random() < 0.5 else "utf-8"
    if rng.random() < 0.15:
        text = "".join(rng.choice(NOISE) for _ in range(rng.randrange(1, 200)))
        return HostileText(_encoded(rng, text, encoding), "noise", encoding)
    text = _table(rng)
    return HostileText(_encoded(rng, text, encoding), "table", encoding)


def _encoded(rng: random.Random, text: str, encoding: str) -> bytes:
    if encoding in ("utf-16-be", "utf-16-le") and rng.random() < 0.7:
        text = "\ufeff" + text
    data = text.encode(encoding, errors="replace")
    if rng.random() < 0.02:  # cut in the middle of a character, or of a record
        data = data[: rng.randrange(len(data) + 1)]
    return data or b"\n"


def _table(rng: random.Random) -> str:
    delimiter = rng.choice(DELIMITERS)
    columns = rng.choice([1, 2, 2, 3, 3, 5, 9])
    records = rng.choice([0, 1, 2, 2, 5, 5, 5, 20, 20, 60, 60, 300][: rng.choice([8, 11, 12])])
    ends = [rng.choice(LINE_ENDS)] if rng.random() < 0.7 else LINE_ENDS
    blank = " " if rng.random() < 0.15 else ""
    # how often a cell, a record, a line end is unusual: of many tables none is
    odd_cells = rng.choice([0, 0, 0.02, 0.3])
    ragged = rng.choice([0, 0, 0, 0.02, 0.4])
    blank_lines = rng.choice([0, 0, 0.02, 0.3])
    parts = [rng.choice(ends) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    if rng.random() < 0.8:
        names = [rng.choice(["a", "b", '"q,1"', "name", "x y"]) + str(i) for i in range(columns)]
        parts += [(delimiter + blank).join(names), rng.choice(ends)]
    for _ in range(records):
        width = columns if rng.random() >= ragged else rng.randrange(1, columns + 3)
        cells = [_cell(rng, delimiter, rng.random() < odd_cells) for _ in range(width)]
        parts += [(delimiter + blank).join(cells), rng.choice(ends)]
        while rng.random() < blank_lines:
            parts.append(rng.choice(ends))
    if rng.random() < 0.3:  # no line end at the end of the text
        parts = parts[:-1]
    if rng.random() < 0.05:
        parts.insert(rng.randrange(len(parts) + 1), '"')
    if rng.random() < 0.01:  # longer than a field that csv.reader takes by itself
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(WORDS) * 150_000)
    return "".join(parts)


def _cell(rng: random.Random, delimiter: str, odd: bool) -> str:
    if not odd:
        return rng.choice([str(rng.randrange(1000)), f"{rng.random():.2f}", rng.choice(WORDS), ""])
    word = rng.choice(WORDS)
    return rng.choice([
        lambda: f'{word}" {word}',  # a quote in a bare cell
        lambda: f'"{word}{delimiter}{word}"',
        lambda: f'"{word}{rng.choice(LINE_ENDS)}{word}"',
        lambda: f'"{word}""{word}"',
        lambda: '""""',
        lambda: '""',
        lambda: f'"{word}"{word}',  # what follows the closing quote
        lambda: f'"{word}" ',
        lambda: f' "{word}"',
        lambda: f' "{word}{delimiter}{word}"',
        lambda: rng.choice([" ", "   ", "\t", " x", "x "]),
        lambda: '"' + word * rng.choice([1, 1, 1, 50]),  # left open
        lambda: f"{word}\0{word}",
        lambda: f"{word}\ufeff",
        lambda: word * rng.choice([100, 100, 1000]),
        lambda: "\u2028\x85\x0b\x0c\x1c",  # ends of lines elsewhere, not in CSV
    ])()  # fmt: skip


def records_of(text: str, delimiter: str, space: bool) -> list[list[str]]:
    """The records that csv.reader reads, blank lines left out."""
    before = csv.field_size_limit(1 << 30)
    try:
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=space)
        return [row for row in reader if row]
    finally:
        csv.field_size_limit(before)


def behind_lines(text: str, count: int) -> str:
    """The text without its first `count` lines."""
    for _ in range(count):
        end = re.search("\r\n|\r|\n", text)
        text = text[end.end() :] if end else ""
    return text


def decoded(data: bytes, encoding: str) -> str:
    """The text of these bytes, its mark apart; what is not UTF-8 as Latin-1."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        return text.removeprefix("ï»¿")
    return text.removeprefix("\ufeff")


def as_detected(data: bytes, encoding: str) -> str:
    """The text that detection reads: as `decoded`, but of what is not UTF-8 each byte that is none
    in Windows-1252, or in Latin-1 where that has no character."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("utf-8", "tests.single_bytes").removeprefix("\ufeff")
    return decoded(data, encoding)


def _single_bytes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    characters = (bytes([b]).decode("cp1252", "ignore") or chr(b) for b in wrong)
    return "".join(characters), error.end


codecs.register_error("tests.single_bytes", _single_bytes)


def is_utf8(data: bytes) -> bool:
    """Whether these bytes are UTF-8 throughout."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
