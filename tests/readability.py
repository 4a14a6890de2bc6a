"""Measures how readable each file is, and keeps any from getting worse: a ratchet.

    python tests/readability.py            a line a file, and what is worse than the baseline
    python tests/readability.py --write    the baseline takes over whatever is better
    python tests/readability.py --write --force    the baseline is what the files are now
    python tests/readability.py --totals FOLDER ...    a line a folder, to see packages side by side
    python tests/readability.py --draw WORD    40 docstrings and 20 functions for a reader to judge

Four figures of every Python file under aetool/ and plugins/, by the standard library alone, so that
anyone can repeat them:

- **lines** (of code): lines on which a token of code begins or goes on. Tokens are those of
  `tokenize`; comments, line ends, indents and docstrings are no code. A docstring is the string
  that is the first statement of a module, class or function.
- **tokens**: tokens of code for each line of code. Fewer is better: one line says one thing.
- **comments**: comments that say something, for 100 lines of code: those with a letter that are not
  directions to a tool (`type:`, `noqa`, `fmt:`, `pragma:`, `ruff:`, `mypy:`, `!`). More is better.
- **names**: mean length, in characters, of the names that the file gives: functions, classes,
  arguments and variables, each different name once, underscores at its ends not counted. Longer is
  better.
- **any**: how often `Any` is written, but in imports. Fewer is better.

The baseline is readability.json beside this file. A file may be worse than its baseline by TOLERANCE;
a file that is not in it must be as good as the median of those that are. Files of fewer than FEWEST
lines of code are too short for rates and are not judged.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import json
import statistics
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
BASELINE = Path(__file__).parent / "readability.json"
FEWEST = 20
SHORT = 5  # lines of a function that needs no reader
# By how much a figure may be worse than the baseline: what one more function brings about.
TOLERANCE = {"tokens": 0.25, "comments": 1.0, "names": 0.15, "any": 1}
MORE_IS_BETTER = {"tokens": False, "comments": True, "names": True, "any": False}
NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip
DIRECTIONS = ("type:", "noqa", "fmt:", "pragma:", "ruff:", "mypy:", "!")

Figures = dict[str, float]


def measure(source: str) -> Figures:
    """The figures of the text of one file, and how many lines of code it has."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = _places_of_docstrings(nodes)
    lines: set[int] = set()
    tokens = comments = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments += _says_something(token.string)
        elif token.type not in NO_CODE and token.start not in docstrings:
            tokens += 1
            lines.update(range(token.start[0], token.end[0] + 1))
    count = max(len(lines), 1)
    given = _names_given(nodes)
    return {
        "lines": len(lines),
        "tokens": round(tokens / count, 2),
        "comments": round(100 * comments / count, 2),
        "names": round(statistics.mean(map(len, given)), 2) if given else 0.0,
        "any": sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes),
    }


def _places_of_docstrings(nodes: list[ast.AST]) -> set[tuple[int, int]]:
    """(line, column) at which each docstring begins."""
    places = set()
    for node in nodes:
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            places.add((node.body[0].lineno, node.body[0].col_offset))
    return places


def _says_something(comment: str) -> bool:
    text = comment.lstrip("#").strip()
    directed = text.startswith(DIRECTIONS) or comment.startswith("#!")
    return not directed and any(letter.isalpha() for letter in text)


