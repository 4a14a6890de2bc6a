"""aetool export."""

from __future__ import annotations

import click

from aetool.cli import options, terminal


@click.command()
@click.argument("model")
@click.option("-o", "--output", required=True, help="The folder to write to.")
@click.option(
    "--verify", "check", is_flag=True, help="Run the exported score graph against the model."
)
@click.option("--float32", is_flag=True, help="Without float64, which many runtimes do not know.")
@options.force
@options.quiet
def export(model: str, output: str, check: bool, float32: bool, force: bool, quiet: bool) -> int:
    """Write MODEL's graphs (encoder, decoder, score) and what their columns mean."""
    from aetool.bundle import load
    from aetool.operations import exporting

    bundle = load(model)
    for path in exporting.export(bundle, output, force, float32):
        if not quiet:
            terminal.say(f"{path}: {path.stat().st_size:,} bytes", err=True)
    if not check:
        return 0
    worst = exporting.difference(bundle, output)
    terminal.say(f"largest relative difference of a score: {worst:.3g}")
    by_hint = exporting.openvino_differences(bundle, output)
    if by_hint is not None:
        for how, difference in by_hint.items():
            terminal.say(f"by OpenVINO {how}: {difference:.3g}")
        # a graph of float64 is not meant for it, so that its difference is no failure
        if float32:
            worst = max(worst, by_hint[exporting.OPENVINO_HINT])
        else:
            terminal.say("for OpenVINO, which computes float64 in float32, export with --float32")
    # not ">": a difference that is NaN is a failure, too
    return int(not worst <= exporting.TOLERANCE)
