"""A lossy archive is never larger than an exact or bounded one of no more error."""

import dataclasses
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import bundle as bundles
from aetool import operations
from aetool.archives import exact_job, rivals
from aetool.cli import remarks
from aetool.codec.archive import Archive
from aetool.codec.lossy import bound_of_error
from aetool.errors import ArchiveError, DataError, ParamError
from aetool.operations import CompressOptions, FitOptions
from tests.conftest import DEMO, fitted, write_rows
from tests.sweeps import one_in

LOSSY = CompressOptions(lossy=True, embed=False, force=True)
ONLY = dataclasses.replace(LOSSY, lossy_only=True)


def errors_of(source, archive, model=None):
    """Root mean square error of numbers, part wrong of other columns, by pandas alone."""
    back = operations.decompress(archive, archive.with_suffix(".back"), model=model, force=True)
    read = pd.read_parquet if source.suffix == ".parquet" else pd.read_csv
    one, two = read(source), read(back)
    assert one.shape == two.shape
    errors = {}
    for name in one:
        a, b = one[name], two[name]
        assert (a.isna() == b.isna()).all(), "gaps are kept"
        if pd.api.types.is_numeric_dtype(a):
            errors[name] = float(np.sqrt(np.square(a - b).mean()))
        else:
            errors[name] = float((a.fillna("") != b.fillna("")).mean())
    return errors


def written(source, path, model=None, options=None):
    """(figures, bytes) of an archive."""
    figures = operations.compress(source, path, model, options)
    assert figures["archive_bytes"] == path.stat().st_size
    return figures, path.read_bytes()


@pytest.fixture(scope="module")
def air_model(air_pca):
    return bundles.load(air_pca)


def test_bounded_is_taken_where_it_is_smaller_at_no_more_error(whole_air, tmp_path):
    # of fewer records the bounds are further apart, and less of the error is used
    air = tmp_path / "air.csv"
    air.write_bytes(b"".join(whole_air.read_bytes().splitlines(keepends=True)[:2001]))
    air_model = bundles.load(fitted(air, "pca", tmp_path / "m.aem", params={"latent": 11}))
    figures, data = written(air, tmp_path / "a.aez", air_model, LOSSY)
    code, code_data = written(air, tmp_path / "c.aez", air_model, ONLY)
    exact, exact_data = written(air, tmp_path / "e.aez")
    assert figures["taken"] == figures["fidelity"] == "bounded"
    assert figures["prices"] == {
        "code": len(code_data), "exact": len(exact_data), "bounded": len(data)
    }  # fmt: skip
    assert len(data) < min(len(code_data), len(exact_data))
    ours = errors_of(air, tmp_path / "a.aez")  # no model is needed
    theirs = errors_of(air, tmp_path / "c.aez", air_model)
    assert all(ours[name] <= theirs[name] for name in ours)
    assert ours["time"] == ours["wd"] == 0
    near = [ours[n] / theirs[n] for n in code["errors"] if theirs[n]]
    assert np.mean(near) > 0.9, "the error that is allowed is used"
    with Archive(tmp_path / "a.aez") as archive:
        assert archive.mode == "bounded" and archive.facts["errors"].keys() <= code["errors"].keys()


# every way is priced again; the survey of test_goals.py holds the same of its pick
@pytest.mark.long
def test_what_is_taken_is_the_archive_that_max_error_writes(air, air_model, tmp_path):
    figures, data = written(air, tmp_path / "a.aez", air_model, LOSSY)
    bounds = {name: repr(bound) for name, bound in figures["bounds"].items()}
    assert all(e["largest"] <= figures["bounds"][n] for n, e in figures["errors"].items())
    _, same = written(air, tmp_path / "b.aez", None, CompressOptions(max_error=bounds))
    assert same == data


def test_exact_is_taken_byte_for_byte(folder, pca_pictures, tmp_path, run):
    exact, data = written(folder, tmp_path / "e.aez")
    model = bundles.load(pca_pictures)
    embedded = dataclasses.replace(LOSSY, embed=True)
    figures, taken = written(folder, tmp_path / "a.aez", model, embedded)
    assert taken == data and figures["taken"] == "exact" and figures["fidelity"] == "pixels"
    code = figures["prices"]["code"]
    assert code > len(data) == figures["prices"]["exact"] and "bounded" not in figures["prices"]
    done = run(
        "compress", folder, "--lossy", "--embed", "-m", pca_pictures, "-o", tmp_path / "b.aez"
    )
    line = (f"exact is smaller: {len(data):,} bytes against {code:,} of the code "
            "(use --lossy-only to keep the code)")  # fmt: skip
    note = f"note: {remarks.BY_PIXEL}"
    assert done.status == 0 and done.err.splitlines()[1:] == [note, line]
    assert (tmp_path / "b.aez").read_bytes() == data


