"""What the page on scale says of Spark and of Ray: its own lines, run where these are installed."""

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool

PAGE = Path(aetool.__file__).parent / "docs" / "scale.md"
ROWS = 600


@pytest.fixture(scope="module")
def recipe():
    """The function of the page, and the lines that hand it to Spark and to Ray."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    scope = {}
    exec(blocks[0], scope)
    # an expression may be on several lines
    lines = [ast.unparse(statement) for statement in ast.parse(blocks[1]).body]
    return scope["scored"], lines


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a table in parts, and a model of it."""
    folder = tmp_path_factory.mktemp("recipes")
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 2)), columns=list("ab"))
    frame["kind"] = rng.choice(["one", "two"], ROWS)
    (folder / "parts").mkdir()
    for number, begin in enumerate(range(0, ROWS, 200)):
        frame[begin : begin + 200].to_parquet(folder / "parts" / f"{number}.parquet", index=False)
    aetool.fit(frame, "pca").save(folder / "plant.aem")
    return folder


@pytest.fixture
def expected(home):
    """Every record with its score, in an order that no engine changes."""
    frame = pd.read_parquet(home / "parts")
    frame["score"] = aetool.load(home / "plant.aem").score(frame)
    return in_order(frame)


def in_order(frame):
    return frame.sort_values(["a", "b"]).reset_index(drop=True)


def test_the_page_has_a_line_for_spark_and_one_for_ray(recipe):
    _, lines = recipe
    assert [line.partition(".")[0] for line in lines] == ["spark", "ray"]


def test_frames_are_scored_as_the_table_is(home, recipe, expected, monkeypatch):
    monkeypatch.chdir(home)
    scored, _ = recipe
    frame = pd.read_parquet("parts").sample(frac=1, random_state=1)
    frames = [frame[:1], frame[1:50], frame[50:]]
    found = pd.concat(scored(iter(frames)))
    pd.testing.assert_frame_equal(in_order(found), expected, check_exact=True)


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # it warns of new versions of pandas
def test_spark_scores_the_same(home, recipe, expected, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.chdir(home)
    # its workers would take the first Python that there is
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    scored, (line, _) = recipe
    try:
        spark = sql.SparkSession.builder.master("local[2]").getOrCreate()
    except Exception as error:  # its own, where no Java is installed
        pytest.skip(f"Spark does not start: {error}")
    try:
        found = eval(line, {"spark": spark, "scored": scored}).toPandas()
    finally:
        spark.stop()
    pd.testing.assert_frame_equal(in_order(found), expected, check_exact=True)


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_ray_scores_the_same(home, recipe, expected, monkeypatch):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    monkeypatch.chdir(home)
    scored, (_, line) = recipe
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        model = str(home / "plant.aem")  # workers have a folder of their own
        lines = {"ray": ray, "scored": lambda frames: scored(frames, model)}
        found = eval(line, lines).to_pandas()
    finally:
        ray.shutdown()
    # Ray hands back types of Arrow, with the same values
    found = found.astype(expected.dtypes)
    pd.testing.assert_frame_equal(in_order(found), expected, check_exact=True)
