"""Whatever holds a table is taken, by every verb, with the scores of the same table as CSV."""

import csv
import io
import json
import re
import sqlite3
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool.data import memory, remote, sources, workbooks
from aetool.errors import DataError, ParamError

pytestmark = pytest.mark.usefixtures("fits_once")

RNG = np.random.default_rng(5)
ROWS = 240
FRAME = pd.DataFrame(
    {
        "count": RNG.integers(0, 90, ROWS),
        "load": RNG.normal(20, 4, ROWS).round(2),
        "site": RNG.choice(["north", "south", "east"], ROWS),
    }
)
FRAME["power"] = (2 * FRAME["load"] + RNG.normal(0, 0.3, ROWS)).round(2)
TABLE = pa.Table.from_pandas(FRAME, preserve_index=False)
NUMBERS = ["count", "load", "power"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The same table in every kind of file."""
    folder = tmp_path_factory.mktemp("doors")
    FRAME.to_csv(folder / "t.csv", index=False)
    pq.write_table(TABLE, folder / "t.parquet")
    with pa.ipc.new_file(str(folder / "t.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE)
    (folder / "t.json").write_text(json.dumps(FRAME.to_dict("records")))
    FRAME.to_json(folder / "t.jsonl", orient="records", lines=True)
    FRAME.to_json(folder / "lines.json", orient="records", lines=True)
    for orient in ("columns", "index", "split", "table"):
        FRAME.to_json(folder / f"{orient}.json", orient=orient)
    (folder / "lists.json").write_text(json.dumps(FRAME.to_dict("list"), indent=1))
    database = sqlite3.connect(folder / "t.db")
    FRAME.to_sql("plant", database, index=False)
    database.execute("CREATE TABLE texts AS SELECT CAST(count AS TEXT) AS count, "
                     "CAST(load AS TEXT) AS load, site, CAST(power AS TEXT) AS power FROM plant")  # fmt: skip
    database.execute('CREATE TABLE "of ""two""" (a, b)')
    database.commit()
    database.close()
    only = sqlite3.connect(folder / "only.sqlite")
    FRAME.to_sql("plant", only, index=False)
    only.close()
    for name, write in (("csv", pd.DataFrame.to_csv), ("parquet", pd.DataFrame.to_parquet)):
        for part, rows in enumerate((FRAME[:100], FRAME[100:])):
            below = folder / f"parts_{name}" / f"part={part}"
            below.mkdir(parents=True)
            write(rows, below / f"a.{name}", index=False)
            (below / "_SUCCESS").touch()
    return folder


@pytest.fixture(scope="module")
def model(home):
    return aetool.fit(home / "t.csv", plugin="pca")


@pytest.fixture(scope="module")
def expected(home, model):
    return model.score(home / "t.csv")


class Stream:
    """Hands its table over once, as a stream of Arrow's."""

    def __init__(self, table):
        self.reader = table.to_reader(max_chunksize=50)

    def __arrow_c_stream__(self, requested_schema=None):
        reader, self.reader = self.reader, None
        return reader.__arrow_c_stream__(requested_schema)


def polars():
    return pytest.importorskip("polars")


def duckdb():
    return pytest.importorskip("duckdb")


DOORS = {
    "str": lambda home: str(home / "t.csv"),
    "Path": lambda home: home / "t.csv",
    "a list of paths": lambda home: [str(home / "t.csv")],
    "pandas": lambda home: FRAME,
    "arrow table": lambda home: TABLE,
    "record batch": lambda home: TABLE.combine_chunks().to_batches()[0],
    "record batch reader": lambda home: TABLE.to_reader(),
    "arrow stream": lambda home: Stream(TABLE),
    "polars": lambda home: polars().from_arrow(TABLE),
    "lazy polars": lambda home: polars().from_arrow(TABLE).lazy(),
    "duckdb": lambda home: duckdb().from_arrow(TABLE),
    "structured array": lambda home: FRAME.assign(
        site=FRAME.site.astype("U8")
    ).astype({"site": object}).to_records(index=False),
    "dict": lambda home: FRAME.to_dict("list"),
    "dict of arrays": lambda home: {name: FRAME[name].to_numpy() for name in FRAME},
    "list of dicts": lambda home: FRAME.to_dict("records"),
    "list of tuples": lambda home: list(FRAME.itertuples(index=False)),
    "dicts one by one": lambda home: (record for record in FRAME.to_dict("records")),
    "rows one by one": lambda home: FRAME.itertuples(index=False),
    "frames one by one": lambda home: (FRAME[row : row + 50] for row in range(0, ROWS, 50)),
    "polars one by one": lambda home: (
        polars().from_arrow(TABLE)[row : row + 50] for row in range(0, ROWS, 50)
    ),
    "batches one by one": lambda home: iter(TABLE.to_batches(max_chunksize=50)),
    "chunks of read_csv": lambda home: pd.read_csv(home / "t.csv", chunksize=50),
    "csv.DictReader": lambda home: csv.DictReader((home / "t.csv").read_text().splitlines()),
    "csv.reader": lambda home: csv.reader((home / "t.csv").read_text().splitlines()),
    "paths one by one": lambda home: home.glob("t.csv"),
    "bytes": lambda home: (home / "t.csv").read_bytes(),
    "bytes of Parquet": lambda home: (home / "t.parquet").read_bytes(),
    "open file": lambda home: io.BytesIO((home / "t.csv").read_bytes()),
    "open text": lambda home: io.StringIO((home / "t.csv").read_text()),
    "parquet": lambda home: home / "t.parquet",
    "arrow": lambda home: home / "t.arrow",
    "json": lambda home: home / "t.json",
    "jsonl": lambda home: home / "t.jsonl",
    "json of columns": lambda home: home / "columns.json",
    "json of lists": lambda home: home / "lists.json",
    "json of records by number": lambda home: home / "index.json",
    "json of names beside rows": lambda home: home / "split.json",
    "json behind a schema": lambda home: home / "table.json",
    "json lines called json": lambda home: home / "lines.json",
    "pattern": lambda home: str(home / "t.c?v"),
    "pattern of parts": lambda home: str(home / "parts_csv" / "*" / "a.csv"),
    "sqlite": lambda home: home / "only.sqlite",
    "sqlite table": lambda home: f"{home}/t.db::plant",
    "sqlite texts": lambda home: f"{home}/t.db::texts",
    "sqlite query": lambda home: f"{home}/t.db::SELECT * FROM plant ORDER BY rowid",
}  # fmt: skip
HIVE = ("pattern of parts",)


@pytest.mark.parametrize("door", DOORS)
def test_each_has_the_scores_of_the_csv(door, home, model, expected):
    given = DOORS[door]
    np.testing.assert_allclose(model.score(given(home)), expected, rtol=1e-9)
    options = {"drop": ["part"]} if door in HIVE else {}
    own = aetool.fit(given(home), plugin="pca", **options)
    np.testing.assert_allclose(own.score(given(home)), expected, rtol=1e-9)
    found = model.detect(given(home))
    assert len(found) == ROWS
    np.testing.assert_allclose(found["score"].to_numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_partitioned_folder_is_one_table(kind, home, model, expected, run, tmp_path):
    folder = home / f"parts_{kind}"
    np.testing.assert_allclose(model.score(folder), expected, rtol=1e-9)
    own = aetool.fit(folder, plugin="pca", drop=["part"])
    np.testing.assert_allclose(own.score(folder), expected, rtol=1e-9)
    table = sources.open_source(folder).head()
    assert table.names == (*FRAME, "part")
    assert table["part"].strings() == ["0"] * 100 + ["1"] * 140
    done = run("detect", folder, "-p", "pca", "--id", "part", "--top", 2)
    assert done.status == 0 and done.out.splitlines()[0].endswith(",part")
    # an archive has the files
    run("compress", folder, "-o", tmp_path / "f.aez")
    run("decompress", tmp_path / "f.aez", "-o", tmp_path / "back")
    for file in folder.rglob("*.*"):
        assert (tmp_path / "back" / file.relative_to(folder)).read_bytes() == file.read_bytes()


def test_columns_of_parts_are_matched_by_name(tmp_path):
    FRAME[:100].to_csv(tmp_path / "a.csv", index=False)
    FRAME[100:][["power", "site", "load", "count"]].to_csv(tmp_path / "b.csv", index=False)
    table = sources.open_source(tmp_path).head()
    assert table["power"].strings() == [str(value) for value in FRAME["power"]]
    FRAME[:9].drop(columns="load").to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(aetool.AetoolError, match=r"c\.csv: has no column 'load', and .*a\.csv has"):
        aetool.fit(tmp_path, plugin="pca")


def test_a_column_of_gaps_in_one_part_is_text_as_in_the_others(tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": pa.nulls(2)}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [3, 2**60], "b": ["x", None]}), tmp_path / "2.parquet")
    (tmp_path / "3.csv").write_text("a,b\n5.5,y\n")
    table = sources.open_source(tmp_path).head()
    assert table["a"].strings() == ["1", "2", "3", str(2**60), "5.5"]
    assert table["b"].strings() == ["", "", "x", "", "y"]
    assert table["b"].null.tolist() == [True, True, False, True, False]


def test_parts_of_paths_are_columns():
    from aetool.data.chains import parts_of_path

    assert parts_of_path("s3://b/year=2024/city=S%C3%A3o%20Paulo/p=0.csv") == (
        {"year": "2024", "city": "São Paulo"}
    )
    assert parts_of_path("day=__HIVE_DEFAULT_PARTITION__/x.parquet") == {"day": None}


def test_an_array_is_taken_by_place(home, model):
    numbers = FRAME[NUMBERS]
    named = numbers.set_axis(["c1", "c2", "c3"], axis=1)
    named.to_csv(home / "n.csv", index=False)
    by_csv = aetool.fit(home / "n.csv", plugin="pca")
    for array in (
        numbers.to_numpy(),
        numbers.to_numpy().astype(object),
        np.asfortranarray(numbers),
    ):
        np.testing.assert_allclose(by_csv.score(array), by_csv.score(home / "n.csv"), rtol=1e-9)
        assert aetool.fit(array, plugin="pca").spec.columns == ("c1", "c2", "c3")
    assert aetool.fit(numbers["load"].to_numpy(), plugin="pca").spec.columns == ("c1",)


def test_pictures_in_memory(folder):
    pixels = np.stack([picture.pixels for picture in sources.open_source(folder).pictures()])
    model = aetool.fit(folder, plugin="pca")
    np.testing.assert_array_equal(model.score(pixels), model.score(folder))
    np.testing.assert_array_equal(model.score(pixels.astype(float)), model.score(folder))
    with pytest.raises(aetool.AetoolError, match="uint8 of shape"):
        model.score(pixels[:, :, :, None].repeat(5, axis=3))


def test_a_sheet_of_a_workbook(home, model, expected, tmp_path, run):
    pytest.importorskip("openpyxl")
    book = tmp_path / "t.xlsx"
    with pd.ExcelWriter(book) as writer:
        FRAME.to_excel(writer, sheet_name="plant", index=False, startrow=2)
        pd.DataFrame({"a": pd.to_datetime(["2024-01-02T00:00", "2024-01-03T04:05"])}).to_excel(
            writer, sheet_name="days", index=False
        )
    np.testing.assert_allclose(model.score(book), expected, rtol=1e-9)
    own = aetool.fit(f"{book}::plant", plugin="pca")
    np.testing.assert_allclose(own.score(book), expected, rtol=1e-9)
    days = sources.open_source(f"{book}::days").head()
    assert days["a"].strings() == ["2024-01-02T00:00:00", "2024-01-03T04:05:00"]
    done = run("detect", book, "-p", "pca", "--top", 1)
    assert (
        done.status == 0 and f"its first sheet, 'plant', is read; others: {book}::days" in done.err
    )
    with pytest.raises(aetool.AetoolError, match="no sheet 'x' in it; there are plant, days"):
        model.score(f"{book}::x")
    # the archive is of the workbook, whatever is read of it
    aetool.compress(book, tmp_path / "b.aez")
    assert (
        aetool.decompress(tmp_path / "b.aez", tmp_path / "b.xlsx").read_bytes() == book.read_bytes()
    )


def with_member(book, target, member, content):
    """Copy a workbook with other bytes, or none, in the place of one member."""
    with zipfile.ZipFile(book) as parts, zipfile.ZipFile(target, "w") as written:
        for name in parts.namelist():
            if name != member or content is not None:
                written.writestr(name, content if name == member else parts.read(name))


def test_a_damaged_sheet_of_a_workbook_is_one_line(tmp_path, run):
    pytest.importorskip("openpyxl")
    book, bad = tmp_path / "t.xlsx", tmp_path / "bad.xlsx"
    FRAME[:50].to_excel(book, index=False)
    member = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(book) as parts:
        sheet = parts.read(member)
    # cut within the row of the 20th record, which the header and 19 others precede
    cut = sheet.index(b'<row r="21"') + 30
    with_member(book, bad, member, sheet[:cut])
    done = run("detect", bad, "-p", "pca", "--top", 1)
    assert done.status == 2 and done.err.startswith(
        f"aetool: error: {bad}: damaged behind row 20: "
    )
    assert done.err.count("\n") == 1
    assert run("compress", bad, "-o", tmp_path / "b.aez").status == 0
    aetool.decompress(tmp_path / "b.aez", tmp_path / "back.xlsx")
    assert (tmp_path / "back.xlsx").read_bytes() == bad.read_bytes()


def test_a_workbook_without_sheets_is_one_line(tmp_path, run):
    pytest.importorskip("openpyxl")
    book, bad = tmp_path / "t.xlsx", tmp_path / "bad.xlsx"
    FRAME[:9].to_excel(book, index=False)
    with zipfile.ZipFile(book) as parts:
        content = parts.read("xl/workbook.xml")
    sheets = re.search(rb"<sheets>.*</sheets>", content)
    with_member(book, bad, "xl/workbook.xml", content.replace(sheets[0], b"<sheets />"))
    done = run("detect", bad, "-p", "pca", "--top", 1)
    assert (
        done.status == 2 and done.err == f"aetool: error: {bad}: there is no sheet of cells in it\n"
    )


def test_a_workbook_without_openpyxl(home, tmp_path, monkeypatch):
    pytest.importorskip("openpyxl")
    FRAME[:9].to_excel(tmp_path / "t.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(aetool.AetoolError, match=r"pip install 'aetool\[xlsx\]'"):
        aetool.detect(tmp_path / "t.xlsx")


def test_what_a_database_has(home, model, tmp_path, run):
    for wanted, said in (
        (
            "",
            r"say which of its tables, such as .*t\.db::of \"two\".*there are of \"two\", plant, texts",
        ),
        ("::plants", "no table 'plants' in it; there are"),
        ("::SELECT weight FROM plant", "no such column: weight"),
        ("::SELECT * FROM plant; DROP TABLE plant", "one statement at a time"),
        ("::WITH a AS (SELECT 1) DELETE FROM plant", "readonly database"),
    ):
        with pytest.raises(aetool.AetoolError, match=said):
            model.score(f"{home}/t.db{wanted}")
    assert len(model.score(f"{home}/t.db::SELECT * FROM plant WHERE site = 'none'")) == 0
    source = sources.open_source(f"{home}/t.db::SELECT count, load, site FROM plant")
    assert [str(kind) for kind in source.schema.types] == ["int64", "double", "string"]
    aetool.compress(f"{home}/t.db::plant", tmp_path / "t.aez")
    with aetool.open(tmp_path / "t.aez") as archive:
        pd.testing.assert_frame_equal(archive.to_pandas(), FRAME)
    aetool.compress(home / "t.db", tmp_path / "d.aez")
    back = aetool.decompress(tmp_path / "d.aez", tmp_path / "back.db")
    assert back.read_bytes() == (home / "t.db").read_bytes()
    done = run("detect", f"{home}/t.db::plant", "-p", "pca", "--count")
    assert done.status == 0, done.err


def test_a_large_stream_is_copied_not_kept(monkeypatch, model, expected):
    monkeypatch.setattr(memory, "LARGE", 2000)
    held = memory.held(Stream(TABLE))
    assert isinstance(held, sources.CopiedTable) and held.place.spool is not None
    for _ in range(2):
        np.testing.assert_allclose(model.score(held), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TABLE.to_reader, id="reader"),
        pytest.param(lambda: FRAME.to_dict("list"), id="dict"),
        pytest.param(FRAME[NUMBERS].to_numpy, id="array"),
        pytest.param(lambda: FRAME["load"], id="series"),
        pytest.param(lambda: io.BytesIO(FRAME.to_csv(index=False).encode()), id="file"),
    ],
)
def test_every_verb_takes_what_can_be_read_once(data, tmp_path):
    named = not isinstance(data(), np.ndarray)
    model = aetool.fit(data(), plugin="pca")
    rows = len(model.score(data()))
    assert rows == len(model.encode(data())) == len(model.detect(data())) == ROWS
    assert len(aetool.detect(data(), plugin="pca")) == ROWS
    for name, options in (("exact", {}), ("lossy", {"lossy": True})):
        figures = model.compress(data(), tmp_path / f"{name}.aez", **options)
        assert figures["rows"] == ROWS
    with aetool.open(tmp_path / "exact.aez") as archive:
        restored = archive.to_pandas()
    given = restored["load" if named else restored.columns[1]]
    np.testing.assert_array_equal(np.asarray(given, float), FRAME["load"])


def test_an_archive_is_of_one_thing(home, tmp_path):
    with pytest.raises(
        aetool.AetoolError, match="one file, folder or table; give these one by one"
    ):
        aetool.compress([home / "t.csv", home / "t.csv"], tmp_path / "a.aez")
    with pytest.raises(aetool.AetoolError, match="2 files; an archive is of one file"):
        aetool.compress(str(home / "parts_csv" / "*" / "*.csv"), tmp_path / "a.aez")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3, r"got 3 \(int\)"),
        ({1}, "got set"),
        (np.zeros((3, 2), complex), "complex128 of shape"),
        (np.float64(3), r"got 3.0 \(numpy.float64\)"),
        ({"a": [1], "b": [1, 2]}, "no columns of one length"),
        ({"a": 1}, "column .a. is one value"),
        (io.BytesIO(b""), "nothing is left to read"),
        ("none*.csv", "no such file, and none that this pattern names"),
        ("no.csv", "no such file"),
        ([FRAME, 3], r"got 3 \(int\)"),
        ("gopher://x", "no such file"),
        ("a\0b", "it has a zero byte in it"),
        (FRAME.assign(load=FRAME["load"] * 1j), "column 'load' holds values of type complex"),
        (FRAME.assign(load=[object()] * ROWS), "column 'load' holds values of type object"),
        (np.zeros(3, [("a", "f8"), ("v", "f8", (2,))]), "field 'v' is of type"),
        (np.zeros(3, [("a", "f8"), ("v", [("x", "f8")])]), "field 'v' is of type"),
        (np.ma.masked_equal(np.zeros((2, 4, 4), np.uint8), 0), "not in pictures"),
    ],
)
def test_all_else_is_one_error(data, said):
    with pytest.raises(aetool.AetoolError, match=said) as caught:
        aetool.detect(data)
    assert "\n" not in str(caught.value)


