"""Fits a small deep model for the slim environment, which has no torch to fit one."""

import sys
from pathlib import Path

from aetool import operations
from aetool.cli.demo import DATA, TABLE

path = Path(sys.argv[1])
if not path.exists():
    options = operations.FitOptions(plugin="vae", epochs=3)
    operations.fit(DATA / TABLE, options).save(path)
