"""Runs pytest beside four busy processes, so that no test passes only because the machine is idle.

    python tests/stress.py [ARGUMENTS of pytest]

The exit status is pytest's. Each busy process takes a core, as far as there are cores; on a machine
of four or fewer pytest gets less than half of one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BUSY = 4
# Ends by itself when whoever started it is gone, whatever happened to that one.
LOOP = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def main(arguments: list[str]) -> int:
    """Run pytest on the arguments under load; returns its exit status, or 1 if the load ended
    before the tests."""
    busy = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(BUSY)]
    try:
        command = [sys.executable, "-m", "pytest", *arguments]
        done = subprocess.run(command, cwd=Path(__file__).parent.parent, check=False)
        pressed = all(process.poll() is None for process in busy)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return done.returncode or int(not pressed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
