"""Tests speak to the program as its users do: no further one may reach for a private name."""

import ast
from pathlib import Path

# What tests still reach for, and why nothing public does instead. It may only become shorter.
KNOWN = {
    ("fuzz.py", "blocks._words"),  # a payload whose words are not JSON's
    ("fuzz.py", "bundles._pack"),  # a bundle with a member that is damaged, and sealed anew
    ("fuzz.py", "model._manifest"),
    ("test_bundle.py", "bundles._pack"),
    ("test_bundle.py", "three_kinds._manifest"),
    ("test_family.py", "import _Bench"),
    ("test_faults.py", "blocks._words"),
    ("test_faults_of_folders.py", "trees._put_in_place"),  # an instant at which it is killed
    ("test_graphs.py", "graphs._log_tail"),
    ("test_mixtures.py", "gaussians._grouped"),
    ("test_mixtures.py", "gaussians._mixture"),
    ("test_notation.py", "notation._read_text"),
    ("test_picture_members.py", "import _window"),
    ("test_sampling.py", "sampler._codes"),
    ("test_searching.py", "index._scan"),
    ("test_searching.py", "searching._Index"),
    ("test_searching.py", "searching._by_distance"),
    ("test_searching.py", "searching._packed"),
    ("test_searching.py", "searching._rotation"),
    ("test_stages.py", "planner._parents"),
    ("test_stages.py", "ranks._order"),
    ("test_stages.py", "ranks._packed"),
    ("test_trees.py", "net._cuts_of"),
    ("test_trees.py", "net._samples"),
}


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


def test_no_further_test_reaches_for_a_private_name():
    found = {
        (path.name, name)
        for path in sorted(Path(__file__).parent.glob("*.py"))
        for name in reached_for(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert sorted(found - KNOWN) == [], "say it by what is public, or make public what is needed"
    assert sorted(KNOWN - found) == [], "no longer: take it off the list"
