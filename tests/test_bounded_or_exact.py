"""An archive within a bound is never larger than the exact one, which keeps any bound: where that
takes no more bytes it is written, and what is told is of it."""

import dataclasses
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aetool import operations
from aetool.archives import exactly
from aetool.bundle import CODEC, EXACT
from aetool.codec import textual
from aetool.codec.archive import Archive
from aetool.operations import CompressOptions, FitOptions
from tests.format_reader import restore
from tests.sweeps import one_in, product

ROWS = 400


def frame(rows, seed=0):
    """Columns that a bound makes smaller, and others that only exact ways store in few bytes."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame()
    table["even"] = np.arange(rows) / 4
    table["again"] = rng.choice(rng.normal(size=6), rows)
    table["noise"] = rng.normal(100, 10, rows).round(3)
    table["word"] = rng.choice(["on", "off", "n/a"], rows)
    return table


def pictures(folder):
    """A folder of pictures of few colours, which exact ways store in few bytes."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(3):
        tile = rng.integers(0, 2, (4, 4, 3), np.uint8) * 255
        Image.fromarray(np.tile(tile, (10, 10, 1))).save(folder / f"{number}.png")
    return folder


SOURCES = {
    "text": lambda folder: frame(ROWS).to_csv(folder / "s.csv", index=False) or folder / "s.csv",
    "few": lambda folder: frame(7).to_csv(folder / "s.csv", index=False) or folder / "s.csv",
    "parquet": lambda folder: frame(ROWS).to_parquet(folder / "s.pq") or folder / "s.pq",
    "memory": lambda folder: frame(ROWS),
    "array": lambda folder: np.arange(2000.0).reshape(500, 4),
    "pixels": lambda folder: np.tile(np.arange(64, dtype=np.uint8).reshape(8, 8), (5, 3, 3)),
    "pictures": lambda folder: pictures(folder / "p"),
}


@pytest.mark.parametrize(
    ("kind", "bound"), one_in(2, product(SOURCES, ["0", "1e-9", "0.001%", "1%", "20%"]))
)
def test_a_bound_never_makes_an_archive_larger(tmp_path, kind, bound):
    source = SOURCES[kind](tmp_path)
    exact = operations.compress(source, tmp_path / "exact.aez")
    options = CompressOptions(max_error={"": bound})
    figures = operations.compress(source, tmp_path / "a.aez", options=options)
    size = figures["archive_bytes"]
    assert size == (tmp_path / "a.aez").stat().st_size <= exact["archive_bytes"]
    with Archive(tmp_path / "a.aez") as archive:
        archive.check()
        is_bounded = archive.mode == "bounded"
    assert (figures["fidelity"] == "bounded") == is_bounded
    if not is_bounded:
        assert figures["fidelity"] == exact["fidelity"] and figures["errors"] == {}
        assert (tmp_path / "a.aez").read_bytes() == (tmp_path / "exact.aez").read_bytes()
        assert not figures.get("changed") and figures.get("bounded_bytes", size) >= size


def test_what_is_said_is_of_the_exact_archive(tmp_path, run):
    source = tmp_path / "even.csv"
    source.write_text("id,x\n" + "".join(f"k{n:05},{n / 4}\n" for n in range(ROWS)))
    done = run("compress", source, "--max-error", "1%", "-o", tmp_path / "a.aez")
    size = (tmp_path / "a.aez").stat().st_size
    first, *notes = done.err.splitlines()
    assert f"a.aez: {size:,} bytes, lossless, " in first
    [note] = notes
    assert note.startswith(f"note: all is stored exactly: {size:,} bytes, and ")
    assert note.endswith(" within the bound")
    assert run("decompress", tmp_path / "a.aez", "-c").out == source.read_text()


def test_a_bound_that_changes_nothing_is_told_of(tmp_path, run):
    source = tmp_path / "noise.csv"
    frame(ROWS)[["noise", "word"]].to_csv(source, index=False)
    notes = {}
    for bound in ("0.0001", "1"):
        done = run("compress", source, "--max-error", bound, "-o", tmp_path / f"{bound}.aez")
        notes[bound] = done.err.splitlines()[1:]
    assert notes["0.0001"] == [
        "note: all is stored exactly: no number can be rounded within 0.0001"
    ]
    assert notes["1"] == ["note: within the bound, with the largest error: noise 1; exact: word"]


