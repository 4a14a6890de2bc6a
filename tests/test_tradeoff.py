"""Bytes against error: what is measured, what is picked, and what compress chooses from it."""

import io
import json
import lzma
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import aetool
from aetool import bundle as bundles
from aetool import operations
from aetool.archives.candidates import Candidates
from aetool.archives.goals import Goal
from aetool.archives.points import Point, Tradeoff, marked, picked
from aetool.archives.yardstick import NumberColumn, TableYardstick
from aetool.data import packers
from aetool.data.packers import squeezed
from aetool.errors import ParamError
from aetool.operations import CompressOptions, FitOptions, TradeoffOptions, surveying
from aetool.testing import pictures

ROWS = 300


@pytest.fixture(scope="module", autouse=True)
def few_errors():
    """Fewer errors than a user has measured: each takes an archive of each way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveying, "ERRORS", (0.02, 0.2, 0.5))
        patch.setattr(surveying, "BOUNDS", ("1%", "5%"))
        patch.setattr(surveying, "RATIOS", (25.0, 18.0))
        yield


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A table of numbers that follow from two, words, a gap, and a key that is no number to judge."""
    rng = np.random.default_rng(3)
    base = rng.normal(size=(ROWS, 2)).cumsum(axis=0)
    frame = pd.DataFrame((base @ rng.normal(size=(2, 4))).round(3)).add_prefix("x")
    frame["word"] = np.where(base[:, 0] > 0, "high", "low")
    frame.loc[5, "x2"] = np.nan
    path = tmp_path_factory.mktemp("walk") / "walk.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def model(walk):
    return operations.fit(walk, FitOptions("pca", {"latent": 4}))


@pytest.fixture(scope="module")
def measured(walk, model):
    return operations.tradeoff(walk, {"m.aem": model}, TradeoffOptions(rmse=0.1))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    path = tmp_path_factory.mktemp("shapes") / "shapes.npy"
    np.save(path, pictures(80)[:, 0])
    return path


def error_of(source, restored):
    """Root mean squared error in standard deviations, over the columns of numbers, by pandas alone;
    and over those of words, too, that are changed, if that is more: of these the part that is wrong,
    as a part of what guessing the commonest gets wrong. Numbers of three decimals that are all as they
    were do not count where steps of three units would lose more than the others lost on average."""
    one, two = pd.read_csv(source), pd.read_csv(restored)
    assert one.isna().equals(two.isna())
    of_numbers = []
    least = {}
    of_words = []
    for name in one:
        if pd.api.types.is_numeric_dtype(one[name]):
            variance = one[name].var(ddof=0)
            least[name] = 2 / 3 * 0.001**2 / variance
            of_numbers.append(np.square(one[name] - two[name]).mean() / variance)
        elif (one[name] != two[name]).any():
            commonest = one[name].value_counts(normalize=True).iloc[0]
            of_words.append((one[name] != two[name]).mean() / (1 - commonest))
    lost = [loss for loss in of_numbers if loss > 0]
    for loss, could_lose in zip(of_numbers, least.values(), strict=True):
        if loss == 0 and lost and could_lose <= np.mean(lost):
            lost.append(loss)
    of_numbers = lost or [0.0]
    return float(np.sqrt(max(np.mean(of_numbers), np.mean(of_numbers + of_words))))


def psnr_of(source, restored):
    off = np.load(source).astype(float) - np.load(restored)
    return 10 * np.log10(255**2 / np.square(off).mean())


# ---- what betters what


def points(*pairs, own=True):
    return [
        Point("a", str(place), size, error, arguments={} if own else None)
        for place, (size, error) in enumerate(pairs)
    ]


def test_a_point_is_dominated_by_one_no_larger_at_no_more_error():
    found = marked(points((100, 0.0), (50, 0.1), (60, 0.1), (50, 0.2), (20, 0.5)), embed=True)
    assert {p.setting: p.dominated_by for p in found} == {
        "0": "", "1": "", "2": "a 1", "3": "a 1", "4": "",
    }  # fmt: skip


def test_the_model_counts_or_not():
    alone, by_model = (
        Point("a", "", 100, 0.1, arguments={}),
        Point("b", "", 10, 0.1, None, 95, {}),
    )
    counted = {p.way: p.dominated_by for p in marked([alone, by_model], embed=True)}
    apart = {p.way: p.dominated_by for p in marked([alone, by_model], embed=False)}
    assert counted == {"a": "", "b": "a"} and apart == {"a": "b", "b": ""}


