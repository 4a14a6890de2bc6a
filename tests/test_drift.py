"""Whether new data are told from those of a model: where they differ, and not where they do not."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import aetool
from aetool import operations
from aetool.columns.schema import infer
from aetool.data.sources import open_source
from aetool.detection import shifts
from aetool.detection.calibration import Calibration

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def drift_bench():
    """The benchmark, which makes tables and shifts them."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import drift
    finally:
        sys.path.remove(str(BENCHMARKS))
    return drift


# ---- the tests of one column, against those of a library


@pytest.mark.parametrize(("before", "now"), [
    ((3, 50), (9, 60)), ((0, 100), (5, 80)), ((40, 50), (48, 50)), ((7, 2000), (7, 2000)), ((1, 5), (0, 3)),
])  # fmt: skip
def test_shares_are_compared_as_fisher_does(before, now):
    table = [[now[0], now[1] - now[0]], [before[0], before[1] - before[0]]]
    both = shifts.share_test("a", "gaps", before, now, 0.0).p
    assert both == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)
    more = shifts.share_test("a", "gaps", before, now, 0.0, more=True)
    assert more.effect == pytest.approx(now[0] / now[1] - before[0] / before[1])
    if now[0] * 2 <= now[1]:  # else the other kind of cells is counted
        assert more.p == pytest.approx(stats.fisher_exact(table, "greater").pvalue, rel=1e-6)


def test_shares_of_many_cells_are_compared_by_the_normal_distribution():
    table = [[5200, 94_800], [5000, 95_000]]
    found = shifts.share_test("a", "gaps", (5000, 100_000), (5200, 100_000), 0.0).p
    assert found == pytest.approx(stats.fisher_exact(table).pvalue, rel=0.02)


def number_column(values):
    return infer(open_source(pd.DataFrame({"a": values})).sample(10**9, 0)[0]).columns[0]


@pytest.mark.parametrize("kind", ["normal", "counts"])
def test_locations_are_compared_as_mann_and_whitney_do(kind):
    rng = np.random.default_rng(0)
    old, new = rng.normal(0, 1, 3000), rng.normal(0.07, 1, 2500)
    if kind == "counts":
        old, new = np.floor(old * 2), np.floor(new * 2)
    column = number_column(old)
    counts = np.bincount(column.bins_of(new), minlength=len(column.bin_counts)).astype(float)
    found = shifts.location_test(column, column.bin_counts, counts, new)
    theirs = stats.mannwhitneyu(new, old, use_continuity=False)
    assert found.effect == pytest.approx(abs(theirs.statistic / 2500 / 3000 - 0.5), abs=0.006)
    # what eight bins lose is about a tenth of the deviations that the means are apart
    apart = stats.norm.isf(found.p / 2) / stats.norm.isf(theirs.pvalue / 2)
    assert 0.85 < apart < 1.05
    if kind == "counts":  # each number is a bin of its own: nothing is lost
        assert found.p == pytest.approx(theirs.pvalue, rel=1e-3)


def told_of(before, now):
    """(where values lay before, where they lie now), as drift tells it."""
    reference = pd.DataFrame({"a": before, "b": np.arange(len(before)) % 7})
    model = aetool.fit(reference, "pca")
    found = aetool.drift(model, pd.DataFrame({"a": now, "b": np.arange(len(now)) % 7}))
    (shift,) = [one for one in found.shifted if one.what == "location" and one.column == "a"]
    return shift.before, shift.now


def test_medians_are_those_of_the_values():
    rng = np.random.default_rng(0)
    old, new = rng.normal(0, 1, 2001).round(2), rng.normal(0.2, 1, 2001).round(2)
    # both within the same quarter of the values, which is a bin
    told = told_of(old, new)
    assert told == (f"median {np.median(old):.2f}", f"median {np.median(new):.2f}")
    assert told[0] != told[1]


