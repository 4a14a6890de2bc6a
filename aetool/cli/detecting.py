"""aetool detect and aetool evaluate."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from aetool.cli import options, terminal, texts
from aetool.errors import ParamError
from aetool.printing import printable

if TYPE_CHECKING:
    from aetool.bundle import Bundle
    from aetool.operations import Detection
    from aetool.operations.reporting import Page
    from aetool.scoring.heatmaps import Files
    from aetool.scoring.watching import Watch

NUMBERS = ("row", "score", "p", "query", "rank", "distance")  # printed flush right
FORMATS = ("csv", "json", "jsonl", "table", "parquet")


@click.command()
@click.argument("data")
@options.model
@click.option("-p", "--plugin", help="Closed form to learn where no model is given [auto].")
@options.data_options
@options.picture_options
@options.explain_columns
@texts.text_options("data", "calibration")
@options.context_options
@click.option("--top", type=click.IntRange(0), help="The N highest scores, highest first.")
@click.option("--threshold", type=float, help="Anomaly: score above this.")
@click.option("--fpr", help="Part of ordinary records that may be flagged, such as 1%.")
@click.option("--fdr", help="Part of the flagged records that may be ordinary, such as 10%.")
@click.option(
    "--calibration",
    metavar="CLEAN",
    help="Ordinary records not fitted on: makes --fpr, --fdr exact.",
)
@click.option("--contamination", help="Part of these records to flag, such as 1%.")
@click.option("--all", "all_rows", is_flag=True, help="Print every record.")
@click.option("--count", is_flag=True, help="Print only how many are flagged.")
@click.option("--append", is_flag=True, help="Print the input's columns too.")
@click.option(
    "--columns", multiple=True, metavar="COL[,COL]", help="Judge an archive by these columns alone."
)
@click.option("--id", "ids", multiple=True, metavar="COL", help="Print this input column too.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[table on a terminal, else csv]"
)
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
def detect(data: str, model: str | None, quiet: bool, **given: Any) -> int:
    """Print the records of DATA that don't belong: row (1 is the first record), score, p, why.

    Without a model one is learned from DATA itself. Records of an archive, FILE.aez, are judged by
    the bits that they cost in it, which takes no model.
    """
    from aetool import operations
    from aetool.scoring import costing

    if given["explain_columns"] and costing.is_archive(data):
        terminal.say(*costing.ledger_of(data, options.load_model(model)).lines())
        return 0
    if given["explain_columns"]:
        options.say_columns([data], {**given, "all_rows": False})
        return 0
    limit = _limit(given["max_flagged"])
    bundle = options.load_model(model)
    if bundle is not None and (given["plugin"] or given["params"]):
        raise ParamError("-p and -O fit a model; they cannot change the one given with -m")
    asked = options.fit_options({**given, "all_rows": False}).of_pictures
    if bundle is not None and asked.named:
        raise ParamError(f"{asked.named} is of the model: fit it with {asked.named}, not detect")
    if bundle is not None and given["context"]:
        raise ParamError("--context is of the model: fit it with --context, not detect")
    append = [] if given["append"] else list(given["ids"]) or None
    one_shot = None if bundle else options.fit_options({**given, "all_rows": False})
    drawn = _pictures(given["heatmap"], given["sheet"], given["force"])
    with _page(given) as page, drawn as files:
        watches: list[Watch] = [page.watcher] if page else []
        if files:
            watches += files.watches
        found = operations.detect(
            data,
            bundle,
            fit=one_shot,
            threshold=given["threshold"],
            fpr=options.percent(given["fpr"], "--fpr"),
            fdr=options.percent(given["fdr"], "--fdr"),
            calibration=given["calibration"],
            contamination=options.percent(given["contamination"], "--contamination"),
            top=given["top"],
            all_rows=given["all_rows"],
            append=append,
            columns=options.names(given["columns"]),
            device=given["device"],
            watch=operations.Watches(watches) if watches else None,
            executor=given["engine"],
        )
        if page:
            page.write(found)
        if files:
            files.finish(found)
    if given["count"]:
        terminal.say(str(found.flagged))
    else:
        show(found, given)
    if not quiet:
        _talk(found, given)
        if files and files.remark:
            terminal.say(files.remark, err=True)
        if given["fdr"] and not given["calibration"]:
            _warn(bundle)
    failed = limit is not None and found.flagged > limit * (found.total if limit < 1 else 1)
    wanting = found.flagged + len(found.unread)
    return int(failed or (given["exit_code"] and limit is None and wanting > 0))


@contextmanager
def _page(given: dict[str, Any]) -> Iterator[Page | None]:
    """The page that is asked for, if one is: written whole, or not at all."""
    if given["report"] is None:
        yield None
        return
    # only now: who asks for no page need not load how one is drawn
    from aetool.operations.reporting import opened

    with opened(given["report"], given["force"], named_by="--report") as page:
        yield page


@contextmanager
def _pictures(heatmap: str | None, sheet: str | None, force: bool) -> Iterator[Files | None]:
    """The maps and the sheet that are asked for, if any are: written whole, or not at all."""
    if heatmap is None and sheet is None:
        yield None
        return
    # only now: who asks for neither need not load how they are drawn
    from aetool.scoring.heatmaps import opened

    with opened(heatmap, sheet, force) as files:
        yield files


def _warn(model: Bundle | None) -> None:
    """What the rate that was asked for rests on."""
    if model is None:
        why = "p is by the scores of these very records, anomalies among them"
    elif model.facts.get("robust"):
        why = "the rows held out may hold anomalies, for the model was fitted with --robust"
    elif model.facts.get("calibrated_apart"):
        return
    else:
        why = "p is by rows of the data that were fitted"
    terminal.say(f"the rate is approximate: {why}; --calibration CLEAN makes it exact", err=True)


def _limit(text: str | None) -> float | None:
    """N as N, P% as a part below 1."""
    if text is None:
        return None
    if text.endswith("%"):
        return min((options.percent(text, "--max-flagged") or 0.0), 0.999999)
    if not text.isdigit():
        raise ParamError(f"--max-flagged {text}: write a number, or a part such as 1%")
    return float(text) if text != "0" else 0.0


def _talk(found: Detection, given: dict[str, Any]) -> None:
    part = found.flagged / max(found.total, 1)
    terminal.say(found.verdict(), err=True)
    if found.ledger is not None:
        terminal.say(found.ledger.told(), err=True)
    for note in found.notes():
        terminal.say(f"note: {note}", err=True)
    chosen = given["top"] is not None or given["contamination"] is not None
    if part > 0.1 and not chosen:
        terminal.say(
            "more than 10 % flagged: these data differ from what the model was fitted on, or it "
            "needs refitting; tighten with --fpr 0.1% or --top N",
            err=True,
        )


def show(found: Detection, given: dict[str, Any]) -> None:
    """Print the records in the format asked for."""
    form = form_of(given)
    # in a table for people the words say where
    columns = found.columns(given["all_rows"], boxes=form != "table")
    if _written_by_a_plugin(columns, given):
        return
    if form not in ("json", "jsonl"):
        write_columns(columns, form, given)
        return
    with _opened(given["output"], given["force"]) as file:
        _json(found, columns, form, file)


def _written_by_a_plugin(columns: Mapping[str, object], given: Mapping[str, object]) -> bool:
    """Whether a plugin's reader writes files of the output's name, and has written this one."""
    if given["output"] is None or given["form"] or given["as_json"]:
        return False
    from aetool.data import readers

    target = Path(str(given["output"]))
    owned = readers.writer_of(target)
    if owned is None:
        return False
    import pyarrow as pa

    readers.write(owned, target, readers.as_batches(pa.table(columns)), bool(given["force"]))
    return True


def form_of(given: dict[str, Any]) -> str:
    """The format to print in: what was asked for, or else what the output's name says."""
    if given["form"] or given["as_json"]:
        return given["form"] or "json"
    if given["output"] is None and sys.stdout is not None and sys.stdout.isatty():
        return "table"
    named = {".parquet": "parquet", ".json": "json", ".jsonl": "jsonl"}
    return named.get(Path(given["output"] or "").suffix, "csv")


