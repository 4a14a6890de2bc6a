"""The verbs of Python name what they take, where they are given something else."""

import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import arguments, operations
from aetool.bundle import CODEC
from aetool.csv.dialect import OPTIONS
from aetool.errors import DataError, ParamError
from tests.sweeps import one_in

FRAME = pd.DataFrame({"a": [1.5, 2.5, 3.5]})


@pytest.mark.parametrize("data", [5, None, {1, 2}, 2.5, object(), [1, 2], pd.DataFrame, Path])
@pytest.mark.parametrize("verb", ["compress", "detect", "fit"])
def test_data_of_another_kind_are_refused_by_name(tmp_path, verb, data):
    target = [tmp_path / "a.aez"] if verb == "compress" else []
    with pytest.raises(
        aetool.AetoolError, match=f"^{verb}: data must be a path .*DataFrame"
    ) as said:
        getattr(aetool, verb)(data, *target)
    one = data[0] if isinstance(data, list) else data
    assert one is None or type(one).__name__ in str(said.value)
    assert not list(tmp_path.iterdir())


DOUBLE = pd.DataFrame([[1, 2]], columns=["a", "a"])
NO_TABLES = [
    ([], "the list is empty: there is nothing to read"),
    ((), "the tuple is empty"),
    (iter([]), "list_iterator: nothing comes from it; an iterator can be read once"),
    (iter([1]), r"data must be .*; got 1 \(int\)"),
    ({"a": 1}, r"dict: column 'a' is one value, 1 \(int\); write a list of values for each column"),
    ({"a": [1, 2], "b": [1]}, "dict: these are no columns of one length"),
    ([[1, 2], [3]], "list: row 2 has 1 values, the first 2"),
    ([{"a": 1}, [2]], "record 2 of the list is another thing: list"),
    (iter([FRAME, pd.DataFrame({"a": ["x"]})]), "its parts are no one table: .*Field a"),
    (DOUBLE, "DataFrame: two columns are called 'a'; name them apart"),
]


@pytest.mark.parametrize(("data", "said"), NO_TABLES)
def test_what_is_nearly_a_table_says_what_is_wrong_with_it(data, said):
    with pytest.raises(aetool.AetoolError, match=said):
        aetool.fit(data, "pca")


@pytest.mark.parametrize(("options", "said"), [
    ({"path": 5}, r"path must be a path, as a text or a Path; got 5 \(int\)"),
    ({"path": b"a.aez"}, r"path must be a path.*got b'a.aez' \(bytes\)"),
    ({"model": 5}, r"model must be a path.*got 5"),
    ({"effort": 5}, r"effort must be fast, default, best; got 5"),
    ({"effort": "slow"}, r"effort must be fast, default, best; got 'slow'"),
    ({"max_error": [1]}, r"max_error must be a dictionary of texts; got list"),
    ({"lossy": "yes"}, r"lossy must be True or False; got 'yes'"),
    ({"latent": "2", "lossy": True}, r"latent must be a whole number or None; got '2'"),
    ({"latent": True, "lossy": True}, r"latent must be a whole number or None; got True"),
])  # fmt: skip
def test_options_of_compress(tmp_path, options, said):
    chosen = {"path": tmp_path / "a.aez", **options}
    with pytest.raises(aetool.AetoolError, match=f"compress: {said}|^{said}"):
        aetool.compress(FRAME, **chosen)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "said"), [
    ({"path": None}, "path must be a path"),
    ({"out": 5}, "out must be a path"),
    ({"rows": 5}, r"rows must be slice\(a, b\) or \(a, b\); got 5"),
    ({"rows": (1, 2, 3)}, r"rows must be slice\(a, b\)"),
    ({"rows": (0.5, 2)}, "the first of rows must be a whole number; got 0.5"),
    ({"rows": (0, "2")}, "the end of rows must be a whole number or None; got '2'"),
    ({"columns": "a"}, r"columns must be a list of texts or None; got 'a' \(str\)"),
    ({"columns": [0]}, r"columns must be a list of texts or None; got list with 0 \(int\)"),
    ({"columns": ["a", None]}, r"columns must be a list of texts or None; got list with None \(NoneType\)"),
    ({"max_output": "1G"}, "max_output must be a whole number or None"),
    ({"device": 5}, "device must be a text"),
])  # fmt: skip
def test_options_of_decompress(tmp_path, options, said):
    aetool.compress(FRAME, tmp_path / "a.aez")
    with pytest.raises(aetool.AetoolError, match=f"decompress: {said}"):
        aetool.decompress(**{"path": tmp_path / "a.aez", **options})
    assert [path.name for path in tmp_path.iterdir()] == ["a.aez"]


