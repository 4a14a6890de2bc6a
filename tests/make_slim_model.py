"""Fits what the slim environment is to run: a deep model, which it has no torch to fit, and the scores
of it and of the default model in this environment. Both are of the first rows of the bundled table,
which lie beside them: as many as any command needs to do all it does with more."""

import sys
from pathlib import Path

from aetool import bundle, cli, operations
from aetool.cli.demo import DATA, TABLE
from aetool.errors import AetoolError


def can_be_read(target: Path) -> bool:
    """Whether there is a model in the present format at this path."""
    try:
        bundle.load(target)
    except AetoolError:
        return False
    return True


PART_ROWS = 1200

path = Path(sys.argv[1])
part = path.with_name("part.csv")
lines = (DATA / TABLE).read_bytes().splitlines(keepends=True)
part.write_bytes(b"".join(lines[: 1 + PART_ROWS]))
for target, options in (
    (path, operations.FitOptions(plugin="vae", epochs=3)),
    (path.with_stem("default"), operations.FitOptions()),
):
    if not can_be_read(target):
        operations.fit(part, options).save(target, force=True)
    scored = ["detect", str(part), "-m", str(target), "--all", "-q", "-f"]
    assert cli.status([*scored, "-o", str(target.with_suffix(".csv"))]) == 0
