"""aetool decompress."""

from __future__ import annotations

import click

from aetool.cli import options, say_error, terminal
from aetool.errors import AetoolError, ParamError

MOST_DIGITS = 18  # of the number of a row


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.model
@click.option("-o", "--output", help="Where to write, for one FILE; - is standard output.")
@click.option("-c", "to_stdout", is_flag=True, help="Write to standard output.")
@click.option(
    "--rows", metavar="A:B", help="Only records A to B, from 1, both included; A, A:, :B."
)
@click.option("--columns", multiple=True, metavar="COL[,COL]", help="Only these columns.")
@click.option("--recover", is_flag=True, help="Leave out what is damaged, say what, exit with 1.")
@options.max_output
@options.engine
@options.device
@options.force
@options.quiet
def decompress(
    files: tuple[str, ...],
    output: str | None,
    to_stdout: bool,
    rows: str | None,
    columns: tuple[str, ...],
    recover: bool,
    model: str | None,
    max_output: str | None,
    engine: str | None,
    device: str,
    force: bool,
    quiet: bool,
) -> int:
    """Restore each archive FILE; every block is checked before it is written."""
    from aetool import operations
    from aetool.codec.archive import IDLE_MODEL

    if output is not None and len(files) > 1:
        raise ParamError("-o names one file: give one archive, or leave -o out")
    bundle = options.load_model(model, "the archive")
    # one archive that fails does not keep the others from being restored
    worst = 0
    for name in files:
        try:
            # filled by the operation
            lost: list[str] = []
            notes: list[str] = []
            parts: list[str] = []
            written = operations.decompress(
                name,
                "-" if to_stdout else output,
                model=bundle,
                rows=_rows(rows),
                columns=options.names(columns) or None,
                lost=lost if recover else None,
                force=force,
                device=device,
                max_output=options.size(max_output, "--max-output"),
                notes=notes,
                parts=parts,
                executor=engine,
            )
        except AetoolError as error:
            say_error(error)
            worst = max(worst, error.status)
            continue
        for note in notes:
            # scripts may name one model for all archives
            if note == IDLE_MODEL and (quiet or not options.has_typed_model()):
                continue
            terminal.say(f"note: {note}", err=True)
        for what in lost:
            terminal.say(f"{name}: lost: {what}", err=True)
        worst = max(worst, int(bool(lost)))
        if not quiet and str(written) != "-":
            how_much = "".join(parts) or "restored"
            terminal.say(f"{written}: {how_much}{' in part' if lost else ''}", err=True)
    return worst


def _rows(text: str | None) -> tuple[int, int | None] | None:
    """--rows as (first, end) counted from 0 without end, from A:B, A, A: or :B, counted from 1 with
    both ends; end None: to the last; None for None. ParamError for any other text, 0 and B below A
    among it."""
    if text is None:
        return None
    first, sign, last = (part.strip() for part in text.partition(":"))
    # A alone is one row
    last = last if sign else first
    # longer ones are no numbers of rows, and slow to read
    short = [part for part in (first, last) if len(part) <= MOST_DIGITS]
    numbers = [int(part) for part in short if part.isascii() and part.isdigit()]
    parts_given = [part for part in (first, last) if part]
    if (
        not parts_given
        or len(numbers) < len(parts_given)
        or 0 in numbers
        or numbers != sorted(numbers)
    ):
        raise ParamError(
            f"--rows {text}: write A:B, A:, :B or A; rows count from 1, both ends are included"
        )
    # from 0, and the end itself is not included
    return (int(first) - 1 if first else 0), (int(last) if last else None)
