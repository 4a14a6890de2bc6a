"""Folders of pictures of one form have their errors told as an array of the same pixels has; of
several sizes or colours all values count alike. Of others it is said which picture is odd, and
how."""

import json
import re
import shlex

import numpy as np
import pytest
from PIL import Image

import aetool
from aetool.archives import goals
from aetool.archives.level_search import widest_within
from aetool.archives.lossy_job import CompressOptions
from aetool.archives.yardstick import PictureYardstick
from aetool.data.pictures.alike import of_one_form
from aetool.data.sources import open_source
from aetool.errors import DataError, ParamError
from aetool.operations import surveying
from aetool.testing import pictures
from tests.sweeps import one_in

COUNT = 150


@pytest.fixture(scope="module")
def pixels():
    return pictures(COUNT)[:, 0]


@pytest.fixture(scope="module")
def folder(pixels, tmp_path_factory):
    path = tmp_path_factory.mktemp("shapes") / "shapes"
    path.mkdir()
    for number, one in enumerate(pixels):
        Image.fromarray(one).save(path / f"{number:03}.png")
    return path


@pytest.fixture(scope="module")
def array(pixels, tmp_path_factory):
    path = tmp_path_factory.mktemp("array") / "shapes.npy"
    np.save(path, pixels)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return aetool.fit(folder, "pca", latent=20)


def restored(archive, out, model):
    aetool.decompress(archive, out, model)
    return np.stack([np.asarray(Image.open(path)) for path in sorted(out.glob("*.png"))])


def root_mean_square(one, two):
    return float(np.sqrt(np.square(one.astype(float) - two).mean()))


def saved(folder, pictures):
    """A folder of these pictures, by name."""
    folder.mkdir()
    for name, picture in pictures.items():
        picture.save(folder / name)
    return folder


# ---- as of an array of the same pixels


# every way is measured twice; points of pictures are told in test_tradeoff.py, too
@pytest.mark.long
def test_the_command_tells_of_a_folder_what_it_tells_of_its_pixels(folder, array, tmp_path, run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveying, "RATIOS", (25.0, 18.0))
        told = {}
        for source in (folder, array):
            drawn = tmp_path / f"{source.name}.svg"
            words = ("tradeoff", source, "-p", "pca", "--target-psnr", "20", "-o", drawn)
            done = run(*words, "--json", "-q")
            assert done.status == 0, done.err
            told[source] = json.loads(done.out)
    by_name = {
        source: {
            (point["way"], point["setting"]): (point["error"], point["psnr"])
            for point in facts["points"]
        }
        for source, facts in told.items()
    }
    bounded = {key[1] for key in by_name[folder] if key[0] == "bounded"}
    assert bounded >= {f"--max-error {levels}" for levels in (1, 2, 3, 5, 10, 20)}
    assert by_name[folder] == by_name[array] and not told[folder]["skipped"]
    assert ("code of pca", "--target-psnr 20") in by_name[folder]
    others = {
        source: {p["way"]: p["size"] for p in facts["points"] if p["arguments"] is None}
        for source, facts in told.items()
    }
    assert others[folder] == others[array], "other programs are given the same pixels"


def test_a_folder_keeps_its_signal_to_noise_ratio(folder, pixels, model, tmp_path):
    path = tmp_path / "a.aez"
    facts = aetool.compress(folder, path, model, target_psnr=22, embed=False)
    assert facts["taken"] == "code"
    noise = root_mean_square(pixels, restored(path, tmp_path / "back", model))
    psnr = 20 * np.log10(255 / noise)
    assert psnr >= 22 and psnr == pytest.approx(facts["psnr_db"], abs=0.01)


def test_a_folder_keeps_its_error(folder, pixels, model, tmp_path):
    path = tmp_path / "a.aez"
    facts = aetool.compress(folder, path, model, rmse="30%", embed=False)
    assert facts["taken"] == "code"
    noise = root_mean_square(pixels, restored(path, tmp_path / "back", model))
    error = noise / pixels.std()
    assert error <= 0.3 and error == pytest.approx(facts["rmse_of_deviation"], rel=1e-6)


