"""The host finds plugins by name, survives bad ones, and a stranger's distribution works."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import aetool
from aetool import plugins, testing
from aetool.errors import ParamError, PluginError
from aetool.model import Model, describe_params, make_params
from tests.conftest import built_ins, write_rows

HERE = Path(__file__).parent
BUILT_IN = built_ins()


def test_built_ins_are_ordinary_plugins():
    assert plugins.available().keys() >= BUILT_IN.keys()
    declared = {m.name for m in plugins.models_installed() if isinstance(m, Model)}
    assert declared >= BUILT_IN.keys()
    folders = {
        p.name for p in (HERE.parent / "plugins").glob("aetool_*") if (p / "net.py").exists()
    }
    assert set(BUILT_IN.values()) >= folders, "every package has its entry point"


def test_models_are_listed_by_name(run):
    names = [line.split()[0] for line in run("plugins", "list").out.splitlines()]
    assert names == sorted(names) and set(names) >= BUILT_IN.keys()
    assert [m["name"] for m in json.loads(run("plugins", "list", "--json").out)] == names


def test_lists_that_must_be_typed_are_those_of_the_entry_points():
    """In pyproject.toml what is checked, and in the README what there is."""
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    assert settings["project"]["entry-points"][plugins.GROUP] == BUILT_IN, "install it again"
    checked = settings["tool"]["mypy"]
    own = {"aetool", *BUILT_IN.values()}
    assert set(checked["packages"]) == own | {"aetool_thirdparty"}
    networks = {
        f"{package}.*"
        for package in BUILT_IN.values()
        for path in (HERE.parent / "plugins" / package).glob("*.py")
        if re.search(r"^\s*(import|from) (torch|aetool\.nn)\b", path.read_text(), flags=re.M)
    }
    (lenient,) = (o["module"] for o in checked["overrides"] if "aetool.nn.*" in o["module"])
    assert {m for m in lenient if m.startswith("aetool_")} == networks | {"aetool_thirdparty.*"}
    readme = (HERE.parent / "README.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", readme, flags=re.M)) >= BUILT_IN.keys()


def test_parameters_are_typed():
    model = plugins.get_model("sparse")
    params = make_params(model, {"latent": "12", "l1": "0.5"})
    assert params.latent == 12 and params.l1 == 0.5
    for given, words in (
        ({"latent": "x"}, "latent of sparse must be int, got 'x'"),
        ({"latent": "-1"}, "must be in 0 .. 4096"),
        ({"error": "rmse"}, "must be one of bits, mse, mae"),
        ({"nope": "1"}, "has no parameter 'nope'; it has: latent"),
        ({"l1": "nan"}, "must be in"),
    ):
        with pytest.raises(ParamError) as caught:
            make_params(model, given)
        assert words in str(caught.value)
    assert all(help_ for _, _, _, help_ in describe_params(model))


def entry(name, value):
    return metadata.EntryPoint(name, value, plugins.GROUP)


def test_unknown_broken_and_clashing(monkeypatch):
    with pytest.raises(PluginError, match="no installed plugin has a model 'nope'; there are: ae"):
        plugins.get_model("nope")
    broken = [entry("broken", "no_such_package"), entry("pca", "aetool_pca")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: broken)
    with pytest.raises(PluginError, match="'broken' of no_such_package cannot be used"):
        plugins.load("broken")
    assert plugins.get_model("pca").name == "pca", "one broken plugin does not hide the others"
    found = list(plugins.models_installed())
    assert [type(f) for f in found] == [PluginError, Model]
    clash = [entry("pca", "aetool_pca"), entry("pca", "another")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: clash)
    with pytest.raises(PluginError, match="claimed by aetool_pca and another"):
        plugins.available()


BROKEN_NETS = {
    "syntax": ("import math\n\ndef f(:\n", "SyntaxError: invalid syntax (PACKAGE/net.py:3)"),
    "name": (
        "import math\n\n\nmaths.pi\n",
        "NameError: name 'maths' is not defined (PACKAGE/net.py:4)",
    ),
    "inside": (
        "import numpy as np\n\ndef f():\n    np.zeros(-1)\n\nf()\n",
        "ValueError: negative dimensions are not allowed (PACKAGE/net.py:4)",
    ),
    "package": (
        "\nimport no_such_package\n",
        "ModuleNotFoundError: No module named 'no_such_package' (PACKAGE/net.py:2)",
    ),
    "silent": ("raise RuntimeError\n", "RuntimeError (PACKAGE/net.py:1)"),
}
DECLARES = """from aetool import Model, hookimpl


