"""Words that are slips of the pen: rare, and one letter away from a word that comes often."""

import math

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.columns.schema import infer
from aetool.columns.slips import MOST_SLIPS, Slip, near, slips_of
from aetool.data.sources import open_source
from aetool.operations import FitOptions


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("thetf", "theft"),
        ("thef", "theft"),
        ("thefts", "theft"),
        ("thedt", "theft"),
        ("Theft", "theft"),
        ("eau claire", "Eau Claire"),
        ("Specialist Gamemaster", "Specialist Game Master"),
        ("HALF-WAY HOUSE", "HALFWAY HOUSE"),
        ("primary caer", "primary care"),
    ],
)
def test_one_letter_blanks_and_case_make_a_slip(word, meant):
    assert slips_of((meant, word), (100, 1)) == (Slip(1, 0, 1, 100.0),)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        # numbers and codes are no words, nor do two wards differ by a slip
        ("98104", "98144"),
        ("ward w", "ward a"),
        ("auto(s4)", "auto(l4)"),
        ("Room 12", "Room 13"),
        ("no", "so"),
        ("feft", "theft"),
        ("robbery", "theft"),
        ("theft at home", "theft"),
        ("primery caer", "primary care"),
    ],
)
def test_other_words_and_codes_are_no_slips(word, other):
    assert not slips_of((other, word), (100, 1))


def test_a_slip_is_rare_and_what_was_meant_comes_ten_times_as_often():
    assert slips_of(("theft", "thetf"), (30, 3)) == (Slip(1, 0, 3, 10.0),)
    assert not slips_of(("theft", "thetf"), (29, 3))
    assert not slips_of(("theft", "thetf"), (4000, 4))
    # other words may come as seldom, and not be like any
    words = ("theft", "loss", "thetf", "hacking")
    assert slips_of(words, (40, 20, 1, 1)) == (Slip(2, 0, 1, 40.0),)


def test_so_many_slips_of_a_column_are_told():
    slips = tuple(f"the{letter}t" for letter in "abcdeghijklmnopqrstuvwxyz")
    told = slips_of(("theft", *slips), (400, *[1] * len(slips)))
    assert [slip.place for slip in told] == list(range(1, MOST_SLIPS + 1))


def losses(rows: int = 1000) -> pd.DataFrame:
    """Losses of data, among them kinds that come once or twice."""
    rng = np.random.default_rng(0)
    names = ["Theft", "Loss", "Hacking", "Improper Disposal"]
    kinds = rng.choice(names, rows, p=[0.4, 0.3, 0.2, 0.1])
    kinds[[5, 50, 500]] = ["Fire", "Flood", "Flood"]
    people = np.where(kinds == "Hacking", 900, 60) * rng.lognormal(0, 0.5, rows)
    return pd.DataFrame({"kind": kinds, "people": people.round()})


@pytest.mark.parametrize("options", [None, FitOptions()])
def test_slips_are_flagged_and_the_word_meant_is_named(options):
    table = losses()
    table.loc[100, "kind"] = "Thetf"
    table.loc[200, "kind"] = "improper disposal"
    model = options and operations.fit(table, options)
    found = operations.detect(table, model, all_rows=True)
    assert found.anomaly[[100, 200]].all()
    assert found.named[100][0] == ("kind", "Thetf", "Theft")
    assert found.named[200][0] == ("kind", "improper disposal", "Improper Disposal")
    # what costs nothing there adds nothing
    clean = operations.detect(losses(), model and operations.fit(losses(), options), all_rows=True)
    others = np.delete(np.arange(len(table)), [100, 200])
    assert found.anomaly[others].sum() <= clean.anomaly.sum() + 1


def test_a_slip_costs_how_rare_it_is_and_how_much_more_often_the_other_comes():
    slip = Slip(place=3, meant=0, cells=2, times=150.0)
    assert slip.nats(999) == pytest.approx(math.log(1000 / 2) + math.log(150))
    # as of a word that was never seen, at most
    assert Slip(3, 0, 2, 1e6).nats(999) == pytest.approx(math.log(1000 / 2) + math.log(1000))


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("nne", ("NE", "NNE", "N"), "NNE"),
        ("Lonodn", ("Paris", "London"), "London"),
        # the case of letters counts less than a letter, however often the other word comes
        ("thefts", ("Theft", "Thefts"), "Thefts"),
        ("Rome", ("Paris", "London"), None),
        # a letter more or less makes another of words so short
        ("NNX", ("NE", "NNE"), None),
        ("98104", ("98144",), None),
    ],
)
def test_a_word_that_is_not_known_is_near_a_known_one(word, known, meant):
    assert near(word, known) == meant


@pytest.mark.parametrize("plugin", ["pca", "histogram"])
def test_a_model_tells_the_known_word_that_a_new_one_is_near(plugin):
    rng = np.random.default_rng(0)
    winds = ["NE", "NNE", "N", "South"]
    place = rng.choice(4, 1000)
    table = pd.DataFrame({"wind": np.take(winds, place), "x": 9 * place + rng.normal(0, 1, 1000)})
    model = operations.fit(table, FitOptions(plugin))
    new = table[:20].copy()
    new.loc[new.index[3], "wind"] = "nne"
    new.loc[new.index[4], "wind"] = "Sout"
    new.loc[new.index[5], "wind"] = "elsewhere"
    why = operations.detect(new, model, all_rows=True).why
    # what is expected there is told as well, if that is another word
    for row, told in (
        (3, "wind=nne (not known, near NNE"),
        (4, "wind=Sout (not known, near South"),
    ):
        rest = why[row].removeprefix(told).split(")")[0]
        assert why[row].startswith(told) and rest in ("", *(f", expected {w}" for w in winds))
    assert "wind=elsewhere (expected " in why[5]


def test_of_a_longer_list_than_is_kept_no_word_is_called_unknown():
    words = [
        f"word{letter}{other}"
        for letter in "abcdefghijklmnopqrstuvwxyz"
        for other in "abcdefghijkl"
    ]
    table = next(iter(open_source(pd.DataFrame({"w": words * 3})).batches()))
    column = infer(table)["w"]
    assert column.more
    unlisted = float(len(column.levels))
    assert "known" not in column.contrast("wordzz", unlisted, 0.0)
