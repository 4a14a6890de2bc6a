"""Surfaces that look alike everywhere: densities of pixels, an even light, and defects in stone."""

import numpy as np
import pytest
from scipy import ndimage, stats

from aetool import operations
from aetool.closed_form import evaluated
from aetool.data import scaling
from aetool.detection.ranking import auroc
from aetool.fits import fitting
from aetool.operations import FitOptions
from aetool.rarity import Rarity
from aetool_patches.colours import Colours, Fine
from aetool_patches.density import MOST_NATS, Density
from aetool_patches.surface import Surfaces, alike_everywhere

SIDE = 64


def stones(count, seed):
    """Dark and pale grains in a ground of one colour, under a light of their own."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(-1, 1, SIDE)
    pictures = []
    for _ in range(count):
        scene = np.full((SIDE, SIDE, 3), (180.0, 170.0, 150.0))
        for colour in ((90, 80, 80), (225, 225, 220)):
            height = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2.0)
            scene[height > 0.17] = colour
        light = rng.uniform(0.9, 1.0) * (1 + 0.05 * rng.choice([-1, 1]) * slope[:, None])
        levels = scene * light[..., None] + rng.normal(0, 3, scene.shape)
        pictures.append(levels.clip(0, 255).astype(np.uint8))
    return np.stack(pictures)


def stained(pictures, seed):
    """(pictures with a spot of a colour between those of ground and grains, (n, 2): its middle)."""
    rng = np.random.default_rng(seed)
    damaged = pictures.copy()
    middles = rng.integers(10, SIDE - 10, (len(pictures), 2))
    down, right = np.mgrid[:SIDE, :SIDE]
    for picture, (y, x) in zip(damaged, middles, strict=True):
        spot = np.hypot(down - y, right - x) < 6
        picture[spot] = 0.65 * picture[spot] + 0.35 * np.array([76, 56, 25])
    return damaged, middles


def features(pictures):
    """(n, features): what a model is given of pictures, (n, height, width, 3)."""
    return scaling.image_features(pictures.transpose(0, 3, 1, 2)).reshape(len(pictures), -1)


def solved(pictures):
    """The spec of pictures, and the solution that is fitted on them."""
    spec = scaling.image_spec((3, *pictures.shape[1:3]))
    params = fitting.make_params(fitting.plugins.get_model("surface"), {})
    return spec, Surfaces(spec, params).fit([features(pictures)])


@pytest.fixture(scope="module")
def fitted():
    """A model that is fitted on ordinary stones."""
    return operations.fit(stones(40, 0), FitOptions("surface"))


def test_a_stain_in_stone_is_found_and_shown_where_it_is(fitted):
    damaged, middles = stained(stones(30, 3), 3)
    asked = np.concatenate([stones(30, 2), damaged])
    scores = operations.score(asked, fitted, "cpu")
    assert auroc(scores, np.arange(60) >= 30) > 0.99
    parts = fitted.session("score.onnx", "cpu")(damaged.transpose(0, 3, 1, 2))["parts"]
    assert (parts >= 0).all() and (parts[:, -1] == 0).all()
    maps = parts[:, :-1].reshape(-1, SIDE, SIDE)
    worst = np.array([np.unravel_index(one.argmax(), one.shape) for one in maps])
    assert np.mean(np.abs(worst - middles).max(axis=1) <= 7) > 0.9


def test_a_fitted_picture_is_scored_as_a_new_one_would_be(fitted):
    old = operations.score(stones(40, 0), fitted, "cpu")
    new = operations.score(stones(40, 1), fitted, "cpu")
    assert np.median(old) == pytest.approx(np.median(new), abs=0.5)
    assert (
        operations.score(stones(100, 9), fitted, "cpu") > fitted.calibration.threshold()
    ).mean() < 0.05


# bits against their formula, which no code but its own changes
@pytest.mark.long
def test_bits_are_those_of_the_formula():
    """Usual costs, power means and rarities by numpy, from the costs that the graph gives."""
    pictures = stones(12, 0)
    spec, solution = solved(pictures)
    asked = stained(stones(4, 5), 5)[0]
    rest = solution.without(np.arange(8, 12))
    _, again = solved(pictures)
    assert (again.fitted.costs == solution.fitted.costs).all()
    maps = _maps(solution, solution.fitted.costs[:8])
    usual, deviation = _usual(maps)
    assert rest.usual == pytest.approx(usual.ravel(), abs=1e-4)
    assert rest.deviation == pytest.approx(deviation.ravel(), rel=1e-4)
    parts = evaluated(rest.bits, spec, features(asked))
    expected = _bits(maps, _costs(spec, rest, features(asked))) * rest.alike**2
    assert expected.min() > 0.1
    assert parts.sum(axis=1) == pytest.approx(expected, rel=1e-3)


def _costs(spec, solution, rows):
    """(n, maps, height, width): the costs that the graph gives of features, (n, features)."""
    costs = evaluated(
        lambda g, x: solution.colours.costs(g, x, solution.densities),
        spec,
        rows,
    )
    return _maps(solution, costs)


def _maps(solution, costs):
    """Costs, (n, maps * places), as maps in float64, (n, maps, height, width)."""
    return costs.astype(np.float64).reshape(len(costs), -1, *solution.colours.frame.grid)


def _about(maps):
    """Maps, (..., height, width), averaged over the places around each: two places' Gaussian."""
    height, width = maps.shape[-2:]
    weights = []
    for side in (height, width):
        off = np.arange(side) - np.arange(side)[:, None]
        weight = np.exp(-(off**2) / 8)
        weights.append(weight / weight.sum(axis=1, keepdims=True))
    return np.einsum("ih,...hw,jw->...ij", weights[0], maps, weights[1])


