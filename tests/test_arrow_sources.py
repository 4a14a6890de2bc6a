"""Tables in Arrow's types are data like any other: files, streams, tables in memory."""

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool.data import sources
from aetool.data.table import as_cells
from aetool.errors import DataError
from tests.test_values import frame

TABLE = pa.Table.from_pandas(frame(), preserve_index=False)
MOST_MEMORY = 100 << 20  # bytes, for a file of more than twice as many


def write_file(path, table, **options):
    with pa.ipc.new_file(path, table.schema, **options) as writer:
        writer.write_table(table)
    return path


def write_stream(path, table, rows=None):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def read(data):
    """The records as text, and which columns are known to be text."""
    table = sources.open_source(data).head()
    return [as_cells(values).strings() for values in table.values], table.typed


class Handed:
    """What another package hands over by Arrow's protocol."""

    def __init__(self, table, once=False):
        self.table, self.once, self.asked = table, once, 0

    def __arrow_c_stream__(self, requested_schema=None):
        self.asked += 1
        assert not self.once or self.asked == 1, "it can be read only once"
        return self.table.__arrow_c_stream__(requested_schema)


# ---- files and streams


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The table as Arrow files of every form."""
    folder = tmp_path_factory.mktemp("arrow")
    zstd = pa.ipc.IpcWriteOptions(compression="zstd")
    found = {
        "file": write_file(folder / "t.arrow", TABLE),
        "compressed": write_file(folder / "z.arrow", TABLE, options=zstd),
        "feather": folder / "t.feather",
        "stream": write_stream(folder / "s.arrows", TABLE),
        "small batches": write_stream(folder / "b.arrows", TABLE, rows=7),
    }
    frame().to_feather(found["feather"])
    for name in ("file", "stream"):
        found[f"{name} in gzip"] = folder / f"{found[name].name}.gz"
        found[f"{name} in gzip"].write_bytes(gzip.compress(found[name].read_bytes()))
    pq.write_table(TABLE, folder / "t.parquet")
    found["Parquet in gzip"] = folder / "t.parquet.gz"
    found["Parquet in gzip"].write_bytes(gzip.compress((folder / "t.parquet").read_bytes()))
    return found


FORMS = (
    "file", "compressed", "feather", "stream", "small batches", "file in gzip", "stream in gzip",
    "Parquet in gzip",
)  # fmt: skip


@pytest.fixture(scope="module")
def highest():
    """The rows of the table that score highest, from the highest on."""
    return aetool.detect(TABLE, plugin="pca", top=3).row.tolist()


# each is a fit: what is in gzip is read as what is inside, and a file that is compressed
# or of small batches as any, by the library
TOLD = ("feather", "file in gzip", "stream in gzip", "compressed", "small batches")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, marks=pytest.mark.long if is_told else ())
        for form in FORMS
        for is_told in [form in TOLD]
    ],
)
def test_every_form_of_file_has_the_same_records(files, form, highest):
    expected, texts = read(TABLE)
    assert read(files[form]) == (expected, texts)
    found = aetool.detect(files[form], plugin="pca", top=3)
    assert found.row.tolist() == highest


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_is_restored_as_it_was(files, form, tmp_path):
    source = files[form]
    figures = aetool.compress(source, tmp_path / "t.aez")
    assert figures["fidelity"] == "values"
    with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as stream:
        before = stream.read()
    after = aetool.decompress(tmp_path / "t.aez", tmp_path / "out").read_bytes()
    assert after[:6] == before[:6], "a file remains a file, and a stream a stream"
    opened = {b"ARRO": pa.ipc.open_file, b"PAR1": pq.ParquetFile}
    begin = opened.get(before[:4], pa.ipc.open_stream)

    def table_of(data):
        found = begin(pa.BufferReader(data))
        return found.read() if begin is pq.ParquetFile else found.read_all()

    assert table_of(after).equals(table_of(before), check_metadata=True)


def test_small_batches_are_archived_like_large_ones(files, tmp_path):
    sizes = {
        form: aetool.compress(files[form], tmp_path / f"{form}.aez")["archive_bytes"]
        for form in ("stream", "small batches")
    }
    assert sizes["small batches"] <= sizes["stream"] + 40
    again = aetool.decompress(tmp_path / "small batches.aez", tmp_path / "again.arrows")
    with pa.ipc.open_stream(again) as stream:
        assert {batch.num_rows for batch in stream} == {7, len(TABLE) % 7}


def test_lossy_archives_and_denoised_records_are_arrow_again(files, tmp_path):
    for form, begin in (("file", pa.ipc.open_file), ("small batches", pa.ipc.open_stream)):
        target = tmp_path / f"{form}.aez"
        aetool.compress(files[form], target, lossy=True, lossy_only=True)
        restored = begin(aetool.decompress(target, tmp_path / f"{form}.out")).read_all()
        assert restored.schema.types == TABLE.schema.types
        far = np.abs(restored["ratio"].to_numpy() - TABLE["ratio"].to_numpy())
        assert far.max() < 1, "of a column between 0 and 1"


@pytest.mark.parametrize(("damage", "said"), [
    (lambda raw: raw[: len(raw) // 2], r"x\.arrow: (not an Arrow file that can be read|damaged)"),
    (lambda raw: raw + raw, r"x\.arrow: more follows behind the end of its stream"),
    (lambda raw: raw[:60] + b"\xff" * 40 + raw[100:], r"x\.arrow: not an Arrow file that can be"),
])  # fmt: skip
def test_a_damaged_stream_is_one_line(files, tmp_path, damage, said):
    path = tmp_path / "x.arrow"
    path.write_bytes(damage(files["stream"].read_bytes()))
    with pytest.raises(aetool.AetoolError, match=said) as error:
        aetool.detect(path)
    assert "\n" not in str(error.value)
    # an archive keeps whatever it is
    aetool.compress(path, tmp_path / "x.aez")
    again = aetool.decompress(tmp_path / "x.aez", tmp_path / "again")
    assert again.read_bytes() == path.read_bytes()


def test_indices_beyond_a_dictionary_are_an_error_and_no_crash(tmp_path):
    levels = pa.array(["a", "b"])
    indices = pa.array([0, 1, 77], pa.int8())
    wrong = pa.DictionaryArray.from_arrays(indices, levels, safe=False)
    path = write_file(tmp_path / "x.arrow", pa.table({"level": wrong}))
    with pytest.raises(aetool.AetoolError, match=r"x\.arrow: damaged behind row 0: .*77"):
        aetool.detect(path)


def test_a_text_that_is_not_utf8_is_one_line(tmp_path):
    """Arrow checks no string when it reads a Parquet file; whoever looks at one finds it."""
    raw = [b"\xc3\xa9", b"b", b"c"] * 100
    raw[205] = b"caf\xe9"
    strings = pa.array(raw, pa.binary()).view(pa.string())
    table = pa.table({"x": np.arange(300.0), "s": strings})
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, row_group_size=100, use_dictionary=False)
    said = (
        "row 206: column 's' has a text with byte 0xe9, which is not UTF-8; write its texts as "
        "UTF-8, or make it a column of binary values"
    )
    for data, name in ((table, "Table"), (path, path)):
        for executor in (None, "threads:2"):
            with pytest.raises(DataError) as error:
                aetool.fit(data, "pca", executor=executor)
            assert str(error.value) == f"{name}: {said}"
    # an archive keeps whatever it is
    aetool.compress(path, tmp_path / "x.aez")
    again = aetool.decompress(tmp_path / "x.aez", tmp_path / "again.parquet")
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("rows_with_it", "where"), [(230, "row 71: "), (0, "")])
def test_a_level_that_is_not_utf8_is_named_by_its_first_row(rows_with_it, where):
    levels = pa.array([b"a", b"\xff"], pa.binary()).view(pa.string())
    indices = pa.array([0] * 70 + [1] * rows_with_it)
    coded = pa.DictionaryArray.from_arrays(indices, levels)
    table = pa.table({"x": np.arange(float(len(coded))), "s": coded})
    with pytest.raises(DataError, match=f"^Table: {where}column 's' has a text with byte 0xff"):
        aetool.detect(table)


@pytest.mark.parametrize("form", ["columns", "records", "rows", "objects", "frame", "fields"])
def test_half_a_surrogate_pair_in_memory_is_one_line(form, tmp_path):
    """No text has such a half, but Python's may; pandas and Arrow do not take it."""
    texts = ["a", "b\ud800", "c"] * 20
    data = {
        "columns": lambda: {"x": list(range(60)), "s": texts},
        "records": lambda: [{"x": x, "s": text} for x, text in enumerate(texts)],
        "rows": lambda: [[x, text] for x, text in enumerate(texts)],
        "objects": lambda: np.array([[x, text] for x, text in enumerate(texts)], object),
        "frame": lambda: pd.DataFrame({"s": pd.Series(texts, dtype=object)}),
        "fields": lambda: np.array(list(enumerate(texts)), [("x", float), ("s", "U3")]),
    }[form]()
    for verb in (aetool.detect, lambda data: aetool.compress(data, tmp_path / "x.aez")):
        with pytest.raises(
            DataError, match=r"'b\\ud800' has half a surrogate pair, '\\ud800'.*: replace"
        ):
            verb(data)