def test_cells_of_several_kinds_are_read_as_those_of_a_file(model, tmp_path):
    mixed = FRAME.assign(load=FRAME["load"].astype(object))
    mixed.loc[3, "load"] = "ERR"
    mixed.loc[5, "load"] = None
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    of_frame, of_file = (aetool.fit(data, plugin="pca") for data in (mixed, tmp_path / "mixed.csv"))
    assert of_frame.detect(mixed)["why"][3].startswith("load=ERR (expected ")
    for data in (mixed, mixed.to_dict("records")):
        got = of_frame.detect(data)
        pd.testing.assert_series_equal(got["score"], of_file.detect(mixed)["score"])
        pd.testing.assert_series_equal(got["score"], of_frame.detect(tmp_path / "mixed.csv").score)


def test_integers_beyond_64_bits_are_numbers(tmp_path):
    large = FRAME.assign(count=[2**70 + int(n) * 2**60 for n in FRAME["count"]])
    large.to_csv(tmp_path / "large.csv", index=False)
    got, wanted = (
        aetool.fit(data, plugin="pca").score(data) for data in (large, tmp_path / "large.csv")
    )
    np.testing.assert_array_equal(got, wanted)


def test_a_sparse_column_is_a_column(model):
    sparse = FRAME.assign(count=FRAME["count"].astype("Sparse[int]"))
    pd.testing.assert_frame_equal(model.detect(sparse), model.detect(FRAME))


