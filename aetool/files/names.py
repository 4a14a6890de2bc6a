"""Names of files: the suffix, which says what kind of file it is, and the name of a folder that is
given as "." or ".."."""

from __future__ import annotations

from pathlib import Path

COMPRESSED = (".gz", ".zst", ".xz")


def named_path(path: Path) -> Path:
    """The same path ending in the name of its file or folder, also where it is given as "." or
    "..". Such a path becomes absolute, its links followed. Only the root of a disk has no name
    then."""
    if path.name in ("", ".."):
        return path.resolve()
    return path


def suffix_of(name: str) -> str:
    """The suffix in small letters, that of a compression left out: ".csv" of T.CSV.gz; "" if there
    is none."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
