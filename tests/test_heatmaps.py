"""Where a picture is odd: regions and boxes, maps, the files that show them, figures by masks."""

import dataclasses
import io
import json

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from PIL import Image

import aetool
from aetool import mapping, operations
from aetool.cli import main
from aetool.data import heatmaps as drawn
from aetool.data.masks import Masks
from aetool.data.pictures.framing import Framing
from aetool.detection import maps, picture_reasons
from aetool.detection.maps import PixelCalibration
from aetool.detection.pixel_scores import PixelTally
from aetool.detection.regions import Box, box_of, centres, labelled, region_of_peak
from aetool.errors import AetoolError, DataError, ParamError
from aetool.scoring import heatmaps

SIDE = 24


def opened(path):
    """A picture that is wholly read, its file closed."""
    with Image.open(path) as image:
        image.load()
    return image


def with_graphs(model, graphs):
    """The model with other members, written and read again."""
    return aetool.load(dataclasses.replace(model, graphs=graphs, _sessions={}).to_bytes())


def stripes(count, seed):
    """Soft stripes across and down, each in a place of its own, (count, 24, 24, 3) uint8, and a
    little noise on them."""
    rng = np.random.default_rng(seed)
    place = np.arange(SIDE) / 3
    across, down = (np.sin(place + rng.uniform(0, 6, (count, 1))) for _ in range(2))
    level = 130 + 25 * (across[:, None, :, None] + down[:, :, None, None])
    noisy = level + rng.normal(0, 8, (count, SIDE, SIDE, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def planted(count=6, seed=1):
    """Stripes of which the first half has a darker square of 5 x 5 at x 13, y 4."""
    pictures = stripes(count, seed)
    pictures[: count // 2, 4:9, 13:18] //= 3
    return pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("stripes") / "usual.npy"
    np.save(path, stripes(300, 0))
    return aetool.fit(path, "pca", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """good/ and hole/ as MVTec AD lays them out, and the masks of hole/."""
    root = tmp_path_factory.mktemp("parts")
    for place, picture in enumerate(planted(8)):
        kind = "hole" if place < 4 else "good"
        (root / "test" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / "test" / kind / f"{place:03d}.png")
        if place < 4:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[4:9, 13:18] = 255
            (root / "masks" / "hole").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "masks" / "hole" / f"{place:03d}_mask.png")
    return root


# regions


def test_pixels_that_touch_by_side_or_corner_are_one_region():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]], bool)
    labels, count = labelled(mask)
    assert count == 4
    assert labels[0, 0] == labels[1, 1] and labels[2, 3] == labels[3, 3]
    assert len({labels[0, 0], labels[0, 3], labels[2, 3], labels[3, 0]}) == 4
    assert (labels[~mask] == 0).all()


def test_a_ring_is_one_region_whichever_way_it_is_read():
    y, x = np.mgrid[:41, :41]
    ring = np.abs(np.hypot(y - 20, x - 20) - 15) < 1.5
    for turned in (ring, ring.T, ring[::-1], ring[:, ::-1]):
        assert labelled(turned)[1] == 1
    assert labelled(np.zeros((3, 3), bool))[1] == 0