def test_numbers_of_numpy_and_paths_of_any_kind_are_taken(tmp_path):
    aetool.compress(FRAME, str(tmp_path / "a.aez"))
    rows = (np.int64(1), np.int32(3))
    restored = aetool.decompress(tmp_path / "a.aez", tmp_path / "b.parquet", rows=rows)
    assert pd.read_parquet(restored)["a"].tolist() == [2.5, 3.5]
    with aetool.open(tmp_path / "a.aez") as archive:
        assert archive[1:3]["a"].tolist() == [2.5, 3.5]
        with pytest.raises(aetool.AetoolError, match=r"sliced by rows, archive\[a:b\]; got 0"):
            archive[0]


def test_options_of_other_verbs():
    for call, said in [
        (lambda: aetool.fit(FRAME, seed="x"), "fit: seed must be a whole number"),
        (lambda: aetool.fit(FRAME, drop="a"), "fit: drop must be a list of texts"),
        (lambda: aetool.detect(FRAME, top="x"), "detect: top must be a whole number or None"),
        (lambda: aetool.detect(FRAME, 5), "detect: model must be a path"),
        (lambda: aetool.load(5), "load: path must be a path"),
        (lambda: aetool.open(5), "open: path must be a path"),
    ]:
        with pytest.raises(aetool.AetoolError, match=said):
            call()


# of options as operations take them: one that would be read letter by letter, or has other values
WRONG_OPTIONS = [
    (operations.CompressOptions, {"max_error": "10%"}, "compress: max_error must be a dictionary of texts; got '10%' (str)"),
    (operations.CompressOptions, {"max_error": {"a": 0.5}}, "compress: max_error must be a dictionary of texts; got dict with 0.5 (float)"),
    (operations.CompressOptions, {"shard": 2}, "compress: shard must be a text or None; got 2 (int)"),
    (operations.FitOptions, {"max_error": "10%"}, "fit: max_error must be a dictionary of texts; got '10%' (str)"),
    (operations.FitOptions, {"drop": "ab"}, "fit: drop must be a list of texts; got 'ab' (str)"),
    (operations.FitOptions, {"types": [("a", "skip")]}, "fit: types must be a dictionary of texts; got list with tuple"),
    (operations.SearchOptions, {"columns": "ab"}, "similar: columns must be a list of texts; got 'ab' (str)"),
    (operations.SampleOptions, {"condition": "a=1"}, "sample: condition must be a dictionary of texts; got 'a=1' (str)"),
    (operations.TradeoffOptions, {"plugins": "pca"}, "tradeoff: plugins must be a list of texts; got 'pca' (str)"),
    (operations.DenoiseOptions, {"force": "yes"}, "denoise: force must be True or False; got 'yes' (str)"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "options", "said"), WRONG_OPTIONS)
def test_options_are_checked_where_they_are_put_together(declared, options, said):
    with pytest.raises(ParamError) as caught:
        declared(**options)
    assert str(caught.value) == said


def test_one_bound_means_all_columns_in_every_verb(tmp_path):
    rows = FRAME.loc[[0, 1, 2] * 40].reset_index(drop=True)
    rows.to_csv(tmp_path / "t.csv", index=False)
    by_column = aetool.fit(tmp_path / "t.csv", "pca", codec=True, max_error={"": "0.5"})
    for bound in ("0.5", 0.5, {"": 0.5}):
        model = aetool.fit(tmp_path / "t.csv", "pca", codec=True, max_error=bound)
        assert model.graphs[CODEC] == by_column.graphs[CODEC]
    of_text = {
        aetool.compress(tmp_path / "t.csv", tmp_path / "t.aez", max_error=bound, force=True)[
            "archive_bytes"
        ]
        for bound in ("0.5", 0.5, {"": 0.5}, {"a": "0.5"})
    }
    assert len(of_text) == 1