def test_of_equal_medians_another_part_is_told():
    zeros = [0] * 700
    told = told_of([*zeros, *[1] * 301], [*zeros[:600], *[5] * 401])
    assert told == ("upper quartile 1", "upper quartile 5")
    below = told_of([*zeros, *[-1] * 301], [*zeros[:600], *[-5] * 401])
    assert below == ("lower quartile -1", "lower quartile -5")
    # of no part of the values that is kept
    share = told_of([*zeros, *[1] * 300], [*zeros[:600], *[1] * 400])
    assert share == ("50 % larger, 50 % smaller", "55 % larger than before")


def test_values_are_kept_at_equal_distances_however_they_come():
    values = np.arange(100_000.0)
    whole, pieces = shifts.Kept(), shifts.Kept()
    whole.add(values)
    for piece in np.split(values, [1, 7, 20_000, 20_001, 70_000]):
        pieces.add(piece)
    assert np.array_equal(whole.values, pieces.values)
    assert np.array_equal(whole.values, values[::8])


def test_shapes_are_compared_by_a_chi_square():
    column = number_column(np.repeat([1.0, 2.0, 3.0], [100, 200, 300]))
    counts = np.zeros(len(column.bin_counts))
    counts[column.bins_of(np.array([1.0, 2.0, 3.0]))] = [90, 150, 160]
    found = shifts.shape_test(column, column.bin_counts, counts)
    theirs = stats.chi2_contingency([[100, 200, 300], [90, 150, 160]], correction=False)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("degrees", [1, 2, 3, 8, 31, 254])
@pytest.mark.parametrize("statistic", [0.1, 3.0, 40.0, 400.0, 5000.0])
def test_the_tail_of_chi_square(degrees, statistic):
    assert shifts.chi_square(statistic, degrees) == pytest.approx(
        stats.chi2.sf(statistic, degrees), rel=1e-9, abs=1e-300
    )


def test_holm():
    raw = [0.01, 0.04, 0.03, 0.005]
    tests = [shifts.Shift("a", "gaps", "", "", 1.0, 0.0, p) for p in raw]
    assert [s.adjusted for s in shifts.holm(tests)] == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_is_sure_and_does_not_matter_is_no_shift():
    shift = shifts.Shift("a", "gaps", "", "", 0.001, 0.005, 1e-30, 1e-28)
    assert not shift.is_shifted(0.01)


# ---- counts of the training, that new data are compared with


def test_columns_keep_how_often_each_value_was_there():
    few = number_column(np.repeat([0.0, 1.0, 5.0], [7, 2, 1]))
    assert few.bin_counts.tolist() == [0, 7, 0, 2, 0, 1, 0]
    many = number_column(np.random.default_rng(0).normal(0, 1, 1000))
    assert many.bin_counts.sum() == 1000
    quarter = many.bin_counts[many.bins_of(np.array([many.quantiles[4]]))[0] - 1]
    assert 230 <= quarter <= 260, "between the first quartile and the median"
    assert many.bin_name(0) == f"below {many.show(many.low)}"


def test_models_without_counts_are_compared_by_gaps_and_scores(whole_air):
    model = operations.fit(whole_air, operations.FitOptions(plugin="pca"))
    found = operations.drift(model, whole_air)
    bare = [
        dataclasses.replace(c, counts=()) if hasattr(c, "few") else c for c in model.schema.columns
    ]
    schema = dataclasses.replace(model.schema, columns=tuple(bare))
    old = dataclasses.replace(model, schema=schema, _sessions={})
    assert found.word == operations.drift(old, whole_air).word == "same"
    kinds = {(s.column, s.what) for s in operations.drift(old, whole_air).shifts}
    assert (
        ("TEMP", "gaps") in kinds and ("TEMP", "location") not in kinds and ("", "score") in kinds
    )


# ---- whole tables


