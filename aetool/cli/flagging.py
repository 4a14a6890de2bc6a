"""Options that say which records are flagged, of the commands that flag some."""

from __future__ import annotations

from typing import TypedDict

import click

from aetool.cli import options


class ChoiceGiven(TypedDict, total=False):
    """The options of what is flagged by name, as click gives them: parts are texts such as "1%",
    None stands for an option that was left out."""

    threshold: float | None
    fpr: str | None
    fdr: str | None
    contamination: str | None
    top: int | None


class ChoiceAsked(TypedDict):
    """What is flagged, by the names that operations take, as detection.choice.Choice says: parts
    are numbers from 0 to 1, None stands for what is not asked for."""

    threshold: float | None
    fpr: float | None
    fdr: float | None
    contamination: float | None
    top: int | None


def choice_options(command: options.Command) -> options.Command:
    """Decorator: add --top, --threshold, --fpr, --fdr and --contamination to a command: which
    records are flagged, by at most one of them."""
    # the help shows first what is added last
    for option in (
        click.option("--contamination", help="Part of these records to flag, such as 1%."),
        click.option(
            "--fdr", help="Part of the flagged records that may be ordinary, such as 10%."
        ),
        click.option(
            "--fpr",
            help="Part of ordinary records that may be flagged, such as 1%; less or more where "
            "rows drift.",
        ),
        click.option("--threshold", type=options.ScoreType(), help="Anomaly: score above this."),
        click.option("--top", type=options.Whole(0), help="The N highest scores, highest first."),
    ):
        command = option(command)
    return command


def choice(given: ChoiceGiven) -> ChoiceAsked:
    """The options of what is flagged as operations take them: 0.01 for "1%". ParamError for what is
    no share, and for one that hardly is meant, such as 0.5 for half a percent."""
    # at most one of them: what operations check, too, for those who call from Python
    return {
        "threshold": given["threshold"],
        "fpr": _share(given["fpr"], "--fpr"),
        "fdr": _share(given["fdr"], "--fdr"),
        "contamination": _share(given["contamination"], "--contamination"),
        "top": given["top"],
    }


def _share(text: str | None, option: str) -> float | None:
    """Return a share of records as a number from a text such as "1%" or "0.01"; None for None.
    ParamError for what is no number, for 0.5 to below 1 written without %, which may be meant as a
    percentage, and for 100% or more. option: its name, for the error."""
    # half of all records or more is hardly meant: 0.5 may be half a percent
    return options.percent(text, option, doubtful=options.HALF)
