"""Where nothing is at a path, the message names what is there and called nearly so."""

import pytest

import aetool
from aetool.errors import DataError
from aetool.files import near, place_of
from aetool.files.attributes import is_file


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data.csv", "sales 2023.csv", "plant.aem", "photos.aez", ".dato.csv"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "pictures" / "raw").mkdir(parents=True)
    (tmp_path / "pictures" / "raw" / "one.png").write_text("")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dat.csv", "data.csv"),
        ("DATA.CSV", "data.csv"),
        ("data.cvs", "data.csv"),
        ("data.parquet", "data.csv"),
        ("./dtaa.csv", "data.csv"),
        ("plnt.aem", "plant.aem"),
        ("photo.aez", "photos.aez"),
        ("pictrues", "pictures"),
        ("pitcures/raw", "pictures/raw"),
        ("pictures/raww/one.png", "pictures/raw/one.png"),
        ("sale 2023.csv", "sales 2023.csv"),
        # nothing is near, or it is of another kind
        ("old.csv", ""),
        ("day.csv", ""),
        ("sales 2022.csv", ""),
        ("plant.csv", ""),
        ("data.aem", ""),
        ("photos.aem", ""),
        ("pitcures/cooked", ""),
        ("no/such/folder.csv", ""),
    ],
)
def test_a_name_that_is_nearly_right_is_suggested(here, typed, meant):
    assert near.did_you_mean(typed) == (f"; did you mean '{meant}'?" if meant else "")
    with pytest.raises(DataError) as raised:
        place_of(typed)
    assert str(raised.value) == f"{typed}: no such file{near.did_you_mean(typed)}"


def test_of_equally_near_names_the_one_of_the_same_suffix_is_meant(here, tmp_path):
    for suffix in (".json", ".parquet", ".xlsx"):
        (tmp_path / f"data{suffix}").write_text("")
    assert near.did_you_mean("dat.parquet") == "; did you mean 'data.parquet'?"


def test_a_model_may_be_named_without_its_suffix(here):
    assert near.did_you_mean("plant", ".aem") == "; did you mean 'plant.aem'?"


def test_a_huge_folder_is_not_listed(here, tmp_path, monkeypatch):
    entries = len(list(tmp_path.iterdir()))
    monkeypatch.setattr(near, "MOST_ENTRIES", entries)
    assert near.did_you_mean("dat.csv")
    monkeypatch.setattr(near, "MOST_ENTRIES", entries - 1)
    assert near.did_you_mean("dat.csv") == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [("a" * 5000, "File name too long"), ("a\0b", "no name of a file")],
)
@pytest.mark.parametrize("verb", [aetool.detect, aetool.fit, aetool.load, aetool.compress])
def test_what_can_be_no_name_is_refused_by_every_verb(here, verb, name, why):
    with pytest.raises(DataError, match=why):
        verb(name)


def test_where_nothing_can_be_is_no_file(here):
    assert is_file("data.csv")
    assert not any(map(is_file, ["dat.csv", "pictures", "data.csv/x", "a" * 5000, "a\0b"]))
