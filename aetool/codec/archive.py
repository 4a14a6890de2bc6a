"""Archive: a .aez file opened for reading; its blocks, decoded ahead, and what its content is."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from aetool import bundle as bundles
from aetool.arguments import brief, checked, is_whole
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec import (
    blocks,
    contents,
    indexes,
    limits,
    packed_models,
    picture_models,
    records,
    shared,
)
from aetool.codec.blocks import Block
from aetool.codec.container import (
    BlockPlace,
    Reader,
    RecoveringReader,
    StoredBlock,
    lost_records,
)
from aetool.codec.contents.content import BOUNDED, Content, Piece
from aetool.codec.contents.parts import Parts
from aetool.codec.indexes import OpenPart
from aetool.codec.ledger import Costs, Ledger
from aetool.codec.picture_models import PictureModel
from aetool.codec.records import Encoded
from aetool.codec.shared import Shared
from aetool.codec.students import Students, from_bytes
from aetool.data import notices
from aetool.engine import Engine
from aetool.errors import AetoolError, ArchiveError, BundleError, DataError, ParamError
from aetool.files import path_of, place_of
from aetool.spelling import option

if TYPE_CHECKING:
    import pandas as pd

PieceOfAny = TypeVar("PieceOfAny")

MODEL_PATH = "AETOOL_MODEL_PATH"
# said where a model comes with an archive that does not need it
IDLE_MODEL = "the model was not used: the archive is restored without it"


@dataclass(frozen=True, eq=False)
class Decoder:
    """Decodes blocks of one archive, in this process or in a worker; calling it decodes one.

    shared: what the archive's model knows of columns; students: the networks that predict columns;
    pictures: what the model has learned of pictures; None for each that there is not. count:
    whether to compute the digest of each block's content even where none is stored to compare it
    with.
    """

    shared: Shared | None
    students: Students | None
    pictures: PictureModel | None
    count: bool

    def __call__(
        self,
        stored: StoredBlock | ArchiveError,
        ledger: Ledger | None = None,
    ) -> Block | ArchiveError:
        """Decode a stored block and return it; damage is returned as an ArchiveError, not raised,
        so that it can travel from a worker.

        stored: a block whose payload was compared with its digest; an error in its place is
        returned as it is. A block that does not decode with students that compute in floats is
        decoded again with students that compute in whole numbers. ledger: collects the bits that
        each value took, and is emptied before a second decoding; None: they are not counted.
        """
        if isinstance(stored, ArchiveError):
            return stored
        try:
            try:
                return self._decoded(stored, self.students, ledger)
            except ArchiveError:
                if self.students is None or not self.students.of:
                    raise
                # the payload is undamaged: this machine's floats may differ, whole numbers do not
                if ledger is not None:
                    ledger.clear()
                return self._decoded(stored, self.students.by_reference(), ledger)
        except ArchiveError as error:
            return error

    def again(self, encoded: Encoded) -> Block:
        """Decode a block that was encoded a moment ago, exactly as a reader of the archive will, to
        check it; ArchiveError if that fails."""
        block = self(StoredBlock(0, 0, encoded.rows, encoded.content, encoded.payload))
        if isinstance(block, ArchiveError):
            raise block
        return block

    def _decoded(
        self,
        stored: StoredBlock,
        students: Students | None,
        ledger: Ledger | None,
    ) -> Block:
        """Decode a stored block and set its rows and first record; ArchiveError if it is damaged.
        students: the networks to predict columns with, whatever `self.students` is; where the block
        has no digest, they are made to compute in whole numbers. None: those of `self.shared`, if
        there is one, as they are. ledger: collects the bits that each value took; None: they are
        not counted."""
        expected = stored.content or None
        if expected is None and students is not None:
            # without a digest of the block nobody would see that this machine's floats differ
            students = students.by_reference()
        block = blocks.decode(
            stored.payload,
            stored.rows,
            expected,
            self.shared,
            students,
            self.count,
            self.pictures,
            ledger,
        )
        block.rows = stored.rows
        block.first = stored.first
        return block


def read_back(file: BinaryIO, model: Bundle | None = None, device: str = "auto") -> Archive:
    """Open the archive that was just written to `file`, to check it; the caller closes what is
    returned. file: still open, and flushed, since it is opened once more by its path. model:
    offered for an archive that names one; None: none is. device: what runs the model, as "cpu".
    ArchiveError if header, footer or sections are damaged, or there is no archive, DataError if the
    file cannot be read. Messages call it "the new archive": the file may have no name, and its user
    has not seen one."""
    return Archive(path_of(file), model, device, name="the new archive")


class Archive:
    """An archive (.aez file) opened for reading. Header, footer and sections are verified when it
    is opened (ArchiveError if they are damaged, NoArchiveError if it is no archive, DataError if
    the file cannot be read, NoRoomError if a copy of what comes through a pipe cannot be written);
    each block when it is read. Use it in a `with` statement, or close it.

    path: of the file; "-": standard input. model: offered for an archive that names one; where it
    is None, or another, the named one is looked for in the folders of $AETOOL_MODEL_PATH once it is
    needed. device: what runs the model, auto, cpu, cuda or cuda:<n>. lenient: damaged parts are
    left out instead of raising an error; `lost` says which. max_output: how many bytes may be
    restored at most, beyond which ArchiveError is raised; None: as many as `limits.default_output`
    says. Slices of a table in text count its bytes in UTF-8; what `sizes` and `costs` decode is not
    counted. name: what messages call the archive; "": its path.

    content: the kind of content, which knows how blocks become records. rows: how many records.
    columns: the names of those of a table that slices and `to_pandas` restore; None: all.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: Bundle | None = None,
        device: str = "auto",
        lenient: bool = False,
        max_output: int | None = None,
        name: str = "",
    ) -> None:
        self._place = place_of(path)  # a pipe is kept for as long as the archive is open
        reader_class = RecoveringReader if lenient else Reader
        self.reader = reader_class(self._place.path, name or self._place.name)
        self._max_output_option = max_output
        self.device = device
        self.lenient = lenient
        self.columns: Sequence[str] | None = None
        self.engine: Engine | None = None  # what decodes blocks, if not threads here
        try:
            self.content: Content = contents.of_header(self.reader.header)
        except ArchiveError as error:
            self.close()
            raise ArchiveError(f"{self.reader.path}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            self.close()
            raise self.reader.damaged(f"its header is not complete ({error})") from None
        self.max_output = limits.default_output(self.size) if max_output is None else max_output
        self._offered_model = model
        self._model: Bundle | None = None
        self._shared: Shared | None = None
        self._students: Students | None = None
        self._pictures: PictureModel | None = None
        self._places: list[BlockPlace] | None = None  # of the blocks of an index
        self._warned: set[str] = set()
        self.decoded = 0  # rows that blocks, or parts of an index, have brought so far

    def __repr__(self) -> str:
        return f"<Archive {self._place.name}: {self.rows:,} rows, {self.kind}, {self.mode}>"

    @property
    def mode(self) -> str:
        """How exactly the source comes back: "lossless", "bounded" (numbers within an error) or
        "lossy"."""
        return self.content.mode

    @property
    def kind(self) -> str:
        """What the records are: "table", "array", "image", "folder" or "bytes"."""
        return self.content.kind

    @property
    def format(self) -> dict[str, Json]:
        """A dictionary that says how the source was written: its "format" and what that needs, as
        "delimiter" and "newline" of a text. It is read from the header; entries that are missing
        there come from the model: BundleError if that is not there, ArchiveError if it knows
        nothing of columns."""
        return self.content.format(self)

    @property
    def rows(self) -> int:
        """How many records the archive has, those of damaged blocks before the last good one
        included; of an index, in all its parts."""
        if isinstance(self.content, Parts):
            return self.content.rows
        return self.reader.rows

    @property
    def size(self) -> int:
        """Bytes of the archive's file, and, if it is an index, those of the files of all parts."""
        others = self.content.size if isinstance(self.content, Parts) else 0
        return self.reader.size + others

    @property
    def is_shard(self) -> bool:
        """Whether the archive is one shard of a table, which is restored together with the other
        shards."""
        return "shard" in self.reader.facts

    @property
    def is_one_file(self) -> bool:
        """Whether all records come from one source file: false of a shard, and of an index of a
        folder."""
        is_folder = isinstance(self.content, Parts) and self.content.is_folder
        return not self.is_shard and not is_folder

    @property
    def piped(self) -> bool:
        """Whether the archive came through a pipe, and has no name of its own."""
        return self._place.spool is not None

    @property
    def restored_nothing(self) -> bool:
        """Whether records were lost to damage, and not one has been restored so far. False of an
        archive that holds no records."""
        if isinstance(self.content, Parts):
            return bool(self.lost and self.rows) and not self.decoded
        return self.reader.misses_records and not self.decoded

    @property
    def lost(self) -> list[str]:
        """A line for each damaged part that a lenient reading has left out so far, such as "records
        1 to 100"; the list grows as blocks are read."""
        return self.reader.lost

    @property
    def facts(self) -> dict[str, Json]:
        """What the archive says of itself, by name: "fidelity", how exactly the source comes back,
        in a few words, and the facts of its footer: "errors", if there are any, as {column:
        {"largest": error}}, and, where the content is bytes, the SHA-256 of what is restored in
        hexadecimal, as "sha256", or its first bytes, as "sha256_begins". Where only the model has
        the units of the errors, BundleError if it is not there, ArchiveError if it knows nothing of
        columns."""
        known = {"fidelity": self.content.fidelity, **self.reader.facts}
        if isinstance(known.get("errors"), list):
            # a list has neither the columns' names nor their units: the model has
            errors = self.foreseen.in_numbers(known["errors"])
            known["errors"] = {name: {"largest": error} for name, error in errors.items()}
        sha = self.reader.sha256.hex()
        if not sha or not self.content.hashes_bytes:
            return known
        return known | {"sha256" if len(sha) == 64 else "sha256_begins": sha}

    def warn_once(self, matter: str, message: str) -> None:
        """Log the warning `message`, behind the archive's name, once for each `matter`, a word for
        what it is about: further calls with the same matter, of this opened archive, do nothing,
        whatever their message."""
        if matter not in self._warned:
            self._warned.add(matter)
            notices.warn(f"{self.reader.path}: {message}")

    def close(self) -> None:
        """Close the archive's file; closing it again does nothing."""
        self.reader.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.rows

    def choose(self, columns: Sequence[str]) -> None:
        """Choose the columns, by their names, that slices and `to_pandas` restore from now on, in
        this order; at least one. Decompressing to a file does not look at the choice. ParamError
        for a name that is not there, for none at all, or an archive of no table, and for what is no
        list of names; BundleError where only a model that is not there has the names."""
        checked("choose", "columns", columns, "Sequence[str]")
        if not columns:
            raise ParamError(f"{option('--columns')}: name one at least, or leave it out for all")
        self.content.places(self, columns)
        self.columns = list(columns)

    # ---- the model

    @property
    def model(self) -> Bundle:
        """The model that the archive is decoded with: the embedded one, else the first with the
        recorded hash, of the one offered when it was opened and those in the folders of
        $AETOOL_MODEL_PATH; found once, when it is first asked for. BundleError if there is none,
        BundleError or ArchiveError if the embedded one is damaged, ArchiveError if its code has
        another size than the archive's."""
        if self._model is None:
            fitting = self._find_model()
            quantiser = getattr(self.content, "quantiser", None)
            if quantiser is not None and fitting.latent != len(quantiser.centre):
                raise self.reader.damaged("the model's code is of another size")
            # kept once it was checked, so that each asking for another one is refused
            self._model = fitting
        return self._model

    def _find_model(self) -> Bundle:
        """Find the model that the archive needs: the one embedded in it, else the first whose
        digest begins as the archive says: the one that was offered, or a file *.aem in the folders
        of $AETOOL_MODEL_PATH, where files that cannot be read are passed over. BundleError if there
        is none, BundleError or ArchiveError if the embedded one is damaged."""
        if "model" in self.reader.sections:
            where = f"{self.reader.path}: model"
            section = packed_models.unpacked(self.reader.sections["model"], where)
            return bundles.from_bytes(section, where)
        digest_prefix = self.reader.model.hex()
        offered = self._offered_model
        if offered is not None and offered.sha256.startswith(digest_prefix):
            return offered
        for folder in filter(None, os.environ.get(MODEL_PATH, "").split(os.pathsep)):
            for candidate in sorted(Path(folder).glob("*.aem")):
                try:
                    candidate_model = bundles.load(candidate)
                except AetoolError:
                    continue
                if candidate_model.sha256.startswith(digest_prefix):
                    return candidate_model
        other = f" (the one given with {option('-m')} is another)" if offered is not None else ""
        raise BundleError(  # nothing is wrong with the archive
            f"{self.reader.path}: needs the model whose sha256 begins {digest_prefix}{other}; "
            f"give it with {option('-m')}, or put its folder in ${MODEL_PATH}"
        )

    @property
    def has_idle_model(self) -> bool:
        """Whether a model was offered that decoding does not need: the archive names none (it needs
        none, or has its model inside), or names another. False if none was offered."""
        offered = self._offered_model
        # zeros name no model
        digest_prefix = self.reader.model
        if offered is None:
            return False
        return not any(digest_prefix) or not offered.sha256.startswith(digest_prefix.hex())

    @property
    def has_model(self) -> bool:
        """Whether a model is embedded in the archive, or any was offered when it was opened, also
        one that the archive does not need."""
        return "model" in self.reader.sections or self._offered_model is not None

    @property
    def shared(self) -> Shared | None:
        """The knowledge of columns that the archive's model has for a lossless or bounded archive;
        None where the archive was written without it. BundleError if its model is not there,
        ArchiveError if that knows nothing of columns."""
        if self._shared is None and getattr(self.content, "shared", False):
            self._shared = shared.shared_of(self.model, self.mode == BOUNDED)
            if self._shared is None:
                raise self.reader.damaged("its model knows nothing of columns")
        return self._shared

    @property
    def foreseen(self) -> Shared:
        """The knowledge of columns that the archive's model has, for an archive that cannot be read
        without it. ArchiveError where the archive was written without a model, or its model knows
        nothing of columns; BundleError if its model is not there."""
        if self.shared is None:
            raise self.reader.damaged("its header says too little")
        return self.shared

    @property
    def students(self) -> Students | None:
        """The small networks that predict columns: those embedded in the archive, else its model's;
        None if neither has any. ArchiveError if those embedded are damaged, or the model knows
        nothing of columns; BundleError if the archive needs a model that is not there."""
        if self._students is None and "students" in self.reader.sections:
            name = f"{self.reader.path}: students"
            self._students = from_bytes(self.reader.sections["students"], name)
        return self._students or (self.shared.students if self.shared else None)

    @property
    def pictures(self) -> PictureModel | None:
        """What the model of an archive of pictures has learned of other pictures; None if the
        archive was written without. BundleError if its model is not there, ArchiveError if that
        knows nothing of pictures."""
        if self._pictures is None and getattr(self.content, "primed", False):
            self._pictures = picture_models.model_of(self.model)
            if self._pictures is None:
                raise self.reader.damaged("its model knows nothing of pictures")
        return self._pictures

    # ---- the parts of an index

    def beside(self, file: str) -> Archive:
        """Open another archive that lies in the folder of this one, an index, which lists it as a
        part. It gets this archive's device, lenient, max_output and engine, but no offered model.
        file: its name. ArchiveError if it is not there; DataError if this archive came through a
        pipe, and so lies in no folder; ArchiveError, NoArchiveError or DataError if it is damaged,
        no archive, or cannot be read. The caller closes what is returned."""
        if self.piped:
            raise DataError(
                f"{self.reader.path}: is an index of archives that lie beside it; give its path"
            )
        place = self._place.path.parent / file
        # without it this archive is not whole: damage, and no mistyped name
        if not place.exists():
            raise ArchiveError(
                f"{place}: no such file, and {self.reader.path} lists it as a part; put it back, "
                "or write the index anew"
            )
        other = Archive(place, None, self.device, self.lenient, self._max_output_option)
        other.engine = self.engine
        return other

    def part(self, number: int) -> Archive:
        """Open part `number`, from 0, of an index. ArchiveError where its file is missing, damaged,
        or not the one that was indexed; DataError where the index came through a pipe; IndexError
        for a number of no part, AssertionError for an archive that is no index. If lenient, what is
        left of a damaged part is opened, and its `lost` says what is missing. The caller closes it.
        """
        assert isinstance(self.content, Parts)
        return indexes.part(self, self.content, number)

    def parts(self, first: int, last: int) -> Iterator[OpenPart]:
        """Yield, one by one, the opened parts of an index that hold records first:last; each is
        closed when the next is asked for. If first:last is empty, one part is yielded all the same;
        if it is all records, parts without any are, too. ArchiveError or DataError for a part that
        cannot be opened, which is noted in `lost` if lenient; AssertionError for an archive that is
        no index."""
        assert isinstance(self.content, Parts)
        yield from indexes.parts(self, self.content, first, last)

    @property
    def places(self) -> list[BlockPlace]:
        """Where each block lies in its file; of an index the blocks of all parts, each with offsets
        in its part's file, numbers and first records counted through all parts, from 0. To list
        these each part is opened, once: ArchiveError or DataError for one that cannot be, which is
        left out if lenient."""
        if not isinstance(self.content, Parts):
            return self.reader.blocks
        if self._places is None:
            self._places = list(indexes.places(self))
        return self._places

    # ---- blocks

    def blocks(self, first: int, last: int) -> Iterator[tuple[Block, slice]]:
        """Yield each block that has some of the rows first:last (counted from 0, `last` not
        included), decoded, in order, and the slice, counted from the block's first row, that these
        are; of all rows also blocks without any. A few threads, or the engine, decode ahead.

        A damaged block raises ArchiveError, or, if lenient, is left out and noted in `lost`. Where
        all rows are read and none was lost, ArchiveError at the end unless the digest of all blocks
        is the stored one; of a content whose bytes are hashed, `pieces` compares that. BundleError
        where a model is needed to decode blocks and not there.
        """
        if isinstance(self.content, Parts):
            yield from indexes.blocks(self, first, last)
            return
        # found before threads ask for them
        _ = self.students, self.pictures
        whole = (first, last) == (0, self.rows)

        def numbers() -> Iterator[int]:
            """Yield the number of each block that has some of the wanted rows; of all rows, every
            block."""
            for number, info in enumerate(self.reader.blocks):
                # of all rows also blocks without any, so that damage to these is found
                if whole or (info.first < last and info.first + info.rows > first):
                    yield number

        digest = hashlib.sha256()
        decoded = records.ahead(self._block, numbers())
        if self.engine is not None:
            decoded = self._decoded_by(self.engine, numbers())
        with closing(decoded):
            for number, block in decoded:
                info = self.reader.blocks[number]
                if isinstance(block, ArchiveError):
                    if not self.lenient:
                        raise block
                    self.lost.append(lost_records(info.first, info.rows))
                    self.reader.misses_records = True
                    continue
                digest.update(block.content)
                inside = slice(max(first - info.first, 0), min(last - info.first, info.rows))
                self.decoded += max(0, inside.stop - inside.start)
                yield block, inside
        if whole and not self.content.hashes_bytes and self._complete:
            self.reader.check_whole(digest.digest())

    def costs(self, numbers: Sequence[int] | None = None) -> Iterator[tuple[Block, Costs]]:
        """Yield blocks, each with the bits that its records take, column by column; a few threads
        decode ahead. The columns' names may differ from block to block: of one that is stored as
        one text there may be one for whole records. numbers: those of the blocks to yield, from 0,
        in the order in which they are yielded (of an index they always ascend); None: all.
        IndexError for a number that is not there; of an index it is passed over, and an archive in
        one piece has one block by whatever number. DataError for a content that has no costs of
        single records; ArchiveError for a damaged block, also if lenient."""
        if isinstance(self.content, Parts):
            yield from indexes.costs(self, numbers)
            return
        # found before threads ask for them
        _ = self.students

        def priced(number: int) -> tuple[Block | ArchiveError, Costs | None]:
            """Decode block `number`: (the block, the costs of its records), or (an ArchiveError,
            None) for a damaged one."""
            ledger = Ledger()
            _, block = self._block(number, ledger)
            if isinstance(block, ArchiveError):
                return block, None
            return block, self.content.costs(self, block, ledger)

        if numbers is None:
            numbers = range(len(self.reader.blocks))
        with closing(records.ahead(priced, numbers)) as priced_blocks:
            for block, costs in priced_blocks:
                if isinstance(block, ArchiveError):
                    raise block
                assert costs is not None
                yield block, costs

    @property
    def _decoder(self) -> Decoder:
        """A decoder of this archive's blocks. Digests are computed even where none is stored,
        unless the restored bytes have one."""
        count = not self.content.hashes_bytes
        return Decoder(self.shared, self.students, self.pictures, count)

    def _block(self, number: int, ledger: Ledger | None = None) -> tuple[int, Block | ArchiveError]:
        """Read and decode the block at place `number`, from 0, of those of the reader: (number,
        block), or (number, error) for a damaged one, with the archive's name. ledger: collects the
        bits of each value; None: they are not counted. IndexError for a block that there is not,
        OSError if the file cannot be read."""
        try:
            block = self._decoder(self.reader.block(number), ledger)
            return self._with_place_of_error(number, block)
        except ArchiveError as error:
            return self._with_place_of_error(number, error)

    def _with_place_of_error(
        self,
        number: int,
        block: Block | ArchiveError,
    ) -> tuple[int, Block | ArchiveError]:
        """(number, block). Where `block` is an error in place of a block, the second is a new
        ArchiveError with the same message behind the archive's name and the block's number, from 0;
        nothing is raised."""
        if not isinstance(block, ArchiveError):
            return number, block
        why = str(block).removeprefix("damaged: ")
        return number, self.reader.damaged(f"block {number}: {why}")

    def _decoded_by(
        self,
        engine: Engine,
        numbers: Iterator[int],
    ) -> Generator[tuple[int, Block | ArchiveError], None, None]:
        """Read the blocks of these numbers here and decode them on an engine; yields (number, block
        or, for a damaged one, ArchiveError), in their order. OSError if the file cannot be read."""
        # the engine returns blocks alone, in order: their numbers wait here
        under_way: deque[int] = deque()

        def stored() -> Iterator[StoredBlock | ArchiveError]:
            """Yield each block as it is stored, or the error in its place, and note its number."""
            for number in numbers:
                under_way.append(number)
                try:
                    yield self.reader.block(number)
                except ArchiveError as error:
                    yield error

        for block in engine.map(self._decoder, stored()):
            yield self._with_place_of_error(under_way.popleft(), block)

    def pieces(self, first: int, last: int, wanted: Sequence[str] | None = None) -> Iterator[Piece]:
        """Restore records first:last (counted from 0, `last` not included) block by block: yields
        text, columns, pictures or files; of some contents, as text, what stands before the records
        is a first piece of its own.

        wanted: the names of the columns to restore of a table, at least one; None: all; ParamError
        for one that is not there. Where all is restored and no part was lost, a content whose bytes
        are hashed is compared with the stored SHA-256: ArchiveError, behind the last piece, where
        they differ. ArchiveError, too, once more than `max_output` bytes came back, and for a
        damaged block unless lenient; BundleError where a model is needed and not there; DataError
        for a part of arrays that have no common rows.
        """
        digest = hashlib.sha256()
        restored = self.content.pieces(self, first, last, wanted)
        for piece in self.within_output(restored, self.content.bytes_of):
            if self.content.hashes_bytes:
                digest.update(piece)
            yield piece
        whole = (first, last) == (0, self.rows) and wanted is None and self._complete
        if whole and self.content.hashes_bytes:
            self.reader.check_whole(digest.digest())

    @property
    def _complete(self) -> bool:
        """Whether no part was left out as damaged, so that the digest of all that is restored may
        be compared; True also of an archive in one piece whose own digest does not match."""
        return not self.lost or self.reader.unsealed

    def within_output(
        self,
        pieces: Iterable[PieceOfAny],
        size_of: Callable[[PieceOfAny], int],
    ) -> Iterator[PieceOfAny]:
        """Yield pieces as they are restored; ArchiveError in place of the one with which they have
        more than `max_output` bytes together. size_of: how many bytes a piece has."""
        size = 0
        for piece in pieces:
            size += size_of(piece)
            if size > self.max_output:
                raise ArchiveError(
                    f"{self.reader.path}: restores more than {self.max_output:,} bytes, which is "
                    f"all that is allowed; allow more with {option('--max-output')}"
                )
            yield piece

    def sizes(
        self,
        look: Callable[[Block], None] | None = None,
    ) -> dict[str, dict[str, int]]:
        """Bytes of the payloads of all blocks, but for what describes the columns: {column's name:
        {coder: bytes}}. The streams of small blocks, which are coded as one, count together as
        "streams of small blocks", of coder "joined"; what belongs to no column counts as "line
        ends", "text as a whole" or the archive's kind. All blocks are decoded for it:
        ArchiveError for a damaged one, which is left out if lenient; BundleError where a model is
        needed and not there. look: is shown each of them."""
        sizes: dict[str, dict[str, int]] = {}

        def add(name: str, coder: str, size: int) -> None:
            """Add `size` bytes to those of a column's name and coder, unless they are none."""
            if size:
                by_coder = sizes.setdefault(name, {})
                by_coder[coder] = by_coder.get(coder, 0) + size

        # what is counted may be lines: where some are no records, columns have no names
        names = [] if self.content.rows_told(self) else self.content.names(self)
        other = "text as a whole" if self.kind == "table" else self.kind
        for block, _ in self.blocks(0, self.rows):
            if look is not None:
                look(block)
            add("streams of small blocks", "joined", block.joined)
            labels = [other] * len(block.sizes)
            # for each stored column the place of the table's column that it belongs to
            owners = self.content.owners(block)
            if owners is not None:
                labels = [names[place] for place in owners]
            # "t" says that the line ends of the block are a column of their own, the last
            elif len(block.sizes) == len(names) + bool(block.words.get("t")):
                labels = [*names, "line ends"]
            for label, by_coder in zip(labels, block.sizes_with_texts_apart(), strict=False):
                for coder, size in by_coder.items():
                    add(label, coder, size)
        return sizes

    # ---- records

    def __getitem__(self, rows: slice) -> Any:
        """The records that `rows`, a slice a:b, names, counted as in a Python list (ends may be
        missing, below 0, or beyond the archive's): a DataFrame of a table, of the chosen columns if
        there are such; (n, channels, height, width) of pictures of one size; a list of (channels,
        height, width) of a folder of pictures, uint8 or uint16 all; of a file of arrays a
        DataFrame, an array or arrays by name.

        ParamError for a number in place of a:b, or a step other than 1; DataError for a content
        that is nothing but bytes; ArchiveError for a damaged block, unless lenient, and for more
        than `max_output` bytes; BundleError where a model is needed and not there.
        """
        is_by_rows = isinstance(rows, slice) and rows.step in (None, 1)
        if not is_by_rows or not all(
            end is None or is_whole(end) for end in (rows.start, rows.stop)
        ):
            raise ParamError(
                f"{self.reader.path}: an archive is sliced by rows, archive[a:b]; got {brief(rows)}"
            )
        # of a table that is kept whole the archive does not know how many rows it has
        if self.content.kept_whole(self):
            return self._frame(0, self.rows)[rows]
        first, last, _ = rows.indices(self.rows)
        return self._frame(first, max(first, last))

    def to_pandas(self) -> pd.DataFrame:
        """Restore all records of a table as a DataFrame, with the dtypes that the source had; only
        the chosen columns, if there are such. Of other contents what `archive[:]` returns, with its
        errors."""
        frame: pd.DataFrame = self._frame(0, self.rows)
        return frame

    def _frame(self, first: int, last: int) -> Any:
        """Records first:last in memory, in the form that `archive[first:last]` returns: of a table
        a DataFrame of the chosen columns."""
        if self.columns is None:
            return self.content.frame(self, first, last)
        return self.content.frame_of_columns(self, first, last, self.columns)

    def check(self) -> None:
        """Restore everything, as decompressing does, without keeping any of it; ArchiveError at the
        first part whose digest is not the stored one, and once more than `max_output` bytes came
        back. BundleError where a model is needed and not there; but of a lossy archive to which no
        model was offered just the codes are decoded. A lenient archive notes damaged blocks in
        `lost` instead."""
        with self.errors_as_damage():
            for _ in self.content.checked(self):
                pass

    @contextmanager
    def errors_as_damage(self) -> Iterator[None]:
        """Context manager: KeyError, TypeError, ValueError, IndexError and ArithmeticError, which
        values that make no sense raise, and MemoryError become ArchiveError with the archive's
        name, since such values are damage and no bug; an ArchiveError that only says "damaged: ..."
        gets that name, too. Other errors pass as they are."""
        try:
            yield
        except ArchiveError as error:
            # what a part says of itself does not know the file's name
            if str(error).startswith("damaged: "):
                raise self.reader.damaged(str(error)) from None
            raise
        except MemoryError:
            raise self.reader.damaged("it asks for more memory than there is") from None
        except (KeyError, TypeError, ValueError, IndexError, ArithmeticError) as error:
            raise self.reader.damaged(f"its header does not fit ({error!r})") from None
