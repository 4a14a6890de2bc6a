"""Tests speak to the program as its users do: few may reach for a private name, and none more."""

import ast
from pathlib import Path

from tests.trees import tree_of

# Uses that may be there: instants at which a writer is killed, parts that are damaged and sealed
# anew, and mathematics that no verb shows by itself. Lower it when there are fewer.
MOST = 30


def is_private(name):
    """Whether a name begins with one underscore; those of protocols, _repr_html_, end with one."""
    return name.startswith("_") and not name.startswith("__") and not name.endswith("_")


def reached_for(tree):
    """Private attributes of anything but the test's own objects, the system's and private imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aetool"):
            yield from (f"import {alias.name}" for alias in node.names if is_private(alias.name))
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = ast.unparse(node.value)
            if owner not in ("self", "cls", "os"):
                yield f"{owner}.{node.attr}"


def test_few_tests_reach_for_private_names():
    uses = sorted(
        {
            f"{path.name}: {name}"
            for path in Path(__file__).parent.glob("*.py")
            for name in reached_for(tree_of(path))
        }
    )
    said = "say it by what is public, or make public what is needed:\n" + "\n".join(uses)
    assert len(uses) <= MOST, said


def test_private_names_are_told_from_those_of_protocols():
    source = """
from aetool.codec.blocks import _words, decode
model._manifest, model.facts, self._own, os._exit, frame._repr_html_, model.__class__
"""
    assert sorted(reached_for(ast.parse(source))) == ["import _words", "model._manifest"]