# the same number of bytes, in other words
@pytest.mark.parametrize(
    "asked",
    [pytest.param(("--budget", "900"), marks=pytest.mark.long), ("--bytes-per-picture", "6")],
)
def test_a_folder_is_stored_within_bytes(folder, model, tmp_path, run, asked):
    model_path, path = tmp_path / "m.aem", tmp_path / "a.aez"
    model.save(model_path)
    done = run("compress", folder, "-m", model_path, "--no-embed", *asked, "-o", path)
    assert done.status == 0 and "chosen: the model's code, " in done.err, done.err
    assert path.stat().st_size <= 900


# ---- within levels


def test_a_folder_is_stored_within_the_most_levels_that_keep_its_noise(folder, pixels, tmp_path):
    facts = aetool.compress(folder, tmp_path / "a.aez", target_psnr=35)
    assert facts["taken"] == "bounded" and facts["fidelity"] == "bounded"
    bound = int(facts["bounds"]["pixels"])
    back = restored(tmp_path / "a.aez", tmp_path / "back", None)
    assert np.abs(back.astype(int) - pixels).max() == bound
    psnr = 20 * np.log10(255 / root_mean_square(pixels, back))
    assert psnr >= 35 and psnr == pytest.approx(facts["psnr_db"], abs=1e-3)
    # without filters the most levels that keep it take more bytes, and one level more is too far off
    noise = 0.0
    for levels in range(1, bound + 2):
        figures = aetool.compress(folder, tmp_path / f"{levels}.aez", max_error=levels)
        back = restored(tmp_path / f"{levels}.aez", tmp_path / f"{levels}", None)
        noise = root_mean_square(pixels, back)
        if 20 * np.log10(255 / noise) < 35:
            break
        assert figures["archive_bytes"] >= facts["archive_bytes"]
    assert 20 * np.log10(255 / noise) < 35


# a survey of a folder; what a command that is told writes is in test_goals.py
@pytest.mark.long
def test_the_pick_of_a_folder_is_what_its_command_writes(folder, tmp_path, run):
    drawn = tmp_path / "t.svg"
    done = run("tradeoff", folder, "--budget", "3kB", "--no-others", "-o", drawn)
    assert done.status == 0
    picked = next(line for line in done.out.splitlines() if line.endswith("<- pick"))
    assert picked.startswith("bounded")
    words = drawn.read_text(encoding="utf-8")
    assert "bounded --max-error" in words and "bounded --budget" in words
    command = done.err[done.err.index("aetool compress") :].splitlines()[0]
    assert run(*shlex.split(command)[1:], "-o", tmp_path / "a.aez").status == 0
    size = (tmp_path / "a.aez").stat().st_size
    assert f" {size:,} " in picked and size <= 3000
    facts = aetool.compress(folder, tmp_path / "b.aez", budget="3kB")
    assert facts["archive_bytes"] == size
    finer = int(facts["bounds"]["pixels"]) - 1
    assert aetool.compress(folder, tmp_path / "c.aez", max_error=finer)["archive_bytes"] > 3000


def test_pictures_that_no_bound_moves_are_stored_exactly(pixels, tmp_path):
    two = {f"{i}.png": Image.fromarray(pixels[i] > 99) for i in range(3)}
    assert two["0.png"].mode == "1"
    folder = saved(tmp_path / "f", two)
    assert aetool.compress(folder, tmp_path / "a.aez", target_psnr=20)["taken"] == "exact"
    assert [p.way for p in aetool.tradeoff(folder, others=False).points] == ["exact"]


def test_inks_have_no_points_within_levels(pixels, tmp_path):
    """Their errors would be told of the colours that a screen shows, and are stored as inks."""
    inks = Image.merge("CMYK", [Image.fromarray(pixels[i]) for i in range(4)])
    folder = saved(tmp_path / "f", {"a.tif": inks, "b.tif": inks.rotate(90)})
    assert [p.way for p in aetool.tradeoff(folder, others=False).points] == ["exact"]