def test_what_is_picked():
    ours = points((100, 0.0), (50, 0.1), (20, 0.5))
    others = points((1, 0.0), own=False)
    every = [*ours, *others]
    assert picked(every, None, True) is ours[0], "nothing is lost unless that is asked for"
    assert picked(every, Goal("", error=0.4), True) is ours[1]
    assert picked(every, Goal("", error=0.5), True) is ours[2]
    assert picked(every, Goal("", budget=99), True) is ours[1]
    assert picked(every, Goal("", budget=19), True) is None


def survey(goal, ours, others):
    """The trade-off of archives of these bytes and errors, and files of another program."""
    every = [*points(*ours), *points(*others, own=False)]
    return Tradeoff("t", True, every, picked(every, goal, True), "", True, (), goal)


@pytest.mark.parametrize(
    ("goal", "others", "better"),
    [
        # fewer bytes within the error asked for, though the pick loses nothing
        (Goal("", error=0.2), [(40, 0.3), (50, 0.15), (60, 0.1)], (50, 0.15)),
        (Goal("", error=0.2), [(40, 0.3), (101, 0.0)], None),
        (Goal("", error=0.2), [(100, 0.0)], None),
        (Goal("", budget=30), [(25, 0.4), (28, 0.3), (31, 0.0)], (28, 0.3)),
        (Goal("", budget=30), [(25, 0.6)], None),
        (None, [(50, 0.15), (90, 0.0)], (90, 0.0)),
        (None, [(50, 0.15)], None),
    ],
)
def test_another_program_that_meets_the_goal_better_is_found(goal, others, better):
    found = survey(goal, [(100, 0.0), (20, 0.5)], others).smaller_elsewhere
    assert (None if found is None else (found.size, found.error)) == better


# ---- what columns count


def yardstick(deviations, chances):
    numbers = {
        name: NumberColumn(deviation**2, 10, None, np.arange(10.0))
        for name, deviation in deviations.items()
    }
    return TableYardstick(numbers, chances)


def test_the_error_is_the_mean_over_numbers_where_all_else_is_exact():
    judge = yardstick({"a": 2.0, "b": 5.0}, {"u": 0.5, "v": 0.25, "day": 0.99})
    # of 10 numbers each: a root mean square of 0.2 and of 0.5, a tenth of a deviation
    assert judge.of_squares({"a": 0.4, "b": 2.5}) == pytest.approx(0.1)
    assert judge.of_squares({"a": 0.4, "b": 0.0}) == pytest.approx(0.1 / 2**0.5)
    exact = {name: {"wrong": 0.0} for name in ("u", "v", "day")}
    figures = {"a": {"wrong": 0.0, "rmse": 0.2}, "b": {"wrong": 0.0, "rmse": 0.5}}
    assert judge.of_figures({"errors": figures | exact}) == pytest.approx(0.1)
    assert judge.bounds(0.1) == yardstick({"a": 2.0, "b": 5.0}, {}).bounds(0.1)


def test_words_that_are_changed_count_and_never_dilute():
    judge = yardstick({"a": 2.0}, {"u": 0.5, "v": 0.25})
    numbers = {"a": {"wrong": 0.0, "rmse": 0.2}}
    # 2 % of the words are wrong, of 50 % by guessing: 0.04 beside the 0.01 of numbers
    found = judge.of_figures({"errors": numbers | {"u": {"wrong": 0.02}, "v": {"wrong": 0.0}}})
    assert found == pytest.approx(((0.01 + 0.04) / 2) ** 0.5)
    # 0.002 beside 0.01 would make it less
    found = judge.of_figures({"errors": numbers | {"u": {"wrong": 0.001}}})
    assert found == pytest.approx(0.1)
    # a table of words alone
    words = yardstick({}, {"u": 0.5, "v": 0.25})
    found = words.of_figures({"errors": {"u": {"wrong": 0.02}, "v": {"wrong": 0.0}}})
    assert found == pytest.approx(0.2)
    assert words.of_figures({"errors": {"u": {"wrong": 0.0}, "v": {"wrong": 0.0}}}) == 0


