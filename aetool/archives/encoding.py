"""The items of a content to blocks: by a few threads here, or by the workers of an engine.

A worker reads an item where it lies, if it can, encodes it, and decodes what it has made again, to
compare it with the item: that is most of the work of writing an archive, and none of it is left to
whoever writes the file.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from aetool.canonical import Json
from aetool.codec import blocks, records, students
from aetool.codec.archive import Archive, Decoder
from aetool.codec.contents.content import Content, Piece
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded
from aetool.codec.shared import Shared
from aetool.data.located import BatchAt, BytesAt, Located
from aetool.engine import Engine

# what workers load while the first item is encoded, by whose plans they encode the others
NEEDED = ("aetool.archives.encoding", "aetool.codec.contents", "pyarrow.parquet")
Sent = tuple[Piece, Located | None]


@dataclass(eq=False)
class Tally:
    """Sums over the items of a content while an archive is written.

    size: bytes of the source so far, what stands before the first item included. facts: what the
    archive's footer says of the content. whole: the running SHA-256 of what the archive restores.
    """

    content: Content
    size: int = 0
    facts: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.whole = hashlib.sha256(self.content.opening)
        self.size = len(self.content.opening)

    def read(self, items: Iterable[Sent]) -> Iterator[Sent]:
        """Yield the items, pieces of the source, each added to `size`, `facts` and `whole` as it is
        read; to be called with all items, in order."""
        for item, place in items:
            self.size += self.content.size_of(item)
            self.facts = self.content.facts_of(item)
            self.whole.update(self.content.digested_as_read(item))
            yield item, place

    def written(self, encoded: list[Encoded]) -> None:
        """Add the blocks of one item to the digest `whole`; to be called for each item, in
        order."""
        self.whole.update(self.content.digested_as_written(encoded))


@dataclass(frozen=True, eq=False)
class ToEncode:
    """An item, a piece of a source, on its way to whoever encodes it. item: itself, or its place in
    a file; hints: the plans of an earlier item, how each of its streams was coded, which are tried
    first.

    Plans go with every item, some kilobytes each, and not with the job that travels once: they are
    not known yet when the second item is sent.
    """

    item: Piece | Located
    hints: Hints


@dataclass(frozen=True, eq=False)
class ItemCoder:
    """Encodes items as blocks, in this process or in a worker, and checks that they decode to what
    they were made of. content: encodes them; decoder: what to check with; None: no check here."""

    content: Content
    decoder: Decoder | None

    def __call__(self, sent: ToEncode) -> list[Encoded]:
        """Encode an item, read from its place if it was sent as one; returns its blocks, without
        hints for a next one. ArchiveError if the check finds that they do not decode to it,
        DataError if the file at its place has changed."""
        item = sent.item
        if isinstance(item, BytesAt | BatchAt):
            item = item.read()
        encoded_blocks = self.content.encode(item, sent.hints)
        if self.decoder is not None:
            self.content.check_item(item, encoded_blocks, self.decoder)
        # nobody takes over plans from here, so they need not travel back
        return [dataclasses.replace(block, hints=blocks.NO_HINTS) for block in encoded_blocks]


@dataclass(eq=False)
class Lead:
    """The first item of a content. Its plans are tried on all other items, but on the second where
    that is the last.

    A search for plans takes most of the time of an item: of many items only the first is searched,
    and the others wait for it. Of two both are, at the same time: two threads or workers have
    something to do from the begin, and their halves, which often differ, take fewer bytes.
    encode_it: computes its blocks, here; done once, when they are asked for.
    """

    encode_it: Callable[[], list[Encoded]]

    @functools.cached_property
    def blocks(self) -> list[Encoded]:
        """The encoded blocks of the first item, encoded when they are first asked for."""
        return self.encode_it()

    def begin(self) -> None:
        """Encode the first item, unless `blocks` has it already."""
        _ = self.blocks

    def hints_for(self, number: int, is_last: bool) -> Hints:
        """The plans, ways to code its streams, to try on item `number`, counted from 0, which is
        not the first: those of the first item, but none on the second if it is the last."""
        if number == 1 and is_last:
            return blocks.NO_HINTS
        return self.blocks[-1].hints

    def then_others(
        self,
        content: Content,
        items: Iterable[Sent],
        engine: Engine | None,
        decoder: Decoder | None = None,
    ) -> Iterator[list[Encoded]]:
        """Yield the list of blocks of the first item, then of each other, in order: those are
        encoded by threads, or by an engine's workers.

        content: whose items they are; items: those behind the first, pieces of the source, each
        with its place in a file, or None. decoder: with which workers check what they encoded;
        None: they do not check.
        """
        others = encoded(content, self._with_hints(items), engine, decoder)
        if engine is not None and engine.is_here and engine.workers == 1:
            # one thread is asked for: nothing else runs meanwhile
            yield self.blocks
            yield from others
            return
        # of two items the second is with a worker before the first is encoded: asking for its
        # result sends it
        following = next(others, None)
        yield self.blocks
        if following is not None:
            yield following
            yield from others

    def _with_hints(self, items: Iterable[Sent]) -> Iterator[tuple[Sent, Hints]]:
        """Yield each item behind the first with the plans, ways to code its streams, to try on it;
        behind the last, encode the first item if that was not done."""
        numbered = enumerate(items, 1)
        following = next(numbered, None)
        while following is not None:
            number, sent = following
            # whether it is the last one is told by the one behind it
            following = next(numbered, None)
            yield sent, self.hints_for(number, following is None)
        # here, as whoever takes these items waits for the second's result when they have ended
        self.begin()


def encoded(
    content: Content,
    items: Iterable[tuple[Sent, Hints]],
    engine: Engine | None,
    decoder: Decoder | None = None,
) -> Iterator[list[Encoded]]:
    """Encode items of a content, pieces of its source, each with the plans, ways to code its
    streams, to try on it, by threads, or by an engine's workers, and yield each item's list of
    blocks, in the order of the items.

    decoder: with which an engine's workers check what they encoded; None: they do not check, nor do
    threads without an engine.
    """
    if engine is None:
        # by a few threads here; sent: ((item, its place), plans to try)
        yield from records.ahead(lambda sent: content.encode(sent[0][0], sent[1]), items)
        return
    # an engine in this process has the item at hand; other workers read it at its place
    by_place = not engine.is_here
    travelling = (
        ToEncode(place if place and by_place else item, hints) for (item, place), hints in items
    )
    yield from engine.map(ItemCoder(content.to_encode(), decoder), travelling)


@dataclass(eq=False)
class Checks:
    """The comparison of an archive with its source, made while blocks are encoded: workers check
    the items that they encode, this class checks the first item, the source's kind and the finished
    file. content: of the archive; decoder: decodes items to check them."""

    content: Content
    decoder: Decoder
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _under_way: list[Future[None]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        content: Content,
        shared: Shared | None,
        sections: Mapping[str, bytes],
    ) -> Checks | None:
        """Prepare the checks of a content that can be made while it is encoded; None if it can only
        be compared once all is written. shared: the model's knowledge that decoding needs, or None;
        sections: of the archive, by name."""
        if not content.checks_items:
            return None
        learned_students = shared.students if shared else None
        if "students" in sections:
            # as they will be read, not as they are here
            learned_students = students.from_bytes(sections["students"], "students")
        # where the archive's digest is one of its blocks' digests, these are computed, too
        counts_digests = not content.hashes_bytes
        decoder = Decoder(shared, learned_students, None, counts_digests)
        return cls(content, decoder)

    def begin(self) -> None:
        """Start, in the background, the check that a file of the source's kind can be restored
        (content.check_kind)."""
        self._begin(self.content.check_kind)

    def begin_item(self, item: Piece, encoded_here: list[Encoded]) -> None:
        """Start, in the background, the check that the blocks of an item, encoded in this process,
        decode to it."""
        self._begin(self.content.check_item, item, encoded_here, self.decoder)

    def _begin(self, check: Callable[..., None], *arguments: object) -> None:
        """Start check(*arguments) in the background, behind those that were started before."""
        self._under_way.append(self._pool.submit(check, *arguments))

    def finish(self, archive: Archive) -> None:
        """Wait for all checks that were started, then check the written archive; ArchiveError, or
        what a check raised, where one fails: the first in the order in which they were started. No
        check can be started afterwards."""
        for check in self._under_way:
            check.result()
        self._pool.shutdown()
        # last, since it is the file as it lies on the disk that is to be right
        self.content.check_written(archive)

    def give_up(self) -> None:
        """Cancel the checks that have not started, and do not wait for the others, whose results
        nobody sees; `finish` must not be called then."""
        self._pool.shutdown(wait=False, cancel_futures=True)