@pytest.mark.parametrize(("column", "mode"), [("even", "lossless"), ("noise", "bounded")])
def test_of_a_larger_file_a_piece_tells_whether_the_exact_archive_is_tried(
    tmp_path, monkeypatch, column, mode
):
    source = tmp_path / "s.csv"
    frame(20_000)[[column]].to_csv(source, index=False)
    exact = operations.compress(source, tmp_path / "exact.aez")
    monkeypatch.setattr(exactly, "SMALL", 50_000)
    monkeypatch.setattr(exactly, "PIECE", 10_000)
    tried = []
    write = exactly.exact_job.ExactJob.write
    monkeypatch.setattr(
        exactly.exact_job.ExactJob,
        "write",
        lambda job, file: tried.append(job.content.mode) or write(job, file),
    )
    options = CompressOptions(max_error={"": "5%"})
    figures = operations.compress(source, tmp_path / "a.aez", options=options)
    assert figures["fidelity"] == mode and figures["archive_bytes"] <= exact["archive_bytes"]
    assert tried == ["bounded"] + ["lossless"] * (mode == "lossless")


def test_under_a_model_the_smallest_of_all_ways_is_taken(tmp_path):
    frame(4000, seed=1).to_csv(tmp_path / "many.csv", index=False)
    for of_model in ({}, {"": "1%"}):
        asked = FitOptions("pca", codec=True, max_error=of_model)
        model = operations.fit(tmp_path / "many.csv", asked)
        for seed, columns in enumerate((["even", "again", "word"], frame(1).columns)):
            source = tmp_path / "few.csv"
            table = frame(100, seed)
            others = table.columns.difference(columns)
            # nothing that a bound would make smaller
            table[others] = 100.125
            table.to_csv(source, index=False)
            sizes = []
            for bound in ({}, {"": "1%"}):
                options = CompressOptions(max_error=bound, force=True)
                alone = operations.compress(source, tmp_path / "alone.aez", None, options)
                under = operations.compress(source, tmp_path / "a.aez", model, options)
                assert under["archive_bytes"] <= alone["archive_bytes"]
                assert under.get("shared", False) != ("unused" in under)
                back = operations.decompress(
                    tmp_path / "a.aez", tmp_path / "b.csv", model=model, force=True
                )
                if under["fidelity"] == "lossless":
                    assert back.read_bytes() == source.read_bytes()
                sizes.append(under["archive_bytes"])
            exact, bounded = sizes
            assert bounded <= exact


def levels(rows, seed):
    """Numbers of few values that follow from each other: rounding hides that, and saves nothing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"time": np.arange(rows) * 10})
    table["heat"] = rng.choice([40.0, 41, 42, 43, 45, 50], rows)
    table["load"] = 2 * table["heat"] + 5
    table["state"] = np.where(table["heat"] > 41, "on", "off")
    return table


# two models; under one the smallest of all ways is taken in the fast set
@pytest.mark.long
def test_a_model_for_a_bound_knows_exact_archives_as_well_as_one_without(tmp_path):
    """`fit --max-error 1%` of files that are smaller exactly: the bound costs nothing."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for seed in range(8):
        levels(200, seed).to_csv(folder / f"{seed}.csv", index=False)
    source = tmp_path / "next.csv"
    levels(150, seed=9).to_csv(source, index=False)
    of_bound = operations.fit(folder, FitOptions("pca", codec=True, max_error={"": "1%"}))
    of_exact = operations.fit(folder, FitOptions("pca", codec=True))
    assert of_bound.graphs[EXACT] == of_exact.graphs[CODEC]
    assert EXACT not in of_exact.graphs
    wanted = operations.compress(source, tmp_path / "exact.aez", of_exact)
    # asked for exactly, within the bound that was learned, and within another
    for bound in ({}, {"": "1%"}, {"": "2%"}):
        options = CompressOptions(max_error=bound, force=True)
        figures = operations.compress(source, tmp_path / "a.aez", of_bound, options)
        assert figures["fidelity"] == "lossless" and figures["shared"]
        assert "unused" not in figures
        assert figures["archive_bytes"] == wanted["archive_bytes"]
        back = operations.decompress(
            tmp_path / "a.aez", tmp_path / "back.csv", model=of_bound, force=True
        )
        assert back.read_bytes() == source.read_bytes()
        archive = (tmp_path / "a.aez").read_bytes()
        assert restore(archive, of_bound.to_bytes()) == source.read_bytes()