def test_what_is_no_number_to_judge_is_lost_if_it_is_moved():
    judge = yardstick({"a": 2.0}, {})
    assert judge.of_squares({"a": 0.4, "key": 0.0}) == pytest.approx(0.1)
    assert judge.of_squares({"a": 0.4, "key": 3.0}) == pytest.approx(((0.01 + 1) / 2) ** 0.5)


@pytest.fixture(scope="module")
def beside_words(tmp_path_factory):
    """Three columns of numbers; the same beside ten of random words, a date and a key."""
    rng = np.random.default_rng(8)
    numbers = pd.DataFrame(rng.normal(50, [4, 9, 30], (ROWS, 3)).round(2), columns=["x", "y", "z"])
    words = pd.DataFrame(rng.choice(list("abcdef"), (ROWS, 10))).add_prefix("word")
    days = pd.Series(pd.date_range("2024-01-01", periods=ROWS), name="day").astype(str)
    keys = pd.Series([f"k{i:06d}" for i in rng.permutation(ROWS)], name="key")
    folder = tmp_path_factory.mktemp("words")
    numbers.to_csv(folder / "alone.csv", index=False)
    pd.concat([numbers, words, days, keys], axis=1).to_csv(folder / "beside.csv", index=False)
    return folder / "alone.csv", folder / "beside.csv"


# two archives of each
@pytest.mark.parametrize("error", [pytest.param("5%", marks=pytest.mark.long), "20%"])
def test_columns_that_are_kept_exactly_do_not_dilute_the_error(beside_words, tmp_path, error):
    chosen = []
    for path in beside_words:
        facts = aetool.compress(path, tmp_path / "a.aez", rmse=error, force=True)
        operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv", force=True)
        before, after = pd.read_csv(path), pd.read_csv(tmp_path / "back.csv")
        kept = list(before)[3:]
        assert before[kept].equals(after[kept])
        numbers = before[["x", "y", "z"]]
        off = ((numbers - after[["x", "y", "z"]]) ** 2).mean() / numbers.var(ddof=0)
        assert facts["taken"] == "bounded"
        assert facts["rmse_of_deviation"] == pytest.approx(off.mean() ** 0.5, rel=1e-6)
        assert 0.9 * float(error[:-1]) < 100 * off.mean() ** 0.5 <= float(error[:-1])
        chosen.append((facts["bounds"], facts["rmse_of_deviation"]))
    (bounds, told), (bounds_beside, told_beside) = chosen
    assert bounds_beside == bounds
    assert told_beside == pytest.approx(told, rel=1e-9)


# two surveys and a budget; columns that are kept exactly do not dilute in the fast set, too
@pytest.mark.long
def test_a_survey_and_a_budget_tell_the_error_of_the_numbers(beside_words, tmp_path):
    alone, beside = (
        {
            point.setting: point.error
            for point in aetool.tradeoff(path, rmse=0.1, others=False).points
            if point.way == "bounded" and "max_error" in point.arguments
        }
        for path in beside_words
    )
    assert len(alone) == 2
    assert beside == pytest.approx(alone, rel=1e-9)
    _, path = beside_words
    exact = aetool.compress(path, tmp_path / "e.aez")["archive_bytes"]
    facts = aetool.compress(path, tmp_path / "a.aez", budget=int(0.8 * exact))
    operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    before, after = pd.read_csv(path)[["x", "y", "z"]], pd.read_csv(tmp_path / "back.csv")
    off = ((before - after[["x", "y", "z"]]) ** 2).mean() / before.var(ddof=0)
    assert facts["taken"] == "bounded"
    assert facts["rmse_of_deviation"] == pytest.approx(off.mean() ** 0.5, rel=1e-6)


# ---- cells that are no numbers