def test_one_path_where_a_list_of_them_belongs(tmp_path):
    with pytest.raises(ParamError, match=r"^merge: paths must be a list of paths; got 'a.aez'"):
        aetool.merge("a.aez", tmp_path / "b.aez")
    model = aetool.fit(FRAME, "pca")
    # a single model is a list of that one
    alone, listed = (aetool.tradeoff(FRAME, of, others=False) for of in (model, [model]))
    assert [point.way for point in alone.points] == [point.way for point in listed.points]


# what each verb of Python does is declared by an operation, and what is of Python alone stays apart
OPERATIONS = [
    (aetool.detect, operations.detect, {"fit", "watch", "model"}),
    (
        aetool.detect,
        operations.FitOptions,
        {"params", "all_rows", "codec", "max_error", "students"},
    ),
    (aetool.drift, operations.drift, {"fit"}),
    (aetool.drift, operations.FitOptions, {"params", "codec", "max_error", "students"}),
    (aetool.compress, operations.CompressOptions, set()),
    (aetool.decompress, operations.decompress, {"notes", "parts"}),
    (aetool.Bundle.detect, operations.detect, {"fit", "watch", "model"}),
    (aetool.Bundle.drift, operations.drift, {"fit", "reference"}),
    (aetool.Bundle.report, operations.report, {"fit", "model"}),
    (aetool.Bundle.denoise, operations.DenoiseOptions, set()),
    (aetool.Bundle.sample, operations.SampleOptions, {"force"}),  # which is of files
    (aetool.Bundle.similar, operations.SearchOptions, set()),
    (aetool.Bundle.compress, operations.CompressOptions, {"fit"}),
]
# these say more in Python than the operation takes, or are None for what is empty there
OTHERWISE = {"all_rows", "effort", "max_error", "rows", "types", "condition"}
READ_FROM_TEXT = ["detect", "report", "drift", "score", "evaluate", "encode", "denoise", "similar"]


@pytest.mark.parametrize(("verb", "declared", "left_out"), OPERATIONS)
def test_verbs_name_all_that_they_take(verb, declared, left_out):
    """So that an editor completes it: by the names and defaults that the operation declares."""
    taken, fields = inspect.signature(verb).parameters, inspect.signature(declared).parameters
    assert not [one for one in taken.values() if one.kind is inspect.Parameter.VAR_POSITIONAL]
    for name in fields.keys() - left_out:
        assert name in taken, name
        if name not in OTHERWISE:
            assert taken[name].default == fields[name].default, name
        assert taken[name].annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("verb", READ_FROM_TEXT)
def test_verbs_that_read_text_name_how_it_is_written(verb):
    assert set(OPTIONS) <= set(inspect.signature(getattr(aetool.Bundle, verb)).parameters)
    of_module = getattr(aetool, verb, None)
    if inspect.isfunction(of_module):
        assert set(OPTIONS) <= set(inspect.signature(of_module).parameters)


def test_options_that_are_none_are_refused_with_those_that_are():
    model = aetool.fit(FRAME, "pca")
    for call, said in [
        (lambda: aetool.compress(FRAME, "x.aez", speed=1), "compress: no argument 'speed'"),
        (lambda: aetool.decompress("x.aez", nothing=1), "decompress: no argument 'nothing'"),
        (lambda: model.detect(FRAME, tpo=1), "detect: no argument 'tpo'"),
        (lambda: model.score(FRAME, sep=";"), "score: no argument 'sep'"),
    ]:
        with pytest.raises(ParamError, match=f"^{said}; there are (data|path), "):
            call()


def test_what_is_of_a_fit_goes_with_no_model():
    model = aetool.fit(FRAME, "pca")
    for options in ({"seed": 3}, {"drop": ["a"]}, {"robust": True}, {"latent": 1}):
        ((name, value),) = options.items()
        # a choice is named with what it was
        name = f"{name}=True" if value is True else name
        with pytest.raises(
            aetool.AetoolError, match=f"^{name} is of the model: fit it with {name}, not "
        ):
            aetool.detect(FRAME, model, **options)
        with pytest.raises(
            aetool.AetoolError, match=f"^{name} is of the model: fit it with {name}, not "
        ):
            aetool.drift(model, FRAME, **options)


