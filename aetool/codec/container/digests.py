"""BLAKE2b, short against accidents and longer to bind parts together; and the tree over blocks.

It is in the standard library, and its length is a parameter. No digest guards against forgery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

DIGEST = 8  # bytes of a digest that guards against accidents
SEAL = 16  # bytes of one that also binds parts together


def digest(data: bytes | memoryview) -> bytes:
    """Compute the 8-byte BLAKE2b digest of `data`, by which accidental damage is noticed."""
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def seal(*parts: bytes) -> bytes:
    """A 16-byte BLAKE2b digest of all parts joined, which binds them together."""
    hasher = hashlib.blake2b(digest_size=SEAL)
    for piece in parts:
        hasher.update(piece)
    return hasher.digest()


def root_of(seals: Sequence[bytes]) -> bytes:
    """The 16-byte digest at the root of a tree (a Merkle tree) whose leaves are the seals of
    blocks, in order.

    A leaf is the seal of 00 and a block's seal, a node that of 01 and its two children; the last of
    an odd number moves up as it is. Without blocks it is the seal of nothing.
    """
    # the prefixes keep a node from being taken for a leaf: Merkle trees as in RFC 6962, section 2.1
    level = [seal(b"\0", block_seal) for block_seal in seals]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        parents = [seal(b"\1", left, right) for left, right in pairs]
        unpaired = level[len(level) - len(level) % 2 :]
        level = parents + unpaired
    return level[0] if level else seal()