@pytest.mark.parametrize("widest", [0, 1, 2, 7, 60, 126, 127])
@pytest.mark.parametrize("power", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("tried", [[], [1, 2, 3, 5, 10, 20]])
def test_the_widest_bound_is_found_in_few_steps(widest, power, tried):
    asked = []

    def excess(bound):
        asked.append(bound)
        return bound**power - (widest + 0.5) ** power

    assert widest_within(excess, tried) == widest
    assert len(asked) - len(tried) <= 13 and len(set(asked)) == len(asked)


# ---- bytes for each picture


def test_bytes_for_each_picture_count_no_masks(pixels, tmp_path):
    folder = saved(tmp_path / "f", {f"{i}.png": Image.fromarray(pixels[i]) for i in range(3)})
    saved(folder / "ground_truth", {"0_mask.png": Image.fromarray(pixels[0])})
    with pytest.raises(ParamError, match=r"bytes_per_picture 1: the smallest archive found takes"):
        aetool.compress(folder, tmp_path / "a.aez", bytes_per_picture=1)
    size = aetool.compress(folder, tmp_path / "e.aez")["archive_bytes"]
    near = aetool.compress(folder, tmp_path / "n.aez", bytes_per_picture=(size - 1) / 3)
    assert near["taken"] == "bounded" and near["archive_bytes"] <= size - 1
    facts = aetool.compress(folder, tmp_path / "a.aez", bytes_per_picture=size / 3 + 0.01)
    assert facts["taken"] == "exact"


def test_one_picture_is_kept_exactly(pixels, tmp_path, run):
    path = tmp_path / "one.png"
    Image.fromarray(pixels[0]).save(path)
    done = run("compress", path, "--target-psnr", "35", "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: exact, nothing is lost" in done.err
    aetool.decompress(tmp_path / "a.aez", tmp_path / "back.png")
    assert (tmp_path / "back.png").read_bytes() == path.read_bytes()


def test_opaque_pictures_that_could_be_transparent_are_taken(pixels, tmp_path):
    colours = np.stack([pixels[0], pixels[1], pixels[2]], axis=2)
    one = Image.fromarray(colours)
    folder = saved(tmp_path / "f", {"a.png": one.convert("RGBA"), "b.png": one})
    (batch,) = of_one_form(open_source(folder)).batches()
    assert batch.shape == (2, 3, *pixels.shape[1:])
    assert (batch == colours.transpose(2, 0, 1)).all()


# ---- of several forms


def plain(size=(12, 8), mode="L"):
    return Image.new(mode, size)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (plain(mode="I;16"), ("c.png has 16 bits a value, and others 8", "to one depth")),
        (Image.new("LA", (12, 8), (7, 128)), ("c.png has transparent parts", "on a background")),
    ],
)
def test_the_odd_picture_is_named(tmp_path, run, odd, said):
    # beside pictures of two sizes, and of one
    for name, size in (("f", (12, 8)), ("g", (9, 8))):
        folder = saved(tmp_path / name, {"a.png": plain(size), "b.png": plain(), "c.png": odd})
        for words in (("tradeoff", folder), ("compress", folder, "--rmse", "5%")):
            done = run(*words)
            assert done.status == 2 and len(done.err.splitlines()) == 1
            fault, way_out = said
            assert f"{name}: {fault}; errors" in done.err
            # pictures that differ in depth alone have another way out
            if name == "g":
                assert done.err.endswith(f" {way_out} first\n")
            assert done.err.endswith(" first\n")
    assert {path.name for path in tmp_path.iterdir()} == {"f", "g"}, "nothing was written"


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (plain((9, 8)), "c.png is 9 x 8, and most are 12 x 8"),
        (plain(mode="RGB").point(lambda _: 7), "c.png is in colour, and most are gray"),
    ],
)
def test_a_code_is_of_pictures_of_one_form(tmp_path, model, odd, said):
    folder = saved(tmp_path / "f", {"a.png": plain(), "b.png": plain(), "c.png": odd})
    with pytest.raises(ParamError, match=f"f: {said}; a code restores pictures of one size"):
        aetool.compress(folder, tmp_path / "a.aez", model, target_psnr=30)
    (skipped,) = aetool.tradeoff(folder).skipped
    assert skipped.startswith("other programs: ")
    assert f"f: {said}; they are given pictures of one size" in skipped