def test_regions_are_those_of_a_slow_search():
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random(rng.integers(1, 12, 2)) < rng.uniform(0.2, 0.9)
        labels, count = labelled(mask)
        seen = set()
        for start in zip(*np.nonzero(mask), strict=True):
            if start in seen:
                continue
            waiting, region = [start], {start}
            while waiting:
                y, x = waiting.pop()
                for other in [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                    inside = 0 <= other[0] < mask.shape[0] and 0 <= other[1] < mask.shape[1]
                    if inside and mask[other] and other not in region:
                        region.add(other)
                        waiting.append(other)
            seen |= region
            assert {labels[place] for place in region} == {labels[start]}
        assert count == len(np.unique(labels[mask]))


def test_the_box_is_around_the_region_of_the_peak_with_its_share():
    amounts = np.zeros((8, 10))
    amounts[2:4, 3:6] = 2.0
    amounts[3, 5] = 3.0
    amounts[6, 0] = 1.0  # elsewhere
    box = box_of(region_of_peak(amounts, 0.4), amounts)
    assert (box.left, box.top, box.width, box.height) == (3, 2, 3, 2)
    assert box.share == pytest.approx(13 / 14) and not box.spread
    assert box.holds(2.5, 4) and not box.holds(6, 0)
    np.testing.assert_allclose(centres(amounts > 1.5), [[2.5, 4.0]])


# figures by hand


def test_pixel_auroc_and_pro_by_hand_on_a_picture_of_4_by_4():
    amounts = np.arange(16.0).reshape(4, 4)[::-1]  # 12 13 14 15 on top
    mask = np.zeros((4, 4), bool)
    mask[0, 2:] = True  # 14, 15
    mask[2, 0] = True  # 4
    tally = PixelTally()
    tally.add(amounts, mask, None)
    found = tally.figures()
    # 14 and 15 lie above all 13 ordinary pixels, and 4 above 0, 1, 2 and 3
    assert found.auroc == pytest.approx((13 + 13 + 4) / 39)
    # the first region is found before any ordinary pixel is, the second after 9 of 13
    assert found.pro == pytest.approx(0.5) and found.regions == 2


def test_pro_by_hand_where_a_region_is_found_on_the_way():
    # ordinary: 10 pixels; a threshold that lets one through has a false positive rate of 0.1
    amounts = np.array([[9.0, 8.0, 7.0, 6.0, 5.0, 4.0], [3.0, 2.0, 1.0, 0.5, 0.2, 0.1]])
    mask = np.zeros((2, 6), bool)
    mask[0, 1:3] = True  # 8 and 7 come after the one ordinary pixel of 9
    tally = PixelTally()
    tally.add(amounts, mask, None)
    # overlap 0 up to a rate of 0.1, then 1 up to 0.3: (0.2 * 1) / 0.3
    assert tally.figures().pro == pytest.approx(0.2 / 0.3)
    assert tally.figures().auroc == pytest.approx(0.9)


def test_regions_count_alike_whatever_their_size():
    amounts = np.zeros((4, 6))
    mask = np.zeros((4, 6), bool)
    mask[:, :3] = True  # 12 pixels, none of them seen
    mask[0, 5] = True  # one pixel, seen at once
    amounts[0, 5] = 5.0
    amounts[1:, 4:] = 1.0
    tally = PixelTally()
    tally.add(amounts, mask, Box(5, 0, 1, 1, 1.0))
    found = tally.figures()
    assert found.regions == 2 and found.hits == 1.0
    # half of the regions from the start; the other half among the ties at 0, past a rate of 6 / 11
    assert found.pro == pytest.approx(0.5)


# maps


def test_a_map_is_0_where_it_is_usual_and_1_where_one_in_a_thousand_pixels_are():
    rng = np.random.default_rng(0)
    level = np.linspace(0, 50, 40 * 40)
    stray = np.where(np.arange(40 * 40) % 40 < 20, 1.0, 6.0)
    parts = level + stray * rng.exponential(size=(300, 1600))
    parts = np.column_stack([parts, np.zeros(300)])
    pixels = PixelCalibration.of(parts[:150], 40, 40)
    found = pixels.maps(parts[150:])
    assert np.abs(np.median(found, axis=0)).max() < 0.25
    assert 0.0003 < (found > 1).mean() < 0.003
    # half a pixel that strays by 6 is not as odd as one that strays by 1
    high = pixels.scale[:, 25:].mean() / pixels.scale[:, :15].mean()
    assert 2 < high < 6


def test_blurring_keeps_what_is_even_and_the_total_in_the_middle():
    even = np.full((1, 9, 12), 3.0)
    np.testing.assert_allclose(maps.blurred(even, 1.3), even)
    point = np.zeros((1, 21, 21))
    point[0, 10, 10] = 1.0
    spread = maps.blurred(point, 1.0)[0]
    assert spread.sum() == pytest.approx(1.0, abs=1e-4)
    assert spread[10, 10] == pytest.approx(1 / (2 * np.pi), rel=0.01)


# a fit of 300 pictures each; maps of `pca` are in the other tests, too
@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param("pca", marks=pytest.mark.long),
        "neighbours",
        pytest.param("auto", marks=pytest.mark.long),
    ],
)
def test_a_planted_square_is_inside_the_box(plugin, tmp_path):
    np.save(tmp_path / "usual.npy", stripes(300, 0))
    np.save(tmp_path / "odd.npy", planted())
    made = aetool.fit(tmp_path / "usual.npy", plugin, device="cpu")
    found = operations.detect(tmp_path / "odd.npy", made, top=3, device="cpu")
    assert sorted(found.row.tolist()) == [0, 1, 2]
    for box, why in zip(found.boxes, found.why, strict=True):
        assert box.left <= 13 and box.left + box.width >= 18
        assert box.top <= 4 and box.top + box.height >= 9
        assert box.width * box.height < 150
        assert why.split(",")[0] in ("top", "upper right")
        assert why.endswith(" % of the excess; darker than expected")
    assert [one.shape for one in found.maps] == [(SIDE, SIDE)] * 3
    assert all(np.unravel_index(one.argmax(), one.shape)[0] in range(4, 9) for one in found.maps)


