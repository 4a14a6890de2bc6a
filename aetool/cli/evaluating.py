"""aetool evaluate."""

from __future__ import annotations

import json
from typing import Unpack

import click

from aetool.cli import flagging, options, terminal, texts


class EvaluateGiven(options.FitGiven, flagging.ChoiceGiven, total=False):
    """The options of a fit, where no model is given, and of what is flagged, by name."""


@click.command()
@click.argument("data")
@options.model
@click.option("--label", metavar="COL", help="The column of labels [of pictures: folder].")
@click.option(
    "--normal", metavar="VALUE[,VALUE]", help="Labels of ordinary rows [of pictures: good]."
)
@click.option("--masks", metavar="DIR", help="Masks of what is wrong in pictures, by their names.")
@flagging.choice_options
@options.data_options
@options.picture_options
@texts.text_options("data")
@options.as_json
@options.engine
@options.device
def evaluate(
    data: str,
    model: str | None,
    masks: str | None,
    engine: str | None,
    as_json: bool,
    **given: Unpack[EvaluateGiven],
) -> None:
    """Judge a model against labels: AUROC, average precision, and the precision and recall of what
    it flags: what lies above its threshold, or what an option says.

    Without a model one is learned from DATA, labels left out. --masks also judges heat maps:
    pixel_auroc; pro, the part of each defect that the map marks, averaged over strict to lax
    thresholds; box_hits. The mask of DATA/scratch/003.png is DIR/scratch/003_mask.png or
    DIR/scratch/003.png, not 0 where it is defective.
    """
    from aetool import operations

    bundle = options.load_model(model)
    # labels are judged by whichever are ordinary; the fit takes all records, as detect does
    of_fit = {**given, "normal": None}
    if bundle is not None:
        # nothing is fitted that the labels could be left out of
        of_fit["label"] = None
    figures = operations.evaluate(
        data,
        bundle,
        given["label"],
        options.values(given["normal"]),
        given["device"],
        fit=options.fit_unless(bundle, "evaluate", of_fit),
        masks=masks,
        executor=engine,
        **flagging.choice(given),
    )
    if as_json:
        # a threshold may be infinite, which JSON does not know
        terminal.say(json.dumps(terminal.finite_numbers(figures)))
        return
    for name, figure in figures.items():
        shown = f"{figure:.4f}" if isinstance(figure, float) else str(figure)
        terminal.say(f"{name.replace('_', ' '):18} {shown}")