@pytest.fixture(scope="module")
def with_an_odd_cell(tmp_path_factory):
    """Three columns of numbers that follow from one; a cell of `amount` is ERR."""
    rng = np.random.default_rng(4)
    base = rng.normal(size=300).cumsum()
    amount = [f"{value:.2f}" for value in 5000 + 300 * base]
    amount[77] = "ERR"
    frame = pd.DataFrame({"amount": amount, "x": base.round(3), "y": (3 * base + 1).round(3)})
    path = tmp_path_factory.mktemp("odd") / "orders.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_code_stores_a_column_with_an_odd_cell_exactly(with_an_odd_cell, tmp_path, run):
    model = operations.fit(with_an_odd_cell, FitOptions("pca", {"latent": 1}))
    options = CompressOptions(lossy_only=True)
    figures = operations.compress(with_an_odd_cell, tmp_path / "a.aez", model, options)
    operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv", model=model)
    before = pd.read_csv(with_an_odd_cell, dtype={"amount": str})
    after = pd.read_csv(tmp_path / "back.csv", dtype={"amount": str})
    assert after["amount"].tolist() == before["amount"].tolist() and after["amount"][77] == "ERR"
    assert set(figures["errors"]) == {"x", "y"}
    for name in ("x", "y"):
        lost = float(np.square(before[name] - after[name]).mean() ** 0.5)
        assert lost == pytest.approx(figures["errors"][name]["rmse"], rel=1e-6)
        assert 0 < lost < 0.1 * before[name].std()
    done = run("compress", with_an_odd_cell, "--lossy", "-o", tmp_path / "b.aez")
    assert done.status == 0, done.err


# a survey of its own; odd cells are told of in test_unbounded.py
@pytest.mark.long
def test_an_odd_cell_hides_no_column_from_a_survey(with_an_odd_cell, tmp_path):
    found = aetool.tradeoff(with_an_odd_cell, plugins="pca", others=False)
    codes = {point.setting for point in found.points if point.way == "code of pca"}
    assert {"rmse 20%", "rmse 50%"} <= codes and not found.skipped
    aetool.compress(with_an_odd_cell, tmp_path / "a.aez", rmse=0.2)
    operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    before = pd.read_csv(with_an_odd_cell, na_values="ERR")
    after = pd.read_csv(tmp_path / "back.csv", na_values="ERR")
    lost = ((before - after) ** 2).mean() / before.var(ddof=0)
    assert (lost > 0).all() and 0.18 < lost.mean() ** 0.5 <= 0.2


# ---- the table


# each way is written again; the command and Python write what was picked in the fast set
@pytest.mark.long
def test_every_way_is_measured_and_its_arguments_write_it(walk, measured, tmp_path):
    ways = {point.way for point in measured.points}
    assert {"exact", "bounded", "code of m.aem", "xz", "bzip2", "zstd"} <= ways
    for point in measured.points:
        if not point.is_own or point.dominated_by or "code" in point.way:
            continue
        aetool.compress(walk, tmp_path / "a.aez", force=True, **point.arguments)
        assert (tmp_path / "a.aez").stat().st_size == point.size, point.name
        operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv", force=True)
        error = error_of(walk, tmp_path / "back.csv")
        assert error == pytest.approx(point.error, rel=1e-6, abs=1e-9), point.name


# each code is written again; its price is told in test_rivals.py, too
@pytest.mark.long
def test_a_code_is_told_with_its_model_and_apart(walk, model, measured, tmp_path):
    codes = [point for point in measured.points if point.way == "code of m.aem"]
    assert codes
    for point in codes:
        error = point.arguments["rmse"]
        assert point.error <= error and point.model_bytes > 1000
        apart = operations.compress(
            walk, tmp_path / "c.aez", model,
            CompressOptions(rmse=error, embed=False, force=True),
        )  # fmt: skip
        assert apart["prices"]["code"] == point.size
        if apart["taken"] == "code":
            operations.decompress(tmp_path / "c.aez", tmp_path / "c.csv", model=model, force=True)
            assert error_of(walk, tmp_path / "c.csv") == pytest.approx(point.error, rel=1e-6)
    inside = operations.compress(
        walk, tmp_path / "d.aez", model, CompressOptions(rmse=error, force=True)
    )
    assert inside["prices"]["code"] == pytest.approx(point.counted(True), abs=64)


def test_the_pick_is_dominated_by_no_archive(measured):
    own = [point for point in measured.points if point.is_own]
    assert measured.pick in own and measured.pick.error <= 0.1
    assert not any(point.betters(measured.pick, True) for point in own)
    near = [point for point in own if point.error <= 0.1]
    assert measured.pick.size == min(point.counted(True) for point in near)