def scene(rng, size, highest):
    """A gray picture of this (width, height) with waves and noise, of levels 0 to `highest`."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    waves = np.sin(x / 9) + np.cos(y / 7) + rng.normal(0, 0.15, x.shape)
    levels = (highest * (waves / 5 + 0.5)).clip(0, highest)
    return levels.astype(np.uint8 if highest == 255 else np.uint16)


@pytest.fixture(params=[255, 65535], ids=["8 bits", "16 bits"])
def of_sizes(request, tmp_path):
    """(a folder of pictures of three sizes, their values by name, the level of white)."""
    rng = np.random.default_rng(4)
    sizes = [(40, 32), (20, 20), (40, 32), (15, 50)]
    values = {f"{i}.png": scene(rng, size, request.param) for i, size in enumerate(sizes)}
    pictures = {name: Image.fromarray(levels) for name, levels in values.items()}
    return saved(tmp_path / "several", pictures), values, request.param


@pytest.mark.parametrize(
    "asked",
    one_in(2, [{"rmse": "5%"}, {"target_psnr": 35}, {"budget": 2500}, {"bytes_per_picture": 600}]),
    ids=lambda asked: next(iter(asked)),
)
def test_a_folder_of_several_sizes_meets_its_goal(of_sizes, asked, tmp_path):
    folder, values, white = of_sizes
    facts = aetool.compress(folder, tmp_path / "a.aez", **asked)
    assert facts["taken"] == "bounded"
    aetool.decompress(tmp_path / "a.aez", tmp_path / "back")
    bound = int(facts["bounds"]["pixels"])
    off = []
    for name, levels in values.items():
        back = np.asarray(Image.open(tmp_path / "back" / name))
        assert back.shape == levels.shape and back.dtype == levels.dtype
        off.append((back.astype(int) - levels).ravel())
    assert np.abs(np.concatenate(off)).max() == bound
    # all values count alike, whichever picture they are of
    noise = float(np.sqrt(np.square(np.concatenate(off)).mean()))
    deviation = np.concatenate([levels.ravel() for levels in values.values()]).std()
    assert facts["rmse_of_deviation"] == pytest.approx(noise / deviation, rel=1e-6)
    assert facts["psnr_db"] == pytest.approx(20 * np.log10(white / noise), abs=1e-3)
    if "rmse" in asked:
        assert noise / deviation <= 0.05
    elif "target_psnr" in asked:
        assert facts["psnr_db"] >= 35
    else:
        assert facts["archive_bytes"] <= asked.get("budget", 2400)
    assert "untried" not in facts


# a survey of two folders; their goals are met in the fast set
@pytest.mark.long
def test_tradeoff_tells_of_a_folder_of_several_sizes(of_sizes):
    folder, _, white = of_sizes
    told = aetool.tradeoff(folder, target_psnr=35, others=False)
    bounds = {p.arguments.get("max_error") for p in told.points if p.way == "bounded"}
    assert bounds >= {str(levels * white // 255) for levels in (1, 2, 3, 5, 10, 20)}
    assert told.pick.way == "bounded" and told.pick.psnr >= 35


def test_deep_pictures_alone_are_refused(tmp_path):
    deep = tmp_path / "deep.npy"
    np.save(deep, np.zeros((3, 4, 5), np.uint16))
    with pytest.raises(ParamError, match=r"picture 1 has more than 8 bits a value; errors"):
        aetool.compress(deep, tmp_path / "a.aez", target_psnr=30)


def test_a_damaged_picture_is_named(tmp_path):
    folder = saved(tmp_path / "f", {"a.png": plain(), "b.png": plain()})
    (folder / "c.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"f: c\.png: the file is empty"):
        aetool.tradeoff(folder)


def test_pictures_that_no_archive_holds_are_refused(pixels, folder):
    for several in (list(pixels[:3]), [folder, folder]):
        with pytest.raises(ParamError, match="an archive is of one folder, file or array"):
            aetool.tradeoff(several)


def test_bytes_for_each_picture_are_told_as_they_are_asked_for(tmp_path, run):
    shades = [plain().point(lambda _, level=level: level) for level in (3, 90, 200)]
    folder = saved(tmp_path / "f", {f"{i}.png": shade for i, shade in enumerate(shades)})
    refused = run("compress", folder, "--bytes-per-picture", "1")
    told = re.search(r"takes ([0-9.]+) bytes a picture, ([0-9,]+) bytes in all", refused.err)
    assert refused.status == 2 and told
    enough, total = told.groups()
    assert float(total) <= 3 * float(enough) < float(total) + 0.3 + 1e-9
    taken = run("compress", folder, "--bytes-per-picture", enough, "-o", tmp_path / "a.aez")
    assert taken.status == 0 and (tmp_path / "a.aez").stat().st_size == int(total)


def test_a_broken_picture_is_named_where_bytes_are_too_few(tmp_path, run):
    folder = saved(tmp_path / "f", {"a.png": plain(), "b.png": plain()})
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:40])
    refused = run("compress", folder, "--budget", "10")
    assert refused.status == 2 and "b.png" in refused.err
    assert "holds no records that could lose anything (" in refused.err


def test_broken_pictures_are_counted_where_bytes_are_too_few(tmp_path, run):
    names = [f"{number}.png" for number in range(4)]
    folder = saved(tmp_path / "f", dict.fromkeys(names, plain()))
    for broken, said in ((1, ""), (2, ", nor does 1 other"), (3, ", nor do 2 others")):
        damaged = folder / names[broken]
        damaged.write_bytes(damaged.read_bytes()[:40])
        refused = run("compress", folder, "--budget", "10")
        assert refused.status == 2
        assert refused.err.endswith(f"){said}\n")


@pytest.mark.parametrize("cut", ["head", "body"])
def test_of_broken_pictures_alone_the_bytes_of_each_are_counted(tmp_path, run, cut):
    shade = Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600)
    folder = saved(tmp_path / "f", {"a.png": shade, "b.png": shade, "c.png": shade})
    for path in folder.iterdir():
        path.write_bytes(b"none" if cut == "head" else path.read_bytes()[:-60])
    size = aetool.compress(folder, tmp_path / "e.aez")["archive_bytes"]
    refused = run("compress", folder, "--bytes-per-picture", "1", "-o", tmp_path / "a.aez")
    assert refused.status == 2 and len(refused.err.splitlines()) == 1
    told = re.search(r"takes ([0-9,.]+) bytes a picture, ([0-9,]+) bytes in all", refused.err)
    each, total = (float(number.replace(",", "")) for number in told.groups())
    assert total == size and total <= 3 * each < total + 0.3 + 1e-9
    done = run("compress", folder, "--bytes-per-picture", each, "-o", tmp_path / "a.aez")
    assert done.status == 0 and (tmp_path / "a.aez").stat().st_size == size
    assert f"stored exactly, as errors cannot be measured: {folder}: no picture in it" in done.err
    back = aetool.decompress(tmp_path / "a.aez", tmp_path / "back")
    assert all((back / p.name).read_bytes() == p.read_bytes() for p in folder.iterdir())


def test_an_error_of_0_is_exact_whatever_the_pictures_are(tmp_path, run):
    deep = Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600)
    clear = Image.new("LA", (12, 8), (7, 128))
    folder = saved(tmp_path / "f", {"a.png": plain((9, 8)), "b.png": deep, "c.png": clear})
    done = run("compress", folder, "--rmse", "0%", "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: exact, nothing is lost" in done.err
    exact = aetool.compress(folder, tmp_path / "e.aez")
    assert (tmp_path / "a.aez").stat().st_size == exact["archive_bytes"]
    refused = run("compress", folder, "--rmse", "1%", "-o", tmp_path / "b.aez")
    assert refused.status == 2 and "errors of a folder are told of" in refused.err


@pytest.fixture(params=["head", "body"])
def one_broken(request, tmp_path):
    """(a folder of six pictures, the values of the five that can be read by name): of one either
    the header is cut off, or some of its pixels."""
    rng = np.random.default_rng(4)
    values = {f"{i}.png": scene(rng, (40, 32), 255) for i in range(5)}
    pictures = {name: Image.fromarray(levels) for name, levels in values.items()}
    folder = saved(tmp_path / "f", pictures)
    whole = (folder / "0.png").read_bytes()
    (folder / "9.png").write_bytes(whole[: 20 if request.param == "head" else len(whole) // 2])
    return folder, values


@pytest.mark.parametrize(
    "asked",
    [
        {"rmse": "5%"},
        {"target_psnr": 35},
        {"budget": 4500},
        {"bytes_per_picture": 750},
        {"rmse": "5%", "model": True},
    ],
    ids=" ".join,
)
def test_a_broken_picture_is_kept_and_the_others_meet_the_goal(one_broken, model, asked, tmp_path):
    folder, values = one_broken
    others = {key: value for key, value in asked.items() if key != "model"}
    given = model if "model" in asked else None
    facts = aetool.compress(folder, tmp_path / "a.aez", given, **others)
    assert facts["taken"] == "bounded" and "unread" not in facts
    ((name, _, reason),) = [line.partition(": ") for line in facts["unread_pictures"]]
    assert name == "9.png" and reason
    assert ("untried" in facts) == ("model" in asked)
    aetool.decompress(tmp_path / "a.aez", tmp_path / "back")
    assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()
    back = {name: np.asarray(Image.open(tmp_path / "back" / name)) for name in values}
    off = np.stack([back[name].astype(int) - values[name] for name in values])
    noise = float(np.sqrt(np.square(off).mean()))
    deviation = np.stack(list(values.values())).std()
    assert noise > 0 and np.abs(off).max() <= facts["bounds"]["pixels"]
    assert facts["rmse_of_deviation"] == pytest.approx(noise / deviation, rel=1e-6)
    assert facts["psnr_db"] == pytest.approx(20 * np.log10(255 / noise), abs=1e-3)
    assert facts["rmse_of_deviation"] <= 0.05 or "rmse" not in asked
    assert facts["psnr_db"] >= 35 or "target_psnr" not in asked
    assert facts["archive_bytes"] <= 4500 or asked.keys().isdisjoint(
        ("budget", "bytes_per_picture")
    )


def test_a_broken_picture_is_told_as_a_file(one_broken, tmp_path, run):
    folder, _ = one_broken
    done = run("compress", folder, "--rmse", "5%", "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: bounded" in done.err
    assert "note: 1 picture that cannot be read is stored as its file: 9.png: " in done.err
    assert "no code was tried" not in done.err


def test_where_every_picture_is_broken_there_is_no_error_to_keep(tmp_path, run):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no picture")
    done = run("compress", folder, "--rmse", "5%", "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: exact, nothing is lost" in done.err
    why = "note: stored exactly, as errors cannot be measured: "
    assert f"{why}{folder}: no picture in it can be read: a.png: " in done.err
    refused = run("compress", folder, "--target-psnr", "30", "-o", tmp_path / "b.aez")
    assert refused.status == 2 and "no picture in it can be read: a.png: " in refused.err


@pytest.mark.parametrize(("goal", "given"), [("--budget", "0kB"), ("--bytes-per-picture", "1")])
def test_bytes_are_spoken_of_where_depths_differ(tmp_path, run, goal, given):
    deep = Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600)
    folder = saved(tmp_path / "f", {"a.png": plain(), "b.png": plain(), "c.png": deep})
    size = aetool.compress(folder, tmp_path / "e.aez")["archive_bytes"]
    refused = run("compress", folder, goal, given, "-o", tmp_path / "a.aez")
    assert refused.status == 2 and len(refused.err.splitlines()) == 1
    assert f"{goal} {given}: the exact archive takes" in refused.err
    assert f" {size:,} bytes" in refused.err and "to one depth first" in refused.err
    # where there is room for all, nothing is lost whatever the depths
    wide = str(size) if goal == "--budget" else "5000"
    done = run("compress", folder, goal, wide, "-o", tmp_path / "a.aez")
    assert done.status == 0 and "chosen: exact, nothing is lost" in done.err
    assert "errors cannot" not in done.err
    assert (tmp_path / "a.aez").stat().st_size == size


@pytest.mark.parametrize(("bytes_each", "count", "total"), [(8.2, 15, 123), (8.25, 2, 16)])
def test_a_budget_for_each_picture_is_not_lost_in_rounding(bytes_each, count, total):
    options = CompressOptions(bytes_per_picture=bytes_each)
    goal = goals.goal_of(options, PictureYardstick(1.0), count)
    assert goal.budget == total
