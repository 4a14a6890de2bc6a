"""The host finds plugins by name, survives bad ones, and a stranger's distribution works."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest

from aetool import plugins
from aetool.errors import ParamError, PluginError
from aetool.model import Model, describe_params, make_params

HERE = Path(__file__).parent
BUILT_IN = {"pca", "ae", "sparse", "denoising", "vae"}


def test_built_ins_are_ordinary_plugins():
    assert set(plugins.available()) >= BUILT_IN
    assert {m.name for m in plugins.models_installed() if isinstance(m, Model)} >= BUILT_IN


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


def test_a_misspelt_hook_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "misspelt.py").write_text(
        "from aetool import hookimpl\n@hookimpl\ndef aetool_model():\n    return []\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry("misspelt", "misspelt")])
    with pytest.raises(PluginError, match="aetool_model"):
        plugins.load("misspelt")


def test_a_third_party_distribution(tmp_path, rows_csv):
    """Built, installed, used from the shell, uninstalled: what it made still works."""
    build = tmp_path / "source"
    shutil.copytree(HERE / "thirdparty", build)
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, build],
        check=True, capture_output=True,
    )  # fmt: skip
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    # what is installed here is seen there, without installing it a second time
    (site / "host.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    python = home / "bin" / "python"
    wheel = next(wheels.glob("*.whl"))
    target = ["--python", str(python)]
    subprocess.run(
        [*pip, *target, "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
    )

    def aetool(*args, status=0):
        done = subprocess.run(
            [python, "-m", "aetool", *map(str, args)], capture_output=True, text=True, check=False,
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done

    assert "bounded" in aetool("plugins", "list").stdout
    assert "slope" in aetool("plugins", "show", "bounded").stdout
    aetool("fit", rows_csv, "-p", "bounded", "-O", "slope=2", "--epochs", 5, "-o", "m.aem")
    aetool("compress", rows_csv, "--lossy", "-m", "m.aem", "--embed", "-o", "t.aez")
    wide = tmp_path / "t.fwf"
    wide.write_text("a    b\n" + "".join(f"{i % 7:<5}{i % 3}\n" for i in range(40)))
    assert aetool("detect", wide, "--top", 2).stdout.count("\n") == 3
    before = aetool("detect", rows_csv, "-m", "m.aem", "--top", 3).stdout
    subprocess.run(
        [*pip, *target, "uninstall", "-y", "aetool-thirdparty"], check=True, capture_output=True
    )
    assert "bounded" not in aetool("plugins", "list").stdout
    assert aetool("detect", rows_csv, "-m", "m.aem", "--top", 3).stdout == before
    aetool("decompress", "t.aez", "-o", "t.csv")
    assert (tmp_path / "t.csv").read_text().count("\n") == 301
    assert (
        "no installed plugin"
        in aetool("fit", rows_csv, "-p", "bounded", "-o", "x.aem", status=2).stderr
    )
