"""The suite passes on a busy machine. Here the part of it that trains, starts processes, kills them,
counts work or compares what two runs give; `make stress` runs all of it."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PART = (
    "test_training.py", "test_reproducible.py", "test_joining.py", "test_sampling.py", "test_faults.py",
    "test_odd_tables.py", "test_exact.py", "test_denoising.py", "test_format.py",
)  # fmt: skip


@pytest.mark.long
def test_the_suite_passes_beside_four_busy_processes():
    paths = [str(HERE / name) for name in PART]
    command = [sys.executable, str(HERE / "stress.py"), *paths, "-m", "not gpu and not long"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


def test_a_failure_under_stress_is_told(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    command = [sys.executable, str(HERE / "stress.py"), str(tmp_path), "-p", "no:hypothesispytest"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout + done.stderr
