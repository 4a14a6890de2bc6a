"""Odd tables, restored byte for byte or refused in one line; the edges of size."""

import dataclasses
import gzip

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aetool import operations
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.errors import AetoolError, ParamError
from aetool.operations import CompressOptions
from tests.effort import calls_of

ODD = {
    "bom": b"\xef\xbb\xbfa,b\n1,2\n",
    "header only": b"a,b\n",
    "header without end": b"a,b",
    "one cell": b"x",
    "one cell, end": b"x\n",
    "no last end": b"a,b\n1,2\n3,4",
    "crlf": b"a,b\r\n1,2\r\n3,4\r\n",
    "crlf, no last end": b"a,b\r\n1,2\r\n3,4",
    "mixed ends": b"a,b\r\n1,2\n3,4\r\n",
    "cr alone": b"a,b\r1,2\r3,4\r",
    "blank lines": b"a,b\n\n1,2\n\n\n3,4\n",
    "only blank lines": b"\n\n\n",
    "ragged short": b"a,b,c\n1,2\n3,4,5\n",
    "ragged long": b"a,b\n1,2,3\n4,5\n",
    "duplicate headers": b"a,a\n1,2\n3,4\n",
    "empty header": b",b\n1,2\n",
    "quoted": b'a,b\n"1","x"\n"2","y"\n',
    "quoted delimiter": b'a,b\n"1,5",x\n"2,5",y\n',
    "quoted newline": b'a,b\n"1\n2",x\n3,y\n',
    "doubled quotes": b'a,b\n"say ""hi""",1\n"",2\n',
    "stray quote": b'a,b\n5" pipe,1\n6 pipe,2\n',
    "open quote": b'a,b\n"1,2\n3,4\n',
    "blank after comma": b"a, b\n1, x\n2, y\n",
    "blanks around": b"a,b\n 1 , x \n 22 ,y\n",
    "tabs": b"a\tb\n1\t2\n",
    "semicolons, comma decimals": b"a;b\n1,5;2,25\n3,125;4\n",
    "pipes": b"a|b\n1|2\n",
    "minus zero": b"a\n-0\n-0.0\n0\n0.0\n",
    "leading zeros": b"a\n007\n010\n1\n00\n",
    "plus": b"a\n+1\n-1\n1\n",
    "points": b"a\n.5\n5.\n0.5\n.\n",
    "trailing zeros": b"a\n1.50\n1.5\n2.00\n",
    "exponents": b"a\n1e400\n1e-400\n1E5\n1e5\n",
    "huge": b"a\n99999999999999999999999999\n1\n2\n",
    "ends of int64": b"a\n9223372036854775807\n-9223372036854775808\n9223372036854775808\n",
    "many digits": b"a\n0.1234567890123456789012345\n0.5\n0.25\n",
    "18 digits": b"a\n123456789012345678\n-999999999999999999\n0.12345678901234567\n",
    "inf and nan": b"a\ninf\n-inf\nnan\nNaN\n1\n",
    "gaps": b"a,b\n,\n1,\n,2\n",
    "all gaps": b"a,b\n,\n,\n,\n",
    "NA": b"a\nNA\n1\nN/A\nnull\n2\n",
    "dates": b"t\n2020-01-01\n2020-01-02\n2020-01-03\n",
    "dates with time": b"t\n2020-01-01 00:00:00\n2020-01-01 01:00:00\n",
    "impossible dates": b"t\n2020-02-30\n2020-02-28\n2020-13-01\n",
    "mixed dates": b"t\n2020-01-01\n01/02/2020\nx\n",
    "quoted dates": b't\n"2020-01-01"\n"2020-01-02"\n2020-01-03\n',
    "percent": b"a\n5%\n10%\n7.5%\n",
    "money": b"a\n$5\n$10\n$7.50\n-$3\n",
    "thousands": b'a\n"1,000"\n"2,000"\n5\n',
    "formula": b"a,b\n=cmd(),1\n=1+1,2\n",
    "unicode": "é,ü\n日本,1\n😀,2\n".encode(),
    "not utf-8": b"a,b\n\xff\xfe,1\n\xe9,2\n",
    "utf-16": "a,b\n1,2\n".encode("utf-16"),
    "nul": b"a,b\n1,\x002\n",
    "control": b"a,b\n\x01\x02,1\n\x7f,2\n",
    "long cell": b"a,b\n" + b"x" * 70000 + b",1\ny,2\n",
    "wide": b",".join(b"c%d" % i for i in range(300)) + b"\n" + b",".join(b"%d" % i for i in range(300)) + b"\n",
    "one column": b"a\n1\n2\n3\n",
    "one column, quotes": b'"a"\n"1"\n"2"\n',
    "constant": b"a,b\n1,x\n1,x\n1,x\n",
    "two numbers": b"1,2\n3,4\n",
    "booleans": b"a\ntrue\nFalse\nTRUE\n",
    "hex": b"a\n0x1F\n0xff\n",
    "comment": b"# made today\na,b\n1,2\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("effort", ["", "max_error"])
def test_an_odd_table_comes_back_or_is_refused_in_one_line(name, effort, tmp_path):
    source = tmp_path / "t.csv"
    source.write_bytes(ODD[name])
    options = CompressOptions(max_error={"": "0"} if effort else {})
    try:
        operations.compress(source, tmp_path / "t.aez", options=options)
    except AetoolError as error:
        assert str(error).startswith(str(source)) and "\n" not in str(error)
        assert name in ("utf-16", "nul") or effort, "text comes back whatever it holds"
        assert not (tmp_path / "t.aez").exists()
        return
    out = operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_bytes()
    assert out == ODD[name]
    assert operations.verify(tmp_path / "t.aez")


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(rows, tmp_path):
    frame = pd.DataFrame({"a": np.arange(rows) + 0.5, "b": ["x"] * rows})
    frame["b"] = frame["b"].astype("str")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    for name in ("t.parquet", "t.csv"):
        operations.compress(
            tmp_path / name, tmp_path / "t.aez", options=CompressOptions(force=True)
        )
        out = operations.decompress(tmp_path / "t.aez", tmp_path / f"o{name}")
        read = pd.read_parquet if name.endswith("t") else pd.read_csv
        assert read(out).equals(read(tmp_path / name))


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"{i * 7919 % 1000003}x{i}\n" for i in range(3000)),
        "5\n" * 5000,
        ",\n" * 2000,
        "".join(f"{i}\n" for i in range(5000)),
    ],
    ids=["unique", "constant", "gaps", "counter"],
)
def test_extreme_columns(body, tmp_path):
    (tmp_path / "t.csv").write_text(("a,b\n" if body[0] == "," else "a\n") + body)
    facts = operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    assert (
        operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_bytes()
        == (tmp_path / "t.csv").read_bytes()
    )
    if "x" not in body:
        assert facts["archive_bytes"] < 400


