"""How much work a call does, counted rather than timed: the same on a busy machine as on an idle one.

A call that takes for ever either runs many lines of Python, or hands large arrays or buffers to
compiled code, whose loops here are all as long as what they read and write. So two counts bound
it: the lines of Python run, and the most memory held at once.
"""

from __future__ import annotations

import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any


def calls_of(call: Callable[[], Any]) -> int:
    """Count the functions, compiled ones too, that a call runs in this thread."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(before)
    return calls


@dataclass
class Effort:
    """The effort of a call. lines: of Python run, by any thread; peak_bytes: held at once, beyond
    what was held before."""

    lines: int = 0
    peak_bytes: int = 0


def peak_bytes_of(call: Callable[[], Any]) -> int:
    """The most memory that a call holds at once, beyond what was held before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measured(call: Callable[[], Any]) -> Effort:
    """Run the call, count its effort, and raise what it raises."""
    effort = Effort()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            effort.lines += 1
        return trace

    before, before_threads = sys.gettrace(), threading.gettrace()
    tracemalloc.start()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        threading.settrace(before_threads)  # type: ignore[arg-type]
        effort.peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return effort
