"""The guide "Autoencoders in twelve commands": its figures and its numbers, from bundled data alone.

course/guide.md is the text, with the names of numbers in it. Every stop's commands are read from the
text and run as they stand there; then the stop is measured and drawn. Numbers are kept in
course/numbers.json, figures and the finished guide in aetool/docs.

    python course.py                   all stops
    python course.py linear sizes      these alone
    python course.py --text            the guide again, from the numbers kept
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shlex
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import aetool
from aetool.cli import status

HERE = Path(__file__).parent / "course"
DOCS = Path(aetool.__file__).parent / "docs"
FIGURES = DOCS / "course"
TEXT, NUMBERS, GUIDE = HERE / "guide.md", HERE / "numbers.json", DOCS / "COURSE.md"
FIELD = re.compile(r"\{(\w+)\.(\w+)(?::([^{}]*))?\}")
INK, BLUE, ORANGE, GREEN, GREY = "#1b1f24", "#0072B2", "#D55E00", "#009E73", "#999999"
WIDE, HEIGHT = 7.2, 2.9  # inches of a figure
WIDTH = 110  # characters of a line of the guide
COLOURS = 48  # of a figure's palette: a third of the bytes of all

Figures = dict[str, float]
Stop = Callable[[], Figures]
STOPS: dict[str, Stop] = {}
# stop: the stops before it whose commands make a model that it looks at, and that model
NEEDS = {"features": {"sparse": "k8.aem", "manifold": "plane.aem", "blur": "vae.aem"}}


def stop(measure: Stop) -> Stop:
    """Mark a function as the measurement of a stop of the course, which is run in the current
    folder after the commands of that stop."""
    STOPS[measure.__name__] = measure
    return measure


# ---- the text


def sections(text: str) -> dict[str, str]:
    """Divide the course's text into its stops: by name, the text from the heading on; under "" what
    comes before the first."""
    parts = re.split(r"^(?=## \d+\. )", text, flags=re.MULTILINE)
    return dict(zip(["", *STOPS], parts, strict=True))


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def rendered(text: str, numbers: dict[str, Figures]) -> str:
    """The text with every {stop.name:format} replaced by its number."""

    def number(field: re.Match[str]) -> str:
        name, key, form = field.groups()
        if key not in numbers.get(name, {}):
            raise SystemExit(f"no number {key} of the stop {name} is kept: python course.py {name}")
        return format(numbers[name][key], form or "")

    # every other part is a block of code, and stays as it is
    parts = re.split(r"(^```.*?^```$)", FIELD.sub(number, text), flags=re.M | re.S)
    for place in range(0, len(parts), 2):
        parts[place] = "\n\n".join(map(_wrapped, parts[place].split("\n\n")))
    return "".join(parts)


def _wrapped(paragraph: str) -> str:
    """A paragraph of prose, or a list, in lines of one width; code, tables and pictures as they are."""
    if not re.match(r"[\w*`-]", paragraph):
        return paragraph
    items = re.split(r"\n(?=- )", paragraph)
    lines = (
        textwrap.fill(
            " ".join(item.split()).replace(" %", "~%"),  # a number and its sign stay together
            WIDTH,
            subsequent_indent="  " * item.startswith("- "),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )
    return "\n".join(lines).replace("~%", " %")


def run_commands(text: str) -> None:
    """The aetool commands of a stop, in order, in this process."""
    for line in "".join(blocks(text, "console")).splitlines():
        if line.startswith("$ aetool "):
            # with a buffer below it, as a terminal has, for what is written as bytes
            said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = status(shlex.split(line)[2:])
            if code:
                raise SystemExit(f"{line}\n{said.buffer.getvalue().decode()}")


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A folder with the data that the guide's first lines make, gone afterwards."""
    (prepare,) = blocks(sections(TEXT.read_text(encoding="utf-8"))[""], "python")
    with tempfile.TemporaryDirectory() as name:
        with contextlib.chdir(name):
            exec(compile(prepare, str(TEXT), "exec"), {})
        yield Path(name)


def visit(name: str) -> Figures:
    """Run the commands of a stop in the current folder, then measure and draw it."""
    told = sections(TEXT.read_text(encoding="utf-8"))
    for needed, model in NEEDS.get(name, {}).items():
        if not Path(model).exists():
            run_commands(told[needed])
    run_commands(told[name])
    return {key: float(value) for key, value in STOPS[name]().items()}


# ---- what stops share


