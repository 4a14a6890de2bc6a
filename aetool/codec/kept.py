"""What was found out lately of the same numbers, kept in memory so that it is not computed again.

One archive is often sought among many that differ in a few columns: searches of plans meet the same
streams again and again. What is kept are results of functions without side effects alone, so that
nothing but time depends on it. All is forgotten with the archive, at the end of `keeping`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import numpy as np

from aetool import kernel
from aetool.codec.limits import SMALL_BLOCK
from aetool.model import Array

Result = TypeVar("Result")
DIGEST_BYTES = 16


class Kept(Generic[Result]):
    """A cache of results of functions, by a key of what they follow from, their arguments: at most
    `most_kept` of them; once there are so many, all are forgotten before another is kept. Results
    of the C kernel and of the Python reference are kept apart, as one is there to be compared with
    the other. always: keep results also outside of `keeping`, and for good."""

    def __init__(self, most_kept: int, always: bool = False) -> None:
        self.most_kept = most_kept
        self.always = always
        self._results: dict[Hashable, Result] = {}
        if not always:
            _at_the_end.append(self.forget)

    def get(self, follows_from: Hashable) -> Result | None:
        """The result that was kept with the key `follows_from`; None where none is kept. The very
        object, which is not to be changed."""
        # results of the C kernel and those of the reference are kept apart: tests switch the kernel
        # off to compare them, and would else be given the kernel's again
        return self._results.get((kernel.C is None, follows_from))

    def keep(self, follows_from: Hashable, result: Result) -> Result:
        """Keep a result with the key `follows_from`, and return it, the same object. It is not to
        be changed from then on. Outside of `keeping` nothing is kept, unless `always` is set."""
        if not self.always and not _scopes:
            return result
        # a few more may come in at once from other threads, which does no harm
        if len(self._results) >= self.most_kept:
            self._results = {}
        self._results[kernel.C is None, follows_from] = result
        return result

    def forget(self) -> None:
        """Forget all results, those of the C kernel and of the reference."""
        self._results = {}


# the scopes of `keeping` that are open, of whatever threads, an entry for each
_scopes: list[object] = []
# what is called with the end of the last of them
_at_the_end: list[Callable[[], None]] = []


@contextlib.contextmanager
def keeping() -> Iterator[None]:
    """A scope within which results are kept. Scopes may lie in one another, and be open in several
    threads: all is forgotten when the last one that is open ends."""
    scope = object()
    _scopes.append(scope)
    try:
        yield
    finally:
        _scopes.remove(scope)
        if not _scopes:
            for forget in _at_the_end:
                forget()


def are_few(values: Array) -> bool:
    """Whether values, (n,), are no more than the rows of a small block, SMALL_BLOCK (4,096), for
    which alone something is kept: of many values others are hardly ever equal, and to compare them
    takes longer."""
    return len(values) <= SMALL_BLOCK


def digest_of(*arrays: Array | None) -> bytes:
    """A hash of arrays together, 16 bytes: equal where their bytes and lengths are, whatever their
    types. None in the place of an array has another hash than any array."""
    digest_state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for array in arrays:
        if array is None:
            digest_state.update(b"none")
            continue
        # where one ends and the next begins
        length = len(array).to_bytes(8, "little")
        digest_state.update(length)
        contiguous = np.ascontiguousarray(array)
        digest_state.update(contiguous.data)
    return digest_state.digest()