def test_what_is_masked_is_a_gap_and_a_matrix_an_array():
    array = FRAME[NUMBERS].to_numpy()
    fitted = aetool.fit(array, plugin="pca")
    masked = np.ma.masked_array(array, mask=False)
    pd.testing.assert_frame_equal(fitted.detect(masked), fitted.detect(array))
    masked[7, 1] = np.ma.masked
    gap = array.copy()
    gap[7, 1] = np.nan
    pd.testing.assert_frame_equal(fitted.detect(masked), fitted.detect(gap))
    assert fitted.detect(masked)["why"][7].startswith("c2=missing")
    matrix = array.view(np.matrix)
    pd.testing.assert_frame_equal(fitted.detect(matrix), fitted.detect(array))


@pytest.mark.parametrize("name", ["t.json", "t.xlsx", "only.sqlite"])
def test_bytes_of_any_kind_of_file(name, home, model, expected):
    if name == "t.xlsx":
        pytest.importorskip("openpyxl")
        FRAME.to_excel(home / name, index=False)
    content = (home / name).read_bytes()
    for data in (content, io.BytesIO(content)):
        np.testing.assert_allclose(model.score(data), expected, rtol=1e-12)


def test_a_list_of_json_is_one_whatever_it_is_called(home, model, expected, tmp_path):
    for place, indent in ((tmp_path / "plain", None), (tmp_path / "wide.txt", 2)):
        place.write_text(json.dumps(FRAME.to_dict("records"), indent=indent))
        np.testing.assert_allclose(model.score(place), expected, rtol=1e-12)