def fitted(data: Any, plugin: str, epochs: int | None = None, **params: Any) -> Any:
    """A model of data, with the default seed."""
    return aetool.fit(data, plugin, epochs=epochs, **params)


def restored(model: Any, data: Any) -> Any:
    """What a model makes of records by their codes alone: an array of numbers, or pictures."""
    back = model.decode(model.encode(data))
    return back[:, 0].astype(float) if isinstance(back, np.ndarray) else back


def auroc(ordinary: Any, odd: Any) -> float:
    """How likely an odd record scores higher than an ordinary one; ties count half."""
    ordinary, odd = np.sort(np.asarray(ordinary)), np.asarray(odd)
    below = np.searchsorted(ordinary, odd, "left") + np.searchsorted(ordinary, odd, "right")
    return float(below.mean() / (2 * len(ordinary)))


def plot(columns: int, height: float = HEIGHT, **given: Any) -> tuple[Any, Any]:
    """Make a figure of `columns` panels side by side: (figure, axes)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9}
    )
    return plt.subplots(1, columns, figsize=(WIDE, height), layout="constrained", **given)


def plain(axis: Any) -> None:
    """Write the numbers beside logarithmic axes as 20, not as powers of ten."""
    from matplotlib.ticker import FuncFormatter

    for side in (axis.xaxis, axis.yaxis):
        if side.get_scale() == "log":
            for setter in (side.set_major_formatter, side.set_minor_formatter):
                setter(
                    FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else "")
                )


def keep(figure: Any, name: str) -> None:
    """Write a figure as a PNG file, with a palette of few colours."""
    from matplotlib import pyplot as plt
    from PIL import Image

    memory = io.BytesIO()
    figure.savefig(memory, dpi=110)
    plt.close(figure)
    picture = Image.open(memory).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(FIGURES / f"{name}.png", optimize=True)


def sheet(rows: list[Any]) -> Any:
    """Join rows of pictures, (across, H, W) each, to one picture, white between them."""
    lines = []
    for row in rows:
        framed = np.pad(np.asarray(row, float), ((0, 0), (1, 1), (1, 1)), constant_values=255)
        lines.append(np.concatenate(list(framed), axis=1))
    return np.concatenate(lines)


def show(axis: Any, picture: Any, title: str = "") -> None:
    """Draw a picture without axes."""
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_axis_off()
    axis.set_title(title)


# ---- the stops


def _axes(model: Any, frame: pd.DataFrame, size: int) -> Any:
    """(columns, size): an orthonormal basis of what a linear model restores, in deviations."""
    unit = (restored(model, frame) - frame.mean()) / frame.std()
    return np.linalg.svd(unit.to_numpy() - unit.to_numpy().mean(axis=0))[2][:size].T


def angle_between(one: Any, other: Any) -> float:
    """The largest principal angle, in degrees, between two subspaces with these orthonormal
    bases."""
    # by the sine, as the cosine of a small angle has lost its digits
    left = other - one @ (one.T @ other)
    return float(np.degrees(np.arcsin(min(1.0, np.linalg.norm(left, 2)))))


@stop
def linear() -> Figures:
    """A linear autoencoder that begins at random weights, against principal components."""
    frame = pd.read_csv("plant.csv")
    pca, trained = aetool.load("pca.aem"), aetool.load("linear.aem")
    wanted = _axes(pca, frame, 2)
    epochs = (10, 30, 60, 100, 200)
    angles = []
    for count in epochs:
        part = fitted(frame, "ae", count, depth=0, stacked=True, latent=2, error="mse")
        angles.append(angle_between(wanted, _axes(part, frame, 2)))
    last = angle_between(wanted, _axes(trained, frame, 2))
    steps = [4 * count for count in epochs] + [trained.facts["steps"] // 2]  # of its one level
    errors = [
        float(np.square((restored(m, frame) - frame) / frame.std()).to_numpy().mean())
        for m in (pca, trained)
    ]
    codes = [m.encode(frame) - m.encode(frame).mean(axis=0) for m in (pca, trained)]
    # each unit of the network's code as a mix of the two components
    mix = np.linalg.lstsq(codes[0], codes[1], rcond=None)[0]
    unexplained = np.square(codes[1] - codes[0] @ mix).sum() / np.square(codes[1]).sum()
    purity = np.abs(mix * codes[0].std(axis=0)[:, None])
    purity = (purity.max(axis=0) / np.linalg.norm(purity, axis=0)).min()
    figure, (left, right) = plot(2)
    spread = codes[0] / codes[0].std()
    left.scatter(*spread[:400].T, s=5, color=GREY, linewidths=0)
    for directions, colour, label in (
        (np.eye(2), INK, "units of pca"),
        (mix, ORANGE, "units of the network"),
    ):
        for place, (x, y) in enumerate((directions / np.linalg.norm(directions, axis=0)).T * 2.5):
            left.annotate(
                "", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "lw": 2}
            )
            if not place:
                left.plot([], [], color=colour, label=label)
    left.set_aspect("equal")
    left.set_xlabel("first component")
    left.set_ylabel("second component")
    left.set_title("400 rows on the plane, and what units measure")
    left.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(0.9, 1))
    right.plot(steps, [*angles, last], marker="o", color=BLUE)
    right.set_xscale("log")
    right.set_yscale("log")
    plain(right)
    right.set_xlabel("steps of training")
    right.set_ylabel("degrees")
    right.set_title("largest angle to the plane of PCA")
    keep(figure, "linear")
    return {
        "angle_first": angles[0],
        "angle": last,
        "error_pca": errors[0],
        "error_trained": errors[1],
        "mixed": 100 * (1 - purity),
        "unexplained": float(unexplained),
    }


@stop
def sizes() -> Figures:
    """Codes of 1 to 12 units of six columns that have two causes."""
    train, tested = pd.read_csv("plant.csv"), pd.read_csv("mixed.csv")
    real = tested["kind"] == "real"
    tested = tested.drop(columns="kind")
    units = (1, 2, 3, 4, 6, 12)
    errors, told, copies = [], [], {}
    for latent in units:
        model = fitted(train, "ae", 60, latent=latent, error="mse")
        # what copies its records leaves scores of 1e-14, and their order is the computer's rounding
        scores = np.round(np.asarray(model.score(tested)), 6)
        off = np.square((restored(model, tested) - tested) / train.std()).to_numpy().mean(axis=1)
        errors.append((off[real].mean(), off[~real].mean()))
        copies[latent] = "copies" in model.facts  # what fit warns by
        told.append(auroc(scores[real], scores[~real]))
    figure, (left, right) = plot(2)
    for row, (label, colour) in enumerate((("real rows", BLUE), ("mixed rows", ORANGE))):
        left.plot(units, [max(e[row], 1e-6) for e in errors], marker="o", color=colour, label=label)
    left.set_yscale("log")
    left.set_ylabel("squared error of a column")
    left.legend(frameon=False)
    right.plot(units, told, marker="o", color=INK)
    right.axhline(0.5, color=GREY, linestyle=":")
    right.annotate("guessing", (1, 0.5), ha="left", va="bottom", fontsize=8, color=GREY)
    right.set_ylabel("AUROC")
    right.set_title("mixed rows told from real ones by error")
    left.set_title("what is lost")
    for axis in (left, right):
        axis.set_xlabel("units of the code (six columns, two causes)")
        axis.set_xticks(units)
    keep(figure, "sizes")
    found = dict(zip(units, zip(errors, told, strict=True), strict=True))
    return {
        "real_one": found[1][0][0],
        "real_two": found[2][0][0],
        "mixed_two": found[2][0][1],
        "real_six": found[6][0][0],
        "mixed_six": found[6][0][1],
        "auroc_one": found[1][1],
        "auroc_two": found[2][1],
        "auroc_six": found[6][1],
        "auroc_twelve": found[12][1],
        "copies_two": copies[2],
        "copies_six": copies[6],
    }


@stop
def sparse() -> Figures:
    """What four penalties do to a code of 64 units."""
    pictures = np.load("clothes.npy")
    settings: dict[str, dict[str, Any]] = {
        "none": {"active": 1.0},
        "l1": {"active": 1.0, "l1": 2.0},
        "l2": {"active": 1.0, "l2": 2.0},
        "k": {"k": 8},
        "kl": {"kl": 20.0},
    }
    names = {"none": "no penalty", "l1": "l1 = 2", "l2": "l2 = 2", "k": "k = 8", "kl": "KL to 0.05"}
    colours = {"none": GREY, "l1": BLUE, "l2": GREEN, "k": ORANGE, "kl": "#CC79A7"}
    figure, (left, right) = plot(2)
    found: Figures = {}
    for name, given in settings.items():
        model = (
            aetool.load("k8.aem")
            if name == "k"
            else fitted(pictures, "sparse", 60, latent=64, **given)
        )
        code = np.abs(model.encode(pictures))
        largest = -np.sort(-code, axis=1)
        share = np.square(largest)
        share = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
        found[f"{name}_top"] = 100 * float(share[:8].sum())
        found[f"{name}_zero"] = 100 * float((code == 0).mean())
        found[f"{name}_size"] = float(code.mean())
        error = np.sqrt(np.square(restored(model, pictures) - pictures).mean())
        found[f"{name}_error"] = float(error)
        relative = largest.mean(axis=0) / largest[:, 0].mean()
        left.plot(np.arange(1, 65), relative, color=colours[name], label=names[name])
        right.bar(names[name].replace(" ", "\n", 1), error, color=colours[name])
    left.set_xlabel("unit of a picture, by size")
    left.set_ylabel("size (the largest: 1)")
    left.legend(frameon=False)
    left.set_title("how a code of 64 is used")
    right.set_title("error of what is restored, gray levels")
    right.tick_params(axis="x", labelsize=8)
    keep(figure, "sparse")
    return found


RADIUS, THICK = 1.0, 0.05  # of the ring, see the guide


def ring_score(points: Any, variance: float) -> Any:
    """(n, 2): the gradient of the log density of the ring with this variance about its circle."""
    turns = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    circle = RADIUS * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    off = circle - points[:, None]
    log = -0.5 * np.square(off).sum(axis=2) / variance
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return (weight[:, :, None] * off).sum(axis=1) / variance


@stop
def denoising() -> Figures:
    """What a denoising autoencoder moves a point by, against the score of the density."""
    spread = pd.read_csv("ring.csv").std().to_numpy()
    sigma = 0.2 * float(spread.mean())
    grid, moved = pd.read_csv("grid.csv").to_numpy(), pd.read_csv("moved.csv").to_numpy()
    pulled = (moved - grid) / sigma**2
    wanted = ring_score(grid, THICK**2 + sigma**2)
    distance = np.abs(np.hypot(*grid.T) - RADIUS)
    outside, hole = np.hypot(*grid.T) > 1.8, np.hypot(*grid.T) < 0.5
    near = distance < 2 * sigma
    lengths = np.linalg.norm(pulled, axis=1), np.linalg.norm(wanted, axis=1)
    alike = (pulled * wanted).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1e-9)
    off = np.linalg.norm(pulled - wanted, axis=1) / np.maximum(lengths[1], 1e-9)
    few = (np.round(grid / 0.25) * 0.25 == np.round(grid, 6)).all(axis=1)
    figure, axes = plot(2, 3.5, sharex=True, sharey=True)
    for axis, arrows, title in (
        (axes[0], wanted, "gradient of log p, known here"),
        (axes[1], pulled, "(r(x) - x) / σ², learned"),
    ):
        axis.add_patch(_circle())
        axis.quiver(
            *grid[few].T,
            *arrows[few].T,
            color=BLUE,
            angles="xy",
            scale_units="xy",
            scale=130,
            width=0.004,
        )
        axis.set_aspect("equal")
        axis.set_title(title)
    keep(figure, "denoising")
    return {
        "sigma": sigma,
        "two_sigma": 2 * sigma,
        "cosine_near": float(np.median(alike[near])),
        "off_near": 100 * float(np.median(off[near])),
        "cosine_far": float(np.median(alike[outside])),
        "off_far": 100 * float(np.median(off[outside])),
        "length_hole": 100
        * float(np.median(lengths[0][hole] / np.maximum(lengths[1][hole], 1e-9))),
        "wanted_hole": float(np.median(lengths[1][hole])),
    }


def _circle() -> Any:
    from matplotlib.patches import Circle

    return Circle((0, 0), RADIUS, fill=False, color=ORANGE, linewidth=4, alpha=0.5)


def in_deviations(frame: pd.DataFrame, fitted_rows: pd.DataFrame) -> Any:
    """(n, columns): numbers in standard deviations of the rows that a model was fitted on."""
    return ((frame - fitted_rows.mean()) / fitted_rows.std(ddof=0)).to_numpy()


def gaussian_nats(x: Any, mean: Any, covariance: Any) -> Any:
    """(n,): -log density of rows under a Gaussian."""
    off = x - mean
    inside = (off * np.linalg.solve(covariance, off.T).T).sum(axis=1)
    return 0.5 * (inside + np.linalg.slogdet(2 * np.pi * covariance)[1])


def ppca_nats(train: pd.DataFrame, new: pd.DataFrame, size: int) -> Any:
    """(n,): -log density of new rows, in deviations, under maximum-likelihood PPCA of train."""
    values, vectors = np.linalg.eigh(np.cov(in_deviations(train, train).T, bias=True))
    noise = values[:-size].mean()
    w = vectors[:, -size:] * np.sqrt(values[-size:] - noise)
    unit = in_deviations(new, train)
    return gaussian_nats(unit, np.zeros(len(values)), w @ w.T + noise * np.eye(len(values)))


@stop
def ppca() -> Figures:
    """The score of probabilistic PCA against the density written down, and the size it prefers."""
    train, later = pd.read_csv("plant.csv"), pd.read_csv("later.csv")
    scores = pd.read_csv("surprise.csv")["score"].to_numpy()
    # a value stands for a bucket, as it was written to so many digits; its width in deviations
    bucket = np.log(2 * aetool.load("ppca.aem").spec.half).sum()

    wanted = (ppca_nats(train, later, 2) - bucket) / np.log(2)
    units = (1, 2, 3, 4, 5)
    bits = [
        float(np.mean(fitted("plant.csv", "pca", probabilistic=True, latent=size).score(later)))
        for size in units
    ]
    figure, (left, right) = plot(2)
    left.plot(wanted, wanted, color=GREY, linewidth=1)
    left.scatter(wanted, scores, s=6, color=BLUE, linewidths=0)
    left.set_xlabel("-log2 p, written down")
    left.set_ylabel("score that aetool prints, bits")
    left.set_title("1,000 new rows")
    right.plot(units, bits, marker="o", color=INK)
    right.set_xticks(units)
    right.set_xlabel("units of the code")
    right.set_ylabel("bits of a new row")
    right.set_title("the likelihood finds the two causes")
    keep(figure, "ppca")
    return {
        "off": float(np.abs(scores - wanted).mean()),
        "off_most": float(np.abs(scores - wanted).max()),
        "mean": float(wanted.mean()),
        "second": bits[0] - bits[1],
        "third": bits[1] - bits[2],
        **{f"bits_{size}": value for size, value in zip(units, bits, strict=True)},
    }


KINDS = {
    "fixed": {"posterior": "fixed", "sigma": 0.5},
    "diagonal": {},
    "full": {"posterior": "full"},
    "flow": {"posterior": "flow"},
}
DRAWS = (1, 4, 16, 64, 256, 1024)


def _bounds(model: Any, frame: pd.DataFrame) -> tuple[list[float], float]:
    """(IWAE bounds with DRAWS draws, the exact log p), mean nats a row, of a linear VAE of one
    scale. With one draw the bound is the ELBO."""
    import torch

    from aetool import nn

    net = nn.load(model)
    x = in_deviations(frame, pd.read_csv("plant.csv")).astype(np.float32)
    most = DRAWS[-1]
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        rows, weights = torch.from_numpy(x), []
        for part in rows.split(100):
            eps = torch.randn((len(part), most, net.latent), generator=rng)
            cost, ratio = net.bound(part, net.encoder(part), eps)
            weights.append(-cost.sum(dim=2) - ratio.sum(dim=2))
        log_w = torch.cat(weights).double()
        found = [float(log_w.mean())]
        for draws in DRAWS[1:]:
            groups = log_w.reshape(len(log_w), -1, draws)
            found.append(float((torch.logsumexp(groups, dim=2) - np.log(draws)).mean()))
        line = net.decoder.linear
        w, mean = line.weight.double().numpy(), line.bias.double().numpy()
        scale = float(net.likelihood.mixture()[0][0, 0])
    bucket = np.log(2 * model.spec.half).sum()
    exact = -gaussian_nats(x.astype(float), mean, w @ w.T + scale**2 * np.eye(len(w))) + bucket
    return found, float(exact.mean())


@stop
def bounds() -> Figures:
    """ELBO, IWAE and log p of linear VAEs with four kinds of posterior."""
    later = pd.read_csv("later.csv")
    figure, (left, right) = plot(2)
    found: Figures = {}
    colours = dict(zip(KINDS, (ORANGE, BLUE, GREEN, "#CC79A7"), strict=True))
    for name, given in KINDS.items():
        model = aetool.load("bound.aem") if name == "fixed" else fitted(
            "plant.csv", "vae", 60, depth=0, scale="shared", latent=2, **given
        )  # fmt: skip
        values, exact = _bounds(model, later)
        found |= {f"exact_{name}": exact, f"gap_{name}": exact - values[0]}
        if name == "fixed":
            found |= {f"gap_{k}": exact - bound for k, bound in zip(DRAWS, values, strict=True)}
        if name == "fixed":
            left.plot(DRAWS, values, marker="o", color=ORANGE, label="bound of k draws")
            left.axhline(exact, color=INK, linestyle="--", label="log p of the same model")
        right.bar(name, exact - values[0], color=colours[name])
    bucket = np.log(2 * model.spec.half).sum()
    found["exact_ppca"] = float(bucket - ppca_nats(pd.read_csv("plant.csv"), later, 2).mean())
    left.set_xscale("log")
    left.set_xlabel("draws k (1: the ELBO)")
    left.set_ylabel("nats of a row")
    left.legend(frameon=False)
    left.set_title("fixed posterior")
    right.set_yscale("log")
    plain(right)
    plain(left)
    right.set_title("log p - ELBO, nats, by kind of posterior")
    keep(figure, "bounds")
    return found


@stop
def beta() -> Figures:
    """Rate against distortion of a VAE, by the weight of its KL term."""
    frame = pd.read_csv("air.csv")
    numbers = frame.select_dtypes("number")
    weights = (0.1, 0.5, 1.0, 4.0, 16.0)
    points = []
    for weight in weights:
        model = (
            aetool.load("beta4.aem")
            if weight == 4
            else fitted("air.csv", "vae", 40, latent=6, beta=weight)
        )
        facts = model.facts
        back = restored(model, frame)[list(numbers)].apply(pd.to_numeric)
        off = float(np.nanmean(np.square((numbers - back) / numbers.std())))
        points.append((facts["kl_nats"] / np.log(2), off, facts["active_units"]))
    figure, (left, right) = plot(2)
    left.plot([p[0] for p in points], [p[1] for p in points], marker="o", color=BLUE)
    for weight, point in zip(weights, points, strict=True):
        left.annotate(
            f"β = {weight:g}", point[:2], xytext=(5, 4), textcoords="offset points", fontsize=8
        )
    left.set_xlabel("rate: KL, bits of a row")
    left.set_ylabel("distortion: squared error")
    left.margins(0.15)
    left.set_title("what a code costs, and what it leaves out")
    right.bar([f"{weight:g}" for weight in weights], [p[2] for p in points], color=GREEN)
    right.set_xlabel("β")
    right.set_title("units of six that carry anything")
    keep(figure, "beta")
    found = {}
    for weight, (rate, off, active) in zip(weights, points, strict=True):
        name = f"{weight:g}".replace(".", "_")
        found |= {f"rate_{name}": rate, f"off_{name}": off, f"active_{name}": active}
    return found


def _nearest(pictures: Any, among: Any) -> Any:
    """(n,): the root mean square distance of each picture from the nearest in `among`."""
    gaps = pictures.reshape(len(pictures), 1, -1) - among.reshape(1, len(among), -1)
    return np.sqrt(np.square(gaps).mean(axis=2)).min(axis=1)


@stop
def manifold() -> Figures:
    """Half-way between two pictures: by codes, and by pixels."""
    from PIL import Image

    pictures = np.load("clothes.npy").astype(float)
    model = aetool.load("plane.aem")
    codes = model.encode(pictures.astype(np.uint8))
    rng = np.random.default_rng(0)
    pairs = rng.permutation(len(pictures))[:200].reshape(100, 2)
    half = 0.5 * (codes[pairs[:, 0]] + codes[pairs[:, 1]])
    by_code = model.decode(half.astype(np.float32))[:, 0].astype(float)
    by_pixel = 0.5 * (pictures[pairs[:, 0]] + pictures[pairs[:, 1]])
    own = restored(model, pictures.astype(np.uint8))
    mixed = 0.5 * (own[pairs[:, 0]] + own[pairs[:, 1]])
    first, last = _far_pair(pictures)
    steps = np.linspace(0, 1, 8)[:, None]
    path = (1 - steps) * codes[first] + steps * codes[last]
    walk = model.decode(path.astype(np.float32))[:, 0]
    fade = (1 - steps[:, :, None]) * pictures[first] + steps[:, :, None] * pictures[last]
    figure, (left, right) = plot(2, 3.3)
    show(
        left, np.asarray(Image.open("plane.png").convert("L")), "the plane of a code of two numbers"
    )
    show(right, sheet([walk, fade]), "from one to another: by codes, by pixels")
    keep(figure, "manifold")
    near = [float(_nearest(p, pictures).mean()) for p in (by_code, by_pixel, mixed)]
    return {
        "near_code": near[0],
        "near_pixel": near[1],
        "near_mixed": near[2],
        "explained": 100
        * (
            1
            - np.square(own - pictures).mean() / np.square(pictures - pictures.mean(axis=0)).mean()
        ),
    }


def _far_pair(pictures: Any) -> tuple[int, int]:
    """The numbers of two pictures that are very different: a shirt and a shoe."""
    labels = _labels()
    return int(np.flatnonzero(labels == 0)[3]), int(np.flatnonzero(labels == 9)[2])


def _labels() -> Any:
    """(400,): which of ten kinds each picture is."""
    return np.array(list((FIGURES / "labels.txt").read_text(encoding="utf-8").strip()), dtype=int)


def sharpness(pictures: Any) -> float:
    """The mean squared step between a pixel and the next, across and down."""
    pictures = np.asarray(pictures, float)
    return float(sum(np.square(np.diff(pictures, axis=axis)).mean() for axis in (1, 2)))


@stop
def blur() -> Figures:
    """How sharp what comes back is: variational and vector-quantised."""
    pictures = np.load("clothes.npy")
    vae, vq = aetool.load("vae.aem"), aetool.load("vq.aem")
    backs = [restored(model, pictures) for model in (vae, vq)]
    drawn = [model.sample(200)[:, 0].astype(float) for model in (vae, vq)]
    own = sharpness(pictures)
    codes = vq.encode(pictures)
    figure, axes = plot(2, 1.7)
    real = pictures[20:30]
    show(
        axes[0], sheet([real, backs[0][20:30], backs[1][20:30]]), "pictures; restored by vae; by vq"
    )
    others = pictures[40:50]
    show(
        axes[1],
        sheet([others, drawn[0][:10], drawn[1][:10]]),
        "other pictures; drawn by vae; by vq",
    )
    keep(figure, "blur")
    return {
        "vae_sharp": 100 * sharpness(backs[0]) / own,
        "vq_sharp": 100 * sharpness(backs[1]) / own,
        "vae_drawn": 100 * sharpness(drawn[0]) / own,
        "vq_drawn": 100 * sharpness(drawn[1]) / own,
        "vae_error": float(np.sqrt(np.square(backs[0] - pictures).mean())),
        "vq_error": float(np.sqrt(np.square(backs[1] - pictures).mean())),
        "vq_codes": codes.shape[1],
        "vq_largest": np.max(codes),
        "vq_whole": 100 * float((codes == np.round(codes)).mean()),
    }


@stop
def features() -> Figures:
    """Codes to search by, and codes to learn from with few labels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pictures, labels = np.load("clothes.npy"), _labels()
    raw = pictures.reshape(len(pictures), -1).astype(float)
    ways = {
        "pixels": raw,
        "pca 2": fitted(pictures, "pca", latent=2, trim=0.0).encode(pictures),
        "pca 16": fitted(pictures, "pca", latent=16, trim=0.0).encode(pictures),
        "vae 2": aetool.load("plane.aem").encode(pictures),
        "vae 16": aetool.load("vae.aem").encode(pictures),
        "sparse 64": aetool.load("k8.aem").encode(pictures),
    }
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    wanted = _neighbours(raw, 10)
    found, recalls, scores = {}, [], []
    for name, code in ways.items():
        alike = [len(set(a) & set(b)) for a, b in zip(wanted, _neighbours(code, 10), strict=True)]
        recalls.append(np.mean(alike) / 10)
        # one penalty for all, on features of one scale
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=2000))
        scores.append(float(cross_val_score(classifier, code, labels, cv=folds).mean()))
        key = name.replace(" ", "_")
        found |= {f"recall_{key}": 100 * recalls[-1], f"accuracy_{key}": 100 * scores[-1]}
    figure, (left, right) = plot(2)
    places = np.arange(len(ways))
    colours = [GREY, INK, INK, BLUE, BLUE, ORANGE]
    for axis, values, title in (
        (left, recalls, "recall@10 of the nearest by pixels"),
        (right, scores, "accuracy of a linear classifier, ten kinds"),
    ):
        axis.barh(places, values, color=colours)
        axis.set_yticks(places, list(ways))
        axis.invert_yaxis()
        axis.set_xlim(0, 1)
        axis.set_title(title)
    keep(figure, "features")
    return found


