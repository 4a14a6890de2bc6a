"""Attribution of a block's blobs to cells: how many bits of the texts, category names and
dictionaries that are stored belong to each cell.

The bits of a dictionary's entry are shared by the cells that hold it: a word that stands in one
record alone counts for that record only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import blobs, blocks, spans
from aetool.codec.blobs import read_varint
from aetool.codec.columns import Decoded
from aetool.codec.ledger import PLANS, Ledger, without_learning
from aetool.codec.metas import LevelMeta, PartsMeta, PatternMeta, RankMeta, TextMeta
from aetool.csv.fields import Rule, begins, fields
from aetool.model import Float, Int


def share_blobs(
    ledger: Ledger,
    columns: Sequence[Decoded],
) -> None:
    """Move the bits of a block's blobs (texts, category names, dictionaries) in the ledger from
    overhead (bits of no cell) to the cells that they are of; also those of special texts (frequent
    cells that are no numbers), which stand in the block's description. Blobs of other columns, as
    one of plain bytes, stay overhead. ledger: filled while the block was decoded; columns: those of
    the block, decoded. To be called once. ArchiveError for blobs that are damaged."""
    for place, column in enumerate(columns):
        meta = column.meta
        own = ledger.blobs[place]
        if isinstance(meta, PatternMeta):
            _share_specials(ledger, place, column, meta)
        # nothing to share: no blob, or one that is stored with another column
        if not own or not own[0]:
            continue
        if isinstance(meta, TextMeta):
            _share_texts(ledger, place, np.arange(len(column.kinds)), own[0])
        elif isinstance(meta, LevelMeta):
            _share_levels(ledger, place, column, own[0])
        elif isinstance(meta, PartsMeta):
            _share_parts(ledger, place, column, own[0])
        elif isinstance(meta, RankMeta):
            _share_book(ledger, place, columns, own[0])
        elif isinstance(meta, PatternMeta):
            # only cells of the last kind, which fit no pattern, have their texts in the blob
            rest = column.kinds == meta.kinds - 1
            _share_texts(ledger, place, np.flatnonzero(rest), own[0])


def _share_texts(
    ledger: Ledger,
    place: int,
    cells: Int,
    blob: bytes,
) -> None:
    """Move from overhead to each of these cells of column `place` the bits of its text. cells: (n,)
    row numbers; blob: the texts of these cells, as spans.pack_cells packs them. What the first of
    them take more than later ones, as nothing is learned yet, is left out of the ledger's `judged`.
    The ledger is changed in place; nothing is returned."""
    taken = _bits_of_cells(blob, len(cells), ledger.texts.get(place))
    judged = without_learning(taken)
    ledger.share(place, cells, taken, judged)


def _bits_of_cells(
    blob: bytes,
    count: int,
    costs: Float | None,
) -> Float:
    """Count the bits that each cell's text takes in a blob that spans.pack_cells wrote of `count`
    cells, its line feed or length included: (count,) float64. costs: (m,), the bits of each of the
    m bytes that the blob unpacks to, where the texts of several columns were compressed together;
    None: they are found from the blob. ArchiveError for a damaged blob, which is not looked at for
    a count of 0."""
    if not count:
        return np.zeros(0)
    unpacked, bits = blobs.priced(blob)
    if costs is not None:
        bits = costs
    text = np.frombuffer(unpacked, np.uint8)
    # the head says how cells are cut: at line feeds, else by their lengths
    head = spans.size_of_head(unpacked)
    if head:
        # a line feed behind each but the last
        feeds = head + np.flatnonzero(text[head:] == spans.LF)
        ends = np.append(feeds + 1, len(text))
        return between(bits, np.append(head, ends))
    lengths = np.frombuffer(unpacked, "<u4", count, 1).astype(np.int64)
    of_lengths = bits[1 : 1 + 4 * count].reshape(count, 4).sum(axis=1)
    ends = np.cumsum(lengths)
    edges = 1 + 4 * count + np.append(0, ends)
    taken: Float = of_lengths + between(bits, edges)
    return taken


def between(
    bits: Float,
    edges: Int,
) -> Float:
    """The sums of bits between successive edges, (n - 1,): sum i is of bits[edges[i]:edges[i + 1]].
    bits: (m,) float64, of each byte; edges: (n,) positions, 0 to m, both allowed, none below the
    one before."""
    summed = np.append(0.0, np.cumsum(bits))
    return np.asarray(np.diff(summed[edges]))


def _share_specials(
    ledger: Ledger,
    place: int,
    column: Decoded,
    meta: PatternMeta,
) -> None:
    """Move the bits of each special text of `meta` (one that is no number, and comes often), which
    is written in the block's description, from overhead in equal parts to the cells of column
    `place` that are this text. The bits are those that a letter of the description takes on
    average, times the letters of the text, its quotes and comma included. In the ledger, in place.
    meta: that of the column."""
    for number, special in enumerate(meta.specials):
        is_this = column.kinds == meta.valued + number
        cells = np.flatnonzero(is_this)
        # it stands in a list of JSON, between quotes
        letters = len(special) + len('"",')
        bits = ledger.bits_a_letter * letters
        bits_a_cell = np.full(len(cells), bits / max(len(cells), 1))
        ledger.share(place, cells, bits_a_cell, bits_a_cell, PLANS)


def _share_levels(
    ledger: Ledger,
    place: int,
    column: Decoded,
    blob: bytes,
) -> None:
    """Move the bits of each category's name to the cells of column `place` that are of this
    category, in equal parts; a name that the shared model knows takes none. blob: how many names,
    as varint, then the names; ArchiveError if it is damaged. In the ledger, in place."""
    assert isinstance(column.meta, LevelMeta)
    known = len(column.meta.levels)
    count, at = read_varint(blob, 0)
    fresh = _bits_of_cells(blob[at:], count, ledger.texts.get(place))
    # those of the meta are a model's, and take nothing here
    bits_of_levels = np.concatenate([np.zeros(known), fresh])
    uses = np.bincount(column.values, minlength=len(bits_of_levels))
    bits_a_use = bits_of_levels / np.maximum(uses, 1)
    taken = bits_a_use[column.values]
    ledger.share(place, np.arange(len(taken)), taken, taken)


def _share_parts(
    ledger: Ledger,
    place: int,
    column: Decoded,
    blob: bytes,
) -> None:
    """Move from overhead to each cell of column `place` the bits of its sentence, in the ledger, in
    place. The column's cells are sentences, stored as several columns. blob: how many columns, as
    varint, then a block of these, a row for each sentence: the sentences' skeletons (each with a
    mark for every number in it) and the numbers; ArchiveError if it is damaged."""
    # the inner block has a cell of each of its columns for every cell of this one
    rows = len(column.kinds)
    # the number of columns is not needed: the inner block says it, too
    _, at = read_varint(blob, 0)
    inner = Ledger()
    block = blocks.decode(blob[at:], rows, None, ledger=inner)
    share_blobs(inner, block.columns)
    taken = np.sum(inner.taken, axis=0)
    judged = np.sum(inner.judged, axis=0)
    ledger.share(place, np.arange(rows), taken, judged)


def _share_book(
    ledger: Ledger,
    owner: int,
    columns: Sequence[Decoded],
    blob: bytes,
) -> None:
    """Move the bits of each entry of a dictionary, in equal parts, to the cells that refer to the
    entry, in whichever column they are; in the ledger, in place. columns: of the block, decoded;
    owner: the place of the one that the dictionary is stored with; blob: how many entries, as
    varint, then a block of one column, the entries; ArchiveError if it is damaged."""
    count, at = read_varint(blob, 0)
    inner = Ledger()
    block = blocks.decode(blob[at:], count, None, ledger=inner)
    share_blobs(inner, block.columns)
    readers = []
    uses = np.zeros(count, np.int64)
    for place, column in enumerate(columns):
        meta = column.meta
        # meta.of is the place of the column whose dictionary is used; of the owner it is None
        if isinstance(meta, RankMeta) and owner in (meta.of, place):
            readers.append(place)
            uses += np.bincount(column.values, minlength=count)
    bits_a_use = inner.taken[0] / np.maximum(uses, 1)
    for place in readers:
        taken = bits_a_use[columns[place].values]
        ledger.share(place, np.arange(len(taken)), taken, taken)


def of_fields(
    text: bytes,
    bits: Float,
    rule: Rule,
    columns: int,
) -> Float:
    """Share the bits of a text among its fields, each with its delimiter or line end: (records,
    columns) float64; (records, 1), the bits of each record, if not every record has `columns`
    fields. Nothing is added to a ledger: see ledger.costs_of_text. columns: how many fields a
    record should have; rule: how the text is cut into records and fields; bits: (n,), of each byte
    of the text."""
    cut = fields(text, rule)
    if cut.columns != columns:
        records = np.append(begins(text, rule), len(text)).astype(np.int64)
        return between(bits, records)[:, None]
    edges = np.append(cut.start, len(text)).astype(np.int64)
    taken = between(bits, edges).reshape(-1, columns)
    return np.asarray(taken)
