"""How large the parts of an archive may be: checked before anything is allocated for them.

FORMAT.md repeats these numbers. They bound what a reader needs for one block, whatever the archive
claims; what all blocks restore together is bounded by `default_output`.
"""

from __future__ import annotations

from aetool.errors import ArchiveError

MAX_JSON = 16 << 20  # bytes of a header, a footer or a block's description, inflated
MAX_BLOCKS = 1 << 24
MAX_ROWS = 1 << 31  # of a block
MAX_ALL_ROWS = 1 << 62  # of an archive
SMALL_BLOCK = 4096  # rows, up to which all streams of a block are one part
MAX_PAYLOAD = 1 << 31
MAX_COLUMNS = 1 << 16
MAX_CELLS = 1 << 24  # rows times columns of a block
MAX_RECORD_CELLS = MAX_CELLS >> 2  # of an Arrow batch: a decimal of 256 bits is four columns
MAX_DECODED = 1 << 26  # numbers of a block's code, or that a model's decoder makes of it
MAX_TEXT = 320 << 20  # bytes that one block, or one blob of it, restores
MAX_SECTION = 1 << 30
MAX_DIMENSIONS = 32

LEAST_OUTPUT = 4 << 30  # any archive may restore so many bytes
RATIO = 500_000  # or so many times its own size


def default_output(archive_bytes: int) -> int:
    """How many bytes an archive whose file has `archive_bytes` bytes may restore, unless the user
    says another number: LEAST_OUTPUT (4 GiB), or RATIO (500,000) times the size, whichever is
    more."""
    return max(LEAST_OUTPUT, RATIO * archive_bytes)


def check_cells(rows: int, columns: int) -> None:
    """Raise ArchiveError if a block claims more than MAX_COLUMNS (2^16) columns, more than
    MAX_CELLS (2^24) cells (rows * columns, no columns counting as one), or rows below 0."""
    if columns > MAX_COLUMNS or rows < 0 or rows * max(1, columns) > MAX_CELLS:
        raise ArchiveError(
            f"damaged: a block claims {rows} rows of {columns} columns; at most {MAX_COLUMNS} "
            f"columns and {MAX_CELLS} cells are allowed"
        )


def check_records(rows: int, columns: int) -> None:
    """Raise ArchiveError if an Arrow batch claims more than MAX_RECORD_CELLS (2^22) cells (rows *
    columns, no columns counting as one); nothing else is checked."""
    if rows * max(1, columns) > MAX_RECORD_CELLS:
        raise ArchiveError(
            f"damaged: a block claims {rows} records of {columns} columns; at most "
            f"{MAX_RECORD_CELLS} cells are allowed"
        )


def check_decoded(rows: int, width: int) -> None:
    """Raise ArchiveError if rows * width, the numbers that a model's decoder reads or makes, are
    more than MAX_DECODED (2^26). rows: codes; width: numbers of each, in or out."""
    if rows * width > MAX_DECODED:
        raise ArchiveError(
            f"damaged: a block claims {rows} codes, each of {width} numbers; at most {MAX_DECODED} "
            "numbers are allowed"
        )


def check_text(size: int) -> None:
    """Raise ArchiveError if a block claims to restore more than MAX_TEXT (320 MiB) bytes of text.
    size: in bytes."""
    if size > MAX_TEXT:
        raise ArchiveError(f"damaged: a block claims {size} bytes; at most {MAX_TEXT} are allowed")


def shape_of(sizes: object) -> tuple[int, ...]:
    """The sizes of an array's dimensions as a tuple; ValueError unless they are a list or tuple of
    at most MAX_DIMENSIONS (32) whole numbers, each from 0, whose product is below MAX_ALL_ROWS
    (2^62), a 0 counting as 1."""
    if not isinstance(sizes, list | tuple) or len(sizes) > MAX_DIMENSIONS:
        raise ValueError(f"a shape of more than {MAX_DIMENSIONS} dimensions, or none")
    product = 1
    for size in sizes:
        if type(size) is not int or not 0 <= size < MAX_ALL_ROWS:
            raise ValueError(f"a dimension cannot be {size!r}")
        product *= max(1, size)
    if product >= MAX_ALL_ROWS:
        raise ValueError("a shape of too many values")
    return tuple(sizes)
