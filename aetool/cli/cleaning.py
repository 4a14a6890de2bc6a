"""aetool denoise."""

from __future__ import annotations

import click

from aetool.cli import options, terminal, texts
from aetool.errors import ParamError


@click.command()
@click.argument("data")
@options.model
@click.option("-o", "--output", help="Where to write [DATA.denoised].")
@click.option("--fill-missing", is_flag=True, help="Change gaps alone, nothing that is there.")
@click.option("--region", metavar="LEFT,TOP,WIDTH,HEIGHT", help="Of pictures: what to fill.")
@click.option("--clean", metavar="CLEAN", help="The same records undamaged: measure the gain.")
@texts.text_options("data", "clean")
@options.device
@options.force
@options.quiet
def denoise(
    data: str,
    model: str | None,
    output: str | None,
    fill_missing: bool,
    region: str | None,
    clean: str | None,
    device: str,
    force: bool,
    quiet: bool,
) -> None:
    """Restore DATA by a model of its kind (denoising does it best), or fill its gaps."""
    from aetool import operations
    from aetool.operations import cleaning

    bundle = options.needed_model(model)
    target = output or cleaning.default_name(data)
    denoise_options = operations.DenoiseOptions(fill_missing, _region(region), clean, force, device)
    figures = operations.denoise(data, target, bundle, denoise_options)
    if quiet:
        return
    parts = [f"{figures['rows']:,} records"]
    if "filled" in figures:
        parts.append(f"{figures['filled']:,} values filled")
    if "mse_before" in figures:
        parts.append(
            f"mean squared error {figures['mse_before']:.4g} -> {figures['mse_after']:.4g}"
        )
    if "psnr_gain_db" in figures:
        parts.append(f"PSNR {figures['psnr_gain_db']:+.2f} dB")
    terminal.say(f"{target}: {', '.join(parts)}", err=True)


def _region(text: str | None) -> tuple[int, int, int, int] | None:
    """The numbers of --region, left, top, width and height, from text such as "3,4,10,8"; None for
    None. ParamError unless it is four whole numbers; their range is not checked here."""
    if text is None:
        return None
    try:
        left, top, width, height = (int(v) for v in text.split(","))
    except ValueError:
        raise ParamError(f"--region {text}: write LEFT,TOP,WIDTH,HEIGHT in pixels") from None
    return left, top, width, height