def test_no_less_than_none_are_the_highest(model):
    with pytest.raises(aetool.AetoolError, match=r"^top must be 0 or more, got -1$"):
        model.detect(FRAME, top=-1)


# ---- what comes out


def test_polars_in_polars_out(model):
    pl = polars()
    found = model.detect(pl.from_arrow(TABLE), all_rows=False, top=3)
    assert isinstance(found, pl.DataFrame)
    assert found["row"].dtype == pl.Int64 and found["score"].dtype == pl.Float64
    assert found.to_dict(as_series=False) == model.detect(FRAME, all_rows=False, top=3).to_dict(
        "list"
    )


TYPES = {"row": "int64", "score": "float64", "p": "float64", "anomaly": "bool"}


def test_the_types_of_a_result_do_not_depend_on_what_is_in_it(model):
    full = model.detect(FRAME, all_rows=False, top=3, append=[])
    empty = model.detect(FRAME, all_rows=False, threshold=1e9)
    nothing = model.detect(FRAME[:0])
    for found in (full, empty, nothing):
        for name, kind in TYPES.items():
            assert found[name].dtype == kind
        assert found["why"].dtype == full["why"].dtype
    assert len(empty) == len(nothing) == 0 and list(full["site"]) == list(FRAME.site[full.index])


def test_the_callers_index_comes_back(model):
    labelled = FRAME.set_axis([f"r{i}" for i in range(ROWS)])
    assert list(model.detect(labelled, all_rows=False, top=2).index) == [
        f"r{row - 1}" for row in model.detect(FRAME, all_rows=False, top=2)["row"]
    ]
    series = labelled["load"]
    assert list(aetool.detect(series, plugin="pca").index) == list(series.index)