def test_the_code_is_kept_where_it_is_smaller_or_asked_for(air, air_model, air_pca, tmp_path, run):
    few = dataclasses.replace(LOSSY, latent=2)
    figures, data = written(air, tmp_path / "a.aez", air_model, few)
    assert figures["taken"] == "code" and figures["fidelity"] == "lossy"
    assert len(data) == min(figures["prices"].values())
    path = tmp_path / "o.aez"
    done = run("compress", air, "--lossy-only", "--no-embed", "-m", air_pca, "-o", path)
    assert done.status == 0 and "smaller: " not in done.err and ", lossy" in done.err
    whole = run("compress", air, "--lossy", "--no-embed", "-m", air_pca, "-o", path, "-f")
    assert whole.status == 0 and "bounded at no more error is smaller: " in whole.err
    assert "fidelity         bounded" in run("info", path).out


# every way is priced again; a target is met or refused in test_archive.py, too
@pytest.mark.long
def test_a_target_is_met_by_what_is_taken(air, air_model, tmp_path):
    code, _ = written(air, tmp_path / "c.aez", air_model, dataclasses.replace(ONLY, target=0.05))
    figures, data = written(
        air, tmp_path / "a.aez", air_model, dataclasses.replace(LOSSY, target=0.05)
    )
    assert figures["taken"] == "bounded" and len(data) < code["archive_bytes"]
    ours, frame = errors_of(air, tmp_path / "a.aez"), pd.read_csv(air)
    ranges = {n: frame[n].max() - frame[n].min() for n in code["errors"] if n != "wd"}
    assert np.mean([ours[n] / span for n, span in ranges.items()]) <= code["error"] <= 0.05


@pytest.mark.parametrize("kind", one_in(2, ["parquet", "jsonl", "frame", "npy"]))
def test_typed_tables(tmp_path, kind):
    rng = np.random.default_rng(0)
    base = rng.normal(size=3000).cumsum()
    frame = pd.DataFrame({"a": base, "b": (3 * base + rng.normal(size=3000)).round(2)})
    frame["n"] = (10 * base).round().astype(int)
    frame.loc[7, "b"] = np.nan
    path = data = tmp_path / f"t.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif kind == "npy":
        np.save(path, frame.to_numpy())
    else:
        data = frame
    model = operations.fit(data, FitOptions("pca", {"latent": 2}))
    figures, size = written(data, tmp_path / "a.aez", model, LOSSY)
    assert ("bounded" in figures["prices"]) == (kind != "jsonl")
    assert len(size) == min(figures["prices"].values())
    written(data, tmp_path / "c.aez", model, ONLY)
    if kind == "parquet":
        ours = errors_of(path, tmp_path / "a.aez", model)
        theirs = errors_of(path, tmp_path / "c.aez", model)
        assert all(ours[name] <= theirs[name] for name in ours)


def test_no_rows_and_standard_output(air, rows_csv, loaded, tmp_path, capfdbinary, monkeypatch):
    empty = tmp_path / "t.csv"
    empty.write_text(rows_csv.read_text().splitlines()[0] + "\n")
    figures, _ = written(empty, tmp_path / "t.aez", loaded, LOSSY)
    assert figures["rows"] == 0
    back = operations.decompress(tmp_path / "t.aez", tmp_path / "o", model=loaded)
    assert back.read_text() == empty.read_text()
    capfdbinary.readouterr()
    _, expected = written(rows_csv, tmp_path / "r.aez", loaded, LOSSY)
    operations.compress(rows_csv, "-", loaded, LOSSY)
    assert capfdbinary.readouterr().out == expected


