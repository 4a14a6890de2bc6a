"""aetool sample."""

from __future__ import annotations

import click

from aetool.cli import options, terminal
from aetool.errors import ParamError


@click.command()
@options.model
@click.option(
    "-o",
    "--output",
    help="A .csv or .parquet [CSV to standard output]; of pictures a .png contact sheet, a .npy or "
    "a folder.",
)
@click.option(
    "-n",
    "count",
    type=options.Whole(min=1),
    help="How many [64]; with --like: near each record [1].",
)
@click.option("--like", metavar="DATA", help="Draw near the records of DATA.")
@click.option(
    "--spread",
    type=options.FiniteNumber("0.25", 0, 1),
    help="How far from those: 0 (the same code) .. 1 (any) [0.25].",
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
@click.option(
    "--seed", type=options.SEED, default=0, show_default=True, help="Seed of every random draw."
)
@options.device
@options.force
@options.quiet
def sample(
    model: str | None,
    output: str | None,
    count: int | None,
    like: str | None,
    spread: float | None,
    grid: bool,
    prior: bool,
    condition: tuple[str, ...],
    seed: int,
    device: str,
    force: bool,
    quiet: bool,
) -> None:
    """Draw new records from what the model has learned.

    Categories, gaps and decimals are those of the data; dates are drawn evenly within their range.
    Text is left out. With --like, what the model does not know is copied.
    """
    from aetool.operations import sampling

    conditions = options.pairs(condition, "--condition")
    sample_options = sampling.SampleOptions(
        count, like, spread, grid, seed, prior, conditions, force, device
    )
    bundle = options.needed_model(model)
    # a table goes where that of detect goes
    if output is None and bundle.kind == "table":
        output = "-"
    if output is None:
        raise ParamError("pictures are not printed: name a .png, a .npy or a folder with -o")
    rows = sampling.write_samples(bundle, output, sample_options)
    if not quiet and output != "-":
        terminal.say(f"{output}: {rows:,} records", err=True)