def written(path, columns):
    head = ",".join(f"c{i}" for i in range(columns))
    rows = [",".join(str((i * j) % 7) for i in range(columns)) for j in range(3)]
    path.write_text("\n".join([head, *rows, ""]))
    return path


def restored_of(source):
    """What comes back of the archive that lies beside a file."""
    archive = source.with_suffix(".aez")
    return operations.decompress(archive, source.with_suffix(".back")).read_bytes()


# half a minute, for what the next test shows of two thirds as many columns
@pytest.mark.long
def test_ten_thousand_columns(tmp_path):
    source = written(tmp_path / "t.csv", 10_000)
    operations.compress(source, tmp_path / "t.aez")
    assert restored_of(source) == source.read_bytes()


@pytest.mark.parametrize(
    ("columns", "times"), [(100, 4), pytest.param(625, 10, marks=pytest.mark.long)]
)
def test_more_columns_are_as_many_times_the_work(columns, times, tmp_path):
    sources = [written(tmp_path / f"{n}.csv", n) for n in (columns, times * columns)]
    few, many = (
        calls_of(lambda: operations.compress(source, source.with_suffix(".aez")))
        for source in sources
    )
    assert many < 1.1 * times * few, (few, many)
    for source in sources:
        assert restored_of(source) == source.read_bytes()


