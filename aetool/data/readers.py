"""Files and folders that readers of plugins open; they are asked before aetool's own kinds of file
are tried.

What a plugin's reader yields is checked and written once to a file without a name, from where it is
read as often as one likes: a reader is asked for its records once. Whatever goes wrong in it is one
line that names the plugin, the file and what was wrong.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from aetool import files, plugins
from aetool.data import arrow_source, images, notices
from aetool.data.arrow_source import CopiedTable
from aetool.errors import AetoolError, DataError, PluginError
from aetool.files.spools import PIECE, kept
from aetool.model import Batch
from aetool.plugins import OwnedReader

if TYPE_CHECKING:
    import pyarrow as pa

WANTED = "wanted are batches of a table (pyarrow.RecordBatch) or of pictures (numpy, uint8)"


def reader_of(path: Path, name: str) -> OwnedReader | None:
    """The first of the installed plugins' readers that says it reads this path; None if none does.
    name: of the data, for messages. A plugin that cannot be loaded is passed over with a notice.
    DataError if a reader fails or does not answer True or False."""
    for owned in plugins.readers_installed():
        # a broken plugin does not keep others from reading
        if isinstance(owned, PluginError):
            notices.say(name, f"not asked whether it can read this: {owned}")
            continue
        try:
            answer = owned.reader.matches(path)
        except Exception as error:
            raise _failed(owned, name, f"matches raised {_in_words(error)}") from error
        # None, of an author who forgot to return an answer, would pass for False
        if not isinstance(answer, bool):
            raise _failed(owned, name, f"matches returned {answer!r}; wanted is True or False")
        # the first that takes it has it
        if answer:
            return owned
    return None


def source_of(path: Path, name: str) -> CopiedTable | PluginPictures | None:
    """The records, or pictures, at a path, read to the end by a plugin's reader into a temporary
    copy; None if no reader takes it. name: for messages. DataError if the reader fails, or yields
    nothing or what is not wanted; NoRoomError if the copy cannot be written."""
    owned = reader_of(path, name)
    if owned is None:
        return None
    batches = _checked_batches(owned, path, name)
    # by the first batch it is decided whether they are pictures or a table
    first = next(batches, None)
    if first is None:
        raise _failed(owned, name, "batches yielded nothing")
    original = files.Place(path, name)
    if isinstance(first, np.ndarray):
        return _copied_pictures(name, first, batches, original)
    every_batch = _first_and_others(first, batches)
    is_text = owned.reader.is_text
    return arrow_source.copied(name, every_batch, original, strings_are_cells=is_text)


def _first_and_others(first: Batch, others: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the first batch, which was taken from `others` already, and then those."""
    yield first
    yield from others


def _checked_batches(owned: OwnedReader, path: Path, name: str) -> Iterator[Batch]:
    """Yield the batches that a reader yields of a path; DataError, which names the plugin, if it
    fails, or one is no batch, or not of the first one's schema or shape. NoRoomError goes through.
    name: of the data, for messages."""
    first: Batch | None = None
    number = 0
    try:
        for batch in owned.reader.batches(path):
            number += 1
            fault = _fault_of_batch(batch, first)
            if fault:
                raise _failed(owned, name, f"batch {number} of batches is {fault}")
            # all others must be of its schema or shape
            first = batch if first is None else first
            yield batch
    except AetoolError as error:
        # the message names the plugin already, or it is no fault of the reader
        if owned.called in str(error) or isinstance(error, files.NoRoomError):
            raise
        raise _failed(owned, name, str(error)) from error
    except Exception as error:
        raise _failed(owned, name, _in_words(error)) from error


def _fault_of_batch(batch: object, first: Batch | None) -> str:
    """Check a batch that a reader gave, and return what is wrong with it, in words to go behind
    "batch 3 of batches is"; "" if nothing is. Right are a pyarrow.RecordBatch of the first one's
    schema, and pictures of the first one's shape, uint8 with three axes, or with four and 1 to 4
    channels. first: the first batch, None if this is it."""
    import pyarrow as pa

    if isinstance(batch, np.ndarray):
        has_channels = batch.ndim == 4 and batch.shape[3] in images.CHANNELS
        if batch.dtype != np.uint8 or not (batch.ndim == 3 or has_channels):
            return f"{batch.dtype} of shape {batch.shape}; {WANTED} of (n, height, width[, 1 to 4])"
        if first is not None and not isinstance(first, np.ndarray):
            return "of pictures, and the first one of a table"
        # an array of pictures has one shape
        if first is not None and batch.shape[1:] != first.shape[1:]:
            return f"of pictures {batch.shape[1:]}, and the first one of {first.shape[1:]}"
        return ""
    if not isinstance(batch, pa.RecordBatch):
        return f"a {type(batch).__name__}; {WANTED}"
    if first is None or (not isinstance(first, np.ndarray) and batch.schema.equals(first.schema)):
        return ""
    if isinstance(first, np.ndarray):
        return "of a table, and the first one of pictures"
    # fields of one of the two alone
    differing = set(batch.schema) ^ set(first.schema)
    few = ", ".join(sorted({field.name for field in differing})) or "their order"
    return f"of another schema than the first one ({few}); give pyarrow the types"


