"""Columns of a block to a payload and back.

    payload = varint n | n bytes: what to know, JSON (zlib) | lengths of parts | parts

The JSON has for each column its meta and for each stream of whole numbers its plan; null where the
shared model's is used. A column's parts are its blobs, then its streams; the streams of a block of
few rows are joined into one, the last part. Lengths: a bit for each part, whether it has any bytes,
then a varint for each that has.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aetool.bundle import canonical, parse_canonical
from aetool.codec import columns, integers, planning
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Coded, Decoded
from aetool.codec.container import digest
from aetool.codec.integers import Known, Plan, Stream
from aetool.errors import ArchiveError
from aetool.model import Int

NO_HINTS = planning.Hints()
MAX_WORDS = 64 << 20
MAX_COLUMNS, MAX_CELLS = 1 << 16, 1 << 27
JOINED = planning.SMALL_BLOCK


@dataclass(eq=False)
class Content:
    """A decoded block: what its JSON says beside columns, and the columns."""

    words: dict[str, Any]
    columns: list[Decoded]
    sizes: list[dict[str, int]] = field(default_factory=list)
    joined: int = 0  # bytes of all streams, where they are joined


def encode(
    coded: Sequence[Coded],
    rows: int,
    words: dict[str, Any],
    effort: planning.Effort,
    hints: planning.Hints = NO_HINTS,
    shared: Any = None,
    period: int = 0,
) -> tuple[bytes, bytes, planning.Hints]:
    """(digest of the content, payload, hints for the next) of a block. words: more to store.
    period: the columns are alike at this distance, so that most take over a plan from there."""
    known = Known(rows, predict=shared.predict if shared else None)
    shape = tuple(len(c.streams) for c in coded)
    before = hints.plans if hints.shape == shape else ()
    planner = planning.Planner(known, effort, before)
    metas: list[Any] = []
    plans: list[Plan] = []
    stored: list[Any] = []
    parts: list[bytes] = []
    small: list[integers.Pushed] = []
    content: list[bytes] = []
    for place, column in enumerate(coded):
        own = shared is not None and shared.metas[place] == column.meta
        metas.append(None if own else column.meta)
        parts += column.blobs
        content += [digest(b) for b in column.blobs]
        for stream in column.streams:
            content.append(_digest(stream.values))
            given = shared.plan(len(plans), stream, known, own, planner) if shared else None
            if given is not None:
                plan, prime = given
                stored.append(None)
            else:
                like = _alike(plans, period) if period and not before else None
                plan, prime = planner.plan(stream, len(plans), like), None
                stored.append(plan)
            if rows <= JOINED and ("l" in plan or "y" in plan):  # taken over from a larger block
                plan = planner.small(plan)
                stored[-1] = stored[-1] and plan
            plans.append(plan)
            if rows <= JOINED:
                small.append(integers.forward(plan, stream, known, prime))
            else:
                parts.append(integers.encode(plan, stream, known, prime))
    if any(v is not None for v in [*metas, *stored]) or words or shared is None:
        words = {**words, "columns": metas, "plans": stored}
    head = zlib.compress(canonical(words), 9) if words else b""
    if rows <= JOINED:
        parts.append(integers.joined(small))
    some = np.packbits([len(p) > 0 for p in parts]).tobytes()
    lengths = some + b"".join(varint(len(p)) for p in parts if p)
    payload = varint(len(head)) + head + lengths + b"".join(parts)
    return digest(b"".join(content)), payload, planning.Hints(shape, plans)


def _alike(plans: list[Plan], period: int) -> Plan | None:
    """The plan `period` columns before, moved here; None where it is time to look anew."""
    before = len(plans) - period
    if before < 0 or before // period % 8 in (0, 4) or not plans[before].get("f"):
        return None
    plan = plans[before]
    moved = [[f[0], f[1] + period, *f[2:]] if f[0] in "sve" else f for f in plan["f"]]
    out = {**plan, "f": moved}
    return {**out, "g": plan["g"] + period} if "g" in plan else out


def _digest(values: Int) -> bytes:
    return digest(np.ascontiguousarray(values, "<i8").data)


def decode(payload: bytes, rows: int, content: bytes | None, shared: Any = None) -> Content:
    """The columns of a payload; ArchiveError unless all adds up and the digest is `content`
    (None: it is not compared; what is restored will be)."""
    with columns.sensible():
        return _decode(payload, rows, content, shared)


def _decode(payload: bytes, rows: int, content: bytes | None, shared: Any) -> Content:
    words, at = _words(payload)
    if "shape" in words:  # of pictures: a column holds a row of pixels of each
        rows *= int(words["shape"][2])
    metas = words.pop("columns", shared.nothing if shared else None)
    stored = words.pop("plans", None)
    known = Known(rows, predict=shared.predict if shared else None)
    out = Content(words, [])
    if len(metas) > MAX_COLUMNS or rows < 0 or rows * max(1, len(metas)) > MAX_CELLS:
        raise ArchiveError("damaged: a block has more columns or cells than allowed")
    held = []
    for place, meta in enumerate(metas):
        full = meta if meta is not None else shared.metas[place]
        held.append((full, columns.shape_of(full)))
    small = rows <= JOINED
    count = sum((0 if small else s.streams) + s.blobs for _, s in held) + small
    lengths, at = _lengths(payload, at, count)
    sizes = iter(lengths)
    last = integers.Joined(payload[len(payload) - lengths[-1] :]) if small else None
    number = 0
    digests: list[bytes] = []

    def part() -> bytes:
        nonlocal at
        size = next(sizes)
        at += size
        return payload[at - size : at]

    def stream(present: Any, size: int) -> Int:
        nonlocal number
        plan, prime = stored[number] if stored is not None else None, None
        if plan is None:
            if shared is None:
                raise ArchiveError("damaged: a column has no plan")
            plan, prime = shared.plans[number], shared.primes[number]
        number += 1
        source = last or integers.Source(part())
        coder = "joined" if small else _coder(plan)
        bytes_[coder] = bytes_.get(coder, 0) + (0 if small else len(source.data))
        values = integers.decode(
            plan, source, Stream(np.zeros(0, np.int64), present), size, known, prime
        )
        if content is not None:
            digests.append(_digest(values))
        return values

    for meta, shape in held:
        bytes_: dict[str, int] = {}
        blobs = [part() for _ in range(shape.blobs)]
        if blobs:
            bytes_["text"] = sum(map(len, blobs))
        digests += [digest(b) for b in blobs]
        kinds, values, raws = np.zeros(rows, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
        if shape.kinds > 1:
            kinds = stream(None, rows)
        if shape.valued:
            here = kinds < shape.valued
            values = stream(None if here.all() else here, int(here.sum()))
        if shape.raws:
            here = kinds == shape.kinds - 1
            raws = stream(here, int(here.sum()))
        out.columns.append(Decoded(meta, kinds, values, raws, blobs))
        out.sizes.append(bytes_)
    if last is not None:
        last.finish()
        out.joined = lengths[-1]
    if content is not None and digest(b"".join(digests)) != content:
        raise ArchiveError("damaged: a block decodes to something else than was stored")
    return out


def _lengths(payload: bytes, at: int, count: int) -> tuple[list[int], int]:
    """(the lengths of all parts, where the first begins)."""
    size = -(-count // 8)
    if size > len(payload) - at:
        raise ArchiveError("damaged: a block is cut short")
    some = np.unpackbits(np.frombuffer(payload, np.uint8, size, at), count=count)
    if np.packbits(some).tobytes() != payload[at : at + size]:
        raise ArchiveError("damaged: the parts of a block do not add up")
    at += size
    lengths = []
    for there in some.tolist():
        length = 0
        if there:
            length, at = read_varint(payload, at)
        lengths.append(length)
    if at + sum(lengths) != len(payload):
        raise ArchiveError("damaged: the parts of a block do not add up")
    return lengths, at


def _words(payload: bytes) -> tuple[dict[str, Any], int]:
    size, at = read_varint(payload, 0)
    if size > len(payload) - at:
        raise ArchiveError("damaged: a block is cut short")
    if not size:
        return {}, at
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(payload[at : at + size], MAX_WORDS)
    except zlib.error as error:
        raise ArchiveError(f"damaged: {error}") from None
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError("damaged: a block's plans are larger than allowed, or cut short")
    return dict(parse_canonical(raw)), at + size


def _coder(plan: Plan) -> str:
    """What people call a plan."""
    if "y" in plan:
        return "lzma"
    features = {f[0] for f in plan.get("f", ())}
    if "n" in features:
        return "student"
    name = {"d": "difference", "g": "group", "c": "column"}.get(plan.get("t", "v"))
    if name is None:
        name = "parent" if features & {"s", "v", "e"} else "order-0"
        if "w" in plan:
            name = "numeric"
    return name
