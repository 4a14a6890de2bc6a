"""Encoder of one block: codes its columns one after the other, each predicted by those before
it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aetool.canonical import Json
from aetool.codec import integers, joined_texts, planning, squeezing, transforms
from aetool.codec.alike import AlikeColumns
from aetool.codec.columns import Coded
from aetool.codec.container.digests import digest
from aetool.codec.limits import SMALL_BLOCK
from aetool.codec.metas import OWN_BOOK, Meta, NumberedMeta, RankMeta, beside
from aetool.codec.planning import Effort
from aetool.codec.plans import Plan
from aetool.codec.shared import Likeness, Shared
from aetool.codec.streams import Known, Stream
from aetool.codec.students import Students
from aetool.codec.words import deflate
from aetool.model import Int

JOINED = SMALL_BLOCK  # rows: in blocks of at most so many all streams are one part
JOINED_QUICKLY = 128 << 10  # bytes of texts that any effort mixes once more, as one
HOPED = 0.6  # of the bits that are expected of a way: hardly any takes fewer


class BlockEncoder:
    """Collects the parts of a block's payload, and what its description says of each column.

    rows: cells of each column; a block of at most JOINED rows stores all streams as one part.
    effort: how far to search for plans. hints: the plans of the streams of the block before,
    adapted to this one, None for a stream whose plan is searched; empty: all are. shared: what a
    model knows of the columns; None without. period: after how many columns an alike one comes, 0
    if none does; it counts only without hints. students: the networks that predict streams; None
    without. `add_column` is to be called for each column in order, then `description` and
    `all_parts`.
    """

    def __init__(
        self,
        rows: int,
        effort: Effort,
        hints: Sequence[Plan | None],
        shared: Shared | None,
        period: int,
        students: Students | None,
    ) -> None:
        self.known = Known(rows)
        if students is not None:
            self.known.predict = students.predict
        self.planner = planning.Planner(self.known, effort, hints)
        self.shared = shared
        self.alike: AlikeColumns | None = None
        if period and not hints:
            self.alike = AlikeColumns(period)
        self.joins_streams = rows <= JOINED
        self.columns: list[Coded] = []
        self.metas: list[Meta | None] = []  # None: the shared model's
        self.plans: list[Plan] = []
        self.stored_plans: list[Plan | None] = []  # None: the shared model's
        self.parts: list[bytes] = []
        self.content: list[bytes] = []  # the digest of each part
        # of columns with blobs, by their places: where the first is in parts, and in content
        self.first_blobs: dict[int, tuple[int, int]] = {}
        self.streams_to_join: list[integers.Pushed] = []  # streams that become one part
        self.marks: dict[int, int] = {}  # of streams with the model's plan, by number: how still
        self.owners: dict[int, int] = {}  # of books, by their identity: the place of a column

    # ---- ways to store a column

    def cheapest(self, column: Coded) -> tuple[Coded, list[Plan]]:
        """Choose among the encodings of the next column, `column` itself and `column.others`, the
        one that takes fewest bits, without adding it: (that encoding, the plans of its streams).
        One of the others is chosen only if it takes less than a part, its `worth`, of the bits of
        the best before it; it is not tried where its blobs alone take as many, or HOPED (0.6) times
        its `expected_bits` are as many. The plans are [] where there is only one encoding and
        nothing was searched."""
        if not column.others:
            return column, []
        fewest_bits, plans = self._estimated(column)
        chosen = column
        for other in column.others:
            limit = other.worth * fewest_bits
            # blobs alone may be too large: a search of plans takes far longer
            if self._bits_of_blobs(other) >= limit or HOPED * other.expected_bits >= limit:
                continue
            bits, plans_of_other = self._estimated(other)
            if bits < limit:
                fewest_bits = bits
                chosen = other
                plans = plans_of_other
        return chosen, plans

    def _bits_of_blobs(self, column: Coded) -> float:
        """Bits that a column's description, as JSON that is deflated alone, and its blobs take. A
        dictionary counts by the column's `share` of it, 0 to 1, if no column before has stored it,
        else not at all."""
        size = len(deflate(column.meta.to_json()))
        size += sum(map(len, column.blobs))
        bits = 8.0 * size
        book = column.book
        if book is None or id(book) in self.owners:
            return bits
        return bits + 8.0 * len(book.blob) * column.share

    def _estimated(self, column: Coded) -> tuple[float, list[Plan]]:
        """Estimate what a column, encoded in one way, would take if it came next: (bits, the plans
        of its streams, searched here). Other ways to store the column are not looked at. The
        encoder stays as it is; `squeezed` of a stream, its values compressed as bytes, may be
        set."""
        bits = self._bits_of_blobs(column)
        # the streams of the column may look at one another: each joins this copy
        known = self.known.copy()
        planner = planning.Planner(known, self.planner.effort)
        plans: list[Plan] = []
        for stream in column.streams:
            number = len(known.values)
            plan = planner.plan(stream, number)
            if self.joins_streams:
                plan = planner.small(plan)
            plans.append(plan)
            described = deflate(plan.to_json())
            bits += 8.0 * len(described)
            if plan.packed is not None:
                # the search of the plan has left the compressed values there
                bits += 8.0 * len(stream.squeezed)
            elif len(stream.values):
                bits += planning.bits_of(plan, stream, known)
            residuals = transforms.residuals(plan, stream, known)
            symbols = integers.symbols_of(plan, residuals)
            known.add(stream, symbols, plan.alphabet)
        return bits, plans

    # ---- columns

    def add_column(self, column: Coded, plans: Sequence[Plan]) -> None:
        """Encode the next column of the block: its meta, plans, parts and digests come behind those
        of the columns before. plans: those of its streams, where they were found before; else
        empty. IndexError if the shared model has not so many columns."""
        place = len(self.columns)
        meta, blobs = self._stored_parts(column, place)
        # how much the column's meta is the one that the shared model has for it
        likeness = Likeness.NONE
        if self.shared is not None:
            likeness = self.shared.likeness(place, meta)
        self.columns.append(column)
        self.metas.append(None if likeness is Likeness.SAME else meta)
        # plans look at columns before, whose numbers may stand for other values here
        if likeness is Likeness.SAME and any(before is not None for before in self.metas):
            likeness = Likeness.LIKE
        self.first_blobs[place] = (len(self.parts), len(self.content))
        self.parts += blobs
        for data in column.contents or blobs:
            self.content.append(digest(data))
        for number, stream in enumerate(column.streams):
            plan = plans[number] if plans else None
            self._add_stream(stream, likeness, plan)

    def _stored_parts(self, column: Coded, place: int) -> tuple[Meta, list[bytes]]:
        """Choose what is stored of a column beside its streams: (its meta, its blobs). place: the
        column's in the block, from 0. A dictionary that several columns use is among the blobs of
        the first of them, which is noted in `owners`; metas of the others name that column's
        place."""
        meta = column.meta
        book = column.book
        if book is None:
            return meta, column.blobs
        # the first column that uses a dictionary stores it
        owner = self.owners.setdefault(id(book), place)
        is_own = owner == place
        blobs = [book.blob] if is_own else []
        if isinstance(meta, NumberedMeta):
            where = OWN_BOOK if is_own else owner
            return dataclasses.replace(meta, book=where), blobs
        assert isinstance(meta, RankMeta)
        if is_own:
            return meta, blobs
        return dataclasses.replace(meta, of=owner), blobs

    def _add_stream(self, stream: Stream, likeness: Likeness, chosen: Plan | None) -> None:
        """Encode the next stream of the block, and add its digest and plan, and its bytes to
        `parts`, or, of a small block, the stream made ready to `streams_to_join`. likeness: how
        much the stream's column is like the shared model's, whose plan may be used if it is; it is
        not looked at without a shared model; chosen: the stream's plan, where one was searched
        already."""
        self.content.append(digest_of_values(stream.values))
        number = len(self.plans)
        shared = self.shared
        prime: integers.Counts = None
        # the model's plan and counts that tables begin with; None where its plan does not serve
        from_model = None
        if shared is not None:
            from_model = shared.plan(number, stream, self.known, likeness, self.planner)
        if from_model is not None:
            plan, prime = from_model
        else:
            plan = chosen or self._planned(stream, number)
        if self.joins_streams:
            # it may be of a larger block: here there is one lane, and no values are packed as bytes
            plan = self.planner.small(plan)
        self.stored_plans.append(None if from_model else plan)
        self.plans.append(plan)
        if not self.joins_streams:
            self.parts.append(integers.encode(plan, stream, self.known, prime))
            return
        mark = integers.MOVING
        if shared is not None and from_model and number < len(shared.stillness):
            mark = integers.stillness(stream.values, shared.usual[number])
            self.marks[number] = mark
        # of a stream that never changes one difference is stored, however many rows there are
        if shared is not None and mark != integers.MOVING:
            pushed = integers.still(plan, stream, self.known, shared.usual[number])
        else:
            pushed = integers.forward(plan, stream, self.known, prime)
        self.streams_to_join.append(pushed)

    def _planned(self, stream: Stream, number: int) -> Plan:
        """The plan for the next stream: adapted from that of a column that is alike or of the block
        before, where there is one, else searched. number: of the stream in the block, from 0."""
        if self.alike is None:
            return self.planner.plan(stream, number)
        plan_of_alike = self.alike.plan_to_reuse(self.plans)
        plan = self.planner.plan(stream, number, plan_of_alike)
        if plan_of_alike is None:
            self.alike.note_searched(self.plans, plan)
        return plan

    # ---- the whole

    def join_texts(self) -> None:
        """Store the texts of all columns as one, where that takes fewer bytes: to be called once
        all columns are added. Not under a shared model, whose tables have few texts, nor by an
        effort that takes the first way to store a column."""
        effort = self.planner.effort
        # without ranks the first way to store a column is taken, and none is looked for
        if self.shared is not None or not effort.ranks:
            return
        most_bytes = JOINED_QUICKLY
        if effort.mixes:
            most_bytes = squeezing.SMALL_TABLE
        joined_blobs = joined_texts.join(self.columns, most_bytes)
        for place, blob in joined_blobs.items():
            # in place of the text that was compressed by itself
            place_in_parts, place_in_content = self.first_blobs[place]
            self.parts[place_in_parts] = blob
            self.content[place_in_content] = digest(blob)

    def description(self) -> dict[str, list[Json]]:
        """The JSON that describes the block: as "columns" each column's meta, as "plans" each
        stream's plan; None for each that is as the shared model has it, and only the parts that
        differ of a meta like the model's."""
        metas: list[Json] = []
        for place, meta in enumerate(self.metas):
            if meta is None:
                metas.append(None)
            elif self.shared is not None:
                metas.append(beside(meta, self.shared.metas[place]))
            else:
                metas.append(meta.to_json())
        plans: list[Json] = []
        for plan in self.stored_plans:
            plans.append(None if plan is None else plan.to_json())
        return {"columns": metas, "plans": plans}

    def asks_others(self) -> bool:
        """Whether a plan in the block's own description predicts by a combination of streams or by
        keys, as Plan.asks_others says. Plans of the shared model do not count; nor do differences
        to another stream, or contexts that look at one."""
        return any(plan is not None and plan.asks_others for plan in self.stored_plans)

    def all_parts(self) -> list[bytes]:
        """The parts of the payload, in order; for each column its blobs, then its streams; of a
        small block all streams are one part, the last. To be called once all columns are added."""
        if not self.streams_to_join:
            return self.parts
        streams = self.streams_to_join
        if self.marks and self.shared is not None:
            numbers = list(self.marks)
            marks = list(self.marks.values())
            marked = integers.marked(marks, numbers, self.shared.stillness)
            streams = [marked, *streams]
        return [*self.parts, integers.joined(streams)]


def digest_of_values(values: Int) -> bytes:
    """The 8-byte digest of `values`, whole numbers, (n,) int64: of their bytes as 64-bit numbers,
    the lowest byte of each first."""
    return digest(np.ascontiguousarray(values, "<i8").data)
