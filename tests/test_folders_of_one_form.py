"""Folders of pictures of one form have their errors told as an array of the same pixels has; of any
others it is said which picture is odd, and how."""

import json

import numpy as np
import pytest
from PIL import Image

import aetool
from aetool.data.pictures.alike import of_one_form
from aetool.data.sources import open_source
from aetool.errors import DataError, ParamError
from aetool.operations import surveying
from aetool.testing import pictures

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
    # levels are bounded of arrays alone, as files of a folder may have none
    bounded = [key for key in by_name[array] if key[0] == "bounded"]
    assert {key[1] for key in bounded} >= {f"--max-error {levels}" for levels in (1, 2, 4)}
    for key in bounded:
        del by_name[array][key]
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


@pytest.mark.parametrize("asked", [("--budget", "900"), ("--bytes-per-picture", "6")])
def test_a_folder_is_stored_within_bytes(folder, model, tmp_path, run, asked):
    model_path, path = tmp_path / "m.aem", tmp_path / "a.aez"
    model.save(model_path)
    done = run("compress", folder, "-m", model_path, "--no-embed", *asked, "-o", path)
    assert done.status == 0 and "chosen: the model's code, " in done.err, done.err
    assert path.stat().st_size <= 900


def test_bytes_for_each_picture_count_no_masks(pixels, tmp_path):
    folder = saved(tmp_path / "f", {f"{i}.png": Image.fromarray(pixels[i]) for i in range(3)})
    saved(folder / "ground_truth", {"0_mask.png": Image.fromarray(pixels[0])})
    with pytest.raises(ParamError, match=r"bytes_per_picture 1: the smallest archive found takes"):
        aetool.compress(folder, tmp_path / "a.aez", bytes_per_picture=1)
    size = aetool.compress(folder, tmp_path / "e.aez")["archive_bytes"]
    with pytest.raises(ParamError, match=f"takes {size:,} bytes"):
        aetool.compress(folder, tmp_path / "a.aez", bytes_per_picture=(size - 1) / 3)
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
        (plain((9, 8)), "c.png is 9 x 8, and most are 12 x 8"),
        (plain(mode="I;16"), "c.png has more than 8 bits a value, and most have 8"),
        (plain(mode="RGB").point(lambda _: 7), "c.png is in colour, and most are gray"),
        (Image.new("LA", (12, 8), (7, 128)), "c.png has transparent parts"),
    ],
)
def test_the_odd_picture_is_named(tmp_path, run, odd, said):
    folder = saved(tmp_path / "f", {"a.png": plain(), "b.png": plain(), "c.png": odd})
    for words in (("tradeoff", folder), ("compress", folder, "--rmse", "5%")):
        done = run(*words)
        assert done.status == 2 and len(done.err.splitlines()) == 1
        assert f"f: {said}; errors are told of pictures of one size, of 8 bits" in done.err
        assert done.err.endswith("bring them to one form first\n")
    assert [path.name for path in tmp_path.iterdir()] == ["f"], "nothing was written"


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