def write_columns(columns: dict[str, list[Any]], form: str, given: dict[str, Any]) -> None:
    """Print columns in a format of FORMATS."""
    if form == "parquet":
        _parquet(columns, given)
        return
    if form == "table" and given["output"] in (None, "-"):
        terminal.say(*_table(columns))
        return
    with _opened(given["output"], given["force"]) as file:
        if form == "csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        elif form == "table":
            file.writelines(line + "\n" for line in _table(columns))
        else:
            rows = zip(*columns.values(), strict=True)
            records = [dict(zip(columns, row, strict=True)) for row in rows]
            lines = "\n".join(map(json.dumps, records)) if form == "jsonl" else ""
            file.write((lines or json.dumps(records, indent=1)) + "\n")


@contextmanager
def _opened(output: str | None, force: bool) -> Iterator[TextIO]:
    if output is None or output == "-":
        with terminal.data() as text:
            yield text
        return
    import io

    from aetool.files import atomic

    with atomic(Path(output), force) as file:
        text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
        yield text
        text.flush()
        text.detach()


def _json(found: Detection, columns: dict[str, list[Any]], form: str, file: TextIO) -> None:
    records = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    named = dict(zip((found.row + 1).tolist(), found.named, strict=True))
    for record in records:
        # pictures have no columns to name
        columns_named = named.get(record["row"], [])
        told = [{"column": c, "found": f, "expected": e} for c, f, e in columns_named]
        record["why"] = told or record["why"]
    if form == "jsonl":
        for record in records:
            file.write(json.dumps(record) + "\n")
        return
    threshold = found.threshold if abs(found.threshold) != float("inf") else None
    facts = {"total": found.total, "flagged": found.flagged, "threshold": threshold}
    facts |= {"unread": len(found.unread)} if found.unread else {}
    json.dump({**facts, "unit": found.unit, "records": records}, file, indent=1)
    file.write("\n")