@hookimpl
def aetool_models():
    return [Model("{0}", "sums up", "{0}.net:Net")]
"""


@pytest.mark.parametrize("kind", BROKEN_NETS)
def test_a_module_that_cannot_be_imported_is_told_with_its_line(kind, monkeypatch, tmp_path, run):
    """That with the network, and the package itself, which is imported to see what it declares."""
    text, said = BROKEN_NETS[kind]
    name = f"cannot_be_imported_{kind}"
    said = said.replace("PACKAGE", name)
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text(DECLARES.format(name))
    (package / "net.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry(name, name)])
    data = write_rows(tmp_path / "rows.csv", 60)
    fit = "fit", data, "-p", name, "-o", tmp_path / "m.aem"
    done = run(*fit)
    assert done.status == 2
    assert done.err.splitlines()[-1] == f"aetool: error: cannot import {name}.net:Net: {said}"
    for module in list(sys.modules):
        if module.startswith(name):
            del sys.modules[module]
    (package / "__init__.py").write_text(text)
    said = said.replace("net.py", "__init__.py")
    done = run(*fit)
    assert f"plugin '{name}' of {name} cannot be used: {said}\n" in done.err


def test_a_plugin_that_is_installed_meanwhile_is_there(monkeypatch, tmp_path):
    """What is installed is kept from one look to the next, but no longer than it stays so."""
    monkeypatch.syspath_prepend(str(tmp_path))
    os.utime(tmp_path, (1, 1))
    before = plugins.available()
    package = tmp_path / "late-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nlate = aetool_pca\n")
    assert plugins.available().keys() - before.keys() == {"late"}
    # whoever changes what was returned changes no later answer
    plugins.available().clear()
    assert "late" in plugins.available()


def test_a_misspelt_hook_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "misspelt.py").write_text(
        "from aetool import hookimpl\n@hookimpl\ndef aetool_model():\n    return []\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry("misspelt", "misspelt")])
    with pytest.raises(PluginError, match="aetool_model"):
        plugins.load("misspelt")


# Runs command lines, each a line of JSON, and answers with (exit status, output, standard error).
SERVING = """
import json, os, sys, tempfile
from aetool.cli import status

answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    files = {number: tempfile.TemporaryFile() for number in (1, 2)}
    for number, file in files.items():
        os.dup2(file.fileno(), number)
    answer = [status(json.loads(line))]
    sys.stdout.flush()
    sys.stderr.flush()
    for file in files.values():
        file.seek(0)
        answer.append(file.read().decode())
        file.close()
    print(json.dumps(answer), file=answers, flush=True)
