"""aetool merge."""

from __future__ import annotations

import click

from aetool.cli import options, terminal


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, help="Where to write; - is standard output.")
@options.engine
@options.force
@options.quiet
def merge(
    files: tuple[str, ...], output: str, engine: str | None, force: bool, quiet: bool
) -> None:
    """Put the archives of all parts of a table together, as compress --shard wrote them: the result
    is byte for byte what compress writes of the whole."""
    from aetool import operations

    facts = operations.merge(files, output, force, engine)
    if not quiet:
        size, rows = facts["archive_bytes"], facts["rows"]
        terminal.say(f"{output}: {size:,} bytes, {facts['shards']} shards, {rows:,} rows", err=True)
