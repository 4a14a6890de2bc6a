"""Workers that are killed at any instant: the scores, the model and the archive are those of one
thread, and nothing is left beside them."""

import contextlib
import hashlib
import os
import random
import signal
import threading
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.codec.planning import Effort

ROWS = 4000
SMALL = Effort(block=1 << 14)

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table in one text, which is cut into many pieces."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 3)).round(3), columns=list("abc"))
    frame["kind"] = rng.choice(["one", "two, three"], ROWS)
    path = tmp_path_factory.mktemp("killed") / "t.csv"
    frame.to_csv(path, index=False)
    return path


def made(table: Path, folder: Path, model, executor) -> dict[str, str]:
    """The digest of what each verb makes of a table."""
    folder.mkdir(exist_ok=True)
    archive = folder / "t.aez"
    aetool.compress(table, archive, effort=SMALL, executor=executor)
    scores = model.score(table, executor=executor)
    fitted = aetool.fit(table, plugin="pca", executor=executor)
    assert [path.name for path in folder.iterdir()] == ["t.aez"]
    return {
        "archive": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "scores": hashlib.sha256(scores.tobytes()).hexdigest(),
        "model": fitted.sha256,
    }


class Killing(Executor):
    """An executor one of whose workers is killed when it is given work for the n-th time."""

    def __init__(self, executor: Executor, workers: int, victim: int, instant: int) -> None:
        self.executor, self._max_workers = executor, workers
        self.victim, self.instant = victim, instant
        self.given = 0
        self.is_done = False

    def submit(self, function, /, *arguments, **keywords):
        future = self.executor.submit(function, *arguments, **keywords)
        if self.given == self.instant:
            self.kill()
        self.given += 1
        return future

    def kill(self) -> None:
        """Kill the worker that was chosen."""
        os.kill(self.victim, signal.SIGKILL)
        self.is_done = True


def pids_of(client, dead: int = 0) -> list[int]:
    """The processes of both workers, once they are there; dead: one that is none of them any more."""
    for look in range(1, 601):
        with contextlib.suppress(OSError):  # of a worker that is not known to be gone
            pids = sorted(client.run(os.getpid).values())
            if len(pids) == 2 and dead not in pids:
                return pids
        if look % 150 == 0:
            # Dask gives up on a worker that was killed as it began: others are asked for
            client.cluster.scale(0)
            client.cluster.scale(2)
        threading.Event().wait(0.2)
    raise TimeoutError("no worker was started in place of the one that was killed")


def check_instants(client, table, folder, monkeypatch, seeds) -> None:
    monkeypatch.setattr("aetool.data.pieces.TEXT_BYTES", 1 << 14)
    model = aetool.fit(table, plugin="pca")
    expected = made(table, folder / "serial", model, None)
    executor = client.get_executor(pure=False, retries=2)
    undisturbed = Killing(executor, 2, 0, -1)
    assert made(table, folder / "spread", model, undisturbed) == expected
    assert undisturbed.given > 20
    during = 0
    for seed in seeds:
        chance = random.Random(seed)
        victim = chance.choice(pids_of(client))
        killing = Killing(executor, 2, victim, chance.randrange(undisturbed.given))
        assert made(table, folder / f"{seed}", model, killing) == expected, seed
        during += killing.is_done
        if not killing.is_done:
            # workers that know a job already are sent less, so that the last instants may not come
            killing.kill()
        # the next is killed of two that are there
        assert victim not in pids_of(client, victim)
    assert during > len(seeds) / 2


def test_a_worker_is_killed_at_an_instant(client, table, tmp_path, monkeypatch):
    # the third piece of work: there is always that much
    check_instants(client, table, tmp_path, monkeypatch, [2])


@pytest.mark.long
def test_a_worker_is_killed_at_thirty_instants(client, table, tmp_path, monkeypatch):
    check_instants(client, table, tmp_path, monkeypatch, range(100, 130))
