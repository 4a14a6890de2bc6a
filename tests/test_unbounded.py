"""What a bound on errors leaves exact is said: numbers of another writing, and irregular records."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool import operations
from aetool.codec import textual
from aetool.codec.metas import TextMeta
from aetool.data.sources import open_source
from aetool.errors import ParamError
from aetool.fits.asked import FitOptions
from aetool.fits.preparing import inferred
from aetool.operations import CompressOptions
from tests.sweeps import one_in, product

ROWS = 400
GROUPED = '{n},"{g:,.2f}"'


def written(path, form, header, rows=ROWS):
    """A table whose numbers come in no order, so that a bound saves bytes, written by a form."""
    rng = np.random.default_rng(3)
    both = zip(rng.permutation(rows).tolist(), rng.permutation(rows).tolist(), strict=True)
    lines = [form.format(n=n / 4, g=1234.5 + 97 * m) for n, m in both]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_numbers_with_thousands_separators_are_bounded(tmp_path, run):
    path = written(tmp_path / "shop.csv", GROUPED, "temperature,revenue")
    done = run("compress", path, "--max-error", "1%", "-o", tmp_path / "a.aez")
    assert done.status == 0
    assert done.err.splitlines()[1:] == [
        "note: within the bound, with the largest error: "
        "temperature 0.99, revenue 386.6; exact: none"
    ]
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    before = pd.read_csv(path, thousands=",")
    after = pd.read_csv(back, thousands=",")
    for name in before:
        moved = (before[name] - after[name]).abs().max()
        assert 0 < moved <= 0.01 * (before[name].max() - before[name].min())


def test_numbers_that_are_written_in_turns_are_said_to_be_exact(tmp_path):
    path = tmp_path / "turns.csv"
    rng = np.random.default_rng(3)
    lines = ["n;revenue"]
    for place in range(ROWS):
        group = ", '"[place % 3]
        lines.append(f"{rng.integers(0, 300)};{1000 + 97.25 * place:,.2f}".replace(",", group))
    path.write_text("\n".join(lines) + "\n")
    figures = aetool.compress(path, tmp_path / "a.aez", max_error="1%")
    assert set(figures["errors"]) == {"n"}
    assert figures["unbounded"] == [
        "revenue: numbers with thousands separators are stored exactly (too few are written "
        "alike, or the bound is below their last digit)"
    ]


def test_a_decimal_comma_is_bounded(tmp_path):
    path = tmp_path / "c.csv"
    values = np.random.default_rng(3).integers(0, 301, ROWS).tolist()
    path.write_text("a;b;c\n" + "".join(f"{n},5;{b};{n % 3}\n" for n, b in enumerate(values)))
    figures = aetool.compress(path, tmp_path / "a.aez", max_error="1%")
    assert set(figures["errors"]) == {"a", "b"} and "unbounded" not in figures


def test_keys_codes_and_days_are_exact_unless_they_are_named(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["order,id,part,day,amount,weight"]
    for n in range(ROWS):
        part, amount, weight = rng.integers(1000, 9999), rng.gamma(2, 50), rng.uniform(1, 90)
        day = 20240101 + n % 28
        lines.append(f"O-{100000 + n},{100000 + n},P{part},{day},{amount:.2f},{weight:.2f} kg")
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    figures = aetool.compress(path, tmp_path / "a.aez", max_error="1%")
    assert set(figures["errors"]) == {"amount", "weight"}
    assert figures["unbounded"] == ["order, id are identifiers, stored exactly"]
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    after = back.read_text(encoding="utf-8").splitlines()
    names = [line.split(",")[:4] for line in lines]
    assert [line.split(",")[:4] for line in after] == names and after != lines
    asked = {"": "1%", "id": "3"}
    figures = aetool.compress(path, tmp_path / "b.aez", max_error=asked)
    assert figures["errors"]["id"]["largest"] == 3
    assert figures["unbounded"] == ["order is an identifier, stored exactly"]
    # whole numbers behind letters are labels: no bound makes sense for them
    for name in ("order", "part"):
        with pytest.raises(ParamError, match=f"'{name}' holds labels"):
            aetool.compress(path, tmp_path / "c.aez", max_error={name: "3"})


def test_keys_of_a_typed_table_are_exact_unless_they_are_named(tmp_path):
    rng = np.random.default_rng(0)
    order = rng.permutation(ROWS) + 100_000
    columns = {"order_id": order, "row": np.arange(ROWS), "amount": rng.gamma(2, 50, ROWS)}
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table(columns), path)
    figures = aetool.compress(path, tmp_path / "a.aez", max_error="1%")
    assert set(figures["errors"]) == {"amount"}
    assert figures["unbounded"] == ["order_id, row are identifiers, stored exactly"]
    back = pq.read_table(operations.decompress(tmp_path / "a.aez", tmp_path / "back.parquet"))
    assert back["order_id"].to_pylist() == order.tolist()
    figures = aetool.compress(path, tmp_path / "b.aez", max_error={"": "1%", "order_id": 2})
    assert figures["errors"]["order_id"]["largest"] == 2
    assert figures["unbounded"] == ["row is an identifier, stored exactly"]


def numbered(header):
    """A table of text whose first column is a row number. header: what the columns are called."""
    rng = np.random.default_rng(0)
    amounts = rng.gamma(2, 50, (ROWS, 2)).round(2)
    rows = (f"{n + 1},{first},{second}" for n, (first, second) in enumerate(amounts))
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(("header", "bounded", "identifier"), [
    (",b,c", {"b", "c"}, "column1"),  # as pandas writes the index of a frame
    ("n,b,b", {"b (column 2)", "b (column 3)"}, "n"),
    ("b,b,c", {"b (column 2)", "c"}, "b"),
    (" n,b,c", {"b", "c"}, "n"),
])  # fmt: skip
@pytest.mark.parametrize("is_typed", [False, True])
def test_a_row_number_is_exact_whatever_it_is_called(
    header, bounded, identifier, is_typed, tmp_path
):
    text = numbered(header)
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    if is_typed:
        names = header.split(",")
        columns = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
        arrays = [pa.array(columns[0].astype(int)), *map(pa.array, columns[1:])]
        path = tmp_path / "t.parquet"
        pq.write_table(pa.Table.from_arrays(arrays, names=names), path)
    figures = aetool.compress(path, tmp_path / "t.aez", max_error="1%")
    assert set(figures["errors"]) == bounded
    assert figures["unbounded"] == [f"{identifier} is an identifier, stored exactly"]
    back = operations.decompress(tmp_path / "t.aez", tmp_path / f"back{path.suffix}")
    if is_typed:
        first = pq.ParquetFile(back).read().column(0).to_pylist()
    else:
        first = [int(line.split(",")[0]) for line in back.read_text().splitlines()[1:]]
    assert first == [*range(1, ROWS + 1)]


def test_a_table_without_a_header_has_a_row_number(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(numbered("").lstrip("\n"), encoding="utf-8")
    figures = aetool.compress(path, tmp_path / "t.aez", max_error="1%")
    assert set(figures["errors"]) == {"c2", "c3"}
    assert len(figures["unbounded"]) == 1 and "identifier" in figures["unbounded"][0]


def keyed(rng) -> pd.DataFrame:
    """Numbers that name something, and numbers that measure."""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, ROWS), "D")
    return pd.DataFrame({
        "user_id": rng.integers(100, 140, ROWS) * 7,
        "order_number": rng.integers(10**6, 10**7, ROWS),
        "zip": rng.integers(10_000, 99_999, ROWS),
        "f_id": rng.integers(1, 10**6, ROWS) * 1.0,
        "seen": rng.integers(2**53, 2**62, ROWS),
        "day": days.strftime("%Y%m%d").astype(int),
        "amount": rng.gamma(2, 50, ROWS).round(2),
        "rooms": rng.integers(1, 400, ROWS),
        "price_index": rng.normal(100, 5, ROWS).round(2),
        "made": rng.integers(19_000_000, 21_000_000, ROWS),
        "OrderNumber": rng.integers(10**6, 10**7, ROWS),
        "storeCode": rng.integers(10_000, 99_999, ROWS),
        "seen_on": np.where(rng.random(ROWS) < 0.05, 0, days.strftime("%Y%m%d").astype(int)),
        "flux": rng.integers(10**4, 10**5, ROWS) * 1e13,
        "paid": rng.integers(10**4, 10**6, ROWS),
        "wave_number": rng.integers(400, 4000, ROWS),
    })  # fmt: skip


# text has more that can go wrong
@pytest.mark.parametrize("suffix", [".csv", pytest.param(".parquet", marks=pytest.mark.long)])
def test_keys_that_repeat_and_days_are_exact_unless_they_are_named(tmp_path, run, suffix):
    frame = keyed(np.random.default_rng(4))
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    measured = {"amount", "rooms", "price_index", "made", "flux", "paid", "wave_number"}
    figures = aetool.compress(path, tmp_path / "a.aez", max_error="1%")
    assert set(figures["errors"]) == measured
    with aetool.open(tmp_path / "a.aez") as archive:
        restored = archive.to_pandas()
    for name in set(frame) - measured - {"day", "seen_on"}:
        assert np.array_equal(restored[name], frame[name])
    for name in ("day", "seen_on"):
        days = [int(str(day).replace("-", "")[:8]) for day in restored[name]]
        assert days == list(frame[name])
    (line,) = [line for line in figures["unbounded"] if "by name or digits" in line]
    assert "max_error={'user_id': ...}" in line
    told = set(line.partition(":")[0].split(", "))
    assert told | {"order_number", "f_id"} >= {"user_id", "zip", "order_number", "f_id"}
    figures = aetool.compress(path, tmp_path / "b.aez", max_error={"": "1%", "zip": 5})
    assert set(figures["errors"]) == measured | {"zip"} and figures["errors"]["zip"]["largest"] == 5
    figures = aetool.compress(path, tmp_path / "c.aez", max_error={"": "1%", "amount": 0})
    assert set(figures["errors"]) == measured - {"amount"}


BOXES = {
    "a box": ("| id | part | x |\n|---:|:---|---:|\n", "| {n} | p{n} | {x} |\n"),
    "a box of a database": (
        "+----+----+---+\n| id | part | x |\n+----+----+---+\n",
        "| {n} | p{n} | {x} |\n",
    ),
    "blanks at the ends of lines": ("id part x \n", "{n} p{n} {x} \n"),
}


@pytest.mark.parametrize("kind", BOXES)
@pytest.mark.parametrize("by_model", [False, True])
def test_columns_of_a_table_with_edges_are_told_by_their_place(tmp_path, kind, by_model):
    head, record = BOXES[kind]
    numbers = np.random.default_rng(0).integers(100, 9999, ROWS)
    lines = [record.format(n=1000 + n, x=x) for n, x in enumerate(numbers)]
    path = tmp_path / "t.txt"
    path.write_text(head + "".join(lines))
    model = None
    if by_model:
        model = aetool.fit(path, "pca", max_error={"": "1%"})
    figures = aetool.compress(path, tmp_path / "a.aez", model=model, max_error="1%")
    assert figures["unbounded"] == ["id, part are identifiers, stored exactly"]
    assert set(figures["errors"]) == {"x"}
    aetool.decompress(tmp_path / "a.aez", tmp_path / "back.txt")
    (before, after) = (open_source(p).head() for p in (path, tmp_path / "back.txt"))
    assert before["id"].strings() == after["id"].strings()
    assert before["part"].strings() == after["part"].strings()
    moved = np.abs(numbers - np.array(after["x"].strings(), float))
    assert 0 < moved.max() <= 0.01 * (numbers.max() - numbers.min())


def test_columns_that_no_bound_was_asked_for_are_not_named(tmp_path):
    path = written(tmp_path / "shop.csv", GROUPED, "temperature,revenue")
    figures = aetool.compress(path, tmp_path / "a.aez", max_error={"temperature": 1})
    assert figures["errors"]["temperature"]["largest"] == 1 and "unbounded" not in figures
    plain = written(tmp_path / "plain.csv", "{n},{g:.2f}", "temperature,revenue")
    figures = aetool.compress(plain, tmp_path / "b.aez", max_error="1%")
    assert set(figures["errors"]) == {"temperature", "revenue"} and "unbounded" not in figures
    assert "unbounded" not in aetool.compress(path, tmp_path / "c.aez")


@pytest.mark.parametrize(("place", "rows", "expected"), [
    (17, ROWS, "record 17 has 3 fields where 2 are expected: the file is stored exactly"),
    # 30,000 rows, so that there are others far from it; odd records in the midst are in other tests
    pytest.param(20_000, 30_000, "record 20,000 has 3 fields where 2 are expected: it and the records "
                 "near it are stored exactly", marks=pytest.mark.long),
])  # fmt: skip
def test_the_first_irregular_record_is_named(tmp_path, run, place, rows, expected):
    path = written(tmp_path / "r.csv", "{n},{g:.2f}", "temperature,revenue", rows)
    lines = path.read_text().splitlines()
    lines[place] += ",x"
    path.write_text("\n".join(lines) + "\n")
    done = run("compress", path, "--max-error", "1%", "-o", tmp_path / "a.aez")
    notes = [f"note: {expected}"]
    if "the file is" not in expected:
        said = "within the bound, with the largest error: temperature 74.99, revenue 29,097; exact: none"
        notes.append(f"note: {said}")
    assert done.status == 0 and done.err.splitlines()[1:] == notes
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv").read_text()
    assert back.splitlines()[place] == lines[place]
    assert (back == path.read_text()) == ("the file is" in expected)


def test_a_table_without_records_has_nothing_to_say(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("a,b\n")
    options = CompressOptions(max_error={"": "1%"})
    assert "unbounded" not in operations.compress(path, tmp_path / "a.aez", options=options)


def test_a_bound_that_moves_nothing_leaves_all_ways_to_store_a_column():
    """As small as without a bound: the search for few bytes then ends at the smallest archive."""
    texts = [f"item {n * 7919 % 1009} of {n}".encode() for n in range(ROWS)]
    buffer = np.frombuffer(b"".join(texts), np.uint8)
    stop = np.cumsum([len(text) for text in texts]).astype(np.int32)
    start = np.concatenate([[0], stop[:-1]]).astype(np.int32)
    free = textual.encode(buffer, start, stop)
    bound = textual.encode(buffer, start, stop, bound=Fraction(5))
    assert bound.meta == free.meta == TextMeta() and bound.cells is not None
    assert (bound.cells.start == free.cells.start).all() and bound.error == 0


def test_a_word_that_ends_like_a_key_names_no_records(tmp_path):
    """Whole numbers that all differ: those called userId are no measurements, those called paid
    are, and models see them."""
    numbers = np.random.default_rng(2).permutation(ROWS) * 7 + 1000
    frame = pd.DataFrame({"paid": numbers, "userId": numbers, "USER_ID": numbers})
    frame["grid"] = numbers[::-1]
    frame["x"] = np.arange(ROWS) % 17
    schema = aetool.fit(frame, "pca").schema
    kinds = {column.name: column.kind for column in schema.columns}
    assert kinds == {
        "paid": "number",
        "userId": "identifier",
        "USER_ID": "identifier",
        "grid": "number",
        "x": "number",
    }


def test_labels_beside_pictures_are_exact_unless_they_are_named(tmp_path, run):
    rng = np.random.default_rng(4)
    pictures = rng.integers(0, 256, (600, 3, 3), np.uint8)
    labels = rng.integers(0, 10, 600)
    np.savez(
        tmp_path / "a.npz", x=pictures, y=labels, weights=rng.normal(size=600), only=np.arange(7)
    )
    for bound, is_exact in (("3", True), ("y=3", False)):
        done = run("compress", tmp_path / "a.npz", "--max-error", bound, "-f")
        assert ("y has a whole number for each record of another array" in done.err) == is_exact
        back = tmp_path / "b.npz"
        operations.decompress(tmp_path / "a.npz.aez", back, force=True)
        with np.load(back) as restored:
            assert (restored["y"] == labels).all() == is_exact
            assert (restored["x"] == pictures).all() != is_exact
            assert np.abs(restored["x"].astype(int) - pictures).max() <= 3
            # of seven numbers none labels a picture
            assert (restored["only"] == np.arange(7)).all() != is_exact


def in_turns(path, group, decimal, other, share):
    """Write 400 records of whole numbers, of which this share of four has its thousands parted by a
    mark, beside numbers with a decimal mark, or beside none if `other` is false. Returns the whole
    numbers."""
    rng = np.random.default_rng(5)
    numbers = rng.integers(1000, 60000, ROWS).tolist()
    lines = ["date;load;temp"]
    for place, number in enumerate(numbers):
        load = f"{number:,}".replace(",", group) if place % 4 < share else str(number)
        temp = f"{place * 37 % 400 / 10 - 5:.1f}".replace(".", decimal) if other else place % 7
        lines.append(f"{1 + place % 28:02}.{1 + place % 12:02}.2024;{load};{temp}")
    path.write_text("\n".join(lines) + "\n")
    return np.array(numbers)


def loads_of(path, group):
    """The whole numbers of a table that `in_turns` wrote, however their thousands are parted."""
    return np.array(
        [int(line.split(";")[1].replace(group, "")) for line in path.read_text().splitlines()[1:]]
    )


@pytest.mark.parametrize(("marks", "share"), one_in(3, product([".,", ",."], [1, 2, 3, 4])))
def test_marks_of_thousands_are_told_by_another_column(tmp_path, marks, share):
    group, decimal = marks
    path = tmp_path / "load.csv"
    numbers = in_turns(path, group, decimal, True, share)
    source = open_source(path)
    schema = inferred(source, source.head(), FitOptions())
    assert [(c.low, c.high) for c in schema.columns if c.name == "load"] == [
        (numbers.min(), numbers.max())
    ]
    archive = tmp_path / "a.aez"
    for asked in ("1%", "100"):
        figures = aetool.compress(path, archive, max_error={"load": asked}, force=True)
        back = aetool.decompress(archive, tmp_path / "back.csv", force=True)
        moved = np.abs(loads_of(back, group) - numbers).max()
        bound = (numbers.max() - numbers.min()) / 100 if asked == "1%" else 100
        assert moved <= bound
        assert moved == figures["errors"]["load"]["largest"] > 0.9 * bound
    aetool.compress(path, archive, force=True)
    aetool.decompress(archive, tmp_path / "back.csv", force=True)
    assert (tmp_path / "back.csv").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("mark", [".", ","])
def test_marks_that_nothing_tells_are_exact_unless_the_user_does(tmp_path, run, mark):
    path = tmp_path / "load.csv"
    numbers = in_turns(path, mark, "", False, 1)
    archive = tmp_path / "a.aez"
    done = run("compress", path, "--max-error", "1%", "-o", archive)
    name = {".": "dots", ",": "commas"}[mark]
    assert (
        f"note: load: its {name} may mark thousands or decimals: stored exactly, unless "
        "--decimal says the decimal mark, . or ,"
    ) in done.err.splitlines()
    run("decompress", archive, "-o", tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == path.read_bytes()
    other = {".": ",", ",": "."}[mark]
    done = run("compress", path, "--max-error", "1%", "--decimal", other, "-o", archive, "-f")
    assert (
        "note: within the bound, with the largest error: load 588; exact: date, temp"
        in done.err.splitlines()
    )
    run("decompress", archive, "-o", tmp_path / "back.csv", "-f")
    moved = np.abs(loads_of(tmp_path / "back.csv", mark) - numbers).max()
    assert 0 < moved <= (numbers.max() - numbers.min()) / 100
    # a decimal mark: 1.234 lies a thousand times nearer to 0
    run("compress", path, "--max-error", "load=500", "--decimal", mark, "-o", archive, "-f")
    run("decompress", archive, "-o", tmp_path / "back.csv", "-f")
    before, after = (
        np.array([float(line.split(";")[1].replace(mark, ".")) for line in lines[1:]])
        for lines in (path.read_text().splitlines(), (tmp_path / "back.csv").read_text().split())
    )
    assert 400 < np.abs(before - after).max() <= 500


def test_decimals_of_three_places_stay_decimals(tmp_path):
    path = tmp_path / "three.csv"
    rng = np.random.default_rng(5)
    numbers = rng.integers(1000, 9999, ROWS) / 1000
    path.write_text("n;m\n" + "".join(f"{n:.3f};{i % 9}\n" for i, n in enumerate(numbers)))
    figures = aetool.compress(path, tmp_path / "a.aez", max_error={"n": "0.05"})
    assert 0.04 < figures["errors"]["n"]["largest"] <= 0.05
    assert "unbounded" not in figures


def test_a_model_bounds_by_the_decimal_mark_that_it_was_fitted_with(tmp_path, run):
    path = tmp_path / "load.csv"
    numbers = in_turns(path, ".", "", False, 1)
    bound = (numbers.max() - numbers.min()) / 100
    model = tmp_path / "m.aem"
    fitted = ("fit", path, "-o", model, "--decimal", ",", "-p", "pca", "--max-error", "load=1%")
    assert run(*fitted).status == 0
    archive = tmp_path / "a.aez"
    assert run("compress", path, "-m", model, "--max-error", "load=1%", "-o", archive).status == 0
    run("decompress", archive, "-m", model, "-o", tmp_path / "back.csv")
    assert np.abs(loads_of(tmp_path / "back.csv", ".") - numbers).max() <= bound


def test_a_decimal_mark_goes_with_a_bound(tmp_path, run):
    path = tmp_path / "load.csv"
    in_turns(path, ".", ",", True, 1)
    done = run("compress", path, "--decimal", ",", "-o", tmp_path / "a.aez")
    assert done.status == 2
    assert "--decimal goes with --max-error" in done.err
    done = run("compress", path, "--max-error", "1%", "--decimal", ";", "-o", tmp_path / "a.aez")
    assert done.status == 2
    assert "--decimal ;: write . or ," in done.err


def test_columns_whose_range_one_value_makes_are_named_with_the_remedy(tmp_path, run):
    rng = np.random.default_rng(5)
    wind = rng.gamma(4, 2.5, (2000, 5)).round(2)
    wind[700, 1:] = [900, 1000, 1100, 1200]
    rain = np.where(rng.random(2000) < 0.8, 0, rng.gamma(1, 2, 2000)).round(2)
    rain[3] = 500
    path = tmp_path / "w.csv"
    frame = pd.DataFrame(wind, columns=list("abcde")).assign(rain=rain)
    frame.to_csv(path, index=False)
    rest = (
        ": {} of the range is more than the middle half of the numbers spans, so that few of them "
        "still differ: a value far out makes the range that large; give a bound in units: {}"
    )
    # most of the rain is 0
    said = "b, c, d and 1 more column" + rest.format("1%", "--max-error b=...")
    assert f"note: {said}\n" in run("compress", path, "--max-error", "1%", "-f").err
    for source in (path, frame):
        figures = aetool.compress(source, tmp_path / "a.aez", max_error="1%", force=True)
        (line,) = [line for line in figures["unbounded"] if "middle half" in line]
        assert line == "b, c, d and 1 more column" + rest.format("1%", "max_error={'b': ...}")
    bounds = {"": "0.1", "b": "2%", "c": "9", "e": "0.01%"}
    figures = aetool.compress(path, tmp_path / "a.aez", max_error=bounds, force=True)
    assert figures["unbounded"] == ["b" + rest.format("2%", "max_error={'b': ...}")]
    assert figures["errors"]["c"]["largest"] > 8
