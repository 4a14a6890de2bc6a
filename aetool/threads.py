"""One thread for products of matrices, so that the number of cores changes no bit of a model or an
archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Context manager: products and factorisations of matrices (BLAS) run on one thread inside this
    block.

    Several threads share a sum among them, and round it by how many they are: the same fit would
    give other bytes on a machine of more cores. Of one kind of CPU it gives the same. While they
    wait for each other they spin, too: of an archive of pictures that was half of the time.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        yield
