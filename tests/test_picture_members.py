"""Pictures compared as a whole and place by place: what is compared, what may differ, and where."""

import numpy as np
import pytest

from aetool import operations
from aetool.closed_form import evaluated
from aetool.data import scaling
from aetool.detection.ranking import auroc
from aetool.fits import fitting
from aetool.operations import FitOptions
from aetool_patches.aligned import Alignment, Steps
from aetool_patches.net import Patches, _neighbouring_places
from aetool_patches.texture import Frame, window_means
from aetool_patches.usual import APART, Compared, Moments, _usual_and_deviation
from aetool_views.net import Nearest
from aetool_views.views import Views, slopes, smoothing

SIDE = 32
MODELS = {"views": Nearest, "patches": Patches}


def crosses(count, seed, moved=2):
    """Bright crosses on a dark ground, each moved a little, of another brightness, with noise."""
    rng = np.random.default_rng(seed)
    place = np.arange(SIDE)
    pictures = []
    for _ in range(count):
        y, x = SIDE / 2 + rng.integers(-moved, moved + 1, 2)
        bars = (np.abs(place[:, None] - y) < 3) | (np.abs(place[None, :] - x) < 3)
        levels = 60 + 100 * rng.uniform(0.9, 1.1) * bars + rng.normal(0, 3, (SIDE, SIDE))
        pictures.append(levels.clip(0, 255).astype(np.uint8))
    return np.stack(pictures)


