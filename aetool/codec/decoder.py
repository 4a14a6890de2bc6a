"""What decodes stored blocks of one archive, wherever it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from aetool.codec import blocks
from aetool.codec.blocks import Block
from aetool.codec.container import StoredBlock
from aetool.codec.ledger import Ledger
from aetool.codec.picture_models import PictureModel
from aetool.codec.records import Encoded
from aetool.codec.shared import Shared
from aetool.codec.students import Students
from aetool.errors import ArchiveError


@dataclass(frozen=True, eq=False)
class Decoder:
    """Decodes by what an archive knows beside its blocks. count: whether what a block decodes to is
    counted for a digest of its own."""

    shared: Shared | None
    students: Students | None
    pictures: PictureModel | None
    count: bool

    def __call__(
        self, stored: StoredBlock | ArchiveError, ledger: Ledger | None = None
    ) -> Block | ArchiveError:
        """The block, or what is wrong with it. ledger: takes what its values cost."""
        if isinstance(stored, ArchiveError):
            return stored
        try:
            try:
                return self._decoded(stored, self.students, ledger)
            except ArchiveError:
                if self.students is None or not self.students.of:
                    raise
                # the payload is whole: floats that are not the norm's are found out, and mended
                if ledger is not None:
                    ledger.clear()
                return self._decoded(stored, self.students.by_reference(), ledger)
        except ArchiveError as error:
            return error

    def again(self, encoded: Encoded) -> Block:
        """A new block as it will be read; ArchiveError where it cannot be."""
        block = self(StoredBlock(0, 0, encoded.rows, encoded.content, encoded.payload))
        if isinstance(block, ArchiveError):
            raise block
        return block

    def _decoded(
        self, stored: StoredBlock, students: Students | None, ledger: Ledger | None
    ) -> Block:
        expected = stored.content or None
        if expected is None and students is not None:
            # nothing but the digest of the whole would tell that floats are not the norm's
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
        block.rows, block.first = stored.rows, stored.first
        return block
