"""Reader for damaged archives: recovers every block that is undamaged, whatever lies before,
between and behind the parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from aetool.codec.container.block import HEAD_SIZE, BlockPlace
from aetool.codec.container.footer import Footer
from aetool.codec.container.layout import (
    COPIED_FROM,
    END,
    MAGIC,
    MODEL,
    ONE_PIECE,
    SYNC,
    UNSEALED,
    DamageError,
    lost_records,
)
from aetool.codec.container.piece import sealed_length
from aetool.codec.container.reader import SENSELESS, Reader
from aetool.errors import ArchiveError

STEP = 1 << 22  # bytes that are searched for marks at a time
UNREADABLE = (ArchiveError, *SENSELESS)


class RecoveringReader(Reader):
    """Opens a damaged archive as far as it can be read: a broken header is replaced by its copy in
    the footer, and blocks are searched by their marks. `lost` has a line for each missing part.
    ArchiveError if neither the header nor a copy of it can be read (small archives have none),
    or an archive in one piece does not fit its layout; DataError if the file cannot be opened."""

    def _open(self) -> None:
        """Set the attributes from the parts of the file that can be read, and note the others in
        `lost`; DamageError if neither the header nor a copy of it in the footer can be."""
        base = next(self._offsets_of(MAGIC), -1)
        if base > 0:
            self.lost.append(f"{base} bytes before the archive, which are not of it")
        # in one piece it has no footer: it is taken from where its magic bytes are
        if base >= 0 and self._is_in_one_piece(base):
            # such an archive has fewer than COPIED_FROM bytes; others may stand behind it
            length = min(self.size - base, 2 * COPIED_FROM)
            self._open_piece(self._read(base, length))
            return
        # the footer first: it has the copy of the header
        ending = self._read_last_footer()
        footer = ending[1] if ending else None
        try:
            if base < 0:
                raise DamageError("its first bytes are missing")
            self._read_sections(self._read_header(base))
            if footer is not None and footer.header_seal != self.header_seal:
                raise DamageError("it is that of another archive")
        except UNREADABLE as error:
            self.lost.append(f"the header ({error})")
            if ending is None:
                raise DamageError("neither header nor footer can be read") from None
            self._set_copied_header(*ending)
        self._find_blocks(footer)

    def _is_in_one_piece(self, base: int) -> bool:
        """Whether the archive that begins at offset `base` is in one piece; False if its first
        bytes cannot be read."""
        try:
            return bool(self._read_layout(base) & ONE_PIECE)
        except (ArchiveError, DamageError):
            return False

    def _open_piece(self, data: bytes) -> None:
        """Set all attributes from the bytes of an archive of one piece, which may have others
        behind them, noted in `lost`. If no beginning of the data ends with its own digest, all of
        it is taken for the archive, `unsealed` is set, and `lost` says so. DamageError if its parts
        do not fit, ValueError or TypeError if its JSON is none."""
        length = sealed_length(data)
        if length is None:
            self._set_from_piece(data, check_digest=False)
            self.unsealed = True
            self.lost.append(UNSEALED)
            return
        behind = len(data) - length
        if behind:
            self.lost.append(f"{behind} bytes behind the archive, which are not of it")
        self._set_from_piece(data[:length])

    # ---- header and footer

    def _read_last_footer(self) -> tuple[int, Footer] | None:
        """Read the footer before the last end mark of the file, and set facts and sha256 from it:
        (the offset at which it begins, the footer); None, noted in `lost`, if it cannot be read."""
        try:
            ends = deque(self._offsets_of(END), maxlen=1)
            if not ends:
                raise DamageError("the end is missing")
            begin, footer = self._read_footer(ends[0] + len(END))
            self._set_facts_of_footer(footer)
        except UNREADABLE as error:
            self.lost.append(f"the footer ({error})")
            return None
        return begin, footer

    def _set_copied_header(self, begin: int, footer: Footer) -> None:
        """Set header, header_seal and model from the copy in the footer, and read the sections,
        which end where the blocks begin. begin: the footer's offset. DamageError if the archive is
        too small to have a copy. Sections that cannot be read are noted in `lost`."""
        if "header" not in footer.described:
            raise DamageError(
                "its header cannot be read, and so small an archive has no copy of it"
            )
        self.header = dict(footer.described["header"])
        self.header_seal = footer.header_seal
        self.model = bytes.fromhex(str(footer.described.get("model", ""))) or bytes(MODEL)
        # sections end where the first block begins
        blocks = sum(HEAD_SIZE + length for length, _ in footer.described["blocks"])
        sections = sum(size for _, size, _ in self.header.get("sections", []))
        try:
            self._read_sections(begin - blocks - sections)
        except UNREADABLE as error:
            self.lost.append(f"sections ({error})")

    # ---- blocks

    def _find_blocks(self, footer: Footer | None) -> None:
        """Set `blocks` to the undamaged blocks found in the file by their marks, the first of each
        number, ascending, and note in `lost` the records of all others. footer: None if it cannot
        be read; else only the blocks that it lists count."""
        # numbers, rows and seals are compared, not offsets, which bytes before the archive shift
        listed = footer.index(0) if footer is not None else None
        by_number: dict[int, BlockPlace] = {}
        end = 0
        for offset in self._offsets_of(SYNC):
            # bytes inside of a block that was found, which look like a mark, begin none
            place = self._undamaged_block_at(offset, listed) if offset >= end else None
            if place is not None:
                end = place.end
                by_number.setdefault(place.number, place)
        self.blocks = [by_number[number] for number in sorted(by_number)]
        if listed is None:
            missing = self._missing_between_blocks()
        else:
            missing = [place for place in listed if place.number not in by_number]
        self.misses_records = listed is None or bool(missing)
        for place in missing:
            self.lost.append(lost_records(place.first, place.rows))
        if listed is None:  # how many there were is told by the footer alone
            self.lost.append(f"all records behind record {self.rows}, if there were any")

    def _missing_between_blocks(self) -> list[BlockPlace]:
        """The records that are missing between the blocks that were recovered: for each gap a
        BlockPlace of no bytes, numbered 0, with its first record and how many are missing. Those
        behind the last block are not among them. `blocks` must be set, in the order of their
        numbers."""
        row = 0
        gaps = []
        for place in self.blocks:
            if place.first > row:
                gaps.append(BlockPlace(0, 0, row, place.first - row, 0))
            row = max(row, place.first + place.rows)
        return gaps

    def _undamaged_block_at(
        self, offset: int, listed: list[BlockPlace] | None
    ) -> BlockPlace | None:
        """The place of the block that begins at `offset`; None unless it is undamaged, of this
        archive, and, if the footer could be read, among those that it lists. listed: these; None
        without a footer."""
        try:
            head, block_seal = self._read_block_head(offset)
            length = HEAD_SIZE + head.length
            place = BlockPlace(offset, length, head.first, head.rows, head.number, block_seal)
            self._read_verified_block(place)
        except DamageError:
            return None
        if listed is None:
            return place
        is_listed = head.number < len(listed) and listed[head.number].seal == block_seal
        return place if is_listed else None

    def _offsets_of(self, mark: bytes) -> Iterator[int]:
        """Yield the offset of each place in the file where the bytes `mark` stand, ascending; bytes
        of a payload may look like one."""
        for base in range(0, self.size, STEP):
            # a mark may lie across two pieces
            length = min(STEP + len(mark) - 1, self.size - base)
            piece = self._read(base, length)
            place = piece.find(mark)
            while place >= 0:
                yield base + place
                place = piece.find(mark, place + 1)