# it fits the default twice, and prices every way
@pytest.mark.long
def test_a_model_learned_on_the_spot_pays_for_its_place(air, tmp_path):
    options = CompressOptions(lossy=True)
    figures, data = written(air, tmp_path / "a.aez", None, options)
    only = dataclasses.replace(options, lossy_only=True)
    _, code = written(air, tmp_path / "c.aez", None, only)
    assert figures["prices"]["code"] == len(code) > len(data)
    with Archive(tmp_path / "c.aez") as archive:
        assert archive.mode == "lossy" and "model" in archive.reader.sections


# five archives of the whole table; pieces decide in the fast set, too, of a small one
@pytest.mark.long
def test_a_large_source_is_priced_by_pieces(tmp_path, monkeypatch):
    air = DEMO / "beijing_air.csv"  # all of it: pieces of less say too little
    air_model = bundles.load(fitted(air, "pca", tmp_path / "m.aem", params={"latent": 11}))
    whole, data = written(air, tmp_path / "a.aez", air_model, LOSSY)
    monkeypatch.setattr(rivals, "LARGE", 100_000)
    monkeypatch.setattr(rivals, "PRICED", 100_000)
    monkeypatch.setattr(rivals, "STRETCH", 50_000)
    figures, again = written(air, tmp_path / "b.aez", air_model, LOSSY)
    assert figures["taken"] == "bounded" and len(again) == figures["prices"]["bounded"]
    assert len(again) == pytest.approx(len(data), rel=0.05)
    ours = errors_of(air, tmp_path / "b.aez")
    operations.compress(air, tmp_path / "c.aez", air_model, ONLY)
    theirs = errors_of(air, tmp_path / "c.aez", air_model)
    assert all(ours[name] <= theirs[name] for name in ours)
    few = dataclasses.replace(LOSSY, latent=1)
    figures, _ = written(air, tmp_path / "d.aez", air_model, few)
    assert figures["taken"] == "code" and "exact" in figures["judged"]
    assert figures["prices"]["exact"] == pytest.approx(whole["prices"]["exact"], rel=0.15)


def test_a_source_that_cannot_be_stored_otherwise_keeps_its_code(
    air, air_model, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise ArchiveError("a block did not decode to its source; nothing was written")

    monkeypatch.setattr(exact_job, "job_of", refuse)
    figures, _ = written(air, tmp_path / "a.aez", air_model, LOSSY)
    assert figures["taken"] == "code" and list(figures["prices"]) == ["code"]
    assert figures["fidelity"] == "lossy" and len(list(tmp_path.iterdir())) == 1


def dead(air_model, folder):
    """A model whose code says nothing."""
    code = {"units": 6, "active": 0, "explained": 0.0, "pca_explained": 0.5, "dead": True}
    facts = {**air_model.facts, "code": code}
    path = folder / "dead.aem"
    dataclasses.replace(air_model, facts=facts, _sessions={}).save(path)
    return path


def test_a_dead_code_is_refused(air, air_model, tmp_path, run):
    path = dead(air_model, tmp_path)
    for option in ("--lossy", "--lossy-only"):
        done = run("compress", air, option, "-m", path, "-o", tmp_path / "a.aez")
        assert done.status == 2 and done.err.count("\n") == 1
        assert "its code is dead (0 of 6 units active)" in done.err and "--epochs" in done.err
        assert not (tmp_path / "a.aez").exists()


# every way is priced again
@pytest.mark.long
def test_a_dead_code_is_passed_over_where_it_need_not_be(air, air_model, tmp_path, run):
    path = dead(air_model, tmp_path)
    assert run("compress", air, "--lossy", "-m", path, "-o", tmp_path / "a.aez", "-f").status == 0
    assert run("compress", air, "-m", path, "-o", tmp_path / "e.aez").status == 0, (
        "lossless: no code"
    )


@pytest.fixture(scope="module")
def parts(air, tmp_path_factory):
    """A small file (two.csv) and a model that learned archives of many such rows (m.aem); 300 rows
    of the air-quality table (next.csv), and a model that learned those before them (few.aem);
    all rows behind these (later.csv)."""
    folder = tmp_path_factory.mktemp("parts")
    write_rows(folder / "one.csv", 4000, seed=1)
    write_rows(folder / "two.csv", 80, seed=2)
    lines = air.read_text().splitlines(keepends=True)
    (folder / "few.csv").write_text("".join(lines[:301]))
    (folder / "next.csv").write_text("".join([lines[0], *lines[301:601]]))
    (folder / "later.csv").write_text("".join([lines[0], *lines[301:2001]]))
    for name, source in (("m", "one"), ("few", "few")):
        bundle = operations.fit(folder / f"{source}.csv", FitOptions("pca", codec=True))
        bundle.save(folder / f"{name}.aem")
    return folder


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
@pytest.mark.parametrize("model,table", [("m", "two"), ("few", "next")])
def test_an_archive_under_a_model_is_never_larger_than_without(parts, tmp_path, model, table, rows):
    lines = (parts / f"{table}.csv").read_text().splitlines(keepends=True)
    source = tmp_path / "some.csv"
    source.write_text("".join(lines[: 1 + rows]))
    bundle = bundles.load(parts / f"{model}.aem")
    plain = operations.compress(source, tmp_path / "plain.aez")
    under = operations.compress(source, tmp_path / "under.aez", bundle)
    assert under["archive_bytes"] == (tmp_path / "under.aez").stat().st_size
    assert under["archive_bytes"] <= plain["archive_bytes"]
    back = operations.decompress(tmp_path / "under.aez", tmp_path / "back.csv", model=bundle)
    assert back.read_bytes() == source.read_bytes()


def test_a_model_is_used_for_lossless_archives_where_it_pays(parts, tmp_path, run):
    model = parts / "m.aem"
    plain = run("compress", parts / "two.csv", "-o", tmp_path / "plain.aez")
    done = run("compress", parts / "two.csv", "-m", model, "-o", tmp_path / "a.aez")
    assert plain.status == done.status == 0 and "note" not in plain.err
    assert done.err.count("note: ") == 1 and f"note: needs {model} (sha256 " in done.err
    assert (tmp_path / "a.aez").stat().st_size < (tmp_path / "plain.aez").stat().st_size
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "o", model=bundles.load(model))
    assert back.read_bytes() == (parts / "two.csv").read_bytes()

    # so many records say more of themselves than a model of 300 does
    _, without = written(parts / "later.csv", tmp_path / "e.aez")
    done = run("compress", parts / "later.csv", "-m", parts / "few.aem", "-o", tmp_path / "b.aez")
    assert (tmp_path / "b.aez").read_bytes() == without, "such a file is smaller without it"
    note = done.err.splitlines()[-1]
    assert note.startswith("note: the model was not used: the archive is smaller without it: ")
    assert f"{len(without):,} bytes against " in note