"""


class Elsewhere:
    """An environment of its own, which sees what is installed here without installing it again."""

    def __init__(self, folder):
        self.folder = folder
        self.serving = None
        home = folder / "venv"
        venv.create(home, with_pip=False, symlinks=True)
        site = next(home.glob("lib/python*/site-packages"))
        (site / "host.pth").write_text(
            f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        )
        self.python = home / "bin" / "python"

    def run(self, *args, status=0):
        done = subprocess.run(
            [*map(str, args)], capture_output=True, text=True, check=False, **self.surroundings
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done

    @property
    def surroundings(self):
        """What a process is told of its folder and variables."""
        return {"cwd": self.folder, "env": {**os.environ, "PYTHONPATH": ""}}

    def aetool(self, *args, status=0):
        return self.run(self.python, "-m", "aetool", *args, status=status)

    def served(self, *args):
        """A command line of aetool, by one process for all until `stop`: to import what a network
        needs takes as long as all else that a command does of a small table."""
        if self.serving is None:
            self.serving = subprocess.Popen(
                [str(self.python), "-c", SERVING], text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, **self.surroundings,
            )  # fmt: skip
        print(json.dumps([*map(str, args)]), file=self.serving.stdin, flush=True)
        done = subprocess.CompletedProcess(args, *json.loads(self.serving.stdout.readline()))
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def stop(self):
        """Ends the process that serves, if there is one."""
        if self.serving is not None:
            self.serving.communicate()
            self.serving = None

    def pip(self, command, *args):
        """pip, without fetching anything."""
        own = ["--no-deps", "--no-index", "--no-build-isolation"] if command == "install" else []
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        return self.run(*pip, "--python", self.python, command, *own, *args)


@pytest.fixture
def elsewhere(tmp_path):
    elsewhere = Elsewhere(tmp_path)
    yield elsewhere
    elsewhere.stop()


# Networks of the guide: what is said of them does not hang on how long they are trained.
OF_THE_GUIDE = ("contractive", "conditional")
FEW_EPOCHS = ("--epochs", "20")


def plant() -> str:
    """A table of machines whose power and heat follow from their load."""
    rng = np.random.default_rng(0)
    lines = ["machine,load,power,heat"]
    for i in range(300):
        load = rng.uniform(10, 90)
        power = (2 + i % 3) * load + rng.normal()
        lines.append(f"M{i % 3 + 1},{load:.1f},{power:.1f},{0.3 * power + rng.normal():.1f}")
    return "\n".join(lines) + "\n"


# (passed, failed, not applicable) of the checks of each model of the guide
ALL_CHECKS = {
    "contractive": (40, 0, 2),
    "parts": (32, 0, 10),
    "conditional": (42, 0, 0),
}
QUICK_CHECKS = {
    "contractive": (15, 0, 0),
    "parts": (11, 0, 4),
    "conditional": (15, 0, 0),
}


def followed(guide, home, elsewhere, more=()):
    """What the commands of a guide printed, run at home; its code is written where it says."""
    package, printed = home, []
    for language, block in re.findall(r"```(\w+)\n(.*?)```", guide, flags=re.S):
        if language == "python":
            name = re.match(r"# (\S+)\n", block)[1]
            # what is tried out lies beside the package
            folder = package if "/" in name else home
            if folder == package and not name.endswith("reader.py"):
                assert (folder / name).exists(), "the package has this file from the start"
            (folder / name).write_text(block)
        elif language == "toml":
            settings = package / "pyproject.toml"
            if block.startswith("# pyproject.toml, added"):
                settings.write_text(settings.read_text() + block)
            assert block in settings.read_text()
        for line in block.splitlines() if language == "console" else ():
            command, *args = shlex.split(line.removeprefix("$ "))
            if command == "aetool":
                command = "served"
            else:
                # what is installed or taken away is seen by a process that begins later
                elsewhere.stop()
            if command == "python":
                command, args = "run", [elsewhere.python, *args]
            elif "fit" in args and not set(OF_THE_GUIDE).isdisjoint(args):
                args += FEW_EPOCHS
            if "check" in args:
                args += more
            printed.append(getattr(elsewhere, command)(*args).stdout)
            if args[:2] == ["plugins", "new"]:
                package = home / f"aetool-{args[2]}"
    return printed


def checks_told(guide, printed):
    """(passed, failed, not applicable) of each model whose checks a guide runs, by its name."""
    told = re.findall(r"(\d+) checks passed, (\d+) failed, (\d+) n/a", "\n".join(printed))
    checked = re.findall(r"^\$ aetool plugins check (\S+)", guide, flags=re.M)
    counts = [tuple(map(int, numbers)) for numbers in told]
    return dict(zip(checked, counts, strict=True))


@pytest.fixture
def guide(tmp_path, rows_csv):
    """The guide's text, and beside the test's folder the data that it speaks of."""
    shutil.copy(rows_csv, tmp_path / "air.csv")
    (tmp_path / "plant.csv").write_text(plant())
    wide = "a    b\n" + "".join(f"{i % 7:<5}{i % 3}\n" for i in range(200))
    (tmp_path / "air.fwf").write_text(wide)
    return (HERE.parent / "plugins" / "README.md").read_text()


def test_the_authors_guide_works_to_its_first_model(elsewhere, tmp_path, guide):
    first, heading, _ = guide.partition("\n## What you can override")
    assert heading
    printed = followed(first, tmp_path, elsewhere, ["--quick"])
    assert checks_told(first, printed) == {"contractive": QUICK_CHECKS["contractive"]}
    assert (tmp_path / "back.csv").read_text().count("\n") == 301
    assert "contractive" not in elsewhere.aetool("plugins", "list").stdout


# Two more models and a reader take a minute, and all checks of the models another one.
@pytest.mark.long
@pytest.mark.parametrize(("more", "counts_told"), [(["--quick"], QUICK_CHECKS), ([], ALL_CHECKS)])
def test_the_authors_guide_works_from_its_first_line(elsewhere, tmp_path, guide, more, counts_told):
    """Its commands are run, its code is written where it says; what the model made outlives it."""
    printed = followed(guide, tmp_path, elsewhere, more)
    (shapes,) = (text for text in printed if "(300, 7)" in text)
    assert "('machine', 'load', 'power', 'heat')\n(300, 7)\n" in shapes
    deviation, prior = (np.fromstring(text, sep=" ") for text in re.findall(r"\[(.*)\]", shapes))
    assert deviation.shape == (3,) and (deviation > 0).all() and (deviation < 0.5).all()
    assert prior == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert shapes.endswith("(300, 5)\npower\n")
    assert checks_told(guide, printed) == counts_told
    assert (tmp_path / "back.csv").read_text().count("\n") == 301
    assert (tmp_path / "odd.fwf").read_text().startswith("row  score")
    assert len((tmp_path / "plant.logger" / "0000.bin").read_bytes()) == 4 * 3 * 300
    assert "contractive" not in elsewhere.aetool("plugins", "list").stdout


def test_a_new_package_is_to_be_installed_before_it_is_checked(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    assert run("plugins", "new", "unheard").status == 0
    early = run("plugins", "check", "unheard")
    assert early.status == 2 and "install it first: pip install -e aetool-unheard" in early.err
    unknown = run("plugins", "check", "nowhere")
    assert unknown.status == 2 and "no installed plugin has a model 'nowhere'" in unknown.err


# The guide's first model is the package of a network with another loss, whose quick checks are run
# there: all of them take long. Those of a closed form are quick.
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (["--closed-form"], "32 passed, 10 skipped"),
        pytest.param(["--network"], "40 passed, 2 skipped", marks=pytest.mark.long),
    ],
)
def test_a_new_package_passes_as_it_is(elsewhere, tmp_path, kind, outcome):
    elsewhere.aetool("plugins", "new", "mine", *kind)
    elsewhere.pip("install", "./aetool-mine")
    own = tmp_path / "aetool-mine" / "tests"
    done = elsewhere.run(elsewhere.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", own)
    assert outcome in done.stdout
    for name, words in (("mine", "installed already"), ("No-Name", "lower-case")):
        assert words in elsewhere.aetool("plugins", "new", name, status=2).stderr
    elsewhere.pip("uninstall", "-y", "aetool-mine")
    assert "exists already" in elsewhere.aetool("plugins", "new", "mine", status=2).stderr


@pytest.mark.parametrize(
    ("kind", "base", "words"),
    [
        ([], "ClosedForm", "torch is not installed, which a network needs: --network writes one"),
        (["--closed-form"], "ClosedForm", ""),
        (["--network"], "AutoEncoder", "not installed: pip install 'aetool[train]'"),
    ],
)
def test_without_torch_a_new_package_is_one_that_works(tmp_path, monkeypatch, run, kind, base, words):  # fmt: skip
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("plugins", "new", "mine", "-o", tmp_path, *kind)
    assert done.status == 0
    assert f"({base}):" in (tmp_path / "aetool-mine" / "aetool_mine" / "net.py").read_text()
    notes = done.err.splitlines()
    assert words in notes[0] and len(notes) == 1 + bool(words)
    assert notes[-1].startswith("next: pip install -e")


def test_rows_are_laid_out_for_an_author_as_for_a_fit():
    spec, x = testing.laid_out({"a": [1.0, 2.0, 3.0, 4.0] * 3, "b": ["u", "v", "u", "v"] * 3})
    assert spec.columns == ("a", "b") and x.shape == (12, spec.features)
    numbers = x[:, spec.numeric[0]]
    assert numbers.mean() == pytest.approx(0, abs=1e-6) and numbers.std() == pytest.approx(1)
    _, first, _ = spec.categories[0]
    assert x[:2, first : first + 2].tolist() == [[1, 0], [0, 1]]
    shape, pixels = testing.laid_out(np.zeros((12, 4, 5), np.uint8))
    assert shape.shape == (1, 4, 5) and pixels.shape == (12, 20)


def by_column():
    """The guide's example of parts by column, and what it says that this prints."""
    guide = (HERE.parent / "plugins" / "README.md").read_text()
    found = re.search(
        r"```python\n(# by_column\.py\n.*?)```\n\n```text\n(.*?)```", guide, flags=re.S
    )
    return found.groups()