def test_a_large_batch_is_not_in_memory_at_once(tmp_path):
    columns = {f"c{i}": np.arange(1_000_000) + i / 7 for i in range(30)}
    path = write_file(tmp_path / "t.arrow", pa.table(columns))
    assert path.stat().st_size > 2 * MOST_MEMORY
    program = (
        "import pathlib, resource, sys\n"
        "from aetool.data.sources import open_source\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10\n"
        "before = peak()\n"
        "rows = sum(map(len, open_source(pathlib.Path(sys.argv[1])).batches()))\n"
        "print(rows, peak() - before)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    rows, memory = map(int, result.stdout.split())
    assert rows == 1_000_000
    assert memory < MOST_MEMORY


# ---- tables in memory


def test_the_verbs_take_tables_of_arrow(tmp_path):
    own = aetool.fit(frame(), "pca")
    model = aetool.fit(Handed(TABLE), "pca")
    assert model.lineage == own.lineage, "of the same values"
    expected = own.score(frame())
    ways = {
        "table": TABLE,
        "batch": TABLE.to_batches()[0],
        "reader": TABLE.to_reader(),
        "protocol": Handed(TABLE, once=True),
    }
    for name, data in ways.items():
        np.testing.assert_array_equal(own.score(data), expected, err_msg=name)
    np.testing.assert_array_equal(own.encode(Handed(TABLE)), own.encode(frame()))
    found = own.detect(Handed(TABLE, once=True))
    pd.testing.assert_frame_equal(found, own.detect(frame()))
    for number, options in enumerate(({}, {"max_error": "1%"}, {"lossy": True})):
        path = tmp_path / f"{number}.aez"
        figures = aetool.compress(Handed(TABLE, once=True), path, **options)
        assert figures["rows"] == len(TABLE)
        with aetool.open(path) as archive:
            assert len(archive.to_pandas()) == len(TABLE)
    assert aetool.fit([TABLE, Handed(TABLE)], "pca").facts["rows"] == 2 * len(TABLE)


def test_what_is_no_table_is_refused():
    with pytest.raises(aetool.AetoolError, match=r"data must be a path .*; got pyarrow.lib.Schema"):
        aetool.detect(TABLE.schema)


@pytest.mark.parametrize("data", [TABLE["ratio"], TABLE["ratio"].chunk(0), frame().ratio])
def test_a_column_alone_is_a_table_of_one(data):
    model = aetool.fit(data, plugin="pca")
    named = "ratio" if isinstance(data, pd.Series) else "c1"
    assert model.spec.columns == (named,)
    np.testing.assert_allclose(
        model.score(data),
        aetool.fit(frame()[["ratio"]], "pca").score(frame()[["ratio"]])
        if named == "ratio"
        else model.score(TABLE.select(["ratio"]).rename_columns(["c1"])),
    )


def test_how_text_is_written_says_nothing_of_a_table():
    with pytest.raises(aetool.AetoolError, match="delimiter: of text in a file, not of a Table"):
        aetool.detect(TABLE, delimiter=";")


def test_a_table_without_records():
    with pytest.raises(aetool.AetoolError, match="Table: no records"):
        aetool.detect(TABLE.slice(0, 0))


# ---- types


def column(array):
    return read(pa.table({"c": array}))[0][0]


def test_dictionaries_are_read_as_what_they_hold():
    words = ["b", "a", None, "b", "c"]
    plain = column(pa.array(words))
    indices = pa.array([1, 0, None, 1, 2], pa.uint32())
    # polars writes its categories so, and Arrow cannot decode them
    views = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b", "c"], pa.string_view()))
    other = pa.DictionaryArray.from_arrays([1, 2, None, 1, 0], ["c", "b", "a"])
    assert column(pa.array(words).dictionary_encode()) == plain
    assert column(views) == column(other) == plain
    assert column(pa.chunked_array([other, other.slice(1)])) == plain + plain[1:]
    numbers = pa.DictionaryArray.from_arrays([1, None, 0], [2.5, 7.0])
    assert column(numbers) == ["7", "", "2.5"]
    nothing = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int8()), pa.array([], "str"))
    assert column(nothing) == ["", ""]


