"""Makes the golden archives of this version of the format, its test vectors, and what FORMAT.md shows
of them, all in one command; once a version is released, never again.

python tests/golden/make.py
"""

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from aetool import bundle as bundles
from aetool import operations
from aetool.canonical import canonical
from aetool.codec import planning, words
from aetool.codec.blobs import read_varint
from aetool.operations import CompressOptions, FitOptions

HOME = Path(__file__).parent / "3.0"
SMALL_BLOCKS = dataclasses.replace(planning.DEFAULT, block=3000)
IN_TYPES = dataclasses.replace(planning.DEFAULT, whole_files=False)
ROWS = 400


def table():
    """Columns of every kind: dates, decimals with gaps, levels, whole numbers, text."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "time": pd.date_range("2020-01-01", periods=ROWS, freq="h").strftime("%Y-%m-%d %H:%M"),
        "temp": np.cumsum(rng.normal(0, 0.3, ROWS)).round(1),
        "kind": rng.choice(["a", "b", "c"], ROWS, p=[0.7, 0.2, 0.1]),
        "count": rng.poisson(3, ROWS),
        "note": [f"n{i * 7919 % 1009}" for i in range(ROWS)],
    })  # fmt: skip
    frame.loc[::50, "temp"] = np.nan
    return frame


def columns():
    """An Arrow table of every kind of type, gaps and NaN among them."""
    rng = np.random.default_rng(4)
    gaps = rng.random(60) < 0.2
    levels = pa.array(["lo", "hi", "never"])
    named = {
        "i": pa.array(rng.integers(0, 9, 60), mask=gaps),
        "u": pa.array(rng.integers(0, 2**64, 60, np.uint64)),
        "f": pa.array(np.where(gaps, np.nan, rng.normal(size=60).round(2)), mask=gaps[::-1]),
        "h": pa.array(rng.normal(size=60).astype(np.float16)),
        "b": pa.array(gaps, mask=gaps[::-1]),
        "t": pa.array(rng.integers(0, 9, 60) * 3_600_000, pa.timestamp("ms", "UTC")),
        "s": pa.array([f"n{i % 7}" for i in range(60)], pa.large_string(), mask=gaps),
        "x": pa.array([bytes([i, 255]) for i in range(60)], pa.binary(2)),
        "d": pa.array([f"{i}1234567890123456789.{i:02d}" for i in range(60)]).cast(pa.decimal128(38, 2)),
        "c": pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, 2, 60), pa.int8()), levels),
        "n": pa.nulls(60),
    }  # fmt: skip
    return pa.table(named, metadata={"made": "by hand"})


def arrays():
    """Arrays of several types, shapes and orders."""
    rng = np.random.default_rng(5)
    return {
        "volume": rng.integers(-300, 300, (4, 5, 6)).astype(">i2"),
        "z": (rng.normal(size=(9, 3)) + 1j * rng.normal(size=(9, 3))).round(1),
        "order": np.asfortranarray(rng.normal(size=(5, 4)).astype(np.float32)),
        "when": np.array(["2020-01-01", "NaT", "2021-06-01"], "M8[s]"),
        "who": np.array(["ann", "\u00e9", ""]),
        "raw": np.array([b"a", b"bc\0d"]),
        "one": np.int64(-(2**63)),
        "none": np.zeros((3, 0)),
    }


LINES = (
    '{"id": 1, "tags": ["a", "b"], "v": 1.50}\n{"id": 2, "tags": [], "v": null}\n'
    '{"id": 3, "tags": ["\\ud800", "c"], "v": 1E5}\n' * 9 + '{"id":4}\r\nno json'
)


def pictures(folder):
    """A folder of two gray pictures, one in colour, and a file that is none."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    for name, shape in (("a", (6, 5)), ("b", (6, 5)), ("c", (4, 7, 3))):
        pixels = rng.integers(0, 9, shape).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    Image.fromarray(rng.integers(0, 255, (5, 5, 3)).astype(np.uint8)).save(folder / "d.jpg")