def with_holes(pictures, size=4):
    """(pictures with a dark square on a bar, (n, 2): its middle)."""
    damaged, middles = pictures.copy(), []
    for number, picture in enumerate(damaged):
        y = SIDE // 2 if number % 2 else 4 + number % 20
        x = 4 + number % 20 if number % 2 else SIDE // 2
        picture[y - size // 2 : y + size // 2, x - size // 2 : x + size // 2] = 30
        middles.append((y, x))
    return damaged, np.array(middles)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The pictures, and a model of each kind fitted on them."""
    folder = tmp_path_factory.mktemp("crosses")
    np.save(folder / "fit.npy", crosses(80, 0))
    models = {name: operations.fit(folder / "fit.npy", FitOptions(name)) for name in MODELS}
    return folder, models


def scores(model, pictures, folder):
    np.save(folder / "asked.npy", pictures)
    return operations.score(folder / "asked.npy", model, "cpu")


def parts_of(model, pictures):
    return model.session("score.onnx", "cpu")(pictures[:, None])["parts"]


@pytest.mark.parametrize("name", MODELS)
def test_a_fitted_picture_is_scored_as_a_new_one_would_be(fitted, name):
    folder, models = fitted
    old = scores(models[name], crosses(80, 0), folder)
    new = scores(models[name], crosses(80, 1), folder)
    assert np.median(old) == pytest.approx(np.median(new), abs=0.5)
    assert np.quantile(old, 0.9) == pytest.approx(np.quantile(new, 0.9), abs=1.5)


def test_a_defect_is_found_and_shown_where_it_is(fitted):
    folder, models = fitted
    ordinary = crosses(40, 2)
    damaged, middles = with_holes(crosses(40, 3))
    asked = np.concatenate([ordinary, damaged])
    truth = np.arange(80) >= 40
    assert auroc(scores(models["patches"], asked, folder), truth) > 0.99
    maps = parts_of(models["patches"], damaged)[:, :-1].reshape(-1, SIDE, SIDE)
    worst = np.array([np.unravel_index(one.argmax(), one.shape) for one in maps])
    assert (np.abs(worst - middles).max(axis=1) <= 6).all()


def test_another_kind_of_thing_is_far_from_all_pictures(fitted):
    """Rings beside crosses of the same colours."""
    folder, models = fitted
    place = np.arange(SIDE) - SIDE / 2
    away = np.hypot(place[:, None], place[None, :])
    ring = (60 + 100 * (np.abs(away - 9) < 3)).astype(np.uint8)
    rng = np.random.default_rng(4)
    rings = np.stack([np.roll(ring, rng.integers(-2, 3, 2), (0, 1)) for _ in range(40)])
    asked = np.concatenate([crosses(40, 2), rings])
    assert auroc(scores(models["views"], asked, folder), np.arange(80) >= 40) == 1.0


def test_a_score_falls_on_pixels_and_nothing_is_shared(fitted):
    _, models = fitted
    for model in models.values():
        parts = parts_of(model, with_holes(crosses(10, 3))[0])
        assert parts.shape == (10, SIDE * SIDE + 1)
        assert (parts >= 0).all() and (parts[:, -1] == 0).all()


@pytest.mark.parametrize(("name", "options"), [
    ("views", {"brightness": "true"}),
    # two fits of parts of pictures take three seconds
    pytest.param("patches", {"brightness": "true"}, marks=pytest.mark.long),
])  # fmt: skip
def test_brightness_may_differ_by_option(tmp_path, name, options):
    """Darker pictures: ordinary where brightness does not count, odd where it does."""
    np.save(tmp_path / "fit.npy", crosses(60, 0))
    ordinary = crosses(30, 1)
    asked = np.concatenate([ordinary, (ordinary * 0.85).astype(np.uint8)])
    truth = np.arange(60) >= 30
    strict = operations.fit(tmp_path / "fit.npy", FitOptions(name, {"brightness": "false"}))
    loose = operations.fit(tmp_path / "fit.npy", FitOptions(name, options))
    assert auroc(scores(strict, asked, tmp_path), truth) > 0.8
    lifted = scores(loose, asked, tmp_path)
    apart = scores(strict, asked, tmp_path)
    assert lifted[30:].mean() - lifted[:30].mean() < 0.5 * (apart[30:].mean() - apart[:30].mean())


# two fits of either, at every place; parts that stand elsewhere are found in the fast set
@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_a_shift_is_tolerated_by_option(name, tmp_path):
    """A picture moved by three pixels, where those fitted hardly move."""
    np.save(tmp_path / "fit.npy", crosses(24, 0, moved=0))
    moved = np.roll(crosses(20, 1, moved=0), 3, axis=1)
    strict = operations.fit(tmp_path / "fit.npy", FitOptions(name, {"shift": "1"}))
    loose = operations.fit(tmp_path / "fit.npy", FitOptions(name, {"shift": "3"}))
    assert scores(loose, moved, tmp_path).mean() < scores(strict, moved, tmp_path).mean()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 1, 40), (1, 9, 1), (3, 40, 300)])
def test_pictures_of_any_size_and_few_of_them(name, shape):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    spec = scaling.image_spec(shape)
    rows = scaling.image_features(pixels).reshape(6, -1)
    for count in (1, 2, 6):
        params = fitting.make_params(fitting.plugins.get_model(name), {})
        solution = MODELS[name](spec, params).fit([rows[:count]])
        parts = evaluated(solution.bits, spec, rows)
        assert parts.shape == (6, shape[1] * shape[2] + 1) and np.isfinite(parts).all()


@pytest.mark.parametrize("size", [24, 50])
@pytest.mark.parametrize("move", [(0, 0), (2, 0), (-3, 0), (0, 4), (0, -1), (3, -5)])
def test_a_shifted_comparison_is_that_of_the_moved_picture(size, move):
    """Moved down and to the right by so many pixels, the edges repeated."""
    shape = (2, size, size)
    rng = np.random.default_rng(size)
    picture = rng.normal(size=shape)
    down, right = move
    rows = np.clip(np.arange(size) - down, 0, size - 1)
    columns = np.clip(np.arange(size) - right, 0, size - 1)
    moved = picture[:, rows][:, :, columns]
    spec = scaling.image_spec(shape)
    views = Views(shape)
    for k in range(3):
        shifted = evaluated(
            lambda g, x, k=k: views.write(g, x, move)[k], spec, picture.reshape(1, -1)
        )
        plain = evaluated(lambda g, x, k=k: views.write(g, x)[k], spec, moved.reshape(1, -1))
        np.testing.assert_allclose(shifted, plain, rtol=1e-4, atol=1e-5)


def test_the_views_are_what_they_are_said_to_be():
    """Of a picture that rises evenly to the right: one direction has all the slope."""
    shape = (1, 28, 28)
    ramp = np.tile(np.arange(28) * 8, (28, 1)).astype(np.uint8)[None, None]
    rows = scaling.image_features(ramp).reshape(1, -1)
    spec = scaling.image_spec(shape)
    views = Views(shape)
    colours, fine, coarse = (
        evaluated(lambda g, x, k=k: views.write(g, x)[k], spec, rows)[0] for k in range(3)
    )
    assert [len(one) for one in (colours, fine, coarse)] == views.widths
    assert np.diff(colours.reshape(14, 14), axis=1)[:, 2:-2] == pytest.approx(16 / 255, rel=1e-3)
    by_direction = fine.reshape(8, 49)
    assert by_direction[0] ** 2 == pytest.approx(8 / 255, rel=0.01)
    assert by_direction[[2, 3, 4, 5, 6]].max() < 1e-3
    # beside the edges of all directions, contrast counts no more
    assert (coarse.reshape(8, 16)[0] > 1.5 * coarse.reshape(8, 16)[1]).all()


@pytest.mark.parametrize(("size", "places", "deviation"), [(28, 28, 0.8), (28, 7, 2.0), (5, 9, 0)])
def test_weights_along_a_line(size, places, deviation):
    for means in (smoothing(size, places, deviation), window_means(size, places, deviation)):
        assert means.shape == (places, size)
        assert means.sum(axis=1) == pytest.approx(1)
    assert slopes(size, 1.0) @ (3.0 * np.arange(size) + 7) == pytest.approx(3)


def test_a_window_reaches_every_place_once_and_no_farther():
    """Where a place is seen from, and where what was found there stands, by brute force."""
    height, width, cells = 4, 5, 1
    seen, found = _neighbouring_places((height, width), cells)
    reached = seen.ravel()[found]
    # every number found for a place is of that very place
    assert (reached == np.arange(height * width)[:, None]).all()
    middle = (1 * width + 2) * 9
    assert len(set((found[1 * width + 2] // 9).tolist())) == 9
    assert middle + 4 in found[1 * width + 2]


def test_the_default_compares_small_pictures_as_a_whole_first(fitted):
    """Both are joined for pictures of any size; the larger ones are told place by place."""
    auto = fitting.plugins.get_model("auto")
    weights = {
        features: {
            member.model: member.weight
            for member in auto.members
            if {"image"} <= member.data and {"plain"} <= member.fits and member.suits(features)
        }
        for features in (28 * 28, 3 * 128 * 128)
    }
    small, large = weights.values()
    assert small["views"] > small["patches"] and large["views"] < large["patches"]
    folder, _ = fitted
    model = operations.fit(folder / "fit.npy", FitOptions(robust=True))
    assert model.facts["members"] == ["views", "patches"]
    asked = np.concatenate([crosses(20, 2), with_holes(crosses(20, 3))[0]])
    assert auroc(scores(model, asked, folder), np.arange(40) >= 20) > 0.95


def test_what_lies_far_from_others_is_not_remembered_by_option(tmp_path):
    """Rings among crosses: remembered they vouch for other rings, and less so if they are not."""
    place = np.arange(SIDE) - SIDE / 2
    away = np.hypot(place[:, None], place[None, :])
    ring = (60 + 100 * (np.abs(away - 9) < 3)).astype(np.uint8)
    rng = np.random.default_rng(4)
    rings = np.stack([np.roll(ring, rng.integers(-2, 3, 2), (0, 1)) for _ in range(40)])
    np.save(tmp_path / "fit.npy", np.concatenate([crosses(90, 0), rings[:10]]))
    off = {}
    for trim in (0.0, 0.2):
        model = operations.fit(tmp_path / "fit.npy", FitOptions("views", {"trim": trim}))
        assert model.facts["remembered"] == round(100 * (1 - trim))
        likely = model.session("score.onnx", "cpu")(rings[10:, None])["expected"]
        off[trim] = np.abs(likely[:, 0] - rings[10:]).mean()
    assert off[0.2] > 1.5 * off[0.0], "the nearest picture is a cross"


def test_places_are_compared_with_all_within_reach_and_no_others():
    """By brute force; a picture is not compared with itself."""
    rng = np.random.default_rng(0)
    frame = Frame((1, 8, 10))
    height, width = frame.grid
    rows = rng.normal(size=(5, frame.places, 3))
    compared = Compared.of(frame, 1, rows[1:4], rows, np.arange(1, 4), np.arange(5), 1e-3)
    assert compared.squares.shape == (3, 5, frame.places)
    for judged, other, down, right in [(0, 0, 0, 0), (1, 4, 2, 3), (2, 1, height - 1, width - 1)]:
        place = rows[judged + 1, down * width + right]
        near = [
            ((place - rows[other, y * width + x]) ** 2).sum()
            for y in range(max(0, down - 1), min(height, down + 2))
            for x in range(max(0, right - 1), min(width, right + 2))
        ]
        found = compared.squares[judged, other, down * width + right]
        assert found == pytest.approx(min(near), rel=1e-5)
    itself = compared.squares[np.arange(3), np.arange(1, 4)]
    assert (itself > 1e5).all()


def test_what_is_usual_is_told_by_the_other_pictures():
    """How rare a picture is, is told as if it had not been among those that tell what is usual."""
    rng = np.random.default_rng(0)
    frame = Frame((1, 8, 10))
    rows = rng.normal(size=(12, frame.places, 3))
    rows[7] *= 3
    memory = rng.normal(size=(6, frame.places, 3))
    compared = Compared.of(frame, 1, rows, memory, np.arange(12), np.arange(20, 26), 1e-3)
    far = np.sqrt(compared.squares.min(axis=1).astype(np.float64))
    others = np.delete(far, 7, axis=0)
    usual, deviation = _usual_and_deviation(frame, others.mean(axis=0), (others**2).mean(axis=0))
    beyond = np.maximum((far[7] - usual) / deviation, 0.0) + 1.0
    score = (beyond**16).mean() ** (1 / 16)
    rarity = compared.usual()[2]
    # the rarest of twelve lies where the quantiles of their scores say
    assert rarity.scores[-1] < score
    assert rarity.of_scores(np.array([score]))[0] > rarity.bits[-1]
    left = compared.without(np.array([7]))
    mean, strays, _ = left.usual()
    assert mean == pytest.approx(usual) and strays == pytest.approx(deviation, rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_pictures_are_left_out_without_another_fit(name, monkeypatch):
    """Held-out scores are of memories without a few pictures each, and one fit."""
    pictures = crosses(40, 0)
    fits = []
    fit = MODELS[name].fit

    def counted(self, batches):
        fits.append(sum(len(batch) for batch in batches))
        return fit(self, batches)

    monkeypatch.setattr(MODELS[name], "fit", counted)
    spec = scaling.image_spec((1, SIDE, SIDE))
    rows = scaling.image_features(pictures[:, None]).reshape(40, -1)
    params = fitting.make_params(fitting.plugins.get_model(name), {})
    solution = MODELS[name](spec, params).fit([rows])
    rest = solution.without(np.arange(10, 14))
    assert fits == [40]
    assert rest.compared.remembered.tolist() == [*range(10), *range(14, 40)]
    levels = rest.memories[0].levels if name == "views" else rest.levels[0].T
    whole = solution.memories[0].levels if name == "views" else solution.levels[0].T
    assert (levels == np.delete(whole, range(10, 14), axis=0)).all()
    # a picture is known again by those that are like it, and not where these are left out
    twins = np.concatenate([rows, rows[3:4]])
    solution = MODELS[name](spec, params).fit([twins])
    alone = solution.without(np.array([3, 40]))
    assert len(alone.compared.remembered) == 39


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("views", 3),
        # each folder takes seconds
        ("patches", 1),
        pytest.param("patches", 3, marks=pytest.mark.long),
        pytest.param("auto", 1, marks=pytest.mark.long),
        pytest.param("auto", 3, marks=pytest.mark.long),
    ],
)
def test_few_pictures_that_were_held_out_cost_what_new_ones_do(tmp_path, name, folders):
    """No fold's pictures lie far above those of the others, and so neither does the threshold."""
    thresholds = []
    flagged = []
    for seed in range(folders):
        np.save(tmp_path / "fit.npy", crosses(45, seed))
        model = operations.fit(tmp_path / "fit.npy", FitOptions(name))
        held_out = model.calibration.scores
        assert len(held_out) == 45 and held_out.max() < 14
        threshold = model.calibration.threshold()
        thresholds.append(threshold)
        flagged.append((scores(model, crosses(100, 50 + seed), tmp_path) > threshold).mean())
    assert max(thresholds) < 20
    assert np.mean(flagged) <= 0.01


def test_moments_leave_out_the_largest_of_a_share_at_each_place():
    """Of 40 pictures two at each place; those of the others leave out the picture itself, too."""
    values = np.random.default_rng(0).normal(size=(40, 6)) ** 2
    moments = Moments.of(values)
    for place in range(6):
        order = np.argsort(values[:, place])
        kept = values[order[:-2], place]
        assert moments.mean[place] == pytest.approx(kept.mean())
        assert moments.square[place] == pytest.approx((kept**2).mean())
        # one that is left out already does not change what the others say
        largest = order[-1]
        assert moments.mean_of_others[largest, place] == pytest.approx(kept.mean())
        least = order[0]
        assert moments.mean_of_others[least, place] == pytest.approx(kept[1:].mean())
        assert moments.square_of_others[least, place] == pytest.approx((kept[1:] ** 2).mean())


def test_of_few_pictures_nothing_is_left_out():
    values = np.random.default_rng(0).normal(size=(19, 4)) ** 2
    moments = Moments.of(values)
    assert moments.mean == pytest.approx(values.mean(axis=0))
    assert moments.mean_of_others[3] == pytest.approx(np.delete(values, 3, axis=0).mean(axis=0))


@pytest.mark.parametrize("equal", [1, 2, 3])
def test_places_that_few_pictures_share_do_not_vouch(equal):
    """Of 60 pictures up to three may have one defect at one place; what more have is ordinary."""
    rng = np.random.default_rng(1)
    frame = Frame((1, 8, 10))
    rows = rng.normal(size=(60, frame.places, 3))
    rows[10 : 10 + equal, 7] = 40 + 0.1 * rng.normal(size=(equal, 3))
    # seven pictures of a second kind
    rows[30:37, 12] = -40 + 0.1 * rng.normal(size=(7, 3))
    every = np.arange(60)
    compared = Compared.of(frame, 0, rows, rows, every, every, 1e-9)
    vouching = compared.vouching()
    expected = np.ones((60, frame.places), dtype=bool)
    expected[10 : 10 + equal, 7] = False
    assert (vouching == expected).all()
    # by brute force: the fourth nearest of the others
    place = rows[:, 7]
    square = ((place[:, None] - place) ** 2).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    far = np.sqrt(np.sort(square, axis=1)[:, 3])
    assert far[vouching[:, 7]].max() < far[~vouching[:, 7]].min()
    without = Compared.of(frame, 0, rows, rows, every, every, 1e-9, vouching)
    assert without.squares[10, 11, 7] > APART / 2 or equal == 1
    assert without.squares[10, 40, 7] == compared.squares[10, 40, 7]


def test_few_pictures_all_vouch():
    frame = Frame((1, 8, 10))
    rows = np.random.default_rng(1).normal(size=(19, frame.places, 3))
    rows[3, 7] = 40
    every = np.arange(19)
    assert Compared.of(frame, 0, rows, rows, every, every, 1e-9).vouching().all()


def with_equal_holes(count):
    """(60 crosses in colour, in `count` of which the same hole is at the same place; which)."""
    grey = crosses(60, 0, 1)
    holed = np.arange(7, 7 + 9 * count, 9)
    for number in holed:
        grey[number, 14:18, 22:26] = 30
    twice = np.repeat(np.repeat(grey, 2, axis=1), 2, axis=2)
    noise = np.random.default_rng(0).normal(0, 2, (60, 2 * SIDE, 2 * SIDE, 3))
    levels = twice[..., None] * np.array([1.0, 0.9, 0.8]) + noise
    return levels.clip(0, 255).astype(np.uint8), holed


# the defects are laid over each other by a fit of a member alone; with the default, which fits thrice,
# they are of the long set
@pytest.mark.parametrize(
    "count", [pytest.param(1, marks=pytest.mark.long), 2, pytest.param(3, marks=pytest.mark.long)]
)
def test_equal_defects_at_one_place_do_not_vouch_for_each_other(count):
    """The graph and the fit leave out the same places."""
    pictures, holed = with_equal_holes(count)
    spec = scaling.image_spec((3, 2 * SIDE, 2 * SIDE))
    rows = scaling.image_features(pictures.transpose(0, 3, 1, 2)).reshape(60, -1)
    params = fitting.make_params(fitting.plugins.get_model("patches"), {})
    solution = Patches(spec, params).fit([rows])
    silent = np.flatnonzero(~solution.vouching.all(axis=0))
    assert set(silent) == set(holed)
    nearest = np.sqrt(solution.compared.squares.min(axis=1))
    beyond = np.clip((nearest - solution.usual) / solution.deviation, 0, 100) + 1
    distances = evaluated(solution.distances, spec, rows)
    assert distances == pytest.approx(beyond, rel=1e-3, abs=1e-3)
    # and without a fold, in which there is one of them
    rest = solution.without(np.arange(10))
    assert rest.vouching.shape == (rest.levels.shape[0], 50)
    assert (rest.vouching == solution.vouching[:, 10:]).all()


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2, 3])
def test_equal_defects_at_one_place_lie_far_above_all_else(count, tmp_path):
    pictures, holed = with_equal_holes(count)
    np.save(tmp_path / "folder.npy", pictures)
    # all of them, so that one fit tells which come first and which are flagged
    found = operations.detect(tmp_path / "folder.npy", all_rows=True)
    first = found.row[np.argsort(-found.score)[:count]]
    assert sorted(first) == holed.tolist()
    model = operations.fit(tmp_path / "folder.npy")
    of_all = operations.score(tmp_path / "folder.npy", model, "cpu")
    others = np.delete(of_all, holed)
    assert of_all[holed].min() > 3 * others.max()
    if count < 3:
        # three of sixty bend the tail by which the threshold is told
        assert of_all[holed].min() > model.calibration.threshold() > others.max()
        assert sorted(found.row[found.anomaly]) == holed.tolist()


