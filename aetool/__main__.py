"""python -m aetool."""

from aetool.cli import run

run()
