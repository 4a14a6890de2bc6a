"""What is said where records are too few, where a part is restored, and where a model is idle."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import aetool
from aetool import operations
from aetool.detection import calibration
from aetool.detection.trace import ScoreTrace
from aetool.errors import ParamError
from aetool.printing import ordinal
from aetool.report import charts
from tests.test_cli import records
from tests.test_mistakes import table

pytestmark = pytest.mark.usefixtures("fits_once")


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A table of 40 rows in the folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(table(40))
    return tmp_path / "t.csv"


@pytest.mark.parametrize("rows", [1, 2, 9, 40, 99, 100, 333, 999, 8784])
def test_the_least_rate_has_a_threshold_and_a_lower_one_has_none(rows):
    known = calibration.Calibration.of(np.arange(float(rows))[:, None])
    least = calibration.least_rate(rows)
    assert known.threshold(least) < float("inf") and 1 / (rows + 1) <= least < 1.2 / (rows + 1)
    assert known.threshold(0.99 / (rows + 1)) == float("inf")


def test_a_rate_that_so_few_cannot_tell_is_said(few, run):
    said = "cannot tell 1 in 10,000; the smallest --fpr they allow is"
    done = run("detect", "t.csv", "--fpr", "0.01%")
    assert done.status == 0 and f"note: 40 records {said} 0.1 %: use --top N" in done.err
    assert "ordinary records exceed" not in done.err
    assert "cannot tell" not in run("detect", "t.csv", "--fpr", "0.1%").err
    done = run("fit", "t.csv", "--fpr", "0.01%")
    assert done.status == 0 and f"records {said}" in done.err
    assert "s; no threshold\n" in done.err and "inf" not in done.err
    told = run("info", "t.aem").out
    assert "none: " in told and said in told and "inf\n" not in told
    judged = run("detect", "t.csv", "-m", "t.aem").err
    assert said in judged
    assert judged.startswith("0 of 40 records flagged (0 %): no score is high enough\n")
    assert "; threshold none>" in repr(aetool.load("t.aem"))
    assert "cannot tell" not in run("detect", "t.csv", "-m", "t.aem", "--fpr", "10%").err
    assert said in run("report", "t.aem", "t.csv").err


def test_a_rate_of_all_records_is_refused_as_it_was_written(few, run):
    done = run("detect", "t.csv", "--fpr", "150%")
    said = "--fpr 150%: write a share below 100 %, such as 1% or 0.1%"
    assert (done.status, done.err) == (2, f"aetool: error: {said}\n")


def test_nothing_flagged_among_few_says_what_shows_the_highest(few, run):
    done = run("detect", "t.csv")
    assert "0 of 40 records flagged" in done.err
    assert "note: 40 records are few for a threshold that 1 in 1,000 exceed" in done.err
    assert "--top 5 shows the highest" in done.err
    assert "are few" not in run("detect", "t.csv", "--top", "5").err
    few.write_text(table(200))
    assert "are few" not in run("detect", "t.csv").err


def test_flagged_among_few_says_how_small_p_can_be(few, run):
    odd = table(40).replace("\n", ",0.5\n").replace("0.5", "x", 1)
    lines = odd.splitlines()
    lines[20] = lines[20].replace(",0.5", ",ten thousand")
    few.write_text("\n".join(lines) + "\n")
    done = run("detect", "t.csv")
    assert done.err.splitlines()[-1] == (
        "note: 40 records are few for a threshold that 1 in 1,000 exceed; p, a rank among them, is "
        "at least 2/41"
    )
    assert "at least" not in run("detect", "t.csv", "--fpr", "10%").err, "41 ranks tell 1 in 10"
    assert "at least" not in run("detect", "t.csv", "--top", "3").err


def test_few_records_of_which_some_are_flagged_say_how_to_list_what_comes_next(few, run):
    lines = table(40).splitlines()
    lines[20] = lines[20].replace("0.", "99.", 1)
    few.write_text("\n".join(lines) + "\n")
    offer = "--top 6 lists the 6 highest scores, flagged or not: "
    done = run("detect", "t.csv")
    assert "1 of 40 records flagged" in done.err and done.err.count(offer) == 1
    assert len(records(run("detect", "t.csv", "--top", "6").out)) == 6
    assert "flagged or not" not in run("detect", "t.csv", "--top", "6").err
    assert "flagged or not" not in run("detect", "t.csv", "-q").err
    many = table(2000).splitlines()
    many[20] = lines[20]
    few.write_text("\n".join(many) + "\n")
    done = run("detect", "t.csv")
    assert "0 of 2,000" not in done.err and "flagged or not" not in done.err


def test_few_pictures_of_which_some_are_flagged_say_how_to_list_what_comes_next(tmp_path, run):
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(22):
        picture = rng.normal(200, 4, (32, 32))
        picture[8:24, 8:24] = rng.normal(60, 4, (16, 16))
        if number in (4, 17):
            picture[12:20, 2 * number % 20 : 2 * number % 20 + 8] = 250
        levels = picture.clip(0, 255).astype(np.uint8)
        Image.fromarray(levels).save(tmp_path / f"{number:02}.png")
    done = run("detect", tmp_path)
    assert [row["file"] for row in records(done.out)] == ["04.png", "17.png"]
    assert "--top 7 lists the 7 highest scores, flagged or not: " in done.err


def test_a_column_that_names_the_records_is_offered_once(few, run):
    """Names are left out of what is judged, and asked for by whoever reads what is flagged."""
    heading, *lines = table(60).splitlines()
    of_rows = [f'"Fiat {number} x",{line}' for number, line in enumerate(lines)]
    few.write_text("\n".join([f'"",{heading}', *of_rows, ""]))
    offer = "note: column1 names the records: --id column1 shows it"
    done = run("detect", "t.csv", "--top", "2")
    assert done.err.splitlines()[-1] == offer and offer not in done.out
    assert "column1 (an identifier)" in done.err
    asked = run("detect", "t.csv", "--top", "2", "--id", "column1")
    assert "names the records" not in asked.err and "Fiat" in asked.out
    # nothing is flagged, or nothing is to be said
    assert "names the records" not in run("detect", "t.csv", "--top", "0").err
    assert "names the records" not in run("detect", "t.csv", "--top", "2", "-q").err
    # the column `row` says it already
    numbered = [f"{number},{line}" for number, line in enumerate(lines, 1)]
    few.write_text("\n".join([f"rownames,{heading}", *numbered, ""]))
    done = run("detect", "t.csv", "--top", "2")
    assert "rownames (an identifier)" in done.err and "names the records" not in done.err


@pytest.mark.parametrize(
    ("asked", "count"),
    [(["--top", "3"], 3), (["--contamination", "5%"], 2), (["--top", "1"], 1)],
)
def test_a_number_that_was_asked_for_is_told_by_its_lowest_score_and_p(few, run, asked, count):
    """Which is no threshold: it says nothing of other records."""
    done = run("detect", "t.csv", *asked)
    lowest = sorted(records(done.out), key=lambda record: -float(record["score"]))[-1]
    score = f"{float(lowest['score']):.4g} bits, p {float(lowest['p']):.2g}\n"
    # by --top they are listed, ordinary or not
    word = "listed" if "--top" in asked else "flagged"
    of_all = f"{count} of 40 records {word} ({100 * count / 40:.3g} %): "
    told = "the highest score, " if count == 1 else f"the {count} highest scores, down to "
    assert of_all + told + score in done.err
    assert "score above" not in done.err
    run("detect", "t.csv", *asked, "--report", "r.html", "-f", "-q")
    assert "an anomaly scores above" not in few.with_name("r.html").read_text()
    assert "score above" in run("detect", "t.csv", "--report", "r.html", "-f").err
    assert "an anomaly scores above" in few.with_name("r.html").read_text()
    assert run("fit", "t.csv", "-q", "-p", "pca").status == 0
    calm = run("detect", "t.csv", "-m", "t.aem", "--threshold", "1e9").err
    assert "are few" not in calm
    said = "note: 40 records that the model has not seen are few for a threshold that 1 in 1,000 exceed"
    assert said in run("detect", "t.csv", "-m", "t.aem").err


def test_of_hundreds_of_records_p_alone_is_coarse(few):
    found = operations.detect(few)
    hundreds = dataclasses.replace(found, calibrated_on=300, flagged=2)
    assert hundreds.notes() == ["p, a rank among 300 records, is at least 2/301"]
    assert dataclasses.replace(found, calibrated_on=999, flagged=2).notes() == []
    assert "are few" not in " ".join(dataclasses.replace(found, calibrated_on=300).notes())


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ([6.6, 6.5, 6.4, 5.9, *np.linspace(3.1, 0.1, 28)], "top 4 shows those above a gap (5.9, then 3.1)"),
        # one alone, and none that stands out
        ([9.0, *np.linspace(3.1, 0.1, 28)], "top 5 shows the highest"),
        (np.linspace(3.1, 0.1, 32), "top 5 shows the highest"),
        # the highest are farther apart from each other than from the rest
        ([9.0, 6.0, 3.9, *np.linspace(2.1, 0.1, 28)], "top 5 shows the highest"),
        ([2.0, 1.0, 0.0], "top 3 shows the highest"),
    ],
    ids=["four", "one", "none", "apart", "three"],
)  # fmt: skip
def test_those_above_a_gap_below_the_highest_are_shown(few, scores, shown):
    trace = ScoreTrace()
    trace.add(np.array(scores))
    found = operations.detect(few)
    found = dataclasses.replace(found, trace=trace, flagged=0, total=len(scores), unit="bits")
    assert f" bits: {shown}, and " in found.highest_in_words()


def test_nothing_flagged_says_the_highest_score_whatever_it_was_judged_by(few, run):
    few.write_text(table(200))
    assert run("fit", "t.csv", "-p", "pca", "-q").status == 0
    every = aetool.load("t.aem").score(few)
    said = f"note: the highest score is {every.max():.4g} {{}}: --top 5 shows the highest, and "
    said += "--contamination 1% flags that part\n"
    of_model = said.format(aetool.load("t.aem").unit)
    limit = every.max() + 1
    judged = run("detect", "t.csv", "-m", "t.aem", "--threshold", limit).err
    assert judged.startswith("0 of 200 records flagged") and of_model in judged
    assert of_model in run("report", "t.aem", "t.csv", "--threshold", limit).err
    assert "the highest score is" not in run("detect", "t.csv", "-m", "t.aem", "--top", "5").err
    # of an archive, which needs no model
    assert run("compress", "t.csv", "-q").status == 0
    cost = aetool.detect(few.with_name("t.csv.aez"), top=1)
    said_of_cost = (
        f"note: the highest score is {cost.score[0]:.4g} bits: --top 3 shows those above a "
    )
    said_of_cost += "gap (4.485, then 2.563), and --contamination 1% flags that part\n"
    assert said_of_cost in run("detect", "t.csv.aez", "--threshold", "1e9").err
    none = operations.detect(few, aetool.load("t.aem"), threshold=limit)
    assert "top 5 shows the highest" in none.notes()[0] and "--top" not in none.notes()[0]


def test_a_part_needs_a_name_of_its_own(few, run):
    assert run("compress", "t.csv", "-q").status == 0
    few.unlink()
    for part in (("--rows", "1:10"), ("--columns", "temp")):
        done = run("decompress", "t.csv.aez", *part)
        assert done.status == 2 and "say where to with -o FILE (-: standard output)" in done.err
        assert len(done.err.splitlines()) == 1 and not few.exists()
    done = run("decompress", "t.csv.aez", "-o", "p.csv", "--rows", "1:10", "--columns", "temp")
    assert done.status == 0 and done.err == "p.csv: 10 of 40 rows, 1 column\n"
    assert len((few.parent / "p.csv").read_text().splitlines()) == 11
    assert run("decompress", "t.csv.aez", "-c", "--rows", "2").status == 0
    assert run("decompress", "t.csv.aez").err == "t.csv: restored\n"
    with pytest.raises(ParamError, match="say where to with out"):
        aetool.decompress("t.csv.aez", rows=slice(0, 3))


def test_each_shard_has_a_name_of_its_own(few, run):
    for number in (1, 2):
        assert run("compress", "t.csv", "--shard", f"{number}/2").status == 0
    aetool.compress("t.csv", shard="2/3")
    names = {path.name for path in few.parent.glob("*.aez")}
    assert names == {"t.csv.1of2.aez", "t.csv.2of2.aez", "t.csv.2of3.aez"}
    assert run("merge", "t.csv.1of2.aez", "t.csv.2of2.aez", "-o", "m.aez").status == 0
    assert run("decompress", "m.aez", "-c").out == table(40)


def test_a_model_that_an_archive_does_not_need_is_said_to_be_idle(few, run):
    assert run("compress", "t.csv", "-q").status == 0 and run("fit", "t.csv", "-q").status == 0
    note = "note: the model was not used: an archive is judged by what its records take in it"
    assert note in run("detect", "t.csv.aez", "-m", "t.aem").err
    assert note in run("report", "t.aem", "t.csv.aez").err
    assert "not used" not in run("detect", "t.csv.aez").err
    assert run("fit", "t.csv", "-q", "--codec", "-o", "c.aem").status == 0
    made = run("compress", "t.csv", "-m", "c.aem", "--no-embed", "-o", "c.aez")
    if "not used" not in made.err:
        assert "not used" not in run("detect", "c.aez", "-m", "c.aem").err


def test_an_archive_of_no_records_says_so(few, run):
    few.write_text("time,temp\n")
    assert run("compress", "t.csv", "-q").status == 0
    done = run("detect", "t.csv.aez")
    assert done.status == 0 and "it holds no records" in done.err
    assert ", ," not in done.err and "inf" not in done.err and "learning" not in done.err


@pytest.mark.parametrize("name", ["heatmap", "sheet", "report"])
def test_a_target_that_exists_is_named_by_its_option(few, run, name):
    target = few.parent / "there"
    if name == "heatmap":
        target.mkdir()
    else:
        target.write_text("kept")
    done = run("detect", "t.csv", f"--{name}", target)
    assert done.status == 2 and f"or choose another --{name}\n" in done.err


def test_detect_says_that_robust_is_of_fit(few, run):
    done = run("detect", "t.csv", "--robust")
    assert done.status == 2 and "without -m detect is always robust" in done.err
    assert "aetool fit --robust" in done.err
    assert "always robust" not in run("detect", "t.csv", "--robusto").err


@pytest.mark.parametrize(
    ("asked", "word", "bars"),
    [
        (["--top", "20"], "the 20th score ", "the 20th score, and above"),
        (["--top", "3"], "the 3rd score ", "the 3rd score, and above"),
        (["--top", "1"], "the highest score ", "the highest score"),
        (["--threshold", "2"], "threshold 2<", "above the threshold"),
    ],
)
def test_the_drawing_of_a_report_says_what_its_line_is(few, run, asked, word, bars):
    assert run("detect", "t.csv", *asked, "--report", "r.html", "-q").status == 0
    page = few.with_name("r.html").read_text()
    assert f">{word}" in page and f"{bars}</p>" in page
    assert ("threshold " in page) == (asked[0] == "--threshold")
    found = operations.detect(few, top=3)
    assert found.limit == found.score.min() and found.limit_in_words == "the 3rd score"
    assert f"the 3rd score {charts.amount(found.limit)}" in found.plot().document()
    none = operations.detect(few, top=0)
    assert (none.limit, none.limit_in_words) == (none.threshold, "threshold")


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
     (21, "21st"), (22, "22nd"), (111, "111th"), (1003, "1,003rd")],
)  # fmt: skip
def test_places_are_read_as_ordinals(number, said):
    assert ordinal(number) == said


def test_what_is_listed_by_top_is_not_called_flagged(few, run):
    """Of pages, tables, and Python's result; a part that is asked for is flagged, as before."""
    model = aetool.fit("t.csv", "pca")
    model.save("t.aem")
    found = operations.detect("t.csv", model, top=2)
    assert found.verdict().startswith("2 of 40 records listed (5 %): the 2 highest scores")
    part = operations.detect("t.csv", model, contamination=0.05)
    assert part.verdict().startswith("2 of 40 records flagged (5 %)")
    done = run("report", "t.aem", "t.csv", "-o", "t.html", "--top", "2")
    assert "t.html: 2 of 40 records listed, " in done.err
    page = Path("t.html").read_text()
    assert "2 of 40 records (5 %) are listed" in page and "stand out, most" not in page
    run("compress", "t.csv", "-o", "t.aez")
    assert "2 of 40 records listed" in run("detect", "t.aez", "--top", "2").err