def test_dictionaries_may_change_from_batch_to_batch(tmp_path):
    batches = [
        pa.record_batch({"c": pa.array(words).dictionary_encode()})
        for words in (["x", "y"], ["z", "x"], ["z", None])
    ]
    path = tmp_path / "t.arrows"
    with pa.ipc.new_stream(path, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    assert read(path)[0] == [["x", "y", "z", "x", "z", ""]]
    aetool.compress(path, tmp_path / "t.aez")
    again = aetool.decompress(tmp_path / "t.aez", tmp_path / "again.arrows")
    assert pa.ipc.open_stream(again).read_all().equals(pa.ipc.open_stream(path).read_all())


def test_types_of_few():
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1.5, 2.0]))
    assert column(runs) == ["1.5", "1.5", "2"]
    truths = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8()))
    assert column(truths) == ["true", "false", ""]
    assert column(pa.array([1.5, None], pa.float16())) == ["1.5", ""]
    assert column(pa.array(["a", None], pa.large_string())) == ["a", ""]


@pytest.mark.parametrize("kind", ["table", "file", "stream", "parquet", "dictionary"])
def test_integers_that_float_has_not_are_text_from_the_first_batch_on(tmp_path, kind):
    numbers = np.arange(70_000)
    numbers[-1] = 2**60 + 1
    data = pa.table({"s": [{"a": 1, "b": 2}] * len(numbers), "id": numbers, "few": numbers % 3})
    if kind == "dictionary":
        data = data.set_column(1, "id", pa.array(numbers).dictionary_encode())
    writers = {"file": write_file, "stream": write_stream}
    if kind in writers:
        data = writers[kind](tmp_path / "t", data)
    if kind == "parquet":
        pq.write_table(data, tmp_path / "t.parquet", row_group_size=1000)
        data = tmp_path / "t.parquet"
    batches = list(sources.open_source(data).batches())
    assert len(batches) == 2
    for batch in batches:
        assert "id" in batch.typed and "few" not in batch.typed
    assert batches[-1]["id"].strings()[-1] == str(2**60 + 1)