def test_a_detection_as_arrow(home, model):
    from aetool import operations

    found = operations.detect(FRAME, model, top=3)
    assert found.to_arrow().to_pandas().to_dict("list") == found.to_pandas().to_dict("list")
    none = operations.detect(FRAME, model, threshold=1e9).to_arrow()
    assert [str(kind) for kind in none.schema.types] == [
        "int64",
        "double",
        "double",
        "string",
        "bool",
    ]


# ---- iterators, and rows without names


def test_rows_without_names_are_columns_by_place(tmp_path):
    rows = FRAME.to_numpy().tolist()
    (tmp_path / "t.json").write_text(json.dumps(rows))
    for given in (rows, iter(rows), tmp_path / "t.json"):
        model = aetool.fit(given, "pca")
        assert list(model.feature_names_in_) == ["c1", "c2", "c3", "c4"]
        assert [c.kind for c in model.schema.columns] == ["number", "number", "category", "number"]


def test_long_iterators_are_read_in_pieces(model, expected, monkeypatch):
    """What a column is may be known by a later piece alone: a gap, a whole number, a fraction."""
    monkeypatch.setattr(memory, "AT_ONCE", 32)
    monkeypatch.setattr(memory, "LARGE", 1000)
    held = memory.held(record for record in FRAME.to_dict("records"))
    assert isinstance(held, memory.CopiedTable)
    np.testing.assert_allclose(model.score(held), expected, rtol=1e-9)
    pieces = (FRAME[row : row + 50] for row in range(0, ROWS, 50))
    np.testing.assert_allclose(model.score(pieces), expected, rtol=1e-9)
    records = FRAME.to_dict("records")
    for place in range(ROWS):
        records[place]["load"] = None if place < 100 else int(records[place]["load"])
    records[-1]["load"] = 0.5
    whole = memory.held(iter(records)).table()
    assert whole.schema.field("load").type == pa.float64() and whole["load"].null_count == 100
    assert whole["load"][-1].as_py() == 0.5


