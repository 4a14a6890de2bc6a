"""Texts of several columns of a block, compressed together as one by the mixture of contexts.

    city: Bern, Thun    district: Bern, Thun, Burgdorf    =    one text, whose second half is known

Columns of a table share names and words: what the mixture of contexts learns of one, it knows for
the next. Each column's blob then says how long its text is, and the last one has the code of all.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import blobs, mixing, stages
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Coded, Decoded
from aetool.codec.limits import check_text
from aetool.codec.metas import LevelMeta, Meta, TextMeta
from aetool.errors import ArchiveError
from aetool.model import Float

LEAST_OF_OTHERS = 0.02  # of all bytes take the texts beside the longest at least
TEXTS_KEPT = 32  # of columns, which are the same in most codings of a block
LONGEST_KEPT = 16 << 10  # bytes of such a text, packed
CODES_KEPT = 2  # of the texts of the codings of a block that are compared


@dataclass(frozen=True, eq=False)
class JoinedTexts:
    """The texts of columns of a decoded block that were compressed together. places: of these
    columns in the block, in its order; texts: of each its own, decoded; code: the bytes that all of
    them were compressed to."""

    places: Sequence[int]
    texts: Sequence[bytes]
    code: bytes

    def costs(self) -> dict[int, Float]:
        """Estimate how many bits each byte of the texts took: by the place of a column (bytes of
        its text,) float64. Takes as long as to decode them."""
        # the code begins with the delimiter of fields
        delimiter = self.code[0]
        joined_text = b"".join(self.texts)
        bits = mixing.costs(joined_text, delimiter, widely=True)
        lengths = [len(text) for text in self.texts]
        ends = np.cumsum(lengths)
        # behind the last one nothing is left
        bits_of_texts = np.split(bits, ends[:-1])
        return dict(zip(self.places, bits_of_texts, strict=True))

    def sizes(self) -> dict[int, int]:
        """Estimate how many bytes of the code each text took: whole numbers by the place of a
        column, whose sum is the length of the code. Takes as long as to decode them."""
        costs = self.costs().values()
        bits_of_texts = [float(bits.sum()) for bits in costs]
        all_bits = max(sum(bits_of_texts), 1.0)
        shares = np.cumsum(bits_of_texts) / all_bits
        # ends are rounded, not sizes, whose sum would be another
        ends = np.rint(shares * len(self.code))
        whole_ends = ends.astype(np.int64)
        sizes = np.diff(whole_ends, prepend=0)
        return dict(zip(self.places, sizes.tolist(), strict=True))


# ---- writing


def join(
    columns: Sequence[Coded],
    most_bytes: int,
) -> dict[int, bytes]:
    """Compress the texts and levels (different texts) of a block's columns together: by the place
    of each of these columns the blob to store instead of its first one. {} if they are to stay as
    they are: together they take no fewer bytes, there are fewer than two, one of them takes nearly
    all (the others together less than LEAST_OF_OTHERS, 2 %, of the bytes), or they have more than
    `most_bytes` unpacked, or mixing.MOST (2^23)."""
    joined_blobs: dict[int, bytes] = {}
    texts: list[bytes] = []
    size_apart = 0
    largest_size = 0
    bytes_left = min(most_bytes, mixing.MOST)
    for place, blob, begin in _packed_texts(columns):
        head, _ = read_varint(blob, begin)
        bytes_left -= head >> stages.BITS
        # nothing is unpacked in vain
        if bytes_left < 0:
            return {}
        packed_text = blob[begin:]
        is_short = len(packed_text) <= LONGEST_KEPT
        text = _unpacked(packed_text) if is_short else blobs.unpack(packed_text)
        texts.append(text)
        head_of_text = _head_of(text, stages.JOINED)
        joined_blobs[place] = blob[:begin] + head_of_text
        size_apart += len(blob)
        largest_size = max(largest_size, len(blob))
    # all but the largest: about all that can be saved
    if size_apart - largest_size < LEAST_OF_OTHERS * size_apart or len(texts) < 2:
        return {}
    # the code stands in the last of the blobs, where a reader has read all lengths
    last_place = max(joined_blobs)
    joined_text = b"".join(texts)
    joined_blobs[last_place] += _code_of(joined_text)
    size_joined = sum(map(len, joined_blobs.values()))
    if size_joined >= size_apart:
        return {}
    return joined_blobs


@functools.lru_cache(maxsize=TEXTS_KEPT)
def _unpacked(packed_text: bytes) -> bytes:
    """The text that blobs.pack compressed to `packed_text`; the latest few are kept, as they are
    the same in most codings of a block that are compared."""
    return blobs.unpack(packed_text)


@functools.lru_cache(maxsize=CODES_KEPT)
def _code_of(joined_text: bytes) -> bytes:
    """The bytes that `joined_text`, texts one behind the other, is compressed to by a mixture of
    contexts, words included; the latest few are kept, as the texts are the same in most codings of
    a block that are compared."""
    return mixing.mixed(joined_text, widely=True)


def _head_of(text: bytes, stage: int) -> bytes:
    """What stands before the data of a text in a blob: its length, and the number of a stage."""
    head = len(text) << stages.BITS
    head |= stage
    return varint(head)


# ---- reading


def separate(columns: Sequence[Decoded]) -> JoinedTexts | None:
    """Separate the texts of a decoded block's columns that were compressed together: each of these
    columns gets, in place, a blob with its own text, as if it had been stored uncompressed. Returns
    the texts and their code; None if no texts were. ArchiveError for texts that are damaged or too
    long."""
    heads: dict[int, bytes] = {}
    lengths: list[int] = []
    code = b""
    for place, blob, begin in _packed_texts(columns):
        head, begin_of_code = read_varint(blob, begin)
        highest_stage = (1 << stages.BITS) - 1
        stage = head & highest_stage
        if stage != stages.JOINED:
            continue
        # the code stands behind the last of them alone
        if code:
            raise ArchiveError("damaged: a text that is joined to others stands behind their code")
        heads[place] = blob[:begin]
        lengths.append(head >> stages.BITS)
        code = blob[begin_of_code:]
    if not heads:
        return None
    # even of empty texts the code has a byte: it begins with a delimiter
    if not code:
        raise ArchiveError("damaged: joined texts have no data of their mixture")
    texts = _texts_of(code, lengths)
    for place, text in zip(heads, texts, strict=True):
        stored_text = _head_of(text, stages.STORED) + text
        columns[place].blobs[0] = heads[place] + stored_text
    return JoinedTexts(
        places=list(heads),
        texts=texts,
        code=code,
    )


def _texts_of(
    code: bytes,
    lengths: Sequence[int],
) -> list[bytes]:
    """Decode joined texts from their code: a list of them, of these lengths in bytes. ArchiveError
    if the code is damaged, or they are longer together than a block's text may be."""
    size = sum(lengths)
    check_text(size)
    number = stages.number_of(stages.MIXED_WIDELY)
    joined_text = stages.restore(number, code, size)
    texts: list[bytes] = []
    begin = 0
    for length in lengths:
        end = begin + length
        texts.append(joined_text[begin:end])
        begin = end
    return texts


def _packed_texts(columns: Sequence[Coded | Decoded]) -> Iterator[tuple[int, bytes, int]]:
    """Yield for each of `columns`, all of the block, that has a text, or levels, in the first of
    its blobs, in order: (the place of the column in the block, that blob, the position at which the
    packed text begins in it). Columns whose blob is empty are passed over."""
    for place, column in enumerate(columns):
        if not isinstance(column.meta, TextMeta | LevelMeta):
            continue
        blob = column.blobs[0]
        # a column without cells has nothing there
        if blob:
            yield place, blob, _begin_of_text(column.meta, blob)


def _begin_of_text(meta: Meta, blob: bytes) -> int:
    """The position at which the packed text begins in `blob`, the first blob, not empty, of a
    column of this meta, of texts or levels: 0, but of levels behind the varint that says how many
    they are."""
    begin = 0
    if isinstance(meta, LevelMeta):
        _, begin = read_varint(blob, 0)
    return begin
