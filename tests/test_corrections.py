"""Corrections of lossy tables: columns that a code restores too coarsely are stored as steps beside it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aetool import bundle, operations
from aetool.archives.candidates import Candidates
from aetool.archives.lossy_job import rounded_up
from aetool.codec.archive import Archive
from aetool.codec.contents.lossy import CorrectedTable, LossyTable
from aetool.codec.corrections import LARGEST, Corrections
from aetool.data import sources
from aetool.errors import ParamError
from aetool.operations import CompressOptions, FitOptions

from . import format_reader

GOLDEN = Path(__file__).parent / "golden" / "3.19"
ROWS = 300


def spectra(rows=ROWS):
    """Channels of three bands, and of noise alone between them; with gaps."""
    rng = np.random.default_rng(0)
    channel = np.arange(40)[:, None]
    bands = np.exp(-0.5 * ((channel - [6, 20, 34]) / 2.0) ** 2)
    light = rng.lognormal(0, 0.6, (rows, 3)) @ bands.T
    light += 0.01 * rng.normal(size=light.shape)
    frame = pd.DataFrame((1000 * light).round(1)).add_prefix("channel")
    frame.loc[7, "channel1"] = np.nan
    return frame


def relative_errors(source, restored):
    """By column of numbers the root mean squared error over the standard deviation, by pandas."""
    off = source - restored
    return np.sqrt((off**2).mean()) / source.std(ddof=0)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spectra")
    path = folder / "spectra.csv"
    spectra().to_csv(path, index=False)
    return path, operations.fit(path, FitOptions("pca", {"latent": 3}))


def compressed(path, model, folder, **options):
    """The figures of a lossy archive, and the table that it restores."""
    chosen = CompressOptions(lossy_only=True, force=True, **options)
    figures = operations.compress(path, folder / "c.aez", model, chosen)
    back = operations.decompress(folder / "c.aez", folder / "back.csv", model=model, force=True)
    return figures, pd.read_csv(back)


@pytest.mark.parametrize("embed", [True, False])
def test_an_error_that_the_code_misses_is_kept_with_corrections(table, tmp_path, embed):
    path, model = table
    source = pd.read_csv(path)
    plain, without = compressed(path, model, tmp_path, embed=embed)
    figures, back = compressed(path, model, tmp_path, embed=embed, target=0.01)
    assert figures["error"] <= 0.01 < plain["error"]
    before, after = relative_errors(source, without), relative_errors(source, back)
    noisy = before[before > 0.5].index
    # noise, of which the code has nothing
    assert len(noisy) >= 5 and (after[noisy] < 0.3).all()
    assert source.isna().equals(back.isna())
    with Archive(tmp_path / "c.aez", model) as archive:
        assert isinstance(archive.content, CorrectedTable)
        assert {*noisy} <= {*archive.content.corrections.names} < {*source}


def test_they_take_fewer_bytes_than_bounds_where_columns_share_causes(table, tmp_path):
    path, model = table
    from contextlib import ExitStack

    with ExitStack() as stack:
        candidates = Candidates(sources.open_source(path), CompressOptions(), tmp_path, stack)
        bounded = candidates.bounded_once(0.1)
        code = candidates.code(model, 0.1, embed=False)
    assert code.error <= 0.1 and code.size < bounded.size


def test_a_part_of_the_rows_and_of_the_columns(table, tmp_path):
    path, model = table
    _, back = compressed(path, model, tmp_path, target=0.01)
    with Archive(tmp_path / "c.aez", model) as archive:
        pd.testing.assert_frame_equal(archive[100:110], back[100:110].reset_index(drop=True))
        archive.choose(["channel13", "channel6"])
        part = archive[0:5]
        assert part["channel13"].tolist() == back["channel13"][:5].tolist()


def test_without_a_target_there_are_none(table, tmp_path):
    compressed(*table, tmp_path)
    with Archive(tmp_path / "c.aez", table[1]) as archive:
        assert type(archive.content) is LossyTable


def test_errors_as_the_archive_tells_them_are_never_below_those_measured(table, tmp_path):
    path, model = table
    figures, back = compressed(path, model, tmp_path, target=0.01)
    with Archive(tmp_path / "c.aez", model) as archive:
        told = archive.facts["errors"]
    largest = (pd.read_csv(path) - back).abs().max()
    for name, measured in figures["errors"].items():
        assert told[name]["largest"] >= measured["largest"] >= largest[name] - 1e-9
        assert measured["rmse"] <= told[name]["rmse"] <= 1.002 * measured["rmse"]


def test_dates_floats_infinities_and_words_stay_what_they_are(tmp_path):
    rng = np.random.default_rng(1)
    cause = rng.normal(size=200)
    frame = pd.DataFrame({f"x{place}": cause + 0.3 * rng.normal(size=200) for place in range(6)})
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, 200), unit="D")
    frame["word"] = rng.choice(["a", "b"], 200)
    frame.loc[3, "x1"] = np.inf
    frame.loc[4, "x2"] = np.nan
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    model = operations.fit(path, FitOptions("pca", {"latent": 1}))
    options = CompressOptions(lossy_only=True, target=0.01)
    figures = operations.compress(path, tmp_path / "t.aez", model, options)
    back = pd.read_parquet(
        operations.decompress(tmp_path / "t.aez", tmp_path / "b.parquet", model=model)
    )
    assert figures["error"] <= 0.01
    assert back.dtypes.equals(frame.dtypes) and back["word"].equals(frame["word"])
    assert back.isna().equals(frame.isna())
    numbers = [f"x{place}" for place in (0, 2, 3, 4, 5)]
    assert (relative_errors(frame[numbers], back[numbers]) < 0.2).all()


def test_a_code_of_whole_numbers_is_corrected_though_max_time_is_short(tmp_path):
    path = tmp_path / "t.csv"
    spectra(60).to_csv(path, index=False)
    model = operations.fit(path, FitOptions("vq", {"latent": 2}, max_time=2))
    figures, back = compressed(path, model, tmp_path, target=0.02)
    assert figures["error"] <= 0.02
    assert (relative_errors(pd.read_csv(path), back) < 0.9).all()
    with Archive(tmp_path / "c.aez", model) as archive:
        assert archive.content.corrections.names


@pytest.mark.parametrize("target", [0.03, 1e-5])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("embed", [True, False])
def test_text_has_as_many_decimals_as_the_error_needs(tmp_path, embed, ending, target):
    rng = np.random.default_rng(3)
    cause = rng.normal(size=(150, 1))
    frame = pd.DataFrame(cause + 0.2 * rng.normal(size=(150, 5))).add_prefix("x")
    frame["x1"] *= 1e-18
    frame["x2"] += 1e6
    frame["x3"] = 0.123456789012345
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in frame.to_dict("records")))
    model = operations.fit(path, FitOptions("pca", {"latent": 2}))
    options = CompressOptions(lossy_only=True, target=target, embed=embed)
    operations.compress(path, tmp_path / "t.aez", model, options)
    given = None if embed else model
    back = operations.decompress(tmp_path / "t.aez", tmp_path / f"b.{ending}", model=given)
    if ending == "csv":
        restored = pd.read_csv(back)
    else:
        restored = pd.DataFrame([json.loads(line) for line in back.read_text().splitlines()])
    with Archive(tmp_path / "t.aez", given) as archive:
        told = archive.facts["errors"]
    for name in told:
        off = restored[name] - frame[name]
        assert np.sqrt((off**2).mean()) <= 1.001 * told[name]["rmse"] + 1e-16 * (name != "x1")
    # of a range, which few deviations are
    varied = ["x0", "x1", "x2", "x4"]
    extents = frame[varied].max() - frame[varied].min()
    errors = np.sqrt(((restored - frame)[varied] ** 2).mean()) / extents
    assert errors.sum() / 5 <= 1.001 * target


def test_a_number_where_the_decoder_expects_a_gap_is_corrected(tmp_path):
    rng = np.random.default_rng(4)
    cause = rng.normal(size=300)
    frame = pd.DataFrame({f"x{place}": cause + 0.3 * rng.normal(size=300) for place in range(5)})
    frame = (100 * frame).round()
    frame.loc[rng.random(300) < 0.6, "x2"] = np.nan
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    model = operations.fit(path, FitOptions("pca", {"latent": 1}))
    figures, back = compressed(path, model, tmp_path, target=1e-4)
    assert figures["error"] <= 1e-4
    assert back.isna().equals(frame.isna())
    # pandas writes whole numbers beside gaps with a decimal
    off = (back - frame).abs()
    assert off.max().max() <= 0.3
    read = format_reader.restore((tmp_path / "c.aez").read_bytes(), model.to_bytes())
    theirs = np.array([np.nan if cell is None else cell for cell in read["x2"]])
    np.testing.assert_allclose(theirs, frame["x2"], atol=0.3)


def test_an_error_of_few_digits_is_not_made_longer():
    assert [rounded_up(value) for value in (5.4, 0.067, 1.23456, 0.0)] == [5.4, 0.067, 1.235, 0.0]


def test_an_error_that_nothing_reaches_is_refused(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(2).normal(size=(100, 4))).add_prefix("x")
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    model = operations.fit(path, FitOptions("pca", {"latent": 1}))
    options = CompressOptions(lossy_only=True, target=1e-9)
    with pytest.raises(ParamError, match="finest steps; allow more"):
        operations.compress(path, tmp_path / "t.aez", model, options)
    assert not (tmp_path / "t.aez").exists()


# ---- the page of the format


def test_the_golden_archive_is_restored_for_ever(tmp_path):
    model = bundle.load(GOLDEN / "model.aem")
    path = GOLDEN / "channels.aez"
    restored = pd.read_csv(GOLDEN / "restored.csv")
    back = pd.read_csv(operations.decompress(path, tmp_path / "b.csv", model=model))
    read = format_reader.restore(path.read_bytes(), (GOLDEN / "model.aem").read_bytes())
    for name in restored:
        if name == "word":
            assert back[name].tolist() == read[name] == restored[name].tolist()
            continue
        # a decoder is run in floats of 32 bits, whose last digits may differ
        np.testing.assert_allclose(back[name], restored[name], atol=0.0101)
        theirs = np.array([np.nan if cell is None else cell for cell in read[name]])
        np.testing.assert_allclose(theirs, restored[name], atol=0.0101)


def test_a_header_that_corrects_what_it_cannot_is_refused():
    content = _content({"a": 0.5})
    header = content.header()
    again = CorrectedTable.from_header(json.loads(json.dumps(header)))
    assert again.corrections == content.corrections and again.labels == ["code 0", "a", "gaps", "b"]
    half = (0.5).hex()
    for corrections in (
        [["b", half]],
        [["c", half]],
        [["a", "0x0p0"]],
        [["a", "inf"]],
        2 * [["a", half]],
    ):
        with pytest.raises(ValueError, match="correct"):
            CorrectedTable.from_header(header | {"corrections": corrections})


def _content(steps):
    from aetool.codec.lossy import Quantiser

    one = np.ones(1)
    quantiser = Quantiser(one, one, np.array([0]))
    columns = [("a", "model"), ("b", "cells")]
    return CorrectedTable({}, quantiser, columns, {}, {}, corrections=Corrections(steps))


def test_steps_of_gaps_infinities_and_numbers_far_out():
    corrections = Corrections({"b": 0.5})
    records = np.array([[0, 1.2], [0, np.nan], [0, np.inf], [0, 1e300], [0, 1.0]])
    decoded = np.array([[9, 0.0], [9, 0.0], [9, 0.0], [9, 0.0], [9, np.nan]])
    with np.errstate(all="raise"):
        steps = corrections.counted(["a", "b"], records, decoded)
    assert steps.tolist() == [[2], [0], [0], [LARGEST], [0]]
    assert corrections.amounts(steps)["b"].tolist() == [1.0, 0, 0, LARGEST / 2, 0]