def _usual(maps):
    """(usual, deviation) of the costs of pictures, (pictures, maps, height, width)."""
    usual = _about(maps.mean(axis=0))
    strays = np.sqrt(_about(((maps - usual) ** 2).mean(axis=0)))
    return usual, strays + strays.mean(axis=(1, 2), keepdims=True) + 0.01


def _joined(maps, usual, deviation):
    """(n, maps): the power mean over places of how far costs lie beyond the usual, and 1."""
    beyond = ((maps - usual) / deviation).clip(0, 100) + 1
    return (beyond**16).mean(axis=(2, 3)) ** (1 / 16)


def _bits(fitted_maps, asked_maps):
    """(n,): the score of pictures by the costs of those fitted, each of which is judged by all
    others where there are three; without the weight of how alike they look."""
    held_out = _joined(fitted_maps, *_usual(fitted_maps))
    if len(fitted_maps) >= 3:
        each = []
        for k in range(len(fitted_maps)):
            others = np.delete(fitted_maps, k, axis=0)
            each.append(_joined(fitted_maps[k : k + 1], *_usual(others))[0])
        held_out = np.array(each)
    asked = _joined(asked_maps, *_usual(fitted_maps))
    rare = [Rarity.of_few(a).of_scores(b) for a, b in zip(held_out.T, asked.T, strict=True)]
    # models that are sure count more than by the mean, as where members are joined
    powers = 2.0 ** (0.7 * np.stack(rare))
    return np.log2(powers.mean(axis=0)) / 0.7


@pytest.mark.parametrize("light", [False, True])
def test_what_densities_describe(light):
    """Colours; blurred ones and contrast; and blurred ones and the contrasts of three grains; and
    blurred ones and the contrast of thin lines."""
    pictures = stones(2, 3)
    spec = scaling.image_spec((3, SIDE, SIDE))
    colours = Colours(Fine((3, SIDE, SIDE), brightness=False), light)
    aspects = [
        evaluated(
            lambda g, x, number=number: g.op("Flatten", colours.aspects(g, x)[number], axis=1),
            spec,
            features(pictures),
        ).reshape(2, -1, SIDE, SIDE)
        for number in range(4)
    ]
    even, beside_contrast, beside_grains, beside_narrow = aspects
    assert [aspect.shape[1] for aspect in aspects] == [3, 4, 6, 4]
    if not light:
        logarithms = np.log(pictures.transpose(0, 3, 1, 2) / 255 + 0.02)
        assert even == pytest.approx(logarithms, abs=1e-5)

    def blurred(maps, deviation):
        off = np.arange(SIDE) - np.arange(SIDE)[:, None]
        weight = np.exp(-0.5 * (off / deviation) ** 2)
        weight /= weight.sum(axis=1, keepdims=True)
        return weight @ maps @ weight.T

    def contrast(fine, coarse, least, about=2.5):
        change = blurred(even, fine) - blurred(even, coarse)
        return 0.1 * np.log(blurred((change**2).sum(axis=1), about) + least**2)

    softened = blurred(even, 0.7)
    assert beside_contrast[:, :3] == pytest.approx(softened, abs=1e-4)
    assert beside_grains[:, :3] == pytest.approx(softened, abs=1e-4)
    assert beside_contrast[:, 3] == pytest.approx(contrast(0.7, 2.5, 0.02), abs=1e-4)
    assert beside_narrow[:, :3] == pytest.approx(softened, abs=1e-4)
    narrow = contrast(0.7, 1.4, 0.02, about=1.2)
    assert beside_narrow[:, 3] == pytest.approx(narrow, abs=1e-4)
    for number, (fine, coarse) in enumerate([(0.7, 1.4), (1.4, 2.8), (2.8, 5.6)]):
        expected = contrast(fine, coarse, 0.01)
        assert beside_grains[:, 3 + number] == pytest.approx(expected, abs=1e-4)


