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
from PIL import Image

from aetool import bundle as bundles
from aetool import operations
from aetool.canonical import canonical
from aetool.codec import container, planning
from aetool.codec.blobs import read_varint
from aetool.operations import CompressOptions, FitOptions

HOME = Path(__file__).parent / "3.0"
SMALL_BLOCKS = dataclasses.replace(planning.DEFAULT, block=3000)
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
    _, at = read_varint(data, 10)
    rows_end = at
    size, at = read_varint(data, at)
    words_end = at + size
    head_size, at_of_description = read_varint(data, words_end)
    description_end = at_of_description + head_size
    facts, header = container.inflate(data[at:words_end])
    description = container.inflate(data[at_of_description:description_end])
    fields = [
        (0, 8, "magic"),
        (8, 10, "version 3; layout: one piece, no model"),
        (10, rows_end, "rows"),
        (rows_end, at, f"{size} bytes of words follow"),
        (at, words_end, f"`{canonical([facts, header]).decode()}`"),
        (words_end, at_of_description, f"the payload; {head_size} bytes of words follow"),
        (at_of_description, description_end, f"`{canonical(description).decode()}`"),
        (description_end, description_end + 1, "one part, the joined streams, which has bytes"),
        (description_end + 1, description_end + 2, "its length"),
        (description_end + 2, len(data) - 16, "no rANS, as each alphabet is 1; no raw bits"),
        (len(data) - 16, len(data) - 8, "sha256 of `a,b`, LF, `1,2`, LF begins so"),
        (len(data) - 8, len(data), "digest of everything before"),
    ]
    lines = ["| at | bytes | is |", "|--:|---|---|"]
    for first, last, meaning in fields:
        shown = data[first:last].hex(" ").upper()
        lines.append(f"| {first} | `{shown}` | {meaning} |")
    return "\n".join(lines)


def fill_in(page):
    """Writes the example and the dictionary into FORMAT.md."""
    words = container.WORDS.decode()
    lines = [words[i : i + 96] for i in range(0, len(words), 96)]
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
        ("typed", "table.parquet", None, {}),
        ("bounded", "table.csv", None, {"max_error": {"": "5%"}}),
        ("bytes", "table.parquet", None, {"keep_files": True}),
        ("pictures", "pictures.npy", None, {}),
        ("folder", "folder", None, {}),
        ("shared", "table.csv", model, {}),
        ("lossy", "table.csv", model, {"lossy_only": True}),
    ):
        operations.compress(HOME / source, HOME / f"{name}.aez", given, CompressOptions(**options))
    operations.decompress(HOME / "bounded.aez", HOME / "bounded.csv")
    fill_in(Path(container.__file__).parent / "FORMAT.md")
    subprocess.run([sys.executable, Path(__file__).parent / "vectors.py"], check=True)


if __name__ == "__main__":
    main()