def test_what_is_of_a_fit_is_done_without_a_model():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    other = frame.assign(a=frame["a"] + 100)
    apart = aetool.detect(other, plugin="pca", drop=["a"], seed=3)
    pd.testing.assert_frame_equal(apart, aetool.detect(frame, plugin="pca", drop=["a"], seed=3))
    assert aetool.drift(frame, other, plugin="pca").word != "same"
    assert aetool.drift(frame, other, plugin="pca", drop=["a"]).word == "same"


@pytest.mark.parametrize(("options", "near"), [
    ({"id": "a"}, "columns"), ({"tops": 3}, "top"), ({"contaminaton": 0.1}, "contamination"),
    ({"engine": "dask"}, "executor"), ({"laten": 2, "plugin": "pca"}, "latent"),
])  # fmt: skip
def test_a_misspelt_argument_names_the_nearest(options, near):
    wrong = next(iter(options))
    with pytest.raises(aetool.AetoolError) as said:
        aetool.detect(FRAME, **options)
    assert str(said.value) == f"detect: no argument '{wrong}'; did you mean {near}?"


def test_what_is_near_no_argument_is_left_to_the_model():
    with pytest.raises(aetool.AetoolError, match="pca has no parameter 'zzz'; it has: latent"):
        aetool.detect(FRAME, plugin="pca", zzz=1)
    with pytest.raises(aetool.AetoolError, match="^fit: no argument 'epoch'; did you mean epochs"):
        aetool.fit(FRAME, epoch=3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (10**5000, "about 2^16610 (int)"),
        (-(10**5000), "about -2^16610 (int)"),
        (10**1200, "1" + "0" * 39 + "... (int)"),
    ],
    ids=["large", "small", "short"],
)
def test_numbers_of_any_length_are_said(value, said):
    # Python itself writes no more than 4,300 digits
    assert arguments.shown(value) == said
    with pytest.raises(ParamError, match=re.escape(said)):
        aetool.compress({"x": [1.0, 2.0]}, value)


NAMES = pd.Index(["a"])
ROWS_OF_NAMES = [
    NAMES, (("a",),), np.array(["a"]), np.array(["a"], object), pd.Series(["a"]), {"a"},
    {"a": 1}.keys(), ["a"],
]  # fmt: skip


@pytest.mark.parametrize("names", one_in(2, ROWS_OF_NAMES), ids=lambda names: type(names).__name__)
def test_names_are_taken_from_whatever_holds_a_row_of_them(names, tmp_path):
    chosen = operations.FitOptions(drop=names)
    assert chosen.drop == ["a"] and chosen == operations.FitOptions(drop=["a"])
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    scored = aetool.detect(frame, plugin="pca", drop=names)
    alike = aetool.detect(frame.assign(a=7.0), plugin="pca", drop=["a"])
    pd.testing.assert_frame_equal(scored, alike)
    aetool.compress(frame, tmp_path / "t.aez")
    restored = aetool.decompress(tmp_path / "t.aez", tmp_path / "t.parquet", columns=names)
    assert list(pd.read_parquet(restored)) == ["a"]
    with aetool.open(tmp_path / "t.aez", columns=names) as archive:
        assert list(archive.to_pandas()) == ["a"]


def test_a_set_of_names_has_one_order():
    assert operations.FitOptions(keep={"c", "a", "b"}).keep == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (FRAME, "got pandas"),
        (pd.Index([1, 2]), "with 1 (int)"),
        (np.array([["a"]]), "got numpy.ndarray"),
        ("a", "got 'a' (str)"),
        ({"a": "b"}, "got dict"),
    ],
)
def test_what_is_no_row_of_names_is_refused(names, said):
    with pytest.raises(ParamError) as caught:
        operations.FitOptions(drop=names)
    assert str(caught.value).startswith("fit: drop must be a list of texts; got")
    assert said in str(caught.value)


