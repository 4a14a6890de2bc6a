"""aetool plugins list, show and check."""

from __future__ import annotations

import contextvars
import json
import time
from pathlib import Path

import click

from aetool import plugins as host
from aetool.cli import options, terminal
from aetool.errors import PluginError
from aetool.model import describe_params


@click.group()
def plugins() -> None:
    """List, show and check the installed models, and begin one of your own."""


@plugins.command("list")
@options.as_json
def list_(as_json: bool) -> int:
    """List every model that installed plugins declare."""
    found = list(host.models_installed())
    good = [m for m in found if not isinstance(m, PluginError)]
    if as_json:
        terminal.say(json.dumps([{"name": m.name, "summary": m.summary} for m in good]))
    else:
        for model in good:
            terminal.say(f"{model.name:12} {model.summary}")
    broken = [e for e in found if isinstance(e, PluginError)]
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
def check(name: str) -> int:
    """Run the conformance checks on the model NAME: what every model must do, on a small table and
    on small pictures."""
    from aetool import testing

    began, passed, failed, kind = time.monotonic(), 0, 0, ""
    for case in testing.conformance(name):
        if case.kind != kind:
            kind = case.kind
            terminal.say(kind)
        started = time.monotonic()
        try:
            # each check reads and writes files of its own, as a command of its own would
            contextvars.Context().run(case.run)
        except Exception as error:  # a check may fail in any way its plugin does
            failed += 1
            found = str(error) if isinstance(error, AssertionError) else _told(error)
            terminal.say(f"  FAIL  {case.title}: {found}")
            if case.advice:
                terminal.say(f"        {case.advice}")
        else:
            passed += 1
            terminal.say(f"  ok    {case.title} ({time.monotonic() - started:.1f} s)")
    total = time.monotonic() - began
    terminal.say(f"{name}: {passed} checks passed, {failed} failed, in {total:.0f} s")
    return int(failed > 0)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@plugins.command()
@click.argument("name")
@click.option("-o", "--output", default=".", help="The folder to write the package into [.].")
def new(name: str, output: str) -> None:
    """Write a package with a working model NAME, to be made your own."""
    from aetool.operations import authoring

    made = authoring.new(name, Path(output))
    terminal.say(f"{made}: a package with a working model")
    terminal.say(f"next: pip install -e {made} && aetool plugins check {name}", err=True)


@plugins.command()
def reference() -> None:
    """Print the reference of every hook, as Markdown."""
    from aetool.operations import authoring

    terminal.say(*authoring.reference().splitlines())
