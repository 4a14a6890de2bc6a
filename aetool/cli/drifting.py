"""aetool drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

import click

from aetool.cli import options, terminal, texts

if TYPE_CHECKING:
    from aetool.detection.shifts import Comparison

HEADINGS = ("column", "what", "before", "now", "p")


@click.command()
@click.argument("reference", metavar="MODEL|REFERENCE")
@click.argument("new")
@click.option("-p", "--plugin", help="What to fit on REFERENCE, where it is no model [auto].")
@options.data_options
@texts.text_options("reference", "new")
@click.option(
    "--alpha",
    default="1%",
    show_default=True,
    help="How often data that are the same may be called shifted.",
)
@click.option("--all", "everything", is_flag=True, help="Print every test, not only what differs.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless the data are the same.")
@options.as_json
@options.device
@options.quiet
def drift(
    reference: str,
    new: str,
    alpha: str,
    everything: bool,
    exit_code: bool,
    as_json: bool,
    quiet: bool,
    **given: Unpack[options.FitGiven],
) -> int:
    """Say whether NEW is like the data that MODEL was fitted on, or like REFERENCE: same, shifted
    or broken (a column is missing or holds something else), and how it differs; unknown where there
    are too few records.

    Compared are gaps, new words, the middle and the shape of each column, and the scores of the
    records, which show changes between columns. Rows are taken to be independent of each other.
    """
    from aetool import operations
    from aetool.operations import drifting

    part = options.percent(alpha, "--alpha") or 0.0
    # a model that is there is not fitted anew
    model = reference if drifting.is_model(reference) else None
    fit_options = options.fit_unless(model, "drift", given)
    comparison = operations.drift(
        reference, new, fit=fit_options, alpha=part, device=given["device"]
    )
    if as_json:
        terminal.say(json.dumps(comparison.to_json()))
    else:
        # the word alone on the first line, for other programs
        terminal.say(comparison.word, *_lines(comparison, everything))
        if not quiet:
            terminal.say(
                f"{len(comparison.shifts)} tests of {comparison.rows:,} records beside "
                f"{comparison.rows_before:,}: {len(comparison.shifted)} differ",
                err=True,
            )
    return int(exit_code and not comparison.is_same)


def _lines(comparison: Comparison, everything: bool) -> Iterator[str]:
    """Yield the lines of a table of the differences between two files: headings, then columns that
    cannot be used (broken), shifts that were found, and a line if there are too few records to
    tell; no lines if there is nothing to say. everything: also tests that find no difference."""
    # the command's help needs none of it
    from aetool.detection.shifts import UNKNOWN

    # a fault has no p: nothing was tested
    rows = [(name or "(records)", "broken", "", why, "") for name, why in comparison.faults]
    for shift in comparison.shifts if everything else comparison.shifted:
        adjusted = f"{shift.adjusted:.2g}"
        rows.append((shift.column or "(score)", shift.what, shift.before, shift.now, adjusted))
    if comparison.word == UNKNOWN:
        rows.append(("(records)", UNKNOWN, "", comparison.few, ""))
    if not rows:
        return
    cells = [HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()
