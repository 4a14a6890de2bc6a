"""Bounds beside those found: what they would take, which are tried, and that the best is taken."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from aetool import bundle as bundles
from aetool import operations
from aetool.archives import exact_job, neighbouring, opening
from aetool.archives.bounds_search import BoundsSearch
from aetool.codec import blocks, planning
from aetool.codec.repricing import Price, TextPrices
from aetool.codec.streams import Known, Stream
from aetool.operations import CompressOptions
from tests.conftest import fitted

BOUNDS = {"a": Fraction(1, 10), "b": Fraction(21, 20)}


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """300 rows of two columns of which one follows the other, and one of few texts."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=300).cumsum()
    b = 20 * a + rng.normal(size=300)
    path = tmp_path_factory.mktemp("neighbouring") / "walk.csv"
    lines = [
        f"{x:.3f},{y:.1f},{'xyz'[i // 100]}" for i, (x, y) in enumerate(zip(a, b, strict=True))
    ]
    path.write_text("\n".join(["a,b,c", *lines]) + "\n")
    return path


def content_of(path, bounds=BOUNDS):
    """(the content of a bounded archive, the one piece of its text)."""
    job = exact_job.job_of(opening.opened(path), CompressOptions(), bounds=bounds)
    (piece,) = job.content.items()
    return job.content, piece


def prices_of(path, bounds=BOUNDS):
    """(prices beside these bounds, the block at them)."""
    content, piece = content_of(path, bounds)
    (block,) = content.encode(piece, blocks.NO_HINTS)
    return TextPrices.of(piece, content.origin.layout, block.hints), block


def test_the_price_of_the_same_bounds_is_what_the_block_takes(walk):
    prices, block = prices_of(walk)
    price = prices.at(BOUNDS)
    assert abs(price.size - len(block.payload)) <= 8
    assert price.squares == block.squares and price.squares.keys() == {"a", "b"}


def test_prices_of_other_bounds_go_as_the_blocks_do(walk):
    prices, block = prices_of(walk)
    for factor in (Fraction(1, 2), Fraction(3, 4), 2):
        bounds = {**BOUNDS, "a": factor * BOUNDS["a"]}
        _, other = prices_of(walk, bounds)
        found = prices.at(bounds)
        assert found.squares == other.squares
        assert found.size == pytest.approx(len(other.payload), rel=0.06)
        assert (found.size > len(block.payload)) == (factor < 1)


def test_no_price_without_plans_for_the_columns(walk):
    prices, block = prices_of(walk)
    content, piece = content_of(walk)
    layout = content.origin.layout
    assert TextPrices.of(piece, layout, blocks.NO_HINTS) is None
    assert TextPrices.of(b"1,2\n1\n", layout, block.hints) is None
    # as if the first column had been two streams
    two = planning.Hints((2, *block.hints.shape[1:]), block.hints.plans, block.hints.ways)
    other = dataclasses.replace(prices, hints=two)
    assert other.at({**BOUNDS, "a": Fraction(1, 5)}) is None


def test_prices_go_on_from_what_was_taken(walk):
    prices, block = prices_of(walk)
    bounds = {**BOUNDS, "a": Fraction(1, 5)}
    assert prices.square("a", bounds["a"]) > prices.square("a", BOUNDS["a"]) == block.squares["a"]
    found = prices.at(bounds)
    prices.take(bounds, found)
    assert prices.at(bounds).size == found.size < len(block.payload)


@pytest.mark.parametrize("decimals", [None, 0, 2])
def test_bounds_beside_one(decimals):
    bound = Fraction(41, 2) / 10 ** (decimals or 0)
    beside = neighbouring.beside(bound, decimals)
    assert bound not in beside and len(set(beside)) == len(beside) <= 12
    assert all(Fraction(84, 100) * bound <= other <= Fraction(11, 10) * bound for other in beside)
    wider = [other for other in beside if other > bound]
    assert beside[: len(wider)] == sorted(wider), "the wider ones first"
    if decimals is not None:
        steps = {int(other * 10**decimals) for other in beside}
        assert len(steps) == len(beside), "each is another step"


def test_the_finest_step_has_none_below_it():
    assert all(other > 1 for other in neighbouring.beside(Fraction(3, 2), 0))


class PricesOf:
    """Prices by a function of the bounds; counts what is asked for."""

    def __init__(self, size_of):
        self.size_of = size_of
        self.asked = 0
        self.taken = []

    def at(self, bounds):
        self.asked += 1
        size = self.size_of(bounds)
        return None if size is None else Price(size, {n: float(b) for n, b in bounds.items()})

    def take(self, bounds, price):
        self.taken.append(price.size)

    def square(self, name, bound):
        return float(bound)


