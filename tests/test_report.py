"""The page of a detection: whole by itself, small whatever the data, and with nothing of theirs in
it that a browser would obey."""

import base64
import dataclasses
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.data import images
from aetool.detection.calibration import Calibration
from aetool.detection.shifts import Comparison
from aetool.detection.trace import MOST_SPANS, ScoreTrace
from aetool.report import charts, page, strips, svg
from aetool.report.findings import ColumnRead, Finding, Findings, Group, Reason
from aetool.report.times import time_ticks
from aetool.scoring import pages
from tests.conftest import fresh

pytestmark = pytest.mark.usefixtures("fits_once")

VOID = {"meta", "img", "br", "line", "rect", "path", "circle", "input"}


class Markup(HTMLParser):
    """A page as a browser takes it apart: its elements, and what stands between them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open and self.open[-1] == tag, f"{tag} closed inside {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


def judged(content):
    """The markup of a page that keeps all that a page promises."""
    assert len(content) <= page.MOST_BYTES
    text = content.decode()
    markup = Markup(text)
    (policy,) = (a["content"] for t, a in markup.elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.S)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy, f"the policy forbids the page's own {tag}"
    for tag, attributes in markup.elements:
        assert tag not in ("link", "iframe", "object", "embed", "form", "base", "image", "use")
        for name, value in attributes.items():
            assert not name.startswith("on") and name != "style", f"<{tag} {name}>"
            if name in ("src", "href"):
                assert value.startswith(("#", "data:image/png;base64,")), value
            if name == "xmlns":
                assert value == "http://www.w3.org/2000/svg"
    names = [a["id"] for _, a in markup.elements if "id" in a]
    assert len(names) == len(set(names))
    links = {a["href"][1:] for t, a in markup.elements if t == "a"}
    assert links <= set(names), "links lead to records of the page"
    return markup


def words(markup):
    return " ".join(" ".join(markup.words).split())


# ---- scores in bounded memory


@pytest.mark.parametrize("sizes", [[1], [5, 7], [MOST_SPANS], [3000, 1, 9000, 4096, 77]])
def test_no_peak_is_lost(sizes):
    rng = np.random.default_rng(0)
    scores = rng.lognormal(0, 1, sum(sizes))
    trace = ScoreTrace()
    for part in np.split(scores, np.cumsum(sizes)[:-1]):
        trace.add(part)
    assert trace.rows == len(scores) and len(trace.highest) <= MOST_SPANS
    for place, highest in enumerate(trace.highest.tolist()):
        stretch = scores[place * trace.span : (place + 1) * trace.span]
        assert highest == stretch.max()
    edges = np.array([-1.0, 0.5, 1.0, 3.0, 1e6])
    counted = trace.counted(edges)
    assert counted.sum() == len(scores)
    np.testing.assert_allclose(counted, np.histogram(scores, edges)[0], atol=0.02 * len(scores) + 1)


def test_batches_leave_the_same_trace_as_all_at_once():
    scores = np.random.default_rng(1).normal(5, 3, 20_000)
    moments = np.arange(20_000.0)
    one, many = ScoreTrace(), ScoreTrace()
    one.add(scores, moments)
    for first in range(0, 20_000, 333):
        many.add(scores[first : first + 333], moments[first : first + 333])
    np.testing.assert_array_equal(one.highest, many.highest)
    np.testing.assert_array_equal(one.moment, many.moment)
    assert one.in_time and many.in_time and one.last_moment == many.last_moment == 19_999
    edges = np.linspace(-10, 20, 40)
    np.testing.assert_array_equal(one.counted(edges), many.counted(edges))


def test_time_that_runs_back_is_no_axis():
    trace = ScoreTrace()
    trace.add(np.ones(3), np.array([1.0, 3.0, 2.0]))
    assert not trace.in_time
    gap = ScoreTrace()
    gap.add(np.ones(3), np.array([1.0, np.nan, 2.0]))
    assert not gap.in_time


# ---- drawings


@pytest.mark.parametrize(("low", "high", "shown"), [
    (0, 10, [0, 2, 4, 6, 8, 10]), (0, 0.1, [0, 0.02, 0.04, 0.06, 0.08, 0.1]), (-1, 1, [-1, -0.5, 0, 0.5, 1]),
    (5, 5, [5]), (0, math.inf, [0]),
])  # fmt: skip
def test_ticks_are_round(low, high, shown):
    assert svg.ticks(low, high) == pytest.approx(shown)


@pytest.mark.parametrize(("value", "shown"), [
    (math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (0.25, "0.25"), (5000.0, "5,000"),
    (2e9, "2e+09"), (0, "0"),
])  # fmt: skip
def test_amounts_beside_an_axis(value, shown):
    assert svg.amount(value) == shown


@pytest.mark.parametrize(("first", "last", "shown"), [
    ("2016-03-01", "2016-09-25", ["Mar 2016", "Apr 2016", "May 2016", "Jun 2016", "Jul 2016", "Aug 2016", "Sep 2016"]),
    ("2020-01-01T00:00:00", "2020-01-01T00:08:00", ["00:00:00", "00:01:00", "00:02:00", "00:03:00", "00:04:00", "00:05:00", "00:06:00", "00:07:00", "00:08:00"]),
    ("1990-05-01", "2020-01-01", [str(year) for year in range(1992, 2021, 4)]),
    ("2021-02-03", "2021-02-13", [f"{day:02} Feb" for day in range(4, 14, 2)]),
])  # fmt: skip
def test_moments_of_an_axis_are_round(first, last, shown):
    ends = (pd.Timestamp(moment).timestamp() for moment in (first, last))
    moments, told = time_ticks(*ends, 960)
    assert told == shown and moments == sorted(moments)


def test_an_axis_of_years_without_a_calendar_has_no_moments():
    assert time_ticks(-1e14, 1e14, 960) == ([], [])


def drawn(element):
    """(kind, attributes) of each shape of a drawing."""
    return [(a.get("class"), a) for _, a in Markup(element.document()).elements]


def test_a_drawing_is_a_whole_file(tmp_path):
    drawing = svg.Drawing(100, 50, 'a "label" & <more>').text("<b>&'\"\u202e", 1, 2)
    target = drawing.save(tmp_path / "a.svg")
    text = target.read_text()
    assert text.startswith("<svg xmlns=") and "<b>" not in text and "\u202e" not in text
    assert text == drawing._repr_svg_()
    assert ElementTree.fromstring(text).attrib["aria-label"] == 'a "label" & <more>'


def test_a_drawing_has_the_colours_of_day_where_variables_are_unknown():
    text = svg.Drawing(10, 10, "a").text("b", 1, 2).document()
    without_night = re.sub(r"@media\(prefers-color-scheme:dark\)\{svg\{[^}]*\}\}", "", text)
    uses = re.findall(r"var\(--d-(\w+)\)", without_night)
    assert len(uses) > 10 and set(uses) <= set(svg.LIGHT)
    for name in set(uses):
        plain, by_variable = svg.LIGHT[name], rf"var\(--d-{name}\)"
        pairs = re.findall(rf"([a-z-]+):{plain};\1:{by_variable}", without_night)
        paper = re.findall(rf'fill="{plain}" style="fill:{by_variable}"', without_night)
        assert len(pairs) + len(paper) == uses.count(name)


def test_the_course_shows_every_peak_and_the_threshold():
    scores = np.full(100_000, 1.0)
    scores[[5, 54_321, 99_999]] = 50.0
    trace = ScoreTrace()
    trace.add(scores)
    drawing = charts.score_over_records(
        trace, 10.0, "bits", [charts.Mark(54_321, 50.0, "row", "r54322")]
    )
    (line,) = (a["d"] for kind, a in drawn(drawing) if kind == "d-line")
    heights = [float(step.split()[1]) for step in re.findall(r"[\d.]+ [\d.]+", line)]
    highest = min(heights)
    assert 2 * sum(1 for h in np.unique(np.flatnonzero(np.array(heights) == highest) // 2)) == 6
    (threshold,) = (a for kind, a in drawn(drawing) if kind == "d-limit")
    assert threshold["y1"] == threshold["y2"] and highest < float(threshold["y1"]) < max(heights)
    (dot,) = (a for kind, a in drawn(drawing) if kind == "d-mark")
    assert float(dot["cy"]) == pytest.approx(highest, abs=0.1)
    assert float(dot["cx"]) == pytest.approx(52 + 894 * 0.543, abs=1)


def test_the_spread_parts_anomalies_from_others_at_the_threshold():
    scores = np.concatenate([np.random.default_rng(0).lognormal(0, 0.5, 5000), np.full(7, 40.0)])
    trace = ScoreTrace()
    trace.add(scores)
    held_out = Calibration.of(scores[:5000, None])
    drawing = charts.spread_of_scores(trace, 12.0, "bits", held_out)
    (limit,) = (a for kind, a in drawn(drawing) if kind == "d-limit")
    cut = float(limit["x1"])
    for kind, a in drawn(drawing):
        if kind == "d-usual":
            assert float(a["x"]) + float(a["width"]) <= cut + 0.6
        if kind == "d-odd":
            assert float(a["x"]) >= cut - 0.6
    assert any(kind == "d-odd" for kind, _ in drawn(drawing))
    assert any(kind == "d-second" for kind, _ in drawn(drawing))


@pytest.mark.parametrize("scores", [[], [0.0], [1.0, 1.0], [-3.0, 2.0], [1e300, 1.0], [1e-300]])
@pytest.mark.parametrize("threshold", [-math.inf, 0.5, math.inf])
def test_odd_scores_can_be_drawn(scores, threshold):
    trace = ScoreTrace()
    trace.add(np.array(scores))
    for drawing in (
        charts.score_over_records(trace, threshold, "bits"),
        charts.spread_of_scores(trace, threshold, "bits"),
    ):
        assert "nan" not in drawing.document() and "inf" not in drawing.document().replace(
            "info", ""
        )


def test_a_strip_says_where_a_value_lies():
    def dot(own):
        return [float(a["cx"]) for kind, a in drawn(strips.place_strip(own)) if kind == "d-mark"]

    assert dot(0.0) == [10.0] and dot(0.5) == [66.0] and dot(1.0) == [122.0]
    assert dot(-0.5) == dot(2.0) == []
    assert "above all" in strips.place_strip(2.0).document()


def test_detection_plots(air, tmp_path):
    found = operations.detect(air)
    drawing = found.plot()
    assert drawing._repr_svg_().startswith("<svg") and len(drawing._repr_svg_()) < 60_000
    marks = [a for kind, a in drawn(drawing) if kind == "d-mark"]
    assert len(marks) == found.flagged > 0
    assert drawing.save(tmp_path / "plot.svg").read_text() == drawing.document()


# ---- the page


def test_a_page_of_a_table(air, air_model, tmp_path, run):
    target = tmp_path / "air.html"
    done = run("report", air_model, air, "-o", target, "--fpr", "1%")
    assert done.status == 0, done.err
    markup = judged(target.read_bytes())
    found = operations.detect(air, operations_model(air_model), fpr=0.01)
    text = words(markup)
    assert f"{found.flagged} of 1,200 records" in text
    rows = [a["id"] for t, a in markup.elements if t == "tr" and "id" in a]
    ranked = found.ranked()
    assert rows == [f"r{row + 1}" for row in ranked.row.tolist()]
    for column, value, _ in ranked.named[0]:
        assert column in markup.words and value in markup.words
    assert "held out of the fit" in text and "same" in markup.words


def operations_model(path):
    from aetool.bundle import load

    return load(path)


@pytest.fixture(scope="module")
def air_model(air, tmp_path_factory):
    """The hours as the default learns them."""
    path = tmp_path_factory.mktemp("report") / "air.aem"
    return operations.fit(air).save(path)


def test_detect_writes_a_page_beside_what_it_prints(air, tmp_path, run):
    plain = run("detect", air, "-q")
    with_page = run("detect", air, "-q", "--report", tmp_path / "p.html")
    assert with_page.status == 0 and with_page.out == plain.out
    text = words(judged((tmp_path / "p.html").read_bytes()))
    count = len(plain.out.splitlines()) - 1
    assert f"{count} of 1,200 records" in text and "learned from them" in text
    refused = run("detect", air, "-q", "--report", tmp_path / "p.html")
    assert refused.status == 2 and "p.html" in refused.err and refused.out == ""
    assert run("detect", air, "-q", "--report", tmp_path / "p.html", "-f").status == 0


def test_nothing_is_left_where_detection_fails(tmp_path, run, air, air_model):
    short = tmp_path / "short.csv"
    pd.read_csv(air).drop(columns="TEMP").to_csv(short, index=False)
    done = run("report", air_model, short, "-o", tmp_path / "p.html")
    assert done.status == 2 and "TEMP" in done.err
    assert {p.name for p in tmp_path.iterdir()} == {"short.csv"}


def test_the_same_data_give_the_same_page(air, air_model, tmp_path):
    for name in ("a", "b"):
        operations.report(air, tmp_path / name, operations_model(air_model))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


HOSTILE = [
    "<script>alert(1)</script>", "</script><script>alert(2)</script>", "\"><img src=x onerror=alert(3)>",
    "' onmouseover='alert(4)", "\u202egnp.exe", "\u05d0\u05d1\u05d2", "&lt;b&gt;", "\x1b[31m", "]]>--><!--",
    "javascript:alert(5)", "</style><style>*{display:none}</style>",
]  # fmt: skip


def test_hostile_cells_and_names_are_inert(tmp_path):
    rng = np.random.default_rng(0)
    rows = 400
    names = ["plain", *(cell[:40] for cell in HOSTILE[:5])]
    table = pd.DataFrame({name: rng.normal(0, 1, rows) for name in names})
    usual = [f"word{place % 4}" for place in range(rows)]
    table["</td></table><script>alert(6)</script>"] = usual
    for place, cell in enumerate(HOSTILE):
        table.loc[place * 7, "</td></table><script>alert(6)</script>"] = cell
    table["plain"] = table["plain"].astype(object)
    table.loc[300, "plain"] = "x" * 10_000
    path = tmp_path / "<b>t.csv"
    table.to_csv(path, index=False)
    operations.report(path, tmp_path / "p.html", top=30)
    content = (tmp_path / "p.html").read_bytes()
    markup = judged(content)
    tags = {tag for tag, _ in markup.elements}
    assert "b" in tags and sum(tag == "script" for tag, _ in markup.elements) == 1
    text = content.decode()
    for bad in ("<script>alert", "<img src=x", "\u202e", "\x1b", "x" * 200, "<b>t"):
        assert bad not in text
    shown = "".join(markup.words)
    assert "<script>alert(6)</script>" in shown and "\\u202egnp" in shown, "it is shown as it is"
    assert "\u05d0\u05d1\u05d2" in shown and "x" * 57 + "..." in shown


def test_a_lone_surrogate_in_a_word_is_written():
    assert svg.text_of("\ud800<") == "\\ud800&lt;"


def test_a_page_is_small_whatever_the_data(air):
    """By figures of a table that nobody has: 30,000 columns of long names, all to blame, and 9,000
    anomalies of many letters in other scripts."""
    watcher = pages.Watcher()
    found = operations.detect(air, watch=watcher)
    findings = watcher.findings(found)
    name = "\u4e00<&>" * 200
    reason = Reason(name, name, name, 0.5, 0.4, (0.2, 0.3))
    huge = replace(
        findings,
        name=name,
        flagged=9_000,
        records=[Finding(r, 5.0, 0.1, name, [reason] * 3) for r in range(9_000)],
        columns=[ColumnRead(f"{name}{i}", name, i, i, i, True, 1, 0.5) for i in range(30_000)],
        groups=[Group(f"{name}{i}", name, 0, 1, 0, 0, 1.0) for i in range(9_000)],
        comparison=Comparison(5, 5, 0.01, [], [(name, name)] * 30_000),
    )
    markup = judged(page.page(huge))
    for kind in ("columns", "anomalies", "groups", "differences"):
        assert f"more {kind}" in words(markup)


def test_a_page_of_pictures_is_small_however_large_they_are(air):
    watcher = pages.Watcher()
    findings = watcher.findings(operations.detect(air, watch=watcher))
    noise = np.random.default_rng(0).integers(0, 256, (3, 500, 500)).astype(np.uint8)
    picture = images.thumbnail(noise, pages.MOST_SIDE)
    many = [Finding(r, 5.0, 0.1, "", (), "a.png", picture, picture) for r in range(500)]
    content = page.page(replace(findings, pictures=True, flagged=500, records=many))
    assert "more" in words(judged(content)) and content.count(b"<figure") >= 5


def test_few_or_no_records(tmp_path):
    for rows in (0, 1, 3):
        path = tmp_path / f"{rows}.csv"
        path.write_text("a,b\n" + "".join(f"{i},{i * 2}\n" for i in range(rows)))
        if rows == 0:
            model = operations.fit(pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0) * 2}))
            operations.report(path, tmp_path / "0.html", model)
            assert "There are no records in it." in words(
                judged((tmp_path / "0.html").read_bytes())
            )
        else:
            operations.report(path, tmp_path / f"{rows}.html")
            judged((tmp_path / f"{rows}.html").read_bytes())


def test_labels_bring_curves(tmp_path, run):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(0, 1, (600, 3)), columns=["a", "b", "c"])
    table["kind"] = "good"
    table.loc[::60, ["a", "b"]] = 9.0
    table.loc[::60, "kind"] = "bad"
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    assert (
        run(
            "fit", path, "-o", tmp_path / "m.aem", "--label", "kind", "--normal", "good", "-q"
        ).status
        == 0
    )
    done = run(
        "report",
        tmp_path / "m.aem",
        path,
        "--label",
        "kind",
        "--normal",
        "good",
        "-o",
        tmp_path / "p.html",
    )
    assert done.status == 0, done.err
    text = words(judged((tmp_path / "p.html").read_bytes()))
    assert "Against 10 labelled anomalies" in text and "AUROC 1.0000" in text
    alone = run("report", tmp_path / "m.aem", path, "--label", "kind", "-o", tmp_path / "q.html")
    assert alone.status == 2 and "--normal" in alone.err


def test_curves_end_where_everything_is_called():
    scores = np.array([3.0, 2.0, 2.0, 1.0])
    curves = pages.curves(scores, np.array([True, True, False, False]))
    assert curves.roc == [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]
    assert curves.precision_recall == [(0.5, 1.0), (1.0, 2 / 3), (1.0, 0.5)]


def test_a_page_of_pictures(folder, tmp_path, run):
    target = tmp_path / "p.html"
    done = run("detect", folder, "--top", "5", "-q", "--report", target)
    assert done.status == 0, done.err
    markup = judged(target.read_bytes())
    pictures = [a["src"] for t, a in markup.elements if t == "img" and a["alt"] == "the picture"]
    assert len(pictures) == 10, "each alone, and below where it costs more"
    assert "5 of 40 pictures" in words(markup) and ".png" in words(markup)
    png = base64.b64decode(pictures[0].split(",")[1])
    assert png.startswith(b"\x89PNG")


def test_a_thumbnail_is_the_picture(tmp_path):
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 30)).astype(np.uint8)
    with Image.open(io.BytesIO(images.thumbnail(pixels, 96))) as image:
        np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), pixels)
    with Image.open(io.BytesIO(images.thumbnail(pixels, 15))) as image:
        assert image.size == (15, 10)
    with Image.open(io.BytesIO(images.heat(np.array([[0.0, 4.0], [1.0, 0.0]]), 96))) as image:
        np.testing.assert_array_equal(np.asarray(image)[:, :, 3], [[0, 255], [127, 0]])


def test_groups_are_of_one_column_and_one_manner():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(0, 1, (2000, 3)), columns=["a", "b", "c"])
    table.loc[[3, 50, 999], "a"] = 30.0
    table.loc[[7, 8], "b"] = -30.0
    watcher = pages.Watcher()
    found = operations.detect(table, top=5, watch=watcher)
    groups = {(g.column, g.manner): g for g in watcher.findings(found).groups}
    high, low = groups["a", "is higher than expected"], groups["b", "is lower than expected"]
    assert (high.count, high.first, high.last) == (3, 3, 999)
    assert (low.count, low.first, low.last) == (2, 7, 8)
    assert len(groups) == 2 and high.highest in (3, 50, 999)


def test_the_first_sentence_names_the_column_that_heads_the_columns_to_blame():
    """Column b is the first reason of most, and a is named with each of them and by itself."""
    groups = [
        Group("b", "is higher than expected", 0, 5, 90),
        Group("a", "is lower than expected", 3, 1, 3),
        Group("a", "is higher than expected", 7, 2, 12),
    ]
    columns = [ColumnRead(name, "numbers", blamed=n) for name, n in (("c", 0), ("b", 5), ("a", 8))]
    shown = findings_of(8, groups, columns)
    assert [column.name for column in shown.blamed()] == ["a", "b"]
    said = "8 of 100 records (8 %) stand out, most often "
    assert shown.verdict() == said + "because a is higher than expected."
    # never the first of a record's reasons
    assert findings_of(8, groups[:1], columns).verdict() == said + "named is a."
    # as of pictures, of which no column is named
    assert findings_of(8, groups, []).verdict() == said + "because b is higher than expected."
    assert findings_of(8, [], []).verdict() == "8 of 100 records (8 %) stand out."
    # so many were asked for, whether or not they stand out
    listed = dataclasses.replace(findings_of(8, groups, columns), is_listing=True)
    of_listed = "8 of 100 records (8 %) are listed, most often because a is higher than expected."
    assert listed.verdict() == of_listed


def findings_of(flagged, groups, columns):
    """Findings of 100 records, none of which is shown."""
    return Findings(
        name="x",
        model="m",
        unit="bits",
        threshold=1.0,
        total=100,
        flagged=flagged,
        pictures=False,
        trace=ScoreTrace(),
        held_out=None,
        groups=groups,
        columns=columns,
    )


@pytest.mark.parametrize(
    ("count", "first", "last", "told"),
    [
        (1, 960, 960, "961"),
        (2, 960, 2932, "961 and 2,933"),
        (2, 960, 961, "961 and 962"),
        (12, 960, 971, "961 to 972"),
        (12, 960, 2932, "between 961 and 2,933"),
    ],
)
def test_rows_of_a_group_are_not_told_as_a_range_that_they_do_not_fill(count, first, last, told):
    group = Group("a", "is higher than expected", first, count, last, first, 9.0)
    assert group.rows() == told
    markup = judged(page.page(findings_of(count, [group], [])))
    assert told in markup.words


def test_detecting_without_a_page_loads_nothing_of_it(rows_csv):
    code = (
        "import sys\nfrom aetool.cli import status\n"
        "assert status(['detect', sys.argv[1], '-q']) == 0\n"
        "loaded = [name for name in sys.modules if 'report' in name.removeprefix('aetool.cli')"
        " and name.startswith('aetool')]\nassert not loaded, loaded"
    )
    done = fresh(code, str(rows_csv))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("scores", "threshold", "axes"),
    [
        ([1.0, 2.0, 5.0, 900.0], 10.0, "both axes by their logarithms"),
        ([900.0, 950.0, 990.0], 980.0, "the axis upward by its logarithm"),
        # a threshold far above all scores is what the axis reaches to
        ([900.0, 950.0, 990.0], 9000.0, "both axes by their logarithms"),
        ([-3.0, 5.0], 4.0, "both axes by their logarithms"),
    ],
)
def test_the_words_of_a_drawing_say_which_axes_are_logarithmic(scores, threshold, axes):
    trace = ScoreTrace()
    trace.add(np.array(scores))
    assert charts.has_logarithmic_scores(trace, threshold) == axes.startswith("both")
    # of all findings the words need these alone
    findings = SimpleNamespace(trace=trace, threshold=threshold, pictures=None)
    assert f"How many records have which score, {axes}." in page._words_of_spread(findings, None)
