"""aetool encode and decode."""

from __future__ import annotations

from typing import Any

import click

from aetool.cli import detecting, options, terminal, texts
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
    if bundle is None:
        bundle = fitting.on_the_spot(data, options.fit_options({**given, "device": device}))
    elif given["plugin"] or given["params"]:
        raise ParamError("-p and -O fit a model; they cannot change the one given with -m")
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
@click.option("-o", "--output", required=True, help="A .csv, .parquet or .npy file, or a folder.")
@options.device
@options.force
@options.quiet
def decode(
    codes: str, model: str | None, output: str, device: str, force: bool, quiet: bool
) -> None:
    """Write the records that CODES (a table of z0, z1, ...) stand for."""
    from aetool.operations import coding

    rows = coding.write_records(codes, output, options.needed_model(model), force, device)
    if not quiet:
        terminal.say(f"{output}: {rows:,} records", err=True)


@click.command()
@options.model
@click.option(
    "-o",
    "--output",
    required=True,
    help="A .csv or .parquet; of pictures a .png contact sheet, a .npy or a folder.",
)
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    help="How many [64]; with --like: near each record [1].",
)
@click.option("--like", metavar="DATA", help="Draw near the records of DATA.")
@click.option(
    "--spread",
    type=click.FloatRange(0, 1),
    default=0.25,
    show_default=True,
    help="How far from those: 0 (the same code) .. 1 (any).",
)
@click.option("--grid", is_flag=True, help="Codes on a grid over a plane of the code.")
@click.option(
    "--prior", is_flag=True, help="Of a vae: codes N(0, I), not distributed as the data's."
)
@click.option(
    "--condition",
    multiple=True,
    metavar="COL=VALUE",
    help="Under this condition (of the model's --condition columns) [usual ones].",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random draw.")
@options.device
@options.force
@options.quiet
def sample(
    model: str | None, output: str, count: int | None, like: str | None, spread: float, grid: bool,
    prior: bool, condition: tuple[str, ...], seed: int, device: str, force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Draw new records from what the model has learned.

    Categories, gaps and decimals are those of the data; dates are drawn evenly within their range.
    Text is left out. With --like, what the model does not know is copied.
    """
    from aetool.operations import sampling

    told = options.pairs(condition, "--condition")
    chosen = sampling.SampleOptions(count, like, spread, grid, seed, prior, told, force, device)
    rows = sampling.write_samples(options.needed_model(model), output, chosen)
    if not quiet:
        terminal.say(f"{output}: {rows:,} records", err=True)


@click.command()
@click.argument("query")
@click.option(
    "--in", "data", required=True, metavar="DATA", help="Where to look: data, or an archive."
)
@options.model
@click.option(
    "-k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Neighbours of each record.",
)
@click.option(
    "--row",
    "rows",
    multiple=True,
    type=click.IntRange(min=1),
    help="Only this record of QUERY, counted from 1.",
)
@click.option("--binary", is_flag=True, help="By learned binary codes and Hamming distance.")
@click.option("--id", "ids", multiple=True, metavar="COL[,COL]", help="Columns of DATA to print.")
@texts.text_options("query", "data")
@click.option("--sheet", metavar="PNG", help="Draw each picture of QUERY beside its neighbours.")
@click.option(
    "--format", "form", type=click.Choice(detecting.FORMATS), help="[table on a terminal, else csv]"
)
@options.as_json
@click.option("-o", "--output", help="Write here instead of to standard output.")
@options.device
@options.force
def similar(
    query: str, data: str, model: str | None, k: int, rows: tuple[int, ...], binary: bool,
    ids: tuple[str, ...], sheet: str | None, device: str, **given: Any,
) -> None:  # fmt: skip
    """Print the records of DATA whose codes are nearest to those of QUERY.

    DATA may be an archive written with --lossy-only: its codes are compared as they are stored.
    """
    from aetool.operations import searching

    chosen = searching.SearchOptions(k, rows, binary, options.names(ids), device)
    bundle = options.load_model(model)
    found = searching.similar(query, data, bundle, chosen)
    if sheet is not None:
        searching.write_sheet(sheet, query, data, bundle, found, given["force"])
    detecting.write_columns(found.columns(), detecting.form_of(given), given)
