"""aetool compress."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aetool.canonical import Json
from aetool.cli import choices, options, remarks, say_error, terminal
from aetool.errors import AetoolError, ParamError

if TYPE_CHECKING:
    from aetool.operations import Detection

PIXELS = "pixels"  # of the errors, those of pictures
FEW = 8  # names of files that are said


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.model
@click.option(
    "-o",
    "--output",
    help="Where to write, for one FILE [FILE.aez; for -, standard output]; - is standard output.",
)
@click.option("-c", "to_stdout", is_flag=True, help="Write to standard output.")
@click.option("--fast", is_flag=True, help="Look less for a small coding.")
@click.option("--best", is_flag=True, help="Look longer for a small coding.")
@click.option(
    "--max-error",
    multiple=True,
    metavar="[COL=]E[%][,...]",
    help="Numbers may differ by E, or by E % of their column's range in FILE; pixels by E levels.",
)
@click.option(
    "--decimal",
    metavar="CHAR",
    help="With --max-error: the decimal mark of numbers: . or ,",
)
@click.option(
    "--flag",
    type=options.Whole(0),
    metavar="N",
    help="Print the N records that cost most in the archive, and why.",
)
@click.option("--keep-files", is_flag=True, help="Keep the bytes of FILE, whatever it holds.")
@click.option(
    "--lossy",
    is_flag=True,
    help="Store the model's code; or FILE exactly or bounded, if smaller at no more error.",
)
@click.option(
    "--lossy-only", is_flag=True, help="Store the model's code, even where that is larger."
)
@options.goals
@click.option("--latent", type=int, metavar="K", help="With --lossy: keep K units of the code.")
@click.option(
    "--target-error",
    metavar="E",
    help="With --lossy: mean error allowed, such as 1% [what the code can keep, and 1 dB].",
)
@click.option(
    "--embed/--no-embed", default=None, help="Put the model into the archive, or refer to it."
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Store the I-th of N parts of a table alone; merge puts them together.",
)
@click.option(
    "--parts",
    is_flag=True,
    help="Store each table of a folder apart, in FILE.aez.parts; FILE.aez is their index.",
)
@click.option(
    "-p", "--plugin", help="Closed form or network to learn where no model is given [pca]."
)
@click.option(
    "--max-time",
    type=options.SECONDS,
    metavar="S",
    help="Seconds to learn it in; what was begun is ended.",
)
@options.archive_data_options
@options.engine
@options.device
@options.force
@options.quiet
def compress(
    files: tuple[str, ...], output: str | None, model: str | None, quiet: bool, **given: Any
) -> int:
    """Store each FILE in less space: exactly; with --max-error within a bound; with --lossy as a
    model's code, whose errors are measured; or with --rmse, --budget and the like in the smallest
    way that keeps what they ask for. FILE is kept.

    \f
    Returns the exit status, the worst of all files: one that fails does not stop the others.
    """
    given["effort"] = _effort(given.pop("fast"), given.pop("best"))
    from aetool import operations
    from aetool.codec import planning
    from aetool.operations import archiving

    if output is not None and len(files) > 1:
        raise ParamError("-o names one archive: give one FILE, or leave -o out")
    if given["flag"] is not None and len(files) > 1:
        raise ParamError("--flag prints records of one FILE: give one, or leave --flag out")
    bundle = options.load_model(model)
    if given["to_stdout"]:
        output = "-"
    settings = operations.CompressOptions(
        lossy=given["lossy"],
        lossy_only=given["lossy_only"],
        latent=given["latent"],
        target=options.percent(given["target_error"], "--target-error"),
        max_error=options.bounds(given["max_error"]),
        decimal=given["decimal"],
        keep_files=given["keep_files"],
        flag=given["flag"],
        effort=getattr(planning, (given["effort"] or "default").upper()),
        embed=given["embed"],
        force=given["force"],
        device=given["device"],
        executor=given["engine"],
        shard=given["shard"],
        parts=given["parts"],
        rmse=options.percent(given["rmse"], "--rmse"),
        target_psnr=given["target_psnr"],
        budget=options.size(given["budget"], "--budget"),
        bytes_per_picture=given["bytes_per_picture"],
        fit=options.fit_unless(bundle, "compress", {**given, "max_error": ()}),
    )
    # one file that fails does not keep the others from being stored
    worst = 0
    for name in files:
        try:
            target = Path(output) if output else archiving.default_name(name, given["shard"])
            if str(target) == "-" and not given["force"]:
                terminal.refuse_bytes("the archive")
            facts = operations.compress(name, target, bundle, settings)
        except AetoolError as error:
            say_error(error)
            worst = max(worst, error.status)
            continue
        if not quiet:
            _say_summary(name, target, facts)
            idle = _idle_embedding(given["embed"], bundle is not None, facts)
            if idle:
                terminal.say(f"note: {idle}", err=True)
        if "costliest" in facts:
            _print_costliest(facts["costliest"])
        elif "untold" in facts:
            terminal.say(f"note: --flag: {facts['untold']}", err=True)
    return worst


def _idle_embedding(embed: bool | None, has_model: bool, facts: Mapping[str, Json]) -> str:
    """Return what to say of --embed or --no-embed where it had no effect, as the archive holds no
    codes of a model; "" where it had one, and where another archive was taken in place of the code,
    which is said elsewhere. embed: None for neither option. has_model: whether a model was given,
    to which a lossless archive may refer: then --no-embed has an effect. facts: what compress
    returned."""
    if facts["fidelity"] == "lossy" or embed is None:
        return ""
    # an archive in place of the code is said in a line of its own, with the option that keeps the
    # code
    prices = facts.get("prices")
    if isinstance(prices, Mapping) and "code" in prices:
        return ""
    if embed:
        return "--embed had no effect: the archive holds no codes, which a model would restore"
    # a lossless archive may refer to a model, too
    return "" if has_model else "--no-embed had no effect: the archive needs no model"


def _print_costliest(found: Detection) -> None:
    """Print the records that take most bits in the archive, on standard output, as `detect` prints
    anomalies."""
    # who asks for none need not load how they are printed
    from aetool.cli import tables

    tables.show(found, tables.Printing())


def _notes(facts: Mapping[str, Json]) -> Iterator[str]:
    """Yield remarks on how an archive was stored, a line each; none where nothing surprises. facts:
    the figures that compress returns.

    There is one for a file that is kept byte for byte, with the reason, for errors that cannot be
    measured, for pictures that are stored as files, for a model that was not used, that is needed,
    or that did not learn of some columns, for tables of a folder that are stored as files, for
    pictures that come back by pixel alone, and for what a bound changed and left exact.
    """
    if "kept" in facts:
        yield f"the file is kept byte for byte: {facts['kept']}"
        # a table whose columns are the reason, which a user may expect to be stored by column
        if facts["kept"].startswith("column "):
            yield (
                "so decompress restores the whole file, and --rows, --columns and detect need it "
                "restored; without these columns, or with them as text, they work on the archive"
            )
    if "unread" in facts:
        yield f"stored exactly, as errors cannot be measured: {facts['unread']}"
    unread = facts.get("unread_pictures", ())
    if unread:
        what = "1 picture that cannot be read is stored as its file"
        if len(unread) > 1:
            what = f"{len(unread):,} pictures that cannot be read are stored as their files"
        yield f"{what}: {_first_names(unread)}"
    if "unused" in facts:
        yield f"the model was not used: {facts['unused']}"
    if "needs" in facts:
        yield facts["needs"]
    if "unlearned" in facts:
        yield facts["unlearned"]
    if "tables" in facts:
        yield (
            f"{facts['tables']:,} tables are stored as files, byte for byte; --parts stores tables "
            "of the same columns by column, which mostly takes fewer bytes"
        )
    if facts["fidelity"] == "pixels" and "unread" not in facts:
        yield remarks.BY_PIXEL
    yield from facts.get("unbounded", ())
    if facts.get("changed"):
        changed = [_with_largest_error(name, facts) for name in facts["changed"]]
        yield (
            f"within the bound, with the largest error: {_first_names(changed)}; exact: "
            f"{_first_names(facts['unchanged'])}"
        )


def _with_largest_error(name: str, facts: Mapping[str, Json]) -> str:
    """The name of a column and the largest error of its numbers, such as "price 0.5"; the name
    alone where no error was told."""
    errors = facts.get("errors", {}).get(name)
    if not errors:
        return name
    largest = errors["largest"]
    # a large one is told in whole units, and not as 2.9e+04
    error_text = f"{largest:.4g}" if largest < 1000 else f"{largest:,.0f}"
    return f"{name} {error_text}"


def _first_names(names: Sequence[str]) -> str:
    """The first 8 of these names, and how many others there are; "none" of none."""
    if not names:
        return "none"
    listed = ", ".join(names[:FEW])
    more = len(names) - FEW
    return f"{listed} and {more:,} more" if more > 0 else listed


def _say_summary(name: str, target: Path, facts: dict[str, Json]) -> None:
    """Print, on standard error, the line that sums up an archive: its size, by how much it is
    smaller or larger, and what it keeps; then notes and warnings, and of a lossy one what its parts
    take. name: the path of the data, whose size is compared; nothing is for a pipe. target: the
    archive; facts: what compress returned."""
    size = facts["archive_bytes"]
    path = Path(name)
    # of a pipe there is no size to compare with
    source_size = path.stat().st_size if path.is_file() else None
    is_shard = "shard" in facts
    # of a folder, that of all its files
    if "parts" in facts or path.is_dir():
        source_size = facts.get("source_bytes")
    if is_shard:  # compared with the part of the file that it holds
        source_size = facts["source_bytes"] if facts["rows"] else None
    ratio = f", {source_size / size:.1f} times smaller than {source_size:,}" if source_size else ""
    if source_size and size > source_size:
        what = "the file has" if path.is_file() else "the files have"
        ratio = f", {size - source_size:,} more than {what}"
    fidelity = str(remarks.FIDELITY.get(facts["fidelity"], facts["fidelity"]))
    error_of_pixels = facts.get("errors", {}).get(PIXELS)
    if facts["fidelity"] == "bounded" and error_of_pixels is not None:
        levels = (
            "1 level"
            if error_of_pixels["largest"] == 1
            else f"{error_of_pixels['largest']:g} levels"
        )
        fidelity += f", pixels at most {levels} off"
    rows = f"{facts['rows']:,} rows, " if is_shard or "parts" in facts else ""
    if "parts" in facts:
        rows = f"{facts['parts']:,} parts, {rows}"
    terminal.say(f"{target}: {size:,} bytes, {rows}{fidelity}{ratio}", err=True)
    for note in _notes(facts):
        terminal.say(f"note: {note}", err=True)
    if facts.get("left_out"):
        # a folder may hold thousands
        listed = ", ".join(facts["left_out"][:FEW])
        more = len(facts["left_out"]) - FEW
        terminal.say(
            f"warning: not in the archive, decompress will not bring back: {listed}"
            + (f" and {more:,} more" if more > 0 else ""),
            err=True,
        )
    kind_taken = facts.get("taken", "code")
    if "rmse_of_deviation" in facts:
        terminal.say(choices.in_words(facts), err=True)
        if "untried" in facts:
            terminal.say(f"note: {facts['untried']}", err=True)
    elif kind_taken != "code":
        what = {"exact": "exact", "bounded": "bounded at no more error"}[kind_taken]
        terminal.say(
            f"{what} is smaller: {size:,} bytes against {facts['prices']['code']:,} of the code "
            "(use --lossy-only to keep the code)",
            err=True,
        )
    if facts["fidelity"] == "lossy":
        terminal.say(
            f"{_sizes_in_words(facts['bytes'], 'errors' in facts)}; {_error_in_words(facts)}",
            err=True,
        )
    elif facts.get("error"):
        # of what was taken in place of the code, and is not exact
        terminal.say(_error_in_words(facts), err=True)


def _sizes_in_words(sizes: Mapping[str, int], is_table: bool) -> str:
    """Say in words how many bytes of an archive of codes are the code, and how many what is stored
    beside it: exact columns of a table, of pictures the names of their files, unless there are
    none. Of small archives, in which both are coded as one, only the sum is told. sizes: bytes by
    what they hold, such as "code", "streams" and "names"; is_table: whether it holds a table."""
    # all that is stored beside the code
    size_beside = sum(size for what, size in sizes.items() if what not in ("code", "streams"))
    # streams of a small block are coded as one
    joined_size = sizes.get("streams")
    code_text = f"code {sizes.get('code', 0):,} bytes"
    # pictures of an array have nothing beside it
    has_names = "names" in sizes
    if joined_size is not None:
        is_alone = not is_table and not has_names
        what = "code" if is_alone else "code and whole numbers"
        # names that were coded as whole numbers alone
        if has_names and not is_table and not size_beside:
            what = "code and file names"
        code_text = f"{what} {joined_size:,} bytes"
    if is_table:
        return f"{code_text}, exact columns {size_beside:,}"
    return f"{code_text}, file names {size_beside:,}" if size_beside else code_text


def _error_in_words(facts: Mapping[str, Json]) -> str:
    """How far an archive is off: its mean error, of pictures in dB, too, and of a table the errors
    of the column that errs most. facts: what compress returned."""
    text = f"mean error {100 * facts['error']:.3g} %"
    if "psnr_db" in facts:
        return f"{text}, PSNR {facts['psnr_db']:.1f} dB"
    if "worst" in facts:
        worst = facts["worst"]
        text += (
            f" of the columns' ranges; most in {worst['column']}: RMSE {worst['rmse']:.3g}, "
            f"largest error {worst['largest']:.3g}, of a range of {worst['range']:.4g}"
        )
    return text


def _effort(fast: bool, best: bool) -> str | None:
    """The effort that --fast or --best asks for, "fast" or "best"; None for neither, and ParamError
    for both."""
    if fast and best:
        raise ParamError("--fast and --best exclude each other: leave one of them out")
    if fast:
        return "fast"
    return "best" if best else None
