"""Truth values: words that say true and false, in any spelling."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aetool.data.table import Cells
from aetool.model import Float

TRUE, FALSE = "true", "false"
SPELLINGS = {
    TRUE: ("true", "t", "yes", "y", "on", "1", "1.0", "ja", "j", "wahr", "oui", "vrai", "si", "sí"),
    FALSE: ("false", "f", "no", "n", "off", "0", "0.0", "nein", "falsch", "non", "faux"),
}
TRUTH_OF = {word: truth for truth, words in SPELLINGS.items() for word in words}


def truth_of(text: str) -> str | None:
    """Read a text as a truth value in any of SPELLINGS, as "yes" and "0" are, blanks around it and
    case aside: "true" or "false"; None if it is neither."""
    return TRUTH_OF.get(text.strip().casefold())


def are_truths(words: Iterable[str]) -> bool:
    """Whether words, by `truth_of`, say true and false, both at least once, and none says anything
    else."""
    return {truth_of(word) for word in words} == {TRUE, FALSE}


def as_truth(cells: Cells) -> Float:
    """Read cells as truth values, (n,) float64: 1 where a cell says true, 0 where it says false, in
    any of SPELLINGS, as "yes" and "0" do, blanks around it and case aside; NaN elsewhere, also in
    an empty one."""
    number = {TRUE: 1.0, FALSE: 0.0, None: np.nan}
    return np.array([number[truth_of(text)] for text in cells.strings()])
