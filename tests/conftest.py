"""Fixtures shared by all tests: bundled data, fitted models (once a session), a command runner."""

from __future__ import annotations

import dataclasses
import functools
import gc
import hashlib
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, settings

import aetool
from aetool import bundle as bundles
from aetool import operations, plugins
from aetool.cli import status
from aetool.closed_form import ClosedForm
from aetool.fits import fitting, joining, preparing
from aetool.model import Model, Progress
from aetool.testing import pictures, table_rows

# They fork, make pipes with names, ask for owners and masks of files, or call the C library.
NOT_ON_WINDOWS = [
    "test_faults.py",
    "test_faults_of_folders.py",
    "test_faults_of_output.py",
    "test_files.py",
    "test_folders.py",
    "test_killed.py",
    "test_odd_pictures.py",
    "test_processes.py",
    "test_rounding.py",
]
collect_ignore = NOT_ON_WINDOWS if sys.platform == "win32" else []

DEMO = Path(aetool.__file__).parent / "demo"

# No deadline, and no complaint that examples are made slowly: neither says anything of the code on
# a busy machine. The usual profile tries the same examples every time, so that a change alone can
# turn a test red; `make long` sets HYPOTHESIS=explore, which draws new ones, and twenty times as many.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("usual", derandomize=True, max_examples=50, **UNTIMED)
settings.register_profile("explore", max_examples=1000, print_blob=True, **UNTIMED)
settings.load_profile(os.environ.get("HYPOTHESIS", "usual"))


def unhurried(handle: int, synced: Callable[[int], None] = os.fsync) -> None:
    """Stand in for os.fsync: files and folders are not waited for, as what is there after a power
    cut is more than a test can see, and thousands of waits take minutes; other handles go to
    `synced`."""
    kind = os.fstat(handle).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        synced(handle)


os.fsync = unhurried

# The hundreds of interpreters that tests start take what was compiled before from __pycache__. Where
# images of containers forbid that, each would compile the whole program anew, for a second; and pytest
# what it makes of the asserts of all tests, for ten.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Keep Python's collector of cycles from looking again and again at what was imported and at
    six thousand collected tests: that takes a fifth of the time of a small fit."""
    gc.freeze()


@functools.cache
def torch_stays() -> None:
    """Freeze all objects that are there once torch has been imported, so that the collector of
    cycles passes them over."""
    gc.freeze()


def pytest_runtest_setup() -> None:
    """Freeze torch, too, before the first test after a fit."""
    if "torch.onnx" in sys.modules:
        torch_stays()


def built_ins() -> dict[str, str]:
    """The built-in models, by name, and the package of each, as the entry points say."""
    own = metadata.distribution("aetool").entry_points.select(group=plugins.GROUP)
    return {entry.name: entry.value for entry in sorted(own, key=lambda e: e.name)}


@dataclass(frozen=True)
class Ran:
    """The outcome of a command: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """A function that runs a command line in this process."""

    def command(*args: object) -> Ran:
        capfd.readouterr()
        code = status([str(a) for a in args])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return command


