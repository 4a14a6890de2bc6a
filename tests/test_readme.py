"""What the README says is true: its commands and its Python are run as they stand, the outputs it
shows are compared, and what each command leaves is judged."""

import functools
import io
import json
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import aetool
from aetool import operations
from aetool.cli import demo, status
from tests.conftest import DEMO, Ran

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
AIR = DEMO / "beijing_air.csv"
PLANTED = [row for row, _, _ in demo.PLANTED]
SCRATCHED = "3.png"
NEAR = 0.02  # relative: printed results of floating point, and bytes that depend on them
CHECKS = {}  # by command line: what must be true after it
LONG_CHECKS = {}  # further ones, by what test_demo.py looks at in the fast set


def after(line, checks=CHECKS):
    """Declares the check of a command of the README."""

    def declare(check):
        checks[line] = check
        return check

    return declare


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def commands():
    """(line, what the README shows that it prints) of every console block, in order."""
    found = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def alike(shown, printed):
    """Whether two lines are equal but for small differences of results in floating point: numbers
    with a decimal point or a comma of thousands, and expected values. Rows and counts are exact."""
    number = r"(expected -?\d[\d.,]*\d|expected \d|-?\d+\.\d+|\d{1,3}(?:,\d{3})+)"
    ours, theirs = re.split(number, shown), re.split(number, printed)
    if len(ours) != len(theirs) or ours[::2] != theirs[::2]:
        return False
    pairs = zip(ours[1::2], theirs[1::2], strict=True)
    value = lambda text: float(text.removeprefix("expected ").replace(",", ""))  # noqa: E731
    return all(value(a) == pytest.approx(value(b), rel=NEAR) for a, b in pairs)


def said(*arguments, capfd):
    """A further command, run for a check."""
    capfd.readouterr()
    code = status([str(a) for a in arguments])
    return Ran(code, *capfd.readouterr())


@functools.cache
def table(path="air.csv"):
    return pd.read_csv(path)


def errors(path):
    """By column of numbers: root mean square error in standard deviations; the mean has 1."""
    original, restored = pd.read_csv("air.csv"), pd.read_csv(path)
    assert list(restored) == list(original) and len(restored) == len(original)
    numeric = original.select_dtypes("number")
    squares = np.square(numeric - restored[list(numeric)])
    return np.sqrt(squares.mean()) / numeric.std()


def explained(path):
    """Part of the variance of the columns of numbers that a restored table has."""
    return 1 - float(np.square(errors(path)).mean())


def flagged(model, capfd, *options):
    """Rows of the damaged table that are flagged, as printed."""
    demo.plant(Path("air.csv"), Path("damaged.csv"))
    chosen = ["-m", model] if model else []
    done = said("detect", "damaged.csv", *chosen, *options, capfd=capfd)
    assert done.status == 0, done.err
    lines = done.out.splitlines()[1:]
    for row, column, _ in demo.PLANTED:
        why = [line.split(",")[3].strip('"') for line in lines if line.startswith(f"{row},")]
        assert why and why[0].startswith(f"{column}="), f"{row}: {column} is not named first"
    return [int(line.split(",")[0]) for line in lines]


@after("aetool fit air.csv --codec -o air.aem")
def _(ran, capfd):
    assert flagged("air.aem", capfd) == sorted([*PLANTED, 98, 1584, 4744]), "by its own"
    assert sorted(flagged("air.aem", capfd, "--top", 5)) == sorted([*PLANTED, 4744])


@after("aetool fit air.csv --codec -o air.aem", LONG_CHECKS)
def _(ran, capfd):
    # the anomalies of a file are found in that file, too
    assert said("fit", "damaged.csv", "-o", "damaged.aem", capfd=capfd).status == 0
    own = flagged("damaged.aem", capfd)
    assert set(PLANTED) <= set(own) and len(own) <= 0.002 * 5000


