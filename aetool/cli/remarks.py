"""What fit and info say in words of how a network was trained, and whether its code is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aetool.canonical import Json

FIDELITY = {
    "values": "lossless by value",
    "pixels": "lossless by pixel",
}  # else as it is
BY_PIXEL = (
    "pictures come back by pixel, without notes in their files such as text, times and resolution; "
    "other files by byte (--keep-files: all by byte)"
)
BEFELL = ("no time left", "failed:")  # how reasons begin why a member could not be fitted
TORCH = "pip install 'aetool[train]'"
BETTER = 0.001  # of the variance that PCA must explain beyond a network, to be said to do better


def of_left_out(facts: Mapping[str, Json]) -> Iterator[str]:
    """Yield a line for each kind of detector that a joined model leaves out: why, and what would
    bring it in. facts: of the fit, by name; no lines if none was left out."""
    needed = facts.get("seconds_needed", {})
    for name, why in facts.get("left_out", {}).items():
        more = ""
        if name in needed:
            more = f": --max-time {needed[name]:g} brings it in"
            # time alone would not
            if "torch" in why:
                more = f": {TORCH} and then --max-time {needed[name]:g} bring it in"
        # what befell it is no sentence of what it does
        clause = f": {why}" if why.startswith(BEFELL) else f", which {why}"
        yield f"without {name}{clause}{more}"


def of_training(facts: Mapping[str, Json]) -> Iterator[str]:
    """Yield remarks on a training, a line each: on labels that were learned from, on a training
    that was cut or too short, and on the code. facts: of the fit, by name; those that are not there
    are passed over."""
    if "labelled" in facts:
        # of models whose loss takes labels; others are fitted on ordinary records alone
        count = facts["labelled"]
        unknown = f", and {count['unknown']:,} without a label" if count["unknown"] else ""
        yield (
            f"learned from {count['ordinary']:,} ordinary records and {count['anomalies']:,} known "
            f"anomalies{unknown}"
        )
    if "stopped_by_max_time" in facts:
        stopped_after = facts["stopped_by_max_time"]
        steps = f"{stopped_after['steps']:,} of {stopped_after['of']:,} steps"
        yield f"stopped by --max-time after {steps}"
    if facts.get("short_of_time"):
        yield (
            "--max-time was short: fewer models judge the rows that were fitted, which may find "
            "too little odd about their own; give more time, or detect without -m"
        )
    if "few_steps" in facts:
        few = facts["few_steps"]
        epochs = f"{few['epochs']:,} epoch{'s are' if few['epochs'] > 1 else ' is'}"
        yield (
            f"{epochs} {few['steps']:,} steps, too few for a network to learn (at least "
            f"{few['least']:,}): leave --epochs out, or ask for {few['enough_epochs']:,}"
        )
    if "code" in facts:
        yield from of_code(facts["code"])


def of_code(code: Mapping[str, Json]) -> Iterator[str]:
    """Yield remarks on a model's code, a line each: how many units are in use, how much of the
    variance of held-out rows it keeps, compared with PCA, and a warning if the code is dead. code:
    the figures of nn.usage.code_use."""
    in_use = f"{code['active']:.3g} of {code['units']} units in use"
    by_pca = f"PCA of {code['pca_numbers']}: {100 * code['pca_explained']:.1f} %"
    line = (
        f"code: {in_use}, explains {100 * code['explained']:.1f} % of the variance of held-out "
        f"rows ({by_pca})"
    )
    if code["pca_explained"] > code["explained"] + BETTER:
        line += "; PCA does better here: -p pca, or -O latent=N with a larger N"
    yield line
    if code["dead"]:
        yield (
            "warning: the code is dead: what it restores is hardly better than the mean; train "
            "longer (leave out --epochs and --max-time), give -O latent=N a larger N, or lower the "
            "weight of the penalty on the code (-O beta of a variational model); -p pca is never so"
        )