def test_the_command_prints_a_table_and_a_pick_and_draws(walk, tmp_path, run):
    picture = tmp_path / "t.svg"
    words = ("tradeoff", walk, "-p", "pca", "--budget", "2kB", "-o", picture, "-q")
    done = run(*words)
    assert done.status == 0, done.err
    heading, *lines = done.out.splitlines()
    assert heading.split() == ["way", "setting", "bytes", "with", "model", "rmse"]
    assert sum("<- pick" in line for line in lines) == 1
    assert any("dominated by " in line for line in lines)
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg") and ">pick<" in drawn and "code of pca" in drawn
    assert "prefers-color-scheme:dark" in drawn
    again = run(*words)
    assert again.status == 2 and "exists already" in again.err
    told = run(*words, "-f", "--json", "--no-others", "--no-embed")
    facts = json.loads(told.out)
    assert not facts["model_counted"] and facts["pick"]["size"] <= 2000
    assert {point["way"] for point in facts["points"]} == {"exact", "bounded", "code of pca"}
    done = run(*shlex.split(facts["command"])[1:], "-o", tmp_path / "a.aez")
    assert done.status == 0 and (tmp_path / "a.aez").stat().st_size == facts["pick"]["size"]


def test_a_pick_that_another_program_betters_is_said(tmp_path, run):
    path = tmp_path / "tiny.csv"
    path.write_text("a\n" + "1\n" * 3, encoding="utf-8")
    found = operations.tradeoff(path)
    other = found.smaller_elsewhere
    assert (other is None) == all(p.is_own or not p.betters(found.pick, True) for p in found.points)


def test_a_model_that_cannot_be_measured_is_said(walk, measured, pca_pictures):
    other = bundles.load(pca_pictures)
    found = operations.tradeoff(walk, {"p.aem": other}, TradeoffOptions(others=False))
    (why,) = found.skipped
    assert why.startswith("code of p.aem: ") and "of images" in why
    assert found.pick.way == "exact" and found.pick.error == 0


def test_from_python(walk, model):
    found = aetool.tradeoff(walk, [model], budget="2kB", others=False)
    assert found.pick.counted(True) <= 2000 and found.asked == "budget 2kB"
    frame = found.frame()
    assert len(frame) == len(found.points) and "dominated_by" in frame
    assert found.drawing().document().startswith("<svg")


# ---- pictures


def test_pictures_and_their_formats(shapes, tmp_path):
    found = aetool.tradeoff(shapes, plugins="pca", target_psnr=20, embed=False)
    assert {"exact", "code of pca", "PNG sheet", "JPEG files", "xz"} <= {
        point.way for point in found.points
    }
    exact = next(point for point in found.points if point.way == "exact")
    assert exact.psnr is None and exact.error == 0
    assert found.pick.way == "exact" or found.pick.psnr >= 20
    code = [point for point in found.points if point.way == "code of pca"]
    levels = np.load(shapes).astype(float)
    for point in code:
        noise = 255 / 10 ** (point.psnr / 20)
        assert point.error == pytest.approx(noise / levels.std(), rel=1e-6)


# a survey of pictures of its own; other programs are told in the fast set, too
@pytest.mark.long
def test_another_program_that_betters_an_exact_pick_of_pictures_is_said(
    shapes, tmp_path, run, monkeypatch
):
    # as of pictures that are stored by their bytes, which have no levels to bound
    monkeypatch.setattr(Candidates, "can_be_bounded", False)
    done = run("tradeoff", shapes, "--target-psnr", "20", "-o", tmp_path / "t.svg", "--json")
    facts = json.loads(done.out)
    assert facts["pick"]["way"] == "exact"
    near = [p for p in facts["points"] if p["arguments"] is None and (p["psnr"] or 99) >= 20]
    best = min(near, key=lambda point: (point["size"], point["error"]))
    assert best["size"] < facts["pick"]["size"]
    name = f"{best['way']} {best['setting']}"
    assert (
        f"note: {name} is better: {best['size']:,} bytes at {best['psnr']:.2f} dB, "
        "which --target-psnr 20 allows" in done.err.splitlines()
    )