def test_the_best_bounds_keep_the_errors_that_are_allowed():
    """By a price that is known: each column takes what its bound is away from another one."""
    best = {"a": Fraction(98, 100), "b": Fraction(104, 100)}
    start = {"a": Fraction(1), "b": Fraction(1)}
    decimals = {"a": None, "b": None}

    def size_of(bounds):
        return int(1000 * sum(abs(bounds[name] - best[name]) for name in best))

    prices = PricesOf(size_of)
    found = neighbouring.best_beside(start, prices, {"a": 2.0, "b": 2.0}, decimals)
    assert found["b"] == best["b"] and abs(found["a"] - best["a"]) <= Fraction(2, 100)
    assert prices.taken == sorted(prices.taken, reverse=True) and len(prices.taken) == 2
    held = neighbouring.best_beside(start, PricesOf(size_of), {"a": 2.0, "b": 1.0}, decimals)
    assert held["b"] == 1, "wider bounds would err more than is allowed"
    unknown = neighbouring.best_beside(start, PricesOf(lambda bounds: None), {}, decimals)
    assert unknown == start


def test_what_errs_too_much_is_not_priced():
    prices = PricesOf(lambda bounds: 1)
    neighbouring.best_beside({"a": Fraction(1)}, prices, {"a": 0.9}, {"a": None})
    allowed = [bound for bound in neighbouring.beside(Fraction(1), None) if bound <= 0.9]
    assert prices.asked == 1 + len(allowed) < 1 + len(neighbouring.beside(Fraction(1), None))


def test_other_starts_are_narrower_and_keep_the_errors_that_are_allowed():
    bounds = {"a": Fraction(1), "b": Fraction(201, 2)}
    decimals = {"a": None, "b": 0}
    wide = {"a": 1.0, "b": 200.0}
    starts = neighbouring.starts(bounds, PricesOf(None), wide, decimals)
    assert starts == [
        {"a": Fraction(97, 100), "b": Fraction(193, 2)},
        {"a": Fraction(94, 100), "b": Fraction(187, 2)},
    ]
    # one column is narrowed until it errs little enough: 0.94, and 0.97 once less
    tight = neighbouring.starts(bounds, PricesOf(None), {**wide, "a": 0.95}, decimals)
    assert [start["a"] for start in tight] == [Fraction(9409, 10000), Fraction(94, 100)]
    # none is found for it, which stays, and with it the only column that there is
    alone = {"a": bounds["a"]}
    assert neighbouring.starts(alone, PricesOf(None), {"a": 0.1}, decimals) == []
    # a step of a coarse grid has none below it
    coarse = {"b": Fraction(3, 2)}
    assert neighbouring.starts(coarse, PricesOf(None), wide, decimals) == []


@pytest.mark.parametrize(
    ("bound", "decimals", "expected"),
    [
        (Fraction(7, 3), None, Fraction(7, 3)),
        (Fraction(7, 2), 0, Fraction(7, 2)),
        (Fraction(34, 10), 0, Fraction(5, 2)),
        (Fraction(1, 5), 0, Fraction(3, 2)),
        (Fraction(29, 1000), 2, Fraction(25, 1000)),
    ],
)
def test_a_bound_is_whole_steps_and_half_a_step(bound, decimals, expected):
    assert neighbouring.on_grid(bound, decimals) == expected


def test_narrower_bounds_of_all_columns_lead_to_what_no_column_alone_does():
    """Two columns suit each other at 0.94 alone: from 1 a step of either is a loss."""
    start = {"a": Fraction(1), "b": Fraction(1)}
    most = {"a": 1.0, "b": 1.0}
    decimals = {"a": None, "b": None}

    def size_of(bounds):
        a, b = bounds["a"], bounds["b"]
        both = max(abs(a - Fraction(94, 100)), abs(b - Fraction(94, 100)))
        return int(100 + 1000 * min(abs(a - 1) + abs(b - 1), both - Fraction(1, 100)))

    alone = neighbouring.best_beside(start, PricesOf(size_of), most, decimals)
    assert size_of(alone) == 100 and alone == start
    others = neighbouring.starts(start, PricesOf(size_of), most, decimals)
    sizes = [
        size_of(neighbouring.best_beside(one, PricesOf(size_of), most, decimals)) for one in others
    ]
    assert min(sizes) == 90


def test_no_more_prices_are_asked_for_than_is_said():
    prices = PricesOf(lambda bounds: 1)
    bounds = {str(number): Fraction(1) for number in range(40)}
    most = dict.fromkeys(bounds, 1.0)
    neighbouring.best_beside(bounds, prices, most, dict.fromkeys(bounds))
    assert prices.asked == 1 + neighbouring.MOST_PRICED


