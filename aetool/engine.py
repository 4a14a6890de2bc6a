"""Engines: where work that can be cut into pieces is computed, by threads, processes, or a cluster
of Dask.

An engine takes a job, a function of one piece, and gives its results in the order of the pieces,
whoever computed them. A few pieces are under way at any time, so that memory is bounded. A job
travels to a worker once, by its hash; a worker that has lost it, or is new, asks for it again.

A result must depend on the job and its piece alone: then it is the same wherever, in whatever order
and however often a piece is computed.
"""

from __future__ import annotations

import hashlib
import importlib
import pickle
import signal
import sys
import threading
import time
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures import TimeoutError as NotYetError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from aetool import spelling
from aetool.errors import AetoolError, DataError, EngineError, ParamError
from aetool.spelling import option

Piece = TypeVar("Piece")
Result = TypeVar("Result")
KINDS = "threads:N, processes:N, dask:local, dask:local:N or dask:ADDRESS"
MOST_WORKERS = 4096
MOST_LOST = 5  # times in a row that workers may be lost before work is given up
MOST_JOBS = 4  # that a worker remembers
PATIENCE = 20  # seconds without a scheduler before work is given up
BEGINNING = 120  # seconds that workers may take to begin, on a machine that is busy
# How the C library keeps memory in workers that Dask begins here, as environment variables. Dask
# has all freed memory given back at once; arrays of a few megabytes, which are made and dropped by
# the thousand, then cost two fifths more processor time, most of it in page faults. One arena,
# since those of threads, other than the first, give memory back by rules of their own.
ALLOCATION = {
    "MALLOC_ARENA_MAX": 1,
    "MALLOC_MMAP_THRESHOLD_": 1 << 25,  # bytes
    "MALLOC_TRIM_THRESHOLD_": 1 << 28,  # bytes
}
# What Dask measures of workers that it begins here, as settings of Dask: nobody looks at it, and it
# takes processor time from the work. A profile asks each worker a hundred times a second what it
# does, and a tick asks fifty times a second whether its loop is late.
UNWATCHED: dict[str, object] = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
LOOK = 1.0  # seconds between two looks at whether an engine is still there
MOST_SENT = 1 << 30  # bytes of a piece that Dask does not remark on
# Pieces under way for each worker: one is computed. Dask chooses a worker when a piece is sent, not
# when somebody is free, so that with one more the other worker was now and then left without any.
SUBMITTED = 3


@dataclass(eq=False)
class Task(Generic[Piece]):
    """A piece that was sent to a worker, and the future of its answer, which may end without one,
    where the worker is lost."""

    piece: Piece
    future: Future[Answer]


@dataclass(frozen=True)
class Answer:
    """The answer of a worker to a piece. is_missing: it does not have the job and must be sent it;
    error: a fault of the data, not of the worker, None without one; only without both is `result`
    that of the job."""

    result: object = None
    error: AetoolError | None = None
    is_missing: bool = False