def test_a_patch_of_coarser_grain_is_found():
    """Of the same colours and the same contrast: only how coarse it is tells it."""
    rng = np.random.default_rng(0)

    def grained(coarse):
        fine_noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.0)
        picture = fine_noise / fine_noise.std()
        if coarse:
            noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2.2)
            picture[20:44, 20:44] = (noise / noise.std())[20:44, 20:44]
        levels = 120 + 20 * picture[..., None] + rng.normal(0, 2, (SIDE, SIDE, 3))
        return levels.clip(0, 255).astype(np.uint8)

    pictures = np.stack([grained(False) for _ in range(40)])
    asked = np.stack([grained(number >= 15) for number in range(30)])
    spec, solution = solved(pictures)
    scores = evaluated(solution.bits, spec, features(asked)).sum(axis=1)
    assert auroc(scores, np.arange(30) >= 15) > 0.97


def test_a_density_is_that_of_its_gaussians():
    """By scipy, and where pixels are drawn from two Gaussians near what these cost."""
    rng = np.random.default_rng(0)
    first = rng.multivariate_normal([0, 0, 1], np.diag([0.04, 0.01, 0.09]), 3000)
    second = rng.multivariate_normal([2, -1, 0], 0.02 * np.eye(3), 1000)
    density = Density.of(np.concatenate([first, second]))
    asked = np.concatenate([first[:50], second[:50], [[9.0, 9, 9]]])
    expected = 0
    for axes, mean, nats in zip(density.axes, density.means, density.nats, strict=True):
        covariance = np.linalg.inv(axes @ axes.T)
        at_mean = stats.multivariate_normal(mean, covariance).pdf(mean)
        expected = (
            expected
            + stats.multivariate_normal(mean, covariance).pdf(asked) * np.exp(-nats) / at_mean
        )
    spec = scaling.image_spec((3, 1, 1))
    written = evaluated(
        lambda g, x: g.op(
            "Flatten",
            density.write(g, g.op("Reshape", x, g.const([-1, 3, 1, 1], np.int64))),
            axis=1,
        ),
        spec,
        asked,
    )[:, 0]
    assert written[:100] == pytest.approx(-np.log(expected[:100]), abs=1e-3)
    assert written[100] == MOST_NATS
    true = 0.75 * stats.multivariate_normal([0, 0, 1], np.diag([0.04, 0.01, 0.09])).pdf(asked)
    true = true + 0.25 * stats.multivariate_normal([2, -1, 0], 0.02 * np.eye(3)).pdf(asked)
    # costs are those of white descriptors, which differ by a constant
    off = written[:100] + np.log(true[:100])
    assert off.std() < 0.35


def test_a_light_from_one_side_is_taken_off():
    """Of a ground with grains on a third of it: the ground is 0, whatever its brightness."""
    rng = np.random.default_rng(0)
    grains = rng.random((SIDE, SIDE)) < 0.33
    scene = np.where(grains[..., None], (60.0, 40.0, 40.0), (160.0, 150.0, 120.0))
    slope = np.linspace(-1, 1, SIDE)
    lit = scene * np.exp(0.08 * slope[:, None, None] - 0.05 * slope[None, :, None])
    pictures = np.stack([scene, lit * 0.8, lit * [1.05, 1.0, 0.95]]).round().astype(np.uint8)
    frame = Fine((3, SIDE, SIDE), False)
    spec = scaling.image_spec((3, SIDE, SIDE))
    flat = evaluated(
        lambda g, x: g.op("Flatten", Colours(frame, True).even(g, x), axis=1),
        spec,
        features(pictures),
    )
    colours = flat.reshape(3, 3, SIDE, SIDE)
    assert np.abs(colours[:, :, ~grains]).max() < 0.02
    far = colours[:, :, grains].mean(axis=2)
    ratio = (np.array([60, 40, 40]) / 255 + 0.02) / (np.array([160, 150, 120]) / 255 + 0.02)
    assert far == pytest.approx(np.log(ratio)[None].repeat(3, axis=0), abs=0.03)
    as_they_are = evaluated(
        lambda g, x: g.op("Flatten", Colours(frame, False).even(g, x), axis=1),
        spec,
        features(pictures),
    )
    expected = np.log(pictures.transpose(0, 3, 1, 2) / 255 + 0.02).reshape(3, -1)
    assert as_they_are == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("upright", [False, True])