def example(data):
    """The small archive, field by field, as FORMAT.md shows it."""
    _, rows_end = read_varint(data, 10)
    size, at = read_varint(data, rows_end)
    words_end = at + size
    facts, header = words.inflate(data[at:words_end])
    end = len(data)
    fields = [
        (0, 8, "magic"),
        (8, 10, "version 3; layout: one piece, no model"),
        (10, rows_end, "rows"),
        (rows_end, at, f"{size} bytes of words follow"),
        (at, words_end, f"`{canonical([facts, header]).decode()}`"),
        (words_end, words_end + 1, "the payload: no description, so it is a column of bytes"),
        (words_end + 1, words_end + 2, "one part, the blob, has bytes: the rest of the payload"),
        (words_end + 2, end - 12, "8 * 4 + 0: the blob is 4 bytes as they are; `1,2`, LF"),
        (end - 12, end - 8, "sha256 of `a,b`, LF, `1,2`, LF begins so"),
        (end - 8, end, "digest of everything before"),
    ]
    lines = ["| at | bytes | is |", "|--:|---|---|"]
    for first, last, meaning in fields:
        shown = data[first:last].hex(" ").upper()
        lines.append(f"| {first} | `{shown}` | {meaning} |")
    return "\n".join(lines)


def fill_in(page):
    """Writes the example and the dictionary into FORMAT.md."""
    dictionary = words.WORDS.decode()
    lines = [dictionary[i : i + 96] for i in range(0, len(dictionary), 96)]
    fresh = {
        "EXAMPLE": example((HOME / "tiny.aez").read_bytes()),
        "WORDS": "\n".join(["```", *lines, "```"]),
    }
    text = page.read_text()
    for name, content in fresh.items():
        between = re.compile(f"(<!-- {name} -->\n).*?(<!-- -->)", re.DOTALL)
        text, count = between.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, name
    page.write_text(text)


def main():
    """Write <name>.aez, what each restores, the model, and the vectors."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    frame = table()
    frame.to_csv(HOME / "table.csv", index=False)
    frame.to_parquet(HOME / "table.parquet")
    (HOME / "tiny.csv").write_text("a,b\n1,2\n")
    (HOME / "ragged.csv").write_text("a,b\n1,2\n3\n4,5,6\n")
    (HOME / "ends.csv").write_bytes(b"a,b\r\n1,2\r\n3,4\n5,6\r\n\r\n7,8")
    (HOME / "wide.csv").write_bytes('a,b\r\n1,"x\r\ny"\r\n2,é\r\n'.encode("utf-16"))
    long = np.random.default_rng(2).integers(0, 50, (4200, 2)).cumsum(axis=0)
    (HOME / "long.csv").write_text("x,y\n" + "".join(f"{a},{b}.5\n" for a, b in long))
    rng = np.random.default_rng(3)
    np.save(HOME / "pictures.npy", rng.integers(0, 9, (4, 6, 5)).astype(np.uint8))
    pictures(HOME / "folder")
    pq.write_table(columns(), HOME / "columns.parquet")
    np.savez(HOME / "arrays.npz", **arrays())
    (HOME / "lines.jsonl").write_bytes(LINES.encode())
    model = operations.fit(HOME / "table.csv", FitOptions(codec=True, students=True))
    needed = {n: g for n, g in model.graphs.items() if n not in ("score.onnx", bundles.SAMPLING)}
    model = dataclasses.replace(model, graphs=needed)
    model.save(HOME / "model.aem")
    for name, source, given, options in (
        ("text", "table.csv", None, {}),
        ("tiny", "tiny.csv", None, {}),
        ("ragged", "ragged.csv", None, {}),
        ("long", "long.csv", None, {}),
        ("ends", "ends.csv", None, {}),
        ("wide", "wide.csv", None, {}),
        ("blocks", "table.csv", None, {"effort": SMALL_BLOCKS}),
        ("typed", "table.parquet", None, {"effort": IN_TYPES}),
        ("columns", "columns.parquet", None, {"effort": IN_TYPES}),
        ("arrays", "arrays.npz", None, {"effort": IN_TYPES}),
        ("file", "arrays.npz", None, {}),
        ("lines", "lines.jsonl", None, {}),
        ("bounded", "table.csv", None, {"max_error": {"": "5%"}}),
        ("bytes", "table.parquet", None, {"keep_files": True}),
        ("pictures", "pictures.npy", None, {}),
        ("folder", "folder", None, {}),
        ("shared", "table.csv", model, {}),
        ("lossy", "table.csv", model, {"lossy_only": True}),
    ):
        operations.compress(HOME / source, HOME / f"{name}.aez", given, CompressOptions(**options))
    operations.decompress(HOME / "bounded.aez", HOME / "bounded.csv")
    fill_in(Path(words.__file__).parent / "FORMAT.md")
    subprocess.run([sys.executable, Path(__file__).parent / "vectors.py"], check=True)


if __name__ == "__main__":
    main()