def _names_given(nodes: list[ast.AST]) -> set[str]:
    """Every different name that is bound, without the underscores at its ends."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return {name.strip("_") for name in names} - {""}


def _paths() -> list[str]:
    """Every file that is measured, by its path from the root."""
    paths = [p for folder in ("aetool", "plugins") for p in (ROOT / folder).rglob("*.py")]
    return [p.relative_to(ROOT).as_posix() for p in sorted(paths)]


def measured() -> dict[str, Figures]:
    """The figures of every file, by its path from the root."""
    return {path: measure((ROOT / path).read_text()) for path in _paths()}


def judged(files: dict[str, Figures]) -> dict[str, Figures]:
    """The figures of the files that are long enough to be judged, without the numbers of lines."""
    return {
        path: {name: figures[name] for name in TOLERANCE}
        for path, figures in files.items()
        if figures["lines"] >= FEWEST
    }


def medians(baseline: dict[str, Figures]) -> Figures:
    """The median of each figure over the files of the baseline."""
    return {n: statistics.median(f[n] for f in baseline.values()) for n in TOLERANCE}


def worse(files: dict[str, Figures], baseline: dict[str, Figures]) -> list[str]:
    """List each figure that is worse than allowed, a line for each: its value and the allowed
    one."""
    said = []
    median = medians(baseline)
    for path, figures in judged(files).items():
        known = path in baseline
        limit = baseline[path] if known else median
        for name, value in figures.items():
            slack = TOLERANCE[name] if known else 0
            sign = 1 if MORE_IS_BETTER[name] else -1
            if sign * (value - limit[name]) < -slack - 1e-9:
                at = f"at {'least' if sign > 0 else 'most'} {limit[name] - sign * slack:g}"
                whose = "" if known else ", the median, as the file is new"
                said.append(f"{path}: {name} {value:g}, must be {at}{whose}")
    return said


def better_of(files: dict[str, Figures], baseline: dict[str, Figures]) -> dict[str, Figures]:
    """The baseline with each figure that has improved; files that are gone are left out."""
    out = {}
    for path, figures in judged(files).items():
        before = baseline.get(path, figures)
        out[path] = {
            name: (max if MORE_IS_BETTER[name] else min)(value, before[name])
            for name, value in figures.items()
        }
    return out


def read() -> dict[str, Figures]:
    """Read the baseline; {} where there is none."""
    found: dict[str, Figures] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    return found


def write(baseline: dict[str, Figures]) -> None:
    """Write the baseline, a line for each file, so that merges touch few lines."""
    lines = [f"{json.dumps(path)}: {json.dumps(figures)}" for path, figures in baseline.items()]
    BASELINE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def totals(folder: Path) -> Figures:
    """The figures of all files of a folder together, and how long its functions are, in lines."""
    texts = [path.read_text() for path in sorted(folder.rglob("*.py"))]
    files = [measure(text) for text in texts]
    lines = max(sum(figures["lines"] for figures in files), 1)
    names = [len(name) for text in texts for name in _names_given(list(ast.walk(ast.parse(text))))]
    lengths = [
        node.end_lineno - node.lineno + 1
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {
        "lines": lines,
        "tokens": round(sum(f["tokens"] * f["lines"] for f in files) / lines, 2),
        "comments": round(sum(f["comments"] * f["lines"] for f in files) / lines, 2),
        "names": round(statistics.mean(names), 2),
        "any": sum(f["any"] for f in files),
        "median": statistics.median_low(lengths),
        "p90": sorted(lengths)[len(lengths) * 9 // 10],
        "longest": max(lengths),
    }


def _heading(node: ast.ClassDef) -> str:
    """The name of a class with the classes that it is made from, as `class Net(Module)`."""
    bases = ", ".join(map(ast.unparse, node.bases))
    return f"class {node.name}({bases})" if bases else f"class {node.name}"


def _signature(node: ast.FunctionDef | ast.ClassDef, owner: ast.ClassDef | None) -> str:
    """What a reader of a docstring sees above it: the heading of a class; or the name, arguments
    and result of a function. A method has its class's name before its own, and a line below with
    the heading of its class and the first line of its docstring. owner: the class around it.
    """
    if isinstance(node, ast.ClassDef):
        return _heading(node)
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    signature = f"{node.name}({ast.unparse(node.args)}){result}"
    if owner is None:
        return signature
    first = (ast.get_docstring(owner) or "").partition("\n")[0]
    return f"{owner.name}.{signature}\n[{_heading(owner)}: {first}]"


def _owners(nodes: list[ast.AST]) -> dict[ast.AST, ast.ClassDef]:
    """The class that each method stands in, by the method."""
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return {member: owner for owner in classes for member in owner.body}


def drawn(word: str, docstrings: int = 40, functions: int = 20) -> list[str]:
    """Docstrings and longer functions, each with its file, in an order that the word decides."""
    texts, codes = _drawn_from(ROOT)

    def place(text: str) -> bytes:
        return hashlib.sha256((word + text).encode()).digest()

    return sorted(texts, key=place)[:docstrings] + sorted(codes, key=place)[:functions]


@functools.cache
def _drawn_from(root: Path) -> tuple[list[str], list[str]]:
    """(all docstrings, all longer functions) below a folder, each with its file."""
    texts = []
    codes = []
    for path in _paths():
        source = (root / path).read_text()
        lines = source.splitlines(keepends=True)
        nodes = list(ast.walk(ast.parse(source)))
        owners = _owners(nodes)
        for node in nodes:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            docstring = ast.get_docstring(node)
            if docstring is not None:
                texts.append(f"{path}: {_signature(node, owners.get(node))}\n{docstring}")
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno > SHORT:
                # not ast.get_source_segment, which splits the whole source for each function
                *body, last = lines[node.lineno - 1 : node.end_lineno]
                # columns are counted in bytes
                last = last.encode()[: node.end_col_offset].decode()
                code = "".join([*body, last]).lstrip()
                owner = owners.get(node)
                codes.append("\n".join([path, *([_heading(owner)] if owner else []), code]))
    return texts, codes


def main(arguments: list[str]) -> int:
    """Print the figures, compare them with the baseline, and write it if asked to; the exit status
    is 1 if a file is worse."""
    if arguments[:1] == ["--draw"]:
        print(*drawn(arguments[1]), sep="\n\n")
        return 0
    if arguments[:1] == ["--totals"]:
        for folder in arguments[1:]:
            figures = totals(Path(folder))
            print(folder, *(f"{name} {value:g}" for name, value in figures.items()))
        return 0
    files, baseline = measured(), read()
    if "--write" in arguments:
        forced = "--force" in arguments or not baseline
        write(judged(files) if forced else better_of(files, baseline))
        baseline = read()
    print(f"{'tokens a line':>13} {'comments':>9} {'names':>6} {'Any':>4}  lines  file")
    for path, f in files.items():
        print(f"{f['tokens']:13.1f} {f['comments']:9.1f} {f['names']:6.1f} {f['any']:4.0f}  "
              f"{f['lines']:5.0f}  {path}")  # fmt: skip
    median = medians(baseline)
    print(f"{median['tokens']:13.1f} {median['comments']:9.1f} {median['names']:6.1f} "
          f"{median['any']:4.0f}         median of the baseline")  # fmt: skip
    said = worse(files, baseline)
    print("\n".join(said))
    return bool(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
