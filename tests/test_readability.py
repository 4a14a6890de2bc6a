"""No file becomes harder to read, and the figures that say so are what they claim to be."""

import pytest

from tests import readability

SAMPLE = '''"""A docstring is no code."""
import os  # noqa: F401
from typing import Any


def area(width: Any, height: float) -> float:
    """Neither is this."""
    # areas are not rounded
    _product = width * height  # type: ignore
    # ----
    return _product
'''


def test_no_file_is_worse_than_its_baseline():
    said = readability.worse(readability.measured(), readability.read())
    assert not said, "\n" + "\n".join([*said, "make readability, once it is better elsewhere"])


def test_the_figures_of_a_file():
    found = readability.measure(SAMPLE)
    # import os | from typing import Any | def ... : (14) | _product = width * height | return _product
    assert found["lines"] == 5 and found["tokens"] == (2 + 4 + 14 + 5 + 2) / 5
    assert found["comments"] == 100 / 5, (
        "one says something; the others direct tools, or rule lines"
    )
    assert found["names"] == (4 + 5 + 6 + 7) / 4  # area, width, height, product
    assert found["any"] == 1, "the import is not counted"


def test_a_string_of_several_lines_is_on_each_of_them():
    assert readability.measure('x = """a\nb\nc"""\n')["lines"] == 3


def test_the_totals_of_a_folder(tmp_path):
    (tmp_path / "a.py").write_text(SAMPLE)
    (tmp_path / "b.py").write_text("x = 1\n")
    totals = readability.totals(tmp_path)
    assert totals["lines"] == 6 and totals["tokens"] == (27 + 3) / 6
    assert totals["names"] == (4 + 5 + 6 + 7 + 1) / 5 and totals["any"] == 1
    assert totals["median"] == totals["longest"] == 6


def test_what_is_drawn_hangs_on_the_word_alone():
    first = readability.drawn("a word", 3, 2)
    assert first == readability.drawn("a word", 3, 2) and len(first) == 5
    assert first != readability.drawn("another", 3, 2)


METHOD = '''class Square(Shape, Protocol):
    """A shape of four equal sides.

    Not drawn.
    """

    def area(self, unit: float = 1) -> float:
        """The square of a side."""
        return self.side**2 * unit


def free(x):
    """No method."""
'''


def test_a_method_is_drawn_under_the_heading_of_its_class(monkeypatch, tmp_path):
    (tmp_path / "aetool").mkdir()
    (tmp_path / "aetool" / "a.py").write_text(METHOD)
    monkeypatch.setattr(readability, "ROOT", tmp_path)
    heading = "class Square(Shape, Protocol)"
    assert set(readability.drawn("a word")) == {
        f"aetool/a.py: {heading}\nA shape of four equal sides.\n\nNot drawn.",
        "aetool/a.py: Square.area(self, unit: float=1) -> float\n"
        f"[{heading}: A shape of four equal sides.]\nThe square of a side.",
        "aetool/a.py: free(x)\nNo method.",
    }


FIGURES = {"lines": 50, "tokens": 8.0, "comments": 5.0, "names": 6.0, "any": 2}
BASELINE = {
    "a.py": {"tokens": 8.0, "comments": 5.0, "names": 6.0, "any": 2},
    "b.py": {"tokens": 9.0, "comments": 3.0, "names": 5.0, "any": 4},
    "c.py": {"tokens": 7.0, "comments": 9.0, "names": 7.0, "any": 0},
}


@pytest.mark.parametrize(("name", "within", "beyond"), [
    ("tokens", 8.25, 8.26), ("comments", 4.0, 3.99), ("names", 5.85, 5.84), ("any", 3, 4),
])  # fmt: skip
def test_a_figure_may_be_worse_by_the_tolerance_alone(name, within, beyond):
    assert readability.worse({"a.py": {**FIGURES, name: within}}, BASELINE) == []
    (said,) = readability.worse({"a.py": {**FIGURES, name: beyond}}, BASELINE)
    assert said.startswith(f"a.py: {name} {beyond:g}, must be at ")


def test_a_new_file_is_as_good_as_the_median():
    assert readability.worse({"new.py": FIGURES}, BASELINE) == []
    (said,) = readability.worse({"new.py": {**FIGURES, "names": 5.9}}, BASELINE)
    assert said == "new.py: names 5.9, must be at least 6, the median, as the file is new"
    assert readability.worse({"new.py": {**FIGURES, "names": 1.0, "lines": 19}}, BASELINE) == []


def test_the_baseline_takes_over_what_is_better():
    now = {"a.py": {**FIGURES, "tokens": 7.5, "comments": 4.5}, "new.py": FIGURES}
    found = readability.better_of(now, BASELINE)
    assert found["a.py"] == {"tokens": 7.5, "comments": 5.0, "names": 6.0, "any": 2}
    assert found.keys() == {"a.py", "new.py"}, "files that are gone are forgotten"


def test_the_baseline_is_read_as_it_was_written(monkeypatch, tmp_path):
    monkeypatch.setattr(readability, "BASELINE", tmp_path / "readability.json")
    assert readability.read() == {}
    readability.write(BASELINE)
    assert (
        readability.read() == BASELINE
        and (tmp_path / "readability.json").read_text().count("\n") == 5
    )