def test_the_word_is_right(drift_bench):
    """A small form of the benchmark, of which 100 tables are measured on its page."""
    rng = np.random.default_rng(5)
    model = operations.fit(drift_bench.table(rng))
    new = drift_bench.table(rng)
    where = {}
    for how in drift_bench.WAYS:
        found = operations.drift(model, drift_bench.shifted(new, how, rng))
        where[how] = {(s.column, s.what) for s in found.shifted}
        assert found.word == ("same" if how == "same" else "shifted"), how
    assert ("n04", "location") in where["mean"]
    assert ("c04", "new levels") in where["level"]
    assert where["gaps"] == {("g0", "gaps")}
    assert where["correlation"] == {("", "score")}, "each column alone is as it was"


@pytest.mark.long
def test_false_alarms_and_power(drift_bench):
    found = [drift_bench.words(seed) for seed in range(1000, 1030)]
    assert sum(said["same"] != "same" for said in found) <= 2
    for how in drift_bench.WAYS[1:]:
        assert sum(said[how] == "shifted" for said in found) >= 26, how


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """A table and the model of it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"a": rng.normal(0, 1, 800), "b": rng.poisson(4, 800), "c": rng.choice(list("xyz"), 800)}
    )
    folder = tmp_path_factory.mktemp("drift")
    path = folder / "t.csv"
    table.to_csv(path, index=False)
    model = operations.fit(path, operations.FitOptions(plugin="pca")).save(folder / "m.aem")
    return table, path, model


BROKEN = {
    "a column is gone": lambda t: t.drop(columns="b"),
    "a column holds nothing": lambda t: t.assign(a=np.nan),
    "a column is of another kind": lambda t: t.assign(a="abc"),
    "a column stands still": lambda t: t.assign(b=4),
    "nothing is usual": lambda t: t.assign(a=t.a * 1000, b=t.b * 100 + 7),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_used_is_broken(plant, tmp_path, run, what):
    table, _, model = plant
    BROKEN[what](table).to_csv(tmp_path / "new.csv", index=False)
    done = run("drift", model, tmp_path / "new.csv", "--exit-code")
    assert done.status == 1 and done.out.splitlines()[0] == "broken", done.err
    assert run("drift", model, tmp_path / "new.csv").status == 0


@pytest.mark.parametrize("rows", [1, 19])
def test_few_records_are_not_called_the_same(plant, tmp_path, run, rows):
    table, path, model = plant
    table[:rows].to_csv(tmp_path / "few.csv", index=False)
    done = run("drift", model, tmp_path / "few.csv", "--exit-code")
    counted = "1 new record is" if rows == 1 else "19 new records are"
    assert done.status == 1 and done.out.splitlines()[0] == "unknown"
    assert f"{counted} too few to tell; at least 20 are needed" in done.out
    told = json.loads(run("drift", model, tmp_path / "few.csv", "--json").out)
    assert told["word"] == "unknown" and told["few"].startswith(counted)
    earlier = aetool.drift(table[:rows], table, plugin="pca")
    assert (
        earlier.word in ("unknown", "broken") and counted.replace("new", "earlier") in earlier.few
    )
    assert run("drift", model, path).out == "same\n"


def test_one_odd_record_is_no_broken_source(plant):
    table, _, path = plant
    for odd in ({"a": 1e6}, {"a": np.nan}):
        # one in 800 may be called a shift, at 1 %
        assert aetool.drift(path, table[:1].assign(**odd)).word in ("unknown", "shifted")
    assert aetool.drift(path, table[:1]).word == "unknown"
    assert aetool.drift(path, table[:10].assign(a=1e6)).word == "shifted"
    assert aetool.drift(path, table[:1].assign(a="text")).word == "broken"


def test_one_word_is_stuck_and_new_words_are_not(plant):
    """Words that training did not see are counted as one, and yet each may be another."""
    table, _, path = plant
    stuck = aetool.drift(path, table[:30].assign(c="x"))
    assert ("c", "every value is the same") in stuck.faults
    words = [f"word {number}" for number in range(30)]
    renamed = aetool.drift(path, table[:30].assign(c=words))
    assert "c" not in dict(renamed.faults)
    assert ("c", "new levels") in [(shift.column, shift.what) for shift in renamed.shifted]


def test_a_reference_is_a_model_or_data(plant, tmp_path, run):
    table, path, model = plant
    for reference in (model, path):
        done = run("drift", reference, path, "--exit-code")
        assert (done.status, done.out) == (0, "same\n"), done.err
    table.assign(a=table.a + 1).to_csv(tmp_path / "new.csv", index=False)
    done = run("drift", model, tmp_path / "new.csv", "--exit-code", "-q")
    lines = done.out.splitlines()
    assert done.status == 1 and lines[0] == "shifted" and done.err == ""
    assert lines[1].split() == ["column", "what", "before", "now", "p"]
    assert any(line.startswith("a") and "location" in line for line in lines)
    refused = run("drift", model, path, "-p", "pca")
    assert refused.status == 2 and "-p is of the model: fit it with -p, not drift" in refused.err


def test_json_tells_every_test(plant, run):
    _, path, model = plant
    told = json.loads(run("drift", model, path, "--json").out)
    assert told["word"] == "same" and told["rows"] == told["rows_before"] == 800
    kinds = {(t["column"], t["what"]) for t in told["tests"]}
    assert kinds == {
        ("a", "location"),
        ("a", "shape"),
        ("b", "location"),
        ("b", "shape"),
        ("c", "shape"),
        (None, "score"),
    }
    assert not any(t["shifted"] for t in told["tests"]) and told["faults"] == []


def test_in_python(plant):
    table, _, path = plant
    model = aetool.load(path)
    assert aetool.drift(model, table).word == model.drift(table).word == "same"
    assert aetool.drift(path, table.assign(a=table.a + 1)).word == "shifted"


def test_pictures_are_compared_by_their_scores(folder, run, pca_pictures, tmp_path):
    assert run("drift", pca_pictures, folder).out == "same\n"
    from PIL import Image

    with Image.open(next(folder.rglob("*.png"))) as first:
        shape = first.size
    for place in range(40):
        noise = np.random.default_rng(place).integers(0, 256, (28, 28)).astype(np.uint8)
        Image.fromarray(noise).resize(shape).save(tmp_path / f"{place}.png")
    assert run("drift", pca_pictures, tmp_path).out.splitlines()[0] in ("shifted", "broken")


def test_no_records_are_an_error(plant, tmp_path, run):
    _, _, model = plant
    (tmp_path / "new.csv").write_text("a,b,c\n")
    done = run("drift", model, tmp_path / "new.csv")
    assert done.status == 2 and "no records" in done.err


def test_p_of_the_score_is_one_sided():
    held_out = Calibration.of(np.random.default_rng(0).lognormal(0, 1, (2000, 1)))
    for factor, sure in ((0.7, False), (1.4, True)):
        tally = shifts.Tally(None, held_out, held_out.threshold())
        scores = factor * np.random.default_rng(1).lognormal(0, 1, 2000)
        tally.add(np.zeros((2000, 0)), scores)
        (shift,) = tally.compared().shifts
        assert (shift.p < 1e-6) == sure


@pytest.mark.long
def test_scores_of_the_same_data_are_seldom_called_shifted():
    """Of tables of two columns, where few other tests share the chance of a false alarm."""
    p = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        tables = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], (2, 300))
        reference, new = (pd.DataFrame(table, columns=["a", "b"]) for table in tables)
        (score,) = (s for s in aetool.drift(reference, new, plugin="pca").shifts if not s.column)
        p.append(score.p)
    # four deviations of a binomial beyond the 6 that are expected
    assert (np.array(p) <= 0.05).sum() <= 16


def test_a_part_that_moved_against_most_values_is_not_told():
    """Fewer zeros, but smaller numbers beside them: more values are larger, the highest smaller."""
    old = [*[0] * 901, *[5] * 100]
    new = [*[0] * 761, *[1] * 240]
    assert told_of(old, new) == ("50 % larger, 50 % smaller", "55.8 % larger than before")
