"""aetool fit."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from aetool.cli import options, remarks, terminal, texts
from aetool.errors import DataError
from aetool.files import named_path
from aetool.files.outputs import refuse_target

if TYPE_CHECKING:
    from aetool.bundle import Bundle


class FitCommandGiven(options.FitGiven, total=False):
    """The options of the command `fit` by name, beside those that every fit has, as click gives
    them: None and False stand for options that were left out."""

    fpr: str | None
    calibration: str | None
    explain_columns: bool
    no_progress: bool
    resume: bool
    engine: str | None


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--output", help="Where to write the model [DATA.aem].")
@click.option("-p", "--plugin", help="The kind of model [auto].")
@options.data_options
@options.picture_options
@options.explain_columns
@texts.text_options("data", "calibration", "target")
@click.option("--label", metavar="COL", help="A column of labels, kept out of the model.")
@click.option(
    "--normal",
    metavar="VALUE[,VALUE]",
    help="Fit rows with these labels: others are left out, or known anomalies.",
)
@click.option("--target", metavar="CLEAN", help="DATA are damaged; these are the same, clean.")
@click.option("--all-rows", is_flag=True, help="Use every row (default: a sample of 200,000).")
@options.context_options
@click.option("--robust", is_flag=True, help="Anomalies are among DATA: leave the farthest out.")
@click.option(
    "--fpr",
    help="Part of ordinary records that may be flagged, less or more where rows drift: the "
    "model's threshold.",
)
@click.option("--calibration", metavar="CLEAN", help="Ordinary records to set the threshold by.")
@click.option("--epochs", type=options.Whole(1), help="Passes over the data.")
@click.option("--batch-size", type=options.Whole(1), help="Rows in one training step.")
@click.option(
    "--max-time",
    type=options.SECONDS,
    help="Seconds after which a network stops and auto begins no more models; what was begun is "
    "ended. Without it nothing is cut short, and auto takes no network that needs more than 10 s "
    "[pictures: 60 s].",
)
@click.option("--codec", is_flag=True, help="Learn also what archives of many small files share.")
@click.option(
    "--max-error",
    multiple=True,
    metavar="[COL=]E[%]",
    help="Implies --codec: learn it for this bound, too.",
)
@click.option("--students", is_flag=True, help="Implies --codec: with small exact networks.")
@options.device
@options.engine
@options.force
@options.quiet
@click.option(
    "--resume",
    is_flag=True,
    help="Keep the training of a network in MODEL.checkpoint, and go on with it after a kill.",
)
@click.option("--no-progress", is_flag=True, help="No progress line.")
def fit(
    data: tuple[str, ...],
    output: str | None,
    force: bool,
    quiet: bool,
    **given: Unpack[FitCommandGiven],
) -> None:
    """Learn a model from DATA (tables, or a folder of pictures) and write it to one safe file."""
    from aetool import operations
    from aetool.detection.choice import check_part
    from aetool.fits import fitting

    if given["explain_columns"]:
        terminal.say(*options.read_columns(list(data), given))
        return
    target = Path(output or default_output(data[0]))
    # before the fit, not after
    refuse_target(target, force, data)
    fpr = options.percent(given["fpr"], "--fpr", doubtful=options.HALF)
    check_part("fpr", fpr)
    if not target.parent.is_dir():
        raise DataError(f"{target.parent}: no such folder to write to; make it first, with mkdir")
    # of the processes of torchrun one speaks, and writes
    is_helper = fitting.is_helper()
    quiet = quiet or is_helper
    meter = options.Meter(not (quiet or given["no_progress"]))
    checkpoint = f"{target}.checkpoint" if given["resume"] else None
    started = time.monotonic()
    bundle = operations.fit(
        list(data), options.fit_options(given), meter, given["engine"], checkpoint
    )
    meter.done()
    if is_helper:
        return
    seconds = time.monotonic() - started  # said here, never stored: a bundle holds no times
    if fpr is not None or given["calibration"]:
        bundle = operations.calibrated(bundle, given["calibration"], fpr, given["device"])
    bundle.save(target, force)
    if not quiet:
        terminal.say(_summary(bundle, target, seconds), *_notes(bundle), err=True)
        # without labels to choose by, the column is left out, and no row
        if given["label"] and not given["normal"] and bundle.schema:
            terminal.say(
                f"note: the rows were fitted whatever their {given['label']}, which the model does "
                "not see; --normal VALUE[,VALUE] fits those rows alone that have such a label",
                err=True,
            )
        terminal.say(f"next: aetool detect {data[0]} -m {target} --top 10", err=True)
        if bundle.codec_size:
            learned = f"what small files share takes {bundle.codec_size:,} bytes of it"
            terminal.say(f"next: aetool compress FILE -m {target} ({learned})", err=True)


def _summary(bundle: Bundle, target: Path, seconds: float) -> str:
    """Return the line that sums up a model that was written: its plugin, how many rows were read
    and fitted, of how many columns or what pictures, how many numbers a code has, the bytes of the
    file, the seconds taken, and the threshold, if there is one. target: the file, which is
    there."""
    facts = bundle.facts
    what = f"{len(bundle.spec.columns):,} columns" if bundle.schema else f"pictures {bundle.shape}"
    used = facts.get("fitted_rows", facts["rows"])
    fitted = f" ({used:,} of them fitted)" if used != facts["rows"] else ""
    if bundle.framing and bundle.framing.stride:
        fitted = f" ({used:,} tiles fitted)"
    code = f"code of {bundle.latent}, " if bundle.latent else ""
    threshold = f"threshold {bundle.threshold:.4g} {bundle.unit}"
    if bundle.threshold == math.inf:
        threshold = "no threshold"
    return (
        f"{target}: {bundle.plugin}, {facts['rows']:,} rows{fitted}, {what}, "
        f"{code}{target.stat().st_size:,} bytes, {seconds:.2f} s; {threshold}"
    )


def _notes(bundle: Bundle) -> Iterator[str]:
    """Yield remarks on a fitted model, a line each: which models it joins; that too few rows were
    held out for a threshold; which members are left out, and why; how its training went; that its
    code merely copies; and which columns are not modelled. Only those that apply."""
    facts = bundle.facts
    if len(facts.get("members", [])) > 1:
        yield (
            f"joins {', '.join(facts['members'])}: a record that one of them finds very rare is "
            "flagged (the score is a mean of their bits in which the highest count most)"
        )
    # why there are too few held-out rows for a threshold; None if there are enough
    short = bundle.calibration.shortage()
    if short is not None:
        yield f"note: held-out rows: {short}: detect with --top N, or give more records"
    yield from remarks.of_left_out(facts)
    yield from remarks.of_training(facts)
    if facts.get("copies"):
        yield (
            f"note: the code of {bundle.latent} merely copies: records whose columns come from "
            "different rows cost no more; lower -O latent, or use sparse or denoising"
        )
    if bundle.schema:
        skipped = [f"{c.name} ({c.kind})" for c in bundle.schema.columns if not c.modelled]
        if skipped:
            yield f"not modelled: {', '.join(skipped)}"


def default_output(data: str, suffix: str = ".aem", nameless: str = "model") -> str:
    """The path of a result where the user names none: the path of the data with another suffix, in
    this folder for an object of a store; suffixes of compression are left out, too.

    suffix: of the result. nameless: its name where the data have none, such as standard input, a
    pattern with * and the root of a disk.
    """
    if data == "-":
        return nameless + suffix
    path = Path(data)
    if not path.exists():
        # a pattern, an address, or a table inside of a database: the file's own name is in it
        plain = data.partition("?")[0].partition("::")[0]
        if "*" in plain:
            return nameless + suffix
        path = Path(plain.rstrip("/").rpartition("/")[2] if "://" in plain else plain)
    path = named_path(path)
    # the root of a disk, which lies in no folder
    if not path.name:
        return nameless + suffix
    while path.suffix in (".gz", ".zst", ".xz"):
        path = path.with_suffix("")
    return str(path.with_name((path.stem if path.suffix else path.name) + suffix))
