"""aetool encode and decode."""

from __future__ import annotations

from typing import Any

import click

from aetool.cli import options, terminal, texts
from aetool.errors import ParamError


@click.command()
@click.argument("data")
@options.model
@click.option("-p", "--plugin", help="The kind of model to learn where none is given [pca].")
@options.data_options
@texts.text_options("data")
@click.option("-o", "--output", help="A .csv or .parquet file of codes.")
@click.option("--id", "ids", multiple=True, metavar="COL[,COL]", help="Columns to keep.")
@click.option("--plot", metavar="PNG", help="Draw the codes as points of a plane.")
@click.option("--color", metavar="COL", help="What the points are coloured by.")
@options.device
@options.engine
@options.force
@options.quiet
def encode(
    data: str, model: str | None, output: str | None, ids: tuple[str, ...], plot: str | None,
    color: str | None, device: str, engine: str | None, force: bool, quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Write the code of every record of DATA: columns z0, z1, ...

    Without a model one is learned from DATA itself: `aetool encode data.csv -O latent=2 --plot
    map.png --color kind` draws a map of them.
    """
    from aetool.fits import fitting
    from aetool.operations import coding

    if output is None and plot is None:
        raise ParamError("nothing to write: give -o FILE, --plot PNG, or both")
    if color is not None and plot is None:
        raise ParamError("--color needs --plot")
    bundle = options.load_model(model)
    fit_options = options.fit_unless(bundle, "encode", {**given, "device": device})
    # of a model that is not kept the codes are for this file alone
    if bundle is None:
        bundle = fitting.on_the_spot(data, fit_options)
    if output is not None:
        rows = coding.write_codes(data, output, bundle, options.names(ids), force, device, engine)
        if not quiet:
            terminal.say(f"{output}: codes of {rows:,} records", err=True)
    if plot is not None:
        coding.plot_codes(data, plot, bundle, color, force, device)
        if not quiet:
            terminal.say(f"{plot}: a map of the codes", err=True)


@click.command()
@click.argument("codes")
@options.model
@click.option(
    "-o",
    "--output",
    help="A .csv or .parquet [CSV to standard output]; of pictures a .npy or a folder.",
)
@options.device
@options.force
@options.quiet
def decode(
    codes: str,
    model: str | None,
    output: str | None,
    device: str,
    force: bool,
    quiet: bool,
) -> None:
    """Write the records of CODES, a table with the columns z0, z1, ..., as the model restores
    them."""
    from aetool.operations import coding

    maker = options.needed_model(model, "the table of codes")
    if output is None and maker.kind == "table":
        output = "-"
    if output is None:
        raise ParamError("pictures are not printed: name a .npy or a folder with -o")
    rows = coding.write_records(codes, output, maker, force, device)
    if not quiet and output != "-":
        terminal.say(f"{output}: {rows:,} records", err=True)