def test_levels_are_points_of_pictures_and_the_pick_is_what_compress_writes(shapes, tmp_path, run):
    found = aetool.tradeoff(shapes, target_psnr=30, others=False)
    bounded = {point.setting: point for point in found.points if point.way == "bounded"}
    assert {f"max_error {levels}" for levels in (1, 2, 3, 5, 10, 20)} <= set(bounded)
    levels = np.load(shapes).astype(float)
    for number, point in enumerate(bounded.values()):
        path = tmp_path / f"{number}.aez"
        figures = aetool.compress(shapes, path, **point.arguments)
        assert figures["archive_bytes"] == point.size
        bound = int(point.arguments.get("max_error") or figures["bounds"]["pixels"])
        restored = np.load(operations.decompress(path, path.with_suffix(".npy"))).astype(float)
        rmse = ((restored - levels) ** 2).mean() ** 0.5
        assert point.error == pytest.approx(rmse / levels.std(), rel=1e-9)
        assert np.abs(restored - levels).max() <= bound
    assert found.pick.way == "bounded" and found.pick.psnr >= 30
    # finer points take more bytes, and none is in vain
    for of_levels in (True, False):
        alike = [p for p in bounded.values() if ("max_error" in p.arguments) == of_levels]
        by_size = sorted(alike, key=lambda point: point.size)
        errors = [point.error for point in by_size]
        assert errors == sorted(errors, reverse=True) and len(errors) > 2
    figures = aetool.compress(shapes, tmp_path / "goal.aez", target_psnr=30)
    assert figures["taken"] == "bounded" and figures["archive_bytes"] == found.pick.size
    assert found.pick.arguments == {"target_psnr": 30}
    aetool.decompress(tmp_path / "goal.aez", tmp_path / "goal.npy")
    assert psnr_of(shapes, tmp_path / "goal.npy") == pytest.approx(figures["psnr_db"], abs=1e-3)


def test_levels_fill_a_budget_of_pictures(shapes, tmp_path):
    exact = aetool.compress(shapes, tmp_path / "exact.aez")["archive_bytes"]
    budget = exact // 2
    figures = aetool.compress(shapes, tmp_path / "a.aez", budget=budget)
    assert figures["taken"] == "bounded" and figures["fidelity"] == "bounded"
    assert (tmp_path / "a.aez").stat().st_size == figures["archive_bytes"] <= budget
    # without filters as many bytes lose as much or more
    restored = operations.decompress(tmp_path / "a.aez", tmp_path / "a.npy")
    levels = np.load(shapes).astype(float)
    noise = ((np.load(restored) - levels) ** 2).mean()
    for bound in range(1, 128):
        path = tmp_path / f"{bound}.aez"
        if aetool.compress(shapes, path, max_error=bound)["archive_bytes"] <= budget:
            break
    without = np.load(operations.decompress(path, path.with_suffix(".npy"))).astype(float)
    assert ((without - levels) ** 2).mean() >= noise


def test_compress_of_pictures_says_that_no_code_was_tried(shapes, tmp_path, run):
    words = ("compress", shapes, "--target-psnr", "20", "-o", tmp_path / "a.aez", "-f")
    note = "note: no code was tried: -p pca or -m MODEL adds that of a model"
    assert note in run(*words).err.splitlines()
    assert "no code was tried" not in run(*words, "-p", "pca").err


# a survey of its own for one point
@pytest.mark.long
def test_an_archive_that_several_errors_ask_for_is_one_point_of_a_code(walk, model, monkeypatch):
    monkeypatch.setattr(surveying, "ERRORS", (0.3, 0.3 + 1e-9, 0.5))
    options = TradeoffOptions(others=False)
    found = operations.tradeoff(walk, {"m.aem": model}, options)
    code = [point for point in found.points if point.way == "code of m.aem"]
    assert sorted(point.arguments["rmse"] for point in code) == [0.3, 0.5]


def test_a_sheet_is_what_pillow_writes():
    pixels = pictures(9)  # (9, 1, 8, 8), on tiles of 16 x 16
    found = {(p.program, p.setting): p for p in packers.pictured(pixels)}
    tiles = np.pad(pixels[:, 0], ((0, 0), (0, 8), (0, 8)), "edge")
    sheet = tiles.reshape(3, 3, 16, 16).swapaxes(1, 2).reshape(48, 48)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "JPEG", quality=50, optimize=True)
    assert found["JPEG sheet", "quality 50"].size == len(file.getvalue())
    back = np.asarray(Image.open(file)).reshape(3, 16, 3, 16).swapaxes(1, 2).reshape(9, 16, 16)
    off = back[:, :8, :8].astype(float) - pixels[:, 0]
    assert found["JPEG sheet", "quality 50"].mean_square == pytest.approx(np.square(off).mean())
    sizes = []
    for one in pixels[:, 0]:
        file = io.BytesIO()
        Image.fromarray(one).save(file, "PNG", optimize=True)
        sizes.append(len(file.getvalue()))
    assert found["PNG files", "lossless"].size == sum(sizes)
    assert found["PNG files", "lossless"].mean_square == 0


