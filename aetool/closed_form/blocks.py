"""Rows regrouped into blocks of one size, and a few rows taken at even distances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aetool.closed_form.solution import Batches, Features
from aetool.model import Float

BLOCK = 8192  # rows that are summed together
BLOCK_NUMBERS = 1 << 23  # numbers in a block of wide rows
FEW_ROWS = 8_000  # rows that quantiles and the like are read off
FEW_NUMBERS = 1 << 20  # numbers in them: of wide rows there are fewer
FEWEST_ROWS = 128  # of however many numbers each


def in_blocks(batches: Batches, numbers: int | None = None) -> Iterator[Features]:
    """Regroup rows into batches of BLOCK (8,192) rows, (rows, features), whatever batches they came
    in, the last of what remains, and yield these; pictures are flattened. Of no rows there is no
    batch. numbers: the most values that a block may hold, so that wide rows come in smaller blocks,
    though of FEWEST_ROWS (128) rows at least."""
    size = BLOCK
    pending: list[Features] = []
    count = 0
    for batch in batches:
        if not len(batch):
            continue
        rest = batch.reshape(len(batch), -1)
        if numbers is not None:
            size = rows_of_numbers(numbers, rest.shape[1], BLOCK)
        while count + len(rest) >= size:
            # what waits comes first, and this fills the block up
            full = rest[: size - count]
            rest = rest[size - count :]
            yield np.concatenate([*pending, full]) if pending else full
            pending = []
            count = 0
        if len(rest):
            pending.append(rest)
            count += len(rest)
    if pending:
        yield np.concatenate(pending)


def rows_of_numbers(numbers: int, features: int, most: int) -> int:
    """How many rows of `features` features a block may have so that it holds at most `numbers`
    numbers: from FEWEST_ROWS (128), though they may hold more, to `most`."""
    return max(FEWEST_ROWS, min(most, numbers // max(1, features)))


def few_rows(batches: Batches) -> Float:
    """A sample of the rows in batches at even distances, (n, features) float64: all of few rows,
    else each second, third and so on, so that at most about 8,000 are left, or of wide rows as many
    as hold FEW_NUMBERS (1,048,576) numbers, or 128 if that is more. There must be a row."""
    rows = sum(len(batch) for batch in batches)
    features = max((batch[:1].size for batch in batches), default=1)
    most = rows_of_numbers(FEW_NUMBERS, features, FEW_ROWS)
    step = -(-rows // most)
    few = [block[::step] for block in in_blocks(batches)]
    return np.concatenate(few).astype(np.float64)
