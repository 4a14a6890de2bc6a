"""A tiny archive that declares huge output is refused before memory is taken for it."""

from pathlib import Path

import pytest

from aetool import operations
from aetool.errors import ArchiveError
from tests.bombs import make
from tests.conftest import fresh
from tests.effort import peak_bytes_of
from tests.sweeps import checkered

MOST_MEMORY = 600 << 20  # bytes of the whole process, of which an idle one takes 100 MiB
NAMES = sorted(make.BOMBS)


def test_the_files_are_those_that_are_made():
    files = {path.stem: path.read_bytes() for path in make.HOME.glob("*.aez")}
    assert files == {name: data for name, (data, _) in make.BOMBS.items()}
    assert all(len(data) < 4000 for data in files.values()), "they are tiny"


@pytest.mark.parametrize(
    ("name", "act"), checkered(NAMES, [operations.verify, operations.decompress])
)
def test_a_bomb_is_refused_for_what_it_claims(name, act, tmp_path, monkeypatch):
    """For that and for nothing else, in one line that names the file."""
    monkeypatch.chdir(tmp_path)
    path = make.HOME / f"{name}.aez"
    said = make.BOMBS[name][1]

    def refuse():
        with pytest.raises(ArchiveError, match=f"{name}.aez: damaged: .*{said}") as error:
            act(path, tmp_path / "out") if act is operations.decompress else act(path)
        assert "\n" not in str(error.value)

    assert peak_bytes_of(refuse) < MOST_MEMORY
    assert not (tmp_path / "out").exists()


# a process knows the most memory it has held; what its parent held is not counted
PEAK = """
import re, sys
from pathlib import Path
from aetool.cli import status
print(status(sys.argv[1:]))
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what was held")
# an interpreter for each: every third, for each is refused in this process, too
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.long if i % 3 else ()) for i, n in enumerate(NAMES)],
)
def test_a_bomb_takes_no_memory_on_the_command_line(name, tmp_path):
    done = fresh(PEAK, "decompress", str(make.HOME / f"{name}.aez"), "-o", str(tmp_path / "out"))
    status, kilobytes = map(int, done.stdout.split())
    assert status == 1 and done.stderr.count("\n") == 1 and make.BOMBS[name][1] in done.stderr
    assert kilobytes << 10 < MOST_MEMORY and not list(tmp_path.iterdir())