class Engine:
    """An executor that computes pieces of work, with what it takes to keep its workers busy and to
    replace lost ones.

    workers: how many it has. called: as the user wrote it. renew: makes an executor in place of one
    whose workers are lost; None where nobody here can. is_there: whether a scheduler still answers,
    asked while an answer is awaited. Its attribute is_here says whether the workers are threads of
    this process.
    """

    def __init__(
        self,
        executor: Executor,
        workers: int,
        called: str,
        renew: Callable[[], Executor] | None = None,
        is_there: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take an executor that is open. workers: how many it has; called: as the user wrote it,
        for messages; renew: makes an executor in place of one that broke; is_there: whether a
        scheduler still answers."""
        self.executor = executor
        self.workers = workers
        self.called = called
        self._renew = renew
        self._is_there = is_there
        self.is_here = isinstance(executor, ThreadPoolExecutor)

    def map(self, job: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """Compute job(piece) for each piece by the executor, and yield the results in the order of
        the pieces. At most SUBMITTED (3) pieces for each worker are under way; nothing begins
        before the first result is asked for, and pieces whose results nobody has asked for are
        given up when the generator is closed.

        job, pieces and results must be such as can be pickled, but for threads; a job that cannot
        be raises pickle.PicklingError, AttributeError or TypeError. What a job raises is raised in
        the place of its result, an OSError as DataError. EngineError where the workers are gone.
        """
        sending = _Sending(self, job)
        waiting: deque[Task[Piece]] = deque()
        try:
            for piece in pieces:
                waiting.append(sending.send(piece))
                if len(waiting) >= SUBMITTED * self.workers:
                    yield sending.result(waiting)
            while waiting:
                yield sending.result(waiting)
        # also where the caller asks for no more results
        finally:
            for task in waiting:
                task.future.cancel()

    def warm(self, modules: Sequence[str]) -> None:
        """Let workers import these modules in advance, and do not wait for it; does nothing for
        threads, and nothing where the executor takes no work. Modules that a worker cannot import
        are passed over."""
        if self.is_here:
            return
        with suppress(BrokenExecutor, RuntimeError, OSError):
            for _ in range(self.workers):
                self.executor.submit(_import_modules, tuple(modules))

    def renewed(self) -> bool:
        """Replace the executor by a new one, self.executor, if that can be done here; to be called
        when it broke, which is not looked at. Returns whether it was replaced."""
        if self._renew is None:
            return False
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self._renew()
        return True

    def gone(self, why: str) -> EngineError:
        """Return, not raise, the EngineError for workers that no longer answer. why: what
        happened."""
        return EngineError(
            f"{option('--engine')} {self.called}: {why}; nothing was written; start it again, or "
            f"use {option('--engine')} threads:N on this machine"
        )

    def answer(self, future: Future[Answer], look: Callable[[], None]) -> Answer:
        """Wait for a worker's answer and return it; what the future raises is raised. EngineError
        where no scheduler answers for PATIENCE (20) seconds. look: a function that is called now
        and then during the wait, at least once a second."""
        silent = 0.0
        # soon at first: what has to be done anew is mostly found at the begin
        patience = LOOK / 64
        while True:
            try:
                return future.result(timeout=patience)
            except NotYetError:
                # the answer may come between the end of this wait and here; what a task itself
                # raised of this kind is raised again
                if future.done():
                    return future.result()
            silent = 0.0 if self._is_there() else silent + patience
            if silent >= PATIENCE:
                raise self.gone("its scheduler does not answer, or has no workers")
            look()
            patience = min(2 * patience, LOOK)


class _Sending(Generic[Piece, Result]):
    """One job on its way to the workers of an engine, piece by piece: for threads as it is, else
    pickled. lost: how many times in a row workers were lost."""

    def __init__(self, engine: Engine, job: Callable[[Piece], Result]) -> None:
        """Pickle the job, but for threads; pickle.PicklingError, AttributeError or TypeError for
        one that cannot be."""
        self.engine = engine
        self.job = job
        self.lost = 0
        self.content = b""
        self.key = ""
        if not engine.is_here:
            self.content = pickle.dumps((job, spelling.in_shell()), pickle.HIGHEST_PROTOCOL)
            self.key = hashlib.sha256(self.content).hexdigest()

    def send(self, piece: Piece, content: bytes | None = None) -> Task[Piece]:
        """Send a piece to a worker; returns the Task to wait for. content: the job itself, for
        workers that do not have it yet. EngineError where nothing can be sent; that the executor is
        broken shows only in the Task's future."""
        executor = self.engine.executor
        try:
            if self.engine.is_here:
                future = executor.submit(_answer_of_job, self.job, piece, spelling.in_shell())
            else:
                future = executor.submit(_compute_in_worker, self.key, content, piece)
        except BrokenExecutor as error:
            # what is submitted to a broken pool is lost as what it holds is
            future = Future()
            future.set_exception(error)
        except (RuntimeError, OSError) as error:
            raise self.engine.gone(_one_line(error)) from None
        return Task(piece, future)

    def result(self, waiting: deque[Task[Piece]]) -> Result:
        """Wait for the result of the piece that has waited longest, take it off `waiting`, and
        return it. The AetoolError of a job is raised, and EngineError where the workers are
        gone."""
        while True:
            answer = self._next_answer(waiting)
            if answer is not None and not answer.is_missing:
                waiting.popleft()
                self.lost = 0
                if answer.error is not None:
                    raise answer.error
                return answer.result  # type: ignore[return-value]
            if answer is not None:
                waiting[0] = self.send(waiting[0].piece, self.content)

    def _next_answer(self, waiting: deque[Task[Piece]]) -> Answer | None:
        """Wait for the answer to the piece that has waited longest, and return it. None where
        workers were lost: all pieces without an answer are then sent anew, and replaced in
        `waiting`. EngineError if lost workers cannot be replaced, or were lost more than MOST_LOST
        (5) times in a row, and for an error of Dask's own. Any other error that the worker raised
        passes."""
        try:
            return self.engine.answer(waiting[0].future, lambda: self._send_missing_jobs(waiting))
        except EngineError:
            raise
        except (BrokenExecutor, CancelledError, OSError) as error:
            self.lost += 1
            if self.lost > MOST_LOST or not self.engine.renewed():
                raise self.engine.gone(f"its workers are lost ({_one_line(error)})") from None
        except Exception as error:
            # of Dask's own errors: a task that took its workers with it, a scheduler that went
            if not type(error).__module__.startswith("distributed"):
                raise
            raise self.engine.gone(_one_line(error)) from None
        for place, task in enumerate(waiting):
            if not _is_answered(task.future):
                waiting[place] = self.send(task.piece, self.content)
        return None

    def _send_missing_jobs(self, waiting: deque[Task[Piece]]) -> None:
        """Send the pieces, whose workers answer that they do not know the job, again and with the
        job, and replace them in `waiting`, so that later pieces need not wait for that."""
        for place, task in enumerate(waiting):
            if _is_answered(task.future) and task.future.result().is_missing:
                waiting[place] = self.send(task.piece, self.content)


def _is_answered(future: Future[Answer]) -> bool:
    """Whether a future has a result: done, not cancelled, and without an exception."""
    return future.done() and not future.cancelled() and future.exception() is None


def _one_line(error: BaseException) -> str:
    """The message of an error on one line, its first 200 characters; the name of its class where it
    has no message."""
    said = " ".join(str(error).split())
    return said[:200] or type(error).__name__


# ---- in a worker

_jobs: OrderedDict[str, tuple[Callable[[object], object], bool]] = OrderedDict()
_jobs_lock = threading.Lock()


def _compute_in_worker(key: str, content: bytes | None, piece: object) -> Answer:
    """Compute a piece in another process. key: the hash of the job, which the worker may know
    already; content: the job itself, pickled with whether messages are for the command line, or
    None. The Answer says if the job is missing."""
    with _jobs_lock:
        if key not in _jobs:
            if content is None:
                return Answer(is_missing=True)
            _jobs[key] = pickle.loads(content)
            while len(_jobs) > MOST_JOBS:
                _jobs.popitem(last=False)
        _jobs.move_to_end(key)
        job, is_shell = _jobs[key]
    return _answer_of_job(job, piece, is_shell)


def _import_modules(modules: tuple[str, ...]) -> None:
    """Import modules in a worker in advance; one that cannot be imported raises its error only
    where it is used."""
    for name in modules:
        with suppress(ImportError):
            importlib.import_module(name)


def _answer_of_job(job: Callable[[Piece], object], piece: Piece, is_shell: bool) -> Answer:
    """Run a job on a piece and wrap its result. An AetoolError, and an OSError as DataError, is
    returned in the Answer; any other exception is raised. is_shell: whether messages are for the
    command line."""
    try:
        if is_shell:
            with spelling.of_the_shell():
                return Answer(job(piece))
        return Answer(job(piece))
    except AetoolError as error:
        return Answer(error=error)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return Answer(error=DataError(f"{name}{error.strerror or _one_line(error)}"))


# ---- engines by name

Chosen: TypeAlias = "str | Executor | Engine | None"


@contextmanager
def opened(chosen: Chosen) -> Iterator[Engine | None]:
    """Context manager: open the engine that the user chose for the block, and yield it; None if
    none was chosen.

    chosen: a text, threads:N, processes:N, dask:local, dask:local:N or dask:ADDRESS, whose workers
    end with the block; or an executor or an Engine, which stays open. An executor of Dask is one of
    these. ParamError for any other text or value; EngineError where it cannot be reached.
    """
    if chosen is None or isinstance(chosen, Engine):
        yield chosen
    elif isinstance(chosen, Executor):
        yield Engine(chosen, _workers_of(chosen), type(chosen).__name__)
    elif isinstance(chosen, str):
        with _engine_named(chosen) as engine:
            yield engine
    else:
        raise ParamError(
            f"{option('--engine')}: {type(chosen).__name__} is no executor; write {KINDS}, or give "
            "one of concurrent.futures"
        )


def _workers_of(executor: Executor) -> int:
    """How many workers an executor has, at least 1; 2 where it does not say."""
    count = getattr(executor, "_max_workers", None)
    client = getattr(executor, "_client", None)
    if count is None and client is not None:
        count = len(client.nthreads())
    return max(1, int(count or 2))


def check(chosen: Chosen) -> None:
    """Raise ParamError for a text that names no engine, and for a number of workers that cannot be
    read as one; the number behind dask:local is only checked when the engine is opened. Any other
    value passes. Nothing is started, so that a misspelt name is reported before anything is
    read."""
    if not isinstance(chosen, str):
        return
    kind, _, rest = chosen.partition(":")
    if kind in ("threads", "processes"):
        _number_of_workers(rest, chosen)
    elif kind != "dask" or not rest:
        raise ParamError(f"{option('--engine')} {chosen}: write {KINDS}")


@contextmanager
def _engine_named(chosen: str) -> Iterator[Engine]:
    """Context manager: the engine that a text names, such as "processes:4", whose workers end with
    the block. ParamError for any other text; EngineError where it cannot be reached."""
    check(chosen)
    kind, _, rest = chosen.partition(":")
    if kind == "threads":
        with ThreadPoolExecutor(_number_of_workers(rest, chosen)) as threads:
            yield Engine(threads, _number_of_workers(rest, chosen), chosen)
    elif kind == "processes":
        yield from _engine_of_processes(_number_of_workers(rest, chosen), chosen)
    else:
        yield from _engine_on_dask(rest, chosen)


def _number_of_workers(text: str, chosen: str) -> int:
    """The number of workers in the name of an engine, such as 4 in threads:4; ParamError unless it
    is a whole number from 1 to MOST_WORKERS (4,096), both allowed. chosen: the engine's name, for
    messages."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(MOST_WORKERS)) + 1
    if not is_number or not 1 <= int(text) <= MOST_WORKERS:
        raise ParamError(
            f"{option('--engine')} {chosen}: write a number of workers from 1 to {MOST_WORKERS}, "
            "as in processes:4"
        )
    return int(text)


def _engine_of_processes(workers: int, chosen: str) -> Iterator[Engine]:
    """Yield, once, an engine of this number of worker processes, which end when the generator goes
    on. Each begins as a new interpreter, not by a fork. chosen: what the user typed, for
    messages."""
    # runtimes have threads, which a forked process would lack
    import multiprocessing

    spawning = multiprocessing.get_context("spawn")

    def pool() -> Executor:
        """New worker processes, which start with the first piece."""
        # an interrupt ends a worker without a word: the process that started it says what is so
        quiet = (signal.SIGINT, signal.SIG_DFL)
        return ProcessPoolExecutor(workers, spawning, initializer=signal.signal, initargs=quiet)

    engine = Engine(pool(), workers, chosen, pool)
    try:
        yield engine
    finally:
        engine.executor.shutdown(cancel_futures=True)


def _engine_on_dask(address: str, chosen: str) -> Iterator[Engine]:
    """Yield, once, an engine on a Dask cluster. address: of its scheduler; "local" or "local:N" for
    one of this machine, with N workers, or one for each processor. chosen: what the user typed.
    EngineError if Dask is not installed or nobody answers there; ParamError if N is no number of
    workers."""
    try:
        import dask.system
        import distributed
    except ImportError:
        raise EngineError(
            f"{option('--engine')} {chosen}: Dask is not installed: pip install 'aetool[dask]'"
        ) from None
    settings: dict[str, object] = {
        "distributed.comm.timeouts.connect": f"{PATIENCE}s",
        # what cannot be read elsewhere is sent, and nobody who asked for that has to be told
        "distributed.admin.large-graph-warning-threshold": f"{MOST_SENT}B",
    }
    settings |= {
        f"distributed.nanny.pre-spawn-environ.{name}": str(value)
        for name, value in ALLOCATION.items()
    }
    word, _, count = address.partition(":")
    if word == "local":
        settings |= UNWATCHED
    with dask.config.set(settings):
        if word == "local":
            workers = _number_of_workers(count, chosen) if count else dask.system.CPU_COUNT
            yield from _engine_on_local_cluster(workers, chosen)
            return
        try:
            client = distributed.Client(  # type: ignore[no-untyped-call]
                address, timeout=PATIENCE, set_as_default=False
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise _unreachable(chosen, error) from None
        threads = client.nthreads()  # type: ignore[no-untyped-call]
        yield from _engine_of_client(client, max(1, len(threads)), chosen)


def _unreachable(chosen: str, error: Exception) -> EngineError:
    """Return, not raise, the EngineError for a scheduler that nobody finds. chosen: what the user
    typed."""
    return EngineError(
        f"{option('--engine')} {chosen}: no scheduler can be reached there ({_one_line(error)}); "
        "start one with `dask scheduler`, and workers with `dask worker`"
    )


def _engine_on_local_cluster(workers: int, chosen: str) -> Iterator[Engine]:
    """Yield, once, an engine on a Dask cluster of this number of worker processes of this machine,
    which ends when the generator goes on. chosen: what the user typed, for messages. EngineError if
    it cannot be started.

    The scheduler is there when the engine is yielded; the workers begin meanwhile, while the source
    is read and the first piece is computed here. Pieces that are sent before wait for them.
    """
    import distributed

    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            # the page that a scheduler shows of itself is nobody's here, whatever its port
            warnings.filterwarnings("ignore", "Port .* is already in use", UserWarning)
            cluster = distributed.LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=0, threads_per_worker=1, memory_limit=1 / workers,
                dashboard_address=None, silence_logs=50,
            )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(chosen, error) from None
    scheduler = cluster.scheduler
    assert scheduler is not None

    def has_workers() -> bool:
        """Whether a worker is there, or may still come."""
        return bool(scheduler.workers) or time.monotonic() < started + BEGINNING

    try:
        client = distributed.Client(  # type: ignore[no-untyped-call]
            cluster, set_as_default=False
        )
        cluster.scale(workers)  # type: ignore[no-untyped-call]
        yield from _engine_of_client(client, workers, chosen, has_workers)
    finally:
        with suppress(TimeoutError):
            cluster.close(timeout=PATIENCE)


def _engine_of_client(  # type: ignore[no-untyped-def]
    client, workers: int, chosen: str, has_workers: Callable[[], bool] = lambda: True
) -> Iterator[Engine]:
    """Yield, once, an engine that a Dask client reaches; the client is closed, and Dask's log is
    silent until then, when the generator goes on. workers: how many it has, or will have. chosen:
    what the user typed, for messages. has_workers: whether any of them is there, or may still
    come."""
    import logging

    # what it says of its own when a worker or a scheduler goes is said by one error of ours
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        executor = client.get_executor(pure=False, retries=2)
        yield Engine(
            executor,
            workers,
            chosen,
            is_there=lambda: client.status == "running" and has_workers(),
        )
    finally:
        client.close(timeout=PATIENCE if sys.exc_info()[0] is None else 2)
        logger.setLevel(level)
