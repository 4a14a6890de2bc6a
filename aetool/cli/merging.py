"""aetool merge."""

from __future__ import annotations

import click

from aetool.cli import options, terminal


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, help="Where to write; - is standard output.")
@click.option(
    "--index",
    is_flag=True,
    help="Copy nothing: write an index of FILEs, which stay; also of archives of like tables.",
)
@options.engine
@options.force
@options.quiet
def merge(
    files: tuple[str, ...],
    output: str,
    index: bool,
    engine: str | None,
    force: bool,
    quiet: bool,
) -> None:
    """Join the archives of all parts of a table, as compress --shard wrote them: the result is byte
    for byte what compress writes for the table in one go. With --index, write a small file by which
    they are read as one, and copy nothing."""
    # what merging loads, other verbs need not wait for
    from aetool import operations

    if output == "-" and not force:
        terminal.refuse_bytes("the archive")
    figures = operations.merge(files, output, force, engine, index)
    if quiet:
        return
    archive_bytes = figures["archive_bytes"]
    rows = f"{figures['rows']:,} rows"
    if index:
        # what is new on the disk, and what there is with it
        index_bytes = f"{figures['index_bytes']:,} bytes, {figures['parts']:,} parts"
        terminal.say(f"{output}: {index_bytes}, {rows}, {archive_bytes:,} bytes in all", err=True)
    else:
        shards = f"{figures['shards']} shards"
        terminal.say(f"{output}: {archive_bytes:,} bytes, {shards}, {rows}", err=True)
