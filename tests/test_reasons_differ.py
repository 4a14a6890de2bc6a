"""A reason never says that a value was found where that very value was expected."""

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.columns.column import AS_EXPECTED, NEVER_THERE, RARELY_THERE
from aetool.columns.schema import infer
from aetool.data.sources import open_source
from aetool.detection import reasons
from aetool.scoring import costing


@pytest.fixture(scope="module")
def table():
    """A table of numbers with one decimal, of few different numbers, and of words; its schema."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "wide": rng.normal(20, 5, 400).round(1),
            "few": rng.choice([1, 2, 5], 400),
            "word": rng.choice(["a", "b"], 400),
            "day": pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d"),
            "gappy": np.where(rng.random(400) < 0.5, np.nan, rng.normal(size=400).round(2)),
        }
    )
    table = next(iter(open_source(frame).batches()))
    return table, infer(table)


@pytest.mark.parametrize(
    ("name", "found", "expected", "told"),
    [
        ("wide", 20.1, 21.04, "21.0"),
        ("wide", 20.1, 20.13, "20.13"),
        ("wide", 20.1, 20.1004, "20.1004"),
        # nearer than anybody wants to read, and the same
        ("wide", 20.1, 20.100001, AS_EXPECTED),
        ("wide", 20.1, 20.1, AS_EXPECTED),
        # of few different numbers it is the nearest that is told
        ("few", 2.0, 2.2, AS_EXPECTED),
        ("few", 2.0, 4.9, "5"),
        ("word", 0.0, 0.0, AS_EXPECTED),
        ("gappy", 0.5, float("nan"), RARELY_THERE),
        ("gappy", float("nan"), float("nan"), AS_EXPECTED),
    ],
)
def test_the_expected_value_of_a_reason_differs_from_the_one_found(
    table, name, found, expected, told
):
    column = table[1][name]
    written = column.show(found)
    assert column.contrast(written, found, expected) == told
    assert told != written


def test_a_gap_is_called_missing_whatever_the_kind_of_its_column(table):
    records, schema = table
    for name in ("wide", "word", "day", "gappy"):
        assert schema[name].found(records[name], 0, float("nan")) == "missing"
    assert schema["day"].contrast("missing", float("nan"), float("nan")).endswith(" to 2021-02-03")


def test_in_words_what_is_as_expected_is_not_said_twice():
    named = [("a", "5.1", "5.13"), ("b", "5.1", AS_EXPECTED), ("c", "2", RARELY_THERE)]
    assert reasons.line(named, True) == (
        "a=5.1 (expected 5.13); b=5.1 (as expected, but less surely than usual); "
        "c=2 (present, rare)"
    )


@pytest.mark.parametrize(
    ("bits", "usual", "said"),
    [
        (7.34, 5.1, "7.3 bits, usually up to 5.1"),
        (5.14, 5.1, "5.14 bits, usually up to 5.10"),
        (5.1004, 5.1, "5.1004 bits, usually up to 5.1000"),
        (5.1000004, 5.1, "hardly more than 5.1000 bits, up to which is usual"),
    ],
)
def test_a_price_differs_from_the_usual_one(bits, usual, said):
    assert costing.price_of(bits, usual) == said


def test_no_record_of_a_table_has_equal_numbers_as_found_and_expected(table, tmp_path, run):
    """In the terminal, in JSON, on a page and in Python alike: all are of the same texts."""
    rng = np.random.default_rng(1)
    base = rng.normal(20, 3, 600)
    frame = pd.DataFrame({name: base + rng.normal(0, 0.2, 600) for name in "abc"}).round(1)
    frame["level"] = rng.choice(["x", "y"], 600)
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = aetool.detect(frame, plugin="pca", all_rows=True)
    phrases = [phrase for why in found.why for phrase in why.split("; ") if "expected " in phrase]
    assert len(phrases) > 600
    for phrase in phrases:
        value, _, rest = phrase.partition("=")[2].partition(" (expected ")
        assert value != rest.rstrip(")"), phrase
    aetool.compress(frame, tmp_path / "t.aez")
    for why in aetool.detect(tmp_path / "t.aez").why:
        for phrase in why.split("; "):
            bits, _, usual = phrase.partition("(")[2].rstrip(")").partition(" bits, usually up to ")
            assert not usual or float(bits) > float(usual), phrase


def test_an_explanation_says_of_its_reasons_alone_that_they_are_as_expected(table):
    model = aetool.fit(pd.DataFrame({"a": np.arange(99.0) % 7, "b": np.arange(99.0) % 5}), "pca")
    told = model.explain({"a": 3.0, "b": 2.0})
    others = told[~told.named]
    assert AS_EXPECTED not in list(others.expected)
    reasons_told = told[told.named]
    assert not (reasons_told.found == reasons_told.expected).any()


@pytest.mark.parametrize("written", ["{}", "{}.0"])
def test_of_whole_numbers_whole_ones_are_expected_within_their_range(tmp_path, run, written):
    """As pandas writes them beside gaps, too, where 40.0 is a whole number."""
    rng = np.random.default_rng(0)
    guests = np.maximum(rng.normal(50, 40, 800), 0).round().astype(int)
    meals = 2 * guests + rng.normal(0, 1, 800)
    rows = [f"{written.format(g)},{m:.2f}" for g, m in zip(guests, meals, strict=True)]
    rows[5], rows[6] = f"{written.format(150)},-20", f",{2 * 77.4:.2f}"
    (tmp_path / "t.csv").write_text("guests,meals\n" + "\n".join(rows) + "\n")
    column = infer(next(iter(open_source(tmp_path / "t.csv").batches())))["guests"]
    ending = written.format("")
    assert len(column.few) == 0
    assert column.expectation(3.0, -1.8) == f"0{ending}"
    assert column.expectation(3.0, 3.4) == f"3{ending}"
    # rounding makes them equal, and 50.4 would be no count
    assert column.contrast(column.show(50.0), 50.0, 50.4) == AS_EXPECTED
    detection = aetool.detect(tmp_path / "t.csv", plugin="pca", all_rows=True)
    told = [phrase for why in detection.why for phrase in why.split("; ") if "guests=" in phrase]
    expected = [phrase.partition(" (expected ")[2] for phrase in told if "(expected" in phrase]
    assert len(expected) > 5
    for number in expected:
        assert float(number.rstrip(")")).is_integer() and float(number.rstrip(")")) >= 0


def test_a_column_that_was_empty_is_told_of_and_values_in_it_later(tmp_path, run):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=600), "word": rng.choice(["u", "v"], 600)})
    frame["b"] = frame.a + rng.normal(0, 0.1, 600)
    frame["empty"] = ""
    frame.to_csv(tmp_path / "t.csv", index=False)
    done = run("fit", tmp_path / "t.csv", "-p", "pca", "-o", tmp_path / "m.aem")
    assert done.err.count(": empty") == 1 and "nothing differs in: empty" in done.err
    assert "read_as empty" in run("info", tmp_path / "m.aem").out
    for value in ("hello", "5"):
        later = frame[:50].copy()
        later.loc[7, "empty"] = value
        later.to_csv(tmp_path / "later.csv", index=False)
        said = run("detect", tmp_path / "later.csv", "-m", tmp_path / "m.aem", "--top", "1").out
        assert f"empty={value} ({NEVER_THERE})" in said.splitlines()[1]
    # in a frame it may be a column of numbers, none of which is there
    typed = frame.assign(empty=np.nan)
    (column,) = (c for c in aetool.fit(typed, "pca").schema.columns if c.name == "empty")
    assert column.is_empty and column.understood() == "empty: no finite number"
    assert column.facts()["low"] is None
    assert column.expectation(5.0, np.nan) == NEVER_THERE


def test_a_column_of_dates_that_was_empty_is_told_of(tmp_path, run):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=600), "b": rng.normal(size=600), "day": ""})
    frame.to_csv(tmp_path / "t.csv", index=False)
    run("fit", tmp_path / "t.csv", "-p", "pca", "--type", "day=date", "-o", tmp_path / "m.aem")
    told = run("info", tmp_path / "m.aem").out
    assert "empty: no date" in told and "1970" not in told
    frame.loc[7, "day"] = "2024-05-06"
    frame.to_csv(tmp_path / "later.csv", index=False)
    said = run("detect", tmp_path / "later.csv", "-m", tmp_path / "m.aem", "--top", "1").out
    assert "1970" not in said