@pytest.mark.parametrize("place", [0, 1, 2])
def test_none_among_the_items_of_an_iterator_is_not_passed_over(place):
    records = [{"a": 1}, {"a": 2}]
    records.insert(place, None)
    with pytest.raises(DataError, match=r"None \(NoneType\)"):
        memory.begun(iter(records))


def test_an_iterator_is_archived(tmp_path):
    aetool.compress((record for record in FRAME.to_dict("records")), tmp_path / "t.aez")
    with aetool.open(tmp_path / "t.aez") as archive:
        pd.testing.assert_frame_equal(archive.to_pandas(), FRAME, check_dtype=False)


@pytest.mark.parametrize(("text", "rows"), [
    ('{"a": 1.5, "b": "x"}', 1), ('{"a": 1.5,\n "b": "x"}', 1), ('{"a": [1], "b": [1, 2]}', 1),
    ('{"a": {"x": 1}, "b": {"y": 2}}', 1), ('{"a": [1, 2]}', 2), ('{"a": [1, 2]}\n{"a": [3, 4]}', 2),
    ('{"a": {"0": 1, "1": null, "2": 4}}', 3), ('[{"a": 1}, {"a": 2}]', 2), ("[]", 0),
])  # fmt: skip
def test_what_a_json_document_holds(tmp_path, text, rows):
    (tmp_path / "t.json").write_text(text)
    assert sum(len(table) for table in sources.open_source(tmp_path / "t.json").batches()) == rows