def test_the_guides_example_of_parts_by_column_prints_what_the_guide_says(tmp_path, capsys):
    code, told = by_column()
    (tmp_path / "by_column.py").write_text(code)
    runpy.run_path(tmp_path / "by_column.py")
    assert capsys.readouterr().out == told
    for line in told.splitlines()[1:]:
        *parts, score = map(float, line.split())
        assert sum(parts) == pytest.approx(score, abs=0.011), "parts add up to the score"


DECLARED = """
from aetool import Model, hookimpl

@hookimpl
def aetool_models():
    yield Model("medians", "a model without a code", net="by_column:Medians")
"""


def test_why_tells_what_a_closed_form_without_a_code_expects(tmp_path, monkeypatch):
    """Of the values that are tried in place of one, none is better than what its author returns."""
    code, _ = by_column()
    (tmp_path / "by_column.py").write_text(code)
    (tmp_path / "medians.py").write_text(DECLARED)
    monkeypatch.syspath_prepend(tmp_path)
    entries = [metadata.EntryPoint("medians", "medians", plugins.GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    rng = np.random.default_rng(0)
    temp = rng.normal(20, 1, 301).round(2)
    load = rng.normal(0, 3, 301).round(3)
    temp[7], load[8] = 35, -60
    model = aetool.fit({"temp": temp, "load": load}, "medians")
    why = model.detect({"temp": temp, "load": load}, top=2, all_rows=True).why
    # of the fold that has not seen the record
    records = np.column_stack([temp, load])[7:9]
    expected = model.session("score.onnx", "cpu")(records)["expected"]
    assert why[7] == f"temp=35 (expected {expected[0, 0]:.2f})"
    assert why[8].startswith(f"load=-60 (expected {expected[1, 1]:.3f})")


def test_a_failed_check_says_what_to_do(run, monkeypatch):
    from tests import sabotage

    monkeypatch.setattr(testing.plugins, "get_model", lambda name: sabotage.MODELS["Resampled"])
    monkeypatch.setattr(testing, "is_light", lambda model: None)
    done = run("plugins", "check", "resampled")
    assert done.status == 1
    assert "FAIL  a dry run goes through: resampled: Resampled.parts" in done.out
    assert "drew random numbers from the global generator of torch" in done.out
    assert done.out.count("FAIL") == 1, "what builds on the dry run waits for it"
    assert "n/a   it fits and exports: waits for: a dry run" in done.out
    assert ", 1 failed, 20 n/a" in done.out


def test_a_hint_fits_its_failure(monkeypatch):
    """The check's own advice, unless the failure brings another, or says all by itself."""
    case = testing.Case("table", testing.is_documented, None)
    assert case.advice(AssertionError("no help")).startswith("Give the Model a summary")
    assert case.advice(testing.CheckError("far off", "Is it used?")) == "Is it used?"
    assert case.advice(PluginError("it says all")) == ""


def test_checks_can_be_chosen(run):
    done = run("plugins", "check", "pca", "-k", "dry run")
    assert done.status == 0 and "2 checks passed, 0 failed, 0 n/a" in done.out
    done = run("plugins", "check", "pca", "-k", "no such")
    assert done.status == 2 and "no check of pca is named 'no such'" in done.err
    done = run("plugins", "check", "pca", "--quick")
    assert done.status == 0 and "archives" not in done.out and "it is no network" in done.out


def test_the_first_failure_can_end_it(run, monkeypatch):
    from tests import sabotage

    monkeypatch.setattr(testing.plugins, "get_model", lambda name: sabotage.MODELS["Resampled"])
    done = run("plugins", "check", "resampled", "-x", "-k", "table")
    assert done.status == 1 and "n/a" not in done.out.partition("resampled: 0")[0]


# a dozen processes; to install, to use and to uninstall is of the guide, too, in the fast set
@pytest.mark.long
def test_a_third_party_distribution(elsewhere, tmp_path, rows_csv):
    """Installed, used from the shell, uninstalled: what it made still works."""
    build = tmp_path / "source"
    shutil.copytree(HERE / "thirdparty", build)
    elsewhere.pip("install", build)
    aetool = elsewhere.aetool

    assert "bounded" in aetool("plugins", "list").stdout
    assert "slope" in aetool("plugins", "show", "bounded").stdout
    aetool("fit", rows_csv, "-p", "bounded", "-O", "slope=2", "--epochs", 5, "-o", "m.aem")
    aetool("compress", rows_csv, "--lossy-only", "-m", "m.aem", "--embed", "-o", "t.aez")
    wide = tmp_path / "t.fwf"
    wide.write_text("a    b\n" + "".join(f"{i % 7:<5}{i % 3}\n" for i in range(40)))
    assert aetool("detect", wide, "--top", 2).stdout.count("\n") == 3
    before = aetool("detect", rows_csv, "-m", "m.aem", "--top", 3).stdout
    elsewhere.pip("uninstall", "-y", "aetool-thirdparty")
    assert "bounded" not in aetool("plugins", "list").stdout
    assert aetool("detect", rows_csv, "-m", "m.aem", "--top", 3).stdout == before
    aetool("decompress", "t.aez", "-o", "t.csv")
    assert (tmp_path / "t.csv").read_text().count("\n") == 301
    assert (
        "no installed plugin"
        in aetool("fit", rows_csv, "-p", "bounded", "-o", "x.aem", status=2).stderr
    )


@pytest.mark.long
@pytest.mark.parametrize("name", ["nmf", "wae", "memae", "sphere", "mixture", "cvae", "sad"])
def test_what_a_strangers_model_made_outlives_it(elsewhere, tmp_path, rows_csv, name):
    """Detection and decompression are the same once its package is uninstalled."""
    build = tmp_path / "source"
    shutil.copytree(HERE / "thirdparty", build)
    elsewhere.pip("install", build)
    aetool = elsewhere.aetool
    aetool("fit", rows_csv, "-p", name, "-o", "m.aem")
    aetool("compress", rows_csv, "--lossy-only", "-m", "m.aem", "--embed", "-o", "t.aez")
    assert "score" in aetool("export", "m.aem", "-o", "graphs", "--verify").stdout
    before = aetool("detect", rows_csv, "-m", "m.aem", "--top", 3).stdout
    elsewhere.pip("uninstall", "-y", "aetool-thirdparty")
    assert aetool("detect", rows_csv, "-m", "m.aem", "--top", 3).stdout == before
    aetool("decompress", "t.aez", "-o", "t.csv")
    assert (tmp_path / "t.csv").read_text().count("\n") == 301


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_a_parameter_that_is_no_whole_number_is_said(value):
    with pytest.raises(ParamError, match="latent of sparse must be int"):
        make_params(plugins.get_model("sparse"), {"latent": value})


def test_paths_and_folders_that_may_not_be_read_are_no_error(monkeypatch, tmp_path):
    """People put paths among the texts of sys.path; a folder may be behind one of another user."""
    installed = set(plugins.available())

    def refuses(path, **how):
        raise PermissionError(path)

    monkeypatch.setattr("sys.path", [*sys.path, tmp_path])
    assert set(plugins.available()) == installed
    monkeypatch.setattr(Path, "stat", refuses)
    assert plugins.available()