def fresh(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def whole_air() -> Path:
    """The bundled air-quality table."""
    return DEMO / "beijing_air.csv"


HOURS = 1200


@pytest.fixture(scope="session")
def air(whole_air: Path, work: Path) -> Path:
    """The first hours of the bundled air-quality table, which take a quarter of its time."""
    lines = whole_air.read_bytes().splitlines(keepends=True)
    path = work / whole_air.name
    path.write_bytes(b"".join(lines[: 1 + HOURS]))
    return path


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the session."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def rows_csv(work: Path) -> Path:
    """A small table with every kind of column."""
    return write_rows(work / "rows.csv", 300)


def write_rows(path: Path, rows: int, seed: int = 0) -> Path:
    """The conformance suite's small table as CSV."""
    table = table_rows(rows, seed)
    lines = [",".join(table.names)]
    lines += [",".join(r) for r in zip(*(v.strings() for v in table.values), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def folder(work: Path) -> Path:
    """A folder of 40 small gray PNG pictures in two sub-folders."""
    from PIL import Image

    path = work / "pictures"
    for i, pixels in enumerate(pictures(40)):
        target = path / ("good" if i % 2 else "odd") / f"{i:02d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0]).save(target)
    return path


def fitted(data: Path, plugin: str, target: Path, **options: object) -> Path:
    """A model fitted on data, saved."""
    bundle = operations.fit(data, operations.FitOptions(plugin=plugin, **options))  # type: ignore[arg-type]
    bundle.save(target)
    return target


MOST_KEPT = 64  # fits, and sessions
MOST_KEPT_RUNS = 1000  # of one batch of rows each
KEPT_FITS: dict[bytes, joining.Fitted] = {}
KEPT_SESSIONS: dict[bytes, KeptSession] = {}
KEPT_RUNS: dict[bytes, list[np.ndarray]] = {}


def keep(kept: dict[bytes, Any], key: bytes, value: Any, most: int) -> None:
    """Keep one more value, in place of the oldest where there are `most` already."""
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value


class KeptSession:
    """A session of ONNX Runtime that gives again what it gave before for the very same rows: a graph
    is a function of them. Nothing can be written into what it gives. key: of the graph, and of how
    it is run."""

    def __init__(self, session: onnxruntime.InferenceSession, key: bytes) -> None:
        self.session = session
        self.key = key

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        told = hashlib.sha256(self.key)
        told.update(repr(outputs).encode())
        for name, rows in inputs.items():
            told.update(f"{name} {rows.dtype} {rows.shape}".encode())
            told.update(rows.tobytes())
        key = told.digest()
        values = KEPT_RUNS.get(key)
        if values is None:
            values = self.session.run(outputs, inputs)
            for value in values:
                value.flags.writeable = False
            keep(KEPT_RUNS, key, values, MOST_KEPT_RUNS)
        return values


def kept_session(
    graph: bytes | str, options: onnxruntime.SessionOptions | None = None, **more: Any
) -> onnxruntime.InferenceSession | KeptSession:
    """The session of an earlier test for the same graph, run in the same way; a new one where there
    is none, and for a graph in a file. Its threads do not come along to a process that is forked,
    which has its own."""
    if options is None or not isinstance(graph, bytes):
        return START_SESSION(graph, options, **more)
    how = (os.getpid(), str(options.graph_optimization_level), more)
    told = hashlib.sha256(graph)
    told.update(repr(how).encode())
    key = told.digest()
    session = KEPT_SESSIONS.get(key)
    if session is None:
        session = KeptSession(START_SESSION(graph, options, **more), key)
        keep(KEPT_SESSIONS, key, session, MOST_KEPT)
    return session


START_SESSION = onnxruntime.InferenceSession


@pytest.fixture
def fits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed form that was fitted to the very same rows by the very same options is taken from an
    earlier test that has this fixture, as commands fit anew what they judge without a model. So is
    what a graph computed of the very same rows, by commands that judge one file again and again.

    For tests of what is said and written of a fit. Whether two fits or runs agree, or what is patched
    inside of one, is not to be tried with it.
    """
    fit_anew = fitting.fit_closed_form

    def fit_closed_form(
        model: Model,
        params: object,
        net: type[ClosedForm],
        prepared: preparing.Prepared,
        options: operations.FitOptions,
        samples: bool,
        progress: Progress | None = None,
    ) -> joining.Fitted:
        # all that a fit depends on, by its bytes: what differs in any of it is fitted anew
        read = (options.max_time, options.device, options.seed)
        net_name = f"{net.__module__}.{net.__qualname__}"
        told = pickle.dumps((model.name, net_name, params, prepared, read, samples))
        key = hashlib.sha256(told).digest()
        if key not in KEPT_FITS:
            made = fit_anew(model, params, net, prepared, options, samples, progress)
            keep(KEPT_FITS, key, made, MOST_KEPT)
        kept = KEPT_FITS[key]
        # arrays and sessions of its own, so that no test changes what another is given
        bundle = dataclasses.replace(
            kept.bundle,
            facts=dict(kept.bundle.facts),
            graphs=dict(kept.bundle.graphs),
            _sessions={},
        )
        surprise = None if kept.surprise is None else kept.surprise.copy()
        return dataclasses.replace(kept, bundle=bundle, parts=kept.parts.copy(), surprise=surprise)

    monkeypatch.setattr(fitting, "fit_closed_form", fit_closed_form)
    monkeypatch.setattr(onnxruntime, "InferenceSession", kept_session)


@pytest.fixture(scope="session")
def pca(rows_csv: Path, work: Path) -> Path:
    """A pca model of the small table, saved."""
    return fitted(rows_csv, "pca", work / "pca.aem")


@pytest.fixture(scope="session")
def vae(rows_csv: Path, work: Path) -> Path:
    """A vae model of the small table, saved."""
    return fitted(rows_csv, "vae", work / "vae.aem", epochs=10)


@pytest.fixture(scope="session")
def pca_pictures(folder: Path, work: Path) -> Path:
    """A pca model of the small pictures, saved."""
    return fitted(folder, "pca", work / "pictures.aem")


@pytest.fixture(scope="session")
def air_pca(air: Path, work: Path) -> Path:
    """A pca model of these hours, saved, with a code as wide as its numbers."""
    return fitted(air, "pca", work / "air_pca.aem", params={"latent": 11})


@pytest.fixture
def loaded(pca: Path) -> Iterator[bundles.Bundle]:
    """The pca model of the small table, loaded."""
    yield bundles.load(pca)
