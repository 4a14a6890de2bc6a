"""Every argument of every verb of Python, given something of a wrong type, is refused by its name."""

import inspect
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.errors import AetoolError, ParamError

NOTHING = object()  # what no argument may be
WRONG = [
    10**30, -1, 1.5, True, "", b"x", [True], ["x", None], {"a": object()}, {1, "x"}, np.arange(3),
    NOTHING,
]  # fmt: skip
NO_VERBS = ("hookimpl", "param", "session", "to_bytes")
FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)).round(2), columns=list("abc"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(a model, its file, an archive), in a folder of their own."""
    folder = tmp_path_factory.mktemp("made")
    model = aetool.fit(FRAME, plugin="pca")
    model.save(folder / "m.aem")
    aetool.compress(FRAME, folder / "t.aez")
    return model, folder / "m.aem", folder / "t.aez"


def verbs(made, folder):
    """By name: (a verb of Python, arguments with which it runs)."""
    model, saved, archive = made
    labelled = FRAME.assign(y=["0"] * 30 + ["1"] * 10)
    to = {"path": folder / "out", "force": True}
    return {
        "fit": (aetool.fit, {"data": FRAME, "plugin": "pca"}),
        "detect": (aetool.detect, {"data": FRAME, "model": model}),
        "drift": (aetool.drift, {"reference": model, "new": FRAME}),
        "load": (aetool.load, {"path": saved}),
        "compress": (aetool.compress, {"data": FRAME, **to}),
        "tradeoff": (aetool.tradeoff, {"data": FRAME, "others": False}),
        "merge": (aetool.merge, {"paths": [archive], **to}),
        "decompress": (aetool.decompress, {"path": archive, "out": folder / "z", "force": True}),
        "open": (aetool.open, {"path": archive}),
        "model.encode": (model.encode, {"data": FRAME}),
        "model.decode": (model.decode, {"codes": model.encode(FRAME)}),
        "model.denoise": (model.denoise, {"data": FRAME, **to}),
        "model.sample": (model.sample, {"count": 3}),
        "model.similar": (model.similar, {"query": FRAME[:1], "data": FRAME}),
        "model.compress": (model.compress, {"data": FRAME, **to}),
        "model.detect": (model.detect, {"data": FRAME}),
        "model.report": (model.report, {"data": FRAME, **to}),
        "model.drift": (model.drift, {"new": FRAME}),
        "model.score": (model.score, {"data": FRAME}),
        "model.map": (model.map, {"pictures": FRAME}),
        "model.explain": (model.explain, {"row": FRAME.loc[3]}),
        "model.evaluate": (
            model.evaluate,
            {"data": labelled, "label": "y", "normal": ["0"]},
        ),
        "model.save": (model.save, to),
        "model.calibrate": (model.calibrate, {"data": FRAME}),
    }


def doors():
    """The names of all verbs of Python: functions of the package, and methods of a model."""
    functions = [name for name in aetool.__all__ if inspect.isfunction(getattr(aetool, name))]
    models = vars(aetool.Bundle) | {
        name: value for base in aetool.Bundle.__mro__[1:-1] for name, value in vars(base).items()
    }
    methods = [name for name in models if inspect.isfunction(models[name]) and name[0] != "_"]
    return [name for name in functions if name not in NO_VERBS] + [
        f"model.{name}" for name in methods if name not in NO_VERBS
    ]


# What is allowed makes the verb run, which takes minutes for all of them: in the fast set each
# argument is given three, of which two are others than those of the next argument.
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", doors())
def test_no_argument_of_a_wrong_type_is_another_error_than_one_of_ours(
    made, tmp_path, name, every, monkeypatch
):
    # where a text is a path, a file of that name may be written
    monkeypatch.chdir(tmp_path)
    verb, arguments = verbs(made, tmp_path)[name]
    refused = 0
    for number, argument in enumerate(inspect.signature(verb).parameters):
        if argument in ("params", "self"):
            continue
        of_this = [WRONG[(number + step) % len(WRONG)] for step in (0, 5)]
        for wrong in WRONG if every else (NOTHING, *of_this):
            try:
                # some of these are allowed, such as a whole number for a seed
                returned = verb(**{**arguments, argument: wrong})
                if isinstance(returned, aetool.Archive):
                    returned.close()
            except AetoolError as error:
                assert len(str(error).splitlines()) == 1
                refused += 1
    assert refused


@pytest.mark.parametrize(
    ("name", "argument", "wrong", "said"),
    [
        ("fit", "plugin", 5, "fit: plugin must be the name of a model, or its declaration; got 5"),
        ("detect", "plugin", [1], "detect: plugin must be the name of a model, or its declar"),
        ("fit", "progress", 5, "fit: progress must be a function, as print is; got 5 (int)"),
        ("fit", "device", 5, "device must be a text; got 5 (int)"),
        ("model.score", "device", [1], "device must be auto, cpu, cuda or cuda:<n>, as a text"),
        ("model.score", "delimiter", 5, "delimiter must be a text such as ';'; got 5 (int)"),
        ("model.score", "encoding", b"x", "encoding must be a text such as 'utf-8'; got b'x'"),
        ("model.score", "comment", 5, "comment must be a text such as '#'; got 5 (int)"),
        ("detect", "header", 5, "header must be True or False; got 5 (int)"),
        ("detect", "heatmap", 5, "heatmap must be a path, as a text or a Path; got 5 (int)"),
        ("compress", "effort", [1], "effort must be fast, default, best; got [1]"),
        ("compress", "fit", 5, "compress: fit must be aetool.operations.FitOptions; got 5 (int)"),
        ("tradeoff", "fit", {}, "tradeoff: fit must be aetool.operations.FitOptions; got dict"),
        ("merge", "paths", 5, "merge: paths must be a list of paths; got 5 (int)"),
        ("fit", "resize", object(), "write pixels as WIDTH or WIDTHxHEIGHT"),
        ("model.save", "path", 5, "path must be a path, or a file opened for bytes; got 5 (int)"),
        ("model.similar", "rows", "7", "rows must be a list of whole numbers; got '7' (str)"),
        ("model.similar", "rows", ["7"], "a list of whole numbers; got list with '7' (str)"),
        ("model.similar", "rows", [1, True], "whole numbers; got list with True (bool)"),
        ("model.similar", "rows", [10**30], "rows 1000000000000000000000000000000 (int): no file"),
    ],
)
def test_the_message_names_the_argument_what_was_found_and_what_is_allowed(
    made, tmp_path, name, argument, wrong, said
):
    verb, arguments = verbs(made, tmp_path)[name]
    if argument == "plugin":
        arguments.pop("model", None)
    with pytest.raises(AetoolError) as caught:
        verb(**{**arguments, argument: wrong})
    assert said in str(caught.value)


@pytest.mark.parametrize("name", doors())
def test_a_call_that_suits_no_argument_is_refused_by_what_does(made, tmp_path, name):
    verb, arguments = verbs(made, tmp_path)[name]
    short = name.removeprefix("model.")
    first, *_ = [key for key in inspect.signature(verb).parameters if key != "self"]
    takes_params = any(one.kind == one.VAR_KEYWORD for one in signature_of(verb))
    calls = [
        (lambda: verb(*range(90)), f"{short}: {first}"),
        (lambda: verb(5, **arguments), "is given twice, by its place and by its name"),
    ]
    if not takes_params:
        calls.append((lambda: verb(**arguments, zzz=1), f"no argument 'zzz'; there are {first}"))
    if any(one.default is one.empty and one.kind != one.VAR_KEYWORD for one in signature_of(verb)):
        calls.append((verb, " missing"))
    for call, said in calls:
        with pytest.raises(AetoolError) as caught:
            call()
        assert said in str(caught.value) and str(caught.value).startswith(f"{short}: ")


def test_how_many_arguments_may_stand_without_a_name_is_said(made, tmp_path):
    said = {
        "model.score": "score: data, device may stand without their names, and",
        "model.sample": "sample: count may stand without its name, and",
    }
    for name, beginning in said.items():
        verb, _ = verbs(made, tmp_path)[name]
        with pytest.raises(ParamError, match=f"^{beginning}.*; got 9 without a name$"):
            verb(*range(9))


def signature_of(verb):
    """The arguments of a verb, but for the model that a method is of."""
    return [one for one in inspect.signature(verb).parameters.values() if one.name != "self"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("model.score", {"latent": 2}, "latent is of the model: fit it with latent, not score"),
        ("compress", {"threshold": 3}, "compress: no argument 'threshold'; detect(threshold=...)"),
        ("decompress", {"colums": []}, "decompress: no argument 'colums'; did you mean columns?"),
        ("decompress", {"columns": []}, "columns: name one at least, or leave it out for all"),
        ("open", {"threshold": 3}, "open: no argument 'threshold'; detect(threshold=...) takes it"),
        ("load", {"device": "cpu"}, "load: no argument 'device'; "),
        ("model.explain", {"top": 3}, "explain: no argument 'top'; detect(top=...) takes it"),
    ],
)
def test_a_name_that_a_verb_does_not_have_is_told_with_what_is_meant(
    made, tmp_path, name, options, said
):
    verb, arguments = verbs(made, tmp_path)[name]
    with pytest.raises(AetoolError) as caught:
        verb(**arguments, **options)
    assert str(caught.value).startswith(said)


def test_no_method_of_a_model_refuses_in_the_words_of_python(made):
    model, *_ = made
    said = {
        "save": ((), "save: path is missing"),
        "session": ((), "session: graph is missing"),
        "to_bytes": ((3,), "to_bytes takes no arguments; got 1"),
    }
    for name, (arguments, message) in said.items():
        with pytest.raises(ParamError, match=f"^{message}$"):
            getattr(model, name)(*arguments)
    with pytest.raises(AetoolError, match="this model has no 5, but encoder.onnx, decoder.onnx"):
        model.session(5)
    with pytest.raises(ParamError, match="only pictures are framed, and this model is of a table"):
        _ = model.view


def test_a_file_that_takes_or_gives_no_bytes_is_refused(made):
    model, saved, _ = made
    closed = io.BytesIO()
    closed.close()
    for verb in (model.save, aetool.load):
        with pytest.raises(ParamError, match="the file is closed, or not open for .*ing; open it"):
            verb(closed)
    with saved.open("rb") as of_reading, pytest.raises(ParamError, match="not open for writing"):
        model.save(of_reading)


def test_an_open_archive_takes_names_in_a_list_and_rows_by_whole_numbers(made):
    *_, archive = made
    with aetool.open(archive) as opened:
        for wrong in ("a", 5):
            with pytest.raises(ParamError, match="choose: columns must be a list of texts; got"):
                opened.choose(wrong)
        with pytest.raises(ParamError, match="an archive is sliced by rows, archive.a:b.; got sl"):
            opened["a":]


MANY = 10**6


class Counted(Sequence):
    """A million of numbers, of which those are counted that are looked at."""

    looked = 0

    def __len__(self):
        return MANY

    def __getitem__(self, place):
        self.looked += 1
        return place


def test_a_list_of_millions_is_refused_at_its_first_item():
    many = Counted()
    with pytest.raises(AetoolError, match="columns must be a list of texts; got .* with 0 .int."):
        aetool.detect(FRAME, columns=many)
    assert 0 < many.looked < 9


@pytest.mark.parametrize("many", [
    range(MANY), list(range(MANY)), tuple(range(MANY)), np.arange(MANY), set(range(MANY)),
    dict.fromkeys(range(MANY)).keys(), dict.fromkeys(map(str, range(MANY)), 1),
], ids=lambda many: type(many).__name__)  # fmt: skip
def test_a_list_of_millions_is_refused_in_a_line(many):
    with pytest.raises(AetoolError) as caught:
        aetool.detect(FRAME, columns=many)
    assert len(str(caught.value)) < 200 and "columns must be a list of texts" in str(caught.value)


@pytest.mark.parametrize("options", [
    {"latent": list(range(MANY))}, {"resize": list(range(MANY))}, {"seed": range(MANY)},
    {"max_error": {"a": list(range(MANY))}}, {"na": np.arange(MANY)}, {"device": [1] * MANY},
], ids=lambda options: next(iter(options)))  # fmt: skip
def test_no_message_has_a_list_of_millions_in_it(options):
    with pytest.raises(AetoolError) as caught:
        aetool.fit(FRAME, plugin="pca", **options)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("options", [{"effort": [1] * MANY}, {"shard": [1] * MANY}])
def test_no_message_of_an_archive_has_one(options, tmp_path):
    with pytest.raises(AetoolError) as caught:
        aetool.compress(FRAME, tmp_path / "a.aez", **options)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["L" * 10_000, " ".join(["word"] * 2000)], ids=["one", "words"])
def test_no_message_has_a_name_of_thousands_of_letters(name, tmp_path, run):
    path = tmp_path / "t.csv"
    rows = np.random.default_rng(0).normal(size=(100, 2)).round(3)
    path.write_text("\n".join([f"{name},y", *(f"{a},{b}" for a, b in rows)]) + "\n")
    for arguments in (
        ("fit", path, "-p", "pca", "-o", tmp_path / "m.aem"),
        ("detect", path, "--drop", "q"),
        ("compress", path, "--max-error", "q=1"),
        ("compress", path, "--max-error", "1%", "-f"),
    ):
        done = run(*arguments)
        assert 0 < max(map(len, done.err.splitlines())) < 4100, arguments
    with pytest.raises(AetoolError, match="there are|did you mean") as caught:
        aetool.detect(path, drop=["q"])
    assert len(str(caught.value)) < 4100 and name[:90] in str(caught.value)
    # the names of files are whole
    below = "f" * 251
    with pytest.raises(AetoolError) as of_path:
        aetool.detect(f"{tmp_path}/{below}/{below}.csv")
    assert f"/{below}/{below}.csv" in str(of_path.value)
