"""aetool demo: the main job on bundled real data, each command printed before it runs."""

from __future__ import annotations

import importlib.util
import shlex
import time
from pathlib import Path

import click

from aetool.cli import terminal
from aetool.errors import DataError

DATA = Path(__file__).parent.parent / "demo"
TABLE, PICTURES = "beijing_air.csv", "fashion_mnist.npz"
DAMAGED = "damaged.csv"
# (row counted from 1, column, cell): what a slip of the hand or a broken sensor might have written.
PLANTED = (
    (1001, "TEMP", "-20.5"),
    (2500, "CO", "9900"),
    (3333, "PRES", "1090.0"),
    (4200, "O3", "999"),
)
CREDITS = (
    "Data: Beijing Multi-Site Air Quality, one station, March to September 2016 (S. Chen, UCI "
    "Machine Learning Repository, CC BY 4.0); Fashion-MNIST, 400 pictures (Zalando SE, MIT)."
)


@click.command()
@click.option(
    "-o", "--output", default="demo-output", show_default=True, help="A folder to work in."
)
def demo(output: str) -> int:
    """Run the main job on bundled real data: detect, fit, compress, restore, export."""
    from aetool.cli import status

    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder")
    # copies: nothing is written beside the data that are installed
    for name in (TABLE, PICTURES):
        (folder / name).write_bytes((DATA / name).read_bytes())
    has_torch = bool(importlib.util.find_spec("torch") and importlib.util.find_spec("onnxscript"))
    terminal.say(CREDITS)
    terminal.say("", f"{folder / DAMAGED} is the table with {len(PLANTED)} cells changed:")
    for line in plant(folder / TABLE, folder / DAMAGED):
        terminal.say(f"  {line}")
    started = time.monotonic()
    worst = 0
    for line in commands(has_torch):
        arguments = shlex.split(line)
        # @NAME is a file in the folder
        for i, argument in enumerate(arguments):
            if argument.startswith("@"):
                arguments[i] = str(folder / argument[1:])
        terminal.say("", f"$ aetool {shlex.join(arguments)}")
        worst = max(worst, status(arguments))
    if not has_torch:
        terminal.say("", "deep models were left out: run: pip install 'aetool[train]'")
    seconds = time.monotonic() - started
    models = 3 if has_torch else 2
    what = f"fitted {models} models, checked and stored 5,000 records and 400 pictures"
    if worst:
        what = "a command above failed"
    terminal.say("", f"{seconds:.0f} s: {what}; all files are in {folder}/")
    return worst


def plant(table: Path, damaged: Path) -> list[str]:
    """Copy a CSV table, in UTF-8 without quotes, to `damaged`, and change there the cells that
    PLANTED names; returns a line for each: its row and column, its old value and its new one. What
    is at `damaged` is replaced."""
    lines = table.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split(",")
    changes = []
    for row, column, cell in PLANTED:
        cells = lines[row].split(",")
        place = columns.index(column)
        changes.append(f"row {row}: {column} {cells[place]} -> {cell}")
        cells[place] = cell
        lines[row] = ",".join(cells)
    damaged.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return changes


def commands(deep: bool) -> list[str]:
    """The command lines that the demo runs; @NAME in them stands for a file in its folder.

    deep: also those that need torch.
    """
    table = f"@{TABLE}"
    damaged = f"@{DAMAGED}"
    pictures = f"@{PICTURES}"
    lines = [
        f"detect {damaged} --id time --format table",
        f"fit {table} --codec -o @air.aem -f",
        f"detect {damaged} -m @air.aem --id time --format table",
        f"compress {table} -m @air.aem -o @air.aez -f",
        "verify @air.aez -m @air.aem",
        "decompress @air.aez -m @air.aem -o @same.csv -f",
        "export @air.aem -o @onnx -f --verify",
    ]
    if deep:
        lines += [
            f"fit {table} -p vae -o @vae.aem -f",
            f"detect {damaged} -m @vae.aem --top 4 --id time --format table",
            f"compress {table} --lossy-only -m @vae.aem -o @code.aez -f",
            "decompress @code.aez -m @vae.aem -c --rows 1:3",
        ]
    return [
        *lines,
        f"fit {pictures} -p pca -o @pictures.aem -f",
        f"detect {pictures} -m @pictures.aem --top 6 --format table --heatmap @where "
        "--sheet @where.png -f",
        f"compress {pictures} -o @pictures.exact.aez -f",
        f"compress {pictures} --lossy --latent 32 -m @pictures.aem -o @pictures.aez -f",
        "decompress @pictures.aez -m @pictures.aem -o @pictures.restored.npz -f",
    ]