@pytest.mark.parametrize(("text", "said"), [
    ("[[1, 2], [3]]", "row 2 has 1 values, others 2"), ("[1]", "item 1 of the list is not an object"),
    ('{"a": [1, 2', "not JSON"),
])  # fmt: skip
def test_what_no_json_document_holds(tmp_path, text, said):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(aetool.AetoolError, match=said):
        list(sources.open_source(tmp_path / "t.json").batches())


@pytest.mark.parametrize("rows", [1, 9, 10])
def test_few_records_are_said_to_tell_little(tmp_path, run, rows):
    FRAME[:rows].to_csv(tmp_path / "t.csv", index=False)
    for command in (["fit", "-p", "pca", "-o", tmp_path / "t.aem"], ["detect", "-p", "pca"]):
        done = run(command[0], tmp_path / "t.csv", *command[1:])
        counted = "1 record" if rows == 1 else f"{rows} records"
        assert done.status == 0
        assert (f"{counted} cannot tell what is usual: fit more" in done.err) == (rows < 10)


# ---- object stores


def test_a_store_that_does_not_answer_is_not_waited_for(monkeypatch, run):
    """Google's own library would ask again for a quarter of an hour, and this test not end."""
    monkeypatch.setattr(remote, "WAIT", 1)
    done = run("detect", "gs://anonymous@b/t.csv?endpoint_override=127.0.0.1:1&scheme=http")
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert done.err.startswith("aetool: error: gs://anonymous@b/t.csv: cannot be read; check")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in done.err and len(done.err) < 600


@pytest.mark.parametrize("scheme", remote.SCHEMES)
def test_an_address_names_a_bucket(scheme, run):
    done = run("detect", f"{scheme}://")
    assert done.status == 2
    assert f"{scheme}://: no bucket is named; write {scheme}://bucket/path" in done.err


def test_what_is_no_setting_or_account_is_one_line(run):
    for address, said in (("s3://b/x?nosuch=1", "nosuch"), ("abfs://b/x", "account name")):
        done = run("detect", address)
        assert done.status == 2 and said in done.err and len(done.err.splitlines()) == 1