def _failed(owned: OwnedReader, name: str, what: str) -> DataError:
    """Return, not raise, the DataError for a plugin's reader that is not right. name: of the file;
    what: what was wrong, in words."""
    return DataError(f"{name}: {owned.called}: {what}")


def _in_words(error: Exception) -> str:
    """An error in words on one line: the name of its class, and its message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class PluginPictures(images.ArraySource):
    """Pictures that a plugin's reader has read, in a temporary copy. original: the file or folder
    they are of, which the caller sets."""

    original: files.Place


def _copied_pictures(
    name: str,
    first: Batch,
    others: Iterator[Batch],
    original: files.Place,
) -> PluginPictures:
    """Write batches of pictures, (n, height, width[, 1 to 4]) uint8 each, to a temporary file, and
    open it as a source. name: what messages call it; first: the first batch, others: all behind it;
    original: where the plugin read them. DataError if the plugin fails, or for a shape that
    pictures have not; NoRoomError if the file cannot be written."""
    count = 0

    def write(file: BinaryIO) -> None:
        """Write the bytes of all pictures to a file, and count the pictures."""
        nonlocal count
        for batch in _first_and_others(first, others):
            count += len(batch)
            file.write(np.ascontiguousarray(batch).tobytes())

    place = kept(write, name)
    # counted while they were written; an empty file cannot be mapped
    shape = (count, *first.shape[1:])
    array = np.memmap(place.path, np.uint8, "r", shape=shape) if count else np.zeros(shape, "u1")
    source = PluginPictures(array, name, ".npy", "")
    source.place = place
    source.original = original
    return source


# ---- the way back


def writer_of(target: Path) -> OwnedReader | None:
    """The plugin's reader that takes a file or folder of this name and can write it; None if there
    is none, if the first that takes it cannot write, or for "-", standard output. DataError if a
    reader fails when it is asked."""
    owned = None if str(target) == "-" else reader_of(target, str(target))
    if owned is not None and owned.can_write:
        return owned
    return None


def write(owned: OwnedReader, target: Path, batches: Iterable[Batch], force: bool) -> None:
    """Write batches of records, as `Reader.write` takes them, to the file or folder `target` by a
    plugin's reader, which can write. DataError if it fails, or leaves no file; then what was at
    `target` stays. force: replace what is there; else DataError where anything is."""
    if owned.reader.writes_folders:
        with files.new_folder(target, force) as folder:
            _write(owned, folder, target, batches)
        return
    # the plugin is given a path of its own, with the name that its file is to have
    with files.output(target, force) as file, tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / target.name
        _write(owned, scratch, target, batches)
        if not scratch.is_file():
            raise _failed(owned, str(target), f"write returned, and there is no file {target.name}")
        with scratch.open("rb") as written:
            shutil.copyfileobj(written, file, PIECE)


def _write(owned: OwnedReader, path: Path, target: Path, batches: Iterable[Batch]) -> None:
    """Let a plugin's reader write batches to a path; DataError, which names the plugin and
    `target`, if it fails. Errors of aetool, as those in making the batches, go through."""
    try:
        owned.reader.write(path, iter(batches))
    except AetoolError:
        raise
    except Exception as error:
        raise _failed(owned, str(target), f"write raised {_in_words(error)}") from error


def as_batches(columns: pa.Table) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow table; if it has none, one batch without records, so that the columns
    are known."""
    import pyarrow as pa

    batches = columns.to_batches()
    if batches:
        return iter(batches)
    nothing = [pa.nulls(0, kind) for kind in columns.schema.types]
    return iter([pa.RecordBatch.from_arrays(nothing, schema=columns.schema)])
