"""Words that stray into a category, as `femle` does once among thousands of `female`."""

import math

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto

from aetool import graphs, operations
from aetool.columns.schema import infer
from aetool.columns.strays import Strays, nats_of_new_word
from aetool.data.sources import open_source
from aetool.graphs import Graph
from aetool.operations import FitOptions

ROWS = 1200
WORDS = ["word a", "word b", "word c", "word d"]


@pytest.mark.parametrize(
    ("counts", "strays"),
    [
        ((600, 599, 1), Strays(2, 1, 1, 599)),
        ((600, 599), Strays(2, 0, 0, 599)),
        # two misspellings of one word, and one that was made twice
        ((600, 590, 1, 1), Strays(2, 2, 1, 590)),
        ((600, 590, 2, 1), Strays(2, 3, 2, 590)),
        # too many to be slips, but not among ten thousand rows
        ((600, 590, 2, 2), None),
        ((6000, 5990, 6, 4), Strays(2, 10, 6, 5990)),
        # levels that thin out: the last is the rarest of its kind, and none is far from the next
        ((500, 100, 30, 9, 4, 1), None),
        ((500, 100, 10, 1), Strays(3, 1, 1, 10)),
        ((500, 100, 9, 1), None),
        ((3, 2, 1), None),
        ((1,), None),
        ((), None),
    ],
)
def test_a_stray_comes_a_tenth_as_often_as_any_other_word_at_most(counts, strays):
    # all alike, so that their counts alone decide
    words = [f"word {letter}" for letter in "abcdef"[: len(counts)]]
    assert Strays.of(words, counts) == strays


@pytest.mark.parametrize(
    ("word", "is_stray"),
    [
        ("femle", True),
        ("Female", True),
        ("mael", True),
        ("fmeale", True),
        ("d", False),
        ("unknown", False),
        ("n. a.", False),
    ],
)
def test_a_rare_word_that_is_like_no_other_is_an_answer(word, is_stray):
    """As `d` for a third sex, of which the members that know how rare it is say enough."""
    assert (Strays.of(["male", "female", word], (600, 590, 1)) is not None) == is_stray


def test_a_stray_costs_its_rarity_and_the_gap():
    once = Strays.of(WORDS, (600, 599, 1))
    assert once.nats_of_seen(1200) == pytest.approx(math.log(1201) + math.log(599))
    # as one that was seen once, and never less than that
    assert once.nats_of_unseen(1200) == once.nats_of_seen(1200)
    assert Strays.of(WORDS, (600, 590, 2, 1)).nats_of_seen(1200) == pytest.approx(
        math.log(1201 / 3) + math.log(295)
    )
    many = Strays.of(WORDS, (600_000, 599_999, 1))
    assert many.nats_of_seen(1_200_000) == pytest.approx(math.log(1_200_001) + math.log(1000))
    # of words that all come often none costs anything more
    assert Strays.of(WORDS, (600, 600)).nats_of_seen(1200) == 0


@pytest.mark.parametrize(
    ("counts", "rows", "nats"),
    [
        # as many records hold a new word as held one that came once, and one at least
        ((30_000, 9_000, 999, 1), 40_000, math.log(40_001)),
        ((30_000, 9_000, 998, 1, 1), 40_000, math.log(40_001 / 2)),
        ((30_000, 9_000, 1_000), 40_000, math.log(40_001)),
        ((998, 1, 1), 1_000, 0.0),
        ((999, 1), 1_000, math.log(1_001)),
        # of few records nobody knows how rare new words are
        ((900, 99), 999, 0.0),
        ((), 5_000, math.log(5_001)),
    ],
)
def test_a_new_word_costs_how_rare_new_words_are(counts, rows, nats):
    assert nats_of_new_word(counts, rows) == pytest.approx(nats)


