"""Numbers of an opened archive are numbers, whichever mark and grouping their column has."""

import pytest

import aetool
from aetool import operations
from aetool.operations import FitOptions

ROWS = 60
LATE = 40_000  # rows, of which the first 256 KiB, by which a file's mark is told, have no decimals


def table(path, columns, rows=ROWS):
    """A table in text with fields parted by `;`, whose cells are made of the row's number."""
    lines = [";".join(columns)]
    for row in range(rows):
        lines.append(";".join(cell(row) for cell in columns.values()))
    path.write_text("\n".join(lines) + "\n")
    return path


def opened(path, first=None, last=None):
    """Records of an archive of the file, as a DataFrame."""
    target = path.with_suffix(".aez")
    aetool.compress(path, target, force=True)
    with aetool.open(target) as archive:
        return archive[first:last]


COLUMNS = {
    "commas": (lambda row: f"{row},5", [0.5, 1.5, 2.5], "float64"),
    "points": (lambda row: f"{row}.25", [0.25, 1.25, 2.25], "float64"),
    "thousands": (lambda row: f"{row + 1}.000,5", [1000.5, 2000.5, 3000.5], "float64"),
    "american": (lambda row: f"{row + 1},000.5", [1000.5, 2000.5, 3000.5], "float64"),
    "millions": (lambda row: f"{row + 1}.000.007", [1000007, 2000007, 3000007], "int64"),
    "grouped": (lambda row: f"{row + 1:,},007", [1007, 2007, 3007], "int64"),
    "below": (lambda row: f"-{row},75", [-0.75, -1.75, -2.75], "float64"),
    "either": (lambda row: f"{row + 1}.125", [1.125, 2.125, 3.125], "float64"),
    "unit": (lambda row: f"{row},5 kg", ["0,5 kg", "1,5 kg", "2,5 kg"], "str"),
    "word": (lambda row: f"{row},5" if row % 9 else "n/k", ["n/k", "1,5", "2,5"], "str"),
    "far": (lambda row: f"9.007.199.254.740.99{row % 9}", None, "str"),
}


@pytest.mark.parametrize("beside", ["points", "commas"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_numbers_is_one_whatever_the_others_have(tmp_path, name, beside):
    cell, values, kind = COLUMNS[name]
    path = table(tmp_path / "t.csv", {"id": str, "a": COLUMNS[beside][0], "b": cell})
    frame = opened(path)
    assert frame["a"].tolist()[:3] == COLUMNS[beside][1]
    column = frame["b"]
    if name == "either" and beside == "commas":
        # among decimal commas a point parts thousands
        assert column.tolist()[:3] == [1125, 2125, 3125]
        return
    if name == "grouped" and beside == "commas":
        assert column.tolist()[:3] == [1.007, 2.007, 3.007]
        return
    # pandas calls its texts by another name in earlier versions
    assert str(column.dtype).replace("object", "str") == kind
    expected = values or [cell(row) for row in range(3)]
    assert column.tolist()[:3] == expected and len(column) == ROWS


def test_gaps_among_them_are_gaps(tmp_path):
    columns = {"a": COLUMNS["points"][0], "b": lambda row: f"{row},5" if row % 3 else ""}
    column = opened(table(tmp_path / "t.csv", columns))["b"]
    assert column.isna().tolist() == [row % 3 == 0 for row in range(ROWS)]
    assert column.tolist()[1:3] == [1.5, 2.5]


def test_a_decimal_mark_that_shows_late_is_that_of_the_whole_file(tmp_path):
    """In the first 256 KiB nothing tells whether 1.234 is a thousand; further down 5,5 does."""
    path = table(
        tmp_path / "t.csv",
        {
            "x": lambda row: f"{row % 9 + 1}.{row % 997:03d}",
            "y": lambda row: f"{row % 89},5" if row > LATE - 4000 else str(row % 89),
            "name": lambda row: f"n{row % 3}",
        },
        LATE,
    )
    assert path.stat().st_size > 1.5 * 2**18
    frame = opened(path)
    assert frame["x"].tolist()[:2] == [1000, 2001] and frame["y"].tolist()[-1] == 39999 % 89 + 0.5
    model = operations.fit(path, FitOptions("pca"))
    x, *_ = model.schema.columns
    assert x.span == (1000, 9996) and x.notation.decimal == ","
    # what the user says of it holds
    pointed = aetool.fit(path, plugin="pca", decimal=".")
    assert pointed.schema.columns[0].span == (1.0, 9.996)


@pytest.mark.parametrize("columns", [None, ["v"]])
def test_rows_of_an_archive_are_the_numbers_of_the_whole(tmp_path, columns):
    """In the first rows 4.606 may be a number below 5; the last ones tell that it is 4606."""
    path = table(
        tmp_path / "t.csv",
        {
            "id": str,
            "v": lambda row: f"{row % 9 + 1}.{row % 1000:03d}" + (",50" if row > LATE else ""),
            "w": lambda row: f"{row % 9 + 1}.{row % 1000:03d}",
        },
        LATE + 20,
    )
    operations.compress(path, tmp_path / "t.aez")
    with aetool.open(tmp_path / "t.aez", columns=columns) as archive:
        every = archive[:]
        for begin, end in ((0, 3), (LATE - 5, LATE + 5), (LATE + 5, LATE + 9), (7, 8)):
            part = archive[begin:end]
            assert part["v"].tolist() == every["v"].tolist()[begin:end]
            if columns is None:
                assert part["w"].tolist() == every["w"].tolist()[begin:end]
        assert archive[0:2]["v"].tolist() == [1000, 2001]


def test_rows_of_an_index_are_the_numbers_of_all_parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, end in (("a", ""), ("b", ",50")):
        column = {"id": str, "v": lambda row, end=end: f"{row % 9 + 1}.{row % 1000:03d}" + end}
        table(folder / f"{name}.csv", column)
    operations.compress(folder, tmp_path / "t.aez", options=operations.CompressOptions(parts=True))
    with aetool.open(tmp_path / "t.aez") as archive:
        every = archive[:]["v"].tolist()
        assert every[:2] == [1000, 2001] and archive[0:2]["v"].tolist() == [1000, 2001]
        assert archive[ROWS - 2 : ROWS + 2]["v"].tolist() == every[ROWS - 2 : ROWS + 2]