def _neighbours(code: Any, count: int) -> Any:
    """(n, count): for each row of a code the numbers of the nearest other rows."""
    code = np.asarray(code, float)
    gaps = np.square(code[:, None] - code[None]).sum(axis=2)
    np.fill_diagonal(gaps, np.inf)
    return np.argsort(gaps, axis=1, kind="stable")[:, :count]


@stop
def anomalies() -> Figures:
    """Two kinds of anomaly, by error and by ELBO."""
    table = pd.read_csv("odd.csv")
    kind = table.pop("kind")
    error, elbo = aetool.load("error.aem").score(table), aetool.load("elbo.aem").score(table)
    figure, (left, right) = plot(2, sharey=True)
    colours = {"real": GREY, "off": ORANGE, "far": BLUE}
    names = {"real": "ordinary", "off": "off the plane", "far": "far out on the plane"}
    found = {}
    for axis, scores, way in ((left, error, "error"), (right, elbo, "elbo")):
        scores = np.asarray(scores)
        for place, (name, colour) in enumerate(colours.items()):
            own = np.maximum(scores[kind == name], 1e-3)
            spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(own))
            axis.scatter(own, place + spread, s=5, color=colour, linewidths=0)
            if name != "real":
                found[f"{way}_{name}"] = auroc(scores[kind == "real"], scores[kind == name])
        axis.set_yticks(range(3), [names[name] for name in colours])
    left.set_xscale("log")
    left.set_title("reconstruction error")
    right.set_title("negative ELBO, bits")
    keep(figure, "anomalies")
    return found