def rings(count, seed, moved=0.0, missing=0):
    """Rings with a bright pin above them, each picture shifted as a whole; the pin `moved` pixels
    to the right of where it belongs in all of them, or not there in the last `missing`."""
    rng = np.random.default_rng(seed)
    down, right = np.indices((128, 128))
    pictures = []
    for number in range(count):
        y, x = 64 + rng.uniform(-6, 6, 2)
        ring = np.abs(np.hypot(down - y, right - x) - 30) < 6
        pin = np.hypot(down - y + 18, right - x - moved) < 4
        if number >= count - missing:
            pin[:] = False
        levels = 60 + 90 * ring + 120 * pin + rng.normal(0, 4, (128, 128))
        pictures.append(levels.clip(0, 255).astype(np.uint8))
    return np.stack(pictures)


@pytest.fixture(scope="module")
def laid_over():
    """(the layout of pictures, features of rings that were fitted, the fitted places)."""
    spec = scaling.image_spec((1, 128, 128))
    rows = features(rings(40, 0))
    params = fitting.make_params(fitting.plugins.get_model("patches"), {})
    return spec, rows, Patches(spec, params).fit([rows])


def features(pictures):
    return scaling.image_features(pictures[:, None]).reshape(len(pictures), -1)


def largest(distances, spec, rows):
    return evaluated(distances, spec, rows).max(axis=1)


