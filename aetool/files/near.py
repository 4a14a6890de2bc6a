"""The name that was probably meant where nothing is at a path: one that is there, and nearly it."""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

# entries of a folder that are looked at: a message must not wait for a huge one
MOST_ENTRIES = 2000
# of two names without their suffixes, how much of their letters they share, 0 to 1
LEAST_ALIKE = 0.7
MODEL = ".aem"
OWN = (MODEL, ".aez")
DIGITS = re.compile(r"[0-9]+")


def did_you_mean(path: str | os.PathLike[str], suffix: str = "") -> str:
    """The end of a message that nothing is at a path: "; did you mean 'data.csv'?", or "" where no
    file or folder beside it is called nearly so, or the folder has more than 2,000 entries.

    If already the folder is missing that it should lie in, a folder called nearly so is looked for,
    in which the rest of the path is. suffix: the one that is meant, such as ".aem"; "" is that of
    the path if it is one of aetool's own, and else any but that of a model, which is no data.
    """
    missing_path = Path(path)
    wanted_suffix = suffix or missing_path.suffix.lower()
    for place in (missing_path, *missing_path.parents):
        # the first folder on the way up that is there
        if not place.parent.is_dir():
            continue
        path_below = missing_path.relative_to(place)
        for name in _names_alike(place.name, _entries(place.parent)):
            other = place.parent / name / path_below
            kind = other.suffix.lower()
            is_of_kind = kind == wanted_suffix if wanted_suffix in OWN else kind != MODEL
            if is_of_kind and other.exists():
                return f"; did you mean '{other}'?"
        break
    return ""


def _entries(folder: Path) -> list[str]:
    """The names of what is in a folder, without hidden ones, sorted; [] where there are more than
    2,000, or it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            first = list(itertools.islice(entries, MOST_ENTRIES + 1))
    except OSError:
        return []
    if len(first) > MOST_ENTRIES:
        return []
    return sorted(entry.name for entry in first if not entry.name.startswith("."))


def _names_alike(name: str, others: list[str]) -> Iterator[str]:
    """Yield those of other names that are nearly this one, the nearest first: their letters are
    compared, small or capital, and suffixes only between names that are equally near otherwise. A
    name that has other numbers is another one, such as part-7.csv and part-8.csv."""
    stem, suffix = _split(name)
    by_likeness = []
    for other in others:
        other_stem, other_suffix = _split(other)
        matcher = difflib.SequenceMatcher(None, other_stem, stem)
        # the first two are cheap, and never below the third
        if matcher.real_quick_ratio() < LEAST_ALIKE or matcher.quick_ratio() < LEAST_ALIKE:
            continue
        is_numbered_alike = DIGITS.findall(other_stem) == DIGITS.findall(stem)
        is_same_but_for_numbers = DIGITS.sub("", other_stem) == DIGITS.sub("", stem)
        if is_same_but_for_numbers and not is_numbered_alike:
            continue
        alike = matcher.ratio()
        if alike >= LEAST_ALIKE:
            of_suffix = difflib.SequenceMatcher(None, other_suffix, suffix).ratio()
            by_likeness.append((-alike, -of_suffix, other))
    for *_, other in sorted(by_likeness):
        yield other


def _split(name: str) -> tuple[str, str]:
    """(the part of a name before its first point; its suffixes, from that point on), both in small
    letters."""
    stem, point, suffix = name.casefold().partition(".")
    return stem, point + suffix
