"""Runs an aetool command that kills itself at its n-th function call: a moment chosen by count, so
that a slow or busy machine meets the same ones.

    python tests/killed.py N ARGUMENTS...

Calls are counted by Python's profiler: into and out of every function, compiled ones too. With N =
0 nothing is killed, and the number of calls is printed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))


def main(last: int, arguments: list[str]) -> int:
    """Run the command line; its exit status, if it lives."""
    from aetool.cli import status

    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    code = status(arguments)
    sys.setprofile(None)
    if not last:
        print(calls)
    return code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
