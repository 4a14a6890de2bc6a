"""Folders are the labels of pictures; tiles are judged as pieces of the pictures they are of."""

import re

import numpy as np
import pytest
from PIL import Image

import aetool
from aetool import operations, training
from aetool.data import notices
from aetool.data.pictures.labels import labels_of
from aetool.detection.calibration import Calibration
from aetool.errors import ParamError
from aetool.operations import FitOptions


def surface(seed, side=24, dent=False):
    """A smooth wave with little noise, (side, side); dent: a bright spot of 5 x 5."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    wave = 0.5 + 0.2 * np.sin(9 * x + 0.1 * rng.normal()) + rng.normal(0, 0.02, (side, side))
    if dent:
        left, top = rng.integers(2, side - 7, 2)
        wave[top : top + 5, left : left + 5] = 1.0
    return (255 * wave.clip(0, 1)).astype(np.uint8)


def filled(folder, count, first=0, side=24, dent=False):
    folder.mkdir(parents=True)
    for number in range(count):
        picture = Image.fromarray(surface(first + number, side, dent))
        picture.save(folder / f"{number:02}.png")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """good/ and dent/ beside each other."""
    root = tmp_path_factory.mktemp("labels") / "parts"
    filled(root / "good", 40)
    filled(root / "dent", 6, first=100, dent=True)
    return root


@pytest.fixture(scope="module")
def bottle(tmp_path_factory):
    """As MVTec AD has its pictures."""
    root = tmp_path_factory.mktemp("labels") / "bottle"
    filled(root / "train" / "good", 40)
    filled(root / "test" / "good", 10, first=50)
    filled(root / "test" / "dent", 6, first=100, dent=True)
    filled(root / "ground_truth" / "dent", 6)
    return root


def said_by(work):
    """(what work returns, what was said meanwhile)."""
    said = []
    with notices.heard_by(lambda name, line: said.append(line)):
        found = work()
    return found, said


def test_the_label_is_the_folder_below_train_and_test():
    names = ["good/1.png", "train/good/2.png", "test/crack/deep/3.png", "4.png", "test/5.png"]
    assert labels_of(names) == ["good", "good", "crack", "", ""]


def test_good_pictures_alone_are_fitted_if_asked(parts, tmp_path, run):
    done = run("fit", parts, "--normal", "good", "-p", "pca", "-o", tmp_path / "m.aem")
    assert done.status == 0 and "fitted on 40 of 46 pictures, those in good/" in done.err
    model = aetool.load(tmp_path / "m.aem")
    assert model.facts["rows"] == 40
    same, said = said_by(lambda: aetool.fit(parts, "pca", label="folder", normal=["good"]))
    assert same.to_bytes() == model.to_bytes() and len(said) == 1
    every, said = said_by(lambda: aetool.fit(parts, "pca"))
    assert every.facts["rows"] == 46
    assert said == ["folders good (40), dent (6): all are fitted; normal good fits those alone"]
    done = run("evaluate", parts, "-m", tmp_path / "m.aem", "--json")
    assert done.status == 0
    figures = model.evaluate(parts)
    assert figures["rows"] == 46 and figures["anomalies"] == 6 and figures["auroc"] == 1.0
    assert figures == model.evaluate(parts, "folder", "good")
    assert run("evaluate", parts).status == 0, "without a model, too"


def test_pictures_as_mvtec_has_them(bottle):
    model, said = said_by(lambda: aetool.fit(bottle, "pca"))
    assert model.facts["rows"] == 40
    assert said == ["train/ is fitted: 40 pictures, without 22 others"]
    figures, said = said_by(lambda: model.evaluate(bottle))
    assert (figures["rows"], figures["anomalies"], figures["auroc"]) == (16, 6, 1.0)
    assert said == ["test/ is judged: 16 pictures, without 46 others"]
    assert model.evaluate(bottle / "test")["auroc"] == 1.0
    found, said = said_by(lambda: model.detect(bottle))
    assert len(found) == 56, "masks are no pictures to look at"
    assert len(said) == 1
    counts, alone = said[0].split(" are all judged; ")
    assert counts == "train/ (40) and test/ (16)"
    assert alone.endswith("/bottle/test alone is those of test/")
    assert said_by(lambda: model.detect(bottle / "test"))[1] == []
    assert not found["file"].str.startswith("ground_truth").any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "colour"}, "label colour: pictures have no columns"),
        ({"normal": ["fine"]}, r"is in a folder fine; there are good \(40\), dent \(6\)"),
    ],
)
def test_labels_that_pictures_have_not(parts, options, words):
    with pytest.raises(ParamError, match=words):
        operations.fit(parts, FitOptions("pca", **options))


def test_what_evaluate_needs(parts, tmp_path, rows_csv, run):
    model = operations.fit(parts / "good", FitOptions("pca"))
    with pytest.raises(ParamError, match=r"no folder is called good, ok, normal or the like"):
        operations.evaluate(parts / "dent", model)
    done = run("evaluate", rows_csv)
    assert done.status == 2 and "a table is judged by a column: give --label COLUMN" in done.err


# ---- tiles


def test_scores_of_pictures_are_those_of_their_worst_tiles():
    parts = np.array([[1.0, 0], [5, 0], [2, 1], [0, 0], [4, 4]])
    found = Calibration.of(parts, owner=np.array([0, 0, 3, 3, 7]))
    assert found.rows == 3 and found.scores.tolist() == [3, 5, 8]
    assert found.typical.tolist() == [2, 0], "what is usual is that of all tiles"


def test_tiles_of_a_picture_are_held_out_together():
    owner = np.repeat(np.arange(50), 4)
    fitted, held = training.split(200, 0, owner)
    assert sorted([*fitted, *held]) == list(range(200))
    assert not set(owner[fitted]) & set(owner[held]) and len(set(owner[held])) >= 5


# tiles that overlap are four times as many
@pytest.mark.parametrize("stride", [None, pytest.param(8, marks=pytest.mark.long)])
def test_a_picture_is_judged_by_its_worst_tile(stride, tmp_path):
    ordinary = np.stack([surface(seed, 48) for seed in range(40)])
    model = aetool.fit(ordinary, "pca", tile=16, stride=stride)
    assert model.shape == (1, 16, 16) and model.calibration.rows == 40
    new = np.stack([surface(seed, 48) for seed in range(100, 200)])
    assert model.detect(new)["anomaly"].sum() <= 3, "of pictures one in 1,000, not of tiles"
    odd = new[:4].copy()
    odd[2, 33:38, 20:25] = 255
    found = operations.detect(odd, model)
    assert found.row.tolist() == [2]
    # the map is of the whole picture
    box = re.search(r"(\d+) x (\d+) pixels at \((\d+), (\d+)\)", found.why[0])
    width, height, left, top = map(int, box.groups())
    assert left <= 22 < left + width and top <= 35 < top + height
    codes = model.encode(odd)
    assert len(codes) == 4 * (9 if stride is None else 25), "a code for each tile"
    large = np.stack([surface(seed, 64) for seed in range(3)])
    assert len(model.detect(large)) == 3, "of any size"
    small = model.detect(np.zeros((2, 8, 8), np.uint8))
    assert small["error"].tolist() == ["8 x 8 is smaller than a tile of 16 x 16"] * 2


def test_names_of_tiles(tmp_path, run):
    filled(tmp_path / "p", 24)
    done = run("fit", tmp_path / "p", "--tile", "12", "-p", "pca", "-o", tmp_path / "m.aem")
    assert "24 pictures of 24 x 24: in tiles of 12 x 12, 12 x 12 apart" in done.err
    model = tmp_path / "m.aem"
    done = run("encode", tmp_path / "p", "-m", model, "-o", tmp_path / "z.csv")
    lines = (tmp_path / "z.csv").read_text().splitlines()
    assert len(lines) == 1 + 24 * 4
    assert lines[4].startswith('4,"00.png[12,12]",') and done.status == 0
    page = run("report", model, tmp_path / "p", "-o", tmp_path / "r.html")
    assert page.status == 0 and (tmp_path / "r.html").stat().st_size > 1000


def test_a_fit_on_some_tiles_is_calibrated_by_all(monkeypatch):
    from aetool.data.pictures import framed

    ordinary = np.stack([surface(seed, 48) for seed in range(40)])
    every = aetool.fit(ordinary, "pca", tile=16)
    monkeypatch.setattr(framed, "FEWEST_TILES", 60)
    monkeypatch.setattr(framed, "AT_ONCE", 0)
    some = aetool.fit(ordinary, "pca", tile=16)
    assert some.facts["fitted_rows"] == 60 and some.calibration.rows == 40
    # each is the highest of nine tiles
    new = np.stack([surface(seed, 48) for seed in range(100, 200)])
    assert some.detect(new)["anomaly"].sum() <= 4 and every.calibration.rows == 40
