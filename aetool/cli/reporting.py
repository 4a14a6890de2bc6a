"""aetool report."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from aetool.cli import flagging, options, terminal, texts
from aetool.cli.fitting import default_output
from aetool.files.outputs import refuse_target


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("-o", "--output", metavar="FILE.html", help="Where to write the page [DATA.html].")
@click.option("--show", type=options.Whole(0, 2000), default=200, help="Records to list [200].")
@click.option(
    "--label", metavar="COL", help="The column of labels, for curves: folder of pictures."
)
@click.option("--normal", metavar="VALUE[,VALUE]", help="Labels of ordinary records.")
@flagging.choice_options
@click.option("--calibration", metavar="CLEAN", help="Ordinary records not fitted on.")
@texts.text_options("data", "calibration")
@options.device
@options.force
@options.quiet
def report(
    model: str,
    data: str,
    output: str | None,
    show: int,
    label: str | None,
    normal: str | None,
    calibration: str | None,
    device: str,
    force: bool,
    quiet: bool,
    **given: Unpack[flagging.ChoiceGiven],
) -> None:
    """Write what MODEL finds in DATA as one HTML page: a verdict, the scores, the records that
    stand out with reasons, how the columns were read, and how DATA differ from the data that were
    fitted.

    The page is one file and loads nothing from the network.
    """
    from aetool import operations

    target = Path(output or default_output(str(data), ".html", "report"))
    # before the records are scored, not after
    refuse_target(target, force, [data])
    detection = operations.report(
        data,
        target,
        options.needed_model(model),
        most=show,
        label=label,
        normal=options.values(normal),
        force=force,
        **flagging.choice(given),
        calibration=calibration,
        device=device,
    )
    if not quiet:
        terminal.say(
            f"{target}: {detection.flagged:,} of {detection.total:,} records "
            f"{detection.flagged_in_words}, "
            f"{target.stat().st_size:,} bytes",
            err=True,
        )
        for note in detection.notes():
            terminal.say(f"note: {note}", err=True)
