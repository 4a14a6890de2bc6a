"""The code of a file as a tree, which several tests walk: parsed once in a run."""

import ast
import functools
from pathlib import Path


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a Python file. It is shared by all tests: nobody may change it."""
    return ast.parse(path.read_text(encoding="utf-8"))