# 2,000 rows, thrice
@pytest.mark.parametrize(
    ("name", "source"), [("m", "one"), pytest.param("few", "air", marks=pytest.mark.long)]
)
def test_a_large_file_is_written_the_way_that_pieces_say(
    name, source, air, parts, tmp_path, monkeypatch
):
    model = bundles.load(parts / f"{name}.aem")
    path = air if source == "air" else parts / "one.csv"
    _, without = written(path, tmp_path / "e.aez")
    for limit in ("LARGE", "PRICED", "STRETCH"):
        monkeypatch.setattr(rivals, limit, 60_000)
    figures, data = written(path, tmp_path / "a.aez", model)
    assert figures["judged"] == ["with", "without"]
    smaller = min(figures["prices"], key=figures["prices"].get)
    assert figures.get("shared", False) == (smaller == "with")
    assert data == without or smaller == "with"


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("air", (), "it knows other columns than these"),
        ("two", ("--max-error", "50%"), "it was fitted for lossless archives"),
        ("npy", (), "it knows how tables in text are written"),
    ],
)
def test_why_a_model_is_not_used(source, options, words, parts, air, tmp_path, run):
    np.save(tmp_path / "t.npy", np.arange(40.0).reshape(20, 2))
    path = {"air": air, "two": parts / "two.csv", "npy": tmp_path / "t.npy"}[source]
    done = run("compress", path, "-m", parts / "m.aem", *options, "-o", tmp_path / "a.aez")
    assert done.status == 0 and f"note: the model was not used: {words}" in done.err
    written(path, tmp_path / "b.aez", None, CompressOptions(
        max_error={"": "50%"} if options else {}
    ))  # fmt: skip
    assert (tmp_path / "a.aez").read_bytes() == (tmp_path / "b.aez").read_bytes()