def people(seed=0, rows=ROWS):
    """A table of 14 columns, whose costs add up, with words of each number of levels."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 10)).round(2)).add_prefix("n")
    frame["sex"] = rng.choice(["male", "female"], rows)
    frame["school"] = rng.choice(["basic", "middle", "higher"], rows, p=[0.5, 0.3, 0.2])
    frame["town"] = rng.choice([f"town {number}" for number in range(40)], rows)
    frame["colour"] = rng.choice(list("abcde"), rows, p=[0.9, 0.06, 0.03, 0.006, 0.004])
    return frame


def graph_costs(schema, frame, has_strays=True):
    """(rows, columns): what `standing_out` writes, run by onnxruntime."""
    import onnxruntime

    x = schema.encode(next(iter(open_source(frame).batches())), "t")
    g = Graph()
    name = g.input("x", TensorProto.DOUBLE, [x.shape[1]])
    costs = graphs.standing_out(g, schema, name, has_strays)
    g.output("y", costs, TensorProto.FLOAT, [x.shape[1]])
    session = onnxruntime.InferenceSession(g.build("strays"))
    return session.run(None, {"x": x})[0]


def test_the_graph_costs_what_the_rule_says():
    frame = people().drop(columns=["colour", "town"])
    frame.loc[7, "sex"] = "femle"
    frame.loc[9, "school"] = np.nan
    table = next(iter(open_source(frame).batches()))
    schema = infer(table)
    places = {column.name: place for place, column in enumerate(schema.modelled)}
    frame.loc[11, "sex"] = "unknown"
    found = graph_costs(schema, frame)
    expected = np.zeros(found.shape)
    for row in (7, 11):
        expected[row, places["sex"]] = schema["sex"].strays.nats_of_seen(ROWS)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert expected.any()
    assert not graph_costs(schema, frame, has_strays=False).any()


def test_tables_of_numbers_have_the_graphs_they_had():
    numbers = people().drop(columns=["sex", "school", "town", "colour"])
    schema = infer(next(iter(open_source(numbers).batches())))
    written = []
    for has_strays in (False, True):
        g = Graph()
        x = g.input("x", TensorProto.DOUBLE, [10])
        g.output("y", graphs.standing_out(g, schema, x, has_strays), TensorProto.FLOAT, [10])
        written.append(g.build("costs"))
    assert written[0] == written[1]


@pytest.mark.usefixtures("fits_once")
@pytest.mark.parametrize(
    ("column", "slip"),
    # each is found in three fits of the default
    [
        ("sex", "femle"),
        pytest.param("school", "hihger", marks=pytest.mark.long),
        pytest.param("town", "twon 7", marks=pytest.mark.long),
    ],
)
def test_one_misspelt_word_is_the_highest_score_and_flagged(column, slip):
    frame = people()
    before = operations.detect(frame)
    frame.loc[345, column] = slip
    found = operations.detect(frame)
    assert 345 in found.row, "flagged"
    assert set(found.row) <= {345, *before.row}, "and nothing else for it"
    assert operations.detect(frame, top=1).row.tolist() == [345]
    why = found.why[found.row.tolist().index(345)]
    assert why.startswith(f"{column}={slip} (")


def test_a_word_among_rare_ones_is_no_stray():
    """Levels that thin out to one that comes a few times are a kind of records."""
    frame = people()
    frame.loc[345, "colour"] = "f"
    assert 345 not in operations.detect(frame).row


# fits of the default again; a word that is new is flagged in the fast set, without a model
@pytest.mark.long
def test_a_model_flags_a_word_that_it_never_saw():
    frame = people()
    model = operations.fit(frame, FitOptions())
    new = people(1)
    new.loc[3, "sex"] = "femle"
    assert 3 in operations.detect(new, model).row
    assert len(operations.detect(people(1), model).row) <= 5
    # in its condition nothing is judged
    given = operations.fit(frame, FitOptions(condition=("sex",)))
    assert given.schema["sex"].strays is None


# two fits of the default and their exports; graphs in float32 have tests of their own
@pytest.mark.long
def test_a_stray_costs_the_same_in_graphs_of_float32(tmp_path, run):
    """Which know fewer comparisons of pairs of float32."""
    frame = people()
    frame.loc[7, "sex"] = "femle"
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert run("fit", tmp_path / "t.csv", "-q", "-o", tmp_path / "m.aem").status == 0
    done = run("export", tmp_path / "m.aem", "-o", tmp_path / "o", "--float32", "--verify")
    assert done.status == 0, done.err


def test_a_word_like_no_other_strays_where_each_other_comes_a_thousand_times():
    airports = ["EWR", "JFK", "LGA"]
    alone = Strays.of([*airports, "ZZZ"], [1500, 1200, 1000, 1])
    assert alone == Strays(3, 1, 1, 1000)
    # others come less often, or two cells have it: a rare answer
    assert Strays.of([*airports, "ZZZ"], [1500, 1200, 999, 1]) is None
    assert Strays.of([*airports, "ZZZ"], [9000, 9000, 9000, 2]) is None
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(4000, 5)).round(2)).add_prefix("n")
    frame["airport"] = rng.choice(airports, 4000)
    frame.loc[17, "airport"] = "ZZZ"
    found = operations.detect(frame, all_rows=True)
    assert found.anomaly[17] and found.named[17][0][0] == "airport"


def test_a_word_that_was_never_seen_is_flagged_though_one_came_once():
    """The word that came once is like no other, so that none is told to stray."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(3000, 6)).round(2)).add_prefix("n")
    frame["line"] = rng.choice(["AA", "B6", "DL", "EV", "UA", "WN"], 3000)
    frame.loc[9, "line"] = "OO"
    model = operations.fit(frame, FitOptions())
    assert model.schema["line"].strays is None
    later = frame[:200].copy()
    later.loc[[50, 150], "line"] = "QQ"
    found = operations.detect(later, model, all_rows=True)
    assert found.anomaly[[50, 150]].all()
    assert [named[0][0] for named in (found.named[50], found.named[150])] == ["line", "line"]
