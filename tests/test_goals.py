"""What is asked of sources that hold nothing a goal could change, and commands that are told."""

import shlex

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageCms

import aetool
from aetool import api, operations
from aetool.archives import rivals
from aetool.archives.candidates import Candidates
from aetool.errors import ParamError
from tests.sweeps import one_in


@pytest.fixture
def tables(tmp_path):
    """A folder of two equal tables."""
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = "".join(f"{1.37 * i:.2f},{i * i}\n" for i in range(150))
    for name in ("1.csv", "2.csv"):
        (folder / name).write_text("a,b\n" + rows, encoding="utf-8")
    return folder


def test_a_folder_of_tables_is_stored_exactly_whatever_may_be_lost(run, tables, tmp_path):
    archive = tmp_path / "z.aez"
    done = run("compress", tables, "--rmse", "5%", "-o", archive)
    assert done.status == 0
    assert "chosen: exact" in done.err + done.out
    assert run("decompress", archive, "-o", tmp_path / "back").status == 0
    for name in ("1.csv", "2.csv"):
        assert (tmp_path / "back" / name).read_bytes() == (tables / name).read_bytes()


def test_a_folder_of_tables_that_is_too_large_is_one_line_and_no_file(run, tables, tmp_path):
    done = run("compress", tables, "--budget", "100", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "the smallest archive found takes" in done.err
    assert not (tmp_path / "z.aez").exists()


def test_a_bound_for_a_folder_of_tables_names_the_folder(run, tables, tmp_path):
    done = run("compress", tables, "--max-error", "1%", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "is a folder, whose files are stored as they are" in done.err
    assert "pictures" not in done.err


def test_a_folder_of_tables_has_one_point(run, tables, tmp_path):
    done = run("tradeoff", tables, "-o", tmp_path / "t.svg", "-q")
    assert done.status == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["way", "exact"]


def test_the_command_that_is_told_writes_the_archive_that_was_picked(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0).normal(size=(600, 3))
    rows = "".join(",".join(f"{number:.4f}" for number in row) + "\n" for row in numbers)
    # a name that begins with a dash is no option
    (tmp_path / "-x.csv").write_text("a,b,c\n" + rows, encoding="utf-8")
    asked = ["--drop", "a", "--rmse", "10%", "--no-others"]
    done = run("tradeoff", *asked, "-o", "t.svg", "--", "-x.csv")
    assert done.status == 0
    command = done.err[done.err.index("aetool compress") :].splitlines()[0]
    words = shlex.split(command)[1:]
    assert words[1] == "./-x.csv"
    assert words[words.index("--drop") + 1] == "a"
    picked = next(line for line in done.out.splitlines() if line.endswith("<- pick"))
    size = next(word for word in picked.split() if word.replace(",", "").isdigit())
    assert run(*words, "-o", "x.aez").status == 0
    assert (tmp_path / "x.aez").stat().st_size == int(size.replace(",", ""))


@pytest.mark.parametrize("verb", ["fit", "detect"])
def test_a_seed_below_zero_is_refused(run, rows_csv, verb):
    done = run(verb, rows_csv, "--seed", "-1")
    assert done.status == 2
    assert "-1 is not in the range x>=0" in done.err
    with pytest.raises(ParamError, match="seed must be 0 or more; got -1"):
        getattr(api, verb)(rows_csv, seed=-1)


def test_a_plugin_beside_a_model_is_refused(run, rows_csv, pca, tmp_path):
    done = run("compress", rows_csv, "-m", pca, "-p", "vae", "--lossy", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "-p is of the model: fit it with -p, not compress" in done.err
    assert not (tmp_path / "z.aez").exists()


@pytest.mark.parametrize("verb", ["fit", "compress", "tradeoff"])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_max_time_is_above_zero(run, rows_csv, verb, seconds):
    done = run(verb, rows_csv, "--max-time", seconds)
    assert done.status == 2
    assert "--max-time" in done.err


def test_numbers_whose_squares_are_infinite_are_stored_exactly(tmp_path, recwarn):
    path = tmp_path / "huge.csv"
    near = np.random.default_rng(2).normal(50, 9, 800)
    rows = "".join(f"{v:.3f},{(-1) ** i * (i % 7)}e200\n" for i, v in enumerate(near))
    path.write_text("near,far\n" + rows, encoding="utf-8")
    facts = aetool.compress(path, tmp_path / "h.aez", rmse="5%")
    assert not [one for one in recwarn if issubclass(one.category, RuntimeWarning)]
    assert facts["taken"] == "bounded"
    assert list(facts["bounds"]) == ["near"]
    # of the one column that can be judged, not of half the table
    assert 0.04 < facts["rmse_of_deviation"] <= 0.05
    operations.decompress(tmp_path / "h.aez", tmp_path / "back.csv")
    before, after = pd.read_csv(path), pd.read_csv(tmp_path / "back.csv")
    assert before["far"].equals(after["far"])


def test_what_is_advised_of_huge_numbers_is_what_was_typed(run, tmp_path):
    path = tmp_path / "huge.csv"
    rows = "".join(f"{i},{(-1) ** i * i}e200\n" for i in range(300))
    path.write_text("near,far\n" + rows, encoding="utf-8")
    done = run("compress", path, "-p", "pca", "--rmse", "5%", "-o", tmp_path / "h.aez")
    assert done.status == 2
    assert "the numbers of 'far' are too large" in done.err
    assert "leave this column out (--drop)" in done.err
    assert "--lossy" not in done.err
    assert not (tmp_path / "h.aez").exists()


NO_RECORDS = {
    "ragged.csv": (b"a,b\n1,2\n3\n4,5,6\n" * 40, "row 2 (line 3) has 1 field where 2 are expected"),
    "noise.dat": (bytes(range(256)) * 12, "this is a binary file, not a table in text"),
}


@pytest.mark.parametrize("name", NO_RECORDS)
@pytest.mark.parametrize("goal", [("--rmse", "5%"), ("--budget", "10kB")])
def test_what_holds_no_records_is_stored_exactly_for_any_goal(run, tmp_path, name, goal):
    content, reason = NO_RECORDS[name]
    (tmp_path / name).write_bytes(content)
    done = run("compress", tmp_path / name, *goal, "-o", tmp_path / "z.aez")
    assert done.status == 0, done.err
    assert done.err.count(reason) == 1
    assert "chosen: exact, nothing is lost" in done.err
    assert run("decompress", tmp_path / "z.aez", "-o", tmp_path / "back").status == 0
    assert (tmp_path / "back").read_bytes() == content


@pytest.mark.parametrize("name", NO_RECORDS)
def test_what_holds_no_records_and_is_too_large_is_one_line_and_no_file(run, tmp_path, name):
    content, _ = NO_RECORDS[name]
    (tmp_path / name).write_bytes(content)
    done = run("compress", tmp_path / name, "--budget", "40B", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "--budget 40B: the exact archive takes" in done.err
    assert "holds no records that could lose anything" in done.err
    assert not (tmp_path / "z.aez").exists()


@pytest.mark.parametrize("asked", [("--target-psnr", "20"), ("--rmse", "5%", "-p", "pca")])
def test_what_holds_no_records_has_neither_pixels_nor_a_code(run, tmp_path, asked):
    content, reason = NO_RECORDS["noise.dat"]
    (tmp_path / "noise.dat").write_bytes(content)
    done = run("compress", tmp_path / "noise.dat", *asked, "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert reason in done.err


def test_the_code_of_one_picture_is_refused_in_the_words_of_a_goal(run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(4)
    for number in range(40):
        pixels = rng.integers(0, 255, (12, 12), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    model = tmp_path / "m.aem"
    assert run("fit", folder, "-p", "pca", "-o", model).status == 0
    asked = ("--target-psnr", "20", "-m", model, "-o", tmp_path / "z.aez")
    done = run("compress", folder / "7.png", *asked)
    assert done.status == 2
    assert "7.png: one picture: a model's code is of a folder of pictures" in done.err
    assert "--lossy" not in done.err


@pytest.mark.parametrize(("output", "advised"), [("-", "tradeoff.svg"), ("x.png", "x.svg")])
def test_a_survey_is_drawn_as_svg(run, rows_csv, tmp_path, monkeypatch, output, advised):
    monkeypatch.chdir(tmp_path)
    done = run("tradeoff", rows_csv, "-o", output)
    assert done.status == 2
    assert f"-o {output}: the picture is written as SVG: name a file such as {advised}" in done.err
    assert not (tmp_path / output).exists()


@pytest.mark.parametrize(
    ("low", "high", "asked"), one_in(2, [(0, 1, 0.1), (0, 125, 0.01), (-3, 3, 0.01)])
)
def test_numbers_too_coarse_to_be_rounded_do_not_dilute_the_error(tmp_path, low, high, asked):
    rng = np.random.default_rng(5)
    numbers = pd.DataFrame({"x": rng.normal(50, 9, 2000).round(2)})
    flags = pd.DataFrame(rng.integers(low, high + 1, (2000, 6))).add_prefix("is")
    numbers.to_csv(tmp_path / "alone.csv", index=False)
    pd.concat([numbers, flags], axis=1).to_csv(tmp_path / "beside.csv", index=False)
    found = []
    for name in ("alone.csv", "beside.csv"):
        facts = aetool.compress(tmp_path / name, tmp_path / "a.aez", rmse=asked, force=True)
        operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv", force=True)
        after = pd.read_csv(tmp_path / "back.csv")
        off = ((numbers["x"] - after["x"]) ** 2).mean() / numbers["x"].var(ddof=0)
        assert facts["rmse_of_deviation"] == pytest.approx(off**0.5, rel=1e-6)
        assert facts["rmse_of_deviation"] <= asked
        found.append(facts["bounds"]["x"])
    assert found[0] == found[1]


# some twenty archives of 6,000 rows; pieces decide in the fast set, too, in test_rivals.py
@pytest.mark.long
def test_a_budget_for_a_large_table_is_found_by_pieces_of_it(tmp_path, monkeypatch):
    rng = np.random.default_rng(6)
    steps = rng.normal(0, 1, (6000, 4)).cumsum(axis=0)
    path = tmp_path / "walks.csv"
    pd.DataFrame(steps.round(4), columns=list("abcd")).to_csv(path, index=False)
    written = []
    bounded = Candidates._write_bounded

    def counted(self, job):
        found = bounded(self, job)
        written.append(found.size)
        return found

    monkeypatch.setattr(Candidates, "_write_bounded", counted)
    wanted = {}
    for how, large in (("whole", 1 << 30), ("pieces", 1 << 16)):
        written.clear()
        monkeypatch.setattr(rivals, "LARGE", large)
        monkeypatch.setattr(rivals, "PRICED", 1 << 16)
        monkeypatch.setattr(rivals, "STRETCH", 1 << 14)
        facts = aetool.compress(path, tmp_path / f"{how}.aez", budget="20kB")
        assert facts["taken"] == "bounded"
        assert (tmp_path / f"{how}.aez").stat().st_size <= 20_000
        wanted[how] = (facts["rmse_of_deviation"], len(written))
    assert 2 * wanted["pieces"][1] <= wanted["whole"][1]
    assert wanted["pieces"][0] <= 1.2 * wanted["whole"][0]


@pytest.mark.parametrize("goal", ["--rmse=2%", "--budget=20k", "--budget=1000"])
def test_nested_columns_are_kept_whatever_error_is_allowed(run, tmp_path, goal):
    rows = 300
    lists = pa.array([[float(row), 2.0] for row in range(rows)])
    x = np.random.default_rng(0).normal(size=rows)
    pq.write_table(pa.table({"l": lists, "x": x}), tmp_path / "t.parquet")
    done = run("compress", tmp_path / "t.parquet", "-o", tmp_path / "t.aez", goal)
    # the option that was given alone is named
    assert "--max-error" not in done.err
    if goal == "--budget=1000":
        assert done.status == 2 and done.err.count("\n") == 1
        assert "--budget 1000: the smallest archive found takes" in done.err
        return
    assert done.status == 0 and "chosen: exact, nothing is lost" in done.err
    kept = "note: the file is kept byte for byte: column 1 'l' is of type list<element: double>"
    assert kept in done.err
    # and the ways to store it can be compared
    assert run("tradeoff", tmp_path / "t.parquet").status == 0


@pytest.mark.parametrize("goal", ["--rmse=2%", "--target-psnr=45"])
@pytest.mark.parametrize("with_profile", [1, 3])
def test_a_goal_says_which_pictures_no_error_makes_smaller(run, tmp_path, goal, with_profile):
    folder = tmp_path / "pictures"
    folder.mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    across = np.linspace(0, 6, 64)
    rng = np.random.default_rng(0)
    for number in range(3):
        soft = 128 + 90 * np.sin(across[:, None, None] + across[None, :, None] * (number + 1))
        noisy = soft + rng.normal(0, 4, (64, 64, 3))
        chunks = {"icc_profile": profile} if number < with_profile else {}
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        picture.save(folder / f"{number}.png", **chunks)
    done = run("compress", folder, "-o", tmp_path / "t.aez", goal)
    files = "1 file is" if with_profile == 1 else "3 files are"
    assert done.status == 0, done.err
    assert f"note: {files} stored byte for byte: a bound is for pictures" in done.err
    assert "such as a colour profile" in done.err
    chosen = "chosen: bounded" if with_profile == 1 else "chosen: exact, nothing is lost"
    assert chosen in done.err


def test_a_budget_that_files_exceed_says_why_they_are_exact(tmp_path, run):
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(3):
        levels = rng.normal(120, 20, (40, 40)).clip(0, 255).astype(np.uint8)
        Image.fromarray(levels).save(tmp_path / f"{number}.jpg")
    done = run("compress", tmp_path, "--budget", "900", "-o", tmp_path.parent / "b.aez")
    assert done.status == 2
    assert "allow that many, or more; 3 files are stored byte for byte: a bound is for" in done.err
    assert "and not for JPEG" in done.err


@pytest.mark.parametrize("channels", [2, 4])
def test_an_array_with_a_channel_of_opacity_says_which_channels_are_taken(tmp_path, run, channels):
    levels = np.random.default_rng(0).integers(0, 255, (8, 9, 9, channels), np.uint8)
    np.save(tmp_path / "a.npy", levels)
    done = run("compress", tmp_path / "a.npy", "--rmse", "10%", "-o", tmp_path / "b.aez")
    assert done.status == 2
    said = "picture 1 has transparent parts, the last of its 2 or 4 channels; an array has 1 or 3; "
    assert said in done.err


def test_a_model_without_a_codec_says_how_one_is_learned(tmp_path, run):
    rows = "\n".join(f"{number % 7},{number % 5}.5" for number in range(60))
    (tmp_path / "t.csv").write_text(f"a,b\n{rows}\n")
    assert run("fit", tmp_path / "t.csv", "-p", "pca", "-q", "-o", tmp_path / "m.aem").status == 0
    with_model = ["compress", tmp_path / "t.csv", "-m", tmp_path / "m.aem", "-f"]
    assert "(fit with --codec for archives of many small tables" in run(*with_model).err
    bounded = run(*with_model, "--max-error", "1%").err
    assert "(fit with --codec and --max-error for archives of many small tables" in bounded