@after("aetool detect air.csv -m air.aem --top 3 --id time")
def _(ran, capfd):
    scores = [float(line.split(",")[1]) for line in ran.out.splitlines()[1:]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


@after("aetool detect \"air.db::SELECT * FROM hours WHERE time < '2016-04'\" -m air.aem --count")
def _(ran, capfd):
    own = operations.detect("air.csv", aetool.load("air.aem"), append=["time"]).to_pandas()
    assert int(ran.out) == (own["time"] < "2016-04").sum() > 0


@after("aetool detect hours/ -m air.aem --top 3 --id month")
def _(ran, capfd):
    whole = operations.detect("air.csv", aetool.load("air.aem"), top=3).to_pandas()
    found = pd.read_csv(io.StringIO(ran.out), dtype={"month": str})
    assert found["row"].tolist() == whole["row"].tolist(), "months are in the order of the hours"
    assert found["score"].tolist() == whole["score"].tolist()
    assert found["month"].tolist() == table()["time"].str[5:7][whole["row"] - 1].tolist()


@after("aetool compress air.csv -m air.aem -o air.aez")
def _(ran, capfd):
    plain = operations.compress("air.csv", "plain.aez")["archive_bytes"]
    assert Path("air.aez").stat().st_size / plain == pytest.approx(0.955, abs=0.005), "4.5 % less"


@after("aetool export air.aem -o onnx --verify")
@after("aetool export vae.aem -o vae_onnx --verify")
@after("aetool export air.aem -o air32 --float32 --verify")
def _(ran, capfd):
    assert float(ran.out.split()[-1]) < 1e-5
    assert "\x1b" not in ran.err and "arning" not in ran.err
    for folder in (Path(name) for name in ("onnx", "vae_onnx", "air32")):
        graphs = {path.stem for path in folder.glob("*.onnx")}
        assert not folder.exists() or graphs == {"encoder", "decoder", "score"}


@after("aetool detect air.csv -m air.aem --fpr 0.5% -q --count --report air.html")
def _(ran, capfd):
    text = Path("air.html").read_text()
    assert "default-src 'none'" in text and len(text) < 200_000
    assert f"{ran.out.strip()} of 5,000 records" in text and "PM10" in text


@after("aetool report air.aem air.csv -o shown.html --fpr 0.5%")
def _(ran, capfd):
    # the same page, whichever command writes it
    assert Path("shown.html").read_bytes() == Path("air.html").read_bytes()
    assert said("report", "air.aem", "air.csv", "-o", "shown.html", capfd=capfd).status == 2


@after("aetool drift air.aem air.csv -q")
def _(ran, capfd):
    assert ran.out == "same\n" and ran.err == ""
    early = Path("early.csv")
    early.write_text("".join(Path("air.csv").read_text().splitlines(keepends=True)[:2001]))
    other = said("drift", "air.aem", early, "--exit-code", capfd=capfd)
    assert other.status == 1 and other.out.startswith("shifted\n") and "TEMP" in other.out
    table().drop(columns="TEMP").to_csv("cool.csv", index=False)
    assert said("drift", "air.aem", "cool.csv", capfd=capfd).out.startswith("broken\n")


@after("aetool detect air.csv --explain-columns")
def every_column_is_explained(ran, capfd):
    explained = [line.partition(": ")[0] for line in ran.out.splitlines()]
    assert explained == list(table().columns)
    missing = int(table()["PM2.5"].isna().sum())
    assert f"{missing} missing (written 'NA')" in ran.out.splitlines()[1]


@after("aetool detect air.csv --id time")
def _(ran, capfd):
    rows = [int(line.split(",")[0]) for line in ran.out.splitlines()[1:]]
    assert {98, 1584} <= set(rows) and len(rows) <= 0.002 * 5000


@after("aetool detect air.csv --id time", LONG_CHECKS)
def _(ran, capfd):
    rows = flagged(None, capfd)
    assert set(PLANTED) <= set(rows) and len(rows) - len(PLANTED) <= 0.002 * 5000


@after("aetool detect air.csv -m air.aem --fpr 1% --count")
def _(ran, capfd):
    assert int(ran.out) == pytest.approx(10, abs=3)
    header, *hours = AIR.read_text().splitlines(keepends=True)
    stretches = {"first": slice(2500), "other": slice(2500, None), "next": slice(2500, 3750), "last": slice(3750, None)}  # fmt: skip
    for name, which in stretches.items():
        Path(f"{name}.csv").write_text("".join([header, *hours[which]]))
    assert said("fit", "first.csv", "-o", "first.aem", capfd=capfd).status == 0

    def share(name, *options):
        judged = ["detect", f"{name}.csv", "-m", "first.aem", "--fpr", "1%", "--count"]
        return int(said(*judged, *options, capfd=capfd).out) / len(hours[stretches[name]])

    assert share("other") == pytest.approx(0.045, abs=0.006)
    assert share("last") == pytest.approx(0.030, abs=0.006)
    assert share("last", "--calibration", "next.csv") == pytest.approx(0.003, abs=0.002)


@after("aetool detect air.csv -m air.aem --top 20 --append --format jsonl -o odd.jsonl")
def _(ran, capfd):
    records = [json.loads(line) for line in Path("odd.jsonl").read_text().splitlines()]
    scores = [record["score"] for record in records]
    assert len(records) == 20 and scores == sorted(scores, reverse=True)
    assert {98, 1584} <= {record["row"] for record in records[:5]}
    assert all(r["PM10"] == table()["PM10"][r["row"] - 1]
               for r in records if r["PM10"] is not None)  # fmt: skip


@after("aetool detect air.csv -m air.aem --max-flagged 5% --count")
def _(ran, capfd):
    assert int(ran.out) == 3, "as it says of the file that was fitted"


@after("aetool fit air.csv --label wd --normal N,NNE,NE -o north.aem")
def _(ran, capfd):
    assert "wd" not in [c.name for c in aetool.load("north.aem").schema.modelled]


@after("aetool evaluate air.csv -m north.aem --label wd --normal N,NNE,NE")
def _(ran, capfd):
    figures = dict(line.rsplit(maxsplit=1) for line in ran.out.splitlines())
    assert float(figures["auroc"]) > 0.65, "chance has 0.5"
    assert float(figures["average precision"]) > 4003 / 5000 + 0.05, "chance has their part"


def network(name, ran, capfd):
    """A code in use, better than PCA of its size, as printed and by our own reckoning."""
    used, units, ours, pca = re.search(
        r"code: ([\d.]+) of (\d+) units in use, explains ([\d.]+) % .*PCA of \d+: ([\d.]+) %",
        ran.err,
    ).groups()
    assert used == units and float(ours) > float(pca) > 85 and "warning" not in ran.err
    model, linear = aetool.load(name), aetool.fit("air.csv", plugin="pca", latent=int(units))
    codes = model.encode(table())
    assert codes.std(axis=0).min() > 0.05
    worth = {}
    for one in (model, linear):
        one.decode(one.encode(table())).to_csv("decoded_here.csv", index=False)
        worth[one] = explained("decoded_here.csv")
    assert worth[model] > worth[linear] + 0.03, worth


@after("aetool fit air.csv -p vae -o vae.aem")
def _(ran, capfd):
    network("vae.aem", ran, capfd)
    assert sorted(flagged("vae.aem", capfd, "--top", 4)) == PLANTED
    assert set(PLANTED) <= set(flagged("vae.aem", capfd))


@after("aetool detect air.csv -m vae.aem --top 5")
def _(ran, capfd):
    assert len(ran.out.splitlines()) == 6


@after("aetool sample -m vae.aem -n 500 -o drawn.csv")
def _(ran, capfd):
    drawn, data = pd.read_csv("drawn.csv"), table()
    assert len(drawn) == 500 and set(drawn["wd"].dropna()) <= set(data["wd"].dropna())
    assert (drawn.isna().mean() - data.isna().mean()).abs().max() < 0.03, "gaps as often"
    numeric = data.select_dtypes("number")
    off = (drawn[list(numeric)].mean() - numeric.mean()).abs() / numeric.std()
    assert off.max() < 0.25
    ratio = drawn[list(numeric)].std() / numeric.std()
    assert ratio.drop("RAIN").between(0.7, 1.3).all(), "RAIN is 0 but for one hour in 25"
    assert (drawn[list(numeric)].corr() - numeric.corr()).abs().drop("RAIN")["PM2.5"].max() < 0.2


@after("aetool sample -m vae.aem --like air.csv --spread 0.2 -o near_air.csv")
def _(ran, capfd):
    assert errors("near_air.csv").max() < 0.7, "near each"
    assert not pd.read_csv("near_air.csv").equals(table())


@after("aetool fit air.csv -p denoising -o clean.aem")
def _(ran, capfd):
    network("clean.aem", ran, capfd)


@after("aetool denoise air.csv -m clean.aem --fill-missing -o filled.csv")
def _(ran, capfd):
    filled, data = pd.read_csv("filled.csv"), table()
    numeric = list(data.select_dtypes("number"))
    assert data[numeric].isna().any().any() and not filled[numeric].isna().any().any()
    there = data[numeric].notna()
    assert (filled[numeric][there] == data[numeric])[there].stack().all(), "nothing else changed"
    # of known cells, hidden: filled better than by the column's mean
    hidden = there & (np.random.default_rng(0).random(there.shape) < 0.03)
    gappy = data.copy()
    gappy[numeric] = gappy[numeric].mask(hidden)
    gappy.to_csv("gappy.csv", index=False)
    done = said("denoise", "gappy.csv", "-m", "clean.aem", "--fill-missing", "-o", "mended.csv",
                capfd=capfd)  # fmt: skip
    assert done.status == 0, done.err
    mended = pd.read_csv("mended.csv")[numeric]
    ours = np.square((mended - data[numeric])[hidden]).mean()
    mean = np.square((gappy[numeric].mean() - data[numeric])[hidden]).mean()
    assert (ours < 0.6 * mean).all(), ours / mean


@after("aetool denoise filled.csv -m clean.aem -o smooth.csv")
def _(ran, capfd):
    assert explained("smooth.csv") > 0.9


@after("aetool encode air.csv -m clean.aem --id time -o codes.csv")
def _(ran, capfd):
    codes = pd.read_csv("codes.csv")
    assert list(codes["time"]) == list(table()["time"])
    assert codes.filter(regex="^z").std().min() > 0.05


@after("aetool decode codes.csv -m clean.aem -o decoded.csv")
def _(ran, capfd):
    restored = pd.read_csv("decoded.csv")
    numeric = table().select_dtypes("number")
    squares = np.square(restored[list(numeric)] - numeric).mean() / numeric.var()
    assert squares.mean() < 0.1 and squares.max() < 0.2, "the mean has 1"


@after("aetool encode air.csv -O latent=2 --plot map.png --color TEMP")
def _(ran, capfd):
    picture = Image.open("map.png").convert("RGB")
    assert len(picture.getcolors(1 << 20)) > 100, "coloured by a number"


@after("aetool similar air.csv --row 98 --in air.csv -m clean.aem -k 3 --id time,PM10")
@after("aetool similar air.csv --row 98 --in air.csv -m clean.aem -k 3 --binary")
@after("aetool similar air.csv --row 98 --in code.aez -m vae.aem -k 5")
def _(ran, capfd):
    rows = [int(line.split(",")[2]) for line in ran.out.splitlines()[1:]]
    assert rows[0] == 98 and 1584 in rows, "itself, then the other storm"


@after("aetool fit air.csv -p pca -O probabilistic=true -o ppca.aem")
def _(ran, capfd):
    assert aetool.load("ppca.aem").latent == 8
    done = said("detect", "damaged.csv", "-m", "ppca.aem", "--top", 50, capfd=capfd)
    assert set(PLANTED) <= {int(line.split(",")[0]) for line in done.out.splitlines()[1:]}


@after("aetool info ppca.aem --loadings")
def _(ran, capfd):
    parts = [float(p) for p in re.findall(r"explained ([\d.]+)", ran.out)]
    assert parts == sorted(parts, reverse=True) and 0.9 < sum(parts) < 1
    numeric = table().select_dtypes("number").corr()
    assert numeric.loc["CO", "PM2.5"] > 0.5, "as both load on z0 alike"
    first = ran.out.splitlines()[1]
    assert re.search(r"CO (?P<sign>-?)0\.\d+  PM2.5 (?P=sign)0\.\d+", first)


@after("aetool compress air.csv")
def _(ran, capfd):
    import lzma

    data = Path("air.csv").read_bytes()
    assert Path("air.csv.aez").stat().st_size < 0.8 * len(lzma.compress(data, preset=9))


@after("aetool detect air.csv.aez")
def _(ran, capfd):
    found = operations.detect("air.csv.aez", all_rows=True)
    told = found.ledger
    of_no_record = told.learning + sum(told.overhead.values())
    assert (found.bits.sum() - told.learning + of_no_record) / 8 == pytest.approx(
        told.payload, abs=1
    )
    assert told.payload < told.file == Path("air.csv.aez").stat().st_size


@after("aetool detect air.csv.aez --explain-columns")
def _(ran, capfd):
    assert ran.out.count("bits a record, usually") == len(table().columns)


@after("aetool compress air.csv --flag 5 -o flagged.aez")
def _(ran, capfd):
    again = said("detect", "flagged.aez", "--top", 5, capfd=capfd)
    assert ran.out == again.out and ran.out.count("\n") == 6


@after("aetool decompress air.csv.aez -o same.csv")
def _(ran, capfd):
    assert Path("same.csv").read_bytes() == AIR.read_bytes()


@after("aetool decompress air.csv.aez --rows 101:200 -o hundred.csv")
def _(ran, capfd):
    lines = AIR.read_text().splitlines()
    assert Path("hundred.csv").read_text().splitlines() == [lines[0], *lines[101:201]]


@after("aetool decompress air.csv.aez -c --rows 101:103 --columns time,TEMP")
def _(ran, capfd):
    lines = [",".join((c[0], c[7])) for c in (s.split(",") for s in AIR.read_text().splitlines())]
    assert ran.out.splitlines() == [lines[0], *lines[101:104]]


@after("aetool compress air.csv --max-error 1% --max-error TEMP=0.5 -o bounded.aez")
def _(ran, capfd):
    operations.decompress("bounded.aez", "bounded.csv")
    data, restored = table(), pd.read_csv("bounded.csv")
    numeric = data.select_dtypes("number")
    bound = 0.01 * (numeric.max() - numeric.min())
    bound["TEMP"] = 0.5
    largest = (restored[list(numeric)] - numeric).abs().max()
    assert (largest <= bound * (1 + 1e-12)).all() and largest["TEMP"] > 0.3
    exact = ["time", "wd"]
    assert restored[exact].equals(data[exact]) and restored.isna().equals(data.isna())
    assert Path("bounded.aez").stat().st_size < 0.7 * Path("air.csv.aez").stat().st_size


@after("aetool compress air.csv --best -o small.aez")
def _(ran, capfd):
    assert Path("small.aez").stat().st_size <= Path("air.csv.aez").stat().st_size


@after("aetool info bounded.aez")
def _(ran, capfd):
    assert (
        "fidelity         bounded" in ran.out and "TEMP                     largest 0.5" in ran.out
    )


@after("aetool verify air.csv.aez bounded.aez small.aez vae.aem")
def _(ran, capfd):
    assert ran.out.count(": intact (") == 4
    data = bytearray(Path("small.aez").read_bytes())
    data[len(data) // 2] ^= 1
    Path("broken.aez").write_bytes(data)
    assert said("verify", "broken.aez", capfd=capfd).status == 1


@after("aetool fit parts/ -o parts.aem")
def _(ran, capfd):
    assert aetool.load("parts.aem").schema is None, "of pictures"


@after("aetool detect new/ -m parts.aem --top 5 --sheet worst.png --heatmap where")
def _(ran, capfd):
    first = ran.out.splitlines()[1]
    assert SCRATCHED in first and "brighter than expected" in first
    assert Path("worst.png").exists()
    assert {f"{Path(SCRATCHED).stem}_{kind}.png" for kind in ("overlay", "map", "mask")} <= {
        path.name for path in Path("where").iterdir()
    }


@after("aetool compress new/ -o new.aez")
@after("aetool decompress new.aez -o new_again")
def _(ran, capfd):
    for path in Path("new_again").glob("*.png"):
        assert np.array_equal(Image.open(path), Image.open(Path("new") / path.name))


@after("aetool plugins new smooth")
def _(ran, capfd):
    assert {path.name for path in Path("aetool-smooth/aetool_smooth").iterdir()} == {
        "__init__.py",
        "net.py",
    }
    assert "pip install -e aetool-smooth" in ran.err and "pip install -e aetool-smooth\n" in README


@after("aetool compress air.csv --shard 1/2 -o one.aez")
@after("aetool compress air.csv --shard 2/2 -o two.aez --engine threads:2")
def _(ran, capfd):
    assert ran.err.split(":")[0] in ("one.aez", "two.aez")


@after("aetool merge one.aez two.aez -o merged.aez")
def _(ran, capfd):
    assert Path("merged.aez").read_bytes() == Path("air.csv.aez").read_bytes()


@after("aetool verify merged.aez")
def _(ran, capfd):
    assert ran.out == "merged.aez: intact (archive lossless, rows 5,000)\n"


@after("aetool verify air.aez -m air.aem")
def _(ran, capfd):
    assert ": intact (" in ran.out


@after("aetool decompress air.aez -m air.aem -o again.csv")
def _(ran, capfd):
    assert Path("again.csv").read_bytes() == AIR.read_bytes()


@after("aetool tradeoff air.csv -p pca --rmse 20% -o tradeoff.svg")
def _(ran, capfd):
    assert Path("tradeoff.svg").read_text(encoding="utf-8").startswith("<svg")
    assert sum("<- pick" in line for line in ran.out.splitlines()) == 1
    shown = (ROOT / "benchmarks" / "tradeoff.svg").read_text(encoding="utf-8")
    names = set(re.findall(r">([^<>]+)</text>", shown))
    assert {"exact", "bounded", "code of pca", "xz", "bzip2", "zstd", "pick"} <= names


@after("aetool compress air.csv --rmse 20% -o fifth.aez")
def _(ran, capfd):
    operations.decompress("fifth.aez", "fifth.csv")
    # words and dates are exact, and do not count
    squares = np.square(errors("fifth.csv"))
    assert 0.19 < np.sqrt(squares.mean()) <= 0.2


@after("aetool compress air.csv --budget 10kB -o ten.aez")
def _(ran, capfd):
    assert 9_000 < Path("ten.aez").stat().st_size <= 10_000


@after("aetool compress air.csv --lossy -m vae.aem -o near.aez")
def _(ran, capfd):
    assert Path("near.aez").stat().st_size < Path("air.csv.aez").stat().st_size


@after("aetool compress air.csv --lossy-only -m vae.aem -o code.aez")
def _(ran, capfd):
    with aetool.open("code.aez") as archive:
        assert archive.facts["bytes"]["code"] > 5000, "a byte a record at least"
    assert Path("code.aez").stat().st_size < 0.5 * Path("air.csv.aez").stat().st_size


@after("aetool decompress code.aez -m vae.aem -o near.csv")
def _(ran, capfd):
    assert explained("near.csv") > 0.85 and errors("near.csv").drop("RAIN").max() < 0.4
    restored, exact = pd.read_csv("near.csv"), ["time", "wd"]
    assert restored[exact].equals(table()[exact]), "stored exactly"
    operations.decompress("near.aez", "nearer.csv")
    assert (errors("nearer.csv") <= errors("near.csv")).all(), "bounded, at no more error"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("readme"))


def filled(folder):
    """A folder with all that the README's commands find there."""
    shutil.copy(AIR, folder / "air.csv")
    with_parts(folder)
    with_pictures(folder)
    return folder


def with_pictures(folder):
    """A folder of ordinary parts, discs of slightly different size and place, and one of new ones,
    of which one has a scratch."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:24, :24]
    for name, count in (("parts", 40), ("new", 6)):
        (folder / name).mkdir()
        for number in range(count):
            middle, radius = rng.normal(11.5, 0.5, 2), rng.normal(8, 0.3)
            far = np.hypot(down - middle[0], across - middle[1])
            pixels = np.where(far < radius, 150, 60) + rng.normal(0, 4, far.shape)
            if f"{name}/{number}.png" == f"new/{SCRATCHED}":
                pixels[9:11, 6:18] = 240
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")


def with_parts(folder):
    """The table in a database, all of it texts as sqlite3 imports it, and by month in a folder."""
    hours = pd.read_csv(folder / "air.csv", dtype=str, keep_default_na=False)
    database = sqlite3.connect(folder / "air.db")
    hours.to_sql("hours", database, index=False)
    database.close()
    for month, rows in hours.groupby(hours["time"].str[5:7]):
        (folder / "hours" / f"month={month}").mkdir(parents=True)
        rows.to_csv(folder / "hours" / f"month={month}" / "a.csv", index=False)


# What takes longest: networks of all the table, searches of an archive by many that are written, and
# rates by fits of parts of the table.
SLOW_WORDS = (
    "-p vae", "-p denoising", "-O latent=2", "tradeoff", "--best", "--rmse", "--budget", "--shard",
    "--flag", "--float32", "--label", "--fpr 1%", "--max-error", "hours/", "parts",
)  # fmt: skip


def quick_commands():
    """The commands of the README but those that take longest and those that need what they write."""
    quick, written_by_others = [], set()
    for line, shown in commands():
        words = shlex.split(line)
        is_slow = any(word in line for word in SLOW_WORDS)
        if is_slow or not written_by_others.isdisjoint(words):
            written_by_others.update(words[words.index("-o") + 1 :][:1] if "-o" in words else ())
        else:
            quick.append((line, shown))
    return quick


def run_commands(chosen, capfd, further=None):
    """What these commands printed, line by line; each needs what those before it have written.
    further: checks by command line, beside CHECKS."""
    printed, wrong = [], []
    for line, shown in chosen:
        assert line.startswith("aetool ")
        ran = said(*shlex.split(line)[1:], capfd=capfd)
        assert ran.status == 0, f"{line}\n{ran.err}"
        lines = [*ran.out.splitlines(), *ran.err.splitlines()]
        missing = [one for one in shown if not any(alike(one, other) for other in lines)]
        if missing:
            wrong.append((line, "prints no such line", missing, lines))
        try:
            CHECKS[line](ran, capfd)
            if line in (further or {}):
                further[line](ran, capfd)
        except AssertionError as error:
            wrong.append((line, str(error)))
        printed += lines
    assert not wrong, "\n".join(map(str, wrong))
    return printed


@pytest.mark.usefixtures("fits_once")
def test_its_quick_commands_do_what_it_says(place, monkeypatch, capfd):
    monkeypatch.chdir(place)
    assert sorted(CHECKS) == sorted(line for line, _ in commands()), "a check for each"
    quick = quick_commands()
    assert len(quick) > 0.4 * len(commands())
    run_commands(quick, capfd)


# two networks and a survey of ways take minutes; the fast set has the other commands
@pytest.mark.long
def test_its_commands_do_what_it_says(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(filled(tmp_path))
    printed = run_commands(commands(), capfd, LONG_CHECKS)
    for one in "".join(blocks("text")).splitlines():
        assert any(alike(one, other) for other in printed), one


@pytest.mark.usefixtures("fits_once")
def test_its_first_python_runs(place, monkeypatch):
    monkeypatch.chdir(place)
    names = {}
    first, *others = (compile(code, "README.md", "exec") for code in blocks("python"))
    assert others
    exec(first, names)
    assert len(names["hundred"]) == 100 and names["hundred"]["time"][0] == table()["time"][100]
    assert len(names["flagged"]) > 0 and set(names["flagged"]["row"]) >= {98, 1584}
    flagged_by_strict = names["same"]["anomaly"]
    assert len(flagged_by_strict) == 5000 and flagged_by_strict.sum() >= 2


# a code by the whole table and a search over models take a quarter of a minute
@pytest.mark.long
def test_its_python_runs(place, monkeypatch):
    monkeypatch.chdir(place)
    # left by its first lines, where these ran before
    for name in ("strict.aem", "air_frame.aez"):
        Path(name).unlink(missing_ok=True)
    names = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), names)
    frame = names["frame"]
    assert len(names["hundred"]) == 100 and names["hundred"]["time"][0] == table()["time"][100]
    assert len(names["flagged"]) > 0 and set(names["flagged"]["row"]) >= {98, 1584}
    flagged_by_strict = names["same"]["anomaly"]
    assert len(flagged_by_strict) == 5000 and flagged_by_strict.sum() >= 2
    assert {98, 1584} <= set(names["found"].nlargest(5, "score")["row"])
    assert names["why"]["column"][0] == "PM10" and names["why"]["found"][0] == "800"
    assert names["differs"].word == "shifted" and Path("model.html").exists()
    assert len(names["part"]) == 100 and names["codes"].shape == (5000, 8)
    numeric = frame.select_dtypes("number")
    left = np.square(names["near"][list(numeric)] - numeric).mean() / numeric.var()
    assert left.mean() < 0.15, "the mean has 1"
    assert (names["drawn"].isna().mean() - frame.isna().mean()).abs().max() < 0.08
    assert names["alike"]["row"].iloc[0] == 97
    assert len(names["odd"]) == 10 and {97, 1583} <= set(names["odd"].index)
    assert (~names["calm"]).sum() == 78 and names["search"].best_score_ > 0.7


def test_lines_that_differ_are_not_alike():
    assert alike("98,15.7943,PM10=800 (expected 209)", "98,15.7950,PM10=800 (expected 208)")
    assert not alike("98,15.7943", "97,15.7943") and not alike("98,15.7943", "98,17.7943")
    assert not alike("a: 9,573 bytes", "a: 10,573 bytes") and not alike("3 of 5000", "4 of 5000")


def anchors(path):
    """What the headings of a page are reached by: lower case, no punctuation, hyphens for blanks."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_its_links_and_options_are_real():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 10
    for link in links:
        name, _, anchor = link.partition("#")
        path = ROOT / (name or "README.md")
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link
    source = "".join(p.read_text() for p in (ROOT / "aetool" / "cli").glob("*.py"))
    for option in set(re.findall(r"--[a-z][a-z-]+", README)):
        is_ours = f'"{option}' in source or f"{option}/" in source
        assert is_ours or option in ("--verify", "--help"), option


def members_in(guide, heading):
    """The members that the table below a heading of the guide names, methods alone."""
    (section,) = (part for part in guide.split("\n## ") if part.startswith(heading))
    rows = re.findall(r"^\| (`[^|]+) \|", section, flags=re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)\(", row)}


def test_the_authors_guide_names_what_there_is():
    guide = (ROOT / "plugins" / "README.md").read_text()
    base = (ROOT / "aetool" / "nn" / "autoencoder.py").read_text()
    public = set(re.findall(r"^    def ([a-z]\w*)\(", base, flags=re.M))
    named = members_in(guide, "What you can override")
    assert public - {"width"} == named, "every member is in the table"
    solution = (ROOT / "aetool" / "closed_form" / "solution.py").read_text()
    for name in members_in(guide, "A closed form"):
        assert f"def {name}(" in solution, name
    from aetool.operations import authoring

    written = (ROOT / "plugins" / "REFERENCE.md").read_text()
    assert written == authoring.reference(), "make reference"


def example(name):
    """The module of an example of `benchmarks`, by its name."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_table_is_scored_by_hand_as_by_detect(tmp_path):
    """Numbers, a date, words and gaps, one word that the model never saw and one odd cell."""
    rng = np.random.default_rng(8)
    moments = pd.date_range("2024-03-01", periods=400, freq="h").strftime("%Y-%m-%dT%H:%M")
    frame = pd.DataFrame({"time": moments, "heat": rng.normal(20, 3, 400).round(1)})
    frame["kind"] = rng.choice(["up", "down"], 400, p=[0.7, 0.3])
    frame["load"] = (2 * frame["heat"] + rng.normal(0, 1, 400)).round(2)
    frame.loc[::30, "load"] = np.nan
    model = operations.fit(frame, operations.FitOptions())
    operations.export(model, tmp_path / "graphs")
    later = frame.astype({"heat": object})
    later.loc[7, "kind"] = "sideways"
    later.loc[9, "heat"] = "warm"
    later.to_csv(tmp_path / "later.csv", index=False)
    scores, flagged = example("score_by_hand").scores_of(
        str(tmp_path / "graphs"), str(tmp_path / "later.csv")
    )
    found = operations.detect(tmp_path / "later.csv", model, all_rows=True)
    np.testing.assert_allclose(scores, found.score, rtol=1e-5)
    np.testing.assert_array_equal(flagged, found.anomaly)
    assert flagged[9]


def test_the_example_by_hand(folder, work, tmp_path):
    """40 lines: the exported graphs, onnxruntime and numpy."""
    from aetool.testing import pictures

    np.save(tmp_path / "p.npy", pictures(60)[:, 0])
    model = operations.fit(tmp_path / "p.npy", operations.FitOptions(plugin="pca"))
    operations.export(model, tmp_path / "graphs")
    by_hand = example("by_hand")
    packed = by_hand.compress(str(tmp_path / "graphs"), pictures(60))
    back = by_hand.decompress(str(tmp_path / "graphs"), packed)
    assert len(packed) < 0.5 * 60 * 64 and np.abs(back.astype(float) - pictures(60)).mean() < 10