def test_a_model_without_a_codec_says_what_it_is_for(rows_csv, pca, tmp_path, run):
    done = run("compress", rows_csv, "-m", pca, "-o", tmp_path / "a.aez")
    assert done.status == 0 and done.err.count("\n") == 2
    assert "it brings nothing to such an archive" in done.err and "fit with --codec" in done.err
    assert run("decompress", tmp_path / "a.aez", "-o", tmp_path / "o").status == 0
    assert (tmp_path / "o").read_bytes() == rows_csv.read_bytes()


# every way is priced again; Python writes the same bytes as the shell in test_api.py
@pytest.mark.long
def test_python_has_the_same_words(air, air_pca, tmp_path):
    model = aetool.load(air_pca)
    assert model.compress(air, tmp_path / "a.aez", embed=False, lossy=True)["taken"] == "bounded"
    kept = model.compress(air, tmp_path / "b.aez", embed=False, lossy_only=True)
    assert kept["taken"] == "code" and kept["fidelity"] == "lossy"
    with pytest.raises(ParamError, match="exclude each other"):
        model.compress(air, tmp_path / "c.aez", lossy_only=True, max_error={"": "1%"})


# every way is priced again, for one line
@pytest.mark.long
def test_an_archive_without_codes_says_how_to_get_them(air, air_pca, tmp_path, run):
    run("compress", air, "--lossy", "--no-embed", "-m", air_pca, "-o", tmp_path / "a.aez")
    done = run("similar", air, "--row", 1, "--in", tmp_path / "a.aez", "-m", air_pca)
    assert done.status == 2 and "holds no codes, being bounded" in done.err
    assert "--lossy-only" in done.err and "--lossy-only" in run("similar", "--help").out


# ---- bounds


def test_a_wide_bound_of_smooth_numbers_is_root_3_times_the_error():
    x = np.random.default_rng(0).normal(0, 100, 100_000)
    assert float(bound_of_error(x, 1.0, None)) == pytest.approx(3**0.5, rel=0.03)
    assert float(bound_of_error(x.round(3), 1.0, 3)) == pytest.approx(3**0.5, rel=0.03)


@pytest.mark.parametrize("seed", range(8))
def test_bounds_keep_the_error_and_are_the_widest_tried(seed):
    rng = np.random.default_rng(seed)
    x = rng.choice([rng.poisson(3, 500), rng.integers(-300, 300, 500), rng.poisson(0.1, 500)])
    x = x.astype(float)
    x[::7] = np.nan
    for mean_square in (0.01, 0.5, 2.0, 30.0, 1e6):
        bound = bound_of_error(x, mean_square, 0)
        known = x[np.isfinite(x)]

        def square(a, known=known):
            return float(np.square((known + a) // (2 * a + 1) * (2 * a + 1) - known).mean())

        allowed = int(bound)
        assert square(allowed) <= mean_square
        largest = int(np.abs(known).max())
        best = max((a for a in range(largest + 1) if square(a) <= mean_square), default=0)
        assert best * 0.96 - 1 <= allowed <= max(best, largest)


def test_bounds_that_cannot_be():
    x = np.array([1.0, 2.0, 5.0])
    assert bound_of_error(x, 0.0, 0) == bound_of_error(np.zeros(4), 1.0, 0) == 0
    assert bound_of_error(x, 1e-9, 0) == bound_of_error(np.zeros(0), 1.0, None) == 0
    assert bound_of_error(np.array([np.nan, 7.0]), 1e9, 2) == Fraction(1401, 200)


@pytest.mark.filterwarnings("error")
def test_a_code_that_nothing_depends_on_is_stored_without_a_step_of_zero(tmp_path):
    source = tmp_path / "one.csv"
    pd.DataFrame({"a": list("abca") * 20}).to_csv(source, index=False)
    figures = operations.compress(source, tmp_path / "one.aez", options=CompressOptions(lossy=True))
    assert figures["taken"] == "exact"


@pytest.mark.filterwarnings("error")
def test_numbers_whose_squares_overflow_are_refused_in_words(tmp_path):
    source = tmp_path / "huge.csv"
    numbers = np.random.default_rng(0).normal(size=100)
    numbers[3] = 1e308
    pd.DataFrame({"a": numbers, "b": np.arange(100) % 7}).to_csv(source, index=False)
    with pytest.raises(DataError, match="numbers of 'a' are too large"):
        operations.compress(source, tmp_path / "huge.aez", options=CompressOptions(lossy=True))
