"""aetool info, verify and doctor."""

from __future__ import annotations

import json

import click

from aetool.cli import options, remarks, terminal
from aetool.errors import BundleError

# of facts whose names in an archive say too little
TITLES = {"exact": "numbers exact"}


@click.command()
@click.argument("file")
@click.option(
    "--loadings",
    is_flag=True,
    help="In place of these facts: what each unit of a linear model's code moves.",
)
@options.as_json
def info(file: str, loadings: bool, as_json: bool) -> None:
    """Print the facts about FILE, a model or an archive.

    With --loadings, in place of these facts: a line for each unit of a linear model's code, the
    columns that it moves most, and by how many standard deviations.
    """
    from aetool.operations import inspecting

    facts = {"loadings": inspecting.loadings(file)} if loadings else inspecting.info(file)
    if as_json:
        # JSON knows neither NaN nor infinity
        terminal.say(*json.dumps(terminal.finite_numbers(facts), indent=1).splitlines())
        return
    for key, value in facts.items():
        title = TITLES.get(key, key.replace("_", " "))
        # a table: a line for each of its records
        if isinstance(value, list) and value and isinstance(value[0], dict):
            terminal.say(f"{key}:")
            for entry in value:
                terminal.say(f"  {_entry(entry)}")
        elif isinstance(value, list):
            each = ", ".join(map(_as_printed, value))
            terminal.say(f"{title:16} {each}")
        # figures by name: a line for each
        elif isinstance(value, dict) and value:
            terminal.say(f"{title}:")
            for name, figure in value.items():
                terminal.say(f"  {name:24} {_inner(figure)}")
        # a word of the format, told in words for people
        elif key == "fidelity":
            in_words = remarks.FIDELITY.get(str(value), value)
            terminal.say(f"{title:16} {in_words}")
            if value == "pixels":
                terminal.say(f"{'by pixel':16} {remarks.BY_PIXEL}")
        elif value is not None and value != {}:
            terminal.say(f"{title:16} {_as_printed(value)}")
    if "fit_steps" in facts:
        # as the fit itself has said them
        facts_of_fit = {key.removeprefix("fit_"): value for key, value in facts.items()}
        for line in remarks.of_training(facts_of_fit):
            terminal.say(line)


def _as_printed(value: object) -> str:
    """A value of `info` as it is printed: "none" for None and infinity, "yes" or "no", numbers to
    six digits, whole ones with commas, anything else as text."""
    if value is None:
        return "none"
    # before whole numbers, since True is one
    if isinstance(value, bool):
        return "yes" if value else "no"
    # a threshold that no score is above
    if value == float("inf"):
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def _entry(entry: dict[str, object]) -> str:
    """One record of a list, such as a column, on one line: the value of "name", and each other fact
    behind its key."""
    parts = []
    for key, value in entry.items():
        figure = _as_printed(value)
        if key != "name":
            figure = f"{key} {figure}"
        parts.append(figure)
    return "  ".join(parts)


def _inner(value: object) -> str:
    """A value of `info` that is a dictionary itself, on one line: "key value, key value"; any other
    value as it is printed alone."""
    if not isinstance(value, dict):
        return _as_printed(value)
    figures = []
    for key, each in value.items():
        figures.append(f"{key} {_as_printed(each)}")
    return ", ".join(figures)


def _listed(value: object) -> str:
    """A list of texts with " + " between them; any other value as `info` prints it."""
    if isinstance(value, list):
        return " + ".join(value)
    return _as_printed(value)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.model
@options.max_output
@options.quiet
def verify(files: tuple[str, ...], model: str | None, max_output: str | None, quiet: bool) -> int:
    """Read each FILE, a model or an archive, to its end: all of an archive is decoded, a model is
    loaded and run. Exit status 1 if one is damaged."""
    from aetool.cli import say_error
    from aetool.errors import AetoolError
    from aetool.operations import inspecting

    bundle = options.load_model(model, "the archive")
    worst = 0
    for file in files:
        try:
            most_bytes = options.size(max_output, "--max-output")
            notes: list[str] = []
            figures = inspecting.verify(file, bundle, most_bytes, notes)
        except AetoolError as error:
            say_error(error)
            # damage is what was asked about, and no error of the command
            damaged = isinstance(error, BundleError)
            worst = max(worst, 1 if damaged else error.status)
            continue
        if not quiet:
            listed = ", ".join(f"{key} {_listed(value)}" for key, value in figures.items())
            terminal.say(f"{file}: intact ({listed})")
            if options.has_typed_model():
                for note in notes:
                    terminal.say(f"note: {file}: {note}", err=True)
    return worst


@click.command()
def doctor() -> int:
    """Print what this installation can do, and what is missing or in the way."""
    import platform
    from importlib import metadata

    def version(name: str) -> str | None:
        """The installed version of a package; None if it is not installed."""
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    terminal.say(f"aetool {version('aetool')} on Python {platform.python_version()}")
    has_both_runtimes = version("onnxruntime") and version("onnxruntime-gpu")
    import onnxruntime as ort

    # as onnxruntime itself finds them
    providers = ", ".join(
        p.removesuffix("ExecutionProvider") for p in ort.get_available_providers()
    )
    terminal.say(f"onnxruntime {ort.__version__}: {providers}")
    from aetool import kernel

    terminal.say(
        f"codec: {'the C kernel' if kernel.C else 'numpy alone (the C kernel is not built)'}"
    )
    torch = version("torch")
    scripts = version("onnxscript")
    # torch writes no graphs without onnxscript
    if torch and scripts:
        terminal.say(f"torch {torch}: deep models can be fitted")
    else:
        terminal.say("torch or onnxscript is missing: only closed forms can be fitted; "
                   "run: pip install 'aetool[train]'")  # fmt: skip
    from aetool.runtime import GPU_COMMANDS

    # each overwrites files of the other, and which is used is chance
    if has_both_runtimes:
        terminal.say("problem: onnxruntime and onnxruntime-gpu are both installed; run:")
        terminal.say(*(f"  {command}" for command in GPU_COMMANDS))
    # Macs have no CUDA
    elif "CUDA" not in providers and platform.system() != "Darwin":
        terminal.say("to use a CUDA GPU, put onnxruntime-gpu in place of onnxruntime; run:")
        terminal.say(*(f"  {command}" for command in GPU_COMMANDS))
    return int(bool(has_both_runtimes))