def _table(columns: dict[str, list[Any]]) -> Iterator[str]:
    """The lines of a table for people."""
    cells = [
        [printable("" if value is None else str(value)) for value in (name, *values)]
        for name, values in columns.items()
    ]
    widths = [max(map(len, c)) for c in cells]
    right = [name in NUMBERS for name in columns]
    for line in zip(*cells, strict=True):
        padded = (
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _parquet(columns: dict[str, list[Any]], given: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aetool.files import atomic

    if given["output"] is None:
        raise ParamError("--format parquet needs -o FILE")
    with atomic(Path(given["output"]), given["force"]) as file:
        pq.write_table(pa.table(columns), file)


@click.command()
@click.argument("data")
@options.model
@click.option("--label", metavar="COL", help="The column of labels [of pictures: folder].")
@click.option(
    "--normal", metavar="VALUE[,VALUE]", help="Labels of ordinary rows [of pictures: good]."
)
@click.option("--masks", metavar="DIR", help="Masks of what is wrong in pictures, by their names.")
@options.data_options
@options.picture_options
@texts.text_options("data")
@options.as_json
@options.engine
@options.device
def evaluate(
    data: str,
    model: str | None,
    label: str | None,
    normal: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Judge a model against labels: AUROC, average precision, and what its threshold catches.

    Without a model one is learned from DATA, labels left out. With --masks also how well maps find
    the pixels: the mask of DATA/scratch/003.png is DIR/scratch/003_mask.png or DIR/scratch/003.png,
    not 0 where it is defective.
    """
    from aetool import operations

    one_shot = options.fit_options({**given, "label": label})
    found = operations.evaluate(
        data,
        options.load_model(model),
        label,
        normal.split(",") if normal else (),
        given["device"],
        fit=one_shot,
        masks=given["masks"],
        executor=given["engine"],
    )
    if as_json:
        terminal.say(json.dumps(found))
        return
    for key, value in found.items():
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        terminal.say(f"{key.replace('_', ' '):18} {shown}")