@stop
def rate() -> Figures:
    """Bytes against error: exact, bounded, and by codes."""
    frame = pd.read_csv("air.csv")
    numbers = frame.select_dtypes("number")

    def point(**given: Any) -> tuple[float, float]:
        """(bytes of a row, root mean square error in deviations)."""
        aetool.compress("air.csv", "point.aez", force=True, **given)
        aetool.decompress("point.aez", "back.csv", model=given.get("model"), force=True)
        off = (numbers - pd.read_csv("back.csv")[list(numbers)]) / numbers.std()
        return Path("point.aez").stat().st_size / len(frame), float(
            np.sqrt(np.nanmean(np.square(off)))
        )

    exact = point()
    bounded = {bound: point(max_error=bound) for bound in ("0.5%", "1%", "2%", "4%", "8%", "16%")}
    model = aetool.load("rate.aem")
    codes = {
        latent: point(model=model, lossy=True, lossy_only=True, embed=False, latent=latent)
        for latent in (1, 2, 4, 8)
    }
    figure, axis = plot(1, 3.1)
    axis.axhline(exact[0], color=INK, linestyle=":", label="exact (error 0)")
    for points, colour, label in (
        (bounded, INK, "bounded"),
        (codes, ORANGE, "code of pca, the model apart"),
    ):
        axis.plot(
            [p[1] for p in points.values()],
            [p[0] for p in points.values()],
            marker="o",
            color=colour,
            label=label,
        )
        for name, (size, off) in points.items():
            axis.annotate(
                str(name),
                (off, size),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7.5,
                color=colour,
            )
    axis.set_xlabel("root mean square error, standard deviations")
    axis.set_ylabel("bytes of a row")
    axis.set_yscale("log")
    plain(axis)
    axis.legend(frameon=False)
    keep(figure, "rate")
    found = {"exact": exact[0]}
    for bound, (size, off) in bounded.items():
        key = bound.removesuffix("%").replace(".", "_")
        found |= {f"bounded_{key}": size, f"bounded_{key}_off": off}
    for latent, (size, off) in codes.items():
        found |= {f"code_{latent}": size, f"code_{latent}_off": off}
    return found


