"""The suffix of a file's name, which says what kind of file it is."""

from __future__ import annotations

from pathlib import Path

COMPRESSED = (".gz", ".zst", ".xz")


def suffix_of(name: str) -> str:
    """The suffix in small letters, that of a compression left out: ".csv" of T.CSV.gz."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