def test_scalars_of_numpy_are_those_of_python(tmp_path):
    chosen = operations.FitOptions(seed=np.int64(3), robust=np.True_, label=np.str_("y"))
    spread = operations.SampleOptions(spread=np.float32(0.5)).spread
    for value, own in [(chosen.seed, 3), (chosen.robust, True), (spread, 0.5)]:
        assert type(value) is type(own) and value == own
    assert type(chosen.label) is str
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    found = aetool.detect(frame, plugin="pca", top=np.int64(2), all_rows=np.False_)
    assert len(found) == 2
    frame.to_csv(tmp_path / "t.csv", index=False, header=False)
    # the first of the 60 lines is no header, and one of them is left out
    text = {"header": np.False_, "skip_rows": np.int64(1)}
    assert len(aetool.detect(tmp_path / "t.csv", plugin="pca", **text)) == 59
    for wrong in (np.int64(1), 1):
        with pytest.raises(ParamError, match="fit: robust must be True or False; got 1"):
            operations.FitOptions(robust=wrong)


def test_none_stands_for_the_default_in_every_verb(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    assert operations.FitOptions(drop=None, types=None, seed=None) == operations.FitOptions()
    unset = {"drop": None, "na": None, "types": None, "seed": None, "device": None}
    model = aetool.fit(frame, "pca")
    scored = aetool.detect(frame, plugin="pca", columns=None, force=None, **unset)
    pd.testing.assert_frame_equal(scored, aetool.detect(frame, plugin="pca"))
    # and none of them is taken for an option of a fit beside a model
    pd.testing.assert_frame_equal(aetool.detect(frame, model, **unset), model.detect(frame))
    assert np.array_equal(model.score(frame, device=None), model.score(frame))
    assert model.sample(3, seed=None, spread=None, device=None).equals(model.sample(3))
    figures = aetool.compress(frame, tmp_path / "t.aez", effort=None, force=None, device=None)
    assert figures["rows"] == 60
    restored = aetool.decompress(tmp_path / "t.aez", tmp_path / "t.parquet", device=None)
    assert pd.read_parquet(restored).equals(frame)


@pytest.mark.parametrize(
    ("verb", "options", "said"),
    [
        (aetool.fit, {"fpr": "1%"}, "model.calibrate(fpr=...) and detect(fpr=...) take it"),
        (aetool.fit, {"top": 3}, "detect(top=...) takes it"),
        (aetool.fit, {"force": True}, "compress(force=...) takes it"),
        (aetool.fit, {"model": "m.aem"}, "detect(model=...) takes it"),
        (aetool.fit, {"lossy": True}, "compress(lossy=...) takes it"),
        (aetool.detect, {"codec": True}, "fit(codec=...) takes it"),
        (aetool.detect, {"spread": 0.5}, "model.sample(spread=...) takes it"),
    ],
)
def test_an_argument_of_another_verb_is_told_with_that_verb(verb, options, said):
    (name,) = options
    with pytest.raises(ParamError) as caught:
        verb(FRAME, **options)
    assert str(caught.value) == f"{verb.__name__}: no argument '{name}'; {said}"


def test_a_parameter_of_another_model_is_told_by_the_model():
    with pytest.raises(ParamError, match="auto has no parameter 'latent'"):
        aetool.fit(FRAME, latent=8)


def test_no_method_of_a_model_takes_options_of_a_fit(tmp_path):
    model = aetool.fit(FRAME, "pca")
    target = tmp_path / "out"
    for call, verb in [
        (lambda: model.detect(FRAME, drop=["a"]), "detect"),
        (lambda: model.report(FRAME, target, drop=["a"]), "report"),
        (lambda: model.drift(FRAME, drop=["a"]), "drift"),
        (lambda: model.score(FRAME, drop=["a"]), "score"),
        (lambda: model.map(FRAME, drop=["a"]), "map"),
        (lambda: model.explain(FRAME[:1], drop=["a"]), "explain"),
        (lambda: model.evaluate(FRAME, "a", drop=["a"]), "evaluate"),
        (lambda: model.encode(FRAME, drop=["a"]), "encode"),
        (lambda: model.decode([[0.0]], drop=["a"]), "decode"),
        (lambda: model.denoise(FRAME, target, drop=["a"]), "denoise"),
        (lambda: model.sample(3, drop=["a"]), "sample"),
        (lambda: model.similar(FRAME, FRAME, drop=["a"]), "similar"),
        (lambda: model.compress(FRAME, target, drop=["a"]), "compress"),
        (lambda: model.calibrate(FRAME, drop=["a"]), "calibrate"),
    ]:
        with pytest.raises(ParamError) as caught:
            call()
        assert str(caught.value) == f"drop is of the model: fit it with drop, not {verb}"
    for verb in ("compress", "tradeoff"):
        with pytest.raises(ParamError) as caught:
            getattr(aetool, verb)(FRAME, drop=["a"], plugin="pca")
        assert str(caught.value) == (
            f"{verb}: drop, plugin are of a fit: give "
            "fit=aetool.operations.FitOptions(drop=..., plugin=...)"
        )
    assert not target.exists()


def test_the_name_of_a_plugin_in_the_place_of_a_model(run, rows_csv, tmp_path, monkeypatch):
    name_of = "pca is the name of a plugin, not a file with a model"
    for call, said in [
        (lambda: aetool.detect(FRAME, "pca"), f'detect: {name_of}; it is given as plugin="pca"'),
        (lambda: aetool.drift("pca", FRAME), f'drift: {name_of}; it is given as plugin="pca"'),
        (
            lambda: aetool.compress(FRAME, tmp_path / "t.aez", "pca"),
            f'compress: {name_of}; fit one: aetool.fit(data, plugin="pca")',
        ),
        (lambda: aetool.load("pca"), f'load: {name_of}; fit one: aetool.fit(data, plugin="pca")'),
    ]:
        with pytest.raises(DataError) as caught:
            call()
        assert str(caught.value) == said
    done = run("detect", str(rows_csv), "-m", "pca")
    assert done.status == 2 and "of the plugin pca one is fitted here by -p pca" in done.err
    done = run("denoise", str(rows_csv), "-m", "pca", "-o", str(tmp_path / "new.csv"))
    assert done.status == 2 and "make one: aetool fit DATA -p pca -o pca.aem" in done.err
    # a file of that name is a model all the same
    monkeypatch.chdir(tmp_path)
    aetool.fit(FRAME, "pca").save("pca")
    assert len(aetool.detect(FRAME, "pca")) == 3
    assert run("detect", str(rows_csv), "-m", "nothing").err.count("plugin") == 0


@pytest.mark.parametrize("lost", [(), {}.keys(), np.array([]), pd.Series([], dtype=str)])
def test_what_is_lost_is_added_to_the_callers_own_list(lost, tmp_path):
    """A copy of another kind of row would be filled, and the damage never seen."""
    pd.DataFrame({"a": range(100)}).to_csv(tmp_path / "t.csv", index=False)
    aetool.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    with pytest.raises(ParamError, match="lost must be a list or None"):
        aetool.decompress(tmp_path / "t.aez", tmp_path / "back.csv", lost=lost)
    messages = []
    aetool.decompress(tmp_path / "t.aez", tmp_path / "back.csv", lost=messages)
    assert messages == []


def test_messages_name_only_arguments_that_the_verbs_take():
    from aetool.api import conversion

    verbs = {
        "fit": aetool.fit, "detect": aetool.detect, "drift": aetool.drift,
        "compress": aetool.compress, "model.calibrate": aetool.Bundle.calibrate,
        "model.sample": aetool.Bundle.sample,
    }  # fmt: skip
    names = {name for verb in verbs.values() for name in conversion.names_of(verb)}
    named = 0
    for name in sorted(names):
        for own in (aetool.fit, aetool.detect):
            if name in conversion.names_of(own) or name in ("self", "options"):
                continue
            with pytest.raises((ParamError, TypeError, DataError)) as caught:
                own([[1.0, 2.0]] * 30, **{name: "x"})
            for verb in re.findall(r"([\w.]+)\(" + name + r"=\.\.\.\)", str(caught.value)):
                named += 1
                assert name in conversion.names_of(verbs[verb]), (verb, name)
    assert named > 10
