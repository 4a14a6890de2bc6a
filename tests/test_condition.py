"""Columns that records are judged by: seen, never scored, and at hand wherever a code is decoded."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import aetool
from aetool import bundle as bundles
from aetool import operations, training
from aetool.codec.archive import Archive
from aetool.columns import layout
from aetool.columns.column import ODD
from aetool.data.sources import open_source
from aetool.errors import ArchiveError, ParamError
from aetool.fits import preparing
from aetool.model import make_params
from aetool.operations import CompressOptions, FitOptions, SampleOptions, cleaning, coding
from tests.test_context import CLOSED_FORMS

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import aetool_models
from aetool_thirdparty.cvae import Conditional

CVAE = next(model for model in aetool_models() if model.name == "cvae")
USUAL = {"A": 10.0, "B": 50.0, "C": 90.0}  # temperatures by machine
CONDITION = ("machine", "load")


def machines(rows=600, seed=0):
    """A temperature and a flow that follow machine and load, a day of no weight, and noise."""
    rng = np.random.default_rng(seed)
    machine = rng.choice(list(USUAL), rows, p=[0.5, 0.3, 0.2])
    load = rng.uniform(0, 10, rows).round(2)
    mean = np.array([USUAL[name] for name in machine]) + load
    return pd.DataFrame(
        {
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(rows) % 90, "D"),
            "machine": machine,
            "load": load,
            "temp": (mean + rng.normal(0, 0.5, rows)).round(2),
            "flow": (2 * mean + rng.normal(0, 1, rows)).round(2),
            "noise": rng.normal(0, 1, rows).round(3),
        }
    )


def swapped(frame):
    """The same records, each with the machine and the load of another."""
    return frame.assign(**{name: frame[name].to_numpy()[::-1] for name in CONDITION})


@pytest.fixture(scope="module")
def table():
    return machines()


@pytest.fixture(scope="module")
def conditional(table):
    """A conditional variational autoencoder of the machines, read back from its bytes."""
    made = operations.fit(
        table, FitOptions(CVAE, {"latent": 2}, condition=CONDITION, epochs=100, device="cpu")
    )
    return bundles.from_bytes(made.to_bytes(), "m.aem")


@pytest.fixture(scope="module")
def path(table, tmp_path_factory):
    target = tmp_path_factory.mktemp("condition") / "machines.csv"
    table.to_csv(target, index=False)
    return target


def test_the_features_of_a_condition_are_the_last_of_a_row_and_nobodys(table):
    gappy = table.assign(load=table["load"].where(table.index % 7 > 0))
    prepared = preparing.prepare(open_source(gappy), FitOptions(condition=CONDITION))
    spec, schema = prepared.spec, prepared.schema
    assert spec.conditions == 2 + 4, "a load and its flag; three machines, and another"
    own = spec.owners()
    assert (own[-spec.conditions :] == -1).all() and {*own[:3]} == {3, 4, 5}
    assert [schema.modelled[i].name for i in schema.conditions] == ["machine", "load"]
    alone = preparing.prepare(open_source(gappy.drop(columns=[*CONDITION])), FitOptions())
    width = spec.features - spec.conditions
    np.testing.assert_array_equal(prepared.features[:, :width], alone.features)
    load, gap = prepared.features[:, width], prepared.features[:, width + 1]
    assert (gap == (gappy.index % 7 == 0)).all() and (load[gap == 1] == 0).all()
    kinds = prepared.features[:, width + 2 :]
    order = [*schema["machine"].levels]
    assert (kinds.argmax(axis=1) == [order.index(name) for name in gappy["machine"]]).all()


def test_rows_before_a_row_tell_their_condition_too(table):
    options = FitOptions(condition=CONDITION, context=2)
    prepared = preparing.prepare(open_source(table), options)
    spec = prepared.spec
    own = spec.features - spec.given
    assert spec.given == 2 * (3 + spec.conditions), "numbers and the condition, but no cycles"
    told = prepared.features[:, own - spec.conditions : own]
    before = prepared.features[1:, own + 3 : own + 3 + spec.conditions]
    np.testing.assert_array_equal(before, told[:-1])


@pytest.mark.parametrize("plugin", CLOSED_FORMS)
def test_closed_forms_see_a_condition_and_do_not_score_it(table, plugin):
    made = operations.fit(table, FitOptions(plugin, condition=CONDITION, device="cpu"))
    laid = layout.table_features(made.schema, preparing.prepare(
        open_source(table), FitOptions(condition=CONDITION)).inputs)  # fmt: skip
    assert laid.shape[1] == made.spec.features
    X = made.schema.encode(open_source(table).head(), "t")
    parts = made.session("score.onnx", "cpu")(X)["parts"]
    assert (parts[:, made.schema.conditions] == 0).all()


@pytest.mark.parametrize("plugin", ["pca", "elm"])
def test_a_record_of_another_condition_is_an_anomaly_only_where_the_condition_is_told(
    table, plugin
):
    odd = swapped(machines(seed=1))
    moved = odd["machine"] != machines(seed=1)["machine"]
    told = operations.fit(table, FitOptions(plugin, condition=CONDITION, device="cpu"))
    blind = operations.fit(table, FitOptions(plugin, drop=CONDITION, device="cpu"))
    for made, least, most in ((told, 0.98, 1.0), (blind, 0.0, 0.6)):
        usual = operations.score(machines(seed=2), made, "cpu")
        scores = operations.score(odd, made, "cpu")[moved]
        assert least <= (scores[:, None] > usual).mean() <= most


def test_a_conditional_network_starts_at_pca_of_what_the_condition_leaves(table):
    """There is but one direction left in temperature and flow, and noise is the other."""
    prepared = preparing.prepare(open_source(table), FitOptions(condition=CONDITION))
    net = training.make(Conditional, prepared.spec, make_params(CVAE, {"latent": 2}), 0).eval()
    x = torch.from_numpy(prepared.features)
    training.start(net, x)
    numbers = prepared.spec.numeric
    with torch.no_grad():
        codes, restored = net.encode(x), net.expected(x)
        mean = net.decode(torch.zeros_like(codes), net.condition(x))
    told = prepared.features[:, -prepared.spec.conditions :].astype(np.float64)
    told = np.column_stack([told, np.ones(len(told))])
    wanted = prepared.features[:, numbers].astype(np.float64)
    fitted = told @ np.linalg.lstsq(told, wanted, rcond=None)[0]
    np.testing.assert_allclose(mean.numpy()[:, numbers], fitted, atol=1e-4)
    np.testing.assert_allclose(codes.var(dim=0, correction=0), 1, atol=1e-3)
    rest = wanted - fitted
    axes = np.linalg.svd(rest - rest.mean(axis=0), full_matrices=False)[2][:2]
    by_pca = fitted + rest @ axes.T @ axes
    np.testing.assert_allclose(restored.numpy()[:, numbers], by_pca, atol=1e-4)


def test_a_conditional_network_judges_records_by_their_condition(table, conditional):
    odd = swapped(machines(seed=1))
    moved = odd["machine"] != machines(seed=1)["machine"]
    usual = operations.score(machines(seed=2), conditional, "cpu")
    assert (operations.score(odd, conditional, "cpu")[moved][:, None] > usual).mean() > 0.95
    found = operations.detect(odd[moved], conditional, top=20)
    assert not {name for said in found.named for name, _, _ in said} & {*CONDITION}
    assert np.mean([said[0][0] in ("temp", "flow") for said in found.named]) > 0.8
    assert conditional.session("decoder.onnx", "cpu").inputs == ["z", "condition"]


def test_an_unseen_level_or_gap_of_a_condition_is_that_records_anomaly(table, conditional):
    odd = machines(40, 3)
    odd.loc[4, "machine"] = "M9"
    odd.loc[7, "load"] = np.nan
    X = conditional.schema.encode(open_source(odd).head(), "t")
    assert X[4, 1] == ODD and np.isnan(X[7, 2])
    found = operations.detect(odd, conditional, top=2)
    assert sorted(found.row.tolist()) == [4, 7]
    assert "machine=M9 (present, rare)" in found.why[found.row.tolist().index(4)]
    everywhere = odd.assign(machine="M9")
    assert len(operations.score(everywhere, conditional, "cpu")) == 40, "told, and not refused"


def test_a_lossy_archive_stores_the_condition_as_it_is_and_decodes_by_it(
    table, conditional, path, tmp_path
):
    target, back = tmp_path / "m.aez", tmp_path / "back.csv"
    options = CompressOptions(lossy_only=True, embed=True, device="cpu")
    facts = operations.compress(path, target, conditional, options)
    assert {*facts["errors"]} == {"temp", "flow", "noise"} and facts["error"] < 0.1
    operations.decompress(target, back, device="cpu")
    restored = pd.read_csv(back, parse_dates=["day"])
    for name in ("day", *CONDITION):
        assert (restored[name] == table[name]).all(), name
    off = (restored["temp"] - table["temp"]).abs()
    assert off.max() == pytest.approx(facts["errors"]["temp"]["largest"], abs=1e-9)
    with Archive(target) as archive:
        archive.content.columns = [(n, "model" if n == "load" else s)
                                   for n, s in archive.content.columns]  # fmt: skip
        with pytest.raises(ArchiveError):
            list(archive.pieces(0, archive.rows))


def test_codes_are_decoded_together_with_their_condition(table, conditional, tmp_path):
    codes, back = tmp_path / "z.csv", tmp_path / "back.csv"
    coding.write_codes(table, codes, conditional, ["noise"], device="cpu")
    written = pd.read_csv(codes)
    assert [*written.columns] == ["row", "noise", *CONDITION, "z0", "z1"]
    written.assign(machine="A").to_csv(codes, index=False)
    coding.write_records(codes, back, conditional, device="cpu")
    assert (pd.read_csv(back)["machine"] == "A").all()
    frame = operations.decode(written[["z0", "z1"]].to_numpy(), conditional, "cpu", table)
    assert (frame["machine"].to_numpy() == table["machine"]).all() and frame["day"].isna().all()
    assert np.corrcoef(frame["temp"], table["temp"])[0, 1] > 0.99
    assert abs(pd.read_csv(back)["temp"].mean() - 15) < 8, "as machine A has them"
    with pytest.raises(ParamError, match="machine, load"):
        operations.decode(np.zeros((3, 2)), conditional)
    with pytest.raises(ParamError, match="3 codes, and 600 rows"):
        operations.decode(np.zeros((3, 2)), conditional, "cpu", table)


# a fit each
@pytest.mark.parametrize("name", [pytest.param("row", marks=pytest.mark.long), "z1"])
def test_a_condition_that_is_called_as_a_column_of_codes_is_refused(table, tmp_path, name):
    renamed = table.rename(columns={"machine": name})
    chosen = FitOptions(CVAE, {"latent": 2}, condition=(name,), epochs=1, device="cpu")
    model = operations.fit(renamed, chosen)
    with pytest.raises(ParamError, match=f"its column '{name}', and a table .* rename the column"):
        coding.write_codes(renamed, tmp_path / "z.csv", model, device="cpu")
    assert not (tmp_path / "z.csv").exists()


def test_a_condition_keeps_its_name_beside_columns_that_are_asked_for(table, tmp_path):
    renamed = table.rename(columns={"machine": "input.row", "noise": "row"})
    chosen = FitOptions(CVAE, {"latent": 2}, condition=("input.row",), epochs=1, device="cpu")
    model = operations.fit(renamed, chosen)
    codes = tmp_path / "z.csv"
    coding.write_codes(renamed, codes, model, ["row"], device="cpu")
    written = pd.read_csv(codes)
    assert [*written.columns] == ["row", "input.input.row", "input.row", "z0", "z1"]
    assert written["input.row"].tolist() == renamed["input.row"].tolist()
    assert written["input.input.row"].tolist() == renamed["row"].tolist()
    assert coding.write_records(codes, tmp_path / "back.csv", model, device="cpu") == len(table)


def test_an_odd_cell_of_a_condition_is_a_gap_where_a_code_is_decoded(table, conditional):
    few = table.head(3).astype({"load": object})
    few.loc[1, "load"] = "broken"
    frame = operations.decode(np.zeros((3, 2)), conditional, "cpu", few)
    assert frame["load"].isna().tolist() == [False, True, False]
    assert frame.loc[2, "load"] == table.loc[2, "load"]


def test_samples_are_drawn_under_a_condition(table, conditional):
    drawn = operations.sample(conditional, SampleOptions(400, seed=1, device="cpu"))
    shares = drawn["machine"].value_counts(normalize=True)
    assert abs(shares["A"] - 0.5) < 0.1 and abs(shares["C"] - 0.2) < 0.1
    for name, usual in USUAL.items():
        one = operations.sample(
            conditional, SampleOptions(200, condition={"machine": name, "load": "5"}, device="cpu")
        )
        assert (one["machine"] == name).all() and (one["load"] == 5).all()
        assert abs(one["temp"].mean() - usual - 5) < 4
    other = SampleOptions(like=table[:50], spread=0, condition={"machine": "C"}, device="cpu")
    moved = operations.sample(conditional, other)
    assert (moved["machine"] == "C").all() and (moved["load"] == table["load"][:50]).all()
    assert moved["temp"].mean() > 80, "the same codes, of machine C"
    with pytest.raises(ParamError, match="no category that the model knows"):
        operations.sample(conditional, SampleOptions(3, condition={"machine": "M9"}))
    with pytest.raises(ParamError, match="its conditions are machine, load"):
        operations.sample(conditional, SampleOptions(3, condition={"temp": "9"}))


# a network of 300 epochs; another draws under a condition in the fast set
@pytest.mark.long
def test_a_density_of_columns_one_by_one_draws_under_a_condition(table):
    made = operations.fit(
        table, FitOptions("masked", condition=CONDITION, epochs=300, device="cpu")
    )
    chosen = {"machine": "C", "load": "5"}
    drawn = operations.sample(made, SampleOptions(200, condition=chosen, device="cpu"))
    assert (drawn["machine"] == "C").all() and abs(drawn["temp"].mean() - 95) < 6


def test_models_that_decode_without_a_condition_say_so(table):
    made = operations.fit(table, FitOptions("pca", condition=CONDITION, device="cpu"))
    assert len(operations.sample(made, SampleOptions(5, device="cpu"))) == 5
    with pytest.raises(ParamError, match="without a condition"):
        operations.sample(made, SampleOptions(5, condition={"machine": "A"}, device="cpu"))
    plain = operations.fit(table, FitOptions("pca", device="cpu"))
    with pytest.raises(ParamError, match="it has none"):
        operations.sample(plain, SampleOptions(5, condition={"machine": "A"}, device="cpu"))


def test_gaps_are_filled_and_records_restored_under_the_condition(table, conditional, tmp_path):
    gappy = table.assign(temp=table["temp"].where(table.index % 5 > 0)).to_csv(index=False)
    damaged, mended = tmp_path / "gappy.csv", tmp_path / "mended.csv"
    damaged.write_text(gappy)
    made = aetool.fit(damaged, "pca", condition=["machine", "load"])
    made.denoise(damaged, mended, fill_missing=True)
    filled = pd.read_csv(mended)
    assert filled["temp"].notna().all() and (filled["machine"] == table["machine"]).all()
    figures = cleaning.denoise(table, tmp_path / "same.csv", conditional)
    assert figures["rows"] == len(table)


def test_the_command_line_carries_a_condition_through(path, tmp_path, run):
    model = tmp_path / "m.aem"
    done = run("fit", path, "-p", "pca", "--condition", "machine,load", "-o", model)
    assert done.status == 0
    assert "categories that are conditions, not scored: machine" in done.err
    assert "numbers that are conditions, not scored: load" in done.err
    facts = json.loads(run("info", model, "--json").out)
    told = [column["name"] for column in facts["columns"] if column.get("condition")]
    assert told == ["machine", "load"]
    assert run("export", model, "-o", tmp_path / "onnx", "--verify").status == 0
    about = json.loads((tmp_path / "onnx" / "model.json").read_text())
    assert about["condition"]["columns"] == ["machine", "load"]
    assert run("verify", model).status == 0
    conditions = ("--condition", "machine", "--condition", "load")
    one_shot = run("detect", path, "-p", "pca", *conditions, "--top", 2)
    assert one_shot.status == 0 and one_shot.out.count("\n") == 3
    with_keep = run("fit", path, "-p", "pca", "--keep", "temp", "--condition", "machine",
                    "-o", tmp_path / "k.aem")  # fmt: skip
    assert with_keep.status == 0
    kept = [c.name for c in bundles.load(tmp_path / "k.aem").schema.modelled]
    assert kept == ["machine", "temp"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--condition", "zz"], "no such column"),
        (["--condition", "machine", "--drop", "machine"], "models do not see it"),
        (["--condition", "day,machine,load,temp,flow,noise"], "no column that a model can score"),
    ],
)
def test_conditions_that_cannot_be_are_refused(path, tmp_path, run, arguments, words):
    done = run("fit", path, "-p", "pca", *arguments, "-o", tmp_path / "m.aem")
    assert done.status == 2 and words in done.err and not (tmp_path / "m.aem").exists()


@pytest.mark.parametrize("option", ["--condition", "--label", "--drop", "--keep"])
def test_pictures_have_no_columns(tmp_path, run, option):
    np.save(tmp_path / "p.npy", np.zeros((30, 8, 8), np.uint8))
    done = run("fit", tmp_path / "p.npy", "-p", "pca", option, "a", "-o", tmp_path / "m.aem")
    said = {"--label": "--label a: pictures have no columns; they are labelled by their folders"}
    usual = f"{option} names columns of a table: pictures have none"
    assert done.status == 2 and said.get(option, usual) in done.err
    assert not (tmp_path / "m.aem").exists()


def test_a_stored_condition_is_true_or_false(conditional):
    told = conditional.schema.to_json()
    assert type(conditional.schema).from_json(told) == conditional.schema
    for column in told["columns"]:
        if column["name"] == "machine":
            column["condition"] = "yes"
    with pytest.raises(ValueError, match="machine"):
        type(conditional.schema).from_json(told)


def test_a_decoder_is_not_run_without_its_condition(conditional):
    with pytest.raises(ParamError, match="together with machine, load"):
        operations.decode(np.zeros((1, conditional.latent)), conditional)
    plain = dataclasses.replace(conditional, _sessions={})
    with pytest.raises(aetool.errors.BundleError, match="takes z and condition"):
        plain.session("decoder.onnx", "cpu")(np.zeros((1, conditional.latent), np.float32))
