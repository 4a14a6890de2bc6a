"""ARCHITECTURE.md says what is so: its rooms, files, tests and words are there, and none is left out."""

import ast
import re
from pathlib import Path

import pytest

import aetool
from aetool.columns.kinds import KINDS
from tests.test_architecture import ORDER, rooms
from tests.trees import tree_of

ROOT = Path(aetool.__file__).parent
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TESTS = Path(__file__).parent
CODE = re.compile(r"`([^`]+)`")


def section(title):
    """What the page has under a heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(title):
    """The cells of the table under a heading, but for its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_rooms_are_those_there_are_in_the_order_of_imports():
    named = [room for row in rows("Rooms") for room in CODE.findall(row[0])]
    assert set(named) == set(ORDER)
    there = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.suffix == ".py"}
    there |= {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(named) == there - {"__init__", "__main__"}
    assert all(cell for row in rows("Rooms") if CODE.findall(row[0]) for cell in row)


def test_the_order_of_rooms_is_that_of_imports():
    """Each imports only from those above it on the page."""
    named = [room for row in rows("Rooms") for room in CODE.findall(row[0])]
    for room, path, imported in rooms():
        for name in imported:
            owner, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if owner == "aetool" and other in named and other != room:
                assert named.index(other) < named.index(room), f"{path} imports {other}"


@pytest.mark.parametrize("law", rows("Laws"), ids=lambda law: law[0].partition(":")[0][:40])
def test_each_law_names_a_test_that_guards_it(law):
    guards = CODE.findall(law[1])
    assert guards, law[0]
    for guard in guards:
        file, _, name = guard.partition("::")
        tree = tree_of(TESTS / file)
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{guard} is not there"


def there_is(name):
    """Whether a name of the page stands for a file, a room, or a module of one."""
    path = (
        name.replace(".", "/")
        if "/" not in name and not name.endswith((".py", ".c", ".md"))
        else name
    )
    places = (ROOT / path, ROOT / f"{path}.py", ROOT.parent / name)
    return any(place.exists() for place in places)


def test_files_and_modules_it_speaks_of_are_there():
    spoken = CODE.findall(section("The way of a record") + section("Where to add"))
    options_and_code = re.compile(r"--|aetool |[A-Z]|score.onnx|latent")
    missing = [name for name in spoken if not options_and_code.match(name) and not there_is(name)]
    assert not missing
    assert len(spoken) > 40


def test_it_says_where_to_add_what_people_add():
    said = " ".join(row[0] for row in rows("Where to add"))
    for what in ("kind of column", "content", "coder", "model", "verb", "option", "system"):
        assert what in said


def test_words_are_told_once_and_in_order():
    words = re.findall(r"^- \*\*([^*]+)\*\*:", section("Words"), re.MULTILINE)
    assert words == sorted(set(words))
    assert {"score", "threshold", "p-value", "archive", "bundle", "schema", "source"} <= set(words)
    assert {"number", "category", "date", "text"} <= set(KINDS)


def test_every_word_is_one_that_docstrings_use():
    texts = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                texts.append(" ".join((ast.get_docstring(node) or "").lower().split()))
    for word in re.findall(r"^- \*\*([^*]+)\*\*:", section("Words"), re.MULTILINE):
        used = re.compile(rf"\b{re.escape(word.removesuffix('s'))}(?:e?s)?\b")
        assert sum(bool(used.search(text)) for text in texts) >= 3, word


def test_it_is_a_page():
    """The words are looked up one by one: each is a line or two."""
    rows_of_words = section("Words")
    assert len(PAGE.replace(rows_of_words, "").split()) < 1500
    for row in re.split(r"\n(?=- )", rows_of_words.strip()):
        assert len(row.split()) < 40, row
