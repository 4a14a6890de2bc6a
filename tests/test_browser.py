"""Pages opened in Chromium: no error, no request beyond the page, nothing of the data obeyed."""

import shutil

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from tests.test_report import HOSTILE

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser():
    """A running Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser):
    """Opens a page; when the test ends, nothing may have gone wrong on it."""
    troubles, contexts = [], []

    def open_page(path, width=1000, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        sheet = context.new_page()
        sheet.on("console", lambda message: troubles.append(message.text))
        sheet.on("pageerror", lambda error: troubles.append(str(error)))
        sheet.on("dialog", lambda dialog: troubles.append(dialog.message))
        sheet.on("request", lambda asked: requests.append(asked.url))
        requests = []
        sheet.goto(path.as_uri())
        beyond = [url for url in requests if url != path.as_uri() and not url.startswith("data:")]
        troubles.extend(beyond)
        return sheet

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="module")
def air_page(whole_air, tmp_path_factory):
    path = tmp_path_factory.mktemp("browser") / "air.html"
    operations.report(whole_air, path, top=30)
    return path


@pytest.mark.parametrize("width", [360, 1000, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_its_window(opened, air_page, width, scheme):
    sheet = opened(air_page, width, scheme)
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width
    drawings = sheet.locator("svg.wide, svg.narrow")
    seen = [drawings.nth(place).is_visible() for place in range(drawings.count())]
    assert sum(seen) == 1, "one of the two, as the window is wide"
    colours = sheet.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    ink, paper = (sum(map(int, c[4:-1].split(", "))) for c in colours)
    assert (ink > paper) == (scheme == "dark") and abs(ink - paper) > 500


def rows_of(sheet, column):
    cells = sheet.locator(f"table.sorted >> nth=0 >> tbody tr:not([hidden]) td:nth-child({column})")
    return cells.all_inner_texts()


def test_a_table_is_sorted_and_filtered(opened, air_page):
    sheet = opened(air_page)
    scores = [float(score) for score in rows_of(sheet, 2)]
    assert len(scores) == 30 and scores == sorted(scores, reverse=True)
    sheet.locator("table.sorted >> nth=0 >> th button >> nth=0").click()
    numbers = [int(row.replace(",", "")) for row in rows_of(sheet, 1)]
    assert numbers == sorted(numbers, reverse=True)
    sheet.locator("table.sorted >> nth=0 >> th button >> nth=0").click()
    assert [int(row.replace(",", "")) for row in rows_of(sheet, 1)] == numbers[::-1]
    sheet.locator("input.filter >> nth=0").fill("PM10")
    told = rows_of(sheet, 4)
    assert 0 < len(told) < 30 and all("PM10" in why for why in told)


def test_a_mark_leads_to_its_record(opened, air_page):
    sheet = opened(air_page)
    link = sheet.locator("svg.wide a >> nth=0")
    target = link.get_attribute("href")
    link.click()
    assert sheet.evaluate("location.hash") == target
    assert sheet.locator(f"tr{target}").is_visible()


def test_hostile_cells_are_inert(opened, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({cell: rng.normal(0, 1, 300) for cell in HOSTILE[:6]})
    table["word"] = [f"word{place % 3}" for place in range(300)]
    for place, cell in enumerate(HOSTILE):
        table.loc[place * 9, "word"] = cell
    table.to_csv(tmp_path / "t.csv", index=False)
    operations.report(tmp_path / "t.csv", tmp_path / "p.html", top=40)
    sheet = opened(tmp_path / "p.html")
    assert sheet.evaluate("document.scripts.length") == 1
    assert "<script>alert(1)</script>" in sheet.locator("main").inner_text()
    assert sheet.locator("main script, main img, main style").count() == 0


def test_a_page_of_pictures_shows_them(opened, folder, tmp_path):
    operations.report(folder, tmp_path / "p.html", top=4)
    sheet = opened(tmp_path / "p.html")
    widths = sheet.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 13 and min(widths) > 0


def test_a_page_prints_on_light_paper(opened, air_page):
    sheet = opened(air_page, scheme="dark")
    sheet.emulate_media(media="print", color_scheme="dark")
    ink = sheet.evaluate("getComputedStyle(document.body).color")
    assert sum(map(int, ink[4:-1].split(", "))) < 200
    assert not sheet.locator("input.filter >> nth=0").is_visible()
