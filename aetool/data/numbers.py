"""Text cells to numbers, a column at a time, and the decimals a column is written with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.data.table import Cells, Mask
from aetool.model import Float, Int

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "NONE", "#N/A")
INFINITE = {b"inf": np.inf, b"+inf": np.inf, b"-inf": -np.inf, b"infinity": np.inf}
LONGEST = 40  # characters; longer cells are not numbers

_MISSING = np.array([m.encode() for m in MISSING])
_ALLOWED = np.zeros(256, dtype=np.bool_)
_ALLOWED[list(b"0123456789+-.eE\0")] = True


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    value: (n,), NaN where missing. bad: (n,), neither number nor missing. decimals: (n,), digits
    after the point, -1 in exponent notation. padded: some value has a leading zero (01, 007).
    missing_token: the commonest way a gap is written, or None.
    """

    value: Float
    bad: Mask
    decimals: Int
    padded: bool
    missing_token: str | None


def is_missing(text: Cells) -> Mask:
    """(n,), where the cell is null or one of the MISSING tokens."""
    short = text.stop - text.start <= 4
    return np.asarray(text.null | (short & np.isin(text.fixed(4), _MISSING)), dtype=np.bool_)


def parse(text: Cells, decimal: str = ".") -> Numbers:
    """Read a column of cells as numbers; blanks around a number are ignored."""
    n = len(text)
    fixed = text.fixed(min(text.width(), LONGEST))
    if bool((fixed.view(np.uint8) == 32).any()):
        fixed = np.char.strip(fixed)
    width = max(fixed.itemsize, 1)
    matrix = fixed.view(np.uint8).reshape(n, width)
    if decimal != ".":
        matrix = np.where(matrix == ord(decimal), ord("."), matrix).astype(np.uint8)
        fixed = matrix.view(f"S{width}").reshape(n)
    digit = (matrix >= 48) & (matrix <= 57)
    missing = np.asarray(text.null | np.isin(fixed, _MISSING))
    plain = _ALLOWED[matrix].all(axis=1) & digit.any(axis=1) & ~missing
    plain &= text.stop - text.start <= LONGEST
    value = np.full(n, np.nan)
    bad = ~plain & ~missing
    try:
        value[plain] = fixed[plain].astype(np.float64)
    except ValueError:
        for i in np.flatnonzero(plain):
            try:
                value[i] = float(fixed[i])
            except ValueError:
                bad[i] = True
    for i in np.flatnonzero(bad):
        token = bytes(fixed[i]).lower()
        if token in INFINITE:
            value[i], bad[i] = INFINITE[token], False
    token_index = np.flatnonzero(missing & ~text.null)
    written: str | None = None
    if len(token_index):
        tokens, counts = np.unique(fixed[token_index], return_counts=True)
        written = bytes(tokens[counts.argmax()]).decode()
    return Numbers(value, bad, _decimals(matrix, plain), _padded(matrix, digit, plain), written)


def _decimals(matrix: np.ndarray[tuple[int, int], np.dtype[np.uint8]], plain: Mask) -> Int:
    length = (matrix != 0).sum(axis=1)
    dot = matrix == 46
    after = np.where(dot.any(axis=1), length - dot.argmax(axis=1) - 1, 0)
    after[((matrix | 32) == 101).any(axis=1)] = -1
    after[~plain] = 0
    return after.astype(np.int64)


def _padded(
    matrix: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    digit: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    plain: Mask,
) -> bool:
    if matrix.shape[1] < 2:
        return False
    sign = (matrix[:, 0] == 45) | (matrix[:, 0] == 43)
    zero = np.where(sign, matrix[:, 1] == 48, matrix[:, 0] == 48)
    third = digit[:, 2] if matrix.shape[1] > 2 else np.zeros(len(matrix), np.bool_)
    return bool((plain & zero & np.where(sign, third, digit[:, 1])).any())


def decimals_of(value: Float, most: int = 6) -> int | None:
    """Fewest decimals that write every finite value (within 1e-9 relative); None: true floats."""
    finite = value[np.isfinite(value)]
    if len(finite) and float(np.abs(finite).max()) >= 2.0**52:
        return None
    for places in range(most + 1):
        scaled = finite * 10.0**places
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))):
            return places
    return None
