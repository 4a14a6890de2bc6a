"""Messages name options as their reader knows them: with dashes at the command line, and in Python
by the names of arguments."""

import ast
import dataclasses
import functools
import inspect
import logging
import re

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import api, operations, spelling
from aetool.cli import COMMANDS, main
from aetool.csv.dialect import OPTIONS
from tests.test_architecture import ROOT
from tests.trees import tree_of

# colours of a page are called --d-ink and the like
BARE = re.compile(r"(?<![\w-])(--(?!d-)[a-z][a-z-]*|-[a-zA-Z])(?![\w-])")
# of python itself, of bunzip2, and of zstd
OF_OTHERS = {"-c", "bunzip2 -k {name}", "--ultra -22"}
SHELL_ALONE = {
    ": --explain-columns",
    "aetool fit ",
    " -p ",
    " -p pca -o pca.aem",
}  # said where in_shell() is true
NUMBERS = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)).round(2), columns=list("abc"))


def host_files():
    """(file, its tree) of all that speaks to both faces: not the command line's own room."""
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] not in ("cli", "spelling.py", "template"):
            yield path, tree_of(path)


def is_of_option(node):
    """Whether it is a call of option()."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return is_call and node.func.id == "option"


def texts(tree):
    """(line, text) of all strings but docstrings and the arguments of option()."""
    passed_over = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            passed_over.add(id(first.value))
        if is_of_option(node):
            passed_over |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in passed_over:
            yield node.lineno, node.value


def test_no_message_has_an_option_of_the_shell():
    """Whoever names one says option("--name")."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path, tree in host_files()
        for line, text in texts(tree)
        if BARE.search(text) and not any(text.endswith(one) for one in OF_OTHERS | SHELL_ALONE)
    ]
    assert not found, "\n".join(found)


@functools.cache
def named():
    """Every option that a message names."""
    return {
        node.args[0].value
        for _, tree in host_files()
        for node in ast.walk(tree)
        if is_of_option(node) and isinstance(node.args[0], ast.Constant)
    }


def options_of_the_shell():
    context = main.make_context("aetool", [], resilient_parsing=True)
    for name in COMMANDS:
        command = main.get_command(context, name)
        for one in [command, *getattr(command, "commands", {}).values()]:
            for parameter in one.params:
                yield from parameter.opts
                yield from parameter.secondary_opts


def arguments_of_python():
    for name in ("fit", "detect", "compress", "decompress", "load", "open_archive"):
        yield from inspect.signature(getattr(api, name)).parameters
    for name in operations.__all__:
        yield from inspect.signature(getattr(operations, name)).parameters
    yield from OPTIONS


# operations of their own in Python, with these names
OPERATIONS = {"loadings", "plot", "sheet", "colour", "max_output", "calibration", "region"}


def test_every_option_named_is_there_in_both_faces():
    shell = {*options_of_the_shell(), "-O "}
    python = {*arguments_of_python(), *OPERATIONS, ""}
    assert len(named()) > 40
    for name in named():
        assert name in shell, f"{name} is no option"
        said = spelling.option(name).partition("=")[0]
        assert said in python, f"{name}: {said} is no argument"


def test_a_flag_is_what_is_true_or_false():
    fields = {
        field.name: field.type
        for kind in (operations.FitOptions, operations.CompressOptions, operations.SampleOptions,
                     operations.SearchOptions, operations.DenoiseOptions)
        for field in dataclasses.fields(kind)
    }  # fmt: skip
    for name in named() - {"-f"}:
        called = spelling.option(name).partition("=")[0]
        if called in fields:
            assert (fields[called] == "bool") == spelling.option(name).endswith("=True"), name


def test_the_same_error_in_both(tmp_path, run):
    data, archive = tmp_path / "t.csv", tmp_path / "t.aez"
    NUMBERS.to_csv(data, index=False)
    aetool.compress(data, archive)
    for call, arguments, python, shell in (
        (lambda: aetool.compress(data, archive), ["compress", data, "-o", archive],
         "exists already; replace it with force=True, or choose another path",
         "exists already; replace it with -f, or choose another -o"),
        (lambda: aetool.detect(data, fpr=2.0), ["detect", data, "--fpr", "2"],
         "fpr must lie between 0 and 1", "--fpr must lie between 0 and 1"),
        (lambda: aetool.detect(data, top=1, fpr=0.1), ["detect", data, "--fpr", "1%", "--top", "1"],
         "fpr and top exclude each other", "--fpr and --top exclude each other"),
        (lambda: aetool.fit(data, "pca", group="a"), ["fit", data, "-p", "pca", "--group", "a"],
         "group and order say which rows come before: give context N, too",
         "--group and --order say which rows come before: give --context N, too"),
        (lambda: aetool.detect(data, plugin="vae"), ["detect", data, "-p", "vae"],
         "first: aetool.fit(data, plugin='vae')", f"first: aetool fit {data} -p vae"),
        (lambda: aetool.compress(data, archive, force=True, target=0.1),
         ["compress", data, "-f", "--target-error", "10%"],
         "latent and target go with lossy=True", "--latent and --target-error go with --lossy"),
    ):  # fmt: skip
        with pytest.raises(aetool.AetoolError) as caught:
            call()
        assert python in str(caught.value) and not BARE.search(str(caught.value))
        done = run(*arguments)
        assert done.status == 2 and shell in done.err


def test_what_is_said_of_columns(caplog, run, tmp_path):
    wide = pd.DataFrame(np.random.default_rng(1).normal(size=(50, 30)).round(2)).add_prefix("c")
    caplog.set_level(logging.INFO, "aetool.data")
    aetool.fit(wide, "pca")
    assert "more columns" in caplog.text and "--" not in caplog.text
    wide.to_csv(tmp_path / "w.csv", index=False)
    assert (
        "more columns; each by itself: --explain-columns"
        in run("detect", tmp_path / "w.csv", "-p", "pca").err
    )