def main() -> None:
    """Build the stops of the course that are named, or all of them and the guide."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("stops", nargs="*", metavar="STOP", help=", ".join(STOPS))
    parser.add_argument("--text", action="store_true", help="only the guide, from the numbers kept")
    options = parser.parse_args()
    unknown = set(options.stops) - set(STOPS)
    if unknown:
        parser.error(f"no such stop: {', '.join(sorted(unknown))}; there are {', '.join(STOPS)}")
    FIGURES.mkdir(exist_ok=True)
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
    if not options.text:
        start = time.process_time()
        with workshop() as folder, contextlib.chdir(folder):
            for name in options.stops or STOPS:
                began = time.process_time()
                numbers[name] = {key: round(value, 6) for key, value in visit(name).items()}
                print(f"{name}: {time.process_time() - began:.1f} CPU s", numbers[name], flush=True)
                in_order = {one: numbers[one] for one in STOPS if one in numbers}
                NUMBERS.write_text(json.dumps(in_order, indent=1) + "\n", encoding="utf-8")
        print(f"all: {time.process_time() - start:.1f} CPU s")
    guide = rendered(TEXT.read_text(encoding="utf-8"), numbers)
    GUIDE.write_text(guide, encoding="utf-8")


if __name__ == "__main__":
    main()