def test_the_light_of_a_picture_of_one_row_is_taken_off(upright):
    """Along the side that there is: across a single pixel nothing changes."""
    grains = np.arange(90) % 3 == 1
    scene = np.where(grains[:, None], (60.0, 40.0, 40.0), (160.0, 150.0, 120.0))
    lit = scene * np.exp(0.08 * np.linspace(-1, 1, 90))[:, None]
    size = (90, 1) if upright else (1, 90)
    picture = lit.round().astype(np.uint8).reshape(1, *size, 3)
    shape = (3, *size)
    written = evaluated(
        lambda g, x: g.op("Flatten", Colours(Fine(shape, False), True).even(g, x), axis=1),
        scaling.image_spec(shape),
        features(picture),
    ).reshape(3, 90)
    assert np.abs(written[:, ~grains]).max() < 0.02
    ratio = (np.array([60, 40, 40]) / 255 + 0.02) / (np.array([160, 150, 120]) / 255 + 0.02)
    assert written[:, grains].mean(axis=1) == pytest.approx(np.log(ratio), abs=0.03)


def test_pictures_of_a_thing_are_told_from_a_surface():
    """How far pictures look alike everywhere: all of noise, nothing of one picture shown again."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(30, 500, 3)).astype(np.float32)
    assert alike_everywhere(noise) > 0.99
    thing = rng.normal(size=(1, 500, 3)).astype(np.float32).repeat(30, axis=0)
    assert alike_everywhere(thing) < 0.01
    assert alike_everywhere(noise + thing) == pytest.approx(0.5, abs=0.05)
    assert (
        alike_everywhere(noise[:2]) == 1.0
        and alike_everywhere(np.zeros((5, 9, 3), np.float32)) == 1.0
    )


# the largest takes as long as all other tests of odd shapes
@pytest.mark.parametrize(
    "shape", [(3, 5, 4), (1, 1, 40), (1, 9, 1), pytest.param((4, 40, 300), marks=pytest.mark.long)]
)
def test_pictures_of_any_size_and_few_of_them(shape):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    pixels[5] = 0
    spec = scaling.image_spec(shape)
    rows = scaling.image_features(pixels).reshape(6, -1)
    params = fitting.make_params(fitting.plugins.get_model("surface"), {})
    for count in (1, 2, 6):
        solution = Surfaces(spec, params).fit([rows[:count]])
        parts = evaluated(solution.bits, spec, rows)
        assert parts.shape == (6, shape[1] * shape[2] + 1) and (parts[:, -1] == 0).all()
        fitted_maps = _maps(solution, solution.fitted.costs)
        expected = _bits(fitted_maps, _costs(spec, solution, rows)) * solution.alike**2
        assert parts.sum(axis=1) == pytest.approx(expected, rel=2e-3, abs=2e-3)
        # black, that no fitted picture was
        assert count == 6 or expected[5] > expected[0]
    assert solution.without(np.arange(6)) is solution


def test_brightness_may_differ_unless_it_is_said_that_it_may_not():
    """Darker pictures: ordinary where brightness does not count, odd where it does."""
    ordinary = stones(8, 1)
    asked = np.concatenate([ordinary, (ordinary * 0.6).astype(np.uint8)])
    truth = np.arange(16) >= 8
    for brightness, least, most in (("false", 0.99, 1.0), ("true", 0.0, 0.9)):
        model = operations.fit(stones(12, 0), FitOptions("surface", {"brightness": brightness}))
        assert least <= auroc(operations.score(asked, model, "cpu"), truth) <= most


def test_the_default_joins_it_for_large_pictures_alone():
    auto = fitting.plugins.get_model("auto")
    weights = {member.model: member for member in auto.members if {"image"} <= member.data}
    surface = weights["surface"]
    assert surface.suits(3 * 128 * 128) and not surface.suits(28 * 28)
    assert surface.in_bits and surface.fits == {"plain", "robust"}


# a fit each
@pytest.mark.parametrize(
    "kind", [pytest.param("blank", marks=pytest.mark.long), "of a light of their own"]
)
def test_pictures_without_anything_on_them_are_ordinary(kind, tmp_path):
    """Their costs differ by rounding alone; a stain among them is far out."""
    light = np.full(30, 230) if kind == "blank" else 225 + np.arange(30) // 3
    sheets = np.broadcast_to(light[:, None, None], (30, 40, 40)).astype(np.uint8)
    np.save(tmp_path / "sheets.npy", sheets)
    model = operations.fit(tmp_path / "sheets.npy", FitOptions("surface"))
    assert operations.score(tmp_path / "sheets.npy", model).max() < 3
    stained = sheets[:3].copy()
    stained[1, 10:20, 10:20] = 60
    np.save(tmp_path / "stained.npy", stained)
    clean, stain, _ = operations.score(tmp_path / "stained.npy", model)
    assert stain > 10 and clean < 3