def test_maps_in_python_are_those_of_detect(model, tmp_path):
    pictures = planted()
    found = model.map(pictures)
    assert found.shape == (6, SIDE, SIDE)
    np.save(tmp_path / "odd.npy", pictures)
    detected = operations.detect(tmp_path / "odd.npy", model, top=2)
    np.testing.assert_array_equal(np.stack(detected.maps), found[detected.row])
    frame = model.detect(pictures)
    assert (frame["left"][:3] <= 13).all() and (frame["share"][:3] > 0.3).all()


def test_tables_have_no_maps(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(60)))
    made = aetool.fit(tmp_path / "t.csv", "pca")
    with pytest.raises(DataError, match="only pictures have maps"):
        made.map(tmp_path / "t.csv")
    with pytest.raises(ParamError, match="maps are of pictures"):
        _ = operations.detect(tmp_path / "t.csv", made).maps
    with pytest.raises(AetoolError, match="heatmap.* is of pictures"):
        made.detect(tmp_path / "t.csv", heatmap=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_a_map_that_makes_no_sense_is_refused(model):
    arrays = {"usual": np.zeros((SIDE, SIDE), np.float32), "scale": np.zeros((2, 2), np.float32)}
    broken = {**model.graphs, mapping.MAPS: mapping.packed(arrays, {"deviation": 1.0})}
    made = with_graphs(model, broken)
    with pytest.raises(AetoolError, match="does not make sense"):
        made.map(stripes(2, 3))


def test_a_model_that_was_fitted_before_maps_were_calibrated_has_some(model):
    graphs = {name: data for name, data in model.graphs.items() if name != mapping.MAPS}
    older = with_graphs(model, graphs)
    found = older.map(planted())
    assert np.unravel_index(found[0].argmax(), (SIDE, SIDE))[0] in range(4, 9)


# words


def test_words_say_where_and_how():
    expected = np.full((3, 30, 30), 100.0)
    excess = np.zeros((30, 30))
    excess[2:10, 22:28] = 1.0

    def said(picture, box):
        return picture_reasons.line(box, excess, picture, expected, False)

    box = Box(22, 2, 6, 8, 0.614)
    picture = np.full((3, 30, 30), 100.0)
    where = "upper right, 6 x 8 pixels at (22, 2): 61 % of the excess"
    assert said(picture, box) == where
    picture[:, 2:10, 22:28] = 60
    assert said(picture, box) == f"{where}; darker than expected"
    picture[:, 2:10, 22:28] = 180
    assert said(picture, box) == f"{where}; brighter than expected"
    picture[:, 2:10, 22:28] = 100
    picture[0, 2:10, 22:28] = 190
    assert said(picture, box) == f"{where}; more red than expected"
    picture[:] = 100
    picture[:, 2:10:2, 22:28] = 140
    picture[:, 3:10:2, 22:28] = 60
    assert said(picture, box) == f"{where}; of another pattern than expected"
    assert said(picture - 50, Box(0, 0, 30, 30, 1.0, True)).startswith("spread over the whole")
    assert (
        picture_reasons.line(None, excess, picture, None, True)
        == "no value alone, but all of them together"
    )


@pytest.mark.parametrize(
    ("left", "top", "name"),
    [(0, 0, "upper left"), (13, 13, "middle"), (13, 0, "top"), (26, 26, "lower right"), (0, 13, "left")],
)  # fmt: skip
def test_nine_places_of_a_picture(left, top, name):
    for excess in (np.ones((30, 30)), np.zeros((30, 30))):
        assert picture_reasons.place(Box(left, top, 4, 4, 1.0), excess) == name


def test_a_place_is_where_most_of_the_excess_is_however_large_the_box():
    """Models draw boxes of several sizes around one part; the words are the same."""
    excess = np.zeros((64, 64))
    excess[50:60, 4:14] = 9.0
    excess[10:20, 30:50] = 0.5
    for box in (Box(4, 50, 10, 10, 0.9), Box(0, 20, 40, 44, 0.9), Box(0, 5, 60, 59, 1.0)):
        assert picture_reasons.place(box, excess) == "lower left"
        picture = np.full((1, 64, 64), 100.0)
        assert picture_reasons.line(box, excess, picture, None, False).startswith("lower left, ")


# files


def test_every_flagged_picture_has_an_overlay_a_map_and_a_mask(model, folder, tmp_path):
    target = tmp_path / "maps"
    model.save(tmp_path / "m.aem")
    command = ["detect", str(folder / "test"), "-m", str(tmp_path / "m.aem"), "--top", "4"]
    run = CliRunner().invoke(main, [*command, "--heatmap", str(target), "--json"])
    assert run.exit_code == 0, run.output
    records = json.loads(run.stdout)["records"]
    assert {record["file"].split("/")[0] for record in records} == {"hole"}
    assert all(record["left"] <= 13 and record["width"] >= 5 for record in records)
    written = sorted(path.relative_to(target).as_posix() for path in target.rglob("*.png"))
    assert written == sorted(
        f"hole/{place:03d}_{kind}.png" for place in range(4) for kind in heatmaps.KINDS
    )
    amounts = model.map(folder / "test")[4]  # after the four of good/
    stored = opened(target / "hole" / "000_map.png")
    assert stored.mode == "I;16" and "1024" in stored.text["Description"]
    levels = np.minimum(np.round(np.maximum(amounts, 0) * 1024), 65535)
    np.testing.assert_array_equal(np.asarray(stored), levels)
    mask = np.asarray(opened(target / "hole" / "000_mask.png"))
    np.testing.assert_array_equal(mask, np.where(amounts > 1, 255, 0))
    overlay = opened(target / "hole" / "000_overlay.png")
    assert overlay.mode == "RGB" and min(overlay.size) >= 200


def test_maps_of_no_picture_say_what_draws_the_highest(model, folder, tmp_path, run):
    model.save(tmp_path / "m.aem")
    maps = tmp_path / "maps"
    command = ["detect", folder / "test", "-m", tmp_path / "m.aem", "--heatmap", maps]
    done = run(*command, "--threshold", "1e9")
    assert done.status == 0
    said = done.err.splitlines()
    assert "--top 5 shows the highest" in said[1]
    assert said[2] == (
        f"{maps}: no picture is flagged: nothing is in it; --top 5 draws the five with the "
        "highest scores"
    )


def test_files_that_exist_are_replaced_only_by_force(model, folder, tmp_path):
    target = tmp_path / "maps"
    (target / "hole").mkdir(parents=True)
    (target / "hole" / "000_map.png").write_text("mine")
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="maps"):
        model.detect(folder / "test", top=4, heatmap=target)
    assert sorted(path.name for path in target.rglob("*")) == ["000_map.png", "hole", "notes.txt"]
    model.detect(folder / "test", top=4, heatmap=target, force=True)
    assert (target / "notes.txt").read_text() == "mine"
    assert (target / "hole" / "000_map.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_half_written_is_left(model, folder, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(planted()[0]).save(pictures / "a.png")
    with pytest.raises(AetoolError):
        model.detect(
            pictures, threshold=float("nan"), heatmap=tmp_path / "m", sheet=tmp_path / "s.png"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


def test_names_of_files_keep_folders_and_never_meet():
    names = [
        "a/b/1.png",
        "a/b/1.jpg",
        "c/1.png",
        "../x/2.png",
        "/y/2.png",
        "film.gif#1",
        "film.gif#2",
    ]
    assert heatmaps.file_stems(names) == [
        "a/b/1.png", "a/b/1.jpg", "c/1", "x/2", "y/2", "film.gif#1", "film.gif#2",
    ]  # fmt: skip


def test_names_that_differ_in_the_case_of_letters_alone_are_told_apart():
    names = ["1.png", "1.PNG", "sub/a.png", "SUB/a.png", "sub/A.png", "sub/a.png.2", "b.png"]
    assert heatmaps.file_stems(names) == [
        "1.png", "1.PNG.2", "sub/a.png", "SUB/a.png.2", "sub/A.png.3", "sub/a.png.4", "b",
    ]  # fmt: skip
    # no number makes a path that is another picture's
    names = ["x.png", "x.PNG", "x.png.2.jpg"]
    assert heatmaps.file_stems(names) == ["x.png", "x.PNG.3", "x.png.2"]
    # as an archive of a stranger may have it
    assert heatmaps.file_stems(["..", "/", "x.png", "x.png"]) == [
        "picture", "picture.2", "x.png", "x.png.2",
    ]  # fmt: skip


def test_the_sheet_shows_picture_expectation_difference_and_map(model, folder, tmp_path):
    target = tmp_path / "sheet.png"
    model.save(tmp_path / "m.aem")
    command = ["detect", str(folder / "test"), "-m", str(tmp_path / "m.aem"), "--top", "3"]
    assert CliRunner().invoke(main, [*command, "--sheet", str(target)]).exit_code == 0
    sheet = opened(target)
    assert sheet.format == "PNG" and sheet.width > 4 * 150 and sheet.height > 3 * 180
    with pytest.raises(DataError, match="sheet.png"):
        model.detect(folder / "test", top=3, sheet=target)
    drawn_sheet = operations.detect(folder / "test", model, top=3).plot()
    assert drawn_sheet._repr_png_() == target.read_bytes()


def test_a_sheet_of_no_flagged_picture_shows_the_highest(model, folder, tmp_path, monkeypatch):
    sheets = []
    draw = drawn.sheet

    def watched(pictures, heading):
        sheets.append((pictures, heading))
        return draw(pictures, heading)

    monkeypatch.setattr(drawn, "sheet", watched)
    highest = operations.detect(folder / "test", model, top=5)
    for place, limit in enumerate((1e9, highest.score[3])):
        model.detect(folder / "test", threshold=limit, sheet=tmp_path / f"{place}.png")
    (none, heading), (three, heading_of_three) = sheets
    assert heading.endswith("; none is above the threshold: the highest 5 are shown")
    assert [one.title.split(":")[0] for one in none] == list(highest.table["file"].strings())
    assert [one.words for one in none] == highest.why
    # once a picture is flagged only such are shown
    assert [one.title for one in three] == [one.title for one in none[:3]]
    assert heading_of_three.startswith("3 of 8 records flagged") and "none" not in heading_of_three
    assert opened(tmp_path / "0.png").height > opened(tmp_path / "1.png").height > 3 * 180


def test_the_words_above_a_sheet_are_whole():
    picture = drawn.Shown(
        stripes(1, 0)[0].transpose(2, 0, 1), None, np.zeros((SIDE, SIDE)), None, "a", "b"
    )
    long = (
        "2 of 22 records flagged (9.09 %): score above 3.889 bits, which about 1 in 1,000 ordinary "
    )
    long += "records exceed; 1 more could not be read, and here is much more than one line can hold"
    font = drawn._font()
    lines = drawn.wrapped(long, 500, font)
    assert " ".join(lines) == long and len(lines) > 2
    assert all(font.getlength(line) <= 500 for line in lines)
    assert drawn.wrapped("", 500, font) == [""]
    assert drawn.wrapped("x" * 500, 100, font)[0].endswith("x...")
    heights = []
    for words in ("short", long):
        sheet = drawn.sheet([picture], words)
        with Image.open(io.BytesIO(sheet.png)) as image:
            heights.append(image.height)
            width = image.width
    lines = drawn.wrapped(long, width - 2 * drawn.GAP, font)
    assert heights[1] - heights[0] == (len(lines) - 1) * drawn.HEADING > 0


def test_an_overlay_is_coloured_where_the_map_is_high_and_gray_elsewhere():
    picture = np.full((1, 64, 64), 100, np.uint8)
    amounts = np.zeros((64, 64))
    amounts[10:30, 10:30] = 6.0
    image = np.asarray(drawn.overlay(picture, amounts)).astype(int)
    scale = image.shape[0] // 64
    inside = image[20 * scale, 20 * scale]
    assert inside[0] - inside[2] > 60
    np.testing.assert_array_equal(image[50 * scale, 50 * scale], [100, 100, 100])


def test_colours_begin_where_a_mask_does():
    amounts = np.array([[0.0, 0.9, 1.0, 1.01, 2.5, 4.0]])
    strengths = drawn.strength(amounts)
    np.testing.assert_array_equal(strengths > 0, amounts > 1)
    np.testing.assert_allclose(strengths[0, 4:], [np.sqrt(0.5), 1.0])
    # beside a peak of 24 thresholds what is below 2 is not looked at
    high = drawn.strength(np.array([[1.9, 2.1, 24.0]]))
    assert high[0, 0] == 0 < high[0, 1] < high[0, 2] == 1


def test_a_spot_is_coloured_if_ordinary_pictures_have_none_that_high():
    amounts = np.zeros((9, 20))
    amounts[2:4, 2:5] = 2.0
    amounts[2:4, 10:14] = 2.0
    amounts[3, 12] = 4.0
    told = maps.standing_out(amounts, 3.0)
    np.testing.assert_array_equal(told[:, :9], np.minimum(amounts, 1.0)[:, :9])
    # all of a spot that is high somewhere
    np.testing.assert_array_equal(told[:, 9:], amounts[:, 9:])
    np.testing.assert_array_equal(maps.standing_out(amounts, 1.0), amounts)
    # dark red is far beyond what ordinary pictures reach, unless the picture has nothing higher
    assert drawn.strength(amounts, 3.0).max() == pytest.approx(np.sqrt(3 / 11))


def test_overlays_of_ordinary_pictures_are_hardly_coloured(model, tmp_path):
    """And those of pictures with a darker square have their colour there."""
    pixels = mapping.pixels_of(model)
    assert pixels.peak > 1
    ordinary = model.map(stripes(60, 2))
    coloured = [(maps.standing_out(one, pixels.peak) > 1).any() for one in ordinary]
    assert sum(coloured) <= 9 < sum((one > 1).any() for one in ordinary)
    for one in model.map(planted(6))[:3]:
        is_coloured = maps.standing_out(one, pixels.peak) > 1
        assert is_coloured[4:9, 13:18].mean() > 0.5 > is_coloured.mean()


def test_a_sheet_and_an_overlay_say_what_colours_mean(model, folder, tmp_path):
    words = "yellow to dark red above the pixel threshold and 1/12 of the peak; frame: worst part"
    assert words in drawn.LEGEND
    model.detect(folder / "test", top=1, heatmap=tmp_path / "maps", sheet=tmp_path / "sheet.png")
    (overlay,) = (tmp_path / "maps").rglob("*_overlay.png")
    assert words in opened(overlay).text["Description"]
    pixels = np.asarray(opened(tmp_path / "sheet.png").convert("L"))
    legend = pixels[drawn.HEADING : 2 * drawn.HEADING] < 200
    # as wide as the text, and wholly on the sheet
    ends = np.flatnonzero(legend.any(axis=0))
    font = drawn._font()
    assert abs(ends[-1] - ends[0] - font.getlength(drawn.LEGEND)) < 6


# masks


def test_masks_are_found_by_the_names_of_pictures(tmp_path):
    (tmp_path / "scratch").mkdir()
    Image.fromarray(np.eye(6, dtype=np.uint8)).save(tmp_path / "scratch" / "003_mask.png")
    Image.fromarray(np.full((6, 6), 9, np.uint8)).save(tmp_path / "other.png")
    masks, plain = Masks(tmp_path), Framing(1, 6, 6)
    found = masks.of("test/scratch/003.jpg", plain, 6, 6)
    np.testing.assert_array_equal(found, np.eye(6, dtype=bool))
    assert masks.of("scratch/other.png", plain, 6, 6).all()
    assert masks.of("scratch/004.png", plain, 6, 6) is None
    with pytest.raises(DataError, match="6 x 6: a mask has the size of its picture"):
        masks.of("scratch/003.png", Framing(1, 9, 6), 6, 9)


def test_a_mask_is_cropped_and_resized_as_its_picture_is(tmp_path):
    mask = np.zeros((10, 12), np.uint8)
    mask[7, 8] = 255
    Image.fromarray(mask).save(tmp_path / "a.png")
    masks = Masks(tmp_path)
    cropped = masks.of("a.jpg", Framing(3, 8, 6, crop=(2, 3, 8, 6)), 6, 8)
    np.testing.assert_array_equal(np.argwhere(cropped), [[4, 6]])
    smaller = masks.of("a.jpg", Framing(3, 6, 5, resize=(6, 5)), 5, 6)
    np.testing.assert_array_equal(np.argwhere(smaller), [[3, 4]])


def test_evaluate_says_how_well_maps_find_the_pixels(model, folder, tmp_path):
    model.save(tmp_path / "m.aem")
    command = ["evaluate", str(folder / "test"), "-m", str(tmp_path / "m.aem")]
    command += ["--label", "folder", "--normal", "good", "--masks", str(folder / "masks")]
    run = CliRunner().invoke(main, [*command, "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    assert found["pixel_auroc"] > 0.99 and found["pro"] > 0.9 and found["box_hits"] == 1.0
    assert found["defective_pictures"] == 4 and found["defective_regions"] == 4
    said = CliRunner().invoke(main, command).stdout
    assert "pixel auroc" in said and "box hits" in said
    text = model.evaluate(folder / "test", "folder", "good", masks=folder / "masks")
    assert text["pro"] == found["pro"]


def test_pictures_without_a_mask_are_left_out_and_counted(model, folder, tmp_path):
    (tmp_path / "hole").mkdir()
    some = folder / "masks" / "hole" / "000_mask.png"
    (tmp_path / "hole" / "000.png").write_bytes(some.read_bytes())
    found = model.evaluate(folder / "test", "folder", "good", masks=tmp_path)
    assert found["defective_pictures"] == 1 and found["without_mask"] == 3
    (tmp_path / "hole" / "000.png").rename(tmp_path / "hole" / "9.png")
    with pytest.raises(DataError, match="no mask of a picture"):
        model.evaluate(folder / "test", "folder", "good", masks=tmp_path)


def test_maps_of_pictures_in_tiles_are_as_large_as_the_pictures(tmp_path):
    usual = [
        np.concatenate([one, two], axis=1)
        for one, two in zip(stripes(60, 0), stripes(60, 5), strict=True)
    ]
    for place, picture in enumerate(usual):
        (tmp_path / "good").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "good" / f"{place}.png")
    made = aetool.fit(tmp_path / "good", "pca", tile=SIDE, stride=12, device="cpu")
    odd = usual[0].copy()
    odd[4:9, 37:42] //= 3
    (amounts,) = made.map(odd[None])
    assert amounts.shape == (SIDE, 2 * SIDE)
    y, x = np.unravel_index(amounts.argmax(), amounts.shape)
    assert y in range(3, 10) and x in range(36, 43)


# other runtimes


@pytest.mark.parametrize("float32", [False, True])
def test_the_exported_map_is_that_of_detect(model, float32, tmp_path):
    operations.export(model, tmp_path, float32=float32)
    session = onnxruntime.InferenceSession(
        str(tmp_path / "score.onnx"), providers=["CPUExecutionProvider"]
    )
    assert (
        "multiples of the pixel threshold"
        in session.get_modelmeta().custom_metadata_map["aetool.map"]
    )
    pictures = planted()
    (found,) = session.run(["map"], {"pixels": pictures.transpose(0, 3, 1, 2).copy()})
    assert found.shape == (6, SIDE, SIDE)
    tolerance = 1e-4 if float32 else 1e-5
    np.testing.assert_allclose(found, model.map(pictures), rtol=tolerance, atol=tolerance)
