"""aetool encode and decode."""

from __future__ import annotations

import click

from aetool.bundle import Bundle
from aetool.cli import options
from aetool.errors import ParamError


@click.command()
@click.argument("data")
@options.model
@click.option("-o", "--output", required=True, help="A .csv or .parquet file of codes.")
@click.option("--id", "ids", multiple=True, metavar="COL[,COL]", help="Columns to keep.")
@options.device
@options.force
@options.quiet
def encode(
    data: str, model: str | None, output: str, ids: tuple[str, ...], device: str, force: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Write the code of every record of DATA: columns z0, z1, ..."""
    from aetool.operations import coding

    rows = coding.write_codes(data, output, _needed(model), options.names(ids), force, device)
    if not quiet:
        click.echo(f"{output}: codes of {rows:,} records", err=True)


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

    rows = coding.write_records(codes, output, _needed(model), force, device)
    if not quiet:
        click.echo(f"{output}: {rows:,} records", err=True)


def _needed(path: str | None) -> Bundle:
    found = options.load_model(path)
    if found is None:
        raise ParamError("a model is needed: give one with -m, or set $AETOOL_MODEL")
    return found