def test_a_part_that_stands_elsewhere_in_a_thing_is_found_though_all_things_stand_elsewhere(
    laid_over,
):
    spec, _, solution = laid_over
    ordinary = features(rings(12, 1))
    for damaged in (features(rings(12, 2, moved=7.0)), features(rings(12, 3, missing=12))):
        alone = largest(solution.aligned_distances, spec, damaged)
        assert alone.min() > 1.5 * largest(solution.aligned_distances, spec, ordinary).max()
        bits = evaluated(solution.bits, spec, np.concatenate([ordinary, damaged])).sum(axis=1)
        assert bits[12:].min() > 2 * bits[:12].max()


def test_graph_and_fit_lay_the_same_pictures_over_each_other(laid_over):
    spec, rows, solution = laid_over
    compared = solution.alignment.compared
    nearest = np.sqrt(compared.nearest())
    beyond = (nearest - solution.alignment.usual) / solution.alignment.deviation
    wanted = beyond.clip(0, 100) + 1
    found = evaluated(solution.aligned_distances, spec, rows)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    # each record alone as among others, wherever it stands
    among_others = evaluated(solution.bits, spec, rows[:21])
    backwards = evaluated(solution.bits, spec, rows[20::-1])
    assert np.array_equal(among_others, backwards[::-1])
    for number in (0, 7, 19, 20):
        alone = evaluated(solution.bits, spec, rows[number : number + 1])
        assert np.array_equal(alone[0], among_others[number])


