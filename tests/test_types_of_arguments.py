"""Every argument of every verb of Python, given something of a wrong type, is refused by its name."""

import inspect

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.errors import AetoolError

WRONG = [5, [1, 2], {"a": object()}, object(), b"x"]
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


@pytest.mark.parametrize("name", [
    "fit", "detect", "drift", "load", "compress", "tradeoff", "merge", "decompress", "open",
    "model.encode", "model.decode", "model.denoise", "model.sample", "model.similar",
    "model.compress", "model.detect", "model.report", "model.drift", "model.score", "model.map",
    "model.explain", "model.evaluate", "model.save", "model.calibrate",
])  # fmt: skip
def test_no_argument_of_a_wrong_type_is_another_error_than_one_of_ours(made, tmp_path, name):
    verb, arguments = verbs(made, tmp_path)[name]
    refused = 0
    for argument in inspect.signature(verb).parameters:
        if argument == "params":
            continue
        for wrong in WRONG:
            try:
                # some of these are allowed, such as a whole number for a seed
                verb(**{**arguments, argument: wrong})
            except AetoolError:
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
        ("model.similar", "rows", "7", "rows must be a list of the numbers of records, from 1"),
        ("model.similar", "rows", ["7"], "rows must be a list of the numbers of records, from 1"),
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
