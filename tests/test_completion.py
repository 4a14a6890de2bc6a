"""What a shell offers at Tab, and what a misspelt verb or option is told."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

from aetool import plugins
from aetool.cli import COMMANDS, completion, main, status

COMPLETED = "import sys; from aetool.cli import run; sys.argv[0] = 'aetool'; run()"


def offered(*words):
    """What bash is offered for the last of these words: (kind, value) of each."""
    environment = {
        **os.environ,
        "_AETOOL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["aetool", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPLETED],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [tuple(line.split(",", 1)) for line in done.stdout.split()]


@pytest.mark.parametrize(("words", "expected"), [
    (["det"], [("plain", "detect")]),
    (["detect", "--fp"], [("plain", "--fpr")]),
    (["detect", "air"], [("file", "air")]),
    (["detect", "air.csv", "-m", "a"], [("file", "a")]),
    (["fit", "air.csv", "-p", "pc"], [("plain", "pca")]),
    (["detect", "air.csv", "--device", "c"], [("plain", "cpu"), ("plain", "cuda")]),
    (["detect", "air.csv", "--format", "json"], [("plain", "json"), ("plain", "jsonl")]),
    (["plugins", "sh"], [("plain", "show")]),
    (["plugins", "show", "hist"], [("plain", "histogram")]),
    (["plugins", "new", "pc"], []),
])  # fmt: skip
def test_tab_offers_what_may_stand_there(words, expected):
    assert offered(*words) == expected


def test_every_verb_is_offered():
    assert {value for _, value in offered("")} == set(COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_given_a_function(monkeypatch, capfd, shell):
    monkeypatch.setenv("_AETOOL_COMPLETE", f"{shell}_source")
    assert status([]) == 0
    said = capfd.readouterr().out
    assert f"_AETOOL_COMPLETE={shell}_complete" in said


def test_names_of_files_are_those_of_options():
    context = main.make_context("aetool", [], resilient_parsing=True)
    options = {
        parameter.name for name in COMMANDS for parameter in main.get_command(context, name).params
    }
    assert options >= completion.FILES


def test_plugins_are_offered_by_their_entry_points_alone():
    assert "torch" not in sys.modules or plugins.available()
    names = [item.value for item in completion.PluginName().shell_complete(None, None, "")]
    assert names == list(plugins.available())


TO_USE_A_GPU = [
    "  pip uninstall onnxruntime onnxruntime-gpu",
    "  pip install 'onnxruntime-gpu[cuda,cudnn]'",
]


@pytest.fixture
def runtimes(monkeypatch):
    """Has it that of ONNX Runtime these distributions are installed, with these providers."""

    def declare(installed, providers):
        version = metadata.version

        def known(name):
            if name.startswith("onnxruntime") and name not in installed:
                raise metadata.PackageNotFoundError(name)
            return "1.0" if name in installed else version(name)

        monkeypatch.setattr(metadata, "version", known)
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)

    return declare


def test_doctor_says_how_to_use_a_gpu(run, runtimes, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    runtimes({"onnxruntime"}, ["CPUExecutionProvider"])
    done = run("doctor")
    assert done.status == 0 and done.out.splitlines()[-2:] == TO_USE_A_GPU
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert "CUDA" not in run("doctor").out, "no Mac has one"


def test_doctor_says_what_to_do_about_two_runtimes(run, runtimes):
    runtimes({"onnxruntime", "onnxruntime-gpu"}, ["CPUExecutionProvider"])
    done = run("doctor")
    assert done.status == 1 and done.out.splitlines()[-3:] == [
        "problem: onnxruntime and onnxruntime-gpu are both installed; run:", *TO_USE_A_GPU,
    ]  # fmt: skip


def test_doctor_has_nothing_to_say_where_there_is_cuda(run, runtimes):
    runtimes({"onnxruntime-gpu"}, ["CUDAExecutionProvider", "CPUExecutionProvider"])
    done = run("doctor")
    assert done.status == 0 and "pip uninstall" not in done.out and "CUDA, CPU" in done.out


def test_the_first_use_of_cuda_says_the_two_commands(run, runtimes, rows_csv, pca):
    runtimes({"onnxruntime"}, ["CPUExecutionProvider"])
    done = run("detect", rows_csv, "-m", pca, "--device", "cuda")
    assert done.status == 2
    assert " and then ".join(line.strip() for line in TO_USE_A_GPU) in done.err


@pytest.mark.parametrize(("line", "meant"), [
    ("detct air.csv", "detect"), ("compres air.csv", "compress"), ("decompres x", "decompress"),
    ("evalute x", "evaluate"), ("plugin list", "plugins"), ("plugins lst", "list"),
    ("detect air.csv --fprr 1%", "--fpr"), ("fit air.csv --pluginn vae", "--plugin"),
    ("detect air.csv --max_flagged 5%", "--max-flagged"), ("compress a --maxerror 1%", "--max-error"),
    ("export m.aem --verfy", "--verify"),
])  # fmt: skip
def test_a_misspelt_word_is_told_from_those_there_are(run, line, meant):
    done = run(*line.split())
    last = done.err.splitlines()[-1]
    assert done.status == 2 and "id you mean" in last and meant in last.partition("ou mean")[2]


def test_a_word_like_no_other_is_told_what_there_is(run):
    last = run("frobnicate").err.splitlines()[-1]
    assert "No such command 'frobnicate'" in last and "detect" in last and "compress" in last