@pytest.fixture(scope="module")
def store(home):
    """The folder of all files as a bucket of a local S3 server."""
    server_of_moto = pytest.importorskip("moto.server")
    from pyarrow import fs

    patch = pytest.MonkeyPatch()
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
                        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}.items():  # fmt: skip
        patch.setenv(name, value)
    server = server_of_moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    there = fs.S3FileSystem(
        endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True
    )
    there.create_dir("plant")
    for file in home.rglob("*.*"):
        if file.is_file():
            with there.open_output_stream(f"plant/{file.relative_to(home)}") as stream:
                stream.write(file.read_bytes())
    yield f"?endpoint_override={host}:{port}&scheme=http"
    server.stop()
    patch.undo()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", ["t.csv", "t.parquet", "parts_csv", "parts_parquet/*/a.parquet"])
def test_an_object_store(store, path, model, expected, run, tmp_path):
    address = f"s3://plant/{path}{store}"
    np.testing.assert_allclose(model.score(address), expected, rtol=1e-9)
    own = aetool.fit(address, plugin="pca", **({"drop": ["part"]} if "parts" in path else {}))
    np.testing.assert_allclose(own.score(address), expected, rtol=1e-9)
    done = run("detect", address, "-p", "pca", "--count")
    assert done.status == 0, done.err


@pytest.mark.filterwarnings("ignore")
def test_archives_and_names_of_an_object_store(store, home, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = f"s3://plant/t.csv{store}"
    assert run("compress", address, "-o", "t.aez").status == 0
    assert run("decompress", "t.aez", "-o", "back.csv").status == 0
    assert Path("back.csv").read_bytes() == (home / "t.csv").read_bytes()
    refused = run("compress", address)
    assert refused.status == 2 and "say where to write" in refused.err
    assert run("fit", address, "-p", "pca").status == 0 and Path("t.aem").exists()
    for missing in (f"s3://plant/none.csv{store}", f"s3://nothing/t.csv{store}"):
        done = run("detect", missing)
        assert done.status == 2 and len(done.err.splitlines()) == 1
        assert "no such file" in done.err or "NoSuchBucket" in done.err or "404" in done.err


def test_rows_of_a_database_are_read_in_batches(home, monkeypatch):
    from aetool.data import databases

    monkeypatch.setattr(databases, "ROWS", 50)
    source = sources.open_source(f"{home}/t.db::plant")
    assert [batch.num_rows for batch in source.record_batches()] == [50, 50, 50, 50, 40]


def test_what_one_door_needs_no_other_imports(home, rows_csv):
    from tests.conftest import fresh

    code = (
        "import sys\nfrom aetool.cli import status\n"
        "assert status(['fit', sys.argv[1], '-p', 'pca', '-q', '-f', '-o', sys.argv[2]]) == 0\n"
        "heavy = {'sqlite3', 'openpyxl', 'pyarrow', 'pandas', 'polars', 'moto'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = fresh(code, str(rows_csv), str(home / "import.aem"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("data", "model"),
    [
        ("some/t.csv.gz", "some/t.aem"),
        ("some/parts", "some/parts.aem"),
        ("some/*.csv", "model.aem"),
        ("some/t.db::SELECT a / b FROM t", "some/t.aem"),
        ("s3://plant/hours/t.csv?endpoint_override=localhost:9000", "t.aem"),
        ("gs://plant/hours/", "hours.aem"),
        ("-", "model.aem"),
    ],
)
def test_what_a_model_is_called(data, model):
    from aetool.cli.fitting import default_output

    assert default_output(data) == model


def test_a_folder_that_is_given_as_a_dot_is_called_by_its_own_name(tmp_path, monkeypatch):
    from aetool.cli.fitting import default_output
    from aetool.operations import archiving, cleaning

    inside = tmp_path / "plant.v2" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    home = tmp_path.resolve()
    for dot in (".", "./"):
        assert Path(default_output(dot)) == home / "plant.v2" / "inside.aem"
        assert archiving.default_name(dot) == home / "plant.v2" / "inside.aez"
        assert Path(cleaning.default_name(dot)) == home / "plant.v2" / "inside.denoised"
    for dots in ("..", "../", "../inside/.."):
        assert Path(default_output(dots, ".html", "report")) == home / "plant.html"
        assert archiving.default_name(dots) == home / "plant.v2.aez"


def test_the_root_of_a_disk_has_no_name_to_call_a_result_by():
    from aetool.cli.fitting import default_output
    from aetool.operations import archiving, cleaning

    root = Path.cwd().anchor
    assert default_output(root) == "model.aem"
    assert default_output(root, ".html", "report") == "report.html"
    with pytest.raises(ParamError, match="has no name to call the archive by"):
        archiving.default_name(root)
    with pytest.raises(ParamError, match="has no name to call the result by"):
        cleaning.default_name(root)


def test_the_folder_in_which_one_stands_is_fitted_and_drawn(run, rows_csv, tmp_path, monkeypatch):
    inside = tmp_path / "plant"
    inside.mkdir()
    (inside / "t.csv").write_bytes(Path(rows_csv).read_bytes())
    monkeypatch.chdir(inside)
    assert run("fit", ".", "-p", "pca", "-q").status == 0
    assert (tmp_path / "plant.aem").is_file()
    assert run("report", "../plant.aem", ".", "-q").status == 0
    assert (tmp_path / "plant.html").is_file()
    assert run("encode", ".", "-m", "../plant.aem", "-o", "../z.csv", "-q").status == 0
    assert run("compress", ".", "-q").status == 0
    assert (tmp_path / "plant.aez").is_file()


def test_what_has_no_name_says_so_by_its_own_type(home):
    with pytest.raises(aetool.AetoolError, match="a bytes has no name: say where to write"):
        aetool.compress((home / "t.csv").read_bytes())


def test_a_workbook_is_told_by_its_parts(tmp_path):
    (tmp_path / "x").write_bytes(b"PK\x03\x04 no zip")
    assert not workbooks.is_workbook(tmp_path / "x")


def test_a_name_that_asks_for_another_format_is_a_warning_in_python(tmp_path, caplog):
    aetool.compress(pd.DataFrame({"x": [1.5, 2.5, 4.0]}), tmp_path / "f.aez")
    back = aetool.decompress(tmp_path / "f.aez", tmp_path / "f_back.csv")
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("aetool.data", "WARNING")
    ]
    said = (
        f"{back}: converted from Parquet, as the name asks: a name ending in .parquet gets what was "
        "stored"
    )
    assert caplog.records[0].getMessage() == said
    assert back.read_text() == "x\n1.5\n2.5\n4\n"
    caplog.clear()
    aetool.decompress(tmp_path / "f.aez", tmp_path / "f_back.parquet")
    assert not caplog.records
