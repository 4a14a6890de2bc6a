"""Work in a process of its own, forked from this one: it dies at its n-th call, may write no more
than so many bytes to a file, and reads and writes what it is told to.

The moment of death is chosen by the number of calls, so that a slow or busy machine meets the same
ones. Calls are counted by Python's profiler: into and out of every function, compiled ones too.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """How a process ended. status: as it exits, or minus the signal that killed it. calls: how many
    it made, 0 if it was killed. said: its standard error."""

    status: int
    calls: int
    said: str


def forked(
    work: Callable[[], int | None],
    last: int = 0,
    most_bytes: int = -1,
    stdin: int | None = None,
    stdout: int | None = None,
) -> Ended:
    """Run work, which returns an exit status, None for 0.

    last: the call at which it is killed, 0: none. most_bytes: of a file, beyond which it is as if
    the disk were full; -1: any. stdin, stdout: open files.
    """
    answers, errors = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        _run(work, last, most_bytes, answers[1], {0: stdin, 1: stdout, 2: errors[1]})
    os.close(answers[1])
    os.close(errors[1])
    with os.fdopen(answers[0], "rb") as answer, os.fdopen(errors[0], "rb") as said:
        calls = int(answer.read() or b"0")
        _, state = os.waitpid(child, 0)
        return Ended(os.waitstatus_to_exitcode(state), calls, said.read().decode())


def _run(
    work: Callable[[], int | None],
    last: int,
    most_bytes: int,
    answer: int,
    files: dict[int, int | None],
) -> None:
    """Run work in the child process, report the number of calls, and end it."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)

    status = 70
    try:
        for number, file in files.items():
            if file is not None:
                os.dup2(file, number)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, closefd=False)  # noqa: SIM115
            for number, mode in enumerate(("r", "w", "w"))
        )
        if most_bytes >= 0:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        sys.setprofile(count)
        status = work() or 0
        sys.setprofile(None)
        sys.stderr.flush()
        os.write(answer, str(calls).encode())
    finally:
        os._exit(status)