def test_general_programs():
    content = b"one two three " * 500
    found = {packed.program: packed.size for packed in squeezed(content)}
    assert found["xz"] == len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    assert set(found) == {"xz", "bzip2", "zstd"}


# ---- compress chooses


@pytest.mark.parametrize("error", [0.01, 0.05, 0.3])
def test_rmse_is_kept_by_the_smallest_archive(walk, model, tmp_path, error):
    path = tmp_path / "a.aez"
    facts = aetool.compress(walk, path, model, rmse=error, embed=False, force=True)
    assert facts["archive_bytes"] == path.stat().st_size == min(facts["prices"].values())
    operations.decompress(path, tmp_path / "back.csv", model=model)
    found = error_of(walk, tmp_path / "back.csv")
    assert found <= error and found == pytest.approx(facts["rmse_of_deviation"], rel=1e-6)


def test_rmse_in_words_and_in_the_shell(walk, tmp_path, run):
    facts = aetool.compress(walk, tmp_path / "a.aez", rmse="5%")
    done = run("compress", walk, "--rmse", "5%", "-o", tmp_path / "b.aez")
    assert (
        done.status == 0 and (tmp_path / "a.aez").read_bytes() == (tmp_path / "b.aez").read_bytes()
    )
    error = 100 * facts["rmse_of_deviation"]
    line = f"chosen: bounded, error {error:.3g} % of a standard deviation (exact "
    assert done.err.splitlines()[1].startswith(line)


# each share is a search of its own
@pytest.mark.parametrize("share", [pytest.param(0.9, marks=pytest.mark.long), 0.6,
                                   pytest.param(0.4, marks=pytest.mark.long)])  # fmt: skip
def test_a_budget_is_filled_by_the_nearest_archive(walk, tmp_path, share):
    exact = aetool.compress(walk, tmp_path / "e.aez")["archive_bytes"]
    budget = int(share * exact)
    facts = aetool.compress(walk, tmp_path / "a.aez", budget=budget)
    assert 0.8 * budget < facts["archive_bytes"] <= budget
    operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    error = error_of(walk, tmp_path / "back.csv")
    assert error == pytest.approx(facts["rmse_of_deviation"], rel=1e-6) and 0 < error < 0.5


def test_a_budget_that_holds_all_loses_nothing(walk, tmp_path, run):
    done = run("compress", walk, "--budget", "1M", "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: exact, nothing is lost" in done.err
    operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == walk.read_bytes()


def test_an_impossible_budget_is_one_error_and_no_file(walk, tmp_path, run):
    done = run("compress", walk, "--budget", "100", "-o", tmp_path / "a.aez")
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert "--budget 100: the smallest archive found takes " in done.err
    assert not list(tmp_path.iterdir())


# a survey of 3,000 rows; budgets are filled in the fast set, too
@pytest.mark.long
def test_a_budget_reaches_the_smallest_archive_that_was_measured(tmp_path, run):
    """A column of numbers that no bound moves takes no more room for being asked about."""
    rng = np.random.default_rng(5)
    temperature = rng.normal(15, 5, 3000).round(1)
    weight = 10.0 ** rng.uniform(-300, 300, 3000)
    rows = [f"{t},{number:.5e}" for t, number in zip(temperature, weight, strict=True)]
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(["temperature,weight", *rows]) + "\n")
    found = operations.tradeoff(path, options=TradeoffOptions(others=False))
    sizes = {point.setting: point.size for point in found.points}
    assert sizes["rmse 50%"] < sizes[""]
    smallest = min(sizes.values())
    figures = operations.compress(
        path, tmp_path / "a.aez", options=CompressOptions(budget=smallest)
    )
    assert figures["archive_bytes"] <= smallest and set(figures["errors"]) == {"temperature"}
    done = run("compress", path, "--budget", "100", "-o", tmp_path / "b.aez")
    told = re.search(r"the smallest archive found takes ([0-9,]+) bytes", done.err)
    assert int(told[1].replace(",", "")) <= smallest


