"""Names of files: the suffix, which says what kind of file it is, and the name of a folder that is
given as "." or ".."."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

COMPRESSED = (".gz", ".zst", ".xz")
OF_TEXT = ("", ".csv", ".txt")  # suffixes of names that promise nothing but CSV


def named_path(path: Path) -> Path:
    """The same path ending in the name of its file or folder, also where it is given as "." or
    "..". Such a path becomes absolute, its links followed. Only the root of a disk has no name
    then."""
    if path.name in ("", ".."):
        return path.resolve()
    return path


def plain_path(path: Path) -> Path:
    """The same path without the suffix of a compression, .gz, .zst or .xz, at its end: x.csv for
    x.csv.gz. A path that is nothing but such a suffix, or has none, stays."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


def suffix_of(name: str) -> str:
    """The suffix in small letters, that of a compression left out: ".csv" of T.CSV.gz; "" if there
    is none."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def broken_promise(name: str, known: Iterable[str]) -> str:
    """A clause for a message about a table that is written as CSV to a file whose name promises
    another kind, such as t.xlsx: "is CSV, whatever its name says; ..."; "" for a name without a
    suffix, or with .csv or .txt. known: the suffixes by which a kind can be asked for, which the
    clause lists."""
    # a compression is written as promised, so the kind before it counts
    suffix = suffix_of(name)
    if suffix in OF_TEXT:
        return ""
    return f"is CSV, whatever its name says; the suffixes that are known are {', '.join(known)}"
