"""aetool detect."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

import click

from aetool.cli import flagging, options, tables, terminal, texts
from aetool.errors import ParamError
from aetool.printing import printable

if TYPE_CHECKING:
    from aetool.bundle import Bundle
    from aetool.operations import Detection, FitOptions
    from aetool.scoring.heatmaps import Files
    from aetool.scoring.pages import Page
    from aetool.scoring.watching import Watch

FEW = 500  # records: of fewer those that come next are worth a look, too
FEWEST_REMARKED = 20  # records, of which a share of those flagged says something of the data
NEXT = 5  # of these, how many are offered
MOST_LISTED = 20  # flagged records beyond which nobody is offered a longer list
# parts of ordinary records, one of which is offered where too many are flagged
STRICT = {"0.1%": 0.001, "1%": 0.01}
MOST_PART = 0.1  # of the records: more are too many to be anomalies


class DetectGiven(options.FitGiven, flagging.ChoiceGiven, total=False):
    """The options of the command `detect` by name, those of a fit among them, as click gives them:
    None, False and () stand for options that were left out."""

    calibration: str | None
    count: bool
    append: bool
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    form: str | None
    as_json: bool
    output: str | None
    report: str | None
    heatmap: str | None
    sheet: str | None
    exit_code: bool
    max_flagged: str | None
    explain_columns: bool
    engine: str | None
    force: bool


@click.command()
@click.argument("data")
@options.model
@click.option("-p", "--plugin", help="Closed form to learn where no model is given [auto].")
@options.data_options
@options.picture_options
@options.explain_columns
@texts.text_options("data", "calibration")
@options.context_options
@flagging.choice_options
@click.option(
    "--calibration",
    metavar="CLEAN",
    help="Ordinary records not fitted on: makes --fpr, --fdr exact.",
)
@click.option(
    "--all",
    "all_rows",
    is_flag=True,
    help="Print every record: with its reasons where it is flagged, else with what costs most in "
    "it.",
)
@click.option("--count", is_flag=True, help="Print only how many are flagged.")
@click.option("--append", is_flag=True, help="Print the input's columns too.")
@click.option(
    "--columns", multiple=True, metavar="COL[,COL]", help="Judge an archive by these columns alone."
)
@click.option(
    "--id", "ids", multiple=True, metavar="COL[,COL]", help="Print these input columns too."
)
@tables.format_option
@options.as_json
@click.option("-o", "--output", help="Write here instead of to standard output.")
@click.option("--report", metavar="FILE.html", help="Write what is found as a page, too.")
@click.option(
    "--heatmap", metavar="DIR", help="Of each flagged picture write where: overlay, map, mask."
)
@click.option("--sheet", metavar="FILE.png", help="Draw the worst pictures, and where, as one.")
@click.option(
    "--exit-code", is_flag=True, help="Exit with 1 if any (see --max-flagged) is flagged."
)
@click.option("--max-flagged", metavar="N|P%", help="Exit with 1 above this many flagged.")
@options.engine
@options.device
@options.force
@options.quiet
def detect(data: str, model: str | None, quiet: bool, **given: Unpack[DetectGiven]) -> int:
    """Print the records of DATA that don't belong: row (1 is the first record), score, p (the share
    of ordinary records that score as high), why.

    Without a model one is learned from DATA itself. Records of an archive, FILE.aez, are judged by
    the bits that they take in it, which needs no model.

    \f
    Returns the exit status: 1 if more than --max-flagged are flagged, or, with --exit-code and
    without --max-flagged, if any is or a picture cannot be read.
    """
    printing = tables.Printing(given["output"], given["form"], given["as_json"], given["force"])
    if given["count"]:
        _refuse_beside_count(given)
    # --all prints every record here; to a fit this name means that every row is fitted
    all_rows = given["all_rows"]
    given["all_rows"] = False
    if given["explain_columns"]:
        _explain_columns(data, model, given, printing)
        return 0
    limit = _limit_of_flagged(given["max_flagged"])
    # before anything is learned or scored
    sources = (data, model, given["calibration"])
    printing.refuse_target([path for path in sources if path is not None])
    bundle = options.load_model(model)
    # before a page or pictures are begun
    fit_options = options.fit_unless(bundle, "detect", given)
    # opened before anything is scored: that something is there already is an error at once
    pictures_opened = _pictures(given["heatmap"], given["sheet"], given["force"])
    with _page(given["report"], given["force"]) as page, pictures_opened as files:
        watches: list[Watch] = [page.watcher] if page else []
        if files:
            watches += files.watches
        detection = _detected(data, bundle, fit_options, given, all_rows, watches)
        if page:
            page.write(detection)
        if files:
            files.finish(detection)
    if given["count"]:
        terminal.say(str(detection.flagged))
    else:
        tables.show(detection, printing, all_rows)
    if not quiet:
        _say_how_many(
            detection, is_chosen=given["top"] is not None or given["contamination"] is not None
        )
        if files and files.remark:
            terminal.say(files.remark, err=True)
        if given["fdr"] and not given["calibration"]:
            _warn_of_rate(bundle)
    # a limit below 1 is a part of all records
    failed = limit is not None and detection.flagged > limit * (detection.total if limit < 1 else 1)
    # a picture that cannot be read needs a look as an odd one does
    needing_a_look = detection.flagged + len(detection.unread)
    return int(failed or (given["exit_code"] and limit is None and needing_a_look > 0))


def _refuse_beside_count(given: DetectGiven) -> None:
    """Raise ParamError for options that say which records are printed, and how, beside --count,
    which prints one number and no record."""
    others = {
        "--all": given["all_rows"],
        "--append": given["append"],
        "--id": given["ids"],
        "--format": given["form"],
        "--json": given["as_json"],
        "-o": given["output"],
    }
    for name, value in others.items():
        if value:
            raise ParamError(f"{name} and --count exclude each other: leave one of them out")


def _detected(
    data: str,
    bundle: Bundle | None,
    fit_options: FitOptions | None,
    given: DetectGiven,
    all_rows: bool,
    watches: list[Watch],
) -> Detection:
    """Run the operation `detect` by the options of the command. bundle: the model, or None to fit
    one by fit_options. all_rows: whether ordinary records are in the result, too; watches: what
    looks on while records are scored. ParamError for options that exclude each other, or are not
    well written, such as a share that is no number; DataError for data that cannot be read or do
    not suit the model."""
    from aetool import operations

    # [] stands for all columns, None for none
    append = [] if given["append"] else options.names(given["ids"]) or None
    return operations.detect(
        data,
        bundle,
        fit=fit_options,
        **flagging.choice(given),
        calibration=given["calibration"],
        all_rows=all_rows,
        append=append,
        columns=options.names(given["columns"]),
        device=given["device"],
        watch=operations.Watches(watches) if watches else None,
        executor=given["engine"],
    )


def _explain_columns(
    data: str,
    model: str | None,
    given: DetectGiven,
    printing: tables.Printing,
) -> None:
    """Print, where `printing` says, how each column would be read; of an archive, how many bits
    each column took. model: the path of the one that an archive needs, or None. given: the options,
    of which --columns limits the columns of an archive. ParamError for --columns with other data,
    and for such data in a format for programs, such as JSON; DataError for data that cannot be
    read, and for an archive that does not tell what its columns take; BundleError or ArchiveError
    for a model or an archive that is damaged."""
    from aetool.scoring import costing

    # another program wants a table, and people want sentences
    is_for_programs = printing.form or printing.as_json or printing.output_suffix in tables.SUFFIXES
    if costing.is_archive(data):
        ledger = costing.ledger_of(data, options.load_model(model), options.names(given["columns"]))
        if is_for_programs:
            tables.write_columns(ledger.table(), printing)
            return
        lines = list(ledger.lines())
    else:
        if given["columns"]:
            raise ParamError("--columns is of archives; in data leave columns out with --drop")
        if is_for_programs:
            raise ParamError(
                "--explain-columns says in words how columns of data are read: leave out --json "
                "and --format, or write to a file of text with -o"
            )
        lines = options.read_columns([data], given)
    with printing.opened() as file:
        file.writelines(printable(line) + "\n" for line in lines)


@contextmanager
def _page(report: str | None, force: bool) -> Iterator[Page | None]:
    """Context manager: a page for --report, filled within the block; it appears under its name when
    it is complete, or not at all. Yields None where no report is asked for. report: the path;
    force: replace a file there, else DataError."""
    if report is None:
        yield None
        return
    # only now: who asks for no page need not load how one is drawn
    from aetool.scoring.pages import opened

    with opened(report, force, named_by="--report") as page:
        yield page


@contextmanager
def _pictures(heatmap: str | None, sheet: str | None, force: bool) -> Iterator[Files | None]:
    """Context manager: the files for --heatmap and --sheet, filled within the block; they appear
    when they are complete, or not at all. Yields None where neither is asked for. heatmap, sheet:
    the paths; force: replace what is there, else DataError."""
    if heatmap is None and sheet is None:
        yield None
        return
    # only now: who asks for neither need not load how they are drawn
    from aetool.scoring.heatmaps import opened

    with opened(heatmap, sheet, force) as files:
        yield files


def _warn_of_rate(model: Bundle | None) -> None:
    """Print a warning, on standard error, that the rate of --fdr is approximate, and why, unless
    the model was calibrated on records kept apart. model: None for one learned from the very
    records, and for an archive."""
    if model is None:
        why = (
            "how rare a score is among ordinary records is told by how the scores of these very "
            "records fall off, anomalies among them"
        )
        cure = "-m MODEL with --calibration CLEAN makes it exact"
    # by records kept apart it is exact
    elif model.facts.get("calibrated_apart"):
        return
    else:
        why = "p is by rows of the data that were fitted"
        if not model.calibration.ordinary:
            why += ", and beyond their scores by how these fall off"
        if model.facts.get("robust"):
            why += "; the rows held out may hold anomalies, for the model was fitted with --robust"
        cure = "--calibration CLEAN makes it exact"
    terminal.say(f"the rate is approximate: {why}; {cure}", err=True)


def _limit_of_flagged(text: str | None) -> float | None:
    """--max-flagged as a number: a count such as 20 as it is, a percentage such as 5% as a share,
    0.05, which is below 1 even for 100 % and more; None for None. ParamError for any other text."""
    if text is None:
        return None
    if text.endswith("%"):
        # below 1, so that 100 % is not one record
        return min((options.percent(text, "--max-flagged") or 0.0), 0.999999)
    if not text.isdecimal():
        raise ParamError(f"--max-flagged {text}: write a number, or a part such as 1%")
    return float(text) if text != "0" else 0.0


def _say_how_many(detection: Detection, is_chosen: bool) -> None:
    """Print, on standard error, how many records are flagged, of an archive how many of its bytes
    the records took, and the notes of the detection. is_chosen: whether the user has chosen how
    many are to be flagged.

    Two more lines may come: where 1 to 20 of fewer than 500 records are flagged by a threshold, and
    at most a tenth, that --top lists a few more; and where more than a tenth of 20 records or more
    are flagged, unless is_chosen, that the model may not suit, and how to flag fewer.
    """
    part = detection.flagged / max(detection.total, 1)
    terminal.say(detection.verdict(), err=True)
    if detection.ledger is not None:
        terminal.say(detection.ledger.told(), err=True)
    # where none is flagged a note says it
    are_few = 0 < detection.flagged <= MOST_LISTED and part <= MOST_PART and detection.total < FEW
    if are_few and not detection.is_by_rank:
        more = min(detection.total, detection.flagged + NEXT)
        terminal.say(
            f"note: --top {more} lists the {more} highest scores, flagged or not: among few "
            "records what comes next may be odd, too",
            err=True,
        )
    for note in detection.notes():
        terminal.say(f"note: {note}", err=True)
    if part > MOST_PART and not is_chosen and detection.total >= FEWEST_REMARKED:
        stricter = "--top N"
        # of few held-out records no threshold of the smallest part can be told
        stricter_rates = [text for text, rate in STRICT.items() if detection.is_fewer_at(rate)]
        if stricter_rates:
            stricter = f"--fpr {stricter_rates[0]} or {stricter}"
        terminal.say(
            f"more than 10 % flagged{_clause_on_column(detection)}: these data differ from what "
            "the model was fitted on, or it needs refitting; aetool drift MODEL DATA says how they "
            "differ; "
            f"tighten with {stricter}",
            err=True,
        )


def _clause_on_column(detection: Detection) -> str:
    """A clause, behind a comma, that names the column which at least half of the flagged records
    have for their first reason, and says what to do if it numbers things, which is not looked at;
    "" where there is no such column."""
    # (column, count): the one that most flagged records have for their first reason
    blamed = detection.most_blamed()
    if blamed is None:
        return ""
    column, count = blamed
    if 2 * count < detection.flagged:
        return ""
    name = shlex.quote(column)
    return (
        f", {count:,} of {detection.flagged:,} by {column} first (if it numbers things, as keys "
        f"and times do, fit again with --drop {name})"
    )
