"""Truth values: words that say true and false, in any spelling."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aetool.data.table import Cells
from aetool.model import Float

TRUE = "true"
FALSE = "false"
# in English, German, French, Spanish and Italian
SPELLINGS = {
    TRUE: "true t yes y on 1 1.0 ja j wahr oui vrai si sí".split(),
    FALSE: "false f no n off 0 0.0 nein falsch non faux".split(),
}
TRUTH_OF = {word: truth for truth, words in SPELLINGS.items() for word in words}


def truth_of(text: str) -> str | None:
    """Read a text as a truth value in any of SPELLINGS, as "yes" and "0" are, blanks around it and
    case aside: "true" or "false"; None if it is neither."""
    return TRUTH_OF.get(text.strip().casefold())


def spellings_of(words: Iterable[str]) -> dict[str, str]:
    """Every way to write what these words say, in small letters, each with the word that means the
    same; words that are neither true nor false have none. words: as they are written, such as "Yes"
    and "No"."""
    spellings: dict[str, str] = {}
    for word in words:
        truth = truth_of(word)
        if truth is None:
            continue
        # the word itself, in small letters, is one of them
        for spelling in SPELLINGS[truth]:
            spellings[spelling] = word
    return spellings


def are_truths(words: Iterable[str]) -> bool:
    """Whether words, by `truth_of`, say true and false, both at least once, and none says anything
    else."""
    return {truth_of(word) for word in words} == {TRUE, FALSE}


def as_truth(cells: Cells) -> Float:
    """Read cells as truth values, (n,) float64: 1 where a cell says true, 0 where it says false, in
    any of SPELLINGS, as "yes" and "0" do, blanks around it and case aside; NaN elsewhere, also in
    an empty one."""
    number = {TRUE: 1.0, FALSE: 0.0, None: np.nan}
    truths = [truth_of(text) for text in cells.strings()]
    return np.array([number[truth] for truth in truths])