def test_neighbours_of_small_tables_are_tried(walk, tmp_path, monkeypatch):
    model = bundles.load(fitted(walk, "pca", tmp_path / "pca.aem", params={"latent": 1}))
    options = CompressOptions(lossy=True, embed=False, force=True)
    figures = operations.compress(walk, tmp_path / "a.aez", model, options)
    assert figures["taken"] == "bounded"
    size = figures["archive_bytes"]
    code = operations.compress(
        walk, tmp_path / "c.aez", model, dataclasses.replace(options, lossy_only=True)
    )
    largest = {name: each["largest"] for name, each in figures["errors"].items()}
    assert all(largest[name] <= figures["bounds"][name] for name in largest)
    assert code["archive_bytes"] > size
    # without them, the bounds as they were found
    monkeypatch.setattr(neighbouring, "MOST_PRICED", 0)
    without = operations.compress(walk, tmp_path / "b.aez", model, options)
    assert size <= without["archive_bytes"]


def three_columns(path, seed):
    """Write 200 rows of three columns that follow each other; returns the path."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=200).cumsum()
    b = 20 * a + 5 * rng.normal(size=200)
    c = rng.gamma(2, 30, 200) + 3 * a
    lines = [f"{x:.2f},{y:.1f},{z:.0f}" for x, y, z in zip(a, b, c, strict=True)]
    path.write_text("\n".join(["a,b,c", *lines]) + "\n")
    return path


def errors_of(path, archive):
    """The root mean squared errors of three columns that an archive restores."""
    back = operations.decompress(archive, archive.with_suffix(".csv"), force=True)
    before, after = (np.loadtxt(one, delimiter=",", skiprows=1) for one in (path, back))
    return np.sqrt(np.square(before - after).mean(axis=0))


def test_no_archive_whose_bounds_follow_from_the_errors_is_smaller(tmp_path, monkeypatch):
    """Who wants no more error than a lossy archive has would ask for about this."""
    path = three_columns(tmp_path / "three.csv", 2)
    model = bundles.load(fitted(path, "pca", tmp_path / "pca.aem", params={"latent": 1}))
    options = CompressOptions(lossy=True, target=0.135, embed=False, force=True)

    def sizes():
        """(bytes of the lossy archive, and of the smallest of those that err no more)."""
        figures = operations.compress(path, tmp_path / "a.aez", model, options)
        errors = errors_of(path, tmp_path / "a.aez")
        others = []
        for share in (0.9, 0.93, 0.95, 0.97, 1, 1.05):
            bounds = share * 3**0.5 * errors
            words = {name: repr(bound) for name, bound in zip("abc", bounds.tolist(), strict=True)}
            within = CompressOptions(max_error=words, force=True)
            other = operations.compress(path, tmp_path / "b.aez", None, within)
            if (errors_of(path, tmp_path / "b.aez") <= errors).all():
                others.append(other["archive_bytes"])
        return figures["archive_bytes"], min(others)

    challenged, other = sizes()
    assert challenged <= other
    monkeypatch.setattr(BoundsSearch, "challenge", lambda search, most: None)
    unchallenged, _ = sizes()
    assert unchallenged > challenged


def test_no_archive_within_known_bounds_is_smaller(tmp_path):
    """The bounds err less than the code in each column, and none is seen from the start alone."""
    path = three_columns(tmp_path / "three.csv", 1)
    model = bundles.load(fitted(path, "pca", tmp_path / "pca.aem", params={"latent": 1}))
    options = CompressOptions(lossy=True, target=0.15, embed=False, force=True)
    figures = operations.compress(path, tmp_path / "a.aez", model, options)
    only = dataclasses.replace(options, lossy_only=True)
    code = operations.compress(path, tmp_path / "c.aez", model, only)["errors"]
    known = {"a": "3.195", "b": "69.55", "c": "65.5"}
    within = CompressOptions(max_error=known)
    bounded = operations.compress(path, tmp_path / "b.aez", None, within)
    errors = errors_of(path, tmp_path / "b.aez")
    assert all(error <= code[name]["rmse"] for name, error in zip("abc", errors, strict=True))
    assert figures["archive_bytes"] <= bounded["archive_bytes"]


def test_levels_of_a_hint_stay_levels():
    """Of few different values each has a bin of its own, also where the plan is taken over."""
    rng = np.random.default_rng(0)
    first, second = (rng.choice([0, 3, 50, 1000], 500).astype(np.int64) for _ in range(2))
    hint = planning.Plan(starts=np.unique(first), widths=np.zeros(4, np.int64), complete=True)
    planner = planning.Planner(Known(500), planning.DEFAULT, [hint])
    plan = planner.plan(Stream(second), 0)
    assert plan.starts.tolist() == [0, 3, 50, 1000] and not plan.widths.any()
    many = planning.Planner(Known(500), planning.DEFAULT, [hint])
    wide = many.plan(Stream(np.arange(500, dtype=np.int64)), 0)
    assert wide.bins < 500