def test_one_odd_cell_makes_no_text_of_a_column_of_numbers(tmp_path):
    """As pandas reads it: a table in memory and a typed file are judged as the text is."""
    rng = np.random.default_rng(3)
    cells = [f"{value:.1f}" for value in rng.normal(20, 3, 400)]
    cells[100] = "ERR"
    cells[200] = "-310.5"
    lines = [f"{cell},{n % 7},0{n % 9}" for n, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("a,b,code\n" + "\n".join(lines) + "\n")
    frame = pd.read_csv(tmp_path / "t.csv", dtype={"code": str})
    assert not pd.api.types.is_numeric_dtype(frame["a"])
    frame.to_parquet(tmp_path / "t.parquet")
    expected = aetool.detect(tmp_path / "t.csv", plugin="pca", all_rows=True, drop=["code"])
    assert list(expected.row[expected.anomaly]) == [101, 201]
    for data in (frame, tmp_path / "t.parquet"):
        result = aetool.detect(data, plugin="pca", all_rows=True, drop=["code"])
        pd.testing.assert_series_equal(result.score, expected.score)
    # texts of digits alone are what their type says
    schema = aetool.fit(frame, plugin="pca").schema
    assert [column.kind for column in schema.columns] == ["number", "number", "category"]


def test_levels_that_had_an_order_keep_it_in_archives_and_models_say_that_it_goes(tmp_path):
    """A dictionary's flag `ordered`, of Arrow, Parquet and pandas."""
    import aetool
    from aetool.data import notices

    levels = ["low", "middle", "high"]
    scale = pd.Categorical(["low", "high", "middle", "low"] * 20, categories=levels, ordered=True)
    frame = pd.DataFrame({"scale": scale, "n": np.arange(80.0) % 9})
    frame.to_parquet(tmp_path / "t.parquet")
    for data in (frame, tmp_path / "t.parquet"):
        aetool.compress(data, tmp_path / "t.aez", force=True)
        with aetool.open(tmp_path / "t.aez") as archive:
            for part in (archive.to_pandas(), archive[3:9]):
                assert part.scale.cat.ordered and list(part.scale.cat.categories) == levels
    aetool.decompress(tmp_path / "t.aez", tmp_path / "back.parquet")
    back = pd.read_parquet(tmp_path / "back.parquet")
    pd.testing.assert_frame_equal(back, frame)
    model = aetool.fit(frame, plugin="pca")
    said = []
    with notices.heard_by(lambda source, line: said.append(f"{source}: {line}")):
        decoded = model.decode(model.encode(frame))
    assert not decoded.scale.cat.ordered
    assert said == ["scale: its levels come without the order that they had in the source"]
