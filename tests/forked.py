"""Work in a process of its own, forked from this one: it dies at its n-th call, may write no more
than so many bytes to a file, and reads and writes what it is told to; or a command line there.

The moment of death is chosen by the number of calls, so that a slow or busy machine meets the same
ones. Calls are counted by Python's profiler: into and out of every function, compiled ones too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aetool import cli


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


def program(
    *words: object,
    folder: Path,
    given: bytes = b"",
    stdout: BinaryIO | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command `aetool` in a folder, by a process whose standard files are pipes. It imports
    nothing anew, which takes an interpreter of its own longer than most commands.

    words: of the command line. given: what comes through standard input. stdout: an open file that
    standard output goes to, None for a pipe; what came through that is in the result.
    """
    command = [str(word) for word in words]
    # (the end that is read, the end that is written to) of each standard file
    pipes = [os.pipe(), os.pipe(), os.pipe()]
    child = os.fork()
    if not child:
        own = [pipes[0][0], pipes[1][1] if stdout is None else stdout.fileno(), pipes[2][1]]
        _run_program(command, folder, own, pipes)
    (input_of_child, given_to), (output, output_of_child), (errors, errors_of_child) = pipes
    for end in (input_of_child, output_of_child, errors_of_child):
        os.close(end)
    read: dict[int, bytes] = {}

    def give() -> None:
        """Write standard input, as far as it is read."""
        with contextlib.suppress(BrokenPipeError), os.fdopen(given_to, "wb") as file:
            file.write(given)

    def read_all(end: int) -> None:
        """Read a pipe to its end."""
        with os.fdopen(end, "rb") as file:
            read[end] = file.read()

    # all at once, as a pipe that is full is waited for
    threads = [threading.Thread(target=give), threading.Thread(target=read_all, args=(output,))]
    for thread in threads:
        thread.start()
    read_all(errors)
    for thread in threads:
        thread.join()
    _, state = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(state)
    return subprocess.CompletedProcess(command, status, read[output], read[errors])


def _run_program(
    command: list[str], folder: Path, own: list[int], pipes: list[tuple[int, int]]
) -> None:
    """Run a command line in the child process, and end it. own: the files that become its standard
    input, output and errors; pipes: all that are closed, as their readers wait for that."""
    status = 70
    try:
        for number, file in enumerate(own):
            os.dup2(file, number)
        for end in itertools.chain(*pipes):
            os.close(end)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, closefd=False)  # noqa: SIM115
            for number, mode in enumerate(("r", "w", "w"))
        )
        os.chdir(folder)
        status = cli.status(command)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
