"""aetool plugins list, show and check."""

from __future__ import annotations

import json

import click

from aetool import plugins as host
from aetool.cli import options
from aetool.errors import PluginError
from aetool.model import describe_params


@click.group()
def plugins() -> None:
    """List, show and check the installed models."""


@plugins.command("list")
@options.as_json
def list_(as_json: bool) -> int:
    """List every model that installed plugins declare."""
    found = list(host.models_installed())
    good = [m for m in found if not isinstance(m, PluginError)]
    if as_json:
        click.echo(json.dumps([{"name": m.name, "summary": m.summary} for m in good]))
    else:
        for model in good:
            click.echo(f"{model.name:12} {model.summary}")
    broken = [e for e in found if isinstance(e, PluginError)]
    for error in broken:
        click.echo(f"aetool: error: {error}", err=True)
    return 2 if broken else 0


@plugins.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the parameters of the model NAME."""
    model = host.get_model(name)
    click.echo(f"{model.name}: {model.summary}")
    click.echo(f"takes {', '.join(sorted(model.data))}s; class {model.net}")
    for key, default, allowed, help_ in describe_params(model):
        click.echo(f"  -O {key}={default}  ({allowed})  {help_}")


@plugins.command()
@click.argument("name")
def check(name: str) -> int:
    """Run the conformance checks on the model NAME."""
    from aetool import testing

    failed = 0
    for case in testing.conformance(name):
        try:
            case.run()
        except Exception as error:  # a check may fail in any way its plugin does
            failed += 1
            click.echo(f"FAIL {case.name}: {type(error).__name__}: {error}")
        else:
            click.echo(f"ok   {case.name}")
    click.echo(f"{name}: {'passes' if not failed else f'{failed} checks failed'}")
    return int(failed > 0)
