"""aetool demo: the main job on bundled real data, each command printed before it runs."""

from __future__ import annotations

import importlib.util
import shlex
import time
from pathlib import Path

import click

from aetool.errors import DataError

DATA = Path(__file__).parent.parent / "demo"
TABLE, PICTURES = "beijing_air.csv", "fashion_mnist.npz"
CREDITS = (
    "Data: Beijing Multi-Site Air Quality, one station, March to September 2016 (S. Chen, UCI "
    "Machine Learning Repository, CC BY 4.0); Fashion-MNIST, 400 pictures (Zalando SE, MIT)."
)


@click.command()
@click.option(
    "-o", "--output", default="demo-output", show_default=True, help="A folder to work in."
)
def demo(output: str) -> int:
    """Run the main job on bundled real data: fit, detect, compress, decompress."""
    from aetool.cli import status

    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder")
    for name in (TABLE, PICTURES):
        (folder / name).write_bytes((DATA / name).read_bytes())
    deep = bool(importlib.util.find_spec("torch") and importlib.util.find_spec("onnxscript"))
    click.echo(CREDITS)
    started = time.monotonic()
    worst = 0
    for line in commands(deep):
        click.echo(f"\n$ aetool {line}")
        arguments = [str(folder / a[1:]) if a.startswith("@") else a for a in shlex.split(line)]
        worst = max(worst, status(arguments))
    click.echo(f"\n{time.monotonic() - started:.0f} s; the files (@ above) are in {folder}/")
    if not deep:
        click.echo("deep models were left out: run: pip install 'aetool[train]'")
    return worst


def commands(deep: bool) -> list[str]:
    """The demo's command lines; @NAME is a file in its folder."""
    table, pictures = f"@{TABLE}", f"@{PICTURES}"
    model = "@air.aem" if deep else "@usual.aem"
    deeper = "ae -O error=mse --epochs 150" if deep else "pca"
    lines = [
        f"detect {table} --top 5 --id time --format table",
        f"fit {table} -o @usual.aem -f",
        f"detect {table} -m @usual.aem --top 5 --id time --format table",
    ]
    if deep:
        lines += [f"fit {table} -p vae -o @air.aem -f", "export @air.aem -o @onnx -f --verify"]
    return [
        *lines,
        f"compress {table} -f",
        f"compress {table} --lossy -m {model} -o @air.aez -f",
        f"verify @air.aez {model}",
        f"decompress @air.aez -m {model} -o @air.restored.csv -f",
        f"decompress @air.aez -m {model} -c --rows 0:3",
        f"fit {pictures} -p {deeper} -o @pictures.aem -f",
        f"detect {pictures} -m @pictures.aem --top 3 --format table",
        f"compress {pictures} --lossy -m @pictures.aem -o @pictures.aez -f",
        "decompress @pictures.aez -m @pictures.aem -o @pictures.restored.npz -f",
        "info @pictures.aez",
    ]