def test_the_model_is_counted_unless_it_is_apart(walk, model, tmp_path):
    counted = aetool.compress(walk, tmp_path / "a.aez", model, rmse=0.3)
    apart = aetool.compress(walk, tmp_path / "b.aez", model, rmse=0.3, embed=False)
    assert counted["prices"]["code"] > apart["prices"]["code"] + 1000


# goals of pictures are met in the fast set, too, in test_folders_of_one_form.py
@pytest.mark.long
def test_pictures_by_their_noise_and_by_bytes_for_each(shapes, tmp_path):
    model = aetool.fit(shapes, "pca", latent=20)
    near = aetool.compress(shapes, tmp_path / "a.aez", model, target_psnr=22, embed=False)
    aetool.decompress(tmp_path / "a.aez", tmp_path / "a.npy", model)
    found = psnr_of(shapes, tmp_path / "a.npy")
    assert found >= 22 and found == pytest.approx(near["psnr_db"], abs=0.01)
    few = aetool.compress(shapes, tmp_path / "b.aez", model, bytes_per_picture=6, embed=False)
    assert few["archive_bytes"] <= 6 * 150
    # whichever way is taken: what it says of its noise holds, and it betters a code of such bytes
    aetool.decompress(tmp_path / "b.aez", tmp_path / "b.npy", model)
    assert psnr_of(shapes, tmp_path / "b.npy") == pytest.approx(few["psnr_db"], abs=0.01)
    assert few["psnr_db"] >= found or few["archive_bytes"] < near["archive_bytes"]


def test_what_cannot_be_asked(walk, tmp_path, run):
    for words, said in (
        (("--rmse", "2"), "--rmse 2: is a part of a standard deviation, below 1"),
        (("--rmse", "-1%"), "--rmse must be 0 or more, got -0.01"),
        (("--rmse", "much"), "--rmse much: write a number such as 0.01 or 1%"),
        (("--budget", "10 apples"), "--budget 10 apples: write a number of bytes such as 500000"),
        (("--rmse", "2%", "--budget", "9kB"), "--rmse and --budget exclude each other"),
        (("--target-psnr", "30"), "--target-psnr is for pictures; of a table ask for --rmse"),
        (("--bytes-per-picture", "30"), "--bytes-per-picture is for pictures"),
        (("--rmse", "2%", "--lossy"), "leave --lossy out, or ask for none of them"),
        (("--budget", "9kB", "--max-error", "1%"), "leave --max-error out"),
    ):
        done = run("compress", walk, *words, "-o", tmp_path / "a.aez")
        assert done.status == 2 and said in done.err, done.err
        assert not list(tmp_path.iterdir())
    with pytest.raises(ParamError, match="rmse and budget exclude each other"):
        aetool.tradeoff(walk, rmse=0.1, budget=5)
    with pytest.raises(ParamError, match="compress: budget must be a whole number or None"):
        aetool.compress(walk, tmp_path / "a.aez", budget=1.5)


def test_max_time_is_a_limit_of_the_fit(shapes, tmp_path, run):
    words = ("compress", shapes, "--psnr", "30", "-p", "pca", "--max-time", "60")
    done = run(*words, "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: " in done.err


def test_pictures_of_any_shape_are_measured_in_the_formats_that_can_hold_them(monkeypatch):
    """A sheet of long pictures is no longer than they are, and WebP has none of 16,384 pixels."""
    monkeypatch.setattr(packers, "FORMATS", packers.FORMATS[:2])
    monkeypatch.setattr(packers, "QUALITIES", (10,))
    long = np.zeros((37, 1, 3000, 2), np.uint8)
    sizes = {packed.program for packed in packers.pictured(long)}
    assert sizes == {"PNG sheet", "PNG files", "WebP sheet", "WebP files"}
    longer = np.zeros((2, 1, 5, 16_384), np.uint8)
    sizes = {packed.program for packed in packers.pictured(longer)}
    assert sizes == {"PNG sheet", "PNG files"}
