"""aetool similar."""

from __future__ import annotations

import click

from aetool.cli import options, tables, texts


@click.command()
@click.argument("query")
@click.option(
    "--in", "data", required=True, metavar="DATA", help="Where to look: data, or an archive."
)
@options.model
@click.option(
    "-k",
    type=options.Whole(min=1),
    default=10,
    show_default=True,
    help="Neighbours of each record.",
)
@click.option(
    "--row",
    "rows",
    multiple=True,
    type=options.Whole(min=1),
    help="Only this record of QUERY, counted from 1.",
)
@click.option("--binary", is_flag=True, help="By learned binary codes and Hamming distance.")
@click.option("--id", "ids", multiple=True, metavar="COL[,COL]", help="Columns of DATA to print.")
@texts.text_options("query", "data")
@click.option("--sheet", metavar="PNG", help="Draw each picture of QUERY beside its neighbours.")
@tables.format_option
@options.as_json
@click.option("-o", "--output", help="Write here instead of to standard output.")
@options.device
@options.force
def similar(
    query: str,
    data: str,
    model: str | None,
    k: int,
    rows: tuple[int, ...],
    binary: bool,
    ids: tuple[str, ...],
    sheet: str | None,
    device: str,
    form: str | None,
    as_json: bool,
    output: str | None,
    force: bool,
) -> None:
    """Print the records of DATA whose codes are nearest to those of QUERY.

    DATA may be an archive written with --lossy-only: its codes are compared as they are stored.
    """
    from aetool.operations import searching

    search_options = searching.SearchOptions(k, rows, binary, options.names(ids), device)
    bundle = options.load_model(model)
    neighbours = searching.similar(query, data, bundle, search_options)
    if sheet is not None:
        searching.write_sheet(sheet, query, data, bundle, neighbours, force)
    tables.write_columns(neighbours.columns(), tables.Printing(output, form, as_json, force))
