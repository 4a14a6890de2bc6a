"""A reader of .aez archives in plain Python and numpy, written from FORMAT.md alone.

    container   layouts, seals and digests              columns     blocks to columns
    blobs       bytes that are squeezed, cells          streams     whole numbers, entropy coded
    coded       pictures, bit by bit
    text        tables in text                          natives     Arrow tables, arrays, lines
    models      shared models, lossy tables

Each checks what the page says of it.
"""

import hashlib
import lzma

import numpy as np

from tests.format_reader import models, natives, text
from tests.format_reader.blobs import blob, cells
from tests.format_reader.columns import columns_of
from tests.format_reader.container import WORDS as WORDS
from tests.format_reader.container import check, opened

BYTES = ("text", "bytes", "lines")  # contents that restore the bytes of a file


def restore(data, model=None):
    """What an archive restores. model: the bytes of the bundle that it names.

    The bytes of a text or a file; pixels (n, C, H, W); of a folder {name: (mode, pixels), or
    bytes}, mode P being (P, colours, opacity); of a table {column: values}, as Arrow stores them; of arrays {name: rows}.
    """
    archive = opened(data)
    header, name = archive.header, archive.header["content"][0]
    is_exact = header["mode"] == "lossless"
    shared = models.shared_of(model, is_exact) if "shared" in header else None
    learned = models.shared_of(model) if "primed" in header else None
    decoded, digest = [], hashlib.sha256()
    for block in archive.blocks:
        if shared is None:
            about, columns, content = columns_of(block, learned=learned)
        else:
            about, columns, content = models.shared_columns(block, shared)
        decoded.append((block.rows, about, columns))
        digest.update(content)
    if shared is not None:
        header = {"head": shared["head"], **header}
        header["format"] = {**shared["format"], **header["format"]}
    if name == "text":
        restored = text.restored(header, decoded)
    elif name in BYTES:
        restored = b"".join(bytes_of(about, columns) for _, about, columns in decoded)
    else:
        restored = CONTENTS[name](archive, decoded, model)
    if name in BYTES:
        digest = hashlib.sha256(restored)
    check(digest.digest()[: len(archive.whole)] == archive.whole, "the digest of the whole")
    return restored


def bytes_of(about, columns):
    return natives.lines_of(about, columns) if "frames" in about else blob(columns[0].blob)


def pixels_of(rows, about, columns):
    """(rows, C, H, W) of a block."""
    channels, height, width = about["shape"]
    if columns[0].meta["k"] == "pixels":
        dtype = f"<u{columns[0].meta.get('w', 1)}"
        return np.frombuffer(columns[0].blob, dtype).reshape(rows, channels, height, width)
    pixels = np.array([column.values for column in columns])
    return pixels.reshape(height, channels, rows, width).transpose(2, 1, 0, 3)


def pixels(archive, blocks, model):
    return np.concatenate([pixels_of(*block) for block in blocks])


def folder(archive, blocks, model):
    files = {}
    for rows, about, columns in blocks:
        if "shape" in about:
            mode = about["mode"]
            if mode == "P":
                opacity = bytes.fromhex(about.get("opacity", ""))
                mode = (mode, bytes.fromhex(about["palette"]), opacity)
            restored = [(mode, picture) for picture in pixels_of(rows, about, columns)]
        else:
            restored = cells(columns[0].blob, rows)
        files |= dict(zip(about["names"], restored, strict=True))
    return files


def arrow(archive, blocks, model):
    frame, fields = {}, archive.header["schema"]["fields"]
    known = natives.dictionaries_of(archive.sections.get("dictionaries", b""), fields)
    for rows, _, columns in blocks:
        left = iter(columns)
        for place, field in enumerate(fields):
            values = natives.arrow_column(field["type"], left, known.get(place), rows)
            frame.setdefault(field["name"], []).extend(values)
    return frame


def arrays(archive, blocks, model):
    restored, row = {}, 0
    listed = archive.header["arrays"]
    for rows, _, columns in blocks:
        left = iter(columns)
        is_joint = archive.header.get("joint")
        for array in listed if is_joint else [natives.place_of(listed, row)]:
            values = natives.array_rows(array, left, rows)
            restored.setdefault(array["name"], []).extend(values)
        row += rows
    return restored


def lossy_table(archive, blocks, model):
    frame = {}
    model = archive.sections.get("model", model)
    if model.startswith(b"\xfd7zXZ\0"):
        model = lzma.decompress(model, lzma.FORMAT_XZ)
    for rows, _, columns in blocks:
        values = models.decoded_columns(archive.header, columns, rows, model)
        for name, column in values.items():
            frame.setdefault(name, []).extend(column)
    return frame


CONTENTS = {
    "pixels": pixels,
    "folder": folder,
    "arrow": arrow,
    "arrays": arrays,
    "lossy table": lossy_table,
}