@pytest.mark.long
def test_a_cell_of_64_megabytes(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,2\n" + b"xyz " * (16 << 20) + b",3\n4,5\n")
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    assert (
        operations.decompress(tmp_path / "t.aez", tmp_path / "o").read_bytes()
        == (tmp_path / "t.csv").read_bytes()
    )


def test_only_some_columns(tmp_path):
    (tmp_path / "t.csv").write_bytes(b'a,"b c",d\r\n1,"x,y",2.50\r\n3,z,4.25\r\n')
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    out = operations.decompress(tmp_path / "t.aez", tmp_path / "o", columns=["d", "b c"])
    assert out.read_bytes() == b'd,"b c"\r\n2.50,"x,y"\r\n4.25,z\r\n'
    out = operations.decompress(tmp_path / "t.aez", tmp_path / "p", columns=["a"], rows=(1, 2))
    assert out.read_bytes() == b"a\r\n3\r\n"
    with pytest.raises(ParamError, match="no column 'x'; there are a, b c, d"):
        operations.decompress(tmp_path / "t.aez", tmp_path / "q", columns=["x"])
    with Archive(tmp_path / "t.aez") as archive:
        assert archive.to_pandas()["d"].tolist() == [2.5, 4.25]


def test_arrays_and_parquet_come_back_by_value(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.normal(size=(300, 4)).astype(np.float32)
    array[0, 0], array[1, 1], array[2, 2] = np.nan, -0.0, np.inf
    np.save(tmp_path / "t.npy", array)
    np.savez(tmp_path / "t.npz", X=rng.integers(0, 9, (50, 3)), y=rng.random(50))
    frame = pd.DataFrame({
        "i": pd.array([1, None, 2**40], dtype="Int64"),
        "c": pd.Categorical(["x", "y", "x"]),
        "t": pd.to_datetime(["2020-01-01 00:00:00.123456", None, "1950-01-01 00:00:00.000001"]),
        "s": ["a", None, ""], "f": [0.1, 1e300, -0.0], "b": [True, False, True],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    effort = dataclasses.replace(planning.DEFAULT, whole_files=False)
    in_types = CompressOptions(effort=effort)
    for name in ("t.npy", "t.npz", "t.parquet"):
        facts = operations.compress(tmp_path / name, tmp_path / f"{name}.aez", options=in_types)
        assert facts["fidelity"] == "values"
        out = operations.decompress(tmp_path / f"{name}.aez", tmp_path / f"o{name}")
        if name == "t.npy":
            assert np.load(out).dtype == np.float32 and np.load(out).tobytes() == array.tobytes()
        elif name == "t.npz":
            one, two = np.load(tmp_path / name), np.load(out)
            assert all((one[k] == two[k]).all() and one[k].dtype == two[k].dtype for k in one.files)
        else:
            back = pd.read_parquet(out)
            for column in ("i", "t", "s", "f", "b"):
                pd.testing.assert_series_equal(back[column], frame[column], check_dtype=False)
            assert back["c"].tolist() == ["x", "y", "x"]


def test_a_bound_on_one_column_keeps_the_others(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(0, 5, 3000).round(3), "b": rng.integers(0, 1000, 3000)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    for name, read in (("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)):
        options = CompressOptions(max_error={"a": "0.5"}, force=True)
        facts = operations.compress(tmp_path / name, tmp_path / "t.aez", options=options)
        assert facts["fidelity"] == "bounded" and 0.4 < facts["errors"]["a"]["largest"] <= 0.5
        back = read(operations.decompress(tmp_path / "t.aez", tmp_path / "o", force=True))
        assert (back["b"] == frame["b"]).all() and (
            back["a"] - frame["a"]
        ).abs().max() <= 0.5 + 1e-12
        whole = operations.compress(
            tmp_path / name, tmp_path / "u.aez", options=CompressOptions(force=True)
        )
        assert facts["archive_bytes"] < 0.8 * whole["archive_bytes"]
    for wrong, why in (
        ({"x": "1"}, "no column 'x'"),
        ({"": "-1"}, "0 or more"),
        ({"": "much"}, "write a number"),
    ):
        with pytest.raises(ParamError, match=why):
            operations.compress(
                tmp_path / "t.csv", tmp_path / "v.aez", options=CompressOptions(max_error=wrong)
            )


def test_pictures_come_back_pixel_for_pixel(tmp_path):
    rng = np.random.default_rng(0)
    smooth = (np.add.outer(np.arange(40), np.arange(30)) % 256)[None] + rng.integers(
        0, 3, (20, 1, 1)
    )
    pixels = np.clip(smooth, 0, 255).astype(np.uint8)
    np.save(tmp_path / "p.npy", pixels)
    facts = operations.compress(tmp_path / "p.npy", tmp_path / "p.aez")
    assert facts["archive_bytes"] < 0.2 * pixels.nbytes
    assert (np.load(operations.decompress(tmp_path / "p.aez", tmp_path / "o.npy")) == pixels).all()
    body = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape) + pixels.tobytes()
    (tmp_path / "p-idx3-ubyte.gz").write_bytes(gzip.compress(body))
    operations.compress(tmp_path / "p-idx3-ubyte.gz", tmp_path / "q.aez")
    assert operations.decompress(tmp_path / "q.aez", tmp_path / "q").read_bytes() == body


def test_a_folder_of_pictures_comes_back(tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    made = {}
    for i in range(12):
        base = np.add.outer(np.arange(20), np.arange(30))[..., None] * 3 % 256
        colour = (base + rng.integers(0, 4, (20, 30, 3))).clip(0, 255).astype(np.uint8)
        made[f"c{i}.png"] = Image.fromarray(colour)
    made["sub/gray.png"] = Image.fromarray(rng.integers(0, 255, (9, 7)).astype(np.uint8))
    made["alpha.png"] = Image.fromarray(rng.integers(0, 255, (9, 7, 4)).astype(np.uint8))
    made["bits.png"] = Image.fromarray((rng.integers(0, 2, (9, 7)) * 255).astype(np.uint8)).convert(
        "1"
    )
    made["palette.gif"] = made["c0.png"].convert("P")
    made["photo.jpg"] = made["c1.png"]
    made["deep.png"] = Image.fromarray(rng.integers(0, 65535, (9, 7)).astype(np.uint16))
    for name, picture in made.items():
        picture.save(folder / name)
    (folder / "broken.png").write_bytes((folder / "c2.png").read_bytes()[:60])
    facts = operations.compress(folder, tmp_path / "t.aez")
    assert facts["fidelity"] == "pixels" and facts["rows"] == len(made) + 1
    out = operations.decompress(tmp_path / "t.aez", tmp_path / "out")
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.*")} == {*made, "broken.png"}
    for name in made:
        with Image.open(folder / name) as one, Image.open(out / name) as two:
            assert one.mode == two.mode and one.tobytes() == two.tobytes(), name
    for name in ("palette.gif", "photo.jpg", "deep.png", "broken.png"):
        assert (folder / name).read_bytes() == (out / name).read_bytes()
    operations.compress(folder, tmp_path / "k.aez", options=CompressOptions(keep_files=True))
    kept = operations.decompress(tmp_path / "k.aez", tmp_path / "kept")
    assert all((kept / n).read_bytes() == (folder / n).read_bytes() for n in made)
    assert operations.verify(tmp_path / "t.aez") and operations.info(tmp_path / "t.aez")


def test_a_table_of_accounts_is_read_and_restored(tmp_path):
    """`$ -` is nothing and CR a sign, to detect; archives hold the cells as they are written."""
    rng = np.random.default_rng(4)
    amounts = np.exp(rng.normal(5, 1, 600)).round(2)
    # nothing in the one column is nothing in the other: no row contradicts itself
    amounts[::60] = 0
    sides = rng.choice(["CR", "DR"], 600)
    cells = [f"$ {amount:.2f}" for amount in amounts]
    for row in range(0, 600, 60):
        cells[row] = "$ -"
    lines = [f"{cell},{a:.2f} {side}" for cell, a, side in zip(cells, amounts, sides, strict=True)]
    path = tmp_path / "accounts.csv"
    path.write_text("\n".join(["sum,side", *lines]) + "\n")
    model = operations.fit(path)
    said = {column.name: column.understood() for column in model.schema.columns}
    assert said["side"].endswith(", CR below 0") and said["sum"].startswith("numbers, $ 0.00 to $ ")
    detection = operations.detect(path, model)
    assert not {row for row in detection.row.tolist() if row % 60 == 0}
    assert "$ -" not in {value for reasons in detection.named for _, value, _ in reasons}
    operations.compress(path, tmp_path / "a.aez")
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.csv")
    assert back.read_bytes() == path.read_bytes()
    bounded = CompressOptions(max_error={"sum": "0.5"})
    assert set(operations.compress(path, tmp_path / "b.aez", options=bounded)["errors"]) == {"sum"}
    back = operations.decompress(tmp_path / "b.aez", tmp_path / "near.csv")
    restored = [line.split(",") for line in back.read_text().splitlines()[1:]]
    assert [side for _, side in restored] == [line.split(",")[1] for line in lines]
    for (near, _), cell in zip(restored, cells, strict=True):
        if cell == "$ -":
            assert near == cell
        else:
            assert abs(float(near.removeprefix("$ ")) - float(cell.removeprefix("$ "))) <= 0.5001
