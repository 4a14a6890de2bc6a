"""aetool plugins list, show and check."""

from __future__ import annotations

import contextvars
import importlib.util
import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

import click

from aetool import plugins as host
from aetool.cli import options, terminal
from aetool.errors import AetoolError, ParamError, PluginError
from aetool.model import describe_params

if TYPE_CHECKING:
    from aetool import testing


@click.group()
def plugins() -> None:
    """List, show and check the installed models, and begin one of your own."""


@plugins.command("list")
@options.as_json
def list_(as_json: bool) -> int:
    """List every model that installed plugins declare, by name."""
    models = list(host.models_installed())
    # a plugin may declare several, which need not stand by their names
    good = sorted(
        (model for model in models if not isinstance(model, PluginError)),
        key=lambda model: model.name,
    )
    if as_json:
        terminal.say(json.dumps([{"name": m.name, "summary": m.summary} for m in good]))
    else:
        for model in good:
            terminal.say(f"{model.name:12} {model.summary}")
    broken = [e for e in models if isinstance(e, PluginError)]
    for error in broken:
        terminal.say(f"aetool: error: {error}", err=True)
    return 2 if broken else 0


@plugins.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the parameters of the model NAME."""
    model = host.get_model(name)
    terminal.say(f"{model.name}: {model.summary}")
    kinds = [k if k == "pairs" else f"{k}s" for k in sorted(model.data, reverse=True)]
    of = " + ".join(dict.fromkeys(member.model for member in model.members))
    terminal.say(f"takes {', '.join(kinds)}; {f'joins {of}' if of else f'class {model.net}'}")
    for key, default, allowed, help_ in describe_params(model):
        terminal.say(f"  -O {key}={default}  ({allowed})  {help_}")


@plugins.command()
@click.argument("name")
@click.option("-k", "only", metavar="WORDS", default="", help="Only checks named so, or in part.")
@click.option("-x", "stop", is_flag=True, help="Stop at the first failure.")
@click.option("--quick", is_flag=True, help="Only checks that need neither a fit nor an archive.")
def check(name: str, only: str, stop: bool, quick: bool) -> int:
    """Run the conformance checks on the model NAME: what every model must do, on a small table and
    on small pictures."""
    from aetool import testing
    from aetool.operations import authoring

    package = authoring.uninstalled(name, Path())
    if package is not None:
        raise PluginError(
            f"plugin '{name}' is not installed, though its package is here; install it first: "
            f"pip install -e {package}"
        )
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    kind = ""
    for case in testing.conformance(name):
        is_wanted = only.lower().replace("-", " ") in case.name.replace("-", " ")
        if not is_wanted or (quick and not case.quick):
            continue
        # a heading for each kind of data
        if case.kind != kind:
            kind = case.kind
            terminal.say(kind)
        outcome = _outcome(case)
        outcomes[outcome] += 1
        if outcome == "failed" and stop:
            break
    if not outcomes:
        raise ParamError(f"no check of {name} is named '{only}'; leave out -k to see all")
    total = time.monotonic() - began
    numbers = f"{outcomes['passed']} checks passed, {outcomes['failed']} failed"
    terminal.say(f"{name}: {numbers}, {outcomes['n/a']} n/a, in {total:.0f} s")
    return int(outcomes["failed"] > 0)


def _outcome(case: testing.Case) -> str:
    """Run a conformance check, print, on standard output, how it went and how long it took, with
    advice if it failed, and return it: "passed", "failed" or "n/a" (it does not apply)."""
    started = time.monotonic()
    try:
        # each check reads and writes files of its own, as a command of its own would
        contextvars.Context().run(case.run)
    except SkipTest as reason:
        terminal.say(f"  n/a   {case.title}: {reason}")
        return "n/a"
    except Exception as error:  # a check may fail in any way its plugin does
        expected = isinstance(error, AssertionError | AetoolError)
        message = str(error)
        if not expected:
            message = _in_one_line(error)
        terminal.say(f"  FAIL  {case.title}: {message}")
        advice = case.advice(error)
        if advice:
            terminal.say(f"        {advice}")
        return "failed"
    terminal.say(f"  ok    {case.title} ({time.monotonic() - started:.1f} s)")
    return "passed"


def _in_one_line(error: Exception) -> str:
    """The class and the first line of the message of an unexpected exception, such as "ValueError:
    no rows"."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


@plugins.command()
@click.argument("name")
@click.option("-o", "--output", default=".", help="The folder to write the package into [.].")
@click.option(
    "--closed-form/--network",
    "closed_form",
    default=None,
    help="A model solved in numpy, or a network, which needs torch "
    "[a network where torch is installed].",
)
def new(name: str, output: str, closed_form: bool | None) -> None:
    """Write a package with a working model NAME, a network or a closed form, to be made your
    own."""
    from aetool.operations import authoring

    has_torch = importlib.util.find_spec("torch") is not None
    is_closed_form = not has_torch if closed_form is None else closed_form
    made = authoring.new(name, Path(output), is_closed_form)
    kind = "a closed form" if is_closed_form else "a network"
    terminal.say(f"{made}: a package with a working model, {kind}")
    if closed_form is None and is_closed_form:
        terminal.say(
            "torch is not installed, which a network needs: --network writes one", err=True
        )
    if not is_closed_form and not has_torch:
        terminal.say(
            "a network is fitted by torch, which is not installed: pip install 'aetool[train]'",
            err=True,
        )
    terminal.say(f"next: pip install -e {made} && aetool plugins check {name}", err=True)


@plugins.command()
def reference() -> None:
    """Print the reference of every hook, as Markdown."""
    from aetool.operations import authoring

    terminal.say(*authoring.reference().splitlines())