def test_of_few_pictures_none_is_laid_over_itself():
    """Fewer than count as matches: without care each would be its own nearest."""
    spec = scaling.image_spec((1, 128, 128))
    rows = features(rings(6, 0))
    params = fitting.make_params(fitting.plugins.get_model("patches"), {})
    solution = Patches(spec, params).fit([rows])
    nearest = np.sqrt(solution.alignment.compared.nearest())
    assert nearest.min() > 0.1
    beyond = (nearest - solution.alignment.usual) / solution.alignment.deviation
    found = evaluated(solution.aligned_distances, spec, rows)
    assert found == pytest.approx(beyond.clip(0, 100) + 1, rel=1e-4, abs=1e-4)
    # and what is usual follows those that are left
    rest = solution.without(np.array([1, 4])).alignment
    by_hand = Alignment.of(solution.alignment.compared.without(np.array([1, 4])))
    assert np.array_equal(rest.usual, by_hand.usual)
    assert rest.compared.mismatch.shape == (4, 4)
    assert not np.array_equal(rest.usual, solution.alignment.usual)


def test_steps_lead_to_a_place_and_back():
    steps = Steps.of((4, 7))
    assert steps.forward.shape == steps.back.shape == (25, 28)
    # no step first, which so counts where all match equally well
    assert (steps.forward[0] == np.arange(28)).all() and (steps.back[0] == np.arange(28)).all()
    # one down and two to the right, and at the edge the nearest place
    [number] = np.flatnonzero(steps.forward[:, 0] == 7 + 2)
    assert steps.back[number][7 + 2] == 0
    assert steps.forward[number][27] == 27 and steps.back[number][0] == 0
    assert len({tuple(places) for places in steps.forward.tolist()}) == 25
    assert (steps.sparse == [0, 2, 4, 6, 14, 16, 18, 20]).all()