def test_a_model_for_a_bound_from_before_there_were_two_codecs_keeps_its_archives(tmp_path):
    frame(800, seed=1).to_csv(tmp_path / "many.csv", index=False)
    options = FitOptions("pca", codec=True, max_error={"": "1%"})
    model = operations.fit(tmp_path / "many.csv", options)
    members = {name: member for name, member in model.graphs.items() if name != EXACT}
    earlier = dataclasses.replace(model, graphs=members, _sessions={})
    source = tmp_path / "few.csv"
    frame(100, seed=2).to_csv(source, index=False)
    bounded = CompressOptions(max_error={"": "1%"})
    figures = operations.compress(source, tmp_path / "b.aez", earlier, bounded)
    assert figures["fidelity"] == "bounded" and figures["shared"]
    operations.decompress(tmp_path / "b.aez", tmp_path / "b.csv", model=earlier)
    figures = operations.compress(source, tmp_path / "e.aez", earlier)
    assert figures["unused"] == "it was fitted for max_error 1%"


def test_numbers_that_a_bound_does_not_move_are_stored_in_any_way_that_is_exact():
    texts = [str(number).encode() for number in np.random.default_rng(2).normal(size=ROWS)]
    texts = [text[:6] for text in texts]
    buffer = np.frombuffer(b"".join(texts), np.uint8)
    stop = np.cumsum([len(text) for text in texts]).astype(np.int32)
    start = np.concatenate([[0], stop[:-1]]).astype(np.int32)
    free = textual.encode(buffer, start, stop)
    for bound in (Fraction(0), Fraction(1, 10**9)):
        kept = textual.encode(buffer, start, stop, bound=bound)
        assert kept.meta == free.meta and kept.cells is not None and kept.error == 0
    moved = textual.encode(buffer, start, stop, bound=Fraction(1, 2))
    assert moved.error and moved.cells is None and not moved.others


@pytest.mark.parametrize(("fill", "gap"), list(product([0.02, 0.2], ["", "NA", '""'])))
def test_a_bound_is_for_numbers_however_many_gaps_are_among_them(tmp_path, fill, gap):
    rng = np.random.default_rng(4)
    wanted = {"plain": 0.5, "dollars": 5.0, "powers": 0.25}
    written = pd.DataFrame(
        {
            "plain": [f"{value:.3f}" for value in rng.normal(20, 5, 3000)],
            "dollars": [f"${value:.2f}" for value in rng.normal(200, 50, 3000)],
            "powers": [f"{value:.3e}" for value in rng.normal(20, 5, 3000)],
        }
    )
    is_gap = rng.random((3000, 3)) >= fill
    written = written.mask(is_gap, gap).assign(word=[f"w{number % 40}" for number in range(3000)])
    lines = [",".join(written), *written.agg(",".join, axis=1)]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    of_ranges = {}
    for name in wanted:
        present = written[name][~is_gap[:, list(wanted).index(name)]].str.strip("$").astype(float)
        of_ranges[name] = (present.max() - present.min()) / 100
    for asked, bounds in (
        ({name: str(bound) for name, bound in wanted.items()}, wanted),
        ({"": "1%"}, of_ranges),
    ):
        options = CompressOptions(max_error=asked, force=True)
        figures = operations.compress(tmp_path / "s.csv", tmp_path / "s.aez", None, options)
        assert {name for name, error in figures["errors"].items() if error["largest"]} == set(
            wanted
        )
        path = operations.decompress(tmp_path / "s.aez", tmp_path / "again.csv", force=True)
        again = path.read_text().splitlines()
        assert len(again) == len(lines) and again[0] == lines[0]
        for row, (line, line_again) in enumerate(zip(lines[1:], again[1:], strict=True)):
            cells, cells_again = line.split(","), line_again.split(",")
            assert cells[3] == cells_again[3]
            for place, name in enumerate(wanted):
                if is_gap[row, place]:
                    assert cells_again[place] == gap
                else:
                    off = float(cells_again[place].strip("$")) - float(cells[place].strip("$"))
                    assert abs(off) <= bounds[name] * (1 + 1e-9)
