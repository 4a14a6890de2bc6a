"""The same data and the same seed give the same file, byte for byte, whenever and wherever."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from aetool import operations
from aetool.operations import FitOptions

# What each is asked to learn: closed forms, what archives share, members joined, random units, and a
# small network, whose training is counted in epochs.
FITS = {
    "pca": {"plugin": "pca"},
    "pca for archives": {"plugin": "pca", "codec": True, "students": True},
    "auto": {"plugin": "auto"},
    "elm": {"plugin": "elm", "params": {"latent": 16}},
    "prototypes": {"plugin": "prototypes", "params": {"size": 16}},
    "vae": {"plugin": "vae", "params": {"latent": 2}, "epochs": 3},
}
# A member of each kind is in the join, in two processes as in one.
QUICK = {"pca for archives", "auto"}
DIGESTS = """
import hashlib, json, sys
from aetool import operations
from aetool.operations import FitOptions

data, fits = sys.argv[1], json.loads(sys.argv[2])
print(json.dumps({
    name: hashlib.sha256(operations.fit(data, FitOptions(**options)).to_bytes()).hexdigest()
    for name, options in fits.items()
}))
"""


def bundle_bytes(data, name):
    return operations.fit(data, FitOptions(**FITS[name])).to_bytes()


# a network takes four seconds; the join is fitted in two processes below
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long if n in ("auto", "vae") else ()) for n in FITS]
)
def test_two_fits_give_the_same_bytes(name, rows_csv, monkeypatch):
    """The clocks of the second fit stand a year later and run a little faster."""
    first = bundle_bytes(rows_csv, name)
    for clock in ("time", "monotonic", "perf_counter", "process_time"):
        real = getattr(time, clock)
        monkeypatch.setattr(time, clock, lambda real=real: 3.15e7 + 1.01 * real())
    assert bundle_bytes(rows_csv, name) == first


# two interpreters that each import torch take as long as all the rest
@pytest.mark.parametrize("names", [QUICK, pytest.param(set(FITS), marks=pytest.mark.long)])
def test_two_processes_give_the_same_bytes(names, rows_csv):
    """Sets and dictionaries of strings are walked in another order under another hash seed."""
    fits = {name: options for name, options in FITS.items() if name in names}
    command = [sys.executable, "-c", DIGESTS, str(rows_csv), json.dumps(fits)]
    processes = [
        subprocess.Popen(
            command, env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for hash_seed in ("0", "1")
    ]  # fmt: skip
    digests = []
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err
        digests.append(json.loads(out))
    assert digests[0] == digests[1] and set(digests[0]) == names


def test_fit_still_says_how_long_it_took(rows_csv, tmp_path, run):
    done = run("fit", rows_csv, "-p", "pca", "-o", tmp_path / "m.aem")
    assert re.search(r" bytes, \d+\.\d\d s; threshold ", done.err), done.err
    assert "seconds" not in run("info", tmp_path / "m.aem", "--json").out
